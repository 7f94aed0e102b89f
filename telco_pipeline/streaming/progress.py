"""Progress: how far each delivery came, kept at the broker beside its records.

Belongs here: the records of the progress topic, and reading them. Does not belong here: when they
are written (`publisher`: in the transaction of what they tell of).

The topic is compacted. A delivery's record has the key `WORLD/DAY/TOPIC`; a publisher's claim to a
day has the key `WORLD/DAY` and tells who sends it, so that one that lost its broker for a while
learns that another has taken over.
"""

import contextlib
import datetime as dt
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import (  # they are meant to be taken from there
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage]
    NewTopic,  # pyright: ignore[reportPrivateImportUsage]
)

from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.connection import Asking, Connection, ask, explain, is_embedded
from telco_pipeline.streaming.entries import Part, Position
from telco_pipeline.streaming.layout import Topic

VERSION: Final = 1
TRANSACTION_SECONDS: Final = 15.0
"""After which the broker ends a transaction whose publisher is gone."""
LONGEST_WAIT: Final = TRANSACTION_SECONDS + 10.0
"""For transactions of other publishers that hide progress; a broker looks only now and then."""

_CREATED: Final = {
    "cleanup.policy": "compact",
    "retention.ms": "-1",
    # Some records a second for a whole day: what is read at each start is to stay small.
    "segment.bytes": "4194304",
    "min.cleanable.dirty.ratio": "0.1",
    "delete.retention.ms": "3600000",
}
_MOMENTARY: Final = (
    KafkaError._UNKNOWN_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
)
_STEP: Final = 0.2
Ends = dict[int, int]
"""Offset after the last record, by partition."""


@dataclass(frozen=True)
class Progress:
    """How far the delivery of a day into a topic came.

    Attributes:
        world: Hash of the world.
        day: The day.
        topic: The topic.
        content: What its entries follow from, as a hash (`Feed.content`).
        position: Where the last entry stands that was sent; None if none was.
        records: Entries sent since the day's first one.
        size: Bytes of their values; `bytes` in the record.
        disturbed: How many of them are disturbed, by kind.
        since: Release with which it began; None for the day's first entry.
        begun: Offsets of the topic's partitions before it: its records lie behind them.
        done: Whether all entries are sent.
        told: Offsets of the topic of truth about disturbed records before it: what is told of its
            records lies behind them. Empty if nothing is disturbed.
        part: What of the day is sent.
        ended: Offsets after its last record, by partition, once it is done; empty before.
        told_ended: The same of the topic of truth.
    """

    world: str
    day: dt.date
    topic: str
    content: str
    position: Position | None = None
    records: int = 0
    size: int = 0
    disturbed: Mapping[str, int] = field(default_factory=dict)
    since: int | None = None
    begun: Mapping[int, int] = field(default_factory=dict)
    done: bool = False
    told: Mapping[int, int] = field(default_factory=dict)
    part: Part = field(default_factory=Part)
    ended: Mapping[int, int] = field(default_factory=dict)
    told_ended: Mapping[int, int] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        """The Kafka key."""
        return f"{day_key(self.world, self.day)}/{self.topic}".encode()

    def value(self) -> bytes:
        """Return the Kafka value."""
        plain = asdict(self) | {"day": self.day.isoformat(), "version": VERSION}
        plain["bytes"] = plain.pop("size")
        return json.dumps(plain, separators=(",", ":")).encode()

    @property
    def after(self) -> Position | None:
        """The position behind which entries are still to be sent; None for the very first."""
        if self.position is None and self.since is not None:
            return Position(self.since, -1, -1, -1)
        return self.position

    @property
    def began(self) -> dt.datetime | None:
        """Time of the day with which it began; None if that is the day's start."""
        if self.since is None or self.since <= day_start(self.day):
            return None
        return _moment(self.since)

    @property
    def window(self) -> tuple[dt.datetime, dt.datetime] | None:
        """Times of the day that are asked for, the second one exclusive; None for all of it."""
        start = day_start(self.day)
        if self.part.window in (None, (start, start + DAY)):
            return None
        first, end = self.part.window
        return _moment(first), _moment(end)

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Progress":
        """Return what a Kafka value says.

        Raises:
            TelcoError: A later version wrote it, or something else did.
        """
        try:
            if plain["version"] > VERSION:
                raise TelcoError(
                    f"the progress of {plain['topic']} on {plain['day']} was written by a newer "
                    "version of telco: use that one"
                )
            position = plain["position"]
            return cls(
                plain["world"],
                dt.date.fromisoformat(plain["day"]),
                plain["topic"],
                plain["content"],
                None if position is None else Position(*map(int, position)),
                int(plain["records"]),
                int(plain["bytes"]),
                {str(kind): int(count) for kind, count in plain["disturbed"].items()},
                plain["since"],
                _offsets(plain["begun"]),
                bool(plain["done"]),
                # What was written by earlier versions does not say.
                _offsets(plain.get("told", {})),
                _part(plain.get("part", {})),
                _offsets(plain.get("ended", {})),
                _offsets(plain.get("told_ended", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TelcoError(
                f"a record of progress is none ({error!r}): somebody else writes to this topic; "
                "name another one in scenarios/streaming.yaml (progress: name)"
            ) from None


def _moment(microseconds: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)


def _offsets(plain: Mapping[str, Any]) -> Ends:
    return {int(partition): int(offset) for partition, offset in plain.items()}


def _part(plain: Mapping[str, Any]) -> Part:
    window, people = plain.get("window"), plain.get("people")
    return Part(
        None if window is None else (int(window[0]), int(window[1])),
        None if people is None else str(people),
    )


@dataclass(frozen=True)
class Claim:
    """Who sends a day.

    Attributes:
        publisher: Unlike that of any other start.
        host: Where it runs.
        pid: Its process there.
    """

    publisher: str
    host: str
    pid: int

    @classmethod
    def mine(cls) -> "Claim":
        """Return a claim of this process."""
        return cls(uuid.uuid4().hex, socket.gethostname(), os.getpid())

    def value(self) -> bytes:
        """Return the Kafka value."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()


@dataclass(frozen=True)
class Book:
    """What the progress topic says.

    Attributes:
        deliveries: Progress by world, day and topic, as one text (`Progress.key`).
        claims: Who sent each day last, by world and day (`day_key`).
    """

    deliveries: Mapping[str, Progress]
    claims: Mapping[str, Claim]

    def of(self, world: str, day: dt.date) -> dict[str, Progress]:
        """Return the progress of a day by topic."""
        found = self.deliveries.values()
        return {one.topic: one for one in found if one.world == world and one.day == day}


def day_key(world: str, day: dt.date) -> str:
    """Return how a day of a world is named in keys."""
    return f"{world}/{day.isoformat()}"


def ensure(connection: Connection, topic: Topic) -> None:
    """Create the progress topic if there is none; wait until it is served.

    Raises:
        TelcoError: It cannot be created, or a topic of this name is not compacted: it would
            forget.
    """
    asking = Asking(connection)
    cluster = ask(asking)
    doing = f"the topic {topic.name}"
    try:
        known = asking.admin.list_topics(topic.name, timeout=10).topics[topic.name]
        if is_embedded(cluster):
            return
        if known.error is None:
            _check_compacted(asking, topic.name)
            return
        new = NewTopic(topic.name, 1, topic.replication, config=_CREATED)
        made = asking.admin.create_topics([new], operation_timeout=10)
        try:
            made[topic.name].result(15)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
        end = time.monotonic() + 10
        while asking.admin.list_topics(topic.name, timeout=5).topics[topic.name].error is not None:
            if time.monotonic() > end:
                raise TelcoError(f"{doing} is not served 10 s after it was created: try again")
            time.sleep(0.05)
    except KafkaException as error:
        raise explain(error, connection, doing) from error


def _check_compacted(asking: Asking, name: str) -> None:
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    try:
        found = asking.admin.describe_configs([resource], request_timeout=5)[resource].result(6)
    except KafkaException:  # not everybody may read settings
        return
    if "compact" not in found["cleanup.policy"].value:
        raise TelcoError(
            f"the topic {name} is not compacted, so it would forget how far each day came: set its "
            "cleanup.policy to compact, or name another one in scenarios/streaming.yaml "
            "(progress: name)"
        )


def end_offsets(connection: Connection, *topics: str, timeout: float = 10.0) -> dict[str, Ends]:
    """Return the offsets after the last record of each partition, open transactions included.

    Raises:
        TelcoError: The broker does not tell, or there is no such topic.
    """
    found: dict[str, Ends] = {name: {} for name in topics}
    # Which isolation the consumer has decides which end the broker tells.
    asked = connection.client(
        group_id=f"telco-ends-{uuid.uuid4().hex}", isolation_level="read_uncommitted"
    )
    try:
        consumer = Consumer(asked)
        try:
            for name in topics:
                known = consumer.list_topics(name, timeout=timeout).topics[name]
                if known.error is not None:
                    raise KafkaException(known.error)
                for number in known.partitions:
                    found[name][number] = _end(consumer, TopicPartition(name, number), timeout)
        finally:
            consumer.close()
    except KafkaException as error:
        raise explain(error, connection, f"reading where {', '.join(topics)} ends") from error
    return found


def _end(consumer: Consumer, part: TopicPartition, timeout: float) -> int:
    """Return the offset after the last record of a partition.

    After a broken connection the client does not know a partition, or who leads it, for a moment,
    although the broker has just told of it: such errors are none until `timeout` seconds are over.
    """
    until = time.monotonic() + timeout
    while True:
        try:
            return int(consumer.get_watermark_offsets(part, timeout=timeout)[1])
        except KafkaException as error:
            if error.args[0].code() not in _MOMENTARY or time.monotonic() >= until:
                raise
            time.sleep(_STEP)


def read(
    connection: Connection,
    topic: str,
    *,
    wait: float = LONGEST_WAIT,
    stopping: Callable[[], bool] | None = None,
) -> Book:
    """Return what is committed in the progress topic.

    Open transactions of other days hide what was committed after them, so this waits until all is
    seen that lay there when it was called.

    Args:
        connection: The broker.
        topic: Name of the progress topic.
        wait: Seconds to wait for transactions of others; 0 takes what can be seen.
        stopping: Called now and then; true ends the wait with an error.

    Raises:
        TelcoError: They do not end, or the broker does not answer.
    """
    ends = end_offsets(connection, topic)[topic]
    deliveries: dict[str, Progress] = {}
    claims: dict[str, Claim] = {}
    for message in _messages(connection, topic, ends, wait, stopping):
        key, value = (message.key() or b"").decode(errors="replace"), message.value()
        if value is None:
            deliveries.pop(key, None)
            continue
        plain = _plain(value, topic)
        if "publisher" in plain:
            claims[key] = Claim(str(plain["publisher"]), str(plain["host"]), int(plain["pid"]))
        else:
            deliveries[key] = Progress.of(plain)
    return Book(deliveries, claims)


def _plain(value: bytes, topic: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        plain = json.loads(value)
        if isinstance(plain, dict):
            return plain
    raise TelcoError(
        f"the topic {topic} holds records that are no progress: name another one in "
        "scenarios/streaming.yaml (progress: name)"
    )


def _messages(
    connection: Connection, topic: str, ends: Ends, wait: float, stopping: Callable[[], bool] | None
) -> Iterator[Message]:
    """Yield what is committed before `ends`, partition by partition in order."""
    waiting = {number for number, end in ends.items() if end > 0}
    consumer = Consumer(
        connection.client(
            group_id=f"telco-progress-{uuid.uuid4().hex}",
            enable_auto_commit=False,
            enable_partition_eof=True,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            fetch_wait_max_ms=50,
        )
    )
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in waiting])
        quiet_since = time.monotonic()
        while waiting:
            for message in consumer.consume(10_000, timeout=_STEP):
                error, number = message.error(), int(message.partition() or 0)
                if error is None:
                    quiet_since = time.monotonic()
                    yield message
                elif error.code() != KafkaError._PARTITION_EOF:
                    if not error.retriable():
                        raise explain(error, connection, f"reading {topic}")
                elif wait <= 0 or int(message.offset() or 0) >= ends[number]:
                    waiting.discard(number)
            if stopping is not None and stopping():
                raise TelcoError("stopped before it began: nothing was sent")
            if waiting and time.monotonic() - quiet_since > (wait or 10.0):
                raise TelcoError(
                    f"reading {topic} at {connection.address}: a transaction of another publisher "
                    f"is open for more than {wait:.0f} s and hides how far this day came: try "
                    "again when it has ended"
                )
    except KafkaException as error:
        raise explain(error, connection, f"reading {topic}") from error
    finally:
        consumer.close()
