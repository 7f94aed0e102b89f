"""Radio cells: one sector of one carrier at a site.

Belongs here: bands, identities, antennas, capacity and range of cells. Does not belong here:
where sites stand (`radio`), load and faults, which vary by day.

Numbers without another source are engineering practice in Belgium: GSM 900 beside LTE 800, 1800
and 2600 and 5G 3500 (n78), with 700 (n28) in the country. UTRAN is switched off since 2025.
NB-IoT and LTE-M run inside the LTE carriers and have no cells of their own.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.contracts.codes import CellClass, Rat
from telco_pipeline.contracts.world import CELLS
from telco_pipeline.engine import draws
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.places import Floats, degrees
from telco_pipeline.world.radio import (
    GENERATIONS,
    NODE_PREFIX,
    Flags,
    Integers,
    Radio,
    Texts,
    site_count,
)

REAL_SITES_PER_SIM: Final = 4000 / 10_000_000  # of a Belgian operator of 10 M SIMs

_FIRST_ENB: Final = 100_000  # eNB ids have 20 bits
_FIRST_GNB: Final = 2_000_000  # gNB ids have 22 bits here, so 14 are left to the cell
AREAS: Final = 1_000
"""Area codes of one area are equal modulo this number, whatever the generation."""
_FIRST_LAC: Final = 1_000
_FIRST_TAC: Final = 20_000
_FIRST_TAC_5G: Final = 2_000_000
_SITES_PER_CI_CYCLE: Final = 6_500  # a CI has 16 bits: site number times 10, plus sector


@dataclass(frozen=True)
class Layer:
    """One carrier of a generation, as a site may have it.

    Attributes:
        generation: Key in the world's `network.generations`.
        band: Operating band.
        frequency: Middle of the downlink in MHz.
        bandwidth: MHz.
        prb: Resource blocks of that bandwidth (TS 36.101, TS 38.101 table 5.3.2-1).
        first_cell: Cell number of sector 0 within the base station.
        reach: Radius relative to the site's area: higher bands fall short of it.
        downlink: Share of the time that is downlink (1 for FDD).
    """

    generation: str
    band: str
    frequency: int
    bandwidth: float
    prb: int
    first_cell: int
    reach: float
    downlink: float = 1.0


_GSM_900: Final = Layer("gsm", "GSM 900", 947, 0.2, 8, 1, 1.0)  # of one transceiver
_LTE_800: Final = Layer("lte", "B20", 806, 10.0, 50, 1, 1.0)
_LTE_1800: Final = Layer("lte", "B3", 1845, 20.0, 100, 11, 0.8)
_LTE_2600: Final = Layer("lte", "B7", 2650, 20.0, 100, 21, 0.65)
# TDD frame DDDSU: 74 % downlink, as the three Belgian networks are synchronised.
_NR_3500: Final = Layer("nr", "n78", 3650, 100.0, 273, 1, 0.6, 0.74)
_NR_3500_SMALL: Final = Layer("nr", "n78", 3650, 40.0, 106, 1, 0.6, 0.74)
_NR_700: Final = Layer("nr", "n28", 773, 10.0, 52, 11, 1.0)

# Average downlink of a loaded sector in bit/s/Hz: EDGE; LTE 2x2 and 4x4; NR with 64 and 32
# antenna elements, with 4 in small cells and in 700 MHz (ITU-R M.2410 asks 7.8 for dense urban
# eMBB at best; loaded networks measure about half).
_EFFICIENCY: Final = {
    ("GSM 900", "dense"): 0.5, ("GSM 900", "suburban"): 0.5, ("GSM 900", "sparse"): 0.5,
    ("B20", "dense"): 1.7, ("B20", "suburban"): 1.7, ("B20", "sparse"): 1.7,
    ("B3", "dense"): 2.0, ("B3", "suburban"): 1.9, ("B3", "sparse"): 1.8,
    ("B7", "dense"): 2.0, ("B7", "suburban"): 1.9, ("B7", "sparse"): 1.8,
    ("n78", "dense"): 3.5, ("n78", "suburban"): 3.0, ("n78", "sparse"): 2.6,
    ("n28", "dense"): 1.9, ("n28", "suburban"): 1.9, ("n28", "sparse"): 1.9,
}  # fmt: skip
_SMALL_CELL_EFFICIENCY: Final = {"B3": 2.0, "B7": 2.2, "n78": 2.4, "GSM 900": 0.5}
_TRANSCEIVERS: Final = {"dense": 4, "suburban": 3, "sparse": 2}

_BEYOND_KM: Final = 1.2  # how far coverage goes on behind the last houses

_RAT: Final = {"gsm": Rat.GERAN, "lte": Rat.EUTRAN, "nr": Rat.NR}


def capacity_scale(config: WorldConfig) -> float:
    """Return the part of a real cell's capacity that a cell of the sample has.

    The sample has `subscribers` of the real operator's `sample_of` SIMs, and its sites stand for
    the 4,000 sites that a Belgian operator has per 10 M SIMs: each sample cell bundles
    (real sites / sample sites) real ones. So the sample's busy hour loads its network as the
    operator's loads the real one, however many sites the sample has.
    """
    sims = config.subscribers / config.sample_of
    bundled = REAL_SITES_PER_SIM * config.sample_of / site_count(config)
    return sims * bundled


def build_cells(config: WorldConfig, radio: Radio) -> pl.DataFrame:
    """Return the cells in the columns of the `cells` contract, sorted by `cell_id`.

    The range of a cell follows the distance to the neighbouring sites, so that the cells of a
    small sample, whose sites are far apart, still cover the country. Capacity is bandwidth times
    spectral efficiency times `capacity_scale`, at least 1 kbit/s.
    """
    scale = capacity_scale(config)
    key = draws.keys(draws.stream(config.seed, "layers"), radio.number)
    blocks = [
        _cells_of(config, radio, layer, np.flatnonzero(has), scale)
        for layer, has in _layers(radio, key)
        if has.any()
    ]
    cells = pl.concat(blocks)
    return cells.select(CELLS.columns).cast(CELLS.polars_schema).sort("cell_id")


def _layers(radio: Radio, key: draws.Bits) -> list[tuple[Layer, Flags]]:
    """Return every layer with the sites that have it."""
    gsm, lte, nr = (radio.carries[name] for name in GENERATIONS)
    macro = radio.cell_class == CellClass.MACRO
    pico = radio.cell_class == CellClass.PICO
    dense, suburban = radio.density == "dense", radio.density == "suburban"
    sparse = radio.density == "sparse"
    draw = draws.uniform(key)
    return [
        (_GSM_900, gsm),
        (_LTE_800, lte & macro),
        (_LTE_1800, lte & ~pico & (~sparse | (draw < 0.7))),
        (_LTE_2600, lte & (dense | ~macro | (suburban & (draw < 0.5)))),
        (_NR_3500, nr & macro & ~sparse),
        (_NR_3500_SMALL, nr & ~macro),
        (_NR_700, nr & macro & sparse),
    ]


def _cells_of(
    config: WorldConfig, radio: Radio, layer: Layer, sites: Integers, scale: float
) -> pl.DataFrame:
    """Return the cells of one layer at some sites."""
    plmn = config.own_operator.plmn
    row = np.repeat(sites, radio.sectors[sites])
    first = np.cumsum(radio.sectors[sites]) - radio.sectors[sites]
    sector = np.arange(len(row)) - np.repeat(first, radio.sectors[sites])
    density = radio.density[row]
    node, cell, identity, tac = _identity(layer, radio.number[row], radio.area[row], sector)
    # A GERAN cell is named by area and CI, the others by base station and cell number.
    head, tail = (tac, identity) if layer.generation == "gsm" else (node, cell)
    latitude, longitude = degrees(radio.east[row], radio.north[row])
    transceivers = _transceivers(density) if layer.generation == "gsm" else np.ones(len(row))
    bandwidth = np.round(layer.bandwidth * transceivers, 1)
    frame = pl.DataFrame(
        {
            "head": head,
            "tail": tail,
            "site_id": radio.ids("S")[row],
            "element_id": radio.ids(f"{NODE_PREFIX[layer.generation]}-")[row],
            "node_id": node,
            "cell_number": cell,
            "eci": identity,
            "tac": tac,
            "sector": sector,
            "azimuth": _azimuth(config.seed, radio, row, sector),
            "latitude": latitude,
            "longitude": longitude,
            "altitude": _antenna_heights(config, radio)[row],
            "cell_class": radio.cell_class[row],
            "bandwidth": bandwidth,
            "prb_total": (layer.prb * transceivers).astype(np.int64),
            "capacity": _capacity(layer, bandwidth, density, radio.cell_class[row], scale),
            "range_m": _range(layer, radio)[row],
            "vendor": radio.vendor[row],
            "hardware_age_days": radio.node_age_days[layer.generation][row],
        }
    )
    return frame.with_columns(
        cell_id=pl.format(f"{plmn[:3]}-{plmn[3:]}-{{}}-{{}}", "head", "tail"),
        rat_type=pl.lit(str(_RAT[layer.generation])),
        band=pl.lit(layer.band),
        frequency=pl.lit(layer.frequency),
    ).drop("head", "tail")


def _identity(
    layer: Layer, number: Integers, area: Integers, sector: Integers
) -> tuple[Integers, Integers, Integers, Integers]:
    """Return node number, cell number, cell identity and area code (TS 23.003)."""
    cell = layer.first_cell + sector
    if layer.generation == "gsm":
        ci = number % _SITES_PER_CI_CYCLE * 10 + cell
        return number, cell, ci, _FIRST_LAC + area
    if layer.generation == "lte":
        node = _FIRST_ENB + number
        return node, cell, (node << 8) | cell, _FIRST_TAC + area
    node = _FIRST_GNB + number
    return node, cell, (node << 14) | cell, _FIRST_TAC_5G + area


def _transceivers(density: Texts) -> Floats:
    return np.array([_TRANSCEIVERS[name] for name in density], np.float64)


def _azimuth(seed: int, radio: Radio, row: Integers, sector: Integers) -> Integers:
    """Turn each site its own way; sectors share the circle (a single one looks one way)."""
    key = draws.keys(draws.stream(seed, "azimuth"), radio.number)
    start = draws.below(key, 12) * 10
    return (start[row] + 360 // radio.sectors[row] * sector) % 360


def _antenna_heights(config: WorldConfig, radio: Radio) -> Integers:
    """Draw heights above ground: roofs in towns, masts in the country, lamp posts, ceilings.

    Where the world bounds them, each kind's range is cut to what is allowed; a kind that lies
    outside it is mounted as near to its usual height as it may.
    """
    draw = draws.uniform(draws.keys(draws.stream(config.seed, "antenna height"), radio.number))
    small = [radio.cell_class == CellClass.MICRO, radio.cell_class == CellClass.PICO]
    low = np.select(small, [5, 3], np.where(radio.density == "sparse", 30, 24))
    spread = np.select(small, [6, 3], np.where(radio.density == "sparse", 22, 16))
    bound = None if config.bounds is None else config.bounds.antenna_height_m
    if bound is not None:
        high = np.clip(low + spread - 1, *bound)
        low = np.clip(low, *bound)
        spread = high - low + 1
    return low + (spread * draw).astype(np.int64)


def _capacity(
    layer: Layer, bandwidth: Floats, density: Texts, cell_class: Texts, scale: float
) -> Integers:
    """Return the downlink capacity of each cell's share of the sample in kbit/s."""
    macro = np.array([_EFFICIENCY[layer.band, name] for name in density])
    small = _SMALL_CELL_EFFICIENCY.get(layer.band, 0.0)
    efficiency = np.where(cell_class == CellClass.MACRO, macro, small)
    mbit = bandwidth * efficiency * layer.downlink
    return np.maximum(np.round(mbit * 1000 * scale), 1).astype(np.int64)


def _range(layer: Layer, radio: Radio) -> Integers:
    """Return the radius of the layer's cells at each site in metres.

    Two thirds of the distance between sites (hexagons with three sectors), shorter for higher
    bands, within 0.25 and 30 km; small cells reach as far as the street or the hall.
    """
    macro = radio.spacing_km * 1000 * 2 / 3 * layer.reach
    if layer in (_GSM_900, _LTE_800):
        # The coverage layers leave no hole: heard at twice their range, they reach all the land
        # that has no nearer site.
        farthest = radio.farthest_km[layer.generation]
        macro = np.maximum(macro, np.where(farthest > 0, farthest + _BEYOND_KM, 0.0) * 500)
    macro = np.clip(macro, 250, 30_000)
    micro = np.minimum(macro, 400 * layer.reach)
    pico = np.minimum(macro, 80)
    return np.select(
        [radio.cell_class == CellClass.PICO, radio.cell_class == CellClass.MICRO],
        [pico, micro],
        macro,
    ).astype(np.int64)
