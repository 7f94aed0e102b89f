"""Small worlds in memory, and days of records made in them, for tests that need no lake."""

import datetime as dt
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.engine.parts import Part, parts
from telco_pipeline.generators import GENERATORS, Inputs
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline.world.catalogue import build_devices, build_plans
from telco_pipeline.world.network import build_network
from telco_pipeline.world.places import build_places
from telco_pipeline.world.subscribers import SubscriberInputs, build_subscribers
from telco_pipeline.world.ties import build_ties

WORLD_FILE = Path(__file__).parents[1] / "golden" / "world.yaml"
"""A world of the tests' own: editing scenarios/world.yaml changes no expectation."""

SPRING = dt.date(2026, 3, 29)
"""The day on which the clock goes from 02:00 to 03:00 local time (01:00 UTC)."""

AUTUMN = dt.date(2026, 10, 25)
"""The day on which the clock goes from 03:00 back to 02:00 local time (01:00 UTC)."""

EVE = dt.timedelta(days=1)

BEFORE = dt.timedelta(days=8)
"""From the epoch to the clock change: the state follows from all days since the epoch."""

LOCAL = "Europe/Brussels"

IDENTITY = (
    "subscriber_id",
    "imsi",
    "msisdn",
    "imei",
    "device_id",
    "number_holder",
    "serving_plmn",
)
"""What changes of a subscription, and whose it is."""

THEN = "_then"
"""Ending of columns that say what a row's subscriber had at its time."""

HELD = "_held"
"""Ending of columns that say who had a row's number at its time."""


def small_world(path: Path = WORLD_FILE, **overrides: Any) -> WorldConfig:
    """Return the tests' world with other values."""
    return load_world(path, **overrides)


def inputs_of(config: WorldConfig) -> Inputs:
    """Make the static datasets of a world in memory, and the generators' inputs from them."""
    places = build_places(config)
    network = build_network(config, places)
    devices, plans = build_devices(config), build_plans(config)
    registry = SubscriberInputs.of(config, places, network.sites, network.cells, devices, plans)
    subscribers = pl.concat(
        [
            build_subscribers(config, registry, part)
            for part in parts(config.all_subscribers, config.part_size)
        ]
    )
    return Inputs(
        config,
        {
            "places": places,
            "sites": network.sites,
            "cells": network.cells,
            "network_elements": network.elements,
            "network_links": network.links,
            "devices": devices,
            "plans": plans,
            "subscribers": subscribers,
            "social_ties": build_ties(config, subscribers, network.cells, places),
        },
    )


def make_day(inputs: Inputs, name: str, day: dt.date) -> pl.DataFrame:
    """Return all records of a dataset on a day, part after part."""
    generator = GENERATORS[name]
    made = [generator.make(inputs, day, part) for part in parts_of(inputs, name, day)]
    return pl.concat(made)


def parts_of(inputs: Inputs, name: str, day: dt.date) -> list[Part]:
    """Return the parts of a dataset's day, as production cuts them."""
    if DATASETS[name].whole:
        return [Part(0, 0, 0)]
    elements = inputs.frames["network_elements"].height
    of_people = GENERATORS[name].entities == "subscribers"
    return parts(inputs.config.joined_by(day) if of_people else elements, inputs.config.part_size)


class Operator:
    """A world and the records of some days in a row, made when they are first asked for."""

    def __init__(self, first: dt.date, days: int, **overrides: Any) -> None:
        """Build the world."""
        self.inputs = inputs_of(small_world(**overrides))
        self.days = [first + dt.timedelta(days=offset) for offset in range(days)]
        self._made: dict[tuple[str, dt.date], pl.DataFrame] = {}

    def day(self, name: str, day: dt.date) -> pl.DataFrame:
        """Return the records of a day."""
        if (name, day) not in self._made:
            self._made[name, day] = make_day(self.inputs, name, day)
        return self._made[name, day]

    def all(self, name: str) -> pl.DataFrame:
        """Return the records of all days, with the day and the local time."""
        return pl.concat(
            [
                self.day(name, day).with_columns(
                    day=pl.lit(day),
                    local=pl.col("event_time").dt.convert_time_zone(LOCAL),
                )
                for day in self.days
            ]
        )

    def frame(self, name: str) -> pl.DataFrame:
        """Return a static dataset."""
        return self.inputs.frames[name]

    @cached_property
    def identities(self) -> pl.DataFrame:
        """Who has which identity when, from the registry and the records of its changes alone.

        The columns of `IDENTITY`, `valid_from` and `valid_to` (exclusive; null for the last one).
        Who joins after the epoch has his first one when he does.
        """
        epoch, end = self.inputs.config.epoch, self.days[-1]
        moment = pl.Datetime("us", "UTC")
        ours = self.frame("subscribers").head(self.inputs.config.subscribers)
        first = ours.select(
            *IDENTITY[:-1],
            serving_plmn="home_plmn",
            valid_from=pl.lit(dt.datetime.combine(epoch, dt.time(), dt.UTC)).cast(moment),
        )
        changes = [
            make_day(self.inputs, "identity_changes", epoch + dt.timedelta(days=offset))
            for offset in range((end - epoch).days + 1)
        ]
        later = pl.concat(changes).select(*IDENTITY, valid_from="event_time")
        return (
            pl.concat([first, later])
            .sort("subscriber_id", "valid_from")
            .with_columns(valid_to=pl.col("valid_from").shift(-1).over("subscriber_id"))
        )

    def as_of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows with what their subscriber had at their time, in columns `..._then`."""
        versions = self.identities.select(
            "subscriber_id",
            "valid_from",
            pl.exclude("subscriber_id", "valid_from").name.suffix(THEN),
        )
        return rows.sort("event_time").join_asof(
            versions.sort("valid_from"),
            left_on="event_time",
            right_on="valid_from",
            by="subscriber_id",
            strategy="backward",
            check_sortedness=False,
        )

    def with_holder(self, rows: pl.DataFrame, number: str) -> pl.DataFrame:
        """Return rows with the subscriber of ours who had a number at their time.

        Args:
            rows: Records.
            number: Column of the numbers.

        Returns:
            The rows with columns `..._held` of the holder's identity; all null where nobody of
            ours had the number, or no longer.
        """
        held = self.identities.select(
            pl.col("msisdn").alias(number), "valid_from", pl.all().name.suffix(HELD)
        )
        found = rows.sort("event_time").join_asof(
            held.sort("valid_from"),
            left_on="event_time",
            right_on="valid_from",
            by=number,
            strategy="backward",
            check_sortedness=False,
        )
        over = pl.col(f"valid_to{HELD}") <= pl.col("event_time")
        columns = [name for name in found.columns if name.endswith(HELD)]
        return found.with_columns(pl.when(~over.fill_null(False)).then(pl.col(columns)))


@cache
def spring_operator() -> Operator:
    """Return 3,000 subscribers over a Saturday, the Sunday of the clock change and a Monday."""
    return Operator(SPRING - EVE, 3, subscribers=3000, part_size=1024, epoch=SPRING - BEFORE)


@cache
def autumn_operator() -> Operator:
    """Return 1,500 subscribers over the days around the autumn's clock change."""
    return Operator(AUTUMN - EVE, 3, subscribers=1500, part_size=1024, epoch=AUTUMN - BEFORE)


@cache
def large_operator() -> Operator:
    """Return 16,000 subscribers over three winter weekdays."""
    return Operator(dt.date(2026, 1, 13), 3, subscribers=16_000, part_size=16_384)
