"""Parquet files: the contract kept, the same bytes each time, one clear line on a full disk."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import write_part
from telco_pipeline_tests.lake.kit import CARE, DAY, bound_lake, commit, frame, leftovers

HASH_OF_A_PART = """
import sys
from pathlib import Path
from telco_pipeline.lake import write_part
from telco_pipeline_tests.lake.kit import CARE, frame
print(write_part(frame(CARE, 100_000), Path(sys.argv[1]), CARE).xxh3)
"""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.drop("note"), "lacks note"),
        (lambda rows: rows.with_columns(x=1), "has x, which is not in the contract"),
        (lambda rows: rows.with_columns(pl.col("nps").cast(pl.Int64)), "nps is Int64 instead of"),
        (lambda rows: rows.select(reversed(rows.columns)), "in the order"),
    ],
)
def test_a_frame_must_keep_its_contract(
    tmp_path: Path, change: Callable[[pl.DataFrame], pl.DataFrame], words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        write_part(change(frame(CARE)), tmp_path / "part.parquet", CARE)
    assert not (tmp_path / "part.parquet").exists()


def test_bytes_do_not_depend_on_chunks(tmp_path: Path) -> None:
    number = pl.int_range(100_000)
    rows = frame(CARE, 100_000).with_columns(event_id=number, note=(number * 7).cast(pl.String))
    chunked = pl.concat([rows[:7], rows[7:70_000], rows[70_000:]], rechunk=False)
    assert chunked.n_chunks() > 1
    one = write_part(rows, tmp_path / "part.parquet", CARE)
    assert write_part(chunked, tmp_path / "part.parquet", CARE) == one


def test_bytes_do_not_depend_on_threads_or_hash_seeds(tmp_path: Path) -> None:
    hashes = {
        subprocess.run(
            [sys.executable, "-c", HASH_OF_A_PART, str(tmp_path / "part.parquet")],
            env=os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": threads},
            check=True, capture_output=True, text=True,
        ).stdout
        for threads in ("1", "2")
    }  # fmt: skip
    assert len(hashes) == 1


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file of this process grow above 100 kB; the kernel refuses as on a full disk."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_refuses_keeps_the_old_partition(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    old = commit(lake, CARE, frame(CARE, mark=1), DAY)
    rows = frame(CARE, 300_000).with_columns(pl.int_range(300_000).alias("event_id"))
    with pytest.raises(TelcoError, match=r"cannot write .*File too large; free some space"):
        commit(lake, CARE, rows, DAY)
    assert lake.provenance("customer_service", DAY) == old
    assert lake.read("customer_service")["event_id"].to_list() == [1] * 3
    assert leftovers(lake) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB; only where this process may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this process may not mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_the_old_partition(small_disk: Path) -> None:
    lake = bound_lake(small_disk / "lake")
    old = commit(lake, CARE, frame(CARE, mark=1), DAY)
    rows = frame(CARE, 300_000).with_columns(pl.int_range(300_000).alias("event_id"))
    with pytest.raises(TelcoError, match=r"No space left on device; free some space"):
        commit(lake, CARE, rows, DAY)
    assert leftovers(lake) == []
    (small_disk / "ballast").write_bytes(bytes(_free(small_disk)))
    with pytest.raises(TelcoError, match="No space left"):
        commit(lake, CARE, frame(CARE, mark=2), DAY)
    assert lake.provenance("customer_service", DAY) == old
    assert leftovers(lake) == []


def _free(disk: Path) -> int:
    stats = os.statvfs(disk)
    return stats.f_bavail * stats.f_frsize


def test_a_directory_without_leave_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = bound_lake(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(TelcoError, match=r"cannot commit .*Permission denied; make it writable"):
        commit(lake, CARE, frame(CARE), DAY)
    monkeypatch.undo()
    assert leftovers(lake) == []
