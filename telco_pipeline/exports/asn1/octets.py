"""Octet strings of charging records: digits, addresses, networks, times, places; both ways.

Belongs here: how TS 29.002, 24.008, 23.040, 29.274 and 32.298 pack such values. Does not belong
here: which field holds which value (`circuit`, `packet`, `ims`).
"""

import datetime as dt
from functools import lru_cache
from typing import Final

INTERNATIONAL: Final = 0x91
"""No extension, international number, E.164 (TS 29.002 AddressString, TS 24.008 octet 3)."""
UNKNOWN: Final = 0x81
"""No extension, kind of number unknown, E.164: service numbers as dialled."""
NODE: Final = 0xB9
"""No extension, network specific, private plan: an element by its IP address in twelve digits."""

_TAI: Final = 0x08
_ECGI: Final = 0x10
_CGI: Final = 0x01
_CACHED: Final = 1 << 17


def tbcd(digits: str) -> bytes:
    """Return digits as TBCD-STRING: two to an octet, the first one low, filled with F."""
    filled = digits + "F" * (len(digits) % 2)
    return bytes.fromhex("".join(filled[at + 1] + filled[at] for at in range(0, len(filled), 2)))


def digits_of(octets: bytes) -> str:
    """Return the digits of a TBCD-STRING."""
    swapped = "".join(f"{octet & 15:x}{octet >> 4:x}" for octet in octets)
    return swapped.rstrip("f")


@lru_cache(maxsize=_CACHED)
def identity(digits: str) -> bytes:
    """Return an IMSI or IMEI; of an IMEI the standard's own 8 octets, the last half filled."""
    return tbcd(digits)


@lru_cache(maxsize=_CACHED)
def address(number: str) -> bytes:
    """Return a number as AddressString or BCDDirectoryNumber: its kind and plan, then digits."""
    if number.startswith("+"):
        return bytes((INTERNATIONAL,)) + tbcd(number[1:])
    return bytes((UNKNOWN,)) + tbcd(number)


def number_of(octets: bytes) -> str:
    """Return the number of an `address`, or of a `node_address` its IP address."""
    digits = digits_of(octets[1:])
    if octets[0] == NODE:
        return ".".join(str(int(digits[at : at + 3])) for at in range(0, 12, 3))
    return f"+{digits}" if octets[0] == INTERNATIONAL else digits


@lru_cache(maxsize=_CACHED)
def short_message_address(number: str) -> bytes:
    """Return a number as an address field of TS 23.040: count of digits, kind and plan, digits."""
    packed = address(number)
    return bytes((len(number.removeprefix("+")),)) + packed


def node_address(ip: str) -> bytes:
    """Return an element as AddressString."""
    return bytes((NODE,)) + tbcd("".join(f"{int(part):03d}" for part in ip.split(".")))


def ip_octets(ip: str) -> bytes:
    """Return an IPv4 address as four octets."""
    return bytes(int(part) for part in ip.split("."))


def plmn(text: str) -> bytes:
    """Return a network (MCC and MNC, 5 or 6 digits) as the three octets of TS 24.008."""
    third = text[5] if len(text) == 6 else "F"
    return bytes.fromhex(text[1] + text[0] + third + text[2] + text[4] + text[3])


def plmn_of(octets: bytes) -> str:
    """Return the digits of a network."""
    one, two, three = octets.hex()[:2], octets.hex()[2:4], octets.hex()[4:]
    return (one[1] + one[0] + two[1] + three[1] + three[0] + two[0]).rstrip("f")


def timestamp(local: str) -> bytes:
    """Return a TimeStamp from local time as `YYMMDDhhmmss+hhmm`: BCD, but the sign in ASCII."""
    return bytes.fromhex(local[:12]) + local[12].encode() + bytes.fromhex(local[13:])


def time_of(octets: bytes) -> dt.datetime:
    """Return the time of a TimeStamp, in UTC, with whole seconds."""
    text = octets[:6].hex() + chr(octets[6]) + octets[7:].hex()
    return dt.datetime.strptime(text, "%y%m%d%H%M%S%z").astimezone(dt.UTC)


def location_information(network: str, rat: str, tac: int, cell: int) -> bytes:
    """Return user location information (TS 29.274): CGI of 2G and 3G, else TAI and ECGI."""
    place = plmn(network)
    if rat in ("GERAN", "UTRAN"):
        return bytes((_CGI,)) + place + (tac & 0xFFFF).to_bytes(2) + (cell & 0xFFFF).to_bytes(2)
    area = place + (tac & 0xFFFF).to_bytes(2)
    return bytes((_TAI | _ECGI,)) + area + place + (cell & 0xFFFFFFF).to_bytes(4)
