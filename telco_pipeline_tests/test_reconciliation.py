"""What is told twice agrees on sound data; each check finds the one thing that a test breaks."""

import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telco_pipeline import integrity, reconciliation
from telco_pipeline.contracts import DATASETS
from telco_pipeline.integrity import Finding
from telco_pipeline.lake import Lake
from telco_pipeline.oss import counters
from telco_pipeline_tests.oss.kit import (
    CARE,
    CELLS,
    CONFIG,
    DAY_S,
    DAYS,
    FIRST,
    Record,
    empty_lake,
    frame,
    put,
    write,
    write_network,
    write_records,
)


def judged(lake: Lake, check: str, name: str, day: dt.date = FIRST) -> Finding:
    finding = integrity.CHECKS[check](lake, name, day)
    json.dumps(finding.sample)
    return finding


def change(
    lake: Lake, name: str, day: dt.date, how: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    """Change the rows of a partition in the files in which they lie."""
    for file in lake.files(name, day):
        how(pl.read_parquet(file)).write_parquet(file)


# Counters

SESSIONS: list[Record] = [
    {"event_time": 100.0, "duration": 50},
    {"event_time": 880.0, "duration": 1900, "data_volume_downlink": 10**12 + 7, "handovers": 1},
    {"event_time": 899.5, "duration": 1, "cell_id": "cell-b", "cause_for_rec_closing": 4},
    {"event_time": 4000.0, "duration": 0, "data_volume_downlink": 0, "diagnostics": 26},
    {"event_time": 4001.0, "duration": 0, "data_volume_downlink": 0, "diagnostics": 38},
    {"event_time": 5000.0, "cell_id": None},
    {"event_time": 6000.0, "rat_type": "WLAN"},
    {"event_time": 7000.0, "duration": 20, "record_sequence_number": 2, "handovers_failed": 2},
    {"event_time": DAY_S - 1000.0, "duration": 3000, "last_cell_id": "cell-c"},
    {"event_time": DAY_S - 1.0, "duration": 1, "cause_for_rec_closing": 17},
    {"event_time": DAY_S + 10.0, "duration": 30_000, "cell_id": "cell-b"},
    {"event_time": 2 * DAY_S - 0.5, "duration": 1000},
]
LEGS: list[Record] = [
    {"event_time": 10.0, "release_time": 75.25},
    {"event_time": 800.0, "release_time": 2000.75, "handovers": 2, "handovers_failed": 1},
    {"event_time": 890.0, "cause_for_term": 4, "last_cell_id": "cell-b"},
    {"event_time": 900.0, "blocked": True, "cause_for_term": 3, "release_time": 901.0},
    {"event_time": 950.0, "rat_type": "GERAN", "cause_for_term": 4},
    {"event_time": 960.0, "rat_type": "WLAN", "handovers": 3},
    {"event_time": 970.0, "cell_id": None},
    {"event_time": DAY_S - 5.0, "release_time": DAY_S + 905.0, "cause_for_term": 4},
    {"event_time": DAY_S - 0.25, "release_time": DAY_S + 0.0},
]
MESSAGES: list[Record] = [{"event_time": 60.0 * number} for number in range(40)]
UPDATES: list[Record] = [
    {"event_time": 1.0, "update_type": "attach"},
    {"event_time": 2.0, "cause": 22},
    {"event_time": 3.0, "cause": 17, "cell_id": "cell-c"},
    {"event_time": 4.0, "update_type": "detach"},
    {"event_time": DAY_S + 4.0},
]
OUTAGES = {("cell-b", 3): (10, 50), ("cell-c", 23): (59, 60)}


def counted_lake(root: Path, **records: list[Record]) -> Lake:
    """Return a lake with records of two days and counters of three."""
    lake = empty_lake(root)
    write_network(lake, OUTAGES, {"cell-a": 33.3})
    write_records(lake, **records)
    for day in DAYS:
        put(lake, "pm_counters", day, [counters.make(CONFIG, lake, day)])
    return lake


@pytest.fixture(scope="module")
def sound_counters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("counters") / "lake"
    counted_lake(
        root, cdrs_data=SESSIONS, cdrs_voice=LEGS, cdrs_sms=MESSAGES, location_updates=UPDATES
    )
    return root


@pytest.fixture
def counted(sound_counters: Path, tmp_path: Path) -> Lake:
    return Lake(shutil.copytree(sound_counters, tmp_path / "lake"))


def counters_of(lake: Lake, day: dt.date = FIRST) -> Finding:
    return judged(lake, integrity.CHECK_COUNTERS, "pm_counters", day)


def test_which_datasets_are_checked() -> None:
    def checked(check: str) -> set[str]:
        return {name for name in DATASETS if check in integrity.checks_of(name)}

    assert checked(integrity.CHECK_COUNTERS) == {"pm_counters"}
    assert checked(integrity.CHECK_CARE_CALLS) == {"customer_service"}
    assert checked(integrity.CHECK_STATE) == {
        "identity_changes", "cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims",
        "location_updates", "customer_service",
    }  # fmt: skip


@pytest.mark.parametrize("day", DAYS)
def test_sound_counters_pass(counted: Lake, day: dt.date) -> None:
    finding = counters_of(counted, day)
    assert finding.passed, finding
    assert finding.rows == len(CELLS) * 96
    sums = counted.read("pm_counters", day, day)
    assert f"{sums['pdcp_volume_dl'].sum():,} pdcp_volume_dl" in finding.message
    assert sums["erab_rel"].sum() > 0 or day == DAYS[2]


@pytest.mark.parametrize("number", range(len(SESSIONS)))
def test_a_data_record_that_is_lost_is_found(counted: Lake, number: int) -> None:
    lost = SESSIONS[number]
    day = FIRST + dt.timedelta(days=int(lost["event_time"] // DAY_S))
    event = pl.col("event_id") == number + 1
    change(counted, "cdrs_data", day, lambda rows: rows.filter(~event))
    finding = counters_of(counted, day)
    abroad = lost.get("cell_id", "") is None or lost.get("rat_type") == "WLAN"
    assert finding.passed == abroad, finding
    if (
        not abroad
        and lost["event_time"] + lost.get("duration", 10) > (day - FIRST).days * 86400 + DAY_S
    ):
        after = counters_of(counted, day + dt.timedelta(days=1))
        assert not after.passed
        assert "pdcp_volume_dl" in after.message


@pytest.mark.parametrize("number", range(len(LEGS)))
def test_a_call_that_is_lost_is_found(counted: Lake, number: int) -> None:
    change(counted, "cdrs_voice", FIRST, lambda rows: rows.filter(pl.col("event_id") != number + 1))
    counts = LEGS[number].get("cell_id", "") is not None
    counts &= LEGS[number].get("rat_type") != "WLAN"
    finding = counters_of(counted)
    assert finding.passed != counts, finding
    if counts:
        assert "voice_att 7 counted, 6 in the records" in finding.message
        assert finding.sample[0]["counted"] - finding.sample[0]["in_records"] == 1


@pytest.mark.parametrize(
    ("name", "column"), [("cdrs_sms", "event_id"), ("location_updates", "event_id")]
)
def test_a_message_or_an_update_that_is_lost_is_found(
    counted: Lake, name: str, column: str
) -> None:
    change(counted, name, FIRST, lambda rows: rows.filter(pl.col(column) != 1))
    finding = counters_of(counted)
    assert (finding.passed, finding.offenders) == (False, 1)
    assert "rrc_conn_estab_att" in finding.message
    assert "rrc_conn_estab_succ" in finding.message
    assert "erab" not in finding.message


def test_a_record_that_comes_twice_is_found(counted: Lake) -> None:
    change(counted, "cdrs_voice", FIRST, lambda rows: pl.concat([rows, rows.head(1)]))
    assert not counters_of(counted).passed


@pytest.mark.parametrize("column", ["data_volume_uplink", "data_volume_downlink"])
@pytest.mark.parametrize("event", [1, 2, 9])
def test_a_byte_more_is_found(counted: Lake, column: str, event: int) -> None:
    more = pl.col(column) + (pl.col("event_id") == event).cast(pl.Int64)
    change(counted, "cdrs_data", FIRST, lambda rows: rows.with_columns(more))
    findings = [counters_of(counted, day) for day in DAYS]
    assert not all(finding.passed for finding in findings)
    wrong = [finding.message for finding in findings if not finding.passed]
    name = {"data_volume_uplink": "pdcp_volume_ul", "data_volume_downlink": "pdcp_volume_dl"}[
        column
    ]
    assert all(words.startswith(name) and "; " not in words for words in wrong)


@pytest.mark.parametrize(
    "name",
    [name for name in DATASETS["pm_counters"].columns if name not in ("cell_id", "event_time")],
)
def test_a_counter_that_is_off_by_one_is_found(counted: Lake, name: str) -> None:
    off = pl.col(name) + (pl.int_range(pl.len()) == 200).cast(pl.Int32)
    change(counted, "pm_counters", DAYS[1], lambda rows: rows.with_columns(off))
    finding = counters_of(counted, DAYS[1])
    row = counted.read("pm_counters", DAYS[1], DAYS[1]).row(200, named=True)
    assert (finding.passed, finding.offenders) == (False, 1)
    assert finding.sample == [
        {
            "cell_id": row["cell_id"],
            "event_time": str(row["event_time"]),
            "counter": name,
            "counted": row[name],
            "in_records": row[name] - 1,
        }
    ]
    assert finding.message.startswith(f"{name} ")
    assert f"--datasets pm_counters --start {DAYS[1]} --days 1" in finding.recover
    assert counters_of(counted, FIRST).passed


def test_what_moves_to_another_quarter_is_found_though_sums_are_right(counted: Lake) -> None:
    later = pl.when(pl.col("event_id") == 1).then(pl.col("event_time") + pl.duration(minutes=15))
    moved = later.otherwise("event_time").alias("event_time")
    change(counted, "cdrs_sms", FIRST, lambda rows: rows.with_columns(moved))
    finding = counters_of(counted)
    assert finding.offenders == 2
    assert "41 counted" not in finding.message
    assert "rrc_conn_estab_att" in finding.message


def test_minutes_without_service_are_compared(counted: Lake) -> None:
    longer = pl.col("unavailable_until") + (pl.col("unavailable_until") == 50).cast(pl.Int16)
    change(counted, "network_state", FIRST, lambda rows: rows.with_columns(longer))
    finding = counters_of(counted)
    assert "cell_unavailable_time 2,460 counted, 2,520 in the records" in finding.message


def test_quarters_that_are_missing_or_double_are_found(counted: Lake) -> None:
    change(counted, "pm_counters", FIRST, lambda rows: rows.slice(1))
    assert "1 cells and quarters have no counters" in counters_of(counted).message
    change(counted, "pm_counters", FIRST, lambda rows: pl.concat([rows, rows.tail(2)]))
    assert "2 cells and quarters have several" in counters_of(counted).message


def test_quarters_of_another_day_are_found(counted: Lake) -> None:
    put(counted, "pm_counters", FIRST, [counted.read("pm_counters", DAYS[2], DAYS[2]).drop("day")])
    words = counters_of(counted).message
    assert f"{len(CELLS) * 96} rows are of no cell and quarter of the day" in words


def test_an_eve_that_is_lost_is_missed_in_the_counters(counted: Lake) -> None:
    assert counters_of(counted, FIRST).passed
    shutil.rmtree(counted.directory("cdrs_voice", FIRST))
    finding = counters_of(counted, FIRST)
    assert finding.message == f"cdrs_voice of {FIRST} not in the lake"
    assert f"--datasets cdrs_voice --start {FIRST} --days 1" in finding.recover
    finding = counters_of(counted, DAYS[1])
    assert not finding.passed
    assert f"; cdrs_voice of {FIRST}, which may reach into the day, not in" in finding.message
    again, counters_again = finding.recover.split(" && ")
    assert f"--datasets cdrs_voice --start {FIRST} --days 1" in again
    assert f"--datasets pm_counters --start {DAYS[1]} --days 1" in counters_again
    shutil.rmtree(counted.directory("cdrs_data", FIRST))
    recover = counters_of(counted, DAYS[1]).recover
    assert f"--datasets cdrs_voice,cdrs_data --start {FIRST} --days 1" in recover


def test_counters_that_were_made_without_an_eve_are_right_without_it(counted: Lake) -> None:
    for name in ("cdrs_voice", "cdrs_data"):
        shutil.rmtree(counted.directory(name, FIRST))
    put(counted, "pm_counters", DAYS[1], [counters.make(CONFIG, counted, DAYS[1])])
    finding = counters_of(counted, DAYS[1])
    assert (finding.passed, finding.recover) == (True, "")
    assert "not in the lake" not in finding.message


def test_records_that_cannot_be_read_are_told(counted: Lake) -> None:
    counted.files("cdrs_sms", FIRST)[0].write_bytes(b"no Parquet")
    assert counters_of(counted).message.startswith("cannot be read: ")


def test_a_lake_in_a_directory_with_wildcards(sound_counters: Path, tmp_path: Path) -> None:
    lake = Lake(shutil.copytree(sound_counters, tmp_path / "la[k]e * 'quoted'"))
    assert counters_of(lake, DAYS[1]).passed


_SESSION = st.fixed_dictionaries(
    {
        "event_time": st.integers(0, 2 * DAY_S * 1000 - 1).map(lambda ms: ms / 1000),
        "duration": st.one_of(st.integers(0, 4000), st.integers(0, DAY_S)),
        "cell_id": st.sampled_from([*CELLS, None]),
        "last_cell_id": st.sampled_from([*CELLS]),
        "rat_type": st.sampled_from(["EUTRAN", "NR", "GERAN", "NB-IoT", "WLAN"]),
        "record_sequence_number": st.integers(1, 2),
        "data_volume_uplink": st.integers(0, 10**15),
        "data_volume_downlink": st.integers(0, 10**15),
        "cause_for_rec_closing": st.sampled_from([0, 4, 16, 17, 18, 22]),
        "diagnostics": st.sampled_from([None, None, 26, 38]),
        "handovers": st.integers(0, 3),
        "handovers_failed": st.integers(0, 2),
    }
)
_LEG = st.fixed_dictionaries(
    {
        "event_time": st.integers(0, 2 * DAY_S * 1000 - 1).map(lambda ms: ms / 1000),
        "lasts": st.integers(0, 20_000_000),
        "cell_id": st.sampled_from([*CELLS, None]),
        "last_cell_id": st.sampled_from([*CELLS]),
        "rat_type": st.sampled_from(["EUTRAN", "NR", "GERAN", "UTRAN", "LTE-M", "WLAN"]),
        "blocked": st.booleans(),
        "cause_for_term": st.sampled_from([0, 3, 4]),
        "handovers": st.integers(0, 3),
        "handovers_failed": st.integers(0, 2),
    }
)


@settings(max_examples=settings.default.max_examples // 5)  # each makes and checks three days
@given(sessions=st.lists(_SESSION, max_size=40), legs=st.lists(_LEG, max_size=40))
def test_two_ways_of_counting_agree(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Any], legs: list[Any]
) -> None:
    """The counters and the SQL of the check share nothing but their rules."""
    calls = [{**leg, "release_time": leg["event_time"] + leg["lasts"] / 1000} for leg in legs]
    for call in calls:
        del call["lasts"]
    root = tmp_path_factory.mktemp("lake") / "lake"
    lake = counted_lake(root, cdrs_data=sessions, cdrs_voice=calls)
    for day in DAYS:
        finding = counters_of(lake, day)
        assert finding.passed, finding


# Calls to customer care

CONTACTS: list[Record] = [
    {"event_time": 100.5, "subscriber_id": 1, "call_reference": 11},
    {"event_time": 200.5, "subscriber_id": 2, "call_reference": 12, "resolution": "abandoned",
     "handling_seconds": 0},
    {"event_time": 300.5, "subscriber_id": 3, "channel": "chat"},
    {"event_time": 400.5, "subscriber_id": 4, "call_reference": 14, "resolution": "abandoned",
     "handling_seconds": 0, "queue_seconds": 0},
]  # fmt: skip
CARE_CALLS: list[Record] = [
    {"event_time": 100.5, "subscriber_id": 1, "call_reference": 11, "called_number": CARE,
     "call_duration": 330},
    {"event_time": 200.5, "subscriber_id": 2, "call_reference": 12, "called_number": CARE,
     "status": "no answer"},
    {"event_time": 400.5, "subscriber_id": 4, "call_reference": 14, "called_number": CARE,
     "call_duration": 1},
    {"event_time": 500.5, "subscriber_id": 4, "call_reference": 15},
]  # fmt: skip


@pytest.fixture
def care(tmp_path: Path) -> Lake:
    lake = empty_lake(tmp_path / "lake")
    write(lake, "customer_service", CONTACTS)
    write(lake, "cdrs_voice", CARE_CALLS)
    return lake


def care_calls(lake: Lake, day: dt.date = FIRST) -> Finding:
    return judged(lake, integrity.CHECK_CARE_CALLS, "customer_service", day)


def test_contacts_with_their_calls_pass(care: Lake) -> None:
    finding = care_calls(care)
    assert finding.passed, finding
    assert finding.rows == len(CONTACTS)
    assert care_calls(care, DAYS[1]).passed


def test_a_care_call_that_is_lost_is_found(care: Lake) -> None:
    write(care, "cdrs_voice", CARE_CALLS[1:])
    finding = care_calls(care)
    assert (finding.offenders, finding.message) == (1, "1 contacts have no call")
    assert finding.sample[0]["call_reference"] == 11
    assert f"--datasets customer_service --start {FIRST} --days 1" in finding.recover


def test_a_contact_that_is_lost_is_found(care: Lake) -> None:
    write(care, "customer_service", CONTACTS[1:])
    finding = care_calls(care)
    assert finding.message == "1 records of calls to care belong to no contact"
    assert finding.sample[0]["subscriber_id"] == 1


def test_a_call_to_care_out_of_the_blue_is_found(care: Lake) -> None:
    other = {"event_time": 600.0, "call_reference": 99, "called_number": CARE}
    write(care, "cdrs_voice", [*CARE_CALLS, other])
    assert care_calls(care).message == "1 records of calls to care belong to no contact"
    write(care, "customer_service", [])
    assert care_calls(care).offenders == len(CARE_CALLS)


def test_a_call_with_two_records_is_found(care: Lake) -> None:
    write(care, "cdrs_voice", [*CARE_CALLS, {**CARE_CALLS[0], "record_type": "mtCallRecord"}])
    assert care_calls(care).message == "1 contacts have several calls"


def test_two_contacts_of_one_call_are_found(care: Lake) -> None:
    write(care, "customer_service", [*CONTACTS, CONTACTS[0]])
    assert "2 contacts share a call" in care_calls(care).message


def test_a_chat_that_names_a_call_is_found(care: Lake) -> None:
    write(care, "customer_service", [*CONTACTS, {"channel": "app", "call_reference": 15}])
    assert care_calls(care).message == "1 contacts over another channel name a call"


def test_a_contact_by_phone_without_reference_is_found(care: Lake) -> None:
    write(care, "customer_service", [*CONTACTS, {"event_time": 5.0}])
    assert care_calls(care).message == "1 contacts have no call"


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (0, {"event_time": 100.6}),
        (0, {"subscriber_id": 2}),
        (0, {"record_type": "mtCallRecord"}),
        (0, {"status": "no answer"}),
        (0, {"call_duration": 329}),
        (1, {"status": "failed"}),
        (1, {"status": "answered", "call_duration": 31}),
    ],
)
def test_a_call_that_tells_something_else_is_found(care: Lake, row: int, wrong: Record) -> None:
    calls = [*CARE_CALLS]
    calls[row] = {**calls[row], **wrong}
    write(care, "cdrs_voice", calls)
    finding = care_calls(care)
    assert (finding.offenders, finding.message) == (1, "1 contacts are not as their call tells")


def test_an_abandoned_call_may_have_been_answered(care: Lake) -> None:
    calls = [*CARE_CALLS]
    calls[1] = {**calls[1], "status": "answered", "call_duration": 30}
    write(care, "cdrs_voice", calls)
    assert care_calls(care).passed


def test_missing_calls_are_told(care: Lake) -> None:
    shutil.rmtree(care.directory("cdrs_voice", FIRST))
    found = reconciliation.care_call_faults(care, FIRST)
    assert found.offenders == len(CONTACTS)
    assert found.words == [f"cdrs_voice of {FIRST} is not in the lake"]
    assert f"--datasets cdrs_voice --start {FIRST} --days 1" in (found.recover or "")


# The state of subscriptions

# Subscribers 1 to 4 are served all day, not yet, no longer, and without paying; the others change
# at noon.
NOON = DAY_S / 2
STATE: list[Record] = [
    {"subscriber_id": 1, "change": "plan change", "change_time": NOON},
    {"subscriber_id": 2, "status": "prospect"},
    {"subscriber_id": 3, "status": "terminated"},
    {"subscriber_id": 4, "status": "suspended"},
    {"subscriber_id": 5, "status": "prospect", "change": "activation", "change_time": NOON},
    {"subscriber_id": 6, "change": "termination", "change_time": NOON},
    {"subscriber_id": 7, "change": "port-out", "change_time": NOON},
    {"subscriber_id": 8, "status": "ported out", "change": "win-back", "change_time": NOON},
    {"subscriber_id": 9, "change": "suspension", "change_time": NOON},
    {"subscriber_id": 10, "status": "suspended", "change": "resumption", "change_time": NOON},
]
LIVES = {5: "activation", 6: "termination", 7: "port_out", 8: "win_back"}
KINDS = [
    *("cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims", "location_updates"),
    "customer_service",
]


@pytest.fixture
def states(tmp_path: Path) -> Lake:
    lake = empty_lake(tmp_path / "lake")
    for day in DAYS[:1]:
        put(lake, "subscriber_state", day, [frame("subscriber_state", STATE)])
    return lake


def state_of(lake: Lake, name: str) -> Finding:
    return judged(lake, integrity.CHECK_STATE, name)


@pytest.mark.parametrize("name", KINDS)
def test_records_in_service_pass(states: Lake, name: str) -> None:
    served = [
        *({"subscriber_id": 1, "event_time": time} for time in (0.0, NOON, DAY_S - 1.0)),
        *({"subscriber_id": who, "event_time": NOON} for who in (5, 8, 10)),
        *({"subscriber_id": who, "event_time": NOON - 1e-3} for who in (6, 7, 9)),
    ]
    write(states, name, served)
    finding = state_of(states, name)
    assert finding.passed, finding
    assert finding.rows == len(served)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("who", "time", "words"),
    [
        (2, 1.0, "prospect"),
        (3, 1.0, "terminated"),
        (5, NOON - 1e-3, "prospect"),
        (6, NOON + 120.0, "terminated"),
        (7, NOON + 120.0, "ported out"),
        (8, NOON - 1e-3, "ported out"),
    ],
)
def test_records_out_of_service_are_found(
    states: Lake, name: str, who: int, time: float, words: str
) -> None:
    fine = [{"subscriber_id": 1, "event_time": 5.0}]
    write(states, name, [*fine, {"subscriber_id": who, "event_time": time}])
    finding = state_of(states, name)
    assert finding.offenders == 1
    assert finding.message == f"1 rows while the subscription is {words}"
    assert finding.sample[0]["subscriber_id"] == who


@pytest.mark.parametrize("name", KINDS)
def test_signalling_may_follow_a_call_that_was_on(states: Lake, name: str) -> None:
    write(states, name, [{"subscriber_id": 6, "event_time": NOON + 1.0}])
    assert state_of(states, name).passed == (name in ("cdrs_voip", "cdrs_ims"))
    write(states, "cdrs_voice", [
        {"subscriber_id": 6, "event_time": NOON + 30.0, "supplementary_service": "CFNRy"}
    ])  # fmt: skip
    assert state_of(states, "cdrs_voice").passed


MAY = {
    "cdrs_voice": [
        {"record_type": "mtCallRecord", "status": "rejected"},
        {"called_number": CARE},
    ],
    "cdrs_sms": [{"record_type": "mtSMSRecord"}],
    "cdrs_data": [{"record_sequence_number": 2}],
    "cdrs_voip": [{"role": "terminating"}, {"called_party_address": CARE}],
    "cdrs_ims": [
        {"role_of_node": "terminating"},
        {"called_party_address": CARE},
        {"sip_method": "REGISTER", "called_party_address": None},
    ],
    "location_updates": [{}],
    "customer_service": [{}],
}


@pytest.mark.parametrize("name", KINDS)
def test_who_is_suspended_starts_nothing(states: Lake, name: str) -> None:
    allowed = [{"subscriber_id": 4, "event_time": 9.0, **record} for record in MAY[name]]
    write(states, name, allowed)
    assert state_of(states, name).passed
    started = [{"subscriber_id": 4, "event_time": 9.0}]
    write(states, name, [*allowed, *started])
    finding = state_of(states, name)
    assert finding.passed == (name in ("location_updates", "customer_service"))
    if not finding.passed:
        assert finding.offenders == 1
        words = "1 rows that the subscriber starts while the subscription is suspended"
        assert finding.message == words


@pytest.mark.parametrize(("who", "time"), [(9, NOON + 180.0), (10, NOON - 1.0)])
def test_a_suspension_holds_from_its_time(states: Lake, who: int, time: float) -> None:
    write(states, "cdrs_data", [{"subscriber_id": who, "event_time": time}])
    assert state_of(states, "cdrs_data").offenders == 1


def test_subscribers_without_a_state_are_found(states: Lake) -> None:
    write(states, "cdrs_data", [{"subscriber_id": 77}, {"subscriber_id": 77}, {"event_time": 9.0}])
    finding = state_of(states, "cdrs_data")
    assert finding.message == "2 rows of subscribers without a state"


def test_a_missing_state_is_told(states: Lake) -> None:
    write(states, "cdrs_data", [{}])
    shutil.rmtree(states.directory("subscriber_state", FIRST))
    finding = state_of(states, "cdrs_data")
    assert finding.message == f"subscriber_state of {FIRST} is not in the lake"
    assert f"--datasets subscriber_state --start {FIRST} --days 1" in finding.recover


def lives(**other: Any) -> list[dict[str, Any]]:
    return [
        {"subscriber_id": who, "event_time": NOON, "change_type": kind, **other}
        for who, kind in LIVES.items()
    ]


def test_lives_and_identities_agree(states: Lake) -> None:
    swap = {"subscriber_id": 1, "event_time": 5.0, "change_type": "sim_swap"}
    write(states, "identity_changes", [*lives(), swap])
    finding = state_of(states, "identity_changes")
    assert finding.passed, finding
    assert finding.rows == 5


@pytest.mark.parametrize("lost", range(4))
def test_a_life_change_without_identity_is_found(states: Lake, lost: int) -> None:
    rows = lives()
    del rows[lost]
    write(states, "identity_changes", rows)
    finding = state_of(states, "identity_changes")
    words = "1 changes of subscriber_state have no change of identity at their time"
    assert (finding.offenders, finding.message) == (1, words)


@pytest.mark.parametrize(
    "other", [{"event_time": NOON + 1e-3}, {"subscriber_id": 3}, {"change_type": "termination"}]
)
def test_a_change_of_identity_that_is_another_is_found(states: Lake, other: Record) -> None:
    rows = lives()
    rows[0] |= other
    write(states, "identity_changes", rows)
    finding = state_of(states, "identity_changes")
    assert finding.offenders == 2
    assert finding.message.endswith("1 changes of identity are none of subscriber_state")
