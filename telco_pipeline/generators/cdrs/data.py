"""Data CDRs: packet sessions by application, in partial records (TS 32.251, TS 32.255).

Belongs here: the records of a day, and the fields of `cdrs_data`. Does not belong here: when
sessions start (`data_sessions`), what they move and how long they last (`data_usage`), what happens
on the way (`data_way`), where records are cut (`data_records`), throughput and latency
(`data_quality`).

A row is the usage of one application on the device's connection, as mediation splits it: traffic
detection reports each application apart, and each use of one has a charging id of its own; its
partial records share it. (In the network the connection itself, which lasts for days, has one.)

An attempt that the cell or the core refuses leaves a record of the serving node without volume.
"""

import datetime as dt
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.population import NR
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import RecordType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import (
    Column,
    Columns,
    Day,
    Events,
    Inputs,
    enum_of,
    moment,
    nullable,
    rat_of,
    served_columns,
    time_order,
    where_columns,
    with_tail,
)
from telco_pipeline.generators.cdrs.applications import services
from telco_pipeline.generators.cdrs.data_quality import ways_to_gateways
from telco_pipeline.generators.cdrs.data_records import Sessions, partial_records
from telco_pipeline.generators.cdrs.data_sessions import TAIL, draw_sessions
from telco_pipeline.generators.cdrs.data_usage import LOST, starts
from telco_pipeline.generators.cdrs.data_way import sessions
from telco_pipeline.generators.cdrs.terms import AS_PLANNED, OWN_PLAN, unrated
from telco_pipeline.lake import CodedText, Rowset

_TYPES: Final = [str(RecordType.PGW), str(RecordType.CHF), str(RecordType.SGW)]
# Entities at a time: their sessions fill the cache.
_BLOCK: Final = 8192
_ADDRESSES: Final = 1 << 22  # 100.64.0.0/10


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the data records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    ways = ways_to_gateways(inputs)
    batches = [
        batch
        for events, shift in with_tail(day, part, draw_sessions, TAIL, _BLOCK)
        for batch in partial_records(_sessions(events, shift, ways))
    ]
    rows = _of_the_day(batches)
    if not len(rows["time"]):
        return Rowset.empty(records.CDRS_DATA)
    return Rowset.of(records.CDRS_DATA, _columns(inputs, day, part, rows))


def _sessions(events: Events, shift: int, ways: np.ndarray) -> Sessions:
    """Return the sessions that some starts lead to (arguments: `data_records.Sessions`)."""
    made, way, _ = sessions(starts(events), shift)
    return Sessions(events.day, shift, made, way, ways)


def _of_the_day(batches: list[Columns]) -> Columns:
    """Put batches together, without what lies outside the day, sorted by time."""
    time = np.concatenate([batch["time"] for batch in batches])
    inside = np.flatnonzero((time >= 0) & (time < DAY))
    order = inside[time_order(time[inside])]
    rows = {"time": time[order]}
    for name in batches[0]:
        if name != "time":
            rows[name] = np.concatenate([batch[name] for batch in batches])[order]
    return rows


def _columns(inputs: Inputs, day: Day, part: Part, rows: Columns) -> dict[str, Column]:
    entity, cell = rows["entity"], rows["cell"]
    serving, plans = inputs.cells.serving, inputs.plans
    plan = _served_as(day.customers.plan_at(entity, rows["time"]), rows)
    on_nr, refused = rows["rat"] == NR, rows["fate"] > LOST
    country = rows["country"]
    abroad, charging = country >= 0, rows["charging"]
    lease = rows["lease"] * np.int32(part.size)
    return {
        **served_columns(day, entity, rows["time"]),
        **where_columns(day, entity, cell, country, charging.view(np.uint64)),
        "event_id": pl.Series(rows["event"]),
        "event_time": moment(day, rows["time"]),
        "record_type": enum_of(_TYPES, np.where(refused, _TYPES.index(RecordType.SGW), on_nr)),
        "charging_id": pl.Series(charging),
        "record_sequence_number": pl.Series(rows["number"]),
        "recording_entity": CodedText.of(
            inputs.cells.element_id, np.where(refused, serving["sgw"][cell], serving["pgw"][cell])
        ),
        "serving_node": CodedText.of(inputs.lookups.element_id, serving["sgw"][cell], abroad),
        "access_point_name": _of_few(plans["access_point_name"], plan),
        "served_pdp_address": CodedText.of(
            _addresses(day, part), entity - np.int32(part.start) + lease
        ),
        "service": _of_few(services(inputs.config).names, rows["service"]),
        "duration": pl.Series(rows["seconds"]),
        "data_volume_uplink": pl.Series(rows["up"]),
        "data_volume_downlink": pl.Series(rows["down"]),
        "cause_for_rec_closing": pl.Series(rows["cause"]),
        "chargeable": pl.Series(_rated(day, rows, refused)),
        "diagnostics": nullable(~refused, rows["fate"].astype(np.int16)),
        "last_cell_id": CodedText.of(inputs.lookups.cell_id, rows["last_cell"], abroad),
        "handovers": pl.Series(rows["handovers"]),
        "handovers_failed": pl.Series(rows["failed"]),
        "throughput_downlink": pl.Series(rows["downlink"]),
        "throughput_uplink": pl.Series(rows["uplink"]),
        "latency": nullable(refused, rows["latency"] / 10.0),
        "packet_loss": nullable(refused, rows["loss"] / 1000.0),
        "rat_type": rat_of(rows["rat"]),
        "qci": pl.Series(_qci(plans["qci"].to_numpy()[plan], rows)),
        # Outside the 5G core there are no slices.
        "s_nssai": _of_few(
            plans["s_nssai"].extend_constant(None, 1), np.where(on_nr, plan, np.int32(len(plans)))
        ),
    }


def _served_as(plan: np.ndarray, rows: Columns) -> np.ndarray:
    """Return the plan as which each session is served: his own, unless the network has another."""
    if "plan" not in rows:
        return plan
    return np.where(rows["plan"] == OWN_PLAN, plan, rows["plan"])


def _qci(planned: np.ndarray, rows: Columns) -> np.ndarray:
    """Return the QCI of each record: that of the plan, unless it was served otherwise."""
    if "qci" not in rows:
        return planned
    return np.where(rows["qci"] == AS_PLANNED, planned, rows["qci"]).astype(planned.dtype)


def _rated(day: Day, rows: Columns, refused: np.ndarray) -> np.ndarray:
    """Return which records are rated: those of sessions that were set up."""
    rated = ~refused
    if day.story.of("unrated"):
        stream = draws.stream(day.inputs.config.seed, "rating")
        key = draws.keys(stream, rows["charging"])
        away = np.flatnonzero(rows["country"] >= 0)
        left = unrated(day, rows["entity"][away], rows["time"][away], key[away])
        rated[away[left]] = False
    return rated


def _of_few(texts: pl.Series, rows: np.ndarray) -> CodedText:
    """Return the column of a short list of texts, with equal ones and nulls, at `rows`."""
    used = np.zeros(len(texts), dtype=np.bool_)
    used[rows] = True
    there = np.flatnonzero(used)
    coded = CodedText.of_few(texts, there)
    place = np.zeros(len(texts), dtype=np.int32)
    place[there] = coded.codes
    return CodedText(coded.texts, place[rows])


def _addresses(day: Day, part: Part) -> pl.Series:
    """Return each subscriber's address in the shared space 100.64.0.0/10 (RFC 6598).

    A lease lasts a day from the subscriber's own time of day, and a session keeps its address
    until it ends: first come the leases that begin on the day, then those of the day before.
    Leases of one day have the even addresses and those of the next the odd ones.
    """
    entities = np.arange(part.start, part.stop)
    seed, half = day.inputs.config.seed, _ADDRESSES // 2
    host = np.concatenate(
        [
            Permutation(half, seed, f"address/{number}")(entities % half) * 2 + number % 2
            for number in (day.number, day.number - 1)
        ]
    )
    upper = pl.Series([f"100.{64 + high}" for high in range(_ADDRESSES >> 16)])
    return pl.select(
        pl.concat_str(upper.gather(host >> 16), _lower_octets().gather(host & 0xFFFF))
    ).to_series()


@lru_cache(maxsize=1)
def _lower_octets() -> pl.Series:
    return pl.Series([f".{high}.{low}" for high in range(256) for low in range(256)])
