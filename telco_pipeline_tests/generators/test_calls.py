"""Calls as people make them: trains, redials, one at a time, voicemail, both ends of a record."""

import datetime as dt

import polars as pl
import pytest

from telco_pipeline_tests.generators.kit import Operator, small_world

MO, MT = pl.col("record_type") == "moCallRecord", pl.col("record_type") == "mtCallRecord"
VOICEMAIL = small_world().numbering.voicemail_number


@pytest.fixture(scope="module")
def operator() -> Operator:
    return Operator(dt.date(2026, 1, 14), 3, subscribers=6000)


@pytest.fixture(scope="module")
def voice(operator: Operator) -> pl.DataFrame:
    return operator.all("cdrs_voice").sort("event_time")


def test_both_records_know_the_other_end(voice: pl.DataFrame) -> None:
    shown = ["call_reference", "cell_id", "antenna_type", "latitude", "longitude", "altitude"]
    forwarding = MO & (pl.col("called_number") == VOICEMAIL)
    origin = voice.filter(MO & ~forwarding).select(*shown, "imei", pl.col("^other_.*$"))
    target = voice.filter(MT).select(*shown, "imei", pl.col("^other_.*$"))
    both = origin.join(target, on="call_reference", suffix="_there")
    assert both.height > 1000
    for one, other in (("", "_there"), ("_there", "")):
        for column in (*shown[1:], "imei"):
            mine, theirs = f"other_{column}{one}", f"{column}{other}"
            wrong = both.filter(~pl.col(mine).eq_missing(pl.col(theirs)))
            assert wrong.height == 0, (mine, wrong.head(2).to_dicts())


def test_the_far_end_of_other_networks_is_unknown(voice: pl.DataFrame) -> None:
    pairs = voice.group_by("call_reference").agg(pl.len())
    alone = voice.join(pairs.filter(pl.col("len") == 1), on="call_reference")
    # The other record of a call around midnight may lie outside the days that are made here.
    alone = alone.filter(pl.col("event_time").dt.hour().is_between(1, 22))
    assert alone.height > 1000
    assert alone["other_cell_id"].null_count() == alone.height
    assert alone["other_imei"].null_count() == alone.height


def test_the_caller_s_home_is_known_where_the_caller_is_ours(
    operator: Operator, voice: pl.DataFrame
) -> None:
    cells = operator.frame("cells").select(home_cell_id="cell_id", lat="latitude", lon="longitude")
    homes = operator.frame("subscribers").select("subscriber_id", "home_cell_id")
    origin = voice.filter(MO & (pl.col("called_number") != VOICEMAIL))
    origin = origin.join(homes, on="subscriber_id").join(cells, on="home_cell_id")
    assert origin.filter(pl.col("home_latitude") != pl.col("lat")).height == 0
    assert origin.filter(pl.col("home_longitude") != pl.col("lon")).height == 0
    target = voice.filter(MT)
    unknown = target.filter(pl.col("other_imei").is_null())
    assert unknown["home_latitude"].null_count() == unknown.height
    assert target.filter(pl.col("other_imei").is_not_null())["home_latitude"].null_count() == 0


def test_the_voicemail_takes_calls_in_three_records(voice: pl.DataFrame) -> None:
    caller = voice.filter(MO & (pl.col("connected_number") == VOICEMAIL))
    assert caller.height > 300
    assert set(caller["status"].unique()) == {"forwarded"}
    assert set(caller["supplementary_service"].unique()) == {"CFB", "CFNRy", "CFNRc"}
    assert caller["answer_time"].null_count() == 0
    assert caller["chargeable"].all()
    kept = ["call_reference", "subscriber_id", "status", "event_time", "answer_time"]
    callee = voice.filter(MT & (pl.col("status") == "forwarded")).select(kept)
    leg = voice.filter(
        MO & (pl.col("called_number") == VOICEMAIL) & (pl.col("connected_number").is_null())
    )
    leg = leg.filter(pl.col("supplementary_service").is_not_null())
    joined = callee.join(leg.select(kept), on=["call_reference", "subscriber_id"], suffix="_leg")
    inside = callee.filter(pl.col("event_time").dt.hour() != 23)
    assert joined.height >= inside.height > 100
    assert joined["answer_time"].null_count() == joined.height, "the phone itself did not answer"
    assert joined["answer_time_leg"].null_count() == 0
    assert joined.filter(pl.col("event_time_leg") <= pl.col("event_time")).height == 0
    assert not leg["chargeable"].any()


def test_nobody_speaks_in_two_calls_but_those_that_wait(
    operator: Operator, voice: pl.DataFrame
) -> None:
    # A call centre has many agents behind one number.
    centres = operator.frame("subscribers").filter(pl.col("persona") == "call_centre")
    spoken = voice.join(centres, on="subscriber_id", how="anti").filter(
        pl.col("answer_time").is_not_null() & (pl.col("called_number") != VOICEMAIL)
    )
    spoken = spoken.sort("subscriber_id", "answer_time").with_columns(
        before=pl.col("release_time").cum_max().shift(1).over("subscriber_id"),
    )
    second = spoken.filter(pl.col("before") > pl.col("answer_time"))
    # What is left are second calls: waiting ones, and those between two of ours.
    assert second.height / spoken.height < 0.01
    # Who calls another network, or is called from it, is drawn with his own calls.
    outside = second.filter(MO & pl.col("other_imei").is_null())
    assert outside.height / spoken.height < 0.003
    assert (spoken["supplementary_service"] == "CW").sum() > 0


def test_a_missed_call_is_tried_again_or_returned_within_the_hour(voice: pl.DataFrame) -> None:
    parties = ["calling_number", "called_number"]
    attempts = voice.unique("call_reference", keep="first", maintain_order=True).select(
        "event_time", "status", *parties, "release_time",
        pair=pl.concat_str(pl.min_horizontal(parties), pl.max_horizontal(parties), separator=" "),
    )  # fmt: skip
    attempts = attempts.sort("pair", "event_time").with_columns(
        wait=(pl.col("event_time").shift(-1).over("pair") - pl.col("release_time")),
        same=pl.col("calling_number").shift(-1).over("pair") == pl.col("calling_number"),
    )
    soon = pl.col("wait").is_between(pl.duration(seconds=0), pl.duration(hours=1))
    missed = attempts.filter(pl.col("status").is_in(["no answer", "busy", "unreachable"]))
    answered = attempts.filter(pl.col("status") == "answered")
    again, after = (
        missed.select(soon.fill_null(False).mean()).item(),
        answered.select(soon.fill_null(False).mean()).item(),
    )
    assert 0.35 < again < 0.65
    assert again > 2 * after
    returned = missed.filter(soon)
    assert 0.25 < (~returned["same"]).mean() < 0.6, "either side may take the initiative"


def test_the_sides_of_a_call_see_it_at_their_own_time(voice: pl.DataFrame) -> None:
    shown = ("call_reference", "answer_time", "release_time", "call_duration")
    answered = voice.filter(pl.col("status") == "answered")
    origin, target = (answered.filter(side).select(shown) for side in (MO, MT))
    both = origin.join(target, on="call_reference", suffix="_there")
    apart = both["answer_time"] - both["answer_time_there"]
    assert apart.min() > dt.timedelta(0)
    assert apart.max() < dt.timedelta(milliseconds=200)
    assert (both["call_duration"] - both["call_duration_there"]).abs().max() <= 1
