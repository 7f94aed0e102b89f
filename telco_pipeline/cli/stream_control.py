"""`telco stream stop|pause|resume|status`.

Belongs here: what is typed and shown of streams that run. Does not belong here: requests and state
(`streaming.control`).
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from telco_pipeline.cli import options
from telco_pipeline.cli.display import Column, count, duration, print_line, print_table

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name; see `telco stream status`.")]


def _ask(name: str, what: Any, lake: str | None, told: str) -> None:
    from telco_pipeline.streaming import control
    from telco_pipeline.streaming.stream import FOLDER

    control.request(Path(options.lake_root(lake)) / FOLDER, name, what)
    print_line(f"{name}: {told}")


def stop(name: Name = "stream", lake: options.LakeDirectory = None) -> None:
    """End a running stream after it has committed what is under way.

    For example:

      telco stream stop

      telco stream stop live --lake data/lake
    """
    _ask(name, "stop", lake, "asked to stop")


def pause(name: Name = "stream", lake: options.LakeDirectory = None) -> None:
    """Let a running stream send nothing until it is resumed.

    For example:

      telco stream pause

      telco stream pause live
    """
    _ask(name, "pause", lake, "asked to pause; telco stream resume lets it go on")


def resume(name: Name = "stream", lake: options.LakeDirectory = None) -> None:
    """Let a paused stream go on.

    For example:

      telco stream resume

      telco stream resume live
    """
    _ask(name, "resume", lake, "asked to go on")


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
