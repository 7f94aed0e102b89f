"""The job `counterfactual`: a paired world from the UI, with its report as metadata."""

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from telco_pipeline.assets import counterfactual as job
from telco_pipeline.contracts import STATIC_DATASETS
from telco_pipeline.contracts.state import HISTORY
from telco_pipeline.definitions import build_defs
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline_tests.paired_worlds import deed, layer, people
from telco_pipeline_tests.shell.kit import ephemeral, failures, run_job, tiny_world

MADE = (*HISTORY, "cdrs_voice")
LAYERS = {
    "talks": layer(1, people(10), deed("usage", calls=6)),
    "asked": layer(2, people(60), deed("offer", what="upgrade", lift=0.5, control=0.5), lasts="2d"),
    "later": layer(3, people(10), deed("usage", calls=2), first="20d"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a lake with some datasets of three days of a world with layers."""
    path = tmp_path_factory.mktemp("job") / "lake"
    config, lake = with_layers(tiny_world(), LAYERS), Lake(path)
    for name in STATIC_DATASETS:
        produce(config, lake, name)
    for name in MADE:
        produce(config, lake, name, [config.epoch + dt.timedelta(days=n) for n in range(3)])
    return path


def _run(root: Path, instance: dg.DagsterInstance, **told: Any) -> dg.ExecuteInProcessResult:
    config = {"lake": str(root), "workers": 1, **told}
    return run_job(
        build_defs(pool=None),
        job.NAME,
        instance,
        run_config={"resources": {"operator": {"config": config}}},
    )


def _outputs(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    """Return what each step tells of its output."""
    return {
        event.step_key or "": {
            key: value.value for key, value in event.step_output_data.metadata.items()
        }
        for event in result.all_events
        if event.event_type_value == "STEP_OUTPUT"
    }


def test_it_makes_the_paired_world_and_tells_what_the_layers_did(root: Path) -> None:
    with ephemeral() as instance:
        result = _run(root, instance, without=["talks", "asked"])
        assert result.success, failures(result)
        told = _outputs(result)
        observed = instance.fetch_observations(dg.AssetKey(["scenarios", "asked"]), limit=2)
        # Dagster's book stays that of the main world.
        assert instance.get_latest_materialization_event(dg.AssetKey("cdrs_voice")) is None
    main, other = Lake(root), Lake(root, "without-asked-talks")
    days = main.days("cdrs_voice")
    for name in MADE:
        own = [day for day in days if main.directory(name, day) != other.directory(name, day)]
        assert own == days[1:]
    assert told["make_cdrs_voice"]["rows"] == sum(other.rows("cdrs_voice", day) for day in days[1:])
    assert "rows" not in told["make_cdrs_sms"]  # the main world has none

    shown = told[job.REPORT]
    effects = {row.data["figure"]: row.data for row in shown["effects"].records}
    rows = [sum(lake.rows("cdrs_voice", day) for day in days[1:]) for lake in (main, other)]
    assert effects["calls tried"]["effect"] > 0
    assert rows[0] > rows[1]
    reach = {row.data["dataset"]: row.data for row in shown["reach"].records}
    assert reach["cdrs_voice"]["rows"] == rows[0]
    assert 0 < reach["cdrs_voice"]["in reach"] < rows[0]
    assert "identity_changes" not in reach or reach["identity_changes"]["rows"] > 0
    (campaign,) = [row.data for row in shown["uplift"].records]
    assert campaign["campaign"] == "asked 1"
    assert shown["effects_by_day"].startswith("![effects](data:image/png;base64,")
    assert "of the records of subscribers are in reach" in shown["bound"]
    people_of = pl.read_parquet(Path(shown["path"]) / "people.parquet")
    assert people_of.height == shown["people"] >= 10
    (seen,) = observed.records
    assert seen.asset_observation is not None
    assert seen.asset_observation.metadata["without"].value == "talks, asked"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"without": ["tolks"]},
            "layer 'tolks' is not on in this world: talks, asked, later are; did you mean 'talks'?",
        ),
        ({"without": ["talks"], "seed": 7}, "so seed cannot be given too"),
        ({"without": ["talks"], "world": "calm", "layers": ["none"]}, "so world, layers cannot"),
    ],
)
def test_wrong_run_configuration_is_told(root: Path, told: dict[str, Any], words: str) -> None:
    with ephemeral() as instance:
        result = _run(root, instance, **told)
        log = " ".join(str(event.event_specific_data) for event in result.all_events)
        run = instance.get_run_by_id(result.run_id)
    assert not result.success
    assert words in log
    # Dagster would run it again: what resources raise counts as a fault of the process.
    assert run is not None
    assert run.tags["dagster/max_retries"] == "0"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"without": []}, "name them in the run configuration"),
        ({"without": ["later"]}, "no incident of later begins by 2026-01-03"),
    ],
)
def test_what_cannot_be_paired_is_told_by_the_first_step(
    root: Path, told: dict[str, Any], words: str
) -> None:
    with ephemeral() as instance:
        result = _run(root, instance, **told)
    assert words in failures(result)["make_network_faults"]


def test_a_lake_without_a_world_is_told(tmp_path: Path) -> None:
    with ephemeral() as instance:
        result = _run(tmp_path / "nothing", instance, without=["all"])
        log = " ".join(str(event.event_specific_data) for event in result.all_events)
    assert not result.success
    assert "holds no world: make one first" in log


def test_too_wide_a_reach_fails_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telco_pipeline.reach.measure.BOUND", 0.0)
    with ephemeral() as instance:
        result = _run(root, instance, without=["talks"])
    found = failures(result)
    assert list(found) == [job.REPORT]
    assert "above the bound of 0%" in found[job.REPORT]
