"""Where subscribers are: plans of a day, nights switched off, trips."""

import datetime as dt
from functools import cache

import numpy as np
import pytest

from telco_pipeline.behaviour.mobility import Mobility
from telco_pipeline.behaviour.population import GERAN, MACHINE, VISITOR
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, DayClock
from telco_pipeline.generators import Inputs
from telco_pipeline_tests.generators.kit import AUTUMN, SPRING, inputs_of, small_world

_PEOPLE = 3000


@cache
def _inputs() -> Inputs:
    return inputs_of(small_world(subscribers=_PEOPLE, part_size=1024))


def _on(day: dt.date) -> Mobility:
    return Mobility(_inputs().config, _inputs().population, day)


@pytest.mark.parametrize("day", [SPRING, AUTUMN, dt.date(2026, 1, 14)])
def test_two_days_agree_on_the_midnight_between_them(day: dt.date) -> None:
    entity = np.arange(_PEOPLE)
    first, second = _on(day), _on(day + dt.timedelta(days=1))
    for offset in (-HOUR, -SECOND, 0, SECOND, HOUR):
        late, early = np.full(_PEOPLE, DAY + offset), np.full(_PEOPLE, offset)
        one, other = first.at(entity, late), second.at(entity, early)
        assert (one.cell == other.cell).all()
        assert (one.country == other.country).all()
        off = first.switched_off(entity, late)
        assert (off == second.switched_off(entity, early)).all()
    assert first.switched_off(entity, np.full(_PEOPLE, DAY)).mean() > 0.05


@pytest.mark.parametrize(
    "day",
    [
        SPRING,
        SPRING - dt.timedelta(days=1),
        AUTUMN,
        AUTUMN - dt.timedelta(days=1),
        dt.date(2026, 1, 14),
    ],
)
def test_a_phone_is_on_when_its_night_is_over(day: dt.date) -> None:
    """Also in the nights in which the clock changes."""
    mobility, entity = _on(day), np.arange(_PEOPLE)
    for hour in (0, 1, 2, 3, 22, 23):
        time = np.full(_PEOPLE, hour * HOUR + 59 * 60 * SECOND)
        off = np.flatnonzero(mobility.switched_off(entity, time))
        wait = mobility.until_on(off, time[off])
        assert off.size > 100 or hour == 22
        assert (wait > 0).all()
        assert (wait <= 13 * HOUR).all()
        assert not mobility.switched_off(off, time[off] + wait).any()
        assert mobility.switched_off(off, time[off] + wait - SECOND).all()


def test_until_gone_ends_at_the_first_of_night_and_border() -> None:
    day = dt.date(2026, 3, 30)
    mobility, entity = _on(day), np.arange(_PEOPLE)
    time = np.full(_PEOPLE, 12 * HOUR)
    left = mobility.until_gone(entity, time)
    soon = np.flatnonzero(left < DAY // 2)
    assert soon.size > 50
    before, after = time[soon] + left[soon] - SECOND, time[soon] + left[soon]
    was, now = mobility.at(soon, before), mobility.at(soon, after)
    gone = mobility.switched_off(soon, after) | (was.country != now.country)
    assert gone.all()
    assert not mobility.switched_off(soon, before).any()
    stay = np.flatnonzero(left >= DAY // 2)
    same = (
        mobility.at(stay, time[stay]).country
        == mobility.at(stay, time[stay] + DAY // 2 - 1).country
    )
    assert same.all()


def test_trips_lie_within_a_week_and_are_as_many_as_told() -> None:
    inputs = _inputs()
    entity = np.arange(_PEOPLE)
    first = dt.date(2026, 1, 3)
    first += dt.timedelta(days=(-(first - dt.date(2000, 1, 1)).days) % 7)
    trips = np.zeros(_PEOPLE)
    for week in range(8):
        start = first + dt.timedelta(weeks=week)
        leave, back = _on(start).trip(entity)
        goes = leave >= 0
        trips += goes
        assert (leave[goes] >= 60 * SECOND).all()
        assert (back[goes] < 7 * DAY - HOUR).all()
        assert (back[goes] - leave[goes] >= 6 * HOUR).all()
        # Every day of the week tells of the same trip.
        later = _on(start + dt.timedelta(days=4)).trip(entity)
        assert (later[0][goes] == leave[goes] - 4 * DAY).all()
    personas = list(inputs.config.personas.values())
    expected = np.array([p.trips_per_year / 52 * 8 for p in personas])[inputs.population.persona]
    assert abs(trips.sum() - expected.sum()) < 4 * np.sqrt(expected.sum())
    assert not trips[inputs.population.kind == VISITOR].any()


def test_machines_are_never_switched_off() -> None:
    machines = np.flatnonzero(_inputs().population.kind == MACHINE)
    mobility = _on(dt.date(2026, 1, 14))
    for hour in range(24):
        assert not mobility.switched_off(machines, np.full(len(machines), hour * HOUR)).any()


def test_every_cell_finds_a_geran_cell_near() -> None:
    cells, frame = _inputs().cells, _inputs().frames["cells"]
    assert (cells.rat[cells.gsm_sibling] == GERAN).all()
    sites = frame["site_id"].to_numpy()
    alone = np.flatnonzero(sites != sites[cells.gsm_sibling])
    assert alone.size > 0, "every site has GERAN: the test shows nothing"
    there = np.unique(sites[cells.rat == GERAN])
    assert not np.isin(sites[alone], there).any()
    # None of a sample of other GERAN cells is nearer.
    north, east = frame["latitude"].to_numpy(), 0.64 * frame["longitude"].to_numpy()
    chosen = cells.gsm_sibling[alone]
    distance = (north[alone] - north[chosen]) ** 2 + (east[alone] - east[chosen]) ** 2
    for other in np.flatnonzero(cells.rat == GERAN)[::7]:
        beside = (north[alone] - north[other]) ** 2 + (east[alone] - east[other]) ** 2
        assert (beside >= distance - 1e-4).all()


def test_local_free_days_are_spent_at_home() -> None:
    inputs = _inputs()
    entity = np.flatnonzero(inputs.population.work >= 0)
    noon = np.full(len(entity), 11 * HOUR)
    for day in (SPRING, dt.date(2026, 5, 1)):  # a Sunday and the holiday of 1 May, a Friday
        assert DayClock(day, "Europe/Brussels", "BE").free_day[11]
        where = _on(day).at(entity, noon)
        assert (where.cell == inputs.population.home[entity]).all()
    thursday = _on(dt.date(2026, 4, 30)).at(entity, noon)
    assert (thursday.cell == inputs.population.work[entity]).mean() > 0.7
