#!/usr/bin/env python3
"""Apache Kafka on this machine: one broker, no Docker, nothing to configure.

    broker.py fetch                 get the jars (Maven), once for all checkouts of a user
    broker.py run --data DIR        format DIR if it is new, start, and run until it is told to stop

What belongs here: getting the jars of pom.xml, making certificates and a SCRAM user, writing
server.properties, watching over the Java process. What does not: anything that speaks Kafka's
protocol. It needs Python 3.11, Java 17 and openssl, no package of the project; the tests start it
through telco_pipeline_tests/kafka.py, people through `make kafka`.

The broker is its own controller (KRaft) and listens on 127.0.0.1 only:

| listener | protocol                     | port     |
|----------|------------------------------|----------|
| plain    | PLAINTEXT                    | first    |
| sasl     | SASL_PLAINTEXT SCRAM-SHA-512 | first+1  |
| tls      | SSL                          | first+2  |
| sasl_tls | SASL_SSL SCRAM-SHA-512       | first+3  |
| (controller)                            | first+4  |
| proxied  | PLAINTEXT, with --proxy-port | first+5  |

A data directory keeps its ports (unless --port gives others), its user, its certificates and its
topics. Exit status: 0 after
a stop that was asked for, 1 when the broker died, 2 when it cannot be started; then the reason
stands in one line on stderr.
"""

import argparse
import base64
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import random
import re
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
POM = HERE / "pom.xml"
HOST = "127.0.0.1"
USER = "telco"
MECHANISM = "SCRAM-SHA-512"
LISTENERS = {
    "plain": "PLAINTEXT",
    "sasl": "SASL_PLAINTEXT",
    "tls": "SSL",
    "sasl_tls": "SASL_SSL",
    "controller": "PLAINTEXT",
    "proxied": "PLAINTEXT",
}
STARTED = "Kafka Server started"
JAVA = 17
# As the dynamic ports of Linux begin at 32768, no client's own end can come to lie on one of ours
# while the broker is down (on one machine such a client would connect to itself).
FREE_PORTS = range(20_000, 32_000, len(LISTENERS))


class BrokerError(Exception):
    """Why there is no broker, in one line for people."""


# --- what must be there --------------------------------------------------------------------


def pinned_version() -> str:
    """Return the version of Kafka that pom.xml asks for."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text())
    if found is None:
        raise BrokerError(f"{POM} names no kafka.version")
    return found[1]


def version_of(libs: Path) -> str:
    """Return the version of Kafka whose jars lie in a directory; raises BrokerError if none do."""
    for jar in sorted(libs.glob("kafka_2.13-*.jar")):
        return jar.stem.removeprefix("kafka_2.13-")
    raise BrokerError(f"{libs} holds no kafka_2.13-*.jar")


def find_java() -> tuple[str, str]:
    """Return path and version of a Java 17 or newer: that of JAVA_HOME, else the first on PATH."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    wanted = f"Apache Kafka needs Java {JAVA} or newer"
    remedy = "Debian, Ubuntu: apt-get install openjdk-17-jre-headless"
    if java is None:
        where = f"in JAVA_HOME={home}" if home else "on PATH"
        raise BrokerError(f"{wanted}; there is no java {where} ({remedy})")
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = answer.stderr + answer.stdout
    found = re.search(r'version "(\d+)', version)
    if found is None:
        raise BrokerError(f"{wanted}; {java} -version does not tell its version")
    if int(found[1]) < JAVA:
        raise BrokerError(f"{wanted}; {java} is Java {found[1]} ({remedy}, or set JAVA_HOME)")
    return java, version


def cache_dir() -> Path:
    """Return where the jars are kept: one place for all checkouts of a user."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "telco-pipeline")


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock file; raises BlockingIOError if it is held already and `wait` is false."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def fetch() -> Path:
    """Return the directory of the jars; Maven gets them if they are not there yet.

    TELCO_KAFKA_LIBS, the libs directory of an unpacked Kafka, goes before Maven.
    """
    given = os.environ.get("TELCO_KAFKA_LIBS")
    if given:
        version_of(Path(given))
        return Path(given)
    # Named by what the pom says, so a changed pom gets a new directory.
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()[:8]
    libs = cache_dir() / f"kafka-{pinned_version()}-{digest}"
    if libs.is_dir():
        return libs
    with locked(libs.with_name(libs.name + ".lock")):
        if not libs.is_dir():
            run_maven(libs)
    return libs


def class_archive(java_version: str, libs: Path) -> Path:
    """Return where Java's archive of loaded classes lies for these jars and this Java.

    The first broker that ends well leaves it behind (53 MB); with it the next ones start in half
    the time. Java ignores an archive that does not fit.
    """
    digest = hashlib.sha256(f"{libs}\n{java_version}".encode()).hexdigest()[:8]
    return cache_dir() / f"kafka-{version_of(libs)}-classes-{digest}.jsa"


def run_maven(libs: Path) -> None:
    """Let Maven copy the jars; the directory appears whole or not at all."""
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError(
            "the jars of Apache Kafka are fetched with Maven, and there is no mvn on PATH "
            "(Debian, Ubuntu: apt-get install maven); or unpack a Kafka and set TELCO_KAFKA_LIBS "
            "to its libs directory"
        )
    print(f"Fetching Apache Kafka {pinned_version()} with Maven (45 MB)", file=sys.stderr)
    fresh = Path(tempfile.mkdtemp(prefix="fetch-", dir=libs.parent))
    try:
        answer = subprocess.run(
            [maven, "-q", "-B", "-f", str(POM), "package", f"-Dkafka.libs={fresh}"],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if answer.returncode or not any(fresh.glob("kafka_2.13-*.jar")):
            said = re.findall(r"\[ERROR\] (.+)", answer.stdout + answer.stderr)
            raise BrokerError(f"Maven did not fetch Kafka: {said[0] if said else answer.stderr}")
        fresh.chmod(0o755)
        fresh.rename(libs)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


# --- the data directory --------------------------------------------------------------------


def is_free(port: int) -> bool:
    """Whether a listener could be bound to the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_ports(first: int) -> dict[str, int]:
    """Return a port for each listener: in a row from `first`, or free ones if that is 0."""
    if first:
        if not 1 <= first <= 65535 - len(LISTENERS):
            raise BrokerError(f"--port {first}: must lie between 1 and {65535 - len(LISTENERS)}")
        return dict(zip(LISTENERS, range(first, first + len(LISTENERS)), strict=True))
    for start in random.sample(FREE_PORTS, 200):
        ports = dict(zip(LISTENERS, range(start, start + len(LISTENERS)), strict=True))
        if all(is_free(port) for port in ports.values()):
            return ports
    raise BrokerError(f"found no free ports between {FREE_PORTS.start} and {FREE_PORTS.stop}")


def openssl(*arguments: str) -> None:
    """Run openssl; its complaint becomes ours."""
    if shutil.which("openssl") is None:
        raise BrokerError("certificates are made with openssl, and there is none on PATH")
    answer = subprocess.run(
        ["openssl", *arguments], capture_output=True, text=True, check=False, umask=0o077
    )
    if answer.returncode:
        raise BrokerError(f"openssl {arguments[0]} failed: {' '.join(answer.stderr.split())}")


def make_certificates(folder: Path) -> None:
    """Make an authority and, signed by it, certificates of the broker and of a client.

    Elliptic curve keys in PEM: made in milliseconds, and read by Java and by librdkafka alike.
    broker.pem holds key and chain, as Kafka wants them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    authority = ("-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem"))
    openssl("req", "-x509", *key, *authority, "-days", "3650", "-subj", "/CN=telco-kafka-ca")
    for name, extension in {
        "broker": f"subjectAltName=DNS:localhost,IP:{HOST}\nextendedKeyUsage=serverAuth\n",
        "client": "extendedKeyUsage=clientAuth\n",
    }.items():
        request, certificate = folder / f"{name}.csr", folder / f"{name}.crt"
        extensions = folder / f"{name}.ext"
        extensions.write_text(extension)
        target = ("-keyout", str(folder / f"{name}.key"), "-out", str(request))
        openssl("req", "-new", *key, *target, "-subj", f"/CN={name}")
        signer = ("-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"))
        serial = ("-set_serial", str(secrets.randbits(63)), "-days", "3650")
        extra = ("-extfile", str(extensions), "-out", str(certificate))
        openssl("x509", "-req", "-in", str(request), *signer, *serial, *extra)
        request.unlink()
        extensions.unlink()
    secret = folder / "broker.pem"
    secret.touch(mode=0o600)
    secret.write_text((folder / "broker.key").read_text() + (folder / "broker.crt").read_text())


def client_settings(data: Path, about: dict) -> dict[str, dict[str, str]]:
    """Return for each listener what a librdkafka client (kcat, confluent-kafka) is to set."""
    sasl = {
        "sasl.mechanism": MECHANISM,
        "sasl.username": USER,
        "sasl.password": about["password"],
    }
    tls = {"ssl.ca.location": str(data / "tls" / "ca.pem")}
    extra = {"sasl": sasl, "tls": tls, "sasl_tls": sasl | tls}
    return {
        name: {
            "bootstrap.servers": f"{HOST}:{about['ports'][name]}",
            "security.protocol": LISTENERS[name].lower(),
            **extra.get(name, {}),
        }
        for name in ("plain", "sasl", "tls", "sasl_tls")
    }


def server_settings(
    data: Path, about: dict, proxy_port: int | None, extra: dict[str, str]
) -> dict[str, str]:
    """Return server.properties of a broker that is alone, small, and quick on two cores."""
    ports = {name: port for name, port in about["ports"].items() if name != "proxied" or proxy_port}
    seen = {name: port for name, port in ports.items() if name != "controller"}
    if proxy_port:
        seen["proxied"] = proxy_port
    tls = data / "tls"
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{ports['controller']}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAIN",
        "listeners": ",".join(f"{name.upper()}://{HOST}:{port}" for name, port in ports.items()),
        "advertised.listeners": ",".join(
            f"{name.upper()}://{HOST}:{port}" for name, port in seen.items()
        ),
        "listener.security.protocol.map": ",".join(
            f"{name.upper()}:{LISTENERS[name]}" for name in ports
        ),
        "log.dirs": str(data / "log"),
        # One broker: nothing can be replicated.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        # Fifty partitions each would be made at the first transaction and at the first group.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
        "offsets.topic.segment.bytes": "10485760",
        "transaction.state.log.segment.bytes": "10485760",
        "auto.create.topics.enable": "false",
        "delete.topic.enable": "true",
        # Room that is given up is wanted back soon: tests and measurements fill disks.
        "log.segment.delete.delay.ms": "1000",
        "group.initial.rebalance.delay.ms": "0",
        # A broker that was killed is let in again when its last session is over.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # A transaction whose producer is gone for good ends a second after its timeout.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
        # Two cores, shared with the producer, and a small heap.
        "num.network.threads": "2",
        "num.io.threads": "3",
        "background.threads": "2",
        "num.replica.fetchers": "1",
        "log.cleaner.dedupe.buffer.size": "8388608",
        "log.cleaner.io.buffer.size": "65536",
        "socket.send.buffer.bytes": "1048576",
        "socket.receive.buffer.bytes": "1048576",
        "listener.name.sasl.sasl.enabled.mechanisms": MECHANISM,
        "listener.name.sasl_tls.sasl.enabled.mechanisms": MECHANISM,
        # A client may show a certificate; one of another authority is refused.
        "listener.name.tls.ssl.client.auth": "requested",
    }
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    for name in ("sasl", "sasl_tls"):
        settings[f"listener.name.{name}.{MECHANISM.lower()}.sasl.jaas.config"] = login
    for name in ("tls", "sasl_tls"):
        settings |= {
            f"listener.name.{name}.ssl.keystore.type": "PEM",
            f"listener.name.{name}.ssl.keystore.location": str(tls / "broker.pem"),
            f"listener.name.{name}.ssl.truststore.type": "PEM",
            f"listener.name.{name}.ssl.truststore.location": str(tls / "ca.pem"),
        }
    return settings | extra


def write_properties(path: Path, settings: dict[str, str]) -> None:
    """Write a properties file that only its owner can read."""
    path.touch(mode=0o600)
    lines = (f"{name}={value}" for name, value in settings.items())
    path.write_text("\n".join(lines).replace("\\", "\\\\") + "\n")


def java_command(java: str, heap: int, *rest: str) -> list[str]:
    """Return how to call a class of Kafka; the jars come by CLASSPATH.

    Measured with 600-byte records on two cores: without Java's second compiler a broker starts in
    two thirds of the time and spends less CPU on the first three million records, and classes that
    were archived (see `class_archive`) halve the start again. The serial collector has no threads
    that would compete for the cores, and what a broker throws away dies young.
    """
    return [
        java,
        f"-Xmx{heap}m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",
        "-Xshare:auto",
        "-Xlog:disable",
        "-Xlog:all=error:stderr",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
        *rest,
    ]


def java_environment(libs: Path) -> dict[str, str]:
    """Return the environment of a Java process: the jars in an order that is always the same."""
    jars = ":".join(str(path) for path in sorted(libs.glob("*.jar")))
    # What people set for other programs could make ours noisy or large.
    unwanted = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    return kept | {"CLASSPATH": jars}


def complaint(said: str) -> str:
    """Return the line of what a Java process said that tells best why it failed."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"Exception|Error|ERROR", line)]
    causes = [line for line in errors if line.startswith("Caused by:")]
    return (causes or errors or lines or ["it said nothing"])[-1]


def format_storage(java: list[str], libs: Path, data: Path, about: dict) -> None:
    """Format the storage of a new data directory and make the SCRAM user in it."""
    shutil.rmtree(data / "log", ignore_errors=True)  # of a format that was interrupted
    cluster = "-"
    while cluster.startswith("-"):  # would be taken for an option
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    user = f"{MECHANISM}=[name={USER},password={about['password']}]"
    rest = ("format", "-c", str(data / "server.properties"), "-t", cluster, "--add-scram", user)
    # The arguments go through a file: those of a process are for all to see.
    arguments = data / "format.args"
    arguments.touch(mode=0o600)
    arguments.write_text("\n".join(f'"{part}"' for part in ("kafka.tools.StorageTool", *rest)))
    try:
        answer = subprocess.run(
            [*java, f"@{arguments}"],
            capture_output=True,
            text=True,
            check=False,
            env=java_environment(libs),
        )
    finally:
        arguments.unlink()
    if answer.returncode:
        reason = complaint(answer.stdout + answer.stderr)
        raise BrokerError(f"{data} cannot be formatted: {reason}")


def prepare(data: Path, first_port: int) -> dict:
    """Return ports and password of a data directory; a new one gets them, and certificates."""
    book = data / "broker.json"
    try:
        about = json.loads(book.read_text()) if book.exists() else {}
    except ValueError as error:
        raise BrokerError(f"{book} is damaged; delete {data}") from error
    if first_port or not about:
        if not about:
            make_certificates(data / "tls")
            about = {"password": secrets.token_urlsafe(18)}
        about["ports"] = choose_ports(first_port)
        book.touch(mode=0o600)
        book.write_text(json.dumps(about, indent=2) + "\n")
    return about


# --- the running broker --------------------------------------------------------------------


class Watched:
    """Another process whose end is ours too."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            # A descriptor, where there are such: a number could be given to the next process.
            self.descriptor = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        except OSError as error:
            raise BrokerError(f"--while-pid {pid}: {error.strerror}") from error

    def is_gone(self) -> bool:
        if self.descriptor is not None:
            return bool(select.select([self.descriptor], [], [], 0)[0])
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False


def die_with_us() -> None:
    """Run in the child on Linux: if we are killed, the Java process is too."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Broker:
    """The Java process of a broker, from its start to its end."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self.begin = log.stat().st_size if log.exists() else 0
        self.stop_asked = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.ask_to_stop)
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C is for us; we pass it on as SIGTERM
                preexec_fn=die_with_us,
            )

    def ask_to_stop(self, *_: object) -> None:
        self.stop_asked = True

    def said(self) -> str:
        """Return what this process has logged."""
        with self.log.open("rb") as file:
            file.seek(self.begin)
            return file.read().decode(errors="replace")

    def is_started(self) -> bool:
        return STARTED in self.said()

    def wait_until_started(self, timeout: float, watched: Watched | None) -> bool:
        """Whether it serves before a stop is asked for; raises BrokerError if it cannot."""
        end = time.monotonic() + timeout
        while not self.is_started():
            if self.stop_asked or (watched and watched.is_gone()):
                return False
            if self.process.poll() is not None:
                reason = complaint(self.said())
                raise BrokerError(f"Apache Kafka did not start: {reason} (see {self.log})")
            if time.monotonic() > end:
                self.stop()
                raise BrokerError(f"Apache Kafka was not up after {timeout:g} s (see {self.log})")
            time.sleep(0.05)
        return True

    def watch(self, watched: Watched | None) -> int:
        """Wait until a stop is asked for, the watched process ends or the broker dies."""
        while not self.stop_asked and not (watched and watched.is_gone()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = self.process.wait(timeout=0.2)
                why = f"signal {-status}" if status < 0 else f"exit status {status}"
                message = f"error: Apache Kafka ended by itself ({why}; see {self.log})"
                print(message, file=sys.stderr)
                return 1
        if sys.stderr.isatty():
            print("Stopping Apache Kafka", file=sys.stderr)
        return 0 if self.stop() else 1

    def stop(self) -> bool:
        """Let it finish what it writes; kill it if that takes too long. Whether it ended well."""
        self.process.terminate()
        try:
            # Half a second as a rule; the one that archives its classes may need ten.
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return False
        return True


def check_ports(settings: dict[str, str]) -> None:
    """Raise BrokerError if a port is taken: Kafka's own complaint is long."""
    for port in map(int, re.findall(r":(\d+)", settings["listeners"])):
        if not is_free(port):
            raise BrokerError(
                f"port {port} is taken, perhaps by another broker; stop it, or use another data "
                "directory with --port N (make kafka KAFKA_DATA=... KAFKA_PORT=...)"
            )


def ready_line(about: dict, clients: dict[str, dict[str, str]], data: Path, took: float) -> str:
    """Return the one line that says where the broker is."""
    names = {"plain": "plain", "sasl": MECHANISM, "tls": "TLS", "sasl_tls": f"TLS+{MECHANISM}"}
    where = ", ".join(f"{clients[key]['bootstrap.servers']} {text}" for key, text in names.items())
    return (
        f"Apache Kafka {about['version']} is ready after {took:.1f} s: {where}; "
        f"user {USER}, client settings in {data / 'clients'}"
    )


def keep(fresh: Path, archive: Path) -> None:
    """Put an archive of classes in its place at once, so that nobody reads half of one."""
    if fresh.exists():
        with tempfile.NamedTemporaryFile(dir=archive.parent, delete=False) as file:
            target = Path(file.name)
        shutil.move(fresh, target)
        target.replace(archive)


@contextlib.contextmanager
def kept_or_deleted(data: Path, temporary: bool) -> Iterator[None]:
    """Delete a temporary data directory at the end, if we made it and need not look into it."""
    failed = False
    try:
        yield
    except BrokerError:
        failed = True
        raise
    finally:
        if temporary and not failed and (data / "broker.json").exists():
            shutil.rmtree(data, ignore_errors=True)


def run(options: argparse.Namespace) -> int:
    """Start a broker and stay with it; returns the exit status."""
    begin = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))  # until there is a broker to stop
    watched = Watched(options.while_pid) if options.while_pid else None
    java, java_version = find_java()
    libs, data = fetch(), options.data.resolve()
    archive = class_archive(java_version, libs)
    known = [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(data / ".lock", wait=False), kept_or_deleted(data, options.temporary):
            about = prepare(data, options.port) | {"version": version_of(libs)}
            clients = client_settings(data, about)
            (data / "clients").mkdir(exist_ok=True)
            for name, settings in clients.items():
                write_properties(data / "clients" / f"{name}.conf", settings)
            settings = server_settings(data, about, options.proxy_port, dict(options.set))
            check_ports(settings)
            write_properties(data / "server.properties", settings)
            formatted = data / "formatted"
            if not formatted.exists():
                format_storage(java_command(java, 128, *known), libs, data, about)
                formatted.touch()
            fresh = data / "classes.jsa"
            command = java_command(
                java,
                options.heap,
                "-XX:+ExitOnOutOfMemoryError",
                *(known or [f"-XX:ArchiveClassesAtExit={fresh}"]),
                "kafka.Kafka",
                str(data / "server.properties"),
            )
            broker = Broker(command, java_environment(libs), data / "broker.log")
            started = broker.wait_until_started(options.timeout, watched)
            took = time.monotonic() - begin
            if started and options.json:
                found = {"clients": clients, "pid": broker.process.pid, "seconds": round(took, 2)}
                found |= {"version": about["version"], "ports": about["ports"]}
                print(json.dumps(found), flush=True)
            elif started:
                print(ready_line(about, clients, data, took), flush=True)
            status = broker.watch(watched)
            if status == 0:
                keep(fresh, archive)
            return status
    except BlockingIOError as error:
        raise BrokerError(f"a broker already runs on {data}") from error
    except OSError as error:
        where = error.filename or data
        raise BrokerError(f"data directory {data}: {where}: {error.strerror}") from error


def setting(text: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch", help="get the jars and print where they are")
    runs = commands.add_parser("run", help="start a broker and stay with it")
    runs.add_argument("--data", type=Path, required=True, help="directory of the broker")
    runs.add_argument("--port", type=int, default=0, help="first port of a new directory; 0: free")
    runs.add_argument("--heap", type=int, default=512, help="Java heap in MB")
    runs.add_argument("--proxy-port", type=int, help="port of a proxy before the listener proxied")
    runs.add_argument("--set", type=setting, action="append", default=[], metavar="NAME=VALUE")
    runs.add_argument("--timeout", type=float, default=90, help="seconds to wait for the start")
    runs.add_argument("--while-pid", type=int, help="stop when this process has ended")
    runs.add_argument("--temporary", action="store_true", help="delete the directory at the end")
    runs.add_argument("--json", action="store_true", help="say in JSON where the broker is")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says."""
    options = parse(arguments)
    try:
        if options.command == "fetch":
            find_java()
            print(fetch())
            return 0
        return run(options)
    except BrokerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
