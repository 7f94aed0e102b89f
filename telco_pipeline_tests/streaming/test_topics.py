"""Topics are made as asked for; what is there is checked, and every refusal says what to do."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.layout import Topic, progress_topic
from telco_pipeline.streaming.topics import ensure
from telco_pipeline_tests.kafka import (
    ApacheKafka,
    create_topics,
    delete_topics,
    embedded_kafka,
    produce,
    unique,
)

VOICE = ("cdrs_voice", "cdrs_sms")
OURS = b'{"dataset":"cdrs_voice","event_id":1}'


@pytest.fixture
def connection(apache_kafka: ApacheKafka) -> Connection:
    return Connection({name: str(value) for name, value in apache_kafka.client().items()})


def topic(**other: object) -> Topic:
    return replace(Topic(unique("topics"), VOICE, partitions=2), **other)


def refusal(connection: Connection, asked: Topic, **options: str) -> str:
    with pytest.raises(TelcoError) as caught:
        ensure(connection, [asked], **options)  # type: ignore[arg-type]
    text = str(caught.value)
    assert "\n" not in text
    assert asked.name in text
    return text


def described(connection: Connection, name: str) -> tuple[int, dict[str, str]]:
    admin = AdminClient(dict(connection.settings))
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name)]).values()
    config = {key: one.value for key, one in future.result(10).items()}
    return len(admin.list_topics(name, timeout=10).topics[name].partitions), config


def send(connection: Connection, name: str, values: Iterable[bytes], **headers: str) -> None:
    producer = Producer(dict(connection.settings))
    for value in values:
        producer.produce(name, value, headers=headers)
    assert producer.flush(20) == 0


def test_absent_topics_are_made_as_asked_for_and_then_are_right(connection: Connection) -> None:
    asked = [
        topic(retention=3_600_000),
        topic(partitions=3, cleanup="compact"),
        progress_topic(unique("progress")),
        topic(partitions=1),
    ]
    for _ in range(2):
        ensure(connection, asked)

    found = [described(connection, one.name) for one in asked]
    assert [partitions for partitions, _ in found] == [2, 3, 1, 1]
    policies = [config["cleanup.policy"] for _, config in found]
    assert policies == ["delete", "compact", "compact", "delete"]
    assert found[0][1]["retention.ms"] == "3600000"
    assert found[2][1]["retention.ms"] == "-1"


@pytest.mark.parametrize(("there", "remedy"), [(1, "--alter"), (5, "cannot be taken away")])
def test_another_number_of_partitions(connection: Connection, there: int, remedy: str) -> None:
    asked = topic(partitions=3)
    create_topics(dict(connection.settings), asked.name, partitions=there)
    told = refusal(connection, asked)
    assert f"has {there} partitions, not the 3" in told
    assert f"partitions: {there}" in told
    assert remedy in told


def test_other_settings(connection: Connection) -> None:
    asked = topic(cleanup="compact")
    ensure(connection, [asked])
    told = refusal(connection, replace(asked, cleanup="delete"))
    assert "cleanup.policy=compact, not the delete" in told
    assert "--add-config cleanup.policy=delete" in told

    asked = topic(retention=60_000)
    ensure(connection, [asked])
    told = refusal(connection, replace(asked, retention=-1))
    assert "retention.ms=60000, not the -1" in told
    assert "scenarios/streaming.yaml" in told
    ensure(connection, [replace(asked, retention=None)])


def test_more_copies_than_brokers(connection: Connection) -> None:
    assert "replication" in refusal(connection, topic(replication=3))


def test_our_own_records_may_be_there(connection: Connection) -> None:
    asked = topic(partitions=1)
    ensure(connection, [asked])
    for _ in range(30):  # each leaves a marker behind
        produce(dict(connection.settings), asked.name, [OURS])
    ensure(connection, [asked])

    with_header = topic(partitions=1)
    ensure(connection, [with_header])
    send(connection, with_header.name, [b"damaged on purpose"], ce_type="telco.cdrs_sms")
    ensure(connection, [with_header])


@pytest.mark.parametrize(
    ("value", "headers", "words"),
    [
        (b"hello", {}, "that telco did not write"),
        (b'{"order":17}', {}, "that telco did not write"),
        (b'{"dataset":"network_logs","event_id":1}', {}, "of network_logs"),
        (b'{"record":"truth_records","dataset":"cdrs_voice"}', {}, "of truth_records"),
        (b"{}", {"ce_type": "telco.customer_service"}, "of customer_service"),
        (OURS, {"ce_type": "com.example.order"}, "that telco did not write"),
    ],
)
def test_others_records(
    connection: Connection, value: bytes, headers: dict[str, str], words: str
) -> None:
    asked = topic()
    ensure(connection, [asked])
    send(connection, asked.name, [value], **headers)
    told = refusal(connection, asked)
    assert words in told
    assert "cdrs_voice or cdrs_sms" in told
    assert "another name" in told


def test_another_encoding(connection: Connection) -> None:
    asked = topic()
    ensure(connection, [asked])
    send(connection, asked.name, [OURS])
    assert "--encoding json" in refusal(connection, asked, encoding="avro")

    framed = topic()
    ensure(connection, [framed], encoding="avro")
    send(connection, framed.name, [b"\x00\x00\x00\x00\x01rest"], ce_type="telco.cdrs_voice")
    ensure(connection, [framed], encoding="avro")
    assert "--encoding avro" in refusal(connection, framed)


def test_topics_of_the_embedded_broker_are_as_they_are() -> None:
    with embedded_kafka() as broker:
        small = Connection({"bootstrap.servers": broker.bootstrap_servers})
        asked = [topic(partitions=9, cleanup="compact"), progress_topic(unique("progress"))]
        for _ in range(2):
            ensure(small, asked)
        send(small, asked[0].name, [b"hello"])
        assert "telco did not write" in refusal(small, asked[0])


def test_nobody_there() -> None:
    with pytest.raises(TelcoError, match="connection refused"):
        ensure(Connection({"bootstrap.servers": "127.0.0.1:1"}), [topic()])


def test_without_the_right_to_create(own_kafka) -> None:  # type: ignore[no-untyped-def]
    """An administrator gives the client of the listener `sasl` rights to one topic alone."""
    from confluent_kafka.admin import (
        AclBinding,
        AclOperation,
        AclPermissionType,
        ResourcePatternType,
    )

    broker = own_kafka(
        settings={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
    )
    allowed = topic()
    plain = broker.client()
    create_topics(plain, allowed.name, partitions=2)
    admin = AdminClient(plain)
    operations = (AclOperation.WRITE, AclOperation.READ, AclOperation.DESCRIBE)
    bindings = [
        AclBinding(
            ResourceType.TOPIC,
            allowed.name,
            ResourcePatternType.LITERAL,
            "User:telco",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for operation in operations
    ]
    for future in admin.create_acls(bindings).values():
        future.result(20)
    limited = Connection({name: str(value) for name, value in broker.client("sasl").items()})

    ensure(limited, [allowed])
    told = refusal(limited, topic(retention=60_000))
    assert "ask the administrator" in told
    assert "kafka-topics.sh" in told
    assert "--partitions 2" in told
    assert "retention.ms=60000" in told
    delete_topics(plain, allowed.name)
