"""`telco scenarios`: lists, shows, checks, writes, turns on and off, previews."""

import json
import os
from pathlib import Path

import pytest
import yaml

from telco_pipeline.scenarios.language import KINDS
from telco_pipeline.scenarios.loading import load_layer
from telco_pipeline.settings import load_world
from telco_pipeline_tests.cli.conftest import Telco, assert_refused

WORLD = Path(__file__).parents[2] / "scenarios" / "world.yaml"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A world of its own, that the environment names, with no layers yet."""
    file = tmp_path / "operator" / "world.yaml"
    file.parent.mkdir()
    file.write_text(WORLD.read_text())
    return file


@pytest.fixture
def telco_there(telco: Telco, world: Path, monkeypatch: pytest.MonkeyPatch) -> Telco:
    """The command, in a world of its own."""
    monkeypatch.setenv("TELCO_WORLD", str(world))
    return telco


def layer_of(world: Path, name: str) -> Path:
    return world.parent / "layers" / f"{name}.yaml"


class TestList:
    def test_names_the_world_and_says_that_there_are_no_layers(self, telco_there: Telco) -> None:
        result = telco_there("scenarios", "list")

        assert result.exit_code == 0
        assert load_world(WORLD).world_hash in result.stdout
        assert "No layers" in result.stdout

    def test_tells_each_layer_in_a_line(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")
        telco_there("scenarios", "new", "win_back", "--kind", "marketing")
        telco_there("scenarios", "off", "storm")

        result = telco_there("scenarios", "list")

        lines = result.stdout.splitlines()
        storm = next(line.split() for line in lines if line.strip().startswith("storm"))
        assert storm[:7] == ["storm", "1", "network", "off", "0.5", "2026-01-08", "18:00"]
        assert storm[7:] == ["2", "every", "2", "weeks", "Storm"]
        back = next(line.split() for line in lines if line.strip().startswith("win_back"))
        assert back[:4] == ["win_back", "2", "marketing", "on"]

    def test_tells_what_is_wrong_with_a_layer(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")
        file = layer_of(world, "storm")
        file.write_text(file.read_text().replace("kind: network", 'kind: "[red]weather"'))

        result = telco_there("scenarios", "list")

        assert result.exit_code == 0
        assert "wrong" in result.stdout
        assert "kind: must be one of" in " ".join(result.stdout.split())


class TestShow:
    def test_world_prints_what_loads_to_the_same_world(self, telco: Telco, tmp_path: Path) -> None:
        result = telco("scenarios", "show", "world")

        assert result.exit_code == 0
        assert yaml.safe_load(result.stdout)["seed"] == 42
        copy = tmp_path / "copy.yaml"
        copy.write_text(result.stdout)
        assert load_world(copy).world_hash == load_world(WORLD).world_hash

    def test_a_layer_is_shown_as_it_stands(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")

        result = telco_there("scenarios", "show", "storm")

        assert result.stdout == layer_of(world, "storm").read_text()

    def test_an_unknown_name_is_refused(self, telco: Telco) -> None:
        assert_refused(telco("scenarios", "show", "wrld"), "wrld", "did you mean world")


class TestValidate:
    def test_the_world_and_all_layers(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")

        result = telco_there("scenarios", "validate")

        assert result.exit_code == 0
        assert "a sound world" in result.stdout
        assert "storm.yaml: a sound layer, number 1" in result.stdout

    def test_a_layer_anywhere(self, telco_there: Telco, world: Path, tmp_path: Path) -> None:
        telco_there("scenarios", "new", "storm")
        elsewhere = tmp_path / "elsewhere.yaml"
        elsewhere.write_text(layer_of(world, "storm").read_text())

        assert "a sound layer" in telco_there("scenarios", "validate", elsewhere).stdout

    def test_a_wrong_world_is_refused(self, telco: Telco, tmp_path: Path) -> None:
        wrong = tmp_path / "wrong.yaml"
        wrong.write_text(WORLD.read_text().replace("seed: 42", "seed: forty-two"))

        assert_refused(telco("scenarios", "validate", wrong), "wrong.yaml", "seed")

    def test_what_is_not_there_is_refused(self, telco: Telco) -> None:
        assert_refused(telco("scenarios", "validate", "nowhere.yaml"), "nowhere.yaml")

    def test_each_fault_is_a_line(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")
        file = layer_of(world, "storm")
        text = file.read_text().replace("number: 1 ", "number: 0 ").replace("times: 2", "tmes: 2")
        file.write_text(text)

        result = telco_there("scenarios", "validate", file)

        assert_refused(result, "when: unknown key 'tmes': did you mean 'times'?")
        first, second = result.stderr.strip().splitlines()
        assert "storm.yaml:4: number: must be a whole number from 1 to 999, not 0" in first
        assert f"storm.yaml:{text[: text.index('tmes')].count(chr(10)) + 1}: " in second

    @pytest.mark.parametrize(
        ("sql", "words"),
        [
            ("SELEC 1", "syntax error"),
            ("SELECT count(*) FROM cdrs_dat", "cdrs_dat does not exist"),
            ("SELECT count(*) FROM truth_records", "truth_records does not exist"),
            ("SELECT max(cel_id) FROM cdrs_data", "cel_id"),
            ("SELECT 1, 2", "not 2 columns"),
            ("SELECT 1; SELECT 2", "one query"),
            ("CREATE TABLE a AS SELECT 1", "one query"),
        ],
    )
    def test_a_query_that_cannot_run_is_refused(
        self, telco_there: Telco, world: Path, sql: str, words: str
    ) -> None:
        telco_there("scenarios", "new", "storm")
        file = layer_of(world, "storm")
        told = f'  - {{name: n, sql: "{sql}", seen: {{low: 1}}, unseen: {{high: 0}}}}\n'
        file.write_text(f"{file.read_text()}signatures:\n{told}")

        line = len(file.read_text().splitlines())
        assert_refused(
            telco_there("scenarios", "validate", file),
            f"storm.yaml:{line}: signatures[0].sql",
            words,
        )

    def test_two_layers_with_one_number_are_refused(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")
        layer_of(world, "flood").write_text(layer_of(world, "storm").read_text())

        result = telco_there("scenarios", "validate")

        assert result.exit_code == 2
        assert "storm.yaml:4: number: 1 is that of flood too" in result.stderr
        assert "such as 2" in result.stderr
        assert telco_there("plan").exit_code == 2

    def test_a_name_that_would_be_left_out_is_refused(
        self, telco_there: Telco, world: Path
    ) -> None:
        telco_there("scenarios", "new", "storm")
        layer_of(world, "storm").rename(world.parent / "layers" / "storm.yml")

        assert_refused(telco_there("plan"), "storm.yml", "rename it")

    def test_a_directory_is_refused(self, telco_there: Telco, world: Path) -> None:
        layer_of(world, "storm").mkdir(parents=True)

        assert_refused(telco_there("plan"), "storm.yaml: cannot be read: Is a directory")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_an_unreadable_file_is_refused(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")
        layer_of(world, "storm").chmod(0)

        assert_refused(telco_there("plan"), "storm.yaml: cannot be read: Permission denied")


class TestNew:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_new_layer_is_sound(self, telco_there: Telco, world: Path, kind: str) -> None:
        result = telco_there("scenarios", "new", "mine", "--kind", kind)

        assert result.exit_code == 0
        assert "telco scenarios preview mine" in result.stdout
        layer = load_layer(layer_of(world, "mine"))
        assert (layer.kind, layer.number, layer.title) == (kind, 1, "Mine")
        first = layer_of(world, "mine").read_text().splitlines()[0]
        assert first == "# yaml-language-server: $schema=../layer.schema.json"

    def test_each_gets_a_free_number(self, telco_there: Telco, world: Path) -> None:
        for name in ("one", "two", "three"):
            telco_there("scenarios", "new", name)
        layer_of(world, "two").unlink()
        telco_there("scenarios", "new", "four")

        assert load_layer(layer_of(world, "four")).number == 2

    def test_nothing_is_overwritten(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "mine")
        layer_of(world, "mine").write_text("precious")

        assert_refused(telco_there("scenarios", "new", "mine"), "is there already")
        assert layer_of(world, "mine").read_text() == "precious"

    @pytest.mark.parametrize("name", ["Mine", "../mine", "", "a" * 41, "all", "none", "world"])
    def test_wrong_names_are_refused(self, telco_there: Telco, world: Path, name: str) -> None:
        assert_refused(telco_there("scenarios", "new", name), "cannot be a layer's name")
        assert not layer_of(world, "x").parent.exists()

    def test_a_wrong_kind_is_refused(self, telco_there: Telco) -> None:
        result = telco_there("scenarios", "new", "mine", "--kind", "frud")
        assert_refused(result, "frud", "did you mean fraud")


class TestOnAndOff:
    def test_only_the_word_changes(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")
        file = layer_of(world, "storm")
        before = file.read_text()
        file.chmod(0o640)

        assert "storm is off now" in telco_there("scenarios", "off", "storm").stdout
        assert file.read_text() == before.replace("enabled: true  #", "enabled: false  #")
        assert not load_layer(file).enabled
        assert file.stat().st_mode & 0o777 == 0o640
        telco_there("scenarios", "on", "storm")
        assert file.read_text() == before
        assert [entry.name for entry in file.parent.iterdir()] == ["storm.yaml"]

    def test_the_line_is_added_where_it_lacks(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")
        file = layer_of(world, "storm")
        lines = [line for line in file.read_text().splitlines() if "enabled:" not in line]
        file.write_bytes("\r\n".join([*lines, ""]).encode())

        telco_there("scenarios", "off", "storm")

        assert not load_layer(file).enabled
        left = file.read_bytes().decode().splitlines()
        left.remove("enabled: false")
        assert left == lines

    def test_on_already(self, telco_there: Telco) -> None:
        telco_there("scenarios", "new", "storm")
        assert "on already" in telco_there("scenarios", "on", "storm").stdout

    def test_all_or_none_are_edited(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")

        assert_refused(telco_there("scenarios", "off", "storm", "strm"), "did you mean storm")
        assert load_layer(layer_of(world, "storm")).enabled

    def test_a_layer_that_is_off_is_on_when_it_is_named(
        self, telco_there: Telco, world: Path
    ) -> None:
        telco_there("scenarios", "new", "storm")
        on = telco_there("generate", "--subscribers", 50, "--datasets", "plans", "--lake", "on")
        assert on.exit_code == 0, on.output
        telco_there("scenarios", "off", "storm")

        same = ("generate", "--subscribers", 50, "--datasets", "plans", "--lake", "on")
        named = telco_there(*same, "--scenarios", "storm")
        assert named.exit_code == 0, named.output
        assert_refused(telco_there(*same), "of the scenario layers it has storm")
        held = json.loads(Path("on/_world.json").read_text())
        assert list(held["config"]["layers"]) == ["storm"]


class TestSchema:
    def test_it_is_printed_or_written(self, telco_there: Telco, world: Path) -> None:
        printed = telco_there("scenarios", "schema").stdout
        written = telco_there("scenarios", "schema", "--write")

        assert written.exit_code == 0
        file = world.parent / "layer.schema.json"
        assert file.read_text() == printed
        assert json.loads(printed)["title"] == "Scenario layer"

    def test_the_committed_schema_is_current(self, telco: Telco) -> None:
        committed = WORLD.parent / "layer.schema.json"
        assert committed.read_text() == telco("scenarios", "schema").stdout, (
            "run: telco scenarios schema --write"
        )


class TestPreview:
    def test_timeline_and_reach(self, telco_there: Telco, world: Path) -> None:
        telco_there("scenarios", "new", "storm")

        result = telco_there(
            *("scenarios", "preview", "storm", "--subscribers", 200, "--picture", "storm.png")
        )

        assert result.exit_code == 0, result.output
        text = " ".join(result.stdout.split())
        assert "0 signs 2026-01-08 18:00 2026-01-10 18:00" in text
        assert "1 trouble 2026-01-24 18:00 2026-01-25 00:00" in text
        assert "0 look_alikes sites 2" in text
        assert "cells (" in text
        assert "a world made in memory" in text
        assert Path("storm.png").read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in Path.cwd().iterdir()) == ["operator", "storm.png"]

    def test_a_lake_of_the_world_is_used(self, telco_there: Telco) -> None:
        telco_there("scenarios", "new", "bill_shock", "--kind", "customers")
        arguments = ("scenarios", "preview", "bill_shock", "--subscribers", 200)
        memory = telco_there(*arguments, "--lake", "lake").stdout
        static = "places,sites,cells,network_elements,devices,plans,subscribers,prospects"
        made = telco_there(
            *("generate", "--subscribers", 200, "--datasets", static, "--lake", "lake"),
            *("--workers", 1),
        )
        assert made.exit_code == 0, made.output

        lake = telco_there(*arguments, "--lake", "lake").stdout

        assert "Roles were found in the lake lake" in lake
        # All else is the same: whom a role means depends on the world alone.
        assert lake.splitlines()[:-1] == memory.splitlines()[:-1]
        other = telco_there(*arguments, "--seed", 7, "--lake", "lake").stdout
        assert "a world made in memory" in other

    def test_nothing_in_the_days(self, telco_there: Telco) -> None:
        telco_there("scenarios", "new", "storm")
        result = telco_there("scenarios", "preview", "storm", "--days", 3)
        assert result.exit_code == 0
        assert "no incident in 3 days" in result.stdout

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["strm"], ["did you mean storm"]),
            (["storm", "--days", "0"], ["--days"]),
            (["storm", "--days", "99999999"], ["--days"]),
            (["storm", "--picture", "x.jpg"], [".png"]),
            (["storm", "--picture", "operator.png/x.png"], ["--picture"]),
            (["storm", "--subscribers", "0"], ["subscribers"]),
        ],
    )
    def test_wrong_arguments_are_refused(
        self, telco_there: Telco, arguments: list[str], words: list[str]
    ) -> None:
        telco_there("scenarios", "new", "storm")
        Path("operator.png").write_text("a file")
        assert_refused(telco_there("scenarios", "preview", *arguments), *words)
