"""`telco bench warehouse`: rows a second into databases, beside psql.

Belongs here: the options and the table. Does not belong here: measuring, which is done by
`benchmarks/warehouse.py`.
"""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.cli.bench import json_target, needs_the_repository
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from benchmarks.warehouse import Report

DATASET = "cdrs_data"
ROUNDS = 3


def warehouse(
    lake: options.LakeDirectory = None,
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="Daily dataset that is loaded.")
    ] = DATASET,
    day: Annotated[
        str | None, typer.Option(metavar="DATE", help="Day of the lake; default: its first.")
    ] = None,
    rounds: Annotated[int, typer.Option(metavar="N", help="Runs of each contender.")] = ROUNDS,
    database_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A PostgreSQL, in which schemas are made and dropped again; "
            "default: one is started for it.",
        ),
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON too.")
    ] = None,
) -> None:
    """Measure rows/s and memory from a day of the lake into PostgreSQL, DuckDB and SQLite.

    In the same run, in turn: psql copies the same rows as CSV, into a table without key or index
    and into one with ours. The bar is 0.6 of psql into the table without.

    For example:

      telco bench warehouse --lake data/small --rounds 2
    """
    from telco_pipeline.cli.display import progress
    from telco_pipeline.contracts import DAILY_DATASETS
    from telco_pipeline.lake import Lake

    options.at_least_one("--rounds", rounds)
    if dataset not in DAILY_DATASETS:
        raise TelcoError(f"--dataset {dataset!r}{options.did_you_mean(dataset, DAILY_DATASETS)}")
    target = json_target(json_file)
    try:
        from benchmarks import warehouse as measuring
    except ImportError as error:
        raise needs_the_repository(error) from error
    store = Lake(options.lake_root(lake))
    asked = options.day_of("--day", day)
    held = store.days(dataset)
    if not held or (asked is not None and asked not in held):
        raise TelcoError(
            f"{store.root} has no {dataset} of {asked or 'any day'}: make it with "
            f"`{store.command(dataset, asked, asked)}`"
        )
    plan = measuring.Plan(str(store.root), dataset, asked or held[0], rounds, database_url)
    with progress("runs", "Measuring", measuring.steps(plan)) as meter:
        report = measuring.run(plan, meter.step)
    _show(report)
    if target:
        target.write_text(json.dumps(report.as_json(), indent=2) + "\n", encoding="utf-8")
        typer.echo(f"Written to {target}")


def _show(report: "Report") -> None:
    from benchmarks.warehouse import BAR_SHARE, BARE, SAME
    from telco_pipeline.cli.display import Column, count, print_line, print_table

    print_table(
        f"{count(report.rows)} rows of {report.dataset}, {report.columns} columns, "
        f"{report.csv_bytes / 1e6:,.0f} MB of CSV (medians)",
        [Column("who"), Column("rows/s", True), Column("CSV MB/s", True), Column("peak MB", True)],
        [
            [
                result.name,
                count(result.rate),
                f"{report.csv_bytes / report.rows * result.rate / 1e6:.0f}",
                count(result.peak / 1e6) if result.peak else "-",
            ]
            for result in report.results.values()
        ],
    )
    print_line(
        f"PostgreSQL over psql: {report.share(BARE):.2f} of a table without key or index (bar: "
        f"{BAR_SHARE}), {report.share(SAME):.2f} of one with ours."
    )
