"""What a dataset's output looks like: for the peers that imitate it, and for counting cells.

Belongs here: inspection of Parquet files. Does not belong here: making any.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

TEXT_SAMPLE = 20_000


@dataclass(frozen=True)
class ColumnProfile:
    """What a peer must know to fill a column with as much data as ours holds.

    Attributes:
        name: Name of the column.
        dtype: Kind: text, enum, int, float, bool, time or date.
        bits: Width of an integer.
        categories: Values of an enum.
        nulls: Share of nulls.
        unique: Number of distinct values.
        length: Mean length of a text in characters.
        low: Smallest number.
        high: Largest number.
    """

    name: str
    dtype: str
    bits: int = 64
    categories: tuple[str, ...] = ()
    nulls: float = 0.0
    unique: int = 0
    length: int = 0
    low: float = 0
    high: float = 0


@dataclass(frozen=True)
class DatasetProfile:
    """What a peer must know of a dataset: rows of each file, and the columns.

    Attributes:
        name: Name of the dataset.
        files: Rows of each file.
        columns: The columns in order.
        counted: Columns that count as cells: not constant, not all null, no copy of another.
    """

    name: str
    files: tuple[int, ...]
    columns: tuple[ColumnProfile, ...]
    counted: int

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(self.files)

    @property
    def cells(self) -> int:
        """Cells that count."""
        return self.rows * self.counted

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "DatasetProfile":
        """Read it from plain values."""
        columns = tuple(
            ColumnProfile(**{**column, "categories": tuple(column["categories"])})
            for column in values["columns"]
        )
        return cls(values["name"], tuple(values["files"]), columns, values["counted"])


def profile_of(name: str, files: Sequence[Path]) -> DatasetProfile:
    """Inspect a dataset's files (one day of it)."""
    rows = tuple(pl.scan_parquet(file).select(pl.len()).collect().item() for file in files)
    frame = pl.read_parquet(list(files))
    return DatasetProfile(
        name,
        rows,
        tuple(_column(frame[column]) for column in frame.columns),
        counted_columns(frame),
    )


def counted_columns(frame: pl.DataFrame) -> int:
    """Count the columns that are not constant, not all null and not equal to an earlier one."""
    kept: list[pl.Series] = []
    for column in frame.get_columns():
        values = column.drop_nulls()
        # A column with one value and some nulls still tells two things apart.
        if values.is_empty() or column.n_unique() <= 1:
            continue
        if not any(_equal(column, earlier) for earlier in kept):
            kept.append(column)
    return len(kept)


def _equal(left: pl.Series, right: pl.Series) -> bool:
    if isinstance(left.dtype, pl.Enum):
        left = left.cast(pl.String)
    if isinstance(right.dtype, pl.Enum):
        right = right.cast(pl.String)
    comparable = left.dtype == right.dtype or (left.dtype.is_numeric() and right.dtype.is_numeric())
    # The first rows decide most pairs at no cost.
    return (
        comparable
        and bool((left.head(100).eq_missing(right.head(100))).all())
        and bool(left.eq_missing(right).all())
    )


def _column(column: pl.Series) -> ColumnProfile:
    dtype = column.dtype
    nulls = column.null_count() / max(len(column), 1)
    unique = column.n_unique()
    if isinstance(dtype, pl.Enum):
        return ColumnProfile(
            column.name, "enum", categories=tuple(dtype.categories), nulls=nulls, unique=unique
        )
    if dtype == pl.String:
        length = column.drop_nulls().head(TEXT_SAMPLE).str.len_chars().mean()
        return ColumnProfile(
            column.name, "text", nulls=nulls, unique=unique, length=round(_float(length))
        )
    if dtype == pl.Boolean:
        return ColumnProfile(column.name, "bool", nulls=nulls, unique=unique)
    kind = _KINDS[dtype.base_type()]
    numbers = column.cast(pl.Int64) if kind in ("time", "date") else column
    return ColumnProfile(
        column.name,
        kind,
        bits=_BITS.get(dtype.base_type(), 64),
        nulls=nulls,
        unique=unique,
        low=_float(numbers.min()),
        high=_float(numbers.max()),
    )


_KINDS = {
    pl.Int64: "int",
    pl.Int32: "int",
    pl.Int16: "int",
    pl.Int8: "int",
    pl.Float64: "float",
    pl.Decimal: "float",
    pl.Datetime: "time",
    pl.Date: "date",
}
_BITS = {pl.Int32: 32, pl.Int16: 16, pl.Int8: 8}


def _float(value: Any) -> float:
    return 0.0 if value is None else float(value)
