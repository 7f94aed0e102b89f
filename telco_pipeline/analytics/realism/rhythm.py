"""Rhythm: hours of the day and days of the week, of the network and of single cells.

Belongs here: profiles and their distance to the tables, classes of cells. Does not belong here:
gaps between events (`bursts`).
"""

import datetime as dt
from typing import Final

import numpy as np
from scipy import optimize

from telco_pipeline.analytics.realism import estimators as est
from telco_pipeline.analytics.realism.catalogue import (
    CALLS_BY_HOUR,
    CELLS_BY_HOUR,
    DATA_BY_HOUR,
    SMS_BY_HOUR,
)
from telco_pipeline.analytics.realism.estimators import Floats, Ints
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Contacts, Source, Traffic
from telco_pipeline.analytics.realism.report import RHYTHM, Panel, line
from telco_pipeline.engine.calendar import DAY, HOUR

CLUSTERS: Final = 5
"""Classes of cells; Xu 2017 found five too."""

SESSIONS: Final = 1_000
"""Weekday sessions from which on a cell has a profile."""

WEEKDAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
FRIDAY: Final = 4
SUNDAY: Final = 6


def measure(
    source: Source, calls: Contacts, messages: Contacts, traffic: Traffic, found: Findings
) -> None:
    """Add the rows on rhythm."""
    made = calls.where(calls.out & source.humans[calls.user])
    sent = messages.where(messages.out & source.humans[messages.user])
    for key, title, contacts, table in (
        ("calls", "Calls by hour", made, CALLS_BY_HOUR),
        ("sms", "SMS by hour", sent, SMS_BY_HOUR),
    ):
        hour = source.local(contacts.time) % DAY // HOUR
        counts = np.bincount(hour, minlength=24)
        note = f"{len(contacts):,} events that people and businesses began, local hours"
        _profile(key, title, counts, table, note, found)
    volume = traffic.volume_by_hour
    _profile(
        "data", "Data volume by hour", volume, DATA_BY_HOUR,
        f"{traffic.records:,} records, local hour of their opening", found,
    )  # fmt: skip
    _busy_hour(volume, found)
    _cells(source, traffic, found)
    _weekdays(source, made, found)


def _profile(
    key: str, title: str, counts: np.ndarray, table: tuple[float, ...], note: str, found: Findings
) -> None:
    if counts.sum() < 1000:
        found.add(f"rhythm.{key}.profile", None, note)
        return
    found.add(f"rhythm.{key}.profile", est.total_variation(counts, np.array(table)), note)
    found.panels.append(_hours_panel(title, counts, table))


def _hours_panel(title: str, counts: np.ndarray, table: tuple[float, ...]) -> Panel:
    hours, reference = np.arange(24), np.array(table)
    return Panel(
        RHYTHM, title, "local hour", "% of the day",
        (
            line("measured", hours, 100 * counts / counts.sum(), style="bars"),
            line("table", hours, 100 * reference / reference.sum(), "reference"),
        ),
    )  # fmt: skip


def _busy_hour(volume: Floats, found: Findings) -> None:
    known = volume.min() > 0
    note = "mean day, all data records, bytes by the hour in which their record opens"
    found.add("rhythm.data.busy_hour", 100 * volume.max() / volume.sum() if known else None, note)
    found.add("rhythm.data.peak_to_trough", volume.max() / volume.min() if known else None, note)
    found.add("rhythm.data.trough", float(volume.argmin()) if known else None, note)


def _cells(source: Source, traffic: Traffic, found: Findings) -> None:
    """Sort cells into classes by their weekday profile alone, and name classes by the tables."""
    weekday, free = traffic.by_cell[:, 0], traffic.by_cell[:, 1]
    busy = weekday.sum(axis=1) >= SESSIONS
    keys = [f"rhythm.cells.{name}" for name in CELLS_BY_HOUR]
    note = f"{int(busy.sum()):,} cells of {SESSIONS:,} and more weekday sessions"
    if busy.sum() < 10 * CLUSTERS:
        for key in (*keys, "rhythm.office.weekend"):
            found.add(key, None, note)
        return
    profiles = weekday[busy] / weekday[busy].sum(axis=1, keepdims=True)
    centres, label = est.profiles_by_kmeans(profiles, CLUSTERS)
    tables = [np.array(table) for table in CELLS_BY_HOUR.values()]
    distance = np.array([[est.total_variation(c, table) for c in centres] for table in tables])
    _, chosen = optimize.linear_sum_assignment(distance)
    for number, (name, table) in enumerate(CELLS_BY_HOUR.items()):
        centre, size = chosen[number], int((label == chosen[number]).sum())
        found.add(
            keys[number],
            float(distance[number, centre]),
            f"{size} of {note}; k-means, {CLUSTERS} classes, the nearest one; sessions",
        )
        title = f"{name.capitalize()} cells, weekday ({size})"
        found.panels.append(_hours_panel(title, centres[centre], table))
    office = np.flatnonzero(busy)[label == chosen[list(CELLS_BY_HOUR).index("office")]]
    working, resting = _days_of_both_kinds(source)
    ratio = None
    if working and resting and weekday[office].sum():
        ratio = float(free[office].sum() / resting / (weekday[office].sum() / working))
    found.add(
        "rhythm.office.weekend",
        None if ratio is None else 100 * ratio,
        f"sessions a day in {len(office)} cells of the office class, weekends and holidays over "
        "weekdays",
    )


def _days_of_both_kinds(source: Source) -> tuple[int, int]:
    free = sum(day.weekday() >= 5 or source.holiday(day) for day in source.days)
    return len(source.days) - free, free


def _weekdays(source: Source, made: Contacts, found: Findings) -> None:
    """Compare the mean calls of the days of the week, holidays left out."""
    number = source.local(made.time) // DAY
    wanted = [day for day in source.days if not source.holiday(day)]
    mean = np.full(7, np.nan)
    first = (source.days[0] - dt.date(1970, 1, 1)).days
    counts: Ints = np.bincount(np.maximum(number - first, 0))
    for weekday in range(7):
        days = [(day - source.days[0]).days for day in wanted if day.weekday() == weekday]
        held = [counts[day] for day in days if day < len(counts)]
        if held:
            mean[weekday] = np.mean(held)
    note = f"calls that people and businesses began on {len(wanted)} days, holidays left out"
    if np.isnan(mean).any() or mean.min() <= 0:
        found.add("rhythm.calls.friday", None, note)
        found.add("rhythm.calls.sunday", None, note)
        return
    found.add("rhythm.calls.friday", mean[FRIDAY] / np.delete(mean, FRIDAY).max(), note)
    found.add("rhythm.calls.sunday", mean[SUNDAY] / np.delete(mean, SUNDAY).min(), note)
    found.panels.append(
        Panel(
            RHYTHM, "Calls by weekday", "", "calls over the mean day",
            (
                line("measured", range(7), mean / mean.mean(), style="bars"),
                line("mean", (0, 6), (1, 1), "reference"),
            ),
            ticks=WEEKDAYS,
        )
    )  # fmt: skip
