"""The job `counterfactual`: the main world without some layers, and what these did.

Belongs here: its steps, one for each daily dataset and one for the report, and what they tell
Dagster. Does not belong here: what the world is (`counterfactuals`), whom the layers reach
(`reach`), what they did (`paired`).

It is a job of steps, not of assets: which days it makes follows from the layers and from the lake,
so there is no partition to choose, and Dagster's book stays that of the main world. What the layers
did also shows on their assets, as observations.
"""

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from telco_pipeline import lineage, partitions, timelines
from telco_pipeline.assets import policy
from telco_pipeline.assets.factory import verify
from telco_pipeline.assets.faults import judged
from telco_pipeline.assets.layers import key_of
from telco_pipeline.contracts import DAILY_DATASETS
from telco_pipeline.contracts.state import HISTORY
from telco_pipeline.counterfactuals import (
    Counterfactual,
    check_pair,
    days_apart,
    held_config,
    refuse_other_code,
)
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.resources import Operation

if TYPE_CHECKING:
    from telco_pipeline.paired import Effects

NAME: Final = "counterfactual"
REPORT: Final = "what_the_layers_did"
_PLACE: Final = "made"


def build_counterfactual(pool: str | None = policy.POOL) -> dg.JobDefinition:
    """Build the job: every daily dataset after those that it is made from, then the report."""
    ops = {name: _step(name, pool) for name in DAILY_DATASETS}
    report = _report(pool)
    after = {name: _daily_sources(name) for name in ops} | {REPORT: list(ops)}
    graph = dg.GraphDefinition(
        name=NAME,
        node_defs=[*ops.values(), report],
        dependencies={
            _name(name): {
                source: dg.DependencyDefinition(_name(source), _PLACE) for source in sources
            }
            for name, sources in after.items()
        },
    )
    return graph.to_job(
        name=NAME,
        description="The paired world: choose in the run configuration of `operator` which layers "
        "the main world in the lake is to do `without`. It is made from the first day on which it "
        "can differ to the last one in the lake, in _worlds/without-.../, and checked in the steps "
        "that make it. The last step tells exactly what the layers did, and which part of the "
        "records they can have reached.",
        config={"resources": {"operator": {"config": {"without": ["all"]}}}},
        tags={"team": "operations"},
        executor_def=dg.in_process_executor,
    )


def _name(dataset: str) -> str:
    return dataset if dataset == REPORT else f"make_{dataset}"


def _daily_sources(name: str) -> list[str]:
    return [source for source in lineage.sources_of(name) if source in DAILY_DATASETS]


def _step(name: str, pool: str | None) -> dg.OpDefinition:
    """Build the step that makes a dataset's days of the paired world."""

    @dg.op(
        name=_name(name),
        description=f"Makes and checks `{name}` of the days on which the worlds may differ.",
        ins={source: dg.In(dg.Nothing) for source in _daily_sources(name)},
        out={_PLACE: dg.Out(dg.Nothing)},
        pool=pool,
    )
    def make(context: dg.OpExecutionContext, operator: dg.ResourceParam[Operation]) -> None:
        from telco_pipeline.production import produce

        with judged(context, name):
            made, main = _paired(operator)
            days = _days_of(name, main, made)
            if not days:
                context.log.info(f"{name}: no day in the main world, so none is made")
                return
            refuse_other_code(main, days)
            reports = produce(
                operator.config,
                operator.lake,
                name,
                days,
                workers=operator.workers,
                shards=operator.shards,
                replace=operator.replace,
                overlays=operator.overlays,
            )
            verify(operator, DAILY_DATASETS[name], days)
        rows = sum(report.rows for report in reports)
        context.add_output_metadata(
            {"days": partitions.label_of(days), "rows": rows}, output_name=_PLACE
        )

    return make


def _report(pool: str | None) -> dg.OpDefinition:
    """Build the step that tells what the layers did."""

    @dg.op(
        name=REPORT,
        description="Tells exactly what the layers did, and which records they can have reached.",
        ins={name: dg.In(dg.Nothing) for name in DAILY_DATASETS},
        out={"effects": dg.Out(dg.Nothing)},
        pool=pool,
    )
    def tell(context: dg.OpExecutionContext, operator: dg.ResourceParam[Operation]) -> None:
        from telco_pipeline import paired

        with judged(context, REPORT):
            made, main = _paired(operator)
            days = days_apart(main, made)
            check_pair(main, operator.lake, days)
            effects = paired.compare(held_config(main), made, (main, operator.lake), days)
            directory = paired.directory_of(main, made)
            paired.write(effects, directory)
        shown = told(effects, made, days)
        shown["path"] = dg.MetadataValue.path(directory)
        context.add_output_metadata(shown, output_name="effects")
        for name in made.left_out:
            context.log_event(dg.AssetObservation(asset_key=key_of(name), metadata=shown))
        if not effects.reach.within_bound:
            raise dg.Failure(
                description=f"{', '.join(made.left_out)}: {effects.reach.bound_told()}",
                metadata=shown,
                allow_retries=False,
            )

    return tell


def _paired(operation: Operation) -> tuple[Counterfactual, Lake]:
    """Return the counterfactual that a run makes, and where its main world lies."""
    if operation.paired is None:
        raise TelcoError(
            "this job makes the main world without some layers: name them in the run "
            "configuration, such as `resources: {operator: {config: {without: [my_story]}}}`, or "
            "[all]"
        )
    return operation.paired, Lake(operation.lake.root)


def _days_of(name: str, main: Lake, made: Counterfactual) -> list[dt.date]:
    """Return the days of a dataset to make: those that the main world has; of state every one."""
    days = days_apart(main, made)
    return days if name in HISTORY else [day for day in main.days(name) if day in set(days)]


def told(
    effects: "Effects", made: Counterfactual, days: list[dt.date]
) -> dict[str, dg.MetadataValue]:
    """Return what Dagster shows of a report: figures, reach, campaigns and a picture."""
    reach = effects.reach
    shown: dict[str, dg.MetadataValue] = {
        "without": dg.MetadataValue.text(", ".join(made.left_out)),
        "world": dg.MetadataValue.text(made.name),
        "days": dg.MetadataValue.text(partitions.label_of(days)),
        "effects": _table(
            [
                {
                    "figure": timelines.figure_name(one.name, one.unit),
                    "with": _plain(one.value),
                    "without": _plain(one.other),
                    "effect": _plain(one.effect),
                }
                for one in effects.differences
            ]
        ),
        "effects_by_day": dg.MetadataValue.md(timelines.effects_image(effects.by_day)),
        "people": dg.MetadataValue.int(effects.people.height),
        "reach": _table(
            [
                {
                    "dataset": one.dataset,
                    "rows": one.rows,
                    "in reach": one.reached,
                    "in reach, %": round(100 * one.part, 2),
                }
                for one in reach.shares
            ]
        ),
        "subscribers_in_reach": dg.MetadataValue.text(f"{reach.of_subscribers:.1%}"),
        "cells_in_reach": dg.MetadataValue.text(f"{reach.of_cells:.1%}"),
        "records_in_reach": dg.MetadataValue.text(f"{reach.part:.1%}"),
        "bound": dg.MetadataValue.text(reach.bound_told()),
    }
    if effects.uplifts:
        shown["uplift"] = _table(
            [
                {
                    "campaign": f"{one.layer} {one.incident + 1}",
                    "offered": one.offered,
                    "because of it": one.because,
                    "anyway": one.anyway,
                    "control": one.control,
                    "of these act": one.controls_acted,
                    "exact uplift": _plain(one.exact),
                    "estimated": _plain(one.estimated),
                }
                for one in effects.uplifts
            ]
        )
    return shown


def _plain(value: float) -> float:
    """Return a figure as a table shows it; the files beside the world have all of its digits."""
    return round(value, 1) if abs(value) >= 100 else float(f"{value:.4g}")


def _table(rows: list[dict[str, Any]]) -> dg.MetadataValue:
    """Return rows as a table; text where there is none."""
    if not rows:
        return dg.MetadataValue.text("none")
    kinds = {str: "string", int: "int", float: "float"}
    columns = [dg.TableColumn(name, kinds[type(value)]) for name, value in rows[0].items()]
    return dg.MetadataValue.table(
        [dg.TableRecord(row) for row in rows], schema=dg.TableSchema(columns=columns)
    )
