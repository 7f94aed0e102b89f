"""Writing layer files: a new one to begin with, and turning one on or off.

Belongs here: text of layer files. Does not belong here: reading them (`loading`), their shape
(`language`).
"""

import os
import re
import tempfile
from pathlib import Path
from typing import Final

from telco_pipeline.scenarios.schema import FILE_NAME

ENABLED: Final = "enabled"
"""Key of a layer that says whether it is on when all are."""
_LINE_END: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

_HEAD: Final = """\
# yaml-language-server: $schema=../{schema}
# A scenario layer: docs/scenarios.md tells all keys, `telco scenarios validate` what is wrong.
version: 1
number: {number}  # its own among all layers: its draws hang on it, so leave it as it is
title: {title}
story: >-
  In a few sentences: what happens, to whom, and what is seen of it.
kind: {kind}
severity: minor  # critical, major, minor or warning
enabled: true  # on when all layers are; `telco scenarios off {name}` turns it off
difficulty: 0.5  # 0 easy to find to 1 hard: chooses between the ends of {{easy: .., hard: ..}}

when:
  first: 7d  # so many days after the epoch, or a date such as 2026-01-15
  at: "18:00"  # local time
  every: 2w  # it comes again; leave it out for once
  times: 2
"""

_OF_THE_NETWORK: Final = """
cast:  # who takes part; all that fit, or so many of them, drawn anew for each incident
  sites:
    of: sites
    where: {place.density: dense}  # any columns: a value, a list, or {from: .., to: ..}
    number: 2
  look_alikes:
    of: sites
    where: {place.density: dense}
    outside: [sites]
    number: 2
    benign: true  # they only look like it; the truth says so

stages:  # one after the other, each for so long
  - name: signs
    lasts: 2d
    do:
      - errors: {who: sites, per_hour: {easy: 20, hard: 4}, of: hardware, ramp: 1d}
      - errors: {who: look_alikes, per_hour: 4, of: hardware}
  - name: trouble
    lasts: 6h
    do:
      - degrade: {who: sites, capacity: 0.5, drops: {easy: 0.1, hard: 0.02}, ramp: 30m}
"""

_OF_SUBSCRIBERS: Final = """
cast:  # who takes part; all that fit, or so many of them, drawn anew for each incident
  people:
    of: subscribers
    where: {kind: person, device.device_class: smartphone}  # any columns, also of what they have
    share: 0.01
    at_least: 5
  look_alikes:
    of: subscribers
    where: {kind: person}
    outside: [people]
    share: 0.01
    benign: true  # they only look like it; the truth says so

stages:  # one after the other, each for so long
  - name: signs
    lasts: 3d
    spread: 1d  # each begins at a time of its own within a day
    do:
      - usage: {who: people, calls: {easy: 3, hard: 1.5}, ramp: 1d}
      - usage: {who: look_alikes, calls: 1.3}
  - name: reaction
    lasts: 5d
    do:
      - care: {who: people, share: 0.3, topic: billing}
"""

_SIGNATURES: Final = """
# What must be seen with the layer, and not without it: one number by SQL over the datasets.
# signatures:
#   - name: ...
#     sql: select ...
#     seen: {low: 1}
#     unseen: {high: 0}
"""


def skeleton(name: str, kind: str, number: int) -> str:
    """Return the text of a new layer that is valid and to be changed.

    Args:
        name: Its name, of which the title is made.
        kind: One of `language.KINDS`.
        number: Its number.
    """
    title = name.replace("_", " ").capitalize()
    # In quotes if YAML would take it for something else.
    told = title if title.lower() not in ("true", "false", "null") else f'"{title}"'
    head = _HEAD.format(schema=FILE_NAME, name=name, number=number, title=told, kind=kind)
    return head + (_OF_THE_NETWORK if kind == "network" else _OF_SUBSCRIBERS) + _SIGNATURES


def turned(text: str, *, on: bool) -> str:
    """Return the text of a layer's file that says whether the layer is on; nothing else changes.

    Args:
        text: The text of a valid layer.
        on: Whether it is to be on.
    """
    import yaml  # here, not above: YAML is slow to import

    word = "true" if on else "false"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    entries = {key.value: (key, value) for key, value in root.value}
    # By the places that the parser tells: the same words may stand in the story.
    if ENABLED in entries:
        value = entries[ENABLED][1]
        return text[: value.start_mark.index] + word + text[value.end_mark.index :]
    key, value = entries["number"]
    end = value.end_mark.index
    if root.flow_style:
        return f"{text[:end]}, {ENABLED}: {word}{text[end:]}"
    line = _LINE_END.search(text, end)
    end = line.start() if line else len(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"{text[:end]}{newline}{' ' * key.start_mark.column}{ENABLED}: {word}{text[end:]}"


def write_atomically(path: Path, text: str) -> None:
    """Write a file whole or not at all; links are followed and permissions kept.

    Raises:
        OSError: The disk refuses.
    """
    target = path.resolve()
    mode = target.stat().st_mode & 0o7777 if target.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
