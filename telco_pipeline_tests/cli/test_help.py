"""Help: every command explains itself with examples, at once."""

import sys
from pathlib import Path

import pytest

from telco_pipeline import __version__
from telco_pipeline_tests.cli.conftest import Telco

COMMANDS = (
    "generate",
    "plan",
    "check",
    "demo",
    "flat",
    "realism",
    "bench",
    "broker",
    "consume",
    "stream",
    "stream stop",
    "stream pause",
    "stream resume",
    "stream status",
    "export bandicoot",
    "export csv",
    "export ndjson",
    "export parquet",
    "export arrow",
    "export avro",
    "export delta",
    "export collected-files",
    "export training",
    "scenarios list",
    "scenarios show",
    "scenarios validate",
    "scenarios new",
    "scenarios on",
    "scenarios off",
    "scenarios schema",
    "scenarios preview",
)
SLOW_TO_LOAD = ("dagster", "polars", "numpy", "dataframely", "duckdb", "confluent_kafka")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_each_command_explains_itself(telco: Telco, command: str, option: str) -> None:
    result = telco(*command.split(), option)

    assert result.exit_code == 0
    assert "For example" in result.stdout
    assert f"telco {command}" in result.stdout


@pytest.mark.parametrize("arguments", [[], ["--help"], ["scenarios"], ["export"]])
def test_overview_names_the_commands(telco: Telco, arguments: list[str]) -> None:
    result = telco(*arguments)

    assert result.exit_code == 0
    assert "Usage: telco" in result.stdout


def test_version(telco: Telco) -> None:
    assert telco("--version").stdout == f"telco {__version__}\n"


def test_help_loads_nothing_slow(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys\n"
        "from telco_pipeline.cli import app\n"
        "try:\n    app(['generate', '--help'])\nexcept SystemExit: pass\n"
        f"print([name for name in {SLOW_TO_LOAD!r} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert result.stderr.strip() == "[]"
