"""Starts of data sessions: who opens an application, or reports, and when.

Belongs here: the starts that rhythms and schedules give. Does not belong here: what a session moves
and how long it lasts (`data_usage`), when machines report (`behaviour.machines`).

Now and then one application is opened after another, in one look at the screen.
"""

from typing import Final

import numpy as np

from telco_pipeline.behaviour import machines
from telco_pipeline.behaviour.population import MACHINE
from telco_pipeline.behaviour.rhythm import Window
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.generators.base import (
    EVENTS_PER_WINDOW,
    LEGACY,
    Day,
    Events,
    Rows,
    draw_events,
)
from telco_pipeline.generators.cdrs.applications import LONGEST
from telco_pipeline.generators.usage import added, thinned

# How long a session may wait for its turn: an application opened after another, a late report.
_LATEST: Final = max(60 * SECOND, machines.LONGEST_DELAY)
TAIL: Final = LONGEST * SECOND + _LATEST
"""From the start of a session, as drawn, to the latest end."""
# Share of a persona's sessions that a phone without LTE has.
_LEGACY_SHARE: Final = 0.2
# Part of the sessions that follow another application within the minute (practice).
_FOLLOWS: Final = 0.22
_FOLLOWS_WITHIN: Final = (2 * SECOND, 55 * SECOND)


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
    made = _by_rhythm(day, entities[~by_schedule], window)
    if by_schedule.any():
        made = made.followed_by(_by_schedule(day, entities[by_schedule], window))
    return _as_layers_say(made, entities, window) if day.story else made


def _as_layers_say(base: Events, entities: Rows, window: Window) -> Events:
    """Return sessions with those that layers add, at any time, and without those that they take."""
    more = added(
        base,
        entities,
        "data",
        _rates(base.day),
        what="sessions",
        window=window,
        most=EVENTS_PER_WINDOW,
    )
    return thinned(base.followed_by(_with_data(more)), "sessions")


def _rates(day: Day) -> np.ndarray:
    """Return the mean number of sessions a day, by persona."""
    config = day.inputs.config
    weight = config.record_weights.data
    return np.array([persona.sessions * weight for persona in config.personas.values()])


def _by_rhythm(day: Day, entities: Rows, window: Window) -> Events:
    """Return the sessions of people, and of machines that people use."""
    drawn = draw_events(
        day, entities, "data", "data", _rates(day), window=window, most=EVENTS_PER_WINDOW
    )
    return _with_data(_opened_together(drawn))


def _with_data(events: Events) -> Events:
    """Leave out most sessions of phones without LTE."""
    entities = events.entity
    population = events.day.inputs.population
    legacy = LEGACY[population.rat] & (population.kind != MACHINE)
    if not legacy[entities].any():
        return events
    kept = ~legacy[entities] | draws.chance(events.bits("legacy"), _LEGACY_SHARE)
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
