"""What is loaded is what the lake holds, as often as it is loaded."""

import datetime as dt
import threading
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import batches, ledger, loading, tables
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.lake.kit import DAY
from telco_pipeline_tests.warehouse.kit import NEXT_DAY, expected, held, lake_of, put

VOICE = "cdrs_voice"


@pytest.fixture(scope="module")
def whole_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return lake_of(tmp_path_factory.mktemp("lake"))


def test_all_datasets_are_as_in_the_lake(database: Database, whole_lake: Lake) -> None:
    for name, contract in DATASETS.items():
        for day in whole_lake.days(name) if contract.daily else [None]:
            done = loading.load(database, whole_lake, name, day)
            assert (done.replaced, done.skipped) == (False, False)
            assert done.rows == whole_lake.rows(name, day)
    for name in DATASETS:
        assert_frame_equal(held(database, name), expected(whole_lake, name))
    lines = ledger.loaded(database)
    assert {(line.dataset, line.day) for line in lines} == {
        (name, day)
        for name, contract in DATASETS.items()
        for day in ((DAY, NEXT_DAY) if contract.daily else (None,))
    }
    for line in lines:
        made = whole_lake.provenance(line.dataset, line.day)
        assert made is not None
        assert line.rows == made.rows
        assert line.content_hash == made.content_hash
        assert line.world_hash == made.world_hash
        assert line.loaded_at is not None
        assert abs(line.loaded_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=10)


@pytest.mark.parametrize("name", [VOICE, "cells"])
def test_loaded_again_it_replaces_itself(database: Database, tmp_path: Path, name: str) -> None:
    lake = lake_of(tmp_path / "lake", [name])
    day = DAY if DATASETS[name].daily else None
    for each in lake.days(name) or [None]:
        loading.load(database, lake, name, each)
    before = held(database, name)
    assert loading.load(database, lake, name, day).skipped
    done = loading.load(database, lake, name, day, again=True)
    assert (done.replaced, done.skipped) == (True, False)
    assert_frame_equal(held(database, name), before)
    put(lake, name, [DAY], [17], seed=2)
    done = loading.load(database, lake, name, day)
    assert (done.replaced, done.skipped, done.rows) == (True, False, lake.rows(name, day))
    assert_frame_equal(held(database, name), expected(lake, name))
    assert not held(database, name).equals(before)


def test_a_day_without_rows_empties_its_day_alone(database: Database, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE])
    for day in (DAY, NEXT_DAY):
        loading.load(database, lake, VOICE, day)
    put(lake, VOICE, [DAY], [0])
    assert loading.load(database, lake, VOICE, DAY).rows == 0
    assert held(database, VOICE)[tables.DAY].unique().to_list() == [NEXT_DAY]
    assert [line.rows for line in ledger.loaded(database, VOICE)] == [0, 61]


def test_a_schema_of_its_own(database: Database, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE, "cells"])
    if database.dialect == "sqlite":
        with pytest.raises(TelcoError, match="SQLite has no schemas"):
            Database.from_environment("sqlite:///x", "other", environ={})
        return
    other = Database(database.url, "telco_data")
    for name, day in ((VOICE, DAY), ("cells", None)):
        loading.load(other, lake, name, day)
        assert not loading.load(other, lake, name, day, again=True).skipped
        assert_frame_equal(
            held(other, name),
            expected(lake, name).filter(pl.col("day") == DAY) if day else expected(lake, name),
        )
    assert ledger.loaded(database) == []
    assert len(ledger.loaded(other)) == 2
    loading.remove_world(other, "another")
    assert held(other, VOICE).height == held(other, "cells").height == 0


def test_a_table_that_somebody_dropped_is_loaded_again(database: Database, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE])
    loading.load(database, lake, VOICE, DAY)
    with database.writing() as connection:
        connection.execute(sa.text(f"DROP TABLE {VOICE}"))
    anew = Database(database.url)
    assert not loading.load(anew, lake, VOICE, DAY).skipped
    assert held(anew, VOICE).height == 61


def test_another_world_is_refused_until_the_old_one_is_removed(
    database: Database, tmp_path: Path
) -> None:
    old = lake_of(tmp_path / "old", [VOICE, "cells"])
    new = lake_of(tmp_path / "new", [VOICE], seed=2, world=7)
    loading.load(database, old, VOICE, DAY)
    loading.load(database, old, "cells")
    with pytest.raises(TelcoError, match=r"holds the world 0+2a \(seed 42\).*--replace"):
        loading.load(database, new, VOICE, DAY)
    assert held(database, VOICE).height == 61
    world = new.held_world()
    assert world is not None
    assert loading.remove_world(database, world.world_hash) == 122
    loading.load(database, new, VOICE, DAY)
    assert_frame_equal(
        held(database, VOICE), expected(new, VOICE).filter(pl.col(tables.DAY) == DAY)
    )
    assert held(database, "cells").height == 0
    assert [line.dataset for line in ledger.loaded(database)] == [VOICE]


def test_a_table_with_other_columns_is_refused(database: Database, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE, "plans"])
    with database.writing() as connection:
        connection.execute(sa.text("CREATE TABLE plans (plan_id BIGINT, colour TEXT)"))
        connection.execute(sa.text("INSERT INTO plans VALUES (1, 'red')"))
    with pytest.raises(TelcoError, match="other columns") as caught:
        loading.load(database, lake, "plans")
    line = str(caught.value)
    assert "it lacks segment" in line
    assert "and 11 more" in line
    assert "RENAME TO plans_old" in line
    assert "\n" not in line
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT colour FROM plans")).scalar_one() == "red"


def test_a_type_that_differs_is_named(database: Database, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", ["plans"])
    binary = "BYTEA" if database.dialect == "postgresql" else "BLOB"
    plans = tables.table_of(DATASETS["plans"], database.metadata)
    with database.writing() as connection:
        create = next(tables.create_statements(plans, connection.dialect))
        connection.exec_driver_sql(create.replace("plan_id TEXT", f"plan_id {binary}"))
    with pytest.raises(TelcoError, match=r"plan_id is \w+ and not text"):
        loading.load(database, lake, "plans")


def test_what_changes_while_it_is_read_is_not_loaded(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE])
    loading.load(database, lake, VOICE, DAY)
    before = held(database, VOICE)
    put(lake, VOICE, [DAY], [40], seed=2)
    record = loading._record

    def and_then_changed(*asked: object) -> object:
        found = record(*asked)  # type: ignore[arg-type]
        put(lake, VOICE, [DAY], [40], seed=3)
        return found

    monkeypatch.setattr(loading, "_record", and_then_changed)
    with pytest.raises(TelcoError, match="changed while it was read"):
        loading.load(database, lake, VOICE, DAY)
    assert_frame_equal(held(database, VOICE), before)


def test_a_file_that_cannot_be_read_is_named(database: Database, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE])
    loading.load(database, lake, VOICE, DAY)
    before = held(database, VOICE)
    put(lake, VOICE, [DAY], [40], seed=2)
    path = lake.files(VOICE, DAY)[0]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TelcoError, match=r"part-00000.parquet cannot be read: make it anew with"):
        loading.load(database, lake, VOICE, DAY)
    assert_frame_equal(held(database, VOICE), before)


def test_a_day_that_the_lake_lacks_is_named(database: Database, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE], days=[DAY])
    with pytest.raises(TelcoError, match=r"has no cdrs_voice of 2026-01-02: make it with"):
        loading.load(database, lake, VOICE, NEXT_DAY)


def test_two_rows_of_one_key_are_refused(tmp_path: Path, postgres_url: str) -> None:
    """DuckDB keeps no keys; SQLite and PostgreSQL do."""
    lake = lake_of(tmp_path / "lake", [VOICE])
    path = lake.files(VOICE, DAY)[0]
    for url in (postgres_url, f"sqlite:///{tmp_path}/x.sqlite"):
        database = Database.from_environment(url, environ={})
        loading.load(database, lake, VOICE, DAY)
        table = tables.table_of(DATASETS[VOICE], database.metadata)
        rows = pl.read_parquet(path, hive_partitioning=False)
        record = ledger.Record(VOICE, DAY, "other", 1, f"{42:016x}", 42)
        tries: list[int] = []

        def frames(rows: pl.DataFrame = rows, tries: list[int] = tries) -> list[pl.DataFrame]:
            tries.append(1)
            return [rows, rows]

        with pytest.raises(TelcoError, match="two rows have the same key"):
            loading.replace(database, table, DAY, frames, record)
        assert tries == [1], "nothing to be won by trying again"
        assert held(database, VOICE).height == 61
    assert not [each for each in threading.enumerate() if each.name == "telco-copy"]


@pytest.mark.parametrize("batch", [1, 7, 10_000])
def test_batches_of_any_size_hold_the_same_rows(tmp_path: Path, batch: int) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE])
    database = Database.from_environment(f"sqlite:///{tmp_path}/x.sqlite", environ={})
    loading.load(database, lake, VOICE, DAY, batch=batch)
    loading.load(database, lake, VOICE, NEXT_DAY, batch=batch)
    assert_frame_equal(held(database, VOICE), expected(lake, VOICE))


def test_a_table_of_ones_own_is_replaced_by_day(database: Database) -> None:
    columns = [sa.Column("id", sa.BigInteger(), nullable=False), sa.Column("word", sa.Text())]
    table = tables.make_table("words", columns, database.metadata, daily=True, key=["id"])
    record = ledger.Record("words", DAY, "a", 1, "w", 1)

    def rows(word: str | None, count: int) -> pl.DataFrame:
        return pl.DataFrame({"word": [word] * count, "id": range(count)})

    assert loading.replace(database, table, DAY, [rows("a", 3), rows(None, 0)], record) == 3
    assert loading.replace(database, table, NEXT_DAY, iter([rows("", 2)]), record_of(NEXT_DAY)) == 2
    assert loading.replace(database, table, DAY, lambda: [rows(None, 1)], record) == 1
    with database.reading() as connection:
        found = connection.execute(sa.select(table).order_by(table.c.day, table.c.id)).fetchall()
    assert [tuple(row) for row in found] == [(DAY, 0, None), (NEXT_DAY, 0, ""), (NEXT_DAY, 1, "")]
    assert [line.rows for line in ledger.loaded(database, "words")] == [1, 2]
    with pytest.raises(ValueError, match="name a day"):
        loading.replace(database, table, None, [], record)


def record_of(day: dt.date) -> ledger.Record:
    return ledger.Record("words", day, "a", 1, "w", 1)


def test_frames_that_fail_leave_the_old_day(database: Database, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [VOICE])
    loading.load(database, lake, VOICE, DAY)
    before = held(database, VOICE)
    table = tables.table_of(DATASETS[VOICE], database.metadata)

    def frames():
        yield expected(lake, VOICE).filter(pl.col(tables.DAY) == NEXT_DAY)
        raise TelcoError("the source broke")

    record = ledger.Record(VOICE, DAY, "other", 1, f"{42:016x}", 42)
    with pytest.raises(TelcoError, match="the source broke"):
        loading.replace(database, table, DAY, frames, record)
    assert_frame_equal(held(database, VOICE), before)


def test_the_default_batch_is_that_of_the_option() -> None:
    from telco_pipeline.cli import warehouse

    assert warehouse.BATCH == batches.DEFAULT_BATCH == 10_000
