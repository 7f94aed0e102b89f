"""Layers that move SIMs or put them into other devices, in a small world, and it without any."""

import datetime as dt
from functools import cache
from typing import Any

from telco_pipeline.generators import Inputs
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig
from telco_pipeline_tests.generators.kit import inputs_of, small_world

EPOCH = dt.date(2026, 1, 10)
DAY = dt.date(2026, 1, 14)
"""A Wednesday, on which the layers begin."""

SUBSCRIBERS = 3000


def layer(
    number: int,
    deeds: list[dict[str, Any]],
    *,
    people: int = 200,
    lasts: str = "30h",
    spread: str = "0m",
    where: dict[str, Any] | None = None,
    cast: dict[str, Any] | None = None,
    **when: Any,
) -> Layer:
    """Return a layer that touches `them` from DAY on."""
    them: dict[str, Any] = {"of": "subscribers", "number": people}
    if where:
        them["where"] = where
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "Something",
            "story": "Something happens.",
            "kind": "fraud",
            "when": {"first": "4d", "at": "01:20", **when},
            "cast": {"them": them, **(cast or {})},
            "stages": [{"name": "it", "lasts": lasts, "spread": spread, "do": deeds}],
        }
    )


SPOT = {"spot": {"of": "sites", "number": 2}}
PRESENCE = [{"presence": {"who": "them", "at": "spot"}}]


@cache
def config() -> WorldConfig:
    """Return the world, with as many sites as make places apart visible."""
    world = small_world(subscribers=SUBSCRIBERS, part_size=1024, epoch=EPOCH)
    network = world.network.model_copy(update={"sites": 1500})
    return world.model_copy(update={"network": network})


@cache
def without() -> Inputs:
    """Return the world without any layer."""
    return inputs_of(config())


def world(**layers: Layer) -> Inputs:
    """Return the world with layers."""
    return Inputs(with_layers(config(), layers), dict(without().frames))
