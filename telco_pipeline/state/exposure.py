"""Exposure: the bad service that customers meet on a UTC day.

Belongs here: how bad a cell is in an hour, when somebody would use it at home and at work, and
what both together make of the day. Does not belong here: how the network comes to be so
(`network`), what customers think of it (`customers`).

Exposure is expected, not drawn: 1 stands for an hour without any service in which the customer
would have used it as much as in his busiest hour. Everything is summed in whole numbers, so that
no order of a sum can show.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import Topic
from telco_pipeline.engine.calendar import HOUR, DayClock
from telco_pipeline.settings import Rhythm, WorldConfig
from telco_pipeline.state.network import HOURS, NetworkDay

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_TOPICS: Final = tuple(Topic)
CAUSES: Final = np.array(
    [
        _TOPICS.index(topic)
        for topic in (Topic.OUTAGE, Topic.DROPPED_CALLS, Topic.BLOCKED_CALLS, Topic.SLOW_DATA)
    ]
)
"""What each row of `Badness.parts` is felt as: positions in `Topic`."""
OUTAGE, DROPPED, BLOCKED, SLOW = range(4)

_BAD: Final = 10_000  # whole units of badness that are an hour without service
_SHARE: Final = 1_000  # whole units of a weight of hours that are full use

# What customers feel of a fault, our own weights. A cell that is out of service is missed in full
# where nothing takes over; elsewhere the phone holds on to a weaker cell, above all indoors.
_COVERED: Final = 0.5
# Levels that a customer of a healthy network lives with (practice: set-up success 99 %, drops of
# 0.3 to 0.5 % of the calls, twice that in a busy hour): only what exceeds them is noticed.
_HEALTHY_BLOCK: Final = 0.01
_HEALTHY_DROP: Final = 0.01
_HEALTHY_CORE: Final = 0.005
# A lost call annoys more than one that has to be tried again.
_DROP_WEIGHT: Final = 2.0
# Below this part of an empty cell's rate videos stop; a rate of nothing is 0.3 of an outage.
_SLOW_BELOW: Final = 0.3
_SLOW_WEIGHT: Final = 0.3

# Where the phone is, by local hour: parts of the time at home and at work, ours; the rest is on
# the way and elsewhere, where nobody knows beforehand which cell it will be.
_WORK_HOURS: Final = slice(9, 17)
_AT_WORK: Final = 0.75
_HOME_OF_WORKER: Final = (*[0.9] * 7, 0.5, 0.3, *[0.1] * 8, 0.5, 0.6, *[0.75] * 5)
_HOME_OF_OTHERS: Final = (*[0.95] * 8, *[0.7] * 12, *[0.8] * 4)
_HOME_ON_FREE_DAY: Final = (*[0.9] * 9, *[0.6] * 10, *[0.75] * 5)


@dataclass(frozen=True)
class Exposure:
    """Bad service of one UTC day, by cell and kind of use.

    Attributes:
        parts: How bad each cell is in each hour by cause (`CAUSES`), in 1/10,000 of an hour
            without service, shape (4, cells, 24).
        fault: Fault that hits each cell hardest in each hour, -1 none; shape (cells, 24).
        rhythm: Row of the rhythm of each persona.
        home: Weights of the hours at home in 1/1,000, shape (2 x rhythms, 24): of those without
            and with a work place, rhythm by rhythm.
        work: The same at work, shape (rhythms, 24).
        at_home: Exposure of a day at home by cell and row of `home`, in 1/10,000,000.
        at_work: The same at work; a last row of zeros is that of no cell.
    """

    parts: Rows
    fault: Rows
    rhythm: Rows
    home: Rows
    work: Rows
    at_home: Rows
    at_work: Rows

    @classmethod
    def of(cls, config: WorldConfig, network: NetworkDay, clock: DayClock) -> Self:
        """Work out a day's exposure by cell.

        Args:
            config: The world.
            network: The network on the day.
            clock: Local time on the day.
        """
        parts = badness(network)
        bad = np.minimum(parts.sum(axis=0), _BAD)
        rhythm, home, work = _hour_weights(config, clock)
        nowhere = np.zeros((1, len(work)), dtype=np.int64)
        at_work = np.concatenate([_weighted(bad, work), nowhere])
        return cls(parts, network.fault, rhythm, home, work, _weighted(bad, home), at_work)

    def of_day(
        self, persona: Rows, home: npt.NDArray[np.int32], work: npt.NDArray[np.int32]
    ) -> Floats:
        """Return the exposure of the day of each customer, four decimals.

        Args:
            persona: Position of the persona in world.yaml.
            home: Row of the home cell.
            work: Row of the work cell, -1 without one.
        """
        row = self.rhythm[persona]
        met = self.at_home[home, 2 * row + (work >= 0)] + self.at_work[work, row]
        return np.rint(met / (_BAD * _SHARE / 1e4)) / 1e4

    def worst(
        self, persona: Rows, home: npt.NDArray[np.int32], work: npt.NDArray[np.int32]
    ) -> tuple[Rows, Rows, npt.NDArray[np.int8]]:
        """Return what of the day weighs most for some customers (arguments: `of_day`).

        Returns:
            Row of the cell, UTC hour, and what it is felt as (position in `Topic`). The earliest
            hour of equal ones, at home before at work.
        """
        row = self.rhythm[persona]
        bad = np.minimum(self.parts.sum(axis=0), _BAD)
        both = np.concatenate(
            [
                bad[home] * self.home[2 * row + (work >= 0)],
                np.where((work >= 0)[:, None], bad[work] * self.work[row], 0),
            ],
            axis=1,
        )
        place = np.argmax(both, axis=1)
        cell = np.where(place < HOURS, home, work).astype(np.int64)
        hour = place % HOURS
        cause = np.argmax(self.parts[:, cell, hour], axis=0)
        return cell, hour, CAUSES[cause].astype(np.int8)


def badness(network: NetworkDay) -> Rows:
    """Return how bad each cell is in each hour by cause (`Exposure.parts`)."""
    get = network.measures
    drop = _DROP_WEIGHT * _above(get["drop_probability"], _HEALTHY_DROP)
    block = _above(get["block_probability"], _HEALTHY_BLOCK)
    block = block + _above(get["voice_failure"], _HEALTHY_CORE)
    slow = _SLOW_WEIGHT * _above(_SLOW_BELOW - get["throughput_factor"], 0.0) / _SLOW_BELOW
    slow = slow + _above(get["data_failure"], _HEALTHY_CORE)
    out = _outage_parts(network)
    # Of a cell that is out of service only that is noticed.
    there = 1.0 - np.minimum(out, 1.0)
    parts = np.stack([out, drop * there, block * there, slow * there])
    return np.rint(np.minimum(parts, 1.0) * _BAD).astype(np.int64)


def _above(values: npt.NDArray[np.floating], level: float) -> Floats:
    return np.maximum(values.astype(np.float64) - level, 0.0)


def _outage_parts(network: NetworkDay) -> Floats:
    """Return the part of each hour that each cell is out of service, less where it is covered.

    Of a cell that has lost coverage it is the part of those who live at it that it does not reach.
    """
    lost = np.zeros((network.cells, HOURS))
    if network.coverage is not None:
        cell, hour = np.nonzero(network.coverage.left < 1.0)
        takers = network.takers[cell]
        down = network.is_down(takers.ravel(), np.repeat(hour * HOUR, takers.shape[1]))
        covered = ((takers >= 0) & ~down.reshape(takers.shape)).any(axis=1)
        beyond = 1.0 - network.coverage.left[cell, hour]
        lost[cell, hour] = beyond * np.where(covered, _COVERED, 1.0)
    start, end = network.outage_start, network.outage_end
    if not len(start):
        return lost
    first = start // HOUR
    count = np.maximum((end - 1) // HOUR - first + 1, 0)
    which = np.repeat(np.arange(len(start)), count)
    hour = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    low = np.maximum(start[which], hour * HOUR)
    high = np.minimum(end[which], (hour + 1) * HOUR)
    cell = network.outage_cell[which]
    covered = network.serving(cell, (low + high) // 2) >= 0
    part = (high - low) / HOUR * np.where(covered, _COVERED, 1.0)
    # One after the other: a cell may be out of service twice in an hour.
    np.add.at(lost, (cell, hour), part)
    return lost


def _hour_weights(config: WorldConfig, clock: DayClock) -> tuple[Rows, Rows, Rows]:
    """Return the row of each persona's rhythm, and the weights of the hours (`Exposure`)."""
    names = list(dict.fromkeys(persona.rhythm for persona in config.personas.values()))
    use = np.stack([_use(config, name, clock) for name in names])
    hour, free = clock.local_hour, clock.free_day
    off_day = np.array(_HOME_ON_FREE_DAY)[hour]
    worker = np.where(free, off_day, np.array(_HOME_OF_WORKER)[hour])
    other = np.where(free, off_day, np.array(_HOME_OF_OTHERS)[hour])
    on_duty = np.zeros(HOURS)
    on_duty[_WORK_HOURS] = _AT_WORK
    at_work = np.where(free, 0.0, on_duty[hour])
    home = np.stack([use * other, use * worker], axis=1).reshape(-1, HOURS)
    row = np.array([names.index(persona.rhythm) for persona in config.personas.values()])
    return row, _whole(home), _whole(use * at_work)


def _whole(weights: Floats) -> Rows:
    return np.rint(weights * _SHARE).astype(np.int64)


def _use(config: WorldConfig, name: str, clock: DayClock) -> Floats:
    """Return how much a rhythm uses the phone in each UTC hour, 1 in the busiest of a weekday.

    Who lives by the day's rhythms telephones and uses data: the mean of both.
    """
    rhythms = [config.rhythms[kind] for kind in (("calls", "data") if name == "day" else (name,))]
    weekday = _mean([_shares(rhythm, free=False) for rhythm in rhythms])
    weekend = _mean([_shares(rhythm, free=True) for rhythm in rhythms])
    busiest = max(float(weekday.max()), 1e-9)
    use = np.where(clock.free_day, weekend[clock.local_hour], weekday[clock.local_hour])
    return np.minimum(use / busiest, 1.0)


def _shares(rhythm: Rhythm, free: bool) -> Floats:
    hours = np.array(rhythm.weekend if free else rhythm.weekday, dtype=np.float64)
    return hours / max(sum(rhythm.weekend if free else rhythm.weekday), 1e-9)


def _mean(shares: list[Floats]) -> Floats:
    return shares[0] if len(shares) == 1 else (shares[0] + shares[1]) / 2.0


def _weighted(bad: Rows, weights: Rows) -> Rows:
    """Return the weighted sums of the hours, shape (cells, rows of weights)."""
    if not bad.any():
        return np.zeros((len(bad), len(weights)), dtype=np.int64)
    found = np.zeros((len(bad), len(weights)), dtype=np.int64)
    # Few cells are bad at all on a day.
    some = np.flatnonzero(bad.any(axis=1))
    found[some] = bad[some] @ weights.T
    return found
