"""Wear: what runs down in an element over days, and what faults do to it while they last.

Belongs here: leaks of memory, when elements are off, boot and are back, which of them the network
management does not reach, additions of faults and of scenario layers to measurements. Does not
belong here: the measurements themselves (`metrics`), what elements write (`log_faults`), what
breaks (`state`).

An element is off while it has no power, while its software starts anew, and at the end of a repair
or of works at a station, for which it is switched off. It boots at the end of that time, so that it
is up when its cells are back in service.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import ElementType, FaultKind
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND, day_number, day_start
from telco_pipeline.engine.remembering import remembered
from telco_pipeline.generators.inputs import Day, Inputs, Rows
from telco_pipeline.generators.traffic import SLOT, SLOTS
from telco_pipeline.scenarios.story import Touch
from telco_pipeline.state.faults import FAULT_KINDS, LONGEST, Faults, cells_hit, faults_beginning
from telco_pipeline.state.hanging import Hanging, members
from telco_pipeline.state.hazards import ALL_HAZARDS, OUT_OF_MEMORY, hazard_of
from telco_pipeline.state.plant import ELEMENT_TYPES, Floats, Plant

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

_STARTING: Final = 2  # five minutes for which a start can be seen

# Minutes from power to service: load, self-test, cells or routes set up (practice: a router two to
# five, a base station four to eight, a virtual function of the core two to four).
_BOOT_MINUTES: Final = {
    **dict.fromkeys(ElementType, 3),
    ElementType.BTS: 4,
    ElementType.ENB: 5,
    ElementType.GNB: 6,
    ElementType.BSC: 6,
    ElementType.RNC: 6,
    ElementType.ROUTER: 5,
}
BOOT: Final = np.array([_BOOT_MINUTES[kind] for kind in ELEMENT_TYPES]) * MINUTE
"""Microseconds that a type of element (position in `ELEMENT_TYPES`) takes to boot, if it can."""
_STATION_TYPES: Final = [
    ELEMENT_TYPES.index(kind) for kind in (ElementType.BTS, ElementType.ENB, ElementType.GNB)
]
_ROUTER_TYPES: Final = [
    ELEMENT_TYPES.index(kind) for kind in (ElementType.SITE_ROUTER, ElementType.ROUTER)
]
_RESTARTS: Final = [
    one.number
    for one in ALL_HAZARDS
    if one.name in ("watchdog", "bad release", "release", "controller", "core restart")
]
# Works and repairs during which a station answers, until it is switched off to start anew.
_REPAIRS: Final = [
    one.number for one in ALL_HAZARDS if one.name in ("station", "work at a station")
]


@dataclass(frozen=True)
class Stops:
    """Stretches in which elements are off or boot; one array element each.

    Attributes:
        element: Row of the element.
        start: When it goes off, in microseconds since 1970-01-01 UTC, as the next two.
        boot: When it begins to boot: whole seconds before the end.
        end: When it is back.
        fault: Number of the fault.
        restart: Whether its software starts anew, so that it can say so before.
    """

    element: Rows
    start: Rows
    boot: Rows
    end: Rows
    fault: Rows
    restart: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, plant: Plant, faults: Faults) -> Self:
        """Return which elements some faults switch off.

        All elements of the sites of a feeder whose batteries run empty; the root of what starts
        anew; stations at the end of a repair or of works for which all their cells were down.
        """
        hazard = hazard_of(faults.number)
        dark = np.flatnonzero(faults.is_kind(FaultKind.POWER) & (faults.impact < faults.end))
        feeders = Hanging.of(plant).feeder
        site = plant.element_site
        feeder = np.where(site >= 0, feeders[np.maximum(site, 0)], -1)
        position, fed = members(feeder, feeders[site[faults.element[dark]]])
        dark = dark[position]
        out = (faults.capacity == 0.0) & (faults.cell < 0)
        # A process of the core starts anew without taking capacity along.
        core = (faults.capacity == 1.0) & (site[faults.element] < 0)
        again = np.isin(hazard, _RESTARTS) & (out | core)
        again = np.flatnonzero(again & (faults.start < faults.end))
        mended = np.flatnonzero(np.isin(hazard, _REPAIRS) & out & (faults.start < faults.end))
        row = np.concatenate([dark, again, mended])
        element = np.concatenate([fed, faults.element[again], faults.element[mended]])
        boot, end = BOOT[plant.kind[element]], faults.end[row]
        # For a repair it is off for as long as it boots.
        mending = slice(len(dark) + len(again), None)
        switched = np.maximum(faults.start[mended], (end - 2 * boot)[mending])
        begin = np.concatenate([faults.impact[dark], faults.start[again], switched])
        boots = np.minimum(boot, (end - begin) // 2) // SECOND * SECOND
        restart = np.zeros(len(row), dtype=np.bool_)
        restart[len(dark) : len(dark) + len(again)] = True
        return cls(element, begin, end - boots, end, faults.number[row], restart)


@remembered(128)
def _starts_of(inputs: Inputs, date: dt.date) -> tuple[Rows, Rows]:
    """Return which elements start anew after faults that begin on a day, and when."""
    stops = Stops.of(inputs.plant, faults_beginning(inputs.plant, date, inputs.story))
    return stops.element, stops.end


def starts_before(day: Day) -> tuple[Rows, Rows]:
    """Return which elements have started after faults by the end of a day, and when.

    Those of the day are told by its own faults; from before, as far back as leaks last.

    Returns:
        Rows of elements, and five minutes of the day, negative for those before it.
    """
    inputs = day.inputs
    first = max(day.date - dt.timedelta(days=_LONGEST + LONGEST), inputs.config.epoch)
    # What had begun before the first of these days may have ended since, however long it lasted.
    long = Stops.of(inputs.plant, inputs.faults(first)) if inputs.story else None
    found = [] if long is None else [(long.element, long.end)]
    found += [
        _starts_of(inputs, first + dt.timedelta(days=number))
        for number in range((day.date - first).days)
    ]
    before = [(element[end < day.start], end[end < day.start]) for element, end in found]
    today = Stops.of(inputs.plant, day.faults)
    ends = (today.end >= day.start) & (today.end < day.start + DAY)
    both = [*before, (today.element[ends], today.end[ends])]
    element, end = (np.concatenate([one[n] for one in both]) for n in range(2))
    return element, (end - day.start) // SLOT


@dataclass(frozen=True)
class Leaks:
    """Memory of some elements that has leaked on a day, in percent of their memory.

    A closed form: an element is restarted every so many days, at a minute of its own; in each of
    these cycles a leak grows in a straight line from its last start on, be it the planned one or
    one after a fault. No day needs the one before it.

    Attributes:
        begun: Five minutes of the last start before the day's own, 0 or less.
        slope: What leaks in five minutes.
        restart: Five minutes of the day in which the element is restarted as planned; beyond the
            day if not.
        new_slope: What leaks in five minutes after that.
        starter, started: Position of each element that starts after a fault on the day, and the
            five minutes in which it does.
    """

    begun: Rows
    slope: Floats
    restart: Rows
    new_slope: Floats
    starter: Rows
    started: Rows

    @classmethod
    def of(
        cls,
        seed: int,
        elements: Rows,
        date: dt.date,
        free: Floats,
        starts: tuple[Rows, Rows] | None = None,
    ) -> Self:
        """Return the leaks of a day.

        Args:
            seed: Seed of the world.
            elements: Rows of the elements, in order.
            date: The day.
            free: Percent of their memory that is free after a restart.
            starts: Elements that start after faults, and when (`starts_before`); None for none.
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
        who, when = starts or (np.empty(0, np.int64), np.empty(0, np.int64))
        mine = np.isin(who, elements)
        who, when = who[mine], when[mine]
        who = np.searchsorted(elements, who)
        begun, before = -age, when < 0
        np.maximum.at(begun, who[before], when[before])
        return cls(
            begun=begun,
            starter=who[~before],
            started=when[~before],
            slope=_slope(key, cycle, length, free),
            restart=restart,
            new_slope=_slope(key, cycle + 1, length, free),
        )

    def at(self, slots: Rows | int) -> Floats:
        """Return what has leaked in five minutes of the day; more than is free where none is.

        Args:
            slots: Some five minutes of the day, or one.

        Returns:
            Shape (five minutes, elements); of one (elements).
        """
        slot = np.asarray(slots)[..., None]
        slope: Floats = np.where(slot >= self.restart, self.new_slope, self.slope)
        return slope * (slot - self._last_start(slot))

    def restarting(self, slots: Rows | int) -> npt.NDArray[np.bool_]:
        """Return which elements start anew in five minutes, or did in those before (as `at`)."""
        slot = np.asarray(slots)[..., None]
        return slot - self._last_start(slot) < _STARTING

    def _last_start(self, slot: Rows) -> Rows:
        """Return the five minutes of each element's last start, up to those of the day."""
        since = np.where(slot >= self.restart, self.restart, self.begun)
        *at, known = np.nonzero(self.started <= slot)
        np.maximum.at(since, (*at, self.starter[known]), self.started[known])
        return since


def planned_restarts(seed: int, elements: Rows, date: dt.date) -> tuple[Rows, Rows]:
    """Return which elements are restarted as planned on a day, and when.

    Returns:
        Rows of the elements, and microseconds of the day.
    """
    slot = Leaks.of(seed, elements, date, np.full(len(elements), FULL)).restart
    due = slot < SLOTS
    return elements[due], slot[due] * SLOT


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
_STRAINED: Final = ("cpu", "memory", "loss", "latency")
"""What a layer's `strain` adds to."""
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
        absent: Whether it is off, or cannot be reached: there is no measurement.
    """

    first: Rows
    element: Rows
    cpu: Floats
    memory: Floats
    loss: Floats
    latency: Floats
    absent: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, plant: Plant, faults: Faults, date: dt.date) -> Self:
        """Lay the faults of a day over the elements that they hit."""
        fault, element, weight, leaking = _with_run_ups(faults, *_elements_hit(plant, faults))
        begin = faults.impact[fault] - day_start(date)
        end = np.minimum(np.where(leaking, begin, faults.end[fault] - day_start(date)), DAY)
        begin = np.where(leaking, np.maximum(begin - _RUN_UP, 0), begin)
        off, off_fault = _off(plant, faults)
        fault, element = np.append(fault, off_fault), np.append(element, off.element)
        begin = np.append(begin, off.start - day_start(date))
        end = np.append(end, np.minimum(off.end - day_start(date), DAY))
        weight = np.append(weight, np.zeros(len(off_fault)))
        leaking = np.append(leaking, np.zeros(len(off_fault), dtype=np.bool_))
        absent = _cut_off(plant, faults)[fault] & ~leaking
        absent[len(absent) - len(off_fault) :] = True
        row, slot, part = _slots_of(begin, end)
        order = np.argsort(slot, kind="stable")
        row, slot, part = row[order], slot[order], part[order]
        fault, element, leaking = fault[row], element[row], leaking[row]
        weight, absent = np.where(leaking, 0.0, weight[row] * part), absent[row]
        at_root = element == faults.element[fault]
        kind, left = faults.kind[fault], faults.capacity[fault]
        passed = ((slot + 1) * SLOT - begin[row]) / np.maximum(end[row] - begin[row], SLOT)
        ramp = _RUN_UP_FROM + (FULL - _RUN_UP_FROM) * np.minimum(passed, 1.0)
        full = at_root & (faults.cause[fault] == OUT_OF_MEMORY)
        # A dead carrier or a locked station loses no packets on the links.
        links = _on_links(plant, faults)[fault] * weight
        return cls(
            first=np.searchsorted(slot, np.arange(SLOTS + 1)),
            element=element,
            cpu=np.where(at_root, _CPU[kind], 0.0) * weight,
            memory=np.where(full, np.where(leaking, ramp, FULL), 0.0),
            loss=100.0 * links * faults.failure[fault],
            latency=_DETOUR * links * (1.0 - np.where(kind == _POWER, 1.0, left)),
            absent=absent,
        )

    def with_memory(self, element: Rows, begin: Rows, end: Rows, memory: Floats) -> "Ailments":
        """Return the same, and stretches in which elements use so much memory at least.

        Args:
            element: Row of the element of each stretch, counted as those of the rows.
            begin: Microseconds of the day; before 0 for what began on a day before.
            end: Likewise; may lie behind the day.
            memory: Percent of the memory in use.
        """
        row, slot, _ = _slots_of(begin, np.minimum(end, DAY))
        slots = np.append(np.repeat(np.arange(SLOTS), np.diff(self.first)), slot)
        order = np.argsort(slots, kind="stable")
        more = {"element": element[row], "memory": memory[row], "absent": np.zeros(len(row), bool)}
        columns = {
            name: np.append(getattr(self, name), more.get(name, np.zeros(len(row))))[order]
            for name in ("element", "cpu", "memory", "loss", "latency", "absent")
        }
        return Ailments(first=np.searchsorted(slots[order], np.arange(SLOTS + 1)), **columns)

    def at(self, slots: Rows) -> "Sick":
        """Return those of some five minutes of the day, one after the other."""
        first = self.first[slots[0] : slots[-1] + 2]
        rows = slice(int(first[0]), int(first[-1]))
        names = ("element", "cpu", "memory", "loss", "latency", "absent")
        slot = np.repeat(np.arange(len(slots)), np.diff(first))
        return Sick(slot=slot, **{name: getattr(self, name)[rows] for name in names})

    def of_elements(self, rows: Rows) -> "Ailments":
        """Return those of some elements, in order, by their position among them."""
        mine = np.isin(self.element, rows)
        counts = np.concatenate([[0], np.cumsum(mine)])
        columns = ("cpu", "memory", "loss", "latency", "absent")
        return Ailments(
            first=counts[self.first],
            element=np.searchsorted(rows, self.element[mine]),
            **{name: getattr(self, name)[mine] for name in columns},
        )


@dataclass(frozen=True)
class Sick:
    """Rows of `Ailments`, each with the number of its five minutes among some."""

    slot: Rows
    element: Rows
    cpu: Floats
    memory: Floats
    loss: Floats
    latency: Floats
    absent: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Strains:
    """What scenario layers add to figures of elements on a day.

    Attributes:
        start: The day's start in microseconds since 1970.
        elements: Number of the elements.
        touches: What touches some of them, with the position of the target and of the element of
            each pair.
    """

    start: int
    elements: int
    touches: tuple[tuple[Touch, Rows, Rows], ...]

    @classmethod
    def of(cls, day: Day, rows: Rows) -> Self:
        """Find what touches some elements, given by their rows in order."""
        found = []
        for touch in day.scheduled.of("strain"):
            target, element = day.inputs.story.elements_under(touch)
            mine = np.flatnonzero(np.isin(element, rows))
            if mine.size:
                found.append((touch, target[mine], np.searchsorted(rows, element[mine])))
        return cls(day.start, len(rows), tuple(found))

    def __bool__(self) -> bool:
        """Return whether any element is touched."""
        return bool(self.touches)

    def at(self, slots: Rows) -> dict[str, Floats]:
        """Return what is added in five minutes that begin within the time of the effect.

        Returns:
            Points of cpu and memory, percent of loss and milliseconds of latency by these names,
            each of shape (five minutes, elements).
        """
        added = {name: np.zeros((len(slots), self.elements)) for name in _STRAINED}
        for touch, target, element in self.touches:
            time = np.repeat(self.start + slots * SLOT, len(target))
            strength = touch.strength(np.tile(target, len(slots)), time)
            strength = strength.reshape(len(slots), len(target))
            for name, values in added.items():
                # An element is at one site only: each stands once among those of a touch.
                values[:, element] += strength * touch.amount(getattr(touch.effect, name))
        return added


def _cut_off(plant: Plant, faults: Faults) -> npt.NDArray[np.bool_]:
    """Return which faults leave nothing reachable of all that they hit.

    A lost line, an aggregation router, works at either, a controller, through which its stations
    are managed. Not a station whose radio has failed or is locked: it answers; nor who is off,
    which `_off` tells.
    """
    out = (faults.capacity == 0.0) & (faults.cell < 0) & (faults.impact < faults.end)
    return out & ~np.isin(plant.kind[faults.element], _STATION_TYPES)


def _off(plant: Plant, faults: Faults) -> tuple[Stops, Rows]:
    """Return which elements are off, and the row of the fault of each."""
    stops = Stops.of(plant, faults)
    order = np.argsort(faults.number)
    return stops, order[np.searchsorted(faults.number[order], stops.fault)]


def _on_links(plant: Plant, faults: Faults) -> npt.NDArray[np.bool_]:
    """Return which faults cost packets and time on links: not those of radio."""
    radio = np.isin(plant.kind[faults.element], _STATION_TYPES)
    software = faults.is_kind(FaultKind.SOFTWARE) & (faults.capacity > 0.0)
    return ~radio | software


def _elements_hit(plant: Plant, faults: Faults) -> tuple[Rows, Rows, Floats]:
    """Return which elements each fault hits, and how much of each: pairs in order.

    The root; base stations, by the part of their cells that suffer; and the site routers of their
    sites, where the root is a router.
    """
    fault, cell = cells_hit(plant, faults)
    count = plant.elements.height
    cells_of = np.bincount(plant.station, minlength=count)
    packed, hit = np.unique(fault * count + plant.station[cell], return_counts=True)
    stations = packed % count
    wide = np.isin(plant.kind[faults.element[fault]], _ROUTER_TYPES) & (faults.cell[fault] < 0)
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
