"""Labels: what the truth says of an entity at a cut-off.

Belongs here: whom a layer touched in a window, whom it will touch, who only looks like them. Does
not belong here: anything that could be observed (`features`).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from telco_pipeline import asof
from telco_pipeline.contracts.codes import EntityKind
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.scenarios.effects import CELLS, ELEMENTS, SITES, SUBSCRIBERS
from telco_pipeline.scenarios.language import Layer

TRUTH: Final = ("truth_incidents", "truth_entities")

LABELS: Final = {
    "active": "A stage of the layer that is no look-alike touched it in the window",
    "active_hours": "For how long, within the window; stages at the same time count once",
    "ahead": "A later stage begins for it within the days ahead of the cut-off; null where the "
    "lake does not reach so far",
    "benign": "It is not active, and only looks like those that are",
    "incident_id": "The incident that touched it last, or is ahead; null if none",
}
"""Columns of the truth."""

_KIND_OF: Final = {
    SUBSCRIBERS: EntityKind.SUBSCRIBER,
    CELLS: EntityKind.CELL,
    SITES: EntityKind.SITE,
    ELEMENTS: EntityKind.ELEMENT,
}


@dataclass(frozen=True)
class Touched:
    """What the truth knows of a layer, of one kind of entity.

    Attributes:
        rows: `entity_id`, `incident_id`, `event_time`, `end_time`, `benign`, `counts` (a stage
            that makes it active) and `later` (one that is predicted), one row for each time that a
            stage touches an entity.
        until: Day after the last one of which the lake has the truth.
    """

    rows: pl.DataFrame
    until: dt.date


def kinds_of(layer: Layer) -> list[EntityKind]:
    """Return what a layer touches, look-alikes aside, in the order of its stages."""
    roles = [layer.cast[deed.effect.who] for stage in layer.stages for deed in stage.do]
    return list(dict.fromkeys(_KIND_OF[role.of] for role in roles if not role.benign))


def touched(
    lake: Lake,
    name: str,
    layer: Layer,
    kind: EntityKind,
    last: dt.date,
    stages: Sequence[str] | None = None,
) -> Touched:
    """Return whom a layer touches.

    Args:
        lake: The lake, with its truth of all days from the epoch to the last.
        name: Name of the layer.
        layer: The layer.
        kind: Which of its entities.
        last: Last day of which the truth is needed; what is there of later ones is read too.
        stages: Stages that make an entity active, and are predicted; by default all make it
            active, and those after the first are predicted (the first, if there is no other).

    Raises:
        TelcoError: The truth of a day is missing, or the layer has no such stage.
    """
    names = [stage.name for stage in layer.stages]
    for one in stages or ():
        if one not in names:
            raise TelcoError(f"layer {name} has no stage {one!r}; it has {', '.join(names)}")
    epoch = asof.epoch_of(lake)
    there = [set(lake.days(truth)) for truth in TRUTH]
    for truth, days in zip(TRUTH, there, strict=True):
        for offset in range((last - epoch).days + 1):
            day = epoch + dt.timedelta(days=offset)
            if day not in days:
                raise TelcoError(
                    f"{lake.root} has no {truth} of {day}, and whom a layer touches follows from "
                    f"all days since the epoch: make it with `{lake.command(truth, day, last)}`"
                )
    until = last + dt.timedelta(days=1)
    while all(until in days for days in there):
        until += dt.timedelta(days=1)
    ids = lake.scan(TRUTH[0], epoch, until).filter(layer=name).select("incident_id")
    later = stages or _later(layer)
    rows = (
        lake.scan(TRUTH[1], epoch, until)
        .filter(pl.col("entity_kind").cast(pl.String) == str(kind))
        .join(ids, on="incident_id", how="semi")
        .select(
            "entity_id",
            "incident_id",
            "event_time",
            "end_time",
            "benign",
            counts=~pl.col("benign") & pl.col("stage").is_in(list(stages or names)),
            later=~pl.col("benign") & pl.col("stage").is_in(list(later)),
        )
        .collect()
    )
    return Touched(rows, until)


def labels_at(truth: Touched, cut_off: dt.date, days: int, ahead: int) -> pl.DataFrame:
    """Return the labels of the entities that a layer touches around a cut-off.

    Args:
        truth: Whom it touches.
        cut_off: The cut-off.
        days: Length of the window before it.
        ahead: Days after it in which a stage is predicted.

    Returns:
        `entity_id` and the columns of `LABELS`. Entities without a row are neither active nor
        benign, and none of them is ahead where `knows_ahead`.
    """
    end = pl.lit(dt.datetime.combine(cut_off, dt.time(), dt.UTC))
    start = end - pl.duration(days=days)
    time, stop = pl.col("event_time"), pl.col("end_time")
    inside = (time < end) & (stop > start)
    begins = pl.col("later") & (time >= end) & (time < end + pl.duration(days=ahead))
    active, coming = inside & pl.col("counts"), begins & knows_ahead(truth, cut_off, ahead)
    # Stages may overlap: what an earlier one has counted already does not count again.
    over, begun = pl.min_horizontal(stop, end), pl.max_horizontal(time, start)
    before = over.cum_max().shift(1).over("entity_id", "active")
    seconds = (over - pl.max_horizontal(begun, before)).dt.total_seconds().clip(0)
    shown = (
        truth.rows.with_columns(active=active, benign=inside & pl.col("benign"), ahead=coming)
        .filter(pl.col("active") | pl.col("benign") | pl.col("ahead"))
        .sort("event_time", "incident_id")
        .with_columns(seconds=pl.when("active").then(seconds).otherwise(0))
    )
    return shown.group_by("entity_id").agg(
        pl.col("active").any(),
        active_hours=pl.col("seconds").sum() / 3600,
        ahead=pl.col("ahead").any(),
        benign=pl.col("benign").any() & ~pl.col("active").any(),
        incident_id=pl.col("incident_id").last(),
    )


def knows_ahead(truth: Touched, cut_off: dt.date, ahead: int) -> bool:
    """Return whether the lake reaches as far as is predicted."""
    return cut_off + dt.timedelta(days=ahead) <= truth.until


def _later(layer: Layer) -> list[str]:
    """Return the stages after the first of those that touch others than look-alikes."""
    real = [
        stage.name
        for stage in layer.stages
        if any(not layer.cast[deed.effect.who].benign for deed in stage.do)
    ]
    return real[1:] or real
