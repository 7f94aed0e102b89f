"""BER: values of `telco_cdr.asn` to octets and back.

Belongs here: the compiled module. Does not belong here: what a value is made of (`circuit`,
`packet`, `ims`).

asn1tools encodes some 10,000 records a second of processor time (measured; docs/exports.md).
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

from telco_pipeline.errors import TelcoError

MODULE: Final = Path(__file__).with_name("telco_cdr.asn")
RECORD: Final = "CallRecord"
"""The type of a record: a choice of all record types."""

Record = tuple[str, dict[str, Any]]
"""A value of `CallRecord`: the standard's name of the record type, and the fields."""


def encode(record: Record) -> bytes:
    """Return a record as BER.

    Raises:
        TelcoError: asn1tools is not installed.
    """
    return compiled().encode(RECORD, record)


def decode(octets: bytes) -> Record:
    """Return the record that octets hold.

    Raises:
        TelcoError: They hold none, or asn1tools is not installed.
    """
    specification = compiled()
    try:
        return specification.decode(RECORD, octets)
    # asn1tools meets damaged octets with errors of many kinds.
    except Exception as error:
        raise TelcoError(f"no record of {RECORD} in BER ({type(error).__name__})") from error


@cache
def compiled() -> Any:
    """Return the compiled module.

    Raises:
        TelcoError: asn1tools is not installed.
    """
    try:
        import asn1tools
    except ImportError:
        raise TelcoError(
            "--format ber needs the package asn1tools, which is not installed: pip install "
            "'telco-pipeline[exports]', or in a checkout: pip install -e '.[exports]'"
        ) from None
    return asn1tools.compile_files(str(MODULE), "ber")
