"""Load: what a cell's load does to the service it gives, as a stated queueing model.

Belongs here: formulas from load (offered traffic over capacity) to quality. Does not belong here:
where the load comes from (`demand`), faults (`faults`). docs/network.md tells the same in prose.

The air interface shares its capacity among the transfers in progress (processor sharing, M/G/1-PS:
a user gets the part 1 - load of an empty cell's rate); packets wait as in M/M/1; an attempt is not
admitted with the probability of a full M/M/1/K with `PLACES` places. Load is looked up in
thousandths, so results are the same on any processor.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from telco_pipeline.state.plant import Floats

PLACES: Final = 40
"""Transfers that a cell admits at a time, K of M/M/1/K."""
_STEPS: Final = 4000  # thousandths of load in the tables: up to 4
_OVERHEAD: Final = 6.0  # percent of the blocks for reference signals and broadcast
_LEAST_PART: Final = 0.05  # of an empty cell's rate that is left in a full one
_WAIT: Final = 4.0  # milliseconds of queueing at load 1/2
_LONGEST_WAIT: Final = 180.0
_LOSS_FROM: Final = 0.80  # load from which buffers overflow now and then
_LOSS_SLOPE: Final = 6.0  # percent at a load of that plus 1
# What happens in an empty healthy cell (practice): setups that fail, calls that drop, handovers
# that fail; and how many times that at load 1, which makes interference.
BLOCK: Final = 0.0030
DROP: Final = 0.0032
HANDOVER: Final = 0.0125
_INTERFERENCE: Final = 1.2


@dataclass(frozen=True)
class Quality:
    """Service of some cells in some hours; arrays of one shape.

    Attributes:
        prb_use: Percent.
        throughput_factor: Part of an empty cell's rate.
        latency: Milliseconds added.
        loss: Percent added.
        block: Probability that an attempt is not admitted.
        drop: Probability that a call of usual length is lost.
        handover: Probability that a handover fails.
    """

    prb_use: Floats
    throughput_factor: Floats
    latency: Floats
    loss: Floats
    block: Floats
    drop: Floats
    handover: Floats


def blocking(load: float, places: int = PLACES) -> float:
    """Return the part of the attempts that find all places of M/M/1/K taken."""
    if load <= 0.0:
        return 0.0
    weight, total = 1.0, 1.0
    for _ in range(places):
        # From the full system down: terms of rho**-n, so nothing overflows.
        weight /= load
        total += weight
        if weight < 1e-18:
            break
    return 1.0 / total


def _tables() -> dict[str, Floats]:
    """Return each measure by load in thousandths, rounded beyond any processor's differences."""
    loads = [step / 1000 for step in range(_STEPS + 1)]
    interference = [1.0 + _INTERFERENCE * min(load, 1.5) ** 2 for load in loads]
    free = [max(1.0 - load, 1e-9) for load in loads]
    raw = {
        "prb_use": [_OVERHEAD + (100.0 - _OVERHEAD) * min(load, 1.0) for load in loads],
        "throughput_factor": [max(1.0 - load, _LEAST_PART) / max(load, 1.0) for load in loads],
        "latency": [
            min(_WAIT * load / part, _LONGEST_WAIT) for load, part in zip(loads, free, strict=True)
        ],
        "loss": [min(_LOSS_SLOPE * max(load - _LOSS_FROM, 0.0) ** 2, 30.0) for load in loads],
        "block": [
            min(BLOCK * more + blocking(load), 1.0)
            for load, more in zip(loads, interference, strict=True)
        ],
        "drop": [DROP * more for more in interference],
        "handover": [HANDOVER * more for more in interference],
    }
    return {name: np.round(np.array(values, dtype=np.float64), 7) for name, values in raw.items()}


_TABLES: Final = _tables()


def quality(load: Floats) -> Quality:
    """Return the service that cells give at some loads (offered traffic over capacity)."""
    step = np.minimum(np.rint(load * 1000.0), _STEPS).astype(np.int64)
    return Quality(**{name: values[step] for name, values in _TABLES.items()})
