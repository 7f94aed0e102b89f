"""What `telco stream` shows.

Belongs here: the line while it sends, the summary, its JSON. Does not belong here: what was sent
(`streaming.delivery`).
"""

import datetime as dt
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

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

if TYPE_CHECKING:
    from telco_pipeline.streaming.delivery import Delivery
    from telco_pipeline.streaming.stream import Stream


class Show:
    """How far it is: a line that changes on a terminal, else a line every few seconds."""

    def __init__(self, terminal: Progress | None) -> None:
        self._terminal = terminal
        self._task = None if terminal is None else terminal.add_task("")
        self._next = time.monotonic() + SECONDS_BETWEEN_LINES
        self._day: dt.date | None = None
        self._since = time.monotonic()

    def day(self, day: dt.date) -> None:
        """A day begins."""
        self._day, self._since = day, time.monotonic()

    def progress(self, records: int, size: int) -> None:
        """So many records and bytes of the day are committed."""
        rate = records / max(time.monotonic() - self._since, 1e-3)
        text = (
            f"{self._day}  {count(records)} records  {megabytes(size)} MB  {count(rate)} records/s"
        )
        if self._terminal is not None and self._task is not None:
            self._terminal.update(self._task, description=text)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + SECONDS_BETWEEN_LINES
            say(text)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let something else show how far it is."""
        if self._terminal is not None:
            self._terminal.stop()
        try:
            yield
        finally:
            if self._terminal is not None:
                self._terminal.start()

    @contextmanager
    def waiting(self, day: dt.date) -> Iterator[None]:
        """Say that a day is waited for."""
        text = f"Waiting for {day}, which is not in the lake yet (telco generate --start {day})"
        if self._terminal is not None and self._task is not None:
            self._terminal.update(self._task, description=text)
        else:
            say(text)
        yield


@contextmanager
def shown(stream: "Stream") -> Iterator[Show]:
    """Show on stderr how far the sending of the block is."""
    console = stderr()
    names = ", ".join(topic.name for topic in stream.topics)
    text = f"Sending {names} to {stream.connection.address}"
    say(f"{text} ...")
    if not console.is_terminal:
        yield Show(None)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=5, transient=True) as line:
        yield Show(line)


@dataclass
class Summary:
    """What was done, day by day.

    Attributes:
        parts: Days of which only some times were asked for.
        people: Whether only what is of some users was.
        deliveries: What was sent.
        seconds: How long it took.
    """

    parts: frozenset[dt.date] = frozenset()
    people: bool = False
    deliveries: "list[Delivery]" = field(default_factory=list)
    seconds: float = 0.0

    def add(self, delivery: "Delivery") -> None:
        """Take in a day."""
        self.deliveries.append(delivery)

    @property
    def records(self) -> int:
        """Records that were sent."""
        return sum(one.records for one in self.deliveries)

    @property
    def size(self) -> int:
        """Bytes of their values."""
        return sum(one.size for one in self.deliveries)

    def rows(self) -> Iterator[list[str]]:
        """Yield a row for each topic."""
        names = dict.fromkeys(name for one in self.deliveries for name in one.topics)
        for name in names:
            days = [one for one in self.deliveries if name in one.topics]
            sent = [one.topics[name] for one in days]
            disturbed = sum(sum(one.disturbed.values()) for one in sent)
            yield [
                name,
                count(sum(one.records for one in sent)),
                megabytes(sum(one.size for one in sent)),
                count(disturbed),
                count(sum(one.total for one in sent)),
                self._done(name, days),
            ]

    def is_part(self, one: "Delivery") -> bool:
        """Whether only a part of a day was asked for."""
        return self.people or one.day in self.parts

    def _done(self, name: str, days: "Sequence[Delivery]") -> str:
        """Return how many days are done; a day of which a part was asked for is not."""
        whole = sum(one.topics[name].done for one in days if not self.is_part(one))
        parts = sum(one.topics[name].done for one in days if self.is_part(one))
        if len(days) == 1 and parts:
            return "part of the day"
        told = f"{whole} of {len(days)}"
        return f"{told}, of {parts} a part" if parts else told

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "records": self.records,
            "bytes": self.size,
            "seconds": round(self.seconds, 3),
            "days": [_plain(one, self.is_part(one)) for one in self.deliveries],
        }


def _plain(one: "Delivery", is_part: bool) -> dict[str, Any]:
    return {
        "day": one.day.isoformat(),
        "records": one.records,
        "bytes": one.size,
        "done": one.done,
        "part_of_the_day": is_part,
        "transactions": one.transactions,
        "restarts": one.restarts,
        "records_per_second_asked": one.asked,
        "records_per_second_achieved": round(one.achieved, 1),
        "lateness_seconds": {
            "median": one.acknowledged.median,
            "p99": one.acknowledged.p99,
            "max": one.acknowledged.worst,
        }
        if one.acknowledged.count
        else None,
        "topics": {
            name: {
                "records": sent.records,
                "bytes": sent.size,
                "disturbed": dict(sent.disturbed),
                "records_of_the_day": sent.total,
                "done": sent.done,
                "begun": None if sent.since is None else sent.since.isoformat(),
            }
            for name, sent in one.topics.items()
        },
    }


def print_summary(told: Summary, *, as_json: bool, live: bool) -> None:
    """Print on stdout what was sent.

    Args:
        told: What was sent.
        as_json: As one JSON object.
        live: Whether a live stream sent it, which begins when it begins: nobody need be told.
    """
    if as_json:
        typer.echo(json.dumps(told.plain(), indent=2))
        return
    if told.deliveries:
        columns = [
            Column("topic"),
            Column("records", True),
            Column("MB", True),
            Column("disturbed", True),
            Column("so far", True),
            Column("days done", True),
        ]
        print_table("Sent", columns, list(told.rows()))
    for one in told.deliveries:
        print_line(_day_line(one))
        for line in [] if live else one.told_of_begin("--again"):
            print_line(line)
    if any(told.is_part(one) for one in told.deliveries):
        print_line(
            "Only a part of the day was asked for (--from, --to, --users-file); a day has one set "
            "of times and users in a topic: --again sends all of it, beside what is there."
        )
    print_line(
        f"{count(told.records)} records, {megabytes(told.size)} MB in {duration(told.seconds)}."
    )
    if told.deliveries and not told.records and all(one.done for one in told.deliveries):
        print_line("All that was asked for was sent before; --again sends it from the start.")


def _day_line(one: "Delivery") -> str:
    asked = "" if one.asked is None else f" of {count(one.asked)} asked for"
    parts = [f"{one.day}: {count(one.records)} records, {count(one.achieved)} records/s{asked}"]
    if one.acknowledged.count:
        late = one.acknowledged
        parts.append(
            f"lateness {late.median * 1000:,.0f} ms (median), {late.p99 * 1000:,.0f} ms (99 of "
            f"100), {late.worst * 1000:,.0f} ms at most"
        )
    if one.restarts:
        parts.append(f"went on {one.restarts} times after the broker had failed")
    return "; ".join(parts)
