"""What the environment says: where the lake is, which world, how many workers.

Belongs here: the TELCO_* variables, read when asked and never at import. Does not belong here:
what makes rows; all of that is in world.yaml.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from telco_pipeline.errors import TelcoError

DEFAULT_LAKE: Final = "data/lake"
DEFAULT_WORLD_FILE: Final = Path(__file__).resolve().parents[2] / "scenarios" / "world.yaml"
MAX_WORKERS: Final = 256


@dataclass(frozen=True)
class Settings:
    """Where to read and write, and how many processes to use. None of it changes a row.

    Attributes:
        lake: Folder of the lake, as given (TELCO_LAKE); a relative one starts from the current
            folder.
        world_file: File of the world (TELCO_WORLD); by default the checkout's own.
        workers: Processes that make records, 1 to 256 (TELCO_WORKERS); by default one per core
            that this process may use.
    """

    lake: str
    world_file: Path
    workers: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables; an empty one counts as not set.

        Args:
            environ: The variables; those of this process when None.

        Raises:
            TelcoError: When TELCO_WORKERS is not a number from 1 to 256.
        """
        environ = os.environ if environ is None else environ
        return cls(
            lake=environ.get("TELCO_LAKE") or DEFAULT_LAKE,
            world_file=Path(environ.get("TELCO_WORLD") or DEFAULT_WORLD_FILE),
            workers=_workers(environ.get("TELCO_WORKERS") or ""),
        )


def _workers(text: str) -> int:
    text = text.strip()
    if not text:
        return min(_usable_cores(), MAX_WORKERS)
    # Four digits at most: int() itself takes underscores, and refuses very long numbers.
    if text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_WORKERS:
        return int(text)
    raise TelcoError(
        f"TELCO_WORKERS: must be a whole number from 1 to {MAX_WORKERS}, not {text[:40]!r}"
    )


def _usable_cores() -> int:
    # Not os.cpu_count() alone: a container or taskset may leave fewer cores than the machine has.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
