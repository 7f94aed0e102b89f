"""What the command's tests share: a way to call it, and an environment of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from telco_pipeline.cli import app

TELCO = [sys.executable, "-c", "from telco_pipeline.cli import main; main()"]

Telco = Callable[..., Result]


@pytest.fixture
def telco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Telco:
    """Call the command in this process, in an empty directory, with no settings from outside."""
    for name in ("TELCO_LAKE", "TELCO_WORLD", "TELCO_WORKERS", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


def assert_refused(result: Result, *words: str) -> None:
    """Check that a command ended with one clear line and exit status 2."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    lines = result.stderr.strip().splitlines()
    last = lines[-1]
    assert last.startswith("telco: ")
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in last


@dataclass(frozen=True)
class LakeOnDisk:
    """A small lake that a test may read but not change."""

    path: Path
    subscribers: int
    days: int
    stderr: str


@pytest.fixture(scope="session")
def small_lake(tmp_path_factory: pytest.TempPathFactory) -> LakeOnDisk:
    """Make an operator of 400 subscribers over three days, with the command itself."""
    path = tmp_path_factory.mktemp("cli") / "lake"
    subscribers, days = 400, 3
    result = run_process(
        "generate",
        "--subscribers",
        subscribers,
        "--days",
        days,
        "--lake",
        path,
        "--workers",
        1,
        cwd=path.parent,
    )
    assert result.returncode == 0, result.stderr
    return LakeOnDisk(path, subscribers, days, result.stderr)


def run_process(
    *arguments: object, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Call the command in a process of its own."""
    return subprocess.run(
        [*TELCO, *(str(argument) for argument in arguments)],
        cwd=cwd,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def start_process(*arguments: object, cwd: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the command in a process group of its own, as a shell does."""
    return subprocess.Popen(
        [*TELCO, *(str(argument) for argument in arguments)],
        cwd=cwd,
        env=_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _environment(extra: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TELCO_")}
    kept.pop("DAGSTER_HOME", None)
    return {**kept, **extra}


def provenances(lake: Path) -> list[dict]:
    """Return the provenance of every partition in a lake."""
    return [json.loads(path.read_text()) for path in lake.rglob("_provenance.json")]
