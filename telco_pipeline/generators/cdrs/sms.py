"""Message CDRs: SMS and MMS, the MO and the MT record of each (TS 32.250, TS 32.270).

Belongs here: who writes to whom, segments, delivery, and the fields of `cdrs_sms`. Does not
belong here: conversations, which come with the behaviour of pairs.
"""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.mobility import FIRST_OFF
from telco_pipeline.behaviour.population import GERAN, MACHINE
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import RecordType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.generators.base import (
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
    parties,
    rat_of,
    served_columns,
    where_columns,
    with_tail,
    within_day,
)
from telco_pipeline.lake import CodedText, Rowset

_TYPES: Final = [
    str(RecordType.MO_SMS),
    str(RecordType.MT_SMS),
    str(RecordType.MO_MMS),
    str(RecordType.MT_MMS),
]
_MMS_SHARE: Final = 0.03
_MMS_BYTES = QuantileTable.log_normal(180_000.0, 0.7)
# Characters of an SMS: half of them below 30 (practice); 153 to a concatenated segment.
_CHARACTERS = QuantileTable.log_normal(34.0, 0.9)
_ONE_SEGMENT: Final = 160
_SEGMENT: Final = 153
_LONGEST: Final = 12 * _SEGMENT
# Most are delivered within seconds; the recipient's phone is off for the rest.
_DELIVERY = QuantileTable.log_normal(2.6, 0.35)
_LATE_SHARE: Final = 0.025
_LATE = QuantileTable.log_normal(1500.0, 1.2)
_LONGEST_DELAY: Final = 4 * HOUR
# A phone that is off for the night takes its messages in the morning: at worst a delayed one
# that comes just after it was switched off, in the night in which the clock goes back.
TAIL: Final = 17 * HOUR
# Result of submission and of delivery: TP-FCS of TS 23.040: 0 none, 0xD0 (208) SIM storage full,
# 0xC0 (192) SC busy, 0xC3 (195) invalid SME address.
_SUBMIT = Choice.of([99.2, 0.5, 0.3])
_SUBMIT_RESULTS: Final = np.array([0, 192, 195], dtype=np.int16)
_DELIVER = Choice.of([99.6, 0.4])
_DELIVER_RESULTS: Final = np.array([0, 208], dtype=np.int16)
# Messages from other networks and from services (codes, delivery notices) per one sent.
_INCOMING_SHARE: Final = 0.85


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the message records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [
        within_day(batch)
        for draw, incoming in ((_outgoing, False), (_incoming, True))
        for events, shift in with_tail(day, part, draw, TAIL)
        for batch in _messages(events, shift, incoming=incoming)
    ]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CDRS_SMS)
    return Rowset.of(records.CDRS_SMS, _columns(inputs, day, merge(batches)))


def _rates(day: Day) -> np.ndarray:
    config = day.inputs.config
    weight = config.record_weights.sms
    return np.array([persona.messages * weight for persona in config.personas.values()])


def _outgoing(day: Day, entities: Rows) -> Events:
    return draw_events(day, entities, "sms_out", "messages", _rates(day))


def _incoming(day: Day, entities: Rows) -> Events:
    rates = _rates(day) * _INCOMING_SHARE
    return draw_events(day, entities, "sms_in", "messages", rates, even_if_off=True)


def _messages(events: Events, shift: int, *, incoming: bool) -> list[Columns]:
    """Return the records of messages: at the sender, and at the recipient where it is ours."""
    inputs = events.day.inputs
    delivered = events.time + _delay(events)
    if shift:
        # Of the day before, only what may come after midnight is worked out.
        later = np.flatnonzero(delivered >= _first_that_may_wait(events.day))
        events, delivered = events.select(later), delivered[later]
    choose_party = inputs.contacts.incoming if incoming else inputs.contacts.outgoing
    party = choose_party(events.entity, events.key, messages=True)
    accepted = _SUBMIT_RESULTS[_SUBMIT.sample(events.bits("submit"))]
    everything = np.arange(len(events))
    if incoming:
        sides: list[tuple[Rows, Rows, Rows, Rows, bool]] = [
            (everything, events.entity, party, delivered, True)
        ]
    else:
        reached = np.flatnonzero((party < inputs.directory.own) & (accepted == 0))
        sides = [
            (everything, events.entity, party, events.time, False),
            (reached, party, events.entity, delivered, True),
        ]
    content = _content(events, party)
    return [_side(events, shift, content, accepted, *side) for side in sides if len(side[0])]


def _first_that_may_wait(day: Day) -> int:
    """Return the time of delivery from which a message may lie over midnight in a phone's stead.

    Earlier ones find the phone on, or wait for a morning that is still on this UTC day.
    """
    return min(max(FIRST_OFF - int(day.clock.offset.max()), 0), DAY)


def _delay(events: Events) -> Rows:
    """Return the time from submission to delivery in microseconds."""
    delay = _DELIVERY.sample(events.bits("delivery"))
    late = np.flatnonzero(draws.chance(events.bits("late"), _LATE_SHARE))
    delay[late] = _LATE.sample(events.bits("late/by")[late])
    return (np.minimum(delay, _LONGEST_DELAY // SECOND) * SECOND).astype(np.int64)


def _content(events: Events, party: Rows) -> Columns:
    """Return kind, segments and size of each message; services send and take no pictures."""
    service = events.day.inputs.directory.is_service(party)
    mms = draws.chance(events.bits("mms"), _MMS_SHARE) & ~service
    size_bits = events.bits("size")
    characters = np.clip(_CHARACTERS.sample(size_bits), 1, _LONGEST).astype(np.int64)
    picture = np.clip(_MMS_BYTES.sample(size_bits), 5_000, 2_000_000).astype(np.int64)
    parts = np.where(characters <= _ONE_SEGMENT, 1, -(-characters // _SEGMENT))
    return {
        "mms": mms,
        "segments": np.where(mms, 1, parts).astype(np.int16),
        # Seven bits a character (TS 23.038).
        "size": np.where(mms, picture, -(-characters * 7 // 8)).astype(np.int32),
    }


def _side(
    events: Events,
    shift: int,
    content: Columns,
    accepted: np.ndarray,
    rows: Rows,
    served: Rows,
    other: Rows,
    time: Rows,
    terminating: bool,
) -> Columns:
    """Return the records of one side of some messages."""
    inputs = events.day.inputs
    entity, when = served[rows], time[rows]
    if terminating:
        when = _when_on(events.day, entity, when)
    if shift == 0 and when.size and int(when.max()) >= DAY:
        # What is delivered after midnight is the next day's, which draws it as its tail.
        today = np.flatnonzero(when < DAY)
        rows, entity, when = rows[today], entity[today], when[today]
    where = events.day.positions(entity, when)
    key = draws.bits(events.key[rows], "side/terminating" if terminating else "side/originating")
    result = (
        _DELIVER_RESULTS[_DELIVER.sample(draws.bits(key, "result"))]
        if terminating
        else accepted[rows]
    )
    cell, rat = _access(inputs, entity, where.cell, where.abroad)
    message = events.packed()[rows]
    return {
        "time": when + shift,
        # Narrow types: the rows of a part are sorted by gathering each column.
        "entity": entity.astype(np.int32),
        "party": other[rows].astype(np.int32),
        "terminating": np.full(len(rows), terminating),
        "cell": cell.astype(np.int32),
        "country": where.country.astype(np.int8),
        "rat": rat,
        "result": result,
        "key": key,
        "message": message,
        "record": message + int(terminating),
        **{name: values[rows] for name, values in content.items()},
    }


def _when_on(day: Day, entity: Rows, time: Rows) -> Rows:
    """Return when the recipients take the messages: in the morning if the phone is off."""
    off = np.flatnonzero(day.mobility.switched_off(entity, time))
    later = time.copy()
    wait = day.mobility.until_on(entity[off], time[off])
    # Delivery follows the attach within half a minute.
    later[off] += wait + SECOND + (time[off] % (30 * SECOND))
    return later


def _access(
    inputs: Inputs, entity: Rows, camped: Rows, abroad: np.ndarray
) -> tuple[Rows, np.ndarray]:
    """Return the cell and radio access: over IMS where the phone camps, else over GERAN."""
    population, cells = inputs.population, inputs.cells
    packet = population.volte[entity] | (population.kind[entity] == MACHINE)
    cell = np.where(packet, camped, cells.gsm_sibling[camped]).astype(np.int64)
    rat = packet_access(inputs, entity, cell, abroad)
    return cell, np.where(abroad & ~packet, GERAN, rat).astype(np.int8)


def _columns(inputs: Inputs, day: Day, rows: Columns) -> dict[str, Column]:
    directory, serving = inputs.directory, inputs.cells.serving
    terminating, mms = rows["terminating"], rows["mms"]
    calling, called = parties(inputs, rows["entity"], rows["party"], terminating)
    centre = np.where(mms, serving["mmsc"][rows["cell"]], serving["smsc"][rows["cell"]])
    circuit = (rows["rat"] == GERAN) & ~mms
    entity = np.where(circuit, serving["msc"][rows["cell"]], centre)
    element_id = inputs.cells.element_id
    return {
        **served_columns(inputs, rows["entity"]),
        **where_columns(day, rows["entity"], rows["cell"], rows["country"], rows["key"]),
        "event_id": pl.Series(inputs.ids.event.of(rows["record"])),
        "event_time": moment(day, rows["time"]),
        "record_type": enum_of(_TYPES, terminating + 2 * mms.astype(np.int8)),
        "calling_number": calling,
        "called_number": called,
        "other_plmn": directory.network_of(rows["party"]),
        "message_reference": pl.Series(inputs.ids.message.of(rows["message"])),
        "service_centre": CodedText.of(element_id, centre),
        "recording_entity": CodedText.of(element_id, entity),
        "rat_type": rat_of(rows["rat"]),
        "segments": pl.Series(rows["segments"]),
        "message_size": pl.Series(rows["size"]),
        "sms_result": pl.Series(rows["result"]),
        "chargeable": pl.Series(~terminating & (rows["result"] == 0)),
    }
