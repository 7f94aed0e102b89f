"""Turning layers on and off by editing their files, however these are laid out."""

from pathlib import Path

import pytest

from telco_pipeline.scenarios.editing import turned
from telco_pipeline.scenarios.loading import load_layer

LAYER = """\
version: 1
number: 7
title: Cells rest
story: One cell rests for an hour.
kind: network
when: {first: 1d}
cast:
  resting: {of: cells, number: 1}
stages:
  - {name: rest, lasts: 1h, do: [{sleep: {who: resting}}]}
"""
FLOW = (
    "{version: 1, number: 7, title: Cells rest, story: One rests., kind: network, "
    "when: {first: 1d}, cast: {resting: {of: cells, number: 1}}, "
    "stages: [{name: rest, lasts: 1h, do: [{sleep: {who: resting}}]}]}\n"
)
WITHOUT_NUMBER = LAYER.replace("number: 7\n", "")


def with_key(told: str) -> str:
    return LAYER.replace("kind: network\n", f"kind: network\n{told}\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(LAYER, id="left-out"),
        pytest.param(LAYER.replace("\n", "\r\n"), id="crlf"),
        pytest.param("\ufeff" + LAYER, id="byte-order-mark"),
        pytest.param(f"--- # a document\n{LAYER}", id="document"),
        pytest.param(LAYER.rstrip("\n"), id="no-last-line-end"),
        pytest.param(f"{WITHOUT_NUMBER}number: 7", id="number-last"),
        pytest.param(LAYER.replace("number: 7", "number:\n  7"), id="number-on-next-line"),
        pytest.param(LAYER.replace("number: 7", '"number" : 7  # its own'), id="number-quoted"),
        pytest.param("".join(f"  {line}\n" for line in LAYER.splitlines()), id="indented"),
        pytest.param(FLOW, id="flow"),
        pytest.param(FLOW.replace("kind:", "enabled: true, kind:"), id="flow-given"),
        pytest.param(with_key("enabled: true  # enabled: true"), id="given"),
        pytest.param(with_key('"enabled" : true'), id="given-quoted"),
        pytest.param(with_key("enabled:\n  true"), id="given-on-next-line"),
        pytest.param(with_key("enabled: !!bool true"), id="given-tagged"),
        pytest.param(
            LAYER.replace("One cell rests for an hour.", '"It was\nenabled: true\n once."'),
            id="the-same-words-in-the-story",
        ),
    ],
)
def test_only_whether_it_is_on_changes(tmp_path: Path, text: str) -> None:
    file = tmp_path / "resting.yaml"
    file.write_bytes(text.encode())
    before = load_layer(file)
    assert before.enabled
    told = text
    for on in (False, True):
        told = turned(told, on=on)
        file.write_bytes(told.encode())
        assert load_layer(file) == before.model_copy(update={"enabled": on})
    assert len(told.splitlines()) <= len(text.splitlines()) + 1
