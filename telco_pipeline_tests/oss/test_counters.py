"""Counters are the sums of the records by quarter and cell, around midnight too."""

import datetime as dt
import shutil
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telco_pipeline.contracts.oss import PM_COUNTERS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.oss import counters
from telco_pipeline.reconciliation import counter_faults
from telco_pipeline_tests.oss.kit import (
    CELLS,
    CONFIG,
    DAY_S,
    DAYS,
    FIRST,
    Record,
    empty_lake,
    put,
    write_network,
    write_records,
)

KEYS = ["cell_id", "event_time"]
QUARTER_S = 900


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = empty_lake(tmp_path / "lake")
    write_network(lake)
    return lake


def made(lake: Lake, day: dt.date = FIRST, **records: Iterable[Record]) -> pl.DataFrame:
    """Write records, if any are given, and return the counters of a day."""
    if records:
        write_records(lake, **records)
    return counters.make(CONFIG, lake, day)


def counted(frame: pl.DataFrame, *names: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return counters by cell and quarter of the day, where any of them is not 0."""
    quarter = pl.col("event_time").dt.hour() * 4 + pl.col("event_time").dt.minute() // 15
    rows = frame.filter(pl.any_horizontal([pl.col(name) != 0 for name in names]))
    return {
        (row[0], row[1]): row[2:]
        for row in rows.select("cell_id", quarter.alias("quarter"), *names).rows()
    }


RADIO = ("rrc_conn_estab_att", "rrc_conn_estab_succ")
BEARER = ("erab_estab_att", "erab_estab_succ")
VOICE = ("voice_att", "voice_blocked", "voice_drop")
RELEASED = ("erab_rel", "erab_rel_abnormal")
HANDOVERS = ("ho_exe_att", "ho_exe_succ")
VOLUME = ("pdcp_volume_ul", "pdcp_volume_dl")


def test_every_cell_has_every_quarter(lake: Lake) -> None:
    frame = made(lake, cdrs_sms=[{"event_time": 5.0}])
    assert frame.schema == PM_COUNTERS.polars_schema
    assert frame.height == len(CELLS) * 96
    assert frame.equals(frame.sort("event_time", "cell_id"))
    assert frame.n_unique(KEYS) == frame.height
    assert frame["event_time"].dt.date().unique().to_list() == [FIRST]
    assert frame.drop(*KEYS, "prb_used_dl", "prb_tot_dl").sum().row(0) == (1, 1, *[0] * 13)
    _, failure = PM_COUNTERS.schema.filter(frame)
    assert len(failure) == 0


@pytest.mark.parametrize(
    ("leg", "radio", "bearer", "voice"),
    [
        ({}, (1, 1), (1, 1), (1, 0, 0)),
        ({"blocked": True, "cause_for_term": 3}, (1, 0), (1, 0), (1, 1, 0)),
        ({"cause_for_term": 4}, (1, 1), (1, 1), (1, 0, 1)),
        ({"cause_for_term": 3}, (1, 1), (1, 1), (1, 0, 0)),
        ({"rat_type": "NR"}, (1, 1), (1, 1), (1, 0, 0)),
        ({"rat_type": "GERAN"}, (1, 1), (0, 0), (1, 0, 0)),
        ({"rat_type": "GERAN", "cause_for_term": 4}, (1, 1), (0, 0), (1, 0, 1)),
        ({"rat_type": "GERAN", "blocked": True}, (1, 0), (0, 0), (1, 1, 0)),
        ({"rat_type": "WLAN", "cause_for_term": 4}, (0, 0), (0, 0), (0, 0, 0)),
        ({"cell_id": None, "cause_for_term": 4}, (0, 0), (0, 0), (0, 0, 0)),
    ],
)
def test_attempts_of_calls(
    lake: Lake, leg: Record, radio: tuple[int, int], bearer: tuple[int, int], voice: tuple[int, ...]
) -> None:
    frame = made(lake, cdrs_voice=[{"event_time": 2 * QUARTER_S + 1.5, **leg}])
    here = frame.filter(pl.col("cell_id") == "cell-a", pl.col("event_time").rank("dense") == 3)
    assert here.select(*RADIO).row(0) == radio
    assert here.select(*BEARER).row(0) == bearer
    assert here.select(*VOICE).row(0) == voice
    assert frame.select(*RADIO, *BEARER, *VOICE).sum().row(0) == (*radio, *bearer, *voice)


@pytest.mark.parametrize(
    ("record", "radio", "bearer", "released"),
    [
        ({}, (1, 1), (1, 1), (1, 0)),
        ({"cause_for_rec_closing": 4}, (1, 1), (1, 1), (1, 1)),
        ({"cause_for_rec_closing": 17}, (1, 1), (1, 1), (0, 0)),
        ({"cause_for_rec_closing": 22}, (1, 1), (1, 1), (0, 0)),
        ({"record_sequence_number": 2}, (0, 0), (0, 0), (1, 0)),
        ({"diagnostics": 26, "cause_for_rec_closing": 4}, (1, 0), (1, 0), (0, 0)),
        ({"diagnostics": 38, "cause_for_rec_closing": 4}, (1, 1), (1, 0), (0, 0)),
        ({"rat_type": "GERAN"}, (1, 1), (1, 1), (1, 0)),
        ({"cell_id": None}, (0, 0), (0, 0), (0, 0)),
    ],
)
def test_attempts_of_data_sessions(
    lake: Lake,
    record: Record,
    radio: tuple[int, int],
    bearer: tuple[int, int],
    released: tuple[int, int],
) -> None:
    frame = made(lake, cdrs_data=[record])
    assert frame.select(*RADIO, *BEARER, *RELEASED).sum().row(0) == (*radio, *bearer, *released)


@pytest.mark.parametrize(
    ("update", "radio"),
    [
        ({}, (1, 1)),
        ({"cause": 22}, (1, 0)),
        ({"cause": 17}, (1, 1)),
        ({"update_type": "attach", "cause": 22}, (1, 0)),
        ({"update_type": "detach"}, (0, 0)),
    ],
)
def test_attempts_of_updates(lake: Lake, update: Record, radio: tuple[int, int]) -> None:
    frame = made(lake, location_updates=[{"event_time": 899.999999, **update}])
    expected = {("cell-a", 0): radio} if any(radio) else {}
    assert counted(frame, *RADIO) == expected


def test_releases_count_where_and_when_they_are(lake: Lake) -> None:
    moving = {"last_cell_id": "cell-b", "event_time": 890.0}
    frame = made(
        lake,
        cdrs_voice=[{**moving, "release_time": 900.0, "cause_for_term": 4}],
        cdrs_data=[{**moving, "duration": 1000, "cause_for_rec_closing": 4}],
    )
    assert counted(frame, *RELEASED) == {("cell-b", 1): (1, 1), ("cell-b", 2): (1, 1)}
    assert counted(frame, "voice_drop") == {("cell-b", 1): (1,)}
    assert counted(frame, *BEARER) == {("cell-a", 0): (2, 2)}


def test_a_call_that_was_not_admitted_holds_no_bearer(lake: Lake) -> None:
    frame = made(lake, cdrs_voice=[{"blocked": True, "cause_for_term": 3}])
    assert frame.select(*RELEASED, "erab_session_time").sum().row(0) == (0, 0, 0)


def test_handovers_count_at_the_start(lake: Lake) -> None:
    moving = {"event_time": 899.0, "handovers": 3, "handovers_failed": 1}
    frame = made(
        lake,
        cdrs_voice=[moving, {**moving, "rat_type": "WLAN"}],
        cdrs_data=[{**moving, "duration": 60, "record_sequence_number": 2}],
    )
    assert counted(frame, *HANDOVERS) == {("cell-a", 0): (8, 6)}


def test_bytes_are_spread_evenly(lake: Lake) -> None:
    """10 bytes of 3 quarters' time that begin in the middle of one: 1 2/3, 3 1/3, 3 1/3, 1 2/3."""
    record = {
        "event_time": 450.0, "duration": 2700,
        "data_volume_uplink": 10, "data_volume_downlink": 10**17,
    }  # fmt: skip
    frame = made(lake, cdrs_data=[record])
    assert counted(frame, "pdcp_volume_ul", "erab_session_time") == {
        ("cell-a", 0): (1, 450), ("cell-a", 1): (4, 900),
        ("cell-a", 2): (3, 900), ("cell-a", 3): (2, 450),
    }  # fmt: skip
    # floor(10**17 / 6), / 2, * 5 / 6: no rounding of floats, no overflow.
    passed = [10**17 * part // 6 for part in (0, 1, 3, 5, 6)]
    told = [row[0] for row in counted(frame, "pdcp_volume_dl").values()]
    assert told == [after - before for before, after in pairwise(passed)]
    assert counted(frame, *RADIO) == {("cell-a", 0): (1, 1)}


def test_a_record_that_ends_on_the_quarter_stays_before_it(lake: Lake) -> None:
    frame = made(lake, cdrs_data=[{"event_time": 890.0, "duration": 10}])
    assert counted(frame, *VOLUME) == {("cell-a", 0): (100, 1000)}
    assert counted(frame, "erab_rel") == {("cell-a", 1): (1,)}


def test_a_record_of_a_moment_has_its_bytes(lake: Lake) -> None:
    frame = made(lake, cdrs_data=[{"event_time": 1800.0, "duration": 0}])
    assert counted(frame, *VOLUME, "erab_session_time") == {("cell-a", 2): (100, 1000, 0)}


def test_fractions_of_a_second_lose_nothing(lake: Lake) -> None:
    call = {"event_time": 899.25, "release_time": 901.75}
    frame = made(lake, cdrs_voice=[call])
    # 0.75 seconds pass before the quarter and 2.5 in all.
    assert counted(frame, "erab_session_time") == {("cell-a", 1): (2,)}


def test_what_lies_behind_midnight_counts_on_the_next_day(lake: Lake) -> None:
    late = {"event_time": DAY_S - 30.0, "last_cell_id": "cell-b", "handovers": 1}
    write_records(
        lake,
        cdrs_voice=[{**late, "release_time": DAY_S + 20.0, "cause_for_term": 4}],
        cdrs_data=[{**late, "duration": 100, "cause_for_rec_closing": 4}],
    )
    today, tomorrow, after = (made(lake, day) for day in DAYS)
    names = (*BEARER, *RELEASED, "voice_drop", *HANDOVERS, *VOLUME, "erab_session_time")
    assert counted(today, *names) == {("cell-a", 95): (2, 2, 0, 0, 0, 2, 2, 30, 300, 60)}
    assert counted(tomorrow, *names) == {
        ("cell-a", 0): (0, 0, 0, 0, 0, 0, 0, 70, 700, 90),
        ("cell-b", 0): (0, 0, 2, 2, 1, 0, 0, 0, 0, 0),
    }
    assert counted(after, *names) == {}
    assert counted(tomorrow, *RADIO) == {}


def test_the_longest_call_reaches_two_days_on(tmp_path: Path) -> None:
    lake = empty_lake(tmp_path / "lake")
    write_network(lake)
    call = {"event_time": DAY_S - 10.0, "release_time": 2 * DAY_S + 90.0, "cause_for_term": 4}
    write_records(lake, cdrs_voice=[call])
    charging = {**CONFIG.to_dict()["charging"], "voice_max_s": 86_400}
    patient = CONFIG.model_validate({**CONFIG.to_dict(), "charging": charging})
    last = counters.make(patient, lake, DAYS[2])
    assert counted(last, *RELEASED, "erab_session_time") == {("cell-a", 0): (1, 1, 90)}
    days = [counters.make(patient, lake, day)["erab_session_time"].sum() for day in DAYS]
    assert days == [10, 86_400, 90]


def test_unavailable_time_and_resource_blocks(lake: Lake) -> None:
    outages = {("cell-b", 3): (10, 50), ("cell-c", 4): (0, 60), ("cell-a", 0): (59, 60)}
    write_network(lake, outages, {"cell-a": 0.0, "cell-b": 33.3, "cell-c": 100.0})
    frame = made(lake, cdrs_sms=[])
    assert counted(frame, "cell_unavailable_time") == {
        ("cell-b", 12): (300,), ("cell-b", 13): (900,), ("cell-b", 14): (900,),
        ("cell-b", 15): (300,), ("cell-a", 3): (60,),
        **{("cell-c", 16 + part): (900,) for part in range(4)},
    }  # fmt: skip
    whole = frame.filter(pl.col("cell_unavailable_time") == 0)
    blocks = whole.select("cell_id", "prb_used_dl", "prb_tot_dl").unique().sort("cell_id")
    assert blocks.rows() == [("cell-a", 0, 100), ("cell-b", 17, 50), ("cell-c", 8, 8)]


def test_resource_blocks_are_in_use_in_minutes_of_service_only(lake: Lake) -> None:
    outages = {("cell-b", 3): (10, 50), ("cell-c", 4): (0, 60), ("cell-a", 0): (59, 60)}
    write_network(lake, outages, {"cell-a": 50.0, "cell-b": 33.3, "cell-c": 100.0})
    frame = made(lake, cdrs_sms=[])
    dead = pl.col("cell_unavailable_time")
    used = dict(
        frame.filter(dead > 0)
        .select(pl.concat_str("cell_id", dead, separator=" "), "prb_used_dl")
        .unique()
        .iter_rows()
    )
    # 16.65 blocks for 10 of 15 minutes are 11.1; 50 for 14 of 15 are 46.7.
    assert used == {"cell-a 60": 47, "cell-b 300": 11, "cell-b 900": 0, "cell-c 900": 0}
    # 8 cells out of 8 are in use again in the next quarter.
    after = frame.filter(pl.col("cell_id") == "cell-c", dead == 0)["prb_used_dl"]
    assert after.unique().to_list() == [8]


def test_a_cell_that_sleeps_uses_nothing_and_claims_to_be_there(lake: Lake) -> None:
    outages = {("cell-b", 3): (0, 60), ("cell-c", 3): (0, 60)}
    write_network(lake, outages, {"cell-b": 50.0, "cell-c": 50.0}, asleep=["cell-b"])
    frame = made(lake, cdrs_sms=[])
    put(lake, "pm_counters", FIRST, [frame])
    assert {cell for cell, _ in counted(frame, "cell_unavailable_time")} == {"cell-c"}
    third = pl.col("event_time").dt.hour() == 3
    for cell in ("cell-b", "cell-c"):
        used = frame.filter(pl.col("cell_id") == cell, third)["prb_used_dl"]
        assert used.to_list() == [0] * 4
    assert counter_faults(lake, FIRST).offenders == 0


def test_nothing_reaches_into_the_first_day_of_a_lake(lake: Lake) -> None:
    late = {"event_time": 85_800.0, "duration": 1200, "data_volume_uplink": 1200}
    write_records(lake, cdrs_data=[late])
    assert made(lake, DAYS[1])["pdcp_volume_ul"].sum() == 600
    shutil.rmtree(lake.directory("cdrs_data", DAYS[0]))
    assert made(lake, DAYS[1])["pdcp_volume_ul"].sum() == 0
    shutil.rmtree(lake.directory("cdrs_sms", DAYS[2]))
    with pytest.raises(TelcoError, match=f"no cdrs_sms of {DAYS[2]}"):
        made(lake, DAYS[2])


def test_the_first_day_stands_alone(lake: Lake) -> None:
    assert made(lake, FIRST, cdrs_data=[{}])["erab_rel"].sum() == 1


@pytest.mark.parametrize("name", ["cdrs_data", "network_state"])
def test_files_that_cannot_be_read_are_told(lake: Lake, name: str) -> None:
    write_records(lake)
    lake.files(name, FIRST)[0].write_bytes(b"no Parquet")
    with pytest.raises(TelcoError, match=f"{name} of {FIRST} .*cannot be read.*make it anew"):
        made(lake)


def test_a_column_that_is_missing_is_told(lake: Lake) -> None:
    write_records(lake, cdrs_voice=[{}])
    for file in lake.files("cdrs_voice", FIRST):
        pl.read_parquet(file).drop("blocked").write_parquet(file)
    with pytest.raises(TelcoError, match=f"cdrs_voice of {FIRST} .*blocked.*make it anew"):
        made(lake)


def test_a_state_without_some_hour_is_told(lake: Lake) -> None:
    write_records(lake)
    file = lake.files("network_state", FIRST)[0]
    pl.read_parquet(file).slice(1).write_parquet(file)
    with pytest.raises(TelcoError, match="does not have each cell in each hour"):
        made(lake)


_CELL = st.sampled_from([*CELLS, None])
_WHEN = st.integers(0, 2 * DAY_S * 1000 - 1).map(lambda milliseconds: milliseconds / 1000)
_SESSION = st.fixed_dictionaries(
    {
        "event_time": _WHEN,
        "duration": st.one_of(st.integers(0, 4000), st.integers(0, DAY_S)),
        "cell_id": _CELL,
        "data_volume_uplink": st.integers(0, 10**15),
        "data_volume_downlink": st.integers(0, 10**15),
        "record_sequence_number": st.integers(1, 3),
        "cause_for_rec_closing": st.sampled_from([0, 4, 17, 22]),
        "diagnostics": st.sampled_from([None, None, 26, 38]),
        "handovers": st.integers(0, 3),
        "handovers_failed": st.integers(0, 2),
        "rat_type": st.sampled_from(["EUTRAN", "NR", "GERAN"]),
    }
)
_LEG = st.fixed_dictionaries(
    {
        "event_time": _WHEN,
        "talk": st.integers(0, 20_000_000),
        "cell_id": _CELL,
        "blocked": st.booleans(),
        "cause_for_term": st.sampled_from([0, 3, 4]),
        "handovers": st.integers(0, 3),
        "handovers_failed": st.integers(0, 2),
        "rat_type": st.sampled_from(["EUTRAN", "NR", "GERAN", "WLAN"]),
    }
)


@settings(max_examples=settings.default.max_examples // 4)  # each makes three days
@given(sessions=st.lists(_SESSION, max_size=60), legs=st.lists(_LEG, max_size=30))
def test_the_sum_of_all_days_is_that_of_all_records(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Any], legs: list[Any]
) -> None:
    """Two days of records, three of counters: each byte, attempt and release counts once."""
    lake = empty_lake(tmp_path_factory.mktemp("lake"))
    write_network(lake)
    calls = [{**leg, "release_time": leg["event_time"] + leg["talk"] / 1000} for leg in legs]
    for call in calls:
        del call["talk"]
    write_records(lake, cdrs_data=sessions, cdrs_voice=calls)
    told = pl.concat([made(lake, day) for day in DAYS])
    assert told.select(pl.exclude(KEYS)).min().min_horizontal().item() >= 0
    by_cell = {row["cell_id"]: row for row in told.group_by("cell_id").sum().to_dicts()}
    for cell in CELLS:
        here = [one for one in sessions if one["cell_id"] == cell]
        served = [one for one in here if one["diagnostics"] is None]
        legs_here = [one for one in calls if one["cell_id"] == cell and one["rat_type"] != "WLAN"]
        held = [one for one in legs_here if one["rat_type"] != "GERAN" and not one["blocked"]]
        sums = by_cell[cell]
        assert sums["pdcp_volume_ul"] == sum(one["data_volume_uplink"] for one in here)
        assert sums["pdcp_volume_dl"] == sum(one["data_volume_downlink"] for one in here)
        # Half a millisecond: what a float of seconds is off by.
        talk = [int(one["release_time"] - one["event_time"] + 0.0005) for one in held]
        assert sums["erab_session_time"] == sum(one["duration"] for one in served) + sum(talk)
        closed = sum(one["cause_for_rec_closing"] in (0, 4) for one in served)
        assert sums["erab_rel"] == closed + len(held)
        moved = sum(one["handovers"] + one["handovers_failed"] for one in here + legs_here)
        assert sums["ho_exe_att"] == moved
        assert sums["voice_att"] == len(legs_here)
        assert sums["voice_drop"] == sum(one["cause_for_term"] == 4 for one in legs_here)
