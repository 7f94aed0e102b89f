"""What is taken from Dagster's private modules is still there, and still means the same."""

from importlib import import_module
from inspect import signature
from pathlib import Path

import dagster as dg

from telco_pipeline import dagster_private


def test_all_that_is_named_is_there() -> None:
    assert set(dagster_private.__all__) == {
        name
        for name, value in vars(dagster_private).items()
        if name.isupper() or getattr(value, "__module__", "").startswith("dagster._")
    }


def test_tags_of_a_range() -> None:
    """They are what runs in the storage of an instance bear, so their values may not change."""
    assert dagster_private.ASSET_PARTITION_RANGE_START_TAG == "dagster/asset_partition_range_start"
    assert dagster_private.ASSET_PARTITION_RANGE_END_TAG == "dagster/asset_partition_range_end"


def test_what_runs_are_called_and_marked_with() -> None:
    assert dagster_private.IMPLICIT_ASSET_JOB_NAME == "__ASSET_JOB"
    assert dagster_private.WILL_RETRY_TAG == "dagster/will_retry"


def test_a_job_that_is_defined_is_of_that_type() -> None:
    job = dg.define_asset_job("any", selection=dg.AssetSelection.all())
    assert type(job) is dagster_private.UnresolvedAssetJobDefinition


def test_an_instance_is_made_from_a_directory(tmp_path: Path) -> None:
    assert {"base_dir", "overrides"} <= set(
        signature(dagster_private.InstanceRef.from_dir).parameters
    )
    ref = dagster_private.InstanceRef.from_dir(str(tmp_path), overrides=dagster_private.NO_CAPTURE)
    with dg.DagsterInstance.from_ref(ref) as instance:
        assert instance.root_directory == str(tmp_path)
        assert type(instance.compute_log_manager).__name__ == "NoOpComputeLogManager"


def test_nothing_is_captured() -> None:
    named = dagster_private.NO_CAPTURE["compute_logs"]
    assert set(named) == {"module", "class", "config"}
    assert isinstance(getattr(import_module(named["module"]), named["class"]), type)
