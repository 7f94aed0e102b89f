"""`telco scenarios signatures` and `audit`: what is told of a lake, and when it is refused."""

import shutil
from pathlib import Path

import pytest

from telco_pipeline_tests.cli.conftest import Telco, assert_refused, run_process

WORLD = Path(__file__).parents[2] / "scenarios" / "world.yaml"
LAYER = """
version: 1
number: 1
title: People who talk
story: Some people talk all day.
kind: fraud
when: {first: 1d, at: "01:00"}
cast:
  them: {of: subscribers, where: {kind: person}, number: 12}
stages:
  - name: talk
    lasts: 1d
    do:
      - usage: {who: them, calls: 60}
signatures:
  - name: people who call all day
    sql: SELECT count(*) FROM (
      SELECT 1 FROM CDRS_VOICE GROUP BY subscriber_id HAVING count(*) >= 60)
    seen: {low: 5}
    unseen: {high: 4}
"""
ASKED = ("scenarios", "signatures", "--lake")
AUDIT = ("scenarios", "audit", "--lake")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world file with one layer, beside which lies a lake of two days of calls."""
    file = tmp_path_factory.mktemp("signatures") / "operator" / "world.yaml"
    (file.parent / "layers").mkdir(parents=True)
    shutil.copy(WORLD, file)
    (file.parent / "layers" / "talks.yaml").write_text(LAYER)
    size = ("--subscribers", 300, "--days", 2, "--datasets", "cdrs_voice", "--workers", 1)
    made = run_process(
        "generate", *size, "--lake", "lake", cwd=file.parents[1], TELCO_WORLD=str(file)
    )
    assert made.returncode == 0, made.stderr
    return file


@pytest.fixture
def lake(world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lake; the environment names its world file."""
    monkeypatch.setenv("TELCO_WORLD", str(world))
    return world.parents[1] / "lake"


def test_a_signature_needs_its_control_world_and_is_seen_with_it(telco: Telco, lake: Path) -> None:
    alone = telco(*ASKED, lake)
    assert alone.exit_code == 0
    assert "0 of 1 signatures seen" in alone.stdout
    made = telco("counterfactual", "--without", "all", "--lake", lake, "--workers", 1)
    assert made.exit_code == 0, made.output
    judged = telco(*ASKED, lake)
    assert judged.exit_code == 0, judged.output
    assert "1 of 1 signatures seen, and not without the layers." in judged.stdout
    assert "Since then" not in judged.stdout


def test_a_file_that_has_changed_since_is_told(
    telco: Telco, lake: Path, world: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A layer that does something else by now is judged as the lake was made."""
    other = tmp_path / "other" / "world.yaml"
    shutil.copytree(world.parent, other.parent)
    changed = LAYER.replace("low: 5", "low: 5000")
    (other.parent / "layers" / "talks.yaml").write_text(changed.replace("calls: 60", "calls: 61"))
    monkeypatch.setenv("TELCO_WORLD", str(other))
    told = telco(*ASKED, lake).stdout
    assert "Since then the files of talks have changed" in told
    assert "5,000" not in told


def test_a_threshold_that_has_changed_since_holds_for_a_lake_made_before(
    telco: Telco, lake: Path, world: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "world.yaml"
    shutil.copytree(world.parent, other.parent)
    (other.parent / "layers" / "talks.yaml").write_text(LAYER.replace("low: 5", "low: 5000"))
    monkeypatch.setenv("TELCO_WORLD", str(other))
    judged = telco(*ASKED, lake)
    assert "Since then" not in judged.stdout
    assert "at least 5,000" in " ".join(judged.stdout.split())


def test_an_audit_needs_the_truth(telco: Telco, lake: Path) -> None:
    assert_refused(telco(*AUDIT, lake), "has no truth_", "telco generate")


@pytest.mark.parametrize("command", [ASKED, AUDIT])
def test_a_lake_that_is_not_there_is_refused(
    telco: Telco, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert_refused(telco(*command, tmp_path / "none"), "holds no world", "telco generate")
    assert not (tmp_path / "none").exists()
