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
from telco_pipeline.oss import collection, counters
from telco_pipeline.settings import load_world
from telco_pipeline_tests.lake.kit import DAY, bound_lake, commit

WORLD_FILE = Path(__file__).parents[1] / "golden" / "world.yaml"
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
                commit(lake, dataset, _files(lake, dataset, day), day)
        else:
            commit(lake, dataset, small_frame(dataset))
    return lake


def _files(lake: Lake, dataset: Dataset, day: dt.date) -> list[pl.DataFrame]:
    """Return the rows of a day as two files."""
    if dataset.schema.primary_key() == ["event_id"]:
        return [small_frame(dataset, day, part) for part in (0, 1)]
    if dataset.name == "pm_counters":  # sums of the other rows
        rows = counters.make(load_world(WORLD_FILE), lake, day)
    elif dataset.name == "collected_files":  # files of the other rows
        rows = collection.make(load_world(WORLD_FILE), lake, day)
    else:
        rows = small_frame(dataset, day)
    half = rows.height // 2
    return [rows.head(half), rows.tail(rows.height - half)]


def small_frame(dataset: Dataset, day: dt.date | None = None, part: int = 0) -> pl.DataFrame:
    """Return rows that keep a dataset's contract."""
    chosen = _chosen(dataset, day, part)
    if day is not None:
        chosen |= _of_day(dataset, day)
    return dataset.schema.sample(
        max(len(values) for values in chosen.values()),
        generator=dy.random.Generator(seed=7),
        overrides=chosen,
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
        elif name in keys and name != dataset.time:
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


def _of_day(dataset: Dataset, day: dt.date) -> dict[str, list[Any]]:
    """Return the values by which the datasets of a day agree with each other."""
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    minutes = [start + dt.timedelta(minutes=number) for number in range(ROWS)]
    nothing = [None] * ROWS
    if dataset.name == "network_state":  # every cell in every hour
        hours = [start + dt.timedelta(hours=hour) for hour in range(24)]
        return {
            "event_time": [hour for hour in hours for _ in range(ROWS)],
            "cell_id": _key_values("cells", "cell_id") * 24,
            "fault_id": nothing * 24,
            "unavailable_from": nothing * 24,
            "unavailable_until": nothing * 24,
        }
    if dataset.name == "subscriber_state":  # all are served, and each contacts care
        return {
            "status": ["active"] * ROWS,
            **dict.fromkeys(("change", "change_time", "new_plan_id"), nothing),
            **{f"contact_{name}": values for name, values in _contacts().items()},
            **{f"cause_{name}": nothing for name in ("fault_id", "cell_id", "time")},
            "contact_time": minutes,
            **{name: [0.0] * ROWS for name in ("exposure", "exposure_level", "price_shock")},
            "case_id": list(range(ROWS)),
        }
    if dataset.name == "customer_service":
        contacts = {key: _contacts()[key] for key in ("reason", "topic")}
        return {
            **contacts,
            **{f"cause_{name}": nothing for name in ("fault_id", "cell_id", "time")},
            "contact_number": _contacts()["number"],
            "case_id": list(range(ROWS)),
            "channel": ["chat"] * ROWS,
            "call_reference": nothing,
        }
    if dataset.name == "cdrs_voice":
        return {"release_time": [time + dt.timedelta(seconds=90) for time in minutes]}
    if dataset.name == "cdrs_data":
        volumes = {f"data_volume_{way}link": [12_345] * ROWS for way in ("up", "down")}
        return {"duration": [1000] * ROWS, **volumes}
    return {}


def _contacts() -> dict[str, list[Any]]:
    """Return what everybody contacts care about."""
    return {"reason": ["billing"] * ROWS, "topic": ["high bill"] * ROWS, "number": [1] * ROWS}


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
