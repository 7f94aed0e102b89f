"""Identity through time: which IMSI, number and equipment each subscription has at any moment.

Belongs here: versions of identities, and the look-up of the version that holds at a moment. Does
not belong here: who changes what and when (`changes`), what it is changed to (`allotment`).

A *version row* numbers identities: rows 0 to N-1 are the registry's own, and each change adds one,
in order of time. A later horizon only adds rows behind.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.allotment import (
    NewNumbers,
    NewPhones,
    NewSims,
    other_operators,
)
from telco_pipeline.behaviour.changes import (
    DEVICE_UPGRADE,
    NUMBER_CHANGE,
    PORT_IN,
    PORT_OUT,
    SIM_SWAP,
    Changes,
    draw_changes,
)
from telco_pipeline.behaviour.population import RATS, Population
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.engine.tables import Choice
from telco_pipeline.settings import WorldConfig

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Versions = npt.NDArray[np.int32]

_NEVER: Final = np.iinfo(np.int64).max
# Days around a day in which a moment may lie that is looked up through it.
_BEFORE: Final = 1
_AFTER: Final = 3
REACH: Final = _AFTER - 1
"""Days after a day whose changes its look-up needs."""


class Identities:
    """Who has which identity when, up to a horizon.

    Attributes:
        size: Number of subscribers, N.
        until: Last UTC day whose changes are all known.
        imsi, msisdn, imei, iccid: Identities by version row.
        number_holder: Network to which the number's range belongs, by version row.
        device: Row of the device model by version row.
        rat: Best radio access type of the device (position in `RATS`) by version row.
        volte: Whether the device speaks voice over LTE, by version row.
        entity: Subscriber of each change; change c made version row N + c.
        time: Moment of each change, microseconds since 1970-01-01 UTC; never falls.
        kind: Position in `changes.KINDS` of each change.
        previous: Version row before each change.
        operator: Operator (position in world.yaml) that serves the number after each change.
    """

    size: int
    until: dt.date
    imsi: pl.Series
    msisdn: pl.Series
    imei: pl.Series
    iccid: pl.Series
    number_holder: pl.Series
    device: npt.NDArray[np.int32]
    rat: npt.NDArray[np.int8]
    volte: Flags
    entity: Rows
    time: Rows
    kind: npt.NDArray[np.int8]
    previous: Rows
    operator: npt.NDArray[np.int8]

    @classmethod
    def of(
        cls,
        config: WorldConfig,
        population: Population,
        subscribers: pl.DataFrame,
        devices: pl.DataFrame,
        plans: pl.DataFrame,
        until: dt.date,
    ) -> Self:
        """Work out all changes from the epoch to the end of a year.

        Args:
            config: The world.
            population: The subscribers as arrays.
            subscribers: The registry: its identities, `number_holder` and `churn_score`.
            devices: The catalogue of devices.
            plans: The catalogue of plans.
            until: A day; all changes of its year are worked out.
        """
        made = cls()
        last = (until + dt.timedelta(days=1)).year
        prepaid = (plans["payment"].cast(pl.String) == "prepaid").to_numpy()[population.plan]
        churn = subscribers["churn_score"].to_numpy()
        changes = draw_changes(config, population, churn, prepaid, last)
        keys = subscribers.select(_TEXTS)
        texts = keys.with_columns(pl.col("number_holder").cast(pl.String))
        sims = NewSims.of(config, population, changes)
        numbers = NewNumbers.of(config, texts["number_holder"], changes)
        phones = NewPhones.of(config, population, texts["imei"], devices, changes)
        kept = np.flatnonzero(sims.kept & numbers.kept & phones.kept)
        made._put_together(config, population, changes, kept, texts, sims, numbers, phones)
        made.until = dt.date(last, 12, 30)  # the last day's evening may lie in the next local year
        best = np.array([RATS.index(Rat(rat)) for rat in devices["best_rat"]], dtype=np.int8)
        made.rat = best[made.device]
        made.volte = devices["volte"].to_numpy()[made.device]
        return made

    def _put_together(
        self,
        config: WorldConfig,
        population: Population,
        changes: Changes,
        kept: Rows,
        texts: pl.DataFrame,
        sims: NewSims,
        numbers: NewNumbers,
        phones: NewPhones,
    ) -> None:
        """Number the versions and carry forward what each change leaves as it was."""
        size, happened = population.size, changes.select(kept)
        self.size = size
        self.entity, self.time, self.kind = happened.entity, happened.time, happened.kind
        chain = _Chain.of(size, happened)
        self.previous = chain.previous
        sim = chain.carry(sims.item[kept], happened.kind == SIM_SWAP)
        number_kind = (happened.kind == NUMBER_CHANGE) | (happened.kind == PORT_IN)
        number = chain.carry(numbers.item[kept], number_kind)
        phone = chain.carry(phones.item[kept], happened.kind == DEVICE_UPGRADE)
        self.imsi = _pooled(texts["imsi"], sims.imsi, sim)
        self.iccid = _pooled(texts["iccid"], sims.iccid, sim)
        self.msisdn = _pooled(texts["msisdn"], numbers.texts, number)
        self.number_holder = _pooled(texts["number_holder"], numbers.holders, number)
        self.imei = _pooled(texts["imei"], phones.imei, phone)
        self.device = np.concatenate([population.device, phones.device])[phone]
        own = config.operators.index(config.own_operator)
        self.operator = np.full(len(happened), own, dtype=np.int8)
        leaving = np.flatnonzero(happened.kind == PORT_OUT)
        if leaving.size:
            others = other_operators(config)
            shares = Choice.of([config.operators[other].share for other in others])
            chosen = shares.sample(draws.bits(happened.key[leaving], "operator"))
            self.operator[leaving] = np.array(others)[chosen]

    def changes_between(self, first: int, last: int) -> slice:
        """Return the changes from one moment to before another one (microseconds since 1970)."""
        start, stop = np.searchsorted(self.time, [first, last], side="left")
        return slice(int(start), int(stop))

    def changes_of(self, day: dt.date) -> Rows:
        """Return the changes of a UTC day, in order of time.

        Raises:
            ValueError: When the day lies beyond the horizon.
        """
        self._check(day)
        found = self.changes_between(day_start(day), day_start(day) + DAY)
        return np.arange(found.start, found.stop)

    def version_at_start(self, day: dt.date) -> Versions:
        """Return the version row of each subscriber at the start of a UTC day.

        Raises:
            ValueError: When the day lies beyond the horizon.
        """
        self._check(day)
        return self.version_at(day_start(day))

    def version_at(self, moment: int) -> Versions:
        """Return the version rows that hold just before a moment."""
        versions = np.arange(self.size, dtype=np.int32)
        done = self.changes_between(0, moment).stop
        # Of several changes of one subscriber the last one stays.
        versions[self.entity[:done]] = self.size + np.arange(done, dtype=np.int32)
        return versions

    def day(self, day: dt.date) -> "DayIdentities":
        """Return the look-up around a UTC day.

        Raises:
            ValueError: When the days around it lie beyond the horizon.
        """
        self._check(day + dt.timedelta(days=REACH))
        return DayIdentities.of(self, day)

    def _check(self, day: dt.date) -> None:
        if day > self.until:
            raise ValueError(f"changes of identity are known until {self.until}, not {day}")


_TEXTS: Final = ["imsi", "msisdn", "imei", "iccid", "number_holder"]


@dataclass(frozen=True)
class DayIdentities:
    """Who has which identity around one UTC day.

    Moments are microseconds since the start of the day, from a day before it to three days after
    its start (exclusive).

    Attributes:
        version: Version row of each subscriber; of those who change around the day, -1 - slot.
        moments: Slot and moment of the start and of each change around the day, packed, rising.
        versions: Version row from each of them on.
        gone: 1 for who left before, 2 for who leaves around the day, else 0.
        left: Moment at which each slot's subscriber leaves; never for the others.
        start_version: Version row of each subscriber at the start of the day.
    """

    version: Versions
    moments: Rows
    versions: Versions
    gone: npt.NDArray[np.int8]
    left: Rows
    start_version: Versions

    _SPAN = (_BEFORE + _AFTER) * DAY
    _SPAN_BITS = _SPAN.bit_length()

    @classmethod
    def of(cls, identities: Identities, day: dt.date) -> Self:
        """Build the look-up of a day."""
        start = day_start(day)
        first = start - _BEFORE * DAY
        version = identities.version_at(first)
        around = identities.changes_between(first, start + _AFTER * DAY)
        entity, time = identities.entity[around], identities.time[around] - first
        members, slot = np.unique(entity, return_inverse=True)
        slots = np.arange(len(members))
        rows = identities.size + np.arange(around.start, around.stop)
        packed = np.concatenate([slots, slot]) << cls._SPAN_BITS
        packed[len(members) :] |= time
        order = np.argsort(packed)
        versions = np.concatenate([version[members], rows])[order].astype(np.int32)
        gone = np.zeros(identities.size, dtype=np.int8)
        before = slice(0, around.start)
        gone[identities.entity[before][identities.kind[before] == PORT_OUT]] = 1
        leaving = identities.kind[around] == PORT_OUT
        gone[entity[leaving]] = 2
        left = np.full(len(members), _NEVER)
        left[slot[leaving]] = time[leaving] - _BEFORE * DAY
        at_start = identities.version_at_start(day)
        version[members] = -1 - slots.astype(np.int32)
        return cls(version, packed[order], versions, gone, left, at_start)

    def row(self, entity: npt.NDArray[np.integer], time: Rows) -> Versions:
        """Return the version row that holds for each entity at a moment.

        Raises:
            ValueError: When a moment lies too far from the day.
        """
        _check_near(time)
        rows = self.version[entity]
        few = np.flatnonzero(rows < 0)
        if few.size:
            slot = -1 - rows[few].astype(np.int64)
            packed = (slot << self._SPAN_BITS) | (time[few] + _BEFORE * DAY)
            place = np.searchsorted(self.moments, packed, side="right") - 1
            rows[few] = self.versions[place]
        return rows

    def in_service(self, entity: npt.NDArray[np.integer], time: Rows) -> Flags:
        """Return whether each entity is still served by us at a moment: False once ported out.

        Raises:
            ValueError: When a moment lies too far from the day.
        """
        _check_near(time)
        gone = self.gone[entity]
        there = gone == 0
        few = np.flatnonzero(gone == 2)
        if few.size:
            slot = -1 - self.version[entity[few]].astype(np.int64)
            there[few] = time[few] < self.left[slot]
        return there

    def leavers(self, entities: Rows) -> tuple[Rows, Rows]:
        """Return which of some entities leave around the day, and when: from then on not ours."""
        leaving = entities[self.gone[entities] == 2]
        return leaving, self.left[-1 - self.version[leaving].astype(np.int64)]


def _check_near(time: Rows) -> None:
    if time.size and (int(time.min()) < -_BEFORE * DAY or int(time.max()) >= _AFTER * DAY):
        raise ValueError("a moment lies more than a day before the day, or three after its start")


@dataclass(frozen=True)
class _Chain:
    """The changes of each subscriber one after the other.

    Attributes:
        size: Number of subscribers.
        order: Changes by subscriber, then by time.
        head: Position in `order` of the first change of the same subscriber, per position.
        entity: Subscriber per position.
        previous: Version row before each change (in order of time).
    """

    size: int
    order: Rows
    head: Rows
    entity: Rows
    previous: Rows

    @classmethod
    def of(cls, size: int, changes: Changes) -> Self:
        """Chain changes that are in order of time."""
        order = np.argsort(changes.entity, kind="stable")
        entity = changes.entity[order]
        place = np.arange(len(order))
        begins = np.ones(len(order), dtype=np.bool_)
        begins[1:] = entity[1:] != entity[:-1]
        head = np.maximum.accumulate(np.where(begins, place, 0))
        before = np.where(begins, entity, size + np.roll(order, 1))
        previous = np.empty(len(order), dtype=np.int64)
        previous[order] = before
        return cls(size, order, head, entity, previous)

    def carry(self, item: Rows, sets: Flags) -> Rows:
        """Return what each version row has, from what some changes set.

        Args:
            item: What a change sets: numbers of things, of which the first N are the registry's.
            sets: Which changes set something.
        """
        place = np.arange(len(self.order))
        last = np.maximum.accumulate(np.where(sets[self.order], place, -1))
        had = np.where(last >= self.head, item[self.order][last], self.entity)
        carried = np.empty(len(self.order), dtype=np.int64)
        carried[self.order] = had
        return np.concatenate([np.arange(self.size), carried])


def _pooled(registry: pl.Series, later: pl.Series, item: Rows) -> pl.Series:
    """Return texts by version row: those of the registry come first in the pool."""
    return pl.concat([registry.cast(pl.String), later.cast(pl.String)], rechunk=True).gather(item)
