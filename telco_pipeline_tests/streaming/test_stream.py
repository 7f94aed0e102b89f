"""A live stream: from which day it goes on, what it makes or waits for, when it ends."""

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.streaming import stream as streams
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.control import Control
from telco_pipeline.streaming.delivery import Delivery, Sent
from telco_pipeline.streaming.layout import Topic
from telco_pipeline.streaming.pacing import Lateness, Pace
from telco_pipeline.streaming.progress import Book, Progress
from telco_pipeline.streaming.settings_file import load_settings

WORLD = "0123456789abcdef"
TODAY = dt.date(2026, 3, 10)
NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
TOPICS = (Topic("cdrs", ("cdrs_voice",)), Topic("logs", ("network_logs",)))


@dataclass
class Broker:
    """What the scripted stream has at its broker and in its lake, and what it was asked for.

    Attributes:
        made: Days of the lake.
        records: Records of each delivery.
        sent: Progress.
        pushed: Days that were sent, with topics, release they begin with, and --again.
        damaged: Days of the lake that cannot be read.
        last: The delivery after which the stream is told to stop.
    """

    made: set[dt.date]
    records: int = 10
    sent: list[Progress] = field(default_factory=list)
    pushed: list[tuple[dt.date, tuple[str, ...], int | None, bool]] = field(default_factory=list)
    last: int = 2
    damaged: set[dt.date] = field(default_factory=set)


@dataclass(frozen=True)
class Scripted(streams.Stream):
    """A stream whose broker and lake are in memory; each day ends at once."""

    broker: Broker = field(default_factory=lambda: Broker(set()))

    @property
    def world(self) -> str:
        return WORLD

    def lacks(self, day: dt.date) -> list[str]:
        return [] if day in self.broker.made else self.datasets

    absent = lacks

    def feed(self, day: dt.date, start: object = None, end: object = None) -> Any:
        if day in self.broker.damaged:
            raise TelcoError("damaged")
        return SimpleNamespace(content={one.name: "content" for one in self.topics})

    def push(self, day: dt.date, pace: Pace, **how: Any) -> Delivery:
        names = tuple(one.name for one in self.topics)
        self.broker.pushed.append((day, names, pace.since, self.again))
        left: int | None = how["max_count"]
        count = self.broker.records if left is None else min(left, self.broker.records)
        if len(self.broker.pushed) >= self.broker.last:
            how["control"].stop()
        ended = how["control"].is_stopping or left == count
        sent = {name: Sent(count, 0, {}, count, {}, {}, {}, not ended) for name in names[:1]}
        return Delivery(day, sent, 0, 1, 0, None, 0, Lateness(), Lateness(), ended)


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    broker = Broker({TODAY + dt.timedelta(days=number) for number in range(-2, 3)})

    def read(*_: object) -> Book:
        return Book({one.key.decode(): one for one in broker.sent}, {})

    monkeypatch.setattr(streams.progress, "read", read)
    return Scripted(
        Lake(tmp_path),
        TOPICS,
        load_settings(),
        Connection({"bootstrap.servers": "127.0.0.1:1"}),
        broker=broker,
    )


def run(stream: Scripted, **how: Any) -> list[tuple[dt.date, tuple[str, ...]]]:
    """Run the stream to its end; return days and topics that were sent."""
    list(streams.live(stream, now=lambda: NOON, **how))
    return [(day, topics) for day, topics, *_ in stream.broker.pushed]


def progress(day: dt.date, topic: str, *, done: bool, world: str = WORLD) -> Progress:
    return Progress(world, day, topic, "content", done=done)


def micros(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * 1_000_000


def day(number: int) -> dt.date:
    return TODAY + dt.timedelta(days=number)


BOTH = ("cdrs", "logs")


def test_it_goes_from_day_to_day(stream: Scripted) -> None:
    stream.broker.last = 3
    told: list[dt.date] = []
    assert run(stream, on_day=told.append) == [(day(0), BOTH), (day(1), BOTH), (day(2), BOTH)]
    assert told == [day(0), day(1), day(2)]
    # The first begins with the present, each other one with its midnight.
    assert [since for _, _, since, _ in stream.broker.pushed] == [
        None, micros(day(1)), micros(day(2)),
    ]  # fmt: skip


def test_a_time_of_the_day_to_begin_with(stream: Scripted) -> None:
    stream.broker.sent = [progress(day(-1), "cdrs", done=False)]
    since = NOON - dt.timedelta(hours=2)
    run(stream, since=since)
    # Who names a time wants nothing of before.
    assert stream.broker.pushed[0] == (day(0), BOTH, int(since.timestamp() * 1e6), False)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, None),
        ({"cdrs": True, "logs": True}, None),
        ({"cdrs": False, "logs": True}, ("cdrs",)),
        ({"logs": False}, ("logs",)),
        ({"cdrs": False, "logs": False}, BOTH),
    ],
)
def test_what_is_left_of_the_day_before_goes_first(
    stream: Scripted, sent: Mapping[str, bool], expected: tuple[str, ...] | None
) -> None:
    """It was stopped before midnight: nothing of that evening is left out."""
    stream.broker.sent = [progress(day(-1), topic, done=done) for topic, done in sent.items()]
    stream.broker.sent += [progress(day(-1), topic, done=False, world="f" * 16) for topic in BOTH]
    stream.broker.sent += [progress(day(-2), topic, done=False) for topic in BOTH]
    before = [] if expected is None else [(day(-1), expected)]
    assert run(stream)[: len(before) + 1] == [*before, (day(0), BOTH)]


def test_what_was_begun_otherwise_is_told_of_and_today_goes_on(stream: Scripted) -> None:
    stream.broker.sent = [
        progress(day(-1), "cdrs", done=False),
        dataclasses.replace(progress(day(-1), "logs", done=False), content="other"),
    ]
    told: list[str] = []
    assert run(stream, control=Control(told=told.append)) == [(day(-1), ("cdrs",)), (day(0), BOTH)]
    (line,) = told
    assert line.startswith("2026-03-09 was begun in logs from other rows or with other settings")

    stream.broker.pushed.clear()
    del stream.broker.sent[0]
    assert run(stream)[0] == (day(0), BOTH)
    stream.broker.pushed.clear()
    stream.broker.damaged.add(day(-1))
    assert run(stream, control=Control(told=told.append))[0] == (day(0), BOTH)
    assert told[1] == "what is left of 2026-03-09 is not sent: damaged"


def test_a_time_that_does_not_matter_is_told_of(stream: Scripted) -> None:
    stream.broker.sent = [dataclasses.replace(progress(day(0), "cdrs", done=False), records=5)]
    told: list[str] = []
    run(stream, since=NOON, control=Control(told=told.append))
    (line,) = told
    assert "2026-03-10 was begun before in cdrs: it goes on behind" in line
    assert "not from 12:00 on" in line


def test_the_day_before_is_left_if_it_is_gone_or_all_is_sent_anew(stream: Scripted) -> None:
    stream.broker.sent = [progress(day(-1), "cdrs", done=False)]
    stream.broker.made.remove(day(-1))
    assert run(stream)[0] == (day(0), BOTH)


def test_sent_anew_is_the_first_day_alone(stream: Scripted) -> None:
    stream.broker.sent = [progress(day(-1), "cdrs", done=False)]
    run(Scripted(**{**vars(stream), "again": True}))
    assert [(one[0], one[3]) for one in stream.broker.pushed] == [(day(0), True), (day(1), False)]


def test_a_count_ends_it_over_all_days(stream: Scripted) -> None:
    stream.broker.last = 99
    stream.broker.sent = [progress(day(-1), "cdrs", done=False)]
    done = list(streams.live(stream, now=lambda: NOON, max_count=25))
    assert [(one.day, one.records) for one in done] == [(day(-1), 10), (day(0), 10), (day(1), 5)]


def test_a_day_that_lacks_is_made(stream: Scripted) -> None:
    stream.broker.made = {day(0)}
    made: list[dt.date] = []

    def make(one: dt.date) -> None:
        made.append(one)
        stream.broker.made.add(one)

    assert run(stream, make=make) == [(day(0), BOTH), (day(1), BOTH)]
    assert made == [day(1)]


def test_what_cannot_be_made_ends_it(stream: Scripted) -> None:
    stream.broker.made = set()

    def make(_: dt.date) -> None:
        raise TelcoError("no room")

    with pytest.raises(TelcoError, match="no room"):
        run(stream, make=make)
    assert not stream.broker.pushed


def test_a_day_is_waited_for(stream: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.broker.made = set()
    control = Control()
    told: list[tuple[dt.date, str]] = []

    @contextmanager
    def waiting(one: dt.date) -> Iterator[None]:
        yield
        told.append((one, control.state.message))

    def sleep(_: float) -> None:
        assert "not in the lake yet (cdrs_voice, network_logs)" in control.state.message
        stream.broker.made.add(day(0))

    monkeypatch.setattr(streams, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(streams.time, "sleep", sleep)
    stream.broker.last = 1
    assert run(stream, control=control, waiting=waiting) == [(day(0), BOTH)]
    assert told == [(day(0), "")]


def test_a_stop_ends_the_wait(stream: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.broker.made = set()
    control = Control()
    monkeypatch.setattr(streams.time, "sleep", lambda _: control.stop())
    assert run(stream, control=control) == []
