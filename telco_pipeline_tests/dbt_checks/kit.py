"""A tiny lake that passes every test of dbt_checks/, and running dbt on it and on damaged copies.

Belongs here: the sound lake, dbt on any lake, what the manifest says of tests. Does not belong
here: damages (`damages`).
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from telco_pipeline import dbt_project
from telco_pipeline.contracts import DATASETS, STATIC_DATASETS
from telco_pipeline.dbt_project import Outcome
from telco_pipeline.lake import Lake
from telco_pipeline_tests.lake.kit import commit
from telco_pipeline_tests.lake.small_lake import DAYS, ROWS, small_frame, small_lake

SPARE = 12
"""Rows of each static dataset that no other row refers to: they may be damaged alone."""

TEXT_KEY, NUMBER_KEY, PROSPECT = "spare-{}", 1000, 2000
"""Keys of spare rows; from the last one on, of prospects who are no subscribers."""


KEYS_OF_DAYS = {
    "network_faults": "fault_id",
    "truth_incidents": "incident_id",
    "truth_entities": "incident_id",
}
"""Keys that the small lake uses again on its second day."""


@dataclass(frozen=True)
class DbtTest:
    """A test as the manifest tells of it.

    Attributes:
        name: Its name.
        kind: Name of the generic test; "singular" for one with SQL of its own.
        dataset: Dataset whose thin view it tests; empty for other models.
        arguments: Arguments of the generic test, its column too.
    """

    name: str
    kind: str
    dataset: str
    arguments: Mapping[str, Any]

    @property
    def generated(self) -> bool:
        """Whether it comes from a contract."""
        return bool(self.dataset)


@cache
def all_tests() -> dict[str, DbtTest]:
    """Return all tests by name."""
    nodes = json.loads(dbt_project.manifest().read_text(encoding="utf-8"))["nodes"].values()
    return {node["name"]: _test(node) for node in nodes if node["resource_type"] == "test"}


def _test(node: Mapping[str, Any]) -> DbtTest:
    told = node.get("test_metadata")
    if told is None:
        return DbtTest(node["name"], "singular", "", {})
    model = (node.get("attached_node") or "").split(".")[-1]
    dataset = model.removeprefix("stg_") if model.startswith("stg_") else ""
    return DbtTest(node["name"], told["name"], dataset, told["kwargs"])


def of_kind(*kinds: str) -> list[DbtTest]:
    """Return the generated tests of some kinds."""
    return [test for test in all_tests().values() if test.generated and test.kind in kinds]


def sound_lake(root: Path) -> Lake:
    """Return a lake of two days that passes everything, with spare rows in its static datasets."""
    lake = small_lake(root)
    for dataset in STATIC_DATASETS.values():
        rows = small_frame(dataset)
        spare = [_spare(dataset.name, rows, NUMBER_KEY)]
        if dataset.name == "prospects":
            # The spare subscribers once more, so that who loses one still finds the other.
            spare.append(_spare(dataset.name, rows, PROSPECT))
        commit(lake, dataset, pl.concat([rows, *spare]))
    for day in DAYS:
        state = small_frame(DATASETS["subscriber_state"], day)
        commit(lake, DATASETS["subscriber_state"], pl.concat([state, _spare_state(state)]), day)
        # Media of trunks alone: those of calls would have to be calls of `cdrs_voice`.
        legs = [small_frame(DATASETS["cdrs_voip"], day, part) for part in (0, 1)]
        trunks = [_set(leg, access="SIP trunk") for leg in legs]
        commit(lake, DATASETS["cdrs_voip"], trunks, day)
    for name, key in KEYS_OF_DAYS.items():
        later = small_frame(DATASETS[name], DAYS[1]).with_columns(pl.col(key) + NUMBER_KEY)
        commit(lake, DATASETS[name], later, DAYS[1])
    return lake


def _set(rows: pl.DataFrame, **values: str) -> pl.DataFrame:
    return rows.with_columns(
        pl.lit(value).cast(rows.schema[name]).alias(name) for name, value in values.items()
    )


def _spare(dataset: str, rows: pl.DataFrame, start: int) -> pl.DataFrame:
    keys = DATASETS[dataset].schema.primary_key()
    return rows.head(SPARE).with_columns(_spare_key(rows, name, start) for name in keys)


def _spare_key(rows: pl.DataFrame, name: str, start: int = NUMBER_KEY) -> pl.Expr:
    number = pl.int_range(pl.len()) + start
    if rows.schema[name] == pl.String:
        return pl.format(TEXT_KEY, number).alias(name)
    return number.cast(pl.Int64).alias(name)


def _spare_state(state: pl.DataFrame) -> pl.DataFrame:
    """Return the states of the spare subscribers."""
    return state.head(SPARE).with_columns(_spare_key(state, "subscriber_id"))


assert SPARE < ROWS


class Dbt:
    """dbt on one lake after another, in one folder, so that it parses its project once."""

    def __init__(self, folder: Path) -> None:
        """Take a folder for what dbt writes, and for the lake that it looks at."""
        self.output = folder / "target"
        self.lake = folder / "lake"
        self.database = folder / "lake.duckdb"
        self.lines: list[str] = []
        self._variables = {"TELCO_DBT_DATABASE": str(self.database)}

    def run(
        self, *arguments: str, target: str = "lake", variables: Mapping[str, str] | None = None
    ) -> dict[str, Outcome]:
        """Run dbt and return what became of each model and test, by name."""
        environ = os.environ | self._variables | dict(variables or {})
        ready = dbt_project.environment(target, environ, self.lake)
        self.lines.clear()
        found = dbt_project.run(arguments, ready, self.output, self.lines.append)
        return {one.name: one for one in found}

    def build_and_test(self, *arguments: str) -> dict[str, Outcome]:
        """Make all models and then run all tests: `build` leaves out what hangs on a failed one."""
        made = self.run("run", *arguments)
        bad = {name: one.message for name, one in made.items() if not one.good}
        assert not bad, bad
        return self.run("test", *arguments)


class Compiled:
    """The SQL that dbt has made of models and tests, run without dbt: a damage costs seconds so."""

    def __init__(self, dbt: Dbt) -> None:
        """Have dbt build a sound lake; the SQL names that folder for good."""
        bad = {name: one.message for name, one in dbt.run("build").items() if not one.good}
        assert not bad, bad
        results = json.loads((dbt.output / "run_results.json").read_text(encoding="utf-8"))
        self.sql = {
            (one["unique_id"].split(".")[0], one["unique_id"].split(".")[2]): one["compiled_code"]
            for one in results["results"]
            if one.get("compiled_code")
        }

    def names(self, kind: str) -> list[str]:
        """Return the names of all models or tests."""
        return [name for each, name in self.sql if each == kind]

    def failed(self) -> set[str]:
        """Return the tests that find a row in the lake as it is now."""
        return {name for name, rows in self.rows().items() if rows}

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return what each test finds in the lake as it is now."""
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'; attach ':memory:' as lake; use lake")
            for (kind, name), sql in self.sql.items():  # in the order in which dbt made them
                if kind == "model":
                    form = "view" if name.startswith("stg_") else "table"
                    connection.execute(f"create {form} {name} as {sql}")
            return {
                name: connection.execute(sql).fetchall()
                for (kind, name), sql in self.sql.items()
                if kind == "test"
            }


def failed(found: Mapping[str, Outcome]) -> set[str]:
    """Return the names of what failed."""
    return {name for name, one in found.items() if not one.good}
