"""What is kept of each delivery at the broker, and reading it."""

import json

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import progress
from telco_pipeline.streaming.entries import Part, Position
from telco_pipeline_tests.kafka import ApacheKafka, unique
from telco_pipeline_tests.streaming.synthetic import (
    DAY,
    WORLD,
    SyntheticFeed,
    make_topics,
    settings,
)
from telco_pipeline_tests.streaming.test_publisher import Broker, connection_of, names, send

__all__ = ["names"]  # a fixture


def test_a_record_says_all() -> None:
    one = progress.Progress(
        WORLD, DAY, "cdrs", "hash", Position(4, 3, 2, 1), 7, 99, {"late": 2}, 5, {0: 1, 11: 2},
        True, {0: 3}, Part((5, 9), "of these"), {0: 4, 11: 8}, {0: 6},
    )  # fmt: skip
    assert progress.Progress.of(json.loads(one.value())) == one
    assert one.key == f"{WORLD}/2026-01-01/cdrs".encode()
    bare = progress.Progress(WORLD, DAY, "cdrs", "hash")
    assert progress.Progress.of(json.loads(bare.value())) == bare


def test_after_what_entries_are_still_to_be_sent() -> None:
    one = progress.Progress(WORLD, DAY, "cdrs", "hash")
    assert one.after is None
    one = progress.Progress(WORLD, DAY, "cdrs", "hash", since=1_000)
    assert one.after is not None
    assert Position(999, 9, 9, 9) < one.after < Position(1_000, 0, 0, 0)
    one = progress.Progress(WORLD, DAY, "cdrs", "hash", Position(2_000, 1, 2, 0), since=1_000)
    assert one.after == one.position


def test_the_topic_is_made_once_and_compacted(apache_kafka: ApacheKafka) -> None:
    connection = connection_of(apache_kafka.client())
    topic = settings(unique("progress")).progress
    for _ in range(2):
        progress.ensure(connection, topic)
    assert progress.end_offsets(connection, topic.name) == {topic.name: {0: 0}}
    assert progress.read(connection, topic.name) == progress.Book({}, {})
    theirs = unique("plain")
    make_topics(apache_kafka.client(), theirs)
    with pytest.raises(TelcoError, match="is not compacted"):
        progress.ensure(connection, settings(theirs).progress)


def test_progress_can_be_read(kafka: Broker, names: tuple[str, str]) -> None:
    book = unique("progress")
    feed = SyntheticFeed(names, count=500, disturbed={0: 2})
    send(kafka, feed, book)
    found = progress.read(connection_of(kafka.client()), book).of(WORLD, DAY)
    assert set(found) == set(names)
    for number, name in enumerate(names):
        mine = [at for at in range(500) if feed.topic_of(at) == number]
        assert found[name].done
        assert found[name].records == len(mine)
        assert found[name].position == feed.position(mine[-1])
        assert found[name].content == feed.content[name]
    assert found[names[0]].disturbed == {"duplicated": 1}


def test_progress_behind_an_open_transaction(
    apache_kafka: ApacheKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, book = unique("hidden"), unique("progress")
    client = apache_kafka.client()
    make_topics(client, name)
    feed = SyntheticFeed((name,), count=100)
    send(apache_kafka, feed, book, max_count=10)
    other = Producer(client | {"transactional.id": unique("other"), "log_level": 2})
    other.init_transactions(30)
    other.begin_transaction()
    other.produce(book, b"{}", key=b"another day")
    other.flush(10)
    monkeypatch.setattr(progress, "LONGEST_WAIT", 1.0)
    with pytest.raises(TelcoError, match="a transaction of another publisher is open"):
        progress.read(connection_of(client), book, wait=1.0)
    other.abort_transaction(10)
    found = progress.read(connection_of(client), book).of(WORLD, DAY)[name]
    assert found.records == 10
    assert send(apache_kafka, feed, book).records == 90


@pytest.mark.parametrize("value", [b"", b"no json", b"[]", b'{"version": 1}'])
def test_a_progress_topic_of_somebody_else(apache_kafka: ApacheKafka, value: bytes) -> None:
    book = unique("theirs")
    make_topics(apache_kafka.client(), book)
    producer = Producer(apache_kafka.client())
    producer.produce(book, value, key=b"key")
    producer.flush(10)
    with pytest.raises(TelcoError, match=r"name another one in scenarios/streaming.yaml"):
        progress.read(connection_of(apache_kafka.client()), book)


def test_progress_of_a_newer_version() -> None:
    one = progress.Progress(WORLD, DAY, "cdrs", "content")
    plain = json.loads(one.value()) | {"version": 99}
    with pytest.raises(TelcoError, match="newer version of telco"):
        progress.Progress.of(plain)


class Forgetful:
    """A consumer that does not know a partition at first, as after a broken connection."""

    def __init__(self, times: int) -> None:
        self.times = times

    def get_watermark_offsets(self, part: TopicPartition, timeout: float) -> tuple[int, int]:
        self.times -= 1
        if self.times >= 0:
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
        return 0, 7


def test_an_end_is_asked_for_again_where_the_client_has_forgotten_the_partition() -> None:
    where = TopicPartition("cdrs", 0)
    assert progress._end(Forgetful(2), where, 10.0) == 7  # type: ignore[arg-type]
    with pytest.raises(KafkaException):
        progress._end(Forgetful(10**6), where, 0.0)  # type: ignore[arg-type]
