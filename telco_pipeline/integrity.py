"""Integrity: whether a lake keeps what its contracts promise.

Belongs here: the checks that `telco check` and Dagster's asset checks share, each for one
partition, and the loop over a lake. Does not belong here: whether the data is realistic
(`analytics`), how a result is shown.

The checks share no code with what makes the rows: the Luhn sum, for one, is written again.
"""

import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from telco_pipeline import causality, consistency, plausibility, reconciliation
from telco_pipeline.causality import Rates
from telco_pipeline.contracts import DATASETS, STATIC_DATASETS, Dataset, ForeignKey
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake, Provenance
from telco_pipeline.lake.files import is_readable, schema_differences
from telco_pipeline.lake.layout import PROVENANCE_FILE

CHECK_PROVENANCE: Final = "provenance"
CHECK_CONTRACT: Final = "contract"
CHECK_UNIQUE: Final = "unique"
CHECK_TIMES: Final = "times"
CHECK_ORDER: Final = "order"
CHECK_FOREIGN_KEYS: Final = "foreign_keys"
CHECK_IDENTIFIERS: Final = "identifiers"
CHECK_IDENTITY: Final = "identity"
CHECK_POSITIONS: Final = "positions"
CHECK_CAUSES: Final = "causes"
CHECK_CARE_CALLS: Final = "care_calls"
CHECK_STATE: Final = "state"
CHECK_COUNTERS: Final = "counters"
CHECK_EVENT_IDS: Final = "event_ids"
CHECK_STRAYS: Final = "strays"
CHECK_GAPS: Final = "gaps"

WHOLE_LAKE: Final = "(all)"
"""Stands for the dataset in findings about the whole lake."""

SAMPLE_ROWS: Final = 5
COMMANDS_SHOWN: Final = 3
LUHN_COLUMNS: Final = ("imei", "iccid")

_EVENT_ID: Final = "event_id"
_BUCKET_ROWS: Final = 16_000_000  # keys counted at once: 128 MB of 64-bit ids
_TEXT_ROWS: Final = 1_000_000  # the same where texts are among them

Row = dict[str, Any]
Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """What one check found in one partition.

    Attributes:
        check: Name of the check, one of the CHECK_ constants.
        dataset: Name of the dataset, or `WHOLE_LAKE`.
        day: Day of the partition; None for a dataset without days and for the whole lake.
        passed: Whether all is well.
        offenders: Rows that break the promise; for provenance and strays the number of faults.
        rows: Rows looked at.
        sample: Up to five offenders in plain values that JSON can hold.
        message: What was found, in one line.
        recover: The command or deed that mends it; empty if all is well.
        doubt: Whether chance alone may be why it did not pass: a warning, no failure.
    """

    check: str
    dataset: str
    day: dt.date | None
    passed: bool
    offenders: int
    rows: int
    sample: list[Row]
    message: str
    recover: str
    doubt: bool = False

    @property
    def failed(self) -> bool:
        """Whether something is wrong: it did not pass, and not for chance alone."""
        return not self.passed and not self.doubt


Check = Callable[[Lake, str, dt.date | None], Finding]
Progress = Callable[[Finding, int, int], None]
"""Called after each check with the finding, the number of checks done and of all."""


@dataclass
class _Result:
    """What a check gathers before it is put into words."""

    rows: int = 0
    offenders: int = 0
    sample: list[Row] | None = None
    message: str = ""
    recover: str | None = None


def _check(name: str) -> Callable[[Callable[[Lake, Dataset, dt.date | None], _Result]], Check]:
    """Make a check of a function that gathers: names, words, and files that cannot be read."""

    def decorate(gather: Callable[[Lake, Dataset, dt.date | None], _Result]) -> Check:
        @functools.wraps(gather)
        def check_partition(lake: Lake, dataset: str, day: dt.date | None = None) -> Finding:
            contract = DATASETS[dataset]
            try:
                if not lake.files(dataset, day):
                    raise TelcoError("there is no Parquet file")
                result = gather(lake, contract, day)
            except (pl.exceptions.PolarsError, OSError, TelcoError) as error:
                reason = str(error).splitlines()[0]
                result = _Result(offenders=1, message=f"cannot be read: {reason}")
            passed = result.offenders == 0
            recover = "" if passed else result.recover or lake.command(dataset, day, day)
            return Finding(
                name,
                dataset,
                day,
                passed,
                result.offenders,
                result.rows,
                [_plain(row) for row in (result.sample or [])[:SAMPLE_ROWS]],
                result.message or ("all is well" if passed else f"{result.offenders} offenders"),
                recover,
            )

        return check_partition

    return decorate


@_check(CHECK_PROVENANCE)
def check_provenance(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that a partition is what its provenance says: files, bytes, rows, world, contract."""
    record = lake.provenance(dataset.name, day)
    if record is None:
        return _faults(["has no provenance"], 0)
    damage = lake.damage(dataset.name, day)
    faults = [
        *_wrong_place(lake, dataset, day, record),
        *damage.values(),
        *_wrong_records(lake.directory(dataset.name, day), record, damage),
    ]
    return _faults(faults, record.rows)


def _faults(faults: list[str], rows: int) -> _Result:
    sample: list[Row] = [{"fault": fault} for fault in faults]
    return _Result(rows, len(faults), sample, "; ".join(faults))


def _wrong_place(
    lake: Lake, dataset: Dataset, day: dt.date | None, record: Provenance
) -> list[str]:
    faults = []
    if (record.dataset, record.day) != (dataset.name, day):
        faults.append(f"is a partition of {record.dataset}, {record.day or 'no day'}")
    world = lake.world_of(dataset.name, day)
    if world is None:
        faults.append("the lake does not say which world it holds")
    elif world.world_hash != record.world_hash:
        faults.append(f"is of world {record.world_hash}, the lake holds {world.world_hash}")
    if record.contract_version != dataset.version:
        faults.append(
            f"keeps version {record.contract_version} of its contract, not {dataset.version}"
        )
    elif record.contract_fingerprint != dataset.fingerprint():
        faults.append("keeps a contract that was changed without a new version")
    return faults


def _wrong_records(directory: Path, record: Provenance, damage: dict[str, str]) -> list[str]:
    """Return where a record is wrong about a directory, but for the files that are damaged."""
    named = {file.name: file for file in record.files}
    others = sorted(
        path.name
        for path in directory.iterdir()
        if path.is_file() and path.name != PROVENANCE_FILE and not path.name.startswith(".")
    )
    faults = [f"{name} is a stranger" for name in others if name not in {*named, *damage}]
    faults += [
        f"{name} does not have {named[name].rows} rows"
        for name in sorted(named.keys() - damage.keys())
        if _height(directory / name) != named[name].rows
    ]
    if sum(file.rows for file in record.files) != record.rows:
        faults.append(f"its files do not sum to {record.rows} rows")
    return faults


def _height(path: Path) -> int:
    return (
        pl.scan_parquet(path, glob=False, hive_partitioning=False).select(pl.len()).collect().item()
    )


@_check(CHECK_CONTRACT)
def check_contract(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check columns, types and every rule of the contract, file by file, in stretches of rows.

    That a key is unique over them all is another check's matter.
    """
    result = _Result(sample=[])
    broken: Counter[str] = Counter()
    for file in lake.files(dataset.name, day):
        scan = pl.scan_parquet(file, glob=False, hive_partitioning=False)
        height = scan.select(pl.len()).collect().item()
        result.rows += height
        differences = schema_differences(scan.collect_schema(), dataset.polars_schema)
        if differences:
            result.offenders += max(height, 1)
            broken.update({f"{file.name}: {words}": height for words in differences})
            continue
        for start in range(0, max(height, 1), _TEXT_ROWS):
            _, failure = dataset.schema.filter(scan.slice(start, _TEXT_ROWS).collect())
            result.offenders += len(failure)
            broken.update(failure.counts())
            if len(failure) and result.sample is not None:
                result.sample += _offending_rows(dataset, failure.invalid(), list(failure.counts()))
    result.message = "; ".join(f"{rule} ({count} rows)" for rule, count in broken.most_common())
    return result


def _offending_rows(dataset: Dataset, rows: pl.DataFrame, rules: list[str]) -> list[Row]:
    guilty = {rule.split("|")[0] for rule in rules}
    keys = dataset.schema.primary_key()
    shown = [name for name in dataset.columns if name in guilty or name in keys]
    return rows.head(SAMPLE_ROWS).select(shown or dataset.columns).to_dicts()


@_check(CHECK_UNIQUE)
def check_unique(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that the key is unique within a partition, over all its files."""
    keys = dataset.schema.primary_key()
    if not keys:
        return _Result(message="the contract has no key")
    frame = lake.scan(dataset.name, day, day, keys)
    rows, repeated, sample = _duplicates(frame, keys)
    message = f"{repeated} rows repeat {', '.join(keys)}" if repeated else ""
    return _Result(rows, repeated, sample, message)


def _duplicates(frame: pl.LazyFrame, keys: list[str]) -> tuple[int, int, list[Row]]:
    """Return the rows, those that repeat an earlier key, and a sample of repeated keys."""
    rows = frame.select(pl.len()).collect().item()
    buckets = 1 + rows // (_BUCKET_ROWS if len(keys) == 1 else _TEXT_ROWS)
    repeated = 0
    sample: list[Row] = []
    for bucket in range(buckets):
        keyed = frame.select(keys)
        if buckets > 1:
            keyed = keyed.filter(pl.struct(keys).hash() % buckets == bucket)
        values = keyed.collect()
        extra = values.height - values.n_unique()
        repeated += extra
        if extra and len(sample) < SAMPLE_ROWS:
            groups = values.group_by(keys).agg(pl.len().alias("rows")).filter(pl.col("rows") > 1)
            sample += groups.sort(keys).head(SAMPLE_ROWS).to_dicts()
    return rows, repeated, sample


@_check(CHECK_TIMES)
def check_times(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that each row's time lies within the partition's UTC day."""
    if dataset.time is None or day is None:
        return _Result(message="the dataset has no time")
    shown = list(dict.fromkeys([*dataset.schema.primary_key(), dataset.time]))
    frame = lake.scan(dataset.name, day, day, shown)
    outside = (pl.col(dataset.time).dt.date() != day).fill_null(True)
    rows, count = frame.select(pl.len().alias("rows"), outside.sum().alias("out")).collect().row(0)
    sample = frame.filter(outside).head(SAMPLE_ROWS).collect().to_dicts() if count else []
    message = f"{count} rows have {dataset.time} outside {day}" if count else ""
    return _Result(rows, count, sample, message)


@_check(CHECK_ORDER)
def check_order(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that the rows of each file are in the contract's order."""
    result = _Result(sample=[])
    if not dataset.sort:
        return _Result(message="the contract has no order")
    for file in lake.files(dataset.name, day):
        rows = pl.scan_parquet(file, glob=False, hive_partitioning=False).select(dataset.sort)
        height = rows.select(pl.len()).collect().item()
        result.rows += height
        for start in range(0, height, _TEXT_ROWS):
            # With the last row of the stretch before: it comes first and is not judged again.
            first = max(start - 1, 0)
            frame = rows.slice(first, start + _TEXT_ROWS - first).collect()
            after = frame.select(_before_its_predecessor(dataset.sort).fill_null(False)).to_series()
            offenders = int(after.sum())
            result.offenders += offenders
            if offenders and result.sample is not None:
                some = frame.with_row_index("row", first).filter(after).head(SAMPLE_ROWS)
                result.sample += [{"file": file.name, **row} for row in some.to_dicts()]
    if result.offenders:
        order = ", ".join(dataset.sort)
        result.message = f"{result.offenders} rows come after one with a later {order}"
    return result


def _before_its_predecessor(columns: Sequence[str]) -> pl.Expr:
    before = pl.lit(False)
    for name in reversed(columns):
        value, previous = pl.col(name), pl.col(name).shift(1)
        before = (value < previous) | ((value == previous) & before)
    return before


@_check(CHECK_FOREIGN_KEYS)
def check_foreign_keys(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that every value that refers to another dataset exists there (null refers to none)."""
    result = _Result(sample=[], rows=_rows(lake, dataset, day))
    words: list[str] = []
    for key in dataset.foreign_keys:
        targets = (key.target, *key.also)
        lost, trouble = None, "is not in the lake"
        bad = [target for target in targets if not lake.exists(target)]
        if not bad:
            try:
                lost = _unresolved(lake, dataset, day, key)
            except (pl.exceptions.PolarsError, OSError, TelcoError):
                trouble = "cannot be read"
                bad = [target for target in targets if not _can_be_checked(lake, target, None)]
                if not bad:
                    raise
        if lost is None:
            result.offenders += max(result.rows, 1)
            words += [f"{target} {trouble}" for target in bad]
            result.recover = lake.command(",".join(bad))
            continue
        count = int(lost["rows"].sum())
        if count and result.sample is not None:
            result.offenders += count
            where = " or ".join(targets)
            words.append(f"{count} values of {key.column} are not in {where}")
            about = {"column": key.column, "target": f"{where}.{key.target_column}"}
            result.sample += [about | row for row in lost.head(SAMPLE_ROWS).to_dicts()]
    result.message = "; ".join(words)
    return result


def _unresolved(lake: Lake, dataset: Dataset, day: dt.date | None, key: ForeignKey) -> pl.DataFrame:
    """Return the values of a foreign key that do not exist, with the rows that have them."""
    value = pl.col(key.column).alias("value")
    values = lake.scan(dataset.name, day, day, [key.column]).select(value).drop_nulls()
    target = pl.col(key.target_column).alias("value")
    targets = pl.concat(
        [
            lake.scan(name, columns=[key.target_column]).select(target)
            for name in (key.target, *key.also)
        ]
    )
    return (
        values.group_by("value")
        .agg(pl.len().alias("rows"))
        .join(targets, on="value", how="anti")
        .sort("value")
        .collect(engine="streaming")
    )


@_check(CHECK_IDENTIFIERS)
def check_identifiers(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check the Luhn digit of equipment and SIM card numbers."""
    result = _Result(sample=[], rows=_rows(lake, dataset, day))
    words: list[str] = []
    for name in luhn_columns(dataset):
        counted = (
            lake.scan(dataset.name, day, day, [name])
            .drop_nulls()
            .group_by(name)
            .agg(pl.len().alias("rows"))
            .collect(engine="streaming")
        )
        wrong = counted.filter(~luhn_valid(counted[name])).sort(name)
        count = int(wrong["rows"].sum())
        if count and result.sample is not None:
            result.offenders += count
            words.append(f"{count} values of {name} have a wrong check digit")
            result.sample += wrong.head(SAMPLE_ROWS).to_dicts()
    result.message = "; ".join(words)
    return result


def luhn_columns(dataset: Dataset) -> list[str]:
    """Return the columns of a dataset that carry a Luhn digit."""
    return [name for name in LUHN_COLUMNS if name in dataset.columns]


def luhn_valid(numbers: pl.Series) -> pl.Series:
    """Return whether each text is a number whose last digit is its Luhn digit (ISO/IEC 7812-1)."""
    lengths = numbers.str.len_bytes().to_numpy()
    valid = np.zeros(len(numbers), dtype=np.bool_)
    for length in np.unique(lengths[lengths > 0]):
        chosen = np.flatnonzero(lengths == length)
        text = numbers.gather(chosen).str.join("").item().encode()
        digits = np.frombuffer(text, dtype=np.uint8).reshape(-1, length).astype(np.int16) - ord("0")
        total = digits[:, ::-1].copy()
        total[:, 1::2] *= 2
        total -= 9 * (total > 9)
        in_range = ((digits >= 0) & (digits <= 9)).all(axis=1)
        valid[chosen] = in_range & (total.sum(axis=1) % 10 == 0)
    return pl.Series(valid)


@_check(CHECK_IDENTITY)
def check_identity(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that each record bears the identity of its subscriber that is valid at its time."""
    if day is None or not consistency.identity_columns(dataset):
        return _Result(message="the records bear no identity")
    return _told(consistency.identity_faults(lake, dataset, day))


@_check(CHECK_POSITIONS)
def check_positions(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that no subscriber is in two places: each record can be reached from the one before."""
    if not plausibility.has_positions(dataset.columns):
        return _Result(message="the records bear no position")
    if not lake.exists("cells") or not _can_be_checked(lake, "cells", None):
        return _Result(message="there are no cells to compare with")
    observed = plausibility.positions(lake.scan(dataset.name, day, day))
    found = plausibility.jumps(observed, lake.read("cells", columns=plausibility.CELL_COLUMNS))
    return _Result(found.rows, found.offenders, found.sample, plausibility.words(found, day))


@_check(CHECK_CAUSES)
def check_causes(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that what contacts are about is there, came before, and is what state says."""
    if day is None or dataset.name != causality.CARE:
        return _Result(message="the records have no cause")
    found = causality.cause_faults(lake, day)
    return _Result(found.rows, found.offenders, found.sample, "; ".join(found.words), found.recover)


@_check(CHECK_CARE_CALLS)
def check_care_calls(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that each contact by phone is a call, and each call to care a contact."""
    if day is None or dataset.name != causality.CARE:
        return _Result(message="the records are no calls to care")
    if not lake.exists(causality.CALLS) or day not in lake.days(causality.CALLS):
        return _Result(message=f"there is no {causality.CALLS} of the day to compare with")
    return _told(reconciliation.care_call_faults(lake, day))


@_check(CHECK_STATE)
def check_state(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that rows are what the state of their subscription allows, and tell its changes."""
    if day is None or not reconciliation.follows_state(dataset):
        return _Result(message="the rows are of no subscription")
    return _told(reconciliation.state_faults(lake, dataset, day))


@_check(CHECK_COUNTERS)
def check_counters(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that the counters of each cell and quarter are what the records say."""
    if day is None or dataset.name != reconciliation.COUNTERS:
        return _Result(message="the rows are no counters")
    return _told(reconciliation.counter_faults(lake, day))


def _told(found: consistency.Faults) -> _Result:
    return _Result(found.rows, found.offenders, found.sample, "; ".join(found.words), found.recover)


CHECKS: dict[str, Check] = {
    CHECK_PROVENANCE: check_provenance,
    CHECK_CONTRACT: check_contract,
    CHECK_UNIQUE: check_unique,
    CHECK_TIMES: check_times,
    CHECK_ORDER: check_order,
    CHECK_FOREIGN_KEYS: check_foreign_keys,
    CHECK_IDENTIFIERS: check_identifiers,
    CHECK_IDENTITY: check_identity,
    CHECK_POSITIONS: check_positions,
    CHECK_CAUSES: check_causes,
    CHECK_CARE_CALLS: check_care_calls,
    CHECK_STATE: check_state,
    CHECK_COUNTERS: check_counters,
}
"""The checks of one partition by name, in the order in which they run."""


def checks_of(dataset: str) -> list[str]:
    """Return the names of the checks that mean something for a dataset."""
    contract = DATASETS[dataset]
    meaningless = {
        CHECK_UNIQUE: not contract.schema.primary_key(),
        CHECK_TIMES: contract.time is None,
        CHECK_ORDER: not contract.sort,
        CHECK_FOREIGN_KEYS: not contract.foreign_keys,
        CHECK_IDENTIFIERS: not luhn_columns(contract),
        CHECK_IDENTITY: not consistency.identity_columns(contract),
        CHECK_POSITIONS: not plausibility.has_positions(contract.columns),
        CHECK_STATE: not reconciliation.follows_state(contract),
        CHECK_COUNTERS: dataset != reconciliation.COUNTERS,
        CHECK_CAUSES: contract.name != causality.CARE,
        CHECK_CARE_CALLS: contract.name != causality.CARE,
    }
    return [name for name in CHECKS if not meaningless.get(name, False)]


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
        first = check_provenance(lake, name, day)
        others = [CHECKS[each] for each in checks_of(name) if each != CHECK_PROVENANCE]
        if not first.passed and not _can_be_checked(lake, name, day):
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


def _can_be_checked(lake: Lake, name: str, day: dt.date | None) -> bool:
    """Return whether the files of a partition are all there and can be read."""
    files = lake.files(name, day)
    try:
        record = lake.provenance(name, day)
    except (TelcoError, OSError):
        record = None  # its rows can be checked all the same
    promised = {file.name for file in record.files} if record else set()
    there = {file.name for file in files}
    return bool(files) and promised <= there and all(is_readable(file) for file in files)


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
            rows, repeated, sample = _duplicates(pl.concat(frames), [_EVENT_ID])
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
        [_plain(row) for row in sample[:SAMPLE_ROWS]],
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


def _rows(lake: Lake, dataset: Dataset, day: dt.date | None) -> int:
    return lake.scan(dataset.name, day, day).select(pl.len()).collect().item()


def _plain(row: Row) -> dict[str, Scalar]:
    plain: dict[str, Scalar] = {}
    for name, value in row.items():
        plain[name] = value if isinstance(value, Scalar) else str(value)
    return plain
