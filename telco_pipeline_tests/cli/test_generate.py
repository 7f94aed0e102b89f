"""`telco generate` and `telco demo`: runs the real assets; every end has its exit status."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from telco_pipeline import runs
from telco_pipeline.assets import metadata
from telco_pipeline.causality import CHAINS
from telco_pipeline.cli import demo, options
from telco_pipeline.contracts import DATASETS
from telco_pipeline.integrity import Finding
from telco_pipeline.lake import Lake
from telco_pipeline.runs import DatasetSummary, RunFailure, RunSummary
from telco_pipeline_tests.cli.conftest import (
    LakeOnDisk,
    Telco,
    assert_refused,
    provenances,
    start_process,
)

PASSED = Finding("contract", "plans", None, True, 0, 14, [], "all is well", "")
FAILED = Finding(
    "foreign_keys", "cdrs_voice", None, False, 3, 90, [], "3 values are lost", "telco generate"
)
DAYS = 5
MADE = DatasetSummary("plans", 1, 14, 5000, 0.5)


def summary(
    *findings: Finding, failures: tuple[RunFailure, ...] = (), skipped: tuple[str, ...] = ()
) -> RunSummary:
    success = not failures and all(finding.passed for finding in findings)
    return RunSummary(
        "id", "main", 1.0, [MADE], list(findings), list(failures), list(skipped), success
    )


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> dict:
    """Let a test say what the run comes to; keeps what it was asked."""
    box: dict = {"summary": summary(PASSED)}

    def run_operator(config: object, lake_root: str, **asked: object) -> RunSummary:
        box.update(asked, config=config, lake=lake_root)
        if isinstance(box["summary"], BaseException):
            raise box["summary"]
        return box["summary"]

    monkeypatch.setattr(runs, "run_operator", run_operator)
    monkeypatch.setattr(demo, "realism", lambda asked: f"Realism of {asked.days} days")
    monkeypatch.setattr(demo, "stories_seen", lambda asked: box.get("seen", True))
    return box


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what Dagster shows of a partition but for its figures: drawing takes seconds."""
    monkeypatch.setattr(
        metadata, "impressions", lambda operation, _, report: metadata.figures(operation, report)
    )


class TestOutcomes:
    def test_success_shows_datasets_checks_and_place(
        self, telco: Telco, tmp_path: Path, outcome: dict
    ) -> None:
        result = telco("generate", "--lake", tmp_path / "lake")

        assert result.exit_code == 0
        assert "plans" in result.stdout
        assert "1 checks passed, 0 failed" in result.stdout
        assert str(tmp_path / "lake") in result.stdout

    def test_failed_check_is_status_1_and_tells_how_to_mend_it(
        self, telco: Telco, outcome: dict
    ) -> None:
        outcome["summary"] = summary(PASSED, FAILED, skipped=("cdrs_voip",))

        result = telco("generate")

        assert result.exit_code == 1
        assert "FAILED cdrs_voice, foreign_keys: 3 values are lost" in result.stdout
        assert "mend it: telco generate" in result.stdout
        assert "cdrs_voip" in result.stdout

    def test_comparisons_have_a_line_each(self, telco: Telco, outcome: dict) -> None:
        fine, doubtful, wrong = CHAINS
        told = "rate ratio 2.10 (1.60 to 2.70): 90 in 1,000 person-days against 40 in 900"
        close = "rate ratio 1.10 (0.90 to 1.30)"
        outcome["summary"] = summary(
            PASSED,
            Finding(fine, "(all)", None, True, 0, 1900, [], told, ""),
            Finding(doubtful, "(all)", None, False, 1, 1900, [], close, "look at it", doubt=True),
            Finding(wrong, "(all)", None, False, 1, 1900, [], "rate ratio 0.50", "telco generate"),
        )

        lines = [" ".join(line.split()) for line in telco("generate").stdout.splitlines()]

        assert f"{fine}: {told}" in lines
        assert f"DOUBT {doubtful}: {close}" in lines
        assert f"FAILED (all), {wrong}: rate ratio 0.50" in lines
        assert not any(line.startswith(f"{wrong}:") for line in lines), "told once"
        assert "2 checks passed, 1 failed, 1 in doubt." in lines
        assert {line.split()[0]: " ".join(line.split()[4:]) for line in lines if "1,900" in line}[
            doubtful
        ] == "1 in doubt"

    def test_error_for_people_is_one_line(self, telco: Telco, outcome: dict) -> None:
        failure = RunFailure("plans", "the lake holds another world", expected=True)
        outcome["summary"] = summary(failures=(failure,))

        assert_refused(telco("generate"), "telco: the lake holds another world")

    def test_fault_of_the_program_is_one_line_and_debug_shows_where(
        self, telco: Telco, outcome: dict
    ) -> None:
        failure = RunFailure("plans", "KeyError: 'x'", expected=False, details="line 7 of plans")
        outcome["summary"] = summary(failures=(failure,))

        assert_refused(telco("generate"), "plans: KeyError: 'x'", "--debug")
        assert "line 7 of plans" in telco("generate", "--debug").stderr

    def test_ctrl_c_is_one_line_and_status_130(self, telco: Telco, outcome: dict) -> None:
        outcome["summary"] = KeyboardInterrupt()

        result = telco("generate")

        assert result.exit_code == 130
        assert result.stderr.strip().splitlines()[-1].startswith("telco: stopped")

    def test_options_reach_the_run(self, telco: Telco, outcome: dict) -> None:
        telco(
            *("generate", "--subscribers", 70, "--seed", 5, "--start", "2026-03-01", "--days", 2),
            *("--lake", "l", "--datasets", "cdrs_sms,plans", "--shards", 3, "--workers", 2),
            *("--world", "other", "--replace", "--scenarios", "none"),
        )

        assert outcome["config"].subscribers == 70
        assert outcome["config"].seed == 5
        assert str(outcome["first"]) == "2026-03-01"
        assert outcome["datasets"] == ["plans", "cdrs_sms"]
        assert (outcome["days"], outcome["shards"], outcome["workers"]) == (2, 3, 2)
        assert (outcome["lake"], outcome["world"], outcome["replace"]) == ("l", "other", True)

    def test_defaults(self, telco: Telco, outcome: dict, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TELCO_LAKE", "from_environment")
        monkeypatch.setenv("TELCO_WORKERS", "3")
        telco("generate")

        assert outcome["first"] == outcome["config"].epoch
        assert (outcome["days"], outcome["datasets"], outcome["replace"]) == (1, None, False)
        assert (outcome["lake"], outcome["workers"]) == ("from_environment", 3)

    def test_demo_makes_all_again_and_tells_the_ways_on(self, telco: Telco, outcome: dict) -> None:
        result = telco("demo", "--lake", "demo")

        assert result.exit_code == 0
        assert (outcome["config"].subscribers, outcome["days"]) == (5000, 35)
        assert outcome["first"].day == 1
        assert (outcome["datasets"], outcome["replace"]) == (None, True)
        assert "http://127.0.0.1:3000" in result.stdout
        assert result.stdout.count("print(") == 3
        assert "Realism of 35 days" in result.stdout

    def test_demo_has_every_layer_on_and_fails_when_one_is_not_seen(
        self, telco: Telco, outcome: dict
    ) -> None:
        outcome["seen"] = False

        assert telco("demo", "--lake", "demo").exit_code == 1
        assert len(outcome["config"].layers) >= 20

    def test_demo_with_a_failed_check_fails(self, telco: Telco, outcome: dict) -> None:
        outcome["summary"] = summary(FAILED)

        assert telco("demo").exit_code == 1


class TestRealRun:
    def test_the_queries_that_the_demo_proposes_work(
        self, small_lake: LakeOnDisk, capsys: pytest.CaptureFixture[str]
    ) -> None:
        asked = options.request(lake=str(small_lake.path), subscribers=small_lake.subscribers)
        code = [line.strip() for line in demo.ways_on(asked) if line.startswith("  ")]

        exec("\n".join(code))

        shown = capsys.readouterr().out
        assert "cause_for_term" in shown
        assert "persona" in shown

    def test_the_lake_holds_every_dataset_and_day(self, small_lake: LakeOnDisk) -> None:
        lake = Lake(small_lake.path)

        for name, dataset in DATASETS.items():
            assert lake.exists(name), name
            if dataset.daily:
                assert len(lake.days(name)) == small_lake.days

    def test_days_are_made_again_alike_and_the_world_is_kept(
        self, telco: Telco, small_lake: LakeOnDisk, tmp_path: Path, no_pictures: None
    ) -> None:
        copy = Path(shutil.copytree(small_lake.path, tmp_path / "lake"))
        world = (copy / "subscribers" / "_provenance.json").read_text()
        before = {record["day"]: record for record in provenances(copy / "cdrs_voice")}

        result = telco(
            *("generate", "--subscribers", small_lake.subscribers, "--lake", copy),
            *("--days", small_lake.days, "--shards", 2, "--workers", 1),
        )

        assert result.exit_code == 0, result.stderr
        assert (copy / "subscribers" / "_provenance.json").read_text() == world
        after = {record["day"]: record for record in provenances(copy / "cdrs_voice")}
        assert len(after) == small_lake.days
        for day, record in after.items():
            assert record["content_hash"] == before[day]["content_hash"]
            assert record["created_at"] > before[day]["created_at"]

    def test_progress_without_a_terminal_is_a_few_plain_lines(self, small_lake: LakeOnDisk) -> None:
        lines = small_lake.stderr.splitlines()

        assert lines[0].startswith("Generating into")
        partitions = sum(small_lake.days if one.daily else 1 for one in DATASETS.values())
        assert lines[-1].startswith(f"{partitions}/{partitions} partitions")
        assert "rows/s" in lines[-1]
        assert len(lines) < 20
        assert "\x1b" not in small_lake.stderr

    def test_another_world_in_the_same_lake_is_refused(
        self, telco: Telco, small_lake: LakeOnDisk
    ) -> None:
        before = provenances(small_lake.path)

        result = telco("generate", "--subscribers", 401, "--lake", small_lake.path)

        assert_refused(result, "another --lake")
        assert_refused(telco("demo", "--lake", small_lake.path), "another world", "--lake")
        assert provenances(small_lake.path) == before

    def test_inputs_are_made_too(self, telco: Telco, tmp_path: Path, no_pictures: None) -> None:
        result = telco(
            *("generate", "--subscribers", 50, "--lake", tmp_path / "lake", "--workers", 1),
            *("--datasets", "customer_service"),
        )

        assert result.exit_code == 0, result.stderr
        lake = Lake(tmp_path / "lake")
        assert lake.exists("subscribers")
        assert lake.exists("customer_service")
        assert lake.exists("subscriber_state")
        assert not lake.exists("cdrs_voice")


def test_ctrl_c_leaves_only_whole_partitions(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    process = start_process(
        *("generate", "--subscribers", 3000, "--days", DAYS, "--lake", lake, "--workers", 2),
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 120
    while not (lake / "cdrs_voice").is_dir() and time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.05)
    # As a terminal does it: to the command and its workers.
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=60)

    assert process.returncode == 130, error
    assert error.strip().splitlines()[-1].startswith("telco: stopped")
    assert "Traceback" not in out + error
    made = provenances(lake)
    assert 0 < len(made) < sum(DAYS if one.daily else 1 for one in DATASETS.values())
    for record in made:
        day = f"day={record['day']}" if record["day"] else ""
        for file in record["files"]:
            assert (lake / record["dataset"] / day / file["name"]).stat().st_size == file["bytes"]
    # Every file in sight belongs to a partition that is whole.
    seen = list(lake.glob("[!_]*/**/*.parquet"))
    assert len(seen) == sum(len(record["files"]) for record in made)
