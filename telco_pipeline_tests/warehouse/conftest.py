"""Databases of all kinds, each new and empty."""

from pathlib import Path

import pytest

from telco_pipeline.lake import Lake
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.warehouse.flat_kit import make_flat_lake

KINDS = ("postgresql", "sqlite", "duckdb")


def url_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the URL of a new database; none is made where it is a file."""
    if kind == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"{kind}:///{folder / f'warehouse.{kind}'}"


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Give a new database of each kind."""
    return Database.from_environment(url_of(request.param, request, tmp_path), environ={})


@pytest.fixture(scope="session")
def flat_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Give a lake of the flat table's world: two days; not to be changed."""
    return make_flat_lake(tmp_path_factory.mktemp("flat") / "lake")
