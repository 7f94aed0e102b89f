"""The package knows effects, never the name of a layer; what a file is called changes no row."""

import re
from pathlib import Path

import pytest

import telco_pipeline
from telco_pipeline.scenarios.loading import load_layers, with_layers
from telco_pipeline.settings import load_world
from telco_pipeline_tests.generators.kit import make_day
from telco_pipeline_tests.generators.layered import DAY, layer, usual, with_story

PACKAGE = Path(telco_pipeline.__file__).parent
WORLD = PACKAGE.parent / "scenarios" / "world.yaml"


def test_no_layers_name_occurs_in_the_package() -> None:
    names = sorted(load_layers(WORLD))
    assert len(names) >= 20
    word = re.compile(rf"\b({'|'.join(names)})\b")
    found = [
        f"{path.name}: {hit[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if (hit := word.search(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize("dataset", ["cdrs_voice", "cdrs_data", "location_updates"])
def test_a_renamed_layer_changes_no_row(dataset: str) -> None:
    """Nor does the order of the names, in which a world holds its layers."""
    more = layer(
        {"usage": {"who": "them", "calls": 3, "sessions": 2, "evenly": True}},
        {"signalling": {"who": "them", "factor": 3}},
        number=1,
    )
    far = layer({"usage": {"who": "them", "calls": 1.7, "sessions": 1.3}}, number=2)
    made = make_day(with_story(first=more, second=far), dataset, DAY)
    assert made.equals(make_day(with_story(zulu=more, alpha=far), dataset, DAY))
    assert not made.equals(usual(dataset, DAY))


def test_layers_have_numbers_of_their_own_and_are_all_on() -> None:
    layers = load_layers(WORLD)
    assert len({layer.number for layer in layers.values()}) == len(layers)
    assert all(layer.enabled for layer in layers.values())
    assert all(layer.signatures for layer in layers.values())
    world = with_layers(load_world(WORLD), layers)
    assert world.world_hash != load_world(WORLD).world_hash
