"""Scenario layers as assets: one for each file, with its timeline, its targets and a picture.

Belongs here: what Dagster is told of a layer, and the step that works out whom it touches. Does not
belong here: what a layer does (`scenarios`), its signatures (`checks.signatures`).

A layer's data version is the hash of its file's content. What state and records make of it shows in
their code versions, which hold the world's hash.
"""

import datetime as dt
from collections.abc import Mapping, Sized
from typing import Final

import dagster as dg

from telco_pipeline import __version__, timelines
from telco_pipeline.assets import policy
from telco_pipeline.assets.faults import judged
from telco_pipeline.contracts import STATIC_DATASETS
from telco_pipeline.resources import Operation
from telco_pipeline.scenarios.effects import MEMBERS
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.selection import Ground
from telco_pipeline.scenarios.story import Story
from telco_pipeline.scenarios.timeline import Incident
from telco_pipeline.settings import WorldConfig

GROUP: Final = "scenarios"
OWNER: Final = "team:simulation"
PREFIX: Final = "scenarios"
_HORIZON: Final = 90  # days from the epoch that are shown where the lake has no days yet
_SHOWN: Final = 30  # incidents in the table
_GAP: Final = "\N{NO-BREAK SPACE}"  # in times, which a narrow table would break apart


def key_of(name: str) -> dg.AssetKey:
    """Return the key of a layer's asset: a prefix keeps it apart from datasets."""
    return dg.AssetKey([PREFIX, name])


def build_layers(
    layers: Mapping[str, Layer], pool: str | None = policy.POOL
) -> list[dg.AssetsDefinition]:
    """Build the assets of layers, by name."""
    return [build_layer(name, layer, pool) for name, layer in layers.items()]


def build_layer(name: str, layer: Layer, pool: str | None = policy.POOL) -> dg.AssetsDefinition:
    """Build the asset of a layer."""

    @dg.asset(
        key=key_of(name),
        deps=[each for each in STATIC_DATASETS if each in MEMBERS],
        description=described(name, layer),
        group_name=GROUP,
        owners=[OWNER],
        kinds={"yaml"},
        tags={"domain": GROUP, "scenario": layer.kind},
        metadata={
            "number": layer.number,
            "difficulty": layer.difficulty,
            "severity": layer.severity,
        },
        code_version=f"{__version__}+{layer.layer_hash}",
        pool=pool,
    )
    def scenario_layer(
        context: dg.AssetExecutionContext, operator: dg.ResourceParam[Operation]
    ) -> dg.MaterializeResult:
        with judged(context, name):
            shown = told(operator, name, layer)
        return dg.MaterializeResult(metadata=shown, data_version=dg.DataVersion(layer.layer_hash))

    return scenario_layer


def described(name: str, layer: Layer) -> str:
    """Return what the UI says of a layer before anything is made: story, who takes part, stages."""
    cast = ", ".join(
        f"{role} ({one.of}{', look-alikes' if one.benign else ''})"
        for role, one in layer.cast.items()
    )
    stages = ", ".join(f"{stage.name} ({stage.lasts})" for stage in layer.stages)
    # The title stands plain: lists of assets show the first words as they are, Markdown and all.
    return "\n\n".join(
        (
            f"{layer.title} ({layer.kind}, difficulty {layer.difficulty:g})",
            layer.story,
            f"**Who:** {cast}",
            f"**Stages:** {stages}",
            f"**File:** `layers/{name}.yaml`, beside the world's file",
        )
    )


def told(operator: Operation, name: str, layer: Layer) -> dict[str, dg.MetadataValue]:
    """Return what a materialisation tells of a layer: whether it is on, incidents, targets."""
    config = operator.config
    days = operator.lake.days("network_state")
    last = days[-1] if days else config.epoch + dt.timedelta(days=_HORIZON - 1)
    story = Story(config, Ground.of_lake(config, operator.lake))
    on = name in story.layers
    shown: dict[str, dg.MetadataValue] = {
        "on_in_this_world": dg.MetadataValue.bool(on),
        "shown_until": dg.MetadataValue.text(str(last)),
    }
    if not on:
        return shown
    incidents = sorted(story.incidents_of(name, last), key=lambda one: one.start)
    shown["incidents"] = dg.MetadataValue.int(len(incidents))
    shown["targets"] = dg.MetadataValue.md(_table(config, story, incidents))
    shown["timeline"] = dg.MetadataValue.md(timelines.image(config, layer, incidents, last))
    return shown


def _table(config: WorldConfig, story: Story, incidents: list[Incident]) -> str:
    """Return the incidents with their casts, as Markdown."""
    if not incidents:
        return "No incident begins by then."
    roles = list(incidents[0].layer.cast)
    heads = ["incident", "begins", "ends", *roles]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for incident in incidents[:_SHOWN]:
        cast = story.cast(incident)
        times = " | ".join(_local(config, time) for time in (incident.start, incident.end))
        lines.append(f"| {incident.number + 1} | {times} | {_counts(cast, roles)} |")
    if len(incidents) > _SHOWN:
        lines.append(f"\nand {len(incidents) - _SHOWN} more")
    return "\n".join(lines)


def _counts(cast: Mapping[str, Sized], roles: list[str]) -> str:
    return " | ".join(f"{len(cast[role]):,}" for role in roles)


def _local(config: WorldConfig, time: int) -> str:
    moment = dt.datetime.fromtimestamp(time / 1e6, tz=config.country_tz)
    return f"{moment.day} {moment:%b %Y %H:%M}".replace(" ", _GAP)
