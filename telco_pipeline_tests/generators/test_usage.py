"""More and less of what people start: only theirs, only then, and with ids of their own."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.population import MACHINE
from telco_pipeline.behaviour.rhythm import WHOLE_DAY, windows
from telco_pipeline.generators import Inputs
from telco_pipeline.generators.cdrs.data_sessions import TAIL, draw_sessions
from telco_pipeline.generators.events import Events
from telco_pipeline.generators.usage import numbered
from telco_pipeline.scenarios.language import Layer
from telco_pipeline_tests.generators.kit import EVE, make_day
from telco_pipeline_tests.generators.layered import (
    DAY,
    FIRST,
    LAST,
    PEOPLE,
    at_the_time,
    layer,
    only_in,
    phones,
    targets,
    usual,
    with_story,
    without,
)

LATER = dt.timedelta(hours=2)
"""Longest time from the first call of a train to another one."""

OUT = pl.col("record_type").cast(pl.String).str.starts_with("mo")


def usage(
    number: int = 1,
    lasts: str = "10h",
    personas: list[str] = PEOPLE,
    size: int = 40,
    **factors: Any,
) -> Layer:
    deed = {"usage": {"who": "them", **factors}}
    return layer(deed, number=number, lasts=lasts, personas=personas, size=size)


def sessions(inputs: Inputs) -> Events:
    """Return the starts of all sessions of a day."""
    day, everybody = inputs.day(DAY), np.arange(inputs.population.size)
    main, tail = windows(TAIL)
    return draw_sessions(day, everybody, main).followed_by(draw_sessions(day, everybody, tail))


@pytest.mark.parametrize(
    ("name", "factor"),
    [("cdrs_data", "sessions"), ("cdrs_sms", "messages"), ("cdrs_voice", "calls")],
)
def test_a_factor_above_one_adds_and_leaves_what_was(name: str, factor: str) -> None:
    inputs = with_story(it=usage(**{factor: 5}))
    before, after = usual(name), make_day(inputs, name, DAY)
    theirs = at_the_time(inputs) & (OUT if name != "cdrs_data" else True)
    # Calls that somebody makes while in an added one are not made, others find him busy.
    told = 4.0 if name != "cdrs_voice" else 2.5
    assert after.filter(theirs).height > told * before.filter(theirs).height > 100
    assert after["event_id"].n_unique() == after.height
    lost = only_in(before, after)
    if name != "cdrs_voice":
        assert lost.height == 0
    assert lost.filter(~pl.col("subscriber_id").is_in(phones(inputs).implode())).height <= 10
    assert lost.height < 0.2 * before.filter(at_the_time(inputs)).height
    new = only_in(after, before).filter(pl.col("subscriber_id").is_in(targets(inputs).implode()))
    assert new["event_time"].is_between(FIRST, LAST + LATER + dt.timedelta(hours=12)).all()
    assert only_in(before.filter(pl.col("event_time") < FIRST), after).height == 0
    assert make_day(inputs, name, DAY - EVE).equals(usual(name, DAY - EVE))


@pytest.mark.parametrize(
    ("name", "factor"),
    [("cdrs_data", "sessions"), ("cdrs_sms", "messages"), ("cdrs_voice", "calls")],
)
def test_a_factor_below_one_keeps_a_part(name: str, factor: str) -> None:
    inputs = with_story(it=usage(**{factor: 0.25}))
    before, after = usual(name), make_day(inputs, name, DAY)
    theirs = at_the_time(inputs) & (OUT if name != "cdrs_data" else True)
    kept = after.filter(theirs).height / before.filter(theirs).height
    assert 0.1 < kept < (0.35 if name == "cdrs_data" else 0.6), "answers stay"
    new = only_in(after, before)
    if name == "cdrs_voice":
        # Whose phone is free now is reached, and what it would have been too busy for is made.
        assert new.height <= 10
    else:
        assert new.height == 0
    lost = only_in(before, after)
    strangers = ~pl.col("subscriber_id").is_in(phones(inputs).implode())
    if name == "cdrs_data":
        assert lost.filter(strangers).height == 0
    assert only_in(before.filter(pl.col("event_time") < FIRST), after).height == 0


def test_added_sessions_follow_the_layer_to_the_minute() -> None:
    inputs = with_story(it=usage(sessions=6))
    before, after = sessions(without()), sessions(inputs)
    first, last = ((moment.hour * 3600) * 10**6 for moment in (FIRST, LAST))
    new = ~np.isin(after.packed(), before.packed())
    assert new.sum() > 1000
    assert after.time[new].min() >= first
    assert after.time[new].max() < last
    # Whatever was, is, with the same key and time.
    old = after.select(np.flatnonzero(~new))
    assert sorted(zip(old.packed(), old.key, old.time, strict=True)) == sorted(
        zip(before.packed(), before.key, before.time, strict=True)
    )
    by_hour = np.bincount(after.time[new] // (3600 * 10**6), minlength=24)
    assert by_hour[8:18].min() > 0.4 * by_hour[8:18].max(), "spread over the time"


def test_machines_send_more_at_any_time() -> None:
    inputs = with_story(it=usage(sessions=20, personas=["iot_meter", "iot_sensor"]))
    before, after = sessions(without()), sessions(inputs)
    new = after.select(np.flatnonzero(~np.isin(after.packed(), before.packed())))
    assert len(new) > 300
    assert (inputs.population.kind[new.entity] == MACHINE).all()
    # Meters report when the clock strikes; what is added does not.
    assert ((new.time // 10**6) % 900 < 60).mean() < 0.2


def test_targets_are_found_among_few_and_among_many() -> None:
    touch = with_story(it=usage(sessions=6)).story.on(DAY).touches[0]
    everybody = np.arange(touch.rows[-1] + 100)
    rows, place = touch.among(everybody[::-1])
    assert sorted(everybody[::-1][rows]) == list(touch.rows)
    assert (touch.rows[place] == everybody[::-1][rows]).all()
    far = np.array([0, touch.rows[3], 10**7, touch.rows[0], touch.rows[3]])
    rows, place = touch.among(far)
    wanted = [row for row, one in enumerate(far) if one in set(touch.rows)]
    assert list(rows) == wanted
    assert (touch.rows[place] == far[rows]).all()
    for nobody in (np.zeros(0, dtype=np.int64), touch.rows[-1:] + 1):
        assert not touch.among(nobody)[0].size


def test_strength_grows_with_the_ramp() -> None:
    inputs = with_story(it=usage(sessions=20, ramp="10h"))
    before, after = sessions(without()), sessions(inputs)
    new = after.time[~np.isin(after.packed(), before.packed())]
    hours = np.bincount(new // (3600 * 10**6), minlength=24)
    assert hours[8:10].sum() < 0.2 * hours[16:18].sum()


def test_factors_of_two_layers_multiply() -> None:
    chosen = {"personas": ["commuter"], "size": 10_000}
    one, other = usage(sessions=3, **chosen), usage(number=2, sessions=4, **chosen)
    counts = []
    for layers in ({}, {"one": one}, {"one": one, "other": other}):
        inputs = with_story(**layers) if layers else without()
        made = make_day(inputs, "cdrs_data", DAY)
        chosen = at_the_time(with_story(one=one))
        counts.append(made.filter(chosen).height)
        assert made["event_id"].n_unique() == made.height
    assert counts[1] == pytest.approx(3 * counts[0], rel=0.1)
    assert counts[2] == pytest.approx(12 * counts[0], rel=0.1)


def _known(events: Events, others: Events) -> np.ndarray:
    """Return which events are among others by key, entity and time, whatever their ids."""
    told = set(zip(others.key, others.entity, others.time, strict=True))
    return np.array(
        [one in told for one in zip(events.key, events.entity, events.time, strict=True)]
    )


@pytest.mark.parametrize(("kept", "left"), [("one", "other"), ("other", "one")])
def test_what_a_layer_adds_stays_when_another_is_left_out(kept: str, left: str) -> None:
    chosen = {"personas": ["commuter"], "size": 10_000}
    layers = {"one": usage(sessions=6, **chosen), "other": usage(number=2, sessions=4, **chosen)}
    base, alone = sessions(without()), sessions(with_story(**{kept: layers[kept]}))
    both = sessions(with_story(**layers))
    added = alone.select(np.flatnonzero(~np.isin(alone.packed(), base.packed())))
    assert len(added) > 1000
    assert _known(added, both).all(), f"{left} changes nothing of it"
    # An id differs only where both wanted the same number.
    assert np.isin(added.packed(), both.packed()).mean() > 0.995
    assert len(np.unique(both.packed())) == len(both)
    more = both.select(np.flatnonzero(~_known(both, alone)))
    # Of 24 times as many, 5 or 3 times are its own beside what was.
    times = 18 / 5 if kept == "one" else 20 / 3
    assert len(more) == pytest.approx(times * len(added), rel=0.1)


def test_ids_run_out_before_they_are_used_twice() -> None:
    inputs = with_story(it=usage(sessions=6))
    base = sessions(without())
    more = sessions(inputs)
    more = more.select(np.flatnonzero(~np.isin(more.packed(), base.packed())))
    many = more
    while len(many) < 40 * len(more):
        many = many.followed_by(many)
    one = np.flatnonzero(many.entity == many.entity[0])
    nothing = base.select(np.zeros(0, dtype=np.int64))
    room = numbered(nothing, many.select(one), WHOLE_DAY, 4)
    assert sorted(room.index) == [0, 1, 2, 3]
    beside = numbered(room.select(np.arange(3)), many.select(one), WHOLE_DAY, 4)
    assert sorted([*beside.index, *room.index[:3]]) == [0, 1, 2, 3]


def test_thinning_meets_adding() -> None:
    inputs = with_story(one=usage(sessions=6), other=usage(number=2, sessions=0.0))
    both = set(targets(with_story(one=usage(sessions=6))))
    both &= set(targets(with_story(one=usage(number=2, sessions=0.0))))
    made = make_day(inputs, "cdrs_data", DAY)
    theirs = pl.col("subscriber_id").is_in(pl.Series(sorted(both), dtype=pl.Int64).implode())
    during = pl.col("event_time").is_between(FIRST, LAST, closed="left")
    silent = pl.col("subscriber_id").is_in(
        targets(with_story(one=usage(number=2, sessions=0.0))).implode()
    )
    first = pl.col("record_sequence_number") == 1
    assert made.filter(silent & during & first).height == 0
    assert made.filter(theirs & during & first).height == 0


def test_bytes_and_talk_are_those_of_what_starts_then() -> None:
    inputs = with_story(it=usage(bytes=8, talk=3))
    chosen = at_the_time(inputs)
    before, after = usual("cdrs_data"), make_day(inputs, "cdrs_data", DAY)
    volume = [made.filter(chosen)["data_volume_downlink"].sum() for made in (before, after)]
    assert 4 * volume[0] < volume[1] <= 8.5 * volume[0]
    assert only_in(before.filter(~chosen), after).height == 0
    before, after = usual("cdrs_voice"), make_day(inputs, "cdrs_voice", DAY)
    spoken = chosen & OUT & (pl.col("status") == "answered")
    talk = [made.filter(spoken)["call_duration"].median() for made in (before, after)]
    assert 2.4 * talk[0] < talk[1] < 3.6 * talk[0]
    longest = inputs.config.charging.voice_max_s
    assert after["call_duration"].max() <= longest
    # The other end of these calls, and who would call meanwhile, are touched too; nobody else.
    references = after.filter(chosen)["call_reference"].implode()
    others = only_in(after, before).filter(~pl.col("call_reference").is_in(references))
    assert others.height <= 5


def test_ids_are_the_same_whatever_else_a_layer_does() -> None:
    plain = make_day(with_story(it=usage(calls=4)), "cdrs_voice", DAY)
    longer = make_day(with_story(it=usage(calls=4, sessions=3)), "cdrs_voice", DAY)
    assert plain.equals(longer)


def test_a_day_and_its_tail_agree_over_midnight() -> None:
    inputs = with_story(it=usage(calls=6, messages=6, sessions=4, lasts="48h"))
    for name in ("cdrs_voice", "cdrs_sms", "cdrs_data"):
        days = pl.concat([make_day(inputs, name, DAY + number * EVE) for number in (0, 1)])
        assert days["event_id"].n_unique() == days.height
    voice = pl.concat([make_day(inputs, "cdrs_voice", DAY + number * EVE) for number in (0, 1)])
    # Both records of a call between two of ours, also where one of them lies behind midnight.
    known = voice.filter(OUT & pl.col("other_imei").is_not_null())
    before = dt.datetime(2026, 1, 15, 23, 50, tzinfo=dt.UTC)
    known = known.filter(pl.col("event_time") < before)
    answers = voice.filter(~OUT)["call_reference"]
    assert known["call_reference"].is_in(answers.implode()).all()
    data = pl.concat([make_day(inputs, "cdrs_data", DAY + number * EVE) for number in (0, 1)])
    parts = data.group_by("charging_id").agg(
        pl.len(), pl.col("record_sequence_number").min().alias("first"),
        pl.col("record_sequence_number").max().alias("last"), pl.col("event_time").min(),
    )  # fmt: skip
    inside = parts.filter(pl.col("event_time") > dt.datetime(2026, 1, 14, 2, tzinfo=dt.UTC))
    assert (inside["first"] == 1).all()
    assert (inside["last"] == inside["len"]).all()
