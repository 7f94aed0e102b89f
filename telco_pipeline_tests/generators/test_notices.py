"""Codes that layers let services write: to whom, when, from which short code, and nothing else."""

import datetime as dt
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from telco_pipeline.scenarios.language import Layer
from telco_pipeline_tests.generators.kit import EVE, make_day
from telco_pipeline_tests.generators.layered import (
    DAY,
    FIRST,
    LAST,
    layer,
    only_in,
    targets,
    usual,
    with_story,
)

LATE = dt.timedelta(hours=16)
"""After which a phone that was off has got its messages."""


def codes(lasts: str = "10h", number: int = 1, size: int = 100, **effect: Any) -> Layer:
    deed = {"usage": {"who": "them", **effect}}
    return layer(deed, number=number, lasts=lasts, size=size)


def is_code(column: str) -> pl.Expr:
    return ~pl.col(column).str.starts_with("+")


def test_short_codes_write_to_them_and_nothing_else_differs() -> None:
    inputs = with_story(it=codes(codes=10))
    before, after = usual("cdrs_sms"), make_day(inputs, "cdrs_sms", DAY)
    assert only_in(before, after).height == 0
    new = only_in(after, before)
    assert new["subscriber_id"].is_in(targets(inputs).implode()).all()
    assert new["event_time"].is_between(FIRST, LAST + LATE).all()
    assert new["event_time"].is_between(FIRST, LAST).mean() > 0.9
    # Ten of the hours of a day are most of the waking ones.
    assert 100 * 10 * 0.4 < new.height < 100 * 10 * 0.8
    assert (new["record_type"].cast(pl.String).str.starts_with("mt")).all()
    assert new.select(is_code("calling_number")).to_series().all()
    senders = new.group_by("subscriber_id").agg(pl.col("calling_number").n_unique())
    assert senders["calling_number"].max() == 1, "the bank of each"
    assert new["calling_number"].n_unique() > 4
    assert set(new["calling_number"]) <= set(
        before.filter(is_code("calling_number"))["calling_number"]
    )
    assert after["event_id"].n_unique() == after.height
    assert make_day(inputs, "cdrs_sms", DAY - EVE).equals(usual("cdrs_sms", DAY - EVE))


def test_what_is_written_before_midnight_comes_after_it_once() -> None:
    inputs = with_story(it=codes(codes=60, lasts="16h", size=10_000))
    days = [DAY, DAY + EVE]
    new = [only_in(make_day(inputs, "cdrs_sms", day), usual("cdrs_sms", day)) for day in days]
    late = new[1]
    assert late.height > 20
    # They are written until midnight UTC, and delivered seconds or some time later.
    assert set(late["subscriber_id"]) <= set(targets(inputs))
    both = pl.concat(new)
    assert both["event_id"].n_unique() == both.height


def test_other_use_is_untouched_and_codes_meet_those_of_other_layers() -> None:
    inputs = with_story(it=codes(codes=10))
    for name in ("cdrs_voice", "cdrs_data"):
        assert make_day(inputs, name, DAY).equals(usual(name, DAY))
    alone = only_in(make_day(inputs, "cdrs_sms", DAY), usual("cdrs_sms"))
    two = with_story(it=codes(codes=10), other=codes(codes=8, number=2, size=10_000))
    both = only_in(make_day(two, "cdrs_sms", DAY), usual("cdrs_sms"))
    assert both["event_id"].n_unique() == both.height
    # Each layer's own stay as they are, but for an id that both want.
    assert only_in(alone, both).height < 0.1 * alone.height
    assert both.height > 3 * alone.height


def test_codes_come_at_all_hours_alike_if_evenly() -> None:
    longer = {"codes": 30, "lasts": "3d", "size": 300}
    night = []
    for evenly in (False, True):
        inputs = with_story(it=codes(evenly=evenly, **longer))
        new = only_in(make_day(inputs, "cdrs_sms", DAY + EVE), usual("cdrs_sms", DAY + EVE))
        night.append((new["event_time"].dt.hour() < 5).mean())
    assert night[0] < 0.08
    assert 0.13 < night[1] < 0.25


def test_without_codes_no_code_is_written() -> None:
    inputs = with_story(it=codes(messages=3))
    new = only_in(make_day(inputs, "cdrs_sms", DAY), usual("cdrs_sms"))
    assert new.height > 50
    terminating = pl.col("record_type").cast(pl.String).str.starts_with("mt")
    assert new.filter(terminating & is_code("calling_number")).height == 0


@pytest.mark.parametrize("rate", [-1, 20_000, "many"])
def test_what_is_no_rate_is_refused(rate: Any) -> None:
    with pytest.raises(ValidationError, match="codes"):
        codes(codes=rate)
