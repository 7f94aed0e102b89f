"""Batches: rows by INSERT, so many at a time, in the transaction of the day.

Belongs here: SQLite and SQL Server, and any database that has no faster way. Does not belong here:
PostgreSQL (`postgres`), DuckDB (`embedded`).
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from telco_pipeline.warehouse import tables

DEFAULT_BATCH: Final = 10_000
_FRAME_ROWS: Final = 65_536


def replace_rows(
    connection: Connection,
    table: sa.Table,
    day: dt.date | None,
    frames: Iterable[pl.DataFrame],
    batch: int = DEFAULT_BATCH,
) -> int:
    """Put rows in the place of those of a day, or of all of a table without days.

    Args:
        connection: In a transaction.
        table: The table.
        day: The day; None for a table without days.
        frames: The rows, in the table's columns but for `day`.
        batch: Rows of each INSERT.

    Returns:
        How many rows were put in.
    """
    delete_rows(connection, table, day)
    names = [column.name for column in table.columns if day is None or column.name != tables.DAY]
    told = day if tables.DAY in table.columns else None
    held = [*names, tables.DAY] if told is not None else names
    statement = _insert(connection, table, held)
    as_text = connection.dialect.name == "sqlite"
    count = 0
    for frame in frames:
        for part in frame.select(names).iter_slices(_FRAME_ROWS):
            # Tuples of one batch at a time: those of a whole part take ten times its memory.
            for rows in _plain(part, told, as_text).iter_slices(batch):
                connection.exec_driver_sql(statement, rows.rows())
            count += part.height
    return count


def delete_rows(connection: Connection, table: sa.Table, day: dt.date | None) -> None:
    """Delete the rows of a day, or all of a table without days."""
    gone = sa.delete(table)
    connection.execute(gone if day is None else gone.where(tables.on_day(table, day)))


def _insert(connection: Connection, table: sa.Table, names: list[str]) -> str:
    """Return an INSERT with a question mark for each column."""
    prepare = connection.dialect.identifier_preparer
    columns = ", ".join(prepare.quote(name) for name in names)
    marks = ", ".join("?" for _ in names)
    return f"INSERT INTO {prepare.format_table(table)} ({columns}) VALUES ({marks})"


def _plain(frame: pl.DataFrame, day: dt.date | None, as_text: bool) -> pl.DataFrame:
    """Return rows in types that the driver takes: times without a zone; for SQLite as text.

    SQLite has no type for dates and times; ISO 8601 is what its functions and SQLAlchemy read.
    """
    changed: list[pl.Expr] = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            naive = column.dt.replace_time_zone(None)
            changed.append(naive.dt.strftime("%Y-%m-%d %H:%M:%S%.6f") if as_text else naive)
        elif dtype == pl.Date and as_text:
            changed.append(column.dt.strftime("%Y-%m-%d"))
        elif dtype == pl.Boolean and as_text:
            changed.append(column.cast(pl.Int8))
    if day is not None:
        value: Any = day.isoformat() if as_text else day
        changed.append(pl.lit(value).alias(tables.DAY))
    return frame.with_columns(changed) if changed else frame
