"""`telco scenarios`: lists, shows and checks files."""

from pathlib import Path

import yaml

from telco_pipeline.settings import load_world
from telco_pipeline_tests.cli.conftest import Telco, assert_refused

WORLD = Path(__file__).parents[2] / "scenarios" / "world.yaml"


def test_list_names_the_world_and_says_that_there_are_no_layers(telco: Telco) -> None:
    result = telco("scenarios", "list")

    assert result.exit_code == 0
    assert load_world(WORLD).world_hash in result.stdout
    assert "No layers" in result.stdout


def test_list_says_that_layer_files_are_not_read(telco: Telco, tmp_path: Path) -> None:
    (tmp_path / "world.yaml").write_text(WORLD.read_text())
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "storm.yaml").write_text("name: storm\n")

    result = telco("scenarios", "list", "--world-file", tmp_path / "world.yaml")

    assert result.exit_code == 0
    assert "storm" in result.stdout
    assert "not read" in result.stdout


def test_show_world_prints_what_loads_to_the_same_world(telco: Telco, tmp_path: Path) -> None:
    result = telco("scenarios", "show", "world")

    assert result.exit_code == 0
    assert yaml.safe_load(result.stdout)["seed"] == 42
    copy = tmp_path / "copy.yaml"
    copy.write_text(result.stdout)
    assert load_world(copy).world_hash == load_world(WORLD).world_hash


def test_show_of_an_unknown_name_is_refused(telco: Telco) -> None:
    assert_refused(telco("scenarios", "show", "wrld"), "wrld", "did you mean world")


def test_validate(telco: Telco) -> None:
    result = telco("scenarios", "validate")

    assert result.exit_code == 0
    assert "a sound world" in result.stdout


def test_validate_refuses_a_wrong_file(telco: Telco, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(WORLD.read_text().replace("seed: 42", "seed: forty-two"))

    assert_refused(telco("scenarios", "validate", wrong), "wrong.yaml", "seed")


def test_validate_refuses_what_is_not_there(telco: Telco) -> None:
    assert_refused(telco("scenarios", "validate", "nowhere.yaml"), "nowhere.yaml")


def test_validate_of_a_layer_says_that_there_is_no_language_yet(
    telco: Telco, tmp_path: Path
) -> None:
    layer = tmp_path / "layers" / "storm.yaml"
    layer.parent.mkdir()
    layer.write_text("name: storm\n")

    assert_refused(telco("scenarios", "validate", layer), "no scenario layers yet")
