"""Calls and their legs: what voice, VoIP and IMS records are made from.

Belongs here: who calls whom, outcome, times, and which access each side uses. Does not belong
here: the fields of a record (`voice`, `voip`, `ims`).

A call has up to two legs that are ours: the originating one of a caller of ours, and the
terminating one of a callee of ours whom the call reached. A call that comes from another network
has only a terminating leg.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import EUTRAN, GERAN, MACHINE, NR, WLAN
from telco_pipeline.contracts.codes import Q850
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.generators.base import Columns, Day, Events, Rows, draw_events, with_tail

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
_NO_ANSWER: Final = 1
_BUSY: Final = 2
_ABSENT: Final = 3
_REJECTED: Final = 4
_UNALLOCATED: Final = 5
# Outcomes in which the call reached the callee's side, which then writes a record too.
_REACHED: Final = np.isin(np.arange(len(OUTCOMES)), [ANSWERED, _NO_ANSWER, _BUSY, _REJECTED])

# Talk time: general population, median 60-70 s, ln-sigma 1.2-1.4 (practice).
_TALK = QuantileTable.log_normal(66.0, 1.28)
_RING = QuantileTable.log_normal(8.0, 0.6)
_SHORT_RING = QuantileTable.log_normal(4.0, 0.5)
_NO_ANSWER_RING = QuantileTable.log_normal(28.0, 0.25)
# E-RAB / VoLTE drop 0.3-0.5 % (practice).
DROP_RATE: Final = 0.004
# Share of voice on NR phones that stays on NR; the rest falls back to LTE (EPS fallback).
_VONR_SHARE: Final = 0.35
_VOWIFI_SHARE: Final = 0.08

# The terminating leg is seized this much after the originating one at most.
_LATEST_TERMINATING: Final = 4 * SECOND
# IMS records of a leg follow within another second.
TAIL: Final = _LATEST_TERMINATING + 2 * SECOND

ORIGINATING: Final = 0
TERMINATING: Final = 1


def call_legs(day: Day, part: Part) -> list[Columns]:
    """Return the legs of all calls that may have records on the day, in batches.

    Returns:
        Columns per batch: `entity` (served), `party` (other party in the directory), `time` of
        the leg's seizure, `answer` (-1: none) and `release` in microseconds of the day, `outcome`
        (position in `OUTCOMES`), `dropped`, `role`, `cell`, `country`, `rat`, `ims`, `key` (hash
        of the leg) and `call` (packed number of the call: what ids and references are made from).
    """
    batches = []
    for kind, draw in (("voice_out", _outgoing), ("voice_in", _incoming)):
        for events, shift in with_tail(day, part, draw, TAIL):
            batches.extend(_legs(events, shift, incoming=kind == "voice_in"))
    return batches


def _rates(day: Day) -> npt.NDArray[np.float64]:
    config = day.inputs.config
    weight = config.record_weights.voice
    return np.array([persona.calls * weight for persona in config.personas.values()])


def _outgoing(day: Day, entities: Rows) -> Events:
    return draw_events(day, entities, "voice_out", "calls", _rates(day))


def _incoming(day: Day, entities: Rows) -> Events:
    # What comes in from other networks balances what goes out to them, but call centres are
    # rarely called back.
    config = day.inputs.config
    rates = np.minimum(_rates(day), 10.0) * (1.0 - config.own_operator.share)
    return draw_events(day, entities, "voice_in", "calls", rates)


def _legs(events: Events, shift: int, *, incoming: bool) -> list[Columns]:
    """Return the legs of calls; the terminating legs are a batch of their own."""
    inputs = events.day.inputs
    contacts = inputs.contacts
    if incoming:
        party = contacts.incoming(events.entity, events.key)
    else:
        party = contacts.outgoing(events.entity, events.key)
    # From one second and a half to four until the other side is paged and seized.
    paging = 3 * SECOND // 2 + draws.below(events.bits("paging"), 5 * SECOND // 2)
    seized = events.time + paging
    outcome = draw_outcome(events)
    if not incoming:
        outcome = _outcome_of_own(events.day, party, seized, outcome)
    answer, release, dropped = call_times(events, outcome)
    call = {
        "outcome": outcome,
        "dropped": dropped,
        "call": events.packed(),
    }
    legs = []
    if incoming:
        own = np.flatnonzero(_REACHED[outcome])
        legs.append((own, events.entity, party, seized, TERMINATING))
    else:
        own = np.flatnonzero((party < inputs.directory.own) & _REACHED[outcome])
        legs.append((np.arange(len(events)), events.entity, party, events.time, ORIGINATING))
        legs.append((own, party, events.entity, seized, TERMINATING))
    return [_leg(events, shift, call, answer, release, *leg) for leg in legs if len(leg[0])]


def _outcome_of_own(day: Day, party: Rows, time: Rows, outcome: np.ndarray) -> np.ndarray:
    """Return the outcomes, put right for callees of ours and for services.

    Whose phone is off is absent; and the number of a subscriber is not unallocated. A service
    answers unless the network fails.
    """
    own = np.flatnonzero(party < day.inputs.directory.own)
    off = day.mobility.switched_off(party[own], time[own])
    outcome[own[off | (outcome[own] == _UNALLOCATED)]] = _ABSENT
    service = day.inputs.directory.is_service(party)
    outcome[service & (outcome <= _UNALLOCATED)] = ANSWERED
    return outcome


def draw_outcome(events: Events) -> np.ndarray:
    """Return the outcome of each attempt, as a position in `OUTCOMES`."""
    return _OUTCOME.sample(events.bits("outcome")).astype(np.int8)


def call_times(events: Events, outcome: np.ndarray) -> tuple[Rows, Rows, np.ndarray]:
    """Return answer (-1: none) and release in microseconds of the events' day, and who dropped."""
    setup = 5 * SECOND + draws.below(events.bits("setup"), 2 * SECOND)
    ring_bits = events.bits("ring")
    answered = outcome == ANSWERED
    ring = np.where(
        answered,
        _RING.sample(ring_bits),
        np.where(
            outcome == _NO_ANSWER,
            _NO_ANSWER_RING.sample(ring_bits),
            _SHORT_RING.sample(ring_bits),
        ),
    )
    # Whoever is busy or absent does not ring; the release follows the setup.
    rings = answered | (outcome == _NO_ANSWER) | (outcome == _REJECTED)
    ringing = np.where(rings, np.minimum(ring, 90.0) * SECOND, 0.0).astype(np.int64)
    longest = events.day.inputs.config.charging.voice_max_s
    talk = (np.minimum(_TALK.sample(events.bits("talk")), longest) * SECOND).astype(np.int64)
    dropped = answered & draws.chance(events.bits("drop"), DROP_RATE)
    # A dropped call ends at some point of what would have been said.
    said = draws.below(events.bits("drop/at"), 1000)
    talk = np.where(dropped, np.maximum(talk * said // 1000, SECOND), talk)
    alerted = events.time + setup + ringing
    return np.where(answered, alerted, -1), np.where(answered, alerted + talk, alerted), dropped


def _leg(
    events: Events,
    shift: int,
    call: Columns,
    answer: Rows,
    release: Rows,
    rows: Rows,
    served: Rows,
    other: Rows,
    seized: Rows,
    role: int,
) -> Columns:
    """Return the columns of one side of some calls."""
    if shift == 0:
        # What is seized after midnight is the next day's, which draws it as its tail.
        rows = rows[seized[rows] < DAY]
    entity, time = served[rows], seized[rows]
    key = draws.bits(events.key[rows], "leg/terminating" if role else "leg/originating")
    where = events.day.positions(entity, time)
    cell, rat = _access(events.day, entity, key, where.cell, where.abroad)
    answered = answer[rows] >= 0
    return {
        "time": time + shift,
        "answer": np.where(answered, answer[rows] + shift, -1),
        "answered": answered,
        "release": release[rows] + shift,
        # Narrow types: the rows of a part are sorted by gathering each column.
        "entity": entity.astype(np.int32),
        "party": other[rows].astype(np.int32),
        "role": np.full(len(rows), role, dtype=np.int8),
        "cell": cell.astype(np.int32),
        "country": where.country.astype(np.int8),
        "rat": rat,
        "ims": rat != GERAN,
        "key": key,
        **{name: values[rows] for name, values in call.items()},
    }


def _access(
    day: Day, entity: Rows, key: Bits, camped: Rows, abroad: np.ndarray
) -> tuple[Rows, np.ndarray]:
    """Return the cell and the radio access (position in `RATS`) that a voice leg uses.

    A phone that camps on NR speaks over NR or falls back to LTE; one without VoLTE falls back to
    GERAN (circuit-switched fallback); at home some calls go over Wi-Fi.
    """
    population, cells = day.inputs.population, day.inputs.cells
    volte = population.volte[entity] & (population.kind[entity] != MACHINE)
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


# Numbers of the records of one call within its event: those of the terminating leg follow those
# of the originating one.
_LEG_RECORDS: Final = 8
VOICE_RECORD: Final = 0
VOIP_RECORD: Final = 1
P_CSCF_RECORD: Final = 2
S_CSCF_RECORD: Final = 3


def record_number(legs: Columns, record: int) -> Rows:
    """Return the packed number of one record of each leg."""
    return legs["call"] + record + legs["role"] * np.int64(_LEG_RECORDS)
