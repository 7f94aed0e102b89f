"""The identity check passes on records that bear what was valid, and finds those that do not."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from telco_pipeline import consistency, integrity
from telco_pipeline.contracts import DATASETS
from telco_pipeline.integrity import Finding
from telco_pipeline.lake import Lake
from telco_pipeline_tests.identity_lake import (
    DAYS,
    changes,
    identity_lake,
    records,
    write_records,
)
from telco_pipeline_tests.lake.kit import commit

LAST = DAYS[-1]
KINDS = ["sim_swap", "device_upgrade", "number_change", "port_in", "port_out"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return identity_lake(tmp_path_factory.mktemp("sound")).root


@pytest.fixture
def lake(sound: Path, tmp_path: Path) -> Lake:
    return Lake(shutil.copytree(sound, tmp_path / "lake"))


def judged(lake: Lake, name: str, day: dt.date = LAST) -> Finding:
    return integrity.CHECKS[integrity.CHECK_IDENTITY](lake, name, day)


def some_change(kind: str, days: list[dt.date], skip: int = 0) -> dict[str, Any]:
    """Return a change of a kind on one of the days."""
    rows = [row for day in days for row in changes(day).to_dicts() if row["change_type"] == kind]
    return rows[skip]


def day_of(kind: str) -> dt.date:
    """Return the first day with a change of a kind."""
    return next(each for each in DAYS if changes(each)["change_type"].is_in([kind]).any())


def test_which_datasets_bear_identities() -> None:
    checked = {name for name in DATASETS if integrity.CHECK_IDENTITY in integrity.checks_of(name)}
    assert checked == {
        "identity_changes", "cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims",
        "location_updates", "customer_service",
    }  # fmt: skip
    assert consistency.identity_columns(DATASETS["location_updates"]) == ["imsi", "imei"]


def test_sound_records_pass(lake: Lake) -> None:
    kinds = {row["change_type"] for day in DAYS for row in changes(day).to_dicts()}
    assert kinds == set(KINDS)
    for name in ("cdrs_data", "location_updates"):
        for day in (DAYS[0], LAST):
            finding = judged(lake, name, day)
            assert finding.passed, finding
            assert finding.rows == records(name, day).height
    for day in DAYS:
        assert judged(lake, "identity_changes", day).passed


@pytest.mark.parametrize("column", ["imsi", "msisdn", "imei"])
def test_an_identity_of_another_is_found(lake: Lake, column: str) -> None:
    rows = records("cdrs_data", LAST)
    wrong = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == 77)
        .then(pl.col(column).last())
        .otherwise(column)
        .alias(column)
    )
    write_records(lake, "cdrs_data", LAST, wrong)
    finding = judged(lake, "cdrs_data")
    assert (finding.passed, finding.offenders) == (False, 1)
    assert "1 rows with another imsi or msisdn or imei than was valid" in finding.message
    assert finding.sample[0][column] != finding.sample[0][f"{column}_as_of"]
    assert "--datasets cdrs_data --start 2026-01-12 --days 1" in finding.recover


@pytest.mark.parametrize("days", [DAYS[:5], [LAST]])
def test_an_outdated_identity_is_found(lake: Lake, days: list[dt.date]) -> None:
    """A phone that goes on with its IMEI after the upgrade, days before or on the day itself."""
    change = some_change("device_upgrade", days)
    whose = (pl.col("subscriber_id") == change["subscriber_id"]) & (
        pl.col("event_time") >= change["event_time"]
    )
    rows = records("location_updates", LAST)
    late = rows.filter(whose).height
    assert late > 0
    old = pl.when(whose).then(pl.lit(change["previous_imei"])).otherwise("imei").alias("imei")
    write_records(lake, "location_updates", LAST, rows.with_columns(old))
    assert judged(lake, "location_updates").offenders == late


def test_an_identity_of_tomorrow_is_found(lake: Lake) -> None:
    change = some_change("device_upgrade", [LAST])
    whose = (pl.col("subscriber_id") == change["subscriber_id"]) & (
        pl.col("event_time") < change["event_time"]
    )
    rows = records("cdrs_data", LAST)
    new = pl.when(whose).then(pl.lit(change["imei"])).otherwise("imei").alias("imei")
    write_records(lake, "cdrs_data", LAST, rows.with_columns(new))
    assert judged(lake, "cdrs_data").offenders == rows.filter(whose).height > 0


@pytest.mark.parametrize("days", [DAYS[:5], DAYS])
def test_a_record_after_a_port_out_is_found(lake: Lake, days: list[dt.date]) -> None:
    skip = sum(
        row["change_type"] == "port_out" for day in days[:-1] for row in changes(day).to_dicts()
    )
    gone = some_change("port_out", days, skip=0 if len(days) < len(DAYS) else skip)
    rows = records("cdrs_data", LAST)
    ghost = rows.tail(1).with_columns(
        subscriber_id=pl.lit(gone["subscriber_id"], pl.Int64),
        imsi=pl.lit(gone["imsi"]),
        msisdn=pl.lit(gone["msisdn"]),
        imei=pl.lit(gone["imei"]),
        event_time=pl.lit(dt.datetime(2026, 1, 12, 23, 59, tzinfo=dt.UTC)).cast(
            pl.Datetime("us", "UTC")
        ),
    )
    write_records(lake, "cdrs_data", LAST, pl.concat([rows, ghost]))
    finding = judged(lake, "cdrs_data")
    assert finding.offenders == 1
    assert "1 rows after the number was ported out" in finding.message


def test_a_subscriber_that_nobody_knows_is_found(lake: Lake) -> None:
    rows = records("cdrs_data", LAST)
    stranger = pl.lit(5, pl.Int64).alias("subscriber_id")
    write_records(lake, "cdrs_data", LAST, rows.tail(4).with_columns(stranger))
    assert judged(lake, "cdrs_data").offenders == 4


def test_missing_days_of_changes_name_their_command(lake: Lake) -> None:
    for day in DAYS[2:4]:
        shutil.rmtree(lake.directory("identity_changes", day))
    finding = judged(lake, "cdrs_data")
    assert not finding.passed
    assert "identity_changes of 2026-01-03 to 2026-01-04 is not in the lake" in finding.message
    assert "--datasets identity_changes --start 2026-01-03 --days 2" in finding.recover
    assert judged(lake, "cdrs_data", DAYS[0]).passed


def test_a_missing_registry_is_told(lake: Lake) -> None:
    shutil.rmtree(lake.directory("subscribers"))
    finding = judged(lake, "cdrs_data")
    assert not finding.passed
    assert "has no subscribers" in finding.message


@pytest.mark.parametrize(
    ("kind", "column", "other", "words"),
    [
        ("device_upgrade", "previous_imsi", "206619999999999", "say another identity before"),
        ("device_upgrade", "previous_msisdn", "+32461555555", "say another identity before"),
        ("device_upgrade", "previous_imei", "000019999999990", "say another identity before"),
        ("device_upgrade", "iccid", "8932610000000000000", "change more than their kind does"),
        ("device_upgrade", "number_holder", "20699", "change more than their kind does"),
        ("port_in", "device_id", "D001", "change more than their kind does"),
    ],
)
def test_a_change_that_does_not_follow_is_found(
    lake: Lake, kind: str, column: str, other: str, words: str
) -> None:
    day = day_of(kind)
    of_kind = pl.col("change_type") == kind
    first = of_kind & (of_kind.cast(pl.UInt32).cum_sum() == 1)
    wrong = pl.when(first).then(pl.lit(other)).otherwise(column).alias(column)
    commit(lake, DATASETS["identity_changes"], changes(day).with_columns(wrong), day)
    finding = judged(lake, "identity_changes", day)
    assert finding.offenders == 1, finding
    assert f"1 changes {words}" in finding.message


def test_a_number_given_twice_is_found(lake: Lake) -> None:
    day = day_of("number_change")
    rows, taken = changes(day), records("cdrs_data", DAYS[0])["msisdn"].last()
    number = pl.when(pl.col("change_type") == "number_change").then(pl.lit(taken))
    commit(
        lake,
        DATASETS["identity_changes"],
        rows.with_columns(number.otherwise("msisdn").alias("msisdn")),
        day,
    )
    finding = judged(lake, "identity_changes", day)
    assert "values of msisdn belong to two subscribers at once" in finding.message


def test_a_change_after_a_port_out_is_found(lake: Lake) -> None:
    gone = some_change("port_out", DAYS[:5])
    row = (
        changes(LAST)
        .tail(1)
        .with_columns(
            subscriber_id=pl.lit(gone["subscriber_id"], pl.Int64),
            **{key: pl.lit(gone[key]) for key in ("imsi", "msisdn", "imei", "iccid", "device_id")},
            **{f"previous_{key}": pl.lit(gone[key]) for key in ("imsi", "msisdn", "imei")},
            number_holder=pl.lit(gone["number_holder"]),
            serving_plmn=pl.lit(gone["serving_plmn"]),
        )
    )
    commit(lake, DATASETS["identity_changes"], pl.concat([changes(LAST), row]), LAST)
    finding = judged(lake, "identity_changes")
    assert "1 changes come after the number was ported out" in finding.message
