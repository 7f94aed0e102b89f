"""Hazards: what breaks on a day, when, and for how long; and what is worked on.

Belongs here: rates, repair times and causes of faults, and drawing those that begin on a day. Does
not belong here: all that are open on a day, and whom they hit (`faults`, `hanging`).

Every kind of fault is a Poisson process for each of its units (an element, a cell, a feeder): the
chance that one begins on a day is one hash of (kind, unit, day) against the rate, so that no day
asks for another. Hardware ages by minimal repair: a repair leaves the unit as old as it is, so the
rate is a function of age alone (a non-homogeneous Poisson process). At most one fault of a kind
begins at a unit in a day.

Where a scenario layer says that things break F(t) times as often (`factors`), what would break
anyway does so still, at its time; where it does not, `_MORE_TRIES` further draws, each with a time
t of its own, have the chance of the day times F(t) - 1 in all. So what is added lies where F is
above 1. Where F(t) is below 1, a fault is kept with that chance. Releases come by plan, and no
factor moves them.

Rates are a month's; their sum is chosen for a cell availability of 99.8 to 99.9 %, and
docs/network.md does the arithmetic.
"""

# A table of one row a line reads better wide.
# ruff: noqa: E501

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import ElementType, FaultKind
from telco_pipeline.contracts.state import LONGEST_FAULT_DAYS
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    DayClock,
    day_number,
    day_start,
)
from telco_pipeline.engine.identifiers import MAX_INDEX, pack
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.state import weather
from telco_pipeline.state.factors import Factors, UnitFactors
from telco_pipeline.state.hanging import CORE_TYPES, Hanging
from telco_pipeline.state.plant import Plant, Rows

Floats = npt.NDArray[np.float64]
Columns = dict[str, npt.NDArray]

FAULT_KINDS: Final = tuple(FaultKind)
_NONE: Final = -1
_MONTH: Final = 30.0

# Numbers of probable causes (RFC 3877, IANA-ITU-ALARM-TC-MIB).
LOSS_OF_SIGNAL: Final = 8
DEGRADED_SIGNAL: Final = 3
ANTENNA_FAILURE: Final = 71
POWER_SUPPLY_FAILURE: Final = 78
TRANSCEIVER_FAILURE: Final = 80
COMMERCIAL_POWER_FAILURE: Final = 106
OUT_OF_MEMORY: Final = 162
SOFTWARE_ERROR: Final = 163
CONGESTION: Final = 202
SYSTEM_RESOURCES_OVERLOAD: Final = 207
EQUIPMENT_MALFUNCTION: Final = 514
OUT_OF_SERVICE: Final = 612

# Units of a kind of fault: cells, or elements of some types.
_CELLS: Final = "cells"
_FEEDERS: Final = "feeders"
_STATIONS: Final = (ElementType.BTS, ElementType.ENB, ElementType.GNB)
_AGGREGATION: Final = "aggregation"


@dataclass(frozen=True)
class Hazard:
    """One kind of fault or work.

    Attributes:
        number: Number in the fault's number; never reuse one.
        name: Aspect of its draws.
        kind: Kind of fault.
        units: What it happens to: cells, feeders, aggregation routers, or elements of some types.
        rate: Faults of a unit in 30 days.
        minutes: Median of the time to repair (log-normal).
        sigma: Standard deviation of its logarithm.
        longest: Longest repair in minutes, `_CAP` at most.
        outage: Share that puts all out of service; the others leave a part.
        left: Range of the part of the capacity that is left otherwise.
        failure: Range of the additional probability of failures, where anything is left.
        causes: Probable causes and their weights.
        wear: Whether it grows with age, vendor and weather, as that of hardware does.
        staffed: Whether somebody has to come: longer at night and on free days.
        storm: How many times as frequent it is on a day of storm.
        hours: When within the day: "even", "busy" or "night" (announced works).
    """

    number: int
    name: str
    kind: FaultKind
    units: str | tuple[ElementType, ...]
    rate: float
    minutes: float
    sigma: float
    longest: int
    outage: float
    left: tuple[float, float]
    failure: tuple[float, float]
    causes: dict[int, float]
    wear: bool = False
    staffed: bool = False
    storm: float = 1.0
    hours: str = "even"


_CAP: Final = LONGEST_FAULT_DAYS * 24 * 60
_ALL: Final = (1.0, 1.0)
_NOTHING: Final = (0.0, 0.0)

# fmt: off
HAZARDS: Final = (
    Hazard(1, "station", FaultKind.HARDWARE, _STATIONS, 0.035, 240, 0.8, _CAP, 0.60, (0.3, 0.8), (0.01, 0.06), {EQUIPMENT_MALFUNCTION: 6, POWER_SUPPLY_FAILURE: 4}, wear=True, staffed=True),
    Hazard(2, "carrier", FaultKind.HARDWARE, _CELLS, 0.035, 360, 0.9, _CAP, 0.50, (0.3, 0.8), (0.02, 0.10), {TRANSCEIVER_FAILURE: 6, ANTENNA_FAILURE: 4}, wear=True, staffed=True, storm=2.0),
    Hazard(3, "watchdog", FaultKind.SOFTWARE, _STATIONS, 0.40, 5, 0.4, 20, 1.0, _ALL, _NOTHING, {SOFTWARE_ERROR: 7, OUT_OF_MEMORY: 3}),
    Hazard(6, "mains", FaultKind.POWER, _FEEDERS, 0.12, 50, 1.1, 1440, 1.0, _ALL, _NOTHING, {COMMERCIAL_POWER_FAILURE: 1}, storm=8.0),
    Hazard(7, "backhaul", FaultKind.BACKHAUL, (ElementType.SITE_ROUTER,), 0.055, 120, 1.0, 2880, 0.65, (0.3, 0.7), (0.005, 0.03), {LOSS_OF_SIGNAL: 1}, staffed=True, storm=3.0),
    Hazard(8, "aggregation", FaultKind.BACKHAUL, _AGGREGATION, 0.015, 35, 0.8, 480, 0.35, (0.4, 0.6), (0.005, 0.02), {EQUIPMENT_MALFUNCTION: 1, LOSS_OF_SIGNAL: 1}),
    Hazard(9, "controller", FaultKind.SOFTWARE, (ElementType.BSC,), 0.05, 6, 0.4, 30, 1.0, _ALL, _NOTHING, {SOFTWARE_ERROR: 1}),
    Hazard(10, "core restart", FaultKind.CORE, CORE_TYPES, 0.05, 6, 0.5, 45, 0.0, _ALL, (0.15, 0.5), {SOFTWARE_ERROR: 6, OUT_OF_MEMORY: 4}),
    Hazard(11, "core overload", FaultKind.CORE, CORE_TYPES, 0.08, 35, 0.7, 240, 0.0, _ALL, (0.02, 0.12), {SYSTEM_RESOURCES_OVERLOAD: 7, CONGESTION: 3}, hours="busy"),
    Hazard(12, "work at a station", FaultKind.PLANNED_WORK, _STATIONS, 0.08, 45, 0.4, 120, 1.0, _ALL, _NOTHING, {OUT_OF_SERVICE: 1}, hours="night"),
    Hazard(13, "work at a site", FaultKind.PLANNED_WORK, (ElementType.SITE_ROUTER,), 0.015, 25, 0.4, 90, 1.0, _ALL, _NOTHING, {OUT_OF_SERVICE: 1}, hours="night"),
    Hazard(14, "work at an aggregation", FaultKind.PLANNED_WORK, _AGGREGATION, 0.01, 30, 0.4, 90, 0.0, (0.5, 0.5), (0.0, 0.005), {OUT_OF_SERVICE: 1}, hours="night"),
    Hazard(15, "work in the core", FaultKind.PLANNED_WORK, CORE_TYPES, 0.15, 60, 0.4, 150, 0.0, _ALL, (0.003, 0.015), {OUT_OF_SERVICE: 1}, hours="night"),
)
_RELEASE = Hazard(4, "release", FaultKind.PLANNED_WORK, _STATIONS, 0.0, 12, 0.3, 25, 1.0, _ALL, _NOTHING, {OUT_OF_SERVICE: 1}, hours="night")
_BAD_RELEASE = Hazard(5, "bad release", FaultKind.SOFTWARE, _STATIONS, 0.0, 100, 0.5, 360, 0.7, (0.4, 0.8), (0.02, 0.10), {SOFTWARE_ERROR: 1}, staffed=True)
# fmt: on

ALL_HAZARDS: Final = (*HAZARDS, _RELEASE, _BAD_RELEASE)
"""Every kind of fault and work, those that come with a release too."""

LONGEST: Final = LONGEST_FAULT_DAYS
"""Days before a day on which a fault that touches it can have begun; those that scenario layers
bring (`story_faults`) may last longer."""
_DEGRADED_FACTOR: Final = 2.0  # what still works waits longer for its repair, within its limit
_SHORTEST: Final = MINUTE
# Nobody is near at night and on free days.
_AWAY_FACTOR: Final = 1.5
_WORKDAY: Final = (7, 18)
# Core elements break down under load: weights by local hour.
_BUSY: Final = (
    2, 1, 1, 1, 1, 1, 2, 5, 8, 9, 9, 9, 9, 9, 9, 10, 11, 12, 12, 11, 11, 10, 7, 4,
)  # fmt: skip
# Announced works are done between midnight and five, local.
_NIGHT_FIRST: Final = 10 * MINUTE
_NIGHT_LAST: Final = 210 * MINUTE
_NIGHT_END: Final = 5 * HOUR
# Releases come every thirteen weeks, each vendor's on days of its own; tracking areas have their
# turn in one of 28 nights, all stations of a vendor there in one night from two o'clock.
_RELEASE_DAYS: Final = 91
_ROLL_OUT_NIGHTS: Final = 28
_ROLL_OUT_FIRST: Final = 2 * HOUR
_ROLL_OUT_LAST: Final = 4 * HOUR + 15 * MINUTE
_BAD_RELEASES: Final = 0.03
_NOTICED_AFTER: Final = 2 * MINUTE
# Batteries of a site last two to four hours (practice).
_BATTERY: Final = (2 * HOUR, 4 * HOUR)
# Wear-out by Weibull with shape 2.5 and a part that does not depend on age; 1 at 2,000 days, which
# is what radio hardware is old in the mean.
_AGE_SCALE: Final = 2000.0
_AGE_CONSTANT: Final = 0.3
# Which number a fault has within its element and day: which of those that layers bring (0: none of
# them), kind of hazard, cell of the station.
_NUMBER_SHIFT: Final = 8
_HAZARD_BITS: Final = 5
MOST_ALIKE: Final = 31
"""Faults of one hazard that layers can bring to one element or cell in a day."""
_MORE_TRIES: Final = 24


def hazard_of(number: Rows) -> Rows:
    """Return the number of the hazard behind each fault, or most like it, from its number."""
    return strand_of(number) & ((1 << _HAZARD_BITS) - 1)


def strand_of(number: Rows) -> Rows:
    """Return what tells the faults of one day, element and cell apart, from their numbers.

    Below 1,024; that of a fault that no layer brings is the number of its hazard, below 32.
    """
    return (number & (MAX_INDEX - 1)) >> _NUMBER_SHIFT


def index_of(hazard: Rows | int, place: Rows, brought: Rows | int = 0) -> Rows:
    """Return the number of faults within their element and day.

    Args:
        hazard: Number of the hazard.
        place: Which cell of its station it is about (`places`).
        brought: Which of those that layers bring, from 1 to `MOST_ALIKE`; 0 for none of them.
    """
    strand = (np.asarray(brought) << _HAZARD_BITS) | np.asarray(hazard)
    return (strand << _NUMBER_SHIFT) + place


def batteries(key: draws.Bits) -> Rows:
    """Return how long the batteries of sites without mains last."""
    low, high = _BATTERY
    return low + draws.below(draws.bits(key, "battery"), (high - low) // SECOND) * SECOND


def places(plant: Plant, element: Rows, cell: Rows) -> Rows:
    """Return which cell of its station each cell is, from 1; 0 for none."""
    one = cell >= 0
    first = np.zeros(len(element), dtype=np.int64)
    if one.any():
        order = np.argsort(plant.station, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        begin = np.searchsorted(plant.station[order], element[one], side="left")
        first[one] = place[cell[one]] - begin + 1
    return first


def beginning(
    plant: Plant, hanging: Hanging, date: dt.date, factors: Factors | None = None
) -> list[Columns]:
    """Return the faults and works that begin on a UTC day, a batch for each kind of hazard.

    Args:
        plant: The network.
        hanging: What hangs on what.
        date: The day.
        factors: How much more often things break by scenario layers; None for as usual.

    Returns:
        Columns of `faults.Faults` but `fault_id`, in no order.
    """
    rate = plant.config.network.fault_rate
    if rate == 0 or date < plant.config.epoch:
        return []
    scene = _Scene.of(plant, hanging, date)
    batches = [scene.drawn(hazard, rate, factors) for hazard in HAZARDS]
    batches += scene.roll_out(min(rate, 1.0))
    return [batch for batch in batches if len(batch["number"])]


@dataclass(frozen=True)
class _Scene:
    """A plant on one day."""

    plant: Plant
    hanging: Hanging
    date: dt.date
    clock: DayClock
    degrees: Floats
    stormy: bool

    @classmethod
    def of(cls, plant: Plant, hanging: Hanging, date: dt.date) -> "_Scene":
        config = plant.config
        clock = DayClock(date, config.time_zone, config.country)
        degrees = weather.temperature(config, clock)
        return cls(plant, hanging, date, clock, degrees, weather.is_stormy(config, date))

    def drawn(self, hazard: Hazard, rate: float, factors: Factors | None) -> Columns:
        """Return the faults of one kind that begin on the day."""
        element, cell, entity = self._units(hazard)
        daily = rate * hazard.rate / _MONTH * (hazard.storm if self.stormy else 1.0)
        chance = np.full(len(element), daily)
        if hazard.wear:
            chance *= self._wear(element)
        key = self._keys(hazard, entity)
        unit = np.flatnonzero(draws.chance(draws.bits(key, "happens"), chance))
        start, room = self._starts(hazard, key[unit])
        more = factors and factors.of(hazard.kind, element, cell, feeders=hazard.units == _FEEDERS)
        if more is None:
            return self._columns(hazard, element[unit], cell[unit], key[unit], start, room)
        kept = draws.chance(draws.bits(key[unit], "spared"), more.at(unit, start))
        added, added_key = self._added(hazard, more, key, chance, unit)
        unit = np.append(unit[kept], added)
        key = np.append(key[unit[: len(unit) - len(added)]], added_key)
        start, room = self._starts(hazard, key)
        return self._columns(hazard, element[unit], cell[unit], key, start, room)

    def _added(
        self, hazard: Hazard, more: UnitFactors, key: draws.Bits, chance: Floats, hit: Rows
    ) -> tuple[Rows, draws.Bits]:
        """Return the faults that layers add to those of a hazard: units, keys of their draws.

        Args:
            hazard: The hazard.
            more: What layers do to its units.
            key: Key of each unit on the day.
            chance: Chance of each unit.
            hit: Units at which something breaks anyway.
        """
        found, keys = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
        free = np.setdiff1d(np.flatnonzero(more.most > 1.0), hit)
        for number in range(1, _MORE_TRIES + 1):
            again = draws.events(key[free], np.full(len(free), number))
            drawn = draws.uniform(draws.bits(again, "happens"))
            likely = chance[free] / _MORE_TRIES
            some = np.flatnonzero(drawn < likely * (more.most[free] - 1.0))
            level = more.at(free[some], self._starts(hazard, again[some])[0])
            some = some[drawn[some] < likely[some] * (level - 1.0)]
            found.append(free[some])
            keys.append(again[some])
            free = np.delete(free, some)
        return np.concatenate(found), np.concatenate(keys)

    def roll_out(self, rate: float) -> list[Columns]:
        """Return the restarts of stations that take a release this night, and those that fail."""
        plant, seed, number = self.plant, self.plant.config.seed, day_number(self.date)
        vendors = np.arange(len(plant.vendors))
        phase = draws.below(draws.keys(draws.stream(seed, "release"), vendors), _RELEASE_DAYS)
        release, night = np.divmod(number - phase, _RELEASE_DAYS)
        station, first = np.unique(plant.station, return_index=True)
        vendor, area = plant.vendor[station], self.hanging.area[first]
        turn_key = draws.events(
            draws.keys(draws.stream(seed, "release/area"), area), release[vendor] * 64 + vendor
        )
        due = draws.below(turn_key, _ROLL_OUT_NIGHTS) == night[vendor]
        due &= draws.chance(draws.bits(turn_key, "happens"), rate)
        station = station[due].astype(np.int64)
        key = self._keys(_RELEASE, station)
        span = _ROLL_OUT_LAST - _ROLL_OUT_FIRST
        local = _ROLL_OUT_FIRST + draws.below(draws.bits(key, "time"), span // SECOND) * SECOND
        start, room = self.clock.utc_of_local(local)[0], _NIGHT_END - local
        none = np.full(len(station), _NONE)
        work = self._columns(_RELEASE, station, none, key, start, room)
        bad = np.flatnonzero(draws.chance(draws.bits(key, "bad"), _BAD_RELEASES))
        noticed = np.minimum(start[bad] + _NOTICED_AFTER, DAY - SECOND)
        unlimited = np.full(len(bad), LONGEST * DAY)
        failed = self._columns(
            _BAD_RELEASE, station[bad], none[bad], self._keys(_BAD_RELEASE, station[bad]),
            noticed, unlimited,
        )  # fmt: skip
        return [work, failed]

    def _keys(self, hazard: Hazard, entity: Rows) -> draws.Bits:
        seed = self.plant.config.seed
        return draws.keys(draws.stream(seed, f"fault/{hazard.name}", day_number(self.date)), entity)

    def _units(self, hazard: Hazard) -> tuple[Rows, Rows, Rows]:
        """Return element, cell (-1: all of the element) and number of each unit of a hazard."""
        plant, units = self.plant, hazard.units
        if units == _CELLS:
            cell = np.arange(len(plant.station))
            return plant.station.astype(np.int64), cell, cell
        if units == _FEEDERS:
            element = self.hanging.root
        elif units == _AGGREGATION:
            element = np.unique(plant.aggregation).astype(np.int64)
        else:
            element = plant.elements_of(*(ElementType(kind) for kind in units))
        return element, np.full(len(element), _NONE), element

    def _wear(self, element: Rows) -> Floats:
        """Return how much more often the hardware of elements breaks than usual hardware."""
        plant = self.plant
        age = plant.age_days[element] + (self.date - plant.config.epoch).days
        relative = age / _AGE_SCALE
        aged = _AGE_CONSTANT + (1.0 - _AGE_CONSTANT) * relative * np.sqrt(relative)
        vendors = draws.keys(
            draws.stream(plant.config.seed, "vendor quality"), np.arange(len(plant.vendors))
        )
        vendor = 0.75 + 0.5 * draws.uniform(vendors)
        heat = sum(weather.stress(self.degrees).tolist()) / len(self.degrees)
        return aged * vendor[plant.vendor[element]] * heat

    def _starts(self, hazard: Hazard, key: draws.Bits) -> tuple[Rows, Rows]:
        """Return when faults begin in the day, and how long they can last."""
        time = draws.bits(key, "time")
        if hazard.hours == "night":
            span = _NIGHT_LAST - _NIGHT_FIRST
            local = _NIGHT_FIRST + draws.below(time, span // SECOND) * SECOND
            return self.clock.utc_of_local(local)[0], _NIGHT_END - local
        hour = self._hours(hazard).sample(draws.bits(key, "hour")).astype(np.int64)
        within = draws.below(time, HOUR // SECOND) * SECOND
        return hour * HOUR + within, np.full(len(key), LONGEST * DAY)

    def _hours(self, hazard: Hazard) -> Choice:
        """Return the choice among the UTC hours of the day."""
        if hazard.hours == "busy":
            return Choice.of([float(_BUSY[hour]) for hour in self.clock.local_hour])
        if hazard.wear:
            return Choice.of(weather.stress(self.degrees).tolist())
        return Choice.of([1.0] * len(self.degrees))

    def _columns(
        self, hazard: Hazard, element: Rows, cell: Rows, key: draws.Bits, start: Rows, room: Rows
    ) -> Columns:
        """Return the columns of faults: how bad each is, how long it lasts, why."""
        out = draws.chance(draws.bits(key, "outage"), hazard.outage)
        length = np.minimum(self._repair(hazard, key, start, out), room)
        first = day_start(self.date) + start
        end = first + length
        impact = first
        if hazard.kind is FaultKind.POWER:
            impact = np.minimum(first + batteries(key), end)
        left = _between(hazard.left, draws.bits(key, "left"))
        failure = _between(hazard.failure, draws.bits(key, "failure")) / self.hanging.pool[element]
        causes = np.array(list(hazard.causes), dtype=np.int16)
        which = Choice.of(list(map(float, hazard.causes.values()))).sample(draws.bits(key, "cause"))
        cause = causes[which]
        if hazard.name == "backhaul":
            cause = np.where(out, LOSS_OF_SIGNAL, DEGRADED_SIGNAL).astype(np.int16)
        index = index_of(hazard.number, places(self.plant, element, cell))
        kind = FAULT_KINDS.index(hazard.kind)
        return {
            "number": pack(kind, day_number(self.date), element, index),
            "kind": np.full(len(element), kind, dtype=np.int8),
            "start": first,
            "impact": impact,
            "end": end,
            "element": element,
            "cell": cell,
            "capacity": np.where(out, 0.0, np.round(left, 3)),
            "failure": np.where(out, 0.0, np.round(failure, 4)),
            "cause": cause,
        }

    def _repair(
        self, hazard: Hazard, key: draws.Bits, start: Rows, out: npt.NDArray[np.bool_]
    ) -> Rows:
        """Return how long faults last, in whole seconds."""
        minutes = _table(hazard.minutes, hazard.sigma).sample(draws.bits(key, "length"))
        if hazard.staffed:
            local, _, free = self.clock.local(start)
            hour = local // HOUR
            away = free | (hour < _WORKDAY[0]) | (hour >= _WORKDAY[1])
            minutes = minutes * np.where(away, _AWAY_FACTOR, 1.0)
        lasting = hazard.kind is not FaultKind.PLANNED_WORK and hazard.left != _ALL
        if lasting:
            minutes = minutes * np.where(out, 1.0, _DEGRADED_FACTOR)
        seconds = np.rint(np.minimum(minutes, hazard.longest) * 60.0).astype(np.int64)
        return np.maximum(seconds * SECOND, _SHORTEST)


def _between(limits: tuple[float, float], random_bits: draws.Bits) -> Floats:
    low, high = limits
    return low + (high - low) * draws.uniform(random_bits)


@lru_cache(maxsize=64)
def _table(median: float, sigma: float) -> QuantileTable:
    return QuantileTable.log_normal(median, sigma)
