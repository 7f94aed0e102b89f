"""Selection: whom a role of a layer means in a world.

Belongs here: conditions on columns, what belongs to what, distances, drawing some of those who
fit. Does not belong here: when (`timeline`), what then happens (the effects' homes).

A role is drawn anew for each incident: a hash of (incident, role, member) orders those who fit, and
the first ones take part. Who fits is worked out from the static datasets alone, so nothing depends
on the days that were made.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts import DATASETS
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.lake import Lake
from telco_pipeline.scenarios.effects import (
    CELLS,
    DEVICES,
    ELEMENTS,
    PLACES,
    PLANS,
    SITES,
    SUBSCRIBERS,
)
from telco_pipeline.scenarios.language import Layer, Near, Role, Tell
from telco_pipeline.scenarios.timeline import Incident
from telco_pipeline.scenarios.words import Condition, Duration
from telco_pipeline.settings import WorldConfig, values
from telco_pipeline.world import numbering
from telco_pipeline.world.places import plane

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

KEYS: Final = {
    SUBSCRIBERS: "subscriber_id",
    CELLS: "cell_id",
    SITES: "site_id",
    ELEMENTS: "element_id",
    PLACES: "place_id",
    DEVICES: "device_id",
    PLANS: "plan_id",
}
"""Key of each dataset that has members of roles."""
IMSI_RANGE: Final = "imsi_range"
"""Leading digits of the IMSI that a machine shares with the others of its customer; null of who is
no machine. No dataset has it: conditions know it beside the columns of subscribers."""
_MORE_COLUMNS: Final[dict[str, dict[str, pl.DataType]]] = {SUBSCRIBERS: {IMSI_RANGE: pl.String()}}

# What can stand before a dot in `where`: column that leads there, dataset.
_WAYS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    SUBSCRIBERS: {
        "plan": ("plan_id", PLANS),
        "device": ("device_id", DEVICES),
        "home": ("home_cell_id", CELLS),
        "place": ("place_id", PLACES),
    },
    CELLS: {"site": ("site_id", SITES), "element": ("element_id", ELEMENTS)},
    SITES: {"place": ("place_id", PLACES)},
    ELEMENTS: {"site": ("site_id", SITES), "place": ("place_id", PLACES)},
}
# How members belong to those of another dataset, step by step: columns that lead there.
_BELONGING: Final[dict[tuple[str, str], tuple[tuple[str, str], ...]]] = {
    (SUBSCRIBERS, CELLS): ((SUBSCRIBERS, "home_cell_id"),),
    (SUBSCRIBERS, SITES): ((SUBSCRIBERS, "home_cell_id"), (CELLS, "site_id")),
    (SUBSCRIBERS, PLACES): ((SUBSCRIBERS, "place_id"),),
    (SUBSCRIBERS, DEVICES): ((SUBSCRIBERS, "device_id"),),
    (SUBSCRIBERS, PLANS): ((SUBSCRIBERS, "plan_id"),),
    (CELLS, SITES): ((CELLS, "site_id"),),
    (CELLS, ELEMENTS): ((CELLS, "element_id"),),
    (CELLS, PLACES): ((CELLS, "site_id"), (SITES, "place_id")),
    (ELEMENTS, SITES): ((ELEMENTS, "site_id"),),
    (ELEMENTS, PLACES): ((ELEMENTS, "site_id"), (SITES, "place_id")),
    (SITES, PLACES): ((SITES, "place_id"),),
}


@dataclass
class Ground:
    """The world that roles are looked for in.

    Attributes:
        config: The world.
        read: Returns a column of a static dataset, in the order of its rows; of subscribers those
            of the registry and then of the prospects.
    """

    config: WorldConfig
    read: Callable[[str, str], pl.Series]
    _columns: dict[tuple[str, str], pl.Series] = field(default_factory=dict)
    _planes: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)
    _rows: dict[tuple[str, str, str], Rows] = field(default_factory=dict)

    @classmethod
    def of_lake(cls, config: WorldConfig, lake: Lake) -> "Ground":
        """Return the world whose static datasets lie in a lake."""

        def read(dataset: str, name: str) -> pl.Series:
            tables = (SUBSCRIBERS, "prospects") if dataset == SUBSCRIBERS else (dataset,)
            return pl.concat([lake.read(table, columns=[name])[name] for table in tables])

        return cls(config, read)

    def column(self, dataset: str, name: str) -> pl.Series:
        """Return a column of a dataset; with a dot, of what its rows name."""
        way, _, last = name.rpartition(".")
        if not way:
            if (dataset, name) not in self._columns:
                made = name in _MORE_COLUMNS.get(dataset, {})
                found = self._imsi_range() if made else self.read(dataset, name)
                self._columns[dataset, name] = found.rechunk()
            return self._columns[dataset, name]
        leads, other = _WAYS[dataset][way]
        rows = self.rows(dataset, leads, other)
        found = self.column(other, last)
        return found.gather(pl.Series(rows).set(pl.Series(rows < 0), None))

    def _imsi_range(self) -> pl.Series:
        """Return the `IMSI_RANGE` of each subscriber."""
        config = self.config
        digits = numbering.range_digits(config.own_operator.plmn, config.all_subscribers)
        machine = self.column(SUBSCRIBERS, "kind") == "machine"
        imsi = self.column(SUBSCRIBERS, "imsi")
        return imsi.str.head(digits).set(~machine, None).alias(IMSI_RANGE)

    def rows(self, dataset: str, leads: str, other: str) -> Rows:
        """Return the row in another dataset that each row names; -1 for none."""
        if (dataset, leads, other) in self._rows:
            return self._rows[dataset, leads, other]
        rows = self._looked_up(dataset, leads, other)
        # Those of subscribers are large, and only casts ask for them.
        if dataset != SUBSCRIBERS:
            self._rows[dataset, leads, other] = rows
        return rows

    def _looked_up(self, dataset: str, leads: str, other: str) -> Rows:
        named, keys = self.column(dataset, leads), self.column(other, KEYS[other])
        index = pl.DataFrame({"key": keys, "row": np.arange(len(keys))})
        found = pl.DataFrame({"key": named}).join(index, "key", "left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy()

    def size(self, dataset: str) -> int:
        """Return the number of members of a dataset."""
        return len(self.column(dataset, KEYS[dataset]))

    def belongs(self, dataset: str, other: str) -> Rows:
        """Return the row in another dataset that each member belongs to; -1 for none."""
        if dataset == other:
            return np.arange(self.size(dataset))
        found = np.arange(self.size(dataset))
        steps = _BELONGING[dataset, other]
        for number, (inside, leads) in enumerate(steps):
            to = steps[number + 1][0] if number + 1 < len(steps) else other
            rows = self.rows(inside, leads, to)
            found = np.where(found >= 0, rows[np.maximum(found, 0)], -1)
        return found

    def plane(self, dataset: str) -> tuple[Floats, Floats]:
        """Return where members are: kilometres east and north, rounded to metres."""
        if dataset not in self._planes:
            self._planes[dataset] = self._plane(dataset)
        return self._planes[dataset]

    def _plane(self, dataset: str) -> tuple[Floats, Floats]:
        if dataset == SUBSCRIBERS:
            return self._as_of(CELLS, self.rows(SUBSCRIBERS, "home_cell_id", CELLS))
        if dataset == ELEMENTS:
            return self._as_of(SITES, self.rows(ELEMENTS, "site_id", SITES))
        east, north = plane(
            self.column(dataset, "latitude").to_numpy(),
            self.column(dataset, "longitude").to_numpy(),
        )
        return np.round(east, 3), np.round(north, 3)

    def _as_of(self, dataset: str, rows: Rows) -> tuple[Floats, Floats]:
        """Return where the members at some rows are; infinitely far where there is none."""
        east, north = self.plane(dataset)
        at = np.maximum(rows, 0)
        return np.where(rows >= 0, east[at], np.inf), np.where(rows >= 0, north[at], np.inf)


def problems(layer: Layer) -> list[tuple[tuple[str | int, ...], str]]:
    """Return what a layer names that does not exist: the keys to it, and what to do."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for name, role in layer.cast.items():
        for column, condition in role.where.items():
            if text := _column_problem(role.of, column, condition):
                found.append((("cast", name, "where", column), text))
        if role.one is not None and isinstance(known := _schema_of(role.of, role.one), str):
            found.append((("cast", name, "one"), known))
        if role.within is not None:
            other = layer.cast[role.within].of
            if other != role.of and (role.of, other) not in _BELONGING:
                able = [to for one, to in _BELONGING if one == role.of]
                told = " or ".join(able) if able else "nothing"
                text = f"{role.of} belong to {told}, not to {other}"
                found.append((("cast", name, "within"), text))
        if role.near is not None:
            nowhere = {role.of, layer.cast[role.near.role].of} & {DEVICES, PLANS}
            text = "are nowhere: give no distance"
            found += [(("cast", name, "near"), f"{of} {text}") for of in sorted(nowhere)]
    for place, tell in enumerate(layer.tells):
        found += [(("tells", place, key), text) for key, text in _tell_problems(tell)]
    return found


def _tell_problems(tell: Tell) -> Iterator[tuple[str, str]]:
    """Yield what a tell names that is nowhere: its key, and what to do."""
    for name in tell.dataset:
        if name not in DATASETS:
            hint = values.closest(name, DATASETS) or "docs/data-dictionary.md names them"
            yield "dataset", f"there is no dataset {name!r}: {hint}"
    held = {
        column for name in tell.dataset if name in DATASETS for column in DATASETS[name].columns
    }
    for name in tell.column:
        if held and name not in held:
            hint = values.closest(name, held) or "docs/data-dictionary.md names the columns"
            yield "column", f"{' and '.join(tell.dataset)} have no column {name!r}: {hint}"


def columns_of(dataset: str) -> list[str]:
    """Return all that conditions on a dataset's members may name, with and without a dot."""
    own = list(_columns(dataset))
    ways = _WAYS.get(dataset, {})
    return own + [
        f"{way}.{name}"
        for way, (_, other) in ways.items()
        for name in DATASETS[other].polars_schema
    ]


def _columns(dataset: str) -> dict[str, pl.DataType]:
    """Return the columns of a dataset that conditions know, with their types."""
    return dict(DATASETS[dataset].polars_schema) | _MORE_COLUMNS.get(dataset, {})


def _column_problem(dataset: str, column: str, condition: Condition) -> str | None:
    kind = _schema_of(dataset, column)
    return kind if isinstance(kind, str) else _type_problem(kind, condition)


def _schema_of(dataset: str, column: str) -> pl.DataType | str:
    """Return the type of a column, or why there is no such column and what to do."""
    way, _, last = column.rpartition(".")
    if way:
        ways = _WAYS.get(dataset, {})
        if way not in ways:
            return f"{dataset} lead to {', '.join(ways) or 'nothing'}, not to {way[:40]!r}"
        dataset = ways[way][1]
    schema = _columns(dataset)
    if last not in schema:
        hint = values.closest(last, schema) or f"its columns are {', '.join(schema)}"
        return f"{dataset} have no column {last[:40]!r}: {hint}"
    return schema[last]


def _type_problem(dtype: pl.DataType, condition: Condition) -> str | None:
    ends = [end for end in (condition.low, condition.high) if end is not None]
    if dtype == pl.Date:
        if condition.any_of is not None or any(isinstance(end, float) for end in ends):
            return "is a date: give {from: .., to: ..} with dates, or lengths of time (30d)"
    elif dtype.is_numeric():
        if any(isinstance(end, Duration | dt.date) for end in ends):
            return "is a number: give numbers"
        for value in condition.any_of or ():
            if isinstance(value, str | bool):
                return f"is a number, not {str(value)[:40]!r}"
    elif dtype == pl.Boolean:
        if condition.any_of is None or any(not isinstance(v, bool) for v in condition.any_of):
            return "is true or false"
    else:
        if condition.any_of is None:
            return "is text: give a value or a list of values"
        for value in condition.any_of:
            if not isinstance(value, str):
                return f"is text: write '{value}' in quotes"
            if isinstance(dtype, pl.Enum) and value not in dtype.categories.to_list():
                words = dtype.categories.to_list()
                near = values.closest(value, words)
                return f"is one of {', '.join(words)}, not {value[:40]!r}{near and f': {near}'}"
    return None


def cast_of(ground: Ground, incident: Incident) -> dict[str, Rows]:
    """Return the members of each role of an incident: rows of the role's dataset, rising.

    Args:
        ground: The world.
        incident: The incident.
    """
    found: dict[str, Rows] = {}
    for name, role in incident.layer.cast.items():
        found[name] = _drawn(ground, incident, name, role, found)
    return found


def fitting(ground: Ground, incident: Incident, name: str, cast: Mapping[str, Rows]) -> Rows:
    """Return who fits a role of an incident, of whom its members are drawn: rows, rising.

    Of a role of which all have `one` value these are the members of all values.

    Args:
        ground: The world.
        incident: The incident.
        name: The role.
        cast: The members of the roles above it (`cast_of`).
    """
    role = incident.layer.cast[name]
    fits = np.ones(ground.size(role.of), dtype=np.bool_)
    for column, condition in role.where.items():
        fits &= _meets(ground.column(role.of, column), condition, incident.start)
    if role.of == SUBSCRIBERS:
        fits &= _there(ground, incident)
    if role.within is not None:
        other = incident.layer.cast[role.within].of
        inside = np.zeros(ground.size(other) + 1, dtype=np.bool_)
        inside[cast[role.within]] = True
        fits &= inside[ground.belongs(role.of, other)]
    if role.near is not None:
        fits &= _close(ground, incident, role.of, role.near, cast)
    for other_name in role.outside:
        if incident.layer.cast[other_name].of == role.of:
            fits[cast[other_name]] = False
    return np.flatnonzero(fits)


def _drawn(
    ground: Ground, incident: Incident, name: str, role: Role, cast: Mapping[str, Rows]
) -> Rows:
    rows = fitting(ground, incident, name, cast)
    number = _number(role, len(rows))
    if number >= len(rows) and role.one is None:
        return rows
    stream = draws.stream(
        ground.config.seed,
        f"scenario/cast/{_place(incident.layer, name)}",
        # No incident's key: those have the layer's number further up.
        incident.layer.number if role.fixed else incident.key,
    )
    order = np.argsort(draws.keys(stream, rows), kind="stable")
    if role.one is not None:
        order = _of_one(ground.column(role.of, role.one).gather(rows[order]), role, order)
        number = _number(role, len(order))
    return np.sort(rows[order[:number]])


def _of_one(found: pl.Series, role: Role, order: Rows) -> Rows:
    """Return those who have the same value, in the order in which members are drawn.

    It is the value of the first one whose value is that of `at_least` so many, or of as many as any
    has: so values are drawn in proportion to those who have them.

    Args:
        found: Value of each, in that order; who has none is not meant.
        role: The role.
        order: What to choose from.
    """
    counts = pl.DataFrame({"value": found}).with_columns(
        count=pl.when(pl.col("value").is_not_null()).then(pl.len().over("value")).otherwise(0)
    )["count"]
    most = int(counts.max() or 0)  # pyright: ignore[reportArgumentType]
    if not most:
        return order[:0]
    first = int((counts >= min(max(role.at_least, 1), most)).arg_max() or 0)
    return order[(found == found[first]).fill_null(False).to_numpy()]


def _place(layer: Layer, name: str) -> int:
    """Return which of its roles one is: its draws do not hang on how it is called."""
    return list(layer.cast).index(name)


def _number(role: Role, fit: int) -> int:
    number = fit
    if role.number is not None:
        number = role.number
    elif role.share is not None:
        number = round(role.share * fit)
    number = max(number, role.at_least)
    return min(number, fit if role.at_most is None else role.at_most, fit)


def _there(ground: Ground, incident: Incident) -> Flags:
    """Return which SIMs are in service by the day on which an incident begins."""
    config = ground.config
    day = dt.date(1970, 1, 1) + dt.timedelta(days=incident.start // DAY)
    entities = np.arange(ground.size(SUBSCRIBERS))
    return entities < config.joined_by(day)


def _meets(values: pl.Series, condition: Condition, start: int) -> Flags:
    """Return which values meet a condition; null meets none."""
    if condition.any_of is not None:
        wanted = pl.Series(list(condition.any_of), strict=False)
        if isinstance(values.dtype, pl.Enum):
            values = values.cast(pl.String)
        elif values.dtype.is_numeric():
            # Whole numbers and others may stand in one list; all that may be written are exact.
            values, wanted = values.cast(pl.Float64), wanted.cast(pl.Float64)
        return values.is_in(wanted.implode()).fill_null(False).to_numpy()
    met = values.is_not_null()
    if condition.low is not None:
        met &= (values >= _limit(condition.low, start)).fill_null(False)
    if condition.high is not None:
        met &= (values <= _limit(condition.high, start)).fill_null(False)
    return met.to_numpy()


def _limit(end: float | Duration | dt.date, start: int) -> float | dt.date:
    if isinstance(end, Duration):
        return dt.date(1970, 1, 1) + dt.timedelta(days=(start + end.microseconds) // DAY)
    return end


def _close(
    ground: Ground, incident: Incident, dataset: str, near: Near, cast: Mapping[str, Rows]
) -> Flags:
    """Return which members are within a distance of any of another role."""
    east, north = ground.plane(dataset)
    there_east, there_north = ground.plane(incident.layer.cast[near.role].of)
    found = np.zeros(len(east), dtype=np.bool_)
    placed = cast[near.role][np.isfinite(there_east[cast[near.role]])]
    for one in placed:  # nothing is near to who is nowhere
        squared = (east - there_east[one]) ** 2 + (north - there_north[one]) ** 2
        found |= squared <= near.km * near.km
    return found


def nearest_cells(ground: Ground, of: str, rows: Sequence[int] | Rows) -> Rows:
    """Return the cells at which the members of a role of cells, sites or places are.

    Args:
        ground: The world.
        of: What they are.
        rows: Their rows.

    Returns:
        Rows of cells, rising: themselves, those on the sites, or those of the three sites nearest
        to the middle of each place.
    """
    members = np.asarray(rows, dtype=np.int64)
    if of == CELLS:
        return members
    if of == PLACES:
        east, north = ground.plane(SITES)
        at = ground.plane(PLACES)
        members = np.unique(np.concatenate([np.empty(0, np.int64), *(
            np.argsort((east - at[0][one]) ** 2 + (north - at[1][one]) ** 2, kind="stable")[:3]
            for one in members
        )]))  # fmt: skip
    return np.flatnonzero(np.isin(ground.belongs(CELLS, SITES), members))
