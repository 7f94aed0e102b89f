"""`telco check`: 0 when all pass, 1 when a check fails, 2 when it cannot be done."""

import json
import shutil
from pathlib import Path

import pytest

from telco_pipeline_tests.cli.conftest import LakeOnDisk, Telco, assert_refused


@pytest.fixture
def copy(small_lake: LakeOnDisk, tmp_path: Path) -> Path:
    """Return a copy of the small lake, to be spoilt."""
    return shutil.copytree(small_lake.path, tmp_path / "copy")


def test_a_sound_lake_passes(telco: Telco, small_lake: LakeOnDisk) -> None:
    result = telco("check", "--lake", small_lake.path)

    assert result.exit_code == 0, result.stdout
    assert "0 failed" in result.stdout
    assert "foreign_keys" in result.stdout


def test_a_lost_file_fails_and_names_the_partition(telco: Telco, copy: Path) -> None:
    next((copy / "cdrs_sms" / "day=2026-01-02").glob("*.parquet")).unlink()

    result = telco("check", "--lake", copy, "--datasets", "cdrs_sms")

    assert result.exit_code == 1
    assert "FAILED cdrs_sms 2026-01-02" in result.stdout
    assert "mend it: telco generate" in result.stdout


def test_a_lost_day_fails(telco: Telco, copy: Path) -> None:
    shutil.rmtree(copy / "cdrs_voice" / "day=2026-01-01")

    result = telco("check", "--lake", copy)

    assert result.exit_code == 1
    assert "FAILED (all), gaps: missing: cdrs_voice 2026-01-01" in result.stdout
    assert "--datasets cdrs_voice --start 2026-01-01 --days 1" in " ".join(result.stdout.split())
    # Counters are sums of records: those of the day cannot be told, and those of the next day hold
    # what began in it before midnight.
    failed = [
        line.split(":")[0] for line in result.stdout.splitlines() if line.startswith("FAILED")
    ]
    assert failed[:-1] == [f"FAILED pm_counters 2026-01-0{day}, counters" for day in (1, 2)]
    assert "3 failed" in result.stdout
    assert telco("check", "--lake", copy, "--datasets", "cdrs_sms").exit_code == 0
    assert telco("check", "--lake", copy, "--start", "2026-01-03").exit_code == 0
    only = ("--datasets", "cdrs_voice,cdrs_ims")
    assert telco("check", "--lake", copy, *only, "--start", "2026-01-02").exit_code == 0
    first = ("--start", "2026-01-01", "--days", 1)
    assert telco("check", "--lake", copy, *only, *first).exit_code == 1


def test_a_lost_day_in_the_range_asked_for_fails(telco: Telco, copy: Path) -> None:
    shutil.rmtree(copy / "cdrs_voice" / "day=2026-01-02")

    range_asked = ("--datasets", "cdrs_voice", "--start", "2026-01-01", "--days", 3)
    result = telco("check", "--lake", copy, *range_asked)

    assert result.exit_code == 1
    assert "missing: cdrs_voice 2026-01-02" in result.stdout


def test_a_lost_static_dataset_fails(telco: Telco, copy: Path) -> None:
    shutil.rmtree(copy / "places")

    result = telco("check", "--lake", copy)

    assert result.exit_code == 1
    assert "gaps: missing: places" in result.stdout


def test_json_lists_every_finding(telco: Telco, small_lake: LakeOnDisk) -> None:
    result = telco(
        *("check", "--lake", small_lake.path, "--datasets", "cdrs_voice,plans"),
        *("--start", "2026-01-02", "--days", 1, "--json"),
    )

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["passed"] is True
    days = {one["day"] for one in report["findings"] if one["dataset"] == "cdrs_voice"}
    assert days == {"2026-01-02"}
    assert {one["dataset"] for one in report["findings"]} >= {"cdrs_voice", "plans"}


def test_json_of_a_failure(telco: Telco, copy: Path) -> None:
    (copy / "cdrs_sms" / "day=2026-01-02" / "_provenance.json").unlink()

    result = telco("check", "--lake", copy, "--datasets", "cdrs_sms", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["passed"] is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--datasets", "cdrs_voce"], ["cdrs_voce", "did you mean"]),
        (["--start", "2027-01-01"], ["no day", "2027-01-01"]),
        (["--start", "x"], ["--start"]),
        (["--days", "0"], ["--days"]),
        (["--world", "other"], ["other", "telco generate", "--world other"]),
    ],
)
def test_wrong_options_are_refused(
    telco: Telco, small_lake: LakeOnDisk, arguments: list[str], words: list[str]
) -> None:
    assert_refused(telco("check", "--lake", small_lake.path, *arguments), *words)


def test_no_lake_is_refused_and_not_made(telco: Telco, tmp_path: Path) -> None:
    assert_refused(telco("check", "--lake", tmp_path / "none"), "no lake", "telco generate")
    assert not (tmp_path / "none").exists()


def test_an_empty_directory_is_refused(telco: Telco, tmp_path: Path) -> None:
    assert_refused(telco("check", "--lake", tmp_path), "no datasets")


def test_a_dataset_that_is_not_there_is_refused(telco: Telco, copy: Path) -> None:
    shutil.rmtree(copy / "cdrs_ims")

    assert_refused(telco("check", "--lake", copy, "--datasets", "cdrs_ims"), "no cdrs_ims")
