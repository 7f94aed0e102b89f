"""What is true of contacts with care, as far as their notes may tell it.

Belongs here: what a note can name and which circumstances hold, from the registry, the state and
the faults. Does not belong here: the words (`care_notes`), the other fields of a contact (`care`).

A matter may be older than the days whose state is at hand, so nothing is asked of the network on
the day of its cause. Faults are a function of the world and the date: they tell since when a cell
suffered, until when, and whether anything was at fault or load alone made the service bad.
"""

import calendar
import datetime as dt
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour import absences
from telco_pipeline.behaviour.presence import placed_around
from telco_pipeline.contracts.codes import FaultKind, Topic
from telco_pipeline.engine.calendar import DAY, MINUTE, SECOND, day_number
from telco_pipeline.generators.base import Day, Inputs, Rows
from telco_pipeline.generators.care_contacts import REASONS, SHOP, TOPICS, Contacted
from telco_pipeline.generators.care_notes import (
    BARRED,
    BUSY,
    COUNTRY_NAMES,
    FAULT,
    GONE,
    LASTS,
    NEARLY,
    NOTES,
    OVER,
    VISITS,
    WORKS,
    Circumstance,
    Tongue,
)
from telco_pipeline.state.contacts import NEARLY_USED
from telco_pipeline.state.faults import FAULT_KINDS, Faults, cells_hit
from telco_pipeline.state.lifecycle import SUSPENDED
from telco_pipeline.state.spending import COSTLY, Tariff, rates

Floats = npt.NDArray[np.float64]

_OUTAGE: Final = TOPICS.index(Topic.OUTAGE)
_ALLOWANCE: Final = TOPICS.index(Topic.ALLOWANCE)
# What load alone can do; a lost call may be due to the radio as well.
_OF_LOAD: Final = (TOPICS.index(Topic.BLOCKED_CALLS), TOPICS.index(Topic.SLOW_DATA))
_ROAMING: Final = [TOPICS.index(topic) for topic in (Topic.ROAMING_COST, Topic.ROAMING_ACCESS)]
_WORKS: Final = FAULT_KINDS.index(FaultKind.PLANNED_WORK)
_WEEKS_BACK: Final = 8
_GIGABYTE: Final = 1_000_000_000
_FIRST: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAYS_KEPT: Final = 32  # a matter lasts some weeks, and days are made one after the other


@dataclass(frozen=True)
class Met:
    """A fault or work as a customer met it.

    Attributes:
        since: When his cell first suffered, whole minutes, microseconds since 1970.
        end: When it was over, likewise.
        works: Whether it was planned work.
    """

    since: int
    end: int
    works: bool


@dataclass(frozen=True)
class _Broken:
    """The faults of a UTC day, and which cells are out of service by which (pairs of rows)."""

    faults: Faults
    row: npt.NDArray[np.int64]
    cell: npt.NDArray[np.int64]


_KNOWN: WeakKeyDictionary[Inputs, dict[dt.date, _Broken]] = WeakKeyDictionary()


def _broken_on(inputs: Inputs, date: dt.date) -> _Broken:
    """Return the faults that touch a day; those of the last days asked for are kept."""
    known = _KNOWN.setdefault(inputs, {})
    if date not in known:
        while len(known) >= _DAYS_KEPT:
            del known[next(iter(known))]
        faults = inputs.faults(date)
        row, cell = cells_hit(inputs.plant, faults)
        out = faults.capacity[row] == 0.0
        known[date] = _Broken(faults, row[out], cell[out])
    return known[date]


def met(inputs: Inputs, fault: int, cell: int, cause: int, *, outage: bool) -> Met | None:
    """Return how a customer met a fault; None where the day of the cause knows none.

    Args:
        inputs: The world.
        fault: Id of the fault.
        cell: Row of the cell in which it was met.
        cause: Start of the hour in which it was met, microseconds since 1970.
        outage: Whether the cell was out of service: then it may have been so by another fault
            before, and the first minute without service counts.
    """
    broken = _broken_on(inputs, (_FIRST + dt.timedelta(microseconds=cause)).date())
    place = np.flatnonzero(broken.faults.fault_id == fault)
    if not place.size:
        return None
    row = int(place[0])
    # Cells suffer in whole minutes, rounded up (`state.hours`).
    begin, end = (-(-each // MINUTE) * MINUTE for each in (broken.faults.impact, broken.faults.end))
    since = int(begin[row])
    if outage:
        others = broken.row[broken.cell == cell]
        for other in others[np.argsort(-begin[others], kind="stable")].tolist():
            if begin[other] < since <= end[other]:
                since = int(begin[other])
    return Met(since, int(end[row]), int(broken.faults.kind[row]) == _WORKS)


def used_by(day: Day, entity: Rows, time: Rows) -> Floats:
    """Return the part of the month's data allowance that each has used by a time.

    That is what his use a month (`state.registry.Facts.use`) comes to by that time of the local
    month; above 1 where the allowance does not last, 0 where there is none or no limit.

    Args:
        day: The day.
        entity: Entity numbers.
        time: Microseconds of the day.
    """
    inputs, zone = day.inputs, ZoneInfo(day.inputs.config.time_zone)
    population = inputs.population
    use = rates(inputs.config)[population.persona[entity]] * population.level[entity, None]
    tariff = Tariff.of(inputs.frames["plans"])
    full = tariff.fullness(day.customers.plan_at(entity, time), use)
    return full * np.array([_of_month(moment, zone) for moment in (time + day.start).tolist()])


def _of_month(moment: int, zone: ZoneInfo) -> float:
    """Return the part of its local month that is over at a moment."""
    local = _local(moment, zone)
    length = calendar.monthrange(local.year, local.month)[1]
    return (local.day - 1 + (local.hour + local.minute / 60.0) / 24.0) / length


def _local(moment: int, zone: ZoneInfo) -> dt.datetime:
    """Return the local time of microseconds since 1970."""
    return (_FIRST + dt.timedelta(microseconds=moment)).astimezone(zone)


class CareFacts:
    """What is true of the contacts of a part, for their notes."""

    def __init__(self, day: Day, contacts: Contacted) -> None:
        """Look up what the notes may name."""
        inputs, entity = day.inputs, contacts.entity
        frames = inputs.frames
        self._contacts, self._start = contacts, day.start
        self._zone = ZoneInfo(inputs.config.time_zone)
        self._places = _places_of(inputs, contacts.cell)
        version = day.identity(entity, contacts.time)
        models = frames["devices"].select(pl.concat_str("brand", "model", separator=" "))
        self._devices = models.to_series().gather(inputs.identities.device[version]).to_list()
        self._plans = frames["plans"].select("name", "payment", "monthly_fee", "data_bytes")
        self._plan = day.customers.plan_at(entity, contacts.time).tolist()
        self._country = _countries(inputs, contacts)
        self._barred = day.customers.status_at(entity, contacts.time) == SUSPENDED
        self._met = [
            None if fault < 0 else met(inputs, fault, cell, cause, outage=topic == _OUTAGE)
            for fault, cell, cause, topic in zip(
                contacts.fault.tolist(),
                contacts.cell.tolist(),
                contacts.cause.tolist(),
                contacts.topic.tolist(),
                strict=True,
            )
        ]
        self._used = np.zeros(len(contacts))
        asks = np.flatnonzero(contacts.topic == _ALLOWANCE)
        self._used[asks] = used_by(day, entity[asks], contacts.time[asks])

    def prepaid(self, row: int) -> bool:
        """Return whether the customer of a contact pays in advance."""
        return self._plans["payment"][self._plan[row]] == "prepaid"

    def holds(self, row: int) -> frozenset[Circumstance]:
        """Return the circumstances of a contact."""
        contacts, found = self._contacts, self._met[row]
        topic = int(contacts.topic[row])
        true = {
            NEARLY: NEARLY_USED <= self._used[row] < 1.0,
            GONE: self._used[row] >= 1.0,
            BUSY: topic in _OF_LOAD and contacts.cell[row] >= 0 and contacts.fault[row] < 0,
            BARRED: bool(self._barred[row]),
            VISITS: contacts.channel[row] == SHOP,
        }
        if found is not None:
            lasts = found.end > int(contacts.time[row]) + self._start
            true |= {LASTS: lasts, OVER: not lasts, WORKS: found.works, FAULT: not found.works}
        return frozenset(each for each, there in true.items() if there)

    def named(self, row: int, language: str, credit: int) -> dict[str, str]:
        """Return what can be named in a note, in its language.

        Args:
            row: Row of the contact.
            language: Code of the language.
            credit: Credit in micro-euro, 0 for none.
        """
        tongue, contacts = NOTES[language], self._contacts
        waited = int(contacts.queue[row])
        facts = {
            "device": self._devices[row],
            "number": str(contacts.number[row]),
            "wait": f"{waited} s" if waited < 60 else f"{(waited + 30) // 60} min",
            "menu": tongue.menu[REASONS[contacts.reason[row]]],
            **self._of_plan(row, tongue),
            **self._of_moment(row, tongue),
        }
        if usual := int(contacts.usual_spend[row]):
            facts["usual"] = tongue.amount(usual)
        if place := self._places[row]:
            facts["place"] = tongue.at(place)
        if (country := self._country[row]) is not None:
            name = COUNTRY_NAMES[language][absences.COUNTRIES[country][0]]
            facts["country"] = facts["far" if COSTLY[country] else "near"] = name
        if credit:
            facts["credit"] = tongue.amount(credit)
        return facts

    def _of_plan(self, row: int, tongue: Tongue) -> dict[str, str]:
        plan = self._plans.row(self._plan[row], named=True)
        facts = {"plan": plan["name"]}
        if plan["monthly_fee"]:
            facts["fee"] = tongue.amount(plan["monthly_fee"])
        if plan["data_bytes"]:
            facts["data"] = f"{plan['data_bytes'] / _GIGABYTE:g}".replace(".", tongue.point)
        return facts

    def _of_moment(self, row: int, tongue: Tongue) -> dict[str, str]:
        """Return when the matter was met: not before the cell suffered."""
        cause, found = int(self._contacts.cause[row]), self._met[row]
        if cause < 0:
            return {}
        facts = {}
        if found is not None:
            local = _local(found.since, self._zone)
            time = tongue.time(local.hour, local.minute)
            facts["since"] = tongue.moment.format(tongue.date(local.month, local.day), time)
            cause = max(cause, found.since)
        local = _local(cause, self._zone)
        facts["date"] = tongue.date(local.month, local.day)
        facts["hour"] = tongue.time(local.hour, local.minute)
        return facts


def _places_of(inputs: Inputs, cell: npt.NDArray[np.int32]) -> list[str | None]:
    """Return the name of the place of each cell; None where there is no cell."""
    frames = inputs.frames
    sites = frames["cells"]["site_id"].gather(np.maximum(cell, 0)).to_frame()
    found = sites.join(
        frames["sites"].select("site_id", "place_id"), on="site_id", maintain_order="left"
    ).join(frames["places"].select("place_id", "name"), on="place_id", maintain_order="left")
    return found["name"].set(pl.Series(cell < 0), None).to_list()


def _countries(inputs: Inputs, contacts: Contacted) -> list[int | None]:
    """Return the country of the trip that a contact about roaming is about; None of all others.

    That is the trip on which the customer was at the moment of the cause, or the last one before:
    a bill comes weeks after it.

    Returns:
        Positions in `absences.COUNTRIES`.
    """
    found: list[int | None] = [None] * len(contacts)
    rows = np.flatnonzero(np.isin(contacts.topic, _ROAMING) & (contacts.cause >= 0))
    if not rows.size:
        return found
    unix = dt.date(1970, 1, 1)
    cause = contacts.cause[rows] // DAY
    back = dt.timedelta(days=int(cause.min()) - _WEEKS_BACK * absences.WEEK)
    placed = placed_around(
        inputs.story, inputs.population, unix + back, unix + dt.timedelta(days=int(cause.max()))
    )
    for row in rows.tolist():
        days, rest = divmod(int(contacts.cause[row]), DAY)
        today = day_number(unix) + days
        entity = contacts.entity[row : row + 1]
        begun = []
        for before in range(_WEEKS_BACK):
            week = today // absences.WEEK - before
            trip = absences.own_trips(inputs.config, inputs.population, placed, today, week, entity)
            if trip.goes[0] and trip.leave[0] * SECOND <= rest:
                begun.append(trip)
                break
        # A scenario layer may have sent him on another one since.
        imposed = absences.sent(placed, today, entity)
        begun += [trip for trip in imposed if trip.goes[0] and trip.leave[0] * SECOND <= rest]
        if begun:
            found[row] = int(max(begun, key=lambda trip: int(trip.leave[0])).country[0])
    return found
