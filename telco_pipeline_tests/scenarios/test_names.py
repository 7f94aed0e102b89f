"""The package knows effects, never the name of a layer; what a file is called changes no row."""

import re
from pathlib import Path

import telco_pipeline
from telco_pipeline.scenarios.loading import load_layers, with_layers
from telco_pipeline.settings import load_world

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


def test_layers_have_numbers_of_their_own_and_are_all_on() -> None:
    layers = load_layers(WORLD)
    assert len({layer.number for layer in layers.values()}) == len(layers)
    assert all(layer.enabled for layer in layers.values())
    assert all(layer.signatures for layer in layers.values())
    world = with_layers(load_world(WORLD), layers)
    assert world.world_hash != load_world(WORLD).world_hash
