"""What scenario layers do to the network: faults, hazards, worse and sleeping cells, crowds."""

import datetime as dt
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.presence import presence_cell
from telco_pipeline.contracts.codes import ElementType, FaultKind, NotificationType
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, day_start, days
from telco_pipeline.generators import Inputs
from telco_pipeline.generators.alarm_faults import of_faults
from telco_pipeline.generators.wear import starts_before
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.state.exposure import OUTAGE, badness
from telco_pipeline.state.faults import (
    FAULT_KINDS,
    LONGEST,
    Faults,
    cells_hit,
    core_hit,
    faults_beginning,
    faults_on,
)
from telco_pipeline.state.hanging import Hanging
from telco_pipeline.state.hazards import hazard_of, strand_of
from telco_pipeline.state.hours import network_hours
from telco_pipeline.state.network import HOURS, NetworkDay
from telco_pipeline.state.plant import ELEMENT_TYPES
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world

FIRST = dt.date(2026, 1, 5)
NEXT = FIRST + dt.timedelta(days=1)
BEGINS = day_start(FIRST) + 17 * HOUR  # 18:00 local

Tree = dict[str, Any]


def layer(cast: Tree, *deeds: Tree, lasts: str = "4h", **more: Any) -> Layer:
    """Return a layer of one stage, from 18:00 local (17:00 UTC) of the first day on."""
    stage = {"name": "only", "lasts": lasts, "do": list(deeds)}
    if "spread" in more:
        stage["spread"] = more.pop("spread")
    tree = {
        "version": 1,
        "number": 7,
        "title": "A test",
        "story": "Something happens.",
        "kind": "network",
        "when": {"first": FIRST, "at": "18:00"},
        "cast": cast,
        "stages": [stage],
        **more,
    }
    return Layer.model_validate(tree)


@cache
def plain() -> Inputs:
    """Return a small world without any layer in which nothing breaks of itself."""
    return inputs_of(quiet())


def quiet(rate: float = 0.0) -> Any:
    config = small_world(subscribers=1500)
    network = config.network.model_copy(update={"fault_rate": rate})
    return config.model_copy(update={"network": network})


def world(*layers: Layer, like: Inputs | None = None) -> Inputs:
    """Return the same world with some layers."""
    base = like or plain()
    named = {f"layer_{place}": one for place, one in enumerate(layers)}
    return Inputs(with_layers(base.config, named), base.frames)


def state(inputs: Inputs, date: dt.date = FIRST) -> pl.DataFrame:
    return network_hours(inputs.plant, inputs.demand, inputs.faults(date), date, inputs.story)


def elements(*kinds: ElementType, number: int = 3, **more: Any) -> Tree:
    where = {"element_type": [str(kind) for kind in kinds]}
    return {"them": {"of": "network_elements", "where": where, "number": number, **more}}


def touch_of(inputs: Inputs, name: str, date: dt.date = FIRST) -> Any:
    (touch,) = inputs.story.on(date).of(name)
    return touch


def fields(faults: Faults) -> dict[str, list[Any]]:
    return {name: getattr(faults, name).tolist() for name in faults.__dataclass_fields__}


def around(inputs: Inputs, cells: np.ndarray) -> np.ndarray:
    """Return the cells whose load may change with that of some: themselves, takers, theirs."""
    found = np.unique(cells)
    for _ in range(2):
        takers = inputs.plant.takers[found]
        found = np.unique(np.append(found, takers[takers >= 0]))
    return found


# --- nothing without layers ----------------------------------------------------------------------


def test_without_layers_nothing_is_otherwise() -> None:
    inputs = inputs_of(quiet(5.0))
    for date in (FIRST, NEXT):
        bare = faults_on(inputs.plant, date)
        assert len(bare)
        assert fields(bare) == fields(faults_on(inputs.plant, date, inputs.story))
        hours = network_hours(inputs.plant, inputs.demand, bare, date)
        assert hours.equals(state(inputs, date))


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.POWER])
def test_every_target_breaks_at_its_element_from_its_start_to_its_end(kind: FaultKind) -> None:
    cast = elements(ElementType.ENB, ElementType.SITE_ROUTER, number=12)
    inputs = world(layer(cast, {"fault": {"who": "them", "kind": kind.name.lower()}}))
    found = faults_beginning(inputs.plant, FIRST, inputs.story)
    assert found.element.tolist() == sorted(touch_of(inputs, "fault").rows.tolist())
    assert set(found.start) == set(found.impact) == {BEGINS}
    assert set(found.end) == {BEGINS + 4 * HOUR}
    assert (found.kind == FAULT_KINDS.index(kind)).all()
    assert (found.capacity == 0.0).all()
    assert (found.failure == 0.0).all()
    assert len(np.unique(found.fault_id)) == 12
    assert fields(faults_on(inputs.plant, FIRST, inputs.story)) == fields(found)
    assert not len(faults_beginning(inputs.plant, NEXT, inputs.story))
    row, cell = cells_hit(inputs.plant, found)
    assert set(row.tolist()) == set(range(12))
    hit = np.zeros((len(inputs.plant.rat), HOURS), dtype=np.bool_)
    hit[cell, 17:21] = True
    down = NetworkDay.of(state(inputs), inputs.plant.takers)
    assert ((down.fault >= 0) == hit).all()
    assert (down.has_outage == hit.any(axis=1)).all()


def test_what_no_fault_is_near_is_as_in_the_world_without() -> None:
    cast = elements(ElementType.ENB, number=2)
    inputs = world(layer(cast, {"fault": {"who": "them", "kind": "hardware"}}))
    _, cell = cells_hit(inputs.plant, inputs.faults(FIRST))
    far = np.setdiff1d(np.arange(len(inputs.plant.rat)), around(inputs, cell))
    far_ids = inputs.frames["cells"]["cell_id"].gather(far).implode()
    assert len(far) > 100
    with_it, without = state(inputs), state(plain())
    apart = pl.col("cell_id").is_in(far_ids)
    assert with_it.filter(apart).equals(without.filter(apart))
    assert not with_it.equals(without)
    assert state(inputs, NEXT).equals(state(plain(), NEXT))


def test_a_fault_of_weeks_is_found_on_each_of_its_days() -> None:
    cast = elements(ElementType.SITE_ROUTER, number=2)
    deed = {"fault": {"who": "them", "kind": "backhaul"}}
    inputs = world(layer(cast, deed, lasts="3w"))
    begun = faults_beginning(inputs.plant, FIRST, inputs.story)
    assert (begun.end - begun.start > LONGEST * DAY).all()
    for date in days(FIRST, 22):
        assert fields(inputs.faults(date)) == fields(begun)
    last = FIRST + dt.timedelta(days=21)
    assert not len(inputs.faults(last + dt.timedelta(days=1)))
    # Its alarms stay open, are cleared at its end, and no id comes twice.
    notes = [make_day(inputs, "alarms", date) for date in (FIRST, NEXT, last)]
    raised, middle, cleared = (
        dict(
            note.filter(pl.col("specific_problem") == "Cell out of service")
            .group_by("notification_type")
            .len()
            .iter_rows()
        )
        for note in notes
    )
    cells = len(np.unique(cells_hit(inputs.plant, begun)[1]))
    assert raised[NotificationType.NEW] == cells
    assert NotificationType.CLEARED not in raised
    assert NotificationType.NEW not in middle
    assert NotificationType.CLEARED not in middle
    assert cleared[NotificationType.CLEARED] == cells
    ids = pl.concat(note["event_id"] for note in notes)
    assert ids.is_unique().all()
    gone = set(notes[0]["alarm_id"]) & set(notes[2]["alarm_id"])
    assert len(gone) >= cells


def test_what_lasts_weeks_starts_anew_when_it_is_over() -> None:
    inputs = world(
        layer(
            elements(ElementType.ENB), {"fault": {"who": "them", "kind": "software"}}, lasts="10w"
        )
    )
    over = FIRST + dt.timedelta(days=70)
    rows = touch_of(inputs, "fault").rows
    for after in (1, 5):
        element, slot = starts_before(inputs.day(over + dt.timedelta(days=after)))
        mine = np.isin(element, rows)
        assert sorted(element[mine]) == rows.tolist()
        assert (slot[mine] == (17 * 12) - after * 288).all()


def test_a_part_of_the_capacity_can_be_left_and_a_cause_given() -> None:
    cast = {"them": {"of": "cells", "number": 5}}
    deed = {
        "who": "them", "kind": "hardware", "out": False, "left": 0.25, "failures": 0.1, "cause": 71,
    }  # fmt: skip
    inputs = world(layer(cast, {"fault": deed}))
    found = inputs.faults(FIRST)
    assert sorted(found.cell.tolist()) == touch_of(inputs, "fault").rows.tolist()
    assert (inputs.plant.station[found.cell] == found.element).all()
    assert set(found.capacity) == {0.25}
    assert set(found.failure) == {0.1}
    assert set(found.cause) == {71}
    rows = state(inputs).filter(pl.col("fault_id").is_not_null())
    assert rows["status"].unique().to_list() == ["degraded"]
    whole = state(plain()).join(rows.select("cell_id", "event_time"), on=["cell_id", "event_time"])
    assert rows["capacity"].to_list() == pytest.approx((whole["capacity"] * 0.25).to_list(), abs=1)


def test_failures_alone_are_felt() -> None:
    cast = {"them": {"of": "sites", "number": 2}}
    deed = {"who": "them", "kind": "software", "out": False, "left": 1.0, "failures": 0.2}
    inputs = world(layer(cast, {"fault": deed}))
    _, cell = cells_hit(inputs.plant, inputs.faults(FIRST))
    assert set(inputs.plant.site[cell]) == set(touch_of(inputs, "fault").rows)
    rows = state(inputs).filter(pl.col("fault_id").is_not_null())
    assert rows["block_probability"].min() > 0.2
    alarms = make_day(inputs, "alarms", FIRST)
    assert "Cell out of service" not in alarms["specific_problem"].to_list()


def test_a_core_element_fails_what_it_serves() -> None:
    cast = elements(ElementType.MME, number=1)
    for deed, failure in (({}, 1.0), ({"failures": 0.3}, 0.3), ({"out": False, "left": 0.9}, 0.1)):
        inputs = world(layer(cast, {"fault": {"who": "them", "kind": "core", **deed}}))
        found = inputs.faults(FIRST)
        assert found.capacity.tolist() == [1.0]
        assert found.failure.tolist() == pytest.approx([failure])
        assert not len(cells_hit(inputs.plant, found)[0])
        _, cell, _ = core_hit(inputs.plant, found)
        network = NetworkDay.of(state(inputs), inputs.plant.takers)
        assert (network.measures["signalling_failure"][cell, 18] >= np.float32(failure)).all()
        assert not network.has_outage.any()


def test_sites_without_mains_fall_when_their_batteries_are_empty() -> None:
    cast = {"them": {"of": "sites", "number": 12}}
    deed = {"fault": {"who": "them", "kind": "power"}}
    inputs = world(layer(cast, deed, lasts="6h", spread="3h"))
    plant, hanging = inputs.plant, Hanging.of(inputs.plant)
    touch, found = touch_of(inputs, "fault"), inputs.faults(FIRST)
    feeders = hanging.feeder[touch.rows]
    assert set(found.element) == set(hanging.root[feeders])
    assert len(found) == len(np.unique(feeders))
    battery = found.impact - found.start
    assert ((battery >= 2 * HOUR) & (battery < 4 * HOUR)).all()
    for site, start, end in zip(touch.rows, touch.start, touch.end, strict=True):
        one = found.select(found.element == hanging.root[hanging.feeder[site]])
        assert one.start[0] <= start
        assert one.end[0] >= end
    _, cell = cells_hit(plant, found)
    assert set(touch.rows.tolist()) <= set(plant.site[cell].tolist())


def test_cuts_of_one_feeder_that_overlap_are_one_fault() -> None:
    base, hanging = plain(), Hanging.of(plain().plant)
    sites = np.bincount(hanging.feeder)
    full = np.flatnonzero(hanging.feeder == np.argmax(sites))
    names = base.frames["sites"]["site_id"].gather(full).to_list()
    cast = {"them": {"of": "sites", "where": {"site_id": names}}}
    deed = {"fault": {"who": "them", "kind": "power"}}
    inputs = world(layer(cast, deed, lasts="10h", spread="8h"))
    touch, found = touch_of(inputs, "fault"), inputs.faults(FIRST)
    assert len(touch) == len(full) > 1
    assert found.start.tolist() == [touch.start.min()]
    assert found.end.tolist() == [inputs.story.whole(touch).end.max()]
    alarms = make_day(inputs, "alarms", FIRST)
    lost = alarms.filter(
        pl.col("specific_problem") == "Commercial power failure",
        pl.col("notification_type") == NotificationType.NEW,
    )
    assert lost.height == len(full)


def test_a_cut_where_there_is_no_site_is_a_fault_of_hardware() -> None:
    cast = elements(ElementType.MME, ElementType.ROUTER, number=3)
    inputs = world(layer(cast, {"fault": {"who": "them", "kind": "power"}}))
    found = inputs.faults(FIRST)
    assert found.is_kind(FaultKind.HARDWARE).all()
    assert set(found.cause) == {78}
    assert make_day(inputs, "alarms", FIRST).height
    assert make_day(inputs, "network_faults", FIRST).height == 3


def test_equal_faults_at_once_have_numbers_and_alarms_of_their_own() -> None:
    cast = elements(ElementType.ENB, number=2, fixed=True)
    deeds = [
        {"fault": {"who": "them", "kind": kind}} for kind in ("hardware", "hardware", "backhaul")
    ]
    inputs = world(layer(cast, *deeds))
    found = inputs.faults(FIRST)
    assert len(found) == len(np.unique(found.fault_id)) == 6
    assert set(hazard_of(found.number)) == {1}
    assert len(np.unique(strand_of(found.number))) == 3
    alarms = of_faults(inputs.day(FIRST))
    assert len(np.unique(alarms.number)) == len(alarms)
    notes = make_day(inputs, "alarms", FIRST)
    assert notes["event_id"].is_unique().all()


def test_what_begins_before_the_epoch_begins_with_it() -> None:
    cast = elements(ElementType.ENB, number=2)
    # Midnight here is an hour before midnight UTC.
    when = {"first": "0d", "at": "00:00"}
    inputs = world(layer(cast, {"fault": {"who": "them", "kind": "hardware"}}, when=when))
    epoch = inputs.config.epoch
    found = faults_beginning(inputs.plant, epoch, inputs.story)
    assert found.start.tolist() == [day_start(epoch)] * 2
    assert found.end.tolist() == [day_start(epoch) + 3 * HOUR] * 2
    assert not len(inputs.faults(epoch - dt.timedelta(days=1)))


def test_all_that_follows_from_a_fault_follows() -> None:
    cast = elements(ElementType.SITE_ROUTER, number=2)
    inputs = world(layer(cast, {"fault": {"who": "them", "kind": "backhaul"}}))
    fault = make_day(inputs, "network_faults", FIRST)
    assert fault.height == 2
    assert (fault["cells"] > 0).all()
    roots = make_day(inputs, "alarms", FIRST).filter(
        pl.col("specific_problem") == "Link down",
        pl.col("notification_type") == NotificationType.NEW,
    )
    assert roots.height == 2
    assert roots["root_cause"].all()
    lines, usual = (make_day(each, "network_logs", FIRST) for each in (inputs, plain()))
    new = lines.join(usual, on="event_id", how="anti")
    assert new["message"].str.contains("down|lost").any()
    silent = make_day(inputs, "element_metrics", FIRST).filter(
        pl.col("element_id").is_in(fault["element_id"].implode())
    )
    assert silent.height == 2 * (288 - 48)


# --- hazards --------------------------------------------------------------------------------------


def test_more_hazard_adds_faults_within_its_time_and_keeps_the_others() -> None:
    base = inputs_of(quiet(3.0))
    cast = {"them": {"of": "sites", "share": 0.5}}
    deed = {"hazard": {"who": "them", "factor": 200, "of": ["hardware", "power"]}}
    inputs = world(layer(cast, deed, lasts="5h"), like=base)
    plant, touch = inputs.plant, touch_of(inputs, "hazard")
    usual = faults_beginning(base.plant, FIRST)
    more = faults_beginning(plant, FIRST, inputs.story)
    assert set(usual.number) <= set(more.number)
    kept = more.select(np.isin(more.number, usual.number))
    assert fields(kept) == fields(usual)
    added = more.select(~np.isin(more.number, usual.number))
    assert ((added.start >= BEGINS) & (added.start < BEGINS + 5 * HOUR)).all()
    assert {FAULT_KINDS[kind] for kind in added.kind} == {FaultKind.HARDWARE, FaultKind.POWER}
    hanging = Hanging.of(plant)
    site = plant.element_site[added.element]
    cut = added.is_kind(FaultKind.POWER)
    assert np.isin(site[~cut], touch.rows).all()
    assert np.isin(hanging.feeder[site[cut]], hanging.feeder[touch.rows]).all()
    assert len(np.unique(more.number)) == len(more)
    # Stations and carriers break 0.07 times a month and unit of either; a day's part is 5 / 24.
    assert len(added) > 20
    after = faults_beginning(plant, NEXT, inputs.story)
    assert fields(after) == fields(faults_beginning(base.plant, NEXT))


def test_a_factor_adds_what_it_says() -> None:
    base = inputs_of(quiet(1.0))
    cast = elements(ElementType.ENB, number=10_000)
    counts = {}
    for factor in (20, 40):
        deed = {"hazard": {"who": "them", "factor": factor, "of": ["software"]}}
        inputs = world(layer(cast, deed, lasts="10d"), like=base)
        whole = [faults_beginning(inputs.plant, date, inputs.story) for date in days(NEXT, 8)]
        station = np.isin(inputs.plant.kind, [ELEMENT_TYPES.index(ElementType.ENB)])
        mine = [one.select(station[one.element] & (hazard_of(one.number) == 3)) for one in whole]
        counts[factor] = sum(len(one) for one in mine)
        mean = 0.40 / 30 * factor * 8 * np.count_nonzero(station)
        assert abs(counts[factor] - mean) < 0.15 * mean + 5 * np.sqrt(mean)
    assert counts[40] > 1.5 * counts[20]


def test_no_hazard_spares_what_would_break() -> None:
    base = inputs_of(quiet(10.0))
    cast = {"them": {"of": "sites"}}
    inputs = world(layer(cast, {"hazard": {"who": "them", "factor": 0}}, lasts="4h"), like=base)
    usual = faults_beginning(base.plant, FIRST)
    less = faults_beginning(inputs.plant, FIRST, inputs.story)
    spared = usual.select(~np.isin(usual.number, less.number))
    assert len(spared)
    assert ((spared.start >= BEGINS) & (spared.start < BEGINS + 4 * HOUR)).all()
    assert set(less.number) < set(usual.number)
    still = less.select((less.start >= BEGINS) & (less.start < BEGINS + 4 * HOUR))
    assert (base.plant.element_site[still.element] < 0).all()


# --- worse cells, and cells that sleep ------------------------------------------------------------


def test_a_worse_cell_says_so_in_its_figures_and_names_no_fault() -> None:
    cast = {"them": {"of": "cells", "number": 6}}
    deed = {
        "who": "them", "capacity": 0.5, "blocks": 0.1, "drops": 0.05, "handovers": 0.2,
        "latency": 30, "loss": 2,
    }  # fmt: skip
    inputs = world(layer(cast, {"degrade": deed}))
    rows = touch_of(inputs, "degrade").rows
    found, usual = state(inputs), state(plain())
    ids = inputs.frames["cells"]["cell_id"].gather(rows).implode()
    hours = pl.col("event_time").dt.hour().is_between(17, 20)
    mine = pl.col("cell_id").is_in(ids) & hours
    bad, good = found.filter(mine), usual.filter(mine)
    assert bad.height == 24
    assert bad["status"].unique().to_list() == ["degraded"]
    assert bad["fault_id"].null_count() == bad.height
    assert bad["capacity"].to_list() == pytest.approx((good["capacity"] / 2).to_list(), abs=1)
    for name, least in (
        ("block_probability", 0.09),
        ("drop_probability", 0.045),
        ("handover_failure", 0.15),
        ("latency_added", 29.9),
        ("loss_added", 1.99),
    ):
        assert ((bad[name] - good[name]) >= least).all(), name
    far = np.setdiff1d(np.arange(len(inputs.plant.rat)), around(inputs, rows))
    apart = pl.col("cell_id").is_in(inputs.frames["cells"]["cell_id"].gather(far).implode())
    for some in (apart, ~hours):
        assert found.filter(some).equals(usual.filter(some))
    assert not make_day(inputs, "network_faults", FIRST).height


def test_worse_comes_and_goes_slowly() -> None:
    cast = {"them": {"of": "cells", "number": 1}}
    deed = {"who": "them", "blocks": 0.4, "ramp": "2h", "fade": "2h"}
    inputs = world(layer(cast, {"degrade": deed}))
    (row,) = touch_of(inputs, "degrade").rows
    blocks = NetworkDay.of(state(inputs), inputs.plant.takers).measures["block_probability"][row]
    usual = NetworkDay.of(state(plain()), inputs.plant.takers).measures["block_probability"][row]
    added = 1 - (1 - blocks[17:21]) / (1 - usual[17:21])
    assert added.tolist() == pytest.approx([0.1, 0.3, 0.3, 0.1], abs=1e-3)


def test_the_traffic_of_lost_coverage_goes_to_what_takes_over() -> None:
    cast = {"them": {"of": "cells", "where": {"rat_type": "EUTRAN"}, "number": 60}}
    inputs = world(layer(cast, {"degrade": {"who": "them", "coverage": 0.25}}))
    rows = touch_of(inputs, "degrade").rows
    found, usual = (
        NetworkDay.of(state(each), inputs.plant.takers).measures["demand"].astype(np.float64)
        for each in (inputs, plain())
    )
    hours = slice(17, 21)
    takers = np.unique(inputs.plant.takers[rows])
    alone = np.setdiff1d(rows, takers)
    busy = usual[alone, hours].min(axis=1) > 20
    assert busy.sum() >= 3
    ratio = found[alone[busy], hours] / usual[alone[busy], hours]
    assert np.median(ratio) == pytest.approx(0.25, abs=0.03)
    assert ratio.max() < 1
    takers = np.setdiff1d(takers[takers >= 0], rows)
    assert (found[takers, hours] >= usual[takers, hours] - 1).all()
    gained = (found - usual)[takers, hours].sum()
    lost = (usual - found)[rows, hours].sum()
    assert 0.5 * lost < gained < lost, "a part of it is out of their reach"
    mine = pl.col("cell_id").is_in(inputs.frames["cells"]["cell_id"].gather(rows).implode())
    bad = state(inputs).filter(mine, pl.col("event_time").dt.hour().is_between(17, 20))
    assert bad["status"].unique().to_list() == ["degraded"]
    assert bad["fault_id"].null_count() == bad.height
    assert not make_day(inputs, "network_faults", FIRST).height
    alarms, before = (make_day(each, "alarms", FIRST) for each in (inputs, plain()))
    assert not alarms.filter(mine).join(before, on="event_id", how="anti").height
    far = np.setdiff1d(np.arange(len(inputs.plant.rat)), around(inputs, rows))
    assert (found[far] == usual[far]).all()
    assert (found[:, :17] == usual[:, :17]).all()
    assert (found[:, 21:] == usual[:, 21:]).all()


def test_coverage_shrinks_slowly_factors_multiply_and_the_day_knows() -> None:
    cast = {"them": {"of": "cells", "number": 1, "fixed": True}, "same": {"of": "cells"}}
    cast["same"]["within"] = "them"
    deeds = (
        {"degrade": {"who": "them", "coverage": 0.2, "ramp": "2h"}},
        {"degrade": {"who": "same", "coverage": 0.5}},
    )
    inputs = world(layer(cast, *deeds))
    first, *_ = inputs.story.on(FIRST).of("degrade")
    network = inputs.day(FIRST).network
    assert network.coverage is not None
    left = network.coverage.left
    assert left[first.rows[0], 16:22].tolist() == pytest.approx([1, 0.4, 0.2, 0.1, 0.1, 1])
    assert np.flatnonzero(network.coverage.less).tolist() == first.rows.tolist()
    assert np.flatnonzero(network.may_fail & ~network.has_outage).tolist() == first.rows.tolist()
    assert inputs.day(NEXT).network.coverage is None
    assert plain().day(FIRST).network.coverage is None
    whole = world(layer(cast, {"degrade": {"who": "them", "coverage": 1, "drops": 0.1}}))
    assert whole.day(FIRST).network.coverage is None


def test_customers_feel_that_a_cell_reaches_them_no_more() -> None:
    cast = {"them": {"of": "cells", "number": 3}}
    inputs = world(layer(cast, {"degrade": {"who": "them", "coverage": 0.4}}))
    rows = touch_of(inputs, "degrade").rows
    felt, usual = (badness(each.day(FIRST).network)[OUTAGE] for each in (inputs, plain()))
    more = (felt - usual)[rows, 17:21]
    takers = inputs.plant.takers[rows]
    part = np.where((takers >= 0).any(axis=1), 0.3, 0.6)
    assert (more == np.rint(part * 10_000)[:, None]).all()
    elsewhere = np.delete(felt - usual, rows, axis=0)
    assert (elsewhere == 0).all()


def test_a_sleeping_cell_serves_nobody_and_tells_nobody() -> None:
    cast = {"them": {"of": "cells", "number": 4}}
    inputs = world(layer(cast, {"sleep": {"who": "them"}}, lasts="90m"))
    rows = touch_of(inputs, "sleep").rows
    found = state(inputs)
    down = NetworkDay.of(found, inputs.plant.takers)
    assert np.flatnonzero(down.has_outage).tolist() == rows.tolist()
    assert (down.outage_start == 17 * HOUR).all()
    assert (down.outage_end == 17 * HOUR + 90 * MINUTE).all()
    assert (down.fault == -1).all()
    out = found.filter(pl.col("status") == "out of service")
    assert out.height == 8
    assert out["fault_id"].null_count() == 8
    ids = inputs.frames["cells"]["cell_id"].gather(rows).implode()
    alarms, usual = (make_day(each, "alarms", FIRST) for each in (inputs, plain()))
    assert not alarms.filter(pl.col("cell_id").is_in(ids)).height
    assert "Cell out of service" not in alarms["specific_problem"].to_list()
    # Takers that get full may say so; all else is as without.
    new = alarms.join(usual, on="event_id", how="anti")
    assert new["cell_id"].null_count() == 0
    assert not make_day(inputs, "network_faults", FIRST).height
    far = np.setdiff1d(np.arange(len(inputs.plant.rat)), around(inputs, rows))
    apart = pl.col("cell_id").is_in(inputs.frames["cells"]["cell_id"].gather(far).implode())
    assert found.filter(apart).equals(state(plain()).filter(apart))
    assert state(inputs, NEXT).equals(state(plain(), NEXT))


def test_a_cell_that_sleeps_a_part_of_the_time_wakes_up_each_day() -> None:
    cast = {"them": {"of": "cells", "number": 30}}
    deeds = [{"sleep": {"who": "them", "share": share}} for share in (1, 0.5)]
    whole, half = (world(layer(cast, one, lasts="54h")) for one in deeds)
    rows = touch_of(half, "sleep").rows
    assert rows.tolist() == touch_of(whole, "sleep").rows.tolist()
    down, longest = np.zeros((len(rows), 4 * HOURS * 60), dtype=np.bool_), []
    for number in range(4):
        date = FIRST + dt.timedelta(days=number)
        frame = state(half, date).filter(pl.col("unavailable_from").is_not_null())
        longest.append(NetworkDay.of(state(whole, date), half.plant.takers).has_outage)
        position = dict(zip(half.frames["cells"]["cell_id"], range(10**6), strict=False))
        told = frame.select("cell_id", "event_time", "unavailable_from", "unavailable_until")
        for cell, time, first, until in told.iter_rows():
            place = int(np.searchsorted(rows, position[cell]))
            assert rows[place] == position[cell]
            hour = (number * HOURS + time.hour) * 60
            down[place, hour + first : hour + until] = True
    assert all(one[rows].all() for one in longest[:3])
    begins = 17 * 60
    assert not down[:, :begins].any()
    assert not down[:, begins + 54 * 60 :].any()
    # The half of each 24 hours, and of the six hours that are left, at one stretch (up to a
    # minute: what is felt is felt from the next one on).
    for start, length in ((0, 24), (24, 24), (48, 6)):
        period = down[:, begins + start * 60 : begins + (start + length) * 60]
        assert (np.abs(period.sum(axis=1) - length * 30) <= 1).all()
        assert (np.abs(np.diff(period.astype(int), axis=1)).sum(axis=1) <= 2).all()
        begun = np.argmax(period, axis=1)
        assert begun.max() - begun.min() > length * 15, "each at a time of its own"
    days = [down[0, begins + start * 60 :][: 24 * 60] for start in (0, 24)]
    assert np.argmax(days[0]) != np.argmax(days[1]), "and at another one the next day"


def test_a_cell_with_no_share_of_sleep_stays_awake() -> None:
    cast = {"them": {"of": "cells", "number": 3}}
    inputs = world(layer(cast, {"sleep": {"who": "them", "share": 0}}, lasts="54h"))
    assert len(touch_of(inputs, "sleep").rows) == 3
    assert state(inputs).equals(state(plain()))


def test_a_fault_that_takes_a_sleeping_cell_down_is_named() -> None:
    cells = {"of": "cells", "number": 1, "fixed": True}
    cast = {"all": cells, "them": {"of": "cells", "within": "all"}}
    deeds = ({"sleep": {"who": "them"}}, {"degrade": {"who": "them", "blocks": 0.5}})
    inputs = world(layer(cast, *deeds))
    (row,) = touch_of(inputs, "sleep").rows
    start = day_start(FIRST) + 19 * HOUR
    column = {
        "number": 7, "kind": 0, "start": start, "impact": start, "end": start + HOUR, "cell": row,
        "element": int(inputs.plant.station[row]), "capacity": 0.0, "failure": 0.0, "cause": 80,
    }  # fmt: skip
    for capacity, named in ((0.0, [19]), (0.5, [])):
        column["capacity"] = capacity
        fault = Faults.of(1, [{name: np.array([value]) for name, value in column.items()}])
        frame = network_hours(inputs.plant, inputs.demand, fault, FIRST, inputs.story)
        down = NetworkDay.of(frame, inputs.plant.takers)
        assert np.flatnonzero(down.fault[row] >= 0).tolist() == named
        assert down.outage_start.tolist() == [17 * HOUR]
        assert down.outage_end.tolist() == [21 * HOUR]


# --- crowds ---------------------------------------------------------------------------------------


def offered(inputs: Inputs, date: dt.date = FIRST) -> np.ndarray:
    """Return what is offered, without the noise of the day."""
    plain_, story = inputs.demand._usual(date), inputs.story.on(date)
    return plain_ + (inputs.demand._moved(story) if story else 0.0)


def people(number: int) -> Tree:
    return {"them": {"of": "subscribers", "number": number}}


def test_a_crowd_brings_its_load_along_and_leaves_none_behind() -> None:
    cast = {"venue": {"of": "cells", "number": 2}, **people(150)}
    inputs = world(layer(cast, {"presence": {"who": "them", "at": "venue"}}))
    touch = touch_of(inputs, "presence")
    joined = touch.rows < inputs.config.joined_by(FIRST)
    change = offered(inputs) - offered(plain())
    hours = np.zeros(HOURS, dtype=np.bool_)
    hours[17:21] = True
    assert (change[:, ~hours] == 0).all()
    population = inputs.population
    venue = presence_cell(touch)
    assert set(venue) <= set(touch.cells)
    usual = np.append(population.home[touch.rows], population.work[touch.rows])
    touched = np.union1d(venue, usual[usual >= 0])
    assert (np.delete(change, touched, axis=0) == 0).all()
    only_there = np.setdiff1d(np.unique(venue[joined]), usual)
    assert (change[only_there, 17:21] > 0).all()
    left = np.setdiff1d(population.home[touch.rows[joined]], venue)
    assert (change[left, 17:21] <= 0).all()
    assert change[left, 17:21].sum() < 0
    # What one place gets, others lose.
    assert abs(change.sum()) < 1e-6 * offered(inputs).sum()
    # The demand that stands in the state follows.
    found, before = (
        NetworkDay.of(state(each), inputs.plant.takers).measures["demand"]
        for each in (inputs, plain())
    )
    assert (found[only_there, 17:21] > before[only_there, 17:21]).all()
    assert (found[:, :17] == before[:, :17]).all()


def test_who_is_abroad_brings_nothing() -> None:
    inputs = world(layer(people(100), {"roaming": {"who": "them", "country": "FR"}}))
    change = offered(inputs) - offered(plain())
    assert (change <= 0).all()
    assert change[:, 17:21].sum() < 0


def test_more_use_is_more_load_where_people_are() -> None:
    inputs = world(layer(people(100), {"usage": {"who": "them", "sessions": 3, "bytes": 2}}))
    idle = world(layer(people(100), {"usage": {"who": "them", "sessions": 0}}))
    assert touch_of(inputs, "usage").rows.tolist() == touch_of(idle, "usage").rows.tolist()
    more = offered(inputs) - offered(plain())
    less = offered(plain()) - offered(idle)
    assert less[:, 17:21].sum() > 0
    # Six times as much: five times what is missed when they do nothing.
    assert np.allclose(more, 5 * less, atol=0.01)
    assert (more >= 0).all()


def test_more_use_at_all_hours_alike_is_load_at_all_hours_alike() -> None:
    effect = {"who": "them", "sessions": 3, "evenly": True}
    inputs = world(layer(people(100), {"usage": effect}, lasts="3d"))
    usual = offered(plain(), NEXT)
    more = (offered(inputs, NEXT) - usual).sum(axis=0)
    assert more.min() > 0.95 * more.max()
    assert usual.sum(axis=0).min() < 0.5 * usual.sum(axis=0).max()


def test_a_part_of_a_crowd_brings_its_part_of_the_load() -> None:
    venue = {"venue": {"of": "cells", "number": 1}, **people(200)}
    deeds = [{"presence": {"who": "them", "at": "venue", "share": share}} for share in (1, 0.4)]
    whole, part = (world(layer(venue, one)) for one in deeds)
    (cell,) = touch_of(part, "presence").cells
    change = [(offered(one) - offered(plain()))[cell, 17:21].sum() for one in (whole, part)]
    assert 0.2 < change[1] / change[0] < 0.6


def test_the_later_place_holds() -> None:
    first, then = ({"of": "cells", "number": 1}, {"of": "cells", "number": 1})
    cast = {"first": first, "then": {**then, "outside": ["first"]}, **people(60)}
    tree = layer(cast, {"presence": {"who": "them", "at": "first"}}).to_dict()
    tree["stages"].append(
        {
            "name": "later",
            "after": "2h",
            "lasts": "1h",
            "do": [{"presence": {"who": "them", "at": "then"}}],
        }
    )
    inputs = world(Layer.model_validate(tree))
    earlier, later = inputs.story.on(FIRST).of("presence")
    change = offered(inputs) - offered(plain())
    here, there = change[earlier.cells[0]], change[later.cells[0]]
    assert (here[[17, 18, 20]] > 0).all()
    assert here[19] <= 0
    assert there[19] > 0
    assert (there[[17, 18, 20]] <= 0).all()
    assert abs(change.sum()) < 1e-6 * offered(plain()).sum()
