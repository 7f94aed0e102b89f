"""What data sessions are at their start: admitted or not, of which application, how much, how long.

Belongs here: the cell at the start, admission, volume and duration as the radio access and the
state of the cell allow, loss by bad radio. Does not belong here: when sessions start
(`data_sessions`), what happens on the way (`data_way`), their records (`data`, `data_records`).

People's volumes are log-normal by service and durations follow v = a d^b (Zanella et al., IMC
2023). Machines send small reports, more up than down (Shafiq 2012).

A phone without service starts nothing. An attempt in a cell is refused with the probability that
the state of the cell at that time says: by the cell (it is full) or by the core. What is admitted
gets the part of the rate that the load of the cell leaves, so that a session that is faster lasts
longer, or carries less. It is lost with a hazard that is constant in time and as high as the state
says for a session of usual length; devices at fault (`malfunctions`) lose more, or restart.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from telco_pipeline.behaviour.population import MACHINE
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.generators.base import Columns, Day, Events, Rows, packet_access
from telco_pipeline.generators.cdrs.applications import (
    LEAST_VOLUME,
    LONGEST,
    MACHINES,
    field,
    services,
)
from telco_pipeline.generators.cdrs.data_quality import (
    RATE_BITS,
    UPLINK_FACTOR,
    part_of_rate,
    state_rows,
    time_per_byte,
)
from telco_pipeline.generators.cdrs.data_sessions import TAIL
from telco_pipeline.generators.cdrs.terms import may_differ, terms
from telco_pipeline.generators.malfunctions import lost_by_device
from telco_pipeline.generators.refusals import turned_away, until_lost
from telco_pipeline.generators.serving import NO_CELL, serving_cell
from telco_pipeline.generators.usage import factors
from telco_pipeline.settings import WorldConfig

RELEASED: Final = 0
LOST: Final = 1
REFUSED_BY_CELL: Final = 26
REFUSED_BY_CORE: Final = 38
"""How sessions end: released, lost, or refused with an ESM or 5GSM cause (TS 24.301, TS 24.501):
insufficient resources, network failure."""

LEAST_DURATION: Final = SECOND // 100
"""What is cut off lasts at least so long; an attempt that is refused as good as nothing."""
# Length of a session to which the probability of a loss in the state refers: the mean of the
# sessions made, so that of all sessions in a cell the part is lost that its state says.
_USUAL_DURATION: Final = 225.0 * SECOND
# What is lost abroad, where the state of our network does not count (E-RAB drop 0.3-0.5 %).
_LOST_ABROAD: Final = 0.004
# Habits of quality and length differ by person: with the level of activity they make a tenth of the
# users carry half of the bytes and more. The mean is 1; it widens the services' spread by 3-8 %.
_APPETITE: Final = QuantileTable.level(0.7)
# What the model makes shorter than a second lasts up to so many: it takes that to set up a bearer
# and to release it. (Of a world whose shortest session is longer, so many times that.)
_SHORTEST: Final = 3.4
# Sessions that last longer are looked at for a new phone.
_LONG: Final = 5 * SECOND
# A rate that leaves room for uneven traffic, as part of what the radio access gives.
HALF: Final = 0.5
_LEFT: Final = 1e-6  # where everything is refused, nothing is left to draw
# The draw of a session's fate: what services and their fields leave of one hash.
_FATE_FIRST: Final = 44
_FATE_BITS: Final = 20


@dataclass(frozen=True)
class Starts:
    """Sessions that start in a cell that serves.

    Attributes:
        events: Their starts.
        row: Number of each among the events that were looked at.
        cell: The cell that serves.
        country: Row of the country visited, -1 at home.
        moving: Whose phone is on the way.
    """

    events: Events
    row: Rows
    cell: Rows
    country: Rows
    moving: np.ndarray


def starts(events: Events) -> Starts:
    """Return where sessions start, without those of phones that have no service."""
    where = events.day.positions(events.entity, events.time)
    cell = serving_cell(events.day, events.entity, events.time, where.cell, where.abroad)
    row = np.arange(len(events))
    lost = cell == NO_CELL
    if not lost.any():
        return Starts(events, row, cell, where.country, where.moving)
    row = np.flatnonzero(~lost)
    return Starts(events.select(row), row, cell[row], where.country[row], where.moving[row])


def usage(begun: Starts, shift: int) -> Columns:
    """Return the sessions as they would be if nobody moved: service, volumes, duration, fate.

    Args:
        begun: Where sessions start.
        shift: What to add to their times to count from the start of the day of the records.
    """
    events, cell = begun.events, begun.cell
    day, network = events.day, events.day.network
    hour = events.time // HOUR
    state = state_rows(cell, hour)
    away = np.flatnonzero(begun.country >= 0)
    abroad = begun.country >= 0
    drawn = wanted(events, hour)
    rat = packet_access(day, events.entity, events.time, cell, abroad)
    served = terms(day, events.entity, events.time) if may_differ(day.inputs) else None
    share = part_of_rate(day, cell, rat, state, away, served and served.rate)
    even = _hold_back(events, drawn, rat, share)
    refusal = network.measures["block_probability"] + network.measures["data_failure"]
    refused_below = refusal.reshape(-1)[state]
    refused_below[away] = 0.0
    lost_below = network.measures["drop_probability"].reshape(-1)[state].astype(np.float64)
    lost_below[away] = _LOST_ABROAD
    by_device = lost_by_device(day.story, events.entity, events.time)
    if by_device is not None:
        lost_below = 1.0 - (1.0 - lost_below) * (1.0 - by_device)
    chance = drawn["fate"]
    refused = chance < refused_below
    barred = turned_away(day, events.entity, events.time, events.key)
    refused[barred[begun.country[barred] < 0]] = True
    refused = np.flatnonzero(refused)
    fate = _lose(drawn, chance, refused_below, lost_below)
    _cut_off(events, drawn, fate)
    blocked = chance[refused] < network.measures["block_probability"].reshape(-1)[state[refused]]
    fate[refused] = np.where(blocked, REFUSED_BY_CELL, REFUSED_BY_CORE)
    drawn["duration"][refused] = LEAST_DURATION
    drawn["volume"][refused] = 0.0
    up = (drawn["volume"] * drawn["uplink"]).astype(np.int64)
    # Only in worlds in which they may differ: most do without.
    differ = {} if served is None else vars(served)
    return {
        **differ,
        "time": events.time + shift,
        "entity": events.entity.astype(np.int32),
        "service": drawn["service"],
        "duration": drawn["duration"],
        "up": up,
        "down": drawn["volume"].astype(np.int64) - up,
        "cell": cell.astype(np.int32),
        "country": begun.country.astype(np.int8),
        "rat": rat,
        "moving": begun.moving,
        "pace": drawn["pace"],
        "share": share,
        "even": even,
        "fate": fate,
        "session": events.packed(),
        "key": events.key,
        "lease": (events.time < by_holder(events, leases)) | (shift < 0),
    }


def wanted(events: Events, hour: Rows) -> Columns:
    """Return what is wanted of each session, whatever the radio access carries.

    That is: service, bytes and their part from the device, duration; and what further depends on
    chance alone. All of it but the volume comes from fields of one hash.

    Args:
        events: The sessions' starts.
        hour: UTC hour of each.
    """
    day = events.day
    table, local = services(day.inputs.config), day.clock.local_hour
    machine = day.inputs.population.kind[events.entity] == MACHINE
    hours = np.append(local, (local[-1] + 1) % 24)[hour]
    bits, volume_bits = events.bits("session"), events.bits("volume")
    service = table.choice.sample(bits, np.where(machine, MACHINES, hours))  # the upper 12 bits
    volume = table.volume.sample(volume_bits, service)
    volume *= by_holder(events, _appetites)
    larger = factors(day, events.entity, events.time, "bytes")
    if larger is not None:
        volume *= larger
    np.maximum(volume, LEAST_VOLUME, out=volume)
    seconds = table.durations(service, volume_bits, field(bits, 12))
    # What the model would make shorter or longer is spread over some seconds, and over the last
    # half hour, mostly the end of it: what it moves belongs to an hour and more.
    least, longest = _bounds(day.inputs.config)
    short, long = np.flatnonzero(seconds < least), np.flatnonzero(seconds > longest)
    for rows, aspect in ((short, "short"), (long, "long")):
        chance = draws.uniform(draws.bits(events.key[rows], aspect))
        if aspect == "short":
            seconds[rows] = least + (_SHORTEST - 1.0) * least * chance * chance
        else:
            chance *= chance
            seconds[rows] = longest * (1.0 - 0.5 * chance * chance)
    return {
        "service": service,
        "volume": volume,
        "duration": (seconds * SECOND).astype(np.int64),
        "uplink": table.uplinks(service, field(bits, 22)),
        "pace": field(bits, 32, RATE_BITS),
        "fate": field(bits, _FATE_FIRST, _FATE_BITS) * (1.0 / (1 << _FATE_BITS)),
    }


def _bounds(config: WorldConfig) -> tuple[float, int]:
    """Return what the model's sessions last at least and at most, in seconds."""
    bounds = config.bounds
    if bounds is None or bounds.longest_s is None:
        return 1.0, LONGEST
    return float(bounds.shortest_s), min(bounds.longest_s, LONGEST)


def needed(drawn: Columns, rat: np.ndarray, share: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the microseconds that the bytes of each session take on a radio access."""
    uplink = drawn["uplink"]
    takes = np.maximum(1.0 - uplink, uplink * UPLINK_FACTOR[rat])
    takes *= drawn["volume"]
    takes *= time_per_byte(drawn["pace"], rat, share)
    return takes


def _hold_back(events: Events, drawn: Columns, rat: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Lengthen sessions (in place) that are faster than their radio access carries.

    What would then last more than an hour transfers less.

    Returns:
        Which sessions keep their radio access busy for more than half of the time.
    """
    volume, duration, takes = drawn["volume"], drawn["duration"], needed(drawn, rat, share)
    even = takes > duration * HALF
    fast = np.flatnonzero(even)
    fast = fast[takes[fast] > duration[fast]]
    takes = takes[fast]
    late = draws.bits(events.key[fast], "rate/long")
    most = _bounds(events.day.inputs.config)[1] * SECOND
    longest = most * (1.0 - 0.5 * draws.uniform(late))
    longest = np.maximum(longest, duration[fast])
    lasting = np.minimum(takes, longest)
    volume[fast] *= lasting / takes
    duration[fast] = np.ceil(lasting).astype(np.int64)
    return even


def _lose(
    drawn: Columns, chance: np.ndarray, refused_below: np.ndarray, lost_below: np.ndarray
) -> np.ndarray:
    """Cut sessions (in place) at the moment at which they are lost.

    Losses come at a rate that is constant in time, so that of a session twice as long as usual
    twice the part is lost (1 - exp(-x) is taken as x). What admission leaves of its draw is drawn
    again: whatever lies above is uniform.

    Args:
        drawn: Sessions.
        chance: The draw of each, in [0, 1).
        refused_below: Below what it is refused.
        lost_below: Probability that one of usual length is lost.

    Returns:
        The fate of each: `LOST` or `RELEASED`.
    """
    duration = drawn["duration"]
    fate = np.zeros(len(duration), dtype=np.int8)
    left = chance - refused_below
    rows = np.flatnonzero(left * _USUAL_DURATION < lost_below * duration)
    left, part = left[rows] / np.maximum(1.0 - refused_below[rows], _LEFT), lost_below[rows]
    hit = (left >= 0.0) & (left * _USUAL_DURATION < part * duration[rows])
    rows = rows[hit]
    _cut(drawn, rows, left[hit] * _USUAL_DURATION / part[hit])
    fate[rows] = LOST
    return fate


def _cut_off(events: Events, drawn: Columns, fate: np.ndarray) -> None:
    """Cut sessions (in place) where the phone is switched off, crosses a border or is refused."""
    mobility, duration = events.day.mobility, drawn["duration"]
    rows = mobility.may_go(events.entity)
    left = mobility.until_gone(events.entity[rows], events.time[rows])
    short = np.flatnonzero(left < duration[rows])
    _cut(drawn, rows[short], left[short])
    fate[rows[short]] = RELEASED
    if events.day.refusals:
        left = until_lost(events.day, events.entity, events.time)
        rows = np.flatnonzero(left < duration)
        left = left[rows]
        _cut(drawn, rows, left)
        crash = events.day.refusals.crashes(events.entity[rows], events.time[rows] + left)
        fate[rows] = np.where(crash, LOST, RELEASED)


def _cut(drawn: Columns, rows: Rows, until: np.ndarray) -> None:
    """Cut sessions (in place): only what was sent until then is left of the volume."""
    volume, duration = drawn["volume"], drawn["duration"]
    kept = np.maximum(until.astype(np.int64), LEAST_DURATION)
    volume[rows] = np.maximum(volume[rows] * (kept / duration[rows]), LEAST_VOLUME)
    duration[rows] = kept


def keeps_its_identity(events: Events, duration: Rows) -> np.ndarray:
    """Return which sessions do not outlive a subscription, or the SIM or phone that began them.

    Who changes those has closed the applications before: the others are left out.
    """
    day = events.day
    rows = np.flatnonzero(by_holder(events, _unsteady))
    kept = np.ones(len(events), dtype=np.bool_)
    kept[rows] = day.in_service(events.entity[rows], events.time[rows] + duration[rows])
    rows = rows[duration[rows] > _LONG]
    entity, start = events.entity[rows], events.time[rows]
    kept[rows] &= day.identity(entity, start) == day.identity(entity, start + duration[rows])
    return kept


def by_holder(events: Events, of: Callable[[Day, Rows], np.ndarray]) -> np.ndarray:
    """Return for each event what entities have, worked out once for each of a block."""
    if not len(events):
        return of(events.day, events.entity)
    first = int(events.entity.min())
    entities = np.arange(first, int(events.entity.max()) + 1)
    return of(events.day, entities)[events.entity - first]


def _appetites(day: Day, entities: Rows) -> np.ndarray:
    """Return how much more each entity's holder moves at a time than others: 1 in the mean."""
    population = day.inputs.population
    stream = draws.stream(day.inputs.config.seed, "data/appetite")
    appetite = _APPETITE.sample(draws.keys(stream, population.leader[entities]))
    return np.where(population.kind[entities] == MACHINE, 1.0, appetite)


def _unsteady(day: Day, entities: Rows) -> np.ndarray:
    """Return whose identity or subscription is not the same all day."""
    unsteady = day.identities.version[entities] < 0
    for time in (0, DAY - 1):
        unsteady |= ~day.in_service(entities, np.full(len(entities), time))
    return unsteady


def leases(day: Day, entities: Rows) -> Rows:
    """Return the time of the day at which each entity is given a new address."""
    habit = draws.stream(day.inputs.config.seed, "address/lease")
    # Before the hour from which sessions reach into the next day: two leases serve a day.
    return draws.below(draws.keys(habit, entities), (DAY - TAIL) // SECOND) * SECOND
