"""Files of one share: written where they arrive, counted against what `collected_files` says.

Belongs here: the work of one process. Does not belong here: which arrivals there are (`dirt`), the
export as a whole (`collected.export`).
"""

import datetime as dt
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports.asn1.book import Book
from telco_pipeline.exports.collected.content import content, encoded
from telco_pipeline.exports.collected.dealing import CLOSED, Share
from telco_pipeline.lake import Lake
from telco_pipeline.oss.collection import NAME, QUARTER


@dataclass(frozen=True)
class Work:
    """What one process is told to do.

    Attributes:
        root, world, zone: The lake, and the operator's time zone.
        kind: Format.
        share: The records.
        arrivals: Those of the share's files, as of `dirt.arrivals`, with `path`.
        out: Where paths begin.
    """

    root: Path
    world: str
    zone: str
    kind: str
    share: Share
    arrivals: pl.DataFrame
    out: Path


@dataclass(frozen=True)
class Done:
    """What became of a share.

    Attributes:
        share: The share.
        readable: Records that a reader finds whole, for each of the arrivals.
        unclaimed: Element, quarter and number of records for which there is no arrival.
        records: Records written, those that come twice counted twice.
        bytes: Size of the files.
    """

    share: Share
    readable: list[int]
    unclaimed: list[tuple[str, int, int]]
    records: int
    bytes: int


def write(work: Work) -> Done:
    """Write the files of a share.

    Raises:
        TelcoError: The records are not those that `collected_files` was made from.
        OSError: The disk refuses.
    """
    lake = Lake(work.root, work.world)
    book = Book(lake, work.zone)
    records = _sorted(work.share)
    groups = _groups(records, work.share)
    arrivals = list(work.arrivals.iter_rows(named=True))
    wanted = {_place(row, work.share.day) for row in arrivals}
    claimed = {place: groups.pop(place) for place in wanted if place in groups}
    _check(lake, work.share, records, arrivals, claimed)
    octets = encoded(work.kind, work.share.dataset, records, book) if claimed else []
    ends = records[CLOSED].to_numpy()
    readable, count, size = [], 0, 0
    for row in arrivals:
        begin, end = claimed.get(_place(row, work.share.day), (0, 0))
        own = octets[begin:end]
        if row["fate"] == "gap":
            readable.append(0)
            continue
        opened = _microseconds(row["event_time"])
        appended = int(ends[end - 1]) if own else opened
        made = content(work.kind, row, own, appended, book)
        whole, found = (made.whole(), len(own)) if row["cut"] is None else made.cut(row["cut"])
        _put(work.out / row["path"], whole, row["received"])
        readable.append(found)
        count, size = count + found, size + len(whole)
    unclaimed = [(*place, end - begin) for place, (begin, end) in groups.items()]
    return Done(work.share, readable, unclaimed, count, size)


Place = tuple[str, int]
"""Element and quarter of a file."""


def _sorted(share: Share) -> pl.DataFrame:
    """Return the records of a share by element and file, in the order in which they were closed."""
    if not share.path.exists():
        schema = {"recording_entity": pl.String, CLOSED: pl.Int64, "event_id": pl.Int64}
        return pl.DataFrame(schema=schema)
    found = pl.read_ipc(share.path)
    share.path.unlink()
    return found.sort("recording_entity", CLOSED, "event_id")


def _groups(records: pl.DataFrame, share: Share) -> dict[Place, tuple[int, int]]:
    """Return where the records of each file begin and end."""
    quarter = (pl.col(CLOSED) - day_start(share.day)) // QUARTER
    files = (
        records.select("recording_entity", quarter.alias("quarter"))
        .with_row_index("row")
        .group_by("recording_entity", "quarter", maintain_order=True)
        .agg(pl.col("row").min().alias("begin"), pl.len().alias("count"))
    )
    return {
        (element, number): (begin, begin + count)
        for element, number, begin, count in files.iter_rows()
    }


def _check(
    lake: Lake,
    share: Share,
    records: pl.DataFrame,
    arrivals: Sequence[dict[str, Any]],
    claimed: dict[Place, tuple[int, int]],
) -> None:
    """Compare number and checksum of each file's records with what its row says."""
    hashed = draws.mix(records["event_id"].to_numpy().astype(np.uint64))
    for row in arrivals:
        begin, end = claimed.get(_place(row, share.day), (0, 0))
        checksum = f"{int(np.add.reduce(hashed[begin:end])):016x}"
        if (end - begin, checksum) != (row["record_count"], row["checksum"]):
            raise TelcoError(
                f"{NAME} of {share.day} says {row['record_count']} records of {row['file_name']}, "
                f"and {share.dataset} has {end - begin}, or others: one was made again without the "
                f"other; make them anew with `{lake.command(NAME, share.day, share.day)} --replace`"
            )


def _put(path: Path, whole: bytes, received: dt.datetime) -> None:
    """Write a file as it was when it arrived."""
    time = received.timestamp()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(whole)
    os.utime(path, (time, time))


def _place(row: dict[str, Any], day: dt.date) -> Place:
    return row["element_id"], (_microseconds(row["event_time"]) - day_start(day)) // QUARTER


def _microseconds(time: dt.datetime) -> int:
    return (time - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
