"""Bursts: how one call or message between two people leads to the next.

Belongs here: the chance that a train goes on, and how long the next event of it waits. Does not
belong here: what a call or a message is (`generators.cdrs`), when trains begin (`rhythm`).

Trains belong to pairs: the events of one run between the same two people, in either direction
(Karsai et al., Scientific Reports 2, 397, 2012). The chance of another event after n of them grows
with n, as (n / (n + 1))**v: the reinforcement that makes train sizes fall off as E**-(v + 1).
Within a train the gaps fall off as gap**-0.7.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import HOUR, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileTable

GAP_EXPONENT: Final = 0.7
"""Gaps within a train fall off as gap**-0.7 (Karsai 2012)."""

LONGEST_TRAIN: Final = 2 * HOUR
"""No event of a train starts later than this after its first one."""


@dataclass(frozen=True)
class Train:
    """How trains of one kind of event go on.

    Attributes:
        positions: Most events of a train; a power of two.
        chance: Chance of another event after n of them, by n from 0 (of no meaning) to positions.
        gaps: Seconds from the end of an event to the next.
    """

    positions: int
    chance: npt.NDArray[np.float64]
    gaps: QuantileTable

    @classmethod
    def of(cls, exponent: float, positions: int, shortest: float, longest: float) -> "Train":
        """Return trains of sizes that fall off as size**-(exponent + 1).

        Args:
            exponent: Exponent of the reinforcement.
            positions: Most events of a train.
            shortest: Shortest gap in seconds.
            longest: Longest gap in seconds.
        """
        steps = [(n / (n + 1)) ** exponent for n in range(positions)]
        return cls(
            positions,
            np.array([*(float(f"{step:.7g}") for step in steps), 0.0]),
            QuantileTable.of(power_law_quantile(shortest, longest)),
        )

    def wait(self, key: Bits) -> npt.NDArray[np.int64]:
        """Return microseconds from the end of an event to the next, by the next one's key."""
        return (self.gaps.sample(draws.bits(key, "gap")) * SECOND).astype(np.int64)


def power_law_quantile(shortest: float, longest: float):
    """Return the quantile function of gap**-0.7 between two bounds, in their unit."""
    power = 1.0 - GAP_EXPONENT
    low, high = shortest**power, longest**power
    return lambda p: (low + p * (high - low)) ** (1.0 / power)
