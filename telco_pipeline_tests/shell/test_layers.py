"""Imports run downwards only, and nothing below the shell knows Dagster."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "telco_pipeline"
ROOT = Path(__file__).parents[2] / PACKAGE

# The table of docs/architecture.md, from the top down. A room may import from its own layer and
# from those below it.
LAYERS: list[set[str]] = [
    {"cli"},
    {"definitions", "runs"},
    {
        *("assets", "checks", "jobs", "schedules", "sensors", "partitions", "lineage"),
        *("resources", "kafka_resource", "database_resource"),
        *("notify_sensors", "failures"),
        *("pictures", "panels", "timelines"),
    },
    {"dagster_private"},
    {"planning"},
    {
        *("production", "integrity", "whole_lake", "workers", "reporting"),
        *("consistency", "plausibility", "reconciliation", "causality", "asof"),
        *("signatures", "counterfactuals", "reach", "paired", "leakage", "training"),
        *("streaming", "notifications", "warehouse", "dbt_project"),
    },
    {"generators", "oss", "analytics", "exports"},
    {"state"},
    {"behaviour"},
    {"scenarios"},
    {"world"},
    {"settings", "lake", "logs"},
    {"contracts", "engine"},
    {"errors", "code_version", ""},
]
SHELL = {
    *("definitions", "runs", "assets", "checks", "jobs", "schedules", "partitions", "resources"),
    *("dagster_private", "sensors", "kafka_resource", "database_resource"),
    *("notify_sensors", "failures"),
}


def room_of(module: str) -> str:
    """Return the first part of a module's name below the package; '' is the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def layer_of(room: str) -> int:
    for level, rooms in enumerate(LAYERS):
        if room in rooms:
            return level
    raise AssertionError(f"{room} is in no layer: add it here and to docs/architecture.md")


def imports(path: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            if node.module == PACKAGE:
                yield from (f"{PACKAGE}.{alias.name}" for alias in node.names)


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: str(value))
def test_imports_run_downwards(module: str, path: Path) -> None:
    level = layer_of(room_of(module))
    for name in imports(path):
        if name == PACKAGE or not name.startswith(f"{PACKAGE}."):
            continue
        room = room_of(name)
        if not (ROOT / room).is_dir() and not (ROOT / f"{room}.py").exists():
            continue  # a name of the package itself, such as __version__
        assert layer_of(room) >= level, f"{module} imports {name}, which stands above it"


@pytest.mark.parametrize("room", ["assets", "checks"])
def test_either_of_two_rooms_that_know_each_other_may_come_first(room: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {PACKAGE}.{room}"], check=True)


def test_only_the_shell_knows_dagster() -> None:
    knows = {
        room_of(module)
        for module, path in modules()
        if any(name.split(".")[0].startswith("dagster") for name in imports(path))
    }
    assert knows <= SHELL, knows - SHELL
    assert "assets" in knows, "the walk sees nothing"


def test_one_module_knows_private_dagster() -> None:
    """Its names are guarded by `test_dagster_private`."""
    knows = {
        module
        for module, path in modules()
        if any(name.startswith("dagster._") for name in imports(path))
    }
    assert knows == {f"{PACKAGE}.dagster_private"}


def test_no_postponed_annotations() -> None:
    """They break `context: AssetExecutionContext`, which Dagster reads at run time."""
    for module, path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                assert "annotations" not in {alias.name for alias in node.names}, module


def test_every_module_says_what_belongs_in_it() -> None:
    for module, path in modules():
        docstring = ast.get_docstring(ast.parse(path.read_text()))
        assert docstring, f"{module} has no docstring"
