"""Ties by entity number: whom each subscriber knows among our own, in compact arrays.

Belongs here: indexing the frame of `social_ties`. Does not belong here: how ties come about
(`world.ties`), the choice of the other party of an event (`contacts`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.world.ties import WEIGHT_UNIT

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
            ties: The frame.

        Raises:
            ValueError: When a tie has an end that is no subscriber.
        """
        one = _entities(subscriber_id, ties["subscriber_id"])
        two = _entities(subscriber_id, ties["other_subscriber_id"])
        weight = np.rint(ties["weight"].to_numpy() * WEIGHT_UNIT).astype(np.int64)
        entity = np.concatenate([one, two])
        weight = np.concatenate([weight, weight])
        # Equal weights keep the order of the frame.
        order = np.argsort(entity << 32 | (int(weight.max(initial=0)) - weight), kind="stable")
        count = np.bincount(entity, minlength=len(subscriber_id))
        return cls(
            start=np.concatenate([[0], np.cumsum(count)]),
            other=np.concatenate([two, one])[order].astype(np.int32),
            cumulated=np.concatenate([[0], np.cumsum(weight[order])]),
        )

    def degree(self, entity: Rows) -> Rows:
        """Return the number of ties of each entity."""
        return self.start[entity + 1] - self.start[entity]

    def strength(self, entity: Rows) -> Rows:
        """Return the summed weight of the ties of each entity, in thousandths."""
        return self.cumulated[self.start[entity + 1]] - self.cumulated[self.start[entity]]

    def weight(self) -> npt.NDArray[np.float64]:
        """Return the weight of each tie, in the order of `other`."""
        return np.diff(self.cumulated) / WEIGHT_UNIT


def _entities(subscriber_id: Rows, keys: pl.Series) -> Rows:
    """Return the entity number of each key."""
    index = pl.DataFrame({"key": subscriber_id, "row": np.arange(len(subscriber_id))})
    found = pl.DataFrame({"key": keys}).join(index, on="key", how="left", maintain_order="left")
    if found["row"].null_count():
        raise ValueError(f"column {keys.name} has a key that is no subscriber's")
    return found["row"].to_numpy()
