"""Reading: committed records alone, from where to where, counted for a day."""

import datetime as dt
import json
import time
from collections.abc import Sequence

import polars as pl
import pytest
from confluent_kafka import Producer

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import consumer
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.consumer import (
    Reading,
    count_by_day,
    existing,
    fingerprint,
    readable,
)
from telco_pipeline.streaming.encoding import ids, primary_key
from telco_pipeline.streaming.layout import Topic
from telco_pipeline.streaming.topics import ensure
from telco_pipeline_tests.kafka import ApacheKafka, Kafka, create_topics, produce, unique

DAY = dt.date(2026, 1, 1)
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def connection(kafka: Kafka | ApacheKafka) -> Connection:
    return Connection({name: str(value) for name, value in kafka.client().items()})


def made(connection: Connection, partitions: int = 4) -> Topic:
    topic = Topic(unique("consumer"), ("cdrs_voice", "pm_counters"), partitions)
    ensure(connection, [topic])
    return topic


def drain(reading: Reading) -> list[bytes]:
    found: list[bytes] = []
    while not reading.at_end:
        found += [bytes(message.value() or b"") for message in reading.batch(0.2)]
    return found


def read_on(reading: Reading, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reading.batch(0.2)


def send(
    connection: Connection,
    topic: Topic,
    entries: Sequence[tuple[int, dt.datetime]],
    *,
    world: str = "w",
    headers: bool = True,
) -> None:
    """Send calls with ids and times in one transaction."""
    producer = Producer(connection.client(transactional_id=unique("consumer")))
    producer.init_transactions(20)
    producer.begin_transaction()
    for number, moment in entries:
        told = [
            ("ce_id", str(number).encode()),
            ("ce_type", b"telco.cdrs_voice"),
            ("ce_source", f"/telco/{world}".encode()),
        ]
        producer.produce(
            topic.name,
            json.dumps({"dataset": "cdrs_voice", "event_id": number}, separators=(",", ":")),
            key=str(number % 7),
            timestamp=round(moment.timestamp() * 1000),
            headers=told if headers else None,  # type: ignore[arg-type]
        )
    producer.commit_transaction(20)


def test_all_that_is_committed_is_read_and_then_it_is_at_the_end(connection: Connection) -> None:
    topic = made(connection)
    values = [f"value {number}".encode() for number in range(1000)]
    produce(dict(connection.settings), topic.name, values)
    with Reading(connection, [topic.name]) as reading:
        assert sorted(drain(reading)) == sorted(values)
        assert reading.lag() == {topic.name: 0}


def test_what_is_aborted_or_open_is_not_read(apache_kafka: ApacheKafka) -> None:
    connection = Connection({name: str(value) for name, value in apache_kafka.client().items()})
    topic = made(connection, 1)
    aborting = Producer(connection.client(transactional_id=unique("aborting")))
    aborting.init_transactions(20)
    aborting.begin_transaction()
    aborting.produce(topic.name, b"aborted")
    aborting.flush(20)
    aborting.abort_transaction(20)
    produce(dict(connection.settings), topic.name, [b"committed"])
    with Reading(connection, [topic.name]) as reading:
        assert drain(reading) == [b"committed"]

    aborting.begin_transaction()
    aborting.produce(topic.name, b"open")
    aborting.flush(20)
    with pytest.raises(TelcoError, match="an open transaction"):
        count_by_day(connection, [topic], DAY, stalled=1)
    aborting.abort_transaction(20)


def test_latest_sees_what_comes_after(connection: Connection) -> None:
    topic = made(connection)
    produce(dict(connection.settings), topic.name, [b"before"])
    with Reading(connection, [topic.name], "latest") as reading:
        assert reading.at_end
        produce(dict(connection.settings), topic.name, [b"after"])
        found: list[bytes] = []
        while not found:
            found = [bytes(message.value() or b"") for message in reading.batch(0.2)]
        assert found == [b"after"]


def test_topics_that_are_not_there(connection: Connection) -> None:
    topic = made(connection)
    absent = unique("absent")
    assert existing(connection, [absent, topic.name]) == [topic.name]
    with pytest.raises(TelcoError, match=f"no topic {absent}"):
        Reading(connection, [absent])


def test_a_record_is_told_in_one_harmless_line(connection: Connection) -> None:
    topic = made(connection)
    values = [b'{"dataset":"cdrs_voice"}', b"\x1b[2J\nx", b"\xff\x00\x01", b"\xc3\xa9" * 2000]
    produce(dict(connection.settings), topic.name, values)
    told: dict[bytes, str] = {}
    with Reading(connection, [topic.name]) as reading:
        while not reading.at_end:
            told |= {
                bytes(message.value() or b""): readable(message) for message in reading.batch(0.2)
            }
    lines = [told[value] for value in values]
    assert all(line.isprintable() and line.startswith(f"{topic.name}[") for line in lines)
    assert "key=0" in lines[0]
    assert "  cdrs_voice  {" in lines[0]
    assert lines[1].endswith("\\x1b[2J\\nx")
    assert "3 bytes, not text: ff 00 01" in lines[2]
    assert lines[3].endswith("é...")


@pytest.mark.parametrize("headers", [True, False])
def test_a_day_is_counted_to_the_record(connection: Connection, headers: bool) -> None:
    topic = made(connection)
    numbers = range(10**18, 10**18 + 500)
    of_the_day = [(number, NOON) for number in numbers]
    edges = [
        (1, dt.datetime(2025, 12, 31, 23, 59, 59, 999000, dt.UTC)),
        (2, dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
    ]
    send(connection, topic, of_the_day + edges, headers=headers)
    found = count_by_day(connection, [topic], DAY)[topic.name]

    rows = pl.DataFrame({"event_id": list(numbers)})
    expected = fingerprint(text.encode() for text in ids("cdrs_voice", rows))
    assert (found.records, found.unknown) == (500, 0)
    assert found.fingerprint == expected
    assert found.datasets == {"cdrs_voice": 500}
    assert found.bytes == sum(
        len(f'{{"dataset":"cdrs_voice","event_id":{number}}}') for number in numbers
    )

    send(connection, topic, of_the_day[:1], headers=headers)  # one twice
    again = count_by_day(connection, [topic], DAY)[topic.name]
    assert again.records == 501
    assert again.fingerprint != expected


def test_other_worlds_are_left_out(connection: Connection) -> None:
    topic = made(connection)
    send(connection, topic, [(1, NOON), (2, NOON)], world="mine")
    send(connection, topic, [(3, NOON)], world="other")
    assert count_by_day(connection, [topic], DAY, world="mine")[topic.name].records == 2
    assert count_by_day(connection, [topic], DAY)[topic.name].records == 3


def test_offsets_bound_what_is_counted(connection: Connection) -> None:
    topic = made(connection)
    send(connection, topic, [(1, NOON)] * 7)
    with Reading(connection, [topic.name]) as reading:
        ends = {number: end for (_, number), end in reading.ends.items()}
    send(connection, topic, [(number, NOON) for number in range(50)])
    bound = {topic.name: ends}
    assert count_by_day(connection, [topic], DAY, last=bound)[topic.name].records == 7
    assert count_by_day(connection, [topic], DAY, first=bound)[topic.name].records == 50


def test_ids_without_headers_are_those_of_the_headers(connection: Connection) -> None:
    """Of a dataset whose rows have no event_id, and of a damaged value."""
    topic = made(connection)
    moment = NOON.replace(tzinfo=None)
    rows = pl.DataFrame({"cell_id": [17], "event_time": [moment]})
    assert set(primary_key("pm_counters")) == set(rows.columns)
    value = json.dumps(
        {
            "dataset": "pm_counters",
            "event_time": "2026-01-01T12:00:00.000000Z",
            "cell_id": 17,
        },
        separators=(",", ":"),
    )
    stamp = round(NOON.timestamp() * 1000)
    producer = Producer(dict(connection.settings))
    producer.produce(topic.name, value, timestamp=stamp)
    producer.produce(topic.name, value[:20], timestamp=stamp)
    producer.produce(topic.name, b"", timestamp=stamp)
    assert producer.flush(20) == 0

    found = count_by_day(connection, [topic], DAY)[topic.name]
    assert (found.records, found.unknown) == (3, 2)
    assert found.fingerprint == fingerprint(text.encode() for text in ids("pm_counters", rows))


def test_a_broker_that_goes_away_for_good_ends_it(
    own_kafka, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    broker = own_kafka()
    connection = Connection({name: str(value) for name, value in broker.client().items()})
    name = unique("gone")
    create_topics(broker.client(), name)
    monkeypatch.setattr(consumer, "PATIENCE", 3.0)
    with Reading(connection, [name]) as reading:
        reading.batch(0.2)
        broker.kill()
        with pytest.raises(TelcoError, match=r"connection refused|nobody answers"):
            read_on(reading)
