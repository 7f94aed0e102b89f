"""`telco realism`: how near the records of a lake come to real mobile-phone data.

Belongs here: the options, the tables, the exit status. Does not belong here: the measures
(`analytics.realism`), the files of a report (`reporting`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.analytics.realism import Report, Row

NOT_GOOD_ENOUGH = 1
PICTURES_OF_DOCS = Path("img") / "realism"


def realism(
    lake: options.LakeDirectory = None,
    world: options.World = "main",
    start: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="First day; default: the newest days in the lake.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Number of days, 7 or more; default: 28, or as many as there are.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Where realism.md, realism.json and the plots go; default: LAKE/_reports/realism.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    docs: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write the page there too, its plots into img/realism beside it.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    reasons: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="YAML file that says why rows are out of band (key: reason), for the page.",
            rich_help_panel=options.HOW,
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the report as JSON.", rich_help_panel=options.HOW),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit with status 1 if fewer than 90 % of the counted rows are in band.",
            rich_help_panel=options.HOW,
        ),
    ] = False,
) -> None:
    """Measure the records against what real mobile-phone data look like: value, band, verdict.

    Degree and weight of ties, durations, bursts, rhythm, mobility, volumes, machines: each row has
    a target, a band and a source. Rows on crowds and fraud count where scenario layers bring them
    in these days; otherwise they are listed only.

    Exit status 0 when the report could be made: a row out of band is a warning. With --strict 1
    when fewer than 90 % are in band. 2 on an error.

    For example:

      telco realism

      telco realism --lake data/small --start 2026-01-05 --days 14 --out data/realism

      telco realism --docs docs/realism.md --reasons docs/realism-reasons.yaml --strict
    """
    options.at_least_one("--days", days)
    first = options.day_of("--start", start)
    if first is not None and days is not None:
        options.last_day(first, days)
    for option, value in (("--out", out), ("--docs", docs), ("--reasons", reasons)):
        if value is not None and not value.strip():
            raise TelcoError(f"{option} is empty; leave it out or name a path")
    root = options.lake_root(lake)

    from telco_pipeline import reporting
    from telco_pipeline.analytics.realism import render_json
    from telco_pipeline.cli.display import duration, print_line, progress
    from telco_pipeline.lake import Lake

    store = Lake(root, world)
    why = reporting.reasons_of(Path(reasons)) if reasons else None
    directory = Path(out) if out else reporting.directory_of(store)
    wanted = reporting.days_to_measure(store, first, days)
    reporting.check_size(store)
    # Before the measuring, which takes minutes.
    _check_targets(directory, Path(docs) if docs else None)
    steps = reporting.steps_of(wanted)
    with progress("steps", f"Measuring {root}, {wanted[0]} to {wanted[-1]}", steps) as meter:
        report = reporting.make(store, wanted, meter.step)
        meter.step("plots")
        pictures = reporting.pictures_of(report)
    reporting.write(report, pictures, directory, why)
    if docs:
        reporting.write_page(report, pictures, Path(docs), PICTURES_OF_DOCS, why)
    if as_json:
        typer.echo(render_json(report, why))
    else:
        _show(report)
        print_line(reporting.summary(report.rows))
        print_line(
            f"{report.subscribers:,} subscribers, {len(report.days)} days, {report.records:,} "
            f"records in {duration(report.seconds)}. The report lies in {directory.absolute()}"
        )
    if strict and not reporting.good_enough(report):
        raise typer.Exit(NOT_GOOD_ENOUGH)


def _check_targets(directory: Path, page: Path | None) -> None:
    """Refuse places where the report could not be written."""
    options.directory_to_be("--out", directory)
    for name in ("realism.md", "realism.json"):
        options.file_to_be("--out", directory / name)
    options.directory_to_be("--out", directory / "img")
    if page is not None:
        options.file_to_be("--docs", page)
        options.directory_to_be("--docs", page.parent / PICTURES_OF_DOCS)


def _show(report: "Report") -> None:
    """Print a table for each group of rows."""
    from telco_pipeline.analytics.realism import GROUPS
    from telco_pipeline.cli.display import Column, print_table

    columns = [
        Column("row"),
        Column("measured", True),
        Column("band"),
        Column("verdict"),
        Column("source"),
    ]
    for group in GROUPS:
        rows, _ = report.of_group(group)
        if rows:
            print_table(group.capitalize(), columns, [_cells(row) for row in rows])


def _cells(row: "Row") -> list[str]:
    verdict = str(row.verdict) if row.counted else f"{row.verdict}: {row.excuse}"
    return [row.title, row.value_text(), row.band_text(), verdict, row.source]
