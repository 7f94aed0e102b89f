"""The country as a phone crosses it: nearest sites, cells of devices, ways."""

from functools import cache

import numpy as np

from telco_pipeline.behaviour.population import GERAN, RATS
from telco_pipeline.behaviour.terrain import (
    LTE,
    NEIGHBOURS,
    NEW_RADIO,
    OLD,
    PREFERENCE_OF_RAT,
    Terrain,
)
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine import draws
from telco_pipeline.world.network import Network, build_network
from telco_pipeline.world.places import build_places
from telco_pipeline.world.zoning import Use
from telco_pipeline_tests.generators.kit import small_world

_SITES = 800


@cache
def _world() -> tuple[Terrain, Network]:
    world = small_world()
    network = world.network.model_copy(update={"sites": _SITES})
    world = world.model_copy(update={"network": network})
    places = build_places(world)
    made = build_network(world, places)
    return Terrain.of(made.cells, made.sites, places), made


def _bits(count: int) -> np.ndarray:
    return draws.keys(draws.stream(1, "test"), np.arange(count))


def test_the_raster_finds_a_site_about_as_near_as_the_nearest() -> None:
    terrain, _ = _world()
    pixel = np.arange(0, terrain.width * terrain.height, 37)
    site = terrain.near(pixel, np.full(len(pixel), LTE), _bits(len(pixel)))
    row, column = np.divmod(pixel, terrain.width)
    east, north = terrain.west + column + 0.5, terrain.south + row + 0.5
    km = np.hypot(east[:, None] - terrain.east, north[:, None] - terrain.north)
    # A pixel's own corners, and the little that jump flooding overlooks.
    assert (km[np.arange(len(pixel)), site] - km.min(axis=1)).max() < 2.0


def test_every_site_serves_somebody() -> None:
    terrain, _ = _world()
    pixel = np.tile(np.arange(terrain.width * terrain.height), 8)
    site = terrain.near(pixel, np.full(len(pixel), LTE), _bits(len(pixel)))
    assert len(np.unique(site)) == _SITES


def test_devices_camp_on_cells_that_they_speak_with() -> None:
    terrain, network = _world()
    rat = network.cells["rat_type"].cast(str).to_numpy()
    pixel = np.arange(0, terrain.width * terrain.height, 11)
    for preference, served in (
        (NEW_RADIO, {"NR", "EUTRAN"}),
        (LTE, {"EUTRAN"}),
        (OLD, {str(RATS[GERAN])}),
    ):
        which = np.full(len(pixel), preference)
        site = terrain.near(pixel, which, _bits(len(pixel)))
        cell = terrain.camp(site, which, _bits(len(pixel)), Use.HOME)
        assert set(rat[cell]) == served
        assert (terrain.site[cell] == site).all()
    assert PREFERENCE_OF_RAT[RATS.index(Rat.NB_IOT)] == LTE


def test_neighbours_are_other_sites_near_by() -> None:
    terrain, _ = _world()
    site = np.arange(_SITES)
    beside = np.stack(
        [
            terrain.neighbour(site, np.full(_SITES, LTE), np.full(_SITES, n))
            for n in range(NEIGHBOURS)
        ]
    )
    assert (beside != site).all()
    assert all(len(set(column)) == NEIGHBOURS for column in beside.T)
    km = np.hypot(terrain.east[beside] - terrain.east, terrain.north[beside] - terrain.north)
    assert (np.diff(km, axis=0) >= 0).all()
    assert np.median(km[0]) < 5


def test_ways_have_no_gaps() -> None:
    """From step to step at most two pixels, from one site to the other."""
    terrain, _ = _world()
    key = _bits(2000)
    origin = draws.below(key, _SITES)
    target = draws.below(draws.bits(key, "target"), _SITES)
    apart = np.flatnonzero(origin != target)
    ways = terrain.ways(origin[apart], target[apart])
    assert 0.7 < ways.by_road.mean() < 1
    straight = np.hypot(
        terrain.east[ways.origin] - terrain.east[ways.target],
        terrain.north[ways.origin] - terrain.north[ways.target],
    )
    assert (ways.metres >= 1190 * straight - 1).all()
    steps = ways.steps
    rows = np.repeat(np.arange(len(steps)), steps)
    step = np.arange(len(rows)) - np.repeat(np.cumsum(steps) - steps, steps)
    pixel = terrain.pixel(*terrain.point_on_way(ways.select(rows), step))
    row, column = np.divmod(pixel, terrain.width)
    same = rows[1:] == rows[:-1]
    assert np.hypot(np.diff(row), np.diff(column))[same].max() <= 3
    first, last = np.cumsum(steps) - steps, np.cumsum(steps) - 1
    for end, site in ((first, ways.origin), (last, ways.target)):
        east = terrain.west + column[end] + 0.5 - terrain.east[site]
        north = terrain.south + row[end] + 0.5 - terrain.north[site]
        assert np.hypot(east, north).max() < 2.5


def test_a_cell_on_a_way_is_heard_there() -> None:
    """But for a few holes that the network leaves, whose nearest cell serves then."""
    terrain, _ = _world()
    key = _bits(3000)
    origin = draws.below(key, _SITES)
    target = draws.below(draws.bits(key, "target"), _SITES)
    ways = terrain.ways(origin, target)
    rows = np.repeat(np.arange(len(origin)), ways.steps)
    step = np.arange(len(rows)) - (np.cumsum(ways.steps) - ways.steps)[rows]
    path = ways.select(rows)
    east, north = terrain.point_on_way(path, step)
    for preference in (NEW_RADIO, LTE, OLD):
        cell = terrain.on_way(path, step, np.full(len(rows), preference), key[rows])
        assert terrain.heard(cell, east, north).mean() > 0.995
        assert terrain.heard(cell, east, north, 0.5).mean() > 0.98


def test_neighbours_at_rest_are_heard_at_the_place() -> None:
    terrain, _ = _world()
    place = np.repeat(np.arange(_SITES), NEIGHBOURS)
    number = np.tile(np.arange(NEIGHBOURS), _SITES)
    for preference in (NEW_RADIO, LTE, OLD):
        which = np.full(len(place), preference)
        beside = terrain.neighbour(place, which, number)
        cell, heard = terrain.beside_heard(place, beside, which, _bits(len(place)), Use.HOME)
        assert (terrain.site[cell] == beside).all()
        east, north = terrain.east[place], terrain.north[place]
        assert (terrain.heard(cell, east, north) == heard).all()
        assert heard[number < 2].mean() > 0.5


def test_ways_take_longer_the_longer_they_are() -> None:
    terrain, _ = _world()
    metres = np.arange(0, 400_000, 100)
    seconds = terrain.travel_seconds(metres)
    assert (np.diff(seconds) >= 0).all()
    speed = metres[10:] / seconds[10:] * 3.6
    assert speed[:10].max() < 12  # on foot and by bicycle
    assert 60 < speed[1000] < 90
    assert speed.max() < 95


def test_nothing_attracts_outside_the_country() -> None:
    terrain, _ = _world()
    inside = terrain.attraction.reshape(terrain.height, terrain.width) > 0
    assert not inside[0].any()
    assert not inside[:, 0].any()
    # 30,700 km2, and a few kilometres around its border.
    assert 28_000 < inside.sum() < 42_000
