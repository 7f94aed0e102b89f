"""A cell that has lost a part of its coverage: whom it reaches, and where the others are served."""

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.population import EUTRAN
from telco_pipeline.engine.calendar import HOUR, day_start
from telco_pipeline.engine.keys import rows_of
from telco_pipeline.generators.serving import service_back
from telco_pipeline.state.coverage import Coverage, distances
from telco_pipeline.state.network import HOURS, NetworkDay
from telco_pipeline_tests.generators.test_network_state import DATE, SOUND, world

FIRST, LAST = 9, 17
"""UTC hours in which coverage is missing."""
LEFT = 0.3
DATASETS = ("cdrs_data", "cdrs_voice", "cdrs_sms", "cdrs_ims", "location_updates")


def network(*cells: int, left: float = LEFT, lonely: bool = False) -> NetworkDay:
    """Return a sound network in which cells have a part of their coverage for some hours."""
    plant = world().inputs.plant
    sound = world().network(**SOUND)
    if not cells:
        return sound
    part = np.ones((len(plant.rat), HOURS))
    part[list(cells), FIRST:LAST] = left
    takers = plant.takers.copy()
    if lonely:
        takers[list(cells)] = -1
    return replace(sound, takers=takers, coverage=Coverage(plant.config.seed, plant.site, part))


@cache
def cell() -> int:
    return world().busiest()


@cache
def rows(name: str, *cells: int, left: float = LEFT) -> pl.DataFrame:
    return world().records(name, network(*cells, left=left))


def at_the_time(frame: pl.DataFrame) -> pl.DataFrame:
    start = dt.datetime.fromtimestamp(day_start(DATE) / 1e6, dt.UTC)
    limits = (start + dt.timedelta(hours=hour) for hour in (FIRST, LAST))
    return frame.filter(pl.col("event_time").is_between(*limits, closed="left"))


def far(frame: pl.DataFrame, row: int | np.ndarray) -> np.ndarray:
    """Return how far from the mast of a cell the subscribers of records stay."""
    known = pl.Series("subscriber_id", world().inputs.population.subscriber_id)
    entity = rows_of(frame["subscriber_id"], known)
    return distances(world().inputs.config.seed, entity, np.broadcast_to(row, entity.shape))


def test_who_is_far_from_the_mast_is_served_elsewhere_and_who_is_near_as_ever() -> None:
    names, takers = world().cells, world().inputs.plant.takers
    some = np.flatnonzero(world().inputs.cells.rat == EUTRAN)[::5]
    there = at_the_time(rows("cdrs_data")).filter(
        pl.col("cell_id").is_in(names.gather(some).implode()), pl.col("record_sequence_number") == 1
    )
    after = rows("cdrs_data", *some.tolist())
    row = rows_of(there["cell_id"], names)
    near = far(there, row) ** 2 < LEFT
    pairs = there.with_columns(near=near).unique(["subscriber_id", "cell_id"])
    assert pairs["near"].mean() == pytest.approx(LEFT, abs=0.05)
    both = there.with_columns(near=near, row=row).join(after, on="event_id", suffix="_after")
    assert both.height > 0.98 * there.height
    kept, gone = both.filter("near"), both.filter(~pl.col("near"))
    assert kept["cell_id"].equals(kept["cell_id_after"], check_names=False)
    beside = rows_of(gone["cell_id_after"], names)
    assert (takers[gone["row"].to_numpy()] == beside[:, None]).any(axis=1).all()
    served = at_the_time(after).filter(pl.col("cell_id").is_in(names.gather(some).implode()))
    first = served.filter(pl.col("record_sequence_number") == 1)
    at = rows_of(first["cell_id"], names)
    assert (far(first, at) ** 2 < LEFT).mean() > 0.9, "but for who is taken over from the same mast"


@pytest.mark.parametrize("name", DATASETS)
def test_nothing_else_changes(name: str) -> None:
    before, after = rows(name), rows(name, cell())
    mine = world().cells[cell()]
    met = at_the_time(before).filter(pl.col("cell_id") == mine)
    who = set(met["subscriber_id"])
    changed = pl.concat(
        [
            before.join(after, on=before.columns, how="anti", nulls_equal=True),
            after.join(before, on=before.columns, how="anti", nulls_equal=True),
        ]
    )
    assert changed.height > 0
    # The record of the other party tells of the cell, too.
    others = {"cdrs_voice": "other_cell_id"}.get(name)
    theirs = changed.filter(pl.col("subscriber_id").is_in(list(who)).not_())
    if others is not None:
        known = before.filter(pl.col(others) == mine)["call_reference"]
        theirs = theirs.filter(pl.col("call_reference").is_in(known.implode()).not_())
    # Who comes by on the way is seen in a cell beside.
    assert theirs.height <= 0.15 * changed.height
    start = dt.datetime.fromtimestamp((day_start(DATE) + FIRST * HOUR) / 1e6, dt.UTC)
    assert changed["event_time"].min() >= start - dt.timedelta(hours=1), "a session on the way"
    same = network(cell(), left=1.0)
    assert world().records(name, same).equals(before)


def test_updates_tell_a_smaller_cell() -> None:
    cells = world().inputs.cells
    some = np.flatnonzero(cells.rat == EUTRAN)[::3]
    usual, found = (
        at_the_time(rows("location_updates", *which))
        .filter(pl.col("cell_id").is_in(world().cells.gather(some).implode()))
        .select("event_id", "cell_id", advance="timing_advance")
        for which in ((), some.tolist())
    )
    assert 0.2 * usual.height < found.height < 0.9 * usual.height
    far_off = []
    for frame in (usual, found):
        row = rows_of(frame["cell_id"], world().cells)
        metres = frame["advance"].to_numpy() * 78.0
        far_off.append(metres > np.sqrt(LEFT) * cells.range_m[row])
    assert far_off[0].mean() > 0.4
    assert not far_off[1].any()


def test_where_nothing_takes_over_there_is_no_service_until_the_coverage_is_back() -> None:
    lonely = network(cell(), lonely=True)
    after = world().records("cdrs_data", lonely)
    there = at_the_time(rows("cdrs_data")).filter(pl.col("cell_id") == world().cells[cell()])
    beyond = there.filter(far(there, cell()) ** 2 >= LEFT)
    assert beyond.height > 10
    assert not after.filter(pl.col("event_id").is_in(beyond["event_id"].implode())).height
    entity = np.flatnonzero(
        distances(lonely.coverage.seed, np.arange(50), np.full(50, cell())) ** 2 >= LEFT
    )
    times, cells = np.full(len(entity), FIRST * HOUR + 7), np.full(len(entity), cell())
    assert (lonely.serving(cells, times, entity) == -1).all()
    assert (service_back(lonely, entity, cells, times) == LAST * HOUR).all()
    assert (lonely.serving(cells, np.full(len(entity), LAST * HOUR), entity) == cell()).all()


def test_cells_of_one_mast_lose_the_same_people() -> None:
    plant = world().inputs.plant
    takers = plant.takers[cell()].astype(np.int64)
    beside = takers[(takers >= 0) & (plant.site[takers] == plant.site[cell()])]
    assert beside.size
    both = network(cell(), *beside.tolist())
    assert both.coverage is not None
    entity, hour = np.arange(400), np.full(400, FIRST * HOUR)
    lost = both.is_lost(entity, np.full(400, cell()), hour)
    assert lost.mean() == pytest.approx(1 - LEFT, abs=0.1)
    for other in beside:
        asked = both.is_lost(entity, np.full(400, other), hour, np.full(400, cell()))
        assert (asked == lost).all()
    serving = both.serving(np.full(400, cell()), hour, entity)
    assert not np.isin(serving[lost], [cell(), *beside]).any()
    assert (serving[~lost] == cell()).all()
