"""Datasets as Delta Lake tables: a transaction log and Parquet files.

Belongs here: one table and its transactions. Does not belong here: which datasets and days
(`tables`), other formats (`formats`).

A daily dataset is partitioned by `day`, its last column, and each day is one transaction, so that
the table's history shows the days as they came. Times are `timestamp` (UTC, microseconds), codes
`string`.
"""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.plain import codes_as_texts
from telco_pipeline.exports.formats import batches

DAY: Final = "day"
_CODECS: Final = {"none": "UNCOMPRESSED"}


def append(
    table: Path, dataset: str, day: dt.date | None, sources: Sequence[Path], compression: str
) -> None:
    """Append the rows of a partition to a table in one transaction; the table may be new.

    Args:
        table: Directory of the table.
        dataset: Whose rows.
        day: Day of the partition; None of a dataset without days.
        sources: The partition's files in the lake.
        compression: Of the Parquet files.
    """
    import deltalake

    contract = DATASETS[dataset]
    schema = _frame(dataset, day, pl.DataFrame(schema=contract.polars_schema)).schema
    rows = (
        batch
        for source in sources
        for some in batches(dataset, source)
        for batch in _frame(dataset, day, some).cast(schema).to_batches()
    )
    deltalake.write_deltalake(
        table,
        pa.RecordBatchReader.from_batches(schema, rows),
        mode="append",
        partition_by=[DAY] if day else None,
        name=dataset,
        description=contract.description,
        writer_properties=deltalake.WriterProperties(
            compression=_CODECS.get(compression, compression.upper())  # pyright: ignore[reportArgumentType]
        ),
    )


def _frame(dataset: str, day: dt.date | None, rows: pl.DataFrame) -> pa.Table:
    plain = rows.select(codes_as_texts(DATASETS[dataset].polars_schema))
    if day is not None:
        plain = plain.with_columns(pl.lit(day).alias(DAY))
    return plain.to_arrow(compat_level=pl.CompatLevel.oldest())
