"""What a record says is true and agrees with what the other records say.

The oracles know the static datasets and the records only, nothing of how records are drawn.
"""

import datetime as dt
import re

import numpy as np
import polars as pl
import pytest

from telco_pipeline.contracts import DATASETS, records
from telco_pipeline.contracts.codes import LifeStatus
from telco_pipeline_tests.generators.kit import (
    HELD,
    THEN,
    Operator,
    autumn_operator,
    large_operator,
    spring_operator,
)

AROUND_KM = 25.0
CDRS = ("cdrs_voice", "cdrs_sms", "cdrs_data")
RECORDS = (*CDRS, "cdrs_voip", "cdrs_ims", "location_updates", "customer_service")
MO, MT = pl.col("record_type") == "moCallRecord", pl.col("record_type") == "mtCallRecord"
ANSWERED = pl.col("answer_time").is_not_null()
FORWARDED = pl.col("status") == "forwarded"


@pytest.fixture(scope="module")
def operator() -> Operator:
    return spring_operator()


@pytest.fixture(scope="module")
def voice(operator: Operator) -> pl.DataFrame:
    return operator.all("cdrs_voice")


@pytest.fixture(scope="module")
def sms(operator: Operator) -> pl.DataFrame:
    return operator.all("cdrs_sms")


@pytest.fixture(scope="module")
def data(operator: Operator) -> pl.DataFrame:
    return operator.all("cdrs_data")


@pytest.fixture(scope="module")
def voip(operator: Operator) -> pl.DataFrame:
    return operator.all("cdrs_voip")


@pytest.fixture(scope="module")
def ims(operator: Operator) -> pl.DataFrame:
    return operator.all("cdrs_ims")


@pytest.fixture(scope="module")
def locations(operator: Operator) -> pl.DataFrame:
    return operator.all("location_updates")


def forwarded_leg(operator: Operator) -> pl.Expr:
    """Return which voice records are those of who forwards a call: MO, to the voicemail."""
    voicemail = operator.inputs.config.numbering.voicemail_number
    forwarding = pl.col("supplementary_service").cast(pl.String).str.starts_with("CF")
    return MO & (pl.col("called_number") == voicemail) & forwarding.fill_null(False)


def holds(frame: pl.DataFrame, rule: pl.Expr) -> None:
    """Check that a rule holds in every row; null counts as broken."""
    broken = frame.filter(~rule.fill_null(False))
    assert frame.height > 0
    assert broken.height == 0, broken.head(3).to_dicts()


# Who.


@pytest.mark.parametrize("made", [spring_operator, large_operator], ids=["spring", "winter"])
@pytest.mark.parametrize("name", RECORDS)
def test_identities_of_a_row_are_valid_at_its_time(made: object, name: str) -> None:
    operator = made()  # type: ignore[operator]
    rows = operator.as_of(operator.all(name))
    compared = [c for c in ("imsi", "msisdn", "imei") if c in rows.columns]
    assert compared
    for column in compared:
        holds(rows, pl.col(column) == pl.col(f"{column}{THEN}"))
    # Who has left has no records any more.
    issued = operator.frame("subscribers").select("subscriber_id", issued_by="home_plmn")
    served = rows.join(issued, on="subscriber_id", how="left")
    holds(served, pl.col(f"serving_plmn{THEN}") == pl.col("issued_by"))


def test_the_oracle_of_identities_sees_changes() -> None:
    """The days of the tests are late enough for the registry alone to be wrong."""
    operator = large_operator()
    registry = operator.frame("subscribers").select("subscriber_id", "imsi", "msisdn", "imei")
    rows = operator.all("cdrs_voice").join(registry, on="subscriber_id", suffix="_first")
    for column in ("imsi", "msisdn", "imei"):
        assert (rows[column] != rows[f"{column}_first"]).sum() > 0, column
    assert operator.identities["valid_to"].drop_nulls().len() > 100


@pytest.mark.parametrize("name", RECORDS)
def test_rows_keep_the_contract(operator: Operator, name: str) -> None:
    for day in operator.days:
        frame = operator.day(name, day)
        assert frame.schema == DATASETS[name].polars_schema
        DATASETS[name].schema.validate(frame)


def test_event_ids_are_unique_over_all_datasets(operator: Operator) -> None:
    ids = pl.concat([operator.all(name)["event_id"] for name in (*RECORDS, "network_logs")])
    assert ids.n_unique() == len(ids)


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_sms"])
def test_the_served_number_is_on_its_side(operator: Operator, name: str) -> None:
    rows = operator.all(name)
    originating = (
        pl.col("record_type").cast(pl.String).is_in(["moCallRecord", "moSMSRecord", "mMO1SRecord"])
    )
    own = pl.when(originating).then("calling_number").otherwise("called_number")
    holds(rows, own == pl.col("msisdn"))
    holds(rows, pl.col("calling_number") != pl.col("called_number"))


@pytest.mark.parametrize("name", ["cdrs_voip", "cdrs_ims"])
def test_the_addresses_of_packet_voice_are_on_their_side(operator: Operator, name: str) -> None:
    role = "role" if name == "cdrs_voip" else "role_of_node"
    rows = operator.as_of(operator.all(name))
    side = pl.when(pl.col(role) == "originating").then("calling_party_address")
    holds(rows, side.otherwise("called_party_address") == pl.col(f"msisdn{THEN}"))
    calls = rows.filter(pl.col("called_party_address").is_not_null())
    holds(calls, pl.col("calling_party_address") != pl.col("called_party_address"))


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_sms"])
def test_the_other_network_serves_the_other_number(operator: Operator, name: str) -> None:
    other = pl.when(pl.col("msisdn") == pl.col("calling_number")).then("called_number")
    rows = operator.with_holder(
        operator.all(name).with_columns(other=other.otherwise("calling_number")), "other"
    )
    # Of ours, and of who took the number along to another network.
    known = rows.filter(pl.col(f"subscriber_id{HELD}").is_not_null())
    # (Nobody serves a number whose subscription has ended without that.)
    holds(known, pl.col("other_plmn").eq_missing(pl.col(f"serving_plmn{HELD}")))
    strangers = rows.filter(pl.col(f"subscriber_id{HELD}").is_null())
    config = operator.inputs.config
    country = f"+{config.numbering.country_code}"
    ranges = {f"{country}{ndc}": one.plmn for one in config.operators for ndc in one.ndcs}
    mobile = strangers.with_columns(
        range_plmn=pl.col("other").str.head(6).replace_strict(ranges, default=None)
    ).filter(pl.col("range_plmn").is_not_null())
    service = mobile.filter(pl.col("other_plmn").is_null())
    assert set(service["other"]) <= {config.numbering.voicemail_number}
    served = mobile.filter(pl.col("other_plmn").is_not_null())
    rivals = [one.plmn for one in config.operators if not one.own]
    holds(served, pl.col("other_plmn").is_in(rivals))
    numbers = served.unique("other")
    # A fifth of the numbers were ported, from our ranges too (BIPT: 15-20 % of numbers).
    ported = numbers.filter(pl.col("other_plmn") != pl.col("range_plmn"))
    assert 0.16 < ported.height / numbers.height < 0.24
    assert ported["range_plmn"].n_unique() == len(config.operators)
    fixed = strangers.filter(pl.col("other").str.contains(rf"^\{country}([1-35-9]|40)"))
    assert fixed["other_plmn"].null_count() == fixed.height
    # Fixed lines and service numbers take calls, not messages.
    assert (fixed.height > 0) == (name == "cdrs_voice")
    # One number, one network, as long as nobody takes it along.
    networks = strangers.group_by("other").agg(pl.col("other_plmn").n_unique().alias("networks"))
    assert networks["networks"].max() == 1


@pytest.mark.parametrize("name", ["cdrs_voice", "cdrs_sms"])
def test_numbers_that_we_serve_come_from_other_ranges_too(operator: Operator, name: str) -> None:
    rows = operator.as_of(operator.all(name)).unique("subscriber_id")
    config = operator.inputs.config
    ranges = {
        f"+{config.numbering.country_code}{ndc}": one.plmn
        for one in config.operators
        for ndc in one.ndcs
    }
    kinds = operator.frame("subscribers").select("subscriber_id", "kind")
    people = rows.join(kinds, on="subscriber_id").filter(
        pl.col("kind").is_in(["person", "business"])
    )
    holder = pl.col("msisdn").str.head(6).replace_strict(ranges, default=None)
    holds(people, holder == pl.col(f"number_holder{THEN}"))
    ported = people[f"number_holder{THEN}"] != config.own_operator.plmn
    assert 0.10 < ported.mean() < 0.22


def test_machines_write_to_their_platform_only(operator: Operator, sms: pl.DataFrame) -> None:
    machines = operator.frame("subscribers").filter(pl.col("kind") == "machine")
    rows = sms.join(machines.select("subscriber_id"), on="subscriber_id", how="semi")
    numbers = pl.concat([rows["calling_number"], rows["called_number"]])
    others = numbers.filter(~numbers.is_in(machines["msisdn"].implode()))
    assert others.n_unique() == 1
    people = sms.join(machines.select("subscriber_id"), on="subscriber_id", how="anti")
    assert not people["called_number"].is_in(others.unique().implode()).any()


# Voice.


def test_a_call_is_answered_and_released_in_order(voice: pl.DataFrame) -> None:
    answered = pl.col("answer_time").is_not_null()
    holds(voice, pl.col("release_time") >= pl.col("event_time"))
    holds(
        voice.filter(answered),
        (pl.col("event_time") < pl.col("answer_time"))
        & (pl.col("answer_time") <= pl.col("release_time")),
    )
    talk = (pl.col("release_time") - pl.col("answer_time")).dt.total_microseconds()
    seconds = pl.col("call_duration").cast(pl.Int64)
    holds(voice.filter(answered), (talk - seconds * 1_000_000).abs() <= 500_000)
    holds(voice.filter(~answered), pl.col("call_duration") == 0)
    limit = 14_400
    holds(voice, pl.col("call_duration") <= limit)


def test_the_causes_of_a_call_agree(voice: pl.DataFrame) -> None:
    answered = pl.col("answer_time").is_not_null()
    # The side that lost its radio link ended abnormally; either side is told why the call ended.
    dropped = answered & (pl.col("cause_for_term") == 4)
    cut = answered & (pl.col("diagnostics") == 41)
    holds(voice.filter(~answered), pl.col("cause_for_term") == 3)
    holds(voice.filter(answered), pl.col("cause_for_term").is_in([0, 4]))
    holds(voice.filter(answered & ~cut), pl.col("diagnostics") == 16)
    holds(voice.filter(dropped), pl.col("diagnostics") == 41)
    causes = [17, 19, 20, 21, 1, 34, 38, 41, 42]
    holds(voice.filter(~answered), pl.col("diagnostics").is_in(causes))
    calls = voice.group_by("call_reference").agg(
        lost=(pl.col("cause_for_term") == 4).any(), told=(pl.col("diagnostics") == 41).any(),
        records=pl.len(),
    )  # fmt: skip
    holds(calls.filter("lost"), pl.col("told"))
    holds(voice.filter(pl.col("blocked")), (pl.col("diagnostics") == 34) & ~answered)
    # E-RAB / VoLTE drop 0.3-0.5 % (practice).
    rate = voice.filter(dropped).height / voice.filter(answered).height
    assert 0.002 < rate < 0.006
    # A callee who was not reached has no record, but one whose cell had no room.
    target = voice.filter(MT)
    holds(target, pl.col("diagnostics").is_in([16, 17, 19, 21, 41]) | pl.col("blocked"))
    holds(target.filter(pl.col("diagnostics") == 41), answered)
    ringing = (pl.col("release_time") - pl.col("event_time")).dt.total_seconds()
    holds(voice.filter(MO & (pl.col("diagnostics") == 19)), ringing >= 10)
    holds(voice.filter(MO & pl.col("diagnostics").is_in([17, 20, 1, 34])), ringing <= 10)


def test_the_number_of_a_subscriber_is_never_unallocated(
    operator: Operator, voice: pl.DataFrame
) -> None:
    rows = operator.with_holder(voice.filter(MO), "called_number")
    inside = rows.filter(pl.col(f"subscriber_id{HELD}").is_not_null())
    # Nor is the number of who took it along to another network; but that of who is no customer.
    served = pl.col(f"serving_plmn{HELD}").is_not_null()
    holds(inside, served | pl.col("diagnostics").is_in([1, 34, 38, 41, 42]))
    holds(inside.filter(served), pl.col("diagnostics") != 1)
    assert (voice["diagnostics"] == 1).any()


def test_one_record_of_a_call_is_rated(operator: Operator, voice: pl.DataFrame) -> None:
    """The caller's, also if the voicemail answered; and that of who is called abroad."""
    forwarding = forwarded_leg(operator)
    holds(
        voice,
        pl.col("chargeable") == (ANSWERED & ~forwarding & (MO | pl.col("roaming"))),
    )
    assert voice.filter(MT & pl.col("chargeable")).height > 0
    assert voice.filter(FORWARDED & pl.col("chargeable")).height > 0
    assert voice.filter(forwarding).height > 0
    rated = voice.filter(pl.col("chargeable")).group_by("call_reference", "record_type").len()
    assert rated["len"].max() == 1


def test_the_status_says_what_the_diagnostics_say(voice: pl.DataFrame) -> None:
    status = pl.col("status").cast(pl.String)
    holds(voice, (status == "answered") | (status == "forwarded") | ~ANSWERED)
    holds(voice.filter(status == "answered"), ANSWERED)
    expected = {19: "no answer", 17: "busy", 20: "unreachable", 21: "rejected"}
    failed = voice.filter(~ANSWERED & ~FORWARDED)
    holds(
        failed,
        status == pl.col("diagnostics").cast(pl.Int64).replace_strict(expected, default="failed"),
    )


def test_a_forwarded_call_has_the_records_of_who_forwards(
    operator: Operator, voice: pl.DataFrame
) -> None:
    """Caller: answered by the voicemail. Callee: not answered, and a leg of his own to it."""
    voicemail = operator.inputs.config.numbering.voicemail_number
    service = pl.col("supplementary_service").cast(pl.String)
    forwarded, leg = voice.filter(FORWARDED), voice.filter(forwarded_leg(operator))
    holds(forwarded, service.str.starts_with("CF"))
    holds(voice.filter(service.str.starts_with("CF")), FORWARDED | forwarded_leg(operator))
    callers, callees = forwarded.filter(MO), forwarded.filter(MT)
    holds(callers, ANSWERED & (pl.col("connected_number") == voicemail))
    holds(callers, pl.col("diagnostics").is_in([16, 41]))
    holds(callees, ~ANSWERED & pl.col("connected_number").is_null())
    unanswered = voice.filter(~FORWARDED)
    assert unanswered["connected_number"].null_count() == unanswered.height
    reasons = {"CFB": 17, "CFNRy": 19}
    holds(callees, pl.col("diagnostics") == service.replace_strict(reasons, default=None))
    # Who cannot be reached is forwarded before a leg to him begins.
    assert set(callers["supplementary_service"].cast(pl.String)) == {"CFB", "CFNRy", "CFNRc"}
    assert set(leg["supplementary_service"].cast(pl.String)) == {"CFB", "CFNRy"}
    holds(leg, ANSWERED & (pl.col("status") == "answered"))
    # The leg and the unanswered record belong to the same callee; either may lie in a day that
    # was not made.
    pairs = leg.join(callees, on="call_reference", suffix="_mt")
    assert pairs.height > 0.98 * max(leg.height, callees.height)
    for column in ("subscriber_id", "msisdn", "imsi", "imei", "supplementary_service"):
        holds(pairs, pl.col(column) == pl.col(f"{column}_mt"))
    holds(pairs, pl.col("calling_number") == pl.col("called_number_mt"))
    # It begins when the callee's phone stops ringing.
    holds(pairs, pl.col("event_time") == pl.col("release_time_mt"))
    sides = leg.join(callers, on="call_reference", suffix="_mo")
    for column in ("answer_time", "release_time", "call_duration"):
        holds(sides, pl.col(column) == pl.col(f"{column}_mo"))
    holds(sides, pl.col("calling_number") == pl.col("called_number_mo"))
    assert sides.height > 50


def test_a_call_has_three_records_at_most(operator: Operator, voice: pl.DataFrame) -> None:
    kinds = voice.with_columns(leg=forwarded_leg(operator))
    per_kind = kinds.group_by("call_reference", "record_type", "leg").len()
    assert per_kind["len"].max() == 1
    per_call = kinds.group_by("call_reference").agg(
        pl.len(), pl.col("event_id").n_unique().alias("ids")
    )
    assert per_call["len"].max() == 3
    assert (per_call["ids"] == per_call["len"]).all()


def test_each_end_says_where_the_other_one_was(operator: Operator, voice: pl.DataFrame) -> None:
    """What a record says of the other end is what that one's own record says."""
    legs = voice.filter(~forwarded_leg(operator))
    pairs = legs.filter(MO).join(legs.filter(MT), on="call_reference", suffix="_mt")
    assert pairs.height > 1000
    for here, there in (("", "_mt"), ("_mt", "")):
        for told, own in (
            ("other_imei", "imei"),
            ("other_cell_id", "cell_id"),
            ("other_latitude", "latitude"),
            ("other_longitude", "longitude"),
            ("other_altitude", "altitude"),
            ("other_antenna_type", "antenna_type"),
        ):
            holds(pairs, pl.col(f"{told}{here}").eq_missing(pl.col(f"{own}{there}")))
        lone = legs.join(pairs, on="call_reference", how="anti")
    # Parties of other networks leave no record here.
    config = operator.inputs.config
    outside = lone.filter(pl.col("other_plmn") != config.own_operator.plmn)
    for column in ("other_imei", "other_cell_id", "other_latitude"):
        assert outside[column].null_count() == outside.height


def test_an_icid_means_a_call_over_ims(voice: pl.DataFrame) -> None:
    holds(voice, pl.col("icid").is_null() == (pl.col("rat_type") == "GERAN"))
    pairs = voice.filter(MO).join(voice.filter(MT), on="call_reference", suffix="_mt")
    both = pairs.filter(pl.col("icid").is_not_null() & pl.col("icid_mt").is_not_null())
    holds(both, pl.col("icid") == pl.col("icid_mt"))


def test_only_phones_with_volte_speak_over_ims(operator: Operator, voice: pl.DataFrame) -> None:
    volte = operator.frame("devices").select("device_id", "volte")
    rows = operator.as_of(voice).join(
        volte, left_on=f"device_id{THEN}", right_on="device_id", how="left"
    )
    visitors = operator.frame("subscribers").filter(pl.col("kind") == "visitor")["subscriber_id"]
    visits = pl.col("subscriber_id").is_in(visitors.implode())
    holds(rows.filter(~pl.col("volte") | visits), pl.col("rat_type") == "GERAN")
    # Where LTE is out of service they fall back.
    over_ims = rows.filter(pl.col("volte") & ~visits)
    assert over_ims.select((pl.col("rat_type") != "GERAN").mean()).item() > 0.98


# Where.


def _with_cells(operator: Operator, rows: pl.DataFrame) -> pl.DataFrame:
    cells = operator.frame("cells").select(
        "cell_id", "site_id", cell_rat=pl.col("rat_type").cast(pl.String)
    )
    places = operator.frame("subscribers").select(
        "subscriber_id", "kind", "home_cell_id", "work_cell_id"
    )
    site = cells.select("cell_id", "site_id")
    home = places.join(
        site.rename({"cell_id": "home_cell_id", "site_id": "home_site"}), on="home_cell_id"
    )
    both = home.join(
        site.rename({"cell_id": "work_cell_id", "site_id": "work_site"}),
        on="work_cell_id",
        how="left",
    )
    return rows.join(cells, on="cell_id", how="left").join(both, on="subscriber_id")


@pytest.mark.parametrize("name", [*CDRS, "location_updates"])
def test_the_radio_access_fits_the_cell(operator: Operator, name: str) -> None:
    rows = _with_cells(operator, operator.all(name)).filter(pl.col("cell_id").is_not_null())
    rat = pl.col("rat_type").cast(pl.String)
    usual = rows.filter(~rat.is_in(["WLAN", "NB-IoT", "LTE-M"]))
    holds(usual, rat == pl.col("cell_rat"))
    narrow = rows.filter(rat.is_in(["NB-IoT", "LTE-M"]))
    if name != "cdrs_voice":
        # A machine that reports all day has no need of a location update.
        if name != "location_updates" or narrow.height:
            holds(narrow, pl.col("cell_rat") == "EUTRAN")
            holds(narrow, pl.col("kind") == "machine")
    else:
        assert (rows["rat_type"] == "WLAN").mean() > 0.01
        assert narrow.height == 0


def _antennas(operator: Operator) -> pl.DataFrame:
    """Return of each cell its site, where that is in km, and how far the cell is heard."""
    # Neighbours overlap: a cell is heard twice as far as it serves.
    return operator.frame("cells").select(
        "cell_id",
        "site_id",
        east=pl.col("longitude") * 70.2,
        north=pl.col("latitude") * 111.2,
        heard=pl.col("range_m") * 2 / 1000,
    )


@pytest.fixture(scope="module")
def sightings(operator: Operator) -> pl.DataFrame:
    """Return where each subscriber was seen in our network.

    Columns: `near_home`, `near_work`: the serving site is that of the home or work, or its cell is
    heard there; `at_home`, `at_work`: it is that site; `around_home`, `around_work`: it is no
    further than the sites around (160 sites stand some 15 km apart in the country). Phones that
    speak over GERAN look for a site that has it, so these records tell nothing.
    """
    cells = _antennas(operator)
    seen = pl.concat(
        [
            operator.all(name).select("subscriber_id", "event_time", "local", "cell_id", "rat_type")
            for name in (*CDRS, "location_updates")
        ]
    ).filter(pl.col("cell_id").is_not_null() & (pl.col("rat_type") != "GERAN"))
    rows = (
        seen.join(cells, on="cell_id")
        .join(
            operator.frame("subscribers").select(
                "subscriber_id", "kind", "holder_id", "home_cell_id", "work_cell_id"
            ),
            on="subscriber_id",
        )
        .join(cells, left_on="home_cell_id", right_on="cell_id", suffix="_home")
        .join(cells, left_on="work_cell_id", right_on="cell_id", suffix="_work", how="left")
    )
    for place in ("home", "work"):
        same = (pl.col("site_id") == pl.col(f"site_id_{place}")).fill_null(False)
        across, up = (pl.col(axis) - pl.col(f"{axis}_{place}") for axis in ("east", "north"))
        apart = (across**2 + up**2).sqrt()
        heard = (apart <= pl.col("heard")).fill_null(False)
        rows = rows.with_columns(
            same.alias(f"at_{place}"),
            (same | heard).alias(f"near_{place}"),
            (apart <= AROUND_KM).fill_null(False).alias(f"around_{place}"),
        )
    return rows


def test_people_keep_a_place_for_the_night(sightings: pl.DataFrame) -> None:
    night = sightings.filter(
        (pl.col("kind") == "person") & pl.col("local").dt.hour().is_between(2, 4)
    )
    nights = night.group_by("subscriber_id", pl.col("local").dt.date()).agg(
        home=pl.col("around_home").all(),
        known=(pl.col("around_home") | pl.col("around_work")).all(),
        elsewhere=pl.col("site_id").filter(~pl.col("at_home") & ~pl.col("at_work")).n_unique(),
    )
    assert nights.height > 3000
    # Weekends among them; a few nights a month are spent elsewhere.
    assert nights["home"].mean() > 0.83
    assert nights["known"].mean() > 0.86
    assert night["at_home"].mean() > 0.55, "the home's own site serves most"
    # Who sleeps elsewhere stays there: a second site is that of somebody coming late.
    assert (nights["elsewhere"] <= 1).mean() > 0.97


def test_workers_are_at_work_at_noon(sightings: pl.DataFrame) -> None:
    noon = sightings.filter(
        (pl.col("local").dt.weekday() == 1)
        & pl.col("local").dt.hour().is_between(11, 13)
        & pl.col("kind").is_in(["person", "business"])
        & pl.col("site_id_work").is_not_null()
        & (pl.col("site_id_home") != pl.col("site_id_work"))
    )
    away = noon.filter(~pl.col("at_home"))
    assert away["at_work"].mean() >= 0.5
    # Some stay at home, and at the weekend most do not go to work.
    assert 0.05 < noon["at_home"].mean() < 0.4
    sunday = sightings.filter(
        (pl.col("local").dt.weekday() == 7)
        & pl.col("local").dt.hour().is_between(11, 13)
        & (pl.col("kind") == "person")
        & (pl.col("site_id_home") != pl.col("site_id_work"))
    )
    assert sunday["at_work"].mean() < 0.3 * noon["at_work"].mean()


def _outages(operator: Operator) -> pl.DataFrame:
    """Return the hours in which cells are out of service: cell, its site, start, end."""
    hour = pl.col("event_time")
    return (
        operator.all("network_state")
        .filter(pl.col("unavailable_from").is_not_null())
        .join(operator.frame("cells").select("cell_id", "site_id"), on="cell_id")
        .select(
            "cell_id",
            "site_id",
            start=hour + pl.duration(minutes=pl.col("unavailable_from")),
            end=hour + pl.duration(minutes=pl.col("unavailable_until")),
        )
    )


def test_machines_without_a_way_to_work_stand_still(
    operator: Operator, sightings: pl.DataFrame
) -> None:
    meters = sightings.filter((pl.col("kind") == "machine") & pl.col("work_cell_id").is_null())
    away = meters.filter(~pl.col("at_home"))
    # Only while a cell at home is out of service another site serves.
    excused = away.join(_outages(operator), left_on="site_id_home", right_on="site_id").filter(
        pl.col("event_time").is_between("start", pl.col("end") + pl.duration(hours=1))
    )
    assert away.join(excused, on=["subscriber_id", "event_time"], how="anti").height == 0
    assert away.height < 0.01 * meters.height
    assert meters["subscriber_id"].n_unique() > 100
    vehicles = sightings.filter(
        (pl.col("kind") == "machine") & pl.col("work_cell_id").is_not_null()
    )
    assert vehicles.group_by("subscriber_id").agg(pl.col("site_id").n_unique())["site_id"].max() > 3


def test_both_sims_of_a_phone_are_in_hearing_of_each_other(sightings: pl.DataFrame) -> None:
    """Two SIMs in one phone: in the same minute the cell of one is heard where the other is."""
    people = sightings.filter(pl.col("kind") == "person").with_columns(
        minute=pl.col("event_time").dt.truncate("1m")
    )
    pairs = people.join(people, on=["holder_id", "minute"], suffix="_b").filter(
        pl.col("subscriber_id") < pl.col("subscriber_id_b")
    )
    assert pairs.height > 1000
    assert (pairs["site_id"] == pairs["site_id_b"]).mean() > 0.95
    across, up = (pl.col(axis) - pl.col(f"{axis}_b") for axis in ("east", "north"))
    # The phone is within both cells; a way of a minute comes on top.
    reach = pl.col("heard") + pl.col("heard_b") + 2
    same = pl.col("site_id") == pl.col("site_id_b")
    holds(pairs, same | ((across**2 + up**2).sqrt() <= reach))


@pytest.mark.parametrize("name", CDRS)
def test_roaming_columns_are_there_or_null_together(operator: Operator, name: str) -> None:
    rows = operator.all(name)
    abroad = rows.filter("roaming")
    filled = ("visited_plmn", "roaming_country", "visited_cell")
    assert abroad.height > 10
    for column in filled:
        assert abroad[column].null_count() == 0
        assert rows.filter(~pl.col("roaming"))[column].null_count() == rows.height - abroad.height
    assert abroad["cell_id"].null_count() == abroad.height
    holds(
        abroad,
        pl.col("visited_cell").str.replace_all("-", "").str.starts_with(pl.col("visited_plmn")),
    )
    assert not abroad["rat_type"].is_in(["NR", "WLAN"]).any()
    one_network = abroad.group_by("roaming_country").agg(pl.col("visited_plmn").n_unique())
    assert one_network["visited_plmn"].max() == 1
    # A trip leads to one place, not all over the country.
    trips = abroad.group_by("subscriber_id", "roaming_country").agg(
        pl.col("visited_cell").n_unique()
    )
    assert trips["visited_cell"].max() <= 12


def test_one_subscriber_is_in_one_country(operator: Operator) -> None:
    """All records of a moment agree on who is abroad."""
    seen = pl.concat(
        [operator.all(name).select("subscriber_id", "event_time", "roaming") for name in CDRS]
        + [
            operator.all("location_updates").select(
                "subscriber_id", "event_time", roaming=pl.lit(False)
            )
        ]
    ).sort("subscriber_id", "event_time", maintain_order=True)
    # Partial records of a session and legs of a call may follow the crossing within its length.
    changes = seen.with_columns(
        changed=(pl.col("roaming") != pl.col("roaming").shift(1)).over("subscriber_id")
    )
    per_head = changes.group_by("subscriber_id").agg(pl.col("changed").sum())
    assert per_head["changed"].max() <= 2  # out and back
    assert (per_head["changed"] > 0).sum() > 5


# Packet voice and IMS.


def test_packet_voice_links_to_its_call(
    operator: Operator, voice: pl.DataFrame, voip: pl.DataFrame
) -> None:
    # The forwarded leg goes from a server to the voicemail: no media of a phone.
    over_ims = voice.filter(pl.col("icid").is_not_null() & ~forwarded_leg(operator))
    media = voip.filter(pl.col("access") != "SIP trunk")
    assert media.height == over_ims.height
    role = pl.when(MO).then(pl.lit("originating")).otherwise(pl.lit("terminating"))
    pairs = over_ims.with_columns(role=role).join(
        media.with_columns(pl.col("role").cast(pl.String)), on=["icid", "role"], suffix="_voip"
    )
    assert pairs.height == over_ims.height
    for column in ("subscriber_id", "event_time", "release_time", "call_duration"):
        holds(pairs, pl.col(column) == pl.col(f"{column}_voip"))
    holds(pairs, pl.col("answer_time").eq_missing(pl.col("answer_time_voip")))
    holds(pairs, pl.col("cell_id").eq_missing(pl.col("cell_id_voip")))
    access = (
        pl.col("rat_type")
        .cast(pl.String)
        .replace_strict({"NR": "VoNR", "WLAN": "VoWiFi", "EUTRAN": "VoLTE"})
    )
    holds(pairs, access == pl.col("access").cast(pl.String))
    response = {
        16: 200, 17: 486, 19: 480, 20: 480, 21: 603, 1: 404, 34: 503, 38: 500, 41: 503, 42: 504,
    }  # fmt: skip
    answered = pl.col("answer_time").is_not_null()
    not_dropped = pairs.filter(~answered | (pl.col("diagnostics") != 41))
    holds(
        not_dropped,
        pl.col("diagnostics").cast(pl.Int64).replace_strict(response) == pl.col("sip_response"),
    )
    holds(pairs, (pl.col("sip_response") == 200) == pl.col("answer_time").is_not_null())


def test_sip_trunks_are_rated_and_leave_our_network(operator: Operator, voip: pl.DataFrame) -> None:
    trunks = voip.filter(pl.col("access") == "SIP trunk")
    holds(trunks, pl.col("chargeable") == pl.col("answer_time").is_not_null())
    holds(voip.filter(pl.col("access") != "SIP trunk"), ~pl.col("chargeable"))
    holds(trunks, pl.col("cell_id").is_null() & (pl.col("role") == "originating"))
    holds(trunks, pl.col("codec").cast(pl.String).is_in(["opus", "PCMA"]))
    subscribers = operator.frame("subscribers")
    kinds = trunks.join(subscribers.select("subscriber_id", "kind"), on="subscriber_id")
    holds(kinds, pl.col("kind") == "business")
    # A call to a subscriber of ours would need the record of the callee's side.
    assert not trunks["called_party_address"].is_in(subscribers["msisdn"].implode()).any()


def test_ims_records_link_to_their_call(
    operator: Operator, voice: pl.DataFrame, voip: pl.DataFrame, ims: pl.DataFrame
) -> None:
    sessions = ims.filter(pl.col("sip_method") == "INVITE")
    over_ims = voice.filter(pl.col("icid").is_not_null() & ~forwarded_leg(operator))
    # A hop of the last milliseconds of the last day may lie behind the days that were made.
    assert 2 * over_ims.height - 3 <= sessions.height <= 2 * over_ims.height
    role = pl.when(MO).then(pl.lit("originating")).otherwise(pl.lit("terminating"))
    calls = over_ims.with_columns(role=role).join(
        voip.select("icid", pl.col("role").cast(pl.String), "codec", "sip_response"),
        on=["icid", "role"],
    )
    pairs = sessions.with_columns(role=pl.col("role_of_node").cast(pl.String)).join(
        calls, on=["icid", "role"], suffix="_call"
    )
    assert pairs.height == sessions.height
    holds(pairs, pl.col("subscriber_id") == pl.col("subscriber_id_call"))
    holds(pairs, pl.col("codec") == pl.col("codec_call"))
    holds(pairs, pl.col("sip_response") == pl.col("sip_response_call"))
    holds(pairs, pl.col("delivery_start_time").eq_missing(pl.col("answer_time")))
    ended = pl.when(pl.col("answer_time").is_not_null()).then("release_time")
    holds(pairs, pl.col("delivery_end_time").eq_missing(ended))
    holds(pairs, pl.col("cell_id").eq_missing(pl.col("cell_id_call")))
    later = (pl.col("event_time") - pl.col("event_time_call")).dt.total_microseconds()
    first = (pl.col("record_type") == "pCSCFRecord") == (pl.col("role") == "originating")
    holds(pairs.filter(first), later == 0)
    holds(pairs.filter(~first), later.is_between(12_000, 45_000))
    per_leg = pairs.group_by("icid", "role").agg(pl.col("session_id").n_unique())
    assert per_leg["session_id"].max() == 1
    wifi = pairs.filter(pl.col("rat_type") == "WLAN")
    holds(wifi, pl.col("access_network_information") == "IEEE-802.11")


def test_registrations_have_no_call(operator: Operator, ims: pl.DataFrame) -> None:
    registrations = ims.filter(pl.col("sip_method") == "REGISTER")
    for column in ("called_party_address", "codec", "delivery_start_time", "delivery_end_time"):
        assert registrations[column].null_count() == registrations.height
    holds(registrations, pl.col("sip_response").is_in([200, 401, 403, 503, 504]))
    # Of each dialogue the last answer is the one that counts; a first one may be a challenge.
    last = (
        registrations.sort("event_time").group_by("session_id").agg(pl.col("sip_response").last())
    )
    assert (last["sip_response"] == 200).mean() > 0.99
    assert 0.08 < (registrations["sip_response"] == 401).mean() < 0.2
    # Only phones with VoLTE register, and each of them that is in use here.
    volte = operator.frame("devices").filter("volte")["device_id"]
    then = operator.as_of(registrations)
    holds(then, pl.col(f"device_id{THEN}").is_in(volte.implode()))
    end = dt.datetime.combine(operator.days[0], dt.time(12), dt.UTC)
    people = operator.frame("subscribers").filter(pl.col("kind").is_in(["person", "business"]))
    able = operator.as_of(people.select("subscriber_id").with_columns(event_time=pl.lit(end)))
    able = able.filter(
        pl.col(f"device_id{THEN}").is_in(volte.implode())
        & (pl.col(f"serving_plmn{THEN}") == operator.inputs.config.own_operator.plmn)
    )
    status = pl.Series(operator.inputs.day(operator.days[0]).customers.status)
    active = operator.frame("subscribers").filter(status == list(LifeStatus).index("active"))
    able = able.join(active, on="subscriber_id", how="semi")
    seen = able.join(registrations, on="subscriber_id", how="semi")
    assert seen.height > 0.99 * able.height


def test_a_challenge_and_its_answer_are_one_dialogue(ims: pl.DataFrame) -> None:
    """401 and then 200 (RFC 3261, TS 33.203); who failed otherwise tries again."""
    dialogues = (
        ims.filter(pl.col("sip_method") == "REGISTER")
        .sort("event_time")
        .group_by("session_id")
        .agg(
            "sip_response",
            "event_time",
            *(pl.col(c).n_unique().alias(c) for c in ("subscriber_id", "recording_entity")),
        )
    )
    holds(dialogues, pl.col("sip_response").list.len() <= 5)
    holds(dialogues, pl.col("subscriber_id") == 1)
    twice = dialogues.filter(pl.col("sip_response").list.len() == 2)
    first, last = pl.col("sip_response").list.first(), pl.col("sip_response").list.last()
    twice = twice.filter(last == 200)
    holds(twice, first.is_in([401, 403, 503, 504]))
    wait = (
        pl.col("event_time").list.last() - pl.col("event_time").list.first()
    ).dt.total_milliseconds()
    holds(twice.filter(first == 401), wait.is_between(50, 1000))
    holds(twice.filter(first != 401), wait.is_between(30_000, 61_000))
    # A last answer is no good one only where the next one lies beyond the days that were made,
    # where the phone went off meanwhile, or where all tries failed.
    assert dialogues.filter(last != 200).height <= 5


def test_quality_is_in_its_band_and_falls_with_loss(voip: pl.DataFrame) -> None:
    answered = pl.col("answer_time").is_not_null()
    for column in ("packet_loss", "jitter", "latency", "mos"):
        assert voip.filter(~answered)[column].null_count() == voip.filter(~answered).height
    spoken = voip.filter(answered)
    holds(spoken, pl.col("mos").is_between(1.0, 4.5))
    assert 3.6 < spoken["mos"].median() < 4.4
    holds(spoken, pl.col("packet_loss").is_between(0, 30) & pl.col("latency").is_between(20, 600))
    for (codec,), same in spoken.group_by("codec"):
        if same.height < 300:
            continue
        assert same.select(pl.corr("packet_loss", "mos", method="spearman")).item() < -0.5
        lossy = same.sort("packet_loss", "mos")["mos"]
        # The more robust a codec (G.113: Bpl), the less; trunks lose less than radio.
        least = 0.04 if codec == "opus" else 0.1
        assert lossy[: same.height // 4].mean() > lossy[-(same.height // 4) :].mean() + least


# Messages.


def test_messages_are_sized_and_rated(sms: pl.DataFrame) -> None:
    kind = pl.col("record_type").cast(pl.String)
    mms, sent = (
        kind.is_in(["mMO1SRecord", "mMR1RtRecord"]),
        kind.is_in(["moSMSRecord", "mMO1SRecord"]),
    )
    holds(sms.filter(mms), (pl.col("segments") == 1) & (pl.col("message_size") >= 5000))
    text = sms.filter(~mms)
    septets = pl.col("message_size") * 8 // 7
    holds(text.filter(pl.col("segments") == 1), septets <= 160)
    holds(
        text.filter(pl.col("segments") > 1),
        septets.is_between((pl.col("segments") - 1) * 153, pl.col("segments") * 153 + 1),
    )
    holds(sms, pl.col("chargeable") == (sent & (pl.col("sms_result") == 0)))
    holds(sms.filter(sent), pl.col("sms_result").is_in([0, 192, 195]))
    holds(sms.filter(~sent), pl.col("sms_result").is_in([0, 208]))
    holds(sms.filter(mms), pl.col("service_centre").str.starts_with("MMSC"))
    holds(sms.filter(~mms), pl.col("service_centre").str.starts_with("SMSC"))
    circuit = (pl.col("rat_type") == "GERAN") & ~mms
    holds(sms.filter(circuit), pl.col("recording_entity").str.starts_with("MSC"))
    holds(sms.filter(~circuit), pl.col("recording_entity") == pl.col("service_centre"))


# Data.


def test_data_records_keep_their_limits(operator: Operator, data: pl.DataFrame) -> None:
    limit = operator.inputs.config.charging.data_time_limit_s
    holds(data, pl.col("duration").is_between(0, limit))
    holds(data, (pl.col("data_volume_uplink") >= 0) & (pl.col("data_volume_downlink") >= 0))
    cause = pl.col("cause_for_rec_closing")
    holds(data, cause.is_in([0, 4, 17, 22]))
    holds(data.filter(cause == 17), pl.col("duration") == limit)
    # An attempt that failed has the record of the serving node (test_network_state).
    attempts = pl.col("record_type") == "sGWRecord"
    holds(data, attempts == pl.col("diagnostics").is_not_null())
    assert 0 < data.filter(attempts).height < 0.02 * data.height
    data = data.filter(~attempts)
    nr = data.filter(pl.col("rat_type") == "NR")
    holds(nr, (pl.col("record_type") == "chargingFunctionRecord"))
    holds(data.filter(pl.col("rat_type") != "NR"), pl.col("record_type") == "pGWRecord")
    types = dict(
        operator.frame("network_elements")
        .select("element_id", pl.col("element_type").cast(pl.String))
        .iter_rows()
    )
    writer = pl.col("recording_entity").replace_strict(types)
    node = pl.col("serving_node").replace_strict(types, default=None)
    holds(nr, (writer == "CHF") & (node == "AMF"))
    holds(data.filter(pl.col("rat_type") != "NR"), writer == "PGW")
    holds(data.filter((pl.col("rat_type") != "NR") & ~pl.col("roaming")), node == "SGW")
    assert data.filter("roaming")["serving_node"].null_count() == data.filter("roaming").height
    assert (
        data.filter(pl.col("rat_type") != "NR")["s_nssai"].null_count() == data.height - nr.height
    )


def test_machines_send_and_people_receive(operator: Operator, data: pl.DataFrame) -> None:
    kinds = operator.frame("subscribers").select("subscriber_id", "kind")
    rows = data.join(kinds, on="subscriber_id")
    machines, people = (
        rows.filter(pl.col("kind") == "machine"),
        rows.filter(pl.col("kind") != "machine"),
    )
    assert machines["data_volume_uplink"].sum() > 1.5 * machines["data_volume_downlink"].sum()
    assert (machines["data_volume_uplink"] > machines["data_volume_downlink"]).mean() > 0.75
    assert people["data_volume_uplink"].sum() < 0.2 * people["data_volume_downlink"].sum()
    holds(machines, pl.col("service") == "telemetry")
    assert set(people["service"].unique()) == set(operator.inputs.config.services)


def test_a_record_has_the_access_point_of_the_plan_of_its_time(
    operator: Operator, data: pl.DataFrame
) -> None:
    states = [
        operator.day("subscriber_state", day).select(
            "subscriber_id", "plan_id", "new_plan_id", "change_time", day=pl.lit(day)
        )
        for day in operator.days
    ]
    plans = operator.frame("plans").select("plan_id", "access_point_name", "qci")
    changed = pl.col("new_plan_id").is_not_null() & (pl.col("event_time") >= pl.col("change_time"))
    there = (
        data.join(pl.concat(states), on=["subscriber_id", "day"])
        .with_columns(plan_id=pl.when(changed).then("new_plan_id").otherwise("plan_id"))
        .join(plans, on="plan_id", suffix="_plan")
    )
    assert there.height == data.height
    holds(
        there,
        (pl.col("access_point_name") == pl.col("access_point_name_plan"))
        & (pl.col("qci") == pl.col("qci_plan")),
    )
    # Somebody has another plan by now than on the epoch.
    first = operator.frame("subscribers").select("subscriber_id", first="plan_id")
    others = there.join(first, on="subscriber_id").filter(pl.col("plan_id") != pl.col("first"))
    assert others.height > 0


def test_nobody_shares_an_address(data: pl.DataFrame) -> None:
    opened = data.filter(pl.col("record_sequence_number") == 1)
    holders = opened.group_by("day", "served_pdp_address").agg(pl.col("subscriber_id").n_unique())
    assert holders["subscriber_id"].max() == 1
    second = pl.col("served_pdp_address").str.extract(r"^100\.(\d+)\.").cast(pl.Int64)
    holds(data, second.is_between(64, 127))


# Phones that are off, and location updates.


def _accepted(operator: Operator) -> pl.DataFrame:
    """Return the location updates that the network accepted, in order."""
    updates = operator.all("location_updates").filter(pl.col("cause") == 0)
    return updates.sort("subscriber_id", "event_time")


def _off_periods(operator: Operator) -> pl.DataFrame:
    """Return when phones at home in our network were detached, from the location updates alone."""
    seen = _accepted(operator)
    following = seen.select(
        "subscriber_id",
        "update_type",
        off="event_time",
        on=pl.col("event_time").shift(-1).over("subscriber_id"),
        next=pl.col("update_type").shift(-1).over("subscriber_id"),
    )
    return following.filter(pl.col("update_type") == "detach")


@pytest.mark.parametrize("made", [spring_operator, autumn_operator], ids=["spring", "autumn"])
def test_an_attach_follows_a_detach(made: object) -> None:
    operator = made()  # type: ignore[operator]
    periods = _off_periods(operator)
    ended = periods.filter(pl.col("next").is_not_null())
    assert ended.height > 100
    holds(ended, pl.col("next") == "attach")
    seen = _accepted(operator)
    before = seen.with_columns(last=pl.col("update_type").shift(1).over("subscriber_id"))
    attaches = before.filter((pl.col("update_type") == "attach") & pl.col("last").is_not_null())
    # Who had no service at all attaches in the minutes after a cell has come back.
    back = _outages(operator).select(back="end").unique().sort("back")
    near = attaches.sort("event_time").join_asof(
        back, left_on="event_time", right_on="back", strategy="backward", check_sortedness=False
    )
    waited = (pl.col("event_time") - pl.col("back")).dt.total_seconds()
    holds(near, (pl.col("last") == "detach") | (waited <= 120))
    assert (near["last"] == "detach").mean() > 0.9


@pytest.mark.parametrize("made", [spring_operator, autumn_operator], ids=["spring", "autumn"])
@pytest.mark.parametrize("name", [*CDRS, "cdrs_ims"])
def test_nothing_happens_on_a_phone_that_is_off(made: object, name: str) -> None:
    operator = made()  # type: ignore[operator]
    roamers = pl.concat([operator.all(n).filter("roaming").select("subscriber_id") for n in CDRS])
    nights = (
        _off_periods(operator)
        .filter((pl.col("on") - pl.col("off")).dt.total_hours() < 13)
        .join(roamers, on="subscriber_id", how="anti")
    )
    events = operator.all(name).sort("event_time")
    inside = events.join_asof(
        nights.sort("off"),
        left_on="event_time",
        right_on="off",
        by="subscriber_id",
        strategy="backward",
        check_sortedness=False,
    )
    # A second for a phone that is just being switched, and for the hops of the IMS.
    awake = pl.col("on").is_null() | (pl.col("event_time") >= pl.col("on"))
    fading = (pl.col("event_time") - pl.col("off")).dt.total_milliseconds() <= 1000
    holds(inside, awake | fading)
    assert inside["on"].is_not_null().sum() > 20


def test_the_previous_area_is_where_the_phone_was(
    operator: Operator, locations: pl.DataFrame
) -> None:
    # What the network knows is the last update that it accepted. An area has a code in each
    # generation, equal in the last three digits, and a phone is registered in all of them.
    rows = _accepted(operator).with_columns(pl.col("tac", "previous_tac") % 1000)
    rows = rows.with_columns(last=pl.col("tac").shift(1).over("subscriber_id"))
    attach = pl.col("update_type") == "attach"
    assert rows.filter(attach)["previous_tac"].null_count() == rows.filter(attach).height
    known = rows.filter(~attach & pl.col("last").is_not_null())
    holds(known, pl.col("previous_tac") == pl.col("last"))
    area = rows.filter(pl.col("update_type") == "tracking area change")
    holds(area, pl.col("previous_tac") != pl.col("tac"))
    holds(
        rows.filter(pl.col("update_type").is_in(["periodic", "detach"])),
        pl.col("previous_tac") == pl.col("tac"),
    )
    tacs = operator.frame("cells").select("cell_id", there="tac")
    holds(locations.join(tacs, on="cell_id"), pl.col("tac") == pl.col("there"))
    assert area.height > 500


def test_nobody_updates_the_home_network_from_abroad(
    operator: Operator, locations: pl.DataFrame
) -> None:
    roaming = (
        pl.concat(
            [operator.all(n).filter("roaming").select("subscriber_id", "event_time") for n in CDRS]
        )
        .group_by("subscriber_id")
        .agg(first=pl.col("event_time").min(), last=pl.col("event_time").max())
    )
    rows = locations.join(roaming, on="subscriber_id")
    assert rows.height > 10
    holds(rows, (pl.col("event_time") <= pl.col("first")) | (pl.col("event_time") > pl.col("last")))


def test_updates_are_written_by_the_right_core(operator: Operator, locations: pl.DataFrame) -> None:
    types = dict(
        operator.frame("network_elements")
        .select("element_id", pl.col("element_type").cast(pl.String))
        .iter_rows()
    )
    expected = (
        pl.col("rat_type")
        .cast(pl.String)
        .replace_strict(
            {"GERAN": "MSC", "NR": "AMF", "EUTRAN": "MME", "NB-IoT": "MME", "LTE-M": "MME"}
        )
    )
    holds(locations, pl.col("recording_entity").replace_strict(types) == expected)
    holds(locations.filter(pl.col("update_type") == "detach"), pl.col("cause") == 0)
    assert (locations["cause"] == 0).mean() > 0.99


# Logs.

_LINE = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (?P<hostname>\S+) "
    r"(?P<app>\S+) (?P<pid>\d+) (?P<msgid>\S+) (?P<data>(?:\[[^\]]+\])+) (?P<message>.+)"
)


def test_a_log_line_says_what_its_fields_say(operator: Operator) -> None:
    logs = operator.all("network_logs").sample(3000, seed=1)
    elements = operator.frame("network_elements")
    names = dict(elements.select("element_id", "name").iter_rows())
    addresses = dict(elements.select("element_id", "address").iter_rows())
    for row in logs.iter_rows(named=True):
        found = _LINE.fullmatch(row["line"])
        assert found is not None, row["line"]
        assert int(found["pri"]) == row["facility"] * 8 + row["severity"]
        assert dt.datetime.fromisoformat(found["time"]) == row["event_time"]
        assert found["hostname"] == row["hostname"] == names[row["element_id"]]
        assert (found["app"], found["msgid"]) == (row["app_name"], row["msg_id"])
        assert found["data"] == row["structured_data"]
        assert found["message"] == row["message"]
        parameters = dict(re.findall(r'(\w+)="([^"]*)"', found["data"]))
        assert parameters["resource"] == row["element_id"]
        assert parameters["ip"] == addresses[row["element_id"]]
        assert "{" not in row["message"]
        # Nothing happens at night, but no number is filled up with zeros.
        assert not re.search(r"(?<![\d.])0\d", row["message"].replace("ge-0/0/", "")), row


def test_a_cell_in_a_log_line_is_of_its_element(operator: Operator) -> None:
    logs = operator.all("network_logs").filter(pl.col("message").str.starts_with("cell "))
    cells = operator.frame("cells").select("cell_id", cell_element="element_id")
    named = logs.with_columns(cell_id=pl.col("message").str.extract(r"^cell (\S+)")).join(
        cells, on="cell_id", how="left"
    )
    radio = named.filter(pl.col("cell_element").is_not_null())
    holds(radio, pl.col("cell_element") == pl.col("element_id"))
    assert radio.height > 0.9 * named.height


def test_every_code_of_a_contract_occurs(operator: Operator) -> None:
    """A code that no row bears is a promise that no generator keeps."""
    missing = []
    for contract in (records.CDRS_VOICE, records.CDRS_SMS, records.CDRS_VOIP, records.CDRS_IMS):
        rows = operator.all(contract.name)
        for name, dtype in contract.polars_schema.items():
            # `Rat` and `Codec` are lists of several datasets; `cdrs_voip` has every codec.
            shared = name == "rat_type" or (contract.name, name) == ("cdrs_ims", "codec")
            if isinstance(dtype, pl.Enum) and not shared:
                seen = set(rows[name].cast(pl.String).drop_nulls().unique())
                missing += [
                    f"{contract.name}.{name}={c}" for c in dtype.categories if c not in seen
                ]
    assert missing == []


def test_timing_advance_stays_within_the_cell(operator: Operator, locations: pl.DataFrame) -> None:
    step = (
        pl.col("rat_type")
        .cast(pl.String)
        .replace_strict({"GERAN": 550, "NR": 39, "EUTRAN": 78, "NB-IoT": 78, "LTE-M": 78})
    )
    reach = operator.frame("cells").select("cell_id", "range_m")
    rows = locations.join(reach, on="cell_id")
    holds(rows, pl.col("timing_advance") * step <= pl.col("range_m"))
    moving = ["tracking area change", "cell change"]
    still = rows.filter(~pl.col("update_type").cast(pl.String).is_in(moving))
    stays = still.group_by("subscriber_id", "cell_id").agg(pl.col("timing_advance").n_unique())
    assert stays["timing_advance"].max() == 1
    assert np.unique(rows["timing_advance"].to_numpy()).size > 50
