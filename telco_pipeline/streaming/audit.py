"""Audit: whether a topic holds exactly the records of a day that the lake holds.

Belongs here: counting both sides, allowing for what was disturbed on purpose. Does not belong here:
reading topics (`consumer`), how the outcome is shown (`checks`, `cli`).

Both sides are compared as a number of records and a sum over hashes of their ids, so that one lost
and one doubled do not hide each other. Ids of the lake's side are worked out from its rows.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.streaming import encoding, progress
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.consumer import (
    MODULUS,
    DayCount,
    Reading,
    count_by_day,
    existing,
    fingerprint,
)
from telco_pipeline.streaming.layout import Topic
from telco_pipeline.streaming.progress import Book, Progress
from telco_pipeline.streaming.sources import files_of, microseconds
from telco_pipeline.streaming.stream import Stream

ROWS: Final = 262_144
_DUPLICATED: Final = "duplicated"
_MALFORMED: Final = "malformed"
_DELAYED: Final = ("late", "out_of_order")


@dataclass(frozen=True)
class Comparison:
    """A day in a topic beside the same day in the lake.

    Attributes:
        topic: Name of the topic.
        day: The day.
        lake: Rows that are to be there.
        found: Records that are there.
        disturbed: How many of them are disturbed on purpose, by kind; those `duplicated` are there
            beside the lake's.
        problem: What is wrong, with what to do; empty if nothing is.
        gone: Whether the broker has removed records since, so that nothing can be said.
        since: Time of the day with which its sending began, so that what was due before is left
            out on both sides; None for all of the day.
        window: Times of the day from which and before which records were asked for, so that all
            others are left out on both sides; None for all of the day.
        unjudged: Why it cannot be said which rows are to be there; empty if it can.
    """

    topic: str
    day: dt.date
    lake: int
    found: int
    disturbed: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""
    gone: bool = False
    since: dt.datetime | None = None
    window: tuple[dt.datetime, dt.datetime] | None = None
    unjudged: str = ""


@dataclass
class _Told:
    """What the topic of truth says of a day in a topic.

    Attributes:
        count: Records that were disturbed.
        sums: Sums over the hashes of their ids, by kind.
        earlier: Those that happened before sending began, and were due after that.
        earlier_sum: The sum over theirs.
    """

    count: int = 0
    sums: dict[str, int] = field(default_factory=dict)
    earlier: int = 0
    earlier_sum: int = 0


def compare(stream: Stream, days: Sequence[dt.date]) -> list[Comparison]:
    """Compare days in the topics of a stream with the lake.

    Memory does not grow with the number of records.

    Raises:
        TelcoError: The broker cannot be reached, or the lake lacks a dataset.
    """
    book = progress.read(stream.connection, stream.settings.progress.name)
    found = []
    for day in days:
        sent = book.of(stream.world, day)
        found += [
            _compared(stream, topic, day, sent.get(topic.name), book) for topic in stream.topics
        ]
    return found


def _compared(
    stream: Stream, topic: Topic, day: dt.date, sent: Progress | None, book: Book
) -> Comparison:
    if sent is None or not sent.done:
        known = _rows(stream, topic, day)
        if sent is None or not sent.records:
            problem = f"nothing of {day} was sent: push it"
        else:
            problem = (
                f"{day} was not sent to the end: a delivery ended after {sent.records:,} records; "
                "push it again, it goes on there"
            )
        found = 0 if sent is None else sent.records
        return Comparison(topic.name, day, known, found, problem=problem)
    if _is_gone(stream.connection, topic, sent):
        known = _rows(stream, topic, day)
        return Comparison(topic.name, day, known, 0, sent.disturbed, gone=True)
    counted = count_by_day(
        stream.connection,
        [topic],
        day,
        world=stream.world,
        first={topic.name: sent.begun},
        last={topic.name: _end(sent, book)},
    )[topic.name]
    if sent.part.people is not None:
        return _of_users(sent, counted, _rows(stream, topic, day))
    rows, ids = of_lake(stream, topic, day, since=sent.since, window=sent.part.window)
    told = _truth(stream, topic, day, sent, book)
    rows, ids = rows + told.earlier, ids + told.earlier_sum
    return Comparison(
        topic.name,
        day,
        rows,
        counted.records,
        sent.disturbed,
        _problem(rows, ids, counted, sent, told, _is_other(stream, topic, day, sent)),
        since=sent.began,
        window=sent.window,
    )


def _rows(stream: Stream, topic: Topic, day: dt.date) -> int:
    """Return how many rows of a day the lake has for a topic."""
    return sum(file.rows for name in topic.datasets for file in files_of(stream.lake, name, day))


def _end(sent: Progress, book: Book) -> dict[int, int]:
    """Return where, by partition, the first delivery begins that began after a day was done.

    Behind it nothing of the day is looked for: so all days of a topic are counted with one reading
    of it, and what somebody wrote between two deliveries is seen. A partition behind which nothing
    began, or of which the delivery does not tell its end, is left out.
    """
    found: dict[int, int] = {}
    if not sent.ended:
        return found
    for other in book.deliveries.values():
        begun = other.begun if other.topic == sent.topic else {}
        if all(begun.get(number, -1) >= end for number, end in sent.ended.items()):
            found = {number: min(at, found.get(number, at)) for number, at in begun.items()}
    return found


def _of_users(sent: Progress, counted: DayCount, known: int) -> Comparison:
    """Compare a day of some users with what its delivery counted: who they are is not known."""
    problem = unjudged = ""
    if counted.records != sent.records:
        what = "missing" if counted.records < sent.records else "too many"
        problem = (
            f"{abs(sent.records - counted.records):,} records are {what}: {sent.records:,} were "
            f"sent, the topic holds {counted.records:,}; somebody else writes to it or deletes "
            "from it: send the day again with --again"
        )
    else:
        unjudged = (
            f"the day was sent with a file of users (--users-file), which is not known here: the "
            f"topic holds the {sent.records:,} records that were sent, but whether these are all "
            "of theirs is not judged"
        )
    return Comparison(
        sent.topic,
        sent.day,
        known,
        counted.records,
        sent.disturbed,
        problem,
        since=sent.began,
        window=sent.window,
        unjudged=unjudged,
    )


def _is_other(stream: Stream, topic: Topic, day: dt.date, sent: Progress) -> bool:
    """Whether a day was sent from other rows or with other settings than it would be now."""
    feed = replace(stream, topics=(topic,)).feed(day, *(sent.window or ()))
    return feed.content[topic.name] != sent.content


def _problem(
    rows: int, ids: int, counted: DayCount, sent: Progress, told: _Told, other: bool
) -> str:
    """Return how a topic differs from the lake; empty if it does not.

    Args:
        rows: Rows of the lake that were to be sent.
        ids: The sum over their ids.
        counted: What the topic holds.
        sent: What was sent.
        told: What the truth tells of it.
        other: Whether it was sent from other rows or with other settings.
    """
    twice = sent.disturbed.get(_DUPLICATED, 0)
    if sum(sent.disturbed.values()) != told.count:
        return (
            f"{sum(sent.disturbed.values()):,} records were disturbed, the truth tells of "
            f"{told.count:,}: send the day again with --again"
        )
    if counted.records != rows + twice:
        what = "missing" if counted.records < rows + twice else "too many"
        return (
            f"{abs(rows + twice - counted.records):,} records are {what}: the lake has {rows:,}"
            + (f", {twice:,} are doubled on purpose" if twice else "")
            + f", the topic holds {counted.records:,}; "
            + (
                "the lake was made anew since, or the day was sent with other settings"
                if other
                else "somebody else writes to it or deletes from it"
            )
            + ": send the day again with --again"
        )
    wanted = ids + told.sums.get(_DUPLICATED, 0)
    if counted.unknown:
        # Records without headers whose JSON is damaged: nobody can tell which they are.
        wanted -= told.sums.get(_MALFORMED, 0)
        if counted.unknown != sent.disturbed.get(_MALFORMED, 0):
            return f"{counted.unknown:,} records cannot be read: somebody else writes to the topic"
    if counted.fingerprint != wanted % MODULUS:
        return (
            "as many records as in the lake, but not the same: some are missing and as many are "
            "doubled, or the lake was made anew; send the day again with --again"
        )
    return ""


def of_lake(
    stream: Stream,
    topic: Topic,
    day: dt.date,
    *,
    since: int | None = None,
    window: tuple[int, int] | None = None,
) -> tuple[int, int]:
    """Return how many rows of a day go into a topic, and the sum over their ids.

    Args:
        stream: What goes where.
        topic: The topic.
        day: The day.
        since: Leave out what happened before, microseconds since 1970.
        window: Leave out what happened before the one or not before the other, likewise.
    """
    begin, end = window or (day_start(day), day_start(day) + DAY)
    begin = begin if since is None else max(begin, since)
    count, total = 0, 0
    for dataset in topic.datasets:
        for file in files_of(stream.lake, dataset, day):
            for first in range(0, file.rows, ROWS):
                rows, times = file.read(first, min(ROWS, file.rows - first))
                rows = rows.filter(pl.Series((times >= begin) & (times < end)))
                count += rows.height
                ids = encoding.texts_to_bytes(encoding.ids(dataset, rows))
                total = (total + fingerprint(ids)) % MODULUS
    return count, total


def _is_gone(connection: Connection, topic: Topic, sent: Progress) -> bool:
    """Whether the broker no longer has the first record that was sent."""
    if topic.cleanup == "compact" or not existing(connection, [topic.name]):
        return True
    with Reading(connection, [topic.name]) as reading:
        lows = {number: offset for (_, number), offset in reading.starts.items()}
    return any(lows.get(number, 0) > offset for number, offset in sent.begun.items())


def _truth(stream: Stream, topic: Topic, day: dt.date, sent: Progress, book: Book) -> _Told:
    """Return what the topic of truth says of the records of a day in a topic."""
    told = _Told()
    if not any(sent.disturbed.values()):
        return told
    name = stream.settings.disturbances.name
    first = {name: sent.told}
    if not sent.told:  # written by an earlier version
        own = book.of(stream.world, day).get(name)
        first = {name: {} if own is None else own.begun}
    source = f"/telco/{stream.world}".encode()
    last = {name: sent.told_ended}
    with Reading(stream.connection, [name], first=first, last=last) as reading:
        for batch in reading.to_end(f"reading {name}"):
            for message in batch:
                headers = dict(message.headers() or ())
                if headers.get("ce_source", source) != source:
                    continue
                plain = json.loads(message.value() or b"{}")
                when = dt.datetime.fromisoformat(plain["event_time"])
                if plain["topic"] != topic.name or when.date() != day:
                    continue
                told.count += 1
                kind, own_sum = plain["kind"], fingerprint([plain["id"].encode()])
                told.sums[kind] = (told.sums.get(kind, 0) + own_sum) % MODULUS
                # Of what is sent twice the first copy, which is not disturbed, was due before too.
                if sent.since is not None and microseconds(when) < sent.since and kind in _DELAYED:
                    told.earlier += 1
                    told.earlier_sum = (told.earlier_sum + own_sum) % MODULUS
    return told
