"""Delivery: what a run of the publisher did, in figures.

Belongs here: the forms that the publisher hands to whoever called it. Does not belong here: how
they come about (`publisher`), how they are shown (`cli`, `assets`).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from telco_pipeline.streaming.pacing import Lateness
from telco_pipeline.streaming.progress import Ends


@dataclass(frozen=True)
class Sent:
    """What a delivery sent into one topic.

    Attributes:
        records: Entries committed by this run.
        size: Bytes of their values.
        disturbed: How many of them are disturbed, by kind.
        total: Entries committed since the day's first one, by whichever run.
        begun: Offsets of the topic's partitions before the day's first entry.
        first: Offsets before this run's first entry.
        last: Offsets after this run's last entry; markers and what others sent lie between too.
        done: Whether all entries of the day are sent.
        since: Time of the day with which its sending began (a live stream began then): what was
            due before is not sent, also when it is done. None for all of the day.
    """

    records: int
    size: int
    disturbed: Mapping[str, int]
    total: int
    begun: Ends
    first: Ends
    last: Ends
    done: bool
    since: dt.datetime | None = None


@dataclass(frozen=True)
class Delivery:
    """What a run of the publisher did.

    Attributes:
        day: The day.
        topics: What went into each topic.
        seconds: How long it took.
        transactions: Committed ones.
        restarts: How often a new producer went on after the broker or the network had failed.
        asked: Records a second by the clock; None without one.
        achieved: Records a second: those committed, over the time to the last commit.
        acknowledged: Lateness, from due to the broker's acknowledgement of the record. What has no
            time of its own is left out with `live`, here and in the rates.
        committed: Lateness, from due to the broker's acknowledgement of its transaction, likewise.
        stopped: Whether it was asked to stop, or had sent the number that was asked for.
    """

    day: dt.date
    topics: Mapping[str, Sent]
    seconds: float
    transactions: int
    restarts: int
    asked: float | None
    achieved: float
    acknowledged: Lateness
    committed: Lateness
    stopped: bool

    @property
    def records(self) -> int:
        """Entries committed by this run, over all topics."""
        return sum(sent.records for sent in self.topics.values())

    @property
    def size(self) -> int:
        """Bytes of their values."""
        return sum(sent.size for sent in self.topics.values())

    @property
    def done(self) -> bool:
        """Whether all entries of the day are sent, in all topics."""
        return all(sent.done for sent in self.topics.values())

    def told_of_begin(self, again: str) -> list[str]:
        """Return what to say of topics whose sending began in the midst of the day.

        Args:
            again: How to have all of it.
        """
        names: dict[dt.datetime, list[str]] = {}
        for name, sent in self.topics.items():
            if sent.since is not None:
                names.setdefault(sent.since, []).append(name)
        return [
            f"of {self.day} only what is from {since:%H:%M} on was sent to {', '.join(topics)} (a "
            f"live stream began then): send all with {again}"
            for since, topics in names.items()
        ]
