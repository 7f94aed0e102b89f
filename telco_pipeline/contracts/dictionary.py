"""The data dictionary: every contract in words, as one page of Markdown.

Belongs here: the page and the command that writes it:

    python -m telco_pipeline.contracts.dictionary [path]

Does not belong here: anything that the contracts do not say; the page is never edited by hand.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from telco_pipeline.contracts import DATASETS, Dataset

DICTIONARY_FILE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"

_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "text",
    pl.Enum: "code",
    pl.Boolean: "true or false",
    pl.Date: "date",
    pl.Datetime: "time",
    pl.Int16: "int16",
    pl.Int32: "int32",
    pl.Int64: "int64",
    pl.Float64: "float64",
}

_HEAD = """\
# Data dictionary

Written from the contracts by `python -m telco_pipeline.contracts.dictionary`; do not edit.

Times are UTC in microseconds, money is in micro-units, codes are text from a closed list. A daily
dataset lies in `<lake>/<dataset>/day=YYYY-MM-DD/*.parquet`, the others in
`<lake>/<dataset>/*.parquet`; readers that know Hive's layout add the column `day`.

Personal data: *direct* tells who somebody is, *pseudonym* stands for one person, *location* and
*traffic* are what the ePrivacy directive protects, *profile* describes a person.
"""


def data_dictionary(datasets: Mapping[str, Dataset] = DATASETS) -> str:
    """Return the page."""
    groups: dict[str, list[Dataset]] = {}
    for dataset in datasets.values():
        groups.setdefault(dataset.group, []).append(dataset)
    lines = [_HEAD, "| dataset | kept | what it is |", "|---|---|---|"]
    lines += [
        f"| [{each.name}](#{each.name}) | {each.layout.value} | {_cell(each.description)} |"
        for group in groups.values()
        for each in group
    ]
    for name, group in groups.items():
        # "Group", or a group and a dataset of one name would share an anchor.
        lines += ["", f"## Group {name}"]
        for dataset in group:
            lines += ["", *_dataset(dataset)]
    return "\n".join(lines) + "\n"


def _dataset(dataset: Dataset) -> Iterable[str]:
    keys = dataset.schema.primary_key()
    yield f"### {dataset.name}"
    yield ""
    yield dataset.description
    yield ""
    yield f"- Version {dataset.version}, {dataset.layout.value}"
    if keys:
        yield f"- Key: {_names(keys)}"
    if dataset.sort:
        yield f"- Order within a file: {_names(dataset.sort)}"
    if dataset.time:
        yield f"- Belongs to the day of: {_names([dataset.time])}"
    if dataset.foreign_keys:
        found = [
            f"`{key.column}` in [{key.target}](#{key.target}) (`{key.target_column}`)"
            for key in dataset.foreign_keys
        ]
        yield f"- Refers to: {', '.join(found)}"
    if dataset.depends:
        yield f"- Made from: {_names(dataset.depends)}"
    yield ""
    yield "| column | type | unit | null | allowed | personal | standard | what it is |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, column in dataset.schema.columns().items():
        yield _row(name, column)


def _row(name: str, column: dy.Column) -> str:
    meta: dict[str, Any] = column.metadata or {}
    cells = [
        f"**`{name}`**" if column.primary_key else f"`{name}`",
        _TYPES.get(type(column.dtype), str(column.dtype)),
        meta.get("unit", ""),
        "yes" if column.nullable else "",
        _allowed(column),
        meta.get("personal", ""),
        meta.get("standard", ""),
        column.description or "",
    ]
    return f"| {' | '.join(_cell(str(cell)) for cell in cells)} |"


def _allowed(column: dy.Column) -> str:
    if isinstance(column, dy.Enum):
        return ", ".join(f"`{value}`" for value in column.categories)
    if isinstance(column, dy.String) and column.regex is not None:
        return f"`{column.regex}`"
    low, high = getattr(column, "min", None), getattr(column, "max", None)
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or more"
    return f"{high} or less" if high is not None else ""


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


def _cell(text: str) -> str:
    # A bar would end the cell, even within code.
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    """Write the page to the path of the command line, or into the documentation."""
    parser = argparse.ArgumentParser(description="Write the data dictionary from the contracts.")
    parser.add_argument("path", nargs="?", type=Path, default=DICTIONARY_FILE)
    path: Path = parser.parse_args().path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data_dictionary(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
