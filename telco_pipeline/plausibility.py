"""Plausibility: whether records say that a phone was where it could not be.

Belongs here: the check of positions, for one dataset or for several together. Does not belong
here: how a check becomes a finding (`integrity`), whether movements are realistic (`analytics`).

Between two records of a subscriber a phone covers at least the distance between their antennas
less how far the two cells may be heard. That has to be possible at the speed of the fastest
trains. The check shares no code with what makes the rows, and looks at subscribers in groups, so
that memory stays flat.
"""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from telco_pipeline.contracts.codes import CellClass

FASTEST_KMH: Final = 350.0
"""Nothing with a SIM on the ground is faster (high-speed trains)."""

SLACK_SECONDS: Final = 2.0
"""Times and durations are rounded, and the two ends of a call see it some moments apart."""

COVERAGE: Final = 2.0
"""A cell's range is where the neighbours take over; it may be heard so many times as far."""

MAST_COVERAGE: Final = 2.5
"""A macro cell even farther: on the road where no other stands (rural LTE at 1,800 MHz: 10 km)."""

MAST_KM: Final = 5.0
"""A macro cell is heard that far in any case."""

LOW_BAND_MAST_KM: Final = 8.0
LOW_BAND_COVERAGE: Final = 3.0
"""Below 1 GHz a mast overshoots its neighbours, and serves where one of them is out of service."""

_LOW_BAND_MHZ: Final = 1000

CELL_COLUMNS: Final = ["cell_id", "latitude", "longitude", "range_m", "cell_class", "frequency"]
"""Columns of the cells that the check needs."""

_BUCKET_ROWS: Final = 8_000_000
_EARTH_KM: Final = 6371.0
_SUBSCRIBER: Final = "subscriber_id"
_TIME: Final = "event_time"
_CELL: Final = "cell_id"
_LAST_CELL: Final = "last_cell_id"
_PLACE: Final = "place"
_SAMPLE: Final = 5


@dataclass(frozen=True)
class Jumps:
    """Impossible moves.

    Attributes:
        rows: Positions looked at.
        offenders: Positions that cannot be reached from the subscriber's position before.
        sample: Some of them, in plain values.
    """

    rows: int
    offenders: int
    sample: list[dict[str, Any]]


def has_positions(columns: Sequence[str]) -> bool:
    """Return whether rows with these columns say on which antenna a subscriber was when."""
    return {_SUBSCRIBER, _TIME, _CELL, "rat_type"} <= set(columns)


def positions(records: pl.LazyFrame) -> pl.LazyFrame:
    """Return where subscribers were, from the records of one dataset.

    The cell at the start of a record and, where it has one, the cell at its end. Of who is abroad
    no cell is known.

    Args:
        records: Rows with a subscriber, a time and a cell.

    Returns:
        Columns `subscriber_id`, `event_time` and `cell_id`.
    """
    names = records.collect_schema().names()
    observed = [records.select(_SUBSCRIBER, _TIME, _CELL)]
    if _LAST_CELL in names:
        end = (
            pl.col("release_time")
            if "release_time" in names
            else pl.col(_TIME) + pl.duration(seconds=pl.col("duration"))
        )
        ending = records.select(_SUBSCRIBER, end.alias(_TIME), pl.col(_LAST_CELL).alias(_CELL))
        observed.append(ending)
    return pl.concat(observed).drop_nulls(_CELL)


def jumps(observed: pl.LazyFrame, cells: pl.DataFrame) -> Jumps:
    """Return the impossible moves in some positions.

    Args:
        observed: Positions as `positions` returns them, of one dataset or of several.
        cells: The cells, with `CELL_COLUMNS`.
    """
    rows = observed.select(pl.len()).collect().item()
    buckets = 1 + rows // _BUCKET_ROWS
    low = pl.col("frequency") < _LOW_BAND_MHZ
    macro = pl.col("cell_class").cast(pl.String) == CellClass.MACRO
    heard = pl.when(low).then(LOW_BAND_COVERAGE).when(macro).then(MAST_COVERAGE).otherwise(COVERAGE)
    farthest = pl.when(low).then(LOW_BAND_MAST_KM).otherwise(MAST_KM)
    mast = pl.when(macro).then(farthest)
    places = cells.select(
        pl.col(_CELL).cast(pl.String),
        pl.col("latitude").radians(),
        pl.col("longitude").radians(),
        pl.max_horizontal(pl.col("range_m") * heard / 1000, mast).alias("range"),
    )
    # Of records of one moment the order by cell is as good as any.
    places = places.sort(_CELL).with_row_index(_PLACE)
    offenders, sample = 0, []
    for bucket in range(buckets):
        some = observed
        if buckets > 1:
            some = some.filter(pl.col(_SUBSCRIBER).hash() % buckets == bucket)
        found = _impossible(some, places)
        offenders += found.height
        sample += found.head(_SAMPLE - len(sample)).to_dicts()
    return Jumps(rows, offenders, sample)


def _impossible(observed: pl.LazyFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Return the positions that are too far from the one before of the same subscriber."""
    before = pl.col(_SUBSCRIBER, _TIME, _PLACE).shift(1).name.suffix("_before")
    same = pl.col(_SUBSCRIBER) == pl.col(f"{_SUBSCRIBER}_before")
    hours = (pl.col(_TIME) - pl.col(f"{_TIME}_before")).dt.total_microseconds() / 3.6e9
    reachable = (hours + SLACK_SECONDS / 3600) * FASTEST_KMH
    apart = _kilometres() - pl.col("range") - pl.col("range_before")
    return (
        observed.with_columns(pl.col(_CELL).cast(pl.String))
        .join(places.lazy().select(_CELL, _PLACE), on=_CELL, how="inner")
        # Most positions are those before; only where they change the places are looked up.
        .select(_SUBSCRIBER, _TIME, _PLACE)
        .sort(_SUBSCRIBER, _TIME, _PLACE)
        .with_columns(before)
        .filter(same & (pl.col(f"{_PLACE}_before") != pl.col(_PLACE)))
        .join(places.lazy(), on=_PLACE, how="left", maintain_order="left")
        .join(
            places.lazy().select(pl.all().name.suffix("_before")),
            on=f"{_PLACE}_before",
            how="left",
            maintain_order="left",
        )
        .with_columns(apart.alias("kilometres"), (hours * 3600).alias("seconds"))
        .filter(pl.col("kilometres") > reachable)
        .select(
            _SUBSCRIBER,
            _TIME,
            f"{_CELL}_before",
            _CELL,
            pl.col("seconds").round(1),
            pl.col("kilometres").round(2),
        )
        .collect()
    )


def _kilometres() -> pl.Expr:
    """Return the great-circle distance to the position before (haversine)."""
    north = (pl.col("latitude") - pl.col("latitude_before")) / 2
    east = (pl.col("longitude") - pl.col("longitude_before")) / 2
    half = (
        north.sin() ** 2
        + pl.col("latitude").cos() * pl.col("latitude_before").cos() * east.sin() ** 2
    )
    return half.sqrt().arcsin() * (2 * _EARTH_KM)


def words(found: Jumps, day: dt.date | None) -> str:
    """Return what was found in one line; nothing if all is well."""
    if not found.offenders:
        return ""
    farthest = max((one["kilometres"] for one in found.sample), default=math.nan)
    when = f" on {day}" if day else ""
    return (
        f"{found.offenders} positions{when} cannot be reached at {FASTEST_KMH:.0f} km/h from the "
        f"one before, such as {farthest:.0f} km away"
    )
