"""Chances of changes in the life of a subscription."""

import dataclasses
import datetime as dt

import numpy as np
import pytest

from telco_pipeline.engine import draws
from telco_pipeline.state.customers import State
from telco_pipeline.state.lifecycle import (
    ACTIVE,
    SUSPENDED,
    TERMINATED,
    Calendar,
    Morning,
    hazard,
    renewed_terms,
)
from telco_pipeline.state.registry import CONSUMER_TERM, NO_TERM
from telco_pipeline_tests.state.customer_kit import small_world

_DAY = dt.date(2026, 1, 14)


def _customers() -> np.ndarray:
    """Return postpaid people who are customers on the epoch."""
    facts = small_world().facts
    postpaid = ~facts.tariff.prepaid[facts.population.plan]
    rows = np.flatnonzero(facts.customer & postpaid & (facts.term == CONSUMER_TERM))
    return rows[rows < facts.first_prospect]


def _morning(entities: np.ndarray, **changes) -> Morning:
    world = small_world()
    morning = State.first(world.facts, entities).morning(world.facts, entities)
    arrays = {
        name: np.full(len(entities), value, dtype=getattr(morning, name).dtype)
        for name, value in changes.items()
    }
    return dataclasses.replace(morning, **arrays)


def _hazard(entities: np.ndarray, **changes) -> np.ndarray:
    world = small_world()
    today = Calendar.of(world.config, _DAY)
    return hazard(world.facts, today, entities, _morning(entities, **changes))


def _ends_in(days: int) -> int:
    return (_DAY - dt.date(1970, 1, 1)).days + days


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ({"satisfaction": 0.3}, {"satisfaction": 0.6}),
        ({"price_shock": 0.8}, {"price_shock": 0.0}),
        ({"open_cases": 2}, {"open_cases": 0}),
        ({"tenure": 100}, {"tenure": 1000}),
        ({"tenure": 1000}, {"tenure": 3000}),
        ({"asked_to_leave": True}, {"asked_to_leave": False}),
        ({"contract_end": _ends_in(-10)}, {"contract_end": _ends_in(20)}),
        ({"contract_end": _ends_in(20)}, {"contract_end": _ends_in(200)}),
        ({"contract_end": _ends_in(-10)}, {"contract_end": _ends_in(-100)}),
        ({"contract_end": NO_TERM}, {"contract_end": _ends_in(200)}),
    ],
)
def test_what_makes_people_leave(worse: dict, better: dict) -> None:
    people = _customers()
    more, less = _hazard(people, **worse), _hazard(people, **better)
    assert (more >= less).all()
    assert more.mean() > 1.1 * less.mean()
    assert (more <= 0.25).all()


def test_satisfaction_counts_against_what_is_usual_for_somebody() -> None:
    people = _customers()
    usual = small_world().facts.population.satisfaction[people]
    morning = _morning(people)
    today = Calendar.of(small_world().config, _DAY)
    facts = small_world().facts
    now = hazard(facts, today, people, dataclasses.replace(morning, satisfaction=usual))
    less = hazard(facts, today, people, dataclasses.replace(morning, satisfaction=usual - 0.1))
    ratio = less / now
    assert ratio == pytest.approx(np.full(len(people), 1.6**2), rel=1e-3)


@pytest.mark.parametrize("status", [SUSPENDED, TERMINATED])
def test_only_the_active_leave(status: int) -> None:
    assert (_hazard(_customers(), status=status) == 0).all()
    assert (_hazard(_customers(), status=ACTIVE) > 0).all()


def test_terms_that_end_are_renewed_by_the_content_above_all() -> None:
    people = _customers()
    world = small_world()
    today = Calendar.of(world.config, _DAY)
    keys = draws.keys(draws.stream(1, "test"), people)
    nothing = np.full(len(people), -1, dtype=np.int8)

    def renewed(satisfaction: float, end: int) -> np.ndarray:
        morning = _morning(people, satisfaction=satisfaction, contract_end=end)
        return renewed_terms(world.facts, today, people, keys, morning, nothing) - end

    content, others = renewed(0.95, _ends_in(0)), renewed(0.45, _ends_in(0))
    assert set(np.unique(content)) == {0, CONSUMER_TERM}
    assert 0.65 < (content > 0).mean() < 0.85
    assert 0.25 < (others > 0).mean() < 0.45
    assert (renewed(0.7, _ends_in(1)) == 0).all()
    assert (renewed(0.7, _ends_in(-1)) == 0).all()


def test_the_bill_day_is_the_first_of_the_local_month() -> None:
    config = small_world().config
    days = [dt.date(2026, 1, 31) + dt.timedelta(days=offset) for offset in range(3)]
    assert [Calendar.of(config, day).bill_day for day in days] == [False, True, False]


def test_days_on_which_shops_are_closed_weigh_less() -> None:
    config = small_world().config
    saturday, sunday = (Calendar.of(config, dt.date(2026, 1, day)) for day in (17, 18))
    christmas = Calendar.of(config, dt.date(2026, 12, 25))
    assert not saturday.closed
    assert sunday.closed
    assert christmas.closed
    assert sunday.weight < 0.5 < saturday.weight
    year = [dt.date(2026, 1, 1) + dt.timedelta(days=day) for day in range(365)]
    assert np.mean([Calendar.of(config, day).weight for day in year]) == pytest.approx(1, abs=1e-3)
