"""`telco counterfactual`: the same world without some of its layers, and what these did.

Belongs here: the command and its report. Does not belong here: what the world is
(`counterfactuals`), making it (`runs`), whom the layers reach (`reach`), what they did (`paired`).
"""

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.counterfactuals import Counterfactual
    from telco_pipeline.lake import Lake
    from telco_pipeline.paired import Effects
    from telco_pipeline.settings import WorldConfig

FAILED_CHECK = 1
_SMALL = 100  # figures below are told with their first digits


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

    It has the same seed and the days that lie in the lake; rows that the layers do not reach are
    equal. It lies in _worlds/ over the main world, which shows through where both are the same; the
    tables of the report lie in its _reports/effects/. Exit status 1 if a check fails, or if local
    layers reach more of the records than they may.

    For example:

      telco counterfactual --without all

      telco counterfactual --without my_story --lake data/lake
    """
    from telco_pipeline.counterfactuals import counterfactual as world_without
    from telco_pipeline.counterfactuals import days_apart, refuse_other_code
    from telco_pipeline.lake import Lake

    root = options.lake_root(lake)
    options.at_least_one("--workers", workers)
    main = Lake(root)
    config = held_config(main)
    names = [name.strip() for name in without.split(",") if name.strip()]
    if not names:
        raise TelcoError("--without is empty; write all, or names separated by commas")
    if report and (datasets or workers):
        raise TelcoError(
            "--datasets and --workers say what is made and how; --report makes nothing: leave out "
            "either"
        )
    every = main.days("network_state")
    made = world_without(config, names, every[-1] if every else config.epoch)
    days = days_apart(main, made)
    if not report:
        refuse_other_code(main, days)
        make(config, made, main, options.dataset_names(datasets), every, workers)
    if not tell(config, made, main, days):
        raise typer.Exit(FAILED_CHECK)


def held_config(lake: "Lake") -> "WorldConfig":
    """Return the configuration of the main world that lies in a lake.

    Raises:
        TelcoError: None lies there.
    """
    from telco_pipeline.counterfactuals import held_config as held

    return held(lake)


def make(
    config: "WorldConfig",
    made: "Counterfactual",
    main: "Lake",
    datasets: list[str] | None,
    days: list[dt.date],
    workers: int | None,
    checked: bool = True,
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
            checked=checked,
            on_progress=meter.partition,
        )
    for failure in summary.failures:
        raise TelcoError(failure.message)
    if checked:
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


def tell(config: "WorldConfig", made: "Counterfactual", main: "Lake", days: list[dt.date]) -> bool:
    """Write and print whom the layers reach and what they did.

    Returns:
        Whether their reach is within its bound.
    """
    from telco_pipeline import paired
    from telco_pipeline.cli.display import print_line, progress
    from telco_pipeline.counterfactuals import check_pair
    from telco_pipeline.lake import Lake

    other = Lake(main.root, made.name)
    if other.held_world() is None:
        raise TelcoError(f"{main.root} has no world {made.name} yet: leave out --report to make it")
    check_pair(main, other, days)
    with progress("days", "Comparing both worlds", len(days)) as meter:
        effects = paired.compare(config, made, (main, other), days, meter.step)
    paired.write(effects, paired.directory_of(main, made))
    _print_reach(made, effects, days)
    _print_effects(effects)
    _print_uplift(effects)
    print_line(f"The world lies in {main.root}/_worlds/{made.name}")
    print_line(f"The tables lie in {paired.directory_of(main, made)}")
    return effects.reach.within_bound


def _print_reach(made: "Counterfactual", effects: "Effects", days: list[dt.date]) -> None:
    from telco_pipeline.cli.display import Column, count, print_line, print_table

    reach = effects.reach
    print_line(
        f"Without {', '.join(made.left_out)}: {days[0]} to {days[-1]}. By targets and state the "
        f"layers reach {count(len(reach.subscribers))} subscribers ({reach.of_subscribers:.1%}), "
        f"{count(len(reach.cells))} cells ({reach.of_cells:.1%}) and {count(len(reach.elements))} "
        f"elements ({reach.of_elements:.1%}) in any hour."
    )
    print_table(
        "Rows that may differ; all others are equal",
        [Column("dataset"), *(Column(name, True) for name in ("rows", "in reach", "share"))],
        [
            [share.dataset, count(share.rows), count(share.reached), f"{share.part:.2%}"]
            for share in reach.shares
        ],
    )
    print_line(f"Reach: {reach.bound_told()}.")


def _print_effects(effects: "Effects") -> None:
    from telco_pipeline.cli.display import Column, print_line, print_table

    print_table(
        "What the layers did",
        [Column("figure"), *(Column(name, True) for name in ("with", "without", "effect"))],
        [
            [
                f"{one.name}{f', {one.unit}' if one.unit else ''}",
                figure(one.value),
                figure(one.other),
                figure(one.effect, sign="+"),
            ]
            for one in effects.differences
        ],
    )
    print_line("What this brings in or costs is told when it has been rated.")


def _print_uplift(effects: "Effects") -> None:
    from telco_pipeline.cli.display import Column, print_table

    if not effects.uplifts:
        return
    titles = ("offered", "because", "anyway", "control", "of these act", "exact", "estimated")
    print_table(
        "Who acts on an offer, because of it and anyway; uplift exact and by the control group",
        [Column("campaign"), *(Column(title, True) for title in titles)],
        [
            [
                f"{one.layer} {one.incident + 1}, {one.what.replace('_', ' ')}",
                *(str(n) for n in (one.offered, one.because, one.anyway, one.control)),
                str(one.controls_acted),
                f"{one.exact:+.2%}",
                f"{one.estimated:+.2%}",
            ]
            for one in effects.uplifts
        ],
    )


def figure(value: float, sign: str = "") -> str:
    """Return a figure for people: small ones with their first digits, others whole."""
    if value == int(value) or abs(value) >= _SMALL:
        return f"{value:{sign},.0f}"
    return f"{value:{sign},.3g}"
