"""Zoning: what lies in the direction of each sector of a site.

Belongs here: which sector looks at homes, which at work places, which at roads and stations. Does
not belong here: who is served by which cell (`residence`, `behaviour.terrain`).

Built-up areas are zoned, so a sector mostly looks at one kind of use: that is why real cells fall
into residential, office and transport profiles (Xu et al., IEEE/ACM Trans. Networking 2017). A
site of one sector serves all of it.
"""

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws

Integers = npt.NDArray[np.int64]


class Use(IntEnum):
    """What people do in a zone."""

    HOME = 0
    WORK = 1
    WAY = 2
    VISIT = 3


_ZONES: Final = 3
# Share of each use (row) that lies in a zone of homes, of work places, of roads and stations
# (columns), in percent: our estimate. A site's sectors are, in an order of its own, one of each.
_SHARES: Final = np.array([[89, 4, 7], [13, 81, 6], [9, 9, 82], [78, 5, 17]])


def shares(site: Integers, sector: Integers, use: Use) -> Integers:
    """Return the share of a use that lies in front of each sector, in percent of three sectors.

    Args:
        site: Number of the site.
        sector: Number of the sector within its site.
        use: What people do there.
    """
    turn = draws.below(draws.keys(draws.stream(0, "zoning"), site), _ZONES)
    zone = (sector.astype(np.int64) + turn) % _ZONES
    return _SHARES[use, zone]
