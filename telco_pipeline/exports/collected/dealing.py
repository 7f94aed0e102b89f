"""Which records lie in which file: those of a dataset and day, dealt by quarter of an hour.

Belongs here: reading the records of a day once and laying them aside in shares that fit into
memory. Does not belong here: what a share becomes (`content`, `writing`).

The rule is that of `oss.collection`: a record lies in the file that its element had open for its
dataset when the record ended. A day's files take records of days before, as far as they lie in the
lake.
"""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.codes import FiledDataset
from telco_pipeline.contracts.plain import codes_as_texts
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports.formats import batches
from telco_pipeline.lake import Lake
from telco_pipeline.oss.collection import ENDS, QUARTER, QUARTERS, days_before

CLOSED: Final = "_closed"
"""When a record was closed, microseconds since 1970."""


@dataclass(frozen=True)
class Share:
    """Records of a dataset and day that lie aside.

    Attributes:
        dataset: Whose records.
        day: The day of their files.
        first: First quarter of the day.
        last: Last quarter, included.
        path: An Arrow file: the contract's columns, codes as text, and `CLOSED`; none if there is
            no record.
    """

    dataset: str
    day: dt.date
    first: int
    last: int
    path: Path


def deal(
    lake: Lake,
    dataset: str,
    day: dt.date,
    counts: Mapping[int, int],
    most: int,
    voice_max_s: int,
    directory: Path,
) -> list[Share]:
    """Lay the records of a dataset's files of a day aside, in shares of some quarters each.

    Args:
        lake: Where the records lie.
        dataset: Whose records.
        day: The day of the files.
        counts: Records of each quarter, as far as known; missing ones have none.
        most: Records of a share, unless one quarter has more.
        voice_max_s: The world's longest call.
        directory: Where to, empty of such shares.

    Raises:
        TelcoError: A file of the lake cannot be read.
    """
    shares = [
        Share(dataset, day, first, last, directory / f"{dataset}-{day}-{first:02d}.arrow")
        for first, last in _cut(counts, most)
    ]
    starts = [share.first for share in shares]
    writers: dict[int, pa.RecordBatchFileWriter] = {}
    try:
        for of_day, file in _sources(lake, dataset, day, voice_max_s):
            for rows in _ending(lake, dataset, day, of_day, file):
                share = np.searchsorted(starts, rows["_quarter"].to_numpy(), side="right") - 1
                placed = rows.with_columns(pl.Series("_share", share))
                for (number,), some in placed.partition_by("_share", as_dict=True).items():
                    plain = some.drop("_share", "_quarter")
                    table = plain.to_arrow(compat_level=pl.CompatLevel.oldest())
                    if number not in writers:
                        writers[number] = pa.ipc.new_file(shares[number].path, table.schema)
                    writers[number].write_table(table)
    finally:
        for writer in writers.values():
            writer.close()
    return shares


def closed(dataset: str) -> pl.Expr:
    """Return when a record of a dataset was closed, microseconds since 1970."""
    start = pl.col("event_time").to_physical()
    ends = ENDS.get(FiledDataset(dataset))
    if ends is None:
        return start
    if ends == "duration":
        return start + pl.col(ends).cast(pl.Int64) * 1_000_000
    return pl.col(ends).to_physical().fill_null(start)


def _cut(counts: Mapping[int, int], most: int) -> Iterator[tuple[int, int]]:
    """Yield first and last quarters of shares."""
    first, held = 0, 0
    for quarter in range(QUARTERS):
        count = counts.get(quarter, 0)
        if held and held + count > most:
            yield first, quarter - 1
            first, held = quarter, 0
        held += count
    yield first, QUARTERS - 1


def _sources(
    lake: Lake, dataset: str, day: dt.date, voice_max_s: int
) -> Iterator[tuple[dt.date, Path]]:
    for back in range(days_before(dataset, voice_max_s), -1, -1):
        of_day = day - dt.timedelta(days=back)
        if not back or lake.files(dataset, of_day):
            yield from ((of_day, file) for file in lake.files(dataset, of_day))


def _ending(
    lake: Lake, dataset: str, day: dt.date, of_day: dt.date, file: Path
) -> Iterator[pl.DataFrame]:
    """Yield the records of a file that end on a day, with the quarter in which they do."""
    start = day_start(day)
    columns: Sequence[pl.Expr] = codes_as_texts(DATASETS[dataset].polars_schema)
    try:
        for rows in batches(dataset, file):
            told = rows.with_columns(closed(dataset).alias(CLOSED))
            own = told.filter(pl.col(CLOSED).is_between(start, start + DAY - 1))
            if own.height:
                quarter = ((pl.col(CLOSED) - start) // QUARTER).alias("_quarter")
                yield own.select(*columns, CLOSED, quarter)
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TelcoError(
            f"{file} cannot be read ({reason}): make it anew with "
            f"`{lake.command(dataset, of_day, of_day)}`"
        ) from error
