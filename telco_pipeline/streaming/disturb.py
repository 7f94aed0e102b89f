"""Disturbances: records that come late, out of order, twice or damaged, on purpose.

Belongs here: which records, how, and the truth about each; all pure functions of rows. Does not
belong here: when disturbed entries are due (`feed` orders them by their release).

A record is disturbed in one way at most: one hash of (seed, day, record) against the rates one
after another. It is the same in every run, whatever topics are sent.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, day_number, day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import encoding
from telco_pipeline.streaming.layout import AVRO_MAGIC, DISTURBANCES, Topic
from telco_pipeline.streaming.sources import FILE, RELEASE, ROW, TIME

KINDS: Final = ("", *DISTURBANCES)
"""Kinds by number; 0 is none."""
LATE, OUT_OF_ORDER, DUPLICATED, MALFORMED = range(1, 5)
assert KINDS[LATE:] == ("late", "out_of_order", "duplicated", "malformed")
COPY: Final = "_copy"
KIND: Final = "_kind"
TRUTH: Final = 2
"""What is added to the copy of a record for the truth about it."""
DATASET: Final = "disturbances"
"""What records of the truth are called."""
VERSION: Final = 1
"""Version of their form."""

_SECOND: Final = 1_000_000
_DELAYS: Final = {
    LATE: (120 * _SECOND, 10_800 * _SECOND),
    OUT_OF_ORDER: (1 * _SECOND, 30 * _SECOND),
    DUPLICATED: (1 * _SECOND, 60 * _SECOND),
}
"""Least and greatest delay by kind, microseconds."""


@dataclass(frozen=True)
class Disturbance:
    """What to disturb, and where to tell of it.

    Attributes:
        rates: Share of the records (0 to 1) by kind; kinds that are left out are not done.
        topic: Topic of the truth.
    """

    rates: Mapping[str, float]
    topic: Topic

    def __post_init__(self) -> None:
        for kind, rate in self.rates.items():
            if kind not in DISTURBANCES:
                raise TelcoError(
                    f"no disturbance {kind[:80]!r}: there are {', '.join(DISTURBANCES)}"
                )
            if not 0 <= rate <= 1:
                raise TelcoError(f"rate {rate} of {kind} records: give one from 0 to 1")
        if sum(self.rates.values()) > 1 + 1e-9:
            raise TelcoError(
                "a record is disturbed in one way at most, so rates may sum to 1, not to "
                f"{sum(self.rates.values()):g}: lower one"
            )

    @property
    def identity(self) -> list[float]:
        """What disturbances follow from beside seed, day and records."""
        return [float(self.rates.get(kind, 0.0)) for kind in DISTURBANCES]

    @property
    def longest(self) -> int:
        """Greatest delay of a release behind the event time, microseconds."""
        asked = (kind for kind in _DELAYS if self.rates.get(KINDS[kind], 0.0) > 0)
        return max((_DELAYS[kind][1] for kind in asked), default=0)

    def applied(self, dataset: str, rows: pl.DataFrame, seed: int, day: dt.date) -> pl.DataFrame:
        """Return rows with release, copy and kind (`_release`, `_copy`, `_kind`).

        Second copies are further rows at the end. Truth, and what has no time of its own, is left
        as it is. No release lies beyond the day: a delay that would lead there is drawn anew from
        what is left of it.

        Args:
            dataset: Whose rows.
            rows: Rows with `_file`, `_row` and `_time`.
            seed: Seed of the world.
            day: The day.
        """
        contract = DATASETS[dataset]
        times = rows[TIME].to_numpy()
        kinds = np.zeros(rows.height, np.int8)
        releases = times
        if contract.time is not None and contract.group != "truth" and rows.height:
            events = _events(dataset, rows, seed, day)
            kinds = _kinds(events, self.identity)
            releases = _releases(events, kinds, times, day_start(day) + DAY)
        twice = kinds == DUPLICATED
        first = rows.with_columns(
            pl.Series(RELEASE, np.where(twice, times, releases)),
            pl.lit(0, pl.Int8).alias(COPY),
            pl.Series(KIND, np.where(twice, 0, kinds).astype(np.int8)),
        )
        if not twice.any():
            return first
        second = rows.filter(twice).with_columns(
            pl.Series(RELEASE, releases[twice]),
            pl.lit(1, pl.Int8).alias(COPY),
            pl.lit(DUPLICATED, pl.Int8).alias(KIND),
        )
        return pl.concat([first, second])


def damage(values: list[bytes], dataset: str, rows: pl.DataFrame, seed: int, day: dt.date) -> None:
    """Damage the values of rows that are to be malformed, in place.

    Every other one, by a hash, is cut off; in the others some bytes become 0xFF, which no UTF-8
    text has, so neither is JSON. Of Avro in the wire format of schema registries these are the
    first ones, as within a record they may stand for something.
    """
    hit = np.flatnonzero(rows[KIND].to_numpy() == MALFORMED)
    if not len(hit):
        return
    events = _events(dataset, rows[hit], seed, day)
    ways = draws.bits(events, "way").tolist()
    spots = draws.bits(events, "spot").tolist()
    for index, way, spot in zip(hit.tolist(), ways, spots, strict=True):
        values[index] = damaged(values[index], way, spot)


def damaged(value: bytes, way: int, spot: int) -> bytes:
    """Return a value that is no JSON, or no Avro, any more.

    Args:
        value: At least two bytes.
        way: 64 random bits.
        spot: 64 random bits.
    """
    if way >> 63:
        return value[: 1 + spot % (len(value) - 1)]
    at = 0 if value[:1] == AVRO_MAGIC else spot % len(value)
    length = min(1 + (way >> 8) % 8, len(value) - at)
    return value[:at] + b"\xff" * length + value[at + length :]


def truth(topic: str, dataset: str, rows: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Return the truth about rows, one for each.

    Args:
        topic: Topic of the records.
        dataset: Whose rows.
        rows: Rows with `_time`, `_release`, `_copy` and `_kind`.
        ids: Id of each in its header `ce_id`.

    Returns:
        Columns `kind`, `topic`, `record` (the dataset), `id`, `event_id` (null where the dataset
        has none), `copy`, `event_time`, `release` (when it is due on the day's own clock) and
        `key`.
    """
    keys = encoding.key_texts(dataset, rows)
    own = pl.col("event_id") if "event_id" in rows.columns else pl.lit(None, pl.Int64)
    moment = pl.Datetime("us", "UTC")
    return rows.select(
        pl.col(KIND).replace_strict(range(len(KINDS)), KINDS, return_dtype=pl.String).alias("kind"),
        pl.lit(topic).alias("topic"),
        pl.lit(dataset).alias("record"),
        ids.alias("id"),
        own.alias("event_id"),
        pl.col(COPY).alias("copy"),
        pl.col(TIME).cast(moment).alias("event_time"),
        pl.col(RELEASE).cast(moment).alias("release"),
        keys.alias("key"),
    )


def _events(dataset: str, rows: pl.DataFrame, seed: int, day: dt.date) -> draws.Bits:
    """Return a hash for each record: of its id or, where it has none, of its place in the day."""
    stream = draws.stream(seed, "streaming/disturbance", day_number(day))
    if encoding.primary_key(dataset) == ["event_id"]:
        return draws.keys(stream, rows["event_id"].to_numpy())
    files = draws.keys(stream, rows[FILE].to_numpy())
    return draws.events(files, rows[ROW].to_numpy())


def _kinds(events: draws.Bits, rates: list[float]) -> npt.NDArray[np.int8]:
    """Return the kind of each record, 0 for most."""
    drawn = draws.uniform(draws.bits(events, "kind"))
    bounds = np.cumsum(rates)
    found = np.searchsorted(bounds, drawn, side="right") + 1
    return np.where(found > len(rates), 0, found).astype(np.int8)


def _releases(
    events: draws.Bits, kinds: npt.NDArray[np.int8], times: npt.NDArray[np.int64], end: int
) -> npt.NDArray[np.int64]:
    """Return when each record is due; squares of uniforms make small delays more frequent."""
    drawn = draws.uniform(draws.bits(events, "delay"))
    delays = np.zeros(len(times), np.int64)
    for kind, (least, greatest) in _DELAYS.items():
        of_kind = kinds == kind
        delays[of_kind] = least + (drawn[of_kind] ** 2 * (greatest - least)).astype(np.int64)
    room = end - 1 - times
    return times + np.where(delays <= room, delays, (drawn * room).astype(np.int64))
