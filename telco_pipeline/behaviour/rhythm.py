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

from telco_pipeline.engine.calendar import DAY, DayClock, day_number
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileFamily
from telco_pipeline.settings import WorldConfig

Kind = Literal["calls", "messages", "data"]

_CELLS_LOG2: Final = 11
_SLOTS_PER_HOUR: Final = 6

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


@dataclass(frozen=True)
class DayRhythm:
    """Times of day of one kind of activity on one UTC day.

    Attributes:
        family: Quantiles of the time of day in microseconds, one row per persona's rhythm.
        row: Row of each persona.
        weight: Activity of the day per row, relative to a mean day.
    """

    family: QuantileFamily
    row: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]

    def mean_events(
        self, rates: npt.NDArray[np.float64], persona: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Return the mean number of events of each entity, from its persona's daily rate."""
        return (rates * self.weight[self.row])[persona]

    def times(self, random_bits: Bits, persona: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return microseconds since the start of the UTC day, 0 to 24 h exclusive."""
        drawn = self.family.sample(random_bits, self.row[persona]).astype(np.int64)
        return np.minimum(drawn, DAY - 1)


def day_rhythm(config: WorldConfig, kind: Kind, day: dt.date) -> DayRhythm:
    """Return the rhythm of a kind of activity on a UTC day for every persona."""
    names = list(config.personas)
    profiles: dict[str, npt.NDArray[np.float64]] = {}
    rows = []
    for name in names:
        rhythm = config.personas[name].rhythm
        key = kind if rhythm == "day" else rhythm
        if key not in profiles:
            profiles[key] = _intensity(config, key, kind, day)
        rows.append(list(profiles).index(key))
    tables, weights = zip(*(_quantiles(profile) for profile in profiles.values()), strict=True)
    family = QuantileFamily(
        np.concatenate(tables), np.concatenate([_tail(table) for table in tables]), _CELLS_LOG2
    )
    return DayRhythm(family, np.array(rows), np.array(weights))


def _intensity(
    config: WorldConfig, profile_name: str, kind: Kind, day: dt.date
) -> npt.NDArray[np.float64]:
    """Return activity per hour (mean 1/24 over a mean day) at the borders of 10-minute slots."""
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
    around = np.concatenate([hours[0][-1:], hours[1], hours[2][:1]])
    middles = np.arange(-0.5, 25.0)
    borders = np.arange(24 * _SLOTS_PER_HOUR + 1) / _SLOTS_PER_HOUR
    return np.interp(borders, middles, around)


def _is_new_year(clock: DayClock) -> npt.NDArray[np.bool_]:
    """Return which UTC hours begin on a local 1 January."""
    new_years = [day_number(dt.date(clock.day.year + later, 1, 1)) for later in (0, 1)]
    return np.isin(clock.local_date_number, new_years)


def _quantiles(intensity: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """Return the quantiles of the time of day in whole microseconds, and the day's weight."""
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
    return np.round(np.interp(probabilities, cumulative, slots) / 1000) * 1000, total


def _tail(quantiles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the refined last cell: a day has no heavy tail, so it is a straight line."""
    steps = 1 << (_CELLS_LOG2 - 3)
    return quantiles[-2] + np.arange(steps + 1) / steps * (quantiles[-1] - quantiles[-2])
