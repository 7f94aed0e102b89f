"""Every wrong input ends as one clear line with exit status 2, and nothing is written."""

import datetime as dt
from pathlib import Path

import pytest

from telco_pipeline.cli import frame
from telco_pipeline.errors import TelcoError
from telco_pipeline_tests.cli.conftest import Telco, assert_refused

WORLD = Path(__file__).parents[2] / "scenarios" / "world.yaml"
MAKERS = ("generate", "plan")


@pytest.mark.parametrize("command", MAKERS)
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subscribers", "0"], ["subscribers", "0"]),
        (["--subscribers", "-5"], ["subscribers", "-5"]),
        (["--subscribers", "many"], ["--subscribers", "whole number"]),
        (["--days", "0"], ["--days", "0"]),
        (["--days", "-1"], ["--days", "-1"]),
        (["--days", "99999999999"], ["--days"]),
        (["--days", "100000"], ["2044"]),
        (["--shards", "0"], ["--shards", "0"]),
        (["--workers", "0"], ["--workers", "0"]),
        (["--workers", "-2"], ["--workers", "-2"]),
        (["--start", "2026-02-30"], ["--start", "2026-02-30"]),
        (["--start", "yesterday"], ["--start", "yesterday"]),
        (["--start", "2025-12-31"], ["2025-12-31", "epoch", "2026-01-01"]),
        (["--seed", "-1"], ["seed"]),
        (["--seed", str(2**64)], ["seed"]),
        (["--datasets", "cdrs_voce"], ["cdrs_voce", "did you mean cdrs_voice"]),
        (["--datasets", "zzz"], ["zzz", "there are: places"]),
        (["--datasets", ","], ["--datasets"]),
        (["--scenarios", "stadium_fire"], ["no scenario layer 'stadium_fire'"]),
        (["--scenarios", "all,none"], ["stand alone"]),
        (["--scenarios", ""], ["--scenarios"]),
        (["--world-file", "missing.yaml"], ["missing.yaml"]),
        (["--lake", ""], ["--lake"]),
        (["--subscriber", "5"], ["Did you mean --subscribers"]),
        (["--frobnicate"], ["--frobnicate"]),
        (["extra"], ["extra"]),
    ],
)
def test_wrong_options_are_refused(
    telco: Telco, tmp_path: Path, command: str, arguments: list[str], words: list[str]
) -> None:
    assert_refused(telco(command, *arguments), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["generate", "check", "demo"])
def test_lake_that_is_a_file_is_refused(telco: Telco, tmp_path: Path, command: str) -> None:
    lake = tmp_path / "lake"
    lake.write_text("mine")

    assert_refused(telco(command, "--lake", lake), "lake", "is a file")
    assert lake.read_text() == "mine"


@pytest.mark.parametrize("name", ["../outside", "A B", ""])
def test_wrong_world_names_are_refused(telco: Telco, tmp_path: Path, name: str) -> None:
    assert_refused(telco("generate", "--world", name, "--lake", tmp_path / "lake"), "world")
    assert list(tmp_path.iterdir()) == []


def test_workers_of_the_environment_are_checked(
    telco: Telco, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELCO_WORKERS", "lots")

    assert_refused(telco("generate"), "TELCO_WORKERS", "lots")


def test_unknown_key_in_a_world_file_names_its_line(telco: Telco, tmp_path: Path) -> None:
    file = tmp_path / "world.yaml"
    file.write_text(WORLD.read_text() + "subscriberz: 5\n")
    line = len(file.read_text().splitlines())

    assert_refused(telco("plan", "--world-file", file), f"world.yaml:{line}", "subscriberz")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generte"], ["generte", "generate"]),
        (["scenarios", "lst"], ["lst", "list"]),
        (["--frobnicate"], ["--frobnicate"]),
        (["scenarios", "show"], ["NAME"]),
    ],
)
def test_wrong_commands_are_refused(telco: Telco, arguments: list[str], words: list[str]) -> None:
    assert_refused(telco(*arguments), *words)


@pytest.mark.parametrize(
    "arguments", [["--debug", "plan", "--days", "0"], ["plan", "--days", "0", "--debug"]]
)
def test_debug_shows_the_traceback(telco: Telco, arguments: list[str]) -> None:
    result = telco(*arguments)

    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("telco: --days")


def test_a_wrong_layer_is_refused_rather_than_left_out(telco: Telco, tmp_path: Path) -> None:
    world = tmp_path / "world.yaml"
    layer = tmp_path / "layers" / "storm.yaml"
    layer.parent.mkdir()
    layer.write_text("version: 1\n")
    world.write_text(WORLD.read_text())

    assert_refused(telco("plan", "--world-file", world), "storm.yaml:1", "missing key")
    assert telco("plan", "--world-file", world, "--scenarios", "none").exit_code == 0


class TestDescribe:
    def test_own_error_is_its_line(self) -> None:
        assert frame.describe(TelcoError("the lake is dry")) == (2, "the lake is dry")

    def test_disk_error_names_the_file(self) -> None:
        status, line = frame.describe(OSError(28, "No space left on device", "/lake/part"))

        assert (status, line) == (2, "/lake/part: No space left on device")

    def test_fault_of_the_program_says_how_to_see_more(self) -> None:
        status, line = frame.describe(ValueError("oops"))

        assert status == 2
        assert "ValueError: oops" in line
        assert "--debug" in line

    def test_interrupt_inside_another_error_is_an_interrupt(self) -> None:
        error = RuntimeError("step was stopped")
        error.__cause__ = KeyboardInterrupt()

        assert frame.describe(error)[0] == 130


def test_days_may_not_leave_the_calendar(telco: Telco) -> None:
    last = dt.date.max
    assert_refused(telco("plan", "--start", last, "--days", 2), "calendar")
