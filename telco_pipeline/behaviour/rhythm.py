"""When: how activity spreads over the hours of a UTC day.

Belongs here: the shape of a day for calls, messages and sessions, and how much a weekday or a
holiday weighs. Does not belong here: how active somebody is (`world.subscribers`), bursts.

The hour profiles of world.yaml are in local time. A day's intensity is taken at the middle of
each local hour and runs in straight lines between, also over midnight, so that the last minute of
a day and the first of the next are alike.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import PERSON, Population
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, DayClock, day_number
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileFamily
from telco_pipeline.settings import WorldConfig

Kind = Literal["calls", "messages", "data"]

_CELLS_LOG2: Final = 11
_SLOTS_PER_HOUR: Final = 6
_SHIFT_32: Final = np.uint64(32)
_MASK_32: Final = np.uint64((1 << 32) - 1)
_TWO_POW_32: Final = 2.0**32

# How much a local day weighs, Monday to Sunday. Calls peak on Friday and dip on Sunday
# (practice); data and messages vary less.
WEEKDAY_WEIGHT: Final[dict[Kind, tuple[float, ...]]] = {
    "calls": (1.02, 1.02, 1.03, 1.05, 1.14, 0.94, 0.80),
    "messages": (0.98, 0.98, 0.99, 1.00, 1.06, 1.03, 0.96),
    "data": (0.98, 0.98, 0.98, 0.99, 1.02, 1.03, 1.02),
}
# New Year's wishes: factor on people's activity in the first and second local hour of 1 January
# and in the rest of it (practice).
NEW_YEAR: Final[dict[Kind, tuple[float, float, float]]] = {
    "calls": (4.0, 2.5, 1.1),
    "messages": (4.0, 2.5, 1.5),
    "data": (1.5, 1.4, 1.0),
}


# Chronotypes: how many hours later somebody lives than most people do. Night owls: a tenth
# (Roenneberg 2007); night shifts: 4 % of who works (Eurofound, European Working Conditions
# Survey: nights at least weekly).
OWL: Final = 1
NIGHT_SHIFT: Final = 2
CHRONOTYPE_HOURS: Final = (0.0, 2.5, 9.0)
_OWLS: Final = 0.10
_NIGHT_WORKERS: Final = 0.04


def chronotypes(config: WorldConfig, population: Population) -> npt.NDArray[np.int8]:
    """Return the chronotype of each entity: 0 most people, `OWL` or `NIGHT_SHIFT`.

    Both SIMs of a holder have that of the holder. Firms and machines have office hours or their
    own rhythm.
    """
    keys = draws.keys(draws.stream(config.seed, "chronotype"), population.leader)
    person = population.kind[population.leader] == PERSON
    owl = draws.chance(draws.bits(keys, "owl"), _OWLS)
    works = population.work[population.leader] >= 0
    nights = works & draws.chance(draws.bits(keys, "night shift"), _NIGHT_WORKERS)
    return np.select([person & nights, person & owl], [NIGHT_SHIFT, OWL], 0).astype(np.int8)


@dataclass(frozen=True)
class Window:
    """A stretch of a UTC day whose events are counted and drawn on their own.

    A day is drawn as its main part and its tail, so that the next day can draw the tail alone:
    what began in it may reach over midnight.

    Attributes:
        number: 0 for the main part, 1 for the tail; part of the draws.
        start: Start in microseconds of the UTC day.
        stop: End, exclusive.
    """

    number: int
    start: int
    stop: int


WHOLE_DAY: Final = Window(0, 0, DAY)


def windows(tail: int) -> tuple[Window, Window]:
    """Return the main part of a day and its last `tail` microseconds (above 0, below a day)."""
    return Window(0, 0, DAY - tail), Window(1, DAY - tail, DAY)


@dataclass(frozen=True)
class DayRhythm:
    """Times of day of one kind of activity on one UTC day.

    Attributes:
        family: Quantiles of the time of day in microseconds, one row per rhythm.
        row: Row of each persona (first axis) and chronotype (second).
        weight: Activity of the day per row, relative to a mean day.
        cumulative: Share of the day's activity before each 10-minute border, per row.
    """

    family: QuantileFamily
    row: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]
    cumulative: npt.NDArray[np.float64]

    def rows(
        self, persona: npt.NDArray[np.int64], chronotype: npt.NDArray[np.int8]
    ) -> npt.NDArray[np.int64]:
        """Return the row of each entity."""
        return self.row[persona, chronotype]

    def by_hour(self) -> npt.NDArray[np.float64]:
        """Return the activity of each UTC hour per row: of a mean day 1/24 in the mean."""
        shares = np.diff(self.cumulative[:, ::_SLOTS_PER_HOUR], axis=1)
        return self.weight[:, None] * shares

    def mean_events(self, row: npt.NDArray[np.int64], window: Window) -> npt.NDArray[np.float64]:
        """Return what part of an entity's mean day falls into the window, by its row."""
        return (self.weight * (self._before(window.stop) - self._before(window.start)))[row]

    def part_of_day(self, row: npt.NDArray[np.int64], window: Window) -> npt.NDArray[np.float64]:
        """Return what part of this day's activity falls into the window, by an entity's row."""
        return (self._before(window.stop) - self._before(window.start))[row]

    def times(
        self, random_bits: Bits, row: npt.NDArray[np.int64], window: Window
    ) -> npt.NDArray[np.int64]:
        """Return microseconds since the start of the UTC day, inside the window."""
        low = self._before(window.start)
        share = self._before(window.stop) - low
        # The upper 32 bits of the random number times the share, and the carry of the lower ones.
        step = (share * _TWO_POW_32).astype(np.uint64)[row]
        inside = (random_bits >> _SHIFT_32) * step
        inside += ((random_bits & _MASK_32) * step) >> _SHIFT_32
        inside += (low * _TWO_POW_32).astype(np.uint64)[row] << _SHIFT_32
        drawn = self.family.sample(inside, row).astype(np.int64)
        return np.minimum(np.maximum(drawn, window.start), window.stop - 1)

    def _before(self, time: int) -> npt.NDArray[np.float64]:
        """Return the share of each row's activity before a time of day."""
        place, rest = divmod(time * (self.cumulative.shape[1] - 1), DAY)
        if not rest:
            return self.cumulative[:, place]
        low, high = self.cumulative[:, place], self.cumulative[:, place + 1]
        return low + (high - low) * (rest / DAY)


def day_rhythm(config: WorldConfig, kind: Kind, day: dt.date) -> DayRhythm:
    """Return the rhythm of a kind of activity on a UTC day for every persona and chronotype."""
    found: dict[tuple[str, float], npt.NDArray[np.float64]] = {}
    rows = []
    for persona in config.personas.values():
        name = kind if persona.rhythm == "day" else persona.rhythm
        rows.append([])
        for later in CHRONOTYPE_HOURS:
            key = (name, later)
            if key not in found:
                found[key] = _intensity(config, name, kind, day, later)
            rows[-1].append(list(found).index(key))
    tables, weights, cumulatives = zip(*map(_quantiles, found.values()), strict=True)
    family = QuantileFamily(
        np.concatenate(tables), np.concatenate([_tail(table) for table in tables]), _CELLS_LOG2
    )
    return DayRhythm(family, np.array(rows), np.array(weights), np.array(cumulatives))


def _intensity(
    config: WorldConfig, profile_name: str, kind: Kind, day: dt.date, later: float
) -> npt.NDArray[np.float64]:
    """Return activity per hour (mean 1/24 over a mean day) at the borders of 10-minute slots.

    Args:
        config: The world.
        profile_name: Name of the profile of hours.
        kind: Kind of activity, whose weekdays count.
        day: The UTC day.
        later: How many hours later than the profile the people live.
    """
    profile = config.rhythms[profile_name]
    weekday = np.array(profile.weekday, dtype=np.float64) / sum(profile.weekday)
    weekend = np.array(profile.weekend, dtype=np.float64) / sum(profile.weekend)
    hours = []
    for offset in (-1, 0, 1):
        clock = DayClock(day + dt.timedelta(days=offset), config.time_zone, config.country)
        shape = np.where(clock.free_day, weekend[clock.local_hour], weekday[clock.local_hour])
        factor = np.array(WEEKDAY_WEIGHT[kind])[clock.weekday]
        if profile_name == kind:
            wishes = np.array(NEW_YEAR[kind])[np.minimum(clock.local_hour, 2)]
            factor = np.where(_is_new_year(clock), wishes, 1.0) * factor
        hours.append(shape * factor)
    middles = np.arange(-24, 48) + 0.5
    borders = np.arange(24 * _SLOTS_PER_HOUR + 1) / _SLOTS_PER_HOUR
    return np.interp(borders - later, middles, np.concatenate(hours))


def _is_new_year(clock: DayClock) -> npt.NDArray[np.bool_]:
    """Return which UTC hours begin on a local 1 January."""
    new_years = [day_number(dt.date(clock.day.year + later, 1, 1)) for later in (0, 1)]
    return np.isin(clock.local_date_number, new_years)


def _quantiles(
    intensity: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], float, npt.NDArray[np.float64]]:
    """Return the quantiles of the time of day, the day's weight and the share before each border.

    Quantiles are whole milliseconds, shares whole multiples of 2**-30.
    """
    # Trapezes between the borders, in hours.
    mass = (intensity[1:] + intensity[:-1]) / (2 * _SLOTS_PER_HOUR)
    total = float(f"{mass.sum():.9g}")
    if total == 0.0:  # all of the profile's hours are skipped: no events, at whatever time
        mass = np.ones_like(mass)
    cumulative = np.concatenate([[0.0], np.cumsum(mass)])
    cumulative /= cumulative[-1]
    slots = np.arange(len(cumulative)) * (DAY / (len(cumulative) - 1))
    probabilities = np.arange((1 << _CELLS_LOG2) + 1) / (1 << _CELLS_LOG2)
    # Whole milliseconds: no rounding of the sums above can show.
    times = np.round(np.interp(probabilities, cumulative, slots) / 1000) * 1000
    return times, total, np.round(cumulative * 2.0**30) / 2.0**30


def _tail(quantiles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the refined last cell: a day has no heavy tail, so it is a straight line."""
    steps = 1 << (_CELLS_LOG2 - 3)
    return quantiles[-2] + np.arange(steps + 1) / steps * (quantiles[-1] - quantiles[-2])
