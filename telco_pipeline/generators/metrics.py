"""Metrics of network elements: processor, memory, traffic, quality, by five minutes.

Belongs here: what an element measures of itself. Does not belong here: what it carries
(`traffic`), leaks and faults (`wear`), counters of cells, which come from the records.

Formulas, with rho the part of its links' bandwidth that an element uses:

* throughput: what its stations carry; of control and service elements the signalling of its users;
* latency: D (1 + load / 4 / (1 - 0.9 load)) + S / (1 - rho): the way and the element's own work,
  then the time in an M/M/1 queue whose server sends a burst of packets in S;
* jitter: S sqrt(rho (2 - rho)) / (1 - rho), the standard deviation of the waiting time there;
* loss: that of M/M/1/K with K = 64 places, (1 - rho) rho^K / (1 - rho^(K+1)).

Values wander: noise is a smooth curve through hashed knots at every half hour, and a little white
noise on top. Stations have noise of their own; what carries them adds it up.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.contracts.oss import ELEMENT_METRICS
from telco_pipeline.engine import draws
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.inputs import Day, Inputs, Rows
from telco_pipeline.generators.traffic import (
    SLOT,
    SLOTS,
    Traffic,
    Wiring,
    bandwidth_of,
    wiring_of,
)
from telco_pipeline.generators.wear import FULL, Ailments, Leaks
from telco_pipeline.lake import CodedText, Rowset
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.plant import ELEMENT_TYPES, Floats, Plant
from telco_pipeline.world.cells import capacity_scale

_KNOT: Final = 6  # five minutes between knots of noise: half an hour
_FIELDS: Final = 4  # curves of noise from one hash
_FIELD_BITS: Final = np.uint64(16)
_FIELD_MASK: Final = np.uint64((1 << 16) - 1)
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
_STARTING: Final = 30.0  # percent of CPU that a restart costs


@dataclass(frozen=True)
class _Role:
    """What an element does, and what it takes.

    Attributes:
        idle: Percent of CPU without traffic.
        span: Percent of CPU that full load adds.
        memory: Percent of memory after a restart, without traffic.
        distance: Milliseconds to the next element, at least.
        part: Part of the users behind it for whom it holds something; 0 for registers, which hold
            all subscribers.
        kbits: Signalling or media of each of them in kbit/s, of registers that of each user; None
            for what carries their traffic.
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
    ElementType.HSS: _Role(12, 40, 58, 0.4, part=0.0, kbits=0.5),
    ElementType.UDM: _Role(12, 40, 58, 0.4, part=0.0, kbits=0.5),
    ElementType.MSC: _Role(12, 45, 50, 0.4, part=0.6, kbits=14.0),
    ElementType.P_CSCF: _Role(10, 45, 45, 0.25, part=0.2, kbits=4.0),
    ElementType.S_CSCF: _Role(10, 45, 45, 0.25, part=0.2, kbits=3.0),
    ElementType.MMTEL_AS: _Role(10, 40, 47, 0.25, part=0.2, kbits=3.0),
    ElementType.SMSC: _Role(8, 40, 45, 0.25, part=0.02, kbits=6.0),
    ElementType.MMSC: _Role(8, 40, 45, 0.25, part=0.005, kbits=40.0),
}
"""Orders of magnitude of practice; calls are a fifth of the users, messages a fiftieth."""

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
    day, plant = inputs.day(date), inputs.plant
    wiring = wiring_of(inputs)
    stations = _Stations.of(day, wiring, part)
    elements = _Elements.of(day, stations, part)
    ailments = Ailments.of(plant, day.faults, date).within(part.start, part.stop)
    rows = part.size * SLOTS
    columns = {name: np.empty(rows, dtype) for name, dtype in _OUTPUT.items()}
    row, time = np.empty(rows, np.int32), np.empty(rows, np.int64)
    end = 0
    for slot in range(SLOTS):
        values, lit = elements.at(slot, *stations.at(slot), ailments)
        begin, end = end, end + len(lit)
        row[begin:end] = lit
        time[begin:end] = day.start + slot * SLOT
        for name, column in columns.items():
            found = values[name]
            column[begin:end] = found if len(lit) == part.size else found[lit]
    ids = plant.elements["element_id"].slice(part.start, part.size)
    return Rowset.of(
        ELEMENT_METRICS,
        {
            "element_id": CodedText.of(ids, row[:end]),
            "event_time": pl.Series(time[:end]).cast(pl.Datetime("us", "UTC")),
            **{name: pl.Series(column[:end]) for name, column in columns.items()},
        },
    )


class _Noise:
    """Curves of noise with mean 0 and standard deviation about 1, four for each of some rows.

    Attributes:
        smooth: Four curves, which run through hashed knots at every half hour.
        white: Four values that are independent from five minutes to five minutes.
    """

    smooth: Floats
    white: Floats

    def __init__(self, seed: int, name: str, rows: Rows, day_number: int) -> None:
        """Prepare the noise of some rows on a day; its knots go on over midnight."""
        self._knot_key = draws.keys(draws.stream(seed, f"metrics/{name}"), rows)
        self._white_key = draws.keys(draws.stream(seed, f"metrics/{name}/white"), rows)
        self._first = day_number * SLOTS
        self._low = self._high = np.empty(0)

    def move_to(self, slot: int) -> None:
        """Set `smooth` and `white` to five minutes of the day, one after the other from 0."""
        number, within = divmod(self._first + slot, _KNOT)
        if slot == 0 or within == 0:
            self._low = _fields(self._knot_key, number) if slot == 0 else self._high
            self._high = _fields(self._knot_key, number + 1)
        part = within / _KNOT
        part = part * part * (3.0 - 2.0 * part)
        self.smooth = self._low + part * (self._high - self._low)
        self.white = _fields(self._white_key, self._first + slot)


def _fields(key: draws.Bits, number: int) -> Floats:
    """Return four independent uniforms of mean 0 and standard deviation 1, shape (4, keys)."""
    bits = draws.events(key, np.array([number]))
    found = np.empty((_FIELDS, len(key)))
    for field in range(_FIELDS):
        found[field] = (bits >> (_FIELD_BITS * np.uint64(field))) & _FIELD_MASK
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
    def of(cls, day: Day, wiring: Wiring, part: Part) -> Self:
        """Prepare those that the elements of a part carry."""
        needed = np.flatnonzero(wiring.needed(part))
        seed = day.inputs.config.seed
        noise = _Noise(seed, "station", wiring.stations[needed], day.number)
        return cls(wiring, Traffic.of(day, wiring), needed, noise)

    def at(self, slot: int) -> tuple[Floats, Floats]:
        """Return traffic in kbit/s and users that every element carries in five minutes."""
        volume, users = self.traffic.at(slot)
        self.noise.move_to(slot)
        smooth, white = self.noise.smooth, self.noise.white
        few, level = users[self.needed], volume[self.needed]
        spread = 1.0 / np.sqrt(np.maximum(few, _FEW))
        # Rounded up or down by chance, so that few users are neither lost nor doubled.
        chance = white[0] / 12.0**0.5 + 0.5
        count = np.floor(few * (1.0 + 2.0 * _USERS_NOISE * smooth[0] * spread) + chance)
        wander = _USERS_NOISE * smooth[0] + _VOLUME_NOISE * smooth[1] + _WHITE_NOISE * white[1]
        level = np.rint(level * (1.0 + spread * wander))
        level = np.clip(level, 0.0, self.traffic.capacity[self.needed])
        whole = np.zeros((2, len(volume)))
        whole[0, self.needed], whole[1, self.needed] = level, np.maximum(count, 0.0)
        return self.wiring.carried(whole[0]), self.wiring.carried(whole[1])


@dataclass(frozen=True)
class _Elements:
    """The elements of a part: what they are, by position in it.

    Attributes:
        part: The part.
        idle, span, memory, distance, users_part: Of `_Role`; idle, memory and distance differ a
            little between elements.
        kbits: Signalling for each user behind it; -1 for what carries the users' traffic.
        held: Subscribers that a register holds.
        bandwidth: kbit/s of the links towards the core.
        dimension: kbit/s behind it at which its processor is full.
        service: Milliseconds in which its links send a burst.
        keepalive: kbit/s without any user.
        leaks: Its memory.
        noise: Its noise.
    """

    part: Part
    idle: Floats
    span: Floats
    memory: Floats
    distance: Floats
    users_part: Floats
    kbits: Floats
    held: Floats
    bandwidth: Floats
    dimension: Floats
    service: Floats
    keepalive: Floats
    leaks: Leaks
    noise: _Noise

    @classmethod
    def of(cls, day: Day, stations: _Stations, part: Part) -> Self:
        """Gather what the elements of a part are on a day."""
        plant, mine = day.inputs.plant, slice(part.start, part.stop)
        config, wiring = plant.config, stations.wiring
        kind, at_site = plant.kind[mine], plant.element_site[mine] >= 0
        roles = [_ROLES[each] for each in ELEMENT_TYPES]
        rows = np.arange(part.start, part.stop)
        own = _fields(draws.keys(draws.stream(config.seed, "metrics/own"), rows), 0)
        memory = np.array([role.memory for role in roles])[kind] + 4.0 * own[0]
        links = bandwidth_of(plant)[mine]
        scale = np.where(at_site, capacity_scale(config), config.subscribers / config.sample_of)
        behind = wiring.carried(stations.traffic.capacity)[mine]
        kbits = np.array([_signalling(role) for role in roles])[kind]
        least = np.where(at_site, _LEAST_AT_SITE, _LEAST_BEHIND) * behind * (kbits < 0)
        bandwidth = np.maximum(np.rint(np.maximum(links * scale, least)), 1.0)
        router = kind == ELEMENT_TYPES.index(ElementType.SITE_ROUTER)
        full = np.where(at_site & ~router, 1.0, _CAPACITY_IN_CORE) * behind
        return cls(
            part=part,
            idle=np.array([role.idle for role in roles])[kind] * (1.0 + 0.15 * own[2]),
            span=np.array([role.span for role in roles])[kind],
            memory=memory,
            distance=np.array([role.distance for role in roles])[kind] * (1.0 + 0.25 * own[1]),
            users_part=np.array([role.part for role in roles])[kind],
            kbits=kbits,
            held=_held(config, plant)[mine],
            bandwidth=bandwidth,
            dimension=np.maximum(full, 1.0),
            # A real link, not the sample's share of it: bursts do not shrink with the sample.
            service=_BURST_KBIT / np.maximum(links, bandwidth),
            keepalive=_KEEPALIVE * scale,
            leaks=Leaks.of(config.seed, rows, day.date, FULL - memory),
            noise=_Noise(config.seed, "element", rows, day.number),
        )

    def at(
        self, slot: int, volume: Floats, users: Floats, ailments: Ailments
    ) -> tuple[dict[str, Floats], npt.NDArray[np.int64]]:
        """Return the metrics of five minutes, and which elements of the part have power.

        Args:
            slot: Number of the five minutes of the day; they come one after the other.
            volume: Traffic in kbit/s behind each element of the network.
            users: Users behind each.
            ailments: What faults do to the elements of the part.
        """
        mine = slice(self.part.start, self.part.stop)
        volume, users = volume[mine], users[mine]
        self.noise.move_to(slot)
        smooth, white = self.noise.smooth, self.noise.white
        offered = np.where(self.kbits < 0.0, volume, self.kbits * users)
        offered = np.rint(offered + self.keepalive * (1.0 + 0.1 * white[3]))
        through = np.minimum(offered, self.bandwidth)
        used = through / self.bandwidth
        load = np.minimum(volume / self.dimension, 1.0)
        leaked = self.leaks.at(slot)
        memory = self.memory + 8.0 * load + 0.6 * smooth[2] + leaked
        cpu = self.idle + self.span * load + (1.5 + 4.0 * load) * smooth[0] + 0.9 * white[0]
        cpu += _SWAPPING * np.clip((memory - _SWAPS_FROM) / (FULL - _SWAPS_FROM), 0.0, 1.0)
        cpu += _STARTING * self.leaks.restarting(slot)
        loss, wait, swing = _queue(offered / self.bandwidth, self.service)
        loss += _BACKGROUND_LOSS * (1.0 + 0.5 * smooth[3])
        busy = self.distance * (1.0 + _PROCESSING * load / (1.0 - _BUSIEST * load))
        latency = (busy + wait) * (1.0 + 0.06 * smooth[1] + 0.03 * white[1])
        jitter = (0.05 * busy + swing) * (1.0 + 0.15 * smooth[1] + 0.1 * white[2])
        sick = ailments.at(slot)
        lit = np.arange(self.part.size)
        if sick.stop > sick.start:
            who = ailments.element[sick]
            np.add.at(cpu, who, ailments.cpu[sick])
            np.maximum.at(memory, who, ailments.memory[sick])
            np.add.at(loss, who, ailments.loss[sick])
            np.add.at(latency, who, ailments.latency[sick])
            np.add.at(jitter, who, 0.2 * ailments.latency[sick])
            dark = who[ailments.dark[sick]]
            if dark.size:
                lit = np.delete(lit, dark)
        return {
            "cpu_use": _rounded(np.clip(cpu, 0.5, 100.0), 10.0),
            "memory_use": _rounded(np.clip(memory, 1.0, FULL), 10.0),
            "throughput": through,
            "active_sessions": self.held + np.rint(users * self.users_part),
            "packet_loss": _rounded(np.minimum(loss, 100.0), 1000.0),
            "latency": _rounded(latency, 1000.0),
            "jitter": _rounded(jitter, 1000.0),
            "capacity_used": _rounded(100.0 * used, 10.0),
            "bandwidth_left": self.bandwidth - through,
        }, lit


def _signalling(role: _Role) -> float:
    """Return the kbit/s for each user behind an element; -1 where it carries their traffic."""
    if role.kbits is None:
        return -1.0
    return role.kbits * (role.part or 1.0)


def _held(config: WorldConfig, plant: Plant) -> Floats:
    """Return how many subscribers each element holds: those of a type share them."""
    held = np.zeros(plant.elements.height)
    for kind in (ElementType.HSS, ElementType.UDM):
        rows = plant.elements_of(kind)
        held[rows] = config.subscribers // max(len(rows), 1)
    return held


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
