"""The hash of rows: the same for equal values, another for any change, fixed for all time."""

import datetime as dt
import hashlib
import struct
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.lake import column_hashes, content_hash

GOLDEN = pl.DataFrame(
    {
        "number": pl.Series([1, None, -3], dtype=pl.Int32),
        "text": ["é", None, ""],
        "code": pl.Series(["b", "a", None], dtype=pl.Enum(["a", "b"])),
        "flag": [True, None, False],
        "real": [0.5, None, -0.0],
        "time": pl.Series([0, None, 1_767_225_600_000_001]).cast(pl.Datetime("us", "UTC")),
        "date": [dt.date(1970, 1, 1), None, dt.date(2026, 1, 1)],
    }
)

VALUES = {
    pl.Int16: st.integers(-(1 << 15), (1 << 15) - 1),
    pl.Int32: st.integers(-(1 << 31), (1 << 31) - 1),
    pl.Int64: st.integers(-(1 << 63), (1 << 63) - 1),
    pl.Float64: st.floats(allow_nan=False),
    pl.Boolean: st.booleans(),
    pl.String: st.text(max_size=5),
    pl.Date: st.dates(),
    pl.Datetime("us", "UTC"): st.datetimes(timezones=st.just(dt.UTC)),
}


@st.composite
def columns(draw: st.DrawFn) -> pl.Series:
    dtype = draw(st.sampled_from(list(VALUES)))
    values = draw(st.lists(st.none() | VALUES[dtype], max_size=20))
    return pl.Series("column", values, dtype=dtype)


def test_golden() -> None:
    """A change here makes every golden hash of the project wrong: do not change it."""
    assert (
        content_hash(GOLDEN) == "c53159d439983580c291b3afaa9943c3281fc3741b9a9392c46a5cfb35fffb2c"
    )


def test_the_bytes_are_those_described() -> None:
    """The description in the docstring, in plain Python."""
    rows = pl.DataFrame({"n": pl.Series([258, None], dtype=pl.Int16), "t": ["é", None]})
    number = b"i2:2:" + bytes([0b01]) + struct.pack("<2h", 258, 0)
    text = b"text:2:" + bytes([0b01]) + struct.pack("<2I", 2, 0) + "é".encode()
    digests = [hashlib.sha256(part).digest() for part in (number, text)]
    assert column_hashes(rows) == dict(zip("nt", (each.hex() for each in digests), strict=True))
    total = b"".join(
        struct.pack("<I", 1) + name + digest
        for name, digest in zip((b"n", b"t"), digests, strict=True)
    )
    assert content_hash(rows) == hashlib.sha256(total).hexdigest()


@given(columns())
def test_hash_survives_chunks_slices_and_other_buffers(column: pl.Series) -> None:
    rows = column.to_frame()
    middle = len(column) // 2
    chunked = pl.concat([rows[:middle].clone(), rows[middle:].clone()], rechunk=False)
    sliced = pl.concat([rows, rows, rows])[len(column) : 2 * len(column)]
    again = pl.Series("column", column.to_list(), dtype=column.dtype).to_frame()
    assert {content_hash(each) for each in (chunked, sliced, again)} == {content_hash(rows)}


@given(columns(), columns())
def test_hash_differs_when_values_differ(one: pl.Series, other: pl.Series) -> None:
    same = one.dtype == other.dtype and one.equals(other, null_equal=True)
    assert (content_hash(one.to_frame()) == content_hash(other.to_frame())) == same


def test_hash_survives_parquet(tmp_path: Path) -> None:
    for compression in ("lz4", "zstd"):
        GOLDEN.write_parquet(tmp_path / "rows.parquet", compression=compression)
        assert column_hashes(pl.read_parquet(tmp_path / "rows.parquet")) == column_hashes(GOLDEN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a", "bc"], ["ab", "c"]),
        (["", None], [None, ""]),
        ([0, None], [None, 0]),
        ([1, 2], [2, 1]),
    ],
)
def test_hash_tells_apart(one: list[object], other: list[object]) -> None:
    assert content_hash(pl.DataFrame({"x": one})) != content_hash(pl.DataFrame({"x": other}))


def test_hash_knows_names_and_order_of_columns() -> None:
    rows = pl.DataFrame({"a": [1], "b": [1]})
    assert content_hash(rows) != content_hash(rows.rename({"a": "c"}))
    assert content_hash(rows) != content_hash(rows.select("b", "a"))


def test_one_zero_and_one_nan() -> None:
    assert content_hash(pl.DataFrame({"x": [0.0]})) == content_hash(pl.DataFrame({"x": [-0.0]}))
    odd = pl.Series("x", [float("inf")]) - float("inf")
    assert content_hash(odd.to_frame()) == content_hash(pl.DataFrame({"x": [float("nan")]}))


def test_unknown_types_are_refused() -> None:
    with pytest.raises(TypeError, match="no canonical bytes"):
        content_hash(pl.DataFrame({"x": [[1]]}))
