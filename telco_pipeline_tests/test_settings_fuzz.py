"""Whatever a world file holds, it is a valid world or one clear line, and never a traceback."""

import copy
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import DEFAULT_WORLD_FILE, WorldConfig, load_world

TEXT = DEFAULT_WORLD_FILE.read_text(encoding="utf-8")
TREE = yaml.safe_load(TEXT)
LONG = settings(
    max_examples=1000,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in entries:
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*at, key))


PLACES = list(_places(TREE))
KEYS = sorted({str(place[-1]) for place in PLACES})

names = st.one_of(st.sampled_from(KEYS), st.text(max_size=12))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(),
    st.text(),
    st.dates(),
    st.datetimes(),
    st.sampled_from(["", "auto", "day", "NaN", "1e6", "0x10", "[key]", "\x85\u2028", "9" * 5000]),
    st.binary(max_size=8),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=8,
)


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """A world whose values are replaced, removed, added, renamed, doubled or moved."""
    tree = copy.deepcopy(TREE)
    for place in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        parent: Any = tree
        try:
            for key in place[:-1]:
                parent = parent[key]
            old = parent[place[-1]]
            how = draw(st.sampled_from(["replace", "remove", "add", "rename", "repeat", "swap"]))
            if how == "replace":
                parent[place[-1]] = draw(trees)
            elif how == "swap":
                parent[place[-1]] = tree[draw(st.sampled_from(sorted(tree)))]
            elif how == "remove":
                del parent[place[-1]]
            elif how == "repeat":
                parent[place[-1]] = [old] * draw(st.integers(0, 300))
            elif isinstance(parent, list):
                parent.append(draw(trees))
            elif how == "add":
                parent[draw(names)] = draw(trees)
            else:
                parent[draw(names)] = parent.pop(place[-1])
        except (KeyError, IndexError, TypeError):
            continue  # an earlier mutation took the place away
    return tree


@st.composite
def damaged_texts(draw: st.DrawFn) -> bytes:
    """The file's text with pieces cut out, typed over or inserted."""
    text = TEXT
    pieces = st.one_of(
        st.text(max_size=10),
        st.sampled_from(
            [
                "\t",
                "\n",
                ": ",
                "- ",
                "[" * 50,
                "{",
                "}",
                "&a ",
                "*a",
                "!!set ",
                "%",
                "|",
                ">",
                "---\n",
                "...",
                "?",
                "'",
                '"',
                '"\\U99999999"',
                '"\\ud800"',
                "<<: ",
                "#",
                "\0",
                "\ufeff",
                "0o17",
                "1:30",
                "2026-13-01",
                ".inf",
            ]
        ),
    )
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.sampled_from([0, 0, 1, 2, 10, 200]))
        text = text[:start] + draw(pieces) + text[stop:]
    data = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=4)) + data[place:]
    return data


def check_file(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.yaml"
        path.write_bytes(data)
        try:
            config = load_world(path)
        except TelcoError as error:
            check_message(str(error))
            named = re.match(r".*/world\.yaml:(\d+): ", str(error))
            assert named
            assert 1 <= int(named[1]) <= len(data.splitlines()) + 1
            return
        path.write_text(config.to_yaml(), encoding="utf-8")
        assert load_world(path).to_dict() == config.to_dict()


def check_message(message: str) -> None:
    assert message.isprintable()
    assert len(message.splitlines()) == 1
    assert len(message) < 1000
    # Words of pydantic and Python that no operator should have to read.
    assert not re.search(r"pydantic|Traceback|type=|NoneType|validat", message)


def check_tree(tree: Any) -> None:
    check_file(
        yaml.dump(tree, allow_unicode=True, sort_keys=False).encode("utf-8", "surrogatepass")
    )


def check_overrides(overrides: dict[str, Any]) -> None:
    try:
        config = load_world(DEFAULT_WORLD_FILE, **overrides)
    except TelcoError as error:
        message = str(error)
    else:
        assert isinstance(config, WorldConfig)
        return
    check_message(message)
    assert message.startswith("--")


overrides_of_any_kind = st.dictionaries(
    st.one_of(st.sampled_from(sorted(TREE)), st.text(max_size=12)).filter("path".__ne__),
    st.one_of(trees, st.sampled_from([TREE[key] for key in sorted(TREE)])),
    max_size=3,
)


@given(mutations())
def test_mutated_worlds(tree):
    check_tree(tree)


@given(damaged_texts())
def test_damaged_texts(data):
    check_file(data)


@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "replace"))))
def test_random_files(data):
    check_file(data)


@given(overrides_of_any_kind)
def test_any_overrides(overrides):
    check_overrides(overrides)


@pytest.mark.long
@LONG
@given(mutations())
def test_many_mutated_worlds(tree):
    check_tree(tree)


@pytest.mark.long
@LONG
@given(damaged_texts())
def test_many_damaged_texts(data):
    check_file(data)


@pytest.mark.long
@LONG
@given(overrides_of_any_kind)
def test_many_overrides(overrides):
    check_overrides(overrides)
