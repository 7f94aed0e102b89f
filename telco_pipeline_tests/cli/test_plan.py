"""`telco plan`: near what is made, and it touches nothing."""

import datetime as dt
import time
from pathlib import Path

import pytest

from telco_pipeline import lineage, planning
from telco_pipeline.cli import options
from telco_pipeline.contracts import DAILY_DATASETS, DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline_tests.cli.conftest import Telco

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


def planned(config: WorldConfig, name: str, first: dt.date = EPOCH, days: int = 1) -> float:
    return planning.rows(config, [name], first, days)[name]


def test_rows_grow_with_subscribers_days_and_weights() -> None:
    small = load_world(subscribers=1000)
    large = load_world(subscribers=3000)
    monday = dt.date(2026, 1, 12)

    week = planned(small, "cdrs_voice", monday, 7)
    assert planned(large, "cdrs_voice", monday, 7) == pytest.approx(3 * week)
    assert planned(small, "cdrs_voice", monday, 21) == pytest.approx(3 * week)
    doubled = small.model_copy(
        update={"record_weights": {**small.record_weights.model_dump(), "sms": 2.0}}
    )
    once = planned(small, "cdrs_sms")
    assert planned(doubled, "cdrs_sms") == pytest.approx(2 * once)


def test_a_span_is_the_sum_of_its_days() -> None:
    # Among them New Year, Easter, a clock change, and days that are alike but for those.
    config = load_world(subscribers=1000)
    days = [EPOCH + dt.timedelta(days=offset) for offset in range(120)]
    each = [planning.rows(config, DAILY_DATASETS, day, 1) for day in days]

    whole = planning.rows(config, DAILY_DATASETS, EPOCH, len(days))
    assert whole == {name: pytest.approx(sum(one[name] for one in each)) for name in DAILY_DATASETS}


def test_holidays_are_in_the_plan() -> None:
    config = load_world(subscribers=1000)
    friday, christmas = dt.date(2026, 12, 11), dt.date(2026, 12, 25)
    thursday, new_year = dt.date(2026, 12, 10), dt.date(2026, 1, 1)

    assert planned(config, "cdrs_voice", christmas) < 0.8 * planned(config, "cdrs_voice", friday)
    assert planned(config, "cdrs_sms", new_year) > 1.3 * planned(config, "cdrs_sms", thursday)


def test_a_long_plan_is_quick() -> None:
    config = load_world()
    planned(config, "cdrs_voice")  # loads what it needs
    started = time.perf_counter()
    planned(config, "cdrs_voice", EPOCH, 3650)

    assert time.perf_counter() - started < 10  # 1 s on a quiet machine


def test_more_workers_take_less_time_and_more_memory() -> None:
    config = load_world(subscribers=1_000_000)
    names = options.with_inputs(None)
    one = planning.estimate(config, names, EPOCH, 1, workers=1)
    four = planning.estimate(config, names, EPOCH, 1, workers=4)

    assert four.seconds < one.seconds
    assert four.memory > one.memory


STORMS = ("network_faults", "identity_changes", "alarms", "customer_service")
"""Few rows a day, and of some many at once: a fault brings its alarms, and those who complain."""


def test_plan_is_within_a_tenth_of_what_is_made(tmp_path: Path) -> None:
    # Some are ten times as active as others, and some days twice as busy as others, so a smaller
    # world may be a tenth off by chance. There is a storm in the four weeks of this one.
    config, store = load_world(subscribers=8000, seed=7), Lake(tmp_path)
    # A holiday, a working day and a Sunday, and what comes in storms over the four weeks.
    days = [EPOCH, dt.date(2026, 1, 7), dt.date(2026, 1, 18)]
    weeks = [EPOCH + dt.timedelta(days=offset) for offset in range(28)]
    made: dict[tuple[str, dt.date, int], int] = {}
    for name in DATASETS:
        wanted = weeks if name in STORMS or name in lineage.HISTORY else days
        reports = produce(config, store, name, wanted if name in DAILY_DATASETS else None)
        rows = {report.day or EPOCH: report.rows for report in reports}
        if name in STORMS:
            made[name, EPOCH, len(weeks)] = sum(rows.values())
        else:
            made |= {(name, day, 1): count for day, count in rows.items()}

    off = {
        (name, day): (rows, round(expected))
        for (name, day, span), rows in made.items()
        if (expected := planned(config, name, day, span)) is not None
        # Chance alone may be more than a tenth of what is rare.
        and abs(expected - rows) > max(0.1 * rows, 3 * rows**0.5)
    }
    assert {name for name, _, _ in made} == set(DATASETS)
    assert off == {}
