"""Factors: how many times as often as usual things break, where scenario layers say so.

Belongs here: which units of a hazard an effect `hazard` reaches, and its factor at a time. Does
not belong here: what is drawn with it (`hazards`), faults that layers bring (`story_faults`).

A cell means its carrier; an element itself and its cells, a site's router also the mains; a site
all of its elements and cells and its mains, which are those of its feeder.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import ElementType, FaultKind
from telco_pipeline.engine.calendar import day_start
from telco_pipeline.scenarios.effects import CELLS, ELEMENTS, Hazard
from telco_pipeline.scenarios.story import StoryDay, Touch
from telco_pipeline.state.hanging import Hanging, members
from telco_pipeline.state.plant import ELEMENT_TYPES, Rows

Floats = npt.NDArray[np.float64]

_SITE_ROUTER: Final = ELEMENT_TYPES.index(ElementType.SITE_ROUTER)
_NONE: Final = -1


@dataclass(frozen=True)
class UnitFactors:
    """What the layers do to the units of one hazard on a day.

    Attributes:
        most: Product of the factors above 1 that reach each unit at any time of the day.
        pieces: Of each effect: its factor; position of each unit that it reaches, and from when
            until when, in microseconds of the day.
    """

    most: Floats
    pieces: tuple[tuple[float, Rows, Rows, Rows], ...]

    def at(self, unit: Rows, time: Rows) -> Floats:
        """Return the factor of each unit at a time: the product of all that hold then."""
        found = np.ones(len(unit))
        for factor, reached, start, end in self.pieces:
            position, row = members(reached, unit)
            holds = np.zeros(len(unit), dtype=np.bool_)
            within = (start[row] <= time[position]) & (time[position] < end[row])
            holds[position[within]] = True
            found[holds] *= factor
        return found


@dataclass(frozen=True)
class Factors:
    """The effects `hazard` of a day.

    Attributes:
        hanging: What hangs on what.
        story: The day.
    """

    hanging: Hanging
    story: StoryDay

    def of(
        self, kind: FaultKind, element: Rows, cell: Rows, *, feeders: bool
    ) -> UnitFactors | None:
        """Return what is done to the units of a hazard; None where no effect reaches any.

        Args:
            kind: Kind of the hazard's faults.
            element: Element of each unit; of feeders the router at its root.
            cell: Cell of each unit, -1 where it is the element.
            feeders: Whether the units are feeders.
        """
        begin, pieces, most = day_start(self.story.date), [], np.ones(len(element))
        for touch in self.story.of("hazard"):
            effect = touch.effect
            assert isinstance(effect, Hazard)
            if effect.of and kind.name.lower() not in effect.of:
                continue
            factor = touch.amount(effect.factor)
            target, unit = self._groups(touch, element, cell, feeders=feeders)
            position, row = members(target, unit)
            if factor == 1.0 or not position.size:
                continue
            pieces.append((factor, position, touch.start[row] - begin, touch.end[row] - begin))
            most[np.unique(position)] *= max(factor, 1.0)
        return UnitFactors(most, tuple(pieces)) if pieces else None

    def _groups(
        self, touch: Touch, element: Rows, cell: Rows, *, feeders: bool
    ) -> tuple[Rows, Rows]:
        """Return what each target and each unit belongs to, -1 for nothing: equal ones meet."""
        plant, rows = self.hanging.plant, touch.rows.astype(np.int64)
        apart = np.full(len(element), _NONE)
        single = cell >= 0
        if touch.of == CELLS:
            return rows, cell
        if touch.of == ELEMENTS:
            if not feeders:
                return rows, element
            router = plant.kind[rows] == _SITE_ROUTER
            site = np.where(router, plant.element_site[rows], _NONE)
            return self._fed(site), self._fed(plant.element_site[element])
        if feeders:
            return self._fed(rows), self._fed(plant.element_site[element])
        of_cells = plant.site[np.maximum(cell, 0)].astype(np.int64)
        of_elements = plant.element_site[element].astype(np.int64)
        return rows, np.where(single, of_cells, np.where(of_elements >= 0, of_elements, apart))

    def _fed(self, site: npt.NDArray[np.integer]) -> Rows:
        """Return the feeder of each site, -1 for none."""
        return np.where(site >= 0, self.hanging.feeder[np.maximum(site, 0)], _NONE)
