"""The flat table says what the records say: each call, message and data record once, unchanged."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import flat
from telco_pipeline.warehouse.flat import CALL_TYPES, DATA, SMS, VOICE, Ground
from telco_pipeline_tests.warehouse.flat_kit import days, flat_world

COLUMNS = [
    "id",
    "caller",
    "callee",
    "start_time",
    "duration",
    "type",
    "status",
    "imei_caller",
    "imei_receiver",
    "operator_code_emission",
    "antenna_id_emission",
    "antenna_type_emission",
    "antenna_lat_emission",
    "antenna_lon_emission",
    "antenna_altitude_emission",
    "antenna_id_reception",
    "antenna_type_reception",
    "antenna_lat_reception",
    "antenna_lon_reception",
    "antenna_altitude_reception",
    "operator_code_reception",
    "caller_lat_home",
    "caller_lon_home",
]
SENT = ["moSMSRecord", "mMO1SRecord"]


@pytest.fixture(name="lake", scope="session")
def _lake(flat_lake: Lake) -> Lake:
    return flat_lake


@pytest.fixture(scope="session")
def rows(lake: Lake) -> pl.DataFrame:
    """Return the rows of all days, with the day."""
    return pl.concat(
        pl.concat(flat.day_frames(lake, day)).with_columns(day=pl.lit(day)) for day in days()
    )


def records(lake: Lake, name: str) -> pl.DataFrame:
    """Return the records of all days, enumerations as text, with the day."""
    return lake.read(name).with_columns(pl.col(pl.Enum).cast(pl.String))


def with_sites(frame: pl.DataFrame, lake: Lake, column: str = "cell_id") -> pl.DataFrame:
    """Return records with what the lake knows of a cell's antenna, in columns of `cells`."""
    cells = lake.read("cells").select(
        "site_id", "cell_class", "altitude", "latitude", "longitude", cell="cell_id"
    )
    return frame.join(cells, left_on=column, right_on="cell", how="left", suffix="_cell")


def test_the_table_has_the_23_columns_in_their_order(rows: pl.DataFrame) -> None:
    assert len(COLUMNS) == 23
    assert rows.drop("day").columns == COLUMNS
    assert dict(rows.drop("day").schema) == flat.SCHEMA
    assert set(rows["type"]) == set(CALL_TYPES)
    assert set(rows["status"]) == set(flat.STATUSES)


def test_each_call_message_and_data_record_is_one_row(lake: Lake, rows: pl.DataFrame) -> None:
    assert rows["id"].is_unique().all()
    calls = records(lake, "cdrs_voice")
    assert rows.filter(type=VOICE).height == calls["call_reference"].n_unique()
    told = rows.filter(type=VOICE).join(calls, left_on="id", right_on="event_id")
    assert told["call_reference"].is_unique().all()
    messages = records(lake, "cdrs_sms")
    told = rows.filter(type=SMS).join(messages, left_on="id", right_on="event_id")
    assert told["message_reference"].is_unique().all()
    assert told.height == messages["message_reference"].n_unique()
    data = records(lake, "cdrs_data")
    assert set(rows.filter(type=DATA)["id"]) == set(data["event_id"])


def test_each_row_lies_on_its_day(rows: pl.DataFrame) -> None:
    assert (rows["start_time"].dt.date() == rows["day"]).all()


def test_the_caller_s_side_is_that_of_his_record(lake: Lake, rows: pl.DataFrame) -> None:
    calls = with_sites(records(lake, "cdrs_voice").filter(record_type="moCallRecord"), lake)
    told = rows.join(calls, left_on="id", right_on="event_id")
    assert told.height > 2000
    for column, field in {
        "caller": "calling_number",
        "callee": "called_number",
        "start_time": "event_time",
        "duration": "call_duration",
        "imei_caller": "imei",
        "imei_receiver": "other_imei",
        "operator_code_emission": "home_plmn",
        "operator_code_reception": "other_plmn",
        "antenna_id_emission": "site_id",
        "antenna_type_emission": "antenna_type",
        "antenna_lat_emission": "latitude",
        "antenna_lon_emission": "longitude",
        "antenna_altitude_emission": "altitude_cell",
        "antenna_type_reception": "other_antenna_type",
        "antenna_lat_reception": "other_latitude",
        "antenna_lon_reception": "other_longitude",
        "caller_lat_home": "home_latitude",
        "caller_lon_home": "home_longitude",
    }.items():
        assert told[column].to_list() == told[field].to_list(), column


def test_the_callee_s_side_is_that_of_his_record(lake: Lake, rows: pl.DataFrame) -> None:
    every = records(lake, "cdrs_voice")
    taken = with_sites(every.filter(record_type="mtCallRecord"), lake)
    mine = every.select(id="event_id", call_reference="call_reference")
    told = rows.filter(type=VOICE).join(mine, on="id").join(taken, on="call_reference")
    assert told.filter(pl.col("imei_caller").is_null()).height > 500  # calls from other networks
    assert told.filter(pl.col("imei_caller").is_not_null()).height > 200
    for column, field in {
        "callee": "called_number",
        "imei_receiver": "imei",
        "imei_caller": "other_imei",
        "operator_code_emission": "other_plmn",
        "operator_code_reception": "home_plmn",
        "antenna_id_reception": "site_id",
        "antenna_type_reception": "cell_class",
        "antenna_lat_reception": "latitude_cell",
        "antenna_lon_reception": "longitude_cell",
        "antenna_altitude_reception": "altitude_cell",
    }.items():
        assert told[column].to_list() == told[field].to_list(), column


def test_both_sides_of_a_message_are_those_of_its_records(lake: Lake, rows: pl.DataFrame) -> None:
    every = records(lake, "cdrs_sms")
    sent = with_sites(every.filter(pl.col("record_type").is_in(SENT)), lake)
    told = rows.join(sent, left_on="id", right_on="event_id")
    assert told.height > 1500
    assert told["antenna_id_emission"].to_list() == told["site_id"].to_list()
    assert told["imei_caller"].to_list() == told["imei"].to_list()
    assert told["operator_code_reception"].to_list() == told["other_plmn"].to_list()
    assert (told["duration"] == 0).all()
    taken = with_sites(every.filter(~pl.col("record_type").is_in(SENT)), lake)
    both = told.join(taken, on="message_reference", suffix="_taken")
    same_day = both.filter(pl.col("event_time_taken").dt.date() == pl.col("start_time").dt.date())
    assert same_day.height > 200
    assert same_day["antenna_id_reception"].to_list() == same_day["site_id_taken"].to_list()
    assert same_day["imei_receiver"].to_list() == same_day["imei_taken"].to_list()
    # At midnight the day is closed: of what is delivered later the receiving side is not known.
    later = both.filter(pl.col("event_time_taken").dt.date() > pl.col("start_time").dt.date())
    assert later["imei_receiver"].null_count() == later.height


def test_messages_from_other_networks_have_one_side(lake: Lake, rows: pl.DataFrame) -> None:
    taken = records(lake, "cdrs_sms").filter(~pl.col("record_type").is_in(SENT))
    told = rows.join(with_sites(taken, lake), left_on="id", right_on="event_id")
    assert told.height > 500
    own = flat_world().own_operator.plmn
    assert own not in set(told["other_plmn"])
    assert told["operator_code_emission"].to_list() == told["other_plmn"].to_list()
    assert told["antenna_id_reception"].to_list() == told["site_id"].to_list()
    assert told["imei_receiver"].to_list() == told["imei"].to_list()
    nothing = ["imei_caller", "antenna_id_emission", "antenna_lat_emission", "caller_lat_home"]
    assert told.select(nothing).null_count().row(0) == (told.height,) * len(nothing)


def test_a_data_record_has_no_callee(lake: Lake, rows: pl.DataFrame) -> None:
    people = pl.concat(
        lake.read(name, columns=("subscriber_id", "home_cell_id", "home_plmn"))
        for name in ("subscribers", "prospects")
    )
    data = with_sites(records(lake, "cdrs_data").join(people, on="subscriber_id"), lake)
    data = with_sites(data, lake, "home_cell_id").rename({"latitude_cell": "at_home"})
    told = rows.join(data, left_on="id", right_on="event_id")
    assert told.height > 20_000
    for column, field in {
        "caller": "msisdn",
        "imei_caller": "imei",
        "antenna_id_emission": "site_id",
        "antenna_lat_emission": "latitude",
        "operator_code_emission": "home_plmn",
        "caller_lat_home": "at_home",
    }.items():
        assert told[column].to_list() == told[field].to_list(), column
    assert told["duration"].to_list() == told["duration_right"].to_list()
    assert told["callee"].null_count() == told.height
    assert told["antenna_id_reception"].null_count() == told.height
    refused = told["diagnostics"].is_not_null()
    assert refused.sum() > 20
    assert ((told["status"] == flat.FAILED) == refused).all()


def test_what_a_call_s_status_is(lake: Lake, rows: pl.DataFrame) -> None:
    calls = records(lake, "cdrs_voice").rename({"status": "told"})
    told = rows.join(calls, left_on="id", right_on="event_id")
    found = dict(told.group_by("told").agg(pl.col("status").unique().sort()).iter_rows())
    assert found == {
        "answered": [flat.SUCCESS],
        "forwarded": [flat.SUCCESS],
        "no answer": [flat.MISSED],
        "busy": [flat.MISSED],
        "unreachable": [flat.MISSED],
        "rejected": [flat.MISSED],
        "failed": [flat.FAILED],
    }
    assert (told.filter(pl.col("status") != flat.SUCCESS)["duration"] == 0).all()


def test_a_call_that_the_voicemail_took_lasts_as_long_as_its_message(lake: Lake) -> None:
    day = days()[1]
    every = lake.read("cdrs_voice", day, day)
    rows = flat.calls(every, Ground.of(lake))
    to_voicemail = every.filter(
        (pl.col("record_type") == "moCallRecord")
        & (pl.col("status") == "answered")
        & (pl.col("called_number") == flat_world().numbering.voicemail_number)
    )
    # Who listens to his messages calls the voicemail himself; nobody was forwarded then.
    legs = to_voicemail.filter(pl.col("supplementary_service").is_not_null())
    listening = to_voicemail.filter(pl.col("supplementary_service").is_null())
    assert rows.filter(pl.col("id").is_in(listening["event_id"].implode())).height > 5
    assert legs.height > 30
    assert rows.filter(pl.col("id").is_in(legs["event_id"].implode())).is_empty()
    taken = every.filter(
        (pl.col("record_type") == "mtCallRecord")
        & (pl.col("status") == "forwarded")
        & pl.col("other_imei").is_null()
    )
    heard = legs.select("call_reference", message="call_duration")
    told = rows.join(taken, left_on="id", right_on="event_id").join(heard, on="call_reference")
    assert told.height > 20
    assert told["duration"].to_list() == told["message"].to_list()
    # A leg that began after midnight is a record of the next day: the message is not known.
    without = every.filter(~pl.col("event_id").is_in(legs["event_id"].implode()))
    alone = flat.calls(without, Ground.of(lake)).join(taken, left_on="id", right_on="event_id")
    assert set(alone["status"]) == {flat.MISSED}
    assert set(alone["duration"]) == {0}


@given(seed=st.integers(0, 1000))
def test_the_projection_never_changes_a_duration(lake: Lake, seed: int) -> None:
    """Bounds hold because the world keeps them: what lies outside would show."""
    day, draw = days()[0], np.random.default_rng(seed)
    ground = Ground.of(lake)
    every = lake.read("cdrs_voice", day, day)
    lengths = draw.integers(0, 90_000, every.height)
    every = every.with_columns(call_duration=pl.Series(lengths, dtype=pl.Int32))
    told = flat.calls(every, ground).join(every, left_on="id", right_on="event_id")
    mine = told.filter(pl.col("record_type") == "moCallRecord")
    assert mine["duration"].to_list() == mine["call_duration"].to_list()
    data = lake.read("cdrs_data", day, day)
    lengths = draw.integers(0, 90_000, data.height)
    data = data.with_columns(duration=pl.Series(lengths, dtype=pl.Int32))
    told = flat.data(data, ground)
    assert told["duration"].to_list() == lengths.tolist()


def test_the_bounds_of_the_preset_hold(rows: pl.DataFrame) -> None:
    lasting = rows.filter((pl.col("status") == flat.SUCCESS) & (pl.col("type") != SMS))
    assert lasting["duration"].is_between(10, 3600).all()
    for side in ("emission", "reception"):
        known = rows.filter(pl.col(f"antenna_id_{side}").is_not_null())
        assert known.height > 1000
        assert known[f"antenna_altitude_{side}"].is_between(0, 100).all()
        assert known[f"antenna_lat_{side}"].is_between(49.5, 51.5).all()
        assert known[f"antenna_lon_{side}"].is_between(2.5, 6.5).all()
    homes = rows["caller_lat_home"].drop_nulls()
    assert homes.is_between(49.5, 51.5).all()


def test_there_are_as_many_antennas_as_the_preset_plans(lake: Lake, rows: pl.DataFrame) -> None:
    sites = lake.read("sites")
    assert sites.height == 1000
    seen = pl.concat([rows["antenna_id_emission"], rows["antenna_id_reception"]]).drop_nulls()
    assert 500 < seen.n_unique() <= 1000
    assert set(seen) <= set(sites["site_id"])


def test_other_operators_have_their_shares(rows: pl.DataFrame) -> None:
    """Every row has our operator on a side; the others share the market outside: 30 to 30."""
    own, *others = flat_world().operators
    calls = rows.filter(pl.col("type") != DATA)
    codes = pl.concat([calls["operator_code_emission"], calls["operator_code_reception"]])
    number = {each.plmn: int((codes == each.plmn).sum()) for each in (own, *others)}
    ratio = number[others[0].plmn] / number[others[1].plmn]
    assert 0.8 < ratio < 1.25
    # Contacts lie in our network about as often as the market says; calls to those nearest, more.
    between = calls.filter(pl.col("operator_code_emission") == own.plmn)
    mobile = between.filter(pl.col("operator_code_reception").is_in(list(number)))
    share = (mobile["operator_code_reception"] == own.plmn).mean()
    assert 0.3 < share < 0.6  # type: ignore[operator]


def test_rows_are_counted_without_being_made(lake: Lake, rows: pl.DataFrame) -> None:
    ground = Ground.of(lake)
    for day in days():
        for types in (CALL_TYPES, (VOICE,), (SMS,), (DATA,), (SMS, DATA)):
            made = rows.filter(pl.col("type").is_in(types), pl.col("day") == day).height
            assert flat.count_rows(lake, day, types, ground) == made


def test_messages_in_shares_are_the_same(
    lake: Lake, rows: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flat, "_MESSAGES_AT_ONCE", 500)
    frames = list(flat.day_frames(lake, days()[0], (SMS,)))
    assert len(frames) > 3
    assert max(frame.height for frame in frames) < 700
    expected = rows.filter(pl.col("day") == days()[0], pl.col("type") == SMS).drop("day")
    assert_frame_equal(pl.concat(frames).sort("id"), expected.sort("id"))


@given(count=st.integers(1, 8000))
def test_the_first_rows_by_time(rows: pl.DataFrame, count: int) -> None:
    some = rows.head(8001)
    # Many at the same time: the key decides.
    some = some.with_columns(start_time=pl.col("start_time").dt.truncate("10m"))
    chosen = some.filter(flat.first_rows([some.head(100), some.tail(-100)], count))
    expected = some.sort("start_time", "id").head(count)
    assert_frame_equal(chosen.sort("start_time", "id"), expected)


def test_a_lake_without_the_day_is_refused(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match="telco generate"):
        list(flat.day_frames(lake, days()[-1] + dt.timedelta(days=1)))
    with pytest.raises(TelcoError, match="cells"):
        list(flat.day_frames(Lake(tmp_path / "none"), days()[0]))
