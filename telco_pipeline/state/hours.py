"""Hours: the rows of `network_state`, from demand, faults and the model of load.

Belongs here: which minutes a cell is out of service, who takes over, what load and faults together
do to each cell in each hour. Does not belong here: reading the rows (`network`), the formulas of
load (`load`), what breaks (`faults`).

Scenario layers bring crowds (`demand`) and faults (`faults`); and here, without any fault, they
make cells serve worse (`degrade`) or nobody at all (`sleep`). A cell that sleeps is out of service
as by a fault, but none is named, unless one takes it out of service in the same hour; it may sleep
for a stretch of each day only. One that has lost a part of its coverage (`coverage`) loses that
part of its traffic, and what takes over gets it as from a cell without service.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import GERAN
from telco_pipeline.contracts.codes import CellStatus
from telco_pipeline.contracts.state import NETWORK_STATE
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, day_start
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.scenarios.effects import Degrade, Sleep
from telco_pipeline.scenarios.story import Story, Touch
from telco_pipeline.state.coverage import coverage_left
from telco_pipeline.state.demand import Demand
from telco_pipeline.state.faults import Faults, cells_hit, core_hit
from telco_pipeline.state.load import quality
from telco_pipeline.state.network import HOURS
from telco_pipeline.state.plant import Floats, Plant, Rows

Flags = npt.NDArray[np.bool_]

_STATUSES: Final = [str(status) for status in CellStatus]
_IN_SERVICE, _DEGRADED, _OUT = range(3)
# Part of the traffic of a cell without service that its neighbours can carry; the rest is out of
# their reach. Part of what a full cell cannot carry that goes over to them (load balancing).
_TAKEN_OVER: Final = 0.85
_BALANCED: Final = 0.5
# Cells differ in radio: at some, more goes wrong than at others. GERAN drops more, and a handover
# of it or to it fails several times as often (practice).
_RADIO: Final = QuantileTable.level(0.40)
_GERAN_DROPS: Final = 2.0
_GERAN_HANDOVERS: Final = 4.0
# A cell that layers leave nothing of its capacity is not out of service: nearly all is blocked.
_LEAST_LEFT: Final = 0.001
# What fails in a healthy core (practice: a few in 10,000).
_CORE: Final = {"voice_failure": 0.0006, "data_failure": 0.0005, "signalling_failure": 0.0015}
_DOMAINS: Final = tuple(_CORE)


@dataclass(frozen=True)
class _Suffering:
    """What faults leave of each cell in each hour; arrays of shape (cells, 24).

    Attributes:
        first, until: Minutes between which it is out of service; -1 where it is not.
        capacity: Part of the capacity that is left while it is in service.
        failure: Additional probability that a procedure fails.
        fault: Id of the fault that hits it hardest, -1 for none.
        core: Additional probability that the core fails, by domain: voice, data, signalling.
        worse: What layers add, by measure: see `_Worse`; None for nothing.
    """

    first: Rows
    until: Rows
    capacity: Floats
    failure: Floats
    fault: Rows
    core: Floats
    worse: "_Worse | None" = None

    @classmethod
    def of(cls, plant: Plant, faults: Faults, date: dt.date, story: Story | None = None) -> Self:
        """Lay faults, and what layers do to cells, over the hours of a day."""
        shape = (len(plant.rat), HOURS)
        made = cls(
            first=np.full(shape, -1),
            until=np.full(shape, -1),
            capacity=np.ones(shape),
            failure=np.zeros(shape),
            fault=np.full(shape, -1),
            core=np.zeros((len(_DOMAINS), *shape)),
        )
        if len(faults.number):
            made._lay_radio(plant, faults, date)
            made._lay_core(plant, faults, date)
        if story and story.on(date).of("sleep"):
            made._lay_sleep(story, date)
        if story and story.on(date).of("degrade"):
            worse = _Worse.of(story, date, shape)
            left = np.round(made.capacity * worse.capacity, 4)
            made = replace(made, worse=worse, capacity=np.maximum(left, _LEAST_LEFT))
        return made

    def _lay_radio(self, plant: Plant, faults: Faults, date: dt.date) -> None:
        row, cell = cells_hit(plant, faults)
        each, hour, first, until = _hours_of(faults.impact[row], faults.end[row], date)
        row, cell = row[each], cell[each]
        out = faults.capacity[row] == 0.0
        part = (until - first) / 60.0
        left = np.round(1.0 - (1.0 - faults.capacity[row]) * part, 4)
        np.minimum.at(self.capacity, (cell[~out], hour[~out]), left[~out])
        # Grave ones last, so that their id stays.
        order = np.argsort(out, kind="stable")
        self.fault[cell[order], hour[order]] = faults.fault_id[row[order]]
        np.maximum.at(self.failure, (cell, hour), np.round(faults.failure[row] * part, 5) * ~out)
        self._lay_outages(cell[out], hour[out], first[out], until[out])

    def _lay_outages(self, cell: Rows, hour: Rows, first: Rows, until: Rows) -> None:
        """Put cells out of service in an hour, between two minutes."""
        earliest = np.where(self.first >= 0, self.first, 60)
        np.minimum.at(earliest, (cell, hour), first)
        np.maximum.at(self.until, (cell, hour), until)
        hit = self.until >= 0
        self.first[hit] = earliest[hit]

    def _lay_sleep(self, story: Story, date: dt.date) -> None:
        """Put cells out of service that do not know of it."""
        known = self.first >= 0
        for touch in story.on(date).of("sleep"):
            row, cell = story.cells_under(touch)
            for start, end in _spells(touch, date):
                each, hour, first, until = _hours_of(start[row], end[row], date)
                self._lay_outages(cell[each], hour, first, until)
        self.fault[(self.first >= 0) & ~known] = -1

    def _lay_core(self, plant: Plant, faults: Faults, date: dt.date) -> None:
        row, cell, domain = core_hit(plant, faults)
        each, hour, first, until = _hours_of(faults.impact[row], faults.end[row], date)
        part = np.round(faults.failure[row[each]] * (until - first) / 60.0, 5)
        np.maximum.at(self.core, (domain[each], cell[each], hour), part)
        bare = self.fault[cell[each], hour] < 0
        self.fault[cell[each][bare], hour[bare]] = faults.fault_id[row[each][bare]]


@dataclass(frozen=True)
class _Worse:
    """How much worse layers make cells without a fault; arrays of shape (cells, 24).

    Attributes:
        coverage: Part of their coverage that is left; None where all have all of it.
        capacity: Factor on what they carry.
        chances: Additional probability of blocks, drops and failed handovers, by measure.
        latency: Milliseconds more.
        loss: Percent of the packets more.
        hit: Where any of these is felt.
    """

    coverage: Floats | None
    capacity: Floats
    chances: dict[str, Floats]
    latency: Floats
    loss: Floats
    hit: Flags

    @classmethod
    def of(cls, story: Story, date: dt.date, shape: tuple[int, int]) -> Self:
        """Lay the effects `degrade` over the hours of a day: factors multiply, losses add up."""
        capacity, latency, loss = np.ones(shape), np.zeros(shape), np.zeros(shape)
        spared = {
            name: np.ones(shape)
            for name in ("block_probability", "drop_probability", "handover_failure")
        }
        for touch in story.on(date).of("degrade"):
            effect = touch.effect
            assert isinstance(effect, Degrade)
            row, cell = story.cells_under(touch)
            strength = touch.by_hour(date)[row]
            amounts = (effect.blocks, effect.drops, effect.handovers)
            for kept, amount in zip(spared.values(), amounts, strict=True):
                kept[cell] *= 1.0 - touch.amount(amount) * strength
            capacity[cell] *= 1.0 - (1.0 - touch.amount(effect.capacity)) * strength
            latency[cell] += touch.amount(effect.latency) * strength
            loss[cell] += touch.amount(effect.loss) * strength
        chances = {name: np.round(1.0 - kept, 6) for name, kept in spared.items()}
        capacity = np.round(capacity, 4)
        hit = (capacity < 1.0) | (latency > 0.0) | (loss > 0.0)
        for added in chances.values():
            hit |= added > 0.0
        coverage = coverage_left(story, date, shape[0])
        if coverage is not None:
            hit |= coverage < 1.0
        return cls(coverage, capacity, chances, latency, loss, hit)

    def add_to(self, measures: dict[str, Floats]) -> None:
        """Make the measures worse where anything is felt, and leave the others as they are."""
        for name, added in self.chances.items():
            some = added > 0.0
            measures[name][some] = 1.0 - (1.0 - measures[name][some]) * (1.0 - added[some])
        measures["latency_added"] = measures["latency_added"] + self.latency
        measures["loss_added"] = np.minimum(measures["loss_added"] + self.loss, 100.0)


def _spells(touch: Touch, date: dt.date) -> Iterator[tuple[Rows, Rows]]:
    """Yield the spells for which each target of a touch of `sleep` sleeps around a day.

    Each 24 hours from its start, and what is left of them at the end, have one spell, as long as
    the effect's share of them, at a place that a hash says.

    Args:
        touch: The touch.
        date: The day.

    Yields:
        From when and until when, in microseconds since 1970-01-01 UTC, one of each per target;
        from and until the same moment where there is none.
    """
    effect = touch.effect
    assert isinstance(effect, Sleep)
    share = touch.amount(effect.share)
    if share >= 1.0:
        yield touch.start, touch.end
        return
    # The periods go from any time to the same time of the next day: two of them meet the day.
    current = np.maximum((day_start(date) - touch.start) // DAY, 0)
    for number in (current, current + 1):
        start = np.minimum(touch.start + number * DAY, touch.end)
        length = np.minimum(touch.end - start, DAY)
        asleep = np.rint(length * share).astype(np.int64)
        keys = draws.bits(draws.events(touch.key, number), "spell")
        start = start + np.rint(draws.uniform(keys) * (length - asleep)).astype(np.int64)
        yield start, start + asleep


def _hours_of(begin: Rows, end: Rows, date: dt.date) -> tuple[Rows, Rows, Rows, Rows]:
    """Return the hours of a day in which something is felt.

    Args:
        begin: From when, in microseconds since 1970-01-01 UTC.
        end: Until when.
        date: The day.

    Returns:
        Position in `begin`, hour, first minute and the minute in which it is over (up to 60), for
        each hour that is touched; both are rounded up, so that nothing suffers before its cause or
        is well before the repair.
    """
    start = day_start(date)
    begin = -(-np.clip(begin - start, 0, HOURS * HOUR) // MINUTE)
    end = -(-np.clip(end - start, 0, HOURS * HOUR) // MINUTE)
    hours = np.where(end > begin, -(-end // 60) - begin // 60, 0)
    each = np.repeat(np.arange(len(begin)), hours)
    hour = np.arange(len(each)) - np.repeat(np.cumsum(hours) - hours, hours) + begin[each] // 60
    first = np.maximum(begin[each] - hour * 60, 0)
    until = np.minimum(end[each] - hour * 60, 60)
    return each, hour, first, until


def network_hours(
    plant: Plant, demand: Demand, faults: Faults, date: dt.date, story: Story | None = None
) -> pl.DataFrame:
    """Return the rows of `network_state` of a UTC day, by hour and cell.

    Args:
        plant: The network.
        demand: What its cells are offered.
        faults: The faults that touch the day (`faults.faults_on`).
        date: The day.
        story: What scenario layers do; None for nothing. What begins by a trigger is not seen here.
    """
    suffering = _Suffering.of(plant, faults, date, story)
    down = np.where(suffering.first >= 0, (suffering.until - suffering.first) / 60.0, 0.0)
    dead = down >= 1.0
    capacity = demand.capacity[:, None] * suffering.capacity
    offered = demand.offered(date, story.on(date) if story else None)
    lost = offered * down
    if suffering.worse is not None and suffering.worse.coverage is not None:
        beyond = offered * (1.0 - suffering.worse.coverage)
        offered, lost = offered - beyond, lost + beyond * (1.0 - down)
    offered = offered + _taken_over(plant, lost * _TAKEN_OVER, dead)
    offered = _balanced(plant, np.where(dead, 0.0, offered), capacity, dead)
    load = np.where(dead, 0.0, np.round(offered / capacity, 3))
    return _frame(plant, date, suffering, _measures(plant, demand, suffering, offered, load, dead))


def _taken_over(plant: Plant, lost: Floats, dead: Flags) -> Floats:
    """Return what each cell gets of the traffic that others lose, in equal parts.

    Args:
        plant: The network.
        lost: Traffic that each cell loses in each hour.
        dead: Which cells are out of service for the whole hour.
    """
    cells, hours = np.nonzero(lost > 0.0)
    gained = np.zeros_like(lost)
    if not cells.size:
        return gained
    takers = plant.takers[cells]
    able = (takers >= 0) & ~dead[np.maximum(takers, 0), hours[:, None]]
    share = np.round(lost[cells, hours] / np.maximum(able.sum(axis=1), 1), 6)
    each, number = np.nonzero(able)
    np.add.at(gained, (takers[each, number], hours[each]), share[each])
    return gained


def _balanced(plant: Plant, offered: Floats, capacity: Floats, dead: Flags) -> Floats:
    """Return the traffic after full cells have handed a part of their excess to neighbours."""
    excess = np.where(dead, 0.0, np.maximum(offered - capacity, 0.0)) * _BALANCED
    full = dead | (offered >= capacity)
    gained = _taken_over(plant, excess, full)
    cells, hours = np.nonzero(excess)
    takers = plant.takers[cells]
    able = ((takers >= 0) & ~full[np.maximum(takers, 0), hours[:, None]]).any(axis=1)
    moved = np.zeros_like(excess)
    moved[cells[able], hours[able]] = excess[cells[able], hours[able]]
    return offered - moved + gained


def _measures(
    plant: Plant,
    demand: Demand,
    suffering: _Suffering,
    offered: Floats,
    load: Floats,
    dead: Flags,
) -> dict[str, Floats]:
    """Return the measures of each cell and hour, rounded as they are written."""
    found = quality(load)
    keys = draws.keys(draws.stream(plant.config.seed, "cell/radio"), np.arange(len(load)))
    radio = _RADIO.sample(keys)[:, None]
    old = (plant.rat == GERAN)[:, None]
    drops = radio * np.where(old, _GERAN_DROPS, 1.0)
    handovers = radio * np.where(old, _GERAN_HANDOVERS, 1.0)
    failure = suffering.failure
    chances = {
        "block_probability": found.block + failure,
        "drop_probability": found.drop * drops + failure * 0.5,
        "handover_failure": found.handover * handovers + failure,
        **{name: base + suffering.core[row] for row, (name, base) in enumerate(_CORE.items())},
    }
    felt = {
        "latency_added": found.latency,
        "loss_added": found.loss + failure * 5.0,
        **chances,
    }
    if suffering.worse is not None:
        suffering.worse.add_to(felt)
    measures = {
        "active_users": np.round(demand.users(np.minimum(offered, demand.capacity[:, None])), 3),
        "demand": np.rint(offered),
        "capacity": np.rint(demand.capacity[:, None] * suffering.capacity),
        "load": load,
        "prb_use": np.round(found.prb_use, 1),
        "throughput_factor": np.round(found.throughput_factor, 3),
        "latency_added": np.round(felt["latency_added"], 1),
        "loss_added": np.round(felt["loss_added"], 3),
        **{name: np.round(np.minimum(felt[name], 1.0), 5) for name in chances},
    }
    # Of a cell out of service for the whole hour nothing is heard.
    silent = {"capacity", "prb_use", "active_users", "throughput_factor"}
    return {
        name: np.where(dead, 0.0, values) if name in silent else values
        for name, values in measures.items()
    }


def _frame(
    plant: Plant, date: dt.date, suffering: _Suffering, measures: dict[str, Floats]
) -> pl.DataFrame:
    """Return the rows, by hour and then by cell."""
    cells = len(plant.rat)
    out = suffering.first >= 0
    degraded = (suffering.capacity < 1.0) | (suffering.failure > 0.0)
    if suffering.worse is not None:
        degraded |= suffering.worse.hit
    status = np.where(out, _OUT, np.where(degraded, _DEGRADED, _IN_SERVICE))
    time = day_start(date) + np.repeat(np.arange(HOURS) * HOUR, cells)
    cell_id = plant.cells["cell_id"]

    def turned(values: npt.NDArray) -> npt.NDArray:
        return np.ascontiguousarray(values.T).reshape(-1)

    def nullable(values: Rows) -> pl.Series:
        flat = turned(values)
        return pl.Series(flat).set(pl.Series(flat < 0), None)

    columns = {
        "cell_id": cell_id.gather(np.tile(np.arange(cells), HOURS)),
        "event_time": pl.Series(time).cast(pl.Datetime("us", "UTC")),
        "status": pl.Series(turned(status).astype(np.uint8)).cat.to(pl.Enum(_STATUSES)),
        "unavailable_from": nullable(suffering.first),
        "unavailable_until": nullable(suffering.until),
        "fault_id": nullable(suffering.fault),
        **{name: pl.Series(turned(values)) for name, values in measures.items()},
    }
    frame = pl.DataFrame(columns)
    return frame.select(NETWORK_STATE.columns).cast(NETWORK_STATE.polars_schema)
