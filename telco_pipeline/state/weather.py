"""Weather: the temperature of a day by hour, and storms.

Belongs here: what the sky does to the network as a whole. Does not belong here: what breaks of it
(`hazards`).

One country, one weather: it is small. Only additions, products and look-ups make it, so that it is
the same on any processor.
"""

import datetime as dt
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DayClock, day_number
from telco_pipeline.engine.tables import STANDARD_NORMAL, QuantileTable
from telco_pipeline.settings import WorldConfig

Floats = npt.NDArray[np.float64]

# Monthly means at Uccle in °C, normals 1991-2020 (KMI/IRM), and half the daily range.
_MEAN: Final = (3.7, 4.2, 7.1, 10.4, 13.9, 16.7, 18.7, 18.4, 15.2, 11.3, 7.2, 4.3)
_HALF_RANGE: Final = (2.4, 2.9, 3.8, 4.7, 4.9, 4.9, 4.9, 4.8, 4.4, 3.6, 2.7, 2.3)
# From coldest to warmest by local hour, -1 to 1: coldest at 6, warmest at 15.
_SHAPE: Final = np.array([
    -0.70, -0.77, -0.84, -0.90, -0.95, -0.99, -1.0, -0.85, -0.55, -0.20, 0.15, 0.45,
    0.70, 0.88, 0.97, 1.0, 0.95, 0.82, 0.60, 0.30, 0.0, -0.25, -0.45, -0.60,
])  # fmt: skip
# A day is warmer or colder than usual by a normal of 3.5 K, spells lasting about a week: a weighted
# sum of one draw a day.
_SPELL: Final = np.array([1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0])
_SPELL_NORM: Final = 3.5 / np.sqrt(np.sum(_SPELL * _SPELL))
_NORMAL: Final = QuantileTable.of(STANDARD_NORMAL.inv_cdf)
# Days of storm a year: about five, most of them in winter.
_STORM_WINTER: Final = 0.022
_STORM_SUMMER: Final = 0.006
_WINTER: Final = (10, 11, 12, 1, 2, 3)


def temperature(config: WorldConfig, clock: DayClock) -> Floats:
    """Return the temperature outdoors in each UTC hour of a day, in tenths of a degree Celsius."""
    number, month = day_number(clock.day), clock.day.month
    # The middle of a month has its mean; between two of them it goes over in a line.
    offset = clock.day.day - 15
    other = (month + (0 if offset >= 0 else -2)) % 12
    share = abs(offset) / 30.4
    mean = _MEAN[month - 1] * (1.0 - share) + _MEAN[other] * share
    spread = _HALF_RANGE[month - 1] * (1.0 - share) + _HALF_RANGE[other] * share
    days = np.arange(number - len(_SPELL) + 1, number + 1)
    drawn = _NORMAL.sample(draws.keys(draws.stream(config.seed, "weather/temperature"), days))
    anomaly = _SPELL_NORM * sum((_SPELL * drawn).tolist())
    return np.round(mean + anomaly + spread * _SHAPE[clock.local_hour], 1)


def is_stormy(config: WorldConfig, date: dt.date) -> bool:
    """Return whether a storm goes over the country on a day."""
    chance = _STORM_WINTER if date.month in _WINTER else _STORM_SUMMER
    key = draws.keys(draws.stream(config.seed, "weather/storm"), np.array([day_number(date)]))
    return bool(draws.chance(key, chance)[0])


def stress(degrees: Floats) -> Floats:
    """Return how much faster hardware fails at a temperature outdoors; 1 when it is mild.

    In heat 5 % more for each degree above 22 (Arrhenius with 0.45 eV near 300 K gives 6 %), in
    frost 6 % for each below -4: ice on antennas, connectors that shrink.
    """
    return 1.0 + 0.05 * np.maximum(degrees - 22.0, 0.0) + 0.06 * np.maximum(-4.0 - degrees, 0.0)
