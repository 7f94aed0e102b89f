"""Attempts: how calls go, from the seizure to the release.

Belongs here: `Calls`, their outcome and times, and what the network makes of them. Does not belong
here: who calls whom and when (`calls`), one call at a time and calls to care (`lines`), where each
side is and what happens to it on the way (`sides`).

Where both sides are is found before the outcome, which follows from it: who has no service calls
nobody and is not reached; a cell may have no room, the core may fail, the link may be lost. A call
is made by the state of the day in which it begins.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import Q850
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.generators.base import Day, Rows
from telco_pipeline.generators.cdrs.lengths import shortest, talk_time
from telco_pipeline.generators.cdrs.sides import (
    Side,
    find_side,
    go,
    link_lost,
    measured,
    originating_key,
    terminating_key,
)
from telco_pipeline.generators.refusals import turned_away, until_restart
from telco_pipeline.generators.usage import factors
from telco_pipeline.state.lifecycle import ACTIVE, PORTED_OUT, PROSPECT, SUSPENDED, TERMINATED
from telco_pipeline.state.network import NEVER

Flags = npt.NDArray[np.bool_]

# Outcome of an attempt. Position in OUTCOMES. What the parties do comes first (answered 73.7 %:
# measured, Copenhagen Networks Study; the split of the rest: practice); the network's own failures
# behind it follow from its state.
OUTCOMES: Final = (
    Q850.NORMAL_CLEARING,
    Q850.NO_ANSWER,
    Q850.USER_BUSY,
    Q850.SUBSCRIBER_ABSENT,
    Q850.CALL_REJECTED,
    Q850.UNALLOCATED_NUMBER,
    Q850.NO_CIRCUIT,
    Q850.TEMPORARY_FAILURE,
    Q850.SWITCH_CONGESTION,
    Q850.NETWORK_OUT_OF_ORDER,
)
_OUTCOME = Choice.of((73.7, 14.0, 5.0, 3.9, 2.4, 0.4))
ANSWERED: Final = 0
NO_ANSWER: Final = 1
BUSY: Final = 2
ABSENT: Final = 3
REJECTED: Final = 4
UNALLOCATED: Final = 5
NO_CIRCUIT: Final = 6  # no radio resources in the cell of either side
_TEMPORARY: Final = 7
# How the core fails: temporary failure, congestion, out of order (our assumption).
_CORE_FAILURE = Choice.of((50.0, 35.0, 15.0))
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

# Who has a voicemail, and how many callers stay on until it answers (practice); how long they do.
_HAS_VOICEMAIL: Final = 0.7
_LEAVES_MESSAGE: Final = 0.3
_MESSAGE = QuantileTable.log_normal(14.0, 0.7)
_LONGEST_MESSAGE: Final = 180  # seconds

# Supplementary services of a call, as positions: none, then those of `SupplementaryService`.
CFB, CFNRY, CFNRC, CW = 1, 2, 3, 4
_DIVERSION: Final = np.zeros(len(OUTCOMES), dtype=np.int8)
_DIVERSION[[NO_ANSWER, BUSY, ABSENT]] = CFNRY, CFB, CFNRC


@dataclass(frozen=True)
class Tries:
    """Calls that are about to be made; one array element each.

    Attributes:
        number: Packed number of the call: what ids and references are made from.
        key: Hash from which its attributes are drawn.
        ego: The subscriber with whom its train is drawn: caller or callee.
        caller: Who calls: row of the directory.
        callee: Who is called.
        time: When the caller's channel is seized, in microseconds of the events' day.
    """

    number: Rows
    key: Bits
    ego: Rows
    caller: Rows
    callee: Rows
    time: Rows

    def __len__(self) -> int:
        """Return the number of calls."""
        return len(self.key)

    def select(self, rows: Rows) -> Self:
        """Return some of them."""
        return type(self)(*(getattr(self, column.name)[rows] for column in fields(self)))

    def moved(self, later: int) -> Self:
        """Return them with times counted from another day's start."""
        times = {name: getattr(self, name) for name in self._TIMES}
        return replace(
            self, **{name: np.where(time < 0, -1, time + later) for name, time in times.items()}
        )

    _TIMES = ("time",)


@dataclass(frozen=True)
class Calls(Tries):
    """Call attempts; times in microseconds of the events' day.

    Attributes:
        seized: When the callee's channel is, if the call comes so far.
        standing: Status of the callee's subscription (position in `LifeStatus`); -1: not ours.
        origin: The caller's side.
        target: The callee's side; it is nowhere where we cannot reach him.
        outcome: Position in `OUTCOMES`.
        answer: When the callee or his voicemail answers; -1 if nobody does.
        release: When it is released.
        service: Supplementary service that took part: 0, `CFB`, `CFNRY`, `CFNRC` or `CW`.
        diverted: When the voicemail took over, if a forwarding service took part.
    """

    seized: Rows
    standing: npt.NDArray[np.int8]
    origin: Side
    target: Side
    outcome: npt.NDArray[np.int8]
    answer: Rows
    release: Rows
    service: npt.NDArray[np.int8]
    diverted: Rows

    _TIMES = ("time", "seized", "answer", "release", "diverted")

    @property
    def reached(self) -> Flags:
        """Which of them the callee's side writes a record of.

        One that finds no room in the callee's cell too: the exchange that serves him has taken the
        call and paged him, and records attempts that fail too (TS 32.250).
        """
        return self.target.there & (_REACHED[self.outcome] | self.target.blocked)

    def put(self, rows: Rows, others: "Calls") -> None:
        """Put others in the place of some."""
        for column in fields(self):
            getattr(self, column.name)[rows] = getattr(others, column.name)

    @classmethod
    def concat(cls, batches: "list[Calls]") -> "Calls":
        """Put batches one after the other."""
        if len(batches) == 1:
            return batches[0]
        joined: dict[str, Any] = {}
        for column in fields(cls):
            parts = [getattr(batch, column.name) for batch in batches]
            joined[column.name] = (
                Side.concat(parts) if isinstance(parts[0], Side) else np.concatenate(parts)
            )
        return cls(**joined)


def by_day(day: Day, time: Rows) -> Iterator[tuple[Day, Rows, int]]:
    """Return the rows of times in a day, and of those in the next one; and where its times begin.

    A call belongs to the day in which it begins: it is made by the state of that day.
    """
    late = time >= DAY
    some = np.flatnonzero(~late)
    yield day, some, 0
    if len(some) < len(late):
        yield day.inputs.day(day.date + dt.timedelta(days=1)), np.flatnonzero(late), DAY


def _part_of(tries: Tries, rows: Rows, later: int) -> Tries:
    """Return some tries, with their times counted from another day's start."""
    some = tries if len(rows) == len(tries) else tries.select(rows)
    return some.moved(later) if later else some


def _as_people_do(day: Day, calls: Calls, _: Rows) -> Calls:
    return completed(day, calls, _outcome_of(day, calls))


def attempts(
    day: Day, tries: Tries, finish: Callable[[Day, Calls, Rows], Calls] = _as_people_do
) -> tuple[Calls, Rows]:
    """Return calls with outcome and times, and which of the tries they are.

    Who has no service does not come to call. A subscriber to be is called in the network that the
    number comes from; who will get a new number has none to call yet.

    Args:
        day: The day.
        tries: Calls that are about to be made; they may lie behind midnight.
        finish: Returns calls with outcome and times, from the day on which they are made, the calls
            as they begin, and which of the tries they are.
    """
    batches, which = [], []
    for one, rows, midnight in by_day(day, tries.time):
        calls, made = _begun_on(one, _part_of(tries, rows, -midnight))
        calls = finish(one, calls, rows[made])
        batches.append(calls.moved(midnight) if midnight else calls)
        which.append(rows[made])
    return Calls.concat(batches), np.concatenate(which)


def _begun_on(day: Day, tries: Tries) -> tuple[Calls, Rows]:
    """Return the calls of which it is known where the sides are, and which of the tries they are.

    The tries lie on the day.
    """
    own, count = day.inputs.directory.own, len(tries.key)
    seized = tries.time + paging(tries.key)
    status = np.full(count, -1, dtype=np.int8)
    ours = np.flatnonzero(tries.callee < own)
    status[ours] = day.customers.status_at(tries.callee[ours], seized[ours])
    future = np.flatnonzero(status == PROSPECT)
    elsewhere = day.inputs.number_elsewhere[tries.callee[future]]
    status[future[elsewhere]] = PORTED_OUT
    reachable = np.flatnonzero(status == ACTIVE)
    off = day.mobility.switched_off(tries.callee[reachable], seized[reachable])
    when = np.full(2 * count, -1)
    when[:count] = np.where(tries.caller < own, tries.time, -1)
    when[count + reachable[~off]] = seized[reachable[~off]]
    # Both sides at once: each look-up costs some hundred calls of NumPy.
    parties = np.concatenate([tries.caller, tries.callee])
    sides = find_side(day, parties, when, _both_keys(tries.key))
    origin, target = sides[:count], sides[count:]
    happens = ((tries.caller >= own) | origin.there) & (status != PROSPECT)
    made = np.flatnonzero(happens)
    return begun(tries, seized, status, origin, target).select(made), made


def begun(
    tries: Tries, seized: Rows, status: npt.NDArray[np.int8], origin: Side, target: Side
) -> Calls:
    """Return calls of which nothing is known yet but where the sides are."""
    count = len(seized)
    return Calls(
        **{column.name: getattr(tries, column.name) for column in fields(Tries)},
        seized=seized,
        standing=status,
        origin=origin,
        target=target,
        outcome=np.zeros(count, dtype=np.int8),
        answer=np.full(count, -1),
        release=seized.copy(),
        service=np.zeros(count, dtype=np.int8),
        diverted=np.full(count, -1),
    )


def _outcome_of(day: Day, calls: Calls) -> npt.NDArray[np.int8]:
    """Return the outcome of calls; notes which side was blocked (in place).

    First what the parties do. Who cannot be reached is absent, and nobody else of ours is; calls to
    a suspended subscription are rejected, the number of an ended one is unallocated, that of who
    took it along is called in another network. Whether the train's own subscriber is busy shows
    from his other calls. A service answers. Then what the network does.
    """
    outcome = draw_outcome(calls.key)
    outcome[(calls.standing >= 0) & (outcome == UNALLOCATED)] = ABSENT
    served = calls.standing == ACTIVE
    there = calls.target.there
    rings = (outcome == ABSENT) | ((outcome == BUSY) & (calls.callee == calls.ego))
    outcome[there & rings] = NO_ANSWER
    outcome[served & ~there] = ABSENT
    outcome[calls.standing == SUSPENDED] = REJECTED
    outcome[calls.standing == TERMINATED] = UNALLOCATED
    outcome[day.inputs.directory.is_service(calls.callee)] = ANSWERED
    return passed_network(day, calls, outcome)


def passed_network(day: Day, calls: Calls, outcome: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return what becomes of outcomes in the network: no room in a cell, or the core fails.

    Notes which side was blocked (in place). The caller's cell admits the call or not; then the core
    of the side that is worse off carries it or not, or refuses a party; then the callee's cell
    admits it or not.
    """
    origin, target, count = calls.origin, calls.target, len(calls)
    sides = Side.concat([origin, target])
    time, keys = np.concatenate([calls.time, calls.seized]), _both_keys(calls.key)
    full = measured(day, "block_probability", sides.cell, time, sides.on_air)
    blocked = draws.chance(draws.bits(keys, "blocked"), full)
    core = measured(day, "voice_failure", sides.cell, time, sides.home)
    core = np.maximum(core[:count], core[count:])
    target.blocked[:] = blocked[count:] & _REACHED[outcome]
    outcome[target.blocked] = NO_CIRCUIT
    failing = draws.chance(draws.bits(calls.key, "core"), core)
    parties = np.concatenate([calls.caller, calls.callee])
    refused = turned_away(day, parties, time, keys)
    failing[refused[sides.home[refused]] % max(count, 1)] = True
    failed = np.flatnonzero(failing)
    outcome[failed] = core_failure(calls.key[failed])
    origin.blocked[:] = blocked[:count]
    outcome[origin.blocked] = NO_CIRCUIT
    target.blocked[failed] = False
    target.blocked[origin.blocked] = False
    return outcome


def completed(day: Day, calls: Calls, outcome: npt.NDArray[np.int8]) -> Calls:
    """Return calls of known outcome with their times, and with what the voicemail took over."""
    talkative = _PAIR_TALK.sample(_pair(day, calls))
    longer = factors(day, calls.caller, calls.time, "talk")
    if longer is not None:
        talkative *= longer
    answer, release = call_times(day, calls.key, calls.time, outcome, talkative)
    # Who has called to be called back leaves no message.
    stays = (calls.standing == ACTIVE) & ~day.inputs.directory.is_listed(calls.caller)
    diverted = np.flatnonzero(_FORWARDED[outcome] & stays)
    diverted = diverted[_is_diverted(day, calls.callee[diverted], calls.key[diverted])]
    service, when = np.zeros(len(calls), dtype=np.int8), np.full(len(calls), -1)
    service[diverted] = _DIVERSION[outcome[diverted]]
    when[diverted] = release[diverted]
    answer[diverted] = release[diverted] + SECOND + (release[diverted] % SECOND) // 2
    told = draws.bits(calls.key[diverted], "message")
    length = talk_time(day.inputs.config, _MESSAGE, told, most=_LONGEST_MESSAGE) * SECOND
    release[diverted] = answer[diverted] + length.astype(np.int64)
    return endured(
        day,
        replace(
            calls, outcome=outcome, answer=answer, release=release, service=service, diverted=when
        ),
    )


def endured(day: Day, calls: Calls) -> Calls:
    """Return calls with what happens to them on the way: handovers, and the loss of a radio link.

    The side that loses its link first ends the call; before the answer it makes the attempt fail.
    So does a device that restarts.
    Calls to customer care hold.
    """
    spoken, diverted, count = calls.answer >= 0, calls.diverted >= 0, len(calls)
    held = calls.callee == day.inputs.directory.care
    sides, keys = Side.concat([calls.origin, calls.target]), _both_keys(calls.key)
    parties = np.concatenate([calls.caller, calls.callee])
    start = np.concatenate([calls.time, calls.seized])
    end = np.concatenate([calls.release, np.where(diverted, calls.diverted, calls.release)])
    speaks = np.concatenate([spoken, spoken & ~diverted])
    way, lost = go(day, parties, sides, keys, start, end, speaks)
    answer = np.tile(calls.answer, 2)
    np.minimum(lost, link_lost(day, parties, sides, keys, answer, speaks), out=lost)
    if day.refusals:
        there = np.flatnonzero(sides.there)
        off = start[there] + until_restart(day, parties[there], start[there])
        lost[there] = np.minimum(lost[there], off)
    lost[np.tile(held, 2) | (lost >= end)] = NEVER
    if least := shortest(day.inputs.config):
        # Where no call is shorter, a link that fails sooner is established again.
        lost[_soon_after(answer, lost, least)] = NEVER
    first = np.minimum(lost[:count], lost[count:])
    cut = first < NEVER
    early = cut & ((first < calls.answer) | ~spoken)
    late = np.flatnonzero(cut & ~early)
    ended = np.where(cut, np.maximum(first, calls.time + 1), calls.release)
    ended[late] = np.maximum(ended[late], calls.answer[late] + 1)
    # The voicemail no longer hears who was cut off before it answered.
    outcome = np.where(early, np.int8(_TEMPORARY), calls.outcome)
    ends = np.tile(cut & ~early, 2) & (lost == np.tile(first, 2))
    sides = way.until(sides, np.tile(ended, 2), ends)
    origin, target = sides[:count], sides[count:]
    return replace(
        calls,
        origin=origin,
        target=target,
        outcome=outcome,
        answer=np.where(early, -1, calls.answer),
        release=ended,
        service=np.where(early, np.int8(0), calls.service),
        diverted=np.where(early, -1, calls.diverted),
    )


def _soon_after(answer: Rows, time: Rows, least: int) -> Flags:
    """Return which times lie less than `least` microseconds after the answer, if there is one."""
    return (answer >= 0) & (time >= answer) & (time < answer + least)


def _both_keys(key: Bits) -> Bits:
    """Return the hashes of the originating sides and then of the terminating ones."""
    return np.concatenate([originating_key(key), terminating_key(key)])


def _pair(day: Day, calls: Calls) -> Bits:
    """Return random bits for the pair of parties of each call, whoever calls."""
    constant = day.inputs.directory.constant
    caller, callee = constant(calls.caller), constant(calls.callee)
    low, high = np.minimum(caller, callee), np.maximum(caller, callee)
    stream = draws.stream(day.inputs.config.seed, "call/pair")
    return draws.events(draws.keys(stream, low), high)


def _is_diverted(day: Day, callee: Rows, key: Bits) -> Flags:
    """Return which calls a callee's voicemail takes, of those that he does not."""
    seed = day.inputs.config.seed
    owner = draws.bits(draws.keys(draws.stream(seed, "voicemail"), callee), "has")
    stays = draws.chance(draws.bits(key, "voicemail"), _LEAVES_MESSAGE)
    return draws.chance(owner, _HAS_VOICEMAIL) & stays


def paging(key: Bits) -> Rows:
    """Return the time from the caller's seizure to the callee's: 1.5 to 4 seconds."""
    return 3 * SECOND // 2 + draws.below(draws.bits(key, "paging"), 5 * SECOND // 2)


def draw_outcome(key: Bits) -> npt.NDArray[np.int8]:
    """Return the outcome of each attempt, as a position in `OUTCOMES`."""
    return _OUTCOME.sample(draws.bits(key, "outcome")).astype(np.int8)


def set_up(key: Bits) -> Rows:
    """Return the time from the callee's seizure until it rings or the caller is told why not."""
    seconds = np.clip(_SETUP.sample(draws.bits(key, "setup")), 0.5, 5.5)
    return (seconds * SECOND).astype(np.int64)


def core_failure(key: Bits) -> npt.NDArray[np.int8]:
    """Return the outcome (position in `OUTCOMES`) of attempts that the core fails."""
    return _TEMPORARY + _CORE_FAILURE.sample(draws.bits(key, "core/cause")).astype(np.int8)


def call_times(
    day: Day,
    key: Bits,
    time: Rows,
    outcome: np.ndarray,
    talkative: npt.NDArray[np.float64] | float = 1.0,
) -> tuple[Rows, Rows]:
    """Return answer (-1: none) and release, counted as `time` is, if the network holds the call.

    Args:
        day: The day.
        key: Hash of each call.
        time: When it is started.
        outcome: Position in `OUTCOMES`.
        talkative: Factor on the talk time.
    """
    setup = paging(key) + set_up(key)
    ring_bits = draws.bits(key, "ring")
    answered = outcome == ANSWERED
    ring = np.where(answered, _RING.sample(ring_bits), _SHORT_RING.sample(ring_bits))
    vain = np.flatnonzero(outcome == NO_ANSWER)
    ring[vain] = _NO_ANSWER_RING.sample(ring_bits[vain])
    # Whoever is busy or absent does not ring; the release follows the setup.
    rings = answered | (outcome == NO_ANSWER) | (outcome == REJECTED)
    ringing = np.where(rings, np.minimum(ring, 90.0) * SECOND, 0.0).astype(np.int64)
    talk = talk_time(day.inputs.config, _TALK, draws.bits(key, "talk"), talkative) * SECOND
    alerted = time + setup + ringing
    release = np.where(answered, alerted + talk.astype(np.int64), alerted)
    return np.where(answered, alerted, -1), release
