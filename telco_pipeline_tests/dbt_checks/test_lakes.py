"""Every test passes on a sound lake and fails on a damaged one; what is missing is told."""

import datetime as dt
import shutil

import duckdb
import pytest

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline_tests.dbt_checks.damages import (
    HANDWRITTEN,
    KINDS,
    OTHERS,
    Handwritten,
    columns_of,
    damage,
    next_day,
    other_world,
    same_event,
)
from telco_pipeline_tests.dbt_checks.kit import Compiled, Dbt, all_tests, failed, of_kind
from telco_pipeline_tests.lake.small_lake import DAYS

BUSINESS = {
    "daily_cell_kpis", "customer_months", "plan_usage", "churn_funnel", "fraud_candidates",
    "care_drivers",
}  # fmt: skip


def test_a_sound_lake_passes_and_every_test_fails_on_a_damaged_one(
    dbt: Dbt, compiled: Compiled
) -> None:
    assert set(compiled.names("test")) == set(all_tests()), (
        "dbt has run all of them, and all passed"
    )
    views = {f"stg_{name}" for name in DATASETS}
    assert set(compiled.names("model")) == {*views, *BUSINESS, "partitions"}
    assert compiled.failed() == set()
    damage(dbt.lake, [test for test in all_tests().values() if test.generated])
    for one in HANDWRITTEN:
        one.apply(dbt.lake)
    for apply in OTHERS.values():
        apply(dbt.lake)
    next_day(dbt.lake, "cdrs_sms")
    assert set(all_tests()) - compiled.failed() == {"cdrs_sms_fresh"}, "it alone has the next day"
    _each_column_is_named(compiled)


def _each_column_is_named(compiled: Compiled) -> None:
    """Ask each test over many columns which of them are broken: all of them are."""
    found = compiled.rows()
    for test in all_tests().values():
        if test.generated and (wanted := columns_of(test)):
            assert {row[0] for row in found[test.name]} == wanted, test.name


def test_dbt_says_what_failed_where(dbt: Dbt) -> None:
    guilty = all_tests()["cdrs_sms_ranges"]
    damage(dbt.lake, [guilty])
    some = ["stg_cdrs_sms", "partitions", "cdrs_sms_ranges", "cdrs_sms_rows"]
    found = dbt.run("build", "--indirect-selection", "empty", "--select", *some)
    assert set(found) == set(some)
    assert failed(found) == {"cdrs_sms_ranges"}
    assert found["cdrs_sms_ranges"].failures >= len(columns_of(guilty)), "rows, not columns"
    told = [line for line in dbt.lines if "cdrs_sms_ranges: column_name=" in line]
    assert len(told) == 1
    assert "row_count=" in told[0]


def test_a_lake_with_few_datasets_is_built_and_says_what_is_missing(dbt: Dbt) -> None:
    """And of its newest day alone, as it was asked for."""
    missing = set(DATASETS) - {"cells", "cdrs_voice"}
    for name in missing:
        shutil.rmtree(dbt.lake / name)
    found = dbt.run("run", "--vars", "{days: 1}")
    assert failed(found) == set()
    told = next(line for line in dbt.lines if "Not there" in line)
    assert "their views are empty and their tests see nothing" in told
    assert set(told.split("nothing: ")[1].split(", ")) == missing
    with duckdb.connect(str(dbt.database), read_only=True) as connection:
        count = "select count(*), min(day) from {}"
        assert connection.sql(count.format("stg_cdrs_sms")).fetchall() == [(0, None)]
        assert connection.sql(count.format("stg_cdrs_voice")).fetchall() == [(80, DAYS[1])]


@pytest.mark.long
def test_a_lake_with_few_datasets_passes(dbt: Dbt) -> None:
    for name in set(DATASETS) - {"cells", "cdrs_voice"}:
        shutil.rmtree(dbt.lake / name)
    assert failed(dbt.run("build")) == set()


def test_a_lake_with_nothing_is_refused_in_one_line(dbt: Dbt) -> None:
    shutil.rmtree(dbt.lake)
    dbt.lake.mkdir()
    with pytest.raises(TelcoError, match=r"no dataset in lake .*: make some with"):
        dbt.run("build")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{days: 0}", "the variable days is '0': write a whole number from 1 on"),
        ("{start: hello}", "the variable start is 'hello', which is no date: write one such as"),
        pytest.param(
            "{start: '2026-02-30'}",
            "the variable start is '2026-02-30', which is no date",
            marks=pytest.mark.long,
        ),
        (
            f"{{start: {DAYS[-1] + dt.timedelta(days=400)}, days: 2}}",
            rf"no partition from \S+ to \S+ in lake .*: its newest day is {DAYS[-1]}",
        ),
    ],
)
def test_a_window_over_nothing_is_refused_in_one_line(dbt: Dbt, given: str, words: str) -> None:
    with pytest.raises(TelcoError, match=words) as error:
        dbt.run("build", "--vars", given)
    assert "\n" not in str(error.value)


def test_one_view_alone_is_built_with_the_tests_that_read_nothing_else(dbt: Dbt) -> None:
    found = dbt.run("build", "--select", "stg_cells")
    assert failed(found) == set()
    assert {"stg_cells", "cells_unique", "cells_ranges"} <= set(found)
    assert "cells_rows" not in found, "it reads what was recorded, which is not there"


def test_a_dataset_without_a_day_in_the_window_is_late(dbt: Dbt) -> None:
    """And what the lake does not hold at all is not."""
    shutil.rmtree(dbt.lake / "cdrs_sms" / f"day={DAYS[-1]}")
    shutil.rmtree(dbt.lake / "alarms")
    some = ["partitions", *(test.name for test in of_kind("newest_day"))]
    given = f"{{start: {DAYS[-1]}, days: 1}}"
    found = dbt.run("build", "--vars", given, "--select", *some)
    assert set(some) <= set(found)
    assert failed(found) == {"cdrs_sms_fresh"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("given", "days"),
    [
        (f"{{start: {DAYS[0]}, days: 1}}", DAYS[:1]),
        (f"{{start: {DAYS[1]}}}", DAYS[1:]),
        ("{days: 9}", DAYS),
    ],
)
def test_days_may_be_chosen(dbt: Dbt, given: str, days: list[dt.date]) -> None:
    found = dbt.run("run", "--vars", given, "--select", "stg_cdrs_sms", "partitions")
    assert failed(found) == set()
    with duckdb.connect(str(dbt.database), read_only=True) as connection:
        rows = connection.sql("select distinct day from stg_cdrs_sms order by day").fetchall()
    assert [row[0] for row in rows] == days


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_of_one_kind_is_found_by_the_tests_of_that_kind(
    dbt: Dbt, compiled: Compiled, kind: str
) -> None:
    """And by no other test of a contract."""
    guilty = of_kind(kind)
    assert guilty
    damage(dbt.lake, guilty)
    generated = {test.name for test in all_tests().values() if test.generated}
    assert compiled.failed() & generated == {test.name for test in guilty}


@pytest.mark.long
@pytest.mark.parametrize("dataset", ["alarms", "cdrs_sms"])
def test_a_day_that_one_has_alone_is_missed_by_the_others(
    dbt: Dbt, compiled: Compiled, dataset: str
) -> None:
    next_day(dbt.lake, dataset)
    late = {test.name for test in of_kind("newest_day")} - {f"{dataset}_fresh"}
    generated = {test.name for test in all_tests().values() if test.generated}
    own = {f"{dataset}_unique", f"{dataset}_days"}  # the day is a copy
    assert compiled.failed() & generated == late | own


@pytest.mark.long
def test_a_day_that_was_asked_for_and_nobody_has_is_missed(dbt: Dbt) -> None:
    found = failed(dbt.build_and_test("--vars", f"{{start: {DAYS[0]}, days: {len(DAYS) + 1}}}"))
    assert found == {test.name for test in of_kind("newest_day")}


@pytest.mark.long
@pytest.mark.parametrize("one", HANDWRITTEN, ids=lambda one: f"{one.test}-{one.dataset}")
def test_a_handwritten_test_finds_its_own_damage(
    dbt: Dbt, compiled: Compiled, one: Handwritten
) -> None:
    one.apply(dbt.lake)
    assert compiled.failed() == {one.test, *one.others}


@pytest.mark.long
def test_another_world_and_an_id_used_twice_are_found_alone(dbt: Dbt, compiled: Compiled) -> None:
    other_world(dbt.lake)
    same_event(dbt.lake)
    assert compiled.failed() == {"partitions_of_one_world", "event_ids_are_unique"}
