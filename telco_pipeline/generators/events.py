"""Events: what subscribers start on a day, block by block, and the tail of the day before.

Belongs here: drawing events of a part of the population, their ids. Does not belong here: what an
event is (`cdrs`, `locations`), the columns of records (`columns`).

The rows of a day are those whose event time lies in the UTC day; some of them belong to events that
began the day before, so each generator draws the *tail* of that day again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import PERSON
from telco_pipeline.behaviour.rhythm import (
    WHOLE_DAY,
    Kind,
    Window,
    windows,
)
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import MAX_INDEX, pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.inputs import Day, Rows

# Numbers of the kinds of events in event ids; never reuse one.
EVENT_KINDS: Final = {
    "voice_out": 0,
    "voice_in": 1,
    "sms_out": 2,
    "sms_in": 3,
    "data": 4,
    "trunk": 5,
    "register": 6,
    "location": 7,
    "log": 8,
    "care": 9,
    # Data sessions of more than 16 records; `cdrs.data_records` goes on from here.
    "data_more": 10,
    # What scenario layers let short codes write.
    "sms_code": 25,
    # Offers that scenario layers send.
    "sms_offer": 26,
    # Lines of error that scenario layers bring.
    "error_line": 27,
    # Alarms of faults that scenario layers bring, which may last for any time.
    "fault_alarm": 28,
    "alarm": 29,
    "fault_line": 30,
    "identity": 31,
}
# Datasets give each record of one event an index of its own: event index * 16 + number of the
# record within the event.
RECORDS_PER_EVENT: Final = 16
# Events of an entity in each window of a day; of a train of calls or messages, its positions too.
EVENTS_PER_WINDOW: Final = MAX_INDEX // RECORDS_PER_EVENT // 2
# Trains of calls that a person begins on a day with ease, and those that the time would be over
# with: with ringing and second tries one takes some three minutes, and hardly four of the sixteen
# hours awake go into one's own calls. In a firm there are several at the telephone.
EASILY: Final = 30.0
AT_MOST: Final = 75.0
# Entities whose events are drawn at a time: arrays of a few ten thousand values stay in the cache.
BLOCK: Final = 4096
# The same for what is rarer than data sessions: larger blocks, as each costs some hundred calls.
WIDE_BLOCK: Final = 16384


@dataclass(frozen=True)
class Events:
    """Events that some entities start on one day.

    Attributes:
        day: The day on which they start.
        kind: Kind of event, a key of `EVENT_KINDS`.
        entity: Entity number of each event.
        index: Index of the event within its entity and day.
        key: Hash from which its attributes are drawn.
        time: Microseconds since the start of `day`.
    """

    day: Day
    kind: str
    entity: Rows
    index: Rows
    key: Bits
    time: Rows

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.entity)

    def select(self, chosen: npt.NDArray) -> "Events":
        """Return some of the events (mask or row numbers)."""
        return Events(
            self.day,
            self.kind,
            self.entity[chosen],
            self.index[chosen],
            self.key[chosen],
            self.time[chosen],
        )

    def followed_by(self, others: "Events") -> "Events":
        """Return these events and then others of the same day and kind."""
        if not len(others):
            return self
        return Events(
            self.day,
            self.kind,
            np.concatenate([self.entity, others.entity]),
            np.concatenate([self.index, others.index]),
            np.concatenate([self.key, others.key]),
            np.concatenate([self.time, others.time]),
        )

    def bits(self, attribute: str) -> Bits:
        """Return random bits for an attribute."""
        return draws.bits(self.key, attribute)

    def packed(self, record: int | Rows = 0) -> Rows:
        """Return what an id of the event, or of one of its records, is made from.

        Args:
            record: Number of the record within its event, below `RECORDS_PER_EVENT`.
        """
        index = self.index * RECORDS_PER_EVENT + record
        return pack(EVENT_KINDS[self.kind], self.day.number, self.entity, index)

    def packed_position(self, rows: Rows, positions: int, position: int) -> Rows:
        """Return what an id of an event of the trains at some rows is made from.

        Args:
            rows: Rows of these events, each of which begins a train.
            positions: Most events of a train.
            position: Number of the event within its train, from 0.
        """
        window, number = np.divmod(self.index[rows], EVENTS_PER_WINDOW)
        index = window * EVENTS_PER_WINDOW + number * positions + position
        kind = EVENT_KINDS[self.kind]
        return pack(kind, self.day.number, self.entity[rows], index * RECORDS_PER_EVENT)


def draw_events(
    day: Day,
    entities: Rows,
    kind: str,
    rhythm: Kind,
    rates: npt.NDArray[np.float64],
    *,
    window: Window = WHOLE_DAY,
    most: int = EVENTS_PER_WINDOW,
    even_if_off: bool = False,
) -> Events:
    """Draw the events that entities start in a window of a day.

    Args:
        day: The day.
        entities: Entity numbers.
        kind: Kind of event, a key of `EVENT_KINDS`; the aspect of the draws.
        rhythm: Which rhythm of the day they follow.
        rates: Mean number of events a day, by persona.
        window: The stretch of the day; each has counts and indices of its own.
        most: Most events of an entity in the window: what their ids have room for.
        even_if_off: Keep what happens while the phone is off: it comes from elsewhere.
    """
    stream = draws.stream(day.inputs.config.seed, f"{kind}/{window.number}", day.number)
    keys = draws.keys(stream, entities)
    mean = mean_events(day, entities, rhythm, rates, window)
    counts = day.inputs.poisson.sample(draws.bits(keys, "count"), mean)
    return events_of(
        day,
        entities,
        kind,
        rhythm,
        keys,
        np.minimum(counts, most),
        window=window,
        even_if_off=even_if_off,
    )


def mean_events(
    day: Day,
    entities: Rows,
    rhythm: Kind,
    rates: npt.NDArray[np.float64],
    window: Window,
    *,
    evenly: bool = False,
) -> npt.NDArray[np.float64]:
    """Return how many events each entity starts in a window in the mean (as in `draw_events`).

    Args:
        day: The day.
        entities: Entity numbers.
        rhythm: Which rhythm of the day they follow.
        rates: Mean number of events a day, by persona.
        window: The stretch of the day.
        evenly: They start as many at all hours and on all days of the week as in the mean.
    """
    when, persona = day.rhythm(rhythm), day.inputs.population.persona[entities]
    row = when.rows(persona, day.inputs.chronotype[entities])
    level, swing = day.inputs.level(rhythm)[entities], day.swing(entities)
    part = (window.stop - window.start) / DAY if evenly else when.mean_events(row, window)
    mean = rates[persona] * part * level * swing
    if rhythm == "calls":
        people = day.inputs.population.kind[entities] == PERSON
        mean *= time_for(np.where(people, rates[persona] * level * swing, 0.0))
    return mean


def time_for(trains: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return for which part of the calls that people would begin on a day they have the time.

    For all up to `EASILY`, without a step; of more for an ever smaller part, so that nobody comes
    to `AT_MOST`.

    Args:
        trains: Trains of calls that each would begin.
    """
    part = np.ones(len(trains))
    busy = np.flatnonzero(trains > EASILY)
    if busy.size:
        more, room = trains[busy] - EASILY, AT_MOST - EASILY
        part[busy] = (EASILY + more * room / (more + room)) / trains[busy]
    return part


def events_of(
    day: Day,
    entities: Rows,
    kind: str,
    rhythm: Kind,
    keys: Bits,
    counts: Rows,
    *,
    window: Window,
    even_if_off: bool = False,
    evenly: bool = False,
) -> Events:
    """Return some events of each entity in a window, without those of who cannot start any.

    Args:
        day: The day.
        entities: Entity numbers.
        kind: Kind of event.
        rhythm: Which rhythm of the day they follow.
        keys: Key of each entity.
        counts: How many events of each.
        window: The stretch of the day.
        even_if_off: Keep what happens while the phone is off.
        evenly: At any time of the window alike.
    """
    inputs, when = day.inputs, day.rhythm(rhythm)
    row = when.rows(inputs.population.persona[entities], inputs.chronotype[entities])
    which = np.repeat(np.arange(len(entities)), counts)
    first = np.cumsum(counts) - counts
    index = np.arange(len(which)) - first[which] + window.number * EVENTS_PER_WINDOW
    key = draws.events(keys[which], index)
    bits = draws.bits(key, "time")
    time = _at_any_time(bits, window) if evenly else when.times(bits, row[which], window)
    drawn = Events(day, kind, entities[which], index, key, time)
    gone = ~day.in_service(drawn.entity, time)
    if not even_if_off:
        gone |= day.mobility.switched_off(drawn.entity, time)
    return drawn.select(np.flatnonzero(~gone)) if gone.any() else drawn


def _at_any_time(bits: Bits, window: Window) -> Rows:
    """Return times of a window, in microseconds since the start of the day, all alike."""
    time = window.start + draws.uniform(bits) * (window.stop - window.start)
    return np.minimum(time.astype(np.int64), window.stop - 1)


def can_start(day: Day, party: Rows, time: Rows) -> npt.NDArray[np.bool_]:
    """Return who can start a call or a message: of ours, who has the phone on; anybody elsewhere.

    Args:
        day: The day.
        party: Rows of the directory; the first are our subscribers.
        time: Microseconds since the start of the day.
    """
    able = np.ones(len(party), dtype=np.bool_)
    own = np.flatnonzero(party < day.inputs.directory.own)
    able[own] = day.in_service(party[own], time[own])
    able[own] &= ~day.mobility.switched_off(party[own], time[own])
    return able


def blocks(part: Part, size: int = BLOCK) -> Iterator[Rows]:
    """Return the entities of a part in blocks."""
    for start in range(part.start, part.stop, size):
        yield np.arange(start, min(start + size, part.stop))


def with_tail(
    day: Day,
    part: Part,
    draw: Callable[[Day, Rows, Window], Events],
    tail: int,
    block: int = BLOCK,
) -> Iterator[tuple[Events, int]]:
    """Return the day's events block by block, and those of the day before that may reach into it.

    Args:
        day: The day whose records are made.
        part: The entities.
        draw: Draws the events that some entities start in a window of a day.
        tail: Longest time in microseconds from an event's start to the start of its last record.
        block: Entities at a time.

    Yields:
        Events, and what to add to their times to count from the start of `day`.
    """
    main, end = windows(tail)
    for entities in blocks(part, block):
        if day.date > day.inputs.config.epoch:
            earlier = draw(day.before, entities, end)
            if len(earlier):
                yield earlier, -DAY
        yield draw(day, entities, main).followed_by(draw(day, entities, end)), 0
