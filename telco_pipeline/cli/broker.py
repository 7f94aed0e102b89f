"""`telco broker`: the embedded broker in the foreground, alone or around another command.

Belongs here: what is said of it, and running that command. Does not belong here: the broker
(`streaming.broker`).
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Final

import typer

from telco_pipeline.cli.display import print_line
from telco_pipeline.errors import TelcoError

SERVERS: Final = "KAFKA_BOOTSTRAP_SERVERS"
_PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BY_SIGNAL: Final = 128
"""A shell's exit status of a command that a signal ended, less the signal's number."""


def broker(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- COMMAND ...]",
            show_default=False,
            help="Run this with $KAFKA_BOOTSTRAP_SERVERS set; the broker ends with it, and its "
            "exit status is the command's.",
        ),
    ] = None,
) -> None:
    """Run a small Kafka broker for demonstrations, without Java or Docker, until Ctrl-C.

    It is the one that librdkafka carries for tests: topics lie in memory, about the last 5 MB of
    each partition, 4 partitions each, gone when it ends; transactions are answered, but nothing is
    promised. It takes a free port of 127.0.0.1. For everything else there is `make kafka`.

    For example:

      telco broker

      telco stream --bootstrap-servers 127.0.0.1:PORT --max-count 1000

      telco consume --bootstrap-servers 127.0.0.1:PORT

      telco broker -- sh -c 'telco stream --max-count 1000 && telco consume --until-end'
    """
    from telco_pipeline.streaming.broker import LIMITS, embedded

    try:
        with embedded() as connection:
            if command:
                print_line(
                    f"The embedded broker serves {connection.address} as long as {command[0]} runs."
                )
                print_line(f"  {LIMITS[0]}")
                sys.exit(_run(command, _environment(os.environ, connection.address)))
            print_line(f"The embedded broker serves {connection.address} until Ctrl-C.")
            for limit in LIMITS:
                print_line(f"  {limit}")
            print_line("  For a real broker: make kafka (docs/streaming.md).")
            print_line(f"export {SERVERS}={connection.address}")
            threading.Event().wait()
    except KeyboardInterrupt:
        print_line("The embedded broker has ended; its topics are gone.")


def _environment(environ: Mapping[str, str], address: str) -> dict[str, str]:
    """Return the environment of a command: what leads to another broker is left out."""
    kept = {name: value for name, value in environ.items() if not name.startswith("KAFKA_")}
    return {**kept, SERVERS: address}


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end; return its exit status as a shell tells it.

    Raises:
        TelcoError: It cannot be started.
    """
    sys.stdout.flush()
    with _signals() as lead_to:
        try:
            process = subprocess.Popen(command, env=dict(environment))
        except OSError as error:
            raise TelcoError(f"{command[0][:200]} cannot be run: {error.strerror}") from None
        lead_to(process)
        status = process.wait()
    return status if status >= 0 else _BY_SIGNAL - status


@contextmanager
def _signals() -> "Iterator[Callable[[subprocess.Popen[bytes]], None]]":
    """Pass signals on to the process that the block names, rather than end by them."""
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        # A terminal sends Ctrl-C to all who run in it; twice would be once too often.
        if number == signal.SIGINT and _has_terminal():
            return
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    def lead_to(process: "subprocess.Popen[bytes]") -> None:
        started.append(process)
        # The process runs before its name is known here.
        for number in early:
            process.send_signal(number)

    kept = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    try:
        yield lead_to
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _has_terminal() -> bool:
    """Whether this process runs in the foreground of a terminal."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
