"""A feed that needs no lake: entries that follow from a few numbers, the same in every process."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from telco_pipeline.streaming.entries import Batch, Headers, Part, Position
from telco_pipeline.streaming.layout import StreamSettings, Topic, progress_topic
from telco_pipeline_tests.kafka import Settings, create_topics

DAY = dt.date(2026, 1, 1)
START = int(dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
WORLD = "0123456789abcdef"
KEYS = 97


def entry(number: int, padding: int = 0) -> tuple[bytes, bytes]:
    """Return key and value of an entry; the value counts on within its key."""
    key = number % KEYS
    plain = {"dataset": "cdrs_voice", "event_id": number, "key": key, "count": number // KEYS}
    return str(key).encode(), json.dumps(plain | {"padding": "x" * padding}).encode()


@dataclass
class SyntheticFeed:
    """`count` entries, a tenth of a second apart unless told otherwise, in turn for each topic."""

    names: tuple[str, ...]
    count: int = 5_000
    step: int = 100_000
    batch: int = 700
    padding: int = 0
    headers: bool = False
    version: str = "1"
    large: tuple[int, int] | None = None
    """Number and size of one entry that is larger."""
    disturbed: Mapping[int, int] = field(default_factory=dict)
    disturbances: tuple[str, ...] = ("", "late", "duplicated")
    start: int = START

    @property
    def topics(self) -> tuple[Topic, ...]:
        return tuple(Topic(name, ("cdrs_voice",)) for name in self.names)

    @property
    def content(self) -> dict[str, str]:
        return dict.fromkeys(self.names, f"{self.count}/{self.padding}/{self.version}")

    @property
    def parts(self) -> dict[str, Part]:
        return {}

    def topic_of(self, number: int) -> int:
        # By key: all of a subscriber's entries lie in one topic.
        return (number % KEYS) % len(self.names)

    def value(self, number: int) -> bytes:
        if self.large and number == self.large[0]:
            return entry(number, self.large[1])[1]
        return entry(number, self.padding)[1]

    def position(self, number: int) -> Position:
        return Position(self.start + number * self.step, number % 3, number, 0)

    def expected(self) -> dict[str, list[tuple[bytes, bytes]]]:
        """Return key and value of all entries, by topic, in order."""
        found: dict[str, list[tuple[bytes, bytes]]] = {name: [] for name in self.names}
        for number in range(self.count):
            found[self.names[self.topic_of(number)]].append((entry(number)[0], self.value(number)))
        return found

    def batches(self, after: Mapping[str, Position]) -> Iterator[Batch]:
        for first in range(0, self.count, self.batch):
            numbers = [
                number
                for number in range(first, min(first + self.batch, self.count))
                if self.position(number)
                > after.get(self.names[self.topic_of(number)], (-1, 0, 0, 0))
            ]
            if numbers:
                yield self._batch(numbers)

    def _batch(self, numbers: list[int]) -> Batch:
        at = np.array([self.position(number) for number in numbers], np.int64)
        return Batch(
            topic=np.array([self.topic_of(number) for number in numbers], np.int16),
            key=[entry(number)[0] for number in numbers],
            value=[self.value(number) for number in numbers],
            headers=[_headers(number) for number in numbers] if self.headers else None,
            event_time=at[:, 0],
            release=at[:, 0],
            file=at[:, 1].astype(np.int32),
            row=at[:, 2],
            copy=at[:, 3].astype(np.int8),
            disturbance=np.array([self.disturbed.get(number, 0) for number in numbers], np.int8),
        )


def _headers(number: int) -> Headers:
    return {"ce_id": str(number).encode(), "ce_type": b"telco.cdrs_voice"}


def settings(progress: str, interval: float = 0.1) -> StreamSettings:
    """Return settings with a progress topic, and so with transactional ids, of one's own.

    With shared ids the workers of a test run, who share a broker, would fence each other.
    """
    topic, own = Topic("unused", ()), progress_topic(progress)
    return StreamSettings("by_kind", {}, (), own, topic, prefix=progress, interval=interval)


def make_topics(client: Settings, *names: str, partitions: int = 1, **configured: str) -> None:
    """Create topics that keep records of long ago; `a_b` in `configured` means `a.b`."""
    named = {name.replace("_", "."): value for name, value in configured.items()}
    create_topics(client, *names, partitions=partitions, settings={"retention.ms": "-1"} | named)
