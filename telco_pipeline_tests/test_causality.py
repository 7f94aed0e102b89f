"""Causes and effects: a lake in which all is well, and one fault at a time that must be found."""

import datetime as dt
import math
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from telco_pipeline import causality, integrity, whole_lake
from telco_pipeline.causality import (
    CHAINS,
    NEEDED,
    Rates,
    Stratum,
    cause_faults,
    chain_rates,
)
from telco_pipeline.checks.causality import build_causality_checks, compared
from telco_pipeline.contracts import DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline_tests.lake.kit import DAY, bound_lake, commit, frame

EVE = DAY + dt.timedelta(days=2)
TODAY = DAY + dt.timedelta(days=3)
FAULT, CELL, OTHER_CELL = 71, "206-61-1-1", "206-61-1-2"
EXPOSURE, COMPLAINTS, QUIET = CHAINS

Row = dict[str, Any]


def moment(day: dt.date, hour: float) -> dt.datetime:
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return start + dt.timedelta(hours=hour)


def rows_of(name: str, rows: list[Row]) -> pl.DataFrame:
    """Return rows of a dataset; columns that a row does not name are null or of little meaning."""
    dataset = DATASETS[name]
    filler = frame(dataset, 1).row(0, named=True)
    nullable = {key for key, column in dataset.schema.columns().items() if column.nullable}
    whole = [{**filler, **dict.fromkeys(nullable), **row} for row in rows]
    columns = {
        key: pl.Series(key, [row[key] for row in whole], dtype=kind, strict=False)
        for key, kind in dataset.polars_schema.items()
    }
    return pl.DataFrame(columns)


def put(lake: Lake, name: str, rows: list[Row], day: dt.date | None = None) -> None:
    commit(lake, DATASETS[name], rows_of(name, rows), day)


# Causes of contacts -------------------------------------------------------------------------------

OUTAGE: Row = {
    "event_id": 1,
    "subscriber_id": 11,
    "event_time": moment(TODAY, 10),
    "reason": "network",
    "topic": "outage",
    "case_id": 5,
    "contact_number": 1,
    "cause_fault_id": FAULT,
    "cause_cell_id": CELL,
    "cause_time": moment(EVE, 20),
    "channel": "call",
    "call_reference": 901,
    "queue_seconds": 40,
    "handling_seconds": 200,
}
QUESTION: Row = {
    "event_id": 2,
    "subscriber_id": 12,
    "event_time": moment(TODAY, 11),
    "reason": "general",
    "topic": "question",
    "case_id": 6,
    "contact_number": 1,
    "channel": "app",
    "queue_seconds": 0,
    "handling_seconds": 60,
}


def state_of(contact: Row) -> Row:
    same = ("subscriber_id", "case_id", "contact_number", "cause_fault_id", "cause_cell_id")
    return {
        "status": "active",
        "contact_time": contact["event_time"],
        "contact_reason": contact["reason"],
        "contact_topic": contact["topic"],
        "cause_time": contact.get("cause_time"),
        **{name: contact.get(name) for name in same},
    }


def cell_hour(cell: str, hour: int, **worse: Any) -> Row:
    well = {
        "status": "in service",
        "drop_probability": 0.002,
        "block_probability": 0.0,
        "voice_failure": 0.0,
        "data_failure": 0.0,
        "signalling_failure": 0.0,
        "throughput_factor": 0.9,
    }
    return {"cell_id": cell, "event_time": moment(EVE, hour), **well, **worse}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return a lake in which every contact has its cause."""
    made = bound_lake(tmp_path / "lake")
    fault = {
        "fault_id": FAULT,
        "event_time": moment(DAY, 9),
        "impact_time": moment(EVE, 20.5),
        "end_time": moment(EVE, 23),
    }
    put(made, "network_faults", [fault], DAY)
    for day in (DAY + dt.timedelta(days=1), EVE, TODAY):
        commit(made, DATASETS["network_faults"], frame(DATASETS["network_faults"], 0), day)
    hours = [
        cell_hour(CELL, 19),
        cell_hour(CELL, 20, status="out of service"),
        cell_hour(OTHER_CELL, 20),
    ]
    put(made, "network_state", hours, EVE)
    put(made, "subscriber_state", [state_of(OUTAGE), state_of(QUESTION)], TODAY)
    put(made, "customer_service", [OUTAGE, QUESTION], TODAY)
    return made


def with_contact(lake: Lake, **other: Any) -> Lake:
    """Return the lake with another contact about the outage, which state decided likewise."""
    contact = {**OUTAGE, **other}
    put(lake, "customer_service", [contact, QUESTION], TODAY)
    put(lake, "subscriber_state", [state_of(contact), state_of(QUESTION)], TODAY)
    return lake


def test_contacts_with_causes_pass(lake: Lake) -> None:
    found = cause_faults(lake, TODAY)
    assert (found.rows, found.offenders, found.words) == (2, 0, [])
    assert integrity.check_causes(lake, "customer_service", TODAY).passed


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"event_time": moment(EVE, 19)}, "come before their cause"),
        ({"cause_fault_id": 72}, "not in network_faults"),
        ({"cause_time": moment(EVE, 19)}, "a fault at another time"),
        ({"cause_cell_id": OTHER_CELL, "cause_fault_id": None}, "was well in that hour"),
        ({"cause_cell_id": "206-61-9-9"}, "was well in that hour"),
        ({"cause_fault_id": None, "cause_cell_id": None}, "name nothing"),
        ({"cause_time": None}, "name nothing"),
        ({"cause_time": moment(DAY, 9), "cause_fault_id": None}, "is not in the lake"),
    ],
)
def test_a_contact_without_its_cause_is_found(lake: Lake, other: Row, words: str) -> None:
    found = cause_faults(with_contact(lake, **other), TODAY)
    assert found.offenders >= 1
    assert any(words in each for each in found.words), found.words
    finding = integrity.check_causes(lake, "customer_service", TODAY)
    assert not finding.passed
    assert finding.recover


def test_a_cell_is_bad_in_many_ways(lake: Lake) -> None:
    contact = {"cause_cell_id": OTHER_CELL, "cause_fault_id": None}
    for worse in (
        {"status": "degraded"},
        {"drop_probability": 0.02},
        {"block_probability": 0.05},
        {"data_failure": 0.1},
        {"throughput_factor": 0.1},
    ):
        put(lake, "network_state", [cell_hour(OTHER_CELL, 20, **worse)], EVE)
        assert cause_faults(with_contact(lake, **contact), TODAY).offenders == 0, worse


def test_a_fault_from_days_that_are_not_there_cannot_be_told(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path / "lake")
    put(lake, "network_state", [cell_hour(CELL, 20, status="out of service")], EVE)
    commit(lake, DATASETS["network_faults"], frame(DATASETS["network_faults"], 0), DAY)
    commit(lake, DATASETS["network_faults"], frame(DATASETS["network_faults"], 0), TODAY)
    put(lake, "customer_service", [OUTAGE], TODAY)
    assert cause_faults(lake, TODAY).offenders == 0


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        ([OUTAGE], "did not decide"),
        ([OUTAGE, QUESTION, {**QUESTION, "subscriber_id": 13}], "are not there"),
        ([{**OUTAGE, "case_id": 9}, QUESTION], "something else"),
        ([{**OUTAGE, "cause_fault_id": None}, QUESTION], "something else"),
        ([OUTAGE, {**QUESTION, "event_time": moment(TODAY, 12)}], "did not decide"),
    ],
)
def test_contacts_are_those_that_state_decided(lake: Lake, decided: list[Row], words: str) -> None:
    put(lake, "subscriber_state", [state_of(each) for each in decided], TODAY)
    found = cause_faults(lake, TODAY)
    assert found.offenders >= 1
    assert any(words in each for each in found.words), found.words


def test_without_calls_there_is_nothing_to_compare(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path / "lake")
    put(lake, "customer_service", [OUTAGE], TODAY)
    finding = integrity.check_care_calls(lake, "customer_service", TODAY)
    assert finding.passed
    assert "no cdrs_voice" in finding.message


# What precedes what -------------------------------------------------------------------------------


def test_a_ratio_is_that_of_the_books() -> None:
    # Rothman 2012, one stratum: 1 / a + 1 / b.
    one = Rates(EXPOSURE, (Stratum(41, 28_010, 15, 19_017),))
    assert one.ratio == pytest.approx(1.856, abs=0.001)
    low, high = one.interval
    width = 1.96 * math.sqrt(1 / 41 + 1 / 15)
    assert math.log(high / low) == pytest.approx(2 * width)
    assert low * high == pytest.approx(one.ratio**2)
    # Two strata of equal ratio but unlike rates: together they would hide it.
    strata = (Stratum(20, 1000, 100, 10_000), Stratum(2, 10_000, 1, 10_000))
    assert Rates(EXPOSURE, strata).ratio == pytest.approx(2.0, abs=0.01)
    whole = Rates(EXPOSURE, strata).all
    assert (whole.events / whole.days) / (whole.other_events / whole.other_days) < 0.5


def test_too_few_cases_pass_and_say_so_but_never_the_wrong_way_round() -> None:
    few = Rates(EXPOSURE, (Stratum(3, 100, 4, 200),))
    assert few.passed
    assert few.words.startswith("not enough cases: 3 and 4")
    nothing = Rates(EXPOSURE, (Stratum(0, 0, 0, 0),))
    assert nothing.passed
    assert "not enough cases: 0 and 0" in nothing.words
    reverse = Rates(EXPOSURE, (Stratum(2, 10_000, 25, 10_000),))
    assert not reverse.enough
    assert reverse.reversed
    assert not reverse.passed
    none = Rates(EXPOSURE, (Stratum(0, 100_000, 25, 100_000),))
    assert not none.passed
    many = Rates(EXPOSURE, (Stratum(NEEDED, 1000, NEEDED, 1000),))
    assert many.enough
    assert not many.passed
    assert Rates(EXPOSURE, (Stratum(2 * NEEDED, 1000, NEEDED, 1000),)).passed


PEOPLE = 600
SPAN = [DAY + dt.timedelta(days=offset) for offset in range(20)]


def history(root: Path, *, complain: str = "after", leave: str = "after", bad: bool = True) -> Lake:
    """Return a lake of 600 customers over 20 days.

    Every third customer has two hours without service on the fifth day and the eleventh. Who
    complains does so on the sixth, and who leaves does so a week later.

    Args:
        root: Where it lies.
        complain: Who complains of the network: of those with bad service ("after"), of the others
            ("others") or on the day before it ("before").
        leave: Who leaves: those who complained ("after"), or the others ("others").
        bad: Whether exposure is bad at all.
    """
    lake = bound_lake(root)
    keys = np.arange(1, PEOPLE + 1)
    kinds = [{"subscriber_id": int(key), "kind": "person"} for key in keys]
    machine = [{"subscriber_id": PEOPLE + 1, "kind": "machine"}]
    put(lake, "subscribers", kinds + machine)
    hit = keys % 3 == 0
    complains = (~hit if complain == "others" else hit) & (keys % 2 == 0)
    leaves = (~complains if leave == "others" else complains) & (keys % 4 < 2)
    asks_on = SPAN[3] if complain == "before" else SPAN[5]
    for day in SPAN:
        gone = day > SPAN[12]
        state = [
            {
                "subscriber_id": int(key),
                "status": "terminated" if gone and leaves[row] else "active",
                "exposure": 2.0 if bad and hit[row] and day in (SPAN[4], SPAN[10]) else 0.0,
                "exposure_level": 0.1 if bad and hit[row] and day >= SPAN[4] else 0.0,
                "price_shock": 0.0,
                "change": "termination" if leaves[row] and day == SPAN[12] else None,
            }
            for row, key in enumerate(keys)
        ]
        put(lake, "subscriber_state", [*state, {"subscriber_id": PEOPLE + 1, "exposure": 5}], day)
        steady = [int(key) for key in keys if key % 60 == day.day % 60]
        asking = [int(key) for key in keys[complains]] if day == asks_on else []
        contacts = [
            {"subscriber_id": key, "reason": "network", "contact_number": 1}
            for key in {*steady, *asking}
        ]
        put(lake, "customer_service", contacts, day)
    return lake


def verdicts(lake: Lake) -> dict[str, Rates]:
    return {one.name: one for one in chain_rates(lake)}


def test_causes_before_effects_pass(tmp_path: Path) -> None:
    found = verdicts(history(tmp_path / "lake"))
    assert set(found) == set(CHAINS)
    for name, rates in found.items():
        assert rates.passed, rates.words
        assert rates.interval[0] > 1.0 or not rates.enough, name
    exposure = found[EXPOSURE]
    assert exposure.enough
    # 200 customers who were hit twice count as exposed on those days and the three after them; 50
    # of them are gone on the last of these.
    assert exposure.all.days == 2 * 200 * 4 - 50
    assert exposure.all.days + exposure.all.other_days == sum(
        PEOPLE - (50 if day > SPAN[12] else 0) for day in SPAN
    )
    assert found[COMPLAINTS].ratio > 3


def test_complaints_that_do_not_follow_exposure_fail(tmp_path: Path) -> None:
    for order in ("others", "before"):
        found = verdicts(history(tmp_path / order, complain=order))[EXPOSURE]
        assert not found.passed, found.words


def test_leaving_that_does_not_follow_complaints_fails(tmp_path: Path) -> None:
    found = verdicts(history(tmp_path / "lake", leave="others"))
    assert not found[COMPLAINTS].passed, found[COMPLAINTS].words
    assert not found[QUIET].passed, found[QUIET].words


def test_without_bad_service_there_are_not_enough_cases(tmp_path: Path) -> None:
    found = verdicts(history(tmp_path / "lake", bad=False))[EXPOSURE]
    assert found.passed
    assert "not enough cases: 0 and" in found.words
    assert found.all.days == 0


def test_who_pays_in_advance_is_compared_with_his_like(tmp_path: Path) -> None:
    lake = history(tmp_path / "lake")
    assert len(verdicts(lake)[EXPOSURE].strata) == 2
    assert verdicts(lake)[EXPOSURE].strata[1].days == 0
    filler = frame(DATASETS["subscriber_state"], 1)["plan_id"][0]
    put(lake, "plans", [{"plan_id": filler, "payment": "prepaid"}])
    assert verdicts(lake)[EXPOSURE].strata[0].days == 0
    assert verdicts(lake)[EXPOSURE].strata[1].days == 2 * 200 * 4 - 50


# How it is shown ----------------------------------------------------------------------------------


def test_a_check_of_the_lake_tells_each_comparison(tmp_path: Path) -> None:
    well = whole_lake.check_chains(history(tmp_path / "well"))
    assert [finding.check for finding in well] == list(CHAINS)
    assert all(finding.passed and not finding.recover for finding in well)
    ill = whole_lake.check_chains(history(tmp_path / "ill", complain="others"))
    failed = [finding for finding in ill if not finding.passed]
    assert EXPOSURE in [finding.check for finding in failed]
    assert all("rate ratio" in finding.message and finding.recover for finding in failed)


def test_a_lake_without_a_registry_is_told(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path / "lake")
    put(lake, "customer_service", [OUTAGE], TODAY)
    put(lake, "subscriber_state", [state_of(OUTAGE)], TODAY)
    assert all(not finding.passed for finding in whole_lake.check_chains(lake))


def test_dagster_warns_of_doubt_and_fails_the_wrong_way_round() -> None:
    doubt = compared(Rates(EXPOSURE, (Stratum(NEEDED, 1000, NEEDED, 1000),)))
    assert not doubt.passed
    assert doubt.severity == dg.AssetCheckSeverity.WARN
    wrong = compared(Rates(EXPOSURE, (Stratum(2, 10_000, 25, 10_000),)))
    assert not wrong.passed
    assert wrong.severity == dg.AssetCheckSeverity.ERROR
    fine = compared(Rates(EXPOSURE, (Stratum(90, 1000, NEEDED, 1000),)))
    assert fine.passed
    assert fine.metadata["ratio"].value == pytest.approx(3.0)


def test_checks_hang_on_care_and_wait_for_what_they_read() -> None:
    specs = {spec.name: spec for spec in build_causality_checks(None).check_specs}
    assert set(specs) == {integrity.CHECK_CARE_CALLS, *CHAINS}
    for name, spec in specs.items():
        assert spec.asset_key == dg.AssetKey(causality.CARE)
        assert spec.description
        waits = {dep.asset_key.to_user_string() for dep in spec.additional_deps}
        assert waits == {"cdrs_voice" if name == "care_calls" else "subscriber_state"}
