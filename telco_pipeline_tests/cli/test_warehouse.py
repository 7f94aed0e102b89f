"""`telco warehouse`: the lake in a database, or one clear line."""

import json
from pathlib import Path

import pytest
import sqlglot
from sqlalchemy.engine import make_url

from telco_pipeline.contracts import DATASETS
from telco_pipeline.warehouse import ledger, loading
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.cli.conftest import Telco, assert_refused
from telco_pipeline_tests.warehouse.kit import expected, held, lake_of, put

SOME = ("cdrs_sms", "cells", "plans")


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TELCO_DATABASE_URL", "TELCO_DATABASE_SCHEMA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return lake_of(tmp_path / "lake", SOME).root


def database(url: str) -> Database:
    return Database.from_environment(url, environ={})


def table_line(text: str, name: str) -> list[str]:
    (found,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
    return found.split()


def test_it_loads_what_the_lake_holds_into_the_embedded_default(
    telco: Telco, lake: Path, tmp_path: Path
) -> None:
    result = telco("warehouse", "load", "--lake", lake)

    assert result.exit_code == 0, result.output
    assert table_line(result.stdout, "cdrs_sms")[:4] == ["cdrs_sms", "2", "0", "122"]
    assert "duckdb:///data/warehouse.duckdb" in result.stdout
    assert "4/4 partitions" in result.stderr
    assert (tmp_path / "data" / "warehouse.duckdb").is_file()
    there = database("duckdb:///data/warehouse.duckdb")
    from telco_pipeline.lake import Lake

    for name in SOME:
        assert held(there, name).equals(expected(Lake(lake), name))


def test_again_is_nothing_unless_it_is_asked_for(telco: Telco, lake: Path) -> None:
    wish = ("warehouse", "load", "--lake", lake, "--database-url", "sqlite:///w.sqlite")
    assert telco(*wish).exit_code == 0
    assert table_line(telco(*wish).stdout, "cells")[1:3] == ["0", "1"]
    assert table_line(telco(*wish, "--again").stdout, "cells")[1:3] == ["1", "0"]


def test_the_environment_names_the_database_and_options_beat_it(
    telco: Telco, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELCO_DATABASE_URL", "sqlite:///a.sqlite")
    assert telco("warehouse", "load", "--lake", lake, "--datasets", "plans").exit_code == 0
    other = ("--database-url", "sqlite:///b.sqlite")
    assert telco("warehouse", "load", "--lake", lake, "--datasets", "cells", *other).exit_code == 0
    assert [line.dataset for line in ledger.loaded(database("sqlite:///a.sqlite"))] == ["plans"]
    assert [line.dataset for line in ledger.loaded(database("sqlite:///b.sqlite"))] == ["cells"]
    assert "plans" in telco("warehouse", "status").stdout
    assert "plans" not in telco("warehouse", "status", *other).stdout


def test_days_are_chosen(telco: Telco, lake: Path) -> None:
    wish = ("warehouse", "load", "--lake", lake, "--database-url", "sqlite:///w.sqlite")
    assert telco(*wish, "--datasets", "cdrs_sms", "--days", 1).exit_code == 0
    (line,) = ledger.loaded(database("sqlite:///w.sqlite"))
    assert str(line.day) == "2026-01-01"
    assert telco(*wish, "--start", "2026-01-02").exit_code == 0
    result = telco("warehouse", "status", "--database-url", "sqlite:///w.sqlite")
    assert table_line(result.stdout, "cdrs_sms")[1:5] == ["2", "2026-01-01", "2026-01-02", "122"]
    assert table_line(result.stdout, "cells")[1:5] == ["-", "-", "-", "61"]
    assert f"{42:016x}" in result.stdout


def test_days_that_the_lake_lacks_are_named(telco: Telco, lake: Path) -> None:
    from telco_pipeline.lake import Lake

    put(Lake(lake), "cdrs_voice")
    url = ("--database-url", "sqlite:///w.sqlite")
    wish = ("warehouse", "load", "--lake", lake, *url)
    line = "Not in the lake, so not loaded: "
    assert line not in telco(*wish).stdout, "no days were asked for"
    assert line not in telco(*wish, "--days", 1).stdout
    result = telco(*wish, "--days", 2)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"{line}2026-01-02 (cdrs_voice)."
    last = telco(*wish, "--start", "2026-01-02", "--days", 1_000_000).stdout.splitlines()[-1]
    assert last.startswith(f"{line}1000000 days of 2026-01-02 to 4763-11-29 (cdrs_voice); 999999")
    result = telco(*wish, "--start", "2026-01-02", "--datasets", "cells,cdrs_sms")
    assert result.exit_code == 0
    assert line not in result.stdout


def test_days_of_which_the_lake_has_none_are_refused(telco: Telco, lake: Path) -> None:
    url = ("--database-url", "sqlite:///w.sqlite")
    wish = ("warehouse", "load", "--lake", lake, *url)
    february = ("--start", "2026-02-01", "--days", "2")
    assert_refused(
        telco(*wish, *february),
        "has no day from 2026-02-01 to 2026-02-02; it has 2026-01-01 to 2026-01-02",
        "--start 2026-02-01 --days 2",
    )
    assert_refused(telco(*wish, "--start", "2026-02-01"), "has no day from 2026-02-01 on")
    assert_refused(telco(*wish, *february, "--datasets", "plans,cdrs_sms"), "no day of cdrs_sms")
    assert not Path("w.sqlite").exists()
    assert telco(*wish, *february, "--datasets", "plans").exit_code == 0


def test_status_of_nothing_makes_nothing(telco: Telco, tmp_path: Path) -> None:
    result = telco("warehouse", "status")
    assert result.exit_code == 0
    assert "holds nothing yet" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_another_world_is_refused_and_replaced_when_asked(
    telco: Telco, lake: Path, tmp_path: Path
) -> None:
    url = ("--database-url", "sqlite:///w.sqlite")
    assert telco("warehouse", "load", "--lake", lake, *url).exit_code == 0
    other = lake_of(tmp_path / "other", ["plans"], world=7).root
    wish = ("warehouse", "load", "--lake", other, *url)
    assert_refused(telco(*wish), "holds the world", "seed 42", "seed 7", "--replace")
    assert len(ledger.loaded(database(url[1]))) == 4
    assert telco(*wish, "--replace").exit_code == 0
    assert [line.seed for line in ledger.loaded(database(url[1]))] == [7]


def test_postgres_with_a_schema_and_without_its_password(
    telco: Telco, lake: Path, postgres_url: str
) -> None:
    wish = ("--database-url", postgres_url, "--schema", "telco")
    result = telco("warehouse", "load", "--lake", lake, *wish)
    assert result.exit_code == 0, result.output
    assert "(schema telco)" in result.stdout
    shown = result.output + telco("warehouse", "status", *wish).output
    assert str(make_url(postgres_url).password) not in shown
    assert "rows" in shown


def test_bad_input_is_one_line(telco: Telco, lake: Path, tmp_path: Path) -> None:
    load = ("warehouse", "load", "--lake", lake)
    assert_refused(telco(*load, "--datasets", "cdrs_sns"), "did you mean cdrs_sms")
    assert_refused(telco(*load, "--datasets", "alarms"), "has no day of alarms", "telco generate")
    assert_refused(telco(*load, "--datasets", "places"), "has no places", "telco generate")
    assert_refused(telco(*load, "--start", "2026-13-01"), "--start")
    assert_refused(
        telco(*load, "--datasets", "cdrs_sms", "--start", "2027-01-01"),
        "has no day of cdrs_sms from 2027-01-01 on; it has 2026-01-01 to 2026-01-02",
    )
    assert_refused(telco(*load, "--days", "0"), "--days must be 1 or more")
    assert_refused(telco(*load, "--batch", "0"), "--batch must be 1 or more")
    assert_refused(telco(*load, "--batch", "10000000"), "--batch must be 1000000 or less")
    assert_refused(telco(*load, "--database-url", "oracle://a/b"), "'oracle' is no database")
    assert_refused(telco(*load, "--schema", " "), "--schema is empty")
    assert_refused(telco("warehouse", "load", "--lake", tmp_path / "none"), "no lake at")
    (tmp_path / "empty").mkdir()
    assert_refused(telco("warehouse", "load", "--lake", tmp_path / "empty"), "holds no datasets")
    assert_refused(telco("warehouse", "ddl", "--dialect", "oracle"), "no dialect 'oracle'")
    assert not (tmp_path / "data").exists()


def test_a_failure_in_between_keeps_what_is_finished(
    telco: Telco, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file ends the command; the partitions before it stay, and it can go on later."""
    from telco_pipeline.lake import Lake

    store = Lake(lake)
    path = store.files("cdrs_sms", store.days("cdrs_sms")[1])[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    wish = ("warehouse", "load", "--lake", lake, "--database-url", "sqlite:///w.sqlite")
    result = telco(*wish)
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr.splitlines()[-1]
    assert len(ledger.loaded(database("sqlite:///w.sqlite"))) == 3
    path.write_bytes(whole)
    assert table_line(telco(*wish).stdout, "cdrs_sms")[1:3] == ["1", "1"]


@pytest.mark.parametrize(
    ("dialect", "reader"),
    [("postgresql", "postgres"), ("sqlite", "sqlite"), ("duckdb", "duckdb"), ("mssql", "tsql")],
)
def test_ddl_is_a_script_of_all_tables(telco: Telco, dialect: str, reader: str) -> None:
    result = telco("warehouse", "ddl", "--dialect", dialect)
    assert result.exit_code == 0, result.output
    script = "\n".join(
        line for line in result.stdout.splitlines() if not line.startswith("execute ")
    )
    found = {
        tree.find(sqlglot.exp.Table).name  # type: ignore[union-attr]
        for tree in sqlglot.parse(script, read=reader)
        if tree is not None and tree.args.get("kind") == "TABLE" and tree.key == "create"
    }
    others = {"telco_loads", "subscribers_history", "subscribers_changes", "flat_cdrs"}
    assert found == {*DATASETS, *others}


def test_ddl_makes_the_tables_that_a_load_expects(
    telco: Telco, lake: Path, postgres_url: str
) -> None:
    import sqlalchemy as sa

    script = telco("warehouse", "ddl", "--dialect", "postgresql", "--schema", "mine").stdout
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA mine")
        connection.exec_driver_sql(script.replace("%", "%%"))
    wish = ("--database-url", postgres_url, "--schema", "mine")
    assert telco("warehouse", "load", "--lake", lake, *wish).exit_code == 0


def test_the_benchmark_compares_with_psql(telco: Telco, tmp_path: Path, postgres_url: str) -> None:
    lake = lake_of(tmp_path / "lake", ["cdrs_sms"], rows=[2_000])
    result = telco(
        *("bench", "warehouse", "--lake", lake.root, "--dataset", "cdrs_sms", "--rounds", 1),
        *("--database-url", postgres_url, "--json", "bench.json"),
    )
    assert result.exit_code == 0, result.output
    assert "PostgreSQL over psql:" in result.stdout
    report = json.loads(Path("bench.json").read_text())
    assert report["rows"] == 2_000
    assert len(report["results"]) == 5
    assert all(each["rates"][0] > 0 for each in report["results"])
    assert ledger.loaded(database(postgres_url)) == []
    assert_refused(telco("bench", "warehouse", "--dataset", "cdrs_sns"), "did you mean cdrs_sms")
    assert_refused(
        telco("bench", "warehouse", "--lake", lake.root, "--dataset", "alarms"), "has no alarms"
    )


def test_what_a_load_tells_is_what_it_did(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", ["cdrs_sms"], rows=[500])
    there = database("sqlite:////" + str(tmp_path / "w.sqlite").lstrip("/"))
    told: list[int] = []
    put(lake, "cdrs_sms", rows=[300, 200])
    done = loading.load(there, lake, "cdrs_sms", lake.days("cdrs_sms")[0], progress=told.append)
    assert told == [300, 500]
    assert (done.rows, done.bytes) == (
        500,
        sum(p.stat().st_size for p in lake.files("cdrs_sms", lake.days("cdrs_sms")[0])),
    )
