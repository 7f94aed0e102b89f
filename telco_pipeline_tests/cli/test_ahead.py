"""Making days for a live stream: when, once, in a process of its own, and what is said."""

import datetime as dt
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from telco_pipeline.cli.ahead import Maker, Message, Order
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.layout import USERS, Topic
from telco_pipeline.streaming.settings_file import load_settings
from telco_pipeline.streaming.stream import Stream
from telco_pipeline_tests.cli.conftest import LakeOnDisk

EPOCH = dt.date(2026, 1, 1)
NEXT = dt.date(2026, 1, 4)
TOPIC = Topic("location_updates", ("location_updates",))
USERS_TOPIC = Topic("users", USERS)


@pytest.fixture
def stream(small_lake: LakeOnDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stream:
    """Return a stream of a lake that may be changed."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    root = tmp_path / "lake"
    shutil.copytree(small_lake.path, root)
    nowhere = Connection({"bootstrap.servers": "127.0.0.1:1"})
    return Stream(Lake(root), (TOPIC,), load_settings(), nowhere)


def at(hour: int) -> dt.datetime:
    """Return an hour of the last day of the lake."""
    return dt.datetime(2026, 1, 3, hour, tzinfo=dt.UTC)


def test_a_day_is_made_with_those_before_it(
    stream: Stream, capsys: pytest.CaptureFixture[str]
) -> None:
    later = NEXT + dt.timedelta(days=1)
    Maker(stream, 1, lambda: False).make(later)
    assert stream.lacks(later) == []
    # State and identities of the day between were made for it, its records were not.
    assert stream.lake.exists("subscriber_state", NEXT)
    assert stream.lacks(NEXT) == ["location_updates"]
    told = capsys.readouterr().err
    assert f"Making {later}: location_updates" in told


def test_users_lack_what_the_registry_is_read_from(stream: Stream) -> None:
    """Else they would fail at midnight, or be of other plans once the state is there."""
    users = replace(stream, topics=(USERS_TOPIC,))
    assert users.lacks(at(0).date()) == []
    assert users.lacks(NEXT) == ["identity_changes", "subscriber_state"]
    shutil.rmtree(stream.lake.directory("identity_changes", EPOCH))
    assert users.lacks(at(0).date()) == ["identity_changes"]
    Maker(users, 1, lambda: False).make(NEXT)
    assert users.lacks(NEXT) == users.lacks(EPOCH) == []


def test_what_is_there_is_not_made_again(stream: Stream) -> None:
    def run(*_: object) -> None:
        raise AssertionError("made again")

    Maker(stream, 1, lambda: False, run=run).make(dt.date(2026, 1, 3))


def test_a_day_before_the_world_is_refused(stream: Stream) -> None:
    with pytest.raises(TelcoError, match="begins on 2026-01-01"):
        Maker(stream, 1, lambda: False).make(EPOCH - dt.timedelta(days=1))


def test_a_stop_ends_the_making(stream: Stream) -> None:
    ends = time.monotonic() + 1
    Maker(stream, 1, lambda: time.monotonic() > ends).make(dt.date(2026, 12, 31))
    assert time.monotonic() - ends < 20
    assert stream.lacks(dt.date(2026, 12, 31))


@pytest.mark.parametrize(("hour", "expected"), [(19, []), (20, [NEXT]), (23, [NEXT])])
def test_tomorrow_is_made_in_the_evening(
    stream: Stream, hour: int, expected: list[dt.date]
) -> None:
    made: list[dt.date] = []
    looks = 0

    def run(order: Order, _: Callable[[Message], None], __: Callable[[], bool]) -> None:
        assert order.datasets == ("location_updates",)
        made.append(order.day)

    def now() -> dt.datetime:
        nonlocal looks
        looks += 1
        return at(hour)

    with Maker(stream, 1, lambda: bool(made), run=run, now=now, look=0.01):
        ends = time.monotonic() + 10
        while not made and looks < 5:
            assert time.monotonic() < ends
            time.sleep(0.01)
    assert made == expected


def test_what_failed_ahead_is_told_and_tried_again(
    stream: Stream, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[dt.datetime] = []
    moments = iter(at(20) + dt.timedelta(minutes=number) for number in range(1_000_000))
    moment = at(20)

    def now() -> dt.datetime:
        nonlocal moment
        moment = next(moments)
        return moment

    def run(*_: object) -> None:
        tried.append(moment)
        raise TelcoError("no room on the disk")

    with Maker(stream, 1, lambda: len(tried) == 2, run=run, now=now, look=0.001):
        ends = time.monotonic() + 10
        while len(tried) < 2:
            assert time.monotonic() < ends
            time.sleep(0.01)
    assert tried[1] - tried[0] >= dt.timedelta(minutes=15)
    assert "2026-01-04 could not be made ahead: no room on the disk" in capsys.readouterr().err
