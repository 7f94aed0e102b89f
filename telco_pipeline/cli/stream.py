"""`telco stream`: days of the lake to Kafka, and what a running stream is told.

Belongs here: what is typed, and what is shown while and after sending. Does not belong here:
sending (`streaming.stream`, `streaming.publisher`).
"""

import datetime as dt
import inspect
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from telco_pipeline.cli import kafka, options
from telco_pipeline.cli.display import (
    SECONDS_BETWEEN_LINES,
    Column,
    count,
    duration,
    megabytes,
    print_line,
    print_table,
    stderr,
)
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.cli.ahead import Maker
    from telco_pipeline.streaming.connection import Connection
    from telco_pipeline.streaming.control import Control
    from telco_pipeline.streaming.layout import StreamSettings
    from telco_pipeline.streaming.pacing import Pace
    from telco_pipeline.streaming.publisher import Delivery
    from telco_pipeline.streaming.stream import Stream

STOPPED = 130
"""Exit status of a stream that ended before its end, because somebody asked for that."""
WHAT = "What"
MAIN = "main"
CLOCK = "The clock"
FORM = "Form, and what is disturbed on purpose"
_DAY = dt.timedelta(days=1)

app = typer.Typer(no_args_is_help=False)


def _rate_of(kind: str, told: str) -> Any:
    return typer.Option(f"--{kind}", metavar="0..1", help=told, rich_help_panel=FORM)


@kafka.on_connection
def _stream(
    connection: "Connection",
    topics: Annotated[
        str | None,
        typer.Option(
            metavar="A,B|all",
            help="Topics by word or name; default: those that are switched on.",
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
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DAY|TIME",
            help="First day, or a time (2026-01-31T08:00, UTC); default: the lake's first day. "
            "With --live: what is due from then on.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="DAY|TIME",
            help="Last day, or the time before which it happened; default: the lake's last day.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    max_count: Annotated[
        int | None,
        typer.Option(metavar="N", help="End after N records.", rich_help_panel=WHAT),
    ] = None,
    users_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Only what is of the users in it (`telco export users` writes one), with the "
            "numbers that stand there.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    num_users: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Only N people, the same ones every time: writes --users-file (users.json) with "
            "them, unless it is there.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Forget that these days were sent into these topics; send them from the start.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    lake: options.LakeDirectory = None,
    world: options.World = MAIN,
    speed: Annotated[
        str | None,
        typer.Option(
            metavar="N|max",
            help="N times real time, or as fast as possible.",
            rich_help_panel=CLOCK,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(metavar="N", help="N records a second.", rich_help_panel=CLOCK),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Today's records at their times, then the next day's, until Ctrl-C.",
            rich_help_panel=CLOCK,
        ),
    ] = False,
    make: Annotated[
        bool,
        typer.Option(
            "--make/--no-make",
            help="With --live: make what the lake lacks of today before it begins, and tomorrow "
            "in the evening; or wait until somebody else does.",
            rich_help_panel=CLOCK,
        ),
    ] = True,
    workers: options.Workers = None,
    interval: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Between commits where there is a clock; readers see records so much later.",
            rich_help_panel=CLOCK,
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(metavar="json|avro", help="How values are written.", rich_help_panel=FORM),
    ] = None,
    schema_registry: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The schema registry, for avro.", rich_help_panel=FORM),
    ] = None,
    headers: Annotated[
        str | None,
        typer.Option(
            metavar="cloudevents|none",
            help="CloudEvents attributes as headers, or no headers.",
            rich_help_panel=FORM,
        ),
    ] = None,
    late: Annotated[
        float | None, _rate_of("late", "Share that comes minutes to hours late.")
    ] = None,
    out_of_order: Annotated[
        float | None, _rate_of("out-of-order", "Share that comes some seconds late.")
    ] = None,
    duplicated: Annotated[
        float | None, _rate_of("duplicated", "Share that comes a second time.")
    ] = None,
    malformed: Annotated[
        float | None, _rate_of("malformed", "Share whose value is damaged.")
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Name by which `telco stream stop` and the others know it.",
            rich_help_panel=options.HOW,
        ),
    ] = "stream",
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the result as one JSON object.", rich_help_panel=options.HOW
        ),
    ] = False,
) -> None:
    options.at_least_one("--max-count", max_count)
    options.at_least_one("--num-users", num_users)
    options.at_least_one("--workers", workers)
    first, last = _moment("--from", begin), _moment("--to", until)
    settings = _settings(
        layout,
        {"encoding": encoding, "headers": headers, "schema_registry": schema_registry},
        {
            "late": late,
            "out_of_order": out_of_order,
            "duplicated": duplicated,
            "malformed": malformed,
        },
        interval,
    )
    clock = _clock(settings, speed, rate, live)
    if live and last is not None:
        raise TelcoError("--to and --live: a live stream has no end; stop it with Ctrl-C")
    root = Path(options.lake_root(lake))
    if not root.is_dir():
        raise TelcoError(f"no lake at {root}: make one with telco generate, or name --lake")

    from telco_pipeline.lake import Lake
    from telco_pipeline.streaming import people as users
    from telco_pipeline.streaming.control import Control
    from telco_pipeline.streaming.stream import Stream

    store = Lake(str(root), world)
    chosen = settings.chosen(None if topics is None else options.names("--topics", topics))
    people = users.chosen(store, None if users_file is None else Path(users_file), num_users)
    stream = Stream(store, chosen, settings, connection, people, again)
    days = [] if live else _days(stream, first, last)
    stream.prepared()
    control = Control(stream.folder, name, _amiss)
    told = Told(_parts(days, first, last), people is not None)
    started = time.monotonic()
    with control, control.signals(), _shown(stream) as show:
        if live:
            maker = _maker(stream, workers, control) if make else None
            done = _live(stream, first, control, show, max_count, maker)
        else:
            done = _replay(stream, days, clock, (first, last), control, show, max_count)
        for delivery in done:
            told.add(delivery)
    told.seconds = time.monotonic() - started
    _tell(told, as_json=as_json, live=live)
    if control.is_stopping:
        sent = len(told.deliveries)
        _stopped(again, None if sent >= len(days) else days[sent])


def _root(context: typer.Context, **values: Any) -> None:
    """Send days of the lake to Kafka, each record once, also after a kill or a lost broker.

    Records go in transactions that also hold how far they come: the same command goes on where an
    earlier one ended, and sends nothing that was sent. Without a clock (--speed N, --rate, --live)
    it goes as fast as it can. Ctrl-C commits what is under way, says what was sent, and ends with
    exit status 130.

    For example:

      telco stream

      telco stream --topics cdrs,network_logs --from 2026-01-01 --to 2026-01-03

      telco stream --layout by_type --speed 60 --max-count 100000

      telco stream --live

      telco stream --live --from 2026-01-31T00:00 --late 0.01 --duplicated 0.001

      telco stream stop
    """
    if context.invoked_subcommand is None:
        _stream(**values)


# Typer reads options from signature and annotations: those of `_stream`, after the context.
_context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
vars(_root)["__signature__"] = inspect.Signature(
    [_context, *inspect.signature(_stream).parameters.values()]
)
_root.__annotations__ = {**_stream.__annotations__, "context": typer.Context, "return": None}
app.callback(invoke_without_command=True)(_root)


# --- from what was typed to what is asked for ----------------------------------------------


def _settings(
    layout: str | None,
    words: Mapping[str, str | None],
    rates: Mapping[str, float | None],
    interval: float | None,
) -> "StreamSettings":
    """Return the settings of the file with what options replace."""
    from telco_pipeline.streaming.settings_file import load_settings

    given: dict[str, Any] = {key: word for key, word in words.items() if word is not None}
    for key, known in (("encoding", ("json", "avro")), ("headers", ("cloudevents", "none"))):
        if key in given and given[key] not in known:
            raise TelcoError(
                f"--{key} {given[key][:40]!r}{options.did_you_mean(given[key], known)}"
            )
    disturb = {kind: rate for kind, rate in rates.items() if rate is not None}
    for kind, share in disturb.items():
        if not 0 <= share <= 1:
            raise TelcoError(f"--{kind.replace('_', '-')} must be from 0 to 1, not {share:g}")
    if interval is not None:
        if not 0.01 <= interval <= 10:
            raise TelcoError(f"--interval must be 0.01 to 10 seconds, not {interval:g}")
        given["interval"] = interval
    settings = load_settings(layout=layout)
    settings = replace(settings, **given, disturb={**settings.disturb, **disturb})
    if settings.encoding == "avro" and settings.schema_registry is None:
        raise TelcoError(
            "--encoding avro needs a schema registry: name it with --schema-registry, or in "
            "scenarios/streaming.yaml"
        )
    return settings


def _clock(settings: "StreamSettings", speed: str | None, rate: float | None, live: bool) -> "Pace":
    """Return the pace that is asked for; checks it before anything is asked of the broker."""
    from telco_pipeline.streaming.pacing import Pace

    number: float | None = None
    if speed is not None and speed != "max":
        try:
            number = float(speed)
        except ValueError:
            raise TelcoError(f"--speed {speed[:40]!r}: must be max or a number above 0") from None
    if speed == "max" and (rate is not None or live):
        raise TelcoError(f"--speed max and {'--live' if live else '--rate'} are different clocks")
    if speed is None and rate is None and not live:
        number, rate = settings.speed, settings.rate
    return Pace.of(speed=number, rate=rate, live=live)


@dataclass(frozen=True)
class Moment:
    """A day, or a time on it.

    Attributes:
        at: When it begins.
        whole: Whether it is a day.
    """

    at: dt.datetime
    whole: bool

    @property
    def end(self) -> dt.datetime:
        """The end of the day, or the time itself."""
        return self.at + _DAY if self.whole else self.at


def _moment(option: str, text: str | None) -> Moment | None:
    """Return a day or a time as typed."""
    if text is None:
        return None
    if "T" not in text and " " not in text.strip():
        day = options.day_of(option, text.strip())
        assert day is not None
        return Moment(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC), True)
    try:
        at = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise TelcoError(
            f"{option} {text[:40]!r}: write a day (2026-01-31) or a time (2026-01-31T08:00, UTC)"
        ) from None
    at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    return Moment(at, False)


def _days(stream: "Stream", first: Moment | None, last: Moment | None) -> list[dt.date]:
    """Return the days to send, all of which the lake must hold."""
    from telco_pipeline.contracts import DATASETS

    daily = [name for name in stream.datasets if DATASETS[name].daily] or ["identity_changes"]
    there = sorted({day for name in daily for day in stream.lake.days(name)})
    if not there:
        raise TelcoError(
            f"{stream.lake.root} has no day of {', '.join(daily)}. Make one with: "
            f"{stream.lake.command(','.join(daily))}"
        )
    known = f"it has {there[0]} to {there[-1]}"
    begin = first.at.date() if first else there[0]
    end = (last.end - dt.timedelta(microseconds=1)).date() if last else there[-1]
    if first and last and last.end <= first.at:
        raise TelcoError(f"--to {last.at:%Y-%m-%dT%H:%M} does not lie after --from")
    if end < there[0] or begin > there[-1]:
        asked = f"from {begin} on" if last is None else f"from {begin} to {end}"
        raise TelcoError(f"{stream.lake.root} has no day {asked}; {known}")
    days = [begin + number * _DAY for number in range((end - begin).days + 1)]
    for day in days:
        lacking = stream.lacks(day)
        if lacking:
            names = ",".join(lacking)
            raise TelcoError(
                f"{stream.lake.root} lacks {', '.join(lacking)} of {day}; {known}. Make it with: "
                f"{stream.lake.command(names, day, day)}"
            )
    return days


def _parts(
    days: Sequence[dt.date], first: Moment | None, last: Moment | None
) -> frozenset[dt.date]:
    """Return the days of which only some times are asked for."""
    found = set()
    for day in days:
        start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        after = first is not None and first.at > start
        before = last is not None and last.end < start + _DAY
        if after or before:
            found.add(day)
    return frozenset(found)


# --- sending -------------------------------------------------------------------------------


def _replay(
    stream: "Stream",
    days: Sequence[dt.date],
    clock: "Pace",
    span: tuple[Moment | None, Moment | None],
    control: "Control",
    show: "Show",
    max_count: int | None,
) -> "Iterator[Delivery]":
    from telco_pipeline.streaming import stream as streams

    first, last = span
    yield from streams.replay(
        stream,
        days,
        lambda: replace(clock),
        start=None if first is None or first.whole else first.at,
        end=None if last is None or last.whole else last.at,
        control=control,
        on_day=show.day,
        on_progress=show.progress,
        max_count=max_count,
    )


def _live(
    stream: "Stream",
    first: Moment | None,
    control: "Control",
    show: "Show",
    max_count: int | None,
    maker: "Maker | None",
) -> "Iterator[Delivery]":
    from telco_pipeline.streaming import stream as streams

    def make(day: dt.date) -> None:
        if maker is not None:
            control.update(force=True, status="running", message=f"makes {day}")
            with show.aside():
                maker.make(day)
            control.update(force=True, message="")

    with maker or nullcontext():
        yield from streams.live(
            stream,
            since=None if first is None else first.at,
            control=control,
            make=None if maker is None else make,
            on_day=show.day,
            on_progress=show.progress,
            max_count=max_count,
            waiting=show.waiting,
        )


def _maker(stream: "Stream", workers: int | None, control: "Control") -> "Maker | None":
    """Return who makes days; None for worlds beside the main one, which other commands make."""
    from telco_pipeline.cli.ahead import Maker
    from telco_pipeline.settings import Settings

    if stream.lake.world != MAIN:
        return None
    return Maker(stream, workers or Settings.from_env().workers, lambda: control.is_stopping)


# --- what is shown -------------------------------------------------------------------------


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
            stderr().print(text, markup=False, soft_wrap=True)

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
            stderr().print(text, markup=False, soft_wrap=True)
        yield


@contextmanager
def _shown(stream: "Stream") -> Iterator[Show]:
    console = stderr()
    names = ", ".join(topic.name for topic in stream.topics)
    text = f"Sending {names} to {stream.connection.address}"
    console.print(f"{text} ...", markup=False, soft_wrap=True)
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
class Told:
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


def _tell(told: Told, *, as_json: bool, live: bool) -> None:
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


def _amiss(text: str) -> None:
    stderr().print(text, markup=False, soft_wrap=True)


def _stopped(again: bool, following: dt.date | None) -> NoReturn:
    """Say how to go on, and end.

    Args:
        again: Whether it was to send once more: the same command would do so from the start.
        following: The first day that it did not come to.
    """
    command = "the same command without --again" if again else "the same command"
    text = f"telco: stopped; all that is said to be sent is committed, {command} goes on after it"
    if again and following is not None:
        text += f"; days from {following} on need --again still (--from {following})"
    typer.echo(text, err=True)
    sys.exit(STOPPED)


# --- a stream that runs --------------------------------------------------------------------

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name; see `telco stream status`.")]


def _ask(name: str, what: Any, lake: str | None, told: str) -> None:
    from telco_pipeline.streaming import control
    from telco_pipeline.streaming.stream import FOLDER

    control.request(Path(options.lake_root(lake)) / FOLDER, name, what)
    print_line(f"{name}: {told}")


@app.command()
def stop(name: Name = "stream", lake: options.LakeDirectory = None) -> None:
    """End a running stream after it has committed what is under way.

    For example:

      telco stream stop

      telco stream stop live --lake data/lake
    """
    _ask(name, "stop", lake, "asked to stop")


@app.command()
def pause(name: Name = "stream", lake: options.LakeDirectory = None) -> None:
    """Let a running stream send nothing until it is resumed.

    For example:

      telco stream pause

      telco stream pause live
    """
    _ask(name, "pause", lake, "asked to pause; telco stream resume lets it go on")


@app.command()
def resume(name: Name = "stream", lake: options.LakeDirectory = None) -> None:
    """Let a paused stream go on.

    For example:

      telco stream resume

      telco stream resume live
    """
    _ask(name, "resume", lake, "asked to go on")


@app.command()
def status(lake: options.LakeDirectory = None) -> None:
    """Show the streams of a lake: what they send, how far they are, how late.

    For example:

      telco stream status

      telco stream status --lake data/lake
    """
    from telco_pipeline.streaming import control
    from telco_pipeline.streaming.stream import FOLDER

    found = control.streams(Path(options.lake_root(lake)) / FOLDER)
    if not found:
        print_line("No stream has run from this lake.")
        return
    now = dt.datetime.now(dt.UTC)
    columns = [
        Column("name"),
        Column("status"),
        Column("day"),
        Column("records", True),
        Column("records/s", True),
        Column("late (99 of 100)", True),
        Column("told"),
        Column("says"),
    ]
    rows = [
        [
            one.state.name,
            one.status,
            one.state.day,
            count(one.state.records),
            count(one.state.achieved),
            "-" if one.state.lateness is None else f"{one.state.lateness * 1000:,.0f} ms",
            _ago(one.state.updated, now),
            one.state.message,
        ]
        for one in found
    ]
    print_table("Streams", columns, rows)


def _ago(told: str, now: dt.datetime) -> str:
    """Return how long ago a state was written."""
    try:
        return f"{duration(max((now - dt.datetime.fromisoformat(told)).total_seconds(), 0))} ago"
    except (ValueError, TypeError):
        return told
