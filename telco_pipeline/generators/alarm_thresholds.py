"""Alarms that measures raise by threshold, with hysteresis.

Belongs here: when the load of cells and the heat of cabinets raise and clear alarms. Does not
belong here: the thresholds (`alarm_kinds`), the measures (`state`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.alarm_kinds import (
    CONGESTION,
    DROP_RATE,
    SETUP_SUCCESS,
    TEMPERATURE,
    Threshold,
)
from telco_pipeline.generators.alarm_life import (
    CAUSES,
    CHANGES,
    NEVER,
    NONE,
    OF_THRESHOLDS,
    Alarms,
    Floats,
    alarm_keys,
    delay,
    made,
    numbers,
    one_change,
    severities,
)
from telco_pipeline.generators.base import Day, Rows
from telco_pipeline.state import weather

RESET_HOUR: Final = 3
"""UTC hour at which the supervision of thresholds starts anew: alarms still open are closed."""
# Hours of measures that can speak on a day: from the reset of the day before to the last but one
# of the day, as that of the last is known on the next day.
_BEFORE: Final = 24 - RESET_HOUR
_HOURS: Final = _BEFORE + 23
_RESET: Final = 24
_REPORT_DELAY: Final = (60, 240)  # seconds after the end of a period of measurement
_MEASURES: Final = (
    (CONGESTION, "prb_use"),
    (SETUP_SUCCESS, "block_probability"),
    (DROP_RATE, "drop_probability"),
)
# How much warmer than outdoors cabinets are: from, and how much more in the worst place.
_CABINET: Final = (6.0, 18.0)


def of_thresholds(day: Day, part: Part) -> Alarms:
    """Return the alarms that measures of cells and cabinets raise by threshold, around a day.

    A measure of an hour is known when the hour is over. An alarm is raised at a value, and cleared
    below a lower one (hysteresis), or at `RESET_HOUR` (UTC), when supervision starts anew: so it
    depends on the hours since then alone, which lie on the day or the day before.

    Args:
        day: The day.
        part: The elements whose alarms are wanted.
    """
    plant, epoch = day.inputs.plant, day.inputs.config.epoch
    cell = np.flatnonzero((plant.station >= part.start) & (plant.station < part.stop))
    found = []
    for threshold, measure in _MEASURES:
        values = np.full((len(cell), _HOURS), -np.inf)
        if day.date > epoch:
            before = day.before.network.measures[measure][cell, RESET_HOUR:]
            values[:, :_BEFORE] = _percent(threshold, before)
        today = day.network.measures[measure][cell, : _HOURS - _BEFORE]
        values[:, _BEFORE:] = _percent(threshold, today)
        station = plant.station[cell].astype(np.int64)
        found.append(_crossings(day, threshold, values, len(plant.kind) + cell, station, cell))
    found.append(of_cabinets(day, part))
    return Alarms.joined(found)


def _percent(threshold: Threshold, measure: npt.NDArray) -> Floats:
    """Return a measure of the network in the unit of its threshold."""
    if threshold is CONGESTION:
        return np.round(measure.astype(np.float64), 1)
    return np.round(measure.astype(np.float64) * 100.0, 2)


def of_cabinets(day: Day, part: Part) -> Alarms:
    """Return the alarms about cabinets that the weather makes too warm (as `of_thresholds`)."""
    config, plant = day.inputs.config, day.inputs.plant
    router = plant.elements_of(ElementType.SITE_ROUTER)
    router = router[(router >= part.start) & (router < part.stop)]
    key = draws.keys(draws.stream(config.seed, "alarm/cabinet"), router)
    draw = draws.uniform(key)
    # Most cabinets are shaded or cooled; a few stand in the sun.
    above = _CABINET[0] + _CABINET[1] * draw * draw
    outdoors = np.concatenate(
        [
            weather.temperature(config, day.before.clock)[RESET_HOUR:],
            weather.temperature(config, day.clock)[: _HOURS - _BEFORE],
        ]
    )
    values = np.round(outdoors[None, :] + above[:, None], 1)
    if day.date == config.epoch:
        values[:, :_BEFORE] = -np.inf
    if config.network.fault_rate == 0:
        values[:] = -np.inf
    none = np.full(len(router), NONE)
    return _crossings(day, TEMPERATURE, values, router, router, none)


def _crossings(
    day: Day, threshold: Threshold, values: Floats, entity: Rows, element: Rows, cell: Rows
) -> Alarms:
    """Return the alarms of some units by their values hour by hour.

    Args:
        day: The day.
        threshold: When an alarm is raised, risen and cleared.
        values: Values from `RESET_HOUR` of the day before on, shape (units, `_HOURS`).
        entity: What each unit is in the numbers of alarms.
        element: Row of the element of each.
        cell: Row of the cell of each, -1 for none.
    """
    found = _hysteresis(threshold, values)
    unit = found.unit
    keys = draws.events(alarm_keys(day, entity)[unit], np.full(len(unit), threshold.kind))

    def when(hour: Rows) -> Rows:
        # Counted from the start of all days, so that the next day says the same of it.
        since = day.number * 24 + hour - _BEFORE
        lag = delay(draws.events(keys, np.maximum(since, 0)), "report", _REPORT_DELAY)
        time = day.start + (hour + 1 - _BEFORE) * HOUR + lag
        return np.where(hour < 0, NEVER, time)

    rows = np.arange(len(unit))
    value, repeats = np.full((len(unit), 2 + CHANGES), np.nan), np.ones((len(unit), 2 + CHANGES))
    for place, hour in ((0, found.raised), (1, found.risen), (1 + CHANGES, found.cleared)):
        known = hour >= 0
        value[known, place] = values[unit[known], hour[known]]
        repeats[known, place] = found.reports[rows[known], hour[known]]
    usual, severe = threshold.severities
    first = np.where(values[unit, found.raised] >= threshold.severe, severe, usual)
    begun = day.number + (found.raised - _BEFORE) // 24
    hour = (found.raised - _BEFORE) % 24
    kind = np.full(len(unit), threshold.kind)
    return made(
        numbers(OF_THRESHOLDS, begun, entity[unit], hour, kind),
        kind,
        element=element[unit],
        cell=cell[unit],
        cause=CAUSES[kind],
        raised=when(found.raised),
        severity=severities(first, np.full(len(unit), severe)),
        changed=one_change(when(found.risen)),
        cleared=when(found.cleared),
        value=value,
        repeats=repeats.astype(np.int64),
    )


@dataclass(frozen=True)
class _Crossings:
    """Alarms by threshold: hours of their life, -1 for what has not happened by the last one.

    Attributes:
        unit: Row of the values.
        raised, risen, cleared: Hours.
        reports: Hours at or above the threshold since the alarm was raised, up to each hour;
            shape (alarms, hours).
    """

    unit: Rows
    raised: Rows
    risen: Rows
    cleared: Rows
    reports: Rows


def _hysteresis(threshold: Threshold, values: Floats) -> _Crossings:
    """Return when values raise, rise and clear alarms."""
    units, hours = values.shape
    current = np.full(units, -1)
    unit, raised = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    cleared: list[tuple[Rows, int]] = []
    count = 0
    for hour in range(hours):
        last = hour == _RESET - 1
        value = values[:, hour]
        idle = current < 0
        if not last:
            begun = np.flatnonzero(idle & (value >= threshold.raised))
            current[begun] = count + np.arange(len(begun))
            count += len(begun)
            unit.append(begun)
            raised.append(np.full(len(begun), hour))
        over = np.flatnonzero(~idle & ((value < threshold.rearm) | last))
        cleared.append((current[over], hour))
        current[over] = -1
    who, since = np.concatenate(unit), np.concatenate(raised)
    end = np.full(count, -1)
    for alarm, hour in cleared:
        end[alarm] = hour
    # Within an alarm's life: hours at the threshold, and the first at which it is severe.
    hour = np.arange(hours)
    alive = (hour >= since[:, None]) & ((end[:, None] < 0) | (hour < end[:, None]))
    its = values[who]
    severe = alive & (its >= threshold.severe)
    risen = np.where(severe.any(axis=1), severe.argmax(axis=1), -1)
    reports = np.cumsum(alive & (its >= threshold.raised), axis=1)
    return _Crossings(who, since, np.where(risen == since, -1, risen), end, reports)
