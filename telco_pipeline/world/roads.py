"""Roads: which way leads from one part of the country to another.

Belongs here: a small road graph over the larger places, and the shortest ways on it. Does not
belong here: who travels when, and how fast (`behaviour`).

No map of real roads comes with the package. The Gabriel graph of a few hundred places (two are
joined if no third lies in the circle between them) is planar and joins neighbours, as trunk roads
do; shortest ways on it run from town to town.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.world.places import Floats, plane, settled_population

_NODES: Final = 256
_APART_KM: Final = 6.0  # nearer than this to a larger place, a place has no junction of its own
_ROAD_FACTOR: Final = 1.2  # roads wind: length over distance as the crow flies, in 1/1000 km
_UNREACHED: Final = 1 << 28
_METRE_BITS: Final = 29

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Roads:
    """The road graph.

    Attributes:
        east, north: Positions of the nodes in km (`places.plane`).
        metres: Length of the shortest way between any two nodes, shape (nodes, nodes).
        node: The nodes on the shortest ways, way after way (that from node i to node j has the
            number i * nodes + j), and one more.
        gone: Metres of the way before each of them.
        mark: Number of the way and metres, packed, in rising order: where `locate` looks.
    """

    east: Floats
    north: Floats
    metres: npt.NDArray[np.int32]
    node: npt.NDArray[np.int16]
    gone: npt.NDArray[np.int32]
    mark: npt.NDArray[np.int64]

    @classmethod
    def of(cls, places: pl.DataFrame) -> "Roads":
        """Build the graph over the larger places.

        Args:
            places: Frame of `places.build_places`.
        """
        east, north = plane(places["latitude"].to_numpy(), places["longitude"].to_numpy())
        chosen = _junctions(east, north, np.rint(settled_population(places)).astype(np.int64))
        east, north = east[chosen], north[chosen]
        metres, step = _shortest(_gabriel(east, north))
        return cls(east, north, metres, *_paths(metres, step))

    def locate(self, way: Rows, metres: Rows) -> Rows:
        """Return the last node passed on some ways, as a row of `node`.

        Args:
            way: Number of each way.
            metres: Metres behind, at least 0 and less than the way is long; of a way of length 0
                the row means nothing.
        """
        return self.mark.searchsorted((way << _METRE_BITS) + metres, side="right") - 1

    def nearest(self, east: Floats, north: Floats) -> tuple[npt.NDArray[np.int16], Floats]:
        """Return the node nearest to each point, and the length of the road to it in metres."""
        across = east[:, None] - self.east
        up = north[:, None] - self.north
        square = across * across + up * up
        node = square.argmin(axis=1)
        km = np.sqrt(square[np.arange(len(node)), node])
        return node.astype(np.int16), np.rint(km * (1000 * _ROAD_FACTOR))


def _junctions(east: Floats, north: Floats, people: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the places that are nodes: by falling size, none near a larger one."""
    free = np.ones(len(people), dtype=np.bool_)
    chosen = []
    for row in np.lexsort((east, -people)):
        if not free[row]:
            continue
        chosen.append(row)
        if len(chosen) == _NODES:
            break
        across, up = east - east[row], north - north[row]
        free &= across * across + up * up > _APART_KM * _APART_KM
    return np.array(chosen)


def _gabriel(east: Floats, north: Floats) -> npt.NDArray[np.int32]:
    """Return the lengths of the roads between neighbours in metres; `_UNREACHED` elsewhere."""
    count = len(east)
    square = (east[:, None] - east) ** 2 + (north[:, None] - north) ** 2
    lengths = np.full((count, count), _UNREACHED, dtype=np.int32)
    for node in range(count):
        # A third place inside the circle sees both ends at more than a right angle.
        inside = square[node][None, :] + square < square[node][:, None]
        inside[:, node] = False
        np.fill_diagonal(inside, False)
        joined = ~inside.any(axis=1)
        km = np.sqrt(square[node, joined])
        lengths[node, joined] = np.rint(km * (1000 * _ROAD_FACTOR)).astype(np.int32)
    np.fill_diagonal(lengths, 0)
    return lengths


def _shortest(
    lengths: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]:
    """Return lengths and first steps of the shortest ways (Floyd and Warshall)."""
    count = len(lengths)
    metres = lengths.copy()
    step = np.broadcast_to(np.arange(count, dtype=np.int16), (count, count)).copy()
    for middle in range(count):
        over = metres[:, middle, None] + metres[None, middle]
        shorter = over < metres
        np.copyto(metres, over, where=shorter)
        np.copyto(step, np.broadcast_to(step[:, middle, None], step.shape), where=shorter)
    return metres, step


def _paths(
    metres: npt.NDArray[np.int32], step: npt.NDArray[np.int16]
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int32], Rows]:
    """Return the nodes of all shortest ways, the metres before each, and both packed."""
    count = len(metres)
    metres, step = metres.reshape(-1), step.reshape(-1)
    way = np.arange(count * count)
    node, end = np.divmod(way, count)
    ways, nodes, gone = [way], [node], [np.zeros_like(way)]
    whole = metres.astype(np.int64)
    while True:
        ahead = np.flatnonzero(node != end)
        if not ahead.size:
            break
        way, end = way[ahead], end[ahead]
        node = step[node[ahead] * count + end].astype(np.int64)
        ways.append(way)
        nodes.append(node)
        gone.append(whole[way] - metres[node * count + end])
    mark = (np.concatenate(ways) << _METRE_BITS) + np.concatenate(gone)
    order = np.argsort(mark, kind="stable")
    found = np.append(np.concatenate(nodes)[order], 0).astype(np.int16)
    return found, np.append(np.concatenate(gone)[order], 0).astype(np.int32), mark[order]
