"""Presence: where scenario layers put subscribers, and which country they send them to.

Belongs here: the windows of `presence` and `roaming`, by subscriber. Does not belong here: how a
day's plan gives way to them (`detours`), who is out of reach at a border (`absences`), what else
layers do.

A window holds for the SIM that a layer touches, not for the other one of its holder's: it may sit
in another device. Of several at a time the one that began later holds, then that of the higher
layer; when it ends, what is left of the other holds again. Visitors are not sent abroad.
"""

import datetime as dt
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import VISITOR, Population
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import SECOND, day_start
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import Choice
from telco_pipeline.scenarios.effects import Presence, Roaming
from telco_pipeline.scenarios.story import Story, Touch
from telco_pipeline.world.numbering import TRAVEL_COUNTRIES

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOWHERE: Final = -1
SPAN: Final = 8
"""Days around a day whose windows count for it: a trip of one's own lies within a week, and does
not take place if a window of the same days says otherwise."""

_SINCE: Final = day_start(dt.date(2000, 1, 1))  # day 0 of `calendar.day_number`
_TIME_BITS: Final = 36  # of a time: seconds of two thousand years
COUNTRY: Final = Choice.of([weight for _, _, weight in TRAVEL_COUNTRIES])
"""How often each of `TRAVEL_COUNTRIES` is travelled to."""
_COUNTRY_ROW: Final = {code: row for row, (code, _, _) in enumerate(TRAVEL_COUNTRIES)}


def presence_cell(touch: Touch) -> Rows:
    """Return the cell at which each target of a touch of `presence` is.

    A device that cannot camp on it is on another one of the site (`plans`).

    Args:
        touch: The touch.

    Returns:
        A row of a cell per target, one of `touch.cells`; `NOWHERE` if there are none, and for whom
        the effect leaves where he would be.
    """
    cells, effect = touch.cells, touch.effect
    assert isinstance(effect, Presence)
    if cells is None or not len(cells):
        return np.full(len(touch), NOWHERE, dtype=np.int64)
    cell = cells[draws.below(draws.bits(touch.key, "cell"), len(cells))]
    goes = draws.chance(draws.bits(touch.key, "share"), touch.amount(effect.share))
    return np.where(goes, cell, NOWHERE)


@dataclass(frozen=True)
class Placed:
    """Windows in which subscribers are at a place or abroad: by entity, then in order of time.

    No two of one entity overlap. Times are whole seconds since the start of 2000-01-01 UTC, from
    which `calendar.day_number` counts.

    Attributes:
        entity: Who.
        start, end: From when until when.
        cell: Row of the cell; `NOWHERE` for who is abroad.
        country: Row of `TRAVEL_COUNTRIES`; -1 for who is at a cell.
        key: Key of the target's draws.
    """

    entity: Rows
    start: Rows
    end: Rows
    cell: Rows
    country: Rows
    key: Bits

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.entity)

    @classmethod
    def none(cls) -> "Placed":
        """Return no windows."""
        nothing = np.zeros(0, dtype=np.int64)
        key = nothing.astype(np.uint64)
        return cls(nothing, nothing, nothing, nothing, nothing, key)

    def select(self, chosen: npt.NDArray) -> "Placed":
        """Return some windows (mask or positions)."""
        return Placed(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def of(self, entity: npt.NDArray[np.integer]) -> tuple[Rows, Rows]:
        """Return the windows of entities as pairs: position in `entity`, position of the window."""
        first = np.searchsorted(self.entity, entity, side="left")
        count = np.searchsorted(self.entity, entity, side="right") - first
        row = np.repeat(np.arange(len(count)), count)
        later = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        return row, first[row] + later

    def touching(self, entity: npt.NDArray[np.integer], start: Rows, end: Rows) -> Flags:
        """Return which entities a window touches between two times, one of each per entity."""
        row, window = self.of(entity)
        met = (self.start[window] < end[row]) & (self.end[window] > start[row])
        found = np.zeros(len(entity), dtype=np.bool_)
        found[row[met]] = True
        return found


def placed_around(
    story: "Story | None", population: Population, first: dt.date, last: dt.date | None = None
) -> Placed:
    """Return the windows that touch a UTC day, some days, or `SPAN` days before or after them.

    Args:
        story: What the layers of the world do; None for a world without.
        population: Its subscribers.
        first: The day, or the first one.
        last: The last one; `first` if left out.
    """
    if story is None or not story.has("presence", "roaming"):
        return Placed.none()
    span = dt.timedelta(days=SPAN)
    # The calendar ends; so do stories.
    begin = first - min(span, first - dt.date.min)
    until = last or first
    touches = story.between(begin, until + min(span, dt.date.max - until), "presence", "roaming")
    parts = [_windows(touch, population) for touch in touches]
    if not parts:
        return Placed.none()
    # In the order of the layers, so that among equal beginnings the later position wins.
    joined = Placed(
        *(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(Placed))
    )
    return _untangled(joined)


def country_of(touch: Touch) -> Rows:
    """Return the row of `TRAVEL_COUNTRIES` to which each target of a touch of `roaming` goes."""
    assert isinstance(touch.effect, Roaming)
    if touch.effect.country is None:
        return COUNTRY.sample(draws.bits(touch.key, "country")).astype(np.int64)
    return np.full(len(touch), _COUNTRY_ROW[touch.effect.country])


def _windows(touch: Touch, population: Population) -> Placed:
    size = len(touch)
    if isinstance(touch.effect, Roaming):
        country = country_of(touch)
        cell = np.full(size, NOWHERE)
        kept = population.kind[touch.rows] != VISITOR
    else:
        country, cell = np.full(size, -1), presence_cell(touch)
        kept = cell != NOWHERE
    start, end = (touch.start - _SINCE) // SECOND, -((_SINCE - touch.end) // SECOND)
    return Placed(touch.rows, start, end, cell, country, touch.key).select(kept & (start < end))


def _untangled(windows: Placed) -> Placed:
    """Return windows of which no two overlap, by entity and time.

    Args:
        windows: In the order in which, of two that begin at once, the later one holds.
    """
    order = np.lexsort((windows.start, windows.entity))
    windows = windows.select(order)
    entity = windows.entity
    # The latest end so far of each entity: entities rise, so those before do not count.
    latest = np.maximum.accumulate((entity << _TIME_BITS) + windows.end)
    meets = np.zeros(len(entity), dtype=np.bool_)
    meets[1:] = (entity[1:] << _TIME_BITS) + windows.start[1:] < latest[:-1]
    if not meets.any():
        return windows
    several = np.isin(entity, entity[meets])
    many = np.flatnonzero(several)
    who = entity[many]
    # Between two neighbouring beginnings or ends, one window holds: the last that began.
    edge_of = np.concatenate([who, who])
    edge = np.concatenate([windows.start[many], windows.end[many]])
    place = np.lexsort((edge, edge_of))
    edge_of, edge = edge_of[place], edge[place]
    piece = np.flatnonzero((edge_of[1:] == edge_of[:-1]) & (edge[1:] > edge[:-1]))
    piece_of, begin, stop = edge_of[piece], edge[piece], edge[piece + 1]
    some = windows.select(many)
    row, window = some.of(piece_of)
    covers = (some.start[window] <= begin[row]) & (some.end[window] >= stop[row])
    holds = np.full(len(piece_of), -1)
    np.maximum.at(holds, row[covers], window[covers])
    held = np.flatnonzero(holds >= 0)
    holds, begin, stop = holds[held], begin[held], stop[held]
    # Neighbouring pieces of one window are one.
    new = np.ones(len(holds), dtype=np.bool_)
    new[1:] = (holds[1:] != holds[:-1]) | (begin[1:] != stop[:-1])
    last = np.append(new[1:], True)
    chosen = some.select(holds[new])
    cut = Placed(chosen.entity, begin[new], stop[last], chosen.cell, chosen.country, chosen.key)
    alone = windows.select(~several)
    both = Placed(
        *(
            np.concatenate([getattr(alone, field.name), getattr(cut, field.name)])
            for field in fields(Placed)
        )
    )
    return both.select(np.lexsort((both.start, both.entity)))
