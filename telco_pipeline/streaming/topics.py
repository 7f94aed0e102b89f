"""Topics at the broker: made if absent, checked if present.

Belongs here: whether a topic is as it was asked for, and whether others' records lie in it. Does
not belong here: which topics there are (`layout`), sending.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import (  # they are meant to be taken from there, whatever the stubs say
    ConfigResource,  # pyright: ignore[reportPrivateImportUsage]
    NewTopic,  # pyright: ignore[reportPrivateImportUsage]
    OffsetSpec,  # pyright: ignore[reportPrivateImportUsage]
    ResourceType,  # pyright: ignore[reportPrivateImportUsage]
)

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.connection import Asking, Connection, ask, explain, is_embedded
from telco_pipeline.streaming.layout import AVRO_MAGIC, Encoding, Topic

TYPE_PREFIX: Final = "telco."
"""What `ce_type` begins with; the dataset follows."""

Where = tuple[str, int]
"""A topic's name and the number of a partition."""

_WITHIN: Final = 10.0
_LAST: Final = 20
"""Offsets of a partition's end that are looked at: of records and markers of transactions."""
_STEP: Final = 0.05


def ensure(connection: Connection, topics: Sequence[Topic], *, encoding: Encoding = "json") -> None:
    """Create the topics that are absent, and check those that are there.

    librdkafka's embedded broker makes topics of its own accord, always with four partitions and no
    settings: there only the records are checked.

    Args:
        connection: The broker.
        topics: What is asked for.
        encoding: How the values will be written.

    Raises:
        TelcoError: The broker cannot be reached; a topic cannot be created; one has other settings,
            or holds records that are not ours. One line, with the command that mends it.
    """
    asking = Asking(connection)
    embedded = is_embedded(ask(asking, _WITHIN))
    there = _partitions(asking, topics, create=embedded)
    absent = [topic for topic in topics if topic.name not in there]
    if absent:
        _create(asking, absent)
        _await(asking, absent)
    found = [topic for topic in topics if topic.name in there]
    if not embedded:
        for topic in found:
            _check_partitions(connection, topic, there[topic.name])
        _check_settings(asking, found)
    _check_records(connection, found, there, encoding)


def _partitions(asking: Asking, topics: Sequence[Topic], *, create: bool) -> dict[str, int]:
    """Return how many partitions each topic has, for those that are there.

    Args:
        asking: The client.
        topics: Which.
        create: Ask for each by its name, on which the embedded broker creates it.
    """
    found: dict[str, int] = {}
    try:
        if not create:
            known = asking.admin.list_topics(timeout=_WITHIN).topics
        else:
            known = {
                topic.name: asking.admin.list_topics(topic.name, timeout=_WITHIN).topics[topic.name]
                for topic in topics
            }
    except KafkaException as error:
        raise explain(error, asking.connection, "listing topics") from None
    for topic in topics:
        one = known.get(topic.name)
        if one is None:
            continue
        if one.error is None:
            found[topic.name] = len(one.partitions)
        elif one.error.code() not in (
            KafkaError.UNKNOWN_TOPIC_OR_PART,
            KafkaError._UNKNOWN_TOPIC,
            KafkaError.LEADER_NOT_AVAILABLE,
        ):
            raise explain(one.error, asking.connection, f"looking at topic {topic.name}")
    return found


def offsets(
    asking: Asking, partitions: Sequence[Where], spec: OffsetSpec | None
) -> dict[Where, int]:
    """Return an offset of each partition, whatever transactions are open there.

    Raises:
        KafkaException: The broker does not say.
    """
    assert spec is not None
    wanted = {TopicPartition(*where): spec for where in partitions}
    if not wanted:
        return {}
    futures = asking.admin.list_offsets(
        wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=_WITHIN
    )
    return {
        (str(where.topic), int(where.partition)): int(future.result(_WITHIN).offset)
        for where, future in futures.items()
    }


# --- making --------------------------------------------------------------------------------


def _create(asking: Asking, topics: Sequence[Topic]) -> None:
    wanted = [
        NewTopic(topic.name, topic.partitions, topic.replication, config=_config(topic))
        for topic in topics
    ]
    futures = asking.admin.create_topics(wanted, operation_timeout=_WITHIN, request_timeout=_WITHIN)
    for topic in topics:
        try:
            futures[topic.name].result(_WITHIN)
        except KafkaException as error:
            _refuse(error, asking.connection, topic)
        except TimeoutError:
            late = KafkaError(KafkaError._TIMED_OUT)
            raise explain(late, asking.connection, f"creating topic {topic.name}") from None


def _refuse(error: KafkaException, connection: Connection, topic: Topic) -> None:
    """Raise what kept a topic from being created, unless somebody else was faster."""
    cause = error.args[0]
    if cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
        return
    if cause.code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    ):
        raise TelcoError(
            f"creating topic {topic.name} at {connection.address}: this user may not: ask the "
            f"administrator of the cluster for the right, or to run: "
            f"{_command(connection, topic)}"
        ) from None
    raise explain(error, connection, f"creating topic {topic.name}") from None


def _config(topic: Topic) -> dict[str, str]:
    config = {"cleanup.policy": topic.cleanup}
    if topic.retention is not None:
        config["retention.ms"] = str(topic.retention)
    return config


def _command(connection: Connection, topic: Topic) -> str:
    """Return the command of Apache Kafka that creates a topic."""
    parts = [
        f"kafka-topics.sh --bootstrap-server {connection.address} --create --topic {topic.name}",
        f"--partitions {topic.partitions}",
    ]
    if topic.replication > 0:
        parts.append(f"--replication-factor {topic.replication}")
    parts += [f"--config {name}={value}" for name, value in _config(topic).items()]
    return " ".join(parts)


def _await(asking: Asking, topics: Sequence[Topic]) -> None:
    """Wait until the broker serves new topics: others would be told that there are none."""
    end = time.monotonic() + _WITHIN
    while True:
        served = _partitions(asking, topics, create=False)
        missing = [topic.name for topic in topics if topic.name not in served]
        if not missing and _have_leaders(asking, served):
            return
        if time.monotonic() > end:
            raise TelcoError(
                f"topic {(missing or list(served))[0]} was created at "
                f"{asking.connection.address}, but is not served after {_WITHIN:.0f} s: see to the "
                "brokers, then start again"
            )
        time.sleep(_STEP)


def _have_leaders(asking: Asking, partitions: Mapping[str, int]) -> bool:
    """Return whether somebody serves each partition: it is known some moments before."""
    wanted = [(name, number) for name, count in partitions.items() for number in range(count)]
    try:
        offsets(asking, wanted, OffsetSpec.latest())
    except KafkaException as error:
        code = error.args[0].code()
        return code not in (
            KafkaError.NOT_LEADER_FOR_PARTITION,
            KafkaError.LEADER_NOT_AVAILABLE,
            KafkaError.UNKNOWN_TOPIC_OR_PART,
        )
    return True


# --- checking ------------------------------------------------------------------------------


def _check_partitions(connection: Connection, topic: Topic, there: int) -> None:
    if there == topic.partitions:
        return
    what = f"topic {topic.name} at {connection.address} has {there} partitions, not the "
    what += f"{topic.partitions} that were asked for: set partitions: {there} for it in "
    what += "scenarios/streaming.yaml"
    if there < topic.partitions:
        raise TelcoError(
            f"{what}, or add some, after which a key's later records may lie in another: "
            f"kafka-topics.sh --bootstrap-server {connection.address} --alter --topic {topic.name} "
            f"--partitions {topic.partitions}"
        )
    raise TelcoError(f"{what}, or give it another name; partitions cannot be taken away")


def _check_settings(asking: Asking, topics: Sequence[Topic]) -> None:
    """Compare cleanup and retention, as far as this user may see them."""
    if not topics:
        return
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in topics]
    futures = asking.admin.describe_configs(resources, request_timeout=_WITHIN)
    by_name = {resource.name: future for resource, future in futures.items()}
    for topic in topics:
        try:
            entries = by_name[topic.name].result(_WITHIN)
        except KafkaException as error:
            # Whoever may only write cannot read settings; they are the administrator's matter then.
            if error.args[0].code() in (
                KafkaError.TOPIC_AUTHORIZATION_FAILED,
                KafkaError.CLUSTER_AUTHORIZATION_FAILED,
            ):
                continue
            raise explain(
                error, asking.connection, f"reading settings of topic {topic.name}"
            ) from None
        _compare(asking.connection, topic, {name: one.value for name, one in entries.items()})


def _compare(connection: Connection, topic: Topic, there: Mapping[str, Any]) -> None:
    for name, wanted in _config(topic).items():
        found = str(there.get(name, ""))
        # A topic may be compacted and cut by age as well: all that was asked for is done then.
        if found == wanted or (name == "cleanup.policy" and found == "compact,delete"):
            continue
        if (
            name == "retention.ms"
            and topic.cleanup == "compact"
            and "delete" not in str(there.get("cleanup.policy", ""))
        ):
            continue  # nothing is cut by age
        key = "compact" if name == "cleanup.policy" else "retention"
        raise TelcoError(
            f"topic {topic.name} at {connection.address} has {name}={found}, not the {wanted} that "
            f"was asked for: change the key {key} in scenarios/streaming.yaml, or run: "
            f"kafka-configs.sh --bootstrap-server {connection.address} --alter --topic "
            f"{topic.name} --add-config {name}={wanted}"
        )


def _check_records(
    connection: Connection,
    topics: Sequence[Topic],
    partitions: Mapping[str, int],
    encoding: Encoding,
) -> None:
    """Refuse topics in which the last records are not ours, or are written in another way."""
    wanted = [topic for topic in topics if topic.datasets]
    if not wanted:
        return
    doing = f"looking at topic {', '.join(topic.name for topic in wanted)}"
    consumer = Consumer(
        connection.client(
            group_id="telco-look",  # never joined; librdkafka asks for one
            enable_auto_commit=False,
            enable_partition_eof=True,
            isolation_level="read_uncommitted",  # an open transaction's records count too
            fetch_wait_max_ms=20,
            fetch_message_max_bytes=1 << 18,
            queued_max_messages_kbytes=4096,
        )
    )
    try:
        last = _last_messages(consumer, wanted, partitions)
    except KafkaException as error:
        raise explain(error, connection, doing) from None
    finally:
        consumer.close()
    for topic in wanted:
        if topic.name in last:
            _check_last(connection, topic, last[topic.name], encoding)


def _last_messages(
    consumer: Consumer, topics: Sequence[Topic], partitions: Mapping[str, int]
) -> dict[str, list[Message]]:
    """Return the last records of topics, as far as there are any."""
    starts = list(_ends(consumer, topics, partitions))
    waiting = {(one.topic, one.partition) for one in starts}
    consumer.assign(starts)
    found: dict[str, list[Message]] = {}
    end = time.monotonic() + _WITHIN
    while waiting:
        if time.monotonic() > end:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        for message in consumer.consume(1000, timeout=_STEP):
            error = message.error()
            where = (str(message.topic()), int(message.partition() or 0))
            if error is None:
                found.setdefault(where[0], []).append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                waiting.discard(where)
            else:
                raise KafkaException(error)
    return found


def _ends(
    consumer: Consumer, topics: Sequence[Topic], partitions: Mapping[str, int]
) -> Iterator[TopicPartition]:
    """Yield a place shortly before the end of every partition that holds something."""
    for topic in topics:
        for number in range(partitions[topic.name]):
            where = TopicPartition(topic.name, number)
            low, high = consumer.get_watermark_offsets(where, timeout=_WITHIN)
            if high > low:
                yield TopicPartition(topic.name, number, max(low, high - _LAST))


def _check_last(
    connection: Connection, topic: Topic, messages: Sequence[Message], encoding: Encoding
) -> None:
    datasets = [dataset_of(message) for message in messages]
    # One is enough: records may be damaged on purpose.
    ours = [
        message
        for message, dataset in zip(messages, datasets, strict=True)
        if dataset in topic.datasets
    ]
    framed = [(message.value() or b"")[:1] == AVRO_MAGIC for message in messages]
    if not ours and not (encoding == "avro" and any(framed)):
        named = next((dataset for dataset in datasets if dataset), None)
        what = f"of {named}" if named else "that telco did not write"
        raise TelcoError(
            f"topic {topic.name} at {connection.address} holds records {what}, not of "
            f"{' or '.join(topic.datasets)}: give the topic another name in "
            "scenarios/streaming.yaml, or delete it if nobody needs it"
        )
    other = "json" if encoding == "avro" else "avro"
    values = [(message.value() or b"")[:1] for message in ours or messages]
    is_other = {
        "json": [one == b"{" for one in values],
        "avro": [one == AVRO_MAGIC for one in values],
    }
    if any(is_other[other]) and not any(is_other[encoding]):
        raise TelcoError(
            f"topic {topic.name} at {connection.address} holds records in {other}, not {encoding}: "
            f"send --encoding {other}, or give the topic another name in scenarios/streaming.yaml"
        )


_FIRST_MEMBER: Final = re.compile(rb'\{"(?:dataset|record)":"([a-z0-9_]+)"')


def dataset_of(message: Message) -> str | None:
    """Return the dataset of a record as its header or, without one, its JSON says."""
    for name, value in message.headers() or ():
        if name == "ce_type":
            text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            return text.removeprefix(TYPE_PREFIX) if text.startswith(TYPE_PREFIX) else None
    found = _FIRST_MEMBER.match(message.value() or b"")
    return found[1].decode() if found else None
