"""Sensors: which days they send, when the live stream is started again, what failures say."""

import datetime as dt
import json
import uuid
from pathlib import Path

import dagster as dg
import pytest

from telco_pipeline import partitions, sensors
from telco_pipeline.assets.deliveries import key_of
from telco_pipeline.assets.live import NAME as LIVE
from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.kafka_resource import Kafka
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.layout import StreamSettings
from telco_pipeline.streaming.settings_file import load_settings
from telco_pipeline_tests.shell.kit import ephemeral, operation, tiny_world

EPOCH = dt.date(2026, 1, 1)
DAILY = partitions.daily_partitions(EPOCH)
TODAY = dt.date(2026, 1, 20)
NOW = dt.datetime(2026, 1, 20, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def settings() -> StreamSettings:
    return load_settings()


def made(instance: dg.DagsterInstance, settings: StreamSettings, *days: int, but: str = "") -> None:
    """Note days of January as materialised in all datasets of the topics but one."""
    for topic in settings.topics:
        for name in topic.datasets:
            for day in days if name != but else ():
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(name, partition=f"2026-01-{day:02}")
                )


def ask(
    instance: dg.DagsterInstance, settings: StreamSettings, cursor: str | None = None
) -> dg.SensorResult:
    return sensors.ask_for_days(instance, DAILY, settings, cursor, NOW)


def asked(result: dg.SensorResult) -> list[str | None]:
    return [request.partition_key for request in result.run_requests or []]


def test_a_day_is_sent_once_all_its_datasets_are_made(settings: StreamSettings) -> None:
    with ephemeral() as instance:
        made(instance, settings, 3, 5)
        made(instance, settings, 4, but="cdrs_sms")
        result = ask(instance, settings)
    assert asked(result) == ["2026-01-03", "2026-01-05"]
    (first, _) = result.run_requests or []
    assert first.run_key == "push 2026-01-03 cdrs,network_logs,customer_service,location_updates"
    assert first.asset_selection == [key_of(word) for word in settings.on]


def test_no_day_is_asked_for_twice_and_gaps_are_filled(settings: StreamSettings) -> None:
    with ephemeral() as instance:
        made(instance, settings, 3, 5)
        first = ask(instance, settings)
        again = ask(instance, settings, first.cursor)
        assert not again.run_requests
        made(instance, settings, 4)
        assert asked(ask(instance, settings, again.cursor)) == ["2026-01-04"]
    spans = next(iter(json.loads(first.cursor or "")["asked"].values()))
    assert spans == [["2026-01-03", "2026-01-03"], ["2026-01-05", "2026-01-05"]]


def test_a_tick_is_bounded(settings: StreamSettings) -> None:
    with ephemeral() as instance:
        made(instance, settings, *range(1, 20))
        cursor, rounds = None, []
        while True:
            result = ask(instance, settings, cursor)
            if not result.run_requests:
                break
            cursor = result.cursor
            rounds.append(asked(result))
    assert [len(each) for each in rounds] == [5, 5, 5, 4]
    assert [key for each in rounds for key in each] == [f"2026-01-{day:02}" for day in range(1, 20)]
    assert len(cursor or "") < 200, "spans, not days"


def test_the_running_day_is_left_to_the_live_stream(settings: StreamSettings) -> None:
    with ephemeral() as instance:
        made(instance, settings, TODAY.day, TODAY.day + 1)
        assert not ask(instance, settings).run_requests


def test_days_that_are_never_made_do_not_hide_later_ones(settings: StreamSettings) -> None:
    later = dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC)
    daily = partitions.daily_partitions(EPOCH, later.date())
    with ephemeral() as instance:
        for name in sorted({name for topic in settings.topics for name in topic.datasets}):
            instance.report_runless_asset_event(
                dg.AssetMaterialization(name, partition="2026-12-30")
            )
        result = sensors.ask_for_days(instance, daily, settings, None, later)
    assert asked(result) == ["2026-12-30"]


def test_yesterday_is_left_to_a_live_stream_at_first(settings: StreamSettings) -> None:
    """Two that send the same day would fence each other."""

    def at(hour: int, minute: int) -> dg.SensorResult:
        now = dt.datetime(2026, 1, 20, hour, minute, tzinfo=dt.UTC)
        return sensors.ask_for_days(instance, DAILY, settings, None, now)

    with ephemeral() as instance:
        made(instance, settings, 19)
        assert asked(at(0, 5)) == ["2026-01-19"], "nobody streams"
        run(instance, dg.DagsterRunStatus.CANCELED, 90, 60)
        assert asked(at(0, 5)) == ["2026-01-19"], "nobody starts it again"
        run(instance, FAILURE, 90, 60)
        assert "2026-01-19 is left to the live stream until 01:00 UTC" in reason(at(0, 5))
        run(instance, dg.DagsterRunStatus.STARTED, 30, None)
        assert "left to the live stream" in reason(at(0, 59))
        assert asked(at(1, 0)) == ["2026-01-19"]
        made(instance, settings, 18)
        assert asked(at(0, 5)) == ["2026-01-18"], "other days are sent"


@pytest.mark.parametrize("cursor", ["", "7", "{}", "[]", '{"asked": {"cdrs": [["x", "y"]]}}'])
def test_a_cursor_that_is_none_asks_anew(settings: StreamSettings, cursor: str) -> None:
    """Nothing is sent twice for that: progress is kept at the broker."""
    with ephemeral() as instance:
        made(instance, settings, 3)
        assert asked(ask(instance, settings, cursor)) == ["2026-01-03"]


# --- the live stream ------------------------------------------------------------------------


def run(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, begin: float, end: float | None
) -> None:
    """Note a live run; times are minutes before NOW."""
    run_id = uuid.uuid4().hex
    instance.add_run(dg.DagsterRun(LIVE, run_id, status=dg.DagsterRunStatus.NOT_STARTED))
    moments = {"start": begin, "end": end}
    events = {
        dg.DagsterRunStatus.FAILURE: dg.DagsterEventType.RUN_FAILURE,
        dg.DagsterRunStatus.SUCCESS: dg.DagsterEventType.RUN_SUCCESS,
        dg.DagsterRunStatus.CANCELED: dg.DagsterEventType.RUN_CANCELED,
    }
    kinds = [("start", dg.DagsterEventType.RUN_START)]
    if status in events:
        kinds.append(("end", events[status]))
    for which, kind in kinds:
        when = NOW - dt.timedelta(minutes=moments[which] or 0)
        instance.run_storage.handle_run_event(
            run_id, dg.DagsterEvent(kind.value, job_name=LIVE), when
        )


def alive(instance: dg.DagsterInstance, cursor: str | None = '{"runs": 1}') -> dg.SensorResult:
    return sensors.keep_alive(instance, cursor, NOW)


def reason(result: dg.SensorResult) -> str:
    assert not result.run_requests
    return (result.skip_reason.skip_message if result.skip_reason else "") or ""


FAILURE = dg.DagsterRunStatus.FAILURE


def test_the_live_stream_is_started_once() -> None:
    with ephemeral() as instance:
        first = alive(instance, None)
        assert len(first.run_requests or []) == 1
        run(instance, dg.DagsterRunStatus.STARTED, 5, None)
        assert reason(alive(instance, first.cursor)) == "it streams"


def test_it_is_started_again_when_it_died() -> None:
    with ephemeral() as instance:
        run(instance, FAILURE, 90, 1)
        (request,) = alive(instance).run_requests or []
    assert request.run_key == f"{LIVE} {NOW.isoformat()}"


def test_deaths_in_a_row_make_it_wait_longer_and_longer() -> None:
    waits = []
    with ephemeral() as instance:
        for _ in range(9):
            run(instance, FAILURE, 0.01, 0)
            records = instance.get_run_records(dg.RunsFilter(job_name=LIVE))
            waits.append(sensors.wait_after(records).total_seconds())
            assert "died" in reason(alive(instance))
    assert waits == [10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_a_long_run_ends_the_row_of_deaths() -> None:
    with ephemeral() as instance:
        for _ in range(5):
            run(instance, FAILURE, 0.01, 0)
        run(instance, FAILURE, 600, 0.01)
        records = instance.get_run_records(dg.RunsFilter(job_name=LIVE))
        assert sensors.wait_after(records) == dt.timedelta(0)


@pytest.mark.parametrize(
    ("status", "word"),
    [(dg.DagsterRunStatus.CANCELED, "cancelled"), (dg.DagsterRunStatus.SUCCESS, "told to stop")],
)
def test_it_stays_stopped_when_it_was_stopped(status: dg.DagsterRunStatus, word: str) -> None:
    with ephemeral() as instance:
        run(instance, status, 90, 60)
        assert word in reason(alive(instance))
        assert len(alive(instance, None).run_requests or []) == 1, "its cursor was reset"


# --- failures and switches ------------------------------------------------------------------


def test_a_failed_push_says_how_to_recover(tmp_path: Path) -> None:
    """The whole way: a push fails, the sensor ticks, the run's log tells what to do."""
    nobody = Kafka(Connection({"bootstrap.servers": "127.0.0.1:9"}), load_settings())
    resources = {"operator": operation(tmp_path), "kafka": nobody}
    defs = build_defs(config=tiny_world(), overrides=resources)
    with dg.instance_for_test() as instance:
        result = defs.resolve_job_def("push").execute_in_process(
            instance=instance,
            partition_key="2026-01-02",
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        assert not result.success
        sensor = defs.get_repository_def().get_sensor_def(sensors.PUSH_FAILED)
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name,
            dagster_event=result.get_run_failure_event(),
            dagster_instance=instance,
            dagster_run=result.dagster_run,
        ).for_run_failure()
        sensor(context)
        told = [str(entry.message) for entry in instance.all_logs(result.run_id)]
    (line,) = [text for text in told if text.startswith("Delivery failed")]
    assert "Nothing is lost or sent twice" in line
    assert "re-execute this run, or `telco stream --from 2026-01-02 --to 2026-01-02`" in line
    assert "no broker listens there" in line, "why it failed"


def test_a_failed_push_again_is_not_to_be_repeated() -> None:
    config = {"ops": {"deliveries": {"config": {"again": True}}}}
    tags = {"dagster/partition": "2026-01-02"}
    told = sensors.recovery(dg.DagsterRun("push", run_config=config, tags=tags), "Disk full.")
    assert "launch it without `again`, or `telco stream --from 2026-01-02 --to 2026-01-02`" in told
    assert "twice" not in told


def test_sensors_are_off_until_they_are_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def running() -> set[str]:
        found = build_defs(config=tiny_world()).get_repository_def().sensor_defs
        return {each.name for each in found if each.default_status.value == "RUNNING"}

    assert running() == set()
    monkeypatch.setenv(sensors.VARIABLE, "push_days, push_failed")
    assert running() == {"push_days", "push_failed"}


def test_an_unknown_sensor_is_refused() -> None:
    assert sensors.switched_on("on") == set(sensors.NAMES)
    with pytest.raises(TelcoError, match="push_days"):
        sensors.switched_on("push_day")
