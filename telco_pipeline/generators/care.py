"""Records of contacts with customer care: result, credit, sentiment, survey, note.

Belongs here: the fields of `customer_service`. Does not belong here: who has a reason to contact
care (`state`), channel, waiting and agent (`care_contacts`), what is true of a contact for its note
(`care_facts`), the words of notes (`care_notes`).
"""

import datetime as dt
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import Resolution, Topic
from telco_pipeline.contracts.world import LANGUAGES
from telco_pipeline.engine import draws
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice
from telco_pipeline.generators.base import (
    Column,
    Day,
    Inputs,
    Rows,
    enum_of,
    moment,
    nullable,
    served_columns,
    time_order,
)
from telco_pipeline.generators.care_contacts import (
    APP,
    CALL,
    CHANNELS,
    CHAT,
    CONTACT_RECORD,
    NO_AGENT,
    REASONS,
    SHOP,
    SOCIAL,
    TOPICS,
    Contacted,
    care_call_number,
    care_contacts,
)
from telco_pipeline.generators.care_facts import CareFacts
from telco_pipeline.generators.care_notes import Told, note_of
from telco_pipeline.lake import Rowset
from telco_pipeline.state.contacts import resolved

Floats = npt.NDArray[np.float64]

RESOLUTIONS: Final = tuple(Resolution)
SOLVED, CALLBACK, ESCALATED, ABANDONED = range(4)
# Who is not helped and is passed to second line, by number of the contact: the first, the second,
# all later ones (practice).
_ESCALATED: Final = np.array([0.15, 0.65, 0.90])
_EURO: Final = 1_000_000  # micro-euro
# Credits: chance by topic, and amounts in euro with weights (practice: gestures of some euro for
# bad service, what was wrong on a bill).
_CREDITED: Final = {
    Topic.OUTAGE: 0.35,
    Topic.DROPPED_CALLS: 0.12,
    Topic.BLOCKED_CALLS: 0.12,
    Topic.SLOW_DATA: 0.10,
    Topic.HIGH_BILL: 0.30,
    Topic.ROAMING_COST: 0.30,
    Topic.LEAVING: 0.12,
}
_CREDIT_CHANCE: Final = np.array([_CREDITED.get(topic, 0.0) for topic in TOPICS])
_AMOUNTS: Final = np.array([2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0])
_GESTURE: Final = [34.0, 26.0, 24.0, 6.0, 10.0, 0.0, 0.0, 0.0]
_WRONG_BILL: Final = [4.0, 6.0, 18.0, 10.0, 26.0, 18.0, 12.0, 6.0]
_ON_BILLS: Final = (Topic.HIGH_BILL, Topic.ROAMING_COST)
_AMOUNT = Choice.of([_WRONG_BILL if topic in _ON_BILLS else _GESTURE for topic in TOPICS])
# Sentiment: what the result does, what the matter does, and waiting in hours by channel.
_RESULT_MOOD: Final = np.array([0.25, -0.15, -0.35, -0.5])
_MATTER_MOOD: Final = {
    Topic.OUTAGE: -0.20,
    Topic.DROPPED_CALLS: -0.15,
    Topic.BLOCKED_CALLS: -0.15,
    Topic.SLOW_DATA: -0.12,
    Topic.HIGH_BILL: -0.20,
    Topic.ROAMING_COST: -0.20,
    Topic.SUSPENSION: -0.15,
    Topic.LEAVING: -0.25,
    Topic.NEW_DEVICE: 0.12,
    Topic.QUESTION: 0.10,
    Topic.PLAN_CHANGE: 0.10,
}
_TOPIC_MOOD: Final = np.array([_MATTER_MOOD.get(topic, 0.0) for topic in TOPICS])
_WAIT_MOOD: Final = {CALL: 1200.0, CHAT: 1500.0, SHOP: 2400.0, SOCIAL: 28800.0}
_WAITED: Final = np.array([1.0 / _WAIT_MOOD.get(place, 1e9) for place in range(len(CHANNELS))])
_USUAL_SATISFACTION: Final = 0.6
# Surveys by text message after a contact; a tenth of those asked answer from the app.
_SURVEYED: Final = 0.22
_SURVEYED_APP: Final = 0.08


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the contacts of a day and a part, sorted by event time."""
    day = inputs.day(date)
    contacts = care_contacts(day, np.arange(part.start, part.stop))
    if not len(contacts):
        return Rowset.empty(records.CUSTOMER_SERVICE)
    contacts = contacts.select(time_order(contacts.time))
    return Rowset.of(records.CUSTOMER_SERVICE, _columns(inputs, day, contacts))


def results(day: Day, contacts: Contacted) -> Rows:
    """Return how each contact ended, position in `RESOLUTIONS`.

    State decides whether a contact settles its matter; who hangs up has settled nothing, and may
    find that his matter has settled itself. Who comes again is passed on.
    """
    settled = resolved(day.inputs.config.seed, contacts.case, contacts.number)
    chance = _ESCALATED[np.minimum(contacts.number, len(_ESCALATED)) - 1]
    passed_on = draws.chance(contacts.bits("escalated"), chance)
    # The app passes nobody on.
    passed_on &= contacts.channel != APP
    found = np.where(settled, SOLVED, np.where(passed_on, ESCALATED, CALLBACK))
    return np.where(contacts.abandoned, ABANDONED, found)


def credits_of(contacts: Contacted, result: Rows) -> Rows:
    """Return the credit of each contact in micro-euro: an agent gives it for a matter that hurt."""
    able = (contacts.agent != NO_AGENT) & (result != CALLBACK)
    able &= draws.chance(contacts.bits("credit"), _CREDIT_CHANCE[contacts.topic])
    euros = _AMOUNTS[_AMOUNT.sample(contacts.bits("amount"), contacts.topic)]
    return np.where(able, np.rint(euros * _EURO), 0.0).astype(np.int64)


def moods(contacts: Contacted, result: Rows, satisfaction: Floats) -> Floats:
    """Return the sentiment: from satisfaction, the matter, waiting, the result and the day."""
    noise = draws.uniform(contacts.bits("mood")) - 0.5
    mood = 1.2 * (satisfaction - _USUAL_SATISFACTION) + 0.6 * noise
    mood += _RESULT_MOOD[result] + _TOPIC_MOOD[contacts.topic]
    mood -= contacts.queue * _WAITED[contacts.channel] + 0.1 * (contacts.number - 1)
    return np.round(np.clip(mood, -1.0, 1.0), 2)


def _answers(contacts: Contacted, mood: Floats, satisfaction: Floats) -> npt.NDArray[np.int16]:
    """Return the answer to the survey, 0 to 10: satisfaction, coloured by the contact."""
    guess = draws.below(contacts.bits("nps"), 3) - 1
    answer = np.rint(2.0 + 7.5 * satisfaction + 2.0 * mood).astype(np.int64) + guess
    return np.clip(answer, 0, 10).astype(np.int16)


def _columns(inputs: Inputs, day: Day, contacts: Contacted) -> dict[str, Column]:
    population, entity = inputs.population, contacts.entity
    served = served_columns(day, entity, contacts.time)
    language = population.language.gather(entity).cast(pl.String)
    satisfaction = day.customers.satisfaction[entity].astype(np.float64)
    result = results(day, contacts)
    credit = credits_of(contacts, result)
    mood = moods(contacts, result, satisfaction)
    asked = np.where(contacts.channel == APP, _SURVEYED_APP, _SURVEYED)
    surveyed = draws.chance(contacts.bits("survey"), asked) & (result != ABANDONED)
    number = care_call_number(day, contacts)
    no_cell = contacts.cell < 0
    cells = inputs.cells.cell_id.gather(np.maximum(contacts.cell, 0))
    agents = pl.Series("agent", contacts.agent).replace(NO_AGENT, None)
    return {
        "event_id": pl.Series(inputs.ids.event.of(number + CONTACT_RECORD)),
        "event_time": moment(day, contacts.time),
        **{name: served[name] for name in ("subscriber_id", "msisdn")},
        "case_id": pl.Series(contacts.case),
        "contact_number": pl.Series(contacts.number.astype(np.int16)),
        "channel": enum_of([str(channel) for channel in CHANNELS], contacts.channel),
        "reason": enum_of([str(reason) for reason in REASONS], contacts.reason),
        "topic": enum_of([str(topic) for topic in TOPICS], contacts.topic),
        "language": language.cast(pl.Enum(LANGUAGES)),
        "queue_seconds": pl.Series(contacts.queue.astype(np.int32)),
        "handling_seconds": pl.Series(contacts.handling.astype(np.int32)),
        "agent_id": "A" + agents.cast(pl.String),
        "sentiment": pl.Series(mood),
        "resolution": enum_of([str(one) for one in RESOLUTIONS], result),
        "credit": pl.Series(credit),
        "nps": nullable(~surveyed, _answers(contacts, mood, satisfaction)),
        "cause_fault_id": nullable(contacts.fault < 0, contacts.fault),
        "cause_cell_id": cells.set(pl.Series(no_cell), None),
        "cause_time": nullable(contacts.cause < 0, contacts.cause).cast(pl.Datetime("us", "UTC")),
        "call_reference": nullable(~contacts.is_call, inputs.ids.call.of(number)),
        "note": _notes(day, contacts, language.to_list(), result, credit),
    }


def _notes(
    day: Day, contacts: Contacted, language: list[str], result: Rows, credit: Rows
) -> pl.Series:
    """Return the note of each contact, in the customer's language."""
    facts = CareFacts(day, contacts)
    matter = draws.keys(draws.stream(day.inputs.config.seed, "care/matter"), contacts.case)
    matter = draws.below(matter, 1 << 30).tolist()
    choice = draws.below(contacts.bits("note"), 1 << 30).tolist()
    texts = []
    for row, tongue in enumerate(language):
        told = Told(
            language=tongue,
            channel=CHANNELS[contacts.channel[row]],
            topic=TOPICS[contacts.topic[row]],
            resolution=RESOLUTIONS[result[row]],
            facts=facts.named(row, tongue, int(credit[row])),
            holds=facts.holds(row),
            prepaid=facts.prepaid(row),
            number=int(contacts.number[row]),
            matter=matter[row],
            choice=choice[row],
        )
        texts.append(note_of(told))
    return pl.Series(texts, dtype=pl.String)
