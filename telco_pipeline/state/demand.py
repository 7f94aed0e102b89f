"""Demand: how much traffic each cell is offered in each hour, by who is where and what they do.

Belongs here: expected traffic before anything breaks, and how the operator has dimensioned its
cells for it. Does not belong here: what load does to quality (`load`), faults (`faults`).

People of one persona, working or not, spread their day over home, work and elsewhere alike; so the
demand of a cell is a product of two small tables: how active those are who live or work at it, and
how much of the activity of an hour they have there. *Elsewhere* is the neighbourhood of home and
work: shops, roads, friends. All sums are of whole numbers, so they are the same on any processor.

Where scenario layers move subscribers or make them do more or less (`crowd`), the load of each of
them is taken from the cells where he lives and works (what he has elsewhere from both alike, as its
neighbourhood is his own) and brought to where he is: no other cell feels it.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.population import Population
from telco_pipeline.behaviour.rhythm import day_rhythm
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DayClock, day_number
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.scenarios.story import StoryDay
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.crowd import HOURS, Crowd, crowds
from telco_pipeline.state.plant import Floats, Plant, Rows

# Bytes of a mean session, as the records have them (10.9 GB a month of a human SIM; machines send
# a few kilobytes).
_SESSION_BYTES: Final = 12_600_000
_REPORT_BYTES: Final = 2_500
_KBIT_PER_BYTE_AND_HOUR: Final = 8.0 / 1000.0 / 3600.0
# Mean rate of a transfer while it lasts, in kbit/s: what turns traffic into active users.
_RATE_OF_A_USER: Final = 900.0
# Part of a day's activity in an hour in which there is hardly any.
_LEAST_ACTIVITY: Final = 1e-6
# Whole units in which activity is summed: a hundredth of a session a day, 1e-5 of a day.
_ACTIVITY_UNIT: Final = 100
_SHARE_UNIT: Final = 100_000
# The same of the load of single subscribers: 1e-4 kbit/s.
_CROWD_UNIT: Final = 10_000

# Share of the activity that people have at work and elsewhere, by local hour; the rest is at home.
# Working days of who works; and the days of all others (time-use surveys, order of magnitude: Jeugd
# and TOR groups, Belgium).
_AT_WORK: Final = (
    .01, .01, .01, .01, .01, .02, .08, .28, .58, .70, .72, .70, .58, .66, .70, .68, .55, .30,
    .12, .06, .03, .02, .01, .01,
)  # fmt: skip
_AWAY_WORKING: Final = (
    .03, .02, .02, .02, .03, .08, .25, .40, .24, .12, .12, .14, .24, .16, .14, .16, .28, .42,
    .36, .28, .22, .17, .11, .06,
)  # fmt: skip
_AWAY_FREE: Final = (
    .06, .04, .03, .03, .03, .04, .07, .12, .20, .30, .38, .40, .36, .40, .44, .44, .42, .38,
    .34, .30, .26, .22, .16, .10,
)  # fmt: skip
# A free day at work: shops, hospitals, hotels.
_FREE_DAY_AT_WORK: Final = 0.12
# How a neighbourhood evens out the few subscribers of a sample: a cell's own part of its mass.
_OWN: Final = 0.6

# Load in the busy hour of a usual working day that the operator dimensions its cells for: it adds
# carriers where more is planned. It invests here earlier and there later (practice: 50-70 %).
_PLANNED_LOW: Final = 0.38
_PLANNED_SPREAD: Final = 0.34
_USUAL_WEEKDAY: Final = 3  # plans are made for a Thursday
# Days differ: an area is busier or quieter than usual, and each cell in each hour.
_AREA_DAY: Final = QuantileTable.level(0.07)
_CELL_HOUR: Final = QuantileTable.level(0.13)


@dataclass(frozen=True)
class Demand:
    """What is offered to the cells of a world on any day.

    Attributes:
        plant: The network.
        population: The subscribers.
        persona: Persona of each group of people.
        works: Whether the group works.
        bytes: Bytes of a session of each group.
        home, work, elsewhere: Sessions a day in hundredths by cell and group.
        capacity: What each cell carries with the carriers that its demand has brought it, kbit/s.
    """

    plant: Plant
    population: Population
    persona: Rows
    works: npt.NDArray[np.bool_]
    bytes: Rows
    home: Rows
    work: Rows
    elsewhere: Rows
    capacity: Floats

    @classmethod
    def of(cls, plant: Plant, population: Population) -> Self:
        """Gather a population by cell.

        Args:
            plant: The network.
            population: The subscribers.
        """
        personas = list(plant.config.personas.values())
        cells = len(plant.rat)
        there = slice(0, plant.config.subscribers)  # who joins later makes all cells busier alike
        persona, works = population.persona[there], population.work[there] >= 0
        group = persona * 2 + works
        groups = 2 * len(personas)
        rate = np.array([persona.sessions for persona in personas])[persona]
        activity = np.rint(rate * population.level[there] * _ACTIVITY_UNIT).astype(np.int64)
        home = _summed(population.home[there], group, activity, cells, groups)
        at_work = np.where(works, population.work[there], 0)
        work = _summed(at_work, group, np.where(works, activity, 0), cells, groups)
        home, work = _evened(plant, home), _evened(plant, work)
        both = (home + work) // (1 + (np.arange(groups) % 2))
        machine = np.repeat([persona.kind == "machine" for persona in personas], 2)
        made = cls(
            plant=plant,
            population=population,
            persona=np.arange(groups) // 2,
            works=np.arange(groups) % 2 == 1,
            bytes=np.where(machine, _REPORT_BYTES, _SESSION_BYTES),
            home=home,
            work=work,
            elsewhere=_near(plant, both),
            capacity=plant.capacity,
        )
        return made._dimensioned()

    def offered(self, date: dt.date, story: StoryDay | None = None) -> Floats:
        """Return the traffic that each cell is offered in each UTC hour, in kbit/s.

        Args:
            date: UTC day.
            story: What scenario layers do on it; None for nothing.

        Returns:
            Shape (cells, 24).
        """
        config = self.plant.config
        usual = self._usual(date) * (config.joined_by(date) / config.subscribers)
        if story is not None and story.of("presence", "roaming", "usage"):
            usual = np.maximum(usual + self._moved(story), 0.0)
        seed, number = self.plant.config.seed, day_number(date)
        cells = np.arange(len(usual))
        area = self.plant.cells["tac"].to_numpy().astype(np.int64) % 1000
        by_area = _AREA_DAY.sample(draws.keys(draws.stream(seed, "demand/area", number), area))
        keys = draws.keys(draws.stream(seed, "demand/cell", number), cells)
        hours = np.arange(24)
        drawn = _CELL_HOUR.sample(
            draws.events(np.repeat(keys, 24), np.tile(hours, len(cells)))
        ).reshape(-1, 24)
        return usual * by_area[:, None] * drawn

    def users(self, offered: Floats) -> Floats:
        """Return the number of users at a time that make some traffic (kbit/s)."""
        return offered / _RATE_OF_A_USER

    def _usual(self, date: dt.date) -> Floats:
        """Return what is expected of each cell and UTC hour of a day, in kbit/s."""
        activity = self._activity(date)
        home, work, away = _whereabouts(self.plant.config, date)
        total = np.zeros((len(self.home), 24), dtype=np.int64)
        for mass, shares in ((self.home, home), (self.work, work), (self.elsewhere, away)):
            part = np.rint(activity * shares[self.works.astype(np.int64)] * _SHARE_UNIT)
            # Whole half kilobytes: the sums stay below 2**63 for any world.
            weight = part.astype(np.int64) * (self.bytes // 500)[:, None]
            total += mass @ weight
        unit = 500.0 / _ACTIVITY_UNIT / _SHARE_UNIT
        return total.astype(np.float64) * (unit * _KBIT_PER_BYTE_AND_HOUR)

    def _moved(self, story: StoryDay) -> Floats:
        """Return what layers bring to each cell in each UTC hour, less what they take, in kbit/s.

        Whole units are summed, so that the sums are the same in any order.
        """
        total = np.zeros((len(self.home), 24), dtype=np.int64)
        shares = _whereabouts(self.plant.config, story.date)
        activity = self._activity(story.date)
        joined = self.plant.config.joined_by(story.date)

        def even(entity: Rows) -> Floats:
            return 1 / HOURS / np.maximum(activity[self._group(entity)], _LEAST_ACTIVITY)

        for crowd in crowds(story, joined, self.population.kind, even):
            for cell, load in self._loads(crowd, activity, shares):
                _add(total, cell, np.rint(load * _CROWD_UNIT).astype(np.int64))
        return total.astype(np.float64) / _CROWD_UNIT

    def _loads(
        self, crowd: Crowd, activity: Floats, shares: tuple[Floats, Floats, Floats]
    ) -> Iterator[tuple[Rows, Floats]]:
        """Yield cells and what a crowd adds to them in each hour, in kbit/s, shape (cells, 24).

        Args:
            crowd: The subscribers.
            activity: Part of a day's sessions in each hour, by group.
            shares: Parts at home, at work and elsewhere of who does not work and who does.
        """
        people, who = self.population, crowd.entity
        persona = people.persona[who].astype(np.int64)
        works = people.work[who] >= 0
        group = self._group(who)
        sessions = np.array([one.sessions for one in self.plant.config.personas.values()])
        bytes_a_day = np.round(sessions[persona] * people.level[who], 2) * self.bytes[group]
        load = activity[group] * (bytes_a_day * _KBIT_PER_BYTE_AND_HOUR)[:, None]
        home, work, away = (share[works.astype(np.int64)] for share in shares)
        change = load * (crowd.usual - 1.0)
        part = np.where(works, 0.5, 1.0)[:, None]
        yield people.home[who].astype(np.int64), change * (home + away * part)
        at_work = np.flatnonzero(works)
        there = (work + away * part)[at_work]
        yield people.work[who[at_work]].astype(np.int64), change[at_work] * there
        yield crowd.cell, load[crowd.visitor] * crowd.there

    def _group(self, entity: Rows) -> Rows:
        """Return the group of subscribers."""
        persona = self.population.persona[entity].astype(np.int64)
        return persona * 2 + (self.population.work[entity] >= 0)

    def _activity(self, date: dt.date) -> Floats:
        """Return the part of a day's sessions in each UTC hour, by group."""
        rhythm = day_rhythm(self.plant.config, "data", date)
        return np.round(rhythm.by_hour()[rhythm.row[self.persona, 0]], 9)

    def _dimensioned(self) -> Self:
        """Return the same with the carriers that the operator has added where it was crowded."""
        epoch = self.plant.config.epoch
        after = (_USUAL_WEEKDAY - epoch.weekday()) % 7 + 14
        busiest = self._usual(epoch + dt.timedelta(days=after)).max(axis=1)
        keys = draws.keys(
            draws.stream(self.plant.config.seed, "dimensioning"), np.arange(len(busiest))
        )
        planned = _PLANNED_LOW + _PLANNED_SPREAD * draws.uniform(keys)
        carriers = np.ceil(busiest / (planned * self.plant.capacity))
        capacity = self.plant.capacity * np.maximum(carriers, 1.0)
        return type(self)(**{**self.__dict__, "capacity": capacity})


def _summed(
    cell: npt.NDArray[np.integer], group: Rows, activity: Rows, cells: int, groups: int
) -> Rows:
    """Return the sum of whole activities by cell and group."""
    found = np.zeros(cells * groups, dtype=np.int64)
    np.add.at(found, cell.astype(np.int64) * groups + group, activity)
    return found.reshape(cells, groups)


def _add(total: Rows, cell: Rows, values: Rows) -> None:
    """Add rows of values to those of their cells."""
    if not len(cell):
        return
    order = np.argsort(cell, kind="stable")
    ordered = cell[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    total[ordered[first]] += np.add.reduceat(values[order], first, axis=0)


def _near(plant: Plant, mass: Rows) -> Rows:
    """Return the mean of a mass over the cells that may take over for each."""
    there = plant.takers >= 0
    total = np.zeros_like(mass)
    for number in range(plant.takers.shape[1]):
        rows = np.flatnonzero(there[:, number])
        total[rows] += mass[plant.takers[rows, number]]
    return total // np.maximum(there.sum(axis=1), 1)[:, None]


def _evened(plant: Plant, mass: Rows) -> Rows:
    """Return a mass that is partly that of the neighbourhood."""
    own = int(_OWN * 100)
    return (mass * own + _near(plant, mass) * (100 - own)) // 100


def _whereabouts(config: WorldConfig, date: dt.date) -> tuple[Floats, Floats, Floats]:
    """Return the share of the activity at home, at work and elsewhere.

    Returns:
        Each of shape (2, 24): of who does not work and of who does, by UTC hour.
    """
    clock = DayClock(date, config.time_zone, config.country)
    hour, free = clock.local_hour, clock.free_day
    work = np.where(free, _FREE_DAY_AT_WORK, 1.0) * np.array(_AT_WORK)[hour]
    away_free = np.array(_AWAY_FREE)[hour]
    away = np.where(free, away_free * (1.0 - work), np.array(_AWAY_WORKING)[hour])
    none = np.zeros(24)
    at_work, elsewhere = np.stack([none, work]), np.stack([away_free, away])
    return 1.0 - at_work - elsewhere, at_work, elsewhere
