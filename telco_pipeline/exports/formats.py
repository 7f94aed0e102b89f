"""One file of the lake as one file of another format.

Belongs here: what a format makes of times, nulls and codes. Does not belong here: which files
(`tables`), tables of many files (`delta`).

| format | times | null | codes |
|---|---|---|---|
| CSV | RFC 3339 with 6 digits and `Z` | nothing between the commas | text |
| NDJSON | the same | `null` | text |
| Parquet | timestamp in microseconds, UTC | null | text |
| Arrow IPC | the same | null | text |
| Avro | long, `timestamp-micros` | null of a union | text, `values` in the schema |

Rows keep their order. Only Avro passes through Python; the others are streamed by Polars.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow.parquet as pq

from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.plain import as_integers, as_texts, avro_schema, codes_as_texts
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports.kinds import KINDS

ROWS_AT_A_TIME: Final = 65_536

_POLARS: Final = {"none": "uncompressed"}
_AVRO: Final = {"none": "null"}


def needed(kind: str) -> Any:
    """Return the package that writes a format; None if it is none of an extra.

    Raises:
        TelcoError: It is not installed.
    """
    package = KINDS[kind].package
    if package is None:
        return None
    try:
        return import_module(package)
    except ImportError:
        raise TelcoError(
            f"telco export {kind} needs the package {package}, which is not installed: "
            "pip install 'telco-pipeline[exports]', or in a checkout: pip install -e '.[exports]'"
        ) from None


def writer(kind: str) -> Callable[[str, Path, Path, str], None]:
    """Return what writes a file of a dataset in a format: dataset, source, target, compression."""
    return _WRITERS[kind]


def batches(dataset: str, source: Path) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file of the lake, the contract's columns, a few at a time."""
    columns = DATASETS[dataset].columns
    with pq.ParquetFile(source) as file:
        for batch in file.iter_batches(ROWS_AT_A_TIME, columns=columns, use_threads=False):
            found = pl.from_arrow(batch)
            assert isinstance(found, pl.DataFrame)
            yield found.select(columns)


def _scan(
    dataset: str, source: Path, columns: Callable[[pl.Schema], list[pl.Expr]]
) -> pl.LazyFrame:
    frame = pl.scan_parquet(source, hive_partitioning=False, glob=False)
    return frame.select(columns(DATASETS[dataset].polars_schema))


def _csv(dataset: str, source: Path, target: Path, compression: str) -> None:
    _scan(dataset, source, as_texts).sink_csv(
        target,
        compression=_POLARS.get(compression, compression),  # pyright: ignore[reportArgumentType]
        check_extension=False,
    )


def _ndjson(dataset: str, source: Path, target: Path, compression: str) -> None:
    _scan(dataset, source, as_texts).sink_ndjson(
        target,
        compression=_POLARS.get(compression, compression),  # pyright: ignore[reportArgumentType]
        check_extension=False,
    )


def _parquet(dataset: str, source: Path, target: Path, compression: str) -> None:
    _scan(dataset, source, codes_as_texts).sink_parquet(
        target,
        compression=_POLARS.get(compression, compression),  # pyright: ignore[reportArgumentType]
    )


def _arrow(dataset: str, source: Path, target: Path, compression: str) -> None:
    _scan(dataset, source, codes_as_texts).sink_ipc(
        target,
        compression=_POLARS.get(compression, compression),  # pyright: ignore[reportArgumentType]
        # Text as every reader of Arrow knows it, not as views, which are of 2023.
        compat_level=pl.CompatLevel.oldest(),
        record_batch_size=ROWS_AT_A_TIME,
    )


def _avro(dataset: str, source: Path, target: Path, compression: str) -> None:
    import fastavro

    with target.open("wb") as file:
        fastavro.writer(
            file,
            _parsed(dataset),
            _records(dataset, source),
            codec=_AVRO.get(compression, compression),
            sync_interval=256_000,
            disable_tuple_notation=True,
        )


@cache
def _parsed(dataset: str) -> Any:
    import fastavro

    return fastavro.parse_schema(avro_schema(dataset))


def _records(dataset: str, source: Path) -> Iterator[dict[str, Any]]:
    for rows in batches(dataset, source):
        plain = rows.select(as_integers(rows.schema))
        names = plain.columns
        for row in zip(*(plain[name].to_list() for name in names), strict=True):
            yield dict(zip(names, row, strict=True))


_WRITERS: Final = {
    "csv": _csv,
    "ndjson": _ndjson,
    "parquet": _parquet,
    "arrow": _arrow,
    "avro": _avro,
}
