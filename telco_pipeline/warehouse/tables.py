"""Tables: what a contract says, as SQLAlchemy tables with types, keys, comments and indexes.

Belongs here: types and roles of columns, which indexes there are, the CREATE statements. Does not
belong here: a database that is really there (`existing`), rows (`loading`).

A table of daily rows begins with the column `day`, the partition's day in UTC, and has the primary
key (day, key of the contract). Times are UTC without a zone. The indexes follow from the roles of
columns, not from names of datasets: who or what a row is about (the first column that refers to
subscribers, to cells and, where a row has no subscriber, to elements), each with the time. CDRs
name their element too, but so few elements write all of them that an index would help nobody.

What a database makes of it:

- PostgreSQL: partitions by day, and so the day at the end of the key and no time in the indexes of
  subscribers, cells and elements. Time within the day is a BRIN index, a few kilobytes, since files
  are sorted by time.
- SQLite, SQL Server: the same indexes as B-trees, and time with the day.
- DuckDB: no primary key and no index. It prunes by the minima and maxima of each row group; its
  indexes are kept in memory whole and make loading slower by a multiple. The key stands in the
  table's comment, and dbt's tests hold it.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, Final

import dataframely as dy
import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import mssql
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.schema import CreateIndex, CreateTable, SetColumnComment, SetTableComment

from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.errors import TelcoError

DAY: Final = "day"
LEDGER: Final = "telco_loads"
HISTORY: Final = "subscribers_history"
CHANGES: Final = "subscribers_changes"
OF_THE_LAKE: Final = frozenset((*DATASETS, HISTORY, CHANGES))
"""Tables that are made from the lake together, and so are of one world."""
DIALECTS: Final = ("postgresql", "sqlite", "duckdb", "mssql")

SUBJECTS: Final = ("subscribers", "cells", "network_elements")
"""Datasets whose things a row can be about; the last one counts only without the first."""

_KEY_LENGTH: Final = 100
"""Characters of a text that SQL Server can index: a key of its may have 900 bytes."""

_Text = sa.Text().with_variant(mssql.NVARCHAR(None), "mssql")
_KeyText = sa.Text().with_variant(mssql.NVARCHAR(_KEY_LENGTH), "mssql")
_Moment = sa.TIMESTAMP().with_variant(mssql.DATETIME2(6), "mssql")
_Real = sa.Double().with_variant(mssql.FLOAT(53), "mssql")
_TYPES: Final[dict[Any, Any]] = {
    pl.Int64: sa.BigInteger(),
    pl.Int32: sa.Integer(),
    pl.Int16: sa.SmallInteger(),
    pl.Float64: _Real,
    pl.Boolean: sa.Boolean(),
    pl.Date: sa.DATE(),
}


def sql_type(dtype: pl.DataType, *, key: bool = False) -> sa.types.TypeEngine[Any]:
    """Return the SQL type of a column.

    Args:
        dtype: The type in the lake.
        key: Whether it is part of a key or an index, which SQL Server wants bounded.
    """
    if isinstance(dtype, pl.Datetime):
        return _Moment
    if isinstance(dtype, pl.String | pl.Enum | pl.Categorical):
        return _KeyText if key else _Text
    for kind, found in _TYPES.items():
        if dtype == kind:
            return found
    raise ValueError(f"no SQL type for {dtype}")


def table_of(dataset: Dataset, metadata: sa.MetaData) -> sa.Table:
    """Return a dataset's table, made in `metadata` at the first call."""
    indexes = _indexes(dataset)
    indexed = {name for columns in indexes for name in columns}
    columns = [
        sa.Column(
            name,
            sql_type(column.dtype, key=column.primary_key or name in indexed),
            nullable=column.nullable,
            comment=_comment(column),
        )
        for name, column in dataset.schema.columns().items()
    ]
    return make_table(
        dataset.name,
        columns,
        metadata,
        daily=dataset.daily,
        key=dataset.schema.primary_key(),
        indexes=indexes,
        time=dataset.time,
        comment=f"{dataset.description} (contract version {dataset.version})",
    )


def make_table(
    name: str,
    columns: Sequence[sa.Column[Any]],
    metadata: sa.MetaData,
    *,
    daily: bool,
    day_of: str = DAY,
    key: Sequence[str],
    indexes: Sequence[Sequence[str]] = (),
    time: str | None = None,
    comment: str | None = None,
) -> sa.Table:
    """Return a table of the warehouse, made in `metadata` at the first call.

    Args:
        name: Its name.
        columns: Its columns, without `day`.
        metadata: Where it belongs; names the schema.
        daily: Whether it is replaced day by day, and partitioned so.
        day_of: What tells the day of a row: a column `day` before the others, or one of `columns`,
            a time in UTC.
        key: Columns of the primary key, without `day`; none for a table without a key.
        indexes: Columns of each index.
        time: Column of the event time, by which the rows of a file are sorted.
        comment: What a row is.
    """
    full = f"{metadata.schema}.{name}" if metadata.schema else name
    if full in metadata.tables:
        return metadata.tables[full]
    day = sa.Column(DAY, sa.DATE(), nullable=False, comment="Day of the partition (UTC).")
    table = sa.Table(
        name,
        metadata,
        *([day] if daily and day_of == DAY else []),
        *columns,
        comment=comment,
        info={"daily": daily, "day_of": day_of, "time": time},
        postgresql_partition_by=f"RANGE ({day_of})" if daily else None,
    )
    if key:
        names = list(key)
        if daily:  # PostgreSQL wants what it partitions by in every key
            names = [DAY, *names] if day_of == DAY else [*names, day_of]
        table.append_constraint(sa.PrimaryKeyConstraint(*(table.c[each] for each in names)))
        # Numbers of our own, never the database's.
        for each in names:
            table.c[each].autoincrement = False
    for each in indexes:
        sa.Index(_index_name(name, each), *(table.c[column] for column in each))
    if time is not None:
        sa.Index(_index_name(name, [time]), table.c[time], postgresql_using="brin")
    return table


def all_tables(schema: str | None = None) -> sa.MetaData:
    """Return the tables of all datasets and the ledger."""
    metadata = sa.MetaData(schema=schema)
    for dataset in DATASETS.values():
        table_of(dataset, metadata)
    ledger_table(metadata)
    return metadata


def ledger_table(metadata: sa.MetaData) -> sa.Table:
    """Return the table of what is loaded; see `ledger`."""
    columns = [
        sa.Column("dataset", _KeyText, nullable=False, comment="Table that was loaded."),
        sa.Column(
            DAY,
            sa.DATE(),
            nullable=False,
            comment="Day (UTC); 0001-01-01 where a table has none.",
        ),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="Rows of this day."),
        sa.Column(
            "content_hash", _Text, nullable=False, comment="Hash of what the rows were made from."
        ),
        sa.Column("contract_version", sa.Integer(), nullable=False, comment="Of the dataset."),
        sa.Column("world_hash", _Text, nullable=False, comment="The world that the rows are of."),
        sa.Column("seed", sa.BigInteger(), nullable=False, comment="The world's seed."),
        sa.Column("loaded_at", _Moment, nullable=False, comment="When it was loaded (UTC)."),
    ]
    return make_table(
        LEDGER,
        columns,
        metadata,
        daily=False,
        key=("dataset", DAY),
        comment="What telco has loaded: one row per table and day, written with the rows.",
    )


def of_one_world(name: str) -> frozenset[str]:
    """Return the tables that hold the same world as one: the lake's; any other stands by itself."""
    return OF_THE_LAKE if name in OF_THE_LAKE else frozenset((name,))


def is_daily(table: sa.Table) -> bool:
    """Return whether a table is replaced day by day."""
    return bool(table.info.get("daily"))


def day_column(table: sa.Table) -> str:
    """Return the column that tells the day of a daily table's row: `day`, or a time in UTC."""
    return str(table.info.get("day_of", DAY))


def on_day(table: sa.Table, day: dt.date) -> sa.ColumnElement[bool]:
    """Return whether a row of a daily table is of a day."""
    column = table.c[day_column(table)]
    if column.name == DAY:
        return column == day
    midnight = dt.datetime.combine(day, dt.time())
    return sa.and_(column >= midnight, column < midnight + dt.timedelta(days=1))


def indexes_for(table: sa.Table, dialect: str) -> list[sa.Index]:
    """Return the indexes that a table has in a kind of database, in the order of their names."""
    return sorted(for_dialect(table, dialect).indexes, key=lambda index: str(index.name))


def for_dialect(table: sa.Table, dialect: str) -> sa.Table:
    """Return a table as it is in a kind of database: itself, or a copy with other keys, indexes."""
    if dialect == "duckdb":
        return without_keys(table)
    if dialect == "postgresql" and is_daily(table):
        return _of_partitions(table)
    return table


def _of_partitions(table: sa.Table) -> sa.Table:
    """Return a copy with keys and indexes that suit partitions of one day.

    The day is the same in all rows of a partition: at the end of the key it costs no comparison
    when the index is made. And what an index finds of a subscriber or cell in a day are few rows:
    without the time, of which BRIN knows, equal entries are stored once, in a fifth of the space.
    """
    copy = sa.Table(
        table.name,
        sa.MetaData(schema=table.schema),
        *_columns(table),
        comment=table.comment,
        info=table.info,
        postgresql_partition_by=table.dialect_options["postgresql"]["partition_by"],
    )
    key = [column.name for column in table.primary_key.columns]
    if key:
        ordered = sorted(key, key=lambda name: name == DAY)
        copy.append_constraint(sa.PrimaryKeyConstraint(*(copy.c[name] for name in ordered)))
    for index in table.indexes:
        names = [column.name for column in index.columns]
        if len(names) > 1 and names[-1] == table.info.get("time"):
            names.pop()
        using = index.dialect_options["postgresql"]["using"]
        sa.Index(
            _index_name(table.name, names),
            *(copy.c[name] for name in names),
            postgresql_using=using or "btree",
        )
    return copy


def without_keys(table: sa.Table, name: str | None = None) -> sa.Table:
    """Return a copy of a table without key, indexes and partitions; its comment names the key.

    Args:
        table: The table.
        name: Name of the copy; by default that of the table.
    """
    key = ", ".join(column.name for column in table.primary_key.columns)
    return sa.Table(
        name or table.name,
        sa.MetaData(schema=table.schema),
        *_columns(table),
        comment=f"{table.comment or ''} Key: {key}.".strip() if key else table.comment,
    )


def _columns(table: sa.Table) -> list[sa.Column[Any]]:
    return [
        sa.Column(
            column.name,
            column.type,
            nullable=column.nullable,
            comment=column.comment,
            autoincrement=False,
        )
        for column in table.columns
    ]


def create_statements(table: sa.Table, dialect: Dialect) -> Iterator[str]:
    """Yield the statements that make a table with its comments and indexes, without semicolons."""
    name = dialect.name
    made = for_dialect(table, name)
    if name == "mssql" and made.schema is None:
        # Comments are properties of a schema there, which must be named.
        made = made.to_metadata(sa.MetaData(), schema="dbo")
    yield _compiled(CreateTable(made), dialect)
    for index in sorted(made.indexes, key=lambda index: str(index.name)):
        yield _compiled(CreateIndex(index), dialect)
    if not dialect.supports_comments or dialect.inline_comments:
        return
    if made.comment:
        yield _compiled(SetTableComment(made), dialect)
    for column in made.columns:
        if column.comment:
            yield _compiled(SetColumnComment(column), dialect)


def dialect_named(name: str) -> Dialect:
    """Return a dialect to compile for; no driver is needed but DuckDB's.

    Raises:
        TelcoError: The name is unknown, or the dialect is not installed.
    """
    if name not in DIALECTS:
        raise TelcoError(f"no dialect {name[:40]!r}: it is one of {', '.join(DIALECTS)}")
    # SQL Server's limits on identifiers and types do not hang on the driver.
    url = "mssql+pyodbc://" if name == "mssql" else f"{name}://"
    try:
        return make_url(url).get_dialect()()
    except (NoSuchModuleError, ImportError):
        raise TelcoError(
            f"the dialect {name} is not installed: pip install 'telco-pipeline[warehouse]'"
        ) from None


def _compiled(statement: Any, dialect: Dialect) -> str:
    text = str(statement.compile(dialect=dialect))
    # Some drivers want a percent sign doubled; a script does not.
    doubled = dialect.paramstyle in ("format", "pyformat")
    return (text.replace("%%", "%") if doubled else text).strip()


def _comment(column: dy.Column) -> str:
    facts = column.metadata or {}
    unit, standard = facts.get("unit"), facts.get("standard")
    words = [(column.description or "").strip()]
    words += [f"Unit: {unit}."] if unit and unit != "UTC" else ["UTC."] if unit else []
    words += [f"{standard}."] if standard else []
    return " ".join(word for word in words if word)


def _indexes(dataset: Dataset) -> list[list[str]]:
    """Return the columns of each index that the roles of a dataset's columns ask for."""
    about: dict[str, str] = {}
    for key in dataset.foreign_keys:
        if key.target in SUBJECTS:
            about.setdefault(key.target, key.column)
    if SUBJECTS[0] in about:
        about.pop(SUBJECTS[-1], None)
    primary = dataset.schema.primary_key()
    time = [dataset.time] if dataset.time else []
    return [
        [about[target], *time]
        for target in SUBJECTS
        # The primary key begins with it: it serves as well.
        if target in about and primary[:1] != [about[target]]
    ]


def _index_name(table: str, columns: Sequence[str]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"[:63]
