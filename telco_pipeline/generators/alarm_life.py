"""Alarms as they live: raised, risen in severity, cleared, each with its times.

Belongs here: what an alarm is, and its number. Does not belong here: where alarms come from
(`alarm_faults`, `alarm_thresholds`, `alarm_nuisances`), the notifications of a day (`alarms`),
texts (`alarm_kinds`).

An alarm is the same on whichever day it is looked at: its number is made from the day on which its
cause begins, what it is about, the strand of the fault (`state.hazards`) or the hour, and the kind
of alarm.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import ENTITY_BITS, INDEX_BITS, pack
from telco_pipeline.generators.alarm_kinds import ALARM_KINDS
from telco_pipeline.generators.base import Day, Rows

Floats = npt.NDArray[np.float64]

NEVER: Final = 1 << 60
NONE: Final = -1
CHANGES: Final = 2
"""Most changes of severity of an alarm."""

# Sources of alarms, the first part of an alarm's number.
OF_FAULTS, OF_THRESHOLDS, OF_ITSELF = range(3)
KIND_BITS: Final = 5
DAY_SHIFT: Final = np.int64(ENTITY_BITS + INDEX_BITS)
CAUSES: Final = np.array([kind.cause for kind in ALARM_KINDS])


@dataclass(frozen=True)
class Alarms:
    """Alarms, each with its whole life as far as it is known; one array element each.

    Times are microseconds since 1970-01-01 UTC, `NEVER` for what does not happen or is not known
    yet.

    Attributes:
        number: What the alarm's id is made from.
        kind: `Kind`.
        element: Row of the element that is at fault, or manages what is.
        about: Row of the element that it is about (differs where a neighbour reports).
        cell: Row of the cell that it is about, -1 for none.
        cause: Probable cause.
        raised: When it is raised.
        severity: Severity as raised, and after each change, shape (alarms, 1 + CHANGES).
        changed: When its severity changes, shape (alarms, CHANGES).
        cleared: When it is cleared.
        root: Number of the alarm behind it; -1 for none.
        is_root: Whether others point to it.
        announced: Whether it comes from announced work.
        value: Observed values when raised, changed and cleared, shape (alarms, 2 + CHANGES); NaN
            for alarms without threshold.
        repeats: Equal reports at the same times, shape (alarms, 2 + CHANGES); 0 where the time
            since it was raised tells.
    """

    number: Rows
    kind: Rows
    element: Rows
    about: Rows
    cell: Rows
    cause: Rows
    raised: Rows
    severity: Rows
    changed: Rows
    cleared: Rows
    root: Rows
    is_root: npt.NDArray[np.bool_]
    announced: npt.NDArray[np.bool_]
    value: Floats
    repeats: Rows

    def __len__(self) -> int:
        """Return the number of alarms."""
        return len(self.number)

    def select(self, chosen: npt.NDArray) -> "Alarms":
        """Return some of the alarms (mask or row numbers)."""
        return Alarms(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})

    @classmethod
    def joined(cls, lists: "list[Alarms]") -> "Alarms":
        """Put alarms behind each other."""
        names = cls.__dataclass_fields__
        return cls(
            **{name: np.concatenate([getattr(one, name) for one in lists]) for name in names}
        )


def numbers(source: int, day: Rows, entity: Rows, within: Rows, kind: Rows) -> Rows:
    """Return the numbers of alarms.

    Args:
        source: Where they come from.
        day: Day number on which the cause begins.
        entity: What they are about: row of the element, or of the cell behind all elements.
        within: What tells those of one day, entity and kind apart: below 32, or of faults 1,024.
        kind: Kind of alarm.
    """
    # `pack` takes one day for all: the day of each is added.
    return pack(source, 0, entity, (within << KIND_BITS) | kind) + (day << DAY_SHIFT)


def made(number: Rows, kind: Rows, **columns: npt.NDArray) -> Alarms:
    """Return alarms, with what most of them lack filled in.

    Args:
        number: Their numbers.
        kind: Their kinds.
        columns: The columns of `Alarms` that differ from what is filled in here.
    """
    count = len(number)
    filled: dict[str, npt.NDArray] = {
        "cell": np.full(count, NONE),
        "root": np.full(count, NONE),
        "is_root": np.zeros(count, dtype=np.bool_),
        "announced": np.zeros(count, dtype=np.bool_),
        "changed": np.full((count, CHANGES), NEVER),
        "value": np.full((count, 2 + CHANGES), np.nan),
        "repeats": np.zeros((count, 2 + CHANGES), dtype=np.int64),
        "about": columns["element"],
        **columns,
    }
    return Alarms(number=number, kind=kind.astype(np.int64), **filled)


def severities(first: Rows, later: Rows) -> Rows:
    """Return severities as raised and after each change."""
    return np.column_stack([first, *[later] * CHANGES])


def one_change(when: Rows) -> Rows:
    """Return the times of the changes of alarms that change once at most."""
    return np.column_stack([when, *[np.full(len(when), NEVER)] * (CHANGES - 1)])


def alarm_keys(day: Day, number: Rows) -> Bits:
    """Return the hash of each alarm, the same on all days, from its number."""
    return draws.keys(draws.stream(day.inputs.config.seed, "alarm"), number)


def delay(key: Bits, aspect: str, limits: tuple[int, int]) -> Rows:
    """Return delays in microseconds, whole milliseconds."""
    first, span = limits
    return first * SECOND + draws.below(draws.bits(key, aspect), span * 1000) * (SECOND // 1000)
