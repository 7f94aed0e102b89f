"""What a contract is: a dataset's schema with units, standards, keys and personal-data tags.

Belongs here: the words in which contracts are written. Does not belong here: any dataset.
"""

import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import dataframely as dy
import polars as pl

Personal = Literal["direct", "pseudonym", "location", "traffic", "profile"]
"""Kind of personal data (GDPR; ePrivacy directive for location and traffic data)."""

Group = Literal[
    "places",
    "network",
    "catalogue",
    "subscribers",
    "cdrs",
    "mobility",
    "state",
    "oss",
    "care",
    "truth",
]


class Layout(StrEnum):
    """How a dataset lies in the lake."""

    STATIC = "static"
    DAILY = "daily"


@dataclass(frozen=True)
class ForeignKey:
    """A column whose values, where not null, exist as `target_column` of dataset `target`.

    Attributes:
        column: Column that refers.
        target: Dataset that it refers to.
        target_column: Column there.
        also: Datasets in which a value may lie as well.
    """

    column: str
    target: str
    target_column: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """One dataset and all that is promised about it.

    Attributes:
        name: Name in the lake, in Dagster, in SQL.
        version: Version of the contract; raised with every change of the schema.
        schema: Columns, types and rules.
        layout: One partition in all, or one per day.
        group: Group in Dagster and in the data dictionary.
        description: What a row is and what the dataset is for.
        foreign_keys: References to other datasets.
        sort: Columns by which the rows of each file are ordered.
        time: Column that decides the day of a row (daily datasets only).
        depends: Datasets that it is made from; of daily ones the same day and the day before.
        follows: Whether each of its days is made from its own day before.
        whole: Whether a day is one part: its rows hang together.
    """

    name: str
    version: int
    schema: type[dy.Schema]
    layout: Layout
    group: Group
    description: str
    foreign_keys: tuple[ForeignKey, ...] = ()
    sort: tuple[str, ...] = ()
    time: str | None = None
    depends: tuple[str, ...] = field(default=())
    follows: bool = False
    whole: bool = False

    @property
    def daily(self) -> bool:
        """Whether there is one partition per day."""
        return self.layout is Layout.DAILY

    @property
    def columns(self) -> list[str]:
        """Names of the columns in order."""
        return self.schema.column_names()

    @property
    def polars_schema(self) -> pl.Schema:
        """Polars types of the columns in order."""
        return pl.Schema({name: col.dtype for name, col in self.schema.columns().items()})

    def fingerprint(self) -> str:
        """Return a hash of everything that the contract promises (not of its prose)."""
        columns = [
            [
                name,
                str(col.dtype),
                col.nullable,
                col.primary_key,
                _meta(col, "unit"),
                _meta(col, "personal"),
                _meta(col, "standard"),
                _rules(col),
            ]
            for name, col in self.schema.columns().items()
        ]
        keys = [[key.column, key.target, key.target_column] for key in self.foreign_keys]
        promise = [self.name, self.layout.value, columns, keys, list(self.sort), self.time]
        return hashlib.sha256(json.dumps(promise).encode()).hexdigest()[:16]


def _meta(column: dy.Column, key: str) -> Any:
    return (column.metadata or {}).get(key)


def _rules(column: dy.Column) -> list[str]:
    names = ("regex", "min", "max", "min_length", "max_length", "is_in", "unique")
    return [
        f"{name}={value}" for name in names if (value := getattr(column, name, None)) is not None
    ]


def _metadata(unit: str | None, standard: str | None, personal: Personal | None) -> dict[str, Any]:
    given = {"unit": unit, "standard": standard, "personal": personal}
    return {key: value for key, value in given.items() if value is not None}


def text(
    description: str,
    *,
    key: bool = False,
    nullable: bool = False,
    regex: str | None = None,
    standard: str | None = None,
    personal: Personal | None = None,
) -> dy.String:
    """Return a column of text."""
    return dy.String(
        description=description,
        primary_key=key,
        nullable=nullable,
        regex=regex,
        metadata=_metadata(None, standard, personal),
    )


def code(
    description: str,
    values: type[StrEnum] | list[str] | tuple[str, ...],
    *,
    nullable: bool = False,
    standard: str | None = None,
    personal: Personal | None = None,
) -> dy.Enum:
    """Return a column whose text values come from a closed list."""
    return dy.Enum(
        [str(value) for value in values],
        description=description,
        nullable=nullable,
        metadata=_metadata(None, standard, personal),
    )


def big(
    description: str,
    *,
    key: bool = False,
    nullable: bool = False,
    minimum: int | None = 0,
    maximum: int | None = None,
    unit: str | None = None,
    standard: str | None = None,
    personal: Personal | None = None,
) -> dy.Int64:
    """Return a 64-bit integer column (ids, microseconds, bytes, micro-units of money)."""
    return dy.Int64(
        description=description,
        primary_key=key,
        nullable=nullable,
        min=minimum,
        max=maximum,
        metadata=_metadata(unit, standard, personal),
    )


def number(
    description: str,
    *,
    nullable: bool = False,
    minimum: int | None = 0,
    maximum: int | None = None,
    unit: str | None = None,
    standard: str | None = None,
    personal: Personal | None = None,
) -> dy.Int32:
    """Return a 32-bit integer column."""
    return dy.Int32(
        description=description,
        nullable=nullable,
        min=minimum,
        max=maximum,
        metadata=_metadata(unit, standard, personal),
    )


def small(
    description: str,
    *,
    nullable: bool = False,
    minimum: int | None = 0,
    maximum: int | None = None,
    unit: str | None = None,
    standard: str | None = None,
    personal: Personal | None = None,
) -> dy.Int16:
    """Return a 16-bit integer column (cause codes, counts)."""
    return dy.Int16(
        description=description,
        nullable=nullable,
        min=minimum,
        max=maximum,
        metadata=_metadata(unit, standard, personal),
    )


def real(
    description: str,
    *,
    nullable: bool = False,
    minimum: float | None = None,
    maximum: float | None = None,
    unit: str | None = None,
    standard: str | None = None,
    personal: Personal | None = None,
) -> dy.Float64:
    """Return a column of fixed decimals, kept as floats (rounded before they are written)."""
    return dy.Float64(
        description=description,
        nullable=nullable,
        min=minimum,
        max=maximum,
        metadata=_metadata(unit, standard, personal),
    )


def flag(
    description: str, *, standard: str | None = None, personal: Personal | None = None
) -> dy.Bool:
    """Return a column of True and False."""
    return dy.Bool(description=description, metadata=_metadata(None, standard, personal))


def moment(
    description: str,
    *,
    nullable: bool = False,
    standard: str | None = None,
    personal: Personal | None = None,
) -> dy.Datetime:
    """Return a column of UTC times in microseconds."""
    return dy.Datetime(
        description=description,
        nullable=nullable,
        time_zone=dt.UTC,
        time_unit="us",
        metadata=_metadata("UTC", standard, personal),
    )


def date(description: str, *, nullable: bool = False, personal: Personal | None = None) -> dy.Date:
    """Return a column of dates."""
    return dy.Date(
        description=description, nullable=nullable, metadata=_metadata(None, None, personal)
    )
