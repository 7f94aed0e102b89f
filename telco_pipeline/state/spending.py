"""Spending: what customers expect to pay, what a bill surprises them with, what they are worth.

Belongs here: expected spend by plan and use, the bill of a month against what the customer is used
to, lifetime value. Does not belong here: rating of single records, invoices (`bss`).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.absences import (
    COUNTRIES,
    WEEK,
    Trips,
    own_trips,
    sent,
    trips_around,
)
from telco_pipeline.behaviour.population import MACHINE, VISITOR, Population
from telco_pipeline.behaviour.presence import Placed
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND, day_number
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world import tenure

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

EURO: Final = 1_000_000
_CENT: Final = 10_000
_SECONDS: Final = DAY // SECOND

# Mean use behind the expected spend, as of the registry (`world.subscribers`): minutes of a call,
# megabytes of a session; use beyond some 20 euro makes people change plan.
_CALL_MINUTES: Final = 2.4
_SESSION_MEGABYTES: Final = 11.5
_MACHINE_MEGABYTES: Final = 0.02
_DAYS_PER_MONTH: Final = 30.4
_MAX_OVERUSE: Final = 20.0 * EURO

# How much one month's use differs from another's, and charges that nobody expects (a part of a
# device, premium services): share of the bills and euro. Ours.
_SWING: Final = QuantileTable.level(0.35)
_SURPRISES: Final = 0.012
_SURPRISE: Final = QuantileTable.log_normal(18.0, 0.6)
_MAX_SURPRISE: Final = 150.0
# Inside the European Union roaming costs what it costs at home (Regulation (EU) 2022/612);
# elsewhere a day of it costs some euro.
_AT_HOME: Final = frozenset({"FR", "NL", "ES", "DE", "IT", "LU"})
COSTLY: Final = np.array([code not in _AT_HOME for code, _, _ in COUNTRIES])
"""Which countries of `COUNTRIES` cost extra."""
_ROAMING_DAY: Final = QuantileTable.log_normal(5.0, 0.8)
_MAX_ROAMING: Final = 120.0

# A bill hurts by what it is above the usual one, beyond a couple of euro; and after it the usual
# one is a little higher.
_UNNOTICED: Final = 2.0 * EURO
_SMALLEST_USUAL: Final = 10.0 * EURO
_MAX_SHOCK: Final = 3.0
_GETTING_USED: Final = 0.3
# Bounds the expected life: nobody's is worked out to be more than 25 years.
_LOWEST_HAZARD: Final = 1.0 / 300.0


@dataclass(frozen=True)
class Tariff:
    """Plans by row of `plans`.

    Attributes:
        fee: Fee a month in micro-euro.
        allowance: Minutes, messages and megabytes a month, infinite for no limit; shape (plans, 3).
        price: Micro-euro for each of them beyond the allowance, shape (plans, 3).
        prepaid: Paid in advance.
        segment: For whom (consumer, business, machine, visitor).
    """

    fee: Floats
    allowance: Floats
    price: Floats
    prepaid: Flags
    segment: list[str]

    @classmethod
    def of(cls, plans: pl.DataFrame) -> Self:
        """Index the plans."""
        unlimited = float("inf")
        limits = plans.select(
            pl.col("voice_seconds") / 60, pl.col("messages"), pl.col("data_bytes") / 1_000_000
        )
        prices = plans.select("voice_price", "message_price", "data_price")
        return cls(
            plans["monthly_fee"].to_numpy().astype(np.float64),
            limits.select(pl.all().cast(pl.Float64).fill_null(unlimited)).to_numpy(),
            prices.cast(pl.Float64).to_numpy(),
            (plans["payment"].cast(pl.String) == "prepaid").to_numpy(),
            plans["segment"].cast(pl.String).to_list(),
        )

    def cost(self, plan: npt.NDArray[np.integer], use: Floats) -> Floats:
        """Return what a month costs in micro-euro, not rounded.

        Args:
            plan: Row of the plan of each customer.
            use: Minutes, messages and megabytes a month, shape (customers, 3).
        """
        over = np.maximum(use - self.allowance[plan], 0.0) * self.price[plan]
        beyond = over[:, 0] + over[:, 1] + over[:, 2]
        return self.fee[plan] + np.minimum(beyond, _MAX_OVERUSE)

    def fullness(self, plan: npt.NDArray[np.integer], use: Floats) -> Floats:
        """Return the part of the data allowance that a month uses; 0 where there is no limit."""
        limit = self.allowance[plan, 2]
        return np.where(limit > 0.0, use[:, 2] / np.maximum(limit, 1.0), 0.0)


def rates(config: WorldConfig) -> Floats:
    """Return minutes, messages and megabytes a month by persona, shape (personas, 3)."""
    return np.array(
        [
            (
                persona.calls * _CALL_MINUTES * _DAYS_PER_MONTH,
                persona.messages * _DAYS_PER_MONTH,
                persona.sessions
                * (_MACHINE_MEGABYTES if persona.kind == "machine" else _SESSION_MEGABYTES)
                * _DAYS_PER_MONTH,
            )
            for persona in config.personas.values()
        ]
    )


def in_cents(amount: Floats) -> Rows:
    """Return amounts of micro-euro in whole cents, as micro-euro."""
    return np.rint(amount / _CENT).astype(np.int64) * _CENT


@dataclass(frozen=True)
class Bills:
    """The bills of a month, one array element per customer asked for.

    Attributes:
        amount: Micro-euro.
        abroad: What of it is roaming.
        shock: How much more it is than the customer is used to, as a part of that.
        usual: What he is used to from then on.
    """

    amount: Rows
    abroad: Rows
    shock: Floats
    usual: Rows


@dataclass(frozen=True)
class Surprise:
    """What scenario layers add to the bills of a month, one array element per customer.

    Attributes:
        more: Part of what the customer is used to pay.
        roamed: Whether it is for being abroad.
    """

    more: Floats
    roamed: Flags

    def select(self, rows: Rows) -> "Surprise":
        """Return the same of some customers."""
        return Surprise(self.more[rows], self.roamed[rows])


def bills(
    config: WorldConfig,
    population: Population,
    tariff: Tariff,
    month: dt.date,
    entities: Rows,
    plan: npt.NDArray[np.int32],
    usual: Rows,
    placed: Placed | None = None,
    surprise: "Surprise | None" = None,
) -> Bills:
    """Return the bills of the month before a date.

    Args:
        config: The world.
        population: Its subscribers.
        tariff: The plans.
        month: First day of the month in which the bills come.
        entities: Whose.
        plan: Row of the plan of each.
        usual: What each is used to pay, micro-euro.
        placed: Where layers put SIMs in that month; nowhere by default.
        surprise: What layers add; nothing by default.
    """
    keys = draws.keys(draws.stream(config.seed, "customers/bill", day_number(month)), entities)
    swing = _SWING.sample(draws.bits(keys, "swing"))
    level = population.level[entities] * swing
    use = rates(config)[population.persona[entities]] * level[:, None]
    abroad = in_cents(roaming(config, population, month, entities, placed) * EURO)
    extra = np.minimum(_SURPRISE.sample(draws.bits(keys, "surprise")), _MAX_SURPRISE) * EURO
    extra = np.where(draws.chance(draws.bits(keys, "surprised"), _SURPRISES), extra, 0.0)
    amount = in_cents(tariff.cost(plan, use) + extra) + abroad
    if surprise is not None:
        more = in_cents(surprise.more * usual)
        amount, abroad = amount + more, abroad + np.where(surprise.roamed, more, 0)
    above = amount - usual - _UNNOTICED
    shock = np.clip(above / np.maximum(usual, _SMALLEST_USUAL), 0.0, _MAX_SHOCK)
    used_to = in_cents(usual + _GETTING_USED * (amount - usual))
    return Bills(amount, abroad, np.rint(shock * 1e4) / 1e4, used_to)


def roaming(
    config: WorldConfig,
    population: Population,
    month: dt.date,
    entities: Rows,
    placed: Placed | None = None,
) -> Floats:
    """Return what the trips that ended in the month before a date cost, in euro.

    Arguments as of `bills`.
    """
    before = (month - dt.timedelta(days=1)).replace(day=1)
    first, last = day_number(before), day_number(month) - 1
    euro = np.zeros(len(entities))
    placed = Placed.none() if placed is None else placed
    weeks = range(first // WEEK, last // WEEK + 1)
    found = [own_trips(config, population, placed, first, week, entities) for week in weeks]
    aspects = [("customers/roaming", week * WEEK) for week in weeks]
    imposed = sent(placed, first, entities)
    aspects += [("customers/sent", first + number) for number in range(len(imposed))]
    for trip, (aspect, day) in zip([*found, *imposed], aspects, strict=True):
        ended = (trip.back >= 0) & (trip.back < (last + 1 - first) * _SECONDS)
        rows = np.flatnonzero(trip.goes & ended & COSTLY[trip.country])
        if rows.size:
            key = draws.keys(draws.stream(config.seed, aspect, day), entities[rows])
            days = (trip.back[rows] - trip.leave[rows]) / _SECONDS
            euro[rows] += np.minimum(days * _ROAMING_DAY.sample(key), _MAX_ROAMING)
    return euro


def week_trips(
    config: WorldConfig,
    population: Population,
    today: int,
    entities: Rows,
    placed: Placed | None = None,
) -> Trips:
    """Return the trips abroad of the week of a day, of both SIMs of a holder alike.

    Args:
        config: The world.
        population: Its subscribers.
        today: Number of the day.
        entities: Whose.
        placed: Where layers put SIMs around the day: the trip on which one sends a SIM counts
            instead. Nowhere by default.
    """
    around = Placed.none() if placed is None else placed
    return trips_around(config, population, around, today, entities)


def lifetime_value(kind: npt.NDArray[np.int8], prepaid: Flags, spend: Rows, hazard: Floats) -> Rows:
    """Return the expected margin over the expected remaining life, in micro-euro (whole cents).

    Args:
        kind: Kind of each subscriber (`population.KINDS`).
        prepaid: Who pays in advance.
        spend: Expected spend a month.
        hazard: Chance to leave within a month.
    """
    group = np.where(prepaid, tenure.PREPAID, tenure.POSTPAID)
    group[kind == MACHINE] = tenure.MACHINE
    group[kind == VISITOR] = tenure.VISITOR
    return tenure.lifetime_value(
        group, spend.astype(np.float64), np.maximum(hazard, _LOWEST_HAZARD)
    )


def chosen_price(tariff: Tariff, use: Floats, taste: Bits, plan: int) -> Floats:
    """Return how a plan looks to customers in search of one: its cost, by their taste.

    Args:
        tariff: The plans.
        use: Expected use a month, shape (customers, 3).
        taste: Random bits of each customer and plan: nobody compares to the cent.
        plan: Row of the plan.
    """
    rows = np.full(len(use), plan)
    return tariff.cost(rows, use) * (0.75 + 0.5 * draws.uniform(taste))
