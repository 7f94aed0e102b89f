"""The JSON Schema of a layer file, from which editors complete and check as one writes.

Belongs here: making it from the models. Does not belong here: the models (`language`, `effects`),
what one value may be (`words`, `settings.values`), which know their part of it.

It says as much as a JSON Schema can: keys, kinds and limits of values, columns. What hangs together
(roles that are named, stages that are long enough) `telco scenarios validate` knows.
"""

import inspect
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, BeforeValidator

from telco_pipeline.scenarios.effects import EFFECTS, MEMBERS
from telco_pipeline.scenarios.language import Deed, Layer, Role
from telco_pipeline.scenarios.selection import columns_of
from telco_pipeline.scenarios.words import plain
from telco_pipeline.settings.values import Rule

FILE_NAME: Final = "layer.schema.json"
_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_ATTRIBUTE: Final = re.compile(r"    ([a-z_]+(?:, [a-z_]+)*): (.*)")


def layer_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 7) of a layer file."""
    models: dict[str, dict[str, Any]] = {}
    _add(Layer, models)
    top = models.pop(Layer.__name__)
    return {
        "$schema": _DRAFT,
        "title": "Scenario layer",
        **top,
        "definitions": dict(sorted(models.items())),
    }


def schema_text() -> str:
    """Return it as it stands in the file beside world.yaml."""
    return json.dumps(layer_schema(), indent=2, ensure_ascii=False) + "\n"


def _add(model: type[BaseModel], models: dict[str, dict[str, Any]]) -> None:
    """Add a model and those in it, by name."""
    if model.__name__ in models:
        return
    models[model.__name__] = {}  # it is on its way
    about, of_keys = _told(model)
    properties, required = {}, []
    for name, field in model.model_fields.items():
        made = _of(field.annotation, list(field.metadata), models)
        expects = made.pop("description", "")
        words = [of_keys.get(name, ""), f"Must be {expects}." if expects else ""]
        made["description"] = " ".join(word for word in words if word)
        if field.is_required():
            required.append(name)
        elif field.default is not None:
            made["default"] = _plain(field.default)
        properties[name] = made
    models[model.__name__] = {
        "description": about,
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
        **_more(model),
    }


def _more(model: type[BaseModel]) -> dict[str, Any]:
    """Return what a model asks for beyond its keys, as far as a schema can say it."""
    if model is Deed:
        return {"minProperties": 1, "maxProperties": 1}
    if model is not Role:
        return {}
    columns = [
        {
            "if": {"properties": {"of": {"const": dataset}}, "required": ["of"]},
            "then": {
                "properties": {
                    "where": {
                        "properties": dict.fromkeys(columns_of(dataset), True),
                        "additionalProperties": False,
                    }
                }
            },
        }
        for dataset in MEMBERS
    ]
    return {"allOf": columns}


def _of(annotation: Any, metadata: list[Any], models: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the schema of a value by its type and rules."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    if type(None) in get_args(annotation) and len(kinds) == 1:
        annotation = kinds[0]
    if get_origin(annotation) is Annotated:
        annotation, *inside = get_args(annotation)
        metadata = [*inside, *metadata]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        _add(annotation, models)
        # Beside $ref nothing counts in draft 7, so it stands within allOf.
        return {"allOf": [{"$ref": f"#/definitions/{annotation.__name__}"}]}
    rules = [one.func for one in metadata if isinstance(one, BeforeValidator)]
    rules = [rule for rule in rules if isinstance(rule, Rule)]
    assert rules, f"{annotation} has no rule"
    assert rules[0].schema, f"the rule of {rules[0].expects} says nothing to editors"
    made = dict(rules[0].schema)
    made["description"] = rules[0].expects
    if get_origin(annotation) is tuple:
        made["items"] = _of(get_args(annotation)[0], [], models)
    elif get_origin(annotation) is Mapping:
        key, value = get_args(annotation)
        made["additionalProperties"] = _of(value, [], models)
        if key is not str:
            made["propertyNames"] = _of(key, [], models)
    return made


def _plain(value: Any) -> Any:
    """Return a default as it would be written."""
    if isinstance(value, BaseModel):
        return {}
    return list(value) if isinstance(value, tuple) else plain(value)


def _told(model: type[BaseModel]) -> tuple[str, dict[str, str]]:
    """Return what the docstrings of a model and its bases say of it, and of each key."""
    of_keys: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if issubclass(one, BaseModel) and one.__doc__ and one is not BaseModel:
            of_keys |= _attributes(inspect.cleandoc(one.__doc__))
    about = inspect.cleandoc(model.__doc__ or "").split("\n\nAttributes:")[0]
    if model in EFFECTS.values():
        # Where an effect comes about is for those who read the code.
        about = re.sub(r"\s*Home: .*", "", about, flags=re.DOTALL)
    return " ".join(about.split()), of_keys


def _attributes(text: str) -> dict[str, str]:
    """Return what a docstring says of each attribute."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in text.partition("Attributes:\n")[2].splitlines():
        if match := _ATTRIBUTE.fullmatch(line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, match[2])
        elif line.startswith(" " * 8):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found
