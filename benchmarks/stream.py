"""The streaming benchmark: a day from Parquet to Apache Kafka, beside ready-made bytes.

Belongs here: the broker, rounds, medians and the report. Does not belong here: a single run
(`stream_child`).

Contenders take turns within a round, so that whatever else the machine does hits all of them.
*ready* hands the same keys and values, made before, to `produce_batch`, which knows no timestamps,
headers or callbacks; it is idempotent and asks for all acknowledgements, but uses no transactions.
The others read, sort, encode and send the lake's day in transactions with progress.

CPU seconds are told beside the rate: other work on the machine takes time from everybody, but adds
little to them.
"""

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.measure import LAST_WORDS, machine
from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import topics
from telco_pipeline.streaming.connection import Asking, Connection, ask
from telco_pipeline.streaming.layout import FOR_EVER, StreamSettings, Topic

READY = "ready-made bytes, produce_batch"
PLAIN = "stream, no headers"
FULL = "stream, CloudEvents headers"
BAR_RATE = 300_000
BAR_SHARE = 0.7
BROKER = Path(__file__).parents[1] / "deploy" / "kafka" / "broker.py"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run of the benchmark does.

    Attributes:
        lake: The lake.
        day: Its day.
        settings: Topics are those that are switched on.
        records: Records of each run, at most.
        rounds: How often each contender runs.
        rate: Records a second of the paced run.
        seconds: How long that lasts; 0 for none.
        bootstrap: A broker; None for one of its own.
    """

    lake: str
    day: dt.date
    settings: StreamSettings
    records: int
    rounds: int
    rate: float
    seconds: float
    bootstrap: str | None = None


@dataclass
class Result:
    """What the runs of a contender measured.

    Attributes:
        name: Who.
        records: Records of a run.
        bytes: Bytes of their values.
        rates: Records a second of each run.
        cpus: Microseconds of CPU that its process took for a record, in each run.
        broker_cpus: Those of the broker; empty for one that is not ours.
        peaks: Peak memory of each run's process, bytes.
    """

    name: str
    records: int = 0
    bytes: int = 0
    rates: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    broker_cpus: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median of the records a second."""
        return median(self.rates)

    @property
    def cpu(self) -> float:
        """Median of the microseconds of CPU for a record."""
        return median(self.cpus)

    @property
    def broker_cpu(self) -> float | None:
        """Median of the broker's microseconds of CPU for a record; None if nobody knows."""
        return median(self.broker_cpus) if self.broker_cpus else None

    @property
    def peak(self) -> float:
        """Median of the peaks."""
        return median(self.peaks)


@dataclass
class Report:
    """All results.

    Attributes:
        results: Of each contender.
        paced: What the paced run measured, with `asked`; None if there was none.
        machine: Where it ran.
    """

    results: dict[str, Result]
    paced: dict[str, float] | None
    machine: dict[str, Any]

    def shares(self) -> list[tuple[str, float]]:
        """Return each stream's rate over that of ready-made bytes: the median over rounds."""
        ready = self.results[READY].rates
        return [
            (name, median(own / theirs for own, theirs in zip(result.rates, ready, strict=True)))
            for name, result in self.results.items()
            if name != READY
        ]

    def as_json(self) -> dict[str, Any]:
        """Return everything for a file."""
        return {
            "machine": self.machine,
            "results": [asdict(result) for result in self.results.values()],
            "shares": dict(self.shares()),
            "paced": self.paced,
        }


def steps(plan: Plan) -> int:
    """Return how many runs there will be."""
    return 3 * plan.rounds + (plan.seconds > 0)


def run(plan: Plan, say: Say) -> Report:
    """Run all rounds, then the paced run.

    Raises:
        TelcoError: There is no broker, or a run fails.
    """
    results = {name: Result(name) for name in (READY, PLAIN, FULL)}
    contenders = ((READY, "ready", False), (PLAIN, "stream", False), (FULL, "stream", True))
    paced = None
    with _broker(plan.bootstrap) as broker:
        for number in range(plan.rounds):
            for name, kind, headers in contenders:
                say(f"round {number + 1}: {name}")
                before = broker.cpu_seconds()
                found = _measure(plan, broker, kind, headers=headers)
                result = results[name]
                result.records, result.bytes = found["records"], found["bytes"]
                result.rates.append(found["records"] / found["seconds"])
                result.cpus.append(found["cpu"] / found["records"] * 1e6)
                result.peaks.append(found["peak"])
                if before is not None:
                    spent = found["broker_cpu"] - before
                    result.broker_cpus.append(spent / found["records"] * 1e6)
        if plan.seconds > 0:
            say(f"paced: {plan.rate:,.0f} records a second")
            count = int(plan.rate * plan.seconds)
            paced = _measure(plan, broker, "stream", headers=True, rate=plan.rate, records=count)
            paced["asked"] = plan.rate
    return Report(results, paced, machine())


@dataclass(frozen=True)
class _Broker:
    """Where to send, and the process that takes it if it is ours."""

    address: str
    process: psutil.Process | None = None

    def cpu_seconds(self) -> float | None:
        """Return the CPU seconds that the broker took so far."""
        if self.process is None:
            return None
        times = self.process.cpu_times()
        return times.user + times.system


def _measure(
    plan: Plan, broker: _Broker, kind: str, *, headers: bool, **extra: Any
) -> dict[str, Any]:
    """Run a contender into topics of its own; return what it printed, and the broker's CPU."""
    own = f"bench-{uuid.uuid4().hex[:8]}"
    made = [
        Topic(f"{own}-{topic.name}", topic.datasets, topic.partitions, retention=FOR_EVER)
        for topic in plan.settings.topics
    ]
    connection = Connection.from_environment(bootstrap_servers=broker.address)
    topics.ensure(connection, made)
    task = {
        "lake": plan.lake,
        "day": plan.day.isoformat(),
        "topics": {topic.name: topic.datasets for topic in made},
        "headers": headers,
        "records": plan.records,
        "progress": f"{own}-progress",
        **extra,
    }
    command = [sys.executable, "-m", "benchmarks.stream_child", kind, json.dumps(task)]
    environment = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": broker.address}
    try:
        # Not `run_measured`: who walks through all pages of a process keeps it from going on.
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        spent = broker.cpu_seconds()
    finally:
        _delete(connection, [topic.name for topic in made] + [f"{own}-progress"])
    if done.returncode != 0:
        last = " ".join(done.stderr.split())[-LAST_WORDS:]
        raise TelcoError(f"benchmark {kind} ended with status {done.returncode}: {last}")
    return json.loads(done.stdout.splitlines()[-1]) | {"broker_cpu": spent}


def _delete(connection: Connection, names: list[str]) -> None:
    asking = Asking(connection)
    ask(asking)
    known = asking.admin.list_topics(timeout=10).topics
    there = [name for name in names if name in known]
    for future in asking.admin.delete_topics(there, operation_timeout=20).values():
        future.result(30)


@contextmanager
def _broker(bootstrap: str | None) -> Iterator[_Broker]:
    """Give a broker; one of its own is deleted afterwards."""
    if bootstrap:
        yield _Broker(bootstrap)
        return
    with tempfile.TemporaryDirectory(prefix="telco-bench-kafka-") as folder:
        data = Path(folder, "kafka")
        command = [sys.executable, str(BROKER), "run", "--json", "--data", str(data)]
        command += ["--while-pid", str(os.getpid()), "--temporary"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            if not line:
                words = process.stderr.read().strip().splitlines() or ["it said nothing"]
                reason = words[-1].removeprefix("error: ")
                raise TelcoError(
                    f"no broker for the benchmark: {reason}; or name one with --bootstrap-servers"
                )
            try:
                about: Mapping[str, Any] = json.loads(line)
                address = about["clients"]["plain"]["bootstrap.servers"]
                yield _Broker(address, psutil.Process(about["pid"]))
            finally:
                process.terminate()
                process.wait(90)
