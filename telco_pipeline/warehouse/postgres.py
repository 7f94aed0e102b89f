"""PostgreSQL: rows by COPY, a day as a partition of its own.

Belongs here: the stream of a COPY, partitions. Does not belong here: other databases.

A day is copied into a table that stands alone, gets its indexes there, and takes the old day's
place at the end of the transaction: queries see the old day until the commit and wait for nobody
but for that last moment. A table that was made in the same transaction is written frozen, so that
no later vacuum has to write it again.
"""

import datetime as dt
import io
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from telco_pipeline.warehouse import tables
from telco_pipeline.warehouse.batches import delete_rows

_CHUNK_ROWS: Final = 16_384
_CHUNKS_AHEAD: Final = 8
_READ_BYTES: Final = 1 << 20
_TIMES: Final = "%Y-%m-%d %H:%M:%S%.6f"
_STAGED: Final = "of_the_day"
_IN_READ: Final = "error in .read() call"
"""What the driver makes of any exception in `Encoded.read`."""
_INDEX_MEMORY: Final = "256MB"


def replace_rows(
    connection: Connection, table: sa.Table, day: dt.date | None, frames: Iterable[pl.DataFrame]
) -> int:
    """Put rows in the place of those of a day; see `batches.replace_rows`."""
    # One load of a day at a time: the lock ends with the transaction.
    name = f"{table.fullname} {day}"
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtext(:name)::bigint)"), {"name": name}
    )
    if day is None:
        delete_rows(connection, table, None)
        return _copy(connection, table, _full(table), frames, None)
    staged = f"{partition_name(table, day)}_new"
    where = _full(table, staged)
    # Not LIKE, which would lock the table: two loads of it would then wait for each other.
    alone = tables.without_keys(table, staged)
    _execute(connection, next(tables.create_statements(alone, connection.dialect)))
    column = tables.day_column(table)
    if column == tables.DAY:
        _execute(connection, f"ALTER TABLE {where} ALTER {column} SET DEFAULT {_literal(day)}")
    _execute(
        connection,
        # With it ATTACH need not read the rows again.
        f"ALTER TABLE {where} ADD CONSTRAINT {_STAGED} CHECK ({column} >= {_literal(day)} "
        f"AND {column} < {_literal(day + dt.timedelta(days=1))})",
    )
    count = _copy(connection, table, where, frames, day)
    _index(connection, table, where)
    _attach(connection, table, staged, day)
    return count


def partition_name(table: sa.Table, day: dt.date) -> str:
    """Return the name of a day's partition."""
    return f"{table.name}_{day:%Y%m%d}"


def drop_day(connection: Connection, table: sa.Table, day: dt.date) -> None:
    """Drop a day's partition, if there is one."""
    _execute(connection, f"DROP TABLE IF EXISTS {_full(table, partition_name(table, day))}")


def _copy(
    connection: Connection,
    table: sa.Table,
    into: str,
    frames: Iterable[pl.DataFrame],
    day: dt.date | None,
) -> int:
    names = [column.name for column in table.columns if day is None or column.name != tables.DAY]
    columns = ", ".join(_quoted(name) for name in names)
    options = "FORMAT csv" if day is None else "FORMAT csv, FREEZE"
    cursor: Any = connection.connection.cursor()
    with Encoded(frames, names) as stream:
        try:
            cursor.copy_expert(
                f"COPY {into} ({columns}) FROM STDIN WITH ({options})", stream, _READ_BYTES
            )
        except Exception as error:
            # The driver hides what went wrong while it was reading from us.
            if stream.failed is not None:
                raise stream.failed from error
            if _IN_READ in str(error):  # where nothing goes wrong by itself: it was Ctrl-C
                raise KeyboardInterrupt from error
            if cursor.connection.closed:
                connection.invalidate(error)  # or leaving the transaction would fail in its turn
                raise OperationalError("COPY", None, error, connection_invalidated=True) from error
            raise
        return stream.rows


def _index(connection: Connection, table: sa.Table, where: str) -> None:
    _execute(connection, f"SET LOCAL maintenance_work_mem = '{_INDEX_MEMORY}'")
    ours = tables.for_dialect(table, "postgresql")
    key = ", ".join(_quoted(column.name) for column in ours.primary_key.columns)
    if key:
        _execute(connection, f"ALTER TABLE {where} ADD PRIMARY KEY ({key})")
    for index in tables.indexes_for(table, "postgresql"):
        using = index.dialect_options["postgresql"]["using"] or "btree"
        columns = ", ".join(_quoted(column.name) for column in index.columns)
        # Without a name: the database finds one that is free, as the old day has its own still.
        _execute(connection, f"CREATE INDEX ON {where} USING {using} ({columns})")


def _attach(connection: Connection, table: sa.Table, staged: str, day: dt.date) -> None:
    """Put the staged table in the place of the day's partition."""
    name = partition_name(table, day)
    drop_day(connection, table, day)
    where = _full(table, staged)
    _execute(connection, f"ALTER TABLE {where} RENAME TO {_quoted(name)}")
    where = _full(table, name)
    _execute(
        connection,
        f"ALTER TABLE {_full(table)} ATTACH PARTITION {where} FOR VALUES FROM ({_literal(day)}) "
        f"TO ({_literal(day + dt.timedelta(days=1))})",
    )
    _execute(connection, f"ALTER TABLE {where} DROP CONSTRAINT {_STAGED}")
    if tables.day_column(table) == tables.DAY:
        _execute(connection, f"ALTER TABLE {where} ALTER {tables.DAY} DROP DEFAULT")


class Encoded:
    """Rows as a file of CSV, encoded ahead in a thread while the server takes what came before.

    Attributes:
        rows: Rows read so far.
        failed: What went wrong while rows were made or encoded.
    """

    def __init__(self, frames: Iterable[pl.DataFrame], names: list[str]) -> None:
        self.rows = 0
        self.failed: BaseException | None = None
        self._frames, self._names = frames, names
        self._ready: queue.Queue[tuple[bytes, int] | None] = queue.Queue(_CHUNKS_AHEAD)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._encode, name="telco-copy", daemon=True)

    def __enter__(self) -> "Encoded":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        while self._thread.is_alive():  # it may be waiting to hand something over
            try:
                self._ready.get(timeout=0.02)
            except queue.Empty:
                continue
        self._thread.join()

    def read(self, _size: int = -1) -> bytes:
        """Return the next chunk, of whatever size; nothing at the end."""
        found = self._ready.get()
        if found is None:
            if self.failed is not None:
                raise self.failed
            return b""
        self.rows += found[1]
        return found[0]

    def _encode(self) -> None:
        try:
            for data, count in encode(self._frames, self._names):
                if self._over.is_set():
                    return
                self._ready.put((data, count))
        except BaseException as error:
            self.failed = error
        self._ready.put(None)


def encode(frames: Iterable[pl.DataFrame], names: list[str]) -> Iterator[tuple[bytes, int]]:
    """Yield rows as CSV as COPY reads it, with how many rows each piece has.

    A null is nothing, an empty text is two quotation marks.
    """
    for frame in frames:
        for part in frame.select(names).iter_slices(_CHUNK_ROWS):
            times = pl.col(pl.Datetime("us", "UTC")).dt.replace_time_zone(None)
            buffer = io.BytesIO()
            part.with_columns(times).write_csv(buffer, include_header=False, datetime_format=_TIMES)
            yield buffer.getvalue(), part.height


def _execute(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _literal(day: dt.date) -> str:
    return f"'{day.isoformat()}'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _full(table: sa.Table, name: str | None = None) -> str:
    bare = _quoted(name or table.name)
    return f"{_quoted(table.schema)}.{bare}" if table.schema else bare
