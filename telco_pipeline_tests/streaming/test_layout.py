"""The layouts and their settings: what goes where, and what a wrong file is told."""

from pathlib import Path

import pytest

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.layout import DISTURBANCES, LAYOUTS, StreamSettings
from telco_pipeline.streaming.settings_file import (
    DEFAULT_FILE,
    Disturb,
    TopicsFile,
    load_settings,
)


def read(tmp_path: Path, text: str, **options: str) -> StreamSettings:
    file = tmp_path / "streaming.yaml"
    file.write_text(text)
    return load_settings(file, **options)  # type: ignore[arg-type]


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(TelcoError) as caught:
        read(tmp_path, text)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_the_layouts_hold_datasets_that_there_are() -> None:
    for places in LAYOUTS.values():
        sent = [dataset for place in places.values() for dataset in place.datasets]
        assert set(sent) <= set(DATASETS)
        assert len(sent) == len(set(sent)), "a dataset in two topics of one layout"
        names = [place.name for place in places.values()]
        assert len(names) == len(set(names))


def test_the_file_knows_every_topic_and_disturbance() -> None:
    assert set(TopicsFile.model_fields) == {word for one in LAYOUTS.values() for word in one}
    assert tuple(Disturb.model_fields) == DISTURBANCES


def test_topics_as_shipped() -> None:
    shipped = load_settings(DEFAULT_FILE)
    names = ["cdrs", "network_logs", "customer_service", "location_updates"]
    assert [topic.name for topic in shipped.topics] == names
    assert shipped.encoding == "json"
    assert {topic.retention for topic in shipped.known.values()} == {-1}
    assert shipped.speed is None
    assert shipped.progress.partitions == 1
    assert (shipped.progress.cleanup, shipped.progress.retention) == ("compact", -1)
    assert not any(shipped.disturb.values())

    by_type = load_settings(DEFAULT_FILE, layout="by_type")
    assert [topic.name for topic in by_type.topics] == [
        "telco-users",
        "telco-voice-cdrs",
        "telco-data-cdrs",
        "telco-sms-cdrs",
        "telco-voip-cdrs",
        "telco-ims-cdrs",
    ]
    assert by_type.known["users"].cleanup == "compact"


def test_a_file_says_how_topics_are(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
version: 1
partitions: 8
retention: 7d
replication: 3
headers: none
topics:
  cdrs: {name: calls.v1, partitions: 12, retention: forever, replication: broker}
  network_logs: {on: false}
  alarms: {on: true, compact: true, retention: broker}
progress: {name: how-far, replication: 1}
pace: {speed: 60, rate: 1000, interval: 0.5}
disturb: {late: 0.25}
""",
    )
    cdrs, alarms = found.known["cdrs"], found.known["alarms"]
    assert (cdrs.name, cdrs.partitions, cdrs.retention, cdrs.replication) == (
        "calls.v1",
        12,
        -1,
        -1,
    )
    assert (alarms.partitions, alarms.retention, alarms.cleanup) == (8, None, "compact")
    assert found.known["network_logs"].retention == 7 * 86_400_000
    assert found.on == ("cdrs", "customer_service", "location_updates", "alarms")
    assert (found.progress.name, found.progress.replication) == ("how-far", 1)
    assert (found.speed, found.rate, found.interval) == (60, 1000, 0.5)
    assert found.disturb["late"] == 0.25
    assert found.headers == "none"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 1\ntopcis: {}\n", [":2", "'topcis'", "did you mean 'topics'?"]),
        ("version: 1\ntopics:\n  cdr: {on: true}\n", [":3", "did you mean 'cdrs'?"]),
        ("version: 1\ntopics:\n  cdrs:\n    partition: 3\n", [":4", "did you mean 'partitions'?"]),
        ("version: 1\npartitions: 0\n", [":2", "1 to 10,000"]),
        ("version: 1\nretention: 7 days\n", [":2", "7d", "forever"]),
        ("version: 1\nlayout: by_typ\n", [":2", "did you mean 'by_type'?"]),
        ("version: 1\nencoding: avro\n", [":2", "schema_registry"]),
        (
            "version: 1\nschema_registry: http://me:secret@host\n",
            [":2", "a password does not belong"],
        ),
        ("version: 1\nschema_registry: host:8081\n", [":2", "http://127.0.0.1:8081"]),
        ("version: 1\npace: {speed: fast}\n", [":2", "max, or a number"]),
        ("version: 1\ndisturb: {late: 2}\n", [":2", "from 0 to 1"]),
        ("version: 1\ntopics:\n  cdrs: {name: a/b}\n", [":3", "a topic's name"]),
        (
            "version: 1\ntopics:\n  cdrs: {name: alarms}\n",
            [":3", "topics.cdrs.name", "topic alarms"],
        ),
        ("version: 1\ntopics:\n  alarms: {name: cdrs}\n", [":3", "topics.alarms.name", "of cdrs"]),
        ("version: 1\nprogress: {name: cdrs}\n", [":2", "progress.name", "of the topic cdrs too"]),
        ("version: 1\ndisturbances: {name: telco-progress}\n", [":2", "of progress too"]),
        ("version: 1\ntopics:\n  cdrs: {on:}\n", [":3", "has no value"]),
        ("partitions: 3\n", [":1", "'version'"]),
        ("", [":1", "empty"]),
    ],
)
def test_a_wrong_file_is_told_where_and_what(tmp_path: Path, text: str, words: list[str]) -> None:
    told = refusal(tmp_path, text)
    assert "\n" not in told
    assert "secret" not in told
    for word in words:
        assert word in told


def test_the_variable_names_another_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    with pytest.raises(TelcoError, match="TELCO_STREAMING"):
        load_settings(environ={"TELCO_STREAMING": str(file)})
    file.write_text("version: 1\nprefix: mine\n")
    assert load_settings(environ={"TELCO_STREAMING": str(file)}).prefix == "mine"


def test_topics_are_chosen_by_word_or_name() -> None:
    by_kind = load_settings(DEFAULT_FILE)
    assert by_kind.chosen(None) == by_kind.topics
    assert [one.name for one in by_kind.chosen(["truth", "cdrs", "cdrs"])] == ["cdrs", "truth"]
    assert len(by_kind.chosen(["all"])) == len(LAYOUTS["by_kind"])
    by_type = load_settings(DEFAULT_FILE, layout="by_type")
    asked = ["telco-sms-cdrs", "voice_cdrs"]
    assert [one.name for one in by_type.chosen(asked)] == ["telco-voice-cdrs", "telco-sms-cdrs"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["cdr"], "did you mean 'cdrs'?"),
        (["telco-voice-cdrs"], "--layout by_type"),
        (["xyz"], "there are cdrs, network_logs"),
    ],
)
def test_an_unknown_topic_is_told_what_there_is(asked: list[str], words: str) -> None:
    with pytest.raises(TelcoError) as caught:
        load_settings(DEFAULT_FILE).chosen(asked)
    assert words in str(caught.value)


def test_what_has_no_time_of_its_own() -> None:
    settings = load_settings()
    timeless = [word for word, topic in settings.known.items() if not topic.is_timed]
    assert timeless == ["users"]
    assert settings.disturbances.is_timed


def test_an_unknown_layout() -> None:
    with pytest.raises(TelcoError, match="did you mean 'by_type'"):
        load_settings(DEFAULT_FILE, layout="by_typ")
