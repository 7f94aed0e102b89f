"""Refusals: who is refused, how devices go on, who is not heard of meanwhile."""

import datetime as dt
from functools import cache

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.population import MACHINE
from telco_pipeline.engine.calendar import DAY as A_DAY
from telco_pipeline.engine.calendar import HOUR, MINUTE, SECOND
from telco_pipeline.generators import Inputs
from telco_pipeline.generators.refusals import Gaps, unattached, until_attached
from telco_pipeline.scenarios.language import Layer
from telco_pipeline_tests.generators.kit import make_day
from telco_pipeline_tests.generators.story_kit import (
    DAY,
    EPOCH,
    begin_and_end,
    layer,
    of,
    others,
    plain,
    plain_day,
    targets,
    with_story,
    within,
)

PEOPLE = {"number": 400, "where": {"kind": "person"}}
MACHINES = {"number": 300, "where": {"kind": "machine"}}
BACK = dt.timedelta(minutes=10)
MIDNIGHT = dt.datetime(DAY.year, DAY.month, DAY.day, tzinfo=dt.UTC)


@cache
def refused(of_what: str, share: float, cause: int, machines: bool = False) -> Inputs:
    effect = {"reject": {"share": share, "of": of_what, "cause": cause}}
    return with_story(layer(effect, MACHINES if machines else PEOPLE))


@cache
def rows(inputs: Inputs, name: str) -> pl.DataFrame:
    return make_day(inputs, name, DAY)


@pytest.mark.parametrize("cause", [3, 17])
def test_who_is_refused_everything_is_heard_of_by_his_attempts_only(cause: int) -> None:
    inputs = refused("registration", 1.0, cause)
    who, (begin, end) = targets(inputs), begin_and_end(inputs)
    dark = begin, end - BACK
    updates = within(of(rows(inputs, "location_updates"), who), *dark)
    assert updates["subscriber_id"].n_unique() > 0.8 * len(who)
    assert set(updates["cause"].unique()) == {cause}
    assert set(updates["update_type"].cast(pl.String).unique()) == {"attach", "periodic"}
    assert within(of(plain_day("location_updates", DAY), who), *dark).height > 300
    for name in ("cdrs_voice", "cdrs_sms", "cdrs_ims"):
        assert not within(of(rows(inputs, name), who), *dark).height, name
        assert within(of(plain_day(name, DAY), who), *dark).height > 300, name
    sessions = within(of(rows(inputs, "cdrs_data"), who), *dark)
    assert not sessions.height


def test_all_come_back_in_the_last_minutes_one_after_the_other() -> None:
    inputs = refused("registration", 1.0, 3)
    who, (begin, end) = targets(inputs), begin_and_end(inputs)
    updates = of(rows(inputs, "location_updates"), who)
    accepted = within(updates, begin, end).filter(pl.col("cause") == 0)
    back = accepted.filter(pl.col("update_type") == "attach")
    assert back["subscriber_id"].n_unique() > 0.8 * len(who)
    assert back["event_time"].min() > end - BACK
    assert back["event_time"].dt.truncate("1m").n_unique() >= 9
    assert back["event_time"].n_unique() == back.height
    # They register with the IMS, too.
    fresh = within(of(rows(inputs, "cdrs_ims"), who), end - BACK, end + BACK)
    assert fresh.filter(pl.col("sip_response") == 401).height > 0.5 * back.height


def test_a_blocked_sim_is_refused_until_a_new_one_is_in() -> None:
    """The SIM that was blocked never comes back: at the end it is the new one that attaches."""
    blocked = layer({"reject": {"share": 1, "of": "all", "cause": 8}}, PEOPLE).to_dict()
    swap = {"swap": {"who": "targets"}}
    blocked["stages"].append({"name": "card", "after": "589m", "lasts": "11m", "do": [swap]})
    inputs = with_story(Layer.model_validate(blocked))
    who = inputs.story.on(DAY).of("reject")[0].rows
    known = inputs.frames["subscribers"].select("subscriber_id", registered="imsi")[who]
    (begin, end), ids = _times(inputs), known["subscriber_id"]
    updates = of(rows(inputs, "location_updates"), ids).join(known, on="subscriber_id")
    dark = within(updates, begin, end)
    old = dark.filter(pl.col("imsi") == pl.col("registered"))
    assert set(old["cause"].unique()) == {8}
    fresh = dark.filter(pl.col("cause") == 0)
    assert fresh["subscriber_id"].n_unique() > 0.8 * len(who)
    assert (fresh["imsi"] != fresh["registered"]).all()
    assert fresh["event_time"].min() > end - BACK
    assert not within(of(rows(inputs, "cdrs_voice"), ids), begin, end - BACK).height


def _times(inputs: Inputs) -> tuple[dt.datetime, dt.datetime]:
    touch = inputs.story.on(DAY).of("reject")[0]
    zero = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    first, last = int(touch.start.min()), int(touch.end.max())
    return zero + dt.timedelta(microseconds=first), zero + dt.timedelta(microseconds=last)


def test_a_device_tries_five_times_and_waits() -> None:
    inputs = refused("registration", 1.0, 17)
    begin, _ = begin_and_end(inputs)
    first = within(of(rows(inputs, "location_updates"), targets(inputs)), begin, begin + 2 * BACK)
    waits = first.sort("subscriber_id", "event_time").select(
        wait=pl.col("event_time").diff().over("subscriber_id").dt.total_milliseconds() / 1000
    )["wait"].drop_nulls()  # fmt: skip
    short, long = waits.filter(waits < 60), waits.filter(waits > 60)
    assert short.is_between(10, 14).mean() > 0.99, "but for who switches it off and on"
    assert long.is_between(11 * 60, 13 * 60).mean() > 0.99
    assert 3.0 < len(short) / len(long) < 10.0


@pytest.mark.parametrize("cause", [3, 17])
def test_machines_do_not_hammer(cause: int) -> None:
    inputs = refused("registration", 1.0, cause, machines=True)
    who, (begin, end) = targets(inputs), begin_and_end(inputs)
    tried = within(of(rows(inputs, "location_updates"), who), begin, end - BACK)
    each = tried.group_by("subscriber_id").len()["len"]
    assert each.mean() == pytest.approx({3: 3.5, 17: 65}[cause], rel=0.3)
    usual = within(of(plain_day("location_updates", DAY), who), begin, end - BACK).height
    assert tried.height > 5 * usual, "a failure of many is a surge of rejects"
    if cause == 3:
        # Off until the watchdog resets the module.
        gap = tried.sort("subscriber_id", "event_time").select(
            pl.col("event_time").diff().over("subscriber_id")
        )["event_time"].drop_nulls()  # fmt: skip
        assert gap.min() > dt.timedelta(hours=1)


@pytest.mark.parametrize("what", ["registration", "sessions", "all"])
def test_nothing_else_changes(what: str) -> None:
    inputs = refused(what, 0.5, 17)
    who, (begin, end) = targets(inputs), begin_and_end(inputs)
    for name in ("location_updates", "cdrs_data"):
        with_it, without = rows(inputs, name), plain_day(name, DAY)
        assert others(with_it, who).equals(others(without, who)), name
        early = begin - dt.timedelta(hours=1)
        assert within(with_it, MIDNIGHT, early).equals(within(without, MIDNIGHT, early)), name
    # Of calls, the other party's record tells of it, too.
    voice, before = rows(inputs, "cdrs_voice"), plain_day("cdrs_voice", DAY)
    touched = pl.concat([voice, before]).filter(
        pl.col("subscriber_id").is_in(who.implode())
    )["call_reference"]  # fmt: skip
    apart = ~pl.col("call_reference").is_in(touched.implode())
    same = ["event_id", "diagnostics", "call_duration"]
    lines = others(before, who).filter(apart).select(same)
    found = lines.join(others(voice, who), on=same, how="semi")
    # But for who is free for another call, or is kept from one, as a target did not reach him.
    assert found.height > 0.995 * lines.height
    eve = DAY - dt.timedelta(days=1)
    for name in ("location_updates", "cdrs_data", "cdrs_voice", "cdrs_ims"):
        assert make_day(inputs, name, eve).equals(plain_day(name, eve)), name
    assert end < MIDNIGHT + dt.timedelta(days=1)


def test_the_day_after_is_as_it_was() -> None:
    inputs, after = refused("all", 0.5, 3), DAY + dt.timedelta(days=1)
    who = targets(inputs)
    late = MIDNIGHT + dt.timedelta(days=1, hours=6)
    for name in ("cdrs_data", "cdrs_voice"):
        with_it, without = make_day(inputs, name, after), plain_day(name, after)
        assert others(with_it, who).equals(others(without, who)) or name == "cdrs_voice"
        until = late + dt.timedelta(days=1)
        assert within(with_it, late, until).equals(within(without, late, until)), name


def test_sessions_are_refused_by_share() -> None:
    inputs = refused("sessions", 0.5, 3)
    who, time = targets(inputs), begin_and_end(inputs)
    data = within(of(rows(inputs, "cdrs_data"), who), *time)
    opened = data.filter((pl.col("record_sequence_number") == 1) & ~pl.col("roaming"))
    assert opened["diagnostics"].is_not_null().mean() == pytest.approx(0.5, abs=0.04)
    assert set(opened["diagnostics"].drop_nulls().unique()) <= {26, 38}
    empty = opened.filter(pl.col("diagnostics") == 38)
    assert not empty["data_volume_downlink"].sum()
    assert not empty["chargeable"].any()
    started = within(of(rows(inputs, "cdrs_voice"), who), *time).filter(
        (pl.col("record_type") == "moCallRecord") & ~pl.col("roaming")
    )
    # Each is tried again, and a call between two targets is refused for either.
    assert (started["status"] == "failed").mean() == pytest.approx(0.5, abs=0.08)
    usual = within(of(plain_day("cdrs_voice", DAY), who), *time)
    assert started.height > 1.2 * usual.filter(pl.col("record_type") == "moCallRecord").height
    sent = within(of(rows(inputs, "cdrs_sms"), who), *time).filter(
        (pl.col("record_type") == "moSMSRecord") & ~pl.col("roaming")
    )
    assert (sent["sms_result"] == 192).mean() == pytest.approx(0.5, abs=0.1)
    updates = within(of(rows(inputs, "location_updates"), who), *time)
    assert not (updates["cause"] == 3).any()


@pytest.mark.parametrize(("cause", "answers"), [(3, {403}), (17, {503, 504})])
def test_the_ims_refuses_as_it_does_otherwise(cause: int, answers: set[int]) -> None:
    inputs = refused("registration", 0.4, cause)
    who, time = targets(inputs), begin_and_end(inputs)
    register = pl.col("sip_method") == "REGISTER"
    refusals = within(of(rows(inputs, "cdrs_ims"), who), *time).filter(
        register & pl.col("sip_response").is_in(list(answers))
    )
    usual = within(of(plain_day("cdrs_ims", DAY), who), *time).filter(
        register & pl.col("sip_response").is_in(list(answers))
    )
    assert refusals.height > 200 + usual.height


def test_refused_updates_are_no_more_than_the_share_says() -> None:
    strong, weak = refused("registration", 0.8, 17), refused("registration", 0.2, 17)
    part = []
    for inputs in (strong, weak):
        who, time = targets(inputs), begin_and_end(inputs)
        updates = within(of(rows(inputs, "location_updates"), who), *time)
        part.append((updates["cause"] == 17).mean())
    assert part[0] == pytest.approx(0.8, abs=0.12)
    assert part[1] == pytest.approx(0.2, abs=0.12)


def test_trouble_that_rises_reaches_one_after_the_other() -> None:
    effect = {"share": 0.6, "of": "registration", "cause": 3, "ramp": "2h"}
    inputs = with_story(layer({"reject": effect}, PEOPLE))
    day, (touch,) = inputs.day(DAY), inputs.story.on(DAY).touches
    begin = int(touch.start[0]) - day.start
    part = []
    for minute in (30, 60, 90, 119):
        gone = unattached(day, touch.rows, np.full(len(touch), begin + minute * MINUTE))
        part.append(len(gone) / len(touch))
    assert part == pytest.approx([0.15, 0.3, 0.45, 0.6], abs=0.06)


def test_identifiers_are_unique_and_rows_do_not_hang_on_the_name() -> None:
    inputs = refused("all", 0.5, 17)
    for name in ("location_updates", "cdrs_ims", "cdrs_voice", "cdrs_data"):
        ids = rows(inputs, name)["event_id"]
        assert ids.n_unique() == len(ids), name
    again = with_story(layer({"reject": {"share": 0.5, "of": "all", "cause": 17}}, PEOPLE))
    assert make_day(again, "location_updates", DAY).equals(rows(inputs, "location_updates"))


def test_overlapping_refusals_leave_one_course() -> None:
    one = layer({"reject": {"share": 0.9, "of": "registration", "cause": 17}}, PEOPLE)
    two = layer(
        {"reject": {"share": 1.0, "of": "registration", "cause": 8}},
        {"where": {"kind": "person"}},
        number=2,
        after="2h",
        lasts="3h",
    )
    inputs = with_story(one, two)
    day = inputs.day(DAY)
    attempts, gaps = day.refusals.attempts, day.refusals.gaps
    assert ((gaps.entity[1:] > gaps.entity[:-1]) | (gaps.start[1:] > gaps.end[:-1])).all()
    inside = np.isin(np.arange(len(attempts.time)), gaps.holding(attempts.entity, attempts.time)[0])
    # Who is accepted is back; who is refused is not.
    assert not (inside & (attempts.cause == 0)).any()
    assert inside[(attempts.cause != 0) & ~attempts.attached].all()
    (first,), (second,) = ([t for t in day.story.of("reject") if t.incident.layer.number == n]
                           for n in (1, 2))  # fmt: skip
    shared = np.intersect1d(first.rows, second.rows)
    assert len(shared) == 400
    from_two = (attempts.time > 7 * HOUR) & (attempts.time < 10 * HOUR - 10 * MINUTE)
    meant = from_two & np.isin(attempts.entity, shared)
    assert meant.sum() == 400
    assert (attempts.cause[meant] == 8).all()


def test_both_days_know_the_same_of_a_night() -> None:
    effect = {"reject": {"share": 0.6, "of": "registration", "cause": 3}}
    inputs = with_story(layer(effect, PEOPLE, lasts="3d"))
    day, after = inputs.day(DAY), inputs.day(DAY + dt.timedelta(days=1))
    entity = np.arange(inputs.population.size)
    seen = 0
    for hour in (-3, -2, -1, 0, 1, 2):
        time = np.full(len(entity), hour * HOUR + MINUTE)
        early = unattached(day, entity, time + A_DAY)
        assert np.array_equal(early, unattached(after, entity, time))
        seen += len(early)
    assert seen > 100
    time = np.full(len(entity), A_DAY - MINUTE)
    wait = until_attached(day, entity, time)
    gone = unattached(day, entity, time)
    assert (wait[gone] > 0).all()
    assert not np.delete(wait, gone).any()
    assert not np.isin(gone, unattached(day, entity, time + wait)).any()


def test_gaps_that_touch_are_one() -> None:
    entity, start = np.array([2, 1, 1, 1]), np.array([5, 10, 0, 30]) * SECOND
    gaps = Gaps.of(entity, start, np.array([6, 20, 10, 40]) * SECOND)
    assert gaps.entity.tolist() == [1, 1, 2]
    assert (gaps.start // SECOND).tolist() == [0, 30, 5]
    assert (gaps.end // SECOND).tolist() == [20, 40, 6]


def test_a_world_without_layers_asks_for_nothing() -> None:
    day = plain().day(EPOCH)
    assert not day.refusals
    assert not len(day.refusals.attempts.time)
    assert (plain().population.kind == MACHINE).any()
