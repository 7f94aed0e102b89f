"""How long answered calls and data sessions last at least and at most, as the world bounds them.

Belongs here: talk times between the world's bounds (`settings.bounds`). Does not belong here: the
distributions themselves (`attempts`, `missed`, `data_usage`), what cuts a call off (`attempts`).

Lengths outside the bounds do not arise: a talk time is drawn from its distribution between them, so
that its shape is kept; nothing is cut to a bound afterwards. Without bounds people talk as they do,
up to `charging.voice_max_s`.
"""

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine.calendar import SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.settings import WorldConfig

Floats = npt.NDArray[np.float64]


def shortest(config: WorldConfig) -> int:
    """Return the shortest answered call or data session in microseconds; 0: as they come."""
    return 0 if config.bounds is None else config.bounds.shortest_s * SECOND


def talk_time(
    config: WorldConfig,
    table: QuantileTable,
    random_bits: Bits,
    factor: Floats | float = 1.0,
    most: int | None = None,
) -> Floats:
    """Return how long each of some calls lasts, in seconds.

    Args:
        config: The world.
        table: How long calls of the kind last.
        random_bits: 64 random bits per call.
        factor: Factor on it.
        most: Longest call of the kind in seconds, where it is not the network's.
    """
    longest = config.longest_call_s if most is None else min(most, config.longest_call_s)
    least = shortest(config) // SECOND
    if not least:
        return np.minimum(table.sample(random_bits) * factor, longest)
    factor = np.broadcast_to(factor, random_bits.shape)
    return table.between(random_bits, least / factor, longest / factor) * factor
