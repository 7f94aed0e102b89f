"""On other terms than the plan's: quality of service, and records that are not to be rated."""

import datetime as dt
from functools import cache

import polars as pl
import pytest

from telco_pipeline.generators import Inputs
from telco_pipeline_tests.generators.kit import make_day
from telco_pipeline_tests.generators.story_kit import (
    DAY,
    begin_and_end,
    layer,
    of,
    others,
    plain_day,
    targets,
    with_story,
    within,
)

PEOPLE = {"number": 500, "where": {"kind": "person"}}
EVERYBODY = {"where": {"kind": ["person", "business", "machine", "visitor"]}}
DATA = "cdrs_data"
MIDNIGHT = dt.datetime(DAY.year, DAY.month, DAY.day, tzinfo=dt.UTC)


@cache
def served(qci: int, rate: float) -> Inputs:
    return with_story(layer({"qos": {"qci": qci, "rate": rate}}, PEOPLE))


@cache
def sessions(qci: int, rate: float) -> pl.DataFrame:
    return make_day(served(qci, rate), DATA, DAY)


@pytest.mark.parametrize("rate", [0.1, 3.0])
def test_sessions_have_the_quality_that_they_were_given(rate: float) -> None:
    inputs = served(7, rate)
    who, time = targets(inputs), begin_and_end(inputs)
    with_it, without = (
        within(of(frame, who), *time).filter(pl.col("record_sequence_number") == 1)
        for frame in (sessions(7, rate), plain_day(DATA, DAY))
    )
    assert (with_it["qci"] == 7).all()
    assert not (without["qci"] == 7).any()
    same = ["event_id"]
    both = with_it.join(without, on=same, suffix="_usual")
    assert both.height == with_it.height == without.height
    # What flows at length flows by that factor slower, or faster as far as the radio goes.
    long = both.filter((pl.col("data_volume_downlink_usual") > 2e7) & ~pl.col("roaming"))
    change = (long["throughput_downlink"] / long["throughput_downlink_usual"]).median()
    assert change is not None
    assert (0.08 < change < 0.25) if rate < 1 else (1.05 < change < 3.0)
    # Bytes stay, time does what the radio makes of it.
    small = both.filter(pl.col("data_volume_downlink_usual") < 1e6)
    kept = (small["data_volume_downlink"] == small["data_volume_downlink_usual"]).mean()
    assert kept > 0.95
    longer = (both["duration"] - both["duration_usual"]).mean()
    assert longer is not None
    assert longer > 0 if rate < 1 else longer <= 0
    # The plan and its charging are as they were.
    for column in ("access_point_name", "s_nssai", "chargeable", "charging_id"):
        assert both[column].equals(both[f"{column}_usual"], null_equal=True), column
    # No more flows than the rate of a record carries.
    carried = pl.col("throughput_downlink") * 125.0 * (pl.col("duration") + 0.5)
    assert with_it.filter(pl.col("data_volume_downlink") > carried + 1000).is_empty()


@pytest.mark.parametrize("rate", [0.1, 3.0])
def test_only_the_targets_in_their_time(rate: float) -> None:
    inputs, frame, usual = served(7, rate), sessions(7, rate), plain_day(DATA, DAY)
    who, (begin, _) = targets(inputs), begin_and_end(inputs)
    assert others(frame, who).equals(others(usual, who))
    assert within(frame, MIDNIGHT, begin).equals(within(usual, MIDNIGHT, begin))
    for offset in (-1, 1):
        day = DAY + dt.timedelta(days=offset)
        assert make_day(inputs, DATA, day).equals(plain_day(DATA, day)), day
    assert make_day(inputs, "cdrs_voice", DAY).equals(plain_day("cdrs_voice", DAY))


def test_factors_multiply_and_the_later_one_says_the_class() -> None:
    one = layer({"qos": {"qci": 7, "rate": 0.2}}, PEOPLE)
    two = layer({"qos": {"qci": 6, "rate": 5.0}}, EVERYBODY, number=2)
    both = with_story(two, one)
    who, time = targets(with_story(one)), begin_and_end(with_story(one))
    begins = pl.col("record_sequence_number") == 1
    found = within(of(make_day(both, DATA, DAY), who), *time).filter(begins)
    usual = within(of(plain_day(DATA, DAY), who), *time).filter(begins)
    assert set(found["qci"]) == {6}
    assert found["throughput_downlink"].equals(usual["throughput_downlink"])


def test_who_has_the_profile_of_another_plan_is_served_as_it_says() -> None:
    people = {"number": 400, "where": {"plan.qci": {"to": 8}, "plan.segment": "business"}}
    columns = ["qci", "access_point_name", "s_nssai"]
    usual = plain_day(DATA, DAY)
    for deed, qci, point in (
        ({"plan": "POST-S"}, 9, "internet"),
        ({"plan": "POST-S", "qci": 5}, 5, "internet"),
        ({"rate": 0.5}, None, "corporate"),
    ):
        inputs = with_story(layer({"qos": deed}, people))
        who, time = targets(inputs), begin_and_end(inputs)
        found = make_day(inputs, DATA, DAY)
        assert others(found, who).equals(others(usual, who))
        mine = within(of(found, who), *time).filter(pl.col("record_sequence_number") == 1)
        before = within(of(usual, who), *time)
        assert mine.height > 100
        assert set(mine["access_point_name"]) == {point}
        assert set(mine["qci"]) == ({qci} if qci else set(before["qci"]))
        slices = set(mine["s_nssai"].drop_nulls())
        assert slices == ({"1-000000"} if qci else set(before["s_nssai"].drop_nulls()))
        if "rate" not in deed:
            assert found.drop(columns).equals(usual.drop(columns)), "charged as ever"


@cache
def left_out(share: float) -> Inputs:
    return with_story(layer({"unrated": {"share": share}}, EVERYBODY, lasts="18h"))


def test_use_abroad_is_not_rated() -> None:
    inputs = left_out(0.6)
    time = begin_and_end(inputs)
    for name in ("cdrs_data", "cdrs_voice"):
        found, usual = make_day(inputs, name, DAY), plain_day(name, DAY)
        rated = within(usual.filter(pl.col("roaming") & pl.col("chargeable")), *time)
        assert rated.height > {"cdrs_data": 300, "cdrs_voice": 30}[name], name
        now = found.filter(pl.col("event_id").is_in(rated["event_id"].implode()))
        assert 1 - now["chargeable"].mean() == pytest.approx(0.6, abs=0.12), name
        # Nothing but the flag changes, and of nothing else.
        assert found.drop("chargeable").equals(usual.drop("chargeable")), name
        rest = ~pl.col("event_id").is_in(rated["event_id"].implode())
        assert found.filter(rest).equals(usual.filter(rest)), name
    partial = make_day(inputs, "cdrs_data", DAY).filter(pl.col("roaming"))
    inside = within(partial, *time)
    several = inside.group_by("charging_id").agg(pl.len(), pl.col("chargeable").n_unique())
    assert (several.filter(pl.col("len") > 1)["chargeable"] == 1).all()


def test_a_session_that_was_set_up_is_rated() -> None:
    data = plain_day(DATA, DAY)
    assert data["chargeable"].equals(data["diagnostics"].is_null())
