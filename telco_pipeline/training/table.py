"""The table: features, labels and splits, one row for each entity and cut-off.

Belongs here: what is asked for, the rows in their order, the file. Does not belong here: what the
columns are (`features`, `labels`, `splits`).
"""

import datetime as dt
import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow.parquet as pq

from telco_pipeline.contracts.codes import EntityKind
from telco_pipeline.errors import TelcoError
from telco_pipeline.exports.directory import check_above
from telco_pipeline.lake import Lake
from telco_pipeline.scenarios.story import layers_of
from telco_pipeline.settings import WorldConfig
from telco_pipeline.training import labels, splits
from telco_pipeline.training.features import GROUP, KEYS, features_of, rows_at, sources_of
from telco_pipeline.training.measures import Sketches

CUT_OFF: Final = "cut_off"
NOTE: Final = b"telco_training"
"""Key of the file's metadata by which a training table is known."""

Progress = Callable[[str, int, int], None]
"""Told of each step: what was done, how many steps are done, and how many there are."""


@dataclass(frozen=True)
class Wanted:
    """What table to make.

    Attributes:
        layer: Name of the layer whose truth labels the rows.
        window: Days before a cut-off that features see.
        every: Days from one cut-off to the next.
        ahead: Days after a cut-off in which a stage is predicted.
        entity: Whose rows; None for what the layer touches first.
        stages: Stages that make an entity active; None for all. See `labels.touched`.
        first, last: First and last cut-off, at most; None for all that the lake has a window for.
    """

    layer: str
    window: int = 7
    every: int = 1
    ahead: int = 3
    entity: EntityKind | None = None
    stages: tuple[str, ...] | None = None
    first: dt.date | None = None
    last: dt.date | None = None


@dataclass(frozen=True)
class Made:
    """What a table holds.

    Attributes:
        entity: Whose rows.
        cut_offs: The cut-offs.
        rows, active, ahead, benign: Numbers of rows: all, and those with each label.
        splits: Rows and active ones by split.
        trained_until, tested_from: Last cut-off of the earlier and first of the later period.
    """

    entity: EntityKind
    cut_offs: tuple[dt.date, ...]
    rows: int
    active: int
    ahead: int
    benign: int
    splits: dict[str, tuple[int, int]]
    trained_until: dt.date
    tested_from: dt.date


class Training:
    """A table to be: checked, and its rows made cut-off by cut-off.

    Attributes:
        wanted: What was asked for.
        entity: Whose rows.
        cut_offs: The cut-offs, in order.
        trained_until, tested_from: The periods of the splits.
    """

    def __init__(self, config: WorldConfig, lake: Lake, wanted: Wanted) -> None:
        """Check that a lake has what a table needs.

        Raises:
            TelcoError: The layer is not on, or days, datasets or the truth are missing.
        """
        layers = layers_of(config)
        if wanted.layer not in layers:
            on = ", ".join(layers) or "none"
            raise TelcoError(
                f"layer {wanted.layer!r} is not on in the world in {lake.root}; on are: {on}"
            )
        layer = layers[wanted.layer]
        kinds = labels.kinds_of(layer)
        self.entity = wanted.entity or kinds[0]
        if self.entity not in kinds:
            raise TelcoError(
                f"layer {wanted.layer} touches no {self.entity}; it touches "
                f"{' and '.join(kinds)}: choose one with --entity"
            )
        self.wanted, self._config, self._lake = wanted, config, lake
        self.cut_offs = _cut_offs(lake, self.entity, wanted)
        self.trained_until, self.tested_from = splits.periods(
            self.cut_offs, wanted.window, wanted.ahead
        )
        eve = self.cut_offs[-1] - dt.timedelta(days=1)
        self._truth = labels.touched(lake, wanted.layer, layer, self.entity, eve, wanted.stages)

    def sketches(self, directory: Path) -> Sketches:
        """Return empty sketches for these rows, in a directory that exists."""
        zone, home = self._config.time_zone, f"+{self._config.numbering.country_code}"
        return Sketches(self._lake, sources_of(self.entity), directory, zone, home)

    def rows(self, sketches: Sketches, cut_off: dt.date) -> pl.DataFrame:
        """Return the rows of a cut-off, by entity.

        Args:
            sketches: Of this lake and kind of entity; days that it lacks are counted.
            cut_off: The cut-off.
        """
        wanted = self.wanted
        for offset in range(wanted.window, 0, -1):
            sketches.add(cut_off - dt.timedelta(days=offset))
        try:
            found = rows_at(self._lake, sketches, self.entity, cut_off, wanted.window)
        except pl.exceptions.PolarsError as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TelcoError(
                f"{self._lake.root} cannot be read ({reason}): `telco check` tells which file"
            ) from error
        key = KEYS[self.entity]
        told = labels.labels_at(self._truth, cut_off, wanted.window, wanted.ahead)
        told = told.with_columns(pl.col("entity_id").cast(found.schema[key]))
        knows = labels.knows_ahead(self._truth, cut_off, wanted.ahead)
        nothing_ahead = pl.lit(False if knows else None, dtype=pl.Boolean)
        folds = splits.folds(found[GROUP], self._config.seed)
        return (
            found.with_columns(folds)
            .join(told, left_on=key, right_on="entity_id", how="left", maintain_order="left")
            .select(
                key,
                pl.lit(dt.datetime.combine(cut_off, dt.time(), dt.UTC))
                .cast(pl.Datetime("us", "UTC"))
                .alias(CUT_OFF),
                *(one.name for one in features_of(self.entity)),
                pl.col("active").fill_null(value=False),
                pl.col("active_hours").fill_null(0.0),
                pl.col("ahead").fill_null(nothing_ahead) if knows else nothing_ahead.alias("ahead"),
                pl.col("benign").fill_null(value=False),
                "incident_id",
                splits.FOLD,
                splits.split_at(cut_off, self.trained_until, self.tested_from),
            )
        )

    def frames(self, directory: Path, progress: Progress | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows of each cut-off, in order.

        Args:
            directory: Where what was counted of each day may lie meanwhile; it exists.
            progress: Told of each cut-off.
        """
        with self.sketches(directory) as sketches:
            for number, cut_off in enumerate(self.cut_offs, 1):
                yield self.rows(sketches, cut_off)
                if progress:
                    progress(f"cut-off {cut_off}", number, len(self.cut_offs))


def write(
    config: WorldConfig,
    lake: Lake,
    wanted: Wanted,
    out: Path,
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> Made:
    """Write a table into a Parquet file, which appears whole or not at all.

    The same lake and the same wish give the same rows.

    Args:
        config: The world.
        lake: Its lake.
        wanted: What table.
        out: File to be.
        replace: Whether an earlier training table may be replaced; anything else never is.
        progress: Told of each cut-off.

    Raises:
        TelcoError: Something lies there already, or the lake lacks what is needed.
    """
    check_target(out, replace=replace)
    training = Training(config, lake, wanted)
    tallies: list[pl.DataFrame] = []
    with _staged(out) as directory:
        file = directory / "table.parquet"
        writer: pq.ParquetWriter | None = None
        try:
            for frame in training.frames(directory, progress):
                rows = frame.to_arrow()
                if writer is None:
                    about = json.dumps(_about(config, training), default=str).encode()
                    schema = rows.schema.with_metadata({NOTE: about})
                    writer = pq.ParquetWriter(file, schema, compression="zstd")
                writer.write_table(rows.cast(writer.schema))
                tallies.append(_tally(frame))
        finally:
            if writer is not None:
                writer.close()
        # Again: making it may have taken long, and somebody may have put something there.
        check_target(out, replace=replace)
        file.replace(out)
    return _made(training, pl.concat(tallies))


def check_target(out: Path, *, replace: bool) -> None:
    """Refuse a file that may not be replaced.

    Raises:
        TelcoError: With what lies there, and what to do.
    """
    check_above(out)
    if out.is_dir():
        raise TelcoError(f"{out} is a directory: name a file with --out, such as table.parquet")
    if not out.exists():
        return
    if not _is_table(out):
        raise TelcoError(f"{out} is there and is no training table: choose another --out")
    if not replace:
        raise TelcoError(
            f"{out} is a training table already: choose another --out, or replace it with --replace"
        )


def _is_table(path: Path) -> bool:
    try:
        return NOTE in (pq.read_schema(path).metadata or {})
    except (OSError, ValueError):  # PyArrow's errors are ValueErrors
        return False


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """Give a directory beside a file to be; it is removed in the end."""
    directory = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _cut_offs(lake: Lake, kind: EntityKind, wanted: Wanted) -> tuple[dt.date, ...]:
    """Return the cut-offs for which a lake has a whole window."""
    names = [source.dataset for source in sources_of(kind)]
    there: set[dt.date] | None = None
    for name in names:
        days = set(lake.days(name))
        if not days:
            raise TelcoError(
                f"{lake.root} has no {name}: make it with `{lake.command(','.join(names))}`"
            )
        there = days if there is None else there & days
    there = there or set()
    known = sorted(there)
    if not known:
        raise TelcoError(f"{lake.root} has no day of all of {', '.join(names)}")
    day = dt.timedelta(days=1)
    begin = max(known[0] + wanted.window * day, wanted.first or dt.date.min)
    end = min(known[-1] + day, wanted.last or dt.date.max)
    found = tuple(begin + offset * day for offset in range(0, (end - begin).days + 1, wanted.every))
    if not found:
        asked = f" before a cut-off from {wanted.first} on" if wanted.first else ""
        raise TelcoError(
            f"{lake.root} has no window of {wanted.window} days{asked}: it has {known[0]} to "
            f"{known[-1]}; take a shorter --window, or make more days"
        )
    needed = (found[0] - wanted.window * day, found[-1])
    absent = next(
        (
            needed[0] + offset * day
            for offset in range((needed[1] - needed[0]).days)
            if needed[0] + offset * day not in there
        ),
        None,
    )
    if absent is not None:
        lacking = next(name for name in names if absent not in set(lake.days(name)))
        raise TelcoError(
            f"{lake.root} has no {lacking} of {absent}, which lies in a window: make it with "
            f"`{lake.command(lacking, absent, absent)}`"
        )
    return found


def _tally(frame: pl.DataFrame) -> pl.DataFrame:
    """Return how many rows a cut-off has, and how many of them have each label, by split."""
    sums = [pl.col(name).sum() for name in ("active", "ahead", "benign")]
    return frame.group_by(splits.SPLIT).agg(pl.len(), *sums)


def _made(training: Training, tallies: pl.DataFrame) -> Made:
    sums = {name: int(tallies[name].sum()) for name in ("len", "active", "ahead", "benign")}
    by_split = {
        str(name): (int(rows["len"].sum()), int(rows["active"].sum()))
        for (name,), rows in tallies.drop_nulls(splits.SPLIT).group_by(splits.SPLIT)
    }
    names: Sequence[str] = (splits.TRAIN, splits.VALIDATION, splits.TEST)
    return Made(
        training.entity,
        training.cut_offs,
        sums["len"],
        sums["active"],
        sums["ahead"],
        sums["benign"],
        {name: by_split.get(name, (0, 0)) for name in names},
        training.trained_until,
        training.tested_from,
    )


def _about(config: WorldConfig, training: Training) -> dict[str, Any]:
    """Return what a table is, for its metadata."""
    wanted = training.wanted
    return {
        "layer": wanted.layer,
        "entity": training.entity,
        "window_days": wanted.window,
        "every_days": wanted.every,
        "ahead_days": wanted.ahead,
        "stages": wanted.stages,
        "world_hash": config.world_hash,
        "seed": config.seed,
        "trained_until": training.trained_until,
        "tested_from": training.tested_from,
    }
