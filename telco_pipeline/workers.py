"""Workers: processes that make parts of partitions and write them into staging.

Belongs here: the pool of processes, what a worker loads and keeps, one part's making. Does not
belong here: which parts are made and when a partition is whole (`production`).

A worker loads the world once and writes each part that it makes into the staging directory of the
partition, so no row ever travels between processes.
"""

import datetime as dt
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.engine.memory import give_back_memory, keep_freed_memory
from telco_pipeline.engine.parts import Part
from telco_pipeline.errors import TelcoError
from telco_pipeline.generators import GENERATORS, Inputs
from telco_pipeline.lake import FileStats, Lake, Rowset, write_part
from telco_pipeline.lake.layout import part_name
from telco_pipeline.oss import collection, counters, labels
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world.catalogue import build_devices, build_plans
from telco_pipeline.world.network import Network, build_network
from telco_pipeline.world.places import build_places
from telco_pipeline.world.subscribers import SubscriberInputs, build_subscribers
from telco_pipeline.world.ties import build_ties

# Tasks that a worker has at a time: one more than it makes, to keep it busy while a partition is
# committed.
_AHEAD: Final = 2
# Seconds of a task after which freed memory is given back: it costs a tenth of one.
_LONG_WORK: Final = 1.5
_POLARS_THREADS: Final = "POLARS_MAX_THREADS"


@dataclass(frozen=True)
class Task:
    """Parts of one partition that one worker makes."""

    dataset: str
    day: dt.date | None
    parts: tuple[Part, ...]
    directory: Path


DERIVED: Final = {
    "pm_counters": counters.make,
    "collected_files": collection.make,
    "truth_records": labels.make,
}
"""Datasets made from the records in the lake, without the world: day by day, in one part."""

Made = tuple[Task, list[FileStats], float]
"""A task that is done, the files written and the seconds it took."""


class Crew:
    """Makes tasks: in this process if there is one worker, else in one process for each.

    Use it as a context manager. Processes start with the first task and keep the world that they
    loaded until the crew is dismissed.
    """

    def __init__(self, config: WorldConfig, lake: Lake, workers: int) -> None:
        """Hire workers for a world and a lake."""
        self._config, self._lake, self._workers = config, lake, workers
        self._here: Worker | None = None
        # A pool of one process for each, so that who makes what can be chosen.
        self._pools: list[ProcessPoolExecutor] = []

    def make(self, count: int, task: Callable[[int], Task]) -> Iterator[Made]:
        """Make tasks, in any order, as they are asked for.

        Each worker makes neighbours: what they share, as the plans of a day, is worked out once.

        Args:
            count: Number of tasks.
            task: Returns a task by its place; asked for when a worker can take it.
        """
        if self._workers == 1:
            if self._here is None:
                keep_freed_memory()
                self._here = Worker(self._config, self._lake)
            yield from map(self._here.make, map(task, range(count)))
        else:
            self._hire()
            yield from self._in_pools(count, task)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here = None
        for pool in self._pools:
            pool.shutdown(cancel_futures=True)
        self._pools = []

    def _hire(self) -> None:
        """Start the processes, unless they are there."""
        if self._pools:
            return
        # Spawned, not forked: Polars' threads do not survive a fork.
        self._pools = [
            ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(self._config, self._lake.root, self._lake.world),
            )
            for _ in range(self._workers)
        ]
        # A process starts with a task; these all start now, while the environment is set. Not so
        # the pool: making it starts multiprocessing's resource tracker, which lifts the block of
        # SIGINT for everything that starts afterwards.
        with _one_polars_thread(), _no_interrupts():
            for pool in self._pools:
                pool.submit(_nothing)

    def _in_pools(self, count: int, task: Callable[[int], Task]) -> Iterator[Made]:
        queues = _dealt(count, self._workers)
        waiting: dict[Future[Made], int] = {}
        free = [worker for _ in range(_AHEAD) for worker in range(self._workers)]
        try:
            while free or waiting:
                for worker in free:
                    if (place := _next(queues, worker)) is not None:
                        waiting[self._pools[worker].submit(_make_in_worker, task(place))] = worker
                free = []
                done = wait(waiting, return_when=FIRST_COMPLETED).done if waiting else ()
                for future in done:
                    free.append(waiting.pop(future))
                    yield future.result()
        except BrokenProcessPool as error:
            self.__exit__()
            raise TelcoError(
                "a worker process died (out of memory?): try again with fewer --workers"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


def _dealt(count: int, workers: int) -> list[deque[int]]:
    """Deal the places of tasks out to workers: neighbours to the same one."""
    return [
        deque(range(worker * count // workers, (worker + 1) * count // workers))
        for worker in range(workers)
    ]


def _next(queues: Sequence[deque[int]], worker: int) -> int | None:
    """Take what a worker makes next: its own, else the last of who has most left."""
    if queues[worker]:
        return queues[worker].popleft()
    longest = max(queues, key=len)
    return longest.pop() if longest else None


@contextmanager
def _one_polars_thread() -> Iterator[None]:
    """Let the processes that start inherit one thread for Polars.

    Its own threads would fight the other workers for the cores. Polars reads the variable when it
    starts, so this process is not touched.
    """
    before = os.environ.get(_POLARS_THREADS)
    os.environ[_POLARS_THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_POLARS_THREADS, None)
        else:
            os.environ[_POLARS_THREADS] = before


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Let the processes that start inherit deafness to Ctrl-C.

    The terminal sends it to them too, and a process that is still importing would print a
    traceback. They end when this process dismisses them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_shared: ContextVar[dict[tuple[str, str, str, int], Crew] | None] = ContextVar(
    "shared crews", default=None
)


@contextmanager
def shared_crews() -> Iterator[Callable[[], None]]:
    """Keep crews from one dataset to the next while this lasts, instead of hiring anew.

    Yields:
        What dismisses them before, when there is nothing left to make; work that comes all the
        same hires anew.
    """
    crews: dict[tuple[str, str, str, int], Crew] = {}

    def dismiss() -> None:
        for crew in crews.values():
            crew.__exit__()

    token = _shared.set(crews)
    try:
        yield dismiss
    finally:
        _shared.reset(token)
        dismiss()


@contextmanager
def crew_for(config: WorldConfig, lake: Lake, workers: int) -> Iterator[Crew]:
    """Hire a crew, or take the shared one if crews are shared."""
    crews = _shared.get()
    if crews is None:
        with Crew(config, lake, workers) as crew:
            yield crew
    else:
        key = (config.world_hash, str(lake.root), lake.world, workers)
        yield crews.setdefault(key, Crew(config, lake, workers))


class Worker:
    """Makes parts; loads the world once, when the first part needs it."""

    def __init__(self, config: WorldConfig, lake: Lake) -> None:
        """Remember the world; nothing is loaded yet."""
        self._config = config
        self._lake = lake
        self._inputs: Inputs | None = None
        self._subscriber_inputs: SubscriberInputs | None = None

    def make(self, task: Task) -> tuple[Task, list[FileStats], float]:
        """Make the parts of a task and write them into its staging directory."""
        started = time.perf_counter()
        dataset = DATASETS[task.dataset]
        stats = [
            write_part(
                self._rows(task.dataset, task.day, part),
                task.directory / part_name(part.number),
                dataset,
            )
            for part in task.parts
        ]
        seconds = time.perf_counter() - started
        if seconds > _LONG_WORK:
            # Others may need it while this process waits for the next task.
            give_back_memory()
        return task, stats, seconds

    def _rows(self, name: str, day: dt.date | None, part: Part) -> pl.DataFrame | Rowset:
        if day is not None and name in DERIVED:
            return DERIVED[name](self._config, self._lake, day)
        if day is not None:
            if self._inputs is None:
                self._inputs = Inputs.load(self._config, self._lake)
            return GENERATORS[name].rows(self._inputs, day, part)
        if name in ("subscribers", "prospects"):
            if self._subscriber_inputs is None:
                read = self._lake.read
                self._subscriber_inputs = SubscriberInputs.of(
                    self._config,
                    read("places"),
                    read("sites"),
                    read("cells"),
                    read("devices"),
                    read("plans"),
                )
            return build_subscribers(self._config, self._subscriber_inputs, part)
        if name == "social_ties":
            read = self._lake.read
            registry = pl.concat([read("subscribers"), read("prospects")])
            return build_ties(self._config, registry, read("cells"), read("places"))
        return _static_frame(self._config, self._lake, name)


def _static_frame(config: WorldConfig, lake: Lake, name: str) -> pl.DataFrame:
    """Make a static dataset other than the subscribers and their ties."""
    if name == "places":
        return build_places(config)
    if name == "devices":
        return build_devices(config)
    if name == "plans":
        return build_plans(config)
    network: Network = build_network(config, build_places(config))
    return {
        "sites": network.sites,
        "cells": network.cells,
        "network_elements": network.elements,
        "network_links": network.links,
    }[name]


_worker: Worker | None = None


def _start_worker(config: WorldConfig, root: Path, world: str) -> None:
    """Prepare this process to make parts."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    keep_freed_memory()
    global _worker  # one worker a process, by the protocol of process pools
    _worker = Worker(config, Lake(root, world))


def _nothing() -> None:
    """Be there."""


def _end_with_parent() -> None:
    """End this process when its parent is gone, also after a kill -9 of the parent."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make_in_worker(task: Task) -> tuple[Task, list[FileStats], float]:
    assert _worker is not None
    return _worker.make(task)
