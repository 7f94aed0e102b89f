"""Ties: who knows whom among our subscribers, and how well."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse

from telco_pipeline.contracts.world import SOCIAL_TIES
from telco_pipeline.engine.parts import parts
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline.world.catalogue import build_devices, build_plans
from telco_pipeline.world.network import build_network
from telco_pipeline.world.places import build_places
from telco_pipeline.world.subscribers import SubscriberInputs, build_subscribers
from telco_pipeline.world.ties import MASS_CALLER, build_ties

WORLD_FILE = Path(__file__).parents[1] / "golden" / "world.yaml"


@cache
def _world(
    subscribers: int = 12_000, seed: int = 42
) -> tuple[WorldConfig, dict[str, pl.DataFrame]]:
    """Return a world whose people live in households, some of them with two SIMs."""
    config = load_world(WORLD_FILE, subscribers=subscribers, seed=seed, part_size=8192)
    places = build_places(config)
    network = build_network(config, places)
    registry = SubscriberInputs.of(
        config, places, network.sites, network.cells, build_devices(config), build_plans(config)
    )
    frame = pl.concat(
        [build_subscribers(config, registry, part) for part in parts(subscribers, config.part_size)]
    )
    return config, {"places": places, "cells": network.cells, "subscribers": frame}


def _build(frame: pl.DataFrame) -> pl.DataFrame:
    config, world = _world()
    return build_ties(config, frame, world["cells"], world["places"])


@cache
def _ties() -> pl.DataFrame:
    return _build(_world()[1]["subscribers"])


def _with_ends(*columns: str) -> pl.DataFrame:
    """Return the ties with columns of both ends (the other end's with the suffix `_other`)."""
    people = _world()[1]["subscribers"].select("subscriber_id", *columns)
    return (
        _ties()
        .join(people, on="subscriber_id")
        .join(people, left_on="other_subscriber_id", right_on="subscriber_id", suffix="_other")
    )


def _degrees() -> pl.DataFrame:
    ends = pl.concat([_ties()["subscriber_id"], _ties()["other_subscriber_id"]])
    degree = ends.value_counts(name="degree").rename({ends.name: "subscriber_id"})
    people = _world()[1]["subscribers"].select("subscriber_id", "kind", "activity_level")
    return people.join(degree, on="subscriber_id", how="left").fill_null(0)


def _graph() -> sparse.csr_array:
    ids = _world()[1]["subscribers"]["subscriber_id"]
    index = pl.DataFrame({"id": ids, "row": np.arange(len(ids))})
    ends = [
        pl.DataFrame({"id": _ties()[name]})
        .join(index, on="id", maintain_order="left")["row"]
        .to_numpy()
        for name in ("subscriber_id", "other_subscriber_id")
    ]
    one = np.concatenate(ends)
    other = np.concatenate(ends[::-1])
    return sparse.coo_array((np.ones(len(one)), (one, other)), shape=(len(ids),) * 2).tocsr()


def test_ties_fit_the_contract_and_each_pair_occurs_once() -> None:
    ties = _ties()
    SOCIAL_TIES.schema.validate(ties)
    assert (ties["subscriber_id"] < ties["other_subscriber_id"]).all()
    assert ties.select("subscriber_id", "other_subscriber_id").n_unique() == ties.height
    assert ties.equals(ties.sort("subscriber_id", "other_subscriber_id"))
    assert ties["weight"].min() > 0  # type: ignore[operator]
    known = set(_world()[1]["subscribers"]["subscriber_id"])
    assert set(ties["subscriber_id"]) | set(ties["other_subscriber_id"]) <= known


def test_ties_are_a_function_of_the_world() -> None:
    frame = _world()[1]["subscribers"]
    assert _build(frame).equals(_ties())
    # Chunks of the frame do not show.
    chunked = pl.concat([frame[:5000], frame[5000:]], rechunk=False)
    assert _build(chunked).equals(_ties())
    config, world = _world(subscribers=2000, seed=7)
    other = build_ties(config, world["subscribers"], world["cells"], world["places"])
    assert other.height > 2000


def test_only_people_and_businesses_have_ties_and_no_call_centre() -> None:
    config, world = _world()
    degrees = _degrees()
    mute = degrees.filter(pl.col("kind").is_in(["visitor", "machine"]))
    assert mute.height > 1000
    assert mute["degree"].sum() == 0
    mass = [name for name, persona in config.personas.items() if persona.calls > MASS_CALLER]
    busy = world["subscribers"].filter(pl.col("persona").is_in(mass))["subscriber_id"]
    assert len(busy) > 5
    assert degrees.filter(pl.col("subscriber_id").is_in(busy.implode()))["degree"].sum() == 0


def test_everybody_in_a_household_knows_each_other() -> None:
    frame = _world()[1]["subscribers"].filter(
        pl.col("household_id").is_not_null() & (pl.col("sim_slot") == 1)
    )
    sizes = frame.group_by("household_id").len()["len"]
    pairs = int((sizes * (sizes - 1) // 2).sum())
    ends = _with_ends("household_id")
    same = ends.filter(pl.col("household_id") == pl.col("household_id_other"))
    household = ends.filter(pl.col("tie_kind") == "household")
    assert pairs > 1000
    assert household.height == pairs == same.height
    assert (same["tie_kind"] == "household").all()


def test_nobody_is_tied_to_the_second_sim_of_the_same_phone() -> None:
    frame = _world()[1]["subscribers"]
    half = frame.height // 2
    # Let people hold the next SIM too.
    people = np.flatnonzero((frame["kind"] == "person").to_numpy()[:half])
    first = people[(frame["sim_slot"].to_numpy()[people] == 1)][::40]
    first = first[first + 1 < half]
    holder, slot = frame["holder_id"].to_numpy().copy(), frame["sim_slot"].to_numpy().copy()
    slot[:], holder[:] = 1, np.arange(1, frame.height + 1)
    holder[first + 1], slot[first + 1] = holder[first], 2
    changed = frame.with_columns(
        holder_id=pl.Series(holder), sim_slot=pl.Series(slot, dtype=pl.Int16)
    )
    ties = _build(changed)
    ids = changed.select("subscriber_id", "holder_id", "sim_slot")
    ends = ties.join(ids, on="subscriber_id").join(
        ids, left_on="other_subscriber_id", right_on="subscriber_id", suffix="_other"
    )
    assert (ends["holder_id"] != ends["holder_id_other"]).all()
    # Second SIMs are for work, if for anything.
    second = ends.filter((pl.col("sim_slot") == 2) | (pl.col("sim_slot_other") == 2))
    assert set(second["tie_kind"].unique()) == {"colleague"}


def test_weights_fall_from_households_to_customers() -> None:
    median = dict(_ties().group_by("tie_kind").agg(pl.col("weight").median()).iter_rows())
    assert set(median) == {"household", "colleague", "friend", "acquaintance", "business"}
    assert median["household"] > 8 * median["friend"]
    assert median["friend"] > median["colleague"] > median["acquaintance"] > median["business"]
    assert _ties()["weight"].quantile(0.99) > 100 * _ties()["weight"].median()  # type: ignore[operator]


def test_degrees_have_a_heavy_tail_and_follow_activity() -> None:
    people = _degrees().filter(pl.col("kind") == "person")
    degree = people["degree"]
    assert 3.5 < degree.mean() < 10  # type: ignore[operator]
    # A Poisson distribution of this mean has hardly anybody above three times the mean.
    far = degree.mean() * 3  # type: ignore[operator]
    assert 0.01 < (degree > far).mean() < 0.10  # type: ignore[operator]
    assert (degree == 0).mean() < 0.15  # type: ignore[operator]
    busy = people["activity_level"] > people["activity_level"].median()
    assert degree.filter(busy).mean() > 1.3 * degree.filter(~busy).mean()  # type: ignore[operator]


def test_businesses_have_many_weak_ties() -> None:
    customers = _ties().filter(pl.col("tie_kind") == "business")
    firms = _world()[1]["subscribers"].filter(pl.col("kind") == "business")
    per_firm = customers.height / firms.height
    assert 3 < per_firm < 12


def test_friends_of_friends_know_each_other() -> None:
    graph = _graph()
    degree = np.diff(graph.indptr)
    closed = np.asarray(sparse.csr_array(graph @ graph).multiply(graph).sum(axis=1)).ravel()
    pairs = degree * (degree - 1)
    held = degree >= 2
    assert 0.1 < (closed[held] / pairs[held]).mean() < 0.4
    # A random graph of this size and degree would have less than a thousandth.
    _, label = sparse.csgraph.connected_components(graph, directed=False)
    assert np.bincount(label).max() > 0.85 * (degree > 0).sum()


def test_overlap_rises_with_weight() -> None:
    graph = _graph()
    ids = _world()[1]["subscribers"]["subscriber_id"].to_numpy()
    row = {int(key): number for number, key in enumerate(ids)}
    one = np.array([row[key] for key in _ties()["subscriber_id"]])
    other = np.array([row[key] for key in _ties()["other_subscriber_id"]])
    degree = np.diff(graph.indptr)
    common = np.asarray(sparse.csr_array(graph @ graph)[one, other]).ravel()
    others = degree[one] + degree[other] - 2 - common
    overlap = np.where(others > 0, common / np.maximum(others, 1), 0.0)
    order = np.argsort(_ties()["weight"].to_numpy())
    classes = [part.mean() for part in np.array_split(overlap[order], 5)]
    assert classes[0] < 0.6 * classes[-1]
    # The weakest, customers, have neighbours in common with the firm's other customers.
    assert np.all(np.diff(classes[1:]) > 0)


def test_friends_live_near() -> None:
    frame = _world()[1]["subscribers"].filter(pl.col("kind") == "person")
    cells = _world()[1]["cells"].select("cell_id", "latitude", "longitude")
    at = frame.select(cell_id="home_cell_id").join(cells, on="cell_id", maintain_order="left")
    north, east = at["latitude"].to_numpy() * 111.2, at["longitude"].to_numpy() * 71.0
    strangers = np.median(np.hypot(north - np.roll(north, 777), east - np.roll(east, 777)))
    by_kind = dict(_ties().group_by("tie_kind").agg(pl.col("distance_km").median()).iter_rows())
    assert by_kind["household"] == 0.0
    assert by_kind["friend"] < 0.5 * strangers
    assert by_kind["friend"] < by_kind["acquaintance"] < 1.1 * strangers
    # The density falls as 1/d: each doubling of the distance holds about as many friends.
    km = _ties().filter(pl.col("tie_kind") == "friend")["distance_km"].to_numpy()
    doublings = np.histogram(km, [4, 8, 16, 32, 64])[0] / len(km)
    assert doublings.max() < 3 * doublings.min()
    near = np.histogram(km, [0, 20, 40, 60, 80, 100])[0]
    assert (np.diff(near) < 0).all()


def test_distances_are_those_between_the_homes() -> None:
    cells = _world()[1]["cells"]
    place = {
        key: (latitude, longitude)
        for key, latitude, longitude in cells.select("cell_id", "latitude", "longitude").iter_rows()
    }
    for row in _with_ends("home_cell_id").sample(50, seed=1).iter_rows(named=True):
        one, other = place[row["home_cell_id"]], place[row["home_cell_id_other"]]
        north = (one[0] - other[0]) * 111.2
        east = (one[1] - other[1]) * 111.2 * np.cos(np.radians(50.5))
        assert abs(np.hypot(north, east) - row["distance_km"]) < 1 + 0.03 * row["distance_km"]


def test_a_market_share_scales_the_number_of_friends() -> None:
    config, world = _world()
    operators = [
        each.model_copy(update={"share": 0.2 if each.own else 0.4}) for each in config.operators
    ]
    small = config.model_copy(update={"operators": operators})
    ties = build_ties(small, world["subscribers"], world["cells"], world["places"])
    friends = int((ties["tie_kind"] == "friend").sum()) / int(
        (_ties()["tie_kind"] == "friend").sum()
    )
    assert 0.4 < friends < 0.6


def test_worlds_of_hardly_anybody_have_ties_or_none() -> None:
    _, world = _world()
    for count in (1, 2, 3, 10, 50):
        ties = _build(world["subscribers"][:count])
        SOCIAL_TIES.schema.validate(ties)
    machines = world["subscribers"].filter(pl.col("kind") == "machine")[:20]
    assert _build(machines).is_empty()
