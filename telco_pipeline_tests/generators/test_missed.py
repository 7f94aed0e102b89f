"""Calls that ring once: to whom, when, from which numbers, and what comes of them."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from telco_pipeline.scenarios.language import Layer
from telco_pipeline_tests.generators.kit import EVE, make_day
from telco_pipeline_tests.generators.layered import (
    DAY,
    FIRST,
    LAST,
    layer,
    only_in,
    phones,
    targets,
    usual,
    with_story,
)

IN = pl.col("record_type") == "mtCallRecord"
RANGES = ["+37167", "+53991"]
LONGEST = dt.timedelta(hours=2)


def calling(lasts: str = "10h", number: int = 1, **effect: Any) -> Layer:
    told = {"per_day": 6, "ranges": RANGES, "numbers": 8, "rings": 2} | effect
    return layer({"incoming": {"who": "them", **told}}, number=number, lasts=lasts, size=100)


def from_ranges(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    return frame.filter(pl.col(column).str.contains(r"^\+(37167|53991)"))


def test_they_are_called_and_hung_up_on() -> None:
    inputs = with_story(it=calling())
    before, after = usual("cdrs_voice"), make_day(inputs, "cdrs_voice", DAY)
    rung = from_ranges(after, "calling_number")
    assert from_ranges(before, "calling_number").height == 0
    assert rung["subscriber_id"].is_in(targets(inputs).implode()).all()
    assert rung["event_time"].is_between(FIRST, LAST).all()
    # Ten of the hours of a day are most of the waking ones.
    assert 100 * 6 * 0.4 < rung.height < 100 * 6 * 0.8
    assert rung["status"].is_in(["no answer", "busy", "failed"]).all()
    assert (rung["status"] == "no answer").mean() > 0.95
    assert rung["answer_time"].null_count() == rung.height
    assert rung.filter(pl.col("status") == "no answer")["diagnostics"].unique().to_list() == [19]
    lasts = (rung["release_time"] - rung["event_time"]).dt.total_milliseconds() / 1000
    assert 2.0 < lasts.median() < 7.0, "setup, and two seconds of ringing"
    assert 6 <= rung["calling_number"].n_unique() <= 8
    networks = rung.select(pl.col("calling_number").str.slice(0, 4), "other_plmn")
    assert dict(networks.iter_rows()) == {"+371": "24701", "+539": "36801"}
    assert after["event_id"].n_unique() == after.height
    hours = rung.group_by(pl.col("event_time").dt.hour()).len()
    assert hours.height == 10
    # Nobody calls back unless the layer says so.
    assert from_ranges(after, "called_number").height == 0
    strangers = ~pl.col("subscriber_id").is_in(phones(inputs).implode())
    assert only_in(after, before).filter(strangers).height <= 2
    assert only_in(before, after).height <= 8
    assert only_in(before.filter(pl.col("event_time") < FIRST), after).height == 0
    assert make_day(inputs, "cdrs_voice", DAY - EVE).equals(usual("cdrs_voice", DAY - EVE))


def test_a_part_calls_back_and_is_held() -> None:
    inputs = with_story(it=calling(call_back=0.5, holds=300))
    after = make_day(inputs, "cdrs_voice", DAY)
    # Who was on the phone sees the missed call, too.
    rung = from_ranges(after, "calling_number")
    back = from_ranges(after, "called_number")
    assert 0.35 < back.height / rung.height < 0.55
    assert (back["status"] == "answered").mean() > 0.97
    spoken = back.filter(pl.col("status") == "answered")
    assert 220 < spoken["call_duration"].median() < 400
    assert spoken["chargeable"].all()
    waits = (spoken["answer_time"] - spoken["event_time"]).dt.total_milliseconds()
    assert waits.max() < 15_000, "answered at once"
    pair = rung.select("subscriber_id", number="calling_number", missed="release_time").sort(
        "missed"
    )
    joined = (
        back.select("subscriber_id", "event_time", number="called_number")
        .sort("event_time")
        .join_asof(
            pair,
            left_on="event_time",
            right_on="missed",
            by=["subscriber_id", "number"],
            check_sortedness=False,
        )
    )
    assert joined["missed"].null_count() == 0, "the number that rang"
    after_how_long = joined["event_time"] - joined["missed"]
    assert after_how_long.min() > dt.timedelta(seconds=30)
    assert after_how_long.max() <= LONGEST
    assert dt.timedelta(minutes=4) < after_how_long.median() < dt.timedelta(minutes=50)


def test_nobody_speaks_in_two_calls() -> None:
    inputs = with_story(it=calling(per_day=40, call_back=0.8, holds=600))
    made = make_day(inputs, "cdrs_voice", DAY)
    spoken = made.filter(
        pl.col("answer_time").is_not_null() & pl.col("supplementary_service").is_null()
    )
    theirs = from_ranges(spoken, "called_number").sort("subscriber_id", "event_time")
    assert theirs.height > 300
    last = pl.col("release_time").cum_max().shift(1).over("subscriber_id")
    assert theirs.filter(last > pl.col("event_time")).height == 0


def test_calls_back_behind_midnight_are_the_next_day_s() -> None:
    inputs = with_story(it=calling(lasts="40h", per_day=60, call_back=1.0, holds=30))
    first, second = (make_day(inputs, "cdrs_voice", DAY + number * EVE) for number in (0, 1))
    both = pl.concat([first, second])
    assert both["event_id"].n_unique() == both.height
    midnight = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)
    calls = pl.concat(
        [
            from_ranges(both, "calling_number").with_columns(rung="calling_number"),
            from_ranges(both, "called_number").with_columns(rung="called_number"),
        ]
    ).sort("event_time")
    # A call back is the second one of its pair after the one that was missed.
    back = calls.filter(~IN & (pl.col("event_time") < midnight + dt.timedelta(hours=1)))
    rung = calls.filter(IN).select("subscriber_id", "rung", missed="release_time").sort("missed")
    joined = back.join_asof(
        rung,
        left_on="event_time",
        right_on="missed",
        by=["subscriber_id", "rung"],
        check_sortedness=False,
    )
    assert joined["missed"].null_count() == 0
    crossing = joined.filter((pl.col("missed") < midnight) & (pl.col("event_time") >= midnight))
    assert crossing.height > 0
    before = joined.filter(pl.col("event_time") < midnight).height
    evening = midnight - dt.timedelta(hours=1)
    hours = [
        calls.filter(~IN, pl.col("event_time").is_between(start, start + dt.timedelta(hours=1)))
        for start in (evening, midnight)
    ]
    assert before > 300
    # No seam: the hour after midnight has calls back as the one before it has.
    assert hours[1].height > 0.3 * hours[0].height > 10


def test_the_last_day_of_a_lake_needs_no_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever would be called back behind midnight is looked up when that day is made."""
    inputs = with_story(it=calling(lasts="40h", per_day=60, call_back=1.0, holds=30))
    book = type(inputs.book)
    given = book.customers

    def none_after(self: Any, date: dt.date) -> Any:
        assert date <= DAY, f"the state of {date} may not have been made"
        return given(self, date)

    monkeypatch.setattr(book, "customers", none_after)
    made = make_day(inputs, "cdrs_voice", DAY)
    late = made.filter(pl.col("event_time") >= dt.datetime(2026, 1, 14, 23, 30, tzinfo=dt.UTC))
    assert from_ranges(late, "calling_number").height > 0


def test_two_layers_call_beside_each_other() -> None:
    alone = {"call_back": 0.0, "per_day": 4}
    one, other = calling(**alone), calling(number=2, ranges=["+40712"], **alone)
    inputs = with_story(one=one, other=other)
    made = make_day(inputs, "cdrs_voice", DAY).filter(IN)
    mine = from_ranges(made, "calling_number")
    theirs = made.filter(pl.col("calling_number").str.starts_with("+40712"))
    assert made["event_id"].n_unique() == made.height
    assert mine.height == pytest.approx(theirs.height, rel=0.35)
    assert min(mine.height, theirs.height) > 120
