"""The warehouse in Dagster: tables as assets, loaded into real databases, and their check."""

import datetime as dt
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from telco_pipeline import partitions, production, schedules
from telco_pipeline.assets.warehouse import key_of
from telco_pipeline.checks import history as history_check
from telco_pipeline.cli.options import with_inputs
from telco_pipeline.contracts import DAILY_DATASETS, DATASETS
from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.jobs import LOAD_WAREHOUSE
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import history, tables
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.lake.kit import DAY
from telco_pipeline_tests.shell.kit import (
    RANGE,
    ephemeral,
    failures,
    operation,
    run_job,
    tiny_world,
)
from telco_pipeline_tests.warehouse.conftest import database  # noqa: F401  (a fixture)
from telco_pipeline_tests.warehouse.kit import NEXT_DAY, expected, held, lake_of, put

SOME = ("cdrs_sms", "plans")
SPAN = (str(DAY), str(NEXT_DAY))
EPOCH = dt.date(2026, 1, 1)
PASSWORD = "a-secret-of-the-tests"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_of(tmp_path / "lake", SOME)


@dataclass
class Outcome:
    """What a run told of each table."""

    success: bool
    failures: dict[str, str]
    partitions: dict[str, dict[str | None, dict[str, Any]]] = field(default_factory=dict)
    checks: dict[str, dg.AssetCheckEvaluation] = field(default_factory=dict)


def load(
    lake: Lake,
    database: Database,  # noqa: F811
    names: Sequence[str] = SOME,
    span: tuple[str, str] = SPAN,
    **options: Any,
) -> Outcome:
    defs = build_defs(
        config=tiny_world(),
        overrides={"operator": operation(Path(lake.root)), "database": database},
    )
    with ephemeral() as instance:
        result = run_job(
            defs,
            LOAD_WAREHOUSE,
            instance,
            span,
            asset_selection=[key_of(name) for name in names],
            **options,
        )
    told = Outcome(result.success, failures(result))
    for event in result.get_asset_materialization_events():
        made = event.step_materialization_data.materialization
        metadata = {name: value.value for name, value in made.metadata.items()}
        told.partitions.setdefault(made.asset_key.path[-1], {})[made.partition] = metadata
    for check in result.get_asset_check_evaluations():
        told.checks[check.asset_key.path[-1]] = check
    return told


def test_days_are_loaded_and_counted(lake: Lake, database: Database) -> None:  # noqa: F811
    told = load(lake, database)
    assert told.success, told.failures
    assert set(told.partitions) == set(told.checks) == set(SOME)
    assert set(told.partitions["cdrs_sms"]) == set(SPAN)
    assert set(told.partitions["plans"]) == {None}
    for name in SOME:
        assert held(database, name).equals(expected(lake, name))
        assert told.checks[name].passed, told.checks[name].description
    for day in (DAY, NEXT_DAY):
        shown = told.partitions["cdrs_sms"][str(day)]
        rows = lake.rows("cdrs_sms", day)
        assert shown["dagster/row_count"] == shown["rows_written"] == rows
        assert shown["bytes_of_parquet"] > 0
        assert shown["rows_per_second"] > 0
        assert not shown["replaced"]
        assert shown["database"] == database.address
    again = load(lake, database)
    assert again.success
    assert again.partitions["cdrs_sms"][str(DAY)]["as_before"]
    assert again.partitions["cdrs_sms"][str(DAY)]["rows_written"] == 0
    assert again.partitions["cdrs_sms"][str(DAY)]["dagster/row_count"] == lake.rows("cdrs_sms", DAY)


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return Database.from_environment(f"sqlite:///{tmp_path / 'warehouse.sqlite'}", environ={})


def test_every_dataset_has_a_table(tmp_path: Path, sqlite: Database) -> None:
    lake = lake_of(tmp_path / "lake", rows=(3,))
    told = load(lake, sqlite, tuple(DATASETS))
    assert told.success, told.failures
    assert set(told.checks) == set(DATASETS)
    assert all(check.passed for check in told.checks.values())


# --- the registry's history -----------------------------------------------------------------


HISTORY = (history.HISTORY, history.CHANGES)
THREE_DAYS = [EPOCH + dt.timedelta(days=number) for number in range(3)]


@pytest.fixture(scope="module")
def real_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three days of state and changes of identity of a few hundred people."""
    real = Lake(tmp_path_factory.mktemp("real") / "lake")
    config = tiny_world(subscribers=600)
    for name in with_inputs(["identity_changes", "subscriber_state", "prospects"]):
        production.produce(config, real, name, THREE_DAYS if DATASETS[name].daily else None)
    return real


def test_the_history_is_brought_up_to_the_last_day(
    real_lake: Lake,
    database: Database,  # noqa: F811
) -> None:
    told = load(real_lake, database, HISTORY, (str(EPOCH), str(THREE_DAYS[1])))
    assert told.success, told.failures
    assert set(told.partitions) == set(HISTORY)
    for name in HISTORY:
        assert set(told.partitions[name]) == {str(EPOCH), str(THREE_DAYS[1])}
        shown = told.partitions[name][str(THREE_DAYS[1])]
        assert (shown["until"], shown["days_written"]) == (str(THREE_DAYS[1]), 2)
    assert told.checks[history.HISTORY].passed, told.checks[history.HISTORY].description
    again = load(real_lake, database, HISTORY, (str(EPOCH), str(THREE_DAYS[2])))
    shown = again.partitions[history.HISTORY][str(THREE_DAYS[2])]
    assert shown["days_written"] == 1
    assert shown["dagster/row_count"] >= 600
    assert again.checks[history.HISTORY].passed


def test_a_day_without_its_past_is_refused(real_lake: Lake, sqlite: Database) -> None:
    told = load(real_lake, sqlite, HISTORY, ("2026-01-09", "2026-01-09"))
    assert not told.success
    lines = " ".join(told.failures.values())
    assert "has no identity_changes of 2026-01-04" in lines
    assert "--start 2026-01-04 --days 6" in lines


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "DELETE FROM subscribers_history WHERE version_id = 5",
            "1 rows too many or too few in subscribers history",
        ),
        (
            "DELETE FROM subscribers_changes WHERE sequence = "
            "(SELECT min(sequence) FROM subscribers_changes)",
            "1 rows too many or too few in subscribers changes",
        ),
        (
            "UPDATE subscribers_history SET is_current = 0, "
            "valid_to = '2026-01-02 00:00:00.000000' WHERE version_id = 5",
            "1 subscribers without a current state; 1 states that end where none begins",
        ),
        (
            "UPDATE subscribers_history SET subscriber_id = "
            "(SELECT subscriber_id FROM subscribers_history WHERE version_id = 6) "
            "WHERE version_id = 5",
            "1 subscribers with two current states",
        ),
        (
            "UPDATE subscribers_history SET valid_to = '2026-01-02 00:00:00.000000' "
            "WHERE version_id = 5",
            "1 current states that have ended",
        ),
        (
            "UPDATE subscribers_changes SET sequence = 7000000 WHERE sequence = "
            "(SELECT min(sequence) FROM subscribers_changes)",
            "1 changes without a state",
        ),
    ],
)
def test_the_check_of_the_history_sees_what_is_wrong(
    real_lake: Lake, sqlite: Database, statement: str, what: str
) -> None:
    assert history.write(sqlite, real_lake).changes > 1
    assert history_check.result(history.audit(sqlite)).passed
    change(sqlite, statement)
    found = history_check.result(history.audit(sqlite))
    assert not found.passed
    assert found.description is not None
    assert what in found.description
    assert found.metadata["recover"].value == "telco warehouse history --again"
    history.write(sqlite, real_lake, again=True)
    assert history_check.result(history.audit(sqlite)).passed


def test_the_check_of_a_history_that_was_never_written(lake: Lake, sqlite: Database) -> None:
    with pytest.raises(TelcoError, match="holds no history of the registry yet"):
        history.audit(sqlite)


# --- the check of a table -------------------------------------------------------------------


def checked(lake: Lake, sqlite: Database, name: str = "cdrs_sms") -> dg.AssetCheckEvaluation:
    """Run the check of a table alone, as from its page in the UI."""
    defs = build_defs(
        config=tiny_world(),
        overrides={"operator": operation(Path(lake.root)), "database": sqlite},
    )
    key = dg.AssetCheckKey(key_of(name), "rows")
    job = dg.define_asset_job("only", selection=dg.AssetSelection.checks(key))
    alone = dg.Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        jobs=[job],
        resources=defs.resources,
        executor=dg.in_process_executor,
    )
    with ephemeral() as instance:
        result = run_job(alone, "only", instance)
        assert result.success, failures(result)
        (check,) = result.get_asset_check_evaluations()
    return check


def change(sqlite: Database, statement: str) -> None:
    with sqlite.writing() as connection:
        connection.execute(sa.text(statement))


def test_the_check_sees_rows_that_are_missing(lake: Lake, sqlite: Database) -> None:
    load(lake, sqlite)
    assert checked(lake, sqlite).passed
    change(sqlite, f"DELETE FROM cdrs_sms WHERE day = '{NEXT_DAY}'")
    check = checked(lake, sqlite)
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    rows = lake.rows("cdrs_sms", NEXT_DAY)
    assert check.description == f"{NEXT_DAY}: 0 rows in the database, {rows} in the lake"
    metadata = {name: value.value for name, value in check.metadata.items()}
    assert metadata["days_wrong"] == str(NEXT_DAY)
    assert metadata["recover"] == (
        f"telco warehouse load --again --datasets cdrs_sms --start {NEXT_DAY} --days 1"
    )
    change(sqlite, "DELETE FROM plans WHERE plan_id = (SELECT min(plan_id) FROM plans)")
    assert "rows in the database" in (checked(lake, sqlite, "plans").description or "")


def test_the_check_sees_a_row_too_many(lake: Lake, sqlite: Database) -> None:
    load(lake, sqlite)
    change(
        sqlite,
        "CREATE TABLE more AS SELECT * FROM plans LIMIT 1; ".partition(";")[0],
    )
    change(sqlite, "UPDATE more SET plan_id = 'one-too-many'")
    change(sqlite, "INSERT INTO plans SELECT * FROM more")
    check = checked(lake, sqlite, "plans")
    assert not check.passed
    assert str(check.metadata["recover"].value).endswith("--datasets plans")


def test_the_check_sees_a_table_that_was_never_loaded(lake: Lake, sqlite: Database) -> None:
    check = checked(lake, sqlite)
    assert not check.passed
    assert (check.description or "").startswith(f"{DAY}: 0 rows in the database")


def test_the_check_sees_a_day_that_was_made_anew(lake: Lake, sqlite: Database) -> None:
    load(lake, sqlite)
    before = lake.rows("cdrs_sms", DAY)
    put(lake, "cdrs_sms", rows=(60, 1), seed=2)
    assert lake.rows("cdrs_sms", DAY) == before, "the count alone would not tell"
    check = checked(lake, sqlite)
    assert check.description == f"{DAY}: the lake was made anew since it was loaded"
    assert load(lake, sqlite).success
    assert checked(lake, sqlite).passed


def test_the_check_sees_a_day_that_the_lake_lost(lake: Lake, sqlite: Database) -> None:
    load(lake, sqlite)
    (lake.directory("plans") / "_provenance.json").unlink()
    check = checked(lake, sqlite, "plans")
    assert check.description == "it is not in the lake"


# --- errors ---------------------------------------------------------------------------------


def test_a_day_that_is_not_in_the_lake(lake: Lake, sqlite: Database) -> None:
    told = load(lake, sqlite, ("cdrs_sms",), ("2026-02-01", "2026-02-01"))
    assert not told.success
    (line,) = [text for step, text in told.failures.items() if "sms" in step]
    assert "has no cdrs_sms of 2026-02-01: make it with `telco generate" in line


def test_other_worlds_are_not_loaded(lake: Lake, sqlite: Database, tmp_path: Path) -> None:
    defs = build_defs(
        config=tiny_world(),
        overrides={"operator": operation(tmp_path / "lake", world="calm"), "database": sqlite},
    )
    with ephemeral() as instance:
        result = run_job(defs, LOAD_WAREHOUSE, instance, SPAN, asset_selection=[key_of("cdrs_sms")])
    assert any("telco warehouse load --world" in line for line in failures(result).values())


def test_a_server_that_is_not_there_is_one_line_without_the_password(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELCO_DATABASE_URL", f"postgresql://telco:{PASSWORD}@127.0.0.1:9/telco")
    told = load(lake, Database.from_environment(), ("plans",))
    (line,) = [text for step, text in told.failures.items() if "checks" not in step][:1]
    assert "postgresql://telco@127.0.0.1:9/telco" in line
    assert PASSWORD not in str(told.failures)
    assert "\n" not in line


def test_wrong_settings_end_the_run_in_one_line(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELCO_DATABASE_URL", "oracle://telco@host/x")
    defs = build_defs(
        config=tiny_world(), overrides={"operator": operation(Path(lake.root))}, pool=None
    )
    with dg.instance_for_test() as instance:
        result = run_job(defs, LOAD_WAREHOUSE, instance, SPAN, asset_selection=[key_of("plans")])
        from telco_pipeline import failures as told

        (failure,) = told.of_run(instance, result.run_id)
        run = instance.get_run_by_id(result.run_id)
    assert failure.line.startswith("TELCO_DATABASE_URL: 'oracle' is no database that telco loads")
    assert run is not None
    assert run.tags["dagster/max_retries"] == "0"


def test_dagster_loads_without_the_drivers() -> None:
    code = (
        "import sys\n"
        "for name in ('psycopg2', 'duckdb_engine', 'pyodbc'):\n"
        "    sys.modules[name] = None\n"
        "from telco_pipeline.definitions import build_defs\n"
        "build_defs().resolve_job_def('load_warehouse')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- when -----------------------------------------------------------------------------------


TABLES = [key_of(name).path for name in (*DAILY_DATASETS, *HISTORY)]


def made(instance: dg.DagsterInstance, *days: int, names: Sequence[Any]) -> None:
    for name in names:
        for day in days:
            instance.report_runless_asset_event(
                dg.AssetMaterialization(dg.AssetKey(name), partition=f"2026-01-{day:02}")
            )


def ask(instance: dg.DagsterInstance) -> list[dg.RunRequest | dg.SkipReason]:
    tick = dt.datetime(2026, 1, 11, 2, 15, tzinfo=dt.UTC)
    return list(schedules.load_made(instance, partitions.daily_partitions(EPOCH), EPOCH, tick))


def spans(asked: Sequence[dg.RunRequest | dg.SkipReason]) -> list[tuple[str, str]]:
    assert all(isinstance(one, dg.RunRequest) for one in asked), asked
    return [(one.tags[RANGE[0]], one.tags[RANGE[1]]) for one in asked]  # type: ignore[union-attr]


def test_the_schedule_asks_for_what_is_made_and_not_loaded() -> None:
    with ephemeral() as instance:
        (skipped,) = ask(instance)
        assert "no day of which all datasets are made" in (skipped.skip_message or "")  # type: ignore[union-attr]
        made(instance, 1, 2, 3, 5, 11, names=DAILY_DATASETS)
        made(instance, 7, names=list(DAILY_DATASETS)[:-1])
        assert spans(ask(instance)) == [("2026-01-01", "2026-01-03"), ("2026-01-05",) * 2]
        made(instance, 1, 2, 5, names=TABLES)
        assert spans(ask(instance)) == [("2026-01-03", "2026-01-03")]
        made(instance, 3, names=TABLES)
        (skipped,) = ask(instance)
        assert "all is loaded" in (skipped.skip_message or "")  # type: ignore[union-attr]


def test_it_is_switched_on_only_where_a_database_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def running() -> set[str]:
        found = build_defs(config=tiny_world()).get_repository_def().schedule_defs
        return {each.name for each in found if each.default_status.value == "RUNNING"}

    assert running() == set()
    monkeypatch.setenv("TELCO_DATABASE_URL", "sqlite:///data/x.sqlite")
    assert running() == set()
    monkeypatch.setenv("TELCO_SCHEDULES", "on")
    assert "load_days" in running()
    monkeypatch.delenv("TELCO_DATABASE_URL")
    assert running() == {"daily", "running_day", "coming_day", "fill_gaps"}


def test_tables_are_those_of_the_warehouse() -> None:
    defs = build_defs(config=tiny_world())
    specs = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
    for name in DATASETS:
        spec = specs[key_of(name)]
        assert {dep.asset_key for dep in spec.deps} == {dg.AssetKey(name)}
        assert (spec.partitions_def is None) == (not DATASETS[name].daily)
        assert name in tables.all_tables().tables
