"""IMS CDRs: SIP registrations and sessions at the call session control functions (TS 32.260).

Belongs here: the fields of `cdrs_ims`. Does not belong here: which call goes over IMS (`calls`),
its media (`voip`).

Each leg of a call over IMS leaves a record at the P-CSCF and one at the S-CSCF; each registration
leaves one at the S-CSCF. Phones register anew after the registration's life time and when they
come back from abroad.
"""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.population import GERAN, MACHINE
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import RecordType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    Column,
    Columns,
    Day,
    Inputs,
    Rows,
    blocks,
    enum_of,
    merge,
    moment,
    moment_or_null,
    nullable,
    parties,
    visited_cells,
    within_day,
)
from telco_pipeline.generators.cdrs.calls import (
    P_CSCF_RECORD,
    S_CSCF_RECORD,
    TERMINATING,
    call_legs,
    record_number,
)
from telco_pipeline.generators.cdrs.voip import (
    CODECS,
    SIP_RESPONSES,
    VOWIFI,
    leg_access,
    leg_codec,
)
from telco_pipeline.lake import CodedText, Rowset

_S_CSCF, _P_CSCF = 0, 1
_NODES: Final = [str(RecordType.S_CSCF), str(RecordType.P_CSCF)]
_METHODS: Final = ["INVITE", "REGISTER"]
_NO_CODEC: Final = -1

# A phone refreshes its registration when the network's expiry of 7,200 s nears (practice); once
# asleep it is refreshed less often, so that some refreshes are left out.
_EXPIRY: Final = 2 * 3600 * SECOND
_REFRESHED: Final = 0.65
# Numbers of the registrations behind an attach; the refreshes of a day lie below.
_MORNING: Final = 100
_BACK: Final = 101
_REGISTER_RESPONSE = Choice.of([97.6, 1.4, 0.5, 0.5])
_REGISTER_RESPONSES: Final = np.array([200, 401, 403, 504], dtype=np.int16)


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the IMS records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [records_of for legs in call_legs(day, part) for records_of in _sessions(legs)]
    batches.extend(_registrations(day, entities) for entities in blocks(part))
    batches = [within_day(batch) for batch in batches]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CDRS_IMS)
    return Rowset.of(records.CDRS_IMS, _columns(inputs, day, merge(batches)))


def _sessions(legs: Columns) -> list[Columns]:
    """Return the P-CSCF and the S-CSCF records of legs over IMS."""
    rows = np.flatnonzero(legs["ims"])
    chosen = {name: values[rows] for name, values in legs.items()}
    # The S-CSCF sees the INVITE 12 to 45 ms after the P-CSCF on the originating side, and
    # before it on the terminating one.
    hop = 12_000 + draws.below(draws.bits(chosen["key"], "hop"), 33_000)
    terminating = chosen["role"] == TERMINATING
    nodes = ((_P_CSCF, P_CSCF_RECORD, terminating), (_S_CSCF, S_CSCF_RECORD, ~terminating))
    return [
        {
            "time": chosen["time"] + np.where(later, hop, 0),
            "start": chosen["answer"],
            "end": np.where(chosen["answered"], chosen["release"], -1),
            "entity": chosen["entity"],
            "party": chosen["party"],
            "role": chosen["role"],
            "method": np.zeros(len(rows), dtype=np.int8),
            "node": np.full(len(rows), node, dtype=np.int8),
            "response": SIP_RESPONSES[chosen["outcome"]],
            "codec": leg_codec(chosen["key"], leg_access(chosen["rat"])).astype(np.int8),
            "cell": chosen["cell"],
            "country": chosen["country"],
            "wifi": leg_access(chosen["rat"]) == VOWIFI,
            "key": chosen["key"],
            "session": chosen["call"] + chosen["role"],
            "call": chosen["call"],
            "record": record_number(chosen, record),
        }
        for node, record, later in nodes
    ]


def _registrations(day: Day, entities: Rows) -> Columns:
    """Return the registrations of a day: each phone refreshes at its own phase of the expiry."""
    inputs = day.inputs
    population, config = inputs.population, inputs.config
    entities = entities[population.volte[entities] & (population.kind[entities] != MACHINE)]
    phase = (
        draws.below(
            draws.bits(draws.keys(draws.stream(config.seed, "register/phase"), entities), "phase"),
            _EXPIRY // 1000,
        )
        * 1000
    )
    slots = DAY // _EXPIRY
    entity = np.repeat(entities, slots)
    index = np.tile(np.arange(slots), len(entities))
    keys = draws.keys(draws.stream(config.seed, "register", day.number), entities)
    key = draws.events(np.repeat(keys, slots), index)
    # A weight above one cannot add refreshes: a phone refreshes each of them once.
    kept = draws.chance(draws.bits(key, "kept"), min(_REFRESHED * config.record_weights.ims, 1.0))
    entity, index, key = entity[kept], index[kept], key[kept]
    jitter = draws.below(draws.bits(key, "jitter"), 4_000_000)
    time = np.repeat(phase, slots)[kept] + index * _EXPIRY + jitter
    # The jitter of the day's last refresh reaches over midnight; the day before's does so, too.
    time %= DAY
    on = ~day.mobility.switched_off(entity, time)
    entity, index, key, time = entity[on], index[on], key[on], time[on]
    for found in _attaches(day, entities, keys):
        entity = np.concatenate([entity, found[0]])
        index = np.concatenate([index, found[1]])
        key = np.concatenate([key, found[2]])
        time = np.concatenate([time, found[3]])
    where = day.mobility.at(entity, time)
    cell = _packet_cell(inputs, where.cell)
    number = pack(EVENT_KINDS["register"], day.number, entity, index * RECORDS_PER_EVENT)
    count = len(entity)
    response = _REGISTER_RESPONSES[_REGISTER_RESPONSE.sample(draws.bits(key, "response"))]
    return {
        "time": time,
        "start": np.full(count, -1),
        "end": np.full(count, -1),
        "entity": entity,
        "party": np.full(count, -1),
        "role": np.zeros(count, dtype=np.int8),
        "method": np.ones(count, dtype=np.int8),
        "node": np.full(count, _S_CSCF, dtype=np.int8),
        "response": response,
        "codec": np.full(count, _NO_CODEC, dtype=np.int8),
        "cell": cell,
        "country": where.country,
        "wifi": np.zeros(count, dtype=np.bool_),
        "key": key,
        "session": number,
        "call": number,
        "record": number,
    }


def _attaches(day: Day, entities: Rows, keys: Bits) -> list[tuple[Rows, Rows, Bits, Rows]]:
    """Return entity, index, key and time of the registrations that follow an attach.

    Phones attach in the morning after a night switched off, and behind the border after a trip.
    """
    _, on, sleeper = day.mobility.nights(entities)
    morning = day.clock.utc_of_local(on * SECOND)[0]
    back = day.mobility.trip(entities)[1]
    found = []
    for number, time, applies in (
        (_MORNING, morning, sleeper),
        (_BACK, back, (back >= 0) & (back < DAY - 5 * SECOND)),
    ):
        rows = np.flatnonzero(applies)
        index = np.full(len(rows), number)
        key = draws.events(keys[rows], index)
        when = time[rows] + 2 * SECOND + draws.below(draws.bits(key, "jitter"), 3_000_000)
        weight = min(day.inputs.config.record_weights.ims, 1.0)
        kept = draws.chance(draws.bits(key, "kept"), weight)
        kept &= ~day.mobility.switched_off(entities[rows], when)
        found.append((entities[rows][kept], index[kept], key[kept], when[kept]))
    return found


def _packet_cell(inputs: Inputs, cell: Rows) -> Rows:
    """Return the cell itself, or the LTE cell of its site for a GERAN cell."""
    geran = inputs.cells.rat[cell] == GERAN
    return np.where(geran, inputs.cells.lte_sibling[cell], cell).astype(np.int64)


def _columns(inputs: Inputs, day: Day, rows: Columns) -> dict[str, Column]:
    population = inputs.population
    register = rows["method"] == 1
    terminating = rows["role"] == TERMINATING
    party = np.where(register, rows["entity"], rows["party"])
    calling, called = parties(inputs, rows["entity"], party, terminating)
    abroad = rows["country"] >= 0
    return {
        "event_id": pl.Series(inputs.ids.event.of(rows["record"])),
        "event_time": moment(day, rows["time"]),
        "record_type": enum_of(_NODES, rows["node"]),
        "subscriber_id": pl.Series(population.subscriber_id[rows["entity"]]),
        "imsi": CodedText.of(population.imsi, rows["entity"]),
        "sip_method": enum_of(_METHODS, rows["method"]),
        "role_of_node": enum_of(["originating", "terminating"], rows["role"]),
        "session_id": pl.Series(inputs.ids.session.of(rows["session"])),
        "icid": pl.Series(inputs.ids.icid.of(rows["call"])),
        "calling_party_address": calling,
        "called_party_address": CodedText.of(called.texts, called.codes, register),
        "recording_entity": _recording_entity(inputs, rows),
        "cell_id": CodedText.of(inputs.lookups.cell_id, rows["cell"], abroad),
        "access_network_information": _access_info(day, rows, abroad),
        "delivery_start_time": moment_or_null(day, rows["start"], rows["start"] < 0),
        "delivery_end_time": moment_or_null(day, rows["end"], rows["end"] < 0),
        "sip_response": pl.Series(rows["response"]),
        "codec": nullable(register, rows["codec"].astype(np.uint8)).cat.to(
            pl.Enum([str(codec) for codec in CODECS])
        ),
    }


def _recording_entity(inputs: Inputs, rows: Columns) -> CodedText:
    serving = inputs.cells.serving
    proxy = serving["p_cscf"][rows["cell"]]
    server = serving["s_cscf"][rows["cell"]]
    return CodedText.of(inputs.cells.element_id, np.where(rows["node"] == _P_CSCF, proxy, server))


def _access_info(day: Day, rows: Columns, abroad: np.ndarray) -> CodedText:
    """Return the P-Access-Network-Info: the cell, the visited network's cell, or Wi-Fi."""
    inputs = day.inputs
    texts = inputs.access_texts
    cells = len(inputs.cells.cell_id)
    visited = visited_cells(day, rows["entity"], rows["country"], rows["key"])
    index = np.select([rows["wifi"], abroad], [cells, cells + 1 + visited], rows["cell"])
    return CodedText.of(texts, index)
