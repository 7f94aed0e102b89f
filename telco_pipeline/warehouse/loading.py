"""Loading: a day of the lake into its table, whole or not at all, and as often as one likes.

Belongs here: what a load is, trying again, the choice of the database's own way. Does not belong
here: those ways (`postgres`, `embedded`, `batches`), what the tables are (`tables`).

A load is one transaction with the rows and the ledger's line. Killed at any moment it leaves the
old day; done again it leaves the same rows. After a lost connection nobody knows whether the commit
came through: it is done again, which is right in both cases.
"""

import datetime as dt
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake, Provenance
from telco_pipeline.lake.files import is_readable
from telco_pipeline.warehouse import batches, embedded, existing, faults, ledger, postgres, tables
from telco_pipeline.warehouse.batches import DEFAULT_BATCH
from telco_pipeline.warehouse.database import Database

SLICE_ROWS: Final = 262_144
"""Rows that are read at a time; a row group of the lake's files."""

ATTEMPTS: Final = 12
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0

Frames = Iterable[pl.DataFrame] | Callable[[], Iterable[pl.DataFrame]]
"""Rows in pieces. To be tried again after a lost connection they must be had again: a generator
is not, a function that returns one is."""

T = TypeVar("T")


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    Attributes:
        rows: Rows of the day.
        replaced: Whether rows of an earlier load gave way.
        skipped: Whether the same rows were there already, and nothing was done.
        seconds: How long it took.
        bytes: Size of the files that were read.
    """

    rows: int
    replaced: bool
    skipped: bool
    seconds: float
    bytes: int


def load(
    database: Database,
    lake: Lake,
    dataset: str,
    day: dt.date | None = None,
    *,
    again: bool = False,
    batch: int = DEFAULT_BATCH,
    progress: Callable[[int], None] | None = None,
) -> Loaded:
    """Load a partition of the lake into its table.

    Args:
        database: Where to.
        lake: Where from.
        dataset: Name of the dataset.
        day: The day; None for a dataset without days.
        again: Whether to load what is there already.
        batch: Rows of an INSERT, where rows are inserted.
        progress: Called with the rows so far, now and then.

    Raises:
        TelcoError: The lake has no such partition, or another world's rows or a table with other
            columns are there, or the database refuses; what was there is as before.
    """
    begun = time.monotonic()
    record, made = _record(lake, dataset, day)
    table = tables.table_of(DATASETS[dataset], database.metadata)
    there = _there(database, table, record)
    if there is not None and there.same_content(record) and not again:
        return Loaded(there.rows, False, True, time.monotonic() - begun, made.bytes)

    def frames() -> Iterator[pl.DataFrame]:
        count = 0
        for frame in read(lake, dataset, day):
            yield frame
            count += frame.height
            if progress is not None:
                progress(count)

    def check(rows: int) -> None:
        now = lake.provenance(dataset, day)
        if rows != made.rows or now is None or now.content_hash != made.content_hash:
            raise TelcoError(
                f"{lake.directory(dataset, day)} changed while it was read, or holds {rows} rows "
                f"where its provenance says {made.rows}: load again, or look with telco check"
            )

    source = _Source(frames, lake.files(dataset, day), check, progress, again=True)
    try:
        rows = _replace(database, table, day, source, record, batch)
    except TelcoError as error:
        if database.dialect == "duckdb":  # it reads the files itself
            _refuse_unreadable(lake, dataset, day, error)
        raise
    return Loaded(rows, there is not None, False, time.monotonic() - begun, made.bytes)


def replace(
    database: Database,
    table: sa.Table,
    day: dt.date | None,
    frames: Frames,
    record: ledger.Record,
    *,
    batch: int = DEFAULT_BATCH,
) -> int:
    """Put rows in the place of those of a day, and write the ledger's line, in one transaction.

    Args:
        database: Where to.
        table: Made by `tables.make_table` with the metadata of the database; made there if it is
            missing.
        day: The day; None for a table without days, whose rows are all replaced.
        frames: The rows, in the table's columns but for `day`; a function that returns them lets
            it be tried again after a lost connection.
        record: What the ledger shall say; its rows and time are filled in.
        batch: Rows of an INSERT, where rows are inserted.

    Returns:
        How many rows were loaded.

    Raises:
        TelcoError: Another world's rows or a table with other columns are there, or the database
            refuses; what was there is as before.
    """
    if tables.is_daily(table) != (day is not None):
        raise ValueError(f"{table.name}: {'name a day' if day is None else 'it has no days'}")
    _there(database, table, record)
    if callable(frames):
        source = _Source(frames, again=True)
    else:
        pieces = frames
        source = _Source(lambda: pieces, again=iter(frames) is not frames)
    return _replace(database, table, day, source, record, batch)


def remove_world(database: Database, world_hash: str, name: str | None = None) -> int:
    """Remove the rows of all other worlds than one, and what the ledger says of them.

    Args:
        database: Where.
        world_hash: The world that stays.
        name: The table whose rows are removed; None for the lake's tables, which are of one world.

    Returns:
        How many rows were removed.
    """

    def once() -> int:
        with database.writing("removing the old world") as connection:
            gone = ledger.others(ledger.read(connection, database), world_hash, name)
            for record in gone:
                _delete(connection, database, record)
                ledger.remove(connection, database, record.dataset, record.day)
            return sum(record.rows for record in gone)

    return retried(database, once) if database.exists() else 0


def remove(database: Database, table: sa.Table, day: dt.date) -> None:
    """Remove a day of a table, and what the ledger says of it; no such day is no error."""

    def once() -> None:
        with database.writing(f"removing {day} of {table.name}") as connection:
            if database.dialect == "postgresql":
                postgres.drop_day(connection, table, day)
            else:
                batches.delete_rows(connection, table, day)
            ledger.remove(connection, database, table.name, day)

    retried(database, once)


def retried(database: Database, do: Callable[[], T], *, attempts: int = ATTEMPTS) -> T:
    """Do something, and again after a lost connection, a deadlock or a serialization failure.

    The pauses grow from 0.1 s to 5 s and vary, so that two that met do not meet again. An error of
    any other kind, and a server that never answered, is raised at once. One that did answer since
    this `Database` was made, be it for another day or table, is waited for.
    """
    was_there = False
    for attempt in range(1, attempts + 1):
        try:
            return do()
        except Exception as error:
            cause = faults.cause_of(error)
            passing = faults.is_transient(cause) or faults.is_lost(cause)
            was_there = was_there or database.reached.is_set()
            if attempt == attempts or not (passing or (was_there and faults.is_unreachable(cause))):
                raise
            was_there = True
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (attempt - 1))
            time.sleep(pause * random.uniform(0.5, 1.0))
    raise AssertionError("unreachable")


def read(lake: Lake, dataset: str, day: dt.date | None) -> Iterator[pl.DataFrame]:
    """Yield a partition's rows in the contract's columns, at most `SLICE_ROWS` at a time.

    Raises:
        TelcoError: A file cannot be read.
    """
    columns = DATASETS[dataset].columns
    for path in lake.files(dataset, day):
        try:
            plan = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(columns)
            first = 0
            while (rows := plan.slice(first, SLICE_ROWS).collect()).height:
                yield rows
                first += rows.height
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(lake, dataset, day, path) from error


def _refuse_unreadable(lake: Lake, dataset: str, day: dt.date | None, error: BaseException) -> None:
    """Say so if a file of the lake is what a database stumbled over."""
    for path in lake.files(dataset, day):
        if not is_readable(path):
            raise _unreadable(lake, dataset, day, path) from error


def _unreadable(lake: Lake, dataset: str, day: dt.date | None, path: Path) -> TelcoError:
    return TelcoError(
        f"{path} cannot be read: make it anew with `{lake.command(dataset, day, day)} --replace`"
    )


@dataclass(frozen=True)
class _Source:
    """Where rows come from.

    Attributes:
        frames: Gives the rows in pieces.
        files: Parquet files that hold the same rows; none if there are no such files.
        check: Called with the number of rows before they are committed.
        progress: Called with the rows so far by who reads the files.
        again: Whether the rows can be had more than once.
    """

    frames: Callable[[], Iterable[pl.DataFrame]]
    files: Sequence[Path] = ()
    check: Callable[[int], None] | None = None
    progress: Callable[[int], None] | None = None
    again: bool = False


def _replace(
    database: Database,
    table: sa.Table,
    day: dt.date | None,
    source: _Source,
    record: ledger.Record,
    batch: int,
) -> int:
    def once() -> int:
        with database.writing(f"loading {table.name}{f' {day}' if day else ''}") as connection:
            rows = _rows(connection, table, day, source, batch)
            if source.check is not None:
                source.check(rows)
            ledger.write(connection, database, record.done(rows))
            return rows

    return retried(database, once, attempts=ATTEMPTS if source.again else 1)


def _rows(
    connection: Connection, table: sa.Table, day: dt.date | None, source: _Source, batch: int
) -> int:
    """Put the rows in the place of the day's in the way that suits the database best."""
    kind = connection.dialect.name
    if kind == "duckdb" and source.files:
        return embedded.replace_from_files(connection, table, day, source.files, source.progress)
    frames = source.frames()
    if kind == "duckdb":
        return embedded.replace_rows(connection, table, day, frames)
    if kind == "postgresql":
        return postgres.replace_rows(connection, table, day, frames)
    return batches.replace_rows(connection, table, day, frames, batch)


def _delete(connection: Connection, database: Database, record: ledger.Record) -> None:
    """Delete the rows of a line of the ledger, whoever's table it is."""
    if not existing.has_table(connection, database, record.dataset):
        return
    there = existing.columns_of(connection, database.dialect, record.dataset, database.schema)
    columns = [sa.Column(tables.DAY, sa.DATE())] if tables.DAY in there else []
    table = sa.Table(record.dataset, sa.MetaData(schema=database.schema), *columns)
    if database.dialect == "postgresql" and record.day is not None:
        postgres.drop_day(connection, table, record.day)
    else:  # of a table that tells the day otherwise, all days are of the same world
        batches.delete_rows(connection, table, record.day if columns else None)


def _there(database: Database, table: sa.Table, record: ledger.Record) -> ledger.Record | None:
    """Return what is loaded of the record's day, after seeing to it that its table can take it."""
    known = (table.name, ledger.table(database).name)

    def once() -> ledger.Record | None:
        if not database.ready.issuperset(known):
            existing.ensure(database, ledger.table(database), table)
            database.ready.update(known)
        with database.reading("reading what is loaded") as connection:
            return ledger.of_day(connection, database, record)

    return retried(database, once)


def _record(lake: Lake, dataset: str, day: dt.date | None) -> tuple[ledger.Record, Provenance]:
    """Return what the ledger shall say of a partition, and where that comes from."""
    if not lake.exists(dataset, day):
        raise TelcoError(
            f"{lake.root} has no {dataset}{f' of {day}' if day else ''}: make it with "
            f"`{lake.command(dataset, day, day)}`"
        )
    made = lake.provenance(dataset, day)
    if made is None:
        raise TelcoError(
            f"{lake.directory(dataset, day)} does not tell where its rows come from: make it anew "
            f"with `{lake.command(dataset, day, day)} --replace`"
        )
    _check_version(lake, made)
    # A variant that lies over the main world shows partitions of both: it is one world.
    world = lake.held_world()
    return (
        ledger.Record(
            dataset,
            day,
            made.content_hash,
            made.contract_version,
            world.world_hash if world else made.world_hash,
            world.seed if world else made.seed,
        ),
        made,
    )


def _check_version(lake: Lake, made: Provenance) -> None:
    contract = DATASETS[made.dataset]
    if made.contract_fingerprint != contract.fingerprint():
        raise TelcoError(
            f"{lake.directory(made.dataset, made.day)} was made by version {made.contract_version} "
            f"of its contract, this is version {contract.version}: make it anew with "
            f"`{lake.command(made.dataset, made.day, made.day)} --replace`"
        )
