"""A lake with one small day of several datasets in several files, and its records as told again.

Rows are random in their contract's types, texts of all kinds of characters among them; many share
a time, within a file and between files. `told` sorts and encodes them with Python's own means.
"""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline.streaming.layout import Topic
from telco_pipeline_tests.lake.kit import DAY, bound_lake, commit

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
PARTS = {
    "cdrs_voice": (120, 0, 90),
    "cdrs_sms": (70, 60, 75),
    "network_logs": (80, 90),
    "pm_counters": (96,),
    "customer_service": (9,),
    "truth_entities": (12,),
}
"""Rows of each file."""
PEOPLE = 40
TEXTS = [
    "",
    "plain",
    'a "quoted" \\ text',
    "line\nbreak\ttab",
    "\x00\x1f\x7f",
    "Zoë 😀 \u2028",
    "é",
]
CDRS = Topic("cdrs", ("cdrs_voice", "cdrs_sms"))
LOGS = Topic("logs", ("network_logs",))
REST = Topic("rest", ("pm_counters", "customer_service", "truth_entities"))
TOPICS = (CDRS, LOGS, REST)
TRUTH = Topic("disturbances", ("disturbances",))


def subscriber(number: int) -> int:
    return 1_000_000_000 + 7_919 * number


def identity(number: int) -> dict[str, str]:
    """Return who a subscriber is in the registry."""
    return {
        "imsi": f"20661{number:010d}",
        "msisdn": f"+3247{number:07d}",
        "imei": f"00{number:013d}",
    }


def random_rows(dataset: str, count: int, seed: int) -> pl.DataFrame:
    """Return rows in a contract's types, in order of time."""
    draw = np.random.default_rng(seed)
    made: dict[str, list[Any]] = {}
    who = draw.integers(0, PEOPLE, count)
    other = draw.integers(0, PEOPLE, count)
    for name, dtype in DATASETS[dataset].polars_schema.items():
        nullable = DATASETS[dataset].schema.columns()[name].nullable
        if name in ("subscriber_id", "event_time"):
            nullable = False
        made[name] = [
            None if nullable and draw.random() < 0.3 else _value(name, dtype, draw, i, who, other)
            for i in range(count)
        ]
    frame = pl.DataFrame(made, schema=DATASETS[dataset].polars_schema)
    return frame.sort("event_time", maintain_order=True) if DATASETS[dataset].time else frame


def _value(name: str, dtype: pl.DataType, draw: np.random.Generator, i: int, who: Any, other: Any):
    if name == "event_id":
        return int(draw.integers(0, 2**63 - 1))
    if name == "subscriber_id":
        return subscriber(int(who[i]))
    if name in ("imsi", "msisdn", "imei"):
        return identity(int(who[i]))[name]
    if name in ("calling_number", "called_number"):
        return identity(int((who if (name == "calling_number") == (i % 2) else other)[i]))["msisdn"]
    if name == "other_imei":
        return identity(int(other[i]))["imei"]
    if name == "event_time":  # quarters of an hour, some of them early or late in the day
        return START + dt.timedelta(minutes=15 * int(draw.integers(0, 96))) * int(i % 5 > 0)
    if isinstance(dtype, pl.Datetime):
        return START + dt.timedelta(microseconds=int(draw.integers(0, 10**12)))
    if isinstance(dtype, pl.Date):
        return DAY + dt.timedelta(days=int(draw.integers(-9000, 900)))
    if isinstance(dtype, pl.Enum):
        return dtype.categories[int(draw.integers(0, len(dtype.categories)))]
    if dtype == pl.Boolean:
        return bool(draw.integers(0, 2))
    if dtype == pl.Float64:
        return float(draw.normal() * 10.0 ** int(draw.integers(-20, 20)))
    if dtype == pl.String:
        return TEXTS[int(draw.integers(0, len(TEXTS)))]
    bound = {pl.Int16: 2**15, pl.Int32: 2**31}.get(type(dtype), 2**63)
    return int(draw.integers(-bound, bound - 1, dtype=np.int64))


def rows_of(dataset: str) -> list[pl.DataFrame]:
    """Return the rows of each file."""
    return [
        random_rows(dataset, count, 1000 * list(PARTS).index(dataset) + part)
        for part, count in enumerate(PARTS[dataset])
    ]


def registry(numbers: range, seed: int = 1) -> pl.DataFrame:
    """Return subscribers as they are on the epoch."""
    rows = random_rows("subscribers", len(numbers), seed)
    return rows.with_columns(
        pl.Series("subscriber_id", [subscriber(number) for number in numbers]),
        *(
            pl.Series(name, [identity(number)[name] for number in numbers])
            for name in ("imsi", "msisdn", "imei")
        ),
        pl.lit("person").cast(rows.schema["kind"]).alias("kind"),
        pl.Series("plan_id", [f"PLAN-{number % 2}" for number in numbers]),
    )


def small_lake(root: Path) -> Lake:
    """Write the day."""
    lake = bound_lake(root)
    for dataset in PARTS:
        commit(lake, DATASETS[dataset], rows_of(dataset), DAY)
    commit(lake, DATASETS["subscribers"], [registry(range(25)), registry(range(25, PEOPLE), 2)])
    commit(lake, DATASETS["prospects"], registry(range(PEOPLE, PEOPLE + 10), 3))
    plans = random_rows("plans", 2, 4).with_columns(plan_id=pl.Series(["PLAN-0", "PLAN-1"]))
    commit(lake, DATASETS["plans"], plans)
    return lake


def told(topics: tuple[Topic, ...] = TOPICS) -> list[dict[str, Any]]:
    """Return all records in order: topic, time, key, value as read from JSON."""
    made = []
    for dataset in PARTS:
        topic = next((topic.name for topic in topics if dataset in topic.datasets), None)
        if topic is None:
            continue
        for part, rows in enumerate(rows_of(dataset)):
            made += [_told(topic, dataset, part, i, row) for i, row in enumerate(rows.to_dicts())]
    order = list(DATASETS)
    made.sort(key=lambda e: (e["time"], order.index(e["dataset"]), e["part"], e["row"]))
    return made


def _told(topic: str, dataset: str, part: int, number: int, row: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = {"dataset": dataset}
    for name, cell in row.items():
        if isinstance(cell, dt.datetime):
            value[name] = cell.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
        elif isinstance(cell, dt.date):
            value[name] = cell.isoformat()
        else:
            value[name] = cell
    found = [row.get(name) for name in ("subscriber_id", "cell_id", "element_id")]
    found.append(row[next(iter(row))])
    return {
        "topic": topic,
        "dataset": dataset,
        "part": part,
        "row": number,
        "time": (row["event_time"] - START) // MICROSECOND + 1_767_225_600_000_000,
        "key": str(next(value for value in found if value is not None)).encode(),
        "value": json.loads(json.dumps(value)),
    }
