"""Apache Kafka as deploy/kafka starts it, and the kit that other tests use it by."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.kafka import broker as launcher
from telco_pipeline_tests.kafka import (
    ApacheKafka,
    Kafka,
    consume,
    create_topics,
    delete_topics,
    embedded_kafka,
    in_ci,
    produce,
    unique,
)

ROOT = Path(__file__).parents[2]
KNOWN = {"CI", "JAVA_HOME", "KAFKA_BOOTSTRAP_SERVERS"} | {
    name for name in os.environ if name.startswith("PYTEST_")
}
VALUES = [f'{{"number":{number}}}'.encode() for number in range(500)]


def refusal(client: dict, timeout: float = 20) -> str:
    """Return why a client is not let in, or nothing if it is."""
    from confluent_kafka import Consumer, KafkaException

    said: list[str] = []
    quiet = {"group.id": "refused", "log_level": 0}
    consumer = Consumer(client | quiet | {"error_cb": lambda error: said.append(str(error))})
    end = time.monotonic() + timeout
    try:
        while not said:
            with contextlib.suppress(KafkaException):
                consumer.list_topics(timeout=0.5)
                return ""
            consumer.poll(0)
            assert time.monotonic() < end, "neither let in nor refused"
    finally:
        consumer.close()
    return " ".join(said)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    # A zombie is dead: only nobody has asked for its status yet.
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_for(condition: Callable[[], bool], timeout: float = 20) -> None:
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


@pytest.mark.parametrize("listener", ["plain", "sasl", "tls", "sasl_tls"])
def test_a_transaction_through_each_listener(apache_kafka: ApacheKafka, listener: str) -> None:
    client = apache_kafka.client(listener)
    topic = unique(listener)
    create_topics(client, topic, partitions=3)
    produce(client, topic, VALUES)
    records = consume(client, topic)
    assert sorted(record.value or b"" for record in records) == sorted(VALUES)
    assert {record.partition for record in records} == {0, 1, 2}
    for partition in range(3):
        offsets = [record.offset for record in records if record.partition == partition]
        assert offsets == list(range(len(offsets)))
    numbers = {record.key: record.value for record in records}
    assert numbers[b"17"] == VALUES[17]
    assert all(record.headers == {"number": record.key} for record in records)
    delete_topics(client, topic)


def test_what_was_not_committed_is_not_read(apache_kafka: ApacheKafka) -> None:
    from confluent_kafka import Producer

    client = apache_kafka.client()
    topic = unique("aborted")
    create_topics(client, topic)
    producer = Producer(client | {"transactional.id": topic})
    producer.init_transactions(30)
    for text, end in (("lost", producer.abort_transaction), ("kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(topic, text.encode())
        producer.flush(30)
        end(30)
    assert [record.value for record in consume(client, topic)] == [b"kept"]
    producer.begin_transaction()
    producer.produce(topic, b"open")
    producer.flush(30)
    assert [record.value for record in consume(client, topic, wait=False)] == [b"kept"]
    with pytest.raises(AssertionError, match="no end"):
        consume(client, topic, timeout=0.5)
    producer.abort_transaction(30)
    assert [record.value for record in consume(client, topic)] == [b"kept"]
    everything = consume(client, topic, isolation="read_uncommitted")
    assert [record.value for record in everything] == [b"lost", b"kept", b"open"]
    delete_topics(client, topic)


def test_who_is_not_let_in(apache_kafka: ApacheKafka, tmp_path: Path) -> None:
    assert "Authentication failed" in refusal(apache_kafka.client("sasl", sasl_password="wrong"))
    launcher.make_certificates(tmp_path)
    stranger = str(tmp_path / "ca.pem")
    assert "certificate" in refusal(apache_kafka.client("tls", ssl_ca_location=stranger))
    assert refusal(apache_kafka.client("tls") | apache_kafka.client_certificate) == ""
    theirs = {
        "ssl.certificate.location": str(tmp_path / "client.crt"),
        "ssl.key.location": str(tmp_path / "client.key"),
    }
    assert refusal(apache_kafka.client("tls") | theirs) != ""


def test_topics_are_not_made_by_accident(apache_kafka: ApacheKafka) -> None:
    from confluent_kafka import KafkaException

    client = apache_kafka.client(topic_metadata_propagation_max_ms=100)
    with pytest.raises(KafkaException, match="Unknown topic"):
        produce(client, unique("nobody-made"), VALUES[:1])


def test_secrets_are_for_the_owner_only(apache_kafka: ApacheKafka) -> None:
    password = str(apache_kafka.client("sasl")["sasl.password"]).encode()
    data = apache_kafka.data
    assert data.stat().st_mode & 0o777 == 0o700
    secret = {
        path
        for path in data.rglob("*")
        if path.is_file() and path.suffix != ".log"
        if path.suffix == ".key" or password in path.read_bytes()
    }
    assert {path.name for path in secret} >= {"broker.json", "sasl.conf", "ca.key", "broker.key"}
    assert {path for path in secret if path.stat().st_mode & 0o077} == set()
    command = Path(f"/proc/{apache_kafka.about['pid']}/cmdline")
    if command.exists():
        assert password not in command.read_bytes()


def test_kill_restart_cut_and_freeze(
    own_kafka: Callable[..., ApacheKafka], record_property: Callable[[str, object], None]
) -> None:
    """One broker for all four: each start costs seconds."""
    from confluent_kafka import KafkaException

    broker = own_kafka(proxied=True, settings={"message.max.bytes": "50000"})
    assert broker.proxy is not None
    record_property("seconds_to_format_and_start", broker.about["seconds"])
    ports = broker.about["ports"]
    topic = unique("kept")
    create_topics(broker.client(), topic, partitions=2)
    produce(broker.client(), topic, VALUES)
    before = consume(broker.client(), topic)
    with pytest.raises(KafkaException, match="too large"):
        produce(broker.client(), topic, [b"x" * 60_000])

    broker.kill()
    assert not broker.is_running
    record_property("seconds_to_start_after_a_kill", broker.start())
    assert broker.about["ports"] == ports
    assert consume(broker.client("sasl"), topic) == before

    # Through the proxy, whose address the broker gives out as its own.
    assert consume(broker.client("proxied"), topic) == before
    broker.proxy.cut()
    assert refusal(broker.client("proxied")) != ""
    broker.proxy.heal()
    produce(broker.client("proxied"), topic, [b"healed"])

    broker.proxy.freeze()
    with pytest.raises(AssertionError, match="not acknowledged"):
        produce(broker.client("proxied"), topic, [b"late"], transaction=False, timeout=1)
    broker.proxy.heal()
    values = [record.value for record in consume(broker.client("proxied"), topic)]
    assert sorted(set(values) - {b"late"}) == sorted({*VALUES, b"healed"})


@pytest.mark.long
def test_what_was_committed_is_read_after_any_kill(own_kafka: Callable[..., ApacheKafka]) -> None:
    """Kafka 4.3.1 failed this within five kills (KAFKA-20734); see pom.xml."""
    broker = own_kafka()
    for _ in range(20):
        topic = unique("kept")
        create_topics(broker.client(), topic)
        produce(broker.client(), topic, VALUES)
        broker.restart(hard=True)
        assert [record.value for record in consume(broker.client(), topic)] == VALUES


def test_no_broker_outlives_its_tests(own_kafka: Callable[..., ApacheKafka]) -> None:
    broker = own_kafka()
    topic = unique("kept")
    create_topics(broker.client(), topic)
    produce(broker.client(), topic, VALUES)
    assert broker.process is not None

    # The launcher is killed: the kernel takes the Java process along.
    os.kill(broker.process.pid, signal.SIGKILL)
    broker.process.wait()
    if sys.platform == "linux":
        wait_for(lambda: not is_alive(broker.about["pid"]))
    else:
        broker.kill()

    # Who asked for it is killed: it ends, and takes its temporary directory along.
    leader = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    broker.while_pid, broker.temporary = leader.pid, True
    broker.start()
    assert [record.value for record in consume(broker.client("tls"), topic)] == VALUES
    leader.kill()
    leader.wait()
    assert broker.process.wait(timeout=90) == 0
    assert not is_alive(broker.about["pid"])
    assert not broker.data.exists()


def test_the_shared_broker_takes_records_whatever_it_is(kafka: Kafka | ApacheKafka) -> None:
    topic = unique("any")
    create_topics(kafka.client(), topic)
    produce(kafka.client(), topic, VALUES, transaction=False)
    values = [record.value for record in consume(kafka.client(), topic)]
    assert sorted(values) == sorted(VALUES)
    if not os.environ.get("KAFKA_BOOTSTRAP_SERVERS") and in_ci():
        assert kafka.kind == "apache"


def test_the_embedded_broker() -> None:
    with embedded_kafka() as broker:
        topic = unique("embedded")
        create_topics(broker.client(), topic)
        produce(broker.client(), topic, VALUES[:10], transaction=False)
        values = [record.value for record in consume(broker.client(), topic)]
        assert sorted(values) == sorted(VALUES[:10])


def run_without_java(tmp_path: Path, **environment: str) -> str:
    """Run two tests of this module on a machine without Java; returns what pytest said."""
    kept = {name: value for name, value in os.environ.items() if name not in KNOWN}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", __file__]
    command += ["-k", "whatever_it_is or by_accident", f"--basetemp={tmp_path / 'inner'}"]
    answer = subprocess.run(
        command,
        env=kept | {"PATH": str(tmp_path), "TMPDIR": str(tmp_path)} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout


def test_without_java_tests_fall_back_loudly(tmp_path: Path) -> None:
    said = run_without_java(tmp_path)
    assert "1 passed, 1 skipped, " in said
    assert "1 warning" in said
    assert "they prove less" in said
    assert "there is no java on PATH" in said


def test_without_java_ci_fails(tmp_path: Path) -> None:
    said = run_without_java(tmp_path, CI="true")
    assert "2 errors" in said
    assert "passed" not in said
    assert "no Apache Kafka: Apache Kafka needs Java 17" in said


def test_a_given_broker_is_taken(tmp_path: Path) -> None:
    with embedded_kafka() as broker:
        given = broker.bootstrap_servers
        said = run_without_java(tmp_path, KAFKA_BOOTSTRAP_SERVERS=given)
    assert "1 passed, 1 skipped" in said
    assert "warning" not in said
