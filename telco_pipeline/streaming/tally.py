"""Tally: what an open transaction adds to the progress of each topic.

Belongs here: counting entries by topic and owner. Does not belong here: the form of progress and
where it is kept (`progress`), when a transaction ends (`publisher`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from telco_pipeline.streaming.entries import Batch, Feed, Position
from telco_pipeline.streaming.progress import Progress


@dataclass
class _Added:
    """What is added to one topic."""

    position: Position | None = None
    records: int = 0
    size: int = 0
    disturbed: npt.NDArray[np.int64] | None = None


@dataclass
class Tally:
    """Entries that were handed over since the last commit, by topic.

    Attributes:
        feed: Where they come from.
        records: How many, over all topics.
    """

    feed: Feed
    records: int = 0
    _added: dict[int, _Added] = field(default_factory=dict)

    def add(self, batch: Batch, part: slice) -> None:
        """Count some entries of a batch."""
        topic = batch.topic[part]
        values = batch.value[part]
        sizes = np.fromiter(map(len, values), np.int64, len(values))
        kinds = len(self.feed.disturbances)
        for number in np.unique(topic).tolist():
            mine = topic == number
            added = self._added.setdefault(number, _Added())
            added.records += int(mine.sum())
            added.size += int(sizes[mine].sum())
            kind = np.bincount(batch.disturbance[part][mine], minlength=kinds)
            added.disturbed = kind if added.disturbed is None else added.disturbed + kind
        owner = topic if batch.owner is None else batch.owner[part]
        for number in np.unique(owner).tolist():
            last = int(np.flatnonzero(owner == number)[-1])
            added = self._added.setdefault(number, _Added())
            added.position = batch.position(part.start + last)
        self.records += len(values)

    def on(self, book: Mapping[str, Progress]) -> dict[str, Progress]:
        """Return progress by topic with what was counted; what has not moved is the same object."""
        fresh = dict(book)
        for number, added in self._added.items():
            name = self.feed.topics[number].name
            before = fresh[name]
            counts = np.zeros(0) if added.disturbed is None else added.disturbed
            disturbed = dict(before.disturbed)
            for kind, count in zip(self.feed.disturbances, counts.tolist(), strict=False):
                if kind and count:
                    disturbed[kind] = disturbed.get(kind, 0) + int(count)
            fresh[name] = replace(
                before,
                position=added.position or before.position,
                records=before.records + added.records,
                size=before.size + added.size,
                disturbed=disturbed,
            )
        return fresh
