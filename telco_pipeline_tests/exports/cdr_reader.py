"""A reader of collected files that shares no code with what writes them.

Files of TS 32.297 are taken apart bit by bit, records into BER's tags, lengths and values.
"""

import csv
import datetime as dt
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Lines:
    """A CSV file: its header and trailer (None: there is none), its records, what is left over."""

    header: list[str] | None
    records: list[list[str]]
    trailer: list[str] | None
    rest: bytes


def read_lines(octets: bytes) -> Lines:
    """Read a CSV file; a last line without its end is what is left over."""
    whole, _, rest = octets.rpartition(b"\n")
    rows = list(csv.reader(whole.decode().splitlines()))
    header = rows.pop(0) if rows and rows[0][0] == "HDR" else None
    trailer = rows.pop() if rows and rows[-1][0] == "TRL" else None
    assert all(row[0] == "CDR" for row in rows)
    return Lines(header, [row[1:] for row in rows], trailer, rest)


@dataclass(frozen=True)
class CdrFile:
    """A file of TS 32.297.

    Attributes:
        length, header_length, count, sequence, reason, lost: As in its header.
        releases: High and low release.
        versions: High and low version.
        opened, appended: Month, day, hour, minute and distance from UTC in minutes.
        address: The last four octets of the node's address.
        records: Number of the specification and octets of each whole record.
        rest: Octets after the last whole record.
    """

    length: int
    header_length: int
    releases: tuple[int, int]
    versions: tuple[int, int]
    opened: tuple[int, int, int, int, int]
    appended: tuple[int, int, int, int, int]
    count: int
    sequence: int
    reason: int
    address: str
    lost: int
    records: list[tuple[int, bytes]]
    rest: bytes


def read_cdr_file(octets: bytes) -> CdrFile:
    """Read a file of TS 32.297, as its clause 6.1 describes it."""

    def number(first: int, last: int) -> int:
        """Return the number in octets counted from 1."""
        return int.from_bytes(octets[first - 1 : last], "big")

    filters = number(49, 50)
    assert filters == 0
    assert number(51, 52) == 0
    high, low = number(9, 9), number(10, 10)
    assert (high >> 5, low >> 5) == (7, 7)  # beyond Release 9: the extensions tell
    assert octets[27:31] == b"\xff" * 4
    assert octets[31:43] == bytes(10) + b"\xff\xff"
    place, records = number(5, 8), []
    while len(octets) - place >= 5:
        size = int.from_bytes(octets[place : place + 2], "big")
        if len(octets) - place - 5 < size:
            break
        assert octets[place + 2] >> 5 == 7
        assert octets[place + 3] >> 5 == 1  # BER
        assert octets[place + 4] == 7  # Release 17
        records.append((octets[place + 3] & 31, octets[place + 5 : place + 5 + size]))
        place += 5 + size
    return CdrFile(
        length=number(1, 4),
        header_length=number(5, 8),
        releases=(number(53, 53) + 10, number(54, 54) + 10),
        versions=(high & 31, low & 31),
        opened=_time(number(11, 14)),
        appended=_time(number(15, 18)),
        count=number(19, 22),
        sequence=number(23, 26),
        reason=number(27, 27),
        address=".".join(str(octet) for octet in octets[43:47]),
        lost=number(48, 48),
        records=records,
        rest=octets[place:],
    )


def _time(packed: int) -> tuple[int, int, int, int, int]:
    bits = f"{packed:032b}"
    month, day, hour, minute = (int(bits[a:b], 2) for a, b in ((0, 4), (4, 9), (9, 14), (14, 20)))
    offset = int(bits[21:26], 2) * 60 + int(bits[26:32], 2)
    return month, day, hour, minute, offset if bits[20] == "1" else -offset


@dataclass(frozen=True)
class Value:
    """A tag, and the value: octets, or other values if it is constructed."""

    tag: int
    of_context: bool
    octets: bytes
    inner: list["Value"]

    def find(self, *tags: int) -> "Value | None":
        """Return the value under tags of the context, one below the other."""
        if not tags:
            return self
        for each in self.inner:
            if each.tag == tags[0] and each.of_context:
                return each.find(*tags[1:])
        return None


def read_values(octets: bytes) -> list[Value]:
    """Take BER of definite lengths apart (X.690)."""
    found, place = [], 0
    while place < len(octets):
        first = octets[place]
        place += 1
        tag = first & 31
        if tag == 31:
            tag = 0
            while True:
                tag = tag << 7 | octets[place] & 127
                place += 1
                if not octets[place - 1] & 128:
                    break
        length = octets[place]
        place += 1
        if length & 128:
            width = length & 127
            length = int.from_bytes(octets[place : place + width], "big")
            place += width
        content = octets[place : place + length]
        assert len(content) == length
        place += length
        inner = read_values(content) if first & 32 else []
        found.append(Value(tag, first >> 6 == 2, content, inner))
    return found


def digits(octets: bytes) -> str:
    """Return digits in swapped halves, without the filler."""
    return "".join(f"{octet:02x}"[::-1] for octet in octets).rstrip("f")


def bcd_time(octets: bytes) -> dt.datetime:
    """Return the time of a TimeStamp of TS 32.298."""
    year, month, day, hour, minute, second = (int(f"{octet:02x}") for octet in octets[:6])
    offset = dt.timedelta(hours=int(f"{octets[7]:02x}"), minutes=int(f"{octets[8]:02x}"))
    zone = dt.timezone(offset if octets[6:7] == b"+" else -offset)
    return dt.datetime(2000 + year, month, day, hour, minute, second, tzinfo=zone)


def files_in(place: Path) -> list[Path]:
    """Return all files below a directory, in the order of their arrival."""
    found = (path for path in place.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.name))
