"""Columns of `subscriber_state`: from arrays to rows and back.

Belongs here: how codes, moments, keys and matters stand in the columns. Does not belong here: what
the columns mean (`contracts.state`), how a day follows from another (`customers`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.codes import LifeChange, LifeStatus, Reason, Topic
from telco_pipeline.engine.keys import rows_of as known_rows
from telco_pipeline.lake import CodedText
from telco_pipeline.state.contacts import Matters

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]
Days = npt.NDArray[np.int32]
Column = pl.Series | CodedText

STATUSES: Final = [str(status) for status in LifeStatus]
CHANGES: Final = [str(change) for change in LifeChange]
REASONS: Final = [str(reason) for reason in Reason]
"""Texts of the codes, by position."""
_TOPICS: Final = [str(topic) for topic in Topic]
_MOMENT: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Texts:
    """Texts behind row numbers.

    Attributes:
        plan_id: Keys of the plans.
        cell_id: Keys of the cells.
    """

    plan_id: pl.Series
    cell_id: pl.Series


CONTACT: Final = (
    "contact_topic", "contact_number", "case_id", "cause_fault_id", "cause_cell_id", "cause_time",
)  # fmt: skip
PENDING: Final = (
    "pending_topic", "pending_number", "pending_case_id", "pending_fault_id", "pending_cell_id",
    "pending_cause_time",
)  # fmt: skip
"""Columns of a matter: topic, number, case, fault, cell, moment of the cause."""


def matter_columns(names: tuple[str, ...], matters: Matters, texts: Texts) -> dict[str, Column]:
    """Return the columns of matters.

    Args:
        names: `CONTACT` or `PENDING`.
        matters: The matters.
        texts: Texts of cells.
    """
    columns = (
        codes_of(_TOPICS, matters.topic),
        null_where(matters.number < 0, matters.number),
        null_where(matters.case < 0, matters.case),
        null_where(matters.fault < 0, matters.fault),
        CodedText.of(texts.cell_id, matters.cell, matters.cell < 0),
        moments(matters.cause),
    )
    return dict(zip(names, columns, strict=True))


def matters_of(frame: pl.DataFrame, time: str, names: tuple[str, ...], texts: Texts) -> Matters:
    """Return the matters of some rows (`matter_columns`).

    Args:
        frame: The rows.
        time: Column of the moment of the contact.
        names: `CONTACT` or `PENDING`.
        texts: Texts of cells.
    """
    topic, number, case, fault, cell, cause = names
    return Matters(
        time=or_none(frame[time].cast(pl.Int64)),
        topic=positions(frame[topic], _TOPICS),
        number=or_none(frame[number]),
        case=or_none(frame[case]),
        fault=or_none(frame[fault]),
        cell=rows_of(frame[cell], texts.cell_id),
        cause=or_none(frame[cause].cast(pl.Int64)),
    )


def null_where(missing: Flags, values: npt.NDArray) -> pl.Series:
    """Return values, null where they are missing."""
    return pl.Series(values).set(pl.Series(missing), None)


def moments(times: Rows) -> pl.Series:
    """Return moments from microseconds since 1970; null for -1."""
    return null_where(times < 0, times).cast(_MOMENT)


def dates(days: Days) -> pl.Series:
    """Return dates from days since 1970; null for none."""
    return null_where(days < 0, days).cast(pl.Date)


def codes_of(names: list[str], positions: npt.NDArray[np.integer]) -> pl.Series:
    """Return an enumeration from positions in `names`; null for -1."""
    few = null_where(positions < 0, np.maximum(positions, 0).astype(np.uint8))
    return few.cat.to(pl.Enum(names))


def or_none(values: pl.Series) -> npt.NDArray:
    """Return numbers with -1 for null."""
    return values.fill_null(-1).to_numpy(writable=True)


def positions(codes: pl.Series, names: list[str]) -> Codes:
    """Return the positions in `names` of texts or values of an enumeration, -1 for null."""
    # A file may hold texts with a dictionary of its own, in another order.
    codes = codes.cast(pl.Enum(names))
    return codes.to_physical().cast(pl.Int8).fill_null(-1).to_numpy(writable=True)


def rows_of(values: pl.Series, keys: pl.Series) -> npt.NDArray[np.int32]:
    """Return the row in `keys` of each text or coded text, -1 for null; writable."""
    return known_rows(values.cast(pl.String), keys).astype(np.int32)
