"""Wear: what runs down in an element over days, and what faults do to it while they last.

Belongs here: leaks of memory with their restarts, elements without power, additions of faults to
measurements. Does not belong here: the measurements themselves (`metrics`), what breaks (`state`).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import FaultKind
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, day_number, day_start
from telco_pipeline.generators.inputs import Rows
from telco_pipeline.generators.traffic import SLOT, SLOTS
from telco_pipeline.state.faults import FAULT_KINDS, Faults, cells_hit
from telco_pipeline.state.hazards import OUT_OF_MEMORY
from telco_pipeline.state.plant import Floats, Plant

_SHORTEST, _LONGEST = 14, 60
"""Days from one restart of an element's software to the next: practice of maintenance windows."""
_FIRST_WINDOW, _WINDOWS = 12, 36  # five minutes of the day: restarts between 01:00 and 04:00 UTC
_NEVER: Final = 1 << 40
# How a leak ends, by cycle: most cost some percent of the memory until the restart; a few use all
# of it up some time before, and the element then runs without until it is restarted.
_MANY: Final = 0.96
_USUAL: Final = (2.0, 14.0)  # percent of the memory that leaks in a cycle
_FULL_FROM: Final = (0.97, 1.0)  # part of the cycle at which nothing is left
FULL: Final = 100.0
"""Percent of memory in use at which an element is exhausted."""


@dataclass(frozen=True)
class Leaks:
    """Memory of some elements that has leaked on a day, in percent of their memory.

    A closed form: an element is restarted every so many days, at a minute of its own; in each of
    these cycles a leak grows in a straight line. No day needs the one before it.

    Attributes:
        level: What has leaked at the start of the day.
        slope: What leaks in five minutes.
        restart: Five minutes of the day in which the element is restarted; beyond the day if
            not.
        new_slope: What leaks in five minutes after that.
    """

    level: Floats
    slope: Floats
    restart: Rows
    new_slope: Floats

    @classmethod
    def of(cls, seed: int, elements: Rows, date: dt.date, free: Floats) -> Self:
        """Return the leaks of a day.

        Args:
            seed: Seed of the world.
            elements: Rows of the elements.
            date: The day.
            free: Percent of their memory that is free after a restart.
        """
        key = draws.keys(draws.stream(seed, "memory"), elements)
        days = _SHORTEST + draws.below(draws.bits(key, "days"), _LONGEST - _SHORTEST + 1)
        window = _FIRST_WINDOW + draws.below(draws.bits(key, "window"), _WINDOWS)
        length = days * SLOTS
        phase = draws.below(draws.bits(key, "phase"), days) * SLOTS
        # Slots since the first restart that counts, long before any day of a world.
        now = day_number(date) * SLOTS + phase + length - window
        cycle, age = now // length, now % length
        left = length - age
        restart = np.where(left < SLOTS, left, _NEVER)
        return cls(
            level=_slope(key, cycle, length, free) * age,
            slope=_slope(key, cycle, length, free),
            restart=restart,
            new_slope=_slope(key, cycle + 1, length, free),
        )

    def at(self, slot: int) -> Floats:
        """Return what has leaked in five minutes of the day; more than is free where none is."""
        old = self.level + self.slope * slot
        return np.where(slot >= self.restart, self.new_slope * (slot - self.restart), old)

    def restarting(self, slot: int) -> npt.NDArray[np.bool_]:
        """Return which elements start anew in five minutes of the day, or did in those before."""
        since = slot - self.restart
        return (since >= 0) & (since < 2)


def _slope(key: draws.Bits, cycle: Rows, length: Rows, free: Floats) -> Floats:
    """Return what leaks in five minutes of a cycle."""
    here = draws.events(key, cycle)
    part = draws.uniform(draws.bits(here, "part"))
    usual = _USUAL[0] + part * (_USUAL[1] - _USUAL[0])
    all_of_it = free / (_FULL_FROM[0] + part * (_FULL_FROM[1] - _FULL_FROM[0]))
    grave = ~draws.chance(draws.bits(here, "grave"), _MANY)
    return np.where(grave, all_of_it, np.minimum(usual, free)) / length


# Percent of CPU that a fault adds at its root. A process in a loop; boards that take over from a
# lost one; new ways for the traffic; uploads and restarts of planned work. The order of magnitude
# is practice.
_CPU_OF_KIND: Final = {
    FaultKind.HARDWARE: 12.0,
    FaultKind.SOFTWARE: 45.0,
    FaultKind.POWER: 0.0,
    FaultKind.BACKHAUL: 5.0,
    FaultKind.CORE: 28.0,
    FaultKind.PLANNED_WORK: 20.0,
}
_CPU: Final = np.array([_CPU_OF_KIND[kind] for kind in FAULT_KINDS])
# Before a process ends for want of memory, a leak eats it up: from where to where, and for how
# long at most. It begins on the day of the fault, or the eve would have to know of it.
_RUN_UP: Final = 2 * HOUR
_RUN_UP_FROM: Final = 55.0
_POWER: Final = FAULT_KINDS.index(FaultKind.POWER)
_DETOUR: Final = 30.0  # milliseconds that a lost part of the capacity adds to the round trip


@dataclass(frozen=True)
class Ailments:
    """What faults do to elements on a day: one row for each five minutes of each element.

    Attributes:
        first: Position of the first row of each five minutes, and the end.
        element: Row of the element.
        cpu: Percent of the processor added.
        memory: Percent of the memory in use at least; 0 for no matter.
        loss: Percent of the packets lost.
        latency: Milliseconds added.
        dark: Whether it has no power.
    """

    first: Rows
    element: Rows
    cpu: Floats
    memory: Floats
    loss: Floats
    latency: Floats
    dark: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, plant: Plant, faults: Faults, date: dt.date) -> Self:
        """Lay the faults of a day over the elements that they hit."""
        fault, element, weight, leaking = _with_run_ups(faults, *_elements_hit(plant, faults))
        begin = faults.impact[fault] - day_start(date)
        end = np.minimum(np.where(leaking, begin, faults.end[fault] - day_start(date)), DAY)
        begin = np.where(leaking, np.maximum(begin - _RUN_UP, 0), begin)
        row, slot, part = _slots_of(begin, end)
        order = np.argsort(slot, kind="stable")
        row, slot, part = row[order], slot[order], part[order]
        fault, element, leaking = fault[row], element[row], leaking[row]
        weight = np.where(leaking, 0.0, weight[row] * part)
        at_root = element == faults.element[fault]
        kind, left = faults.kind[fault], faults.capacity[fault]
        passed = ((slot + 1) * SLOT - begin[row]) / np.maximum(end[row] - begin[row], SLOT)
        ramp = _RUN_UP_FROM + (FULL - _RUN_UP_FROM) * np.minimum(passed, 1.0)
        full = at_root & (faults.cause[fault] == OUT_OF_MEMORY)
        out = (left == 0.0) & (kind != _POWER)
        return cls(
            first=np.searchsorted(slot, np.arange(SLOTS + 1)),
            element=element,
            cpu=np.where(at_root, _CPU[kind], 0.0) * weight,
            memory=np.where(full, np.where(leaking, ramp, FULL), 0.0),
            loss=100.0 * weight * np.where(out, 1.0, faults.failure[fault]),
            latency=_DETOUR * weight * (1.0 - np.where(kind == _POWER, 1.0, left)),
            dark=(kind == _POWER) & (left == 0.0) & (faults.cell[fault] < 0),
        )

    def at(self, slot: int) -> slice:
        """Return which rows are those of five minutes of the day."""
        return slice(int(self.first[slot]), int(self.first[slot + 1]))

    def within(self, start: int, stop: int) -> "Ailments":
        """Return those of a range of elements, whose rows then count from its start."""
        mine = (self.element >= start) & (self.element < stop)
        counts = np.concatenate([[0], np.cumsum(mine)])
        columns = ("cpu", "memory", "loss", "latency", "dark")
        return Ailments(
            first=counts[self.first],
            element=self.element[mine] - start,
            **{name: getattr(self, name)[mine] for name in columns},
        )


def _elements_hit(plant: Plant, faults: Faults) -> tuple[Rows, Rows, Floats]:
    """Return which elements each fault hits, and how much of each: pairs in order.

    The root; base stations, by the part of their cells that suffer; and the site routers of their
    sites, unless a single cell is at fault or the root is a base station.
    """
    fault, cell = cells_hit(plant, faults)
    count = plant.elements.height
    cells_of = np.bincount(plant.station, minlength=count)
    packed, hit = np.unique(fault * count + plant.station[cell], return_counts=True)
    stations = packed % count
    wide = ~np.isin(faults.element[fault], plant.station) & (faults.cell[fault] < 0)
    routers = np.unique(fault[wide] * count + plant.router[plant.site[cell[wide]]])
    whole = np.flatnonzero(faults.cell < 0)
    roots = np.setdiff1d(whole * count + faults.element[whole], np.append(packed, routers))
    pairs = np.concatenate([packed, routers, roots]).astype(np.int64)
    weight = np.ones(len(pairs))
    weight[: len(packed)] = hit / cells_of[stations]
    order = np.argsort(pairs, kind="stable")
    return pairs[order] // count, pairs[order] % count, weight[order]


def _with_run_ups(
    faults: Faults, fault: Rows, element: Rows, weight: Floats
) -> tuple[Rows, Rows, Floats, npt.NDArray[np.bool_]]:
    """Return who is hit by what lasts, and behind them the roots whose memory runs out before.

    Args:
        faults: The faults.
        fault: Row of the fault of each pair of `_elements_hit`.
        element: Row of its element.
        weight: How much of it is hit.

    Returns:
        The same, and which rows are the run-up to a fault.
    """
    lasting = faults.impact[fault] < faults.end[fault]
    root = element == faults.element[fault]
    hungry = np.flatnonzero(lasting & root & (faults.cause[fault] == OUT_OF_MEMORY))
    rows = np.concatenate([np.flatnonzero(lasting), hungry])
    leaking = np.arange(len(rows)) >= len(rows) - len(hungry)
    return fault[rows], element[rows], weight[rows], leaking


def _slots_of(begin: Rows, end: Rows) -> tuple[Rows, Rows, Floats]:
    """Return the five minutes of the day that stretches touch: row, slot, part that is touched.

    Args:
        begin: Microseconds of the day; before 0 for what began on a day before.
        end: Likewise, at most a day.
    """
    first, last = np.maximum(begin, 0) // SLOT, (end - 1) // SLOT
    count = np.maximum(last - first + 1, 0)
    row = np.repeat(np.arange(len(begin)), count)
    slot = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + first[row]
    inside = np.minimum(end[row], (slot + 1) * SLOT) - np.maximum(begin[row], slot * SLOT)
    return row, slot, inside / SLOT
