"""Where things lie in a lake, and how the disk's errors are told to people.

Belongs here: names and paths, the lock, small atomic writes. Does not belong here: what a
partition promises (`provenance`), how one is put in its place (`pending`), reads (`store`).

    <root>/<dataset>/day=YYYY-MM-DD/part-00000.parquet   daily datasets
    <root>/<dataset>/part-00000.parquet                  the others
    .../_provenance.json                                 in every partition
    <root>/_world.json                                   which world lies here
    <root>/_worlds/<name>/...                            other worlds, laid out the same
    <root>/_staging/, <root>/_trash/                     on the way in and out
    <root>/_reports/<name>/                              what was worked out about a world

A dataset's globs (`<dataset>/*/*.parquet`) see neither staging nor trash, and both lie on the
lake's own file system, so that a rename is all it takes.
"""

import datetime as dt
import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import polars as pl

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import locks

MAIN: Final = "main"
PROVENANCE_FILE: Final = "_provenance.json"
WORLD_FILE: Final = "_world.json"

_WORLDS: Final = "_worlds"
_STAGING: Final = "_staging"
_TRASH: Final = "_trash"
_REPORTS: Final = "_reports"
ALIVE: Final = ".alive"
"""Ending of the file beside a staging directory on which its living writer holds a lock."""

_DAY: Final = re.compile(r"day=(\d{4}-\d{2}-\d{2})")
_WORLD_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_OS_ERROR: Final = re.compile(r"\(os error (\d+)\)")


def check_root(root: str | Path) -> Path:
    """Return the lake's directory as a path, or say why it cannot be one."""
    if "://" in str(root):
        raise TelcoError(
            f"{root}: lakes in object stores come with scale-out; "
            "name a local directory with --lake"
        )
    path = Path(root).expanduser()
    if path.exists() and not path.is_dir():
        raise TelcoError(f"{path} is a file, not a lake: name a directory with --lake")
    if "=" in str(path.absolute()):
        # Polars and DuckDB would read that part of the path as a partition column.
        raise TelcoError(
            f"{path.absolute()}: a lake's path may not contain '=', which Parquet readers take "
            "for a column; name another directory with --lake"
        )
    return path


def world_base(root: Path, world: str) -> Path:
    """Return the directory in which a world's datasets lie."""
    if not _WORLD_NAME.fullmatch(world):
        raise TelcoError(
            f"{world!r} is no name for a world: use up to 64 of a-z, 0-9, '-' and '_', "
            "the first a letter or digit"
        )
    return root if world == MAIN else root / _WORLDS / world


def partition_directory(base: Path, dataset: str, day: dt.date | None) -> Path:
    """Return where a partition lies; `day` is None for a dataset without days."""
    return base / dataset if day is None else base / dataset / f"day={day.isoformat()}"


def report_directory(root: Path, world: str, name: str) -> Path:
    """Return where a report about a world lies."""
    return world_base(root, world) / _REPORTS / name


def part_name(number: int) -> str:
    """Return the file name of a part."""
    return f"part-{number:05d}.parquet"


def day_of(directory: Path) -> dt.date | None:
    """Return the day that a partition's directory is named for, if it is named for one."""
    found = _DAY.fullmatch(directory.name)
    try:
        return dt.date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def dataset_directories(base: Path) -> list[Path]:
    """Return the directories of datasets in a world, in the order of their names."""
    if not base.is_dir():
        return []
    return sorted(
        entry
        for entry in base.iterdir()
        if entry.is_dir() and not entry.name.startswith(("_", "."))
    )


def strangers(base: Path) -> list[Path]:
    """Return what lies beside the datasets of a world and is not the lake's own."""
    if not base.is_dir():
        return []
    own = {WORLD_FILE, _WORLDS, _STAGING, _TRASH, _REPORTS}
    return [
        entry
        for entry in base.iterdir()
        if not entry.name.startswith(".")
        and entry.name not in own
        and (not entry.is_dir() or entry.name.startswith("_"))
    ]


def new_staging(root: Path) -> Path:
    """Return a name for a new directory in staging (not made yet)."""
    return root / _STAGING / uuid.uuid4().hex


def staged(root: Path) -> list[Path]:
    """Return the directories of living and dead writers in staging.

    One whose partition was moved into place just before a kill exists by its lock file only.
    """
    staging = root / _STAGING
    if not staging.is_dir():
        return []
    entries = list(staging.iterdir())
    names = {entry.name for entry in entries if entry.is_dir()}
    names |= {entry.stem for entry in entries if entry.suffix == ALIVE}
    return [staging / name for name in sorted(names)]


def to_trash(root: Path, directory: Path) -> None:
    """Move a directory out of sight in one step; the caller holds the lock.

    `empty_trash` removes it later.
    """
    trash = root / _TRASH
    trash.mkdir(parents=True, exist_ok=True)
    directory.rename(trash / uuid.uuid4().hex)


def empty_trash(root: Path) -> None:
    """Remove the trash and what was moved there; the caller does not hold the lock.

    What another process removes first, or moves there meanwhile, is no error.
    """
    trash = root / _TRASH
    if not trash.is_dir():
        return
    with suppress(FileNotFoundError):
        for entry in trash.iterdir():
            shutil.rmtree(entry, ignore_errors=True)
    # Locked, or it could go between the two steps of `to_trash`.
    with locked(root), suppress(OSError):
        trash.rmdir()


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the lake's lock; the kernel frees it when its holder dies.

    It is held for renames and small files only, never while rows are written.
    """
    with locks.held(root / _STAGING / "lock"):
        yield


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a small JSON file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        aside.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the content of a small JSON file; None if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise TelcoError(
            f"{path} is not valid JSON ({error}): remove it and generate again"
        ) from None
    if not isinstance(content, dict):
        raise TelcoError(f"{path} is not a JSON object: remove it and generate again")
    return content


@contextmanager
def disk_errors(doing: str, path: Path, option: str = "--lake") -> Iterator[None]:
    """Turn the disk's errors into one line that says what, where and what to do.

    The option is the one that names the place.

    Polars reports them as a `PolarsError` whose text ends in the number of the system's error.
    """
    try:
        yield
    except OSError as error:
        number = error.errno or _os_error_in(str(error))
        raise TelcoError(_told(doing, path, number, str(error), option)) from error
    except pl.exceptions.PolarsError as error:
        number = _os_error_in(str(error))
        if number is None:
            raise
        raise TelcoError(_told(doing, path, number, str(error), option)) from error


def _os_error_in(text: str) -> int | None:
    found = _OS_ERROR.search(text)
    return int(found[1]) if found else None


def _told(doing: str, path: Path, number: int | None, text: str, option: str) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        advice = f"free some space or name another directory with {option}"
    elif number in (errno.EACCES, errno.EPERM, errno.EROFS):
        advice = f"make it writable for this user or name another directory with {option}"
    else:
        advice = f"check the path that {option} names"
    reason = os.strerror(number) if number else text
    return f"cannot {doing} {path}: {reason}; {advice}"
