"""When identities change: swapped SIMs, new phones, changed numbers and numbers brought along.

Belongs here: who changes what, and at which moment. Does not belong here: what the new identity
is (`identities`), who comes and who leaves (`state.customers`), records.

One hash for each (subscriber, calendar year, kind) says whether the change happens in that year
and when. So the changes of any horizon are found without walking its days, and a later horizon
only adds years behind.
"""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import BUSINESS, MACHINE, PERSON, Population
from telco_pipeline.contracts.codes import IdentityChange
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, DayClock, day_start
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import Choice
from telco_pipeline.settings import Persona, WorldConfig

Rows = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

KINDS: Final = tuple(IdentityChange)
"""Kinds of change; their positions are their codes, which no world may lose: ids contain them."""

SIM_SWAP: Final = KINDS.index(IdentityChange.SIM_SWAP)
DEVICE_UPGRADE: Final = KINDS.index(IdentityChange.DEVICE_UPGRADE)
NUMBER_CHANGE: Final = KINDS.index(IdentityChange.NUMBER_CHANGE)
PORT_IN: Final = KINDS.index(IdentityChange.PORT_IN)
PORT_OUT: Final = KINDS.index(IdentityChange.PORT_OUT)
"""Who ports a number out is decided elsewhere (`state.lifecycle`), by the same calendar."""

# Share of the holders of a phone to whom it happens in a year. Operators' practice: cards are
# lost, damaged or become an eSIM for 2 to 3 % a year; a phone is kept for 3.3 years (Belgium,
# Imec digimeter: 3 to 4), those who love technology keep theirs for less. Modules stay in
# the field for a decade; our own estimate for those that fail.
_SWAPS: Final = 0.025
_UPGRADES: Final = 0.30
_MODULES_REPLACED: Final = 0.005
_NUMBER_CHANGES: Final = 0.008
_PORTS_IN: Final = 0.025

# Share of the changes that are made online, in the evening; the rest is made in a shop.
_ONLINE: Final = (0.30, 0.35, 0.50, 0.30, 0.30)
# How much a weekday weighs, Monday to Sunday; shops are closed on Sundays and public holidays.
_SHOP_DAYS: Final = (10, 9, 10, 10, 11, 17, 0)
_ONLINE_DAYS: Final = (11, 10, 10, 10, 9, 8, 11)
_FIRST_HOUR: Final = 9
# Local hours from 9 on. Nothing happens in the hours in which clocks change.
_SHOP_HOURS: Final = (2, 6, 8, 7, 7, 8, 9, 10, 10, 3)
_ONLINE_HOURS: Final = (0, 0, 0, 0, 0, 0, 0, 0, 2, 5, 10, 14, 14, 8, 3)
_HOURS: Final = Choice.of(
    [
        [float(weight) for weight in (*_SHOP_HOURS, *[0] * 5)],
        [float(weight) for weight in _ONLINE_HOURS],
    ]
)
# Two changes of one subscription never share a microsecond: its last three bits are the kind.
KIND_STEP: Final = 8
"""Microseconds of which each change has one of its own, by its kind."""


@dataclass(frozen=True)
class Changes:
    """Changes in order of time; one array element per change.

    Attributes:
        entity: Whose identity changes.
        time: When, in microseconds since 1970-01-01 UTC.
        kind: Position in `KINDS`.
        key: Hash from which its attributes are drawn; the same for both SIMs of one phone.
    """

    entity: Rows
    time: Rows
    kind: Codes
    key: Bits

    def __len__(self) -> int:
        """Return the number of changes."""
        return len(self.entity)

    def select(self, chosen: npt.NDArray) -> "Changes":
        """Return some of the changes (mask or row numbers)."""
        return Changes(self.entity[chosen], self.time[chosen], self.kind[chosen], self.key[chosen])


def draw_changes(config: WorldConfig, population: Population, last: int) -> Changes:
    """Return the changes that are meant to happen, from the epoch to the end of a calendar year.

    Whether there is a number or a serial left for each is another matter (`identities`), and
    whether the subscription is in service then (`state.customers`) too.

    Args:
        config: The world.
        population: The subscribers.
        last: Last calendar year (local time).
    """
    chances = _chances(config, population)
    second = np.flatnonzero(population.leader != np.arange(population.size))
    found = [_none()]
    for year in range(config.epoch.year, last + 1):
        calendar = _calendar_of(config, year)
        for kind, chance in enumerate(chances):
            drawn = _draw(config, calendar, kind, year, chance)
            if kind == DEVICE_UPGRADE:
                drawn = _of_both_sims(drawn, population, second)
            found.append(drawn)
    return _of_customers(config, _in_order(found))


def _of_customers(config: WorldConfig, changes: Changes) -> Changes:
    """Leave out what would change of prospects before the day on which they join."""
    prospects = changes.entity >= config.subscribers
    if not prospects.any():
        return changes
    return changes.select(~prospects | (changes.time >= joins(config, changes.entity)))


def joins(config: WorldConfig, entity: Rows) -> Rows:
    """Return the moment from which on each identity may change: the end of the day of joining.

    Microseconds since 1970; of who is a customer on the epoch, the epoch.
    """
    first = np.full(len(entity), day_start(config.epoch))
    rows = np.flatnonzero(entity >= config.subscribers)
    if rows.size:
        days = config.days_until_joining(entity[rows] - config.subscribers)
        first[rows] += (days + 1) * DAY
    return first


def _none() -> Changes:
    nothing = np.zeros(0, dtype=np.int64)
    return Changes(nothing, nothing, nothing.astype(np.int8), nothing.astype(np.uint64))


def _in_order(batches: list[Changes]) -> Changes:
    """Put changes into the order of time; those of one moment by entity."""
    joined = Changes(
        np.concatenate([batch.entity for batch in batches]),
        np.concatenate([batch.time for batch in batches]),
        np.concatenate([batch.kind for batch in batches]),
        np.concatenate([batch.key for batch in batches]),
    )
    return joined.select(np.lexsort((joined.entity, joined.time)))


def _chances(config: WorldConfig, population: Population) -> list[Floats]:
    """Return the chance of each kind of change within a year, per entity."""
    people = (population.kind == PERSON) | (population.kind == BUSINESS)
    tech = np.array([persona.tech for persona in config.personas.values()])
    # Mean over people 1: their tech is 0.6 on average.
    phones = _UPGRADES * (0.4 + tech[population.persona]) * people
    phones[population.kind == MACHINE] = _MODULES_REPLACED
    alone = len(config.operators) < 2
    return [
        np.where(people, _SWAPS, 0.0),
        phones,
        np.where(people, _NUMBER_CHANGES, 0.0),
        np.where(people & (not alone), _PORTS_IN, 0.0),
    ]


def yearly_rates(persona: Persona) -> tuple[float, ...]:
    """Return how many changes of each kind somebody of a persona makes in a year, if he stays."""
    if persona.kind == "machine":
        return (0.0, _MODULES_REPLACED, 0.0, 0.0, 0.0)
    if persona.kind == "visitor":
        return (0.0,) * len(_ONLINE)
    return (_SWAPS, _UPGRADES * (0.4 + persona.tech), _NUMBER_CHANGES, _PORTS_IN, 0.0)


def share_of_year(config: WorldConfig, date: dt.date) -> tuple[float, ...]:
    """Return the part of a year's changes of each kind that is made on a local date."""
    calendar = _calendar_of(config, date.year)
    place = (date - dt.date(date.year, 1, 1)).days
    shop, online = (
        float(np.diff(cumulated, prepend=0)[place] / cumulated[-1])
        for cumulated in (calendar.shop, calendar.online)
    )
    return tuple(part * online + (1 - part) * shop for part in _ONLINE)


@lru_cache(maxsize=4)
def _calendar_of(config: WorldConfig, year: int) -> "_Calendar":
    return _Calendar.of(config, year)


@dataclass(frozen=True)
class _Calendar:
    """The days of one year of local time.

    Attributes:
        midnight: When each local day begins, in microseconds since 1970 UTC, read back from noon.
        shop: Cumulated weight of each day in shops.
        online: The same online.
        first: Start of the world in microseconds since 1970 UTC.
    """

    midnight: Rows
    shop: Rows
    online: Rows
    first: int

    @classmethod
    def of(cls, config: WorldConfig, year: int) -> "_Calendar":
        """Build the calendar of a year."""
        start = dt.date(year, 1, 1)
        dates = [
            start + dt.timedelta(days=offset)
            for offset in range((dt.date(year + 1, 1, 1) - start).days)
        ]
        shop, online, midnight = [], [], []
        for date in dates:
            noon = dt.datetime(date.year, date.month, date.day, 12, tzinfo=config.country_tz)
            offset = noon.utcoffset() or dt.timedelta()
            midnight.append(day_start(date) - int(offset.total_seconds()) * SECOND)
            closed = DayClock(date, config.time_zone, config.country).holiday() is not None
            shop.append(0 if closed else _SHOP_DAYS[date.weekday()])
            online.append(_ONLINE_DAYS[date.weekday()])
        return cls(np.array(midnight), np.cumsum(shop), np.cumsum(online), day_start(config.epoch))

    def day(self, random_bits: Bits, online: Flags) -> Rows:
        """Return a day (from 0) per change."""
        shop = _weighted(random_bits, self.shop)
        return np.where(online, _weighted(random_bits, self.online), shop)


def _weighted(random_bits: Bits, cumulated: Rows) -> Rows:
    """Return positions by weight, from cumulated whole weights."""
    drawn = draws.below(random_bits, int(cumulated[-1]))
    return np.searchsorted(cumulated, drawn, side="right").astype(np.int64)


def _draw(
    config: WorldConfig, calendar: _Calendar, kind: int, year: int, chance: Floats
) -> Changes:
    """Return the changes of one kind in one year, of all entities and in their order."""
    able = np.flatnonzero(chance)
    stream = draws.stream(config.seed, f"identity/{KINDS[kind]}", year)
    keys = draws.keys(stream, able)
    hit = draws.chance(draws.bits(keys, "happens"), chance[able])
    entity, key = able[hit], keys[hit]
    online = draws.chance(draws.bits(key, "online"), _ONLINE[kind])
    day = calendar.day(draws.bits(key, "day"), online)
    hour = _HOURS.sample(draws.bits(key, "hour"), online.astype(np.int64)).astype(np.int64)
    second = draws.below(draws.bits(key, "second"), HOUR // SECOND)
    micro = draws.below(draws.bits(key, "microsecond"), SECOND)
    of_day = (_FIRST_HOUR + hour) * HOUR + second * SECOND + micro
    time = calendar.midnight[day] + np.minimum(of_day, DAY - 1)
    time = time - time % KIND_STEP + kind
    drawn = Changes(entity, time, np.full(len(entity), kind, dtype=np.int8), key)
    return drawn.select(time >= calendar.first)


def _of_both_sims(upgrades: Changes, population: Population, second: Rows) -> Changes:
    """Return the upgrades of first SIMs, and with them those of the second SIMs beside them.

    A phone is its leader's: what was drawn for second SIMs does not count.
    """
    first = upgrades.select(population.leader[upgrades.entity] == upgrades.entity)
    if not second.size:
        return first
    drawn = np.full(population.size, -1)
    drawn[first.entity] = np.arange(len(first))
    source = drawn[population.leader[second]]
    beside, source = second[source >= 0], source[source >= 0]
    return Changes(
        np.concatenate([first.entity, beside]),
        np.concatenate([first.time, first.time[source]]),
        np.concatenate([first.kind, first.kind[source]]),
        np.concatenate([first.key, first.key[source]]),
    )
