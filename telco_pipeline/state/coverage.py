"""Coverage: whom a cell still reaches of which scenario layers have taken a part of its coverage.

Belongs here: how far from the mast a subscriber stands in a cell, how much of the coverage is left,
and so who is out of reach. Does not belong here: cells out of service (`network`), what takes over
(`plant`), the load that moves (`hours`).

Subscribers are spread evenly over the area of a cell, and who stays at a place keeps his distance,
which his timing advance tells too. With the part c of its coverage a cell reaches as far as the
root of c of its range: the far ones are lost first, and the same ones whenever it is as much. What
takes over from the same mast must reach him where he stands; in a cell from elsewhere he has a
distance of its own.

What is left holds for whole hours, as all that layers do to a cell without a fault. No row of state
tells it: it follows from the layers and the date.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR
from telco_pipeline.scenarios.effects import Degrade
from telco_pipeline.scenarios.story import Story
from telco_pipeline.state.plant import Floats, Plant, Rows

Flags = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.integer]

_HOURS: Final = 24


def distances(seed: int, entity: npt.NDArray[np.integer], cell: Cells) -> Floats:
    """Return how far from the mast subscribers stay in cells, as parts of the cells' ranges.

    Spread evenly over the area of the cell: the larger of two uniforms.

    Args:
        seed: Seed of the world.
        entity: Entity numbers.
        cell: Rows of cells.
    """
    stay = draws.events(draws.keys(draws.stream(seed, "location/distance"), entity), cell)
    return np.maximum(draws.uniform(draws.bits(stay, "a")), draws.uniform(draws.bits(stay, "b")))


def coverage_left(story: Story, date: dt.date, cells: int) -> Floats | None:
    """Return the part of its coverage that each cell has in each UTC hour of a day.

    Where effects meet, the parts multiply.

    Args:
        story: What scenario layers do.
        date: The day.
        cells: Number of cells.

    Returns:
        Shape (cells, 24); None if all cells have all of it.
    """
    left = None
    for touch in story.on(date).of("degrade"):
        assert isinstance(touch.effect, Degrade)
        missing = 1.0 - touch.amount(touch.effect.coverage)
        if missing <= 0.0:
            continue
        left = np.ones((cells, _HOURS)) if left is None else left
        row, cell = story.cells_under(touch)
        left[cell] *= 1.0 - missing * touch.by_hour(date)[row]
    return None if left is None else np.round(left, 6)


@dataclass(frozen=True)
class Coverage:
    """How much of its coverage each cell has on a UTC day.

    Attributes:
        seed: Seed of the world.
        site: Site of each cell.
        left: The part that it has in each hour, shape (cells, 24).
    """

    seed: int
    site: npt.NDArray[np.int32]
    left: Floats

    @classmethod
    def of(cls, plant: Plant, story: Story, date: dt.date) -> Self | None:
        """Return the coverage of a day; None if no layer takes any of it."""
        left = coverage_left(story, date, len(plant.rat)) if story else None
        return None if left is None else cls(plant.config.seed, plant.site, left)

    @cached_property
    def less(self) -> Flags:
        """Which cells have less than all of it at any time of the day."""
        return self.left.min(axis=1) < 1.0

    @cached_property
    def steps(self) -> tuple[Rows, Rows]:
        """Cells and hours from which on they have more or less of it than in the hour before."""
        cell, hour = np.nonzero(self.left[:, 1:] != self.left[:, :-1])
        return cell, hour + 1

    def reaches(
        self, entity: npt.NDArray[np.integer], cell: Cells, time: Rows, at: Cells | None = None
    ) -> Flags:
        """Return which subscribers cells reach at a time.

        Args:
            entity: Entity numbers.
            cell: Rows of the cells.
            time: Microseconds since the start of the day; what lies beside it counts as its first
                or last hour.
            at: Cells that would serve them, if others are asked to take over.
        """
        found = np.ones(len(cell), dtype=np.bool_)
        rows = np.flatnonzero(self.less[cell])
        if not rows.size:
            return found
        hour = np.clip(time[rows] // HOUR, 0, _HOURS - 1)
        here = cell[rows].astype(np.int64)
        where = here
        if at is not None:
            where = np.where(self.site[at[rows]] == self.site[here], at[rows], here)
        far = distances(self.seed, entity[rows], where)
        left = self.left[here, hour]
        found[rows] = (left >= 1.0) | (far * far < left)
        return found

    def reach_at(self, cell: Cells, time: Rows) -> Floats:
        """Return how far cells reach at a time, as a part of their ranges."""
        return np.sqrt(self.left[cell, np.clip(time // HOUR, 0, _HOURS - 1)])

    def back(self, entity: npt.NDArray[np.integer], cell: Cells, time: Rows, never: int) -> Rows:
        """Return when cells reach subscribers again whom they do not reach at a time of the day.

        Args:
            entity: Entity numbers.
            cell: Rows of the cells.
            time: Microseconds since the start of the day.
            never: What to return where they do not on the day.
        """
        far = distances(self.seed, entity, cell)
        later = np.arange(_HOURS)[None, :] > time[:, None] // HOUR
        reached = later & (far[:, None] * far[:, None] < self.left[cell])
        return np.where(reached.any(axis=1), np.argmax(reached, axis=1) * HOUR, never)
