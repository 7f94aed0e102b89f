"""The real client kcat reads what was sent, with the settings file that telco takes too.

Not with a password: the librdkafka of Debian 12 (2.0.2) fails at SCRAM with Kafka 4, as all before
2.6.1 do (confluentinc/librdkafka#4895).
"""

from pathlib import Path

import pytest

from telco_pipeline.streaming.connection import Connection, reach
from telco_pipeline.streaming.layout import Topic
from telco_pipeline.streaming.topics import ensure
from telco_pipeline_tests.kafka import ApacheKafka, produce, unique
from telco_pipeline_tests.kcat import Kcat
from telco_pipeline_tests.kcat import kcat as kcat  # a fixture

VALUES = [
    f'{{"dataset":"cdrs_voice","event_id":{10**18 + number},"note":"Zoë → ✓"}}'.encode()
    for number in range(300)
]


@pytest.mark.parametrize("listener", ["plain", "tls"])
def test_kcat_reads_what_was_produced(
    kcat: Kcat, apache_kafka: ApacheKafka, tmp_path: Path, listener: str
) -> None:
    file = tmp_path / "client.conf"
    lines = [f"{name}={value}\n" for name, value in apache_kafka.client(listener).items()]
    file.write_text("".join(lines))
    connection = Connection.from_environment({"KAFKA_CLIENT_SETTINGS": str(file)})
    assert reach(connection)
    topic = Topic(unique("kcat"), ("cdrs_voice",), partitions=3)
    ensure(connection, [topic])
    produce(dict(connection.settings), topic.name, VALUES)

    for _ in range(3):
        told = kcat(
            *("-F", str(file), "-t", topic.name, "-C", "-e", "-q", "-o", "beginning"),
            *("-f", "%k %T %h %s\\n"),
        )
        # kcat 1.7 ends without a partition that had no leader for a moment; the records stay.
        if len(told.splitlines()) >= len(VALUES):
            break

    by_key: dict[int, tuple[bytes, bytes]] = {}
    for line in told.splitlines():
        key, stamp, headers, value = line.split(b" ", 3)
        assert int(stamp) > 0
        by_key[int(key)] = (headers, value)
    assert [by_key[number][1] for number in sorted(by_key)] == VALUES
    assert all(headers == f"number={key}".encode() for key, (headers, _) in by_key.items())
