"""`telco flat`: exactly N rows with one command, in a database or a file, the same each time."""

import datetime as dt
import sqlite3
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.cli import flat as command
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import flat, ledger
from telco_pipeline.warehouse.database import Database
from telco_pipeline.world import radio
from telco_pipeline_tests.cli.conftest import Telco, assert_refused
from telco_pipeline_tests.warehouse.kit import lake_of

ROWS = 9000
SIZE = ("--subscribers", 200, "--workers", 1)


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where all of these tests make the same records, once."""
    return tmp_path_factory.mktemp("flat") / "lake"


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TELCO_DATABASE_URL", "TELCO_DATABASE_SCHEMA"):
        monkeypatch.delenv(name, raising=False)


def rows_in(file: str, table: str = "flat_cdrs") -> pl.DataFrame:
    with sqlite3.connect(file) as connection:
        found = connection.execute(f"SELECT * FROM {table} ORDER BY start_time, id")
        names = [column[0] for column in found.description]
        return pl.DataFrame(found.fetchall(), schema=names, orient="row")


def loads_in(url: str, name: str | None = None) -> list[ledger.Record]:
    return ledger.loaded(Database.from_environment(url, environ={}), name)


def tables_in(file: str) -> set[str]:
    with sqlite3.connect(file) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def test_exactly_so_many_rows_the_first_by_time(telco: Telco, lake: Path) -> None:
    done = telco("flat", "--rows", ROWS, *SIZE, "--lake", lake, "--database-url", "sqlite:///a.db")
    assert done.exit_code == 0, done.output
    assert "9,000 rows" in done.stdout
    rows = rows_in("a.db")
    assert rows.height == ROWS
    assert rows.columns == list(flat.SCHEMA)
    store = Lake(lake)
    first, second = store.days("cdrs_voice")
    every = pl.concat([*flat.day_frames(store, first), *flat.day_frames(store, second)])
    whole = sum(frame.height for frame in flat.day_frames(store, first))
    assert f"the first by time, of {every.height - whole:,}" in done.stdout
    expected = every.sort("start_time", "id").head(ROWS)
    assert rows["id"].to_list() == expected["id"].to_list()
    assert rows["duration"].to_list() == expected["duration"].to_list()
    assert rows["start_time"][0] == expected["start_time"][0].strftime("%Y-%m-%d %H:%M:%S.%f")

    again = telco("flat", "--rows", ROWS, *SIZE, "--lake", lake, "--database-url", "sqlite:///a.db")
    assert again.stdout.count("was there already") == 2
    with sqlite3.connect("a.db") as connection:
        connection.execute("DROP TABLE flat_cdrs")
    dropped = telco(
        "flat", "--rows", ROWS, *SIZE, "--lake", lake, "--database-url", "sqlite:///a.db"
    )
    assert "was there already" not in dropped.stdout
    assert_frame_equal(rows_in("a.db"), rows)
    # Fewer: the days behind them go, the last one is cut anew.
    fewer = telco("flat", "--rows", 500, *SIZE, "--lake", lake, "--database-url", "sqlite:///a.db")
    assert fewer.exit_code == 0
    assert_frame_equal(rows_in("a.db"), rows.head(500))


def test_a_file_has_the_same_rows(telco: Telco, lake: Path) -> None:
    base = ("flat", "--rows", ROWS, *SIZE, "--lake", lake, "--to")
    assert telco(*base, "rows.parquet").exit_code == 0
    assert telco(*base, "rows.csv").exit_code == 0
    parquet = pl.read_parquet("rows.parquet")
    assert parquet.height == ROWS
    assert dict(parquet.schema) == flat.SCHEMA
    csv = pl.read_csv("rows.csv", schema={**flat.SCHEMA, "start_time": pl.String})
    times = pl.col("start_time").dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
    assert_frame_equal(csv, parquet.with_columns(times))
    assert sorted(path.name for path in Path().iterdir()) == ["rows.csv", "rows.parquet"]
    refused = telco(*base, "rows.csv")
    assert_refused(refused, "rows.csv is there already", "--replace")
    assert telco(*base, "rows.csv", "--replace").exit_code == 0


def test_a_preset_chooses_types_and_the_table_s_name(telco: Telco, lake: Path) -> None:
    Path("calls.yaml").write_text("version: 1\ntable: calls\ncall_types: [VOICE]\n")
    done = telco(
        *("flat", "--rows", 800, *SIZE, "--preset", "calls.yaml", "--lake", lake),
        *("--database-url", "sqlite:///b.db"),
    )
    assert done.exit_code == 0, done.output
    assert set(rows_in("b.db", "calls")["type"]) == {"VOICE"}


def test_the_size_follows_from_the_rows(telco: Telco) -> None:
    done = telco("flat", "--rows", 30_000, "--workers", 1, "--lake", "lake", "--to", "rows.csv")
    assert done.exit_code == 0, done.output
    assert len(Lake("lake").days("cdrs_voice")) in (3, 4)  # about three days, as is aimed at


def test_another_world_is_refused_before_anything_is_made(telco: Telco, lake: Path) -> None:
    base = ("flat", "--rows", 10, "--workers", 1, "--database-url", "sqlite:///c.db")
    assert telco(*base, "--subscribers", 200, "--lake", lake).exit_code == 0
    other = telco(*base, "--subscribers", 201, "--lake", "other")
    assert other.exit_code == 2
    assert "holds the world" in other.stderr
    assert "--replace" in other.stderr
    assert not Path("other").exists()
    assert rows_in("c.db").height == 10
    elsewhere = telco(*base[:-1], "sqlite:///d.db", "--subscribers", 201, "--lake", lake)
    assert elsewhere.exit_code == 2
    assert "holds the world 'main'" in elsewhere.stderr
    assert not Path("d.db").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--rows", 0), "--rows must be from 1 to"),
        (("--rows", "many"), "--rows"),
        (("--preset", "none.yaml"), "none.yaml: there is no such preset"),
        (("--to", "rows.xls"), "the name must end with .csv or .parquet"),
        (("--to", "rows.csv", "--database-url", "sqlite:///x.db"), "name a file or a database"),
        (("--database-url", "mysql://x/y"), "no database that telco loads"),
        (("--database-url", "postgresql://u:secret@127.0.0.1:1/x"), "127.0.0.1"),
        (("--subscribers", 0), "--subscribers must be 1 or more"),
    ],
)
def test_wrong_input_is_refused_in_one_line(telco: Telco, arguments: tuple, told: str) -> None:
    base = ("--rows", 10, "--lake", "lake") if "--rows" not in arguments else ("--lake", "lake")
    result = telco("flat", *base, *arguments)
    assert_refused(result, told)
    assert "secret" not in result.output
    assert not Path("lake").exists()


@pytest.mark.parametrize("name", ["cdrs_voice", "telco_loads", "subscribers_history"])
def test_a_table_of_the_warehouse_is_not_taken(telco: Telco, name: str) -> None:
    Path("p.yaml").write_text(f"version: 1\ntable: {name}\n")
    result = telco("flat", "--preset", "p.yaml", "--database-url", "sqlite:///x.db")
    assert_refused(result, f"{name} is a table of the warehouse's own")


def test_a_world_without_such_records_is_refused(telco: Telco) -> None:
    from telco_pipeline.settings import DEFAULT_WORLD_FILE

    text = DEFAULT_WORLD_FILE.read_text().replace("  sms: 1.0\n", "  sms: 0.0\n")
    Path("world.yaml").write_text(text)
    Path("p.yaml").write_text("version: 1\ncall_types: [SMS]\n")
    result = telco("flat", "--world-file", "world.yaml", "--preset", "p.yaml", "--to", "x.csv")
    assert_refused(result, "the world makes no such records")


def test_the_ddl_of_a_preset_s_table(telco: Telco) -> None:
    Path("p.yaml").write_text("version: 1\ntable: belgian\n")
    one = telco("warehouse", "ddl", "--dialect", "mssql", "--preset", "p.yaml")
    assert one.exit_code == 0
    assert one.stdout.count("CREATE TABLE") == 1
    assert "CREATE TABLE dbo.belgian (" in one.stdout
    every = telco("warehouse", "ddl", "--dialect", "sqlite")
    assert "CREATE TABLE flat_cdrs (" in every.stdout
    both = ("--datasets", "cells", "--preset", "p.yaml")
    assert_refused(telco("warehouse", "ddl", "--dialect", "sqlite", *both), "not both")


def test_a_table_with_other_columns_is_refused_before_anything_is_made(telco: Telco) -> None:
    with sqlite3.connect("e.db") as connection:
        connection.execute("CREATE TABLE flat_cdrs (id BIGINT)")
    result = telco("flat", "--rows", 10, "--lake", "lake", "--database-url", "sqlite:///e.db")
    assert_refused(result, "flat_cdrs is there with other columns")
    assert not Path("lake").exists()


def test_what_was_loaded_stays_when_the_next_day_cannot_be_made(
    telco: Telco, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = command._make

    def fails_later(order: command.Order, day: dt.date, tell: command.Tell) -> None:
        if day > order.config.epoch:
            raise TelcoError("the disk is full")
        make(order, day, tell)

    monkeypatch.setattr(command, "_make", fails_later)
    base = ("flat", "--rows", ROWS, *SIZE, "--lake", lake)
    result = telco(*base, "--database-url", "sqlite:///f.db")
    assert_refused(result, "the disk is full")
    first = Lake(lake).days("cdrs_voice")[0]
    assert set(rows_in("f.db")["start_time"].str.slice(0, 10)) == {str(first)}
    # A file is there whole or not at all.
    assert_refused(telco(*base, "--to", "f.csv"), "the disk is full")
    assert [path.name for path in Path().iterdir()] == ["f.db"]


def test_it_has_a_database_of_its_own_unless_one_is_named(
    telco: Telco, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ("flat", "--rows", 10, *SIZE, "--lake", lake)
    done = telco(*base)
    assert done.exit_code == 0, done.output
    assert "duckdb:///data/flat.duckdb" in done.stdout
    assert [path.name for path in Path("data").iterdir()] == ["flat.duckdb"]
    assert [one.rows for one in loads_in("duckdb:///data/flat.duckdb")] == [10]
    monkeypatch.setenv("TELCO_DATABASE_URL", "sqlite:///named.db")
    assert telco(*base).exit_code == 0
    assert rows_in("named.db").height == 10


def test_the_lake_s_tables_of_another_world_stand_beside_it(
    telco: Telco, lake: Path, tmp_path: Path
) -> None:
    url = ("--database-url", "sqlite:///w.db")
    base = ("flat", "--rows", 10, "--workers", 1, *url)
    first = lake_of(tmp_path / "first", ["plans", "cells"]).root
    second = lake_of(tmp_path / "second", ["plans", "cells"], world=7).root
    load = ("warehouse", "load", *url, "--lake")
    assert telco(*load, first).exit_code == 0
    before = loads_in("sqlite:///w.db")

    # Into a warehouse, and its world replaced by another: each leaves the other's rows alone.
    assert telco(*base, "--subscribers", 200, "--lake", lake).exit_code == 0
    (flat_load,) = loads_in("sqlite:///w.db", "flat_cdrs")
    assert telco(*load, first).exit_code == 0
    refused = telco(*load, second)
    assert refused.exit_code == 2
    assert "telco warehouse load --replace" in refused.stderr
    assert telco(*load, second, "--replace").exit_code == 0
    assert loads_in("sqlite:///w.db", "flat_cdrs") == [flat_load]
    assert rows_in("w.db").height == 10

    # The flat table's world is replaced: the warehouse's stays.
    kept = [one for one in loads_in("sqlite:///w.db") if one != flat_load]
    assert [one.dataset for one in kept] == [one.dataset for one in before]
    other = telco(*base, "--subscribers", 201, "--lake", "other", "--replace")
    assert other.exit_code == 0, other.output
    assert rows_in("w.db").height == 10
    (now,) = loads_in("sqlite:///w.db", "flat_cdrs")
    assert now.world_hash != flat_load.world_hash
    assert [one for one in loads_in("sqlite:///w.db") if one != now] == kept
    with sqlite3.connect("w.db") as connection:
        assert connection.execute("SELECT count(*) FROM plans").fetchone() == (61,)


def test_a_replacement_that_fails_removes_nothing(
    telco: Telco, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ("flat", "--rows", ROWS, "--workers", 1, "--database-url", "sqlite:///r.db")
    assert telco(*base, "--subscribers", 200, "--lake", lake).exit_code == 0
    rows, loads = rows_in("r.db"), loads_in("sqlite:///r.db")
    make = command._make

    def fails_later(order: command.Order, day: dt.date, tell: command.Tell) -> None:
        if day > order.config.epoch:
            raise TelcoError("the disk is full")
        make(order, day, tell)

    replacing = (*base, "--subscribers", 201, "--lake", "other", "--replace")
    with monkeypatch.context() as patch:
        patch.setattr(command, "_make", fails_later)
        assert_refused(telco(*replacing), "the disk is full")
    assert_frame_equal(rows_in("r.db"), rows)
    assert loads_in("sqlite:///r.db") == loads
    done = telco(*replacing)
    assert done.exit_code == 0, done.output
    assert rows_in("r.db").height == ROWS
    assert {one.world_hash for one in loads_in("sqlite:///r.db")}.isdisjoint(
        one.world_hash for one in loads
    )


def test_a_refusal_leaves_no_empty_table(telco: Telco, lake: Path) -> None:
    base = ("flat", "--rows", 10, "--workers", 1, "--database-url", "sqlite:///g.db")
    assert telco(*base, "--subscribers", 200, "--lake", lake).exit_code == 0
    before = tables_in("g.db")
    # Into another table: the lake is what refuses.
    Path("p.yaml").write_text("version: 1\ntable: belgian\n")
    refused = telco(*base, "--subscribers", 201, "--preset", "p.yaml", "--lake", lake)
    assert refused.exit_code == 2
    assert "holds the world 'main'" in refused.stderr
    assert tables_in("g.db") == before


@pytest.mark.parametrize("target", [("--database-url", "sqlite:///h.db"), ("--to", "h.csv")])
@pytest.mark.parametrize(
    ("box", "told"),
    [
        ("latitude: [50.0, 50.001]\nlongitude: [5.0, 5.001]", "populated places lie within"),
        ("latitude: [50.84, 50.95]\nlongitude: [4.3, 4.5]", "1,000 sites find no room within"),
    ],
)
def test_bounds_that_cannot_be_claim_no_lake(
    telco: Telco, box: str, told: str, target: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few candidates that too many of them lie outside a box of few places.
    monkeypatch.setattr(radio, "_MIN_CANDIDATES", 1)
    monkeypatch.setattr(radio, "_CANDIDATES_PER_SITE", 1)
    Path("p.yaml").write_text(f"version: 1\n{box}\n")
    base = ("flat", "--rows", 10, *SIZE, "--preset", "p.yaml", "--lake", "lake", *target)
    assert_refused(telco(*base), told)
    assert [path.name for path in Path().iterdir()] == ["p.yaml"]


def test_a_corrected_preset_needs_no_replacement(telco: Telco) -> None:
    Path("p.yaml").write_text("version: 1\nlatitude: [50.0, 50.001]\nlongitude: [5.0, 5.001]\n")
    base = ("flat", "--rows", 10, *SIZE, "--preset", "p.yaml", "--to", "h.csv")
    assert_refused(telco(*base, "--lake", "lake"), "populated places lie within")
    Path("p.yaml").write_text("version: 1\nlatitude: [50.0, 51.0]\n")
    done = telco(*base, "--lake", "lake")
    assert done.exit_code == 0, done.output
