"""One contender of the streaming benchmark in a process of its own: `NAME JSON`.

Belongs here: what a contender does. Does not belong here: rounds, medians, the broker (`stream`).

It prints one JSON line: records, bytes and seconds, and what else it measured. What lies before the
clock starts (imports, the values that `ready` keeps in memory) is not in the seconds.
"""

import datetime as dt
import json
import sys
import time
from typing import Any

from telco_pipeline.lake import Lake
from telco_pipeline.streaming import publisher
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.feed import DayFeed
from telco_pipeline.streaming.layout import StreamSettings, Topic, progress_topic
from telco_pipeline.streaming.pacing import Pace
from telco_pipeline.streaming.publisher import deliver

MESSAGES = 10_000
"""Records that `produce_batch` is given at once."""


def feed_of(task: dict[str, Any]) -> DayFeed:
    """Return the feed of a task's day and topics."""
    topics = [Topic(name, tuple(datasets)) for name, datasets in task["topics"].items()]
    lake, day = Lake(task["lake"]), dt.date.fromisoformat(task["day"])
    return DayFeed(lake, day, topics, headers=task["headers"])


def ready(task: dict[str, Any]) -> dict[str, Any]:
    """Send ready-made bytes with `produce_batch`: no clock, no headers, no transaction."""
    from confluent_kafka import Producer

    feed = feed_of(task)
    parts: list[tuple[str, list[dict[str, bytes | None]]]] = []
    records = size = 0
    for batch in feed.batches({}):
        split: dict[int, list[dict[str, bytes | None]]] = {}
        for topic, key, value in zip(batch.topic.tolist(), batch.key, batch.value, strict=True):
            split.setdefault(topic, []).append({"value": value, "key": key})
            size += len(value)
        parts += [(feed.topics[topic].name, found) for topic, found in split.items()]
        records += len(batch)
        if records >= task["records"]:
            break
    connection = Connection.from_environment()
    producer = Producer(connection.client() | publisher.SENDING | {"enable.idempotence": True})
    producer.list_topics(timeout=10)
    begun = time.perf_counter()
    for name, found in parts:
        for first in range(0, len(found), MESSAGES):
            left = found[first : first + MESSAGES]
            while producer.produce_batch(name, left) < len(left):
                left = [message for message in left if message.pop("_error", None)]
                producer.poll(0.01)
            producer.poll(0)
    left_over = producer.flush(60)
    seconds = time.perf_counter() - begun
    assert not left_over, f"{left_over} records were not acknowledged"
    return {"records": records, "bytes": size, "seconds": seconds}


def stream(task: dict[str, Any]) -> dict[str, Any]:
    """Send a day as `telco stream` does, from Parquet to the last commit."""
    rate = task.get("rate")
    topic = progress_topic(task["progress"])
    settings = StreamSettings("by_kind", {}, (), topic, topic)
    feed, connection = feed_of(task), Connection.from_environment()
    begun = time.perf_counter()
    delivery = deliver(
        feed,
        connection,
        Pace.of(rate=rate),
        world="benchmark",
        day=feed.day,
        settings=settings,
        max_count=task["records"],
        transaction_records=task.get("transaction", publisher.FAST_RECORDS),
        client=task.get("client"),
    )
    seconds = time.perf_counter() - begun
    late = {
        f"{name}_{word}": value
        for name, lateness in (("ack", delivery.acknowledged), ("commit", delivery.committed))
        for word, value in (
            ("median", lateness.median),
            ("p99", lateness.p99),
            ("worst", lateness.worst),
        )
    }
    return {
        "records": delivery.records,
        "bytes": delivery.size,
        "seconds": seconds,
        "achieved": delivery.achieved,
        **late,
    }


if __name__ == "__main__":
    print(json.dumps({"ready": ready, "stream": stream}[sys.argv[1]](json.loads(sys.argv[2]))))
