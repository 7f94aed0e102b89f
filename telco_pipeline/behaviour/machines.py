"""Machines that report by the clock: when a meter or a sensor sends.

Belongs here: the schedules of machines that stay where they are. Does not belong here: what they
send (`generators.cdrs.data_sessions`), vehicles, which send while used (`behaviour.rhythm`).

A machine reports once a period of its own, counted through from the first day on, so that nothing
shows where a day ends. Meters read their register when the clock strikes and send it within
seconds: all of them together make the bursts on the hour and the quarter that operators see
(Shafiq et al., SIGMETRICS 2012). Sensors run free, each with a phase of its own.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import MACHINE, Population
from telco_pipeline.behaviour.rhythm import Window
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.settings import WorldConfig

# Machines of personas that report up to six times a day read registers (metering, practice): most
# of them by the clock. What reports more often runs free, for the most part.
_METERS_MOST: Final = 6.0
_BY_CLOCK_METER: Final = 0.85
_BY_CLOCK_SENSOR: Final = 0.15
# Of those, how many know the full hour only; the others know quarters, and five minutes when they
# report that often.
_HOURLY: Final = 0.7
_STROKES: Final = (HOUR, HOUR // 4, HOUR // 12)
# Seconds that a machine is late after the clock, always about the same, and by how much it varies.
_LATE: Final = 40
_JITTER: Final = 3
# The rhythms of people and firms: who follows one has no schedule.
_HUMAN_RHYTHMS: Final = ("day", "office")

LONGEST_DELAY: Final = (_LATE + _JITTER) * SECOND
"""A report starts at most this much later than its turn, in microseconds."""


@dataclass(frozen=True)
class Reports:
    """Reports of some machines in a window of a day.

    Attributes:
        row: Position of the machine in the array that was asked for.
        index: Index of the report within its machine and window, from 0.
        time: Microseconds since the start of the UTC day; up to `LONGEST_DELAY` after the window.
    """

    row: npt.NDArray[np.int64]
    index: npt.NDArray[np.int64]
    time: npt.NDArray[np.int64]


def report_by_schedule(
    config: WorldConfig, population: Population, entities: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return which entities report by a schedule: machines that stay where they are."""
    personas = config.personas.values()
    free = np.array([persona.rhythm not in _HUMAN_RHYTHMS for persona in personas])
    stays = (population.work[entities] < 0) & (population.kind[entities] == MACHINE)
    return stays & free[population.persona[entities]]


def reports(
    config: WorldConfig,
    population: Population,
    entities: npt.NDArray[np.int64],
    day_number: int,
    window: Window,
    weight: float,
    most: int,
) -> Reports:
    """Return the reports of machines in a window of a day, machine after machine.

    The mean number of reports a day is that of the persona times the personal level.

    Args:
        config: The world.
        population: Its population.
        entities: Entity numbers of machines.
        day_number: Number of the UTC day.
        window: The stretch of the day; each report has its turn in one.
        weight: Factor of the number of reports.
        most: Most reports of a machine in the window.
    """
    rates = np.array([persona.sessions for persona in config.personas.values()])
    rate = rates[population.persona[entities]]
    mean = rate * weight * population.level[entities]
    sends = np.flatnonzero(mean > 0)
    entities, rate, mean = entities[sends], rate[sends], mean[sends]
    keys = draws.keys(draws.stream(config.seed, "machine/schedule"), entities)
    shortest = (window.stop - window.start) // most + 1
    # Rarer than once in a year is never.
    period = np.clip(DAY / np.maximum(mean, 1 / 366), shortest, 366 * DAY).astype(np.int64)
    phase = (draws.uniform(draws.bits(keys, "phase")) * period).astype(np.int64)
    start, stop = (day_number * DAY + border for border in (window.start, window.stop))
    first = -((phase - start) // period)
    count = -((phase - stop) // period) - first
    row = np.repeat(np.arange(len(entities)), count)
    index = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    turn = phase[row] + (first[row] + index) * period[row]
    stroke = _stroke(keys, rate, period)[row]
    time = turn - turn % stroke + _delay(keys, period, turn, row)
    return Reports(sends[row], index, time - day_number * DAY)


def _stroke(
    keys: draws.Bits, rate: npt.NDArray[np.float64], period: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the strokes of the clock that each machine waits for; 1 for who runs free."""
    share = np.where(rate <= _METERS_MOST, _BY_CLOCK_METER, _BY_CLOCK_SENSOR)
    by_clock = draws.chance(draws.bits(keys, "by clock"), share)
    hourly = draws.chance(draws.bits(keys, "hourly"), _HOURLY)
    hour, quarter, shortest = _STROKES
    known = np.select(
        [hourly & (period >= hour), period >= quarter, period >= shortest], _STROKES, 1
    )
    return np.where(by_clock, known, 1)


def _delay(
    keys: draws.Bits,
    period: npt.NDArray[np.int64],
    turn: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Return how late each report is: the machine's own delay, mostly short, and a jitter."""
    habit = draws.uniform(draws.bits(keys, "late"))
    # Of who reports within the minute, reports must not overtake each other.
    late = np.minimum(_LATE * SECOND * habit * habit, period // 4).astype(np.int64)
    jitter = np.minimum(_JITTER * SECOND, period // 4)[row]
    bits = draws.bits(draws.events(keys[row], turn // SECOND), "jitter")
    return late[row] + draws.below(bits, jitter)
