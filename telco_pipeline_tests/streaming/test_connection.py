"""The way to a broker: what environment and options say, and why there is none, in one line."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.connection import (
    DEFAULT_ADDRESS,
    Connection,
    explain,
    is_embedded,
    reach,
)
from telco_pipeline_tests.kafka import (
    ApacheKafka,
    create_topics,
    embedded_kafka,
    produce,
    unique,
)

SECRET = "correct horse battery"


def connection(**settings: str) -> Connection:
    return Connection({name.replace("_", "."): value for name, value in settings.items()})


def to(broker: ApacheKafka, listener: str, **other: str) -> Connection:
    given = {name: str(value) for name, value in broker.client(listener).items()}
    return Connection(given | {name.replace("_", "."): value for name, value in other.items()})


def refusal(asked: Connection, within: float = 10) -> str:
    """Return why a broker cannot be reached, in one line without secrets, and soon."""
    started = time.monotonic()
    with pytest.raises(TelcoError) as caught:
        reach(asked, within)
    assert time.monotonic() - started < 15
    text = str(caught.value)
    assert "\n" not in text
    assert asked.address in text
    assert SECRET not in text
    return text


def test_nothing_set_is_the_broker_of_make_kafka() -> None:
    assert Connection.from_environment({}).address == DEFAULT_ADDRESS == "127.0.0.1:9092"


def test_options_beat_variables_and_variables_beat_the_file(tmp_path: Path) -> None:
    file = tmp_path / "client.conf"
    file.write_text(
        "# of the broker\nbootstrap.servers=file:1\nsasl.mechanisms = PLAIN\n"
        f"sasl.username=file\nsasl.password={SECRET}\nsecurity.protocol=sasl_plaintext\n"
    )
    environ = {
        "KAFKA_CLIENT_SETTINGS": str(file),
        "KAFKA_BOOTSTRAP_SERVERS": "variable:2",
        "KAFKA_SASL_USERNAME": "variable",
        "KAFKA_SASL_MECHANISM": " ",
    }
    found = Connection.from_environment(environ, bootstrap_servers="option:3", sasl_username=None)

    assert found.settings == {
        "bootstrap.servers": "option:3",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "variable",
        "sasl.password": SECRET,
        "security.protocol": "SASL_PLAINTEXT",
    }
    assert SECRET not in repr(found)
    assert SECRET not in str(found)
    client = found.client(linger_ms=5, log_level=2)
    assert client["linger.ms"] == 5
    assert client["log_level"] == 2


@pytest.mark.parametrize(
    ("environ", "options", "words"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SLL"}, {}, ["KAFKA_SECURITY_PROTOCOL", "'SASL_SSL'"]),
        ({}, {"security_protocol": "tls"}, ["--security-protocol", "PLAINTEXT, SSL"]),
        ({"KAFKA_SASL_MECHANISM": "SCRAM"}, {}, ["KAFKA_SASL_MECHANISM", "SCRAM-SHA-"]),
        ({"KAFKA_BOOTSTRAP_SERVERS": "host:port"}, {}, ["'host:port'", "HOST:PORT"]),
        ({}, {"bootstrap_servers": "a:1,,b:2"}, ["--bootstrap-servers", "HOST:PORT"]),
        ({}, {"bootstrap_servers": " "}, ["--bootstrap-servers is empty"]),
        ({"KAFKA_SSL_CA_LOCATION": "/nowhere/ca.pem"}, {}, ["/nowhere/ca.pem", "No such file"]),
        ({"KAFKA_SASL_USERNAME": "me"}, {}, ["KAFKA_SECURITY_PROTOCOL is not", "SASL_SSL"]),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, {}, ["KAFKA_SASL_MECHANISM"]),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "PLAIN"},
            {"sasl_username": "me"},
            ["KAFKA_SASL_PASSWORD", "set it"],
        ),
        ({"KAFKA_CLIENT_SETTINGS": "/nowhere"}, {}, ["KAFKA_CLIENT_SETTINGS", "No such file"]),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    environ: dict[str, str], options: dict[str, str], words: list[str]
) -> None:
    with pytest.raises(TelcoError) as caught:
        Connection.from_environment(environ, **options)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"sasl.password {SECRET}", [":2", "name=value"]),
        ("group.id=mine", [":2", "group.id", "remove"]),
        ("transactional.id=mine", [":2", "remove"]),
    ],
)
def test_a_wrong_line_of_a_file_is_named_but_not_shown(
    tmp_path: Path, line: str, words: list[str]
) -> None:
    file = tmp_path / "client.conf"
    file.write_text(f"bootstrap.servers=a:1\n{line}\n")
    with pytest.raises(TelcoError) as caught:
        Connection.from_environment({"KAFKA_CLIENT_SETTINGS": str(file)})
    assert SECRET not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_setting_that_librdkafka_does_not_know(tmp_path: Path) -> None:
    file = tmp_path / "client.conf"
    file.write_text("bootstrap.servers=127.0.0.1:1\nlingre.ms=5\n")
    asked = Connection.from_environment({"KAFKA_CLIENT_SETTINGS": str(file)})
    assert '"lingre.ms"' in refusal(asked)


def test_nobody_listens() -> None:
    told = refusal(connection(bootstrap_servers="127.0.0.1:1"))
    assert "connection refused" in told
    assert "make kafka" in told


def test_an_unknown_host() -> None:
    assert "unknown host" in refusal(connection(bootstrap_servers="nobody.invalid:9092"))


@pytest.fixture
def mute() -> Iterator[str]:
    """Listen, accept, and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def accept() -> None:
            try:
                while True:
                    kept.append(listener.accept())
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_nobody_answers(mute: str) -> None:
    assert "nobody answers" in refusal(connection(bootstrap_servers=mute), within=3)


def test_one_of_several_servers_suffices(apache_kafka: ApacheKafka) -> None:
    address = f"127.0.0.1:1,{apache_kafka.bootstrap_servers}"
    assert not is_embedded(reach(connection(bootstrap_servers=address)))


@pytest.mark.parametrize("listener", ["plain", "sasl", "tls", "sasl_tls"])
def test_each_listener_lets_in(apache_kafka: ApacheKafka, listener: str) -> None:
    assert reach(to(apache_kafka, listener))


@pytest.mark.parametrize("listener", ["sasl", "sasl_tls"])
@pytest.mark.parametrize("name", ["sasl_password", "sasl_username"])
def test_a_wrong_password_or_user(apache_kafka: ApacheKafka, listener: str, name: str) -> None:
    told = refusal(to(apache_kafka, listener, **{name: SECRET}))
    assert "refuses user or password" in told
    assert "KAFKA_SASL_PASSWORD" in told


def test_another_mechanism(apache_kafka: ApacheKafka) -> None:
    told = refusal(to(apache_kafka, "sasl", sasl_mechanism="PLAIN"))
    assert "--sasl-mechanism" in told


def test_plain_where_tls_is_spoken(apache_kafka: ApacheKafka) -> None:
    told = refusal(connection(bootstrap_servers=to(apache_kafka, "tls").address))
    assert "PLAINTEXT is not taken there" in told
    assert "--security-protocol SSL" in told


def test_plain_where_a_password_is_wanted(apache_kafka: ApacheKafka) -> None:
    told = refusal(connection(bootstrap_servers=to(apache_kafka, "sasl").address))
    assert "PLAINTEXT is not taken there" in told
    assert "SASL_PLAINTEXT" in told


@pytest.mark.parametrize("listener", ["plain", "sasl"])
def test_tls_where_plain_is_spoken(apache_kafka: ApacheKafka, listener: str) -> None:
    secure = to(apache_kafka, "tls" if listener == "plain" else "sasl_tls")
    address = to(apache_kafka, listener).address
    told = refusal(Connection({**secure.settings, "bootstrap.servers": address}))
    assert "no TLS is spoken there" in told
    assert "PLAINTEXT" in told


def test_an_unknown_authority(apache_kafka: ApacheKafka) -> None:
    secure = dict(to(apache_kafka, "tls").settings)
    del secure["ssl.ca.location"]
    told = refusal(Connection(secure))
    assert "not trusted" in told
    assert "KAFKA_SSL_CA_LOCATION" in told


def test_a_file_that_holds_no_authority(apache_kafka: ApacheKafka, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    assert "ssl.ca.location" in refusal(to(apache_kafka, "tls", ssl_ca_location=str(file)))


def test_nothing_of_librdkafka_reaches_the_user(
    apache_kafka: ApacheKafka, capfd: pytest.CaptureFixture[str]
) -> None:
    refusal(connection(bootstrap_servers="127.0.0.1:1"))
    refusal(to(apache_kafka, "sasl", sasl_password=SECRET))
    refusal(Connection({**to(apache_kafka, "tls").settings, "ssl.ca.location": "/nowhere"}))
    assert capfd.readouterr() == ("", "")


def test_a_broker_in_memory_is_told_apart() -> None:
    with embedded_kafka() as broker:
        assert is_embedded(reach(connection(bootstrap_servers=broker.bootstrap_servers)))


def test_a_record_too_large(apache_kafka: ApacheKafka) -> None:
    topic = unique("small")
    create_topics(apache_kafka.client(), topic, settings={"max.message.bytes": "200"})
    with pytest.raises(KafkaException) as caught:
        produce(apache_kafka.client(), topic, [b"x" * 1000])
    told = str(explain(caught.value, to(apache_kafka, "plain"), f"sending to {topic}"))
    assert told.startswith(f"sending to {topic} at 127.0.0.1:")
    assert "max.message.bytes" in told


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, "administrator"),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, "administrator"),
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "administrator"),
        (KafkaError._FENCED, "another publisher"),
        (KafkaError.INVALID_PRODUCER_EPOCH, "another publisher"),
        (KafkaError.KAFKA_STORAGE_ERROR, "disk"),
        (KafkaError.NOT_ENOUGH_REPLICAS, "replicas"),
        (KafkaError.INVALID_REPLICATION_FACTOR, "scenarios/streaming.yaml"),
        (KafkaError._UNKNOWN_TOPIC, "no such topic"),
        (KafkaError._TIMED_OUT, "nobody answers"),
        (KafkaError.UNKNOWN_PRODUCER_ID, "UNKNOWN_PRODUCER_ID"),
    ],
)
def test_other_errors_say_what_to_do(code: int, words: str) -> None:
    error = explain(KafkaError(code), connection(bootstrap_servers="host:9092"), "sending to cdrs")
    assert str(error).startswith("sending to cdrs at host:9092: ")
    assert words in str(error)


def test_no_error_repeats_a_password() -> None:
    asked = connection(bootstrap_servers="host:9092", sasl_password=SECRET)
    error = KafkaError(KafkaError._FAIL, f"bad password '{SECRET}'")
    assert SECRET not in str(explain(error, asked, "connecting"))


def test_a_client_of_it_works(apache_kafka: ApacheKafka) -> None:
    producer = Producer(to(apache_kafka, "sasl_tls").client(linger_ms=1))
    assert producer.list_topics(timeout=10).brokers
