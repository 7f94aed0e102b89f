"""Devices at fault: the effect `malfunction` of scenario layers.

Belongs here: how likely a device of a target is to lose a radio link by its own fault, and when it
restarts. Does not belong here: what becomes of the call, session or registration then (`cdrs`,
`refusals`, `locations`), drops by the network (`state.network`).

A modem that fails releases nothing: the network sees a radio link lost, in whatever cell, at home,
abroad or over Wi-Fi, and writes the same causes as for any other loss.

A device that restarts is off for a minute or so. Its call and its sessions end; it attaches again,
and registers with the IMS anew. About half of the restarts are orderly, the operating system's:
the device detaches first and releases its sessions. At the others the firmware crashes, and nothing
is heard until the attach (practice). A restart lies within a day, so that no other day need know of
it.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, day_number, day_start
from telco_pipeline.engine.tables import PoissonTable
from telco_pipeline.scenarios.effects import Malfunction
from telco_pipeline.scenarios.story import StoryDay, Touch

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

# From switching off to the attach: a module takes half a minute, a smartphone up to two (practice).
_LEAST: Final = 25 * SECOND
_SPREAD: Final = 80 * SECOND
# Part of the restarts that the device's own system makes, so that it detaches first.
_ORDERLY: Final = 0.5
_HOURS: Final = 24


@dataclass(frozen=True)
class Restarts:
    """Times in which devices restart, in any order; those of one entity may overlap.

    Attributes:
        entity: Whose device.
        start, end: Microseconds since the start of the day: it is off from the one to the other.
        orderly: Whether it detaches first.
    """

    entity: Rows
    start: Rows
    end: Rows
    orderly: Flags


def lost_by_device(story: StoryDay, entity: Rows, time: Rows) -> Floats | None:
    """Return how likely devices are to lose a call or session of usual length by their own fault.

    Args:
        story: What the layers do on the day.
        entity: Entity numbers, or rows of the directory.
        time: Microseconds since the start of the day; of who is not asked for, any number.

    Returns:
        Additional probabilities; None where no layer has any.
    """
    kept = None
    for touch in story.of("malfunction"):
        drops = touch.amount(_effect(touch).drops)
        if drops == 0.0:
            continue
        rows, position = touch.among(entity)
        if rows.size:
            kept = np.ones(len(entity)) if kept is None else kept
            kept[rows] *= 1.0 - drops * touch.strength(position, time[rows] + day_start(story.date))
    return None if kept is None else 1.0 - kept


def restarts(story: StoryDay, poisson: PoissonTable) -> Restarts:
    """Return when devices restart on a day.

    Args:
        story: What the layers do on the day.
        poisson: Numbers of events.
    """
    found = [_restarts(touch, story.date, poisson) for touch in story.of("malfunction")]
    nothing = np.zeros(0, dtype=np.int64)
    found.append(Restarts(nothing, nothing, nothing, nothing.astype(np.bool_)))
    return Restarts(
        *(
            np.concatenate([getattr(one, name) for one in found])
            for name in ("entity", "start", "end", "orderly")
        )
    )


def _restarts(touch: Touch, date: dt.date, poisson: PoissonTable) -> Restarts:
    """Return the restarts of a day that one touch makes."""
    start = day_start(date)
    mean = touch.by_hour(date) * (touch.amount(_effect(touch).restarts) / _HOURS)
    row, hour = np.nonzero(mean)
    key = draws.events(touch.key[row], day_number(date) * _HOURS + hour)
    count = poisson.sample(draws.bits(key, "restarts"), mean[row, hour])
    each = np.repeat(np.arange(len(row)), count)
    number = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
    row, hour, key = row[each], hour[each], draws.events(key[each], number)
    lasts = _LEAST + draws.below(draws.bits(key, "lasts"), _SPREAD)
    first = np.maximum(hour * HOUR, touch.start[row] - start)
    last = np.minimum((hour + 1) * HOUR, touch.end[row] - start)
    when = first + (draws.uniform(draws.bits(key, "when")) * (last - first)).astype(np.int64)
    # The last ones of a day a little sooner, so that the device is back within it.
    when = np.minimum(when, DAY - 1 - lasts)
    kept = np.flatnonzero(when >= touch.start[row] - start)
    orderly = draws.chance(draws.bits(key, "orderly"), _ORDERLY)
    return Restarts(touch.rows[row[kept]], when[kept], (when + lasts)[kept], orderly[kept])


def _effect(touch: Touch) -> Malfunction:
    assert isinstance(touch.effect, Malfunction)
    return touch.effect
