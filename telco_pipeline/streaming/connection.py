"""Connection: which broker, with which credentials, and why it does not answer.

Belongs here: what environment and options say, the settings of librdkafka clients, errors of the
broker in words. Does not belong here: topics (`topics`), sending and reading.

Passwords come from the environment or from a file that it names. They are in no `repr`, message or
log line.
"""

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import values

DEFAULT_ADDRESS: Final = "127.0.0.1:9092"
SETTINGS_FILE: Final = "KAFKA_CLIENT_SETTINGS"
VARIABLES: Final[Mapping[str, str]] = {
    "KAFKA_BOOTSTRAP_SERVERS": "bootstrap.servers",
    "KAFKA_SECURITY_PROTOCOL": "security.protocol",
    "KAFKA_SASL_MECHANISM": "sasl.mechanism",
    "KAFKA_SASL_USERNAME": "sasl.username",
    "KAFKA_SASL_PASSWORD": "sasl.password",
    "KAFKA_SSL_CA_LOCATION": "ssl.ca.location",
    "KAFKA_SSL_CERTIFICATE_LOCATION": "ssl.certificate.location",
    "KAFKA_SSL_KEY_LOCATION": "ssl.key.location",
    "KAFKA_SSL_KEY_PASSWORD": "ssl.key.password",
}
"""What each variable of the environment sets in librdkafka."""

PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER")
_WITH_PASSWORD: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

_PASSWORDS: Final = ("KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD")
_FILES: Final = (
    "KAFKA_SSL_CA_LOCATION",
    "KAFKA_SSL_CERTIFICATE_LOCATION",
    "KAFKA_SSL_KEY_LOCATION",
)
_OURS: Final = (
    *("transactional.id", "enable.idempotence", "group.id", "isolation.level", "acks"),
    *("partitioner", "log_level", "logger", "error_cb"),
)
"""Settings that the stream's promises hang on; a file may not set them."""
_OTHER_NAMES: Final = {
    "metadata.broker.list": "bootstrap.servers",
    "sasl.mechanisms": "sasl.mechanism",
}
_MOST_BYTES: Final = 1 << 16
_UNDERSCORES: Final = ("log_level", "on_delivery", "on_commit")

LOGGER: Final = logging.getLogger("telco_pipeline.streaming.librdkafka")
"""Where the lines go that librdkafka would write to stderr; what fails is raised as an error."""
LOGGER.addHandler(logging.NullHandler())
LOGGER.propagate = False

_PATIENCE: Final = 1.0
"""Seconds after an error that waiting does not mend; another bootstrap server may do better."""
_LONGER_PATIENCE: Final = 3.0
"""Seconds after an error that may pass, such as a broker that is just starting."""
_STEP: Final = 0.25


@dataclass(frozen=True)
class Connection:
    """A broker, and how to be let in.

    Attributes:
        settings: Settings of librdkafka, by their names; they hold passwords.
    """

    settings: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, **overrides: str | None
    ) -> "Connection":
        """Return what the environment says; options replace it.

        The file of KAFKA_CLIENT_SETTINGS (lines `name=value` with the names of librdkafka, as
        those in data/kafka/clients) is beaten by the other variables, those by options. Empty
        variables count as not set.

        Args:
            environ: The variables; those of this process when None.
            **overrides: Options by the variable's name without KAFKA_ and in small letters, such
                as `bootstrap_servers`; None leaves what the environment says.

        Raises:
            TelcoError: A name is unknown, a value cannot be, or two do not go together.
        """
        environ = os.environ if environ is None else environ
        given = {name: environ.get(name, "").strip() for name in (*VARIABLES, SETTINGS_FILE)}
        # A password may begin or end with a blank.
        given |= {name: environ.get(name, "") for name in _PASSWORDS}
        said_by = {name: name for name in given}
        for option, value in overrides.items():
            name = f"KAFKA_{option.upper()}"
            if name not in given:
                raise ValueError(f"no option of a connection: {option}")
            if value is not None:
                said_by[name] = f"--{option.replace('_', '-')}"
                given[name] = value.strip()
                if not given[name]:
                    raise TelcoError(f"{said_by[name]} is empty; leave it out, or write a value")
        settings = _from_file(Path(given[SETTINGS_FILE])) if given[SETTINGS_FILE] else {}
        settings |= {VARIABLES[name]: given[name] for name in VARIABLES if given[name]}
        settings.setdefault("bootstrap.servers", DEFAULT_ADDRESS)
        _check_words(settings, said_by)
        _check_files(settings, said_by)
        _check_sasl(settings, said_by)
        _check_addresses(settings["bootstrap.servers"], said_by["KAFKA_BOOTSTRAP_SERVERS"])
        return cls(settings)

    @property
    def address(self) -> str:
        """The bootstrap servers, for messages."""
        return self.settings["bootstrap.servers"]

    @property
    def protocol(self) -> str:
        """The security protocol, in capitals."""
        return self.settings.get("security.protocol", "PLAINTEXT").upper()

    def client(self, **extra: object) -> dict[str, Any]:
        """Return settings of a librdkafka client whose log lines do not reach stderr.

        Args:
            **extra: More settings; `a_b` means `a.b`, but for callbacks and `log_level`.
        """
        ours = {_dotted(name): value for name, value in extra.items()}
        return {**self.settings, "logger": LOGGER, **ours}


def _dotted(name: str) -> str:
    kept = name.endswith("_cb") or name in _UNDERSCORES
    return name if kept else name.replace("_", ".")


def _from_file(path: Path) -> dict[str, str]:
    """Return the settings of a file of librdkafka's; messages never hold its values."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TelcoError(f"{SETTINGS_FILE}: {path} cannot be read: {error.strerror}") from None
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        lines = None
    if lines is None or len(data) > _MOST_BYTES:
        raise TelcoError(f"{SETTINGS_FILE}: {path} is no file of lines name=value") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = line.partition("=")
        name = name.strip()
        if not equals or not name:
            raise TelcoError(f"{path}:{number}: must be name=value, with librdkafka's names")
        if name in _OURS:
            raise TelcoError(f"{path}:{number}: {name} is set by telco itself: remove this line")
        found[_OTHER_NAMES.get(name, name)] = value.strip()
    return found


def _check_words(settings: dict[str, str], said_by: Mapping[str, str]) -> None:
    for name, words in (
        ("KAFKA_SECURITY_PROTOCOL", PROTOCOLS),
        ("KAFKA_SASL_MECHANISM", MECHANISMS),
    ):
        word = settings.get(VARIABLES[name])
        if word is None:
            continue
        if word.upper() not in words:
            hint = values.closest(word.upper(), words) or f"one of {', '.join(words)}"
            raise TelcoError(f"{said_by[name]}: {word[:40]!r} is unknown: {hint}")
        settings[VARIABLES[name]] = word.upper()


def _check_files(settings: Mapping[str, str], said_by: Mapping[str, str]) -> None:
    for name in _FILES:
        path = settings.get(VARIABLES[name])
        if not path or path == "probe":  # librdkafka's word for the system's own authorities
            continue
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            # Authorities may lie in a directory of their own.
            if name != "KAFKA_SSL_CA_LOCATION" or not Path(path).is_dir():
                raise TelcoError(
                    f"{said_by[name]}: {path} cannot be read: {error.strerror}"
                ) from None


def _check_sasl(settings: Mapping[str, str], said_by: Mapping[str, str]) -> None:
    way = said_by["KAFKA_SECURITY_PROTOCOL"]
    protocol = settings.get("security.protocol")
    if protocol is None:  # what is set shows that more than the default is meant
        for name, needed in (
            ("KAFKA_SASL_USERNAME", "SASL_SSL or SASL_PLAINTEXT"),
            ("KAFKA_SSL_CA_LOCATION", "SSL or SASL_SSL"),
        ):
            if settings.get(VARIABLES[name]):
                raise TelcoError(
                    f"{said_by[name]} is set, but {way} is not: set it to {needed}, or to PLAINTEXT"
                )
        return
    if not protocol.startswith("SASL"):
        return
    mechanism = settings.get("sasl.mechanism")
    if mechanism is None:
        raise TelcoError(
            f"{protocol} needs a mechanism: set {said_by['KAFKA_SASL_MECHANISM']} to one of "
            f"{', '.join(_WITH_PASSWORD)}"
        )
    if mechanism in _WITH_PASSWORD:
        for name in ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"):
            if not settings.get(VARIABLES[name]):
                raise TelcoError(f"{protocol} with {mechanism} needs {name}: set it")


def _check_addresses(text: str, said_by: str) -> None:
    for one in text.split(","):
        # librdkafka takes PROTOCOL://host:port too, and no port for 9092.
        host, colon, port = one.strip().rpartition("://")[2].rpartition(":")
        if one.strip().endswith("]") or not colon:
            host, port = one.strip(), "9092"
        if not host or not port.isdecimal() or not 0 < int(port) < 65536 or "@" in one:
            raise TelcoError(
                f"{said_by}: {one.strip()[:80]!r} is no address: write HOST:PORT, several "
                "separated by commas"
            )


# --- errors in words -----------------------------------------------------------------------

_DENIED: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "this topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "this consumer group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the cluster",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "this transactional id",
}
_FENCED: Final = (
    KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
)
_NO_TLS: Final = (
    *(
        "plaintext broker listener",
        "wrong version number",
        "record layer",
        "packet length too long",
    ),
    *("ssl connection closed by peer", "in state ssl_handshake"),
)
"""What TLS says of a server that speaks plainly; the state is that of a closed connection."""
_TOO_LARGE: Final = (
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
)
_CANNOT_WRITE: Final = (
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.POLICY_VIOLATION,
    KafkaError.THROTTLING_QUOTA_EXCEEDED,
)
_UNKNOWN_TOPIC: Final = (
    KafkaError._UNKNOWN_TOPIC,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
)
_NO_ANSWER: Final = (
    KafkaError._TIMED_OUT,
    KafkaError._MSG_TIMED_OUT,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._WAIT_COORD,
)


def explain(error: KafkaError | KafkaException, connection: Connection, doing: str) -> TelcoError:
    """Return a broker's error as one line: what is wrong, where, what to do.

    Args:
        error: What librdkafka said.
        connection: To which broker.
        doing: What was being done, such as `sending to cdrs`.
    """
    cause = _cause(error)
    way = _unreachable(cause, connection) or _refused(cause)
    if way is None:
        way = f"{_bare(cause.str())} ({cause.name()})"
    return TelcoError(f"{doing} at {connection.address}: {_without(way, connection)}")


def _cause(error: KafkaError | KafkaException) -> KafkaError:
    if isinstance(error, KafkaException):
        inner = error.args[0] if error.args else None
        return inner if isinstance(inner, KafkaError) else KafkaError(KafkaError._FAIL, str(inner))
    return error


def _unreachable(error: KafkaError, connection: Connection) -> str | None:
    """Return why there is no way in; None if there is one."""
    code, text = error.code(), error.str()
    low = text.lower()
    encrypted = connection.protocol.endswith("SSL")
    if code == KafkaError._RESOLVE or "failed to resolve" in low:
        return "unknown host: check the name in --bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS"
    if "connection refused" in low:
        return (
            "connection refused: no broker listens there; start one (make kafka, telco broker), or "
            "name it with --bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS"
        )
    if "hostname mismatch" in low or "certificate verify failed: hostname" in low:
        return (
            "the broker's certificate is for another host name: use the name that stands in it in "
            "--bootstrap-servers"
        )
    if "certificate verify failed" in low or "unknown ca" in low or "self-signed" in low:
        return (
            "the broker's certificate is of an authority that is not trusted here: name its file "
            "with --ssl-ca-location or KAFKA_SSL_CA_LOCATION"
        )
    if "certificate required" in low or "bad certificate" in low or "handshake_failure" in low:
        return (
            "the broker wants a certificate of ours: set KAFKA_SSL_CERTIFICATE_LOCATION and "
            "KAFKA_SSL_KEY_LOCATION"
        )
    if encrypted and any(words in low for words in _NO_TLS):
        return (
            "no TLS is spoken there: name the port of a TLS listener, or set --security-protocol "
            f"to {connection.protocol.replace('SSL', 'PLAINTEXT')}"
        )
    if code in (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED):
        return _unauthenticated(low, connection)
    if code == KafkaError.UNSUPPORTED_SASL_MECHANISM:
        return "the broker does not know this --sasl-mechanism: choose another"
    if code == KafkaError._SSL:
        return f"TLS failed: {_bare(text)}"
    if "listener" in low or "apiversion" in low or code == KafkaError._BAD_MSG:
        others = ", ".join(one for one in PROTOCOLS if one != connection.protocol)
        return (
            f"{connection.protocol} is not taken there: perhaps TLS or a password is wanted (try "
            f"--security-protocol {others}), or it is no Kafka broker"
        )
    if code in _NO_ANSWER:
        return (
            f"nobody answers ({_bare(text)}): check address and network, and that "
            f"{connection.protocol} is spoken there"
        )
    return None


def _unauthenticated(text: str, connection: Connection) -> str:
    if "handshake not supported" in text or "unsupported" in text or "mechanism" in text:
        mechanism = connection.settings.get("sasl.mechanism", "this mechanism")
        if "invalid credentials" not in text:
            return f"the broker takes no password of {mechanism} there: check --sasl-mechanism"
    return (
        "the broker refuses user or password: check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and "
        "KAFKA_SASL_MECHANISM"
    )


def _refused(error: KafkaError) -> str | None:
    """Return why the broker did not do as asked; None if the code is no common one."""
    code, text = error.code(), _bare(error.str())
    if code in _DENIED:
        return (
            f"this user has no rights to {_DENIED[code]} ({text}): ask the administrator of the "
            "cluster for them"
        )
    if code in _TOO_LARGE:
        return (
            f"a record is larger than allowed ({text}): raise max.message.bytes of the topic, or "
            "message.max.bytes of the broker"
        )
    if code in _FENCED:
        return (
            "another publisher of the same day has taken over: let it finish, or stop it and start "
            "again"
        )
    if code in _CANNOT_WRITE:
        return f"the broker cannot take records now ({text}): see to its disk and its replicas"
    if code in _UNKNOWN_TOPIC:
        return f"there is no such topic ({text}): create it, or let telco stream do so"
    if code == KafkaError.INVALID_REPLICATION_FACTOR:
        return (
            f"{text}: set replication in scenarios/streaming.yaml to the number of brokers or less"
        )
    if code == KafkaError._INVALID_ARG:
        return f"a setting of the client is wrong ({text}): check {SETTINGS_FILE} and KAFKA_*"
    return None


def _bare(text: str) -> str:
    """Return librdkafka's words without what it says of its own state."""
    return " ".join(text.split()).partition(" (after ")[0].removeprefix("Local: ").strip(" .")


def _without(text: str, connection: Connection) -> str:
    """Return a text without passwords, should a server or librdkafka ever repeat one."""
    for name, value in connection.settings.items():
        is_secret = any(word in name for word in ("password", "secret", "key.pem", "token"))
        if is_secret and len(value) >= 4:
            text = text.replace(value, "***")
    return text


# --- is anybody there? ---------------------------------------------------------------------


class Asking:
    """An admin client that remembers what librdkafka complains of.

    librdkafka itself tries for ever, and a call that times out does not say why. The complaints
    that it makes meanwhile do; of a connection that the broker closes it only writes to its log.
    """

    def __init__(self, connection: Connection) -> None:
        """Make the client.

        Raises:
            TelcoError: librdkafka refuses a setting.
        """
        self.connection = connection
        self.complaints: list[KafkaError] = []
        self._ear = _Ear()
        try:
            self.admin = AdminClient(
                connection.client(
                    error_cb=self.complaints.append,
                    logger=self._ear.logger,
                    socket_connection_setup_timeout_ms=5_000,
                    topic_metadata_propagation_max_ms=1_000,
                    reconnect_backoff_max_ms=1_000,
                )
            )
        except KafkaException as error:
            raise explain(error, connection, "connecting") from None

    @property
    def worst(self) -> KafkaError | None:
        """The complaint that says most."""
        telling = [one for one in self.complaints if one.code() != KafkaError._ALL_BROKERS_DOWN]
        hard = [one for one in telling if one.code() in _FINAL]
        if not telling and self._ear.closed:
            return KafkaError(KafkaError._BAD_MSG, "the broker closes the connection")
        return (hard or telling or self.complaints or [None])[-1]


class _Ear(logging.Handler):
    """Hears whether connections are closed, and hands all lines on to `LOGGER`."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.logger = logging.Logger(LOGGER.name)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.closed = self.closed or "Disconnected" in record.getMessage()
        LOGGER.handle(record)


_FINAL: Final = (KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._SSL)


def reach(connection: Connection, within: float = 10.0) -> str:
    """Return the id of the cluster, if the broker answers and lets us in.

    Args:
        connection: The broker.
        within: Seconds after which nobody has answered. What waiting does not mend, such as a wrong
            password, ends it sooner.

    Raises:
        TelcoError: Nobody answers, or we are not let in; says why.
    """
    return ask(Asking(connection), within)


def ask(asking: Asking, within: float = 10.0) -> str:
    """Do as `reach` with a client that is then used further."""
    begun = time.monotonic()
    complained: float | None = None
    while True:
        try:
            found = asking.admin.list_topics(timeout=_STEP)
        except KafkaException as error:
            last = _cause(error)
        else:
            return str(found.cluster_id)
        asking.admin.poll(0)
        now = time.monotonic()
        worst = asking.worst
        if worst is not None and complained is None:
            complained = now
        patience = _PATIENCE if worst is not None and worst.code() in _FINAL else _LONGER_PATIENCE
        given_up = complained is not None and now - complained >= patience
        if given_up or now - begun >= within:
            raise explain(worst or last, asking.connection, "connecting")
        time.sleep(0.02)


def is_embedded(cluster: str) -> bool:
    """Return whether a cluster's id is that of librdkafka's own broker."""
    return cluster.startswith("mockCluster")
