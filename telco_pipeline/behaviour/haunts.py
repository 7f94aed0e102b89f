"""Which place somebody goes to: exploration and preferential return (Song et al. 2010).

Belongs here: the place of a person's n-th visit beside home and work. Does not belong here: when
there is a visit (`plans`), how places are reached (`terrain`).

A visit is *new* with probability 0.6 S^-0.21, where S is the expected number of places known by
then; else it goes where an earlier visit went, any of them being equally likely, so that a place is
chosen in proportion to the visits that it has had. Whether visit n is new, and to which earlier one
it points, are hashes of (person, n): following the pointers gives the place of any visit without a
history.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.terrain import Terrain
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileFamily

Rows = npt.NDArray[np.int64]

# P(new) = 0.6 S^-0.21 (Song 2010).
_NEW: Final = 0.6
_TIRE: Final = 0.21
_TABLE_VISITS: Final = 1 << 15  # beyond that many visits, as after that many

# Distance of a place from where somebody lives: (d + 1.5 km)^-1.75 exp(-d / cut-off), the jump law
# of Gonzalez 2008. Cut-offs are personal: their mixture has the heavy tail of the measured radius
# of gyration, (r + 5.8 km)^-1.65, cut off at Belgium's size.
CUT_OFFS_KM: Final = (2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 100.0)
"""Cut-off of the distances by range class."""
_OFFSET_KM: Final = 1.5
_EXPONENT: Final = 1.75
NEAR_WORK: Final = len(CUT_OFFS_KM)
"""Range class of places around work: what a lunch break reaches."""
RETREAT: Final = len(CUT_OFFS_KM) + 1
"""Range class of places for a weekend or a holiday."""
_LUNCH_KM: Final = 1.2
_RETREAT_KM: Final = (15.0, 60.0)
_LONGEST_KM: Final = 250.0

_CANDIDATES: Final = 3  # of a place, of which one is chosen by what it attracts
_DIRECTIONS_LOG2: Final = 10


def _known(visits: int) -> float:
    """Return the expected number of places known after some visits: dS/dn = 0.6 S^-0.21."""
    return (1.0 + (1.0 + _TIRE) * _NEW * visits) ** (1.0 / (1.0 + _TIRE))


# Limit of 32 random bits below which a visit is new, by its number; the first always is.
_NEW_LIMIT: Final = np.array(
    [1 << 32]
    + [round(_NEW * _known(visits) ** -_TIRE * 2**32) for visits in range(1, _TABLE_VISITS)],
    dtype=np.uint64,
)
_LOW_32: Final = np.uint64((1 << 32) - 1)
_SHIFT_32: Final = np.uint64(32)

# Directions as (east, north), rounded: no trigonometry touches a row.
_DIRECTIONS: Final = np.array(
    [
        (round(math.cos(2 * math.pi * n / (1 << _DIRECTIONS_LOG2)), 7),
         round(math.sin(2 * math.pi * n / (1 << _DIRECTIONS_LOG2)), 7))
        for n in range(1 << _DIRECTIONS_LOG2)
    ]
)  # fmt: skip
_DIRECTION_MASK: Final = np.uint64((1 << _DIRECTIONS_LOG2) - 1)


def _quantile(density: Callable[[float], float]) -> Callable[[float], float]:
    """Return the quantile function of distances up to `_LONGEST_KM` with some density."""
    edges = [_LONGEST_KM * (step / 2000) ** 2 for step in range(2001)]
    cumulated = [0.0]
    for low, high in pairwise(edges):
        cumulated.append(cumulated[-1] + density((low + high) / 2) * (high - low))

    def of(probability: float) -> float:
        wanted = probability * cumulated[-1]
        place = max(bisect_left(cumulated, wanted), 1)
        low, high = cumulated[place - 1], cumulated[place]
        share = (wanted - low) / (high - low) if high > low else 0.0
        return edges[place - 1] + share * (edges[place] - edges[place - 1])

    return of


def _jump(cut_off: float) -> Callable[[float], float]:
    return _quantile(lambda km: (km + _OFFSET_KM) ** -_EXPONENT * math.exp(-km / cut_off))


_DISTANCES: Final = QuantileFamily.of(
    [
        *(_jump(cut_off) for cut_off in CUT_OFFS_KM),
        _quantile(lambda km: math.exp(-km / _LUNCH_KM)),
        _quantile(lambda km: km * math.exp(-km / _RETREAT_KM[1]) if km > _RETREAT_KM[0] else 0.0),
    ]
)


def first_visit(person: Bits, visit: Rows) -> Rows:
    """Return the visit that found the place of each visit: itself if it is new.

    Args:
        person: Key per visit of who visits.
        visit: Number of the visit in the person's life, from 0.
    """
    found = visit.copy()
    pending = np.arange(len(visit))
    while pending.size:
        number = found[pending]
        bits = draws.events(person[pending], number)
        back = (bits & _LOW_32) >= _NEW_LIMIT[np.minimum(number, _TABLE_VISITS - 1)]
        pending = pending[back]
        earlier = (bits[back] >> _SHIFT_32) * number[back].astype(np.uint64)
        found[pending] = (earlier >> _SHIFT_32).astype(np.int64)
    return found


def place(
    terrain: Terrain,
    person: Bits,
    number: Rows,
    anchor: Rows,
    distance_class: npt.NDArray[np.integer],
    preference: npt.NDArray[np.integer],
) -> Rows:
    """Return the site of each person's place of some number.

    Of three points at distances from the anchor one is taken by what it attracts: towns more than
    fields, and nothing outside the country.

    Args:
        terrain: The country.
        person: Key per place of whose place it is.
        number: Number of the place, such as that of the visit that found it.
        anchor: Site around which the person looks.
        distance_class: Row of the distances: a range class, `NEAR_WORK` or `RETREAT`.
        preference: Row of what the person's device camps on.
    """
    event = draws.events(person, number)
    pixels, weights = [], []
    for candidate in range(_CANDIDATES):
        bits = draws.bits(event, f"candidate/{candidate}")
        km = _DISTANCES.sample(bits, distance_class)
        toward = (bits & _DIRECTION_MASK).astype(np.int64)
        pixel = terrain.pixel(
            terrain.east[anchor] + km * _DIRECTIONS[toward, 0],
            terrain.north[anchor] + km * _DIRECTIONS[toward, 1],
        )
        pixels.append(pixel)
        weights.append(terrain.attraction[pixel])
    sums = np.cumsum(np.stack(weights), axis=0)
    pick = draws.below(draws.bits(event, "choice"), np.maximum(sums[-1], 1))
    chosen = pixels[-1]
    for candidate in reversed(range(_CANDIDATES - 1)):
        chosen = np.where(pick < sums[candidate], pixels[candidate], chosen)
    site = terrain.near(chosen, preference, draws.bits(event, "site"))
    return np.where(sums[-1] > 0, site, anchor)
