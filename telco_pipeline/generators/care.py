"""Records of contacts with customer care: result, credit, sentiment, survey, note.

Belongs here: the fields of `customer_service`. Does not belong here: who has a reason to contact
care (`state`), channel, waiting and agent (`care_contacts`), the words of notes (`care_notes`).
"""

import datetime as dt
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour import absences
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import Resolution, Topic
from telco_pipeline.contracts.world import LANGUAGES
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND, day_number
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
from telco_pipeline.generators.care_notes import COUNTRY_NAMES, NOTES, Told, note_of
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
_ROAMING: Final = (Topic.ROAMING_COST, Topic.ROAMING_ACCESS)
_WEEKS_BACK: Final = 8
_GIGABYTE: Final = 1_000_000_000


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
    facts = _Facts(day, contacts)
    choice = draws.below(contacts.bits("note"), 1 << 30).tolist()
    texts = []
    for row, tongue in enumerate(language):
        told = Told(
            language=tongue,
            channel=CHANNELS[contacts.channel[row]],
            reason=REASONS[contacts.reason[row]],
            topic=TOPICS[contacts.topic[row]],
            resolution=RESOLUTIONS[result[row]],
            facts=facts.of(row, tongue, int(credit[row])),
            prepaid=facts.prepaid(row),
            outage=facts.outage(row),
            number=int(contacts.number[row]),
            choice=choice[row],
        )
        texts.append(note_of(told))
    return pl.Series(texts, dtype=pl.String)


class _Facts:
    """What is true of the contacts of a part, for their notes."""

    def __init__(self, day: Day, contacts: Contacted) -> None:
        """Look up what the notes may name."""
        inputs, entity = day.inputs, contacts.entity
        frames = inputs.frames
        self._contacts = contacts
        self._places = _places_of(inputs, contacts.cell)
        version = day.identity(entity, contacts.time)
        models = frames["devices"].select(pl.concat_str("brand", "model", separator=" "))
        self._devices = models.to_series().gather(inputs.identities.device[version]).to_list()
        plans = frames["plans"]
        self._plans = plans.select("name", "payment", "monthly_fee", "data_bytes")
        self._plan = day.customers.plan_at(entity, contacts.time).tolist()
        self._when = _local_times(day, contacts.cause)
        self._country = _countries(inputs, contacts)
        # A fault that is over before the day begins does not touch it.
        ends = dict(zip(day.faults.fault_id.tolist(), day.faults.end.tolist(), strict=True))
        now = (contacts.time + day.start).tolist()
        self._lasts = [
            None if fault < 0 or topic != _OUTAGE else ends.get(fault, 0) > then
            for fault, topic, then in zip(
                contacts.fault.tolist(), contacts.topic.tolist(), now, strict=True
            )
        ]

    def prepaid(self, row: int) -> bool:
        """Return whether the customer of a contact pays in advance."""
        return self._plans["payment"][self._plan[row]] == "prepaid"

    def outage(self, row: int) -> bool | None:
        """Return whether the outage that a contact is about lasts; None if it is about none."""
        return self._lasts[row]

    def of(self, row: int, language: str, credit: int) -> dict[str, str]:
        """Return what can be named in a note, in its language."""
        tongue, contacts = NOTES[language], self._contacts

        def money(amount: int) -> str:
            return f"{amount / _EURO:.2f}".replace(".", tongue.point)

        waited = int(contacts.queue[row])
        plan = self._plans.row(self._plan[row], named=True)
        facts = {
            "device": self._devices[row],
            "plan": plan["name"],
            "number": str(contacts.number[row]),
            "wait": f"{waited} s" if waited < 60 else f"{(waited + 30) // 60} min",
            "menu": tongue.menu[REASONS[contacts.reason[row]]],
        }
        if plan["monthly_fee"]:
            facts["fee"] = money(plan["monthly_fee"])
        if plan["data_bytes"]:
            gigabytes = f"{plan['data_bytes'] / _GIGABYTE:g}"
            facts["data"] = gigabytes.replace(".", tongue.point)
        if place := self._places[row]:
            facts["place"] = place
        if when := self._when[row]:
            facts["date"], facts["hour"] = when[0], tongue.hour.format(when[1])
        if country := self._country[row]:
            facts["country"] = COUNTRY_NAMES[language].get(country, country)
        if credit:
            facts["credit"] = money(credit)
        return facts


_OUTAGE: Final = TOPICS.index(Topic.OUTAGE)


def _places_of(inputs: Inputs, cell: npt.NDArray[np.int32]) -> list[str | None]:
    """Return the name of the place of each cell; None where there is no cell."""
    frames = inputs.frames
    sites = frames["cells"]["site_id"].gather(np.maximum(cell, 0)).to_frame()
    found = sites.join(
        frames["sites"].select("site_id", "place_id"), on="site_id", maintain_order="left"
    ).join(frames["places"].select("place_id", "name"), on="place_id", maintain_order="left")
    return found["name"].set(pl.Series(cell < 0), None).to_list()


def _local_times(day: Day, cause: Rows) -> list[tuple[str, int] | None]:
    """Return the local date (day and month) and hour of each moment; None where there is none."""
    zone = day.inputs.config.time_zone
    local = pl.Series(cause).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    known = (cause >= 0).tolist()
    texts, hours = local.dt.strftime("%d/%m").to_list(), local.dt.hour().to_list()
    return [
        (text, hour) if there else None
        for text, hour, there in zip(texts, hours, known, strict=True)
    ]


def _countries(inputs: Inputs, contacts: Contacted) -> list[str | None]:
    """Return the country of the trip that a contact about roaming is about; None of all others.

    That is the trip on which the customer was at the moment of the cause, or the last one before:
    a bill comes weeks after it.
    """
    found: list[str | None] = [None] * len(contacts)
    roaming = np.isin(contacts.topic, [TOPICS.index(topic) for topic in _ROAMING])
    rows = np.flatnonzero(roaming & (contacts.cause >= 0))
    first = day_number(dt.date(1970, 1, 1))
    lead = inputs.population.leader[contacts.entity]
    for row in rows.tolist():
        days, rest = divmod(int(contacts.cause[row]), DAY)
        today = first + days
        for before in range(_WEEKS_BACK):
            week = today // absences.WEEK - before
            trip = absences.trips(
                inputs.config, inputs.population, today, week, lead[row : row + 1]
            )
            if trip.goes[0] and trip.leave[0] * SECOND <= rest:
                found[row] = absences.COUNTRIES[int(trip.country[0])][0]
                break
    return found
