"""Whole lake: what holds over all partitions of a lake, and the loop that checks them.

Belongs here: checks that no partition can answer alone: ids that occur twice in the lake, what lies
there and should not, what should and does not, causes before effects over all days. Does not
belong here: the checks of one partition and what a finding is (`integrity`), how a result is shown.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from telco_pipeline import causality, integrity
from telco_pipeline.causality import Rates
from telco_pipeline.contracts import DATASETS, STATIC_DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.integrity import (
    CHECK_PROVENANCE,
    SAMPLE_ROWS,
    WHOLE_LAKE,
    Finding,
    Row,
    can_be_checked,
    checks_of,
    duplicates,
    plain,
)
from telco_pipeline.lake import Lake

CHECK_EVENT_IDS: Final = "event_ids"
CHECK_STRAYS: Final = "strays"
CHECK_GAPS: Final = "gaps"

COMMANDS_SHOWN: Final = 3

_EVENT_ID: Final = "event_id"

Progress = Callable[[Finding, int, int], None]
"""Called after each check with the finding, the number of checks done and of all."""


def check(
    lake: Lake,
    names: Sequence[str] | None = None,
    days: Sequence[dt.date] | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Check the partitions of a lake, and what holds over all of them.

    Of a partition whose files are missing or cannot be read, only the provenance is checked: one
    fault is told once.

    Args:
        lake: The lake.
        names: Datasets to check; all, and those that should lie there, if None.
        days: Days of the daily datasets to check; all that lie there if None.
        progress: Called after each check.

    Returns:
        The findings, passed and failed, in the order of the datasets and days.

    Raises:
        TelcoError: A dataset that was named, or everything, is missing.
    """
    partitions = _partitions(lake, names, days)
    chains = list(causality.CHAINS) if _has_chains(lake, names, days) else []
    total = sum(len(checks_of(name)) for name, _ in partitions) + 3 + len(chains)
    findings: list[Finding] = []
    whole: list[tuple[str, dt.date | None]] = []

    def note(finding: Finding) -> None:
        findings.append(finding)
        if progress is not None:
            progress(finding, len(findings), total)

    for name, day in partitions:
        first = integrity.check_provenance(lake, name, day)
        others = [integrity.CHECKS[each] for each in checks_of(name) if each != CHECK_PROVENANCE]
        if not first.passed and not can_be_checked(lake, name, day):
            total -= len(others)
            note(replace(first, message=f"{first.message} (its other checks were left out)"))
            continue
        whole.append((name, day))
        note(first)
        for each in others:
            note(each(lake, name, day))
    note(check_event_ids(lake, whole))
    note(check_strays(lake))
    note(check_gaps(lake, names, days))
    for finding in check_chains(lake) if chains else []:
        note(finding)
    return findings


def _has_chains(lake: Lake, names: Sequence[str] | None, days: Sequence[dt.date] | None) -> bool:
    """Return whether a check of the whole lake was asked for, and causes and effects are there."""
    there = all(lake.exists(name) for name in (causality.STATE, causality.CARE, "subscribers"))
    return there and names is None and days is None


def check_chains(lake: Lake) -> list[Finding]:
    """Check over all days that causes precede effects: one finding for each comparison."""
    try:
        rates = causality.chain_rates(lake)
    except (pl.exceptions.PolarsError, OSError, TelcoError) as error:
        message = f"cannot be read: {str(error).splitlines()[0]}"
        recover = lake.command(causality.STATE)
        return [
            Finding(name, WHOLE_LAKE, None, False, 1, 0, [], message, recover)
            for name in causality.CHAINS
        ]
    return [chain_finding(lake, one) for one in rates]


def chain_finding(lake: Lake, rates: Rates) -> Finding:
    """Return a comparison as a finding; one that is not surely the wrong way round is a doubt."""
    return Finding(
        check=rates.name,
        dataset=WHOLE_LAKE,
        day=None,
        passed=rates.passed,
        offenders=int(not rates.passed),
        rows=rates.all.days + rates.all.other_days,
        sample=[] if rates.passed else [{"found": rates.words}],
        message=rates.words,
        recover="" if rates.passed else lake.command(causality.STATE),
        doubt=not rates.passed and not rates.reversed,
    )


def _partitions(
    lake: Lake, names: Sequence[str] | None, days: Sequence[dt.date] | None
) -> list[tuple[str, dt.date | None]]:
    there = [name for name in lake.datasets() if name in DATASETS and lake.exists(name)]
    for name in names or ():
        if name not in DATASETS:
            raise TelcoError(f"there is no dataset {name!r}: choose from {', '.join(DATASETS)}")
        if name not in there:
            raise TelcoError(f"{lake.root} has no {name}: make it with `{lake.command(name)}`")
    partitions: list[tuple[str, dt.date | None]] = []
    for name in there:
        if names is not None and name not in names:
            continue
        if not DATASETS[name].daily:
            partitions.append((name, None))
            continue
        partitions += [(name, day) for day in lake.days(name) if days is None or day in days]
    if not partitions:
        raise TelcoError(f"{lake.root} has nothing to check: make it with `{lake.command()}`")
    return partitions


def check_event_ids(lake: Lake, partitions: Sequence[tuple[str, dt.date | None]]) -> Finding:
    """Check that no event id occurs twice over all records of the partitions given.

    `check` gives those only that can be read.
    """
    keyed = [
        (name, day)
        for name, day in partitions
        if DATASETS[name].schema.primary_key() == [_EVENT_ID] and day is not None
    ]
    rows = repeated = 0
    sample: list[Row] = []
    message = recover = ""
    if keyed:
        frames = [
            pl.scan_parquet(files, glob=False, hive_partitioning=False).select(_EVENT_ID)
            for files in _files_by_dataset(lake, keyed)
        ]
        try:
            rows, repeated, sample = duplicates(pl.concat(frames), [_EVENT_ID])
        except (pl.exceptions.PolarsError, OSError) as error:
            repeated, message = 1, f"cannot be read: {str(error).splitlines()[0]}"
    if repeated:
        message = message or f"{repeated} rows repeat an event id of another row in the lake"
        first, last = min(day for _, day in keyed), max(day for _, day in keyed)
        recover = lake.command(",".join(dict.fromkeys(name for name, _ in keyed)), first, last)
    return Finding(
        CHECK_EVENT_IDS,
        WHOLE_LAKE,
        None,
        repeated == 0,
        repeated,
        rows,
        [plain(row) for row in sample[:SAMPLE_ROWS]],
        message or "all is well",
        recover,
    )


def _files_by_dataset(lake: Lake, partitions: Sequence[tuple[str, dt.date]]) -> list[list[Path]]:
    files: dict[str, list[Path]] = {}
    for name, day in partitions:
        files.setdefault(name, []).extend(lake.files(name, day))
    return [found for found in files.values() if found]


def check_strays(lake: Lake) -> Finding:
    """Check that nothing lies in the lake that is no dataset or partition."""
    strays = lake.strays()
    names = [str(path.relative_to(lake.root)) for path in strays]
    return Finding(
        CHECK_STRAYS,
        WHOLE_LAKE,
        None,
        not strays,
        len(strays),
        0,
        [{"path": name} for name in names[:SAMPLE_ROWS]],
        f"no dataset or partition: {', '.join(names[:SAMPLE_ROWS])}" if strays else "all is well",
        f"move what is not the pipeline's out of {lake.root}" if strays else "",
    )


def check_gaps(
    lake: Lake, names: Sequence[str] | None = None, days: Sequence[dt.date] | None = None
) -> Finding:
    """Check that no partition is missing that the rest of the lake says should be there.

    A daily dataset lacks a day that lies between its own first and last one, or that at least two
    thirds of the daily datasets here have (so one dataset made for more days than the others is no
    fault of the others). Records without one of the static datasets lack what they refer to.

    Args:
        lake: The lake.
        names: Datasets to look at; all that lie there if None.
        days: Days to look at; all if None.
    """
    held = {
        name: set(lake.days(name))
        for name in lake.datasets()
        if name in DATASETS and DATASETS[name].daily
    }
    wanted = None if days is None else set(days)
    everyone = Counter(day for there in held.values() for day in there)
    usual = {day for day, count in everyone.items() if count >= max(2 * len(held) / 3, 2)}
    missing: list[tuple[str, dt.date | None]] = [
        (name, None) for name in STATIC_DATASETS if held and not lake.exists(name)
    ]
    for name, there in held.items():
        span = (max(there) - min(there)).days + 1 if there else 0
        within = {min(there) + dt.timedelta(days=offset) for offset in range(span)}
        missing += [(name, day) for day in sorted((within | usual) - there)]
    missing = [
        (name, day)
        for name, day in missing
        if (names is None or name in names) and (wanted is None or day is None or day in wanted)
    ]
    told = [f"{name} {day or ''}".strip() for name, day in missing]
    return Finding(
        CHECK_GAPS,
        WHOLE_LAKE,
        None,
        not missing,
        len(missing),
        0,
        [{"dataset": name, "day": _text(day)} for name, day in missing[:SAMPLE_ROWS]],
        f"missing: {_listed(told)}" if missing else "all is well",
        " && ".join(_commands(lake, missing)[:COMMANDS_SHOWN]),
    )


def _listed(words: Sequence[str]) -> str:
    more = len(words) - SAMPLE_ROWS
    return ", ".join(words[:SAMPLE_ROWS]) + (f" and {more} more" if more > 0 else "")


def _commands(lake: Lake, missing: Sequence[tuple[str, dt.date | None]]) -> list[str]:
    """Return the commands that make what is missing: one for datasets that lack the same days."""
    days: dict[str, list[dt.date]] = {}
    for name, day in missing:
        days.setdefault(name, []).extend([] if day is None else [day])
    lacking: dict[tuple[dt.date, dt.date] | None, list[str]] = {}
    for name, lacked in days.items():
        for span in _spans(lacked) or [None]:
            lacking.setdefault(span, []).append(name)
    return [lake.command(",".join(names), *(span or ())) for span, names in lacking.items()]


def _spans(days: Sequence[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """Return the first and the last day of each run of days, which are in order."""
    spans: list[tuple[dt.date, dt.date]] = []
    for day in days:
        if spans and day - spans[-1][1] == dt.timedelta(days=1):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans


def _text(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()
