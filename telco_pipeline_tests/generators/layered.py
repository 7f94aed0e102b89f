"""Small worlds with scenario layers of the tests' own, beside the same world without any."""

import datetime as dt
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from telco_pipeline.generators import Inputs
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world
from telco_pipeline_tests.networks import HandBook

EPOCH = dt.date(2026, 1, 10)
DAY = dt.date(2026, 1, 14)
"""A Wednesday, the day of the layers."""

FIRST = dt.datetime(2026, 1, 14, 8, tzinfo=dt.UTC)
LAST = dt.datetime(2026, 1, 14, 18, tzinfo=dt.UTC)
"""From when to when the layers hold: 9 to 19 o'clock, local time."""

CONFIG = small_world(subscribers=2000, part_size=1024, epoch=EPOCH)
PEOPLE = ["commuter", "student", "family", "senior", "streamer"]


def layer(
    *deeds: dict[str, Any],
    number: int = 1,
    lasts: str = "10h",
    personas: list[str] = PEOPLE,
    size: int = 40,
) -> Layer:
    """Return a layer whose effects touch `them`, forty people by default, for ten hours."""
    them = {"of": "subscribers", "where": {"persona": personas}, "number": size}
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "Something",
            "story": "Something happens.",
            "kind": "fraud",
            "when": {"first": "4d", "at": "09:00"},
            "cast": {"them": them},
            "stages": [{"name": "it", "lasts": lasts, "do": list(deeds)}],
        }
    )


def with_story(**layers: Layer) -> Inputs:
    """Return the tests' world with layers, in a healthy network, with nobody's state."""
    made = Inputs(with_layers(CONFIG, layers) if layers else CONFIG, dict(_world().frames))
    HandBook(made)
    return made


@cache
def _world() -> Inputs:
    return inputs_of(CONFIG)


@cache
def without() -> Inputs:
    """Return the tests' world without any layer."""
    return with_story()


@cache
def usual(name: str, day: dt.date = DAY) -> pl.DataFrame:
    """Return the records of a day in the world without any layer."""
    return make_day(without(), name, day)


def targets(inputs: Inputs, day: dt.date = DAY) -> pl.Series:
    """Return whom the layers touch on a day: subscriber ids."""
    return pl.Series(inputs.population.subscriber_id[sorted(entities(inputs, day))])


def entities(inputs: Inputs, day: dt.date = DAY) -> set[int]:
    """Return whom the layers touch on a day: entity numbers."""
    return {int(row) for touch in inputs.story.on(day).touches for row in touch.rows}


def phones(inputs: Inputs, day: dt.date = DAY) -> pl.Series:
    """Return the subscriber ids of all SIMs in the phones of those whom the layers touch."""
    leader = inputs.population.leader
    rows = np.flatnonzero(np.isin(leader, leader[sorted(entities(inputs, day))]))
    return pl.Series(inputs.population.subscriber_id[rows])


def at_the_time(inputs: Inputs) -> pl.Expr:
    """Return which records belong to a target and begin while the layers hold."""
    theirs = pl.col("subscriber_id").is_in(targets(inputs).implode())
    return theirs & pl.col("event_time").is_between(FIRST, LAST, closed="left")


def only_in(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of one frame that the other does not have, value for value."""
    return one.join(other, on=one.columns, how="anti", nulls_equal=True)
