"""Calls and their legs: what voice, VoIP and IMS records are made from.

Belongs here: who calls whom, when, and the legs of a call. Does not belong here: how a call goes
(`attempts`), one call at a time and calls to care (`lines`), the fields of a record (`voice`,
`voip`, `ims`), whom people know (`behaviour.contacts`), what layers turn aside (`elsewhere`) or
let come in (`missed`).

Calls come in trains between two parties (`behaviour.bursts`): who is not answered may try again or
be called back, who has spoken may have forgotten something; who found no way through the network,
or was cut off, tries again within a minute. A train is drawn with the subscriber who, or whose
contact in another network, begins it.

A call has up to three legs that are ours: the originating one of a caller of ours, the terminating
one of a callee of ours whom the call reached, and the forwarded one of a callee whose voicemail
takes it.

Of the calls that are drawn with one subscriber, in the main part of a day or in its tail, no two
run at a time: he starts none while on the phone, and one that finds him there is busy, or waits
and is taken beside the first. What others start to him is drawn with them and may overlap. His
calls to customer care are decided by the state: they stand, and make room for themselves.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.bursts import LONGEST_TRAIN, Train, power_law_quantile
from telco_pipeline.behaviour.population import GERAN
from telco_pipeline.behaviour.rhythm import Window, windows
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.generators.base import (
    EVENTS_PER_WINDOW,
    RECORDS_PER_EVENT,
    WIDE_BLOCK,
    Columns,
    Day,
    Events,
    Rows,
    blocks,
    can_start,
    draw_events,
)
from telco_pipeline.generators.cdrs.attempts import (
    ANSWERED,
    NO_CIRCUIT,
    UNALLOCATED,
    Calls,
    Tries,
    attempts,
    by_day,
)
from telco_pipeline.generators.cdrs.elsewhere import Aims, aims
from telco_pipeline.generators.cdrs.lines import beside_care, care_calls, one_at_a_time
from telco_pipeline.generators.cdrs.missed import missed_calls
from telco_pipeline.generators.cdrs.sides import originating_key, terminating_key
from telco_pipeline.generators.usage import begun, draw_usage

Flags = npt.NDArray[np.bool_]

# Trains of calls: sizes E**-4.1 (Karsai 2012), gaps from half a minute to an hour. Who was not
# answered tries again, or is called back by who missed the call, more often than who has spoken
# calls again (missed calls are often redialled, or called back, within the hour: CNS).
_TRAIN = Train.of(exponent=3.1, positions=8, shortest=25.0, longest=3600.0)
_REDIAL: Final = 0.30
_CALL_BACK: Final = 0.28
# Who has spoken calls again himself, or the other one does.
_SAME_CALLER: Final = 0.6
# Whom the network fails calls again within a minute: perseverance after congestion is far above
# that after "no answer" (practice, 0.7-0.9). Who is cut off calls again, or the other one does.
_PERSISTS: Final = 0.8
_CALLS_ON: Final = 0.7
_AT_ONCE = QuantileTable.of(power_law_quantile(3.0, 60.0))
# Mean calls of a train, measured: the personas' rates count calls, not trains.
_CALLS_PER_TRAIN: Final = 1.35
_TRAINS: Final = EVENTS_PER_WINDOW // _TRAIN.positions
_MOST_CALLED: Final = 10.0  # calls a day from other networks

# The terminating leg is seized this much after the originating one at most, the forwarded one
# when it has rung in vain.
_LATEST_LEG: Final = 110 * SECOND
# IMS records of a leg follow within another second.
TAIL: Final = LONGEST_TRAIN + _LATEST_LEG + 2 * SECOND

ORIGINATING: Final = 0
TERMINATING: Final = 1
FORWARDING: Final = 2


def call_legs(day: Day, part: Part) -> list[Columns]:
    """Return the legs of all calls that may have records on the day, in batches, not to be changed.

    In a small world the day keeps them, as voice, packet voice and IMS each ask for them.

    Returns:
        Columns per batch: `entity` (served), `party` (other party in the directory), `time` of
        the leg's seizure, `answer` (-1: none) and `release` in microseconds of the day, `outcome`
        (position in `OUTCOMES`), `answered`, `service`, `role`, where the served one is (`cell`,
        `country`, `rat`, `ims`, `last_cell`) and what its network did (`blocked`, `dropped`: by
        this side's link, `cut`: by either's, `handovers`, `handovers_failed`), where the other one
        was (`other_cell`, -1 where he left no record at home; `other_entity`, -1 where he left
        none), `key` (hash of the leg) and `call` (packed number of the call).
    """
    if part not in day.legs:
        made = _call_legs(day, part)
        if not day.inputs.small:
            return made
        for values in (values for batch in made for values in batch.values()):
            values.flags.writeable = False
        day.legs[part] = made
    return day.legs[part]


def _call_legs(day: Day, part: Part) -> list[Columns]:
    batches = []
    for entities in blocks(part, WIDE_BLOCK):
        if day.date > day.inputs.config.epoch:
            batches += _legs(day.before, _calls(day.before, entities, eve=True), -DAY)
        batches += _legs(day, _calls(day, entities, eve=False), 0)
    return batches


def _calls(day: Day, entities: Rows, *, eve: bool) -> Calls:
    """Return the calls of the trains that begin on a day with some subscribers.

    Args:
        day: The day.
        entities: Entity numbers.
        eve: Only those that begin in the day's tail, but also their calls behind midnight, which
            have their records in the next day; else all, but none behind midnight.
    """
    main, tail = windows(TAIL)
    stretches, stop = (tail,) if eve else (main, tail), 2 * DAY if eve else DAY
    trains, incoming = trains_of(day, entities, stretches)
    calls, train = _train_calls(day, trains, stop)
    late = trains.late[train]
    if day.story.of("incoming"):
        missed = missed_calls(incoming, entities, stretches, _TRAIN.positions, stop)
        if missed is not None:
            calls = Calls.concat([calls, missed[0]])
            late = np.concatenate([late, missed[1]])
    calls, kept = beside_care(day, calls)
    care = care_calls(day, entities)
    inside = np.flatnonzero(care.time >= (tail.start if eve else 0))
    window = [late[kept], care.time[inside] >= tail.start]
    calls = Calls.concat([calls, care.select(inside)])
    return one_at_a_time(day, calls, np.concatenate(window))


@dataclass(frozen=True)
class Trains:
    """Trains of calls, one array element each.

    Attributes:
        number: Packed number of the first call.
        key: Hash of the train.
        ego: With whom it is drawn.
        party: The other party.
        outward: The train's subscriber makes the first call.
        time: Time of the first call.
        late: It begins in the day's tail.
        aims: Which of them layers lead elsewhere; None if none.
    """

    number: Rows
    key: Bits
    ego: Rows
    party: Rows
    outward: Flags
    time: Rows
    late: Flags
    aims: Aims | None


def trains_of(day: Day, entities: Rows, stretches: tuple[Window, ...]) -> tuple[Trains, Events]:
    """Return the trains that may begin in some windows of a day with some subscribers.

    Returns:
        The trains, with those that layers keep from coming about, and again those that come in
        from other networks.
    """
    config, contacts = day.inputs.config, day.inputs.contacts
    weight = config.record_weights.voice / _CALLS_PER_TRAIN
    rates = np.array([persona.calls * weight for persona in config.personas.values()])
    # What comes in from other networks balances what goes out to them, but call centres are
    # rarely called back.
    most = _MOST_CALLED * weight
    inward = np.minimum(rates, most) * (1.0 - config.own_operator.share)
    kinds = (
        ("voice_out", rates, contacts.outgoing),
        ("voice_in", inward, contacts.incoming),
    )
    drawn = []
    for kind, rate, choose in kinds:
        draw = draw_events if kind == "voice_in" else partial(draw_usage, what="calls")
        events = [
            draw(day, entities, kind, "calls", rate, window=window, most=_TRAINS)
            for window in stretches
        ]
        both = events[0].followed_by(events[1]) if len(events) > 1 else events[0]
        drawn.append((both, choose(both.entity, both.key), kind == "voice_out"))
    late = np.concatenate([events.index >= EVENTS_PER_WINDOW for events, *_ in drawn])
    every = [np.arange(len(events)) for events, *_ in drawn]
    key = np.concatenate([events.key for events, *_ in drawn])
    ego = np.concatenate([events.entity for events, *_ in drawn])
    outward = np.concatenate([np.full(len(events), outward) for events, _, outward in drawn])
    time = np.concatenate([events.time for events, *_ in drawn])
    trains = Trains(
        number=np.concatenate(
            [
                events.packed_position(rows, _TRAIN.positions, 0)
                for (events, *_), rows in zip(drawn, every, strict=True)
            ]
        ),
        key=key,
        ego=ego,
        party=np.concatenate([party for _, party, _ in drawn]),
        outward=outward,
        time=time,
        late=late,
        aims=aims(day, "calls", ego, outward, time, key) if day.story else None,
    )
    return trains, drawn[-1][0]


def _train_calls(day: Day, trains: Trains, stop: int) -> tuple[Calls, Rows]:
    """Return the calls of trains as far as they begin before a time, and the train of each."""
    train = _come_about(day, trains)
    outward, time = trains.outward[train], trains.time[train]
    latest = np.minimum(trains.time + LONGEST_TRAIN, stop - 1)
    batches, which = [], []
    for position in range(_TRAIN.positions):
        ego, other = trains.ego[train], trains.party[train]
        key = draws.events(trains.key[train], np.full(len(train), position))
        aside = None
        if trains.aims is not None:
            other, aside = trains.aims.parties(train, other, key, time)
        tries = Tries(
            # The next position of a train is the next event: see `Events.packed_position`.
            number=trains.number[train] + position * RECORDS_PER_EVENT,
            key=key,
            ego=ego,
            caller=np.where(outward, ego, other),
            callee=np.where(outward, other, ego),
            time=time,
        )
        calls, made = attempts(day, tries)
        train, outward = train[made], outward[made]
        batches.append(calls)
        which.append(train)
        goes_on, turns, wait = _goes_on(day, calls, position + 1)
        if aside is not None:
            goes_on &= ~(turns & aside[made])
        later = calls.release + wait
        goes_on &= later <= latest[train]
        outward = outward ^ turns
        caller = np.where(outward, calls.ego, trains.party[train])
        goes_on[goes_on] = _is_able(day, caller[goes_on], later[goes_on])
        rows = np.flatnonzero(goes_on)
        if not rows.size:
            break
        train, time, outward = train[rows], later[rows], outward[rows]
    return Calls.concat(batches), np.concatenate(which)


def _come_about(day: Day, trains: Trains) -> Rows:
    """Return the rows of the trains that layers let begin."""
    if not day.story:
        return np.arange(len(trains.key))
    target = np.where(trains.outward, trains.party, trains.ego)
    # A train that a layer leads elsewhere never meant to reach its party.
    meant = None if trains.aims is None else ~trains.aims.lead
    return begun(day, target, trains.time, trains.key, meant)


def _is_able(day: Day, caller: Rows, time: Rows) -> Flags:
    """Return who can start a call at a time, which may lie behind midnight."""
    able = np.zeros(len(caller), dtype=np.bool_)
    for one, rows, midnight in by_day(day, time):
        able[rows] = can_start(one, caller[rows], time[rows] - midnight)
    return able


def _goes_on(day: Day, calls: Calls, made: int) -> tuple[Flags, Flags, Rows]:
    """Return which trains go on after their call number `made`, who turns, and when.

    A train turns where the other one calls; when is told in microseconds from the release.
    """
    chance = draws.uniform(draws.bits(calls.key, "again"))
    service = day.inputs.directory.is_service(calls.callee)
    if made == _TRAIN.positions:
        nothing = np.zeros(len(calls), dtype=np.int64)
        return np.zeros_like(service), service, nothing
    failed = calls.outcome >= NO_CIRCUIT
    cut = calls.origin.lost | calls.target.lost
    spoken = (calls.outcome == ANSWERED) & (calls.service == 0)
    cases = [failed, cut, spoken]
    limit = np.select(cases, [_PERSISTS, _CALLS_ON, _TRAIN.chance[made]], _REDIAL + _CALL_BACK)
    turn = np.select(cases, [limit, limit * _SAME_CALLER, limit * _SAME_CALLER], _REDIAL)
    # A service calls nobody, and there is nothing to add to what one has heard from it.
    at_once = failed | cut
    goes_on = (chance < limit) & (at_once | ~service) & (calls.outcome != UNALLOCATED)
    wait = _TRAIN.wait(calls.key)
    rows = np.flatnonzero(at_once)
    gap = _AT_ONCE.sample(draws.bits(calls.key[rows], "gap/at once"))
    wait[rows] = (gap * SECOND).astype(np.int64)
    return goes_on, (chance >= turn) & ~service, wait


def _legs(day: Day, calls: Calls, shift: int) -> list[Columns]:
    """Return the legs whose records lie in the day `shift` away; one batch for each role."""
    own, reached = day.inputs.directory.own, calls.reached
    origin = np.where(calls.caller < own, calls.time, -1)
    target = np.where(reached, calls.seized, -1)
    forward = np.where(reached & (calls.diverted >= 0), calls.diverted, -1)
    inside = [
        (time + shift >= 0) & (time + shift < DAY) & (time >= 0)
        for time in (origin, target, forward)
    ]
    voicemail = np.full(len(calls), day.inputs.directory.voicemail)
    legs = []
    for role, served, other, time in (
        (ORIGINATING, calls.caller, calls.callee, origin),
        (TERMINATING, calls.callee, calls.caller, target),
        (FORWARDING, calls.callee, voicemail, forward),
    ):
        rows = np.flatnonzero(inside[role])
        if rows.size:
            known = (target if role == ORIGINATING else origin)[rows] >= 0
            chosen = calls.select(rows)
            legs.append(_leg(chosen, shift, role, served[rows], other[rows], time[rows], known))
    return legs


def _leg(
    calls: Calls, shift: int, role: int, entity: Rows, other: Rows, begin: Rows, known: Flags
) -> Columns:
    """Return the columns of one side of calls (`known`: the other side left a record too)."""
    here, there = calls.origin, calls.target
    key = originating_key(calls.key) if role == ORIGINATING else terminating_key(calls.key)
    if role != ORIGINATING:
        here, there = there, here
    forwarded = calls.diverted >= 0
    answer, release = calls.answer, calls.release
    if role == TERMINATING:
        # The answer comes from this side; the release takes its time to either.
        hop = draws.bits(key, "hop")
        answer = np.where(answer < 0, -1, answer - 20_000 - draws.below(hop, 90_000))
        release = release - 60_000 + draws.below(draws.bits(hop, "release"), 120_000)
        answer = np.where(forwarded, -1, answer)
        release = np.where(forwarded, calls.diverted, release)
        release = np.maximum(release, np.maximum(answer, begin) + 1)
    outcome = calls.outcome
    if role != TERMINATING:
        outcome = np.where(forwarded, np.int8(ANSWERED), outcome)
    answered = answer >= 0
    # A server forwards, whatever becomes of the radio.
    radio = np.full(len(calls), role != FORWARDING)
    known = known & radio
    return {
        "time": begin + shift,
        "answer": np.where(answered, answer + shift, -1),
        "answered": answered,
        "release": release + shift,
        # Narrow types: the rows of a part are sorted by gathering each column.
        "entity": entity.astype(np.int32),
        "party": other.astype(np.int32),
        "role": np.full(len(calls), role, dtype=np.int8),
        "cell": here.cell,
        "last_cell": np.where(radio, here.last, here.cell),
        "handovers": np.where(radio, here.handovers, np.int16(0)),
        "handovers_failed": np.where(radio, here.failed, np.int16(0)),
        "blocked": here.blocked & radio,
        "country": here.country,
        "rat": here.rat,
        "ims": here.rat != GERAN,
        "other_cell": np.where(known & (there.country < 0), there.cell, np.int32(-1)),
        "other_entity": np.where(known, other, -1).astype(np.int32),
        "outcome": outcome,
        "service": calls.service,
        "dropped": here.lost & answered & radio,
        "cut": (here.lost | there.lost) & answered,
        "key": key,
        "call": calls.number,
    }


# Numbers of the records of one call within its event: the legs one after the other.
_LEG_RECORDS: Final = 4
VOICE_RECORD: Final = 0
VOIP_RECORD: Final = 1
P_CSCF_RECORD: Final = 2
S_CSCF_RECORD: Final = 3


def record_number(legs: Columns, record: int) -> Rows:
    """Return the packed number of one record of each leg."""
    return legs["call"] + record + legs["role"] * np.int64(_LEG_RECORDS)
