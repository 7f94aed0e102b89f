"""What records are made of beside their row: where elements and cells are, and local time.

Belongs here: look-ups that all record types share. Does not belong here: fields (`circuit`,
`packet`, `ims`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import polars as pl

from telco_pipeline.exports.asn1 import octets
from telco_pipeline.lake import Lake

EVENT_ID: Final = "2.25.209785064471934513"
"""Identifier of the extension that holds a record's event_id: an arc that needs no registration."""

Fields = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A cell of ours: its network, access, tracking or location area, and number in the network."""

    network: str
    rat: str
    area: int
    number: int


@dataclass
class Book:
    """Elements and cells of a lake.

    Attributes:
        lake: The lake.
        zone: Time zone in which elements write times.
    """

    lake: Lake
    zone: str

    @cached_property
    def addresses(self) -> dict[str, str]:
        """The IP address of each element."""
        found = self.lake.read("network_elements", columns=["element_id", "address"])
        return dict(found.drop_nulls().iter_rows())

    @cached_property
    def cells(self) -> dict[str, Cell]:
        """Each cell by its id."""
        columns = ["cell_id", "rat_type", "tac", "eci"]
        found = self.lake.read("cells", columns=columns)
        return {
            name: Cell("".join(name.split("-")[:2]), rat, tac, eci)
            for name, rat, tac, eci in found.iter_rows()
        }

    def node(self, element: str) -> bytes:
        """Return an element as AddressString."""
        return octets.node_address(self.addresses[element])

    def ip(self, element: str) -> tuple[str, bytes]:
        """Return an element as IPAddress."""
        return "iPBinV4Address", octets.ip_octets(self.addresses[element])

    def location_information(self, cell_id: str | None) -> bytes | None:
        """Return user location information; None abroad, and in NR, which it cannot hold."""
        cell = None if cell_id is None else self.cells[cell_id]
        if cell is None or cell.rat == "NR":
            return None
        return octets.location_information(cell.network, cell.rat, cell.area, cell.number)


def rows_of(rows: pl.DataFrame, zone: str) -> Iterator[Row]:
    """Yield rows with times as `TimeStamp` takes them, and their milliseconds in `<name>_ms`."""
    times = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.Datetime)]
    told = rows.with_columns(
        *(pl.col(name).dt.millisecond().alias(f"{name}_ms") for name in times),
        *(
            pl.col(name).dt.convert_time_zone(zone).dt.to_string("%y%m%d%H%M%S%z").alias(name)
            for name in times
        ),
    )
    yield from told.iter_rows(named=True)


def extension(row: Row) -> list[Fields]:
    """Return the extension that names the row of a record."""
    return [{"identifier": EVENT_ID, "information": row["event_id"].to_bytes(8)}]


def given(fields: Fields) -> Fields:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def moment(row: Row, name: str) -> bytes | None:
    """Return a time of a row as TimeStamp, if it has one."""
    text = row[name]
    return None if text is None else octets.timestamp(text)
