"""Measuring the reach: whom it holds, and its part of each dataset's records.

Belongs here: walking through the days of both worlds, what is told of the reach, its bound. Does
not belong here: who is in reach (`days`), which rows (`rows`).
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.generators.base import Inputs
from telco_pipeline.lake import Lake
from telco_pipeline.reach.days import DayReach, walk
from telco_pipeline.reach.felt import Senses
from telco_pipeline.reach.rows import (
    COLUMNS,
    OF_SUBSCRIBERS,
    SUMMED,
    Keys,
    Sums,
    columns_of,
    numbers_of,
    reached,
)
from telco_pipeline.settings import WorldConfig

Flags = npt.NDArray[np.bool_]

BOUND: Final = 0.5
"""A local story leaves at least half of what subscribers do alone."""
LOCAL: Final = 0.1
"""A story is local if its targets are at most this part of the subscribers and of the cells."""


@dataclass(frozen=True)
class Share:
    """The part of a dataset's rows of the main world that is in reach.

    Attributes:
        dataset: Name of the dataset.
        rows: Rows on the days on which the worlds may differ.
        reached: Those in reach.
    """

    dataset: str
    rows: int
    reached: int

    @property
    def part(self) -> float:
        """Part of the rows; 0 where there are none."""
        return self.reached / max(self.rows, 1)


@dataclass(frozen=True)
class Reach:
    """Whom the layers that are left out reach, over some days.

    Attributes:
        subscribers: Ids of subscribers who meet another world themselves: as targets, by their
            state, or at a cell that serves otherwise.
        cells: Ids of cells whose state differs in any hour.
        elements: Ids of elements whose records are in reach.
        of_subscribers, of_cells, of_elements: Their parts of all.
        targets: Part of the subscribers, or of the cells if that is more, that the layers touch.
        shares: Part of the rows of each dataset that both worlds have.
    """

    subscribers: pl.Series
    cells: pl.Series
    elements: pl.Series
    of_subscribers: float
    of_cells: float
    of_elements: float
    targets: float
    shares: list[Share] = field(default_factory=list)

    @property
    def part(self) -> float:
        """Part in reach of all rows that tell what subscribers do."""
        some = [share for share in self.shares if share.dataset in OF_SUBSCRIBERS]
        return sum(share.reached for share in some) / max(sum(share.rows for share in some), 1)

    @property
    def local(self) -> bool:
        """Whether the bound holds for the layers: they touch few."""
        return self.targets <= LOCAL

    @property
    def within_bound(self) -> bool:
        """Whether the layers reach no more than they may."""
        return not self.local or self.part <= BOUND

    def bound_told(self) -> str:
        """Return in words what the bound says."""
        told = f"{self.part:.1%} of the records of subscribers are in reach"
        if not self.local:
            return f"{told}; no bound, as the layers touch {self.targets:.0%} themselves"
        if self.within_bound:
            return f"{told}, of at most {BOUND:.0%} for layers that touch {self.targets:.1%}"
        return (
            f"{told}, above the bound of {BOUND:.0%} for layers that touch only "
            f"{self.targets:.1%}: an effect ripples further than it should"
        )


class Walk:
    """A walk through the days of a world and its counterfactual.

    Attributes:
        keys: Ids behind row numbers.
    """

    def __init__(
        self,
        config: WorldConfig,
        left_out: Sequence[str],
        lakes: tuple[Lake, Lake],
        days: Sequence[dt.date],
    ) -> None:
        """Load the world.

        Args:
            config: The main world.
            left_out: Layers that the counterfactual one does not have.
            lakes: Where the main world lies, and the counterfactual one.
            days: The days from the first difference on, in order and without a break.
        """
        self._lakes, self._days = lakes, list(days)
        self._inputs = Inputs.load(config, lakes[0])
        self._senses = Senses(self._inputs, left_out, lakes)
        people = pl.Series("subscriber_id", self._inputs.population.subscriber_id)
        entities = pl.DataFrame({"subscriber_id": people, "entity": np.arange(len(people))})
        numbers = numbers_of(lakes, self._days).join(entities, on="subscriber_id")
        self.keys = Keys(
            people,
            self._inputs.cells.cell_id,
            self._inputs.cells.element_id,
            numbers.select("number", "entity"),
        )

    def days(self) -> Iterator[tuple[DayReach, Sums]]:
        """Yield who is in reach on each day, and what records in reach are added up to."""
        sums = Sums.none(self.keys)
        for day in walk(self._inputs, self._senses, self._days):
            # What is added up counts in both worlds: a record that one lacks is missing in its sum.
            for name in SUMMED:
                for lake in self._both(name, day.date):
                    self._add(day, lake, name, sums)
            yield day, sums
            sums = sums.next_day()

    def inside(self, day: DayReach, sums: Sums, name: str, frame: pl.DataFrame) -> Flags:
        """Return which rows of a dataset's day are in reach (see `rows.reached`)."""
        return reached(self.keys, day, name, frame, sums)

    def made(self, name: str, date: dt.date) -> bool:
        """Return whether both worlds have a day of a dataset of their own."""
        one, two = (lake.directory(name, date) for lake in self._lakes)
        return one != two and one.is_dir() and two.is_dir()

    def _both(self, name: str, date: dt.date) -> tuple[Lake, ...]:
        return self._lakes if self.made(name, date) else ()

    def _add(self, day: DayReach, lake: Lake, name: str, sums: Sums) -> None:
        frame = lake.read(name, day.date, day.date, columns_of(name))
        sums.add(self.keys, day, name, frame, self.inside(day, sums, name, frame))

    def targeted(self) -> float:
        """Return which part of the subscribers, or of the cells if that is more, layers touch."""
        return self._senses.targeted(self._days[-1])


def measure(
    config: WorldConfig,
    left_out: Sequence[str],
    lakes: tuple[Lake, Lake],
    days: Sequence[dt.date],
    tell: Callable[[dt.date], None] | None = None,
) -> Reach:
    """Return whom layers reach over some days, and its part of the records.

    Args:
        config: The main world.
        left_out: Layers that the counterfactual one does not have.
        lakes: Where the main world lies, and the counterfactual one.
        days: The days from the first difference on, in order and without a break.
        tell: Told of each day when it is done.
    """
    going = Walk(config, left_out, lakes, days)
    keys = going.keys
    people = np.zeros(len(keys.subscriber_id), dtype=np.bool_)
    cells = np.zeros(len(keys.cell_id), dtype=np.bool_)
    elements = np.zeros(len(keys.element_id), dtype=np.bool_)
    rows = dict.fromkeys(COLUMNS, 0)
    inside = dict.fromkeys(COLUMNS, 0)
    for day, sums in going.days():
        people |= day.subscribers
        cells |= day.cells > 0
        elements |= day.elements | day.damaged
        for name in COLUMNS:
            if going.made(name, day.date):
                frame = lakes[0].read(name, day.date, day.date, list(COLUMNS[name]))
                rows[name] += len(frame)
                inside[name] += int(going.inside(day, sums, name, frame).sum())
        if tell is not None:
            tell(day.date)
    joined = config.joined_by(days[-1])
    return Reach(
        subscribers=keys.subscriber_id.filter(pl.Series(people)),
        cells=keys.cell_id.filter(pl.Series(cells)),
        elements=keys.element_id.filter(pl.Series(elements)),
        of_subscribers=float(people.sum()) / max(joined, 1),
        of_cells=float(cells.mean()),
        of_elements=float(elements.mean()),
        targets=going.targeted(),
        shares=[Share(name, rows[name], inside[name]) for name in COLUMNS if rows[name]],
    )
