"""Detours: how a day's plan gives way where layers put somebody at a place.

Belongs here: cutting windows into the plans of a day, with the ways to them and back. Does not
belong here: who has to be where when (`presence`), the plans themselves (`plans`).

Whoever is due somewhere leaves the plan in time, from the last stop from which the way can be made,
and returns to the first one that is still reached. What lies between is left out. What happens
around a midnight follows from the windows and the night place alone, which both days know: a way
over midnight is the same move in both plans, before the start of the one or beyond the end of the
other. Who has to be at two places with no time to go home in that night goes there directly.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.presence import Placed
from telco_pipeline.behaviour.terrain import Terrain

Rows = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer]
Flags = npt.NDArray[np.bool_]

_SECONDS: Final = 24 * 3600
_FAR: Final = 6 * 3600  # longer than any way takes
_AROUND: Final = 2 * _SECONDS  # before and after the day: windows that may follow on one another
_EVER: Final = 1 << 40


@dataclass
class _Stays:
    """Stays of some entities, a row each, in order of time; those not `live` do not count.

    Attributes:
        cell: Where.
        arrive, leave: From when until when, in seconds of the day.
        live: Which are there.
        pinned: Which may not be left out.
    """

    cell: Rows
    arrive: Rows
    leave: Rows
    live: Flags
    pinned: Flags

    def take(self, rows: npt.NDArray) -> "_Stays":
        """Return those of some entities, as a copy."""
        return _Stays(*(getattr(self, field.name)[rows].copy() for field in fields(self)))

    def put(self, rows: Rows, other: "_Stays") -> None:
        """Take over others of some entities."""
        more = other.cell.shape[1] - self.cell.shape[1]
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            mine = np.pad(mine, ((0, 0), (0, max(more, 0))))
            mine[rows] = np.pad(theirs, ((0, 0), (0, max(-more, 0))))
            setattr(self, field.name, mine)

    def last(self) -> Rows:
        """Return the position of the last stay of each entity."""
        return self.live.shape[1] - 1 - self.live[:, ::-1].argmax(axis=1)


@dataclass(frozen=True)
class Windows:
    """Windows of one entity after the other, as `presence.Placed`, but with the cell of the device.

    Attributes:
        row: Position of the entity, rising.
        start, end: Seconds of the day.
        cell: Where.
    """

    row: Rows
    start: Rows
    end: Rows
    cell: Rows


def windows_around(placed: Placed, today: int) -> Placed:
    """Return the windows that may matter for a day's plan.

    Args:
        placed: Where layers put SIMs.
        today: Number of the day.
    """
    start = today * _SECONDS
    near = (placed.start < start + _SECONDS + _FAR) & (placed.end > start - _FAR)
    who = np.unique(placed.entity[near])
    around = (placed.start < start + _SECONDS + _AROUND) & (placed.end > start - _AROUND)
    return placed.select(around & np.isin(placed.entity, who))


def give_way(
    terrain: Terrain, bounds: Integers, cells: Integers, windows: Windows
) -> tuple[Rows, Rows, Flags]:
    """Return plans of a day that keep to windows.

    Args:
        terrain: The country.
        bounds: Departures and arrivals as in `plans.Plans`, a row per entity.
        cells: Cells of the stays, likewise.
        windows: When each is where, all that may follow on one another.

    Returns:
        The same, and which plans have any way in them.
    """
    made = _unpacked(bounds, cells)
    night = (cells[:, 0].astype(np.int64), cells[:, -1].astype(np.int64))
    turn = np.arange(len(windows.row)) - np.searchsorted(windows.row, windows.row, side="left")
    start, end, linked = _reconciled(terrain, windows, turn, night)
    for number in range(int(turn.max(initial=-1)) + 1):
        chosen = np.flatnonzero(turn == number)
        following = np.append(windows.row[1:] == windows.row[:-1], False)[chosen]
        later = np.minimum(chosen + 1, len(start) - 1)
        # What comes next, and what was before; nothing stands for far away.
        next_start = np.where(following, start[later], _EVER)
        end_before = np.where(number > 0, end[chosen - 1], -_EVER)
        visit = _Visit(
            windows.row[chosen],
            windows.cell[chosen],
            start[chosen],
            end[chosen],
            linked[chosen],
            following & linked[later],
            next_start,
            end_before,
        )
        _visit(terrain, made, visit, night)
    return _packed(terrain, made, bounds.shape[1] // 2 + 1)


@dataclass(frozen=True)
class _Visit:
    """A window of each of some entities."""

    row: Rows
    cell: Rows
    start: Rows
    end: Rows
    linked: Flags
    links: Flags
    next_start: Rows
    end_before: Rows

    def select(self, chosen: npt.NDArray) -> "_Visit":
        return _Visit(*(getattr(self, field.name)[chosen] for field in fields(self)))


def _travel(terrain: Terrain, origin: Rows, target: Rows) -> Rows:
    """Return the seconds of the ways between cells, 0 on one site."""
    shape = np.broadcast_shapes(origin.shape, target.shape)
    one = terrain.site[np.broadcast_to(origin, shape).reshape(-1)].astype(np.int64)
    other = terrain.site[np.broadcast_to(target, shape).reshape(-1)].astype(np.int64)
    seconds = np.zeros(len(one), dtype=np.int64)
    rows = np.flatnonzero(one != other)
    ways = terrain.ways(one[rows], other[rows])
    seconds[rows] = terrain.travel_seconds(ways.metres)
    return seconds.reshape(shape)


def _reconciled(
    terrain: Terrain, windows: Windows, turn: Rows, night: tuple[Rows, Rows]
) -> tuple[Rows, Rows, Flags]:
    """Return starts and ends that leave time for the ways between windows.

    The one that begins later is kept to, as far as there is time at all. Two with a midnight
    between them and no time to go home in that night are linked: one stays at the first until it
    is time to leave for the second.
    """
    start, end = windows.start.copy(), windows.end.copy()
    linked = np.zeros(len(start), dtype=np.bool_)
    for number in range(1, int(turn.max(initial=-1)) + 1):
        now = np.flatnonzero(turn == number)
        before = now - 1
        way = _travel(terrain, windows.cell[before], windows.cell[now])
        end[before] = np.maximum(np.minimum(end[before], start[now] - way), start[before])
        start[now] = np.maximum(start[now], end[before] + way)
        end[now] = np.maximum(end[now], start[now])
        for midnight, place in zip((0, _SECONDS), night, strict=True):
            over = np.flatnonzero((end[before] <= midnight) & (start[now] >= midnight))
            one, two = before[over], now[over]
            home = place[windows.row[one]]
            ways = _travel(terrain, windows.cell[one], home)
            ways = ways + _travel(terrain, home, windows.cell[two])
            direct = end[one] + ways > start[two]
            linked[two[direct]] = True
            end[one[direct]] = (start[two] - way[over])[direct]
    return start, end, linked


def _visit(terrain: Terrain, made: _Stays, visit: _Visit, night: tuple[Rows, Rows]) -> None:
    """Cut a window of each of some entities into its plan."""
    morning, evening = night[0][visit.row], night[1][visit.row]
    home = visit.end + _travel(terrain, visit.cell, morning)
    over = (visit.end <= 0) & (visit.next_start > 0) & (visit.links | (home > 0))
    if over.any():
        _come_back(terrain, made, visit.select(over), morning[over], home[over])
    leave = visit.start - _travel(terrain, evening, visit.cell)
    ahead = (visit.start >= _SECONDS) & (visit.end_before <= _SECONDS)
    ahead &= np.where(visit.linked, visit.end_before < _SECONDS, leave < _SECONDS)
    if ahead.any():
        _go_ahead(terrain, made, visit.select(ahead), evening[ahead], leave[ahead])
    within = (visit.start < _SECONDS) & (visit.end > 0)
    if within.any():
        _be_there(terrain, made, visit.select(within), evening[within])


def _come_back(terrain: Terrain, made: _Stays, visit: _Visit, home: Rows, back: Rows) -> None:
    """Begin the day on the way from a place of the day before to the night place, or on to another.

    Args:
        terrain: The country.
        made: Stays of all.
        visit: Windows that ended before the day.
        home: Night place of each.
        back: When each is back there.
    """
    stays = made.take(visit.row)
    # Who is back later than the plan leaves goes on to the first stop that can still be reached.
    ways = _travel(terrain, home[:, None], stays.cell)
    after, there = _first(stays, back[:, None] + ways)
    size = len(back)
    cell = np.column_stack([visit.cell, home])
    arrive = np.column_stack([np.full(size, -_EVER), back])
    leave = np.column_stack([visit.end, there - ways[np.arange(size), after]])
    nothing = np.full(size, -1)
    live = np.column_stack([np.ones(size, dtype=np.bool_), ~visit.links])
    made.put(visit.row, _inserted(stays, nothing, nothing, cell, arrive, leave, after, there, live))


def _go_ahead(terrain: Terrain, made: _Stays, visit: _Visit, home: Rows, leave: Rows) -> None:
    """End the day on the way to a place of the next day, from the night place or from another.

    Args:
        terrain: The country.
        made: Stays of all.
        visit: Windows that begin after the day.
        home: Night place of each.
        leave: When each has to leave from there.
    """
    stays = made.take(visit.row)
    size = len(leave)
    rows = np.arange(size)
    ways = _travel(terrain, stays.cell, home[:, None])
    before = _latest(stays, leave[:, None] - ways)
    gone = leave - ways[rows, before]
    before = np.where(visit.linked, _last_pinned(stays), before)
    gone = np.where(visit.linked, visit.end_before, gone)
    cell = np.column_stack([home, visit.cell])
    arrive = np.column_stack([leave, visit.start])
    ends = np.column_stack([leave, np.full(size, _EVER)])
    live = np.column_stack([~visit.linked, np.ones(size, dtype=np.bool_)])
    # Nothing comes after.
    nothing = np.full(size, stays.cell.shape[1])
    made.put(visit.row, _inserted(stays, before, gone, cell, arrive, ends, nothing, leave, live))


def _be_there(terrain: Terrain, made: _Stays, visit: _Visit, home: Rows) -> None:
    """Be at a place on the day.

    Args:
        terrain: The country.
        made: Stays of all.
        visit: Windows of the day.
        home: Night place after the day of each.
    """
    stays = made.take(visit.row)
    size = len(home)
    rows = np.arange(size)
    ways = _travel(terrain, stays.cell, visit.cell[:, None])
    leave = visit.start[:, None] - ways
    before = _latest(stays, leave)
    # Who would have to leave before midnight does so from the night place, as the day before says.
    first = stays.live.argmax(axis=1)
    early = ~stays.pinned[rows, first] & (leave[rows, first] < 0)
    before = np.where(early, first, before)
    gone = leave[rows, before]
    pinned = _last_pinned(stays)
    before, gone = (
        np.where(visit.linked & (pinned >= 0), one, other)
        for one, other in ((pinned, before), (visit.end_before, gone))
    )
    before = np.where(visit.start <= 0, -1, before)
    arrives = visit.end[:, None] + ways
    after, there = _first(stays, arrives)
    late = visit.end + _travel(terrain, visit.cell, home) > _SECONDS
    last = stays.last()
    after = np.where(late, last, after)
    there = np.where(late, arrives[rows, last], there)
    ever = visit.end > _SECONDS
    after = np.where(ever, stays.cell.shape[1], after)
    cell, arrive = visit.cell[:, None], np.where(visit.start <= 0, -_EVER, visit.start)[:, None]
    leaves = np.where(ever, _EVER, visit.end)[:, None]
    made.put(visit.row, _inserted(stays, before, gone, cell, arrive, leaves, after, there))


def _latest(stays: _Stays, leave: Rows) -> Rows:
    """Return the last stay of each at which it is by the time it has to leave from there."""
    able = stays.live & (stays.arrive <= leave)
    return able.shape[1] - 1 - able[:, ::-1].argmax(axis=1)


def _first(stays: _Stays, arrive: Rows) -> tuple[Rows, Rows]:
    """Return the first stay of each that lasts until it gets there, and when that is."""
    found = (stays.live & (arrive <= stays.leave)).argmax(axis=1)
    return found, arrive[np.arange(len(found)), found]


def _last_pinned(stays: _Stays) -> Rows:
    """Return the position of the last stay of each that is a window's; -1 for none."""
    there = stays.live & stays.pinned
    last = there.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
    return np.where(there.any(axis=1), last, -1)


def _inserted(
    stays: _Stays,
    before: Rows,
    gone: Rows,
    cell: Rows,
    arrive: Rows,
    leave: Rows,
    after: Rows,
    back: Rows,
    live: Flags | None = None,
) -> _Stays:
    """Put stays between others; those in between are left out.

    Args:
        stays: The others.
        before: The last one that stays before.
        gone: When each leaves from there.
        cell: Cells of the new ones, columns in order.
        arrive: When each of them begins.
        leave: When it ends.
        after: The first one that stays after; it may be the same as `before`.
        back: When each arrives there.
        live: Which of the new ones there are; all by default.
    """
    width = np.arange(stays.cell.shape[1])
    head, tail = width <= before[:, None], width >= after[:, None]
    at_head, at_tail = width == before[:, None], width == after[:, None]
    new = np.ones(cell.shape, dtype=np.bool_) if live is None else live
    joined = _Stays(
        np.column_stack([stays.cell, cell, stays.cell]),
        np.column_stack([stays.arrive, arrive, np.where(at_tail, back[:, None], stays.arrive)]),
        np.column_stack([np.where(at_head, gone[:, None], stays.leave), leave, stays.leave]),
        np.column_stack([stays.live & head, new, stays.live & tail]),
        np.column_stack([stays.pinned, np.ones_like(new), stays.pinned]),
    )
    return _compact(joined)


def _compact(stays: _Stays) -> _Stays:
    """Return stays with those that count in front, as few columns as hold them."""
    order = np.argsort(~stays.live, axis=1, kind="stable")
    order = order[:, : int(stays.live.sum(axis=1).max(initial=1))]
    return _Stays(
        *(np.take_along_axis(getattr(stays, field.name), order, axis=1) for field in fields(stays))
    )


def _unpacked(bounds: Integers, cells: Integers) -> _Stays:
    """Return plans as stays; what has no way from the one before belongs to that."""
    size = len(cells)
    bounds, cell = bounds.astype(np.int64), cells.astype(np.int64)
    arrive = np.column_stack([np.full(size, -_EVER), bounds[:, 1::2]])
    leave = np.column_stack([bounds[:, 0::2], np.full(size, _EVER)])
    live = np.ones(cell.shape, dtype=np.bool_)
    live[:, 1:] = (cell[:, 1:] != cell[:, :-1]) | (arrive[:, 1:] != leave[:, :-1])
    # A stay lasts as long as those that belong to it.
    for column in reversed(range(1, cell.shape[1])):
        rows = ~live[:, column]
        leave[rows, column - 1] = leave[rows, column]
    return _compact(_Stays(cell, arrive, leave, live, np.zeros_like(live)))


def _packed(terrain: Terrain, stays: _Stays, most: int) -> tuple[Rows, Rows, Flags]:
    """Return stays as bounds and cells of a plan; of too many, the shortest are left out."""
    while (over := np.flatnonzero(stays.live.sum(axis=1) > most)).size:
        _drop_shortest(terrain, stays, over)
    stays = _compact(stays)
    lacking = ((0, 0), (0, most - stays.cell.shape[1]))
    stays = _Stays(*(np.pad(getattr(stays, field.name), lacking) for field in fields(stays)))
    last = stays.last()
    rows = np.arange(len(last))
    where, latest = stays.cell[rows, last], np.maximum(stays.arrive[rows, last], _SECONDS - 1)
    cells = np.where(stays.live, stays.cell, where[:, None])
    leave = np.where(stays.live[:, 1:], stays.leave[:, :-1], latest[:, None])
    arrive = np.where(stays.live[:, 1:], stays.arrive[:, 1:], latest[:, None])
    bounds = np.empty((len(last), 2 * (most - 1)), dtype=np.int64)
    bounds[:, 0::2], bounds[:, 1::2] = leave, arrive
    # A stay that is cut short on both sides takes no time.
    bounds = np.maximum.accumulate(bounds, axis=1)
    return bounds, cells, (cells[:, 1:] != cells[:, :-1]).any(axis=1)


def _drop_shortest(terrain: Terrain, stays: _Stays, rows: Rows) -> None:
    """Leave out a stay of each of some entities, those of windows last, not the outermost ones."""
    live = stays.live[rows]
    inner = live.copy()
    inner[np.arange(len(rows)), live.argmax(axis=1)] = False
    inner[np.arange(len(rows)), stays.last()[rows]] = False
    length = stays.leave[rows] - stays.arrive[rows] + np.where(stays.pinned[rows], _EVER, 0)
    drop = np.where(inner, length, 4 * _EVER).argmin(axis=1)
    stays.live[rows, drop] = False
    column = np.arange(stays.live.shape[1])
    before = np.where(stays.live[rows] & (column < drop[:, None]), column, -1).max(axis=1)
    after = (stays.live[rows] & (column > drop[:, None])).argmax(axis=1)
    way = _travel(terrain, stays.cell[rows, before], stays.cell[rows, after])
    # One stays until it is time for the direct way.
    left, due = stays.leave[rows, before], stays.arrive[rows, after]
    stays.leave[rows, before] = np.maximum(left, due - way)
