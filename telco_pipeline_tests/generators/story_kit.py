"""A world with and without a layer, for tests of what effects do to records."""

import datetime as dt
from functools import cache
from typing import Any

import polars as pl

from telco_pipeline.generators import Inputs
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world

EPOCH = dt.date(2026, 1, 1)
DAY = EPOCH + dt.timedelta(days=2)
"""The day on which the layers of the tests begin."""


@cache
def plain(subscribers: int = 3000) -> Inputs:
    """Return a world without layers."""
    return inputs_of(small_world(subscribers=subscribers))


@cache
def plain_day(name: str, day: dt.date) -> pl.DataFrame:
    """Return the records of a day of it."""
    return make_day(plain(), name, day)


def layer(effect: dict[str, Any], role: dict[str, Any], number: int = 1, **stage: Any) -> Layer:
    """Return a layer with one effect on one role of subscribers, from 06:00 local time on."""
    (name, what), *_ = effect.items()
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "A test",
            "story": "Something happens.",
            "kind": "network",
            "when": {"first": "2d", "at": "06:00"},
            "cast": {"targets": {"of": "subscribers", **role}},
            "stages": [
                {
                    "name": "it",
                    "lasts": "10h",
                    "do": [{name: {"who": "targets", **what}}],
                    **stage,
                }
            ],
        }
    )


def with_story(*layers: Layer) -> Inputs:
    """Return the same world with layers."""
    inputs = plain()
    named = {f"one{number}": each for number, each in enumerate(layers)}
    return Inputs(with_layers(inputs.config, named), inputs.frames)


def targets(inputs: Inputs, day: dt.date = DAY) -> pl.Series:
    """Return the subscriber ids of all that any layer touches on a day."""
    rows = sorted({int(row) for touch in inputs.story.on(day).touches for row in touch.rows})
    return inputs.frames["subscribers"]["subscriber_id"][rows]


def begin_and_end(inputs: Inputs) -> tuple[dt.datetime, dt.datetime]:
    """Return when the only touch of the day begins and ends."""
    (touch,) = inputs.story.on(DAY).touches
    zero = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    low, high = int(touch.start.min()), int(touch.end.max())
    return zero + dt.timedelta(microseconds=low), zero + dt.timedelta(microseconds=high)


def of(rows: pl.DataFrame, who: pl.Series) -> pl.DataFrame:
    """Return the records of some subscribers."""
    return rows.filter(pl.col("subscriber_id").is_in(who.implode()))


def others(rows: pl.DataFrame, who: pl.Series) -> pl.DataFrame:
    """Return the records of the others."""
    return rows.filter(~pl.col("subscriber_id").is_in(who.implode()))


def within(rows: pl.DataFrame, low: dt.datetime, high: dt.datetime) -> pl.DataFrame:
    """Return the records of a time."""
    return rows.filter(pl.col("event_time").is_between(low, high, closed="left"))
