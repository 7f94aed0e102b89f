"""What a run of the publisher sends and keeps, and what it says when it cannot."""

import contextlib
import dataclasses
import gc
import re
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from confluent_kafka import KafkaError, KafkaException

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import obstacles, progress, publisher
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.control import Control
from telco_pipeline.streaming.delivery import Delivery
from telco_pipeline.streaming.entries import Batch
from telco_pipeline.streaming.pacing import Pace
from telco_pipeline.streaming.publisher import deliver
from telco_pipeline_tests.kafka import ApacheKafka, Kafka, consume, unique
from telco_pipeline_tests.streaming.synthetic import (
    DAY,
    START,
    WORLD,
    SyntheticFeed,
    make_topics,
    settings,
)
from telco_pipeline_tests.streaming.test_exactly_once import check

Broker = Kafka | ApacheKafka
WITHIN = 15.0
"""Seconds within which an error is to be said."""


def connection_of(client: dict[str, Any]) -> Connection:
    return Connection({name: str(value) for name, value in client.items()})


def send(broker: Broker, feed: SyntheticFeed, book: str, **options: Any) -> Delivery:
    connection = options.pop("connection", None) or connection_of(broker.client())
    pace = options.pop("pace", None) or Pace()
    return deliver(feed, connection, pace, world=WORLD, day=DAY, settings=settings(book), **options)


@pytest.fixture
def names(kafka: Broker) -> tuple[str, str]:
    names = unique("one"), unique("two")
    make_topics(kafka.client(), *names, partitions=3)
    return names


@contextlib.contextmanager
def said_in_time(words: str, within: float = WITHIN) -> Iterator[None]:
    begun = time.monotonic()
    with pytest.raises(TelcoError, match=words) as said:
        yield
    assert time.monotonic() - begun < within
    assert "\n" not in str(said.value)


# --- what is sent --------------------------------------------------------------------------


def test_records_are_as_the_feed_has_them(kafka: Broker, names: tuple[str, str]) -> None:
    feed = SyntheticFeed(names, count=2_000, headers=True, disturbed={3: 1, 4: 2, 5: 1})
    told: list[tuple[int, int]] = []
    delivery = send(
        kafka,
        feed,
        unique("progress"),
        transaction_records=300,
        on_progress=lambda records, size: told.append((records, size)),
    )
    check(kafka.client(), feed)
    for record in consume(kafka.client(), *names):
        number = int(record.headers["ce_id"] or b"")
        assert record.headers["ce_type"] == b"telco.cdrs_voice"
        assert record.timestamp_ms == (START + number * feed.step) // 1000
        assert record.value == feed.value(number)
    assert delivery.records == 2_000
    assert delivery.done
    assert not delivery.stopped
    assert delivery.size == sum(len(feed.value(number)) for number in range(2_000)) == told[-1][1]
    assert [records for records, _ in told] == [*range(300, 2_000, 300), 2_000]
    kinds = dict.fromkeys(("late", "duplicated"), 0)
    for sent in delivery.topics.values():
        for kind, count in sent.disturbed.items():
            kinds[kind] += count
    assert kinds == {"late": 2, "duplicated": 1}
    for name, sent in delivery.topics.items():
        records = consume(kafka.client(), name)
        assert sent.records == len(records)
        for record in records:
            first, last = sent.first[record.partition], sent.last[record.partition]
            assert first <= record.offset < last


@pytest.mark.parametrize("rate", [None, 3_000.0])
def test_a_full_queue_is_waited_for(
    kafka: Broker, names: tuple[str, str], rate: float | None
) -> None:
    feed = SyntheticFeed(names, count=3_000, headers=True)
    small = {"queue.buffering.max.messages": 100, "linger.ms": 1}
    before = gc.get_threshold()
    delivery = send(kafka, feed, unique("progress"), client=small, pace=Pace.of(rate=rate))
    assert delivery.records == 3_000
    assert (delivery.acknowledged.count > 0) == (rate is not None)
    assert gc.get_threshold() == before
    check(kafka.client(), feed)
    for record in consume(kafka.client(), *names):
        number = int(record.headers["ce_id"] or b"")
        assert record.value == feed.value(number)
        assert record.timestamp_ms == (START + number * feed.step) // 1000


def test_what_is_sent_is_not_sent_again(kafka: Broker, names: tuple[str, str]) -> None:
    book = unique("progress")
    feed = SyntheticFeed(names, count=2_000)
    counts = [send(kafka, feed, book, max_count=number).records for number in (700, 5, 650)]
    assert counts == [700, 5, 650]
    last = send(kafka, feed, book)
    assert last.records == 645
    assert last.done
    assert sum(sent.total for sent in last.topics.values()) == 2_000
    nothing = send(kafka, feed, book)
    assert nothing.records == 0
    assert nothing.done
    check(kafka.client(), feed)


def test_topics_may_be_sent_at_different_times(kafka: Broker, names: tuple[str, str]) -> None:
    book = unique("progress")
    feed = SyntheticFeed(names, count=1_000)

    class Only(SyntheticFeed):
        """Sends the first topic's entries alone."""

        @property
        def topics(self) -> tuple:
            return super().topics[:1]

        @property
        def content(self) -> dict[str, str]:
            return {names[0]: super().content[names[0]]}

        def batches(self, after: Any) -> Iterator[Batch]:
            for batch in super().batches(after):
                numbers = [int(batch.row[at]) for at in np.flatnonzero(batch.topic == 0)]
                yield self._batch(numbers)

    first = send(kafka, Only(names, count=1_000), book)
    assert set(first.topics) == {names[0]}
    both = send(kafka, feed, book)
    assert both.topics[names[0]].records == 0
    assert both.topics[names[1]].records > 0
    check(kafka.client(), feed)


def test_other_rows_are_refused_and_again_sends_them(kafka: Broker, names: tuple[str, str]) -> None:
    book = unique("progress")
    feed = SyntheticFeed(names, count=1_000)
    send(kafka, feed, book, max_count=600)
    other = dataclasses.replace(feed, version="2")
    with pytest.raises(TelcoError, match=r"other rows or with other settings.*--again"):
        send(kafka, other, book)
    sent = send(kafka, other, book, again=True, max_count=10)
    assert sent.records == 10
    assert send(kafka, other, book).records == 990
    assert len(consume(kafka.client(), *names)) == 1_600


# --- clocks --------------------------------------------------------------------------------


def test_a_rate_is_kept_and_lateness_told(kafka: Broker, names: tuple[str, str]) -> None:
    feed = SyntheticFeed(names, count=800)
    delivery = send(kafka, feed, unique("progress"), pace=Pace.of(rate=400.0))
    assert delivery.asked == 400.0
    assert delivery.seconds > 1.9
    assert delivery.achieved < 405.0
    assert delivery.committed.count == delivery.acknowledged.count == 800
    assert 0 < delivery.acknowledged.median <= delivery.committed.worst
    check(kafka.client(), feed)


def live_from(second: float) -> Pace:
    """Return a live pace whose clock begins when it is first read, and runs fast from then on."""
    begun: list[float] = []

    def clock() -> float:
        now = time.monotonic()
        begun.append(now)
        return START / 1e6 + second + (now - begun[0]) * 20

    pace = Pace.of(live=True)
    pace.clock = clock
    return pace


def test_live_begins_with_the_present(kafka: Broker, names: tuple[str, str]) -> None:
    feed, book = SyntheticFeed(names, count=1_200), unique("progress")
    assert send(kafka, feed, book, pace=live_from(60), max_count=5).records == 5
    # What became due while nobody sent is sent now.
    rest = send(kafka, feed, book, pace=live_from(90))
    assert rest.done
    assert rest.records == 595
    assert rest.committed.worst > 29
    seen = sorted(record.timestamp_ms for record in consume(kafka.client(), *names))
    assert seen == [START // 1000 + 100 * number for number in range(600, 1_200)]


def test_it_stops_and_pauses_when_asked(kafka: Broker, names: tuple[str, str]) -> None:
    feed, book = SyntheticFeed(names, count=3_000), unique("progress")
    own = Control()
    seen: list[str] = []

    def act(records: int, _: int) -> None:
        seen.append(own.state.status)
        if records >= 1_000:
            own.stop()

    delivery = send(kafka, feed, book, control=own, on_progress=act, transaction_records=200)
    assert delivery.stopped
    assert 1_000 <= delivery.records < 3_000

    class Paused(Pace):
        """Is told to go on by its own sleep."""

    pace = Paused("rate", 2_000.0)
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        time.sleep(seconds)
        if pace.is_paused:
            seen.append(own.state.status)
            own.resume()

    pace.sleep = sleep
    own = Control()
    own.pause()
    assert send(kafka, feed, book, control=own, pace=pace).done
    assert "paused" in seen
    assert naps
    check(kafka.client(), feed)


def test_a_pause_counts_neither_as_asked_for_nor_as_achieved(
    kafka: Broker, names: tuple[str, str]
) -> None:
    own = Control()
    pace = Pace.of(rate=500.0)
    begun = time.monotonic()

    def act(records: int, _: int) -> None:
        if records >= 200 and not pause_over:
            own.pause()
            pause_over.append(time.monotonic() + 2.0)

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if pace.is_paused and time.monotonic() > pause_over[0]:
            own.resume()

    pause_over: list[float] = []
    pace.sleep = sleep
    feed = SyntheticFeed(names, count=500)
    sent = send(kafka, feed, unique("progress"), pace=pace, control=own, on_progress=act)
    assert sent.done
    assert time.monotonic() - begun > 3.0
    assert sent.achieved > 350.0


def test_an_outage_after_a_quiet_time_is_waited_for(
    kafka: Broker, names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patience runs from when there is something to send, and outlasts a broker that comes late."""
    feed = SyntheticFeed(names, count=2, step=3_000_000)
    read, begin = progress.read, publisher._Run._begin
    failures = {"begin": [False, True], "read": [False, True, True]}

    def failing(what: str, error: Exception, usual: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if failures[what] and failures[what].pop(0):
                raise error
            return usual(*args, **options)

        return call

    gone = KafkaException(KafkaError(KafkaError._TRANSPORT))
    monkeypatch.setattr(publisher._Run, "_begin", failing("begin", gone, begin))
    # The first one is that of the start, the second one asks who else sends.
    monkeypatch.setattr(progress, "read", failing("read", TelcoError("no leader"), read))
    sent = send(kafka, feed, unique("progress"), pace=Pace.of(speed=1.0), patience=2.0)
    assert sent.done
    assert sent.restarts == 2
    assert not any(failures.values())
    check(kafka.client(), feed)


# --- what cannot be sent -------------------------------------------------------------------


def test_a_record_too_large_is_named(apache_kafka: ApacheKafka) -> None:
    name, book = unique("large"), unique("progress")
    make_topics(apache_kafka.client(), name, max_message_bytes="20000")
    feed = SyntheticFeed((name,), count=1_000, large=(432, 30_000), headers=True)
    with said_in_time(
        rf"{name}: record 432 of cdrs_voice takes 30,\d+ bytes.*20,000.*max.message.bytes"
    ):
        send(apache_kafka, feed, book, transaction_records=100)
    # It would have been in this one's place; all before it may be there, nothing twice.
    smaller = dataclasses.replace(feed, large=(432, 15_000))
    send(apache_kafka, smaller, book)
    check(apache_kafka.client(), smaller)


def test_large_records_that_are_allowed_are_sent(apache_kafka: ApacheKafka) -> None:
    name = unique("large")
    make_topics(apache_kafka.client(), name, max_message_bytes="4000000")
    feed = SyntheticFeed((name,), count=20, large=(7, 3_000_000))
    send(apache_kafka, feed, unique("progress"))
    check(apache_kafka.client(), feed)


@pytest.mark.parametrize(
    ("leader", "replicas", "words"),
    [
        (-1, [1], "partition 0 of one has no leader"),
        (1, [1], "only 1 of 2 replicas"),
        (1, [1, 2], ""),
    ],
)
def test_why_a_broker_that_answers_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, leader: int, replicas: list[int], words: str
) -> None:
    """Of one broker alone a topic asks for no second replica, so this is told, not done."""
    part = SimpleNamespace(leader=leader, isrs=replicas)
    known = SimpleNamespace(topics={"one": SimpleNamespace(partitions={0: part})})
    admin = SimpleNamespace(list_topics=lambda timeout: known)
    monkeypatch.setattr(obstacles, "Asking", lambda connection: SimpleNamespace(admin=admin))
    monkeypatch.setattr(obstacles, "ask", lambda asking, within: "cluster")
    told = {"one": {"min.insync.replicas": "2"}}
    monkeypatch.setattr(obstacles, "configured", lambda connection, names: told)
    found = obstacles.obstacle(Connection({}), ["one"])
    assert found.startswith(words)
    assert bool(found) == bool(words)
    assert obstacles.obstacle(Connection({}), ["one", "two"])


def test_a_topic_that_forgets_the_day(apache_kafka: ApacheKafka) -> None:
    name = unique("short")
    make_topics(apache_kafka.client(), name, retention_ms="86400000")
    with said_in_time(rf"{name} keeps records for 1 days and 2026-01-01 is \d+ days old"):
        send(apache_kafka, SyntheticFeed((name,)), unique("progress"))


def test_a_topic_that_is_not_there(apache_kafka: ApacheKafka) -> None:
    with said_in_time("no such topic"):
        send(apache_kafka, SyntheticFeed((unique("none"),)), unique("progress"))


def test_a_wrong_address() -> None:
    with said_in_time("connection refused"):
        send(Kafka("given", "127.0.0.1:1"), SyntheticFeed(("one",)), "progress")


def test_a_wrong_password(apache_kafka: ApacheKafka) -> None:
    connection = connection_of(apache_kafka.client("sasl", sasl_password="wrong-secret"))
    with said_in_time("refuses user or password"):
        send(apache_kafka, SyntheticFeed(("one",)), "progress", connection=connection)


def test_no_rights(own_kafka: Callable[..., ApacheKafka]) -> None:
    broker = own_kafka(
        settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
    )
    make_topics(broker.client(), "one")
    progress.ensure(connection_of(broker.client()), settings("progress").progress)
    connection = connection_of(broker.client("sasl"))
    with said_in_time("this user has no rights to"):
        send(broker, SyntheticFeed(("one",)), "progress", connection=connection)


def test_a_broker_whose_disk_is_full(own_kafka: Callable[..., ApacheKafka]) -> None:
    broker = own_kafka()
    make_topics(broker.client(), "one")
    feed = SyntheticFeed(("one",), count=30_000, padding=1_000)
    assert send(broker, feed, "progress", max_count=1_000).records == 1_000
    # No file may grow beyond this: as a disk that is full, without filling one.
    resource.prlimit(broker.about["pid"], resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
    with said_in_time("the next run goes on after them"):
        send(broker, feed, "progress")
    if broker.is_running:
        broker.kill()
    broker.process.wait(30)  # type: ignore[union-attr]
    broker.start()
    send(broker, feed, "progress")
    check(broker.client(), feed)


def test_a_broker_that_goes_away_is_waited_for_and_that_is_said_soon(
    own_kafka: Callable[..., ApacheKafka], tmp_path: Path
) -> None:
    broker = own_kafka()
    make_topics(broker.client(), "one")
    feed = SyntheticFeed(("one",), count=10_000)
    killed: list[float] = []
    said: list[tuple[float, str]] = []

    def kill(records: int, _: int) -> None:
        if records >= 1_000 and not killed:
            broker.kill()
            killed.append(time.monotonic())

    def hear(text: str) -> None:
        said.append((time.monotonic(), text))
        if len(said) == 1:
            broker.start()

    with Control(tmp_path, "one", hear) as control:
        pace = Pace.of(rate=1_000.0)
        done = send(broker, feed, "progress", pace=pace, control=control, on_progress=kill)
        assert control.state.message == ""
    assert done.records == 10_000
    at, text = said[0]
    assert at - killed[0] < WITHIN
    assert re.search(
        r"does not answer, the last commit was at ..:..:.. UTC; waits 5\d s more", text
    )
    check(broker.client(), feed)


class Unreadable(SyntheticFeed):
    """A feed that fails before its first entry."""

    def batches(self, after: object) -> Iterator[Batch]:
        raise TelcoError("a file cannot be read")


def test_a_start_that_sent_nothing_binds_nobody(kafka: Broker, names: tuple[str, str]) -> None:
    """It failed for its settings, perhaps: the next one may have others, and sends all."""
    book = unique("progress")
    with pytest.raises(TelcoError, match="cannot be read"):
        send(kafka, Unreadable(names, count=500, version="1"), book)
    assert send(kafka, SyntheticFeed(names, count=500, version="2"), book).records == 500
    with pytest.raises(TelcoError, match="other rows or with other settings"):
        send(kafka, SyntheticFeed(names, count=500, version="1"), book)
