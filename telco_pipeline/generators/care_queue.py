"""The waiting line of customer care: how many agents are planned, how long a customer waits.

Belongs here: the queueing model. Does not belong here: who contacts care and how (`care_contacts`),
who answers (`care_agents`).

One hour of a channel is an Erlang-A queue (M/M/N+M; Palm 1957, Mandelbaum and Zeltyn 2007): calls
come at random, N agents take them in order, and who waits hangs up at a rate of its own. With
`a` erlangs of work, handling times of mean 1/mu and patience of mean 1/theta, the chance to find n
in the system follows from

    p(n) / p(n - 1) = a mu / (min(n, N) mu + max(n - N, 0) theta)

and who finds n >= N waits for n - N + 1 departures, the k-th (from 0) at the rate N mu + k theta.
The hours of a day are taken one by one (stationary, independent periods: Green and Kolesar 1991).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.tables import QuantileTable

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

PLANNED_LOSS: Final = 0.03
"""Share of callers who may hang up in a planned hour: centres aim at 3 to 5 % (practice)."""
_EXPONENTIAL: Final = QuantileTable.exponential(1.0)
_MARGIN: Final = 40  # states beyond those that matter
_NEGLIGIBLE: Final = 8.0  # spreads beyond which a queue is never met


@dataclass(frozen=True)
class Queue:
    """One hour of a channel.

    Attributes:
        agents: Agents at work, N.
        cumulative: Chance to find at most n in the system, for n from 0.
        mean: Seconds until the next free agent when w others wait already, in the mean, for w
            from 0.
        spread: Their standard deviation.
        loss: Share of customers who hang up.
    """

    agents: int
    cumulative: Floats
    mean: Floats
    spread: Floats
    loss: float

    @classmethod
    def of(cls, erlangs: float, agents: int, handling: float, patience: float) -> Self:
        """Work out a queue.

        Args:
            erlangs: Work that comes in: customers an hour times handling time in hours; above 0.
            agents: Agents at work, at least 1.
            handling: Mean handling time in seconds.
            patience: Mean time in seconds after which who waits hangs up.
        """
        leaving = handling / patience  # in units of the handling rate
        over = max(erlangs - agents, 0.0) / leaving
        spread = (erlangs / leaving + agents) ** 0.5
        last = agents + int(over + _NEGLIGIBLE * spread) + _MARGIN
        state = np.arange(1, last + 1)
        waiting = np.maximum(state - agents, 0)
        ratio = erlangs / (np.minimum(state, agents) + waiting * leaving)
        # Outwards from the likeliest state, so that nothing overflows. Only multiplications,
        # divisions and additions one after the other: the same to the bit on any processor.
        mode = int(np.searchsorted(-ratio, -1.0))
        down = np.multiply.accumulate(1.0 / ratio[:mode][::-1])[::-1]
        up = np.multiply.accumulate(ratio[mode:])
        weight = np.concatenate([down, [1.0], up])
        total = np.add.accumulate(weight)
        cumulative = total / total[-1]
        queue = np.add.accumulate(weight[1:] * waiting)[-1] / total[-1]
        rate = (agents + np.arange(last - agents + 1) * leaving) / handling
        mean = np.add.accumulate(1.0 / rate)
        variance = np.add.accumulate(1.0 / (rate * rate))
        loss = float(queue * leaving / erlangs)
        return cls(agents, cumulative, mean, np.sqrt(variance), loss)

    def waits(self, state: Bits, wait: Bits) -> Floats:
        """Return how long a customer would wait, in seconds, if he never hung up.

        One departure is exponential; of several the sum has the right mean and spread, and the
        shape of one.

        Args:
            state: Random bits that choose how many he finds in the system.
            wait: Random bits that choose how fast they leave it.
        """
        found = np.searchsorted(self.cumulative, draws.uniform(state), side="right")
        before = np.clip(found - self.agents, 0, len(self.mean) - 1)
        drawn = self.mean[before] + self.spread[before] * (_EXPONENTIAL.sample(wait) - 1.0)
        return np.where(found < self.agents, 0.0, np.maximum(drawn, 0.0))


@lru_cache(maxsize=4096)
def planned_agents(erlangs: float, handling: float, patience: float) -> int:
    """Return the fewest agents with whom no more than `PLANNED_LOSS` hang up (see `Queue.of`)."""
    low, high = 0, int(erlangs + 4.0 * erlangs**0.5) + 4
    while high - low > 1:
        middle = (low + high) // 2
        if Queue.of(erlangs, middle, handling, patience).loss > PLANNED_LOSS:
            low = middle
        else:
            high = middle
    return high
