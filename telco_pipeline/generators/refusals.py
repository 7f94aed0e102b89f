"""Whom the network refuses: the effect `reject` of scenario layers; and who is not attached.

Belongs here: who is not attached when, the attempts by which devices come to know it, and which
attempts of sessions and registrations are refused. Does not belong here: what a refused attempt
looks like in a record (`locations`, `registrations`, `cdrs`), what the network refuses by its own
state (there too), when a device at fault restarts (`malfunctions`), which is not attached meanwhile
and attaches then.

The network admits a device anew when an incident begins for it (while its strength rises, the more
devices the stronger it is), and from then on every few hours, each time at another moment: at other
updates it does not ask whether it should. Who is refused then is not attached: nothing else is
heard of it until an attempt is accepted; its data session ends, a call goes on. How it goes on is
what the cause says (TS 24.301, 5.5.1.2.5 and 5.5.1.2.6):

- by most causes it tries again after T3411, ten seconds; after five attempts it waits for T3402,
  twelve minutes. A machine's module waits twice as long each time (GSMA TS.34, back-off);
- by some, such as illegal UE, the SIM counts as invalid, or the network as forbidden, until the
  device is switched off and on: a user, or the watchdog of a module, does so after hours.

Each attempt, of the IMS too, is a draw of its own by the strength of that moment. In the last
minutes of an incident all come back, one after the other, so that it leaves nothing behind its end.

What of an incident holds on a day follows from the incident and the day alone: nobody needs to
know how the day before went.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND, day_start
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import PoissonTable
from telco_pipeline.generators.malfunctions import restarts
from telco_pipeline.scenarios.effects import Reject
from telco_pipeline.scenarios.story import StoryDay, Touch

if TYPE_CHECKING:
    from telco_pipeline.generators.inputs import Day

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

ACCEPTED: Final = 0
"""Cause of an attempt that is accepted."""
PERMANENT: Final = (3, 6, 7, 8, 11, 14, 35)
"""EMM causes after which a device does not try again of itself (TS 24.301, 5.5.1.2.5): illegal UE
or ME, services or network not allowed, not authorised."""

# From one time at which a device is admitted anew to the next (practice: networks authenticate at
# some of the updates only; T3412 is three hours), and by how much of it that moment is later.
_PERIOD: Final = 3 * HOUR
_LATER: Final = _PERIOD // 2
# The first time: within the minute.
_FIRST: Final = MINUTE
# In the last minutes, at most this part of the time, all come back.
_BACK: Final = 10 * MINUTE
_BACK_PART: Final = 4
# T3411 and what it takes a device to ask again (as in `locations`); T3402.
_AGAIN: Final = 12 * SECOND
_SCATTER: Final = SECOND
_ROUND: Final = 5
_WAIT: Final = 12 * MINUTE
_NEVER: Final = 1 << 50
_EFFECTS: Final = ("reject", "malfunction")
_TIME_BITS: Final = 39  # from a day before the day to two after it
_ATTEMPT_BITS: Final = 10


def _after_refusal() -> Rows:
    """Return when the attempts after a refusal follow, from the first one: of others, machines."""
    ladders = []
    for doubles in (False, True):
        steps, begin, wait = [], 0, _WAIT
        while begin < _PERIOD + _LATER:
            steps += [begin + number * _AGAIN for number in range(_ROUND)]
            begin = steps[-1] + wait
            wait *= 2 if doubles else 1
        ladders.append(steps)
    longest = max(map(len, ladders))
    return np.array([steps + [_NEVER] * (longest - len(steps)) for steps in ladders])


_LADDER: Final = _after_refusal()
assert _LADDER.shape[1] < 1 << _ATTEMPT_BITS


@dataclass(frozen=True)
class Attempts:
    """Attempts to register of devices that are not attached, and the refusals that made them so.

    Attributes:
        entity: Whose device.
        time: Microseconds since the start of the day.
        cause: EMM cause, `ACCEPTED` of the attempt that brings it back.
        attached: Whether it was attached until then.
    """

    entity: Rows
    time: Rows
    cause: Rows
    attached: Flags

    def select(self, chosen: npt.NDArray) -> "Attempts":
        """Return some of them."""
        return Attempts(*(getattr(self, column.name)[chosen] for column in fields(self)))

    @classmethod
    def concat(cls, batches: "list[Attempts]") -> "Attempts":
        """Put batches one after the other."""
        nothing = np.zeros(0, dtype=np.int64)
        every = [cls(nothing, nothing, nothing, nothing.astype(np.bool_)), *batches]
        names = [column.name for column in fields(cls)]
        return cls(*(np.concatenate([getattr(one, name) for one in every]) for name in names))


@dataclass(frozen=True)
class Gaps:
    """Stretches in which devices are not attached, entity after entity and in order of time.

    Attributes:
        entity: Whose device.
        start, end: Microseconds since the start of the day; those of one entity do not touch.
    """

    entity: Rows
    start: Rows
    end: Rows

    @classmethod
    def of(cls, entity: Rows, start: Rows, end: Rows) -> "Gaps":
        """Put stretches in order, and those together that overlap or touch."""
        order = np.lexsort((start, entity))
        entity, start, end = entity[order], start[order], end[order]
        until = np.maximum.accumulate(_packed(entity, end))
        fresh = np.append(True, _packed(entity, start)[1:] > until[:-1])[: len(entity)]
        first = np.flatnonzero(fresh)
        last = np.append(first[1:], len(entity))[: len(first)] - 1
        latest = (until[last] & ((1 << _TIME_BITS) - 1)) - DAY
        return cls(entity[first], start[first], latest)

    def until_next(self, entity: Rows, time: Rows) -> Rows:
        """Return how long it takes until the next gap of each entity begins; else `_NEVER`."""
        wait = np.full(len(time), _NEVER)
        if len(self.entity):
            packed = _packed(self.entity, self.start)
            place = np.searchsorted(packed, _packed(entity.astype(np.int64), time), side="left")
            rows = np.flatnonzero(place < len(packed))
            rows = rows[self.entity[place[rows]] == entity[rows]]
            wait[rows] = self.start[place[rows]] - time[rows]
        return wait

    def holding(self, entity: Rows, time: Rows) -> tuple[Rows, Rows]:
        """Return which of some moments lie in a gap of their entity, and in which gap."""
        packed = _packed(self.entity, self.start)
        gap = np.searchsorted(packed, _packed(entity, time), side="right") - 1
        rows = np.flatnonzero(gap >= 0)
        gap = gap[rows]
        inside = (self.entity[gap] == entity[rows]) & (time[rows] < self.end[gap])
        return rows[inside], gap[inside]


def _packed(entity: Rows, time: Rows) -> Rows:
    return (entity << _TIME_BITS) + (time + DAY)


class Refusals:
    """Whom the network refuses on a day. Times are microseconds since its start."""

    def __init__(self, story: StoryDay, machine: Flags, poisson: PoissonTable) -> None:
        """Work out who is not attached when.

        Args:
            story: What the layers do on the day.
            machine: Which subscribers are machines.
            poisson: Numbers of events.
        """
        self._start = day_start(story.date)
        touches = story.of("reject")
        # Where several have a say, the one that begins later does, then the higher layer.
        order = sorted(
            range(len(touches)),
            key=lambda row: (touches[row].start.min(), touches[row].incident.key, row),
        )
        touches = [touches[row] for row in order]
        self._registrations = [touch for touch in touches if _is_of(touch, "registration")]
        self._sessions = [touch for touch in touches if _is_of(touch, "sessions")]
        self._back = [_comes_back(touch) for touch in self._registrations]
        gaps, attempts = [], []
        for touch, back in zip(self._registrations, self._back, strict=True):
            lost, tried = self._course(touch, back, machine)
            gaps.append(lost)
            attempts.append(tried)
        made = restarts(story, poisson)
        self.restarts = Gaps.of(made.entity, made.start, made.end)
        """Times in which devices restart."""
        self._orderly = np.unique(_packed(made.entity, made.start)[made.orderly])
        # A device that restarts attempts nothing, and is back only if the network has it.
        gaps.append(self.restarts)
        who, end = self.restarts.entity, self.restarts.end
        attempts.append(_attempts(who, end, np.full(len(who), ACCEPTED)))
        self.gaps = Gaps.of(
            *(
                np.concatenate([np.zeros(0, dtype=np.int64), *(getattr(one, name) for one in gaps)])
                for name in ("entity", "start", "end")
            )
        )
        self.attempts = _without_overruled(attempts, gaps)

    def __bool__(self) -> bool:
        """Return whether anybody is refused anything, or restarts."""
        return bool(self._registrations or self._sessions or len(self.restarts.entity))

    def orderly(self, entity: Rows, time: Rows) -> Flags:
        """Return which devices detach at a time, as they restart from then on in good order."""
        packed = _packed(entity.astype(np.int64), time)
        place = np.searchsorted(self._orderly, packed)
        found = place < len(self._orderly)
        found[found] = self._orderly[place[found]] == packed[found]
        return found

    def crashes(self, entity: Rows, time: Rows) -> Flags:
        """Return which devices crash at a time: restart from then on without a detach."""
        rows, gap = self.restarts.holding(entity.astype(np.int64), time)
        found = np.zeros(len(entity), dtype=np.bool_)
        found[rows] = self.restarts.start[gap] == time[rows]
        return found & ~self.orderly(entity, time)

    def registration_chance(self, entity: Rows, time: Rows) -> tuple[Floats, Rows]:
        """Return the probability that an attempt to register is refused, and with which cause."""
        admitted, cause = np.ones(len(entity)), np.full(len(entity), ACCEPTED)
        for touch, back in zip(self._registrations, self._back, strict=True):
            rows, position = _hits(touch, entity)
            chance = self._strength(touch, position, time[rows])
            chance[time[rows] + self._start >= back[position]] = 0.0
            admitted[rows] *= 1.0 - chance
            cause[rows[chance > 0.0]] = _reject(touch).cause
        return 1.0 - admitted, cause

    def session_chance(self, entity: Rows, time: Rows) -> Floats:
        """Return the probability that an attempt of a session is refused."""
        admitted = np.ones(len(entity))
        for touch in self._sessions:
            rows, position = _hits(touch, entity)
            admitted[rows] *= 1.0 - self._strength(touch, position, time[rows])
        return 1.0 - admitted

    def _strength(self, touch: Touch, position: Rows, time: Rows) -> Floats:
        share = touch.amount(_reject(touch).share)
        return share * touch.strength(position, time + self._start)

    def _course(self, touch: Touch, back: Rows, machine: Flags) -> tuple[Gaps, Attempts]:
        """Return when the targets of a touch are not attached, by it alone, and their attempts."""
        begin, back = touch.start - self._start, back - self._start
        first = np.maximum(-begin // _PERIOD - 1, 0)
        last = (np.minimum(back, DAY) - 1 - begin) // _PERIOD
        count = np.maximum(last - first + 1, 0)
        row = np.repeat(np.arange(len(touch)), count)
        number = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        time = _admission(touch.key[row], begin[row], number)
        until = np.minimum(_admission(touch.key[row], begin[row], number + 1), back[row])
        some = np.flatnonzero(time < until)
        row, number, time, until = row[some], number[some], time[some], until[some]
        key = draws.events(touch.key[row], number << _ATTEMPT_BITS)
        chance = draws.uniform(draws.bits(key, "admitted"))
        refused = chance < self._strength(touch, row, time)
        first = np.flatnonzero(number == 0)
        reached = _reached(touch, chance[first])
        time[first] += reached
        refused[first] = (reached < _NEVER) & (time[first] < until[first])
        entity, cause = touch.rows[row], _reject(touch).cause
        end, found = until.copy(), []
        active = np.flatnonzero(refused)
        kind = machine[entity].astype(np.int64)
        for attempt in range(1, 1 if cause in PERMANENT else _LADDER.shape[1]):
            key = draws.events(touch.key[row[active]], (number[active] << _ATTEMPT_BITS) + attempt)
            scatter = draws.below(draws.bits(key, "scatter"), 2 * _SCATTER) - _SCATTER
            when = time[active] + _LADDER[kind[active], attempt] + scatter
            made = np.flatnonzero(when < until[active])
            active, when, key = active[made], when[made], key[made]
            if not active.size:
                break
            chance = self._strength(touch, row[active], when)
            again = draws.chance(draws.bits(key, "admitted"), chance)
            found.append(_attempts(entity[active], when, np.where(again, cause, ACCEPTED)))
            end[active[~again]] = when[~again]
            active = active[again]
        lost = refused & (end == until)
        before = np.append(False, (row[1:] == row[:-1]) & lost[:-1])[: len(row)]
        heard = np.flatnonzero(refused | before)
        answers = np.where(refused, cause, ACCEPTED)[heard]
        found.append(_attempts(entity[heard], time[heard], answers, ~before[heard]))
        over = np.flatnonzero(lost & (until == back[row]))
        found.append(_attempts(entity[over], until[over], np.full(len(over), ACCEPTED)))
        # Who is refused at first was forgotten by the network when it began for him.
        gone = time.copy()
        gone[first] = begin[row[first]] + reached
        gaps = Gaps.of(entity[refused], gone[refused], end[refused])
        tried = Attempts.concat(found)
        return gaps, tried.select((tried.time >= 0) & (tried.time < DAY))


def _is_of(touch: Touch, what: str) -> bool:
    return _reject(touch).of in (what, "all")


def _reject(touch: Touch) -> Reject:
    assert isinstance(touch.effect, Reject)
    return touch.effect


def _hits(touch: Touch, entity: Rows) -> tuple[Rows, Rows]:
    """Return which entities are targets, and their positions among them."""
    position = np.minimum(np.searchsorted(touch.rows, entity), len(touch) - 1)
    rows = np.flatnonzero(touch.rows[position] == entity)
    return rows, position[rows]


def _comes_back(touch: Touch) -> Rows:
    """Return from when on nobody is refused to register any more, microseconds since 1970."""
    room = np.minimum((touch.end - touch.start) // _BACK_PART, _BACK)
    return touch.end - draws.below(draws.bits(touch.key, "back"), room)


def _reached(touch: Touch, chance: Floats) -> Rows:
    """Return how long after its beginning a touch is strong enough to refuse targets at first.

    Args:
        touch: The touch.
        chance: Uniform of each target: of those below its strength it refuses all.

    Returns:
        Microseconds, `_NEVER` where it does not become as strong before they are admitted anew.
    """
    effect = _reject(touch)
    share, ramp = touch.amount(effect.share), effect.ramp.microseconds
    late = (chance / max(share, 1e-6) * ramp).astype(np.int64)
    return np.where((chance < share) & (late < _PERIOD - _FIRST), late, _NEVER)


def _admission(key: Bits, begin: Rows, number: Rows) -> Rows:
    """Return when the network admits devices anew for the time `number` of an incident."""
    late = draws.uniform(draws.bits(draws.events(key, number << _ATTEMPT_BITS), "late"))
    late *= np.where(number == 0, _FIRST, _LATER)
    return begin + number * _PERIOD + late.astype(np.int64)


def _attempts(entity: Rows, time: Rows, cause: Rows, attached: Flags | None = None) -> Attempts:
    if attached is None:
        attached = np.zeros(len(entity), dtype=np.bool_)
    return Attempts(entity, time, cause, attached)


def _without_overruled(attempts: list[Attempts], gaps: list[Gaps]) -> Attempts:
    """Return attempts of several touches in order, without those on which another has a say.

    While two of them keep a device off, only the attempts of the one that has precedence, which
    stands behind, happen; and nobody comes back while any still refuses him.
    """
    kept = []
    for place, tried in enumerate(attempts):
        for other, gap in enumerate(gaps):
            if other != place:
                inside, _ = gap.holding(tried.entity, tried.time)
                overruled = np.zeros(len(tried.time), dtype=np.bool_)
                overruled[inside] = (other > place) | (tried.cause[inside] == ACCEPTED)
                tried = tried.select(~overruled)
        kept.append(tried)
    every = Attempts.concat(kept)
    return every.select(np.lexsort((every.time, every.entity)))


# What records ask ---------------------------------------------------------------------------------


def unattached(day: "Day", entity: Rows, time: Rows) -> Rows:
    """Return the positions of those whose device is not attached, as the network refuses it.

    Args:
        day: The day.
        entity: Entity numbers, or rows of the directory: what is none of ours is attached.
        time: Microseconds since the start of the day, from the day before to the next one.
    """
    return _inside_gaps(day, entity, time)[0]


def until_attached(day: "Day", entity: Rows, time: Rows) -> Rows:
    """Return how long it takes until each device is attached again; 0 where it is.

    Arguments as of `unattached`. At most what is left of the day and of the next one.
    """
    wait = np.zeros(len(time), dtype=np.int64)
    open_still = np.arange(len(time))
    # A gap that reaches behind midnight goes on in the next day's.
    for _ in range(3):
        rows, end = _inside_gaps(day, entity[open_still], (time + wait)[open_still])
        open_still = open_still[rows]
        wait[open_still] = end - time[open_still]
        open_still = open_still[end < 2 * DAY]
        if not open_still.size:
            break
    return wait


def until_lost(day: "Day", entity: Rows, time: Rows) -> Rows:
    """Return how long it takes until each device that is attached is not any more, on the day."""
    return day.refusals.gaps.until_next(entity, time)


def until_restart(day: "Day", entity: Rows, time: Rows) -> Rows:
    """Return how long it takes until each device restarts, on the day (as of `until_lost`)."""
    return day.refusals.restarts.until_next(entity, time)


def turned_away(day: "Day", entity: Rows, time: Rows, key: Bits) -> Rows:
    """Return the positions of attempts of sessions that the network refuses.

    Args:
        day: The day.
        entity: As of `unattached`.
        time: As there.
        key: Hash of each attempt.
    """
    found = []
    for one, rows, later in _days(day, time):
        chance = one.session_chance(entity[rows], time[rows] - later)
        hit = np.flatnonzero(chance)
        random = draws.bits(key[rows[hit]], "turned away")
        found.append(rows[hit[draws.chance(random, chance[hit])]])
    return _joined(found)


def refused_registrations(day: "Day", entity: Rows, time: Rows, key: Bits) -> tuple[Rows, Rows]:
    """Return the positions of attempts to register that the network refuses, and the EMM causes.

    Of the IMS, where the device is attached; arguments as of `turned_away`.
    """
    found, causes = [], []
    for one, rows, later in _days(day, time):
        chance, cause = one.registration_chance(entity[rows], time[rows] - later)
        hit = np.flatnonzero(chance)
        random = draws.bits(key[rows[hit]], "refused")
        hit = hit[draws.chance(random, chance[hit])]
        found.append(rows[hit])
        causes.append(cause[hit])
    return _joined(found), _joined(causes)


def _inside_gaps(day: "Day", entity: Rows, time: Rows) -> tuple[Rows, Rows]:
    """Return the positions of who is not attached, and until when."""
    found, ends = [], []
    for one, rows, later in _days(day, time):
        gaps = one.gaps
        if len(gaps.entity):
            inside, gap = gaps.holding(entity[rows].astype(np.int64), time[rows] - later)
            found.append(rows[inside])
            ends.append(gaps.end[gap] + later)
    return _joined(found), _joined(ends)


def _days(day: "Day", time: Rows) -> Iterator[tuple[Refusals, Rows, int]]:
    """Return the rows of times on each day around on which anybody is refused or restarts."""
    if day.inputs.story.effects.isdisjoint(_EFFECTS):
        return
    for days in (-1, 0, 1):
        low = days * DAY
        rows = np.flatnonzero((time >= low) & (time < low + DAY))
        if not rows.size or (days < 0 and day.date == day.inputs.config.epoch):
            continue
        if days < 0:
            one = day.before.refusals
        else:
            one = day.refusals_after if days else day.refusals
        if one:
            yield one, rows, low


def _joined(parts: list[Rows]) -> Rows:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
