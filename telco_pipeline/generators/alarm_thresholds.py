"""Alarms that measures raise by threshold, with hysteresis.

Belongs here: when the load of cells, the heat of cabinets and the memory of elements raise and
clear alarms. Does not belong here: the thresholds (`alarm_kinds`), the measures (`state`,
`metrics`).
"""

from dataclasses import dataclass, replace
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
    MEMORY_USE,
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
from telco_pipeline.generators.metrics import memory_by_hour
from telco_pipeline.state import weather

RESET_HOURS: Final = (2, 5)
"""UTC hours, first and last, in which the supervision of an element's thresholds starts anew each
day, in an hour and at a minute of its own: alarms still open are closed."""
# Hours of measures that can speak on a day: from the first reset of the day before to the last but
# one of the day, as that of the last is known on the next day.
_BEFORE: Final = 24 - RESET_HOURS[0]
_HOURS: Final = _BEFORE + 23
_RESET_DELAY: Final = (300, 3200)  # seconds after the hour: behind the reports on the last one
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
    below a lower one (hysteresis), or in one of `RESET_HOURS` (UTC), when supervision starts anew:
    so it depends on the hours since then alone, which lie on the day or the day before.

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
            before = day.before.network.measures[measure][cell, RESET_HOURS[0] :]
            values[:, :_BEFORE] = _percent(threshold, before)
        today = day.network.measures[measure][cell, : _HOURS - _BEFORE]
        values[:, _BEFORE:] = _percent(threshold, today)
        station = plant.station[cell].astype(np.int64)
        found.append(_crossings(day, threshold, values, len(plant.kind) + cell, station, cell))
    return Alarms.joined([*found, of_cabinets(day, part), of_memory(day, part)])


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
            weather.temperature(config, day.before.clock)[RESET_HOURS[0] :],
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


def of_memory(day: Day, part: Part) -> Alarms:
    """Return the alarms of elements whose memory runs short, by leaks or strain.

    Supervision looks at the memory in use at the end of each hour (`metrics.memory_by_hour`);
    otherwise as `of_thresholds`.
    """
    rows = np.arange(part.start, part.stop)
    every = [(slice(_BEFORE, _HOURS), day)]
    if day.date > day.inputs.config.epoch:
        every.append((slice(0, _BEFORE), day.before))
    values = np.full((part.size, _HOURS), -np.inf)
    for hours, one in every:
        element, used = memory_by_hour(one, rows, MEMORY_USE.rearm)
        seen = used[:, : _HOURS - _BEFORE] if one is day else used[:, RESET_HOURS[0] :]
        values[element - part.start, hours] = seen
    short = np.flatnonzero((values >= MEMORY_USE.raised).any(axis=1))
    element, none = rows[short], np.full(len(short), NONE)
    found = _crossings(day, MEMORY_USE, values[short], element, element, none)
    # They are repeated every few minutes, as those of a busy hour are (`alarm_nuisances`).
    return replace(found, repeats=np.zeros_like(found.repeats))


def _crossings(
    day: Day, threshold: Threshold, values: Floats, entity: Rows, element: Rows, cell: Rows
) -> Alarms:
    """Return the alarms of some units by their values hour by hour.

    Args:
        day: The day.
        threshold: When an alarm is raised, risen and cleared.
        values: Values from the first of `RESET_HOURS` of the day before on, shape (units,
            `_HOURS`).
        entity: What each unit is in the numbers of alarms.
        element: Row of the element of each.
        cell: Row of the cell of each, -1 for none.
    """
    reset_key = draws.keys(draws.stream(day.inputs.config.seed, "alarm/reset"), element)
    first, last = RESET_HOURS
    reset = first + draws.below(draws.bits(reset_key, "hour"), last - first + 1)
    # What was before the reset of the day before has been closed then.
    values = np.where(np.arange(_HOURS) < (reset - first)[:, None], -np.inf, values)
    last_hour = _BEFORE + reset - 1
    found = _hysteresis(threshold, values, last_hour)
    unit = found.unit
    keys = draws.events(alarm_keys(day, entity)[unit], np.full(len(unit), threshold.kind))

    def when(hour: Rows) -> Rows:
        # Counted from the start of all days, so that the next day says the same of it.
        since = day.number * 24 + hour - _BEFORE
        lag = delay(draws.events(keys, np.maximum(since, 0)), "report", _REPORT_DELAY)
        time = day.start + (hour + 1 - _BEFORE) * HOUR + lag
        return np.where(hour < 0, NEVER, time)

    cleared = when(found.cleared)
    closed = found.cleared == last_hour[unit]
    closed &= values[unit, last_hour[unit]] >= threshold.rearm
    moment = delay(draws.events(reset_key, np.full(len(element), day.number)), "at", _RESET_DELAY)
    at_reset = day.start + reset * HOUR + moment
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
        cleared=np.where(closed, at_reset[unit], cleared),
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


def _hysteresis(threshold: Threshold, values: Floats, last_hour: Rows) -> _Crossings:
    """Return when values raise, rise and clear alarms.

    Args:
        threshold: When they do.
        values: Values of each unit by hour.
        last_hour: Hour of each unit at whose end all is closed; in it nothing is raised.
    """
    units, hours = values.shape
    current = np.full(units, -1)
    unit, raised = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    cleared: list[tuple[Rows, int]] = []
    count = 0
    for hour in range(hours):
        last = hour == last_hour
        value = values[:, hour]
        idle = current < 0
        begun = np.flatnonzero(idle & ~last & (value >= threshold.raised))
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
