"""Traffic through the elements of the network: who carries which base stations, and how much.

Belongs here: the wiring from base stations to the elements behind them, and traffic and users of
each at any five minutes of a day. Does not belong here: what that does to an element (`metrics`),
where the traffic comes from (`state`).

The state of the network tells hours. Between the middles of two hours everything runs in a
straight line, and over midnight too: a day begins where the line of the day before ends. An hour
that an outage touches tells nothing of the minutes around it, so its level comes from the hours
beside it, and what is lost is taken away by the minute.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import GERAN, NR
from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE
from telco_pipeline.generators.inputs import Day, Inputs, Rows
from telco_pipeline.state.network import HOURS, NetworkDay
from telco_pipeline.state.plant import Floats, Plant

SLOT: Final = 5 * MINUTE
SLOTS: Final = DAY // SLOT

_KNOTS: Final = HOURS + 2  # midnight, the middle of each hour, midnight
_MILLI: Final = 1000.0
"""Users are summed in thousandths, traffic in whole kbit/s: the order of a sum does not matter."""

# Service roles of the state of the network (`Plant.serving`), and whose stations count for them.
# Of an NR cell `sgw` and `pgw` name the AMF and the CHF, which are reached in other ways.
_ROLES: Final = {
    "mme": "all",
    "sgw": "before NR",
    "pgw": "before NR",
    "msc": "GERAN",
    "p_cscf": "after GERAN",
    "s_cscf": "after GERAN",
    "mmtel": "after GERAN",
    "smsc": "all",
    "mmsc": "all",
}
# What shares the load of a data centre evenly, and whose stations; registers serve all centres.
_POOLS: Final = {
    ElementType.SMF: "NR",
    ElementType.UPF: "NR",
    ElementType.CHF: "all",
    ElementType.SWITCH: "all",
}
_REGISTERS: Final = {ElementType.HSS: "all", ElementType.UDM: "NR"}


@dataclass(frozen=True)
class Wiring:
    """Which elements carry which base stations.

    Stations that hang on the same elements behind their site router form a group, so that sums are
    made once for a group and not for each element.

    Attributes:
        stations: Rows of the elements that are base stations with cells, in order.
        of_cell: Number of the station of each cell.
        router: Row of the site router of each station.
        group: Group of each station.
        groups: Number of groups.
        through_group, through, share: Group, row of an element behind it, and the part of the
            group's traffic that it carries.
        elements: Number of all elements.
    """

    stations: Rows
    of_cell: Rows
    router: Rows
    group: Rows
    groups: int
    through_group: Rows
    through: Rows
    share: Floats
    elements: int

    @classmethod
    def of(cls, plant: Plant) -> Self:
        """Follow the wires of a network."""
        stations, first, of_cell = np.unique(plant.station, return_index=True, return_inverse=True)
        behind = _behind(plant, first)
        signature = np.column_stack([rows for rows, _ in behind])
        different, group = np.unique(signature, axis=0, return_inverse=True)
        sizes = np.concatenate([np.full(rows.shape[1], share) for rows, share in behind])
        where = np.nonzero(different >= 0)
        return cls(
            stations=stations.astype(np.int64),
            of_cell=of_cell.reshape(-1),
            router=plant.router[plant.site[first]].astype(np.int64),
            group=group.reshape(-1),
            groups=len(different),
            through_group=where[0],
            through=different[where],
            share=sizes[where[1]],
            elements=plant.elements.height,
        )

    def needed(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return which stations some elements carry."""
        asked = np.zeros(self.elements, dtype=np.bool_)
        asked[rows] = True
        if asked[self.through].any():
            return np.ones(len(self.stations), dtype=np.bool_)
        return asked[self.stations] | asked[self.router]

    def carried(self, values: Floats) -> Floats:
        """Return what every element carries of values of the stations: kbit/s, users.

        Args:
            values: Shape (times, stations); whole numbers, or sums would depend on their order.

        Returns:
            Shape (times, elements).
        """
        found = _row_sums(self.router, values, self.elements)
        found[:, self.stations] = values
        by_group = _row_sums(self.group, values, self.groups)
        behind = by_group[:, self.through_group] * self.share
        found += _row_sums(self.through, behind, self.elements)
        return found


def _sums(group: Rows, values: Floats, groups: int) -> Floats:
    """Return the sum of the values of each group, added up in their order."""
    return np.asarray(np.bincount(group, values, groups), dtype=np.float64)


def _row_sums(group: Rows, values: Floats, groups: int) -> Floats:
    """Return the sums of each group in each row of values, added up in their order."""
    count = len(values)
    place = group + (np.arange(count) * groups)[:, None]
    return _sums(place.ravel(), values.ravel(), count * groups).reshape(count, groups)


@lru_cache(maxsize=1)
def wiring_of(inputs: Inputs) -> Wiring:
    """Return the wiring of a world's network."""
    return Wiring.of(inputs.plant)


def _behind(plant: Plant, first: Rows) -> list[tuple[Rows, float]]:
    """Return what lies behind the site router of each station.

    Args:
        plant: The network.
        first: A cell of each station: all of a station have one site and one generation.

    Returns:
        Tables of rows of elements, a row for each station and -1 for none, and the part of the
        station's traffic that each element of the table carries.
    """
    rat = plant.rat[first]
    counts = {
        "all": np.ones(len(first), dtype=np.bool_),
        "NR": rat == NR,
        "before NR": rat != NR,
        "GERAN": rat == GERAN,
        "after GERAN": rat != GERAN,
    }
    aggregation = plant.aggregation[plant.site[first]].astype(np.int64)
    centres = _centres(plant)
    core = np.setdiff1d(plant.elements_of(ElementType.ROUTER), plant.aggregation)
    found = [
        (aggregation[:, None], 1.0),
        (_controllers(plant)[plant.station[first]][:, None], 1.0),
        *_shared(core, centres, centres[aggregation], counts["all"]),
    ]
    for role, whose in _ROLES.items():
        rows = plant.serving[role][first].astype(np.int64)
        found.append((np.where(counts[whose], rows, -1)[:, None], 1.0))
    for kind, whose in _POOLS.items():
        pool = plant.elements_of(kind)
        found += _shared(pool, centres, centres[aggregation], counts[whose])
    everywhere = np.zeros_like(centres)
    for kind, whose in _REGISTERS.items():
        pool = plant.elements_of(kind)
        found += _shared(pool, everywhere, everywhere[aggregation], counts[whose])
    return found


def _shared(
    pool: Rows, centres: Rows, centre: Rows, counts: npt.NDArray[np.bool_]
) -> list[tuple[Rows, float]]:
    """Return the elements of a pool that share evenly what comes to their data centre.

    Args:
        pool: Rows of the elements.
        centres: Data centre of each element.
        centre: Data centre of each station.
        counts: Which stations count.
    """
    found = []
    for number in np.unique(centre):
        members = pool[centres[pool] == number]
        if members.size:
            here = (centre == number) & counts
            table = np.where(here[:, None], members[None, :], -1)
            found.append((table, 1.0 / len(members)))
    return found


def _centres(plant: Plant) -> Rows:
    """Return the number of the data centre that the key of each core element names."""
    code = plant.elements.select(pl.col("element_id").str.split("-").list.get(1)).to_series()
    return code.rank("dense").to_numpy().astype(np.int64)


def _controllers(plant: Plant) -> Rows:
    """Return the BSC of each element that hangs on one, else -1."""
    found = np.full(plant.elements.height, -1, dtype=np.int64)
    rows = {key: row for row, key in enumerate(plant.elements["element_id"])}
    abis = plant.links.filter(pl.col("interface") == "Abis")
    for near, far in abis.select("a_element_id", "b_element_id").rows():
        found[rows[near]] = rows[far]
    return found


def bandwidth_of(plant: Plant) -> Floats:
    """Return the bandwidth of each element's links towards the core, in kbit/s.

    The links of transport whose A end it is; of what stands in the middle (a core router) those
    whose B end it is.
    """
    wires = ("Ethernet", "backhaul", "aggregation", "backbone")
    links = plant.links.filter(pl.col("interface").is_in(wires))
    keys = plant.elements.select("element_id")
    sums = [
        keys.join(
            links.group_by(pl.col(end).alias("element_id")).agg(pl.col("capacity").sum()),
            on="element_id",
            how="left",
            maintain_order="left",
        )["capacity"]
        for end in ("a_element_id", "b_element_id")
    ]
    return 1000.0 * sums[0].fill_null(sums[1]).fill_null(1).to_numpy()


@dataclass(frozen=True)
class Traffic:
    """What the cells of each station carry on a day.

    Attributes:
        volume: Traffic in kbit/s at each knot, shape (knots, stations).
        users: Users in thousandths, likewise.
        lost_from: Position of the first loss of each five minutes, and the end.
        lost_station: Station of each loss by outages.
        lost_volume, lost_users: What it loses in its five minutes, in the same units.
        capacity: What the cells of each station can carry, in kbit/s.
    """

    volume: Floats
    users: Floats
    lost_from: Rows
    lost_station: Rows
    lost_volume: Floats
    lost_users: Floats
    capacity: Floats

    @classmethod
    def of(cls, day: Day, wiring: Wiring, *, alone: bool = False) -> Self:
        """Sum up the cells of a day; the day before says how its first half hour begins.

        Args:
            day: The day.
            wiring: Who carries whom.
            alone: Leave out the day before: the first half hour is level.
        """
        today = _levels(day.network)
        first = alone or day.date <= day.inputs.config.epoch
        before = None if first else _levels(day.before.network)
        count = len(wiring.stations)
        # Of the two days the better one: a fault may last all day.
        capacity = day.network.measures["capacity"].max(axis=1)
        if not first:
            yesterday = day.before.network.measures["capacity"].max(axis=1)
            capacity = np.maximum(capacity, yesterday)
        cell_knots = [
            _knots(level, None if before is None else before[kind])
            for kind, level in enumerate(today)
        ]
        volume, users = (_by_station(knots, wiring.of_cell, count) for knots in cell_knots)
        slot, outage, part = _slots_without(day.network)
        cell = day.network.outage_cell[outage]
        lost = [np.rint(_at_slots(knots, slot, cell) * part) for knots in cell_knots]
        order = np.argsort(slot, kind="stable")
        return cls(
            volume=volume,
            users=users,
            lost_from=np.searchsorted(slot[order], np.arange(SLOTS + 1)),
            lost_station=wiring.of_cell[cell[order]],
            lost_volume=lost[0][order],
            lost_users=lost[1][order],
            capacity=_sums(wiring.of_cell, np.rint(capacity.astype(np.float64)), count),
        )

    def at(self, slots: Rows) -> tuple[Floats, Floats]:
        """Return traffic in kbit/s and users of each station in some five minutes of the day.

        Returns:
            Two of shape (five minutes, stations).
        """
        knot, part = _SEGMENT[slots], _PART[slots][:, None]
        volume = self.volume[knot] + part * (self.volume[knot + 1] - self.volume[knot])
        users = self.users[knot] + part * (self.users[knot + 1] - self.users[knot])
        count = volume.shape[1]
        for row, slot in enumerate(slots.tolist()):
            lost = slice(self.lost_from[slot], self.lost_from[slot + 1])
            if lost.stop > lost.start:
                station = self.lost_station[lost]
                volume[row] -= _sums(station, self.lost_volume[lost], count)
                users[row] -= _sums(station, self.lost_users[lost], count)
        return np.maximum(volume, 0.0), np.maximum(users, 0.0) / _MILLI


def _segments() -> tuple[Rows, Floats]:
    """Return, for the middle of each five minutes, the knot before it and how far behind it."""
    minute = np.arange(SLOTS) * 5 + 2.5
    times = np.concatenate([[0.0], np.arange(HOURS) * 60.0 + 30.0, [HOURS * 60.0]])
    knot = np.searchsorted(times, minute, side="right") - 1
    return knot, (minute - times[knot]) / (times[knot + 1] - times[knot])


_SEGMENT, _PART = _segments()


def _levels(network: NetworkDay) -> tuple[Floats, Floats]:
    """Return traffic and users of each cell while it is in service, shape (cells, 24).

    Traffic is what is offered as far as the cell carries it, in whole kbit/s; users are in
    thousandths.
    """
    measures = network.measures
    volume = np.rint(np.minimum(measures["demand"], measures["capacity"]).astype(np.float64))
    users = np.rint(measures["active_users"].astype(np.float64) * _MILLI)
    known = np.ones(volume.shape, dtype=np.bool_)
    first, last = network.outage_start // HOUR, (network.outage_end - 1) // HOUR
    for number in range(HOURS):
        touched = (first <= number) & (last >= number)
        known[network.outage_cell[touched], number] = False
    cells = np.flatnonzero(network.has_outage)
    for levels in (volume, users):
        levels[cells] = _filled(levels[cells], known[cells])
    return volume, users


def _filled(values: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Return hours with those that are not known on a line between their neighbours.

    At the ends they are as the nearest known hour; where nothing is known they are 0.
    """
    hour = np.arange(HOURS)
    before = np.maximum.accumulate(np.where(known, hour, -1), axis=1)
    after = np.where(known, hour, HOURS)[:, ::-1]
    after = np.minimum.accumulate(after, axis=1)[:, ::-1]
    nearest = np.where(before < 0, after, before)
    beyond = np.where(after == HOURS, before, after)
    low, high = (
        np.take_along_axis(values, np.clip(rows, 0, HOURS - 1), axis=1)
        for rows in (nearest, beyond)
    )
    span = np.maximum(beyond - nearest, 1)
    filled = np.rint(low + (high - low) * (hour - nearest) / span)
    return np.where(np.any(known, axis=1, keepdims=True), filled, 0.0)


def _knots(level: Floats, before: Floats | None) -> Floats:
    """Return levels of cells at the knots, shape (knots, cells), in whole units.

    At midnight the line between the last two hours goes on; without a day before it is level.
    """
    knots = np.empty((_KNOTS, len(level)))
    knots[1:-1] = level.T
    knots[-1] = _going_on(level)
    knots[0] = level[:, 0] if before is None else _going_on(before)
    return knots


def _going_on(level: Floats) -> Floats:
    """Return where the line through the middles of the last two hours is at midnight."""
    return np.maximum(np.rint(1.5 * level[:, -1] - 0.5 * level[:, -2]), 0.0)


def _by_station(knots: Floats, of_cell: Rows, count: int) -> Floats:
    return np.stack([_sums(of_cell, level, count) for level in knots])


def _at_slots(knots: Floats, slot: Rows, cell: Rows) -> Floats:
    """Return levels of cells in five minutes each."""
    low, high = knots[_SEGMENT[slot], cell], knots[_SEGMENT[slot] + 1, cell]
    return low + _PART[slot] * (high - low)


def _slots_without(network: NetworkDay) -> tuple[Rows, Rows, Floats]:
    """Return the five minutes that outages touch: slot, number of the outage, part without."""
    start, end = np.maximum(network.outage_start, 0), np.minimum(network.outage_end, DAY)
    first, last = start // SLOT, (end - 1) // SLOT
    count = np.maximum(last - first + 1, 0)
    outage = np.repeat(np.arange(len(start)), count)
    slot = np.arange(len(outage)) - np.repeat(np.cumsum(count) - count, count) + first[outage]
    inside = np.minimum(end[outage], (slot + 1) * SLOT) - np.maximum(start[outage], slot * SLOT)
    return slot, outage, inside / SLOT
