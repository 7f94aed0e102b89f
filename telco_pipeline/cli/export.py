"""`telco export`: the records in the formats of other people's tools.

Belongs here: what is typed, and what is shown of what was exported. Does not belong here: the files
(`exports`), tables for learning (`training`), what streaming makes of users (`streaming.people`).
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.exports.bandicoot import Exported
    from telco_pipeline.lake import Lake

app = typer.Typer(
    help="Write records in the formats of other people's tools, or tables for learning.",
    no_args_is_help=False,
)

RECORDS = ("cdrs_voice", "cdrs_sms")


@app.callback(invoke_without_command=True)
def _export(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def bandicoot(
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Directory to be; it appears whole or not at all.",
            rich_help_panel=options.WHERE,
        ),
    ],
    lake: options.LakeDirectory = None,
    world: options.World = "main",
    subscribers: Annotated[
        str | None,
        typer.Option(
            metavar="ID,ID",
            help="Users to export, by subscriber_id; default: all.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="As many users of those who called or wrote, the same ones every time.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="First day; default: the first in the lake.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Number of days; default: to the last in the lake.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    abroad: Annotated[
        bool,
        typer.Option(
            "--abroad/--no-abroad",
            help="Place what was done abroad in the capital of the country visited, or leave it "
            "out.",
            rich_help_panel=options.HOW,
        ),
    ] = True,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace an earlier export.", rich_help_panel=options.HOW),
    ] = False,
) -> None:
    """Write one CSV file per user for bandicoot 0.6, which loads them without a warning.

    Answered calls and delivered messages with the other party's pseudonym and the antenna; a file
    of antennas; a file of attributes per user (kind, persona, language, age). **Times are local**
    (the operator's time zone), because bandicoot's night and weekend are. Calls and messages that
    did not come about, and calls that the voicemail took, are left out: bandicoot knows neither.

    For example:

      telco export bandicoot --lake data/small --out data/bandicoot --sample 100

      telco export bandicoot --out data/bandicoot --subscribers 1078045244,1053804147 --replace

    Then, in Python up to 3.10 (bandicoot 0.6.0 itself does not import on 3.11 or later, which have
    no inspect.getargspec and inspect.formatargspec; docs/operations.md has lines that put them
    back):

      import bandicoot as bc

      user = bc.read_csv("1078045244", "data/bandicoot/records", "data/bandicoot/antennas.csv",
      attributes_path="data/bandicoot/attributes")
    """
    options.at_least_one("--days", days)
    options.at_least_one("--sample", sample)
    if subscribers is not None and sample is not None:
        raise TelcoError("--subscribers and --sample: name users or ask for a sample, not both")
    keys = _keys(subscribers)
    first = options.day_of("--start", start)
    if not out.strip():
        raise TelcoError("--out is empty; name a directory, such as data/bandicoot")
    root = options.lake_root(lake)

    from telco_pipeline.cli.display import progress
    from telco_pipeline.exports.bandicoot import Wanted, export
    from telco_pipeline.lake import Lake

    store = Lake(root, world)
    begin, end = _span(store, first, days)
    wanted = Wanted(begin, end, keys, sample, abroad)
    with progress("steps", f"Exporting to {out}") as meter:

        def tell(what: str, _: int, total: int) -> None:
            meter.total = total
            meter.step(what)

        done = export(store, Path(out), wanted, replace=replace, progress=tell)
    _show(done, Path(out), wanted.abroad)


@app.command()
def users(
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE", help="File to be.", rich_help_panel=options.WHERE),
    ] = "users.json",
    num_users: Annotated[
        int | None,
        typer.Option(
            "--num-users",
            metavar="N",
            help="As many people, the same ones every time; default: the whole registry.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    lake: options.LakeDirectory = None,
    world: options.World = "main",
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Replace an earlier file of users.", rich_help_panel=options.HOW
        ),
    ] = False,
) -> None:
    """Write a profile of each user as JSON: phone number, IMSI, IMEI and plan.

    `telco stream --users-file` then sends what is of these users alone, with the identities that
    the file gives them; edit it as you like (docs/streaming.md).

    For example:

      telco export users --lake data/small --num-users 100 --out users.json
    """
    options.at_least_one("--num-users", num_users)
    if not out.strip():
        raise TelcoError("--out is empty; name a file, such as users.json")
    options.file_to_be("--out", Path(out))
    root = options.lake_root(lake)

    from telco_pipeline.cli.display import count, print_line
    from telco_pipeline.lake import Lake
    from telco_pipeline.streaming import people

    store = Lake(root, world)
    if not store.root.is_dir():
        raise TelcoError(f"no lake at {store.root}: make one with telco generate, or name --lake")
    written = people.write(store, Path(out), num_users, replace=replace)
    print_line(f"{count(written)} users in {Path(out).absolute()}")


def _keys(text: str | None) -> list[int] | None:
    """Return the keys that were typed."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise TelcoError("--subscribers is empty; leave it out to export all")
    wrong = next((word for word in words if not (word.isdecimal() and len(word) <= 18)), None)
    if wrong is not None:
        raise TelcoError(
            f"--subscribers: {wrong!r} is no subscriber_id, which is a whole number of up to 18 "
            "digits"
        )
    return [int(word) for word in words]


def _span(store: "Lake", first: dt.date | None, days: int | None) -> tuple[dt.date, dt.date]:
    """Return the first and the last day to export, all of which the lake must hold."""
    if not store.root.is_dir():
        raise TelcoError(f"no lake at {store.root}: make one with telco generate, or name --lake")
    for name in RECORDS:
        if not store.exists(name):
            raise TelcoError(
                f"{store.root} has no {name}. Make it with: {store.command(','.join(RECORDS))}"
            )
    there = sorted(set.intersection(*(set(store.days(name)) for name in RECORDS)))
    known = f"it has {there[0]} to {there[-1]}" if there else "it has none"
    begin = first or (there[0] if there else None)
    if begin is None:
        raise TelcoError(f"{store.root} has no day of both {' and '.join(RECORDS)}")
    end = options.last_day(begin, days) if days else max(there[-1:], default=begin)
    if end < begin or begin not in there:
        raise TelcoError(f"{store.root} has no day from {begin} on of both records; {known}")
    length = (end - begin).days + 1
    missing = (begin + dt.timedelta(days=each) for each in range(length))
    lacking = next((day for day in missing if day not in there), None)
    if lacking is not None:
        raise TelcoError(
            f"{store.root} lacks {' or '.join(RECORDS)} of {lacking}; {known}. Make it with: "
            f"{store.command(','.join(RECORDS), lacking, lacking)}"
        )
    return begin, end


def _show(done: "Exported", out: Path, abroad: bool) -> None:
    """Print what was exported, what was not, and where it lies."""
    from telco_pipeline.cli.display import Column, count, print_line, print_table

    print_table(
        "Export for bandicoot",
        [Column("what"), Column("number", True)],
        [
            ["users", count(done.users)],
            ["calls", count(done.calls)],
            ["texts", count(done.texts)],
            ["made abroad, " + ("at its capital" if abroad else "left out"), count(done.abroad)],
            ["not answered or not delivered, left out", count(done.attempts)],
            ["taken by the voicemail, left out", count(done.forwarded)],
            ["the same to the second, left out", count(done.doubles)],
            ["calls cut short where another was answered", count(done.shortened)],
        ],
    )
    print_line("Times are local. Users without a record have no file.")
    print_line(f"The files lie in {out.absolute()}")
