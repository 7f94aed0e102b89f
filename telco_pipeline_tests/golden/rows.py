"""The hashes of a small fixed world's rows, and how they differ from those kept.

`rows.json` keeps, for each dataset and day, a hash per column. A change of it is made by
`python -m telco_pipeline_tests.golden.update --why "..."`, which tells in CHANGES.md what and why.
"""

import datetime as dt
import json
from pathlib import Path

from telco_pipeline.contracts import STATIC_DATASETS
from telco_pipeline.generators import GENERATORS
from telco_pipeline.lake import column_hashes
from telco_pipeline_tests.generators.kit import SPRING, inputs_of, make_day, small_world

GOLDEN_FILE = Path(__file__).with_name("rows.json")
CHANGES_FILE = Path(__file__).with_name("CHANGES.md")

SUBSCRIBERS = 400
DAYS = (dt.date(2026, 1, 15), SPRING)
"""A Thursday, and the day on which the clock goes forward."""

Hashes = dict[str, dict[str, str]]
"""Hash by column, by dataset (and day)."""


def current() -> Hashes:
    """Return the hashes of the rows that the program makes now."""
    # Weights that give every dataset enough rows for each of its codes.
    weights = {**small_world().to_dict()["record_weights"], "customer_service": 20.0}
    inputs = inputs_of(small_world(subscribers=SUBSCRIBERS, part_size=1024, record_weights=weights))
    everybody = inputs.frames["subscribers"]
    frames = inputs.frames | {
        "subscribers": everybody[:SUBSCRIBERS],
        "prospects": everybody[SUBSCRIBERS:],
    }
    hashes = {name: _short(column_hashes(frames[name])) for name in STATIC_DATASETS}
    # Counters are made of records in a lake; that they equal them is tested there.
    for name in GENERATORS:
        for day in DAYS:
            hashes[f"{name} {day}"] = _short(column_hashes(make_day(inputs, name, day)))
    return hashes


def _short(hashes: dict[str, str]) -> dict[str, str]:
    return {name: digest[:16] for name, digest in hashes.items()}


def kept() -> Hashes:
    """Return the hashes that are checked in."""
    return json.loads(GOLDEN_FILE.read_text())


def differences(before: Hashes, after: Hashes) -> dict[str, list[str]]:
    """Return the columns that changed, by dataset; "(all)" for a dataset that came or went."""
    found: dict[str, set[str]] = {}
    for key in before.keys() | after.keys():
        dataset = key.split()[0]
        if key not in before or key not in after:
            found.setdefault(dataset, set()).add("(all)")
            continue
        old, new = before[key], after[key]
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
        if changed:
            found.setdefault(dataset, set()).update(changed)
    return {name: sorted(found[name]) for name in sorted(found)}


def told(changed: dict[str, list[str]]) -> str:
    """Return the differences in words, a line per dataset."""
    return "\n".join(f"- {name}: {', '.join(columns)}" for name, columns in changed.items())
