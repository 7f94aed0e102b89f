"""Loads a day into a database, to be killed meanwhile: `python -m ... URL LAKE`.

Says `ready` when everything is imported, and loads when it is told to by a line.
"""

import sys

from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import loading
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.lake.kit import DAY

DATASET = "cdrs_sms"


def main() -> None:
    database = Database.from_environment(sys.argv[1], environ={})
    lake = Lake(sys.argv[2])
    database.engine.dialect  # noqa: B018  (drivers are imported here)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    done = loading.load(database, lake, DATASET, DAY, again=True, batch=500)
    sys.stdout.write(f"{done.rows}\n")


if __name__ == "__main__":
    main()
