"""The files of some days in a directory that appears whole or not at all.

Belongs here: the layout of the directory, the days and datasets, who writes which share, the truth.
Does not belong here: a file's bytes (`content`), its fate (`dirt`).

    <out>/files/YYYY-MM-DD/<element>/<file name>   by the UTC day on which the file arrived; its
                                                   time of change is when it arrived. What comes
                                                   twice on a day ends in .2 the second time
    <out>/_arrivals.csv                            what mediation's log of transfers says
    <out>/_truth.csv                               each file that is not as it should be
    <out>/_export.json                             what it is and where it comes from

Memory is that of one share of records for each process.
"""

import datetime as dt
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl

from telco_pipeline.contracts.plain import as_texts
from telco_pipeline.engine.calendar import day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports.asn1.codec import compiled
from telco_pipeline.exports.collected import dirt as fates
from telco_pipeline.exports.collected.content import BER
from telco_pipeline.exports.collected.dealing import Share, deal
from telco_pipeline.exports.collected.dirt import Dirt
from telco_pipeline.exports.collected.writing import Done, Work, write
from telco_pipeline.exports.directory import check_target, note, replaced
from telco_pipeline.lake import Lake
from telco_pipeline.lake.layout import disk_errors
from telco_pipeline.lake.worlds import LakeWorld
from telco_pipeline.oss.collection import DATASETS, NAME, QUARTER, QUARTERS

RECORDS_OF_A_SHARE: Final = {"csv": 200_000, "ber": 50_000}
"""Records that a process holds at a time."""
FILES: Final = "files"
ARRIVALS: Final = "_arrivals.csv"
TRUTH: Final = "_truth.csv"
_SHARES: Final = "_shares"
_INPUTS: Final = ("network_elements", "cells")

Progress = Callable[[str, int, int], None]
"""Told of each share: what it is, its records, and how many shares there are as far as known."""


@dataclass(frozen=True)
class Wanted:
    """What to export.

    Attributes:
        first: First day on which files were opened (UTC).
        last: Last day.
        kind: Format: csv or ber.
        datasets: Datasets whose files are wanted.
        dirt: What is made wrong on purpose.
        workers: Processes at a time, for BER; CSV needs but one.
    """

    first: dt.date
    last: dt.date
    kind: str = "csv"
    datasets: Sequence[str] = DATASETS
    dirt: Dirt = field(default_factory=Dirt)
    workers: int = 1

    @property
    def days(self) -> list[dt.date]:
        """All days, in order."""
        count = (self.last - self.first).days + 1
        return [self.first + dt.timedelta(days=offset) for offset in range(count)]


@dataclass
class Exported:
    """What was exported.

    Attributes:
        files: Files written, each time that one arrived.
        records: Records in them that a reader finds whole.
        bytes: Their size.
        fates: Number of files by kind of what is wrong with them.
    """

    files: int = 0
    records: int = 0
    bytes: int = 0
    fates: dict[str, int] = field(default_factory=dict)


@dataclass
class _State:
    """What the days of one export share."""

    lake: Lake
    held: LakeWorld
    wanted: Wanted
    directory: Path
    progress: Progress | None
    map: Callable[[list[Work]], Iterator[Done]]
    tally: Exported = field(default_factory=Exported)
    arrivals: list[pl.DataFrame] = field(default_factory=list)
    truth: list[pl.DataFrame] = field(default_factory=list)
    shares: int = 0


def export(
    lake: Lake,
    out: Path,
    wanted: Wanted,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the files that mediation collected of some days into a new directory.

    Args:
        lake: Where `collected_files`, the records, `network_elements` and `cells` lie.
        out: Directory to be.
        wanted: Days, datasets, format, dirt.
        replace: Whether an earlier export may be replaced.
        progress: Told of each share of records.

    Returns:
        What was written.

    Raises:
        TelcoError: Something lies there already; the lake lacks what is needed, or its parts do
            not fit together; a share is none; asn1tools is not installed; the disk refuses.
    """
    wanted.dirt.check()
    if wanted.kind == BER:
        compiled()
    check_target(out, replace=replace)
    held = _check_lake(lake, wanted)
    with (
        disk_errors("write", out, "--out"),
        replaced(out, replace=replace) as directory,
        _processes(wanted.workers if wanted.kind == BER else 1) as mapped,
    ):
        state = _State(lake, held, wanted, directory, progress, mapped)
        (directory / FILES).mkdir()
        (directory / _SHARES).mkdir()
        for day in wanted.days:
            _write_day(state, day)
        (directory / _SHARES).rmdir()
        _write_csv(pl.concat(state.arrivals), directory / ARRIVALS)
        truth = pl.concat(state.truth).sort("opened", "element_id", "dataset", "kind")
        _write_csv(truth, directory / TRUTH)
        counts = truth["kind"].value_counts().sort("kind")
        state.tally.fates = dict(counts.iter_rows())
        note(directory, _about(state))
    return state.tally


def _write_day(state: _State, day: dt.date) -> None:
    lake, wanted = state.lake, state.wanted
    index = lake.read(NAME, day, day).drop("day")
    index = index.with_columns(pl.col("dataset").cast(pl.String))
    index = index.filter(pl.col("dataset").is_in(list(wanted.datasets)))
    arrivals = _placed(fates.arrivals(index, wanted.dirt, state.held.seed), day)
    works = []
    for dataset in wanted.datasets:
        own = arrivals.filter(pl.col("dataset") == dataset)
        for share in _deal(state, dataset, day, own):
            mine = own.filter(pl.col("quarter").is_between(share.first, share.last))
            works.append(_work(state, share, mine))
    state.shares += len(works)
    unclaimed: dict[tuple[str, str, int], int] = {}
    written = []
    by_share = {(work.share.dataset, work.share.first): work for work in works}
    for done in state.map(works):
        mine = by_share[done.share.dataset, done.share.first].arrivals
        written.append(mine.with_columns(pl.Series("records_readable", done.readable, pl.Int64)))
        unclaimed |= {
            (element, done.share.dataset, quarter): count
            for element, quarter, count in done.unclaimed
        }
        state.tally.records += done.records
        state.tally.bytes += done.bytes
        if state.progress:
            state.progress(f"{done.share.dataset} {day}", done.records, state.shares)
    if not written:
        return
    told = pl.concat(written).sort("received", "path")
    there = told.filter(pl.col("fate").ne_missing("gap"))
    state.tally.files += there.height
    state.arrivals.append(_log(there))
    state.truth.append(fates.truth(told))
    state.truth.append(_lost(index, day, unclaimed))


def _deal(state: _State, dataset: str, day: dt.date, arrivals: pl.DataFrame) -> list[Share]:
    counted = (
        arrivals.filter(~pl.col("again")).group_by("quarter").agg(pl.col("record_count").sum())
    )
    voice_max_s = int((state.held.config or {})["charging"]["voice_max_s"])
    return deal(
        state.lake,
        dataset,
        day,
        dict(counted.iter_rows()),
        RECORDS_OF_A_SHARE[state.wanted.kind],
        voice_max_s,
        state.directory / _SHARES,
    )


def _work(state: _State, share: Share, arrivals: pl.DataFrame) -> Work:
    zone = str((state.held.config or {})["time_zone"])
    lake = state.lake
    place = state.directory / FILES
    return Work(lake.root, lake.world, zone, state.wanted.kind, share, arrivals, place)


def _placed(arrivals: pl.DataFrame, day: dt.date) -> pl.DataFrame:
    """Return arrivals with their quarter and path; what is there already gets another ending."""
    place = pl.format(
        "{}/{}/{}", pl.col("received").dt.to_string("%Y-%m-%d"), "element_id", "file_name"
    )
    opened = pl.col("event_time").to_physical()
    told = arrivals.with_columns(
        place.alias("path"), quarter=(opened - day_start(day)) // QUARTER
    ).sort("received", "file_id", "again")
    number = pl.col("file_id").cum_count().over("path")
    same = pl.when(number > 1).then(pl.format("{}.{}", "path", number)).otherwise("path")
    return told.with_columns(pl.when(pl.col("fate").ne_missing("gap")).then(same).alias("path"))


def _log(there: pl.DataFrame) -> pl.DataFrame:
    """Return what mediation's log of transfers says."""
    return there.select("received", "path", "element_id", "dataset", "file_name", "sequence_number")


def _lost(
    index: pl.DataFrame, day: dt.date, unclaimed: dict[tuple[str, str, int], int]
) -> pl.DataFrame:
    """Return the truth about files that never arrived: of each stream, the quarters without one."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    opened = index["event_time"].to_physical()
    there = set(
        zip(
            index["element_id"].to_list(),
            index["dataset"].to_list(),
            ((opened - day_start(day)) // QUARTER).to_list(),
            strict=True,
        )
    )
    streams = {(element, dataset) for element, dataset, _ in there | unclaimed.keys()}
    rows = [
        fates.lost(
            start + quarter * dt.timedelta(minutes=15),
            element,
            dataset,
            unclaimed.get((element, dataset, quarter), 0),
        )
        for element, dataset in sorted(streams)
        for quarter in range(QUARTERS)
        if (element, dataset, quarter) not in there
    ]
    return pl.DataFrame(rows, schema=fates.TRUTH)


def _write_csv(frame: pl.DataFrame, path: Path) -> None:
    frame.select(as_texts(frame.schema)).write_csv(path)


def _about(state: _State) -> dict[str, Any]:
    """Return what an export says of itself."""
    wanted, tally = state.wanted, state.tally
    return {
        "format": f"collected-files {wanted.kind}",
        "world": state.held.world_hash,
        "seed": state.held.seed,
        "days": [str(day) for day in wanted.days],
        "datasets": list(wanted.datasets),
        "dirt": asdict(wanted.dirt),
        "files": tally.files,
        "records": tally.records,
        "fates": tally.fates,
    }


def _check_lake(lake: Lake, wanted: Wanted) -> LakeWorld:
    """Return the lake's world; TelcoError if it lacks anything that is needed."""
    if not lake.root.is_dir():
        raise TelcoError(f"no lake at {lake.root}: make one with telco generate, or name --lake")
    held = lake.held_world()
    if held is None or held.config is None:
        raise TelcoError(f"{lake.root} does not tell its world: make it with `{lake.command()}`")
    needed: list[tuple[str, dt.date | None]] = [(name, None) for name in _INPUTS]
    needed += [(name, day) for day in wanted.days for name in (NAME, *wanted.datasets)]
    for name, day in needed:
        if not lake.exists(name, day):
            told = f"{name} of {day}" if day else name
            raise TelcoError(
                f"{lake.root} has no {told}: make it with `{lake.command(name, day, day)}`"
            )
    return held


@contextmanager
def _processes(workers: int) -> Iterator[Callable[[list[Work]], Iterator[Done]]]:
    """Give what does some works: here, or in processes that stay for the whole export."""
    if workers == 1:
        yield lambda works: map(write, works)
        return
    # Spawned, not forked: Polars' threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts)
    try:
        yield lambda works: (
            future.result() for future in as_completed([pool.submit(write, one) for one in works])
        )
    except BrokenProcessPool as error:
        raise TelcoError(
            "a process was ended from outside, as the system does when memory runs out: ask for "
            "fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts() -> None:
    """Let the main process alone hear Ctrl-C, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
