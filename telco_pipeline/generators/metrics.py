"""Metrics of network elements: processor, memory, traffic, quality, by five minutes.

Belongs here: what an element measures of itself. Does not belong here: what it carries
(`traffic`), leaks and faults (`wear`), counters of cells, which come from the records.

Formulas, with rho the part of its links' bandwidth that an element uses:

* throughput: what its stations carry; of control and service elements the signalling of its users;
* sessions: a part of the users behind it, of registers those whose data are being asked for;
* latency: D (1 + load / 4 / (1 - 0.9 load)) + S / (1 - rho): the way and the element's own work,
  then the time in an M/M/1 queue whose server sends a burst of packets in S;
* jitter: S sqrt(rho (2 - rho)) / (1 - rho), the standard deviation of the waiting time there;
* loss: that of M/M/1/K with K = 64 places, (1 - rho) rho^K / (1 - rho^(K+1)).

An element that is off, boots or cannot be reached in a part of five minutes reports nothing of
them: the counters of a period that it does not end are lost, and nobody answers the poll.

Values wander: noise is a smooth curve through hashed knots at every half hour, and a little white
noise on top. Stations have noise of their own; what carries them adds it up.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.contracts.oss import ELEMENT_METRICS
from telco_pipeline.engine import draws
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.alarm_kinds import Kind
from telco_pipeline.generators.alarm_life import alarm_keys
from telco_pipeline.generators.alarm_nuisances import of_itself
from telco_pipeline.generators.inputs import Day, Inputs, Rows
from telco_pipeline.generators.traffic import (
    SLOT,
    SLOTS,
    Traffic,
    Wiring,
    bandwidth_of,
    wiring_of,
)
from telco_pipeline.generators.wear import FULL, Ailments, Leaks, Sick, Strains, starts_before
from telco_pipeline.lake import CodedText, Rowset
from telco_pipeline.state.network import HOURS
from telco_pipeline.state.plant import ELEMENT_TYPES, Floats
from telco_pipeline.world.cells import capacity_scale

Flags = npt.NDArray[np.bool_]

# Five minutes worked out at a time: half an hour between two knots of noise, twice.
_TOGETHER: Final = 12
_KNOT: Final = 6  # five minutes between knots of noise: half an hour
_FIELD_BITS: Final = np.uint64(16)  # of a hash, from which four curves come
_UNIT: Final = 12.0**0.5 / (1 << 16)  # makes a uniform of 16 bits one of standard deviation 1

# How much the five minutes of a station with few users differ: as 1 / sqrt(users), from 4 on.
_FEW: Final = 4.0
_USERS_NOISE, _VOLUME_NOISE, _WHITE_NOISE = 0.5, 0.45, 0.15

_BURST_KBIT: Final = 512.0  # packets that come together: 64 of 1,000 bytes
_FULLEST: Final = 0.98  # rho at which waiting is cut off: buffers are finite
_PROCESSING: Final = 0.25  # part of the distance that the element itself takes under load
_BUSIEST: Final = 0.9  # and it is an M/M/1 queue as well, up to this part of full load
_PLACES_LOG2: Final = 6  # K = 64 places
_BACKGROUND_LOSS: Final = 0.002  # percent that transmission errors cost in the mean
_KEEPALIVE: Final = 2.0  # kbit/s of supervision and routing protocols, scaled as all traffic

# Bandwidth is at least this part of what the cells behind can carry: an operator that adds
# carriers widens the links too, but not for the case that all are full at once.
_LEAST_AT_SITE, _LEAST_BEHIND = 0.8, 0.6
_CAPACITY_IN_CORE: Final = 0.4  # likewise for the processors of core elements
_SWAPPING: Final = 25.0  # percent of CPU that an exhausted memory costs
_SWAPS_FROM: Final = 97.0  # percent of memory in use from which it begins to
_HIGH_MEMORY: Final = (86.0, 94.0)  # percent in use while an alarm tells of much
_STARTING: Final = 30.0  # percent of CPU that a restart costs
_LOAD_MEMORY: Final = 8.0  # percent of memory that full load takes
_MEMORY_NOISE: Final = 0.6
_MOST_MEMORY_NOISE: Final = _MEMORY_NOISE * 3.0**0.5  # uniform noise ends there
_JITTER_OF_LATENCY: Final = 0.2


@dataclass(frozen=True)
class _Role:
    """What an element does, and what it takes.

    Attributes:
        idle: Percent of CPU without traffic.
        span: Percent of CPU that full load adds.
        memory: Percent of memory after a restart, without traffic.
        distance: Milliseconds to the next element, at least.
        part: Part of the users behind it for whom it holds something.
        kbits: Signalling or media of each of them in kbit/s; None for what carries their traffic.
    """

    idle: float
    span: float
    memory: float
    distance: float
    part: float = 1.0
    kbits: float | None = None


_PACKETS: Final = _Role(12, 60, 44, 0.25)
_RADIO: Final = _Role(16, 58, 48, 0.3)
_ROLES: Final[dict[ElementType, _Role]] = {
    ElementType.BTS: _Role(9, 35, 40, 0.8),
    ElementType.ENB: _RADIO,
    ElementType.GNB: _Role(20, 58, 50, 0.2),
    ElementType.SITE_ROUTER: _Role(10, 35, 38, 0.6),
    ElementType.ROUTER: _Role(14, 42, 42, 1.0),
    ElementType.SWITCH: _Role(8, 25, 34, 0.05),
    ElementType.BSC: _Role(12, 45, 50, 0.5),
    ElementType.RNC: _Role(5, 0, 46, 0.5, part=0.0, kbits=0.0),
    ElementType.SGW: _PACKETS,
    ElementType.PGW: _PACKETS,
    ElementType.UPF: _PACKETS,
    ElementType.SMF: _Role(12, 50, 46, 0.25, kbits=2.0),
    ElementType.MME: _Role(14, 55, 48, 0.25, kbits=3.0),
    ElementType.AMF: _Role(14, 55, 48, 0.25, kbits=3.0),
    ElementType.CHF: _Role(10, 50, 52, 0.25, kbits=1.0),
    ElementType.HSS: _Role(12, 40, 58, 0.4, part=0.5, kbits=1.0),
    ElementType.UDM: _Role(12, 40, 58, 0.4, part=0.5, kbits=1.0),
    ElementType.MSC: _Role(12, 45, 50, 0.4, part=0.6, kbits=14.0),
    ElementType.P_CSCF: _Role(10, 45, 45, 0.25, part=0.2, kbits=4.0),
    ElementType.S_CSCF: _Role(10, 45, 45, 0.25, part=0.2, kbits=3.0),
    ElementType.MMTEL_AS: _Role(10, 40, 47, 0.25, part=0.2, kbits=3.0),
    ElementType.SMSC: _Role(8, 40, 45, 0.25, part=0.02, kbits=6.0),
    ElementType.MMSC: _Role(8, 40, 45, 0.25, part=0.005, kbits=40.0),
}
"""Orders of magnitude of practice; calls are a fifth of the users, messages a fiftieth.

Half of the users attach, move or set something up for which a register is asked.
"""

_OUTPUT: Final = {
    "cpu_use": np.float64,
    "memory_use": np.float64,
    "throughput": np.int64,
    "active_sessions": np.int32,
    "packet_loss": np.float64,
    "latency": np.float64,
    "jitter": np.float64,
    "capacity_used": np.float64,
    "bandwidth_left": np.int64,
}


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the metrics of a day and a part of the elements, by time and element."""
    day = inputs.day(date)
    rows = part.size * SLOTS
    columns = {name: np.empty(rows, dtype) for name, dtype in _OUTPUT.items()}
    row, time = np.empty(rows, np.int32), np.empty(rows, np.int64)
    end = 0
    for slots, values, heard in _measured(day, np.arange(part.start, part.stop), tuple(_OUTPUT)):
        at, who = np.nonzero(heard)
        begin, end = end, end + len(who)
        row[begin:end] = who
        time[begin:end] = day.start + slots[at] * SLOT
        for name, column in columns.items():
            column[begin:end] = values[name][at, who]
    ids = inputs.plant.elements["element_id"].slice(part.start, part.size)
    return Rowset.of(
        ELEMENT_METRICS,
        {
            "element_id": CodedText.of(ids, row[:end]),
            "event_time": pl.Series(time[:end]).cast(pl.Datetime("us", "UTC")),
            **{name: pl.Series(column[:end]) for name, column in columns.items()},
        },
    )


def values_at(
    day: Day, part: Part, element: Rows, time: Rows, names: tuple[str, ...]
) -> dict[str, Floats]:
    """Return what elements measure of themselves at some times, as `make` says it.

    Args:
        day: The day.
        part: The elements.
        element: Positions in the part, one for each time.
        time: Microseconds of the day, in order.
        names: Columns of `element_metrics`.

    Returns:
        The columns: the values of the five minutes that each time lies in, also of those of which
        nobody hears.
    """
    found = {name: np.zeros(len(element), dtype=_OUTPUT[name]) for name in names}
    own, place = np.unique(element, return_inverse=True)
    slot = time // SLOT
    ends = np.searchsorted(slot, np.arange(0, SLOTS + 1, _TOGETHER))
    for number, (slots, values, _) in enumerate(_measured(day, part.start + own, names)):
        some = slice(int(ends[number]), int(ends[number + 1]))
        for name, column in found.items():
            column[some] = values[name][slot[some] - slots[0], place[some]]
    return found


def memory_by_hour(day: Day, rows: Rows, least: float) -> tuple[Rows, Floats]:
    """Return the memory in use at the end of each hour, of elements whose memory may run short.

    It is that of `element_metrics` in the last five minutes of the hour, without what faults make
    of it, which have alarms of their own. Where cells are degraded for a whole day, the load part
    may differ, as it follows from this day alone.

    Args:
        day: The day.
        rows: Rows of elements, in order.
        least: Percent that the memory in use must be able to reach on the day.

    Returns:
        Rows of those elements, and the percentage, shape (elements, 24).
    """
    slots = np.arange(1, HOURS + 1) * (SLOTS // HOURS) - 1
    base, strains = _memory_after_start(day.inputs, rows), Strains.of(day, rows)
    leaks = Leaks.of(day.inputs.config.seed, rows, day.date, FULL - base, starts_before(day))
    most = base + leaks.at(slots) + _LOAD_MEMORY + _MOST_MEMORY_NOISE
    if strains:
        most += strains.at(slots)["memory"]
    rows = rows[(most >= least).any(axis=0)]
    if not rows.size:
        return rows, np.empty((0, HOURS))
    # Who asks on the day after has no day before this one: the load is that of the day alone.
    stations = _Stations.of(day, wiring_of(day.inputs), rows, alone=True)
    found = _Elements.of(day, stations, rows).memory_at(slots, stations)
    return rows, _rounded(np.clip(found, 1.0, FULL), 10.0).T


def _measured(
    day: Day, rows: Rows, names: tuple[str, ...]
) -> Iterator[tuple[Rows, dict[str, Floats], Flags]]:
    """Yield some columns of a day's metrics, for some five minutes at a time.

    Args:
        day: The day.
        rows: Rows of elements, in order.
        names: The columns.

    Yields:
        The five minutes; the columns by name, shape (five minutes, elements); who reports them.
    """
    stations = _Stations.of(day, wiring_of(day.inputs), rows)
    elements = _Elements.of(day, stations, rows)
    ailments = Ailments.of(day.inputs.plant, day.faults, day.date).of_elements(rows)
    ailments = ailments.with_memory(*_memory_high(day, rows))
    for first in range(0, SLOTS, _TOGETHER):
        slots = np.arange(first, first + _TOGETHER)
        yield slots, *elements.at(slots, stations, ailments, names)


def _memory_high(day: Day, rows: Rows) -> tuple[Rows, Rows, Rows, Floats]:
    """Return when elements use much memory, as their alarms say (`Ailments.with_memory`)."""
    if not rows.size:
        return rows, rows, rows, np.empty(0)
    alarms = of_itself(day, Part(0, int(rows[0]), int(rows[-1]) + 1))
    alarms = alarms.select((alarms.kind == Kind.MEMORY_HIGH) & (alarms.cleared > day.start))
    alarms = alarms.select(np.isin(alarms.element, rows))
    low, high = _HIGH_MEMORY
    level = low + (high - low) * draws.uniform(draws.bits(alarm_keys(day, alarms.number), "level"))
    begin, end = alarms.raised - day.start, alarms.cleared - day.start
    return np.searchsorted(rows, alarms.element), begin, end, level


class _Noise:
    """Curves of noise with mean 0 and standard deviation about 1, four for each of some rows."""

    def __init__(self, seed: int, name: str, rows: Rows, day_number: int) -> None:
        """Prepare the noise of some rows on a day; its knots go on over midnight."""
        self._knot_key = draws.keys(draws.stream(seed, f"metrics/{name}"), rows)
        self._white_key = draws.keys(draws.stream(seed, f"metrics/{name}/white"), rows)
        self._first = day_number * SLOTS

    def at(self, slots: Rows) -> "_Curves":
        """Return the curves in some five minutes of the day."""
        return _Curves(self._knot_key, self._white_key, self._first + slots)


class _Curves:
    """Noise in some five minutes: values of shape (five minutes, rows), by number of the curve."""

    def __init__(self, knot_key: draws.Bits, white_key: draws.Bits, number: Rows) -> None:
        """Take the keys of the rows, and the numbers of the five minutes since 2000."""
        self._knot_key, self._white_key, self._number = knot_key, white_key, number

    def smooth(self, curve: int) -> Floats:
        """Return a curve that runs through hashed knots at every half hour."""
        after, part = np.divmod(self._number, _KNOT)
        first = int(after[0])
        values = _field(self._knots, curve)
        low, high = values[after - first], values[after - first + 1]
        part = (part / _KNOT)[:, None]
        part = part * part * (3.0 - 2.0 * part)
        high -= low
        high *= part
        high += low
        return high

    def white(self, curve: int) -> Floats:
        """Return values that are independent from five minutes to five minutes."""
        return _field(self._whites, curve)

    @cached_property
    def _knots(self) -> draws.Bits:
        known = np.arange(self._number[0] // _KNOT, self._number[-1] // _KNOT + 2)
        return draws.events(self._knot_key, known[:, None])

    @cached_property
    def _whites(self) -> draws.Bits:
        return draws.events(self._white_key, self._number[:, None])


def _field(bits: draws.Bits, number: int) -> Floats:
    """Return one of four independent uniforms of mean 0 and standard deviation 1 from a hash."""
    shifted = bits >> (_FIELD_BITS * np.uint64(number))
    found = shifted.astype(np.uint16).astype(np.float64)  # the lowest 16 bits
    found -= (1 << 15) - 0.5
    found *= _UNIT
    return found


@dataclass(frozen=True)
class _Stations:
    """The base stations that some elements carry.

    Attributes:
        wiring: Who carries them.
        traffic: What their cells carry.
        needed: Which of them matter; the others are left at nothing.
        noise: Their noise.
    """

    wiring: Wiring
    traffic: Traffic
    needed: Rows
    noise: _Noise

    @classmethod
    def of(cls, day: Day, wiring: Wiring, rows: Rows, *, alone: bool = False) -> Self:
        """Prepare those that some elements carry, without the day before if `alone`."""
        needed = np.flatnonzero(wiring.needed(rows))
        seed = day.inputs.config.seed
        noise = _Noise(seed, "station", wiring.stations[needed], day.number)
        return cls(wiring, Traffic.of(day, wiring, alone=alone), needed, noise)

    def at(self, slots: Rows) -> tuple[Floats, Floats]:
        """Return what every element carries in some five minutes: kbit/s, and users.

        Returns:
            Two of shape (five minutes, elements of the network).
        """
        volume, users = self.traffic.at(slots)
        noise = self.noise.at(slots)
        few, level = users[:, self.needed], volume[:, self.needed]
        spread = 1.0 / np.sqrt(np.maximum(few, _FEW))
        # Rounded up or down by chance, so that few users are neither lost nor doubled.
        chance = noise.white(0) / 12.0**0.5 + 0.5
        slow = noise.smooth(0)
        count = np.floor(few * (1.0 + 2.0 * _USERS_NOISE * slow * spread) + chance)
        wander = _USERS_NOISE * slow + _VOLUME_NOISE * noise.smooth(1)
        wander += _WHITE_NOISE * noise.white(1)
        level = np.rint(level * (1.0 + spread * wander))
        level = np.clip(level, 0.0, self.traffic.capacity[self.needed])
        whole = np.zeros((2, *volume.shape))
        whole[0][:, self.needed], whole[1][:, self.needed] = level, np.maximum(count, 0.0)
        return self.wiring.carried(whole[0]), self.wiring.carried(whole[1])


@dataclass(frozen=True)
class _Elements:
    """Some elements: what they are, by position among them.

    Attributes:
        rows: Rows of the elements, in order.
        idle, span, memory, distance, users_part: Of `_Role`; idle, memory and distance differ a
            little between elements.
        kbits: Signalling for each user behind it; -1 for what carries the users' traffic.
        bandwidth: kbit/s of the links towards the core.
        dimension: kbit/s behind it at which its processor is full.
        service: Milliseconds in which its links send a burst.
        keepalive: kbit/s without any user.
        leaks: Its memory.
        strains: What scenario layers do to it.
        noise: Its noise.
    """

    rows: Rows
    idle: Floats
    span: Floats
    memory: Floats
    distance: Floats
    users_part: Floats
    kbits: Floats
    bandwidth: Floats
    dimension: Floats
    service: Floats
    keepalive: Floats
    leaks: Leaks
    strains: Strains
    noise: _Noise

    @classmethod
    def of(cls, day: Day, stations: _Stations, rows: Rows) -> Self:
        """Gather what some elements are on a day."""
        plant, mine = day.inputs.plant, rows
        config, wiring = plant.config, stations.wiring
        kind, at_site = plant.kind[mine], plant.element_site[mine] >= 0
        roles = [_ROLES[each] for each in ELEMENT_TYPES]
        own = _own(config.seed, rows)
        memory = _memory_after_start(day.inputs, rows)
        links = _bandwidth(day.inputs)[mine]
        scale = np.where(at_site, capacity_scale(config), config.subscribers / config.sample_of)
        behind = wiring.carried(stations.traffic.capacity[None, :])[0, mine]
        kbits = np.array([_signalling(role) for role in roles])[kind]
        least = np.where(at_site, _LEAST_AT_SITE, _LEAST_BEHIND) * behind * (kbits < 0)
        bandwidth = np.maximum(np.rint(np.maximum(links * scale, least)), 1.0)
        router = kind == ELEMENT_TYPES.index(ElementType.SITE_ROUTER)
        full = np.where(at_site & ~router, 1.0, _CAPACITY_IN_CORE) * behind
        return cls(
            rows=rows,
            idle=np.array([role.idle for role in roles])[kind] * (1.0 + 0.15 * _field(own, 2)),
            span=np.array([role.span for role in roles])[kind],
            memory=memory,
            distance=np.array([role.distance for role in roles])[kind]
            * (1.0 + 0.25 * _field(own, 1)),
            users_part=np.array([role.part for role in roles])[kind],
            kbits=kbits,
            bandwidth=bandwidth,
            dimension=np.maximum(full, 1.0),
            # A real link, not the sample's share of it: bursts do not shrink with the sample.
            service=_BURST_KBIT / np.maximum(links, bandwidth),
            keepalive=_KEEPALIVE * scale,
            leaks=Leaks.of(config.seed, rows, day.date, FULL - memory, starts_before(day)),
            strains=Strains.of(day, rows),
            noise=_Noise(config.seed, "element", rows, day.number),
        )

    def at(
        self, slots: Rows, stations: _Stations, ailments: Ailments, names: tuple[str, ...]
    ) -> tuple[dict[str, Floats], Flags]:
        """Return metrics of some five minutes, and which elements report them.

        Args:
            slots: Numbers of the five minutes of the day, one after the other.
            stations: The stations that the elements carry.
            ailments: What faults do to the elements.
            names: Columns that are wanted.

        Returns:
            The columns by name and the flags, all of shape (five minutes, elements).
        """
        volume, users = (every[:, self.rows] for every in stations.at(slots))
        noise = self.noise.at(slots)
        offered = np.where(self.kbits < 0.0, volume, self.kbits * users)
        offered = np.rint(offered + self.keepalive * (1.0 + 0.1 * noise.white(3)))
        through = np.minimum(offered, self.bandwidth)
        found = {
            "throughput": through,
            "active_sessions": np.rint(users * self.users_part),
            "capacity_used": _rounded(100.0 * (through / self.bandwidth), 10.0),
            "bandwidth_left": self.bandwidth - through,
        }
        sick = ailments.at(slots)
        added = self.strains.at(slots) if self.strains else None
        load = np.minimum(volume / self.dimension, 1.0)
        if "cpu_use" in names or "memory_use" in names:
            found |= self._computer(slots, load, noise, sick, added)
        if {"packet_loss", "latency", "jitter"} & set(names):
            found |= self._links(offered / self.bandwidth, load, noise, sick, added)
        heard = np.ones(volume.shape, dtype=np.bool_)
        heard[sick.slot[sick.absent], sick.element[sick.absent]] = False
        return found, heard

    def memory_at(self, slots: Rows, stations: _Stations) -> Floats:
        """Return percent of memory in use in some five minutes, without what faults do."""
        load = np.minimum(stations.at(slots)[0][:, self.rows] / self.dimension, 1.0)
        added = self.strains.at(slots) if self.strains else None
        return self._memory(slots, load, self.noise.at(slots), added)

    def _memory(
        self, slots: Rows, load: Floats, noise: _Curves, added: dict[str, Floats] | None
    ) -> Floats:
        memory = self.memory + _LOAD_MEMORY * load
        memory += _MEMORY_NOISE * noise.smooth(2)
        memory += self.leaks.at(slots)
        if added is not None:
            memory += added["memory"]
        return memory

    def _computer(
        self,
        slots: Rows,
        load: Floats,
        noise: _Curves,
        sick: Sick,
        added: dict[str, Floats] | None,
    ) -> dict[str, Floats]:
        """Return use of processor and memory."""
        memory = self._memory(slots, load, noise, added)
        cpu = self.idle + self.span * load + (1.5 + 4.0 * load) * noise.smooth(0)
        cpu += 0.9 * noise.white(0)
        cpu += _SWAPPING * np.clip((memory - _SWAPS_FROM) / (FULL - _SWAPS_FROM), 0.0, 1.0)
        cpu += _STARTING * self.leaks.restarting(slots)
        if added is not None:
            cpu += added["cpu"]
        np.add.at(cpu, (sick.slot, sick.element), sick.cpu)
        np.maximum.at(memory, (sick.slot, sick.element), sick.memory)
        return {
            "cpu_use": _rounded(np.clip(cpu, 0.5, 100.0), 10.0),
            "memory_use": _rounded(np.clip(memory, 1.0, FULL), 10.0),
        }

    def _links(
        self,
        rho: Floats,
        load: Floats,
        noise: _Curves,
        sick: Sick,
        added: dict[str, Floats] | None,
    ) -> dict[str, Floats]:
        """Return the quality of the links, of which a part rho is asked for."""
        loss, wait, swing = _queue(rho, self.service)
        loss += _BACKGROUND_LOSS * (1.0 + 0.5 * noise.smooth(3))
        busy = self.distance * (1.0 + _PROCESSING * load / (1.0 - _BUSIEST * load))
        slow = noise.smooth(1)
        latency = (busy + wait) * (1.0 + 0.06 * slow + 0.03 * noise.white(1))
        jitter = (0.05 * busy + swing) * (1.0 + 0.15 * slow + 0.1 * noise.white(2))
        if added is not None:
            loss += added["loss"]
            latency += added["latency"]
            jitter += _JITTER_OF_LATENCY * added["latency"]
        np.add.at(loss, (sick.slot, sick.element), sick.loss)
        np.add.at(latency, (sick.slot, sick.element), sick.latency)
        np.add.at(jitter, (sick.slot, sick.element), _JITTER_OF_LATENCY * sick.latency)
        return {
            "packet_loss": _rounded(np.minimum(loss, 100.0), 1000.0),
            "latency": _rounded(latency, 1000.0),
            "jitter": _rounded(jitter, 1000.0),
        }


def _own(seed: int, rows: Rows) -> draws.Bits:
    """Return the hash of what is an element's own for ever."""
    return draws.events(draws.keys(draws.stream(seed, "metrics/own"), rows), np.array([0]))


def _memory_after_start(inputs: Inputs, rows: Rows) -> Floats:
    """Return percent of memory that elements use after a restart, without traffic."""
    usual = np.array([_ROLES[each].memory for each in ELEMENT_TYPES])
    return usual[inputs.plant.kind[rows]] + 4.0 * _field(_own(inputs.config.seed, rows), 0)


@lru_cache(maxsize=1)
def _bandwidth(inputs: Inputs) -> Floats:
    """Return the bandwidth of all elements' links (`bandwidth_of`)."""
    return bandwidth_of(inputs.plant)


def _signalling(role: _Role) -> float:
    """Return the kbit/s for each user behind an element; -1 where it carries their traffic."""
    if role.kbits is None:
        return -1.0
    return role.kbits * role.part


def _queue(rho: Floats, service: Floats) -> tuple[Floats, Floats, Floats]:
    """Return loss in percent, and mean and standard deviation of the time in the queue.

    Args:
        rho: Offered traffic over bandwidth.
        service: Time that a burst takes, in milliseconds.
    """
    # At 1 the formula is 0 / 0; next to it, it is what it is in the limit.
    near = np.abs(rho - 1.0) < 1e-4
    offered = np.where(near, 1.0 - 1e-4, np.minimum(rho, 4.0))
    power = offered.copy()
    for _ in range(_PLACES_LOG2):
        power *= power
    loss = 100.0 * (1.0 - offered) * power / (1.0 - power * offered)
    part = np.minimum(rho, _FULLEST)
    left = service / (1.0 - part)
    return loss, left, left * np.sqrt(part * (2.0 - part))


def _rounded(values: Floats, steps: float) -> Floats:
    return np.rint(values * steps) / steps
