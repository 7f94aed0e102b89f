"""On other terms than the plan's: the effects `qos` and `unrated` of scenario layers.

Belongs here: which sessions are served with another quality of service, and which records of use
abroad mediation is not to rate. Does not belong here: what the plan says (`data`), what a rate
makes of a session (`data_quality`, `data_usage`), which records are rated otherwise (`voice`,
`data`).

The network serves a session as it was told to, whatever the plan says: the bearer has that QCI, and
the scheduler gives it its part of the rate. Access point, slice and whether it is rated stay those
of the plan.

What is not to be rated is not `chargeable`, as the gateway that wrote the record had it by its
charging characteristics (TS 32.298): mediation leaves such records out before rating. It counts for
all partial records of a session that are opened in the time, and for voice at home nothing changes.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import day_start
from telco_pipeline.generators.base import Day, Inputs, Rows
from telco_pipeline.scenarios.effects import Qos, Unrated
from telco_pipeline.scenarios.story import Touch

AS_PLANNED: Final = 0
"""Instead of a QCI: that of the plan."""


@dataclass(frozen=True)
class Terms:
    """Quality of service of sessions.

    Attributes:
        qci: QCI or 5QI, `AS_PLANNED` for the plan's.
        rate: Factor on the rate that the radio access gives.
    """

    qci: npt.NDArray[np.int16]
    rate: npt.NDArray[np.float32]


def may_differ(inputs: Inputs) -> bool:
    """Return whether any session of the world may be served on other terms than the plan's."""
    return "qos" in inputs.story.effects


def terms(day: Day, entity: Rows, time: Rows) -> Terms:
    """Return the terms on which sessions are served that start at a time of a day.

    Factors multiply; of several QCIs that of the touch counts that began last.

    Args:
        day: The day.
        entity: Entity numbers.
        time: Microseconds since the start of the day.
    """
    qci, rate = np.zeros(len(entity), dtype=np.int16), np.ones(len(entity), dtype=np.float32)
    since = np.full(len(entity), np.iinfo(np.int64).min)
    for touch in sorted(day.story.of("qos"), key=lambda touch: touch.incident.key):
        assert isinstance(touch.effect, Qos)
        rows, position = _touched(touch, day, entity, time)
        rate[rows] *= np.float32(touch.amount(touch.effect.rate))
        later = touch.start[position] >= since[rows]
        rows, position = rows[later], position[later]
        qci[rows], since[rows] = touch.effect.qci, touch.start[position]
    return Terms(qci, rate)


def unrated(day: Day, entity: Rows, time: Rows, key: draws.Bits) -> Rows:
    """Return the positions of records of use abroad that are marked as not to be rated.

    Args:
        day: The day of the records.
        entity: Whose they are.
        time: Microseconds since the start of the day.
        key: Hash of each; of partial records, of their session.
    """
    touches = day.story.of("unrated")
    if not touches:
        return np.zeros(0, dtype=np.int64)
    rated = np.ones(len(entity))
    for touch in touches:
        assert isinstance(touch.effect, Unrated)
        rows, _ = _touched(touch, day, entity, time)
        rated[rows] *= 1.0 - touch.amount(touch.effect.share)
    return np.flatnonzero(draws.chance(draws.bits(key, "unrated"), 1.0 - rated))


def _touched(touch: Touch, day: Day, entity: Rows, time: Rows) -> tuple[Rows, Rows]:
    """Return which records a touch holds for, and the positions of their targets."""
    position = np.minimum(np.searchsorted(touch.rows, entity), len(touch) - 1)
    rows = np.flatnonzero(touch.rows[position] == entity)
    position, when = position[rows], time[rows] + day_start(day.date)
    inside = (touch.start[position] <= when) & (when < touch.end[position])
    return rows[inside], position[inside]
