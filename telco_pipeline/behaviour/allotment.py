"""New SIMs, numbers and phones for those who change theirs.

Belongs here: which IMSI, ICCID, number or equipment comes next, and which model follows on which.
Does not belong here: who changes what and when (`changes`), what somebody has at a moment
(`identities`).

Nothing is ever held by two at once, unless a scenario layer puts SIMs into one device
(`imposed`). New identifiers come from the same keyed bijections as the
registry's, from windows of the index that nobody else uses:

- IMSI and ICCID: indexes from N on (a SIM of the registry has its entity number);
- our numbers: indexes from N on, up to the middle of what is left: behind it lie those that were
  ours and left the network before the epoch (`contacts`);
- numbers of other operators: behind the first three quarters of each range, which are for other
  operators' customers (`contacts`), and before the last ones, which were ported in before the epoch
  (`world.cards`);
- IMEI: type allocation codes of the model behind those of the registry, which are those of the
  lots made later; serials 2k and 2k + 1 for the two slots of phone k.

Where a window is used up, the change does not happen.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.changes import (
    DEVICE_UPGRADE,
    NUMBER_CHANGE,
    PORT_IN,
    SIM_SWAP,
    Changes,
)
from telco_pipeline.behaviour.population import RATS, Population
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.engine.tables import Choice
from telco_pipeline.settings import Operator, WorldConfig
from telco_pipeline.world import numbering
from telco_pipeline.world.cards import numbers_brought, reserved_positions
from telco_pipeline.world.catalogue import device_weights

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

QUARANTINE_DAYS: Final = 90
"""Days for which nobody gets a number that was given up."""

_RECYCLED: Final = 0.5  # of the new numbers, as long as there are some whose quarantine is over

_PHONES_PER_TAC: Final = numbering.SERIALS_PER_TAC // 2
_TAC_DIGITS: Final = 8
# How good a device's radio access is; narrow-band modules are replaced by their like.
_RANK: Final = {Rat.GERAN: 0, Rat.UTRAN: 1, Rat.EUTRAN: 2, Rat.NR: 3}


def own_window(config: WorldConfig) -> tuple[int, int]:
    """Return the first index, and the one behind the last, of our numbers that are given later.

    They are indexes into the permutation ``msisdn`` of the registry.
    """
    capacity = numbering.msisdn_capacity(config.own_operator.ndcs, reserved_positions(config))
    first = min(config.all_subscribers, capacity)
    return first, first + (capacity - first) // 2


def ported_window(config: WorldConfig, operator: Operator) -> tuple[int, int]:
    """Return the first index, and the one behind the last, of numbers that are ported in later.

    They are indexes into the order in which the other operator gives out its range.
    """
    capacity = numbering.msisdn_capacity(operator.ndcs)
    before = numbers_brought(config, operator)
    first = int(capacity * numbering.DIRECTORY_FILL)
    return first, max(capacity - before, first)


def other_operators(config: WorldConfig) -> list[int]:
    """Return the positions of the other operators."""
    return [place for place, operator in enumerate(config.operators) if not operator.own]


@dataclass(frozen=True)
class NewSims:
    """New SIMs.

    Attributes:
        kept: Whether there is one left; True for other kinds of change.
        item: Number of the SIM that each change brings, the registry's first.
        imsi: IMSIs of the new ones.
        iccid: Numbers of their cards.
    """

    kept: Flags
    item: Rows
    imsi: pl.Series
    iccid: pl.Series

    @classmethod
    def of(cls, config: WorldConfig, population: Population, changes: Changes) -> Self:
        """Give a SIM to each swap, in order of time."""
        own, ranges, size = config.own_operator, config.numbering, population.size
        swaps = np.flatnonzero(changes.kind == SIM_SWAP)
        capacity = min(numbering.imsi_capacity(own.plmn), numbering.ICCID_CAPACITY)
        given = min(len(swaps), max(capacity - size, 0))
        index = size + np.arange(given)
        serial = Permutation(numbering.imsi_capacity(own.plmn), config.seed, "msin")(index)
        people = np.full(given, numbering.PEOPLE_CLASS)
        prefix = np.full(given, int(f"89{ranges.country_code}{ranges.iccid_issuer}"))
        card = Permutation(numbering.ICCID_CAPACITY, config.seed, "iccid")(index)
        kept = np.ones(len(changes), dtype=np.bool_)
        kept[swaps[given:]] = False
        item = np.zeros(len(changes), dtype=np.int64)
        item[swaps[:given]] = index
        return cls(
            kept,
            item,
            numbering.digits(numbering.imsi(own.plmn, people, serial), 15),
            numbering.digits(numbering.iccid(prefix, card), 19),
        )


@dataclass(frozen=True)
class NewNumbers:
    """New numbers.

    Attributes:
        kept: Whether there is one for the change; True for other kinds of change.
        item: Number (position) that each change brings, the registry's first; a recycled one
            keeps its position.
        texts: Those that nobody had before, in international form.
        holders: Network of each.
    """

    kept: Flags
    item: Rows
    texts: pl.Series
    holders: pl.Series

    @classmethod
    def of(cls, config: WorldConfig, holder: pl.Series, changes: Changes) -> Self:
        """Give out numbers in order of time; those that are given up rest and come back.

        Args:
            config: The world.
            holder: Network of each subscriber's number in the registry.
            changes: All changes.
        """
        office = _NumberOffice(config, (holder == config.own_operator.plmn).to_numpy())
        kept = np.ones(len(changes), dtype=np.bool_)
        item = np.zeros(len(changes), dtype=np.int64)
        moving = np.flatnonzero((changes.kind == NUMBER_CHANGE) | (changes.kind == PORT_IN))
        others = other_operators(config)
        donors = np.zeros(len(moving), dtype=np.int64)
        if others:
            shares = Choice.of([config.operators[other].share for other in others])
            chosen = shares.sample(draws.bits(changes.key[moving], "operator"))
            donors = np.array(others)[chosen]
        again = draws.chance(draws.bits(changes.key[moving], "recycled"), _RECYCLED)
        rows = zip(
            moving.tolist(),
            changes.entity[moving].tolist(),
            changes.time[moving].tolist(),
            (changes.kind[moving] == PORT_IN).tolist(),
            donors.tolist(),
            again.tolist(),
            strict=True,
        )
        for row, entity, time, port, donor, recycled in rows:
            new = office.port_in(entity, donor) if port else office.change(entity, time, recycled)
            if new is None:
                kept[row] = False
            else:
                office.give(entity, new, time)
                item[row] = new
        texts, holders = office.made()
        return cls(kept, item, texts, holders)


class _NumberOffice:
    """Gives out numbers one by one; a number is known by its position, the registry's first."""

    def __init__(self, config: WorldConfig, own: Flags) -> None:
        """Begin with the registry; `own` says whose number is of our own ranges."""
        self._config = config
        self._own = own
        self._size = len(own)
        self._home = config.operators.index(config.own_operator)
        self._spare = [
            iter(range(*own_window(config)))
            if operator.own
            else iter(range(*ported_window(config, operator)))
            for operator in config.operators
        ]
        self._made: list[tuple[int, int]] = []  # operator and index of each number made
        self._has: dict[int, int] = {}
        self._resting: deque[tuple[int, int, int]] = deque()

    def change(self, entity: int, time: int, recycled: bool) -> int | None:
        """Return another number of ours: a recycled one, or one that nobody had; None if none."""
        if recycled and (rested := self._rested(entity, time)) is not None:
            return rested
        new = self._new(self._home)
        return self._rested(entity, time) if new is None else new

    def port_in(self, entity: int, donor: int) -> int | None:
        """Return a number of another operator, for who has one of ours; else None."""
        if donor == self._home or not self._is_own(self._has.get(entity, entity)):
            return None
        return self._new(donor)

    def give(self, entity: int, number: int, time: int) -> None:
        """Note who has a number now; the one before goes into quarantine if it is ours."""
        before = self._has.get(entity, entity)
        self._has[entity] = number
        if self._is_own(before):
            self._resting.append((time + QUARANTINE_DAYS * DAY, before, entity))

    def made(self) -> tuple[pl.Series, pl.Series]:
        """Return the numbers made, in international form, and the network of each."""
        operator = np.array([each for each, _ in self._made], dtype=np.int64)
        index = np.array([each for _, each in self._made], dtype=np.int64)
        number = np.zeros(len(operator), dtype=np.int64)
        for place in range(len(self._config.operators)):
            members = np.flatnonzero(operator == place)
            number[members] = self._in_full(place, index[members])
        networks = pl.Series([each.plmn for each in self._config.operators])
        return numbering.international(number), networks.gather(operator)

    def _in_full(self, operator: int, index: Rows) -> Rows:
        """Return numbers as integers, from indexes into the permutation of an operator's range."""
        one = self._config.operators[operator]
        reserved = reserved_positions(self._config) if one.own else []
        if one.own:
            capacity = numbering.msisdn_capacity(one.ndcs, reserved)
            serial = Permutation(capacity, self._config.seed, "msisdn")(index)
        else:
            serial = numbering.other_range(self._config.seed, one.ndcs)(index)
        return numbering.msisdn(self._config.numbering.country_code, one.ndcs, reserved, serial)

    def _is_own(self, number: int) -> bool:
        if number < self._size:
            return bool(self._own[number])
        return self._made[number - self._size][0] == self._home

    def _rested(self, entity: int, time: int) -> int | None:
        """Return the number that rested longest, if its time is over; not one's own old one."""
        if not self._resting or self._resting[0][0] > time or self._resting[0][2] == entity:
            return None
        return self._resting.popleft()[1]

    def _new(self, operator: int) -> int | None:
        index = next(self._spare[operator], None)
        if index is None:
            return None
        self._made.append((operator, index))
        return self._size + len(self._made) - 1


@dataclass(frozen=True)
class NewPhones:
    """New devices.

    Attributes:
        kept: Whether there is a serial left; True for other kinds of change.
        item: Number of the equipment that each change brings, the registry's first.
        imei: Equipment identities of the new ones.
        device: Row of the model of each.
    """

    kept: Flags
    item: Rows
    imei: pl.Series
    device: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls,
        config: WorldConfig,
        population: Population,
        devices: pl.DataFrame,
        changes: Changes,
    ) -> Self:
        """Choose a model for each upgrade, and give it a serial in order of time."""
        upgrades = np.flatnonzero(changes.kind == DEVICE_UPGRADE)
        entity, time = changes.entity[upgrades], changes.time[upgrades]
        leader = population.leader[entity]
        # One phone for both SIMs: the same leader at the same moment.
        _, one, phone = np.unique(
            np.stack([time, leader]), axis=1, return_index=True, return_inverse=True
        )
        phone = phone.reshape(-1)
        first_lot = _first_free_lot(population, devices)
        lot = first_lot + np.arange(len(one)) // _PHONES_PER_TAC
        tac_first = devices["tac_first"].cast(pl.Int64).to_numpy()
        tac_last = devices["tac_last"].cast(pl.Int64).to_numpy()
        fits = lot <= int((tac_last - tac_first).min())
        model = _models(config, population, devices, leader[one], changes.key[upgrades[one]])
        serial = Permutation(_PHONES_PER_TAC, config.seed, "imei/later")(
            np.arange(len(one)) % _PHONES_PER_TAC
        )
        given = np.flatnonzero(fits[phone])
        of_phone, slot = phone[given], entity[given] != leader[given]
        numbers = numbering.imei(
            tac_first[model[of_phone]], lot[of_phone], 2 * serial[of_phone] + slot
        )
        kept = np.ones(len(changes), dtype=np.bool_)
        kept[upgrades[~fits[phone]]] = False
        item = np.zeros(len(changes), dtype=np.int64)
        item[upgrades[given]] = population.size + np.arange(len(given))
        return cls(kept, item, numbering.digits(numbers, 15), model[of_phone].astype(np.int32))


def _first_free_lot(population: Population, devices: pl.DataFrame) -> int:
    """Return the first type allocation code within a model's block behind all of the registry."""
    tac = population.imei.numbers // 10 ** (population.imei.width - _TAC_DIGITS)
    first = devices["tac_first"].cast(pl.Int64).to_numpy()
    return int((tac - first[population.device]).max()) + 1


def _models(
    config: WorldConfig,
    population: Population,
    devices: pl.DataFrame,
    leader: Rows,
    key: draws.Bits,
) -> Rows:
    """Return the model of each new phone; phones are in order of time.

    The second one of a holder follows from the first one, so those go in rounds.
    """
    held = population.device.astype(np.int64)
    dual = np.zeros(population.size, dtype=np.bool_)
    dual[population.leader[population.leader != np.arange(population.size)]] = True
    order = np.argsort(leader, kind="stable")
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = leader[order][1:] != leader[order][:-1]
    place = np.arange(len(order))
    turn = np.empty(len(order), dtype=np.int64)
    turn[order] = place - np.maximum.accumulate(np.where(begins, place, 0))
    shop = _Shop(config, devices)
    model = np.zeros(len(leader), dtype=np.int64)
    bits = draws.bits(key, "model")
    for number in range(int(turn.max(initial=-1)) + 1):
        now = np.flatnonzero(turn == number)
        who = leader[now]
        chosen = shop.choose(bits[now], population.persona[who], held[who], dual[who])
        model[now] = held[who] = chosen
    return model


class _Shop:
    """Which model follows on which: never one with a worse radio access, or older."""

    _UNITS: Final = 1 << 24

    def __init__(self, config: WorldConfig, devices: pl.DataFrame) -> None:
        """Look at the catalogue."""
        self._config, self._devices = config, devices
        self._personas = list(config.personas.values())
        rats = [Rat(rat) for rat in devices["best_rat"]]
        self._rat = np.array([RATS.index(rat) for rat in rats])
        self._rank = np.array([_RANK.get(rat, -1) for rat in rats])
        self._class = devices["device_class"].cast(pl.String).to_numpy()
        self._volte = devices["volte"].to_numpy()
        self._dual = devices["dual_sim"].to_numpy()
        self._released = devices["released"].to_numpy().astype("datetime64[D]").astype(np.int64)
        age = (np.datetime64(config.epoch, "D").astype(np.int64) - self._released) / 365.25
        # The shelves hold what is new: a model of last year sells a fifth of this year's.
        self._newness = 1.0 / ((0.3 + age) * (0.3 + age))
        self._tables: dict[tuple[int, int, bool], tuple[Rows, Rows]] = {}
        self._appeal: dict[int, npt.NDArray[np.float64]] = {}

    def choose(self, bits: draws.Bits, persona: Rows, device: Rows, dual: Flags) -> Rows:
        """Return a model per phone.

        Args:
            bits: 64 random bits per phone.
            persona: Position of its holder's persona.
            device: Row of the model before.
            dual: Whether it holds two SIMs.
        """
        chosen = device.copy()
        models_in_all = len(self._rat)
        cases, case = np.unique((persona * models_in_all + device) * 2 + dual, return_inverse=True)
        order = np.argsort(case, kind="stable")
        ends = np.cumsum(np.bincount(case, minlength=len(cases)))
        for number, packed in enumerate(cases.tolist()):
            rows = order[ends[number - 1] if number else 0 : ends[number]]
            who, what = divmod(packed // 2, models_in_all)
            models, cumulated = self._table(who, what, bool(packed % 2))
            drawn = draws.below(bits[rows], int(cumulated[-1]))
            chosen[rows] = models[np.searchsorted(cumulated, drawn, side="right")]
        return chosen

    def _table(self, persona: int, device: int, dual: bool) -> tuple[Rows, Rows]:
        """Return the models that may follow, and their cumulated whole weights."""
        key = (persona, device, dual)
        if key not in self._tables:
            machine = self._personas[persona].kind == "machine"
            weight = self._weights(persona) * self._may_follow(device, dual, machine)
            if weight.max() <= 0:
                weight = np.where(np.arange(len(weight)) == device, 1.0, 0.0)
            whole = np.floor(weight * (self._UNITS / weight.max())).astype(np.int64)
            models = np.flatnonzero(whole)
            self._tables[key] = models, np.cumsum(whole[models])
        return self._tables[key]

    def _weights(self, persona: int) -> npt.NDArray[np.float64]:
        if persona not in self._appeal:
            appeal = device_weights(self._config, self._devices, self._personas[persona])
            self._appeal[persona] = np.array(appeal) * self._newness
        return self._appeal[persona]

    def _may_follow(self, device: int, dual: bool, machine: bool) -> Flags:
        """Return which models may follow on one."""
        newer = self._released >= self._released[device]
        voice = self._volte >= self._volte[device]
        if machine or self._rank[device] < 0:
            like = (self._class == self._class[device]) & (self._rat == self._rat[device])
            return newer & voice & like
        simple = "feature phone"
        classes = self._class == self._class[device]
        if self._class[device] == simple:
            classes |= self._class == "smartphone"
        better = self._rank >= self._rank[device]
        return newer & voice & classes & better & (self._dual | ~np.bool_(dual))
