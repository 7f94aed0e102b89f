"""Scenarios by hand in the planted lake: records of a crowd and of four frauds, and their truth."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from telco_pipeline.contracts.codes import RecordType
from telco_pipeline_tests.analytics.planted import DAYS, ids, moments, number_of, plant, write

FANS, BOXED, STOLEN, RUNG, TAKEN = (
    range(20), range(40, 48), range(60, 64), range(80, 130), range(150, 154),
)  # fmt: skip
ALIKE = range(200, 210)
"""Look-alikes of the boxed: nothing is told of their records."""
OTHERS = range(250, 300)
SHORT_CODE, ROBOT = "80610", "+37100000"

_HOUR = 3600.0
_LONG = 30 * _HOUR


def stage(root: Path, real: bool = True) -> Path:
    """Plant a lake and let the stories happen in it: as they really are, or only in the truth."""
    plant(root)
    world = json.loads((root / "_world.json").read_text())
    world["config"]["layers"] = {"anything": {}}
    (root / "_world.json").write_text(json.dumps(world))
    _truth(root)
    for act in (_usual, _crowd, _boxes, _revenue, _wave, _takeover):
        act(root, real)
    return root


# --- the truth -----------------------------------------------------------------------------------

_STORIES = (
    (1, "network", FANS, False, 5, 17.0, 4.0, [
        {"effect": "presence", "at": "hall"}, {"effect": "usage", "calls": 3.0, "sessions": 2.0},
    ]),
    (2, "fraud", BOXED, False, 2, 0.0, 240.0, [
        {"effect": "sharing", "devices": 8.0}, {"effect": "presence", "at": "mast"},
        {"effect": "usage", "calls": 20.0, "sessions": 0.1},
    ]),
    (3, "fraud", STOLEN, False, 8, 0.0, 48.0, [
        {"effect": "roaming", "country": "ES"},
        {"effect": "destinations", "of": "calls", "to": "ranges", "ranges": ["+2520"]},
    ]),
    (4, "fraud", RUNG, False, 3, 6.0, 12.0, [
        {"effect": "incoming", "call_back": 0.04, "ranges": ["+3710"]},
    ]),
    (5, "fraud", TAKEN, False, 9, 8.0, 30.0, [{"effect": "swap"}]),
    (6, "fraud", ALIKE, True, 2, 0.0, 240.0, [{"effect": "sharing", "devices": 2.0}]),
)  # fmt: skip


def _truth(root: Path) -> None:
    incidents, entities = [], []
    for number, kind, who, benign, day, hour, hours, effects in _STORIES:
        start, end = (moments(DAYS[day], np.array([at * _HOUR])) for at in (hour, hour + hours))
        told = [{"stage": "act", "lasts": "1d", "effects": [{**e, "who": "them"} for e in effects]}]
        incidents.append(pl.DataFrame({
            "incident_id": [number], "event_time": start, "end_time": end,
            "incident_kind": [kind], "parameters": [json.dumps(told)],
        }))  # fmt: skip
        entities.append(pl.DataFrame({
            "incident_id": number, "stage": "act", "role": "them",
            "subscriber_id": ids(np.array(who)), "benign": benign,
        }).with_columns(event_time=pl.lit(start[0]), end_time=pl.lit(end[0])))  # fmt: skip
    for name, frames in (("truth_incidents", incidents), ("truth_entities", entities)):
        every = pl.concat(frames)
        for day in DAYS:
            write(root, name, day, every.filter(pl.col("event_time").dt.date() == day))


# --- records -------------------------------------------------------------------------------------


def change(
    root: Path, name: str, day: dt.date, how: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    """Change the records of a day."""
    file = root / name / f"day={day}" / "part-00000.parquet"
    how(pl.read_parquet(file, hive_partitioning=False)).sort("event_time").write_parquet(file)


def add(root: Path, name: str, day: dt.date, rows: pl.DataFrame) -> None:
    """Add records to a day; what columns they do not name is null."""

    def more(frame: pl.DataFrame) -> pl.DataFrame:
        fitting = rows.cast({column: frame.schema[column] for column in rows.columns})
        return pl.concat([frame, fitting], how="diagonal")

    change(root, name, day, more)


def silence(root: Path, who: range, day: dt.date) -> None:
    """Take away what users do on a day."""
    gone = pl.col("subscriber_id").is_in(ids(np.array(who)).tolist())
    for name in ("cdrs_voice", "cdrs_sms"):
        change(root, name, day, lambda frame: frame.filter(~gone))


def calls(
    day: dt.date,
    user: np.ndarray,
    seconds: np.ndarray,
    other: list[str],
    *,
    cell: str | None,
    lasts: int = 60,
    answered: bool | np.ndarray = True,
    made: bool = True,
    ends: float = 6.0,
    imei: str = "001",
) -> pl.DataFrame:
    """Return calls of users with numbers; an unanswered one ends after so many seconds."""
    own, count = number_of(user), len(user)
    where = pl.Series([cell] * count, dtype=pl.String)
    talked = np.broadcast_to(answered, count)
    kind = RecordType.MO_CALL if made else RecordType.MT_CALL
    start = moments(day, seconds)
    return pl.DataFrame({
        "event_time": start, "record_type": [kind.value] * count, "subscriber_id": ids(user),
        "msisdn": own, "imsi": [f"20661{one:010d}" for one in user.tolist()],
        "imei": [imei] * count, "calling_number": own if made else other,
        "called_number": other if made else own, "cell_id": where,
        "answer_time": start.set(~pl.Series(talked), None),
        "release_time": moments(day, seconds + np.where(talked, lasts + 6.0, ends)),
        "call_duration": np.where(talked, lasts, 0).astype(np.int32),
        "cause_for_term": np.zeros(count, np.int16),
    })  # fmt: skip


def _usual(root: Path, real: bool) -> None:
    """Some others get a message of a code each day, and call somebody late."""
    who = np.array(OTHERS)
    for day in DAYS:
        seconds = 22.5 * _HOUR + np.arange(len(who))
        add(root, "cdrs_voice", day, calls(day, who, seconds, ["+32460"] * len(who), cell="C002"))
        add(root, "cdrs_sms", day, _codes(day, who, seconds, "C002"))


def _codes(day: dt.date, user: np.ndarray, seconds: np.ndarray, cell: str) -> pl.DataFrame:
    return pl.DataFrame({
        "event_time": moments(day, seconds), "record_type": RecordType.MT_SMS.value,
        "subscriber_id": ids(user), "msisdn": number_of(user), "calling_number": SHORT_CODE,
        "called_number": number_of(user), "sms_result": 0, "cell_id": cell,
    })  # fmt: skip


def _crowd(root: Path, real: bool) -> None:
    """Twenty at one site: five times the attempts there, a fifth of the setups fail, redials."""
    day, fans = DAYS[5], np.repeat(np.array(FANS), 6)
    turn = np.tile(np.arange(6), len(FANS))
    seconds = 17.5 * _HOUR + turn * 60.0
    add(root, "cdrs_data", day, pl.DataFrame({
        "event_time": moments(day, seconds), "subscriber_id": ids(fans),
        "charging_id": np.arange(len(fans)) + 1, "service": "facebook", "duration": 60,
        "record_sequence_number": 1, "data_volume_uplink": 10, "data_volume_downlink": 90,
        "cell_id": "C005",
    }))  # fmt: skip
    whom = np.full(len(fans), 7) if real else turn
    other = [f"+3248100{a:03d}{b}" for a, b in zip(fans.tolist(), whom.tolist(), strict=True)]
    add(root, "cdrs_voice", day, calls(day, fans, seconds, other, cell="C005", answered=turn == 5))
    here = (pl.col("cell_id") == "C005") & pl.col("event_time").dt.hour().is_between(17, 20)
    busy = (
        {"rrc_conn_estab_att": 5000, "rrc_conn_estab_succ": 4000, "prb_used_dl": 50}
        if real
        else {"rrc_conn_estab_att": 1500, "rrc_conn_estab_succ": 1494, "erab_rel_abnormal": 30}
    )
    change(
        root,
        "pm_counters",
        day,
        lambda frame: frame.with_columns(
            pl.when(here).then(value).otherwise(pl.col(name)).cast(frame.schema[name]).alias(name)
            for name, value in busy.items()
        ),
    )


def _boxes(root: Path, real: bool) -> None:
    """Eight SIMs in one device: 40 calls a day and night each to numbers never called before."""
    if not real:
        return
    for number, day in enumerate(DAYS[2:12]):
        silence(root, BOXED, day)
        who = np.repeat(np.array(BOXED), 40)
        turn = np.tile(np.arange(40), len(BOXED))
        other = [f"+3247{number}{one:03d}{at:02d}" for one, at in zip(who, turn, strict=True)]
        rows = calls(day, who, turn * 2160.0 + 1, other, cell="C007", imei="000000000000099")
        add(root, "cdrs_voice", day, rows)


def _revenue(root: Path, real: bool) -> None:
    """Two tests by day, then 20 long calls in a night; or 20 calls spread over working hours."""
    day, who = DAYS[8], np.array(STOLEN)
    burst = np.repeat(who, 20)
    turn = np.tile(np.arange(20), len(who))
    numbers = [f"+25200{one % 4}0000" for one in turn.tolist()]
    if not real:
        rows = calls(day, burst, 8 * _HOUR + turn * 1500.0, numbers, cell=None, lasts=40)
        add(root, "cdrs_voice", day, rows)
        return
    tests = np.repeat(who, 2)
    at = 12 * _HOUR + np.tile([0.0, 120.0], len(who))
    some = ["+2520000000"] * len(tests)
    add(root, "cdrs_voice", day, calls(day, tests, at, some, cell=None, lasts=8))
    rows = calls(day, burst, 21.5 * _HOUR + turn * 400.0, numbers, cell=None, lasts=350)
    add(root, "cdrs_voice", day, rows)


def _wave(root: Path, real: bool) -> None:
    """One number rings fifty for a moment, two call back; or each number rings a few for long."""
    day, who = DAYS[3], np.array(RUNG)
    seconds = 9 * _HOUR + np.arange(len(who)) * 5.0
    robots = [f"{ROBOT}{0 if real else n % 25:02d}" for n in range(len(who))]
    rows = calls(
        day, who, seconds, robots, cell="C001", answered=False, made=False,
        ends=5.0 if real else 25.0,
    )  # fmt: skip
    add(root, "cdrs_voice", day, rows)
    back = 2 if real else 10
    rows = calls(
        day, who[:back], seconds[:back] + 600, robots[:back], cell="C001",
        lasts=150 if real else 20,
    )  # fmt: skip
    # Somebody calls such a number who was never rung by it.
    stranger = calls(day, who[-1:], seconds[-1:] + 600, [f"{ROBOT}77"], cell="C001")
    add(root, "cdrs_voice", day, pl.concat([rows, stranger]))


def _takeover(root: Path, real: bool) -> None:
    """A new SIM, then calls and codes of a bank at a place where the number never was."""
    if not real:
        return
    day, who = DAYS[9], np.array(TAKEN)
    add(root, "identity_changes", day, pl.DataFrame({
        "event_time": moments(day, np.full(len(who), 8 * _HOUR + 20)), "subscriber_id": ids(who),
        "change_type": "sim_swap",
    }))  # fmt: skip
    for silent in (day, DAYS[10]):
        silence(root, TAKEN, silent)
    many = np.repeat(who, 5)
    seconds = 9 * _HOUR + np.tile(np.arange(5) * 300.0, len(who))
    other = ["+3225550000"] * len(many)
    add(root, "cdrs_voice", day, calls(day, many, seconds, other, cell="C055"))
    add(root, "cdrs_sms", day, _codes(day, many, seconds + 60, "C055"))
