"""Records made by hand, of the columns that counters and reconciliation read, in a small lake.

A record is a few values beside those of a healthy one; times are seconds from the start of the
first day, so that a test can write `DAY_S - 10` for ten seconds before midnight.
"""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from telco_pipeline.contracts import codes
from telco_pipeline.lake import Lake
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline_tests.lake.kit import origin

CARE = "+3280061000"
WORLD_FILE = Path(__file__).parents[1] / "golden" / "world.yaml"
CONFIG: WorldConfig = load_world(WORLD_FILE, subscribers=1000)
FIRST = CONFIG.epoch
DAYS = [FIRST + dt.timedelta(days=offset) for offset in range(3)]
DAY_S = 86_400
CELLS = {"cell-a": 100, "cell-b": 50, "cell-c": 8}
"""Resource blocks by cell."""

_TIME = pl.Datetime("us", "UTC")
_START = dt.datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=dt.UTC)

Record = Mapping[str, Any]

_WHO = {"event_id": 0, "event_time": 0.0, "subscriber_id": 1}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "cdrs_voice": {
        **_WHO,
        "release_time": None,
        "record_type": "moCallRecord",
        "status": "answered",
        "called_number": "+32461000000",
        "call_reference": 0,
        "cell_id": "cell-a",
        "last_cell_id": None,
        "rat_type": "EUTRAN",
        "blocked": False,
        "handovers": 0,
        "handovers_failed": 0,
        "supplementary_service": None,
        "call_duration": 0,
        "cause_for_term": 0,
    },
    "cdrs_sms": {
        **_WHO,
        "record_type": "moSMSRecord",
        "cell_id": "cell-a",
        "rat_type": "EUTRAN",
    },
    "cdrs_data": {
        **_WHO,
        "duration": 10,
        "cell_id": "cell-a",
        "last_cell_id": None,
        "rat_type": "EUTRAN",
        "record_sequence_number": 1,
        "data_volume_uplink": 100,
        "data_volume_downlink": 1000,
        "cause_for_rec_closing": 0,
        "diagnostics": None,
        "handovers": 0,
        "handovers_failed": 0,
    },
    "location_updates": {
        **_WHO,
        "cell_id": "cell-a",
        "rat_type": "EUTRAN",
        "update_type": "periodic",
        "cause": 0,
    },
    "customer_service": {
        **_WHO,
        "channel": "call",
        "resolution": "solved",
        "queue_seconds": 30,
        "handling_seconds": 300,
        "call_reference": None,
    },
    "cdrs_voip": {**_WHO, "role": "originating", "called_party_address": "+32461000000"},
    "cdrs_ims": {
        **_WHO,
        "role_of_node": "originating",
        "sip_method": "INVITE",
        "called_party_address": "+32461000000",
    },
    "identity_changes": {**_WHO, "change_type": "port_out"},
    "subscriber_state": {
        "subscriber_id": 1,
        "status": "active",
        "change": None,
        "change_time": None,
    },
}
_TYPES: dict[str, Any] = {
    "event_id": pl.Int64,
    "subscriber_id": pl.Int64,
    "call_reference": pl.Int64,
    "rat_type": pl.Enum([str(rat) for rat in codes.Rat]),
    "update_type": pl.Enum([str(kind) for kind in codes.UpdateType]),
    "status": pl.String,
    "record_type": pl.Enum([str(kind) for kind in codes.RecordType]),
    "channel": pl.Enum([str(channel) for channel in codes.Channel]),
    "resolution": pl.Enum([str(end) for end in codes.Resolution]),
    "blocked": pl.Boolean,
    "duration": pl.Int32,
    "call_duration": pl.Int32,
    "queue_seconds": pl.Int32,
    "handling_seconds": pl.Int32,
    "data_volume_uplink": pl.Int64,
    "data_volume_downlink": pl.Int64,
}
_SMALL = (
    "handovers",
    "handovers_failed",
    "cause_for_term",
    "cause_for_rec_closing",
    "record_sequence_number",
    "diagnostics",
    "cause",
)
_TIMES = ("event_time", "release_time", "change_time")


def empty_lake(root: Path) -> Lake:
    """Return a lake with three cells, bound to a world that begins on `FIRST`."""
    lake = Lake(root)
    lake.bind(origin(), CONFIG.to_dict())
    cells = pl.DataFrame(
        {"cell_id": list(CELLS), "prb_total": list(CELLS.values())},
        schema_overrides={"prb_total": pl.Int16},
    )
    put(lake, "cells", None, [cells])
    return lake


def put(lake: Lake, name: str, day: dt.date | None, frames: Sequence[pl.DataFrame]) -> None:
    """Write frames as the files of a partition, in place of what is there."""
    directory = lake.directory(name, day)
    directory.mkdir(parents=True, exist_ok=True)
    for file in directory.glob("*.parquet"):
        file.unlink()
    for number, each in enumerate(frames):
        each.write_parquet(directory / f"part-{number:05d}.parquet", row_group_size=64)


def frame(name: str, records: Iterable[Record]) -> pl.DataFrame:
    """Return records of a dataset, with the values of a healthy one where they say nothing."""
    rows = [{**_DEFAULTS[name], **record} for record in records]
    for number, row in enumerate(rows):
        if "event_id" in row:
            row["event_id"] = row["event_id"] or 1 + number
        if name == "cdrs_voice" and row["release_time"] is None:
            row["release_time"] = row["event_time"] + 60
        if row.get("last_cell_id", "") is None:
            row["last_cell_id"] = row["cell_id"]
        row |= {key: _moment(row[key]) for key in _TIMES if key in row}
    return pl.DataFrame(rows, schema={key: _type(key) for key in _DEFAULTS[name]})


def _type(key: str) -> Any:
    if key in _TIMES:
        return _TIME
    return pl.Int16 if key in _SMALL else _TYPES.get(key, pl.String)


def _moment(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else _START + dt.timedelta(seconds=seconds)


def write(lake: Lake, name: str, records: Iterable[Record], files: int = 2) -> None:
    """Write records into the partitions of their days, each as some files."""
    whole = frame(name, records)
    days = whole["event_time"].dt.date() if "event_time" in whole.columns else None
    for day in DAYS:
        rows = whole if days is None else whole.filter(days == day).sort("event_time")
        put(lake, name, day, [rows.gather_every(files, offset) for offset in range(files)])


def write_records(lake: Lake, **records: Iterable[Record]) -> None:
    """Write all records that are counted, those of a kind that is not named as none."""
    for name in ("cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates"):
        write(lake, name, records.get(name, []))


def write_network(
    lake: Lake,
    outages: Mapping[tuple[str, int], tuple[int, int]] | None = None,
    prb_use: Mapping[str, float] | None = None,
    asleep: Collection[str] = (),
) -> None:
    """Write the state of the cells, the same on each day.

    Args:
        lake: The lake.
        outages: Minutes without service by cell and hour: from, until.
        prb_use: Per cent of the resource blocks in use by cell; 12.5 if not named.
        asleep: Cells whose outages have no fault.
    """
    for day in DAYS:
        start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        rows = []
        for hour in range(24):
            for cell in CELLS:
                first, until = (outages or {}).get((cell, hour), (None, None))
                use = (prb_use or {}).get(cell, 12.5)
                fault = None if first is None or cell in asleep else 7
                rows.append((cell, start + dt.timedelta(hours=hour), use, first, until, fault))
        schema = {
            "cell_id": pl.String,
            "event_time": _TIME,
            "prb_use": pl.Float64,
            "unavailable_from": pl.Int16,
            "unavailable_until": pl.Int16,
            "fault_id": pl.Int64,
        }
        put(lake, "network_state", day, [pl.DataFrame(rows, schema=schema, orient="row")])
