"""Where `telco flat` puts its rows: a table of a database, or a file.

Belongs here: days into either, what is said of them. Does not belong here: making the days (`flat`)
or the ways of a database (`warehouse`).
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from telco_pipeline.cli import options
from telco_pipeline.cli.display import (
    Column,
    Meter,
    count,
    duration,
    print_line,
    print_table,
    progress,
)
from telco_pipeline.cli.flat import FlatDay, Order, made_days, steps_of
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake.layout import disk_errors

if TYPE_CHECKING:
    import polars as pl

    from telco_pipeline.warehouse.database import Database

_TIMES: Final = "%Y-%m-%d %H:%M:%S%.6f"
CSV: Final = ".csv"
PARQUET: Final = ".parquet"


@dataclass
class _Told:
    """What was done, for the end.

    Attributes:
        rows: A line of the table of days: day, rows, what there is to say.
        started: When it began.
    """

    rows: list[list[str]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def day(self, day: FlatDay, *, was_there: bool = False) -> None:
        """Note a day that is there now."""
        note = "was there already" if was_there else ""
        if day.is_cut:
            note = f"the first by time, of {count(day.whole)}{f'; {note}' if note else ''}"
        self.rows.append([str(day.day), count(day.rows), note])

    def show(self, order: Order, where: str) -> None:
        """Print the days, and where the rows lie."""
        columns = [Column("day (UTC)"), Column("rows", True), Column("")]
        print_table("Flat CDRs", columns, self.rows)
        seconds = time.monotonic() - self.started
        print_line(
            f"{count(order.rows)} rows in {duration(seconds)}, "
            f"{count(order.rows / max(seconds, 1e-3))} a second. "
            f"{count(order.config.subscribers)} subscribers, world {order.config.world_hash} of "
            f"seed {order.config.seed}."
        )
        print_line(f"Their records lie in {order.lake.root.absolute()}")
        print_line(f"The rows lie in {where}")


class _Steps:
    """Steps of the making, and rows of the table, from two threads."""

    def __init__(self, meter: Meter, order: Order) -> None:
        self._meter, self._lock = meter, Lock()
        meter.total = steps_of(order)

    def made(self, what: str, _: int) -> None:
        """Count a partition of the lake."""
        with self._lock:
            self._meter.step(what)

    def taken(self, day: FlatDay) -> "Callable[[], Iterator[pl.DataFrame]]":
        """Return the day's frames, counted as they are taken."""

        def frames() -> "Iterator[pl.DataFrame]":
            for frame in day.frames():
                yield frame
                with self._lock:
                    self._meter.step(f"rows of {day.day}", frame.height)

        return frames


def into_database(order: Order, name: str, url: str | None, schema: str | None) -> None:
    """Make the rows and load them into a table, day by day; show what was done.

    Days of the same table that were loaded before and are not among these are removed, so that it
    has exactly the rows asked for. No other table is touched: what world those are of does not
    matter.

    Args:
        order: What is wanted.
        name: Name of the table.
        url: The database; None for that of the environment, or else the flat table's own file.
        schema: Its schema; None likewise.

    Raises:
        TelcoError: The database or its tables are not as they should be, or a day cannot be made.
    """
    from telco_pipeline.warehouse import existing, ledger, loading, tables
    from telco_pipeline.warehouse.database import FLAT_URL, Database
    from telco_pipeline.warehouse.flat_table import flat_table, record_of

    if name in tables.OF_THE_LAKE or name == tables.LEDGER:
        raise TelcoError(f"table: {name} is a table of the warehouse's own: choose another name")
    database = Database.from_environment(url, schema, default=FLAT_URL)
    table = flat_table(name, database.metadata)
    # Whatever the database refuses, it refuses before anything is made. A table that somebody has
    # dropped is empty now, whatever the ledger says.
    records = ledger.loaded(database, name) if _is_there(database, name) else []
    others = ledger.others(records, order.config.world_hash, name)
    if others and not order.replace:
        raise TelcoError(
            f"{name} in {database.address} holds the world {others[0].world_hash} (seed "
            f"{others[0].seed}) in {len(others)} loads; these rows are of "
            f"{order.config.world_hash}: name another database, schema or table, or remove the "
            "other world's rows with --replace"
        )
    existing.ensure(database, ledger.table(database), table)
    loaded = {one.day: one for one in records if one not in others}
    told = _Told()
    with progress("steps", f"Making {count(order.rows)} flat CDRs") as meter:
        steps = _Steps(meter, order)
        if others:
            # Its rows stay until those that take their place can be had without a doubt.
            for _ in made_days(order, steps.made):
                pass
            loading.remove_world(database, order.config.world_hash, name)
        for day in made_days(order, steps.made):
            record = record_of(
                order.lake,
                order.config,
                name,
                day.day,
                order.types,
                day.rows if day.is_cut else None,
            )
            there = loaded.pop(day.day, None)
            same = there is not None and there.same_content(record)
            if not same:
                loading.replace(database, table, day.day, steps.taken(day), record)
            told.day(day, was_there=same)
    for old in loaded:
        if old is not None:
            loading.remove(database, table, old)
    told.show(order, f"the table {name} of {database.address}")


def _is_there(database: "Database", name: str) -> bool:
    """Return whether a database has a table."""
    from telco_pipeline.warehouse import existing

    if not database.exists():
        return False
    with database.reading("looking for the table") as connection:
        return existing.has_table(connection, database, name)


def into_file(order: Order, path: Path) -> None:
    """Make the rows and write them into a file that is there whole or not at all.

    Raises:
        TelcoError: The file's name or place is wrong, it is there, or the disk refuses.
    """
    ending = path.suffix.lower()
    if ending not in (CSV, PARQUET):
        raise TelcoError(f"--to {path}: the name must end with {CSV} or {PARQUET}")
    options.file_to_be("--to", path)
    if path.exists() and not order.replace:
        raise TelcoError(f"--to: {path} is there already: name another file, or add --replace")
    told = _Told()
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with (
            progress("steps", f"Making {count(order.rows)} flat CDRs") as meter,
            disk_errors("write", path),
            _writer(aside, ending) as write,
            closing(made_days(order, (steps := _Steps(meter, order)).made)) as days,
        ):
            for day in days:
                for frame in steps.taken(day)():
                    write(frame)
                told.day(day)
        aside.replace(path)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
    told.show(order, str(path.absolute()))


@contextmanager
def _writer(path: Path, ending: str) -> "Iterator[Callable[[pl.DataFrame], None]]":
    """Give what appends rows to a new file, which is on disk when the block ends."""
    import polars as pl

    from telco_pipeline.warehouse.flat import SCHEMA

    if ending == CSV:
        with path.open("wb") as file:
            file.write(f"{','.join(SCHEMA)}\n".encode())

            def append(frame: pl.DataFrame) -> None:
                times = pl.col("start_time").dt.replace_time_zone(None)
                frame.with_columns(times).write_csv(
                    file, include_header=False, datetime_format=_TIMES
                )

            yield append
            file.flush()
            os.fsync(file.fileno())
        return
    import pyarrow.parquet as pq

    empty = pl.DataFrame(schema=SCHEMA).to_arrow()
    with path.open("wb") as file:
        with pq.ParquetWriter(file, empty.schema, compression="zstd") as parquet:

            def add(frame: pl.DataFrame) -> None:
                rows: Any = frame.to_arrow().cast(empty.schema)
                parquet.write_table(rows)

            yield add
        file.flush()
        os.fsync(file.fileno())
