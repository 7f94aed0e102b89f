"""When entries are due, and how lateness is counted; no test waits for a clock."""

from dataclasses import dataclass

import numpy as np
import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.pacing import Lateness, Pace

SECOND = 1_000_000
START = 1_767_225_600 * SECOND
RELEASES = START + np.array([0, 10, 20, 60], np.int64) * SECOND


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_fast_is_due_at_once() -> None:
    pace = Pace.of()
    assert pace.is_fast
    pace.clock = Clock()
    assert pace.due(RELEASES, 0).tolist() == [100.0] * 4
    assert pace.start() is None


def test_speed_counts_from_the_first_release() -> None:
    pace = Pace.of(speed=10)
    pace.clock = clock = Clock()
    assert pace.due(RELEASES, 0).tolist() == [100.0, 101.0, 102.0, 106.0]
    clock.now = 500.0
    assert pace.due(RELEASES[3:], 3).tolist() == [106.0]


def test_rate_counts_records() -> None:
    pace = Pace.of(rate=4)
    pace.clock = Clock()
    assert pace.due(RELEASES, 0).tolist() == [100.0, 100.25, 100.5, 100.75]
    assert pace.due(RELEASES[:2], 40).tolist() == [110.0, 110.25]


def test_rate_that_begins_with_a_later_record_does_not_wait() -> None:
    pace = Pace.of(rate=4)
    pace.clock = Clock()
    assert pace.due(RELEASES[:2], 40).tolist() == [100.0, 100.25]


def test_live_is_due_at_the_release() -> None:
    pace = Pace.of(live=True)
    pace.clock = Clock(START / SECOND + 15.5)
    assert (pace.due(RELEASES, 0) == RELEASES / SECOND).all()
    assert pace.start() == START + 15_500_000
    pace.clock = Clock(START / SECOND + 99)
    assert pace.start() == START + 15_500_000, "it begins once"
    assert Pace.of(live=True, since=START).start() == START


@pytest.mark.parametrize("options", [{"speed": 10.0}, {"rate": 4.0}])
def test_a_pause_shifts_what_is_due(options: dict[str, float]) -> None:
    pace = Pace.of(**options)
    pace.clock = clock = Clock()
    before = pace.due(RELEASES, 0)
    clock.now = 101.0
    pace.pause()
    assert pace.is_paused
    clock.now = 131.0
    pace.pause()
    assert pace.resume() == 30.0
    assert not pace.is_paused
    assert pace.resume() == 0.0
    assert (pace.due(RELEASES, 0) == before + 30).all()


def test_what_became_due_in_a_live_pause_is_late() -> None:
    pace = Pace.of(live=True)
    pace.clock = clock = Clock(START / SECOND)
    pace.start()
    pace.pause()
    clock.now += 30
    assert pace.resume() == 0.0
    late = clock.now - pace.due(RELEASES, 0)
    assert late.tolist() == [30.0, 20.0, 10.0, -30.0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speed": 1.0, "rate": 1.0}, "--speed and --rate"),
        ({"rate": 1.0, "live": True}, "--rate and --live"),
        ({"speed": 0.0}, "--speed 0"),
        ({"rate": -1.0}, "--rate -1"),
        ({"rate": float("inf")}, "--rate inf"),
        ({"speed": float("nan")}, "--speed nan"),
    ],
)
def test_clocks_that_cannot_be(options: dict, words: str) -> None:
    with pytest.raises(TelcoError, match=words):
        Pace.of(**options)


def test_quantiles_are_at_most_two_percent_above_the_true_ones() -> None:
    seconds = np.random.Generator(np.random.PCG64(3)).exponential(0.2, 100_000)
    lateness = Lateness()
    for part in np.array_split(seconds, 7):
        lateness.add(part)
    assert lateness.count == 100_000
    assert lateness.worst == seconds.max()
    for share, found in ((0.5, lateness.median), (0.99, lateness.p99), (0.9999, None)):
        true = np.quantile(seconds, share, method="inverted_cdf")
        assert true <= (found or lateness.quantile(share)) <= true * 1.0201
    assert lateness.quantile(1.0) == lateness.worst


def test_early_late_and_none() -> None:
    lateness = Lateness()
    assert (lateness.median, lateness.p99, lateness.worst) == (0.0, 0.0, 0.0)
    lateness.add(np.array([]))
    lateness.add(np.array([-5.0, -1.0]))
    assert lateness.p99 == 0.0
    lateness.add(np.array([30 * 86_400.0]))
    assert lateness.worst == 30 * 86_400.0
    assert lateness.median <= 0.001


def test_memory_does_not_grow() -> None:
    lateness = Lateness()
    size = lateness._buckets.nbytes
    for _ in range(3):
        lateness.add(np.linspace(0, 1e7, 10_000))
    assert lateness._buckets.nbytes == size < 20_000
