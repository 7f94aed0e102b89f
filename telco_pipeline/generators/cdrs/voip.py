"""VoIP CDRs: the media of calls over IMS, and enterprise SIP trunks (TS 32.260, MMTel).

Belongs here: codec, loss, jitter, delay and MOS, and calls of businesses over SIP trunks. Does
not belong here: which call goes over IMS (`calls`).

The MOS follows ITU-T G.107 with the wideband scale left out: R = 93.2 - Id - Ie,eff, with
Id = 0.024 d + 0.11 (d - 177.3) for d above 177.3 ms, and Ie,eff = Ie + (95 - Ie) P / (P + Bpl)
for packet loss P in percent (G.113 for Ie and Bpl of a codec), and
MOS = 1 + 0.035 R + 7e-6 R (R - 60) (100 - R).

Over a cell of ours come what its queues add at that time: half of the round trip to the delay, a
quarter to the jitter, as waits of packets in a row are alike, and the loss.
"""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.population import BUSINESS, NR, WLAN
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import (
    SIP_OF_Q850,
    Codec,
    RecordType,
    VoiceAccess,
)
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.generators.base import (
    Column,
    Columns,
    Day,
    Events,
    Inputs,
    Rows,
    blocks,
    draw_events,
    enum_of,
    merge,
    moment,
    moment_or_null,
    nullable,
    parties,
    served_columns,
    within_day,
)
from telco_pipeline.generators.cdrs.attempts import (
    ANSWERED,
    OUTCOMES,
    call_times,
    core_failure,
    draw_outcome,
)
from telco_pipeline.generators.cdrs.calls import (
    FORWARDING,
    TERMINATING,
    VOIP_RECORD,
    call_legs,
    record_number,
)
from telco_pipeline.generators.cdrs.sides import measured
from telco_pipeline.generators.cdrs.voice import duration
from telco_pipeline.lake import CodedText, Rowset

CODECS: Final = list(Codec)
_EVS, _AMR_WB, _AMR, _OPUS, _PCMA = (CODECS.index(codec) for codec in Codec)
_ACCESS: Final = list(VoiceAccess)
_VOLTE, _VONR, VOWIFI, _TRUNK = range(4)
# Codec by access: EVS on newer phones, AMR-WB on the rest (practice).
_CODEC = Choice.of(
    [
        [55.0, 40.0, 5.0, 0.0, 0.0],
        [85.0, 15.0, 0.0, 0.0, 0.0],
        [60.0, 38.0, 2.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 22.0, 78.0],
    ]
)
# Equipment impairment Ie and robustness Bpl by codec (G.113 appendix I; EVS and opus: practice).
_IMPAIRMENT: Final = np.array([2.0, 5.0, 11.0, 2.0, 0.0])
_ROBUSTNESS: Final = np.array([20.0, 12.0, 10.0, 22.0, 4.3])

_LOSS = QuantileTable.log_normal(0.16, 1.1)  # percent
_JITTER = QuantileTable.log_normal(4.5, 0.6)  # milliseconds
# Mouth to ear: LTE and NR about 100 ms, Wi-Fi and trunks by the way they take.
_LATENCY = QuantileTable.log_normal(1.0, 0.22)
_MEDIAN_LATENCY: Final = np.array([105.0, 85.0, 120.0, 65.0])
_LOSS_FACTOR: Final = np.array([1.0, 0.7, 2.2, 0.6])

_MOST_LOSS: Final = 50.0  # percent: worse than that nobody goes on speaking
# Of the round-trip time that a cell's queues add.
_ONE_WAY: Final = 0.5
_JITTER_OF_WAIT: Final = 0.25

# Trunk calls of a business subscriber, as a share of its mobile calls.
_TRUNK_SHARE: Final = 0.35
SIP_RESPONSES: Final = np.array([SIP_OF_Q850[cause] for cause in OUTCOMES], dtype=np.int16)


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the packet-voice records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [_over_ims(batch) for batch in call_legs(day, part)]
    batches.extend(_trunk_legs(_trunk_calls(day, entities)) for entities in blocks(part))
    batches = [within_day(batch) for batch in batches]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CDRS_VOIP)
    legs = merge(batches)
    return Rowset.of(records.CDRS_VOIP, _columns(inputs, day, legs))


def _over_ims(legs: Columns) -> Columns:
    """Return the legs over IMS with what VoIP adds."""
    rows = np.flatnonzero(legs["ims"] & (legs["role"] != FORWARDING))
    chosen = {
        name: legs[name][rows]
        for name in (
            "time",
            "answer",
            "answered",
            "release",
            "entity",
            "party",
            "role",
            "cell",
            "country",
            "outcome",
            "key",
            "call",
            "rat",
        )
    }
    rat = chosen.pop("rat")
    return {**chosen, "access": leg_access(rat), "record": record_number(chosen, VOIP_RECORD)}


def leg_access(rat: np.ndarray) -> np.ndarray:
    """Return the access (position in `VoiceAccess`) of a leg over IMS, from its radio access."""
    return np.select([rat == NR, rat == WLAN], [_VONR, VOWIFI], _VOLTE).astype(np.int8)


def leg_codec(key: Bits, access: np.ndarray) -> np.ndarray:
    """Return the codec (position in `CODECS`) that a leg negotiates."""
    return _CODEC.sample(draws.bits(key, "codec"), access)


def _trunk_calls(day: Day, entities: Rows) -> Events:
    """Draw the calls that businesses start over their SIP trunk."""
    config = day.inputs.config
    share = _TRUNK_SHARE * config.record_weights.voip
    rates = np.array([persona.calls * share for persona in config.personas.values()])
    businesses = entities[day.inputs.population.kind[entities] == BUSINESS]
    return draw_events(day, businesses, "trunk", "calls", rates, even_if_off=True)


def _trunk_legs(events: Events) -> Columns:
    inputs = events.day.inputs
    outcome = draw_outcome(events.key)
    outcome = _carried(events, outcome)
    answer, release = call_times(events.day, events.key, events.time, outcome)
    count = len(events)
    return {
        "time": events.time,
        "answer": answer,
        "answered": outcome == ANSWERED,
        "release": release,
        "entity": events.entity,
        # To other networks: inside ours, businesses speak over their mobile extensions.
        "party": inputs.contacts.incoming(events.entity, events.key),
        "role": np.zeros(count, dtype=np.int8),
        "cell": np.full(count, -1),
        "country": np.full(count, -1),
        "outcome": outcome,
        "key": events.key,
        "call": events.packed(),
        "access": np.full(count, _TRUNK, dtype=np.int8),
        "record": events.packed(VOIP_RECORD),
    }


def _carried(events: Events, outcome: np.ndarray) -> np.ndarray:
    """Return the outcomes of trunk calls, put right for those that the core behind fails."""
    day = events.day
    home = day.inputs.population.home[events.entity]
    failure = day.network.at("voice_failure", home, events.time)
    failed = np.flatnonzero(draws.chance(events.bits("core"), failure))
    outcome[failed] = core_failure(events.key[failed])
    return outcome


def _columns(inputs: Inputs, day: Day, legs: Columns) -> dict[str, Column]:
    population = inputs.population
    terminating = legs["role"] == TERMINATING
    entity, time = legs["entity"], legs["time"]
    calling, called = parties(day, entity, legs["party"], terminating, time)
    served = served_columns(day, entity, time)
    trunk = legs["access"] == _TRUNK
    hidden = trunk | (legs["country"] >= 0)
    codec = leg_codec(legs["key"], legs["access"])
    home = population.home[legs["entity"]]
    server = inputs.cells.serving["mmtel"][np.where(trunk, home, legs["cell"])]
    return {
        "event_id": pl.Series(inputs.ids.event.of(legs["record"])),
        "event_time": moment(day, legs["time"]),
        "record_type": enum_of([str(RecordType.MMTEL)], np.zeros(len(trunk))),
        **{name: served[name] for name in ("subscriber_id", "imsi", "msisdn")},
        "calling_party_address": calling,
        "called_party_address": called,
        "role": enum_of(["originating", "terminating"], legs["role"]),
        "icid": pl.Series(inputs.ids.icid.of(legs["call"])),
        "chargeable": pl.Series(trunk & legs["answered"]),
        "access": enum_of([str(access) for access in _ACCESS], legs["access"]),
        "recording_entity": CodedText.of(inputs.cells.element_id, server),
        "cell_id": CodedText.of(inputs.lookups.cell_id, legs["cell"], hidden),
        "codec": enum_of([str(name) for name in CODECS], codec),
        "answer_time": moment_or_null(day, legs["answer"], ~legs["answered"]),
        "release_time": moment(day, legs["release"]),
        "call_duration": pl.Series(duration(legs)),
        "sip_response": pl.Series(SIP_RESPONSES[legs["outcome"]]),
        **_quality(day, legs, codec),
    }


def _quality(day: Day, legs: Columns, codec: np.ndarray) -> dict[str, Column]:
    """Return loss, jitter, latency and MOS; null where nobody spoke."""
    key, access, silent = legs["key"], legs["access"], ~legs["answered"]
    on_air = (legs["country"] < 0) & ((access == _VOLTE) | (access == _VONR))
    cell, time = legs["cell"], legs["time"]
    wait = measured(day, "latency_added", cell, time, on_air)
    lost = measured(day, "loss_added", cell, time, on_air)
    loss = _LOSS.sample(draws.bits(key, "loss")) * _LOSS_FACTOR[access] + lost
    loss = np.minimum(loss, _MOST_LOSS)
    jitter = _JITTER.sample(draws.bits(key, "jitter")) + wait * _JITTER_OF_WAIT
    jitter = np.minimum(jitter, 200.0)
    latency = _LATENCY.sample(draws.bits(key, "latency")) * _MEDIAN_LATENCY[access] + jitter
    latency += wait * _ONE_WAY
    loss, jitter, latency = np.round(loss, 2), np.round(jitter, 1), np.round(latency, 1)
    values = {
        "packet_loss": loss,
        "jitter": jitter,
        "latency": latency,
        "mos": np.round(mean_opinion_score(loss, latency, codec), 2),
    }
    return {name: nullable(silent, column) for name, column in values.items()}


def mean_opinion_score(loss: np.ndarray, latency: np.ndarray, codec: np.ndarray) -> np.ndarray:
    """Return the MOS of the E-model (ITU-T G.107).

    Args:
        loss: Packet loss in percent.
        latency: One-way delay in milliseconds.
        codec: Position of the codec in `CODECS`.
    """
    delay = 0.024 * latency + 0.11 * np.maximum(latency - 177.3, 0.0)
    impairment = _IMPAIRMENT[codec]
    effective = impairment + (95.0 - impairment) * loss / (loss + _ROBUSTNESS[codec])
    rating = np.clip(93.2 - delay - effective, 0.0, 100.0)
    score = 1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating)
    return np.clip(score, 1.0, 4.5)
