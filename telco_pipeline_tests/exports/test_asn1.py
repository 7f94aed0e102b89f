"""Records in BER: the standard's tags and packing, and every record comes back as it was."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports.asn1 import circuit, codec, ims, octets, packet
from telco_pipeline.exports.asn1.book import EVENT_ID, Book, Cell, rows_of
from telco_pipeline.exports.collected import framing
from telco_pipeline.lake import Lake
from telco_pipeline_tests.exports import cdr_reader

ZONE = "Europe/Brussels"
ELEMENTS = {
    "MSC-1": "10.0.0.9",
    "SMSC-1": "10.0.1.2",
    "PGW-1": "10.0.2.250",
    "AMF-1": "10.1.2.3",
    "SGW-1": "10.0.3.1",
}
CELLS = {
    "206-61-1000-101": Cell("20661", "GERAN", 1000, 101),
    "206-61-100001-12": Cell("20661", "EUTRAN", 20003, 25_600_268),
    "206-61-2000001-11": Cell("20661", "NR", 2_000_003, 32_768_016_395),
}
MAKERS = {
    "cdrs_voice": circuit.voice,
    "cdrs_sms": circuit.message,
    "cdrs_data": packet.data,
    "cdrs_voip": ims.telephony,
    "cdrs_ims": ims.signalling,
}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    book = Book(Lake(tmp_path_factory.mktemp("book") / "lake"), ZONE)
    book.__dict__ |= {"addresses": ELEMENTS, "cells": CELLS}
    return book


_PHONE = st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True)
_PLMN = st.from_regex(r"[2-7][0-9]{4,5}", fullmatch=True)
_TIME = st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2035, 1, 1), timezones=st.just(dt.UTC))
_BY_NAME = {
    "imsi": st.from_regex(r"[0-9]{14,15}", fullmatch=True),
    "imei": st.from_regex(r"[0-9]{15}", fullmatch=True),
    **dict.fromkeys(
        (
            *("msisdn", "calling_number", "called_number", "connected_number"),
            *("calling_party_address", "called_party_address"),
        ),
        _PHONE,
    ),
    **dict.fromkeys(
        ("recording_entity", "service_centre", "serving_node"), st.sampled_from(sorted(ELEMENTS))
    ),
    **dict.fromkeys(("cell_id", "last_cell_id"), st.sampled_from(sorted(CELLS))),
    "visited_plmn": _PLMN,
    "visited_cell": st.from_regex(r"[0-9]{3}-[0-9][0-9]-[0-9]{1,4}-[0-9]", fullmatch=True),
    "served_pdp_address": st.from_regex(r"100\.1[0-9]\.[0-9][0-9]\.2[0-4][0-9]", fullmatch=True),
    "s_nssai": st.from_regex(r"[0-9]{1,2}-[0-9A-F]{6}", fullmatch=True),
}
_BOUNDS = {pl.Int16: 2**15 - 1, pl.Int32: 2**31 - 1, pl.Int64: 2**63 - 1}


def _values(name: str, column: Any) -> st.SearchStrategy:
    dtype = column.dtype
    if name in _BY_NAME:
        made = _BY_NAME[name]
    elif isinstance(dtype, pl.Datetime):
        made = _TIME
    elif isinstance(dtype, pl.Enum):
        made = st.sampled_from(dtype.categories.to_list())
    elif dtype == pl.Boolean:
        made = st.booleans()
    elif dtype == pl.Float64:
        made = st.just(1.0)
    elif dtype == pl.String:
        made = st.from_regex(r"[a-z]{1,20}", fullmatch=True)
    else:
        made = st.integers(0, _BOUNDS[type(dtype)])
    return st.none() | made if column.nullable else made


def rows() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Draw rows that keep the types of a contract; their values need not agree with each other."""
    found = []
    for dataset in sorted(MAKERS):
        columns = DATASETS[dataset].schema.columns()
        row = st.fixed_dictionaries({name: _values(name, each) for name, each in columns.items()})
        found.append(st.tuples(st.just(dataset), row))
    return st.one_of(found)


_PARTIES = {"calling_number": "+32461000001", "called_number": "+32461000002"}


def _made(dataset: str, row: dict[str, Any], book: Book) -> codec.Record:
    if row.get("visited_plmn") is None:
        row = row | {"visited_cell": None}
    frame = pl.DataFrame([row], schema=DATASETS[dataset].polars_schema)
    if dataset == "cdrs_data":
        frame = frame.with_columns(end="event_time")
    (plain,) = rows_of(frame, ZONE)
    return MAKERS[dataset](plain, book)


def _without_defaults(value: Any) -> Any:
    """Return a decoded value without the default that a decoder adds."""
    if isinstance(value, dict):
        return {k: _without_defaults(v) for k, v in value.items() if k != "significance"}
    if isinstance(value, list):
        return [_without_defaults(each) for each in value]
    return tuple(map(_without_defaults, value)) if isinstance(value, tuple) else value


@settings(max_examples=max(60, settings().max_examples // 2))
@given(rows())
def test_every_record_comes_back_as_it_was(book: Book, drawn: tuple[str, dict[str, Any]]) -> None:
    dataset, row = drawn
    record = _made(dataset, row, book)
    encoded = codec.encode(record)

    assert _without_defaults(codec.decode(encoded)) == record

    # And by a reader that knows tags only.
    (outer,) = cdr_reader.read_values(encoded)
    kind = outer.find(0)
    assert kind is not None
    assert int.from_bytes(kind.octets, "big") == _NUMBERS[record[0]]
    assert outer.of_context
    assert outer.tag == _CHOICES.get(record[0], _NUMBERS[record[0]])
    assert row["event_id"].to_bytes(8) in encoded


_NUMBERS = {
    "moCallRecord": 0,
    "mtCallRecord": 1,
    "moSMSRecord": 6,
    "mtSMSRecord": 7,
    "mMO1SRecord": 30,
    "mMR1RtRecord": 41,
    "sCSCFRecord": 63,
    "pCSCFRecord": 64,
    "mMTelRecord": 83,
    "sGWRecord": 84,
    "pGWRecord": 85,
    "chargingFunctionRecord": 200,
}
_CHOICES = {"sGWRecord": 78, "pGWRecord": 79}
"""Where the tag in GPRSRecord is not the number of the record type."""


def _row(dataset: str, **known: Any) -> dict[str, Any]:
    """Return a row: null where a column may be, else 1 or the like, but for what is known."""
    made: dict[str, Any] = {}
    for name, column in DATASETS[dataset].schema.columns().items():
        dtype = column.dtype
        if column.nullable:
            made[name] = None
        elif isinstance(dtype, pl.Datetime):
            made[name] = dt.datetime(2026, 7, 1, 21, 59, 58, 123456, tzinfo=dt.UTC)
        elif isinstance(dtype, pl.Enum):
            made[name] = dtype.categories[0]
        else:
            made[name] = {pl.String: "x", pl.Boolean: False, pl.Float64: 1.0}.get(type(dtype), 1)
    identities = {"imsi": "206610000000001", "msisdn": "+32461000001", "imei": "350000000000006"}
    return made | {k: v for k, v in identities.items() if k in made} | known


def test_fields_of_a_call_stand_under_the_standards_tags(book: Book) -> None:
    """Tags of MOCallRecord in TS 32.298 V17.9.0, clause 5.2.2.2, by a reader of bytes alone."""
    begin = dt.datetime(2026, 7, 1, 21, 59, 58, 999999, tzinfo=dt.UTC)
    row = _row(
        "cdrs_voice",
        event_time=begin,
        answer_time=begin + dt.timedelta(seconds=3),
        release_time=begin + dt.timedelta(seconds=63),
        call_duration=60,
        calling_number="+32461000001",
        called_number="1234",
        recording_entity="MSC-1",
        cell_id="206-61-1000-101",
        rat_type="GERAN",
        supplementary_service="CFNRy",
        cause_for_term=4,
        diagnostics=41,
        chargeable=True,
        call_reference=7,
    )
    (outer,) = cdr_reader.read_values(codec.encode(_made("cdrs_voice", row, book)))

    def found(*tags: int) -> bytes:
        value = outer.find(*tags)
        assert value is not None, tags
        return value.octets

    assert outer.tag == 0
    assert cdr_reader.digits(found(1)) == "206610000000001"
    assert found(1).hex() == "0266010000000 0f1".replace(" ", "")
    assert cdr_reader.digits(found(2)) == "350000000000006"
    assert found(3).hex() == "912364010000f1"
    assert found(5).hex() == "812143"
    assert (found(9)[0], cdr_reader.digits(found(9)[1:])) == (0xB9, "010000000009")
    assert found(12, 0) == (1000).to_bytes(2)
    assert found(12, 1) == (101).to_bytes(2)
    assert found(12, 2).hex() == "02f616"
    assert found(22).hex() == "260701235958" + "2b" + "0200"
    assert cdr_reader.bcd_time(found(23)) == dt.datetime(2026, 7, 1, 22, 0, 1, tzinfo=dt.UTC)
    assert found(24).hex() == "260702000101" + "2b" + "0200"  # the next day by local time
    assert found(25) == b"\x3c"
    assert found(30) == b"\x04"
    assert found(31, 0) == b"\x29"  # Diagnostics is a choice: 41 as gsm0408Cause
    assert found(32) == found(38) == (7).to_bytes(8)
    assert found(34, 0) == b"\x01"
    assert found(61) == b"\x02"
    supplementary = outer.find(17)
    assert supplementary is not None
    assert supplementary.inner[0].inner[0].octets == b"\x2a"


def test_fields_of_sessions_stand_under_the_standards_tags(book: Book) -> None:
    """Tags of PGWRecord (clause 5.2.2.2) and ChargingRecord (5.2.5.2)."""
    common = {
        "recording_entity": "PGW-1",
        "serving_node": "AMF-1",
        "served_pdp_address": "100.64.1.2",
        "access_point_name": "internet",
        "service": "netflix",
        "charging_id": 5 << 32 | 0xFEDCBA98,
        "data_volume_uplink": 300,
        "data_volume_downlink": 2**40,
        "duration": 90,
        "qci": 9,
        "cause_for_rec_closing": 22,
        "record_sequence_number": 3,
    }
    row = _row("cdrs_data", **common, rat_type="EUTRAN", cell_id="206-61-100001-12")
    (gateway,) = cdr_reader.read_values(codec.encode(_made("cdrs_data", row, book)))

    def at(outer: cdr_reader.Value, *tags: int) -> bytes:
        value = outer.find(*tags)
        assert value is not None, tags
        return value.octets

    assert gateway.tag == 79
    assert at(gateway, 4, 0) == bytes((10, 0, 2, 250))
    assert at(gateway, 5).hex() == "00fedcba98"
    assert at(gateway, 7) == b"internet"
    assert at(gateway, 9, 0, 0) == bytes((100, 64, 1, 2))
    assert at(gateway, 14) == b"\x5a"
    assert at(gateway, 15) == b"\x16"
    assert at(gateway, 17) == b"\x03"
    assert at(gateway, 18) == b"PGW-1"
    assert at(gateway, 27).hex() == "02f616"
    assert at(gateway, 30) == b"\x06"
    # TAI and ECGI: flags, network, area; network, 28 bits of the cell.
    area, cell = (20003).to_bytes(2).hex(), (25_600_268).to_bytes(4).hex()
    assert at(gateway, 32).hex() == f"1802f616{area}02f616{cell}"
    used = gateway.find(34)
    assert used is not None
    assert at(used.inner[0], 2) == b"netflix"
    assert int.from_bytes(at(used.inner[0], 12), "big") == 300
    assert int.from_bytes(at(used.inner[0], 13), "big") == 2**40

    row = _row(
        "cdrs_data",
        **common,
        record_type="chargingFunctionRecord",
        rat_type="NR",
        cell_id="206-61-2000001-11",
        s_nssai="1-00000A",
    )
    (charging,) = cdr_reader.read_values(codec.encode(_made("cdrs_data", row, book)))
    assert charging.tag == 200
    assert at(charging, 1) == b"PGW-1"
    assert at(charging, 2, 0) == b"\x01"
    assert at(charging, 2, 1) == b"206610000000001"
    assert at(charging, 9) == b"\x16"
    assert at(charging, 13, 0).hex() == "00fedcba98"
    assert at(charging, 13, 1, 3) == b"+32461000001"
    assert at(charging, 13, 7, 0) == b"\x01"
    assert at(charging, 13, 7, 1).hex() == "00000a"
    assert at(charging, 13, 35, 1, 1, 1) == f"{32_768_016_395:09X}".encode()
    usage = charging.find(5)
    assert usage is not None
    containers = usage.inner[0].find(1)
    assert containers is not None
    assert int.from_bytes(at(containers.inner[0], 6), "big") == 2**40
    assert at(charging, 3, 0) == b"\x01", "reported by an SMF"


@pytest.mark.parametrize(
    ("rat", "element", "cell", "tag"),
    [
        ("NR", "AMF-1", "206-61-2000001-11", 200),
        ("EUTRAN", "SGW-1", "206-61-100001-12", 78),
    ],
)
def test_a_refusal_is_a_record_that_its_element_knows(
    book: Book, rat: str, element: str, cell: str, tag: int
) -> None:
    """An AMF reports to the CHF and writes no record of a gateway."""
    row = _row(
        "cdrs_data",
        record_type="sGWRecord",
        rat_type=rat,
        recording_entity=element,
        serving_node=element,
        served_pdp_address="100.64.1.2",
        access_point_name="internet",
        service="netflix",
        charging_id=5,
        data_volume_uplink=0,
        data_volume_downlink=0,
        duration=0,
        qci=9,
        cause_for_rec_closing=4,
        diagnostics=26,
        record_sequence_number=1,
        cell_id=cell,
    )
    (record,) = cdr_reader.read_values(codec.encode(_made("cdrs_data", row, book)))
    assert record.tag == tag
    if tag == 200:
        told = [record.find(*tags) for tags in ((1,), (3, 0), (10, 0))]
        assert [value and value.octets for value in told] == [b"AMF-1", b"\x02", b"\x1a"]


def test_the_extension_names_the_row(book: Book) -> None:
    record = _made(
        "cdrs_sms",
        _row(
            "cdrs_sms",
            event_id=99,
            recording_entity="MSC-1",
            service_centre="SMSC-1",
            **_PARTIES,
        ),
        book,
    )
    (extension,) = record[1]["recordExtensions"]
    assert extension == {"identifier": EVENT_ID, "information": (99).to_bytes(8)}


def test_bits_of_a_cell_that_do_not_fit_lie_in_the_extension(book: Book) -> None:
    """A message's cellId has 16 bits of the 28, locationExtension the 12 before them."""
    row = _row(
        "cdrs_sms",
        recording_entity="MSC-1",
        service_centre="SMSC-1",
        **_PARTIES,
        cell_id="206-61-100001-12",
    )
    fields = _made("cdrs_sms", row, book)[1]
    high, width = fields["locationExtension"]
    assert width == 12
    low = int.from_bytes(fields["location"]["cellId"], "big")
    assert (int.from_bytes(high, "big") >> 4) << 16 | low == 25_600_268


@given(st.from_regex(r"[0-9]{1,20}", fullmatch=True))
def test_digits_come_back(text: str) -> None:
    assert octets.digits_of(octets.tbcd(text)) == text == cdr_reader.digits(octets.tbcd(text))


@given(_PHONE)
def test_numbers_come_back(number: str) -> None:
    assert octets.number_of(octets.address(number)) == number
    packed = octets.short_message_address(number)
    assert packed[0] == len(number.removeprefix("+"))
    assert octets.number_of(packed[1:]) == number


@given(_PLMN)
def test_networks_come_back(network: str) -> None:
    assert octets.plmn_of(octets.plmn(network)) == network


@given(_TIME, st.sampled_from(["Europe/Brussels", "America/St_Johns", "UTC"]))
def test_times_come_back(time: dt.datetime, zone: str) -> None:
    local = time.astimezone(ZoneInfo(zone)).strftime("%y%m%d%H%M%S%z")
    packed = octets.timestamp(local)
    assert len(packed) == 9
    assert octets.time_of(packed) == cdr_reader.bcd_time(packed) == time.replace(microsecond=0)


@given(st.ip_addresses(v=4))
def test_elements_come_back(address: Any) -> None:
    assert octets.number_of(octets.node_address(str(address))) == str(address)


@given(st.data())
def test_a_record_that_is_cut_off_is_told(book: Book, data: st.DataObject) -> None:
    row = _row("cdrs_sms", recording_entity="MSC-1", service_centre="SMSC-1", **_PARTIES)
    whole = codec.encode(_made("cdrs_sms", row, book))
    with pytest.raises(TelcoError, match="no record of CallRecord") as told:
        codec.decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert "\n" not in str(told.value)


@given(
    st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC)),
    st.sampled_from(["Europe/Brussels", "America/St_Johns", "Asia/Kathmandu"]),
    st.lists(st.binary(min_size=1, max_size=300), max_size=5),
    st.integers(0, 2**31),
)
def test_a_file_is_read_by_its_header(
    time: dt.datetime, zone: str, contents: list[bytes], sequence: int
) -> None:
    local = time.astimezone(ZoneInfo(zone))
    header = framing.Header(local, local, sequence, "10.0.0.9")
    records = [framing.framed("pGWRecord", each) for each in contents]
    whole = framing.head_of(header, records) + b"".join(records)

    found = cdr_reader.read_cdr_file(whole)
    assert found.length == len(whole)
    assert found.header_length == 54
    assert found.releases == (17, 17)
    assert found.versions == (9, 9)
    assert (found.count, found.sequence) == (len(contents), sequence)
    assert (found.reason, found.lost, found.address) == (2, 0, "10.0.0.9")
    assert found.records == [(7, each) for each in contents]
    assert found.rest == b""
    offset = local.utcoffset()
    assert offset is not None
    minutes = offset // dt.timedelta(minutes=1)
    expected = (local.month, local.day, local.hour, local.minute, minutes)
    assert found.opened == found.appended == expected
