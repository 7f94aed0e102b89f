"""Data CDRs: packet sessions by application, in partial records (TS 32.251, TS 32.255).

Belongs here: service, volume and duration of sessions, their partial records, and the fields of
`cdrs_data`. Does not belong here: throughput and quality, which come with the network's state.

People's volumes are log-normal by service and durations follow v = a d^b (Zanella et al., IMC
2023); machines send small reports, more up than down (Shafiq 2012).
"""

import datetime as dt
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.population import MACHINE, NR
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import CauseForRecClosing, RecordType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import DAY_BITS, ENTITY_BITS, INDEX_BITS, Permutation
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import STANDARD_NORMAL, Choice, QuantileFamily, QuantileTable
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    Column,
    Columns,
    Day,
    Events,
    Inputs,
    Rows,
    draw_events,
    enum_of,
    merge,
    moment,
    packet_access,
    rat_of,
    served_columns,
    where_columns,
    with_tail,
    within_day,
)
from telco_pipeline.lake import CodedText, Rowset
from telco_pipeline.settings import WorldConfig

_TYPES: Final = [str(RecordType.PGW), str(RecordType.CHF)]
# The model's durations are clipped to an hour (Zanella et al.).
_LONGEST: Final = 3600
TAIL: Final = _LONGEST * SECOND
# Below this exponent duration hardly follows volume and is drawn on its own.
_LOOSE_EXPONENT: Final = 0.3
_OWN_DURATION = (70.0, 1.2)  # median seconds, sigma of ln
# Scatter of the duration around v = a d^b, so that volume does not give it away.
_SCATTER = QuantileTable.log_normal(1.0, 0.45)
_UPLINK_SCATTER = QuantileTable.log_normal(1.0, 0.4)
_MOST_UPLINK: Final = 0.95
_MAX_VOLUME: Final = 40e9
_LEAST_VOLUME: Final = 64.0

# What machines send, by how many reports a day they make: service, median bytes, sigma, seconds.
_REPORT: Final = "telemetry"
_REPORT_BYTES: Final = (9_000.0, 1.1)
_REPORT_SECONDS: Final = (12.0, 0.8)
_REPORT_UPLINK: Final = 0.74
_NR_SHARE: Final = 0.85
_ABNORMAL: Final = 0.004
_ADDRESSES: Final = 1 << 22  # 100.64.0.0/10
_KIND_SHIFT: Final = DAY_BITS + ENTITY_BITS + INDEX_BITS


@dataclass(frozen=True)
class Services:
    """Services as tables; the last one is the machines' reports."""

    names: pl.Series
    choice: Choice
    volume: QuantileFamily
    duration: QuantileFamily
    loose: np.ndarray
    uplink: np.ndarray
    report: int


def services(config: WorldConfig) -> Services:
    """Build the tables of the world's services."""
    return _services(
        tuple((name, s.share, s.u, s.s, s.a, s.b, s.uplink) for name, s in config.services.items())
    )


@lru_cache(maxsize=2)
def _services(rows: tuple[tuple[str, float, float, float, float, float, float], ...]) -> Services:
    volumes, durations = [], []
    for _, _, mean, sigma, a, b, _ in rows:
        volumes.append(lambda p, mean=mean, sigma=sigma: _volume(p, mean, sigma))
        if b < _LOOSE_EXPONENT:
            durations.append(lambda p: _log_normal(p, *_OWN_DURATION))
        else:
            durations.append(
                lambda p, mean=mean, sigma=sigma, a=a, b=b: min(
                    (_volume(p, mean, sigma) / a) ** (1 / b), 1e6
                )
            )
    volumes.append(lambda p: _log_normal(p, *_REPORT_BYTES))
    durations.append(lambda p: _log_normal(p, *_REPORT_SECONDS))
    return Services(
        names=pl.Series([*(row[0] for row in rows), _REPORT]),
        choice=Choice.of([row[1] for row in rows]),
        volume=QuantileFamily.of(volumes),
        duration=QuantileFamily.of(durations),
        loose=np.array([*(row[5] < _LOOSE_EXPONENT for row in rows), True]),
        uplink=np.array([*(row[6] for row in rows), _REPORT_UPLINK]),
        report=len(rows),
    )


def _log_normal(probability: float, median: float, sigma: float) -> float:
    return median * math.exp(sigma * STANDARD_NORMAL.inv_cdf(probability))


def _volume(probability: float, mean: float, sigma: float) -> float:
    exponent = mean + sigma * STANDARD_NORMAL.inv_cdf(probability)
    return min(10.0**exponent, _MAX_VOLUME)


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the data records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [
        within_day(_partial_records(_sessions(events, shift), inputs.config))
        for events, shift in with_tail(day, part, _draw, TAIL)
    ]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CDRS_DATA)
    return Rowset.of(records.CDRS_DATA, _columns(inputs, day, part, merge(batches)))


def _draw(day: Day, entities: Rows) -> Events:
    config = day.inputs.config
    weight = config.record_weights.data
    rates = np.array([persona.sessions * weight for persona in config.personas.values()])
    return draw_events(day, entities, "data", "data", rates)


def _sessions(events: Events, shift: int) -> Columns:
    """Return the sessions: service, volumes, duration, where."""
    inputs = events.day.inputs
    table = services(inputs.config)
    machine = inputs.population.kind[events.entity] == MACHINE
    service = table.choice.sample(events.bits("service"))
    service = np.where(machine, table.report, service).astype(np.int64)
    volume_bits = events.bits("volume")
    volume = np.maximum(table.volume.sample(volume_bits, service), _LEAST_VOLUME)
    duration = _duration(events, table, service, volume_bits)
    uplink = table.uplink[service] * _UPLINK_SCATTER.sample(events.bits("uplink"))
    volume = _cut_off(events, duration, volume)
    up = volume * np.minimum(uplink, _MOST_UPLINK)
    where = events.day.mobility.at(events.entity, events.time)
    cell, rat = _access(events, where.cell, where.abroad)
    abnormal = draws.chance(events.bits("closing"), _ABNORMAL)
    return {
        "time": events.time + shift,
        "entity": events.entity.astype(np.int32),
        "service": service.astype(np.int16),
        "duration": duration,
        "up": up.astype(np.int64),
        "down": (volume - up).astype(np.int64),
        "cell": cell.astype(np.int32),
        "country": where.country.astype(np.int8),
        "rat": rat,
        "abnormal": abnormal,
        "session": events.packed(),
        "carried": np.full(len(events), shift < 0),
    }


def _cut_off(events: Events, duration: Rows, volume: np.ndarray) -> np.ndarray:
    """Cut sessions (in place) where the phone is switched off or crosses a border.

    Returns:
        The volumes, of cut sessions only what was sent until then.
    """
    mobility = events.day.mobility
    rows = mobility.may_go(events.entity)
    left = mobility.until_gone(events.entity[rows], events.time[rows])
    short = left < duration[rows]
    cut = rows[short]
    if cut.size:
        kept = np.maximum(left[short], SECOND // 1000)
        volume[cut] = np.maximum(volume[cut] * (kept / duration[cut]), _LEAST_VOLUME)
        duration[cut] = kept
    return volume


def _duration(events: Events, table: Services, service: Rows, volume_bits: Bits) -> Rows:
    """Return the duration of each session in microseconds, one second to an hour."""
    own_bits = events.bits("duration")
    chosen = np.where(table.loose[service], own_bits, volume_bits)
    seconds = table.duration.sample(chosen, service) * _SCATTER.sample(events.bits("scatter"))
    return (np.clip(seconds, 1.0, _LONGEST) * SECOND).astype(np.int64)


def _access(events: Events, camped: Rows, abroad: np.ndarray) -> tuple[Rows, np.ndarray]:
    """Return the cell and the radio access of each session."""
    inputs, cells = events.day.inputs, events.day.inputs.cells
    falls_back = ~draws.chance(events.bits("layer"), _NR_SHARE)
    on_nr = cells.rat[camped] == NR
    cell = np.where(on_nr & falls_back, cells.lte_sibling[camped], camped).astype(np.int64)
    # Abroad the records of the home network come from the EPC, which the LTE cell leads to.
    cell = np.where(abroad, cells.lte_sibling[camped], cell).astype(np.int64)
    return cell, packet_access(inputs, events.entity, cell, abroad)


def _partial_records(sessions: Columns, config: WorldConfig) -> Columns:
    """Cut sessions at the time limit into records that share the charging id.

    Bytes are shared out by time with whole numbers, so that they add up to the session's.
    """
    limit = config.charging.data_time_limit_s * SECOND
    duration = sessions["duration"]
    count = -(-duration // limit)
    if (count == 1).all():
        return _records(sessions, np.zeros(len(count), dtype=np.int64), duration, limit)
    whole = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(whole)) - np.repeat(np.cumsum(count) - count, count)
    expanded = {name: values[whole] for name, values in sessions.items()}
    return _records(expanded, number, expanded["duration"], limit)


def _records(sessions: Columns, number: Rows, duration: Rows, limit: int) -> Columns:
    """Return record `number` of each session."""
    start = number * limit
    end = np.minimum(start + limit, duration)
    last = end == duration
    single = last & (number == 0)
    up, down = sessions["up"], sessions["down"]
    if not single.all():
        up = _share(up, start, end, duration)
        down = _share(down, start, end, duration)
    cause = np.select(
        [~last, sessions["abnormal"]],
        [
            np.int16(CauseForRecClosing.TIME_LIMIT),
            np.int16(CauseForRecClosing.ABNORMAL_RELEASE),
        ],
        np.int16(CauseForRecClosing.NORMAL_RELEASE),
    )
    return {
        "time": sessions["time"] + start,
        "entity": sessions["entity"],
        "service": sessions["service"],
        "seconds": ((end - start + SECOND // 2) // SECOND).astype(np.int32),
        "up": up,
        "down": down,
        "cause": cause,
        "number": (number + 1).astype(np.int16),
        "cell": sessions["cell"],
        "country": sessions["country"],
        "rat": sessions["rat"],
        "session": sessions["session"],
        "carried": sessions["carried"],
    }


def _share(volume: Rows, start: Rows, end: Rows, duration: Rows) -> Rows:
    """Return the bytes of [start, end), of a volume spread evenly over the duration."""
    # Milliseconds: a product of bytes and microseconds would not fit 63 bits.
    total = np.maximum(duration // 1000, 1)
    return volume * (end // 1000) // total - volume * (start // 1000) // total


def _columns(inputs: Inputs, day: Day, part: Part, rows: Columns) -> dict[str, Column]:
    entity, cell = rows["entity"], rows["cell"]
    serving, plans = inputs.cells.serving, inputs.plans
    plan = inputs.population.plan[entity].astype(np.int64)
    on_nr = rows["rat"] == NR
    country = rows["country"].astype(np.int64)
    return {
        **served_columns(inputs, entity),
        **where_columns(day, entity, cell, country, _session_key(rows)),
        "event_id": pl.Series(inputs.ids.event.of(_record(rows))),
        "event_time": moment(day, rows["time"]),
        "record_type": enum_of(_TYPES, on_nr),
        "charging_id": pl.Series(inputs.ids.charging.of(rows["session"])),
        "record_sequence_number": pl.Series(rows["number"]),
        "recording_entity": CodedText.of(inputs.cells.element_id, serving["pgw"][cell]),
        "serving_node": CodedText.of(inputs.lookups.element_id, serving["sgw"][cell], country >= 0),
        "access_point_name": CodedText.of_few(plans["access_point_name"], plan),
        "served_pdp_address": CodedText.of(
            _addresses(day, part), entity - part.start + np.where(rows["carried"], part.size, 0)
        ),
        "service": CodedText.of(services(inputs.config).names, rows["service"]),
        "duration": pl.Series(rows["seconds"]),
        "data_volume_uplink": pl.Series(rows["up"]),
        "data_volume_downlink": pl.Series(rows["down"]),
        "cause_for_rec_closing": pl.Series(rows["cause"]),
        "rat_type": rat_of(rows["rat"]),
        "qci": pl.Series(plans["qci"].to_numpy()[plan]),
        "s_nssai": _slices(plans["s_nssai"], plan, on_nr),
    }


def _slices(s_nssai: pl.Series, plan: Rows, on_nr: np.ndarray) -> CodedText:
    """Return the slice of each record; null outside the 5G core."""
    behind = len(s_nssai)
    return CodedText.of_few(
        s_nssai.extend_constant(None, 1), np.where(on_nr, plan, np.int64(behind))
    )


def _record(rows: Columns) -> Rows:
    """Return the packed number of each record: beyond 16 of a session it goes on in other kinds."""
    block, place = np.divmod(rows["number"].astype(np.int64) - 1, RECORDS_PER_EVENT)
    first = EVENT_KINDS["data_more"] - EVENT_KINDS["data"] - 1
    further = np.where(block > 0, (first + block) << _KIND_SHIFT, 0)
    return rows["session"] + place + further


def _session_key(rows: Columns) -> Bits:
    """Return a hash of each session, the same in all its records."""
    return draws.mix(rows["session"].astype(np.uint64))


def _addresses(day: Day, part: Part) -> pl.Series:
    """Return each subscriber's address in the shared space 100.64.0.0/10 (RFC 6598).

    An address is kept for a day, and by a session until it ends: those of the day come first,
    then those of the day before.
    """
    entities = np.arange(part.start, part.stop)
    seed = day.inputs.config.seed
    host = np.concatenate(
        [
            Permutation(_ADDRESSES, seed, f"address/{number}")(entities % _ADDRESSES)
            for number in (day.number, day.number - 1)
        ]
    )
    octets = pl.DataFrame({"b": 64 + (host >> 16), "c": (host >> 8) & 255, "d": host & 255})
    return octets.select(pl.format("100.{}.{}.{}", "b", "c", "d")).to_series()
