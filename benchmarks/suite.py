"""The suite: which contenders at which sizes, their rounds in turn, medians, table and JSON.

Belongs here: the order of the runs and the report. Does not belong here: a single run
(`child`, `measure`).

Contenders take turns within a round (A B C, A B C, ...), so that whatever else the machine does
hits all of them. *Cold* is from the start of a new process to its first finished day: imports,
the registry and tables included. *Warm* is the three days after it, in the same process and one
call, as a run over a range of days makes them (a static dataset: once more). A rate in cells
counts rows times the columns that tell something (`profile.counted_columns`).
"""

import datetime as dt
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import Measured, machine, run_measured
from benchmarks.profile import DatasetProfile, counted_columns, profile_of

CDRS = ("cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims")
SUBJECTS: dict[str, tuple[str, ...]] = {
    "subscribers": ("subscribers",),
    "cdrs_voice": ("cdrs_voice",),
    "cdrs_sms": ("cdrs_sms",),
    "cdrs_data": ("cdrs_data",),
    "all cdrs": CDRS,
}
WORKERS = (1, 2)
PLAIN = "random rows"
POOLED = "random rows, pooled ids"
LINEITEM_ROWS = 6_001_215  # at scale factor 1
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a benchmark run does.

    Attributes:
        sizes: Subscribers of each size, the smaller first.
        rounds: How often each contender runs.
        loop_rows: Rows that the row loops make; their rate is what counts.
        world_file: The operator.
        workers: Numbers of processes.
        subjects: What is made.
    """

    sizes: tuple[int, ...]
    rounds: int
    loop_rows: int
    world_file: str
    workers: tuple[int, ...] = WORKERS
    subjects: tuple[str, ...] = tuple(SUBJECTS)


@dataclass(frozen=True)
class Contender:
    """One line of the report.

    Attributes:
        name: Who.
        subject: What it makes.
        subscribers: Size of the operator; 0 where it has none.
        workers: Processes.
        command: How it is started.
        cells_per_row: Columns that count.
        out: Directory that is emptied after each run.
        rows: Rows, where the contender does not report them itself.
    """

    name: str
    subject: str
    subscribers: int
    workers: int
    command: tuple[str, ...]
    cells_per_row: float
    out: Path | None = None
    rows: int = 0


@dataclass
class Result:
    """Medians over the rounds of one contender.

    Attributes:
        name: Who.
        subject: What it makes.
        subscribers: Size of the operator.
        workers: Processes.
        rows: Rows of the cold round.
        warm_rows: Rows of the warm round; 0 where there is none.
        cells_per_row: Columns that count.
        bytes: Bytes written in that round.
        cold_seconds: Each round's time from the start of the process to the first finished day.
        warm_seconds: Each round's time of the next day in the same process.
        peak_bytes: Each round's peak memory of the process tree.
    """

    name: str
    subject: str
    subscribers: int
    workers: int
    cells_per_row: float
    rows: int = 0
    warm_rows: int = 0
    bytes: int = 0
    cold_seconds: list[float] = field(default_factory=list)
    warm_seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)

    @property
    def cold_rate(self) -> float:
        """Rows per second, cold."""
        return self.rows / median(self.cold_seconds)

    @property
    def warm_rate(self) -> float:
        """Rows per second, warm; cold where there is no warm round."""
        if not self.warm_seconds:
            return self.cold_rate
        return self.warm_rows / median(self.warm_seconds)

    @property
    def cell_rate(self) -> float:
        """Cells per second, warm."""
        return self.warm_rate * self.cells_per_row

    @property
    def peak(self) -> float:
        """Median of the peaks of memory."""
        return median(self.peak_bytes)

    def add(self, measured: Measured, contender: Contender) -> None:
        """Take in one run."""
        self.peak_bytes.append(measured.peak_bytes)
        if not measured.reports:
            self.rows = contender.rows
            self.cold_seconds.append(measured.seconds)
            return
        cold, warm = measured.reports
        self.rows, self.bytes, self.warm_rows = cold["rows"], cold["bytes"], warm["rows"]
        self.cold_seconds.append(cold["at"])
        self.warm_seconds.append(warm["seconds"])

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, the derived ones too."""
        return {
            **asdict(self),
            "cold_rows_per_s": round(self.cold_rate),
            "warm_rows_per_s": round(self.warm_rate),
            "warm_cells_per_s": round(self.cell_rate),
            "peak_mb": round(self.peak / 1e6, 1),
        }


@dataclass(frozen=True)
class Report:
    """What a benchmark run found.

    Attributes:
        machine: Machine and versions.
        started: When it began (UTC).
        results: One per contender.
        left_out: Peers that are not installed.
    """

    machine: dict[str, Any]
    started: str
    results: list[Result]
    left_out: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "machine": self.machine,
            "started": self.started,
            "left_out": self.left_out,
            "results": [result.as_json() for result in self.results],
            "ratios": [
                {
                    "subject": subject,
                    "subscribers": size,
                    "workers": workers,
                    "over": peer,
                    "cells_per_s": ratio,
                }
                for subject, size, workers, peer, ratio in self.ratios()
            ],
            "memory_growth": [
                {"subject": subject, "workers": workers, "rows": rows, "peak": peak}
                for subject, workers, rows, peak in self.memory_growth()
            ],
        }

    def ratios(self) -> list[tuple[str, int, int, str, float]]:
        """Return our cells per second over those of each kind of random rows."""
        ours = {
            (result.subject, result.subscribers, result.workers): result
            for result in self.results
            if result.name == "ours"
        }
        return [
            (*key, result.name, round(ours[key].cell_rate / result.cell_rate, 2))
            for result in self.results
            if result.name in (PLAIN, POOLED)
            and (key := (result.subject, result.subscribers, result.workers)) in ours
        ]

    def memory_growth(self) -> list[tuple[str, int, float, float]]:
        """Return how much rows and peak memory grow from the smallest to the largest size."""
        lines: dict[tuple[str, int], list[Result]] = {}
        for result in self.results:
            if result.name == "ours":
                lines.setdefault((result.subject, result.workers), []).append(result)
        growth = []
        for (subject, workers), results in lines.items():
            small, *_, large = sorted(results, key=lambda r: r.subscribers) * 2
            if small.subscribers == large.subscribers:
                continue
            growth.append(
                (
                    subject,
                    workers,
                    round(large.rows / small.rows, 2),
                    round(large.peak / small.peak, 2),
                )
            )
        return growth


def steps(plan: Plan) -> int:
    """Return how often `run` will say what it does."""
    loops = sum(find_spec(name) is not None for name in ("faker", "mimesis"))
    lineitem = len(plan.workers) if _measures_cdrs(plan) and _tpchgen() else 0
    per_size = 3 * len(plan.subjects) * len(plan.workers) + lineitem
    runs = plan.rounds * (len(plan.sizes) * per_size + loops)
    return runs + len(plan.sizes) * (1 + lineitem)


def run(plan: Plan, say: Say) -> Report:
    """Run a plan in a directory of its own, which is removed afterwards."""
    described, started = machine(), dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    left_out = [name for name in ("faker", "mimesis") if find_spec(name) is None]
    tpchgen = _tpchgen()
    if tpchgen is None:
        left_out.append("tpchgen-cli")
    with tempfile.TemporaryDirectory(prefix="telco-bench-") as scratch:
        contenders = [
            contender
            for size in plan.sizes
            for contender in _at_size(plan, size, Path(scratch), say, tpchgen)
        ]
        contenders += _row_loops(plan, Path(scratch), left_out)
        results = _rounds(contenders, plan.rounds, say)
    return Report(described, started, results, left_out)


def _rounds(contenders: Sequence[Contender], rounds: int, say: Say) -> list[Result]:
    results = [
        Result(one.name, one.subject, one.subscribers, one.workers, one.cells_per_row)
        for one in contenders
    ]
    for number in range(rounds):
        for contender, result in zip(contenders, results, strict=True):
            say(f"round {number + 1}/{rounds}: {_label(contender)}")
            _clean(contender)
            result.add(run_measured(list(contender.command)), contender)
    return results


def _label(contender: Contender) -> str:
    size = f", {contender.subscribers:,} subscribers" if contender.subscribers else ""
    return f"{contender.name}: {contender.subject}{size}, {contender.workers} worker(s)"


def _clean(contender: Contender) -> None:
    if contender.out is not None:
        shutil.rmtree(contender.out, ignore_errors=True)
        contender.out.mkdir(parents=True)


def _at_size(
    plan: Plan, size: int, scratch: Path, say: Say, tpchgen: str | None
) -> list[Contender]:
    """Return the contenders at one size: ours, then its peer, subject by subject."""
    say(f"preparing an operator of {size:,} subscribers")
    lake, day = scratch / f"lake-{size}", _prepare(plan, size, scratch / f"lake-{size}")
    names = [name for name in (*CDRS, "subscribers") if _wanted(plan, name)]
    profiles = {name: profile_of(name, _files(lake, name, day)) for name in names}
    contenders = []
    for subject in plan.subjects:
        made = [profiles[name] for name in SUBJECTS[subject]]
        cells = sum(profile.cells for profile in made) / sum(profile.rows for profile in made)
        for workers in plan.workers:
            ours = {
                "datasets": SUBJECTS[subject],
                "daily": subject != "subscribers",
                "subscribers": size,
                "workers": workers,
                "lake": str(lake),
                "day": str(day),
                "world_file": plan.world_file,
            }
            contenders.append(
                Contender("ours", subject, size, workers, _child("ours", ours), cells)
            )
            contenders += [
                _random(peer, made, subject, size, workers, scratch, day)
                for peer in (PLAIN, POOLED)
            ]
    if tpchgen and _measures_cdrs(plan):
        rows = max(sum(profiles[name].rows for name in SUBJECTS[one]) for one in plan.subjects)
        contenders += [
            _lineitem(tpchgen, rows, size, workers, scratch, say) for workers in plan.workers
        ]
    return contenders


def _measures_cdrs(plan: Plan) -> bool:
    """Return whether lineitem is beside us: of a registry's few rows, it would take no time."""
    return any(_wanted(plan, name) for name in CDRS)


def _wanted(plan: Plan, dataset: str) -> bool:
    return any(dataset in SUBJECTS[subject] for subject in plan.subjects)


def _random(
    peer: str,
    profiles: list[DatasetProfile],
    subject: str,
    size: int,
    workers: int,
    scratch: Path,
    day: dt.date,
) -> Contender:
    out = scratch / "random"
    task = {
        "profiles": [profile.as_json() for profile in profiles],
        "pooled": peer == POOLED,
        "workers": workers,
        "out": str(out),
        "day": str(day),
        "daily": subject != "subscribers",
    }
    # Its columns count as ours do, by the same rule: a column that is constant with us is made
    # constant by it.
    cells = sum(profile.cells for profile in profiles) / sum(profile.rows for profile in profiles)
    return Contender(peer, subject, size, workers, _child("random", task), cells, out)


def _lineitem(
    tpchgen: str, rows: int, size: int, workers: int, scratch: Path, say: Say
) -> Contender:
    import polars as pl

    out = scratch / "tpch"
    scale = max(round(rows / LINEITEM_ROWS, 3), 0.001)
    command = (
        tpchgen,
        "parquet",
        "--compression=LZ4_RAW",
        "-s",
        str(scale),
        "-T",
        "lineitem",
        "-n",
        str(workers),
        "-o",
        str(out),
        "--overwrite",
        "--quiet",
    )
    contender = Contender("tpchgen-cli", "lineitem", size, workers, command, 0, out)
    _clean(contender)
    say(f"preparing lineitem at scale factor {scale}")
    run_measured(list(command))
    frame = pl.read_parquet(out / "lineitem.parquet")
    return Contender(
        contender.name,
        contender.subject,
        size,
        workers,
        command,
        counted_columns(frame),
        out,
        frame.height,
    )


def _row_loops(plan: Plan, scratch: Path, left_out: list[str]) -> list[Contender]:
    from benchmarks import peers

    contenders = []
    for name in ("faker", "mimesis"):
        if name in left_out:
            continue
        out, day = scratch / name, dt.date(2026, 1, 1)
        fill = f"{name}_rows"
        task = {"fill": fill, "rows": plan.loop_rows, "out": str(out), "day": str(day)}
        cells = counted_columns(getattr(peers, fill)(1000, day))
        contenders.append(Contender(name, "row loop", 0, 1, _child("loop", task), cells, out))
    return contenders


def _prepare(plan: Plan, size: int, lake: Path) -> dt.date:
    """Make the inputs and one day of all CDRs, which also shows what the peers must make."""
    from benchmarks.child import WARM_DAYS
    from telco_pipeline.contracts import DATASETS, STATIC_DATASETS
    from telco_pipeline.lake import Lake
    from telco_pipeline.lineage import HISTORY
    from telco_pipeline.partitions import days_from
    from telco_pipeline.production import produce
    from telco_pipeline.settings import load_world

    config = load_world(Path(plan.world_file), subscribers=size)
    store = Lake(lake)
    # A Monday, so that the three days after it are alike; not the first day, whose small hours
    # have no day before.
    day = config.epoch + dt.timedelta(days=7 - config.epoch.weekday())
    records = [name for name in CDRS if _wanted(plan, name)]
    for name in (*STATIC_DATASETS, *(HISTORY if records else ()), *records):
        days = [day] if DATASETS[name].daily else None
        if name in HISTORY:  # what records of the cold and the warm days are made from
            days = days_from(config.epoch, (day - config.epoch).days + 1 + WARM_DAYS)
        produce(config, store, name, days, workers=max(plan.workers))
    return day


def _files(lake: Path, name: str, day: dt.date) -> list[Path]:
    directory = lake / name
    daily = directory / f"day={day.isoformat()}"
    return sorted((daily if daily.exists() else directory).glob("*.parquet"))


def _child(name: str, task: dict[str, Any]) -> tuple[str, ...]:
    return (sys.executable, "-m", "benchmarks.child", name, json.dumps(task))


def _tpchgen() -> str | None:
    beside = Path(sys.executable).with_name("tpchgen-cli")
    return str(beside) if beside.exists() else shutil.which("tpchgen-cli")
