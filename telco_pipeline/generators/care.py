"""Contacts with customer care: channel, reason, waiting and handling, result, note.

Belongs here: the fields of `customer_service` and how a contact goes. Does not belong here: why
somebody has a reason to call, which comes with the daily state of subscribers.
"""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import Channel, Reason, Resolution
from telco_pipeline.contracts.world import LANGUAGES
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.generators.base import (
    Column,
    Columns,
    Day,
    Events,
    Inputs,
    Rows,
    blocks,
    draw_events,
    enum_of,
    merge,
    moment,
    nullable,
    served_columns,
)
from telco_pipeline.generators.care_notes import NOTES, REASONS
from telco_pipeline.lake import Rowset

_CHANNELS: Final = [str(channel) for channel in Channel]
_CALL, _CHAT, _APP, _SHOP, _SOCIAL = range(5)
_CHANNEL = Choice.of([46.0, 24.0, 16.0, 9.0, 5.0])
_REASON = Choice.of([27.0, 19.0, 14.0, 17.0, 7.0, 8.0, 8.0])
_RESOLUTIONS: Final = [str(resolution) for resolution in Resolution]
_SOLVED, _CALLBACK, _ESCALATED, _ABANDONED = range(4)
# First-contact resolution 70-85 % (practice).
_RESOLUTION = Choice.of([77.0, 10.0, 7.0, 6.0])
# Contacts per subscriber and year: 1-3, repeaters log-normal (practice); the personal level of
# activity has the tail.
_CONTACTS_A_YEAR: Final = 1.9
# Handling time 5-8 minutes (practice).
_HANDLING = QuantileTable.log_normal(330.0, 0.65)
_QUEUE = QuantileTable.log_normal(75.0, 1.0)
_CHANNEL_QUEUE: Final = np.array([1.0, 0.7, 0.0, 4.0, 30.0])
_CHANNEL_HANDLING: Final = np.array([1.0, 1.3, 0.35, 1.6, 0.8])
_AGENTS: Final = 600
_SURVEYED: Final = 0.22
# Opening hours of the agents, local; the app and social media are open at any time.
_OPENS: Final = 8 * HOUR
_CLOSES: Final = 20 * HOUR


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the contacts of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [_contacts(_draw(day, entities)) for entities in blocks(part)]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CUSTOMER_SERVICE)
    return Rowset.of(records.CUSTOMER_SERVICE, _columns(inputs, day, merge(batches)))


def _draw(day: Day, entities: Rows) -> Events:
    config, population = day.inputs.config, day.inputs.population
    rate = _CONTACTS_A_YEAR / 365.0 * config.record_weights.customer_service
    rates = np.full(len(config.personas), rate)
    ours = entities[population.kind[entities] < VISITOR]
    return draw_events(day, ours, "care", "calls", rates)


def _contacts(events: Events) -> Columns:
    """Return the contacts: channel, reason, how they went."""
    population = events.day.inputs.population
    local = events.day.clock.local(events.time)[0]
    open_now = (local >= _OPENS) & (local < _CLOSES)
    channel = _CHANNEL.sample(events.bits("channel"))
    staffed = (channel == _CALL) | (channel == _CHAT) | (channel == _SHOP)
    channel = np.where(staffed & ~open_now, np.uint8(_APP), channel)
    resolution = _RESOLUTION.sample(events.bits("resolution"))
    # Nobody hangs up in the app or at the counter.
    waits = (channel == _CALL) | (channel == _CHAT)
    resolution = np.where((resolution == _ABANDONED) & ~waits, np.uint8(_SOLVED), resolution)
    queue = np.minimum(_QUEUE.sample(events.bits("queue")) * _CHANNEL_QUEUE[channel], 7200.0)
    handling = _HANDLING.sample(events.bits("handling")) * _CHANNEL_HANDLING[channel]
    handling = np.where(resolution == _ABANDONED, 0.0, np.clip(handling, 20.0, 5400.0))
    mood = _mood(events, resolution, queue, population.satisfaction[events.entity])
    return {
        "time": events.time,
        "entity": events.entity,
        "channel": channel,
        "reason": _REASON.sample(events.bits("reason")),
        "resolution": resolution,
        "queue": queue.astype(np.int32),
        "handling": handling.astype(np.int32),
        "agent": draws.below(events.bits("agent"), _AGENTS),
        "mood": mood,
        "nps": _nps(events, mood),
        "surveyed": draws.chance(events.bits("survey"), _SURVEYED) & (resolution != _ABANDONED),
        "note": draws.below(events.bits("note"), 1 << 16),
        "record": events.packed(),
    }


def _mood(
    events: Events, resolution: np.ndarray, queue: np.ndarray, satisfaction: np.ndarray
) -> np.ndarray:
    """Return the sentiment: from satisfaction, waiting, the result and the day."""
    result = np.array([0.25, -0.15, -0.45, -0.5])[resolution]
    noise = draws.uniform(events.bits("mood")) - 0.5
    mood = 1.2 * (satisfaction - 0.6) + result - queue / 2400.0 + 0.6 * noise
    return np.round(np.clip(mood, -1.0, 1.0), 2)


def _nps(events: Events, mood: np.ndarray) -> np.ndarray:
    """Return the answer to the survey: the mood on a scale of 0 to 10, and a guess."""
    guess = draws.below(events.bits("nps"), 5) - 2
    return np.clip(np.round(6.5 + 4.5 * mood) + guess, 0, 10).astype(np.int16)


def _columns(inputs: Inputs, day: Day, rows: Columns) -> dict[str, Column]:
    population, entity = inputs.population, rows["entity"]
    served = served_columns(day, entity, rows["time"])
    language = population.language.gather(entity)
    alone = (rows["channel"] == _APP) | (rows["resolution"] == _ABANDONED)
    agents = pl.Series([*(f"A{1000 + agent}" for agent in range(_AGENTS)), None])
    return {
        "event_id": pl.Series(inputs.ids.event.of(rows["record"])),
        "event_time": moment(day, rows["time"]),
        **{name: served[name] for name in ("subscriber_id", "msisdn")},
        "channel": enum_of(_CHANNELS, rows["channel"]),
        "reason": enum_of(REASONS, rows["reason"]),
        "language": language.cast(pl.Enum(LANGUAGES)),
        "queue_seconds": pl.Series(rows["queue"]),
        "handling_seconds": pl.Series(rows["handling"]),
        "agent_id": agents.gather(np.where(alone, _AGENTS, rows["agent"])),
        "sentiment": pl.Series(rows["mood"]),
        "resolution": enum_of(_RESOLUTIONS, rows["resolution"]),
        "nps": nullable(~rows["surveyed"], rows["nps"]),
        "note": _notes(language, rows),
    }


def _notes(language: pl.Series, rows: Columns) -> pl.Series:
    """Return the note of each contact, in the customer's language."""
    codes = [str(reason) for reason in Reason]
    texts = []
    for tongue, reason, result, choice in zip(
        language, rows["reason"], rows["resolution"], rows["note"], strict=True
    ):
        opening, endings = NOTES[tongue]
        choices = opening[codes[reason]]
        texts.append(f"{choices[choice % len(choices)]} {endings[_RESOLUTIONS[result]]}")
    return pl.Series(texts, dtype=pl.String)
