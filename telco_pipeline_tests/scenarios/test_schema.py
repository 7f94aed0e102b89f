"""The JSON Schema: it takes what the language takes, and knows every key."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from telco_pipeline.scenarios.editing import skeleton
from telco_pipeline.scenarios.effects import EFFECTS
from telco_pipeline.scenarios.language import KINDS
from telco_pipeline.scenarios.schema import FILE_NAME, layer_schema, schema_text
from telco_pipeline_tests.scenarios.kit import layer, stage, tree

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SCHEMA = json.loads(schema_text())
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def holds(value: Any, schema: Any) -> bool:
    """Return whether a value fits a schema, by the keywords that ours has (draft 7)."""
    if isinstance(schema, bool):
        return schema
    known = {
        *("$ref", "allOf", "anyOf", "type", "const", "enum", "pattern", "minLength", "maxLength"),
        *("minimum", "maximum", "exclusiveMinimum", "minItems", "maxItems", "items", "if", "then"),
        *("minProperties", "maxProperties", "properties", "required", "additionalProperties"),
        *("propertyNames", "description", "default", "title", "$schema", "definitions"),
    }
    assert set(schema) <= known, set(schema) - known
    if "$ref" in schema:
        return holds(value, SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]])
    if not all(holds(value, one) for one in schema.get("allOf", ())):
        return False
    if "anyOf" in schema and not any(holds(value, one) for one in schema["anyOf"]):
        return False
    if "if" in schema and holds(value, schema["if"]) and not holds(value, schema["then"]):
        return False
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds and not any(is_a(value, kind) for kind in kinds):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, str):
        return _text(value, schema)
    if isinstance(value, dict):
        return _object(value, schema)
    if isinstance(value, list):
        items = schema.get("items", True)
        count = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9)
        return count and all(holds(entry, items) for entry in value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", -1e99), schema.get("maximum", 1e99)
        return low <= value <= high and value > schema.get("exclusiveMinimum", -1e99)
    return True


def is_a(value: Any, kind: str) -> bool:
    return isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _text(value: str, schema: dict[str, Any]) -> bool:
    fits = "pattern" not in schema or re.search(schema["pattern"], value) is not None
    return fits and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9)


def _object(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    known, more = schema.get("properties", {}), schema.get("additionalProperties", True)
    return (
        schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", 10**9)
        and set(schema.get("required", ())) <= set(value)
        and all(holds(name, schema.get("propertyNames", True)) for name in value)
        and all(holds(entry, known.get(name, more)) for name, entry in value.items())
    )


@pytest.mark.parametrize("kind", KINDS)
def test_new_layers_fit(kind: str) -> None:
    assert holds(yaml.safe_load(skeleton("mine", kind, 1)), SCHEMA)


@pytest.mark.parametrize("file", sorted((SCENARIOS / "layers").glob("*.yaml")), ids=str)
def test_our_layers_fit(file: Path) -> None:
    # As the reader of layers takes it: dates and times are text.
    tree_ = yaml.load(file.read_text(), yaml.BaseLoader)
    assert set(tree_) <= set(SCHEMA["properties"])


def test_what_is_written_back_fits() -> None:
    made = layer(
        cast={
            "sites": {"of": "sites", "where": {"place.density": ["dense"]}, "number": 2},
            "people": {
                "of": "subscribers",
                "near": {"role": "sites", "km": 2.5},
                "where": {"contract_end": {"from": "-5d", "to": "2026-05-01"}},
                "share": 0.5,
            },
        },
        stages=[stage(trigger={"satisfaction": {"to": 0.3}}), stage(name="b", after="1.5d")],
    )
    assert holds(made.to_dict(), SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2},
        {"number": 0},
        {"title": ""},
        {"kind": "weather"},
        {"difficulty": 1.1},
        {"enabled": "yes"},
        {"colour": "red"},
        {"when": {}},
        {"when": {"first": "soon"}},
        {"when": {"first": "3d", "at": "7:30"}},
        {"when": {"first": "3d", "weekday": "fri"}},
        {"cast": {}},
        {"cast": {"People": {"of": "subscribers"}}},
        {"cast": {"people": {"of": "people"}}},
        {"cast": {"people": {"of": "subscribers", "where": {"persna": "x"}}}},
        {"cast": {"people": {"of": "sites", "where": {"plan.name": "x"}}}},
        {"cast": {"people": {"of": "subscribers", "where": {"kind": {"above": 1}}}}},
        {"stages": []},
        {"stages": [stage(lasts="two days")]},
        {"stages": [stage({"usge": {"who": "people"}})]},
        {"stages": [stage({"usage": {"who": "people"}, "swap": {"who": "people"}})]},
        {"stages": [stage({})]},
        {"stages": [stage({"usage": {"who": "people", "calls": {"easy": 1}}})]},
        {"stages": [stage({"usage": {"calls": 1}})]},
    ],
)
def test_what_is_wrong_does_not_fit(wrong: dict[str, Any]) -> None:
    assert holds(tree(), SCHEMA)
    assert not holds(tree() | wrong, SCHEMA)


def test_every_effect_and_key_is_explained() -> None:
    definitions = layer_schema()["definitions"]
    assert set(definitions["Deed"]["properties"]) == set(EFFECTS)
    for name, definition in [("Layer", SCHEMA), *definitions.items()]:
        assert definition["description"], name
        assert "Home:" not in definition["description"]
        for key, value in definition["properties"].items():
            assert value.get("description") or name == "Deed", f"{name}.{key}"


def test_the_committed_schema_is_current() -> None:
    told = "run: telco scenarios schema --write"
    assert (SCENARIOS / FILE_NAME).read_text(encoding="utf-8") == schema_text(), told
