"""`telco check`: all integrity checks on a lake that exists.

Belongs here: showing findings and the exit status. Does not belong here: the checks
(`integrity`).
"""

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.integrity import Finding
    from telco_pipeline.lake import Lake

FAILED_CHECK = 1


def check(
    lake: options.LakeDirectory = None,
    datasets: options.Datasets = None,
    world: options.World = "main",
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check a lake: keys resolve, ids are unique, no day is missing, contracts hold.

    Exit status 0 when no check fails, 1 when one does, 2 on an error. A comparison of rates that
    chance alone may have spoilt is a warning only.

    For example:

      telco check

      telco check --lake data/small --datasets cdrs_voice,cdrs_sms --json
    """
    options.at_least_one("--days", days)
    names = options.dataset_names(datasets)
    first = options.day_of("--start", start)
    root = options.lake_root(lake)

    from telco_pipeline import whole_lake
    from telco_pipeline.cli.display import progress
    from telco_pipeline.cli.findings import print_findings, print_json
    from telco_pipeline.lake import Lake

    store = Lake(root, world)
    present = _present(store, names)
    wanted = _days(store, present, first, days)
    with progress("checks", f"Checking {root}") as meter:

        def note(finding: "Finding", done: int, total: int) -> None:
            meter.total = total
            meter.step(f"{finding.dataset} {finding.check}")

        findings = whole_lake.check(store, names, wanted, note)
    if as_json:
        print_json(findings)
    else:
        print_findings(findings)
    if any(finding.failed for finding in findings):
        raise typer.Exit(FAILED_CHECK)


def _present(store: "Lake", names: list[str] | None) -> list[str]:
    """Return the datasets to check, each of which is in the lake."""
    from telco_pipeline.contracts import DATASETS

    if not store.root.is_dir():
        raise TelcoError(f"no lake at {store.root}: make one with telco generate, or name --lake")
    there = [name for name in store.datasets() if name in DATASETS and store.exists(name)]
    if not there:
        raise TelcoError(
            f"{store.root} holds no datasets of world {store.world}: make them with "
            f"{store.command()}"
        )
    for name in names or []:
        if name not in there:
            raise TelcoError(
                f"{store.root} has no {name}; it has {', '.join(there)}. "
                f"Make it with: {store.command(name)}"
            )
    return names or there


def _days(
    store: "Lake", names: Sequence[str], first: dt.date | None, count: int | None
) -> list[dt.date] | None:
    """Return the days to check, those included that lie between others; None for all."""
    if first is None and count is None:
        return None
    there = sorted({day for name in names for day in store.days(name)})
    if not there:
        raise TelcoError(
            f"{store.root} has no days of these datasets: leave out --start and --days"
        )
    start = first or there[0]
    end = options.last_day(start, count) if count else there[-1]
    if not any(start <= day <= end for day in there):
        asked = f"from {start} to {end}" if count else f"from {start} on"
        raise TelcoError(f"{store.root} has no day {asked}; it has {there[0]} to {there[-1]}")
    # From the first day that any dataset has to the last: beyond them nothing is missing.
    known = [day for name in store.datasets() for day in store.days(name)]
    start, end = max(start, min(known)), min(end, max(known))
    return [start + dt.timedelta(days=offset) for offset in range((end - start).days + 1)]
