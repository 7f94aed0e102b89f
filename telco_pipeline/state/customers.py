"""Subscribers from day to day: satisfaction, money, life of the subscription, contacts with care.

Belongs here: the state of subscribers on a UTC day, how it follows from that of the day before,
and what generators ask of it. Does not belong here: the single mechanisms (`exposure`, `spending`,
`lifecycle`, `contacts`), records.

A day decides in this order: what the network does to each customer, what each is likely to do by
how things stood in the morning, bills, changes of life, contacts, and what is left in the evening.
So exposure comes before complaints, and both come before leaving.
"""

import datetime as dt
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.absences import Trips
from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.contracts.codes import LifeChange, LifeStatus, Reason, Topic
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND, day_start
from telco_pipeline.engine.draws import Bits
from telco_pipeline.lake import CodedText
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state import lifecycle
from telco_pipeline.state.contacts import (
    LEAVING,
    REASON_OF_TOPIC,
    Happenings,
    IdentityDay,
    Matters,
    Outcome,
    contacts,
)
from telco_pipeline.state.exposure import Exposure
from telco_pipeline.state.lifecycle import (
    ACTIVE,
    BEGINS,
    ENDS,
    PLAN_CHANGE,
    PROSPECT,
    SUSPENDED,
    SUSPENSION,
    WIN_BACK,
    Calendar,
    Decisions,
    Morning,
    decide,
    hazard,
    renewed_terms,
)
from telco_pipeline.state.network import NetworkDay
from telco_pipeline.state.registry import NO_TERM, Facts
from telco_pipeline.state.spending import Bills, bills, in_cents, lifetime_value, week_trips

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Days = npt.NDArray[np.int32]
Plans = npt.NDArray[np.int32]
Column = pl.Series | CodedText

_STATUS: Final = [str(status) for status in LifeStatus]
_CHANGES: Final = [str(change) for change in LifeChange]
_REASONS: Final = [str(reason) for reason in Reason]
_TOPICS: Final = [str(topic) for topic in Topic]
_MOMENT: Final = pl.Datetime("us", "UTC")

# Satisfaction. Losses count 2.25 times as much as gains (Tversky and Kahneman 1992); more of the
# same counts less and less; what one is used to counts little. The rates are ours.
_LOSS: Final = 2.25
_FELT: Final = 0.03  # of an hour that is better or worse than the last weeks
_HALF_FELT: Final = 3.0
_BACK_TO_NORMAL: Final = 1.0 / 30.0  # of the distance to the set point, a day
_DRAG_OF_EXPOSURE: Final = 0.20  # of the set point, by hours a day over the last weeks
_DRAG_OF_SHOCK: Final = 0.16
_DRAG_OF_CASE: Final = 0.05
_MOST_DRAG: Final = 3.0
_SOLVED: Final = 0.015
_UNSOLVED: Final = -0.06
_RETAINED: Final = 0.06
_BETTER_PLAN: Final = 0.04
_SUSPENDED: Final = -0.12
_WIN_BACK: Final = 0.05
_LEAST, _BEST = 0.02, 0.98

# How the last weeks count: half after ten days, after twenty for a bill.
_WEEKS: Final = 0.933
_SHOCK_FADES: Final = 0.966
_FORGOTTEN: Final = 0.005
# Matters about which the customer does not ask again are settled by the second line.
_SETTLED: Final = 1.0 / 14.0


@dataclass(frozen=True)
class Today:
    """One UTC day for all subscribers.

    Attributes:
        calendar: Its calendar.
        exposure: Bad service by cell.
        identity: Changes of identity.
    """

    calendar: Calendar
    exposure: Exposure
    identity: IdentityDay

    @classmethod
    def of(
        cls, config: WorldConfig, date: dt.date, network: NetworkDay, identity: IdentityDay
    ) -> Self:
        """Prepare a day."""
        calendar = Calendar.of(config, date)
        return cls(calendar, Exposure.of(config, network, calendar.clock), identity)


@dataclass(frozen=True)
class State:
    """Subscribers on one UTC day, one array element each; see `contracts.state.SubscriberState`.

    Attributes:
        status, days_in_status, tenure, plan: As of the start of the day.
        days_to_end: Days to the end of the minimum term at the start of the day, -1 without one.
        satisfaction, exposure_level, price_shock, open_cases, contract_end, usual_spend: As of its
            end; `contract_end` in days since 1970 or `NO_TERM`.
        exposure: Bad service met on the day.
        hazard: Chance to leave on the day.
        expected_spend, lifetime_value: Micro-euro.
        change, change_time, new_plan: What changes, -1 for nothing; microseconds since 1970.
        contact: Contact of the day.
        pending: Matter that waits for a later day.
    """

    status: Codes
    days_in_status: Days
    tenure: Days
    plan: Plans
    days_to_end: Days
    satisfaction: Floats
    exposure: Floats
    exposure_level: Floats
    price_shock: Floats
    open_cases: npt.NDArray[np.int16]
    contract_end: Days
    usual_spend: Rows
    hazard: Floats
    expected_spend: Rows
    lifetime_value: Rows
    change: Codes
    change_time: Rows
    new_plan: Plans
    contact: Matters
    pending: Matters

    def __len__(self) -> int:
        """Return the number of subscribers."""
        return len(self.status)

    @classmethod
    def first(cls, facts: Facts, entities: Rows) -> Self:
        """Return how things stand before the first day, from the registry."""
        population, size = facts.population, len(entities)
        epoch = (facts.config.epoch - dt.date(1970, 1, 1)).days
        prospect = entities >= facts.first_prospect
        status = np.where(prospect, PROSPECT, ACTIVE).astype(np.int8)
        tenure = np.where(prospect, 0, epoch - 1 - facts.contract_start[entities])
        plan = population.plan[entities]
        spend = in_cents(facts.tariff.cost(plan, facts.use(entities)))
        nothing = np.zeros(size)
        return cls(
            status=status,
            days_in_status=np.zeros(size, dtype=np.int32),
            tenure=np.maximum(tenure, 0).astype(np.int32),
            plan=plan,
            days_to_end=np.full(size, -1, dtype=np.int32),
            satisfaction=population.satisfaction[entities],
            exposure=nothing,
            exposure_level=nothing,
            price_shock=nothing,
            open_cases=np.zeros(size, dtype=np.int16),
            contract_end=np.where(prospect, NO_TERM, facts.contract_end[entities]).astype(np.int32),
            usual_spend=spend,
            hazard=nothing,
            expected_spend=np.where(prospect, 0, spend),
            lifetime_value=np.zeros(size, dtype=np.int64),
            change=np.full(size, -1, dtype=np.int8),
            change_time=np.full(size, -1, dtype=np.int64),
            new_plan=np.full(size, -1, dtype=np.int32),
            contact=Matters.none(size),
            pending=Matters.none(size),
        )

    def followed_by(self, others: "State") -> "State":
        """Return the state of these subscribers and of others behind them."""
        joined: dict[str, Any] = {
            one.name: _joined(getattr(self, one.name), getattr(others, one.name))
            for one in fields(self)
        }
        return State(**joined)

    def morning(self, facts: Facts, entities: Rows) -> Morning:
        """Return how things stand at the start of the next day.

        Args:
            facts: What stays the same.
            entities: Entity numbers of these subscribers.
        """
        changed = self.change >= 0
        status = np.where(changed, lifecycle.AFTER[self.change], self.status).astype(np.int8)
        began = changed & BEGINS[self.change]
        served = (status == ACTIVE) | (status == SUSPENDED)
        plan = np.where(self.new_plan >= 0, self.new_plan, self.plan).astype(np.int32)
        moved = np.flatnonzero(changed)
        spend = self.expected_spend.copy()
        cost = in_cents(facts.tariff.cost(plan[moved], facts.use(entities[moved])))
        spend[moved] = np.where(served[moved], cost, 0)
        other = status != self.status
        return Morning(
            status=status,
            days_in_status=np.where(other, 1, self.days_in_status + 1).astype(np.int32),
            tenure=np.where(began, 1, self.tenure + served).astype(np.int32),
            plan=plan,
            contract_end=self.contract_end,
            satisfaction=self.satisfaction,
            exposure_level=self.exposure_level,
            price_shock=self.price_shock,
            open_cases=self.open_cases,
            expected_spend=spend,
            usual_spend=self.usual_spend,
            asked_to_leave=(self.pending.topic == LEAVING) & (self.pending.number > 1),
        )

    @classmethod
    def step(cls, before: "State", facts: Facts, today: Today, entities: Rows) -> Self:
        """Return the state of a day from that of the day before.

        Args:
            before: The day before, or `first`.
            facts: What stays the same.
            today: The day.
            entities: Entity numbers of these subscribers, rising.
        """
        calendar, morning = today.calendar, before.morning(facts, entities)
        stream = draws.stream(facts.config.seed, "customers", calendar.number)
        keys = draws.keys(stream, entities)
        away = week_trips(facts.config, facts.population, calendar.number, entities)
        exposure = _exposure(facts, today, entities, morning, away)
        hazards = hazard(facts, calendar, entities, morning)
        decided = decide(facts, calendar, entities, keys, morning, hazards)
        billed, due = _bills(facts, calendar, entities, morning)
        happened = Happenings(
            entities=entities,
            exposure=exposure,
            hazard=hazards,
            change=decided.change,
            change_time=decided.time,
            identity=today.identity,
            trips=away,
            billed=billed,
            bills=due,
        )
        care = contacts(facts, calendar, today.exposure, keys, morning, before.pending, happened)
        shock, usual = _after_bills(morning, billed, due)
        level = np.rint((_WEEKS * morning.exposure_level + (1.0 - _WEEKS) * exposure) * 1e5) / 1e5
        value = lifetime_value(
            facts.population.kind[entities],
            facts.population.kind[entities] == VISITOR,
            facts.tariff.prepaid[morning.plan],
            morning.expected_spend,
            hazards * lifecycle.DAYS_A_MONTH,
        )
        return cls(
            status=morning.status,
            days_in_status=morning.days_in_status,
            tenure=morning.tenure,
            plan=morning.plan,
            days_to_end=np.maximum(morning.contract_end - calendar.since_1970, -1),
            satisfaction=_satisfaction(facts, entities, morning, exposure, shock, decided, care),
            exposure=exposure,
            exposure_level=level,
            price_shock=shock,
            open_cases=_open_cases(keys, morning, decided, care),
            contract_end=renewed_terms(facts, calendar, entities, keys, morning, decided.change),
            usual_spend=_usual(facts, entities, usual, decided, morning),
            hazard=hazards,
            expected_spend=morning.expected_spend,
            lifetime_value=value,
            change=decided.change,
            change_time=decided.time,
            new_plan=decided.new_plan,
            contact=care.contact,
            pending=care.pending,
        )

    def columns(self, subscriber_id: Rows, texts: "Texts") -> dict[str, Column]:
        """Return the columns of `subscriber_state`.

        Args:
            subscriber_id: Keys of these subscribers.
            texts: Texts of plans and cells.
        """
        called = self.contact.time >= 0
        topic = np.maximum(self.contact.topic, 0)
        reason = np.where(called, REASON_OF_TOPIC[topic], -1)
        return {
            "subscriber_id": pl.Series(subscriber_id),
            "status": _codes(_STATUS, self.status),
            "tenure_days": pl.Series(self.tenure),
            "plan_id": CodedText.of(texts.plan_id, self.plan),
            "satisfaction": pl.Series(self.satisfaction),
            "exposure": pl.Series(self.exposure),
            "exposure_level": pl.Series(self.exposure_level),
            "price_shock": pl.Series(self.price_shock),
            "open_cases": pl.Series(self.open_cases),
            "days_to_contract_end": _null_where(self.days_to_end < 0, self.days_to_end),
            "churn_hazard": pl.Series(self.hazard),
            "expected_spend": pl.Series(self.expected_spend),
            "lifetime_value": pl.Series(self.lifetime_value),
            "change": _codes(_CHANGES, self.change),
            "change_time": _moments(self.change_time),
            "new_plan_id": CodedText.of(texts.plan_id, self.new_plan, self.new_plan < 0),
            "contact_time": _moments(self.contact.time),
            "contact_reason": _codes(_REASONS, reason),
            **_matter_columns(_CONTACT, self.contact, texts),
            "days_in_status": pl.Series(self.days_in_status),
            "contract_end": _dates(self.contract_end),
            "usual_spend": pl.Series(self.usual_spend),
            "pending_time": _moments(self.pending.time),
            **_matter_columns(_PENDING, self.pending, texts),
        }

    @classmethod
    def read(cls, frame: pl.DataFrame, texts: "Texts") -> Self:
        """Return the state of a day from its rows (`columns`).

        Args:
            frame: Rows of `subscriber_state`, in the order of the entities.
            texts: Texts of plans and cells.
        """
        # Nothing that the next day needs is left out; arrays are copied, as steps may change them.
        return cls(
            status=_positions(frame["status"], _STATUS),
            days_in_status=frame["days_in_status"].to_numpy(writable=True),
            tenure=frame["tenure_days"].to_numpy(writable=True),
            plan=_rows_of(frame["plan_id"], texts.plan_id),
            days_to_end=_or_none(frame["days_to_contract_end"]),
            satisfaction=frame["satisfaction"].to_numpy(writable=True),
            exposure=frame["exposure"].to_numpy(writable=True),
            exposure_level=frame["exposure_level"].to_numpy(writable=True),
            price_shock=frame["price_shock"].to_numpy(writable=True),
            open_cases=frame["open_cases"].to_numpy(writable=True),
            contract_end=_or_none(frame["contract_end"].cast(pl.Int32)),
            usual_spend=frame["usual_spend"].to_numpy(writable=True),
            hazard=frame["churn_hazard"].to_numpy(writable=True),
            expected_spend=frame["expected_spend"].to_numpy(writable=True),
            lifetime_value=frame["lifetime_value"].to_numpy(writable=True),
            change=_positions(frame["change"], _CHANGES),
            change_time=_or_none(frame["change_time"].cast(pl.Int64)),
            new_plan=_rows_of(frame["new_plan_id"], texts.plan_id),
            contact=_matters(frame, "contact_time", _CONTACT, texts),
            pending=_matters(frame, "pending_time", _PENDING, texts),
        )


def _joined(one: npt.NDArray | Matters, other: npt.NDArray | Matters) -> npt.NDArray | Matters:
    """Return the values of some subscribers and then those of others."""
    if isinstance(one, Matters) and isinstance(other, Matters):
        return Matters(
            **{
                each.name: np.concatenate([getattr(one, each.name), getattr(other, each.name)])
                for each in fields(one)
            }
        )
    assert isinstance(one, np.ndarray)
    assert isinstance(other, np.ndarray)
    return np.concatenate([one, other])


def _exposure(facts: Facts, today: Today, entities: Rows, morning: Morning, away: Trips) -> Floats:
    """Return the exposure of the day of customers in service.

    0 for machines, and for who is abroad at any time of the day.
    """
    population = facts.population
    met = today.exposure.of_day(
        population.persona[entities], population.home[entities], population.work[entities]
    )
    here = facts.customer[entities] & (morning.status == ACTIVE)
    met[~here | away.overlaps(0, DAY // SECOND)] = 0.0
    return met


def _bills(
    facts: Facts, calendar: Calendar, entities: Rows, morning: Morning
) -> tuple[Rows, Bills]:
    """Return the rows that get a bill today, and the bills."""
    rows = np.zeros(0, dtype=np.int64)
    if calendar.bill_day:
        served = (morning.status == ACTIVE) | (morning.status == SUSPENDED)
        postpaid = ~facts.tariff.prepaid[morning.plan]
        rows = np.flatnonzero(served & postpaid & facts.customer[entities])
    found = bills(
        facts.config,
        facts.population,
        facts.tariff,
        calendar.date.replace(day=1),
        entities[rows],
        morning.plan[rows],
        morning.usual_spend[rows],
    )
    return rows, found


def _after_bills(morning: Morning, billed: Rows, due: Bills) -> tuple[Floats, Rows]:
    """Return price shocks, which fade, and what customers are used to, after today's bills."""
    shock = np.rint(_SHOCK_FADES * morning.price_shock * 1e4) / 1e4
    shock[shock < _FORGOTTEN] = 0.0
    shock[billed] = np.maximum(shock[billed], due.shock)
    usual = morning.usual_spend.copy()
    usual[billed] = due.usual
    return shock, usual


def _usual(facts: Facts, entities: Rows, usual: Rows, decided: Decisions, morning: Morning) -> Rows:
    """Return what customers are used to pay: who chooses a plan expects its price."""
    chose = (decided.change >= 0) & (BEGINS[decided.change] | (decided.change == PLAN_CHANGE))
    rows = np.flatnonzero(chose)
    plan = np.where(decided.new_plan[rows] >= 0, decided.new_plan[rows], morning.plan[rows])
    usual[rows] = in_cents(facts.tariff.cost(plan, facts.use(entities[rows])))
    return usual


def _satisfaction(
    facts: Facts,
    entities: Rows,
    morning: Morning,
    exposure: Floats,
    shock: Floats,
    decided: Decisions,
    care: Outcome,
) -> Floats:
    """Return the satisfaction in the evening, four decimals; only customers' changes."""
    set_point = facts.population.satisfaction[entities]
    sense, now = facts.sense[entities], morning.satisfaction
    better = morning.exposure_level - exposure
    gain, loss = np.maximum(better, 0.0), np.maximum(-better, 0.0)
    felt = gain / (1.0 + gain / _HALF_FELT) - _LOSS * loss / (1.0 + loss / _HALF_FELT)
    drag = _DRAG_OF_EXPOSURE * np.minimum(morning.exposure_level, _MOST_DRAG)
    drag += _DRAG_OF_SHOCK * np.minimum(shock, _MOST_DRAG)
    drag += _DRAG_OF_CASE * np.minimum(morning.open_cases, _MOST_DRAG)
    target = set_point - sense * drag
    after = now + _BACK_TO_NORMAL * (target - now) + _FELT * sense * felt
    after += _SOLVED * care.solved + _UNSOLVED * care.unsolved
    after += _RETAINED * (care.solved & (care.contact.topic == LEAVING))
    after += _SUSPENDED * (decided.change == SUSPENSION)
    changers = np.flatnonzero(decided.change == PLAN_CHANGE)
    use = facts.use(entities[changers])
    cost = facts.tariff.cost(decided.new_plan[changers], use)
    cheaper = cost < facts.tariff.cost(morning.plan[changers], use)
    after[changers] += _BETTER_PLAN * cheaper
    back = decided.change == WIN_BACK
    after = np.where(back, np.maximum(now, set_point) + _WIN_BACK, after)
    served = (morning.status == ACTIVE) | (morning.status == SUSPENDED) | back
    changes = served & facts.customer[entities]
    return np.where(changes, np.rint(np.clip(after, _LEAST, _BEST) * 1e4) / 1e4, now)


def _open_cases(
    keys: Bits, morning: Morning, decided: Decisions, care: Outcome
) -> npt.NDArray[np.int16]:
    """Return the contacts that are not settled in the evening."""
    count = morning.open_cases + care.unsolved
    quiet = np.flatnonzero((count > 0) & ~care.unsolved & (care.pending.time < 0))
    settled = draws.chance(draws.bits(keys[quiet], "settled"), _SETTLED)
    count[quiet[settled]] = 0
    ended = (decided.change >= 0) & ENDS[decided.change]
    return np.where(care.solved | ended, 0, np.minimum(count, 99)).astype(np.int16)


@dataclass(frozen=True)
class Texts:
    """Texts behind row numbers.

    Attributes:
        plan_id: Keys of the plans.
        cell_id: Keys of the cells.
    """

    plan_id: pl.Series
    cell_id: pl.Series


_CONTACT: Final = (
    "contact_topic", "contact_number", "case_id", "cause_fault_id", "cause_cell_id", "cause_time",
)  # fmt: skip
_PENDING: Final = (
    "pending_topic", "pending_number", "pending_case_id", "pending_fault_id", "pending_cell_id",
    "pending_cause_time",
)  # fmt: skip
"""Columns of a matter: topic, number, case, fault, cell, moment of the cause."""


def _matter_columns(names: tuple[str, ...], matters: Matters, texts: Texts) -> dict[str, Column]:
    columns = (
        _codes(_TOPICS, matters.topic),
        _null_where(matters.number < 0, matters.number),
        _null_where(matters.case < 0, matters.case),
        _null_where(matters.fault < 0, matters.fault),
        CodedText.of(texts.cell_id, matters.cell, matters.cell < 0),
        _moments(matters.cause),
    )
    return dict(zip(names, columns, strict=True))


def _matters(frame: pl.DataFrame, time: str, names: tuple[str, ...], texts: Texts) -> Matters:
    topic, number, case, fault, cell, cause = names
    return Matters(
        time=_or_none(frame[time].cast(pl.Int64)),
        topic=_positions(frame[topic], _TOPICS),
        number=_or_none(frame[number]),
        case=_or_none(frame[case]),
        fault=_or_none(frame[fault]),
        cell=_rows_of(frame[cell], texts.cell_id),
        cause=_or_none(frame[cause].cast(pl.Int64)),
    )


def _null_where(missing: Flags, values: npt.NDArray) -> pl.Series:
    return pl.Series(values).set(pl.Series(missing), None)


def _moments(times: Rows) -> pl.Series:
    """Return moments from microseconds since 1970; null for -1."""
    return _null_where(times < 0, times).cast(_MOMENT)


def _dates(days: Days) -> pl.Series:
    """Return dates from days since 1970; null for none."""
    return _null_where(days < 0, days).cast(pl.Date)


def _codes(names: list[str], positions: npt.NDArray[np.integer]) -> pl.Series:
    """Return an enumeration from positions in `names`; null for -1."""
    few = _null_where(positions < 0, np.maximum(positions, 0).astype(np.uint8))
    return few.cat.to(pl.Enum(names))


def _or_none(values: pl.Series) -> npt.NDArray:
    """Return numbers with -1 for null."""
    return values.fill_null(-1).to_numpy(writable=True)


def _positions(codes: pl.Series, names: list[str]) -> Codes:
    """Return the positions in `names` of texts or values of an enumeration, -1 for null."""
    # A file may hold texts with a dictionary of its own, in another order.
    codes = codes.cast(pl.Enum(names))
    return codes.to_physical().cast(pl.Int8).fill_null(-1).to_numpy(writable=True)


def _rows_of(values: pl.Series, keys: pl.Series) -> npt.NDArray[np.int32]:
    """Return the row in `keys` of each value, -1 for null."""
    values = values.cast(pl.String)
    known = values.drop_nulls().unique()
    rows = np.full(len(values), -1, dtype=np.int32)
    if not len(known):
        return rows
    index = pl.DataFrame({"key": keys, "row": np.arange(len(keys), dtype=np.int32)})
    index = index.filter(pl.col("key").is_in(known.implode()))
    found = pl.DataFrame({"key": values}).join(index, on="key", how="left", maintain_order="left")
    return found["row"].fill_null(-1).to_numpy(writable=True)


@dataclass(frozen=True)
class Contacts:
    """Contacts with care of one UTC day, by entity.

    Attributes:
        entity: Who, rising.
        time: Microseconds of the day.
        reason: Position in `Reason`.
        topic: Position in `Topic`.
        number: Which contact about the matter, 1 the first.
        case: The matter.
        fault_id: Fault behind it, -1 none.
        cell: Row of the cell in which it was met, -1 none.
        cause_time: Moment of the cause, microseconds since 1970, -1 none.
    """

    entity: Rows
    time: Rows
    reason: Codes
    topic: Codes
    number: npt.NDArray[np.int16]
    case: Rows
    fault_id: Rows
    cell: npt.NDArray[np.int32]
    cause_time: Rows

    def __len__(self) -> int:
        """Return the number of contacts."""
        return len(self.entity)


# After which changes a subscription is active.
_GOES_ON: Final = lifecycle.AFTER == ACTIVE


@dataclass(frozen=True)
class CustomersDay:
    """Subscribers on one UTC day, as generators ask for them; arrays by entity number.

    Attributes:
        status: Position in `LifeStatus` at the start of the day.
        change: Position in `LifeChange`, -1 for none.
        change_time: When, in microseconds of the day; -1 for none.
        plan: Row of the plan at the start of the day.
        new_plan: Row of the plan from the change on, -1 where it stays.
        satisfaction: At the end of the day.
        contacts: Contacts with care.
    """

    status: Codes
    change: Codes
    change_time: Rows
    plan: Plans
    new_plan: Plans
    satisfaction: npt.NDArray[np.float32]
    contacts: Contacts

    COLUMNS = (
        "status",
        "plan_id",
        "satisfaction",
        "change",
        "change_time",
        "new_plan_id",
        "contact_time",
        "contact_reason",
        *_CONTACT,
    )
    """Columns of `subscriber_state` that `read` needs."""

    @classmethod
    def read(
        cls, frame: pl.DataFrame, date: dt.date, plan_id: pl.Series, cell_id: pl.Series
    ) -> Self:
        """Read a day from all rows of its `subscriber_state`, in the order of the entities.

        Args:
            frame: The rows, with `COLUMNS` at least.
            date: The day.
            plan_id: Keys of the plans.
            cell_id: Keys of the cells.
        """
        start = day_start(date)
        time = _or_none(frame["change_time"].cast(pl.Int64))
        called = np.flatnonzero(frame["contact_time"].is_not_null().to_numpy())
        some = frame.select("contact_time", "contact_reason", *_CONTACT)[called]
        matters = _matters(some, "contact_time", _CONTACT, Texts(plan_id, cell_id))
        return cls(
            status=_positions(frame["status"], _STATUS),
            change=_positions(frame["change"], _CHANGES),
            change_time=np.where(time < 0, -1, time - start),
            plan=_rows_of(frame["plan_id"], plan_id),
            new_plan=_rows_of(frame["new_plan_id"], plan_id),
            satisfaction=frame["satisfaction"].to_numpy().astype(np.float32),
            contacts=Contacts(
                entity=called,
                time=matters.time - start,
                reason=_positions(some["contact_reason"], _REASONS),
                topic=matters.topic,
                number=matters.number,
                case=matters.case,
                fault_id=matters.fault,
                cell=matters.cell,
                cause_time=matters.cause,
            ),
        )

    def status_at(self, entity: npt.NDArray[np.integer], time: Rows) -> Codes:
        """Return the status of each subscription at a time: position in `LifeStatus`.

        Args:
            entity: Entity numbers.
            time: Microseconds of the day; before it as at its start, beyond it as at its end.
        """
        found = self.status[entity]
        change = self.change[entity]
        done = np.flatnonzero(change >= 0)
        done = done[time[done] >= self.change_time[entity[done]]]
        found[done] = lifecycle.AFTER[change[done]]
        return found

    def padded(self, size: int) -> Self:
        """Return the same for so many subscribers: those behind have not joined yet."""
        more = size - len(self.status)
        if more <= 0:
            return self
        behind = {"status": PROSPECT, "change": -1, "change_time": -1, "plan": 0, "new_plan": -1}
        behind["satisfaction"] = 0
        longer = {
            name: np.concatenate(
                [(old := getattr(self, name)), np.full(more, value, dtype=old.dtype)]
            )
            for name, value in behind.items()
        }
        return replace(self, **longer)

    def is_customer(self, entity: npt.NDArray[np.integer], time: Rows) -> Flags:
        """Return who has a subscription at a time, suspended ones too (see `status_at`)."""
        status = self.status_at(entity, time)
        return (status == ACTIVE) | (status == SUSPENDED)

    def leavers(self, entities: Rows) -> tuple[Rows, Rows]:
        """Return which of some subscribers end being served on the day, and when."""
        change = self.change[entities]
        leaving = entities[(change >= 0) & ~_GOES_ON[change]]
        leaving = leaving[self.status[leaving] == ACTIVE]
        return leaving, self.change_time[leaving]

    def in_service(self, entity: npt.NDArray[np.integer], time: Rows) -> Flags:
        """Return whose subscription is active at a time (arguments: `status_at`)."""
        return self.status_at(entity, time) == ACTIVE

    def plan_at(self, entity: npt.NDArray[np.integer], time: Rows) -> Plans:
        """Return the row of the plan of each subscription at a time (arguments: `status_at`)."""
        new = self.new_plan[entity]
        changed = (new >= 0) & (time >= self.change_time[entity])
        return np.where(changed, new, self.plan[entity])
