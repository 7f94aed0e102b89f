"""Writing layer files: a new one to begin with, and turning one on or off.

Belongs here: text of layer files. Does not belong here: reading them (`loading`), their shape
(`language`).
"""

import os
import re
import tempfile
from pathlib import Path
from typing import Final

from telco_pipeline.errors import TelcoError
from telco_pipeline.scenarios.schema import FILE_NAME

_ENABLED: Final = re.compile(r"(?P<key>(?:enabled|'enabled'|\"enabled\")\s*:\s*)[^\s#]+")

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


def turned(text: str, *, on: bool, file: str) -> str:
    """Return the text of a layer's file that says whether the layer is on; nothing else changes.

    Args:
        text: The text of a valid layer.
        on: Whether it is to be on.
        file: The file, for messages.

    Raises:
        TelcoError: The file is laid out in a way that cannot be edited.
    """
    word = "true" if on else "false"
    lines = text.splitlines(keepends=True)
    # Top-level keys of a block mapping begin their lines.
    for row, line in enumerate(lines):
        if match := _ENABLED.match(line):
            lines[row] = f"{match['key']}{word}{line[match.end() :]}"
            return "".join(lines)
    for row, line in enumerate(lines):
        if line.startswith("number:"):
            end = "\r\n" if line.endswith("\r\n") else "\n"
            lines.insert(row + 1, f"enabled: {word}{end}")
            return "".join(lines)
    raise TelcoError(f"{file}: has no line 'number: ..' to write behind: write 'enabled: {word}'")


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
