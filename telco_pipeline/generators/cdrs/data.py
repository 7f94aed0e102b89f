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

from telco_pipeline.behaviour.population import MACHINE, NR, RATS
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import CauseForRecClosing, Rat, RecordType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import DAY_BITS, ENTITY_BITS, INDEX_BITS, Permutation
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import STANDARD_NORMAL, Choice, QuantileFamily, QuantileTable
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    LEGACY,
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
# Share of a persona's sessions that a phone without LTE has.
_LEGACY_SHARE: Final = 0.2
# Downlink rate that one device sees: median in kbit/s and the most that the radio access gives
# (EDGE with 4 slots, NB-IoT Cat NB2, LTE-M Cat M1, LTE Cat 6, NR on 100 MHz; medians: practice),
# and how many times the downlink's rate is the uplink's.
_RATES: Final = {
    Rat.GERAN: (110.0, 220.0, 2.0),
    Rat.UTRAN: (3_000.0, 20_000.0, 3.0),
    Rat.WLAN: (40_000.0, 300_000.0, 2.0),
    Rat.EUTRAN: (30_000.0, 250_000.0, 4.0),
    Rat.NB_IOT: (30.0, 60.0, 1.0),
    Rat.LTE_M: (300.0, 800.0, 1.0),
    Rat.NR: (110_000.0, 900_000.0, 6.0),
}
_MEDIAN_RATE, _HIGHEST_RATE, _UPLINK_FACTOR = np.array([_RATES[rat] for rat in RATS]).T
_RATE_SCATTER = QuantileTable.log_normal(1.0, 0.6)
_LOWEST_RATE: Final = 0.3 * _MEDIAN_RATE
# Bytes a microsecond that any share of uplink may reach without a closer look.
_SLOW: Final = _LOWEST_RATE / 8000.0 / np.maximum(_MOST_UPLINK * _UPLINK_FACTOR, 1.0)
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
    events = draw_events(day, entities, "data", "data", rates)
    population = day.inputs.population
    legacy = LEGACY[population.rat] & (population.kind != MACHINE)
    if not legacy[entities].any():
        return events
    kept = ~legacy[events.entity] | draws.chance(events.bits("legacy"), _LEGACY_SHARE)
    return events.select(np.flatnonzero(kept))


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
    uplink = np.minimum(uplink, _MOST_UPLINK)
    where = events.day.mobility.at(events.entity, events.time)
    cell, rat = _access(events, where.cell, where.abroad)
    _hold_back(events, rat, duration, volume, uplink)
    volume = _cut_off(events, duration, volume)
    up = volume * uplink
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
        "lease": _lease(events, shift),
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
    """Return the duration of each session in microseconds, one second to an hour.

    What the model would make shorter or longer is spread over some seconds, and over the last
    half hour, so that no length stands out.
    """
    own_bits = events.bits("duration")
    chosen = np.where(table.loose[service], own_bits, volume_bits)
    seconds = table.duration.sample(chosen, service) * _SCATTER.sample(events.bits("scatter"))
    short, long = np.flatnonzero(seconds < 1.0), np.flatnonzero(seconds > _LONGEST)
    seconds[short] = 1.0 + 5.0 * draws.uniform(own_bits[short]) * draws.uniform(
        draws.bits(events.key[short], "duration/short")
    )
    seconds[long] = _LONGEST * (1.0 - 0.5 * draws.uniform(draws.bits(events.key[long], "long")))
    return (seconds * SECOND).astype(np.int64)


def _hold_back(
    events: Events, rat: np.ndarray, duration: Rows, volume: np.ndarray, uplink: np.ndarray
) -> None:
    """Lengthen sessions (in place) that are faster than their radio access carries.

    What would then last more than an hour transfers less.
    """
    fast = np.flatnonzero(volume > duration * _SLOW[rat])
    if not fast.size:
        return
    served, share = rat[fast], uplink[fast]
    # One byte a microsecond is 8,000 kbit/s.
    weight = np.maximum(1.0 - share, share * _UPLINK_FACTOR[served]) * 8000.0
    scatter = _RATE_SCATTER.sample(draws.bits(events.key[fast], "rate"))
    rate = np.clip(_MEDIAN_RATE[served] * scatter, _LOWEST_RATE[served], _HIGHEST_RATE[served])
    needed = np.maximum(volume[fast] * weight / rate, duration[fast])
    late = draws.bits(events.key[fast], "rate/long")
    longest = _LONGEST * SECOND * (1.0 - 0.5 * draws.uniform(late))
    longest = np.maximum(longest, duration[fast])
    lasting = np.minimum(needed, longest)
    volume[fast] *= lasting / needed
    duration[fast] = lasting.astype(np.int64)


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

    Bytes are shared out about by time with whole numbers, so that they add up to the session's.
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
    parts = np.flatnonzero(~single)
    if parts.size:
        key, lasting, place = _session_key(sessions)[parts], duration[parts], number[parts]
        first = _carried_until(key, place, lasting, limit)
        until = _carried_until(key, place + 1, lasting, limit)
        up, down = up.copy(), down.copy()
        up[parts] = _share(up[parts], first, until, lasting)
        down[parts] = _share(down[parts], first, until, lasting)
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
        "lease": sessions["lease"],
    }


def _carried_until(session: Bits, number: Rows, duration: Rows, limit: int) -> Rows:
    """Return how far the traffic is when record `number` begins, as a time of even traffic.

    Traffic is not even: it runs ahead of the clock or behind it by up to 0.4 of a record.
    """
    at = np.minimum(number * limit, duration)
    ahead = draws.below(draws.events(session, number), 801) - 400
    ahead = np.where(number > 0, ahead, 0)
    return at + ahead * np.minimum(limit, duration - at) // 1000


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
            _addresses(day, part), entity - part.start + rows["lease"] * np.int64(part.size)
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


def _lease(events: Events, shift: int) -> np.ndarray:
    """Return how many days before the day of the records each session's address was leased."""
    habit = draws.stream(events.day.inputs.config.seed, "address/lease")
    # Before the hour from which sessions reach into the next day: two leases serve a day.
    begins = draws.below(draws.keys(habit, events.entity), (DAY - TAIL) // SECOND) * SECOND
    return ((events.time < begins) | (shift < 0)).astype(np.int8)


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
    octets = pl.DataFrame({"b": 64 + (host >> 16), "c": (host >> 8) & 255, "d": host & 255})
    return octets.select(pl.format("100.{}.{}.{}", "b", "c", "d")).to_series()
