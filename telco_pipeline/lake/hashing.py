"""Hashes of rows that depend on nothing but their values and their order.

Belongs here: canonical bytes of a column. Does not belong here: hashes of files (`files`).

A Parquet file's bytes change with the version of Polars and with the compression; golden tests
need a hash that does not.
"""

import hashlib
from typing import Final

import numpy as np
import polars as pl

_INTEGERS: Final = {
    pl.Int8: "i1", pl.Int16: "i2", pl.Int32: "i4", pl.Int64: "i8",
    pl.UInt8: "u1", pl.UInt16: "u2", pl.UInt32: "u4", pl.UInt64: "u8",
}  # fmt: skip


def content_hash(frame: pl.DataFrame) -> str:
    """Return a hash of a frame's column names, types and values in the order of its rows."""
    total = hashlib.sha256()
    for name, digest in column_hashes(frame).items():
        encoded = name.encode()
        total.update(len(encoded).to_bytes(4, "little") + encoded + bytes.fromhex(digest))
    return total.hexdigest()


def column_hashes(frame: pl.DataFrame) -> dict[str, str]:
    """Return a hash of each column's type and values in order, by name.

    The bytes: the kind and the number of rows; one bit per row that says whether it has a value;
    the values with 0 where there is none. Numbers are little-endian at their own width, times are
    microseconds in 64 bits, dates are days in 32 bits since 1970-01-01, floats are 64 bits with
    one NaN and one zero, text (and codes of a closed list) is UTF-8 behind its lengths in 32 bits.

    Raises:
        TypeError: A column of a type that no contract uses.
    """
    return {column.name: _column_hash(column) for column in frame.iter_columns()}


def _column_hash(column: pl.Series) -> str:
    kind, values = _canonical(column)
    valid = np.packbits(column.is_not_null().to_numpy(), bitorder="little")
    total = hashlib.sha256(f"{kind}:{len(column)}:".encode())
    total.update(valid.tobytes())
    for part in values:
        total.update(part)
    return total.hexdigest()


def _canonical(column: pl.Series) -> tuple[str, list[bytes | memoryview]]:
    dtype = column.dtype
    if isinstance(dtype, pl.String | pl.Enum | pl.Categorical):
        return "text", _text(column.cast(pl.String))
    if isinstance(dtype, pl.Boolean):
        return "bool", [_array(column.cast(pl.UInt8), "u1")]
    if isinstance(dtype, pl.Datetime):
        # The time zone is a matter of display: the instant is the same.
        return "time", [_array(column.dt.cast_time_unit("us").to_physical(), "i8")]
    if isinstance(dtype, pl.Date):
        return "date", [_array(column.to_physical(), "i4")]
    if isinstance(dtype, pl.Float32 | pl.Float64):
        floats = column.cast(pl.Float64).fill_null(0.0).fill_nan(float("nan")).to_numpy()
        # Adding 0.0 turns -0.0 into 0.0; NumPy does it, Polars optimises it away.
        return "f8", [np.ascontiguousarray(floats + 0.0, dtype="<f8").data]
    code = _INTEGERS.get(dtype.base_type())
    if code is None:
        raise TypeError(f"no canonical bytes for column {column.name!r} of type {dtype}")
    return code, [_array(column, code)]


def _array(column: pl.Series, code: str) -> memoryview:
    return np.ascontiguousarray(column.fill_null(0).to_numpy(), dtype=f"<{code}").data


def _text(column: pl.Series) -> list[bytes | memoryview]:
    lengths = _array(column.str.len_bytes(), "u4")
    joined = column.str.join("", ignore_nulls=True).item() if len(column) else ""
    return [lengths, (joined or "").encode()]
