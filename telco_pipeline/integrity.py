"""Integrity: whether a partition keeps what its contract promises.

Belongs here: the checks that `telco check` and Dagster's asset checks share, each for one
partition, and what a finding is. Does not belong here: what holds over a whole lake, and the loop
over it (`whole_lake`), whether the data is realistic (`analytics`), how a result is shown.

The checks share no code with what makes the rows: the Luhn sum, for one, is written again.
"""

import datetime as dt
import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from telco_pipeline import causality, consistency, plausibility, reconciliation
from telco_pipeline.contracts import DATASETS, Dataset, ForeignKey
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
CHECK_FILES: Final = "files"

WHOLE_LAKE: Final = "(all)"
"""Stands for the dataset in findings about the whole lake."""

SAMPLE_ROWS: Final = 5
LUHN_COLUMNS: Final = ("imei", "iccid")

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
                [plain(row) for row in (result.sample or [])[:SAMPLE_ROWS]],
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
    rows, repeated, sample = duplicates(frame, keys)
    message = f"{repeated} rows repeat {', '.join(keys)}" if repeated else ""
    return _Result(rows, repeated, sample, message)


def duplicates(frame: pl.LazyFrame, keys: list[str]) -> tuple[int, int, list[Row]]:
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
                bad = [target for target in targets if not can_be_checked(lake, target, None)]
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
    if not lake.exists("cells") or not can_be_checked(lake, "cells", None):
        return _Result(message="there are no cells to compare with")
    observed = plausibility.positions(lake.scan(dataset.name, day, day))
    found = plausibility.jumps(observed, lake.read("cells", columns=plausibility.CELL_COLUMNS))
    return _Result(found.rows, found.offenders, found.sample, plausibility.words(found, day))


@_check(CHECK_CAUSES)
def check_causes(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that what contacts are about is there, came before, and is what state says."""
    if day is None or dataset.name != causality.CARE:
        return _Result(message="the records have no cause")
    return _told(causality.cause_faults(lake, day))


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


@_check(CHECK_FILES)
def check_files(lake: Lake, dataset: Dataset, day: dt.date | None) -> _Result:
    """Check that files are numbered as they closed, and that copies of a file are alike."""
    if day is None or dataset.name != reconciliation.FILES:
        return _Result(message="the rows are no files")
    return _told(reconciliation.file_faults(lake, day))


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
    CHECK_FILES: check_files,
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
        CHECK_FILES: dataset != reconciliation.FILES,
        CHECK_CAUSES: contract.name != causality.CARE,
        CHECK_CARE_CALLS: contract.name != causality.CARE,
    }
    return [name for name in CHECKS if not meaningless.get(name, False)]


def can_be_checked(lake: Lake, name: str, day: dt.date | None) -> bool:
    """Return whether the files of a partition are all there and can be read."""
    files = lake.files(name, day)
    try:
        record = lake.provenance(name, day)
    except (TelcoError, OSError):
        record = None  # its rows can be checked all the same
    promised = {file.name for file in record.files} if record else set()
    there = {file.name for file in files}
    return bool(files) and promised <= there and all(is_readable(file) for file in files)


def _rows(lake: Lake, dataset: Dataset, day: dt.date | None) -> int:
    return lake.scan(dataset.name, day, day).select(pl.len()).collect().item()


def plain(row: Row) -> dict[str, Scalar]:
    """Return a row in plain values that JSON can hold."""
    plain: dict[str, Scalar] = {}
    for name, value in row.items():
        plain[name] = value if isinstance(value, Scalar) else str(value)
    return plain
