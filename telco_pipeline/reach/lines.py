"""Lines: whose calls go otherwise, because a call before them did.

Belongs here: from what subscribers meet (`felt`) to the calls that follow from it. Does not belong
here: how calls go (`generators.cdrs.calls`), which records that makes (`rows`).

Who rings whom in which hour is drawn before anything becomes of it: trains of calls
(`generators.cdrs.calls.trains_of`), calls to care, and calls that layers let come in. A train may
go otherwise if one of its parties meets another world while it may last. Then the later calls of
the phone with which it is drawn may find the line free or busy (`generators.cdrs.lines`): from
that hour on to the end of its window, which for the tail of a day lies two hours behind midnight,
all calls of that phone are in reach. It leads no further, as all calls that a phone's line decides
are drawn with it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.bursts import LONGEST_TRAIN
from telco_pipeline.behaviour.rhythm import windows
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import WIDE_BLOCK, Day, Inputs, blocks
from telco_pipeline.generators.cdrs.calls import TAIL, trains_of
from telco_pipeline.reach import hours
from telco_pipeline.reach.felt import Felt
from telco_pipeline.reach.hours import HOURS, ONE, Hours

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_NOBODY: Final = -1
_SPAN: Final = hours.whole(TAIL)
"""Hours after that of a train in which its calls may begin."""


@dataclass(frozen=True)
class _Trains:
    """Calls that may come to be on a day, train by train.

    Attributes:
        ego: With whom it is drawn.
        party: The other one, if he is ours; else -1.
        hour: Hour in which it begins.
        late: Whether it belongs to the tail of the day.
        astray: Whether a layer leads each call of it to a number of its own.
    """

    ego: Rows
    party: Rows
    hour: Hours
    late: Flags
    astray: Flags

    def lasting(self, span: int) -> Hours:
        """Return the hour of each train and so many after it."""
        return np.uint64((1 << (span + 1)) - 1) << self.hour


def lines(inputs: Inputs, felt: Felt, after: Felt | None, before: Hours) -> tuple[Hours, Hours]:
    """Return the hours of a day in which the calls of each phone are in reach.

    Args:
        inputs: The main world.
        felt: What is met on the day.
        after: What is met on the next one; None if nobody asks for its records.
        before: What the tail of the day before leaves behind midnight.

    Returns:
        The hours by entity number, and what the day's own tail leaves behind midnight.
    """
    size = inputs.population.size
    meets = felt.calls
    if after is not None:
        meets |= after.calls << hours.DAY_BITS
    if not meets.any():
        return before, hours.none(size)
    trains = _trains(inputs, inputs.day(felt.date))
    longest = inputs.config.charging.voice_max_s * SECOND
    lasts = trains.lasting(hours.whole(LONGEST_TRAIN + longest))
    own = trains.party != _NOBODY
    hit = trains.astray | (meets[trains.ego] & lasts > 0)
    hit[own] |= meets[trains.party[own]] & lasts[own] > 0
    begins = trains.lasting(_SPAN)
    # A call centre has as many lines as it needs: only this train itself goes otherwise.
    centre = inputs.contacts.calls_anybody(trains.ego)
    end = np.where(trains.late, HOURS + _SPAN, HOURS).astype(np.uint64)
    line = (ONE << end) - (ONE << trains.hour)
    phone, alone = hours.none(size), hours.none(size)
    leader = inputs.population.leader
    # Who goes otherwise himself may ring others in one world alone.
    rows = np.flatnonzero(felt.own)
    np.bitwise_or.at(phone, leader[rows], hours.later(felt.own[rows], HOURS + _SPAN - 1))
    rows = np.flatnonzero(hit & ~centre)
    np.bitwise_or.at(phone, leader[trains.ego[rows]], line[rows])
    # Of its trains those in reach are told by the other party, if he is ours.
    for who, chosen in ((trains.party, own), (trains.ego, ~own)):
        rows = np.flatnonzero(hit & centre & chosen)
        np.bitwise_or.at(alone, who[rows], begins[rows])
    calls = phone[leader] | alone
    return calls & hours.ALL_DAY | before, calls >> hours.DAY_BITS


def _trains(inputs: Inputs, day: Day) -> _Trains:
    """Return the calls that may come to be on a day."""
    own = inputs.directory.own
    found = []
    for entities in blocks(Part(0, 0, inputs.config.joined_by(day.date)), WIDE_BLOCK):
        trains, _ = trains_of(day, entities, windows(TAIL))
        astray = np.zeros(len(trains.ego), dtype=np.bool_)
        if trains.aims is not None:
            astray = trains.aims.which >= 0
        party = np.where(trains.party < own, trains.party, _NOBODY)
        found.append((trains.ego, party, trains.time // HOUR, trains.late, astray))
    # A call to care and one that a layer lets come in take the line as well.
    contacts = day.customers.contacts
    alone = [(contacts.entity, contacts.time // HOUR)]
    for touch in day.story.of("incoming"):
        each = np.repeat(touch.rows, HOURS)
        alone.append((each, np.tile(np.arange(HOURS), len(touch.rows))))
    for ego, hour in alone:
        late = (hour + 1) * HOUR > DAY - TAIL
        nothing = np.zeros(len(ego), dtype=np.bool_)
        found.append((ego, np.full(len(ego), _NOBODY), hour, late, nothing))
    ego, party, hour, late, astray = (np.concatenate(column) for column in zip(*found, strict=True))
    return _Trains(
        ego.astype(np.int64), party.astype(np.int64), hour.astype(np.uint64), late, astray
    )
