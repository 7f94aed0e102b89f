"""A small lake that keeps every contract, made from the contracts alone.

The values mean nothing, but every rule, key, time and check digit holds; a test breaks one.
"""

import datetime as dt
import random
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.lake import Lake
from telco_pipeline_tests.lake.kit import DAY, bound_lake, commit

ROWS = 40
DAYS = [DAY, DAY + dt.timedelta(days=1)]

IMSIS = [f"2066100000{number:05d}" for number in range(ROWS)]


def with_luhn(number: str) -> str:
    """Return a number with its check digit, found by trying."""
    return next(each for digit in range(10) if luhn_holds(each := f"{number}{digit}"))


def luhn_holds(number: str) -> bool:
    """Return whether the check digit of a number is right (as in TS 23.003 annex B)."""
    doubled = [int(digit) * (2 - position % 2) for position, digit in enumerate(number[-2::-1])]
    return (sum(divmod(each, 10)[0] + each % 10 for each in doubled) + int(number[-1])) % 10 == 0


def small_lake(root: Path, names: list[str] | None = None) -> Lake:
    """Return a lake with every dataset, or some, on two days of two files."""
    lake = bound_lake(root)
    for name in names or DATASETS:
        dataset = DATASETS[name]
        if dataset.daily:
            for day in DAYS:
                commit(lake, dataset, [small_frame(dataset, day, part) for part in (0, 1)], day)
        else:
            commit(lake, dataset, small_frame(dataset))
    return lake


def small_frame(dataset: Dataset, day: dt.date | None = None, part: int = 0) -> pl.DataFrame:
    """Return rows that keep a dataset's contract."""
    return dataset.schema.sample(
        ROWS,
        generator=dy.random.Generator(seed=7),
        overrides=_chosen(dataset, day, part),
    )


def _chosen(dataset: Dataset, day: dt.date | None, part: int) -> dict[str, list[Any]]:
    """Return the values that a sample at random would not get right."""
    references = {key.column: (key.target, key.target_column) for key in dataset.foreign_keys}
    keys = set(dataset.schema.primary_key()) | {"imsi"}
    chosen: dict[str, list[Any]] = {}
    for name in dataset.columns:
        if name in references:
            chosen[name] = _key_values(*references[name])
        elif name == "event_id":
            place = f"{dataset.name} {day} {part}"
            chosen[name] = random.Random(place).sample(range(1 << 62), ROWS)
        elif name in keys:
            chosen[name] = _key_values(dataset.name, name)
        elif name.removeprefix("previous_") in IDENTITIES:
            chosen[name] = IDENTITIES[name.removeprefix("previous_")]
        elif name in ("number_holder", "home_plmn", "serving_plmn"):
            chosen[name] = ["20661"] * ROWS
        elif name == "change_type":
            chosen[name] = ["sim_swap"] * ROWS
        elif name == dataset.time and day is not None:
            start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
            chosen[name] = [start + dt.timedelta(minutes=number) for number in range(ROWS)]
    return chosen


def _key_values(dataset: str, column: str) -> list[Any]:
    if column == "imsi":
        return IMSIS
    if DATASETS[dataset].polars_schema[column] == pl.String:
        return [f"{dataset}-{number:03d}" for number in range(ROWS)]
    return list(range(1, ROWS + 1))


IDENTITIES = {
    "imsi": IMSIS,
    "msisdn": [f"+324610000{number:02d}" for number in range(ROWS)],
    "imei": [with_luhn(f"35000000{number:06d}") for number in range(ROWS)],
    "iccid": [with_luhn(f"893261{number:012d}") for number in range(ROWS)],
}
"""What subscribers 1 to `ROWS` have, and keep: what changes, changes to the same."""
