"""Data sessions on their way: changes of the cell, handovers, and cells that go out of service.

Belongs here: which cells a session comes to, which handovers fail, where it is cut off. Does not
belong here: where phones are (`behaviour.mobility`), sessions at their start (`data_usage`).

Each change of the cell is a handover, which fails with the probability that the state of the cell
that is left says, several times as often where it leads to an older generation (arXiv 2411.19586).
After a failure the phone goes back to its old cell and gets over in a second try, or the session is
lost. It is lost, too, when its cell goes out of service, and in a cell without service.
"""

from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np

from telco_pipeline.behaviour.population import NR
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR, SECOND
from telco_pipeline.generators.base import Columns, Day, Rows, packet_access
from telco_pipeline.generators.cdrs.applications import LEAST_VOLUME
from telco_pipeline.generators.cdrs.data_quality import (
    KBIT_PER_MICROSECOND,
    UPLINK_FACTOR,
    highest_rate,
    part_of_rate,
    state_rows,
)
from telco_pipeline.generators.cdrs.data_usage import (
    HALF,
    LEAST_DURATION,
    LOST,
    Starts,
    keeps_its_identity,
    usage,
)
from telco_pipeline.generators.cdrs.lengths import shortest
from telco_pipeline.generators.serving import served_cell, taken_over
from telco_pipeline.state.network import NEVER, NetworkDay

# Sessions that last longer are looked at for a move, whoever has them.
_LONG_ENOUGH_TO_MOVE: Final = 5 * SECOND
_TIME_BITS: Final = 38
# How many times as often a handover from NR to LTE fails as one within a generation (practice:
# several times; arXiv 2411.19586).
_TO_OLDER: Final = 4.0
# Part of the failed handovers after which re-establishment in the old cell fails too (practice: it
# succeeds in 80 to 90 %).
_NOT_REESTABLISHED: Final = 0.125


@dataclass(frozen=True)
class Way:
    """Changes of the cell during sessions, session after session and in order of time.

    Attributes:
        row: Session.
        time: Microseconds from its start.
        cell: The cell from then on; if the session is lost in the handover, the one it was in.
        rat: The radio access there.
        failed: Whether the first try failed.
        lost: Whether the session was lost in it: there was no second try.
    """

    row: Rows
    time: Rows
    cell: Rows
    rat: np.ndarray
    failed: np.ndarray
    lost: np.ndarray

    @classmethod
    def of(cls, row: Rows, time: Rows, cell: Rows) -> Self:
        """Return changes of the cell whose radio access and success are not known yet."""
        none = np.zeros(len(row), dtype=np.bool_)
        return cls(row, time, cell, none.astype(np.int8), none, none)

    def changes_of_access(self, rat: np.ndarray) -> tuple[Rows, Rows]:
        """Return session and time of the changes of the radio access.

        Args:
            rat: Radio access at the start of each session.
        """
        changes = np.flatnonzero(self.rat != self.before(self.rat, rat))
        return self.row[changes], self.time[changes]

    def before(self, there: np.ndarray, at_start: np.ndarray) -> np.ndarray:
        """Return what was before each change.

        Args:
            there: What is from each change on.
            at_start: What is at the start of each session.
        """
        before = np.append(there[:1], there[:-1])
        return np.where(self._first(), at_start[self.row], before)

    def until(self, duration: Rows) -> Rows:
        """Return when each stretch that a change begins ends."""
        following = np.append(self.time[1:], 0)[: len(self.time)]
        last = np.append(self._first()[1:], True)[: len(self.row)]
        return np.where(last, duration[self.row], following)

    def passed(self, row: Rows, time: Rows) -> Rows:
        """Return how many changes lie before each session's, or up to a time of it."""
        packed = (self.row << _TIME_BITS) + self.time
        return np.searchsorted(packed, (row << _TIME_BITS) + time, side="right")

    def first_time(self) -> tuple[Rows, Rows]:
        """Return the sessions with changes, and the time of the first one of each."""
        first = self._first()
        return self.row[first], self.time[first]

    def select(self, rows: np.ndarray) -> "Way":
        """Return some of the changes."""
        return Way(*(getattr(self, column.name)[rows] for column in fields(self)))

    def _first(self) -> np.ndarray:
        """Return which changes are the first ones of their session."""
        return np.append(True, self.row[1:] != self.row[:-1])[: len(self.row)]


def sessions(begun: Starts, shift: int) -> tuple[Columns, Way, Rows]:
    """Return sessions as they went, their changes of the cell, and which of the starts they are.

    Left out is what would outlive the identity that began it and, in a world that bounds the
    length of sessions, what would be cut off sooner than they may end.

    Args:
        begun: Where sessions start.
        shift: What to add to their times to count from the start of the day of the records.
    """
    made, rows = usage(begun, shift), begun.row
    kept = keeps_its_identity(begun.events, made["duration"])
    if not kept.all():
        chosen = np.flatnonzero(kept)
        made, rows = {name: values[chosen] for name, values in made.items()}, rows[chosen]
    day = begun.events.day
    way = _way(day, made, shift)
    least = shortest(day.inputs.config)
    return _without_short(made, way, rows, least) if least else (made, way, rows)


def _without_short(made: Columns, way: Way, rows: Rows, least: int) -> tuple[Columns, Way, Rows]:
    """Return sessions that were set up only if they last `least` microseconds, and their ways."""
    kept = (made["duration"] >= least) | (made["fate"] > LOST)
    if kept.all():
        return made, way, rows
    chosen, place = np.flatnonzero(kept), np.cumsum(kept) - 1
    way = way.select(kept[way.row])
    made = {name: values[chosen] for name, values in made.items()}
    return made, replace(way, row=place[way.row]), rows[chosen]


def _way(day: Day, made: Columns, shift: int) -> Way:
    """Return the changes of the cell during sessions at home; cut (in place) what is lost then.

    A session of seconds that starts at rest stays in its cell.
    """
    duration, start = made["duration"], made["time"] - shift
    may_move = made["moving"] | (duration > _LONG_ENOUGH_TO_MOVE)
    rows = np.flatnonzero(may_move & (made["country"] < 0) & (made["fate"] <= LOST))
    entity, begin = made["entity"][rows].astype(np.int64), start[rows]
    found, time, cell, _ = day.changes(entity, begin, begin + duration[rows])
    row, entity = rows[found], entity[found]
    # Somewhere in the second, for all sessions of a phone in the same moment; before the end.
    stream = draws.stream(day.inputs.config.seed, "data/change")
    keys = draws.keys(stream, day.inputs.population.leader[entity])
    key = draws.events(keys, (time + day.start) // SECOND)
    time = time + draws.below(key, SECOND)
    time = np.minimum(time - start[row], duration[row])
    cell = served_cell(day.inputs, entity, cell, np.zeros(len(row), dtype=np.bool_))
    out = np.flatnonzero(day.network.may_fail[cell])
    if out.size:
        cell[out] = taken_over(day, entity[out], start[row[out]] + time[out], cell[out])
    way = Way.of(row, time, cell)
    changed = np.flatnonzero(cell != way.before(cell, made["cell"]))
    way, entity, key = way.select(changed), entity[changed], key[changed]
    # The device is that of the session's start.
    home = np.zeros(len(changed), dtype=np.bool_)
    # Where there is no service (-1) it is of no matter: the session ends.
    rat = packet_access(day, entity, start[way.row], way.cell, home)
    return _lost_on_the_way(day, made, start, replace(way, rat=rat), key)


def _lost_on_the_way(day: Day, made: Columns, start: Rows, way: Way, key: draws.Bits) -> Way:
    """Let handovers fail, and cut sessions (in place) that are lost in one or with their cell.

    Args:
        day: The day on which the sessions start.
        made: Columns of `usage`.
        start: Their starts, microseconds of that day.
        way: Their changes of the cell; -1 for a cell without service.
        key: Hash of each change.

    Returns:
        The changes until the sessions' ends.
    """
    network = day.network
    left, left_rat = way.before(way.cell, made["cell"]), way.before(way.rat, made["rat"])
    dark = way.cell < 0
    chance = network.at("handover_failure", np.maximum(left, 0), start[way.row] + way.time)
    chance = chance * np.where((left_rat == NR) & (way.rat != NR), _TO_OLDER, 1.0)
    failed = draws.chance(draws.bits(key, "handover"), chance) & ~dark
    fatal = failed & draws.chance(draws.bits(key, "handover/lost"), _NOT_REESTABLISHED)
    ended = dark | fatal
    # Who loses the session in a handover is still in the cell that is left.
    cell, rat = np.where(fatal, left, way.cell), np.where(fatal, left_rat, way.rat)
    end_row, end = _outages(network, made, start, way.select(~dark))
    end_row = np.concatenate([end_row, way.row[ended]])
    end = np.concatenate([end, way.time[ended]])
    if not end_row.size:
        return replace(way, failed=failed)
    until = np.full(len(start), NEVER)
    np.minimum.at(until, end_row, end)
    _cut(made, np.unique(end_row), until)
    kept = (way.time < until[way.row]) | (fatal & (way.time == until[way.row]))
    went = replace(way, cell=cell, rat=rat.astype(np.int8), failed=failed, lost=fatal)
    return went.select(kept)


def _outages(network: NetworkDay, made: Columns, start: Rows, way: Way) -> tuple[Rows, Rows]:
    """Return which sessions are in a cell when it goes out of service, and when from their start.

    Args:
        network: The day's network.
        made: Columns of `usage`.
        start: Their starts, microseconds of the day.
        way: Their changes of the cell, to cells in service.
    """
    rows = np.flatnonzero(network.has_outage[made["cell"]])
    rows = rows[(made["country"][rows] < 0) & (made["fate"][rows] <= LOST)]
    on_way = np.flatnonzero(network.has_outage[way.cell])
    if not rows.size and not on_way.size:
        return rows, rows
    leaves = made["duration"].copy()
    moved, first = way.first_time()
    leaves[moved] = first
    row = np.concatenate([rows, way.row[on_way]])
    begin = np.concatenate([start[rows], (start[way.row] + way.time)[on_way]])
    cell = np.concatenate([made["cell"][rows], way.cell[on_way]])
    until = np.concatenate([leaves[rows], way.until(made["duration"])[on_way]])
    out = network.next_outage(cell, begin) - start[row]
    lost = out < until
    return row[lost], out[lost]


def _cut(made: Columns, rows: Rows, until: Rows) -> None:
    """Cut sessions (in place) that are lost: what was sent until then is left of their bytes."""
    duration = made["duration"]
    kept = np.clip(until[rows], LEAST_DURATION, np.maximum(duration[rows], LEAST_DURATION))
    part = kept / duration[rows]
    up = (made["up"][rows] * part).astype(np.int64)
    down = (made["down"][rows] * part).astype(np.int64)
    made["up"][rows], made["down"][rows] = up, np.maximum(down, int(LEAST_VOLUME) - up)
    duration[rows] = kept
    made["fate"][rows] = LOST


def hold_down(day: Day, made: Columns, shift: int, way: Way, cuts: Rows) -> None:
    """Cut down (in place) what the slowest carrier on the way could not carry.

    Args:
        day: The day on which the sessions start.
        made: Columns of `usage`.
        shift: As there.
        way: Their changes of the cell.
        cuts: Those whose radio access changes.
    """
    if not len(way.row):
        return
    moved = np.unique(way.row)
    place = np.searchsorted(moved, way.row)
    first = highest_rate(made["rat"][moved], made["share"][moved])
    slowest = first.copy()
    time = made["time"][way.row] - shift + way.time
    state, away = state_rows(way.cell, time // HOUR), np.zeros(0, dtype=np.int64)
    rate = made["rate"][way.row] if "rate" in made else None
    there = part_of_rate(day, way.cell, way.rat, state, away, rate)
    np.minimum.at(slowest, place, highest_rate(way.rat, there))
    slower = slowest < first
    slower[np.searchsorted(moved, cuts)] = True
    rows, slowest = moved[slower], slowest[slower]
    most = HALF / KBIT_PER_MICROSECOND * slowest * made["duration"][rows]
    for name, carries in (("down", most), ("up", most / UPLINK_FACTOR[made["rat"][rows]])):
        made[name][rows] = np.minimum(made[name][rows], carries.astype(np.int64))
