"""Run configuration: from words to the operator that a run works for."""

from pathlib import Path

import pytest

from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import OperatorConfig, chosen_layers, layer_names
from telco_pipeline_tests.shell.kit import Recorder, ephemeral, failures, recorder, run_job

__all__ = ["recorder"]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TELCO_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("TELCO_WORKERS", "3")
    return tmp_path / "lake"


def test_defaults_come_from_the_environment(lake: Path) -> None:
    operation = OperatorConfig().operation()
    assert operation.lake.root == lake
    assert operation.workers == 3
    assert operation.main


def test_another_world_lies_beside(lake: Path) -> None:
    operation = OperatorConfig(world="twin", seed=7, subscribers=300).operation()
    assert not operation.main
    assert (operation.config.seed, operation.config.subscribers) == (7, 300)
    assert operation.lake.directory("plans") == lake / "_worlds" / "twin" / "plans"


@pytest.mark.parametrize("changes", [{"seed": 7}, {"subscribers": 300}])
def test_the_main_world_is_not_changed_by_a_run(lake: Path, changes: dict[str, int]) -> None:
    with pytest.raises(TelcoError, match="`world`"):
        OperatorConfig(**changes).operation()


def test_layers(tmp_path: Path) -> None:
    (tmp_path / "layers").mkdir()
    for name in ("storm", "fraud"):
        (tmp_path / "layers" / f"{name}.yaml").write_text("")
    known = layer_names(tmp_path)
    assert known == ("fraud", "storm")
    assert chosen_layers(["all"], known) == known
    assert chosen_layers(["none"], known) == ()
    assert chosen_layers(["storm"], known) == ("storm",)
    with pytest.raises(TelcoError, match="'strom'"):
        chosen_layers(["strom"], known)
    with pytest.raises(TelcoError, match="none yet"):
        chosen_layers(["storm"], ())


def test_run_configuration_reaches_the_run(lake: Path, recorder: Recorder) -> None:
    config = {"resources": {"operator": {"config": {"world": "twin", "seed": 7}}}}
    with ephemeral() as instance:
        days = ("2026-01-01", "2026-01-01")
        result = run_job(build_defs(), "what_if", instance, days, run_config=config)
    assert result.success, failures(result)
    assert {world for _, _, world in recorder.asked} == {"twin"}


def test_wrong_run_configuration_is_told(lake: Path, recorder: Recorder) -> None:
    config = {"resources": {"operator": {"config": {"seed": 7}}}}
    with ephemeral() as instance:
        result = run_job(build_defs(), "build_world", instance, run_config=config)
        log = " ".join(str(event.event_specific_data) for event in result.all_events)
    assert not result.success
    assert "would change the main world" in log
    assert recorder.made == []
