"""Alarms that faults and works raise, and how they hang together.

Belongs here: which alarms a fault raises where, and which of them is the root of the others. Does
not belong here: what breaks (`state.hazards`), what alarms say (`alarm_kinds`).
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import FaultKind
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND, day_number
from telco_pipeline.generators.alarm_kinds import CRITICAL, MAJOR, OF_FAULT, WARNING, Kind
from telco_pipeline.generators.alarm_life import (
    CAUSES,
    CHANGES,
    NEVER,
    OF_FAULTS,
    Alarms,
    alarm_keys,
    delay,
    made,
    numbers,
    one_change,
    severities,
)
from telco_pipeline.generators.base import Day, Rows
from telco_pipeline.state.faults import Faults, cells_under
from telco_pipeline.state.hanging import Hanging, members
from telco_pipeline.state.hazards import ALL_HAZARDS, OUT_OF_MEMORY, hazard_of, strand_of

_MILLENNIUM: Final = -day_number(dt.date(1970, 1, 1))
_ROW_BITS: Final = 32
# How long after what it is about an alarm comes, in seconds: from, and how many more. The root
# comes first. All are below the shortest fault, so that nothing is cleared before it is raised.
_ROOT_DELAY: Final = (2, 9)
_FOLLOWER_DELAY: Final = (12, 38)
_CLEAR_DELAY: Final = (4, 50)
# A low battery is told a quarter of an hour before it is empty.
_BATTERY_WARNING: Final = 15 * MINUTE
# What nobody has repaired within eight hours becomes more urgent.
_ESCALATION: Final = 8 * HOUR
# What the alarm at the root of a fault is, by the name of its hazard.
_ROOTS: Final = {
    "station": Kind.STATION_HARDWARE,
    "carrier": Kind.CARRIER_HARDWARE,
    "watchdog": Kind.RESTART,
    "bad release": Kind.RESTART,
    "controller": Kind.RESTART,
    "mains": Kind.MAINS,
    "backhaul": Kind.LINK_DOWN,
    "aggregation": Kind.NODE_DOWN,
    "core restart": Kind.CORE_RESTART,
    "core overload": Kind.CORE_OVERLOAD,
    "release": Kind.WORK,
    "work at a station": Kind.WORK,
    "work at a site": Kind.WORK,
    "work at an aggregation": Kind.WORK,
    "work in the core": Kind.WORK,
}
_ROOT_OF_HAZARD: Final = np.zeros(1 + max(one.number for one in ALL_HAZARDS), dtype=np.int64)
for _hazard in ALL_HAZARDS:
    _ROOT_OF_HAZARD[_hazard.number] = _ROOTS[_hazard.name]
# One carrier or one restart is less urgent than the loss of a station.
_LESS_URGENT: Final = (Kind.CARRIER_HARDWARE, Kind.RESTART, Kind.MEMORY, Kind.CORE_OVERLOAD)


def faults_around(day: Day) -> Faults:
    """Return the faults that touch a day or the day before: all whose alarms may speak on it."""
    today, before = day.faults, day.before.faults
    fresh = today.select(~np.isin(today.number, before.number))
    names = Faults.__dataclass_fields__
    return Faults(
        **{name: np.concatenate([getattr(before, name), getattr(fresh, name)]) for name in names}
    )


def of_faults(day: Day) -> Alarms:
    """Return the alarms of all faults and works around a day, wherever in the network."""
    faults, hanging = faults_around(day), Hanging.of(day.inputs.plant)
    scene = _Scene(day, faults, hanging)
    roots = scene.roots()
    row, cell = cells_under(hanging, faults)
    suffers = (faults.capacity[row] == 0.0) & (faults.impact[row] < faults.end[row])
    row, cell = row[suffers], cell[suffers]
    followers = [
        scene.mains(roots),
        scene.batteries(roots),
        scene.dark_links(roots),
        scene.associations(roots, row, cell),
        scene.cells_out(roots, row, cell),
    ]
    found = Alarms.joined([roots, *followers])
    return replace(found, is_root=np.isin(found.number, found.root))


@dataclass(frozen=True)
class _Scene:
    """The faults around a day, from which alarms come."""

    day: Day
    faults: Faults
    hanging: Hanging

    def roots(self) -> Alarms:
        """Return one alarm for each fault, at its root: what the others point to."""
        faults, plant = self.faults, self.day.inputs.plant
        hazard, out = hazard_of(faults.number), faults.capacity == 0.0
        kind = _ROOT_OF_HAZARD[hazard]
        kind = np.where(faults.cause == OUT_OF_MEMORY, Kind.MEMORY, kind)
        kind = np.where((kind == Kind.LINK_DOWN) & ~out, Kind.LINK_DEGRADED, kind)
        power, work = kind == Kind.MAINS, kind == Kind.WORK
        restart = kind == Kind.CORE_RESTART
        severity = np.where(out | restart, CRITICAL, MAJOR) + np.isin(kind, _LESS_URGENT)
        severity = np.where(power, MAJOR, np.where(work, WARNING, severity))
        one = faults.cell >= 0
        # A router whose only line is cut cannot tell: the aggregation router behind it does.
        site = plant.element_site[faults.element]
        behind = plant.aggregation[np.maximum(site, 0)].astype(np.int64)
        entity = np.where(one, len(plant.kind) + faults.cell, faults.element)
        return self._made(
            np.arange(len(faults)),
            entity,
            kind,
            faults.start,
            _ROOT_DELAY,
            element=np.where(kind == Kind.LINK_DOWN, behind, faults.element),
            about=faults.element,
            cell=faults.cell,
            severity=severities(severity, np.where(power, CRITICAL, severity - 1)),
            changed=one_change(self._escalations(kind, severity)),
        )

    def _escalations(self, kind: Rows, severity: Rows) -> Rows:
        """Return when the alarms at the roots become more urgent."""
        faults = self.faults
        lasting = np.isin(kind, (Kind.STATION_HARDWARE, Kind.CARRIER_HARDWARE))
        lasting &= (severity > CRITICAL) & (faults.end - faults.start > _ESCALATION)
        empty = (kind == Kind.MAINS) & (faults.impact < faults.end)
        when = np.where(lasting, faults.start + _ESCALATION, NEVER)
        return np.where(empty, faults.impact + SECOND, when)

    def mains(self, roots: Alarms) -> Alarms:
        """Return the power alarms of the other sites of a feeder."""
        row, router = self._routers()
        others = router != self.faults.element[row]
        row, router = row[others], router[others]
        empty = self.faults.impact[row] < self.faults.end[row]
        changed = np.where(empty, self.faults.impact[row] + SECOND, NEVER)
        return self._made(
            row,
            router,
            np.full(len(row), Kind.MAINS),
            self.faults.start[row],
            _FOLLOWER_DELAY,
            element=router,
            severity=severities(np.full(len(row), MAJOR), np.full(len(row), CRITICAL)),
            changed=one_change(changed),
            root=roots.number[row],
        )

    def batteries(self, roots: Alarms) -> Alarms:
        """Return the alarms of batteries that run empty, shortly before they do."""
        row, router = self._empty_routers()
        return self._made(
            row,
            router,
            np.full(len(row), Kind.BATTERY),
            self.faults.impact[row] - _BATTERY_WARNING,
            _FOLLOWER_DELAY,
            element=router,
            severity=severities(np.full(len(row), MAJOR), np.full(len(row), CRITICAL)),
            changed=one_change(self.faults.impact[row] + SECOND),
            root=roots.number[row],
        )

    def dark_links(self, roots: Alarms) -> Alarms:
        """Return the alarms of aggregation routers about the lines of sites without power."""
        plant = self.day.inputs.plant
        row, router = self._empty_routers()
        site = plant.element_site[router]
        return self._made(
            row,
            router,
            np.full(len(row), Kind.LINK_DOWN),
            self.faults.impact[row],
            _FOLLOWER_DELAY,
            element=plant.aggregation[site].astype(np.int64),
            about=router,
            severity=severities(np.full(len(row), CRITICAL), np.full(len(row), CRITICAL)),
            root=roots.number[row],
        )

    def associations(self, roots: Alarms, row: Rows, cell: Rows) -> Alarms:
        """Return the alarms about stations that the core no longer hears.

        Args:
            roots: The alarms at the roots.
            row: Fault of each pair of a fault and a cell out of service.
            cell: Cell of the pair.
        """
        plant = self.day.inputs.plant
        far = np.isin(roots.kind[row], (Kind.MAINS, Kind.LINK_DOWN, Kind.NODE_DOWN))
        pairs = np.unique((row[far] << _ROW_BITS) | plant.station[cell[far]])
        row, station = pairs >> _ROW_BITS, pairs & ((1 << _ROW_BITS) - 1)
        return self._made(
            row,
            station,
            np.full(len(row), Kind.ASSOCIATION),
            self.faults.impact[row],
            _FOLLOWER_DELAY,
            element=station,
            severity=severities(np.full(len(row), MAJOR), np.full(len(row), MAJOR)),
            root=roots.number[row],
        )

    def cells_out(self, roots: Alarms, row: Rows, cell: Rows) -> Alarms:
        """Return the alarms about cells out of service (arguments: `associations`)."""
        plant = self.day.inputs.plant
        severity = np.where(roots.kind[row] == Kind.WORK, WARNING, MAJOR)
        return self._made(
            row,
            len(plant.kind) + cell,
            np.full(len(row), Kind.CELL_OUT),
            self.faults.impact[row],
            _FOLLOWER_DELAY,
            element=plant.station[cell].astype(np.int64),
            cell=cell,
            severity=severities(severity, severity),
            root=roots.number[row],
        )

    def _routers(self) -> tuple[Rows, Rows]:
        """Return the routers of all sites whose mains fail: fault and row of the element."""
        plant, faults = self.day.inputs.plant, self.faults
        power = np.flatnonzero(faults.is_kind(FaultKind.POWER))
        feeder = self.hanging.feeder[plant.element_site[faults.element[power]]]
        position, site = members(self.hanging.feeder, feeder)
        return power[position], plant.router[site].astype(np.int64)

    def _empty_routers(self) -> tuple[Rows, Rows]:
        """Return the same of the cuts that outlast the batteries."""
        row, router = self._routers()
        empty = self.faults.impact[row] < self.faults.end[row]
        return row[empty], router[empty]

    def _made(
        self,
        row: Rows,
        entity: Rows,
        kind: Rows,
        since: Rows,
        after: tuple[int, int],
        **columns: npt.NDArray,
    ) -> Alarms:
        """Return alarms of some faults, about some entities, raised a delay after a time."""
        faults = self.faults
        strand = strand_of(faults.number[row])
        day = faults.start[row] // DAY - _MILLENNIUM
        number = numbers(OF_FAULTS, day, entity, strand, kind)
        key = alarm_keys(self.day, number)
        raised = since + delay(key, "raise", after)
        cleared = faults.end[row] + delay(key, "clear", _CLEAR_DELAY)
        changed = columns.get("changed", np.full((len(row), CHANGES), NEVER))
        last = np.where(changed[:, 0] < NEVER, changed[:, 0], raised)
        return made(
            number,
            kind,
            cause=np.where(CAUSES[kind] == OF_FAULT, faults.cause[row], CAUSES[kind]),
            raised=raised,
            cleared=np.maximum(cleared, np.maximum(raised, last) + SECOND),
            announced=faults.is_kind(FaultKind.PLANNED_WORK)[row],
            **columns,
        )
