"""Message CDRs: SMS and MMS, the MO and the MT record of each (TS 32.250, TS 32.270).

Belongs here: conversations, segments, delivery, and the fields of `cdrs_sms`. Does not belong here:
whom people know (`behaviour.contacts`), how a train goes on (`behaviour.bursts`).

A conversation is drawn with the subscriber who, or whose contact in another network, begins it.

A message is submitted in the cell that serves the sender at that time, over IMS or the MSC: where
there is no service it is not sent, and it fails with the probability that the core fails there. It
is delivered in the cell that serves the recipient: later where the phone is off or has no service,
and once more some minutes later where the core fails. Messages travel on signalling channels, which
the admission control of a full cell leaves alone.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.bursts import LONGEST_TRAIN, Train
from telco_pipeline.behaviour.population import GERAN, MACHINE
from telco_pipeline.behaviour.rhythm import Window
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import RecordType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.generators.base import (
    EVENTS_PER_WINDOW,
    WIDE_BLOCK,
    Column,
    Columns,
    Day,
    Events,
    Inputs,
    Rows,
    can_start,
    draw_events,
    enum_of,
    merge,
    moment,
    packet_access,
    parties,
    rat_of,
    served_columns,
    speaks_over_ims,
    where_columns,
    with_tail,
    within_day,
)
from telco_pipeline.generators.cdrs.elsewhere import Aims, aims
from telco_pipeline.generators.cdrs.notices import notices
from telco_pipeline.generators.cdrs.offers import RECIPIENT, written
from telco_pipeline.generators.cdrs.voice import other_network
from telco_pipeline.generators.refusals import turned_away, unattached, until_attached
from telco_pipeline.generators.serving import (
    NO_CELL,
    may_be_lost,
    served_cell,
    service_back,
    taken_over,
)
from telco_pipeline.generators.usage import begun, draw_usage
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
# A phone that is off takes its messages when it is on again, within the validity period (practice).
_LONGEST_WAIT: Final = 12 * HOUR
TAIL: Final = LONGEST_TRAIN + _LONGEST_DELAY + _LONGEST_WAIT + 60 * SECOND
# Result of submission and of delivery: TP-FCS of TS 23.040: 0 none, 0xD0 (208) SIM storage full,
# 0xC0 (192) SC busy: the core fails; 0xC3 (195) invalid SME address: a mistaken number.
_NOT_SENT: Final = -1
_ACCEPTED: Final = 0
_BUSY: Final = 192
_INVALID: Final = 195
_MISTAKEN: Final = 0.003
# What fails abroad, where the state of our network does not count (practice).
_FAILS_ABROAD: Final = 0.002
# The service centre delivers once more after so long (practice).
_ONCE_MORE: Final = (60 * SECOND, 240 * SECOND)
_DELIVER = Choice.of([99.6, 0.4])
_DELIVER_RESULTS: Final = np.array([0, 208], dtype=np.int16)
# Messages from other networks and from services (codes, delivery notices) per one sent.
_INCOMING_SHARE: Final = 0.85
# Conversations: sizes fall off as E**-2.15, gaps from seconds to half an hour, most messages answer
# the one before (messages alternate direction and replies come within minutes: CNS).
_TRAIN = Train.of(exponent=1.15, positions=16, shortest=8.0, longest=1800.0)
_REPLIES: Final = 0.85
# Mean messages of a conversation, measured: the personas' rates count messages.
_MESSAGES_PER_CONVERSATION: Final = 2.6
_ORIGINATING: Final = "side/originating"
_TERMINATING: Final = "side/terminating"
_REST: Final = np.uint64(32)


@dataclass(frozen=True)
class Messages:
    """Messages; one array element each, times in microseconds of the events' day.

    Attributes:
        number: Packed number of the message.
        key: Hash from which its attributes are drawn.
        sender: Who sends it: row of the directory.
        recipient: Who gets it.
        time: When it is submitted.
        delivered: When the service centre first delivers it.
    """

    number: Rows
    key: Bits
    sender: Rows
    recipient: Rows
    time: Rows
    delivered: Rows

    def select(self, rows: Rows) -> "Messages":
        """Return some of the messages."""
        return Messages(*(getattr(self, column.name)[rows] for column in fields(self)))


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the message records of a day and a part, sorted by event time."""
    day = inputs.day(date)
    batches = [
        within_day(batch)
        for kind, share in (("sms_out", 0.0), ("sms_in", _INCOMING_SHARE))
        for events, shift in with_tail(day, part, _openings(kind, share), TAIL, WIDE_BLOCK)
        for batch in _records(events.day, _conversation(events), shift)
    ]
    if inputs.story.has("offer"):
        days = [(day, 0)] + ([(day.before, -DAY)] if date > inputs.config.epoch else [])
        for sent, shift in days:
            batches += [within_day(one) for one in _records(sent, _offers(sent, part), shift)]
    if inputs.story.has("usage"):
        days = [(day, 0)] + ([(day.before, -DAY)] if date > inputs.config.epoch else [])
        for sent, shift in days:
            for told in _notices(sent, part):
                batches += [within_day(one) for one in _records(sent, told, shift)]
    if not any(len(batch["time"]) for batch in batches):
        return Rowset.empty(records.CDRS_SMS)
    return Rowset.of(records.CDRS_SMS, _columns(inputs, day, merge(batches)))


def _openings(kind: str, incoming: float) -> Callable[[Day, Rows, Window], Events]:
    """Return a function that draws the messages with which conversations begin.

    Args:
        kind: Kind of event.
        incoming: Messages of other networks and services for each one sent; 0 for those sent.
    """

    def draw(day: Day, entities: Rows, window: Window) -> Events:
        config = day.inputs.config
        weight = config.record_weights.sms * (incoming or 1.0) / _MESSAGES_PER_CONVERSATION
        rates = np.array([persona.messages * weight for persona in config.personas.values()])
        most = EVENTS_PER_WINDOW // _TRAIN.positions
        if incoming:
            return draw_events(
                day, entities, kind, "messages", rates, window=window, most=most, even_if_off=True
            )
        return draw_usage(
            day, entities, kind, "messages", rates, what="messages", window=window, most=most
        )

    return draw


def _conversation(events: Events) -> Messages:
    """Return the messages of the conversations that events begin."""
    day, contacts, directory = events.day, events.day.inputs.contacts, events.day.inputs.directory
    outward = np.full(len(events), events.kind == "sms_out")
    choose = contacts.outgoing if events.kind == "sms_out" else contacts.incoming
    party = choose(events.entity, events.key, messages=True)
    talks = ~directory.is_service(party)
    aim, train = None, np.arange(len(events))
    if day.story:
        aim = aims(day, "messages", events.entity, outward, events.time, events.key)
        target = np.where(outward, party, events.entity)
        meant = None if aim is None else ~aim.lead
        train = begun(day, target, events.time, events.key, meant)
    time, outward, batches, trains = events.time[train], outward[train], [], []
    for position in range(_TRAIN.positions):
        ego, other = events.entity[train], party[train]
        key = draws.events(events.key[train], np.full(len(train), position))
        sender, recipient = np.where(outward, ego, other), np.where(outward, other, ego)
        number = events.packed_position(train, _TRAIN.positions, position)
        delivered = time + _delay(key)
        batches.append(Messages(number, key, sender, recipient, time, delivered))
        trains.append(train)
        chance = _TRAIN.chance[position + 1]
        goes_on = draws.chance(draws.bits(key, "again"), chance) & talks[train]
        outward = outward ^ draws.chance(draws.bits(key, "reply"), _REPLIES)
        later = time + _TRAIN.wait(key)
        goes_on &= later <= events.time[train] + LONGEST_TRAIN
        writer = np.where(outward, ego, other)
        goes_on[goes_on] = can_start(day, writer[goes_on], later[goes_on])
        rows = np.flatnonzero(goes_on)
        if not rows.size:
            break
        train, time, outward = train[rows], later[rows], outward[rows]
    messages = Messages(
        *(
            np.concatenate([getattr(batch, column.name) for batch in batches])
            for column in fields(Messages)
        )
    )
    return messages if aim is None else _turned_aside(messages, np.concatenate(trains), aim)


def _offers(day: Day, part: Part) -> Messages:
    """Return what campaigns write to customers: a message each, which nobody answers."""
    found = written(day, part)
    delivered = found.time + _delay(found.key)
    return Messages(found.number, found.key, found.sender, found.recipient, found.time, delivered)


def _notices(day: Day, part: Part) -> Iterator[Messages]:
    """Yield what layers let short codes write, which nobody answers."""
    for events, sender in notices(day, part):
        key = events.bits("message")
        delivered = events.time + _delay(key)
        packed, recipient = events.packed(), events.entity
        yield Messages(packed, key, sender, recipient, events.time, delivered)


def _turned_aside(messages: Messages, train: Rows, aim: Aims) -> Messages:
    """Return messages of which layers lead some elsewhere, where nobody answers.

    Args:
        messages: Messages as they would be.
        train: Conversation of each.
        aim: Where layers lead the conversations.
    """
    recipient, aside = aim.parties(train, messages.recipient, messages.key, messages.time)
    moved = replace(messages, recipient=recipient)
    return moved.select(np.flatnonzero(~aside | (messages.sender == aim.ego[train])))


def _records(day: Day, messages: Messages, shift: int) -> Iterator[Columns]:
    """Return the records of messages: at senders, and at recipients, of ours."""
    if shift:
        # Of the day before, only what may come after midnight is worked out.
        messages = messages.select(np.flatnonzero(messages.delivered >= DAY - _LONGEST_WAIT))
    taken = _arrivals(day, messages, shift)
    now = (messages.time + shift >= 0) & (messages.time + shift < DAY)
    # Who sends to somebody whose record is made must be known to have sent.
    asked = now.copy()
    asked[taken.row] = True
    sent = np.flatnonzero(asked & (messages.sender < day.inputs.directory.own))
    submitted = _Ends.of(day, False, sent, messages.sender[sent], messages.time[sent])
    result = _results(day, messages, submitted)
    content = _content(day, messages)
    submitted = submitted.select(now[submitted.row] & (result[submitted.row] != _NOT_SENT))
    taken = taken.select(result[taken.row] == _ACCEPTED)
    if len(submitted.row):
        outcome = result[submitted.row]
        yield _side(messages, submitted, shift, content, outcome, messages.recipient)
    if len(taken.row):
        key = draws.bits(messages.key[taken.row], _TERMINATING)
        outcome = _DELIVER_RESULTS[_DELIVER.sample(draws.bits(key, "result"))]
        yield _side(messages, taken, shift, content, outcome, messages.sender)


@dataclass(frozen=True)
class _Ends:
    """Where the subscribers at one end of some messages are.

    Attributes:
        terminating: Whether they are the recipients.
        row: Numbers of the messages.
        entity: Who.
        time: When the message is sent or taken, microseconds of the events' day.
        cell: The cell that serves, `NO_CELL` without service.
        rat: Radio access (position in `RATS`).
        country: Row of the country visited, -1 at home.
    """

    terminating: bool
    row: Rows
    entity: Rows
    time: Rows
    cell: Rows
    rat: np.ndarray
    country: Rows

    @classmethod
    def of(cls, day: Day, terminating: bool, row: Rows, entity: Rows, time: Rows) -> "_Ends":
        """Find out where they are."""
        where = day.positions(entity, time)
        cell, rat = _access(day, entity, time, where.cell, where.abroad)
        return cls(terminating, row, entity, time, cell, rat, where.country)

    def select(self, chosen: np.ndarray) -> "_Ends":
        """Return some of them."""
        values = (getattr(self, column.name) for column in fields(self)[1:])
        return _Ends(self.terminating, *(value[chosen] for value in values))

    def put_off(self, day: Day, chosen: Rows, time: Rows) -> None:
        """Let some of them (in place) take the message at another time."""
        later = _Ends.of(day, self.terminating, self.row[chosen], self.entity[chosen], time)
        for column in fields(self)[1:]:
            getattr(self, column.name)[chosen] = getattr(later, column.name)

    def fails(self, day: Day, key: Bits) -> np.ndarray:
        """Return where the core fails, by the state of the cell at the time (True with no cell)."""
        network, cell = day.network, np.maximum(self.cell, 0)
        chance = network.at("voice_failure", cell, self.time).astype(np.float64)
        chance += network.at("signalling_failure", cell, self.time)
        chance[self.country >= 0] = _FAILS_ABROAD
        fails = draws.chance(key, np.where(self.cell < 0, 1.0, chance))
        refused = turned_away(day, self.entity, self.time, key)
        fails[refused[self.country[refused] < 0]] = True
        return fails


def _results(day: Day, messages: Messages, submitted: _Ends) -> np.ndarray:
    """Return how the submission of each message went; of others' senders only mistakes count."""
    result = np.zeros(len(messages.key), dtype=np.int16)
    fails = submitted.fails(day, draws.bits(messages.key[submitted.row], "submit/core"))
    result[submitted.row[fails]] = _BUSY
    result[draws.chance(draws.bits(messages.key, "submit"), _MISTAKEN)] = _INVALID
    result[submitted.row[submitted.cell == NO_CELL]] = _NOT_SENT
    return result


def _arrivals(day: Day, messages: Messages, shift: int) -> _Ends:
    """Return when and where recipients of ours take messages on the day of the records.

    What is delivered after midnight is the next day's, which draws it as its tail; what finds no
    phone within the validity period is lost.
    """
    rows = np.flatnonzero(messages.recipient < day.inputs.directory.own)
    entity = messages.recipient[rows]
    when = _when_on(day, entity, messages.delivered[rows])
    latest = _LONGEST_WAIT if may_be_lost(day) or day.refusals else sum(_ONCE_MORE)
    near = (when + shift >= -latest) & (when + shift < DAY)
    rows, entity, when = rows[near], entity[near], when[near]
    ends = _Ends.of(day, True, rows, entity, when)
    lost = np.flatnonzero(ends.cell == NO_CELL)
    if lost.size:
        camped = _camped(day, entity[lost], when[lost])
        back = service_back(day.network, entity[lost], camped, when[lost])
        refused = unattached(day, entity[lost], when[lost])
        who = lost[refused]
        back[refused] = when[who] + until_attached(day, entity[who], when[who])
        # Delivery follows within half a minute; by then the phone may be off.
        # No day looks further than the next one; by its end a message is no longer valid.
        back = _when_on(day, entity[lost], np.minimum(_soon(back, when[lost]), 2 * DAY - 1))
        ends.put_off(day, lost, np.minimum(back, 2 * DAY - 1))
    key = draws.bits(messages.key[rows], "delivery/core")
    failed = np.flatnonzero(ends.fails(day, key) & (ends.cell >= 0))
    least, spread = _ONCE_MORE
    again = ends.time[failed] + least + draws.below(key[failed] << _REST, spread)
    ends.put_off(day, failed, _when_on(day, entity[failed], again))
    kept = (ends.time + shift >= 0) & (ends.time + shift < DAY) & (ends.cell >= 0)
    kept &= ends.time - messages.delivered[ends.row] <= _LONGEST_WAIT
    kept[kept] = day.in_service(ends.entity[kept], ends.time[kept])
    return ends.select(kept)


def _delay(key: Bits) -> Rows:
    """Return the time from submission to delivery in microseconds."""
    delay = _DELIVERY.sample(draws.bits(key, "delivery"))
    late = np.flatnonzero(draws.chance(draws.bits(key, "late"), _LATE_SHARE))
    delay[late] = _LATE.sample(draws.bits(key[late], "late/by"))
    return (np.minimum(delay, _LONGEST_DELAY // SECOND) * SECOND).astype(np.int64)


def _content(day: Day, messages: Messages) -> Columns:
    """Return kind, segments and size of each message; services send and take no pictures."""
    directory, key = day.inputs.directory, messages.key
    service = directory.is_service(messages.sender) | directory.is_service(messages.recipient)
    mms = draws.chance(draws.bits(key, "mms"), _MMS_SHARE) & ~service
    size_bits = draws.bits(key, "size")
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
    messages: Messages,
    ends: _Ends,
    shift: int,
    content: Columns,
    result: np.ndarray,
    others: Rows,
) -> Columns:
    """Return the records of one end of some messages.

    Args:
        messages: All messages.
        ends: The subscribers at that end.
        shift: What to add to their times to count from the start of the day of the records.
        content: Kind, segments and size of all messages.
        result: How it went, for each of `ends`.
        others: The other party of each message.
    """
    rows, terminating = ends.row, ends.terminating
    side = _TERMINATING if terminating else _ORIGINATING
    return {
        "time": ends.time + shift,
        # Narrow types: the rows of a part are sorted by gathering each column.
        "entity": ends.entity.astype(np.int32),
        "party": others[rows].astype(np.int32),
        "terminating": np.full(len(rows), terminating),
        "cell": ends.cell.astype(np.int32),
        "country": ends.country.astype(np.int8),
        "rat": ends.rat,
        "result": result,
        "key": draws.bits(messages.key[rows], side),
        "message": messages.number[rows],
        "record": messages.number[rows] + RECIPIENT * int(terminating),
        **{name: values[rows] for name, values in content.items()},
    }


def _when_on(day: Day, entity: Rows, time: Rows) -> Rows:
    """Return when the recipients take the messages: when the phone is on again if it is off."""
    off = np.flatnonzero(day.mobility.switched_off(entity, time))
    later = time.copy()
    back = time[off] + day.mobility.until_on(entity[off], time[off])
    later[off] = _soon(back, time[off])
    return later


def _soon(back: Rows, time: Rows) -> Rows:
    """Return when messages that came at a time follow on a phone that is back, in half a minute."""
    return back + SECOND + (time % (30 * SECOND))


def _camped(day: Day, entity: Rows, time: Rows) -> Rows:
    """Return the cell that would serve messages if it were in service."""
    where = day.positions(entity, time)
    return _channel(day, entity, time, where.cell, where.abroad)[0]


def _access(
    day: Day, entity: Rows, time: Rows, camped: Rows, abroad: np.ndarray
) -> tuple[Rows, np.ndarray]:
    """Return the cell that serves and the radio access; `NO_CELL` without service."""
    cell, packet = _channel(day, entity, time, camped, abroad)
    out = np.flatnonzero(day.network.may_fail[cell] & ~abroad)
    if out.size:
        cell[out] = taken_over(day, entity[out], time[out], cell[out])
    rat = packet_access(day, entity, time, cell, abroad)
    cell[unattached(day, entity, time)] = NO_CELL
    return cell, np.where(abroad & ~packet, GERAN, rat).astype(np.int8)


def _channel(
    day: Day, entity: Rows, time: Rows, camped: Rows, abroad: np.ndarray
) -> tuple[Rows, np.ndarray]:
    """Return the cell of messages: over IMS the one that serves the phone, else one of GERAN."""
    inputs = day.inputs
    packet = speaks_over_ims(day, entity, time) | (inputs.population.kind[entity] == MACHINE)
    cell = inputs.cells.gsm_sibling[camped].astype(np.int64)
    cell[packet] = served_cell(inputs, entity[packet], camped[packet], abroad[packet])
    return cell, packet


def _columns(inputs: Inputs, day: Day, rows: Columns) -> dict[str, Column]:
    serving = inputs.cells.serving
    terminating, mms = rows["terminating"], rows["mms"]
    calling, called = parties(day, rows["entity"], rows["party"], terminating, rows["time"])
    centre = np.where(mms, serving["mmsc"][rows["cell"]], serving["smsc"][rows["cell"]])
    circuit = (rows["rat"] == GERAN) & ~mms
    entity = np.where(circuit, serving["msc"][rows["cell"]], centre)
    element_id = inputs.cells.element_id
    return {
        **served_columns(day, rows["entity"], rows["time"]),
        **where_columns(day, rows["entity"], rows["cell"], rows["country"], rows["key"]),
        "event_id": pl.Series(inputs.ids.event.of(rows["record"])),
        "event_time": moment(day, rows["time"]),
        "record_type": enum_of(_TYPES, terminating + 2 * mms.astype(np.int8)),
        "calling_number": calling,
        "called_number": called,
        "other_plmn": other_network(day, rows["party"], rows["time"]),
        "message_reference": pl.Series(inputs.ids.message.of(rows["message"])),
        "service_centre": CodedText.of(element_id, centre),
        "recording_entity": CodedText.of(element_id, entity),
        "rat_type": rat_of(rows["rat"]),
        "segments": pl.Series(rows["segments"]),
        "message_size": pl.Series(rows["size"]),
        "sms_result": pl.Series(rows["result"]),
        "chargeable": pl.Series(~terminating & (rows["result"] == 0)),
    }
