"""Elsewhere: which calls and messages layers lead to other numbers than usual.

Belongs here: which trains a layer turns aside, and to whom each event of one goes at its time. Does
not belong here: which numbers these are (`behaviour.contacts`), how trains go on (`calls`, `sms`).

A train that somebody begins is turned aside as a whole: each call or message of it that he starts
is a single one to a number of its own, and nobody there calls back or answers. So the layer moves
what he starts, and he starts about as much as without it. Where several layers would turn a train,
the one that began later does.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.generators.base import Day, Rows
from telco_pipeline.scenarios.effects import Destinations
from telco_pipeline.scenarios.story import Touch

Flags = npt.NDArray[np.bool_]
_AT_HOME: Final = -1


@dataclass(frozen=True)
class Aims:
    """Where layers lead some trains.

    Attributes:
        day: The day on which they begin.
        touches: The effects.
        which: Which of them leads each train; -1 for none.
        ego: Who begins each.
    """

    day: Day
    touches: tuple[Touch, ...]
    which: Rows
    ego: Rows

    @property
    def lead(self) -> Flags:
        """Which trains they lead."""
        return self.which != _AT_HOME

    def parties(self, train: Rows, usual: Rows, key: Bits, time: Rows) -> tuple[Rows, Flags]:
        """Return to whom events go, and which of them go elsewhere.

        Args:
            train: Train of each event.
            usual: The other party of its train.
            key: Hash of each event.
            time: When, in microseconds since the start of the day.
        """
        which = self.which[train]
        aside = which != _AT_HOME
        party = usual
        for number in np.unique(which[aside]):
            rows = np.flatnonzero(which == number)
            party = usual.copy() if party is usual else party

            def is_customer(entity: Rows, some: Rows, rows: Rows = rows) -> Flags:
                return self.day.in_service(entity, time[rows[some]])

            party[rows] = self.day.inputs.contacts.elsewhere(
                self.touches[number], self.ego[train[rows]], key[rows], is_customer
            )
        return party, aside


def aims(
    day: Day,
    of: Literal["calls", "messages"],
    ego: Rows,
    outward: Flags,
    time: Rows,
    key: Bits,
) -> Aims | None:
    """Return which trains layers lead elsewhere; None if none.

    Args:
        day: The day on which they begin.
        of: What they are made of.
        ego: With whom each is drawn.
        outward: Whether he begins it.
        time: When, in microseconds since the start of the day.
        key: Hash of each.
    """
    touches = day.story.of("destinations")
    which, since = np.full(len(ego), _AT_HOME), np.zeros(len(ego), dtype=np.int64)
    for number, touch in enumerate(touches):
        effect = touch.effect
        assert isinstance(effect, Destinations)
        if effect.of not in (of, "both"):
            continue
        rows, place = touch.among(ego)
        chosen = np.flatnonzero(outward[rows])
        rows, place = rows[chosen], place[chosen]
        strength = touch.strength(place, time[rows] + day.start)
        bits = draws.bits(draws.mix(touch.key[place] ^ key[rows]), f"destinations/{of}")
        # Touches come in the order of their layers: of two that begin at once the later one holds.
        leads = draws.chance(bits, touch.amount(effect.share) * strength)
        leads &= touch.start[place] >= since[rows]
        which[rows[leads]] = number
        since[rows[leads]] = touch.start[place[leads]]
    return Aims(day, touches, which, ego) if (which != _AT_HOME).any() else None
