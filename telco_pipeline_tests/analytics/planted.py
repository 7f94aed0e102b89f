"""A small lake with planted facts: records written by hand, by nothing of the generators."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import polars as pl

from telco_pipeline.contracts.codes import IdentityChange, RecordType, Resolution

DAYS = tuple(dt.date(2026, 3, 2) + dt.timedelta(days=n) for n in range(14))
"""Two weeks from a Monday, in winter time and without a holiday."""

PEOPLE, MACHINES, SITES = 300, 60, 60
LATER, GSM = 5, 6
"""People who join on the eighth day, and cells of GERAN: the last ones."""
VOICEMAIL, CARE = "+32461999999", "+3280061000"


def number_of(user: np.ndarray) -> list[str]:
    """Return the numbers of users."""
    return [f"+32461{user:06d}" for user in user.tolist()]


def plant(root: Path, seed: int = 1) -> Path:
    """Write the lake: log-normal calls in pairs, replies in 3 minutes, home and work, machines."""
    rng = np.random.default_rng(seed)
    users = PEOPLE + MACHINES
    root.mkdir(parents=True)
    config = {
        "subscribers": users,
        "time_zone": "Europe/Brussels",
        "country": "BE",
        "numbering": {"care_number": CARE, "voicemail_number": VOICEMAIL},
    }
    world = {"name": "main", "seed": 7, "world_hash": "0" * 16, "overlays": None, "config": config}
    (root / "_world.json").write_text(json.dumps(world))
    kind = np.where(np.arange(users) < PEOPLE, "person", "machine")
    prepaid = np.arange(users) < PEOPLE * 0.12
    write(root, "plans", None, pl.DataFrame({
        "plan_id": ["A", "B"], "payment": ["postpaid", "prepaid"],
    }))  # fmt: skip
    write(root, "subscribers", None, pl.DataFrame({
        "subscriber_id": ids(np.arange(users)), "msisdn": number_of(np.arange(users)),
        "kind": kind, "plan_id": np.where(prepaid, "B", "A"),
    }))  # fmt: skip
    later = np.arange(users, users + LATER)
    write(root, "prospects", None, pl.DataFrame({
        "subscriber_id": ids(later), "msisdn": number_of(later),
        "kind": ["person"] * LATER, "plan_id": ["A"] * LATER,
    }))  # fmt: skip
    site = [f"S{n:03d}" for n in range(SITES)]
    write(root, "sites", None, pl.DataFrame({
        "site_id": site, "latitude": 50.2 + 0.1 * (np.arange(SITES) % 8),
        "longitude": 3.5 + 0.15 * (np.arange(SITES) // 8),
    }))  # fmt: skip
    write(root, "cells", None, pl.DataFrame({
        "cell_id": [f"C{n:03d}" for n in range(SITES)], "site_id": site,
        "rat_type": ["EUTRAN"] * (SITES - GSM) + ["GERAN"] * GSM,
    }))  # fmt: skip
    for day in DAYS:
        write(root, "cdrs_voice", day, _calls(day, rng))
        write(root, "cdrs_sms", day, _messages(day, rng))
        write(root, "cdrs_data", day, _sessions(day, rng))
        write(root, "pm_counters", day, _counters(day))
        write(root, "identity_changes", day, _changes(day))
        write(root, "customer_service", day, _care(day))
    return root


def ids(users: np.ndarray) -> np.ndarray:
    """Return subscriber keys, in another order than the users."""
    return 1_000_000 + users * 7919 % 100_003


def write(root: Path, name: str, day: dt.date | None, frame: pl.DataFrame) -> None:
    """Write one partition."""
    directory = root / name if day is None else root / name / f"day={day}"
    directory.mkdir(parents=True)
    frame.write_parquet(directory / "part-00000.parquet")


def moments(day: dt.date, seconds: np.ndarray) -> pl.Series:
    """Return times of a UTC day."""
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()
    micros = (start * 1e6 + seconds * 1e6).astype(np.int64)
    return pl.Series(micros).cast(pl.Datetime("us", "UTC"))


def cells_of(user: np.ndarray, seconds: np.ndarray) -> list[str]:
    """Return where users are: at work from 8 to 16 h UTC, else at home; machines stay."""
    home, work = user % SITES, (user * 13 + 7) % SITES
    working = (seconds > 8 * 3600) & (seconds < 16 * 3600) & (user < PEOPLE)
    return [f"C{n:03d}" for n in np.where(working, work, home).tolist()]


def _calls(day: dt.date, rng: np.random.Generator) -> pl.DataFrame:
    """Each person calls the next one, four times a day; 70 % are answered."""
    count = PEOPLE * 4
    caller = np.repeat(np.arange(PEOPLE), 4)
    callee = (caller + rng.choice([1, 2, PEOPLE - 1], count)) % PEOPLE
    seconds = rng.uniform(6 * 3600, 20 * 3600, count)
    answered = rng.random(count) < 0.7
    duration = np.where(answered, np.rint(rng.lognormal(np.log(65), 1.3, count)).clip(1), 0)
    # Half of those who are not reached talk to a voicemail, which is no answer.
    diverted = ~answered & (rng.random(count) < 0.5)
    sides = [
        _leg(day, seconds, caller, caller, callee, duration, answered, diverted, "MO"),
        _leg(day, seconds + 2, callee, caller, callee, duration, answered, diverted & False, "MT"),
        # The leg that is forwarded to the voicemail is a record of who forwards.
        _leg(day, seconds + 20, callee, caller, None, duration, diverted, diverted & False, "MO")
        .filter(diverted),
    ]  # fmt: skip
    return pl.concat(sides).sort("event_time")


def _leg(
    day: dt.date,
    seconds: np.ndarray,
    served: np.ndarray,
    caller: np.ndarray,
    callee: np.ndarray | None,
    duration: np.ndarray,
    answered: np.ndarray,
    diverted: np.ndarray,
    side: str,
) -> pl.DataFrame:
    count = len(served)
    start = moments(day, seconds)
    talked = pl.Series(answered | diverted)
    kind = RecordType.MO_CALL if side == "MO" else RecordType.MT_CALL
    return pl.DataFrame({
        "event_time": start,
        "record_type": [kind.value] * count,
        "subscriber_id": ids(served),
        "msisdn": number_of(served),
        "imsi": [f"20661{user:010d}" for user in served.tolist()],
        "imei": [f"00{user:013d}" for user in served.tolist()],
        "calling_number": number_of(caller),
        "called_number": [VOICEMAIL] * count if callee is None else number_of(callee),
        "connected_number": pl.Series([VOICEMAIL] * count).set(~pl.Series(diverted), None),
        "other_plmn": ["20661"] * count,
        "cell_id": cells_of(served, seconds),
        "answer_time": start.set(~talked, None),
        "release_time": moments(day, seconds + np.where(talked, duration + 5, 25)),
        "call_duration": np.where(diverted, 15, duration).astype(np.int32),
        # One in 250 of the answered calls drops; every second call is none of the IMS.
        "cause_for_term": np.where(np.arange(count) % 500 == 0, 4, 0).astype(np.int16),
        "icid": pl.Series(np.arange(count)).set(pl.Series(np.arange(count) % 2 == 1), None),
    })  # fmt: skip


def _messages(day: dt.date, rng: np.random.Generator) -> pl.DataFrame:
    """Each person writes the next one twice a day, who answers after three minutes."""
    asks = np.repeat(np.arange(PEOPLE), 2)
    answers = (asks + 1) % PEOPLE
    first = rng.uniform(7 * 3600, 21 * 3600, len(asks))
    writer, reader = np.concatenate([asks, answers]), np.concatenate([answers, asks])
    seconds = np.concatenate([first, first + 180])
    parts = []
    for served, kind, later in (
        (writer, RecordType.MO_SMS, 0.0),
        (reader, RecordType.MT_SMS, 2.0),
    ):
        parts.append(pl.DataFrame({
            "event_time": moments(day, seconds + later),
            "record_type": [kind.value] * len(writer),
            "subscriber_id": ids(served),
            "msisdn": number_of(served),
            "calling_number": number_of(writer),
            "called_number": number_of(reader),
            "other_plmn": ["20661"] * len(writer),
            "sms_result": np.zeros(len(writer), np.int16),
            "cell_id": cells_of(served, seconds),
        }))  # fmt: skip
    return pl.concat(parts).sort("event_time")


def _sessions(day: dt.date, rng: np.random.Generator) -> pl.DataFrame:
    """People's sessions by day, in two records each; machines' small ones on the hour."""
    person = np.repeat(np.arange(PEOPLE), 20)
    seconds = rng.uniform(5 * 3600, 23 * 3600, len(person))
    volume = 10 ** rng.normal(5.7, 1.0, len(person))
    machine = np.repeat(np.arange(PEOPLE, PEOPLE + MACHINES), 24)
    on_the_hour = np.tile(np.arange(24) * 3600.0, MACHINES) + rng.uniform(0, 50, len(machine))
    charging = rng.integers(1, 2**40, len(person) + len(machine))
    parts = [
        _records(day, person, seconds, charging[: len(person)], volume / 2, 0.1, 1),
        _records(day, person, seconds + 60, charging[: len(person)], volume / 2, 0.1, 2),
        _records(
            day, machine, on_the_hour, charging[len(person) :], np.full(len(machine), 4e3), 0.8, 1
        ),
    ]
    return pl.concat(parts).sort("event_time")


def _records(
    day: dt.date,
    user: np.ndarray,
    seconds: np.ndarray,
    charging: np.ndarray,
    volume: np.ndarray,
    uplink: float,
    sequence: int,
) -> pl.DataFrame:
    return pl.DataFrame({
        "event_time": moments(day, seconds),
        "subscriber_id": ids(user),
        "charging_id": charging,
        "service": ["facebook"] * len(user),
        "duration": np.full(len(user), 60, np.int32),
        "record_sequence_number": np.full(len(user), sequence, np.int16),
        "data_volume_uplink": (volume * uplink).astype(np.int64),
        "data_volume_downlink": (volume * (1 - uplink)).astype(np.int64),
        "cell_id": cells_of(user, seconds),
    })  # fmt: skip


def _counters(day: dt.date) -> pl.DataFrame:
    """Every quarter is alike, but for an outage of the first cell on the first day, 10-12 h.

    Of 1,000 setups 4 fail, of 500 bearers 1 is not set up and 2 drop; a handover in 80 fails, and
    one in 20 out of GERAN.
    """
    quarter, cell = (each.ravel() for each in np.indices((96, SITES)))
    out = (cell == 0) & (quarter >= 40) & (quarter < 48) & (day == DAYS[0])
    many = np.full(len(cell), 1000)
    lost = np.where(cell >= SITES - GSM, 50, 12.5)
    return pl.DataFrame({
        "cell_id": [f"C{n:03d}" for n in cell.tolist()],
        "event_time": moments(day, quarter * 900.0),
        "rrc_conn_estab_att": many, "rrc_conn_estab_succ": np.where(out, 0, many - 4),
        "erab_estab_att": many // 2, "erab_estab_succ": np.where(out, 0, many // 2 - 1),
        "erab_rel": many // 2, "erab_rel_abnormal": np.where(out, 500, 2),
        "ho_exe_att": many * 2, "ho_exe_succ": np.where(out, 0, many * 2 - lost * 2).astype(int),
        "prb_used_dl": many // 50, "prb_tot_dl": many // 20,
        "cell_unavailable_time": np.where(out, 900, 0),
    })  # fmt: skip


def _changes(day: dt.date) -> pl.DataFrame:
    """On the eighth day five people join, four who pay by the month leave and two in advance."""
    users = PEOPLE + MACHINES
    leaving = np.array([100, 101, 102, 103, 0, 1, PEOPLE + 3])
    joining = np.arange(users, users + LATER)
    out, end, new = (
        kind.value
        for kind in (
            IdentityChange.PORT_OUT, IdentityChange.TERMINATION, IdentityChange.ACTIVATION,
        )
    )  # fmt: skip
    kinds = [out, out, out, end, out, end, end, *[new] * LATER]
    who = np.concatenate([leaving, joining])
    frame = pl.DataFrame({
        "event_time": moments(day, np.zeros(len(who))), "subscriber_id": ids(who),
        "change_type": kinds,
    })  # fmt: skip
    return frame if day == DAYS[7] else frame.clear()


def _care(day: dt.date) -> pl.DataFrame:
    """Ten people with matters of their own on the first two days; three come back with one.

    Person n brings one matter, the first has five more; nine are solved at the first contact.
    """
    who = np.array([*range(10), *[0] * 5])
    case = np.arange(15)
    number = DAYS.index(day)
    if number == 1:
        who, case = who[:3], case[:3]
    solved, called = Resolution.SOLVED.value, Resolution.CALLBACK.value
    settled = case < 12
    frame = pl.DataFrame({
        "event_time": moments(day, 36_000.0 + case * 60), "subscriber_id": ids(who),
        "case_id": case + 77, "contact_number": np.full(len(who), number + 1, np.int16),
        "handling_seconds": np.full(len(who), 360), "agent_id": ["A0001"] * len(who),
        "resolution": [solved if each else called for each in settled.tolist()],
    })  # fmt: skip
    return frame if number < 2 else frame.clear()
