"""What a layer file may not say: each mistake is one line with its place and what to do."""

from pathlib import Path

import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import load_layer
from telco_pipeline_tests.scenarios.kit import layer, stage

TEXT = """\
version: 1
number: 3
title: Something
story: Something happens.
kind: network
when: {first: 3d}
cast:
  them: {of: subscribers, number: 3}
stages:
  - name: it
    lasts: 2d
    do:
      - usage: {who: them, calls: 2}
"""
WHEN, CAST, LASTS, DO, EFFECT = (
    "when: {first: 3d}",
    "them: {of: subscribers, number: 3}",
    "lasts: 2d",
    "do:\n      - usage: {who: them, calls: 2}",
    "usage: {who: them, calls: 2}",
)


def where(text: str) -> tuple[str, str]:
    return CAST, f"them: {{of: subscribers, where: {{{text}}}}}"


def load(path: Path, text: str | bytes) -> Layer:
    file = path / "mine.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_layer(file)


def test_the_plain_one_is_right(tmp_path: Path) -> None:
    assert load(tmp_path, TEXT).title == "Something"


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        # effects
        ((EFFECT, "usage: [them]"), 13, "stages[0].do[0].usage: must be a mapping with who"),
        ((EFFECT, "usage: 5"), 13, "must be a mapping with who"),
        ((EFFECT, "usage:"), 13, "stages[0].do[0].usage: has no value: write one, or remove"),
        ((EFFECT, "usage: ~"), 13, "has no value"),
        ((EFFECT, "usage: {who: them}\n        swap: {who: them}"), 13, "not swap and usage"),
        ((EFFECT, "usge: {who: them}"), 13, "unknown key 'usge': did you mean 'usage'?"),
        ((EFFECT, "usage: {who: them, cals: 2}"), 13, "did you mean 'calls'?"),
        ((EFFECT, "usage: {who: thm}"), 13, "there is no role 'thm': did you mean 'them'?"),
        ((EFFECT, "usage: {calls: 2}"), 13, "missing key 'who'"),
        ((EFFECT, "usage: {who: them, calls: -1}"), 13, "must be a number from 0 to 1,000"),
        ((EFFECT, "usage: {who: them, calls: {easy: 1}}"), 13, "has the keys easy and hard"),
        ((EFFECT, "usage: {who: them, calls: {easy: 1, hard: x}}"), 13, "calls: must be"),
        ((EFFECT, "usage: {who: them, ramp: 3d}"), 13, "ramp and fade together are longer"),
        ((EFFECT, "fault: {who: them, kind: power}"), 13, "but 'them' are subscribers"),
        ((EFFECT, "roaming: {who: them, country: fr}"), 13, "roaming.country: must be"),
        ((EFFECT, "destinations: {who: them, share: 1, to: ranges}"), 13, "give 'ranges' with"),
        ((DO, "do: {}"), 12, "stages[0].do: must be a list of 1 to 50 effects, not a mapping"),
        ((DO, "do: []"), 12, "it has 0 entries"),
        ((DO, "do: usage"), 12, 'not "usage"'),
        ((DO, "do: [usage]"), 12, "must be a mapping with fault"),
        ((DO, "do: [{}]"), 12, "has exactly one effect"),
        # roles
        ((CAST, "them: text"), 8, "cast.them: must be a mapping with of, where"),
        ((CAST, "them:"), 8, "not nothing"),
        ((CAST, "them: {}"), 8, "missing key 'of': must be one of subscribers, cells"),
        ((CAST, "them: {of: cell}"), 8, "did you mean 'cells'?"),
        ((CAST, "them: {of: subscribers, share: 1, number: 1}"), 8, "either 'number' or 'share'"),
        ((CAST, "them: {of: subscribers, at_least: 5, at_most: 4}"), 8, "must not be below"),
        ((CAST, "them: {of: subscribers, number: 1e400}"), 8, "must be a whole number"),
        ((CAST, f"them: {{of: subscribers, number: {'9' * 300}}}"), 8, "must be a whole number"),
        ((CAST, "them: {of: subscribers, within: others}"), 8, "role 'others' does not stand"),
        ((CAST, "them: {of: subscribers, near: {role: them, km: 1}}"), 8, "does not stand above"),
        ((CAST, "them: {of: subscribers, near: 5}"), 8, "must be a mapping with role, km"),
        ((CAST, "them: {of: subscribers, outside: them}"), 8, "a list of up to 20 roles"),
        ((CAST, "c: {of: cells}\n  them: {of: subscribers, outside: [c]}"), 9, "'c' are cells"),
        ((CAST, "Them: {of: subscribers}"), 8, "cast.Them: must be a name of lower-case"),
        ((CAST, "them: &them {of: subscribers}"), 8, "anchors (&) and aliases (*)"),
        ((CAST, "them: *them"), 8, "anchors (&) and aliases (*)"),
        (where(""), 8, "must be a mapping of 1 to 50 columns"),
        (where("persna: x"), 8, "no column 'persna': did you mean 'persona'?"),
        (where("plan.nme: x"), 8, "plans have no column 'nme': did you mean 'name'?"),
        (where("price: 1"), 8, "no column 'price'"),
        (where("'': 1"), 8, "no column ''"),
        (where("a.b.c: 1"), 8, "subscribers lead to plan, device, home, place"),
        (where("persona: {from: {to: 1}}"), 8, "'from' must be a number, a date such as"),
        (where("persona: [[x]]"), 8, "must be a value, a list of values"),
        (where("persona: {above: 1}"), 8, "has the keys from and to"),
        (where("persona: ~"), 8, "not nothing"),
        (where("persona: 5"), 8, "is text: write '5' in quotes"),
        (where("kind: persn"), 8, "did you mean 'person'?"),
        (where(f"activity_level: {'9' * 300}"), 8, "a number has at most 15 digits"),
        (where("activity_level: {to: .inf}"), 8, "a number has at most 15 digits"),
        (where("contract_end: 2026-01-01"), 8, "is a date: give {from: .., to: ..}"),
        (where("contract_end: {to: 2026-02-30}"), 8, "'to' must be a number, a date"),
        (where("contract_end: {from: 9d, to: -9d}"), 8, "'from' is above 'to'"),
        (where("contract_end: {to: 9999w}"), 8, "that is more than ten years"),
        (where("student: yes"), 8, "is true or false"),
        # when
        ((WHEN, "when: 3d"), 6, "when: must be a mapping with first"),
        ((WHEN, "when:"), 6, "has no value"),
        ((WHEN, "when: {}"), 6, "missing key 'first'"),
        ((WHEN, "when: {first: 36h}"), 6, "whole days: the time of the day is the key 'at'"),
        ((WHEN, "when: {first: 9999-01-01}"), 6, "a date from 2000-01-01 to 2044-10-01"),
        ((WHEN, "when: {first: 2026-01-01T10:00:00}"), 6, "must be a date such as"),
        ((WHEN, "when: {first: 3d, at: 7:30}"), 6, "must be a local time in quotes"),
        ((WHEN, "when: {first: 3d, at: 24:00}"), 6, "must be a local time in quotes"),
        ((WHEN, "when: {first: 3d, weekday: fri}"), 6, "did you mean 'friday'?"),
        ((WHEN, "when: {first: 3d, every: 5d, weekday: friday}"), 6, "must be whole weeks"),
        ((WHEN, "when: {first: 3d, times: 2}"), 6, "'times' needs 'every'"),
        ((WHEN, "when: {first: 3d, every: 0m}"), 6, "it must last a minute at least"),
        ((WHEN, "when: {first: 3d, every: 1m, times: 10000}"), 6, "so many incidents, 4,321,"),
        ((WHEN, "when: {first: 3d, every: 1d, parallel: 500}"), 6, "the limit is 1,000"),
        # stages
        ((LASTS, "lasts: 2"), 11, "must be a length of time such as 90m"),
        ((LASTS, "lasts: 2 days"), 11, "must be a length of time such as 90m"),
        ((LASTS, "lasts: -2d"), 11, "must be a length of time such as 90m"),
        ((LASTS, "lasts: 4000d"), 11, "that is more than ten years"),
        ((LASTS, "lasts: 2000d\n    spread: 2000d"), 9, "an incident would last 4,000 days"),
        ((LASTS, "lasts: 2d\n\tspread: 1d"), 12, "is not valid YAML: found character '\\t'"),
        ((LASTS, "lasts: 2d\n    lasts: 3d"), 12, "key 'lasts' is there already, in line 11"),
        ((LASTS, "lasts: 2d\n    trigger: {}"), 12, "a trigger needs satisfaction"),
        ((LASTS, "lasts: 2d\n    trigger: {satisfaction: 1}"), 12, "must be a range of numbers"),
        ((LASTS, "lasts: 2d\n    trigger: {satisfaction: {to: 5d}}"), 12, "a range of numbers"),
        ((LASTS, "lasts: 2d\n    trigger: {mood: {to: 1}}"), 12, "unknown key 'mood'"),
        # the rest
        (("version: 1", "version: 2"), 1, "the only version of this file so far"),
        (("version: 1\n", ""), 1, "missing key 'version'"),
        (("\nnumber: 3", "\nnumber: '3'"), 2, "must be a whole number from 1 to 999"),
        (("\nnumber: 3", "\nnumber: 1000"), 2, "must be a whole number from 1 to 999"),
        (("title: Something", "title: 5"), 3, 'write "5" in quotes'),
        (("title: Something", 'title: "a\\0b"'), 3, "must be text"),
        (("kind: network", "kind: netwrk"), 5, "did you mean 'network'?"),
        (("kind: network", "kind: network\nenabled: yes"), 6, "enabled: must be true or false"),
        (("kind: network", "kind: network\ndifficulty: .nan"), 6, "must be a number from 0 to 1"),
        (("kind: network", "kind: network\ntells: {}"), 6, "must be a list of up to 50 columns"),
        (
            ("kind: network", "kind: network\ntells: [{dataset: [], column: a, because: b}]"),
            6,
            "must be a name, or a list of up to 50 different ones",
        ),
        (
            ("kind: network", "kind: network\ntells: [{dataset: a, column: [b, b], because: b}]"),
            6,
            "must be a name, or a list of up to 50 different ones",
        ),
        (("kind: network", "kind: network\n? [a]\n: b"), 6, "a key must be a word"),
        (("stages:", "stags:"), 9, "unknown key 'stags': did you mean 'stages'?"),
        ((TEXT, "# nothing"), 1, "the file is empty: write the keys of a layer"),
        ((TEXT, "- a list"), 1, "must be a mapping"),
    ],
)
def test_mistakes(tmp_path: Path, change: tuple[str, str], line: int, words: str) -> None:
    old, new = change
    assert TEXT.count(old) == 1
    with pytest.raises(TelcoError) as refused:
        load(tmp_path, TEXT.replace(old, new))
    message = str(refused.value)
    assert f"mine.yaml:{line}: " in message
    assert words in message
    assert message.isprintable()


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("sql: 5, seen: {low: 1}, unseen: {high: 1}", "sql: must be a query"),
        ("sql: x, seen: {}, unseen: {high: 1}", "seen: a range needs low, high or both"),
        ("sql: x, seen: {low: 2, high: 1}, unseen: {high: 1}", "must not be below low, 2"),
        ("sql: x, seen: 5, unseen: {high: 1}", "seen: must be a mapping with low, high"),
        ("seen: {low: 1}, unseen: {high: 1}", "missing key 'sql'"),
    ],
)
def test_signatures(tmp_path: Path, signature: str, words: str) -> None:
    with pytest.raises(TelcoError) as refused:
        load(tmp_path, f"{TEXT}signatures:\n  - {{name: seen, {signature}}}\n")
    assert "mine.yaml:15: signatures[0]" in str(refused.value)
    assert words in str(refused.value)


def test_files_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match=r"mine.yaml:1: is not UTF-8 text"):
        load(tmp_path, b"\xff\xfe")
    with pytest.raises(TelcoError, match=r"mine.yaml: is no layer file: it has more than"):
        load(tmp_path, b"x" * 2_000_000)
    with pytest.raises(TelcoError, match=r"none.*there is no such file: telco scenarios list"):
        load_layer(tmp_path / "none.yaml")


def test_what_is_written_back_is_the_same() -> None:
    made = layer(
        when={"first": "2026-01-15", "every": "1.5d", "at": "19:30"},
        stages=[
            stage({"usage": {"who": "people", "calls": {"easy": 3, "hard": 1}, "ramp": "1h"}}),
            stage(name="then", trigger={"satisfaction": {"to": 0.3}}),
        ],
    )
    assert Layer.model_validate(made.to_dict()) == made


def test_how_many_incidents_touch_a_day() -> None:
    assert layer().a_day == 1
    assert layer(when={"first": "0d", "every": "1w"}).a_day == 1
    # Two days and the day itself, once a day.
    assert layer(when={"first": "0d", "every": "1d"}).a_day == 4
    assert layer(when={"first": "0d", "every": "1d", "times": 2}).a_day == 2
    assert layer(when={"first": "0d", "every": "1d", "spread": "10d"}).a_day == 14
