"""Inputs: what generators need of the world, loaded once per process, and its days.

Belongs here: the world as arrays, identifiers, one day's clock, rhythms, whereabouts and
identities. Does not belong here: drawing events (`events`), columns of records (`columns`).
"""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.contacts import Contacts, Directory
from telco_pipeline.behaviour.identities import REACH, DayIdentities, Identities
from telco_pipeline.behaviour.imposed import EFFECTS as IMPOSED
from telco_pipeline.behaviour.mobility import COUNTRIES, Mobility, Positions
from telco_pipeline.behaviour.population import (
    MACHINE,
    SUBSCRIBER_COLUMNS,
    Cells,
    Population,
    categories_of,
    enumerated,
)
from telco_pipeline.behaviour.presence import placed_around
from telco_pipeline.behaviour.rhythm import (
    DayRhythm,
    Kind,
    chronotypes,
    day_rhythm,
)
from telco_pipeline.behaviour.terrain import PREFERENCE_OF_RAT, Terrain
from telco_pipeline.behaviour.ties import TIE_COLUMNS, Ties
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, DayClock, day_number, day_start
from telco_pipeline.engine.identifiers import EventIds
from telco_pipeline.engine.numerals import Numerals
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import PoissonTable, QuantileTable
from telco_pipeline.generators.book import Book, LakeBook, MemoryBook
from telco_pipeline.generators.refusals import Refusals
from telco_pipeline.lake import CodedText, Lake
from telco_pipeline.scenarios.selection import Ground
from telco_pipeline.scenarios.story import Story, StoryDay
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.customers_day import CustomersDay
from telco_pipeline.state.demand import Demand
from telco_pipeline.state.faults import Faults, faults_on
from telco_pipeline.state.network import NetworkDay
from telco_pipeline.state.plant import Plant
from telco_pipeline.world.network import Network

Rows = npt.NDArray[np.int64]
VISITED_CELLS: Final = 512
# Days that are kept, so that one dataset after the other asks for them: the day, its eve and the
# day after, and of a small world as many as this memory takes.
_FEWEST_DAYS: Final = 3
_DAYS_MEMORY: Final = 128 * 2**20
_PER_DAY: Final = 700_000  # bytes: of its rhythms,
_PER_SUBSCRIBER: Final = 500  # of whereabouts, state and calls,
_PER_CELL: Final = 1100  # of load and quality
_FAULTS_KEPT: Final = 64
# Tracking area, eNB and cell number of each cell of a visited network.
_VISITED: Final = [(1000 + n // 16, 31_000 + 7 * (n // 6), 1 + n % 6) for n in range(VISITED_CELLS)]
# How much one day of a person is busier than another. With the trains of calls it makes the gaps
# as bursty as measured (B of Goh & Barabasi 2008).
_SWING: Final = QuantileTable.level(0.75)
# How much people differ in each kind of activity, beside the personal level of sigma 0.7 to 0.9
# that counts for all kinds: the activity of users spreads with ln-sd 1.2 in calls and 1.5 in
# messages (Seshadri 2008, CNS).
_TASTE: Final[dict[Kind, QuantileTable]] = {
    "calls": QuantileTable.level(0.75),
    "messages": QuantileTable.level(1.05),
    "data": QuantileTable.level(0.6),
}


@dataclass(frozen=True)
class Ids:
    """The keyed bijections of the world's seed."""

    event: EventIds
    call: EventIds
    icid: EventIds
    message: EventIds
    charging: EventIds
    session: EventIds


@dataclass(frozen=True)
class Numbers:
    """Numbers that a record may name.

    Attributes:
        msisdn: Those of our subscribers, by identity.
        all: The same, and behind them those of all other parties of the directory.
    """

    msisdn: Numerals
    all: Numerals


class Inputs:
    """Everything that generators need of the world, loaded once per process."""

    def __init__(
        self, config: WorldConfig, frames: dict[str, pl.DataFrame], lake: Lake | None = None
    ) -> None:
        """Index the frames of the world.

        Args:
            config: The world.
            frames: The static datasets by name; `subscribers` with `SUBSCRIBER_COLUMNS` and
                `home_plmn`.
            lake: Where the state of the days lies; without it, it is worked out in memory.
        """
        self.config = config
        self.book: Book = MemoryBook(self) if lake is None else LakeBook(self, lake)
        # One chunk a column: a gather from many chunks costs ten times as much.
        self.frames = frames = {name: table.rechunk() for name, table in frames.items()}
        network = Network(
            sites=frames["sites"],
            cells=frames["cells"],
            elements=frames["network_elements"],
            links=frames["network_links"],
        )
        self.cells = Cells.of(network)
        self._network = network
        self.population = Population.of(
            config,
            frames["subscribers"],
            frames["cells"],
            frames["devices"],
            frames["plans"],
        )
        self._home_plmn = enumerated(frames["subscribers"]["home_plmn"])
        self._read_ties = lambda: frames["social_ties"]
        self.plans = frames["plans"]
        seed = config.seed
        self.ids = Ids(
            *(
                EventIds(seed, aspect)
                for aspect in (
                    "event_id",
                    "call_reference",
                    "icid",
                    "message_reference",
                    "charging_id",
                    "session_id",
                )
            )
        )
        self.poisson = PoissonTable()
        self._ground = Ground(config, lambda dataset, name: frames[dataset][name])
        self._days: dict[dt.date, Day] = {}
        self._faults: dict[dt.date, Faults] = {}
        self._levels: dict[Kind, npt.NDArray[np.float64]] = {}
        self._numbers: Numbers | None = None
        self._identities: Identities | None = None

    @classmethod
    def load(cls, config: WorldConfig, lake: Lake) -> "Inputs":
        """Load the world from a lake that holds its static datasets.

        The registry and the ties are kept as arrays only: their frames are not in `frames`.
        """
        names = (
            "places",
            "sites",
            "cells",
            "network_elements",
            "network_links",
            "devices",
            "plans",
        )
        frames = {name: lake.read(name) for name in names}
        registry = [*SUBSCRIBER_COLUMNS, "home_plmn"]
        frames["subscribers"] = pl.concat(
            [lake.read(name, columns=registry) for name in ("subscribers", "prospects")]
        )
        made = cls(config, frames, lake)
        del made.frames["subscribers"]
        made._read_ties = lambda: lake.read("social_ties", columns=TIE_COLUMNS)
        made._ground = Ground.of_lake(config, lake)
        return made

    @property
    def identities(self) -> Identities:
        """Who has which identity when, as far as the days asked for reach."""
        if self._identities is None:
            return self.identities_until(self.config.epoch)
        return self._identities

    def identities_until(self, date: dt.date) -> Identities:
        """Return the identities, with the changes of all days up to a day and its year at least.

        What a row says stays the same when the horizon grows.
        """
        if self._identities is None or self._identities.until < date:
            devices = self.frames["devices"]
            self._identities = Identities.of(
                self.config, self.population, devices, date, self.story
            )
        return self._identities

    @property
    def numbers(self) -> "Numbers":
        """Numbers of all identities of ours, and then of all other parties."""
        known, directory = self.identities.msisdn, self.directory
        every = len(known) + len(directory) - directory.own
        if self._numbers is None or len(self._numbers.all) != every:
            others = directory.every.select(slice(directory.own, None))
            self._numbers = Numbers(known, Numerals.joined([known, others]))
        return self._numbers

    @cached_property
    def plant(self) -> Plant:
        """The network as arrays, and what takes over for what."""
        return Plant.of(self.config, self._network, self.cells)

    @cached_property
    def demand(self) -> Demand:
        """What the cells are offered."""
        return Demand.of(self.plant, self.population)

    @cached_property
    def story(self) -> Story:
        """What the scenario layers that are on do."""
        return Story(self.config, self._ground)

    def faults(self, date: dt.date) -> Faults:
        """Return the faults that touch a UTC day."""
        if date not in self._faults:
            while len(self._faults) >= _FAULTS_KEPT:
                del self._faults[next(iter(self._faults))]
            self._faults[date] = faults_on(self.plant, date, self.story)
        return self._faults[date]

    @cached_property
    def home_plmn(self) -> CodedText:
        """Network of each subscriber's SIM."""
        networks = self._home_plmn
        codes = networks.to_physical().cast(pl.Int32).to_numpy()
        return CodedText(categories_of(networks), codes)

    @cached_property
    def number_operator(self) -> npt.NDArray[np.int8]:
        """Operator (position in world.yaml) whose range each number is in on the epoch, or -1."""
        holder = self.population.number_holder
        place = {operator.plmn: row for row, operator in enumerate(self.config.operators)}
        rows = np.array([place.get(plmn, -1) for plmn in categories_of(holder)], dtype=np.int8)
        return rows[holder.to_physical().to_numpy()]

    @cached_property
    def number_elsewhere(self) -> npt.NDArray[np.bool_]:
        """Whether each number is in the range of another of the country's operators."""
        own = self.config.operators.index(self.config.own_operator)
        return (self.number_operator >= 0) & (self.number_operator != own)

    @cached_property
    def directory(self) -> Directory:
        """Numbers of all parties."""
        return Directory.of(self.config, self.population, self._home_plmn)

    @cached_property
    def contacts(self) -> Contacts:
        """Choice of the other party."""
        return Contacts(self.config, self.population, self.directory, self.ties)

    @cached_property
    def ties(self) -> Ties:
        """Who knows whom among our own subscribers."""
        return Ties.of(self.population.subscriber_id, self._read_ties())

    def level(self, kind: Kind) -> npt.NDArray[np.float64]:
        """Return how active each entity is in a kind of activity, relative to its persona.

        The personal level, which counts for everything, times a taste: some telephone, others
        write. A machine has no taste. Both are log-normal with mean 1.
        """
        if kind not in self._levels:
            keys = draws.keys(
                draws.stream(self.config.seed, f"taste/{kind}"), self.population.leader
            )
            taste = np.where(self.population.kind == MACHINE, 1.0, _TASTE[kind].sample(keys))
            self._levels[kind] = self.population.level * taste
        return self._levels[kind]

    @cached_property
    def chronotype(self) -> npt.NDArray[np.int8]:
        """Whether each entity lives at the usual hours (`behaviour.rhythm`)."""
        return chronotypes(self.config, self.population)

    @cached_property
    def terrain(self) -> Terrain:
        """The country: sites, cells and roads by where one is."""
        return Terrain.of(self.frames["cells"], self.frames["sites"], self.frames["places"])

    @cached_property
    def bandwidth(self) -> npt.NDArray[np.int64]:
        """Bandwidth of each cell's carrier in tenths of a MHz."""
        return np.rint(self.frames["cells"]["bandwidth"].to_numpy() * 10.0).astype(np.int64)

    @cached_property
    def lookups(self) -> "Lookups":
        """Texts of codes."""
        return Lookups.of(self.cells)

    @cached_property
    def access_texts(self) -> pl.Series:
        """P-Access-Network-Info by cell; then of Wi-Fi; then by cell abroad."""
        abroad = [
            f"3GPP-E-UTRAN-FDD; utran-cell-id-3gpp={plmn}{tac:04x}{node * 256 + cell:07x}"
            for _, plmn, _ in COUNTRIES
            for tac, node, cell in _VISITED
        ]
        return pl.concat(
            [self.cells.access_info, pl.Series(["IEEE-802.11", *abroad])], rechunk=True
        )

    @cached_property
    def days_kept(self) -> int:
        """How many days are kept."""
        size = (
            _PER_DAY + _PER_SUBSCRIBER * self.population.size + _PER_CELL * len(self.cells.cell_id)
        )
        return max(_DAYS_MEMORY // size, _FEWEST_DAYS)

    @property
    def small(self) -> bool:
        """Whether more days are kept than one dataset needs, with what several make the same of."""
        return self.days_kept > _FEWEST_DAYS

    def day(self, date: dt.date) -> "Day":
        """Return a day; the last ones asked for are kept, for parts and datasets to share."""
        if date in self._days:
            # To the end, so that the one longest not asked for goes first.
            self._days[date] = self._days.pop(date)
        else:
            while len(self._days) >= self.days_kept:
                del self._days[next(iter(self._days))]
            # The horizon grows here and never between a look at the identities and their use.
            self.identities_until(date + dt.timedelta(days=REACH))
            self._days[date] = Day(self, date)
        return self._days[date]


class Day:
    """One UTC day of the world: its clock, rhythms and the population's whereabouts."""

    def __init__(self, inputs: Inputs, date: dt.date) -> None:
        """Prepare a day; nothing is worked out before it is asked for."""
        self.inputs = inputs
        self.date = date
        self.number = day_number(date)
        self.start = day_start(date)
        self._rhythms: dict[Kind, DayRhythm] = {}
        self.legs: dict[Part, list[dict[str, npt.NDArray]]] = {}
        """Legs of calls by part (`cdrs.calls`), of which several datasets are made."""

    @cached_property
    def clock(self) -> DayClock:
        """Local time on this day."""
        return DayClock(self.date, self.inputs.config.time_zone, self.inputs.config.country)

    @cached_property
    def mobility(self) -> Mobility:
        """Where everybody is."""
        inputs = self.inputs
        placed = placed_around(inputs.story, inputs.population, self.date)
        return Mobility(
            inputs.config, inputs.population, inputs.terrain, self.date, self.rat, placed
        )

    @cached_property
    def network(self) -> NetworkDay:
        """Load, quality and outages of every cell."""
        return self.inputs.book.network(self.date)

    @cached_property
    def story(self) -> StoryDay:
        """What the scenario layers do on the day; with triggers it asks the subscribers' state."""
        story = self.inputs.story
        return story.on(self.date, self.customers.episodes) if story.triggers else self.scheduled

    @property
    def scheduled(self) -> StoryDay:
        """The same of stages without a trigger: all that they do to the network."""
        return self.inputs.story.on(self.date)

    @cached_property
    def refusals(self) -> Refusals:
        """Whose device is not attached, as the scenario layers have it."""
        inputs = self.inputs
        return Refusals(self.story, inputs.population.kind == MACHINE, inputs.poisson)

    @cached_property
    def refusals_after(self) -> Refusals:
        """The same on the day after, as far as the state of this day tells what begins."""
        story, after = self.inputs.story, self.date + dt.timedelta(days=1)
        if not story.triggers:
            return self.inputs.day(after).refusals
        told = story.on(after, self.customers.episodes)
        inputs = self.inputs
        return Refusals(told, inputs.population.kind == MACHINE, inputs.poisson)

    @cached_property
    def faults(self) -> Faults:
        """The faults that touch the day."""
        return self.inputs.faults(self.date)

    @cached_property
    def customers(self) -> CustomersDay:
        """Who is a customer, and what is decided for whom."""
        return self.inputs.book.customers(self.date)

    @property
    def before(self) -> "Day":
        """The day before."""
        return self.inputs.day(self.date - dt.timedelta(days=1))

    def positions(self, entity: Rows, time: Rows) -> Positions:
        """Return where each entity is, after midnight by the plans of the next day.

        Args:
            entity: Entity numbers.
            time: Microseconds since the start of this day, below two days.
        """
        where = self.mobility.at(entity, time)
        rows = np.flatnonzero(time >= DAY)
        if rows.size:
            after = self.inputs.day(self.date + dt.timedelta(days=1))
            later = after.mobility.at(entity[rows], time[rows] - DAY)
            where.cell[rows], where.country[rows] = later.cell, later.country
            where.moving[rows] = later.moving
        return where

    def changes(self, entity: Rows, start: Rows, end: Rows) -> tuple[Rows, Rows, Rows, Rows]:
        """Return the changes of the cell, after midnight by the plans of the next day.

        Args:
            entity: Entity numbers.
            start: Beginnings in microseconds since the start of this day, below two days.
            end: Ends, not before them and below two days.

        Returns:
            As of `Mobility.changes`: row in `entity`, time in microseconds since the start of this
            day, cell and the cell before; in order of row and time.
        """
        last = DAY - 1
        found = self.mobility.changes(entity, np.minimum(start, last), np.minimum(end, last))
        rows = np.flatnonzero(end >= DAY)
        if not rows.size:
            return found
        after = self.inputs.day(self.date + dt.timedelta(days=1)).mobility
        who = entity[rows]
        row, time, cell, before = after.changes(
            who, np.maximum(start[rows] - DAY, 0), end[rows] - DAY
        )
        late = (rows[row], time + DAY, cell, before)
        # What the plan of the new day has otherwise than that of the old one changes at midnight.
        over = np.flatnonzero(start[rows] < DAY)
        midnight = np.zeros(len(over), dtype=np.int64)
        old = self.mobility.at(who[over], midnight + last).cell.astype(np.int64)
        new = after.at(who[over], midnight).cell.astype(np.int64)
        other = np.flatnonzero(old != new)
        seam = (rows[over[other]], midnight[other] + DAY, new[other], old[other])
        row, time, cell, before = (
            np.concatenate(part) for part in zip(found, seam, late, strict=True)
        )
        order = np.lexsort((time, row))
        return row[order], time[order], cell[order], before[order]

    def handovers(self, entity: Rows, start: Rows, end: Rows) -> npt.NDArray[np.int16]:
        """Return how often the serving cell changes while something lasts (as in `changes`)."""
        count = np.bincount(self.changes(entity, start, end)[0], minlength=len(entity))
        return np.minimum(count, np.iinfo(np.int16).max).astype(np.int16)

    def swing(self, entities: Rows) -> npt.NDArray[np.float64]:
        """Return how busy this day is for each entity: 1 in the mean, and always for machines."""
        population = self.inputs.population
        keys = draws.keys(draws.stream(self.inputs.config.seed, "swing", self.number), entities)
        return np.where(population.kind[entities] == MACHINE, 1.0, _SWING.sample(keys))

    @cached_property
    def identities(self) -> DayIdentities:
        """Who has which identity around this day."""
        return self.inputs.identities_until(self.date + dt.timedelta(days=REACH)).day(self.date)

    def identity(self, entity: Rows, time: Rows) -> npt.NDArray[np.int32]:
        """Return which identity each entity has at a time: its row in `inputs.identities`.

        Args:
            entity: Entity numbers.
            time: Microseconds since the start of this day, from a day before it to three after.
        """
        return self.identities.row(entity, time)

    def in_service(self, entity: Rows, time: Rows) -> npt.NDArray[np.bool_]:
        """Return whose subscription is active at a time (arguments: `identity`).

        What lies before the day is asked of the day before, what lies behind it is as at its end.
        """
        active = self.customers.in_service(entity, time)
        earlier = np.flatnonzero(time < 0)
        if earlier.size and self.date > self.inputs.config.epoch:
            eve = self.before.customers
            active[earlier] = eve.in_service(entity[earlier], time[earlier] + DAY)
        return active

    @cached_property
    def rat(self) -> npt.NDArray[np.int8]:
        """Best radio access type of each entity's device on the day, for choosing its cells.

        That at the start of the day. Where a layer puts the SIM into a lesser device on the day, or
        for a time of it, that one's: what is chosen serves both.
        """
        inputs = self.inputs
        known = inputs.identities
        rat = known.rat[self.identities.start_version]
        if inputs.story.has(*IMPOSED):
            changes = known.changes_of(self.date)
            entity, later = known.entity[changes], known.rat[known.size + changes]
            order = np.argsort(PREFERENCE_OF_RAT[later], kind="stable")
            entity, later = entity[order], later[order]
            worse = PREFERENCE_OF_RAT[later] > PREFERENCE_OF_RAT[rat[entity]]
            # Of several the last counts: the least able.
            rat[entity[worse]] = later[worse]
        return rat

    @cached_property
    def volte(self) -> npt.NDArray[np.bool_]:
        """Whether each entity's device speaks voice over LTE at the start of the day."""
        return self.inputs.identities.volte[self.identities.start_version]

    def rhythm(self, kind: Kind) -> DayRhythm:
        """When activity of a kind happens."""
        if kind not in self._rhythms:
            self._rhythms[kind] = day_rhythm(self.inputs.config, kind, self.date)
        return self._rhythms[kind]


@dataclass(frozen=True)
class Lookups:
    """Texts by code."""

    cell_id: pl.Series
    element_id: pl.Series
    visited_plmn: pl.Series
    country: pl.Series
    visited_cell: pl.Series

    @classmethod
    def of(cls, cells: Cells) -> "Lookups":
        """Build the look-ups of a network."""
        visited = [
            f"{plmn[:3]}-{plmn[3:]}-{node}-{cell}"
            for _, plmn, _ in COUNTRIES
            for _, node, cell in _VISITED
        ]
        return cls(
            cell_id=cells.cell_id,
            element_id=cells.element_id,
            visited_plmn=pl.Series([plmn for _, plmn, _ in COUNTRIES]),
            country=pl.Series([name for name, _, _ in COUNTRIES]),
            visited_cell=pl.Series(visited),
        )
