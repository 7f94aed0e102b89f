"""CDR files of TS 32.297: the header of the file, and one before each record.

Belongs here: lengths, releases, times, counts. Does not belong here: records (`exports.asn1`).

    octets  field of the file's header
    1-4     file length, header included
    5-8     header length: 54
    9       high release (3 bits, 7: see the extension) and version identifier (5 bits)
    10      low release and version identifier
    11-14   file opening time: month 4, day 5, hour 5, minute 6 bits, sign 1, hours 5, minutes 6
    15-18   time when the last record was appended, likewise
    19-22   number of records
    23-26   file sequence number
    27      reason of closing: 2, the file had been open as long as it may
    28-47   address of the node: FF FF FF FF, then IPv6 (an IPv4 address as ::ffff:a.b.c.d)
    48      lost records: 0, none that the node knows of
    49-50   length of the routeing filter: 0
    51-52   length of the private extension: 0
    53      high release identifier extension: 7, Release 17
    54      low release identifier extension

    octets  field of a record's header
    1-2     length of the record, header excluded
    3       release (7) and version identifier
    4       format (3 bits, 1: BER) and number of the specification (5 bits)
    5       release identifier extension: 7
"""

import datetime as dt
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telco_pipeline.exports.asn1.octets import ip_octets

RELEASE: Final = 17
VERSION: Final = 9
"""TS 32.298 V17.9.0."""
HEADER_LENGTH: Final = 54
RECORD_HEADER_LENGTH: Final = 5
OPEN_TIME_LIMIT: Final = 2

_BEYOND_9: Final = 7
_IDENTIFIER: Final = _BEYOND_9 << 5 | VERSION
_EXTENSION: Final = RELEASE - 10
_BER: Final = 1
_HEADER: Final = struct.Struct(">IIBBIIIIB20sBHHBB")
_RECORD: Final = struct.Struct(">HBBB")
_MAPPED: Final = b"\xff" * 4 + bytes(10) + b"\xff" * 2

SPECIFICATIONS: Final = {
    "moCallRecord": 6,  # TS 32.250
    "mtCallRecord": 6,
    "moSMSRecord": 6,
    "mtSMSRecord": 6,
    "sGWRecord": 7,  # TS 32.251
    "pGWRecord": 7,
    "sCSCFRecord": 9,  # TS 32.260
    "pCSCFRecord": 9,
    "mMO1SRecord": 10,  # TS 32.270
    "mMR1RtRecord": 10,
    "mMTelRecord": 14,  # TS 32.275
    "chargingFunctionRecord": 20,  # TS 32.255
}
"""TS number of each record type (TS 32.297, table of the CDR header)."""


@dataclass(frozen=True)
class Header:
    """What the header of a file tells.

    Attributes:
        opened: When the file was opened, in the element's local time.
        appended: When the last record was appended.
        sequence: Running number of the file.
        address: IP address of the element.
    """

    opened: dt.datetime
    appended: dt.datetime
    sequence: int
    address: str


def framed(record_type: str, octets: bytes) -> bytes:
    """Return a record with its header."""
    kind = _BER << 5 | SPECIFICATIONS[record_type]
    return _RECORD.pack(len(octets), _IDENTIFIER, kind, _EXTENSION) + octets


def head_of(header: Header, records: Sequence[bytes]) -> bytes:
    """Return the header of a file of framed records."""
    length = HEADER_LENGTH + sum(map(len, records))
    return _HEADER.pack(
        *(length, HEADER_LENGTH, _IDENTIFIER, _IDENTIFIER),
        *(_time(header.opened), _time(header.appended), len(records), header.sequence),
        *(OPEN_TIME_LIMIT, _MAPPED + ip_octets(header.address), 0, 0, 0, _EXTENSION, _EXTENSION),
    )


def _time(local: dt.datetime) -> int:
    """Return a local time and its distance from UTC in 32 bits."""
    offset = local.utcoffset() or dt.timedelta()
    hours, minutes = divmod(abs(offset) // dt.timedelta(minutes=1), 60)
    ahead = offset >= dt.timedelta()
    packed = local.month << 28 | local.day << 23 | local.hour << 18 | local.minute << 12
    return packed | ahead << 11 | hours << 6 | minutes
