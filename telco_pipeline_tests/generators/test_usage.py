"""More and less of what people start: only theirs, only then, and with ids of their own."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from telco_pipeline.behaviour.population import MACHINE
from telco_pipeline.behaviour.rhythm import WHOLE_DAY, windows
from telco_pipeline.engine.calendar import HOUR, day_start
from telco_pipeline.generators import Inputs
from telco_pipeline.generators.cdrs import calls
from telco_pipeline.generators.cdrs.data_sessions import TAIL, draw_sessions
from telco_pipeline.generators.events import Events
from telco_pipeline.generators.usage import begun, numbered
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

NUMBERS = ("calling_number", "called_number")
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


def sessions(inputs: Inputs, date: dt.date = DAY) -> Events:
    """Return the starts of all sessions of a day."""
    day, everybody = inputs.day(date), np.arange(inputs.population.size)
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


def _trains(inputs: Inputs) -> calls.Trains:
    """Return the trains of calls of a day, whether they come about or not."""
    return calls.trains_of(inputs.day(DAY), np.arange(inputs.population.size), windows(calls.TAIL))[
        0
    ]


def test_others_begin_fewer_trains_to_who_is_called_less() -> None:
    inputs = with_story(it=usage(called=0.25, size=400))
    trains, before = _trains(inputs), _trains(without())
    # All are drawn as ever: what may come about in another world is told by them (`reach.lines`).
    assert np.array_equal(trains.key, before.key)
    assert np.array_equal(trains.party, before.party)
    target = np.where(trains.outward, trains.party, trains.ego)
    kept = np.zeros(len(target), dtype=np.bool_)
    kept[begun(inputs.day(DAY), target, trains.time, trains.key)] = True
    touch = inputs.story.on(DAY).touches[0]
    start, end = (moment[0] - day_start(DAY) for moment in (touch.start, touch.end))
    meant = np.isin(target, touch.rows) & (trains.time >= start) & (trains.time < end)
    assert kept[~meant].all()
    assert kept[meant].mean() == pytest.approx(0.25, abs=0.05)
    # From customers of ours and from elsewhere alike.
    for outward in (False, True):
        some = meant & (trains.outward == outward)
        assert some.sum() > 100
        assert kept[some].mean() == pytest.approx(0.25, abs=0.1)


def _of_any(numbers: pl.Series) -> pl.Expr:
    """Return which records are of a call or message with one of some numbers."""
    some = numbers.unique().implode()
    return pl.any_horizontal(pl.col(name).cast(pl.String).is_in(some) for name in NUMBERS)


def _phones_of(inputs: Inputs, subscriber_id: pl.Series) -> set[int]:
    """Return the phones of some subscribers, as their first SIMs."""
    some = np.isin(inputs.population.subscriber_id, subscriber_id.to_numpy())
    return set(inputs.population.leader[some].tolist())


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_sms"])
def test_who_is_called_less_has_less_come_in_and_nothing_else_changes(name: str) -> None:
    inputs = with_story(it=usage(called=0.1, size=80))
    before, after = usual(name), make_day(inputs, name, DAY)
    comes_in = at_the_time(inputs) & ~OUT
    had, has = (made.filter(comes_in).height for made in (before, after))
    # They are still called back and answered in what they begin themselves.
    assert had > 100
    assert has < 0.6 * had
    lost, new = only_in(before, after), only_in(after, before)
    theirs = before.filter(pl.col("subscriber_id").is_in(targets(inputs).implode()))
    numbers = pl.concat(
        [
            theirs.filter(OUT)["calling_number"].cast(pl.String),
            theirs.filter(~OUT)["called_number"].cast(pl.String),
        ]
    )
    with_them = lost.filter(_of_any(numbers))
    # The phone of whoever would have called them has its line free, for its other calls.
    freed = _phones_of(inputs, with_them["subscriber_id"])
    others = pl.concat([lost.filter(~_of_any(numbers)), new])
    for _, call in others.group_by("call_reference" if name == "cdrs_voice" else "event_id"):
        assert freed & _phones_of(inputs, call["subscriber_id"])
    assert others.height <= (20 if name == "cdrs_voice" else 0)
    assert with_them.height >= had - has
    assert lost["event_time"].min() >= FIRST
    for day in (DAY - EVE, DAY + EVE):
        assert make_day(inputs, name, day).equals(usual(name, day))
    data = usual("cdrs_data")
    assert make_day(inputs, "cdrs_data", DAY).equals(data)


def test_who_is_called_even_less_has_a_part_of_what_came_in() -> None:
    layers = [usage(called=part) for part in (0.5, 0)]
    less, least = (make_day(with_story(it=one), "cdrs_sms", DAY) for one in layers)
    assert only_in(least, less).height == 0
    assert least.height < less.height < usual("cdrs_sms").height


def test_what_a_layer_leads_elsewhere_goes_there_whoever_is_called_less() -> None:
    deed = {"who": "them", "of": "messages", "share": 0.5, "to": "ranges", "ranges": ["+53991"]}
    led = layer({"destinations": deed}, size=10_000)
    in_range = pl.col("called_number").cast(pl.String).str.starts_with("+53991")
    silent = usage(number=2, called=0, size=10_000)
    before, after = (
        make_day(with_story(**layers), "cdrs_sms", DAY)
        for layers in ({"one": led}, {"one": led, "other": silent})
    )
    assert before.filter(in_range).height > 100
    assert before.filter(in_range).equals(after.filter(in_range))
    assert after.height < before.height


def _by_hour(events: Events) -> np.ndarray:
    return np.bincount(events.time // HOUR, minlength=24)


def test_what_comes_evenly_comes_at_all_hours() -> None:
    date = DAY + EVE
    base = sessions(without(), date)
    added = []
    for evenly in (False, True):
        inputs = with_story(it=usage(sessions=10, size=200, lasts="3d", evenly=evenly))
        after = sessions(inputs, date)
        # Whatever was, is.
        assert np.isin(base.packed(), after.packed()).all()
        new = after.select(np.flatnonzero(~np.isin(after.packed(), base.packed())))
        assert np.isin(new.entity, inputs.story.on(date).touches[0].rows).all()
        added.append(new)
    rhythmic, even = (_by_hour(new) for new in added)
    assert rhythmic.min() < 0.3 * rhythmic.max()
    # A few phones are off at night.
    assert even.min() > 0.75 * even.max()
    assert even[10:20].min() > 0.85 * even[10:20].max()
    assert even.sum() == pytest.approx(rhythmic.sum(), rel=0.1), "as many of a Thursday"


def test_a_factor_below_one_takes_by_the_rhythm_with_evenly_too() -> None:
    for name, factor in (("cdrs_data", "sessions"), ("cdrs_sms", "messages")):
        layers = [usage(**{factor: 0.25}, **more) for more in ({}, {"evenly": True})]
        plain, even = (make_day(with_story(it=one), name, DAY) for one in layers)
        assert plain.equals(even)


def test_what_a_layer_adds_evenly_to_another_comes_evenly_too() -> None:
    date, chosen = DAY + EVE, {"personas": ["commuter"], "size": 10_000, "lasts": "3d"}
    layers = {
        "one": usage(sessions=3, **chosen),
        "other": usage(number=2, sessions=4, evenly=True, **chosen),
    }
    inputs = with_story(**layers)
    both, alone = sessions(inputs, date), sessions(with_story(one=layers["one"]), date)
    theirs = np.isin(alone.entity, inputs.story.on(date).touches[0].rows)
    more = _by_hour(both.select(np.flatnonzero(~_known(both, alone))))
    assert more.sum() == pytest.approx(3 * theirs.sum(), rel=0.1)
    assert more.min() > 0.75 * more.max()


@pytest.mark.parametrize("factor", [{"called": 1.5}, {"called": -0.1}, {"evenly": "at night"}])
def test_what_is_no_part_and_no_flag_is_refused(factor: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(factor))):
        usage(**factor)
