"""The version of the code that makes rows.

Belongs here: which rooms make rows, and their fingerprint. Does not belong here: versions of
contracts (`contracts`) and of worlds (`settings`).

A release number alone would call rows current that older code made, so the version carries a hash
of the source of the rooms that make them. Any change there shows in provenance and, through
Dagster's code versions, as staleness in the UI, a mere comment too: rather once too often.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from telco_pipeline import __version__

_ROOT: Final = Path(__file__).parent
_ROOMS: Final = ("engine", "world", "contracts")
_DAILY_ROOMS: Final = (*_ROOMS, "scenarios", "behaviour", "state", "generators", "oss")


@cache
def code_version(*, daily: bool) -> str:
    """Return the version of the code that makes daily, or static, datasets."""
    digest = hashlib.blake2b(digest_size=4)
    for room in _DAILY_ROOMS if daily else _ROOMS:
        for path in sorted((_ROOT / room).rglob("*")):
            if path.suffix in {".py", ".json"}:
                digest.update(path.relative_to(_ROOT).as_posix().encode())
                digest.update(path.read_bytes())
    return f"{__version__}+{digest.hexdigest()}"
