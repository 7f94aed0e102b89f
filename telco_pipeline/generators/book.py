"""Book: where the state of a day comes from.

Belongs here: reading the partitions of state in the lake, or working them out in memory where
there is no lake (tests, benchmarks). Does not belong here: how state is worked out (`state`).
"""

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Protocol

import polars as pl

from telco_pipeline.engine.parts import Part
from telco_pipeline.lake import Lake
from telco_pipeline.lake.layout import part_name
from telco_pipeline.state.coverage import Coverage
from telco_pipeline.state.customers_day import CustomersDay
from telco_pipeline.state.hours import network_hours
from telco_pipeline.state.network import NetworkDay

if TYPE_CHECKING:
    from telco_pipeline.generators.inputs import Inputs

NETWORK = "network_state"
CUSTOMERS = "subscriber_state"


class Book(Protocol):
    """Gives the state of days."""

    def network(self, date: dt.date) -> NetworkDay:
        """Return the network on a UTC day."""
        ...

    def customers(self, date: dt.date) -> CustomersDay:
        """Return the subscribers on a UTC day."""
        ...

    def before(self, date: dt.date, part: Part) -> pl.DataFrame | None:
        """Return the state of the subscribers of a part on the eve of a day; None at the epoch."""
        ...


class LakeBook:
    """The state that lies in a lake."""

    def __init__(self, inputs: "Inputs", lake: Lake) -> None:
        """Remember where it lies."""
        self._inputs, self._lake = inputs, lake

    def network(self, date: dt.date) -> NetworkDay:
        """Return the network on a UTC day."""
        read, inputs = partial(self._lake.read, NETWORK, date, date), self._inputs
        return NetworkDay.read(read, inputs.plant.takers, _coverage(inputs, date))

    def customers(self, date: dt.date) -> CustomersDay:
        """Return the subscribers on a UTC day."""
        frame = self._lake.read(CUSTOMERS, date, date, CustomersDay.COLUMNS)
        return customers_of(self._inputs, date, frame)

    def before(self, date: dt.date, part: Part) -> pl.DataFrame | None:
        """Return the state of the subscribers of a part on the eve of a day; None at the epoch."""
        if date == self._inputs.config.epoch:
            return None
        eve = date - dt.timedelta(days=1)
        file = self._lake.directory(CUSTOMERS, eve) / part_name(part.number)
        # A part of which nobody had joined has no file.
        return pl.read_parquet(file, hive_partitioning=False) if file.exists() else None


class MemoryBook:
    """State worked out when it is asked for, from the epoch on, and kept."""

    def __init__(self, inputs: "Inputs") -> None:
        """Remember the world."""
        self._inputs = inputs
        self._network: dict[dt.date, NetworkDay] = {}
        self._frames: dict[dt.date, pl.DataFrame] = {}

    def network(self, date: dt.date) -> NetworkDay:
        """Return the network on a UTC day."""
        if date not in self._network:
            inputs = self._inputs
            frame = network_hours(
                inputs.plant, inputs.demand, inputs.faults(date), date, inputs.story
            )
            coverage = _coverage(inputs, date)
            self._network[date] = NetworkDay.of(frame, inputs.plant.takers, coverage)
        return self._network[date]

    def customers(self, date: dt.date) -> CustomersDay:
        """Return the subscribers on a UTC day."""
        return customers_of(self._inputs, date, self._state(date))

    def before(self, date: dt.date, part: Part) -> pl.DataFrame | None:
        """Return the state of the subscribers of a part on the eve of a day; None at the epoch."""
        if date == self._inputs.config.epoch:
            return None
        return self._state(date - dt.timedelta(days=1))[part.start : part.stop]

    def _state(self, date: dt.date) -> pl.DataFrame:
        """Return the rows of `subscriber_state` of a day."""
        from telco_pipeline.generators import customers  # it needs the inputs, and they this

        first = self._inputs.config.epoch
        for number in range((date - first).days + 1):
            day = first + dt.timedelta(days=number)
            if day not in self._frames:
                part = Part(0, 0, self._inputs.config.joined_by(day))
                made = customers.rows(self._inputs, day, part)
                self._frames[day] = made.to_frame()
        return self._frames[date]


def _coverage(inputs: "Inputs", date: dt.date) -> Coverage | None:
    return Coverage.of(inputs.plant, inputs.story, date)


def customers_of(inputs: "Inputs", date: dt.date, frame: pl.DataFrame) -> CustomersDay:
    """Return the subscribers of a day from the rows of its `subscriber_state`."""
    return CustomersDay.read(
        frame,
        date,
        inputs.frames["plans"]["plan_id"],
        inputs.cells.cell_id,
    ).padded(inputs.population.size)
