"""The judge shares no code with what it judges, and its catalogue is cheap to load."""

import ast
import subprocess
import sys
from pathlib import Path

import telco_pipeline.analytics.realism

ROOM = Path(telco_pipeline.analytics.realism.__file__).parent
ALLOWED = ("analytics", "contracts", "lake", "settings", "engine.calendar", "errors")


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name for name in names if name.startswith("telco_pipeline")}


def test_realism_imports_nothing_that_makes_records() -> None:
    allowed = tuple(f"telco_pipeline.{room}" for room in ALLOWED)
    files = list(ROOM.rglob("*.py"))
    assert len(files) > 10
    for path in files:
        for name in imports(path):
            assert name.startswith(allowed), f"{path.name} imports {name}"


def test_the_catalogue_loads_neither_scipy_nor_matplotlib() -> None:
    code = (
        "import sys; from telco_pipeline.analytics.realism import ROWS; "
        "sys.exit(bool({'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
