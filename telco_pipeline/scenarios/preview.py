"""Preview: when a layer happens and whom it reaches, before anything is generated.

Belongs here: the timeline and the reach of a layer as plain data, and the static world in memory
that they need. Does not belong here: showing them (`cli.scenarios`), what touches whom on
one day (`story`).
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.engine.parts import parts
from telco_pipeline.scenarios.effects import CELLS, ELEMENTS, PLACES, SITES, SUBSCRIBERS
from telco_pipeline.scenarios.language import Layer, Role
from telco_pipeline.scenarios.selection import Ground, Rows, cast_of
from telco_pipeline.scenarios.timeline import Incident, incidents
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.catalogue import build_devices, build_plans
from telco_pipeline.world.network import Network, build_network
from telco_pipeline.world.places import build_places
from telco_pipeline.world.subscribers import SubscriberInputs, build_subscribers

Tell = Callable[[str], None]

_NETWORK: Final = {SITES: "sites", CELLS: "cells", ELEMENTS: "elements"}


@dataclass(frozen=True)
class Bar:
    """A stage of an incident on the timeline.

    Attributes:
        incident: Number of the incident.
        stage: Name of the stage.
        start: When it begins for the first target, in microseconds since 1970 UTC.
        end: When it is over for the last target; of a stage with a trigger at the latest.
        waits: Whether it has a trigger, so that nobody may ever be in it.
    """

    incident: int
    stage: str
    start: int
    end: int
    waits: bool


@dataclass(frozen=True)
class Reached:
    """The members of a role in an incident.

    Attributes:
        role: The role's name.
        of: What they are.
        benign: Whether they only look like the others.
        members: How many.
        share: Which part of all of their dataset; of subscribers, of those who are customers then.
    """

    role: str
    of: str
    benign: bool
    members: int
    share: float


@dataclass(frozen=True)
class Reach:
    """Whom an incident, or several together, can touch.

    Attributes:
        incident: Number of the incident; None for several together.
        roles: Members of each role; empty for several together.
        subscribers, cells: How many are targets of an effect; a cell also through its site or
            element.
        of_subscribers, of_cells: Which part of all that is.
    """

    incident: int | None
    roles: tuple[Reached, ...]
    subscribers: int
    of_subscribers: float
    cells: int
    of_cells: float


class StaticWorld:
    """The static datasets of a world, each made in memory when it is first asked for."""

    def __init__(self, config: WorldConfig, tell: Tell | None = None) -> None:
        """Take the world.

        Args:
            config: The world.
            tell: Told of each dataset, and of each part of the registry, as it is made.
        """
        self._config = config
        self._tell = tell or (lambda name: None)

    def read(self, dataset: str, column: str) -> pl.Series:
        """Return a column, as `Ground` reads it."""
        return self._frame(dataset)[column]

    def _frame(self, dataset: str) -> pl.DataFrame:
        if dataset in _NETWORK:
            return getattr(self._network, _NETWORK[dataset])
        frames = {
            SUBSCRIBERS: lambda: self._subscribers,
            PLACES: lambda: self._places,
            "devices": lambda: self._devices,
            "plans": lambda: self._plans,
        }
        return frames[dataset]()

    @cached_property
    def _places(self) -> pl.DataFrame:
        self._tell("places")
        return build_places(self._config)

    @cached_property
    def _network(self) -> Network:
        made = build_network(self._config, self._places)
        self._tell("network")
        return made

    @cached_property
    def _devices(self) -> pl.DataFrame:
        return build_devices(self._config)

    @cached_property
    def _plans(self) -> pl.DataFrame:
        return build_plans(self._config)

    @cached_property
    def _subscribers(self) -> pl.DataFrame:
        config, network = self._config, self._network
        inputs = SubscriberInputs.of(
            config, self._places, network.sites, network.cells, self._devices, self._plans
        )
        made = []
        for part in parts(config.all_subscribers, config.part_size):
            made.append(build_subscribers(config, inputs, part))
            self._tell("subscribers")
        return pl.concat(made)


def timeline(config: WorldConfig, layer: Layer, first: dt.date, days: int) -> list[Bar]:
    """Return the stages of all incidents that touch some days, in order of incident and stage.

    Args:
        config: The world.
        layer: The layer.
        first: First day (UTC).
        days: Number of days.
    """
    begin, end = day_start(first), day_start(first) + days * DAY
    found = []
    for incident in touching(config, layer, first, days):
        for stage in layer.stages:
            start = incident.stage_start(stage)
            if start < end and start + stage.length > begin:
                bar = Bar(
                    incident=incident.number,
                    stage=stage.name,
                    start=start,
                    end=start + stage.length,
                    waits=stage.trigger is not None,
                )
                found.append(bar)
    return found


def touching(config: WorldConfig, layer: Layer, first: dt.date, days: int) -> Iterator[Incident]:
    """Yield the incidents that touch some UTC days, in order of number."""
    last = first + dt.timedelta(days=days - 1)
    for incident in incidents(config, layer, last, since=first):
        if incident.end > day_start(first):
            yield incident


def reach(ground: Ground, found: Sequence[Incident], tell: Tell | None = None) -> list[Reach]:
    """Return whom incidents can touch, one by one and, if there are several, all together.

    Args:
        ground: The world.
        found: The incidents, all of one layer.
        tell: Told of each incident when it is done.
    """
    made: list[Reach] = []
    all_people, all_cells = _nothing(ground, SUBSCRIBERS), _nothing(ground, CELLS)
    customers = 0
    for incident in found:
        cast = cast_of(ground, incident)
        people, cells = _targets(ground, incident.layer, cast)
        all_people |= people
        all_cells |= cells
        there = ground.config.joined_by(_day(incident))
        customers = max(customers, there)
        roles = tuple(
            _reached(ground, name, role, cast[name], there)
            for name, role in incident.layer.cast.items()
        )
        made.append(_sum(incident.number, roles, people, cells, there))
        if tell is not None:
            tell(f"incident {incident.number}")
    if len(made) > 1:
        made.append(_sum(None, (), all_people, all_cells, customers))
    return made


def _nothing(ground: Ground, dataset: str) -> np.ndarray:
    return np.zeros(ground.size(dataset), dtype=np.bool_)


def _day(incident: Incident) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=incident.start // DAY)


def _reached(ground: Ground, name: str, role: Role, rows: Rows, customers: int) -> Reached:
    total = customers if role.of == SUBSCRIBERS else ground.size(role.of)
    return Reached(name, role.of, role.benign, len(rows), _share(len(rows), total))


def _targets(ground: Ground, layer: Layer, cast: dict[str, Rows]) -> tuple[np.ndarray, np.ndarray]:
    """Return which subscribers and which cells an effect aims at."""
    people, cells = _nothing(ground, SUBSCRIBERS), _nothing(ground, CELLS)
    for name in {deed.effect.who for stage in layer.stages for deed in stage.do}:
        of = layer.cast[name].of
        if of == SUBSCRIBERS:
            people[cast[name]] = True
        else:
            cells |= np.isin(ground.belongs(CELLS, of), cast[name])
    return people, cells


def _sum(
    incident: int | None,
    roles: tuple[Reached, ...],
    people: np.ndarray,
    cells: np.ndarray,
    customers: int,
) -> Reach:
    some, served = int(people.sum()), int(cells.sum())
    return Reach(incident, roles, some, _share(some, customers), served, _share(served, len(cells)))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def same_ground(held: Mapping[str, Any] | None, config: WorldConfig) -> bool:
    """Return whether a world that a lake tells of has the static datasets of another one.

    Args:
        held: Its configuration as plain values of JSON; None if nobody knows it.
        config: The other world. Layers touch no static dataset, so they do not matter.
    """
    if held is None:
        return False
    plain = json.loads(json.dumps(config.to_dict(), default=str))
    kept = ({k: v for k, v in tree.items() if k != "layers"} for tree in (held, plain))
    return next(kept) == next(kept)
