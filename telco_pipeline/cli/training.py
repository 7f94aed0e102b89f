"""`telco export training`: a table of features and labels for learning.

Belongs here: what is typed, and what is shown of what was made. Does not belong here: the table
(`training`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.contracts.codes import EntityKind
    from telco_pipeline.training.table import Made


def training(
    layer: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Layer whose truth labels the rows.",
            rich_help_panel=options.WHERE,
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Parquet file to be; it appears whole or not at all.",
            rich_help_panel=options.WHERE,
        ),
    ],
    lake: options.LakeDirectory = None,
    world: options.World = "main",
    window: Annotated[
        str,
        typer.Option(
            metavar="DAYS", help="Time before a cut-off that is seen.", rich_help_panel=options.HOW
        ),
    ] = "7d",
    every: Annotated[
        str,
        typer.Option(
            metavar="DAYS",
            help="From one cut-off to the next.",
            rich_help_panel=options.HOW,
        ),
    ] = "1d",
    ahead: Annotated[
        str,
        typer.Option(
            metavar="DAYS",
            help="Time after a cut-off for which a later stage is predicted.",
            rich_help_panel=options.HOW,
        ),
    ] = "3d",
    stages: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Stages that count and are predicted; default: all count, and those after the "
            "first are predicted (the first, if there is no other).",
            rich_help_panel=options.HOW,
        ),
    ] = None,
    entity: Annotated[
        str | None,
        typer.Option(
            metavar="subscriber|cell|element|site",
            help="Whose rows; default: what the layer touches first.",
            rich_help_panel=options.HOW,
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="First cut-off; default: the first with a whole window.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Days over which the cut-offs lie; default: to the end of the lake.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Replace an earlier training table.", rich_help_panel=options.HOW
        ),
    ] = False,
) -> None:
    """Write a table for learning: what was known at each cut-off, and what the truth says.

    One row for each subscriber (or cell, element, site) and cut-off, the beginning of a day in
    UTC. Features see only records that were complete by then, within the window; labels come
    from the layer's truth; `split` keeps entities and times apart. docs/training.md tells all
    columns.

    For example:

      telco export training --layer my_story --out data/my_story.parquet

      telco export training --layer my_story --window 14d --every 7d --out data/weeks.parquet
    """
    options.at_least_one("--days", days)
    seen, step = _days_of("--window", window), _days_of("--every", every)
    horizon = _days_of("--ahead", ahead)
    first = options.day_of("--start", start)
    if not out.strip():
        raise TelcoError("--out is empty; name a file, such as data/table.parquet")
    target = Path(out)
    options.file_to_be("--out", target)
    if target.suffix.lower() != ".parquet":
        raise TelcoError(f"--out: {out} must end in .parquet")
    if days is not None and first is None:
        raise TelcoError("--days needs --start, the first cut-off")
    last = options.last_day(first, days) if first is not None and days is not None else None
    root = options.lake_root(lake)
    chosen = _kind(entity)
    named = None if stages is None else tuple(options.names("--stages", stages))

    from telco_pipeline.cli.counterfactual import held_config
    from telco_pipeline.cli.display import progress
    from telco_pipeline.lake import Lake
    from telco_pipeline.training.table import Wanted, write

    store = Lake(root, world)
    wanted = Wanted(layer, seen, step, horizon, chosen, named, first, last)
    config = held_config(store)
    with progress("cut-offs", f"Writing {out}") as meter:

        def tell(what: str, _: int, total: int) -> None:
            meter.total = total
            meter.step(what)

        made = write(config, store, wanted, target, replace=replace, progress=tell)
    _show(made, target)


def _days_of(option: str, text: str) -> int:
    """Return a length of time as typed, which must be of whole days."""
    number, unit = text[:-1], text[-1:]
    days = {"d": 1, "w": 7}.get(unit)
    if days is None or not number.isdecimal() or not 1 <= int(number) * days <= 3660:
        raise TelcoError(f"{option} {text!r}: write whole days or weeks, such as 7d or 2w")
    return int(number) * days


def _kind(text: str | None) -> "EntityKind | None":
    from telco_pipeline.contracts.codes import EntityKind

    if text is None:
        return None
    known = [str(kind) for kind in EntityKind]
    if text not in known:
        raise TelcoError(f"--entity {text!r}{options.did_you_mean(text, known)}")
    return EntityKind(text)


def _show(made: "Made", out: Path) -> None:
    """Print what the table holds, and where it lies."""
    from telco_pipeline.cli.display import Column, count, print_line, print_table

    print_table(
        "Training table",
        [Column("what"), Column("rows", True), Column("active", True)],
        [
            ["all", count(made.rows), count(made.active)],
            *([name, count(rows), count(active)] for name, (rows, active) in made.splits.items()),
        ],
    )
    print_line(
        f"One row for each {made.entity} and cut-off: {len(made.cut_offs)} from "
        f"{made.cut_offs[0]} to {made.cut_offs[-1]}. With a later stage ahead: "
        f"{count(made.ahead)}; look-alikes: {count(made.benign)}."
    )
    print_line(
        f"Learnt from cut-offs until {made.trained_until}, judged from {made.tested_from} on. "
        "Rows in between, and of entities dealt to another split, are in none."
    )
    if not made.active:
        print_line("No row is active: the layer's incidents lie outside these days.")
    print_line(f"The table is {out.absolute()}")
