"""What a file holds: its records, encoded, in the order in which they were closed; CSV or BER.

Belongs here: bytes of whole files. Does not belong here: which records (`dealing`), where a file
arrives (`writing`).

A CSV file is a header line, a line for each record, a trailer line:

    HDR,1,<file name>,<element>,<dataset>,<contract's version>,<sequence number>,<opened>,<closed>
    CDR,<the columns of the dataset in the contract's order>
    TRL,<sequence number>,<number of records>,<checksum>,<first event time>,<last event time>

Times are RFC 3339 in UTC, null is nothing between the commas. A BER file is that of `framing`: its
header tells the numbers, there is no trailer.
"""

import datetime as dt
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.plain import TIME_FORMAT, as_texts
from telco_pipeline.exports.asn1 import circuit, codec, ims, packet
from telco_pipeline.exports.asn1.book import Book, Row, rows_of
from telco_pipeline.exports.collected import framing
from telco_pipeline.exports.collected.dealing import CLOSED

CSV: Final = "csv"
BER: Final = "ber"
CSV_VERSION: Final = 1

_MAKERS: Final[dict[str, Callable[[Row, Book], codec.Record]]] = {
    "cdrs_voice": circuit.voice,
    "cdrs_sms": circuit.message,
    "cdrs_data": packet.data,
    "cdrs_voip": ims.telephony,
    "cdrs_ims": ims.signalling,
}


@dataclass(frozen=True)
class Content:
    """A file in pieces, so that it can be cut in the middle of one.

    Attributes:
        head: What comes before the records.
        records: The records as they lie in the file.
        tail: What comes after them.
    """

    head: bytes
    records: Sequence[bytes]
    tail: bytes

    def whole(self) -> bytes:
        """Return the file as the element closed it."""
        return b"".join((self.head, *self.records, self.tail))

    def cut(self, bits: int) -> tuple[bytes, int]:
        """Return the file cut off in the middle of a record, and how many records come before it.

        Args:
            bits: 64 random bits, which choose record and place.
        """
        at = bits % len(self.records)
        record = self.records[at]
        # In its first half, so that fields are missing and not only the line's end.
        place = 1 + (bits >> 32) % max(1, len(record) // 2 - 1)
        return b"".join((self.head, *self.records[:at], record[:place])), at


def encoded(kind: str, dataset: str, records: pl.DataFrame, book: Book) -> list[bytes]:
    """Return each record as it lies in a file.

    Args:
        kind: `CSV` or `BER`.
        dataset: Whose records.
        records: The contract's columns, and `CLOSED`.
        book: Elements, cells, time zone.
    """
    if kind == CSV:
        return _lines(dataset, records)
    make = _MAKERS[dataset]
    found = []
    if dataset == "cdrs_data":
        records = records.with_columns(end=pl.col(CLOSED).cast(pl.Datetime("us", "UTC")))
    for row in rows_of(records, book.zone):
        record = make(row, book)
        found.append(framing.framed(record[0], codec.encode(record)))
    return found


def content(kind: str, row: Row, records: Sequence[bytes], appended: int, book: Book) -> Content:
    """Return a file.

    Args:
        kind: `CSV` or `BER`.
        row: Its row in `collected_files`.
        records: Its records, encoded.
        appended: When the last one was appended, microseconds since 1970.
        book: Elements and time zone.
    """
    if kind == CSV:
        return _csv(row, records)
    zone = ZoneInfo(book.zone)
    last = dt.datetime.fromtimestamp(appended / 1e6, dt.UTC)
    header = framing.Header(
        opened=row["event_time"].astimezone(zone),
        appended=last.astimezone(zone),
        sequence=row["sequence_number"],
        address=book.addresses[row["element_id"]],
    )
    return Content(framing.head_of(header, records), records, b"")


def _lines(dataset: str, records: pl.DataFrame) -> list[bytes]:
    columns = as_texts(DATASETS[dataset].polars_schema)
    buffer = io.BytesIO()
    records.select(pl.lit("CDR").alias("kind"), *columns).write_csv(buffer, include_header=False)
    return buffer.getvalue().splitlines(keepends=True)


def _csv(row: Row, records: Sequence[bytes]) -> Content:
    dataset = row["dataset"]
    head = (
        *("HDR", CSV_VERSION, row["file_name"], row["element_id"], dataset),
        *(DATASETS[dataset].version, row["sequence_number"]),
        *(_told(row["event_time"]), _told(row["closed"])),
    )
    tail = (
        *("TRL", row["sequence_number"], row["record_count"], row["checksum"]),
        *(_told(row["first_event_time"]), _told(row["last_event_time"])),
    )
    return Content(_line(head), records, _line(tail))


def _line(cells: Sequence[object]) -> bytes:
    return (",".join(map(str, cells)) + "\n").encode()


def _told(time: dt.datetime | None) -> str:
    return "" if time is None else time.strftime(TIME_FORMAT.replace("%.6f", ".%f"))
