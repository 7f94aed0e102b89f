"""Records of data sessions: one each, or several partial ones.

Belongs here: where a record ends and the next begins, and what of the session is in each. Does not
belong here: the sessions (`data_usage`, `data_way`), the columns of `cdrs_data` (`data`).

A record is closed at the time limit and when the radio access changes; the next one of the session
is opened where the phone is then, in the state that the cell is in at that time. Bytes are shared
out about by time with whole numbers, so that they add up to the session's.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telco_pipeline.contracts.codes import CauseForRecClosing
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import DAY_BITS, ENTITY_BITS, INDEX_BITS
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    Columns,
    Day,
    Rows,
)
from telco_pipeline.generators.cdrs.data_quality import (
    part_of_rate,
    quality,
    state_rows,
    time_per_byte,
)
from telco_pipeline.generators.cdrs.data_usage import LOST, RELEASED
from telco_pipeline.generators.cdrs.data_way import Way, hold_down
from telco_pipeline.generators.cdrs.lengths import shortest

NOT_MEASURED: Final = -1
"""Latency and loss of an attempt that was refused."""
# Causes of records that end their session: released, and lost or refused.
_CLOSED: Final = (CauseForRecClosing.NORMAL_RELEASE, CauseForRecClosing.ABNORMAL_RELEASE)
_MOST_HANDOVERS: Final = 30_000
_KIND_SHIFT: Final = DAY_BITS + ENTITY_BITS + INDEX_BITS


@dataclass(frozen=True)
class Sessions:
    """Sessions that start on a day.

    Attributes:
        day: The day.
        shift: What to add to its times to count from the start of the day of the records.
        columns: Columns of `data_usage.usage`.
        way: Their changes of the cell.
        ways: Milliseconds from each cell to its gateway and back.
    """

    day: Day
    shift: int
    columns: Columns
    way: Way
    ways: np.ndarray


def partial_records(sessions: Sessions) -> list[Columns]:
    """Return the records of sessions: the first of each, and those that follow."""
    day, made, way = sessions.day, sessions.columns, sessions.way
    limit = day.inputs.config.charging.data_time_limit_s * SECOND
    duration = made["duration"]
    cuts, cut_at = way.changes_of_access(made["rat"])
    hold_down(day, made, sessions.shift, way, cuts)
    if least := shortest(day.inputs.config):
        cuts, cut_at = _far_apart(made, way, least)
    # The stretch of each session before the first change; then those from a change on.
    until = duration.copy()
    until[cuts[::-1]] = cut_at[::-1]
    begin = np.zeros_like(duration)
    first = _records(sessions, made, begin, np.minimum(until, limit), begin)
    following = np.append(cuts[1:] == cuts[:-1], False)
    end = np.where(following, np.append(cut_at[1:], 0), duration[cuts])
    count = -(-(end - cut_at) // limit)
    earlier = np.cumsum(count) - count
    fresh = np.flatnonzero(np.append(True, cuts[1:] != cuts[:-1])[: len(cuts)])
    runs = np.diff(np.append(fresh, len(cuts)))
    number = -(-until[cuts] // limit) + earlier - np.repeat(earlier[fresh], runs)
    long = np.flatnonzero(until > limit)
    rows = np.concatenate([long, cuts])
    if not rows.size:
        return [first]
    start = np.concatenate([np.full(len(long), limit), cut_at])
    stop = np.concatenate([until[long], end])
    number = np.concatenate([np.ones_like(long), number])
    count = -(-(stop - start) // limit)
    each = np.repeat(np.arange(len(rows)), count)
    step = np.arange(len(each)) - np.repeat(np.cumsum(count) - count, count)
    start = start[each] + step * limit
    chosen = {name: values[rows[each]] for name, values in made.items()}
    chosen["row"] = rows[each]
    stop = np.minimum(start + limit, stop[each])
    later = _records(sessions, chosen, start, stop, number[each] + step)
    return [first, later]


def _far_apart(made: Columns, way: Way, least: int) -> tuple[Rows, Rows]:
    """Return session and time of the changes of the radio access that close records.

    In a world that bounds the length of sessions, a gateway closes no record that would be shorter
    than that, or would leave a shorter rest: it goes on with the record that is open.
    """
    count = len(made["duration"])
    first = np.searchsorted(way.row, np.arange(count))
    turn = np.arange(len(way.row)) - first[way.row]
    opened, rat = np.zeros(count, dtype=np.int64), made["rat"].copy()
    closes = np.zeros(len(way.row), dtype=np.bool_)
    for place in range(int(turn.max(initial=-1)) + 1):
        rows = np.flatnonzero(turn == place)
        session, time = way.row[rows], way.time[rows]
        long_enough = (time - opened[session] >= least) & (
            made["duration"][session] - time >= least
        )
        chosen = long_enough & (way.rat[rows] != rat[session])
        closes[rows] = chosen
        opened[session[chosen]] = time[chosen]
        rat[session[chosen]] = way.rat[rows[chosen]]
    return way.row[closes], way.time[closes]


def _records(sessions: Sessions, made: Columns, start: Rows, stop: Rows, number: Rows) -> Columns:
    """Return one record of each session.

    Args:
        sessions: The sessions.
        made: Their columns, those of one that has several records repeatedly; then with its `row`.
        start: Start of the record, from that of its session.
        stop: End of the record.
        number: Number of the record within its session, from 0.
    """
    day, duration, country = sessions.day, made["duration"], made["country"]
    ends = stop == duration
    there = _places(sessions.way, made, start, stop, ends)
    cell, rat = there["cell"], there["rat"]
    cause = np.where(made["fate"] == RELEASED, *_CLOSED).astype(np.int16)
    goes_on = np.flatnonzero(~ends)
    cause[goes_on] = np.where(
        there["at_limit"][goes_on], CauseForRecClosing.TIME_LIMIT, CauseForRecClosing.RAT_CHANGE
    )
    up, down = _carried(made, start, stop)
    hour = (made["time"] - sessions.shift + start) // HOUR
    state = state_rows(cell, hour)
    share = made["share"]
    if "row" in made:
        away = np.flatnonzero(country >= 0)
        share = part_of_rate(day, cell, rat, state, away, made.get("rate"))
    per_byte = time_per_byte(made["pace"], rat, share)
    key, length = draws.events(made["key"], number), stop - start
    found = quality(day, key, rat, country, state, sessions.ways[cell], per_byte, up, down, length)
    refused = np.flatnonzero(made["fate"] > LOST)
    found.latency[refused] = found.loss[refused] = NOT_MEASURED
    ids = day.inputs.ids
    return {
        **{name: made[name] for name in ("qci", "plan") if name in made},
        "time": made["time"] + start,
        "entity": made["entity"],
        "service": made["service"],
        "seconds": ((length + SECOND // 2) // SECOND).astype(np.int32),
        "up": up,
        "down": down,
        "cause": cause,
        "fate": made["fate"],
        "number": (number + 1).astype(np.int16),
        "cell": cell,
        "last_cell": there["last"],
        "handovers": there["handovers"],
        "failed": there["failed"],
        "rat": rat,
        "country": country,
        "lease": made["lease"],
        "event": ids.event.of(_record(made["session"], number)),
        "charging": ids.charging.of(made["session"]),
        "downlink": found.downlink,
        "uplink": found.uplink,
        "latency": found.latency,
        "loss": found.loss,
    }


def _places(way: Way, made: Columns, start: Rows, stop: Rows, ends: np.ndarray) -> Columns:
    """Return where records are opened and closed, and the handovers in between.

    Args:
        way: Changes of the cell during the sessions.
        made: Columns of the sessions (as in `_records`).
        start: Start of each record, from that of its session.
        stop: Its end.
        ends: Whether its session ends with it.

    Returns:
        Cell and radio access at the start, the last cell, handovers that succeeded and that failed
        (that which closes the record included), and whether a record that another one follows was
        closed at the time limit.
    """
    row = made.get("row")
    cell, rat = made["cell"].copy(), made["rat"].copy()
    last = cell.copy()
    handovers, failed = (np.zeros(len(cell), dtype=np.int16) for _ in range(2))
    at_limit = np.ones(len(cell), dtype=np.bool_)
    travels = np.zeros(int(way.row.max(initial=-1)) + 1, dtype=np.bool_)
    travels[way.row] = True
    if row is None:
        on = session = np.flatnonzero(travels)
    else:
        on = np.flatnonzero(row < len(travels))
        on = on[travels[row[on]]]
        session = row[on]
    if on.size:
        none = way.passed(session, np.zeros_like(on))
        opened = way.passed(session, start[on])
        done = way.passed(session, stop[on])
        # Where what changes at the very end of a record leads to is the next record's.
        closed = np.where(ends[on], done, way.passed(session, stop[on] - 1))
        for target, passed in ((cell, opened), (last, closed)):
            chosen = passed > none
            target[on[chosen]] = way.cell[passed[chosen] - 1]
        chosen = opened > none
        rat[on[chosen]] = way.rat[opened[chosen] - 1]
        missed, lost = (np.append(0, np.cumsum(which)) for which in (way.failed, way.lost))
        failed[on] = np.minimum(missed[done] - missed[opened], _MOST_HANDOVERS)
        changed = done - lost[done] - (opened - lost[opened])
        handovers[on] = np.minimum(changed, _MOST_HANDOVERS)
        following = np.minimum(closed, len(way.row) - 1)
        changes = (way.row[following] == session) & (way.time[following] == stop[on])
        at_limit[on] = ~(changes & (way.rat[following] != rat[on]))
    return {
        "cell": cell,
        "rat": rat,
        "last": last,
        "handovers": handovers,
        "failed": failed,
        "at_limit": at_limit,
    }


def _carried(made: Columns, start: Rows, stop: Rows) -> tuple[Rows, Rows]:
    """Return the bytes up and down of each record: of a part of a session its share."""
    up, down, duration = made["up"], made["down"], made["duration"]
    parts = np.flatnonzero(stop - start < duration)
    if not parts.size:
        return up, down
    up, down = up.copy(), down.copy()
    key, even, lasting = made["key"][parts], made["even"][parts], duration[parts]
    first = _traffic_time(key, even, start[parts], lasting)
    until = _traffic_time(key, even, stop[parts], lasting)
    up[parts] = _bytes_of(up[parts], first, until, lasting)
    down[parts] = _bytes_of(down[parts], first, until, lasting)
    return up, down


def _traffic_time(session: Bits, even: np.ndarray, time: Rows, duration: Rows) -> Rows:
    """Return how far the traffic of a session is at a time, as a time of even traffic.

    Of some sessions more flows early and of some late, by up to 0.6 of the mean rate at both ends;
    not where the radio access is busy anyway.
    """
    skew = np.where(even, 0, draws.below(draws.bits(session, "skew"), 1201) - 600)
    # Milliseconds, or the products would not fit 63 bits.
    passed, total = time // 1000, np.maximum(duration // 1000, 1)
    left = np.maximum(total - passed, 0)
    return time + passed * left // total * skew


def _bytes_of(volume: Rows, start: Rows, end: Rows, duration: Rows) -> Rows:
    """Return the bytes of [start, end), of a volume spread evenly over the duration."""
    # Milliseconds: a product of bytes and microseconds would not fit 63 bits.
    total = np.maximum(duration // 1000, 1)
    return volume * (end // 1000) // total - volume * (start // 1000) // total


def _record(session: Rows, number: Rows) -> Rows:
    """Return the packed number of each record: beyond 16 of a session it goes on in other kinds."""
    packed = session + number
    further = np.flatnonzero(number >= RECORDS_PER_EVENT)
    if further.size:
        block, place = np.divmod(number[further], RECORDS_PER_EVENT)
        first = EVENT_KINDS["data_more"] - EVENT_KINDS["data"] - 1
        packed[further] = session[further] + place + ((first + block) << _KIND_SHIFT)
    return packed
