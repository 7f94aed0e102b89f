"""The whole operator, tiny and real: rows are made, checked, counted and drawn."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from telco_pipeline import lineage, pictures, runs
from telco_pipeline.assets.metadata import PREVIEW_ROWS
from telco_pipeline.causality import CHAINS
from telco_pipeline.contracts import DAILY_DATASETS, DATASETS, STATIC_DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.integrity import WHOLE_LAKE
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline_tests.shell.kit import ephemeral, tiny_world

DAYS = [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]

Book = dict[str, dict[str, dict[str, Any]]]
"""What Dagster shows of each partition of each dataset; of a static one, the key is ''."""
Made = tuple[Path, runs.RunSummary, Book]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Run the operator once, and keep what Dagster's book says."""
    root = tmp_path_factory.mktemp("operator")
    book: Book = {}
    with ephemeral() as instance:
        summary = runs.run_operator(tiny_world(), root, days=2, instance=instance)
        for name in DATASETS:
            records = instance.fetch_materializations(dg.AssetKey(name), limit=9).records
            book[name] = {
                record.partition_key or "": {
                    key: told.value for key, told in record.asset_materialization.metadata.items()
                }
                for record in records
                if record.asset_materialization
            }
    return root, summary, book


def test_all_is_made_and_passes(made: Made) -> None:
    _, summary, _ = made
    assert summary.success, (summary.failures, summary.findings)
    assert [each.dataset for each in summary.datasets] == list(DATASETS)
    checked = {(finding.dataset, finding.day) for finding in summary.findings}
    assert checked == {(name, None) for name in (*STATIC_DATASETS, WHOLE_LAKE)} | {
        (name, day) for name in DAILY_DATASETS for day in DAYS
    }
    compared = [each.check for each in summary.findings if each.dataset == WHOLE_LAKE]
    assert compared == list(CHAINS)
    references = {each.dataset for each in summary.findings if each.check == "foreign_keys"}
    assert references == {name for name, dataset in DATASETS.items() if dataset.foreign_keys}


def test_the_book_and_the_lake_agree(made: Made) -> None:
    root, _, book = made
    lake = Lake(root)
    for name, dataset in DATASETS.items():
        days = DAYS if dataset.daily else [None]
        told = {key: shown["dagster/row_count"] for key, shown in book[name].items()}
        assert told == {str(day or ""): lake.rows(name, day) for day in days}, name
    assert len({shown["dagster/row_count"] for shown in book["cdrs_data"].values()}) == 2


def test_every_dataset_has_a_picture(made: Made) -> None:
    """Of the newest day, as it shows in the UI."""
    root, _, book = made
    assert set(pictures.PANELS) == set(DATASETS)
    lake = Lake(root)
    for name, dataset in DATASETS.items():
        day = DAYS[-1] if dataset.daily else None
        shown = book[name][str(day or "")]
        assert len(shown["preview"].records) == min(lake.rows(name, day), PREVIEW_ROWS)
        if lake.rows(name, day):
            assert shown["picture"].startswith(f"![{name}")
            assert len(shown["picture"]) < 200_000, "metadata must stay small"
        else:
            assert "picture" not in shown


def test_state_is_made_in_order_of_time(made: Made, tmp_path: Path) -> None:
    """Whatever the order in which its days are asked for; none without the one before."""
    root = tmp_path / "lake"
    shutil.copytree(made[0], root)
    config, lake, told = tiny_world(), Lake(root), []
    before = {day: lake.provenance("subscriber_state", day) for day in DAYS}
    for day in DAYS:
        shutil.rmtree(lake.directory("subscriber_state", day))
    with pytest.raises(TelcoError, match=f"no subscriber_state of {DAYS[0]} yet"):
        produce(config, lake, "subscriber_state", [DAYS[1]])
    again = produce(
        config, lake, "subscriber_state", DAYS[::-1], progress=lambda one: told.append(one.day)
    )
    assert told == DAYS
    assert {one.day: one.content_hash for one in again} == {
        day: record.content_hash for day, record in before.items() if record
    }


def test_broken_rows_stop_what_is_made_from_them(made: Made, tmp_path: Path) -> None:
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
