"""What customers meet of a bad network."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.contracts.codes import Topic
from telco_pipeline.engine.calendar import DayClock
from telco_pipeline.state.exposure import Exposure
from telco_pipeline_tests.state.customer_kit import FAULT, network_day, small_world

_TOPICS = tuple(Topic)
_TUESDAY = dt.date(2026, 1, 13)
_SUNDAY = dt.date(2026, 1, 18)


def _exposure(network, date: dt.date = _TUESDAY) -> Exposure:
    config = small_world().config
    return Exposure.of(config, network, DayClock(date, config.time_zone, config.country))


def _met(exposure: Exposure, home: int, work: int = -1, persona: int = 0) -> float:
    rows = (np.array([value]) for value in (persona, home, work))
    return float(exposure.of_day(*rows)[0])


def _day_rhythm_persona() -> int:
    personas = list(small_world().config.personas.values())
    return next(n for n, p in enumerate(personas) if p.rhythm == "day" and p.works > 0.5)


def test_nothing_is_met_in_a_healthy_network() -> None:
    world = small_world()
    met = _exposure(network_day(world.cells)).of_day(
        world.population.persona, world.population.home, world.population.work
    )
    assert (met == 0).all()


def test_an_evening_without_service_is_met_at_home_and_not_at_work() -> None:
    exposure = _exposure(network_day(small_world().cells, {3: (18 * 60, 20 * 60)}))
    persona = _day_rhythm_persona()
    assert 1.0 < _met(exposure, home=3, persona=persona) < 2.0
    assert _met(exposure, home=4, work=3, persona=persona) == 0


def test_a_morning_without_service_is_met_at_work_on_workdays_only() -> None:
    network = network_day(small_world().cells, {3: (9 * 60, 11 * 60)})
    persona = _day_rhythm_persona()
    at_work = _met(_exposure(network), home=4, work=3, persona=persona)
    assert at_work > 3 * _met(_exposure(network), home=3, work=4, persona=persona)
    assert _met(_exposure(network, _SUNDAY), home=4, work=3, persona=persona) == 0


def test_an_outage_by_night_counts_little() -> None:
    night = _exposure(network_day(small_world().cells, {3: (2 * 60, 4 * 60)}))
    evening = _exposure(network_day(small_world().cells, {3: (18 * 60, 20 * 60)}))
    persona = _day_rhythm_persona()
    assert 0 < _met(night, 3, persona=persona) < 0.25 * _met(evening, 3, persona=persona)


def test_a_neighbour_that_takes_over_halves_it() -> None:
    cells = small_world().cells
    takers = np.full((cells, 6), -1, dtype=np.int32)
    takers[3, 0] = 4
    out = {3: (18 * 60, 20 * 60)}
    persona = _day_rhythm_persona()
    alone = _met(_exposure(network_day(cells, out)), 3, persona=persona)
    covered = _met(_exposure(network_day(cells, out, takers=takers)), 3, persona=persona)
    assert covered == pytest.approx(alone / 2, abs=2e-3)


@pytest.mark.parametrize(
    ("measure", "value", "topic"),
    [
        ("drop_probability", 0.08, Topic.DROPPED_CALLS),
        ("block_probability", 0.2, Topic.BLOCKED_CALLS),
        ("voice_failure", 0.2, Topic.BLOCKED_CALLS),
        ("throughput_factor", 0.02, Topic.SLOW_DATA),
        ("data_failure", 0.2, Topic.SLOW_DATA),
    ],
)
def test_the_worst_hour_and_what_it_is_felt_as(measure: str, value: float, topic: Topic) -> None:
    network = network_day(small_world().cells)
    network.measures[measure][5, 18] = value
    network.measures[measure][6, 3] = value
    exposure = _exposure(network)
    persona = np.array([_day_rhythm_persona()])
    cell, hour, felt = exposure.worst(persona, np.array([5]), np.array([6]))
    assert (cell[0], hour[0], _TOPICS[felt[0]]) == (5, 18, topic)


def test_the_worst_hour_of_an_outage_names_its_fault() -> None:
    exposure = _exposure(network_day(small_world().cells, {3: (17 * 60 + 50, 19 * 60)}))
    cell, hour, felt = exposure.worst(
        np.array([_day_rhythm_persona()]), np.array([3]), np.array([-1])
    )
    assert (cell[0], hour[0], _TOPICS[felt[0]]) == (3, 18, Topic.OUTAGE)
    assert exposure.fault[cell[0], hour[0]] == FAULT


@given(
    start=st.integers(0, 24 * 60 - 2),
    length=st.integers(1, 24 * 60),
    longer=st.integers(0, 24 * 60),
    work=st.sampled_from([-1, 3, 5]),
)
def test_a_longer_outage_is_never_met_less(start: int, length: int, longer: int, work: int) -> None:
    cells, persona = 8, _day_rhythm_persona()
    stop = min(start + length, 24 * 60)
    further = min(stop + longer, 24 * 60)
    less = _met(_exposure(network_day(cells, {3: (start, stop)})), 3, work, persona)
    more = _met(_exposure(network_day(cells, {3: (start, further)})), 3, work, persona)
    # Four decimals of an hour and whole units of the weights may be lost by rounding.
    assert 0 <= less <= more + 1e-3
    assert more <= (further - start) / 60 + 1e-3
