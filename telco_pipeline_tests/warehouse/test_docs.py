"""The SQL that the documentation shows runs on the tables that telco makes."""

import re
from pathlib import Path

import pytest

from telco_pipeline.contracts.codes import CallStatus
from telco_pipeline.warehouse import existing, history
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.warehouse.conftest import url_of

DOCS = Path(__file__).parents[2] / "docs"
QUERIES = re.findall(r"^```sql\n(.*?)^```", (DOCS / "warehouse.md").read_text(), re.M | re.S)


def test_there_is_something_to_run() -> None:
    assert len(QUERIES) >= 3
    for query in QUERIES:
        assert set(re.findall(r"status = '(\w+)'", query)) <= {each.value for each in CallStatus}


@pytest.mark.parametrize("kind", ["postgresql", "duckdb"])
def test_every_query_runs(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    database = Database.from_environment(url_of(kind, request, tmp_path), environ={})
    for make in (history.history_table, history.changes_table):
        make(database.metadata)
    wanted = [
        table
        for table in database.metadata.sorted_tables
        if any(re.search(rf"\b{table.name}\b", query) for query in QUERIES)
    ]
    existing.ensure(database, *wanted)
    with database.reading() as connection:
        for query in QUERIES:
            assert connection.exec_driver_sql(query).fetchall() == []
