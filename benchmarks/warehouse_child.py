"""One load of the warehouse benchmark in a process of its own; its task is JSON on standard input.

Belongs here: the clock around a load. Does not belong here: rounds, medians, the server
(`warehouse`).

It prints one JSON line: rows, seconds, CPU seconds of all its threads (`cpu`) and the most memory
it had (`peak`, bytes). Imports lie before the clock; making tables, reading and encoding within it.
"""

import datetime as dt
import json
import sys

from benchmarks.stream_child import Stopwatch
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import loading
from telco_pipeline.warehouse.database import Database


def main() -> None:
    """Load as the task says."""
    task = json.load(sys.stdin)
    database = Database.from_environment(task["url"], task["schema"], environ={})
    day = dt.date.fromisoformat(task["day"])
    assert database.engine is not None  # its driver is imported here
    watch = Stopwatch()
    done = loading.load(database, Lake(task["lake"]), task["dataset"], day)
    print(json.dumps({"rows": done.rows, **watch.read()}))


if __name__ == "__main__":
    main()
