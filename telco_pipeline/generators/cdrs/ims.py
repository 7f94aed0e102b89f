"""IMS CDRs: SIP registrations and sessions at the call session control functions (TS 32.260).

Belongs here: the fields of `cdrs_ims`. Does not belong here: which call goes over IMS (`calls`),
its media (`voip`), when a phone registers (`registrations`).

Each leg of a call over IMS leaves a record at the P-CSCF and one at the S-CSCF; each registration
leaves its records at the S-CSCF.
"""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import RecordType
from telco_pipeline.engine import draws
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import (
    Column,
    Columns,
    Day,
    Inputs,
    blocks,
    enum_of,
    merge,
    moment,
    moment_or_null,
    nullable,
    parties,
    served_columns,
    visited_cells,
    within_day,
)
from telco_pipeline.generators.cdrs.calls import (
    FORWARDING,
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
from telco_pipeline.generators.registrations import registrations
from telco_pipeline.lake import CodedText, Rowset

_S_CSCF, _P_CSCF = 0, 1
_NODES: Final = [str(RecordType.S_CSCF), str(RecordType.P_CSCF)]
_METHODS: Final = ["INVITE", "REGISTER"]
_NO_CODEC: Final = -1


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the IMS records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [records_of for legs in call_legs(day, part) for records_of in _sessions(legs)]
    batches.extend(registrations(day, entities) for entities in blocks(part))
    batches = [within_day(batch) for batch in batches]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CDRS_IMS)
    return Rowset.of(records.CDRS_IMS, _columns(inputs, day, merge(batches)))


def _sessions(legs: Columns) -> list[Columns]:
    """Return the P-CSCF and the S-CSCF records of legs over IMS."""
    rows = np.flatnonzero(legs["ims"] & (legs["role"] != FORWARDING))
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


def _columns(inputs: Inputs, day: Day, rows: Columns) -> dict[str, Column]:
    register = rows["method"] == 1
    terminating = rows["role"] == TERMINATING
    party = np.where(register, rows["entity"], rows["party"])
    entity, time = rows["entity"], rows["time"]
    calling, called = parties(day, entity, party, terminating, time)
    served = served_columns(day, entity, time)
    abroad = rows["country"] >= 0
    return {
        "event_id": pl.Series(inputs.ids.event.of(rows["record"])),
        "event_time": moment(day, rows["time"]),
        "record_type": enum_of(_NODES, rows["node"]),
        **{name: served[name] for name in ("subscriber_id", "imsi")},
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
