"""The population in compact arrays: what generators need of the registry and the network.

Belongs here: turning the frames of the world into arrays indexed by entity number (row of the
registry) and cell row. Does not belong here: how the world is made, what anybody does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine.keys import rows_of
from telco_pipeline.engine.numerals import E164, Numerals
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.cells import AREAS
from telco_pipeline.world.network import Network, serving_elements

KINDS: Final = ("person", "business", "visitor", "machine")
PERSON: Final = KINDS.index("person")
BUSINESS: Final = KINDS.index("business")
MACHINE: Final = KINDS.index("machine")
VISITOR: Final = KINDS.index("visitor")
RATS: Final = tuple(Rat)
GERAN: Final = RATS.index(Rat.GERAN)
WLAN: Final = RATS.index(Rat.WLAN)
UTRAN: Final = RATS.index(Rat.UTRAN)
EUTRAN: Final = RATS.index(Rat.EUTRAN)
NR: Final = RATS.index(Rat.NR)

SUBSCRIBER_COLUMNS: Final = (
    "subscriber_id",
    "imsi",
    "msisdn",
    "imei",
    "iccid",
    "number_holder",
    "holder_id",
    "sim_slot",
    "household_id",
    "persona",
    "kind",
    "language",
    "plan_id",
    "device_id",
    "home_cell_id",
    "work_cell_id",
    "activity_level",
    "satisfaction",
    "churn_score",
    "contract_start",
    "contract_end",
)
"""Columns of the registry that records depend on."""

IMSI_DIGITS: Final = 15
IMEI_DIGITS: Final = 15
ICCID_DIGITS: Final = 19

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Antennas:
    """Antennas of the cells as columns of records; the last row is that of no cell.

    Attributes:
        cell_class: Size class, an enumeration.
        latitude: Latitude in degrees.
        longitude: Longitude in degrees.
        altitude: Metres above sea level.
    """

    cell_class: pl.Series
    latitude: pl.Series
    longitude: pl.Series
    altitude: pl.Series

    @classmethod
    def of(cls, network: Network) -> "Antennas":
        """Take the antennas of a network's cells."""
        ground = network.sites.select("site_id", "ground_altitude")
        joined = network.cells.join(ground, on="site_id", how="left", maintain_order="left")
        frame = joined.select(
            "cell_class",
            "latitude",
            "longitude",
            altitude=(pl.col("altitude") + pl.col("ground_altitude")).cast(pl.Int16),
        )
        return cls(*(column.extend_constant(None, 1) for column in frame.get_columns()))

    def columns(self, cell: npt.NDArray[np.integer], prefix: str = "") -> dict[str, pl.Series]:
        """Return the antenna of each cell, null where the row is -1."""
        row = self._rows(cell)
        return {
            f"{prefix}antenna_type": self.cell_class.gather(row),
            **self.position(cell, prefix),
            f"{prefix}altitude": self.altitude.gather(row),
        }

    def position(self, cell: npt.NDArray[np.integer], prefix: str = "") -> dict[str, pl.Series]:
        """Return latitude and longitude of each cell, null where the row is -1."""
        row = self._rows(cell)
        return {
            f"{prefix}latitude": self.latitude.gather(row),
            f"{prefix}longitude": self.longitude.gather(row),
        }

    def _rows(self, cell: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        return np.where(cell < 0, len(self.latitude) - 1, cell)


@dataclass(frozen=True)
class Cells:
    """Cells by row of the `cells` dataset.

    Attributes:
        cell_id: Key of each cell.
        rat: Position of its radio access type in `RATS`.
        tac: Tracking area code.
        area: Number of the area, whose codes in GERAN, LTE and NR differ by their first digits.
        range_m: Radius in metres.
        lte_sibling: LTE cell of the same site, or the cell itself where there is none.
        gsm_sibling: GERAN cell of the same site, else of the nearest site that has one; the
            cell itself in a network without GERAN.
        access_info: P-Access-Network-Info header of a session on the cell.
        serving: Row of the serving element by role ("msc", "mme", "sgw", "pgw", "p_cscf",
            "s_cscf", "mmtel", "smsc", "mmsc").
        element_id: Keys of the network elements, by row.
        antennas: Where the antennas stand.
    """

    cell_id: pl.Series
    rat: npt.NDArray[np.int8]
    tac: npt.NDArray[np.int32]
    area: npt.NDArray[np.int32]
    range_m: npt.NDArray[np.int32]
    lte_sibling: npt.NDArray[np.int32]
    gsm_sibling: npt.NDArray[np.int32]
    access_info: pl.Series
    serving: dict[str, npt.NDArray[np.int32]]
    element_id: pl.Series
    antennas: Antennas

    @classmethod
    def of(cls, network: Network) -> "Cells":
        """Index the cells of a network."""
        frame = network.cells
        codes = {str(rat): code for code, rat in enumerate(RATS)}
        rat = np.array([codes[name] for name in frame["rat_type"].cast(pl.String)], dtype=np.int8)
        return cls(
            cell_id=frame["cell_id"],
            rat=rat,
            tac=frame["tac"].to_numpy(),
            area=frame["tac"].to_numpy() % AREAS,
            range_m=frame["range_m"].to_numpy(),
            lte_sibling=_siblings(frame, rat, EUTRAN),
            gsm_sibling=_nearest(frame, rat, GERAN, _siblings(frame, rat, GERAN)),
            access_info=_access_info(frame),
            serving={
                role: rows.astype(np.int32) for role, rows in serving_elements(network).items()
            },
            element_id=network.elements["element_id"],
            antennas=Antennas.of(network),
        )


def _siblings(frame: pl.DataFrame, rat: npt.NDArray[np.int8], wanted: int) -> npt.NDArray[np.int32]:
    """Return for each cell the cell of the wanted RAT on its site and nearest sector."""
    rows = (
        frame.select("site_id", "sector")
        .with_row_index("row")
        .with_columns(wanted=pl.Series(rat == wanted))
    )
    others = rows.filter("wanted").select("site_id", "sector", other="row")
    same_sector = others.unique(["site_id", "sector"], keep="first", maintain_order=True)
    any_sector = others.unique("site_id", keep="first", maintain_order=True)
    joined = (
        rows.join(same_sector, on=["site_id", "sector"], how="left", maintain_order="left")
        .join(
            any_sector.select("site_id", fallback="other"),
            on="site_id",
            how="left",
            maintain_order="left",
        )
        .select(pl.when("wanted").then("row").otherwise(pl.coalesce("other", "fallback", "row")))
    )
    return joined.to_series().cast(pl.Int32).to_numpy()


def _nearest(
    frame: pl.DataFrame,
    rat: npt.NDArray[np.int8],
    wanted: int,
    siblings: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
    """Return the siblings, with the nearest cell of the wanted RAT where the site has none.

    A phone that speaks over GERAN only must find a GERAN cell, also from a site without one.
    """
    lost = np.flatnonzero(rat[siblings] != wanted)
    there = np.flatnonzero(rat == wanted)
    if not lost.size or not there.size:
        return siblings
    # A degree of longitude is 0.64 of one of latitude at 50 degrees; whole units of 1e-5 degrees
    # keep the order of distances the same on any processor.
    north = np.round(frame["latitude"].to_numpy() * 1e5).astype(np.int64)
    east = np.round(frame["longitude"].to_numpy() * 0.64e5).astype(np.int64)
    places, place_of = np.unique(np.stack([north[lost], east[lost]]), axis=1, return_inverse=True)
    nearest = [
        there[np.argmin((north[there] - place[0]) ** 2 + (east[there] - place[1]) ** 2)]
        for place in places.T
    ]
    found = siblings.copy()
    found[lost] = np.array(nearest)[place_of.reshape(-1)]
    return found


def _access_info(frame: pl.DataFrame) -> pl.Series:
    """Return the P-Access-Network-Info header of each cell (RFC 7315, section 5.4)."""
    # n78 is time division; the low bands are frequency division (TS 38.101-1).
    duplex = pl.when(pl.col("band") == "n78").then(pl.lit("TDD")).otherwise(pl.lit("FDD"))
    plmn = pl.col("cell_id").str.split("-").list.slice(0, 2).list.join("")
    hexa = {
        "tac4": _hex(frame["tac"], 4),
        "tac6": _hex(frame["tac"], 6),
        "eci7": _hex(frame["eci"], 7),
        "nci9": _hex(frame["eci"], 9),
        "ci4": _hex(frame["eci"], 4),
    }
    return (
        frame.select("cell_id", "rat_type", "band")
        .with_columns(**hexa)
        .select(
            pl.when(pl.col("rat_type") == Rat.NR)
            .then(pl.format("3GPP-NR-{}; utran-cell-id-3gpp={}{}{}", duplex, plmn, "tac6", "nci9"))
            .when(pl.col("rat_type") == Rat.GERAN)
            .then(pl.format("3GPP-GERAN; cgi-3gpp={}{}{}", plmn, "tac4", "ci4"))
            .otherwise(
                pl.format("3GPP-E-UTRAN-FDD; utran-cell-id-3gpp={}{}{}", plmn, "tac4", "eci7")
            )
        )
        .to_series()
    )


def _hex(values: pl.Series, digits: int) -> pl.Series:
    return pl.Series([f"{value:0{digits}x}" for value in values])


@dataclass(frozen=True)
class Population:
    """Subscribers by entity number.

    Attributes:
        size: Number of subscribers.
        subscriber_id: Keys.
        imsi, msisdn, imei, iccid: Identities on the epoch.
        number_holder: Network to which the number's range belongs, an enumeration.
        persona: Position of the persona in world.yaml.
        kind: Position of its kind in `KINDS`.
        language: Language code of each, an enumeration.
        level: Personal factor on the persona's rates.
        satisfaction: Satisfaction on the epoch.
        churn: Score of the inclination to leave on the epoch.
        contract_start: Day since 1970 on which the contract began.
        contract_end: Last day of the minimum term since 1970, -1 without one.
        home, work: Rows of the home and work cell; work is -1 where there is none.
        rat: Best radio access type of the device (position in `RATS`).
        volte: Whether device and SIM speak voice over LTE.
        plan: Row of the plan.
        leader: Entity number of the holder's first SIM: the same for both SIMs of one phone, whose
            places and habits are one person's.
        household: Number of the household, from 0 in order of appearance; -1 without one.
        device: Row of the device model on the epoch.
    """

    size: int
    subscriber_id: Rows
    imsi: Numerals
    msisdn: Numerals
    imei: Numerals
    iccid: Numerals
    number_holder: pl.Series
    persona: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int8]
    language: pl.Series
    level: npt.NDArray[np.float64]
    satisfaction: npt.NDArray[np.float64]
    churn: npt.NDArray[np.float64]
    contract_start: npt.NDArray[np.int32]
    contract_end: npt.NDArray[np.int32]
    home: npt.NDArray[np.int32]
    work: npt.NDArray[np.int32]
    rat: npt.NDArray[np.int8]
    volte: npt.NDArray[np.bool_]
    plan: npt.NDArray[np.int32]
    leader: npt.NDArray[np.int64]
    household: npt.NDArray[np.int64]
    device: npt.NDArray[np.int32]

    @classmethod
    def of(
        cls,
        config: WorldConfig,
        subscribers: pl.DataFrame,
        cells: pl.DataFrame,
        devices: pl.DataFrame,
        plans: pl.DataFrame,
    ) -> "Population":
        """Index the registry; `subscribers` needs the columns `SUBSCRIBER_COLUMNS`."""
        kind = _codes(subscribers["kind"].cast(pl.String), KINDS).astype(np.int8)
        rat_of_device = _codes(devices["best_rat"].cast(pl.String), [str(r) for r in RATS])
        device = rows_of(subscribers["device_id"], devices["device_id"])
        return cls(
            size=subscribers.height,
            subscriber_id=subscribers["subscriber_id"].to_numpy(),
            imsi=Numerals.of(subscribers["imsi"], IMSI_DIGITS),
            msisdn=Numerals.of(subscribers["msisdn"], E164),
            imei=Numerals.of(subscribers["imei"], IMEI_DIGITS),
            iccid=Numerals.of(subscribers["iccid"], ICCID_DIGITS),
            number_holder=enumerated(
                subscribers["number_holder"], [one.plmn for one in config.operators]
            ),
            persona=_codes(subscribers["persona"], list(config.personas)),
            kind=kind,
            language=subscribers["language"],
            level=subscribers["activity_level"].to_numpy(),
            satisfaction=subscribers["satisfaction"].to_numpy(),
            churn=subscribers["churn_score"].to_numpy(),
            contract_start=subscribers["contract_start"].cast(pl.Int32).to_numpy(),
            contract_end=subscribers["contract_end"].cast(pl.Int32).fill_null(-1).to_numpy(),
            home=rows_of(subscribers["home_cell_id"], cells["cell_id"]).astype(np.int32),
            work=rows_of(subscribers["work_cell_id"], cells["cell_id"]).astype(np.int32),
            rat=rat_of_device[device].astype(np.int8),
            volte=devices["volte"].to_numpy()[device],
            plan=rows_of(subscribers["plan_id"], plans["plan_id"]).astype(np.int32),
            leader=_leaders(subscribers["holder_id"], subscribers["sim_slot"]),
            household=_households(subscribers["household_id"]),
            device=device.astype(np.int32),
        )


def enumerated(texts: pl.Series, also: Sequence[str] = ()) -> pl.Series:
    """Return few different texts as an enumeration of them (and others), of a byte or two each."""
    different = texts.cast(pl.String).drop_nulls().unique(maintain_order=True).to_list()
    return texts.cast(pl.String).cast(pl.Enum(list(dict.fromkeys([*different, *also]))))


def categories_of(values: pl.Series) -> pl.Series:
    """Return the texts of an enumeration, in the order of its codes."""
    assert isinstance(values.dtype, pl.Enum)
    return values.dtype.categories


def _codes(values: pl.Series, names: "list[str] | tuple[str, ...]") -> Rows:
    """Return the position in `names` of each value."""
    return rows_of(values, pl.Series("names", names))


def _leaders(holder: pl.Series, slot: pl.Series) -> Rows:
    """Return the entity number of the first SIM of each SIM's holder."""
    number = np.arange(len(holder))
    second = np.flatnonzero(slot.to_numpy() == 2)
    if not second.size:
        return number
    first = np.flatnonzero(slot.to_numpy() == 1)
    number[second] = first[rows_of(holder.gather(second), holder.gather(first))]
    return number


def _households(household: pl.Series) -> Rows:
    """Return a dense number of each household, -1 for who has none."""
    different = household.drop_nulls().unique(maintain_order=True)
    return rows_of(household, different)
