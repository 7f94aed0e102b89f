"""What is met: in which hours subscribers, cells and elements meet another world on a day.

Belongs here: targets of the layers that are left out, and where the state of both worlds differs.
Does not belong here: how far that leads in records (`days`, `lines`), which rows it makes (`rows`).
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import BUSINESS, VISITOR
from telco_pipeline.engine.calendar import DAY, HOUR, day_start
from telco_pipeline.engine.keys import rows_of
from telco_pipeline.generators.base import Inputs
from telco_pipeline.lake import Lake
from telco_pipeline.oss.labels import episodes_of
from telco_pipeline.reach import hours
from telco_pipeline.reach.hours import HOURS, Hours
from telco_pipeline.scenarios.effects import CELLS, EFFECTS, SUBSCRIBERS
from telco_pipeline.scenarios.story import Story, Touch, without
from telco_pipeline.state.coverage import coverage_left

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SUBSCRIBER_STATE: Final = "subscriber_state"
_NETWORK_STATE: Final = "network_state"
_FAULTS: Final = "network_faults"
_DAY: Final = dt.timedelta(days=1)
# A journey of one's own in the same week gives way to what layers plan (`behaviour.presence`).
_WEEK: Final = 8 * _DAY
# Effects that say something else in what their targets do anyway; and those that are felt through
# the state of subscribers alone (an offer is also a message).
_QOS, _UNRATED, _OFFER, _FILES, _SWAP = "qos", "unrated", "offer", "files", "swap"
_BY_ELEMENTS: Final = ("errors", "strain", _FILES)  # nothing that a phone would meet
_BY_STATE: Final = ("content", "care", "bill", "churn", "unpaid", _OFFER)
# What of a cell's state decides whether a phone is served and for how long; and how well.
_ADMISSION: Final = (
    "unavailable_from",
    "unavailable_until",
    "block_probability",
    "drop_probability",
    "handover_failure",
    "voice_failure",
    "data_failure",
    "signalling_failure",
)
_TRAFFIC: Final = (
    "demand", "capacity", "active_users", "unavailable_from", "unavailable_until",
)  # fmt: skip
_QUALITY: Final = ("throughput_factor", "latency_added", "loss_added")
# What of a subscriber's state any record may meet; data sessions alone; and care.
_STATUS: Final = ("status", "change", "change_time", "episode", "episode_start")
_TERMS: Final = ("plan_id", "new_plan_id")
_CONTACT: Final = ("contact_time", "contact_reason", "contact_topic", "contact_number", "case_id")


@dataclass(frozen=True)
class Felt:
    """What is met on a day; subscribers by entity number, cells and elements by row.

    Attributes:
        date: The day.
        own: Hours in which a subscriber is a target or has another status: he goes otherwise
            whatever the network does.
        people: The same, and those in which he is at a cell that admits, loses or fails otherwise.
        night: Hours in which he is at a cell that did so in the last hour of the eve: what began
            before midnight keeps its state.
        quality: Hours in which he is at a cell that serves better or worse; of a business, which
            has a trunk, also those in which its own cell fails otherwise.
        queue: Who turns to care, if anything in its queue differs.
        terms: Whose plan or quality of service differs.
        unrated: Whose use abroad is marked otherwise.
        offered: Whom a campaign writes to.
        changes: Whose changes of identity may differ.
        state: Whose state differs in anything.
        cells: Hours in which the state of a cell differs.
        elements: Elements that break, are worn or are touched otherwise, on this day or before it.
        busy: Elements whose cells have another state or carry something else.
        damaged: Elements whose files are lost or come twice.
    """

    date: dt.date
    own: Hours
    people: Hours
    night: Hours
    quality: Hours
    queue: Flags
    terms: Flags
    unrated: Flags
    offered: Flags
    changes: Flags
    state: Flags
    cells: Hours
    elements: Flags
    busy: Flags
    damaged: Flags

    @property
    def calls(self) -> Hours:
        """Hours in which his calls meet another world."""
        return self.people | self.night | hours.all_day(self.queue)


@dataclass(frozen=True)
class _Targets:
    """Whom the layers that are left out touch on a day."""

    people: Hours
    terms: Flags
    unrated: Flags
    offered: Flags
    elements: Flags
    damaged: Flags

    @classmethod
    def none(cls, people: int, elements: int) -> Self:
        """Return nobody."""
        some = [np.zeros(people, dtype=np.bool_) for _ in range(3)]
        others = [np.zeros(elements, dtype=np.bool_) for _ in range(2)]
        return cls(hours.none(people), *some, *others)


@dataclass(frozen=True)
class _Network:
    """Where the state of the network differs on a day, by row of `cells`.

    Attributes:
        cells: Hours in which it does in anything.
        admission: Hours in which it admits, loses or fails otherwise.
        quality: Hours in which it serves better or worse.
        traffic: Hours in which it carries something else.
        out: Which cells are out of service at any time, or do not reach all, in either world.
    """

    cells: Hours
    admission: Hours
    quality: Hours
    traffic: Hours
    out: Flags


@dataclass(frozen=True)
class _Camps:
    """Where phones camp on a day: one array element for each stretch on a cell."""

    entity: Rows
    cell: Rows
    hours: Hours

    def meeting(self, cells: Hours, size: int) -> Hours:
        """Return in which hours each subscriber is at a cell in an hour of its own."""
        found = hours.none(size)
        bits = cells[self.cell] & self.hours
        rows = np.flatnonzero(bits)
        np.bitwise_or.at(found, self.entity[rows], bits[rows])
        return found


class Senses:
    """Works out what is met on each day, from targets and from the state of both worlds."""

    def __init__(self, inputs: Inputs, left_out: Sequence[str], lakes: tuple[Lake, Lake]) -> None:
        """Prepare.

        Args:
            inputs: The main world.
            left_out: Layers that the counterfactual one does not have.
            lakes: Where the main world lies, and the counterfactual one.
        """
        self._inputs, self._left_out, self._lakes = inputs, left_out, lakes
        self._story = inputs.story
        self._other = Story(without(inputs.config, *left_out), inputs.story.ground)
        self._people = inputs.population.size
        self._elements = len(inputs.cells.element_id)
        self._networks: dict[dt.date, _Network] = {}

    def feel(self, date: dt.date, eve: Felt | None) -> Felt:
        """Return what is met on a day.

        Args:
            date: The day.
            eve: What was met on the day before; None on the first.
        """
        told, status = self._targets(date), self._differ(date, _STATUS)
        camps, network = self._camps(date), self._network(date)
        own = told.people | hours.all_day(status)
        people = own | camps.meeting(self._met(network, network.admission), self._people)
        night = hours.none(self._people)
        elements = told.elements | self._broken(date)
        if eve is not None:
            elements |= eve.elements
            before = self._network(eve.date)
            late = hours.at(self._met(before, before.admission), np.array(HOURS - 1))
            night = camps.meeting(hours.all_day(late), self._people)
        return Felt(
            date=date,
            own=own,
            people=people,
            night=night,
            quality=camps.meeting(self._met(network, network.quality), self._people)
            | self._trunks(network),
            queue=self._queue(date, people | night),
            terms=told.terms | self._differ(date, _TERMS),
            unrated=told.unrated,
            offered=told.offered,
            changes=own > 0,
            state=self._differ(date, None),
            cells=network.cells,
            elements=elements,
            busy=self._above(network),
            damaged=told.damaged,
        )

    def targeted(self, until: dt.date) -> float:
        """Return which part of the subscribers, or of the cells if that is more, layers touch.

        Benign targets count, as they are touched too; of a layer that touches elements the cells
        on them do, and of the core all.

        Args:
            until: The last day.
        """
        people = np.zeros(self._people, dtype=np.bool_)
        cells = np.zeros(len(self._inputs.cells.cell_id), dtype=np.bool_)
        names = sorted(self._story.effects)
        for touch in self._story.between(self._inputs.config.epoch, until, *names):
            if not self._is_left(touch):
                continue
            if touch.of == SUBSCRIBERS:
                people[touch.rows] = True
            elif touch.name not in _BY_ELEMENTS:
                cells[self._story.cells_under(touch)[1]] = True
                core = touch.of != CELLS and self._core[self._story.elements_under(touch)[1]]
                cells |= np.any(core)
        joined = self._inputs.config.joined_by(until)
        return max(float(people[:joined].mean()), float(cells.mean()))

    # Targets ---------------------------------------------------------------------------------

    def _targets(self, date: dt.date) -> _Targets:
        """Return whom the layers that are left out touch on a day, or shortly before or after."""
        found = _Targets.none(self._people, self._elements)
        for touch, all_along in self._touches(date):
            if not self._is_left(touch):
                continue
            if touch.of != SUBSCRIBERS:
                self._add_plant(touch, found)
                continue
            who = touch.rows
            if touch.name == _QOS:
                found.terms[who] = True
            elif touch.name == _UNRATED:
                found.unrated[who] = True
            elif touch.name == _OFFER:
                found.offered[who] = True
            elif touch.name not in _BY_STATE:
                start = np.zeros_like(touch.start) if all_along else touch.start
                found.people[who] |= hours.since(start, day_start(date))
        return found

    def _touches(self, date: dt.date) -> Iterator[tuple[Touch, bool]]:
        """Yield what touches anybody on a day or shortly did, and whether it counts all along.

        What is planned ahead reaches a week back and a week on, and what else ends a day on: who
        was refused attaches again, a timer runs out. A swap is for good.
        """
        epoch = self._inputs.config.epoch
        ahead = [name for name in sorted(self._story.effects) if EFFECTS[name].ahead]
        usual = [name for name in sorted(self._story.effects) if not EFFECTS[name].ahead]
        before = max(date - _DAY, epoch)
        for touch in self._story.between(before, date, *usual):
            yield touch, False
        for touch in self._story.between(max(date - _WEEK, epoch), date + _WEEK, *ahead):
            yield touch, True
        if _SWAP in ahead:
            for touch in self._story.between(epoch, date, _SWAP):
                yield touch, True
        if self._story.triggers:
            for one in sorted({before, date}):
                episodes = episodes_of(self._inputs.config, self._lakes[0], one)
                for touch in self._story.begun(one, one, episodes, *usual):
                    yield touch, False

    def _add_plant(self, touch: Touch, found: _Targets) -> None:
        """Note (in place) the elements that a touch on the network concerns."""
        if touch.of == CELLS:
            elements = self._inputs.plant.station[touch.rows]
        else:
            elements = self._story.elements_under(touch)[1]
        (found.damaged if touch.name == _FILES else found.elements)[elements] = True

    # State -----------------------------------------------------------------------------------

    def _read(
        self, lake: Lake, name: str, date: dt.date, columns: Sequence[str] | None
    ) -> pl.DataFrame:
        """Return a day of state with plain texts: worlds may order their dictionaries otherwise."""
        frame = lake.read(name, date, date, columns).drop("day", strict=False)
        return frame.with_columns(
            (pl.selectors.enum() | pl.selectors.categorical()).cast(pl.String)
        )

    def _apart(self, name: str, date: dt.date) -> bool:
        """Return whether both worlds have a day, each its own."""
        one, two = (lake.directory(name, date) for lake in self._lakes)
        return one != two and one.is_dir() and two.is_dir()

    def _both(
        self, name: str, date: dt.date, columns: Sequence[str] | None
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        one, two = (self._read(lake, name, date, columns) for lake in self._lakes)
        return one, two

    def _differ(self, date: dt.date, columns: Sequence[str] | None) -> Flags:
        """Return of whom a day's state differs between the worlds, in some columns or in any."""
        found = np.zeros(self._people, dtype=np.bool_)
        if self._apart(SUBSCRIBER_STATE, date):
            one, two = self._both(SUBSCRIBER_STATE, date, columns)
            for column in one.columns:
                found[: len(one)] |= one[column].ne_missing(two[column]).to_numpy()
        return found

    def _network(self, date: dt.date) -> _Network:
        """Return where the state of the network differs on a day; two days are kept."""
        if date not in self._networks:
            while len(self._networks) >= 2:
                del self._networks[next(iter(self._networks))]
            self._networks[date] = self._compare(date)
        return self._networks[date]

    def _compare(self, date: dt.date) -> _Network:
        cells = len(self._inputs.cells.cell_id)
        nothing = hours.none(cells)
        out = np.zeros(cells, dtype=np.bool_)
        found = _Network(nothing, nothing.copy(), nothing.copy(), nothing.copy(), out)
        self._compare_coverage(date, found)
        if not self._apart(_NETWORK_STATE, date):
            return found
        worlds = self._both(_NETWORK_STATE, date, None)
        for column in worlds[0].columns:
            unlike = worlds[0][column].ne_missing(worlds[1][column]).to_numpy()
            if not unlike.any():
                continue
            bits = np.zeros(cells, dtype=np.uint64)
            for hour, row in enumerate(unlike.reshape(HOURS, cells)):
                bits |= row.astype(np.uint64) << np.uint64(hour)
            np.bitwise_or(found.cells, bits, out=found.cells)
            for columns, told in (
                (_ADMISSION, found.admission),
                (_QUALITY, found.quality),
                (_TRAFFIC, found.traffic),
            ):
                if column in columns:
                    np.bitwise_or(told, bits, out=told)
        for frame in worlds:
            down = frame["unavailable_from"].is_not_null().to_numpy().reshape(HOURS, cells)
            np.logical_or(out, down.any(axis=0), out=out)
        return found

    def _compare_coverage(self, date: dt.date, found: _Network) -> None:
        """Note (in place) where the worlds' cells have another coverage, which no state tells."""
        cells = len(found.cells)
        sides = [coverage_left(story, date, cells) for story in (self._story, self._other)]
        if all(left is None for left in sides):
            return
        one, two = (np.ones((cells, HOURS)) if left is None else left for left in sides)
        bits = hours.none(cells)
        for hour in range(HOURS):
            bits |= (one[:, hour] != two[:, hour]).astype(np.uint64) << np.uint64(hour)
        for told in (found.cells, found.admission):
            np.bitwise_or(told, bits, out=told)
        np.logical_or(found.out, ((one < 1.0) | (two < 1.0)).any(axis=1), out=found.out)

    def _is_left(self, touch: Touch) -> bool:
        """Return whether a touch is of a layer that is left out."""
        return self._story.name_of(touch.incident.layer) in self._left_out

    def _met(self, network: _Network, cells: Hours) -> Hours:
        """Return in which hours a phone that camps on each cell meets one of some.

        That is: on the cell, on the other layers of its site, and where one of these is out of
        service on what takes over for it, or for that.
        """
        if not cells.any():
            return cells
        known, takers = self._inputs.cells, self._inputs.plant.takers.astype(np.int64)
        layers = [np.arange(len(cells)), known.lte_sibling, known.gsm_sibling]
        layers = np.column_stack(layers).astype(np.int64)
        found = _any_of(cells, layers)
        lost = np.flatnonzero(np.where(layers >= 0, network.out[layers], False).any(axis=1))
        if lost.size:
            near = _any_of(found, takers)
            further = near | _any_of(near, takers)
            found[lost] |= _any_of(further, layers[lost])
        return found

    def _trunks(self, network: _Network) -> Hours:
        """Return in which hours the trunks of businesses, at their own cells, meet another core."""
        population = self._inputs.population
        business = population.kind == BUSINESS
        return np.where(business, network.admission[population.home], np.uint64(0))

    def _camps(self, date: dt.date) -> _Camps:
        """Return where phones camp on a day."""
        mobility = self._inputs.day(date).mobility
        entities = np.arange(self._inputs.config.joined_by(date))
        first = mobility.at(entities, np.zeros_like(entities)).cell
        who, time, cell, _ = mobility.crossings(entities)
        entity = np.concatenate([entities, who])
        start = np.concatenate([np.zeros_like(entities), time])
        camped = np.concatenate([first, cell]).astype(np.int64)
        order = np.lexsort((start, entity))
        entity, start, camped = entity[order], start[order], camped[order]
        following = np.append(start[1:], DAY)
        end = np.where(np.append(entity[1:] == entity[:-1], False), following, DAY - 1)
        return _Camps(
            entity, camped, hours.between(start // HOUR, np.minimum(end, DAY - 1) // HOUR)
        )

    def _queue(self, date: dt.date, people: Hours) -> Flags:
        """Return who turns to care on a day, if anything of its queue differs; else nobody."""
        found = np.zeros(self._people, dtype=np.bool_)
        one, two = self._both(SUBSCRIBER_STATE, date, ["status", *_CONTACT])
        called = [frame["contact_time"].is_not_null().to_numpy() for frame in (one, two)]
        hour = one["contact_time"].dt.hour().fill_null(0).to_numpy()
        met = called[0] & hours.at(people[: len(one)], hour)
        # Agents are planned for the customers that there are.
        human = pl.Series(self._inputs.population.kind[: len(one)] < VISITOR)
        customers = [(frame["status"] == "active") & human for frame in (one, two)]
        alike = all(one[name].equals(two[name]) for name in _CONTACT)
        if met.any() or not alike or customers[0].sum() != customers[1].sum():
            found[: len(one)] = called[0] | called[1]
        return found

    # Elements --------------------------------------------------------------------------------

    @cached_property
    def _core(self) -> Flags:
        """Elements that stand at no site: they serve all."""
        return self._inputs.plant.element_site < 0

    def _above(self, network: _Network) -> Flags:
        """Return the elements whose cells differ, and the core if what they carry does."""
        found, plant = np.zeros(self._elements, dtype=np.bool_), self._inputs.plant
        cells = np.flatnonzero(network.cells)
        site = plant.site[cells]
        for rows in (plant.station[cells], plant.router[site], plant.aggregation[site]):
            found[rows[rows >= 0]] = True
        if network.traffic.any():
            found |= self._core
        return found

    def _broken(self, date: dt.date) -> Flags:
        """Return the elements at the root of faults of a day that one world alone has."""
        found = np.zeros(self._elements, dtype=np.bool_)
        if self._apart(_FAULTS, date):
            rows = pl.concat(self._both(_FAULTS, date, None))
            single = rows.group_by(rows.columns).len().filter(pl.col("len") % 2 == 1)
            found[rows_of(single["element_id"], self._inputs.cells.element_id)] = True
        return found


def _any_of(bits: Hours, rows: Rows) -> Hours:
    """Return the hours of any of some rows; rows of -1 are none."""
    found = hours.none(len(rows))
    for column in rows.T:
        found |= np.where(column >= 0, bits[np.maximum(column, 0)], np.uint64(0))
    return found
