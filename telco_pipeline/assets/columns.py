"""The column schema that Dagster shows, from the contract.

Belongs here: the translation. Does not belong here: any fact about a column (`contracts`).
"""

import dagster as dg
import dataframely as dy

from telco_pipeline.contracts import Dataset

RULES = {
    "min": "at least {}",
    "max": "at most {}",
    "min_length": "at least {} characters",
    "max_length": "at most {} characters",
    "regex": "matches {}",
}


def column_schema(dataset: Dataset) -> dg.TableSchema:
    """Return a dataset's columns with types, descriptions, constraints and tags."""
    keys = dataset.schema.primary_key()
    columns = dataset.schema.columns()
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=_type(column),
                description=_description(dataset, name, column),
                constraints=_constraints(dataset, name, column, unique=list(keys) == [name]),
                tags=_tags(column),
            )
            for name, column in columns.items()
        ],
        constraints=dg.TableConstraints(other=_table_rules(dataset)),
    )


def _type(column: dy.Column) -> str:
    # An enum's polars type spells out all of its values, which stand among the constraints.
    if isinstance(column, dy.Enum):
        return "Enum"
    return "Datetime (us, UTC)" if isinstance(column, dy.Datetime) else str(column.dtype)


def _description(dataset: Dataset, name: str, column: dy.Column) -> str:
    facts = column.metadata or {}
    notes = [f"Unit: {facts['unit']}."] if "unit" in facts else []
    notes += [f"Standard: {facts['standard']}."] if "standard" in facts else []
    notes += [
        f"Refers to {key.target}.{key.target_column}."
        for key in dataset.foreign_keys
        if key.column == name
    ]
    return " ".join([column.description or "", *notes]).strip()


def _constraints(
    dataset: Dataset, name: str, column: dy.Column, *, unique: bool
) -> dg.TableColumnConstraints:
    rules = [
        text.format(value)
        for rule, text in RULES.items()
        if (value := getattr(column, rule, None)) is not None
    ]
    if isinstance(column, dy.Enum):
        rules.append("one of " + ", ".join(column.categories))
    rules += [
        f"exists in {key.target}.{key.target_column}"
        for key in dataset.foreign_keys
        if key.column == name
    ]
    return dg.TableColumnConstraints(nullable=column.nullable, unique=unique, other=rules)


def _tags(column: dy.Column) -> dict[str, str]:
    personal = (column.metadata or {}).get("personal")
    return {"personal-data": personal} if personal else {}


def _table_rules(dataset: Dataset) -> list[str]:
    keys = list(dataset.schema.primary_key())
    rules = [f"primary key: {', '.join(keys)}"] if keys else []
    if dataset.sort:
        rules.append(f"each file is sorted by {', '.join(dataset.sort)}")
    return rules
