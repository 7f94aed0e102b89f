"""Bills, what they surprise with, and what customers are worth."""

import datetime as dt

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.behaviour.population import MACHINE, PERSON, VISITOR
from telco_pipeline.state.spending import EURO, Tariff, bills, lifetime_value, rates, roaming
from telco_pipeline.world import tenure
from telco_pipeline.world.catalogue import build_plans
from telco_pipeline_tests.state.customer_kit import small_world

_MARCH = dt.date(2026, 3, 1)


def _billed() -> np.ndarray:
    facts = small_world().facts
    return np.flatnonzero(facts.customer & ~facts.tariff.prepaid[facts.population.plan])


def _bills(usual: np.ndarray | None = None, month: dt.date = _MARCH):
    world, people = small_world(), _billed()
    facts, plan = world.facts, world.population.plan[people]
    if usual is None:
        usual = np.rint(facts.tariff.cost(plan, facts.use(people))).astype(np.int64)
    return bills(world.config, world.population, facts.tariff, month, people, plan, usual)


def test_the_price_of_a_month() -> None:
    plans = build_plans(small_world().config)
    tariff = Tariff.of(plans)
    row = plans["plan_id"].to_list().index("POST-S")
    use = np.array([[100.0, 50.0, 1000.0], [190.0, 50.0, 6100.0], [9000.0, 0.0, 0.0]])
    # 14 euro with 180 minutes and 6 GB; 0.25 euro a minute and 0.02 a megabyte beyond; and nobody
    # is expected to pay more than 20 euro beyond.
    cost = tariff.cost(np.full(3, row), use)
    assert np.rint(cost / EURO * 100).tolist() == [1400, 1850, 3400]


def test_the_use_of_a_month() -> None:
    config = small_world().config
    place = list(config.personas).index("commuter")
    persona = config.personas["commuter"]
    minutes, messages, megabytes = rates(config)[place]
    assert minutes == persona.calls * 2.4 * 30.4
    assert messages == persona.messages * 30.4
    assert 8_000 < megabytes < 12_000


def test_bills_are_whole_cents_and_not_below_the_fee() -> None:
    found, people = _bills(), _billed()
    facts = small_world().facts
    assert (found.amount % 10_000 == 0).all()
    assert (found.amount >= facts.tariff.fee[small_world().population.plan[people]]).all()
    assert 0.7 < (found.shock == 0).mean() < 0.99


def test_a_shock_is_what_exceeds_the_usual() -> None:
    found = _bills()
    calm = _bills(usual=found.amount)
    assert (calm.shock == 0).all()
    assert (calm.usual == found.amount).all()
    shocked = _bills(usual=found.amount // 2)
    assert (shocked.shock[found.amount > 25 * EURO] > 0.8).all()
    assert (shocked.usual > found.amount // 2).all()
    assert (shocked.usual < found.amount).all()


def test_months_differ_and_are_the_same_again() -> None:
    one, other = _bills(), _bills(month=dt.date(2026, 4, 1))
    assert (one.amount != other.amount).any()
    assert (one.amount == _bills().amount).all()


def test_roaming_is_paid_for_trips_outside_the_union() -> None:
    world = small_world()
    people = _billed()
    euro = roaming(world.config, world.population, _MARCH, people)
    assert 0 < (euro > 0).mean() < 0.2
    assert euro.max() <= 5 * 120
    travels = np.array([persona.trips_per_year for persona in world.config.personas.values()])
    assert (travels[world.population.persona[people[euro > 0]]] > 0).all()
    found = _bills()
    assert (found.abroad[euro > 0] > 0).all()
    assert (found.abroad[euro == 0] == 0).all()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, 2, 3]),
            st.booleans(),
            st.integers(0, 200 * EURO),
            st.floats(0, 8),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_the_value_of_a_life_is_bounded(rows: list[tuple[int, bool, int, float]]) -> None:
    kind, prepaid, spend, risk = (np.array(column) for column in zip(*rows, strict=True))
    value = lifetime_value(kind.astype(np.int8), prepaid, spend, risk)
    assert (value >= 0).all()
    assert (value <= spend * 0.45 * 100 + 10_000).all()
    later = lifetime_value(kind.astype(np.int8), prepaid, spend, risk + 1.0)
    assert (later <= value).all()


def test_the_kind_of_a_subscriber_decides_what_is_earned() -> None:
    kinds = np.array([PERSON, PERSON, MACHINE, VISITOR], dtype=np.int8)
    prepaid = np.array([False, True, True, False])
    groups = np.array([tenure.POSTPAID, tenure.PREPAID, tenure.MACHINE, tenure.VISITOR])
    spend = np.full(4, 20 * EURO)
    found = lifetime_value(kinds, prepaid, spend, np.full(4, 0.02))
    assert found.tolist() == tenure.lifetime_value(groups, spend * 1.0, np.full(4, 0.02)).tolist()
    assert len(set(found.tolist())) > 1


def test_plans_hold_what_the_tariff_needs() -> None:
    plans = small_world().plans
    tariff = Tariff.of(plans)
    unlimited = plans.filter(pl.col("data_bytes").is_null()).height
    assert np.isinf(tariff.allowance[:, 2]).sum() == unlimited > 0
