"""Counterfactuals: the same world without some of its layers, beside the main one.

Belongs here: what such a world is called and where it begins to differ, and how much the layers
did. Does not belong here: making its days (`runs`), what a layer does (`scenarios`).

A counterfactual world has the same seed, so that everything the layers do not reach has equal rows.
It lies over the main world: static datasets do not hang on layers, and until the first incident of
what is left out both worlds are the same, so these partitions show through and are not made again.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import polars as pl

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.oss.labels import episodes_of
from telco_pipeline.scenarios.effects import CELLS, ELEMENTS, SUBSCRIBERS
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.selection import Ground
from telco_pipeline.scenarios.story import Story, Touch, layers_of, without
from telco_pipeline.scenarios.timeline import incidents
from telco_pipeline.settings import WorldConfig
from telco_pipeline.signatures import CONTROL

_WEEK: Final = dt.timedelta(days=8)
_HORIZON: Final = dt.timedelta(days=3660)  # farther than anybody makes days


@dataclass(frozen=True)
class Counterfactual:
    """A world without some layers.

    Attributes:
        name: Name of the world in the lake.
        config: The world.
        left_out: Layers that it does not have.
        first: The first day on which it can differ from the main one; None if it never does.
    """

    name: str
    config: WorldConfig
    left_out: tuple[str, ...]
    first: dt.date | None


def counterfactual(config: WorldConfig, names: Sequence[str], until: dt.date) -> Counterfactual:
    """Return the world without some layers.

    Args:
        config: The main world.
        names: Layers to leave out, or `all`.
        until: The last day of interest.

    Raises:
        TelcoError: A layer is not on in this world.
    """
    layers = layers_of(config)
    if not layers:
        raise TelcoError("this world has no layer on: there is nothing to leave out")
    every = list(names) == ["all"]
    left_out = tuple(layers) if every else tuple(dict.fromkeys(names))
    for name in left_out:
        if name not in layers:
            raise TelcoError(f"layer {name!r} is not on in this world: {', '.join(layers)} are")
    other = without(config, *left_out)
    called = CONTROL if not other.layers else "without-" + "-".join(sorted(left_out))
    return Counterfactual(called[:64], other, left_out, _first_day(config, left_out, until))


def first_difference(main: WorldConfig, other: WorldConfig) -> dt.date:
    """Return the first day on which two worlds can differ that have the same seed and world file.

    The day of the first incident of any layer that only one of them has; the end of the calendar
    where there is none, the epoch where they are not alike otherwise.
    """
    if without(main, *main.layers).world_hash != without(other, *other.layers).world_hash:
        return main.epoch
    days = [
        first
        for one, two in ((main, other), (other, main))
        for name, layer in one.layers.items()
        if two.layers.get(name) != layer
        and (first := _first_day(one, (name,), one.epoch + _HORIZON)) is not None
    ]
    return min(days, default=dt.date.max)


def _first_day(config: WorldConfig, names: Sequence[str], until: dt.date) -> dt.date | None:
    """Return the first day that any incident of some layers can change; None if there is none."""
    layers = layers_of(config)
    found = [
        dt.date(1970, 1, 1) + dt.timedelta(microseconds=incident.start) - _lead(layers[name])
        for name in names
        for incident in incidents(config, layers[name], until)
    ]
    return max(min(found), config.epoch) if found else None


def _lead(layer: Layer) -> dt.timedelta:
    """Return how long before an incident its targets can already be reached.

    Whom it sends somewhere gives up a journey of his own in the same week and leaves in time.
    """
    plans = any(deed.effect.ahead for stage in layer.stages for deed in stage.do)
    return _WEEK if plans else dt.timedelta()


@dataclass(frozen=True)
class Difference:
    """How one figure differs between a world and its counterfactual.

    Attributes:
        name: What it is.
        unit: Its unit; empty for numbers of things.
        value: In the main world.
        other: Without the layers.
    """

    name: str
    unit: str
    value: float
    other: float

    @property
    def effect(self) -> float:
        """What the layers did."""
        return self.value - self.other


@dataclass(frozen=True)
class Reach:
    """Whom the layers that are left out can reach, by targets and state, before any record.

    Attributes:
        subscribers: Ids of subscribers who are targets, or whose state differs on any day.
        cells: Ids of cells that are targets, or whose state differs in any hour.
        elements: Ids of elements that are targets.
        of_subscribers, of_cells: Their parts of all.
    """

    subscribers: pl.Series
    cells: pl.Series
    elements: pl.Series
    of_subscribers: float
    of_cells: float


_LOST: Final = "count(*) FILTER (change IN ('port out', 'termination'))"
# What a report tells: name, unit, dataset, expression over its rows in DuckDB.
_FIGURES: Final = (
    ("calls tried", "", "cdrs_voice", "count(*) FILTER (record_type = 'moCallRecord')"),
    ("calls blocked by the radio network", "", "cdrs_voice", "count(*) FILTER (blocked)"),
    ("calls dropped", "", "cdrs_voice", "count(*) FILTER (cause_for_term = 4)"),
    ("minutes talked", "min", "cdrs_voice", "sum(call_duration) FILTER (chargeable) / 60.0"),
    ("messages", "", "cdrs_sms", "count(*)"),
    ("data sessions", "", "cdrs_data", "count(*)"),
    ("data", "GB", "cdrs_data", "sum(data_volume_uplink + data_volume_downlink) / 1e9"),
    ("cell-hours without service", "h", "pm_counters", "sum(cell_unavailable_time) / 3600.0"),
    ("alarms raised", "", "alarms", "count(DISTINCT alarm_id)"),
    ("contacts with care", "", "customer_service", "count(*)"),
    ("customers lost", "", "subscriber_state", _LOST),
    ("customers won back", "", "subscriber_state", "count(*) FILTER (change = 'win back')"),
    ("changes of plan", "", "subscriber_state", "count(*) FILTER (change = 'plan change')"),
    ("mean satisfaction", "", "subscriber_state", "avg(satisfaction)"),
)  # fmt: skip


def differences(lake: Lake, other: Lake, days: Sequence[dt.date]) -> list[Difference]:
    """Return what the layers that are left out did, in figures, over some days.

    Args:
        lake: The main world.
        other: The counterfactual one.
        days: The days on which they can differ, in order.

    Returns:
        The figures of datasets of which the counterfactual world has days of its own.
    """
    found = []
    for name, unit, dataset, expression in _FIGURES:
        if any(lake.directory(dataset, day) == other.directory(dataset, day) for day in days):
            continue  # the main world shows through: these days were not made
        figures = [_sum(one, dataset, expression, days) for one in (lake, other)]
        if None not in figures:
            value, without_it = figures
            found.append(Difference(name, unit, value or 0.0, without_it or 0.0))
    return found


def _sum(lake: Lake, dataset: str, expression: str, days: Sequence[dt.date]) -> float | None:
    """Return a figure over some days; None where the dataset lacks one of them."""
    files = []
    for day in days:
        if not lake.exists(dataset, day):
            return None
        files += [str(file) for file in lake.files(dataset, day)]
    if not files:
        return 0.0
    with duckdb.connect() as connection:
        row = connection.execute(
            f"SELECT {expression} FROM read_parquet($files, hive_partitioning = false)",
            {"files": files},
        ).fetchone()
    return float(row[0] or 0.0) if row else 0.0


def reach(
    config: WorldConfig, made: Counterfactual, lake: Lake, other: Lake, days: Sequence[dt.date]
) -> Reach:
    """Return whom the layers that are left out reach, from targets and the state of both worlds.

    Args:
        config: The main world.
        made: The counterfactual world.
        lake: Where the main world lies.
        other: Where the counterfactual one lies.
        days: The days, in order.
    """
    story = Story(config, Ground.of_lake(config, lake))
    touched: dict[str, list[pl.Series]] = {"subscriber_id": [], "cell_id": [], "element_id": []}
    for day in days:
        for touch in story.on(day, episodes_of(config, lake, day)).touches:
            if story.name_of(touch.incident.layer) not in made.left_out:
                continue
            _add_targets(story, touch, touched)
        for dataset, key in (("subscriber_state", "subscriber_id"), ("network_state", "cell_id")):
            if lake.directory(dataset, day) != other.directory(dataset, day):
                touched[key].append(_changed(lake, other, dataset, key, day))
    found = {
        key: pl.concat(values).unique().sort() if values else pl.Series([])
        for key, values in touched.items()
    }
    everybody = config.joined_by(days[-1])
    cells = story.ground.size(CELLS)
    return Reach(
        found["subscriber_id"],
        found["cell_id"],
        found["element_id"],
        len(found["subscriber_id"]) / everybody,
        len(found["cell_id"]) / cells,
    )


def _add_targets(story: Story, touch: Touch, touched: dict[str, list[pl.Series]]) -> None:
    if touch.of == SUBSCRIBERS:
        touched["subscriber_id"].append(
            story.ground.column(SUBSCRIBERS, "subscriber_id").gather(touch.rows)
        )
        return
    cells, elements = story.cells_under(touch)[1], np.empty(0, dtype=np.int64)
    if touch.of != CELLS:
        elements = story.elements_under(touch)[1]
    touched["cell_id"].append(story.ground.column(CELLS, "cell_id").gather(cells))
    touched["element_id"].append(story.ground.column(ELEMENTS, "element_id").gather(elements))


def _changed(lake: Lake, other: Lake, dataset: str, key: str, day: dt.date) -> pl.Series:
    """Return the keys of the rows of a day's state that differ between two worlds."""
    one, two = (each.read(dataset, day, day).drop("day") for each in (lake, other))
    rows = pl.concat([one, two])
    times = rows.group_by(rows.columns).len().filter(pl.col("len") % 2 == 1)
    return times[key].unique()
