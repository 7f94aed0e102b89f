"""Reading topics: how many records, how fast, how far behind, and what they say.

Belongs here: reading committed records from one place to another. Does not belong here: what is
shown of them (`cli`), progress (`progress`), judging counts (the shell's checks).

No group is joined and no offset committed: whoever looks leaves no trace at the broker.
"""

import datetime as dt
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import xxhash
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec  # pyright: ignore[reportPrivateImportUsage]

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.connection import Asking, Connection, ask, explain
from telco_pipeline.streaming.encoding import primary_key
from telco_pipeline.streaming.layout import AVRO_MAGIC, Topic
from telco_pipeline.streaming.topics import Where, dataset_of, offsets

Start = Literal["beginning", "latest"]

PATIENCE: Final = 15.0
"""Seconds for which a broker that was there may be gone."""
STALLED: Final = 60.0
"""Seconds without a step forward after which an open transaction is in the way of the end."""
_WITHIN: Final = 10.0
_STEP: Final = 0.2
_AT_A_TIME: Final = 10_000
_PASSING: Final = (
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._RESOLVE,
    KafkaError._TIMED_OUT,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
)
"""Errors after which librdkafka goes on by itself."""


def existing(connection: Connection, names: Sequence[str]) -> list[str]:
    """Return those of some topics that the broker has.

    Raises:
        TelcoError: The broker cannot be reached.
    """
    asking = Asking(connection)
    ask(asking, _WITHIN)
    try:
        known = asking.admin.list_topics(timeout=_WITHIN).topics
    except KafkaException as error:
        raise explain(error, connection, "listing topics") from None
    return [name for name in names if name in known]


class Reading:
    """Committed records of some topics, in order within each partition.

    Attributes:
        names: The topics.
        starts: First offset that is read, by partition.
        ends: Offset after the last one there was at the beginning, by partition.
    """

    def __init__(
        self,
        connection: Connection,
        names: Sequence[str],
        start: Start = "beginning",
        *,
        first: Mapping[str, Mapping[int, int]] | None = None,
        last: Mapping[str, Mapping[int, int]] | None = None,
    ) -> None:
        """Begin to read.

        Args:
            connection: The broker.
            names: Topics that are there.
            start: Where to begin in partitions that `first` does not name.
            first: First offset by topic and partition.
            last: Offset after the last one by topic and partition; where it is not named, the end
                of the partition as of now.

        Raises:
            TelcoError: The broker cannot be reached, or a topic may not be read.
        """
        self.names = list(names)
        self.starts: dict[Where, int] = {}
        self.ends: dict[Where, int] = {}
        self._connection = connection
        self._next: dict[Where, int] = {}
        self._trouble: KafkaError | None = None
        self._troubled_since = 0.0
        self._doing = f"reading {', '.join(self.names)}"
        # Says clearly, and soon, why there is no way in.
        asking = Asking(connection)
        ask(asking, _WITHIN)
        self._consumer = Consumer(
            connection.client(
                group_id="telco-consume",  # never joined; librdkafka asks for one
                enable_auto_commit=False,
                enable_partition_eof=True,
                isolation_level="read_committed",
                fetch_wait_max_ms=100,
                queued_max_messages_kbytes=32_768,
                error_cb=self._remember,
            )
        )
        try:
            self._assign(asking, start, first or {}, last or {})
        except KafkaException as error:
            self._consumer.close()
            raise explain(error, connection, self._doing) from None

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def batch(self, timeout: float) -> list[Message]:
        """Return the next records, none if there are none within `timeout` seconds.

        Raises:
            TelcoError: The broker has been gone for too long, or refuses.
        """
        found: list[Message] = []
        try:
            for message in self._consumer.consume(_AT_A_TIME, timeout):
                error = message.error()
                where = (str(message.topic()), int(message.partition() or 0))
                if error is None:
                    self._next[where] = int(message.offset() or 0) + 1
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    self._next[where] = max(int(message.offset() or 0), self._next[where])
                elif error.code() in _PASSING:
                    self._remember(error)
                else:
                    raise KafkaException(error)
            if found:
                self._trouble = None
            elif self._trouble is not None:
                self._check_patience()
        except KafkaException as error:
            raise explain(error, self._connection, self._doing) from None
        return found

    @property
    def at_end(self) -> bool:
        """Whether all is read that was there at the beginning."""
        return all(self._next[where] >= end for where, end in self.ends.items())

    def to_end(self, doing: str, stalled: float = STALLED) -> Iterator[list[Message]]:
        """Yield all records up to the end that there was at the beginning.

        Args:
            doing: What they are read for, for messages.
            stalled: Seconds without a step forward after which this gives up.

        Raises:
            TelcoError: As `batch`, or an open transaction hides the end.
        """
        moved = time.monotonic()
        while not self.at_end:
            batch = self.batch(_STEP)
            if batch:
                moved = time.monotonic()
                yield [one for one in batch if self._is_before_end(one)]
            elif time.monotonic() - moved > stalled:
                raise TelcoError(
                    f"{doing} at {self._connection.address}: an open transaction hides the end: "
                    "let the publisher finish, then count again"
                )

    def _is_before_end(self, message: Message) -> bool:
        where = (str(message.topic()), int(message.partition() or 0))
        return int(message.offset() or 0) < self.ends[where]

    def lag(self) -> dict[str, int]:
        """Return how many offsets each topic is behind its end, as far as its end is known.

        Markers of transactions count: after a last transaction is read it is 0 again.
        """
        behind = dict.fromkeys(self.names, 0)
        for (name, number), position in self._next.items():
            where = TopicPartition(name, number)
            _, high = self._consumer.get_watermark_offsets(where, cached=True)
            behind[name] += max(max(high, self.ends[name, number]) - position, 0)
        return behind

    def _assign(
        self,
        asking: Asking,
        start: Start,
        first: Mapping[str, Mapping[int, int]],
        last: Mapping[str, Mapping[int, int]],
    ) -> None:
        known = asking.admin.list_topics(timeout=_WITHIN).topics
        for name in self.names:
            if name not in known:
                raise TelcoError(
                    f"{self._doing} at {self._connection.address}: there is no topic {name}: "
                    "telco stream makes it"
                )
        partitions = [(name, number) for name in self.names for number in known[name].partitions]
        lows = offsets(asking, partitions, OffsetSpec.earliest())
        # The end of all, as a commit may have returned whose marker is not written yet.
        highs = offsets(asking, partitions, OffsetSpec.latest())
        for where in partitions:
            name, number = where
            begin = lows[where] if start == "beginning" else highs[where]
            begin = max(first.get(name, {}).get(number, begin), lows[where])
            self.starts[where] = self._next[where] = begin
            self.ends[where] = last.get(name, {}).get(number, highs[where])
        self._consumer.assign(
            [TopicPartition(*where, offset) for where, offset in self.starts.items()]
        )

    def _remember(self, error: KafkaError) -> None:
        if self._trouble is None:
            self._troubled_since = time.monotonic()
        # That all brokers are down says less than why.
        if self._trouble is None or error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._trouble = error

    def _check_patience(self) -> None:
        if time.monotonic() - self._troubled_since < PATIENCE / 2:
            return
        try:
            self._consumer.list_topics(timeout=1.0)
        except KafkaException:
            if time.monotonic() - self._troubled_since >= PATIENCE:
                assert self._trouble is not None
                raise KafkaException(self._trouble) from None
        else:
            self._trouble = None


# --- what records say ----------------------------------------------------------------------

_READABLE: Final = 2000  # bytes of a value that are shown at most


Decode = Callable[[bytes], str]
"""From a value in Avro to text; raises TelcoError if it cannot."""


def readable(message: Message, decode: Decode | None = None) -> str:
    """Return a record in one line: where it lies, when it happened, key, what it is, the value.

    Nothing in it can steer a terminal: what does not print is escaped.

    Args:
        message: The record.
        decode: Reads a value in the wire format of schema registries; None if there is no registry.
    """
    where = f"{message.topic()}[{message.partition()}]@{message.offset()}"
    key = message.key()
    parts = [where, _moment(message), f"key={_text(_bytes(key))}" if key is not None else "no key"]
    dataset = dataset_of(message)
    if dataset:
        parts.append(dataset)
    value = message.value()
    parts.append("no value" if value is None else _shown(_bytes(value), decode))
    return "  ".join(parts)


def _shown(value: bytes, decode: Decode | None) -> str:
    if value[:1] != AVRO_MAGIC:
        return _text(value)
    if decode is None:
        return (
            f"{len(value):,} bytes of Avro: name a schema registry to read them "
            "(--schema-registry, or in scenarios/streaming.yaml)"
        )
    try:
        return _text(decode(value).encode())
    except TelcoError as error:
        return f"{len(value):,} bytes of Avro: {_text(str(error).encode())}"


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _moment(message: Message) -> str:
    kind, milliseconds = message.timestamp()
    if not kind:
        return "no time"
    told = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: bytes) -> str:
    cut = value[:_READABLE]
    try:
        text = cut.decode()
    except UnicodeDecodeError as error:
        # It may just have been cut in the middle of a character.
        if len(value) <= _READABLE or error.start < len(cut) - 3:
            return f"{len(value):,} bytes, not text: {cut[:40].hex(' ')}"
        text = cut[: error.start].decode()
    shown = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
    return shown if len(value) <= _READABLE else f"{shown}..."


# --- counting a day ------------------------------------------------------------------------


@dataclass
class DayCount:
    """What a topic holds of a day.

    Attributes:
        records: Records in all.
        bytes: Bytes of their values.
        fingerprint: `fingerprint` of the ids of all that have one: equal for equal sets, in any
            order; who compares it with that of the lake sees each missing or doubled record.
        unknown: Records without an id that can be read, such as damaged ones without headers.
        datasets: Records by dataset; those of which it cannot be told are left out.
    """

    records: int = 0
    bytes: int = 0
    fingerprint: int = 0
    unknown: int = 0
    datasets: dict[str, int] = field(default_factory=dict)


MODULUS: Final = 1 << 64


def fingerprint(ids: Iterable[bytes]) -> int:
    """Return a sum over ids that does not hang on their order: of XXH64, modulo 2^64."""
    return sum(map(xxhash.xxh64_intdigest, ids)) % MODULUS


def count_by_day(
    connection: Connection,
    topics: Sequence[Topic],
    day: dt.date,
    *,
    world: str | None = None,
    first: Mapping[str, Mapping[int, int]] | None = None,
    last: Mapping[str, Mapping[int, int]] | None = None,
    stalled: float = STALLED,
) -> dict[str, DayCount]:
    """Count the committed records of a day in topics; memory does not grow with their number.

    A record's day is that of its Kafka timestamp (UTC), which is its event time. Its id is the
    header `ce_id`, or without headers the member `event_id` of its JSON, or else dataset and
    primary key of it: the ids that `encoding.ids` gives.

    Args:
        connection: The broker.
        topics: Topics that are there.
        day: The day.
        world: Hash of the world; records whose header tells of another one are left out.
        first: First offset to read, by topic and partition; the first there is where not named.
        last: Offset after the last to read, by topic and partition; the end as of now where not
            named.
        stalled: Seconds without a step forward after which an open transaction is in the way.

    Returns:
        A count by topic name.

    Raises:
        TelcoError: The broker cannot be reached, a topic is not there, or nothing comes for
            `stalled` seconds before the end.
    """
    begin = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    span = range(_milliseconds(begin), _milliseconds(begin + dt.timedelta(days=1)))
    source = None if world is None else f"/telco/{world}".encode()
    counts = {topic.name: DayCount() for topic in topics}
    with Reading(connection, list(counts), first=first, last=last) as reading:
        for batch in reading.to_end(f"counting {day} in {', '.join(counts)}", stalled):
            for message in batch:
                _count(counts[str(message.topic())], message, span, source)
    return counts


def _milliseconds(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)


def _count(counted: DayCount, message: Message, span: range, source: bytes | None) -> None:
    if message.timestamp()[1] not in span:
        return
    headers = dict(message.headers() or ())
    if source is not None and headers.get("ce_source", source) != source:
        return
    value = _bytes(message.value() or b"")
    counted.records += 1
    counted.bytes += len(value)
    dataset = dataset_of(message)
    identity = _identity(headers, dataset, value)
    if dataset is not None:
        counted.datasets[dataset] = counted.datasets.get(dataset, 0) + 1
    if identity is None:
        counted.unknown += 1
    else:
        counted.fingerprint = (counted.fingerprint + xxhash.xxh64_intdigest(identity)) % MODULUS


_EVENT: Final = re.compile(rb'"event_id":(\d+)')


def _identity(headers: Mapping[str, Any], dataset: str | None, value: bytes) -> bytes | None:
    """Return a record's id as its headers tell it or, without headers, its JSON."""
    if headers:
        told = headers.get("ce_id")
        return told.encode() if isinstance(told, str) else told
    if dataset not in DATASETS:
        return None
    key = primary_key(dataset)
    if key == ["event_id"]:
        found = _EVENT.search(value)
        return found[1] if found else None
    try:
        plain = json.loads(value)
        parts = [str(plain[name]) for name in key]
    except (ValueError, KeyError, TypeError):
        return None
    return "/".join([dataset, *parts]).encode()
