"""The road graph: joined, symmetric, and with shortest ways that add up."""

from functools import cache

import numpy as np

from telco_pipeline.world.places import build_places
from telco_pipeline.world.roads import Roads
from telco_pipeline_tests.generators.kit import small_world


@cache
def _roads() -> Roads:
    return Roads.of(build_places(small_world()))


def test_every_place_is_reached_from_every_other() -> None:
    roads = _roads()
    count = len(roads.east)
    assert count > 150
    assert roads.metres.max() < 500_000
    assert (roads.metres == roads.metres.T).all()
    assert (np.diag(roads.metres) == 0).all()
    assert (roads.metres[~np.eye(count, dtype=bool)] > 4000).all()


def test_no_way_is_shorter_than_as_the_crow_flies_nor_much_longer() -> None:
    roads = _roads()
    straight = 1000 * np.hypot(roads.east[:, None] - roads.east, roads.north[:, None] - roads.north)
    far = straight > 20_000
    ratio = roads.metres[far] / straight[far]
    assert ratio.min() > 1.19
    assert 1.2 < np.median(ratio) < 1.5


def test_paths_lead_from_the_first_node_to_the_last() -> None:
    roads = _roads()
    count = len(roads.east)
    first, last = (each.reshape(-1) for each in np.indices((count, count)))
    way, length = np.arange(count * count), roads.metres.reshape(-1).astype(np.int64)
    begin = roads.locate(way, np.zeros_like(way))
    far = np.flatnonzero(first != last)
    assert (roads.node[begin[far]] == first[far]).all()
    assert (roads.gone[begin] == 0).all()
    end = roads.locate(way[far], length[far] - 1) + 1
    assert (roads.node[end] == last[far]).all()
    assert (roads.gone[end] == length[far]).all()
    # From node to node it is as far as the shortest way between the two.
    rows = np.repeat(np.arange(len(far)), end - begin[far])
    hops = end - begin[far]
    hop = np.arange(len(rows)) - (np.cumsum(hops) - hops)[rows] + begin[far][rows]
    metres = roads.metres[roads.node[hop], roads.node[hop + 1]]
    assert (roads.gone[hop + 1] - roads.gone[hop] == metres).all()
    assert (metres > 0).all()
    # What is located lies between two nodes.
    asked = length[far] // 3
    behind = roads.locate(way[far], asked)
    assert ((roads.gone[behind] <= asked) & (asked < roads.gone[behind + 1])).all()
