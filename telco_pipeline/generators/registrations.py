"""Registrations: when phones tell the IMS where they are (TS 24.229), as records of the S-CSCF.

Belongs here: when a phone registers and what it is answered. Does not belong here: the fields of
`cdrs_ims` (`cdrs.ims`), when a phone is on (`behaviour.mobility`).

A phone registers when it attaches, in the morning or behind a border, and once a day, at another
time each day, when its IMS connection is set up anew. From then on it refreshes the registration
before it expires, each time by a margin of its own, so there is no clockwork: the next refresh
counts from the last one. A registration from scratch is challenged first (401, RFC 3261 and
TS 33.203) and leaves two records of one dialogue; a refresh is protected by the keys agreed then.
Visitors register with the IMS of their home network, which has those records.
"""

from typing import Final

import numpy as np

from telco_pipeline.behaviour.population import GERAN, MACHINE, VISITOR
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.tables import Choice
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    Columns,
    Day,
    Inputs,
    Rows,
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
# The answer to a challenge takes the SIM; after a failure a phone tries again (RFC 5626, 4.5).
_CHALLENGE: Final = (90_000, 350_000)
_AGAIN: Final = (30 * SECOND, 30 * SECOND)
LONGEST_DIALOGUE: Final = sum(_AGAIN)
"""The last record of a registration comes at most so many microseconds after the first."""
_UNAUTHORISED: Final = 401
_RESPONSE = Choice.of([98.9, 0.4, 0.7])
_RESPONSES: Final = np.array([200, 403, 504], dtype=np.int16)
_OK: Final = 200

# Registrations of one chain, which runs until the next one begins, within two days.
_MOST_REFRESHES: Final = 2 * DAY // (_EXPIRY - _MARGIN - _EARLIER) + 2
_DAILY: Final = 0  # the chain that begins once a day; those behind an attach follow

_S_CSCF: Final = 0
_NO_CODEC: Final = -1


def registrations(day: Day, entities: Rows) -> Columns:
    """Return the records of registrations of a day, in the columns of `cdrs.ims`.

    Some records may lie a minute outside the day.

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
    # Who is about to go leaves no dialogue open.
    kept = volte.copy()
    for time in (points["time"], points["time"] + LONGEST_DIALOGUE):
        kept &= day.in_service(points["entity"], time)
        kept &= ~day.mobility.switched_off(points["entity"], time)
    weight = min(inputs.config.record_weights.ims, 1.0)
    kept &= draws.chance(draws.bits(points["key"], "weight"), weight)
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
    keys = draws.keys(draws.stream(seed, "register", day.number), entity)
    least, spread = _SETUP
    wait = least + draws.below(draws.bits(draws.events(keys, number), "setup"), spread)
    time = np.concatenate([anew[on], switched.time[attach]])
    return {
        "entity": entity,
        "time": time + wait + shift,
        "day": np.full(len(entity), day.number),
        "index": number * _MOST_REFRESHES,
        "key": keys,
    }


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
    """Return the records of registrations: the final one, and what came before it."""
    inputs, key = day.inputs, points["key"]
    response = _RESPONSES[_RESPONSE.sample(draws.bits(key, "response"))]
    failed = response != _OK
    twice = np.flatnonzero(points["fresh"] | failed)
    number = points["index"] * RECORDS_PER_EVENT
    session = _packed(points["day"], points["entity"], number)
    final = {
        "time": points["time"] + _wait(key, failed),
        "entity": points["entity"],
        "response": np.full(len(key), _OK, dtype=np.int16),
        "session": session,
        "record": session + (points["fresh"] | failed),
        "key": key,
    }
    earlier = {
        "time": points["time"],
        "entity": points["entity"],
        "response": np.where(failed, response, np.int16(_UNAUTHORISED)),
        "session": session,
        "record": session,
        "key": key,
    }
    challenge = np.where(points["fresh"] & ~failed, _challenge(key), 0)
    final["time"] += challenge
    rows = {name: np.concatenate([values, earlier[name][twice]]) for name, values in final.items()}
    return _with_place(day, rows, inputs)


def _wait(key: Bits, failed: np.ndarray) -> Rows:
    """Return how long after a failure a phone registers again."""
    least, spread = _AGAIN
    return np.where(failed, least + draws.below(draws.bits(key, "again"), spread), 0)


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


def _with_place(day: Day, rows: Columns, inputs: Inputs) -> Columns:
    """Return the records with the cell and what registrations do not have."""
    count = len(rows["time"])
    where = day.positions(rows["entity"], rows["time"])
    return {
        **rows,
        "start": np.full(count, -1),
        "end": np.full(count, -1),
        "party": np.full(count, -1),
        "role": np.zeros(count, dtype=np.int8),
        "method": np.ones(count, dtype=np.int8),
        "node": np.full(count, _S_CSCF, dtype=np.int8),
        "codec": np.full(count, _NO_CODEC, dtype=np.int8),
        "cell": _packet_cell(inputs, where.cell),
        "country": where.country,
        "wifi": np.zeros(count, dtype=np.bool_),
        # Each request has a charging identifier of its own.
        "call": rows["record"],
    }


def _packet_cell(inputs: Inputs, cell: Rows) -> Rows:
    """Return the cell itself, or the LTE cell of its site for a GERAN cell."""
    geran = inputs.cells.rat[cell] == GERAN
    return np.where(geran, inputs.cells.lte_sibling[cell], cell).astype(np.int64)


# A day's indices must fit beside each other in an id.
assert (MOST_SWITCHES + 1) * _MOST_REFRESHES * RECORDS_PER_EVENT <= 1 << 16
