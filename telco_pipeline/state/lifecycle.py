"""Life of a subscription: who joins, pays no bill, changes plan, leaves, comes back, and when.

Belongs here: the chances of each change and the draws of one day. Does not belong here: what
happens to satisfaction and money (`customers`, `spending`), identities (`behaviour.changes`).

Bands without another source are operators' practice: churn 1 to 1.5 % a month for postpaid, 3 to
5 % for prepaid; the factors around them are ours.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.changes import KINDS, PORT_IN, share_of_year
from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.contracts.codes import IdentityChange, LifeChange, LifeStatus
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR, SECOND, DayClock, day_number, day_start
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import Choice
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.registry import CONSUMER_TERM, NO_TERM, Facts
from telco_pipeline.state.spending import chosen_price

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int8]

_STATUS: Final = tuple(LifeStatus)
PROSPECT, ACTIVE, SUSPENDED, PORTED_OUT, TERMINATED = (_STATUS.index(status) for status in _STATUS)
_CHANGES: Final = tuple(LifeChange)
(
    ACTIVATION,
    SUSPENSION,
    RESUMPTION,
    PLAN_CHANGE,
    PORT_OUT,
    TERMINATION,
    WIN_BACK,
) = (_CHANGES.index(change) for change in _CHANGES)
NONE: Final = -1
AFTER: Final = np.array([ACTIVE, SUSPENDED, ACTIVE, ACTIVE, PORTED_OUT, TERMINATED, ACTIVE])
"""Status after each change (position in `LifeStatus` by position in `LifeChange`)."""
ENDS: Final = np.isin(np.arange(len(_CHANGES)), [PORT_OUT, TERMINATION])
"""Which changes end a subscription."""
BEGINS: Final = np.isin(np.arange(len(_CHANGES)), [ACTIVATION, WIN_BACK])
"""Which changes begin one."""

DAYS_A_MONTH: Final = 30.4

# Level that puts a healthy network as a whole into the bands, postpaid and prepaid; machines and
# their fleets keep the score itself.
_LEVEL: Final = (0.98, 0.88)
# Each 0.1 of satisfaction below what is usual for somebody more than doubles the hazard.
_DISCONTENT: Final = 6.0
_LARGEST_LACK: Final = 0.45
_LEAST_LACK: Final = -0.08
# By days to the end of the minimum term: bound to it, near its end, the weeks after it, free.
_BOUND: Final = 0.70
_NEAR_END: Final = 1.2
_JUST_FREE: Final = 2.6
_FREE: Final = 1.15
_NEAR: Final = 31
_JUST: Final = 60
# What the registry's score contains of the same (`world.tenure`), to be taken out of it.
_SCORED_BOUND: Final = 0.75
_SCORED_END: Final = 2.0
_SCORED_FREE: Final = 1.15
_SCORED_NEAR: Final = 92
# By years as a customer: newcomers leave more.
_YOUNG: Final = 365
_OLD: Final = 4 * 365
_TENURE: Final = (1.25, 1.0, 0.85)
_SHOCK: Final = 1.0
_OPEN_CASE: Final = 1.2
_MOST_OPEN: Final = 3
# Who has told care that he wants to leave, and was not won over.
_HAS_ASKED: Final = 15.0
_MOST_A_DAY: Final = 0.25

# Part of the leavers who take the number along (BIPT: some 60 %); prepaid numbers are often left.
_PORTS: Final = 0.60
_PREPAID_PORTS: Final = 0.30

# Unpaid bills: suspended 5 to 12 days after the bill; most pay within two weeks.
_UNPAID: Final = 0.003
REMINDERS: Final = (5, 13)
"""Days after the bill on which an unpaid one suspends, the last one excluded."""
_PAYS: Final = 0.14
_GIVEN_UP: Final = 0.012

BILLS: Final = (6 * HOUR, 3 * HOUR)
"""Bills come from this local time on, within a span."""

# Plan changes: 1 % a month in the mean, more where the plan does not fit and when a term ends.
_PLAN_CHANGES: Final = 0.0053
_FULL: Final = 0.85
_EMPTY: Final = 0.20
_TERM_ENDS: Final = 2.5

# Offers to those who left some weeks ago: 4 % of them come back.
_OFFERS: Final = (20, 120)
_COMES_BACK: Final = 0.04

# A minimum term that ends is renewed, with a new phone, by somewhat more than half
# (`world.tenure`), the content ones more; firms and fleets always.
_RENEWS: Final = 0.55
_CONTENT_RENEWS: Final = 0.8
_MEAN_SATISFACTION: Final = 0.70

# Local hours of changes from 9 to 21 h: in shops, and online on days when these are closed.
_FIRST_HOUR: Final = 9
_HOURS: Final = Choice.of(
    [
        [5.0, 8.0, 9.0, 8.0, 8.0, 9.0, 10.0, 11.0, 10.0, 6.0, 6.0, 6.0, 4.0],
        [2.0, 4.0, 5.0, 5.0, 5.0, 5.0, 6.0, 7.0, 8.0, 10.0, 13.0, 13.0, 9.0],
    ]
)
# Who takes an offer on its day does so within so many hours.
_AT_ONCE: Final = 3
# The last bits of a moment tell what changes in it, as with changes of identity
# (`behaviour.changes`), so that no two of one subscription fall together. What is no change of
# identity takes the number of a termination: there is one change of life a day.
_STEP: Final = 8
_BITS: Final = np.full(len(_CHANGES), KINDS.index(IdentityChange.TERMINATION))
_BITS[[ACTIVATION, PORT_OUT, WIN_BACK]] = [
    KINDS.index(change)
    for change in (IdentityChange.ACTIVATION, IdentityChange.PORT_OUT, IdentityChange.WIN_BACK)
]


@dataclass(frozen=True)
class Morning:
    """How things stand at the start of a UTC day, one array element per subscriber.

    Attributes:
        status: Position in `LifeStatus`.
        days_in_status: Days since it last changed.
        tenure: Days since the contract began.
        plan: Row of the plan.
        contract_end: Day (since 1970) on which the minimum term ends or ended, or `NO_TERM`.
        satisfaction: 0 to 1.
        exposure_level: Bad service of the last weeks, hours a day.
        price_shock: What is left of surprises by bills.
        open_cases: Contacts that are not settled.
        expected_spend: Micro-euro a month.
        usual_spend: What the customer is used to pay.
        asked_to_leave: Whose wish to leave waits for an answer.
    """

    status: Codes
    days_in_status: Days
    tenure: Days
    plan: npt.NDArray[np.int32]
    contract_end: Days
    satisfaction: Floats
    exposure_level: Floats
    price_shock: Floats
    open_cases: npt.NDArray[np.int16]
    expected_spend: Rows
    usual_spend: Rows
    asked_to_leave: Flags


@dataclass(frozen=True)
class Calendar:
    """What of the calendar matters to the life of subscriptions on one UTC day.

    Attributes:
        day: The UTC day.
        number: Day number (since 2000).
        start: Start of the day, microseconds since 1970.
        since_1970: Days from 1970 to the day.
        date: The local date (of noon UTC).
        clock: Local time.
        closed: Whether shops are closed.
        weight: How much the day weighs among those on which people change something, mean 1.
    """

    day: dt.date
    number: int
    start: int
    since_1970: int
    date: dt.date
    clock: DayClock
    closed: bool
    weight: float

    @classmethod
    def of(cls, config: WorldConfig, day: dt.date) -> "Calendar":
        """Read the calendar of a UTC day."""
        clock = DayClock(day, config.time_zone, config.country)
        local = day + dt.timedelta(days=int(clock.local_date_number[12]) - day_number(day))
        holiday = DayClock(local, config.time_zone, config.country).holiday() is not None
        days_of_year = (dt.date(local.year + 1, 1, 1) - dt.date(local.year, 1, 1)).days
        weight = share_of_year(config, local)[PORT_IN] * days_of_year
        start = day_start(day)
        return cls(
            day,
            day_number(day),
            start,
            (day - dt.date(1970, 1, 1)).days,
            local,
            clock,
            holiday or local.weekday() == 6,
            round(weight, 6),
        )

    @property
    def bill_day(self) -> bool:
        """Whether bills come on the day: on the first one of each month."""
        return self.date.day == 1


def bill_date(config: WorldConfig, month: dt.date) -> dt.date:
    """Return the UTC day of which `Calendar.bill_day` is true, by the first day of the month."""
    noon = dt.datetime.combine(month, dt.time(12), tzinfo=dt.UTC).astimezone(config.country_tz)
    return month - (noon.date() - month)


@dataclass(frozen=True)
class Pushes:
    """What scenario layers do to the life of some subscriptions on a day.

    Attributes:
        ports: Part of the leavers who take the number along, NaN for as usual; None for all so.
        unpaid: Rows whose bill of this month stays unpaid, so that they are suspended today.
        never: Who is suspended because he never pays; None for nobody.
        upgrade: Rows of who takes the offer of a larger plan today.
        back: Rows of former customers who take the offer to come back today.
        after: By row: moment of an offer of today, in microseconds of the UTC day, before which it
            is not taken; 0 for none. None for all so.
    """

    ports: Floats | None
    unpaid: Rows
    never: Flags | None
    upgrade: Rows
    back: Rows
    after: Rows | None


def hazard(
    facts: Facts,
    today: Calendar,
    entities: Rows,
    morning: Morning,
    pressure: Floats | None = None,
) -> Floats:
    """Return the chance that each subscriber leaves within a day, ten decimals.

    Only of those who are active; machines by their score alone, visitors never.

    Args:
        facts: What stays the same.
        today: The day.
        entities: Entity numbers.
        morning: How things stand.
        pressure: Factor on the chance of each, of scenario layers.
    """
    prepaid = facts.tariff.prepaid[morning.plan]
    customer = facts.customer[entities]
    lack = facts.population.satisfaction[entities] - morning.satisfaction
    discontent = 1.0 + _DISCONTENT * np.clip(lack, _LEAST_LACK, _LARGEST_LACK)
    factor = np.where(prepaid, _LEVEL[1], _LEVEL[0]) * discontent * discontent
    factor *= _term_factor(facts, today, entities, morning, prepaid)
    factor *= np.array(_TENURE)[np.digitize(morning.tenure, [_YOUNG, _OLD])]
    factor *= 1.0 + _SHOCK * morning.price_shock
    factor *= 1.0 + _OPEN_CASE * np.minimum(morning.open_cases, _MOST_OPEN)
    factor[morning.asked_to_leave] *= _HAS_ASKED
    a_day = facts.score[entities] / DAYS_A_MONTH * np.where(customer, factor, 1.0)
    if pressure is not None:
        a_day *= pressure
    a_day[morning.status != ACTIVE] = 0.0
    return np.rint(np.minimum(a_day, _MOST_A_DAY) * 1e10) / 1e10


def _term_factor(
    facts: Facts, today: Calendar, entities: Rows, morning: Morning, prepaid: Flags
) -> Floats:
    """Return the factor of the minimum term, relative to that in the registry's score."""
    left = morning.contract_end - today.since_1970
    factor = np.where(left > _NEAR, _BOUND, np.where(left >= 0, _NEAR_END, _FREE))
    factor = np.where((left < 0) & (left >= -_JUST), _JUST_FREE, factor)
    factor = np.where(morning.contract_end == NO_TERM, _FREE, factor)
    epoch = (facts.config.epoch - dt.date(1970, 1, 1)).days
    then, end = facts.contract_end[entities] - epoch, facts.contract_end[entities]
    scored = np.where(then <= _SCORED_NEAR, _SCORED_END, _SCORED_BOUND)
    scored = np.where(end == NO_TERM, _SCORED_FREE, scored)
    return np.where(prepaid, 1.0, factor / scored)


@dataclass(frozen=True)
class Decisions:
    """The changes of a day, one array element per subscriber.

    Attributes:
        change: Position in `LifeChange`, -1 for none.
        time: Microseconds since 1970, -1 for none.
        new_plan: Row of the plan from the change on, -1 where it stays.
    """

    change: Codes
    time: Rows
    new_plan: npt.NDArray[np.int32]


def decide(
    facts: Facts,
    today: Calendar,
    entities: Rows,
    keys: Bits,
    morning: Morning,
    hazards: Floats,
    pushes: Pushes | None = None,
) -> Decisions:
    """Decide what changes on the day for each subscriber: one thing at most.

    Args:
        facts: What stays the same.
        today: The day.
        entities: Entity numbers.
        keys: The day's key of each.
        morning: How things stand.
        hazards: Chance of each to leave today (`hazard`).
        pushes: What scenario layers do to them; nothing by default.
    """
    change = np.full(len(entities), NONE, dtype=np.int8)
    active = morning.status == ACTIVE
    pushes = pushes or _NOTHING
    upgrade = _upgrades(facts, entities, morning, pushes.upgrade)
    billed = facts.customer[entities] & ~facts.tariff.prepaid[morning.plan] & active
    gone = (morning.status == PORTED_OUT) | (morning.status == TERMINATED)
    gone &= facts.customer[entities]
    change[_joiners(facts, today, entities, morning)] = ACTIVATION
    for rows, what in (
        (_plan_changers(facts, today, entities, keys, morning), PLAN_CHANGE),
        (upgrade, PLAN_CHANGE),
        (_leavers(keys, active, hazards * today.weight), TERMINATION),
        (_unpaid(facts, today, entities, morning), SUSPENSION),
        (pushes.unpaid[billed[pushes.unpaid]], SUSPENSION),
        (_back(facts, today, entities, keys, morning), WIN_BACK),
        (pushes.back[gone[pushes.back]], WIN_BACK),
    ):
        change[rows] = what
    _settle_suspended(keys, morning, change, pushes.never)
    new_plan = _new_plans(facts, entities, keys, morning, change, upgrade)
    ports = _ports(facts, keys, entities, morning, change, pushes.ports)
    change[ports] = PORT_OUT
    return Decisions(change, _times(today, keys, change, pushes.after), new_plan)


_NO_ROWS: Final = np.zeros(0, dtype=np.int64)
_NOTHING: Final = Pushes(None, _NO_ROWS, None, _NO_ROWS, _NO_ROWS, None)


def _joiners(facts: Facts, today: Calendar, entities: Rows, morning: Morning) -> Rows:
    """Return the rows of prospects who join today: in their order, as the growth says."""
    due = facts.config.joined_by(today.day)
    return np.flatnonzero((morning.status == PROSPECT) & (entities < due))


def _leavers(keys: Bits, active: Flags, chance: Floats) -> Rows:
    return np.flatnonzero(active & draws.chance(draws.bits(keys, "leave"), chance))


def _ports(
    facts: Facts,
    keys: Bits,
    entities: Rows,
    morning: Morning,
    change: Codes,
    pushed: Floats | None,
) -> Rows:
    """Return the rows of leavers from active life who take their number along."""
    rows = np.flatnonzero((change == TERMINATION) & (morning.status == ACTIVE))
    if not rows.size or len(facts.config.operators) < 2:
        return rows[:0]
    prepaid = facts.tariff.prepaid[morning.plan[rows]]
    share = np.where(prepaid, _PREPAID_PORTS, _PORTS)
    if pushed is not None:
        share = np.where(np.isnan(pushed[rows]), share, pushed[rows])
    share = share * facts.customer[entities[rows]]
    return rows[draws.chance(draws.bits(keys[rows], "port"), share)]


def _unpaid(facts: Facts, today: Calendar, entities: Rows, morning: Morning) -> Rows:
    """Return the rows of customers who are suspended today for the bill of this month."""
    low, high = REMINDERS
    after = today.date.day - 1
    if not low <= after < high:
        return np.zeros(0, dtype=np.int64)
    billed = facts.customer[entities] & ~facts.tariff.prepaid[morning.plan]
    rows = np.flatnonzero((morning.status == ACTIVE) & billed)
    key = reminder_keys(facts.config, today.date.replace(day=1), entities[rows])
    due = (low + draws.below(draws.bits(key, "day"), high - low)) == after
    rows, key = rows[due], key[due]
    chance = _UNPAID * (1.0 + morning.price_shock[rows])
    return rows[draws.chance(draws.bits(key, "unpaid"), chance)]


def reminder_keys(config: WorldConfig, month: dt.date, entities: Rows) -> Bits:
    """Return the keys of what is drawn for the unpaid bills of a month, by its first day."""
    stream = draws.stream(config.seed, "customers/unpaid", day_number(month))
    return draws.keys(stream, entities)


def _settle_suspended(keys: Bits, morning: Morning, change: Codes, never: Flags | None) -> None:
    """Let some who are suspended pay, and give up others, in `change`.

    Who never pays is given up when others would have paid.
    """
    rows = np.flatnonzero(morning.status == SUSPENDED)
    if not rows.size:
        return
    drawn = draws.uniform(draws.bits(keys[rows], "settle"))
    change[rows[drawn < _PAYS]] = RESUMPTION
    if never is not None:
        change[rows[(drawn < _PAYS) & never[rows]]] = TERMINATION
    change[rows[drawn >= 1.0 - _GIVEN_UP]] = TERMINATION


def _back(facts: Facts, today: Calendar, entities: Rows, keys: Bits, morning: Morning) -> Rows:
    """Return the rows of former customers who take up an offer today."""
    low, high = _OFFERS
    gone = (morning.status == PORTED_OUT) | (morning.status == TERMINATED)
    since = morning.days_in_status
    rows = np.flatnonzero(gone & (since >= low) & (since < high) & facts.customer[entities])
    chance = _COMES_BACK / (high - low) * today.weight
    return rows[draws.chance(draws.bits(keys[rows], "win back"), chance)]


def _plan_changers(
    facts: Facts, today: Calendar, entities: Rows, keys: Bits, morning: Morning
) -> Rows:
    """Return the rows of customers who look for another plan today."""
    # Nobody's chance is higher than this: most need not be looked at any closer.
    base = _PLAN_CHANGES / DAYS_A_MONTH * today.weight
    drawn = draws.uniform(draws.bits(keys, "plan"))
    rows = np.flatnonzero((morning.status == ACTIVE) & (drawn < base * 4.0 * _TERM_ENDS))
    rows = rows[facts.customer[entities[rows]]]
    full = facts.tariff.fullness(morning.plan[rows], facts.use(entities[rows]))
    factor = np.where(full > _FULL, 3.0, 1.0)
    factor = np.where((full < _EMPTY) & (full > 0.0), 2.0, factor)
    left = morning.contract_end[rows] - today.since_1970
    factor = factor * np.where((left <= _NEAR) & (left >= -_JUST), _TERM_ENDS, 1.0)
    return rows[drawn[rows] < base * factor]


def _upgrades(facts: Facts, entities: Rows, morning: Morning, rows: Rows) -> Rows:
    """Return those of some rows who are customers in service for whom there is a larger plan."""
    rows = rows[(morning.status[rows] == ACTIVE) & facts.customer[entities[rows]]]
    if not rows.size:
        return rows
    tariff, plan = facts.tariff, morning.plan[rows]
    persona, prepaid = facts.population.persona[entities[rows]], tariff.prepaid[plan]
    segment = np.array(tariff.segment)
    suits = facts.fits[persona, prepaid.astype(np.int64)] & (segment[plan][:, None] == segment)
    return rows[(suits & _larger(facts, plan)).any(axis=1)]


def _larger(facts: Facts, plan: npt.NDArray[np.int32]) -> Flags:
    """Return which plans have more data than some, and do not cost less; shape (some, plans)."""
    data, fee = facts.tariff.allowance[:, 2], facts.tariff.fee
    return (data > data[plan][:, None]) & (fee >= fee[plan][:, None])


def _new_plans(
    facts: Facts,
    entities: Rows,
    keys: Bits,
    morning: Morning,
    change: Codes,
    upgrade: Rows,
) -> npt.NDArray[np.int32]:
    """Return the plans of those who change it; who finds none that suits does not change.

    The cheapest for the expected use, by everybody's own taste, of the same segment and payment;
    who takes the offer of a larger one (`upgrade`) looks among the larger ones.
    """
    chosen = np.full(len(change), NONE, dtype=np.int32)
    rows = np.flatnonzero(change == PLAN_CHANGE)
    if not rows.size:
        return chosen
    tariff, plan = facts.tariff, morning.plan[rows]
    persona = facts.population.persona[entities[rows]]
    use = facts.use(entities[rows])
    segment = np.array(tariff.segment)
    wanted = np.ones((len(rows), len(segment)), dtype=np.bool_)
    if upgrade.size:
        moves = np.isin(rows, upgrade)
        wanted[moves] = _larger(facts, plan[moves])
    best, price = np.full(len(rows), NONE), np.full(len(rows), np.inf)
    for number in range(len(segment)):
        suits = facts.fits[persona, tariff.prepaid[plan].astype(np.int64), number]
        suits &= (segment[plan] == segment[number]) & (plan != number) & wanted[:, number]
        taste = draws.bits(draws.events(keys[rows], np.full(len(rows), number)), "taste")
        cost = chosen_price(tariff, use, taste, number)
        better = suits & (cost < price)
        best[better], price[better] = number, cost[better]
    chosen[rows] = best
    change[rows[best == NONE]] = NONE
    return chosen


def _times(today: Calendar, keys: Bits, change: Codes, after: Rows | None) -> Rows:
    """Return when each change happens, -1 where there is none: by day and in the evening.

    Args:
        today: The day.
        keys: The day's key of each.
        change: What changes.
        after: Moment of the UTC day after which it happens; None for any.
    """
    times = np.full(len(change), -1, dtype=np.int64)
    rows = np.flatnonzero(change >= 0)
    if not rows.size:
        return times
    key, kind = keys[rows], change[rows].astype(np.int64)
    hour = _HOURS.sample(draws.bits(key, "hour"), np.full(len(rows), int(today.closed)))
    local = (_FIRST_HOUR + hour.astype(np.int64)) * HOUR
    local += draws.below(draws.bits(key, "second"), HOUR // SECOND) * SECOND
    local += draws.below(draws.bits(key, "microsecond"), SECOND)
    moment = today.clock.utc_of_local(local)[0]
    if after is not None:
        early = np.flatnonzero(moment <= after[rows])
        hours = _AT_ONCE * HOUR // SECOND
        wait = 1 + draws.below(draws.bits(key[early], "after"), hours)
        moment[early] = after[rows[early]] + wait * SECOND + moment[early] % SECOND
    times[rows] = today.start + moment - moment % _STEP + _BITS[kind]
    return times


def renewed_terms(
    facts: Facts, today: Calendar, entities: Rows, keys: Bits, morning: Morning, change: Codes
) -> Days:
    """Return the ends of the minimum terms after the day.

    A term that ends on the day is renewed by the content ones above all; who joins or comes back
    begins one; prepaid and visitors have none.
    """
    end = morning.contract_end.copy()
    over = np.flatnonzero((end == today.since_1970) & (morning.status == ACTIVE))
    if over.size:
        chance = _RENEWS + _CONTENT_RENEWS * (morning.satisfaction[over] - _MEAN_SATISFACTION)
        chance = np.where(facts.term[entities[over]] > CONSUMER_TERM, 1.0, chance)
        over = over[draws.chance(draws.bits(keys[over], "renew"), chance)]
        end[over] += facts.term[entities[over]]
    begins = np.flatnonzero((change >= 0) & BEGINS[change])
    visits = facts.population.kind[entities[begins]] == VISITOR
    begins = begins[~facts.tariff.prepaid[morning.plan[begins]] & ~visits]
    end[begins] = today.since_1970 + facts.term[entities[begins]]
    return end
