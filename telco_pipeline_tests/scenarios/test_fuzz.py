"""Whatever a layer file holds, it is accepted and runs, or it is refused in one clear line."""

import datetime as dt
import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telco_pipeline.contracts import DATASETS
from telco_pipeline.engine.calendar import DAY, HOUR
from telco_pipeline.errors import TelcoError
from telco_pipeline.scenarios import effects
from telco_pipeline.scenarios.editing import skeleton
from telco_pipeline.scenarios.effects import EFFECTS, MEMBERS
from telco_pipeline.scenarios.language import KINDS, SEVERITIES, Layer
from telco_pipeline.scenarios.loading import load_layer, with_layers
from telco_pipeline.scenarios.schema import layer_schema
from telco_pipeline.scenarios.selection import _BELONGING, columns_of, problems
from telco_pipeline.scenarios.story import Episodes, Story, Touch
from telco_pipeline.scenarios.timeline import incidents
from telco_pipeline.scenarios.words import WEEKDAYS
from telco_pipeline.settings import WorldConfig
from telco_pipeline.settings.world_file import dump
from telco_pipeline_tests.fuzzing import (
    LONG,
    check_refused,
    damaged,
    mutated,
    places,
    value_at,
)
from telco_pipeline_tests.scenarios.kit import EPOCH, ground, world
from telco_pipeline_tests.scenarios.test_schema import holds

FAR = EPOCH + dt.timedelta(days=400)

# --- layers over the whole language --------------------------------------------------------------

names = st.from_regex(r"[a-z][a-z0-9_]{0,39}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)
lengths = st.builds(
    lambda count, unit: f"{count}{unit}", st.integers(1, 40), st.sampled_from(["m", "h", "d", "w"])
)
dates = st.dates(dt.date(2000, 1, 1), dt.date(2044, 10, 1)).map(str)
clocks = st.times().map(lambda time: f"{time:%H:%M}")
WORDS = {
    "country": st.sampled_from(["FR", "NL", "ES"]),
    "ranges": st.from_regex(r"\+[1-9][0-9]{2,11}", fullmatch=True),
}


@cache
def definitions() -> dict[str, Any]:
    return layer_schema()["definitions"]


def numbers(schema: dict[str, Any]) -> st.SearchStrategy[float]:
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema["maximum"]
    if schema["type"] == "integer":
        return st.integers(low, high)
    whole = st.integers(int(low) + ("exclusiveMinimum" in schema), int(high))
    above = "exclusiveMinimum" in schema
    return st.one_of(whole, st.floats(low, high, exclude_min=above))


def values(name: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value of an effect's key, by its schema."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        number = numbers(schema["anyOf"][0])
        return st.one_of(number, st.fixed_dictionaries({"easy": number, "hard": number}))
    if schema["type"] == "boolean":
        return st.booleans()
    if schema["type"] == "array":
        items = values(name, schema["items"])
        return st.lists(items, min_size=schema["minItems"], max_size=min(schema["maxItems"], 4))
    return WORDS[name] if schema["type"] == "string" else numbers(schema)


@st.composite
def conditions(draw: st.DrawFn, of: str) -> dict[str, Any]:
    """Conditions on columns of a dataset, by their types."""
    chosen = draw(st.lists(st.sampled_from(columns_of(of)), max_size=2, unique=True))
    found = {name: draw(condition(name, ground().column(of, name).dtype)) for name in chosen}
    return {"where": found} if found else {}


def condition(name: str, dtype: pl.DataType) -> st.SearchStrategy[Any]:
    if dtype == pl.Date:
        one: st.SearchStrategy[Any] = st.one_of(dates, lengths, lengths.map("-".__add__))
        return ends(one)
    if dtype.is_numeric():
        some = st.one_of(st.integers(-(10**15), 10**15), st.floats(-1e3, 1e3), st.integers(0, 9))
        return st.one_of(some, st.lists(some, min_size=1, max_size=4), ends(some))
    if dtype == pl.Boolean:
        return st.booleans()
    words = st.sampled_from(dtype.categories.to_list()) if isinstance(dtype, pl.Enum) else texts
    return st.one_of(words, st.lists(words, min_size=1, max_size=4))


@st.composite
def ends(draw: st.DrawFn, one: st.SearchStrategy[Any]) -> dict[str, Any]:
    """A range: an end of it, or both in order."""
    first, last = draw(one), draw(one)
    both = {"from": first, "to": last}
    which = draw(st.sampled_from(["from", "to", "both"]))
    if which != "both":
        return {which: both[which]}
    if isinstance(first, str) or isinstance(last, str):
        # Two lengths, or two dates, in order; a mixture has none.
        if re.match(r"[0-9]{4}-", first) and re.match(r"[0-9]{4}-", last):
            return dict(zip(("from", "to"), sorted((first, last)), strict=True))
        return {"from": "-10d", "to": first} if "-" not in first else {"from": first}
    return {"from": min(first, last), "to": max(first, last)}


@st.composite
def roles(draw: st.DrawFn, cast: dict[str, Any], of: str) -> dict[str, Any]:
    """A role below others."""
    made: dict[str, Any] = {"of": of, **draw(conditions(of))}
    able = [name for name, one in cast.items() if one["of"] == of or (of, one["of"]) in _BELONGING]
    if able and draw(st.booleans()):
        made["within"] = draw(st.sampled_from(able))
    somewhere = [name for name, one in cast.items() if one["of"] not in ("devices", "plans")]
    if somewhere and of not in ("devices", "plans") and draw(st.booleans()):
        made["near"] = {"role": draw(st.sampled_from(somewhere)), "km": draw(st.floats(0.1, 500))}
    alike = [name for name, one in cast.items() if one["of"] == of]
    if alike and draw(st.booleans()):
        made["outside"] = draw(st.lists(st.sampled_from(alike), max_size=3))
    # Of places, distances to each one are worked out.
    few = {"number": draw(st.integers(0, 20))}
    some = draw(st.sampled_from(["all", "number", "share"]))
    if some == "number" or of == "places":
        made |= few
    elif some == "share":
        made["share"] = draw(st.floats(0, 1, exclude_min=True))
    if draw(st.booleans()):
        made["at_least"] = draw(st.integers(0, 50))
        made["at_most"] = draw(st.integers(made["at_least"], 10_000_000))
    for key in ("benign", "fixed"):
        if draw(st.booleans()):
            made[key] = draw(st.booleans())
    return made


@st.composite
def deeds(draw: st.DrawFn, cast: dict[str, Any], waits: bool, lasts: str) -> dict[str, Any]:
    """An effect on one of the roles."""
    of = {role["of"] for role in cast.values()}
    able = [
        name
        for name, effect in EFFECTS.items()
        if not waits or (effect.takes == ("subscribers",) and not effect.ahead)
        if of & set(effect.takes)
        if name != "presence" or of & {"cells", "sites", "places"}
    ]
    name = draw(st.sampled_from(able))
    effect = EFFECTS[name]
    who = [role for role, one in cast.items() if one["of"] in effect.takes]
    made: dict[str, Any] = {"who": draw(st.sampled_from(who))}
    schema = definitions()[effect.__name__]
    for key, one in schema["properties"].items():
        if key in made or (key not in schema.get("required", ()) and draw(st.booleans())):
            continue
        if key in ("ramp", "fade"):
            made[key] = draw(st.sampled_from(["0m", half(lasts)]))
        elif key == "at":
            places = [r for r, one in cast.items() if one["of"] in ("cells", "sites", "places")]
            made[key] = draw(st.sampled_from(places))
        else:
            made[key] = draw(values(key, one))
    if name == "destinations":
        made.pop("ranges", None)
        if made["to"] == "ranges":
            made["ranges"] = draw(st.lists(WORDS["ranges"], min_size=1, max_size=4))
    return {name: made}


def half(length: str) -> str:
    return f"{int(length[:-1]) / 2:g}{length[-1]}"


triggers = st.fixed_dictionaries(
    {"satisfaction": ends(st.floats(0, 1))},
    optional={
        "price_shock": ends(st.floats(0, 10)),
        "open_cases": ends(st.integers(0, 5)),
        "share": st.floats(0, 1, exclude_min=True),
    },
)


@st.composite
def stages(draw: st.DrawFn, cast: dict[str, Any], number: int) -> dict[str, Any]:
    of = {role["of"] for role in cast.values()}
    made: dict[str, Any] = {"name": f"stage_{number}", "lasts": draw(lengths)}
    if draw(st.booleans()):
        made["after"] = draw(lengths)
    if draw(st.booleans()):
        made["spread"] = draw(lengths)
    if "subscribers" in of and draw(st.booleans()):
        made["trigger"] = draw(triggers)
    one = deeds(cast, "trigger" in made, made["lasts"])
    made["do"] = draw(st.lists(one, min_size=1, max_size=4))
    return made


@st.composite
def whens(draw: st.DrawFn) -> dict[str, Any]:
    days = st.integers(0, 60).map("{}d".format)
    made: dict[str, Any] = {"first": draw(st.one_of(days, dates))}
    if draw(st.booleans()):
        made["at"] = draw(clocks)
    if draw(st.booleans()):
        made["every"] = draw(st.sampled_from(["1w", "2w", "3w", "10w"]))
        made["times"] = draw(st.integers(1, 10_000))
        if draw(st.booleans()):
            made["weekday"] = draw(st.sampled_from(WEEKDAYS))
        elif draw(st.booleans()):
            made["every"] = draw(st.sampled_from(["200h", "9d", "12.5d"]))
        if draw(st.booleans()):
            del made["times"]
    if draw(st.booleans()):
        made["parallel"] = draw(st.integers(0, 3))
        made["per_subscribers"] = draw(st.integers(1, 100_000_000))
    if draw(st.booleans()):
        made["spread"] = draw(lengths)
    return made


ranges = ends(st.floats(-1e15, 1e15)).map(
    lambda one: {{"from": "low", "to": "high"}[key]: value for key, value in one.items()}
)
signatures = st.fixed_dictionaries(
    {"name": texts, "sql": texts, "seen": ranges, "unseen": ranges},
    optional={"needs": st.fixed_dictionaries({}, optional={"days": st.integers(1, 3660)})},
)


@st.composite
def tells(draw: st.DrawFn) -> dict[str, Any]:
    """Columns that tell: of one dataset or some, by name or as a list."""
    some = draw(st.lists(st.sampled_from(sorted(DATASETS)), min_size=1, max_size=3, unique=True))
    held = sorted({column for name in some for column in DATASETS[name].columns})
    named = draw(st.lists(st.sampled_from(held), min_size=1, max_size=3, unique=True))
    made: dict[str, Any] = {"because": draw(texts)}
    for key, chosen in (("dataset", some), ("column", named)):
        made[key] = chosen[0] if len(chosen) == 1 and draw(st.booleans()) else chosen
    if draw(st.booleans()):
        made["alike"] = draw(st.booleans())
    return made


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    """A valid layer, as it is written."""
    cast: dict[str, Any] = {}
    kinds = [member for member in MEMBERS if member not in ("places", "devices", "plans")]
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        # The first is of a kind that effects take.
        cast[name] = draw(roles(cast, draw(st.sampled_from(MEMBERS if cast else kinds))))
    made = {
        "version": 1,
        "number": draw(st.integers(1, 999)),
        "title": draw(texts),
        "story": draw(texts),
        "kind": draw(st.sampled_from(KINDS)),
        "when": draw(whens()),
        "cast": cast,
        "stages": [draw(stages(cast, number)) for number in range(draw(st.integers(1, 3)))],
    }
    optional = {
        "severity": st.sampled_from(SEVERITIES),
        "enabled": st.booleans(),
        "difficulty": st.floats(0, 1),
        "signatures": st.lists(signatures, max_size=2),
        "tells": st.lists(tells(), max_size=2),
    }
    return made | draw(st.fixed_dictionaries({}, optional=optional))


# --- what may not be -----------------------------------------------------------------------------

words = st.one_of(st.sampled_from([*EFFECTS, "who", "of", "from", "to", "easy"]), st.text())


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, Any]:
    """A layer whose values are replaced, removed, added, renamed, doubled or moved."""
    return mutated(draw, draw(layers()), words, most=60)


@st.composite
def damaged_texts(draw: st.DrawFn) -> bytes:
    """A new layer's text with pieces cut out, typed over or inserted."""
    return damaged(draw, skeleton("mine", draw(st.sampled_from(KINDS)), 1))


# --- what is checked -----------------------------------------------------------------------------


def loaded(data: bytes) -> Layer | str:
    """Return the layer of a file, or the line in which it is refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.yaml"
        path.write_bytes(data)
        try:
            return load_layer(path)
        except TelcoError as error:
            message = str(error)
    check_refused(message, data, "mine.yaml", longest=1500)
    return message


def written(tree: Any) -> bytes:
    # As our own files are written: PyYAML alone leaves a text such as 1e100 without quotes.
    return dump(tree).encode("utf-8", "surrogatepass")


def check_accepted(made: Layer) -> None:
    """Check that a layer is the same after it was kept in a lake, and runs."""
    config = with_layers(world(), {"mine": made})
    kept = WorldConfig.model_validate(json.loads(json.dumps(config.to_dict(), default=str)))
    assert kept.world_hash == config.world_hash
    assert Layer.model_validate(made.to_dict()).layer_hash == made.layer_hash
    story = Story(kept, ground())
    for day in days_of(made):
        on = story.on(day, episodes(story, day))
        for touch in on.touches:
            check_touch(story, touch, day)
        assert story.on(day).touches is story.on(day).touches


def days_of(made: Layer) -> list[dt.date]:
    """Return days on which a layer does something, if it does by then: first, middle, last."""
    first = next(incidents(world(), made, FAR), None)
    if first is None:
        return [FAR]
    inside = {0, made.length // 2, max(made.length - HOUR, 0)}
    begin = max(first.start, int((EPOCH - dt.date(1970, 1, 1)).days) * DAY)
    last = dt.date(2044, 10, 1)
    found = {dt.date(1970, 1, 1) + dt.timedelta(days=(begin + each) // DAY) for each in inside}
    return sorted(min(day, last) for day in found)


def episodes(story: Story, day: dt.date) -> Episodes:
    """Let every stage with a trigger begin for half of those for whom it may."""
    start = (day - dt.date(1970, 1, 1)).days * DAY
    rows, codes = [], []
    for watch in story.watches(day):
        some = watch.rows[::2]
        rows += some.tolist()
        codes += [watch.code] * len(some)
    order = np.argsort(np.array(rows, dtype=np.int64), kind="stable")
    return Episodes(
        np.array(rows, dtype=np.int64)[order],
        np.array(codes, dtype=np.int64)[order],
        np.full(len(rows), start),
    )


def check_touch(story: Story, touch: Touch, day: dt.date) -> None:
    size = ground().size(touch.of)
    assert len(touch) > 0
    assert 0 <= touch.rows.min() <= touch.rows.max() < size
    assert (np.diff(touch.rows) > 0).all()
    assert (touch.end > touch.start).all()
    hours = touch.by_hour(day)
    assert hours.shape == (len(touch), 24)
    assert ((hours >= 0) & (hours <= 1)).all()
    for name in type(touch.effect).model_fields:
        value = getattr(touch.effect, name)
        if isinstance(value, effects.Amount):
            assert np.isfinite(touch.amount(value))
    if touch.of in ("cells", "sites", "network_elements"):
        position, _ = story.cells_under(touch)
        assert len(position) == 0 or position.max() < len(touch)


def check_valid(tree: dict[str, Any]) -> None:
    made = loaded(written(tree))
    assert isinstance(made, Layer), made
    assert holds(tree, layer_schema())
    assert not problems(made)
    check_accepted(made)


def check_any(data: bytes) -> None:
    made = loaded(data)
    if isinstance(made, Layer):
        check_accepted(made)


def check_unknown_key(tree: dict[str, Any], place: tuple[Any, ...]) -> None:
    """Check that a key that means nothing is refused, wherever it stands."""
    value_at(tree, place)["zz_nothing"] = 1
    message = loaded(written(tree))
    assert isinstance(message, str), f"a key in {place} was ignored"


@st.composite
def layers_and_mappings(draw: st.DrawFn) -> tuple[dict[str, Any], tuple[Any, ...]]:
    tree = draw(layers())
    mappings = [place for place in [(), *places(tree)] if isinstance(value_at(tree, place), dict)]
    return tree, draw(st.sampled_from(mappings))


@given(layers())
def test_layers(tree: dict[str, Any]) -> None:
    check_valid(tree)


@given(mutations())
def test_mutated_layers(tree: dict[str, Any]) -> None:
    check_any(written(tree))


@given(layers_and_mappings())
def test_unknown_keys(case: tuple[dict[str, Any], tuple[Any, ...]]) -> None:
    check_unknown_key(*case)


@example(b"\xff")
@given(damaged_texts())
def test_damaged_texts(data: bytes) -> None:
    check_any(data)


@pytest.mark.long
@LONG
@given(layers())
def test_many_layers(tree: dict[str, Any]) -> None:
    check_valid(tree)


@pytest.mark.long
@LONG
@given(mutations())
def test_many_mutated_layers(tree: dict[str, Any]) -> None:
    check_any(written(tree))


@pytest.mark.long
@LONG
@given(layers_and_mappings())
def test_many_unknown_keys(case: tuple[dict[str, Any], tuple[Any, ...]]) -> None:
    check_unknown_key(*case)


@pytest.mark.long
@LONG
@given(damaged_texts())
def test_many_damaged_texts(data: bytes) -> None:
    check_any(data)


def test_the_strategy_knows_all_datasets() -> None:
    assert set(MEMBERS) <= set(DATASETS)
