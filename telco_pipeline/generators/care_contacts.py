"""How each contact with customer care goes: channel, waiting, agent, handling, and its call.

Belongs here: what the records of the contact and of its care call share. Does not belong here: who
contacts care and why, which state decides (`day.customers.contacts`); what the contact's record
says (`care`); the voice record of the call (`cdrs.calls`).

The contacts of a whole day are worked out together, as they queue for the same agents; they are
few. An hour of a channel has its planned agents and an Erlang-A queue (`care_queue`): agents are
planned for a normal day, so an outage that many report makes long waits and hang-ups.

The world is a sample of the operator, and the queue is that of the whole. An hour of a small
sample tells little of the load, so it is estimated: with e contacts planned in the sample and n
come, the load is (n + k) / (e + k) times the planned one, the mean of a gamma-Poisson posterior
whose prior has shape k. Chance alone then moves it by at most 1 / (2 sqrt(k)), a tenth.
"""

from dataclasses import dataclass, fields
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import MACHINE, VISITOR
from telco_pipeline.contracts.codes import Channel, LifeStatus, Reason, Topic
from telco_pipeline.contracts.world import LANGUAGES
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.generators.base import EVENT_KINDS, RECORDS_PER_EVENT, Day, Rows
from telco_pipeline.generators.care_agents import (
    SHOPS,
    TEAM_OF_REASON,
    Desk,
    Roster,
)
from telco_pipeline.generators.care_queue import Queue, planned_agents
from telco_pipeline.generators.cdrs.lengths import shortest
from telco_pipeline.generators.cdrs.sides import has_service

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

CHANNELS: Final = tuple(Channel)
TOPICS: Final = tuple(Topic)
REASONS: Final = tuple(Reason)
CALL, CHAT, APP, SHOP, SOCIAL = range(5)
NO_AGENT: Final = -1
CONTACT_RECORD: Final = RECORDS_PER_EVENT - 1
"""Number of the contact's own record within its event; those of its call come before."""

# Contacts a year and customer that care is planned for (practice: 1-3).
_PLANNED_A_YEAR: Final = 1.8
# Which channel somebody takes: call, chat, app, shop, social (practice). A broken phone goes to
# the shop; an outage is told to the world.
_USUAL: Final = (52.0, 22.0, 14.0, 8.0, 4.0)
_MIXES: Final = {
    Topic.OUTAGE: (50.0, 18.0, 14.0, 1.0, 17.0),
    Topic.DROPPED_CALLS: (52.0, 23.0, 13.0, 6.0, 6.0),
    Topic.BLOCKED_CALLS: (52.0, 22.0, 13.0, 6.0, 7.0),
    Topic.SLOW_DATA: (38.0, 28.0, 18.0, 5.0, 11.0),
    Topic.PAYMENT: (38.0, 22.0, 30.0, 8.0, 2.0),
    Topic.ALLOWANCE: (28.0, 26.0, 38.0, 5.0, 3.0),
    Topic.PLAN_CHANGE: (36.0, 24.0, 24.0, 14.0, 2.0),
    Topic.NEW_DEVICE: (24.0, 16.0, 8.0, 50.0, 2.0),
    Topic.DEVICE_FAULT: (30.0, 16.0, 6.0, 45.0, 3.0),
    Topic.SIM_SWAP: (36.0, 14.0, 10.0, 39.0, 1.0),
    Topic.SUSPICIOUS_CALLS: (58.0, 24.0, 10.0, 3.0, 5.0),
    Topic.LEAVING: (60.0, 16.0, 8.0, 14.0, 2.0),
}
_CHANNEL = Choice.of([_MIXES.get(topic, _USUAL) for topic in TOPICS])
_HABIT: Final = 0.55  # contacts for which a customer takes the channel he always takes
_INSTEAD: Final = (APP, SHOP, SOCIAL)

# Handling time 5-8 minutes (practice): median in seconds by topic, spread in ln, and how much
# longer or shorter it is in each channel.
_USUAL_HANDLING: Final = 310.0
_HANDLINGS: Final = {
    Topic.OUTAGE: 220.0,
    Topic.HIGH_BILL: 390.0,
    Topic.ROAMING_COST: 380.0,
    Topic.NEW_DEVICE: 400.0,
    Topic.DEVICE_FAULT: 420.0,
    Topic.SUSPICIOUS_CALLS: 370.0,
    Topic.LEAVING: 430.0,
    Topic.ALLOWANCE: 230.0,
    Topic.QUESTION: 230.0,
}
_MEDIAN: Final = np.array([_HANDLINGS.get(topic, _USUAL_HANDLING) for topic in TOPICS])
_SPREAD = QuantileTable.log_normal(1.0, 0.55)
_CHANNEL_HANDLING: Final = np.array([1.0, 1.2, 0.35, 1.35, 0.8])
_SHORTEST: Final = 20
_LONGEST: Final = 5400
# Mean handling for which agents are planned, by the pools that queue: call and chat.
_POOL_HANDLING: Final = (375.0, 450.0)
# Mean time after which who waits hangs up: 5 to 20 minutes (Mandelbaum and Zeltyn 2013).
_PATIENCE: Final = (900.0, 700.0)
_IMPATIENT: Final = QuantileTable.exponential(1.0)
_LEAST_PATIENCE: Final = 5.0  # nobody hangs up before the greeting is over
_LONGEST_QUEUE: Final = 5400
_SHOP_QUEUE = QuantileTable.log_normal(240.0, 0.9)
_SOCIAL_QUEUE = QuantileTable.log_normal(1500.0, 0.8)

# Opening hours, local, of phone and chat and of the shops: working days, free days; none on
# Sundays for shops, whose day after is a working day.
_DESK_OPEN: Final = ((8 * HOUR, 20 * HOUR), (9 * HOUR, 18 * HOUR))
_SHOP_OPEN: Final = (10 * HOUR, 18 * HOUR)
_SUNDAY: Final = 6
_SOCIAL_OPENS: Final = 8 * HOUR
# What care expects, as its own history shows: weights of the local hours in percent, and of the
# weekdays from Monday on, when what waited over a Sunday comes too.
_HOURS: Final = np.array(
    [
        *(0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.3, 1.1, 8.8, 11.7, 11.7, 9.9),
        *(7.2, 7.6, 8.0, 7.2, 7.0, 6.5, 5.5, 3.6, 1.5, 1.0, 0.7, 0.5),
    ]
)
_WEEK: Final = np.array([1.50, 0.95, 1.00, 1.00, 1.05, 1.00, 0.50])
_MONDAY: Final = 2  # day number 0 is a Saturday
_PRIOR: Final = 25.0  # k of the module's docstring
_MOST_OVERLOAD: Final = 8.0
_MOST_ERLANGS: Final = 3000.0  # larger centres are several of this size
_STEP: Final = 16.0  # loads are told apart in sixteenths


@dataclass(frozen=True)
class Contacted:
    """Contacts of some entities on a day, in order of entity; one array element each.

    Attributes:
        entity: Entity number; nobody has two on a day.
        time: When it begins, in microseconds of the UTC day.
        channel: Position in `CHANNELS`.
        queue: Seconds of waiting.
        handling: Seconds with an agent or, in the app, with its menus; 0 if abandoned.
        abandoned: Who hung up in the queue.
        number: Which contact on the same matter, 1 the first.
        reason: Position in `REASONS`.
        topic: Position in `TOPICS`.
        case: The matter.
        key: Hash from which the rest of the contact is drawn.
        is_call: Who called the care number with his phone: has a voice record.
        fault: Fault that it is about, -1 none.
        cell: Cell in which it was met, -1 none.
        cause: Moment of its cause in microseconds since 1970-01-01 UTC, -1 none.
        usual_spend: What the customer is used to pay a month, micro-euro.
        agent: Number of the agent, `NO_AGENT` if there is none.
    """

    entity: Rows
    time: Rows
    channel: npt.NDArray[np.int8]
    queue: Rows
    handling: Rows
    abandoned: Flags
    number: npt.NDArray[np.int16]
    reason: npt.NDArray[np.int8]
    topic: npt.NDArray[np.int8]
    case: Rows
    key: Bits
    is_call: Flags
    fault: Rows
    cell: npt.NDArray[np.int32]
    cause: Rows
    usual_spend: Rows
    agent: npt.NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of contacts."""
        return len(self.entity)

    @property
    def seconds(self) -> Rows:
        """How long the line is busy: waiting and handling, in whole seconds."""
        return self.queue + self.handling

    def select(self, chosen: npt.NDArray) -> "Contacted":
        """Return some of the contacts (mask or row numbers)."""
        return Contacted(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def bits(self, attribute: str) -> Bits:
        """Return random bits for an attribute."""
        return draws.bits(self.key, attribute)


_DAYS: WeakKeyDictionary[Day, Contacted] = WeakKeyDictionary()


def care_contacts(day: Day, entities: Rows) -> Contacted:
    """Return the contacts of some entities on a day.

    Args:
        day: The day; its customers say who contacts care.
        entities: Entity numbers, rising.
    """
    if day not in _DAYS:
        # All queue together; kept as long as the day is, for the other parts and the calls.
        _DAYS[day] = _whole_day(day)
    contacts = _DAYS[day]
    place = np.searchsorted(entities, contacts.entity)
    there = place < len(entities)
    there[there] = entities[place[there]] == contacts.entity[there]
    return contacts.select(np.flatnonzero(there))


def care_call_number(day: Day, contacts: Contacted) -> Rows:
    """Return the packed number of each contact: what ids of its call are made from.

    The call has the records 0 and up of this event, the contact itself `CONTACT_RECORD`.
    """
    return pack(EVENT_KINDS["care"], day.number, contacts.entity, 0)


def _whole_day(day: Day) -> Contacted:
    """Work out all contacts of a day."""
    planned = day.customers.contacts
    seed = day.inputs.config.seed
    entity = planned.entity.astype(np.int64)
    time = planned.time.astype(np.int64)
    key = draws.keys(draws.stream(seed, "care", day.number), entity)
    person = draws.keys(draws.stream(seed, "care/habit"), day.inputs.population.leader[entity])
    topic = planned.topic.astype(np.int64)
    habit = draws.chance(draws.bits(key, "habit"), _HABIT)
    channel = _CHANNEL.sample(np.where(habit, person, draws.bits(key, "channel")), topic)
    channel = _possible(day, entity, time, channel.astype(np.int64), key)
    queue, patience = _waits(day, time, channel, key)
    handling = _handling(day, channel, topic, key)
    queue, handling, abandoned, agent = _answered(
        day, entity, time, channel, TEAM_OF_REASON[planned.reason], queue, patience, handling, key
    )
    return Contacted(
        entity=entity,
        time=time,
        channel=channel.astype(np.int8),
        queue=queue,
        handling=handling,
        abandoned=abandoned,
        number=planned.number.astype(np.int16),
        reason=planned.reason.astype(np.int8),
        topic=planned.topic.astype(np.int8),
        case=planned.case.astype(np.int64),
        key=key,
        is_call=channel == CALL,
        fault=planned.fault_id.astype(np.int64),
        cell=planned.cell.astype(np.int32),
        cause=planned.cause_time.astype(np.int64),
        usual_spend=planned.usual_spend.astype(np.int64),
        agent=agent,
    )


def _possible(day: Day, entity: Rows, time: Rows, wanted: Rows, key: Bits) -> Rows:
    """Return the channels taken: those wanted where they are open and can be reached.

    A call needs a phone that is on, in the country and in service, with a cell for voice; chat and
    app an active subscription; the shop a customer in the country. Social media are always there.
    """
    if not len(entity):
        return wanted
    mobility, where = day.mobility, day.mobility.at(entity, time)
    active = day.in_service(entity, time)
    human = day.inputs.population.kind[entity] != MACHINE
    on = ~mobility.switched_off(entity, time) & ~where.abroad
    desk, shop = _open(day, time)
    able = np.ones((len(entity), len(CHANNELS)), dtype=np.bool_)
    able[:, CALL] = desk & active & human & on & has_service(day, entity, time, key)
    able[:, CHAT] = desk & active
    able[:, APP] = active
    able[:, SHOP] = shop & ~where.abroad
    rows = np.arange(len(entity))
    taken = np.where(able[rows, wanted], wanted, SOCIAL)
    lost = np.flatnonzero(~able[rows, wanted])
    for instead in reversed(_INSTEAD):
        there = lost[able[lost, instead]]
        taken[there] = instead
    return taken


def _open(day: Day, time: Rows) -> tuple[Flags, Flags]:
    """Return whether phone and chat, and the shops, are open at each time."""
    local, _, free = day.clock.local(time)
    opens, closes = np.array(_DESK_OPEN)[free.astype(np.int64)].T
    sunday = day.clock.weekday[time // HOUR] == _SUNDAY
    shop = (local >= _SHOP_OPEN[0]) & (local < _SHOP_OPEN[1]) & ~sunday
    return (local >= opens) & (local < closes), shop


def planned_by_hour(day: Day) -> Floats:
    """Return how many contacts care is planned for in each UTC hour of the day, in this world."""
    population, clock = day.inputs.population, day.clock
    active = day.customers.status == list(LifeStatus).index(LifeStatus.ACTIVE)
    human = population.kind[: len(active)] < VISITOR  # state knows nobody before he joins
    customers = int(np.count_nonzero(active & human))
    share = _HOURS[clock.local_hour] / 100.0 * _WEEK[(clock.local_date_number - _MONDAY) % 7]
    weight = day.inputs.config.record_weights.customer_service
    return customers * _PLANNED_A_YEAR / 365.0 * weight * share


def _waits(day: Day, time: Rows, channel: Rows, key: Bits) -> tuple[Floats, Floats]:
    """Return how long each customer would wait, and how long he is ready to, in seconds."""
    hour = time // HOUR
    planned = planned_by_hour(day)
    come = np.bincount(hour, minlength=24)
    crowd = _load(come, planned)
    queue = np.zeros(len(time))
    patience = np.full(len(time), np.inf)
    bits = {name: draws.bits(key, name) for name in ("found", "queue", "patience")}
    config = day.inputs.config
    whole = config.sample_of / max(config.subscribers, 1)
    for pool, mean, patient in zip((CALL, CHAT), _POOL_HANDLING, _PATIENCE, strict=True):
        mine = channel == pool
        share = _USUAL[pool] / 100.0
        load = _load(np.bincount(hour[mine], minlength=24), planned * share)
        for at in np.unique(hour[mine]).tolist():
            rows = np.flatnonzero(mine & (hour == at))
            erlangs = round(float(planned[at]) * share * whole * mean / 3600.0, 1)
            erlangs = min(max(erlangs, 0.1), _MOST_ERLANGS)
            agents = planned_agents(erlangs, mean, patient)
            line = Queue.of(erlangs * float(load[at]), agents, mean, patient)
            queue[rows] = line.waits(bits["found"][rows], bits["queue"][rows])
        drawn = _IMPATIENT.sample(bits["patience"][mine]) * patient
        patience[mine] = np.maximum(drawn, max(_LEAST_PATIENCE, shortest(config) // SECOND))
    rows = np.flatnonzero(channel == SHOP)
    queue[rows] = _SHOP_QUEUE.sample(bits["queue"][rows]) * crowd[hour[rows]]
    rows = np.flatnonzero(channel == SOCIAL)
    queue[rows] = _SOCIAL_QUEUE.sample(bits["queue"][rows]) * crowd[hour[rows]]
    return np.minimum(queue, _LONGEST_QUEUE), patience


def _load(come: Rows, planned: Floats) -> Floats:
    """Return the load of each hour over the planned one (see the module's docstring)."""
    estimate = (come + _PRIOR) / (planned + _PRIOR)
    return np.minimum(np.rint(estimate * _STEP) / _STEP, _MOST_OVERLOAD)


def _handling(day: Day, channel: Rows, topic: Rows, key: Bits) -> Rows:
    """Return the handling time of each contact in whole seconds, were it answered."""
    seconds = _MEDIAN[topic] * _SPREAD.sample(draws.bits(key, "handling"))
    least = max(_SHORTEST, shortest(day.inputs.config) // SECOND)
    seconds = np.clip(seconds * _CHANNEL_HANDLING[channel], least, _LONGEST)
    longest = np.where(channel == CALL, day.inputs.config.longest_call_s, _LONGEST)
    return np.minimum(seconds.astype(np.int64), longest)


def _answered(
    day: Day,
    entity: Rows,
    time: Rows,
    channel: Rows,
    team: Rows,
    queue: Floats,
    patience: Floats,
    handling: Rows,
    key: Bits,
) -> tuple[Rows, Rows, Flags, npt.NDArray[np.int32]]:
    """Let agents take the contacts in order of time: an agent has one at a time.

    Returns:
        Waiting and handling in whole seconds, who hung up, and the number of the agent.
    """
    waited = np.rint(queue).astype(np.int64)
    local = time + day.clock.offset[time // HOUR]
    social = channel == SOCIAL
    waited[social] = np.maximum(
        waited[social], -(-np.maximum(_SOCIAL_OPENS - local[social], 0) // SECOND)
    )
    # A call ends at the network's limit in any case, and who is put through has a second to speak.
    longest = day.inputs.config.longest_call_s
    limit = np.where(channel == CALL, np.minimum(patience, longest - 1), patience)
    handled = handling.copy()
    gave_up = np.zeros(len(entity), dtype=np.bool_)
    agent = np.full(len(entity), NO_AGENT, dtype=np.int32)
    team = np.where(channel == SHOP, SHOPS, team)
    codes = {name: code for code, name in enumerate(LANGUAGES)}
    language = [codes[name] for name in day.inputs.population.language.gather(entity)]
    choice = draws.below(draws.bits(key, "agent"), 1 << 20).tolist()
    served = np.flatnonzero(channel != APP)
    desk = _desk(day) if served.size else None
    for row in served[np.argsort(time[served], kind="stable")].tolist():
        assert desk is not None
        start, wait = int(local[row]), int(waited[row])
        place, busy = desk.find(int(team[row]), language[row], start + wait * SECOND, choice[row])
        wait += -(-busy // SECOND)
        if wait > limit[row]:
            gave_up[row], waited[row], handled[row] = True, max(int(limit[row]), 1), 0
            continue
        if channel[row] == CALL:
            handled[row] = min(int(handled[row]), longest - wait)
        waited[row] = wait
        agent[row] = desk.take(place, start + (wait + int(handled[row])) * SECOND)
    waited[channel == APP] = 0
    return waited, handled, gave_up, agent


def _desk(day: Day) -> Desk:
    """Return the agents of the day, as many as the whole operator plans for."""
    config = day.inputs.config
    human = day.inputs.population.kind[: config.subscribers] < VISITOR
    customers = int(np.count_nonzero(human))
    whole = config.sample_of / max(config.subscribers, 1)
    a_week = customers * whole * _PLANNED_A_YEAR * config.record_weights.customer_service / 52.0
    with_agent = (100.0 - _USUAL[APP]) / 100.0
    return Roster.of(day, a_week * with_agent * _POOL_HANDLING[0] / 3600.0).desk()
