"""`telco export csv`, `ndjson`, `parquet`, `arrow`, `avro`, `delta`: datasets in other formats.

Belongs here: what is typed, and the line that tells what was written. Does not belong here: the
files (`exports.tables`), files of records as elements close them (`cli.export_collected`).
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports.kinds import KINDS, Kind

Out = Annotated[
    str,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Directory to be; it appears whole or not at all.",
        rich_help_panel=options.WHERE,
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        metavar="DATE",
        help="First day; default: the first in the lake.",
        rich_help_panel=options.WHERE,
    ),
]
Days = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Number of days; default: to the last in the lake.",
        rich_help_panel=options.WHERE,
    ),
]
Datasets = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Datasets, separated by commas; default: all that lie in the lake.",
        rich_help_panel=options.WHERE,
    ),
]
Replace = Annotated[
    bool,
    typer.Option("--replace", help="Replace an earlier export.", rich_help_panel=options.HOW),
]

_WORDS = {
    "csv": "One CSV file for each file of the lake: a line of names, then a line per row. Times "
    "are RFC 3339 in UTC with six digits, null is nothing between the commas, codes are text.",
    "ndjson": "One JSON object per row and line. Times are RFC 3339 in UTC with six digits, null "
    "is null, codes are text, ids whole numbers of up to 63 bits.",
    "parquet": "Parquet with times in microseconds (UTC) and codes as plain text, in the "
    "compression that you choose.",
    "arrow": "Arrow IPC files (Feather version 2), which many tools read without copying.",
    "avro": "Avro object container files with schemas that follow from the contracts: units, "
    "standards and the codes' values are in them.",
    "delta": "One Delta Lake table per dataset, partitioned by day, one transaction per day.",
}


def command(name: str) -> Callable[..., None]:
    """Return the command that exports to a format."""
    kind = KINDS[name]

    def typed(
        out: Out,
        datasets: Datasets = None,
        start: Start = None,
        days: Days = None,
        lake: options.LakeDirectory = None,
        world: options.World = "main",
        compression: Annotated[
            str | None,
            typer.Option(
                metavar="|".join(kind.compressions),
                help=f"Compression; default: {kind.compressions[0]}.",
                rich_help_panel=options.HOW,
            ),
        ] = None,
        replace: Replace = False,
    ) -> None:
        _run(kind, out, datasets, start, days, lake, world, compression, replace)

    typed.__name__ = name
    typed.__doc__ = f"""Write datasets as {kind.title}.

    {_WORDS[name]}

    Daily datasets lie in day=YYYY-MM-DD, which readers take for a column. docs/exports.md tells
    more.

    For example:

      telco export {name} --out data/{name}

      telco export {name} --datasets cdrs_voice,cells --start 2026-01-02 --days 1 --out data/{name}
      --replace
    """
    return typed


def register(app: typer.Typer) -> None:
    """Add a command for each format."""
    for name in KINDS:
        app.command(name)(command(name))


def _run(
    kind: Kind,
    out: str,
    datasets: str | None,
    start: str | None,
    days: int | None,
    lake: str | None,
    world: str,
    compression: str | None,
    replace: bool,
) -> None:
    target = target_of(out, f"data/{kind.name}")
    options.at_least_one("--days", days)
    first = options.day_of("--start", start)
    names = options.dataset_names(datasets)
    root = options.lake_root(lake)

    from telco_pipeline.cli.display import count, duration, megabytes, print_line, progress
    from telco_pipeline.exports.tables import Wanted, earliest, export
    from telco_pipeline.lake import Lake

    store = Lake(root, world)
    begin = first or (earliest(store, names) if days else None)
    last = options.last_day(begin, days) if begin and days else None
    wanted = Wanted(kind.name, names, begin, last, compression)
    began = time.monotonic()
    with progress("partitions", f"Exporting to {target}") as meter:

        def tell(what: str, rows: int, total: int) -> None:
            meter.total = total
            meter.step(what, rows)

        done = export(store, target, wanted, replace=replace, progress=tell)
    seconds = time.monotonic() - began
    print_line(
        f"{kind.title}: {count(done.datasets)} datasets, {count(done.rows)} rows, "
        f"{count(done.files)} files, {megabytes(done.bytes)} MB in {duration(seconds)}, in "
        f"{target.absolute()}"
    )


def target_of(out: str, example: str) -> Path:
    """Return the directory to be; TelcoError if it cannot be one."""
    if not out.strip():
        raise TelcoError(f"--out is empty; name a directory, such as {example}")
    target = Path(out)
    options.directory_to_be("--out", target.parent)
    return target
