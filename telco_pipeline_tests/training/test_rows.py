"""Rows at a cut-off: what is counted, what was known, and what the truth says of it."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telco_pipeline.contracts.codes import EntityKind
from telco_pipeline.errors import TelcoError
from telco_pipeline.training.features import features_of
from telco_pipeline.training.table import Training, Wanted, check_target
from telco_pipeline_tests.training.kit import (
    LAYER,
    PEOPLE,
    at,
    call,
    day,
    make_lake,
    missed,
    record,
    story,
    touch,
)

Records = dict[str, list[dict[str, Any]]]


def rows(
    root: Path, records: Records, cut_off: int = 4, *, of: str = "subscribers", **keys: Any
) -> pl.DataFrame:
    """Return the rows at a cut-off of a lake of these records, with a window of two days."""
    wanted = {"layer": LAYER, "window": 2, "ahead": 1, **keys}
    config, lake = make_lake(root / "lake", records, layer=story(of))
    training = Training(config, lake, Wanted(**wanted))
    with training.sketches(root) as sketches:
        return training.rows(sketches, day(cut_off))


def one(
    root: Path, records: Records, entity: object = 1, cut_off: int = 4, **keys: Any
) -> dict[str, Any]:
    """Return one entity's row."""
    found = rows(root, records, cut_off, **keys)
    return found.row(by_predicate=pl.col(found.columns[0]) == entity, named=True)


def test_calls_are_counted_by_whom_whither_and_when(tmp_path: Path) -> None:
    abroad = call(at(2, 23), 120, called_number="+3360000")  # 0 h local
    row = one(
        tmp_path,
        {
            "cdrs_voice": [
                call(at(2)),
                call(at(3), 180),
                call(at(3, 14), called_number="1230"),
                abroad,
                call(at(3), subscriber_id=2),
                call(at(1)),  # before the window
                call(at(4, 0)),  # after it
                missed(at(3, 15), "+2110000", rings=2),
                missed(at(3, 16), "+32461000009", rings=30),
            ]
        },
    )
    assert (row["calls_out"], row["calls_out_last_day"], row["calls_in"]) == (4, 2, 2)
    assert (row["called"], row["missed"], row["missed_abroad"]) == (3, 2, 1)
    assert row["calls_abroad_part"] == row["calls_night_part"] == 1 / 4
    assert row["seconds_abroad"] == 120
    assert row["seconds_a_call"] == (60 + 180 + 60 + 120) / 4
    assert row["ring_missed"] == 16
    assert row["calls_out_part"] == 4 / 6
    assert row["calls_out_high"] == 2


def test_other_records_are_counted_too(tmp_path: Path) -> None:
    row = one(
        tmp_path,
        {
            "cdrs_sms": [
                record("cdrs_sms", at(2)),
                record("cdrs_sms", at(3), record_type="mtSMSRecord", other_plmn=None),
                record("cdrs_sms", at(3), sms_result=22, called_number="+33600"),
            ],
            "cdrs_data": [
                record("cdrs_data", at(2)),
                record("cdrs_data", at(2), record_sequence_number=2, cell_id="c2"),
                record("cdrs_data", at(3), latency=80.0, service="video"),
                record("cdrs_data", at(3, 13), diagnostics=26, latency=None, data_volume_uplink=0),
            ],
            "location_updates": [
                record("location_updates", at(2), cell_id="c3"),
                record("location_updates", at(3), update_type="attach", cause=3),
            ],
            "identity_changes": [record("identity_changes", at(3), device_id="D2")],
            "customer_service": [record("customer_service", at(2), sentiment=-0.5)],
        },
    )
    assert (row["texts_out"], row["texts_in_services"], row["texts_failed"]) == (2, 1, 1)
    assert (row["sessions"], row["sessions_failed"], row["services"]) == (2, 1, 2)
    assert (row["bytes_up"], row["bytes_down"]) == (300, 3600)
    assert row["bytes_a_session"] == (300 + 3600) / 2
    assert row["bytes_up_part"] == 300 / 3900
    assert row["latency"] == (40 + 40 + 80) / 3
    assert row["cells"] == 3
    assert (row["attaches"], row["refused"], row["refused_last_day"]) == (1, 1, 1)
    assert (row["sim_swaps"], row["device_class"]) == (1, "router")
    assert (row["contacts"], row["contacts_billing"], row["sentiment"]) == (1, 1, -0.5)


def test_nothing_is_zero_and_a_part_of_nothing_is_null(tmp_path: Path) -> None:
    row = one(tmp_path, {})
    assert (row["calls_out"], row["bytes_up"], row["cells"]) == (0, 0, 0)
    assert row["calls_abroad_part"] is None
    assert row["latency"] is None


def test_what_goes_on_past_the_cut_off_is_seen_later(tmp_path: Path) -> None:
    records: Records = {
        "cdrs_voice": [call(at(3, 23, 59), 120)],
        "cdrs_data": [record("cdrs_data", at(3, 23), duration=3600)],
        "customer_service": [record("customer_service", at(3, 23, 59), handling_seconds=61)],
    }
    for cut_off, seen in ((4, 0), (5, 1)):
        row = one(tmp_path / str(cut_off), records, cut_off=cut_off)
        assert (row["calls_out"], row["contacts"]) == (seen, seen)
        assert row["sessions"] == 1  # complete at midnight sharp


def test_the_registry_is_that_of_the_cut_off(tmp_path: Path) -> None:
    changes = [
        record("identity_changes", at(1), subscriber_id=2, device_id="D2"),
        record("identity_changes", at(5), subscriber_id=3, device_id="D2"),
        record("identity_changes", at(2), subscriber_id=4, change_type="port_out"),
        record("identity_changes", at(4, 1), subscriber_id=5, change_type="port_out"),
        record("identity_changes", at(2), subscriber_id=99, change_type="activation"),
        record("identity_changes", at(4, 0), subscriber_id=98, change_type="activation"),
    ]
    found = rows(tmp_path, {"identity_changes": changes})
    assert set(found["subscriber_id"]) == {*PEOPLE, 99} - {4}
    told = {row["subscriber_id"]: row for row in found.iter_rows(named=True)}
    assert told[2]["device_class"] == "router"
    assert told[3]["device_class"] == "smartphone"
    assert (told[3]["contract_days"], told[99]["contract_days"]) == (13, 2)
    assert told[99]["kind"] is None
    assert told[1]["age_days"] == (dt.date(2026, 1, 14) - dt.date(1986, 1, 10)).days


@settings(max_examples=10)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["cdrs_voice", "cdrs_data", "customer_service"]),
            st.integers(1, 2 * 1440),
            st.integers(0, 2 * 1440),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(2, 5),
)
def test_no_record_that_is_not_complete_changes_a_feature(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, int, int]], cut_off: int
) -> None:
    """What is not over by the cut-off may be another record or none.

    Drawn are a dataset, the minutes from the start to the cut-off and those that it lasts.
    """
    root = tmp_path_factory.mktemp("altered")
    frames = []
    for kept in (True, False):
        records: Records = {"cdrs_voice": [], "cdrs_data": [], "customer_service": []}
        for name, before, lasts in drawn:
            when, over = at(cut_off, 0, -before), lasts <= before
            length = 60 * lasts if kept or over else 60 * lasts + 7200
            if name == "cdrs_voice":
                more = {} if kept or over else {"called_number": "+999", "cause_for_term": 4}
                answer = {"answer_time": when, "release_time": when + dt.timedelta(seconds=length)}
                made = call(when, length, **answer, **more)
            elif name == "cdrs_data":
                made = record(name, when, duration=length)
            else:
                made = record(name, when, handling_seconds=length)
            if kept or over or lasts % 2:
                records[name].append(made)
        frames.append(rows(root / str(kept), records, cut_off))
    assert frames[0].equals(frames[1])


def test_a_network_is_counted_by_what_hangs_on_it(tmp_path: Path) -> None:
    records: Records = {
        "network_logs": [
            record("network_logs", at(2)),
            record("network_logs", at(3), severity=6),
            record("network_logs", at(3), element_id="e2"),
        ],
        "alarms": [
            record("alarms", at(2)),
            record("alarms", at(3), cell_id="c1"),
            record("alarms", at(3), notification_type="notifyClearedAlarm"),
        ],
        "element_metrics": [
            record("element_metrics", at(2)),
            record("element_metrics", at(3, 23, 55), cpu_use=40.0),
        ],
        "pm_counters": [
            record("pm_counters", at(2)),
            record("pm_counters", at(3, 23, 45), cell_id="c2", rrc_conn_estab_att=0,
                   rrc_conn_estab_succ=0),
        ],
    }  # fmt: skip
    told = {}
    for of, kind, entity in (
        ("cells", "cell", "c1"),
        ("network_elements", "element", "e1"),
        ("sites", "site", "s1"),
    ):
        told[kind] = one(tmp_path / kind, records, entity, of=of)
        assert (told[kind]["lines"], told[kind]["errors"], told[kind]["alarms"]) == (2, 1, 2)
        assert (told[kind]["cpu"], told[kind]["cpu_top"], told[kind]["periods"]) == (30, 40, 2)
    assert told["cell"]["quiet_quarters"] == 0
    assert told["element"]["quiet_quarters"] == told["site"]["quiet_quarters"] == 1
    assert told["site"]["attempts_failed_part"] == 1 / 10
    assert told["element"]["lost_part"] == 2 / 10
    assert (told["cell"]["attempts_low_part"], told["site"]["attempts_low_part"]) == (1, 0)
    assert told["cell"]["age_days"] == 104


TRUTH: Records = {
    "truth_incidents": [record("truth_incidents", at(1, 10))],
    "truth_entities": [
        touch(at(1, 10), at(2, 12)),
        touch(at(4, 6), at(5), stage="more"),
        touch(at(1, 10), at(4), 2, benign=True, role="others"),
        touch(at(0, 1), at(2, 0), 3),
        touch(at(4, 0), at(5, 0), 4),
        touch(at(1, 10), at(5), 5, incident_id=2),  # of another layer
    ],
}


def test_labels_are_of_the_window_and_of_the_days_ahead(tmp_path: Path) -> None:
    found = rows(tmp_path, TRUTH, cut_off=4)
    names = ("active", "active_hours", "ahead", "benign", "incident_id")
    told = {row["subscriber_id"]: tuple(row[name] for name in names)
            for row in found.iter_rows(named=True)}  # fmt: skip
    assert told[1] == (True, 12.0, True, False, 1)
    assert told[2] == (False, 0.0, False, True, 1)
    nothing = (False, 0.0, False, False, None)
    # 3: over before the window; 4: a first stage is not foretold; 5: another story.
    assert told[3] == told[4] == told[5] == nothing


@pytest.mark.parametrize(
    ("touches", "hours"),
    [
        ([(at(2), at(3), "it"), (at(2), at(3), "more")], 24.0),
        ([(at(2), at(3), "it"), (at(2, 18), at(3, 18), "more")], 30.0),
        # The second lies in the first, and the third begins when only the second has ended.
        ([(at(2), at(3), "it"), (at(2, 13), at(2, 14), "more"), (at(3, 0), at(3, 20), "it")], 32),
        # Some of the window lies between them; both go beyond it.
        ([(at(0), at(2, 6), "it"), (at(3, 18), at(5), "more")], 6.0 + 6),
        # What is ahead of the cut-off is not in the window.
        ([(at(2), at(3), "it"), (at(4, 1), at(5), "more")], 24.0),
    ],
    ids=["the same", "later", "within", "apart", "ahead"],
)
def test_an_hour_counts_once_whatever_stages_there_are(
    tmp_path: Path, touches: list[tuple[dt.datetime, dt.datetime, str]], hours: float
) -> None:
    entities = [touch(start, end, stage=stage) for start, end, stage in touches]
    others = [touch(at(2), at(4), benign=True, role="others"), touch(at(2), at(4), 2)]
    truth: Records = {
        "truth_incidents": TRUTH["truth_incidents"],
        "truth_entities": sorted(entities + others, key=lambda row: row["event_time"]),
    }
    assert one(tmp_path, truth)["active_hours"] == hours


def test_named_stages_count_and_are_foretold(tmp_path: Path) -> None:
    row = one(tmp_path, TRUTH, stages=("more",))
    assert (row["active"], row["ahead"]) == (False, True)
    with pytest.raises(TelcoError, match=r"no stage 'less'; it has it, more"):
        rows(tmp_path / "b", TRUTH, stages=("less",))


def test_what_lies_beyond_the_lake_is_not_known(tmp_path: Path) -> None:
    found = rows(tmp_path, TRUTH, cut_off=6, first=day(3))
    assert found["ahead"].null_count() == found.height
    assert found["active"].sum() == 2  # 1 and 4, on the last two days


def test_columns_are_as_told(tmp_path: Path) -> None:
    found = rows(tmp_path, {})
    features = [one.name for one in features_of(EntityKind.SUBSCRIBER)]
    labels = ["active", "active_hours", "ahead", "benign", "incident_id"]
    assert found.columns == ["subscriber_id", "cut_off", *features, *labels, "fold", "split"]
    assert found["cut_off"].unique().to_list() == [at(4, 0)]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"layer": "other"}, "layer 'other' is not on"),
        ({"entity": EntityKind.CELL}, "touches no cell; it touches subscriber"),
        ({"window": 7}, "no window of 7 days"),
        ({"window": 4, "every": 2}, "too few"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    with pytest.raises(TelcoError, match=words):
        rows(tmp_path, {}, **keys)


@pytest.mark.parametrize("name", ["cdrs_sms", "truth_entities", "identity_changes"])
def test_a_missing_day_is_named(tmp_path: Path, name: str) -> None:
    config, lake = make_lake(tmp_path / "lake", {})
    (directory,) = {file.parent for file in lake.files(name, day(2))}
    directory.rename(tmp_path / "away")
    with pytest.raises(TelcoError, match=rf"no {name} of {day(2)}.*telco generate"):
        Training(config, lake, Wanted(LAYER, window=1, ahead=1))


def test_a_table_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TelcoError, match=r"file is a file, so .*table\.parquet cannot be.*--out"):
        check_target(tmp_path / "file" / "below" / "table.parquet", replace=True)
