"""Making what a live stream lacks: today before it begins, tomorrow in the evening.

Belongs here: when a day is made, in a process of its own, and what is said of it. Does not belong
here: making (`runs`), sending (`streaming`).

It is another process, because a stream that sends shall neither wait for the making nor keep its
memory, and because Ctrl-C ends the two in different ways.
"""

import contextlib
import datetime as dt
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from telco_pipeline.cli.display import Meter, progress, say
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import locks

if TYPE_CHECKING:
    from telco_pipeline.production import PartitionReport
    from telco_pipeline.streaming.stream import Stream

EVENING: Final = 20
"""Hour (UTC) from which tomorrow is made."""
LOOK_SECONDS: Final = 30.0
AGAIN_AFTER: Final = dt.timedelta(minutes=15)
_DAY: Final = dt.timedelta(days=1)
_LOCK: Final = ".make.lock"

Message = tuple[str, Any]
Run = Callable[["Order", Callable[[Message], None], Callable[[], bool]], None]


@dataclass(frozen=True)
class Order:
    """What is to be made.

    Attributes:
        lake: Root of the lake, whose main world it is.
        folder: Where the lock lies, by which two streams do not make the same day at once.
        datasets: The datasets of a day.
        day: The day.
        workers: Processes at a time.
    """

    lake: str
    folder: Path
    datasets: tuple[str, ...]
    day: dt.date
    workers: int


def _in_a_process(
    order: Order, hear: Callable[[Message], None], stopping: Callable[[], bool]
) -> None:
    """Make a day in a process of its own; pass on what it tells.

    Raises:
        TelcoError: It cannot be made.
    """
    # Not forked: this process has threads of the Kafka client.
    context = multiprocessing.get_context("spawn")
    ear, mouth = context.Pipe(duplex=False)
    process = context.Process(target=_make, args=(order, mouth), name=f"make {order.day}")
    process.start()
    mouth.close()
    ended = False
    try:
        while not stopping():
            if not ear.poll(0.2):
                continue
            try:
                kind, what = ear.recv()
            except EOFError:
                ended = True
                break
            if kind == "refused":
                raise TelcoError(what)
            hear((kind, what))
    finally:
        if not ended and process.is_alive() and process.pid:
            # As Ctrl-C: what is whole stays in the lake, all else is removed.
            os.kill(process.pid, signal.SIGINT)
        process.join()
    if ended and process.exitcode:
        raise TelcoError(
            f"{order.day} was not made: its process ended with status {process.exitcode}; "
            f"make it with telco generate --lake {order.lake} --start {order.day}"
        )


def _make(order: Order, mouth: Pipe) -> None:
    """Make a day; runs in a process of its own."""
    # Who streams shall have the cores when there is something to send.
    with contextlib.suppress(OSError):
        os.nice(5)
    # Ctrl-C of a terminal reaches this process too; the stream says what there is to say.
    try:
        # Two streams of a lake take turns: what the one has made the other does not lack.
        with locks.held(order.folder / _LOCK):
            _make_lacking(order, mouth)
    except KeyboardInterrupt:
        sys.exit(130)
    except TelcoError as error:
        mouth.send(("refused", str(error)))
    except (BrokenPipeError, ConnectionError):
        sys.exit(1)


def _make_lacking(order: Order, mouth: Pipe) -> None:
    from telco_pipeline import planning
    from telco_pipeline.cli.generate import refuse_failures
    from telco_pipeline.counterfactuals import held_config
    from telco_pipeline.lake import Lake
    from telco_pipeline.runs import run_operator, stages_of
    from telco_pipeline.streaming import sources

    lake = Lake(order.lake)
    config = held_config(lake)
    lacking = sources.lacking(lake, order.datasets, order.day)
    if not lacking:
        return
    if order.day < config.epoch:
        raise TelcoError(
            f"the world in {order.lake} begins on {config.epoch}: before that day there is nothing "
            "to stream; see epoch in scenarios/world.yaml"
        )
    stages = stages_of(config, lake, lacking, order.day, 1)
    total = sum(planning.partitions(one.datasets, len(one.days)) for one in stages)
    mouth.send(("total", total))

    def made(report: "PartitionReport") -> None:
        mouth.send(("made", report))

    summary = run_operator(
        config,
        order.lake,
        datasets=lacking,
        first=order.day,
        workers=order.workers,
        on_progress=made,
    )
    refuse_failures(summary)
    failed = [one for one in summary.findings if not one.passed and not one.doubt]
    if failed:
        mouth.send(("checks", f"{len(failed)} checks failed, first {failed[0].check}"))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass
class Maker:
    """Makes days for a live stream. As a context manager it makes tomorrow in the evening.

    Attributes:
        stream: The stream.
        workers: Processes at a time.
        stopping: Whether the stream is to end.
        evening: Hour (UTC) from which tomorrow is made.
        now: The clock.
        run: Makes a day.
        look: Seconds between looks at the clock.
    """

    stream: "Stream"
    workers: int
    stopping: Callable[[], bool]
    evening: int = EVENING
    now: Callable[[], dt.datetime] = _now
    run: Run = _in_a_process
    look: float = LOOK_SECONDS
    _one: threading.Lock = field(default_factory=threading.Lock, init=False)
    _left: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def __enter__(self) -> "Maker":
        self._thread = threading.Thread(target=self._evenings, name="make ahead")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        if self._thread is not None:
            self._thread.join()

    def make(self, day: dt.date) -> None:
        """Make what lacks of a day, and of those before it; returns early if it is to stop.

        Raises:
            TelcoError: It cannot be made.
        """
        lacking = self.stream.lacks(day)
        with progress("partitions", f"Making {day}: {', '.join(lacking)}") as meter, self._one:
            self._make(day, meter)

    def _make(self, day: dt.date, meter: Meter | None) -> None:
        lacking = self.stream.lacks(day)
        if not lacking:
            return

        def hear(told: Message) -> None:
            kind, what = told
            if kind == "checks":
                say(f"{day}: {what}; telco check says more")
            elif meter is not None and kind == "total":
                meter.total = what
            elif meter is not None:
                meter.partition(what)

        order = Order(
            str(self.stream.lake.root), self.stream.folder, tuple(lacking), day, self.workers
        )
        self.run(order, hear, lambda: self._left.is_set() or self.stopping())

    def _evenings(self) -> None:
        """Make each tomorrow when it is evening, until the stream ends."""
        next_try = self.now()
        while not self._left.is_set() and not self.stopping():
            moment = self.now()
            tomorrow = moment.date() + _DAY
            if moment.hour >= self.evening and moment >= next_try and self.stream.lacks(tomorrow):
                try:
                    with self._one:
                        self._make(tomorrow, None)
                except TelcoError as error:
                    next_try = moment + AGAIN_AFTER
                    say(f"{tomorrow} could not be made ahead: {error}; tried again later")
                else:
                    if not self.stream.lacks(tomorrow):
                        say(f"{tomorrow} is made.")
            self._left.wait(self.look)
