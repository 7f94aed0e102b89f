"""One contender of the streaming benchmark in a process of its own: `NAME JSON`.

Belongs here: what a contender does. Does not belong here: rounds, medians, the broker (`stream`).

It prints one JSON line: records, bytes, seconds, CPU seconds of all its threads (`cpu`), the most
memory it had (`peak`, bytes), and what else it measured. What lies before the clock starts
(imports, the values that `ready` keeps in memory) is neither in the seconds nor in the CPU's.
"""

import datetime as dt
import json
import resource
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


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Return seconds and CPU seconds since then, and the peak memory of the process."""
        spent = {
            "seconds": time.perf_counter() - self._wall,
            "cpu": time.process_time() - self._cpu,
        }
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return spent | {"peak": most * (1 if sys.platform == "darwin" else 1024)}


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
    producer = Producer({**connection.client(), **publisher.SENDING, "enable.idempotence": True})
    producer.list_topics(timeout=10)
    watch = Stopwatch()
    for name, found in parts:
        for first in range(0, len(found), MESSAGES):
            left = found[first : first + MESSAGES]
            while producer.produce_batch(name, left) < len(left):
                left = [message for message in left if message.pop("_error", None)]
                producer.poll(0.01)
            producer.poll(0)
    left_over = producer.flush(60)
    spent = watch.read()
    assert not left_over, f"{left_over} records were not acknowledged"
    return {"records": records, "bytes": size, **spent}


def stream(task: dict[str, Any]) -> dict[str, Any]:
    """Send a day as `telco stream` does, from Parquet to the last commit."""
    rate = task.get("rate")
    topic = progress_topic(task["progress"])
    settings = StreamSettings("by_kind", {}, (), topic, topic)
    feed, connection = feed_of(task), Connection.from_environment()
    watch = Stopwatch()
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
    spent = watch.read()
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
        **spent,
        "achieved": delivery.achieved,
        **late,
    }


if __name__ == "__main__":
    print(json.dumps({"ready": ready, "stream": stream}[sys.argv[1]](json.loads(sys.argv[2]))))
