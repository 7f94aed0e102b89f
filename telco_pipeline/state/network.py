"""Network state: load, capacity and quality of every cell in every hour of a UTC day.

Belongs here: one day of the network as arrays, and what a record asks of it. Does not belong here:
how many are where (`demand`), the queueing model (`load`), what breaks (`faults`).

A record asks for the state of its cell at the time at which its event begins. What lies behind
midnight is that of the last hour: a day's records depend on no later day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE
from telco_pipeline.state.coverage import Coverage
from telco_pipeline.state.plant import Rows

HOURS: Final = 24
MEASURES: Final = (
    "load",
    "prb_use",
    "throughput_factor",
    "latency_added",
    "loss_added",
    "block_probability",
    "drop_probability",
    "handover_failure",
    "voice_failure",
    "data_failure",
    "signalling_failure",
    "active_users",
    "demand",
    "capacity",
)
"""Columns of `network_state` that are kept by cell and hour."""
NEVER: Final = 1 << 60
_TIME_BITS: Final = 40
_NO_SERVICE: Final = -1


class Measures(dict[str, npt.NDArray[np.float32]]):
    """Measures by name, shape (cells, 24); each is read when it is first asked for."""

    def __init__(self, read: Callable[[str], npt.NDArray[np.float32]]) -> None:
        """Remember how one is read."""
        super().__init__()
        self._read = read

    def __missing__(self, name: str) -> npt.NDArray[np.float32]:
        if name not in MEASURES:
            raise KeyError(name)
        self[name] = self._read(name)
        return self[name]


@dataclass(frozen=True)
class NetworkDay:
    """The network on one UTC day; cells are rows of the `cells` dataset.

    Attributes:
        measures: By name of `MEASURES`, shape (cells, 24): UTC hours.
        fault: Id of the fault that hits each cell hardest in each hour, -1 for none.
        has_outage: Which cells are out of service at any time of the day.
        outage_cell, outage_start, outage_end: Stretches without service in order of cell and
            time: microseconds of the day, the end exclusive.
        takers: Cells that take over for each cell (`Plant.takers`).
        coverage: How much of their coverage cells have; None where all have all of it.
    """

    measures: dict[str, npt.NDArray[np.float32]]
    fault: Rows
    has_outage: npt.NDArray[np.bool_]
    outage_cell: Rows
    outage_start: Rows
    outage_end: Rows
    takers: npt.NDArray[np.int32]
    coverage: Coverage | None = None

    OUTAGES: ClassVar = ("fault_id", "unavailable_from", "unavailable_until")
    """What is read of `network_state` beside the measures."""

    @classmethod
    def of(
        cls,
        frame: pl.DataFrame,
        takers: npt.NDArray[np.int32],
        coverage: Coverage | None = None,
    ) -> Self:
        """Take a day from the rows of its `network_state`.

        Args:
            frame: The partition, sorted by hour and cell as its contract says; the cells are
                those of the `cells` dataset, in its order.
            takers: `Plant.takers`.
            coverage: What scenario layers leave of the cells' coverage on the day.
        """
        return cls.read(frame.select, takers, coverage)

    @classmethod
    def read(
        cls,
        columns: Callable[[Sequence[str]], pl.DataFrame],
        takers: npt.NDArray[np.int32],
        coverage: Coverage | None = None,
    ) -> Self:
        """Take a day from where its rows lie; a measure is read when it is first asked for.

        Args:
            columns: Reads some columns of the partition (see `of`).
            takers: `Plant.takers`.
            coverage: As of `of`.
        """
        cells = len(takers)

        def by_cell(values: pl.Series) -> npt.NDArray:
            if len(values) != cells * HOURS:
                raise ValueError(f"network_state has {len(values)} rows, not {cells} x {HOURS}")
            return values.to_numpy().reshape(HOURS, cells).T

        def measure(name: str) -> npt.NDArray[np.float32]:
            return np.ascontiguousarray(by_cell(columns([name])[name]).astype(np.float32))

        told = columns(cls.OUTAGES).with_columns(pl.all().fill_null(-1))
        first, until = (
            by_cell(told[name]).astype(np.int64)
            for name in ("unavailable_from", "unavailable_until")
        )
        fault = by_cell(told["fault_id"]).copy()
        return cls(Measures(measure), fault, *outages_of(first, until), takers, coverage)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.has_outage)

    @cached_property
    def may_fail(self) -> npt.NDArray[np.bool_]:
        """Which cells do not serve everybody all day: out of service, or with less coverage."""
        if self.coverage is None:
            return self.has_outage
        return self.has_outage | self.coverage.less

    def at(
        self, measure: str, cell: npt.NDArray[np.integer], time: Rows
    ) -> npt.NDArray[np.float32]:
        """Return a measure of each cell at a time.

        Args:
            measure: One of `MEASURES`.
            cell: Rows of cells.
            time: Microseconds since the start of the day; later ones count as the last hour.
        """
        hour = np.clip(time // HOUR, 0, HOURS - 1)
        return self.measures[measure].reshape(-1)[cell.astype(np.int64) * HOURS + hour]

    def is_down(self, cell: npt.NDArray[np.integer], time: Rows) -> npt.NDArray[np.bool_]:
        """Return which cells are out of service at a time (arguments: `at`)."""
        down = self.has_outage[cell]
        rows = np.flatnonzero(down)
        if rows.size:
            when = np.clip(time[rows], 0, DAY - 1)
            place = self._last_begun(cell[rows], when)
            begun = place >= 0
            place = np.maximum(place, 0)
            same = self.outage_cell[place] == cell[rows]
            down[rows] = begun & same & (self.outage_end[place] > when)
        return down

    def is_lost(
        self,
        entity: Rows | None,
        cell: npt.NDArray[np.integer],
        time: Rows,
        at: npt.NDArray[np.integer] | None = None,
    ) -> npt.NDArray[np.bool_]:
        """Return which cells do not serve subscribers at a time: down, or out of their reach.

        Args:
            entity: Entity numbers; None to ask for the cells alone.
            cell: Rows of cells.
            time: As of `at`.
            at: Cells that would serve them, if others are asked to take over.
        """
        lost = self.is_down(cell, time)
        if self.coverage is not None and entity is not None:
            lost |= ~self.coverage.reaches(entity, cell, time, at)
        return lost

    def next_outage(self, cell: npt.NDArray[np.integer], time: Rows) -> Rows:
        """Return when each cell next goes out of service, at a time or after it; else `NEVER`."""
        found = np.full(len(cell), NEVER)
        rows = np.flatnonzero(self.has_outage[cell])
        if rows.size:
            place = self._last_begun(cell[rows], time[rows] - 1) + 1
            there = place < len(self.outage_cell)
            place = np.minimum(place, len(self.outage_cell) - 1)
            there &= self.outage_cell[place] == cell[rows]
            found[rows] = np.where(there, self.outage_start[place], NEVER)
        return found

    def serving(
        self, cell: npt.NDArray[np.integer], time: Rows, entity: Rows | None = None
    ) -> Rows:
        """Return the cell that serves instead of each: itself where it is in service.

        Else the first of its takers that is; -1 where none is, so that there is no service. Of
        subscribers (entity numbers) it must also reach them.
        """
        found = cell.astype(np.int64)
        lost = np.flatnonzero(self.is_lost(entity, cell, time))
        for number in range(self.takers.shape[1]):
            if not lost.size:
                return found
            taker = self.takers[cell[lost], number].astype(np.int64)
            there = taker >= 0
            asked = lost[there]
            who = None if entity is None else entity[asked]
            there[there] = ~self.is_lost(who, taker[there], time[asked], cell[asked])
            found[lost[there]] = taker[there]
            lost = lost[~there]
        found[lost] = _NO_SERVICE
        return found

    def _last_begun(self, cell: npt.NDArray[np.integer], time: Rows) -> Rows:
        """Return the last stretch that begins by a time, of the cell or one before; -1: none."""
        packed = (self.outage_cell << _TIME_BITS) | self.outage_start
        wanted = (cell.astype(np.int64) << _TIME_BITS) + time
        return np.searchsorted(packed, wanted, side="right") - 1


def outages_of(first: Rows, until: Rows) -> tuple[npt.NDArray[np.bool_], Rows, Rows, Rows]:
    """Return the stretches without service, from their minutes in each hour.

    Args:
        first: Minute from which a cell is out of service, -1 if it is not; shape (cells, 24).
        until: Minute in which it is back, 60 if not within the hour.

    Returns:
        Which cells have any; cell, start and end of each stretch, in order of cell and start. A
        stretch runs on over the border of an hour.
    """
    cell, hour = np.nonzero(first >= 0)
    start = hour * HOUR + first[cell, hour] * MINUTE
    end = hour * HOUR + until[cell, hour] * MINUTE
    fresh = np.ones(len(cell), dtype=np.bool_)
    fresh[1:] = (cell[1:] != cell[:-1]) | (start[1:] != end[:-1])
    begins = np.flatnonzero(fresh)
    ends = np.append(begins[1:], len(cell)) - 1 if len(cell) else begins
    has = np.zeros(len(first), dtype=np.bool_)
    has[cell] = True
    return has, cell[begins].astype(np.int64), start[begins], end[ends]
