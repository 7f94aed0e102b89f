"""Production: makes partitions of datasets and puts them into the lake.

Belongs here: which inputs a dataset needs, the loop over days, parts, shards and workers, the
commit. Does not belong here: what is in a row (`world`, `generators`), Dagster.

The main process only plans and commits; parts are made by `workers`.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from telco_pipeline.code_version import code_version
from telco_pipeline.contracts import DATASETS, STATIC_DATASETS, Dataset
from telco_pipeline.engine.parts import Part, parts
from telco_pipeline.engine.parts import shards as dealt_shards
from telco_pipeline.errors import TelcoError
from telco_pipeline.generators import GENERATORS
from telco_pipeline.lake import FileStats, Lake, Origin, PendingPartition
from telco_pipeline.settings import WorldConfig, check_day
from telco_pipeline.workers import Crew, Task, crew_for


@dataclass(frozen=True)
class PartitionReport:
    """What was made: one partition in the lake.

    Attributes:
        dataset: Name of the dataset.
        day: Day of the partition; None for a static dataset.
        rows: Rows written.
        bytes: Size of the files.
        files: Number of files.
        content_hash: Hash of the files' content, equal for equal rows in equal order.
        seconds: Time of the making, summed over workers.
        path: Directory of the partition.
    """

    dataset: str
    day: dt.date | None
    rows: int
    bytes: int
    files: int
    content_hash: str
    seconds: float
    path: str


Progress = Callable[[PartitionReport], None]


@dataclass
class _Open:
    """A partition that is being made."""

    pending: PendingPartition
    tasks: int
    stats: list[FileStats] = field(default_factory=list)
    seconds: float = 0.0


def origin_of(config: WorldConfig, lake: Lake, dataset: Dataset) -> Origin:
    """Return where a dataset's rows of this world come from."""
    return Origin(
        seed=config.seed,
        world_hash=config.world_hash,
        world_name=lake.world,
        layers={},
        code_version=code_version(daily=dataset.daily),
    )


def produce(
    config: WorldConfig,
    lake: Lake,
    name: str,
    days: Sequence[dt.date] | None = None,
    *,
    workers: int = 1,
    shards: int | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> list[PartitionReport]:
    """Make one dataset's partitions of some days (or its only one) and commit them to the lake.

    Rows and their order depend neither on `workers` nor on `shards`.

    Args:
        config: The world.
        lake: Where the partitions go.
        name: Name of the dataset.
        days: Days of a daily dataset; None for a static one.
        workers: Processes that make parts; 1 makes them in this process.
        shards: How many shares the parts of a partition are dealt out to; as many as workers if
            not given.
        replace: Remove the partitions of another world that lies in the lake.
        progress: Told of each partition when it is in the lake.

    Returns:
        A report per partition, in the order of the days.

    Raises:
        TelcoError: An unknown dataset, a day before the epoch, another world in the lake, static
            datasets that are missing, a disk that refuses.
    """
    dataset = _dataset(name)
    wanted = _wanted_days(config, dataset, days)
    if workers < 1:
        raise TelcoError(f"--workers: must be 1 or more, not {workers}")
    if shards is not None and shards < 1:
        raise TelcoError(f"--shards: must be 1 or more, not {shards}")
    lake.bind(origin_of(config, lake, dataset), config.to_dict(), replace=replace)
    if dataset.daily:
        _check_static(config, lake)
    else:
        _check_inputs(config, lake, dataset)
    pool = workers if len(_parts(config, lake, dataset)) * len(wanted) > 1 else 1
    with crew_for(config, lake, pool) as crew:
        made = _produce(config, lake, dataset, wanted, shards or workers, crew, progress)
    return sorted(made, key=lambda report: report.day or config.epoch)


def _produce(
    config: WorldConfig,
    lake: Lake,
    dataset: Dataset,
    days: Sequence[dt.date | None],
    shard_count: int,
    crew: Crew,
    progress: Progress | None,
) -> list[PartitionReport]:
    """Make partitions, a few at a time, and commit each when all its parts are there."""
    all_parts = _parts(config, lake, dataset)
    origin = origin_of(config, lake, dataset)
    reports: list[PartitionReport] = []
    with ExitStack() as stack:
        opened: dict[dt.date | None, _Open] = {}

        def tasks() -> Iterator[Task]:
            for day in days:
                pending = stack.enter_context(lake.begin(dataset.name, day, origin))
                dealt = dealt_shards(all_parts, shard_count)
                opened[day] = _Open(pending, len(dealt))
                for share in dealt:
                    yield Task(dataset.name, day, tuple(share), pending.directory)

        for task, stats, seconds in crew.make(tasks()):
            partition = opened[task.day]
            partition.stats.extend(stats)
            partition.seconds += seconds
            partition.tasks -= 1
            if not partition.tasks:
                del opened[task.day]
                path = lake.directory(dataset.name, task.day)
                report = _commit(dataset, task.day, partition, path)
                reports.append(report)
                if progress is not None:
                    progress(report)
    return reports


def _commit(dataset: Dataset, day: dt.date | None, partition: _Open, path: Path) -> PartitionReport:
    provenance = partition.pending.commit(
        partition.stats, seconds=partition.seconds, contract=dataset
    )
    return PartitionReport(
        dataset=dataset.name,
        day=day,
        rows=provenance.rows,
        bytes=provenance.bytes,
        files=len(provenance.files),
        content_hash=provenance.content_hash,
        seconds=partition.seconds,
        path=str(path),
    )


def _dataset(name: str) -> Dataset:
    if name not in DATASETS:
        raise TelcoError(f"there is no dataset {name!r}: choose from {', '.join(DATASETS)}")
    return DATASETS[name]


def _wanted_days(
    config: WorldConfig, dataset: Dataset, days: Sequence[dt.date] | None
) -> list[dt.date | None]:
    if not dataset.daily:
        if days is not None:
            raise TelcoError(f"{dataset.name} has one partition in all, none by day")
        return [None]
    if not days:
        raise TelcoError(f"{dataset.name} has a partition a day: name at least one day")
    for day in days:
        check_day(config, day)
    return list(dict.fromkeys(days))


def _check_static(config: WorldConfig, lake: Lake) -> None:
    """Refuse to make records of a world whose static datasets are not all there."""
    for name in STATIC_DATASETS:
        _check_made(config, lake, name)


def _check_inputs(config: WorldConfig, lake: Lake, dataset: Dataset) -> None:
    for name in dataset.depends:
        _check_made(config, lake, name)


def _check_made(config: WorldConfig, lake: Lake, name: str) -> None:
    """Refuse an input that is missing, of another world, or not what its provenance says."""
    provenance = lake.provenance(name)
    if provenance is None:
        raise TelcoError(
            f"{lake.root} has no {name} yet: make it first, with `{lake.command(name)}`"
        )
    if provenance.world_hash != config.world_hash:
        raise TelcoError(
            f"{name} in {lake.root} is of another world ({provenance.world_hash}, not "
            f"{config.world_hash}): make it anew with `{lake.command(name)} --replace`"
        )
    # XXH3 takes 10 ms for the registry of a million subscribers, once for a range of days.
    if damage := lake.damage(name):
        raise TelcoError(
            f"{lake.directory(name)} is not as it was made ({'; '.join(damage.values())}), and "
            f"other datasets are made from it: make it anew with `{lake.command(name)}`"
        )


def _parts(config: WorldConfig, lake: Lake, dataset: Dataset) -> list[Part]:
    """Return the parts of a dataset's partition: fixed by the world, never by the workers."""
    if dataset.name == "subscribers":
        return parts(config.subscribers, config.part_size)
    if not dataset.daily:
        return [Part(0, 0, 0)]
    entities = GENERATORS[dataset.name].entities
    count = config.subscribers if entities == "subscribers" else lake.rows(entities)
    return parts(count, config.part_size)
