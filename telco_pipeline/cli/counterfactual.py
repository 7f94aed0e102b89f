"""`telco counterfactual`: the same world without some of its layers, and what these did.

Belongs here: the command and its report. Does not belong here: what the world is
(`counterfactuals`), making it (`runs`).
"""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.counterfactuals import Counterfactual
    from telco_pipeline.lake import Lake
    from telco_pipeline.settings import WorldConfig

FAILED_CHECK = 1


def counterfactual(
    without: Annotated[
        str,
        typer.Option(metavar="all|A,B", help="Layers to leave out; all: the control world."),
    ],
    lake: options.LakeDirectory = None,
    datasets: options.Datasets = None,
    workers: options.Workers = None,
    report: Annotated[
        bool, typer.Option("--report", help="Only tell what the layers did; make nothing.")
    ] = False,
) -> None:
    """Make the paired world without some layers, beside the main one, and tell what they did.

    It has the same seed and the days that lie in the lake; what the layers do not reach has equal
    rows. It lies in _worlds/ over the main world, which shows through where both are the same.

    For example:

      telco counterfactual --without all

      telco counterfactual --without my_story --lake data/lake
    """
    from telco_pipeline.counterfactuals import counterfactual as world_without
    from telco_pipeline.lake import Lake

    root = options.lake_root(lake)
    options.at_least_one("--workers", workers)
    main = Lake(root)
    config = held_config(main)
    days = main.days("network_state")
    if not days:
        raise TelcoError(f"{root} has no day yet: make some first, with `{main.command()}`")
    names = [name.strip() for name in without.split(",") if name.strip()]
    if not names:
        raise TelcoError("--without is empty; write all, or names separated by commas")
    made = world_without(config, names, days[-1])
    if made.first is None or made.first > days[-1]:
        raise TelcoError(
            f"no incident of {', '.join(made.left_out)} begins by {days[-1]}, the last day in "
            f"{root}: both worlds are the same"
        )
    if not report:
        make(config, made, main, options.dataset_names(datasets), days, workers)
    tell(config, made, main, [day for day in days if day >= made.first])


def held_config(lake: "Lake") -> "WorldConfig":
    """Return the configuration of the main world that lies in a lake.

    Raises:
        TelcoError: None lies there.
    """
    from telco_pipeline.settings import WorldConfig

    held = lake.held_world()
    if held is None or held.config is None:
        raise TelcoError(f"{lake.root} holds no world: make one first, with `{lake.command()}`")
    return WorldConfig.model_validate(held.config)


def make(
    config: "WorldConfig",
    made: "Counterfactual",
    main: "Lake",
    datasets: list[str] | None,
    days: list[dt.date],
    workers: int | None,
) -> None:
    """Make the days of a counterfactual world from the first on which it can differ."""
    from telco_pipeline import planning
    from telco_pipeline.cli.display import progress
    from telco_pipeline.cli.findings import print_findings
    from telco_pipeline.contracts import DAILY_DATASETS
    from telco_pipeline.settings import Settings

    assert made.first is not None
    count = (days[-1] - made.first).days + 1
    there = [name for name in DAILY_DATASETS if main.exists(name)]
    names = with_daily_sources(datasets, there)
    with progress("partitions", f"Generating the world {made.name}") as meter:
        from telco_pipeline.runs import run_operator

        meter.total = planning.partitions(names, count)
        summary = run_operator(
            made.config,
            main.root,
            datasets=names,
            first=made.first,
            days=count,
            world=made.name,
            workers=workers or Settings.from_env().workers,
            replace=True,
            overlays=config.world_hash,
            on_progress=meter.partition,
        )
    for failure in summary.failures:
        raise TelcoError(failure.message)
    print_findings(summary.findings)
    if not summary.success:
        raise typer.Exit(FAILED_CHECK)


def with_daily_sources(datasets: list[str] | None, there: list[str]) -> list[str]:
    """Return the daily datasets to make: those asked for, and what they are made from."""
    from telco_pipeline.contracts.state import HISTORY
    from telco_pipeline.lineage import ancestors_of

    if datasets is None:
        return there
    wanted = set(datasets) | set(HISTORY)
    for name in datasets:
        wanted |= ancestors_of(name)
    return [name for name in there if name in wanted]


def tell(config: "WorldConfig", made: "Counterfactual", main: "Lake", days: list[dt.date]) -> None:
    """Print whom the layers reach and what they did."""
    from telco_pipeline.cli.display import Column, count, print_line, print_table
    from telco_pipeline.counterfactuals import differences, reach
    from telco_pipeline.lake import Lake

    other = Lake(main.root, made.name)
    if other.held_world() is None:
        raise TelcoError(f"{main.root} has no world {made.name} yet: leave out --report to make it")
    reached = reach(config, made, main, other, days)
    print_line(
        f"Without {', '.join(made.left_out)}: {days[0]} to {days[-1]}. By targets and state they "
        f"reach {count(len(reached.subscribers))} subscribers ({reached.of_subscribers:.1%}) and "
        f"{count(len(reached.cells))} cells ({reached.of_cells:.1%})."
    )
    print_table(
        "What the layers did",
        [Column("figure"), *(Column(name, True) for name in ("with", "without", "effect"))],
        [
            [f"{one.name}{f', {one.unit}' if one.unit else ''}"]
            + [
                f"{value:,.4g}" if abs(value) < 100 else count(value)
                for value in (one.value, one.other)
            ]
            + [f"{one.effect:+,.4g}" if abs(one.effect) < 100 else f"{one.effect:+,.0f}"]
            for one in differences(main, other, days)
        ],
    )
    print_line(f"The world lies in {main.root}/_worlds/{made.name}")
