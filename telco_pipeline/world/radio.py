"""Radio sites: where they stand and what each carries.

Belongs here: positions, vendors, generations, tracking areas, ground. Does not belong here: cells
(`cells`), what stands behind the sites (`core`), load and faults, which vary by day.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.codes import CellClass
from telco_pipeline.contracts.world import SITES
from telco_pipeline.engine import draws
from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.places import Floats, degrees, plane, settled_population

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]

GENERATIONS: Final = ("gsm", "lte", "nr")
NODE_PREFIX: Final = {"gsm": "BTS", "lte": "ENB", "nr": "GNB"}
"""How the keys of base stations begin."""

_SUBSCRIBERS_PER_SITE: Final = 50
_AUTO_SITES: Final = (160, 5000)
_SITES_PER_AREA: Final = 40  # in one tracking area

_CANDIDATES_PER_SITE: Final = 6
_MIN_CANDIDATES: Final = 6000
_RURAL_EXPONENT: Final = 0.88  # sites per place grow with its inhabitants to this power
_NEIGHBOUR_PLACES: Final = 6
_JITTER_KM: Final = 0.5

# Share of the sites that are small cells (MICRO, PICO), where a city needs capacity, not reach.
_SMALL_CELLS: Final = {"dense": (0.14, 0.05), "suburban": (0.04, 0.0), "sparse": (0.0, 0.0)}

# Heights above sea level in metres (Nationaal Geografisch Instituut, rounded), from which the
# ground between them is interpolated.
_HEIGHTS: Final = np.array([
    (51.22, 2.92, 5), (51.09, 2.60, 4), (51.33, 3.20, 4), (51.21, 3.22, 8), (50.85, 2.88, 25),
    (50.83, 3.26, 18), (51.05, 3.72, 8), (50.61, 3.39, 30), (50.75, 3.60, 70), (51.22, 4.40, 8),
    (51.35, 4.64, 15), (51.32, 4.94, 25), (51.03, 4.48, 8), (50.85, 4.35, 45), (50.72, 4.40, 125),
    (50.88, 4.70, 30), (50.60, 4.33, 110), (50.72, 4.87, 90), (50.56, 4.69, 160), (50.45, 3.95, 45),
    (50.41, 4.44, 135), (50.34, 4.29, 160), (50.05, 4.31, 260), (50.10, 4.60, 300),
    (50.47, 4.87, 100), (50.26, 4.91, 170), (50.33, 5.22, 270), (50.16, 5.22, 230),
    (50.23, 5.34, 230), (50.93, 5.34, 40), (50.97, 5.50, 75), (51.18, 5.60, 45), (50.78, 5.46, 100),
    (50.82, 5.19, 60), (50.63, 5.57, 80), (50.74, 5.70, 110), (50.59, 5.86, 200),
    (50.63, 6.04, 280), (50.72, 6.02, 230), (50.52, 5.24, 120), (50.48, 5.68, 260),
    (50.50, 6.09, 660), (50.41, 6.22, 580), (50.43, 6.03, 370), (50.33, 6.30, 580),
    (50.28, 6.13, 470), (50.28, 5.80, 500), (50.25, 5.75, 600), (50.00, 5.72, 510),
    (50.03, 5.40, 450), (49.92, 5.38, 470), (49.79, 5.07, 330), (49.84, 5.43, 430),
    (49.68, 5.82, 390), (49.57, 5.53, 240), (49.70, 5.30, 340), (50.12, 6.10, 430),
])  # fmt: skip


@dataclass(frozen=True)
class Radio:
    """Everything decided about the sites, one array element per site, in order of their numbers.

    Neighbouring sites have neighbouring numbers, so a run of numbers is a compact area.

    Attributes:
        number: Number of the site, from 1.
        place: Row of the nearest place in the places frame.
        east: Position in km (`places.plane`).
        north: Position in km.
        density: Class of the surroundings: dense, suburban or sparse.
        cell_class: MACRO, MICRO or PICO.
        sectors: Number of sectors.
        vendor: Vendor of the radio equipment.
        age_days: Days from the first day on air to the epoch.
        area: Number of the tracking area, from 0.
        neighbours: Up to three nearest other sites (row numbers), one row per site.
        spacing_km: Mean distance of those.
        farthest_km: By generation: distance of the farthest land that has no nearer macro site of
            that generation; 0 for other sites.
        carries: By generation: whether the site has it.
        node_age_days: By generation: age of the base station's hardware on the epoch.
    """

    number: Integers
    place: Integers
    east: Floats
    north: Floats
    density: Texts
    cell_class: Texts
    sectors: Integers
    vendor: Texts
    age_days: Integers
    area: Integers
    neighbours: Integers
    spacing_km: Floats
    farthest_km: dict[str, Floats]
    carries: dict[str, Flags]
    node_age_days: dict[str, Integers]

    def __len__(self) -> int:
        return len(self.number)

    def ids(self, prefix: str) -> Texts:
        """Return one key per site, such as ``SR-00012``."""
        width = max(5, len(str(len(self))))
        return np.array([f"{prefix}{number:0{width}d}" for number in self.number.tolist()])


def site_count(config: WorldConfig) -> int:
    """Return the number of radio sites: as configured, or one per 50 SIMs (160 to 5,000)."""
    if config.network.sites != "auto":
        return int(config.network.sites)
    low, high = _AUTO_SITES
    return min(max(config.subscribers // _SUBSCRIBERS_PER_SITE, low), high)


def plan_radio(config: WorldConfig, places: pl.DataFrame) -> Radio:
    """Decide where sites stand and what each carries.

    Args:
        config: The world.
        places: Frame of `places.build_places`.
    """
    east, north = _positions(config, places)
    count = len(east)
    place = _nearest_places(east, north, places)
    density = places["density"].cast(pl.String).to_numpy()[place].astype(str)
    number = np.arange(1, count + 1)
    key = draws.keys(draws.stream(config.seed, "site"), number)
    cell_class = _cell_classes(draws.uniform(draws.bits(key, "class")), density)
    micro_pair = draws.chance(draws.bits(key, "sectors"), 0.6) & (cell_class == CellClass.MICRO)
    sectors = np.where(cell_class == CellClass.MACRO, 3, np.where(micro_pair, 2, 1))
    # Most sites date from the roll-outs of GSM and UMTS; some are younger.
    age = (300 + 10_200 * np.sqrt(draws.uniform(draws.bits(key, "built")))).astype(np.int64)
    neighbours, spacing = _neighbours(east, north)
    carries = _generations(config, key, density, cell_class)
    macro, land = cell_class == CellClass.MACRO, _candidates(config, places)
    areas = max(1, round(count / _SITES_PER_AREA))
    return Radio(
        number=number,
        place=place,
        east=east,
        north=north,
        density=density,
        cell_class=cell_class,
        sectors=sectors,
        vendor=_vendors(config, count),
        age_days=age,
        area=(number - 1) * areas // count,
        neighbours=neighbours,
        spacing_km=spacing,
        farthest_km={
            name: _farthest(east, north, np.flatnonzero(has & macro), *land)
            for name, has in carries.items()
        },
        carries=carries,
        node_age_days=_node_ages(key, age),
    )


def build_sites(config: WorldConfig, places: pl.DataFrame, radio: Radio) -> pl.DataFrame:
    """Return the radio sites in the columns of the `sites` contract, sorted by `site_id`."""
    latitude, longitude = degrees(radio.east, radio.north)
    sites = pl.DataFrame(
        {
            "site_id": radio.ids("S"),
            "place_id": places["place_id"].gather(radio.place),
            "latitude": latitude,
            "longitude": longitude,
            "ground_altitude": _ground(radio.east, radio.north),
            "vendor": radio.vendor,
            "router_id": radio.ids("SR-"),
            "built": dates_before(config.epoch, radio.age_days),
        }
    )
    return sites.select(SITES.columns).cast(SITES.polars_schema).sort("site_id")


def dates_before(epoch: dt.date, days: Integers) -> pl.Series:
    """Return the dates that lie `days` before the epoch."""
    return pl.Series(np.datetime64(epoch, "D") - days.astype("timedelta64[D]"))


def _positions(config: WorldConfig, places: pl.DataFrame) -> tuple[Floats, Floats]:
    """Place the sites: equal shares of candidate points, one site in the middle of each share."""
    east, north = _candidates(config, places)
    leaf = _shares(east, north, site_count(config))
    size = np.bincount(leaf)
    middle_east = (np.bincount(leaf, weights=east) / size)[leaf]
    middle_north = (np.bincount(leaf, weights=north) / size)[leaf]
    distance = np.hypot(east - middle_east, north - middle_north)
    order = np.lexsort((distance, leaf))
    chosen = order[np.flatnonzero(np.diff(leaf[order], prepend=-1))]
    latitude, longitude = degrees(east[chosen], north[chosen])
    return plane(np.clip(latitude, 49.45, 51.55), np.clip(longitude, 2.55, 6.45))


def _candidates(config: WorldConfig, places: pl.DataFrame) -> tuple[Floats, Floats]:
    """Draw points where a site may stand: between a place and the middle to one of its neighbours.

    On such lines there is land, which a plain jitter around the centre does not promise at the
    coast. A place has points by its inhabitants to the power 0.88, so the country keeps coverage.
    """
    place_east, place_north = plane(places["latitude"].to_numpy(), places["longitude"].to_numpy())
    weight = np.round(settled_population(places) ** _RURAL_EXPONENT, 6)
    total = max(_MIN_CANDIDATES, _CANDIDATES_PER_SITE * site_count(config))
    ends = np.floor(np.cumsum(weight) / weight.sum() * total + 0.5).astype(np.int64)
    counts = np.diff(ends, prepend=0)
    place = np.repeat(np.arange(len(places)), counts)
    index = np.arange(len(place)) - np.repeat(ends - counts, counts)
    geoname = places["place_id"].str.slice(2).cast(pl.Int64).to_numpy()
    place_key = draws.keys(draws.stream(config.seed, "site position"), geoname)
    key = draws.events(place_key[place], index)

    near = min(_NEIGHBOUR_PLACES, len(places) - 1)
    neighbours = nearest(place_east, place_north, near)[0]
    other = neighbours[place, draws.below(draws.bits(key, "neighbour"), near)]
    way = 0.5 * draws.uniform(draws.bits(key, "way"))
    jitter_east = (draws.uniform(draws.bits(key, "east")) - 0.5) * 2 * _JITTER_KM
    jitter_north = (draws.uniform(draws.bits(key, "north")) - 0.5) * 2 * _JITTER_KM
    return _within(
        config,
        place_east[place] + way * (place_east[other] - place_east[place]) + jitter_east,
        place_north[place] + way * (place_north[other] - place_north[place]) + jitter_north,
    )


def _within(config: WorldConfig, east: Floats, north: Floats) -> tuple[Floats, Floats]:
    """Return the points that lie within the world's bounds.

    Raises:
        TelcoError: They are too few for the sites.
    """
    box = None if config.bounds is None else config.bounds.box
    if box is None:
        return east, north
    latitude, longitude = degrees(east, north)
    (south, top), (west, right) = box
    inside = (south <= latitude) & (latitude <= top) & (west <= longitude) & (longitude <= right)
    if np.count_nonzero(inside) < site_count(config):
        raise TelcoError(
            f"bounds: {site_count(config):,} sites find no room within latitude {south:g} to "
            f"{top:g} and longitude {west:g} to {right:g}: widen the bounds, or plan fewer sites"
        )
    return east[inside], north[inside]


def _shares(east: Floats, north: Floats, shares: int) -> Integers:
    """Cut points into `shares` compact groups of nearly equal size; return each point's group.

    Halves again and again across the longer side (a k-d tree), so neighbouring groups mostly have
    neighbouring numbers.
    """
    group = np.zeros(len(east), np.int64)
    stack = [(np.arange(len(east)), 0, shares)]
    while stack:
        points, first, count = stack.pop()
        if count == 1:
            group[points] = first
            continue
        along = east if np.ptp(east[points]) > np.ptp(north[points]) else north
        points = points[np.argsort(along[points], kind="stable")]
        left = count // 2
        cut = len(points) * left // count
        stack.append((points[:cut], first, left))
        stack.append((points[cut:], first + left, count - left))
    return group


def nearest(east: Floats, north: Floats, count: int) -> tuple[Integers, Floats]:
    """Return the `count` nearest other points of each point, and their distances in km."""
    found = np.empty((len(east), count), np.int64)
    distances = np.empty((len(east), count))
    for start in range(0, len(east), 512):
        rows = np.arange(start, min(start + 512, len(east)))
        square = (east[rows, None] - east) ** 2 + (north[rows, None] - north) ** 2
        square[rows - start, rows] = np.inf
        some = np.argpartition(square, count - 1, axis=1)[:, :count]
        picked = np.take_along_axis(square, some, axis=1)
        order = np.lexsort((some, picked), axis=1)
        found[rows] = np.take_along_axis(some, order, axis=1)
        distances[rows] = np.sqrt(np.take_along_axis(picked, order, axis=1))
    return found, distances


def _neighbours(east: Floats, north: Floats) -> tuple[Integers, Floats]:
    """Return up to three nearest sites of each and their mean distance (30 km if alone)."""
    count = min(3, len(east) - 1)
    if count == 0:
        return np.empty((1, 0), np.int64), np.array([30.0])
    found, distances = nearest(east, north, count)
    return found, distances.mean(axis=1)


def _farthest(
    east: Floats, north: Floats, sites: Integers, land_east: Floats, land_north: Floats
) -> Floats:
    """Return how far the land reaches that has each of some sites as the nearest; else 0."""
    found = np.zeros(len(east))
    if not sites.size:
        return found
    for start in range(0, len(land_east), 512):
        points = slice(start, start + 512)
        square = (land_east[points, None] - east[sites]) ** 2
        square += (land_north[points, None] - north[sites]) ** 2
        chosen = square.argmin(axis=1)
        distance = np.sqrt(square[np.arange(len(chosen)), chosen])
        np.maximum.at(found, sites[chosen], distance)
    return found


def _nearest_places(east: Floats, north: Floats, places: pl.DataFrame) -> Integers:
    place_east, place_north = plane(places["latitude"].to_numpy(), places["longitude"].to_numpy())
    chosen = np.empty(len(east), np.int64)
    for start in range(0, len(east), 512):
        rows = slice(start, start + 512)
        square = (east[rows, None] - place_east) ** 2 + (north[rows, None] - place_north) ** 2
        chosen[rows] = square.argmin(axis=1)
    return chosen


def _cell_classes(draw: Floats, density: Texts) -> Texts:
    micro = np.array([_SMALL_CELLS[name][0] for name in density])
    pico = np.array([_SMALL_CELLS[name][1] for name in density])
    names = [CellClass.PICO, CellClass.MICRO]
    return np.select([draw < pico, draw < pico + micro], names, CellClass.MACRO)


def _vendors(config: WorldConfig, count: int) -> Texts:
    """Give out vendors in blocks of neighbouring sites, so that each has regions of its own.

    Each block goes to the vendor that lacks most, so the shares hold within one block (1/40).
    """
    names = list(config.network.vendors)
    shares = np.array(list(config.network.vendors.values()), np.float64)
    shares /= shares.sum()
    blocks = min(count, 40)
    start = draws.below(draws.keys(draws.stream(config.seed, "vendors"), np.arange(1)), blocks)[0]
    given = np.zeros(len(names))
    block_vendor = np.zeros(blocks, np.int64)
    for done in range(blocks):
        chosen = int(np.argmax(np.round(shares * (done + 1) - given, 9)))
        block_vendor[done] = chosen
        given[chosen] += 1
    # Runs of one vendor make regions; their order turns with the seed.
    block_vendor = np.roll(_in_runs(block_vendor, len(names)), start)
    return np.array(names)[block_vendor[np.arange(count) * blocks // count]]


def _in_runs(block_vendor: Integers, vendors: int) -> Integers:
    """Sort each quarter of the blocks by vendor: larger regions, same shares."""
    quarter = np.arange(len(block_vendor)) * 4 // len(block_vendor)
    return block_vendor[np.lexsort((block_vendor, quarter))]


def _generations(
    config: WorldConfig, key: draws.Bits, density: Texts, cell_class: Texts
) -> dict[str, Flags]:
    """Choose the sites of each generation: exact shares per density, macro sites first for GSM."""
    carries: dict[str, Flags] = {}
    for name in GENERATIONS:
        share = config.network.generations.get(name)
        if share is None:
            carries[name] = np.zeros(len(key), np.bool_)
            continue
        by_density = {
            "dense": share.dense,
            "suburban": (share.dense + share.sparse) / 2,
            "sparse": share.sparse,
        }
        draw = draws.uniform(draws.bits(key, f"carries {name}"))
        if name == "gsm":
            draw = draw + (cell_class == CellClass.MICRO) + 2.0 * (cell_class == CellClass.PICO)
        has = np.zeros(len(key), np.bool_)
        for place_class, wanted in by_density.items():
            members = np.flatnonzero(density == place_class)
            ranked = members[np.argsort(draw[members], kind="stable")]
            has[ranked[: round(wanted * len(members))]] = True
        carries[name] = has
    # A site without any generation would be no site: it gets the most common one.
    shares = config.network.generations
    common = max(shares, key=lambda name: shares[name].dense + shares[name].sparse)
    carries[common] |= ~(carries["gsm"] | carries["lte"] | carries["nr"])
    return carries


def _node_ages(key: draws.Bits, site_age: Integers) -> dict[str, Integers]:
    """Draw the age of each base station's hardware: never older than its site or its technology."""
    ages = {}
    for name, youngest, spread in (("gsm", 400, 5000), ("lte", 150, 3600), ("nr", 40, 1900)):
        draw = draws.uniform(draws.bits(key, f"hardware {name}"))
        ages[name] = np.minimum(site_age, (youngest + spread * draw).astype(np.int64))
    return ages


def _ground(east: Floats, north: Floats) -> Integers:
    """Interpolate the ground between known heights (inverse distance to the third power)."""
    known_east, known_north = plane(_HEIGHTS[:, 0], _HEIGHTS[:, 1])
    square = (east[:, None] - known_east) ** 2 + (north[:, None] - known_north) ** 2
    weight = (square + 4.0) ** -1.5
    return np.round(weight @ _HEIGHTS[:, 2] / weight.sum(axis=1)).astype(np.int64)
