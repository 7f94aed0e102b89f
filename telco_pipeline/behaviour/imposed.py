"""Imposed changes of identity: SIMs that scenario layers replace, or put into other devices.

Belongs here: `swap` and `sharing`, as changes among those that subscribers make (`changes`). Does
not belong here: what subscribers change themselves, what holds at a moment (`identities`).

A swap brings the number to another SIM, in a phone of somebody else's, for good. Of `sharing`,
each group of SIMs sits in the phone of its first one, which it had when the day began on which the
group came together, and all go back to their own when the time is over; meanwhile nobody buys a
new one. What begins later takes a SIM out of where it was.

New SIMs take the last indexes of the registry's bijection, where those of ordinary swaps take the
first free ones. A phone from outside is of a type that some person has, with a serial that is not
taken; so the two windows never meet, and nobody else gets another number because of a layer.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.allotment import NewPhones, NewSims
from telco_pipeline.behaviour.changes import DEVICE_UPGRADE, KIND_STEP, SIM_SWAP, Changes, joins
from telco_pipeline.behaviour.population import MACHINE, PERSON, VISITOR, Population
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND, day_start
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.scenarios.effects import Sharing
from telco_pipeline.scenarios.story import Story, Touch
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world import numbering
from telco_pipeline.world.cards import machine_serials

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

EFFECTS: Final = ("swap", "sharing")
"""Effects that impose changes."""

# Nothing happens on the second: a SIM is put in within a minute, or a quarter of a shorter time.
_WITHIN: Final = 60 * SECOND
_PHONE_AFTER: Final = 15 * SECOND  # of a swap: until the new SIM is in the other phone
_TRIES: Final = 16  # serials that are looked at for one that is free
_SERIAL: Final = 7  # digits of an IMEI behind the type allocation code


@dataclass(frozen=True)
class Imposed:
    """Changes that layers impose, in order of time.

    Attributes:
        changes: The changes; their `key` is of no use.
        item: Number of the SIM or phone that each brings, where those of the registry come first,
            then those of ordinary changes, then these.
        imsi, iccid: New SIMs.
        imei: Phones from outside.
        device: Row of the model of each.
        dropped: Ordinary changes that do not happen.
    """

    changes: Changes
    item: Rows
    imsi: pl.Series
    iccid: pl.Series
    imei: pl.Series
    device: npt.NDArray[np.int32]
    dropped: Flags


class _Step(NamedTuple):
    """Something that happens to a SIM; in order of time, then of what it is.

    Attributes:
        time: When.
        what: A purchase, the beginning or end of a window, or a swap.
        entity: Whose SIM.
        number: Which of them.
    """

    time: int
    what: int
    entity: int
    number: int


_BUYS, _ENTERS, _LEAVES, _IS_TAKEN = range(4)


def imposed(
    config: WorldConfig,
    population: Population,
    story: Story,
    until: dt.date,
    ordinary: Changes,
    kept: Flags,
    sims: NewSims,
    phones: NewPhones,
) -> Imposed:
    """Return what layers change until the end of a UTC day.

    Args:
        config: The world.
        population: The subscribers.
        story: What the layers do.
        until: The day.
        ordinary: The changes that subscribers make.
        kept: Which of them happen.
        sims: SIMs that these bring.
        phones: Phones that these bring.
    """
    limit = day_start(until) + DAY
    touches = story.between(config.epoch, until, *EFFECTS, whole=True)
    shared = [touch for touch in touches if isinstance(touch.effect, Sharing)]
    swaps = _Swaps.of(config, population, [t for t in touches if t.name == "swap"], limit)
    swaps, imsi, iccid = swaps.with_sims(config, population, sims)
    imei, device = swaps.phones(config, population)
    made = _Desk(
        population.size + len(phones.imei),
        [*_windows(config, population, shared)],
        swaps,
        ordinary,
        phones,
    )
    rows = np.flatnonzero((ordinary.kind == DEVICE_UPGRADE) & kept)
    entity, time, item, dropped = made.run(rows, limit)
    kind = np.full(len(entity), DEVICE_UPGRADE)
    joined_entity = np.concatenate([swaps.entity, entity])
    joined_time = np.concatenate([swaps.time, time])
    joined_kind = np.concatenate([np.full(len(swaps.entity), SIM_SWAP), kind]).astype(np.int8)
    sim = population.size + len(sims.imsi) + np.arange(len(swaps.entity))
    order = np.lexsort((joined_entity, joined_time))
    nothing = np.zeros(len(order), dtype=np.uint64)
    changes = Changes(joined_entity, joined_time, joined_kind, nothing).select(order)
    flags = np.zeros(len(ordinary), dtype=np.bool_)
    flags[dropped] = True
    item = np.concatenate([sim, item])[order]
    return Imposed(changes, item, imsi, iccid, imei, device, flags)


def _moment(time: Rows, bits: draws.Bits, most: Rows, kind: int) -> Rows:
    """Return moments a little after some times; their last bits are the kind of change."""
    later = draws.below(bits, np.maximum(most, 1))
    return (time + later) // KIND_STEP * KIND_STEP + KIND_STEP + kind


@dataclass(frozen=True)
class _Swaps:
    """Numbers that go over to other SIMs, in order of time.

    Attributes:
        entity: Whose number.
        time: When the SIM is another one.
        phone_time: When it is in the other phone.
        key: Key of each.
    """

    entity: Rows
    time: Rows
    phone_time: Rows
    key: draws.Bits

    @classmethod
    def of(
        cls, config: WorldConfig, population: Population, touches: list[Touch], limit: int
    ) -> "_Swaps":
        """Take the swaps before a moment; the cards of visitors are not ours to replace."""
        parts = [cls.none()]
        for touch in touches:
            most = np.minimum(_WITHIN, (touch.end - touch.start) // 4)
            time = _moment(touch.start, draws.bits(touch.key, "moment"), most, SIM_SWAP)
            late = draws.bits(touch.key, "phone moment")
            phone = _moment(time, late, np.minimum(_PHONE_AFTER, most), DEVICE_UPGRADE)
            able = (population.kind[touch.rows] != VISITOR) & (phone < limit)
            able &= time >= joins(config, touch.rows)
            parts.append(cls(touch.rows, time, phone, touch.key).select(able))
        joined = cls(
            np.concatenate([part.entity for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.phone_time for part in parts]),
            np.concatenate([part.key for part in parts]),
        )
        return joined.select(np.lexsort((joined.entity, joined.time)))

    @classmethod
    def none(cls) -> "_Swaps":
        """Return no swaps."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, nothing, nothing.astype(np.uint64))

    def select(self, chosen: npt.NDArray) -> "_Swaps":
        """Return some of the swaps (mask or row numbers)."""
        return _Swaps(
            self.entity[chosen], self.time[chosen], self.phone_time[chosen], self.key[chosen]
        )

    def with_sims(
        self, config: WorldConfig, population: Population, ordinary: NewSims
    ) -> tuple["_Swaps", pl.Series, pl.Series]:
        """Return those for whom there is a SIM, its IMSI and the number of its card."""
        own, ranges, size = config.own_operator, config.numbering, population.size
        per_class = numbering.imsi_capacity(own.plmn)
        capacity = min(per_class, numbering.ICCID_CAPACITY)
        # The upper half of what is left is theirs, as far as nobody has it.
        first = size + max((capacity - size) // 2, len(ordinary.imsi))
        in_range = numbering.machine_range_size(own.plmn, size)
        room = min(capacity - first, in_range - size)
        given = np.arange(min(len(self.entity), max(room, 0)))
        index = capacity - 1 - given
        serial = Permutation(per_class, config.seed, "msin")(index)
        imsi = numbering.imsi(own.plmn, np.full(len(given), numbering.PEOPLE_CLASS), serial)
        # A meter's card is replaced by one of the same customer's range.
        machine = np.flatnonzero(population.kind[self.entity[given]] == MACHINE)
        before = population.imsi.numbers[self.entity[machine]]
        later = machine_serials(config, in_range - 1 - machine)
        imsi[machine] = before // in_range * in_range + later
        prefix = np.full(len(given), int(f"89{ranges.country_code}{ranges.iccid_issuer}"))
        card = Permutation(numbering.ICCID_CAPACITY, config.seed, "iccid")(index)
        return (
            self.select(given),
            numbering.digits(imsi, 15),
            numbering.digits(numbering.iccid(prefix, card), 19),
        )

    def phones(
        self, config: WorldConfig, population: Population
    ) -> tuple[pl.Series, npt.NDArray[np.int32]]:
        """Return a phone from outside for each: IMEI and row of the model."""
        entities = np.arange(config.subscribers)
        owns = population.kind[entities] == PERSON
        some = entities[owns & (population.leader[entities] == entities)]
        some = some if some.size else entities
        alike = some[draws.below(draws.bits(self.key, "phone"), len(some))]
        tac = population.imei.numbers[alike] // 10**_SERIAL
        taken = np.sort(population.imei.numbers // 10)
        body = np.zeros(len(alike), dtype=np.int64)
        left = np.arange(len(alike))
        # Those before keep what they have, so that a later horizon changes no phone.
        given: set[int] = set()
        for number in range(_TRIES):
            bits = draws.bits(self.key[left], f"serial/{number}")
            drawn = draws.below(bits, numbering.SERIALS_PER_TAC)
            body[left] = tac[left] * numbering.SERIALS_PER_TAC + drawn
            place = np.minimum(np.searchsorted(taken, body[left]), len(taken) - 1)
            left = left[taken[place] == body[left]]
        for row, one in enumerate(body.tolist()):
            while one in given:
                one += 1
            given.add(one)
            body[row] = one
        numbers = body * 10 + numbering.luhn_digit(body, 14)
        return numbering.digits(numbers, 15), population.device[alike]


@dataclass(frozen=True)
class _Window:
    """A SIM in another device for a time.

    Attributes:
        entity: Whose SIM.
        start, end: From when until when.
        rank: Of two that begin at once, the higher one's holds.
        group: The device, by number.
        first: Whose phone that is.
    """

    entity: int
    start: int
    end: int
    rank: int
    group: int
    first: int


def _windows(
    config: WorldConfig, population: Population, touches: list[Touch]
) -> Iterator[_Window]:
    """Yield the windows of `sharing`; what holds a group together is the order of a hash."""
    group = 0
    for rank, whole in enumerate(touches):
        assert isinstance(whole.effect, Sharing)
        # Who is not a customer yet has nothing to share.
        touch = whole.select(_begins(whole) >= joins(config, whole.rows))
        size = max(round(touch.amount(whole.effect.devices)), 1)
        order = np.argsort(draws.bits(touch.key, "device"), kind="stable")
        start = _begins(touch)
        most = np.minimum(_WITHIN, (touch.end - touch.start) // 4)
        back = _moment(touch.end - most, draws.bits(touch.key, "back"), most, DEVICE_UPGRADE)
        for place, row in enumerate(order.tolist()):
            first = int(touch.rows[order[place - place % size]])
            number = group + place // size
            entity, begin, end = int(touch.rows[row]), int(start[row]), int(back[row])
            yield _Window(entity, begin, end, rank, number, first)
        group += -(-len(order) // size)


def _begins(touch: Touch) -> Rows:
    """Return when each SIM of a touch of `sharing` is put into its device."""
    most = np.minimum(_WITHIN, (touch.end - touch.start) // 4)
    return _moment(touch.start, draws.bits(touch.key, "moment"), most, DEVICE_UPGRADE)


class _Desk:
    """Follows which phone each SIM is in, step by step."""

    def __init__(
        self,
        size: int,
        windows: list[_Window],
        swaps: _Swaps,
        ordinary: Changes,
        phones: NewPhones,
    ) -> None:
        """Begin with everybody in the phone of the registry.

        Args:
            size: Number of phones before those from outside.
            windows: SIMs in other devices.
            swaps: SIMs in phones from outside.
            ordinary: The changes that subscribers make.
            phones: The phones that these bring.
        """
        self._size, self._windows, self._swaps = size, windows, swaps
        self._ordinary, self._phones = ordinary, phones
        self._own: dict[int, list[tuple[int, int]]] = {}
        self._sits: dict[int, dict[int, _Window]] = {}
        self._device: dict[int, int] = {}
        self._found: list[tuple[int, int, int]] = []
        self._dropped: list[int] = []

    def run(self, bought: Rows, limit: int) -> tuple[Rows, Rows, Rows, list[int]]:
        """Return entity, time and phone of each change, and the purchases that do not happen.

        Args:
            bought: Rows of the ordinary changes that bring a phone.
            limit: Moment at which to stop.
        """
        for step in self._steps(bought):
            if step.time >= limit:
                break
            self._do(step)
        found = np.array(self._found, dtype=np.int64).reshape(-1, 3)
        return found[:, 0], found[:, 1], found[:, 2], self._dropped

    def _steps(self, bought: Rows) -> list[_Step]:
        windows, swaps, ordinary = self._windows, self._swaps, self._ordinary
        steps = []
        for number, one in enumerate(windows):
            steps.append(_Step(one.start, _ENTERS, one.entity, number))
            steps.append(_Step(one.end, _LEAVES, one.entity, number))
        taken = zip(swaps.phone_time.tolist(), swaps.entity.tolist(), strict=True)
        for number, (time, entity) in enumerate(taken):
            steps.append(_Step(time, _IS_TAKEN, entity, number))
        concerned = {one.entity for one in windows} | {one.first for one in windows}
        who = np.array(sorted(concerned | set(swaps.entity.tolist())), dtype=np.int64)
        rows = bought[np.isin(ordinary.entity[bought], who)]
        for row in rows.tolist():
            time, entity = int(ordinary.time[row]), int(ordinary.entity[row])
            steps.append(_Step(time, _BUYS, entity, row))
        return sorted(steps)

    def _do(self, step: _Step) -> None:
        entity, number = step.entity, step.number
        sits = self._sits.setdefault(entity, {})
        before = self._seen(entity)
        if step.what == _BUYS:
            if sits:
                self._dropped.append(number)
            else:
                self._owns(entity, step.time, int(self._phones.item[number]))
            return
        if step.what == _ENTERS:
            window = self._windows[number]
            if window.group not in self._device:
                self._device[window.group] = self._had(window.first, step.time // DAY * DAY)
            sits[number] = window
        elif step.what == _LEAVES:
            sits.pop(number, None)
        else:
            sits.clear()
            self._owns(entity, step.time, self._size + number)
        after = self._seen(entity)
        if after != before:
            self._found.append((entity, step.time, after))

    def _owns(self, entity: int, time: int, phone: int) -> None:
        self._own.setdefault(entity, []).append((time, phone))

    def _had(self, entity: int, time: int) -> int:
        """Return somebody's own phone at a time."""
        own = [phone for since, phone in self._own.get(entity, ()) if since < time]
        return own[-1] if own else entity

    def _seen(self, entity: int) -> int:
        """Return the phone that a SIM is in."""
        sits = self._sits.get(entity)
        if sits:
            last = max(sits.values(), key=lambda one: (one.start, one.rank))
            return self._device[last.group]
        own = self._own.get(entity)
        return own[-1][1] if own else entity
