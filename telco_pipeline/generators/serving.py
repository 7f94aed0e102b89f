"""Serving: which cell serves a phone, as far as its reach and the state of the network go.

Belongs here: the cell that takes the place of the one a phone camps on, and the changes that
outages bring. Does not belong here: where phones are (`behaviour.mobility`), when cells are out of
service (`state.network`), whom the network refuses (`refusals`), records.

A phone camps where it is (`Mobility.at`). Out of NR's reach it is served by the LTE cell beside the
NR cell; where the serving cell is out of service, by the first cell that takes over and whose radio
access the phone has; where none does, by none. The same goes for a cell of which scenario layers
have taken a part of its coverage, where it does not reach the phone any more (`state.coverage`); a
call or session that is on goes on in its cell until the phone moves.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import NR
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR
from telco_pipeline.generators.base import Day, Inputs, Rows
from telco_pipeline.generators.refusals import unattached
from telco_pipeline.state.network import NetworkDay

Flags = npt.NDArray[np.bool_]

NO_CELL: Final = -1
"""Instead of a cell: no service."""
# Share of NR cells on which a phone gets NR; on the others its place is out of NR's reach.
_NR_SHARE: Final = 0.85
_TIME_BITS: Final = 40


def served_cell(inputs: Inputs, entity: Rows, camped: Rows, abroad: Flags) -> Rows:
    """Return the cell of a phone: the one it camps on, or the LTE cell that goes with an NR cell.

    A phone is out of NR's reach on some of the cells it comes to, for good: where it is used there
    lies behind walls. All that it does on a cell goes the same way. Abroad the records of the home
    network come from the EPC, which the LTE cell leads to.

    Args:
        inputs: The world.
        entity: Entity numbers.
        camped: Cell of each phone.
        abroad: Whose phone is in a visited network.
    """
    cells = inputs.cells
    cell = camped.astype(np.int64)
    rows = np.flatnonzero(cells.rat[cell] == NR)
    rows = rows[abroad[rows] | ~_reached(inputs, entity[rows], cell[rows])]
    cell[rows] = cells.lte_sibling[cell[rows]]
    return cell


def _reached(inputs: Inputs, entity: Rows, cell: Rows) -> Flags:
    """Return which phones are within reach of an NR cell at their place on it."""
    stream = draws.stream(inputs.config.seed, "data/layer")
    keys = draws.keys(stream, inputs.population.leader[entity])
    return draws.chance(draws.events(keys, cell), _NR_SHARE)


def serving_cell(day: Day, entity: Rows, time: Rows, camped: Rows, abroad: Flags) -> Rows:
    """Return the cell that serves each phone at a time, `NO_CELL` where none does.

    Arguments as of `reached_cell`. Who is not attached, as the network refuses him, is not served.
    """
    cell = reached_cell(day, entity, time, camped, abroad)
    cell[unattached(day, entity, time)] = NO_CELL
    return cell


def reached_cell(day: Day, entity: Rows, time: Rows, camped: Rows, abroad: Flags) -> Rows:
    """Return the cell that a phone finds at a time, attached or not, `NO_CELL` for none.

    Args:
        day: The day.
        entity: Entity numbers.
        time: Microseconds since the start of the day.
        camped: Cell of each phone.
        abroad: Whose phone is in a visited network: our outages are nothing to it.
    """
    cell = served_cell(day.inputs, entity, camped, abroad)
    rows = np.flatnonzero(day.network.may_fail[cell] & ~abroad)
    if rows.size:
        cell[rows] = taken_over(day, entity[rows], time[rows], cell[rows])
    return cell


def taken_over(day: Day, entity: Rows, time: Rows, cell: Rows) -> Rows:
    """Return each cell itself, or the one that serves a phone in its place while it is out.

    Args:
        day: The day.
        entity: Whose phone.
        time: Microseconds since the start of the day.
        cell: The cell that would serve it (`served_cell`).

    Returns:
        Rows of cells, `NO_CELL` where there is no service.
    """
    network, rat = day.network, day.inputs.cells.rat
    found = network.serving(cell, time, entity)
    other = np.flatnonzero((found != cell) & (found >= 0))
    other = other[rat[found[other]] == NR]
    if other.size:
        version = day.identity(entity[other], time[other])
        able = day.inputs.identities.rat[version] == NR
        able[able] = _reached(day.inputs, entity[other[able]], found[other[able]])
        lost = other[~able]
        found[lost] = _without_nr(network, rat, entity[lost], cell[lost], time[lost])
    return found


def _without_nr(
    network: NetworkDay, rat: npt.NDArray[np.int8], entity: Rows, cell: Rows, time: Rows
) -> Rows:
    """Return the first taker of each cell that serves each phone and is not an NR cell."""
    found = np.full(len(cell), NO_CELL)
    for number in range(network.takers.shape[1]):
        rows = np.flatnonzero(found < 0)
        taker = network.takers[cell[rows], number].astype(np.int64)
        there = (taker >= 0) & (rat[taker] != NR)
        asked = rows[there]
        there[there] = ~network.is_lost(entity[asked], taker[there], time[asked], cell[asked])
        found[rows[there]] = taker[there]
    return found


def may_be_lost(day: Day) -> bool:
    """Whether there may be no service in any cell at any time of a day.

    That is, whether any cell and all that take over for it may fail, at whatever times.
    """
    network, rat = day.network, day.inputs.cells.rat
    cell = np.flatnonzero(network.may_fail)
    takers = network.takers[cell]
    no_use = (takers < 0) | network.may_fail[takers] | (rat[takers] == NR)
    return bool(no_use.all(axis=1).any())


def service_back(network: NetworkDay, entity: Rows, cell: Rows, time: Rows) -> Rows:
    """Return when the first of a cell without service and its takers is in service again.

    Or when the cell reaches the phone again, which it did not for want of coverage.

    Args:
        network: The day's network.
        entity: Whose phone.
        cell: Cells that `taken_over` finds no other for.
        time: Microseconds since the start of the day.
    """
    back = np.full(len(cell), 2 * DAY)
    if len(network.outage_cell):
        around = np.column_stack([cell, network.takers[cell]]).astype(np.int64)
        packed = (network.outage_cell << _TIME_BITS) | network.outage_start
        wanted = (np.maximum(around, 0) << _TIME_BITS) + np.clip(time, 0, DAY - 1)[:, None]
        place = np.maximum(np.searchsorted(packed, wanted, side="right") - 1, 0)
        out = (network.outage_cell[place] == around) & (network.outage_end[place] > time[:, None])
        back = np.where(out, network.outage_end[place], 2 * DAY).min(axis=1)
    if network.coverage is not None:
        beyond = np.flatnonzero(~network.coverage.reaches(entity, cell, time))
        some = entity[beyond], cell[beyond], time[beyond]
        back[beyond] = np.minimum(back[beyond], network.coverage.back(*some, never=2 * DAY))
    return back


def heard_beyond(network: NetworkDay, cell: Rows, time: Rows) -> Rows:
    """Return a cell in service further away: a taker of the takers of each cell; -1 if none is."""
    found = np.full(len(cell), NO_CELL)
    near = network.takers[cell]
    for beside in near.T:
        for number in range(network.takers.shape[1]):
            rows = np.flatnonzero((found < 0) & (beside >= 0))
            taker = network.takers[beside[rows], number].astype(np.int64)
            there = taker >= 0
            there[there] = ~network.is_down(taker[there], time[rows[there]])
            found[rows[there]] = taker[there]
    return found


@dataclass(frozen=True)
class Trace:
    """Stretches of the cells on which phones camp, phone after phone and in order of time.

    Attributes:
        row: Number of the phone.
        entity: Whose it is.
        time: Start of the stretch, microseconds since the start of the day.
        cell: The cell that serves if it is in service (`served_cell`).
        moved: Whether the phone came into the cell then; else the trace begins.
    """

    row: Rows
    entity: Rows
    time: Rows
    cell: Rows
    moved: Flags

    def ends(self, last: int) -> Rows:
        """Return the end of each stretch: the start of the next, or `last`."""
        following = np.append(self.time[1:], last)
        return np.where(np.append(self.row[1:] != self.row[:-1], True), last, following)


@dataclass(frozen=True)
class Changes:
    """Changes of the cell that serves phones, phone after phone and in order of time.

    Attributes:
        row: Number of the phone in the trace.
        entity: Whose it is.
        time: When, in microseconds since the start of the day.
        cell: The cell from then on, `NO_CELL` for none.
        previous: The cell before, likewise.
        moved: Whether the phone has moved; else a cell went out of service or came back.
    """

    row: Rows
    entity: Rows
    time: Rows
    cell: Rows
    previous: Rows
    moved: Flags

    def select(self, rows: npt.NDArray) -> "Changes":
        """Return some of the changes."""
        return Changes(
            self.row[rows],
            self.entity[rows],
            self.time[rows],
            self.cell[rows],
            self.previous[rows],
            self.moved[rows],
        )


def changes_of(day: Day, trace: Trace) -> Changes:
    """Return the changes of the serving cell: those by moves, and those that outages bring."""
    network = day.network
    stretch = np.arange(len(trace.row))
    time, moved = trace.time, trace.moved
    row, entity, cell = trace.row, trace.entity, trace.cell
    hit = np.flatnonzero(network.may_fail[cell])
    serving = cell
    if hit.size:
        which, edge = _edges(network, cell[hit], time[hit], trace.ends(DAY)[hit])
        stretch = np.concatenate([stretch, hit[which]])
        time = np.concatenate([time, edge])
        moved = np.concatenate([moved, np.zeros(len(edge), dtype=np.bool_)])
        # An edge lies behind the start of its stretch.
        order = np.lexsort((time, stretch))
        stretch, time, moved = stretch[order], time[order], moved[order]
        row, entity, cell = row[stretch], entity[stretch], cell[stretch]
        serving = cell.copy()
        out = np.flatnonzero(network.may_fail[cell])
        serving[out] = taken_over(day, entity[out], time[out], cell[out])
    changed = 1 + np.flatnonzero((row[1:] == row[:-1]) & (serving[1:] != serving[:-1]))
    return Changes(
        row[changed],
        entity[changed],
        time[changed],
        serving[changed],
        serving[changed - 1],
        moved[changed],
    )


def _edges(network: NetworkDay, cell: Rows, start: Rows, end: Rows) -> tuple[Rows, Rows]:
    """Return the moments within stretches at which their cell or a taker of it goes or comes back.

    Those at which it loses coverage or regains it are among them.

    Args:
        network: The day's network.
        cell: Cell of each stretch.
        start: Its start.
        end: Its end, exclusive.

    Returns:
        Number of the stretch, and the moment after its start; in order of both.
    """
    # What concerns a cell: what happens to it and to its takers.
    out = np.flatnonzero(network.may_fail)
    around = np.column_stack([out, network.takers[out]]).astype(np.int64)
    concerns, step = _of_cells(network.outage_cell, around)
    moments = [(concerns, network.outage_start[step]), (concerns, network.outage_end[step])]
    if network.coverage is not None:
        changing, hour = network.coverage.steps
        concerns, step = _of_cells(changing, around)
        moments.append((concerns, hour[step] * HOUR))
    packed = np.unique(np.concatenate([(out[row] << _TIME_BITS) | when for row, when in moments]))
    low = np.searchsorted(packed, (cell << _TIME_BITS) + start, side="right")
    high = np.searchsorted(packed, (cell << _TIME_BITS) + np.minimum(end, DAY), side="left")
    count = np.maximum(high - low, 0)
    which = np.repeat(np.arange(len(cell)), count)
    place = low[which] + np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    return which, packed[place] & ((1 << _TIME_BITS) - 1)


def _of_cells(cells: Rows, around: Rows) -> tuple[Rows, Rows]:
    """Return which entries of a list belong to any of some cells.

    Args:
        cells: Cell of each entry, rising.
        around: Rows of cells, some in each line; -1 for none.

    Returns:
        Line of `around` and entry of each pair.
    """
    line, place = np.nonzero(around >= 0)
    whose = around[line, place]
    first = np.searchsorted(cells, whose, side="left")
    count = np.searchsorted(cells, whose, side="right") - first
    each = np.repeat(np.arange(len(whose)), count)
    entry = first[each] + np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
    return line[each], entry
