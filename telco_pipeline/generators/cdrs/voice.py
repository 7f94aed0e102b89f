"""Voice CDRs: the MO and the MT record of each call (TS 32.250 and TS 32.260, in TS 32.298).

Belongs here: the fields of `cdrs_voice`. Does not belong here: who calls whom (`calls`).
"""

import datetime as dt

import numpy as np
import polars as pl

from telco_pipeline.behaviour.ports import operator_after_port_out
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import (
    CallStatus,
    CauseForTerm,
    RecordType,
    SupplementaryService,
)
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import (
    Column,
    Columns,
    Day,
    Inputs,
    Rows,
    enum_of,
    enum_or_null,
    merge,
    moment,
    moment_or_null,
    nullable,
    parties,
    rat_of,
    served_columns,
    where_columns,
    within_day,
)
from telco_pipeline.generators.cdrs.attempts import (
    CW,
    OUTCOMES,
)
from telco_pipeline.generators.cdrs.calls import (
    FORWARDING,
    ORIGINATING,
    TERMINATING,
    VOICE_RECORD,
    call_legs,
    record_number,
)
from telco_pipeline.generators.cdrs.terms import unrated
from telco_pipeline.lake import CodedText, Rowset
from telco_pipeline.state.lifecycle import PORTED_OUT, PROSPECT, TERMINATED

_RECORD_TYPES = [str(RecordType.MO_CALL), str(RecordType.MT_CALL)]
_CAUSES = np.array([int(cause) for cause in OUTCOMES], dtype=np.int16)
_CUT_CAUSE = np.int16(41)  # temporary failure: a radio link was lost; either side is told
_SERVICES = [str(service) for service in SupplementaryService]
_STATUSES = [str(status) for status in CallStatus]
# Status by outcome (position in OUTCOMES).
_STATUS = np.array(
    [
        _STATUSES.index(status)
        for status in (
            CallStatus.ANSWERED,
            CallStatus.NO_ANSWER,
            CallStatus.BUSY,
            CallStatus.UNREACHABLE,
            CallStatus.REJECTED,
            *[CallStatus.FAILED] * (len(OUTCOMES) - 5),
        )
    ],
    dtype=np.int8,
)
_FORWARDED = np.int8(_STATUSES.index(CallStatus.FORWARDED))


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the voice records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [within_day(batch) for batch in call_legs(day, part)]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CDRS_VOICE)
    legs = merge(batches)
    entity, time = legs["entity"], legs["time"]
    terminating = legs["role"] == TERMINATING
    calling, called = parties(day, entity, legs["party"], terminating, time)
    answered, abroad = legs["answered"], legs["country"] >= 0
    diverted = _diverted(legs)
    rated = answered & np.where(terminating, abroad, legs["role"] == ORIGINATING)
    away = np.flatnonzero(abroad)
    rated[away[unrated(day, entity[away], time[away], legs["key"][away])]] = False
    return Rowset.of(
        records.CDRS_VOICE,
        {
            **served_columns(day, entity, time),
            **where_columns(day, entity, legs["cell"], legs["country"], legs["key"]),
            **_ends(day, legs, terminating),
            "event_id": pl.Series(inputs.ids.event.of(record_number(legs, VOICE_RECORD))),
            "event_time": moment(day, time),
            "record_type": enum_of(_RECORD_TYPES, terminating),
            "status": enum_of(_STATUSES, np.where(diverted, _FORWARDED, _STATUS[legs["outcome"]])),
            "calling_number": calling,
            "called_number": called,
            "connected_number": _connected(inputs, diverted & ~terminating),
            "other_plmn": other_network(day, legs["party"], time),
            "call_reference": pl.Series(inputs.ids.call.of(legs["call"])),
            "icid": nullable(~legs["ims"], inputs.ids.icid.of(legs["call"])),
            "chargeable": pl.Series(rated),
            "recording_entity": _recording_entity(inputs, legs),
            "rat_type": rat_of(legs["rat"]),
            "supplementary_service": enum_or_null(_SERVICES, legs["service"] - 1),
            "blocked": pl.Series(legs["blocked"]),
            "answer_time": moment_or_null(day, legs["answer"], ~answered),
            "release_time": moment(day, legs["release"]),
            "call_duration": pl.Series(duration(legs)),
            "cause_for_term": pl.Series(_cause_for_term(legs)),
            "diagnostics": pl.Series(np.where(legs["cut"], _CUT_CAUSE, _CAUSES[legs["outcome"]])),
        },
    )


def _diverted(legs: Columns) -> np.ndarray:
    """Return which legs are those of a caller or a callee whose call the voicemail took."""
    service = legs["service"]
    return (service > 0) & (service != CW) & (legs["role"] != FORWARDING)


def _connected(inputs: Inputs, diverted: np.ndarray) -> CodedText:
    """Return the voicemail's number, null but for calls that it took."""
    voicemail = np.full(len(diverted), inputs.directory.voicemail)
    return CodedText.of(inputs.directory.number, voicemail, ~diverted)


def other_network(day: Day, party: Rows, time: Rows) -> CodedText:
    """Return the network that serves each other party; null for fixed lines and services.

    Null too for numbers of ours that nobody holds any more. Who joins later has the number, and is
    called, in the network that it comes from.

    Args:
        day: The day of the records.
        party: The other party in the directory.
        time: When, as some take their number along to another network: microseconds of the day.
    """
    inputs = day.inputs
    known = inputs.directory.network_of(party)
    own = np.flatnonzero(party < inputs.directory.own)
    status = day.customers.status_at(party[own], time[own])
    gone, ended = own[status == PORTED_OUT], own[status == TERMINATED]
    future = own[status == PROSPECT]
    if not gone.size and not ended.size and not future.size:
        return known
    networks = pl.Series([operator.plmn for operator in inputs.config.operators])
    codes = known.codes.astype(np.int32)
    codes[gone] = operator_after_port_out(inputs.config, party[gone]) + len(known.texts)
    codes[ended] = -1
    codes[future] = inputs.number_operator[party[future]] + len(known.texts)
    return CodedText.of(pl.concat([known.texts, networks]), codes, codes < 0).distinct()


def _ends(day: Day, legs: Columns, terminating: np.ndarray) -> dict[str, Column]:
    """Return the antennas of both ends, the other one's equipment and the caller's home."""
    inputs = day.inputs
    antennas, texts = inputs.cells.antennas, inputs.lookups
    cell = np.where(legs["country"] >= 0, -1, legs["cell"])
    last = np.where(legs["country"] >= 0, -1, legs["last_cell"])
    other, caller = legs["other_cell"], np.where(terminating, legs["other_entity"], legs["entity"])
    home = np.where(caller >= 0, inputs.population.home[caller], -1)
    lost = legs["other_entity"] < 0
    who = np.flatnonzero(~lost)
    version = np.zeros(len(lost), dtype=np.int64)
    version[who] = day.identity(legs["other_entity"][who], legs["time"][who])
    served = day.inputs.home_plmn
    return {
        "home_plmn": CodedText.of(served.texts, served.codes[legs["entity"]]),
        "other_imei": CodedText.of(inputs.identities.imei, version, lost).distinct(),
        "last_cell_id": CodedText.of(texts.cell_id, last, last < 0),
        "handovers": pl.Series(legs["handovers"]),
        "handovers_failed": pl.Series(legs["handovers_failed"]),
        "other_cell_id": CodedText.of(texts.cell_id, other, other < 0),
        **antennas.columns(cell),
        **antennas.columns(other, "other_"),
        **antennas.position(home, "home_"),
    }


def duration(legs: Columns) -> np.ndarray:
    """Return the talk time of each leg in whole seconds, half a second rounded up."""
    talk = np.where(legs["answered"], legs["release"] - legs["answer"], 0)
    return ((talk + SECOND // 2) // SECOND).astype(np.int32)


def _cause_for_term(legs: Columns) -> np.ndarray:
    """Return the cause for termination; only the side that lost its link ended abnormally."""
    return np.select(
        [legs["dropped"], legs["answered"]],
        [
            np.int16(CauseForTerm.STABLE_CALL_ABNORMAL_TERMINATION),
            np.int16(CauseForTerm.NORMAL_RELEASE),
        ],
        np.int16(CauseForTerm.UNSUCCESSFUL_CALL_ATTEMPT),
    )


def _recording_entity(inputs: Inputs, legs: Columns) -> CodedText:
    """Return the MSC of a circuit-switched leg, the telephony server of one over IMS."""
    serving = inputs.cells.serving
    rows = np.where(legs["ims"], serving["mmtel"][legs["cell"]], serving["msc"][legs["cell"]])
    return CodedText.of(inputs.cells.element_id, rows)
