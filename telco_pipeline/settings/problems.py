"""Errors of a world in words: one line that says where, what, and what to write instead.

Belongs here: turning pydantic's errors into one line. Does not belong here: the rules themselves
(`values`, `checks`).
"""

import datetime as dt
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails

from telco_pipeline.settings import checks, values
from telco_pipeline.settings.world_file import Location, WorldFile

_SHOWN: Final = 40  # characters of a value or key in a message
_KEY_MARK: Final = "[key]"  # pydantic's mark for a mapping's key instead of its value


@dataclass(frozen=True)
class _Found:
    """One error: what is wrong, the keys to it, and the place in the file that shows it."""

    problem: checks.Problem
    place: Location

    def option(self, options: Collection[str]) -> str | None:
        """Return the option that made the error, if one did."""
        keys = (*self.place[:1], *self.problem.related)
        return next((str(key) for key in keys if key in options), None)


def describe(
    error: ValidationError, model: type[BaseModel], source: WorldFile, options: Collection[str]
) -> str:
    """Return the first problem of a world in one line, with the number of others.

    Args:
        error: What pydantic found.
        model: The model that was validated.
        source: The file that was read.
        options: Top-level keys that did not come from the file but from options.
    """
    found = lines(error, model, source, options)
    return f"{found[0]}{others(len(found))}"


def lines(
    error: ValidationError, model: type[BaseModel], source: WorldFile, options: Collection[str]
) -> list[str]:
    """Return all problems, a line for each; see `describe`."""
    found = list(_all(error, model, source))
    # Options first, as they were typed just now; then in the order of the file.
    found.sort(key=lambda one: (one.option(options) is None, source.line(one.place)))
    return [_line(one, source, options) for one in found]


def _line(one: _Found, source: WorldFile, options: Collection[str]) -> str:
    option = one.option(options)
    if option is None:
        return line(source, one.place, one.problem.at, one.problem.text)
    at = () if one.problem.at == (option,) else one.problem.at
    return f"--{_clean(option).replace('_', '-')}: {_keyed(at, one.problem.text)}"


def line(source: WorldFile, place: Location, at: Location, text: str) -> str:
    """Return a problem in one line: where it shows, the keys to it, what to do."""
    return f"{source.name}:{source.line(place)}: {_keyed(at, text)}"


def _keyed(at: Location, text: str) -> str:
    return f"{_path(at)}: {text}" if at else text


def others(count: int) -> str:
    """Return the words for the problems that are not shown, out of `count`."""
    more = count - 1
    return f" (and {more:,} more problem{'s' if more > 1 else ''})" if more > 0 else ""


def _all(error: ValidationError, model: type[BaseModel], source: WorldFile) -> Iterator[_Found]:
    details = error.errors(include_url=False)
    misspelt: set[Location] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *inside, key = detail["loc"]
            misspelt.add((*inside, values.nearest(key, _keys(model, tuple(inside))) or ""))
    for detail in details:
        # A missing key of which a misspelling is there is one mistake, not two.
        if detail["type"] != "missing" or detail["loc"] not in misspelt:
            yield from _found(detail, model, source)


def _found(detail: ErrorDetails, model: type[BaseModel], source: WorldFile) -> Iterator[_Found]:
    at = detail["loc"]
    kind = detail["type"]
    context = detail.get("ctx", {})
    if at[-1:] == (_KEY_MARK,):
        at = at[:-1]
    if kind == checks.PROBLEMS_ERROR:
        for problem in context["problems"]:
            place = (*at, *problem.at)
            yield _Found(checks.Problem(place, problem.text, problem.related), place)
    elif kind == "extra_forbidden":
        yield _Found(checks.Problem(at[:-1], _unknown_text(at, model)), at)
    elif kind == "missing":
        yield _Found(checks.Problem(at[:-1], _missing_text(at, model)), at[:-1])
    else:
        raw = source.raw.get(at)
        if kind == values.RULE_ERROR:
            text = _rule_text(context["rule"], context["hint"], detail["input"], raw)
        elif kind == "model_type":
            text = f"must be {_expects(model, at)}, not {_shown(detail['input'], raw)}"
        else:
            text = f"must be something else than {_shown(detail['input'], raw)}"
        yield _Found(checks.Problem(at, text), at)


def _rule_text(rule: values.Rule, hint: str, value: object, raw: str | None) -> str:
    if type(value) in (int, float, bool):
        # What was written matters, not what YAML made of it: 0123 would lose its zero.
        text = raw if raw is not None else _shown(value, None)
        if rule.takes(text):
            return f'must be {rule.expects}: write "{_clean(text)}" in quotes'
    return f"must be {rule.expects}, not {_shown(value, raw)}{f': {hint}' if hint else ''}"


def _unknown_text(at: Location, model: type[BaseModel]) -> str:
    keys = _keys(model, at[:-1])
    hint = values.closest(at[-1], keys) or f"the keys here are {', '.join(keys)}"
    return f"unknown key '{_clean(str(at[-1]))}': {hint}"


def _missing_text(at: Location, model: type[BaseModel]) -> str:
    return f"missing key '{at[-1]}': must be {_expects(model, at)}"


def _expects(model: type[BaseModel], at: Location) -> str:
    """Return what must be at a place, in words."""
    parent = _type_at(model, at[:-1])
    if at and isinstance(parent, type) and issubclass(parent, BaseModel):
        for entry in parent.model_fields[str(at[-1])].metadata:
            if isinstance(entry, BeforeValidator) and isinstance(entry.func, values.Rule):
                return entry.func.expects
    return f"a mapping with {', '.join(_keys(model, at))}"


def _keys(model: type[BaseModel], at: Location) -> list[str]:
    """Return the keys of the mapping at a place."""
    return list(_type_at(model, at).model_fields)


def _type_at(model: type[BaseModel], at: Location) -> Any:
    """Return the type at a place: a model, or a mapping or list of models."""
    here: Any = model
    for key in at:
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[str(key)].annotation
        else:
            arguments = get_args(here)  # Mapping[key, value] or tuple[value, ...]
            here = arguments[0] if isinstance(key, int) else arguments[1]
        here = _without_none(here)
    return here


def _without_none(annotation: Any) -> Any:
    """Return what an annotation allows beside None, bare of what is annotated to it."""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        annotation = kinds[0] if len(kinds) == 1 else annotation
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def _path(at: Location) -> str:
    """Return the keys that lead to a value: ``operators[0].plmn``."""
    text = ""
    for key in at:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += f".{_clean(key)}" if text else _clean(key)
    return text


def _shown(value: object, raw: str | None) -> str:
    """Return a value as people know it, short and in one line."""
    if isinstance(value, str):
        return f'"{_clean(value)}"'
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        text = f"[{', '.join(_shown(entry, None) for entry in value[:_SHOWN])}]"
        return text if len(text) <= _SHOWN else "a list"
    if raw is not None:
        return _clean(raw)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        # Python refuses to print integers of thousands of digits.
        return str(value) if abs(value) < 10**_SHOWN else "such a huge number"
    if isinstance(value, float | dt.date):
        return str(value)
    return f"a {type(value).__name__}"


def _clean(text: str) -> str:
    """Shorten a text and escape what could break the line or the terminal."""
    cut = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
    return cut if cut.isprintable() else json.dumps(cut)[1:-1]
