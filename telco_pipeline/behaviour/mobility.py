"""Where: the cell of any subscriber at any time of a day, or the country visited.

Belongs here: reading the plans of a day: positions, changes of the cell on the way, handovers.
Does not belong here: what the plans are (`plans`), who is out of reach (`absences`), which cell
serves a point (`terrain`), location updates as records (`generators.locations`).

Everybody is at a stay or on a way between two. On a way a phone changes its cell at fixed times
(one step of a way is about a kilometre), so that positions, changes of the cell and handovers tell
the same. All is a function of (seed, entity, date): both ends of a call are asked independently.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.absences import (
    AT_HOME,
    COUNTRIES,
    FIRST_OFF,
    SLEEPS,
    WEEK,
    Absences,
)
from telco_pipeline.behaviour.plans import STAYS, Planner
from telco_pipeline.behaviour.population import Population
from telco_pipeline.behaviour.presence import Placed
from telco_pipeline.behaviour.terrain import NEIGHBOURS, PREFERENCE_OF_RAT, Terrain, Ways
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.zoning import Use

__all__ = ["AT_HOME", "COUNTRIES", "FIRST_OFF", "WEEK", "Mobility", "Positions"]

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Cells overlap: a phone at rest goes over to a neighbour now and then, some phones hardly ever,
# depending on where they are. Time is cut into slots, whose length and beginning are a phone's own
# (one of 16 lengths of about 1 to 2 h). In some slots a neighbour serves for a while: between two
# uniform points, so about a third of the slot, half an hour on average, without any usual duration
# (our assumption: a phone in idle mode keeps its cell for long).
_SLOT_LEAST: Final = 3607  # seconds
_SLOT_STEP: Final = 239
_SLOT_CLASSES: Final = np.uint64(15)
_SLOT_SHIFT: Final = np.uint64(11)
# To the time between the two points come 30 to 93 s: no phone changes its cell to and fro at once,
# and the shortest whiles have no common length.
_WHILE_LEAST: Final = 30
_WHILE_SPREAD: Final = np.uint64(63)
_WHILE_ADDED: Final = _WHILE_LEAST + 1 + int(_WHILE_SPREAD)  # what the points leave free for it
_RESTLESS: Final = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08)  # share of the time at rest
_SLOTS_PER_WHILE: Final = 2.95  # length of a slot by the mean of the whiles in it
_FIRST_NEIGHBOUR: Final = 0.7  # share of the nearest of two
_MOST_HANDOVERS: Final = 30_000
_TRACED: Final = 2048  # entities whose whole day is traced at a time: arrays stay in the cache
_RESTLESS_LIMIT: Final = np.array(
    [round(share * _SLOTS_PER_WHILE * 65536) for share in _RESTLESS], dtype=np.uint64
)
_RESTLESS_SHIFT: Final = np.uint64(61)
_PHASE_LOG2: Final = 11
_PHASE: Final = np.uint64((1 << _PHASE_LOG2) - 1)
_LOW_16: Final = np.uint64(0xFFFF)
# Bits of the draw of a slot: the lowest 16 tell whether a neighbour serves in it, further when.
_POINT_SHIFTS: Final = (np.uint64(16), np.uint64(32))
_WHILE_SHIFT: Final = np.uint64(48)
# Eight comparisons of a byte each, summed in the upper byte of a product.
_BYTES: Final = np.uint64(0x0101010101010101)


@dataclass(frozen=True)
class _Slots:
    """Slots of rest of some phones.

    Attributes:
        key: Key of each phone's rest.
        number: Number of the slot, the same on all days.
        begin: Second of the day in which it begins.
        length: Its length in seconds.
    """

    key: Bits
    number: Rows
    begin: Rows
    length: Rows

    def later(self, row: Rows, later: npt.NDArray[np.integer] | int = 0) -> "_Slots":
        """Return the slots so many after those of some rows."""
        length = self.length[row]
        begin = self.begin[row] + later * length
        return _Slots(self.key[row], self.number[row] + later, begin, length)

    def whiles(self) -> tuple[Rows, Rows]:
        """Return from which second of the day until which a neighbour serves, if one does."""
        drawn = draws.events(self.key, self.number)
        room = self.length - _WHILE_ADDED
        one, other = (
            (drawn >> shift & _LOW_16).astype(np.int64) * room >> 16 for shift in _POINT_SHIFTS
        )
        added = _WHILE_LEAST + (drawn >> _WHILE_SHIFT & _WHILE_SPREAD).astype(np.int64)
        return self.begin + np.minimum(one, other), self.begin + np.maximum(one, other) + added


@dataclass(frozen=True)
class Positions:
    """Positions at some times.

    Attributes:
        cell: Row of the cell; for somebody abroad, of the home cell.
        country: Row of the country in `COUNTRIES`; -1 at home.
        moving: Who is on the way.
    """

    cell: Rows
    country: Rows
    moving: Flags

    @property
    def abroad(self) -> Flags:
        """Who is abroad."""
        return self.country >= 0


class Mobility:
    """Positions of a whole population during one UTC day (and some hours around it)."""

    def __init__(
        self,
        config: WorldConfig,
        population: Population,
        terrain: Terrain,
        day: dt.date,
        rat: npt.NDArray[np.int8] | None = None,
        placed: Placed | None = None,
    ) -> None:
        """Work out the day of every subscriber.

        Args:
            config: The world.
            population: Its subscribers.
            terrain: The country.
            day: The UTC day.
            rat: Best radio access (position in `population.RATS`) of each entity's device on the
                day; as on the epoch by default.
            placed: Where scenario layers put SIMs around the day; nowhere by default.
        """
        plans = Planner(config, population, terrain, day, rat, placed).make()
        self._bounds, self._cells = plans.bounds, plans.cells
        self._absences = Absences(config, population, day, placed)
        self._population = population
        self._terrain = terrain
        self._rat = population.rat if rat is None else rat
        self._way_stream = draws.stream(config.seed, "mobility/way")
        self._rest_stream = draws.stream(config.seed, "mobility/rest")
        # Slots of rest are counted on one clock for all days, so that days agree at midnight.
        self._midnight = self._absences.today * (DAY // SECOND)
        self._still = plans.still
        self._moved = plans.moved

    # Positions -------------------------------------------------------------------------------

    def at(self, entity: npt.NDArray[np.integer], time_of_day: Rows) -> Positions:
        """Return where each entity is.

        Args:
            entity: Entity numbers.
            time_of_day: Microseconds since the start of the UTC day. Before the day everybody is
                where the day begins, after it where it ends.
        """
        entity = np.asarray(entity)
        seconds = (time_of_day // SECOND).astype(np.int32)
        passed = self._passed(entity, seconds)
        cell = self._cells.reshape(-1)[entity * np.int64(STAYS) + (passed >> 1)].astype(np.int64)
        moving = (passed & 1).astype(np.bool_)
        slots = self._slots(entity, seconds)
        rows = np.flatnonzero(self._restless(entity, slots) & ~moving)
        if rows.size:
            begin, end = slots.later(rows).whiles()
            rows = rows[(begin <= seconds[rows]) & (seconds[rows] < end)]
            who = entity[rows].astype(np.int64)
            cell[rows] = self._neighbour(who, cell[rows], slots.later(rows))
        rows = np.flatnonzero(moving)
        if rows.size:
            who, move = entity[rows].astype(np.int64), passed[rows] >> 1
            ways = self._ways(who, move)
            step = self._step(who, move, seconds[rows], ways.steps)
            cell[rows] = self._cell_on_way(who, ways, step)
        return Positions(cell, self._absences.country(entity, time_of_day), moving)

    def present(self, entity: npt.NDArray[np.integer], time_of_day: Rows) -> Flags:
        """Return who is in the country as a visitor; everybody else counts as present."""
        return self._absences.present(entity, time_of_day)

    def _passed(self, entity: npt.NDArray[np.integer], seconds: npt.NDArray[np.int32]) -> Rows:
        """Return how many of the 16 boundaries of its day each entity has passed.

        Even: it is at the stay of half that number; odd: on the way from there.
        """
        passed = (self._bounds[entity] <= seconds[:, None]).view(np.uint64)
        return ((passed[:, 0] + passed[:, 1]) * _BYTES >> np.uint64(56)).astype(np.int64)

    # Rest ------------------------------------------------------------------------------------

    def _slots(self, entity: npt.NDArray[np.integer], seconds: npt.NDArray[np.integer]) -> _Slots:
        """Return the slots of rest in which some seconds of the day lie."""
        key = draws.keys(self._rest_stream, self._population.leader[entity])
        length = (key >> _SLOT_SHIFT & _SLOT_CLASSES).astype(np.int64) * _SLOT_STEP + _SLOT_LEAST
        phase = (key & _PHASE).astype(np.int64) * length >> _PHASE_LOG2
        phase += self._midnight
        number = (seconds + phase) // length
        return _Slots(key, number, number * length - phase, length)

    def _restless(self, entity: npt.NDArray[np.integer], slots: _Slots) -> Flags:
        """Return in which slots a neighbour serves for a while (see `_Slots.whiles`)."""
        drawn = draws.events(slots.key, slots.number) & _LOW_16
        return (drawn < _RESTLESS_LIMIT[slots.key >> _RESTLESS_SHIFT]) & ~self._still[entity]

    def _neighbour(self, entity: Rows, cell: Rows, slots: _Slots) -> Rows:
        """Return the neighbour cell that serves a phone in a slot in which one does."""
        key = slots.key
        preference = PREFERENCE_OF_RAT[self._rat[entity]]
        site = self._terrain.site[cell].astype(np.int64)
        bits = draws.bits(draws.events(key, slots.number), "neighbour")
        number = draws.below(draws.events(key, site), NEIGHBOURS)
        number = (number + ~draws.chance(bits, _FIRST_NEIGHBOUR)) % NEIGHBOURS
        beside = self._terrain.neighbour(site, preference, number)
        there, heard = self._terrain.beside_heard(
            site, beside, preference, draws.events(key, beside), Use.HOME
        )
        # Where sites are far apart a neighbour may be out of hearing.
        return np.where(heard, there, cell)

    # Ways ------------------------------------------------------------------------------------

    def _ways(self, entity: Rows, move: Rows) -> Ways:
        """Return the way of each entity's move, from the stay of that number to the next."""
        site = self._terrain.site
        origin = site[self._cells[entity, move]].astype(np.int64)
        return self._terrain.ways(origin, site[self._cells[entity, move + 1]].astype(np.int64))

    def _step(
        self, entity: Rows, move: Rows, seconds: npt.NDArray[np.integer], steps: Rows
    ) -> Rows:
        """Return on which step of its way each entity is."""
        start = self._bounds[entity, 2 * move].astype(np.int64)
        span = self._bounds[entity, 2 * move + 1] - start
        return (seconds - start) * steps // np.maximum(span, 1)

    def _cell_on_way(self, entity: Rows, ways: Ways, step: Rows) -> Rows:
        """Return the cell on a step of each entity's way."""
        lead = self._population.leader[entity]
        key = draws.keys(self._way_stream, lead)
        return self._terrain.on_way(ways, step, PREFERENCE_OF_RAT[self._rat[entity]], key)

    def _on_ways(self, entity: Rows, move: Rows, begin: Rows, end: Rows) -> tuple[Rows, Rows, Rows]:
        """Return the steps of some moves: row of the move, first second and cell; in order.

        Args:
            entity: Entity of each move.
            move: Number of the move.
            begin: Second of the day from which it is looked at.
            end: Second until which it is looked at.
        """
        start = self._bounds[entity, 2 * move].astype(np.int64)
        span = self._bounds[entity, 2 * move + 1] - start
        ways = self._ways(entity, move)
        count = ways.steps
        first = np.clip((begin - start) * count // np.maximum(span, 1), 0, count - 1)
        last = np.clip((end - 1 - start) * count // np.maximum(span, 1), first, count - 1)
        # A move that takes no time has no steps.
        row, later = _counted(np.where(span > 0, last - first + 1, 0))
        step = first[row] + later
        path = ways.select(row)
        # The least second whose part of the way is the step's.
        second = start[row] - (-step * span[row] // count[row])
        return row, second, self._cell_on_way(entity[row], path, step)

    def _at_rest(
        self, entity: Rows, stay: Rows, start: Rows, stop: Rows
    ) -> tuple[Rows, Rows, Rows]:
        """Return the cells during parts of stays: row of the stay, first second and cell.

        First stand the cells of the stays themselves, at their start; then, in order, the neighbour
        cells and the returns from them. Of several in one second the last counts.

        Args:
            entity: Entity of each stay.
            stay: Number of the stay.
            start: Second of the day from which on it is looked at.
            stop: Second until which it is.
        """
        first = self._slots(entity, start)
        own = self._cells[entity, stay].astype(np.int64)
        last = (stop - 1 - first.begin) // first.length
        row, later = _counted(np.where(self._still[entity], 0, last + 1))
        chosen = np.flatnonzero(self._restless(entity[row], first.later(row, later)))
        row, later = row[chosen], later[chosen]
        slots = first.later(row, later)
        begin, end = slots.whiles()
        beside = self._neighbour(entity[row], own[row], slots)
        rows = np.concatenate([np.arange(len(entity)), np.repeat(row, 2)])
        second = np.concatenate([start, np.column_stack([begin, end]).reshape(-1)])
        cell = np.concatenate([own, np.column_stack([beside, own[row]]).reshape(-1)])
        kept = np.flatnonzero(second < stop[rows])
        rows = rows[kept]
        return rows, np.maximum(second[kept], start[rows]), cell[kept]

    def _trace(self, entity: Rows, start: Rows, stop: Rows) -> tuple[Rows, Rows, Rows]:
        """Return which cells serve phones from some seconds of the day to others.

        Returns:
            Row in `entity`, first second and cell; in order, the cell at `start` first. Some cells
            may stand several times in a row.
        """
        bounds = self._bounds[entity].astype(np.int64)
        leaves, arrives = bounds[:, 0::2], bounds[:, 1::2]
        opens = np.maximum(np.column_stack([start, arrives]), start[:, None])
        closes = np.minimum(np.column_stack([leaves, stop]), stop[:, None])
        stay_row, stay = np.nonzero(opens < closes)
        rest = self._at_rest(entity[stay_row], stay, opens[stay_row, stay], closes[stay_row, stay])
        moving = (np.maximum(leaves, start[:, None]) < np.minimum(arrives, stop[:, None])).nonzero()
        who = moving[0]
        way = self._on_ways(entity[who], moving[1], start[who], stop[who])
        row = np.concatenate([stay_row[rest[0]], moving[0][way[0]]])
        second = np.concatenate([rest[1], way[1]])
        cell = np.concatenate([rest[2], way[2]])
        second = np.maximum(second, start[row])
        # Stays, whiles at neighbours and ways are each in order, so this sort is a merge.
        order = np.argsort(row * (2 * DAY // SECOND) + second, kind="stable")
        order = order[(second < stop[row])[order]]
        row, second, cell = row[order], second[order], cell[order]
        # Of the steps before the start only the last counts.
        kept = np.ones(len(row), dtype=np.bool_)
        kept[:-1] = (row[1:] != row[:-1]) | (second[1:] != second[:-1])
        return row[kept], second[kept], cell[kept]

    def _changes(self, entity: Rows, start: Rows, stop: Rows) -> tuple[Rows, Rows, Rows, Rows]:
        """Return the changes of the cell: row in `entity`, second, cell and the cell before."""
        row, second, cell = self._trace(entity, start, stop)
        changed = 1 + np.flatnonzero((cell[1:] != cell[:-1]) & (row[1:] == row[:-1]))
        return row[changed], second[changed], cell[changed], cell[changed - 1]

    def crossings(self, entities: npt.NDArray[np.integer]) -> tuple[Rows, Rows, Rows, Rows]:
        """Return all changes of the cell on the day, whether or not the phone is on.

        Args:
            entities: Entity numbers.

        Returns:
            Entity, time in microseconds of the UTC day, cell and the cell before; in the order of
            `entities` and of time.
        """
        entities = np.asarray(entities).astype(np.int64)
        entities = entities[~self._still[entities] | np.isin(entities, self._moved)]
        batches = [[np.zeros(0, dtype=np.int64)] * 4]
        for begin in range(0, len(entities), _TRACED):
            some = entities[begin : begin + _TRACED]
            midnight = np.zeros(len(some), dtype=np.int64)
            found = self._changes(some, midnight, midnight + DAY // SECOND)
            batches.append([some[found[0]], found[1] * SECOND, found[2], found[3]])
        who, time, cell, previous = (np.concatenate(part) for part in zip(*batches, strict=True))
        return who, time, cell, previous

    def changes(
        self, entity: npt.NDArray[np.integer], start: Rows, end: Rows
    ) -> tuple[Rows, Rows, Rows, Rows]:
        """Return the changes of the serving cell while something lasts.

        These are the changes after `start` and not after `end`: on the way from cell to cell, at
        rest to a neighbour cell and back.

        Args:
            entity: Entity numbers.
            start: Beginnings in microseconds of the UTC day.
            end: Ends; what lies after the day counts as if everybody stayed.

        Returns:
            Row in `entity`, time in microseconds, cell and the cell before; in order of both.
        """
        entity = np.asarray(entity).astype(np.int64)
        begin, stop = start // SECOND, end // SECOND
        first = self._passed(entity, begin.astype(np.int32))
        last = self._passed(entity, stop.astype(np.int32))
        rows = np.flatnonzero(
            (first != last) | (first & 1 == 1) | self._unquiet(entity, begin, stop)
        )
        row, second, cell, before = self._changes(entity[rows], begin[rows], stop[rows] + 1)
        return rows[row], second * SECOND, cell, before

    def _unquiet(self, entity: Rows, begin: Rows, stop: Rows) -> Flags:
        """Return whose cell may change at rest after one second and not after another.

        Most calls end in the slot in which they begin, and no while at a neighbour begins or ends
        meanwhile; the others are traced.
        """
        slots = self._slots(entity, begin)
        passed = (stop - slots.begin) // slots.length
        unquiet = passed > 1
        rows = np.flatnonzero(passed == 1)
        unquiet[rows] = self._restless(entity[rows], slots.later(rows, 1))
        rows = np.flatnonzero(self._restless(entity, slots))
        for second in slots.later(rows).whiles():
            unquiet[rows] |= (begin[rows] < second) & (second <= stop[rows])
        return unquiet

    def handovers(
        self, entity: npt.NDArray[np.integer], start: Rows, end: Rows
    ) -> npt.NDArray[np.int16]:
        """Return how often the serving cell changes while something lasts (as in `changes`)."""
        count = np.bincount(self.changes(entity, start, end)[0], minlength=len(entity))
        return np.minimum(count, _MOST_HANDOVERS).astype(np.int16)

    # Out of reach ----------------------------------------------------------------------------

    def switched_off(self, entity: npt.NDArray[np.integer], time_of_day: Rows) -> Flags:
        """Return whose phone is out of reach at a time (as in `at`).

        That is: switched off for the night, between two networks at a border or in a flight, or
        gone with its visitor.
        """
        return self._absences.switched_off(entity, time_of_day)

    def until_on(self, entity: npt.NDArray[np.integer], time_of_day: Rows) -> Rows:
        """Return the microseconds until phones that are out of reach are on again.

        A night lasts up to half a day, a way to another country three hours; a visitor comes back
        after weeks.
        """
        return self._absences.until_on(entity, time_of_day)

    def may_go(self, entity: npt.NDArray[np.integer]) -> Rows:
        """Return the rows of entities whose phone `until_gone` may find gone; the rest stay."""
        return np.flatnonzero(self._absences.flags[entity])

    def until_gone(self, entity: npt.NDArray[np.integer], time_of_day: Rows) -> Rows:
        """Return the microseconds until a phone that is on goes out of reach.

        It is switched off, crosses a border, or leaves with its visitor. A day or more stands for
        "not today".
        """
        return self._absences.until_gone(entity, time_of_day)

    def nights(self, entity: npt.NDArray[np.integer]) -> tuple[Rows, Rows, Flags]:
        """Return the local seconds of switching off and on, and who does so at all."""
        off, on = self._absences.nights(entity)
        return off, on, (self._absences.flags[entity] & SLEEPS) > 0

    def gone_abroad(self, entity: npt.NDArray[np.integer], time_of_day: Rows) -> Flags:
        """Return who is on a trip abroad, in no network or in one abroad, at a time."""
        return self._absences.gone_abroad(np.asarray(entity), time_of_day)


def _counted(count: Rows) -> tuple[Rows, Rows]:
    """Return each row as often as it counts, and the number within the row from 0."""
    row = np.repeat(np.arange(len(count)), count)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
