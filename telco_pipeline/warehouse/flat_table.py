"""The flat Belgian CDR table as a table of a database: comments, key, indexes, the ledger's line.

Belongs here: what the database is told of the 23 columns of `flat`. Does not belong here: where
their values come from (`flat`), loading (`loading`).

The table has these columns and no other. The day of a row is that of its `start_time`, by which
PostgreSQL partitions it.
"""

import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from telco_pipeline.lake import Lake
from telco_pipeline.settings import WorldConfig
from telco_pipeline.warehouse import flat, ledger, tables

VERSION: Final = 1
"""Version of the table: of what a row says."""

COMMENTS: Final = {
    "id": "Key (event_id) of the record that the row is of: the caller's, else the callee's.",
    "caller": "Calling number; of data the number of the SIM.",
    "callee": "Called number; null for data.",
    "start_time": "When the channel was seized, the message sent, the record opened (UTC).",
    "duration": "Seconds from answer to release, or of the data record; 0 for messages.",
    "type": "VOICE, SMS (multimedia messages too) or DATA.",
    "status": "SUCCESS; MISSED: a call that nobody took; FAILED: what the network did not carry.",
    "imei_caller": "Equipment of the caller; null in other networks.",
    "imei_receiver": "Equipment of the callee; null likewise, and where it left no record.",
    "operator_code_emission": "MCC and MNC of the caller's operator; null for fixed lines.",
    "antenna_id_emission": "Antenna (site) of the caller; null in other networks and abroad.",
    "antenna_type_emission": "MACRO, MICRO or PICO.",
    "antenna_lat_emission": "Its latitude, WGS 84.",
    "antenna_lon_emission": "Its longitude, WGS 84.",
    "antenna_altitude_emission": "Its height above ground in metres.",
    "antenna_id_reception": "Antenna (site) of the callee; null in other networks and abroad.",
    "antenna_type_reception": "MACRO, MICRO or PICO.",
    "antenna_lat_reception": "Its latitude, WGS 84.",
    "antenna_lon_reception": "Its longitude, WGS 84.",
    "antenna_altitude_reception": "Its height above ground in metres.",
    "operator_code_reception": "MCC and MNC of the callee's operator; null as for the caller.",
    "caller_lat_home": "Latitude of the antenna of the caller's home; null where he is not ours.",
    "caller_lon_home": "Its longitude.",
}
"""What each column is."""

INDEXES: Final = (
    ("caller", "start_time"),
    ("callee", "start_time"),
    ("antenna_id_emission", "start_time"),
)
"""Indexes for the common queries."""

_ALWAYS: Final = ("id", "caller", "start_time", "duration", "type", "status")


def flat_table(name: str, metadata: sa.MetaData) -> sa.Table:
    """Return the table, made in `metadata` at the first call.

    Args:
        name: Its name.
        metadata: Where it belongs; names the schema.
    """
    # All texts are short: as a key SQL Server takes them with a length.
    columns: list[sa.Column[Any]] = [
        sa.Column(
            column,
            tables.sql_type(dtype, key=True),
            nullable=column not in _ALWAYS,
            comment=COMMENTS[column],
        )
        for column, dtype in flat.SCHEMA.items()
    ]
    return tables.make_table(
        name,
        columns,
        metadata,
        daily=True,
        day_of="start_time",
        key=("id",),
        indexes=INDEXES,
        time="start_time",
        comment="Calls, messages and data records of the operator: one row each.",
    )


def record_of(
    lake: Lake,
    config: WorldConfig,
    name: str,
    day: dt.date,
    types: Sequence[str],
    rows: int | None,
) -> ledger.Record:
    """Return what the ledger shall say of a day of the table.

    Args:
        lake: Where the day's records lie.
        config: Their world.
        name: Name of the table.
        day: The day.
        types: Call types.
        rows: How many of its rows, the first by time; None for all.
    """
    parts = [f"{kind} {_content(lake, flat.DATASET_OF[kind], day)}" for kind in types]
    text = "\n".join([*parts, f"rows {rows}"])
    content = hashlib.sha256(text.encode()).hexdigest()
    return ledger.Record(name, day, content, VERSION, config.world_hash, config.seed)


def _content(lake: Lake, dataset: str, day: dt.date) -> str:
    made = lake.provenance(dataset, day)
    return made.content_hash if made else ""
