"""Where: the cell of any subscriber at any time of a day, or the country visited.

Belongs here: commuting between home and work, days at home, trips abroad, phones that are off.
Does not belong here: which cell exists (`world.network`), location updates as records
(`generators.locations`).

A subscriber is at work between two times of a working day, at home otherwise, and abroad during a
trip. All is a function of (seed, entity, date), so both ends of a call are asked independently.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import MACHINE, Population
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, DayClock, day_number
from telco_pipeline.engine.tables import STANDARD_NORMAL, Choice, QuantileTable
from telco_pipeline.settings import WorldConfig

# Share of working days that a worker spends at home (practice after 2020).
_HOME_OFFICE: Final = 0.18
WEEK: Final = 7
_TRIP_LATEST_START: Final = 3  # days into the week: a trip never leaves its week

# Countries that Belgians visit: ISO code, network visited, weight (Statbel, order of magnitude).
COUNTRIES: Final = (
    ("FR", "20801", 30.0),
    ("NL", "20408", 16.0),
    ("ES", "21407", 14.0),
    ("DE", "26201", 11.0),
    ("IT", "22201", 8.0),
    ("GB", "23430", 6.0),
    ("LU", "27001", 5.0),
    ("TR", "28601", 3.0),
    ("MA", "60400", 3.0),
    ("CH", "22801", 2.0),
    ("US", "310260", 2.0),
)
AT_HOME: Final = -1
_COUNTRY = Choice.of([weight for _, _, weight in COUNTRIES])

_START = QuantileTable.of(
    lambda p: max(5.0, min(11.0, 8.2 + 0.8 * STANDARD_NORMAL.inv_cdf(p))) * 3600
)
_STAY = QuantileTable.of(
    lambda p: max(4.0, min(11.0, 8.7 + 0.9 * STANDARD_NORMAL.inv_cdf(p))) * 3600
)

# Share of people who switch the phone off at night (practice), from an hour late in the evening to
# one in the morning: two triangular spreads, in local seconds.
_NIGHT_OFF: Final = 0.12
_OFF: Final = 22 * 3600
FIRST_OFF: Final = _OFF * SECOND
"""Local time of the day before which no phone is switched off, in microseconds."""
_OFF_SPREAD: Final = 3590
_ON: Final = 5 * 3600 + 1800
_ON_SPREAD: Final = 7200

_HOME, _WORK, _FROM, _TO, _LEAVE, _RETURN, _ABROAD, _OFF_AT, _ON_AT = range(9)
_COLUMNS: Final = 9


@dataclass(frozen=True)
class Positions:
    """Positions at some times.

    Attributes:
        cell: Row of the cell; for somebody abroad, of the home cell.
        country: Row of the country in `COUNTRIES`; -1 at home.
    """

    cell: npt.NDArray[np.int64]
    country: npt.NDArray[np.int64]

    @property
    def abroad(self) -> npt.NDArray[np.bool_]:
        """Who is abroad."""
        return self.country >= 0


class Mobility:
    """Positions of a whole population during one UTC day (and some hours around it)."""

    def __init__(self, config: WorldConfig, population: Population, day: dt.date) -> None:
        """Work out the day of every subscriber."""
        self._clock = DayClock(day, config.time_zone, config.country)
        self._days = np.empty((population.size, _COLUMNS), dtype=np.int32)
        block = 1 << 16
        for start in range(0, population.size, block):
            entities = np.arange(start, min(start + block, population.size))
            self._days[entities] = _day_of(config, population, day, entities)
        # Most phones are always on, and most people stay in the country: a byte tells them apart.
        self._sleeps = self._days[:, _ON_AT] > 0
        self._goes = self._sleeps | (self._days[:, _RETURN] > 0)

    def at(self, entity: npt.NDArray[np.integer], time_of_day: npt.NDArray[np.int64]) -> Positions:
        """Return where each entity is.

        Args:
            entity: Entity numbers.
            time_of_day: Microseconds since the start of the UTC day.
        """
        days = self._days[entity]
        local, _, free = self._clock.local(time_of_day)
        seconds = local // SECOND
        at_work = (seconds >= days[:, _FROM]) & (seconds < days[:, _TO]) & ~free
        utc_seconds = time_of_day // SECOND
        away = (utc_seconds >= days[:, _LEAVE]) & (utc_seconds < days[:, _RETURN])
        return Positions(
            cell=np.where(at_work & ~away, days[:, _WORK], days[:, _HOME]).astype(np.int64),
            country=np.where(away, days[:, _ABROAD], AT_HOME).astype(np.int64),
        )

    def switched_off(
        self, entity: npt.NDArray[np.integer], time_of_day: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        """Return whose phone is switched off for the night at a time (as in `at`)."""
        off = self._sleeps[entity]
        rows = np.flatnonzero(off)
        if rows.size:
            days = self._days[entity[rows]]
            seconds = self._clock.local(time_of_day[rows])[0] // SECOND
            off[rows] = (seconds >= days[:, _OFF_AT]) | (seconds < days[:, _ON_AT])
        return off

    def until_on(
        self, entity: npt.NDArray[np.integer], time_of_day: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return the microseconds until phones that are switched off are on again."""
        on = self._days[entity, _ON_AT] * np.int64(SECOND)
        wait = (on - self._clock.local(time_of_day)[0]) % DAY
        # The clock may change in between: put right what is missing then.
        missing = (on - self._clock.local(time_of_day + wait)[0]) % DAY
        return wait + np.where(missing < DAY // 2, missing, missing - DAY)

    def may_go(self, entity: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """Return the rows of entities whose phone `until_gone` may find gone; the rest stay."""
        return np.flatnonzero(self._goes[entity])

    def until_gone(
        self, entity: npt.NDArray[np.integer], time_of_day: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return the microseconds until a phone that is on is switched off or crosses a border.

        A day or more stands for "not today".
        """
        days = self._days[entity].astype(np.int64)
        off = days[:, _OFF_AT] * SECOND - self._clock.local(time_of_day)[0]
        off = np.where(days[:, _ON_AT] > 0, off, DAY)
        borders = (days[:, [_LEAVE, _RETURN]] * SECOND) - time_of_day[:, None]
        return np.minimum(off, np.where(borders > 0, borders, DAY).min(axis=1))

    def nights(
        self, entity: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the local seconds of switching off and on, and who does so at all."""
        days = self._days[entity].astype(np.int64)
        return days[:, _OFF_AT], days[:, _ON_AT], days[:, _ON_AT] > 0

    def moves(
        self, entity: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return the local seconds at which each entity leaves for work and for home.

        Returns:
            Array (entities, 2) of local seconds of the day, and who commutes at all on a day
            that is not free.
        """
        days = self._days[entity]
        return days[:, [_FROM, _TO]].astype(np.int64), days[:, _TO] > days[:, _FROM]

    def trip(
        self, entity: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return start and end of the week's trip abroad, in microseconds of this UTC day.

        Both lie outside the day, and are equal, for who takes none.
        """
        days = self._days[entity].astype(np.int64)
        return days[:, _LEAVE] * SECOND, days[:, _RETURN] * SECOND


def _day_of(
    config: WorldConfig,
    population: Population,
    day: dt.date,
    entities: npt.NDArray[np.int64],
) -> npt.NDArray[np.int32]:
    """Return the rows of `Mobility._days` for some entities."""
    today = day_number(day)
    table = np.empty((len(entities), _COLUMNS), dtype=np.int32)
    work = population.work[entities]
    table[:, _HOME] = population.home[entities]
    table[:, _WORK] = np.where(work < 0, table[:, _HOME], work)
    person = draws.keys(draws.stream(config.seed, "mobility/habit"), entities)
    dated = draws.keys(draws.stream(config.seed, "mobility/day", today), entities)
    start = _START.sample(draws.bits(person, "start")).astype(np.int64)
    stay = _STAY.sample(draws.bits(person, "stay")).astype(np.int64)
    # Up to twenty minutes earlier or later on each day.
    start += draws.below(draws.bits(dated, "start"), 2400) - 1200
    stay += draws.below(draws.bits(dated, "stay"), 2400) - 1200
    machine = population.kind[entities] == MACHINE
    stays_in = draws.chance(draws.bits(dated, "home_office"), _HOME_OFFICE) & ~machine
    works = (work >= 0) & ~stays_in
    table[:, _FROM] = np.where(works, start, 0)
    table[:, _TO] = np.where(works, start + stay, 0)
    # Never off: later than any second of the day, on before the first.
    sleeper = draws.chance(draws.bits(person, "night_off"), _NIGHT_OFF) & ~machine
    table[:, _OFF_AT] = np.where(
        sleeper, _OFF + _triangular(person, "off", _OFF_SPREAD), DAY // SECOND
    )
    table[:, _ON_AT] = np.where(sleeper, _ON + _triangular(person, "on", _ON_SPREAD), 0)
    _add_trips(config, population, today, entities, table)
    return table


def _triangular(key: draws.Bits, attribute: str, half: int) -> npt.NDArray[np.int64]:
    """Return whole numbers from 0 to twice `half`, most often around `half`."""
    first = draws.below(draws.bits(key, f"{attribute}/first"), half)
    return first + draws.below(draws.bits(key, f"{attribute}/second"), half)


def _add_trips(
    config: WorldConfig,
    population: Population,
    today: int,
    entities: npt.NDArray[np.int64],
    table: npt.NDArray[np.int32],
) -> None:
    """Write the week's trip abroad into the table, in seconds of this UTC day."""
    week = today // WEEK
    per_week = np.array([p.trips_per_year / 52 for p in config.personas.values()])
    key = draws.keys(draws.stream(config.seed, "mobility/trip", week), entities)
    travels = draws.chance(draws.bits(key, "goes"), per_week[population.persona[entities]])
    # Not in the first minute, whose detach would belong to the week before.
    start = 60 + draws.below(draws.bits(key, "start"), _TRIP_LATEST_START * DAY // SECOND - 60)
    length = 6 * 3600 + draws.below(draws.bits(key, "length"), (4 * DAY - 7 * HOUR) // SECOND)
    leave = (week * WEEK - today) * (DAY // SECOND) + start
    never = -10 * DAY // SECOND
    table[:, _LEAVE] = np.where(travels, leave, never)
    table[:, _RETURN] = np.where(travels, leave + length, never)
    table[:, _ABROAD] = _COUNTRY.sample(draws.bits(key, "country"))
