"""Location updates: what the network learns of a phone without a call or a session (TS 24.301).

Belongs here: attach and detach, tracking-area and periodic updates, and the fields of
`location_updates`. Does not belong here: where anybody is (`behaviour.mobility`).

An idle phone tells the network only when it enters another tracking area, so a way to work inside
one area leaves no record. Abroad, the visited network has the records.
"""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.population import GERAN, MACHINE
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import UpdateType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    Column,
    Columns,
    Day,
    Inputs,
    Rows,
    blocks,
    enum_of,
    merge,
    moment,
    nullable,
    packet_access,
    rat_of,
    served_columns,
    within_day,
)
from telco_pipeline.lake import CodedText, Rowset

_TYPES: Final = [str(kind) for kind in UpdateType]
_ATTACH, _DETACH, _AREA, _CELL, _PERIODIC = range(5)
# Timer of the periodic update (T3412): three hours for phones, twelve for machines (practice).
_TIMER: Final = 3 * HOUR
_MACHINE_TIMER: Final = 12 * HOUR
# The border of the tracking area lies at most this long after the move.
_LONGEST_WAY: Final = 600 * SECOND
# Every call or session restarts the timer, so part of the updates is never due.
_DUE: Final = 0.55
# Rejects (EMM causes of TS 24.301): 0 accepted, 22 congestion, 15 no suitable cells, 17 network
# failure.
_CAUSE = Choice.of([99.5, 0.2, 0.2, 0.1])
_CAUSES: Final = np.array([0, 22, 15, 17], dtype=np.int16)
# Metres of one step of the timing advance: GERAN 550, LTE 78, NR at 30 kHz 39.
_STEP: Final = np.array([78, 550, 78, 78, 78, 78, 39])

# Numbers of the events of one subscriber and day, so that ids never collide.
_FIRST_NUMBER: Final = {
    "periodic": 0,
    "to_work": 100,
    "to_home": 101,
    "attach": 102,
    "detach": 103,
    "leave": 104,
    "return": 105,
}


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the location updates of a day and a part, sorted by event time."""
    if inputs.config.record_weights.location_updates == 0:
        return Rowset.empty(records.LOCATION_UPDATES)
    day = inputs.day(date)
    batches = [
        within_day(batch)
        for entities in blocks(part)
        for batch in (
            _periodic(day, entities),
            *_commute(day, entities),
            *_night(day, entities),
            *_trips(day, entities),
        )
    ]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.LOCATION_UPDATES)
    return Rowset.of(records.LOCATION_UPDATES, _columns(inputs, day, merge(batches)))


def _periodic(day: Day, entities: Rows) -> Columns:
    """Return the periodic updates: each subscriber has a phase of the timer."""
    inputs, population = day.inputs, day.inputs.population
    seed = inputs.config.seed
    machine = population.kind[entities] == MACHINE
    timer = np.where(machine, _MACHINE_TIMER, _TIMER)
    phase_bits = draws.bits(draws.keys(draws.stream(seed, "location/phase"), entities), "phase")
    phase = draws.below(phase_bits, timer // SECOND) * SECOND
    count = DAY // timer
    entity = np.repeat(entities, count)
    index = np.arange(len(entity)) - np.repeat(np.cumsum(count) - count, count)
    time = np.repeat(phase, count) + index * np.repeat(timer, count)
    key = _keys(day, entity, index)
    due = draws.chance(draws.bits(key, "due"), _DUE * inputs.config.record_weights.location_updates)
    time = time + draws.below(draws.bits(key, "jitter"), SECOND)
    home = day.mobility.at(entity, time)
    # An update on the way to work, or the attach behind the border, has just restarted the timer.
    before = day.mobility.at(entity, time - _LONGEST_WAY - 2 * SECOND)
    settled = (before.cell == home.cell) & ~before.abroad
    off = day.mobility.switched_off(entity, time)
    kept = np.flatnonzero(due & settled & ~home.abroad & ~off)
    cell = home.cell[kept]
    return _batch(day, entity[kept], index[kept], time[kept], cell, cell, _PERIODIC)


def _commute(day: Day, entities: Rows) -> list[Columns]:
    """Return the updates on the way to work and home, where the tracking area changes."""
    inputs, population = day.inputs, day.inputs.population
    moves, commutes = day.mobility.moves(entities)
    home = population.home[entities].astype(np.int64)
    work = population.work[entities].astype(np.int64)
    tac = inputs.cells.tac
    batches = []
    for column, name, old, new in ((0, "to_work", home, work), (1, "to_home", work, home)):
        rows = np.flatnonzero(commutes & (work >= 0) & (tac[home] != tac[work]))
        entity = entities[rows]
        time, free = day.clock.utc_of_local(moves[rows, column] * SECOND)
        number = np.full(len(rows), _FIRST_NUMBER[name])
        # The area's border lies on the way: up to ten minutes from the move.
        on_way = draws.below(draws.bits(_keys(day, entity, number), "way"), _LONGEST_WAY)
        # Who is abroad or has the phone off at the move attaches at its end later.
        kept = ~free
        for moment_of in (time, time + SECOND + on_way):
            kept &= ~day.mobility.at(entity, moment_of).abroad
            kept &= ~day.mobility.switched_off(entity, moment_of)
        time = time + SECOND + on_way
        batches.append(
            _batch(
                day, entity[kept], number[kept], time[kept], new[rows][kept], old[rows][kept], _AREA
            )
        )
    return batches


def _night(day: Day, entities: Rows) -> list[Columns]:
    """Return the detach at night and the attach in the morning."""
    off, on, sleeper = day.mobility.nights(entities)
    entity, off, on = entities[sleeper], off[sleeper], on[sleeper]
    batches = []
    for name, local, kind in (("detach", off, _DETACH), ("attach", on, _ATTACH)):
        number = np.full(len(entity), _FIRST_NUMBER[name])
        drift = draws.below(draws.bits(_keys(day, entity, number), "switch"), SECOND)
        # Detach and attach lie outside the time in which the phone may be used.
        time = day.clock.utc_of_local(local * SECOND)[0]
        time = time + drift if kind == _DETACH else time - drift - 1
        where = day.mobility.at(entity, time)
        kept = ~where.abroad
        cell = where.cell[kept]
        batches.append(_batch(day, entity[kept], number[kept], time[kept], cell, cell, kind))
    return batches


def _trips(day: Day, entities: Rows) -> list[Columns]:
    """Return the detach when a phone goes abroad and the attach when it is back."""
    leave, back = day.mobility.trip(entities)
    batches = []
    for name, time, kind in (("leave", leave, _DETACH), ("return", back, _ATTACH)):
        rows = np.flatnonzero((time >= -2 * SECOND) & (time < DAY + 2 * SECOND))
        entity, when = entities[rows], time[rows]
        # A second before the border and a second behind it, the phone is still or again ours.
        number = np.full(len(rows), _FIRST_NUMBER[name])
        drift = draws.below(draws.bits(_keys(day, entity, number), "border"), SECOND)
        when = when - SECOND - drift if kind == _DETACH else when + SECOND + drift
        # A phone that is switched off is detached already, and attaches in the morning.
        on = (when >= 0) & (when < DAY) & ~day.mobility.switched_off(entity, when)
        entity, number, when = entity[on], number[on], when[on]
        cell = day.mobility.at(entity, when).cell
        batches.append(_batch(day, entity, number, when, cell, cell, kind))
    return batches


def _keys(day: Day, entity: Rows, number: Rows) -> np.ndarray:
    stream = draws.stream(day.inputs.config.seed, "location", day.number)
    return draws.events(draws.keys(stream, entity), number)


def _batch(
    day: Day, entity: Rows, number: Rows, time: Rows, cell: Rows, previous: Rows, kind: int
) -> Columns:
    """Return updates of one kind."""
    return {
        "time": time,
        "entity": entity,
        "cell": np.asarray(cell, dtype=np.int64),
        "previous": np.asarray(previous, dtype=np.int64),
        "kind": np.full(len(entity), kind, dtype=np.int8),
        "key": _keys(day, entity, number),
        "record": pack(EVENT_KINDS["location"], day.number, entity, number * RECORDS_PER_EVENT),
    }


def _columns(inputs: Inputs, day: Day, rows: Columns) -> dict[str, Column]:
    cells = inputs.cells
    cell, kind = rows["cell"], rows["kind"]
    rat = packet_access(inputs, rows["entity"], cell, np.zeros(len(cell), dtype=np.bool_))
    rejected = _CAUSES[_CAUSE.sample(draws.bits(rows["key"], "cause"))]
    cause = np.where(kind == _DETACH, np.int16(0), rejected)
    entity = np.where(rat == GERAN, cells.serving["msc"][cell], cells.serving["mme"][cell])
    return {
        **served_columns(inputs, rows["entity"]),
        "event_id": pl.Series(inputs.ids.event.of(rows["record"])),
        "event_time": moment(day, rows["time"]),
        "update_type": enum_of(_TYPES, kind),
        "cell_id": CodedText.of(cells.cell_id, cell),
        "rat_type": rat_of(rat),
        "tac": pl.Series(cells.tac[cell]),
        "previous_tac": nullable(kind == _ATTACH, cells.tac[rows["previous"]]),
        "timing_advance": pl.Series(_timing_advance(inputs, rows, cell, rat)),
        "recording_entity": CodedText.of(cells.element_id, entity),
        "cause": pl.Series(cause),
    }


def _timing_advance(inputs: Inputs, rows: Columns, cell: Rows, rat: np.ndarray) -> np.ndarray:
    """Return the distance to the antenna in steps of the radio access.

    Who stays at a place keeps the distance: it is drawn for the subscriber and the cell. Spread
    evenly over the area of the cell, the larger of two uniforms times the range.
    """
    seed = inputs.config.seed
    stay = draws.events(draws.keys(draws.stream(seed, "location/distance"), rows["entity"]), cell)
    first = draws.uniform(draws.bits(stay, "a"))
    second = draws.uniform(draws.bits(stay, "b"))
    metres = np.maximum(first, second) * inputs.cells.range_m[cell]
    return np.minimum(metres // _STEP[rat], 1282).astype(np.int16)
