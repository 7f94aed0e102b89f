"""A publisher in a process of its own that is killed, by itself at a chosen point or by others.

It is forked by a server that has imported all and made no client yet, so that a hundred of them
start quickly.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from typing import Any, Literal

from confluent_kafka import Producer

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import publisher
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.entries import Feed
from telco_pipeline.streaming.pacing import Pace
from telco_pipeline.streaming.publisher import Delivery, deliver
from telco_pipeline_tests.streaming.synthetic import DAY, WORLD, settings

Where = Literal["record", "before commit", "during commit", "after commit", "never"]


@dataclass(frozen=True)
class Plan:
    """When a process kills itself: at the `number`-th call, `delay` seconds after it."""

    where: Where = "never"
    number: int = 1
    delay: float = 0.0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def doomed(plan: Plan) -> type[Producer]:
    """Return a producer class that kills the process."""
    counts = {"record": 0, "commit": 0}

    class Doomed(Producer):
        def produce(self, *args: Any, **named: Any) -> None:
            counts["record"] += 1
            if plan.where == "record" and counts["record"] == plan.number:
                die()
            super().produce(*args, **named)

        def commit_transaction(self, *args: Any) -> None:
            counts["commit"] += 1
            mine = counts["commit"] == plan.number
            if mine and plan.where == "before commit":
                self.flush(10)  # the broker has the records, and no word of their end
                die()
            if mine and plan.where == "during commit":
                threading.Timer(plan.delay, die).start()
            super().commit_transaction(*args)
            if mine and plan.where == "after commit":
                die()

    return Doomed


def publish(
    feed: Feed,
    bootstrap: str,
    progress: str,
    *,
    rate: float | None = None,
    records: int = 200,
    **options: Any,
) -> Delivery:
    connection = Connection.from_environment({}, bootstrap_servers=bootstrap)
    return deliver(
        feed,
        connection,
        Pace.of(rate=rate),
        world=WORLD,
        day=DAY,
        settings=settings(progress),
        transaction_records=records,
        **options,
    )


def _main(plan: Plan, feed: Feed, answer: Any, arguments: dict[str, Any]) -> None:
    if plan.where != "never":
        publisher.Producer = doomed(plan)  # type: ignore[misc]
    try:
        answer.send(publish(feed, **arguments).records)
    except TelcoError as error:
        answer.send(str(error))


def start(
    plan: Plan, feed: Feed, **arguments: Any
) -> tuple[ForkServerProcess, Callable[[float], int | str]]:
    """Start one; the second is called with a timeout and returns the records or the error."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(plan, feed, writer, arguments), daemon=True)
    process.start()
    writer.close()

    def answer(timeout: float) -> int | str:
        assert reader.poll(timeout), "it neither ended nor said why"
        return reader.recv()

    return process, answer
