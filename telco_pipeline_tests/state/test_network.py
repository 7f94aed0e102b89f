"""The network by cell and hour: demand, load, outages, take-over, and what a record asks."""

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, day_start
from telco_pipeline.generators import Inputs
from telco_pipeline.state.faults import Faults
from telco_pipeline.state.hours import network_hours
from telco_pipeline.state.load import BLOCK, DROP, blocking, quality
from telco_pipeline.state.network import HOURS, NEVER, NetworkDay, outages_of
from telco_pipeline_tests.generators.kit import inputs_of, small_world

THURSDAY = dt.date(2026, 1, 15)
SUNDAY = dt.date(2026, 1, 18)


@cache
def _inputs() -> Inputs:
    return inputs_of(small_world(subscribers=3000))


def _no_faults() -> Faults:
    return Faults.of(1, [])


def _fault(cell: int, first: int, last: int, capacity: float = 0.0, failure: float = 0.0) -> Faults:
    """Return one fault of a single cell, between two minutes of the day."""
    start = day_start(THURSDAY)
    plant = _inputs().plant
    column = {
        "number": [7],
        "kind": [0],
        "start": [start + first * MINUTE],
        "impact": [start + first * MINUTE],
        "end": [start + last * MINUTE],
        "element": [int(plant.station[cell])],
        "cell": [cell],
        "capacity": [capacity],
        "failure": [failure],
        "cause": [80],
    }
    return Faults.of(1, [{name: np.array(values) for name, values in column.items()}])


def _hours(faults: Faults, day: dt.date = THURSDAY) -> pl.DataFrame:
    inputs = _inputs()
    return network_hours(inputs.plant, inputs.demand, faults, day)


def _state(faults: Faults) -> NetworkDay:
    return NetworkDay.of(_hours(faults), _inputs().plant.takers)


# --- the model of load ---------------------------------------------------------------------


def test_blocking_is_that_of_a_full_queue() -> None:
    # M/M/1/K: rho**K (1 - rho) / (1 - rho**(K + 1)).
    for load, places in ((0.5, 3), (0.9, 40), (1.3, 40), (2.0, 10)):
        expected = load**places * (1 - load) / (1 - load ** (places + 1))
        assert blocking(load, places) == pytest.approx(expected, rel=1e-9)
    assert blocking(1.0, 40) == pytest.approx(1 / 41)
    assert blocking(0.0) == 0.0


@given(st.lists(st.floats(0.0, 6.0), min_size=2, max_size=50))
def test_more_load_is_never_better(loads: list[float]) -> None:
    found = quality(np.array(sorted(loads)))
    for worse in (found.prb_use, found.latency, found.loss, found.block, found.drop):
        assert (np.diff(worse) >= 0).all()
    assert (np.diff(found.throughput_factor) <= 0).all()
    assert (found.throughput_factor > 0).all()
    assert (found.block <= 1).all()


def test_an_empty_cell_is_healthy() -> None:
    found = quality(np.array([0.0, 0.3]))
    assert found.block[0] == BLOCK
    assert found.drop[0] == DROP
    assert (found.block < 0.01).all()
    assert found.loss.tolist() == [0.0, 0.0]


# --- demand --------------------------------------------------------------------------------


def test_the_busy_hour_loads_cells_as_they_are_dimensioned() -> None:
    frame = _hours(_no_faults())
    busiest = frame.group_by("cell_id").agg(pl.col("load").max())["load"]
    assert busiest.quantile(0.99) < 1.15
    assert busiest.max() > 0.6
    by_hour = frame.group_by("event_time").agg(pl.col("demand").sum()).sort("event_time")
    share = by_hour["demand"] / by_hour["demand"].sum()
    assert 0.055 < share.max() < 0.085
    assert share.arg_min() in (2, 3, 4)  # UTC: 03 to 05 h local


def test_offices_are_empty_on_sundays() -> None:
    inputs = _inputs()
    work = inputs.population.work[: inputs.config.subscribers]
    home = inputs.population.home[: inputs.config.subscribers]
    at_work = np.bincount(work[work >= 0], minlength=len(inputs.plant.rat))
    at_home = np.bincount(home, minlength=len(inputs.plant.rat))
    offices = np.flatnonzero((at_work >= 6) & (at_home <= 1))
    assert offices.size >= 5
    noon = slice(9, 15)
    week, sunday = inputs.demand.offered(THURSDAY), inputs.demand.offered(SUNDAY)
    assert sunday[offices, noon].sum() < 0.6 * week[offices, noon].sum()


def test_rows_do_not_depend_on_the_order_of_days() -> None:
    first = _hours(_no_faults())
    _hours(_no_faults(), SUNDAY)
    assert _hours(_no_faults()).equals(first)


def test_traffic_grows_with_the_base() -> None:
    demand = _inputs().demand
    config = demand.plant.config
    later = dt.date(2026, 12, 17)  # a Thursday too
    grown = config.joined_by(later) / config.joined_by(THURSDAY)
    ratio = demand.offered(later).sum() / demand.offered(THURSDAY).sum()
    assert ratio == pytest.approx(grown, rel=0.08)
    assert grown > 1.1


# --- faults --------------------------------------------------------------------------------


def _busy_cell() -> int:
    demand = _inputs().demand.offered(THURSDAY).sum(axis=1)
    takers = _inputs().plant.takers
    return int(np.argmax(np.where(takers[:, 1] >= 0, demand, 0)))


def test_a_dead_cell_is_carried_by_its_takers_and_nobody_else() -> None:
    cell = _busy_cell()
    healthy, broken = _hours(_no_faults()), _hours(_fault(cell, 600, 705))
    cells = len(_inputs().plant.rat)
    differs = [healthy[name].ne_missing(broken[name]).to_numpy() for name in healthy.columns]
    changed = np.flatnonzero(np.any(differs, axis=0))
    takers = _inputs().plant.takers[cell]
    near = {cell, *takers[takers >= 0].tolist()}
    # A taker that is full hands on what it cannot carry: one step further at most.
    reach = near | {int(t) for c in near for t in _inputs().plant.takers[c] if t >= 0}
    assert set((changed % cells).tolist()) <= reach
    assert set((changed // cells).tolist()) <= {10, 11}
    assert len(changed) > 2
    row = broken[10 * cells + cell]
    assert row["status"][0] == "out of service"
    assert (row["unavailable_from"][0], row["unavailable_until"][0]) == (0, 60)
    row = broken[11 * cells + cell]
    assert (row["unavailable_from"][0], row["unavailable_until"][0]) == (0, 45)
    extra = broken["load"] - healthy["load"]
    gained = [extra[10 * cells + int(t)] for t in takers if t >= 0]
    assert all(gain >= 0 for gain in gained)
    assert max(gained) > 0


def test_half_the_capacity_is_felt_in_that_cell() -> None:
    cell = _busy_cell()
    healthy = _state(_no_faults())
    halved = _state(_fault(cell, 0, 1440, capacity=0.5))
    load, before = halved.measures["load"][cell], healthy.measures["load"][cell]
    full = load >= 1.0
    assert np.allclose(load[~full], 2 * before[~full], atol=0.004)
    assert (
        halved.measures["throughput_factor"][cell] < healthy.measures["throughput_factor"][cell]
    ).all()
    takers = _inputs().plant.takers[cell]
    near = {cell, *takers[takers >= 0].tolist()}
    others = np.array([c for c in range(healthy.cells) if c not in near])
    for name in ("load", "block_probability", "drop_probability"):
        same = halved.measures[name][others] == healthy.measures[name][others]
        assert same.all()


def test_failures_are_added_in_the_hours_of_the_fault() -> None:
    cell = _busy_cell()
    broken = _state(_fault(cell, 300, 360, capacity=0.8, failure=0.05))
    healthy = _state(_no_faults())
    more = broken.measures["block_probability"][cell] - healthy.measures["block_probability"][cell]
    assert more[5] >= 0.049
    assert (np.delete(more, 5) == 0).all()
    assert broken.fault[cell, 5] >= 0
    assert (np.delete(broken.fault[cell], 5) == -1).all()


# --- what a record asks --------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 300)), max_size=4))
def test_outages_read_from_the_hours_are_those_that_were_laid(spans: list[tuple[int, int]]) -> None:
    down = np.zeros(1440, dtype=bool)
    for start, length in spans:
        down[start : start + length] = True
    first, until = np.full((1, HOURS), -1), np.full((1, HOURS), -1)
    for hour in range(HOURS):
        minutes = np.flatnonzero(down[hour * 60 : hour * 60 + 60])
        if minutes.size:  # the hull, as the state keeps one stretch an hour
            first[0, hour], until[0, hour] = minutes[0], minutes[-1] + 1
            down[hour * 60 + minutes[0] : hour * 60 + minutes[-1] + 1] = True
    has, cell, start, end = outages_of(first, until)
    assert has[0] == down.any()
    rebuilt = np.zeros(1440, dtype=bool)
    for a, b in zip(start, end, strict=True):
        rebuilt[a // MINUTE : b // MINUTE] = True
    assert (rebuilt == down).all()
    assert (cell == 0).all()
    assert (start[1:] > end[:-1]).all()


def test_a_record_finds_the_state_of_its_time() -> None:
    cell = _busy_cell()
    state = _state(_fault(cell, 600, 705))
    at = lambda minute: np.array([minute * MINUTE])  # noqa: E731
    one = np.array([cell])
    assert [bool(state.is_down(one, at(m))[0]) for m in (599, 600, 704, 705)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert state.next_outage(one, at(0))[0] == 600 * MINUTE
    assert state.next_outage(one, at(600))[0] == 600 * MINUTE
    assert state.next_outage(one, at(601))[0] == NEVER
    assert state.serving(one, at(500))[0] == cell
    assert state.serving(one, at(650))[0] == _inputs().plant.takers[cell, 0]
    late = state.at("load", one, np.array([DAY + 5 * HOUR]))
    assert late[0] == state.measures["load"][cell, HOURS - 1]


def test_nobody_serves_where_all_are_down() -> None:
    cell = _busy_cell()
    state = _state(_fault(cell, 600, 705))
    alone = replace(state, takers=np.full_like(state.takers, -1))
    assert alone.serving(np.array([cell]), np.array([650 * MINUTE]))[0] == -1


def test_an_unknown_measure_is_refused() -> None:
    with pytest.raises(KeyError, match="lod"):
        _state(_no_faults()).at("lod", np.array([0]), np.array([0]))


def test_takers_are_others_and_lie_near() -> None:
    plant = _inputs().plant
    cells = np.arange(len(plant.rat))
    for number in range(plant.takers.shape[1]):
        there = plant.takers[:, number] >= 0
        assert (plant.takers[there, number] != cells[there]).all()
    assert (plant.takers[:, 0] >= 0).mean() > 0.99
    elsewhere = [
        any(plant.site[t] != plant.site[c] for t in plant.takers[c] if t >= 0) for c in cells
    ]
    assert np.mean(elsewhere) > 0.97
