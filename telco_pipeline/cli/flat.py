"""`telco flat`: the flat Belgian CDR table, made and loaded in one go.

Belongs here: options, days made ahead of the load, what is shown. Does not belong here: the rows
(`warehouse.flat`), the settings (`settings.flat`), making records (`production`), the database
(`warehouse.loading`).

The records are made straight into a lake of the table's own, without Dagster and its checks: of
what a row needs and nothing more. While a day is loaded, the next one is made.
"""

import datetime as dt
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    import polars as pl

    from telco_pipeline.lake import Lake
    from telco_pipeline.settings import WorldConfig
    from telco_pipeline.settings.flat import FlatPreset
    from telco_pipeline.settings.world_file import WorldFile
    from telco_pipeline.warehouse.flat import Ground

DEFAULT_ROWS: Final = 10_000_000
DEFAULT_LAKE: Final = "data/flat"
_MOST_ROWS: Final = 100_000_000_000
# `auto` subscribers: so many that the rows are those of about three days, so that there are days to
# ask for; beyond the largest size it takes more days.
_DAYS_WANTED: Final = 3
_SPARE: Final = 1.04  # the estimate is right within a few percent
_FEWEST_SUBSCRIBERS: Final = 200
_MOST_SUBSCRIBERS: Final = 40_000
_SAMPLE: Final = 10_000
# Rows of the table for each record of its dataset, measured: calls and messages between two of our
# subscribers have two records, those that a voicemail takes one more.
_ROWS_PER_RECORD: Final = {"VOICE": 0.84, "SMS": 0.83, "DATA": 1.0}


@dataclass(frozen=True)
class Order:
    """What is to be made.

    Attributes:
        rows: How many rows.
        types: Their call types.
        config: Their world.
        lake: Where its records go.
        workers: Processes at a time.
        replace: Whether another world's records there give way.
    """

    rows: int
    types: tuple[str, ...]
    config: "WorldConfig"
    lake: "Lake"
    workers: int
    replace: bool


@dataclass(frozen=True)
class FlatDay:
    """A day of the table.

    Attributes:
        day: The day.
        rows: Rows of it that are wanted.
        whole: Rows that it has.
        frames: Returns the wanted rows in frames.
    """

    day: dt.date
    rows: int
    whole: int
    frames: "Callable[[], Iterator[pl.DataFrame]]"

    @property
    def is_cut(self) -> bool:
        """Whether only its first rows by time are wanted."""
        return self.rows < self.whole


Tell = Callable[[str, int], None]


def flat(
    rows: Annotated[
        int,
        typer.Option(
            "--rows", metavar="N", help="Exactly so many rows.", rich_help_panel=options.SIZE
        ),
    ] = DEFAULT_ROWS,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="FILE",
            help="Settings of the table; default: scenarios/flat_cdrs.yaml.",
            rich_help_panel=options.SIZE,
        ),
    ] = None,
    subscribers: options.Subscribers = None,
    seed: options.Seed = None,
    world_file: options.WorldFile = None,
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            metavar="URL",
            help="The database; default: $TELCO_DATABASE_URL or duckdb:///data/flat.duckdb.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            "--schema",
            metavar="NAME",
            help="Schema of the table; default: $TELCO_DATABASE_SCHEMA or the database's own.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="A file instead of a database: its name ends with .csv or .parquet.",
            rich_help_panel=options.WHERE,
        ),
    ] = None,
    lake: Annotated[
        str,
        typer.Option(
            "--lake",
            metavar="DIR",
            help="Where the records are made.",
            rich_help_panel=options.WHERE,
        ),
    ] = DEFAULT_LAKE,
    world: options.World = "main",
    workers: options.Workers = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Remove another world's records and rows of this table, or an earlier file.",
            rich_help_panel=options.HOW,
        ),
    ] = False,
) -> None:
    """Make the flat Belgian CDR table: calls, messages and data in one table of 23 columns.

    The preset says which world the rows are of: market shares, call types, bounds of duration,
    altitude, latitude and longitude, the number of antennas, and the table's name. What lies
    outside the bounds does not arise. Whole days are made; of the last one the first rows by time
    are taken, so that there are exactly N. The same command gives the same rows; days that are
    there already stay.

    For example:

      telco flat --rows 100000

      telco flat --database-url postgresql://user:password@localhost/telco

      telco flat --rows 1000000 --to data/flat_cdrs.parquet
    """
    from telco_pipeline.settings import Settings
    from telco_pipeline.settings.flat import load_preset

    if not 1 <= rows <= _MOST_ROWS:
        raise TelcoError(f"--rows must be from 1 to {_MOST_ROWS:,}, not {rows:,}")
    options.at_least_one("--subscribers", subscribers)
    options.at_least_one("--workers", workers)
    if to is not None and (database_url is not None or schema is not None):
        raise TelcoError("--to and --database-url: name a file or a database, not both")
    chosen, source = load_preset(None if preset is None else Path(preset))
    config = _world(rows, chosen, source, world_file, subscribers, seed)

    from telco_pipeline.cli import flat_target
    from telco_pipeline.lake import Lake

    order = Order(
        rows=rows,
        types=chosen.call_types,
        config=config,
        lake=Lake(options.lake_root(lake), world),
        workers=workers or Settings.from_env().workers,
        replace=replace,
    )
    check(order)
    if to is not None:
        flat_target.into_file(order, Path(to))
    else:
        flat_target.into_database(order, chosen.table, database_url, schema)


def _world(
    rows: int,
    preset: "FlatPreset",
    source: "WorldFile",
    world_file: str | None,
    subscribers: int | None,
    seed: int | None,
) -> "WorldConfig":
    """Return the world of the rows; its size follows from their number unless one is named."""
    from telco_pipeline.settings.flat import AUTO, world_of

    file = None if world_file is None else Path(world_file)
    size = subscribers or preset.subscribers
    if size != AUTO:
        return world_of(preset, source, file, subscribers=int(size), seed=seed)
    sample = world_of(preset, source, file, subscribers=_SAMPLE, seed=seed)
    wanted = rows * _SPARE * _SAMPLE / _estimate(sample, preset.call_types)
    size = min(max(round(wanted), _FEWEST_SUBSCRIBERS), _MOST_SUBSCRIBERS)
    return world_of(preset, source, file, subscribers=size, seed=seed)


def _estimate(config: "WorldConfig", types: tuple[str, ...]) -> float:
    """Return how many rows a world has in the days that are aimed at, about."""
    from telco_pipeline import planning
    from telco_pipeline.warehouse.flat import DATASET_OF

    names = {DATASET_OF[kind]: _ROWS_PER_RECORD[kind] for kind in types}
    records = planning.rows(config, names, config.epoch, _DAYS_WANTED)
    expected = sum(records[name] * share for name, share in names.items())
    if expected <= 0:
        raise TelcoError("the world makes no such records: see record_weights in its world file")
    return expected


def check(order: Order) -> None:
    """See to it, before anything is touched, that the world can be and the lake may take it.

    Raises:
        TelcoError: The lake holds another world, or the bounds leave no room.
    """
    from telco_pipeline.contracts import DATASETS
    from telco_pipeline.lake.worlds import refuse_other_world
    from telco_pipeline.production import origin_of
    from telco_pipeline.warehouse.flat import DATASET_OF
    from telco_pipeline.world.places import build_places
    from telco_pipeline.world.radio import plan_radio

    held = None if order.replace else order.lake.held_world()
    if held is not None:
        origin = origin_of(order.config, order.lake, DATASETS[DATASET_OF[order.types[0]]])
        refuse_other_world(order.lake.root, held, origin, order.config.to_dict())
    if held is None or not order.lake.exists("sites"):
        plan_radio(order.config, build_places(order.config))


def steps_of(order: Order) -> int:
    """Return about how many partitions and frames there will be."""
    from telco_pipeline.contracts import DATASETS
    from telco_pipeline.warehouse.flat import DATASET_OF

    config, names = order.config, options.with_inputs([DATASET_OF[kind] for kind in order.types])
    daily = sum(DATASETS[name].daily for name in names)
    days = round(order.rows * _DAYS_WANTED / _estimate(config, order.types) + 0.5)
    frames = len(order.types) * -(-config.subscribers // config.part_size)
    return len(names) - daily + days * (daily + frames)


def made_days(order: Order, tell: Tell) -> Generator[FlatDay]:
    """Make days until there are rows enough; the next one while the last one is being taken.

    Who stops before its end closes it: it waits for what is just being made.

    Args:
        order: What is wanted.
        tell: Told of each partition that is made, and its rows.

    Raises:
        TelcoError: Records cannot be made.
    """
    from telco_pipeline.settings import check_day
    from telco_pipeline.warehouse import flat as rows_of
    from telco_pipeline.workers import shared_crews

    day, left = order.config.epoch, order.rows
    with shared_crews(), ThreadPoolExecutor(1, "telco-flat") as ahead:
        _make(order, day, tell)
        ground = rows_of.Ground.of(order.lake)
        while True:
            whole = rows_of.count_rows(order.lake, day, order.types, ground)
            following = day + dt.timedelta(days=1)
            coming = None
            if whole < left:
                check_day(order.config, following)
                coming = ahead.submit(copy_context().run, _make, order, following, tell)
            wanted = min(whole, left)
            yield FlatDay(day, wanted, whole, _frames(order, day, wanted < whole, wanted, ground))
            left -= wanted
            if coming is None:
                return
            coming.result()
            day = following


def _frames(
    order: Order, day: dt.date, is_cut: bool, wanted: int, ground: "Ground"
) -> "Callable[[], Iterator[pl.DataFrame]]":
    """Return what gives the rows of a day: all, or the first ones by time."""
    from telco_pipeline.warehouse import flat as rows_of

    def whole() -> "Iterator[pl.DataFrame]":
        return rows_of.day_frames(order.lake, day, order.types, ground)

    def first() -> "Iterator[pl.DataFrame]":
        chosen = rows_of.first_rows(whole(), wanted)
        return (frame.filter(chosen) for frame in whole())

    return first if is_cut else whole


def _make(order: Order, day: dt.date, tell: Tell) -> None:
    """Make what lacks of a day, and of what it is made from."""
    from telco_pipeline.contracts import DATASETS
    from telco_pipeline.engine.memory import give_back_memory
    from telco_pipeline.production import produce
    from telco_pipeline.warehouse.flat import DATASET_OF

    for name in options.with_inputs([DATASET_OF[kind] for kind in order.types]):
        days = [day] if DATASETS[name].daily else None
        if _is_there(order, name, day if days else None):
            continue
        made = produce(
            order.config,
            order.lake,
            name,
            days,
            workers=order.workers,
            replace=order.replace,
        )
        for report in made:
            tell(f"{name} {report.day}" if report.day else name, report.rows)
    give_back_memory()  # what is made in this process leaves some hundred megabytes behind


def _is_there(order: Order, name: str, day: dt.date | None) -> bool:
    """Return whether the lake has a partition of this world, made by this code."""
    from telco_pipeline.code_version import code_version
    from telco_pipeline.contracts import DATASETS

    made = order.lake.provenance(name, day)
    return (
        made is not None
        and made.world_hash == order.config.world_hash
        and made.code_version == code_version(daily=day is not None)
        and made.contract_fingerprint == DATASETS[name].fingerprint()
    )
