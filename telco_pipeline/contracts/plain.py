"""Rows in the types that every format knows: text, numbers, truth values.

Belongs here: what becomes of times, dates and codes where a format has no type for them, and the
Avro schema of a dataset. Does not belong here: writing any format (`streaming`, `exports`).
"""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from telco_pipeline.contracts import DATASETS

TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.6fZ"
"""RFC 3339 in UTC with microseconds, as Polars writes it."""

_AVRO_TYPES: Final[Mapping[type[pl.DataType], Any]] = {
    pl.Int64: "long",
    pl.Int32: "int",
    pl.Int16: "int",
    pl.Float64: "double",
    pl.Boolean: "boolean",
    pl.String: "string",
    pl.Enum: "string",
    pl.Datetime: {"type": "long", "logicalType": "timestamp-micros"},
    pl.Date: {"type": "int", "logicalType": "date"},
}
_TOLD: Final = ("unit", "standard", "personal")
"""What of a column's metadata stands beside its field."""


def as_texts(schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return columns with times (RFC 3339, `Z`) and dates (ISO 8601) as text, all else as it is."""
    return [
        pl.col(name).dt.to_string(TIME_FORMAT if isinstance(dtype, pl.Datetime) else "%Y-%m-%d")
        if isinstance(dtype, pl.Datetime | pl.Date)
        else pl.col(name)
        for name, dtype in schema.items()
    ]


def codes_as_texts(schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return columns with codes as text, all else as it is."""
    return [_code_as_text(name, dtype) for name, dtype in schema.items()]


def as_integers(schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Return columns with times as microseconds and dates as days since 1970, codes as text."""
    return [
        pl.col(name).to_physical()
        if isinstance(dtype, pl.Datetime | pl.Date)
        else _code_as_text(name, dtype)
        for name, dtype in schema.items()
    ]


def _code_as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name).cast(pl.String) if isinstance(dtype, pl.Enum) else pl.col(name)


def avro_schema(dataset: str) -> dict[str, Any]:
    """Return the Avro schema of a dataset's rows.

    Fields are the contract's columns in their order. A column that may be null is a union of null
    and its type with null as default. A column of a closed list is a string, the list stands in the
    property `values`: a reader with an older list still reads a newer word, which an Avro enum
    would refuse. Unit, standard and kind of personal data are properties too.
    """
    contract = DATASETS[dataset]
    fields = []
    for name, column in contract.schema.columns().items():
        dtype = column.dtype
        made: dict[str, Any] = {"name": name, "type": _AVRO_TYPES[type(dtype)]}
        if column.nullable:
            made |= {"type": ["null", made["type"]], "default": None}
        if column.description:
            made["doc"] = column.description
        if isinstance(dtype, pl.Enum):
            made["values"] = dtype.categories.to_list()
        known = column.metadata or {}
        fields.append(made | {key: known[key] for key in _TOLD if key in known})
    return {
        "type": "record",
        "name": dataset,
        "namespace": f"telco.v{contract.version}",
        "aliases": [f"telco.v{earlier}.{dataset}" for earlier in range(1, contract.version)],
        "doc": contract.description,
        "fields": fields,
    }
