"""Small worlds, frames and partitions for tests that need a lake."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.lake import Lake, Origin, Provenance, write_part

DAY = dt.date(2026, 1, 1)
"""First day of the tests' worlds."""

LINKS = DATASETS["network_links"]
"""A dataset without days, of few columns."""

CARE = DATASETS["customer_service"]
"""A daily dataset of few columns."""

CONFIG = {
    "subscribers": 5000,
    "epoch": DAY,
    "numbering": {"care_number": "+3280061000"},
}


def origin(seed: int = 42, name: str = "main") -> Origin:
    """Return the origin of a world whose hash is its seed."""
    return Origin(seed, f"{seed:016x}", name, {}, "test")


def bound_lake(root: Path, seed: int = 42, name: str = "main", **options: Any) -> Lake:
    """Return a lake that is bound to a world."""
    lake = Lake(root, name)
    lake.bind(origin(seed, name), CONFIG, **options)
    return lake


def frame(dataset: Dataset, rows: int = 3, mark: int = 0) -> pl.DataFrame:
    """Return equal rows in a contract's types; the first column is `mark`."""
    values = [
        _value(dtype, mark if position == 0 else 1).alias(name)
        for position, (name, dtype) in enumerate(dataset.polars_schema.items())
    ]
    return pl.DataFrame({"row": range(rows)}).with_columns(values).drop("row")


def _value(dtype: pl.DataType, number: int) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        return pl.lit(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)).cast(dtype)
    if isinstance(dtype, pl.Enum):
        return pl.lit(dtype.categories[0]).cast(dtype)
    if isinstance(dtype, pl.Date):
        return pl.lit(DAY)
    return pl.lit(number).cast(dtype)


def commit(
    lake: Lake,
    dataset: Dataset,
    frames: pl.DataFrame | list[pl.DataFrame],
    day: dt.date | None = None,
    seed: int = 42,
) -> Provenance:
    """Write frames as the parts of a partition and commit it."""
    parts = [frames] if isinstance(frames, pl.DataFrame) else frames
    with lake.begin(dataset.name, day, origin(seed, lake.world)) as pending:
        stats = [
            write_part(part, pending.path(number), dataset) for number, part in enumerate(parts)
        ]
        return pending.commit(stats, seconds=0.5, contract=dataset)


def leftovers(lake: Lake) -> list[Path]:
    """Return what lies in staging and trash but for the lock."""
    found = [*lake.root.glob("_staging/*"), *lake.root.glob("_trash/*")]
    return [path for path in found if path.name != "lock"]
