"""Lakes of random rows in the contracts' types, and the rows of a database as a frame again.

Nulls, empty texts, quotation marks, commas, line ends, characters of all planes, the least and the
greatest numbers and times to the microsecond are among the rows: what a way into a database may
spoil.
"""

import datetime as dt
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from telco_pipeline.contracts import DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import tables
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.lake.kit import DAY, bound_lake, commit

NEXT_DAY = DAY + dt.timedelta(days=1)
TEXTS = [
    *("", "plain", 'a "quoted" \\ text', "line\nbreak\r\ttab", "a,b;c|d", "\\N", "\\.", "NULL"),
    *("Zoë 😀 \u2028", "é", "' OR 1=1 --", "100 %s %(x)s :y ?", " blanks "),
]


def rows_of(dataset: str, count: int, seed: int) -> pl.DataFrame:
    """Return random rows of a dataset with unique keys; a few fewer, should keys meet."""
    draw = np.random.default_rng(seed)
    contract = DATASETS[dataset]
    columns = contract.schema.columns()
    key = contract.schema.primary_key()
    made = {
        name: _values(dtype, count, draw, name in key)
        for name, dtype in contract.polars_schema.items()
    }
    frame = pl.DataFrame(made, schema=contract.polars_schema)
    nulls = [
        pl.when(pl.Series(draw.random(count) >= 0.3)).then(pl.col(name)).alias(name)
        for name, column in columns.items()
        if column.nullable
    ]
    frame = frame.with_columns(nulls).unique(key, maintain_order=True)
    return frame.sort(contract.time, maintain_order=True) if contract.time else frame


def _values(dtype: pl.DataType, count: int, draw: np.random.Generator, key: bool) -> Any:
    if isinstance(dtype, pl.Datetime):
        start = dt.datetime.combine(DAY, dt.time(), dt.UTC)
        micros = draw.integers(0, 86_400_000_000, count)
        return pl.Series(micros).cast(pl.Duration("us")) + start
    if dtype == pl.Date:
        return pl.Series(draw.integers(-9_000, 9_000, count).astype(np.int32)).cast(pl.Date)
    if isinstance(dtype, pl.Enum):
        words = dtype.categories.to_list()
        return [words[code] for code in draw.integers(0, len(words), count)]
    if dtype == pl.Boolean:
        return draw.integers(0, 2, count).astype(bool)
    if dtype == pl.Float64:
        found = draw.normal(size=count) * 10.0 ** draw.integers(-20, 20, count)
        found[: min(2, count)] = [0.0, 1.7976931348623157e308][: min(2, count)]
        return found
    if dtype == pl.String:
        if key:
            numbers = draw.integers(0, 10**9, count)
            return [f"{TEXTS[i % len(TEXTS)]}{number}" for i, number in enumerate(numbers)]
        return [TEXTS[i] for i in draw.integers(0, len(TEXTS), count)]
    bits = {pl.Int16: 16, pl.Int32: 32}.get(type(dtype), 64)
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    found = draw.integers(least, most, count, dtype=np.int64, endpoint=True)
    found[: min(2, count)] = [least, most][: min(2, count)]
    return found


def lake_of(
    root: Path,
    datasets: Sequence[str] = tuple(DATASETS),
    days: Sequence[dt.date] = (DAY, NEXT_DAY),
    rows: Sequence[int] = (60, 1),
    seed: int = 1,
    world: int = 42,
) -> Lake:
    """Return a lake of random rows; `rows` are those of each file of a partition."""
    lake = bound_lake(root, world)
    for dataset in datasets:
        put(lake, dataset, days, rows, seed, world)
    return lake


def put(
    lake: Lake,
    dataset: str,
    days: Sequence[dt.date] = (DAY,),
    rows: Sequence[int] = (60,),
    seed: int = 1,
    world: int = 42,
) -> None:
    """Write partitions of random rows into a lake; keys are unique within a partition."""
    contract = DATASETS[dataset]
    for number, day in enumerate(days if contract.daily else [None]):
        salt = 1000 * list(DATASETS).index(dataset) + 10 * number
        frame = rows_of(dataset, sum(rows), seed * 100_000 + salt)
        ends = [0, *accumulate(rows)]
        parts = [frame[first:last] for first, last in pairwise(ends)]
        commit(lake, contract, parts, day, seed=world)


def held(database: Database, dataset: str) -> pl.DataFrame:
    """Return a table's rows in the lake's types, with `day`, sorted by all columns."""
    contract = DATASETS[dataset]
    table = tables.table_of(contract, database.metadata)
    schema = _schema(dataset)
    with database.reading() as connection:
        rows = connection.execute(sa.select(table)).fetchall()
    plain = {
        name: pl.Datetime("us") if isinstance(dtype, pl.Datetime) else dtype
        for name, dtype in schema.items()
    }
    frame = pl.DataFrame([tuple(row) for row in rows], schema=plain, orient="row")
    zoned = [
        pl.col(name).dt.replace_time_zone("UTC")
        for name, dtype in schema.items()
        if isinstance(dtype, pl.Datetime)
    ]
    return _sorted(frame.with_columns(zoned), dataset)


def expected(lake: Lake, dataset: str) -> pl.DataFrame:
    """Return the lake's rows likewise."""
    return _sorted(lake.scan(dataset).collect().select(_schema(dataset).names()), dataset)


def _schema(dataset: str) -> pl.Schema:
    contract = DATASETS[dataset]
    first = {tables.DAY: pl.Date} if contract.daily else {}
    return pl.Schema(first | dict(contract.polars_schema))


def _sorted(frame: pl.DataFrame, dataset: str) -> pl.DataFrame:
    key = DATASETS[dataset].schema.primary_key()
    return frame.sort([tables.DAY, *key] if DATASETS[dataset].daily else key)


def files_of(database: Database) -> list[Path]:
    """Return what lies beside the file of an embedded database, itself included."""
    assert database.file is not None
    return sorted(database.file.parent.glob(f"{database.file.name}*"))
