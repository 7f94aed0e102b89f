"""`telco plan`: rows, bytes, time and memory before anything is made.

Belongs here: the options and the table. Does not belong here: the estimates (`planning`).
"""

from telco_pipeline.cli import options


@options.on_request
def plan(asked: options.Request) -> None:
    """Tell what `telco generate` with the same options would make; reads and writes no data.

    For example:

      telco plan --subscribers 1000000 --days 7 --workers 8

      telco plan --datasets cdrs_voice --days 365
    """
    from telco_pipeline import planning
    from telco_pipeline.cli.display import (
        Column,
        count,
        duration,
        megabytes,
        print_line,
        print_table,
    )

    estimate = planning.estimate(
        asked.config, options.with_inputs(asked.datasets), asked.first, asked.days, asked.workers
    )
    print_table(
        f"Plan: {count(asked.config.subscribers)} subscribers, {asked.days} day(s) from "
        f"{asked.first}, {asked.workers} worker(s)",
        [
            Column("dataset"),
            Column("partitions", True),
            Column("rows", True),
            Column("MB", True),
            Column("time", True),
            Column("memory MB", True),
        ],
        [
            [
                one.name,
                count(one.partitions),
                count(one.rows),
                megabytes(one.bytes),
                duration(one.seconds),
                count(one.memory / 1e6),
            ]
            for one in estimate.datasets
        ],
    )
    print_line(
        f"In all {count(estimate.rows)} rows, {megabytes(estimate.bytes)} MB, about "
        f"{duration(estimate.seconds)} and {count(estimate.memory / 1e6)} MB of memory."
    )
    print_line(
        "Rows follow from the personas' rates and the calendar (within a tenth); bytes, time and "
        "memory are those of the machine that the constants in planning.py were measured on."
    )
    print_line(f"Lake: {asked.lake} (nothing was read or written)")
