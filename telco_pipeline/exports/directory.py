"""A directory that appears whole or not at all, and never in the place of something else.

Belongs here: staging, the swap, the note that says what lies there. Does not belong here: what is
written (`bandicoot`).
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake.layout import write_json

NOTE: Final = "_export.json"
"""The file by which an export is known: where it comes from and what is in it."""


@contextmanager
def replaced(target: Path, *, replace: bool) -> Iterator[Path]:
    """Give a new directory to fill, and put it in the target's place when the block ends well.

    It lies beside the target, so that a rename is all it takes. When the block fails, it is
    removed and the target is as it was.

    Args:
        target: Directory to be.
        replace: Whether an earlier export may be replaced; anything else never is.

    Raises:
        TelcoError: Something lies there that may not be replaced.
    """
    check_target(target, replace=replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = _beside(target)
    staging.mkdir()
    try:
        yield staging
        # Again: making it may have taken long, and somebody may have put something there.
        check_target(target, replace=replace)
        _swap(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def check_target(target: Path, *, replace: bool) -> None:
    """Refuse a target that may not be replaced; an empty directory may be.

    Raises:
        TelcoError: With what lies there, and what to do.
    """
    check_above(target)
    if not target.exists():
        return
    if not target.is_dir():
        raise TelcoError(f"{target} is a file: name a directory with --out")
    if next(target.iterdir(), None) is None:
        return
    if not (target / NOTE).is_file():
        raise TelcoError(f"{target} is not empty and holds no export: choose another --out")
    if not replace:
        raise TelcoError(
            f"{target} holds an export already: choose another --out, or replace it with --replace"
        )


def check_above(target: Path) -> None:
    """Refuse a file or directory to be that lies below a file.

    Raises:
        TelcoError: With the file, and what to do.
    """
    above = next((each for each in target.parents if each.exists()), None)
    if above is not None and not above.is_dir():
        raise TelcoError(f"{above} is a file, so {target} cannot be: choose another --out")


def note(directory: Path, content: dict[str, Any]) -> None:
    """Write into an export what it is."""
    write_json(directory / NOTE, content)


def _swap(staging: Path, target: Path) -> None:
    if not target.exists():
        staging.rename(target)
        return
    old = _beside(target)
    target.rename(old)
    try:
        staging.rename(target)
    except OSError:
        # What was there comes back, unless somebody else took its place in between.
        if not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{uuid.uuid4().hex}")
