"""Contacts with customer care: who turns to it, when, with what, and because of what.

Belongs here: the causes of contacts, the time from a cause to the contact, and whether a contact
settles the matter. Does not belong here: how a contact goes (`generators.care`), whom people
telephone with (`behaviour.contacts`).

A *matter* is one thing that bothers one customer; it has a case number, and a contact for each
time that the customer turns to care about it. A customer has one matter at a time. Between its
cause and its contact, and from one contact to the next, it is pending and is carried in the state.

Scenario layers wake matters too (`_asked`): these come before any other, and go on as any other.

The weight of `customer_service` in world.yaml says how easily somebody turns to care: it scales
the chance that a cause leads to a first contact, up to `_MOST_LIKELY`; later ones follow from it.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.absences import Trips
from telco_pipeline.behaviour.changes import DEVICE_UPGRADE, NUMBER_CHANGE, PORT_IN, SIM_SWAP
from telco_pipeline.contracts.codes import Reason, Topic
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import EventIds, pack
from telco_pipeline.engine.tables import Choice
from telco_pipeline.state.exposure import Exposure
from telco_pipeline.state.lifecycle import (
    ACTIVE,
    BILLS,
    ENDS,
    PLAN_CHANGE,
    SUSPENDED,
    SUSPENSION,
    Calendar,
    Morning,
    bill_date,
)
from telco_pipeline.state.registry import Facts
from telco_pipeline.state.spending import COSTLY, Bills
from telco_pipeline.state.story_customers import Asked

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

TOPICS: Final = tuple(Topic)
_CODE: Final = {topic: code for code, topic in enumerate(TOPICS)}
_REASON_OF: Final = {
    Topic.OUTAGE: Reason.NETWORK,
    Topic.DROPPED_CALLS: Reason.NETWORK,
    Topic.BLOCKED_CALLS: Reason.NETWORK,
    Topic.SLOW_DATA: Reason.NETWORK,
    Topic.HIGH_BILL: Reason.BILLING,
    Topic.PAYMENT: Reason.BILLING,
    Topic.ALLOWANCE: Reason.PLAN,
    Topic.PLAN_CHANGE: Reason.PLAN,
    Topic.CONTRACT_END: Reason.PLAN,
    Topic.ROAMING_COST: Reason.ROAMING,
    Topic.ROAMING_ACCESS: Reason.ROAMING,
    Topic.NEW_DEVICE: Reason.DEVICE,
    Topic.DEVICE_FAULT: Reason.DEVICE,
    Topic.SIM_SWAP: Reason.SIM,
    Topic.NUMBER_CHANGE: Reason.SIM,
    Topic.SUSPENSION: Reason.BILLING,
    Topic.SUSPICIOUS_CALLS: Reason.FRAUD,
    Topic.LEAVING: Reason.CANCELLATION,
    Topic.QUESTION: Reason.GENERAL,
}
REASON_OF_TOPIC: Final = np.array(
    [tuple(Reason).index(_REASON_OF[topic]) for topic in TOPICS], dtype=np.int8
)
"""With which reason (position in `Reason`) somebody comes whom each topic bothers."""
LEAVING: Final = _CODE[Topic.LEAVING]

# How often somebody of mean inclination turns to care, our shares of 1 to 3 contacts a year
# (practice). A year:
_YEAR: Final = 365.0
_QUESTIONS: Final = 0.40 / _YEAR
_DEVICE_FAULTS: Final = 0.20 / _YEAR
_SUSPICIOUS: Final = 0.03 / _YEAR
_TOP_UPS: Final = 0.25 / _YEAR  # who pays in advance has no bill to ask about
_ALLOWANCES: Final = 0.6 / _YEAR  # of those who nearly use up their data
NEARLY_USED: Final = 0.85
"""From which part of the data allowance on it is nearly used up."""
# A day with an hour without service, and the hours from which on more of them say little more. Who
# has stopped feeling each further hour (`customers`, three hours) is still moved to speak of it.
_NETWORK: Final = 0.07
_HALF_SAID: Final = 4.0
# Part of those who think of leaving that say so.
_SAYS_SO: Final = 0.4
# A bill, and one that is twice the usual one.
_BILL: Final = 0.012
_SHOCKED: Final = 0.22
_MOST_SHOCK: Final = 1.5
_SHOCKING: Final = 0.10  # from this on the bill itself is the topic
# What happened to somebody, by what it is.
_AFTER_SWAP: Final = 0.40
_AFTER_UPGRADE: Final = 0.20
_AFTER_NUMBER: Final = 0.30
_AFTER_TRIP: Final = 0.012
_AFTER_COSTLY_TRIP: Final = 0.06
_ON_ARRIVAL: Final = 0.015
_AFTER_PLAN: Final = 0.20
_AFTER_SUSPENSION: Final = 0.45
_BEFORE_END: Final = 0.07
_END_LETTERS: Final = (45, 14)  # days before the end of a term on which we write
_MOST_LIKELY: Final = 0.9

# Days from a cause to the contact, soon or when there is time, and to the next one about the same.
_SOON: Final = 0
_SLOW: Final = 1
_AGAIN: Final = 2
_LAGS: Final = Choice.of(
    [
        [50.0, 26.0, 13.0, 7.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [18.0, 20.0, 16.0, 12.0, 9.0, 8.0, 6.0, 5.0, 3.0, 3.0],
        [4.0, 24.0, 22.0, 16.0, 11.0, 8.0, 7.0, 5.0, 2.0, 1.0],
    ]
)
_HURRIES: Final = np.isin(
    np.arange(len(TOPICS)),
    [
        _CODE[topic]
        for topic in (
            Topic.OUTAGE, Topic.DROPPED_CALLS, Topic.BLOCKED_CALLS, Topic.SLOW_DATA,
            Topic.ROAMING_ACCESS, Topic.DEVICE_FAULT, Topic.SIM_SWAP, Topic.SUSPENSION,
            Topic.SUSPICIOUS_CALLS, Topic.LEAVING, Topic.QUESTION, Topic.ALLOWANCE,
        )
    ],
)  # fmt: skip
# Local hours of contacts: most while care is open (8 to 20 h), early on above all.
_HOURS: Final = Choice.of(
    [.3, .1, .05, .05, .05, .1, .3, 1.0, 8.5, 11.0, 11.5, 10.0, 7.5, 8.0, 8.0, 7.5, 7.0, 6.5,
     5.5, 3.5, 1.6, 1.2, .8, .5]
)  # fmt: skip
_SUNDAYS_OFF: Final = 0.6  # of what would fall on a Sunday waits for Monday
_DAYS_OF_WEEK: Final = 7
_SUNDAY: Final = 1  # day number 0 is a Saturday
_QUICKEST: Final = 10 * MINUTE
# Causes without a moment of their own happen by day.
_WAKING: Final = (7 * HOUR, 15 * HOUR)

# First-contact resolution 70 to 85 % (practice); what came back once is harder.
_FIRST: Final = 0.79
_LATER: Final = 0.70
_COMES_AGAIN: Final = 0.80
_MOST_CONTACTS: Final = 12


def resolved(seed: int, case: Rows, number: npt.NDArray[np.integer]) -> Flags:
    """Return which contacts settle their matter: a pure function of case and number.

    State and the records of care both ask here, so they agree.

    Args:
        seed: The world's seed.
        case: Case of each contact.
        number: Which contact about it, 1 the first.
    """
    key = draws.events(draws.keys(draws.stream(seed, "care/resolved"), case), number)
    return draws.chance(key, np.where(number <= 1, _FIRST, _LATER))


@dataclass(frozen=True)
class Matters:
    """Matters, one array element per subscriber; all -1 for who has none.

    Attributes:
        time: Moment of the contact, microseconds since 1970.
        topic: What really happened (position in `Topic`).
        number: Which contact about it, 1 the first.
        case: The matter.
        fault: Fault of the network behind it.
        cell: Cell in which it was met.
        cause: Moment of the cause, or the start of the hour in which it was met.
    """

    time: Rows
    topic: Codes
    number: npt.NDArray[np.int16]
    case: Rows
    fault: Rows
    cell: npt.NDArray[np.int32]
    cause: Rows

    @classmethod
    def none(cls, size: int) -> Self:
        """Return no matters for `size` subscribers."""
        return cls(
            time=np.full(size, -1, dtype=np.int64),
            topic=np.full(size, -1, dtype=np.int8),
            number=np.full(size, -1, dtype=np.int16),
            case=np.full(size, -1, dtype=np.int64),
            fault=np.full(size, -1, dtype=np.int64),
            cell=np.full(size, -1, dtype=np.int32),
            cause=np.full(size, -1, dtype=np.int64),
        )

    @property
    def _columns(self) -> tuple[npt.NDArray, ...]:
        return (
            self.time, self.topic, self.number, self.case, self.fault, self.cell, self.cause,
        )  # fmt: skip

    def select(self, rows: Rows) -> "Matters":
        """Return the matters at some rows."""
        return Matters(*(column[rows] for column in self._columns))

    def put(self, rows: Rows, others: "Matters") -> None:
        """Set the matters at some rows."""
        for column, values in zip(self._columns, others._columns, strict=True):
            column[rows] = values

    def clear(self, rows: Rows) -> None:
        """Remove the matters at some rows."""
        for column in self._columns:
            column[rows] = -1


@dataclass(frozen=True)
class IdentityDay:
    """Changes of identity of one UTC day, those of leavers left out.

    Attributes:
        entity: Whose, rising.
        kind: Position in `behaviour.changes.KINDS`.
        time: Microseconds since 1970.
    """

    entity: Rows
    kind: Codes
    time: Rows


@dataclass(frozen=True)
class Happenings:
    """What happens to a slice of the subscribers on the day, for contacts to be about.

    Attributes:
        entities: Entity numbers, rising.
        exposure: Bad service met on the day.
        hazard: Chance to leave on the day.
        change, change_time: Change in life (`lifecycle.Decisions`).
        identity: Changes of identity of the day, of anybody.
        trips: Trips abroad of the week.
        billed: Rows that get a bill today.
        bills: Their bills.
        asked: Whom scenario layers make turn to care; None for nobody.
    """

    entities: Rows
    exposure: Floats
    hazard: Floats
    change: Codes
    change_time: Rows
    identity: IdentityDay
    trips: Trips
    billed: Rows
    bills: Bills
    asked: Asked | None = None


@dataclass(frozen=True)
class _Found:
    """New causes of contacts: row of the subscriber, topic and moment."""

    row: Rows
    topic: Codes
    cause: Rows

    @classmethod
    def joined(cls, parts: list["_Found"]) -> "_Found":
        """Put causes together; of several of one subscriber the first one counts."""
        row = np.concatenate([part.row for part in parts])
        topic = np.concatenate([part.topic for part in parts])
        cause = np.concatenate([part.cause for part in parts])
        rows, first = np.unique(row, return_index=True)
        return cls(rows, topic[first].astype(np.int8), cause[first])


@dataclass(frozen=True)
class Outcome:
    """What care has to do with a slice of the subscribers on the day.

    Attributes:
        contact: Contacts of the day.
        pending: Matters that wait for a later day.
        solved: Whose contact of the day settled the matter.
        unsolved: Whose did not.
    """

    contact: Matters
    pending: Matters
    solved: Flags
    unsolved: Flags


def contacts(
    facts: Facts,
    today: Calendar,
    exposure: Exposure,
    keys: Bits,
    morning: Morning,
    waiting: Matters,
    happened: Happenings,
) -> Outcome:
    """Decide the contacts of the day and what is left for later days.

    Args:
        facts: What stays the same.
        today: The day.
        exposure: Bad service by cell.
        keys: The day's key of each subscriber.
        morning: How things stand.
        waiting: Matters that were pending on the eve.
        happened: What happens on the day.
    """
    end = today.start + DAY
    pending = Matters.none(len(keys))
    held = np.flatnonzero(waiting.time >= 0)
    pending.put(held, waiting.select(held))
    fresh = _new_matters(facts, today, exposure, keys, morning, waiting, happened)
    pending.put(*fresh)
    if happened.asked is not None:
        # These come before what else bothers somebody.
        pending.put(*_asked(facts, today, exposure, keys, morning, happened, happened.asked))
    _forget_who_left(pending, morning, happened)
    contact = Matters.none(len(keys))
    due = np.flatnonzero((pending.time >= 0) & (pending.time < end))
    contact.put(due, pending.select(due))
    pending.clear(due)
    done = resolved(facts.config.seed, contact.case[due], contact.number[due])
    solved, unsolved = (np.zeros(len(keys), dtype=np.bool_) for _ in range(2))
    solved[due[done]] = True
    unsolved[due[~done]] = True
    _come_again(today, keys, contact, due[~done], pending)
    _forget_who_left(pending, morning, happened, at_once=True)
    return Outcome(contact, pending, solved, unsolved)


def _forget_who_left(
    pending: Matters, morning: Morning, happened: Happenings, *, at_once: bool = False
) -> None:
    """Drop matters of who is no customer, or is none any more when the contact would come.

    Args:
        pending: Matters, changed in place.
        morning: How things stand.
        happened: What happens on the day.
        at_once: Drop all that leavers of the day have; else only what comes after they left.
    """
    served = (morning.status == ACTIVE) | (morning.status == SUSPENDED)
    leaves = (happened.change >= 0) & ENDS[happened.change]
    if not at_once:
        leaves &= pending.time > happened.change_time
    pending.clear(np.flatnonzero((pending.time >= 0) & (~served | leaves)))


def _new_matters(
    facts: Facts,
    today: Calendar,
    exposure: Exposure,
    keys: Bits,
    morning: Morning,
    waiting: Matters,
    happened: Happenings,
) -> tuple[Rows, Matters]:
    """Return the rows of customers who find a reason for a contact today, and the matters."""
    free = facts.customer[happened.entities] & (waiting.time < 0)
    free &= (morning.status == ACTIVE) | (morning.status == SUSPENDED)
    found = _Found.joined(
        [
            *_after_events(facts, today, keys, morning, happened, free),
            _of_themselves(facts, today, keys, morning, happened, free),
        ]
    )
    rows, entities = found.row, happened.entities[found.row]
    key = keys[rows]
    matters = Matters.none(len(rows))
    matters.topic[:], matters.number[:], matters.cause[:] = found.topic, 1, found.cause
    ids = EventIds(facts.config.seed, "case_id")
    matters.case[:] = ids.of(pack(0, today.number, entities, 0))
    ready = found.cause + _QUICKEST
    network = np.flatnonzero(found.topic == _NETWORK_CAUSE)
    ready[network] = _trace(facts, today, exposure, entities[network], matters, network)
    ready = np.where(matters.cause < 0, today.start, ready)
    lag = _lag(draws.bits(key, "contact"), _speed(matters.topic))
    matters.time[:] = _contact_time(today, draws.bits(key, "contact"), lag, ready)
    return rows, matters


_NETWORK_CAUSE: Final = len(TOPICS)
"""Stands for the topic of bad service until its cell and hour are found."""


def _trace(
    facts: Facts,
    today: Calendar,
    exposure: Exposure,
    entities: Rows,
    matters: Matters,
    rows: Rows,
) -> Rows:
    """Find cell, hour, fault and topic of bad service, in `matters` at `rows`.

    Returns:
        When each can be complained about: at the end of the hour.
    """
    population = facts.population
    cell, hour, topic = exposure.worst(
        population.persona[entities], population.home[entities], population.work[entities]
    )
    matters.topic[rows], matters.cell[rows] = topic, cell
    matters.fault[rows] = exposure.fault[cell, hour]
    matters.cause[rows] = today.start + hour * HOUR
    return matters.cause[rows] + HOUR


def _speed(topic: Codes) -> Rows:
    """Return the row of `_LAGS` of the first contact about some topics."""
    return np.where(_HURRIES[topic], _SOON, _SLOW)


def _lag(random_bits: Bits, speed: Rows) -> Rows:
    """Return the days from a cause to the contact.

    Args:
        random_bits: Random bits per contact.
        speed: Row of `_LAGS` of each.
    """
    return _LAGS.sample(draws.bits(random_bits, "lag"), speed).astype(np.int64)


def _contact_time(today: Calendar, random_bits: Bits, lag: Rows, ready: Rows) -> Rows:
    """Return when somebody turns to care, not before a moment of this day.

    Args:
        today: The day.
        random_bits: Random bits per contact.
        lag: Days from the cause to the contact.
        ready: Moment from which on the contact can come, microseconds since 1970.
    """
    hour = _HOURS.sample(draws.bits(random_bits, "hour")).astype(np.int64)
    offset = int(today.clock.offset[12])
    midnight = (ready + offset) // DAY * DAY - offset
    second = draws.below(draws.bits(random_bits, "second"), HOUR // SECOND)
    micro = draws.below(draws.bits(random_bits, "microsecond"), SECOND)
    time = midnight + lag * DAY + hour * HOUR + second * SECOND + micro
    sunday = ((time + offset - today.start) // DAY + today.number) % _DAYS_OF_WEEK == _SUNDAY
    waits = sunday & draws.chance(draws.bits(random_bits, "sunday"), _SUNDAYS_OFF)
    time += np.where(waits, DAY, 0)
    return time + np.maximum(-((time - ready) // DAY), 0) * DAY


def _come_again(
    today: Calendar, keys: Bits, contact: Matters, rows: Rows, pending: Matters
) -> None:
    """Set down in `pending` who will turn to care again about what was not settled today."""
    key = draws.bits(keys[rows], "again")
    again = draws.chance(key, _COMES_AGAIN) & (contact.number[rows] < _MOST_CONTACTS)
    rows, key = rows[again], key[again]
    if not rows.size:
        return
    matters = contact.select(rows)
    matters.number[:] += 1
    when = draws.bits(key, "when")
    lag = _lag(when, np.full(len(rows), _AGAIN))
    matters.time[:] = _contact_time(today, when, lag, matters.time + 2 * HOUR)
    # What would come today comes tomorrow: one contact a day.
    matters.time[:] += np.where(matters.time < today.start + DAY, DAY, 0)
    pending.put(rows, matters)


def _after_events(
    facts: Facts,
    today: Calendar,
    keys: Bits,
    morning: Morning,
    happened: Happenings,
    free: Flags,
) -> list[_Found]:
    """Return the causes that lie in what happened to few today, of those who take them up."""
    found = [
        *_of_changes(happened),
        *_of_identity(happened),
        *_of_trips(today, happened.trips),
        _of_bills(today, keys, happened),
        _of_terms(today, keys, morning),
    ]
    talk = facts.talk[happened.entities]
    voice = facts.voice[happened.entities]
    taken = []
    for number, (rows, topic, cause, chance, complaint) in enumerate(found):
        if not rows.size:
            continue
        keen = talk[rows] * voice[rows] if complaint else talk[rows]
        likely = np.minimum(chance * keen, _MOST_LIKELY)
        drawn = draws.chance(draws.bits(keys[rows], f"cause/{number}"), likely) & free[rows]
        topics = np.broadcast_to(np.asarray(topic), rows.shape)[drawn]
        taken.append(_Found(rows[drawn], topics, cause[drawn]))
    return taken


_Event = tuple[Rows, "int | Rows", Rows, "float | Floats", bool]
"""Rows, topic, moment of the cause, chance of a contact, whether it is a complaint."""


def _of_changes(happened: Happenings) -> list[_Event]:
    plan = np.flatnonzero(happened.change == PLAN_CHANGE)
    out = np.flatnonzero(happened.change == SUSPENSION)
    time = happened.change_time
    return [
        (out, _CODE[Topic.SUSPENSION], time[out], _AFTER_SUSPENSION, False),
        (plan, _CODE[Topic.PLAN_CHANGE], time[plan], _AFTER_PLAN, False),
    ]


def _of_identity(happened: Happenings) -> list[_Event]:
    """Return the changes of identity of these subscribers."""
    entities, identity = happened.entities, happened.identity
    place = np.searchsorted(entities, identity.entity)
    ours = place < len(entities)
    ours[ours] = entities[place[ours]] == identity.entity[ours]
    row, kind, time = place[ours], identity.kind[ours], identity.time[ours]
    events: list[_Event] = []
    for kinds, topic, chance in (
        ((SIM_SWAP,), Topic.SIM_SWAP, _AFTER_SWAP),
        ((NUMBER_CHANGE, PORT_IN), Topic.NUMBER_CHANGE, _AFTER_NUMBER),
        ((DEVICE_UPGRADE,), Topic.NEW_DEVICE, _AFTER_UPGRADE),
    ):
        chosen = np.isin(kind, kinds)
        events.append((row[chosen], _CODE[topic], time[chosen], chance, False))
    return events


def _of_trips(today: Calendar, found: Trips) -> list[_Event]:
    """Return who arrived abroad and who came back from there today."""
    events: list[_Event] = []
    for moment, topic, cheap, dear in (
        (found.back, Topic.ROAMING_COST, _AFTER_TRIP, _AFTER_COSTLY_TRIP),
        (found.out, Topic.ROAMING_ACCESS, _ON_ARRIVAL, _ON_ARRIVAL),
    ):
        rows = np.flatnonzero(found.goes & (moment >= 0) & (moment < DAY // SECOND))
        chance = np.where(COSTLY[found.country[rows]], dear, cheap)
        events.append((rows, _CODE[topic], today.start + moment[rows] * SECOND, chance, False))
    return events


def _of_bills(today: Calendar, keys: Bits, happened: Happenings) -> _Event:
    """Return the bills of today: what they ask or complain about."""
    rows, bills = happened.billed, happened.bills
    shocking = bills.shock >= _SHOCKING
    trip = bills.abroad * 2 > bills.amount - bills.usual
    topic = np.where(
        shocking,
        np.where(trip & (bills.abroad > 0), _CODE[Topic.ROAMING_COST], _CODE[Topic.HIGH_BILL]),
        _CODE[Topic.PAYMENT],
    )
    chance = _BILL + _SHOCKED * np.minimum(bills.shock, _MOST_SHOCK)
    return rows, topic, _by_day(today, keys[rows], "bill", BILLS), chance, True


def _of_terms(today: Calendar, keys: Bits, morning: Morning) -> _Event:
    """Return whom we write today that the minimum term will end."""
    left = morning.contract_end - today.since_1970
    rows = np.flatnonzero((morning.contract_end >= 0) & np.isin(left, _END_LETTERS))
    return rows, _CODE[Topic.CONTRACT_END], _by_day(today, keys[rows], "letter"), _BEFORE_END, False


def _by_day(today: Calendar, keys: Bits, what: str, window: tuple[int, int] = _WAKING) -> Rows:
    """Return a moment of the day, from a local time on and within a span, per key."""
    first, span = window
    second = draws.below(draws.bits(keys, f"{what}/second"), span // SECOND)
    return today.start + today.clock.utc_of_local(first + second * SECOND)[0]


_ASKS: Final = {
    "billing": _CODE[Topic.HIGH_BILL],
    "roaming": _CODE[Topic.ROAMING_COST],
    "fraud": _CODE[Topic.SUSPICIOUS_CALLS],
    "device": _CODE[Topic.DEVICE_FAULT],
    "network": _NETWORK_CAUSE,
    "contract": _CODE[Topic.CONTRACT_END],
}
"""Topics of `effects.Care`, for whom they fit (`_fitting_topics`)."""


def _asked(
    facts: Facts,
    today: Calendar,
    exposure: Exposure,
    keys: Bits,
    morning: Morning,
    happened: Happenings,
    asked: Asked,
) -> tuple[Rows, Matters]:
    """Return the rows of customers in whom layers wake a matter today, and the matters.

    It wakes on one of the days of the time, so that the contact comes on one of them too.
    """
    topic = np.array([_ASKS[name] for name in asked.topic.tolist()], dtype=np.int64)
    speed = _speed(np.minimum(topic, len(TOPICS) - 1))
    lag = _lag(asked.key, np.where(topic == _NETWORK_CAUSE, _SOON, speed))
    lag = np.minimum(lag, asked.count - 1)
    # What wakes in the evening is told on the next day, however soon.
    kept = np.minimum(np.maximum(lag, 1), asked.count - 1)
    day = asked.first + draws.below(draws.bits(asked.key, "day"), asked.count - kept)
    served = (morning.status == ACTIVE) | (morning.status == SUSPENDED)
    fine = served & facts.customer[happened.entities]
    chosen = np.flatnonzero((day == today.since_1970) & fine[asked.row])
    # Of several that touch somebody the first one counts.
    rows, first = np.unique(asked.row[chosen], return_index=True)
    chosen = chosen[first]
    key, entities = asked.key[chosen], happened.entities[rows]
    bill = _last_bills(facts, today, keys, morning, happened, rows)
    topic = _fitting_topics(morning, happened, rows, topic[chosen], bill)
    matters = Matters.none(len(rows))
    matters.topic[:], matters.number[:] = topic, 1
    ids = EventIds(facts.config.seed, "case_id")
    matters.case[:] = ids.of(pack(0, today.number, entities, 0))
    start, end = asked.start[chosen], asked.end[chosen]
    matters.cause[:] = _own_moments(today, key, start, end)
    of_bill = np.isin(topic, _OF_BILLS) & (bill >= 0)
    matters.cause[of_bill] = bill[of_bill]
    matters.cause[topic == _CODE[Topic.QUESTION]] = -1
    ready = np.maximum(np.where(matters.cause < 0, start, matters.cause + _QUICKEST), today.start)
    network = np.flatnonzero(topic == _NETWORK_CAUSE)
    ready[network] = _trace(facts, today, exposure, entities[network], matters, network)
    matters.time[:] = _contact_time(today, key, lag[chosen], np.maximum(ready, start))
    return rows, matters


_OF_BILLS: Final = (_CODE[Topic.HIGH_BILL], _CODE[Topic.ROAMING_COST])


def _fitting_topics(
    morning: Morning, happened: Happenings, rows: Rows, topic: Rows, bill: Rows
) -> Rows:
    """Return what customers whom layers make turn to care can truly speak of.

    Without a bill it is a payment, without a minimum term or bad service on the day a question.
    """
    unbilled = (topic == _CODE[Topic.HIGH_BILL]) & (bill < 0)
    free = (topic == _CODE[Topic.CONTRACT_END]) & (morning.contract_end[rows] < 0)
    well = (topic == _NETWORK_CAUSE) & (happened.exposure[rows] <= 0.0)
    topic = np.where(unbilled, _CODE[Topic.PAYMENT], topic)
    return np.where(free | well, _CODE[Topic.QUESTION], topic)


def _last_bills(
    facts: Facts,
    today: Calendar,
    keys: Bits,
    morning: Morning,
    happened: Happenings,
    rows: Rows,
) -> Rows:
    """Return when the last bill came to some customers, microseconds since 1970; -1 for none."""
    config = facts.config
    date = bill_date(config, today.date.replace(day=1))
    since = today.since_1970 - (date - dt.date(1970, 1, 1)).days
    had = (morning.tenure[rows] > since) & ~facts.tariff.prepaid[morning.plan[rows]]
    if date < config.epoch:
        had[:] = False
    of_day, then = keys[rows], today
    if date != today.day:
        then = Calendar.of(config, date)
        stream = draws.stream(config.seed, "customers", then.number)
        of_day = draws.keys(stream, happened.entities[rows])
    return np.where(had, _by_day(then, of_day, "bill", BILLS), -1)


def _own_moments(today: Calendar, key: Bits, start: Rows, end: Rows) -> Rows:
    """Return a moment of the day for each cause, by day and not before a time begins."""
    cause = _by_day(today, key, "own")
    early = np.flatnonzero(cause < start)
    left = np.minimum(end[early], today.start + DAY) - start[early]
    second = draws.below(draws.bits(key[early], "moment"), np.maximum(left // SECOND, 1))
    cause[early] = start[early] + second * SECOND
    return cause


def _of_themselves(
    facts: Facts,
    today: Calendar,
    keys: Bits,
    morning: Morning,
    happened: Happenings,
    free: Flags,
) -> _Found:
    """Return the causes that may come on any day: bad service, questions, faults of phones.

    One draw says whether there is any, a second one which, so that days without cost little.
    """
    entities = happened.entities
    talk = facts.talk[entities]
    complains = talk * facts.voice[entities]
    felt = happened.exposure / (1.0 + happened.exposure / _HALF_SAID) * facts.sense[entities]
    bad = np.minimum(_NETWORK * felt, _MOST_LIKELY)
    says_so = _SAYS_SO * facts.config.record_weights.customer_service
    leaving = np.minimum(says_so * happened.hazard, _MOST_LIKELY) * (~morning.asked_to_leave)
    steady = _QUESTIONS + _DEVICE_FAULTS + _SUSPICIOUS + _TOP_UPS + _ALLOWANCES
    most = np.minimum(complains * bad + leaving + talk * steady, _MOST_LIKELY)
    drawn = draws.uniform(draws.bits(keys, "contact"))
    rows = np.flatnonzero(free & (drawn < most))
    who, plan = entities[rows], morning.plan[rows]
    prepaid = facts.tariff.prepaid[plan]
    full = facts.tariff.fullness(plan, facts.use(who)) > NEARLY_USED
    chances = np.stack(
        [
            complains[rows] * bad[rows],
            leaving[rows],
            talk[rows] * _QUESTIONS,
            talk[rows] * _DEVICE_FAULTS,
            talk[rows] * _SUSPICIOUS,
            talk[rows] * _TOP_UPS * prepaid,
            talk[rows] * _ALLOWANCES * full,
        ]
    )
    place = (drawn[rows] >= np.minimum(np.cumsum(chances, axis=0), _MOST_LIKELY)).sum(axis=0)
    some = np.flatnonzero(place < len(_OWN))
    rows, topic = rows[some], np.array(_OWN)[place[some]]
    moment = _by_day(today, keys[rows], "own")
    unknown = np.isin(topic, [LEAVING, _CODE[Topic.QUESTION], _NETWORK_CAUSE])
    return _Found(rows, topic, np.where(unknown, -1, moment))


_OWN: Final = (
    _NETWORK_CAUSE,
    LEAVING,
    _CODE[Topic.QUESTION],
    _CODE[Topic.DEVICE_FAULT],
    _CODE[Topic.SUSPICIOUS_CALLS],
    _CODE[Topic.PAYMENT],
    _CODE[Topic.ALLOWANCE],
)
