"""Measuring a lake of planted records: known answers, verdicts that fail, one line per error."""

import dataclasses
import datetime as dt
import json
import math
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline.analytics.realism import (
    GROUPS,
    ROWS,
    Report,
    Row,
    Verdict,
    draw_figures,
    measure,
    render_json,
    render_markdown,
)
from telco_pipeline.analytics.realism.catalogue import SOURCES
from telco_pipeline.analytics.realism.report import OF_SCENARIOS, SOCIAL, line
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline_tests.analytics.planted import DAYS, LATER, MACHINES, PEOPLE, SITES, plant


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("planted") / "lake")


@pytest.fixture(scope="module")
def report(root: Path) -> Report:
    return measure(Lake(root))


def a_row(**changes: object) -> Row:
    row = Row("a.b_c", SOCIAL, "title", "s", "about 5", (4, 6), "practice")
    return dataclasses.replace(row, **changes)  # pyright: ignore[reportArgumentType]


def test_a_row_judges_its_value() -> None:
    assert a_row().verdict is Verdict.NO_DATA
    assert a_row(value=4.0).verdict is Verdict.IN_BAND
    assert a_row(value=6.0).verdict is Verdict.IN_BAND
    assert a_row(value=6.1).verdict is Verdict.OUT_OF_BAND
    assert a_row(value=3.9).verdict is Verdict.OUT_OF_BAND
    assert a_row(value=float("nan")).verdict is Verdict.NO_DATA
    assert a_row(value=1e9, band=(4, None)).verdict is Verdict.IN_BAND
    assert a_row(value=-1e9, band=(None, 6)).verdict is Verdict.IN_BAND
    left_out = a_row(value=9.0, counted=False, excuse=OF_SCENARIOS)
    assert left_out.verdict is Verdict.NOT_COUNTED
    assert left_out.in_band is False


def test_a_row_says_how_far_it_misses() -> None:
    assert a_row(value=5.0).miss == 0
    assert a_row(value=7.0).miss == pytest.approx(1)
    assert a_row(value=3.0).miss == pytest.approx(-1)
    assert a_row(value=1.0, band=(None, 0)).miss == pytest.approx(1)
    assert a_row().miss == 0


def test_a_row_counts_or_says_why_not() -> None:
    with pytest.raises(ValueError, match="says why"):
        a_row(counted=False)
    with pytest.raises(ValueError, match="says why"):
        a_row(excuse=OF_SCENARIOS)
    with pytest.raises(ValueError, match="no group"):
        a_row(group="other")


def test_a_measure_that_is_no_number_is_none() -> None:
    assert a_row().measured(float("inf"), "").value is None
    assert a_row().measured(None, "few").note == "few"
    assert a_row(value=1234.5).value_text() == "1,234 s"
    assert a_row().band_text() == "4 – 6 s"


def test_lines_leave_out_what_is_no_number() -> None:
    assert line("a", (1, 2, 3), (1.0, float("nan"), 3.0)).x == (1.0, 3.0)
    with pytest.raises(ValueError, match="zip"):
        line("a", (1, 2), (1,))


def test_the_catalogue_is_sound() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)
    assert all(re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", row.key) for row in ROWS)
    assert all(re.fullmatch(r"[a-z0-9_]+", row.check_name) for row in ROWS)
    assert len({row.check_name for row in ROWS}) == len(ROWS)
    assert {row.group for row in ROWS} == set(GROUPS)
    for row in ROWS:
        low, high = row.band
        assert not row.counted or low is not None or high is not None, row.key
        assert low is None or high is None or low < high, row.key
        assert row.target, row.key
        assert any(name in row.source for name in SOURCES), row.key


def test_planted_facts_are_found(report: Report) -> None:
    value = {row.key: row.value for row in report.rows}
    assert value["calls.duration.median"] == pytest.approx(65, rel=0.05)
    assert value["calls.duration.ln_sigma"] == pytest.approx(1.3, abs=0.05)
    assert value["calls.duration.lognormal_ks"] < 0.2
    assert value["calls.answered"] == pytest.approx(70, abs=1.5)
    assert value["calls.duration.users_loglogistic"] is not None
    assert abs(value["bursts.calls.without_rhythm"]) < 0.05
    assert value["bursts.calls.links"] == pytest.approx(1, abs=0.15)
    assert value["sms.reply.within_10_min"] > 90
    assert value["ties.giant_component"] == pytest.approx(100)
    # Each calls the next two and the one before: neighbours of two kinds, half of them tied.
    assert value["ties.clustering"] == pytest.approx(0.5, abs=0.05)
    assert value["market.prepaid"] == pytest.approx(12, abs=0.1)
    assert value["market.m2m"] == pytest.approx(100 * MACHINES / (PEOPLE + MACHINES))
    assert value["market.sms"] == pytest.approx(4 * 365.25 / 12, rel=0.01)
    assert value["data.uplink.people"] == pytest.approx(10, abs=0.1)
    assert value["machines.uplink"] == pytest.approx(4, rel=0.01)
    assert value["machines.static"] == 100
    assert value["machines.on_the_hour"] == pytest.approx(60)
    assert value["machines.session_size"] < 0.1
    assert value["mobility.top_two"] == 100
    # Between the last record before 8 and 16 h UTC and the first one after it.
    assert value["mobility.commute.morning"] in (8, 9)
    assert value["mobility.commute.evening"] in (16, 17)
    # Home and work are both seen on the first day, and nothing after.
    assert value["mobility.exploration.exponent"] == pytest.approx(0, abs=0.01)
    assert value["calls.missed.lift"] == pytest.approx(1, abs=0.25)


def test_planted_quality_is_found(report: Report) -> None:
    value = {row.key: row.value for row in report.rows}
    # Answered calls of every second row: one row in 250 of those is a drop.
    assert value["quality.drop"] == pytest.approx(0.4, abs=0.1)
    assert value["quality.setup"] == pytest.approx(99.6 * 99.8 / 100)
    assert value["quality.erab_drop"] == pytest.approx(0.4)
    assert value["quality.handover"] == pytest.approx(98.75)
    assert value["quality.handover_older"] == pytest.approx(4)
    out = 2 / (SITES * 24 * len(DAYS))
    assert value["quality.availability"] == pytest.approx(100 * (1 - out))
    # The hours of the outage fail altogether, and are left out.
    assert "2 left out" in report.row("quality.setup").note


def test_planted_churn_is_found(report: Report) -> None:
    value = {row.key: row.value for row in report.rows}
    month = 365.25 / 12
    prepaid, days = int(PEOPLE * 0.12), len(DAYS)
    served = (PEOPLE - prepaid) * days - 4 * 7 + LATER * 7
    assert value["churn.postpaid"] == pytest.approx(100 * 4 / (served / month))
    assert value["churn.prepaid"] == pytest.approx(100 * 2 / ((prepaid * days - 2 * 7) / month))
    years = (PEOPLE * days + (LATER - 6) * 7) / 365.25
    assert value["market.change_of_operator"] == pytest.approx(100 * (6 + LATER) / 2 / years)


def test_planted_contacts_are_found(report: Report) -> None:
    value = {row.key: row.value for row in report.rows}
    years = (PEOPLE * len(DAYS) + (LATER - 6) * 7) / 365.25
    assert value["care.contacts"] == pytest.approx(18 / years)
    assert value["care.handling"] == pytest.approx(6)
    # 15 matters: three are not solved at once, and with three others people come back.
    assert value["care.first_contact"] == pytest.approx(100 * 9 / 15)
    customers = PEOPLE + LATER
    mixing = 6 * 5 / customers / (15 / customers) ** 2
    assert value["care.repeaters"] == pytest.approx(math.log(mixing) ** 0.5)


def test_churn_needs_every_day_of_changes(tmp_path: Path) -> None:
    lake = plant(tmp_path / "lake")
    shutil.rmtree(lake / "identity_changes" / f"day={DAYS[3]}")
    report = measure(Lake(lake), DAYS[5:])
    assert report.row("churn.postpaid").verdict is Verdict.NO_DATA
    assert report.row("market.change_of_operator").value is None
    # Care goes on with the registry.
    assert report.row("care.contacts").value == 0


def test_counters_of_all_days_or_none(tmp_path: Path) -> None:
    lake = plant(tmp_path / "lake")
    shutil.rmtree(lake / "pm_counters" / f"day={DAYS[3]}")
    report = measure(Lake(lake))
    assert report.row("quality.setup").verdict is Verdict.NO_DATA
    assert report.row("quality.drop").value is not None


def test_a_world_that_does_not_grow(tmp_path: Path) -> None:
    lake = plant(tmp_path / "lake")
    shutil.rmtree(lake / "prospects")
    for file in (lake / "identity_changes").glob("day=*/*.parquet"):
        pl.read_parquet(file, hive_partitioning=False).head(0).write_parquet(file)
    report = measure(Lake(lake))
    assert report.row("churn.postpaid").value == 0
    assert report.subscribers == PEOPLE + MACHINES


def test_voicemail_is_no_answer(report: Report) -> None:
    answered = report.row("calls.answered")
    # One attempt per call: the forwarded legs are none.
    assert f"{PEOPLE * 4 * len(DAYS):,} attempts" in answered.note


def test_verdicts_can_fail(report: Report) -> None:
    verdict = {row.key: row.verdict for row in report.rows}
    assert verdict["calls.answered"] is Verdict.IN_BAND
    assert verdict["bursts.calls.without_rhythm"] is Verdict.OUT_OF_BAND
    assert verdict["ties.clustering"] is Verdict.OUT_OF_BAND
    assert verdict["quality.setup"] is Verdict.IN_BAND
    assert verdict["churn.prepaid"] is Verdict.OUT_OF_BAND
    assert verdict["care.first_contact"] is Verdict.OUT_OF_BAND
    assert verdict["quality.flash_crowd"] is Verdict.NOT_COUNTED
    assert verdict["fraud.sim_box.sims"] is Verdict.NOT_COUNTED
    assert 0 < report.score < 1
    assert len(report.failing()) == round((1 - report.score) * len(report.counted()))
    assert sum(report.tally().values()) == len(ROWS)


def test_all_counted_rows_are_measured(report: Report) -> None:
    assert [row.key for row in report.rows] == [row.key for row in ROWS]
    assert all(row.note for row in report.counted())
    assert report.seed == 7
    assert report.subscribers == PEOPLE + MACHINES
    assert report.days == DAYS
    with pytest.raises(KeyError):
        report.row("nothing.such")


def test_the_same_lake_gives_the_same_report(root: Path, report: Report) -> None:
    again = measure(Lake(root))
    assert again.rows == report.rows
    assert again.panels == report.panels


def test_some_days_and_progress(root: Path) -> None:
    steps: list[str] = []
    some = measure(Lake(root), [*DAYS[:8], dt.date(2030, 1, 1)], steps.append)
    assert some.days == DAYS[:8]
    assert any("day 8 of 8" in step for step in steps)


def test_page_json_and_pictures(report: Report) -> None:
    figures = draw_figures(report)
    assert list(figures) == [group for group in GROUPS if group in figures]
    assert all(png.startswith(b"\x89PNG") for png in figures.values())
    failing = report.failing()[0]
    page = render_markdown(
        report, {group: f"img/{group}.png" for group in figures}, {failing.key: "Because | so."}
    )
    assert f"`{failing.key}`" in page
    assert "Because | so." in page
    assert "**out of band**" in page
    assert "img/data.png" in page
    assert all(f"`{row.key}`" in page for row in report.counted())
    table = [text for text in page.splitlines() if text.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", text)) for text in table} <= {4, 6, 7}
    plain = json.loads(render_json(report, {failing.key: "Because."}))
    rows = {row["key"]: row for row in plain["rows"]}
    assert rows[failing.key]["reason"] == "Because."
    assert rows["calls.answered"]["verdict"] == "in band"
    assert plain["score"] == pytest.approx(report.score)


def test_a_lake_without_records_is_refused_in_one_line(tmp_path: Path, root: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TelcoError, match="no world lies in"):
        measure(Lake(tmp_path / "empty"))
    with pytest.raises(TelcoError, match="no cdrs_voice of these days"):
        measure(Lake(root), [dt.date(2030, 1, 1)])


def test_records_of_unknown_subscribers_are_refused(tmp_path: Path) -> None:
    lake = plant(tmp_path / "lake")
    registry = lake / "subscribers" / "part-00000.parquet"
    pl.read_parquet(registry).head(50).write_parquet(registry)
    with pytest.raises(TelcoError, match="does not have"):
        measure(Lake(lake))


def test_records_of_unknown_cells_are_refused(tmp_path: Path) -> None:
    lake = plant(tmp_path / "lake")
    cells = lake / "cells" / "part-00000.parquet"
    pl.read_parquet(cells).head(10).write_parquet(cells)
    with pytest.raises(TelcoError, match="cannot be measured"):
        measure(Lake(lake))


def test_days_without_a_record_are_no_data(tmp_path: Path) -> None:
    lake = plant(tmp_path / "lake")
    emptied = ("cdrs_voice", "cdrs_sms", "cdrs_data", "pm_counters", "customer_service")
    for name in emptied:
        for file in (lake / name).glob("day=*/*.parquet"):
            pl.read_parquet(file, hive_partitioning=False).head(0).write_parquet(file)
    report = measure(Lake(lake))
    known = {row.key for row in report.counted() if row.verdict is not Verdict.NO_DATA}
    churn = {"market.change_of_operator", "churn.postpaid", "churn.prepaid"}
    assert known == {"market.prepaid", "market.m2m", "care.contacts", *churn}
    assert report.records == 0
    assert draw_figures(report) == {}
    assert "the records do not suffice" in render_markdown(report)
