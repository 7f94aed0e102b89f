"""Whom: the numbers that subscribers call and write to, and that call them.

Belongs here: the choice of the other party. Does not belong here: when (`rhythm`), records.

Every subscriber has a book of contacts, chosen once for the seed: slot 1 takes most of the
traffic. A contact is one of our own subscribers, who mostly lives near, or a party of the
`Directory`: a customer of another network, a fixed line, somebody abroad, a service. Call centres
have no book: each of their calls goes to somebody else.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import MACHINE, Population
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.lake import CodedText
from telco_pipeline.settings import WorldConfig

Rows = npt.NDArray[np.int64]

_BOOK_SIZE: Final = 40
# A user's k-th contact takes about k**-1.3 of the events: the first takes a third (a user's top
# contact takes most of the user's events: Copenhagen Networks Study; Onnela 2007 for the tail).
_SLOT = Choice.of([(slot + 1) ** -1.3 for slot in range(_BOOK_SIZE)])
# Somebody who starts more calls a day than this is a call centre and has no book.
_MASS_CALLER: Final = 40.0
# Distance to a contact in the order of homes; friendship falls off about as 1/distance
# (Liben-Nowell 2005), which a wide log-normal of ranks imitates.
_RANK_DISTANCE = QuantileTable.log_normal(60.0, 2.4)

# Classes of other parties beside mobile customers, in the order of the directory. Those of a
# book are mobile, fixed and abroad; a service is called or written to now and then.
_SERVICE: Final = 3
_SHORT_CODE: Final = 4
_CALL_CLASS = Choice.of([0.835, 0.133, 0.032])
_MESSAGE_CLASS = Choice.of([0.97, 0.0, 0.03])
# Share of the calls that go to a service, and of the messages to and from a short code (codes
# and notices of banks, shops and carriers). Services do not call.
_SERVICE_CALLS: Final = 0.025
_CODE_MESSAGES: Final = 0.03
_CODE_MESSAGES_IN: Final = 0.25

# Numbers abroad: dialling prefix, network, digits that follow; ranges that national plans keep
# for fiction or have not assigned, so that no row names a real customer.
_ABROAD: Final = (
    ("+3363998", "20801", 4),
    ("+316000", "20408", 5),
    ("+4915550", "26201", 6),
    ("+447700900", "23430", 3),
    ("+349990", "21407", 5),
    ("+393990", "22201", 6),
    ("+4850990", "26001", 5),
    ("+212699", "60400", 6),
)
_ABROAD_NUMBERS_EACH: Final = 1000
# The short code of the platform that machines send their messages to and get them from.
_M2M_PLATFORM: Final = "80770"
# Short codes of firms; Belgian ones have four digits, so nobody holds these.
_SHORT_CODES: Final = ("80610", "80622", "80635", "80641", "80658", "80664", "80679", "80686")
# Fixed lines: zone codes; the subscriber number begins with 0, which no real one does. Not zone
# 9, where such a number would be a premium one (090x).
_ZONES: Final = (
    "2",
    "3",
    "4",
    "10",
    "11",
    "14",
    "16",
    "50",
    "51",
    "53",
    "56",
    "59",
    "65",
    "71",
    "81",
    "87",
)


@dataclass(frozen=True)
class Directory:
    """Numbers that anybody can call: our subscribers first, then all other parties.

    Attributes:
        number: Number of each party; the first `own` are ours by entity number.
        plmn: Network that serves it; null for fixed lines and services.
        own: Number of our own subscribers.
        first: First party of each class (mobile, fixed, abroad, service, short code), and the
            end of the last one, where the platform lies that machines write to.
    """

    number: pl.Series
    plmn: pl.Series
    own: int
    first: tuple[int, ...]

    @classmethod
    def of(cls, config: WorldConfig, population: Population, plmn: pl.Series) -> "Directory":
        """Build the directory; `plmn` is the home network of each of our subscribers."""
        numbers, networks = [population.msisdn], [plmn.cast(pl.String)]
        others = [operator for operator in config.operators if not operator.own]
        own_share = config.own_operator.share
        for operator in others:
            wanted = int(population.size * operator.share / own_share) + 200
            made = _mobile_numbers(config.seed, operator.ndcs, config, wanted)
            numbers.append(made)
            networks.append(pl.Series([operator.plmn]).new_from_index(0, len(made)))
        ends = [sum(map(len, numbers))]
        platform = pl.Series([_M2M_PLATFORM])
        fixed = _fixed_numbers(config, max(population.size // 4, 200))
        abroad, abroad_plmn = _numbers_abroad(config)
        service = pl.Series(
            [
                config.numbering.care_number,
                config.numbering.voicemail_number,
                "+3270061061",
                "+3290061061",
            ]
        )
        others_of_class = (
            (fixed, None),
            (abroad, abroad_plmn),
            (service, None),
            (pl.Series(_SHORT_CODES), None),
            (platform, None),
        )
        for extra, network in others_of_class:
            numbers.append(extra)
            networks.append(
                network if network is not None else pl.Series([None] * len(extra), dtype=pl.String)
            )
            ends.append(ends[-1] + len(extra))
        return cls(
            number=pl.concat(numbers, rechunk=True).rename("number"),
            plmn=pl.concat(networks, rechunk=True).rename("plmn"),
            own=population.size,
            first=(population.size, *ends[:-1]),
        )

    def network_of(self, party: Rows) -> CodedText:
        """Return the network that serves each party; null for fixed lines and services."""
        networks, codes = self._networks
        found = codes[party]
        return CodedText.of(networks, found, found < 0)

    @cached_property
    def _networks(self) -> tuple[pl.Series, npt.NDArray[np.int32]]:
        """The different networks, and the position of each party's; -1 where there is none."""
        networks = self.plmn.drop_nulls().unique(maintain_order=True)
        places = pl.DataFrame({"plmn": networks, "place": np.arange(len(networks), dtype=np.int32)})
        joined = self.plmn.to_frame("plmn").join(
            places, on="plmn", how="left", maintain_order="left"
        )
        return networks, joined["place"].fill_null(-1).to_numpy()

    def is_service(self, party: Rows) -> npt.NDArray[np.bool_]:
        """Return which parties are services, short codes or the platform of machines."""
        return party >= self.first[_SERVICE]

    def party(self, group: npt.NDArray[np.uint8], random_bits: Bits) -> Rows:
        """Return a party of each given class (position in the directory)."""
        first = np.array(self.first)
        start = first[group]
        return start + draws.below(random_bits, np.maximum(first[group + 1] - start, 1))


def _mobile_numbers(
    seed: int, ndcs: "tuple[str, ...] | list[str]", config: WorldConfig, wanted: int
) -> pl.Series:
    """Return numbers of another operator, as many as wanted or as its ranges hold."""
    capacity = len(ndcs) * 10**6
    chosen = Permutation(capacity, seed, f"directory/{ndcs[0]}")(np.arange(min(wanted, capacity)))
    return _formatted(
        pl.Series([f"+{config.numbering.country_code}{ndc}" for ndc in ndcs]), chosen, 6
    )


def _fixed_numbers(config: WorldConfig, wanted: int) -> pl.Series:
    """Return fixed lines: zone code and a subscriber number that begins with 0."""
    lines = min(wanted, len(_ZONES) * 10**5)
    chosen = Permutation(len(_ZONES) * 10**5, config.seed, "directory/fixed")(np.arange(lines))
    # 8 digits behind the country code: 1-digit zones have 7-digit numbers, 2-digit zones 6.
    prefixes = [f"+{config.numbering.country_code}{zone}0".ljust(6, "1") for zone in _ZONES]
    return _formatted(pl.Series(prefixes), chosen, 5)


def _numbers_abroad(config: WorldConfig) -> tuple[pl.Series, pl.Series]:
    """Return numbers abroad and the network of each."""
    numbers, networks = [], []
    for prefix, plmn, digits in _ABROAD:
        count = min(_ABROAD_NUMBERS_EACH, 10**digits)
        chosen = Permutation(10**digits, config.seed, f"directory/{prefix}")(np.arange(count))
        numbers.append(_formatted(pl.Series([prefix]), chosen, digits))
        networks.append(pl.Series([plmn]).new_from_index(0, count))
    return pl.concat(numbers), pl.concat(networks)


def _formatted(prefixes: pl.Series, numbers: Rows, digits: int) -> pl.Series:
    """Return prefix and digits: `numbers` is prefix row * 10**digits + subscriber number."""
    row, rest = np.divmod(numbers, 10**digits)
    frame = pl.DataFrame({"prefix": prefixes.gather(row), "rest": rest})
    digits_text = pl.col("rest").cast(pl.String).str.zfill(digits)
    return frame.select(number=pl.col("prefix") + digits_text).to_series()


class Contacts:
    """Choice of the other party of calls and messages."""

    def __init__(self, config: WorldConfig, population: Population, directory: Directory) -> None:
        """Prepare the books; nothing is drawn yet."""
        self._population = population
        self._directory = directory
        self._own_share = config.own_operator.share
        self._books = draws.stream(config.seed, "contacts/book")
        self._machine = population.kind == MACHINE
        calls = np.array([persona.calls for persona in config.personas.values()])
        self._mass_caller = calls > _MASS_CALLER

    def outgoing(self, entity: Rows, event: Bits, *, messages: bool = False) -> Rows:
        """Return the party (position in the directory) that each event goes to."""
        slot = _SLOT.sample(draws.bits(event, "contact/slot")).astype(np.int64)
        book = draws.keys(self._books, entity)
        contact = draws.events(book, slot)
        no_book = self._mass_caller[self._population.persona[entity]]
        contact = np.where(no_book, draws.bits(event, "contact/anybody"), contact)
        group = (_MESSAGE_CLASS if messages else _CALL_CLASS).sample(draws.bits(contact, "class"))
        party = self._directory.party(group, draws.bits(contact, "party"))
        # Whom a mobile contact belongs to follows the market shares.
        ours = (group == 0) & draws.chance(draws.bits(contact, "network"), self._own_share)
        rows = np.flatnonzero(ours)
        if rows.size:
            party[rows] = self._nearby(entity[rows], contact[rows], party[rows])
        if messages:
            party = self._with(party, _SHORT_CODE, event, _CODE_MESSAGES)
        else:
            party = self._with(party, _SERVICE, event, _SERVICE_CALLS)
        return self._of_machines(entity, party)

    def incoming(self, entity: Rows, event: Bits, *, messages: bool = False) -> Rows:
        """Return the party of another network that each incoming event comes from."""
        slot = _SLOT.sample(draws.bits(event, "contact/slot")).astype(np.int64)
        # Slots above the book: the same people whom the subscriber calls, or others.
        contact = draws.events(draws.keys(self._books, entity), slot)
        group = (_MESSAGE_CLASS if messages else _CALL_CLASS).sample(draws.bits(contact, "class"))
        party = self._directory.party(group, draws.bits(contact, "party"))
        if messages:
            party = self._with(party, _SHORT_CODE, event, _CODE_MESSAGES_IN)
        return self._of_machines(entity, party)

    def _with(self, party: Rows, group: int, event: Bits, share: float) -> Rows:
        """Return the parties, of some events one of a class of services (in place)."""
        service = draws.bits(event, "contact/service")
        rows = np.flatnonzero(draws.chance(service, share))
        which = draws.bits(service[rows], "which")
        party[rows] = self._directory.party(np.full(len(rows), group, dtype=np.uint8), which)
        return party

    def _of_machines(self, entity: Rows, party: Rows) -> Rows:
        """Return the parties, of machines always their platform."""
        return np.where(self._machine[entity], self._directory.first[-1], party)

    def _nearby(self, entity: Rows, contact: Bits, otherwise: Rows) -> Rows:
        """Return an own subscriber who lives near; `otherwise` where that would be oneself."""
        neighbours = self._population.neighbours
        if len(neighbours) < 2:
            return otherwise
        distance = 1 + _RANK_DISTANCE.sample(draws.bits(contact, "distance")).astype(np.int64)
        sign = np.where(draws.chance(draws.bits(contact, "side"), 0.5), 1, -1)
        place = self._population.position[entity] + sign * distance
        chosen = neighbours[place % len(neighbours)]
        return np.where(chosen == entity, otherwise, chosen)
