"""Bounds of a world: what lies outside does not arise, and nothing piles up at a bound."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.errors import TelcoError
from telco_pipeline.generators.cdrs.attempts import _soon_after
from telco_pipeline.generators.cdrs.lengths import shortest, talk_time
from telco_pipeline.world.network import build_network
from telco_pipeline.world.places import build_places
from telco_pipeline.world.radio import _within
from telco_pipeline_tests.generators.kit import Operator, small_world

TALK = QuantileTable.log_normal(66.0, 1.18)
SUBSCRIBERS = 3000
CHARGING = {"data_time_limit_s": 3600, "voice_max_s": 14_400}


def bits(count: int, name: str = "x"):
    return draws.keys(draws.stream(5, name), np.arange(count))


def operator(duration: list[int] | None, **overrides: Any) -> Operator:
    """Return a world whose calls and sessions have these lengths; its second day."""
    first = small_world().epoch + dt.timedelta(days=1)
    bounds = {"duration_s": duration} if duration else None
    overrides = {"subscribers": SUBSCRIBERS, "charging": CHARGING, "bounds": bounds, **overrides}
    return Operator(first, 1, **overrides)


@pytest.fixture(scope="module")
def bounded() -> Operator:
    return operator([10, 3600])


@pytest.fixture(scope="module")
def unbounded() -> Operator:
    return operator(None)


def answered(world: Operator) -> pl.DataFrame:
    return world.day("cdrs_voice", world.days[0]).filter(
        pl.col("answer_time").is_not_null() & (pl.col("call_duration") >= 0)
    )


def set_up(world: Operator) -> pl.DataFrame:
    return world.day("cdrs_data", world.days[0]).filter(pl.col("diagnostics").is_null())


def outside(column: pl.Series, low: int, high: int) -> int:
    return int(((column < low) | (column > high)).sum())


def test_calls_outside_the_bounds_do_not_arise(bounded: Operator, unbounded: Operator) -> None:
    assert outside(answered(bounded)["call_duration"], 10, 3600) == 0
    assert outside(answered(unbounded)["call_duration"], 10, 3600) > 100
    voip = bounded.day("cdrs_voip", bounded.days[0]).filter(pl.col("answer_time").is_not_null())
    assert voip.height > 1000
    assert outside(voip["call_duration"], 10, 3600) == 0


def test_calls_are_not_left_out_for_their_length(bounded: Operator, unbounded: Operator) -> None:
    """Those that would be too short last longer: as many calls, between the same people."""
    made, plain = (set(answered(each)["call_reference"]) for each in (bounded, unbounded))
    assert len(made & plain) > 0.97 * len(plain)
    assert abs(len(made) - len(plain)) < 0.02 * len(plain)


def test_lengths_do_not_pile_up_at_the_bounds(bounded: Operator) -> None:
    lengths = answered(bounded)["call_duration"]
    shortest_ones = int((lengths <= 11).sum()) / 1.5  # half of the tenth second lies outside
    usual = int(lengths.is_between(12, 21).sum()) / 10
    assert shortest_ones < 1.5 * usual
    assert int((lengths >= 3590).sum()) < 0.002 * len(lengths)


def test_links_that_fail_too_soon_are_established_again(bounded: Operator) -> None:
    cut = answered(bounded).filter(pl.col("cause_for_term") == 4)
    assert cut.height > 5
    assert cut["call_duration"].min() >= 10  # type: ignore[operator]
    answer, lost = np.array([-1, 100, 100, 100, 100]), np.array([105, 99, 100, 109, 110])
    assert _soon_after(answer, lost, 10).tolist() == [False, False, True, True, False]


def test_data_records_outside_the_bounds_do_not_arise(
    bounded: Operator, unbounded: Operator
) -> None:
    records = set_up(bounded)
    assert outside(records["duration"], 10, 3600) == 0
    assert outside(set_up(unbounded)["duration"], 10, 3600) > 1000
    # Several records of a session there are all the same, numbered without a gap.
    numbers = records.group_by("charging_id").agg(pl.col("record_sequence_number").sort())
    several = numbers.filter(pl.col("record_sequence_number").list.len() > 1)
    whole = several.filter(pl.col("record_sequence_number").list.first() == 1)
    assert whole.height > 100
    steps = whole["record_sequence_number"].list.diff().list.slice(1).list.eval(pl.element() == 1)
    assert steps.list.all().all()
    # Each of them begins with a change of the radio access, or it would not have been opened.
    causes = records.filter(pl.col("cause_for_rec_closing") == 17)
    assert causes.is_empty()


def test_a_refused_session_still_leaves_its_record(bounded: Operator) -> None:
    refused = bounded.day("cdrs_data", bounded.days[0]).filter(pl.col("diagnostics").is_not_null())
    assert refused.height > 50
    assert refused["duration"].max() == 0


def test_contacts_with_care_by_phone_keep_the_bounds() -> None:
    often = {**small_world().to_dict()["record_weights"], "customer_service": 30.0}
    world = operator([100, 500], record_weights=often)
    care = world.inputs.config.numbering.care_number
    calls = answered(world).filter(pl.col("called_number") == care)
    assert calls.height > 30
    assert outside(calls["call_duration"], 100, 500) == 0
    assert outside(answered(world)["call_duration"], 100, 500) == 0
    assert outside(set_up(world)["duration"], 100, 500) == 0


@given(st.floats(0.001, 1e5), st.floats(1.0001, 1e4), st.integers(0, 2**32), st.floats(0.01, 100.0))
def test_between_stays_between(low: float, times: float, first: int, factor: float) -> None:
    random_bits = bits(200, str(first))
    low, high = np.full(200, low), np.full(200, low * times)
    found = TALK.between(random_bits, low, high)
    assert ((found >= low) & (found <= high)).all()


def test_between_keeps_the_shape_of_the_distribution() -> None:
    count = 400_000
    found = TALK.between(bits(count), np.full(count, 10.0), np.full(count, 3600.0))
    plain = TALK.sample(bits(count, "y"))
    plain = plain[(plain >= 10) & (plain <= 3600)]
    at = np.linspace(0.01, 0.99, 25)
    np.testing.assert_allclose(np.quantile(found, at), np.quantile(plain, at), rtol=0.02)


def test_between_bounds_that_the_table_does_not_reach() -> None:
    some = bits(10)
    far = TALK.between(some, np.full(10, 1e8), np.full(10, 2e8))
    assert (far == 1e8).all()
    near = TALK.between(some, np.full(10, 1e-6), np.full(10, 2e-6))
    assert (near == 2e-6).all()


def test_talk_times_without_bounds_are_as_they_were() -> None:
    config = small_world()
    assert shortest(config) == 0
    plain = np.minimum(TALK.sample(bits(1000)) * 3.0, config.charging.voice_max_s)
    np.testing.assert_array_equal(talk_time(config, TALK, bits(1000), 3.0), plain)


def test_talk_times_follow_their_factor_within_the_bounds() -> None:
    config = small_world(bounds={"duration_s": [10, 3600]}, charging=CHARGING)
    assert shortest(config) == 10 * SECOND
    short, long = (
        talk_time(config, TALK, bits(5000), np.full(5000, factor)) for factor in (0.2, 5.0)
    )
    for lengths in (short, long):
        assert lengths.min() >= 10 * (1 - 1e-9)
        assert lengths.max() <= 3600 * (1 + 1e-9)
    assert np.median(long) > 5 * np.median(short)
    assert talk_time(config, TALK, bits(5000), 5.0, most=180).max() <= 180 * (1 + 1e-9)


BOX = {"latitude": [50.75, 50.95], "longitude": [4.2, 4.5]}


def test_places_and_sites_outside_the_box_are_not_part_of_the_world() -> None:
    network = {**small_world().to_dict()["network"], "sites": 150}
    config = small_world(bounds={**BOX, "antenna_height_m": [20, 35]}, network=network)
    places = build_places(config)
    made = build_network(config, places)
    for frame in (places, made.sites, made.cells):
        assert frame["latitude"].is_between(50.75, 50.95).all()
        assert frame["longitude"].is_between(4.2, 4.5).all()
    assert made.sites.height == 150  # all of them found room inside
    assert made.sites.select("latitude", "longitude").is_unique().all()
    assert 20 < places.height < build_places(small_world()).height / 10
    assert made.cells["altitude"].is_between(20, 35).all()
    # Where people live is told by the places that there are.
    assert made.sites["place_id"].is_in(places["place_id"].implode()).all()


def test_heights_are_drawn_within_their_bounds_and_not_moved_to_them() -> None:
    def heights(bounds: dict[str, object] | None) -> pl.Series:
        config = small_world(bounds=bounds)
        cells = build_network(config, build_places(config)).cells
        return cells.unique("site_id")["altitude"]

    plain, wide = heights(None), heights({"antenna_height_m": [0, 100]})
    assert plain.sort().to_list() == wide.sort().to_list()
    cut = heights({"antenna_height_m": [26, 34]})
    assert outside(plain, 26, 34) > 50
    assert outside(cut, 26, 34) == 0
    # Masts that were drawn from 24 to 39 m are drawn from 26 to 34 m: all heights alike.
    counts = cut.value_counts().filter(pl.col("altitude").is_between(28, 33))["count"]
    assert counts.max() < 4 * counts.min()  # type: ignore[operator]


def test_a_box_without_places_or_room_is_refused_in_one_line() -> None:
    config = small_world(bounds={"latitude": [49.4, 49.45], "longitude": [2.5, 2.6]})
    with pytest.raises(TelcoError, match=r"bounds: 0 populated places .* widen the bounds") as told:
        build_places(config)
    assert "\n" not in str(told.value)
    config = small_world(bounds=BOX)
    here = np.array([300.0, 301.0])
    with pytest.raises(TelcoError, match="160 sites find no room"):
        _within(config, here, here)
