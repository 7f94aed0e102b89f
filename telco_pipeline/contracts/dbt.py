"""The generated part of dbt_checks/: sources, thin views, column docs and tests from the contracts.

Belongs here: the files in `dbt_checks/models/staging` and the command that writes them:

    python -m telco_pipeline.contracts.dbt [--check]

Does not belong here: what is written by hand in dbt_checks/ (macros, the kinds of tests, business
views, reconciliation), running dbt (`dbt_project`).
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import dataframely as dy
import polars as pl
import yaml

from telco_pipeline.contracts import DATASETS, Dataset

STAGING_FOLDER: Final = Path(__file__).parents[2] / "dbt_checks" / "models" / "staging"
COMMAND: Final = "python -m telco_pipeline.contracts.dbt"
SOURCE: Final = "telco"

_HEAD: Final = f"Written from the contracts by `{COMMAND}`; do not edit."

_TYPES: Final[dict[type[pl.DataType], str]] = {
    pl.String: "text",
    pl.Enum: "text",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "timestamp",
    pl.Int16: "smallint",
    pl.Int32: "integer",
    pl.Int64: "bigint",
    pl.Float64: "double precision",
}
"""Types that DuckDB and PostgreSQL call by the same name."""

_DAY: Final = "Day (UTC) of the partition."


def model_of(dataset: str) -> str:
    """Return the name of a dataset's thin view."""
    return f"stg_{dataset}"


def staging_files(datasets: Mapping[str, Dataset] = DATASETS) -> dict[str, str]:
    """Return the generated files: their text by their name."""
    files = {"_sources.yml": _yaml(_sources(datasets))}
    for dataset in datasets.values():
        files[f"{model_of(dataset.name)}.sql"] = _view(dataset)
        files[f"{model_of(dataset.name)}.yml"] = _yaml({"models": [_model(dataset)]})
    return files


def outdated(folder: Path = STAGING_FOLDER) -> list[str]:
    """Return the names of files that are missing, differ, or should not be there."""
    wanted = staging_files()
    there = {path.name: path.read_text(encoding="utf-8") for path in _generated(folder)}
    return sorted(
        name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name)
    )


def write(folder: Path = STAGING_FOLDER) -> None:
    """Write the generated files that differ, and remove those of datasets that are gone."""
    wanted = staging_files()
    folder.mkdir(parents=True, exist_ok=True)
    for name in outdated(folder):
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()


def _generated(folder: Path) -> list[Path]:
    """Return the files of the folder; all that lies there is generated."""
    return [path for path in folder.glob("*") if path.is_file()]


# Sources and views


def _sources(datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    # Rendered by dbt; the vars and variables are those of docs/dbt.md. In the lake a source is a
    # function of DuckDB, in the warehouse it is the table of its name.
    lake = "(var('lake', none) or env_var('TELCO_LAKE', '') or '../data/lake')"
    files = f"'{{{{ {lake} | replace(\"'\", \"''\") }}}}/{{name}}/"
    return {
        "sources": [
            {
                "name": SOURCE,
                "description": "The operator's datasets: Parquet files of the lake (target `lake`) "
                "or tables of the warehouse (target `warehouse`).",
                "schema": "{{ env_var('TELCO_DATABASE_SCHEMA', '') or "
                "('main' if target.type == 'duckdb' else 'public') }}",
                "tables": [
                    {
                        "name": dataset.name,
                        "description": dataset.description,
                        "config": {
                            "meta": {
                                "layout": dataset.layout.value,
                                "contract_version": dataset.version,
                                "external_location": "read_parquet("
                                + files
                                + ("day=*/" if dataset.daily else "")
                                + "*.parquet', hive_partitioning = "
                                + ("true)" if dataset.daily else "false)"),
                            }
                        },
                    }
                    for dataset in datasets.values()
                ],
            }
        ],
    }


def _view(dataset: Dataset) -> str:
    columns = ["day"] if dataset.daily else []
    for name, column in dataset.schema.columns().items():
        moment = isinstance(column.dtype, pl.Datetime)
        columns.append(f"{{{{ utc('{name}') }}}} as {name}" if moment else name)
    listed = ",\n".join(f"    {column}" for column in columns)
    where = "\nwhere {{ in_window('day') }}" if dataset.daily else ""
    return f"-- {_HEAD}\nselect\n{listed}\nfrom {{{{ dataset('{dataset.name}') }}}}{where}\n"


# Docs and tests


def _model(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": model_of(dataset.name),
        "description": dataset.description,
        "config": {"meta": {"contract_version": dataset.version}, "tags": [dataset.group]},
        "columns": list(_columns(dataset)),
        "data_tests": list(_tests(dataset)),
    }


def _columns(dataset: Dataset) -> Iterable[dict[str, Any]]:
    if dataset.daily:
        yield {"name": "day", "description": _DAY, "data_type": "date"}
    for name, column in dataset.schema.columns().items():
        told: dict[str, Any] = {
            "name": name,
            "description": column.description or "",
            "data_type": _TYPES[type(column.dtype)],
        }
        if column.metadata:
            told["config"] = {"meta": dict(column.metadata)}
        references = [
            _test(
                "refers",
                f"{dataset.name}_{name}_refers",
                f"Each {name} is one of {' or '.join((key.target, *key.also))}.",
                field=key.target_column,
                to=[f"ref('{model_of(target)}')" for target in (key.target, *key.also)],
            )
            for key in dataset.foreign_keys
            if key.column == name
        ]
        yield told | ({"data_tests": references} if references else {})


def _tests(dataset: Dataset) -> Iterable[dict[str, Any]]:
    columns = dataset.schema.columns()
    if key := unique_over(dataset):
        yield _test(
            "unique_key", f"{dataset.name}_unique", f"{', '.join(key)} occurs once.", columns=key
        )
    if required := [name for name, column in columns.items() if not column.nullable]:
        yield _test(
            "not_null_columns",
            f"{dataset.name}_not_null",
            "No value is missing where the contract wants one.",
            columns=required,
        )
    if listed := {
        name: list(column.categories)
        for name, column in columns.items()
        if isinstance(column, dy.Enum)
    }:
        yield _test(
            "accepted_codes",
            f"{dataset.name}_accepted_values",
            "Codes are those of the contract's lists.",
            codes=listed,
        )
    if bounded := {name: bounds for name in columns if (bounds := _bounds(columns[name]))}:
        yield _test(
            "in_range",
            f"{dataset.name}_ranges",
            "Numbers lie within the contract's bounds.",
            bounds=bounded,
        )
    if shaped := {
        name: column.regex
        for name, column in columns.items()
        if isinstance(column, dy.String) and column.regex is not None
    }:
        yield _test(
            "matches_pattern",
            f"{dataset.name}_patterns",
            "Texts have the form that the contract gives.",
            patterns=shaped,
        )
    if dataset.daily and dataset.time:
        yield _test(
            "within_day",
            f"{dataset.name}_days",
            f"{dataset.time} lies in the partition's day (UTC).",
            column=dataset.time,
        )
    if dataset.daily:
        yield _test(
            "newest_day",
            f"{dataset.name}_fresh",
            "Its newest day is the newest of all datasets.",
            dataset=dataset.name,
        )
    yield _test(
        "recorded_rows",
        f"{dataset.name}_rows",
        "Each partition has the rows that were recorded when it was made or loaded.",
        dataset=dataset.name,
        daily=dataset.daily,
    )


def unique_over(dataset: Dataset) -> list[str]:
    """Return the columns whose values occur once over all days, if the contract has a key.

    The key itself, or the day with it where each day has a row for the same entities: where the
    days follow from each other, and nothing in the key says which day it is.
    """
    key = dataset.schema.primary_key()
    return ["day", *key] if key and dataset.follows and dataset.time not in key else list(key)


def _bounds(column: dy.Column) -> list[int | float | None] | None:
    low, high = getattr(column, "min", None), getattr(column, "max", None)
    return None if low is None and high is None else [low, high]


def _test(kind: str, name: str, promise: str, **arguments: Any) -> dict[str, Any]:
    return {kind: {"name": name, "description": promise, "arguments": arguments}}


def _yaml(content: dict[str, Any]) -> str:
    body = yaml.safe_dump({"version": 2, **content}, sort_keys=False, allow_unicode=True, width=100)
    return f"# {_HEAD}\n{body}"


def main() -> int:
    """Write the files, or with --check only say which are not up to date."""
    parser = argparse.ArgumentParser(description="Write dbt's views and tests from the contracts.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail if outdated")
    if not parser.parse_args().check:
        write()
        return 0
    names = outdated()
    if names:
        sys.stderr.write(f"not up to date: {', '.join(names)}; run `{COMMAND}`\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
