"""Datasets and days of a lake in another format, in a directory that appears whole or not at all.

Belongs here: which partitions, the layout of the directory, what is told of it. Does not belong
here: how a file is written (`formats`, `delta`).

    <out>/<dataset>/day=YYYY-MM-DD/part-00000.<format>     as in the lake, file by file
    <out>/<dataset>/part-00000.<format>                    a dataset without days
    <out>/<dataset>/_delta_log/...                         Delta Lake: a table per dataset
    <out>/_export.json                                     what it is and where it comes from

`day=...` is what Hive, Spark, DuckDB, Polars and BigQuery read as a column `day`. Memory is that of
a few thousand rows, whatever the size of the lake.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports import delta
from telco_pipeline.exports.directory import check_target, note, replaced
from telco_pipeline.exports.formats import needed, writer
from telco_pipeline.exports.kinds import KINDS
from telco_pipeline.lake import Lake
from telco_pipeline.lake.layout import MAIN, disk_errors

_FAULTS: Final = (pa.ArrowException, pl.exceptions.PolarsError, OSError)
"""What a file of the lake that is damaged raises, and a disk that refuses."""
_SYSTEM: Final = re.compile(r"os error (\d+)")
"""How deltalake tells the system's errors."""

Progress = Callable[[str, int, int], None]
"""Told of each partition: which one, its rows, and how many partitions there are."""


@dataclass(frozen=True)
class Wanted:
    """What to export.

    Attributes:
        kind: Name of the format.
        datasets: Datasets; None for all that lie in the lake.
        first: First day; None for the first that each dataset has.
        last: Last day; None likewise.
        compression: One of the format's; None for its default.
    """

    kind: str
    datasets: Sequence[str] | None = None
    first: dt.date | None = None
    last: dt.date | None = None
    compression: str | None = None


@dataclass(frozen=True)
class Exported:
    """What was exported."""

    datasets: int
    files: int
    rows: int
    bytes: int


@dataclass(frozen=True)
class _Partition:
    dataset: str
    day: dt.date | None
    files: list[Path]
    rows: int


def export(
    lake: Lake,
    out: Path,
    wanted: Wanted,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write datasets and days in a format into a new directory.

    Args:
        lake: Where the rows lie.
        out: Directory to be.
        wanted: What, and in which format.
        replace: Whether an earlier export may be replaced.
        progress: Told of each partition.

    Raises:
        TelcoError: Something lies there already; the lake lacks what is wanted, or it cannot be
            read; the disk refuses; a package is not installed; the format has no such compression.
    """
    kind = KINDS[wanted.kind]
    compression = wanted.compression or kind.compressions[0]
    if compression not in kind.compressions:
        raise TelcoError(
            f"--compression: {kind.title} has {', '.join(kind.compressions)}, not {compression}"
        )
    needed(wanted.kind)
    check_target(out, replace=replace)
    partitions = _partitions(lake, wanted)
    with disk_errors("write", out, "--out"), replaced(out, replace=replace) as directory:
        for each in partitions:
            if wanted.kind == "delta":
                _append(lake, directory, each, compression)
            else:
                _write(lake, directory, each, wanted.kind, compression)
            if progress:
                told = f"{each.dataset} {each.day}" if each.day else each.dataset
                progress(told, each.rows, len(partitions))
        note(directory, _about(lake, wanted.kind, compression, partitions))
        written = [path for path in directory.rglob("*") if path.is_file()]
        return Exported(
            datasets=len({each.dataset for each in partitions}),
            files=len(written) - 1,
            rows=sum(each.rows for each in partitions),
            bytes=sum(path.stat().st_size for path in written),
        )


def _write(lake: Lake, directory: Path, each: _Partition, kind: str, compression: str) -> None:
    write = writer(kind)
    place = directory / each.dataset
    if each.day is not None:
        place /= f"day={each.day}"
    place.mkdir(parents=True, exist_ok=True)
    for source in each.files:
        target = place / KINDS[kind].file_name(source.stem, compression)
        try:
            write(each.dataset, source, target, compression)
        except (*_FAULTS, ValueError, TypeError) as error:
            _explain(lake, each, source, error)
            raise


def _append(lake: Lake, directory: Path, each: _Partition, compression: str) -> None:
    from deltalake.exceptions import DeltaError

    try:
        delta.append(directory / each.dataset, each.dataset, each.day, each.files, compression)
    except (*_FAULTS, DeltaError) as error:
        for source in each.files:
            _explain(lake, each, source, error)
        number = _SYSTEM.search(str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), str(error)) from error


def _explain(lake: Lake, each: _Partition, source: Path, error: Exception) -> None:
    """Raise a clear error if the lake is at fault; else return."""
    try:
        pl.scan_parquet(source, hive_partitioning=False, glob=False).select(
            DATASETS[each.dataset].columns
        ).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as fault:
        raise _unreadable(lake, each.dataset, each.day, source, fault) from error


def _partitions(lake: Lake, wanted: Wanted) -> list[_Partition]:
    """Return what is to be exported, in order; TelcoError if the lake lacks any of it."""
    if not lake.root.is_dir():
        raise TelcoError(f"no lake at {lake.root}: make one with telco generate, or name --lake")
    names = wanted.datasets or [name for name in lake.datasets() if name in DATASETS]
    if not names:
        place = lake.root if lake.world == MAIN else f"world {lake.world} in {lake.root}"
        raise TelcoError(f"{place} has no dataset: make one with `{lake.command()}`")
    found = []
    for name in names:
        for day in _days(lake, name, wanted) if DATASETS[name].daily else [None]:
            if not lake.exists(name, day):
                told = f"{name} of {day}" if day else name
                raise TelcoError(
                    f"{lake.root} has no {told}: make it with `{lake.command(name, day, day)}`"
                )
            found.append(_Partition(name, day, lake.files(name, day), _rows(lake, name, day)))
    return found


def _rows(lake: Lake, name: str, day: dt.date | None) -> int:
    """Return how many rows a partition's files tell of; TelcoError if one is no Parquet file."""
    rows = 0
    for file in lake.files(name, day):
        try:
            rows += pq.read_metadata(file).num_rows
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(lake, name, day, file, error) from error
    return rows


def _unreadable(
    lake: Lake, name: str, day: dt.date | None, file: Path, error: Exception
) -> TelcoError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return TelcoError(
        f"{file} cannot be read ({reason}): make it anew with `{lake.command(name, day, day)}`"
    )


def earliest(lake: Lake, datasets: Sequence[str] | None) -> dt.date | None:
    """Return the first day of some datasets, or of all, in a lake; None if there is no day."""
    names = datasets or [name for name in lake.datasets() if name in DATASETS]
    days = [lake.days(name)[:1] for name in names if DATASETS[name].daily]
    return min((day for first in days for day in first), default=None)


def _days(lake: Lake, name: str, wanted: Wanted) -> list[dt.date]:
    there = lake.days(name)
    first = wanted.first or (there[0] if there else None)
    if first is None:
        raise TelcoError(f"{lake.root} has no {name}: make it with `{lake.command(name)}`")
    last = wanted.last or max(there[-1:], default=first)
    if last < first:
        raise TelcoError(
            f"{lake.root} has no {name} from {first} on (it has {there[0]} to {there[-1]}): make "
            f"it with `{lake.command(name, first, first)}`"
        )
    return [first + dt.timedelta(days=each) for each in range((last - first).days + 1)]


def _about(
    lake: Lake, kind: str, compression: str, partitions: Sequence[_Partition]
) -> dict[str, Any]:
    """Return what an export says of itself."""
    held = lake.held_world()
    datasets: dict[str, dict[str, Any]] = {}
    for each in partitions:
        told = datasets.setdefault(
            each.dataset, {"version": DATASETS[each.dataset].version, "rows": 0, "days": []}
        )
        told["rows"] += each.rows
        if each.day is not None:
            told["days"].append(str(each.day))
    return {
        "format": kind,
        "compression": compression,
        "world": held and held.world_hash,
        "seed": held and held.seed,
        "datasets": datasets,
    }
