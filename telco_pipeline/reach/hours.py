"""Hours of UTC days as bits, one number for each subscriber or cell.

Belongs here: putting days beside each other, and what reaches some hours further. Does not belong
here: what is met in an hour (`felt`).

Hours of a day are the bits 0 to 23. Of three days beside each other, `around`, the eve has the bits
0 to 23, the day 24 to 47 and the first hours of the day after the rest.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine.calendar import HOUR

Hours = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.int64]

HOURS: Final = 24
ONE: Final = np.uint64(1)
ALL_DAY: Final = np.uint64((1 << HOURS) - 1)
DAY_BITS: Final = np.uint64(HOURS)
_TWO_DAYS: Final = np.uint64(2 * HOURS)
LAST: Final = np.uint64(HOURS - 1)


def none(size: int) -> Hours:
    """Return no hour for so many."""
    return np.zeros(size, dtype=np.uint64)


def all_day(flags: npt.NDArray[np.bool_]) -> Hours:
    """Return all hours of some, and none of the others."""
    return np.where(flags, ALL_DAY, np.uint64(0))


def whole(duration: int) -> int:
    """Return in how many hours beside its own something may lie that is so long: microseconds."""
    return -(-duration // HOUR)


def since(start: Rows, day_start: int) -> Hours:
    """Return the hours of a day from some moments on.

    Args:
        start: Microseconds since 1970.
        day_start: Start of the day, likewise.
    """
    hour = np.clip((start - day_start) // HOUR, 0, HOURS).astype(np.uint64)
    return ALL_DAY & ~((ONE << hour) - ONE)


def between(first: Rows, last: Rows) -> Hours:
    """Return the hours from one to another, both included."""
    return (ONE << (last.astype(np.uint64) + ONE)) - (ONE << first.astype(np.uint64))


def around(eve: Hours, day: Hours, after: Hours) -> Hours:
    """Put three days beside each other."""
    return eve | (day << DAY_BITS) | (after << _TWO_DAYS)


def today(beside: Hours) -> Hours:
    """Return the day of three that lie beside each other."""
    return (beside >> DAY_BITS) & ALL_DAY


def later(beside: Hours, hours: int) -> Hours:
    """Return hours and so many after each."""
    found = beside.copy()
    for _ in range(hours):
        found |= found << ONE
    return found


def earlier(beside: Hours, hours: int) -> Hours:
    """Return hours and so many before each."""
    found = beside.copy()
    for _ in range(hours):
        found |= found >> ONE
    return found


def at(bits: Hours, hour: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Return whether each has an hour of its own among its hours."""
    return (bits >> hour.astype(np.uint64)) & ONE > 0
