"""Whatever a world file holds, it is a valid world or one clear line, and never a traceback."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import DEFAULT_WORLD_FILE, WorldConfig, load_world
from telco_pipeline_tests.fuzzing import (
    LONG,
    check_message,
    check_refused,
    damaged,
    mutated,
    places,
    trees,
)

TEXT = DEFAULT_WORLD_FILE.read_text(encoding="utf-8")
TREE = yaml.safe_load(TEXT)
KEYS = sorted({str(place[-1]) for place in places(TREE)})

names = st.one_of(st.sampled_from(KEYS), st.text(max_size=12))


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """A world whose values are replaced, removed, added, renamed, doubled or moved."""
    return mutated(draw, TREE, names)


@st.composite
def damaged_texts(draw: st.DrawFn) -> bytes:
    """The file's text with pieces cut out, typed over or inserted."""
    return damaged(draw, TEXT)


def check_file(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.yaml"
        path.write_bytes(data)
        try:
            config = load_world(path)
        except TelcoError as error:
            check_refused(str(error), data, path.name)
            return
        path.write_text(config.to_yaml(), encoding="utf-8")
        assert load_world(path).to_dict() == config.to_dict()


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
    st.one_of(trees(names), st.sampled_from([TREE[key] for key in sorted(TREE)])),
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
