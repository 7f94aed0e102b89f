"""Calls and their legs: what voice, VoIP and IMS records are made from.

Belongs here: who calls whom, outcome, times, and which access each side uses. Does not belong
here: the fields of a record (`voice`, `voip`, `ims`), whom people know (`behaviour.contacts`).

Calls come in trains between two parties (`behaviour.bursts`): who is not answered may try again or
be called back, who has spoken may have forgotten something. A train is drawn with the subscriber
who, or whose contact in another network, begins it.

A call has up to three legs that are ours: the originating one of a caller of ours, the terminating
one of a callee of ours whom the call reached, and the forwarded one of a callee whose voicemail
takes it.

Of the calls that are drawn with one subscriber, in the main part of a day or in its tail, no two
run at a time: he starts none while on the phone, and one that finds him there is busy, or waits
and is taken beside the first. What others start to him is drawn with them and may overlap.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.bursts import LONGEST_TRAIN, Train
from telco_pipeline.behaviour.mobility import Positions
from telco_pipeline.behaviour.population import EUTRAN, GERAN, NR, WLAN
from telco_pipeline.behaviour.rhythm import Window, windows
from telco_pipeline.contracts.codes import Q850
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.generators.base import (
    EVENTS_PER_WINDOW,
    WIDE_BLOCK,
    Columns,
    Day,
    Events,
    Rows,
    blocks,
    can_start,
    draw_events,
    speaks_over_ims,
)

Flags = npt.NDArray[np.bool_]

# Outcome of an attempt (answered 73.7 %: measured, Copenhagen Networks Study; the split of the
# rest: practice). Position in OUTCOMES.
OUTCOMES: Final = (
    Q850.NORMAL_CLEARING,
    Q850.NO_ANSWER,
    Q850.USER_BUSY,
    Q850.SUBSCRIBER_ABSENT,
    Q850.CALL_REJECTED,
    Q850.UNALLOCATED_NUMBER,
    Q850.NO_CIRCUIT,
    Q850.TEMPORARY_FAILURE,
)
_WEIGHTS: Final = (73.7, 14.0, 5.0, 3.9, 2.4, 0.4, 0.2, 0.4)
_OUTCOME = Choice.of(_WEIGHTS)
ANSWERED: Final = 0
NO_ANSWER: Final = 1
BUSY: Final = 2
ABSENT: Final = 3
REJECTED: Final = 4
_UNALLOCATED: Final = 5
# Outcomes in which the call reached the callee's side, which then writes a record too.
_REACHED: Final = np.isin(np.arange(len(OUTCOMES)), [ANSWERED, NO_ANSWER, BUSY, REJECTED])
# Outcomes that a voicemail may take over.
_FORWARDED: Final = np.isin(np.arange(len(OUTCOMES)), [NO_ANSWER, BUSY, ABSENT])

# Talk time: general population, median 60-70 s, ln-sigma 1.2-1.4 (practice). A part of the spread
# belongs to the pair: some never say much to each other, some always do.
_TALK = QuantileTable.log_normal(66.0, 1.18)
_PAIR_TALK = QuantileTable.log_normal(1.0, 0.5)
# From the callee's seizure until it rings, or until the caller is told why it does not.
_SETUP = QuantileTable.log_normal(2.3, 0.4)
_RING = QuantileTable.log_normal(8.0, 0.6)
_SHORT_RING = QuantileTable.log_normal(4.0, 0.5)
_NO_ANSWER_RING = QuantileTable.log_normal(28.0, 0.25)
# E-RAB / VoLTE drop 0.3-0.5 % (practice).
DROP_RATE: Final = 0.004
# Share of voice on NR phones that stays on NR; the rest falls back to LTE (EPS fallback).
_VONR_SHARE: Final = 0.35
_VOWIFI_SHARE: Final = 0.08

# Trains of calls: sizes E**-4.1 (Karsai 2012), gaps from half a minute to an hour. Who was not
# answered tries again, or is called back by who missed the call, more often than who has spoken
# calls again (missed calls are often redialled, or called back, within the hour: CNS).
_TRAIN = Train.of(exponent=3.1, positions=8, shortest=25.0, longest=3600.0)
_REDIAL: Final = 0.30
_CALL_BACK: Final = 0.28
# Who has spoken calls again himself, or the other one does.
_SAME_CALLER: Final = 0.6
# Mean calls of a train, measured: the personas' rates count calls, not trains.
_CALLS_PER_TRAIN: Final = 1.35
_TRAINS: Final = EVENTS_PER_WINDOW // _TRAIN.positions
_MOST_CALLED: Final = 10.0  # calls a day from other networks
_TIME_BITS: Final = 38  # microseconds of a day and of the longest call after it
_NOTHING: Final = np.zeros(0, dtype=np.int64)
_NOTHING_YET: Final = {
    "outcome": _NOTHING.astype(np.int8),
    "answer": _NOTHING,
    "release": _NOTHING,
    "dropped": _NOTHING.astype(np.bool_),
    "service": _NOTHING.astype(np.int8),
    "diverted": _NOTHING,
}

# Who has a voicemail, and how many callers stay on until it answers (practice); how long they do.
_HAS_VOICEMAIL: Final = 0.7
_LEAVES_MESSAGE: Final = 0.3
_MESSAGE = QuantileTable.log_normal(14.0, 0.7)
# Who has call waiting takes some second calls beside the first (practice).
_TAKES_WAITING: Final = 0.12

# The terminating leg is seized this much after the originating one at most, the forwarded one
# when it has rung in vain.
_LATEST_LEG: Final = 110 * SECOND
# IMS records of a leg follow within another second.
TAIL: Final = LONGEST_TRAIN + _LATEST_LEG + 2 * SECOND

ORIGINATING: Final = 0
TERMINATING: Final = 1
FORWARDING: Final = 2


# Supplementary services of a call, as positions: none, then those of `SupplementaryService`.
CFB, CFNRY, CFNRC, CW = 1, 2, 3, 4
_DIVERSION: Final = np.array([0, CFNRY, CFB, CFNRC, 0, 0, 0, 0], dtype=np.int8)


@dataclass(frozen=True)
class Calls:
    """Call attempts; one array element each, times in microseconds of the events' day.

    Attributes:
        number: Packed number of the call: what ids and references are made from.
        key: Hash from which its attributes are drawn.
        ego: The subscriber with whom its train is drawn: caller or callee.
        caller: Who calls: row of the directory.
        callee: Who is called.
        time: When the caller's channel is seized.
        outcome: Position in `OUTCOMES`.
        answer: When the callee or his voicemail answers; -1 if nobody does.
        release: When it is released.
        dropped: Whether it ended with the radio link.
        service: Supplementary service that took part: 0, `CFB`, `CFNRY`, `CFNRC` or `CW`.
        diverted: When the voicemail took over, if a forwarding service took part.
    """

    number: Rows
    key: Bits
    ego: Rows
    caller: Rows
    callee: Rows
    time: Rows
    outcome: npt.NDArray[np.int8]
    answer: Rows
    release: Rows
    dropped: Flags
    service: npt.NDArray[np.int8]
    diverted: Rows

    def __len__(self) -> int:
        """Return the number of attempts."""
        return len(self.key)

    def select(self, rows: Rows) -> "Calls":
        """Return some of the attempts."""
        return Calls(*(getattr(self, column.name)[rows] for column in fields(self)))

    @classmethod
    def concat(cls, batches: "list[Calls]") -> "Calls":
        """Put batches one after the other."""
        if len(batches) == 1:
            return batches[0]
        return cls(
            *(
                np.concatenate([getattr(batch, column.name) for batch in batches])
                for column in fields(cls)
            )
        )


def call_legs(day: Day, part: Part) -> list[Columns]:
    """Return the legs of all calls that may have records on the day, in batches.

    Returns:
        Columns per batch: `entity` (served), `party` (other party in the directory), `time` of
        the leg's seizure, `answer` (-1: none) and `release` in microseconds of the day, `outcome`
        (position in `OUTCOMES`), `answered`, `service`, `dropped`, `role`, where the served one
        is (`cell`, `country`, `rat`, `ims`, `last_cell`, `handovers`), where the other one was
        (`other_cell`, -1 where he left no record at home; `other_entity`, -1 where he left none),
        `key` (hash of the leg) and `call` (packed number of the call).
    """
    main, end = windows(TAIL)
    batches = []
    for entities in blocks(part, WIDE_BLOCK):
        if day.date > day.inputs.config.epoch:
            batches += _legs(day.before, _calls(day.before, entities, end), -DAY)
        calls = [_calls(day, entities, window) for window in (main, end)]
        batches += _legs(day, Calls.concat(calls), 0)
    return batches


def _calls(day: Day, entities: Rows, window: Window) -> Calls:
    """Return the calls of the trains that begin in a window of a day with some subscribers."""
    config = day.inputs.config
    weight = config.record_weights.voice / _CALLS_PER_TRAIN
    rates = np.array([persona.calls * weight for persona in config.personas.values()])
    # What comes in from other networks balances what goes out to them, but call centres are
    # rarely called back.
    most = _MOST_CALLED * weight
    kinds = (
        ("voice_out", rates),
        ("voice_in", np.minimum(rates, most) * (1.0 - config.own_operator.share)),
    )
    trains = [
        _train_calls(draw_events(day, entities, kind, "calls", rate, window=window, most=_TRAINS))
        for kind, rate in kinds
    ]
    return _one_at_a_time(day, Calls.concat(trains))


def _train_calls(events: Events) -> Calls:
    """Return the calls of the trains that events begin."""
    day, contacts = events.day, events.day.inputs.contacts
    outward = np.full(len(events), events.kind == "voice_out")
    choose = contacts.outgoing if events.kind == "voice_out" else contacts.incoming
    party, train = choose(events.entity, events.key), np.arange(len(events))
    time, batches = events.time, []
    for position in range(_TRAIN.positions):
        ego, other = events.entity[train], party[train]
        key = draws.events(events.key[train], np.full(len(train), position))
        calls = _attempts(
            day,
            Calls(
                number=events.packed_position(train, _TRAIN.positions, position),
                key=key,
                ego=ego,
                caller=np.where(outward, ego, other),
                callee=np.where(outward, other, ego),
                time=time,
                **_NOTHING_YET,
            ),
        )
        batches.append(calls)
        goes_on, turns = _goes_on(day, calls, position + 1)
        later = calls.release + _TRAIN.wait(key)
        goes_on &= later <= events.time[train] + LONGEST_TRAIN
        outward = outward ^ turns
        caller = np.where(outward, ego, other)
        goes_on[goes_on] = can_start(day, caller[goes_on], later[goes_on])
        rows = np.flatnonzero(goes_on)
        if not rows.size:
            break
        train, time, outward = train[rows], later[rows], outward[rows]
    return Calls.concat(batches)


def _goes_on(day: Day, calls: Calls, made: int) -> tuple[Flags, Flags]:
    """Return which trains go on after their call number `made`, and where the other one calls."""
    chance = draws.uniform(draws.bits(calls.key, "again"))
    spoken = (calls.outcome == ANSWERED) & (calls.service == 0)
    limit = np.where(spoken, _TRAIN.chance[made], _REDIAL + _CALL_BACK)
    turn = np.where(spoken, limit * _SAME_CALLER, _REDIAL)
    service = day.inputs.directory.is_service(calls.callee)
    if made == _TRAIN.positions:
        return np.zeros_like(service), service
    return (chance < limit) & ~service & (calls.outcome != _UNALLOCATED), chance >= turn


def _attempts(day: Day, calls: Calls) -> Calls:
    """Return calls with outcome and times drawn."""
    outcome = _outcome_of(day, calls, draw_outcome(calls.key))
    return _completed(day, calls, outcome)


def _outcome_of(day: Day, calls: Calls, outcome: np.ndarray) -> np.ndarray:
    """Return the outcomes, put right for callees of ours and for services.

    Whose phone is off is absent, and nobody else is; the number of a subscriber is not unallocated,
    nor is that of who took it along to another network. Whether the train's own subscriber is busy
    shows from his other calls. A service answers unless the network fails.
    """
    callee = calls.callee
    known = np.flatnonzero(callee < day.inputs.directory.own)
    outcome[known[outcome[known] == _UNALLOCATED]] = ABSENT
    own = np.flatnonzero(_is_ours(day, calls))
    off = day.mobility.switched_off(callee[own], calls.time[own] + _paging(calls.key[own]))
    rings = (outcome[own] == ABSENT) | ((outcome[own] == BUSY) & (callee[own] == calls.ego[own]))
    outcome[own[rings]] = NO_ANSWER
    outcome[own[off]] = ABSENT
    service = day.inputs.directory.is_service(callee)
    outcome[service & (outcome <= _UNALLOCATED)] = ANSWERED
    return outcome


def _is_ours(day: Day, calls: Calls) -> Flags:
    """Return which callees we serve; who has left is called in another network."""
    ours = calls.callee < day.inputs.directory.own
    rows = np.flatnonzero(ours)
    seized = calls.time[rows] + _paging(calls.key[rows])
    ours[rows] = day.in_service(calls.callee[rows], seized)
    return ours


def _completed(day: Day, calls: Calls, outcome: np.ndarray) -> Calls:
    """Return calls of known outcome with their times, and with what the voicemail took over."""
    talkative = _PAIR_TALK.sample(_pair(day, calls))
    answer, release, dropped = call_times(day, calls.key, calls.time, outcome, talkative)
    diverted = np.flatnonzero(_FORWARDED[outcome] & _is_ours(day, calls))
    diverted = diverted[_is_diverted(day, calls.callee[diverted], calls.key[diverted])]
    service, when = np.zeros(len(calls), dtype=np.int8), np.full(len(calls), -1)
    service[diverted] = _DIVERSION[outcome[diverted]]
    when[diverted] = release[diverted]
    answer[diverted] = release[diverted] + SECOND + (release[diverted] % SECOND) // 2
    length = _MESSAGE.sample(draws.bits(calls.key[diverted], "message")) * SECOND
    release[diverted] = answer[diverted] + np.minimum(length, 180.0 * SECOND).astype(np.int64)
    return replace(
        calls,
        outcome=outcome,
        answer=answer,
        release=release,
        dropped=dropped,
        service=service,
        diverted=when,
    )


def _pair(day: Day, calls: Calls) -> Bits:
    """Return random bits for the pair of parties of each call, whoever calls."""
    low, high = np.minimum(calls.caller, calls.callee), np.maximum(calls.caller, calls.callee)
    stream = draws.stream(day.inputs.config.seed, "call/pair")
    return draws.events(draws.keys(stream, low), high)


def _is_diverted(day: Day, callee: Rows, key: Bits) -> Flags:
    """Return which calls a callee's voicemail takes, of those that he does not."""
    seed = day.inputs.config.seed
    owner = draws.bits(draws.keys(draws.stream(seed, "voicemail"), callee), "has")
    stays = draws.chance(draws.bits(key, "voicemail"), _LEAVES_MESSAGE)
    return draws.chance(owner, _HAS_VOICEMAIL) & stays


def _one_at_a_time(day: Day, calls: Calls) -> Calls:
    """Return the calls without those that a phone would start while it is in another.

    A call that finds it there is busy, or is taken as waiting. Calls count by the phone of their
    train's subscriber, both SIMs together, and by window, so that the tail of a day can be drawn
    alone. Call centres have more than one line.
    """
    population = day.inputs.population
    phone = np.where(day.inputs.contacts.calls_anybody(calls.ego), -1, population.leader[calls.ego])
    rows = _of_busy_phones(phone, calls)
    if not rows.size:
        return calls
    answered = calls.outcome == ANSWERED
    takes = answered & draws.chance(draws.bits(calls.key, "waiting"), _TAKES_WAITING)
    starts = calls.caller == calls.ego
    removed, engaged = np.zeros(len(calls), np.bool_), np.zeros(len(calls), np.bool_)
    phones, who = np.unique(phone[rows], return_inverse=True)
    until = np.zeros(len(phones), dtype=np.int64)
    for call, line in _turns(rows, who):
        speaks = until[line] > calls.time[call]
        removed[call] = speaks & starts[call]
        engaged[call] = speaks & ~starts[call] & ~takes[call]
        calls.service[call[speaks & ~starts[call] & takes[call]]] = CW
        made = ~(removed[call] | engaged[call])
        line, end = line[made], calls.release[call[made]]
        until[line] = np.maximum(until[line], end)
    found = np.flatnonzero(engaged)
    busy = _completed(day, calls.select(found), np.full(len(found), BUSY, dtype=np.int8))
    for column in ("outcome", "answer", "release", "dropped", "service", "diverted"):
        getattr(calls, column)[found] = getattr(busy, column)
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


def _paging(key: Bits) -> Rows:
    """Return the time from the caller's seizure to the callee's: 1.5 to 4 seconds."""
    return 3 * SECOND // 2 + draws.below(draws.bits(key, "paging"), 5 * SECOND // 2)


def draw_outcome(key: Bits) -> npt.NDArray[np.int8]:
    """Return the outcome of each attempt, as a position in `OUTCOMES`."""
    return _OUTCOME.sample(draws.bits(key, "outcome")).astype(np.int8)


def call_times(
    day: Day,
    key: Bits,
    time: Rows,
    outcome: np.ndarray,
    talkative: npt.NDArray[np.float64] | float = 1.0,
) -> tuple[Rows, Rows, Flags]:
    """Return answer (-1: none) and release, counted as `time` is, and who dropped.

    Args:
        day: The day.
        key: Hash of each call.
        time: When it is started.
        outcome: Position in `OUTCOMES`.
        talkative: Factor on the talk time.
    """
    setup = np.clip(_SETUP.sample(draws.bits(key, "setup")), 0.5, 5.5) * SECOND
    setup = _paging(key) + setup.astype(np.int64)
    ring_bits = draws.bits(key, "ring")
    answered = outcome == ANSWERED
    ring = np.where(answered, _RING.sample(ring_bits), _SHORT_RING.sample(ring_bits))
    vain = np.flatnonzero(outcome == NO_ANSWER)
    ring[vain] = _NO_ANSWER_RING.sample(ring_bits[vain])
    # Whoever is busy or absent does not ring; the release follows the setup.
    rings = answered | (outcome == NO_ANSWER) | (outcome == REJECTED)
    ringing = np.where(rings, np.minimum(ring, 90.0) * SECOND, 0.0).astype(np.int64)
    longest = day.inputs.config.charging.voice_max_s
    talk = _TALK.sample(draws.bits(key, "talk")) * talkative
    talk = np.minimum(talk, longest) * SECOND
    dropped = answered & draws.chance(draws.bits(key, "drop"), DROP_RATE)
    # A dropped call ends at some point of what would have been said.
    lost = np.flatnonzero(dropped)
    said = draws.uniform(draws.bits(key[lost], "drop/at"))
    talk[lost] = np.maximum(talk[lost] * said, SECOND)
    alerted = time + setup + ringing
    release = np.where(answered, alerted + talk.astype(np.int64), alerted)
    return np.where(answered, alerted, -1), release, dropped


@dataclass(frozen=True)
class _Side:
    """Where one side of some calls is; of no meaning where it is not ours or was not reached.

    Attributes:
        key: Hash of the side's attributes.
        where: Where it camps.
        cell: Cell that it speaks over.
        rat: Radio access.
    """

    key: Bits
    where: Positions
    cell: Rows
    rat: npt.NDArray[np.int8]


def _legs(day: Day, calls: Calls, shift: int) -> list[Columns]:
    """Return the legs whose records lie in the day `shift` away; one batch for each role."""
    own = day.inputs.directory.own
    seized = calls.time + _paging(calls.key)
    origin = np.where(calls.caller < own, calls.time, -1)
    reached = _is_ours(day, calls) & _REACHED[calls.outcome]
    target = np.where(reached, seized, -1)
    forward = np.where(reached & (calls.diverted >= 0), calls.diverted, -1)
    inside = [
        (time + shift >= 0) & (time + shift < DAY) & (time >= 0)
        for time in (origin, target, forward)
    ]
    kept = np.flatnonzero(inside[0] | inside[1] | inside[2])
    if not kept.size:
        return []
    calls = calls.select(kept)
    sides = (
        _side(day, calls.caller, origin[kept], calls.key, "leg/originating"),
        _side(day, calls.callee, target[kept], calls.key, "leg/terminating"),
    )
    voicemail = np.full(len(calls), day.inputs.directory.voicemail)
    legs = []
    for role, served, other, time in (
        (ORIGINATING, calls.caller, calls.callee, origin),
        (TERMINATING, calls.callee, calls.caller, target),
        (FORWARDING, calls.callee, voicemail, forward),
    ):
        rows = np.flatnonzero(inside[role][kept])
        if rows.size:
            legs.append(_leg(day, calls, sides, shift, role, rows, served, other, time[kept]))
    return legs


def _side(day: Day, party: Rows, time: Rows, key: Bits, name: str) -> _Side:
    """Return where a side is; `time` is -1 where it is not ours or was not reached."""
    rows = np.flatnonzero(time >= 0)
    entity, key = party[rows], draws.bits(key, name)
    found = day.positions(entity, time[rows])
    cell, rat = np.full(len(party), -1), np.zeros(len(party), dtype=np.int8)
    cell[rows], rat[rows] = _access(day, entity, time[rows], key[rows], found.cell, found.abroad)
    country, moving = np.full(len(party), -1), np.zeros(len(party), dtype=np.bool_)
    country[rows], moving[rows] = found.country, found.moving
    return _Side(key, Positions(cell, country, moving), cell, rat)


def _leg(
    day: Day,
    calls: Calls,
    sides: tuple[_Side, _Side],
    shift: int,
    role: int,
    rows: Rows,
    served: Rows,
    other: Rows,
    time: Rows,
) -> Columns:
    """Return the columns of one side of some calls."""
    here, there = (sides[0], sides[1]) if role == ORIGINATING else (sides[1], sides[0])
    entity, begin = served[rows], time[rows]
    service, diverted = calls.service[rows], calls.diverted[rows]
    forwarded = diverted >= 0
    answer, release = calls.answer[rows], calls.release[rows]
    key = here.key[rows]
    if role == TERMINATING:
        # The answer comes from this side; the release takes its time to either.
        hop = draws.bits(key, "hop")
        answer = np.where(answer < 0, -1, answer - 20_000 - draws.below(hop, 90_000))
        release = release - 60_000 + draws.below(draws.bits(hop, "release"), 120_000)
        answer, release = np.where(forwarded, -1, answer), np.where(forwarded, diverted, release)
        release = np.maximum(release, np.maximum(answer, begin) + 1)
    outcome = calls.outcome[rows]
    if role != TERMINATING:
        outcome = np.where(forwarded, np.int8(ANSWERED), outcome)
    answered = answer >= 0
    cell, country = here.cell[rows], here.where.country[rows]
    last, handovers = _way(day, entity, key, here, rows, begin, release, answered)
    known = (there.cell[rows] >= 0) & (role != FORWARDING)
    there_cell = np.where(known & (there.where.country[rows] < 0), there.cell[rows], -1)
    there_entity = np.where(known, other[rows], -1)
    return {
        "time": begin + shift,
        "answer": np.where(answered, answer + shift, -1),
        "answered": answered,
        "release": release + shift,
        # Narrow types: the rows of a part are sorted by gathering each column.
        "entity": entity.astype(np.int32),
        "party": other[rows].astype(np.int32),
        "role": np.full(len(rows), role, dtype=np.int8),
        "cell": cell.astype(np.int32),
        "last_cell": last.astype(np.int32),
        "handovers": handovers,
        "country": country.astype(np.int8),
        "rat": here.rat[rows],
        "ims": here.rat[rows] != GERAN,
        "other_cell": there_cell.astype(np.int32),
        "other_entity": there_entity.astype(np.int32),
        "outcome": outcome,
        "service": service,
        "dropped": calls.dropped[rows] & answered,
        "key": key,
        "call": calls.number[rows],
    }


def _way(
    day: Day,
    entity: Rows,
    key: Bits,
    side: _Side,
    rows: Rows,
    begin: Rows,
    release: Rows,
    answered: Flags,
) -> tuple[Rows, npt.NDArray[np.int16]]:
    """Return the cell at the release and how often it changed on the way to it."""
    last, handovers = side.cell[rows].copy(), np.zeros(len(rows), dtype=np.int16)
    goes = np.flatnonzero(answered & (side.where.country[rows] < 0))
    if goes.size:
        who, start, end = entity[goes], begin[goes], release[goes]
        handovers[goes] = day.handovers(who, start, end)
        moved = goes[handovers[goes] > 0]
        who, end = entity[moved], release[moved]
        found = day.positions(who, end)
        last[moved] = _access(day, who, end, key[moved], found.cell, found.abroad)[0]
    return last, handovers


def _access(
    day: Day, entity: Rows, time: Rows, key: Bits, camped: Rows, abroad: np.ndarray
) -> tuple[Rows, np.ndarray]:
    """Return the cell and the radio access (position in `RATS`) that a voice leg uses.

    A phone that camps on NR speaks over NR or falls back to LTE; one without VoLTE falls back to
    GERAN (circuit-switched fallback); at home some calls go over Wi-Fi.
    """
    population, cells = day.inputs.population, day.inputs.cells
    volte = speaks_over_ims(day, entity, time)
    share = draws.uniform(draws.bits(key, "access"))
    on_nr = (cells.rat[camped] == NR) & (share < _VONR_SHARE) & volte
    packet = np.where(on_nr, camped, cells.lte_sibling[camped])
    cell = np.where(volte, packet, cells.gsm_sibling[camped]).astype(np.int64)
    rat = cells.rat[cell]
    at_home = camped == population.home[entity]
    wifi = volte & at_home & ~abroad & (share > 1.0 - _VOWIFI_SHARE)
    rat = np.where(wifi, WLAN, rat)
    rat = np.where(abroad, np.where(volte, EUTRAN, GERAN), rat).astype(np.int8)
    return cell, rat


# Numbers of the records of one call within its event: the legs one after the other.
_LEG_RECORDS: Final = 4
VOICE_RECORD: Final = 0
VOIP_RECORD: Final = 1
P_CSCF_RECORD: Final = 2
S_CSCF_RECORD: Final = 3


def record_number(legs: Columns, record: int) -> Rows:
    """Return the packed number of one record of each leg."""
    return legs["call"] + record + legs["role"] * np.int64(_LEG_RECORDS)
