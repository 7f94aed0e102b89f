"""Lines: a phone is in one call at a time, and its calls to customer care stand.

Belongs here: calls to care, and which other calls make room for them; who is busy when called, who
does not call while on the phone. Does not belong here: how a call goes (`attempts`), who calls whom
(`calls`), why somebody turns to care (`state`), how long he waits (`generators.care_contacts`).
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.identifiers import MAX_ENTITIES
from telco_pipeline.generators.base import Day, Rows
from telco_pipeline.generators.care_contacts import Contacted, care_call_number, care_contacts
from telco_pipeline.generators.cdrs.attempts import (
    ANSWERED,
    BUSY,
    CW,
    NO_CIRCUIT,
    UNALLOCATED,
    Calls,
    Tries,
    begun,
    by_day,
    completed,
    endured,
    paging,
    set_up,
)
from telco_pipeline.generators.cdrs.sides import Side, find_side, originating_key

Flags = npt.NDArray[np.bool_]

# Who has call waiting takes some second calls beside the first (practice).
_TAKES_WAITING: Final = 0.12
_TIME_BITS: Final = 38  # microseconds of a day and of the longest call after it


def care_calls(day: Day, entities: Rows) -> Calls:
    """Return the calls of some subscribers to customer care on a day.

    The contact has happened, so the call holds: the queue answers it. Who calls has service
    (`care_contacts`).
    """
    contacts = care_contacts(day, entities)
    contacts = contacts.select(np.flatnonzero(contacts.is_call))
    entity, time, key = contacts.entity.astype(np.int64), contacts.time, contacts.key
    nowhere = np.full(len(entity), -1)
    callee = np.full(len(entity), day.inputs.directory.care)
    tries = Tries(care_call_number(day, contacts), key, entity, entity, callee, time)
    origin = find_side(day, entity, time, originating_key(key))
    target = Side.at(nowhere, np.zeros(len(entity)), nowhere)
    calls = begun(tries, time + paging(key), nowhere.astype(np.int8), origin, target)
    answer, release = calls.seized + set_up(key), _care_times(contacts)[1]
    return endured(day, replace(calls, answer=answer, release=release))


def _care_times(contacts: Contacted) -> tuple[Rows, Rows]:
    """Return seizure and release of calls to customer care: the queue answers at once."""
    key, seconds = contacts.key, np.maximum(contacts.seconds, 1)
    answer = contacts.time + paging(key) + set_up(key)
    return contacts.time, answer + seconds * SECOND


def beside_care(day: Day, calls: Calls) -> tuple[Calls, Rows]:
    """Return the calls that leave room for their parties' calls to customer care; and their rows.

    Those that run into one, or that a phone would start meanwhile, are left out; those that come in
    meanwhile find it busy. This counts for both parties, with whomever the call is drawn, as the
    state tells all contacts of the day.
    """
    contacts = care_contacts(day, np.arange(day.inputs.directory.own))
    contacts = contacts.select(np.flatnonzero(contacts.is_call))
    if not len(contacts.entity):
        return calls, np.arange(len(calls))
    line = _lines(day, contacts.entity.astype(np.int64))
    order = np.argsort(line, kind="stable")
    begin, end = (times[order] for times in _care_times(contacts))
    line = line[order]
    removed, busy = np.zeros(len(calls), np.bool_), np.zeros(len(calls), np.bool_)
    for party, calling in ((calls.caller, True), (calls.callee, False)):
        rows = np.flatnonzero(party < day.inputs.directory.own)
        phone = _lines(day, party[rows])
        low, high = (np.searchsorted(line, phone, side) for side in ("left", "right"))
        meant = np.flatnonzero((high > low) & (phone >= 0))
        rows, low, high = rows[meant], low[meant], high[meant]
        while rows.size:
            meets = (calls.time[rows] < end[low]) & (calls.release[rows] > begin[low])
            late = meets & (calls.time[rows] >= begin[low])
            busy[rows] |= late & (not calling)
            removed[rows] |= meets & (calling | ~late)
            more = low + 1 < high
            rows, low, high = rows[more], low[more] + 1, high[more]
    _make_busy(day, calls, busy & ~removed)
    kept = np.flatnonzero(~removed)
    return calls.select(kept), kept


def _make_busy(day: Day, calls: Calls, engaged: Flags) -> None:
    """Let some calls find the callee busy (in place), but those that did not come so far."""
    came = (calls.outcome < NO_CIRCUIT) | calls.target.blocked
    found = np.flatnonzero(engaged & came & (calls.outcome != UNALLOCATED))
    for one, rows, midnight in by_day(day, calls.time[found]):
        chosen = calls.select(found[rows]).moved(-midnight)
        chosen.target.blocked[:] = False
        busy = np.full(len(chosen), BUSY, dtype=np.int8)
        calls.put(found[rows], completed(one, chosen, busy).moved(midnight))


def _lines(day: Day, entity: Rows) -> Rows:
    """Return the phone of each subscriber; -1 for call centres, who have many lines."""
    anybody = day.inputs.contacts.calls_anybody(entity)
    return np.where(anybody, -1, day.inputs.population.leader[entity])


def one_at_a_time(day: Day, calls: Calls, late: Flags) -> Calls:
    """Return the calls without those that a phone would start while it is in another.

    A call that finds it there is busy, or is taken as waiting. Calls count by the phone of their
    train's subscriber, both SIMs together, and by window, so that the tail of a day can be drawn
    alone. Call centres have more than one line. Calls to customer care stay.

    Args:
        day: The day.
        calls: The calls.
        late: Which of them belong to the tail of the day.
    """
    phone = _lines(day, calls.ego)
    # Counted from the first of them, so that phone and time fit into one number.
    first = phone.min(initial=MAX_ENTITIES, where=phone >= 0)
    phone = np.where(phone < 0, -1, 2 * (phone - first) + late)
    rows = _of_busy_phones(phone, calls)
    if not rows.size:
        return calls
    answered = calls.outcome == ANSWERED
    takes = answered & draws.chance(draws.bits(calls.key, "waiting"), _TAKES_WAITING)
    starts = (calls.caller == calls.ego) & (calls.callee != day.inputs.directory.care)
    comes_in = calls.caller != calls.ego
    removed, engaged = np.zeros(len(calls), np.bool_), np.zeros(len(calls), np.bool_)
    phones, who = np.unique(phone[rows], return_inverse=True)
    until = np.zeros(len(phones), dtype=np.int64)
    for call, line in _turns(rows, who):
        speaks = until[line] > calls.time[call]
        removed[call] = speaks & starts[call]
        engaged[call] = speaks & comes_in[call] & ~takes[call]
        calls.service[call[speaks & comes_in[call] & takes[call]]] = CW
        made = ~(removed[call] | engaged[call])
        line, end = line[made], calls.release[call[made]]
        until[line] = np.maximum(until[line], end)
    _make_busy(day, calls, engaged)
    return calls.select(np.flatnonzero(~removed))


def _of_busy_phones(phone: Rows, calls: Calls) -> Rows:
    """Return the calls of phones with calls that overlap, in order of phone and time."""
    order = np.argsort(((phone + 1) << _TIME_BITS) | calls.time, kind="stable")
    order = order[np.searchsorted(phone[order], 0) :]
    line, time = phone[order], calls.time[order]
    until = np.maximum.accumulate((line << _TIME_BITS) | calls.release[order])
    overlaps = until[:-1] > ((line << _TIME_BITS) | time)[1:]
    busy = np.unique(line[1:][overlaps])
    place = np.searchsorted(busy, line)
    return order[busy[np.minimum(place, len(busy) - 1)] == line] if busy.size else order[:0]


def _turns(rows: Rows, who: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Return the first of each one's rows, then the second of each, and so on."""
    first = np.flatnonzero(np.diff(who, prepend=-1))
    turn = np.arange(len(who)) - np.repeat(first, np.diff(first, append=len(who)))
    order = np.argsort(turn, kind="stable")
    for chosen in np.split(order, np.cumsum(np.bincount(turn))[:-1]):
        yield rows[chosen], who[chosen]
