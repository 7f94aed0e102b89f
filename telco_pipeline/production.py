"""Production: makes partitions of datasets and puts them into the lake.

Belongs here: which inputs a dataset needs, the loop over days, parts, shards and workers, the
commit. Does not belong here: what is in a row (`world`, `generators`), Dagster.

The main process only plans and commits; parts are made by `workers`.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from telco_pipeline.code_version import code_version
from telco_pipeline.contracts import DATASETS, STATIC_DATASETS, Dataset
from telco_pipeline.contracts.state import REACH_ON
from telco_pipeline.counterfactuals import first_difference
from telco_pipeline.engine.parts import Part, parts
from telco_pipeline.engine.parts import shards as dealt_shards
from telco_pipeline.errors import TelcoError
from telco_pipeline.generators import GENERATORS
from telco_pipeline.lake import FileStats, Lake, Origin, PendingPartition
from telco_pipeline.scenarios.story import layers_of
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
        layers={name: layer.layer_hash for name, layer in layers_of(config).items()},
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
    overlays: str | None = None,
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
        overlays: For a world that holds only what differs: hash of the main world beneath.
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
    origin = origin_of(config, lake, dataset)
    lake.bind(origin, config.to_dict(), overlays=overlays, replace=replace)
    if dataset.daily:
        _check_static(config, lake)
        _check_days(config, lake, dataset, wanted)
    else:
        _check_inputs(config, lake, dataset)
    with crew_for(config, lake, workers if _is_work(config, lake, dataset, wanted) else 1) as crew:
        made: list[PartitionReport] = []
        # A day that is made from the one before waits until that is in the lake.
        for days_at_once in _steps(dataset, wanted):
            made += _produce(config, lake, dataset, days_at_once, shards or workers, crew, progress)
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
    origin = origin_of(config, lake, dataset)
    reports: list[PartitionReport] = []
    with ExitStack() as stack:
        opened: dict[dt.date | None, _Open] = {}
        dealt = {day: dealt_shards(_parts(config, lake, dataset, day), shard_count) for day in days}
        work = [(day, share) for day, shares in dealt.items() for share in shares]

        def task_of(place: int) -> Task:
            day, share = work[place]
            if day not in opened:
                pending = stack.enter_context(lake.begin(dataset.name, day, origin))
                opened[day] = _Open(pending, len(dealt[day]))
            return Task(dataset.name, day, tuple(share), opened[day].pending.directory)

        for task, stats, seconds in crew.make(len(work), task_of):
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


def _check_days(
    config: WorldConfig, lake: Lake, dataset: Dataset, wanted: Sequence[dt.date | None]
) -> None:
    """Refuse to make days without the days of other datasets that they are made from."""
    own = [day for day in wanted if day is not None]
    for name in dataset.depends:
        if DATASETS[name].daily:
            for day in days_behind(config, dataset, name, own):
                _check_made(config, lake, name, day)
    if dataset.follows:
        for day in own:
            eve = day - dt.timedelta(days=1)
            if day > config.epoch and eve not in own:
                _check_made(config, lake, dataset.name, eve)


def days_behind(
    config: WorldConfig, dataset: Dataset, source: str, days: Sequence[dt.date]
) -> list[dt.date]:
    """Return the days of a daily source that must be there for some days of a dataset.

    The same days; of state the eves too, as what begins before midnight is drawn again. (What
    counts records takes those of the eve too, but only where they are in the lake.)
    """
    found = set(days)
    if source in REACH_ON and not dataset.follows:
        found |= {day - dt.timedelta(days=1) for day in days if day > config.epoch}
    return sorted(found)


def _steps(dataset: Dataset, days: Sequence[dt.date | None]) -> list[Sequence[dt.date | None]]:
    """Return days that may be made at once, in the order in which they must be made."""
    if not dataset.follows:
        return [days]
    return [[day] for day in sorted(day for day in days if day is not None)]


def _check_made(config: WorldConfig, lake: Lake, name: str, day: dt.date | None = None) -> None:
    """Refuse an input that is missing, of another world, or not what its provenance says."""
    provenance = lake.provenance(name, day)
    told = name if day is None else f"{name} of {day}"
    if provenance is None:
        raise TelcoError(
            f"{lake.root} has no {told} yet: make it first, with `{lake.command(name, day, day)}`"
        )
    if provenance.world_hash != config.world_hash and not shows_through(
        config, lake, provenance.world_hash, day
    ):
        raise TelcoError(
            f"{told} in {lake.root} is of another world ({provenance.world_hash}, not "
            f"{config.world_hash}): make it anew with `{lake.command(name, day, day)} --replace`"
        )
    if day is not None and DATASETS[name].group != "state":
        return  # its own checks have looked at its files
    # XXH3 takes 10 ms for the registry of a million subscribers, once for a range of days.
    if damage := lake.damage(name, day):
        raise TelcoError(
            f"{lake.directory(name, day)} is not as it was made ({'; '.join(damage.values())}), "
            f"and other datasets are made from it: make it anew with "
            f"`{lake.command(name, day, day)}`"
        )


def shows_through(config: WorldConfig, lake: Lake, world_hash: str, day: dt.date | None) -> bool:
    """Return whether a partition of the main world is one of a world that lies over it too.

    Static datasets do not hang on layers; days are the same until the worlds begin to differ.
    """
    held = lake.held_world()
    if held is None or held.overlays != world_hash:
        return False
    return day is None or day < _first_difference(config, str(lake.root))


@lru_cache(maxsize=4)
def _first_difference(config: WorldConfig, root: str) -> dt.date:
    """Return the first day on which a world can differ from the main one in its lake."""
    main = Lake(root).held_world()
    if main is None or main.config is None:
        return config.epoch
    return first_difference(WorldConfig.model_validate(main.config), config)


def _is_work(
    config: WorldConfig, lake: Lake, dataset: Dataset, days: Sequence[dt.date | None]
) -> bool:
    """Return whether workers make a dataset rather than this process.

    They make what has several parts, and of a large world all that takes the registry: this
    process would load a world of its own for a single part, and keep the memory.
    """
    several = len(parts(config.subscribers, config.part_size)) > 1
    if several and (dataset.daily or "subscribers" in dataset.depends):
        return True
    return sum(len(_parts(config, lake, dataset, day)) for day in days) > 1


def _parts(config: WorldConfig, lake: Lake, dataset: Dataset, day: dt.date | None) -> list[Part]:
    """Return the parts of a dataset's partition: fixed by the world, never by the workers."""
    if dataset.name == "subscribers":
        return parts(config.subscribers, config.part_size)
    if dataset.name == "prospects":
        return [Part(0, config.subscribers, config.all_subscribers)]
    if day is None or dataset.whole:
        return [Part(0, 0, 0)]
    if GENERATORS[dataset.name].entities == "subscribers":
        return parts(config.joined_by(day), config.part_size)
    return parts(lake.rows("network_elements"), config.part_size)
