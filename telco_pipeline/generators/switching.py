"""When phones go off and on during a day: nights, borders, visitors, the life of a subscription.

Belongs here: the moments of one day, in order, that detach, attach and registration share. Does
not belong here: who is away when (`behaviour.mobility`), the records.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.generators.base import Day, Rows

# The day is followed from a little before it to a little after: what is drawn may lie beside the
# moment itself.
_MARGIN: Final = 2 * SECOND
_MOST: Final = 12  # a flight through the night: off, on, off, on, ...
CHANGE: Final = _MOST
"""Number of the moment at which a subscription ends or begins, or is suspended or resumed; its time
is the last microsecond of service, or the first."""

MOST_SWITCHES: Final = _MOST + 1
"""Above the number of any moment."""


@dataclass(frozen=True)
class Switches:
    """Moments at which phones go off or on.

    Attributes:
        entity: Whose phone.
        number: Number of the moment within its entity and day.
        time: Microseconds since the start of the day; from the moment on the phone is on, or off.
        on: Whether it is on.
        abroad: Whether it is, or was until then, in a network abroad.
    """

    entity: Rows
    number: Rows
    time: Rows
    on: npt.NDArray[np.bool_]
    abroad: npt.NDArray[np.bool_]


def switches(day: Day, entities: Rows) -> Switches:
    """Return the moments of a day, from two seconds before it to two after it.

    Args:
        day: The day.
        entities: Entity numbers.
    """
    mobility = day.mobility
    entity = entities[mobility.may_go(entities)]
    time = np.full(len(entity), -_MARGIN)
    off = mobility.switched_off(entity, time)
    found = [_changes(day, entities)]
    for number in range(_MOST):
        wait = np.empty_like(time)
        wait[off] = mobility.until_on(entity[off], time[off])
        wait[~off] = mobility.until_gone(entity[~off], time[~off])
        time = time + wait
        rows = np.flatnonzero(time < DAY + _MARGIN)
        if not rows.size:
            break
        entity, time, off = entity[rows], time[rows], ~off[rows]
        there = mobility.at(entity, np.where(off, time - 1, time)).abroad
        served = day.in_service(entity, time)
        kept = np.flatnonzero(served)
        found.append(
            Switches(
                entity[kept],
                np.full(len(kept), number),
                time[kept],
                ~off[kept],
                there[kept],
            )
        )
    return Switches(
        *(
            np.concatenate([getattr(one, name) for one in found])
            for name in ("entity", "number", "time", "on", "abroad")
        )
    )


def _changes(day: Day, entities: Rows) -> Switches:
    """Return where subscriptions go out of service or come into it, while the phone is on."""
    customers = day.customers
    entity = entities[customers.change[entities] >= 0]
    time = customers.change_time[entity]
    before, after = day.in_service(entity, time - 1), day.in_service(entity, time)
    rows = np.flatnonzero(before != after)
    entity, on = entity[rows], after[rows]
    time = np.where(on, time[rows], time[rows] - 1)
    rows = np.flatnonzero(~day.mobility.switched_off(entity, time))
    entity, time, on = entity[rows], time[rows], on[rows]
    abroad = day.mobility.at(entity, time).abroad
    return Switches(entity, np.full(len(entity), CHANGE), time, on, abroad)
