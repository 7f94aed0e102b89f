"""The network as a whole: its four frames, and which elements serve a cell.

Belongs here: what holds sites (`radio`), cells (`cells`) and core (`core`) together, and look-ups
that work on the frames alone, also when they were read from the lake. Does not belong here: how
any of it is drawn.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.codes import ElementType, Rat
from telco_pipeline.engine import draws
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world import cells, core, radio

_SERVING: Final[dict[str, tuple[ElementType, ElementType]]] = {
    "msc": (ElementType.MSC, ElementType.MSC),
    "mme": (ElementType.MME, ElementType.AMF),
    "sgw": (ElementType.SGW, ElementType.AMF),
    "pgw": (ElementType.PGW, ElementType.CHF),
    "p_cscf": (ElementType.P_CSCF, ElementType.P_CSCF),
    "s_cscf": (ElementType.S_CSCF, ElementType.S_CSCF),
    "mmtel": (ElementType.MMTEL_AS, ElementType.MMTEL_AS),
    "smsc": (ElementType.SMSC, ElementType.SMSC),
    "mmsc": (ElementType.MMSC, ElementType.MMSC),
}
"""Serving element types by key: for GERAN and EUTRAN cells, and for NR cells."""


@dataclass(frozen=True)
class Network:
    """The network, each frame in its contract's columns and order.

    Attributes:
        sites: Radio sites.
        cells: Radio cells.
        elements: Core, transport, service platforms and base stations.
        links: Links between elements.
    """

    sites: pl.DataFrame
    cells: pl.DataFrame
    elements: pl.DataFrame
    links: pl.DataFrame


def build_network(config: WorldConfig, places: pl.DataFrame) -> Network:
    """Return the network of a world.

    Args:
        config: The world.
        places: Frame of `places.build_places`.
    """
    plan = radio.plan_radio(config, places)
    elements, links = core.build_core(config, places, plan)
    return Network(
        sites=radio.build_sites(config, places, plan),
        cells=cells.build_cells(config, plan),
        elements=elements,
        links=links,
    )


def serving_elements(network: Network) -> dict[str, npt.NDArray[np.int32]]:
    """Return which element serves each cell, as rows of the `elements` frame.

    A cell is served from the data centre to which its base station is linked; where that has no
    element of the type, from the first that has. Within a pool a site always gets the same
    element, so that neighbouring cells of a site share it. GERAN data go through the combined
    SGSN/MME and the S-GW (TS 23.060, S4). `pgw` is what writes the charging record: the PGW, for
    NR the CHF; `sgw` is the serving node of that record: the SGW, for NR the AMF.

    Args:
        network: Frames of `build_network`, or the same read from the lake.

    Returns:
        For each of msc, mme, sgw, pgw, p_cscf, s_cscf, mmtel, smsc and mmsc one row number per
        cell, in the order of `network.cells`.
    """
    site = network.cells["site_id"].str.slice(1).cast(pl.Int64).to_numpy()
    site_key = draws.keys(draws.stream(0, "serving element"), site)
    centre = _data_centre(network)
    is_nr = (network.cells["rat_type"].cast(pl.String) == Rat.NR).to_numpy()
    pools = _pools(network.elements)
    serving = {}
    for key, (before_nr, with_nr) in _SERVING.items():
        rows = _pick(pools[before_nr], centre, site_key)
        if with_nr != before_nr:
            rows = np.where(is_nr, _pick(pools[with_nr], centre, site_key), rows)
        serving[key] = rows.astype(np.int32)
    return serving


def _data_centre(network: Network) -> npt.NDArray[np.int64]:
    """Return each cell's data centre, read from its base station's link to the core."""
    uplinks = network.links.filter(pl.col("interface").is_in(core.RAN_INTERFACES))
    uplinks = uplinks.unique("a_element_id", keep="first", maintain_order=True)
    code = pl.col("b_element_id").str.split("-").list.get(1)
    centres = network.cells.select("element_id").join(
        uplinks.select(element_id="a_element_id", code=code),
        on="element_id",
        how="left",
        maintain_order="left",
    )
    order = {centre.code: number for number, centre in enumerate(core.DATA_CENTRES)}
    return centres["code"].replace_strict(order, return_dtype=pl.Int64).to_numpy()


def _pools(elements: pl.DataFrame) -> dict[str, list[npt.NDArray[np.int64]]]:
    """Return the rows of each core type by data centre; where one has none, the first's."""
    rows = elements.select("element_id", pl.col("element_type").cast(pl.String)).with_row_index()
    wanted = sorted({str(kind) for pair in _SERVING.values() for kind in pair})
    pools: dict[str, list[npt.NDArray[np.int64]]] = {}
    for kind in wanted:
        of_kind = rows.filter(pl.col("element_type") == kind)
        by_centre = [
            of_kind.filter(pl.col("element_id").str.contains(f"-{centre.code}-"))["index"]
            .to_numpy()
            .astype(np.int64)
            for centre in core.DATA_CENTRES
        ]
        fallback = next(pool for pool in by_centre if pool.size)
        pools[kind] = [pool if pool.size else fallback for pool in by_centre]
    return pools


def _pick(
    pools: list[npt.NDArray[np.int64]], centre: npt.NDArray[np.int64], site_key: draws.Bits
) -> npt.NDArray[np.int64]:
    """Choose an element of the centre's pool for each cell, by its site."""
    sizes = np.array([len(pool) for pool in pools])
    starts = np.cumsum(sizes) - sizes
    return np.concatenate(pools)[starts[centre] + draws.below(site_key, sizes[centre])]
