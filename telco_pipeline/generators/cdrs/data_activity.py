"""When phones are connected for data: what restarts the timer of periodic location updates.

Belongs here: the stretches of activity of some entities. Does not belong here: the sessions
themselves (`data_sessions`, `data_usage`, `data_way`), the timer (`locations`).
"""

from typing import Final

import numpy as np

from telco_pipeline.behaviour.population import GERAN, MACHINE, RATS
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine.calendar import HOUR, SECOND
from telco_pipeline.generators.base import Events, Rows
from telco_pipeline.generators.cdrs.applications import LONGEST
from telco_pipeline.generators.cdrs.data_quality import least_factor
from telco_pipeline.generators.cdrs.data_sessions import TAIL
from telco_pipeline.generators.cdrs.data_usage import needed, starts, wanted
from telco_pipeline.generators.cdrs.data_way import sessions

# The slowest radio access of machines; of phones it is GERAN.
_NB_IOT: Final = RATS.index(Rat.NB_IOT)
_TIME_BITS: Final = 38


def activity(events: Events, quiet: int) -> tuple[Rows, Rows, Rows]:
    """Return when some entities are connected: entity, start and end, entity after entity.

    Only ends that matter are worked out: those near a silence. Elsewhere the end is the start. A
    session that finds no service stands among them, too: what it would start anew is started anew
    by the attach that follows when there is service again.

    Args:
        events: Sessions of `draw_sessions`.
        quiet: How long nothing starts in a silence, in microseconds.
    """
    if not len(events):
        return events.entity, events.time, events.time
    # Entities of a block differ by less than its size; times lie below two days.
    packed = ((events.entity - events.entity.min()) << _TIME_BITS) | events.time
    events = events.select(np.argsort(packed, kind="stable"))
    entity, start = events.entity, events.time
    silent = np.append(entity[1:] != entity[:-1], True)
    silent[:-1] |= start[1:] - start[:-1] >= quiet
    # An earlier session may outlast the one that starts last before a silence.
    last = np.flatnonzero(silent)
    last = np.repeat(last, np.diff(last, prepend=-1))
    near = np.flatnonzero(start >= start[last] - TAIL)
    near = near[start[near] + _longest(events.select(near)) >= start[last[near]]]
    end = start.copy()
    made, _, row = sessions(starts(events.select(near)), 0)
    end[near[row]] += made["duration"]
    return entity, start, end


def _longest(events: Events) -> Rows:
    """Return how long each session may last at most, wherever it is."""
    machine = events.day.inputs.population.kind[events.entity] == MACHINE
    drawn = wanted(events, events.time // HOUR)
    rat = np.where(machine, _NB_IOT, GERAN).astype(np.int8)
    slowest = needed(drawn, rat, least_factor(events.day))
    return np.maximum(np.minimum(slowest, LONGEST * SECOND), drawn["duration"])
