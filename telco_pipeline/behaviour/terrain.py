"""Terrain: the country as somebody with a phone crosses it.

Belongs here: which site and cell serve a point, what attracts visitors, how long a way takes and
which points lie on it. Does not belong here: who goes where (`plans`), where sites stand
(`world.network`), the graph of the roads (`world.roads`).

Points are looked up on a raster of 1 km. All numbers are integers, or made by single additions,
multiplications, divisions and square roots, so they are the same on any processor.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.population import RATS
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.keys import rows_of
from telco_pipeline.world import zoning
from telco_pipeline.world.places import Floats, plane, settled_population
from telco_pipeline.world.roads import Roads
from telco_pipeline.world.zoning import Use

Rows = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer]

_MARGIN: Final = 8  # pixels around the outermost site or place
_SETTLED: Final = 2  # pixels over which a place's people are spread, twice

# What a device camps on, best first, by its best radio access: NR, LTE, older. Narrow-band modules
# ride on LTE carriers.
_PREFERENCES: Final = (
    (Rat.NR, Rat.EUTRAN, Rat.UTRAN, Rat.GERAN),
    (Rat.EUTRAN, Rat.UTRAN, Rat.GERAN, Rat.NR),
    (Rat.GERAN, Rat.UTRAN, Rat.EUTRAN, Rat.NR),
)
_SPOKEN: Final = (2, 1, 2)  # how many of them are spoken at all; on the others nobody camps gladly
NEW_RADIO: Final = 0
LTE: Final = 1
OLD: Final = 2
PREFERENCE_OF_RAT: Final = np.array(
    [{Rat.NR: NEW_RADIO, Rat.GERAN: OLD, Rat.UTRAN: OLD}.get(rat, LTE) for rat in RATS],
    dtype=np.int8,
)
"""Row of what it camps on by best radio access (position in `RATS`)."""
_NR_CHANCE: Final = 0.8  # that a 5G phone at a 5G site camps on it: indoors LTE often wins

_SLOTS: Final = 32  # of one site, use and preference, shared by its cells by capacity
_SLOT_SHIFT: Final = np.uint64(64 - 5)

# Minutes of a way by its length in km: on foot and by bicycle, through towns, over land, on
# motorways (door to door).
_MINUTES: Final = (
    (0.0, 3.0), (1.0, 10.0), (2.0, 14.0), (5.0, 17.0), (10.0, 23.0), (20.0, 32.0), (40.0, 48.0),
    (80.0, 78.0), (160.0, 134.0), (400.0, 310.0),
)  # fmt: skip
_TABLE_METRES: Final = 100  # step of the table of durations
_LONGEST_METRES: Final = 400_000
_CITY_METRES: Final = 7_000  # shorter ways go straight, not by the trunk road
_DETOUR: Final = 1.7  # nobody takes a trunk road that is this much longer
_ROAD_FACTOR: Final = 1.2
_STEP_METRES: Final = 1_000  # of a way, in which a phone keeps its cell
MAX_STEPS: Final = 250
NEIGHBOURS: Final = 8
_DISTANCE_BLOCK: Final = 512
_HEARING: Final = 2.0  # a cell is heard so many times as far as its range
_WIDEST: Final = len(Use)  # row behind the uses: the cells of a site that are heard farthest
_FARTHEST: Final = 1_000_000  # metres, above any range
_HALF_STEP_KM: Final = _STEP_METRES / 2000


@dataclass(frozen=True)
class Ways:
    """Ways between pairs of sites.

    Attributes:
        origin, target: Sites.
        metres: Length of the road.
        by_road: Whether the way runs over the road graph; else it is straight.
    """

    origin: Rows
    target: Rows
    metres: Rows
    by_road: npt.NDArray[np.bool_]

    @property
    def steps(self) -> Rows:
        """Number of steps of each way: on each, a phone is in one cell."""
        return np.minimum(self.metres // _STEP_METRES + 1, MAX_STEPS)

    def select(self, rows: Rows) -> "Ways":
        """Return some of the ways."""
        return Ways(self.origin[rows], self.target[rows], self.metres[rows], self.by_road[rows])


@dataclass(frozen=True)
class Raster:
    """Sites near each pixel.

    Attributes:
        bucket: By pixel, number of the bucket of the nearest pixel that has sites.
        start: Where each bucket begins in `sites`, and the end of the last.
        sites: Sites, bucket after bucket.
    """

    bucket: npt.NDArray[np.int32]
    start: npt.NDArray[np.int32]
    sites: npt.NDArray[np.int32]

    def site(self, pixel: Rows, random_bits: Bits) -> Rows:
        """Return a site near each pixel; which of several in one pixel, the bits say."""
        bucket = self.bucket[pixel]
        start = self.start[bucket].astype(np.int64)
        count = self.start[bucket + 1] - start
        return self.sites[start + draws.below(random_bits, count)].astype(np.int64)


@dataclass(frozen=True)
class Terrain:
    """The country; rows of cells and sites are those of their frames.

    Attributes:
        site: Site of each cell.
        east, north: Positions of the sites in km (`places.plane`).
        cell: Cells by use (behind them, those heard farthest), preference, site and slot, shape
            (5 * 3 * sites * 32).
        rasters: Nearest sites with LTE or NR, and with older radio.
        attraction: What a pixel attracts, 0 outside the country.
        west, south: Corner of the raster in km.
        width, height: Pixels of the raster.
        roads: The road graph.
        node: Node of the road graph nearest to each site.
        to_node: Metres of road from the site to that node.
        seconds: Duration of ways by their length in steps of 100 m.
        beside: The nearest other sites of each site, with LTE or NR and then with older radio,
            shape (2, sites, 8).
        hearing_km: How far each cell is heard: twice its range, where its neighbours take over.
        cover: By pixel, the site that is heard best all over it, with LTE or NR and then with older
            radio, shape (2, pixels).
    """

    site: npt.NDArray[np.int32]
    east: Floats
    north: Floats
    cell: npt.NDArray[np.int32]
    rasters: tuple[Raster, Raster]
    attraction: npt.NDArray[np.int64]
    west: float
    south: float
    width: int
    height: int
    roads: Roads
    node: npt.NDArray[np.int16]
    to_node: Floats
    seconds: npt.NDArray[np.int32]
    beside: npt.NDArray[np.int32]
    hearing_km: Floats
    cover: npt.NDArray[np.int32]

    @property
    def cell_type(self) -> "type[np.integer]":
        """The smaller type that holds the rows of all cells, for who keeps millions of them."""
        return np.uint16 if len(self.site) <= 1 << 16 else np.int32

    @classmethod
    def of(cls, cells: pl.DataFrame, sites: pl.DataFrame, places: pl.DataFrame) -> "Terrain":
        """Build the terrain from the frames of the world."""
        east, north = plane(sites["latitude"].to_numpy(), sites["longitude"].to_numpy())
        place_east, place_north = plane(
            places["latitude"].to_numpy(), places["longitude"].to_numpy()
        )
        west = np.floor(min(east.min(), place_east.min())) - _MARGIN
        south = np.floor(min(north.min(), place_north.min())) - _MARGIN
        width = int(max(east.max(), place_east.max()) - west) + _MARGIN
        height = int(max(north.max(), place_north.max()) - south) + _MARGIN

        def pixels(e: Floats, n: Floats) -> Rows:
            return (n - south).astype(np.int64) * width + (e - west).astype(np.int64)

        site = rows_of(cells["site_id"], sites["site_id"])
        rat = cells["rat_type"].cast(pl.String)
        hearing = cells["range_m"].to_numpy() * (_HEARING / 1000)
        usable = [
            np.unique(site[rat.is_in(wanted).to_numpy()])
            for wanted in ([Rat.EUTRAN, Rat.NR], [Rat.GERAN, Rat.UTRAN])
        ]
        everywhere = np.arange(len(east))
        usable = [rows if rows.size else everywhere for rows in usable]
        rasters = [_raster(rows, pixels(east, north), width, height) for rows in usable]
        roads = Roads.of(places)
        node, to_node = roads.nearest(east, north)
        people = np.zeros(width * height, dtype=np.int64)
        np.add.at(
            people,
            pixels(place_east, place_north),
            np.rint(settled_population(places)).astype(np.int64),
        )
        table = _cells_of_sites(cells, site, len(east))
        widest = table.reshape(-1, len(_PREFERENCES), len(east), _SLOTS)[_WIDEST, :, :, 0]
        cover = [
            _cover(rows, hearing[widest[row]], east - west, north - south, raster, width, height)
            for rows, row, raster in zip(usable, (LTE, OLD), rasters, strict=True)
        ]
        return cls(
            site=site.astype(np.int32),
            east=east,
            north=north,
            cell=table,
            rasters=(rasters[0], rasters[1]),
            attraction=_attraction(people.reshape(height, width)),
            west=float(west),
            south=float(south),
            width=width,
            height=height,
            roads=roads,
            node=node,
            to_node=to_node,
            seconds=_durations(),
            beside=np.stack([_beside(east, north, rows) for rows in usable]),
            hearing_km=hearing,
            cover=np.stack(cover),
        )

    def pixel(self, east: Floats, north: Floats) -> Rows:
        """Return the pixel of each point; the nearest one for points outside the raster."""
        column = np.clip((east - self.west).astype(np.int64), 0, self.width - 1)
        row = np.clip((north - self.south).astype(np.int64), 0, self.height - 1)
        return row * self.width + column

    def near(self, pixel: Rows, preference: Integers, random_bits: Bits) -> Rows:
        """Return a site near each pixel that serves a device with that preference."""
        site = self.rasters[0].site(pixel, random_bits)
        old = np.flatnonzero(preference == OLD)
        if old.size:
            site[old] = self.rasters[1].site(pixel[old], random_bits[old])
        return site

    def neighbour(self, site: Rows, preference: Integers, number: Rows) -> Rows:
        """Return one of the `NEIGHBOURS` nearest other sites that serve a device."""
        return self.beside[(preference == OLD).astype(np.int64), site, number].astype(np.int64)

    def heard(
        self, cell: Rows, east: Floats, north: Floats, margin: float = 0.0
    ) -> npt.NDArray[np.bool_]:
        """Return which cells are heard at some points, and as many km around as the margin."""
        site, reach = self.site[cell], self.hearing_km[cell] - margin
        across, up = self.east[site] - east, self.north[site] - north
        return (across * across + up * up <= reach * reach) & (reach >= 0)

    def beside_heard(
        self, place: Rows, site: Rows, preference: Integers, random_bits: Bits, use: Use | Integers
    ) -> tuple[Rows, npt.NDArray[np.bool_]]:
        """Return the cell of another site that serves at a place, and whether any is heard there.

        Args:
            place: Site at which the device is.
            site: The other site.
            preference: As in `camp`.
            random_bits: As in `camp`.
            use: As in `camp`.
        """
        east, north = self.east[place], self.north[place]
        cell = self.camp(site, preference, random_bits, use)
        heard = self.heard(cell, east, north)
        deaf = np.flatnonzero(~heard)
        if deaf.size:
            cell[deaf] = self.camp(site[deaf], preference[deaf], random_bits[deaf], _WIDEST)
            heard[deaf] = self.heard(cell[deaf], east[deaf], north[deaf])
        return cell, heard

    def on_way(self, ways: "Ways", step: Rows, preference: Integers, key: Bits) -> Rows:
        """Return the cell that serves a device on one step of each way.

        A site near by, if it is heard on the whole step; else the one that is heard best there.

        Args:
            ways: A way per device.
            step: Number of the step.
            preference: As in `camp`.
            key: Key of the device's holder.
        """
        east, north = self.point_on_way(ways, step)
        pixel = self.pixel(east, north)
        site = self.near(pixel, preference, draws.events(key, pixel))
        bits = draws.events(key, site)
        cell = self.camp(site, preference, bits, Use.WAY)
        rows = np.flatnonzero(~self.heard(cell, east, north, _HALF_STEP_KM))
        if rows.size:
            old = (preference[rows] == OLD).astype(np.int64)
            site = self.cover[old, pixel[rows]].astype(np.int64)
            bits = draws.events(key[rows], site)
            cell[rows] = self.camp(site, preference[rows], bits, _WIDEST)
            # What covers the land is the site's LTE: where its NR is not heard, that serves.
            new = np.flatnonzero(preference[rows] == NEW_RADIO)
            new = new[~self.heard(cell[rows[new]], east[rows[new]], north[rows[new]])]
            lte = np.full(len(new), LTE)
            cell[rows[new]] = self.camp(site[new], lte, bits[new], _WIDEST)
        return cell

    def camp(
        self, site: Rows, preference: Integers, random_bits: Bits, use: "Use | int | Integers"
    ) -> Rows:
        """Return the cell of a site on which a device camps.

        Args:
            site: Site per device.
            preference: Row of what it camps on (`PREFERENCE_OF_RAT`).
            random_bits: Which sector and carrier; the same for the same place.
            use: What its holder does there (`world.zoning`), one for all or one each.
        """
        rare = (random_bits & np.uint64(0xFFFF)).astype(np.int64) >= int(_NR_CHANCE * 0x10000)
        row = preference.astype(np.int64) + ((preference == NEW_RADIO) & rare)
        row += np.asarray(use, dtype=np.int64) * len(_PREFERENCES)
        slot = (random_bits >> _SLOT_SHIFT).astype(np.int64)
        return self.cell[(row * len(self.east) + site) * _SLOTS + slot].astype(np.int64)

    def camps(self, cell: Rows, preference: Integers) -> npt.NDArray[np.bool_]:
        """Return whether a device with that preference may camp on each cell.

        That is, whether the cell speaks what the devices camp on at its site that like it best.

        Args:
            cell: A cell per device.
            preference: As in `camp`; on a site with NR who prefers it is on its LTE at times.
        """
        sites, size = len(self.east), len(_PREFERENCES)
        table = self.cell.reshape(-1, size, sites, _SLOTS)[: len(Use)]
        site = self.site[cell].astype(np.int64)
        found = np.zeros(len(cell), dtype=np.bool_)
        for wanted in (preference, np.where(preference == NEW_RADIO, LTE, preference)):
            own = table[:, wanted, site]
            found |= (own == cell[:, None]).any(axis=(0, 2))
        return found

    def ways(self, origin: Rows, target: Rows) -> Ways:
        """Return the ways from sites to others."""
        across = self.east[target] - self.east[origin]
        up = self.north[target] - self.north[origin]
        straight = np.sqrt(across * across + up * up) * (1000 * _ROAD_FACTOR)
        metres = straight.astype(np.int64)
        by_road = np.zeros(len(metres), dtype=np.bool_)
        far = np.flatnonzero(metres > _CITY_METRES)
        if far.size:
            start, end = origin[far], target[far]
            road = self.roads.metres[self.node[start], self.node[end]]
            road = (road + self.to_node[start] + self.to_node[end]).astype(np.int64)
            sensible = road < straight[far] * _DETOUR
            by_road[far] = sensible
            metres[far] = np.where(sensible, road, metres[far])
        return Ways(origin, target, metres, by_road)

    def travel_seconds(self, metres: Rows) -> Rows:
        """Return how long ways of some lengths take door to door."""
        return self.seconds[np.minimum(metres, _LONGEST_METRES) // _TABLE_METRES].astype(np.int64)

    def point_on_way(self, ways: Ways, step: Rows) -> tuple[Floats, Floats]:
        """Return the point in the middle of one step of each way."""
        east, north = self.east, self.north
        gone = (2 * step + 1) * ways.metres / (2 * ways.steps)
        start_east, start_north = east[ways.origin], north[ways.origin]
        end_east, end_north = east[ways.target], north[ways.target]
        share = gone / np.maximum(ways.metres, 1)
        rows = np.flatnonzero(ways.by_road)
        if rows.size:
            found = self._on_road(ways, rows, gone[rows])
            start_east[rows], start_north[rows], end_east[rows], end_north[rows], share[rows] = (
                found
            )
        return (
            start_east + share * (end_east - start_east),
            start_north + share * (end_north - start_north),
        )

    def _on_road(
        self, ways: Ways, rows: Rows, gone: Floats
    ) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Return both ends of the stretch on which travellers are, and the part of it behind."""
        roads = self.roads
        origin, target = ways.origin[rows], ways.target[rows]
        first, last = self.node[origin].astype(np.int64), self.node[target].astype(np.int64)
        number = first * len(roads.east) + last
        lead_in, road = self.to_node[origin], roads.metres.reshape(-1)[number]
        passed = gone - lead_in  # metres of trunk road behind
        behind = roads.locate(number, np.clip(passed.astype(np.int64), 0, np.maximum(road - 1, 0)))
        here, there = roads.node[behind], roads.node[behind + 1]
        start, stop = roads.gone[behind], roads.gone[behind + 1]
        share = (passed - start) / np.maximum(stop - start, 1)
        start_east, start_north = roads.east[here], roads.north[here]
        end_east, end_north = roads.east[there], roads.north[there]
        # From the site to the first node, and from the last one to the site.
        some = np.flatnonzero(passed <= 0)
        at, node = origin[some], first[some]
        start_east[some], start_north[some] = self.east[at], self.north[at]
        end_east[some], end_north[some] = roads.east[node], roads.north[node]
        share[some] = gone[some] / np.maximum(lead_in[some], 1.0)
        some = np.flatnonzero((passed >= road) & (passed > 0))
        at, node = target[some], last[some]
        start_east[some], start_north[some] = roads.east[node], roads.north[node]
        end_east[some], end_north[some] = self.east[at], self.north[at]
        share[some] = (passed[some] - road[some]) / np.maximum(self.to_node[at], 1.0)
        return start_east, start_north, end_east, end_north, share


def _raster(usable: Rows, pixel_of_site: Rows, width: int, height: int) -> Raster:
    """Build the raster of the nearest of some sites."""
    pixel = pixel_of_site[usable]
    order = np.argsort(pixel, kind="stable")
    occupied, first = np.unique(pixel[order], return_index=True)
    label = _nearest(occupied, width, height)
    return Raster(
        bucket=label,
        start=np.append(first, len(order)).astype(np.int32),
        sites=usable[order].astype(np.int32),
    )


def _nearest(occupied: Rows, width: int, height: int) -> npt.NDArray[np.int32]:
    """Return by pixel the number of the nearest occupied one (jump flooding, Rong and Tan 2006)."""
    row, column = np.divmod(np.arange(width * height).reshape(height, width), width)
    there_row, there_column = np.divmod(occupied, width)
    label = np.full((height, width), -1, dtype=np.int64)
    label[there_row, there_column] = np.arange(len(occupied))
    far = 4 * (width + height) ** 2
    best = np.where(label >= 0, 0, far)
    jump = 1 << (max(width, height) - 1).bit_length()
    while jump > 1:
        jump //= 2
        # Twice at the last distance mends most of what the jumps overlook.
        for _ in range(2 if jump == 1 else 1):
            for up in (-jump, 0, jump):
                for across in (-jump, 0, jump):
                    _take_over(label, best, up, across, (row, column, there_row, there_column))
    return label.reshape(-1).astype(np.int32)


def _cover(
    usable: Rows,
    hearing: Floats,
    east: Floats,
    north: Floats,
    raster: Raster,
    width: int,
    height: int,
) -> npt.NDArray[np.int32]:
    """Return by pixel the site that is best heard all over it; where none is, the nearest.

    Args:
        usable: The sites.
        hearing: How far the widest cell of each site is heard, in km.
        east: Positions of all sites from the corner of the raster, in km.
        north: The same.
        raster: The nearest of the sites.
        width: Pixels from west to east.
        height: Pixels from south to north.
    """
    found = raster.sites[raster.start[raster.bucket]].copy()
    best = np.full(width * height, np.inf)
    reach = np.ceil(hearing[usable]).astype(np.int64) + 1
    # Site after site a window of pixels; of equal ones the first site's counts.
    for site, pixels in zip(usable, reach, strict=True):
        column, row = int(east[site]), int(north[site])
        columns = np.arange(max(column - pixels, 0), min(column + pixels + 1, width))
        rows = np.arange(max(row - pixels, 0), min(row + pixels + 1, height))
        across, up = columns + 0.5 - east[site], rows[:, None] + 0.5 - north[site]
        # What is left of the hearing: less than nothing where the site is out of hearing.
        lacking = np.sqrt(across * across + up * up) - hearing[site]
        place = rows[:, None] * width + columns
        nearer = lacking < best[place]
        best[place[nearer]] = lacking[nearer]
        found[place[nearer]] = site
    return found


def _take_over(
    label: Rows, best: Rows, up: int, across: int, where: tuple[Rows, Rows, Rows, Rows]
) -> None:
    """Let each pixel take the label of another at some distance, where that is nearer."""
    row, column, there_row, there_column = where
    height, width = label.shape
    inner = (
        slice(max(-up, 0), height - max(up, 0)),
        slice(max(-across, 0), width - max(across, 0)),
    )
    outer = (
        slice(max(up, 0), height - max(-up, 0)),
        slice(max(across, 0), width - max(-across, 0)),
    )
    if inner[0].start >= inner[0].stop or inner[1].start >= inner[1].stop:
        return
    offered = label[outer].copy()
    square = (there_row[offered] - row[inner]) ** 2 + (there_column[offered] - column[inner]) ** 2
    nearer = (offered >= 0) & (square < best[inner])
    np.copyto(label[inner], offered, where=nearer)
    np.copyto(best[inner], square, where=nearer)


def _beside(east: Floats, north: Floats, usable: Rows) -> npt.NDArray[np.int32]:
    """Return for each site the nearest usable other ones, shape (sites, `NEIGHBOURS`).

    A network of very few sites has them several times.
    """
    found = np.empty((len(east), NEIGHBOURS), dtype=np.int32)
    for start in range(0, len(east), _DISTANCE_BLOCK):
        rows = np.arange(start, min(start + _DISTANCE_BLOCK, len(east)))
        across = east[rows][:, None] - east[usable]
        up = north[rows][:, None] - north[usable]
        square = across * across + up * up
        square[rows[:, None] == usable] = np.inf
        for number in range(NEIGHBOURS):
            nearest = square.argmin(axis=1)
            found[rows, number] = usable[nearest]
            if number + 1 < len(usable) - 1:
                square[np.arange(len(rows)), nearest] = np.inf
    return found


def _attraction(people: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return what each pixel attracts: the people around it, a little less than in proportion.

    Where nobody lives within some kilometres, it is 0: that is how the country ends.
    """
    for _ in range(2):
        for axis in (0, 1):
            people = sum(
                (np.roll(people, shift, axis) for shift in range(-_SETTLED, _SETTLED + 1)),
                start=np.zeros_like(people),
            )
    spread = people / (2 * _SETTLED + 1) ** 4
    # The power of 3/4, by roots.
    return np.ceil(np.sqrt(spread * np.sqrt(spread))).reshape(-1).astype(np.int64)


def _cells_of_sites(cells: pl.DataFrame, site: Rows, count: int) -> npt.NDArray[np.int32]:
    """Share the slots of each site, use and preference among its best cells.

    By their capacity, and by how much of the use lies in front of their sector.
    """
    rats = cells["rat_type"].cast(pl.String).to_list()
    capacity = cells["capacity"].to_numpy().astype(np.int64)
    sector = cells["sector"].to_numpy()
    ranks = []
    for preference in _PREFERENCES:
        order = {str(rat): rank for rank, rat in enumerate(preference)}
        ranks.append(np.array([order[rat] for rat in rats]))
    weights = [capacity * zoning.shares(site, sector, use) for use in Use]
    slots = [_slots(site, count, rank, weight) for weight in weights for rank in ranks]
    # Of the cells that a device speaks with, those that are heard farthest.
    reach = cells["range_m"].to_numpy().astype(np.int64)
    for spoken, rank in zip(_SPOKEN, ranks, strict=True):
        wide = np.maximum(rank - spoken + 1, 0) * _FARTHEST - reach
        slots.append(_slots(site, count, wide, weights[Use.WAY]))
    return np.concatenate(slots).astype(np.int32)


def _slots(site: Rows, count: int, rank: Rows, weight: Rows) -> Rows:
    """Return the cells in the slots of each site: of its cells of the best rank, by weight."""
    best = np.full(count, rank.max())
    np.minimum.at(best, site, rank)
    chosen = np.flatnonzero(rank == best[site])
    chosen = chosen[np.argsort(site[chosen], kind="stable")]
    edges = np.searchsorted(site[chosen], np.arange(count + 1))
    cumulated = np.concatenate([[0], np.cumsum(weight[chosen])])
    start, total = cumulated[edges[:-1]], np.diff(cumulated[edges])
    odd = 2 * np.arange(_SLOTS) + 1
    place = start[:, None] + total[:, None] * odd // (2 * _SLOTS)
    return chosen[np.searchsorted(cumulated[1:], place.reshape(-1), side="right")]


def _durations() -> npt.NDArray[np.int32]:
    """Return the seconds of ways by length, straight between the points of `_MINUTES`."""
    table = []
    place = 0
    for step in range(_LONGEST_METRES // _TABLE_METRES + 1):
        metres = step * _TABLE_METRES
        while metres > _MINUTES[place + 1][0] * 1000:
            place += 1
        (near, quick), (far, slow) = _MINUTES[place], _MINUTES[place + 1]
        minutes = quick + (slow - quick) * (metres / 1000 - near) / (far - near)
        table.append(round(minutes * 60))
    return np.array(table, dtype=np.int32)
