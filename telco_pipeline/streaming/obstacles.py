"""Obstacles: why a broker would not take, or not keep, what is to be sent.

Belongs here: limits and settings of topics, asking a broker that answers but takes nothing. Does
not belong here: errors that librdkafka tells (`connection.explain`), what is done about them
(`publisher`).
"""

import contextlib
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaException

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.connection import Asking, Connection, ask, is_embedded
from telco_pipeline.streaming.entries import Batch

USUAL_LIMIT: Final = 1_048_588
"""Bytes of a record batch that a topic allows unless it says otherwise."""
_RECORD_OVERHEAD: Final = 120
"""Bytes of a record batch beside key, value and headers of its record, at most."""


def configured(connection: Connection, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the settings of topics, without those that the broker does not tell."""
    from confluent_kafka.admin import ConfigResource  # pyright: ignore[reportPrivateImportUsage]

    asking = Asking(connection)
    if is_embedded(ask(asking)):
        return {}
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for resource, future in asking.admin.describe_configs(resources, request_timeout=5).items():
        # Not everybody may read settings.
        with contextlib.suppress(KafkaException):
            found[resource.name] = {key: one.value for key, one in future.result(6).items()}
    return found


def limits(told: Mapping[str, Mapping[str, str]], names: Sequence[str]) -> dict[str, int]:
    """Return how many bytes a record batch may have, by topic."""
    return {name: int(told.get(name, {}).get("max.message.bytes", USUAL_LIMIT)) for name in names}


def check_kept(told: Mapping[str, Mapping[str, str]], day: dt.date) -> None:
    """Refuse topics that would forget the day as soon as it is sent.

    A record is as old as its timestamp, which is that of its event.
    """
    end = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) + dt.timedelta(days=1)
    age = (dt.datetime.now(dt.UTC) - end) / dt.timedelta(milliseconds=1)
    for name, settings in told.items():
        kept = int(settings.get("retention.ms", -1))
        by_event = settings.get("message.timestamp.type") != "LogAppendTime"
        deletes = "delete" in settings.get("cleanup.policy", "")
        if deletes and by_event and 0 <= kept < age:
            raise TelcoError(
                f"the topic {name} keeps records for {kept / 86_400_000:.3g} days and {day} is "
                f"{age / 86_400_000:.0f} days old: the broker would delete it at once; set its "
                "retention.ms to -1 (retention: forever in scenarios/streaming.yaml, before it is "
                "created)"
            )


def check_sizes(batch: Batch, names: Sequence[str], limits: Mapping[str, int]) -> None:
    """Refuse a record that its topic would refuse, before it is sent.

    Args:
        batch: The entries.
        names: Names of the topics, as `Batch.topic` counts them.
        limits: See `limits`.

    Raises:
        TelcoError: One is too large.
    """
    smallest = min(limits.values(), default=USUAL_LIMIT)
    # Headers and key are small beside a limit; only what comes near it is looked at.
    near = max(map(len, batch.value), default=0)
    if near <= smallest - min(4_096, smallest // 2):
        return
    for number, value in enumerate(batch.value):
        name = names[int(batch.topic[number])]
        headers = batch.headers[number] if batch.headers else {}
        size = len(value) + len(batch.key[number] or b"") + _RECORD_OVERHEAD
        size += sum(len(key) + len(text) + 4 for key, text in headers.items())
        limit = limits.get(name, USUAL_LIMIT)
        if size > limit:
            raise TelcoError(
                f"{name}: {_describe(batch, number)} takes {size:,} bytes, but the topic allows "
                f"{limit:,}: raise its max.message.bytes (message.max.bytes of the broker) or "
                "leave its dataset out; nothing of it was sent"
            )


def _describe(batch: Batch, number: int) -> str:
    """Return dataset and event id of an entry, or where it stands if it tells neither."""
    headers = batch.headers[number] if batch.headers else {}
    dataset = headers.get("ce_type", b"").decode().removeprefix("telco.")
    event = headers.get("ce_id", b"").decode()
    with contextlib.suppress(ValueError):
        plain = json.loads(batch.value[number])
        if isinstance(plain, dict):
            dataset = dataset or str(plain.get("dataset", ""))
            event = event or str(plain.get("event_id", ""))
    if not dataset:
        return f"the record at {batch.position(number)}"
    return f"record {event} of {dataset}"


def obstacle(connection: Connection, names: Sequence[str]) -> str | None:
    """Return why a broker takes no records, as far as it says; None if it does not answer."""
    try:
        asking = Asking(connection)
        ask(asking, within=3.0)
        known = asking.admin.list_topics(timeout=3.0).topics
        told = configured(connection, names)
    except (KafkaException, TelcoError):
        return None
    for name in names:
        if name not in known:
            return f"the topic {name} is gone: start again, which creates it"
        for number, part in known[name].partitions.items():
            if part.leader < 0:
                return (
                    f"partition {number} of {name} has no leader: see to the brokers and to their "
                    "disks (full, read-only or broken)"
                )
            wanted = int(told.get(name, {}).get("min.insync.replicas", 1))
            if len(part.isrs) < wanted:
                return (
                    f"only {len(part.isrs)} of {wanted} replicas that {name} asks for "
                    "(min.insync.replicas) take records: start the missing brokers, or lower it"
                )
    return ""
