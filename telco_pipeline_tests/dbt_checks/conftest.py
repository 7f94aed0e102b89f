"""One dbt for the tests of this folder, and the sound lake."""

import shutil
from pathlib import Path

import pytest

from telco_pipeline import dbt_project
from telco_pipeline_tests.dbt_checks.kit import Compiled, Dbt, sound_lake


@pytest.fixture(scope="session")
def _sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sound_lake(tmp_path_factory.mktemp("dbt_sound") / "lake").root


@pytest.fixture(scope="session")
def _dbt(tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    dbt_project.manifest()
    return Dbt(tmp_path_factory.mktemp("dbt"))


@pytest.fixture(scope="module")
def _compiled(_dbt: Dbt, _sound: Path) -> Compiled:
    shutil.rmtree(_dbt.lake, ignore_errors=True)
    shutil.copytree(_sound, _dbt.lake)
    _dbt.database.unlink(missing_ok=True)
    return Compiled(_dbt)


@pytest.fixture
def compiled(_compiled: Compiled, dbt: Dbt) -> Compiled:
    """Return the SQL of all tests over the sound lake of `dbt`."""
    return _compiled


@pytest.fixture
def dbt(_dbt: Dbt, _sound: Path) -> Dbt:
    """Return dbt on a sound lake of the test's own."""
    shutil.rmtree(_dbt.lake, ignore_errors=True)
    shutil.copytree(_sound, _dbt.lake)
    _dbt.database.unlink(missing_ok=True)
    return _dbt
