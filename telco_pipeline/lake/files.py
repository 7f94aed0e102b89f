"""Writes one Parquet file.

Belongs here: how rows become a file, and the measurements behind it. Does not belong here: in
which partition the file lies (`pending`), the rows in memory (`rowset`).

Measured with the generator's own rows on one thread of two shared cores (PyArrow 26, Polars 2.1;
a part of 143,000 voice and one of 784,000 data rows, lz4; ns a row and bytes a row):

    Polars, texts as they are                     480 ns, 73 B     443 ns, 56 B
    PyArrow, coded texts, all dictionaries        743 ns, 79 B     460 ns, 50 B
    PyArrow, coded texts, dictionaries of texts   568 ns, 74 B     424 ns, 53 B
    the same, statistics of times only            317 ns, 74 B     209 ns, 53 B

Statistics of a text column compare every text, and nobody prunes by IMSI: identities tell nothing
of place or time, so every file has them all. Statistics of the event time make a query by time six
times faster (DuckDB). lz4 writes fastest and reads fastest; zstd 1 would be 27 % smaller and 10 %
slower.

A row group writes its dictionaries anew, so larger ones are smaller and faster to write, but leave
less out for a query by time. 784,000 data rows (DuckDB, two threads, ms: a group-by, all rows of
one subscriber, ten minutes of the day):

    row group    65,536    360 ns, 76 B     6 / 30 / 3
                131,072    298 ns, 67 B     5 / 26 / 3
                262,144    265 ns, 62 B     7 / 34 / 4
              1,048,576    253 ns, 59 B     7 / 35 / 10
"""

import base64
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
import pyarrow.parquet as pq
import xxhash

from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.lake.layout import disk_errors
from telco_pipeline.lake.provenance import FileStats
from telco_pipeline.lake.rowset import CodedText, Rowset

COMPRESSION: Final[Literal["lz4"]] = "lz4"
ROW_GROUP_ROWS: Final = 262_144


def write_part(rows: pl.DataFrame | Rowset, path: Path, dataset: Dataset) -> FileStats:
    """Write one part of a partition as a Parquet file.

    The same rows in the same order give the same bytes. Nothing of the world goes into the file;
    its provenance lies beside it.

    Args:
        rows: The rows, in the contract's columns and types.
        path: The file, from `PendingPartition.path`.
        dataset: The contract.

    Returns:
        What `PendingPartition.commit` needs to know of the file.

    Raises:
        AssertionError: The rows do not have the contract's columns and types: a fault of the
            program that made them.
        TelcoError: The disk is full or refuses.
    """
    rowset = rows if isinstance(rows, Rowset) else Rowset.from_frame(dataset, rows)
    _check_schema(rowset, dataset)
    with (
        disk_errors("write", path),
        pq.ParquetWriter(
            path,
            rowset.slice(0, 0).to_arrow().schema,
            **_options(dataset),
        ) as writer,
    ):
        # Arrow has texts in a form of its own: so a row group is there twice, not the part.
        for start in range(0, max(rowset.height, 1), ROW_GROUP_ROWS):
            group = rowset.slice(start, ROW_GROUP_ROWS).to_arrow()
            writer.write_table(group, row_group_size=ROW_GROUP_ROWS)
        writer.add_key_value_metadata(_metadata(dataset))
    with disk_errors("read", path):
        digest, size = file_hash(path)
    return FileStats(path.name, rowset.height, size, digest)


@cache
def _metadata_of(name: str, version: int) -> dict[str, str]:
    """Return the file's metadata: contract, and the types as Polars shall read them.

    Without the latter a coded text would come back as a category, an enumeration as text.
    """
    schema = pl.DataFrame(schema=DATASETS[name].polars_schema).to_arrow().schema
    return {
        "dataset": name,
        "contract_version": str(version),
        "ARROW:schema": base64.b64encode(schema.serialize().to_pybytes()).decode(),
    }


def _metadata(dataset: Dataset) -> dict[str, str]:
    return _metadata_of(dataset.name, dataset.version)


def _options(dataset: Dataset) -> dict[str, Any]:
    return {
        "compression": COMPRESSION,
        "use_dictionary": _text_columns(dataset),
        "write_statistics": _pruned_columns(dataset),
        "store_schema": False,  # see `_metadata_of`
    }


def _text_columns(dataset: Dataset) -> list[str]:
    """Return the columns that get a dictionary: texts and enumerations."""
    return [
        name
        for name, dtype in dataset.polars_schema.items()
        if dtype == pl.String or isinstance(dtype, pl.Enum)
    ]


def _pruned_columns(dataset: Dataset) -> list[str]:
    """Return the columns by which readers leave out row groups: times, dates and keys."""
    schema = dataset.polars_schema
    return [name for name in dataset.sort if not schema[name].is_(pl.String)] or dataset.columns


def file_hash(path: Path) -> tuple[str, int]:
    """Return the XXH3-128 of a file's bytes, in hexadecimal, and its size in bytes.

    It tells damage and difference, not forgery: it costs a twentieth of a SHA-256.
    """
    digest = xxhash.xxh3_128()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def changed_files(directory: Path, promised: Sequence[FileStats]) -> dict[str, str]:
    """Return in words, by file name, how the Parquet files in a directory are not as promised."""
    named = {file.name: file for file in promised}
    there = {path.name: path for path in directory.glob("*.parquet")}
    found = {name: f"{name} is missing" for name in sorted(named.keys() - there.keys())}
    found |= {name: f"{name} is a stranger" for name in sorted(there.keys() - named.keys())}
    for name in sorted(named.keys() & there.keys()):
        if file_hash(there[name]) != (named[name].xxh3, named[name].bytes):
            found[name] = f"{name} was changed"
    return found


def is_readable(path: Path) -> bool:
    """Return whether all of a Parquet file can be read."""
    try:
        pl.read_parquet(path, glob=False, hive_partitioning=False)
    except (pl.exceptions.PolarsError, OSError):
        return False
    return True


def _check_schema(rowset: Rowset, dataset: Dataset) -> None:
    promised = dataset.polars_schema
    # A coded text may stand for a text or for an enumeration.
    found = pl.Schema(
        {
            name: promised.get(name, pl.String()) if isinstance(column, CodedText) else column.dtype
            for name, column in rowset.columns.items()
        }
    )
    if found == promised and list(found) == list(promised):
        return
    differences = "; ".join(schema_differences(found, promised))
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
