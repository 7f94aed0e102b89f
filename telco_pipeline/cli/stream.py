"""`telco stream`: days of the lake to Kafka.

Belongs here: its options, and the way from them through sending to what is shown. Does not belong
here: what options mean (`cli.stream_asked`), what is shown (`cli.stream_shown`), what a running
stream is told (`cli.stream_control`), sending (`streaming.stream`, `streaming.publisher`).
"""

import datetime as dt
import inspect
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from telco_pipeline.cli import kafka, options
from telco_pipeline.cli.display import say
from telco_pipeline.cli.stream_asked import (
    Moment,
    clock_of,
    days_of,
    moment_of,
    parts_of,
    settings_of,
)
from telco_pipeline.cli.stream_shown import Show, Summary, print_summary, shown
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.cli.ahead import Maker
    from telco_pipeline.streaming.connection import Connection
    from telco_pipeline.streaming.control import Control
    from telco_pipeline.streaming.delivery import Delivery
    from telco_pipeline.streaming.pacing import Pace
    from telco_pipeline.streaming.stream import Stream

STOPPED = 130
"""Exit status of a stream that ended before its end, because somebody asked for that."""
WHAT = "What"
MAIN = "main"
CLOCK = "The clock"
FORM = "Form, and what is disturbed on purpose"

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
    first, last = moment_of("--from", begin), moment_of("--to", until)
    settings = settings_of(
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
    clock = clock_of(settings, speed, rate, live)
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
    days = [] if live else days_of(stream, first, last)
    stream.prepared()
    control = Control(stream.folder, name, say)
    told = Summary(parts_of(days, first, last), people is not None)
    started = time.monotonic()
    with control, control.signals(), shown(stream) as show:
        if live:
            maker = _maker(stream, workers, control) if make else None
            done = _live(stream, first, control, show, max_count, maker)
        else:
            done = _replay(stream, days, clock, (first, last), control, show, max_count)
        for delivery in done:
            told.add(delivery)
    told.seconds = time.monotonic() - started
    print_summary(told, as_json=as_json, live=live)
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


# --- sending ----------------------------------------------------------------------------


def _replay(
    stream: "Stream",
    days: Sequence[dt.date],
    clock: "Pace",
    span: tuple[Moment | None, Moment | None],
    control: "Control",
    show: Show,
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
    show: Show,
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
