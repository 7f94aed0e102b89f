"""Reading layers beside a world file, and choosing those that are on."""

import json
from pathlib import Path
from typing import Any

import pytest

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.production import origin_of, produce
from telco_pipeline.scenarios.editing import skeleton, turned
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import (
    chosen,
    free_number,
    load_layer,
    load_layers,
    load_operator,
    with_layers,
    with_words,
)
from telco_pipeline.scenarios.story import layers_of
from telco_pipeline.settings import WorldConfig
from telco_pipeline.settings.model import LAYER_WORDS
from telco_pipeline_tests.scenarios.kit import WORLD_FILE, layer, stage, world


@pytest.fixture
def operator(tmp_path: Path) -> Path:
    """A world file with three layers beside it, of which one is off."""
    file = tmp_path / "world.yaml"
    file.write_text(WORLD_FILE.read_text())
    (tmp_path / "layers").mkdir()
    for number, name in enumerate(("calm", "flood", "storm"), start=1):
        text = turned(skeleton(name, "network", number), on=name != "calm")
        (tmp_path / "layers" / f"{name}.yaml").write_text(text)
    return file


def beside(operator: Path, name: str) -> Path:
    return operator.parent / "layers" / f"{name}.yaml"


class TestChosen:
    @pytest.mark.parametrize(
        ("wanted", "on"),
        [
            (["all"], ["flood", "storm"]),
            (["none"], []),
            (["calm"], ["calm"]),
            ([" storm", "calm "], ["calm", "storm"]),
            (["storm", "storm"], ["storm"]),
        ],
    )
    def test_all_none_or_named(self, operator: Path, wanted: list[str], on: list[str]) -> None:
        assert list(load_operator(operator, wanted).layers) == on

    @pytest.mark.parametrize(
        ("wanted", "words"),
        [
            (["strom"], "no scenario layer 'strom': did you mean 'storm'?"),
            (["x"], "no scenario layer 'x': there are: calm, flood, storm"),
            (["all", "storm"], "all and none stand alone"),
            (["none", "all"], "all and none stand alone"),
            (["", " "], "--scenarios is empty"),
        ],
    )
    def test_others_are_refused(self, operator: Path, wanted: list[str], words: str) -> None:
        with pytest.raises(TelcoError, match=words.replace("?", r"\?")):
            load_operator(operator, wanted)

    def test_where_there_is_none(self) -> None:
        with pytest.raises(TelcoError, match=r"there are none yet: .* telco scenarios new"):
            chosen(["storm"], {})
        assert chosen(["all"], {}) == {}

    def test_wrong_files_do_not_matter_to_none(self, operator: Path) -> None:
        beside(operator, "storm").write_text("nonsense")
        assert load_operator(operator, ["none"]).layers == {}
        with pytest.raises(TelcoError, match=r"storm.yaml:1: must be a mapping"):
            load_operator(operator, ["calm"])

    def test_options_of_the_world_go_with_them(self, operator: Path) -> None:
        config = load_operator(operator, ["storm"], seed=5, subscribers=300)
        assert (config.seed, config.subscribers) == (5, 300)
        assert list(config.layers) == ["storm"]


class TestWorlds:
    def test_no_layer_is_the_world_as_it_was(self, operator: Path) -> None:
        assert load_operator(operator, ["none"]) == world(subscribers=5000)
        assert with_layers(load_operator(operator), {}) == world(subscribers=5000)

    def test_each_choice_is_a_world_of_its_own(self, operator: Path) -> None:
        choices = (["none"], ["storm"], ["flood"], ["storm", "flood"])
        assert len({load_operator(operator, each).world_hash for each in choices}) == 4

    def test_a_layer_that_was_turned_off_makes_the_same_world_when_named(
        self, operator: Path
    ) -> None:
        named = load_operator(operator, ["storm"])
        text = turned(beside(operator, "storm").read_text(), on=False)
        beside(operator, "storm").write_text(text)
        assert load_operator(operator, ["storm"]) == named
        assert load_operator(operator) != named

    def test_a_lake_keeps_them(self, operator: Path, tmp_path: Path) -> None:
        config = load_operator(operator, subscribers=50)
        lake = Lake(tmp_path / "lake")
        produce(config, lake, "plans")

        held = lake.held_world()

        assert held is not None
        assert held.config is not None
        assert WorldConfig.model_validate(held.config) == config
        record = lake.provenance("plans")
        assert record is not None
        hashes = {name: one.layer_hash for name, one in load_layers(operator).items()}
        del hashes["calm"]
        assert record.layers == hashes == origin_of(config, lake, DATASETS["plans"]).layers
        assert lake.command("cells").endswith(
            "--subscribers 50 --seed 42 --scenarios flood,storm --datasets cells"
        )

    @pytest.mark.parametrize(
        ("first", "then", "words"),
        [
            (["all"], ["none"], "it has flood, storm"),
            (["none"], ["storm"], "it lacks storm"),
            (["flood"], ["storm"], "it has flood, it lacks storm"),
        ],
    )
    def test_another_choice_is_refused_and_told(
        self, operator: Path, tmp_path: Path, first: list[str], then: list[str], words: str
    ) -> None:
        lake = Lake(tmp_path / "lake")
        produce(load_operator(operator, first, subscribers=50), lake, "plans")
        with pytest.raises(TelcoError, match=f"; of the scenario layers {words}: choose another"):
            produce(load_operator(operator, then, subscribers=50), lake, "plans")

    def test_a_changed_layer_is_told(self, operator: Path, tmp_path: Path) -> None:
        lake = Lake(tmp_path / "lake")
        produce(load_operator(operator, subscribers=50), lake, "plans")
        storm = beside(operator, "storm")
        storm.write_text(storm.read_text().replace("first: 7d", "first: 8d"))
        with pytest.raises(TelcoError, match="layers it has other versions of storm: choose"):
            produce(load_operator(operator, subscribers=50), lake, "plans")

    def test_worlds_of_other_seeds_tell_no_layers(self, operator: Path, tmp_path: Path) -> None:
        lake = Lake(tmp_path / "lake")
        produce(load_operator(operator, subscribers=50), lake, "plans")
        with pytest.raises(TelcoError) as refused:
            produce(load_operator(operator, subscribers=60), lake, "plans")
        assert "scenario layers" not in str(refused.value)


class TestFiles:
    def test_all_faults_are_counted(self, operator: Path) -> None:
        storm = beside(operator, "storm")
        text = storm.read_text().replace("number: 3 ", "number: 3000 ").replace("kind:", "knd:")
        storm.write_text(text)
        with pytest.raises(TelcoError, match=r"storm.yaml:4: number: .* \(and 1 more problem\)"):
            load_layer(storm)

    def test_what_hangs_together_is_told_at_its_line(self, operator: Path) -> None:
        storm = beside(operator, "storm")
        text = storm.read_text().replace("outside: [sites]", "outside: [sties]")
        storm.write_text(text)
        line = text[: text.index("outside")].count("\n") + 1
        with pytest.raises(TelcoError, match=rf"storm.yaml:{line}: cast.look_alikes.outside: role"):
            load_layer(storm)

    def test_columns_are_told_at_their_line(self, operator: Path) -> None:
        storm = beside(operator, "storm")
        text = storm.read_text().replace("place.density", "place.dnsity", 1)
        storm.write_text(text)
        line = text[: text.index("dnsity")].count("\n") + 1
        with pytest.raises(TelcoError, match=rf":{line}: .*places have no column 'dnsity': did"):
            load_layer(storm)

    @pytest.mark.parametrize("name", ["Storm", "1st", "all", "none", "world", "a b"])
    def test_names_that_cannot_be(self, operator: Path, name: str) -> None:
        beside(operator, "storm").rename(beside(operator, name))
        with pytest.raises(TelcoError, match=r"\.yaml: rename it"):
            load_layers(operator)

    def test_two_of_one_number(self, operator: Path) -> None:
        storm = beside(operator, "storm")
        storm.write_text(storm.read_text().replace("number: 3 ", "number: 1 "))
        with pytest.raises(TelcoError, match=r"storm.yaml:4: number: 1 is that of calm too.* as 3"):
            load_layers(operator)

    def test_layers_do_not_stand_in_the_world_file(self, operator: Path) -> None:
        text = operator.read_text() + "layers: {storm: {}}\n"
        operator.write_text(text)
        line = text.count("\n")
        with pytest.raises(TelcoError, match=f"world.yaml:{line}: layers are files of their own"):
            load_operator(operator)


def test_free_numbers() -> None:
    assert free_number([]) == 1
    assert free_number([layer(number=1), layer(number=2), layer(number=4)]) == 3


def test_hashes_stand_for_what_a_layer_says() -> None:
    assert layer().layer_hash == layer(enabled=False).layer_hash
    assert layer().layer_hash != layer(difficulty=0.6).layer_hash
    assert layer().layer_hash != layer(story="Something else.").layer_hash
    kept = json.loads(json.dumps(layer().to_dict()))
    assert type(layer()).model_validate(kept).layer_hash == layer().layer_hash


SIGNATURE = {"name": "Seen", "sql": "SELECT 1", "seen": {"low": 1}, "unseen": {"high": 0}}
TELL = {"dataset": "cdrs_sms", "column": "imei", "because": "So it is."}
WORDS: list[dict[str, Any]] = [
    {"story": "Something else is told."},
    {"signatures": [SIGNATURE]},
    {"signatures": [SIGNATURE | {"seen": {"low": 2}}]},
    {"tells": [TELL]},
    {"tells": [TELL | {"because": "It is so."}]},
]
ACTS: list[dict[str, Any]] = [
    {"number": 8},
    {"title": "Something else"},  # it stands in the truth, as kind, severity and difficulty do
    {"kind": "fraud"},
    {"severity": "minor"},
    {"difficulty": 0.6},
    {"when": {"first": "4d"}},
    {"cast": {"people": {"of": "subscribers", "number": 11}}},
    {"cast": {"people": {"of": "subscribers", "number": 10, "one": "device_id"}}},
    {"stages": [stage({"usage": {"who": "people", "calls": 3}})]},
    {"stages": [stage(name="other")]},
]


@pytest.mark.parametrize("keys", WORDS)
def test_what_a_layer_tells_of_itself_makes_no_other_world(keys: dict[str, Any]) -> None:
    """A lake stays valid when a threshold, a reason or the story is written anew."""
    plain, told = (with_layers(world(), {"it": layer(**some)}) for some in ({}, keys))
    assert told.world_hash == plain.world_hash
    assert layer(**keys).acts_hash == layer().acts_hash
    # And yet each world has its own: equal worlds do not share them.
    assert layers_of(plain)["it"] == layer()
    assert layers_of(told)["it"] == layer(**keys)


@pytest.mark.parametrize("keys", ACTS)
def test_what_a_layer_does_makes_another_world(keys: dict[str, Any]) -> None:
    plain, other = (with_layers(world(), {"it": layer(**some)}) for some in ({}, keys))
    assert other.world_hash != plain.world_hash
    assert layer(**keys).acts_hash != layer().acts_hash


def test_a_lake_takes_what_its_layers_tell_of_themselves_by_now(tmp_path: Path) -> None:
    """More of its world is made in it, and the lake then knows the new words."""
    lake = Lake(tmp_path / "lake")
    plain, told, other = (
        with_layers(world(subscribers=50), {"it": layer(**keys)})
        for keys in ({}, {"story": "It is told anew."}, {"difficulty": 0.6})
    )
    produce(plain, lake, "plans")
    produce(told, lake, "devices")
    held = lake.held_world()
    assert held is not None
    assert held.config is not None
    assert held.config["layers"]["it"]["story"] == "It is told anew."
    with pytest.raises(TelcoError, match="it has other versions of it"):
        produce(other, lake, "places")


def test_each_key_of_a_layer_is_known_to_make_rows_or_not() -> None:
    """A new key counts as one that does until `LAYER_WORDS` names it."""
    shown = {"version", "enabled", *LAYER_WORDS, *(key for keys in ACTS for key in keys)}
    assert shown == set(Layer.model_fields)


def test_a_lakes_layers_are_told_as_their_files_do_now(operator: Path) -> None:
    config = load_operator(operator)
    held = layers_of(config)
    assert with_words(config, operator) == (config, [])
    file = beside(operator, "storm")
    text = file.read_text()
    file.write_text(text.replace(held["storm"].story, "Wind."))
    told, changed = with_words(config, operator)
    assert changed == []
    assert layers_of(told)["storm"].story == "Wind."
    assert layers_of(told)["flood"] == held["flood"]
    assert told.world_hash == config.world_hash
    # What does something else is no longer the layer that the lake was made of.
    file.write_text(file.read_text().replace("number: 3", "number: 30"))
    told, changed = with_words(config, operator)
    assert changed == ["storm"]
    assert layers_of(told)["storm"] == held["storm"]
    # Nor does a file that cannot be read, or is not there, take anything away.
    file.write_text("nonsense")
    beside(operator, "flood").unlink()
    told, changed = with_words(config, operator)
    assert changed == ["storm"]
    assert layers_of(told) == held


def test_what_else_lies_there_keeps_no_words_back(operator: Path) -> None:
    config = load_operator(operator)
    file = beside(operator, "storm")
    file.write_text(file.read_text().replace(layers_of(config)["storm"].story, "Wind."))
    file.with_name("misnamed.yml").write_text("nonsense")
    file.with_name("broken.yaml").write_text("nonsense")
    told, changed = with_words(config, operator)
    assert changed == []
    assert layers_of(told)["storm"].story == "Wind."
