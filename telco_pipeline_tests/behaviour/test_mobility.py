"""Where subscribers are: days without jumps, habits, absences, changes of the cell on the way."""

import datetime as dt
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from telco_pipeline import plausibility
from telco_pipeline.behaviour import haunts
from telco_pipeline.behaviour.absences import Absences
from telco_pipeline.behaviour.mobility import Mobility
from telco_pipeline.behaviour.population import (
    BUSINESS,
    EUTRAN,
    GERAN,
    MACHINE,
    NR,
    PERSON,
    VISITOR,
)
from telco_pipeline.behaviour.rhythm import NIGHT_SHIFT, chronotypes
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, day_number
from telco_pipeline.generators import Inputs
from telco_pipeline_tests.generators.kit import AUTUMN, SPRING, inputs_of, make_day, small_world

_SUBSCRIBERS = 3000
_PEOPLE = 3468  # those who join later too: they are somewhere before they do
_SITES = 1500
_WEDNESDAY = dt.date(2026, 1, 14)
_ONE = dt.timedelta(days=1)
Rows = npt.NDArray[np.int64]


@cache
def _inputs() -> Inputs:
    """Return a world with as many sites as make places apart visible."""
    world = small_world(subscribers=_SUBSCRIBERS, part_size=1024)
    assert world.all_subscribers == _PEOPLE
    network = world.network.model_copy(update={"sites": _SITES})
    return inputs_of(world.model_copy(update={"network": network}))


@cache
def _on(day: dt.date) -> Mobility:
    inputs = _inputs()
    return Mobility(inputs.config, inputs.population, inputs.terrain, day)


def _km(cell: Rows, other: Rows) -> npt.NDArray[np.float64]:
    terrain = _inputs().terrain
    one, two = terrain.site[cell], terrain.site[other]
    return np.hypot(terrain.east[one] - terrain.east[two], terrain.north[one] - terrain.north[two])


def _reachable(mobility: Mobility, entity: Rows, time: Rows) -> npt.NDArray[np.bool_]:
    return ~mobility.switched_off(entity, time) & ~mobility.at(entity, time).abroad


@pytest.mark.parametrize("first", [SPRING - _ONE, AUTUMN - _ONE, dt.date(2026, 7, 10), _WEDNESDAY])
def test_nobody_jumps(first: dt.date) -> None:
    """Over three days and their midnights, also where the clock changes."""
    entity = np.arange(_PEOPLE)
    step = 30 * 60 * SECOND
    before, was = None, np.zeros(_PEOPLE, dtype=np.bool_)
    for day in (first, first + _ONE, first + 2 * _ONE):
        mobility = _on(day)
        for time in range(0, DAY, step):
            now = np.full(_PEOPLE, time)
            where, there = mobility.at(entity, now).cell, _reachable(mobility, entity, now)
            if before is not None:
                km = _km(where, before)[there & was]
                # Half an hour at 120 km/h, and from one edge of a cell to another's.
                assert km.max() < 60 + 30, (day, time // HOUR)
                assert np.quantile(km, 0.8) < 3
            before, was = where, there


@pytest.mark.parametrize("day", [SPRING - _ONE, SPRING, AUTUMN - _ONE, AUTUMN, _WEDNESDAY])
def test_two_days_agree_on_the_midnight_between_them(day: dt.date) -> None:
    entity = np.arange(_PEOPLE)
    first, second = _on(day), _on(day + _ONE)
    late, early = np.full(_PEOPLE, DAY), np.zeros(_PEOPLE, dtype=np.int64)
    here = np.flatnonzero(first.present(entity, late))
    cells = [first.at(entity, late).cell[here], second.at(entity, early).cell[here]]
    assert (cells[0] == cells[1]).all()
    # The second before midnight may be in another slot of rest.
    just = first.at(entity, late - SECOND).cell[here]
    assert (just == cells[1]).mean() > 0.99
    for offset in (-HOUR, -SECOND, 0, SECOND, HOUR):
        late, early = np.full(_PEOPLE, DAY + offset), np.full(_PEOPLE, offset)
        assert (first.at(entity, late).country == second.at(entity, early).country).all()
        off = first.switched_off(entity, late)
        assert (off == second.switched_off(entity, early)).all()
        assert (first.present(entity, late) == second.present(entity, early)).all()
    assert first.switched_off(entity, np.full(_PEOPLE, DAY)).mean() > 0.05


@cache
def _sparse() -> Inputs:
    """Return a world with as few sites as 5,000 subscribers have, far apart."""
    return inputs_of(small_world(subscribers=5000))


@pytest.mark.parametrize("day", [SPRING, dt.date(2026, 7, 10), _WEDNESDAY, dt.date(2026, 1, 16)])
def test_no_change_of_the_cell_is_too_fast(day: dt.date) -> None:
    """Whatever is recorded when, between any two cells it is at most 350 km/h.

    That is so from each cell to the next six, from the last moment in the one to the first in the
    other, each cell being heard twice as far as its range.
    """
    inputs = _sparse()
    terrain = inputs.terrain
    mobility = Mobility(inputs.config, inputs.population, terrain, day)
    who, time, cell, previous = mobility.crossings(np.arange(inputs.population.size))
    assert len(who) > 30_000
    for later in range(6):
        first = np.arange(len(who) - later)
        first = first[who[first] == who[first + later]]
        last = first + later
        one, two = terrain.site[previous[first]], terrain.site[cell[last]]
        apart = np.hypot(
            terrain.east[one] - terrain.east[two], terrain.north[one] - terrain.north[two]
        )
        heard = terrain.hearing_km[previous[first]] + terrain.hearing_km[cell[last]]
        seconds = (time[last] - time[first]) / SECOND + 2
        assert ((apart - heard) / (seconds / 3600)).max() < 350


def test_nobody_is_too_fast_in_the_records_of_a_day() -> None:
    """The same in all records with a position, by the platform's own check."""
    inputs = _sparse()
    observed = pl.concat(
        [
            plausibility.positions(make_day(inputs, name, _WEDNESDAY).lazy())
            for name in ("cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates")
        ]
    )
    found = plausibility.jumps(observed, inputs.frames["cells"])
    assert found.rows > 200_000
    assert found.offenders == 0, found.sample


def test_nobody_arrives_right_at_midnight() -> None:
    """The last arrivals thin out before midnight instead of piling up in its last second."""
    for day in (_WEDNESDAY, dt.date(2026, 7, 10)):
        _, time, _, _ = _on(day).crossings(np.arange(_PEOPLE))
        minute = np.bincount(time // (60 * SECOND), minlength=1440)
        assert minute[-1] <= minute[-120:-5].max()
        assert minute[-10:].mean() < 0.5 * minute[-120:-60].mean()


def test_both_sims_of_a_phone_are_together() -> None:
    population = _inputs().population
    second = np.flatnonzero(population.leader != np.arange(_PEOPLE))
    assert second.size > 20
    first = population.leader[second]
    for day in (_WEDNESDAY, dt.date(2026, 1, 17)):
        mobility = _on(day)
        for hour in range(24):
            time = np.full(len(second), hour * HOUR + 7)
            one, two = mobility.at(first, time), mobility.at(second, time)
            assert (one.cell == two.cell).all()
            assert (one.country == two.country).all()
            off = mobility.switched_off(first, time)
            assert (off == mobility.switched_off(second, time)).all()


def test_machines_without_a_second_place_never_move_and_vehicles_do() -> None:
    population = _inputs().population
    machine = population.kind == MACHINE
    still = np.flatnonzero(machine & (population.work < 0))
    vehicles = np.flatnonzero(machine & (population.work >= 0))
    mobility = _on(_WEDNESDAY)
    for hour in range(24):
        time = np.full(len(still), hour * HOUR)
        assert (mobility.at(still, time).cell == population.home[still]).all()
        assert not mobility.switched_off(still, time).any()
    assert len(mobility.crossings(still)[0]) == 0
    assert not mobility.handovers(still, np.zeros_like(still), np.full(len(still), DAY)).any()
    moves = np.bincount(mobility.crossings(vehicles)[0], minlength=_PEOPLE)[vehicles]
    assert np.median(moves) > 10
    driving = [mobility.at(vehicles, np.full(len(vehicles), h * HOUR)).moving for h in range(7, 17)]
    assert 0.05 < np.mean(driving) < 0.5


def test_workers_are_at_work_on_working_days_and_at_home_at_night() -> None:
    population = _inputs().population
    day_shift = chronotypes(_inputs().config, population) == 0
    worker = np.flatnonzero((population.work >= 0) & (population.kind == PERSON) & day_shift)
    work, home = population.work[worker].astype(np.int64), population.home[worker].astype(np.int64)
    far = _km(work, home) > 15
    assert far.sum() > 200
    worker, work, home = worker[far], work[far], home[far]

    def near(day: dt.date, hour: int, place: Rows) -> float:
        at = _on(day).at(worker, np.full(len(worker), hour * HOUR)).cell
        return float((_km(at, place) < 7).mean())

    assert near(_WEDNESDAY, 10, work) > 0.45
    assert near(_WEDNESDAY, 3, home) > 0.8
    for free in (dt.date(2026, 1, 18), dt.date(2026, 5, 1)):  # a Sunday; a Friday, and a holiday
        assert near(free, 10, work) < 0.3
        assert near(free, 7, home) > 0.6


def test_night_shifts_work_at_night() -> None:
    inputs = _inputs()
    population = inputs.population
    nightly = np.flatnonzero(chronotypes(inputs.config, population) == NIGHT_SHIFT)
    work, home = population.work[nightly].astype(np.int64), population.home[nightly].astype(int)
    apart = _km(work, home) > 8
    nightly, work = nightly[apart], work[apart]
    assert nightly.size > 20
    at = _on(_WEDNESDAY).at(nightly, np.full(len(nightly), HOUR)).cell  # 02 h local
    assert (_km(at, work) < 7).mean() > 0.5
    at = _on(_WEDNESDAY).at(nightly, np.full(len(nightly), 13 * HOUR)).cell
    assert (_km(at, work) < 7).mean() < 0.3


def test_commuters_move_in_the_morning_and_in_the_evening() -> None:
    population = _inputs().population
    people = np.flatnonzero(population.kind == PERSON)
    moving = [
        _on(_WEDNESDAY).at(people, np.full(len(people), hour * HOUR + HOUR // 2)).moving.mean()
        for hour in range(24)
    ]
    local = np.roll(moving, 1)
    assert local[:12].argmax() in (7, 8)
    assert 12 + local[12:].argmax() in (16, 17, 18)
    assert local[7:9].mean() > 1.3 * local[10:15].mean()
    assert local[2:5].max() < 0.02


def test_places_follow_exploration_and_return() -> None:
    """Over four weeks, seen about ten times a day: bounds around what call records show."""
    population, terrain = _inputs().population, _inputs().terrain
    people = np.flatnonzero((population.kind == PERSON) | (population.kind == BUSINESS))[:2000]
    rng = np.random.default_rng(5)
    seen, times = [], []
    for offset in range(28):
        mobility = _on(_WEDNESDAY + offset * _ONE)
        hours = np.sort(rng.integers(6 * HOUR, 22 * HOUR, (10, len(people))), axis=0)
        for time in hours:
            cell = mobility.at(people, time).cell
            seen.append(np.where(_reachable(mobility, people, time), terrain.site[cell], -1))
            times.append(offset * DAY + time)
    site = np.array(seen).T
    shares, found = np.zeros(10), np.zeros(28)
    top, counted = [], 0
    for row in site:
        there = row[row >= 0]
        places, first, visits = np.unique(there, return_index=True, return_counts=True)
        if len(there) < 140:
            continue
        ranked = np.sort(visits)[::-1] / len(there)
        top.append(ranked[:2].sum())
        found += np.searchsorted(np.sort(first * 28 / len(there)), np.arange(1, 29))
        if len(places) >= 10:
            shares += ranked[:10]
            counted += 1
    assert 0.5 < np.median(top) < 0.9
    zipf = -np.polyfit(np.log(np.arange(1, 11)), np.log(shares / counted), 1)[0]
    assert 1.0 < zipf < 1.5
    exploration = np.polyfit(np.log(np.arange(1, 29)), np.log(found), 1)[0]
    assert 0.45 < exploration < 0.75


def test_pointers_to_earlier_visits_are_followed_to_the_end() -> None:
    person = draws.keys(draws.stream(3, "test"), np.arange(200))
    visit = np.arange(200) * 37
    found = haunts.first_visit(person, visit)
    assert found[0] == 0
    assert (found <= visit).all()
    # What a pointer leads to is new itself, and the visit of that number is its own place.
    assert (haunts.first_visit(person, found) == found).all()
    known = [
        len(np.unique(haunts.first_visit(np.repeat(key, 2000), np.arange(2000))))
        for key in person[:50]
    ]
    # S after n visits: (1 + 1.21 * 0.6 n)^(1 / 1.21).
    assert abs(np.mean(known) / (1 + 1.21 * 0.6 * 2000) ** (1 / 1.21) - 1) < 0.15


def test_visitors_come_and_go() -> None:
    population = _inputs().population
    visitors = np.flatnonzero(population.kind == VISITOR)
    others = np.flatnonzero(population.kind != VISITOR)
    noon = np.full(_PEOPLE, 12 * HOUR)
    here, came, left = [], 0, 0
    before = None
    for offset in range(365):
        mobility = _absences(dt.date(2026, 1, 1) + offset * _ONE)
        now = mobility.present(visitors, noon[: len(visitors)])
        here.append(now.mean())
        if before is not None:
            came += int((now & ~before).sum())
            left += int((before & ~now).sum())
        before = now
    assert 0.1 < np.mean(here) < 0.35
    assert min(here) > 0
    assert abs(came - left) <= len(visitors)
    assert 11 < came / len(visitors) < 15
    mobility = _on(_WEDNESDAY)
    assert mobility.present(others, noon[: len(others)]).all()
    present = mobility.present(visitors, noon[: len(visitors)])
    assert (mobility.switched_off(visitors, noon[: len(visitors)]) == ~present).all()
    gone = visitors[~present]
    wait = mobility.until_on(gone, noon[: len(gone)])
    assert (wait > 0).all()
    assert (wait < 60 * DAY).all()
    for row in range(0, len(gone), 5):
        there = 12 * HOUR + wait[row]
        day = _absences(_WEDNESDAY + int(there // DAY) * _ONE)
        time = np.array([there % DAY])
        assert day.present(gone[[row]], time).all()
        assert not day.present(gone[[row]], time - SECOND).any()


def _absences(day: dt.date) -> Absences:
    return Absences(_inputs().config, _inputs().population, day)


@pytest.mark.parametrize("day", [SPRING, SPRING - _ONE, AUTUMN, AUTUMN - _ONE, _WEDNESDAY])
def test_a_phone_is_on_when_its_night_is_over(day: dt.date) -> None:
    """Also in the nights in which the clock changes."""
    mobility = _on(day)
    entity = np.flatnonzero(_inputs().population.kind != VISITOR)
    for hour in (0, 1, 2, 3, 22, 23):
        time = np.full(len(entity), hour * HOUR + 59 * 60 * SECOND)
        off = entity[mobility.switched_off(entity, time)]
        time = time[: len(off)]
        wait = mobility.until_on(off, time)
        assert off.size > 100 or hour == 22
        assert (wait > 0).all()
        assert (wait <= 16 * HOUR).all()
        assert not mobility.switched_off(off, time + wait).any()
        assert mobility.switched_off(off, time + wait - SECOND).all()


def test_until_gone_ends_at_the_first_of_night_and_border_and_departure() -> None:
    mobility, entity = _on(dt.date(2026, 3, 30)), np.arange(_PEOPLE)
    time = np.full(_PEOPLE, 12 * HOUR)
    entity = entity[~mobility.switched_off(entity, time)]
    time = time[: len(entity)]
    left = mobility.until_gone(entity, time)
    soon = np.flatnonzero(left < DAY // 2)
    assert soon.size > 50
    before, after = time[soon] + left[soon] - SECOND, time[soon] + left[soon]
    assert mobility.switched_off(entity[soon], after).all()
    assert not mobility.switched_off(entity[soon], before).any()
    stay = np.flatnonzero(left >= DAY // 2)
    assert not mobility.switched_off(entity[stay], time[stay] + DAY // 2 - 1).any()
    assert np.isin(np.flatnonzero(left < DAY), mobility.may_go(entity)).all()


def test_trips_lie_within_a_week_and_are_as_many_as_told() -> None:
    inputs = _inputs()
    entity = np.arange(_PEOPLE)
    first = dt.date(2026, 1, 3)
    first += dt.timedelta(days=(-(first - dt.date(2000, 1, 1)).days) % 7)
    trips = np.zeros(_PEOPLE)
    for week in range(8):
        start = first + dt.timedelta(weeks=week)
        leave, back = _trips(start)
        goes = leave >= 0
        trips += goes & (inputs.population.leader == entity)
        assert (leave[goes] >= 60 * SECOND).all()
        assert (back[goes] < 7 * DAY - HOUR).all()
        assert (back[goes] - leave[goes] >= 6 * HOUR).all()
        # Every day of the week tells of the same trip.
        later = _trips(start + dt.timedelta(days=4))
        assert (later[0][goes] == leave[goes] - 4 * DAY).all()
    personas = list(inputs.config.personas.values())
    expected = np.array([p.trips_per_year / 52 * 8 for p in personas])[inputs.population.persona]
    expected = expected[inputs.population.leader == entity]
    assert abs(trips.sum() - expected.sum()) < 4 * np.sqrt(expected.sum())
    assert not trips[inputs.population.kind == VISITOR].any()


def _trips(day: dt.date) -> tuple[Rows, Rows]:
    """Return start and end of everybody's trip of the week, in microseconds of a day."""
    (found,) = _absences(day).trips(np.arange(_PEOPLE))
    return found.leave * SECOND, found.back * SECOND


def test_between_two_networks_nobody_is_reached() -> None:
    population = _inputs().population
    found = 0
    for offset in range(7):
        mobility = _on(dt.date(2026, 3, 28) + offset * _ONE)
        leave, back = _trips(dt.date(2026, 3, 28) + offset * _ONE)
        goes = np.flatnonzero((leave >= 0) & (leave < DAY) & (population.kind == PERSON))
        start = leave[goes]
        before, behind = start - SECOND, start + 59 * 60 * SECOND
        assert not mobility.at(goes, before).abroad.any()
        # At home before the trip.
        assert (_km(mobility.at(goes, before).cell, population.home[goes].astype(int)) < 12).all()
        assert mobility.switched_off(goes, start).all()
        assert (mobility.until_on(goes, start) <= 16 * HOUR).all()
        later = np.minimum(start + 3 * HOUR, back[goes] - 3 * HOUR - SECOND)
        assert mobility.at(goes, later).abroad.all()
        assert not mobility.at(goes, np.minimum(behind, start + HOUR // 2)).abroad.any()
        found += len(goes)
    assert found > 30


def test_changes_of_the_cell_tell_what_positions_tell() -> None:
    for day in (_WEDNESDAY, dt.date(2026, 1, 16)):
        mobility = _on(day)
        entity = np.arange(0, _PEOPLE, 7)
        who, time, cell, previous = mobility.crossings(entity)
        assert len(who) > 3 * len(entity)
        assert (np.diff(who * np.int64(2 * DAY) + time) > 0).all()
        assert (cell != previous).all()
        assert ((time > 0) & (time < DAY)).all()
        assert (mobility.at(who, time).cell == cell).all()
        assert (mobility.at(who, time - 1).cell == previous).all()
        # Between two changes nothing changes.
        rng = np.random.default_rng(1)
        for _ in range(20):
            asked = rng.integers(0, DAY, len(entity))
            last = np.searchsorted(
                who * np.int64(2 * DAY) + time, entity * 2 * DAY + asked, "right"
            )
            known = (last > 0) & (who[np.maximum(last - 1, 0)] == entity)
            replayed = np.where(
                known,
                cell[np.maximum(last - 1, 0)],
                mobility.at(entity, np.zeros_like(entity)).cell,
            )
            assert (mobility.at(entity, asked).cell == replayed).all()


def test_whiles_at_a_neighbour_cell_have_no_usual_duration() -> None:
    """Returns to a cell (A-B-A) last from a minute to hours, on no grid, also over midnight."""
    entity = np.arange(_PEOPLE)
    found = [_on(_WEDNESDAY + later * _ONE).crossings(entity) for later in range(3)]
    who = np.concatenate([part[0] for part in found])
    time = np.concatenate([part[1] + later * DAY for later, part in enumerate(found)])
    order = np.lexsort((time, who))
    who, time = who[order], time[order]
    cell, previous = (np.concatenate([part[n] for part in found])[order] for n in (2, 3))
    back = (who[1:] == who[:-1]) & (previous[:-1] == cell[1:])
    moving = np.concatenate(
        [_on(_WEDNESDAY + d * _ONE).at(p[0], p[1]).moving for d, p in enumerate(found)]
    )
    back &= ~moving[order][1:] & ~moving[order][:-1]
    lasted = (time[1:] - time[:-1])[back] // SECOND
    lasted = lasted[lasted < 90 * 60]
    assert len(lasted) > 5000
    for shift in range(5):
        assert np.bincount((lasted + shift) // 5).max() < 0.03 * len(lasted)
    assert np.bincount(lasted).max() < 0.01 * len(lasted)
    assert (lasted < 5 * 60).mean() > 0.05
    assert (lasted > 45 * 60).mean() > 0.05
    # From the beginning of one while to that of the next there is no grid of a phone's either.
    starts = np.flatnonzero(back)
    apart = np.diff(time[starts])[np.diff(who[starts]) == 0] // SECOND
    assert np.bincount(apart % 1800 // 5).max() < 0.03 * len(apart)


def test_handovers_are_the_changes_of_the_cell_while_something_lasts() -> None:
    mobility = _on(_WEDNESDAY)
    rng = np.random.default_rng(2)
    entity = rng.integers(0, _PEOPLE, 20_000)
    start = rng.integers(0, DAY, 20_000)
    end = start + (60 * SECOND * 10 ** rng.uniform(-1, 2, 20_000)).astype(np.int64)
    handovers = mobility.handovers(entity, start, end)
    who, time, _, _ = mobility.crossings(np.arange(_PEOPLE))
    key = who * np.int64(4 * DAY) + time
    # Positions are told to the second.
    seconds = [value // SECOND * SECOND for value in (start, end)]
    counted = np.diff(
        [np.searchsorted(key, entity * 4 * DAY + value, "right") for value in seconds], axis=0
    )[0]
    inside = end < DAY
    assert (handovers == counted)[inside].all()
    assert handovers[mobility.at(entity, start).moving].mean() > 1
    assert (handovers > 0).mean() < 0.2


def test_phones_at_rest_change_their_cell_at_the_same_seconds_on_both_days_of_a_midnight() -> None:
    """The first minutes of a day follow from the day before as well."""
    entity = np.arange(_PEOPLE)
    first, second = _on(_WEDNESDAY), _on(_WEDNESDAY + _ONE)
    for later in range(-5 * 60, 5 * 60, 7):
        one = first.at(entity, np.full(_PEOPLE, DAY + later * SECOND))
        other = second.at(entity, np.full(_PEOPLE, later * SECOND))
        rest = ~one.moving & ~other.moving
        assert rest.mean() > 0.9
        assert (one.cell == other.cell)[rest].all()
    row, time, cell, previous = first.changes(
        entity, np.full(_PEOPLE, DAY - 300 * SECOND), np.full(_PEOPLE, DAY + 300 * SECOND)
    )
    assert (time > DAY).any()
    assert (first.at(entity[row], time).cell == cell).all()
    assert (first.at(entity[row], time - SECOND).cell == previous).all()


def test_another_device_camps_on_other_cells_of_the_same_places() -> None:
    inputs = _inputs()
    population = inputs.population
    rat = np.where(population.rat == NR, EUTRAN, population.rat).astype(np.int8)
    rat[population.rat == EUTRAN] = GERAN
    mobility = Mobility(inputs.config, population, inputs.terrain, _WEDNESDAY, rat)
    people = np.flatnonzero(population.kind == PERSON)
    for hour in (3, 11, 18):
        time = np.full(len(people), hour * HOUR)
        cell = mobility.at(people, time).cell
        served = inputs.cells.rat[cell]
        lead = population.leader[people]
        assert (served[rat[lead] == GERAN] == GERAN).all()
        assert (served[rat[lead] == EUTRAN] == EUTRAN).all()


def test_a_day_is_the_same_whenever_it_is_made() -> None:
    inputs, entity = _inputs(), np.arange(_PEOPLE)
    again = Mobility(inputs.config, inputs.population, inputs.terrain, _WEDNESDAY)
    for hour in range(0, 24, 3):
        time = np.full(_PEOPLE, hour * HOUR)
        one, two = _on(_WEDNESDAY).at(entity, time), again.at(entity, time)
        assert (one.cell == two.cell).all()
        assert (one.moving == two.moving).all()
    assert day_number(_WEDNESDAY) > 0


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
