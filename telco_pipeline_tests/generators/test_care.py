"""Contacts with care realise what state decided, queue for real agents, and say what is true."""

import datetime as dt
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.absences import COUNTRIES
from telco_pipeline.behaviour.population import NR
from telco_pipeline.contracts.codes import (
    Channel,
    FaultKind,
    LifeStatus,
    Reason,
    Resolution,
    Topic,
)
from telco_pipeline.contracts.world import LANGUAGES
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND, day_start
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import Inputs, care
from telco_pipeline.generators.care_agents import Roster
from telco_pipeline.generators.care_contacts import (
    APP,
    CALL,
    CHANNELS,
    CHAT,
    CONTACT_RECORD,
    NO_AGENT,
    SHOP,
    SOCIAL,
    TOPICS,
    Contacted,
    care_call_number,
    care_contacts,
    planned_by_hour,
)
from telco_pipeline.generators.care_facts import met
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
    Phrases,
    Said,
    Told,
    Tongue,
    named_in,
    note_of,
)
from telco_pipeline.generators.care_queue import PLANNED_LOSS, Queue, planned_agents
from telco_pipeline.generators.cdrs.sides import find_side, originating_key
from telco_pipeline.generators.inputs import Day
from telco_pipeline.state.contacts import REASON_OF_TOPIC, resolved
from telco_pipeline.state.customers_day import Contacts
from telco_pipeline.state.faults import Faults
from telco_pipeline.state.network import NetworkDay
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world

FIRST = dt.date(2026, 1, 1)
DAYS = [FIRST + dt.timedelta(days=offset) for offset in range(12)]
CROWDED = dt.date(2026, 1, 7)
"""A Wednesday."""
MANY_FAULTS = dt.date(2026, 1, 9)
"""A day with faults of the core and of hardware, and with planned works."""


@cache
def world() -> Inputs:
    return inputs_of(small_world(subscribers=3000, part_size=1024))


@cache
def records() -> pl.DataFrame:
    return pl.concat([make_day(world(), "customer_service", day) for day in DAYS])


def with_contacts(day: dt.date, contacts: Contacts) -> Day:
    """Return a day on which others contact care than state decided."""
    made = Day(world(), day)
    made.__dict__["customers"] = replace(world().day(day).customers, contacts=contacts)
    return made


def crowd(
    entity: np.ndarray,
    time: np.ndarray,
    topic: Topic | np.ndarray = Topic.QUESTION,
    cause: int = -1,
    cell: int = -1,
    fault: int = -1,
    number: int = 1,
) -> Contacts:
    """Return contacts of some entities; all but entity and time are alike."""
    size = len(entity)
    topics = np.full(size, TOPICS.index(topic)) if isinstance(topic, Topic) else topic
    return Contacts(
        entity=entity,
        time=time,
        reason=REASON_OF_TOPIC[topics],
        topic=topics.astype(np.int8),
        number=np.full(size, number, dtype=np.int16),
        case=np.arange(1, size + 1),
        fault_id=np.full(size, fault),
        cell=np.full(size, cell, dtype=np.int32),
        cause_time=np.full(size, cause),
        usual_spend=np.zeros(size, dtype=np.int64),
    )


def people() -> np.ndarray:
    """Return the people among the first customers."""
    return np.flatnonzero(world().population.kind[:3000] == 0)


def everyone(day: Day) -> Contacted:
    return care_contacts(day, np.arange(world().population.size))


def local(day: Day, time: np.ndarray) -> np.ndarray:
    return day.clock.local(time)[0] / HOUR


# What state decided -----------------------------------------------------------------------------


def test_records_are_the_contacts_that_state_decided() -> None:
    inputs = world()
    for date in DAYS:
        decided = inputs.day(date).customers.contacts
        made = make_day(inputs, "customer_service", date)
        assert made.height == len(decided)
        told = made.sort("subscriber_id")
        order = np.argsort(inputs.population.subscriber_id[decided.entity])
        expected = {
            "subscriber_id": inputs.population.subscriber_id[decided.entity],
            "event_time": decided.time + inputs.day(date).start,
            "case_id": decided.case,
            "contact_number": decided.number,
            "cause_fault_id": decided.fault_id,
            "cause_time": decided.cause_time,
        }
        for name, values in expected.items():
            found = told[name].cast(pl.Int64).fill_null(-1).to_numpy()
            np.testing.assert_array_equal(found, values[order])
        assert told["topic"].cast(pl.String).to_list() == [
            str(TOPICS[topic]) for topic in decided.topic[order]
        ]
        cells = [
            None if cell < 0 else inputs.cells.cell_id[int(cell)] for cell in decided.cell[order]
        ]
        assert told["cause_cell_id"].to_list() == cells


def test_parts_and_blocks_see_the_same_contacts() -> None:
    day = world().day(DAYS[4])
    whole = everyone(day)
    split = [care_contacts(day, np.arange(start, start + 500)) for start in range(0, 4000, 500)]
    for name in ("entity", "channel", "queue", "handling", "agent", "is_call"):
        joined = np.concatenate([getattr(part, name) for part in split])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    some = np.array([3, 500, int(whole.entity[2]), 2999])
    assert care_contacts(day, np.sort(some)).entity.tolist() == [int(whole.entity[2])]


def test_a_day_without_contacts_is_empty() -> None:
    day = with_contacts(CROWDED, crowd(np.zeros(0, np.int64), np.zeros(0, np.int64)))
    assert len(everyone(day)) == 0


def test_a_record_is_consistent() -> None:
    rows = records()
    abandoned = pl.col("resolution") == "abandoned"
    channel = pl.col("channel").cast(pl.String)
    alone = (channel == "app") | abandoned
    rules = {
        "agent": pl.col("agent_id").is_null() == alone,
        "handling": (pl.col("handling_seconds") == 0) == abandoned,
        "survey": ~abandoned | pl.col("nps").is_null(),
        "who hangs up": ~abandoned | channel.is_in(["call", "chat"]),
        "app": (channel != "app") | (pl.col("queue_seconds") == 0),
        "call": (channel == "call") == pl.col("call_reference").is_not_null(),
        "credit": (pl.col("credit") == 0) | (~alone & (pl.col("resolution") != "callback")),
        "cause": pl.col("cause_time").is_null() | (pl.col("cause_time") <= pl.col("event_time")),
    }
    for name, rule in rules.items():
        assert rows.filter(~rule).is_empty(), name
    assert set(rows["channel"].unique()) == {str(channel) for channel in Channel}
    first = rows.filter((pl.col("contact_number") == 1) & ~abandoned)
    assert 0.70 < (first["resolution"] == "solved").mean() < 0.85
    handled = rows.filter(pl.col("agent_id").is_not_null())
    assert 300 < handled["handling_seconds"].mean() < 480
    assert rows["event_id"].is_unique().all()


# Channels and calls -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy() -> Day:
    """Return a day on which every person has a contact, at all hours."""
    entity = people()
    return with_contacts(CROWDED, crowd(entity, (entity * 997 * SECOND) % DAY))


def test_a_call_needs_a_phone_that_can_call(busy: Day) -> None:
    contacts = everyone(busy)
    calls = contacts.select(contacts.is_call)
    assert len(calls) > 300
    np.testing.assert_array_equal(contacts.is_call, contacts.channel == CALL)
    where = busy.mobility.at(calls.entity, calls.time)
    assert not where.abroad.any()
    assert not busy.mobility.switched_off(calls.entity, calls.time).any()
    assert busy.in_service(calls.entity, calls.time).all()
    assert (busy.network.serving(where.cell, calls.time) >= 0).all()
    # Who wanted to call and could not has another channel: somebody is abroad, somebody is off.
    all_off = busy.mobility.switched_off(contacts.entity, contacts.time)
    assert all_off.any()
    assert not np.isin(contacts.channel[all_off], [CALL]).any()


def test_desks_and_shops_have_opening_hours(busy: Day) -> None:
    contacts = everyone(busy)
    hours = local(busy, contacts.time)
    staffed = np.isin(contacts.channel, [CALL, CHAT])
    assert hours[staffed].min() >= 8
    assert hours[staffed].max() < 20
    shop = contacts.channel == SHOP
    assert shop.any()
    assert hours[shop].min() >= 10
    assert hours[shop].max() < 18
    sunday = dt.date(2026, 1, 11)
    entity = people()
    contacts = everyone(with_contacts(sunday, crowd(entity, (entity * 997 * SECOND) % DAY)))
    assert not (contacts.channel == SHOP).any()
    assert local(busy, contacts.time[contacts.channel == CALL]).max() < 18


def test_who_is_suspended_neither_calls_nor_uses_data() -> None:
    entity = people()[:400]
    day = with_contacts(CROWDED, crowd(entity, 11 * HOUR + entity * SECOND, Topic.SUSPENSION))
    suspended = list(LifeStatus).index(LifeStatus.SUSPENDED)
    status = day.customers.status.copy()
    status[entity] = suspended
    day.__dict__["customers"] = replace(day.customers, status=status)
    assert set(everyone(day).channel.tolist()) <= {SHOP, SOCIAL}


def test_nobody_calls_without_coverage() -> None:
    entity = people()[:300]
    day = with_contacts(CROWDED, crowd(entity, 11 * HOUR + entity * SECOND))
    usual = everyone(day).is_call.sum()
    assert usual > 50
    # NR alone is left: only who speaks over NR calls, though every phone there has coverage.
    rats = world().cells.rat
    for out, calls in ((np.arange(len(rats)), 0), (np.flatnonzero(rats != NR), 1)):
        day = with_contacts(CROWDED, day.customers.contacts)
        day.__dict__["network"] = without(world().day(CROWDED).network, out)
        contacts = everyone(day)
        contacts = contacts.select(contacts.is_call)
        assert calls <= len(contacts) < usual / 2
        side = find_side(day, contacts.entity, contacts.time, originating_key(contacts.key))
        assert side.there.all()


def without(network: NetworkDay, out: np.ndarray) -> NetworkDay:
    """Return a network some cells of which are out of service all day, and nothing else is."""
    lost = np.zeros(network.cells, dtype=np.bool_)
    lost[out] = True
    return replace(
        network,
        has_outage=lost,
        outage_cell=out,
        outage_start=np.zeros(len(out), dtype=np.int64),
        outage_end=np.full(len(out), DAY),
    )


def test_a_contact_and_its_call_share_their_number() -> None:
    inputs, date = world(), DAYS[1]
    contacts = everyone(inputs.day(date))
    number = care_call_number(inputs.day(date), contacts)
    rows = make_day(inputs, "customer_service", date)
    references = inputs.ids.call.of(number[contacts.is_call])
    assert set(rows["call_reference"].drop_nulls()) == set(references.tolist())
    # The call's own records have the numbers below the contact's: no id is used twice.
    assert set(rows["event_id"]) == set(inputs.ids.event.of(number + CONTACT_RECORD).tolist())
    assert CONTACT_RECORD == 15


def test_a_call_never_lasts_longer_than_calls_do() -> None:
    charging = small_world().charging.model_copy(update={"voice_max_s": 120})
    inputs = inputs_of(
        small_world(subscribers=3000, part_size=1024, charging=charging.model_dump())
    )
    entity = np.flatnonzero(inputs.population.kind[:3000] == 0)
    day = inputs.day(CROWDED)
    contacts = crowd(entity, 9 * HOUR + entity * 5 * SECOND)
    day.__dict__["customers"] = replace(day.customers, contacts=contacts)
    made = care_contacts(day, np.arange(3000))
    assert made.is_call.sum() > 100
    assert 110 < made.seconds[made.is_call].max() <= 120
    assert made.seconds[made.is_call].min() >= 1


# Queues and agents ------------------------------------------------------------------------------


def test_the_queue_is_that_of_the_books() -> None:
    # One agent and endless patience: M/M/1, who waits is the load, the wait 1 / (mu - lambda).
    line = Queue.of(0.5, 1, 100.0, 1e9)
    assert line.cumulative[0] == pytest.approx(0.5, abs=1e-6)
    keys = draws.keys(draws.stream(1, "queue"), np.arange(200_000))
    waits = line.waits(draws.bits(keys, "found"), draws.bits(keys, "wait"))
    assert (waits > 0).mean() == pytest.approx(0.5, abs=0.01)
    assert waits.mean() == pytest.approx(100.0, rel=0.03)
    # Patience as long as handling: the number in the system is Poisson.
    line = Queue.of(7.0, 5, 60.0, 60.0)
    poisson = np.cumsum([math.exp(-7.0) * 7.0**n / math.factorial(n) for n in range(20)])
    np.testing.assert_allclose(line.cumulative[:20], poisson, atol=1e-9)
    excess = sum((n - 5) * math.exp(-7.0) * 7.0**n / math.factorial(n) for n in range(6, 60))
    assert line.loss == pytest.approx(excess / 7.0, abs=1e-9)
    # Far over capacity: those above it hang up (fluid limit, Whitt 2006).
    assert Queue.of(2000.0, 1000, 300.0, 600.0).loss == pytest.approx(0.5, abs=0.005)


def test_agents_are_as_few_as_they_can_be() -> None:
    for erlangs in (0.1, 3.0, 40.0, 300.0):
        agents = planned_agents(erlangs, 375.0, 900.0)
        assert Queue.of(erlangs, agents, 375.0, 900.0).loss <= PLANNED_LOSS
        if agents > 1:
            assert Queue.of(erlangs, agents - 1, 375.0, 900.0).loss > PLANNED_LOSS


def test_an_outage_makes_long_queues() -> None:
    entity = people()
    spread = crowd(entity[:40], 8 * HOUR + np.arange(40) * 12 * 60 * SECOND)
    rush = crowd(entity, 9 * HOUR + entity * SECOND % HOUR, Topic.OUTAGE)
    calm, loud = (everyone(with_contacts(CROWDED, each)) for each in (spread, rush))
    calm, loud = (each.select(each.channel == CALL) for each in (calm, loud))
    assert len(loud) > 10 * len(calm) > 50
    assert np.mean(loud.queue) > 3 * max(np.mean(calm.queue), 20.0)
    assert np.mean(loud.abandoned) > 0.4
    assert np.mean(calm.abandoned) < 0.25


def test_care_is_planned_for_what_comes() -> None:
    inputs = world()
    planned = sum(float(planned_by_hour(inputs.day(day)).sum()) for day in DAYS)
    come = sum(len(inputs.day(day).customers.contacts) for day in DAYS)
    assert come == pytest.approx(planned, rel=0.35)


def test_an_agent_has_one_contact_at_a_time() -> None:
    entity = people()
    day = with_contacts(CROWDED, crowd(entity, (entity * 997 * SECOND) % DAY))
    for contacts in (everyone(day), everyone(world().day(DAYS[4]))):
        served = contacts.select(contacts.agent != NO_AGENT)
        start = served.time + served.queue * SECOND
        end = start + served.handling * SECOND
        order = np.lexsort((start, served.agent))
        same = np.diff(served.agent[order]) == 0
        assert same.sum() > 0 or len(served) < 200
        assert (start[order][1:][same] >= end[order][:-1][same]).all()
    alone = (contacts.channel == APP) | contacts.abandoned
    np.testing.assert_array_equal(contacts.agent == NO_AGENT, alone)


def test_agents_have_shifts_and_skills() -> None:
    weekday, sunday = (Roster.of(Day(world(), date), 9000.0) for date in (CROWDED, DAYS[10]))
    assert len(weekday.agent) > 1.4 * len(sunday.agent) > 50
    assert set((weekday.stop - weekday.start) // HOUR) == {8}
    dutch, french = LANGUAGES.index("nl"), LANGUAGES.index("fr")
    own, others = weekday.skilled[1, dutch]
    assert not set(own) & set(others)
    assert set(own) != set(weekday.skilled[1, french][0])
    # A shop is served by its own people.
    assert weekday.skilled[4, dutch][0]
    assert not weekday.skilled[4, dutch][1]


# Result, sentiment, survey ----------------------------------------------------------------------


def handled(number: int, topic: Topic = Topic.HIGH_BILL) -> tuple[Day, Contacted, np.ndarray]:
    entity = people()
    time = 8 * HOUR + (entity * 7919 * SECOND) % (10 * HOUR)
    day = with_contacts(CROWDED, crowd(entity, time, topic, number=number))
    contacts = everyone(day)
    return day, contacts, care.results(day, contacts)


def test_state_decides_what_is_solved() -> None:
    for number in (1, 2):
        _, contacts, result = handled(number)
        settled = resolved(world().config.seed, contacts.case, contacts.number)
        there = ~contacts.abandoned
        np.testing.assert_array_equal(result[there] == care.SOLVED, settled[there])
        assert (result[contacts.abandoned] == care.ABANDONED).all()


def test_who_comes_again_is_passed_on() -> None:
    shares = []
    for number in (1, 2, 3):
        _, contacts, result = handled(number)
        open_ones = np.isin(result, [care.CALLBACK, care.ESCALATED]) & (contacts.channel != APP)
        shares.append(np.mean(result[open_ones] == care.ESCALATED))
    assert shares[0] < 0.3 < 0.5 < shares[1] < shares[2]


def test_credits_are_for_outages_and_bills() -> None:
    granted = {}
    for topic in (Topic.OUTAGE, Topic.HIGH_BILL, Topic.QUESTION):
        _, contacts, result = handled(1, topic)
        credit = care.credits_of(contacts, result)
        granted[topic] = credit[credit > 0]
        assert (credit[(contacts.agent == NO_AGENT) | (result == care.CALLBACK)] == 0).all()
        assert (credit % 500_000 == 0).all()
    assert not len(granted[Topic.QUESTION])
    assert len(granted[Topic.OUTAGE]) > 20
    assert granted[Topic.HIGH_BILL].mean() > granted[Topic.OUTAGE].mean()


def test_sentiment_follows_satisfaction_waiting_and_result() -> None:
    _, contacts, result = handled(1)
    size = len(contacts)
    happy = care.moods(contacts, result, np.full(size, 0.9))
    sad = care.moods(contacts, result, np.full(size, 0.2))
    assert (happy >= sad).all()
    assert happy.mean() > sad.mean() + 0.4
    patient = replace(contacts, queue=np.zeros(size, dtype=np.int64))
    waited = replace(contacts, queue=np.full(size, 900))
    level = np.full(size, 0.6)
    rest = contacts.channel != APP
    better, worse = care.moods(patient, result, level), care.moods(waited, result, level)
    assert (better[rest] >= worse[rest]).all()
    assert better[rest].mean() > worse[rest].mean() + 0.1
    solved = care.moods(contacts, np.full(size, care.SOLVED), level).mean()
    assert solved > care.moods(contacts, np.full(size, care.ESCALATED), level).mean() + 0.3


def test_surveys_ask_a_part_and_answers_follow_satisfaction() -> None:
    entity = people()
    contacts = crowd(entity, 8 * HOUR + (entity * 7919 * SECOND) % (10 * HOUR))
    day = with_contacts(CROWDED, contacts)
    inputs = inputs_with(day)
    rows = care.make(inputs, CROWDED, Part(0, 0, 3000)).to_frame()
    asked = rows.filter(pl.col("nps").is_not_null())
    assert 0.08 < asked.height / rows.height < 0.25
    satisfaction = pl.DataFrame(
        {
            "subscriber_id": inputs.population.subscriber_id[entity],
            "satisfaction": day.customers.satisfaction[entity],
        }
    )
    both = asked.join(satisfaction, on="subscriber_id")
    assert both.select(pl.corr("nps", "satisfaction")).item() > 0.5
    assert both.select(pl.corr("nps", "sentiment")).item() > 0.5


def inputs_with(day: Day) -> Inputs:
    """Return the world with a day of our own."""
    inputs = inputs_of(small_world(subscribers=3000, part_size=1024))
    day.inputs = inputs
    inputs._days[day.date] = day
    return inputs


# Notes ------------------------------------------------------------------------------------------

EVERY_FACT = {
    "place": "in Leuven",
    "date": "12/03",
    "hour": "14u",
    "since": "12/03 om 13u20",
    "device": "Haneul Nova 3",
    "plan": "Zephyr M",
    "fee": "21,00 EUR",
    "usual": "24,30 EUR",
    "data": "20",
    "country": "in Spanje",
    "far": "in Marokko",
    "near": "in Spanje",
    "credit": "5,00 EUR",
    "number": "2",
    "wait": "3 min",
    "menu": "netwerk",
}
ALWAYS_KNOWN = {"device", "plan", "number", "wait", "menu"}
FORBIDDEN = ("hazard", "exposure", "churn", "topic", "simul", "state", "seed", "{", "}", "None")
CIRCUMSTANCES = [
    frozenset(),
    frozenset({LASTS, FAULT}),
    frozenset({OVER, FAULT}),
    frozenset({LASTS, WORKS}),
    frozenset({OVER, WORKS, BUSY, NEARLY, VISITS}),
    frozenset({GONE, BARRED}),
]


def every_told(facts: dict[str, str]) -> Iterator[Told]:
    for language in LANGUAGES:
        for topic in Topic:
            for resolution in Resolution:
                for choice in (0, 1, 2, 777_777, 123_456_789):
                    for channel in Channel:
                        # The app passes nobody on, and only who queues hangs up.
                        if resolution not in RESULTS.get(channel, tuple(Resolution)):
                            continue
                        for holds in CIRCUMSTANCES:
                            yield Told(
                                language, channel, topic, resolution, facts, holds,
                                choice == 1, 1 + choice % 3, choice // 3, choice,
                            )  # fmt: skip


_SERVED = tuple(each for each in Resolution if each is not Resolution.ABANDONED)
RESULTS = {
    Channel.APP: (Resolution.SOLVED, Resolution.CALLBACK),
    Channel.SHOP: _SERVED,
    Channel.SOCIAL: _SERVED,
}


def test_every_note_can_be_written_with_all_facts_and_with_few() -> None:
    few = {name: EVERY_FACT[name] for name in ALWAYS_KNOWN}
    for facts in (EVERY_FACT, few):
        for told in every_told(facts):
            note = note_of(told)
            assert len(note) > 10
            assert not any(word in note for word in FORBIDDEN), note
            assert note == note.strip()
            assert "  " not in note
            assert ".." not in note
            assert note[-1] in ".?"


def plain(phrases: Phrases) -> list[Said]:
    return [Said(each) if isinstance(each, str) else each for each in phrases]


def texts(phrases: Phrases) -> list[str]:
    """Return the texts of phrases and of their own ends."""
    own = [text for each in plain(phrases) for text in texts(each.ends)]
    return [each.text for each in plain(phrases)] + own


def said_in(note: str, phrases: Phrases) -> list[Said]:
    """Return the phrases of which one may have been said in a note."""
    return [each for each in plain(phrases) if re.search(written_with(each.text), note)]


def test_every_phrase_names_what_is_known() -> None:
    for language in LANGUAGES:
        tongue = NOTES[language]
        assert set(tongue.topics) == set(tongue.written) == set(Topic)
        assert set(tongue.ends) == set(_SERVED)
        assert set(tongue.menu) == set(Reason)
        assert set(COUNTRY_NAMES[language]) == {code for code, _, _ in COUNTRIES}
        for topic, phrases in [*tongue.topics.items(), *tongue.written.items()]:
            assert len(set(texts(phrases))) >= 2
            assert all(named_in(text) <= EVERY_FACT.keys() for text in texts(phrases))
            always = [each for each in plain(phrases) if not each.when]
            assert any(named_in(each.text) <= ALWAYS_KNOWN for each in always), topic


def written_with(phrase: str) -> str:
    """Return the pattern of a phrase whose names have become texts."""
    return ".+".join(re.escape(piece) for piece in re.split(r"\{\w+\}", phrase))


def ends_of(tongue: Tongue, row: dict) -> list[str]:
    """Return how the note on a contact that was not given up may end."""
    topic, app = Topic(row["topic"]), row["channel"] == "app"
    found = texts((tongue.app_ends if app else tongue.ends)[Resolution(row["resolution"])])
    if row["resolution"] != "solved":
        return found
    first = [*tongue.topics[topic], *tongue.written[topic], *tongue.top_up]
    own = [text for each in plain(first) for text in texts(each.ends)]
    return found + own + texts(tongue.informed) + texts(tongue.busy)


def test_a_note_is_in_the_customers_language() -> None:
    registry = (
        world()
        .frames["subscribers"]
        .select("subscriber_id", "kind", registered=pl.col("language").cast(pl.String))
    )
    rows = records().join(registry, on="subscriber_id")
    assert rows.height == records().height
    # Only our own customers turn to care: no visitors, no machines.
    assert set(rows["kind"].cast(pl.String)) == {"person", "business"}
    assert rows["language"].cast(pl.String).to_list() == rows["registered"].to_list()
    assert rows["language"].n_unique() >= 3
    for row in rows.iter_rows(named=True):
        tongue, topic = NOTES[row["language"]], Topic(row["topic"])
        if row["resolution"] == "abandoned":
            assert said_in(row["note"], tongue.left[Channel(row["channel"])]), row
            continue
        written = row["channel"] in ("app", "social")
        first = (tongue.written if written else tongue.topics)[topic]
        top_up = tongue.written_top_up if written else tongue.top_up
        assert said_in(row["note"], [*first, *top_up]), row
        assert any(end in row["note"] for end in ends_of(tongue, row)), row


def test_a_note_begins_as_its_channel_does() -> None:
    seen = set()
    for row in records().filter(pl.col("resolution") != "abandoned").iter_rows(named=True):
        tongue, topic = NOTES[row["language"]], Topic(row["topic"])
        channel = Channel(row["channel"])
        written = channel in (Channel.APP, Channel.SOCIAL)
        first = (tongue.written if written else tongue.topics)[topic]
        first = [*first, *(tongue.written_top_up if written else tongue.top_up)]
        opening = f"{tongue.channel[channel]} " if channel in tongue.channel else ""
        begins = [f"^{re.escape(opening)}{written_with(text)}" for text in texts(first)]
        assert any(re.match(each, row["note"]) for each in begins), row
        seen.add(channel)
    assert seen == set(Channel)
    for tongue in NOTES.values():
        # What a customer wrote does not speak of the customer, nor of what an agent heard.
        for phrases in [*tongue.written.values(), tongue.written_top_up]:
            for each in plain(phrases):
                assert not re.search(r"\b([Kk]lt|[Cc]l\.|[Kk]d\.|[Cc]ust)(\W|$)", each.text)


def test_only_who_stands_in_a_shop_leaves_a_phone_there() -> None:
    for language in LANGUAGES:
        tongue = NOTES[language]
        left = [
            end.text
            for each in plain(tongue.topics[Topic.DEVICE_FAULT])
            for end in plain(each.ends)
            if VISITS in end.when
        ]
        assert left
        notes = {channel: set() for channel in Channel}
        for channel in Channel:
            holds = frozenset({VISITS} if channel is Channel.SHOP else ())
            for choice in range(60):
                told = Told(
                    language, channel, Topic.DEVICE_FAULT, Resolution.SOLVED, EVERY_FACT, holds,
                    False, 1, choice % 7, choice * 311,
                )  # fmt: skip
                notes[channel].add(note_of(told))
        for channel, found in notes.items():
            there = any(end in note for note in found for end in left)
            assert there == (channel is Channel.SHOP)


def told_on(date: dt.date, contacts: Contacts) -> pl.DataFrame:
    """Return the contacts of a day that were not given up, with their entities."""
    inputs = inputs_with(with_contacts(date, contacts))
    rows = care.make(inputs, date, Part(0, 0, 3000)).to_frame()
    entity = pl.DataFrame(
        {
            "subscriber_id": inputs.population.subscriber_id[:3000],
            "entity": np.arange(3000),
        }
    )
    rows = rows.join(entity, on="subscriber_id").with_columns(
        pl.col("language", "channel", "topic", "resolution").cast(pl.String)
    )
    return rows.filter(pl.col("resolution") != "abandoned")


def during(entity: np.ndarray) -> np.ndarray:
    """Return times of contacts over the working day."""
    return 8 * HOUR + (entity * 7919 * SECOND) % (10 * HOUR)


def afternoon(entity: np.ndarray) -> np.ndarray:
    """Return times of contacts from eleven (local) on."""
    return 10 * HOUR + (entity * 7919 * SECOND) % (8 * HOUR)


@pytest.mark.parametrize("of_month", [3, 28])
def test_data_are_nearly_used_up_when_the_month_has_used_them(of_month: int) -> None:
    inputs, date = world(), dt.date(2026, 1, of_month)
    entity = people()
    rows = told_on(date, crowd(entity, during(entity), Topic.ALLOWANCE))
    population, config = inputs.population, inputs.config
    plan = inputs.day(date).customers.plan
    data = inputs.frames["plans"]["data_bytes"].to_list()
    sessions = [persona.sessions for persona in config.personas.values()]
    seen = {NEARLY: 0, GONE: 0, None: 0}
    for row in rows.iter_rows(named=True):
        tongue = NOTES[row["language"]]
        lists = tongue.written if row["channel"] in ("app", "social") else tongue.topics
        said = said_in(row["note"], lists[Topic.ALLOWANCE])
        assert said, row
        kind = said[0].when[0] if said[0].when else None
        seen[kind] += 1
        if kind is None:
            continue
        who = row["entity"]
        # 11.5 MB a session, and so much of the month is over: local time is an hour ahead.
        a_day = sessions[population.persona[who]] * population.level[who] * 11.5 * 30.4 / 31.0
        over = (row["event_time"] - dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(days=1)
        used = a_day * (over + 1.0 / 24.0) / (data[plan[who]] / 1e6)
        low, high = (0.85, 1.0) if kind is NEARLY else (1.0, math.inf)
        assert low - 1e-3 <= used < high + 1e-3, row["note"]
    assert seen[None] > 100
    if of_month == 28:
        assert min(seen[NEARLY], seen[GONE]) > 5
    else:
        # Who uses a bundle up in a month has not done so on the third.
        assert seen[NEARLY] + seen[GONE] < rows.height / 20


def test_what_a_customer_usually_pays_is_his_usual_spend() -> None:
    entity = people()
    spend = 20_000_000 + entity * 10_000  # no two alike
    contacts = crowd(entity, during(entity), Topic.HIGH_BILL)
    rows = told_on(CROWDED, replace(contacts, usual_spend=spend))
    usual = 0
    for row in rows.iter_rows(named=True):
        tongue = NOTES[row["language"]]
        lists = tongue.written if row["channel"] in ("app", "social") else tongue.topics
        said = said_in(row["note"], lists[Topic.HIGH_BILL])
        if "usual" not in named_in(said[0].text):
            continue
        usual += 1
        amount = f"{20 + row['entity'] / 100:.2f}".replace(".", tongue.point)
        currency = f"EUR {amount}" if row["language"] == "en" else f"{amount} EUR"
        assert said[0].text.format(**EVERY_FACT | {"usual": currency}) in row["note"]
    assert usual > 100


def busy_words(language: str) -> list[str]:
    return texts(NOTES[language].busy)


def test_only_load_makes_a_cell_busy() -> None:
    # A cell and hour that no fault hits is bad by its load alone: the core fails nobody there.
    for date in DAYS[:3]:
        network = world().day(date).network
        well = network.fault < 0
        assert network.measures["voice_failure"][well].max() <= 0.005
        assert network.measures["data_failure"][well].max() <= 0.005
    entity = people()[:600]
    faults = world().faults(MANY_FAULTS)
    touching = {
        "load": -1,
        "core": fault_of(faults, FaultKind.CORE),
        "hardware": fault_of(faults, FaultKind.HARDWARE),
    }
    for name, fault in touching.items():
        for topic in (Topic.SLOW_DATA, Topic.BLOCKED_CALLS):
            cause = day_start(MANY_FAULTS) + 9 * HOUR
            contacts = crowd(entity, afternoon(entity), topic, cause, cell=7, fault=fault)
            rows = told_on(MANY_FAULTS, contacts)
            busy = [
                any(word in row["note"] for word in busy_words(row["language"]))
                for row in rows.iter_rows(named=True)
            ]
            assert any(busy) == (name == "load"), (name, topic)


def fault_of(faults: Faults, kind: FaultKind) -> int:
    """Return the first fault of a kind."""
    found = np.flatnonzero(faults.is_kind(kind))
    assert found.size, kind
    return int(faults.fault_id[found[0]])


def test_what_no_fault_did_was_load() -> None:
    cells = {cell: row for row, cell in enumerate(world().cells.cell_id.to_list())}
    topic = pl.col("topic").cast(pl.String).is_in(["slow data", "blocked calls"])
    rows = records().filter(topic & pl.col("cause_fault_id").is_null())
    assert rows.height > 2
    for row in rows.iter_rows(named=True):
        day = world().day(row["cause_time"].date()).network
        cell, hour = cells[row["cause_cell_id"]], row["cause_time"].hour
        assert day.measures["load"][cell, hour] > 0.7
        slow = day.measures["throughput_factor"][cell, hour] < 0.3
        assert slow or day.measures["block_probability"][cell, hour] > 0.01


def test_an_outage_begins_with_the_first_minute_without_service() -> None:
    inputs = world()
    begun = 0
    for date in DAYS:
        network, start = inputs.day(date).network, day_start(date)
        for cell, first, end in zip(
            network.outage_cell.tolist(),
            network.outage_start.tolist(),
            network.outage_end.tolist(),
            strict=True,
        ):
            for hour in range(first // HOUR, -(-end // HOUR)):
                fault = int(network.fault[cell, hour])
                found = met(inputs, fault, cell, start + hour * HOUR, outage=True)
                assert found is not None
                if first > 0:
                    assert found.since == start + first
                else:
                    assert found.since <= start
                begun += first % HOUR > 0
    assert begun > 20


def test_a_note_says_since_when_there_is_no_service() -> None:
    inputs, date, entity = world(), CROWDED, people()[:500]
    network, start = inputs.day(date).network, day_start(date)
    # Longer than two hours, begun within an hour: the worst hour is a later one.
    long = (network.outage_end - network.outage_start > 2 * HOUR) & (
        network.outage_start % HOUR > 0
    )
    place = int(np.flatnonzero(long)[0])
    cell, first = int(network.outage_cell[place]), int(network.outage_start[place])
    hour = first // HOUR + 1
    cause, fault = start + hour * HOUR, int(network.fault[cell, hour])
    rows = told_on(date, crowd(entity, during(entity), Topic.OUTAGE, cause, cell, fault))
    at = dt.datetime.fromtimestamp((start + first) / 1e6, tz("Europe/Brussels"))
    assert at.minute > 0
    times = {"nl": f"{at:%H}u{at:%M}", "fr": f"{at:%H}h{at:%M}"}
    times |= {"de": f"{at:%H:%M} Uhr", "en": f"{at:%H:%M}"}
    since = 0
    for row in rows.iter_rows(named=True):
        tongue = NOTES[row["language"]]
        lists = tongue.written if row["channel"] in ("app", "social") else tongue.topics
        said = said_in(row["note"], lists[Topic.OUTAGE])
        if any("since" in named_in(each.text) for each in said):
            since += 1
            assert times[row["language"]].removeprefix("0") in row["note"], row["note"]
    assert since > 100


def test_a_fault_met_within_its_first_hour_is_not_older_than_itself() -> None:
    inputs, date, entity = world(), MANY_FAULTS, people()[:200]
    faults = inputs.faults(date)
    core = np.flatnonzero(faults.is_kind(FaultKind.CORE) & (faults.impact % HOUR > MINUTE))
    assert core.size
    impact = int(faults.impact[core[0]])
    begun = -(-impact // MINUTE) * MINUTE
    cause = impact // HOUR * HOUR
    contacts = crowd(
        entity, afternoon(entity), Topic.SLOW_DATA, cause, 7, int(faults.fault_id[core[0]])
    )
    rows = told_on(date, contacts)
    at = dt.datetime.fromtimestamp(begun / 1e6, tz("Europe/Brussels"))
    late, early = f"{at.hour}{{}}{at:%M}", f"{at.hour}{{}}"
    named = [row["note"] for row in rows.iter_rows(named=True) if row["language"] == "nl"]
    assert sum(late.format("u") in note for note in named) > 10
    assert not any(re.search(early.format("u") + r"\D", note) for note in named)


def test_a_note_names_place_and_hour_of_what_was_met() -> None:
    inputs = world()
    place_of = dict(
        inputs.frames["cells"]
        .join(inputs.frames["sites"].select("site_id", "place_id"), on="site_id")
        .join(inputs.frames["places"].select("place_id", "name"), on="place_id")
        .select("cell_id", "name")
        .iter_rows()
    )
    told = records().filter((pl.col("reason") == "network") & (pl.col("resolution") != "abandoned"))
    assert told.height > 10
    dated = 0
    for row in told.iter_rows(named=True):
        tongue = NOTES[row["language"]]
        assert tongue.at(place_of[row["cause_cell_id"]]) in row["note"]
        when = row["cause_time"].astimezone(tz("Europe/Brussels"))
        dated += tongue.date(when.month, when.day) in row["note"]
    # What has lasted since the day before names that day.
    assert dated > 0.8 * told.height


def test_places_dates_and_amounts_are_written_as_the_language_does() -> None:
    french = NOTES["fr"]
    assert [french.at(name) for name in ("Le Roeulx", "Les Bons Villers", "La Louvière")] == [
        "au Roeulx", "aux Bons Villers", "à La Louvière",
    ]  # fmt: skip
    assert NOTES["nl"].at("Le Roeulx") == "in Le Roeulx"
    written = {
        language: (
            tongue.date(3, 7),
            tongue.time(9, 5),
            tongue.time(9, 0),
            tongue.amount(7_500_000),
        )
        for language, tongue in NOTES.items()
    }
    assert written == {
        "nl": ("07/03", "9u05", "9u", "7,50 EUR"),
        "fr": ("07/03", "9h05", "9h", "7,50 EUR"),
        "de": ("07.03.", "9:05 Uhr", "9 Uhr", "7,50 EUR"),
        "en": ("7 Mar", "9:05", "9:00", "EUR 7.50"),
    }


def tz(name: str) -> dt.tzinfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def test_a_note_names_plan_device_and_country() -> None:
    inputs = world()
    rows = records().filter(pl.col("resolution") != "abandoned")
    models = inputs.frames["devices"].select(pl.concat_str("brand", "model", separator=" "))
    devices = rows.filter(pl.col("topic") == "device fault")["note"]
    assert len(devices) > 3
    assert all(any(model in note for model in models.to_series()) for note in devices)
    plans = inputs.frames["plans"]["name"].to_list()
    asked = rows.filter(pl.col("topic").cast(pl.String).is_in(["payment", "question"]))["note"]
    named = [note for note in asked if any(plan in note for plan in plans)]
    assert len(named) > len(asked) / 5
    roaming = rows.filter(pl.col("topic") == "roaming access")
    assert roaming.height > 2
    for row in roaming.iter_rows(named=True):
        names = COUNTRY_NAMES[row["language"]].values()
        assert any(name in row["note"] for name in names), row["note"]


def test_only_countries_outside_the_union_cost_extra() -> None:
    inside = {"FR", "NL", "ES", "DE", "IT", "LU"}
    rows = records().filter(
        (pl.col("topic") == "roaming cost") & (pl.col("resolution") != "abandoned")
    )
    assert rows.height > 5
    for row in rows.iter_rows(named=True):
        tongue, names = NOTES[row["language"]], COUNTRY_NAMES[row["language"]]
        lists = tongue.written if row["channel"] in ("app", "social") else tongue.topics
        said = said_in(row["note"], lists[Topic.ROAMING_COST])[0].text
        where = {code for code, name in names.items() if re.search(rf"{name}\b", row["note"])}
        assert where
        assert ("near" in named_in(said)) == bool(where & inside), row["note"]


def test_contacts_on_a_matter_are_about_the_same() -> None:
    entity = people()
    kept = []
    for number in (1, 2):
        contacts = crowd(entity, during(entity), Topic.DEVICE_FAULT, number=number)
        kept.append(told_on(CROWDED, contacts).select("case_id", "note", "language"))
    both = kept[0].join(kept[1], on="case_id", suffix="_again")
    assert both.height > 500
    for row in both.iter_rows(named=True):
        tongue = NOTES[row["language"]]
        complaints = [
            {
                place
                for lists in (tongue.topics, tongue.written)
                for place, each in enumerate(plain(lists[Topic.DEVICE_FAULT]))
                if re.search(written_with(each.text), note)
            }
            for note in (row["note"], row["note_again"])
        ]
        assert complaints[0] & complaints[1], row


def test_a_note_says_what_was_granted_and_how_often_he_came() -> None:
    rows = records().filter(pl.col("resolution") != "abandoned")
    for row in rows.filter(pl.col("credit") > 0).iter_rows(named=True):
        assert NOTES[row["language"]].amount(row["credit"]) in row["note"]
    again = rows.filter(pl.col("contact_number") > 1)
    assert again.height > 5
    assert all(str(row["contact_number"]) in row["note"] for row in again.iter_rows(named=True))


def test_a_fault_that_lasts_is_told_otherwise_than_one_that_is_over() -> None:
    inputs, entity = world(), people()[:200]
    faults = inputs.faults(CROWDED)
    noon = day_start(CROWDED) + 12 * HOUR
    hit = np.flatnonzero((faults.impact < noon - HOUR) & (faults.impact < faults.end))
    works = faults.is_kind(FaultKind.PLANNED_WORK)
    kinds = set()
    for row in hit.tolist():
        lasts = bool(faults.end[row] > noon + 2 * HOUR)
        if not lasts and faults.end[row] > noon:
            continue
        cause = int(faults.impact[row]) // HOUR * HOUR
        contacts = crowd(
            entity, np.sort(12 * HOUR + entity % 3600 * SECOND), Topic.OUTAGE, cause, 5,
            int(faults.fault_id[row]),
        )  # fmt: skip
        need = {LASTS if lasts else OVER, WORKS if works[row] else FAULT}
        for told in told_on(CROWDED, contacts).iter_rows(named=True):
            tongue = NOTES[told["language"]]
            said = [each for each in plain(tongue.cause) if each.text in told["note"]]
            assert [set(each.when) for each in said] == [need], told["note"]
            if lasts and told["resolution"] == "solved":
                assert any(text in told["note"] for text in texts(tongue.informed))
        kinds.add((lasts, bool(works[row])))
    assert {lasts for lasts, _ in kinds} == {True, False}


def test_who_is_served_again_is_not_barred() -> None:
    entity = people()[:400]
    cause = day_start(CROWDED) - DAY
    contacts = crowd(entity, during(entity), Topic.SUSPENSION, cause)
    for barred in (True, False):
        day = with_contacts(CROWDED, contacts)
        status = day.customers.status.copy()
        standing = LifeStatus.SUSPENDED if barred else LifeStatus.ACTIVE
        status[entity] = list(LifeStatus).index(standing)
        day.__dict__["customers"] = replace(day.customers, status=status)
        rows = care.make(inputs_with(day), CROWDED, Part(0, 0, 3000)).to_frame()
        claims = 0
        for row in rows.filter(pl.col("resolution") != "abandoned").iter_rows(named=True):
            tongue = NOTES[row["language"]]
            both = [*tongue.topics[Topic.SUSPENSION], *tongue.written[Topic.SUSPENSION]]
            claims += any(BARRED in each.when for each in said_in(row["note"], both))
        assert (claims > 0) == barred


def test_channels_are_those_of_the_contract() -> None:
    assert [CHANNELS[code] for code in (CALL, CHAT, APP, SHOP, SOCIAL)] == list(Channel)
