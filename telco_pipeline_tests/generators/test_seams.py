"""Nothing shows where a day ends: at midnight UTC, at midnight local, when the clock changes."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from telco_pipeline_tests.generators.kit import (
    AUTUMN,
    HELD,
    SPRING,
    Operator,
    autumn_operator,
    inputs_of,
    large_operator,
    make_day,
    small_world,
    spring_operator,
)

_MACHINE = pl.col("service") == "telemetry"

STREAMS = {
    "voice": ("cdrs_voice", pl.lit(True)),
    "sms": ("cdrs_sms", pl.lit(True)),
    # Meters report when the clock strikes, at midnight too.
    "data sessions": ("cdrs_data", (pl.col("record_sequence_number") == 1) & ~_MACHINE),
    "data records": ("cdrs_data", ~_MACHINE),
    "ims": ("cdrs_ims", pl.lit(True)),
    "registrations": ("cdrs_ims", pl.col("sip_method") == "REGISTER"),
    "locations": ("location_updates", pl.lit(True)),
    "logs": ("network_logs", pl.lit(True)),
}
_AROUND = 12  # minutes on each side


def _per_minute(operator: Operator, name: str, which: pl.Expr, hour: int) -> np.ndarray:
    """Count records by minute around an hour of every day (0: midnight UTC), all days added up."""
    counts = np.zeros(2 * _AROUND, dtype=np.int64)
    times = operator.all(name).filter(which)["event_time"]
    midnights = operator.days[1:] if hour == 0 else operator.days
    for day in midnights:
        at = dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC)
        minutes = (times - at).dt.total_microseconds() // 60_000_000
        inside = minutes.filter((minutes >= -_AROUND) & (minutes < _AROUND))
        counts += np.bincount(inside.to_numpy() + _AROUND, minlength=2 * _AROUND)
    return counts


def jump(counts: np.ndarray) -> float:
    """Return how many standard deviations high the step in the middle is, beside a straight line.

    Least squares with level, slope and step, weighted by Poisson variances of the fitted line.
    """
    minute = np.arange(len(counts)) - (len(counts) - 1) / 2
    line = np.stack([np.ones_like(minute), minute], axis=1)
    fitted = np.maximum(line @ np.linalg.lstsq(line, counts, rcond=None)[0], 0.5)
    design = np.column_stack([line, minute > 0])
    weighted = design / fitted[:, None]
    covariance = np.linalg.inv(design.T @ weighted)
    step = covariance @ (weighted.T @ counts)
    return float(step[2] / np.sqrt(covariance[2, 2]))


def test_the_jump_test_finds_a_seam() -> None:
    steady = np.full(2 * _AROUND, 400)
    assert abs(jump(steady)) < 1e-6
    broken = steady.copy()
    broken[_AROUND:] += 80
    assert jump(broken) > 4


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("hour", [0, 23], ids=["midnight UTC", "midnight local"])
def test_no_jump_at_midnight(stream: str, hour: int) -> None:
    name, which = STREAMS[stream]
    counts = _per_minute(large_operator(), name, which, hour)
    assert counts.sum() > 80, "too few records to see a seam"
    # Sixteen tests with fixed seeds: 3.9 sigma is one in 600 for all of them together.
    assert abs(jump(counts)) < 3.9, counts
    # The two minutes at the border beside the rest, for a pile or a gap right at midnight.
    rest = np.delete(counts, [_AROUND - 1, _AROUND]).mean()
    edge = counts[_AROUND - 1 : _AROUND + 1].sum()
    assert abs(edge - 2 * rest) < 4.5 * np.sqrt(2 * rest) + 0.03 * rest, counts


def test_the_network_goes_on_at_midnight() -> None:
    """Load changes from 23 h to 0 h like from hour to hour; who is out of service stays so."""
    operator = large_operator()
    state = operator.all("network_state").sort("event_time", "cell_id")
    hours = state["event_time"].n_unique()
    assert hours == 24 * len(operator.days)
    demand = state["demand"].to_numpy().astype(float).reshape(hours, -1)
    step, lasting = np.diff(np.log(demand.sum(axis=1))), 0
    for midnight in range(24, hours, 24):
        around = step[[midnight - 3, midnight - 2, midnight, midnight + 1]]
        assert around.min() - 0.1 < step[midnight - 1] < around.max() + 0.1
        # Of each cell too: what it is offered follows from the hour before as it does elsewhere.
        likeness = [
            np.corrcoef(np.log1p(demand[hour - 1]), np.log1p(demand[hour]))[0, 1]
            for hour in (midnight - 1, midnight, midnight + 1)
        ]
        assert likeness[1] > min(likeness[0], likeness[2]) - 0.02
        eve, day = (
            state.filter(pl.col("event_time") == start)
            for start in state["event_time"].unique().sort()[[midnight - 1, midnight]]
        )
        both = eve.join(day, on="cell_id", suffix="_day")
        lasts = pl.col("fault_id") == pl.col("fault_id_day")
        out = both.filter(lasts & (pl.col("unavailable_until") == 60))
        lasting += both.filter(lasts).height
        assert (out["unavailable_from_day"] == 0).all()
    assert lasting > 0


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_data", "cdrs_ims", "location_updates"])
def test_no_pile_in_the_first_and_last_moment(name: str) -> None:
    operator = large_operator()
    for day in operator.days[1:]:
        times = operator.day(name, day)["event_time"]
        start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        end = start + dt.timedelta(days=1)
        assert (times < start + dt.timedelta(milliseconds=2)).sum() <= 2
        assert (times >= end - dt.timedelta(milliseconds=2)).sum() <= 2


def _both(first: str, second: str) -> Callable[[Operator], tuple[pl.DataFrame, pl.DataFrame]]:
    def split(operator: Operator) -> tuple[pl.DataFrame, pl.DataFrame]:
        records = operator.all("cdrs_voice" if "Call" in first else "cdrs_sms")
        return (
            records.filter(pl.col("record_type") == first),
            records.filter(pl.col("record_type") == second),
        )

    return split


@pytest.mark.parametrize("operator", [spring_operator, large_operator], ids=["spring", "winter"])
def test_each_call_inside_the_network_has_both_records(
    operator: Callable[[], Operator],
) -> None:
    made = operator()
    originating, terminating = _both("moCallRecord", "mtCallRecord")(made)
    inside = _to_ours(made, originating)
    # The callee's phone was reached: it was answered, also by the voicemail after it rang.
    reached = (pl.col("status") == "answered") | pl.col("supplementary_service").is_in(
        ["CFB", "CFNRy"]
    )
    last = dt.datetime.combine(made.days[-1], dt.time(), dt.UTC) + dt.timedelta(days=1)
    # The callee's side of a call in the last seconds lies in a day that was not made.
    due = inside.filter(reached, pl.col("event_time") < last - dt.timedelta(seconds=5))
    pairs = due.join(terminating, on="call_reference", how="left", suffix="_mt")
    assert pairs.height == due.height > 1000
    assert pairs["event_id_mt"].null_count() == 0
    assert (pairs["called_number"] == pairs["msisdn_mt"]).all()
    assert (pairs["calling_number"] == pairs["calling_number_mt"]).all()
    assert (pairs["status"] == pairs["status_mt"]).all()
    lag = (pairs["event_time_mt"] - pairs["event_time"]).dt.total_milliseconds()
    assert lag.min() >= 1500
    assert lag.max() <= 4000
    spoken = pairs.filter(pl.col("status") == "answered")
    # The answer comes from the callee; each side learns of the release in its own time.
    answer, release = (
        (spoken[column] - spoken[f"{column}_mt"]).dt.total_microseconds()
        for column in ("answer_time", "release_time")
    )
    assert answer.min() > 0
    assert answer.max() < 200_000
    assert release.abs().max() < 200_000
    assert release.min() < 0 < release.max()
    assert (spoken["call_duration"] - spoken["call_duration_mt"]).abs().max() <= 1
    assert (spoken["diagnostics"] == spoken["diagnostics_mt"]).all()
    taken = pairs.filter(pl.col("status") == "forwarded")
    assert taken.height > 20
    assert taken["answer_time_mt"].null_count() == taken.height
    assert (taken["release_time_mt"] < taken["answer_time"]).all()


def _to_ours(operator: Operator, records: pl.DataFrame) -> pl.DataFrame:
    """Return the records whose called number we served at their time, by the records alone."""
    held = operator.with_holder(records, "called_number")
    networks = [one.plmn for one in operator.inputs.config.operators if not one.own]
    left = pl.col(f"serving_plmn{HELD}").is_in(networks)
    return held.filter(pl.col(f"subscriber_id{HELD}").is_not_null() & ~left)


def _from_ours(operator: Operator, records: pl.DataFrame) -> pl.DataFrame:
    """Return the records whose calling number was that of a subscriber of ours."""
    held = operator.with_holder(records, "calling_number")
    return held.filter(pl.col(f"subscriber_id{HELD}").is_not_null())


@pytest.mark.parametrize("operator", [spring_operator, large_operator], ids=["spring", "winter"])
def test_each_forwarded_leg_has_its_call(operator: Callable[[], Operator]) -> None:
    """Three records share the reference of a call that the callee's voicemail takes."""
    made = operator()
    voicemail = made.inputs.config.numbering.voicemail_number
    voice = made.all("cdrs_voice")
    forwarding = pl.col("supplementary_service").cast(pl.String).str.starts_with("CF")
    forwarded = voice.filter(pl.col("status") == "forwarded")
    legs = voice.filter(
        forwarding
        & (pl.col("called_number") == voicemail)
        & (pl.col("record_type") == "moCallRecord")
    )
    callees = forwarded.filter(pl.col("record_type") == "mtCallRecord")
    first = dt.datetime.combine(made.days[0], dt.time(), dt.UTC)
    last = first + dt.timedelta(days=len(made.days))
    wait = dt.timedelta(seconds=115)
    for one, other in ((legs, callees), (callees, legs)):
        due = one.filter(pl.col("event_time").is_between(first + wait, last - wait))
        pairs = due.join(other, on="call_reference", how="left", suffix="_other")
        assert pairs.height == due.height > 100
        assert (pairs["subscriber_id"] == pairs["subscriber_id_other"]).all()
        assert pairs["event_id_other"].null_count() == 0
    # The callee's leg outlives a call of 115 s only by its message.
    callers = forwarded.filter(pl.col("record_type") == "moCallRecord")
    inside = _from_ours(
        made,
        legs.filter(pl.col("event_time") >= first + wait)
        .rename({"calling_number": "forwarder"})
        .join(callees.select("call_reference", "calling_number"), on="call_reference"),
    )
    pairs = inside.join(callers, on="call_reference", how="left", suffix="_mo")
    assert pairs.height > 30
    for column in ("answer_time", "release_time", "call_duration"):
        assert (pairs[column] == pairs[f"{column}_mo"]).all()


def test_calls_and_their_records_cross_midnight() -> None:
    operator = large_operator()
    originating, terminating = _both("moCallRecord", "mtCallRecord")(operator)
    pairs = originating.join(terminating, on="call_reference", suffix="_mt")
    crossing = pairs.filter(pl.col("day") != pl.col("day_mt"))
    long = originating.filter(pl.col("release_time").dt.date() > pl.col("day"))
    # Three calls a minute at midnight, three seconds apart: seldom; long calls are frequent.
    assert long.height > 10
    assert (crossing["day_mt"] == crossing["day"] + dt.timedelta(days=1)).all()
    orphans = terminating.filter(pl.col("day") > operator.days[0]).join(
        originating, on="call_reference", how="anti"
    )
    assert _from_ours(operator, orphans).height == 0


def _assert_messages_arrive(operator: Operator) -> pl.DataFrame:
    messages = operator.all("cdrs_sms")
    sent = messages.filter(pl.col("record_type").is_in(["moSMSRecord", "mMO1SRecord"]))
    taken = messages.filter(pl.col("record_type").is_in(["mtSMSRecord", "mMR1RtRecord"]))
    inside = _to_ours(operator, sent).filter(
        pl.col("sms_result") == 0, pl.col("day") < operator.days[-1]
    )
    pairs = inside.join(taken, on="message_reference", how="left", suffix="_mt")
    assert pairs.height == inside.height > 200
    # A message is lost only if the phone does not come back within its validity of 12 hours.
    lost = pairs.filter(pl.col("event_id_mt").is_null())
    assert lost.height < 0.06 * pairs.height
    _assert_away(operator, lost)
    pairs = pairs.filter(pl.col("event_id_mt").is_not_null())
    assert (pairs["segments"] == pairs["segments_mt"]).all()
    assert (pairs["message_size"] == pairs["message_size_mt"]).all()
    waited = (pairs["event_time_mt"] - pairs["event_time"]).dt.total_seconds()
    assert waited.min() >= 0
    assert waited.max() <= 17 * 3600
    # Nothing arrives that nobody sent, but for what was sent before the first day.
    orphans = taken.filter(pl.col("day") > operator.days[0]).join(
        sent, on="message_reference", how="anti"
    )
    assert _from_ours(operator, orphans).height == 0
    return pairs.filter(pl.col("day") != pl.col("day_mt"))


def _assert_away(operator: Operator, lost: pl.DataFrame) -> None:
    """Check that no phone that a message did not reach was on for long in the 12 hours after it.

    Nobody's phone was: nothing came from it or to it but what a fifth of an hour may hold.
    """
    seen = pl.concat(
        [
            operator.all(name).select("event_time", held=pl.col("subscriber_id"))
            for name in ("cdrs_data", "cdrs_voice", "cdrs_sms")
        ]
    )
    waiting = lost.select(
        "message_reference", sent="event_time", held=pl.col(f"subscriber_id{HELD}")
    )
    # Delivery begins within four hours (a busy centre) and ends twelve hours later.
    inside = waiting.join(seen, on="held").filter(
        pl.col("event_time").is_between(
            pl.col("sent") + dt.timedelta(hours=4), pl.col("sent") + dt.timedelta(hours=12)
        )
    )
    assert inside.height == 0, inside.head(5)


@pytest.mark.parametrize(
    "operator",
    [spring_operator, autumn_operator, large_operator],
    ids=["spring", "autumn", "winter"],
)
def test_each_message_inside_the_network_arrives_once(operator: Callable[[], Operator]) -> None:
    late = _assert_messages_arrive(operator())
    assert late.height > 0, "no message crossed midnight"


def test_messages_wait_for_phones_that_are_off() -> None:
    operator = large_operator()
    messages = operator.all("cdrs_sms").filter(pl.col("record_type") == "mtSMSRecord")
    attaches = operator.all("location_updates").filter(pl.col("update_type") == "attach")
    near = messages.sort("event_time").join_asof(
        attaches.sort("event_time").select("subscriber_id", "event_time", attached="event_time"),
        on="event_time",
        by="subscriber_id",
        strategy="backward",
        check_sortedness=False,
    )
    waited = (near["event_time"] - near["attached"]).dt.total_seconds()
    minute = (waited <= 60).sum()
    next_hour = ((waited > 60) & (waited <= 1860)).sum() / 30
    assert minute > 5 * max(next_hour, 1)


def _sessions(operator: Operator) -> pl.DataFrame:
    """Return the sessions of the records, those whole within the operator's days."""
    records = operator.all("cdrs_data")
    return (
        records.sort("charging_id", "record_sequence_number")
        .group_by("charging_id", maintain_order=True)
        .agg(
            pl.len().alias("records"),
            pl.col("record_sequence_number").alias("numbers"),
            pl.col("event_time").alias("starts"),
            pl.col("duration").alias("durations"),
            pl.col("cause_for_rec_closing").alias("causes"),
            pl.col("day").min().alias("first_day"),
            pl.col("day").max().alias("last_day"),
            pl.col("event_time").min().alias("opened"),
            *(
                pl.col(name).n_unique().alias(name)
                for name in (
                    "subscriber_id",
                    "service",
                    "cell_id",
                    "served_pdp_address",
                    "rat_type",
                )
            ),
            (pl.col("data_volume_uplink") + pl.col("data_volume_downlink")).sum().alias("volume"),
        )
    )


@pytest.mark.parametrize("operator", [spring_operator, large_operator], ids=["spring", "winter"])
def test_sessions_go_on_after_midnight(operator: Callable[[], Operator]) -> None:
    made = operator()
    limit = made.inputs.config.charging.data_time_limit_s
    first = dt.datetime.combine(made.days[0], dt.time(), dt.UTC)
    last = first + dt.timedelta(days=len(made.days))
    hour = dt.timedelta(hours=1)
    whole = _sessions(made).filter(pl.col("opened") >= first + hour, pl.col("opened") < last - hour)
    crossing = whole.filter(pl.col("first_day") != pl.col("last_day"))
    assert crossing.height >= (20 if made.inputs.config.subscribers > 10_000 else 1)
    for name in ("subscriber_id", "service", "served_pdp_address"):
        assert (whole[name] == 1).all(), name
    # A session keeps its radio access, unless a record says that it changed.
    changed = whole["causes"].list.contains(22)
    assert (whole.filter(~changed)["rat_type"] == 1).all()
    assert (whole.filter(changed)["rat_type"] == 2).all()
    # Numbers count up from 1 without a gap or a repeat, also in the next day's partition.
    expected = whole["records"].to_list()
    assert whole["numbers"].to_list() == [list(range(1, count + 1)) for count in expected]
    split = whole.filter((pl.col("records") > 1) & ~changed)
    gaps = (
        split.explode("starts")
        .select(
            (
                pl.col("starts") - pl.col("starts").shift(1).over("charging_id")
            ).dt.total_microseconds()
        )
        .to_series()
        .drop_nulls()
    )
    assert (gaps == limit * 1_000_000).all()
    causes = whole.explode("causes", "numbers")
    last_record = causes["numbers"] == causes["records"]
    assert causes.filter(~last_record)["causes"].is_in([17, 22]).all()
    assert causes.filter(last_record)["causes"].is_in([0, 4]).all()


def test_no_session_is_lost_or_doubled_at_midnight() -> None:
    """Compare with a world whose time limit is longer than any session: the same sessions whole."""
    operator = spring_operator()
    config = operator.inputs.config
    charging = {**config.to_dict()["charging"], "data_time_limit_s": 7200}
    whole = inputs_of(
        small_world(subscribers=3000, part_size=1024, charging=charging, epoch=config.epoch)
    )
    singles = pl.concat([make_day(whole, "cdrs_data", day) for day in operator.days[:2]])
    # Only a change of the radio access cuts those.
    assert (singles["cause_for_rec_closing"] != 17).all()
    singles = singles.group_by("charging_id").agg(
        pl.col("record_sequence_number").min(),
        pl.col("duration", "data_volume_uplink", "data_volume_downlink").sum(),
    )
    singles = singles.filter(pl.col("record_sequence_number") == 1)
    sessions = _sessions(operator).filter(pl.col("numbers").list.first() == 1)
    pairs = singles.join(sessions, on="charging_id", how="left", suffix="_cut")
    assert pairs["records"].null_count() == 0
    assert (pairs["records"] > 1).sum() > 1000
    volume = pairs["data_volume_uplink"] + pairs["data_volume_downlink"]
    assert (volume == pairs["volume"]).all()
    seconds = pairs["durations"].list.sum()
    assert (pairs["duration"] - seconds).abs().max() <= 1
    assert sessions.filter(pl.col("first_day") <= operator.days[1]).height == singles.height


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_ims"])
def test_the_first_day_has_no_tail(name: str) -> None:
    """The day of the epoch lacks what began before it, and little else."""
    begun = inputs_of(small_world(subscribers=1200, part_size=1024, epoch=SPRING))
    first, second = (make_day(begun, name, SPRING + dt.timedelta(days=days)) for days in (0, 1))
    assert 0.7 < first.height / second.height < 1.4
    if name == "cdrs_data":
        opened = first.group_by("charging_id").agg(pl.col("record_sequence_number").min())
        assert opened["record_sequence_number"].max() == 1
        assert (
            second.group_by("charging_id").agg(pl.col("record_sequence_number").min())[
                "record_sequence_number"
            ]
            > 1
        ).any()
    sides = {
        "cdrs_voice": ("call_reference", "moCallRecord", "mtCallRecord"),
        "cdrs_sms": ("message_reference", "moSMSRecord", "mtSMSRecord"),
    }
    if name in sides:
        reference, sent, taken = sides[name]
        kind = pl.col("record_type").cast(pl.String)
        ours = begun.frames["subscribers"].select(calling_number="msisdn")
        received = first.filter(kind == taken).join(ours, on="calling_number", how="semi")
        orphans = received.join(first.filter(kind == sent), on=reference, how="anti")
        assert received.height > 5
        assert orphans.height == 0


@pytest.mark.parametrize(("day", "skipped"), [(SPRING, 2), (AUTUMN, None)])
def test_the_clock_change_is_an_hour_like_any_other(day: dt.date, skipped: int | None) -> None:
    operator = spring_operator() if day == SPRING else autumn_operator()
    times = operator.all("cdrs_data").filter(pl.col("day") == day)
    hours = times.group_by(pl.col("local").dt.hour().alias("hour")).len()
    by_hour = dict(hours.iter_rows())
    assert times["event_time"].dt.hour().n_unique() == 24
    if skipped is not None:
        assert skipped not in by_hour
    else:
        # From 02:00 local to 03:00 local twice: more than the neighbouring hour after it.
        assert by_hour[2] > 1.4 * by_hour[3]
