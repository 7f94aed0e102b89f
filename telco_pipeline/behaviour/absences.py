"""When phones are out of reach or away: nights switched off, trips abroad, visitors who have left.

Belongs here: the windows of such times, as functions of (seed, entity, day). Does not belong here:
where somebody in the country is (`plans`, `mobility`).

Nothing is kept: few phones are ever away, so their windows are worked out when they are asked for.
Both SIMs of a holder share them: the first SIM's entity number, the *leader*, is the key. Where
scenario layers send a SIM (`presence`), or keep it at a place, a trip of its holder's does not take
it along.
"""

import datetime as dt
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import BUSINESS, PERSON, VISITOR, Population
from telco_pipeline.behaviour.presence import COUNTRY, Placed
from telco_pipeline.behaviour.rhythm import chronotypes
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, DayClock, day_number
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.numbering import TRAVEL_COUNTRIES

Rows = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer]
Flags = npt.NDArray[np.bool_]

WEEK: Final = 7
"""A trip abroad lies within a week of days (`calendar.day_number` // 7: from Saturday)."""
_TRIP_LATEST_START: Final = 3  # days into the week: a trip never leaves its week
_WEEKS_PER_YEAR: Final = 52
# A flight or the border: an hour to three without service, at both ends of a trip.
_CROSSING_MINUTES: Final = (60, 180)

COUNTRIES: Final = TRAVEL_COUNTRIES
"""Countries that our customers visit: ISO code, network visited, weight."""
AT_HOME: Final = -1

# Share of people who switch the phone off at night (practice), from an hour late in the evening to
# one in the morning: two triangular spreads, in local seconds.
_NIGHT_OFF: Final = 0.12
_OFF: Final = 22 * 3600
FIRST_OFF: Final = _OFF * SECOND
"""Local time of the day before which no phone is switched off for the night, in microseconds."""
_OFF_SPREAD: Final = 3590
_ON: Final = 5 * 3600 + 1800
_ON_SPREAD: Final = 7200

# Visitors: one stay in each window of 28 days (of their own phase), of 2 to 12 nights, short ones
# more often (our assumption). They come and go by day, in UTC seconds of the day.
_WINDOW: Final = 28
_NIGHTS: Final = (2, 12)
_BY_DAY: Final = (7 * 3600, 21 * 3600)

# A trip that would begin or end so many seconds before or after a layer has plans for the SIM does
# not take place: nobody could be at both.
_APART: Final = 12 * 3600

_SECONDS: Final = DAY // SECOND
_NEVER: Final = -10 * DAY

# Bits of `Absences.flags`.
SLEEPS: Final = 1
TRAVELS: Final = 2
VISITS: Final = 4


@dataclass(frozen=True)
class Trips:
    """Trips abroad of a week, one array element per entity asked for.

    Times are seconds since the start of the UTC day asked for; all lie far before it for who does
    not travel.

    Attributes:
        goes: Who travels.
        leave, back: Leaves the country's network; is back in it.
        out, home: Is in reach abroad from the one to the other.
        country: Row in `COUNTRIES`.
    """

    goes: Flags
    leave: Rows
    out: Rows
    home: Rows
    back: Rows
    country: Rows

    def overlaps(self, start: int, stop: int) -> Flags:
        """Return whose trip touches a time span, in seconds."""
        return self.goes & (self.leave < stop) & (self.back > start)

    def instead(self, rows: npt.NDArray, other: "Trips") -> "Trips":
        """Return these trips, in some rows those of another."""
        found = [getattr(self, field.name).copy() for field in fields(self)]
        for column, field in zip(found, fields(self), strict=True):
            column[rows] = getattr(other, field.name)[rows]
        return Trips(*found)

    @classmethod
    def none(cls, size: int) -> "Trips":
        """Return that none of so many travels."""
        leave, out, home, back = (np.full(size, _NEVER // SECOND) for _ in range(4))
        goes, country = np.zeros(size, dtype=np.bool_), np.full(size, AT_HOME)
        return cls(goes, leave, out, home, back, country)


def trips(
    config: WorldConfig, population: Population, today: int, week: int, lead: Integers
) -> Trips:
    """Return the trips abroad of one week.

    Args:
        config: The world.
        population: Its subscribers.
        today: Number of the day from whose start times count.
        week: Number of the week (`today` // `WEEK` is the day's own).
        lead: Entity numbers, leaders only.
    """
    per_week = np.array([p.trips_per_year / _WEEKS_PER_YEAR for p in config.personas.values()])
    key = draws.keys(draws.stream(config.seed, "mobility/trip", week), lead)
    goes = draws.chance(draws.bits(key, "goes"), per_week[population.persona[lead]])
    found = [np.full(len(lead), _NEVER // SECOND) for _ in range(4)]
    country = np.full(len(lead), AT_HOME, dtype=np.int64)
    rows = np.flatnonzero(goes)
    if rows.size:
        key = key[rows]
        # Not in the first minute, whose detach would belong to the week before.
        start = 60 + draws.below(draws.bits(key, "start"), _TRIP_LATEST_START * _SECONDS - 60)
        length = 6 * 3600 + draws.below(draws.bits(key, "length"), (4 * DAY - 7 * HOUR) // SECOND)
        leave = (week * WEEK - today) * _SECONDS + start
        crossing = _crossings(key, length)
        times = (leave, leave + crossing[0], leave + length - crossing[1], leave + length)
        for column, values in zip(found, times, strict=True):
            column[rows] = values
        country[rows] = COUNTRY.sample(draws.bits(key, "country"))
    leave, out, home, back = found
    return Trips(goes, leave, out, home, back, country)


def own_trips(
    config: WorldConfig,
    population: Population,
    placed: Placed,
    today: int,
    week: int,
    entity: Integers,
) -> Trips:
    """Return the trips abroad of one week that layers leave as they are.

    Args:
        config: The world.
        population: Its subscribers.
        placed: Where layers put SIMs, for the whole week at least.
        today: Number of the day from whose start times count.
        week: Number of the week.
        entity: Entity numbers.
    """
    found = trips(config, population, today, week, population.leader[entity])
    if not len(placed):
        return found
    start = today * _SECONDS + found.leave - _APART
    met = found.goes & placed.touching(entity, start, today * _SECONDS + found.back + _APART)
    return found.instead(met, Trips.none(len(met))) if met.any() else found


def sent(placed: Placed, today: int, entity: Integers) -> list[Trips]:
    """Return the trips on which layers send SIMs, the first of each, then the second, and so on.

    Args:
        placed: Where layers put SIMs, those at a place left out or not.
        today: Number of the day from whose start times count.
        entity: Entity numbers.
    """
    row, window = placed.of(entity)
    abroad = placed.country[window] >= 0
    row, window = row[abroad], window[abroad]
    first = np.searchsorted(row, row, side="left")
    turn = np.arange(len(row)) - first
    found = []
    for number in range(int(turn.max(initial=-1)) + 1):
        rows, chosen = row[turn == number], placed.select(window[turn == number])
        made = Trips.none(len(entity))
        leave, back = (time - today * _SECONDS for time in (chosen.start, chosen.end))
        length = back - leave
        out, home = _crossings(chosen.key, length)
        made.goes[rows], made.country[rows] = True, chosen.country
        made.leave[rows], made.out[rows] = leave, leave + out
        made.home[rows], made.back[rows] = back - home, back
        found.append(made)
    return found


def trips_around(
    config: WorldConfig, population: Population, placed: Placed, today: int, entity: Integers
) -> Trips:
    """Return the trip that counts on a day: one on which a layer sends the SIM, or the week's own.

    Args:
        config: The world.
        population: Its subscribers.
        placed: Where layers put SIMs around the day (`presence.placed_around`).
        today: Number of the day from whose start times count.
        entity: Entity numbers.
    """
    found = own_trips(config, population, placed, today, today // WEEK, entity)
    for other in sent(placed, today, entity):
        found = found.instead(other.goes & (other.leave < _SECONDS) & (other.back >= 0), other)
    return found


def _crossings(key: draws.Bits, length: Rows) -> list[Rows]:
    """Return how long the borders take on the way out and home, in seconds."""
    low, high = _CROSSING_MINUTES
    return [
        np.minimum((low + draws.below(draws.bits(key, what), high - low)) * 60, length // 4)
        for what in ("out", "home")
    ]


def stays(
    config: WorldConfig, today: int, visitor: Integers, later: int = 0
) -> tuple[Rows, Rows, Rows]:
    """Return arrival and departure of visitors, in seconds of the day, and the stay's number.

    Args:
        config: The world.
        today: Number of the day.
        visitor: Entity numbers of visitors.
        later: Windows after the one that the day lies in.
    """
    own = draws.keys(draws.stream(config.seed, "mobility/visits"), visitor)
    phase = draws.below(draws.bits(own, "phase"), _WINDOW)
    window = (today + phase) // _WINDOW + later
    key = draws.events(own, window)
    fewest, most = _NIGHTS
    # The smaller of two draws: short stays are the rule.
    nights = fewest + np.minimum(
        draws.below(draws.bits(key, "nights"), most - fewest + 1),
        draws.below(draws.bits(key, "more nights"), most - fewest + 1),
    )
    first = draws.below(draws.bits(key, "first"), _WINDOW - nights)
    opens, closes = _BY_DAY
    begin = (window * _WINDOW - phase + first - today) * _SECONDS
    arrive = begin + opens + draws.below(draws.bits(key, "arrive"), closes - opens)
    depart = begin + nights * _SECONDS + opens
    depart += draws.below(draws.bits(key, "depart"), closes - opens)
    return arrive, depart, window


class Absences:
    """Who is away or out of reach on one UTC day (and some hours around it)."""

    def __init__(
        self,
        config: WorldConfig,
        population: Population,
        day: dt.date,
        placed: Placed | None = None,
    ) -> None:
        """Find out who may be away at all.

        Args:
            config: The world.
            population: Its subscribers.
            day: The UTC day.
            placed: Where layers put SIMs around the day; nowhere by default.
        """
        self._config = config
        self._population = population
        self._placed = Placed.none() if placed is None else placed
        self.today = day_number(day)
        """Number of the day."""
        self._clock = DayClock(day, config.time_zone, config.country)
        self._sleeper_stream = draws.stream(config.seed, "mobility/habit")
        chronotype = chronotypes(config, population)
        self.flags = np.zeros(population.size, dtype=np.uint8)
        """Bits of `SLEEPS`, `TRAVELS`, `VISITS` by entity; most phones have none."""
        block = 1 << 14
        for start in range(0, population.size, block):
            rows = slice(start, min(start + block, population.size))
            lead = population.leader[rows]
            self.flags[rows] = self._flags_of(lead, chronotype[rows])
        # Those that end before the day or begin after it count for moments beside it.
        start = self.today * _SECONDS
        near = (self._placed.start < start + 4 * _SECONDS) & (
            self._placed.end > start - 2 * _SECONDS
        )
        self._sent = self._placed.select((self._placed.country >= 0) & near)
        self.flags[self._sent.entity] |= TRAVELS

    def _flags_of(self, lead: Integers, chronotype: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
        population = self._population
        kind = population.kind[lead]
        key = draws.keys(self._sleeper_stream, lead)
        # Who lives late or works at night keeps the phone on.
        sleeper = ((kind == PERSON) | (kind == BUSINESS)) & (chronotype == 0)
        sleeper &= draws.chance(draws.bits(key, "night_off"), _NIGHT_OFF)
        goes = trips(self._config, population, self.today, self.today // WEEK, lead).goes
        return (sleeper * SLEEPS + goes * TRAVELS + (kind == VISITOR) * VISITS).astype(np.uint8)

    def trips(self, entity: Integers) -> list[Trips]:
        """Return the trips abroad: the week's own, then those on which layers send SIMs."""
        today = self.today
        found = own_trips(
            self._config, self._population, self._placed, today, today // WEEK, entity
        )
        return [found, *sent(self._sent, today, entity)]

    def country(self, entity: Integers, time: Rows) -> Rows:
        """Return the country visited by row of `COUNTRIES`; -1 in the own country."""
        country = np.full(len(entity), AT_HOME, dtype=np.int64)
        rows = np.flatnonzero(self.flags[entity] & TRAVELS)
        if rows.size:
            seconds = time[rows] // SECOND
            for found in self.trips(entity[rows]):
                there = (seconds >= found.out) & (seconds < found.home)
                country[rows] = np.where(there, found.country, country[rows])
        return country

    def gone_abroad(self, entity: Integers, time: Rows) -> Flags:
        """Return who is not in our network on a trip, from the border out to that back."""
        gone = np.zeros(len(entity), dtype=np.bool_)
        rows = np.flatnonzero(self.flags[entity] & TRAVELS)
        if rows.size:
            now = time[rows]
            for found in self.trips(entity[rows]):
                gone[rows] |= (now >= found.leave * SECOND) & (now < found.back * SECOND)
        return gone

    def present(self, entity: Integers, time: Rows) -> Flags:
        """Return who is in the country as a visitor; everybody else counts as present."""
        present = np.ones(len(entity), dtype=np.bool_)
        rows = np.flatnonzero(self.flags[entity] & VISITS)
        if rows.size:
            arrive, depart, _ = self._stays(entity[rows])
            seconds = time[rows] // SECOND
            present[rows] = (seconds >= arrive) & (seconds < depart)
        return present

    def switched_off(self, entity: Integers, time: Rows) -> Flags:
        """Return whose phone is off for the night, between networks, or gone with its visitor."""
        off = np.zeros(len(entity), dtype=np.bool_)
        rows = np.flatnonzero(self.flags[entity])
        if rows.size:
            off[rows] = self._wait(entity[rows], time[rows]) > 0
        return off

    def until_on(self, entity: Integers, time: Rows) -> Rows:
        """Return the microseconds until phones that are off are on again; weeks, for visitors."""
        wait = np.zeros(len(entity), dtype=np.int64)
        rows = np.flatnonzero(self.flags[entity])
        # The end of a night may lie in a flight; nothing follows on that.
        for _ in range(4):
            more = self._wait(entity[rows], time[rows] + wait[rows])
            wait[rows] += more
            rows = rows[more > 0]
            if not rows.size:
                break
        return wait

    def until_gone(self, entity: Integers, time: Rows) -> Rows:
        """Return the microseconds until phones that are on go off or cross a border."""
        left = np.full(len(entity), 2 * DAY, dtype=np.int64)
        flags = self.flags[entity]
        rows = np.flatnonzero(flags & SLEEPS)
        off = self.nights(entity[rows])[0] * SECOND
        # A night's end is no end; and the clock may change in between, at another hour than this.
        left[rows] = (off - self._local(time[rows])) % DAY
        rows = np.flatnonzero(flags & TRAVELS)
        for found in self.trips(entity[rows]) if rows.size else ():
            for border in (found.leave, found.home):
                left[rows] = _sooner(left[rows], border * SECOND - time[rows])
        rows = np.flatnonzero(flags & VISITS)
        depart = self._stays(entity[rows])[1]
        left[rows] = _sooner(left[rows], depart * SECOND - time[rows])
        return left

    def nights(self, entity: Integers) -> tuple[Rows, Rows]:
        """Return the local seconds of the day at which phones would be switched off and on."""
        key = draws.keys(self._sleeper_stream, self._population.leader[entity])
        return (
            _OFF + _triangular(key, "off", _OFF_SPREAD),
            _ON + _triangular(key, "on", _ON_SPREAD),
        )

    def _stays(self, visitor: Integers, later: int = 0) -> tuple[Rows, Rows, Rows]:
        lead = self._population.leader[visitor]
        return stays(self._config, self.today, lead, later)

    def _local(self, time: Rows) -> Rows:
        # Two days hence is as far as the clock reads; nights that far off are not asked for.
        return self._clock.local(np.clip(time, -DAY, 2 * DAY - 1))[0]

    def _wait(self, entity: Integers, time: Rows) -> Rows:
        """Return the microseconds until what keeps each phone off ends; 0 for who is on."""
        wait = np.zeros(len(entity), dtype=np.int64)
        flags = self.flags[entity]
        rows = np.flatnonzero(flags & SLEEPS)
        if rows.size:
            wait[rows] = self._night_left(entity[rows], time[rows])
        rows = np.flatnonzero(flags & TRAVELS)
        if rows.size:
            now = time[rows]
            for found in self.trips(entity[rows]):
                for start, stop in ((found.leave, found.out), (found.home, found.back)):
                    inside = (now >= start * SECOND) & (now < stop * SECOND)
                    crossing = np.where(inside, stop * SECOND - now, 0)
                    wait[rows] = np.maximum(wait[rows], crossing)
        rows = np.flatnonzero(flags & VISITS)
        if rows.size:
            visitor, now = entity[rows], time[rows]
            arrive, depart, _ = self._stays(visitor)
            again = self._stays(visitor, later=1)[0]
            coming = np.where(now < arrive * SECOND, arrive, again) * SECOND - now
            here = (now >= arrive * SECOND) & (now < depart * SECOND)
            wait[rows] = np.where(here, 0, coming)
        return wait

    def _night_left(self, entity: Integers, time: Rows) -> Rows:
        """Return what is left of the night in which phones are off, 0 by day."""
        off, on = self.nights(entity)
        local = self._local(time)
        asleep = (local >= off * SECOND) | (local < on * SECOND)
        wait = (on * SECOND - local) % DAY
        # The clock may change in between: put right what is missing then.
        missing = (on * SECOND - self._local(time + wait)) % DAY
        wait += np.where(missing < DAY // 2, missing, missing - DAY)
        return np.where(asleep, wait, 0)


def _sooner(left: Rows, other: Rows) -> Rows:
    """Return the smaller of two times to go, where the other is still to come."""
    return np.where(other > 0, np.minimum(left, other), left)


def _triangular(key: draws.Bits, attribute: str, half: int) -> Rows:
    """Return whole numbers from 0 to twice `half`, most often around `half`."""
    first = draws.below(draws.bits(key, f"{attribute}/first"), half)
    return first + draws.below(draws.bits(key, f"{attribute}/second"), half)
