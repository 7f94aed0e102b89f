"""`telco plan`: near what is made, and it touches nothing."""

import datetime as dt
from pathlib import Path

import pytest

from telco_pipeline import planning
from telco_pipeline.behaviour.rhythm import WEEKDAY_WEIGHT
from telco_pipeline.cli import options
from telco_pipeline.contracts import DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline.settings import load_world
from telco_pipeline_tests.cli.conftest import Telco, run_process

EPOCH = dt.date(2026, 1, 1)


def test_plan_reads_and_writes_nothing(telco: Telco, tmp_path: Path) -> None:
    result = telco("plan", "--subscribers", 1_000_000, "--days", 7)

    assert result.exit_code == 0
    assert list(tmp_path.iterdir()) == []
    for name in DATASETS:
        assert name in result.stdout


def test_plan_of_one_dataset_names_its_inputs_only(telco: Telco) -> None:
    result = telco("plan", "--datasets", "cdrs_sms")

    assert "subscribers" in result.stdout
    assert "cdrs_voice" not in result.stdout


def test_every_dataset_has_constants() -> None:
    assert set(planning._SIZES) == set(DATASETS)


def test_weekdays_are_those_of_behaviour() -> None:
    assert planning._WEEKDAYS == WEEKDAY_WEIGHT


def test_rows_grow_with_subscribers_days_and_weights() -> None:
    small = load_world(subscribers=1000)
    large = load_world(subscribers=3000)

    week = planning.rows(small, "cdrs_voice", EPOCH, 7)
    assert planning.rows(large, "cdrs_voice", EPOCH, 7) == pytest.approx(3 * week)
    assert planning.rows(small, "cdrs_voice", EPOCH, 21) == pytest.approx(3 * week)
    doubled = small.model_copy(
        update={"record_weights": {**small.record_weights.model_dump(), "sms": 2.0}}
    )
    once = planning.rows(small, "cdrs_sms", EPOCH, 1)
    assert planning.rows(doubled, "cdrs_sms", EPOCH, 1) == pytest.approx(2 * once)


def test_more_workers_take_less_time_and_more_memory() -> None:
    config = load_world(subscribers=1_000_000)
    names = options.with_inputs(None)
    one = planning.estimate(config, names, EPOCH, 1, workers=1)
    four = planning.estimate(config, names, EPOCH, 1, workers=4)

    assert four.seconds < one.seconds
    assert four.memory > one.memory


def test_plan_is_within_a_quarter_of_what_is_made(tmp_path: Path) -> None:
    subscribers, days = 3000, 2
    lake = tmp_path / "lake"
    result = run_process(
        *("generate", "--subscribers", subscribers, "--days", days, "--lake", lake),
        *("--workers", 1),
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr

    config, store = load_world(subscribers=subscribers), Lake(lake)
    made = {name: store.rows(name) for name in DATASETS}
    planned = {name: planning.rows(config, name, EPOCH, days) for name in DATASETS}
    # Too few contacts with customer care for a ratio to mean much.
    off = {
        name: (made[name], round(planned[name]))
        for name in DATASETS
        if abs(planned[name] - made[name]) > max(0.25 * made[name], 30)
    }
    assert off == {}
