"""Datasets in other formats: what is read back equals the lake, and directories are whole."""

import datetime as dt
import errno
import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import deltalake
import duckdb
import fastavro
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports import formats
from telco_pipeline.exports.directory import NOTE
from telco_pipeline.exports.kinds import KINDS
from telco_pipeline.exports.tables import Wanted, earliest, export
from telco_pipeline.lake import Lake
from telco_pipeline_tests.lake.small_lake import DAYS, small_lake

Read = Callable[[Path, Dataset], pl.DataFrame]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return small_lake(tmp_path_factory.mktemp("exports") / "lake")


def _texts(dataset: Dataset) -> dict[str, type[pl.DataType] | pl.DataType]:
    """Return the types as a reader of text asks for them: all but times, dates and codes."""
    bare = (pl.Datetime, pl.Date, pl.Enum)
    return {
        name: pl.String if isinstance(dtype, bare) else dtype
        for name, dtype in dataset.polars_schema.items()
    }


def _typed(frame: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """Return text as the contract's types, strictly; every time ends in Z."""
    made = []
    for name, dtype in dataset.polars_schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            assert (
                frame[name].drop_nulls().str.contains(r"^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{6}Z$").all()
            )
            column = column.str.to_datetime(
                "%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", time_zone="UTC"
            )
        elif isinstance(dtype, pl.Date):
            column = column.str.to_date("%Y-%m-%d")
        made.append(column.cast(dtype))
    return frame.select(made)


def _files(place: Path, suffix: str) -> list[Path]:
    return sorted(place.rglob(f"*.{suffix}"))


def read_csv(place: Path, dataset: Dataset) -> pl.DataFrame:
    found = [pl.read_csv(file, schema=_texts(dataset)) for file in _files(place, "csv")]
    return _typed(pl.concat(found), dataset)


def read_ndjson(place: Path, dataset: Dataset) -> pl.DataFrame:
    files = _files(place, "ndjson")
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert all(list(row) == dataset.columns for row in rows)
    return _typed(pl.DataFrame(rows, schema=_texts(dataset)), dataset)


def read_parquet(place: Path, dataset: Dataset) -> pl.DataFrame:
    """Read with DuckDB, which is no part of the writing, and takes `day` from the directories."""
    order = "filename, file_row_number"
    found = duckdb.sql(
        f"select * exclude (filename, file_row_number) from read_parquet('{place}/**/*.parquet', "
        f"hive_partitioning = true, filename = true, file_row_number = true) order by {order}"
    ).pl()
    assert ("day" in found.columns) == dataset.daily
    return found.select(pl.col(name).cast(kind) for name, kind in dataset.polars_schema.items())


def read_arrow(place: Path, dataset: Dataset) -> pl.DataFrame:
    """Read with Arrow's own library."""
    tables = [pa.ipc.open_file(file).read_all() for file in _files(place, "arrow")]
    found = pl.DataFrame(pa.concat_tables(tables))
    return found.cast(dataset.polars_schema)  # pyright: ignore[reportArgumentType]


def read_avro(place: Path, dataset: Dataset) -> pl.DataFrame:
    rows = []
    for file in _files(place, "avro"):
        with file.open("rb") as source:
            reader = fastavro.reader(source)
            assert reader.writer_schema["name"].endswith(f".{dataset.name}")
            rows.extend(reader)
    return pl.DataFrame(rows, schema=dataset.polars_schema)


def read_delta(place: Path, dataset: Dataset) -> pl.DataFrame:
    """Read through the log with deltalake, and the files that it names with DuckDB and Polars."""
    table = deltalake.DeltaTable(place)
    assert table.metadata().partition_columns == (["day"] if dataset.daily else [])
    assert len(table.history()) == (len(DAYS) if dataset.daily else 1)
    found = pl.read_delta(str(place))
    names = table.file_uris()
    (told,) = duckdb.sql(f"select count(*) from read_parquet({names!r})").limit(1).fetchall()[0]
    assert told == found.height
    if dataset.daily:
        assert set(found["day"].unique()) == set(DAYS)
        if dataset.time:
            assert (found["day"] == found[dataset.time].dt.date()).all()
    return found.select(pl.col(name).cast(kind) for name, kind in dataset.polars_schema.items())


READ: dict[str, Read] = {
    "csv": read_csv,
    "ndjson": read_ndjson,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "avro": read_avro,
    "delta": read_delta,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_back_equals_the_lake(kind: str, lake: Lake, tmp_path: Path) -> None:
    done = export(lake, tmp_path / "out", Wanted(kind))

    rows = 0
    for name in lake.datasets():
        dataset = DATASETS[name]
        expected = lake.read(name).select(dataset.columns)
        found = READ[kind](tmp_path / "out" / name, dataset)
        if kind == "delta":  # a table has no order
            expected, found = expected.sort(dataset.columns), found.sort(dataset.columns)
        assert_frame_equal(found, expected, check_exact=True)
        rows += expected.height
    assert done.rows == rows
    assert done.datasets == len(DATASETS)
    note = json.loads((tmp_path / "out" / NOTE).read_text())
    assert note["format"] == kind
    assert note["datasets"]["cdrs_data"]["days"] == [str(day) for day in DAYS]


def test_null_and_empty_text_are_told_apart(tmp_path: Path) -> None:
    """No contract's text is empty today; the formats would keep it apart all the same."""
    source = tmp_path / "part-00000.parquet"
    columns = DATASETS["plans"].polars_schema
    filled = {
        name: pl.Series(name, [1] * 2).cast(dtype, strict=False).fill_null(strategy="zero")
        if dtype.is_numeric()
        else pl.Series(name, [None, ""], dtype=pl.String)
        if dtype == pl.String
        else pl.Series(name, [None] * 2, dtype=dtype)
        for name, dtype in columns.items()
    }
    pl.DataFrame(filled, schema=columns).write_parquet(source)
    for kind in ("csv", "ndjson"):
        target = tmp_path / f"out.{kind}"
        formats.writer(kind)("plans", source, target, "none")
        first, second = target.read_text().splitlines()[-2:]
        name = next(name for name, dtype in columns.items() if dtype == pl.String)
        if kind == "csv":
            assert '""' not in first
            assert '""' in second
        else:
            assert json.loads(first)[name] is None
            assert json.loads(second)[name] == ""


@pytest.mark.parametrize(
    ("kind", "compression"),
    [(kind.name, each) for kind in KINDS.values() for each in kind.compressions[1:]],
)
def test_every_compression_is_read_back(
    kind: str, compression: str, lake: Lake, tmp_path: Path
) -> None:
    wanted = Wanted(kind, ["cells"], compression=compression)
    export(lake, tmp_path / "out", wanted)

    place = tmp_path / "out" / "cells"
    if kind in ("csv", "ndjson") and compression != "none":
        (file,) = place.iterdir()
        assert file.suffix == {"gzip": ".gz", "zstd": ".zst"}[compression]
        told = duckdb.sql(f"select cell_id from '{file}'").pl()
        found = told["cell_id"].to_list()
    else:
        found = READ[kind](place, DATASETS["cells"])["cell_id"].to_list()
    assert sorted(found) == sorted(lake.read("cells")["cell_id"])


def test_days_and_datasets_are_chosen(lake: Lake, tmp_path: Path) -> None:
    wanted = Wanted("csv", ["cdrs_sms", "cells"], DAYS[1], DAYS[1])
    done = export(lake, tmp_path / "out", wanted)

    places = {str(path.relative_to(tmp_path / "out").parent) for path in tmp_path.rglob("*.csv")}
    assert places == {f"cdrs_sms/day={DAYS[1]}", "cells"}
    assert done.rows == lake.rows("cdrs_sms", DAYS[1]) + lake.rows("cells")
    assert earliest(lake, ["cdrs_sms", "cells"]) == DAYS[0]
    assert earliest(lake, ["cells"]) is None


def test_a_variant_shows_the_main_world_beneath(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match="has no"):
        export(Lake(lake.root, "other"), tmp_path / "out", Wanted("csv", ["cells"]))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted("csv", ["cdrs_sms"], DAYS[0], DAYS[1] + dt.timedelta(days=1)), "telco generate"),
        (Wanted("csv", ["cdrs_sms"], DAYS[1] + dt.timedelta(days=9)), "it has"),
        (Wanted("csv", ["cells"], compression="lz4"), "none, gzip, zstd"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_left(
    wanted: Wanted, words: str, lake: Lake, tmp_path: Path
) -> None:
    with pytest.raises(TelcoError, match=words) as told:
        export(lake, tmp_path / "out", wanted)
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_no_lake_is_told(tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match="no lake at"):
        export(Lake(tmp_path / "nowhere"), tmp_path / "out", Wanted("csv"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_is_named_and_the_earlier_export_stays(kind: str, tmp_path: Path) -> None:
    lake = small_lake(tmp_path / "lake", ["cells", "plans"])
    out = tmp_path / "out"
    export(lake, out, Wanted(kind))
    before = sorted(path.name for path in out.rglob("*"))
    (file,) = lake.files("cells")
    whole = file.read_bytes()
    # The end, which tells the rows, stays; what lies in the middle does not.
    file.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])

    with pytest.raises(TelcoError, match=r"part-00000\.parquet cannot be read .*telco generate"):
        export(lake, out, Wanted(kind), replace=True)

    assert sorted(path.name for path in out.rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "out"]


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    lake = small_lake(tmp_path / "lake", ["cells"])
    lake.files("cells")[0].write_bytes(b"no")
    with pytest.raises(TelcoError, match="cannot be read"):
        export(lake, tmp_path / "out", Wanted("parquet"))


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Let no file grow beyond 4 kB: the system's error of a disk that is full (EFBIG)."""
    import signal

    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, old)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_told_and_leaves_nothing(kind: str, lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match=r"cannot write .*free some space .*--out") as told:
        export(lake, tmp_path / "out", Wanted(kind, ["cdrs_data", "pm_counters"]))
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_rights_are_told(
    kind: str, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(TelcoError, match=r"Permission denied; make it writable .*--out"):
        export(lake, tmp_path / "out", Wanted(kind))


@pytest.mark.parametrize("kind", ["avro", "delta"])
def test_a_package_that_is_not_there_is_named(
    kind: str, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(formats, "import_module", missing)
    with pytest.raises(TelcoError, match=r"telco-pipeline\[exports\]"):
        export(lake, tmp_path / "out", Wanted(kind))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_stands_in_the_way_until_it_may_be_replaced(
    kind: str, lake: Lake, tmp_path: Path
) -> None:
    out, wanted = tmp_path / "out", Wanted(kind, ["cells"])
    export(lake, out, wanted)
    with pytest.raises(TelcoError, match="--replace"):
        export(lake, out, wanted)
    export(lake, out, Wanted(kind, ["plans"]), replace=True)
    assert {path.name for path in out.iterdir()} == {"plans", NOTE}
