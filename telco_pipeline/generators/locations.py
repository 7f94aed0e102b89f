"""Location updates: what the network learns of a phone without a call or a session (TS 24.301).

Belongs here: attach and detach, tracking-area and periodic updates, and the fields of
`location_updates`. Does not belong here: where anybody is (`behaviour.mobility`), which cell serves
(`serving`).

An idle phone tells the network only when it enters another tracking area, so a way to work inside
one area leaves no record. On GERAN a phone that has just sent or received packets (READY state of
GPRS) also tells of changes of the cell within an area (TS 23.060, 6.9.1.1). A periodic update is
due when the timer T3412 runs out, which each connection starts anew: of who is online all day it is
a thing of the night. The timer runs on over midnight from what was last on the day before; of who
was silent for all of that day it has a phase of its own. Abroad, the visited network has the
records.

The network answers as the state of the cell at that time says: it is full (cause 22) or the core
fails (17). Phones of a cell that goes out of service come up in the cells that take over, within a
minute or two, and go back when it returns; the network hears of that where the area is another one.
Who finds no cell that takes over tries one further away, which refuses (cause 15, no suitable
cells), and attaches when there is service again.

Scenario layers add to this: whom the network refuses (`refusals`) is heard of by his attempts only,
until one is accepted; devices that have gone astray (`signalling`) ask more often, and those at
fault (`malfunctions`) restart.

Limit: only data sessions, updates and attaches start the timer anew. Calls and messages do too in a
network; here they do not, so that a periodic update may come sooner after one than the timer says.
"""

import datetime as dt
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.population import GERAN, MACHINE, RATS
from telco_pipeline.behaviour.rhythm import Window, windows
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import Rat, UpdateType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import (
    BLOCK,
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    WIDE_BLOCK,
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
)
from telco_pipeline.generators.cdrs import data_sessions
from telco_pipeline.generators.cdrs.data_activity import activity
from telco_pipeline.generators.refusals import unattached
from telco_pipeline.generators.serving import (
    NO_CELL,
    Changes,
    Trace,
    changes_of,
    heard_beyond,
    reached_cell,
    served_cell,
    serving_cell,
    taken_over,
)
from telco_pipeline.generators.signalling import additional, left_out
from telco_pipeline.generators.switching import CHANGE, Switches, switches
from telco_pipeline.lake import CodedText, Rowset
from telco_pipeline.state.coverage import distances

_TYPES: Final = [str(kind) for kind in UpdateType]
_ATTACH, _DETACH, _AREA, _CELL, _PERIODIC = range(5)
# Timer of the periodic update (T3412): three hours for phones, twelve for machines; narrow-band
# devices that save power (PSM) are given an extended one (practice).
_TIMER: Final = 3 * HOUR
_MACHINE_TIMER: Final = 12 * HOUR
_POWER_SAVING_TIMER: Final = 24 * HOUR
_NB_IOT: Final = RATS.index(Rat.NB_IOT)
# A phone is late by what it takes to find the radio channel.
_LATE: Final = 2 * SECOND
# Answers (EMM causes of TS 24.301). After a reject by congestion or failure a new attempt follows
# after T3411, ten seconds, and a little; the fifth is accepted (by then the phone would wait for
# T3402, twelve minutes).
_ACCEPTED: Final = 0
_NO_SUITABLE_CELLS: Final = 15
_NETWORK_FAILURE: Final = 17
_CONGESTION: Final = 22
_RETRY: Final = (10 * SECOND, 4 * SECOND)
_ATTEMPTS: Final = 5
# Phones of a cell that goes or comes back are found elsewhere after so long: it takes them the
# search of other carriers, and most wait for their next paging occasion or measurement (practice).
_REACTION: Final = 90 * SECOND
# Metres of one step of the timing advance: GERAN 550, LTE 78, NR at 30 kHz 39.
_STEP: Final = np.array([78, 550, 78, 78, 78, 78, 39])
_MOST_STEPS: Final = 1282

# Times from a day before the day to one after it fit in as many bits.
_TIME_BITS: Final = 39

# Part of the time in which a phone that moves on GERAN is in the state READY (practice).
_READY: Final = 0.3

# Numbers of the events of one subscriber and day, so that ids never collide.
_SWITCH: Final = 0
_PASSAGE: Final = 64
_TIMEOUT: Final = 1024
_IN_AREA: Final = 1536
_BY_OUTAGE: Final = 2048
_NUMBERS: Final = 3072
"""Numbers of one attempt; those of the next ones lie behind."""
# Kinds of updates that have numbers of their own: usual ones, attempts of who is not attached,
# additional ones, and those of devices that are about to restart. Each is a record of its own of
# the event with its number.
_USUAL, _REFUSED, _ADDED, _RESTARTED = range(4)
_SOURCE_SHIFT: Final = 20
_OPEN: Final = -1
"""Instead of a cause: the state of the cell will tell."""
# Part of the refusals of a device that was attached which are those of an update: the others are
# those of an attach, as the network had forgotten it.
_BY_UPDATE: Final = 0.5


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the location updates of a day and a part, sorted by event time."""
    if inputs.config.record_weights.location_updates == 0:
        return Rowset.empty(records.LOCATION_UPDATES)
    day = inputs.day(date)
    batches = [_updates(day, entities) for entities in blocks(part, WIDE_BLOCK)]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.LOCATION_UPDATES)
    return Rowset.of(records.LOCATION_UPDATES, _columns(inputs, day, merge(batches)))


def _updates(day: Day, entities: Rows) -> Columns:
    """Return all updates of a block, entity after entity."""
    served = day.in_service(entities, np.zeros_like(entities))
    entities = entities[served | day.in_service(entities, np.full(len(entities), DAY - 1))]
    switched, passed = switches(day, entities), _passages(day, entities)
    batches = [
        *_attachments(day, switched),
        _moves(day, passed),
        _periodic(day, entities, switched, passed),
    ]
    if day.refusals:
        batches += [_refused(day, entities), _restarting(day, entities)]
    unrest = bool(day.story.of("signalling"))
    if unrest:
        batches.append(_added(day, entities))
    names = list(batches[0])
    found = {name: np.concatenate([batch[name] for batch in batches]) for name in names}
    if unrest:
        found = _asked(day, found)
    return _answered(day, found)


@dataclass(frozen=True)
class _Passages:
    """Changes of the cell that the network is told of: phones that are on and in the country.

    Attributes:
        entity: Who.
        number: Number of the update.
        time: Microseconds of the day.
        cell: The cell from then on; of a vain attempt, the cell that refuses.
        previous: The cell before.
        kind: `_AREA`, into another tracking area, `_CELL`, within one, or `_ATTACH`.
        refused: Whether it is a vain attempt of a phone without service.
    """

    entity: Rows
    number: Rows
    time: Rows
    cell: Rows
    previous: Rows
    kind: Rows
    refused: np.ndarray


def _passages(day: Day, entities: Rows) -> _Passages:
    """Return the changes of the cell on a day that the network sees, entity after entity."""
    crossed = day.mobility.crossings(entities)
    changes = _changes(day, entities, np.zeros_like(entities), *crossed)
    if day.date > day.inputs.config.epoch:
        changes = _joined(_over_midnight(day, entities), changes)
    return _told_of(day, changes)


def _changes(
    day: Day, entities: Rows, start: Rows, entity: Rows, time: Rows, cell: Rows, previous: Rows
) -> Changes:
    """Return the changes of the serving cell: those by moves, and those that outages bring.

    Args:
        day: The day.
        entities: Entity numbers, rising.
        start: From when on each is looked at, microseconds of the day.
        entity: Who changes the cell on which the phone camps, in the order of `entities`.
        time: When; in order for each.
        cell: The cell from then on.
        previous: The cell before.
    """
    home = np.zeros(len(entity), dtype=np.bool_)
    cell, previous = (served_cell(day.inputs, entity, some, home) for some in (cell, previous))
    row = np.searchsorted(entities, entity)
    moves = np.flatnonzero(cell != previous)
    if not day.network.may_fail.any():
        return Changes(row, entity, time, cell, previous, ~home).select(moves)
    camped = day.mobility.at(entities, start).cell
    first = served_cell(day.inputs, entities, camped, np.zeros(len(entities), dtype=np.bool_))
    rows = np.concatenate([np.arange(len(entities)), row[moves]])
    order = np.argsort(rows, kind="stable")
    trace = Trace(
        rows[order],
        entities[rows[order]],
        np.concatenate([start, time[moves]])[order],
        np.concatenate([first, cell[moves]])[order],
        order >= len(entities),
    )
    return changes_of(day, trace)


def _over_midnight(day: Day, entities: Rows) -> Changes:
    """Return the changes that the state of the new day brings right at its start."""
    before = day.before
    last = np.full(len(entities), DAY - 1)
    camped = day.mobility.at(entities, np.zeros_like(entities)).cell
    cell = served_cell(day.inputs, entities, camped, np.zeros(len(entities), dtype=np.bool_))
    hit = np.flatnonzero(before.network.may_fail[cell] | day.network.may_fail[cell])
    old = taken_over(before, entities[hit], last[hit], cell[hit])
    new = taken_over(day, entities[hit], np.zeros_like(hit), cell[hit])
    other = np.flatnonzero(old != new)
    rows = hit[other]
    none = np.zeros_like(rows)
    return Changes(rows, entities[rows], none, new[other], old[other], none.astype(np.bool_))


def _joined(first: Changes, second: Changes) -> Changes:
    """Return the changes of two lists, in order of phone and time."""
    if not len(first.row):
        return second
    both = Changes(
        *(
            np.concatenate([getattr(first, field.name), getattr(second, field.name)])
            for field in fields(Changes)
        )
    )
    return both.select(np.lexsort((both.time, both.row)))


def _told_of(day: Day, changes: Changes) -> _Passages:
    """Return which changes of the cell our network is told of.

    That is: those into another area, on GERAN some of the others, an attach of who had no service,
    and the vain attempts of who has none any more.
    """
    changes = _settled(day, changes.select((changes.time >= 0) & (changes.time < DAY)))
    kind = _kinds(day, changes)
    vain = changes.cell == NO_CELL
    cell = changes.cell.copy()
    # The cell that was lost is not the one that refuses.
    cell[vain] = heard_beyond(day.network, changes.previous[vain], changes.time[vain])
    told = (kind >= 0) & (cell >= 0) & (changes.time < DAY)
    entity, time = changes.entity, changes.time
    told &= ~day.mobility.switched_off(entity, time) & day.in_service(entity, time)
    told[unattached(day, entity, time)] = False
    told &= ~day.mobility.gone_abroad(entity, time)
    rows = np.flatnonzero(told)
    kind, entity = kind[rows], entity[rows]
    usual = changes.moved[rows] & (kind != _ATTACH) & ~vain[rows]
    first = np.select([~usual, kind == _AREA], [_BY_OUTAGE, _PASSAGE], _IN_AREA)
    number = np.zeros_like(entity)
    for one in (_PASSAGE, _IN_AREA, _BY_OUTAGE):
        of_kind = first == one
        number[of_kind] = _ranks(entity[of_kind]) + one
    previous = np.where(changes.previous < 0, cell, changes.previous)
    return _Passages(entity, number, time[rows], cell[rows], previous[rows], kind, vain[rows])


def _settled(day: Day, changes: Changes) -> Changes:
    """Return changes with the time at which the phone has noticed, and what was before for it.

    Moves are noticed in their second, outages within a minute or two. What is over by then has
    not been noticed at all.
    """
    entity, time = changes.entity, changes.time
    stream = draws.stream(day.inputs.config.seed, "location/passage")
    key = draws.events(draws.keys(stream, entity), (time + day.start) // SECOND)
    noticed = time + draws.below(key, SECOND)
    slow = np.flatnonzero(~changes.moved | (changes.previous < 0))
    # Before midnight: the next day knows nothing of it.
    room = np.minimum(DAY - time[slow], _REACTION)
    noticed[slow] = time[slow] + draws.below(draws.bits(key[slow], "reaction"), room)
    same = np.append(changes.row[1:] == changes.row[:-1], False)[: len(time)]
    over = same & (np.append(time[1:], 0)[: len(time)] <= noticed)
    settled = Changes(changes.row, entity, noticed, changes.cell, changes.previous, changes.moved)
    if not over.any():
        return settled
    place = np.arange(len(time))
    first = np.maximum.accumulate(np.where(_ranks(changes.row) == 0, place, 0))
    known = np.append(-1, np.maximum.accumulate(np.where(over, -1, place)))[: len(place)]
    previous = np.where(known >= first, changes.cell[known], changes.previous[first])
    settled = Changes(changes.row, entity, noticed, changes.cell, previous, changes.moved)
    return settled.select(~over & (changes.cell != previous))


def _kinds(day: Day, changes: Changes) -> Rows:
    """Return the kind of the update that each change leads to, -1 for none.

    A vain attempt, of who has lost service, is one to update the area.
    """
    # A phone is registered in its area's codes of all generations at once (TAI list, TS 24.301).
    area, rat = day.inputs.cells.area, day.inputs.cells.rat
    cell, previous = changes.cell, changes.previous
    into = area[cell] != area[previous]
    geran = np.flatnonzero(~into & (rat[cell] == GERAN) & (rat[previous] == GERAN))
    stream = draws.stream(day.inputs.config.seed, "location/passage")
    second = (changes.time[geran] + day.start) // SECOND
    key = draws.events(draws.keys(stream, changes.entity[geran]), second)
    told = draws.chance(draws.bits(key, "ready"), _READY)
    kind = np.where(into, _AREA, -1)
    kind[geran[told]] = _CELL
    kind[cell < 0] = _AREA
    kind[previous < 0] = _ATTACH
    return kind


def _ranks(entity: Rows) -> Rows:
    """Return the number of each row within its entity; rows of an entity lie together."""
    place = np.arange(len(entity))
    first = np.append(True, entity[1:] != entity[:-1])[: len(entity)]
    return place - np.maximum.accumulate(np.where(first, place, 0))


def _attachments(day: Day, switched: Switches) -> list[Columns]:
    """Return the detach of phones that go off or abroad and the attach of those that are back."""
    home = np.flatnonzero(~switched.abroad)
    entity, time, on = switched.entity[home], switched.time[home], switched.on[home]
    number = switched.number[home] + _SWITCH
    stream = draws.stream(day.inputs.config.seed, "location/switch")
    key = draws.events(draws.keys(stream, entity), (time + day.start) // SECOND)
    drift = draws.below(draws.bits(key, "drift"), SECOND)
    # Both lie outside the time in which the phone may be used.
    when = np.where(on, time - drift - 1, time + drift)
    # Whose subscription ends or begins goes or comes at that moment.
    when = np.where(number == CHANGE + _SWITCH, time, when)
    inside = np.flatnonzero((when >= 0) & (when < DAY))
    inside = inside[day.in_service(entity[inside], when[inside])]
    entity, time, on = entity[inside], time[inside], on[inside]
    # The cell is that of the last or first moment of use.
    use = np.where(on, time, time - 1)
    cell, cause = _reached(day, entity, use), np.full(len(entity), _OPEN)
    # Who is not attached has nothing to detach from, and is refused when the phone goes on again.
    gone = unattached(day, entity, when[inside])
    cause[gone] = day.refusals.registration_chance(entity[gone], when[inside[gone]])[1]
    cell[gone[(cause[gone] == _ACCEPTED) | ~on[gone]]] = NO_CELL
    heard = np.flatnonzero(cell >= 0)
    cell, entity, inside = cell[heard], entity[heard], inside[heard]
    kind = np.where(on[heard], _ATTACH, _DETACH)
    made = _batch(day, entity, number[inside], when[inside], cell, cell, kind)
    return [{**made, "verdict": cause[heard].astype(np.int16)}]


def _cells(day: Day, entity: Rows, time: Rows) -> Rows:
    """Return the cell that serves each phone at home at a time, -1 where none does."""
    camped = day.positions(entity, time).cell
    home = np.zeros(len(entity), dtype=np.bool_)
    return serving_cell(day, entity, np.clip(time, 0, None), camped, home)


def _reached(day: Day, entity: Rows, time: Rows) -> Rows:
    """Return the same whether the phone is attached or not."""
    camped = day.positions(entity, time).cell
    home = np.zeros(len(entity), dtype=np.bool_)
    return reached_cell(day, entity, np.clip(time, 0, None), camped, home)


def _refused(day: Day, entities: Rows) -> Columns:
    """Return the attempts of phones that the network refuses, and those that bring them back."""
    tried = day.refusals.attempts
    inside = np.flatnonzero(np.isin(tried.entity, entities))
    inside = inside[_hears(day, tried.entity[inside], tried.time[inside])]
    tried = tried.select(inside)
    cell = _reached(day, tried.entity, tried.time)
    heard = np.flatnonzero(cell >= 0)
    tried, cell = tried.select(heard), cell[heard]
    number = _ranks(tried.entity)
    kind = np.full(len(number), _ATTACH)
    made = _batch(day, tried.entity, number, tried.time, cell, cell, kind, _REFUSED)
    updates = draws.chance(draws.bits(made["key"], "update"), _BY_UPDATE) & tried.attached
    made["kind"][updates] = _PERIODIC
    verdict = np.where(tried.cause == _ACCEPTED, _OPEN, tried.cause).astype(np.int16)
    kept = np.flatnonzero(number < _NUMBERS)
    return {name: values[kept] for name, values in {**made, "verdict": verdict}.items()}


def _restarting(day: Day, entities: Rows) -> Columns:
    """Return the detach of devices that restart in good order; their attach is an attempt."""
    gaps = day.refusals.restarts
    inside = np.flatnonzero(np.isin(gaps.entity, entities))
    entity, time = gaps.entity[inside], gaps.start[inside]
    # Who is not attached has nothing to detach from.
    says = day.refusals.orderly(entity, time) & _hears(day, entity, time)
    says[unattached(day, entity, time - 1)] = False
    entity, time = entity[says], time[says]
    cell, number = _reached(day, entity, time), _ranks(entity)
    heard = np.flatnonzero((cell >= 0) & (number < _NUMBERS))
    entity, number, time, cell = entity[heard], number[heard], time[heard], cell[heard]
    kind = np.full(len(entity), _DETACH)
    return _batch(day, entity, number, time, cell, cell, kind, _RESTARTED)


def _added(day: Day, entities: Rows) -> Columns:
    """Return the attaches and updates of phones that ask more often than usual."""
    made = additional(day, entities)
    rows = np.flatnonzero(_hears(day, made.entity, made.time))
    entity, time = made.entity[rows], made.time[rows]
    cell = _cells(day, entity, time)
    heard = np.flatnonzero(cell >= 0)
    rows, entity, time, cell = rows[heard], entity[heard], time[heard], cell[heard]
    kind = np.where(made.anew[rows], _ATTACH, _PERIODIC)
    return _batch(day, entity, made.number[rows], time, cell, cell, kind, _ADDED)


def _asked(day: Day, updates: Columns) -> Columns:
    """Return the updates without those that devices leave out which ask less often than usual."""
    usual = (updates["kind"] != _ATTACH) & (updates["kind"] != _DETACH)
    rows = np.flatnonzero(usual)
    kept = np.ones(len(usual), dtype=np.bool_)
    kept[rows] = ~left_out(
        day, updates["entity"][rows], updates["time"][rows], updates["key"][rows]
    )
    return {name: values[kept] for name, values in updates.items()}


def _hears(day: Day, entity: Rows, time: Rows) -> np.ndarray:
    """Return of whom our network hears at a time: at home, switched on and in service."""
    hears = day.in_service(entity, time) & ~day.mobility.switched_off(entity, time)
    return hears & ~day.positions(entity, time).abroad


def _moves(day: Day, passed: _Passages) -> Columns:
    """Return the updates of phones that enter another tracking area or tell of another cell."""
    made = _batch(
        day,
        passed.entity,
        passed.number,
        passed.time,
        passed.cell,
        passed.previous,
        passed.kind,
    )
    made["refused"] = passed.refused
    return made


def _periodic(day: Day, entities: Rows, switched: Switches, passed: _Passages) -> Columns:
    """Return the periodic updates of who is silent for longer than the timer runs."""
    timers = _timers(day, entities)
    first = int(entities[0]) if len(entities) else 0
    heard = np.flatnonzero(~passed.refused)
    entity, start, end = (
        np.concatenate(columns)
        for columns in zip(
            _last_contact(day, entities, timers),
            _connections(day, entities, windows(data_sessions.TAIL), _TIMER),
            (switched.entity, switched.time, switched.time),
            # From the start of its second on the phone is in the new cell.
            tuple(
                column[heard]
                for column in (passed.entity, passed.time // SECOND * SECOND, passed.time)
            ),
            (entities, np.full(len(entities), DAY), np.full(len(entities), DAY)),
            strict=True,
        )
    )
    # All contacts in order, from the day before on, whose times are negative.
    order = np.argsort(((entity - first) << _TIME_BITS) + (start + DAY), kind="stable")
    place, start = (entity - first)[order], start[order]
    until = np.maximum.accumulate((place << _TIME_BITS) + (end[order] + DAY))
    until = (until & ((1 << _TIME_BITS) - 1)) - DAY
    # A silence lies between the latest end so far and the next start.
    silence = np.flatnonzero(place[1:] == place[:-1])
    begin, stop = until[silence], start[silence + 1]
    by_place = np.zeros(int(entities[-1]) - first + 1 if len(entities) else 0, dtype=np.int64)
    by_place[entities - first] = timers
    timer = by_place[place[silence]]
    long = stop - begin > timer
    silence, begin, stop, timer = silence[long], begin[long], stop[long], timer[long]
    count = (stop - begin - 1) // timer
    rows = np.repeat(np.arange(len(count)), count)
    step = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count) + 1
    due = begin[rows] + step * timer[rows]
    entity = place[silence][rows] + first
    key = draws.events(
        draws.keys(draws.stream(day.inputs.config.seed, "location/late"), entity),
        (due + day.start) // SECOND,
    )
    due += draws.below(draws.bits(key, "late"), _LATE)
    rows = np.flatnonzero((due >= 0) & (due < stop[rows]))
    return _in_reach(day, entity[rows], due[rows], key[rows])


def _in_reach(day: Day, entity: Rows, time: Rows, key: draws.Bits) -> Columns:
    """Return the periodic updates of phones that are on, at home and counted by the weight."""
    weight = min(day.inputs.config.record_weights.location_updates, 1.0)
    rows = np.flatnonzero(draws.chance(draws.bits(key, "weight"), weight))
    rows = rows[~day.mobility.switched_off(entity[rows], time[rows])]
    where = day.mobility.at(entity[rows], time[rows])
    here = ~where.abroad & day.in_service(entity[rows], time[rows])
    entity, time, camped = entity[rows][here], time[rows][here], where.cell[here]
    number = _ranks(entity) + _TIMEOUT
    cell = serving_cell(day, entity, time, camped, np.zeros(len(entity), dtype=np.bool_))
    heard = np.flatnonzero(cell >= 0)
    entity, number, time, cell = entity[heard], number[heard], time[heard], cell[heard]
    return _batch(day, entity, number, time, cell, cell, np.full(len(entity), _PERIODIC))


def _timers(day: Day, entities: Rows) -> Rows:
    """Return the timer of each entity's device, in microseconds."""
    inputs = day.inputs
    device = inputs.identities.rat[day.identity(entities, np.zeros_like(entities))]
    machine = inputs.population.kind[entities] == MACHINE
    timers = [_POWER_SAVING_TIMER, _MACHINE_TIMER]
    saves = machine & (device == _NB_IOT)
    return np.select([saves, machine], timers, _TIMER)


def _connections(
    day: Day, entities: Rows, stretches: tuple[Window, ...], quiet: int
) -> tuple[Rows, Rows, Rows]:
    """Return the data sessions that start in stretches of a day (as in `data.activity`)."""
    found = []
    for first in range(0, max(len(entities), 1), BLOCK):
        some = entities[first : first + BLOCK]
        begun = data_sessions.draw_sessions(day, some, stretches[0])
        for window in stretches[1:]:
            begun = begun.followed_by(data_sessions.draw_sessions(day, some, window))
        found.append(activity(begun, quiet))
    entity, start, end = (np.concatenate(part) for part in zip(*found, strict=True))
    return entity, start, end


def _last_contact(day: Day, entities: Rows, timers: Rows) -> tuple[Rows, Rows, Rows]:
    """Return the last contact of each entity before the day: entity, start and end.

    The day before is looked at as far as needed: its last hour, then all of it for who was silent
    then. Who was silent all day has a phase of the timer.
    """
    stream = draws.stream(day.inputs.config.seed, "location/phase")
    phase = (draws.uniform(draws.keys(stream, entities)) * timers).astype(np.int64)
    last = -1 - (day.start + phase) % timers
    if day.date > day.inputs.config.epoch:
        before = day.before
        main, end = windows(data_sessions.TAIL)
        late = _connections(before, entities, (end,), DAY)
        quiet = entities[~np.isin(entities, late[0])]
        early = _connections(before, quiet, (main,), DAY)
        switched = switches(before, entities)
        known = np.full(len(entities), -DAY)
        for entity, time in (
            (late[0], late[2]),
            (early[0], early[2]),
            (switched.entity, switched.time),
        ):
            np.maximum.at(known, np.searchsorted(entities, entity), time - DAY)
        # What came after that.
        open_still = np.flatnonzero(known < 0)
        some, start = entities[open_still], known[open_still] + DAY
        row, *change = before.mobility.changes(some, start, np.full(len(some), DAY - 1))
        passed = _told_of(before, _changes(before, some, start, some[row], *change))
        heard = ~passed.refused
        place = np.searchsorted(entities, passed.entity[heard])
        np.maximum.at(known, place, passed.time[heard] - DAY)
        last = np.where(known > -DAY, known, last)
    return entities, np.minimum(last, -1), last


def _batch(
    day: Day,
    entity: Rows,
    number: Rows,
    time: Rows,
    cell: Rows,
    previous: Rows,
    kind: Rows,
    source: Rows | int = _USUAL,
) -> Columns:
    """Return updates; `source` tells whose numbers they have."""
    stream = draws.stream(day.inputs.config.seed, "location", day.number)
    return {
        "time": time,
        "entity": entity,
        "cell": np.asarray(cell, dtype=np.int64),
        "previous": np.asarray(previous, dtype=np.int64),
        "kind": kind.astype(np.int8),
        "number": number,
        "source": np.broadcast_to(np.asarray(source, dtype=np.int64), entity.shape),
        "key": draws.events(draws.keys(stream, entity), number + (source << _SOURCE_SHIFT)),
        "refused": np.zeros(len(entity), dtype=np.bool_),
        "verdict": np.full(len(entity), _OPEN, dtype=np.int16),
    }


def _answered(day: Day, updates: Columns) -> Columns:
    """Return the updates with the network's answers, and the new attempts after a reject.

    Nothing is rejected in the last seconds of a day, so that no attempt is left for the next one.
    A change of the cell within an area is not answered at all.
    """
    updates["cause"] = _answers(day, updates)
    updates = _in_order(updates)
    entity, time = updates["entity"], updates["time"]
    again = (updates["cause"] != _ACCEPTED) & ~updates["refused"] & (updates["verdict"] == _OPEN)
    rows = np.flatnonzero(again)
    # A phone tries until something else brings the next update.
    same = np.append(entity, -1)[rows + 1] == entity[rows]
    until = np.where(same, np.append(time, DAY)[rows + 1], DAY)
    found, tried = [updates], {name: values[rows] for name, values in updates.items()}
    for attempt in range(1, _ATTEMPTS):
        tried, until = _again(day, tried, until, last=attempt == _ATTEMPTS - 1)
        if not len(until):
            break
        found.append(tried)
        rows = np.flatnonzero(tried["cause"])
        tried, until = {name: values[rows] for name, values in tried.items()}, until[rows]
    if len(found) > 1:
        names = list(updates)
        updates = {name: np.concatenate([one[name] for one in found]) for name in names}
        updates = _in_order(updates)
    updates["previous_tac"] = _known_areas(day, updates)
    return updates


def _answers(day: Day, updates: Columns) -> np.ndarray:
    """Return the network's answer to each update, as the state of its cell at the time says."""
    network, time, cell = day.network, updates["time"], updates["cell"]
    chance = draws.uniform(draws.bits(updates["key"], "cause"))
    full = network.at("block_probability", cell, time).astype(np.float64)
    failing = full + network.at("signalling_failure", cell, time)
    cause = np.where(chance < full, _CONGESTION, _NETWORK_FAILURE)
    kind, (wait, spread) = updates["kind"], _RETRY
    final = (kind == _DETACH) | (kind == _CELL) | (time >= DAY - wait - spread)
    cause = np.where(final | (chance >= failing), _ACCEPTED, cause)
    cause = np.where(updates["refused"], _NO_SUITABLE_CELLS, cause)
    verdict = updates["verdict"]
    return np.where(verdict == _OPEN, cause, verdict).astype(np.int16)


def _again(day: Day, tried: Columns, until: Rows, *, last: bool) -> tuple[Columns, Rows]:
    """Return the next attempts after some rejects, and until when there may be another.

    Args:
        day: The day.
        tried: What was rejected.
        until: Time of the next update of the same phone.
        last: Whether these are accepted in any case.
    """
    wait, spread = _RETRY
    entity = tried["entity"]
    again = tried["time"] + wait + draws.below(draws.bits(tried["key"], "again"), spread)
    rows = np.flatnonzero((until > again) & day.in_service(entity, again))
    cell = _cells(day, entity[rows], again[rows])
    rows, cell = rows[cell >= 0], cell[cell >= 0]
    number = tried["number"][rows] + _NUMBERS
    attempts = _batch(
        day,
        entity[rows],
        number,
        again[rows],
        cell,
        tried["previous"][rows],
        tried["kind"][rows],
        tried["source"][rows],
    )
    attempts["cause"] = _answers(day, attempts)
    if last:
        attempts["cause"][:] = _ACCEPTED
    return attempts, until[rows]


def _in_order(updates: Columns) -> Columns:
    """Sort updates by entity and time."""
    first = updates["entity"].min(initial=1 << 28)
    packed = ((updates["entity"] - first) << _TIME_BITS) | updates["time"]
    order = np.argsort(packed, kind="stable")
    return {name: values[order] for name, values in updates.items()}


def _known_areas(day: Day, updates: Columns) -> Rows:
    """Return the area of the last accepted update before each one: what the network knows."""
    tac, entity = day.inputs.cells.tac, updates["entity"]
    place = np.arange(len(entity))
    start = np.maximum.accumulate(np.where(_ranks(entity) == 0, place, 0))
    accepted = np.maximum.accumulate(np.where(updates["cause"] == 0, place, -1))
    before = np.append(-1, accepted)[: len(place)]
    today = tac[updates["cell"][np.maximum(before, 0)]]
    return np.where(before >= start, today, tac[updates["previous"][start]])


def _columns(inputs: Inputs, day: Day, rows: Columns) -> dict[str, Column]:
    cells = inputs.cells
    cell, entity, kind = rows["cell"], rows["entity"], rows["kind"]
    home = np.zeros(len(cell), dtype=np.bool_)
    rat = packet_access(day, entity, rows["time"], cell, home)
    element = np.where(rat == GERAN, cells.serving["msc"][cell], cells.serving["mme"][cell])
    number = rows["number"] * RECORDS_PER_EVENT + rows["source"]
    served = served_columns(day, entity, rows["time"])
    advance = _timing_advance(day, rows, cell, rat)
    return {
        "subscriber_id": served["subscriber_id"],
        "imsi": served["imsi"],
        "imei": served["imei"],
        "event_id": pl.Series(
            inputs.ids.event.of(pack(EVENT_KINDS["location"], day.number, entity, number))
        ),
        "event_time": moment(day, rows["time"]),
        "update_type": enum_of(_TYPES, kind),
        "cell_id": CodedText.of(cells.cell_id, cell),
        "rat_type": rat_of(rat),
        "tac": pl.Series(cells.tac[cell]),
        "previous_tac": nullable(kind == _ATTACH, rows["previous_tac"].astype(np.int32)),
        "timing_advance": pl.Series(advance),
        "recording_entity": CodedText.of(cells.element_id, element),
        "cause": pl.Series(rows["cause"]),
    }


def _timing_advance(day: Day, rows: Columns, cell: Rows, rat: np.ndarray) -> np.ndarray:
    """Return the distance to the antenna in steps of the radio access.

    Who stays at a place keeps the distance: it is drawn for the subscriber and the cell
    (`state.coverage`). Who comes into another area or cell is on the way, and nearer to the edge,
    which lies nearer to the mast where layers have taken a part of the coverage.
    """
    inputs, coverage = day.inputs, day.network.coverage
    share = distances(inputs.config.seed, rows["entity"], cell)
    way = np.flatnonzero((rows["kind"] == _AREA) | (rows["kind"] == _CELL))
    first, second = (draws.uniform(draws.bits(rows["key"][way], name)) for name in ("a", "b"))
    share[way] = 0.5 + 0.5 * np.maximum(first, second)
    if coverage is not None:
        reach = coverage.reach_at(cell, rows["time"])
        share = np.where(share > reach, share * reach, share)
    metres = share * inputs.cells.range_m[cell]
    return np.minimum(metres // _STEP[rat], _MOST_STEPS).astype(np.int16)
