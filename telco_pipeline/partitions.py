"""Partitions: which days exist, and how a day is named.

Belongs here: the daily partitions and the way between partition keys and dates. Does not belong
here: what lies in a day's partition (`contracts`), where it lies (`lake`).
"""

import datetime as dt
from collections.abc import Iterable

import dagster as dg


def daily_partitions(epoch: dt.date, until: dt.date | None = None) -> dg.DailyPartitionsDefinition:
    """Return the operator's days: from the epoch up to the day that comes next.

    Args:
        epoch: First day that exists.
        until: A last day to reach even if the clock has not come there yet; a world may be made
            ahead of its time from the command line.
    """
    # The running day is a partition, since live streaming needs its records while it runs, and so
    # is the next one, since it needs those at midnight.
    ahead = 2
    if until is not None:
        ahead = max(ahead, 1 + (until - dt.datetime.now(dt.UTC).date()).days)
    return dg.DailyPartitionsDefinition(
        start_date=epoch.isoformat(), timezone="UTC", end_offset=ahead
    )


def key_of(day: dt.date) -> str:
    """Return the partition key of a day."""
    return day.isoformat()


def days_of(keys: Iterable[str]) -> list[dt.date]:
    """Return the days of partition keys, in order of time."""
    return sorted(dt.date.fromisoformat(key) for key in keys)


def days_from(first: dt.date, count: int) -> list[dt.date]:
    """Return `count` days from `first` on."""
    return [first + dt.timedelta(days=offset) for offset in range(count)]


def spans(days: Iterable[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """Return the unbroken spans of days, each as its first and its last day."""
    found: list[tuple[dt.date, dt.date]] = []
    for day in sorted(set(days)):
        if found and found[-1][1] + dt.timedelta(days=1) == day:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def label_of(days: list[dt.date]) -> str:
    """Return days in words for people: `2026-01-01`, or `2026-01-01 to 2026-01-31`."""
    if not days:
        return "none"
    parts = [str(a) if a == b else f"{a} to {b}" for a, b in spans(days)]
    return ", ".join(parts)
