"""Identity through time: which IMSI, number and equipment each subscription has at any moment.

Belongs here: versions of identities, and the look-up of the version that holds at a moment. Does
not belong here: who changes what and when (`changes`), what it is changed to (`allotment`).

A *version row* numbers identities: rows 0 to N-1 are the registry's own, and each change adds one,
in order of time. A later horizon only adds rows behind. What layers change (`imposed`) stands
among them, so a SIM may be in the phone of another subscriber.
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.allotment import (
    NewNumbers,
    NewPhones,
    NewSims,
)
from telco_pipeline.behaviour.changes import (
    DEVICE_UPGRADE,
    NUMBER_CHANGE,
    PORT_IN,
    SIM_SWAP,
    Changes,
    draw_changes,
)
from telco_pipeline.behaviour.imposed import EFFECTS, Imposed, imposed
from telco_pipeline.behaviour.population import RATS, Population
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.engine.numerals import Numerals
from telco_pipeline.scenarios.story import Story
from telco_pipeline.settings import WorldConfig

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Versions = npt.NDArray[np.int32]

# Days around a day in which a moment may lie that is looked up through it.
_BEFORE: Final = 1
_AFTER: Final = 3
REACH: Final = _AFTER - 1
"""Days after a day whose changes its look-up needs."""
_MORE: Final = dt.timedelta(days=14)  # of a horizon, behind the day asked for


class Identities:
    """Who has which identity when, up to a horizon.

    Attributes:
        size: Number of subscribers, N.
        until: Last UTC day whose changes are all known.
        imsi, msisdn, imei, iccid: Identities by version row.
        number_holder: Network to which the number's range belongs, an enumeration, by version row.
        device: Row of the device model by version row.
        rat: Best radio access type of the device (position in `RATS`) by version row.
        volte: Whether the device speaks voice over LTE, by version row.
        entity: Subscriber of each change; change c made version row N + c.
        time: Moment of each change, microseconds since 1970-01-01 UTC; never falls.
        kind: Position in `changes.KINDS` of each change.
        previous: Version row before each change.
    """

    size: int
    until: dt.date
    imsi: Numerals
    msisdn: Numerals
    imei: Numerals
    iccid: Numerals
    number_holder: pl.Series
    device: npt.NDArray[np.int32]
    rat: npt.NDArray[np.int8]
    volte: Flags
    entity: Rows
    time: Rows
    kind: npt.NDArray[np.int8]
    previous: Rows

    @classmethod
    def of(
        cls,
        config: WorldConfig,
        population: Population,
        devices: pl.DataFrame,
        until: dt.date,
        story: Story | None = None,
    ) -> Self:
        """Work out all changes from the epoch to the end of a year.

        Where layers impose changes, too, the horizon is nearer: these follow from incidents, whose
        casts take time to find.

        Args:
            config: The world.
            population: The subscribers as arrays.
            devices: The catalogue of devices.
            until: A day; all changes of its year are worked out, or of some weeks more.
            story: What the layers of the world do.
        """
        made = cls()
        layered = story is not None and story.has(*EFFECTS)
        if layered:
            until += min(_MORE, dt.date.max - dt.timedelta(days=1) - until)
        last = (until + dt.timedelta(days=1)).year
        changes = draw_changes(config, population, last)
        sims = NewSims.of(config, population, changes)
        numbers = NewNumbers.of(config, population.number_holder, changes)
        phones = NewPhones.of(config, population, devices, changes)
        happen = sims.kept & numbers.kept & phones.kept
        made.until = dt.date(last, 12, 30)  # the last day's evening may lie in the next local year
        items = _Items(sims.item, numbers.item, phones.item)
        if story is not None and layered:
            made.until = until
            more = imposed(config, population, story, until, changes, happen, sims, phones)
            happen &= ~more.dropped & (changes.time < day_start(until) + DAY)
            sims = replace(
                sims,
                imsi=pl.concat([sims.imsi, more.imsi]),
                iccid=pl.concat([sims.iccid, more.iccid]),
            )
            phones = replace(
                phones,
                imei=pl.concat([phones.imei, more.imei]),
                device=np.concatenate([phones.device, more.device]),
            )
            changes, items, happen = _merged(changes, items, happen, more)
        kept = np.flatnonzero(happen)
        made._put_together(population, changes, kept, items, sims, numbers, phones)
        best = np.array([RATS.index(Rat(rat)) for rat in devices["best_rat"]], dtype=np.int8)
        made.rat = best[made.device]
        made.volte = devices["volte"].to_numpy()[made.device]
        return made

    def _put_together(
        self,
        population: Population,
        changes: Changes,
        kept: Rows,
        items: "_Items",
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
        sim = chain.carry(items.sim[kept], happened.kind == SIM_SWAP)
        number_kind = (happened.kind == NUMBER_CHANGE) | (happened.kind == PORT_IN)
        number = chain.carry(items.number[kept], number_kind)
        phone = chain.carry(items.phone[kept], happened.kind == DEVICE_UPGRADE)
        self.imsi = _pooled(population.imsi, sims.imsi, sim)
        self.iccid = _pooled(population.iccid, sims.iccid, sim)
        self.msisdn = _pooled(population.msisdn, numbers.texts, number)
        holders = numbers.holders.cast(population.number_holder.dtype)
        self.number_holder = pl.concat([population.number_holder, holders]).gather(number)
        self.imei = _pooled(population.imei, phones.imei, phone)
        self.device = np.concatenate([population.device, phones.device])[phone]

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


@dataclass(frozen=True)
class DayIdentities:
    """Who has which identity around one UTC day.

    Moments are microseconds since the start of the day, from a day before it to three days after
    its start (exclusive).

    Attributes:
        version: Version row of each subscriber; of those who change around the day, -1 - slot.
        moments: Slot and moment of the start and of each change around the day, packed, rising.
        versions: Version row from each of them on.
        start_version: Version row of each subscriber at the start of the day.
    """

    version: Versions
    moments: Rows
    versions: Versions
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
        at_start = identities.version_at_start(day)
        version[members] = -1 - slots.astype(np.int32)
        return cls(version, packed[order], versions, at_start)

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


@dataclass(frozen=True)
class _Items:
    """Number of the SIM, the number and the phone that each change brings, as far as it does."""

    sim: Rows
    number: Rows
    phone: Rows


def _merged(
    changes: Changes, items: _Items, happen: Flags, more: Imposed
) -> tuple[Changes, _Items, Flags]:
    """Return changes, and those that layers impose, in order of time."""
    added, nothing = more.changes, np.zeros(len(more.item), dtype=np.int64)
    time = np.concatenate([changes.time, added.time])
    entity = np.concatenate([changes.entity, added.entity])
    order = np.lexsort((entity, time))
    swaps = added.kind == SIM_SWAP
    both = Changes(
        entity,
        time,
        np.concatenate([changes.kind, added.kind]),
        np.concatenate([changes.key, added.key]),
    )
    merged = _Items(
        np.concatenate([items.sim, np.where(swaps, more.item, 0)])[order],
        np.concatenate([items.number, nothing])[order],
        np.concatenate([items.phone, np.where(swaps, 0, more.item)])[order],
    )
    all_happen = np.concatenate([happen, np.ones(len(added), dtype=np.bool_)])
    return both.select(order), merged, all_happen[order]


def _pooled(registry: Numerals, later: pl.Series, item: Rows) -> Numerals:
    """Return identities by version row: those of the registry come first in the pool."""
    pool = Numerals.joined([registry, Numerals.of(later, registry.width)])
    return pool.select(item)
