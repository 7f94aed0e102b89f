"""More attaches and updates than usual: the effect `signalling` of scenario layers.

Belongs here: when devices ask the network more often than their timers and ways have them, and
which of their updates are left out where they ask less often. Does not belong here: the updates
themselves and what the network answers (`locations`).

A device that has gone astray starts over, so that it attaches anew, or updates as if its timer had
run out. How often is told by what is usual of people's phones and of machines, which report so
often that their timer hardly ever runs out.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import MACHINE
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR, day_start
from telco_pipeline.generators.base import Day, Rows
from telco_pipeline.scenarios.effects import Signalling
from telco_pipeline.scenarios.story import Touch

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

# Updates of an hour and device, in the mean over the day, measured in worlds without layers.
_USUAL: Final = 5.3 / 24
_USUAL_OF_MACHINES: Final = 0.385 / 24
# Part of the additional ones with which a device starts over.
_ANEW: Final = 0.45
_HOURS: Final = 24
_MOST: Final = 3000
"""Additional ones of a device and day: one every half a minute."""


@dataclass(frozen=True)
class Unrest:
    """Additional attaches and updates, entity after entity and in order of time.

    Attributes:
        entity: Whose device.
        number: Number among those of its entity and day.
        time: Microseconds since the start of the day.
        anew: Whether the device attaches anew; else it updates.
    """

    entity: Rows
    number: Rows
    time: Rows
    anew: Flags


def additional(day: Day, entities: Rows) -> Unrest:
    """Return the additional attaches and updates of some entities (rising) on a day."""
    touches = day.story.of("signalling")
    factor = np.ones((len(entities), _HOURS))
    machine = day.inputs.population.kind[entities] == MACHINE
    usual = np.where(machine, _USUAL_OF_MACHINES, _USUAL)
    entity: list[Rows] = [np.zeros(0, np.int64)]
    time: list[Rows] = [np.zeros(0, np.int64)]
    anew: list[Flags] = [np.zeros(0, np.bool_)]
    for touch in touches:
        touch = touch.select(np.isin(touch.rows, entities))
        if not len(touch):
            continue
        place = np.searchsorted(entities, touch.rows)
        more = touch.by_hour(day.date) * (_factor(touch) - 1.0)
        mean = np.maximum(more, 0.0) * factor[place] * usual[place, None]
        factor[place] *= 1.0 + more
        row, when, key = _moments(day, touch, mean)
        entity.append(touch.rows[row])
        time.append(when)
        anew.append(draws.chance(draws.bits(key, "anew"), _ANEW))
    who, when = np.concatenate(entity), np.concatenate(time)
    order = np.lexsort((when, who))
    who = who[order]
    number = np.arange(len(who)) - np.searchsorted(who, who, side="left")
    kept = np.flatnonzero(number < _MOST)
    order = order[kept]
    return Unrest(who[kept], number[kept], when[order], np.concatenate(anew)[order])


def left_out(day: Day, entity: Rows, time: Rows, key: draws.Bits) -> Flags:
    """Return which of some updates are left out, as devices ask less often than usual."""
    kept = np.ones(len(entity))
    for touch in day.story.of("signalling"):
        position = np.minimum(np.searchsorted(touch.rows, entity), len(touch) - 1)
        rows = np.flatnonzero(touch.rows[position] == entity)
        strength = touch.strength(position[rows], time[rows] + day_start(day.date))
        kept[rows] *= 1.0 - strength * max(1.0 - _factor(touch), 0.0)
    return ~draws.chance(draws.bits(key, "asks"), kept)


def _factor(touch: Touch) -> float:
    assert isinstance(touch.effect, Signalling)
    return touch.amount(touch.effect.factor)


def _moments(day: Day, touch: Touch, mean: Floats) -> tuple[Rows, Rows, draws.Bits]:
    """Return when the targets of a touch ask: position, microseconds of the day, and a hash.

    Args:
        day: The day.
        touch: The touch.
        mean: Expected number of each target in each hour, [targets, 24].
    """
    start = day_start(day.date)
    row, hour = np.nonzero(mean)
    key = draws.events(touch.key[row], day.number * _HOURS + hour)
    count = day.inputs.poisson.sample(draws.bits(key, "count"), mean[row, hour])
    each = np.repeat(np.arange(len(row)), count)
    number = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
    row, hour, key = row[each], hour[each], draws.events(key[each], number)
    first = np.maximum(hour * HOUR, touch.start[row] - start)
    last = np.minimum((hour + 1) * HOUR, touch.end[row] - start)
    part = draws.uniform(draws.bits(key, "when"))
    return row, first + (part * (last - first)).astype(np.int64), key
