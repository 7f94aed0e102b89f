"""On other terms than the plan's: the effects `qos` and `unrated` of scenario layers.

Belongs here: which sessions are served with another quality of service, and which records of use
abroad mediation is not to rate. Does not belong here: what the plan says (`data`), what a rate
makes of a session (`data_quality`, `data_usage`), which records are rated otherwise (`voice`,
`data`).

The network serves a session as it was told to, whatever the plan says: the bearer has that QCI, and
the scheduler gives it its part of the rate. Access point and slice stay those of the plan, unless
the subscriber has the profile of another one. Whether it is rated is always as the plan has it.

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
OWN_PLAN: Final = -1
"""Instead of a plan: the subscriber's own."""


@dataclass(frozen=True)
class Terms:
    """Quality of service of sessions.

    Attributes:
        plan: Row of the plan as which they are served, `OWN_PLAN` for the subscriber's.
        qci: QCI or 5QI, `AS_PLANNED` for the plan's.
        rate: Factor on the rate that the radio access gives.
    """

    plan: npt.NDArray[np.int32]
    qci: npt.NDArray[np.int16]
    rate: npt.NDArray[np.float32]


def may_differ(inputs: Inputs) -> bool:
    """Return whether any session of the world may be served on other terms than the plan's."""
    return "qos" in inputs.story.effects


def terms(day: Day, entity: Rows, time: Rows) -> Terms:
    """Return the terms on which sessions are served that start at a time of a day.

    Factors multiply; of several plans and QCIs those of the touch count that began last.

    Args:
        day: The day.
        entity: Entity numbers.
        time: Microseconds since the start of the day.
    """
    plan = np.full(len(entity), OWN_PLAN, dtype=np.int32)
    qci, rate = np.zeros(len(entity), dtype=np.int16), np.ones(len(entity), dtype=np.float32)
    since = np.full(len(entity), np.iinfo(np.int64).min)
    for touch in sorted(day.story.of("qos"), key=lambda touch: touch.incident.key):
        effect = touch.effect
        assert isinstance(effect, Qos)
        rows, position = _touched(touch, day, entity, time)
        rate[rows] *= np.float32(touch.amount(effect.rate))
        if effect.plan is None and effect.qci is None:
            continue
        later = touch.start[position] >= since[rows]
        rows, position = rows[later], position[later]
        qci[rows], since[rows] = effect.qci or AS_PLANNED, touch.start[position]
        plan[rows] = OWN_PLAN if effect.plan is None else _row_of(day.inputs, effect.plan)
    return Terms(plan, qci, rate)


def _row_of(inputs: Inputs, plan_id: str) -> int:
    """Return the row of a plan."""
    return int((inputs.plans["plan_id"] == plan_id).arg_true()[0])


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
