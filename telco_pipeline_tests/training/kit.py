"""A small lake made by hand, of subscribers or of a network, with the truth of one layer."""

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from telco_pipeline.lake import Lake
from telco_pipeline.lake.worlds import LakeWorld
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig
from telco_pipeline_tests.generators.kit import small_world

EPOCH = dt.date(2026, 1, 10)
LAYER = "story"
UTC_TIME = pl.Datetime("us", "UTC")
PEOPLE = range(1, 31)

_TEXT = {
    *("record_type", "status", "imei", "calling_number", "called_number", "other_plmn", "cell_id"),
    *("service", "update_type", "change_type", "reason", "element_id", "notification_type"),
    *("perceived_severity", "event_type", "msg_id", "incident_id_", "stage", "role"),
    *("entity_kind", "entity_id", "layer", "imsi", "msisdn", "iccid", "device_id"),
    *("number_holder", "serving_plmn"),
}
_TIMES = {"event_time", "answer_time", "release_time", "end_time"}
_FLAGS = {"blocked", "roaming", "benign"}
_REALS = {"latency", "packet_loss", "sentiment", "cpu_use", "memory_use", "jitter"}

_RECORDS: dict[str, dict[str, Any]] = {
    "cdrs_voice": {
        "subscriber_id": 1, "record_type": "moCallRecord", "status": "answered", "imei": "1",
        "calling_number": "+32461000001", "called_number": "+32461000002", "answer_time": None,
        "release_time": None, "call_duration": 60, "roaming": False, "blocked": False,
        "cause_for_term": 0,
    },
    "cdrs_sms": {
        "subscriber_id": 1, "record_type": "moSMSRecord", "calling_number": "+32461000001",
        "called_number": "+32461000002", "other_plmn": "20661", "sms_result": 0,
    },
    "cdrs_data": {
        "subscriber_id": 1, "record_sequence_number": 1, "diagnostics": None, "duration": 10,
        "data_volume_uplink": 100, "data_volume_downlink": 900, "roaming": False,
        "cause_for_rec_closing": 0, "latency": 40.0, "packet_loss": 0.0,
        "throughput_downlink": 1000, "cell_id": "c1", "service": "web",
    },
    "location_updates": {
        "subscriber_id": 1, "update_type": "periodic", "cause": 0, "cell_id": "c1",
    },
    "identity_changes": {
        "subscriber_id": 1, "change_type": "sim_swap", "imsi": "x", "msisdn": "+32461000001",
        "imei": "1", "iccid": "8932", "device_id": "D1", "number_holder": "20661",
        "serving_plmn": "20661",
    },
    "customer_service": {
        "subscriber_id": 1, "queue_seconds": 0, "handling_seconds": 60, "reason": "billing",
        "sentiment": 0.5,
    },
    "network_logs": {"element_id": "e1", "severity": 3, "msg_id": "FAN"},
    "alarms": {
        "element_id": "e1", "cell_id": None, "notification_type": "notifyNewAlarm",
        "perceived_severity": "major", "event_type": "equipment",
    },
    "element_metrics": {
        "element_id": "e1", "cpu_use": 20.0, "memory_use": 30.0, "packet_loss": 0.1,
        "latency": 1.0, "jitter": 0.1, "throughput": 10, "capacity_used": 5,
    },
    "pm_counters": {
        "cell_id": "c1", "rrc_conn_estab_att": 10, "rrc_conn_estab_succ": 9, "erab_estab_att": 5,
        "erab_estab_succ": 5, "erab_rel": 5, "erab_rel_abnormal": 1, "voice_att": 2,
        "voice_blocked": 0, "voice_drop": 0, "pdcp_volume_ul": 10, "pdcp_volume_dl": 100,
        "prb_used_dl": 3, "prb_tot_dl": 10, "cell_unavailable_time": 0,
    },
    "truth_incidents": {"incident_id": 1, "layer": LAYER},
    "truth_entities": {
        "incident_id": 1, "stage": "it", "role": "them", "entity_kind": "subscriber",
        "entity_id": "1", "end_time": None, "benign": False,
    },
}  # fmt: skip
"""A record of each dataset; tests change what they are about."""


def at(day: int, hour: int = 12, minute: int = 0, second: int = 0) -> dt.datetime:
    """Return a time by UTC on a day counted from the epoch."""
    midnight = dt.datetime.combine(EPOCH, dt.time(), dt.UTC)
    return midnight + dt.timedelta(days=day, hours=hour, minutes=minute, seconds=second)


def day(number: int) -> dt.date:
    """Return a day counted from the epoch."""
    return EPOCH + dt.timedelta(days=number)


def record(dataset: str, when: dt.datetime, **values: Any) -> dict[str, Any]:
    """Return a record of a dataset."""
    return {"event_time": when, **_RECORDS[dataset], **values}


def call(when: dt.datetime, seconds: int = 60, **values: Any) -> dict[str, Any]:
    """Return an answered call that rang for 5 s."""
    answer = when + dt.timedelta(seconds=5)
    end = answer + dt.timedelta(seconds=seconds)
    told = {"answer_time": answer, "release_time": end, "call_duration": seconds}
    return record("cdrs_voice", when, **{**told, **values})


def missed(when: dt.datetime, caller: str, rings: int = 20) -> dict[str, Any]:
    """Return a call that was not taken."""
    end = when + dt.timedelta(seconds=rings)
    told = {"record_type": "mtCallRecord", "calling_number": caller, "status": "no answer"}
    return record("cdrs_voice", when, release_time=end, call_duration=0, **told)


def touch(
    start: dt.datetime, end: dt.datetime, entity: object = 1, **values: Any
) -> dict[str, Any]:
    """Return a row of truth_entities."""
    told = {"end_time": end, "entity_id": str(entity)}
    return record("truth_entities", start, **{**told, **values})


def story(of: str = "subscribers", **keys: Any) -> Layer:
    """Return a layer of two stages."""
    deed = "usage" if of == "subscribers" else "degrade"
    what = {"calls": 2} if of == "subscribers" else {"drops": 0.1}
    tree = {
        "version": 1, "number": 7, "title": "Something", "story": "It happens.", "kind": "fraud",
        "when": {"first": "1d", "at": "10:00"},
        "cast": {"them": {"of": of, "number": 2},
                 "others": {"of": of, "number": 2, "outside": ["them"], "benign": True}},
        "stages": [
            {"name": "it", "lasts": "1d", "do": [{deed: {"who": "them", **what}},
                                                 {deed: {"who": "others", **what}}]},
            {"name": "more", "lasts": "1d", "do": [{deed: {"who": "them", **what}}]},
        ],
    }  # fmt: skip
    return Layer.model_validate(tree | keys)


def make_lake(
    root: Path,
    records: Mapping[str, Iterable[dict[str, Any]]],
    *,
    days: int = 6,
    layer: Layer | None = None,
) -> tuple[WorldConfig, Lake]:
    """Write a lake of some days with these records and no others, and say what world it is."""
    config = with_layers(small_world(subscribers=400, epoch=EPOCH), {LAYER: layer or story()})
    LakeWorld("main", config.seed, config.world_hash, None, config.to_dict()).write(root)
    for name, frame in _static().items():
        _write(root / name, frame)
    for name, plain in _RECORDS.items():
        schema = {"event_time": UTC_TIME, **{column: _type(column) for column in plain}}
        frame = pl.DataFrame(list(records.get(name, ())), schema=schema)
        for offset in range(days):
            some = frame.filter(pl.col("event_time").dt.date() == day(offset))
            _write(root / name / f"day={day(offset)}", some)
    return config, Lake(root)


def _static() -> dict[str, pl.DataFrame]:
    return {
        "subscribers": pl.DataFrame(
            {
                "subscriber_id": list(PEOPLE),
                # SIMs 1 and 2 are of one holder.
                "holder_id": [101, *(100 + max(who, 1) for who in range(1, len(PEOPLE)))],
                "kind": ["person"] * len(PEOPLE),
                "birth_date": [dt.date(1986, 1, 10)] * len(PEOPLE),
                "contract_start": [dt.date(2026, 1, 1)] * len(PEOPLE),
                "plan_id": ["POST-S"] * len(PEOPLE),
                "home_plmn": ["20661"] * len(PEOPLE),
                **{
                    name: [name] * len(PEOPLE)
                    for name in ("imsi", "msisdn", "imei", "iccid", "number_holder")
                },
                "device_id": ["D1"] * len(PEOPLE),
            }
        ),
        "devices": pl.DataFrame(
            {
                "device_id": ["D1", "D2"],
                "released": [dt.date(2024, 1, 10), dt.date(2026, 1, 1)],
                "device_class": ["smartphone", "router"],
            }
        ),
        "cells": pl.DataFrame(
            {
                "cell_id": ["c1", "c2", "c3"],
                "site_id": ["s1", "s1", "s2"],
                "element_id": ["e1", "e1", "e2"],
                "rat_type": ["EUTRAN"] * 3,
                "cell_class": ["MACRO"] * 3,
                "vendor": ["Hanwei"] * 3,
                "hardware_age_days": [100, 100, 200],
            }
        ),
        "network_elements": pl.DataFrame(
            {
                "element_id": ["e1", "e2", "m1"],
                "element_type": ["eNB", "eNB", "MME"],
                "vendor": ["Hanwei"] * 3,
                "site_id": ["s1", "s2", None],
                "installed": [dt.date(2025, 1, 10)] * 3,
            }
        ),
        "sites": pl.DataFrame(
            {
                "site_id": ["s1", "s2"],
                "vendor": ["Hanwei"] * 2,
                "built": [dt.date(2020, 1, 10)] * 2,
            }
        ),
    }


def _type(column: str) -> Any:
    if column in _TIMES:
        return UTC_TIME
    if column in _TEXT:
        return pl.String
    if column in _FLAGS:
        return pl.Boolean
    return pl.Float64 if column in _REALS else pl.Int64


def _write(directory: Path, frame: pl.DataFrame) -> None:
    directory.mkdir(parents=True)
    frame.write_parquet(directory / "part-00000.parquet")
