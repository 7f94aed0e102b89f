"""Offers: whom scenario layers offer something, when, and who takes it.

Belongs here: the message's moment, the day of taking it, as functions of a touch. Does not belong
here: the change of plan or life that follows (`lifecycle`), the message (`generators.cdrs.offers`).

Who takes an offer is drawn from hashes of the person and the campaign alone, and nothing else is
drawn otherwise for it. So a world without the layer is the same person's life without the offer,
and what the offer does to each person is known exactly.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, DayClock
from telco_pipeline.engine.tables import QuantileTable
from telco_pipeline.scenarios.effects import Offer
from telco_pipeline.scenarios.story import Touch

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

UPGRADE: Final = "upgrade"
WIN_BACK: Final = "win_back"

# How much an offer moves somebody, relative to the mean: log-normal with mean 1 (ours).
_MOVED: Final = QuantileTable.level(0.6)
# Local hours in which campaigns send, the last one excluded (practice: not in the evening).
_SENDS: Final = (9, 18)


@dataclass(frozen=True)
class Offered:
    """Those whom a campaign makes an offer: one array element each.

    Attributes:
        entity: Who, rising.
        key: Key of the draws.
        day: UTC day of the offer, since 1970.
        taken: UTC day on which it is taken, -1 if it is not.
    """

    entity: Rows
    key: draws.Bits
    day: Rows
    taken: Rows

    def select(self, chosen: npt.NDArray) -> "Offered":
        """Return some of them (mask or positions)."""
        return Offered(self.entity[chosen], self.key[chosen], self.day[chosen], self.taken[chosen])


def days_of(touch: Touch) -> tuple[Rows, Rows]:
    """Return the UTC days on which people may act within the time of a touch.

    The whole ones and the last one if its first half belongs to it; of a time without such days
    the one on which it begins.

    Returns:
        The first day of each target, since 1970, and the number of days.
    """
    first, whole = touch.start // DAY, -(-touch.start // DAY)
    last = (touch.end - DAY // 2) // DAY
    first = np.where(whole <= last, whole, first)
    return first, np.maximum(last - first, 0) + 1


def offered(touch: Touch) -> Offered:
    """Return whom a touch of `offer` makes an offer, and who takes it, on any day.

    The offer comes in the first half of the time. Who takes it does so after a night at least,
    most of them soon; within a single day, on the same one.
    """
    effect = touch.effect
    assert isinstance(effect, Offer)
    control = draws.chance(draws.bits(touch.key, "control"), touch.amount(effect.control))
    chosen = np.flatnonzero(~control)
    key = touch.key[chosen]
    first, count = (values[chosen] for values in days_of(touch))
    day = first + draws.below(draws.bits(key, "day"), (count + 1) // 2)
    lift = np.round(touch.amount(effect.lift) * _MOVED.sample(draws.bits(key, "moved")), 9)
    takes = draws.chance(draws.bits(key, "takes"), lift)
    left = first + count - 1 - day
    soon = draws.uniform(draws.bits(key, "soon"))
    later = np.minimum(1 + (left * soon * soon).astype(np.int64), left)
    return Offered(touch.rows[chosen], key, day, np.where(takes, day + later, -1))


def sent_at(key: draws.Bits, clock: DayClock) -> Rows:
    """Return when offers are sent on their day, in microseconds of the UTC day."""
    first, last = _SENDS
    second = draws.below(draws.bits(key, "second"), (last - first) * HOUR // SECOND)
    local = first * HOUR + second * SECOND + draws.below(draws.bits(key, "microsecond"), SECOND)
    return clock.utc_of_local(local)[0]
