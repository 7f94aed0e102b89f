"""The flat table in databases of all kinds: its columns and no other, day by day, with indexes."""

import datetime as dt

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import existing, flat, ledger, loading, tables
from telco_pipeline.warehouse.database import Database
from telco_pipeline.warehouse.flat_table import COMMENTS, INDEXES, flat_table, record_of
from telco_pipeline_tests.warehouse.flat_kit import days, flat_world

NAME = "belgian_cdrs"
TYPES = (flat.VOICE, flat.SMS)


def frames(lake: Lake, day: dt.date) -> list[pl.DataFrame]:
    return list(flat.day_frames(lake, day, TYPES))


def put(database: Database, lake: Lake, day: dt.date, rows: list[pl.DataFrame]) -> int:
    """Load a day."""
    table = flat_table(NAME, database.metadata)
    record = record_of(lake, flat_world(), NAME, day, TYPES, None)
    return loading.replace(database, table, day, lambda: iter(rows), record)


def held(database: Database) -> pl.DataFrame:
    """Return the table's rows as a frame of the projection's types, by key."""
    table = flat_table(NAME, database.metadata)
    with database.reading() as connection:
        rows = connection.execute(sa.select(table)).all()
    moment = pl.col("start_time").dt.replace_time_zone("UTC")
    naive = {**flat.SCHEMA, "start_time": pl.Datetime("us")}
    frame = pl.DataFrame([tuple(row) for row in rows], schema=naive, orient="row")
    return frame.with_columns(moment).sort("id")


def test_the_table_has_the_23_columns_and_is_what_the_lake_says(
    database: Database, flat_lake: Lake
) -> None:
    made = [frames(flat_lake, day) for day in days()]
    for day, rows in zip(days(), made, strict=True):
        assert put(database, flat_lake, day, rows) == sum(frame.height for frame in rows)
    with database.reading() as connection:
        found = existing.columns_of(connection, database.dialect, NAME, None)
        table = flat_table(NAME, database.metadata)
        counts = existing.count_by_day(connection, database, table)
    assert list(found) == list(flat.SCHEMA)
    assert counts == {
        day: sum(frame.height for frame in rows) for day, rows in zip(days(), made, strict=True)
    }
    assert_frame_equal(held(database), pl.concat([*made[0], *made[1]]).sort("id"))


def test_a_day_replaces_itself_and_no_other(database: Database, flat_lake: Lake) -> None:
    first, second = days()
    put(database, flat_lake, first, frames(flat_lake, first))
    put(database, flat_lake, second, frames(flat_lake, second))
    some = [frame.head(10) for frame in frames(flat_lake, second)]
    assert put(database, flat_lake, second, some) == 20
    expected = pl.concat([*frames(flat_lake, first), *some]).sort("id")
    assert_frame_equal(held(database), expected)
    assert [line.rows for line in ledger.loaded(database, NAME)] == [expected.height - 20, 20]


def test_a_day_is_removed_with_its_line(database: Database, flat_lake: Lake) -> None:
    first, second = days()
    table = flat_table(NAME, database.metadata)
    for day in (first, second):
        put(database, flat_lake, day, frames(flat_lake, day))
    loading.remove(database, table, second)
    loading.remove(database, table, second)
    assert set(held(database)["start_time"].dt.date()) == {first}
    assert [line.day for line in ledger.loaded(database, NAME)] == [first]
    put(database, flat_lake, second, frames(flat_lake, second))
    assert set(held(database)["start_time"].dt.date()) == {first, second}


def test_another_world_s_rows_are_removed_whatever_tells_the_day(
    database: Database, flat_lake: Lake
) -> None:
    first = days()[0]
    put(database, flat_lake, first, frames(flat_lake, first))
    assert loading.remove_world(database, flat_world().world_hash, NAME) == 0
    assert held(database).height > 0
    assert loading.remove_world(database, "another") == 0, "it is no table of the lake"
    assert loading.remove_world(database, "another", NAME) == sum(
        frame.height for frame in frames(flat_lake, first)
    )
    assert held(database).is_empty()
    assert ledger.loaded(database) == []


def test_midnight_belongs_to_the_day_that_begins(database: Database, flat_lake: Lake) -> None:
    first, second = days()
    rows = frames(flat_lake, first)[0].head(2)
    midnight = dt.datetime.combine(second, dt.time(), dt.UTC)
    last = rows.with_columns(start_time=midnight - dt.timedelta(microseconds=1))
    put(database, flat_lake, first, [last])
    put(database, flat_lake, second, [rows.tail(1).with_columns(start_time=midnight)])
    put(database, flat_lake, first, [last])
    assert held(database).height == 3


@pytest.mark.parametrize("columns", INDEXES)
def test_the_common_queries_have_an_index(
    database: Database, flat_lake: Lake, columns: tuple[str, ...]
) -> None:
    put(database, flat_lake, days()[0], frames(flat_lake, days()[0]))
    statements = {
        "postgresql": f"SELECT indexdef FROM pg_indexes WHERE tablename LIKE '{NAME}%%'",
        "sqlite": f"SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = '{NAME}'",
    }
    if database.dialect == "duckdb":  # prunes by minima and maxima instead: see `tables`
        assert tables.indexes_for(flat_table(NAME, database.metadata), "duckdb") == []
        return
    with database.reading() as connection:
        found = connection.exec_driver_sql(statements[database.dialect]).scalars().all()
    # Which of them leave the time to the BRIN index of a partition is the warehouse's to say.
    mine = tables.indexes_for(flat_table(NAME, database.metadata), database.dialect)
    named = [[column.name for column in index.columns] for index in mine]
    names = next(each for each in named if each[0] == columns[0])
    assert tuple(names) in (columns, columns[:1])
    wanted = f"({', '.join(names)})"
    assert any(wanted in str(each).replace('"', "") for each in found), found


def test_the_day_of_a_row_is_told_by_its_time_in_postgresql(
    postgres_url: str, flat_lake: Lake
) -> None:
    database = Database.from_environment(postgres_url, environ={})
    first = days()[0]
    put(database, flat_lake, first, frames(flat_lake, first))
    with database.reading() as connection:
        bound = connection.exec_driver_sql(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = "
            f"'{NAME}_{first:%Y%m%d}'"
        ).scalar_one()
        leftover = connection.exec_driver_sql(
            "SELECT conname FROM pg_constraint WHERE conname = 'of_the_day'"
        ).all()
    assert bound == f"FOR VALUES FROM ('{first} 00:00:00') TO ('{days()[1]} 00:00:00')"
    assert leftover == []


def test_the_ddl_for_sql_server_names_all_columns() -> None:
    table = flat_table(NAME, sa.MetaData(schema="dbo"))
    first, *rest = tables.create_statements(table, tables.dialect_named("mssql"))
    assert first.startswith(f"CREATE TABLE dbo.{NAME} (")
    declared = [line.split()[0].strip("[]") for line in first.splitlines()[1:24]]
    assert declared == list(flat.SCHEMA)
    assert "start_time DATETIME2(6) NOT NULL" in first
    assert "caller NVARCHAR(100) NOT NULL" in first
    assert "PRIMARY KEY (id, start_time)" in first
    assert sum("CREATE INDEX" in statement for statement in rest) == len(INDEXES) + 1


def test_every_column_is_explained() -> None:
    assert list(COMMENTS) == list(flat.SCHEMA)
    table = flat_table(NAME, sa.MetaData())
    assert [column.comment for column in table.columns] == list(COMMENTS.values())
    assert [column.name for column in table.primary_key.columns] == ["id", "start_time"]


def test_the_ledger_s_line_says_what_the_rows_are_made_from(flat_lake: Lake) -> None:
    config, (first, second) = flat_world(), days()
    line = record_of(flat_lake, config, NAME, first, TYPES, None)
    assert line == record_of(flat_lake, config, NAME, first, TYPES, None)
    others = [
        record_of(flat_lake, config, NAME, second, TYPES, None),
        record_of(flat_lake, config, NAME, first, (flat.SMS,), None),
        record_of(flat_lake, config, NAME, first, TYPES, 7),
    ]
    assert len({line.content_hash, *(each.content_hash for each in others)}) == 4
    assert (line.world_hash, line.seed, line.day) == (config.world_hash, config.seed, first)
