"""Writes one Parquet file.

Belongs here: how a frame becomes a file, and the measurements behind it. Does not belong here:
in which partition the file lies (`pending`).

Measured with a realistic `cdrs_voice` of 25 columns on 2 shared cores (Polars 2.1, DuckDB 2.0;
1 M rows, all threads, and 200,000 rows on one thread, as in a process pool). Queries: a group-by
over the day, all rows of one subscriber, a count over ten minutes.

    format, row group    M rows/s  one thread  bytes/row   DuckDB, ms
    uncompressed 131,072      4.5         2.1        116   10 / 43 / 1.1
    lz4           32,768      4.6         2.5         79   11 / 12 / 1.5
    lz4           65,536      3.8                     81    7 / 40 / 1.6
    lz4          131,072      3.4         2.0         76    8 / 76 / 2.0
    snappy       131,072      3.6         2.0         78    9 / 60 / 1.9
    zstd 1        32,768      4.1                     58   10 / 30 / 1.5
    zstd 1       131,072      3.5         1.8         60    7 / 42 / 2.1
    zstd 3       131,072      2.8         1.5         60   10 / 78 / 2.2

With the generator's own rows, whose identities repeat more often in a longer group, larger groups
win on one thread (145,000 voice and 790,000 data rows; ns a row and bytes a row):

    lz4, row group 32,768     590 ns, 83 B     545 ns, 66 B
    lz4, row group 131,072    520 ns, 73 B     448 ns, 56 B

Writing speed is the scarce good, so lz4 in groups of 131,072 rows. Statistics cost 5 % and make
the query by time six times faster. Writing to the file and reading it back for its hash (40 ms
for 75 MB) beats a buffer in memory, which costs 100 ms more and all of the file's size.
"""

import hashlib
from pathlib import Path
from typing import Final, Literal

import polars as pl

from telco_pipeline.contracts import Dataset
from telco_pipeline.lake.layout import disk_errors
from telco_pipeline.lake.provenance import FileStats

COMPRESSION: Final[Literal["lz4"]] = "lz4"
ROW_GROUP_ROWS: Final = 131_072


def write_part(frame: pl.DataFrame, path: Path, dataset: Dataset) -> FileStats:
    """Write one part of a partition as a Parquet file.

    The same rows in the same order give the same bytes, however the frame is chunked and however
    many threads write it. Nothing of the world goes into the file; its provenance lies beside it.

    Args:
        frame: The rows, in the contract's columns and types.
        path: The file, from `PendingPartition.path`.
        dataset: The contract.

    Returns:
        What `PendingPartition.commit` needs to know of the file.

    Raises:
        AssertionError: The frame does not have the contract's columns and types: a fault of the
            program that made it.
        TelcoError: The disk is full or refuses.
    """
    _check_schema(frame, dataset)
    with disk_errors("write", path):
        frame.write_parquet(
            path,
            compression=COMPRESSION,
            row_group_size=ROW_GROUP_ROWS,
            metadata={"dataset": dataset.name, "contract_version": str(dataset.version)},
        )
        digest, size = file_hash(path)
    return FileStats(path.name, frame.height, size, digest)


def file_hash(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file's bytes and its size in bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


def _check_schema(frame: pl.DataFrame, dataset: Dataset) -> None:
    if frame.schema == dataset.polars_schema:
        return
    differences = "; ".join(schema_differences(frame.schema, dataset.polars_schema))
    raise AssertionError(f"{dataset.name} does not keep its contract: {differences}")


def schema_differences(found: pl.Schema, promised: pl.Schema) -> list[str]:
    """Return in words how a frame's columns and types differ from what a contract promises."""
    words = [f"lacks {name}" for name in promised if name not in found]
    words += [f"has {name}, which is not in the contract" for name in found if name not in promised]
    words += [
        f"{name} is {found[name]} instead of {dtype}"
        for name, dtype in promised.items()
        if name in found and found[name] != dtype
    ]
    if not words and list(found) != list(promised):
        words.append(f"columns are in the order {list(found)} instead of {list(promised)}")
    return words
