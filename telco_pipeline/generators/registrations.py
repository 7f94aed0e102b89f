"""Registrations: when phones tell the IMS where they are (TS 24.229), as records of the S-CSCF.

Belongs here: when a phone registers and what it is answered. Does not belong here: the fields of
`cdrs_ims` (`cdrs.ims`), when a phone is on (`behaviour.mobility`).

A phone registers when it attaches, in the morning or behind a border, and once a day, at another
time each day, when its IMS connection is set up anew. From then on it refreshes the registration
before it expires, each time by a margin of its own, so there is no clockwork: the next refresh
counts from the last one. A registration from scratch is challenged first (401, RFC 3261 and
TS 33.203) and leaves two records of one dialogue; a refresh is protected by the keys agreed then.
Where the network fails a request, as the state of the cell has it, or refuses it, the phone tries
again, waiting longer each time; without service it does not register at all. Visitors register with
the IMS of their home network, which has those records.
"""

from typing import Final

import numpy as np

from telco_pipeline.behaviour.population import GERAN, MACHINE, VISITOR
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import MAX_INDEX, pack
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    Columns,
    Day,
    Inputs,
    Rows,
)
from telco_pipeline.generators.cdrs.sides import NOWHERE, measured, taken_over
from telco_pipeline.generators.refusals import (
    ACCEPTED,
    PERMANENT,
    Attempts,
    refused_registrations,
    unattached,
)
from telco_pipeline.generators.switching import MOST_SWITCHES, switches

# The network grants four hours (practice: one to some days); a phone refreshes ten minutes before
# they are over (TS 24.229, 5.1.1.4.1) or somewhat earlier.
_EXPIRY: Final = 4 * 3600 * SECOND
_MARGIN: Final = 600 * SECOND
_EARLIER: Final = 1800 * SECOND
# Between attach and registration lie a second attempt, if the first was rejected, and the set-up of
# the connection.
_SETUP: Final = (15 * SECOND, 6 * SECOND)
# The answer to a challenge takes the SIM; after a failure a phone tries again, and waits twice as
# long each time (RFC 5626, 4.5: from half of the longest wait on). Then it gives up until the next
# refresh.
_CHALLENGE: Final = (90_000, 350_000)
_AGAIN: Final = (30 * SECOND, 30 * SECOND)
_TRIES: Final = 4
LONGEST_DIALOGUE: Final = sum(_AGAIN) * (2 ** (_TRIES - 1) - 1) + SECOND
"""The last record of a registration comes at most so many microseconds after the first."""
_UNAUTHORISED: Final = 401
_OK: Final = 200
# What the home subscriber server refuses the first time (practice); what failing nodes answer:
# service unavailable, server time-out.
_REFUSED: Final = 0.004
_FORBIDDEN: Final = 403
_FAILURES: Final = np.array([503, 504], dtype=np.int16)

# Registrations of one chain, which runs until the next one begins, within two days.
_MOST_REFRESHES: Final = 2 * DAY // (_EXPIRY - _MARGIN - _EARLIER) + 2
_DAILY: Final = 0  # the chain that begins once a day; those behind an attach follow
_MOST_BACK: Final = 800  # attaches of a day after a refusal

_S_CSCF: Final = 0
_NO_CODEC: Final = -1


def registrations(day: Day, entities: Rows) -> Columns:
    """Return the records of registrations of a day, in the columns of `cdrs.ims`.

    Some records may lie minutes outside the day.

    Args:
        day: The day.
        entities: Entity numbers.
    """
    inputs = day.inputs
    kind = inputs.population.kind[entities]
    entities = entities[(kind != MACHINE) & (kind != VISITOR)]
    chains = [_chains(day, entities, 0)]
    if day.date > inputs.config.epoch:
        chains.append(_chains(day.before, entities, -DAY))
    begun = {name: np.concatenate([one[name] for one in chains]) for name in chains[0]}
    points = _refreshes(day, begun)
    volte = inputs.identities.volte[day.identity(points["entity"], points["time"])]
    weight = min(inputs.config.record_weights.ims, 1.0)
    kept = volte & draws.chance(draws.bits(points["key"], "weight"), weight)
    rows = np.flatnonzero(kept)
    return _dialogues(day, {name: values[rows] for name, values in points.items()})


def _chains(day: Day, entities: Rows, shift: int) -> Columns:
    """Return the registrations from scratch of a day.

    Args:
        day: The day.
        entities: Entity numbers.
        shift: What to add to its times.
    """
    seed = day.inputs.config.seed
    daily = draws.keys(draws.stream(seed, "register/daily", day.number), entities)
    anew = (draws.uniform(daily) * DAY).astype(np.int64)
    # Of a phone that is off then nothing is heard.
    on = np.flatnonzero(~day.mobility.switched_off(entities, anew))
    switched = switches(day, entities)
    attach = np.flatnonzero(switched.on & (switched.time >= 0) & (switched.time < DAY))
    entity = np.concatenate([entities[on], switched.entity[attach]])
    number = np.concatenate([np.full(len(on), _DAILY), switched.number[attach] + _DAILY + 1])
    begun = np.concatenate([anew[on], switched.time[attach]])
    if day.refusals:
        back, which = _back(day, entities)
        entity, begun = np.append(entity, back.entity), np.append(begun, back.time)
        number = np.append(number, which)
    keys = draws.keys(draws.stream(seed, "register", day.number), entity)
    least, spread = _SETUP
    wait = least + draws.below(draws.bits(draws.events(keys, number), "setup"), spread)
    return {
        "entity": entity,
        "time": begun + wait + shift,
        "day": np.full(len(entity), day.number),
        "index": number * _MOST_REFRESHES,
        "key": keys,
    }


def _back(day: Day, entities: Rows) -> tuple[Attempts, Rows]:
    """Return the attaches that the network accepts after it had refused; and their numbers."""
    tried = day.refusals.attempts
    rows = np.flatnonzero((tried.cause == ACCEPTED) & np.isin(tried.entity, entities))
    rows = rows[_is_on(day, tried.entity[rows], tried.time[rows])]
    back = tried.select(rows)
    place = np.arange(len(rows)) - np.searchsorted(back.entity, back.entity, side="left")
    kept = place < _MOST_BACK
    return back.select(kept), place[kept] + MOST_SWITCHES + _DAILY + 1


def _refreshes(day: Day, begun: Columns) -> Columns:
    """Return each chain's registrations until the next chain of the phone begins."""
    first = int(begun["entity"].min(initial=0))
    order = np.argsort(((begun["entity"] - first) << 40) + begun["time"] + DAY, kind="stable")
    begun = {name: values[order] for name, values in begun.items()}
    entity, time = begun["entity"], begun["time"]
    until = np.append(np.where(entity[1:] == entity[:-1], time[1:], DAY), DAY)[: len(entity)]
    step = {**begun, "fresh": np.ones(len(entity), dtype=np.bool_), "until": until}
    step["key"] = draws.events(begun["key"], begun["index"])
    keys, found = begun["key"], []
    while not found or len(step["time"]):
        near = np.flatnonzero(step["time"] >= -LONGEST_DIALOGUE)
        found.append({name: values[near] for name, values in step.items() if name != "until"})
        early = draws.uniform(draws.bits(step["key"], "margin"))
        gap = _EXPIRY - _MARGIN - (early * early * _EARLIER).astype(np.int64)
        later = step["time"] + gap
        rows = np.flatnonzero(later < step["until"])
        index = step["index"][rows] + 1
        keys = keys[rows]
        step = {
            "entity": step["entity"][rows],
            "time": later[rows],
            "day": step["day"][rows],
            "index": index,
            "key": draws.events(keys, index),
            "fresh": np.zeros(len(rows), dtype=np.bool_),
            "until": step["until"][rows],
        }
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def _dialogues(day: Day, points: Columns) -> Columns:
    """Return the records of registrations: of each try that failed, a challenge, and the success.

    A record's number within its event is the try's, then `_TRIES` and one more.
    """
    number = points["index"] * RECORDS_PER_EVENT
    session = _packed(points["day"], points["entity"], number)
    refused = draws.chance(draws.bits(points["key"], "response"), _REFUSED)
    rows, time, found = np.arange(len(session)), points["time"], []
    for number in range(_TRIES):
        entity, key = points["entity"][rows], points["key"][rows]
        place = _place(day, entity, time)
        there = np.flatnonzero(place["there"] & _is_on(day, entity, time))
        rows, time, key = rows[there], time[there], key[there]
        place = {name: values[there] for name, values in place.items() if name != "there"}
        tried = draws.events(key, np.full(len(key), number))
        failed = draws.chance(draws.bits(tried, "signalling"), place.pop("failure"))
        barred, causes = refused_registrations(day, entity[there], time, tried)
        failed[barred] = True
        which = draws.below(draws.bits(tried, "failure"), len(_FAILURES))
        response = np.where(failed, _FAILURES[which], np.int16(_OK))
        response[barred[np.isin(causes, PERMANENT)]] = _FORBIDDEN
        if number == 0:
            response = np.where(refused[rows], np.int16(_FORBIDDEN), response)
        good = response == _OK
        common = {**place, "entity": points["entity"][rows], "session": session[rows], "key": key}
        fresh = points["fresh"][rows] & good
        answered = np.where(good, _TRIES + fresh, number)
        final = {**common, "time": time + np.where(fresh, _challenge(key), 0)}
        found.append({**final, "response": response, "record": session[rows] + answered})
        asked = {name: values[fresh] for name, values in common.items()}
        challenge = np.full(int(fresh.sum()), _UNAUTHORISED, dtype=np.int16)
        record = asked["session"] + _TRIES
        found.append({**asked, "time": time[fresh], "response": challenge, "record": record})
        again = np.flatnonzero(~good)
        time = time[again] + (_wait(tried[again]) << number)
        rows = rows[again]
        if not rows.size:
            break
    return _complete({name: np.concatenate([one[name] for one in found]) for name in found[0]})


def _is_on(day: Day, entity: Rows, time: Rows) -> np.ndarray:
    """Return whose phone is on, and whose subscription active, for as long as a request takes."""
    on = np.ones(len(entity), dtype=np.bool_)
    for when in (time, time + SECOND):
        on &= day.in_service(entity, when)
        on &= ~day.mobility.switched_off(entity, when)
    return on


def _wait(key: Bits) -> Rows:
    """Return how long after its first failure a phone tries again."""
    least, spread = _AGAIN
    return least + draws.below(draws.bits(key, "again"), spread)


def _challenge(key: Bits) -> Rows:
    """Return how long the answer to a challenge takes."""
    least, spread = _CHALLENGE
    return least + draws.below(draws.bits(key, "challenge"), spread)


def _packed(day_number: Rows, entity: Rows, index: Rows) -> Rows:
    """Return what ids are made from, by the day on which the chain began."""
    packed = np.empty_like(entity)
    for number in np.unique(day_number).tolist():
        rows = np.flatnonzero(day_number == number)
        packed[rows] = pack(EVENT_KINDS["register"], number, entity[rows], index[rows])
    return packed


def _place(day: Day, entity: Rows, time: Rows) -> Columns:
    """Return where phones are at a time: `cell`, `country`, whether `there` is service; `failure`.

    The last is the probability that signalling fails. What lies before the day is asked of the day
    before, so that both days agree about it.
    """
    earlier = time < 0
    if not earlier.any():
        return _place_on(day, entity, time)
    parts = [
        (rows, _place_on(one, entity[rows], time[rows] + later))
        for rows, one, later in (
            (np.flatnonzero(earlier), day.before, DAY),
            (np.flatnonzero(~earlier), day, 0),
        )
    ]
    order = np.argsort(np.concatenate([rows for rows, _ in parts]), kind="stable")
    return {
        name: np.concatenate([place[name] for _, place in parts])[order] for name in parts[0][1]
    }


def _place_on(day: Day, entity: Rows, time: Rows) -> Columns:
    """Return `_place` of times that lie in the day or behind it."""
    cells, where = day.inputs.cells, day.positions(entity, time)
    cell = _packet_cell(day.inputs, where.cell)
    home = ~where.abroad
    down = np.flatnonzero(home & day.network.is_lost(entity, cell, time))
    if down.size:
        instead = taken_over(day, entity[down], cell[down], where.cell[down], time[down])
        cell[down] = np.where(cells.rat[instead] == GERAN, NOWHERE, instead)
    cell[unattached(day, entity, time)] = NOWHERE
    return {
        "cell": cell,
        "country": where.country,
        "there": cell >= 0,
        "failure": measured(day, "signalling_failure", cell, time, home & (cell >= 0)),
    }


def _complete(rows: Columns) -> Columns:
    """Return the records with what registrations do not have."""
    count = len(rows["time"])
    return {
        **rows,
        "start": np.full(count, -1),
        "end": np.full(count, -1),
        "party": np.full(count, -1),
        "role": np.zeros(count, dtype=np.int8),
        "method": np.ones(count, dtype=np.int8),
        "node": np.full(count, _S_CSCF, dtype=np.int8),
        "codec": np.full(count, _NO_CODEC, dtype=np.int8),
        "wifi": np.zeros(count, dtype=np.bool_),
        # Each request has a charging identifier of its own.
        "call": rows["record"],
    }


def _packet_cell(inputs: Inputs, cell: Rows) -> Rows:
    """Return the cell itself, or the LTE cell of its site for a GERAN cell."""
    geran = inputs.cells.rat[cell] == GERAN
    return np.where(geran, inputs.cells.lte_sibling[cell], cell).astype(np.int64)


# A day's indices must fit beside each other in an id.
assert (MOST_SWITCHES + 1 + _MOST_BACK) * _MOST_REFRESHES * RECORDS_PER_EVENT <= MAX_INDEX
