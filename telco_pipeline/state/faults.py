"""Faults: all that is broken or worked on in the network on a day, and whom it hits.

Belongs here: the faults that touch a day, and what suffers from each. Does not belong here: how
often things break (`hazards`), what hangs on what (`hanging`), what becomes of a cell (`network`).

The faults of a day are a pure function of the world and the date: those that begin on it and on
the `LONGEST` days before, and are not over when it begins. Those that scenario layers bring are
found through their incidents, however long they last.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import FaultKind
from telco_pipeline.engine.calendar import DAY, day_start, days
from telco_pipeline.engine.identifiers import EventIds
from telco_pipeline.engine.remembering import remembered
from telco_pipeline.scenarios.story import Story
from telco_pipeline.state.factors import Factors
from telco_pipeline.state.hanging import DATA, SIGNALLING, VOICE, Hanging
from telco_pipeline.state.hazards import FAULT_KINDS, LONGEST, Columns, Floats, beginning
from telco_pipeline.state.plant import Plant, Rows
from telco_pipeline.state.story_faults import brought, open_days

_TYPES = {
    "number": np.int64,
    "kind": np.int8,
    "start": np.int64,
    "impact": np.int64,
    "end": np.int64,
    "element": np.int64,
    "cell": np.int64,
    "capacity": np.float64,
    "failure": np.float64,
    "cause": np.int16,
}


@dataclass(frozen=True)
class Faults:
    """Faults and planned works, ordered by start and number.

    Attributes:
        number: What `fault_id` is made from: kind, day, element and number within them.
        fault_id: Key of the fault.
        kind: Position in `FAULT_KINDS`.
        start: When it begins, in microseconds since 1970-01-01 UTC, as the next two.
        impact: When the first cell suffers: later than `start` while a battery bridges a power
            cut; equal to `end` if none ever does.
        end: When it is over.
        element: Row of the element at its root.
        cell: Row of the one cell that suffers; -1 where all that hang on the element do.
        capacity: Part of the capacity of these cells that is left; 0: out of service. 1 for
            faults of the core, which take none.
        failure: Additional probability that a procedure over what suffers fails.
        cause: Probable cause (RFC 3877).
    """

    number: Rows
    fault_id: Rows
    kind: npt.NDArray[np.int8]
    start: Rows
    impact: Rows
    end: Rows
    element: Rows
    cell: Rows
    capacity: Floats
    failure: Floats
    cause: npt.NDArray[np.int16]

    @classmethod
    def of(cls, seed: int, batches: list[Columns]) -> Self:
        """Put batches of `hazards` together, in order, with their keys."""
        columns = {
            name: np.concatenate([np.empty(0, dtype), *(batch[name] for batch in batches)])
            for name, dtype in _TYPES.items()
        }
        order = np.lexsort((columns["number"], columns["start"]))
        columns = {name: values[order].astype(_TYPES[name]) for name, values in columns.items()}
        return cls(fault_id=EventIds(seed, "fault_id").of(columns["number"]), **columns)

    def __len__(self) -> int:
        """Return the number of faults."""
        return len(self.number)

    def select(self, chosen: npt.NDArray) -> "Faults":
        """Return some of the faults (mask or row numbers)."""
        return Faults(**{name: getattr(self, name)[chosen] for name in self.__dataclass_fields__})

    def is_kind(self, kind: FaultKind) -> npt.NDArray[np.bool_]:
        """Return which are of a kind."""
        return self.kind == FAULT_KINDS.index(kind)


def faults_beginning(plant: Plant, date: dt.date, story: Story | None = None) -> Faults:
    """Return the faults and works that begin on a UTC day.

    Args:
        plant: The network.
        date: The day.
        story: What scenario layers do; None for nothing.
    """
    batches = list(_begun(plant, date, story or None))
    if story and date >= plant.config.epoch:
        batches += brought(plant, story, date)
    return Faults.of(plant.config.seed, batches)


def faults_on(plant: Plant, date: dt.date, story: Story | None = None) -> Faults:
    """Return the faults and works that touch a UTC day: begun by its end, not over at its start.

    It asks for the faults that begin on the day and the `LONGEST` days before, from the epoch on,
    and for those of layers on whichever days they begin (arguments: `faults_beginning`).
    """
    first = date - dt.timedelta(days=LONGEST)
    batches = [
        batch for day in days(first, LONGEST + 1) for batch in _begun(plant, day, story or None)
    ]
    if story and date >= plant.config.epoch:
        for day in open_days(plant, story, date):
            batches += brought(plant, story, day)
    faults = Faults.of(plant.config.seed, batches)
    start = day_start(date)
    return faults.select((faults.end > start) & (faults.start < start + DAY))


# A day is asked for by itself and by all that look back to it. `Faults.of` copies what it takes.
@remembered(16 * (LONGEST + 1))
def _begun(plant: Plant, date: dt.date, story: Story | None) -> tuple[Columns, ...]:
    """Return what begins of itself on a day, as often as the layers let it."""
    hanging, factors = Hanging.of(plant), None
    if story and story.on(date).of("hazard"):
        factors = Factors(hanging, story.on(date))
    return tuple(beginning(plant, hanging, date, factors))


def cells_hit(plant: Plant, faults: Faults) -> tuple[Rows, Rows]:
    """Return which cells lose capacity or procedures by which fault: pairs of rows, in order.

    A power cut hits all sites of the feeder of its router, none while the batteries last. Faults of
    the core hit no cell here.
    """
    row, cell = cells_under(Hanging.of(plant), faults)
    suffers = ((faults.capacity < 1.0) | (faults.failure > 0.0)) & (faults.impact < faults.end)
    chosen = suffers[row]
    return row[chosen], cell[chosen]


def cells_under(hanging: Hanging, faults: Faults) -> tuple[Rows, Rows]:
    """Return which cells each fault is about, whether they suffer or not: pairs, in order."""
    single = np.flatnonzero(faults.cell >= 0)
    several = np.flatnonzero(faults.cell < 0)
    power = faults.is_kind(FaultKind.POWER)[several]
    position, cell = hanging.cells(faults.element[several], power=power)
    row = np.concatenate([single, several[position]])
    cell = np.concatenate([faults.cell[single], cell])
    order = np.lexsort((cell, row))
    return row[order], cell[order]


def core_hit(plant: Plant, faults: Faults) -> tuple[Rows, Rows, Rows]:
    """Return which cells an element of the core at fault serves: fault, cell and domain, in order.

    Domains are `VOICE`, `DATA` and `SIGNALLING` (0, 1, 2).
    """
    return Hanging.of(plant).served(faults.element)


__all__ = [
    "DATA",
    "FAULT_KINDS",
    "LONGEST",
    "SIGNALLING",
    "VOICE",
    "Faults",
    "cells_hit",
    "cells_under",
    "core_hit",
    "faults_beginning",
    "faults_on",
]
