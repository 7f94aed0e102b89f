"""One contender in a process of its own: `python -m benchmarks.child NAME JSON`.

Belongs here: what a contender does in its cold and in its warm round. Does not belong here: the
clock of the cold round, which starts before this process does (`measure`).

After each round it prints a JSON line: rows and bytes written, and the round's own seconds.
"""

import datetime as dt
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

Written = tuple[int, int]
Round = Callable[[Sequence[dt.date]], Written]


@contextmanager
def ours(task: dict[str, Any]) -> Iterator[Round]:
    """Make partitions with `production.produce`, as the command and Dagster do."""
    from telco_pipeline.contracts import DATASETS
    from telco_pipeline.lake import Lake
    from telco_pipeline.production import produce
    from telco_pipeline.settings import load_world
    from telco_pipeline.workers import shared_crews

    config = load_world(Path(task["world_file"]), subscribers=task["subscribers"])
    lake = Lake(task["lake"])

    def make(days: Sequence[dt.date]) -> Written:
        rows = size = 0
        for name in task["datasets"]:
            wanted = days if DATASETS[name].daily else None
            for report in produce(
                config, lake, name, wanted, workers=task["workers"], replace=True
            ):
                rows, size = rows + report.rows, size + report.bytes
        return rows, size

    # As in a run: the workers stay from one dataset to the next.
    with shared_crews():
        yield make


@contextmanager
def random_rows(task: dict[str, Any]) -> Iterator[Round]:
    """Write random rows, as many, as wide and in as many files as ours; pooled or plain."""
    from benchmarks.profile import DatasetProfile

    workers = task["workers"]
    profiles = [DatasetProfile.from_json(values) for values in task["profiles"]]
    out = Path(task["out"])
    files = [
        (profile, number, task["pooled"], out)
        for profile in profiles
        for number in range(len(profile.files))
    ]
    with _executor(workers) as executor:

        def make(days: Sequence[dt.date]) -> Written:
            tasks = [(*file, day) for day in days for file in files]
            run = executor.map if executor else map
            sizes = list(run(_write_random, tasks))
            return len(days) * sum(profile.rows for profile in profiles), sum(sizes)

        yield make


@contextmanager
def _executor(workers: int) -> Iterator[Executor | None]:
    if workers == 1:
        yield None
        return
    # A worker's own threads would fight the other workers for the cores.
    os.environ["POLARS_MAX_THREADS"] = str(max((os.cpu_count() or 1) // workers, 1))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield executor


def _write_random(task: tuple[Any, int, bool, Path, dt.date]) -> int:
    import numpy as np

    from benchmarks.peers import random_frame
    from telco_pipeline.engine.calendar import day_number, day_start

    profile, number, pooled, out, day = task
    # One stream per file, whichever process writes it.
    rng = np.random.Generator(np.random.SFC64([number, day_number(day)]))
    frame = random_frame(profile, profile.files[number], rng, day_start(day), pooled=pooled)
    return _write(frame, out / f"{profile.name}-{day}-{number}.parquet")


def _write(frame: Any, path: Path) -> int:
    """Write a file as our lake does: same compression, same row groups."""
    from telco_pipeline.lake.files import COMPRESSION, ROW_GROUP_ROWS

    frame.write_parquet(path, compression=COMPRESSION, row_group_size=ROW_GROUP_ROWS)
    return path.stat().st_size


@contextmanager
def row_loop(task: dict[str, Any]) -> Iterator[Round]:
    """Fill call records row by row with Faker or mimesis."""
    from benchmarks import peers

    fill = getattr(peers, task["fill"])

    def make(days: Sequence[dt.date]) -> Written:
        sizes = [
            _write(fill(task["rows"], day), Path(task["out"]) / f"loop-{day}.parquet")
            for day in days
        ]
        return len(days) * task["rows"], sum(sizes)

    yield make


CONTENDERS = {"ours": ours, "random": random_rows, "loop": row_loop}
WARM_DAYS = 3


def main(name: str, task: dict[str, Any]) -> None:
    """Run a contender's cold round, one day, and its warm one, the three days after it."""
    first = dt.date.fromisoformat(task["day"])
    # A static dataset has no days: a warm round makes it once more.
    later = WARM_DAYS if task.get("daily", True) else 1
    with CONTENDERS[name](task) as make:
        for days in ([first], [first + dt.timedelta(days=1 + day) for day in range(later)]):
            started = time.perf_counter()
            rows, size = make(days)
            seconds = time.perf_counter() - started
            print(json.dumps({"rows": rows, "bytes": size, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
