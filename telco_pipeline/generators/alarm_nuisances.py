"""Alarms that come and go and hurt nobody.

Belongs here: interfaces that flap, doors, clocks in holdover: most of what an operator sees. Does
not belong here: what breaks (`alarm_faults`).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.generators.alarm_kinds import MINOR, WARNING, Kind
from telco_pipeline.generators.alarm_life import (
    CAUSES,
    OF_ITSELF,
    Alarms,
    made,
    numbers,
    severities,
)
from telco_pipeline.generators.base import Day
from telco_pipeline.state.hanging import CORE_TYPES


@dataclass(frozen=True)
class Nuisance:
    """Alarms that come and go and hurt nobody.

    Attributes:
        kind: Kind of alarm.
        types: Elements that have them.
        rate: Alarms of an element in 30 days.
        minutes: Median length (log-normal).
        severity: Severity.
        by_day: Whether people cause them, in working hours.
    """

    kind: Kind
    types: tuple[ElementType, ...]
    rate: float
    minutes: float
    severity: int
    by_day: bool = False


_STATIONS: Final = (ElementType.BTS, ElementType.ENB, ElementType.GNB)
_NUISANCES: Final = (
    Nuisance(Kind.FLAPPING, (ElementType.SITE_ROUTER, ElementType.ROUTER), 0.5, 3.0, MINOR),
    Nuisance(Kind.DOOR, (ElementType.SITE_ROUTER,), 0.8, 40.0, WARNING, by_day=True),
    Nuisance(Kind.CLOCK, _STATIONS, 0.25, 12.0, MINOR),
    Nuisance(Kind.RECTIFIER, (ElementType.SITE_ROUTER,), 0.04, 300.0, MINOR),
    Nuisance(Kind.MEMORY_HIGH, CORE_TYPES, 0.6, 35.0, WARNING),
    Nuisance(Kind.PEER_RETRY, _STATIONS, 0.3, 1.5, WARNING),
)
_MONTH: Final = 30.0
_WORKING: Final = (7 * HOUR, 17 * HOUR)
_LONGEST_NUISANCE: Final = 20 * 60.0  # minutes: over within the day or the next
_SHORTEST_NUISANCE: Final = 10  # seconds


@lru_cache(maxsize=16)
def _length(median: float) -> QuantileTable:
    return QuantileTable.log_normal(median, 0.9)


def of_itself(day: Day, part: Part) -> Alarms:
    """Return the small alarms around a day that clear by themselves and hurt nobody."""
    rate = day.inputs.config.network.fault_rate
    days = [day.before, day] if day.date > day.inputs.config.epoch else [day]
    return Alarms.joined(
        [_nuisances(one, nuisance, rate, part) for one in days for nuisance in _NUISANCES]
    )


def _nuisances(day: Day, nuisance: Nuisance, rate: float, part: Part) -> Alarms:
    """Return the alarms of one kind that are raised on a day."""
    plant = day.inputs.plant
    element = plant.elements_of(*nuisance.types)
    element = element[(element >= part.start) & (element < part.stop)]
    stream = draws.stream(day.inputs.config.seed, f"nuisance/{nuisance.kind.name}", day.number)
    key = draws.keys(stream, element)
    hit = draws.chance(draws.bits(key, "happens"), rate * nuisance.rate / _MONTH)
    element, key = element[hit], key[hit]
    within = draws.below(draws.bits(key, "moment"), SECOND)
    time = draws.below(draws.bits(key, "time"), DAY // SECOND) * SECOND + within
    if nuisance.by_day:
        first, last = _WORKING
        local = first + draws.below(draws.bits(key, "time"), (last - first) // SECOND) * SECOND
        time = day.clock.utc_of_local(local)[0] + within
    minutes = _length(nuisance.minutes).sample(draws.bits(key, "length"))
    length = np.rint(np.minimum(minutes, _LONGEST_NUISANCE) * 60.0).astype(np.int64)
    length = np.maximum(length, _SHORTEST_NUISANCE) * SECOND
    length += draws.below(draws.bits(key, "length/moment"), SECOND)
    raised = day.start + time
    kind = np.full(len(element), nuisance.kind)
    severity = np.full(len(element), nuisance.severity)
    return made(
        numbers(
            OF_ITSELF, np.full(len(element), day.number), element, np.zeros_like(element), kind
        ),
        kind,
        element=element,
        cause=CAUSES[kind],
        raised=raised,
        cleared=raised + length,
        severity=severities(severity, severity),
    )
