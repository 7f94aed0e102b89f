"""Options of a connection to Kafka, which several commands share.

Belongs here: what is typed about a broker. Does not belong here: passwords, which come from the
environment alone; what a connection is (`streaming.connection`).
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from telco_pipeline.streaming.connection import Connection

BROKER = "The broker (each also as a KAFKA_* variable; passwords only there)"


def _option(metavar: str, told: str) -> Any:
    return typer.Option(metavar=metavar, help=told, rich_help_panel=BROKER)


def connection(
    *,
    bootstrap_servers: Annotated[
        str | None,
        _option("HOST:PORT,..", "Addresses; default: $KAFKA_BOOTSTRAP_SERVERS or 127.0.0.1:9092."),
    ] = None,
    security_protocol: Annotated[
        str | None, _option("PROTOCOL", "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.")
    ] = None,
    sasl_mechanism: Annotated[
        str | None, _option("MECHANISM", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
    ] = None,
    sasl_username: Annotated[
        str | None, _option("NAME", "User; the password is $KAFKA_SASL_PASSWORD.")
    ] = None,
    ssl_ca_location: Annotated[
        str | None, _option("FILE", "Certificates of the authorities to trust.")
    ] = None,
    ssl_certificate_location: Annotated[
        str | None, _option("FILE", "A certificate to show, where the broker wants one.")
    ] = None,
    ssl_key_location: Annotated[
        str | None, _option("FILE", "Its key; a password of it is $KAFKA_SSL_KEY_PASSWORD.")
    ] = None,
    client_settings: Annotated[
        str | None,
        _option("FILE", "More settings of librdkafka, lines NAME=VALUE, as kcat -F reads them."),
    ] = None,
) -> "Connection":
    """Return the connection of options and environment.

    Raises:
        TelcoError: One of them is wrong.
    """
    from telco_pipeline.streaming.connection import Connection

    return Connection.from_environment(
        bootstrap_servers=bootstrap_servers,
        security_protocol=security_protocol,
        sasl_mechanism=sasl_mechanism,
        sasl_username=sasl_username,
        ssl_ca_location=ssl_ca_location,
        ssl_certificate_location=ssl_certificate_location,
        ssl_key_location=ssl_key_location,
        client_settings=client_settings,
    )


def on_connection(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of `connection` beside its own; it gets what they say.

    The command takes the connection as its first argument.
    """
    shared = inspect.signature(connection).parameters
    first, *own = inspect.signature(command).parameters.values()

    @wraps(command)
    def typed(**values: Any) -> None:
        asked = {name: values.pop(name) for name in shared}
        command(connection(**asked), **values)

    # Typer reads a command's options from its signature and annotations.
    keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    vars(typed)["__signature__"] = inspect.Signature([*keyword, *shared.values()])
    annotations = {**command.__annotations__, **connection.__annotations__, "return": None}
    typed.__annotations__ = {name: kind for name, kind in annotations.items() if name != first.name}
    return typed
