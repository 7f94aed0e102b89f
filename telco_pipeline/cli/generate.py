"""`telco generate`: the same Dagster assets as in the UI, run in this process.

Belongs here: from a request to a run, and what is shown of it. Does not belong here: Dagster
(`runs`), making rows (`production`).
"""

from typing import TYPE_CHECKING

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.lake import Lake
    from telco_pipeline.runs import RunSummary

FAILED_CHECK = 1
INTERRUPTED = "DagsterExecutionInterruptedError"
"""What Dagster makes of Ctrl-C during a step."""


@options.on_request
def generate(asked: options.Request) -> None:
    """Make datasets: runs the operator's Dagster assets and their checks in this process.

    What a dataset is made from is made first, unless it is in the lake already; so are state and
    changes of identity of all days before. Days that are there are made again. The same world
    gives the same rows, on any number of workers and from any start. Exit status 1 when a check
    fails.

    For example:

      telco generate --subscribers 2000 --days 3 --lake data/small

      telco generate --datasets cdrs_voice,cdrs_sms --start 2026-03-29 --workers 4

      telco generate --seed 7 --world other-seed
    """
    summary = run(asked)
    show(asked, summary)
    if not summary.success:
        raise typer.Exit(FAILED_CHECK)


def run(asked: options.Request) -> "RunSummary":
    """Run a request with progress on stderr.

    Raises:
        TelcoError: When the run could not do what was asked.
        RuntimeError: When a step failed by a fault of the program.
        KeyboardInterrupt: When Ctrl-C was pressed during a step.
    """
    from telco_pipeline import planning
    from telco_pipeline.cli.display import progress
    from telco_pipeline.lake import Lake

    # A lake or world that cannot be is refused before Dagster, which takes its time, is loaded.
    lake = Lake(asked.lake, asked.world)
    names = _to_make(lake, asked)
    with progress("partitions", f"Generating into {asked.lake}") as meter:
        from telco_pipeline.runs import run_operator, stages_of

        stages = stages_of(asked.config, lake, names, asked.first, asked.days)
        meter.total = sum(planning.partitions(one.datasets, len(one.days)) for one in stages)
        summary = run_operator(
            asked.config,
            asked.lake,
            datasets=names,
            first=asked.first,
            days=asked.days,
            world=asked.world,
            workers=asked.workers,
            shards=asked.shards,
            replace=asked.replace,
            on_progress=meter.partition,
        )
    refuse_failures(summary)
    return summary


def _to_make(lake: "Lake", asked: options.Request) -> list[str] | None:
    """Return the datasets to make; None for all.

    Days are made as asked. What has no days is left as it is, unless it was named, is to be
    replaced, or was made from another world, by other code or under another contract.
    """
    from telco_pipeline.contracts import DATASETS

    if asked.datasets is not None or asked.replace:
        return asked.datasets
    names = [
        name for name, one in DATASETS.items() if one.daily or not _is_current(lake, asked, name)
    ]
    return None if len(names) == len(DATASETS) else names


def _is_current(lake: "Lake", asked: options.Request, name: str) -> bool:
    from telco_pipeline.code_version import code_version
    from telco_pipeline.contracts import DATASETS

    record = lake.provenance(name)
    return (
        record is not None
        and record.world_hash == asked.config.world_hash
        and record.code_version == code_version(daily=False)
        and record.contract_fingerprint == DATASETS[name].fingerprint()
    )


def refuse_failures(summary: "RunSummary") -> None:
    """Raise what ended a run, other than by a failed check; see `run`."""
    for failure in summary.failures:
        if INTERRUPTED in failure.message:
            raise KeyboardInterrupt
        if failure.expected:
            raise TelcoError(failure.message)
        error = RuntimeError(f"{failure.step}: {failure.message}")
        error.add_note(failure.details)
        raise error


def show(asked: options.Request, summary: "RunSummary") -> None:
    """Print what was made, what the checks found, and where it lies."""
    from telco_pipeline.cli.display import (
        Column,
        count,
        duration,
        megabytes,
        print_line,
        print_table,
    )
    from telco_pipeline.cli.findings import print_findings
    from telco_pipeline.lake import Lake

    print_table(
        "Datasets",
        [
            Column("dataset"),
            Column("partitions", True),
            Column("rows", True),
            Column("MB", True),
            Column("time", True),
            Column("rows/s", True),
        ],
        [
            [
                one.dataset,
                count(one.partitions),
                count(one.rows),
                megabytes(one.bytes),
                duration(one.seconds),
                count(one.rows / max(one.seconds, 1e-3)),
            ]
            for one in summary.datasets
        ],
    )
    print_findings(summary.findings)
    if summary.skipped:
        print_line(f"Not made, for something before them failed: {', '.join(summary.skipped)}.")
    size = sum(one.bytes for one in summary.datasets)
    lake = Lake(asked.lake, asked.world)
    print_line(
        f"{count(summary.rows)} rows, {megabytes(size)} MB in {duration(summary.seconds)}, "
        f"checks included. World {asked.config.world_hash} of seed {asked.config.seed}."
    )
    print_line(f"The data lies in {lake.directory('places').parent.absolute()}")
