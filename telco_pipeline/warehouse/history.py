"""History: the registry as a slowly changing dimension (type 2), and the feed of its changes.

Belongs here: the tables `subscribers_history` and `subscribers_changes`, and how days get there.
Does not belong here: what a version says (`versions`).

A day is one transaction with the versions that begin on it, the ends of those that they follow, its
lines of the feed and the ledger's: killed at any moment, both tables are as of an earlier day. The
ledger holds a chain of hashes over all that the days so far were made from, so a history is found
to be up to date, to be continued, or, if the lake was made anew, to be made again from the epoch.
Keys follow from day and order alone: made again they are the same.
"""

import datetime as dt
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from telco_pipeline import asof
from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import (
    batches,
    embedded,
    existing,
    ledger,
    loading,
    postgres,
    tables,
    versions,
)
from telco_pipeline.warehouse.database import Database

HISTORY: Final = tables.HISTORY
CHANGES: Final = tables.CHANGES
VERSION: Final = 1
"""Of both tables' layout; raised with it, they are made again."""

KEY: Final = "version_id"
SEQUENCE: Final = "sequence"
CURRENT: Final = "is_current"
_BLOCK: Final = 1 << 32
"""Keys of one day: more than changes of a day, and 2^31 days of them."""
_STAGED: Final = "subscribers_history_day"


@dataclass(frozen=True)
class Written:
    """What was written into the history.

    Attributes:
        until: The last day that both tables hold.
        days: Days that were written.
        versions: Versions that were written.
        changes: Lines of the feed that were written.
        rows: All versions that the history holds.
        again: Whether what was there was of another making, and gave way.
        seconds: How long it took.
    """

    until: dt.date
    days: int
    versions: int
    changes: int
    rows: int
    again: bool
    seconds: float


# --- tables ---------------------------------------------------------------------------------


def history_table(metadata: sa.MetaData, name: str = HISTORY) -> sa.Table:
    """Return the table of versions."""
    said = DATASETS[asof.REGISTRY].schema.columns()
    own = {
        KEY: (pl.Int64(), "Key of the version, in order of time."),
        versions.SUBSCRIBER: (pl.Int64(), "Key of the subscriber (one SIM)."),
        versions.FROM: (pl.Datetime("us"), "From when on it was so. UTC."),
        versions.TO: (pl.Datetime("us"), "Until when, exclusive; null if it still is. UTC."),
        CURRENT: (pl.Boolean(), "Whether it still is so."),
        "status": (pl.String(), "Status of the subscription."),
        "serving_plmn": (pl.String(), "Network that serves the number; null if none does."),
    }
    optional = {versions.TO, "serving_plmn"}
    columns = [
        sa.Column(column, tables.sql_type(kind), nullable=column in optional, comment=comment)
        for column, (kind, comment) in own.items()
    ]
    columns += [
        sa.Column(
            column,
            tables.sql_type(said[column].dtype),
            nullable=said[column].nullable,
            comment=said[column].description,
        )
        for column in versions.KEPT[1:]
    ]
    return tables.make_table(
        name,
        columns,
        metadata,
        daily=False,
        key=[KEY] if name == HISTORY else [],
        indexes=[[versions.SUBSCRIBER, versions.FROM]] if name == HISTORY else [],
        comment="The registry as it was when: a row for each state of each subscriber.",
    )


def changes_table(metadata: sa.MetaData) -> sa.Table:
    """Return the table of the feed."""
    own: dict[str, tuple[pl.DataType, str]] = {
        SEQUENCE: (pl.Int64(), "Place in the feed; the version_id that the change began."),
        versions.OP: (pl.String(), "insert, update or delete."),
        "changed_at": (pl.Datetime("us"), "When. UTC."),
        tables.DAY: (pl.Date(), "Day of the change (UTC)."),
        versions.SUBSCRIBER: (pl.Int64(), "Key of the subscriber (one SIM)."),
        versions.BEFORE: (pl.String(), "The row before, as JSON; null for an insert."),
        versions.AFTER: (pl.String(), "The row after, as JSON; null for a delete."),
    }
    optional = {versions.BEFORE, versions.AFTER}
    return tables.make_table(
        CHANGES,
        [
            sa.Column(column, tables.sql_type(kind), nullable=column in optional, comment=comment)
            for column, (kind, comment) in own.items()
        ],
        metadata,
        daily=False,
        key=[SEQUENCE],
        indexes=[[tables.DAY]],
        comment="What changed in the registry since the world began, in order.",
    )


# --- writing --------------------------------------------------------------------------------


def write(
    database: Database,
    lake: Lake,
    until: dt.date | None = None,
    *,
    again: bool = False,
    progress: Callable[[dt.date, int], None] | None = None,
) -> Written:
    """Bring the history and its feed up to a day.

    Args:
        database: Where to.
        lake: Where from; it must hold the registry, and state and changes of every day.
        until: Last day; None for the last one to which the lake has them without a gap.
        again: Whether to make again from the epoch what is there already.
        progress: Called with each day and its versions.

    Returns:
        What was written; nothing if the tables hold that day already, or a later one.

    Raises:
        TelcoError: The lake lacks a day, another world's rows or a table with other columns are
            there, or the database refuses; what was written before stays, as of an earlier day.
    """
    begun = time.monotonic()
    chain = _chain(lake, until)
    days = [link.day for link in chain]
    target = days.index(until) if until is not None else len(chain) - 1
    record = _record(lake)
    there = _there(database, record)
    hashes = [link.content_hash for link in chain]
    known = there is not None and not again and there.content_hash in hashes
    place = hashes.index(there.content_hash) if known and there is not None else -1
    rows = held = there.rows if known and there is not None else 0
    fed = 0
    for link in chain[place + 1 : target + 1]:
        now = replace(record, content_hash=link.content_hash)
        if link.day is None:
            rows = loading.retried(database, partial(_begin, database, lake, now))
            continue
        found = _numbered(lake, link.day)
        rows += found.height
        fed += found[versions.OP].count()
        loading.retried(database, partial(_append, database, found, link.day, now.done(rows)))
        if progress is not None:
            progress(link.day, found.height)
    last = chain[max(place, target)].day
    return Written(
        until=last or asof.epoch_of(lake),
        days=len([day for day in days[place + 1 : target + 1] if day is not None]),
        versions=rows - held,
        changes=fed,
        rows=rows,
        again=there is not None and place < 0,
        seconds=time.monotonic() - begun,
    )


def _begin(database: Database, lake: Lake, record: ledger.Record) -> int:
    """Put the versions of the world's beginning in the place of all that is there."""
    history, changes = history_table(database.metadata), changes_table(database.metadata)

    def frames() -> Iterable[pl.DataFrame]:
        first = 0
        for frame in versions.first_versions(lake):
            yield _keyed(frame, first)
            first += frame.height

    with database.writing(f"writing {HISTORY}") as connection:
        connection.execute(sa.delete(changes))
        rows = _fill(connection, history, frames())
        _note(connection, database, record.done(rows), 0)
    return rows


def _append(database: Database, found: pl.DataFrame, day: dt.date, record: ledger.Record) -> None:
    """Add a day's versions, end those that they follow, and add its lines to the feed."""
    history, changes = history_table(database.metadata), changes_table(database.metadata)
    staged = history_table(sa.MetaData(schema=database.schema), _STAGED)
    feed = found.filter(pl.col(versions.OP).is_not_null()).select(
        pl.col(KEY).alias(SEQUENCE),
        versions.OP,
        pl.col(versions.FROM).alias("changed_at"),
        pl.lit(day).alias(tables.DAY),
        versions.SUBSCRIBER,
        versions.BEFORE,
        versions.AFTER,
    )
    with database.writing(f"writing {HISTORY} {day}") as connection:
        staged.create(connection)
        _fill(connection, staged, [found])
        who, new = staged.c[versions.SUBSCRIBER], history.c[versions.SUBSCRIBER]
        first = sa.select(sa.func.min(staged.c[versions.FROM])).where(who == new).scalar_subquery()
        connection.execute(
            sa.update(history)
            .where(history.c[CURRENT] == sa.true(), new.in_(sa.select(who)))
            .values({versions.TO: first, CURRENT: sa.false()})
        )
        names = [column.name for column in history.columns]
        connection.execute(
            sa.insert(history).from_select(names, sa.select(*(staged.c[name] for name in names)))
        )
        staged.drop(connection)
        for rows in feed.iter_slices(batches.DEFAULT_BATCH):
            plain = rows.with_columns(pl.col("changed_at").dt.replace_time_zone(None))
            connection.execute(sa.insert(changes), plain.to_dicts())
        total = connection.execute(sa.select(sa.func.count()).select_from(changes)).scalar_one()
        _note(connection, database, record, total)


def _fill(connection: Connection, table: sa.Table, frames: Iterable[pl.DataFrame]) -> int:
    """Put rows in the place of all of a table in the way that suits the database best."""
    kind = connection.dialect.name
    if kind == "duckdb":
        return embedded.replace_rows(connection, table, None, frames)
    if kind == "postgresql":
        return postgres.replace_rows(connection, table, None, frames)
    return batches.replace_rows(connection, table, None, frames)


def _note(connection: Connection, database: Database, record: ledger.Record, fed: int) -> None:
    """Write what both tables hold into the ledger."""
    ledger.write(connection, database, record)
    ledger.write(connection, database, replace(record, dataset=CHANGES, rows=fed))


def _numbered(lake: Lake, day: dt.date) -> pl.DataFrame:
    """Return the versions that begin on a day, with their keys."""
    block = (day - asof.epoch_of(lake)).days + 1
    return _keyed(versions.versions_of_day(lake, day), block * _BLOCK)


def _keyed(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    return frame.with_columns(
        pl.int_range(first, first + pl.len(), dtype=pl.Int64).alias(KEY),
        pl.col(versions.TO).is_null().alias(CURRENT),
    )


# --- how far it is --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Link:
    """One step of making a history.

    Attributes:
        day: The day; None for the world's beginning.
        content_hash: Hash over all that it is made from up to here.
    """

    day: dt.date | None
    content_hash: str


def _chain(lake: Lake, until: dt.date | None) -> list[_Link]:
    """Return the steps to the last day that the lake has without a gap.

    Raises:
        TelcoError: The lake lacks the registry or a day up to `until`.
    """
    epoch = asof.epoch_of(lake)
    if until is not None and until < epoch:
        raise TelcoError(f"{until} lies before the epoch {epoch}: there was no registry yet")
    chain = [
        _Link(None, _linked("", [_hash(lake, asof.REGISTRY), _hash(lake, versions.PROSPECTS)]))
    ]
    there = set(lake.days(asof.CHANGES)) & set(lake.days(versions.STATE))
    day = epoch
    while day in there or (until is not None and day <= until):
        told = [_hash(lake, name, day, until) for name in (asof.CHANGES, versions.STATE)]
        chain.append(_Link(day, _linked(chain[-1].content_hash, told)))
        day += dt.timedelta(days=1)
    if len(chain) == 1:  # says which of them is missing
        for name in (asof.CHANGES, versions.STATE):
            _hash(lake, name, epoch)
    return chain


def _hash(
    lake: Lake, dataset: str, day: dt.date | None = None, until: dt.date | None = None
) -> str:
    """Return the content hash of a partition; TelcoError if the lake has none."""
    made = lake.provenance(dataset, day)
    if made is None:
        raise TelcoError(
            f"{lake.root} has no {dataset}{f' of {day}' if day else ''}, and the history of the "
            "registry follows from every day since the epoch: make it with "
            f"`{lake.command(dataset, day, until or day)}`"
        )
    return made.content_hash


def _linked(before: str, told: list[str]) -> str:
    return hashlib.blake2b("\n".join([before, *told]).encode(), digest_size=16).hexdigest()


def _record(lake: Lake) -> ledger.Record:
    """Return what the ledger shall say of the history, but for hash and rows."""
    world = lake.held_world()
    if world is None:
        raise TelcoError(f"{lake.root} does not say which world it holds: make one there first")
    return ledger.Record(HISTORY, None, "", VERSION, world.world_hash, world.seed)


def _there(database: Database, record: ledger.Record) -> ledger.Record | None:
    """Return what the ledger says of the history, after seeing to it that the tables are there."""
    history, changes = history_table(database.metadata), changes_table(database.metadata)

    def once() -> ledger.Record | None:
        existing.ensure(database, ledger.table(database), history, changes)
        with database.reading("reading what is loaded") as connection:
            return ledger.of_day(connection, database, record)

    there = loading.retried(database, once)
    return there if there is not None and there.contract_version == VERSION else None


# --- whether it holds together --------------------------------------------------------------


def audit(database: Database) -> dict[str, int]:
    """Return how often what is wrong with the tables that are there; 0 for what is right.

    Raises:
        TelcoError: Nothing was written yet, or the database refuses.
    """
    loaded = {record.dataset: record.rows for record in ledger.loaded(database)}
    if HISTORY not in loaded:
        raise TelcoError(
            f"{database.address} holds no history of the registry yet: write one with "
            "`telco warehouse history`"
        )
    one, feed = history_table(database.metadata), changes_table(database.metadata)
    later = one.alias("later")
    who, count = one.c[versions.SUBSCRIBER], sa.func.count()
    current = sa.select(who).where(one.c[CURRENT] == sa.true())
    twice = current.group_by(who).having(count > 1).subquery()
    gone = sa.select(who).except_(current).subquery()
    followed = sa.and_(
        later.c[versions.SUBSCRIBER] == who, later.c[versions.FROM] == one.c[versions.TO]
    )
    loose = sa.and_(one.c[CURRENT] == sa.false(), ~sa.exists().where(followed))
    ended = sa.and_(one.c[CURRENT] == sa.true(), one.c[versions.TO].is_not(None))
    orphans = ~sa.exists().where(one.c[KEY] == feed.c[SEQUENCE])
    queries = {
        "subscribers_with_two_current_states": sa.select(count).select_from(twice),
        "subscribers_without_a_current_state": sa.select(count).select_from(gone),
        "states_that_end_where_none_begins": sa.select(count).select_from(one).where(loose),
        "current_states_that_have_ended": sa.select(count).select_from(one).where(ended),
        "changes_without_a_state": sa.select(count).select_from(feed).where(orphans),
    }
    with database.reading(f"counting the rows of {HISTORY}") as connection:
        found = {what: int(connection.execute(each).scalar_one()) for what, each in queries.items()}
        for table in (one, feed):
            there = int(connection.execute(sa.select(count).select_from(table)).scalar_one())
            found[f"rows_too_many_or_too_few_in_{table.name}"] = abs(there - loaded[table.name])
    return found
