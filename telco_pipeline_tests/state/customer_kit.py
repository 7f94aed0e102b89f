"""Subscribers of a small world from day to day, on networks made by hand, without a lake."""

import dataclasses
import datetime as dt
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from telco_pipeline.behaviour.identities import Identities
from telco_pipeline.behaviour.population import Population
from telco_pipeline.contracts.state import SUBSCRIBER_STATE
from telco_pipeline.engine.calendar import MINUTE
from telco_pipeline.engine.parts import parts
from telco_pipeline.lake import Rowset
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.scenarios.selection import Ground
from telco_pipeline.scenarios.story import Story
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline.state.contacts import IdentityDay
from telco_pipeline.state.customer_columns import Texts
from telco_pipeline.state.customers import State, Today
from telco_pipeline.state.network import MEASURES, NetworkDay, outages_of
from telco_pipeline.state.registry import Facts
from telco_pipeline.state.story_customers import StoryToday
from telco_pipeline.world.catalogue import build_devices, build_plans
from telco_pipeline.world.network import build_network
from telco_pipeline.world.places import build_places
from telco_pipeline.world.subscribers import SubscriberInputs, build_subscribers

WORLD_FILE = Path(__file__).parents[1] / "golden" / "world.yaml"
FAULT = 4711
"""Id of every fault of the networks made here."""

HEALTHY = {"throughput_factor": 0.85, "block_probability": 0.003, "drop_probability": 0.004}
POOR = {"throughput_factor": 0.05, "block_probability": 0.08, "drop_probability": 0.05}
EVENING = range(16, 21)


class World:
    """A small world and its subscribers as arrays."""

    def __init__(self, **overrides: Any) -> None:
        """Build the world."""
        self.config: WorldConfig = load_world(WORLD_FILE, **overrides)
        config = self.config
        places = build_places(config)
        network = build_network(config, places)
        self.devices, self.plans = build_devices(config), build_plans(config)
        registry = SubscriberInputs.of(
            config, places, network.sites, network.cells, self.devices, self.plans
        )
        self.subscribers = pl.concat(
            [
                build_subscribers(config, registry, part)
                for part in parts(config.all_subscribers, config.part_size)
            ]
        )
        self.population = Population.of(
            config, self.subscribers, network.cells, self.devices, self.plans
        )
        self.facts = Facts.of(config, self.population, self.plans)
        self.texts = Texts(self.plans["plan_id"], network.cells["cell_id"])
        self.cells = network.cells.height
        self.frames = {
            "places": places,
            "sites": network.sites,
            "cells": network.cells,
            "network_elements": network.elements,
            "devices": self.devices,
            "plans": self.plans,
            "subscribers": self.subscribers,
        }
        self.entities = np.arange(self.population.size)

    @cached_property
    def identities(self) -> Identities:
        until = self.config.epoch
        return Identities.of(self.config, self.population, self.devices, until)

    def identity_day(self, date: dt.date) -> IdentityDay:
        """Return the changes of identity of a day."""
        known = self.identities
        rows = known.changes_of(date)
        rows = rows[np.argsort(known.entity[rows], kind="stable")]
        return IdentityDay(known.entity[rows], known.kind[rows], known.time[rows])

    def today(self, date: dt.date, network: NetworkDay, story: Story | None = None) -> Today:
        """Return a day, with scenario layers or without."""
        layers = None if story is None else StoryToday.of(story, date)
        return Today.of(self.config, date, network, self.identity_day(date), story=layers)

    def story(self, *layers: Layer) -> Story:
        """Return what layers do in this world."""
        named = {f"layer{number}": layer for number, layer in enumerate(layers)}
        config = with_layers(self.config, named)
        return Story(config, Ground(config, lambda dataset, name: self.frames[dataset][name]))

    def frame(self, state: State, entities: np.ndarray | None = None) -> pl.DataFrame:
        """Return the rows of `subscriber_state`."""
        entities = self.entities if entities is None else entities
        keys = self.population.subscriber_id[entities]
        return Rowset.of(SUBSCRIBER_STATE, state.columns(keys, self.texts)).to_frame()


def network_day(
    cells: int,
    out: dict[int, tuple[int, int]] | None = None,
    poor: np.ndarray | None = None,
    hours: range = EVENING,
    takers: np.ndarray | None = None,
) -> NetworkDay:
    """Return a network with some cells out of service and some of poor quality.

    Args:
        cells: Number of cells.
        out: By cell the first minute of the day without service and the last one (exclusive).
        poor: Cells of poor quality.
        hours: When those are poor.
        takers: What takes over for which cell; nothing, if not given.
    """
    measures = {name: np.zeros((cells, 24), np.float32) for name in MEASURES}
    for name, value in HEALTHY.items():
        measures[name][:] = value
        if poor is not None:
            measures[name][np.ix_(poor, np.array(hours))] = POOR[name]
    fault = np.full((cells, 24), -1, dtype=np.int64)
    first, until = (np.full((cells, 24), -1, dtype=np.int64) for _ in range(2))
    for cell, (start, stop) in (out or {}).items():
        for hour in range(start // 60, (stop - 1) // 60 + 1):
            first[cell, hour] = max(start - hour * 60, 0)
            until[cell, hour] = min(stop - hour * 60, 60)
            fault[cell, hour] = FAULT
    nobody = np.full((cells, 6), -1, dtype=np.int32)
    outages = outages_of(first, until)
    assert (outages[3] - outages[2] >= MINUTE).all()
    return NetworkDay(measures, fault, *outages, nobody if takers is None else takers)


@dataclasses.dataclass
class Run:
    """Days of a world one after the other.

    Attributes:
        world: The world.
        frames: Rows of each day.
        networks: The network on each day.
    """

    world: World
    frames: list[pl.DataFrame]
    networks: list[NetworkDay]

    @cached_property
    def all(self) -> pl.DataFrame:
        """All rows, with the day and the kind of subscriber."""
        kind = pl.Series("kind", self.world.population.kind)
        epoch = self.world.config.epoch
        return pl.concat(
            [
                frame.with_columns(
                    kind, entity=pl.Series(self.world.entities), day=epoch + dt.timedelta(days=day)
                )
                for day, frame in enumerate(self.frames)
            ]
        )

    @cached_property
    def people(self) -> pl.DataFrame:
        """The rows of people and firms."""
        return self.all.filter(pl.col("kind") < 2)


def run(world: World, days: int, networks: "list[NetworkDay]", story: Story | None = None) -> Run:
    """Make days from the epoch on; the networks take turns."""
    state, frames, used = State.first(world.facts, world.entities), [], []
    for day in range(days):
        network = networks[day % len(networks)]
        today = world.today(world.config.epoch + dt.timedelta(days=day), network, story)
        state = State.step(state, world.facts, today, world.entities)
        frames.append(world.frame(state))
        used.append(network)
    return Run(world, frames, used)


@cache
def small_world() -> World:
    """Return 3,000 subscribers."""
    return World(subscribers=3000)


@cache
def healthy_run() -> Run:
    """Return 180 days on a network without a fault."""
    world = small_world()
    return run(world, 180, [network_day(world.cells)])


@cache
def poor_run() -> Run:
    """Return 120 days in which every fifth site is poor each evening, some cells out by turns."""
    world = small_world()
    poor = np.arange(0, world.cells, 5)
    networks = []
    for turn in range(6):
        lost = range(turn, world.cells, 40)
        out = dict.fromkeys(lost, (17 * 60 + 20, 20 * 60 + 10))
        networks.append(network_day(world.cells, out, poor))
    return run(world, 120, networks)
