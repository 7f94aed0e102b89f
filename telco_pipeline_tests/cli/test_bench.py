"""`telco bench`: what counts as a cell, what the peers make, and the whole in the long tier."""

import datetime as dt
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import peers, stream, suite
from benchmarks.measure import Measured, run_measured
from benchmarks.profile import DatasetProfile, counted_columns, profile_of
from telco_pipeline.cli import bench
from telco_pipeline.engine.calendar import day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.settings import DEFAULT_WORLD_FILE
from telco_pipeline.streaming.layout import StreamSettings
from telco_pipeline_tests.cli.conftest import Telco, assert_refused, run_process
from telco_pipeline_tests.kafka import ApacheKafka
from telco_pipeline_tests.streaming import small_day

DAY = dt.date(2026, 1, 1)
ROWS = 5_000


def sample() -> pl.DataFrame:
    """Return a frame with a column of every kind, and some that must not count."""
    row = np.arange(ROWS)
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return pl.DataFrame(
        {
            "event_id": row * 7,
            "event_time": pl.Series([start]).new_from_index(0, ROWS)
            + pl.Series(row * 1_000_000).cast(pl.Duration("us")),
            "imsi": pl.Series(206610000000000 + row % 900).cast(pl.String),
            "kind": pl.Series(["mo", "mt"]).gather(row % 2).cast(pl.Enum(["mo", "mt"])),
            "answered": pl.Series(row % 3).cast(pl.Int16),
            "loss": row / 100,
            "roaming": row % 10 == 0,
            "visited": pl.Series(["20801", None]).gather((row % 4 > 0).astype(np.uint32)),
            "copy": row * 7,
            "constant": pl.Series(["x"]).new_from_index(0, ROWS),
            "nothing": pl.Series([None] * ROWS, dtype=pl.String),
        }
    )


@pytest.fixture
def profile(tmp_path: Path) -> DatasetProfile:
    sample().write_parquet(tmp_path / "part-00000.parquet")
    return profile_of("sample", [tmp_path / "part-00000.parquet"])


def test_constant_empty_and_copied_columns_do_not_count(profile: DatasetProfile) -> None:
    assert counted_columns(sample()) == 8
    assert profile.cells == 8 * ROWS


def test_a_profile_survives_json(profile: DatasetProfile) -> None:
    assert DatasetProfile.from_json(json.loads(json.dumps(profile.as_json()))) == profile


@pytest.mark.parametrize("pooled", [True, False])
def test_random_rows_are_as_many_and_as_wide(profile: DatasetProfile, pooled: bool) -> None:
    made = peers.random_frame(
        profile, ROWS, np.random.default_rng(1), day_start(DAY), pooled=pooled
    )

    assert made.height == ROWS
    assert made.columns == sample().columns
    assert made.schema == sample().schema
    assert made["event_time"].is_sorted()
    assert made["event_time"].dt.date().unique().to_list() == [DAY]
    assert made["imsi"].str.len_chars().unique().to_list() == [15]
    assert made["visited"].null_count() / ROWS == pytest.approx(0.75, abs=0.1)
    assert made["nothing"].null_count() == ROWS


@pytest.mark.parametrize("make", [peers.faker_rows, peers.mimesis_rows])
def test_row_loops_make_distinct_columns(make: object) -> None:
    made = make(200, DAY)  # type: ignore[operator]

    assert made.height == 200
    assert counted_columns(made) == made.width


def test_rates_are_medians_of_the_rounds() -> None:
    result = suite.Result("ours", "cdrs_voice", 10, 1, cells_per_row=20)
    contender = suite.Contender("ours", "cdrs_voice", 10, 1, (), 20)
    for cold, warm in ((4.0, 1.0), (2.0, 2.0), (5.0, 4.0)):
        reports = [
            {"rows": 90, "bytes": 1, "seconds": cold, "at": cold + 1},
            {"rows": 300, "bytes": 1, "seconds": 3 * warm, "at": 9.0},
        ]
        result.add(Measured(reports, 9.0, 1000), contender)

    assert result.cold_rate == 90 / 5
    assert result.warm_rate == 100 / 2
    assert result.cell_rate == 20 * 100 / 2


def test_report_compares_ours_with_the_peer_and_small_with_large() -> None:
    def result(name: str, size: int, seconds: float, rows: int, peak: int) -> suite.Result:
        return suite.Result(
            *(name, "cdrs_voice", size, 1, 20, rows, rows, 1),
            cold_seconds=[seconds],
            warm_seconds=[seconds],
            peak_bytes=[peak],
        )

    report = suite.Report(
        {},
        "now",
        [
            result("ours", 100, 1.0, 1000, 50),
            result(suite.PLAIN, 100, 2.0, 1000, 40),
            result("ours", 1000, 10.0, 10_000, 60),
        ],
        [],
    )

    assert report.ratios() == [("cdrs_voice", 100, 1, suite.PLAIN, 2.0)]
    assert report.memory_growth() == [("cdrs_voice", 1, 10.0, 1.2)]


def plan_of(*subjects: str) -> suite.Plan:
    return suite.Plan((200,), 1, 100, str(DEFAULT_WORLD_FILE), workers=(1,), subjects=subjects)


@pytest.mark.parametrize("subjects", [("cdrs_sms",), ("subscribers", "cdrs_sms"), ("subscribers",)])
def test_lineitem_has_as_many_rows_as_the_records(
    subjects: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def lineitem(tpchgen: str, rows: int, *_: object) -> suite.Contender:
        asked.append(rows)
        return suite.Contender(tpchgen, "lineitem", 200, 1, (), 16)

    monkeypatch.setattr(suite, "_lineitem", lineitem)
    suite._at_size(plan_of(*subjects), 200, tmp_path, lambda _: None, "tpchgen-cli")

    records = Lake(tmp_path / "lake-200").rows("cdrs_sms")
    # Of a registry alone it would be timed at its start, and is left out.
    assert asked == ([records] if "cdrs_sms" in subjects else [])
    if "cdrs_sms" in subjects:
        assert records > 200


def test_steps_leave_lineitem_out_where_it_is_not_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: dict[tuple[bool, str], int] = {}
    for installed in (False, True):
        monkeypatch.setattr(suite, "_tpchgen", lambda there=installed: "tpchgen" if there else None)
        for subject in ("subscribers", "cdrs_voice"):
            said[installed, subject] = suite.steps(plan_of(subject))

    assert said[True, "subscribers"] == said[False, "subscribers"]
    assert said[True, "cdrs_voice"] == said[False, "cdrs_voice"] + 2  # prepared, and a round


def test_help_tells_how_long_it_takes(telco: Telco) -> None:
    words = " ".join(telco("bench", "--help").stdout.split())

    assert "minutes" in words
    assert "30000,300000" in words


@pytest.mark.parametrize("subject", [*bench.FULL_SUBJECTS, *bench.QUICK_SUBJECTS])
def test_what_is_measured_is_known(subject: str) -> None:
    assert subject in suite.SUBJECTS


def test_a_failed_run_is_told_with_its_last_words() -> None:
    with pytest.raises(TelcoError, match=r"status 1: .*no such thing"):
        run_measured([sys.executable, "-c", "raise SystemExit('no such thing')"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subscribers", "0"], ["--subscribers", "0"]),
        (["--subscribers", "a,b"], ["--subscribers", "a,b"]),
        (["--rounds", "0"], ["--rounds"]),
        (["--only", "cdrs_voce"], ["cdrs_voce", "did you mean cdrs_voice"]),
        (["--json", "nowhere/bench.json"], ["nowhere/bench.json"]),
    ],
)
def test_wrong_options_are_refused(telco: Telco, arguments: list[str], words: list[str]) -> None:
    assert_refused(telco("bench", *arguments), *words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--records", "0"], ["--records"]),
        (["--rounds", "0"], ["--rounds"]),
        (["--rate", "0"], ["--rate 0", "above 0"]),
        (["--seconds", "-1"], ["--seconds -1", "0 or more"]),
        (["--day", "someday"], ["--day", "someday", "YYYY-MM-DD"]),
        (["--day", "20260101"], ["--day", "20260101", "YYYY-MM-DD"]),
        (["--json", "nowhere/bench.json"], ["nowhere/bench.json"]),
        ([], ["holds no records", "--lake"]),
    ],
)
def test_wrong_options_of_stream_are_refused(
    telco: Telco, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    assert_refused(telco("bench", "stream", "--lake", str(tmp_path), *arguments), *words)


def test_shares_are_of_the_same_round() -> None:
    def result(name: str, *rates: float) -> stream.Result:
        return stream.Result(name, 10, 100, list(rates), [1] * len(rates))

    report = stream.Report(
        {
            stream.READY: result(stream.READY, 100.0, 10.0, 200.0),
            stream.PLAIN: result(stream.PLAIN, 80.0, 9.0, 100.0),
        },
        None,
        {},
    )
    assert report.shares() == [(stream.PLAIN, 0.8)]
    assert report.results[stream.READY].rate == 100.0
    assert report.as_json()["shares"] == {stream.PLAIN: 0.8}


def test_ready_made_bytes_and_the_stream_reach_the_broker(
    apache_kafka: ApacheKafka, tmp_path: Path
) -> None:
    plan = stream.Plan(
        str(small_day.small_lake(tmp_path).root),
        small_day.DAY,
        StreamSettings("by_kind", {"cdrs": small_day.CDRS}, ("cdrs",), *2 * (small_day.TRUTH,)),
        records=300,
        rounds=1,
        rate=200.0,
        seconds=1.0,
        bootstrap=apache_kafka.bootstrap_servers,
    )
    said: list[str] = []
    report = stream.run(plan, said.append)
    assert len(said) == stream.steps(plan) == 4
    ready, plain, full = report.results.values()
    assert plain.records == full.records == 300
    assert ready.records >= 300
    assert all(result.rate > 0 and result.peak > 0 for result in (ready, plain, full))
    assert report.paced is not None
    assert report.paced["records"] == 200
    assert 0 < report.paced["achieved"] <= 201
    assert 0 < report.paced["ack_p99"] <= report.paced["ack_worst"]


@pytest.mark.long
def test_a_small_benchmark_runs_from_end_to_end(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    result = run_process(
        *("bench", "--subscribers", "1000,2000", "--rounds", 1),
        *("--only", "subscribers,cdrs_voice", "--json", out),
        cwd=tmp_path,
    )

    assert result.returncode == 0, result.stderr
    report = json.loads(out.read_text())
    assert {one["name"] for one in report["results"]} >= {
        "ours",
        suite.PLAIN,
        suite.POOLED,
    }
    assert all(one["warm_rows_per_s"] > 0 for one in report["results"])
    assert all(one["peak_mb"] > 10 for one in report["results"] if one["name"] == "ours")
    assert len(report["ratios"]) == 2 * 2 * 2 * 2
    assert report["machine"]["cores"] >= 1
    assert "cdrs_voice" in result.stdout
