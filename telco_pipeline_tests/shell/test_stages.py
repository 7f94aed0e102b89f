"""Stages: who asks for a later day gets state and identities of all days before it too."""

import datetime as dt
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest

from telco_pipeline import lineage, planning, runs
from telco_pipeline.cli import options
from telco_pipeline.code_version import code_version
from telco_pipeline.contracts import DAILY_DATASETS, DATASETS, STATIC_DATASETS
from telco_pipeline.lake import Lake, Origin, write_part
from telco_pipeline.runs import Stage, stages_of
from telco_pipeline_tests.lake.small_lake import small_frame
from telco_pipeline_tests.shell.kit import Recorder, ephemeral, fail_checks, recorder, tiny_world

__all__ = ["recorder"]

EPOCH = dt.date(2026, 1, 1)
PAST = list(lineage.HISTORY)
RECORDS = [name for name in DAILY_DATASETS if name not in PAST]


def days(first: int, last: int) -> list[dt.date]:
    return [EPOCH + dt.timedelta(days=offset) for offset in range(first - 1, last)]


def stages(lake: Lake, names: list[str] | None, first: int, count: int) -> list[Stage]:
    return stages_of(tiny_world(), lake, names, days(first, first)[0], count)


def make_past(
    lake: Lake, made: list[dt.date], code: str | None = None, names: Sequence[str] = PAST
) -> None:
    """Put state and changes of some days into a lake."""
    config = tiny_world()
    origin = Origin(config.seed, config.world_hash, "main", {}, code or code_version(daily=True))
    lake.bind(origin, config.to_dict())
    for dataset, day in product((DATASETS[name] for name in names), made):
        with lake.begin(dataset.name, day, origin) as pending:
            stats = [write_part(small_frame(dataset, day), pending.path(0), dataset)]
            pending.commit(stats, seconds=0.1, contract=dataset)


def test_from_the_epoch_on_it_is_one_run(tmp_path: Path) -> None:
    assert stages(Lake(tmp_path), None, 1, 3) == [Stage(list(DATASETS), days(1, 3))]


def test_a_later_start_makes_the_past_first(tmp_path: Path) -> None:
    assert stages(Lake(tmp_path), None, 11, 2) == [
        Stage([*STATIC_DATASETS, *PAST], days(1, 12)),
        Stage(RECORDS, days(11, 12)),
    ]
    assert stages(Lake(tmp_path), ["identity_changes"], 11, 2) == [
        Stage([*STATIC_DATASETS, *PAST], days(1, 12))
    ]


def test_only_what_lacks_is_made(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    make_past(lake, [*days(1, 4), *days(6, 9)])
    world = list(STATIC_DATASETS)
    assert stages(lake, ["cdrs_sms"], 3, 2) == [Stage([*world, "cdrs_sms"], days(3, 4))]
    assert stages(lake, ["cdrs_sms"], 8, 4) == [
        Stage([*world, *PAST], days(5, 5)),
        Stage(PAST, days(10, 11)),
        Stage(["cdrs_sms"], days(8, 11)),
    ]


def test_each_dataset_is_made_of_the_days_it_lacks(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    make_past(lake, [*days(1, 2), *days(4, 9)], names=["network_state"])
    make_past(lake, [*days(1, 5), *days(7, 9)], names=["subscriber_state"])
    make_past(lake, days(1, 9), names=["identity_changes"])
    lost = [
        Stage([*STATIC_DATASETS, "network_state"], days(3, 3)),
        Stage(["subscriber_state"], days(6, 6)),
    ]
    assert stages(lake, ["cdrs_sms"], 9, 1) == [*lost, Stage(["cdrs_sms"], days(9, 9))]
    assert stages(lake, ["identity_changes"], 9, 1) == [
        *lost,
        Stage(["identity_changes"], days(9, 9)),
    ], "what is asked for is made, though it is there"
    assert stages(lake, None, 9, 2) == [
        *lost,
        Stage([name for name in DATASETS if name not in STATIC_DATASETS], days(9, 10)),
    ], "the last days of the past are the days asked for: all of them are one run"


def test_what_follows_from_a_day_of_other_code_is_made_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    make_past(lake, days(1, 9))
    make_past(lake, days(4, 4), code="old", names=["network_state"])
    assert stages(lake, ["cdrs_sms"], 9, 1) == [
        Stage([*STATIC_DATASETS, *PAST], days(4, 4)),
        Stage(PAST[1:], days(5, 9)),
        Stage(["cdrs_sms"], days(9, 9)),
    ]
    make_past(lake, days(4, 4), names=["network_state"])
    make_past(lake, days(7, 7), code="old", names=["subscriber_state"])
    assert stages(lake, ["cdrs_sms"], 9, 1)[0] == Stage([*STATIC_DATASETS, *PAST[1:]], days(7, 9))


def test_what_is_there_of_the_past_is_not_made_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    make_past(lake, days(1, 9), names=["network_state"])
    assert stages(lake, ["cdrs_sms"], 9, 1) == [
        Stage([*STATIC_DATASETS, *PAST[1:]], days(1, 9)),
        Stage(["cdrs_sms"], days(9, 9)),
    ]


def test_changes_of_older_code_or_another_world_are_made_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    make_past(lake, days(1, 4), code="old")
    assert stages(lake, ["cdrs_sms"], 4, 1)[0].days == days(1, 4)
    other = tiny_world(seed=43)
    assert stages_of(other, lake, ["cdrs_sms"], days(4, 4)[0], 1)[0].days == days(1, 4)


def test_what_looks_at_the_network_alone_needs_no_past_but_the_eve(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert stages(lake, ["network_logs"], 9, 1) == [
        Stage([*STATIC_DATASETS, "network_state"], days(8, 9)),
        Stage(["network_logs"], days(9, 9)),
    ]
    assert stages(lake, ["network_faults"], 9, 1)[0].days == days(9, 9)
    assert stages(lake, ["plans"], 9, 1)[0].datasets == ["plans"]


def test_a_run_goes_through_both(tmp_path: Path, recorder: Recorder) -> None:
    with ephemeral() as instance:
        summary = runs.run_operator(
            tiny_world(), tmp_path, first=days(5, 5)[0], days=2, instance=instance
        )
    assert summary.success, summary.failures
    asked = {name: span for name, span, _ in recorder.asked}
    assert asked["identity_changes"] == tuple(days(1, 6))
    assert asked["cdrs_voice"] == tuple(days(5, 6))
    assert recorder.made == list(dict.fromkeys(recorder.made)), "each is made once"
    assert [each.dataset for each in summary.datasets] == list(DATASETS)
    assert summary.skipped == []


def test_a_hole_in_the_past_is_filled_and_no_more(tmp_path: Path, recorder: Recorder) -> None:
    lake = Lake(tmp_path)
    make_past(lake, [*days(1, 2), *days(4, 5)])
    with ephemeral() as instance:
        summary = runs.run_operator(
            tiny_world(), tmp_path, datasets=["cdrs_sms"], first=days(6, 6)[0], instance=instance
        )
    assert summary.success, summary.failures
    asked = [(name, span) for name, span, _ in recorder.asked if name in DAILY_DATASETS]
    assert sorted(asked[:3]) == sorted((name, tuple(days(3, 3))) for name in PAST)
    assert sorted(asked[3:]) == sorted((name, tuple(days(6, 6))) for name in [*PAST, "cdrs_sms"])
    assert {each.dataset: each.partitions for each in summary.datasets}["subscriber_state"] == 2


def test_a_first_run_that_fails_stops_the_second(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_checks(monkeypatch, {("identity_changes", "identity"): [days(2, 2)[0]]})
    with ephemeral() as instance:
        summary = runs.run_operator(
            tiny_world(), tmp_path, first=days(5, 5)[0], days=2, instance=instance
        )
    assert not summary.success
    assert set(recorder.made) == {*STATIC_DATASETS, *PAST}
    assert summary.skipped == RECORDS


def test_the_plan_counts_the_changes_of_all_days() -> None:
    config = tiny_world(subscribers=5000)
    first = dt.date(2026, 7, 1)
    estimate = planning.estimate(config, options.with_inputs(["cdrs_sms"]), first, 3, 1)
    counted = {one.name: one for one in estimate.datasets}
    assert counted["identity_changes"].partitions == 181 + 3
    assert counted["cdrs_sms"].partitions == 3
    a_year = planning.rows(config, ["identity_changes"], EPOCH, 365)["identity_changes"]
    assert counted["identity_changes"].rows == pytest.approx(a_year / 2, rel=0.03)
