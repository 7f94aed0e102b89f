"""Tests of what breaks in the network: hazards, faults, what hangs on what, the weather."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.population import GERAN, NR, Cells
from telco_pipeline.contracts.codes import ElementType, FaultKind
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, DayClock, day_start, days
from telco_pipeline.settings import load_world
from telco_pipeline.state import weather
from telco_pipeline.state.faults import (
    DATA,
    LONGEST,
    SIGNALLING,
    VOICE,
    Faults,
    cells_hit,
    core_hit,
    faults_beginning,
    faults_on,
)
from telco_pipeline.state.hanging import CORE_TYPES, SITES_PER_FEEDER, Hanging, members
from telco_pipeline.state.hazards import ALL_HAZARDS, HAZARDS
from telco_pipeline.state.plant import ELEMENT_TYPES, Plant
from telco_pipeline.world.network import build_network
from telco_pipeline.world.places import build_places

WORLD_FILE = Path(__file__).parents[1] / "golden" / "world.yaml"
FIRST = dt.date(2026, 3, 2)
MONTH = days(FIRST, 30)


@cache
def plant(fault_rate: float = 1.0, seed: int = 42) -> Plant:
    """Return the plant of a small world (160 sites)."""
    config = load_world(WORLD_FILE, subscribers=1000, seed=seed)
    network = config.network.model_copy(update={"fault_rate": fault_rate})
    config = config.model_copy(update={"network": network})
    built = build_network(config, build_places(config))
    return Plant.of(config, built, Cells.of(built))


@cache
def month() -> tuple[Faults, ...]:
    """Return the faults of each day of a month in a network that breaks ten times as often."""
    return tuple(faults_on(plant(10.0), date) for date in MONTH)


def fields(faults: Faults) -> dict[str, list[Any]]:
    return {name: getattr(faults, name).tolist() for name in faults.__dataclass_fields__}


def of_kind(kind: FaultKind) -> Faults:
    chosen = [faults.select(faults.is_kind(kind)) for faults in month()]
    return Faults(
        **{
            name: np.concatenate([getattr(faults, name) for faults in chosen])
            for name in Faults.__dataclass_fields__
        }
    )


def test_faults_are_a_function_of_seed_and_date():
    again = plant.__wrapped__(10.0)
    assert fields(faults_on(again, FIRST)) == fields(month()[0])
    other = faults_on(plant(10.0, 43), FIRST)
    assert set(other.number.tolist()) != set(month()[0].number.tolist())


def test_what_is_remembered_of_a_day_is_what_would_be_drawn_again():
    here = plant(10.0)
    first = faults_on(here, MONTH[9])
    first.start[:] = 0  # what somebody does to his copy reaches nobody else
    for date in reversed(MONTH[:15]):
        assert fields(faults_on(here, date)) == fields(faults_on(plant.__wrapped__(10.0), date))


def test_a_fault_that_lasts_is_the_same_on_the_next_day():
    lasting = 0
    for date, today, tomorrow in zip(MONTH, month(), month()[1:], strict=False):
        end = day_start(date) + DAY
        over = today.select(today.end > end)
        known = np.isin(tomorrow.number, over.number)
        kept = tomorrow.select(known)
        assert fields(kept) == fields(over)
        assert (tomorrow.start[~known] >= end).all()
        lasting += len(over)
    assert lasting > 100


def test_the_faults_of_a_day_are_those_that_touch_it():
    for date, faults in zip(MONTH, month(), strict=True):
        start = day_start(date)
        assert (faults.start < start + DAY).all()
        assert (faults.end > start).all()
        order = np.lexsort((faults.number, faults.start))
        assert (order == np.arange(len(faults))).all()
        assert len(np.unique(faults.fault_id)) == len(faults)
        began = faults.select(faults.start >= start)
        assert fields(began) == fields(faults_beginning(plant(10.0), date))


def test_no_fault_is_longer_than_the_look_back():
    for faults in month():
        assert (faults.start <= faults.impact).all()
        assert (faults.impact <= faults.end).all()
        assert (faults.start < faults.end).all()
        assert (faults.end - faults.start <= LONGEST * DAY).all()
    assert max(hazard.longest for hazard in ALL_HAZARDS) == LONGEST * DAY // MINUTE


def test_values_lie_in_their_ranges():
    for faults in month():
        assert ((faults.capacity >= 0) & (faults.capacity <= 1)).all()
        assert ((faults.failure >= 0) & (faults.failure <= 1)).all()
        assert (faults.cell[faults.cell >= 0] < plant().cells.height).all()
        one = faults.select(faults.cell >= 0)
        assert (plant().station[one.cell] == one.element).all()
        core = np.isin(faults.element, plant().elements_of(*CORE_TYPES))
        assert (faults.capacity[core] == 1.0).all()


def test_nothing_breaks_before_the_epoch_and_nothing_crosses_into_it():
    config = plant(10.0).config
    assert len(faults_on(plant(10.0), config.epoch - dt.timedelta(days=1))) == 0
    assert (faults_on(plant(10.0), config.epoch).start >= day_start(config.epoch)).all()


def test_without_a_fault_rate_nothing_ever_breaks():
    assert all(len(faults_on(plant(0.0), date)) == 0 for date in days(FIRST, 100))


def test_twice_the_rate_breaks_twice_as_often():
    counts = []
    for rate in (4.0, 8.0):
        faults = [faults_beginning(plant(rate), date) for date in days(FIRST, 20)]
        counts.append(sum(np.count_nonzero(one.kind != 5) for one in faults))
    assert 1.7 < counts[1] / counts[0] < 2.3


def test_cell_availability_is_that_of_practice():
    lost, degraded = 0, set()
    minutes = 30 * DAY * plant().cells.height
    for date in MONTH:
        faults, start = faults_on(plant(), date), day_start(date)
        row, cell = cells_hit(plant(), faults)
        length = np.minimum(faults.end, start + DAY) - np.maximum(faults.impact, start)
        length = np.maximum(length, 0)[row]
        out = faults.capacity[row] == 0
        lost += int(length[out].sum())
        degraded.update(cell[~out].tolist())
    assert 0.997 <= 1 - lost / minutes < 0.9996
    assert 0.01 < len(degraded) / plant().cells.height < 0.2


def test_a_power_cut_hits_all_sites_of_its_feeder():
    hanging, here = Hanging.of(plant()), plant()
    faults = of_kind(FaultKind.POWER)
    row, cell = cells_hit(here, faults)
    bridged = faults.impact == faults.end
    assert 0.6 < bridged.mean() < 0.98
    assert not bridged[row].any()
    for fault in np.flatnonzero(~bridged)[:20]:
        site = here.element_site[faults.element[fault]]
        sites = np.flatnonzero(hanging.feeder == hanging.feeder[site])
        assert set(cell[row == fault]) == set(np.flatnonzero(np.isin(here.site, sites)))
        assert faults.element[fault] == here.router[sites[0]]
        battery = faults.impact[fault] - faults.start[fault]
        assert 2 * HOUR <= battery < 4 * HOUR


def test_feeders_belong_to_one_place_each():
    hanging = Hanging.of(plant())
    sites = np.bincount(hanging.feeder)
    assert sites.max() <= SITES_PER_FEEDER
    for feeder in range(len(sites)):
        assert len(np.unique(plant().place[hanging.feeder == feeder])) == 1
    full = np.bincount(plant().place)
    assert len(sites) == np.sum(-(-full // SITES_PER_FEEDER))


def test_many_sites_hang_on_an_aggregation_router():
    faults = of_kind(FaultKind.BACKHAUL)
    row, cell = cells_hit(plant(), faults)
    at_site = plant().element_site[faults.element] >= 0
    for fault in range(len(faults)):
        hit = cell[row == fault]
        behind = plant().router if at_site[fault] else plant().aggregation
        assert set(hit) == set(np.flatnonzero(behind[plant().site] == faults.element[fault]))
    assert at_site.any()
    assert not at_site.all()


def test_a_controller_takes_its_base_stations_along():
    faults = of_kind(FaultKind.SOFTWARE)
    bsc = np.isin(faults.element, plant().elements_of(ElementType.BSC))
    assert bsc.any()
    row, cell = cells_hit(plant(), faults.select(bsc))
    assert len(cell) > 5
    assert (plant().rat[cell] == GERAN).all()
    assert set(row.tolist()) == set(range(int(bsc.sum())))


def test_core_faults_hit_the_cells_that_they_serve_and_take_no_capacity():
    faults = of_kind(FaultKind.CORE)
    assert len(cells_hit(plant(), faults)[0]) == 0
    row, cell, domain = core_hit(plant(), faults)
    assert set(domain.tolist()) == {VOICE, DATA, SIGNALLING}
    kinds = plant().kind[faults.element]
    for kind, expected, role in (
        (ElementType.MME, SIGNALLING, "mme"),
        (ElementType.PGW, DATA, "pgw"),
        (ElementType.S_CSCF, VOICE, "s_cscf"),
    ):
        found = np.flatnonzero(kinds == ELEMENT_TYPES.index(kind))
        assert found.size, kind
        for fault in found:
            mine = row == fault
            assert (domain[mine] == expected).all()
            assert (plant().serving[role][cell[mine]] == faults.element[fault]).all()
    assert (faults.failure > 0).all()


def test_registers_share_their_load_and_serve_all_cells():
    here = plant()
    element = here.elements_of(ElementType.UDM)
    position, cell, domain = Hanging.of(here).served(element)
    assert (domain == SIGNALLING).all()
    assert set(cell[position == 0]) == set(np.flatnonzero(here.rat == NR))
    assert (Hanging.of(here).pool[element] == len(element)).all()


def test_works_are_done_at_night():
    faults = of_kind(FaultKind.PLANNED_WORK)
    assert len(faults) > 50
    config = plant().config
    for start, end in zip(faults.start.tolist(), faults.end.tolist(), strict=True):
        date = dt.date(1970, 1, 1) + dt.timedelta(days=start // DAY)
        clock = DayClock(date, config.time_zone, config.country)
        first, _, _ = clock.local(np.array([start - day_start(date)]))
        last, _, _ = clock.local(np.array([end - day_start(date)]))
        assert first[0] < 5 * HOUR
        assert last[0] <= 5 * HOUR


def test_a_release_reaches_every_station_of_a_vendor_once_and_an_area_in_one_night():
    here = plant()
    hanging = Hanging.of(here)
    station, cell = np.unique(here.station, return_index=True)
    area = dict(zip(station.tolist(), hanging.area[cell].tolist(), strict=True))
    taken: dict[int, list[int]] = {}
    for number, date in enumerate(days(FIRST, 91)):
        faults = faults_beginning(here, date)
        release = ((faults.number & ((1 << 18) - 1)) >> 8) == 4
        for element in faults.element[release].tolist():
            taken.setdefault(element, []).append(number)
    # Two releases of one vendor can reach an area within 91 days, or none: turns differ by release.
    counts = [len(nights) for nights in taken.values()]
    assert 0.8 < sum(counts) / len(station) < 1.2
    together: dict[tuple[int, int, int], set[int]] = {}
    for element, nights in taken.items():
        for place, night in enumerate(nights):
            group = (int(here.vendor[element]), area[element], place)
            together.setdefault(group, set()).add(night)
    assert all(len(nights) == 1 for nights in together.values())


def test_old_hardware_breaks_more_often():
    here = plant(10.0)
    station = np.unique(here.station)
    old = here.age_days[station] > np.median(here.age_days[station])
    faults = [faults_beginning(here, date) for date in days(FIRST, 200)]
    broken = np.concatenate([one.element[one.is_kind(FaultKind.HARDWARE)] for one in faults])
    count = np.bincount(broken, minlength=len(here.kind))[station]
    assert count[old].mean() > 1.5 * count[~old].mean()


@pytest.mark.parametrize(
    "hazard", [one for one in HAZARDS if not one.wear], ids=lambda hazard: hazard.name
)
def test_every_kind_of_fault_happens_at_its_rate(hazard):
    here, span = plant(20.0), 60
    faults = [faults_beginning(here, date) for date in days(FIRST, span)]
    number = np.concatenate([one.number for one in faults])
    found = np.count_nonzero(((number & ((1 << 18) - 1)) >> 8) == hazard.number)
    units = {
        "feeders": len(Hanging.of(here).root),
        "aggregation": len(np.unique(here.aggregation)),
    }
    many = (
        units[hazard.units]
        if isinstance(hazard.units, str)
        else len(here.elements_of(*hazard.units))
    )
    storms = sum(weather.is_stormy(here.config, date) for date in days(FIRST, span))
    mean = hazard.rate * 20 / 30 * many * (span + storms * (hazard.storm - 1))
    assert abs(found - mean) < 5 * np.sqrt(mean)


def test_members_lists_each_group_in_order():
    groups = np.array([2, 0, -1, 2, 1])
    position, row = members(groups, np.array([2, -1, 5, 0, 2]))
    assert position.tolist() == [0, 0, 3, 4, 4]
    assert row.tolist() == [0, 3, 1, 0, 3]


def test_weather_follows_the_seasons():
    config = plant().config
    by_month: dict[int, list[float]] = {}
    spans = []
    for date in days(dt.date(2026, 1, 1), 730):
        degrees = weather.temperature(config, DayClock(date, config.time_zone, config.country))
        by_month.setdefault(date.month, []).append(degrees.mean())
        spans.append(degrees.max() - degrees.min())
    means = {month: float(np.mean(values)) for month, values in by_month.items()}
    assert 2 < means[1] < 6
    assert 16 < means[7] < 21
    assert 5 < np.mean(spans) < 10
    everything = np.array([value for values in by_month.values() for value in values])
    assert everything.max() > 24
    assert everything.min() < 0
    storms = sum(weather.is_stormy(config, date) for date in days(dt.date(2026, 1, 1), 3650))
    assert 30 < storms < 75


def test_stress_rises_in_heat_and_hard_frost():
    factor = weather.stress(np.array([-14.0, 0.0, 15.0, 32.0]))
    assert factor.tolist() == pytest.approx([1.6, 1.0, 1.0, 1.5])


def test_hosts_of_faults_are_elements_that_can_have_them():
    stations = set(plant().station.tolist())
    hardware = of_kind(FaultKind.HARDWARE)
    assert set(hardware.element.tolist()) <= stations
    kinds = plant().elements["element_type"].cast(pl.String)
    for kind, types in (
        (FaultKind.POWER, {"site router"}),
        (FaultKind.BACKHAUL, {"site router", "router"}),
    ):
        assert set(kinds.gather(of_kind(kind).element)) == types
