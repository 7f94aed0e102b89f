"""A small lake made by hand: every kind of record that the export must tell apart."""

import datetime as dt
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from telco_pipeline.lake import Lake
from telco_pipeline.lake.worlds import LakeWorld

EPOCH = dt.date(2026, 3, 28)
"""The night after it, Belgian clocks go forward."""
USERS = range(1, 41)
CELLS = {"206-61-1-1": (50.85, 4.35), "206-61-1-2": (51.22, 4.40), "206-61-1-3": (50.63, 5.57)}
UTC_TIME = pl.Datetime("us", "UTC")

VOICE = {
    "event_time": UTC_TIME, "record_type": pl.String, "status": pl.String,
    "subscriber_id": pl.Int64, "msisdn": pl.String, "calling_number": pl.String,
    "called_number": pl.String, "connected_number": pl.String,
    "supplementary_service": pl.String, "answer_time": UTC_TIME, "call_duration": pl.Int32,
    "cell_id": pl.String, "roaming_country": pl.String, "call_reference": pl.Int64,
}  # fmt: skip
SMS = {
    "event_time": UTC_TIME, "record_type": pl.String, "subscriber_id": pl.Int64,
    "msisdn": pl.String, "calling_number": pl.String, "called_number": pl.String,
    "sms_result": pl.Int16, "cell_id": pl.String, "roaming_country": pl.String,
    "message_reference": pl.Int64,
}  # fmt: skip
CHANGES = {"event_time": UTC_TIME, "subscriber_id": pl.Int64, "msisdn": pl.String}


def number(user: int) -> str:
    return f"+3246100{user:04d}"


def at(day: int, hour: int, minute: int = 0, second: float = 0.0) -> dt.datetime:
    """Return a time by UTC on a day counted from the epoch."""
    midnight = dt.datetime.combine(EPOCH, dt.time(), dt.UTC)
    return midnight + dt.timedelta(days=day, hours=hour, minutes=minute, seconds=second)


def call(
    user: int, other: str, when: dt.datetime, seconds: int = 60, **more: Any
) -> dict[str, Any]:
    """Return an answered call of a user; `incoming` turns it round."""
    incoming = more.pop("incoming", False)
    return {
        "event_time": when - dt.timedelta(seconds=8),
        "record_type": "mtCallRecord" if incoming else "moCallRecord",
        "status": "answered",
        "subscriber_id": user,
        "msisdn": number(user),
        "calling_number": other if incoming else number(user),
        "called_number": number(user) if incoming else other,
        "answer_time": when,
        "call_duration": seconds,
        "cell_id": "206-61-1-1",
        "call_reference": _reference(user, other, when),
    } | more


def _reference(user: int, other: str, when: dt.datetime) -> int:
    """Return the same number for both sides of a call or message."""
    pair = "".join(sorted((number(user), other))).replace("+", "")
    return int(pair[-12:]) * 10**6 + int(when.timestamp()) % 10**6


def missed(user: int, other: str, when: dt.datetime, **more: Any) -> dict[str, Any]:
    record = call(user, other, when, 0, **more)
    return record | {"status": more.get("status", "no answer"), "answer_time": None}


def text(user: int, other: str, when: dt.datetime, **more: Any) -> dict[str, Any]:
    incoming = more.pop("incoming", False)
    return {
        "event_time": when,
        "record_type": "mtSMSRecord" if incoming else "moSMSRecord",
        "subscriber_id": user,
        "msisdn": number(user),
        "calling_number": other if incoming else number(user),
        "called_number": number(user) if incoming else other,
        "sms_result": 0,
        "cell_id": "206-61-1-2",
        "message_reference": _reference(user, other, when),
    } | more


def busy_people() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return calls and texts of all users over three days, both sides where both are ours."""
    calls, texts = [], []
    for user, turn in itertools.product(USERS, range(12)):
        other = (user * 7 + turn * 3) % len(USERS) + 1
        when = at(turn % 3, 5 + (user + turn * 2) % 17, user % 60, turn / 3)
        cell = {"cell_id": list(CELLS)[(user + turn) % 3]}
        if other == user:
            continue
        if turn % 2:
            calls.append(call(user, number(other), when, 20 + 97 * turn, **cell))
            calls.append(call(other, number(user), when, 20 + 97 * turn, incoming=True, **cell))
        else:
            texts.append(text(user, number(other), when, **cell))
            texts.append(text(other, number(user), when, incoming=True, **cell))
    return calls, texts


def make_lake(
    root: Path,
    calls: Iterable[dict[str, Any]] = (),
    texts: Iterable[dict[str, Any]] = (),
    changes: Iterable[dict[str, Any]] = (),
    days: int = 3,
) -> Lake:
    """Write a lake of these records, with a registry and cells."""
    config = {"epoch": str(EPOCH), "time_zone": "Europe/Brussels", "subscribers": len(USERS)}
    LakeWorld("main", 7, "0" * 16, None, config).write(root)
    born = dt.date(1980, 6, 1)
    people = {
        "subscriber_id": list(USERS),
        "msisdn": [number(user) for user in USERS],
        "kind": ["machine" if user == 40 else "person" for user in USERS],
        "persona": ["sensor" if user == 40 else "family" for user in USERS],
        "language": ["nl"] * len(USERS),
        "birth_date": [None if user == 40 else born for user in USERS],
    }
    _write(root / "subscribers", pl.DataFrame(people, schema_overrides={"birth_date": pl.Date}))
    cells = [(name, *position) for name, position in CELLS.items()]
    names = ["cell_id", "latitude", "longitude"]
    _write(root / "cells", pl.DataFrame(cells, schema=names, orient="row"))
    for name, rows, schema in (
        ("cdrs_voice", list(calls), VOICE),
        ("cdrs_sms", list(texts), SMS),
        ("identity_changes", list(changes), CHANGES),
    ):
        frame = pl.DataFrame(rows, schema=schema)
        for offset in range(days):
            day = EPOCH + dt.timedelta(days=offset)
            some = frame.filter(pl.col("event_time").dt.date() == day)
            _write(root / name / f"day={day}", some)
    return Lake(root)


def _write(directory: Path, frame: pl.DataFrame) -> None:
    directory.mkdir(parents=True)
    frame.write_parquet(directory / "part-00000.parquet")
