"""Where holders live, work and are served: draws of places and cells.

Belongs here: tables from which a home place, a work place and a serving cell are drawn. Does not
belong here: who is drawn (`subscribers`), where people are at an hour (`behaviour`).

Tables are built with additions, multiplications, divisions and square roots only and then rounded
to integers, so a draw is the same on any processor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.world import zoning
from telco_pipeline.world.places import plane, settled_population

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_ROW_TOTAL_LOG2: Final = 30  # draws.below takes bounds of up to 2**31

# Sites that may serve one place: those that its inhabitants would fill alone, half as many again
# for its edges, and at least these.
_SITE_MARGIN: Final = 1.5
_MIN_SITES: Final = 5

# Commuting: a work place attracts by its inhabitants and by how dense it is (jobs gather in
# cities), and its pull falls with the 2.5th power of the distance beyond a scale. The scales were
# set so that the median distance between the cells of home and work is about 12.5 km, the mean
# about 17 km as the crow flies (Belgium: about 22 km by road, Beldam 2012 and later surveys), and
# about 9 km (median) for students.
_JOBS_BY_DENSITY: Final = {"dense": 1.6, "suburban": 1.0, "sparse": 0.6}
# Nobody goes further than the last reach every day; the pull ends there smoothly.
_COMMUTE_SCALE_KM: Final = 4.5
_STUDENT_SCALE_KM: Final = 1.8
_LONGEST_COMMUTE_KM: Final = 100.0
# A work place is drawn anew, up to so many times in all, where it turns out to be served by the
# home's own site: few work on their doorstep, and the sites of a small sample are far apart.
_WORK_DRAWS: Final = 3

# Where visitors stay: cities first (Statbel, overnight stays: Brussels alone has a fifth).
_STAYS_BY_DENSITY: Final = {"dense": 3.0, "suburban": 0.7, "sparse": 0.5}

MODERN: Final = 0
OLD: Final = 1
MIXED: Final = 2
"""What the devices of a home speak: LTE or NR, only older access, or some this and some that."""

# What a device is served by, best first, by the best radio access that it speaks. The narrow-band
# modules ride on LTE carriers.
_PREFERENCES: Final = (
    (Rat.NR, Rat.EUTRAN, Rat.UTRAN, Rat.GERAN),
    (Rat.EUTRAN, Rat.UTRAN, Rat.GERAN, Rat.NR),
    (Rat.UTRAN, Rat.GERAN, Rat.EUTRAN, Rat.NR),
    (Rat.GERAN, Rat.UTRAN, Rat.EUTRAN, Rat.NR),
)
_PREFERENCE_OF: Final = {
    Rat.NR: 0, Rat.EUTRAN: 1, Rat.NB_IOT: 1, Rat.LTE_M: 1, Rat.WLAN: 1, Rat.UTRAN: 2, Rat.GERAN: 3,
}  # fmt: skip
_USES: Final = (zoning.Use.HOME, zoning.Use.WORK)
_NR_PREFERENCE: Final = 0
_LTE_PREFERENCE: Final = 1
_NR_CHANCE: Final = 0.8  # that a 5G phone at a 5G site is served by it: indoors LTE often wins


@dataclass(frozen=True)
class RaggedChoice:
    """Weighted choice in rows of different length.

    Attributes:
        bounds: Cumulated weight at the start of each row, and at the end of the last.
        cumulated: Cumulated weight after each outcome, over all rows.
        outcomes: Outcome numbers, rows one after the other.
    """

    bounds: Integers
    cumulated: Integers
    outcomes: npt.NDArray[np.int32]

    @classmethod
    def of(cls, rows: Iterable[tuple[Integers, Floats]]) -> "RaggedChoice":
        """Build the table from outcomes and weights per row.

        Weights are positive; they are rounded, and those that vanish beside the largest drop out.
        """
        bounds, cumulated, outcomes, total = [0], [], [], 0
        for numbers, weights in rows:
            # Relative to the largest, not to the sum: that is the same in any order.
            scale = (1 << _ROW_TOTAL_LOG2 - len(weights).bit_length()) / weights.max()
            whole = np.floor(weights * scale).astype(np.int64)
            kept = np.flatnonzero(whole)
            sums = np.cumsum(whole[kept]) + total
            total = int(sums[-1])
            bounds.append(total)
            cumulated.append(sums)
            outcomes.append(numbers[kept].astype(np.int32))
        return cls(np.array(bounds), np.concatenate(cumulated), np.concatenate(outcomes))

    def sample(self, random_bits: Bits, row: Integers) -> Integers:
        """Return one outcome per 64 random bits, from its row."""
        start = self.bounds[row]
        weight = start + draws.below(random_bits, self.bounds[row + 1] - start)
        return self.outcomes[np.searchsorted(self.cumulated, weight, side="right")].astype(np.int64)


@dataclass(frozen=True)
class Worker:
    """Who goes to a work place; one array element each.

    Attributes:
        student: Whether it is a school: nearer than most work.
        mobile: Whether the home's own site is avoided; for a machine it does as well as another.
    """

    student: npt.NDArray[np.bool_]
    mobile: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Residence:
    """Tables of places and cells of one world; rows are those of the frames.

    Attributes:
        homes: Place by kind of stay: row 0 residents and machines, row 1 visitors.
        commutes: Work place by home place; the places' rows once for workers, once for students.
        sites: Site by place; the places' rows once for each group of devices: those of LTE and NR,
            older ones, and households that have both.
        cells: Cell by site; the sites' rows once per use and preference of radio access.
        places_count: Number of places.
        sites_count: Number of sites.
        preference: Preference of radio access by device.
    """

    homes: RaggedChoice
    commutes: RaggedChoice
    sites: RaggedChoice
    cells: RaggedChoice
    places_count: int
    sites_count: int
    preference: Integers

    @classmethod
    def of(
        cls, places: pl.DataFrame, sites: pl.DataFrame, cells: pl.DataFrame, devices: pl.DataFrame
    ) -> "Residence":
        """Build the tables from the frames of the world."""
        people = settled_population(places)
        density = places["density"].cast(pl.String)
        east, north = plane(places["latitude"].to_numpy(), places["longitude"].to_numpy())
        everywhere = np.arange(len(places))
        stays = people * _by_name(density, _STAYS_BY_DENSITY)
        jobs = people * _by_name(density, _JOBS_BY_DENSITY)
        rat_types = devices["best_rat"].cast(pl.String)
        return cls(
            homes=RaggedChoice.of([(everywhere, people), (everywhere, stays)]),
            commutes=_commutes(east, north, jobs),
            sites=_sites_by_place(east, north, people, sites, cells),
            cells=_cells_by_site(sites, cells),
            places_count=len(places),
            sites_count=len(sites),
            preference=np.array([_PREFERENCE_OF[Rat(rat)] for rat in rat_types], dtype=np.int64),
        )

    def home_place(self, random_bits: Bits, visitor: npt.NDArray[np.bool_]) -> Integers:
        """Return the row of a place per holder."""
        return self.homes.sample(random_bits, visitor.astype(np.int64))

    def is_old(self, device: Integers) -> npt.NDArray[np.bool_]:
        """Return which devices, by row of the model, speak neither LTE nor NR."""
        return self.preference[device] > _LTE_PREFERENCE

    def site(self, random_bits: Bits, place: Integers, group: Integers) -> Integers:
        """Return the row of the site that serves a home or a work place.

        Args:
            random_bits: 64 random bits each, the same for those who live together.
            place: Row of the place.
            group: `MODERN`, `OLD` or `MIXED`: what the devices there speak.
        """
        return self.sites.sample(random_bits, place + group * np.int64(self.places_count))

    def cell(
        self,
        site: Integers,
        device: Integers,
        choice_bits: Bits,
        indoor_bits: Bits,
        use: zoning.Use = zoning.Use.HOME,
    ) -> Integers:
        """Return the row of the cell that serves each device at a site.

        Args:
            site: Row of the site.
            device: Row of the device model.
            choice_bits: 64 random bits each; the same ones give the same sector.
            indoor_bits: 64 random bits each: whether a 5G phone gets NR there.
            use: What its holder does there, home or work.
        """
        preference = self.preference[device]
        lte = ~draws.chance(indoor_bits, _NR_CHANCE)
        preference = np.where((preference == _NR_PREFERENCE) & lte, _LTE_PREFERENCE, preference)
        preference = preference + len(_PREFERENCES) * _USES.index(use)
        return self.cells.sample(choice_bits, preference * np.int64(self.sites_count) + site)

    def work_cell(
        self, keys: Bits, home: Integers, home_site: Integers, device: Integers, worker: Worker
    ) -> Integers:
        """Return the row of the cell at the place of work or school.

        Args:
            keys: Key per holder.
            home: Row of the place of the home.
            home_site: Row of the site of the home.
            device: Row of the device model.
            worker: Who goes there.
        """
        work = np.empty_like(home)
        pending = np.arange(len(home))
        row = home + worker.student * np.int64(self.places_count)
        for attempt in range(_WORK_DRAWS):
            tries = draws.events(keys[pending], np.full(len(pending), attempt))
            place = self.commutes.sample(draws.bits(tries, "work place"), row[pending])
            held = device[pending]
            site = self.site(
                draws.bits(tries, "work/site"), place, self.is_old(held).astype(np.int64)
            )
            work[pending] = self.cell(
                site,
                held,
                draws.bits(tries, "work/cell"),
                draws.bits(tries, "work/nr"),
                zoning.Use.WORK,
            )
            again = (site == home_site[pending]) & worker.mobile[pending]
            pending = pending[again]
        return work


def _by_name(names: pl.Series, values: dict[str, float]) -> Floats:
    return np.array([values[name] for name in names])


def _commutes(east: Floats, north: Floats, jobs: Floats) -> RaggedChoice:
    """Return work places by home place, for workers and then for students."""
    rows = []
    for scale in (_COMMUTE_SCALE_KM, _STUDENT_SCALE_KM):
        for place in range(len(jobs)):
            km = _distance(east, north, east[place], north[place])
            near = np.flatnonzero(km < _LONGEST_COMMUTE_KM)
            ratio = km[near] / scale
            end = km[near] / _LONGEST_COMMUTE_KM
            pull = (1.0 - end * end) / (1.0 + ratio * ratio * np.sqrt(ratio))
            rows.append((near, jobs[near] * pull))
    return RaggedChoice.of(rows)


def _distance(east: Floats, north: Floats, to_east: float, to_north: float) -> Floats:
    """Return distances in km; not `np.hypot`, which may differ in the last bit by processor."""
    across, up = east - to_east, north - to_north
    return np.sqrt(across * across + up * up)


def _sites_by_place(
    east: Floats, north: Floats, people: Floats, sites: pl.DataFrame, cells: pl.DataFrame
) -> RaggedChoice:
    """Return sites near each place: for LTE and NR devices, for older ones, for both."""
    site_east, site_north = plane(sites["latitude"].to_numpy(), sites["longitude"].to_numpy())
    people = np.rint(people)  # whole numbers have an exact sum
    share = people / people.sum()
    rat = pl.col("rat_type").cast(pl.String)
    modern, old = (
        sites["site_id"]
        .is_in(cells.filter(rat.is_in(wanted))["site_id"].unique().implode())
        .to_numpy()
        for wanted in ((Rat.EUTRAN,), (Rat.GERAN, Rat.UTRAN))
    )
    rows = []
    for carrying in (modern, old, modern & old):
        usable = np.flatnonzero(carrying)
        if not usable.size:  # a network without that generation: any site must do
            usable = np.arange(len(sites))
        for place, fills in enumerate(share * usable.size):
            km = _distance(site_east[usable], site_north[usable], east[place], north[place])
            count = min(max(int(fills * _SITE_MARGIN) + 1, _MIN_SITES), usable.size)
            nearest = np.sort(km)[:count]
            near = np.flatnonzero(km <= nearest[-1])
            # Those that it would fill alone have at least half of the weight of the nearest.
            reach = max(nearest[min(int(fills), count - 1)], 0.5)
            square = (km[near] / reach) * (km[near] / reach)
            rows.append((usable[near], 1.0 / (1.0 + square * square)))
    return RaggedChoice.of(rows)


def _cells_by_site(sites: pl.DataFrame, cells: pl.DataFrame) -> RaggedChoice:
    """Return the cells of each site that serve each use and preference, weighed by their capacity.

    Sector by sector, so that equal random bits give the same sector whatever the preference.
    """
    rows = pl.DataFrame({"site_id": sites["site_id"], "site": np.arange(len(sites))})
    site = (
        cells.select("site_id")
        .join(rows, on="site_id", how="left", maintain_order="left")["site"]
        .to_numpy()
    )
    sector = cells["sector"].to_numpy()
    by_site = np.lexsort((sector, site))
    edges = np.searchsorted(site[by_site], np.arange(len(sites) + 1))
    capacity = cells["capacity"].to_numpy().astype(np.float64)
    rat_types = cells["rat_type"].cast(pl.String).to_list()
    table = []
    for use in _USES:
        weight = capacity * zoning.shares(site, sector, use)
        for preference in _PREFERENCES:
            order = {str(rat): rank for rank, rat in enumerate(preference)}
            rank = np.array([order[rat] for rat in rat_types])
            for start, stop in pairwise(edges):
                own = by_site[start:stop]
                best = own[rank[own] == rank[own].min()]
                table.append((best, weight[best]))
    return RaggedChoice.of(table)
