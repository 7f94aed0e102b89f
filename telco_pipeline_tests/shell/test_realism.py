"""The realism report in Dagster: the asset, its metadata, one warning check per row that counts."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from telco_pipeline import reporting, runs
from telco_pipeline.analytics.realism import ROWS, Report, Row
from telco_pipeline.assets import metadata
from telco_pipeline.assets.realism import config_of, sources
from telco_pipeline.checks.realism import checked_rows, promise
from telco_pipeline.contracts import DAILY_DATASETS
from telco_pipeline.definitions import build_defs
from telco_pipeline.lake import Lake
from telco_pipeline.lake.worlds import LakeWorld
from telco_pipeline_tests.shell.kit import ephemeral, failures, operation, run_job, tiny_world

DAYS = [dt.date(2026, 1, 1) + dt.timedelta(days=offset) for offset in range(8)]
BAD = "calls.answered"
EMPTY = "care.first_contact"
STORY = "fraud.wangiri.call_back"
REPORT = dg.AssetKey("realism_report")
PNG = b"\x89PNG not really"

KEYS = Path(__file__).with_name("realism_checks.txt")
"""A snapshot of the checks: a name that goes or comes ends a history in Dagster."""


def good(row: Row) -> float:
    low, high = row.band
    return low if low is not None else high if high is not None else 0.0


def report_of(root: Path) -> Report:
    """Return a report in which every row is in band but one, and one that has no data.

    One of those that come with the scenarios counts, in band.
    """
    rows = [row.measured(good(row), "on 7 users") for row in ROWS]
    rows = [replace(row, value=3.0) if row.key == BAD else row for row in rows]
    rows = [replace(row, value=None) if row.key == EMPTY else row for row in rows]
    rows = [row.counting() if row.key == STORY else row for row in rows]
    held = Lake(root).held_world()
    assert held is not None
    return Report(held.world_hash, 42, 2000, tuple(DAYS), 1.5, 12345, tuple(rows), ())


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a lake in which measuring is quick: the report is made up, all else is real."""
    root = tmp_path / "lake"
    config = tiny_world()
    LakeWorld("main", config.seed, config.world_hash, None, {}).write(root)
    monkeypatch.setattr(reporting, "_days_there", lambda lake: DAYS)
    monkeypatch.setattr(reporting, "make", lambda lake, days, progress: report_of(root))
    monkeypatch.setattr(reporting, "pictures_of", lambda report: {"rhythm": PNG})
    return root


def defs_for(root: Path, **changes: object) -> dg.Definitions:
    return build_defs(overrides={"operator": operation(root, **changes)})


def test_the_job_makes_the_report_and_its_checks(lake: Path) -> None:
    with ephemeral() as instance:
        result = run_job(defs_for(lake), "realism", instance)
        assert result.success, failures(result)
        told = {
            name: value.value
            for name, value in result.asset_materializations_for_node("realism_report")[
                0
            ].metadata.items()
        }
        checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    counted = [row for row in checked_rows() if row.counted or row.key == STORY]
    assert told["rows_counted"] == len(counted)
    assert told["rows_in_band"] == len(counted) - 2
    assert told["share_in_band"] == pytest.approx(1 - 2 / len(counted), abs=1e-4)
    assert len(told["rows"].records) == len(ROWS)
    assert told["plots: rhythm"].startswith("![rhythm](data:image/png;base64,")
    assert told["days"] == "2026-01-01 to 2026-01-08"
    assert (lake / "_reports" / "realism" / "realism.md").is_file()
    assert set(checks) == {row.check_name for row in checked_rows()}
    failed = {name for name, each in checks.items() if not each.passed}
    assert failed == {"calls_answered", "care_first_contact"}
    assert {each.severity for each in checks.values()} == {dg.AssetCheckSeverity.WARN}
    assert checks["calls_answered"].description == "3 % is out of the band 65 – 80 %"
    assert checks["calls_answered"].metadata["value"].value == 3.0
    assert "do not suffice" in str(checks["care_first_contact"].description)
    assert checks["fraud_wangiri_call_back"].description is None
    told_of_boxes = str(checks["fraud_sim_box_sims"].description)
    assert told_of_boxes.startswith("not counted: comes with the scenarios")


def test_one_check_for_each_row_that_may_count(lake: Path) -> None:
    (checks,) = [
        each
        for each in defs_for(lake).asset_checks or []
        if any(spec.asset_key == REPORT for spec in each.check_specs)
    ]
    names = sorted(spec.name for spec in checks.check_specs)
    assert names == sorted(row.check_name for row in ROWS if row.may_count)
    assert names == KEYS.read_text().split()


def test_a_check_says_target_band_and_source() -> None:
    row = next(row for row in ROWS if row.key == "calls.missed.followed")
    told = promise(row)
    for words in (row.title, row.target, row.band_text(), row.tolerance, row.source):
        assert words in told
    assert all(promise(row).endswith(".") and ".." not in promise(row) for row in checked_rows())


def test_checks_need_a_report_of_this_world(lake: Path) -> None:
    job = dg.define_asset_job("checks", selection=dg.AssetSelection.checks_for_assets(REPORT))
    defs = dg.Definitions.merge(defs_for(lake), dg.Definitions(jobs=[job]))
    with ephemeral() as instance:
        (none,) = failures(run_job(defs, "checks", instance)).values()
        assert "no realism report yet" in none
        place = lake / "_reports" / "realism"
        place.mkdir(parents=True)
        (place / "realism.json").write_text(json.dumps({"world_hash": "else", "rows": []}))
        (other,) = failures(run_job(defs, "checks", instance)).values()
        assert "another world" in other


def test_days_of_the_run_configuration(lake: Path) -> None:
    with ephemeral() as instance:
        wrong = run_job(
            defs_for(lake), "realism", instance, run_config=config_of(DAYS[0], len(DAYS) + 1)
        )
        assert "8 of these 9 days" in failures(wrong)["realism_report"]
        for days in (0, -3):
            wrong = run_job(
                defs_for(lake), "realism", instance, run_config=config_of(DAYS[0], days)
            )
            told = f"{days} days are too few to measure realism: ask for 7 or more"
            assert told in failures(wrong)["realism_report"]


def test_another_world_is_for_the_command(lake: Path) -> None:
    with ephemeral() as instance:
        result = run_job(defs_for(lake, world="calm"), "realism", instance)
        assert "telco realism --world calm" in failures(result)["realism_report"]


def test_it_is_no_part_of_other_jobs(lake: Path) -> None:
    defs = defs_for(lake)
    for name in ("operate", "build_world", "make_records", "what_if"):
        assert not any("realism" in node.name for node in defs.resolve_job_def(name).nodes), name
    assert {node.name for node in defs.resolve_job_def("realism").nodes} == {
        "realism_report",
        "realism_report_checks",
    }


def test_it_hangs_on_what_it_looks_at() -> None:
    looked_at = {*reporting.RECORDS, "subscribers", "truth_incidents", "truth_entities"}
    assert looked_at <= set(sources())
    assert "network_logs" in DAILY_DATASETS
    assert "network_logs" not in sources()


def test_a_real_report_of_a_small_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing made up: 1,000 subscribers over a week, measured, judged, drawn, written, checked."""
    # Only what the UI shows of each dataset is left out, which another test looks at.
    monkeypatch.setattr(
        metadata, "impressions", lambda one, _, report: metadata.figures(one, report)
    )
    config = tiny_world(subscribers=reporting.FEWEST_SUBSCRIBERS)
    records = list(reporting.RECORDS)
    days = reporting.FEWEST_DAYS
    with ephemeral() as instance:
        made = runs.run_operator(config, tmp_path, datasets=records, days=days, instance=instance)
        assert made.success, made.failures
        assert runs.run_report(config, tmp_path, config.epoch, days, instance=instance) == []
        (record,) = instance.fetch_materializations(REPORT, limit=2).records
    materialization = record.asset_materialization
    assert materialization is not None
    told = materialization.metadata
    found = [one.row for one in reporting.read(Lake(tmp_path)) if one.row.counted]
    measured = [row for row in found if row.value is not None]
    assert len(measured) > 0.8 * len(found)
    in_band = sum(row.in_band is True for row in found)
    assert told["rows_in_band"].value == in_band > 0.3 * len(found)
    pictures = sorted((tmp_path / "_reports" / "realism" / "img").iterdir())
    assert len(pictures) >= 4
    assert all(0 < file.stat().st_size <= reporting.LARGEST_PICTURE for file in pictures)
    assert sum(len(str(value.value)) for value in told.values()) < 600_000, "small metadata"
