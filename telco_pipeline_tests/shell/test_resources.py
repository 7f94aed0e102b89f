"""Run configuration: from words to the operator that a run works for."""

from pathlib import Path

import pytest

from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import OperatorConfig
from telco_pipeline.scenarios.editing import skeleton, turned
from telco_pipeline.settings import DEFAULT_WORLD_FILE
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


@pytest.fixture
def layers(lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two layers beside a world file, of which one is off."""
    world = tmp_path / "operator" / "world.yaml"
    (world.parent / "layers").mkdir(parents=True)
    world.write_text(DEFAULT_WORLD_FILE.read_text())
    for number, name in enumerate(("storm", "fraud"), start=1):
        text = skeleton(name, "network", number)
        text = turned(text, on=name == "storm")
        (world.parent / "layers" / f"{name}.yaml").write_text(text)
    monkeypatch.setenv("TELCO_WORLD", str(world))
    return world


@pytest.mark.parametrize(
    ("asked", "on"),
    [
        (["all"], ["storm"]),
        (["none"], []),
        ([], []),
        (["fraud", "storm"], ["fraud", "storm"]),
        (["fraud"], ["fraud"]),
    ],
)
def test_layers_are_chosen(layers: Path, asked: list[str], on: list[str]) -> None:
    operation = OperatorConfig(world="twin", layers=asked).operation()
    assert list(operation.config.layers) == on


def test_all_enabled_layers_are_on_in_the_main_world(layers: Path) -> None:
    config = OperatorConfig().operation().config
    assert list(config.layers) == ["storm"]
    assert OperatorConfig(layers=["storm"]).operation().config == config


def test_the_main_world_keeps_its_layers(layers: Path) -> None:
    with pytest.raises(TelcoError, match=r"layers \[none\] would change the main world"):
        OperatorConfig(layers=["none"]).operation()


def test_unknown_layers_are_refused(layers: Path) -> None:
    with pytest.raises(TelcoError, match="did you mean 'storm'"):
        OperatorConfig(world="twin", layers=["strom"]).operation()


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
