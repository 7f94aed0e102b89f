"""Core, transport and service elements, and the links between everything.

Belongs here: data centres, pools of core elements, routers, reference points. Does not belong
here: sites and cells (`radio`), logs and alarms of the elements (`generators`).

Three data centres share the traffic by distance. Each has every type, except the registers
(HSS, UDM) and the message centres (SMSC, MMSC), which stand in two. UTRAN is off in Belgium since
2025 and has no cells; one RNC per data centre still stands for leased indoor systems that move to
LTE, so that operations have an element at the end of its life. MME and SGSN are one element.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.contracts.world import NETWORK_ELEMENTS, NETWORK_LINKS
from telco_pipeline.engine import draws
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.places import plane
from telco_pipeline.world.radio import (
    GENERATIONS,
    NODE_PREFIX,
    Integers,
    Radio,
    Texts,
    dates_before,
)

RAN_INTERFACES: Final = ("Abis", "S1-MME", "N2")
"""Reference points on which a base station hangs on the core."""


@dataclass(frozen=True)
class DataCentre:
    """A place where core elements stand."""

    code: str
    latitude: float
    longitude: float


DATA_CENTRES: Final = (
    DataCentre("BRU", 50.85, 4.35),
    DataCentre("ANT", 51.22, 4.40),
    DataCentre("LIE", 50.63, 5.57),
)


@dataclass(frozen=True)
class Pool:
    """How many elements of a type a data centre has, and what they are.

    Attributes:
        kind: Type.
        prefix: How their keys begin.
        size: Number per data centre, for up to 1 M SIMs.
        centres: Number of data centres that have them, in order.
        grows: Whether there is one more for each tenfold above that.
        vendor: Rank of the vendor in world.yaml (0: the first), or a name.
    """

    kind: ElementType
    prefix: str
    size: int
    centres: int
    grows: bool
    vendor: int | str


_ROUTING_VENDOR: Final = "Cordell Networks"
_POOLS: Final = (
    Pool(ElementType.AMF, "AMF", 2, 3, True, 0),
    Pool(ElementType.SMF, "SMF", 2, 3, True, 0),
    Pool(ElementType.UPF, "UPF", 2, 3, True, 0),
    Pool(ElementType.MME, "MME", 2, 3, True, 0),
    Pool(ElementType.SGW, "SGW", 2, 3, True, 0),
    Pool(ElementType.PGW, "PGW", 2, 3, True, 0),
    Pool(ElementType.HSS, "HSS", 1, 2, False, -1),
    Pool(ElementType.UDM, "UDM", 1, 2, False, -1),
    Pool(ElementType.CHF, "CHF", 2, 3, False, "Tariq Systems"),
    Pool(ElementType.RNC, "RNC", 1, 3, False, -1),
    Pool(ElementType.MSC, "MSC", 1, 3, True, -1),
    Pool(ElementType.P_CSCF, "PCSCF", 2, 3, True, -1),
    Pool(ElementType.S_CSCF, "SCSCF", 2, 3, True, -1),
    Pool(ElementType.MMTEL_AS, "MMTEL", 2, 3, False, -1),
    Pool(ElementType.SMSC, "SMSC", 1, 2, False, "Quill Messaging"),
    Pool(ElementType.MMSC, "MMSC", 1, 2, False, "Quill Messaging"),
    Pool(ElementType.ROUTER, "CR", 2, 3, False, _ROUTING_VENDOR),
    Pool(ElementType.SWITCH, "SW", 2, 3, False, _ROUTING_VENDOR),
)
_BTS_PER_BSC: Final = 250

# Reference points between core types: A end, B end, name, capacity in Mbit/s, and whether each A
# is linked to every B of the network (registers) or only to those of its own data centre.
_REFERENCE_POINTS: Final = (
    ("BSC", "MSC", "A", 1_000, False),
    ("BSC", "MME", "Gb", 1_000, False),  # the MME is the SGSN as well
    ("RNC", "MSC", "Iu-CS", 1_000, False),
    ("MSC", "HSS", "D", 1_000, True),
    ("MSC", "SMSC", "E", 1_000, True),
    ("MME", "SMSC", "SGd", 1_000, True),
    ("MME", "MSC", "SGs", 1_000, False),
    ("MME", "HSS", "S6a", 1_000, True),
    ("MME", "SGW", "S11", 10_000, False),
    ("AMF", "MME", "N26", 1_000, False),
    ("SGW", "PGW", "S5/S8", 100_000, False),
    ("PGW", "CHF", "Gy", 1_000, False),
    ("PGW", "PCSCF", "SGi", 10_000, False),
    ("AMF", "SMF", "N11", 10_000, False),
    ("AMF", "UDM", "N8", 1_000, True),
    ("SMF", "UDM", "N10", 1_000, True),
    ("SMF", "UPF", "N4", 1_000, False),
    ("SMF", "CHF", "N40", 1_000, False),
    ("UPF", "PCSCF", "N6", 10_000, False),
    ("PCSCF", "SCSCF", "Mw", 10_000, False),
    ("SCSCF", "HSS", "Cx", 1_000, True),
    ("SCSCF", "MMTEL", "ISC", 10_000, False),
    ("MMTEL", "HSS", "Sh", 1_000, True),
    ("PGW", "MMSC", "SGi", 10_000, True),
)

# Links of base stations to the core: generation, B end, name, capacity in Mbit/s.
_RAN_LINKS: Final = (
    ("lte", "MME", "S1-MME", 100),
    ("lte", "SGW", "S1-U", 1_000),
    ("nr", "AMF", "N2", 100),
    ("nr", "UPF", "N3", 10_000),
)
_BASE_STATION: Final = {"gsm": ElementType.BTS, "lte": ElementType.ENB, "nr": ElementType.GNB}

# Second octet of the management addresses of what stands at sites, room for 65,000 of each.
_SITE_OCTET: Final = {"site router": 64, "gsm": 112, "lte": 160, "nr": 208}
_PER_OCTET: Final = 254 * 256

_CORE_5G: Final = frozenset(
    {ElementType.AMF, ElementType.SMF, ElementType.UPF, ElementType.UDM, ElementType.CHF}
)
_LEGACY: Final = frozenset({ElementType.RNC, ElementType.BSC})

_RELEASES: Final = ("25.1", "25.3")
"""Software releases in use: most have the newer, by tracking area as roll-outs go."""


@dataclass(frozen=True)
class _Station:
    """A core or transport element before it becomes a row."""

    element_id: str
    kind: ElementType
    prefix: str
    centre: int
    vendor: str
    place_id: str


def build_core(
    config: WorldConfig, places: pl.DataFrame, radio: Radio
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return all elements and all links in their contracts' columns and order.

    Args:
        config: The world.
        places: Frame of `places.build_places`.
        radio: The radio network, whose sites the elements serve.
    """
    site_centre = _nearest_centre(radio)
    stations = _core_stations(config, places, radio, site_centre)
    routers = _aggregation_routers(places, radio, site_centre)
    elements = [_core_frame(config, stations + routers), *_site_frames(config, places, radio)]
    links = [
        *_access_links(radio, [router.element_id for router in routers]),
        *_ran_links(radio, stations, site_centre),
        *_peer_links(radio),
        _core_links(stations, routers),
    ]
    return (
        pl.concat(elements)
        .select(NETWORK_ELEMENTS.columns)
        .cast(NETWORK_ELEMENTS.polars_schema)
        .sort("element_id"),
        pl.concat(links)
        .with_columns(link_id=pl.format("{}:{}:{}", "interface", "a_element_id", "b_element_id"))
        .select(NETWORK_LINKS.columns)
        .cast(NETWORK_LINKS.polars_schema)
        .sort("link_id"),
    )


def operator_slug(config: WorldConfig) -> str:
    """Return the first word of our operator's name as it stands in host names and APNs."""
    word = config.own_operator.name.split()[0].lower()
    return "".join(letter for letter in word if letter.isascii() and letter.isalnum()) or "operator"


def _nearest_centre(radio: Radio) -> Integers:
    """Return the data centre of each site: the nearest to the middle of its tracking area."""
    size = np.bincount(radio.area)
    east = (np.bincount(radio.area, weights=radio.east) / size)[radio.area]
    north = (np.bincount(radio.area, weights=radio.north) / size)[radio.area]
    centre_east, centre_north = plane(
        np.array([centre.latitude for centre in DATA_CENTRES]),
        np.array([centre.longitude for centre in DATA_CENTRES]),
    )
    square = (east[:, None] - centre_east) ** 2 + (north[:, None] - centre_north) ** 2
    return square.argmin(axis=1)


def _core_stations(
    config: WorldConfig, places: pl.DataFrame, radio: Radio, site_centre: Integers
) -> list[_Station]:
    """Return the elements of the data centres."""
    vendors = list(config.network.vendors)
    growth = max(0, math.ceil(math.log10(config.subscribers)) - 6)
    centre_places = [_place_at(places, centre) for centre in DATA_CENTRES]
    stations = []
    for pool in _POOLS:
        vendor = pool.vendor if isinstance(pool.vendor, str) else vendors[pool.vendor]
        size = pool.size + (growth if pool.grows else 0)
        for centre in range(pool.centres):
            stations += _pool(pool.kind, pool.prefix, size, centre, vendor, centre_places[centre])
    for centre, place_id in enumerate(centre_places):
        stations_here = np.count_nonzero(radio.carries["gsm"] & (site_centre == centre))
        size = max(1, math.ceil(stations_here / _BTS_PER_BSC))
        stations += _pool(ElementType.BSC, "BSC", size, centre, vendors[0], place_id)
    return stations


def _pool(
    kind: ElementType, prefix: str, size: int, centre: int, vendor: str, place_id: str
) -> list[_Station]:
    code = DATA_CENTRES[centre].code
    return [
        _Station(f"{prefix}-{code}-{number}", kind, prefix, centre, vendor, place_id)
        for number in range(1, size + 1)
    ]


def _place_at(places: pl.DataFrame, centre: DataCentre) -> str:
    """Return the largest place within some 6 km of a data centre, else the nearest."""
    north, east = pl.col("latitude") - centre.latitude, pl.col("longitude") - centre.longitude
    ranked = places.with_columns(off=north**2 + east**2).sort("off")
    near = ranked.filter(pl.col("off") < 0.003).sort("population", descending=True)
    return (near if len(near) else ranked)["place_id"][0]


def _aggregation_routers(
    places: pl.DataFrame, radio: Radio, site_centre: Integers
) -> list[_Station]:
    """Return one aggregation router per tracking area, in the largest place that it serves."""
    population = places["population"].to_numpy()[radio.place]
    place_ids = places["place_id"].to_list()
    order = np.lexsort((radio.number, -population, radio.area))
    largest = order[np.flatnonzero(np.diff(radio.area[order], prepend=-1))]
    count = [0] * len(DATA_CENTRES)
    routers = []
    for site in largest.tolist():
        centre = int(site_centre[site])
        count[centre] += 1
        key = f"AR-{DATA_CENTRES[centre].code}-{count[centre]}"
        place_id = place_ids[radio.place[site]]
        routers.append(_Station(key, ElementType.ROUTER, "AR", centre, _ROUTING_VENDOR, place_id))
    return routers


def _core_frame(config: WorldConfig, stations: list[_Station]) -> pl.DataFrame:
    """Return core and aggregation elements as rows."""
    slug = operator_slug(config)
    number = np.arange(len(stations))
    key = draws.keys(draws.stream(config.seed, "core element"), number)
    kinds = [station.kind for station in stations]
    # The 5G core came with the first 5G sites; what is left of GSM and UMTS is old.
    age = 200 + draws.below(
        draws.bits(key, "age"), np.array([1700 if kind in _CORE_5G else 3000 for kind in kinds])
    )
    age += np.array([3000 if kind in _LEGACY else 0 for kind in kinds])
    newer = draws.chance(draws.bits(key, "release"), 0.7)
    return pl.DataFrame(
        {
            "element_id": [station.element_id for station in stations],
            "element_type": [str(kind) for kind in kinds],
            "name": [_host_name(station.element_id, slug) for station in stations],
            "vendor": [station.vendor for station in stations],
            "site_id": pl.Series([None] * len(stations), dtype=pl.String),
            "place_id": [station.place_id for station in stations],
            "address": [f"10.0.{n // 254}.{n % 254 + 1}" for n in number.tolist()],
            "software": [
                f"{station.prefix} {_RELEASES[int(new)]}"
                for station, new in zip(stations, newer, strict=True)
            ],
            "installed": dates_before(config.epoch, age),
        }
    )


def _host_name(element_id: str, slug: str) -> str:
    """Return the host name of a core element: ``MME-BRU-1`` is ``mme1.bru.core...``."""
    prefix, centre, number = element_id.lower().split("-")
    return f"{prefix}{number}.{centre}.core.{slug}.example"


def _site_frames(config: WorldConfig, places: pl.DataFrame, radio: Radio) -> list[pl.DataFrame]:
    """Return site routers and base stations as rows."""
    everywhere = np.ones(len(radio), np.bool_)
    routing = np.full(len(radio), _ROUTING_VENDOR)
    # Site routers are replaced with the radio hardware for which their ports were too slow.
    frames = [
        _at_sites(
            config, places, radio, everywhere, "site router", ElementType.SITE_ROUTER, "SR",
            routing, radio.node_age_days["lte"],
        )
    ]  # fmt: skip
    frames += [
        _at_sites(
            config, places, radio, radio.carries[name], name, _BASE_STATION[name],
            NODE_PREFIX[name], radio.vendor, radio.node_age_days[name],
        )
        for name in GENERATIONS
    ]  # fmt: skip
    return frames


def _at_sites(
    config: WorldConfig,
    places: pl.DataFrame,
    radio: Radio,
    has: np.ndarray,
    role: str,
    kind: ElementType,
    prefix: str,
    vendor: Texts,
    age: Integers,
) -> pl.DataFrame:
    """Return the elements of one role at the sites that have it."""
    rows = np.flatnonzero(has)
    slug = operator_slug(config)
    element_id = radio.ids(f"{prefix}-")[rows].tolist()
    area_key = draws.keys(draws.stream(config.seed, f"release {role}"), radio.area[rows])
    newer = draws.chance(area_key, 0.7)
    return pl.DataFrame(
        {
            "element_id": element_id,
            "element_type": [str(kind)] * len(rows),
            "name": [f"{key.replace('-', '').lower()}.ran.{slug}.example" for key in element_id],
            "vendor": vendor[rows],
            "site_id": radio.ids("S")[rows],
            "place_id": places["place_id"].gather(radio.place[rows]),
            "address": _site_addresses(role, rows),
            "software": [f"{kind.value} {_RELEASES[int(new)]}" for new in newer],
            "installed": dates_before(config.epoch, age[rows]),
        },
        schema_overrides={"vendor": pl.String, "site_id": pl.String},
    )


def _site_addresses(role: str, rows: Integers) -> list[str]:
    """Return one management address per site: the role's octet, then the site's row."""
    octet = _SITE_OCTET[role]
    return [
        f"10.{octet + row // _PER_OCTET}.{row // 254 % 256}.{row % 254 + 1}"
        for row in rows.tolist()
    ]


def _links(
    a: list[str] | Texts, b: list[str] | Texts, interface: str, capacity: int | Integers
) -> pl.DataFrame:
    """Return links of one kind as rows."""
    capacities = np.broadcast_to(np.asarray(capacity, np.int64), (len(a),))
    return pl.DataFrame(
        {
            "a_element_id": pl.Series(a, dtype=pl.String),
            "b_element_id": pl.Series(b, dtype=pl.String),
            "interface": pl.Series([interface] * len(a), dtype=pl.String),
            "capacity": capacities,
        }
    )


def _access_links(radio: Radio, routers: list[str]) -> list[pl.DataFrame]:
    """Link base stations to their site router, and site routers to the area's aggregation."""
    router = radio.ids("SR-")
    frames = []
    for name, capacity in (("gsm", 100), ("lte", 1_000), ("nr", 10_000)):
        rows = np.flatnonzero(radio.carries[name])
        stations = radio.ids(f"{NODE_PREFIX[name]}-")[rows]
        frames.append(_links(stations, router[rows], "Ethernet", capacity))
    # Fibre with 10 Gbit/s where 3.5 GHz needs it; 1 Gbit/s fibre or microwave elsewhere.
    wide = radio.carries["nr"] & (radio.density != "sparse")
    aggregation = np.array(routers)[radio.area]
    frames.append(_links(router, aggregation, "backhaul", np.where(wide, 10_000, 1_000)))
    return frames


def _ran_links(radio: Radio, stations: list[_Station], site_centre: Integers) -> list[pl.DataFrame]:
    """Link base stations to the pools of their data centre; a BTS to one BSC."""
    pools = _by_pool(stations)
    frames = []
    for centre in range(len(DATA_CENTRES)):
        here = site_centre == centre
        for name, prefix, interface, capacity in _RAN_LINKS:
            rows = np.flatnonzero(radio.carries[name] & here)
            nodes = radio.ids(f"{NODE_PREFIX[name]}-")[rows]
            frames += [
                _links(nodes, [element] * len(rows), interface, capacity)
                for element in pools[prefix, centre]
            ]
        rows = np.flatnonzero(radio.carries["gsm"] & here)
        controllers = np.array(pools["BSC", centre])
        chosen = controllers[np.arange(len(rows)) * len(controllers) // max(len(rows), 1)]
        frames.append(_links(radio.ids("BTS-")[rows], chosen, "Abis", 4))
    return frames


def _peer_links(radio: Radio) -> list[pl.DataFrame]:
    """Link neighbouring base stations (X2, Xn), and the gNB with the eNB of its site (EN-DC)."""
    count = radio.neighbours.shape[1]
    near = np.repeat(np.arange(len(radio)), count)
    pairs = np.stack([near, radio.neighbours.reshape(-1)], axis=1)
    pairs = np.unique(np.sort(pairs, axis=1), axis=0).reshape(-1, 2)
    frames = []
    for name, interface in (("lte", "X2"), ("nr", "Xn")):
        both = pairs[radio.carries[name][pairs].all(axis=1)]
        nodes = radio.ids(f"{NODE_PREFIX[name]}-")
        frames.append(_links(nodes[both[:, 0]], nodes[both[:, 1]], interface, 100))
    rows = np.flatnonzero(radio.carries["lte"] & radio.carries["nr"])
    frames.append(_links(radio.ids("GNB-")[rows], radio.ids("ENB-")[rows], "X2", 1_000))
    return frames


def _core_links(stations: list[_Station], routers: list[_Station]) -> pl.DataFrame:
    """Link the core: reference points, local network, aggregation and backbone."""
    pools = _by_pool(stations)
    centres = range(len(DATA_CENTRES))
    rows: list[tuple[str, str, str, int]] = []
    for a_prefix, b_prefix, interface, capacity, anywhere in _REFERENCE_POINTS:
        for centre in centres:
            near = pools[b_prefix, centre]
            far = [element for other in centres for element in pools[b_prefix, other]]
            ends = far if anywhere else near
            rows += [(a, b, interface, capacity) for a in pools[a_prefix, centre] for b in ends]
    for centre in centres:
        core, switches = pools["CR", centre], pools["SW", centre]
        rows += [
            (station.element_id, switch, "Ethernet", 100_000)
            for station in stations
            if station.centre == centre and station.prefix not in ("CR", "SW")
            for switch in switches
        ]
        rows += [(switch, router, "Ethernet", 400_000) for switch in switches for router in core]
        rows.append((core[0], core[1], "backbone", 400_000))
        rows += [
            (a, b, "backbone", 400_000)
            for other in centres
            if other > centre
            for a, b in zip(core, pools["CR", other], strict=True)
        ]
    rows += [
        (router.element_id, core, "aggregation", 100_000)
        for router in routers
        for core in pools["CR", router.centre]
    ]
    a, b, interface, capacity = (list(column) for column in zip(*rows, strict=True))
    return pl.DataFrame(
        {"a_element_id": a, "b_element_id": b, "interface": interface, "capacity": capacity}
    )


def _by_pool(stations: list[_Station]) -> dict[tuple[str, int], list[str]]:
    """Return the keys of the elements by prefix and data centre; empty where there is none."""
    pools: dict[tuple[str, int], list[str]] = {
        (station.prefix, centre): [] for station in stations for centre in range(len(DATA_CENTRES))
    }
    for station in stations:
        pools[station.prefix, station.centre].append(station.element_id)
    return pools
