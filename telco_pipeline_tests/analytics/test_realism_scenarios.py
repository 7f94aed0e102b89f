"""Rows that come with the scenarios: stories that look real, that do not, and no stories."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline.analytics.realism import ROWS, Report, Verdict, measure
from telco_pipeline.analytics.realism.report import OF_SCENARIOS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline_tests.analytics.planted import DAYS, plant
from telco_pipeline_tests.analytics.staged import RUNG, stage

STORIES = [row.key for row in ROWS if row.excuse == OF_SCENARIOS]
TOLD = [key for key in STORIES if key != "bursts.users.power_law"]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage(tmp_path_factory.mktemp("real") / "lake")


@pytest.fixture(scope="module")
def report(real: Path) -> Report:
    return measure(Lake(real))


@pytest.fixture(scope="module")
def unreal(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Return the report of a lake whose records show nothing of what its truth tells."""
    return measure(Lake(stage(tmp_path_factory.mktemp("unreal") / "lake", real=False)))


@pytest.mark.parametrize("key", TOLD)
def test_a_story_as_it_should_be_is_in_band(report: Report, key: str) -> None:
    row = report.row(key)
    assert row.verdict is Verdict.IN_BAND, (row.value, row.note)


@pytest.mark.parametrize("key", TOLD)
def test_a_story_that_nobody_sees_is_out_of_band(unreal: Report, key: str) -> None:
    row = unreal.row(key)
    assert row.verdict is Verdict.OUT_OF_BAND, (row.value, row.note)


def test_figures_of_the_crowd(report: Report) -> None:
    value = {row.key: row.value for row in report.rows}
    # Sixteen quarters of 5,000 attempts where other Saturdays and days have 1,000.
    assert value["quality.flash_crowd"] == pytest.approx(5)
    usual, crowd = 99.6 * 0.998, 80 * 0.998
    assert value["quality.flash_crowd.setup_first"] == pytest.approx(usual - crowd)
    assert value["quality.flash_crowd.prb"] == 100
    assert report.row("quality.flash_crowd").note.startswith("median of 1 crowds")
    # Five of the six calls of each fan are tries of the same; two more people were there.
    assert report.row("quality.flash_crowd.redials").note.startswith("122 calls")
    assert f"{100 * 100 / 122:.1f} %" in report.row("quality.flash_crowd.redials").note


def test_figures_of_the_frauds(report: Report) -> None:
    value = {row.key: row.value for row in report.rows}
    assert value["fraud.sim_box.sims"] == 8
    assert value["fraud.sim_box.calls"] == pytest.approx(40 / 4.9, rel=0.1)
    assert value["fraud.sim_box.distinct"] == 100
    assert value["fraud.sim_box.incoming"] == 0
    assert value["fraud.irsf.tests"] == 100
    assert value["fraud.irsf.night"] == pytest.approx(100 * 20 / 22)
    assert value["fraud.wangiri.ring"] == pytest.approx(5)
    assert value["fraud.wangiri.called"] == len(RUNG)
    # Who calls such a number without having been rung does not call back.
    assert value["fraud.wangiri.call_back"] == pytest.approx(100 * 2 / len(RUNG))
    assert value["fraud.wangiri.holds"] == pytest.approx(2.5)
    assert value["fraud.takeover.change"] == 100
    assert value["fraud.takeover.place"] == 100


def test_look_alikes_are_left_out(report: Report) -> None:
    assert "8 SIMs that share devices" in report.row("fraud.sim_box.static").note


def test_the_laws_of_gaps_count_where_there_is_fraud(report: Report) -> None:
    row = report.row("bursts.users.power_law")
    assert row.counted
    assert not row.excuse
    assert row.value is not None


def test_a_world_without_layers_has_none_of_them(tmp_path: Path) -> None:
    lake = plant(tmp_path / "lake")
    plain = measure(Lake(lake))
    for key in STORIES:
        row = plain.row(key)
        assert row.verdict is Verdict.NOT_COUNTED
        assert row.excuse == OF_SCENARIOS
    assert plain.row("fraud.irsf.long").note.startswith("no layers in this world")
    assert len(plain.counted()) == len(ROWS) - len(STORIES)


def test_truth_without_records_of_the_kind_does_not_count(tmp_path: Path, real: Path) -> None:
    lake = shutil.copytree(real, tmp_path / "lake")
    for name in ("truth_incidents", "truth_entities"):
        for file in (lake / name).glob("day=*/*.parquet"):
            kept = pl.read_parquet(file, hive_partitioning=False)
            kept.filter(pl.col("incident_id") == 4).write_parquet(file)
    report = measure(Lake(lake))
    assert report.row("fraud.wangiri.call_back").counted
    for key in ("fraud.sim_box.sims", "fraud.irsf.night", "fraud.takeover.bank"):
        assert report.row(key).verdict is Verdict.NOT_COUNTED
        assert report.row(key).note.endswith("in these days")
    assert report.row("quality.flash_crowd").note == "no crowd in these days"


def test_days_without_truth_do_not_count(tmp_path: Path, real: Path) -> None:
    lake = shutil.copytree(real, tmp_path / "lake")
    shutil.rmtree(lake / "truth_entities" / f"day={DAYS[4]}")
    report = measure(Lake(lake))
    assert not any(report.row(key).counted for key in STORIES)
    assert "no truth of these days" in report.row("fraud.sim_box.sims").note


def test_an_incident_from_before_the_days_is_known(real: Path) -> None:
    late = measure(Lake(real), DAYS[4:])
    assert late.row("fraud.sim_box.sims").value == 8
    # The wave was over by then, the takeover and the crowd are still to come.
    assert late.row("fraud.wangiri.ring").verdict is Verdict.NOT_COUNTED
    assert late.row("quality.flash_crowd").counted
    # A crowd that is cut off by the end of the days says nothing.
    assert not measure(Lake(real), DAYS[:5]).row("quality.flash_crowd").counted


def test_truth_of_somebody_unknown_is_refused(tmp_path: Path, real: Path) -> None:
    lake = shutil.copytree(real, tmp_path / "lake")
    file = lake / "truth_entities" / f"day={DAYS[2]}" / "part-00000.parquet"
    rows = pl.read_parquet(file, hive_partitioning=False)
    rows.with_columns(subscriber_id=pl.lit(1, pl.Int64)).write_parquet(file)
    with pytest.raises(TelcoError, match="does not have"):
        measure(Lake(lake))


def test_parameters_name_no_layer(real: Path) -> None:
    """What the rows are found by stands in the effects: the layer's name is never read."""
    told = pl.read_parquet(real / "truth_incidents" / f"day={DAYS[2]}" / "part-00000.parquet")
    assert "layer" not in told.columns
    assert json.loads(told["parameters"][0])[0]["effects"][0]["who"] == "them"
