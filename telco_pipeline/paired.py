"""Paired worlds: what the layers that a counterfactual leaves out did, exactly.

Belongs here: figures of both worlds by day, what happened to each person, who took an offer because
of it, and these as files beside the counterfactual world. Does not belong here: what that world is
(`counterfactuals`), which records may differ at all (`reach`).

Both worlds have the same draws, so every difference is an effect of the layers: no estimate and no
control group is needed. Money is told as use that is to be charged; what it brings in is told when
it has been rated.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import polars as pl

from telco_pipeline.contracts.codes import LifeChange
from telco_pipeline.counterfactuals import Counterfactual
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.lake import Lake
from telco_pipeline.lake.layout import disk_errors, report_directory
from telco_pipeline.reach.measure import Reach, measure
from telco_pipeline.scenarios.effects import SUBSCRIBERS, Offer
from telco_pipeline.scenarios.selection import Ground
from telco_pipeline.scenarios.story import Story, Touch
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.offers import UPGRADE, offered

REPORT: Final = "effects"
_STATE: Final = "subscriber_state"
_LOST: Final = (LifeChange.PORT_OUT, LifeChange.TERMINATION)


def _changes(*kinds: LifeChange) -> str:
    """Return an expression that counts changes of life of some kinds."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return f"count(*) FILTER (change IN ({listed}))"


@dataclass(frozen=True)
class _Figure:
    """A figure of a day.

    Attributes:
        name: What it is.
        unit: Its unit; empty for numbers of things.
        dataset: The dataset.
        expression: An aggregate over its rows in DuckDB.
        last: Whether it holds at the end of a day, so that days are not added up.
    """

    name: str
    unit: str
    dataset: str
    expression: str
    last: bool = False


_OUT: Final = "sum(unavailable_until - unavailable_from)"
_FIGURES: Final = (
    _Figure("calls tried", "", "cdrs_voice", "count(*) FILTER (record_type = 'moCallRecord')"),
    _Figure("calls blocked by the radio network", "", "cdrs_voice", "count(*) FILTER (blocked)"),
    _Figure("calls dropped", "", "cdrs_voice", "count(*) FILTER (cause_for_term = 4)"),
    _Figure("minutes talked by subscribers", "min", "cdrs_voice", "sum(call_duration) / 60.0"),
    _Figure(
        "minutes to be charged", "min", "cdrs_voice",
        "sum(call_duration) FILTER (chargeable) / 60.0",
    ),
    _Figure("message records", "", "cdrs_sms", "count(*)"),
    _Figure("data sessions tried", "", "cdrs_data", "count(*) FILTER (record_sequence_number = 1)"),
    _Figure("data sessions refused", "", "cdrs_data", "count(diagnostics)"),
    _Figure(
        "data sessions lost", "", "cdrs_data",
        "count(*) FILTER (cause_for_rec_closing = 4 AND diagnostics IS NULL)",
    ),
    _Figure(
        "data", "GB", "cdrs_data", "sum(data_volume_uplink + data_volume_downlink) / 1e9",
    ),
    _Figure(
        "data to be charged", "GB", "cdrs_data",
        "sum(data_volume_uplink + data_volume_downlink) FILTER (chargeable) / 1e9",
    ),
    _Figure("registrations refused", "", "location_updates", "count(*) FILTER (cause <> 0)"),
    _Figure("cell-minutes without service", "min", "network_state", _OUT),
    _Figure(
        "cell-minutes out of service in counters", "min", "pm_counters",
        "sum(cell_unavailable_time) / 60.0",
    ),
    _Figure("alarms raised", "", "alarms", "count(DISTINCT alarm_id)"),
    _Figure("files collected", "", "collected_files", "count(*)"),
    _Figure("contacts with care", "", "customer_service", "count(*)"),
    _Figure("customers lost", "", _STATE, _changes(*_LOST)),
    _Figure("customers won back", "", _STATE, _changes(LifeChange.WIN_BACK)),
    _Figure("changes of plan", "", _STATE, _changes(LifeChange.PLAN_CHANGE)),
    _Figure("suspensions", "", _STATE, _changes(LifeChange.SUSPENSION)),
    _Figure(
        "mean satisfaction at the end", "", _STATE,
        "avg(satisfaction) FILTER (status = 'active')", last=True,
    ),
)  # fmt: skip


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


def figures(lakes: tuple[Lake, Lake], days: Sequence[dt.date]) -> pl.DataFrame:
    """Return the figures of both worlds by day.

    Args:
        lakes: Where the main world lies, and the counterfactual one.
        days: The days on which they can differ, in order.

    Returns:
        Columns `day`, `figure`, `unit`, `with_layers` and `without`: of the datasets of which the
        counterfactual world has all of these days of its own.
    """
    datasets = [
        name
        for name in dict.fromkeys(figure.dataset for figure in _FIGURES)
        if all(_apart(lakes, name, day) for day in days)
    ]
    rows = []
    for name in datasets:
        asked = [figure for figure in _FIGURES if figure.dataset == name]
        for day in days:
            one, two = (_values(lake, name, day, asked) for lake in lakes)
            rows += [
                (day, figure.name, figure.unit, value, other)
                for figure, value, other in zip(asked, one, two, strict=True)
            ]
    schema = {
        "day": pl.Date,
        "figure": pl.String,
        "unit": pl.String,
        "with_layers": pl.Float64,
        "without": pl.Float64,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _apart(lakes: tuple[Lake, Lake], name: str, day: dt.date) -> bool:
    """Return whether both worlds have a day of a dataset, each its own."""
    one, two = (lake.directory(name, day) for lake in lakes)
    return one != two and one.is_dir() and two.is_dir()


def _values(lake: Lake, name: str, day: dt.date, asked: Sequence[_Figure]) -> list[float]:
    """Return some figures of a dataset's day."""
    files = [str(file) for file in lake.files(name, day)]
    if not files:
        return [0.0] * len(asked)
    expressions = ", ".join(figure.expression for figure in asked)
    with duckdb.connect() as connection:
        row = connection.execute(
            f"SELECT {expressions} FROM read_parquet($files, hive_partitioning = false)",
            {"files": files},
        ).fetchone()
    return [float(value or 0.0) for value in row or ()]


def differences(by_day: pl.DataFrame) -> list[Difference]:
    """Return what the layers did over all days, from the figures by day."""
    found = []
    for figure in _FIGURES:
        rows = by_day.filter(pl.col("figure") == figure.name)
        if len(rows):
            rows = rows.sort("day").tail(1) if figure.last else rows
            value, other = float(rows["with_layers"].sum()), float(rows["without"].sum())
            found.append(Difference(figure.name, figure.unit, value, other))
    return found


# People -------------------------------------------------------------------------------------------


def _changed(*kinds: LifeChange) -> pl.Expr:
    """Return how often a subscription changes in some ways."""
    return pl.col("change").cast(pl.String).is_in([str(kind) for kind in kinds]).sum()


_PER_PERSON: Final = (
    ("cdrs_voice", "calls_dropped", (pl.col("cause_for_term") == 4).sum()),
    ("cdrs_voice", "calls_blocked", pl.col("blocked").sum()),
    ("cdrs_voice", "minutes_talked", pl.col("call_duration").cast(pl.Int64).sum() / 60.0),
    (
        "cdrs_data",
        "gigabytes",
        (pl.col("data_volume_uplink") + pl.col("data_volume_downlink")).sum() / 1e9,
    ),
    ("customer_service", "contacts", pl.len()),
    (_STATE, "left", _changed(*_LOST)),
    (_STATE, "won_back", _changed(LifeChange.WIN_BACK)),
    (_STATE, "plan_changes", _changed(LifeChange.PLAN_CHANGE)),
)
PERSONAL: Final = tuple(name for _, name, _ in _PER_PERSON)
"""What is told of each person, with the layers and without."""


def people(
    config: WorldConfig,
    left_out: Sequence[str],
    lakes: tuple[Lake, Lake],
    days: Sequence[dt.date],
) -> pl.DataFrame:
    """Return what the layers did to each person: targets, and whoever has any other figure.

    Args:
        config: The main world.
        left_out: Layers that the counterfactual one does not have.
        lakes: Where the main world lies, and the counterfactual one.
        days: The days on which they can differ, in order.

    Returns:
        `subscriber_id`; whether a layer touches him (`target`), and only as somebody who looks like
        its targets (`benign`); each of `PERSONAL` that both worlds have, as `.._with` and
        `.._without` the layers; and his satisfaction at the end of the last day.
    """
    found = _targets(config, left_out, lakes[0], days[-1])
    for name in dict.fromkeys(dataset for dataset, *_ in _PER_PERSON):
        if not all(_apart(lakes, name, day) for day in days):
            continue
        asked = [(column, how) for dataset, column, how in _PER_PERSON if dataset == name]
        sides = [
            _by_person(lake, name, days, asked).rename(
                {column: f"{column}_{side}" for column, _ in asked}
            )
            for lake, side in zip(lakes, ("with", "without"), strict=True)
        ]
        both = sides[0].join(sides[1], on="subscriber_id", how="full", coalesce=True).fill_null(0)
        unlike = pl.any_horizontal(
            pl.col(f"{column}_with") != pl.col(f"{column}_without") for column, _ in asked
        )
        touched = pl.col("subscriber_id").is_in(found["subscriber_id"].implode())
        both = both.filter(unlike | touched)
        found = found.join(both, on="subscriber_id", how="full", coalesce=True)
    found = found.with_columns(pl.col("target", "benign").fill_null(False))
    counted = pl.selectors.ends_with("_with") | pl.selectors.ends_with("_without")
    return _with_satisfaction(found.with_columns(counted.fill_null(0)), lakes, days[-1])


def _targets(
    config: WorldConfig, left_out: Sequence[str], lake: Lake, last: dt.date
) -> pl.DataFrame:
    """Return the subscribers whom layers touch by a day, and whether only as look-alikes."""
    story = Story(config, Ground.of_lake(config, lake))
    touches = [
        touch
        for touch in story.between(config.epoch, last, *sorted(story.effects))
        if touch.of == SUBSCRIBERS and story.name_of(touch.incident.layer) in left_out
    ]
    ids = story.ground.column(SUBSCRIBERS, "subscriber_id")
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *(touch.rows for touch in touches)])
    benign = np.repeat(
        np.array([touch.benign for touch in touches], dtype=np.bool_),
        np.array([len(touch) for touch in touches], dtype=np.int64),
    )
    frame = pl.DataFrame({"subscriber_id": ids.gather(rows), "benign": benign})
    told = frame.group_by("subscriber_id").agg(pl.col("benign").all())
    return told.select("subscriber_id", pl.lit(True).alias("target"), "benign")


def _by_person(
    lake: Lake, name: str, days: Sequence[dt.date], asked: Sequence[tuple[str, pl.Expr]]
) -> pl.DataFrame:
    """Return some figures of each subscriber over some days."""
    rows = lake.scan(name, days[0], days[-1])
    told = [how.alias(column) for column, how in asked]
    found = rows.group_by("subscriber_id").agg(told).collect()
    return found.with_columns(pl.selectors.integer().cast(pl.Int64))


def _with_satisfaction(
    found: pl.DataFrame, lakes: tuple[Lake, Lake], last: dt.date
) -> pl.DataFrame:
    for lake, side in zip(lakes, ("with", "without"), strict=True):
        frame = lake.read(_STATE, last, last, ["subscriber_id", "satisfaction"])
        frame = frame.select("subscriber_id", pl.col("satisfaction").alias(f"satisfaction_{side}"))
        found = found.join(frame, on="subscriber_id", how="left")
    return found.sort("subscriber_id")


# Offers -------------------------------------------------------------------------------------------

BECAUSE: Final = "because of the offer"
ANYWAY: Final = "anyway"
KEPT: Final = "kept from it"
NOT: Final = "not at all"
OUTCOMES: Final = (BECAUSE, ANYWAY, KEPT, NOT)
"""What an offer did to a person: whether he acts with it, and would have without."""


@dataclass(frozen=True)
class Uplift:
    """What a campaign did.

    Attributes:
        layer: Name of the layer.
        incident: Number of the incident.
        what: What was offered.
        offered: People who got the offer by the last day.
        control: People of the control group.
        because: Of those offered, who act because of it.
        anyway: Of those offered, who act and would have without.
        kept: Of those offered, who would have acted without it and do not with it.
        controls_acted: Of the control group, who act.
    """

    layer: str
    incident: int
    what: str
    offered: int
    control: int
    because: int
    anyway: int
    kept: int
    controls_acted: int

    @property
    def exact(self) -> float:
        """What the offer adds to the part of people who act: known, person by person."""
        return (self.because - self.kept) / max(self.offered, 1)

    @property
    def estimated(self) -> float:
        """The same as somebody sees it who has one world and its control group."""
        acted = (self.because + self.anyway) / max(self.offered, 1)
        return acted - self.controls_acted / max(self.control, 1)


_OFFERED: Final = {
    "layer": pl.String,
    "incident": pl.Int64,
    "what": pl.String,
    "subscriber_id": pl.Int64,
    "day": pl.Date,
    "with_offer": pl.Boolean,
    "without_offer": pl.Boolean,
}


def offers(
    config: WorldConfig,
    left_out: Sequence[str],
    lakes: tuple[Lake, Lake],
    days: Sequence[dt.date],
) -> pl.DataFrame:
    """Return who was offered something by the layers, and what that did (arguments: `people`).

    Returns:
        `layer`, `incident`, `what`, `subscriber_id`; the `day` of the offer, null for the control
        group; whether he acts (`with_offer`) and would have (`without_offer`) from that day, or of
        the control group from the beginning, to the last day; and the `outcome`, of `OUTCOMES`.
    """
    story = Story(config, Ground.of_lake(config, lakes[0]))
    ids = story.ground.column(SUBSCRIBERS, "subscriber_id")
    acts = [_acts(lake, days) for lake in lakes]
    frames = [pl.DataFrame(schema=_OFFERED)]
    for touch in story.between(config.epoch, days[-1], "offer", whole=True):
        name = story.name_of(touch.incident.layer)
        if name not in left_out:
            continue
        frame = _offered(touch, name, ids, days[-1])
        for act, side in zip(acts, ("with_offer", "without_offer"), strict=True):
            of_kind = act.filter(pl.col("what") == frame["what"][0]) if len(frame) else act
            pairs = frame.join(of_kind, on="subscriber_id", how="left", suffix="_of_act")
            since = pairs.filter(pl.col("acted") >= pl.col("since"))["subscriber_id"].unique()
            frame = frame.with_columns(pl.col("subscriber_id").is_in(since.implode()).alias(side))
        frames.append(frame.select(list(_OFFERED)))
    return pl.concat(frames).with_columns(
        pl.when(pl.col("with_offer"))
        .then(pl.when(pl.col("without_offer")).then(pl.lit(ANYWAY)).otherwise(pl.lit(BECAUSE)))
        .otherwise(pl.when(pl.col("without_offer")).then(pl.lit(KEPT)).otherwise(pl.lit(NOT)))
        .alias("outcome")
    )


def _offered(touch: Touch, name: str, ids: pl.Series, last: dt.date) -> pl.DataFrame:
    """Return whom a touch of `offer` means: its offers by a day, and its control group."""
    effect = touch.effect
    assert isinstance(effect, Offer)
    given = offered(touch)
    control = np.setdiff1d(touch.rows, given.entity)
    begins = touch.start[np.searchsorted(touch.rows, control)] // DAY
    rows = np.concatenate([given.entity, control])
    since = pl.Series(np.concatenate([given.day, begins]).astype(np.int32)).cast(pl.Date)
    frame = pl.DataFrame(
        {
            "subscriber_id": ids.gather(rows),
            "since": since,
            "got": np.arange(len(rows)) < len(given.entity),
        }
    )
    return frame.filter(pl.col("since") <= last).select(
        pl.lit(name).alias("layer"),
        pl.lit(touch.incident.number, dtype=pl.Int64).alias("incident"),
        pl.lit(effect.what).alias("what"),
        "subscriber_id",
        "since",
        pl.when("got").then("since").alias("day"),
    )


def _acts(lake: Lake, days: Sequence[dt.date]) -> pl.DataFrame:
    """Return who changes his plan or comes back on some days: what he could have been offered."""
    kinds = {str(LifeChange.PLAN_CHANGE): UPGRADE, str(LifeChange.WIN_BACK): "win_back"}
    rows = lake.scan(_STATE, days[0], days[-1], ["subscriber_id", "change", "change_time"])
    change = pl.col("change").cast(pl.String)
    return (
        rows.filter(change.is_in(list(kinds)))
        .select(
            "subscriber_id",
            change.replace_strict(kinds).alias("what"),
            pl.col("change_time").dt.date().alias("acted"),
        )
        .collect()
    )


def uplifts(found: pl.DataFrame) -> list[Uplift]:
    """Return what each campaign did, from its `offers`."""
    told = []
    for (layer, incident, what), frame in found.group_by(
        "layer", "incident", "what", maintain_order=True
    ):
        got, control = (frame.filter(pl.col("day").is_null() == none) for none in (False, True))
        counts = {outcome: int((got["outcome"] == outcome).sum()) for outcome in OUTCOMES}
        told.append(
            Uplift(
                layer=str(layer),
                incident=int(str(incident)),
                what=str(what),
                offered=len(got),
                control=len(control),
                because=counts[BECAUSE],
                anyway=counts[ANYWAY],
                kept=counts[KEPT],
                controls_acted=int(control["with_offer"].sum()),
            )
        )
    return told


# Report -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Effects:
    """What the layers that a counterfactual leaves out did.

    Attributes:
        by_day: `figures`.
        people: `people`.
        offers: `offers`.
        reach: Whom they reach at all.
    """

    by_day: pl.DataFrame
    people: pl.DataFrame
    offers: pl.DataFrame
    reach: Reach

    @property
    def differences(self) -> list[Difference]:
        """The figures over all days."""
        return differences(self.by_day)

    @property
    def uplifts(self) -> list[Uplift]:
        """What each campaign did."""
        return uplifts(self.offers)


def compare(
    config: WorldConfig,
    made: Counterfactual,
    lakes: tuple[Lake, Lake],
    days: Sequence[dt.date],
    tell: Callable[[str], None] | None = None,
) -> Effects:
    """Return what the layers that are left out did.

    Args:
        config: The main world.
        made: The counterfactual one.
        lakes: Where the main world lies, and the counterfactual one.
        days: The days on which they can differ, in order and without a break.
        tell: Told of each day whose reach is worked out.
    """

    def done(day: dt.date) -> None:
        if tell is not None:
            tell(str(day))

    left_out = made.left_out
    return Effects(
        by_day=figures(lakes, days),
        people=people(config, left_out, lakes, days),
        offers=offers(config, left_out, lakes, days),
        reach=measure(config, left_out, lakes, days, done),
    )


def directory_of(lake: Lake, made: Counterfactual) -> Path:
    """Return where the report of a counterfactual world lies."""
    return report_directory(lake.root, made.name, REPORT)


def write(effects: Effects, directory: Path) -> list[Path]:
    """Write the tables of a report as Parquet; those of an earlier one are written over.

    Returns:
        The files: `figures`, `people`, `offers` and `reach`.
    """
    shares = [(share.dataset, share.rows, share.reached) for share in effects.reach.shares]
    schema = {"dataset": pl.String, "rows": pl.Int64, "reached": pl.Int64}
    tables = {
        "figures": effects.by_day,
        "people": effects.people,
        "offers": effects.offers,
        "reach": pl.DataFrame(shares, schema=schema, orient="row"),
    }
    files = []
    with disk_errors("write to", directory):
        directory.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            aside = directory / f".{name}.parquet"
            table.write_parquet(aside, mkdir=False)
            files.append(aside.replace(directory / f"{name}.parquet"))
    return files
