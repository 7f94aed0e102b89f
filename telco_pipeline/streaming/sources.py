"""Where entries come from: the Parquet files of a day, read a stretch at a time.

Belongs here: finding the files of a dataset, their numbers, reading rows from anywhere in a file.
Does not belong here: merging files (`feed`), encoding (`encoding`).

A file is read in slices that know nothing of one another, so nothing is held between them but the
rows. A reader that keeps its place in a file (PyArrow's `iter_batches`) holds the pages and
dictionaries of all its columns: 1.1 GB for the 128 files of a day of a million subscribers, where
slices of 500,000 rows in all take 0.3 GB. A slice costs 3 to 6 ms, whatever its length.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from telco_pipeline import asof
from telco_pipeline.contracts import DATASETS
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.lake.provenance import Provenance

ROW: Final = "_row"
"""Column that is added to rows: their number in the file."""
FILE: Final = "_file"
"""Number of the file."""
TIME: Final = "_time"
"""Event time, microseconds since 1970 (UTC)."""
RELEASE: Final = "_release"
"""When it is due, likewise."""
FILES_OF_A_DATASET: Final = 1_000_000
"""Numbers of files between one dataset and the next; a part number has five digits."""
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Ints = npt.NDArray[np.int64]
Rows = Callable[[pl.DataFrame], pl.DataFrame]
"""Makes the rows that are sent of those that were read; it may leave some out."""


def microseconds(moment: dt.datetime) -> int:
    """Return a moment as microseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // _MICROSECOND


@dataclass(frozen=True)
class Stretch:
    """Rows of a Parquet file that lie together: one row group."""

    first: int
    rows: int
    last_time: int | None


@dataclass(frozen=True)
class SourceFile:
    """One file of a day.

    Attributes:
        number: Its place in the order of all files of a day, whatever else is sent.
        dataset: Whose rows it holds.
        path: Where it lies.
        rows: How many rows.
        time: Column of the event time; None if all rows are of the day's start.
        start: The day's start, microseconds since 1970.
        stretches: Its row groups.
        made: Makes what is sent of what is read; None for all as it is.
        remedy: The command that makes it anew.
    """

    number: int
    dataset: str
    path: Path
    rows: int
    time: str | None
    start: int
    stretches: tuple[Stretch, ...]
    made: Rows | None
    remedy: str

    @property
    def is_timed(self) -> bool:
        """Whether rows have times of their own."""
        return self.time is not None

    def read(self, first: int, count: int) -> tuple[pl.DataFrame, Ints]:
        """Return rows with their numbers in the file (column `_row`), and their event times.

        Raises:
            TelcoError: The file cannot be read, or its rows are not in order.
        """
        rows = self._slice(None, first, count).with_columns(
            pl.int_range(first, first + pl.len(), dtype=pl.Int64).alias(ROW)
        )
        times = self._times(rows)
        if len(times) > 1 and not bool((times[1:] >= times[:-1]).all()):
            raise self._broken("its rows are not in order of time")
        if self.made is not None:
            rows = self.made(rows)
            times = self._times(rows)
        return rows, times

    def find(self, time: int) -> int:
        """Return the number of the first row that is not before a time."""
        if self.time is None:
            return 0 if self.start >= time else self.rows
        for stretch in self.stretches:
            if stretch.last_time is not None and stretch.last_time < time:
                continue
            times = self._times(self._slice([self.time], stretch.first, stretch.rows))
            found = int(np.searchsorted(times, time))
            if found < len(times):
                return stretch.first + found
        return self.rows

    def _times(self, rows: pl.DataFrame) -> Ints:
        if self.time is None:
            return np.full(rows.height, self.start, np.int64)
        return rows[self.time].to_physical().to_numpy()

    def _slice(self, columns: Sequence[str] | None, first: int, count: int) -> pl.DataFrame:
        try:
            plan = pl.scan_parquet(self.path, glob=False, hive_partitioning=False)
            if columns is not None:
                plan = plan.select(columns)
            return plan.slice(first, count).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise self._broken((str(error).splitlines() or [type(error).__name__])[0]) from error

    def _broken(self, why: str) -> TelcoError:
        return TelcoError(f"{self.path} cannot be read ({why}): make it anew with `{self.remedy}`")


class Reader:
    """Reads one file from some time on to another, as far as is asked for."""

    def __init__(self, file: SourceFile, begin: int, end: int, length: int) -> None:
        """Find the first and the last row.

        Args:
            file: The file.
            begin: First event time, microseconds since 1970.
            end: Event time from which on nothing is read.
            length: Rows of a slice.
        """
        self.file = file
        self.begin = begin
        self._next = 0 if begin <= file.start else file.find(begin)
        self._stop = file.rows if end >= file.start + DAY else file.find(end)
        self._length = length
        self._chunks: deque[tuple[pl.DataFrame, Ints]] = deque()

    @property
    def has_more(self) -> bool:
        """Whether anything is left, in memory or in the file."""
        return bool(self._chunks) or self._next < self._stop

    def read_until(self, time: int) -> int:
        """Read on until every row before a time is in memory, and return how many those are."""
        while self._next < self._stop and not (self._chunks and self._chunks[-1][1][-1] >= time):
            rows, times = self.read()
            if rows.height:
                self._chunks.append((rows, times))
        return self.held_before(time)

    def read(self) -> tuple[pl.DataFrame, Ints]:
        """Return the next slice and its event times; neither is kept."""
        count = min(self._length, self._stop - self._next)
        rows, times = self.file.read(self._next, count)
        self._next += count
        return rows, times

    def held_before(self, time: int) -> int:
        """Return how many rows in memory are before a time."""
        return sum(int(np.searchsorted(times, time)) for _, times in self._chunks)

    def take(self, count: int) -> Iterator[tuple[pl.DataFrame, Ints]]:
        """Yield the first rows in memory, which are then no longer kept."""
        while count:
            rows, times = self._chunks.popleft()
            if rows.height > count:
                self._chunks.appendleft((rows[count:], times[count:]))
                rows, times = rows[:count], times[:count]
            count -= rows.height
            yield rows, times


def file_number(dataset: str, part: int) -> int:
    """Return the number of a file in the order of all files of a day.

    Datasets without a time come first: their rows are of the day's start, and whole files of them
    go before the first row of any other.
    """
    return _ORDER[dataset] * FILES_OF_A_DATASET + part


_ORDER: Final = {
    name: number
    for number, name in enumerate(sorted(DATASETS, key=lambda n: bool(DATASETS[n].time)))
}
assert len(_ORDER) * FILES_OF_A_DATASET < 2**31


def files_of(lake: Lake, dataset: str, day: dt.date) -> list[SourceFile]:
    """Return the files from which the rows of a day are read, in order.

    Of the registry (`subscribers`) these are its own and, for who joined later, those of
    `prospects`; the rows are as of the day's start.

    Raises:
        TelcoError: A partition is missing or made by another version of the contract, or a file is
            damaged.
    """
    if dataset != REGISTRY:
        return _files(lake, dataset, day)
    registry, joined = _registry_as_of(lake, day)
    found = _files(lake, REGISTRY, day, registry)
    return found + _files(lake, PROSPECTS, day, joined, REGISTRY)


def inputs_of(datasets: Sequence[str]) -> tuple[str, ...]:
    """Return the datasets from which rows of some datasets are read.

    Those of the registry, as it stands when a day begins, come also from who joined, from what
    changed, and from who has which plan.
    """
    found = ((*_REGISTRY_INPUTS, name) if name == REGISTRY else (name,) for name in datasets)
    return tuple(dict.fromkeys(name for names in found for name in names))


def lacking(lake: Lake, datasets: Sequence[str], day: dt.date) -> list[str]:
    """Return those of some datasets that are not in the lake.

    Args:
        lake: The lake.
        datasets: The datasets.
        day: The day; of changes of identities those before it count too, as who has which identity
            follows from all of them.

    Raises:
        TelcoError: The lake does not say when its world begins, and changes are asked for.
    """
    return [
        name
        for name in datasets
        if not lake.exists(name, day if DATASETS[name].daily else None)
        or (name == asof.CHANGES and asof.missing_days(lake, day - dt.timedelta(days=1)))
    ]


def provenances(lake: Lake, dataset: str, day: dt.date) -> Iterator[Provenance]:
    """Yield where the rows of a day come from; see `files_of`.

    Raises:
        TelcoError: A partition is missing or tells nothing.
    """
    yield provenance(lake, dataset, day)
    if dataset == REGISTRY:
        yield provenance(lake, PROSPECTS, day)
        if lake.exists(_STATE, day):
            yield provenance(lake, _STATE, day)
        for each in lake.days(asof.CHANGES):
            if each < day:
                yield provenance(lake, asof.CHANGES, each)


def provenance(lake: Lake, dataset: str, day: dt.date) -> Provenance:
    """Return where one partition comes from; for a dataset without days the day does not matter.

    Raises:
        TelcoError: It is not in the lake, tells nothing, or keeps another version of its contract.
    """
    contract = DATASETS[dataset]
    when = day if contract.daily else None
    remedy = lake.command(dataset, when, when)
    if not lake.exists(dataset, when):
        of = f" of {day}" if when else ""
        raise TelcoError(f"{lake.root} has no {dataset}{of}: make it with `{remedy}`")
    found = lake.provenance(dataset, when)
    if found is None:
        raise TelcoError(
            f"{lake.directory(dataset, when)} does not tell where it comes from: make it anew with "
            f"`{remedy}`"
        )
    if found.contract_version != contract.version:
        raise TelcoError(
            f"{lake.directory(dataset, when)} keeps version {found.contract_version} of its "
            f"contract, this program knows version {contract.version}: make it anew with `{remedy}`"
        )
    return found


def _files(
    lake: Lake, dataset: str, day: dt.date, made: Rows | None = None, sent_as: str | None = None
) -> list[SourceFile]:
    contract = DATASETS[dataset]
    when = day if contract.daily else None
    provenance(lake, dataset, day)
    remedy = lake.command(dataset, when, when)
    found = []
    for part, path in enumerate(lake.files(dataset, when)):
        try:
            stretches = tuple(_stretches(path, contract.time))
        except (pa.ArrowException, OSError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise TelcoError(
                f"{path} cannot be read ({why}): make it anew with `{remedy}`"
            ) from error
        found.append(
            SourceFile(
                file_number(dataset, part),
                sent_as or dataset,
                path,
                sum(stretch.rows for stretch in stretches),
                contract.time,
                day_start(day),
                stretches,
                made,
                remedy,
            )
        )
    return found


def _stretches(path: Path, time: str | None) -> Iterator[Stretch]:
    known = pq.read_metadata(path)
    column = None if time is None else known.schema.names.index(time)
    first = 0
    for number in range(known.num_row_groups):
        group = known.row_group(number)
        last = None
        if column is not None:
            statistics = group.column(column).statistics
            if statistics is not None and statistics.has_min_max:
                last = microseconds(statistics.max)
        yield Stretch(first, group.num_rows, last)
        first += group.num_rows


# --- the registry as it stands when a day begins ------------------------------------------------

REGISTRY: Final = asof.REGISTRY
PROSPECTS: Final = "prospects"
IN_SERVICE: Final = "in_service"
"""Column that the registry has beside its contract's: false from the end of a subscription on."""
_STATE: Final = "subscriber_state"
_REGISTRY_INPUTS: Final = (REGISTRY, PROSPECTS, asof.CHANGES, _STATE)
_OVERLAID: Final = ("imsi", "msisdn", "imei", "iccid", "device_id", "number_holder")


def _registry_as_of(lake: Lake, day: dt.date) -> tuple[Rows, Rows]:
    """Return what makes rows as of a day's start of those of the registry, and of prospects.

    Identity, device and plan are those of that moment, all else is as the registry has it. Of
    prospects only those are left who have joined.
    """
    changed = ("subscriber_id", *(f"_{name}" for name in _OVERLAID), "_ended")
    if day == asof.epoch_of(lake):
        latest = pl.DataFrame(schema=dict.fromkeys(changed[1:-1], pl.String)).with_columns(
            subscriber_id=pl.lit(None, pl.Int64), _ended=pl.lit(None, pl.Boolean)
        )
    else:
        changes = asof.changes_until(lake, day - dt.timedelta(days=1))
        latest = (
            changes.sort("subscriber_id", "event_time")
            .unique("subscriber_id", keep="last", maintain_order=True)
            .select(
                "subscriber_id",
                *(pl.col(name).alias(f"_{name}") for name in _OVERLAID),
                _ended=pl.col("change_type").cast(pl.String).is_in(asof.ENDS),
            )
            .collect()
        )
    plans = None
    if lake.exists(_STATE, day):
        plans = lake.read(_STATE, day, day, ["subscriber_id", "plan_id"])
        plans = plans.rename({"plan_id": "_plan_id"})

    def registry(rows: pl.DataFrame) -> pl.DataFrame:
        rows = rows.join(latest, on="subscriber_id", how="left", maintain_order="left")
        overlaid: list[str] = list(_OVERLAID)
        if plans is not None:
            rows = rows.join(plans, on="subscriber_id", how="left", maintain_order="left")
            overlaid.append("plan_id")
        return rows.with_columns(
            *(pl.coalesce(f"_{name}", name).alias(name) for name in overlaid),
            (~pl.col("_ended").fill_null(False)).alias(IN_SERVICE),
        ).select(*DATASETS[REGISTRY].columns, IN_SERVICE, ROW)

    def prospects(rows: pl.DataFrame) -> pl.DataFrame:
        return registry(rows.join(latest, on="subscriber_id", how="semi", maintain_order="left"))

    return registry, prospects
