"""Runs that end are told of: from a run in Dagster's book, by a tick, to a real server."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from telco_pipeline import failures, notify_sensors
from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.notifications.message import Status
from telco_pipeline_tests.notifications.servers import Inbox, Received, mail_server, web_server
from telco_pipeline_tests.shell.kit import (
    Recorder,
    fail_checks,
    operation,
    recorder,  # noqa: F401  (a fixture)
    run_job,
    tiny_world,
)

PLACES = [dg.AssetKey("places")]
DAYS = ("2026-01-02", "2026-01-03")


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with web_server() as received:
        monkeypatch.setenv("TELCO_NOTIFY_WEBHOOK", received.url)
        monkeypatch.setenv("TELCO_NOTIFY_UI", "http://127.0.0.1:3000")
        yield received


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def defs(tmp_path: Path) -> dg.Definitions:
    return build_defs(config=tiny_world(), overrides={"operator": operation(tmp_path)}, pool=None)


class Ticker:
    """One of the sensors, with its cursor; a new one is told of nothing that was before."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance, status: Status) -> None:
        self._sensor = defs.get_repository_def().get_sensor_def(notify_sensors.NAMES[status])
        self._instance = instance
        self._cursor: str | None = None
        self.tick()

    def tick(self) -> list[str]:
        """Let it tick; return the error of each run that it reacted to, '' where there is none."""
        context = dg.build_sensor_context(instance=self._instance, cursor=self._cursor)
        data = self._sensor.evaluate_tick(context)
        self._cursor = data.cursor
        return [
            one.error.message.strip() if one.error else ""
            for one in data.dagster_run_reactions or ()
        ]


def test_a_success_is_told(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    web: Received,
    recorder: Recorder,  # noqa: F811
) -> None:
    ended(instance, "operate", dg.DagsterEventType.RUN_SUCCESS)
    sensor = Ticker(defs, instance, Status.SUCCESS)
    result = run_job(
        defs, "make_records", instance, DAYS, asset_selection=[dg.AssetKey("cdrs_sms")]
    )
    assert result.success
    assert sensor.tick() == [""]
    ((_, body),) = web.posts
    assert body["job"] == "make_records"
    assert body["status"] == "success"
    assert body["days"] == "2026-01-02 to 2026-01-03"
    assert body["link"] == f"http://127.0.0.1:3000/runs/{result.run_id}"
    assert body["seconds"] > 0
    assert body["failed"] == []
    assert body["advice"] == ""
    assert sensor.tick() == [], "it is told once"


def test_a_failure_says_what_why_and_what_to_do(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    web: Received,
    recorder: Recorder,  # noqa: F811
) -> None:
    sensor = Ticker(defs, instance, Status.FAILURE)
    recorder.trouble["places"] = [TelcoError("data/lake may not be written to: choose another")]
    result = run_job(defs, "build_world", instance, asset_selection=PLACES)
    assert not result.success
    assert sensor.tick() == [""]
    ((_, body),) = web.posts
    assert body["job"] == "build_world"
    assert body["status"] == "failure"
    assert body["failed"] == [
        {"step": "places", "message": "data/lake may not be written to: choose another."}
    ]
    assert body["advice"].startswith("Mend what the message says, then materialise `places`")
    assert "Traceback" not in body["text"]


def test_a_failed_check_says_what_it_found(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    web: Received,
    monkeypatch: pytest.MonkeyPatch,
    recorder: Recorder,  # noqa: F811
) -> None:
    sensor = Ticker(defs, instance, Status.FAILURE)
    fail_checks(monkeypatch, {("places", "unique"): [None]})
    assert not run_job(defs, "build_world", instance, asset_selection=PLACES).success
    sensor.tick()
    ((_, body),) = web.posts
    lines = [one["message"] for one in body["failed"]]
    assert "places, unique: 3 rows refer to nobody." in lines
    assert body["advice"] == "Run `telco generate --datasets places --replace`."


def test_a_run_whose_configuration_is_wrong(instance: dg.DagsterInstance, web: Received) -> None:
    """No step fails there: the operator cannot be built."""
    defs = build_defs(config=tiny_world(), pool=None)
    sensor = Ticker(defs, instance, Status.FAILURE)
    wrong = {"resources": {"operator": {"config": {"seed": 7}}}}
    result = run_job(defs, "build_world", instance, run_config=wrong)
    sensor.tick()
    ((_, body),) = web.posts
    (failed,) = body["failed"]
    assert failed["step"] == ""
    assert failed["message"].startswith("seed would change the main world of ")
    assert body["advice"].startswith("Mend what it says, then re-execute")
    assert failures.of_run(instance, result.run_id)[0].line == failed["message"]


def ended(
    instance: dg.DagsterInstance, job: str, kind: dg.DagsterEventType, **tags: str
) -> dg.DagsterRun:
    """Note a run that ended without saying why."""
    run = instance.create_run_for_job(
        dg.GraphDefinition(name=job, node_defs=[]).to_job(), tags=tags
    )
    instance.report_dagster_event(dg.DagsterEvent(kind.value, job_name=job), run.run_id)
    return run


def test_a_run_that_somebody_cancelled(
    defs: dg.Definitions, instance: dg.DagsterInstance, web: Received
) -> None:
    sensor = Ticker(defs, instance, Status.CANCELED)
    ended(
        instance,
        "make_records",
        dg.DagsterEventType.RUN_CANCELED,
        **{"dagster/partition": "2026-01-02"},
    )
    assert sensor.tick() == [""]
    ((_, body),) = web.posts
    assert (body["status"], body["days"]) == ("canceled", "2026-01-02")
    assert "was cancelled: 2026-01-02" in body["text"]
    assert "launch it again" in body["advice"]


def test_a_lost_process(defs: dg.Definitions, instance: dg.DagsterInstance, web: Received) -> None:
    sensor = Ticker(defs, instance, Status.FAILURE)
    ended(instance, "push", dg.DagsterEventType.RUN_FAILURE)
    ended(instance, "operate", dg.DagsterEventType.RUN_FAILURE, **{"dagster/will_retry": "true"})
    assert sensor.tick() == ["", ""]
    push, operate = (body for _, body in web.posts)
    assert push["failed"] == [{"step": "", "message": failures.LOST}]
    assert "telco stream" in push["advice"], "a delivery has its own way to recover"
    assert operate["advice"] == "Nothing yet: Dagster runs it again by itself."


def test_only_some_jobs(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    web: Received,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TELCO_NOTIFY_JOBS", "push, assets")
    sensor = Ticker(defs, instance, Status.FAILURE)
    for job in ("operate", "push", "__ASSET_JOB"):
        ended(instance, job, dg.DagsterEventType.RUN_FAILURE)
    assert sensor.tick() == ["", "", ""]
    assert [body["job"] for _, body in web.posts] == ["push", "materialising assets"]


def test_what_cannot_be_sent_is_told_and_does_not_stop_the_sensor(
    defs: dg.Definitions, instance: dg.DagsterInstance, web: Received
) -> None:
    sensor = Ticker(defs, instance, Status.FAILURE)
    first = ended(instance, "operate", dg.DagsterEventType.RUN_FAILURE)
    web.answers = [404]
    (line,) = sensor.tick()
    assert line.startswith(
        f"telco_pipeline.errors.TelcoError: not told of run {first.run_id}: webhook "
        f"http://127.0.0.1:{web.port} answers 404 (no_text): check TELCO_NOTIFY_WEBHOOK"
    )
    assert "\n" not in line
    logged = [str(entry.message) for entry in instance.all_logs(first.run_id)]
    assert any(text.startswith("not told of run") for text in logged), "the run's log has it too"
    ended(instance, "operate", dg.DagsterEventType.RUN_FAILURE)
    assert sensor.tick() == [""]
    assert len(web.posts) == 1


def test_wrong_settings_of_a_sensor_that_was_switched_on_in_the_ui(
    defs: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensor = Ticker(defs, instance, Status.FAILURE)
    ended(instance, "operate", dg.DagsterEventType.RUN_FAILURE)
    (line,) = sensor.tick()
    assert line.endswith("set TELCO_NOTIFY_TO or TELCO_NOTIFY_WEBHOOK")
    monkeypatch.setenv("TELCO_NOTIFY_JOBS", "operat")
    ended(instance, "operate", dg.DagsterEventType.RUN_FAILURE)
    (line,) = sensor.tick()
    assert "TELCO_NOTIFY_JOBS: no 'operat'" in line


def test_switches(monkeypatch: pytest.MonkeyPatch) -> None:
    def running() -> set[str]:
        found = build_defs(config=tiny_world()).get_repository_def().sensor_defs
        return {each.name for each in found if each.default_status.value == "RUNNING"}

    monkeypatch.setenv("TELCO_NOTIFY_STATUSES", "failure, success")
    with pytest.raises(TelcoError, match="set, but nobody is told: set TELCO_NOTIFY_TO or"):
        running()
    monkeypatch.setenv("TELCO_NOTIFY_WEBHOOK", "http://127.0.0.1:9/")
    assert running() == {"notify_failure", "notify_success"}
    monkeypatch.setenv("TELCO_NOTIFY_TO", "ops")
    with pytest.raises(TelcoError, match="TELCO_NOTIFY_TO: 'ops' is no e-mail address"):
        running()
    monkeypatch.setenv("TELCO_NOTIFY_STATUSES", "")
    assert running() == set(), "what is off refuses nothing"


def test_by_mail(
    defs: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox: Inbox
    with mail_server("none") as inbox:
        for name, value in {
            "TO": "ops@example.org",
            "FROM": "telco@example.org",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(inbox.port),
            "SMTP_TLS": "none",
        }.items():
            monkeypatch.setenv(f"TELCO_NOTIFY_{name}", value)
        sensor = Ticker(defs, instance, Status.FAILURE)
        ended(instance, "operate", dg.DagsterEventType.RUN_FAILURE)
        assert sensor.tick() == [""]
    (mail,) = inbox.mails
    assert mail["Subject"] == "telco: operate failed"
    assert failures.LOST in mail.get_content()


def test_days_and_names() -> None:
    assert notify_sensors.days_of(dg.DagsterRun("operate")) == ""
    tags = dict.fromkeys(
        ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end"), "2026-01-02"
    )
    assert notify_sensors.days_of(dg.DagsterRun("operate", tags=tags)) == "2026-01-02"
