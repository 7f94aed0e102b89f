"""Runs in this process: what the `telco` command does when it makes something.

Belongs here: running the assets of `definitions` without a webserver or daemon, and what came of
it. Does not belong here: arguments, progress bars and tables (`cli`).
"""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from telco_pipeline import lineage, logs, partitions, planning
from telco_pipeline.assets.realism import config_of
from telco_pipeline.code_version import code_version
from telco_pipeline.contracts import DATASETS, STATIC_DATASETS
from telco_pipeline.contracts.state import HISTORY, REACH_ON
from telco_pipeline.dagster_private import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    NO_CAPTURE,
    InstanceRef,
)
from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.integrity import Finding
from telco_pipeline.jobs import BUILD_WORLD, OPERATE, REALISM, WHAT_IF
from telco_pipeline.lake import Lake
from telco_pipeline.resources import MAIN_WORLD, Operation
from telco_pipeline.settings import WorldConfig, check_day
from telco_pipeline.workers import DERIVED, shared_crews

if TYPE_CHECKING:
    from telco_pipeline.production import PartitionReport

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
NO_TELEMETRY = {"telemetry": {"enabled": False}}


@dataclass(frozen=True)
class DatasetSummary:
    """What a run made of one dataset.

    Attributes:
        dataset: Its name.
        partitions: Partitions made.
        rows: Rows in them.
        bytes: Size of their files.
        seconds: Time of their making, summed over workers.
    """

    dataset: str
    partitions: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def plus(self, report: "PartitionReport") -> "DatasetSummary":
        """Return the summary with one partition more."""
        return replace(
            self,
            partitions=self.partitions + 1,
            rows=self.rows + report.rows,
            bytes=self.bytes + report.bytes,
            seconds=self.seconds + report.seconds,
        )


@dataclass(frozen=True)
class RunFailure:
    """A step that failed other than by a check.

    Attributes:
        step: The asset, or the checks of an asset.
        message: What went wrong, in words.
        expected: Whether it is an error for people (a `TelcoError`); else it is a bug.
        details: The traceback, for a bug.
    """

    step: str
    message: str
    expected: bool
    details: str = ""


@dataclass(frozen=True)
class RunSummary:
    """What came of a run.

    Attributes:
        run_id: Its id in Dagster; of the last run, if it took several.
        world: Name of the world.
        seconds: Wall time of it all, checks included.
        datasets: What was made, in the order of making.
        findings: Results of all checks, one for each check and partition.
        failures: Steps that failed other than by a check.
        skipped: Datasets that were not made because something before them failed.
        success: Whether all of it worked.
    """

    run_id: str
    world: str
    seconds: float
    datasets: list[DatasetSummary]
    findings: list[Finding]
    failures: list[RunFailure]
    skipped: list[str]
    success: bool

    @property
    def rows(self) -> int:
        """Rows of all datasets."""
        return sum(each.rows for each in self.datasets)


@dataclass
class _Tally:
    """Collects what a run does, while it does it.

    Attributes:
        tell: Told of each partition.
        left: Partitions for which workers keep the world that are still to be made.
        when_made: Called after the last of them.
        datasets: What was made, by dataset.
        findings: Results of checks.
    """

    tell: Callable[["PartitionReport"], None] | None
    left: int
    when_made: Callable[[], None] | None = None
    datasets: dict[str, DatasetSummary] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def report(self, report: "PartitionReport") -> None:
        so_far = self.datasets.get(report.dataset) or DatasetSummary(report.dataset)
        self.datasets[report.dataset] = so_far.plus(report)
        if self.tell:
            self.tell(report)
        self.left -= report.dataset not in DERIVED
        if not self.left and self.when_made:
            self.when_made()
            self.when_made = None


def run_operator(
    config: WorldConfig,
    lake_root: str | Path,
    *,
    datasets: Sequence[str] | None = None,
    first: dt.date | None = None,
    days: int = 1,
    world: str = MAIN_WORLD,
    workers: int = 1,
    shards: int | None = None,
    replace: bool = False,
    overlays: str | None = None,
    checked: bool = True,
    instance: dg.DagsterInstance | None = None,
    on_progress: Callable[["PartitionReport"], None] | None = None,
) -> RunSummary:
    """Run the operator over some days in this process: the same assets and checks as in the UI.

    Args:
        config: The world.
        lake_root: Where the lake lies.
        datasets: What to make; what it is made from is made too if the lake lacks it. None for
            everything.
        first: First day; None for the epoch.
        days: Number of days.
        world: Name of the world; any but `main` lies beside the main one.
        workers: Processes that make records.
        shards: Parts of a day's work; None leaves the choice to production.
        replace: Remove the partitions of another world that lies in the lake.
        overlays: For a world that holds only what differs: hash of the main world beneath.
        checked: Whether the partitions of a world other than the main one are checked.
        instance: Where Dagster keeps its book; by default the one of DAGSTER_HOME, or a
            temporary one if that is not set.
        on_progress: Told of each partition as it is made.

    Returns:
        What came of it. Failed checks and failed steps are in there; they raise nothing.

    Raises:
        TelcoError: The days, the datasets or DAGSTER_HOME cannot be.
    """
    lake = Lake(lake_root, world=world)
    span = _span(config, first, days)
    if overlays is not None:
        # Now, so that what lies beneath shows through when it is asked what lacks.
        from telco_pipeline.production import origin_of

        origin = origin_of(config, lake, DATASETS["places"])
        lake.bind(origin, config.to_dict(), overlays=overlays, replace=replace)
    stages = stages_of(config, lake, datasets, span[0], days)
    names = [name for name in DATASETS if any(name in stage.datasets for stage in stages)]
    of_world = sum(
        planning.partitions([name for name in one.datasets if name not in DERIVED], len(one.days))
        for one in stages
    )
    tally = _Tally(on_progress, of_world)
    operation = Operation(
        config=config,
        lake=lake,
        workers=workers,
        shards=shards,
        replace=replace,
        overlays=overlays,
        checked=checked,
        on_progress=tally.report,
        on_finding=tally.findings.append,
    )
    started = time.monotonic()
    # Every dataset's step would otherwise hire and dismiss processes of its own.
    results: list[dg.ExecuteInProcessResult] = []
    with _book(instance) as book, shared_crews() as dismiss:
        # Checks come last: the memory of who makes records is theirs then. What is made of records
        # comes after the checks of those, by workers who need no world.
        tally.when_made = dismiss
        for stage in stages:
            results.append(_execute(operation, stage, book))
            if not results[-1].success:
                break
    return _summary(results, operation, names, tally, time.monotonic() - started)


@dataclass(frozen=True)
class Stage:
    """What one run of Dagster makes.

    Attributes:
        datasets: The datasets, in the order of making.
        days: The days of those that have days.
    """

    datasets: list[str]
    days: list[dt.date]


def stages_of(
    config: WorldConfig,
    lake: Lake,
    datasets: Sequence[str] | None,
    first: dt.date,
    days: int,
) -> list[Stage]:
    """Return the runs that make some datasets: mostly one.

    State and identities of a day follow from all days since the epoch (`HISTORY`). Where earlier
    ones are not in the lake, runs before make them (and the world), in order of time, each only of
    the datasets and days that lack. What was asked for by name is made of all its days.

    Args:
        config: The world.
        lake: The lake.
        datasets: The datasets; None for all. What they are made from is added where it lacks.
        first: First day.
        days: Number of days.

    Raises:
        TelcoError: A dataset does not exist.
    """
    span = partitions.days_from(first, days)
    names = with_sources(config, lake, datasets, span)
    lacking = _lacking_history(config, lake, names, span)
    for name in lacking:
        if datasets is None or name in datasets:
            lacking[name] |= set(span)
    stages = _stages_of_history(lacking)
    rest = [name for name in names if name not in STATIC_DATASETS and name not in lacking]
    if stages and stages[-1].days == span:
        rest += stages.pop().datasets
    if rest:
        stages.append(Stage([name for name in DATASETS if name in rest], span))
    world = [name for name in DATASETS if name in names and name in STATIC_DATASETS]
    if not stages:
        return [Stage(world, span)]
    return [Stage([*world, *stages[0].datasets], stages[0].days), *stages[1:]]


def _stages_of_history(lacking: Mapping[str, set[dt.date]]) -> list[Stage]:
    """Return runs that make some days of `HISTORY`, one after the other in order of time.

    One run makes days without a break that lack the same datasets. All that a day is made from is
    of that day or of earlier ones, so it is there when its run begins.
    """
    stages: list[Stage] = []
    for day in sorted(set().union(*lacking.values())):
        names = [name for name in HISTORY if day in lacking.get(name, ())]
        last = stages[-1] if stages else None
        if last and last.datasets == names and last.days[-1] == day - dt.timedelta(days=1):
            last.days.append(day)
        else:
            stages.append(Stage(names, [day]))
    return stages


def _lacking_history(
    config: WorldConfig, lake: Lake, names: Sequence[str], span: Sequence[dt.date]
) -> dict[str, set[dt.date]]:
    """Return which days of `HISTORY` some datasets need that are not in the lake.

    Of who hangs on all days since the epoch those; of who looks at the network alone the eve and
    the days. A day that was made by other code, or of another world, is not there; and what follows
    from day to day is not there behind it either, as it may have been made from it. Behind a day
    that is merely lost it is: made again, that day has the rows that it had.
    """
    daily = [name for name in names if DATASETS[name].daily]
    first = max(span[0] - dt.timedelta(days=1), config.epoch)
    needed: tuple[str, ...] = ()
    if any(lineage.needs_history(name) for name in daily):
        needed, first = HISTORY, config.epoch
    elif any(lineage.needs_network(name) for name in daily):
        needed = HISTORY[:1]
    days = partitions.days_from(first, (span[-1] - first).days + 1)
    found = {name: {day: _is_current(config, lake, name, day) for day in days} for name in needed}
    other = [day for of in found.values() for day, current in of.items() if current is False]
    spoilt = {name: min(other) for name in needed if other and lineage.follows(name)}
    return {
        name: {
            day
            for day, current in of.items()
            if not current or spoilt.get(name, dt.date.max) <= day
        }
        for name, of in found.items()
    }


def _is_current(config: WorldConfig, lake: Lake, name: str, day: dt.date) -> bool | None:
    """Return whether a day is of this world, code and contract; None if it is not there.

    A day of the main world is also one of a world that lies over it, until they differ.
    """
    record = lake.provenance(name, day)
    if record is None:
        return None
    made = (record.code_version, record.contract_fingerprint)
    if made != (code_version(daily=True), DATASETS[name].fingerprint()):
        return False
    if record.world_hash == config.world_hash:
        return True
    # Here and not at the top: it takes long to load.
    from telco_pipeline.production import shows_through

    return shows_through(config, lake, record.world_hash, day)


def with_sources(
    config: WorldConfig, lake: Lake, datasets: Sequence[str] | None, days: Sequence[dt.date]
) -> list[str]:
    """Return the datasets, and what they are made from where the lake lacks it, in order."""
    if datasets is None:
        return list(DATASETS)
    wanted: set[str] = set()
    queue = list(datasets)
    while queue:
        name = queue.pop()
        if name not in DATASETS:
            raise TelcoError(f"dataset {name!r} does not exist: choose of {', '.join(DATASETS)}")
        if name not in wanted:
            wanted.add(name)
            sources = lineage.sources_of(name)
            queue.extend(each for each in sources if _lacks(config, lake, each, days))
    return [name for name in DATASETS if name in wanted]


def _lacks(config: WorldConfig, lake: Lake, name: str, days: Sequence[dt.date]) -> bool:
    """Return whether a source is missing; of a daily one, on any of the days or the first eve."""
    if not DATASETS[name].daily:
        return not lake.exists(name)
    eve = days[0] - dt.timedelta(days=1)
    first = [eve] if eve >= config.epoch and name in REACH_ON else []
    return not all(lake.exists(name, day) for day in [*first, *days])


def _span(config: WorldConfig, first: dt.date | None, days: int) -> list[dt.date]:
    if days < 1:
        raise TelcoError(f"{days} days: ask for 1 or more")
    span = partitions.days_from(first or config.epoch, days)
    check_day(config, span[0])
    check_day(config, span[-1])
    return span


@contextmanager
def _book(instance: dg.DagsterInstance | None) -> Iterator[dg.DagsterInstance]:
    """Return the instance in which Dagster keeps its book of the run."""
    if instance is not None:
        yield instance
        return
    home = os.environ.get("DAGSTER_HOME")
    with (
        _instance_of(home)
        if home
        else dg.DagsterInstance.ephemeral(settings=NO_TELEMETRY | logs.instance_settings()) as found
    ):
        yield found


def _instance_of(home: str) -> dg.DagsterInstance:
    path = Path(home).expanduser()
    if not path.is_absolute():
        raise TelcoError(f"DAGSTER_HOME is {home!r}: give it an absolute path, or unset it")
    if path.exists() and not path.is_dir():
        raise TelcoError(f"DAGSTER_HOME is {home!r}, a file: name a directory, or unset it")
    path.mkdir(parents=True, exist_ok=True)
    # Dagster would turn this process's stdout and stderr into files while a step runs, and copy
    # them to the terminal line by line; that ruins progress bars.
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(
            str(path), overrides=NO_CAPTURE | NO_TELEMETRY | logs.instance_settings()
        )
    )


def _execute(
    operation: Operation, stage: Stage, book: dg.DagsterInstance
) -> dg.ExecuteInProcessResult:
    names, span = stage.datasets, stage.days
    daily = partitions.daily_partitions(operation.config.epoch, until=span[-1])
    # No pool: without a daemon nobody gives back the slot of a run that was killed, and the next
    # one would wait for it for ever.
    # Another world is checked in the steps themselves: Dagster's checks speak of the main one.
    defs = build_defs(
        overrides={"operator": operation},
        config=operation.config,
        daily=daily,
        pool=None,
        checks=operation.main,
    )
    static = all(name in STATIC_DATASETS for name in names)
    name = WHAT_IF if not operation.main else BUILD_WORLD if static else OPERATE
    range_tags = {
        ASSET_PARTITION_RANGE_START_TAG: partitions.key_of(span[0]),
        ASSET_PARTITION_RANGE_END_TAG: partitions.key_of(span[-1]),
    }
    return defs.resolve_job_def(name).execute_in_process(
        run_config=QUIET,
        instance=book,
        tags={} if static else range_tags,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(each) for each in names],
    )


def _summary(
    results: Sequence[dg.ExecuteInProcessResult],
    operation: Operation,
    names: list[str],
    tally: _Tally,
    seconds: float,
) -> RunSummary:
    events = [event for result in results for event in result.all_events]
    failures = [failure for event in events if (failure := _failure(event))]
    failed = {failure.step for failure in failures}
    return RunSummary(
        run_id=results[-1].run_id,
        world=operation.lake.world,
        seconds=seconds,
        datasets=[tally.datasets[name] for name in names if name in tally.datasets],
        findings=tally.findings,
        failures=failures,
        skipped=[name for name in names if name not in tally.datasets and name not in failed],
        success=all(result.success for result in results),
    )


def _failure(event: dg.DagsterEvent) -> RunFailure | None:
    """Return what went wrong in a step; None for other events and for checks that failed."""
    if not event.is_step_failure:
        return None
    data = event.step_failure_data
    step = event.step_key or ""
    told = data.user_failure_data
    if told and told.description:
        return RunFailure(step, told.description, expected=True)
    error = data.error
    while error and error.cause:
        error = error.cause
    if error is None:
        return RunFailure(step, event.message or "failed", expected=False)
    if error.cls_name == "DagsterAssetCheckFailedError":
        return None
    return RunFailure(step, error.message.strip(), expected=False, details=error.to_string())


def run_report(
    config: WorldConfig,
    lake_root: str | Path,
    first: dt.date,
    days: int,
    *,
    instance: dg.DagsterInstance | None = None,
) -> list[RunFailure]:
    """Make the realism report of the main world in this process: the asset and its checks.

    Args:
        config: The world.
        lake_root: Where the lake lies.
        first: First day to measure.
        days: Number of days.
        instance: Where Dagster keeps its book; see `run_operator`.

    Returns:
        Steps that failed; a row out of band is none.
    """
    operation = Operation(config=config, lake=Lake(lake_root))
    defs = build_defs(overrides={"operator": operation}, config=config, pool=None)
    with _book(instance) as book:
        result = defs.resolve_job_def(REALISM).execute_in_process(
            run_config=QUIET | config_of(first, days), instance=book, raise_on_error=False
        )
    return [failure for event in result.all_events if (failure := _failure(event))]
