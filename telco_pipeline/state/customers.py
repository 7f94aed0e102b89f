"""Subscribers from day to day: satisfaction, money, life of the subscription, contacts with care.

Belongs here: the state of subscribers on a UTC day, and how it follows from that of the day before.
Does not belong here: the single mechanisms (`exposure`, `spending`, `lifecycle`, `contacts`), what
scenario layers do to them (`story_customers`), its columns (`customer_columns`), what records ask
of it (`customers_day`).

A day decides in this order: what the network does to each customer, what each is likely to do by
how things stood in the morning, bills, changes of life, contacts, and what is left in the evening.
So exposure comes before complaints, and both come before leaving.
"""

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.absences import Trips
from telco_pipeline.behaviour.presence import Placed
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
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
from telco_pipeline.state.customer_columns import (
    CHANGES,
    CONTACT,
    PENDING,
    REASONS,
    STATUSES,
    Column,
    Texts,
    codes_of,
    dates,
    matter_columns,
    matters_of,
    moments,
    null_where,
    or_none,
    positions,
    rows_of,
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
from telco_pipeline.state.story_customers import Imposed, StoryToday, imposed

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Days = npt.NDArray[np.int32]
Plans = npt.NDArray[np.int32]

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
        placed: Where scenario layers put SIMs around the day; on days of bills, since the first of
            the month that they are for.
        story: What they do to subscribers; None without any that does.
    """

    calendar: Calendar
    exposure: Exposure
    identity: IdentityDay
    placed: Placed
    story: StoryToday | None

    @classmethod
    def of(
        cls,
        config: WorldConfig,
        date: dt.date,
        network: NetworkDay,
        identity: IdentityDay,
        placed: Placed | None = None,
        story: StoryToday | None = None,
    ) -> Self:
        """Prepare a day; `placed` is nowhere by default."""
        calendar = Calendar.of(config, date)
        exposure = Exposure.of(config, network, calendar.clock)
        placed = Placed.none() if placed is None else placed
        return cls(calendar, exposure, identity, placed, story)


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
        episode: Code of the stage with a trigger that began last, -1 for none.
        episode_start: When it began, microseconds since 1970, -1 for none.
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
    episode: Rows
    episode_start: Rows

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
            episode=np.full(size, -1, dtype=np.int64),
            episode_start=np.full(size, -1, dtype=np.int64),
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
        away = week_trips(facts.config, facts.population, calendar.number, entities, today.placed)
        exposure = _exposure(facts, today, entities, morning, away)
        layers = Imposed(before.episode, before.episode_start)
        if today.story is not None:
            begun = (before.episode, before.episode_start)
            layers = imposed(today.story, calendar, entities, morning, begun)
        hazards = hazard(facts, calendar, entities, morning, layers.pressure)
        decided = decide(facts, calendar, entities, keys, morning, hazards, layers.pushes)
        billed, due = _bills(facts, today, entities, morning, layers)
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
            asked=layers.asked,
        )
        care = contacts(facts, calendar, today.exposure, keys, morning, before.pending, happened)
        shock, usual = _after_bills(morning, billed, due)
        level = np.rint((_WEEKS * morning.exposure_level + (1.0 - _WEEKS) * exposure) * 1e5) / 1e5
        value = lifetime_value(
            facts.population.kind[entities],
            facts.tariff.prepaid[morning.plan],
            morning.expected_spend,
            hazards * lifecycle.DAYS_A_MONTH,
        )
        satisfaction = _satisfaction(
            facts, entities, morning, exposure, shock, decided, care, layers.content
        )
        return cls(
            status=morning.status,
            days_in_status=morning.days_in_status,
            tenure=morning.tenure,
            plan=morning.plan,
            days_to_end=np.maximum(morning.contract_end - calendar.since_1970, -1),
            satisfaction=satisfaction,
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
            episode=layers.episode,
            episode_start=layers.episode_start,
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
            "status": codes_of(STATUSES, self.status),
            "tenure_days": pl.Series(self.tenure),
            "plan_id": CodedText.of(texts.plan_id, self.plan),
            "satisfaction": pl.Series(self.satisfaction),
            "exposure": pl.Series(self.exposure),
            "exposure_level": pl.Series(self.exposure_level),
            "price_shock": pl.Series(self.price_shock),
            "open_cases": pl.Series(self.open_cases),
            "days_to_contract_end": null_where(self.days_to_end < 0, self.days_to_end),
            "churn_hazard": pl.Series(self.hazard),
            "expected_spend": pl.Series(self.expected_spend),
            "lifetime_value": pl.Series(self.lifetime_value),
            "change": codes_of(CHANGES, self.change),
            "change_time": moments(self.change_time),
            "new_plan_id": CodedText.of(texts.plan_id, self.new_plan, self.new_plan < 0),
            "contact_time": moments(self.contact.time),
            "contact_reason": codes_of(REASONS, reason),
            **matter_columns(CONTACT, self.contact, texts),
            "days_in_status": pl.Series(self.days_in_status),
            "contract_end": dates(self.contract_end),
            "usual_spend": pl.Series(self.usual_spend),
            "pending_time": moments(self.pending.time),
            **matter_columns(PENDING, self.pending, texts),
            "episode": null_where(self.episode < 0, self.episode),
            "episode_start": moments(self.episode_start),
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
            status=positions(frame["status"], STATUSES),
            days_in_status=frame["days_in_status"].to_numpy(writable=True),
            tenure=frame["tenure_days"].to_numpy(writable=True),
            plan=rows_of(frame["plan_id"], texts.plan_id),
            days_to_end=or_none(frame["days_to_contract_end"]),
            satisfaction=frame["satisfaction"].to_numpy(writable=True),
            exposure=frame["exposure"].to_numpy(writable=True),
            exposure_level=frame["exposure_level"].to_numpy(writable=True),
            price_shock=frame["price_shock"].to_numpy(writable=True),
            open_cases=frame["open_cases"].to_numpy(writable=True),
            contract_end=or_none(frame["contract_end"].cast(pl.Int32)),
            usual_spend=frame["usual_spend"].to_numpy(writable=True),
            hazard=frame["churn_hazard"].to_numpy(writable=True),
            expected_spend=frame["expected_spend"].to_numpy(writable=True),
            lifetime_value=frame["lifetime_value"].to_numpy(writable=True),
            change=positions(frame["change"], CHANGES),
            change_time=or_none(frame["change_time"].cast(pl.Int64)),
            new_plan=rows_of(frame["new_plan_id"], texts.plan_id),
            contact=matters_of(frame, "contact_time", CONTACT, texts),
            pending=matters_of(frame, "pending_time", PENDING, texts),
            episode=or_none(frame["episode"]),
            episode_start=or_none(frame["episode_start"].cast(pl.Int64)),
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
    facts: Facts, today: Today, entities: Rows, morning: Morning, layers: Imposed
) -> tuple[Rows, Bills]:
    """Return the rows that get a bill today, and the bills."""
    calendar = today.calendar
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
        today.placed,
        layers.surprise and layers.surprise.select(rows),
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
    content: Floats | None,
) -> Floats:
    """Return the satisfaction in the evening, four decimals; only customers' changes.

    `content` is what scenario layers add to it.
    """
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
    if content is not None:
        after += content
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
