"""Layers as plain values, and a small world in memory to find their roles in."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

from telco_pipeline.engine.calendar import MINUTE, day_start
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.scenarios.preview import StaticWorld
from telco_pipeline.scenarios.selection import Ground
from telco_pipeline.scenarios.story import Story
from telco_pipeline.scenarios.timeline import Incident, incidents
from telco_pipeline.settings import WorldConfig, load_world

WORLD_FILE = Path(__file__).parents[1] / "golden" / "world.yaml"
EPOCH = dt.date(2026, 1, 1)
SUBSCRIBERS = 1500
THERE = 1501
"""Customers on the third day, when incidents begin by default: one has joined."""


@cache
def world(**overrides: Any) -> WorldConfig:
    """Return a small world; a tenth of its customers join in the first year."""
    return load_world(WORLD_FILE, **{"subscribers": SUBSCRIBERS, **overrides})


@cache
def ground() -> Ground:
    """Return the small world to find roles in."""
    return Ground(world(), StaticWorld(world()).read)


def tree(**keys: Any) -> dict[str, Any]:
    """Return a layer as plain values: usage of ten people for two days, but for what is given."""
    return {
        "version": 1,
        "number": 7,
        "title": "Something",
        "story": "Something happens.",
        "kind": "customers",
        "when": {"first": "3d"},
        "cast": {"people": {"of": "subscribers", "number": 10}},
        "stages": [stage()],
    } | keys


def stage(*do: dict[str, Any], name: str = "it", lasts: str = "2d", **keys: Any) -> dict[str, Any]:
    """Return a stage; by default people telephone twice as much."""
    deeds = list(do) or [{"usage": {"who": "people", "calls": 2}}]
    return {"name": name, "lasts": lasts, "do": deeds} | keys


def layer(**keys: Any) -> Layer:
    """Return the layer of `tree`."""
    return Layer.model_validate(tree(**keys))


def story(**layers: Layer) -> Story:
    """Return what layers do in the small world."""
    return Story(with_layers(world(), layers), ground())


def incident(made: Layer, number: int = 0) -> Incident:
    """Return an incident of a layer in the small world."""
    return next(
        one for one in incidents(world(), made, dt.date(2044, 1, 1)) if one.number == number
    )


def cast(roles: dict[str, Any], number: int = 0, **keys: Any) -> dict[str, Any]:
    """Return the members of some roles; `people` are added, whom the effect needs."""
    every = {"people": {"of": "subscribers", "number": 1}} | roles
    from telco_pipeline.scenarios.selection import cast_of

    return cast_of(ground(), incident(layer(cast=every, **keys), number))


def utc(day: dt.date, hour: int = 0, minute: int = 0) -> int:
    """Return a time of a UTC day in microseconds since 1970."""
    return day_start(day) + (hour * 60 + minute) * MINUTE
