"""Deliveries in Dagster: days go to a real broker, and the check counts what arrived."""

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from confluent_kafka import Producer
from pydantic import ValidationError

from telco_pipeline.assets.deliveries import PushConfig, key_of
from telco_pipeline.assets.live import LiveConfig
from telco_pipeline.checks import deliveries
from telco_pipeline.definitions import build_defs
from telco_pipeline.kafka_resource import Kafka
from telco_pipeline.lake import Lake
from telco_pipeline.streaming import audit, people
from telco_pipeline.streaming import stream as streams
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.layout import DISTURBANCES, StreamSettings, Topic, progress_topic
from telco_pipeline.streaming.pacing import Pace
from telco_pipeline.streaming.progress import Book, Ends, Progress
from telco_pipeline.streaming.stream import Stream
from telco_pipeline_tests.kafka import ApacheKafka, unique
from telco_pipeline_tests.shell.kit import ephemeral, failures, operation, run_job, tiny_world
from telco_pipeline_tests.streaming.small_day import PEOPLE, small_lake

DAY = "2026-01-01"
SPAN = (DAY, DAY)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small_lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture
def settings() -> StreamSettings:
    known = {
        "cdrs": Topic(unique("cdrs"), ("cdrs_voice", "cdrs_sms"), 3, retention=-1),
        "network_logs": Topic(unique("logs"), ("network_logs",), 2, retention=-1),
        "users": Topic(unique("users"), ("subscribers",), 2, cleanup="compact"),
    }
    return StreamSettings(
        layout="by_kind",
        known=known,
        on=("cdrs", "network_logs"),
        progress=progress_topic(unique("progress")),
        disturbances=Topic(unique("disturbances"), (), retention=-1),
        prefix=unique("telco"),
    )


def defs_of(lake: Lake, kafka: ApacheKafka, settings: StreamSettings) -> dg.Definitions:
    broker = Kafka(Connection({"bootstrap.servers": kafka.bootstrap_servers}), settings)
    return build_defs(
        config=tiny_world(),
        overrides={"operator": operation(Path(lake.root)), "kafka": broker},
        streaming=settings,
    )


def stream_of(lake: Lake, kafka: ApacheKafka, settings: StreamSettings) -> Stream:
    broker = Kafka(Connection({"bootstrap.servers": kafka.bootstrap_servers}), settings)
    stream = broker.stream(operation(Path(lake.root)))
    stream.prepared()
    return stream


def push(defs: dg.Definitions, **options: Any) -> tuple[dg.ExecuteInProcessResult, dict[str, Any]]:
    """Push the day; return the run and, by topic, what its materialisation and its check tell."""
    with ephemeral() as instance:
        result = run_job(defs, "push", instance, SPAN, **options)
        shown: dict[str, Any] = {}
        for event in result.get_asset_materialization_events():
            made = event.step_materialization_data.materialization
            assert made.partition == DAY
            shown[made.asset_key.path[-1]] = {k: v.value for k, v in made.metadata.items()}
        for check in result.get_asset_check_evaluations():
            shown[f"{check.asset_key.path[-1]}?"] = check
    return result, shown


def rows(lake: Lake, topic: Topic) -> int:
    return sum(lake.rows(name, dt.date(2026, 1, 1)) for name in topic.datasets)


def test_a_day_is_sent_once_and_counted(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    defs = defs_of(lake, apache_kafka, settings)
    result, shown = push(defs)
    assert result.success, failures(result)
    for word in settings.on:
        told, check = shown[word], shown[f"{word}?"]
        wanted = rows(lake, settings.known[word])
        assert told["dagster/row_count"] == told["records_of_this_run"] == wanted
        assert told["bytes"] > 100 * wanted
        offsets = [record.data for record in told["offsets"].records]
        assert len(offsets) == settings.known[word].partitions
        assert sum(one["end"] - one["first"] for one in offsets) >= wanted
        assert check.passed, check.description
        metadata = {name: value.value for name, value in check.metadata.items()}
        assert metadata["in_the_lake"] == metadata["in_the_topic"] == wanted

    again, shown = push(defs)
    assert again.success, failures(again)
    for word in settings.on:
        assert shown[word]["records_of_this_run"] == 0
        assert shown[word]["dagster/row_count"] == rows(lake, settings.known[word])
        assert shown[f"{word}?"].passed


def test_the_check_sees_a_record_too_many(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    defs = defs_of(lake, apache_kafka, settings)
    push(defs)
    stranger = Producer(apache_kafka.client())
    moment = int(dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC).timestamp() * 1000)
    stranger.produce(
        settings.known["cdrs"].name,
        b'{"dataset":"cdrs_sms","event_id":5}',
        b"5",
        timestamp=moment,
        headers=[("ce_type", b"telco.cdrs_sms"), ("ce_id", b"5")],
    )
    stranger.flush(10)
    _, shown = push(defs)
    check = shown["cdrs?"]
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert "1 records are too many" in check.description
    assert shown["network_logs?"].passed


def test_disturbed_records_are_allowed_for_exactly(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    rates = dict(zip(DISTURBANCES, (0.1, 0.1, 0.2, 0.1), strict=True))
    disturbed = dataclasses.replace(settings, disturb=rates)
    result, shown = push(defs_of(lake, apache_kafka, disturbed))
    assert result.success, failures(result)
    check = shown["cdrs?"]
    metadata = {name: value.value for name, value in check.metadata.items()}
    assert check.passed, check.description
    assert metadata["disturbed_duplicated"] > 20
    assert metadata["in_the_topic"] == metadata["in_the_lake"] + metadata["disturbed_duplicated"]


def test_disturbed_records_that_are_sent_again_are_told_apart(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    """The topic of truth then tells of each of them twice, and only the later ones count."""
    rates = dict(zip(DISTURBANCES, (0.1, 0.1, 0.2, 0.1), strict=True))
    stream = stream_of(lake, apache_kafka, dataclasses.replace(settings, disturb=rates))
    for again in (False, True):
        stream = dataclasses.replace(stream, again=again)
        sent = stream.push(dt.date(2026, 1, 1), Pace())
        assert sent.done
        found = audit.compare(stream, [dt.date(2026, 1, 1)])
        assert [one.problem for one in found] == ["", ""]
        assert found[0].disturbed == sent.topics[found[0].topic].disturbed


def test_late_records_of_before_a_live_stream_began_are_counted(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    rates = dict(zip(DISTURBANCES, (0.4, 0.1, 0.2, 0.1), strict=True))
    stream = stream_of(lake, apache_kafka, dataclasses.replace(settings, disturb=rates))
    noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    sent = stream.push(dt.date(2026, 1, 1), Pace.of(since=int(noon.timestamp() * 1e6)))
    assert sent.done
    found = audit.compare(stream, [dt.date(2026, 1, 1)])
    assert [one.problem for one in found] == ["", ""]
    for one, topic in zip(found, stream.topics, strict=True):
        assert one.since == noon
        of_noon, _ = audit.of_lake(stream, topic, one.day, since=int(noon.timestamp() * 1e6))
        assert of_noon < one.lake < rows(lake, topic)
        assert one.found == one.lake + one.disturbed["duplicated"]


def test_a_day_that_was_not_sent_to_the_end_fails_the_check(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    """Part of a day was sent by somebody who stopped."""
    stream = stream_of(lake, apache_kafka, settings)
    done = stream.push(dt.date(2026, 1, 1), Pace(), max_count=50)
    assert done.records == 50
    with ephemeral() as instance:
        defs = defs_of(lake, apache_kafka, settings)
        result = run_job(
            defs,
            "push",
            instance,
            SPAN,
            asset_selection=[],
            op_selection=["delivery_checks"],
        )
        (check,) = [
            one for one in result.get_asset_check_evaluations() if one.asset_key == key_of("cdrs")
        ]
    assert not check.passed
    assert "was not sent to the end: a delivery ended after 50 records" in (check.description or "")


def test_what_is_missing_is_told_with_its_reason(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = stream_of(lake, apache_kafka, dataclasses.replace(settings, on=("cdrs",)))
    day = dt.date(2026, 1, 1)
    with monkeypatch.context() as patched:
        patched.setattr(audit, "of_lake", lambda *_: pytest.fail("the lake was counted"))
        (one,) = audit.compare(stream, [day])
    assert one.problem == "nothing of 2026-01-01 was sent: push it"
    assert one.lake == rows(lake, settings.known["cdrs"])

    noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    assert stream.push(day, Pace(), end=noon).done
    all_of_lake = audit.of_lake
    with monkeypatch.context() as patched:  # as if an earlier version had written it
        patched.setattr(audit, "of_lake", lambda *args, **_: all_of_lake(*args))
        (one,) = audit.compare(stream, [day])
    assert "records are missing" in one.problem
    assert one.found < one.lake == rows(lake, settings.known["cdrs"])


def test_a_part_of_a_day_is_counted_as_such(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    rates = dict(zip(DISTURBANCES, (0.2, 0.1, 0.2, 0.1), strict=True))
    stream = stream_of(lake, apache_kafka, dataclasses.replace(settings, disturb=rates))
    day = dt.date(2026, 1, 1)
    window = tuple(dt.datetime(2026, 1, 1, hour, tzinfo=dt.UTC) for hour in (6, 18))
    assert stream.push(day, Pace(), start=window[0], end=window[1]).done
    found = audit.compare(stream, [day])
    assert [one.problem for one in found] == ["", ""]
    for one, topic in zip(found, stream.topics, strict=True):
        assert one.window == window
        assert 0 < one.lake < rows(lake, topic)
        assert one.found == one.lake + one.disturbed["duplicated"]
    shown = deliveries.result("cdrs", found[:1])
    assert shown.passed
    assert "from 2026-01-01 06:00:00+00:00 on" in str(shown.metadata[f"part_{day}"].value)


def test_a_day_of_some_users_is_not_judged(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings, tmp_path: Path
) -> None:
    path = tmp_path / "users.json"
    people.write(lake, path, 5)
    alone = dataclasses.replace(settings, on=("cdrs",))
    stream = stream_of(lake, apache_kafka, alone)
    day = dt.date(2026, 1, 1)
    sent = dataclasses.replace(stream, people=people.People.read(path)).push(day, Pace())
    assert sent.done
    found = audit.compare(stream, [day])
    assert found[0].found == sent.records < found[0].lake
    shown = deliveries.result("cdrs", found)
    assert not shown.passed
    assert shown.severity is dg.AssetCheckSeverity.WARN
    assert "is not judged" in (shown.description or "")

    moment = int(dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC).timestamp() * 1000)
    stranger = Producer(apache_kafka.client())
    stranger.produce(settings.known["cdrs"].name, b"{}", b"5", timestamp=moment)
    stranger.flush(10)
    shown = deliveries.result("cdrs", audit.compare(stream, [day]))
    assert shown.severity is dg.AssetCheckSeverity.ERROR
    assert "1 records are too many" in (shown.description or "")


def test_a_day_is_looked_for_up_to_where_the_next_one_begins() -> None:
    def one(day: int, begun: Ends, ended: Ends, topic: str = "cdrs") -> Progress:
        return Progress("w", dt.date(2026, 1, day), topic, "c", begun=begun, ended=ended, done=True)

    first = one(1, {0: 0, 1: 0}, {0: 10, 1: 12})
    others = [
        one(2, {0: 11, 1: 12}, {0: 20, 1: 20}),
        one(3, {0: 20, 1: 21}, {}),
        one(4, {0: 9, 1: 30}, {}),  # under way at the same time
        one(5, {0: 10, 1: 12}, {}, "network_logs"),
    ]
    book = Book({each.key.decode(): each for each in (first, *others)}, {})
    assert audit._end(first, book) == {0: 11, 1: 12}
    assert audit._end(others[0], book) == {0: 20, 1: 21}
    assert audit._end(others[1], book) == {}


def test_users_are_sent_whole_by_a_stream_that_begins_at_noon(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    """They have no time that could have passed, nor one that they could be late for."""
    noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    stream = stream_of(lake, apache_kafka, dataclasses.replace(settings, on=("cdrs", "users")))
    users, cdrs = settings.known["users"].name, settings.known["cdrs"].name
    pace = Pace.of(live=True, since=int(noon.timestamp() * 1e6))
    sent = stream.push(dt.date(2026, 1, 1), pace)
    assert sent.done
    assert sent.topics[users].total == PEOPLE
    assert sent.topics[users].since is None
    assert 0 < sent.topics[cdrs].total < rows(lake, settings.known["cdrs"])
    assert sent.topics[cdrs].since == noon
    assert sent.acknowledged.count <= sent.committed.count == sent.topics[cdrs].total
    lines = sent.told_of_begin("--again")
    assert lines == [
        f"of 2026-01-01 only what is from 12:00 on was sent to {cdrs} (a live stream began then): "
        "send all with --again"
    ]


def test_a_day_that_a_live_stream_began_says_so(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    noon = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
    stream = stream_of(lake, apache_kafka, settings)
    stream.push(dt.date(2026, 1, 1), Pace.of(since=int(noon.timestamp() * 1e6)))
    with ephemeral() as instance:
        result = run_job(defs_of(lake, apache_kafka, settings), "push", instance, SPAN)
        logs = [str(entry.message) for entry in instance.all_logs(result.run_id)]
    assert result.success, failures(result)
    for event in result.get_asset_materialization_events():
        metadata = event.step_materialization_data.materialization.metadata
        assert str(metadata["begun"].value).startswith("12:00:00 UTC: what was due before")
    assert any("only what is from 12:00 on was sent" in line for line in logs)
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_what_is_sent_again_is_not_retried(
    lake: Lake,
    apache_kafka: ApacheKafka,
    settings: StreamSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A retry would begin anew, and send once more what was sent."""
    tries: list[int] = []

    def lost(*_: object, **__: object) -> None:
        tries.append(1)
        raise ConnectionError("lost")

    monkeypatch.setattr(streams, "replay", lost)
    config = {"ops": {"deliveries": {"config": {"again": True}}}}
    with ephemeral() as instance:
        defs = defs_of(lake, apache_kafka, settings)
        result = run_job(defs, "push", instance, SPAN, run_config=config)
        run = instance.get_run_by_id(result.run_id)
    assert not result.success
    assert failures(result)["deliveries"] == "lost"
    assert tries == [1]
    assert run is not None
    assert run.tags["dagster/max_retries"] == "0"


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"speed": -1.0}])
def test_a_pace_of_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        PushConfig(**wrong)  # type: ignore[arg-type]


def test_a_count_of_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        LiveConfig(max_count=0)


def test_another_world_is_refused(
    lake: Lake, apache_kafka: ApacheKafka, settings: StreamSettings
) -> None:
    broker = Kafka(Connection({"bootstrap.servers": apache_kafka.bootstrap_servers}), settings)
    defs = build_defs(
        config=tiny_world(),
        overrides={"operator": operation(Path(lake.root), world="calm"), "kafka": broker},
        streaming=settings,
    )
    result, _ = push(defs)
    assert "telco stream --world" in failures(result)["deliveries"]


def test_a_broker_that_is_not_there_is_one_clear_line(lake: Lake, settings: StreamSettings) -> None:
    nobody = Kafka(Connection({"bootstrap.servers": "127.0.0.1:9"}), settings)
    defs = build_defs(
        config=tiny_world(),
        overrides={"operator": operation(Path(lake.root)), "kafka": nobody},
        streaming=settings,
    )
    result, _ = push(defs)
    said = failures(result)["deliveries"]
    assert "127.0.0.1:9" in said
    assert "\n" not in said.strip()
