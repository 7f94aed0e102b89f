"""Dirt on purpose: files that come twice, late, cut off or not at all, and the truth about them.

Belongs here: which file meets which fate, and when it arrives. Does not belong here: what is lost,
doubled or late in the lake already (`oss.collection`), the cut itself (`writing`).

One draw for each file decides, so a file meets one fate at most and the rates are shares of files.
Files that the lake has twice meet none. Draws are hashes of (seed, file_id): the same lake and the
same rates give the same files.
"""

import datetime as dt
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE
from telco_pipeline.errors import TelcoError

TRUTH: Final = {
    "kind": pl.String,
    "origin": pl.String,
    "element_id": pl.String,
    "dataset": pl.String,
    "file_name": pl.String,
    "sequence_number": pl.Int32,
    "opened": pl.Datetime("us", "UTC"),
    "received": pl.Datetime("us", "UTC"),
    "received_undisturbed": pl.Datetime("us", "UTC"),
    "records": pl.Int32,
    "records_readable": pl.Int32,
    "path": pl.String,
}
"""Columns of the truth. `records`: in the file as the element closed it; `records_readable`: that
a reader finds whole."""

_LATE_BY: Final = (DAY, 3 * DAY)
_AGAIN_AFTER: Final = (5 * MINUTE, 30 * HOUR)


@dataclass(frozen=True)
class Dirt:
    """Shares of files, from 0 to 1; all together at most 1.

    Attributes:
        duplicates: That arrive a second time.
        gaps: That never arrive, so that a number is missing.
        late: That arrive one to three days later.
        truncated: That end in the middle of a record; files without records cannot.
    """

    duplicates: float = 0.0
    gaps: float = 0.0
    late: float = 0.0
    truncated: float = 0.0

    def check(self) -> None:
        """Refuse shares that are none.

        Raises:
            TelcoError: With the option.
        """
        for each in fields(self):
            share = getattr(self, each.name)
            if not 0 <= share <= 1:
                raise TelcoError(f"--{each.name} must be a share from 0 to 1, not {share:g}")
        total = sum(getattr(self, each.name) for each in fields(self))
        if total > 1:
            raise TelcoError(
                f"--duplicates, --gaps, --late and --truncated make {total:g} together, and a file "
                "meets one fate only: they must not exceed 1"
            )


def arrivals(files: pl.DataFrame, dirt: Dirt, seed: int) -> pl.DataFrame:
    """Return the arrivals of a day's files after dirt, those that never arrive included.

    Args:
        files: Rows of `collected_files`.
        dirt: Shares.
        seed: The world's.

    Returns:
        The rows, some twice, and the columns `fate` (null: none), `again` (a second arrival),
        `undisturbed` (when it would have arrived) and `cut` (64 random bits for a file that is
        cut off, else null).
    """
    name = ("element_id", "dataset", "event_time")
    known = files.sort("event_time", "file_name", "received").with_columns(
        again=pl.col("file_id").cum_count().over(*name) > 1, single=pl.len().over(*name) == 1
    )
    key = draws.keys(draws.stream(seed, "exports/collected"), known["file_id"].to_numpy())
    share = draws.uniform(draws.bits(key, "fate"))
    fate = np.full(len(share), "", dtype=object)
    least = 0.0
    for kind, rate in (
        ("gap", dirt.gaps),
        ("truncated", dirt.truncated),
        ("late", dirt.late),
        ("duplicate", dirt.duplicates),
    ):
        fate[(share >= least) & (share < least + rate)] = kind
        least += rate
    late = _between(draws.bits(key, "late"), *_LATE_BY)
    second = _between(draws.bits(key, "again"), *_AGAIN_AFTER)
    told = known.with_columns(
        pl.Series("fate", fate.tolist(), dtype=pl.String).replace("", None),
        pl.Series("cut", draws.bits(key, "cut")),
        pl.Series("late_by", late).cast(pl.Duration("us")),
        pl.Series("again_after", second).cast(pl.Duration("us")),
        undisturbed="received",
    )
    hit = pl.col("single") & ((pl.col("fate") != "truncated") | (pl.col("record_count") > 0))
    told = told.with_columns(fate=pl.when(hit).then("fate"))
    told = told.with_columns(
        pl.when(pl.col("fate") == "truncated").then("cut").alias("cut"),
        received=pl.when(pl.col("fate") == "late")
        .then(pl.col("received") + pl.col("late_by"))
        .otherwise("received"),
    )
    twice = told.filter(pl.col("fate") == "duplicate").with_columns(
        again=pl.lit(value=True), received=pl.col("received") + pl.col("again_after")
    )
    # The first arrival of two is as it should be; what is wrong is the second.
    first = told.with_columns(fate=pl.when(pl.col("fate") != "duplicate").then("fate"))
    return pl.concat([first, twice]).drop("late_by", "again_after", "single")


def truth(written: pl.DataFrame) -> pl.DataFrame:
    """Return the truth about arrivals: a row for each that met a fate, or came twice in the lake.

    Args:
        written: As of `arrivals`, with `path` and `records_readable`.
    """
    kind = pl.coalesce("fate", pl.when("again").then(pl.lit("duplicate")))
    gap = pl.col("fate") == "gap"
    told = written.with_columns(
        kind=kind,
        origin=pl.when(pl.col("fate").is_null()).then(pl.lit("layer")).otherwise(pl.lit("option")),
        opened="event_time",
        received=pl.when(gap).then(None).otherwise("received"),
        received_undisturbed=pl.when(kind != "duplicate").then("undisturbed"),
        records="record_count",
    ).filter(pl.col("kind").is_not_null())
    return told.select(pl.col(name).cast(dtype) for name, dtype in TRUTH.items())


def lost(opened: dt.datetime, element: str, dataset: str, records: int) -> dict[str, object]:
    """Return the truth about a file that a layer lost: of it only its place in time is known."""
    known = {
        "kind": "lost",
        "origin": "layer",
        "element_id": element,
        "dataset": dataset,
        "opened": opened,
        "records": records,
        "records_readable": 0,
    }
    return dict.fromkeys(TRUTH) | known


def _between(bits: draws.Bits, least: int, most: int) -> np.ndarray:
    """Return microseconds from one bound to another, in steps of 1,024."""
    return least + draws.below(bits, (most - least) // 1024) * 1024
