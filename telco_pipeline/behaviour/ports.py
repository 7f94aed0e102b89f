"""Ports: to which other network somebody goes who ports the number out.

Belongs here: the choice of that network. Does not belong here: who leaves and when
(`state.customers`), numbers that are ported in (`allotment`).
"""

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.allotment import other_operators
from telco_pipeline.engine import draws
from telco_pipeline.engine.tables import Choice
from telco_pipeline.settings import WorldConfig


def operator_after_port_out(
    config: WorldConfig, entity: npt.NDArray[np.integer]
) -> npt.NDArray[np.int8]:
    """Return the operator (position in `config.operators`) to which each entity would go.

    By the shares of the other operators; the same whenever it leaves, so that records and changes
    of identity agree without asking each other. Ours where there is no other.

    Args:
        config: The world.
        entity: Entity numbers.
    """
    others = other_operators(config)
    if not others:
        own = config.operators.index(config.own_operator)
        return np.full(len(entity), own, dtype=np.int8)
    shares = Choice.of([config.operators[other].share for other in others])
    bits = draws.keys(draws.stream(config.seed, "port_out/operator"), entity)
    return np.array(others, dtype=np.int8)[shares.sample(bits)]
