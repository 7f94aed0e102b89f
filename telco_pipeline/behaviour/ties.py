"""Ties by entity number: whom each subscriber knows among our own, in compact arrays.

Belongs here: indexing the frame of `social_ties`. Does not belong here: how ties come about
(`world.ties`), the choice of the other party of an event (`contacts`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.world.ties import WEIGHT_UNIT

TIE_COLUMNS: Final = ("subscriber_id", "other_subscriber_id", "weight")
"""Columns of `social_ties` that are indexed."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ties:
    """Ties in rows by entity, both directions; the strongest tie of an entity comes first.

    Attributes:
        start: First tie of each entity, and the end of the last one's (N + 1 values).
        other: Entity number of the other end (M values).
        cumulated: Weight of all ties before each one, in thousandths, and of all (M + 1 values).
    """

    start: Rows
    other: npt.NDArray[np.int32]
    cumulated: Rows

    @classmethod
    def of(cls, subscriber_id: Rows, ties: pl.DataFrame) -> "Ties":
        """Index a frame of the `social_ties` contract.

        Args:
            subscriber_id: Keys by entity number.
            ties: The frame, with `TIE_COLUMNS`.

        Raises:
            ValueError: When a tie has an end that is no subscriber.
        """
        one = _entities(subscriber_id, ties["subscriber_id"])
        two = _entities(subscriber_id, ties["other_subscriber_id"])
        weight = np.rint(ties["weight"].to_numpy() * WEIGHT_UNIT).astype(np.int32)
        del ties
        key = np.concatenate([one, two]).astype(np.int64)
        count = np.bincount(key, minlength=len(subscriber_id))
        # Equal weights keep the order of the frame. In place, for there are millions of ties.
        key <<= 32
        falling = int(weight.max(initial=0)) - weight
        key[: len(one)] |= falling
        key[len(one) :] |= falling
        order = np.argsort(key, kind="stable")
        del key, falling
        other = np.concatenate([two, one])[order]
        row = order % np.int64(max(len(one), 1))
        del one, two, order
        cumulated = np.zeros(len(row) + 1, dtype=np.int64)
        np.cumsum(weight[row], out=cumulated[1:])
        return cls(np.concatenate([[0], np.cumsum(count)]), other, cumulated)

    def degree(self, entity: Rows) -> Rows:
        """Return the number of ties of each entity."""
        return self.start[entity + 1] - self.start[entity]

    def strength(self, entity: Rows) -> Rows:
        """Return the summed weight of the ties of each entity, in thousandths."""
        return self.cumulated[self.start[entity + 1]] - self.cumulated[self.start[entity]]

    def weight(self) -> npt.NDArray[np.float64]:
        """Return the weight of each tie, in the order of `other`."""
        return np.diff(self.cumulated) / WEIGHT_UNIT


def _entities(subscriber_id: Rows, keys: pl.Series) -> npt.NDArray[np.int32]:
    """Return the entity number of each key."""
    number = np.arange(len(subscriber_id), dtype=np.int32)
    index = pl.DataFrame({"key": subscriber_id, "row": number})
    found = pl.DataFrame({"key": keys}).join(index, on="key", how="left", maintain_order="left")
    if found["row"].null_count():
        raise ValueError(f"column {keys.name} has a key that is no subscriber's")
    return found["row"].to_numpy()
