"""Dates that people write: on the command line, in world.yaml, in a partition key.

Belongs here: reading a day and refusing one outside the world. Does not belong here: local time,
clock changes and holidays (`engine.calendar`).
"""

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.settings.model import WorldConfig

FIRST_DAY: Final = dt.date(2000, 1, 1)  # day number 0 of engine.calendar
# Day numbers have 14 bits in event ids (engine.identifiers), which end on 2044-11-08; the month
# before it stays free for what crosses midnight or is reported later.
LAST_DAY: Final = dt.date(2044, 10, 1)

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_day(text: str) -> dt.date:
    """Return the date that `text` says, written YYYY-MM-DD.

    Raises:
        TelcoError: When the text is written otherwise, or no such day exists.
    """
    try:
        # The pattern first: fromisoformat also takes weeks (2026-W01) and days without dashes.
        if _DAY.fullmatch(text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass
    raise TelcoError(f"not a date: {text[:40]!r}; write YYYY-MM-DD")


def check_day(config: "WorldConfig", day: dt.date) -> None:
    """Refuse a day on which this world has no records.

    Raises:
        TelcoError: When the day lies before the world's epoch or after 2044-10-01.
    """
    if day < config.epoch:
        raise TelcoError(
            f"{day} lies before the epoch {config.epoch}, the first day of this world: "
            f"choose {config.epoch} or later, or set an earlier epoch in world.yaml"
        )
    if day > LAST_DAY:
        raise TelcoError(
            f"{day} lies after {LAST_DAY}, the last day of any world: choose an earlier day"
        )
