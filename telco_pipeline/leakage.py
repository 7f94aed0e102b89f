"""Leakage: whether any single observable column gives away what a scenario layer touched.

Belongs here: which rows of a lake are compared, and judging what one-split rules make of them. Does
not belong here: the rules (`analytics.stumps`), what a layer does (`scenarios`), how a judgement is
shown (`checks`, `cli`).

For each layer and dataset, touched rows that are no look-alikes are compared with as many others of
the same dataset *of the same time*: a layer that acts on one evening must not be found by the date.
Those of subscribers are compared with others of whom the layer could have hit (who fit the role): a
fleet of vehicles must be told from vehicles, not from people. Where a layer's file says that
columns are `alike`, the others have the same values there: what plays abroad must be told from
other use abroad.
Times are matched in slots of five minutes, of an hour or of a day where rows are rare. A rule is
learnt on half of the touched entities (subscribers; of the network sites, or elements that stand at
none) and judged on the other half. Where entities are so few that chance may explain what is found,
a column counts only if it is above the limit by a standard error and also tells touched rows from
those of the *same* entities outside their time: what an entity always has, such as where a site
stands, does not. (Of few entities that are touched all the time nothing can be said.) The order of
rows counts as columns too: the row's number in its file (where slots of five minutes do), and the
file's.

A sample of at most `MOST` touched rows is drawn by the hash of their ids. Rows without an id
(counters, metrics) are found by key and time, as whoever knew the layer would.
"""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.analytics.stumps import Split, splits
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.state import HISTORY
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import day_number
from telco_pipeline.errors import TelcoError
from telco_pipeline.generators.truth import grouped
from telco_pipeline.lake import Lake
from telco_pipeline.oss import labels
from telco_pipeline.oss.stories import story_of
from telco_pipeline.scenarios.effects import EFFECTS, SUBSCRIBERS
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.selection import fitting
from telco_pipeline.scenarios.story import layers_of
from telco_pipeline.settings import WorldConfig
from telco_pipeline.signatures import observable

LIMIT: Final = 0.75
"""Balanced accuracy above which a column tells."""
DIFFICULTY: Final = 0.5
"""From here on up layers must keep to the limit."""
MOST: Final = 10_000
"""Touched rows that are compared, at most, with as many others."""
FEWEST: Final = 40
"""With fewer of each nothing is judged."""
ROW, FILE = "(row in the file)", "(file)"
"""Stand for columns: the order of rows."""

_SLOTS: Final = (300, 3600, 86_400)  # seconds
_ENOUGH: Final = 0.8  # part of the touched rows for which a slot must have others
_MOST_OTHERS: Final = 2_000_000  # candidates of a day that are held in memory
_TIMED: Final = ("pm_counters", "element_metrics")  # without ids
_ID, _TIME, _WHO, _KEPT = "_id", "_time", "_who", "_kept"
_TRUTH: Final = ("truth_incidents", "truth_records")
_NAMES: Final = ("subscriber_id", "cell_id", "element_id", "recording_entity")
"""Columns that say of whom a row is."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Leak:
    """A column by which what a layer touched can be told from the rest.

    Attributes:
        layer, dataset, column: Where.
        rule: The rule, in words.
        accuracy: Its balanced accuracy.
        because: Why the layer's file says that this is as it should be; empty if it does not.
    """

    layer: str
    dataset: str
    column: str
    rule: str
    accuracy: float
    because: str = ""

    def __str__(self) -> str:
        """Return it in one line."""
        excuse = f" ({self.because})" if self.because else ""
        return f"{self.dataset}.{self.column} tells by {self.accuracy:.3f}: {self.rule}{excuse}"


@dataclass(frozen=True)
class Judgement:
    """What came of looking at one dataset for one layer.

    Attributes:
        layer, dataset: Which.
        of: Whose rows: `subscribers`, or `network` for cells and elements.
        rows: Touched rows that were compared, with as many others.
        entities: Different ones among the touched.
        best: The column that tells most, with its rule; None where nothing was judged.
        leaks: Columns above the limit, those that the layer's file names among them.
        note: Why nothing was judged.
    """

    layer: str
    dataset: str
    of: str
    rows: int
    entities: int
    best: Split | None = None
    leaks: tuple[Leak, ...] = ()
    note: str = ""


@dataclass
class _Touched:
    """Rows of a dataset that a layer touches, by day.

    Attributes:
        ids: Those of one kind of entity, without look-alikes.
        fits: Ids of the subscribers whom the layer could have hit; None of the network.
        all: Those of any, without look-alikes: none of them is an other row.
    """

    ids: dict[dt.date, list[pl.Series]] = field(default_factory=lambda: defaultdict(list))
    fits: pl.Series | None = None
    all: dict[dt.date, list[pl.Series]] = field(default_factory=lambda: defaultdict(list))


def days_of(lake: Lake) -> list[dt.date]:
    """Return the days to look at: those of which a lake has observable records.

    Of each of them `examine` asks for the truth. What is kept of all days since the epoch, whatever
    days records are made of, does not count.

    Raises:
        TelcoError: There are no records.
    """
    names = [name for name in observable() if DATASETS[name].daily and name not in HISTORY]
    days = sorted({day for name in names for day in lake.days(name)})
    if not days:
        raise TelcoError(f"{lake.root} has no records: make some with `{lake.command()}`")
    return days


def audit(
    config: WorldConfig, lake: Lake, days: Sequence[dt.date], names: Sequence[str] | None = None
) -> list[Leak]:
    """Return the columns that give layers away and must not.

    Args:
        config: The world.
        lake: Its lake, with its truth.
        days: The days to look at.
        names: Layers to look at; all that are on if None.

    Returns:
        Columns above `LIMIT` of layers of at least `DIFFICULTY`, but for those that the layers'
        files name as `tells`.

    Raises:
        TelcoError: As of `examine`.
    """
    hard = {name for name, one in layers_of(config).items() if one.difficulty >= DIFFICULTY}
    return [
        leak
        for judgement in examine(config, lake, days, names)
        for leak in judgement.leaks
        if not leak.because and leak.layer in hard
    ]


def examine(
    config: WorldConfig, lake: Lake, days: Sequence[dt.date], names: Sequence[str] | None = None
) -> Iterator[Judgement]:
    """Yield what single columns tell of each layer, by dataset.

    Args and errors as of `audit`.

    Raises:
        TelcoError: A layer is not on in this world; the lake has no truth of a day, or cannot be
            read.
    """
    layers = layers_of(config)
    for name in names or layers:
        if name not in layers:
            raise TelcoError(f"layer {name!r} is not on in this world")
    days = sorted(set(days))
    if not days:
        return
    for truth in _TRUTH:
        if missing := sorted(set(days) - set(lake.days(truth))):
            raise TelcoError(
                f"{lake.root} has no {truth} of {missing[0]}: make it with "
                f"`{lake.command(truth, missing[0], missing[-1])}`"
            )
    for name in names or layers:
        touched = _touched(config, lake, days, name)
        for (dataset, of), rows in sorted(touched.items()):
            try:
                yield _judge(lake, name, layers[name], dataset, of, rows, days)
            except (pl.exceptions.PolarsError, OSError) as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise TelcoError(
                    f"{dataset} in {lake.root} cannot be read ({reason}): make it anew with "
                    f"`{lake.command(dataset, days[0], days[-1])}`"
                ) from error


def _touched(
    config: WorldConfig, lake: Lake, days: Sequence[dt.date], name: str
) -> dict[tuple[str, str], _Touched]:
    """Return what a layer touches, by dataset and whether it is of subscribers or the network."""
    found: dict[tuple[str, str], _Touched] = defaultdict(_Touched)
    cast = layers_of(config)[name].cast
    seen = observable()
    incidents = lake.scan("truth_incidents", None, days[-1]).filter(layer=name)
    keys = incidents.select("incident_id").collect()["incident_id"]
    for day in days:
        records = (
            lake.scan("truth_records", day, day)
            .filter(pl.col("incident_id").is_in(keys.implode()), ~pl.col("benign"))
            .select(pl.col("dataset").cast(pl.String), "event_id", "role")
            .collect()
        )
        for (dataset, role), rows in records.group_by("dataset", "role", maintain_order=True):
            of = _kind(cast[str(role)].of)
            found[str(dataset), of].ids[day].append(rows["event_id"])
        for dataset, ids in _timed(config, lake, day, name):
            found[dataset, "network"].ids[day].append(ids)
    fits = _fitting(config, lake, days, name)
    for (dataset, of), rows in found.items():
        rows.fits = fits if of == "subscribers" else None
        for (same, _), others in found.items():
            for day, ids in others.ids.items():
                rows.all[day] += ids if same == dataset else []
    return {key: rows for key, rows in found.items() if key[0] in seen}


def _fitting(
    config: WorldConfig, lake: Lake, days: Sequence[dt.date], name: str
) -> pl.Series | None:
    """Return the subscribers who fit a role of a layer that it touches; None if it touches none."""
    story = story_of(config, lake)
    layer = story.layers[name]
    touched = {deed.effect.who for stage in layer.stages for deed in stage.do}
    roles = [
        role
        for role in touched
        if layer.cast[role].of == SUBSCRIBERS and not layer.cast[role].benign
    ]
    rows = [
        fitting(story.ground, incident, role, story.cast(incident))
        for incident in story.incidents_of(name, days[-1])
        for role in roles
    ]
    if not rows:
        return None
    ids = story.ground.column(SUBSCRIBERS, "subscriber_id")
    return ids.gather(np.unique(np.concatenate(rows)))


def _kind(of: str) -> str:
    return "subscribers" if of == SUBSCRIBERS else "network"


def _timed(
    config: WorldConfig, lake: Lake, day: dt.date, name: str
) -> Iterator[tuple[str, pl.Series]]:
    """Yield the rows without an id that a layer touches on a day."""
    story = story_of(config, lake)
    layer = story.layers[name]
    touches = grouped(story.on(day, labels.episodes_of(config, lake, day)).touches)
    own = [
        group
        for group in touches.values()
        if group[0].incident.layer is layer and not group[0].benign
    ]
    for dataset in _TIMED:
        reached = [[one for one in group if dataset in EFFECTS[one.name].records] for group in own]
        key = _key_of(dataset)
        targets = [labels.targets(story, group, key) for group in reached if group]
        wanted = [one.select(key, "start", "end") for one in targets if one is not None]
        if not wanted or not lake.files(dataset, day):
            continue
        rows = pl.concat([_keys(file, dataset, day) for file in lake.files(dataset, day)])
        joined = rows.join(pl.concat(wanted), left_on=_WHO, right_on=key)
        inside = (pl.col(_TIME) >= pl.col("start")) & (pl.col(_TIME) < pl.col("end"))
        yield dataset, joined.filter(inside)[_ID].unique()


def _judge(
    lake: Lake,
    name: str,
    layer: Layer,
    dataset: str,
    of: str,
    touched: _Touched,
    days: Sequence[dt.date],
) -> Judgement:
    chosen = _sample(touched)
    alike = _alike(layer, dataset)
    frames = [
        _pairs(lake, dataset, day, ids, touched.all[day], touched.fits, alike)
        for day, ids in chosen.items()
    ]
    rows = pl.concat([frame for frame in frames if frame is not None] or [_nothing(dataset)])
    sites = _sites(lake) if of == "network" else {}
    marks, entity = rows[_KEPT].to_numpy(), _entities(rows, of, sites)
    count, entities = int(marks.sum()), len(np.unique(entity[marks]))
    if count < FEWEST:
        told = f"{count} rows with others of their time are too few"
        return Judgement(name, dataset, of, count, entities, note=told)
    alone = min(entities, len(np.unique(entity[~marks]))) < 2
    if alone:  # there is no other to judge a rule on: see `_always`
        entity = _within(rows, marks)
    time = DATASETS[dataset].time
    found = splits(rows, marks, entity, _columns(dataset), time)
    doubt = {split.column for split in found if alone or not split.sure}
    high = [
        split
        for split in found
        if split.accuracy - (split.error if split.column in doubt else 0.0) > LIMIT
    ]
    unsure = [split.column for split in high if split.column in doubt]
    always = _always(lake, dataset, of, sites, rows, touched, days, unsure) if unsure else set()
    leaks = [
        Leak(
            name, dataset, split.column, split.rule, split.accuracy, _excuse(layer, dataset, split)
        )
        for split in high
        if split.column not in always
    ]
    best = max(found, key=lambda split: split.accuracy, default=None)
    return Judgement(name, dataset, of, count, entities, best, tuple(leaks))


def _excuse(layer: Layer, dataset: str, split: Split) -> str:
    for tell in layer.tells:
        if dataset in tell.dataset and split.column in tell.column:
            return tell.because
    return ""


def _alike(layer: Layer, dataset: str) -> list[str]:
    """Return the columns in which others have the same values as what is touched."""
    named = {
        name
        for tell in layer.tells
        if tell.alike and dataset in tell.dataset
        for name in tell.column
    }
    return [name for name in DATASETS[dataset].columns if name in named]


def _columns(dataset: str) -> list[str]:
    """Return the columns to look at: all but the time by which rows are matched, and the order."""
    return [*DATASETS[dataset].columns, ROW, FILE]


def _sample(touched: _Touched) -> dict[dt.date, pl.Series]:
    """Return the touched rows that are compared, by day: those with the smallest hashes."""
    by_day = {day: pl.concat(ids).unique().sort() for day, ids in touched.ids.items()}
    hashes = [_hash(ids) for ids in by_day.values()]
    total = sum(map(len, hashes))
    if total <= MOST:
        return by_day
    limit = np.partition(np.concatenate(hashes), MOST)[MOST]
    return {
        day: ids.filter(pl.Series(hashed < limit))
        for (day, ids), hashed in zip(by_day.items(), hashes, strict=True)
    }


def _hash(ids: pl.Series) -> npt.NDArray[np.uint64]:
    return draws.mix(ids.to_numpy().astype(np.uint64))


def _pairs(
    lake: Lake,
    dataset: str,
    day: dt.date,
    ids: pl.Series,
    touched: list[pl.Series],
    fits: pl.Series | None,
    alike: list[str],
) -> pl.DataFrame | None:
    """Return touched rows of a day and as many others of the same slots of time, with a mark.

    Args:
        lake: The lake.
        dataset: Its dataset.
        day: The day.
        ids: Ids of the touched rows.
        touched: Ids of all that the layer touches: none of them is an other row.
        fits: Ids of the subscribers who fit; None of the network.
        alike: Columns that are equal in both.
    """
    files = lake.files(dataset, day)
    if not len(ids) or not files:
        return None
    candidates = pl.concat([_keys(file, dataset, day, fits, alike) for file in files])
    candidates = candidates.with_columns(hash=pl.Series(_hash(candidates[_ID])))
    there = candidates.filter(pl.col(_ID).is_in(ids.implode()))
    others = candidates.filter(~pl.col(_ID).is_in(pl.concat(touched).implode()))
    if others.height > _MOST_OTHERS:
        others = others.sort("hash").head(_MOST_OTHERS)
    kept, slot = pl.DataFrame(), _SLOTS[0]
    for slot in _SLOTS:
        kept = _matched(there, others, slot, alike)
        if kept.height >= 2 * _ENOUGH * there.height:
            break
    return _rows(files, dataset, day, kept, ordered=slot == _SLOTS[0])


def _matched(
    there: pl.DataFrame, others: pl.DataFrame, slot: int, alike: list[str]
) -> pl.DataFrame:
    """Return ids, as many of touched rows as of others alike in each slot of so many seconds."""
    both = pl.concat(
        [
            frame.with_columns(pl.lit(mark).alias(_KEPT))
            for frame, mark in ((there, True), (others, False))
        ]
    ).with_columns(slot=pl.col(_TIME).dt.epoch("s") // slot)
    cell = ["slot", *alike]
    number = pl.col("hash").rank("ordinal").over(*cell, _KEPT)
    touched = pl.col(_KEPT).sum().over(cell)
    size = pl.min_horizontal(touched, pl.len().over(cell) - touched)
    return both.filter(number <= size).select(_ID, _KEPT)


def _key_of(dataset: str) -> str:
    return DATASETS[dataset].schema.primary_key()[0]


def _keys(
    file: Path,
    dataset: str,
    day: dt.date,
    fits: pl.Series | None = None,
    alike: Sequence[str] = (),
) -> pl.DataFrame:
    """Return id, time, key of rows without an id, and some columns, of the rows of a file.

    Of those of some subscribers where `fits` names them.
    """
    scan = pl.scan_parquet(file, glob=False, hive_partitioning=False)
    if fits is not None and "subscriber_id" in DATASETS[dataset].columns:
        scan = scan.filter(pl.col("subscriber_id").is_in(fits.implode()))
    return _with_id(scan, dataset, day).select(_ID, _TIME, _WHO, *alike).collect()


def _with_id(scan: pl.LazyFrame, dataset: str, day: dt.date) -> pl.LazyFrame:
    """Return rows with an id, the time, and the key (null for rows with an id of their own)."""
    time = DATASETS[dataset].time
    assert time is not None
    key = _key_of(dataset)
    if dataset not in _TIMED:
        return scan.with_columns(
            pl.col(key).alias(_ID), pl.col(time).alias(_TIME), pl.lit(None, pl.String).alias(_WHO)
        )
    # One row a key and period: keys are sorted texts, so their hash is made of the text.
    minute = pl.col(time).dt.hour().cast(pl.Int64) * 60 + pl.col(time).dt.minute()
    hashed = pl.col(key).map_batches(_text_hash, return_dtype=pl.Int64)
    place = (hashed + minute * 0x9E3779B9 + day_number(day) * 0x85EBCA6B) & 0x7FFF_FFFF_FFFF_FFFF
    return scan.with_columns(place.alias(_ID), pl.col(time).alias(_TIME), pl.col(key).alias(_WHO))


def _text_hash(values: pl.Series) -> pl.Series:
    """Return 62 bits of the BLAKE2b hash of texts."""
    different = values.drop_nulls().unique()
    numbers = [
        int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 2
        for text in different
    ]
    return values.replace_strict(
        different, pl.Series(numbers, dtype=pl.Int64), default=0, return_dtype=pl.Int64
    )


def _rows(
    files: list[Path], dataset: str, day: dt.date, kept: pl.DataFrame, ordered: bool = True
) -> pl.DataFrame:
    """Return the rows with some ids, their marks, and where in which file they stand.

    In which row only if `ordered`: files are in the order of time, so among rows of different
    times the row tells no more than the time does.
    """
    frames = []
    for number, file in enumerate(files):
        scan = pl.scan_parquet(file, glob=False, hive_partitioning=False, row_index_name=ROW)
        found = _with_id(scan, dataset, day).filter(pl.col(_ID).is_in(kept[_ID].implode()))
        frames.append(found.with_columns(pl.lit(number, pl.Int64).alias(FILE)).collect())
    found = pl.concat(frames).join(kept, on=_ID).select(_nothing(dataset).columns)
    place = pl.col(ROW) if ordered else pl.lit(None, pl.get_index_type()).alias(ROW)
    return found.with_columns(place)


def _nothing(dataset: str) -> pl.DataFrame:
    """Return no rows of a dataset, with the columns that are added here."""
    schema = dict(DATASETS[dataset].polars_schema)
    added = {ROW: pl.get_index_type(), FILE: pl.Int64(), _ID: pl.Int64(), _KEPT: pl.Boolean()}
    return pl.DataFrame(schema=schema | added)


def _sites(lake: Lake) -> dict[str, str]:
    """Return the site of each cell and element that has one."""
    cells = lake.read("cells", columns=["cell_id", "site_id"])
    elements = lake.read("network_elements", columns=["element_id", "site_id"]).drop_nulls()
    return dict(cells.iter_rows()) | dict(elements.iter_rows())


def _entities(rows: pl.DataFrame, of: str, sites: dict[str, str]) -> npt.NDArray[np.uint64]:
    """Return a hash of the subscriber, or of the site or element, that each row is of."""
    if of == "subscribers" and "subscriber_id" in rows.columns:
        return _hash(rows["subscriber_id"])
    names = [name for name in _NAMES[1:] if name in rows.columns]
    if not names:
        return _hash(rows[_ID])
    who = rows.select(pl.coalesce(names).cast(pl.String).fill_null("")).to_series()
    return _text_hash(who.replace(sites) if sites else who).to_numpy().astype(np.uint64)


def _within(rows: pl.DataFrame, marks: Flags) -> npt.NDArray[np.uint64]:
    """Return a hash of what the rows of one entity are of: its subscribers, or each alone."""
    if "subscriber_id" in rows.columns:
        found = _hash(rows["subscriber_id"])
        if min(len(np.unique(found[kind])) for kind in (marks, ~marks)) > 1:
            return found
    return _hash(rows[_ID])


def _always(
    lake: Lake,
    dataset: str,
    of: str,
    sites: dict[str, str],
    rows: pl.DataFrame,
    touched: _Touched,
    days: Sequence[dt.date],
    columns: Sequence[str],
) -> set[str]:
    """Return the columns that do not tell touched rows from others of the same entities.

    All of them where there are no such others.
    """
    marked = rows.filter(_KEPT)
    entity = np.unique(_entities(marked, of, sites))
    frames = []
    for day in days:
        files = lake.files(dataset, day)
        own = [_own(file, dataset, day, of, sites, entity) for file in files]
        ids = pl.concat(own or [pl.Series(_ID, [], pl.Int64)])
        if touched.all.get(day):
            ids = ids.filter(~ids.is_in(pl.concat(touched.all[day]).implode()))
        # A little of each day is enough, and keeps memory bounded.
        some = ids[np.argsort(_hash(ids), kind="stable")[: max(marked.height // 4, FEWEST)]]
        if len(some):
            kept = some.to_frame().with_columns(pl.lit(False).alias(_KEPT))
            frames.append(_rows(files, dataset, day, kept))
    others = pl.concat(frames or [rows.clear()])
    order = np.argsort(_hash(others[_ID]), kind="stable")[: marked.height]
    if len(order) < FEWEST:
        return set(columns)
    both = pl.concat([marked, others[order]])
    marks, entities = both[_KEPT].to_numpy(), _entities(both, of, sites)
    if len(entity) < 2 or len(np.unique(entities[~marks])) < 2:
        entities = _within(both, marks)
    found = splits(both, marks, entities, columns, DATASETS[dataset].time)
    return set(columns) - {split.column for split in found if split.accuracy > LIMIT}


def _own(
    file: Path,
    dataset: str,
    day: dt.date,
    of: str,
    sites: dict[str, str],
    entity: npt.NDArray[np.uint64],
) -> pl.Series:
    """Return the ids of the rows of a file that are of some entities."""
    scan = _with_id(pl.scan_parquet(file, glob=False, hive_partitioning=False), dataset, day)
    named = [name for name in _NAMES if name in DATASETS[dataset].columns]
    rows = scan.select(_ID, *named).collect()
    return rows[_ID].filter(pl.Series(np.isin(_entities(rows, of, sites), entity)))
