"""`telco export collected-files`: files of records as network elements close them.

Belongs here: what is typed, and what is shown of what was written. Does not belong here: the files
(`exports.collected`), datasets in other formats (`cli.export_files`).
"""

import datetime as dt
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from telco_pipeline.cli import options
from telco_pipeline.cli.export_files import Days, Out, Replace, Start, target_of
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.exports.collected.export import Exported
    from telco_pipeline.lake import Lake

DIRT = "Made wrong on purpose (shares of files, 0 to 1)"


def _share(name: str, text: str) -> typer.models.OptionInfo:
    return typer.Option(name, metavar="SHARE", help=text, rich_help_panel=DIRT)


def collected_files(
    out: Out,
    kind: Annotated[
        Literal["csv", "ber"],
        typer.Option(
            "--format",
            metavar="csv|ber",
            help="Lines with header and trailer, or ASN.1 BER by TS 32.298 in files of TS 32.297.",
            rich_help_panel=options.HOW,
        ),
    ] = "csv",
    datasets: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Datasets whose files are wanted; default: all five kinds of CDR.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    start: Start = None,
    days: Days = None,
    lake: options.LakeDirectory = None,
    world: options.World = "main",
    duplicates: Annotated[float, _share("--duplicates", "Files that arrive a second time.")] = 0.0,
    gaps: Annotated[
        float, _share("--gaps", "Files that never arrive: their numbers are missing.")
    ] = 0.0,
    late: Annotated[float, _share("--late", "Files that arrive one to three days later.")] = 0.0,
    truncated: Annotated[
        float, _share("--truncated", "Files that end in the middle of a record.")
    ] = 0.0,
    workers: options.Workers = None,
    replace: Replace = False,
) -> None:
    """Write the files of CDRs that network elements closed and mediation collected.

    One file for each row of `collected_files`, with its name, running number and count of records,
    in the folder of the day on which it arrived. Files that a scenario layer lost are not there,
    those that it doubled come twice. What more is made wrong on purpose, and what layers did, is
    told in _truth.csv, beside the files. docs/exports.md has both formats field by field.

    For example:

      telco export collected-files --out data/cdr --days 1

      telco export collected-files --out data/cdr --format ber --datasets cdrs_data --replace

      telco export collected-files --out data/dirty --gaps 0.01 --duplicates 0.01 --truncated 0.005
    """
    target = target_of(out, "data/cdr")
    options.at_least_one("--days", days)
    options.at_least_one("--workers", workers)
    first = options.day_of("--start", start)
    names = options.dataset_names(datasets)
    root = options.lake_root(lake)

    from telco_pipeline.cli.display import progress
    from telco_pipeline.exports.collected.dirt import Dirt
    from telco_pipeline.exports.collected.export import Wanted, export
    from telco_pipeline.lake import Lake
    from telco_pipeline.settings import Settings

    store = Lake(root, world)
    dirt = Dirt(duplicates, gaps, late, truncated)
    begin, last = _span(store, first, days)
    crew = workers or Settings.from_env().workers
    wanted = Wanted(begin, last, kind, _filed(names), dirt, crew)
    began = time.monotonic()
    with progress("shares", f"Exporting to {target}") as meter:

        def tell(what: str, rows: int, total: int) -> None:
            meter.total = total
            meter.step(what, rows)

        done = export(store, target, wanted, replace=replace, progress=tell)
    _show(done, target, time.monotonic() - began)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("collected-files")(collected_files)


def _filed(names: list[str] | None) -> list[str]:
    """Return the datasets whose files are wanted; TelcoError if one does not come in files."""
    from telco_pipeline.oss.collection import DATASETS

    for name in names or ():
        if name not in DATASETS:
            raise TelcoError(
                f"--datasets: {name} does not come in files; there are: {', '.join(DATASETS)}"
            )
    return list(names or DATASETS)


def _span(store: "Lake", first: dt.date | None, days: int | None) -> tuple[dt.date, dt.date]:
    """Return the first and last day; TelcoError if the lake has no files at all."""
    there = store.days("collected_files")
    begin = first or (there[0] if there else None)
    if begin is None:
        if not store.root.is_dir():
            raise TelcoError(
                f"no lake at {store.root}: make one with telco generate, or name --lake"
            )
        raise TelcoError(
            f"{store.root} has no collected_files: make them with "
            f"`{store.command('collected_files')}`"
        )
    return begin, options.last_day(begin, days) if days else max(*there[-1:], begin)


def _show(done: "Exported", target: Path, seconds: float) -> None:
    from telco_pipeline.cli.display import count, duration, megabytes, print_line

    wrong = ", ".join(f"{count(number)} {kind}" for kind, number in done.fates.items())
    print_line(
        f"Collected files: {count(done.files)} files, {count(done.records)} records, "
        f"{megabytes(done.bytes)} MB in {duration(seconds)}, in {target.absolute()}"
    )
    print_line(f"Not as they should be: {wrong or 'none'}; _truth.csv tells which.")
