"""`telco consume`: what lies in the topics, how fast it comes, what it says.

Belongs here: what is typed, and what is shown while and after reading. Does not belong here:
reading (`streaming.consumer`).
"""

import datetime as dt
import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from telco_pipeline.cli import kafka, options
from telco_pipeline.cli.display import (
    SECONDS_BETWEEN_LINES,
    Column,
    count,
    duration,
    megabytes,
    print_line,
    print_table,
    say,
    stderr,
)
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from confluent_kafka import Message

    from telco_pipeline.streaming.connection import Connection
    from telco_pipeline.streaming.consumer import Decode, Reading
    from telco_pipeline.streaming.layout import StreamSettings

WHAT = "What"
WINDOW = 5.0
"""Seconds over which a rate is taken."""
_STEP = 0.2
_COLUMNS = (
    Column("topic"),
    Column("records", True),
    Column("MB", True),
    Column("records/s", True),
    Column("lag", True),
    Column("last event"),
)


@kafka.on_connection
def consume(
    connection: "Connection",
    topics: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Topics by word or name, any topic of the broker; default: all of the layout "
            "that are there.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="by_kind|by_type",
            help="Layout of the topics; default: as in the streaming settings.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    from_beginning: Annotated[
        bool,
        typer.Option(
            "--from-beginning/--latest",
            help="Read all there is, or what comes from now on.",
            rich_help_panel=WHAT,
        ),
    ] = True,
    tail: Annotated[
        int, typer.Option(metavar="N", help="Records to show, the last ones.", rich_help_panel=WHAT)
    ] = 5,
    schema_registry: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The schema registry, to show records in Avro; default: as in the streaming "
            "settings.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    until_end: Annotated[
        bool,
        typer.Option(
            "--until-end",
            help="Stop at the end of the topics as it is when the command starts.",
            rich_help_panel=options.HOW,
        ),
    ] = False,
    max_count: Annotated[
        int | None,
        typer.Option(metavar="N", help="Stop after N records.", rich_help_panel=options.HOW),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for", metavar="SECONDS", help="Stop after so long.", rich_help_panel=options.HOW
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the result as one JSON object.", rich_help_panel=options.HOW
        ),
    ] = False,
) -> None:
    """Read topics: counts, bytes, rates, how far behind, and the last records.

    Reads committed records only, joins no group and commits no offset, so that nobody else notices.
    Runs until Ctrl-C, unless told when to stop.

    For example:

      telco consume

      telco consume --topics cdrs --latest --tail 20

      telco consume --until-end --json

      telco consume --topics telco-disturbances --max-count 100
    """
    options.at_least_one("--max-count", max_count)
    if tail < 0:
        raise TelcoError(f"--tail must be 0 or more, not {tail}")
    if seconds is not None and not 0 < seconds <= 1e6:
        raise TelcoError(f"--for must be a number of seconds above 0, not {seconds:g}")

    from telco_pipeline.streaming.consumer import Reading
    from telco_pipeline.streaming.settings_file import load_settings

    settings = load_settings(layout=layout)
    names = _names(connection, topics, settings)
    registry = schema_registry or settings.schema_registry
    seen = Seen(names, deque(maxlen=tail), _decoder(registry))
    start = "beginning" if from_beginning else "latest"
    with Reading(connection, names, start) as reading:
        # Ctrl-C is how one leaves, not a failure.
        try:
            with _shown(f"Reading {', '.join(names)} at {connection.address}") as show:
                _read(reading, seen, show, until_end=until_end, most=max_count, seconds=seconds)
        except KeyboardInterrupt:
            pass
        seen.lag = reading.lag()
    if as_json:
        typer.echo(json.dumps(seen.plain(), indent=2))
    else:
        _print(seen)


def _decoder(registry: str | None) -> "Decode | None":
    """Return what reads values in Avro; None without a registry.

    Schemas, and what reading them takes, are fetched when the first such record is shown.
    """
    if registry is None:
        return None
    from telco_pipeline.streaming.registry import Registry

    source, made = Registry.of(registry), []

    def decode(value: bytes) -> str:
        if not made:
            from telco_pipeline.streaming.avro import AvroDecoder

            made.append(AvroDecoder(source))
        return made[0].text(value)

    return decode


def _names(connection: "Connection", asked: str | None, settings: "StreamSettings") -> list[str]:
    """Return the names of the topics that are to be read, all of which are there."""
    from telco_pipeline.streaming.consumer import existing

    by_word = {word: topic.name for word, topic in settings.known.items()}
    if asked is None:
        found = existing(connection, list(by_word.values()))
        if not found:
            raise TelcoError(
                f"{connection.address} has none of the topics {', '.join(by_word.values())}: "
                "telco stream makes them; --topics names others"
            )
        return found
    wanted = options.names("--topics", asked)
    names = list(dict.fromkeys(by_word.get(name, name) for name in wanted))
    there = existing(connection, names)
    for name in names:
        if name not in there:
            near = options.did_you_mean(name, [*by_word, *by_word.values()])
            raise TelcoError(f"no topic {name[:80]!r} at {connection.address}{near}")
    return names


# --- what was seen -------------------------------------------------------------------------


@dataclass
class Count:
    """Records of a topic so far."""

    records: int = 0
    bytes: int = 0
    last: int = 0
    """Latest event time, milliseconds since 1970."""


@dataclass
class Seen:
    """All that was read so far.

    Attributes:
        names: The topics.
        tail: The last records.
        decode: Reads values in Avro.
        topics: Counts by topic.
        lag: Offsets behind the end, by topic.
    """

    names: Sequence[str]
    tail: "deque[Message]"
    decode: "Decode | None" = None
    topics: dict[str, Count] = field(default_factory=dict)
    lag: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    _past: "deque[tuple[float, dict[str, int]]]" = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.topics = {name: Count() for name in self.names}

    @property
    def records(self) -> int:
        """Records of all topics."""
        return sum(tally.records for tally in self.topics.values())

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return max(time.monotonic() - self.started, 1e-3)

    def add(self, messages: "Sequence[Message]") -> None:
        """Count records."""
        for message in messages:
            tally = self.topics[str(message.topic())]
            tally.records += 1
            tally.bytes += len(message.value() or b"")
            tally.last = max(tally.last, message.timestamp()[1])
        self.tail.extend(messages)

    def told(self) -> Iterator[str]:
        """Yield the last records, each in one line."""
        from telco_pipeline.streaming.consumer import readable

        for message in self.tail:
            yield readable(message, self.decode)

    def rates(self) -> dict[str, float]:
        """Return records a second by topic over the last seconds."""
        now = time.monotonic()
        self._past.append((now, {name: one.records for name, one in self.topics.items()}))
        while len(self._past) > 2 and now - self._past[1][0] >= WINDOW:
            self._past.popleft()
        then, before = self._past[0]
        span = now - then if now > then else self.seconds
        if now == then:
            before = dict.fromkeys(self.topics, 0)
        return {name: (one.records - before[name]) / span for name, one in self.topics.items()}

    def rows(self, rates: dict[str, float]) -> Iterator[list[str]]:
        """Yield the rows of the table."""
        for name, tally in self.topics.items():
            yield [
                name,
                count(tally.records),
                megabytes(tally.bytes),
                count(rates[name]),
                count(self.lag.get(name, 0)),
                _moment(tally.last) or "-",
            ]

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        seconds = self.seconds
        return {
            "records": self.records,
            "seconds": round(seconds, 3),
            "topics": {
                name: {
                    "records": one.records,
                    "bytes": one.bytes,
                    "records_per_second": round(one.records / seconds, 1),
                    "lag": self.lag.get(name, 0),
                    "last_event_time": _moment(one.last),
                }
                for name, one in self.topics.items()
            },
            "tail": list(self.told()),
        }


def _moment(milliseconds: int) -> str | None:
    if milliseconds <= 0:
        return None
    told = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(
    reading: "Reading",
    seen: Seen,
    show: "Show",
    *,
    until_end: bool,
    most: int | None,
    seconds: float | None,
) -> None:
    """Read until it is time to stop."""
    while True:
        left = None if seconds is None else seconds - seen.seconds
        if left is not None and left <= 0:
            return
        batch = reading.batch(_STEP if left is None else min(_STEP, left))
        if most is not None:
            batch = batch[: most - seen.records]
        seen.add(batch)
        seen.lag = reading.lag()
        show.update(seen)
        if (most is not None and seen.records >= most) or (until_end and reading.at_end):
            return


# --- what is shown -------------------------------------------------------------------------


class Show(Protocol):
    """A way of showing what was read so far."""

    def update(self, seen: Seen) -> None:
        """Show it, if it is time to."""
        ...


class _Lines:
    """A plain line every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._next = time.monotonic() + SECONDS_BETWEEN_LINES

    def update(self, seen: Seen) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS_BETWEEN_LINES
        rate, lag = sum(seen.rates().values()), sum(seen.lag.values())
        text = f"{count(seen.records)} records  {count(rate)} records/s  lag {count(lag)}"
        say(text)


class _Table:
    """A table that is drawn anew."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._next = 0.0

    def update(self, seen: Seen) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + 0.5
        self._live.update(self._drawn(seen), refresh=True)

    def _drawn(self, seen: Seen) -> RenderableType:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in _COLUMNS:
            table.add_column(column.title, justify="right" if column.number else "left")
        for row in seen.rows(seen.rates()):
            table.add_row(*row)
        lines = [Text(line, no_wrap=True, overflow="ellipsis") for line in seen.told()]
        return Group(table, *lines)


@contextmanager
def _shown(start: str) -> "Iterator[Show]":
    console = stderr()
    if not console.is_terminal:
        say(f"{start} ...")
        yield _Lines()
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        live.update(Text(start), refresh=True)
        yield _Table(live)


def _print(seen: Seen) -> None:
    mean = {name: one.records / seen.seconds for name, one in seen.topics.items()}
    print_table("Topics", _COLUMNS, list(seen.rows(mean)))
    for line in seen.told():
        print_line(line)
    total = sum(one.bytes for one in seen.topics.values())
    print_line(f"{count(seen.records)} records, {megabytes(total)} MB in {duration(seen.seconds)}.")
