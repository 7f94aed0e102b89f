"""Calls and messages that layers lead to other numbers: whose, when, where to, and nothing else."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import GENERATORS
from telco_pipeline.scenarios.language import Layer
from telco_pipeline_tests.generators.kit import EVE, make_day
from telco_pipeline_tests.generators.layered import (
    DAY,
    FIRST,
    at_the_time,
    layer,
    only_in,
    phones,
    targets,
    usual,
    with_story,
    without,
)

OUT = pl.col("record_type").cast(pl.String).str.starts_with("mo")
RANGES = ["+37167", "+53991", "+882130"]


def turned(lasts: str = "10h", number: int = 1, **effect: Any) -> Layer:
    deed = {"destinations": {"who": "them", **effect}}
    return layer(deed, number=number, lasts=lasts, size=80)


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_sms"])
def test_a_share_goes_to_numbers_of_ranges(name: str) -> None:
    of = {"cdrs_voice": "calls", "cdrs_sms": "messages"}[name]
    effect = {"of": of, "share": 0.5, "to": "ranges", "ranges": RANGES, "numbers": 9}
    inputs = with_story(it=turned(**effect))
    before, after = usual(name), make_day(inputs, name, DAY)
    theirs = at_the_time(inputs) & OUT
    in_range = pl.col("called_number").str.contains(r"^\+(37167|53991|882130)")
    assert before.filter(in_range).height == 0
    led = after.filter(in_range)
    assert led.filter(~theirs).filter(pl.col("event_time") < FIRST).height == 0
    assert led.filter(~pl.col("subscriber_id").is_in(targets(inputs).implode())).height == 0
    count, every = led.filter(theirs).height, before.filter(theirs).height
    assert every > 100
    assert 0.25 * every < count < 0.6 * every, "calls back and answers go where they went"
    assert 6 <= led["called_number"].n_unique() <= 9
    lengths = {"371": 12, "539": 11, "882": 13}
    for number in led["called_number"]:
        assert len(number) == lengths[number[1:4]], number
    networks = dict(led.select(pl.col("called_number").str.slice(0, 4), "other_plmn").iter_rows())
    assert networks == {"+371": "24701", "+539": "36801", "+882": None}
    # As many as without the layer; of who is not touched, those alone change whom they would have
    # called or written to.
    assert after.filter(theirs).height == pytest.approx(every, rel=0.05)
    changed = pl.concat([only_in(after, before), only_in(before, after)])
    strangers = changed.filter(~pl.col("subscriber_id").is_in(phones(inputs).implode()))
    numbers = before.filter(pl.col("subscriber_id").is_in(targets(inputs).implode()))["msisdn"]
    other = pl.when(OUT).then("called_number").otherwise("calling_number")
    voicemail = pl.col("called_number") == inputs.config.numbering.voicemail_number
    strangers = strangers.filter(~voicemail)
    assert strangers.select(other.is_in(numbers.implode())).to_series().all()
    assert make_day(inputs, name, DAY - EVE).equals(usual(name, DAY - EVE))
    assert only_in(before.filter(pl.col("event_time") < FIRST), after).height == 0


def test_calls_to_competitors_go_to_one_line_of_each() -> None:
    inputs = with_story(it=turned(share=1, to="competitor"))
    before, after = usual("cdrs_voice"), make_day(inputs, "cdrs_voice", DAY)
    led = only_in(after, before).filter(at_the_time(inputs) & OUT)
    lines = led.group_by("called_number", "other_plmn").agg(
        pl.col("subscriber_id").n_unique(), pl.len()
    )
    lines = lines.filter(pl.col("subscriber_id") > 2)
    assert sorted(lines["other_plmn"]) == ["20662", "20663"], "two other operators"
    assert lines["called_number"].str.contains(r"^\+3248[12]\d{6}$").all()
    assert lines["len"].sum() > 0.9 * led.height
    known = before["called_number"].unique()
    assert not lines["called_number"].is_in(known.implode()).any(), "nobody else's number"
    # Everybody asks the one to whom he would go.
    per_caller = led.filter(pl.col("called_number").is_in(lines["called_number"].implode()))
    assert per_caller.group_by("subscriber_id").agg(pl.col("called_number").n_unique())[
        "called_number"
    ].max() == 1  # fmt: skip


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_sms"])
def test_anyone_is_anybody_of_the_country(name: str) -> None:
    inputs = with_story(it=turned(of="both", share=1, to="anyone"))
    before, after = usual(name), make_day(inputs, name, DAY)
    voicemail = pl.col("called_number") == inputs.config.numbering.voicemail_number
    led = only_in(after, before).filter(at_the_time(inputs) & OUT & ~voicemail)
    assert led.height > 60
    assert led["called_number"].n_unique() > 0.95 * led.height
    assert led["called_number"].str.contains(r"^\+324[68][12]\d{6}$").all()
    plmns = led["other_plmn"].cast(pl.String).value_counts(normalize=True)
    shares = dict(plmns.iter_rows())
    assert set(shares) == {"20661", "20662", "20663"}
    assert 0.2 < shares["20661"] < 0.55, "about our part of the market"
    # Who is called has the other record of it.
    both = led.filter(pl.col("other_plmn") == "20661")
    reference = {"cdrs_voice": "call_reference", "cdrs_sms": "message_reference"}[name]
    answers = after.filter(~OUT)[reference]
    found = both[reference].is_in(answers.implode())
    assert found.mean() > 0.7
    assert after["event_id"].n_unique() == after.height
    # Nobody replies or calls back: each party has one of them only.
    pairs = led.group_by("subscriber_id", "called_number").len()
    assert (pairs["len"] == 1).mean() > 0.95


def test_of_two_layers_the_higher_one_leads_what_both_would() -> None:
    one = turned(share=1, to="ranges", ranges=["+37167"])
    other = turned(number=2, share=1, to="ranges", ranges=["+53991"])
    inputs = with_story(one=one, other=other)
    made = make_day(inputs, "cdrs_voice", DAY).filter(OUT)
    first, second = (targets(with_story(it=each)) for each in (one, other))
    both = pl.Series(sorted(set(first) & set(second)), dtype=pl.Int64)
    assert both.len() > 0
    led = made.filter(pl.col("called_number").str.contains(r"^\+(37167|53991)"))
    theirs = led.filter(pl.col("subscriber_id").is_in(both.implode()))
    assert theirs["called_number"].str.starts_with("+53991").all()
    only = led.filter(pl.col("subscriber_id").is_in(first.implode()) &
                      ~pl.col("subscriber_id").is_in(both.implode()))  # fmt: skip
    assert only.height > 20
    assert only["called_number"].str.starts_with("+37167").all()


def test_what_was_asked_for_before_does_not_show() -> None:
    """The same file, texts in the same order, whatever days this process has made."""
    effect = {"of": "both", "share": 1, "to": "ranges", "ranges": RANGES, "numbers": 500}
    story = {"it": turned(lasts="60h", **effect)}
    part = Part(0, 0, 1024)
    fresh, used = with_story(**story), with_story(**story)
    for name in ("cdrs_sms", "cdrs_voice"):
        make_day(used, name, DAY + EVE)
    for name in ("cdrs_voice", "cdrs_sms"):
        one, other = (GENERATORS[name].rows(each, DAY, part) for each in (fresh, used))
        for column in ("called_number", "other_plmn"):
            mine, theirs = (rows.columns[column] for rows in (one, other))
            assert mine.texts.equals(theirs.texts), column
            assert np.array_equal(mine.codes, theirs.codes), column
        assert one.to_frame().equals(other.to_frame())


def test_a_day_and_its_tail_agree_over_midnight() -> None:
    inputs = with_story(it=turned(lasts="48h", of="both", share=1, to="anyone"))
    for name, reference in (("cdrs_voice", "call_reference"), ("cdrs_sms", "message_reference")):
        alone = []
        for world in (without(), inputs):
            days = pl.concat([make_day(world, name, DAY + number * EVE) for number in (0, 1)])
            assert days["event_id"].n_unique() == days.height
            since = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)
            ours = days.filter(~OUT & (pl.col("event_time") > since))
            # Some have numbers of ours and are with other networks.
            ours = ours.filter(pl.col("calling_number").is_in(days["msisdn"].implode()))
            origins = days.filter(OUT)[reference]
            alone.append(ours.filter(~pl.col(reference).is_in(origins.implode())).height)
            assert ours.height > 500
        assert alone[1] <= alone[0] + 3, name
