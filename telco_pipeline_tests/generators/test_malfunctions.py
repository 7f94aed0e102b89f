"""Devices at fault: calls and sessions that are lost, restarts, and nobody else."""

import datetime as dt
from functools import cache

import numpy as np
import polars as pl
import pytest

from telco_pipeline.engine.calendar import DAY as A_DAY
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.generators import Inputs
from telco_pipeline.generators.malfunctions import restarts
from telco_pipeline.generators.refusals import unattached
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
MIDNIGHT = dt.datetime(DAY.year, DAY.month, DAY.day, tzinfo=dt.UTC)
NEXT = DAY + dt.timedelta(days=1)
LOST = 4  # stable call dropped by the radio link; abnormal release


@cache
def broken(drops: float = 0.0, restarts: float = 0.0, **more: str) -> Inputs:
    effect = {"malfunction": {"drops": drops, "restarts": restarts, **more}}
    return with_story(layer(effect, PEOPLE))


@cache
def rows(inputs: Inputs, name: str, day: dt.date = DAY) -> pl.DataFrame:
    return make_day(inputs, name, day)


def theirs(inputs: Inputs, name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the targets' records in the time, with the layer and without it."""
    who, time = targets(inputs), begin_and_end(inputs)
    with_it, without_it = rows(inputs, name), plain_day(name, DAY)
    return within(of(with_it, who), *time), within(of(without_it, who), *time)


# --- calls and sessions lost ----------------------------------------------------------------------


def test_calls_and_sessions_are_lost_as_by_a_radio_link_failure() -> None:
    inputs = broken(drops=0.2)
    calls, usual = theirs(inputs, "cdrs_voice")
    lost = (calls["cause_for_term"] == LOST).sum()
    assert lost > 0.06 * calls.filter("chargeable").height
    assert lost > 10 * (usual["cause_for_term"] == LOST).sum()
    cut = calls.filter(pl.col("cause_for_term") == LOST)
    assert set(cut["diagnostics"]) <= set(rows(inputs, "cdrs_voice").filter(
        pl.col("cause_for_term") == LOST)["diagnostics"])  # fmt: skip
    sessions, before = theirs(inputs, "cdrs_data")
    cause = pl.col("cause_for_rec_closing")
    assert sessions.filter(cause == LOST).height > 4 * before.filter(cause == LOST).height
    whole = (pl.sum("duration", "data_volume_downlink"), cause.last())
    ended, usually = (some.group_by("charging_id").agg(whole) for some in (sessions, before))
    both = ended.join(usually, on="charging_id", suffix="_before")
    cut = both.filter((cause == LOST) & (pl.col("cause_for_rec_closing_before") != LOST))
    assert cut.height > 500
    assert (cut["duration"] <= cut["duration_before"]).all()
    more = cut["data_volume_downlink"] > cut["data_volume_downlink_before"]
    assert more.mean() < 0.01, "but for the least that a session moves"
    assert set(sessions["cause_for_rec_closing"]) <= set(plain_day("cdrs_data", DAY)[
        "cause_for_rec_closing"])  # fmt: skip


def test_a_device_that_loses_calls_does_so_abroad_and_over_wifi_too() -> None:
    journey = layer({"roaming": {"country": "FR"}}, PEOPLE, number=2)
    effect = {"malfunction": {"drops": 1.0}}
    inputs = with_story(layer(effect, {"where": {"kind": "person"}}), journey)
    time = [MIDNIGHT + dt.timedelta(hours=hour) for hour in (6, 14)]
    calls = within(rows(inputs, "cdrs_voice"), *time)
    access = pl.col("rat_type").cast(pl.String)
    for some in (pl.col("roaming"), access == "WLAN", access == "EUTRAN"):
        spoken = calls.filter(some, pl.col("answer_time").is_not_null(), "chargeable")
        assert spoken.height >= 30
        assert (spoken["cause_for_term"] == LOST).mean() > 0.25, some


def test_it_comes_slowly() -> None:
    inputs = broken(drops=0.8, ramp="10h")
    sessions, _ = theirs(inputs, "cdrs_data")
    begin, end = begin_and_end(inputs)
    half = begin + (end - begin) / 2
    early, late = within(sessions, begin, half), within(sessions, half, end)
    parts = [(some["cause_for_rec_closing"] == LOST).mean() for some in (early, late)]
    assert parts[1] > 1.8 * parts[0] > 0


# --- restarts -------------------------------------------------------------------------------------


def test_restarts_are_as_often_as_the_file_says_and_take_a_minute() -> None:
    inputs = broken(restarts=24)
    made = restarts(inputs.day(DAY).story, inputs.poisson)
    assert len(made.entity) == pytest.approx(500 * 10, rel=0.05), "ten hours, one an hour"
    lasts = (made.end - made.start) / SECOND
    assert 25 <= lasts.min() < 30
    assert 100 < lasts.max() <= 105
    assert made.end.max() < A_DAY
    assert made.orderly.mean() == pytest.approx(0.5, abs=0.03)


def test_a_device_attaches_after_a_restart_and_detaches_before_it_if_in_good_order() -> None:
    inputs = broken(restarts=12)
    updates, usual = theirs(inputs, "location_updates")
    kind = pl.col("update_type").cast(pl.String)
    more = {
        name: updates.filter(kind == name).height - usual.filter(kind == name).height
        for name in ("attach", "detach")
    }
    # Some are abroad or have the phone off.
    assert 0.85 * 5 * 500 < more["attach"] < 1.05 * 5 * 500
    assert more["detach"] == pytest.approx(0.5 * more["attach"], rel=0.07)
    order = updates.sort("subscriber_id", "event_time").with_columns(
        after=kind.shift(-1).over("subscriber_id"),
        wait=pl.col("event_time").diff().shift(-1).over("subscriber_id"),
    )
    off = order.filter(kind == "detach", pl.col("wait") < dt.timedelta(minutes=3))
    assert off.height > 0.9 * more["detach"]
    assert set(off["after"]) == {"attach"}
    assert off["wait"].min() >= dt.timedelta(seconds=25)
    assert updates["event_id"].n_unique() == updates.height


def test_the_device_registers_with_the_ims_anew() -> None:
    inputs = broken(restarts=12)
    ims, usual = theirs(inputs, "cdrs_ims")
    fresh = pl.col("sip_response") == 401
    updates, before = theirs(inputs, "location_updates")
    attach = pl.col("update_type").cast(pl.String) == "attach"
    more = updates.filter(attach).height - before.filter(attach).height
    volte = ims["subscriber_id"].n_unique() / 500
    asked = ims.filter(fresh).height - usual.filter(fresh).height
    assert 0.5 * volte * more < asked < 1.1 * more


def test_what_is_on_ends_with_the_restart_and_nothing_begins_during_it() -> None:
    inputs = broken(restarts=40)
    day = inputs.day(DAY)
    made = day.refusals.restarts
    start, end = made.start + 1, made.end - 1
    assert (np.isin(np.arange(len(start)), unattached(day, made.entity, start))).all()
    off = {
        int(entity): [(one, two) for one, two in zip(start[rows_], end[rows_], strict=True)]
        for entity in np.unique(made.entity)
        for rows_ in [np.flatnonzero(made.entity == entity)]
    }
    known = {int(id_): row for row, id_ in enumerate(inputs.population.subscriber_id)}
    sessions, before = theirs(inputs, "cdrs_data")
    time = (pl.col("event_time") - MIDNIGHT).dt.total_microseconds()
    ended = {"whole": 0, "inside": 0}
    for who, begin, seconds in sessions.select("subscriber_id", time, "duration").iter_rows():
        until = begin + seconds * SECOND - 2 * SECOND
        for first, last in off.get(known[who], []):
            assert not first <= begin < last, "nobody starts a session meanwhile"
            ended["whole"] += begin < first < until
            ended["inside"] += until >= first
    assert not ended["whole"], "no session outlives a restart"
    cause = pl.col("cause_for_rec_closing")
    both = sessions.join(before, on="event_id", suffix="_before")
    shorter = both.filter(pl.col("duration") < pl.col("duration_before"))
    assert shorter.height > 100
    assert shorter.filter(cause == LOST).height > 0.3 * shorter.height
    assert shorter.filter(cause == 0).height > 0.3 * shorter.height
    calls, spoken = theirs(inputs, "cdrs_voice")
    assert (calls["cause_for_term"] == LOST).sum() > 3 * (spoken["cause_for_term"] == LOST).sum()


# --- and nobody else ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["location_updates", "cdrs_data", "cdrs_sms"])
def test_nobody_else_and_no_other_time(name: str) -> None:
    inputs = broken(drops=0.3, restarts=24)
    who, (begin, end) = targets(inputs), begin_and_end(inputs)
    found, usual = rows(inputs, name), plain_day(name, DAY)
    if name != "cdrs_sms":  # where a message waits, so does the answer
        assert others(found, who).equals(others(usual, who))
    early = begin - dt.timedelta(hours=1)
    assert within(found, MIDNIGHT, early).equals(within(usual, MIDNIGHT, early))
    later = make_day(inputs, name, NEXT)
    alike = others(plain_day(name, NEXT), who)
    same = others(later, who).join(alike, on=alike.columns, how="semi", nulls_equal=True)
    assert same.height >= alike.height - (5 if name == "cdrs_sms" else 0)
    if name == "cdrs_data":
        until = end + dt.timedelta(days=2)
        late = end + dt.timedelta(hours=2)
        assert within(later, late, until).equals(within(plain_day(name, NEXT), late, until))


def test_calls_of_others_change_only_with_theirs() -> None:
    inputs = broken(drops=0.3, restarts=24)
    who = targets(inputs)
    voice, before = rows(inputs, "cdrs_voice"), plain_day("cdrs_voice", DAY)
    touched = of(pl.concat([voice, before]), who)["call_reference"].implode()
    same = ["event_id", "diagnostics", "call_duration"]
    lines = others(before, who).filter(~pl.col("call_reference").is_in(touched)).select(same)
    found = lines.join(others(voice, who), on=same, how="semi")
    assert found.height > 0.995 * lines.height


def test_a_fault_of_no_strength_changes_nothing() -> None:
    inputs = broken()
    for name in ("location_updates", "cdrs_data", "cdrs_voice", "cdrs_ims"):
        assert rows(inputs, name).equals(plain_day(name, DAY)), name


def test_where_two_faults_meet_a_device_is_off_once_at_a_time() -> None:
    effects = [layer({"malfunction": {"restarts": 200}}, PEOPLE, number=n) for n in (1, 2)]
    inputs = with_story(*effects)
    updates = rows(inputs, "location_updates")
    kind = pl.col("update_type").cast(pl.String)
    switched = of(updates, targets(inputs)).filter(kind.is_in(["attach", "detach"]))
    switched = switched.filter(pl.col("cause") == 0).sort("subscriber_id", "event_time")
    twice = switched.filter((kind == "detach") & (kind.shift(1).over("subscriber_id") == "detach"))
    assert switched.height > 10_000
    assert twice.height <= 0.002 * switched.height, "but for who comes back elsewhere"
    assert updates["event_id"].n_unique() == updates.height
