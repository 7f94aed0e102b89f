"""The feed: the records of one day, merged by time, filtered, disturbed if asked, encoded.

Belongs here: the order of entries, going on from anywhere in it, batches made ahead. Does not
belong here: reading files (`sources`), what a record holds (`encoding`), how entries are sent
(`publisher`).

The order of entries is that of `Position`, over all files of a day; the number of a file does not
depend on what else is sent, so a delivery of one topic goes on where one of several topics
stopped. Files are sorted by time, so a day is cut into spans of time that hold about `SPAN_ROWS`
rows; each file is read until it covers the span, and the rows of the span are sorted. Rows are
encoded by dataset; then lists of ready bytes are put into the order of time.

**Disturbed records.** Truth about them goes to a topic of its own, the last of `Feed.topics`. An
entry of truth follows that of its record, in the same batch, with the same release, file and row;
its copy is that of the record plus `disturb.TRUTH`. It belongs to the progress of its record's
topic (`Batch.owner`): that topic's position alone tells whether it was sent, so that topics which
are delivered at different times share the topic of truth.
"""

import datetime as dt
import hashlib
import json
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.streaming import disturb, encoding
from telco_pipeline.streaming.disturb import COPY, KIND, Disturbance
from telco_pipeline.streaming.encoding import Encoder, JsonEncoder
from telco_pipeline.streaming.entries import Batch, Part, Position
from telco_pipeline.streaming.layout import Topic
from telco_pipeline.streaming.sources import (
    FILE,
    RELEASE,
    ROW,
    TIME,
    Reader,
    SourceFile,
    files_of,
    microseconds,
    provenances,
)

FORM: Final = 1
"""Version of the order and form of entries; raised when the same rows would give other entries."""
BATCH_ENTRIES: Final = 16_384
SPAN_ROWS: Final = 24_576
"""Rows of a span of time, which is read, sorted and encoded as one."""
BUFFERED_ROWS: Final = 400_000
"""Rows that are read ahead at most, all files together; about 350 bytes each."""
SHORTEST_SLICE: Final = 1_024
LONGEST_SLICE: Final = 32_768
AHEAD: Final = 2
"""Batches that lie ready before they are asked for."""

_OWN: Final = (FILE, ROW, TIME, RELEASE, COPY, KIND)
Ints = npt.NDArray[np.int64]
Choose = Callable[[str, pl.DataFrame], pl.DataFrame]
"""From rows of a dataset to those of them that are sent, as they are sent; in the same order."""
Pieces = dict[str, list[tuple[Reader, pl.DataFrame, Ints]]]
T = TypeVar("T")


class Choice(Protocol):
    """Says which rows are sent, and as whose.

    Attributes:
        identity: What it follows from; two with the same one choose the same rows.
    """

    identity: str

    def on(self, lake: Lake, day: dt.date) -> Choose:
        """Return how rows of a day are chosen."""
        ...


class DayFeed:
    """All entries of one day for some topics; see `entries.Feed`.

    Making one reads no rows, only where they come from.
    """

    def __init__(
        self,
        lake: Lake,
        day: dt.date,
        topics: Sequence[Topic],
        *,
        encoder: Encoder | None = None,
        headers: bool = True,
        people: Choice | None = None,
        disturbance: Disturbance | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        batch: int = BATCH_ENTRIES,
        span: int = SPAN_ROWS,
        buffered: int = BUFFERED_ROWS,
    ) -> None:
        """Find the files.

        Args:
            lake: The lake; a counterfactual world is read as it shows, over the main one.
            day: The day.
            topics: Where to, and what.
            encoder: Makes values; JSON unless told otherwise.
            headers: Whether entries bear headers.
            people: Send only what is of these, with the identities that they are given.
            disturbance: What to disturb on purpose.
            start: Leave out what happened before.
            end: Leave out what happened then or later.
            batch: Entries of a batch at most; none of what follows changes an entry.
            span: Rows that are sorted and encoded together, about.
            buffered: Rows that are read ahead, about.

        Raises:
            TelcoError: A partition is missing, is damaged or keeps another version of its
                contract; or the time from `start` to `end` is empty.
        """
        self.day = day
        self.sent = tuple(topics)
        truth = [] if disturbance is None else [disturbance.topic]
        self.topics: Sequence[Topic] = (*topics, *truth)
        self.disturbances: Sequence[str] = disturb.KINDS
        held = lake.held_world()
        if held is None:
            raise TelcoError(f"{lake.root} holds no world: make one with telco generate")
        self._seed = held.seed
        self.source = f"/telco/{held.world_hash}"
        self._lake = lake
        self._encoder = encoder or JsonEncoder()
        self._headers = headers
        self._people = people
        self._disturbance = disturbance
        first = day_start(day)
        self._end = first + DAY if end is None else min(first + DAY, microseconds(end))
        self._start = first if start is None else max(first, microseconds(start))
        if self._start >= self._end:
            raise TelcoError(
                f"nothing of {day} lies from {start or 'its start'} to {end or 'its end'} (UTC): "
                "choose other times"
            )
        self._batch, self._span, self._buffered = batch, span, buffered
        self._topic_of = {
            name: index for index, each in enumerate(topics) for name in each.datasets
        }
        if len(self._topic_of) < sum(len(topic.datasets) for topic in topics):
            raise ValueError("a dataset is in two topics")
        self._files: list[SourceFile] = sorted(
            (file for name in self._topic_of for file in files_of(lake, name, day)),
            key=lambda file: file.number,
        )
        self.content: Mapping[str, str] = {topic.name: self._content(topic) for topic in topics}
        # Its entries follow from those of the other topics, which hold what they follow from.
        self.content |= {topic.name: f"of others/{FORM}" for topic in truth}
        part = Part((self._start, self._end), None if people is None else people.identity)
        self.parts: Mapping[str, Part] = dict.fromkeys((topic.name for topic in topics), part)

    def batches(self, after: Mapping[str, Position]) -> Iterator[Batch]:
        """Yield all entries in order, without those up to `after` of their topic (by name).

        Entries of truth go by the topic of their record; see the module. Batches are made ahead in
        a thread, which ends when the iterator does, however that comes about.

        Raises:
            TelcoError: A file cannot be read.
        """
        return ahead(lambda: self._batches(after), AHEAD)

    def _batches(self, after: Mapping[str, Position]) -> Iterator[Batch]:
        for entries in self._spans([after.get(topic.name) for topic in self.sent]):
            yield from cut(entries, self._batch)

    def _content(self, topic: Topic) -> str:
        """Return a hash of all that the entries of a topic follow from."""
        told: dict[str, Any] = {
            "form": FORM,
            "source": self.source,
            "day": str(self.day),
            "window": [self._start, self._end],
            "encoding": self._encoder.identity,
            "headers": self._headers,
            "people": None if self._people is None else self._people.identity,
            "disturbance": None if self._disturbance is None else self._disturbance.identity,
            "datasets": {
                dataset: [
                    [record.dataset, str(record.day), record.contract_version, record.content_hash]
                    for record in provenances(self._lake, dataset, self.day)
                ]
                for dataset in topic.datasets
            },
            "files": [file.number for file in self._files if file.dataset in topic.datasets],
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]

    def _spans(self, limits: Sequence[Position | None]) -> Iterator[Batch]:
        """Yield the entries of one span of time after another, each in order.

        Args:
            limits: The last position that is done, by topic.
        """
        choose = None if self._people is None else self._people.on(self._lake, self.day)
        later: dict[str, pl.DataFrame] = {}
        for pieces, until in self._read(self._readers(limits)):
            parts = []
            for dataset in dict.fromkeys((*pieces, *later)):
                found = [later.pop(dataset)] if dataset in later else []
                if dataset in pieces:
                    found.append(self._rows(dataset, pieces[dataset], choose))
                rows = found[0] if len(found) == 1 else pl.concat(found)
                if self._disturbance is not None and until is not None:
                    due = rows[RELEASE] < until
                    if not due.all():
                        later[dataset] = rows.filter(~due)
                        rows = rows.filter(due)
                limit = limits[self._topic_of[dataset]]
                if limit is not None:
                    rows = rows.filter(pl.col(RELEASE) >= limit.release)
                if rows.height:
                    made = self._entries(dataset, rows)
                    parts += made if limit is None else [after(part, limit) for part in made]
            parts = [part for part in parts if len(part)]
            if parts:
                yield merged(parts, whole=self._disturbance is not None)

    def _readers(self, limits: Sequence[Position | None]) -> list[Reader]:
        """Return a reader for each file that still has something to say, in order of files."""
        longest = 0 if self._disturbance is None else self._disturbance.longest
        weights = [file.rows**0.5 for file in self._files]
        each = self._buffered / (sum(weights) or 1)
        made = []
        for file, weight in zip(self._files, weights, strict=True):
            limit = limits[self._topic_of[file.dataset]]
            begin = self._start if limit is None else max(self._start, limit.release - longest)
            # A slice costs the same whatever its length: roots make the sum of costs least.
            length = int(min(max(each * weight, SHORTEST_SLICE), LONGEST_SLICE))
            made.append(Reader(file, begin, self._end, length))
        return [reader for reader in made if reader.has_more]

    def _read(self, readers: list[Reader]) -> Iterator[tuple[Pieces, int | None]]:
        """Yield rows by dataset, and the time before which no more will come; at last None.

        Rows that are of the day's start come first, a file after another, as their number asks.
        """
        for reader in readers:
            while not reader.file.is_timed and reader.has_more:
                # All are due: those that are disturbed never are among them.
                yield {reader.file.dataset: [(reader, *reader.read())]}, self._start + 1
        timed = [reader for reader in readers if reader.file.is_timed]
        time = min((reader.begin for reader in timed), default=self._end)
        length = max(1, DAY * self._span // (sum(reader.file.rows for reader in timed) or 1))
        while timed:
            until = time + length
            count = sum([reader.read_until(until) for reader in timed])
            while count > 2 * self._span and until - time > 1:
                until = time + max(1, (until - time) * self._span // count)
                count = sum([reader.held_before(until) for reader in timed])
            pieces: Pieces = {}
            for reader in timed:
                for rows, times in reader.take(reader.held_before(until)):
                    pieces.setdefault(reader.file.dataset, []).append((reader, rows, times))
            yield pieces, until
            timed = [reader for reader in timed if reader.has_more]
            # As many rows as asked for next time, if they go on as they come now.
            growth = min(max(self._span / count, 0.25), 4.0) if count else 16.0
            length = min(DAY, max(2, int((until - time) * growth)))
            time = until
        yield {}, None

    def _rows(
        self, dataset: str, pieces: list[tuple[Reader, pl.DataFrame, Ints]], choose: Choose | None
    ) -> pl.DataFrame:
        """Return what is sent of rows that were read, with the columns of `_OWN`."""
        found = [
            rows.with_columns(
                pl.lit(reader.file.number, pl.Int32).alias(FILE), pl.Series(TIME, times)
            )
            for reader, rows, times in pieces
        ]
        rows = found[0] if len(found) == 1 else pl.concat(found)
        if choose is not None:
            rows = choose(dataset, rows)
        if self._disturbance is not None:
            return self._disturbance.applied(dataset, rows, self._seed, self.day)
        return rows.with_columns(
            pl.col(TIME).alias(RELEASE),
            pl.lit(0, pl.Int8).alias(COPY),
            pl.lit(0, pl.Int8).alias(KIND),
        )

    def _entries(self, dataset: str, rows: pl.DataFrame) -> list[Batch]:
        """Return rows as entries, not yet in order, and the truth about those disturbed."""
        number = self._topic_of[dataset]
        plain = rows.drop(_OWN)
        values = self._encoder.values(self.sent[number], dataset, plain)
        made = self._batch_of(dataset, rows, plain, values, DATASETS[dataset].version)
        if self._disturbance is None or not made.disturbance.any():
            return [made]
        disturb.damage(values, dataset, rows, self._seed, self.day)
        told = rows.filter(pl.col(KIND) > 0)
        ids = encoding.ids(dataset, told)
        truth = disturb.truth(self.sent[number].name, dataset, told, ids)
        # Always JSON: streams of either encoding share its topic, and the audit reads it.
        values = encoding.json_values(disturb.DATASET, truth)
        ids = truth.select(pl.concat_str(pl.lit(disturb.DATASET), "id", "copy", separator="/"))
        second = self._batch_of(dataset, told, told, values, disturb.VERSION, ids.to_series())
        return [
            made,
            replace(
                second,
                topic=np.full(len(second), len(self.sent), np.int16),
                copy=second.copy + np.int8(disturb.TRUTH),
                disturbance=np.zeros(len(second), np.int8),
            ),
        ]

    def _batch_of(
        self,
        dataset: str,
        rows: pl.DataFrame,
        plain: pl.DataFrame,
        values: list[bytes],
        version: int,
        truth_ids: pl.Series | None = None,
    ) -> Batch:
        """Return the entries of rows whose values are made; of truth if that has ids."""
        number = np.full(rows.height, self._topic_of[dataset], np.int16)
        headers = None
        if self._headers:
            headers = encoding.headers(
                dataset if truth_ids is None else disturb.DATASET,
                version,
                self.source,
                (self._encoder if truth_ids is None else JsonEncoder).content_type,
                encoding.ids(dataset, plain) if truth_ids is None else truth_ids,
                rows[TIME],
            )
        return Batch(
            topic=number,
            key=list(encoding.keys(dataset, plain)),
            value=values,
            headers=headers,
            event_time=rows[TIME].to_numpy(),
            release=rows[RELEASE].to_numpy(),
            file=rows[FILE].to_numpy(),
            row=rows[ROW].to_numpy(),
            copy=rows[COPY].to_numpy(),
            disturbance=rows[KIND].to_numpy(),
            owner=number,
        )


# --- lists of entries ---------------------------------------------------------------------------


def after(entries: Batch, limit: Position) -> Batch:
    """Return the entries of one topic that come after a position."""
    keep = np.zeros(len(entries), np.bool_)
    same = np.ones(len(entries), np.bool_)
    columns = (entries.release, entries.file, entries.row, entries.copy)
    for column, bound in zip(columns, limit, strict=True):
        keep |= same & (column > bound)
        same &= column == bound
    return entries if keep.all() else picked(entries, np.flatnonzero(keep))


def merged(parts: Sequence[Batch], *, whole: bool) -> Batch:
    """Return entries of several lists in their order.

    Args:
        parts: The lists; unless `whole`, each in order, and those of lower files first.
        whole: Whether they are in no order yet, and release does not decide between them.
    """
    one = parts[0] if len(parts) == 1 else joined(parts)
    if whole:
        order = np.lexsort((one.copy, one.row, one.file, one.release))
    elif bool((one.release[1:] >= one.release[:-1]).all()):
        return one
    else:
        order = np.argsort(one.release, kind="stable")
    return picked(one, order)


def joined(parts: Sequence[Batch]) -> Batch:
    """Return entries one list after another."""
    headers = [part.headers for part in parts if part.headers is not None]
    return Batch(
        topic=np.concatenate([part.topic for part in parts]),
        key=[key for part in parts for key in part.key],
        value=[value for part in parts for value in part.value],
        headers=[each for part in headers for each in part] if headers else None,
        event_time=np.concatenate([part.event_time for part in parts]),
        release=np.concatenate([part.release for part in parts]),
        file=np.concatenate([part.file for part in parts]),
        row=np.concatenate([part.row for part in parts]),
        copy=np.concatenate([part.copy for part in parts]),
        disturbance=np.concatenate([part.disturbance for part in parts]),
        owner=np.concatenate([_owner(part) for part in parts]),
    )


def picked(entries: Batch, order: npt.NDArray[np.intp]) -> Batch:
    """Return the entries at some places, in the order of the places."""
    places = order.tolist()
    return Batch(
        topic=entries.topic[order],
        # `map` over a bound method gathers a list without Python code for each element.
        key=list(map(entries.key.__getitem__, places)),
        value=list(map(entries.value.__getitem__, places)),
        headers=None if entries.headers is None else list(map(entries.headers.__getitem__, places)),
        event_time=entries.event_time[order],
        release=entries.release[order],
        file=entries.file[order],
        row=entries.row[order],
        copy=entries.copy[order],
        disturbance=entries.disturbance[order],
        owner=_owner(entries)[order],
    )


def cut(entries: Batch, most: int) -> Iterator[Batch]:
    """Yield entries in batches of about so many; truth stays with its record."""
    first = 0
    while first < len(entries):
        last = min(first + most, len(entries))
        while last < len(entries) and entries.copy[last] >= disturb.TRUTH:
            last += 1
        part = slice(first, last)
        yield Batch(
            topic=entries.topic[part],
            key=entries.key[part],
            value=entries.value[part],
            headers=None if entries.headers is None else entries.headers[part],
            event_time=entries.event_time[part],
            release=entries.release[part],
            file=entries.file[part],
            row=entries.row[part],
            copy=entries.copy[part],
            disturbance=entries.disturbance[part],
            owner=_owner(entries)[part],
        )
        first = last


def _owner(entries: Batch) -> npt.NDArray[np.int16]:
    return entries.topic if entries.owner is None else entries.owner


# --- ahead of whoever asks ----------------------------------------------------------------------


def ahead(source: Callable[[], Iterator[T]], count: int) -> Iterator[T]:
    """Yield what a source yields, which a thread makes ahead.

    The thread begins with the first value that is asked for. What the source raises is raised here
    after what it yielded before. When this iterator is closed, thread and source end first.

    Args:
        source: Makes the iterator, in the thread.
        count: How many values lie ready.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(count)
    stop = threading.Event()

    def put(item: tuple[bool, Any]) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for value in source():
                if not put((True, value)):
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    thread = threading.Thread(target=work, name="feed", daemon=True)
    thread.start()
    try:
        while True:
            goes_on, value = ready.get()
            if goes_on:
                yield value
            elif value is None:
                return
            else:
                raise value
    finally:
        stop.set()
        thread.join()
