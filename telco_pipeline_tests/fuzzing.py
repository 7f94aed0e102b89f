"""The kit of the fuzzed files: trees and texts that nobody should write, and how they are refused.

Belongs here: strategies that damage any YAML file, and what holds of every message. Does not belong
here: what a valid file is (the tests of each kind of file), what it says.
"""

import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

LONG = settings(
    max_examples=1000,
    derandomize=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Settings of the long tier."""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 3),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.floats(),
    st.text(max_size=20),
    st.dates(),
    st.datetimes(),
    st.sampled_from(["", "auto", "day", "NaN", "1e6", "0x10", "[key]", "\x85\u2028", "9" * 5000]),
    st.sampled_from(["1m", "999999w", "24:00", "null", "+"]),
    st.binary(max_size=8),
)
"""Single values of any kind."""

MARKS = (
    "\t", "\n", ": ", "- ", "[" * 50, "{", "}", "&a ", "*a", "!!set ", "%", "|", ">", "---\n",
    "...", "?", "'", '"', '"\\U99999999"', '"\\ud800"', "<<: ", "#", "\0", "\ufeff", "0o17", "1:30",
    "2026-13-01", ".inf", "~", "yes",
)  # fmt: skip
"""Pieces of text that mean something to YAML."""


def trees(words: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Return values, lists and mappings with such keys, within each other."""
    return st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(words, inner, max_size=4)
        ),
        max_leaves=8,
    )


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value: the keys that lead to it."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*at, key)
        if isinstance(value, dict | list):
            yield from places(value, (*at, key))


def value_at(tree: Any, place: Sequence[Any]) -> Any:
    """Return the value at a place."""
    for key in place:
        tree = tree[key]
    return tree


def mutated(
    draw: st.DrawFn, whole: Any, words: st.SearchStrategy[str], most: int = 300
) -> dict[str, Any]:
    """Return a tree whose values are replaced, removed, added, renamed, doubled or moved.

    Args:
        draw: Draws from strategies.
        whole: The tree; it stays as it is.
        words: Keys that mean something, or nothing.
        most: How often a value is repeated at most.
    """
    tree, every = copy.deepcopy(whole), list(places(whole))
    for place in draw(st.lists(st.sampled_from(every), min_size=1, max_size=3)):
        try:
            parent = value_at(tree, place[:-1])
            old = parent[place[-1]]
            how = draw(st.sampled_from(["replace", "remove", "add", "rename", "repeat", "swap"]))
            if how == "replace":
                parent[place[-1]] = draw(trees(words))
            elif how == "swap":
                other = value_at(tree, draw(st.sampled_from(every)))
                parent[place[-1]] = copy.deepcopy(other)
            elif how == "remove":
                del parent[place[-1]]
            elif how == "repeat":
                parent[place[-1]] = [old] * draw(st.integers(0, most))
            elif isinstance(parent, list):
                parent.append(draw(trees(words)))
            elif how == "add":
                parent[draw(words)] = draw(trees(words))
            else:
                parent[draw(words)] = parent.pop(place[-1])
        except (KeyError, IndexError, TypeError):
            continue  # an earlier mutation took the place away
    return tree


def damaged(draw: st.DrawFn, text: str) -> bytes:
    """Return a text with pieces cut out, typed over or inserted, now and then no text at all."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.sampled_from([0, 0, 1, 2, 10, 200]))
        piece = draw(st.one_of(st.text(max_size=10), st.sampled_from(MARKS)))
        text = text[:start] + piece + text[stop:]
    data = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 9)) == 0:
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(st.binary(max_size=4)) + data[place:]
    return data


def check_message(message: str, longest: int = 1000) -> None:
    """Check that a message is one line in the words of an operator."""
    assert message.isprintable(), message
    assert len(message.splitlines()) == 1
    assert len(message) < longest
    # Words of pydantic and Python that no operator should have to read.
    assert not re.search(r"pydantic|Traceback|type=|NoneType|validat|Error", message), message


def check_refused(message: str, data: bytes, name: str, longest: int = 1000) -> None:
    """Check that a message on a file names it and a line of it, and is as `check_message` wants.

    Args:
        message: The message.
        data: What the file holds.
        name: Name of the file.
        longest: Characters that it must have less of.
    """
    check_message(message, longest)
    named = re.match(rf".*/{re.escape(name)}:(\d+): ", message)
    assert named, message
    # YAML breaks lines where bytes do not, such as at U+2028.
    assert 1 <= int(named[1]) <= len(data.decode("utf-8", "replace").splitlines()) + 1
