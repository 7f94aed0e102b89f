"""Usage: what scenario layers add to what people start, and what they take from it.

Belongs here: the effect `usage`, and how events that layers add get their place beside others. Does
not belong here: what people start anyway (`events`), what an event then is (`cdrs`).

The events that would have been anyway stay as they are, or some of them are left out, each by a
hash of its own; what is added has draws of its own and follows the rhythm of who starts it, or
none. So a world with a layer and the world without it differ by these events, and by what follows
from them.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.rhythm import Kind, Window
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.engine.draws import Bits
from telco_pipeline.generators.events import (
    EVENTS_PER_WINDOW,
    Events,
    draw_events,
    events_of,
    mean_events,
)
from telco_pipeline.generators.inputs import Day, Rows
from telco_pipeline.scenarios.effects import Usage
from telco_pipeline.scenarios.story import Touch

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Counted = Literal["calls", "messages", "sessions"]
Measured = Literal["bytes", "talk"]

_EFFECT: Final = "usage"
# Indices that an added event tries, one after the other.
_TURNS: Final = 64


def draw_usage(
    day: Day,
    entities: Rows,
    kind: str,
    rhythm: Kind,
    rates: Floats,
    *,
    what: Counted,
    window: Window,
    most: int,
) -> Events:
    """Return `draw_events` of what entities start, with what layers add and without what they take.

    Args:
        day: The day.
        entities: Entity numbers, rising.
        kind: Kind of event.
        rhythm: Which rhythm of the day they follow.
        rates: Mean number of events a day, by persona.
        what: The factor of the effect that counts for them.
        window: The stretch of the day.
        most: Most events of an entity in the window.
    """
    base = draw_events(day, entities, kind, rhythm, rates, window=window, most=most)
    if not day.story:
        return base
    more = added(base, entities, rhythm, rates, what=what, window=window, most=most)
    return thinned(base.followed_by(more), what)


def added(
    base: Events,
    entities: Rows,
    rhythm: Kind,
    rates: Floats,
    *,
    what: Counted,
    window: Window,
    most: int,
) -> Events:
    """Return the events that layers add to some.

    A factor f adds f - 1 times what the entity does in the mean. Where factors meet, the later ones
    in the order of layers multiply what the earlier ones have added: that part is the later one's,
    drawn by its key beside what it adds alone. So if the earlier layer is left out, all that the
    later one adds alone stays, and if the later one is left out, all of the earlier one.

    Args:
        base: What the entities start in the window anyway.
        entities: Entity numbers, rising.
        rhythm: Which rhythm of the day they follow.
        rates: Mean number of events a day, by persona.
        what: The factor of the effect that counts for them.
        window: The stretch of the day.
        most: Most events of an entity in the window.
    """
    found, earlier = base.select(np.zeros(0, dtype=np.int64)), []
    for touch in base.day.story.of(_EFFECT):
        factor = _factor(touch, what)
        if factor <= 1.0:
            continue
        rows, place = touch.among(entities)
        stretch = stretch_of(base.day, touch, window)
        if rows.size and stretch is not None:
            who = entities[rows]
            even = _evenly(touch)
            mean = mean_events(base.day, who, rhythm, rates, stretch, evenly=even) * (factor - 1.0)
            found = found.followed_by(
                drawn(base.day, touch, place, base.kind, rhythm, mean, window=stretch, evenly=even)
            )
            most_before = _most_before(earlier, who, what) - 1.0
            both = np.flatnonzero(most_before > 0.0)
            if both.size:
                more = drawn(
                    base.day,
                    touch,
                    place[both],
                    base.kind,
                    rhythm,
                    mean[both] * most_before[both],
                    window=stretch,
                    aspect="/both",
                    evenly=even,
                )
                found = found.followed_by(_as_before(more, earlier, what))
        earlier.append(touch)
    return numbered(base, found, window, most)


def drawn(
    day: Day,
    touch: Touch,
    place: Rows,
    kind: str,
    rhythm: Kind,
    mean: Floats,
    *,
    window: Window,
    aspect: str = "",
    evenly: bool = False,
) -> Events:
    """Return events that an effect adds, as far as its strength at their time says.

    Args:
        day: The day.
        touch: The effect.
        place: Positions of its targets, rising.
        kind: Kind of event.
        rhythm: Which rhythm of the day they follow.
        mean: Mean number of events of each target at full strength.
        window: The stretch of the day.
        aspect: Tells several sets of events of one effect apart.
        evenly: They come at any time alike, and not by the rhythm.
    """
    keys = draws.bits(touch.key[place], f"{kind}/{window.number}{aspect}")
    keys = draws.events(keys, np.full(len(place), day.number))
    counts = day.inputs.poisson.sample(draws.bits(keys, "count"), mean)
    who = touch.rows[place]
    counts = np.minimum(counts, EVENTS_PER_WINDOW)
    events = events_of(day, who, kind, rhythm, keys, counts, window=window, evenly=evenly)
    strength = touch.strength(touch.among(events.entity)[1], events.time + day.start)
    kept = draws.chance(events.bits("added/strength"), strength)
    return events.select(np.flatnonzero(kept))


def numbered(base: Events, more: Events, window: Window, most: int) -> Events:
    """Return events beside others of their kind, with indices of their own.

    Each takes the first free of the indices that its own key names, so it keeps its id whatever
    other layers add, unless both name the same one, which few of them do: indices are far more than
    events. What finds none is left out.

    Args:
        base: The others, of any window.
        more: What is added in one window.
        window: The stretch of the day.
        most: Most events of an entity in the window.
    """
    if not len(more):
        return more
    more = more.select(np.argsort(more.entity, kind="stable"))
    start = window.number * EVENTS_PER_WINDOW
    taken = _places(_beside(base, more), start)
    place, left = np.full(len(more), -1), np.arange(len(more))
    for turn in range(_TURNS):
        wanted = draws.below(draws.bits(more.key[left], f"added/place/{turn}"), most)
        code = more.entity[left] * EVENTS_PER_WINDOW + wanted
        # Two that want the same one: the first of them gets it.
        first = np.unique(code, return_index=True)[1]
        free = first[~np.isin(code[first], taken)]
        place[left[free]] = wanted[free]
        taken = np.concatenate([taken, code[free]])
        left = np.delete(left, free)
        if not left.size:
            break
    kept = np.flatnonzero(place >= 0)
    chosen = more.select(kept)
    return Events(more.day, more.kind, chosen.entity, start + place[kept], chosen.key, chosen.time)


def _beside(base: Events, more: Events) -> Events:
    """Return the events of those entities that have others too, which are sorted by entity."""
    first, last = int(more.entity[0]), int(more.entity[-1])
    theirs = np.zeros(last - first + 1, dtype=np.bool_)
    theirs[more.entity - first] = True
    near = np.flatnonzero((base.entity >= first) & (base.entity <= last))
    return base.select(near[theirs[base.entity[near] - first]])


def _places(events: Events, start: int) -> Rows:
    """Return entity and index of the events of a window, as one number each."""
    place = events.index - start
    inside = (place >= 0) & (place < EVENTS_PER_WINDOW)
    return events.entity[inside] * EVENTS_PER_WINDOW + place[inside]


def thinned(events: Events, what: Counted) -> Events:
    """Return events without those that layers take: each is left out by a hash of its own."""
    kept = None
    for touch in events.day.story.of(_EFFECT):
        factor = _factor(touch, what)
        if factor >= 1.0:
            continue
        rows, place = touch.among(events.entity)
        if rows.size:
            strength = touch.strength(place, events.time[rows] + events.day.start)
            bits = draws.bits(_of_both(touch, place, events.key[rows]), f"usage/{what}")
            kept = np.ones(len(events), dtype=np.bool_) if kept is None else kept
            kept[rows] &= draws.chance(bits, 1.0 - (1.0 - factor) * strength)
    return events if kept is None else events.select(np.flatnonzero(kept))


def begun(day: Day, target: Rows, time: Rows, key: Bits, among: Flags | None = None) -> Rows:
    """Return the rows of trains of calls or messages that come about.

    Layers keep others from beginning some towards subscribers, each by a hash of its own.

    Args:
        day: The day on which they begin.
        target: Whom the first call or message of each goes to: row of the directory.
        time: When, in microseconds since the start of the day.
        key: Hash of each.
        among: Which of them may be kept from it; all if None.
    """
    kept = np.ones(len(target), dtype=np.bool_)
    for touch in day.story.of(_EFFECT):
        part = _factor(touch, "called")
        if part >= 1.0:
            continue
        rows, place = touch.among(target)
        if among is not None:
            rows, place = rows[among[rows]], place[among[rows]]
        if rows.size:
            strength = touch.strength(place, time[rows] + day.start)
            bits = draws.bits(_of_both(touch, place, key[rows]), "usage/called")
            kept[rows] &= draws.chance(bits, 1.0 - (1.0 - part) * strength)
    return np.flatnonzero(kept)


def factors(day: Day, entity: Rows, time: Rows, what: Measured) -> Floats | None:
    """Return by how much layers lengthen or enlarge what entities start; None if none does.

    Args:
        day: The day.
        entity: Who.
        time: When, in microseconds since the start of the day.
        what: Which factor.
    """
    found = None
    for touch in day.story.of(_EFFECT):
        factor = _factor(touch, what)
        if factor == 1.0:
            continue
        rows, place = touch.among(entity)
        if rows.size:
            found = np.ones(len(entity)) if found is None else found
            found[rows] *= 1.0 + (factor - 1.0) * touch.strength(place, time[rows] + day.start)
    return found


def stretch_of(day: Day, touch: Touch, window: Window) -> Window | None:
    """Return the stretch of a window in which an effect touches anybody; None if in none."""
    start = max(window.start, int(touch.start.min()) - day.start)
    stop = min(window.stop, int(touch.end.max()) - day.start, DAY)
    return Window(window.number, start, stop) if start < stop else None


def _factor(touch: Touch, what: Counted | Measured | Literal["called"]) -> float:
    effect = touch.effect
    assert isinstance(effect, Usage)
    return touch.amount(getattr(effect, what))


def _evenly(touch: Touch) -> bool:
    effect = touch.effect
    assert isinstance(effect, Usage)
    return effect.evenly


def _of_both(touch: Touch, place: Rows, key: Bits) -> Bits:
    """Return a hash of a target's effect and an event."""
    return draws.mix(touch.key[place] ^ key)


def _most_before(touches: Sequence[Touch], entities: Rows, what: Counted) -> Floats:
    """Return the product of factors of some effects on each entity, at full strength."""
    product = np.ones(len(entities))
    for touch in touches:
        product[touch.among(entities)[0]] *= _factor(touch, what)
    return product


def _as_before(events: Events, earlier: Sequence[Touch], what: Counted) -> Events:
    """Return what is left of events that were drawn as if earlier effects were at full strength."""
    moment, product = events.time + events.day.start, np.ones(len(events))
    for touch in earlier:
        rows, place = touch.among(events.entity)
        product[rows] *= 1.0 + (_factor(touch, what) - 1.0) * touch.strength(place, moment[rows])
    most = _most_before(earlier, events.entity, what) - 1.0
    kept = draws.chance(events.bits("added/before"), (product - 1.0) / most)
    return events.select(np.flatnonzero(kept))
