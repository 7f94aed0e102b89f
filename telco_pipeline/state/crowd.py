"""Crowd: who is elsewhere than usual or does more or less than usual, by scenario layers.

Belongs here: what the effects `presence`, `roaming` and `usage` do to the load that subscribers
bring, by hour. Does not belong here: what load that is (`demand`), where their records are made
(`behaviour.presence`).

Effects in a stage with a trigger are not among them: they follow from the state of subscribers,
which follows from that of the network.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.behaviour.presence import NOWHERE, presence_cell
from telco_pipeline.scenarios.effects import Usage
from telco_pipeline.scenarios.story import StoryDay, Touch

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

HOURS: Final = 24
_BLOCK: Final = 32_768
_ABROAD: Final = -1


@dataclass(frozen=True)
class Crowd:
    """Subscribers whom layers move, or of whom they want more or less.

    Attributes:
        entity: Entity numbers, rising.
        usual: What each brings in each UTC hour where he usually is, as a multiple of what he
            would bring anyway; shape (entities, 24).
        visitor: Position in `entity` of each visit.
        cell: Row of the cell of each visit.
        there: What he brings to it in each hour, as a multiple of all that he would bring anyway;
            shape (visits, 24).
    """

    entity: Rows
    usual: Floats
    visitor: Rows
    cell: Rows
    there: Floats


def crowds(
    story: StoryDay,
    joined: int,
    kind: npt.NDArray[np.int8],
    even: Callable[[Rows], Floats],
) -> Iterator[Crowd]:
    """Yield whom layers touch on a day, some ten thousand at a time.

    Where two want the same subscriber, the later start has him, then the higher layer.

    Args:
        story: The day.
        joined: Subscribers who have joined by the day: the others bring nothing yet.
        kind: Kind of each subscriber: who visits from abroad is not sent abroad.
        even: Returns what a mean hour of subscribers is as a multiple of each hour of the day,
            shape (entities, 24).
    """
    touches = story.of("presence", "roaming", "usage")
    if not touches:
        return
    # A block may have no target: those of a few fraudsters are found at once.
    for first in range(0, joined, _BLOCK):
        limits = (first, min(first + _BLOCK, joined))
        within = [(touch, np.searchsorted(touch.rows, limits)) for touch in touches]
        some = [touch.select(np.arange(*ends)) for touch, ends in within if ends[0] < ends[1]]
        if some:
            yield _crowd(story, some, kind, even)


def _crowd(
    story: StoryDay,
    touches: list[Touch],
    kind: npt.NDArray[np.int8],
    even: Callable[[Rows], Floats],
) -> Crowd:
    entity = np.unique(np.concatenate([touch.rows for touch in touches])).astype(np.int64)
    level = np.ones((len(entity), HOURS))
    for touch in touches:
        effect = touch.effect
        if isinstance(effect, Usage):
            strength = touch.by_hour(story.date)
            row = np.searchsorted(entity, touch.rows)
            sessions = touch.amount(effect.sessions) - 1.0
            more = sessions * strength
            if effect.evenly and sessions > 0.0:
                more = more * even(touch.rows)
            level[row] *= 1.0 + more
            level[row] *= 1.0 + (touch.amount(effect.bytes) - 1.0) * strength
    visits = [touch for touch in touches if not isinstance(touch.effect, Usage)]
    left = np.ones((len(entity), HOURS))
    visitor, cell = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    there = [np.empty((0, HOURS))]
    for row, cells, part in _by_rank(story, entity, visits, kind):
        taken = np.minimum(part, left[row])
        left[row] -= taken
        here = cells != _ABROAD
        visitor.append(row[here])
        cell.append(cells[here])
        there.append((taken * level[row])[here])
    return Crowd(
        entity=entity,
        usual=np.round(left * level, 6),
        visitor=np.concatenate(visitor),
        cell=np.concatenate(cell),
        there=np.round(np.concatenate(there), 6),
    )


def _by_rank(
    story: StoryDay, entity: Rows, visits: list[Touch], kind: npt.NDArray[np.int8]
) -> Iterator[tuple[Rows, Rows, Floats]]:
    """Yield visits, first those that win over all others of their subscriber, then the next.

    Yields:
        Position in `entity`, each once; row of the cell, `_ABROAD` for none; parts of the hours.
    """
    if not visits:
        return
    cells, known = [], []
    for touch in visits:
        if touch.name == "roaming":
            cells.append(np.full(len(touch), _ABROAD))
            known.append(kind[touch.rows] != VISITOR)
        else:
            found = presence_cell(touch)
            cells.append(found)
            known.append(found != NOWHERE)
    there = np.concatenate(known)
    row = np.searchsorted(entity, np.concatenate([touch.rows for touch in visits]))[there]
    cell = np.concatenate(cells)[there]
    part = np.concatenate([touch.by_hour(story.date) for touch in visits])[there]
    start = np.concatenate([touch.start for touch in visits])[there]
    # Touches are in the order of the layers: of equal beginnings the later touch wins.
    order = np.lexsort((-np.arange(len(row)), -start, row))
    ordered = row[order]
    first = np.searchsorted(ordered, ordered, side="left")
    rank = np.arange(len(order)) - first
    for place in range(int(rank.max(initial=-1)) + 1):
        chosen = order[rank == place]
        yield row[chosen], cell[chosen], part[chosen]
