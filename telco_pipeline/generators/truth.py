"""Rows of the truth: incidents that begin on a day, whom they touch from then on.

Belongs here: the columns of `truth_incidents` and `truth_entities`. Does not belong here: what
happens (`scenarios.story`), which records it reaches (`labels`).
"""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts import truth
from telco_pipeline.contracts.codes import EntityKind
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.engine.identifiers import EventIds
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.inputs import Inputs
from telco_pipeline.lake import Rowset
from telco_pipeline.scenarios.effects import CELLS, ELEMENTS, SITES, SUBSCRIBERS
from telco_pipeline.scenarios.selection import KEYS
from telco_pipeline.scenarios.story import Episodes, Story, Touch
from telco_pipeline.scenarios.timeline import Incident
from telco_pipeline.scenarios.words import Amount, Duration

KIND_OF: Final = {
    SUBSCRIBERS: EntityKind.SUBSCRIBER,
    CELLS: EntityKind.CELL,
    SITES: EntityKind.SITE,
    ELEMENTS: EntityKind.ELEMENT,
}
"""What members of a role are called in the truth."""


def incident_ids(seed: int, incident: Incident) -> int:
    """Return the key of an incident."""
    return int(EventIds(seed, "incident_id").of(np.array([incident.key]))[0])


def incidents(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the incidents that begin on a day; those from before the epoch begin with it."""
    story = inputs.story
    rows = [_incident(story, one) for one in story.incidents(date) if _begins(story, one, date)]
    if not rows:
        return Rowset.empty(truth.TRUTH_INCIDENTS)
    frame = pl.DataFrame(rows, schema=truth.TRUTH_INCIDENTS.polars_schema)
    return Rowset.from_frame(truth.TRUTH_INCIDENTS, frame.sort(truth.TRUTH_INCIDENTS.sort))


def entities(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return who is touched from a day on; subscribers only while they are customers of ours."""
    frames = list(_touched(inputs, date))
    if not frames:
        return Rowset.empty(truth.TRUTH_ENTITIES)
    frame = pl.concat(frames)
    key = ["incident_id", "stage", "role", "entity_id"]
    frame = frame.sort(*truth.TRUTH_ENTITIES.sort, *key)
    return Rowset.from_frame(truth.TRUTH_ENTITIES, frame)


def role_name(touch: Touch) -> str:
    """Return the role that a touch touches."""
    return touch.effect.who


def grouped(touches: tuple[Touch, ...]) -> dict[tuple[int, str, str], list[Touch]]:
    """Return touches of one incident, stage and role together: they have the same targets."""
    found: dict[tuple[int, str, str], list[Touch]] = {}
    for touch in touches:
        key = (touch.incident.key, touch.stage.name, role_name(touch))
        found.setdefault(key, []).append(touch)
    return found


def in_service(inputs: Inputs, date: dt.date, touch: Touch) -> npt.NDArray[np.bool_]:
    """Return which targets of a touch are there on a day: subscribers in service, all others."""
    if touch.of != SUBSCRIBERS:
        return np.ones(len(touch), dtype=np.bool_)
    time = np.clip(touch.start - day_start(date), 0, DAY - 1)
    return inputs.day(date).customers.in_service(touch.rows, time)


def _begins(story: Story, incident: Incident, date: dt.date) -> bool:
    start = max(incident.start, day_start(story.config.epoch))
    return day_start(date) <= start < day_start(date) + DAY


def _incident(story: Story, incident: Incident) -> dict[str, Any]:
    layer, cast = incident.layer, story.cast(incident)
    touched = {deed.effect.who for stage in layer.stages for deed in stage.do}
    count: dict[str, int] = dict.fromkeys((SUBSCRIBERS, CELLS, ELEMENTS, SITES), 0)
    alike = 0
    for name in touched:
        role = layer.cast[name]
        if role.benign:
            alike += len(cast[name])
        else:
            count[role.of] += len(cast[name])
    epoch = day_start(story.config.epoch)
    return {
        "incident_id": incident_ids(story.config.seed, incident),
        "event_time": _moment(max(incident.start, epoch)),
        "end_time": _moment(incident.end),
        "layer": story.name_of(layer),
        "title": layer.title,
        "incident_kind": layer.kind,
        "severity": layer.severity,
        "difficulty": layer.difficulty,
        "subscribers": count[SUBSCRIBERS],
        "cells": count[CELLS],
        "elements": count[ELEMENTS] + count[SITES],
        "look_alikes": alike,
        "parameters": json.dumps(_parameters(incident), ensure_ascii=False),
    }


def _parameters(incident: Incident) -> list[dict[str, Any]]:
    """Return the stages with their effects, amounts as they are at the layer's difficulty."""
    return [
        {
            "stage": stage.name,
            "lasts": stage.lasts.text,
            "effects": [
                {"effect": deed.name}
                | {
                    name: _settled(getattr(deed.effect, name), incident.layer.difficulty)
                    for name in type(deed.effect).model_fields
                }
                for deed in stage.do
            ],
        }
        for stage in incident.layer.stages
    ]


def _settled(value: Any, difficulty: float) -> Any:
    """Return a parameter as a plain value, an amount as what it is at a difficulty."""
    if isinstance(value, Amount):
        return value.at(difficulty)
    if isinstance(value, Duration):
        return value.text
    return list(value) if isinstance(value, tuple) else value


def _touched(inputs: Inputs, date: dt.date) -> Iterator[pl.DataFrame]:
    story, start = inputs.story, day_start(date)
    first = date == inputs.config.epoch
    for touches in grouped(story.on(date, episodes_of(inputs, date)).touches).values():
        touch = touches[0]
        fresh = (touch.start >= start) | first
        chosen = touch.select(fresh & in_service(inputs, date, touch))
        if len(chosen):
            effects = ",".join(dict.fromkeys(one.name for one in touches))
            yield _entity_rows(inputs, chosen, effects, start)


def episodes_of(inputs: Inputs, date: dt.date) -> Episodes:
    """Return the stages with a trigger that have begun by a day."""
    if not inputs.story.triggers:
        return Episodes.none()
    return inputs.day(date).customers.episodes


def _entity_rows(inputs: Inputs, touch: Touch, effects: str, start: int) -> pl.DataFrame:
    kind = KIND_OF[touch.of]
    keys = inputs.story.ground.column(touch.of, KEYS[touch.of]).gather(touch.rows)
    columns: dict[str, Any] = {
        "incident_id": incident_ids(inputs.config.seed, touch.incident),
        "stage": touch.stage.name,
        "role": role_name(touch),
        "entity_kind": str(kind),
        "entity_id": keys.cast(pl.String),
        "event_time": pl.Series(np.maximum(touch.start, start)).cast(pl.Datetime("us", "UTC")),
        "end_time": pl.Series(touch.end).cast(pl.Datetime("us", "UTC")),
        "effects": effects,
        "benign": touch.benign,
    }
    for of, name in KEYS.items():
        if of in KIND_OF:
            columns[name] = keys if of == touch.of else None
    schema = truth.TRUTH_ENTITIES.polars_schema
    frame = pl.DataFrame({"entity_id": columns.pop("entity_id")}).with_columns(
        **{
            name: value if isinstance(value, pl.Series) else pl.lit(value)
            for name, value in columns.items()
        }
    )
    return frame.select(list(schema)).cast(schema)


def _moment(microseconds: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=microseconds)
