"""Dagster's own storage on a real PostgreSQL: deploy/dagster.yaml, as `make ui-postgres` has it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from telco_pipeline.definitions import build_defs
from telco_pipeline.settings import DEFAULT_WORLD_FILE
from telco_pipeline_tests.notifications.servers import web_server
from telco_pipeline_tests.shell.kit import (
    Recorder,
    operation,
    recorder,  # noqa: F401  (a fixture)
    run_job,
    tiny_world,
)

ROOT = Path(__file__).parents[2]
DAYS = ["2026-01-01", "2026-01-02"]
DATASET = "network_faults"
BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


@pytest.fixture
def home(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DAGSTER_HOME whose book is in a database of this test's own."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home)
    url = make_url(postgres_url)
    for name, value in {
        "HOST": url.host,
        "PORT": url.port,
        "DB": url.database,
        "USER": url.username,
        "PASSWORD": url.password,
    }.items():
        monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", str(value))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    return home


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def sqlite_files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*.db") if path.is_file()]


@pytest.mark.filterwarnings("ignore:Handling yaml-defined logging")
def test_a_run_lies_in_postgres(
    home: Path,
    postgres_url: str,
    tmp_path: Path,
    recorder: Recorder,  # noqa: F811
) -> None:
    defs = build_defs(config=tiny_world(), overrides={"operator": operation(tmp_path)}, pool=None)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        result = run_job(
            defs,
            "make_records",
            instance,
            (DAYS[0], DAYS[1]),
            asset_selection=[dg.AssetKey(DATASET)],
        )
        assert result.success
        made = instance.get_materialized_partitions(dg.AssetKey(DATASET))
    assert made == set(DAYS)
    assert rows(postgres_url, "SELECT run_id, status FROM runs") == [(result.run_id, "SUCCESS")]
    ((events,),) = rows(
        postgres_url,
        "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION'",
    )
    assert events == len(DAYS)
    assert sqlite_files(home) == []


def test_a_variable_is_missing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_POSTGRES_PASSWORD")
    with pytest.raises(Exception, match="DAGSTER_POSTGRES_PASSWORD"):
        dg.DagsterInstance.from_config(str(home))


def test_make_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_DB", "dagster")
    for name in ("USER", "PASSWORD"):
        monkeypatch.delenv(f"DAGSTER_POSTGRES_{name}", raising=False)
    answer = subprocess.run(
        ["make", "--no-print-directory", "ui-postgres"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode != 0
    assert answer.stderr.startswith("error: set DAGSTER_POSTGRES_USER: ")


# --- the daemon -----------------------------------------------------------------------------


@contextmanager
def daemon(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run Dagster's daemon on this checkout, and end it and what it started."""
    command = [Path(sys.executable).with_name("dagster-daemon"), "run", "-w", "workspace.yaml"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=file, stderr=file, start_new_session=True
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(30)


def wait_for(what: str, there: Callable[[], bool], within: float, log: Path) -> None:
    until = time.monotonic() + within
    while not there():
        assert time.monotonic() < until, f"{what}: {log.read_text()[-3000:]}"
        time.sleep(0.5)


def launch_backfill(folder: Path) -> str:
    """Ask for two days of a dataset, as the UI does; returns the backfill's id."""
    params = {"assetSelection": [{"path": [DATASET]}], "partitionNames": DAYS}
    answer = folder / "answer.json"  # what it prints has lines of the code server in it
    program = Path(sys.executable).with_name("dagster-graphql")
    command = [program, "-w", "workspace.yaml", "-o", answer, "-t", BACKFILL]
    command += ["-v", json.dumps({"params": params})]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    told = json.loads(answer.read_text())["data"]["launchPartitionBackfill"]
    assert told["__typename"] == "LaunchBackfillSuccess", told
    return str(told["backfillId"])


@pytest.mark.long
def test_a_backfill_of_a_real_daemon(
    home: Path, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From launching it to what lies in the lake, in PostgreSQL, in the log and in a webhook."""
    world = tmp_path / "world.yaml"
    text = DEFAULT_WORLD_FILE.read_text()
    assert "\nsubscribers: " in text
    world.write_text(
        "\n".join(
            "subscribers: 200" if line.startswith("subscribers: ") else line
            for line in text.splitlines()
        )
    )
    lake, log, runs_log = tmp_path / "lake", tmp_path / "daemon.log", tmp_path / "runs.log"
    monkeypatch.setenv("TELCO_WORLD", str(world))
    monkeypatch.setenv("TELCO_LAKE", str(lake))
    monkeypatch.setenv("TELCO_WORKERS", "1")
    monkeypatch.setenv("TELCO_LOG_FILE", str(runs_log))
    telco = Path(sys.executable).with_name("telco")
    sources = ["generate", "--datasets", "cells,network_elements,network_links,social_ties"]
    subprocess.run([telco, *sources], check=True, capture_output=True, cwd=tmp_path)
    runs_log.unlink(missing_ok=True)
    with (
        web_server() as web,
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        monkeypatch.setenv("TELCO_NOTIFY_STATUSES", "success,failure")
        monkeypatch.setenv("TELCO_NOTIFY_WEBHOOK", web.url)
        with daemon(log) as process:

            def ticked() -> bool:
                assert process.poll() is None, log.read_text()[-3000:]
                states = [each.name for each in instance.all_instigator_state()]
                return "notify_success" in states and "Initiating" in log.read_text()

            wait_for("the sensors' first tick", ticked, 120, log)
            backfill = launch_backfill(tmp_path)

            def done() -> bool:
                return instance.get_run_records(
                    dg.RunsFilter(
                        tags={"dagster/backfill": backfill}, statuses=[dg.DagsterRunStatus.SUCCESS]
                    )
                ) != []  # fmt: skip

            wait_for("the backfill", done, 180, log)
            wait_for("its notification", lambda: len(web.posts) > 0, 90, log)
        made = instance.get_materialized_partitions(dg.AssetKey(DATASET))
    assert made == set(DAYS)
    assert all((lake / DATASET / f"day={day}" / "_provenance.json").exists() for day in DAYS)
    ours = f"SELECT count(*) FROM run_tags WHERE key = 'dagster/backfill' AND value = '{backfill}'"
    assert rows(postgres_url, ours) == [(1,)], "a range of days is one run"
    assert rows(postgres_url, "SELECT status FROM bulk_actions")[0][0] in (
        "COMPLETED_SUCCESS",
        "REQUESTED",  # noted as done by the daemon's next look
    )
    assert sqlite_files(home) == []
    ((_, body),) = web.posts
    assert (body["status"], body["days"]) == ("success", f"{DAYS[0]} to {DAYS[1]}")
    assert body["job"] == f"materialising {DATASET}"
    assert f"{DATASET}: 2 of 2 partitions" in runs_log.read_text()
