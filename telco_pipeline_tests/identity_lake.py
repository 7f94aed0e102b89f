"""A lake with a registry, changes of identity and records that bear them, for tests.

The registry and the changes are the generators' own, but that two who left come back, which takes
three weeks at least there. The records are made here, one every three hours for everybody, from a
walk through the changes that shares nothing with the look-ups.
"""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.generators import Inputs
from telco_pipeline.lake import Lake
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world
from telco_pipeline_tests.lake.kit import DAY, bound_lake, commit, frame
from telco_pipeline_tests.lake.small_lake import with_luhn

DAYS = [DAY + dt.timedelta(days=offset) for offset in range(12)]
SIZE = 10_000
BORNE = ("imsi", "msisdn", "imei")
BACK = dt.datetime(2026, 1, 12, 10, 30, tzinfo=dt.UTC)
"""When the first one comes back; the other one an hour later."""


@cache
def identity_inputs() -> Inputs:
    """Return a world in memory."""
    return inputs_of(small_world(subscribers=SIZE))


@cache
def changes(day: dt.date) -> pl.DataFrame:
    """Return the changes of a day."""
    made = make_day(identity_inputs(), "identity_changes", day)
    back = [row for row in returns() if row["event_time"].date() == day]
    if not back:
        return made
    return pl.concat([made, pl.DataFrame(back, schema=made.schema)]).sort("event_time")


@cache
def returns() -> list[dict[str, Any]]:
    """Return the changes with which two come back on the last day: who had ended, and ported out.

    The second one comes back with another phone and another SIM.
    """
    found = []
    for number, kind in enumerate(("termination", "port_out")):
        days = (make_day(identity_inputs(), "identity_changes", day) for day in DAYS[:5])
        left = next(row for day in days for row in day.to_dicts() if row["change_type"] == kind)
        found.append(
            {
                **left,
                "event_id": 77 + number,
                "event_time": BACK + dt.timedelta(hours=number),
                "change_type": "win_back",
                "serving_plmn": identity_inputs().config.own_operator.plmn,
                **{f"previous_{name}": None for name in BORNE},
            }
        )
    found[1]["imsi"] = f"{found[1]['imsi'][:5]}9999999990"
    found[1]["imei"] = with_luhn("00999999000001")
    found[1]["iccid"] = with_luhn("893261999999999990")
    return found


def ending(kind: str, days: list[dt.date]) -> dict[str, Any]:
    """Return a change with which somebody leaves on one of the days, for good."""
    back = [row["subscriber_id"] for row in returns()]
    rows = (row for day in days for row in changes(day).to_dicts() if row["change_type"] == kind)
    return next(row for row in rows if row["subscriber_id"] not in back)


def identity_lake(root: Path) -> Lake:
    """Return a lake with the registry, twelve days of changes, and two of records."""
    lake = bound_lake(root)
    inputs = identity_inputs()
    commit(lake, DATASETS["subscribers"], whole_registry(inputs))
    for day in DAYS:
        commit(lake, DATASETS["identity_changes"], changes(day), day)
    for day in (DAYS[0], DAYS[-1]):
        for name in ("cdrs_data", "location_updates"):
            write_records(lake, name, day, records(name, day))
    return lake


def whole_registry(inputs: Inputs) -> pl.DataFrame:
    """Return the registry of a world in memory in its contract's columns."""
    dataset = DATASETS["subscribers"]
    registry = inputs.frames["subscribers"].head(inputs.config.subscribers)
    return registry.select(dataset.columns)


def write_records(lake: Lake, name: str, day: dt.date, rows: pl.DataFrame) -> None:
    """Write records as two files of a day."""
    half = rows.height // 2
    commit(lake, DATASETS[name], [rows.head(half), rows.tail(-half)], day)


@cache
def records(name: str, day: dt.date) -> pl.DataFrame:
    """Return a record of everybody who is ours every three hours, as it ought to be."""
    dataset = DATASETS[name]
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    state = {
        row["subscriber_id"]: {key: row[key] for key in BORNE}
        for row in whole_registry(identity_inputs()).to_dicts()
    }
    news = [row for each in DAYS if each <= day for row in changes(each).to_dicts()]
    news.sort(key=lambda row: row["event_time"])
    told = []
    for hour in range(0, 24, 3):
        now = start + dt.timedelta(hours=hour)
        while news and news[0]["event_time"] <= now:
            row = news.pop(0)
            if row["change_type"] in ("port_out", "termination"):
                del state[row["subscriber_id"]]
            else:
                state[row["subscriber_id"]] = {key: row[key] for key in BORNE}
        told += [{"subscriber_id": key, "event_time": now, **who} for key, who in state.items()]
    known = pl.DataFrame(told, schema_overrides={"event_time": pl.Datetime("us", "UTC")})
    filler = frame(dataset, 1).drop(*[name for name in known.columns if name in dataset.columns])
    whole = known.join(filler, how="cross")
    return whole.select(pl.col(key).cast(dtype) for key, dtype in dataset.polars_schema.items())
