"""Entries: what is sent, in which order, and how one says where one is in it.

Belongs here: the forms that the feed hands to the publisher. Does not belong here: where entries
come from (`feed`), how they are sent (`publisher`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from telco_pipeline.streaming.layout import Topic

Headers = dict[str, bytes]
"""By name, in the order in which they are sent."""


class Position(NamedTuple):
    """Where an entry stands in the order of its delivery; later entries compare greater.

    Attributes:
        release: When it is due on the day's own clock, microseconds since 1970 (UTC): its event
            time, unless it is disturbed.
        file: Number of the file it comes from, in the feed's order of files.
        row: Number of its row in that file.
        copy: 0, or 1 for the second of two that are sent on purpose; 2 or 3 for the truth about
            either.
    """

    release: int
    file: int
    row: int
    copy: int


@dataclass(frozen=True)
class Batch:
    """Entries that follow one another, of all topics of a feed, encoded.

    All arrays and lists are of one length and in order of `Position`.

    Attributes:
        topic: For each entry the index of its topic in `Feed.topics`.
        key: Kafka keys; None for none.
        value: Kafka values.
        headers: Record headers; None if the feed makes none.
        event_time: When it happened, microseconds since 1970 (UTC); the record's Kafka timestamp.
        release: See `Position`.
        file: See `Position`.
        row: See `Position`.
        copy: See `Position`.
        disturbance: 0 for none, else the number of a kind in `Feed.disturbances`; the truth about
            a disturbed record has 0.
        owner: For each entry the index of the topic to whose progress it belongs: its own or, for
            the truth about a disturbed record, that of the record, which it follows in the same
            batch. Progress is kept, and `Feed.batches` asked, by owner: the topic of truth has no
            position of its own, as topics that are delivered at different times share it. None:
            every entry's own.
    """

    topic: npt.NDArray[np.int16]
    key: list[bytes | None]
    value: list[bytes]
    headers: list[Headers] | None
    event_time: npt.NDArray[np.int64]
    release: npt.NDArray[np.int64]
    file: npt.NDArray[np.int32]
    row: npt.NDArray[np.int64]
    copy: npt.NDArray[np.int8]
    disturbance: npt.NDArray[np.int8]
    owner: npt.NDArray[np.int16] | None = None

    def __len__(self) -> int:
        return len(self.value)

    def position(self, index: int) -> Position:
        """Return where an entry stands."""
        return Position(
            int(self.release[index]),
            int(self.file[index]),
            int(self.row[index]),
            int(self.copy[index]),
        )


@dataclass(frozen=True)
class Part:
    """What of a day's rows is sent to a topic.

    Attributes:
        window: Event times that are asked for, microseconds since 1970, the second one exclusive;
            None where that is not known.
        people: `People.identity` of the users whose records alone are sent; None for everybody.
    """

    window: tuple[int, int] | None = None
    people: str | None = None


class Feed(Protocol):
    """The entries of one day for some topics.

    Attributes:
        topics: The topics, in the order that `Batch.topic` counts.
        disturbances: Names of the kinds of disturbance; index 0 is the empty text.
        content: What the entries of each topic follow from (rows, encoding, filter, disturbance),
            as a hash by topic name: two feeds with the same one give the same entries. Of the topic
            of truth about disturbances it tells nothing; see `Batch.owner`.
        parts: What of the day is sent, by topic name; not of the topic of truth.
    """

    topics: Sequence[Topic]
    disturbances: Sequence[str]
    content: Mapping[str, str]
    parts: Mapping[str, Part]

    def batches(self, after: Mapping[str, Position]) -> Iterator[Batch]:
        """Yield all entries in order, without those up to `after` of their topic (by name)."""
        ...
