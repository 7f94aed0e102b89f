"""What all generators share: inputs, a day, drawn events, and the columns of every record.

Belongs here: drawing events of a part of the population, the tail of the day before, columns that
every record bears (who, where). Does not belong here: any one kind of record.

A generator is a pure function ``rows(inputs, day, part) -> Rowset``. The rows of a day are
those whose event time lies in the UTC day; some of them belong to events that began the day
before, so each generator draws the *tail* of that day again.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.contacts import Contacts, Directory
from telco_pipeline.behaviour.identities import REACH, DayIdentities, Identities
from telco_pipeline.behaviour.mobility import COUNTRIES, WEEK, Mobility, Positions
from telco_pipeline.behaviour.population import (
    EUTRAN,
    GERAN,
    MACHINE,
    RATS,
    SUBSCRIBER_COLUMNS,
    UTRAN,
    Cells,
    Population,
)
from telco_pipeline.behaviour.rhythm import (
    WHOLE_DAY,
    DayRhythm,
    Kind,
    Window,
    chronotypes,
    day_rhythm,
    windows,
)
from telco_pipeline.behaviour.terrain import Terrain
from telco_pipeline.behaviour.ties import Ties
from telco_pipeline.contracts import Dataset
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, DayClock, day_number, day_start
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import MAX_INDEX, EventIds, pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import PoissonTable, QuantileTable
from telco_pipeline.lake import CodedText, Lake, Rowset
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.network import Network

Rows = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray]
Column = pl.Series | CodedText

# Entities whose events are drawn at a time: arrays of a few ten thousand values stay in the cache.
BLOCK: Final = 4096
# The same for what is rarer than data sessions: larger blocks, as each costs some hundred calls.
WIDE_BLOCK: Final = 16384
_VISITED_CELLS: Final = 512
_CELLS_OF_A_TRIP: Final = 6
# Tracking area, eNB and cell number of each cell of a visited network.
_VISITED: Final = [
    (1000 + n // 16, 31_000 + 7 * (n // 6), 1 + n % 6) for n in range(_VISITED_CELLS)
]
# Device classes that ride inside an LTE carrier.
NARROW: Final = np.isin(RATS, [Rat.NB_IOT, Rat.LTE_M])
# Devices without LTE: UTRAN is switched off, so both are on GERAN.
LEGACY: Final = np.isin(np.arange(len(RATS)), [GERAN, UTRAN])

# Numbers of the kinds of events in event ids; never reuse one.
EVENT_KINDS: Final = {
    "voice_out": 0,
    "voice_in": 1,
    "sms_out": 2,
    "sms_in": 3,
    "data": 4,
    "trunk": 5,
    "register": 6,
    "location": 7,
    "log": 8,
    "care": 9,
    # Data sessions of more than 16 records; `cdrs.data` goes on from here.
    "data_more": 10,
    "identity": 31,
}

# Datasets give each record of one event an index of its own: event index * 16 + number of the
# record within the event.
RECORDS_PER_EVENT: Final = 16
# Events of an entity in each window of a day; of a train of calls or messages, its positions too.
EVENTS_PER_WINDOW: Final = MAX_INDEX // RECORDS_PER_EVENT // 2
# How much one day of a person is busier than another. With the trains of calls it makes the gaps
# as bursty as measured (B of Goh & Barabasi 2008).
_SWING: Final = QuantileTable.level(0.75)
# How much people differ in each kind of activity, beside the personal level of sigma 0.7 to 0.9
# that counts for all kinds: the activity of users spreads with ln-sd 1.2 in calls and 1.5 in
# messages (Seshadri 2008, CNS).
_TASTE: Final[dict[Kind, QuantileTable]] = {
    "calls": QuantileTable.level(0.75),
    "messages": QuantileTable.level(1.05),
    "data": QuantileTable.level(0.45),
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

    msisdn: pl.Series
    all: pl.Series


class Inputs:
    """Everything that generators need of the world, loaded once per process."""

    def __init__(self, config: WorldConfig, frames: dict[str, pl.DataFrame]) -> None:
        """Index the frames of the world.

        Args:
            config: The world.
            frames: The static datasets by name, `social_ties` too; `subscribers` with
                `SUBSCRIBER_COLUMNS` and `home_plmn`.
        """
        self.config = config
        # One chunk a column: a gather from many chunks costs ten times as much.
        self.frames = frames = {name: table.rechunk() for name, table in frames.items()}
        network = Network(
            sites=frames["sites"],
            cells=frames["cells"],
            elements=frames["network_elements"],
            links=frames["network_links"],
        )
        self.cells = Cells.of(network)
        self.population = Population.of(
            config,
            frames["subscribers"],
            frames["cells"],
            frames["devices"],
            frames["plans"],
        )
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
        self._days: dict[dt.date, Day] = {}
        self._levels: dict[Kind, npt.NDArray[np.float64]] = {}
        self._numbers: Numbers | None = None
        self._identities: Identities | None = None

    @classmethod
    def load(cls, config: WorldConfig, lake: Lake) -> "Inputs":
        """Load the world from a lake that holds its static datasets."""
        names = (
            "places",
            "sites",
            "cells",
            "network_elements",
            "network_links",
            "devices",
            "plans",
            "social_ties",
        )
        frames = {name: lake.read(name) for name in names}
        frames["subscribers"] = lake.read("subscribers", columns=[*SUBSCRIBER_COLUMNS, "home_plmn"])
        return cls(config, frames)

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
            frames = self.frames
            self._identities = Identities.of(
                self.config,
                self.population,
                frames["subscribers"],
                frames["devices"],
                frames["plans"],
                date,
            )
        return self._identities

    @property
    def numbers(self) -> "Numbers":
        """Numbers of all identities of ours, and then of all other parties."""
        known = self.identities.msisdn
        if self._numbers is None or len(self._numbers.msisdn) != len(known):
            others = self.directory.number.slice(self.directory.own)
            self._numbers = Numbers(known, pl.concat([known, others], rechunk=True))
        return self._numbers

    @cached_property
    def home_plmn(self) -> CodedText:
        """Network of each subscriber's SIM."""
        networks = self.frames["subscribers"]["home_plmn"].cast(pl.String)
        different = networks.unique(maintain_order=True)
        place = pl.DataFrame({"plmn": different, "place": np.arange(len(different))})
        codes = networks.to_frame("plmn").join(place, on="plmn", how="left", maintain_order="left")
        return CodedText(different, codes["place"].to_numpy().astype(np.int32))

    @cached_property
    def directory(self) -> Directory:
        """Numbers of all parties."""
        return Directory.of(self.config, self.population, self.frames["subscribers"]["home_plmn"])

    @cached_property
    def contacts(self) -> Contacts:
        """Choice of the other party."""
        return Contacts(self.config, self.population, self.directory, self.ties)

    @cached_property
    def ties(self) -> Ties:
        """Who knows whom among our own subscribers."""
        return Ties.of(self.population.subscriber_id, self.frames["social_ties"])

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

    def day(self, date: dt.date) -> "Day":
        """Return a day; the last three asked for are kept, so that parts share them."""
        if date not in self._days:
            while len(self._days) >= 3:
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

    @cached_property
    def clock(self) -> DayClock:
        """Local time on this day."""
        return DayClock(self.date, self.inputs.config.time_zone, self.inputs.config.country)

    @cached_property
    def mobility(self) -> Mobility:
        """Where everybody is."""
        inputs = self.inputs
        return Mobility(inputs.config, inputs.population, inputs.terrain, self.date, self.rat)

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
        """Return whose subscription has not ended at a time (arguments: `identity`)."""
        return self.identities.in_service(entity, time)

    @cached_property
    def rat(self) -> npt.NDArray[np.int8]:
        """Best radio access type of each entity's device at the start of the day."""
        return self.inputs.identities.rat[self.identities.start_version]

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
class Events:
    """Events that some entities start on one day.

    Attributes:
        day: The day on which they start.
        kind: Kind of event, a key of `EVENT_KINDS`.
        entity: Entity number of each event.
        index: Index of the event within its entity and day.
        key: Hash from which its attributes are drawn.
        time: Microseconds since the start of `day`.
    """

    day: Day
    kind: str
    entity: Rows
    index: Rows
    key: Bits
    time: Rows

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.entity)

    def select(self, chosen: npt.NDArray) -> "Events":
        """Return some of the events (mask or row numbers)."""
        return Events(
            self.day,
            self.kind,
            self.entity[chosen],
            self.index[chosen],
            self.key[chosen],
            self.time[chosen],
        )

    def followed_by(self, others: "Events") -> "Events":
        """Return these events and then others of the same day and kind."""
        if not len(others):
            return self
        return Events(
            self.day,
            self.kind,
            np.concatenate([self.entity, others.entity]),
            np.concatenate([self.index, others.index]),
            np.concatenate([self.key, others.key]),
            np.concatenate([self.time, others.time]),
        )

    def bits(self, attribute: str) -> Bits:
        """Return random bits for an attribute."""
        return draws.bits(self.key, attribute)

    def packed(self, record: int | Rows = 0) -> Rows:
        """Return what an id of the event, or of one of its records, is made from.

        Args:
            record: Number of the record within its event, below `RECORDS_PER_EVENT`.
        """
        index = self.index * RECORDS_PER_EVENT + record
        return pack(EVENT_KINDS[self.kind], self.day.number, self.entity, index)

    def packed_position(self, rows: Rows, positions: int, position: int) -> Rows:
        """Return what an id of an event of the trains at some rows is made from.

        Args:
            rows: Rows of these events, each of which begins a train.
            positions: Most events of a train.
            position: Number of the event within its train, from 0.
        """
        window, number = np.divmod(self.index[rows], EVENTS_PER_WINDOW)
        index = window * EVENTS_PER_WINDOW + number * positions + position
        kind = EVENT_KINDS[self.kind]
        return pack(kind, self.day.number, self.entity[rows], index * RECORDS_PER_EVENT)


def draw_events(
    day: Day,
    entities: Rows,
    kind: str,
    rhythm: Kind,
    rates: npt.NDArray[np.float64],
    *,
    window: Window = WHOLE_DAY,
    most: int = EVENTS_PER_WINDOW,
    even_if_off: bool = False,
) -> Events:
    """Draw the events that entities start in a window of a day.

    Args:
        day: The day.
        entities: Entity numbers.
        kind: Kind of event, a key of `EVENT_KINDS`; the aspect of the draws.
        rhythm: Which rhythm of the day they follow.
        rates: Mean number of events a day, by persona.
        window: The stretch of the day; each has counts and indices of its own.
        most: Most events of an entity in the window: what their ids have room for.
        even_if_off: Keep what happens while the phone is off: it comes from elsewhere.
    """
    inputs, population = day.inputs, day.inputs.population
    stream = draws.stream(inputs.config.seed, f"{kind}/{window.number}", day.number)
    keys = draws.keys(stream, entities)
    when, persona = day.rhythm(rhythm), population.persona[entities]
    row = when.rows(persona, inputs.chronotype[entities])
    mean = rates[persona] * when.mean_events(row, window) * inputs.level(rhythm)[entities]
    mean *= day.swing(entities)
    counts = np.minimum(inputs.poisson.sample(draws.bits(keys, "count"), mean), most)
    which = np.repeat(np.arange(len(entities)), counts)
    first = np.cumsum(counts) - counts
    index = np.arange(len(which)) - first[which] + window.number * EVENTS_PER_WINDOW
    key = draws.events(keys[which], index)
    time = when.times(draws.bits(key, "time"), row[which], window)
    drawn = Events(day, kind, entities[which], index, key, time)
    gone = ~day.in_service(drawn.entity, time)
    if not even_if_off:
        gone |= day.mobility.switched_off(drawn.entity, time)
    return drawn.select(np.flatnonzero(~gone)) if gone.any() else drawn


def can_start(day: Day, party: Rows, time: Rows) -> npt.NDArray[np.bool_]:
    """Return who can start a call or a message: of ours, who has the phone on; anybody elsewhere.

    Args:
        day: The day.
        party: Rows of the directory; the first are our subscribers.
        time: Microseconds since the start of the day.
    """
    able = np.ones(len(party), dtype=np.bool_)
    own = np.flatnonzero(party < day.inputs.directory.own)
    able[own] = day.in_service(party[own], time[own])
    able[own] &= ~day.mobility.switched_off(party[own], time[own])
    return able


def blocks(part: Part, size: int = BLOCK) -> Iterator[Rows]:
    """Return the entities of a part in blocks."""
    for start in range(part.start, part.stop, size):
        yield np.arange(start, min(start + size, part.stop))


def with_tail(
    day: Day,
    part: Part,
    draw: Callable[[Day, Rows, Window], Events],
    tail: int,
    block: int = BLOCK,
) -> Iterator[tuple[Events, int]]:
    """Return the day's events block by block, and those of the day before that may reach into it.

    Args:
        day: The day whose records are made.
        part: The entities.
        draw: Draws the events that some entities start in a window of a day.
        tail: Longest time in microseconds from an event's start to the start of its last record.
        block: Entities at a time.

    Yields:
        Events, and what to add to their times to count from the start of `day`.
    """
    main, end = windows(tail)
    for entities in blocks(part, block):
        if day.date > day.inputs.config.epoch:
            earlier = draw(day.before, entities, end)
            if len(earlier):
                yield earlier, -DAY
        yield draw(day, entities, main).followed_by(draw(day, entities, end)), 0


def within_day(columns: Columns) -> Columns:
    """Keep the rows whose `time` (microseconds of the day) lies in the day."""
    inside = (columns["time"] >= 0) & (columns["time"] < DAY)
    if inside.all():
        return columns
    rows = np.flatnonzero(inside)
    return {name: values[rows] for name, values in columns.items()}


def merge(batches: list[Columns]) -> Columns:
    """Put batches one after the other and sort the rows by time.

    Equal times keep their order: the row number is the lower part of the sort key, so the result
    does not depend on the sorting method of the processor.
    """
    names = list(batches[0])
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in names}
    order = time_order(columns["time"])
    return {name: values[order] for name, values in columns.items()}


def time_order(time: Rows) -> Rows:
    """Return the stable order of times within a day."""
    rows = len(time)
    bits = max(rows.bit_length(), 1)
    return np.sort((time << bits) | np.arange(rows)) & ((1 << bits) - 1)


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


def nullable(missing: npt.NDArray[np.bool_], values: npt.NDArray) -> pl.Series:
    """Return a series of `values` with nulls where missing."""
    return pl.Series(values).set(pl.Series(missing), None)


def moment(day: Day, time: Rows) -> pl.Series:
    """Return UTC times from microseconds of the day."""
    return pl.Series(time + day.start).cast(pl.Datetime("us", "UTC"))


def moment_or_null(day: Day, time: Rows, missing: npt.NDArray[np.bool_]) -> pl.Series:
    """Return UTC times from microseconds of the day, null where missing."""
    return nullable(missing, time + day.start).cast(pl.Datetime("us", "UTC"))


def parties(
    day: Day, entity: Rows, party: Rows, terminating: npt.NDArray[np.bool_], time: Rows
) -> tuple[CodedText, CodedText]:
    """Return the calling and the called number of each record.

    Args:
        day: The day of the records.
        entity: Who is served; our subscribers come first in the directory.
        party: The other party in the directory.
        terminating: Whether the other party called.
        time: When, as numbers change hands: microseconds of the day.
    """
    numbers = day.inputs.numbers
    served = day.identity(entity, time)
    other = party.astype(np.int64) + (len(numbers.msisdn) - day.inputs.directory.own)
    own = np.flatnonzero(party < day.inputs.directory.own)
    other[own] = day.identity(party[own], time[own])
    calling = CodedText.of(numbers.all, np.where(terminating, other, served)).distinct()
    return calling, CodedText.of(numbers.all, np.where(terminating, served, other)).distinct()


def where_columns(
    day: Day, entity: Rows, cell: Rows, country: Rows, key: Bits
) -> dict[str, Column]:
    """Return the columns that say where: cell at home, network and cell abroad.

    Args:
        day: The day of the records.
        entity: Who is served.
        cell: Row of the cell.
        country: Row of the country, -1 at home.
        key: Hash of the event, which chooses among the cells near the place of the trip.
    """
    texts = day.inputs.lookups
    home = country < 0
    visited = visited_cells(day, entity, country, key)
    return {
        "cell_id": CodedText.of(texts.cell_id, cell, ~home),
        "roaming": pl.Series(~home),
        "visited_plmn": CodedText.of(texts.visited_plmn, country, home),
        "roaming_country": CodedText.of(texts.country, country, home),
        "visited_cell": CodedText.of(texts.visited_cell, visited, home),
    }


def visited_cells(day: Day, entity: Rows, country: Rows, key: Bits) -> Rows:
    """Return the row of the cell abroad of each record, 0 at home (arguments: `where_columns`)."""
    abroad = np.flatnonzero(country >= 0)
    visited = np.zeros(len(country), dtype=np.int64)
    if abroad.size:
        # A trip lies within a week and has a place of its own: some cells next to each other.
        week = draws.stream(day.inputs.config.seed, "visited_cell", day.number // WEEK)
        place = draws.below(draws.keys(week, entity[abroad]), _VISITED_CELLS - _CELLS_OF_A_TRIP)
        near = draws.below(draws.bits(key[abroad], "visited_cell"), _CELLS_OF_A_TRIP)
        visited[abroad] = country[abroad] * np.int64(_VISITED_CELLS) + place + near
    return visited


def packet_access(
    day: Day, entity: Rows, time: Rows, cell: Rows, abroad: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int8]:
    """Return the radio access (position in `RATS`) of devices on a cell, or abroad, at a time.

    Narrow-band devices ride on LTE carriers; abroad everybody whose device has LTE is on it.
    """
    device = day.inputs.identities.rat[day.identity(entity, time)]
    rat = day.inputs.cells.rat[cell]
    rat = np.where(NARROW[device] & (rat == EUTRAN), device, rat)
    return np.where(abroad, np.where(LEGACY[device], GERAN, EUTRAN), rat).astype(np.int8)


def served_columns(day: Day, entity: Rows, time: Rows) -> dict[str, Column]:
    """Return the columns that say whom the record serves, by the identity of the time.

    Args:
        day: The day of the records.
        entity: Who is served.
        time: When, in microseconds of the day.
    """
    inputs = day.inputs
    version, identities = day.identity(entity, time), inputs.identities
    columns = CodedText.several(
        version, imsi=identities.imsi, msisdn=identities.msisdn, imei=identities.imei
    )
    if version.size and int(version.max()) >= inputs.population.size:
        # Who changed one identifier on this day keeps the others.
        columns = {name: column.distinct() for name, column in columns.items()}
    return {"subscriber_id": pl.Series(inputs.population.subscriber_id[entity]), **columns}


def enum_of(values: "list[str]", codes: npt.NDArray) -> pl.Series:
    """Return an enumeration column from positions in `values`."""
    return pl.Series(codes.astype(np.uint8)).cat.to(pl.Enum(values))


def enum_or_null(values: "list[str]", codes: npt.NDArray) -> pl.Series:
    """Return an enumeration column from positions in `values`; -1 is null."""
    return nullable(codes < 0, np.maximum(codes, 0).astype(np.uint8)).cat.to(pl.Enum(values))


def rat_of(codes: npt.NDArray) -> pl.Series:
    """Return the radio access types from positions in `RATS`."""
    return enum_of([str(rat) for rat in RATS], codes)


Entities = Literal["subscribers", "network_elements"]


@dataclass(frozen=True)
class Generator:
    """How the records of one dataset are made.

    Attributes:
        dataset: Its contract.
        entities: What the parts are cut from.
        rows: Makes the rows of one day and one part.
    """

    dataset: Dataset
    entities: Entities
    rows: Callable[[Inputs, dt.date, Part], Rowset]

    def make(self, inputs: Inputs, day: dt.date, part: Part) -> pl.DataFrame:
        """Return the rows as a frame: for whoever looks at them, not for writing."""
        return self.rows(inputs, day, part).to_frame()


__all__ = [
    "BLOCK",
    "LEGACY",
    "NARROW",
    "WIDE_BLOCK",
    "Column",
    "Columns",
    "Day",
    "Entities",
    "Events",
    "Generator",
    "Inputs",
    "Positions",
    "Rows",
    "blocks",
    "can_start",
    "draw_events",
    "enum_of",
    "enum_or_null",
    "merge",
    "moment",
    "moment_or_null",
    "nullable",
    "packet_access",
    "parties",
    "rat_of",
    "served_columns",
    "time_order",
    "visited_cells",
    "where_columns",
    "with_tail",
    "within_day",
]
