"""Plant: the network in compact arrays, and what takes over for what.

Belongs here: which elements a cell hangs on, and which cells serve when one is out of service.
Does not belong here: how the network is made (`world`), what happens to it (`faults`, `network`).
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import EUTRAN, GERAN, NR, Cells
from telco_pipeline.contracts.codes import CellClass, ElementType
from telco_pipeline.engine.keys import rows_of
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.network import Network
from telco_pipeline.world.places import plane

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ELEMENT_TYPES: Final = tuple(ElementType)
TAKERS: Final = 6
"""Cells that may take over for a cell: the row is -1 where there are fewer."""
_NEAR: Final = 16  # nearest sites among which takers are looked for
_DISTANCE_BLOCK: Final = 512
_HEARD: Final = 2  # times its range that a macro cell is heard, and in any case so many metres;
_LEAST_HEARD: Final = 5_000
_HEARD_LOW: Final = 3  # below 1 GHz farther (practice: a mast overshoots its neighbours)
_LEAST_HEARD_LOW: Final = 8_000
_LOW_BAND_MHZ: Final = 1_000
_ON_SITE: Final = 2  # takers on the cell's own site
# Which generations take over for which on the same site, best first, and which from elsewhere.
_FALLBACK: Final = {NR: (NR, EUTRAN), EUTRAN: (EUTRAN, NR), GERAN: (GERAN,)}
_ELSEWHERE: Final = {NR: EUTRAN}


@dataclass(frozen=True, eq=False)
class Plant:
    """The network by rows of `cells`, `sites` and `network_elements`.

    A plant equals itself alone, so that what follows from it can be remembered by it.

    Attributes:
        config: The world.
        cells, sites, elements, links: Frames of the world.
        rat: Radio access type of each cell (position in `RATS`).
        site: Site of each cell.
        station: Base station (row of the element) of each cell.
        router: Site router of each site (row of the element).
        aggregation: Aggregation router behind each site (row of the element).
        place: Number of the place of each site, from 0: sites of one place share a power feed.
        kind: Type of each element (position in `ELEMENT_TYPES`).
        element_site: Site of each element, -1 for core and aggregation.
        vendor: Number of each element's vendor in `vendors`.
        vendors: Names of the vendors.
        age_days: Age of each element on the epoch in days (of base stations that of the radio
            hardware).
        capacity: Nominal downlink capacity of each cell in kbit/s.
        prb_total: Resource blocks of each cell.
        takers: Cells that take over for each cell, nearest first, shape (cells, `TAKERS`).
        serving: Row of the serving element of each cell by role (`Cells.serving`).
    """

    config: WorldConfig
    cells: pl.DataFrame
    sites: pl.DataFrame
    elements: pl.DataFrame
    links: pl.DataFrame
    rat: npt.NDArray[np.int8]
    site: npt.NDArray[np.int32]
    station: npt.NDArray[np.int32]
    router: npt.NDArray[np.int32]
    aggregation: npt.NDArray[np.int32]
    place: npt.NDArray[np.int32]
    kind: npt.NDArray[np.int8]
    element_site: npt.NDArray[np.int32]
    vendor: npt.NDArray[np.int8]
    vendors: tuple[str, ...]
    age_days: npt.NDArray[np.int64]
    capacity: Floats
    prb_total: npt.NDArray[np.int64]
    takers: npt.NDArray[np.int32]
    serving: dict[str, npt.NDArray[np.int32]]

    @classmethod
    def of(cls, config: WorldConfig, network: Network, cells: Cells) -> Self:
        """Index a network."""
        frame, sites, elements = network.cells, network.sites, network.elements
        site = _short(rows_of(frame["site_id"], sites["site_id"]))
        router = _short(rows_of(sites["router_id"], elements["element_id"]))
        kind = elements["element_type"].cast(pl.String)
        codes = {str(name): code for code, name in enumerate(ELEMENT_TYPES)}
        vendors = tuple(elements["vendor"].unique().sort())
        element_site = _short(rows_of(elements["site_id"], sites["site_id"]))
        station = _short(rows_of(frame["element_id"], elements["element_id"]))
        epoch = pl.lit(config.epoch)
        age = elements.select((epoch - pl.col("installed")).dt.total_days())
        age_days = np.maximum(age.to_series().to_numpy(), 0).astype(np.int64)
        np.maximum.at(age_days, station, frame["hardware_age_days"].to_numpy().astype(np.int64))
        return cls(
            config=config,
            cells=frame,
            sites=sites,
            elements=elements,
            links=network.links,
            rat=cells.rat,
            site=site,
            station=station,
            router=router,
            aggregation=_aggregation(network, router),
            place=_numbers(sites["place_id"]),
            kind=kind.replace_strict(codes, return_dtype=pl.Int8).to_numpy(),
            element_site=element_site,
            vendor=rows_of(elements["vendor"], pl.Series("vendors", vendors)).astype(np.int8),
            vendors=vendors,
            age_days=age_days,
            capacity=frame["capacity"].to_numpy().astype(np.float64),
            prb_total=frame["prb_total"].to_numpy().astype(np.int64),
            takers=_takers(frame, site, cells.rat, sites),
            serving=cells.serving,
        )

    def elements_of(self, *kinds: ElementType) -> Rows:
        """Return the rows of the elements of some types."""
        return np.flatnonzero(np.isin(self.kind, [ELEMENT_TYPES.index(kind) for kind in kinds]))


def _short(rows: Rows) -> npt.NDArray[np.int32]:
    """Return row numbers in half the space: no network has two thousand million rows."""
    return rows.astype(np.int32)


def _numbers(values: pl.Series) -> npt.NDArray[np.int32]:
    """Return a dense number of each value, in the order of the values."""
    return _short(rows_of(values, values.unique().sort()))


def _aggregation(network: Network, router: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the aggregation router behind each site's router."""
    backhaul = network.links.filter(pl.col("interface") == "backhaul")
    keys = network.elements["element_id"]
    behind = np.full(len(keys), -1, dtype=np.int32)
    near = rows_of(backhaul["a_element_id"], keys)
    behind[near] = rows_of(backhaul["b_element_id"], keys)
    return behind[router]


def _takers(
    frame: pl.DataFrame,
    site: npt.NDArray[np.int32],
    rat: npt.NDArray[np.int8],
    sites: pl.DataFrame,
) -> npt.NDArray[np.int32]:
    """Return which cells take over for each: other carriers of its site, then near sites' cells.

    Two of the takers lie on the same site and sector if there are so many, so that a lost carrier
    goes over to the others; the rest, for when the whole site is lost, are the cells of near macro
    sites that reach farthest, as far as they are heard there.
    """
    beside, metres = _near_sites(sites)
    heard = _heard(frame)
    sector, reach = frame["sector"].to_numpy(), frame["range_m"].to_numpy()
    by_site: dict[tuple[int, int], list[int]] = {}
    for cell in np.lexsort((np.arange(len(site)), -reach, site)).tolist():
        by_site.setdefault((int(site[cell]), int(rat[cell])), []).append(cell)
    macro = (frame["cell_class"].cast(pl.String) == CellClass.MACRO).to_numpy()
    widest = {
        place: [cell for cell in cells if macro[cell] and reach[cell] == reach[cells[0]]]
        for place, cells in by_site.items()
    }
    takers = np.full((len(site), TAKERS), -1, dtype=np.int32)
    for cell in range(len(site)):
        here, kind = int(site[cell]), int(rat[cell])
        own = [
            other
            for generation in _FALLBACK.get(kind, (kind,))
            for other in by_site.get((here, generation), ())
            if other != cell and sector[other] == sector[cell]
        ]
        found = own[:_ON_SITE]
        for place, apart in zip(beside[here].tolist(), metres[here].tolist(), strict=True):
            # Not always the first of a site: neighbours share what a site loses.
            there = widest.get((place, _ELSEWHERE.get(kind, kind)), [])
            chosen = there[cell % len(there)] if there else -1
            # A phone at the far end of the lost cell must hear it too.
            if chosen >= 0 and apart + reach[cell] <= heard[chosen]:
                found.append(chosen)
        takers[cell, : min(len(found), TAKERS)] = found[:TAKERS]
    return takers


def _heard(cells: pl.DataFrame) -> Rows:
    """Return how far macro cells are heard, in metres: twice their range, low bands farther."""
    low = cells["frequency"].to_numpy() < _LOW_BAND_MHZ
    times = np.where(low, _HEARD_LOW, _HEARD)
    least = np.where(low, _LEAST_HEARD_LOW, _LEAST_HEARD)
    return np.maximum(cells["range_m"].to_numpy().astype(np.int64) * times, least)


def _near_sites(sites: pl.DataFrame) -> tuple[Rows, Floats]:
    """Return the nearest other sites of each site and how far they are, in metres.

    Returns:
        Both of shape (sites, `_NEAR` or fewer).
    """
    east, north = plane(sites["latitude"].to_numpy(), sites["longitude"].to_numpy())
    # Whole metres: the order of distances is the same on any processor.
    east, north = np.rint(east * 1000).astype(np.int64), np.rint(north * 1000).astype(np.int64)
    count = min(_NEAR, len(sites) - 1)
    found, apart = [], []
    for first in range(0, len(sites), _DISTANCE_BLOCK):
        rows = slice(first, first + _DISTANCE_BLOCK)
        across, up = east[rows, None] - east[None, :], north[rows, None] - north[None, :]
        distance = across * across + up * up
        nearest = np.argsort(distance, axis=1, kind="stable")[:, 1 : count + 1]
        found.append(nearest)
        apart.append(np.sqrt(np.take_along_axis(distance, nearest, axis=1)))
    return np.concatenate(found), np.concatenate(apart)
