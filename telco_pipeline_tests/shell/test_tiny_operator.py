"""The whole operator, tiny and real: rows are made, checked, counted and drawn."""

import datetime as dt
import shutil
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from telco_pipeline import lineage, pictures, runs
from telco_pipeline.contracts import DAILY_DATASETS, DATASETS, STATIC_DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline_tests.shell.kit import ephemeral, tiny_world

BRUSSELS = ZoneInfo("Europe/Brussels")
DAYS = [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, runs.RunSummary, dict[str, int]]:
    """Run the operator once, and keep what Dagster's book says of one dataset."""
    root = tmp_path_factory.mktemp("operator")
    with ephemeral() as instance:
        summary = runs.run_operator(tiny_world(), root, days=2, instance=instance)
        records = instance.fetch_materializations(dg.AssetKey("cdrs_data"), limit=9).records
        book = {
            str(record.partition_key): record.asset_materialization.metadata[
                "dagster/row_count"
            ].value
            for record in records
            if record.asset_materialization
        }
    return root, summary, book


def test_all_is_made_and_passes(made: tuple[Path, runs.RunSummary, dict[str, int]]) -> None:
    _, summary, _ = made
    assert summary.success, (summary.failures, summary.findings)
    assert [each.dataset for each in summary.datasets] == list(DATASETS)
    checked = {(finding.dataset, finding.day) for finding in summary.findings}
    assert checked == {(name, None) for name in STATIC_DATASETS} | {
        (name, day) for name in DAILY_DATASETS for day in DAYS
    }
    references = {each.dataset for each in summary.findings if each.check == "foreign_keys"}
    assert references == {name for name, dataset in DATASETS.items() if dataset.foreign_keys}


def test_the_book_and_the_lake_agree(made: tuple[Path, runs.RunSummary, dict[str, int]]) -> None:
    root, _, book = made
    lake = Lake(root)
    assert book == {str(day): lake.read("cdrs_data", day, day).height for day in DAYS}
    assert len(set(book.values())) == 2


def test_every_dataset_has_a_picture(made: tuple[Path, runs.RunSummary, dict[str, int]]) -> None:
    root, _, _ = made
    assert set(pictures.PANELS) == set(DATASETS)
    lake = Lake(root)
    for name, dataset in DATASETS.items():
        day = DAYS[0] if dataset.daily else None
        picture = pictures.draw(lake, name, day, BRUSSELS)
        if lake.rows(name, day):
            assert picture is not None
            assert picture.startswith(f"![{name}")
            assert len(picture) < 200_000, "metadata must stay small"
        else:
            assert picture is None


def test_broken_rows_stop_what_is_made_from_them(
    made: tuple[Path, runs.RunSummary, dict[str, int]], tmp_path: Path
) -> None:
    """A file that changed after its commit is found by the checks of its dataset alone."""
    root = tmp_path / "lake"
    shutil.copytree(made[0], root)
    (file,) = Lake(root).files("plans")
    file.write_bytes(file.read_bytes()[:-1])
    defs_job = dg.define_asset_job(
        "again", selection=dg.AssetSelection.checks_for_assets(dg.AssetKey("plans"))
    )
    with ephemeral() as instance:
        from telco_pipeline.definitions import build_defs
        from telco_pipeline_tests.shell.kit import operation, run_job

        defs = build_defs(overrides={"operator": operation(root)})
        merged = dg.Definitions.merge(defs, dg.Definitions(jobs=[defs_job]))
        result = run_job(merged, "again", instance)
    assert not result.success
    assert "provenance" in {
        each.check_name for each in result.get_asset_check_evaluations() if not each.passed
    }


def test_the_order_of_making_is_one() -> None:
    seen: set[str] = set()
    for name in DATASETS:
        assert set(lineage.sources_of(name)) <= seen, f"{name} comes before what it is made from"
        seen.add(name)
    for name in DAILY_DATASETS:
        before = set(lineage.sources_of(name))
        assert before.union(*(lineage.ancestors_of(each) for each in before)) >= set(
            STATIC_DATASETS
        )
