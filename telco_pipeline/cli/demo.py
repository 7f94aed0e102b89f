"""`telco demo`: the operator at work from nothing, as `make demo` runs it.

Belongs here: the demonstration's size, and its report. Does not belong here: how it is made
(`generate`), how it is checked (`integrity`).

The demo makes its partitions again even if they are there: it is to prove that this checkout
works, on this machine, today. Equal rows come out, so nothing is lost.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from telco_pipeline.cli import generate, options
from telco_pipeline.errors import TelcoError

FAILED = 1
SUBSCRIBERS = 5000
DAYS = 35


def demo(
    subscribers: Annotated[
        int, typer.Option(metavar="N", help="SIM cards in service.")
    ] = SUBSCRIBERS,
    days: Annotated[int, typer.Option(metavar="N", help="Number of days.")] = DAYS,
    lake: options.LakeDirectory = None,
    workers: options.Workers = None,
) -> None:
    """Run the whole operator: all datasets from the epoch on, every layer, all checks, realism.

    Exit status 0 only if all of it worked.

    For example:

      telco demo

      telco demo --subscribers 500 --days 3 --lake /tmp/small-lake
    """
    from telco_pipeline.cli.display import print_line

    asked = options.request(
        subscribers=subscribers, days=days, lake=lake, workers=workers, replace=True
    )
    _refuse_other_world(asked)
    summary = generate.run(asked)
    generate.show(asked, summary)
    unseen = False
    if summary.success:
        unseen = asked.config.layers and not stories_seen(asked)
        print_line(realism(asked))
    for line in ways_on(asked):
        print_line(line)
    if unseen or not summary.success:
        raise typer.Exit(FAILED)


def _refuse_other_world(asked: options.Request) -> None:
    """Keep a demo from replacing somebody's own operator, which `--replace` would do."""
    from telco_pipeline.lake import Lake

    held = Lake(asked.lake).held_world()
    if held is not None and held.world_hash != asked.config.world_hash:
        raise TelcoError(
            f"{asked.lake} holds another world, {held.told()}: choose another --lake for the demo"
        )


def stories_seen(asked: options.Request) -> bool:
    """Make the control world, look for the layers' signatures, and show what was seen.

    Of the control world only the datasets are made that the signatures ask for, unchecked: the
    checks of the main world have just passed on what the same code made.

    Returns:
        Whether none speaks against its layer.
    """
    from telco_pipeline import signatures as looking
    from telco_pipeline.cli import counterfactual, signatures
    from telco_pipeline.contracts import DATASETS
    from telco_pipeline.counterfactuals import counterfactual as world_without
    from telco_pipeline.engine.calendar import days
    from telco_pipeline.lake import Lake
    from telco_pipeline.scenarios.story import layers_of

    lake, config = Lake(asked.lake), asked.config
    span = days(asked.first, asked.days)
    control = world_without(config, ["all"], span[-1])
    names = looking.asked(config, layers_of(config), span)
    if control.first is not None and control.first <= span[-1] and names:
        daily = [name for name in names if DATASETS[name].daily]
        counterfactual.make(config, control, lake, daily, span, asked.workers, checked=False)
    found = signatures.judged(asked.lake)
    signatures.show(found)
    return not signatures.failing(found)


def realism(asked: options.Request) -> str:
    """Make the realism report of what was made, and return its score in words.

    Raises:
        TelcoError: When it could not be made.
    """
    from telco_pipeline import reporting

    if not reporting.enough(asked.config.subscribers, asked.days):
        return (
            f"Realism: not measured, which takes {reporting.FEWEST_SUBSCRIBERS:,} subscribers and "
            f"{reporting.FEWEST_DAYS} days."
        )
    from telco_pipeline.cli.display import progress
    from telco_pipeline.lake import Lake
    from telco_pipeline.runs import run_report

    with progress("steps", "Measuring how real the records look"):
        failures = run_report(asked.config, asked.lake, asked.first, asked.days)
    if failures:
        raise TelcoError(f"the realism report could not be made: {failures[0].message}")
    rows = [one.row for one in reporting.read(Lake(asked.lake))]
    return f"Realism: {reporting.summary(rows)} See: telco realism --lake {asked.lake}"


def ways_on(asked: options.Request) -> list[str]:
    """Return what to do next: the UI, and three queries."""
    lake = asked.lake
    day = f"{lake}/cdrs_voice/day={asked.first}"
    elsewhere = Path(lake).resolve() != Path("data/lake").resolve()
    ui = f"TELCO_LAKE={Path(lake).resolve()} make ui" if elsewhere else "make ui"
    home = os.environ.get("DAGSTER_HOME")
    known = "" if home else " (run by `make demo`, its runs would show there too)"
    return [
        "",
        f"Open the UI:  {ui}  and then http://127.0.0.1:3000{known}",
        "",
        "Three queries to try (in .venv/bin/python):",
        "",
        "  # Polars: how calls end, by radio access",
        "  import polars as pl",
        f"  print(pl.scan_parquet('{lake}/cdrs_voice/*/*.parquet')"
        ".group_by('rat_type', 'cause_for_term').len().sort('len').collect())",
        "",
        "  # DuckDB: the hours of the first day, in gigabytes",
        "  import duckdb",
        f'  print(duckdb.sql("select hour(event_time) h, sum(data_volume_downlink)/1e9 gb '
        f"from '{lake}/cdrs_data/day={asked.first}/*.parquet' group by h order by h\"))",
        "",
        "  # DuckDB: who calls most, with the persona of the registry",
        f"  print(duckdb.sql(\"select persona, count(*) n from '{day}/*.parquet' "
        f"join '{lake}/subscribers/*.parquet' using (subscriber_id) "
        'group by persona order by n desc"))',
    ]
