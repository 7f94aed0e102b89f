"""Hanging: which cells hang on an element of radio and transport, and which a core element serves.

Belongs here: what suffers with an element. Does not belong here: which element breaks (`hazards`)
and by how much its cells suffer (`faults`).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import GERAN, NR
from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.state.plant import ELEMENT_TYPES, Plant, Rows
from telco_pipeline.world.cells import AREAS

VOICE: Final = 0
DATA: Final = 1
SIGNALLING: Final = 2
SITES_PER_FEEDER: Final = 4
"""Sites of one place that lose their mains together: a town has several transformers."""

# Domain, role in `Plant.serving` and which cells (old: all but NR) by type of core element. Where
# the role is None, the element serves all such cells of its data centre; registers those of the
# whole network. Voice over LTE and NR never meets the MSC, and that over GERAN no CSCF. An SMSC
# serves no domain of these: messages wait while it is away.
_SERVICE: Final[dict[ElementType, tuple[int, str | None, str]]] = {
    ElementType.MSC: (VOICE, "msc", "geran"),
    ElementType.P_CSCF: (VOICE, "p_cscf", "packet"),
    ElementType.S_CSCF: (VOICE, "s_cscf", "packet"),
    ElementType.MMTEL_AS: (VOICE, "mmtel", "packet"),
    ElementType.SGW: (DATA, "sgw", "old"),
    ElementType.PGW: (DATA, "pgw", "old"),
    ElementType.CHF: (DATA, "pgw", "nr"),
    ElementType.SMF: (DATA, None, "nr"),
    ElementType.UPF: (DATA, None, "nr"),
    ElementType.MME: (SIGNALLING, "mme", "old"),
    ElementType.AMF: (SIGNALLING, "mme", "nr"),
    ElementType.HSS: (SIGNALLING, None, "old"),
    ElementType.UDM: (SIGNALLING, None, "nr"),
}
_REGISTERS: Final = (ElementType.HSS, ElementType.UDM)
CORE_TYPES: Final = (*_SERVICE, ElementType.SMSC)
"""Types of elements whose faults are those of the core."""


def members(groups: npt.NDArray[np.integer], wanted: npt.NDArray[np.integer]) -> tuple[Rows, Rows]:
    """Return who belongs to some groups, as pairs in the order of the wanted groups.

    Args:
        groups: Group of each member; members of -1 belong to none.
        wanted: Groups asked for.

    Returns:
        Position in `wanted` and row in `groups` of each pair.
    """
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.searchsorted(ordered, wanted, side="left")
    count = np.searchsorted(ordered, wanted, side="right") - first
    count = np.where(wanted < 0, 0, count)
    position = np.repeat(np.arange(len(wanted)), count)
    within = np.arange(len(position)) - np.repeat(np.cumsum(count) - count, count)
    return position, order[first[position] + within]


@dataclass(frozen=True)
class Hanging:
    """What hangs on what, by rows of the plant.

    Attributes:
        feeder: Feeder of each site, from 0.
        root: Router (row of the element) at the first site of each feeder.
        controller: BSC (row of the element) of each GERAN cell, -1 for others.
        area: Area number of each cell.
        centre: Data centre of each element of the core, by number; -1 for others.
        pool: How many elements share the work of each element of the core that serves all cells
            of its data centre or network; 1 for all others.
    """

    plant: Plant
    feeder: npt.NDArray[np.int64]
    root: Rows
    controller: npt.NDArray[np.int64]
    area: npt.NDArray[np.int64]
    centre: npt.NDArray[np.int64]
    pool: npt.NDArray[np.int64]

    @classmethod
    @lru_cache(maxsize=2)
    def of(cls, plant: Plant) -> Self:
        """Look through a plant; the last ones are kept, as every day of faults asks."""
        feeder = _feeders(plant)
        first = np.unique(feeder, return_index=True)[1]
        centre = _centres(plant)
        return cls(
            plant=plant,
            feeder=feeder,
            root=plant.router[first].astype(np.int64),
            controller=_controllers(plant),
            area=plant.cells["tac"].to_numpy().astype(np.int64) % AREAS,
            centre=centre,
            pool=_pools(plant, centre),
        )

    def cells(
        self, element: Rows, *, power: npt.NDArray[np.bool_] | bool = False
    ) -> tuple[Rows, Rows]:
        """Return which cells hang on elements of radio and transport.

        Args:
            element: Rows of elements; on those of the core no cell hangs.
            power: Where the mains fail, so that it hits all sites of the router's feeder.

        Returns:
            Pairs of position in `element` and row of the cell, sorted.
        """
        plant = self.plant
        without_mains = np.broadcast_to(power, (len(element),))
        wanted = np.where(without_mains, -1, element)
        site = plant.element_site[element]
        cut = np.where(without_mains & (site >= 0), self.feeder[np.maximum(site, 0)], -1)
        found = [
            members(groups, asked)
            for groups, asked in (
                (plant.station, wanted),
                (plant.router[plant.site], wanted),
                (plant.aggregation[plant.site], wanted),
                (self.controller, wanted),
                (self.feeder[plant.site], cut),
            )
        ]
        position = np.concatenate([pair[0] for pair in found])
        cell = np.concatenate([pair[1] for pair in found])
        order = np.lexsort((cell, position))
        return position[order], cell[order]

    def served(self, element: Rows) -> tuple[Rows, Rows, Rows]:
        """Return which cells elements of the core serve: position, cell and domain, sorted."""
        found = [
            self._served_by(np.flatnonzero(self.plant.kind[element] == ELEMENT_TYPES.index(kind)),
                            element, kind)
            for kind in _SERVICE
        ]  # fmt: skip
        position, cell, domain = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((cell, position))
        return position[order], cell[order], domain[order]

    def _served_by(self, rows: Rows, element: Rows, kind: ElementType) -> tuple[Rows, Rows, Rows]:
        """Return the pairs of the elements at some rows, all of one type."""
        plant = self.plant
        domain, role, which = _SERVICE[kind]
        nr, geran = plant.rat == NR, plant.rat == GERAN
        those = {"geran": geran, "packet": ~geran, "old": ~nr, "nr": nr}[which]
        if role is not None:
            groups, wanted = plant.serving[role], element[rows]
        elif kind in _REGISTERS:
            groups, wanted = np.zeros(len(those), np.int64), np.zeros(len(rows), np.int64)
        else:
            groups, wanted = self.centre[plant.serving["mme"]], self.centre[element[rows]]
        position, cell = members(np.where(those, groups, -1), wanted)
        return rows[position], cell, np.full(len(cell), domain)


def _feeders(plant: Plant) -> npt.NDArray[np.int64]:
    """Return the feeder of each site: sites of one place in fours, in order of their rows."""
    order = np.argsort(plant.place, kind="stable")
    place = plant.place[order]
    first = np.flatnonzero(np.diff(place, prepend=-1))
    rank = np.arange(len(place)) - np.repeat(first, np.diff(first, append=len(place)))
    begins = rank % SITES_PER_FEEDER == 0
    feeder = np.empty(len(place), dtype=np.int64)
    feeder[order] = np.cumsum(begins) - 1
    return feeder


def _controllers(plant: Plant) -> npt.NDArray[np.int64]:
    """Return the BSC of each cell, -1 where there is none."""
    abis = plant.links.filter(pl.col("interface") == "Abis")
    rows = pl.DataFrame(
        {"key": plant.elements["element_id"], "row": np.arange(plant.elements.height)}
    )
    ends = abis.join(rows, left_on="a_element_id", right_on="key").join(
        rows, left_on="b_element_id", right_on="key", suffix="_b"
    )
    behind = np.full(plant.elements.height, -1, dtype=np.int64)
    behind[ends["row"].to_numpy()] = ends["row_b"].to_numpy()
    return behind[plant.station]


def _centres(plant: Plant) -> npt.NDArray[np.int64]:
    """Return the number of the data centre of each element of the core, -1 for others."""
    core = plant.elements_of(*CORE_TYPES)
    codes = plant.elements["element_id"].gather(core).str.split("-").list.get(1)
    known = {code: number for number, code in enumerate(codes.unique().sort())}
    centre = np.full(len(plant.kind), -1, dtype=np.int64)
    centre[core] = [known[code] for code in codes]
    return centre


def _pools(plant: Plant, centre: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    pool = np.ones(len(plant.kind), dtype=np.int64)
    for kind, (_, role, _) in _SERVICE.items():
        if role is not None:
            continue
        rows = plant.elements_of(kind)
        where = np.zeros(len(rows), np.int64) if kind in _REGISTERS else centre[rows]
        pool[rows] = np.bincount(where, minlength=1)[where] if len(rows) else 1
    return pool
