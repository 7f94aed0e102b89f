"""`telco plan`: rows, bytes, time and memory before anything is made.

Belongs here: the options and the table. Does not belong here: the estimates (`planning`).
"""

from telco_pipeline.cli import options


def plan(
    subscribers: options.Subscribers = None,
    seed: options.Seed = None,
    scenarios: options.Scenarios = "all",
    world_file: options.WorldFile = None,
    start: options.Start = None,
    days: options.Days = 1,
    lake: options.LakeDirectory = None,
    datasets: options.Datasets = None,
    world: options.World = "main",
    shards: options.Shards = None,
    workers: options.Workers = None,
    replace: options.Replace = False,
) -> None:
    """Tell what `telco generate` with the same options would make; reads and writes no data.

    For example:

      telco plan --subscribers 1000000 --days 7 --workers 8

      telco plan --datasets cdrs_voice --days 365
    """
    asked = options.request(
        subscribers=subscribers,
        seed=seed,
        scenarios=scenarios,
        world_file=world_file,
        start=start,
        days=days,
        lake=lake,
        datasets=datasets,
        world=world,
        shards=shards,
        workers=workers,
        replace=replace,
    )
    show_plan(asked)


def show_plan(asked: options.Request) -> None:
    """Print the estimates of a request."""
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
        "Rows follow from the personas' rates (within a quarter); bytes, time and memory are those "
        "of the machine that the constants in planning.py were measured on."
    )
    print_line(f"Lake: {asked.lake} (nothing was read or written)")
