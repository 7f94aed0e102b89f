"""Whom: the numbers that subscribers call and write to, and that call them.

Belongs here: the choice of the other party. Does not belong here: when (`rhythm`), records.

Everybody calls the people of their `Ties` among our own subscribers, and a book of outside
contacts, chosen once for the seed: customers of other networks, fixed lines, people abroad. Both
have weights of one scale, so whoever has strong ties on the network calls more on the network.
Call centres know nobody: each of their calls goes to somebody else. Visitors call home.

Scenario layers lead a part of what somebody starts elsewhere (the effect `destinations`): each call
or message of it goes to a number of its own. Numbers that only layers know stand behind all others
of the directory, in the order in which they were first asked for; nothing that is drawn or written
depends on that order (`Directory.constant`, `Directory.place`).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import (
    BUSINESS,
    MACHINE,
    VISITOR,
    Population,
    categories_of,
    enumerated,
)
from telco_pipeline.behaviour.ports import operator_after_port_out
from telco_pipeline.behaviour.ranges import NETWORKS, network_of, numbers_of, sales_line
from telco_pipeline.behaviour.ties import Ties
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.engine.numerals import E164, Numerals
from telco_pipeline.engine.tables import STANDARD_NORMAL, Choice, QuantileFamily
from telco_pipeline.lake import CodedText
from telco_pipeline.scenarios.effects import Destinations
from telco_pipeline.scenarios.story import Touch
from telco_pipeline.scenarios.timeline import Incident
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world import numbering
from telco_pipeline.world.cards import reserved_positions
from telco_pipeline.world.ties import MASS_CALLER, MAX_WEIGHT, WEIGHT_UNIT, sociability

Rows = npt.NDArray[np.int64]


def _log_normal(median: float, sigma: float, probability: float) -> float:
    """Return a quantile of a log-normal."""
    return median * math.exp(sigma * STANDARD_NORMAL.inv_cdf(probability))


# Slots by which a choice among all ties and contacts is one look-up; one of them is 3 % of the
# events, and so are the weaker ties together that share one.
_SLOTS: Final = 32
_SLOT_SHIFT: Final = np.uint64(64 - 5)
_BLOCK: Final = 4096
# Share of the events that go to any of all ties, however weak; messages keep to the closest.
_ANYONE: Final = 0.42
_ANYONE_MESSAGES: Final = 0.03

# Outside contacts. The number follows sociability, as that of ties does; weights are on the scale
# of the ties (`world.ties`): a partner or parent, another relative, friends and further people,
# and whom a firm deals with.
_BOOK_SIZE: Final = 36
_SMALLEST_BOOK: Final = 5
_FRIENDS: Final = 2  # first row of the weights that is no relative
_CONTACTS: Final = 24.0
_ELSEWHERE: Final = 1.5  # contacts elsewhere for one on the network, at a market share of 0.40
_WEIGHT: Final = QuantileFamily.of(
    [
        partial(_log_normal, median, sigma)
        for median, sigma in ((85.0, 2.2), (12.0, 2.0), (0.5, 1.7), (0.12, 1.2))
    ]
)

# Classes of other parties beside mobile customers, in the order of the directory. Contacts are
# mobile, fixed and abroad; a service is called or written to now and then.
_FIXED: Final = 1
_SERVICE: Final = 3
_SHORT_CODE: Final = 4
# Share of the calls that go to mobile customers of any network of the country; four fifths of the
# others go to fixed lines, the rest abroad (practice; BIPT counts minutes only).
_MOBILE_CALLS: Final = 0.835
_FIXED_OF_REST: Final = 0.8
# Share of the calls that go to a service, and of the messages to and from a short code (codes
# and notices of banks, shops and carriers). Services do not call.
_SERVICE_CALLS: Final = 0.025
_CODE_MESSAGES: Final = 0.03
_CODE_MESSAGES_IN: Final = 0.25

# Share of other networks' customers who brought their number from another network; the number's
# range then is that network's (BIPT: a fifth of the customers change in a year, most keep the
# number; many come back).
_PORTED: Final = 0.20
# Part of another network's range that the numbers of its own customers here may fill; with those
# that were ported away from it `numbering.DIRECTORY_FILL`, and the rest was ported to us.
_OWN_FILL: Final = 0.60
# Part of our free numbers that have been ported out; the others wait for new customers.
_OUT_FILL: Final = 0.25

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


# How often somebody else is looked for, where who is drawn is no customer at the time.
_TRIES: Final = 4


@dataclass
class Listed:
    """Numbers that only layers know.

    Attributes:
        numbers: In the order in which they were asked for.
        network: Position in the directory's networks of each, -1 for none.
        order: Positions by rising number.
        rank: Place of each among them by rising number.
    """

    numbers: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    network: npt.NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, dtype=np.int16))
    order: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    rank: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def positions(self, numbers: Rows, network: npt.NDArray[np.int16]) -> Rows:
        """Return the position of each number; one that is not yet listed is added."""
        wanted, first = np.unique(numbers, return_index=True)
        new = np.flatnonzero(~np.isin(wanted, self.numbers, assume_unique=True))
        if new.size:
            self.numbers = np.concatenate([self.numbers, wanted[new]])
            self.network = np.concatenate([self.network, network[first[new]]])
            self.order = np.argsort(self.numbers, kind="stable")
            self.rank = np.argsort(self.order, kind="stable")
        return self.order[np.searchsorted(self.numbers[self.order], numbers)]


@dataclass(frozen=True)
class Directory:
    """Numbers that anybody can call: our subscribers first, then all other parties.

    Attributes:
        number: Number of each party; the first `own` are ours by entity number.
        plmn: Network that serves it, an enumeration; null for fixed lines and services.
        own: Number of our own subscribers.
        first: First party of each class (mobile, fixed, abroad, service, short code), and the
            end of the last one, where the platform lies that machines write to.
        listed: Numbers behind all of these, which only layers know.
    """

    number: Numerals
    plmn: pl.Series
    own: int
    first: tuple[int, ...]
    listed: Listed = field(default_factory=Listed)

    @classmethod
    def of(cls, config: WorldConfig, population: Population, plmn: pl.Series) -> "Directory":
        """Build the directory; `plmn` is the home network of each of our subscribers."""
        numbers: list[pl.Series] = []
        networks = [plmn.cast(pl.String)]
        outside, outside_plmn = _mobile_parties(config, population.size)
        numbers.append(outside)
        networks.append(outside_plmn)
        ends = [population.size + len(outside)]
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
            number=Numerals.joined([population.msisdn, Numerals.of(pl.concat(numbers), E164)]),
            plmn=enumerated(pl.concat(networks)).rechunk().rename("plmn"),
            own=population.size,
            first=(population.size, *ends[:-1]),
        )

    @property
    def voicemail(self) -> int:
        """The party that takes calls in a callee's stead: the second of the services."""
        return self.first[_SERVICE] + 1

    @property
    def care(self) -> int:
        """Customer care: the first of the services. Only who has a reason calls it."""
        return self.first[_SERVICE]

    def network_of(self, party: Rows) -> CodedText:
        """Return the network that serves each party; null for fixed lines and services."""
        networks, codes = self._networks
        if len(self.listed.numbers):
            found = codes[np.minimum(party, len(codes) - 1)]
            rows = np.flatnonzero(self.is_listed(party))
            found[rows] = self.listed.network[party[rows] - len(codes)]
        else:
            found = codes[party]
        return CodedText.of(networks, found, found < 0)

    @cached_property
    def _networks(self) -> tuple[pl.Series, npt.NDArray[np.int16]]:
        """The different networks, and the position of each party's; -1 where there is none.

        Behind those of the parties come the networks of numbers that layers may list.
        """
        codes = self.plmn.to_physical().cast(pl.Int16).fill_null(-1).to_numpy()
        known = categories_of(self.plmn)
        return pl.concat([known, pl.Series([n for n in NETWORKS if n not in set(known)])]), codes

    def is_service(self, party: Rows) -> npt.NDArray[np.bool_]:
        """Return which parties are services, short codes or the platform of machines."""
        service = party >= self.first[_SERVICE]
        return service & ~self.is_listed(party) if len(self.listed.numbers) else service

    def is_listed(self, party: Rows) -> npt.NDArray[np.bool_]:
        """Return which parties are numbers that only layers know."""
        return party >= len(self.number)

    def constant(self, party: Rows) -> Rows:
        """Return what stands for each party in draws, whatever else is listed."""
        if not len(self.listed.numbers):
            return party
        found, rows = party.astype(np.int64), np.flatnonzero(self.is_listed(party))
        found[rows] = self.listed.numbers[party[rows] - len(self.number)]
        return found

    def place(self, party: npt.NDArray[np.integer]) -> Rows:
        """Return the place of each party in `every`: there, listed numbers rise."""
        found = party.astype(np.int64)
        if len(self.listed.numbers):
            rows = np.flatnonzero(self.is_listed(found))
            found[rows] = len(self.number) + self.listed.rank[found[rows] - len(self.number)]
        return found

    @property
    def every(self) -> Numerals:
        """The numbers of all parties, and then the listed ones by rising number."""
        if not len(self.listed.numbers):
            return self.number
        behind = Numerals(self.listed.numbers[self.listed.order], E164)
        return Numerals.joined([self.number, behind])

    def __len__(self) -> int:
        """Return the number of parties, listed ones included."""
        return len(self.number) + len(self.listed.numbers)

    def of_ranges(
        self, config: WorldConfig, incident: Incident, beginnings: Sequence[str], place: Rows
    ) -> Rows:
        """Return the parties of an incident's numbers (arguments: `ranges.numbers_of`)."""
        numbers, which = numbers_of(config, incident, beginnings, place)
        served = np.array([self._code(network_of(config, one)) for one in beginnings])
        return len(self.number) + self.listed.positions(numbers, served.astype(np.int16)[which])

    def sales_line(self, config: WorldConfig, operator: int) -> int:
        """Return the party that is the sales line of another operator."""
        if operator not in self._sales_lines:
            number = sales_line(config, operator, self.number.numbers)
            network = np.array([self._code(config.operators[operator].plmn)], dtype=np.int16)
            found = self.listed.positions(np.array([number]), network)
            self._sales_lines[operator] = len(self.number) + int(found[0])
        return self._sales_lines[operator]

    @cached_property
    def _sales_lines(self) -> dict[int, int]:
        return {}

    def _code(self, network: str | None) -> int:
        """Return the position of a network among all; -1 for none."""
        return -1 if network is None else self._codes.get(network, -1)

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {network: code for code, network in enumerate(self._networks[0])}

    def party(self, group: npt.NDArray[np.uint8], random_bits: Bits) -> Rows:
        """Return a party of each given class (position in the directory), never customer care."""
        first = np.array(self.first)
        start = first[group] + (group == _SERVICE)
        return start + draws.below(random_bits, np.maximum(first[group + 1] - start, 1))


def _mobile_parties(config: WorldConfig, size: int) -> tuple[pl.Series, pl.Series]:
    """Return numbers and networks of the customers of other operators.

    As many as the market says for `size` subscribers of ours, as far as the ranges reach. Each is
    a customer of one network, and has a number of that network's range or of the one that the
    number was ported from; ours are taken from the end of our permuted range that nobody holds.
    """
    own, others = config.own_operator, [each for each in config.operators if not each.own]
    sizes = [numbering.directory_size(size, own.share, each.share) for each in others]
    capacity = [numbering.msisdn_capacity(each.ndcs) for each in others]
    counts = [
        min(wanted, int(most * _OWN_FILL)) for wanted, most in zip(sizes, capacity, strict=True)
    ]
    # What lies behind belongs to numbers that were ported to us (`world.cards`, `identities`).
    room = [
        min(wanted, int(most * numbering.DIRECTORY_FILL))
        for wanted, most in zip(sizes, capacity, strict=True)
    ]
    reserved = reserved_positions(config)
    free = numbering.msisdn_capacity(own.ndcs, reserved) - size
    room.append(int(max(free, 0) * _OUT_FILL))
    network = np.repeat(np.arange(len(others)), counts)
    source = _sources(config, network, room)

    number = np.empty(len(network), dtype=np.int64)
    for origin, each in enumerate(others):
        members = np.flatnonzero(source == origin)
        serial = numbering.other_range(config.seed, each.ndcs)(np.arange(len(members)))
        number[members] = numbering.msisdn(config.numbering.country_code, each.ndcs, (), serial)
    members = np.flatnonzero(source == len(others))
    number[members] = _ported_out(config, np.arange(len(members)))
    plmns = pl.Series([each.plmn for each in others], dtype=pl.String)
    return numbering.international(number), plmns.gather(network)


def _sources(config: WorldConfig, network: Rows, room: list[int]) -> Rows:
    """Return of which operator's range the number of each customer of another operator is.

    Args:
        config: The world.
        network: Network of each customer: position among the other operators.
        room: How many numbers each range has for them; ours is the last.
    """
    operators = [each for each in config.operators if not each.own] + [config.own_operator]
    bits = draws.keys(draws.stream(config.seed, "directory/ported"), np.arange(len(network)))
    source = network.copy()
    for number in range(len(operators) - 1):
        # Where somebody comes from follows the shares of the others.
        shares = [0.0 if n == number else each.share for n, each in enumerate(operators)]
        if max(shares) > 0:
            moved = np.flatnonzero((network == number) & draws.chance(bits, _PORTED))
            source[moved] = Choice.of(shares).sample(draws.bits(bits[moved], "source"))
    # Beyond what a range can give, people keep numbers of their own network; that may fill the
    # next range, so until all fit.
    over = True
    while over:
        over = False
        for origin, most in enumerate(room):
            moved = np.flatnonzero((source == origin) & (network != origin))
            excess = min(int((source == origin).sum()) - most, len(moved))
            if excess > 0:
                source[moved[-excess:]] = network[moved[-excess:]]
                over = True
    return source


def _ported_out(config: WorldConfig, serial: Rows) -> Rows:
    """Return numbers of our ranges that nobody of ours holds: the last of the permuted range."""
    own, reserved = config.own_operator, reserved_positions(config)
    capacity = numbering.msisdn_capacity(own.ndcs, reserved)
    chosen = Permutation(capacity, config.seed, "msisdn")(capacity - 1 - serial)
    return numbering.msisdn(config.numbering.country_code, own.ndcs, reserved, chosen)


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
    """Choice of the other party of calls and messages.

    Everybody has 32 slots, filled with parties in proportion to the weights of ties and outside
    contacts; in a row, our own parties come first, then other networks' mobile and foreign ones,
    then fixed lines, each part by falling weight. Rows are filled in blocks when first asked for.
    """

    def __init__(
        self, config: WorldConfig, population: Population, directory: Directory, ties: Ties
    ) -> None:
        """Prepare the books; nothing is drawn yet."""
        self._config = config
        self._population = population
        self._directory = directory
        self._ties = ties
        self._book = _Book(config, population, directory)
        self._own_share = config.own_operator.share
        calls = np.array([persona.calls for persona in config.personas.values()])
        self._calls_anybody = (calls > MASS_CALLER)[population.persona]
        self._any_mass_caller = bool(self._calls_anybody.any())
        self._machine = population.kind == MACHINE
        self._reachable = np.flatnonzero(population.kind < VISITOR).astype(np.int32)
        self._spread = draws.stream(config.seed, "contacts/slots")
        # Pages of the table are touched only when their block is filled.
        self._slots = np.empty((population.size, _SLOTS), dtype=np.int32)
        self._own_slots = np.zeros(population.size, dtype=np.int8)
        self._mobile_slots = np.zeros(population.size, dtype=np.int8)
        self._filled = np.zeros(-(-population.size // _BLOCK), dtype=np.bool_)

    def calls_anybody(self, entity: Rows) -> npt.NDArray[np.bool_]:
        """Return which subscribers are call centres: many agents behind one number."""
        return self._calls_anybody[entity]

    def outgoing(self, entity: Rows, event: Bits, *, messages: bool = False) -> Rows:
        """Return the party (position in the directory) that each event goes to.

        Args:
            entity: Who starts the event; not one of the parties is the same holder.
            event: Hash of each event.
            messages: Whether the events are messages: nobody writes to fixed lines, and messages
                go to the closest even more than calls.
        """
        self._fill(entity)
        chosen = draws.bits(event, "contact/slot")
        if messages:
            slots = self._mobile_slots[entity].astype(np.int64)
            slot = self._closest(chosen, entity, np.zeros(len(entity), np.int64), slots)
        else:
            slot = (chosen >> _SLOT_SHIFT).astype(np.int64)
        party = self._slots[entity, slot].astype(np.int64)
        weak = draws.bits(event, "contact/anyone")
        seldom = draws.chance(weak, _ANYONE_MESSAGES if messages else _ANYONE)
        if messages:
            seldom |= self._mobile_slots[entity] == 0
        rows = np.flatnonzero(seldom)
        if rows.size:
            party[rows] = self._anyone(entity[rows], draws.bits(weak[rows], "who"), messages)
        if self._any_mass_caller:
            rows = np.flatnonzero(self._calls_anybody[entity])
            if rows.size:
                party[rows] = self._stranger(entity[rows], event[rows], messages)
        if messages:
            party = self._with(party, _SHORT_CODE, event, _CODE_MESSAGES)
        else:
            party = self._with(party, _SERVICE, event, _SERVICE_CALLS)
        return self._of_machines(entity, party)

    def incoming(self, entity: Rows, event: Bits, *, messages: bool = False) -> Rows:
        """Return the party of another network that each incoming event comes from.

        They are the same outside contacts whom the subscriber calls, as often in proportion.
        """
        self._fill(entity)
        chosen = draws.bits(event, "contact/slot")
        first = self._own_slots[entity].astype(np.int64)
        end = self._mobile_slots[entity].astype(np.int64) if messages else np.int64(_SLOTS)
        count = end - first
        if messages:
            slot = self._closest(chosen, entity, first, count)
        else:
            slot = first + draws.below(chosen, np.maximum(count, 1))
        party = self._slots[entity, np.minimum(slot, _SLOTS - 1)].astype(np.int64)
        weak = draws.bits(event, "contact/anyone")
        seldom = draws.chance(weak, _ANYONE_MESSAGES if messages else _ANYONE)
        rows = np.flatnonzero(seldom | (count <= 0) | self._calls_anybody[entity])
        if rows.size:
            who = entity[rows]
            bits = draws.bits(weak[rows], "who")
            number = draws.below(bits, self._book.size(who))
            party[rows] = self._book.party(who, number, messages=messages)
        if messages:
            party = self._with(party, _SHORT_CODE, event, _CODE_MESSAGES_IN)
        return self._of_machines(entity, party)

    def elsewhere(
        self,
        touch: Touch,
        entity: Rows,
        event: Bits,
        is_customer: Callable[[Rows, Rows], npt.NDArray[np.bool_]],
    ) -> Rows:
        """Return the party to which a layer leads each event.

        Args:
            touch: The effect `destinations`.
            entity: Who starts the event: targets.
            event: Hash of each event.
            is_customer: Returns which subscribers of ours (first argument) are so at the time of
                some events (their rows).
        """
        effect = touch.effect
        assert isinstance(effect, Destinations)
        directory, config = self._directory, self._config
        if effect.to == "anyone":
            return self._any_number(entity, draws.bits(event, "elsewhere"), is_customer)
        if effect.to == "ranges":
            assert effect.ranges is not None
            place = draws.below(draws.bits(event, "elsewhere"), effect.numbers)
            return directory.of_ranges(config, touch.incident, effect.ranges, place)
        operator = operator_after_port_out(config, entity).astype(np.int64)
        lines = np.zeros(len(config.operators), dtype=np.int64)
        for one in np.unique(operator):
            lines[one] = directory.sales_line(config, int(one))
        return lines[operator]

    def _any_number(
        self,
        entity: Rows,
        random_bits: Bits,
        is_customer: Callable[[Rows, Rows], npt.NDArray[np.bool_]],
    ) -> Rows:
        """Return anybody of our subscribers and of other networks' customers of the country."""
        own, leader = len(self._reachable), self._population.leader
        first, end = self._directory.first[:2]
        rows, party = np.arange(len(entity)), np.zeros(len(entity), dtype=np.int64)
        for number in range(_TRIES):
            bits = draws.bits(random_bits[rows], f"who/{number}")
            # At last one of another network, if there is any.
            least = own if number == _TRIES - 1 and end > first else 0
            at = least + draws.below(bits, max(own + end - first - least, 1))
            ours = np.flatnonzero(at < own)
            party[rows] = first + at - own
            party[rows[ours]] = self._reachable[at[ours]]
            wrong = ~is_customer(party[rows[ours]], rows[ours])
            wrong |= leader[party[rows[ours]]] == leader[entity[rows[ours]]]
            rows = rows[ours[wrong]]
            if not rows.size:
                break
        return party

    def _closest(self, random_bits: Bits, entity: Rows, first: Rows, count: Rows) -> Rows:
        """Return one of `count` slots from `first` on, the first slots of a part more often.

        Own and outside parties are two parts; which of them follows their number of slots.
        """
        place = draws.below(random_bits, np.maximum(count, 1)) + first
        own = self._own_slots[entity].astype(np.int64)
        start = np.where(place < own, first, np.maximum(own, first))
        length = np.where(place < own, own, first + count) - start
        again = draws.uniform(draws.bits(random_bits, "closest"))
        return start + (np.maximum(length, 0) * again * np.sqrt(again)).astype(np.int64)

    def _anyone(self, entity: Rows, random_bits: Bits, messages: bool) -> Rows:
        """Return any of all ties and contacts, however weak."""
        degree = self._ties.degree(entity)
        number = draws.below(random_bits, degree + self._book.size(entity))
        party = np.empty(len(entity), np.int64)
        own = number < degree
        rows = np.flatnonzero(own)
        party[rows] = self._ties.other[self._ties.start[entity[rows]] + number[rows]]
        rows = np.flatnonzero(~own)
        outside = number[rows] - degree[rows]
        party[rows] = self._book.party(entity[rows], outside, messages=messages)
        return party

    def _stranger(self, entity: Rows, event: Bits, messages: bool) -> Rows:
        """Return anybody: whom a call centre calls."""
        bits = draws.bits(event, "contact/anybody")
        party = self._book.anybody(bits, messages=messages)
        chosen = draws.chance(draws.bits(bits, "own"), self._own_share)
        rows = np.flatnonzero((party < self._directory.first[1]) & chosen)
        if rows.size and self._reachable.size:
            at = draws.below(draws.bits(bits[rows], "who"), len(self._reachable))
            other = self._reachable[at].astype(np.int64)
            leader = self._population.leader
            fine = leader[other] != leader[entity[rows]]
            party[rows[fine]] = other[fine]
        return party

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

    def _fill(self, entity: Rows) -> None:
        """Fill the slots of the blocks in which entities lie, if they are not yet."""
        if not entity.size:
            return
        first, last = int(entity.min()) // _BLOCK, int(entity.max()) // _BLOCK
        if self._filled[first : last + 1].all():
            return
        for block in np.unique(entity // _BLOCK):
            if not self._filled[block]:
                stop = min((int(block) + 1) * _BLOCK, self._population.size)
                self._fill_block(np.arange(int(block) * _BLOCK, stop))
                self._filled[block] = True

    def _fill_block(self, block: Rows) -> None:
        """Share the slots of some entities between their ties and contacts.

        Slots fall at equal steps of the cumulated weights, with a start of each entity's own, so
        that everybody's expected number of slots is in proportion to the weight.
        """
        entity = block[~self._machine[block]]
        if not entity.size:
            return
        bits = draws.keys(self._spread, entity)
        page = self._book.page(entity)
        own = self._ties.strength(entity)
        own_slots = _portion(draws.bits(bits, "own"), _SLOTS, own, own + page.mobile + page.fixed)
        outside = _SLOTS - own_slots
        fixed_slots = _portion(
            draws.bits(bits, "fixed"), outside, page.fixed, page.mobile + page.fixed
        )
        mobile_slots = outside - fixed_slots

        slot = np.arange(_SLOTS)[None, :]
        own_end = own_slots[:, None]
        mobile_end = _SLOTS - fixed_slots[:, None]
        is_own, is_fixed = slot < own_end, slot >= mobile_end
        number = slot - np.where(is_own, 0, np.where(is_fixed, mobile_end, own_end))
        count = np.where(
            is_own, own_end, np.where(is_fixed, fixed_slots[:, None], mobile_slots[:, None])
        )
        total = np.where(
            is_own, own[:, None], np.where(is_fixed, page.fixed[:, None], page.mobile[:, None])
        )
        start = draws.uniform(draws.bits(bits, "start"))[:, None]
        target = ((number + start) / count * total).astype(np.int64)
        np.minimum(target, total - 1, out=target)

        party = np.empty((len(entity), _SLOTS), np.int32)
        ties = self._ties
        rows = np.flatnonzero(is_own)
        which = rows // _SLOTS
        goal = ties.cumulated[ties.start[entity[which]]] + target.reshape(-1)[rows]
        low, high = int(ties.start[entity[0]]), int(ties.start[entity[-1] + 1])
        found = np.searchsorted(ties.cumulated[low : high + 1], goal, side="right") - 1 + low
        party.reshape(-1)[rows] = ties.other[found]
        rows = np.flatnonzero(~is_own)
        which = rows // _SLOTS
        goal = target.reshape(-1)[rows] + np.where(
            is_fixed.reshape(-1)[rows], page.mobile[which], 0
        )
        party.reshape(-1)[rows] = page.find(which, goal)
        self._slots[entity] = party
        self._own_slots[entity] = own_slots
        self._mobile_slots[entity] = _SLOTS - fixed_slots


def _portion(random_bits: Bits, slots: Rows | int, part: Rows, total: Rows) -> Rows:
    """Return how many of the slots belong to a part: on average just its share of the total."""
    exact = slots * (part / np.maximum(total, 1))
    count = (exact + draws.uniform(random_bits)).astype(np.int64)
    return np.minimum(count, slots)


@dataclass(frozen=True)
class _Page:
    """Outside contacts of some entities in a row, first mobile and foreign ones, then fixed lines.

    Attributes:
        mobile: Summed weight of the mobile and foreign contacts of each entity.
        fixed: Summed weight of the fixed lines.
        cumulated: Weight before each contact, over all entities (flat, `_BOOK_SIZE` each), and
            at the end that of all.
        party: Party of each contact (flat).
    """

    mobile: Rows
    fixed: Rows
    cumulated: Rows
    party: Rows

    def find(self, row: Rows, weight: Rows) -> Rows:
        """Return the party at some place of the cumulated weights of an entity's row."""
        goal = self.cumulated[row * _BOOK_SIZE] + weight
        return self.party[np.searchsorted(self.cumulated, goal, side="right") - 1]


class _Book:
    """The outside contacts of each subscriber, made by hash from entity and number.

    Contact 0 is the closest one (partner, parent), contact 1 another relative, the others are
    friends and further; each is a mobile customer of another network, a fixed line, or abroad.
    """

    def __init__(self, config: WorldConfig, population: Population, directory: Directory) -> None:
        """Prepare the book; nothing is drawn yet."""
        self._directory = directory
        self._seed = config.seed
        self._level = population.level
        self._business = population.kind == BUSINESS
        self._visitor = population.kind == VISITOR
        self._stream = draws.stream(config.seed, "contacts/book")
        share = config.own_operator.share
        # As many friends elsewhere for one of ours as the market says.
        self._elsewhere = (1.0 - share) / share / _ELSEWHERE
        mobile = _MOBILE_CALLS * (1.0 - share)
        rest = 1.0 - _MOBILE_CALLS
        fixed, abroad = _FIXED_OF_REST * rest, (1.0 - _FIXED_OF_REST) * rest
        # Rows: calls of residents, messages of residents, the same of visitors, who call home.
        self._class = Choice.of(
            [
                [mobile, fixed, abroad],
                [mobile, 0.0, abroad],
                [0.30, 0.20, 0.50],
                [0.30, 0.0, 0.70],
            ]
        )

    def size(self, entity: Rows) -> Rows:
        """Return the number of outside contacts of each entity."""
        wanted = _CONTACTS * self._elsewhere * sociability(self._seed, entity, self._level[entity])
        wanted = np.where(self._business[entity], 2.0 * wanted, wanted)
        return np.clip(np.rint(wanted), _SMALLEST_BOOK, _BOOK_SIZE).astype(np.int64)

    def party(self, entity: Rows, number: Rows, *, messages: bool = False) -> Rows:
        """Return the party of contacts; for messages one with a mobile number."""
        bits = draws.events(draws.keys(self._stream, entity), number)
        return self._of(bits, 2 * self._visitor[entity] + np.int64(messages))[0]

    def anybody(self, random_bits: Bits, *, messages: bool) -> Rows:
        """Return any party of the classes of residents."""
        return self._of(random_bits, np.full(len(random_bits), int(messages)))[0]

    def page(self, entity: Rows) -> _Page:
        """Return all contacts of some entities."""
        number = np.tile(np.arange(_BOOK_SIZE), len(entity))
        bits = draws.events(np.repeat(draws.keys(self._stream, entity), _BOOK_SIZE), number)
        party, group = self._of(bits, 2 * np.repeat(self._visitor[entity], _BOOK_SIZE))
        kin = np.repeat(~self._business[entity], _BOOK_SIZE)
        weight = self._weights(bits, np.where(kin, np.minimum(number, _FRIENDS), _FRIENDS + 1))
        weight[number >= np.repeat(self.size(entity), _BOOK_SIZE)] = 0
        fixed = group == _FIXED
        # Fixed lines behind the others, each part by falling weight; the number of the contact
        # makes every key another.
        key = fixed.astype(np.int64) << 48 | ((1 << 40) - 1 - weight) << 8 | number
        place = np.sort(key.reshape(-1, _BOOK_SIZE), axis=1) & 0xFF
        flat = (place + (np.arange(len(entity)) * _BOOK_SIZE)[:, None]).reshape(-1)
        mobile = np.where(fixed, 0, weight).reshape(-1, _BOOK_SIZE).sum(axis=1)
        every = weight.reshape(-1, _BOOK_SIZE).sum(axis=1)
        return _Page(
            mobile=mobile,
            fixed=every - mobile,
            cumulated=np.concatenate([[0], np.cumsum(weight[flat])]),
            party=party[flat],
        )

    def _weights(self, bits: Bits, row: Rows) -> Rows:
        """Return the weights of contacts in thousandths, on the scale of the ties."""
        drawn = _WEIGHT.sample(draws.bits(bits, "weight"), row)
        # The more people are with others, the more often the closest one is.
        drawn = np.where(row < _FRIENDS, drawn * (self._elsewhere * self._elsewhere), drawn)
        return np.clip(np.rint(drawn * WEIGHT_UNIT), 1.0, MAX_WEIGHT).astype(np.int64)

    def _of(self, bits: Bits, row: Rows) -> tuple[Rows, npt.NDArray[np.uint8]]:
        """Return party and class of contacts."""
        group = self._class.sample(draws.bits(bits, "class"), row)
        return self._directory.party(group, draws.bits(bits, "party")), group
