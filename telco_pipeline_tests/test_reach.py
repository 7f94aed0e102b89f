"""Rows outside the reach of the layers that are left out are equal in both worlds."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from telco_pipeline.lake import Lake
from telco_pipeline.reach import hours
from telco_pipeline.reach.measure import BOUND, Reach, Share, measure
from telco_pipeline.reach.rows import COLUMNS
from telco_pipeline.settings import WorldConfig
from telco_pipeline_tests.paired_worlds import LAYERS, Pair, main_world, outcomes, without

PEOPLE = ("cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims", "location_updates")
SMALL = 500
# In which datasets each layer must show, so that there is something outside which rows are equal.
MOVED = {
    "boxes": ("cdrs_voice", "cdrs_data", "cdrs_ims", "location_updates", "pm_counters"),
    "cut": ("cdrs_voice", "cdrs_data", "alarms", "pm_counters", "element_metrics"),
    "bad": ("cdrs_data", "pm_counters"),
    "crowd": ("cdrs_voice", "cdrs_data", "location_updates", "network_logs"),
    "quarrel": ("customer_service", "identity_changes", "collected_files"),
    "refused": ("cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates"),
    "lost": ("collected_files",),
    "slow": ("cdrs_data",),
    "campaign": ("cdrs_sms",),
    "rung": ("cdrs_voice",),
    "taken": ("cdrs_voice", "cdrs_data", "identity_changes"),
    "travel": ("cdrs_voice", "cdrs_data", "location_updates"),
    "asleep": ("cdrs_data", "pm_counters"),
    "worn": ("network_logs", "element_metrics"),
    "storm": ("alarms", "network_logs"),
    "shrunk": ("cdrs_data", "location_updates", "pm_counters"),
    "broken": ("cdrs_voice", "cdrs_data", "location_updates", "cdrs_ims"),
    "core": ("cdrs_voice", "cdrs_voip", "alarms"),
    "owing": ("identity_changes",),
}


def assert_equal_outside(pair: Pair, moved: tuple[str, ...]) -> None:
    found = outcomes(pair)
    assert {name: one.outside for name, one in found.items() if one.outside} == {}
    for name in moved:
        assert found[name].differ > 0, name
    people = [found[name] for name in PEOPLE]
    rows, inside = sum(one.rows for one in people), sum(one.inside for one in people)
    assert inside < 0.5 * rows
    # What is in reach differs in part only, but all that differs is in reach.
    assert sum(one.differ for one in people) <= inside


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> tuple[WorldConfig, Lake]:
    """Return a world with a fraud and a fault."""
    layers = {name: LAYERS[name] for name in ("boxes", "cut")}
    root = tmp_path_factory.mktemp("two")
    return main_world(root, layers, subscribers=SMALL, sites=50, days=3)


@pytest.fixture(scope="module")
def fraud(main: tuple[WorldConfig, Lake]) -> Pair:
    """Return it, and it without the fraud."""
    return without(*main, ["boxes"])


class TestTwoLayers:
    """Each of two layers alone is left out."""

    def test_a_fraud(self, fraud: Pair) -> None:
        assert_equal_outside(fraud, MOVED["boxes"])

    def test_a_fault(self, main: tuple[WorldConfig, Lake]) -> None:
        assert_equal_outside(without(*main, ["cut"]), ("cdrs_data", "alarms", "pm_counters"))

    def test_its_part_is_told_and_bounded(self, fraud: Pair) -> None:
        told: list[object] = []
        found = measure(fraud.config, fraud.made.left_out, fraud.lakes, fraud.days, told.append)
        assert told == fraud.days
        assert [share.dataset for share in found.shares] == [
            name for name in COLUMNS if name in {share.dataset for share in found.shares}
        ]
        voice = next(share for share in found.shares if share.dataset == "cdrs_voice")
        rows = sum(fraud.lakes[0].rows("cdrs_voice", day) for day in fraud.days)
        assert voice.rows == rows
        assert 0 < voice.reached < rows
        assert 8 / SMALL <= found.of_subscribers < 0.5
        assert found.targets == pytest.approx(8 / fraud.config.joined_by(fraud.days[-1]))
        assert found.local
        assert found.within_bound
        assert len(found.subscribers) == len(set(found.subscribers))

    def test_a_row_that_differs_outside_is_found(self, fraud: Pair) -> None:
        """The comparison itself can fail: nobody is in reach of a layer that does not exist."""
        day = fraud.days[-1]
        walk = fraud.walk()
        for reach, sums in walk.days():
            if reach.date != day:
                continue
            frames = [lake.read("cdrs_voice", day, day) for lake in fraud.lakes]
            inside = [walk.inside(reach, sums, "cdrs_voice", frame) for frame in frames]
            assert not frames[0].equals(frames[1])
            rest = [f.filter(~pl.Series(i)) for f, i in zip(frames, inside, strict=True)]
            assert rest[0].equals(rest[1])
            assert not rest[0].equals(rest[1].with_columns(pl.col("call_duration") + 1))


@pytest.mark.long
@pytest.mark.parametrize("name", list(LAYERS))
def test_every_kind_of_layer(tmp_path: Path, name: str) -> None:
    made = main_world(tmp_path, {name: LAYERS[name]}, subscribers=1500, sites=160, days=4)
    pair = without(*made, [name])
    assert_equal_outside(pair, MOVED[name])
    # The core serves everybody; all the others touch few.
    assert (pair.walk().targeted() == 1.0) == (name == "core")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[WorldConfig, Lake]:
    """Return a world with all these layers."""
    root = tmp_path_factory.mktemp("many")
    return main_world(root, LAYERS, subscribers=1500, sites=160, days=4)


@pytest.mark.long
@pytest.mark.parametrize("name", ["boxes", "crowd", "quarrel", "rung", "bad", "shrunk"])
def test_each_of_many_layers(many: tuple[WorldConfig, Lake], name: str) -> None:
    """What other layers go on doing stays out of the reach of the one that is left out."""
    assert_equal_outside(without(*many, [name]), ())


class TestHours:
    """Hours of days as bits."""

    def test_from_a_moment_on(self) -> None:
        hour = 3_600_000_000
        found = hours.since(np.array([-5, 0, 3 * hour, 30 * hour]), 0)
        assert [bin(int(bits)).count("1") for bits in found] == [24, 24, 21, 0]
        assert hours.at(found[2:3], np.array([3])).all()
        assert not hours.at(found[2:3], np.array([2])).any()

    def test_days_beside_each_other(self) -> None:
        eve, day, after = (np.array([1 << bit], dtype=np.uint64) for bit in (23, 5, 1))
        beside = hours.around(eve, day, after)
        assert hours.today(beside)[0] == 1 << 5
        assert hours.today(hours.later(beside, 2))[0] == (0b11 | 0b111 << 5)
        assert hours.today(hours.earlier(beside, 2))[0] == (0b111 << 3 | 1 << 23)

    def test_between(self) -> None:
        assert hours.between(np.array([2]), np.array([4]))[0] == 0b11100

    @pytest.mark.parametrize(("microseconds", "whole"), [(0, 0), (1, 1), (3_600_000_000, 1)])
    def test_whole(self, microseconds: int, whole: int) -> None:
        assert hours.whole(microseconds) == whole


def _reach(part: float, targets: float) -> Reach:
    nobody = pl.Series([], dtype=pl.Int64)
    shares = [Share("cdrs_voice", 1000, int(part * 1000)), Share("alarms", 10, 10)]
    return Reach(nobody, nobody, nobody, 0.1, 0.1, 0.1, targets, shares)


@pytest.mark.parametrize(
    ("part", "targets", "within", "told"),
    [
        (0.2, 0.01, True, "20.0% of the records of subscribers are in reach, of at most 50%"),
        (BOUND + 0.1, 0.01, False, "above the bound of 50%"),
        (BOUND + 0.1, 0.4, True, "no bound, as the layers touch 40% themselves"),
    ],
)
def test_the_bound_is_for_layers_that_touch_few(
    part: float, targets: float, within: bool, told: str
) -> None:
    found = _reach(part, targets)
    assert found.part == pytest.approx(part)
    assert found.within_bound is within
    assert told in found.bound_told()
