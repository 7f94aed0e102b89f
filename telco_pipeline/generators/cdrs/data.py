"""Data CDRs: packet sessions by application, in partial records (TS 32.251, TS 32.255).

Belongs here: service, volume and duration of sessions, their partial records, and the fields of
`cdrs_data`. Does not belong here: throughput and latency (`data_quality`), when machines report
(`behaviour.machines`), where anybody is (`behaviour.mobility`).

A row is the usage of one application on the device's connection, as mediation splits it: traffic
detection reports each application apart, and each use of one has a charging id of its own; its
partial records share it. (In the network the connection itself, which lasts for days, has one.)

People's volumes are log-normal by service and durations follow v = a d^b (Zanella et al., IMC
2023); now and then one application is opened after another, in one look at the screen. Machines
send small reports, more up than down (Shafiq 2012).

A record is closed at the time limit and when the radio access changes; the next one of the session
is opened where the phone is then.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour import machines
from telco_pipeline.behaviour.population import GERAN, MACHINE, NR, RATS
from telco_pipeline.behaviour.rhythm import Window
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import CauseForRecClosing, Rat, RecordType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import (
    DAY_BITS,
    ENTITY_BITS,
    INDEX_BITS,
    MAX_ENTITIES,
    Permutation,
)
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    EVENTS_PER_WINDOW,
    LEGACY,
    RECORDS_PER_EVENT,
    Column,
    Columns,
    Day,
    Events,
    Inputs,
    Rows,
    draw_events,
    enum_of,
    moment,
    packet_access,
    rat_of,
    served_columns,
    time_order,
    where_columns,
    with_tail,
)
from telco_pipeline.generators.cdrs.applications import (
    LEAST_VOLUME,
    LONGEST,
    MACHINES,
    field,
    services,
)
from telco_pipeline.generators.cdrs.data_quality import (
    KBIT_PER_MICROSECOND,
    RATE_BITS,
    UPLINK_FACTOR,
    highest_rate,
    quality,
    share_of_rate,
    time_per_byte,
    ways_to_gateways,
)
from telco_pipeline.lake import CodedText, Rowset

_TYPES: Final = [str(RecordType.PGW), str(RecordType.CHF)]
# How long a session may wait for its turn: an application opened after another, a late report.
_LATEST: Final = max(60 * SECOND, machines.LONGEST_DELAY)
TAIL: Final = LONGEST * SECOND + _LATEST
# Habits of quality and length differ by person: with the level of activity they make a tenth of the
# users carry half of the bytes and more. The mean is 1; it widens the services' spread by 3-8 %.
_APPETITE: Final = QuantileTable.level(0.7)
# What the model makes shorter than a second lasts up to so many: it takes that to set up a bearer
# and to release it.
_SHORTEST: Final = 3.4

# Share of NR cells on which a phone gets NR; on the others its place is out of NR's reach.
_NR_SHARE: Final = 0.85
# Of 1,024 sessions those that fail, 0.004.
_ABNORMAL_LIMIT: Final = 4
_CLOSED: Final = np.array(
    [CauseForRecClosing.NORMAL_RELEASE, CauseForRecClosing.ABNORMAL_RELEASE], dtype=np.int16
)
# The slowest radio access of machines; of phones it is GERAN.
_NB_IOT: Final = RATS.index(Rat.NB_IOT)
# Entities at a time: their sessions fill the cache.
_BLOCK: Final = 8192
# Share of a persona's sessions that a phone without LTE has.
_LEGACY_SHARE: Final = 0.2
# Part of the sessions that follow another application within the minute (practice).
_FOLLOWS: Final = 0.22
_FOLLOWS_WITHIN: Final = (2 * SECOND, 55 * SECOND)
# Sessions that last longer are looked at for a move, whoever has them.
_LONG_ENOUGH_TO_MOVE: Final = 5 * SECOND
_MOST_HANDOVERS: Final = 30_000
# A rate that leaves room for uneven traffic, as part of what the radio access gives.
_HALF: Final = 0.5
_TIME_BITS: Final = 38
_ADDRESSES: Final = 1 << 22  # 100.64.0.0/10
_KIND_SHIFT: Final = DAY_BITS + ENTITY_BITS + INDEX_BITS


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the data records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    ways = ways_to_gateways(inputs)
    batches = [
        batch
        for events, shift in with_tail(day, part, draw_sessions, TAIL, _BLOCK)
        for batch in _partial_records(events.day, _sessions(events, shift), shift, ways)
    ]
    rows = _of_the_day(batches)
    if not len(rows["time"]):
        return Rowset.empty(records.CDRS_DATA)
    return Rowset.of(records.CDRS_DATA, _columns(inputs, day, part, rows))


def _of_the_day(batches: list[Columns]) -> Columns:
    """Put batches together, without what lies outside the day, sorted by time."""
    time = np.concatenate([batch["time"] for batch in batches])
    inside = np.flatnonzero((time >= 0) & (time < DAY))
    order = inside[time_order(time[inside])]
    rows = {"time": time[order]}
    for name in batches[0]:
        if name != "time":
            rows[name] = np.concatenate([batch[name] for batch in batches])[order]
    return rows


def draw_sessions(day: Day, entities: Rows, window: Window) -> Events:
    """Return the sessions that entities start in a window of a day, and when.

    Args:
        day: The day.
        entities: Entity numbers, in rising order.
        window: The stretch of the day, of `windows(TAIL)`; a session may start up to a minute
            after it.
    """
    inputs, config = day.inputs, day.inputs.config
    by_schedule = machines.report_by_schedule(config, inputs.population, entities)
    others = _by_rhythm(day, entities[~by_schedule], window)
    if not by_schedule.any():
        return others
    return others.followed_by(_by_schedule(day, entities[by_schedule], window))


def _by_rhythm(day: Day, entities: Rows, window: Window) -> Events:
    """Return the sessions of people, and of machines that people use."""
    config = day.inputs.config
    weight = config.record_weights.data
    rates = np.array([persona.sessions * weight for persona in config.personas.values()])
    events = _opened_together(
        draw_events(day, entities, "data", "data", rates, window=window, most=EVENTS_PER_WINDOW)
    )
    population = day.inputs.population
    legacy = LEGACY[population.rat] & (population.kind != MACHINE)
    if not legacy[entities].any():
        return events
    kept = ~legacy[events.entity] | draws.chance(events.bits("legacy"), _LEGACY_SHARE)
    return events.select(np.flatnonzero(kept))


def _by_schedule(day: Day, entities: Rows, window: Window) -> Events:
    """Return the reports of machines that follow the clock or a period of their own."""
    inputs, config = day.inputs, day.inputs.config
    sent = machines.reports(
        config,
        inputs.population,
        entities,
        day.number,
        window,
        config.record_weights.data,
        EVENTS_PER_WINDOW,
    )
    entity = entities[sent.row]
    index = sent.index + window.number * EVENTS_PER_WINDOW
    stream = draws.stream(config.seed, "data/report", day.number)
    key = draws.events(draws.keys(stream, entities)[sent.row], index)
    events = Events(day, "data", entity, index, key, sent.time)
    return _still_there(events, np.arange(len(events)))


def _opened_together(events: Events) -> Events:
    """Let some sessions of people follow their one before within the minute."""
    if len(events) < 2:
        return events
    entity, index = events.entity, events.index
    follows = draws.chance(events.bits("follows"), _FOLLOWS)
    follows[0] = False
    follows[1:] &= (entity[1:] == entity[:-1]) & (index[1:] == index[:-1] + 1)
    follows[1:] &= ~follows[:-1].copy()
    rows = np.flatnonzero(follows)
    rows = rows[events.day.inputs.population.kind[entity[rows]] != MACHINE]
    if not rows.size:
        return events
    least, most = _FOLLOWS_WITHIN
    gap = draws.uniform(draws.bits(events.key[rows], "gap"))
    time = events.time.copy()
    time[rows] = time[rows - 1] + least + (gap * gap * (most - least)).astype(np.int64)
    return _still_there(Events(events.day, events.kind, entity, index, events.key, time), rows)


def _still_there(events: Events, rows: Rows) -> Events:
    """Leave out which of some sessions would start on a phone that is off or has left."""
    day, entity, time = events.day, events.entity[rows], events.time[rows]
    gone = day.mobility.switched_off(entity, time) | ~day.in_service(entity, time)
    if not gone.any():
        return events
    kept = np.ones(len(events), dtype=np.bool_)
    kept[rows[gone]] = False
    return events.select(np.flatnonzero(kept))


def activity(events: Events, quiet: int) -> tuple[Rows, Rows, Rows]:
    """Return when some entities are connected: entity, start and end, entity after entity.

    Only ends that matter are worked out: those near a silence. Elsewhere the end is the start.

    Args:
        events: Sessions of `draw_sessions`.
        quiet: How long nothing starts in a silence, in microseconds.
    """
    if not len(events):
        return events.entity, events.time, events.time
    # Entities of a block differ by less than its size; times lie below two days.
    packed = ((events.entity - events.entity.min()) << _TIME_BITS) | events.time
    events = events.select(np.argsort(packed, kind="stable"))
    entity, start = events.entity, events.time
    silent = np.append(entity[1:] != entity[:-1], True)
    silent[:-1] |= start[1:] - start[:-1] >= quiet
    # An earlier session may outlast the one that starts last before a silence.
    last = np.flatnonzero(silent)
    last = np.repeat(last, np.diff(last, prepend=-1))
    near = np.flatnonzero(start >= start[last] - TAIL)
    some = events.select(near)
    machine = some.day.inputs.population.kind[some.entity] == MACHINE
    drawn = _drawn(some)
    slowest = _needed(drawn, np.where(machine, _NB_IOT, GERAN).astype(np.int8))
    longest = np.maximum(np.minimum(slowest, LONGEST * SECOND), drawn["duration"])
    near = near[start[near] + longest >= start[last[near]]]
    end = start.copy()
    end[near] += _usage(events.select(near), 0)["duration"]
    return entity, start, end


def _sessions(events: Events, shift: int) -> Columns:
    """Return the sessions of `_usage` that do not outlive the identity that began them."""
    sessions = _usage(events, shift)
    kept = _keeps_its_identity(events, sessions["duration"])
    if kept.all():
        return sessions
    rows = np.flatnonzero(kept)
    return {name: values[rows] for name, values in sessions.items()}


def _drawn(events: Events) -> Columns:
    """Return what is wanted of each session, whatever the radio access carries.

    That is: service, bytes and their part from the device, duration; and what further depends on
    chance alone. All of it but the volume comes from fields of one hash.
    """
    inputs, clock = events.day.inputs, events.day.clock
    table = services(inputs.config)
    machine = inputs.population.kind[events.entity] == MACHINE
    hours = np.append(clock.local_hour, (clock.local_hour[-1] + 1) % 24)[events.time // HOUR]
    bits, volume_bits = events.bits("session"), events.bits("volume")
    service = table.choice.sample(bits, np.where(machine, MACHINES, hours))  # the upper 12 bits
    volume = table.volume.sample(volume_bits, service)
    volume *= _by_holder(events, _appetites)
    np.maximum(volume, LEAST_VOLUME, out=volume)
    seconds = table.durations(service, volume_bits, field(bits, 12))
    # What the model would make shorter or longer is spread over some seconds, and over the last
    # half hour, mostly the end of it: what it moves belongs to an hour and more.
    short, long = np.flatnonzero(seconds < 1.0), np.flatnonzero(seconds > LONGEST)
    for rows, aspect in ((short, "short"), (long, "long")):
        chance = draws.uniform(draws.bits(events.key[rows], aspect))
        if aspect == "short":
            seconds[rows] = 1.0 + (_SHORTEST - 1.0) * chance * chance
        else:
            chance *= chance
            seconds[rows] = LONGEST * (1.0 - 0.5 * chance * chance)
    return {
        "service": service,
        "volume": volume,
        "duration": (seconds * SECOND).astype(np.int64),
        "uplink": table.uplinks(service, field(bits, 22)),
        "pace": field(bits, 32, RATE_BITS),
        "abnormal": field(bits, 54) < _ABNORMAL_LIMIT,
    }


def _usage(events: Events, shift: int) -> Columns:
    """Return the sessions: service, volumes, duration, where.

    Args:
        events: The sessions' starts.
        shift: What to add to their times to count from the start of the day of the records.
    """
    drawn = _drawn(events)
    where = events.day.positions(events.entity, events.time)
    cell = served_cell(events.day.inputs, events.entity, where.cell, where.abroad)
    rat = packet_access(events.day, events.entity, events.time, cell, where.abroad)
    even = _hold_back(events, drawn, rat, _share(events.day.inputs, cell, rat, where.abroad))
    _cut_off(events, drawn)
    up = (drawn["volume"] * drawn["uplink"]).astype(np.int64)
    return {
        "time": events.time + shift,
        "entity": events.entity.astype(np.int32),
        "service": drawn["service"],
        "duration": drawn["duration"],
        "up": up,
        "down": drawn["volume"].astype(np.int64) - up,
        "cell": cell.astype(np.int32),
        "country": where.country.astype(np.int8),
        "rat": rat,
        "moving": where.moving,
        "pace": drawn["pace"],
        "even": even,
        "abnormal": drawn["abnormal"],
        "session": events.packed(),
        "key": events.key,
        "lease": (events.time < _by_holder(events, _leases)) | (shift < 0),
    }


def _by_holder(events: Events, of: Callable[[Inputs, Rows], np.ndarray]) -> np.ndarray:
    """Return for each event what entities have, worked out once for each of a block."""
    first = int(events.entity.min(initial=0 if not len(events) else MAX_ENTITIES))
    entities = np.arange(first, int(events.entity.max(initial=first)) + 1)
    return of(events.day.inputs, entities)[events.entity - first]


def _appetites(inputs: Inputs, entities: Rows) -> np.ndarray:
    """Return how much more each entity's holder moves at a time than others: 1 in the mean."""
    population = inputs.population
    entities = np.minimum(entities, population.size - 1)
    stream = draws.stream(inputs.config.seed, "data/appetite")
    appetite = _APPETITE.sample(draws.keys(stream, population.leader[entities]))
    return np.where(population.kind[entities] == MACHINE, 1.0, appetite)


def _keeps_its_identity(events: Events, duration: Rows) -> np.ndarray:
    """Return which sessions do not outlive a subscription, or the SIM or phone that began them.

    Who changes those has closed the applications before: the others are left out.
    """
    day = events.day
    rows = np.flatnonzero(day.identities.version[events.entity] < 0)
    kept = np.ones(len(events), dtype=np.bool_)
    kept[rows] = day.in_service(events.entity[rows], events.time[rows] + duration[rows])
    rows = rows[duration[rows] > _LONG_ENOUGH_TO_MOVE]
    entity, start = events.entity[rows], events.time[rows]
    kept[rows] &= day.identity(entity, start) == day.identity(entity, start + duration[rows])
    return kept


def served_cell(inputs: Inputs, entity: Rows, camped: Rows, abroad: np.ndarray) -> Rows:
    """Return the cell of a session: that of the phone, or the LTE cell that goes with an NR cell.

    A phone is out of NR's reach on some of the cells it comes to, for good: where it is used there
    lies behind walls. All of its sessions on a cell go the same way. Abroad the records of the
    home network come from the EPC, which the LTE cell leads to.

    Args:
        inputs: The world.
        entity: Entity numbers.
        camped: Cell of each phone.
        abroad: Whose phone is in a visited network.
    """
    cells = inputs.cells
    cell = camped.astype(np.int64)
    rows = np.flatnonzero(cells.rat[cell] == NR)
    keys = draws.keys(
        draws.stream(inputs.config.seed, "data/layer"), inputs.population.leader[entity[rows]]
    )
    reached = draws.chance(draws.events(keys, cell[rows]), _NR_SHARE)
    rows = rows[abroad[rows] | ~reached]
    cell[rows] = cells.lte_sibling[cell[rows]]
    return cell


def _share(inputs: Inputs, cell: Rows, rat: np.ndarray, abroad: np.ndarray) -> np.ndarray:
    """Return the part of the rates of its radio access that each cell's carrier gives."""
    return share_of_rate(np.where(abroad, 0, inputs.bandwidth[cell]), rat)


def _cut_off(events: Events, drawn: Columns) -> None:
    """Cut sessions (in place) where the phone is switched off or crosses a border.

    Of cut sessions only what was sent until then is left of the volume.
    """
    mobility, volume, duration = events.day.mobility, drawn["volume"], drawn["duration"]
    rows = mobility.may_go(events.entity)
    left = mobility.until_gone(events.entity[rows], events.time[rows])
    short = np.flatnonzero(left < duration[rows])
    cut = rows[short]
    if cut.size:
        kept = np.maximum(left[short], SECOND // 100)
        volume[cut] = np.maximum(volume[cut] * (kept / duration[cut]), LEAST_VOLUME)
        duration[cut] = kept


def _hold_back(events: Events, drawn: Columns, rat: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Lengthen sessions (in place) that are faster than their radio access carries.

    What would then last more than an hour transfers less.

    Returns:
        Which sessions keep their radio access busy for more than half of the time.
    """
    volume, duration, needed = drawn["volume"], drawn["duration"], _needed(drawn, rat, share)
    even = needed > duration * _HALF
    fast = np.flatnonzero(even)
    fast = fast[needed[fast] > duration[fast]]
    needed = needed[fast]
    late = draws.bits(events.key[fast], "rate/long")
    longest = LONGEST * SECOND * (1.0 - 0.5 * draws.uniform(late))
    longest = np.maximum(longest, duration[fast])
    lasting = np.minimum(needed, longest)
    volume[fast] *= lasting / needed
    duration[fast] = np.ceil(lasting).astype(np.int64)
    return even


def _needed(drawn: Columns, rat: np.ndarray, share: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the microseconds that the bytes of each session take on a radio access."""
    uplink = drawn["uplink"]
    needed = np.maximum(1.0 - uplink, uplink * UPLINK_FACTOR[rat])
    needed *= drawn["volume"]
    needed *= time_per_byte(drawn["pace"], rat, share)
    return needed


def _partial_records(day: Day, sessions: Columns, shift: int, ways: np.ndarray) -> list[Columns]:
    """Return the records of sessions: the first of each, and those that follow.

    A record is closed at the time limit and when the radio access changes. Bytes are shared out
    about by time with whole numbers, so that they add up to the session's.

    Args:
        day: The day on which the sessions start.
        sessions: Columns of `_sessions`.
        shift: As there.
        ways: Milliseconds from each cell to its gateway and back.
    """
    limit = day.inputs.config.charging.data_time_limit_s * SECOND
    way = _way(day, sessions, shift)
    duration = sessions["duration"]
    cuts, cut_at = way.changes_of_access(sessions["rat"])
    _hold_down(day.inputs, sessions, way, cuts)
    # The stretch of each session before the first change; then those from a change on.
    until = duration.copy()
    until[cuts[::-1]] = cut_at[::-1]
    begin = np.zeros_like(duration)
    first = _records(day.inputs, sessions, way, begin, np.minimum(until, limit), begin, ways)
    following = np.append(cuts[1:] == cuts[:-1], False)
    end = np.where(following, np.append(cut_at[1:], 0), duration[cuts])
    count = -(-(end - cut_at) // limit)
    earlier = np.cumsum(count) - count
    fresh = np.flatnonzero(np.append(True, cuts[1:] != cuts[:-1])[: len(cuts)])
    runs = np.diff(np.append(fresh, len(cuts)))
    number = -(-until[cuts] // limit) + earlier - np.repeat(earlier[fresh], runs)
    long = np.flatnonzero(until > limit)
    rows = np.concatenate([long, cuts])
    if not rows.size:
        return [first]
    start = np.concatenate([np.full(len(long), limit), cut_at])
    stop = np.concatenate([until[long], end])
    number = np.concatenate([np.ones_like(long), number])
    count = -(-(stop - start) // limit)
    each = np.repeat(np.arange(len(rows)), count)
    step = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
    start = start[each] + step * limit
    chosen = {name: values[rows[each]] for name, values in sessions.items()}
    chosen["row"] = rows[each]
    stop = np.minimum(start + limit, stop[each])
    later = _records(day.inputs, chosen, way, start, stop, number[each] + step, ways)
    return [first, later]


@dataclass(frozen=True)
class _Way:
    """Changes of the cell during sessions, session after session and in order of time.

    Attributes:
        row: Session.
        time: Microseconds from its start.
        cell: The cell from then on.
        rat: The radio access there.
    """

    row: Rows
    time: Rows
    cell: Rows
    rat: np.ndarray

    def changes_of_access(self, rat: np.ndarray) -> tuple[Rows, Rows]:
        """Return session and time of the changes of the radio access.

        Args:
            rat: Radio access at the start of each session.
        """
        before = np.append(self.rat[:1], self.rat[:-1])
        fresh = np.append(True, self.row[1:] != self.row[:-1])[: len(self.row)]
        changes = np.flatnonzero(self.rat != np.where(fresh, rat[self.row], before))
        return self.row[changes], self.time[changes]

    def passed(self, row: Rows, time: Rows) -> Rows:
        """Return how many changes lie before each session's, or up to a time of it."""
        packed = (self.row << _TIME_BITS) + self.time
        return np.searchsorted(packed, (row << _TIME_BITS) + time, side="right")


def _way(day: Day, sessions: Columns, shift: int) -> _Way:
    """Return the changes of the cell during sessions at home.

    A session of seconds that starts at rest stays in its cell.
    """
    duration, start = sessions["duration"], sessions["time"] - shift
    may_move = sessions["moving"] | (duration > _LONG_ENOUGH_TO_MOVE)
    rows = np.flatnonzero(may_move & (sessions["country"] < 0))
    entity, begin = sessions["entity"][rows].astype(np.int64), start[rows]
    end = begin + duration[rows]
    found, time, cell, before = day.changes(entity, begin, end)
    row, entity = rows[found], entity[found]
    home = np.zeros(len(row), dtype=np.bool_)
    cell = served_cell(day.inputs, entity, cell, home)
    changed = np.flatnonzero(cell != served_cell(day.inputs, entity, before, home))
    row, time, cell, entity = row[changed], time[changed], cell[changed], entity[changed]
    # Somewhere in the second, for all sessions of a phone in the same moment; before the end.
    stream = draws.stream(day.inputs.config.seed, "data/change")
    keys = draws.keys(stream, day.inputs.population.leader[entity])
    time = time + draws.below(draws.events(keys, (time + day.start) // SECOND), SECOND)
    time = np.minimum(time - start[row], duration[row])
    # The device is that of the session's start.
    rat = packet_access(day, entity, start[row], cell, home[changed])
    return _Way(row, time, cell, rat)


def _hold_down(inputs: Inputs, sessions: Columns, way: _Way, cuts: Rows) -> None:
    """Cut down (in place) what the slowest carrier on the way could not carry.

    Args:
        inputs: The world.
        sessions: Columns of `_sessions`.
        way: Their changes of the cell.
        cuts: Those whose radio access changes.
    """
    if not len(way.row):
        return
    moved = np.unique(way.row)
    place = np.searchsorted(moved, way.row)
    rat, abroad = sessions["rat"][moved], sessions["country"][moved] >= 0
    first = highest_rate(rat, _share(inputs, sessions["cell"][moved], rat, abroad))
    slowest = first.copy()
    there = _share(inputs, way.cell, way.rat, abroad[place])
    np.minimum.at(slowest, place, highest_rate(way.rat, there))
    slower = slowest < first
    slower[np.searchsorted(moved, cuts)] = True
    rows, slowest = moved[slower], slowest[slower]
    most = _HALF / KBIT_PER_MICROSECOND * slowest * sessions["duration"][rows]
    for name, carries in (("down", most), ("up", most / UPLINK_FACTOR[sessions["rat"][rows]])):
        sessions[name][rows] = np.minimum(sessions[name][rows], carries.astype(np.int64))


def _records(
    inputs: Inputs,
    sessions: Columns,
    way: _Way,
    start: Rows,
    stop: Rows,
    number: Rows,
    ways: np.ndarray,
) -> Columns:
    """Return one record of each session.

    Args:
        inputs: The world.
        sessions: Sessions, one that has several records repeatedly; then with their `row` in `way`.
        way: Their changes of the cell.
        start: Start of the record, from that of its session.
        stop: End of the record.
        number: Number of the record within its session, from 0.
        ways: Milliseconds from each cell to its gateway and back.
    """
    duration = sessions["duration"]
    row = sessions.get("row")
    cell, rat = sessions["cell"].copy(), sessions["rat"].copy()
    last, handovers = cell.copy(), np.zeros(len(cell), dtype=np.int16)
    ends = stop == duration
    travels = np.zeros(int(way.row.max(initial=-1)) + 1, dtype=np.bool_)
    travels[way.row] = True
    if row is None:
        on = session = np.flatnonzero(travels)
    else:
        on = np.flatnonzero(row < len(travels))
        on = on[travels[row[on]]]
        session = row[on]
    at_limit = np.ones(len(cell), dtype=np.bool_)
    if on.size:
        none = way.passed(session, np.zeros_like(on))
        opened = way.passed(session, start[on])
        # What changes at the very end of a record that another one follows is that one's.
        closed = way.passed(session, stop[on] - ~ends[on])
        for target, passed in ((cell, opened), (last, closed)):
            chosen = passed > none
            target[on[chosen]] = way.cell[passed[chosen] - 1]
        chosen = opened > none
        rat[on[chosen]] = way.rat[opened[chosen] - 1]
        handovers[on] = np.minimum(closed - opened, _MOST_HANDOVERS)
        following = np.minimum(closed, len(way.row) - 1)
        changes = (way.row[following] == session) & (way.time[following] == stop[on])
        at_limit[on] = ~(changes & (way.rat[following] != rat[on]))
    cause = _CLOSED[sessions["abnormal"].view(np.int8)]
    goes_on = np.flatnonzero(~ends)
    cause[goes_on] = np.where(
        at_limit[goes_on], CauseForRecClosing.TIME_LIMIT, CauseForRecClosing.RAT_CHANGE
    )
    up, down = _carried(sessions, start, stop)
    length, country = stop - start, sessions["country"]
    per_byte = time_per_byte(sessions["pace"], rat, _share(inputs, cell, rat, country >= 0))
    key = draws.events(sessions["key"], number)
    found = quality(key, rat, country, ways[cell], per_byte, up, down, length)
    session = sessions["session"]
    return {
        "time": sessions["time"] + start,
        "entity": sessions["entity"],
        "service": sessions["service"],
        "seconds": ((length + SECOND // 2) // SECOND).astype(np.int32),
        "up": up,
        "down": down,
        "cause": cause,
        "number": (number + 1).astype(np.int16),
        "cell": cell,
        "last_cell": last,
        "handovers": handovers,
        "rat": rat,
        "country": country,
        "lease": sessions["lease"],
        "event": inputs.ids.event.of(_record(session, number)),
        "charging": inputs.ids.charging.of(session),
        "downlink": found.downlink,
        "uplink": found.uplink,
        "latency": found.latency,
        "loss": found.loss,
    }


def _carried(sessions: Columns, start: Rows, stop: Rows) -> tuple[Rows, Rows]:
    """Return the bytes up and down of each record: of a part of a session its share."""
    up, down, duration = sessions["up"], sessions["down"], sessions["duration"]
    parts = np.flatnonzero(stop - start < duration)
    if not parts.size:
        return up, down
    up, down = up.copy(), down.copy()
    key, even, lasting = sessions["key"][parts], sessions["even"][parts], duration[parts]
    first = _traffic_time(key, even, start[parts], lasting)
    until = _traffic_time(key, even, stop[parts], lasting)
    up[parts] = _bytes_of(up[parts], first, until, lasting)
    down[parts] = _bytes_of(down[parts], first, until, lasting)
    return up, down


def _traffic_time(session: Bits, even: np.ndarray, time: Rows, duration: Rows) -> Rows:
    """Return how far the traffic of a session is at a time, as a time of even traffic.

    Of some sessions more flows early and of some late, by up to 0.6 of the mean rate at both ends;
    not where the radio access is busy anyway.
    """
    skew = np.where(even, 0, draws.below(draws.bits(session, "skew"), 1201) - 600)
    # Milliseconds, or the products would not fit 63 bits.
    passed, total = time // 1000, np.maximum(duration // 1000, 1)
    left = np.maximum(total - passed, 0)
    return time + passed * left // total * skew


def _bytes_of(volume: Rows, start: Rows, end: Rows, duration: Rows) -> Rows:
    """Return the bytes of [start, end), of a volume spread evenly over the duration."""
    # Milliseconds: a product of bytes and microseconds would not fit 63 bits.
    total = np.maximum(duration // 1000, 1)
    return volume * (end // 1000) // total - volume * (start // 1000) // total


def _columns(inputs: Inputs, day: Day, part: Part, rows: Columns) -> dict[str, Column]:
    entity, cell = rows["entity"], rows["cell"]
    serving, plans = inputs.cells.serving, inputs.plans
    plan = inputs.population.plan[entity]
    on_nr = rows["rat"] == NR
    country = rows["country"]
    abroad, charging = country >= 0, rows["charging"]
    lease = rows["lease"] * np.int32(part.size)
    return {
        **served_columns(day, entity, rows["time"]),
        **where_columns(day, entity, cell, country, charging.view(np.uint64)),
        "event_id": pl.Series(rows["event"]),
        "event_time": moment(day, rows["time"]),
        "record_type": enum_of(_TYPES, on_nr),
        "charging_id": pl.Series(charging),
        "record_sequence_number": pl.Series(rows["number"]),
        "recording_entity": CodedText.of(inputs.cells.element_id, serving["pgw"][cell]),
        "serving_node": CodedText.of(inputs.lookups.element_id, serving["sgw"][cell], abroad),
        "access_point_name": _of_few(plans["access_point_name"], plan),
        "served_pdp_address": CodedText.of(
            _addresses(day, part), entity - np.int32(part.start) + lease
        ),
        "service": _of_few(services(inputs.config).names, rows["service"]),
        "duration": pl.Series(rows["seconds"]),
        "data_volume_uplink": pl.Series(rows["up"]),
        "data_volume_downlink": pl.Series(rows["down"]),
        "cause_for_rec_closing": pl.Series(rows["cause"]),
        "last_cell_id": CodedText.of(inputs.lookups.cell_id, rows["last_cell"], abroad),
        "handovers": pl.Series(rows["handovers"]),
        "throughput_downlink": pl.Series(rows["downlink"]),
        "throughput_uplink": pl.Series(rows["uplink"]),
        "latency": pl.Series(rows["latency"] / 10.0),
        "packet_loss": pl.Series(rows["loss"] / 1000.0),
        "rat_type": rat_of(rows["rat"]),
        "qci": pl.Series(plans["qci"].to_numpy()[plan]),
        # Outside the 5G core there are no slices.
        "s_nssai": _of_few(
            plans["s_nssai"].extend_constant(None, 1), np.where(on_nr, plan, np.int32(len(plans)))
        ),
    }


def _of_few(texts: pl.Series, rows: np.ndarray) -> CodedText:
    """Return the column of a short list of texts, with equal ones and nulls, at `rows`."""
    used = np.zeros(len(texts), dtype=np.bool_)
    used[rows] = True
    there = np.flatnonzero(used)
    coded = CodedText.of_few(texts, there)
    place = np.zeros(len(texts), dtype=np.int32)
    place[there] = coded.codes
    return CodedText(coded.texts, place[rows])


def _record(session: Rows, number: Rows) -> Rows:
    """Return the packed number of each record: beyond 16 of a session it goes on in other kinds."""
    packed = session + number
    further = np.flatnonzero(number >= RECORDS_PER_EVENT)
    if further.size:
        block, place = np.divmod(number[further], RECORDS_PER_EVENT)
        first = EVENT_KINDS["data_more"] - EVENT_KINDS["data"] - 1
        packed[further] = session[further] + place + ((first + block) << _KIND_SHIFT)
    return packed


def _leases(inputs: Inputs, entities: Rows) -> Rows:
    """Return the time of the day at which each entity is given a new address."""
    habit = draws.stream(inputs.config.seed, "address/lease")
    # Before the hour from which sessions reach into the next day: two leases serve a day.
    return draws.below(draws.keys(habit, entities), (DAY - TAIL) // SECOND) * SECOND


def _addresses(day: Day, part: Part) -> pl.Series:
    """Return each subscriber's address in the shared space 100.64.0.0/10 (RFC 6598).

    A lease lasts a day from the subscriber's own time of day, and a session keeps its address
    until it ends: first come the leases that begin on the day, then those of the day before.
    Leases of one day have the even addresses and those of the next the odd ones.
    """
    entities = np.arange(part.start, part.stop)
    seed, half = day.inputs.config.seed, _ADDRESSES // 2
    host = np.concatenate(
        [
            Permutation(half, seed, f"address/{number}")(entities % half) * 2 + number % 2
            for number in (day.number, day.number - 1)
        ]
    )
    upper = pl.Series([f"100.{64 + high}" for high in range(_ADDRESSES >> 16)])
    return pl.select(
        pl.concat_str(upper.gather(host >> 16), _lower_octets().gather(host & 0xFFFF))
    ).to_series()


@lru_cache(maxsize=1)
def _lower_octets() -> pl.Series:
    return pl.Series([f".{high}.{low}" for high in range(256) for low in range(256)])
