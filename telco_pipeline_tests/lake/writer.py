"""A process that commits one partition again and again until it is killed.

    python -m telco_pipeline_tests.lake.writer <lake> <first mark>

The n-th partition consists of parts whose every row bears the mark of that partition, so that a
mixture would show.
"""

import sys
from itertools import count
from pathlib import Path

from telco_pipeline_tests.lake.kit import CARE, DAY, bound_lake, commit, frame

PARTS = 4
ROWS = 2_000


def main() -> None:
    """Bind the lake and commit for ever; the first commit is told on standard output."""
    lake = bound_lake(Path(sys.argv[1]))
    for mark in count(int(sys.argv[2])):
        commit(lake, CARE, [frame(CARE, ROWS, mark)] * PARTS, DAY)
        sys.stdout.write(f"{mark}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
