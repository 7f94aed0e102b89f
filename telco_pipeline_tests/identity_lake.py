"""A lake with a registry, changes of identity and records that bear them, for tests.

The registry and the changes are the generators' own; the records are made here, one every three
hours for everybody, from a walk through the changes that shares nothing with the look-ups.
"""

import datetime as dt
from functools import cache
from pathlib import Path

import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.generators import Inputs
from telco_pipeline.lake import Lake
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world
from telco_pipeline_tests.lake.kit import DAY, bound_lake, commit, frame

DAYS = [DAY + dt.timedelta(days=offset) for offset in range(12)]
SIZE = 10_000
BORNE = ("imsi", "msisdn", "imei")


@cache
def identity_inputs() -> Inputs:
    """Return a world in memory."""
    return inputs_of(small_world(subscribers=SIZE))


@cache
def changes(day: dt.date) -> pl.DataFrame:
    """Return the changes of a day."""
    return make_day(identity_inputs(), "identity_changes", day)


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
    return inputs.frames["subscribers"].select(dataset.columns)


def write_records(lake: Lake, name: str, day: dt.date, rows: pl.DataFrame) -> None:
    """Write records as two files of a day."""
    half = rows.height // 2
    commit(lake, DATASETS[name], [rows.head(half), rows.tail(-half)], day)


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
            if row["change_type"] == "port_out":
                del state[row["subscriber_id"]]
            else:
                state[row["subscriber_id"]] = {key: row[key] for key in BORNE}
        told += [{"subscriber_id": key, "event_time": now, **who} for key, who in state.items()]
    known = pl.DataFrame(told, schema_overrides={"event_time": pl.Datetime("us", "UTC")})
    filler = frame(dataset, 1).drop(*[name for name in known.columns if name in dataset.columns])
    whole = known.join(filler, how="cross")
    return whole.select(pl.col(key).cast(dtype) for key, dtype in dataset.polars_schema.items())
