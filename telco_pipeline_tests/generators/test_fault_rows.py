"""Tests of the rows of `network_faults`."""

import datetime as dt
import itertools
from functools import cache

import numpy as np
import polars as pl

from telco_pipeline.contracts import state
from telco_pipeline.contracts.codes import FaultKind
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import Inputs, faults
from telco_pipeline.state.faults import cells_hit, core_hit, faults_beginning
from telco_pipeline_tests.generators.kit import inputs_of, small_world

FIRST = dt.date(2026, 3, 9)


@cache
def inputs() -> Inputs:
    """Return a small world that breaks ten times as often as usual."""
    config = small_world(subscribers=300)
    network = config.network.model_copy(update={"fault_rate": 10.0})
    return inputs_of(config.model_copy(update={"network": network}))


def rows(date: dt.date, start: int = 0, stop: int | None = None) -> pl.DataFrame:
    stop = inputs().plant.elements.height if stop is None else stop
    return faults.make(inputs(), date, Part(0, start, stop)).to_frame()


def test_rows_keep_the_contract():
    for number in range(10):
        date = FIRST + dt.timedelta(days=number)
        frame = rows(date)
        state.NETWORK_FAULTS.schema.validate(frame)
        assert frame.height > 20
        assert frame["event_time"].is_sorted()
        assert (frame["event_time"].dt.date() == date).all()
        assert (frame["event_time"] <= frame["impact_time"]).all()
        assert (frame["impact_time"] <= frame["end_time"]).all()


def test_parts_share_the_faults_by_their_root():
    elements = inputs().plant.elements["element_id"]
    cuts = [0, 100, 101, 400, elements.len()]
    pieces = []
    for start, stop in itertools.pairwise(cuts):
        piece = rows(FIRST, start, stop)
        assert piece["element_id"].is_in(elements[start:stop].implode()).all()
        pieces.append(piece)
    assert pl.concat(pieces).sort("fault_id").equals(rows(FIRST).sort("fault_id"))


def test_a_part_without_faults_has_no_rows():
    assert rows(FIRST, 3, 3).height == 0
    assert rows(FIRST, 3, 3).schema == state.NETWORK_FAULTS.polars_schema


def test_rows_say_what_the_state_says():
    plant, found = inputs().plant, faults_beginning(inputs().plant, FIRST)
    frame = rows(FIRST)
    assert frame["fault_id"].to_list() == found.fault_id.tolist()
    kinds = [str(kind) for kind in FaultKind]
    assert frame["fault_kind"].cast(pl.String).to_list() == [kinds[kind] for kind in found.kind]
    assert frame["cell_id"].is_null().to_list() == (found.cell < 0).tolist()
    suffering = np.bincount(cells_hit(plant, found)[0], minlength=len(found))
    suffering += np.bincount(core_hit(plant, found)[0], minlength=len(found))
    assert frame["cells"].to_list() == suffering.tolist()
    assert (frame.filter(pl.col("cell_id").is_not_null())["cells"] == 1).all()
    power = frame.filter(pl.col("fault_kind") == "power")
    bridged = pl.col("impact_time") == pl.col("end_time")
    assert (power.filter(bridged)["cells"] == 0).all()
    assert (power.filter(~bridged)["cells"] > 0).all()
