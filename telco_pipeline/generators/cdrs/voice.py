"""Voice CDRs: the MO and the MT record of each call (TS 32.250 and TS 32.260, in TS 32.298).

Belongs here: the fields of `cdrs_voice`. Does not belong here: who calls whom (`calls`).
"""

import datetime as dt

import numpy as np
import polars as pl

from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import CauseForTerm, RecordType
from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import (
    Columns,
    Inputs,
    enum_of,
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
from telco_pipeline.generators.cdrs.calls import (
    OUTCOMES,
    TERMINATING,
    VOICE_RECORD,
    call_legs,
    record_number,
)
from telco_pipeline.lake import CodedText, Rowset

_RECORD_TYPES = [str(RecordType.MO_CALL), str(RecordType.MT_CALL)]
_CAUSES = np.array([int(cause) for cause in OUTCOMES], dtype=np.int16)
_DROPPED_CAUSE = np.int16(41)  # temporary failure: the radio link was lost


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the voice records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [within_day(batch) for batch in call_legs(day, part)]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CDRS_VOICE)
    legs = merge(batches)
    party = inputs.directory
    terminating = legs["role"] == TERMINATING
    calling, called = parties(inputs, legs["entity"], legs["party"], terminating)
    answered, abroad = legs["answered"], legs["country"] >= 0
    circuit = ~legs["ims"]
    return Rowset.of(
        records.CDRS_VOICE,
        {
            **served_columns(inputs, legs["entity"]),
            **where_columns(day, legs["entity"], legs["cell"], legs["country"], legs["key"]),
            "event_id": pl.Series(inputs.ids.event.of(record_number(legs, VOICE_RECORD))),
            "event_time": moment(day, legs["time"]),
            "record_type": enum_of(_RECORD_TYPES, legs["role"]),
            "calling_number": calling,
            "called_number": called,
            "other_plmn": party.network_of(legs["party"]),
            "call_reference": pl.Series(inputs.ids.call.of(legs["call"])),
            "icid": nullable(circuit, inputs.ids.icid.of(legs["call"])),
            "chargeable": pl.Series(answered & (~terminating | abroad)),
            "recording_entity": _recording_entity(inputs, legs),
            "rat_type": rat_of(legs["rat"]),
            "answer_time": moment_or_null(day, legs["answer"], ~answered),
            "release_time": moment(day, legs["release"]),
            "call_duration": pl.Series(duration(legs)),
            "cause_for_term": pl.Series(_cause_for_term(legs)),
            "diagnostics": pl.Series(
                np.where(legs["dropped"], _DROPPED_CAUSE, _CAUSES[legs["outcome"]])
            ),
        },
    )


def duration(legs: Columns) -> np.ndarray:
    """Return the talk time of each leg in whole seconds, half a second rounded up."""
    talk = np.where(legs["answered"], legs["release"] - legs["answer"], 0)
    return ((talk + SECOND // 2) // SECOND).astype(np.int32)


def _cause_for_term(legs: Columns) -> np.ndarray:
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
