"""`telco warehouse history`: the registry's versions and its feed of changes in a SQL database.

Belongs here: what is typed, and what is shown. Does not belong here: writing (`warehouse.history`).
"""

import datetime as dt
from typing import Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.cli.warehouse import DatabaseUrl, Schema
from telco_pipeline.errors import TelcoError


def history(
    until: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="Last day; default: the last one to which the lake has them all.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    lake: options.LakeDirectory = None,
    world: options.World = "main",
    database_url: DatabaseUrl = None,
    schema: Schema = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Write all of it again from the epoch.", rich_help_panel=options.HOW
        ),
    ] = False,
) -> None:
    """Write who was what when (subscribers_history), and what changed (subscribers_changes).

    The first is the registry as a slowly changing dimension of type 2: a row for each state of each
    subscriber, with valid_from, valid_to and is_current. The second is a feed of inserts, updates
    and deletes with the row before and after. Days that are there already are left alone.

    For example:

      telco generate --days 30 --datasets identity_changes,subscriber_state

      telco warehouse history --until 2026-01-20
    """
    last = options.day_of("--until", until)
    root = options.lake_root(lake)

    from telco_pipeline.cli.display import count, duration, print_line, progress
    from telco_pipeline.lake import Lake
    from telco_pipeline.warehouse import history as histories
    from telco_pipeline.warehouse.database import Database

    database = Database.from_environment(database_url, schema)
    store = Lake(root, world)
    if not store.root.is_dir():
        raise TelcoError(f"no lake at {store.root}: make one with telco generate, or name --lake")
    with progress("days", f"Writing the registry's history into {database.address}") as meter:

        def step(day: dt.date, versions: int) -> None:
            meter.step(str(day), versions)

        done = histories.write(database, store, last, again=again, progress=step)
    anew = ", all of them again, as the lake was made anew" if done.again and not again else ""
    print_line(
        f"{count(done.days)} days written{anew}: {count(done.versions)} states, "
        f"{count(done.changes)} changes in {duration(done.seconds)}."
    )
    print_line(f"{database.address} holds {count(done.rows)} states until {done.until}.")
