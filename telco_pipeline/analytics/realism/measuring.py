"""Measuring: fills the catalogue of rows from the records of a lake.

Belongs here: the order of the measures, their progress, the report. Does not belong here: any
single measure (`voice`, `bursts`, `ties`, `rhythm`, `mobility`, `traffic`, `market`, `quality`,
`customers`, `crowds`, `frauds`).
"""

import datetime as dt
from collections.abc import Callable, Sequence

from telco_pipeline.analytics.realism.report import Report
from telco_pipeline.lake import Lake


def measure(
    lake: Lake,
    days: Sequence[dt.date] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Measure every row of the catalogue on some days of a lake and judge it.

    Args:
        lake: The lake, with the registry, cells and records of one world.
        days: Days to measure; without them all days that lie there. Days that do not lie there
            are left out; rows speak best for 28 days in a row.
        progress: Called with a few words before each step.

    Raises:
        TelcoError: The lake holds no world, no registry or no records of these days.
    """
    from telco_pipeline.analytics.realism import steps  # NumPy and SciPy are slow to import

    return steps.run(lake, days, progress or (lambda _: None))
