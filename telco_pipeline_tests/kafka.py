"""Brokers for tests, and what tests ask of them.

Which broker a test gets:

- `kafka`: any broker that takes records. The one of KAFKA_BOOTSTRAP_SERVERS if that is set, else
  Apache Kafka of deploy/kafka, started once for all workers of a test run; only where that cannot
  be had the broker of librdkafka, with a warning in pytest's summary. In CI this is a failure.
- `apache_kafka`: that shared Apache Kafka with all its listeners, whatever the variable says. Not
  to be stopped. Without Java or Maven the test is skipped, in CI it fails.
- `own_kafka`: starts brokers that belong to the test alone, which may stop, kill and restart them.

Topics of a shared broker are shared too: take names from `unique`. What belongs here: brokers,
a network that can be cut, topics, reading all there is. What does not: anything about telco's
topics or records.
"""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from deploy.kafka import broker as launcher

ROOT = Path(__file__).parents[1]
Settings = dict[str, str | int | float | bool]


class KafkaUnavailableError(Exception):
    """Why there is no broker, in one line."""


# --- brokers -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kafka:
    """A broker that somebody else keeps running."""

    kind: str
    """`given` (KAFKA_BOOTSTRAP_SERVERS), `apache` or `embedded` (librdkafka's own)."""
    bootstrap_servers: str

    def client(self, **extra: str | int | float | bool) -> Settings:
        """Return settings of a librdkafka client; `a_b` in `extra` means `a.b`."""
        return {"bootstrap.servers": self.bootstrap_servers} | dotted(extra)


def dotted(settings: dict[str, str | int | float | bool]) -> Settings:
    return {name.replace("_", "."): value for name, value in settings.items()}


class ApacheKafka:
    """An Apache Kafka on this machine, from its start to its end.

    Args:
        data: its directory; a second broker on it goes on with ports, topics and credentials.
        settings: more lines of server.properties, such as `{"message.max.bytes": "2000"}`.
        proxied: put a `Proxy` before a listener of its own (`client("proxied")`, `proxy`).
        while_pid: the broker stops when this process ends, even if it is killed.
        temporary: delete `data` when the broker stops.
    """

    kind = "apache"

    def __init__(
        self,
        data: Path,
        *,
        settings: dict[str, str] | None = None,
        proxied: bool = False,
        while_pid: int | None = None,
        temporary: bool = False,
    ) -> None:
        self.data = data
        self.settings = settings or {}
        self.while_pid = while_pid or os.getpid()
        self.temporary = temporary
        self.proxy = Proxy() if proxied else None
        self.about: dict = {}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start it and return the seconds until it served; raises KafkaUnavailableError."""
        command = [sys.executable, launcher.__file__, "run", "--json", "--data", str(self.data)]
        command += ["--while-pid", str(self.while_pid)]
        command += ["--temporary"] if self.temporary else []
        command += ["--proxy-port", str(self.proxy.port)] if self.proxy else []
        for name, value in self.settings.items():
            command += ["--set", f"{name}={value}"]
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A file, as nobody would read a pipe any more once the broker runs.
        with (self.data / "launcher.log").open("w+") as said:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                start_new_session=True,  # Ctrl-C is for pytest
            )
            assert process.stdout is not None
            with process.stdout as answer:
                line = answer.readline()
            if not line:
                process.wait()
                said.seek(0)
                reason = (said.read().strip().splitlines() or ["it said nothing"])[-1]
                raise KafkaUnavailableError(reason.removeprefix("error: "))
        self.about = json.loads(line)
        self.process = process
        if self.proxy:
            self.proxy.target = self.about["ports"]["proxied"]
        return self.about["seconds"]

    @property
    def bootstrap_servers(self) -> str:
        return str(self.client()["bootstrap.servers"])

    @property
    def ca_file(self) -> Path:
        return self.data / "tls" / "ca.pem"

    @property
    def client_certificate(self) -> Settings:
        """Return settings for a client that shows a certificate to the listener `tls`."""
        tls = self.data / "tls"
        return {
            "ssl.certificate.location": str(tls / "client.crt"),
            "ssl.key.location": str(tls / "client.key"),
        }

    def client(self, listener: str = "plain", **extra: str | int | float | bool) -> Settings:
        """Return settings of a librdkafka client.

        Args:
            listener: `plain`, `sasl`, `tls`, `sasl_tls` (credentials and CA file are among the
                settings) or `proxied`.
            extra: more settings; `a_b` means `a.b`.
        """
        if listener == "proxied":
            assert self.proxy is not None, "start it with proxied=True"
            return {"bootstrap.servers": f"{launcher.HOST}:{self.proxy.port}"} | dotted(extra)
        return self.about["clients"][listener] | dotted(extra)

    def stop(self) -> None:
        """Stop it as an operator would (SIGTERM); returns when it is gone."""
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(timeout=90) == 0, f"the broker did not end well: {self.data}"

    def kill(self) -> None:
        """Kill the Java process with signal 9; returns when it is gone."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.about["pid"], signal.SIGKILL)
        self.process.wait(timeout=30)

    def restart(self, *, hard: bool = False) -> float:
        """Stop (or kill) it and start it on the same ports and data; returns the seconds."""
        (self.kill if hard else self.stop)()
        return self.start()

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def close(self) -> None:
        """End broker and proxy for good, however they are."""
        if self.is_running:
            self.kill()
        if self.proxy:
            self.proxy.close()


class SharedKafka(ApacheKafka):
    """The one Apache Kafka of a test run, started by whichever worker needs it first.

    It lives as long as the process that leads the test run, and deletes its directory then.
    """

    def __init__(self) -> None:
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
        leader = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
        data = Path(tempfile.gettempdir()) / f"telco-kafka-{run}"
        super().__init__(data, while_pid=leader, temporary=True)

    def start(self) -> float:
        """Start it if no other worker has; one failure is the failure of all."""
        book, failed = self.data / "shared.json", self.data / "failed"
        self.data.mkdir(exist_ok=True, mode=0o700)
        with launcher.locked(self.data / "shared.lock"):
            if failed.exists():
                raise KafkaUnavailableError(failed.read_text())
            if not book.exists():
                try:
                    super().start()
                except KafkaUnavailableError as error:
                    failed.write_text(str(error))
                    raise
                book.touch(mode=0o600)
                book.write_text(json.dumps(self.about))
        self.about = json.loads(book.read_text())
        return self.about["seconds"]

    def stop(self) -> None:
        raise AssertionError("this broker is shared; take own_kafka")

    kill = stop


EMBEDDED_PARTITIONS = 4
EMBEDDED = """
import sys
from confluent_kafka import Producer
producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock"})
brokers = producer.list_topics(timeout=10).brokers.values()
print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
sys.stdin.read()  # ends when whoever started us has
"""


@contextlib.contextmanager
def embedded_kafka() -> Iterator[Kafka]:
    """Run the broker that librdkafka carries for tests, in a process of its own.

    In memory and small; it answers transactions but keeps none of their promises.
    """
    with subprocess.Popen(
        [sys.executable, "-c", EMBEDDED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Kafka("embedded", process.stdout.readline().strip())
        process.stdin.close()


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no", "off")


def warn_loudly(message: str) -> None:
    """Put a line into pytest's summary of warnings; as no module's fault, so it is no error."""
    warnings.warn_explicit(message, UserWarning, filename="Kafka", lineno=0, module="kafka")


@pytest.fixture(scope="session")
def shared_kafka() -> ApacheKafka | KafkaUnavailableError:
    """Give the shared Apache Kafka, or why there is none."""
    broker = SharedKafka()
    try:
        broker.start()
    except KafkaUnavailableError as error:
        return error
    return broker


@pytest.fixture(scope="session")
def apache_kafka(request: pytest.FixtureRequest) -> ApacheKafka:
    """Give the Apache Kafka that all tests share, with all its listeners."""
    broker = request.getfixturevalue("shared_kafka")
    if isinstance(broker, KafkaUnavailableError):
        refuse(broker)
    return broker


def refuse(error: KafkaUnavailableError) -> NoReturn:
    """Skip a test that proves nothing without Apache Kafka; fail it in CI."""
    message = f"no Apache Kafka: {error}"
    if in_ci():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka | ApacheKafka]:
    """Give a broker that takes records, the most real one that can be had."""
    given = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if given:
        yield Kafka("given", given)
        return
    broker = request.getfixturevalue("shared_kafka")
    if isinstance(broker, ApacheKafka):
        yield broker
        return
    message = f"no Apache Kafka: {broker}"
    if in_ci():
        pytest.fail(message, pytrace=False)
    warn_loudly(f"{message}. Tests ran on librdkafka's embedded broker: they prove less.")
    with embedded_kafka() as embedded:
        yield embedded


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Callable[..., ApacheKafka]]:
    """Start brokers for this test alone; the arguments are `settings` and `proxied`."""
    started: list[ApacheKafka] = []

    def start(**options: object) -> ApacheKafka:
        broker = ApacheKafka(tmp_path / f"kafka-{len(started)}", **options)  # type: ignore[arg-type]
        started.append(broker)
        try:
            broker.start()
        except KafkaUnavailableError as error:
            refuse(error)
        return broker

    yield start
    for broker in started:
        broker.close()


# --- a network that can be cut -------------------------------------------------------------


class Proxy:
    """A TCP proxy on localhost, in threads of this process, that can cut the network.

    `cut` ends all connections and every new one at once (a reset, as of a router that died);
    `freeze` lets nothing through and says nothing (a cable pulled out); `heal` ends both. Data
    that arrived during a freeze goes on after it; connections that were cut stay cut.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.listener = socket.create_server((launcher.HOST, 0))
        self.port: int = self.listener.getsockname()[1]
        self.is_cut = False
        self.flowing = threading.Event()
        self.flowing.set()
        self.pairs: set[tuple[socket.socket, socket.socket]] = set()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        # The listener stays: a port that nobody holds could be given to another program.
        with self.lock:
            self.is_cut = True
            pairs = list(self.pairs)
        for pair in pairs:
            self._end(pair)

    def freeze(self) -> None:
        self.flowing.clear()

    def heal(self) -> None:
        self.is_cut = False
        self.flowing.set()

    def close(self) -> None:
        self.cut()
        self.flowing.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((launcher.HOST, self.target), timeout=5)
            except OSError:  # the broker is down: so are we
                near.close()
                continue
            far.settimeout(None)
            pair = (near, far)
            with self.lock:
                self.pairs.add(pair)
                refused = self.is_cut
            if refused:
                self._end(pair)
                continue
            for source, sink in (pair, pair[::-1]):
                threading.Thread(target=self._pump, args=(source, sink, pair), daemon=True).start()

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        pair: tuple[socket.socket, socket.socket],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 18):
                self.flowing.wait()
                sink.sendall(data)
        self._end(pair)

    def _end(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self.lock:
            self.pairs.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


# --- topics and records --------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A record as a consumer saw it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes | None]
    timestamp_ms: int


def unique(prefix: str = "test") -> str:
    """Return a name that no other test has."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def create_topics(
    client: Settings,
    *names: str,
    partitions: int = 1,
    settings: dict[str, str] | None = None,
    timeout: float = 20,
) -> None:
    """Create topics and wait until the broker serves all their partitions.

    The embedded broker cannot be asked for that: it makes a topic of four partitions, whatever
    `partitions` says, as soon as somebody asks about it.
    """
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient(client)
    if str(admin.list_topics(timeout=timeout).cluster_id).startswith("mockCluster"):
        partitions = EMBEDDED_PARTITIONS
    else:
        topics = [NewTopic(name, partitions, 1, config=settings or {}) for name in names]
        for future in admin.create_topics(topics, operation_timeout=timeout).values():
            future.result(timeout)
    end = time.monotonic() + timeout
    for name in names:
        while True:
            found = admin.list_topics(name, timeout=timeout).topics[name]
            if found.error is None and len(found.partitions) == partitions:
                break
            assert time.monotonic() < end, f"topic {name} is not served after {timeout} s"
            time.sleep(0.05)


def delete_topics(client: Settings, *names: str, timeout: float = 20) -> None:
    """Delete topics with their records; their disk space is free a second later.

    The embedded broker cannot.
    """
    from confluent_kafka.admin import AdminClient

    admin = AdminClient(client)  # held: what it was asked ends with it
    for future in admin.delete_topics(list(names), operation_timeout=timeout).values():
        future.result(timeout)


def read(
    client: Settings,
    *topics: str,
    isolation: str = "read_committed",
    wait: bool = True,
    timeout: float = 60,
) -> Iterator[Record]:
    """Yield all records of topics, from the first to the end as it is when it is reached.

    What a committed transaction wrote is seen, what an aborted one wrote is not. An open one hides
    what comes after it in its partitions, and so does, for a moment, one whose commit has returned
    but whose marker is not written yet: so the end is not reached before all transactions have
    ended (after a kill: when the next producer of that name has called `init_transactions`, or
    after the transaction's timeout). With `wait` false it is reached at the first open one.
    Records come in order within a partition. No group is joined, no offset is committed.

    Raises AssertionError after `timeout` seconds without the end.
    """
    from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

    consumer = Consumer(
        {
            "group.id": unique("reader"),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": isolation,
            "fetch.wait.max.ms": 50,
        }
        | client
    )
    try:
        known = consumer.list_topics(timeout=timeout).topics
        missing = set(topics) - set(known)
        assert not missing, f"no such topics: {sorted(missing)}"
        waiting = {(name, number) for name in topics for number in known[name].partitions}
        consumer.assign([TopicPartition(name, number, 0) for name, number in sorted(waiting)])
        end = time.monotonic() + timeout
        while waiting:
            assert time.monotonic() < end, f"no end of {sorted(waiting)} in {timeout} s"
            for message in consumer.consume(10_000, timeout=0.1):
                where = (str(message.topic()), int(message.partition() or 0))
                error = message.error()
                if error is None:
                    yield Record(
                        *where,
                        int(message.offset() or 0),
                        message.key(),
                        message.value(),
                        dict(message.headers() or []),
                        message.timestamp()[1],
                    )
                elif error.code() == KafkaError._PARTITION_EOF:
                    _, high = consumer.get_watermark_offsets(TopicPartition(*where), cached=True)
                    if not wait or int(message.offset() or 0) >= high:
                        waiting.discard(where)
                else:
                    raise KafkaException(error)
    finally:
        consumer.close()


def consume(client: Settings, *topics: str, **options: str | float) -> list[Record]:
    """Return all records of topics, by topic, partition and offset; see `read`."""
    records = read(client, *topics, **options)  # type: ignore[arg-type]
    return sorted(records, key=lambda record: (record.topic, record.partition, record.offset))


def produce(
    client: Settings,
    topic: str,
    values: Iterable[bytes],
    *,
    transaction: bool = True,
    timeout: float = 30,
    **settings: str | int | float | bool,
) -> None:
    """Write values to a topic with acks=all, by default in one transaction."""
    from confluent_kafka import KafkaException, Producer

    own: Settings = {"transactional.id": unique("producer")} if transaction else {}
    quiet = {"log_level": 2}  # what fails is raised; that a broker is down is no news
    producer = Producer({"acks": "all", "linger.ms": 5} | quiet | own | client | dotted(settings))
    failures: list[object] = []
    if transaction:
        producer.init_transactions(timeout)
        producer.begin_transaction()
    for number, value in zip(itertools.count(), values):
        producer.produce(
            topic,
            value,
            key=str(number).encode(),
            headers={"number": str(number)},
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        producer.poll(0)
    try:
        if transaction:
            producer.commit_transaction(timeout)
        left = producer.flush(timeout)
    except KafkaException as error:
        # The report about a record says more than the commit that failed by it.
        raise KafkaException(failures[0] if failures else error.args[0]) from error
    if failures:
        raise KafkaException(failures[0])
    assert not left, f"{left} records were not acknowledged in {timeout} s"
