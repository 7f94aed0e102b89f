"""Where layers put SIMs: at a place in its time, on the way before and after, abroad."""

import datetime as dt
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from telco_pipeline.behaviour.absences import COUNTRIES, WEEK, sent, trips
from telco_pipeline.behaviour.mobility import Mobility
from telco_pipeline.behaviour.population import GERAN, MACHINE, NR, VISITOR
from telco_pipeline.behaviour.presence import Placed, placed_around, presence_cell
from telco_pipeline.engine.calendar import DAY as DAY_LENGTH
from telco_pipeline.engine.calendar import HOUR, SECOND, day_number, day_start
from telco_pipeline.generators import Inputs
from telco_pipeline.scenarios.story import layers_of
from telco_pipeline.state.spending import roaming, week_trips
from telco_pipeline_tests.behaviour.layered import DAY, PRESENCE, SPOT, layer, without, world

Rows = npt.NDArray[np.int64]

_ONE = dt.timedelta(days=1)
_DAYS = [DAY + offset * _ONE for offset in range(-1, 4)]
_SECONDS = 24 * 3600
_SPAIN = [code for code, _, _ in COUNTRIES].index("ES")


@cache
def _busy() -> Inputs:
    """Return a world in which many are wanted at several places, some of them at once."""
    crowd = {"spot": {"of": "places", "number": 1}}
    return world(
        a=layer(7, PRESENCE, cast=SPOT, people=300),
        b=layer(
            8, PRESENCE, cast=crowd, people=500, at="16:00", every="1d", lasts="8h", spread="2h"
        ),
        c=layer(
            9,
            [{"roaming": {"who": "them", "country": "ES"}}],
            people=500,
            at="10:00",
            every="2d",
            spread="5h",
        ),
    )


@cache
def _one_place() -> Inputs:
    return world(a=layer(7, PRESENCE, cast=SPOT, people=400))


@cache
def _abroad() -> Inputs:
    return world(a=layer(7, [{"roaming": {"who": "them", "country": "ES"}}], people=400))


def _everybody(inputs: Inputs) -> Rows:
    return np.arange(inputs.population.size)


def _placed(inputs: Inputs, day: dt.date) -> tuple[Placed, int]:
    return placed_around(inputs.story, inputs.population, day), day_number(day) * _SECONDS


def _at(mobility: Mobility, entity: Rows, second: int) -> Rows:
    return mobility.at(entity, np.full(len(entity), second * SECOND)).cell


def test_they_are_at_the_place_all_the_time() -> None:
    inputs = _one_place()
    (touch,) = inputs.story.on(DAY).of("presence")
    site = inputs.terrain.site
    spot = site[presence_cell(touch)]
    assert set(site[touch.cells]) == set(spot)
    assert len(set(spot)) == 2
    at_spot = []
    for day, seconds in ((DAY, range(1200, _SECONDS, 900)), (DAY + _ONE, range(0, 20_000, 900))):
        mobility = inputs.day(day).mobility
        for second in seconds:
            now = np.full(len(touch), second * SECOND)
            where = mobility.at(touch.rows, now)
            assert not where.moving.any()
            # A phone at rest is served by a neighbour now and then.
            at_spot.append((site[where.cell] == spot).mean())
    assert min(at_spot) > 0.85
    assert np.mean(at_spot) > 0.95


def test_of_a_share_some_are_there_and_others_where_they_would_be() -> None:
    deed = [{"presence": {"who": "them", "at": "spot", "share": 0.3}}]
    inputs = world(a=layer(7, deed, cast=SPOT, people=400))
    (touch,) = inputs.story.on(DAY).of("presence")
    (whole,) = _one_place().story.on(DAY).of("presence")
    # All are targets; those who go, go where they would with all others.
    assert touch.rows.tolist() == whole.rows.tolist()
    cell = presence_cell(touch)
    goes = cell >= 0
    assert 0.22 < goes.mean() < 0.38
    assert (cell[goes] == presence_cell(whole)[goes]).all()
    stays = np.setdiff1d(_everybody(inputs), touch.rows[goes])
    for day in _DAYS:
        one, other = inputs.day(day).mobility, without().day(day).mobility
        for second in range(0, _SECONDS, 3600):
            assert (_at(one, stays, second) == _at(other, stays, second)).all()
    site = inputs.terrain.site
    there = site[_at(inputs.day(DAY).mobility, touch.rows[goes], 40_000)] == site[cell[goes]]
    assert there.mean() > 0.9


def test_at_a_site_they_camp_on_what_their_device_speaks() -> None:
    inputs = _one_place()
    day = inputs.day(DAY)
    (touch,) = inputs.story.on(DAY).of("presence")
    cell = _at(day.mobility, touch.rows, 40_000)
    cells, device = inputs.cells.rat[cell], day.rat[touch.rows]
    assert (cells[device != NR] != NR).all()
    assert (cells[device == GERAN] == GERAN).all()
    assert (cells == NR).any()
    assert (cells != NR).any()


def test_before_and_after_they_are_where_they_would_be() -> None:
    inputs, usual = _one_place(), without()
    (touch,) = inputs.story.on(DAY).of("presence")
    everybody = _everybody(inputs)
    others = np.setdiff1d(everybody, touch.rows)
    for day in _DAYS:
        one, other = inputs.day(day).mobility, usual.day(day).mobility
        for second in range(0, _SECONDS, 1800):
            assert (_at(one, others, second) == _at(other, others, second)).all()
    # Long before and after, but who took a trip abroad that nobody can have taken now.
    rows, week = touch.rows, day_number(DAY) // WEEK
    leader = inputs.population.leader[rows]
    stays = rows[~trips(inputs.config, inputs.population, 0, week, leader).goes]
    assert len(stays) > 300
    for day, last, share in ((DAY - _ONE, 60_000, 0.98), (DAY + 2 * _ONE, _SECONDS, 1.0)):
        one, other = inputs.day(day).mobility, usual.day(day).mobility
        for second in range(0, last, 1800):
            same = _at(one, stays, second) == _at(other, stays, second)
            # A plan full of stops leaves out the shortest for the way to the place.
            assert same.mean() >= share
    ends = inputs.day(DAY + _ONE).mobility, usual.day(DAY + _ONE).mobility
    home = [_at(each, stays, _SECONDS - 1) for each in ends]
    assert (home[0] == home[1]).mean() > 0.99


@pytest.mark.parametrize("day", _DAYS)
def test_changes_and_handovers_tell_what_positions_tell(day: dt.date) -> None:
    inputs = _busy()
    mobility = inputs.day(day).mobility
    everybody = _everybody(inputs)
    who, time, cell, previous = mobility.crossings(everybody)
    assert (mobility.at(who, time).cell == cell).all()
    assert (mobility.at(who, time - SECOND).cell == previous).all()
    assert (np.diff(who * np.int64(2 * DAY_LENGTH) + time) > 0).all()
    start, end = np.zeros(len(everybody), np.int64), np.full(len(everybody), DAY_LENGTH - 1)
    row, when, *_ = mobility.changes(everybody, start, end)
    inside = time > 0
    assert (row == who[inside]).all()
    assert (when == time[inside]).all()
    count = np.bincount(row, minlength=len(everybody))
    assert (mobility.handovers(everybody, start, end) == count).all()


def test_two_days_agree_on_the_midnight_between_them() -> None:
    inputs, usual = _busy(), without()
    everybody = _everybody(inputs)
    late, early = np.full(len(everybody), DAY_LENGTH), np.zeros(len(everybody), dtype=np.int64)
    moving = 0
    for day in _DAYS:
        first, second = inputs.day(day).mobility, inputs.day(day + _ONE).mobility
        here = np.flatnonzero(first.present(everybody, late))
        # A new phone camps on other cells from midnight on, with layers or without.
        same = inputs.day(day).rat == inputs.day(day + _ONE).rat
        assert same.mean() > 0.99
        here = here[same[here]]
        one, other = first.at(everybody, late), second.at(everybody, early)
        assert (one.cell[here] == other.cell[here]).all()
        assert (one.moving[here] == other.moving[here]).all()
        moving += one.moving.sum()
        for offset in (-HOUR, -SECOND, 0, SECOND, HOUR):
            last, next_ = late + offset, early + offset
            assert (first.at(everybody, last).country == second.at(everybody, next_).country).all()
            off = first.switched_off(everybody, last)
            assert (off == second.switched_off(everybody, next_)).all()
    # Ways over midnight are one move.
    assert moving > 20
    assert not usual.day(DAY).mobility.at(everybody, late).moving.any()


def test_nobody_is_faster_than_a_train() -> None:
    inputs = _busy()
    terrain, everybody = inputs.terrain, _everybody(inputs)
    before = None
    for day in _DAYS:
        mobility = inputs.day(day).mobility
        for second in range(0, _SECONDS, 600):
            site = terrain.site[_at(mobility, everybody, second)]
            if before is not None:
                km = np.hypot(
                    terrain.east[site] - terrain.east[before],
                    terrain.north[site] - terrain.north[before],
                )
                # Ten minutes at 120 km/h, and from one edge of a cell to another's.
                assert km.max() < 20 + 30
            before = site


def test_who_never_moves_is_moved_by_a_layer_only() -> None:
    inputs = world(
        a=layer(7, PRESENCE, cast=SPOT, people=400, where={"persona": ["iot_meter"]}, lasts="5h")
    )
    (touch,) = inputs.story.on(DAY).of("presence")
    assert (inputs.population.kind[touch.rows] == MACHINE).all()
    mobility = inputs.day(DAY).mobility
    moved = np.unique(mobility.crossings(touch.rows)[0])
    assert len(moved) > 0.9 * len(touch)
    still = inputs.day(DAY + _ONE).mobility
    usual = np.unique(without().day(DAY + _ONE).mobility.crossings(touch.rows)[0])
    assert (np.unique(still.crossings(touch.rows)[0]) == usual).all()


def test_they_are_abroad_and_out_of_reach_at_the_borders() -> None:
    inputs = _abroad()
    (touch,) = inputs.story.on(DAY).of("roaming")
    sent_abroad = inputs.population.kind[touch.rows] != VISITOR
    rows, start = touch.rows[sent_abroad], touch.start[sent_abroad] - day_start(DAY)
    mobility = inputs.day(DAY).mobility
    assert sent_abroad.sum() > 300
    assert not sent_abroad.all()
    country = mobility.at(rows, np.full(len(rows), 12 * HOUR)).country
    assert (country == _SPAIN).all()
    guests = touch.rows[~sent_abroad]
    assert (mobility.at(guests, np.full(len(guests), 12 * HOUR)).country < 0).all()
    before, border = start - SECOND, start + 30 * 60 * SECOND
    assert (mobility.at(rows, before).country < 0).all()
    assert mobility.switched_off(rows, border).all()
    assert mobility.gone_abroad(rows, border).all()
    assert not mobility.gone_abroad(rows, before).any()
    wait = mobility.until_on(rows, border)
    assert ((wait > 0) & (wait <= 16 * HOUR)).all()
    on = np.flatnonzero(~mobility.switched_off(rows, before))
    assert (mobility.until_gone(rows[on], before[on]) <= SECOND).all()
    assert set(rows) <= set(mobility.may_go(_everybody(inputs)))
    tomorrow = inputs.day(DAY + _ONE).mobility
    (end,) = np.unique(touch.end[sent_abroad]) - day_start(DAY + _ONE)
    home = np.full(len(rows), end)
    assert (tomorrow.at(rows, home).country < 0).all()
    assert not tomorrow.gone_abroad(rows, home).any()
    assert tomorrow.switched_off(rows, home - SECOND).all()


def test_without_a_country_each_goes_to_one_of_his_own() -> None:
    inputs = world(a=layer(7, [{"roaming": {"who": "them"}}], people=400))
    placed, _ = _placed(inputs, DAY)
    found = np.bincount(placed.country, minlength=len(COUNTRIES)) / len(placed.country)
    usual = np.array([weight for _, _, weight in COUNTRIES])
    assert len(placed.country) > 300
    # Of 300 draws no share is farther from its own than four standard errors.
    expected = usual / usual.sum()
    assert (np.abs(found - expected) < 4 * np.sqrt(expected / 300) + 0.005).all()
    one = dict(zip(placed.entity.tolist(), placed.country.tolist(), strict=True))
    again, _ = _placed(inputs, DAY + _ONE)
    assert all(
        one[who] == country for who, country in zip(again.entity, again.country, strict=True)
    )


def test_others_go_abroad_as_they_would() -> None:
    inputs, usual = _abroad(), without()
    (touch,) = inputs.story.on(DAY).of("roaming")
    others = np.setdiff1d(_everybody(inputs), touch.rows)
    for day in _DAYS:
        one, other = inputs.day(day).mobility, usual.day(day).mobility
        for hour in range(24):
            now = np.full(len(others), hour * HOUR)
            assert (one.at(others, now).country == other.at(others, now).country).all()
            assert (one.switched_off(others, now) == other.switched_off(others, now)).all()


def test_the_state_knows_of_the_same_trips() -> None:
    inputs, today = _abroad(), day_number(DAY)
    config, population = inputs.config, inputs.population
    (touch,) = inputs.story.on(DAY).of("roaming")
    rows = touch.rows[population.kind[touch.rows] != VISITOR]
    placed, _ = _placed(inputs, DAY)
    away = week_trips(config, population, today, rows, placed)
    assert away.goes.all()
    assert (away.country == _SPAIN).all()
    (trip,) = sent(placed, today, rows)
    assert (away.out == trip.out).all()
    assert (away.back - away.leave == 30 * 3600).all()
    mobility = inputs.day(DAY).mobility
    assert (mobility.at(rows, trip.out * SECOND).country == _SPAIN).all()
    assert (mobility.at(rows, (trip.out - 1) * SECOND).country < 0).all()
    # Spain costs nothing extra; the United States do.
    far = world(a=layer(7, [{"roaming": {"who": "them", "country": "US"}}], people=400))
    month = dt.date(2026, 2, 1)
    there = placed_around(far.story, population, dt.date(2026, 1, 1), month)
    usual = roaming(config, population, month, rows)
    assert (roaming(config, population, month, rows, there) > usual).mean() > 0.9
    others = np.setdiff1d(_everybody(inputs), touch.rows)
    assert (
        roaming(config, population, month, others, there)
        == roaming(config, population, month, others)
    ).all()


def test_of_two_at_a_time_the_later_one_holds_then_the_higher() -> None:
    everybody = {"people": 3468, "cast": SPOT}
    inputs = world(
        low=layer(3, PRESENCE, lasts="20h", **everybody),
        high=layer(4, [{"roaming": {"who": "them", "country": "ES"}}], people=3468, lasts="5h"),
        later=layer(1, PRESENCE, lasts="2h", at="03:20", **everybody),
    )
    placed, start = _placed(inputs, DAY)
    person = int(placed.entity[placed.country >= 0][0])
    mine = placed.select(placed.entity == person)
    # Minutes of the local day less one hour; what is left of the first one holds again.
    assert ((mine.start - start) // 60).tolist() == [20, 140, 260, 320]
    assert ((mine.end - start) // 60).tolist() == [140, 260, 320, 1220]
    assert (mine.country == [_SPAIN, -1, _SPAIN, -1]).all()
    assert len(set(placed.entity)) > 3000


@pytest.mark.parametrize(
    ("deed", "stage", "told"),
    [
        ({"roaming": {"who": "them", "country": "XX"}}, {}, "nobody travels to 'XX': give one of"),
        (
            {"roaming": {"who": "them", "country": "ES"}},
            {"trigger": {"satisfaction": {"to": 0.3}}},
            "cannot be in a stage with a trigger",
        ),
    ],
)
def test_what_cannot_be_is_refused(deed: dict[str, Any], stage: dict[str, Any], told: str) -> None:
    right = layer(7, [{"roaming": {"who": "them", "country": "ES"}}]).to_dict()
    right["stages"][0] |= {"do": [deed], **stage}
    with pytest.raises(ValidationError, match=told):
        type(layers_of(_abroad().config)["a"]).model_validate(right)


def test_without_such_layers_nothing_is_looked_for() -> None:
    inputs = without()
    assert not len(placed_around(inputs.story, inputs.population, DAY))
    assert not len(placed_around(None, inputs.population, DAY))
    assert not inputs.story
