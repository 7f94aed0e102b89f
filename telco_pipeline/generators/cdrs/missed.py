"""Missed calls on purpose: layers let subscribers be called, and hung up on at once.

Belongs here: the effect `incoming`: such calls, and the calls back. Does not belong here: other
calls (`calls`), how calls go in general (`attempts`), the calling numbers (`behaviour.ranges`).

The caller lets it ring for some seconds and hangs up. Some of those who were rung call the number
back, most within minutes, and are held on the line: it is answered at once. Such calls come at the
hours at which the subscriber's phone is used. A phone that is off is not called.
"""

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.bursts import LONGEST_TRAIN, power_law_quantile
from telco_pipeline.behaviour.rhythm import Window
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.generators.base import EVENTS_PER_WINDOW, Day, Events, Rows, can_start
from telco_pipeline.generators.cdrs.attempts import (
    ABSENT,
    ANSWERED,
    NO_ANSWER,
    REJECTED,
    Calls,
    Tries,
    attempts,
    by_day,
    endured,
    paging,
    passed_network,
    set_up,
)
from telco_pipeline.generators.cdrs.lengths import talk_time
from telco_pipeline.generators.usage import drawn, numbered, stretch_of
from telco_pipeline.scenarios.effects import Incoming
from telco_pipeline.scenarios.story import Touch
from telco_pipeline.state.lifecycle import SUSPENDED

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

# How much the time for which it rings, and for which a caller is held, varies.
_RINGS = QuantileTable.log_normal(1.0, 0.3)
_HOLDS = QuantileTable.log_normal(1.0, 0.9)
# Microseconds until a call back is answered.
_AT_ONCE: Final = (SECOND * 2 // 5, SECOND * 6 // 5)
# Seconds until somebody calls back: whole hours are the longest that a train of calls knows.
_RETURNED = QuantileTable.of(power_law_quantile(40.0, LONGEST_TRAIN / SECOND - 120.0))


@dataclass(frozen=True)
class _Rung:
    """Calls on purpose, one array element each; some of them will be called back.

    Attributes:
        events: Who is called, and when.
        party: The calling number.
        rings: Microseconds until the caller hangs up.
        back: Part of the calls that is called back.
        holds: Seconds that a call back lasts, in the median.
    """

    events: Events
    party: Rows
    rings: Rows
    back: Floats
    holds: Floats

    def select(self, rows: npt.NDArray) -> "_Rung":
        """Return some of them."""
        return _Rung(
            self.events.select(rows), *(getattr(self, f.name)[rows] for f in fields(self)[1:])
        )


def missed_calls(
    base: Events, entities: Rows, stretches: tuple[Window, ...], positions: int, stop: int
) -> tuple[Calls, Flags] | None:
    """Return the calls that layers let begin on a day, and the calls back.

    Args:
        base: The trains of calls that come in from other networks in these stretches.
        entities: Whom they are drawn with, rising.
        stretches: Windows of the day.
        positions: Most calls of a train.
        stop: Calls back begin before, in microseconds since the start of the day.

    Returns:
        The calls, and which of them belong to the tail of the day; None if there are none.
    """
    day = base.day
    rung = _rung(base, entities, stretches, positions)
    if rung is None:
        return None
    events = rung.events
    every, rings = np.arange(len(events)), rung.rings
    key = draws.events(events.key, np.zeros(len(events), dtype=np.int64))
    number = events.packed_position(every, positions, 0)
    tries = Tries(number, key, events.entity, rung.party, events.entity, events.time)

    def hang_up(on: Day, calls: Calls, rows: Rows) -> Calls:
        return _hung_up(on, calls, rings[rows])

    calls, made = attempts(day, tries, hang_up)
    rung = rung.select(made)
    late = rung.events.index >= EVENTS_PER_WINDOW
    wait = (_RETURNED.sample(draws.bits(calls.key, "returned/when")) * SECOND).astype(np.int64)
    when = calls.release + wait
    returns = draws.chance(draws.bits(calls.key, "returned"), rung.back)
    returns &= (calls.outcome == NO_ANSWER) & (when < stop)
    returns &= when <= rung.events.time + LONGEST_TRAIN
    # No others: those that would return too late may lie in a day that has not been made.
    likely = np.flatnonzero(returns)
    for one, some, midnight in by_day(day, when[likely]):
        rows = likely[some]
        returns[rows] &= can_start(one, calls.ego[rows], when[rows] - midnight)
    rows = np.flatnonzero(returns)
    if not rows.size:
        return calls, late
    back = _called_back(day, rung.select(rows), when[rows], positions)
    return Calls.concat([calls, back[0]]), np.concatenate([late, late[rows[back[1]]]])


def _rung(
    base: Events, entities: Rows, stretches: tuple[Window, ...], positions: int
) -> _Rung | None:
    """Return the calls on purpose (arguments: `missed_calls`)."""
    day, found = base.day, []
    for window in stretches:
        events = base
        for touch in day.story.of("incoming"):
            rows, place = touch.among(entities)
            stretch = stretch_of(day, touch, window)
            if not rows.size or stretch is None:
                continue
            more = _events(base, touch, place, stretch)
            more = numbered(events, more, window, EVENTS_PER_WINDOW // positions)
            if len(more):
                events = events.followed_by(more)
                found.append(_of_touch(touch, more))
    if not found:
        return None
    events = found[0].events
    for other in found[1:]:
        events = events.followed_by(other.events)
    return _Rung(
        events,
        *(np.concatenate([getattr(one, f.name) for one in found]) for f in fields(_Rung)[1:]),
    )


def _events(base: Events, touch: Touch, place: Rows, stretch: Window) -> Events:
    """Return when a layer lets some of its targets be called in a stretch of a day."""
    day, effect, who = base.day, touch.effect, touch.rows[place]
    assert isinstance(effect, Incoming)
    rhythm = day.rhythm("calls")
    row = rhythm.rows(day.inputs.population.persona[who], day.inputs.chronotype[who])
    mean = touch.amount(effect.per_day) * rhythm.part_of_day(row, stretch)
    return drawn(day, touch, place, base.kind, "calls", mean, window=stretch)


def _of_touch(touch: Touch, events: Events) -> _Rung:
    effect, count = touch.effect, len(events)
    assert isinstance(effect, Incoming)
    inputs = events.day.inputs
    place = draws.below(events.bits("incoming/number"), effect.numbers)
    rings = _RINGS.sample(events.bits("incoming/rings")) * touch.amount(effect.rings)
    return _Rung(
        events,
        inputs.directory.of_ranges(inputs.config, touch.incident, effect.ranges, place),
        (rings * SECOND).astype(np.int64),
        np.full(count, touch.amount(effect.call_back)),
        np.full(count, touch.amount(effect.holds)),
    )


def _hung_up(day: Day, calls: Calls, rings: Rows) -> Calls:
    """Return calls whose callers hang up, as far as the network lets them ring."""
    outcome = np.where(calls.target.there, np.int8(NO_ANSWER), np.int8(ABSENT))
    outcome[calls.standing == SUSPENDED] = REJECTED
    outcome = passed_network(day, calls, outcome)
    alerted = calls.time + paging(calls.key) + set_up(calls.key)
    release = alerted + np.where(outcome == NO_ANSWER, rings, 0)
    return endured(day, replace(calls, outcome=outcome, release=release))


def _called_back(day: Day, rung: _Rung, when: Rows, positions: int) -> tuple[Calls, Rows]:
    """Return the calls back of missed calls, and the row of the missed one of each."""
    events = rung.events
    every = np.arange(len(events))
    key = draws.events(events.key, np.ones(len(events), dtype=np.int64))
    number = events.packed_position(every, positions, 1)
    tries = Tries(number, key, events.entity, events.entity, rung.party, when)

    def hold(on: Day, calls: Calls, rows: Rows) -> Calls:
        return _held(on, calls, rung.holds[rows])

    return attempts(day, tries, hold)


def _held(day: Day, calls: Calls, holds: Floats) -> Calls:
    """Return calls that are answered at once, as far as the network lets them through."""
    outcome = passed_network(day, calls, np.full(len(calls), ANSWERED, dtype=np.int8))
    answered = outcome == ANSWERED
    least, most = _AT_ONCE
    alerted = calls.time + paging(calls.key) + set_up(calls.key)
    answer = alerted + least + draws.below(draws.bits(calls.key, "ring"), most - least)
    seconds = talk_time(day.inputs.config, _HOLDS, draws.bits(calls.key, "talk"), holds)
    release = np.where(answered, answer + (seconds * SECOND).astype(np.int64), alerted)
    answer = np.where(answered, answer, -1)
    return endured(day, replace(calls, outcome=outcome, answer=answer, release=release))
