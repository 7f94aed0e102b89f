"""The ledger: what is loaded, of which world, written in the transaction that loads it.

Belongs here: the table `telco_loads`, its rows, whether another world lies there. Does not belong
here: the rows of datasets (`loading`).
"""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from telco_pipeline.errors import TelcoError
from telco_pipeline.warehouse import tables
from telco_pipeline.warehouse.database import Database
from telco_pipeline.warehouse.existing import has_table

NO_DAY: Final = dt.date.min
"""What stands for the day of a table without days."""


@dataclass(frozen=True)
class Record:
    """One day of a table as it is loaded.

    Attributes:
        dataset: Name of the table.
        day: The day; None for a table without days.
        content_hash: Hash of what the rows were made from; equal means nothing is to be done.
        contract_version: Version of the contract.
        world_hash: The world that the rows are of.
        seed: Its seed.
        rows: How many rows; known when they are loaded.
        loaded_at: When (UTC); known likewise.
    """

    dataset: str
    day: dt.date | None
    content_hash: str
    contract_version: int
    world_hash: str
    seed: int
    rows: int = 0
    loaded_at: dt.datetime | None = None

    def done(self, rows: int) -> "Record":
        """Return the record of rows that are just being loaded."""
        return replace(self, rows=rows, loaded_at=dt.datetime.now(dt.UTC).replace(microsecond=0))

    def same_content(self, other: "Record") -> bool:
        """Return whether both say that the same rows are there."""
        return (self.content_hash, self.contract_version, self.world_hash) == (
            other.content_hash,
            other.contract_version,
            other.world_hash,
        )


def table(database: Database) -> sa.Table:
    """Return the ledger's table."""
    return tables.ledger_table(database.metadata)


def write(connection: Connection, database: Database, record: Record) -> None:
    """Write what is loaded, in the place of what was there for the day."""
    remove(connection, database, record.dataset, record.day)
    assert record.loaded_at is not None
    values = {
        "dataset": record.dataset,
        tables.DAY: record.day or NO_DAY,
        "rows": record.rows,
        "content_hash": record.content_hash,
        "contract_version": record.contract_version,
        "world_hash": record.world_hash,
        "seed": record.seed,
        "loaded_at": record.loaded_at.replace(tzinfo=None),
    }
    connection.execute(sa.insert(table(database)).values(**values))


def remove(connection: Connection, database: Database, dataset: str, day: dt.date | None) -> None:
    """Remove what the ledger says of a day."""
    ours = table(database)
    connection.execute(
        sa.delete(ours).where(ours.c.dataset == dataset, ours.c.day == (day or NO_DAY))
    )


def read(connection: Connection, database: Database, dataset: str | None = None) -> list[Record]:
    """Return what is loaded, by table and day; nothing if there is no ledger yet."""
    if not has_table(connection, database, tables.LEDGER):
        return []
    ours = table(database)
    query = sa.select(ours).order_by(ours.c.dataset, ours.c.day)
    if dataset is not None:
        query = query.where(ours.c.dataset == dataset)
    return [_record(row) for row in connection.execute(query)]


def loaded(database: Database, dataset: str | None = None) -> list[Record]:
    """Return what is loaded into a database, of one table or of all.

    Raises:
        TelcoError: The database cannot be reached, or refuses.
    """
    if not database.exists():
        return []
    with database.reading("reading what is loaded") as connection:
        return read(connection, database, dataset)


def of_day(connection: Connection, database: Database, record: Record) -> Record | None:
    """Return what is loaded of the table and day of a record.

    Raises:
        TelcoError: The database holds rows of another world than the record's in tables that are
            of one world with it.
    """
    ours = table(database)
    together = ours.c.dataset.in_(sorted(tables.of_one_world(record.dataset)))
    other = sa.and_(ours.c.world_hash != record.world_hash, together)
    count = connection.execute(sa.select(sa.func.count()).where(other)).scalar_one()
    if count:
        found = connection.execute(sa.select(ours).where(other).limit(1)).one()
        raise TelcoError(
            f"{database.address} holds the world {found.world_hash} (seed {found.seed}) in "
            f"{count} loads, such as {found.dataset}; this is {record.world_hash} (seed "
            f"{record.seed}): name another database or schema, or remove the old world's rows with "
            f"{_command(record.dataset)} --replace"
        )
    day = ours.c.day == (record.day or NO_DAY)
    row = connection.execute(sa.select(ours).where(ours.c.dataset == record.dataset, day)).first()
    return None if row is None else _record(row)


def others(records: list[Record], world_hash: str, name: str | None = None) -> list[Record]:
    """Return those records that are of another world.

    Args:
        records: What is loaded.
        world_hash: The world.
        name: Of this table, and those that are of one world with it; None for the lake's tables.
    """
    names = tables.OF_THE_LAKE if name is None else tables.of_one_world(name)
    return [one for one in records if one.dataset in names and one.world_hash != world_hash]


def _command(name: str) -> str:
    """Return the command that loads a table."""
    return "telco warehouse load" if name in tables.OF_THE_LAKE else "telco flat"


def _record(row: sa.Row[Any]) -> Record:
    return Record(
        dataset=row.dataset,
        day=None if row.day == NO_DAY else row.day,
        content_hash=row.content_hash,
        contract_version=row.contract_version,
        world_hash=row.world_hash,
        seed=row.seed,
        rows=row.rows,
        loaded_at=row.loaded_at.replace(tzinfo=dt.UTC),
    )
