"""Sides: over which cell each party of a call speaks, and what the network does to it.

Belongs here: serving cell and access of one side, its way from cell to cell, when it loses the
radio link. Does not belong here: who calls whom and how the call goes (`calls`), the state of the
network itself (`state.network`).

All is asked of `day.network` at the time at which it happens, and decided by hash draws of the
call's own key: another state of a cell changes the calls that touch this cell and no others.

- A cell out of service is replaced by what takes over; where LTE is lost, voice falls back to
  GERAN; where nothing is left there is no service.
- The radio link is lost with the rate ``p / 150 s``, p being the cell's drop probability for a call
  of usual length (the mean talk time): a unit exponential is spent as the call goes on, so a call
  twice as long is lost about twice as often. A device at fault loses more (`malfunctions`).
- An outage of the serving cell loses the link at that moment, whether or not anybody speaks.
- Each change of the cell on the way is a handover that fails with the probability of the cell
  left, `_TO_OLDER` times as often if it goes to an older generation. After a failed one the phone
  goes back to its old cell and gets over in a second try; one in `_LOST` loses the link instead.
"""

from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import EUTRAN, GERAN, NR, RATS, WLAN
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.generators.base import Day, Rows, speaks_over_ims
from telco_pipeline.generators.malfunctions import lost_by_device
from telco_pipeline.generators.refusals import unattached
from telco_pipeline.state.network import NEVER

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

# Share of voice on NR phones that stays on NR; the rest falls back to LTE (EPS fallback).
_VONR_SHARE: Final = 0.35
_VOWIFI_SHARE: Final = 0.08

# Mean talk time: the usual length for which a cell's drop probability holds.
_USUAL: Final = 150 * SECOND
_LINK = QuantileTable.exponential(1.0)
# Visited networks are not simulated; theirs is a healthy one (E-RAB drop 0.3-0.5 %, practice).
_VISITED_DROP: Final = 0.004
# Handovers to an older generation fail several times as often (practice; arXiv 2411.19586).
_TO_OLDER: Final = 4.0
# Of the failed handovers one in eight loses the call: re-establishment in the old cell succeeds in
# 80 to 90 % (practice).
_LOST: Final = 8
# Generation of each radio access; Wi-Fi is none of them.
_GENERATION: Final = np.array([{GERAN: 2, NR: 5}.get(rat, 4) for rat in range(len(RATS))])
NOWHERE: Final = -1


@dataclass(frozen=True)
class Side:
    """One side of some calls, one array element each.

    Attributes:
        cell: Cell that it speaks over (for somebody abroad one of home, which tells the elements
            that serve him); -1 where it is not ours, out of reach or without service.
        rat: Radio access (position in `RATS`).
        country: Country visited, -1 at home.
        blocked: The attempt found no radio resources in the cell.
        lost: The call ended because this side lost the radio link.
        last: Cell at the end.
        handovers: Changes of the cell on the way.
        failed: Handovers that were tried and failed.
    """

    cell: npt.NDArray[np.int32]
    rat: npt.NDArray[np.int8]
    country: npt.NDArray[np.int8]
    blocked: Flags
    lost: Flags
    last: npt.NDArray[np.int32]
    handovers: npt.NDArray[np.int16]
    failed: npt.NDArray[np.int16]

    def __len__(self) -> int:
        """Return the number of calls."""
        return len(self.cell)

    def __getitem__(self, rows: npt.NDArray | slice) -> Self:
        """Return some of them."""
        return type(self)(*(getattr(self, column.name)[rows] for column in fields(self)))

    def __setitem__(self, rows: npt.NDArray, others: "Side") -> None:
        """Put others in the place of some."""
        for column in fields(self):
            getattr(self, column.name)[rows] = getattr(others, column.name)

    @classmethod
    def concat(cls, batches: "list[Side]") -> "Side":
        """Put batches one after the other."""
        return cls(
            *(
                np.concatenate([getattr(batch, column.name) for batch in batches])
                for column in fields(cls)
            )
        )

    @classmethod
    def at(cls, cell: Rows, rat: np.ndarray, country: np.ndarray) -> "Side":
        """Return sides of calls to which nothing has happened yet."""
        count = len(cell)
        return cls(
            cell=cell.astype(np.int32),
            rat=rat.astype(np.int8),
            country=country.astype(np.int8),
            blocked=np.zeros(count, dtype=np.bool_),
            lost=np.zeros(count, dtype=np.bool_),
            last=cell.astype(np.int32),
            handovers=np.zeros(count, dtype=np.int16),
            failed=np.zeros(count, dtype=np.int16),
        )

    @property
    def there(self) -> Flags:
        """Where the side is one of ours and has service."""
        return self.cell >= 0

    @property
    def home(self) -> Flags:
        """Where it is served by our own network."""
        return (self.cell >= 0) & (self.country < 0)

    @property
    def on_air(self) -> Flags:
        """Where it speaks over a cell of ours: at home and not over Wi-Fi."""
        return self.home & (self.rat != WLAN)


def find_side(day: Day, party: Rows, time: Rows, key: Bits) -> Side:
    """Return where one side of some calls is.

    Args:
        day: The day.
        party: Who: subscribers of ours where `time` is not negative.
        time: When the channel is seized, in microseconds of the day; -1 where nobody is looked for.
        key: Hash of the side.
    """
    rows = np.flatnonzero(time >= 0)
    entity, when = party[rows], time[rows]
    found = day.positions(entity, when)
    cell, rat = np.full(len(party), NOWHERE), np.zeros(len(party), dtype=np.int8)
    cell[rows], rat[rows] = voice_access(day, entity, when, key[rows], found.cell, found.abroad)
    cell[rows[unattached(day, entity, when)]] = NOWHERE
    country = np.full(len(party), -1)
    country[rows] = found.country
    return Side.at(cell, rat, country)


def measured(day: Day, measure: str, cell: npt.NDArray, time: Rows, where: Flags) -> Floats:
    """Return a measure of each cell at a time; 0 but `where` the cell counts."""
    values = np.zeros(len(cell))
    rows = np.flatnonzero(where)
    values[rows] = day.network.at(measure, cell[rows], time[rows])
    return values


# Access -----------------------------------------------------------------------------------------


def voice_access(
    day: Day, entity: Rows, time: Rows, key: Bits, camped: Rows, abroad: Flags
) -> tuple[Rows, npt.NDArray[np.int8]]:
    """Return the cell and the radio access (position in `RATS`) that a voice leg uses.

    A phone that camps on NR speaks over NR or falls back to LTE; one without VoLTE falls back to
    GERAN (circuit-switched fallback); at home some calls go over Wi-Fi. The cell is -1 where
    neither it nor what could take over is in service. A phone on Wi-Fi without any cell counts as
    without service too: from the cell follows what serves it.

    Args:
        day: The day.
        entity: Who speaks.
        time: When, in microseconds of the day.
        key: Hash of the side.
        camped: Cell in whose reach the phone is.
        abroad: Who is abroad, where none of our cells counts.
    """
    population, cells = day.inputs.population, day.inputs.cells
    volte = speaks_over_ims(day, entity, time)
    share = draws.uniform(draws.bits(key, "access"))
    on_nr = (cells.rat[camped] == NR) & (share < _VONR_SHARE) & volte
    packet = np.where(on_nr, camped, cells.lte_sibling[camped])
    cell = np.where(volte, packet, cells.gsm_sibling[camped]).astype(np.int64)
    down = np.flatnonzero(~abroad & day.network.is_lost(entity, cell, time))
    if down.size:
        cell[down] = taken_over(day, entity[down], cell[down], camped[down], time[down])
    rat = cells.rat[cell]
    at_home = camped == population.home[entity]
    wifi = volte & at_home & ~abroad & (share > 1.0 - _VOWIFI_SHARE)
    rat = np.where(wifi, WLAN, rat)
    return cell, np.where(abroad, np.where(volte, EUTRAN, GERAN), rat).astype(np.int8)


def taken_over(day: Day, entity: Rows, cell: Rows, camped: Rows, time: Rows) -> Rows:
    """Return what serves voice instead of cells that do not; -1 where nothing does.

    Args:
        day: The day.
        entity: Who speaks.
        cell: Cells that would serve.
        camped: Cells in whose reach the phones are.
        time: When, in microseconds of the day.
    """
    network, cells = day.network, day.inputs.cells
    found = network.serving(cell, time, entity)
    # NR cells that take over are of use to who spoke over NR; the others need LTE beside them.
    rows = np.flatnonzero((found >= 0) & (cells.rat[found] == NR) & (cells.rat[cell] != NR))
    beside = cells.lte_sibling[found[rows]].astype(np.int64)
    good = cells.rat[beside] == EUTRAN
    good &= ~network.is_lost(entity[rows], beside, time[rows], cell[rows])
    found[rows] = np.where(good, beside, NOWHERE)
    # Voice falls back to GERAN, where the network has it.
    rows = np.flatnonzero(found < 0)
    old = cells.gsm_sibling[camped[rows]].astype(np.int64)
    serving = network.serving(old, time[rows], entity[rows])
    found[rows] = np.where(cells.rat[old] == GERAN, serving, NOWHERE)
    return found


# The way ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """From cell to cell: the handovers of one side of some calls, in order of call and time.

    Attributes:
        call: Row of the call.
        time: When.
        cell: The new cell.
        failed: The first try failed.
        loses: The radio link is lost with it: there is no second try.
    """

    call: Rows
    time: Rows
    cell: Rows
    failed: Flags
    loses: Flags

    @classmethod
    def none(cls) -> "Way":
        """Return no handovers."""
        nothing = np.zeros(0, dtype=np.int64)
        never = np.zeros(0, dtype=np.bool_)
        return cls(nothing, nothing, nothing, never, never)

    def until(self, side: Side, end: Rows, lost: Flags) -> Side:
        """Return sides with what has happened to them until the end of each call.

        Args:
            side: The sides as they began.
            end: When each call ends.
            lost: Whether it ends because the side loses its link.
        """
        rows = np.flatnonzero(self.time <= end[self.call])
        went = rows[~(self.loses[rows] & lost[self.call[rows]])]
        last = side.cell.copy()
        last[self.call[went]] = self.cell[went]
        return replace(
            side,
            lost=lost,
            last=last,
            handovers=_counts(self.call[went], len(side)),
            failed=_counts(self.call[rows[self.failed[rows]]], len(side)),
        )


def _counts(call: Rows, calls: int) -> npt.NDArray[np.int16]:
    return np.minimum(np.bincount(call, minlength=calls), np.iinfo(np.int16).max).astype(np.int16)


def go(
    day: Day, party: Rows, side: Side, key: Bits, start: Rows, end: Rows, spoken: Flags
) -> tuple[Way, Rows]:
    """Return the way of one side of some calls, and when it would lose the link but for the end.

    Args:
        day: The day.
        party: Who.
        side: Where the side begins.
        key: Hash of the side.
        start: When the channel is seized.
        end: When it is released, unless the link is lost before.
        spoken: Which calls are answered: the others are too short for a handover.

    Returns:
        The way, and the moment of the loss or `NEVER`. Rows that are not there are of no meaning.
    """
    way, lost = Way.none(), np.full(len(side), NEVER)
    goes = np.flatnonzero(spoken & side.home)
    if goes.size:
        way, gaps = _way(day, party, side, key, goes, start[goes], end[goes])
        np.minimum.at(lost, way.call[way.loses], way.time[way.loses])
        np.minimum.at(lost, *gaps)
    if day.network.has_outage.any():
        np.minimum(lost, _outage(day, side, way, start, end), out=lost)
    return way, lost


def _way(
    day: Day, party: Rows, side: Side, key: Bits, goes: Rows, start: Rows, end: Rows
) -> tuple[Way, tuple[Rows, Rows]]:
    """Return the handovers of some calls; and calls and times at which no cell serves any more."""
    row, time, camped, _ = day.changes(party[goes], start, end)
    call = goes[row]
    nowhere = np.zeros(len(call), dtype=np.bool_)
    cell, _ = voice_access(day, party[call], time, key[call], camped, nowhere)
    wifi = side.rat[call] == WLAN
    gap = np.flatnonzero((cell < 0) & ~wifi)
    gaps = (call[gap], time[gap])
    there = np.flatnonzero(cell >= 0)
    call, time, cell, wifi = call[there], time[there], cell[there], wifi[there]
    first = np.ones(len(call), dtype=np.bool_)
    first[1:] = call[1:] != call[:-1]
    before = np.where(first, side.cell[call], np.roll(cell, 1))
    # The cell of the phone may change and that of its voice not.
    moved = np.flatnonzero(cell != before)
    call, time, cell = call[moved], time[moved], cell[moved]
    before, wifi = before[moved], wifi[moved]
    rats = day.inputs.cells.rat
    older = _GENERATION[rats[cell]] < _GENERATION[rats[before]]
    chance = day.network.at("handover_failure", before, time).astype(np.float64)
    chance = np.where(older, chance * _TO_OLDER, chance)
    tried = draws.events(key[call], time // SECOND)
    # Who speaks over Wi-Fi needs no cell.
    failed = ~wifi & draws.chance(draws.bits(tried, "handover"), chance)
    loses = failed & (draws.below(draws.bits(tried, "handover/lost"), _LOST) == 0)
    return Way(call, time, cell, failed, loses), gaps


def _outage(day: Day, side: Side, way: Way, start: Rows, end: Rows) -> Rows:
    """Return when the cell of each side goes out of service while it serves; else `NEVER`."""
    lost = np.full(len(side), NEVER)
    rows = np.flatnonzero(side.on_air)
    until = end.copy()
    np.minimum.at(until, way.call, way.time)
    down = day.network.next_outage(side.cell[rows], start[rows])
    lost[rows] = np.where(down < until[rows], down, NEVER)
    steps = np.flatnonzero(side.on_air[way.call])
    if steps.size:
        call, time = way.call[steps], way.time[steps]
        until = np.append(np.where(call[1:] == call[:-1], time[1:], end[call[:-1]]), end[call[-1]])
        down = day.network.next_outage(way.cell[steps], time)
        hit = np.flatnonzero(down < until)
        np.minimum.at(lost, call[hit], down[hit])
    return lost


def link_lost(day: Day, party: Rows, side: Side, key: Bits, answer: Rows, spoken: Flags) -> Rows:
    """Return when the radio link of each side would be lost by chance; else `NEVER`.

    Args:
        day: The day.
        party: Who.
        side: The side.
        key: Its hash.
        answer: When the call is answered.
        spoken: Which calls are.
    """
    chance = measured(day, "drop_probability", side.cell, answer, side.on_air & spoken)
    chance[side.there & spoken & (side.country >= 0)] = _VISITED_DROP
    by_device = lost_by_device(day.story, party, answer)
    if by_device is not None:
        talks = side.there & spoken
        chance[talks] = 1.0 - (1.0 - chance[talks]) * (1.0 - by_device[talks])
    lost = np.full(len(side), NEVER)
    rows = np.flatnonzero(chance > 0.0)
    lasts = _LINK.sample(draws.bits(key[rows], "link")) * (_USUAL / chance[rows])
    lost[rows] = answer[rows] + np.minimum(lasts, 1e15).astype(np.int64)
    return lost


def has_service(day: Day, entity: Rows, time: Rows, key: Bits) -> Flags:
    """Return who has service for a voice call that he would begin at a time.

    Args:
        day: The day.
        entity: Who.
        time: Microseconds of the day.
        key: Hash of the call.
    """
    return find_side(day, entity, time, originating_key(key)).there


def originating_key(key: Bits) -> Bits:
    """Return the hash of the originating side of each call."""
    return draws.bits(key, "leg/originating")


def terminating_key(key: Bits) -> Bits:
    """Return the hash of the terminating side of each call."""
    return draws.bits(key, "leg/terminating")
