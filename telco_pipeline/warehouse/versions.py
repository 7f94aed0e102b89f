"""Versions: what the registry said of a subscriber, from when to when; from a lake alone.

Belongs here: which versions begin on a day, and what each changed. Does not belong here: tables and
databases (`history`), who had which identity when (`asof`, which this asks).

The registry holds initial values. What changes them are `identity_changes` (SIM, phone, number, who
comes and leaves) and `subscriber_state` (plan, suspension, minimum term), each at its moment. A
minimum term that is renewed, which happens when the old one is over, counts from the midnight after
its last day. Values that change every day for everybody (`DAILY`) stay in `subscriber_state`.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Final

import polars as pl

from telco_pipeline import asof
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.codes import IdentityChange, LifeChange, LifeStatus
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import loading

STATE: Final = "subscriber_state"
PROSPECTS: Final = "prospects"
SOURCES: Final = (asof.REGISTRY, PROSPECTS, asof.CHANGES, STATE)
"""Datasets that a history is made from."""

DAILY: Final = ("satisfaction", "churn_score", "lifetime_value")
"""Columns of the registry that a history leaves out."""
KEPT: Final = tuple(name for name in DATASETS[asof.REGISTRY].columns if name not in DAILY)
VALUES: Final = ("status", "serving_plmn", *KEPT[1:])
"""What a version says of its subscriber; `KEPT[0]` is who that is."""

SUBSCRIBER: Final = "subscriber_id"
FROM: Final = "valid_from"
TO: Final = "valid_to"
OP: Final = "op"
BEFORE: Final = "before"
AFTER: Final = "after"
INSERT: Final = "insert"
UPDATE: Final = "update"
DELETE: Final = "delete"

_IN_SERVICE: Final = (str(LifeStatus.ACTIVE), str(LifeStatus.SUSPENDED))
_STATUS_AFTER: Final = {
    LifeChange.ACTIVATION: LifeStatus.ACTIVE,
    LifeChange.SUSPENSION: LifeStatus.SUSPENDED,
    LifeChange.RESUMPTION: LifeStatus.ACTIVE,
    LifeChange.PORT_OUT: LifeStatus.PORTED_OUT,
    LifeChange.TERMINATION: LifeStatus.TERMINATED,
    LifeChange.WIN_BACK: LifeStatus.ACTIVE,
}
"""The status from a change on; a changed plan leaves it as it is."""
_BEGINS: Final = (str(LifeChange.ACTIVATION), str(LifeChange.WIN_BACK))
_IDENTITY_BEGINS: Final = (str(IdentityChange.ACTIVATION), str(IdentityChange.WIN_BACK))

_GROUPS: Final = {
    "identity": asof.IDENTITY[1:],
    "life": ("status",),
    "plan": ("plan_id",),
    "start": ("contract_start",),
    "term": ("contract_end",),
}
"""Columns that change together; an event sets those of some groups, and the others stay."""
_CHANGING: Final = tuple(name for names in _GROUPS.values() for name in names)
_CONSTANT: Final = tuple(name for name in VALUES if name not in _CHANGING)


def first_versions(lake: Lake) -> Iterator[pl.DataFrame]:
    """Yield who is a customer when the world begins, some at a time, in the registry's order.

    The columns are `subscriber_id`, `valid_from`, `valid_to` (null) and `VALUES`.
    """
    begun = _midnight(asof.epoch_of(lake))
    for part in loading.read(lake, asof.REGISTRY, None):
        yield part.select(
            SUBSCRIBER,
            pl.lit(begun).cast(pl.Datetime("us", "UTC")).alias(FROM),
            pl.lit(None, pl.Datetime("us", "UTC")).alias(TO),
            *_plain(
                pl.lit(str(LifeStatus.ACTIVE)).alias("status"),
                pl.col("home_plmn").alias("serving_plmn"),
                *map(pl.col, KEPT[1:]),
            ),
        )


def versions_of_day(lake: Lake, day: dt.date) -> pl.DataFrame:
    """Return the versions that begin on a day, in order of time and subscriber.

    Args:
        lake: The lake; it must hold every day of changes from the epoch to this one.
        day: The day.

    Returns:
        The columns of `first_versions`, `op` (how the registry changed: insert, update or delete;
        null where it concerns one who had left) and `before` and `after` (the row as JSON; null
        where there was, or is, none).
        `valid_to` is null unless another version of the same subscriber begins on the day.

    Raises:
        TelcoError: A day of `identity_changes` or `subscriber_state` is missing.
    """
    events = _events(lake, day)
    touched = events[SUBSCRIBER].unique().sort()
    before = _before(lake, day, touched)
    rows = (
        pl.concat([before, events], how="diagonal_relaxed")
        .sort(SUBSCRIBER, FROM, nulls_last=False, maintain_order=True)
        .with_row_index("row")
    )
    rows = rows.with_columns(
        pl.when(pl.col(f"sets_{group}"))
        .then(pl.col("row"))
        .forward_fill()
        .over(SUBSCRIBER)
        .alias(f"of_{group}")
        for group in _GROUPS
    )
    rows = rows.with_columns(
        pl.col(name).gather(pl.col(f"of_{group}"))
        for group, names in _GROUPS.items()
        for name in names
    )
    # Several events of one moment make one version.
    rows = rows.unique([SUBSCRIBER, FROM], keep="last", maintain_order=True)
    rows = rows.join(_constants(lake, touched), on=SUBSCRIBER, how="left", maintain_order="left")
    rows = rows.select(SUBSCRIBER, FROM, *_plain(*map(pl.col, VALUES)))
    return _told(rows).filter(pl.col(FROM).is_not_null()).sort(FROM, SUBSCRIBER)


def _plain(*columns: pl.Expr) -> list[pl.Expr]:
    """Return columns in the types of a table: codes as text."""
    order = {name: number for number, name in enumerate(VALUES)}
    found = sorted(columns, key=lambda column: order[column.meta.output_name()])
    enums = {
        name
        for name, dtype in DATASETS[asof.REGISTRY].polars_schema.items()
        if isinstance(dtype, pl.Enum)
    }
    return [
        column.cast(pl.String) if column.meta.output_name() in enums | {"status"} else column
        for column in found
    ]


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """Add to the versions of some subscribers, in order, when each ends and what it changed."""
    shown = pl.struct(
        SUBSCRIBER,
        *(
            pl.col(name).cast(pl.String) if rows.schema[name] == pl.Date else pl.col(name)
            for name in VALUES
        ),
    ).struct.json_encode()
    rows = rows.with_columns(
        pl.col(FROM).shift(-1).over(SUBSCRIBER).alias(TO),
        pl.col("status").is_in(_IN_SERVICE).alias("here"),
        shown.alias(AFTER),
    )
    rows = rows.with_columns(
        pl.col("here").shift(1).over(SUBSCRIBER).fill_null(False).alias("was_here"),
        pl.col(AFTER).shift(1).over(SUBSCRIBER).alias(BEFORE),
    )
    here, was_here = pl.col("here"), pl.col("was_here")
    return rows.select(
        SUBSCRIBER,
        FROM,
        TO,
        *VALUES,
        pl.when(here & was_here)
        .then(pl.lit(UPDATE))
        .when(here)
        .then(pl.lit(INSERT))
        .when(was_here)
        .then(pl.lit(DELETE))
        .alias(OP),
        pl.when(was_here).then(pl.col(BEFORE)).alias(BEFORE),
        pl.when(here).then(pl.col(AFTER)).alias(AFTER),
    )


# --- what happens on a day ------------------------------------------------------------------


def _events(lake: Lake, day: dt.date) -> pl.DataFrame:
    """Return what happens: moment, subscriber, new values, and which groups of them it sets."""
    asof.changes_until(lake, day)  # says which days are missing
    identities = lake.scan(asof.CHANGES, day, day).select(
        *asof.IDENTITY, pl.col("event_time").alias(FROM), *_sets("identity")
    )
    life = (
        lake.scan(STATE, day, day)
        .filter(pl.col("change").is_not_null())
        .with_columns(pl.col("change").cast(pl.String))
        .select(
            SUBSCRIBER,
            pl.col("change_time").alias(FROM),
            pl.col("change")
            .replace_strict(
                {str(change): str(status) for change, status in _STATUS_AFTER.items()},
                default=None,
                return_dtype=pl.String,
            )
            .alias("status"),
            pl.coalesce("new_plan_id", "plan_id").alias("plan_id"),
            pl.lit(day).alias("contract_start"),
            "contract_end",
            pl.col("change").is_in(list(map(str, _STATUS_AFTER))).alias("sets_life"),
            pl.lit(True).alias("sets_plan"),
            pl.col("change").is_in(_BEGINS).alias("sets_start"),
            pl.col("change").is_in(_BEGINS).alias("sets_term"),
            pl.lit(False).alias("sets_identity"),
        )
    )
    renewed = _renewed(lake, day)
    return pl.concat([renewed, *pl.collect_all([identities, life])], how="diagonal_relaxed")


def _sets(*groups: str) -> list[pl.Expr]:
    return [pl.lit(group in groups).alias(f"sets_{group}") for group in _GROUPS]


def _renewed(lake: Lake, day: dt.date) -> pl.DataFrame:
    """Return the minimum terms that were renewed when the day before was over."""
    epoch, eve = asof.epoch_of(lake), day - dt.timedelta(days=1)
    if eve < epoch:
        return pl.DataFrame(schema={SUBSCRIBER: pl.Int64})
    began = pl.col("change").cast(pl.String).is_in(_BEGINS).fill_null(False)
    old = _terms(lake, eve - dt.timedelta(days=1)).rename({"contract_end": "old"})
    here = lake.scan(STATE, day, day).filter(pl.col("status").cast(pl.String).is_in(_IN_SERVICE))
    return (
        lake.scan(STATE, eve, eve)
        .filter(~began, pl.col("contract_end").is_not_null())
        .select(SUBSCRIBER, "contract_end")
        .join(old, on=SUBSCRIBER, how="inner")
        .filter(pl.col("contract_end").ne_missing(pl.col("old")))
        .join(here, on=SUBSCRIBER, how="semi")  # who left on the eve has no term any more
        .select(
            SUBSCRIBER,
            "contract_end",
            pl.lit(_midnight(day)).cast(pl.Datetime("us", "UTC")).alias(FROM),
            *_sets("term"),
        )
        .collect()
    )


def _terms(lake: Lake, day: dt.date) -> pl.LazyFrame:
    """Return the end of everybody's minimum term when a day is over."""
    if day >= asof.epoch_of(lake):
        return lake.scan(STATE, day, day).select(SUBSCRIBER, "contract_end")
    return lake.scan(asof.REGISTRY).select(SUBSCRIBER, "contract_end")


# --- how it was before ----------------------------------------------------------------------


def _before(lake: Lake, day: dt.date, touched: pl.Series) -> pl.DataFrame:
    """Return the versions of some subscribers that hold when a day begins, without a moment."""
    ours = touched.to_frame().lazy()
    identities = asof.identities_before(lake, day).select(*asof.IDENTITY)
    state = lake.scan(STATE, day, day).select(
        SUBSCRIBER, pl.col("status").cast(pl.String), "plan_id"
    )
    found = (
        ours.join(identities, on=SUBSCRIBER, how="inner")  # who joins on the day is not there yet
        .join(state, on=SUBSCRIBER, how="left")
        .join(_starts(lake, day), on=SUBSCRIBER, how="left")
        .join(_terms_in_force(lake, day), on=SUBSCRIBER, how="left")
        .with_columns(pl.lit(None, pl.Datetime("us", "UTC")).alias(FROM), *_sets(*_GROUPS))
    )
    return found.collect()


def _starts(lake: Lake, day: dt.date) -> pl.LazyFrame:
    """Return the first day of everybody's contract: the registry's, or of the last beginning."""
    registry = lake.scan(asof.REGISTRY).select(SUBSCRIBER, "contract_start")
    if day == asof.epoch_of(lake):
        return registry
    began = (
        asof.changes_until(lake, day - dt.timedelta(days=1))
        .filter(pl.col("change_type").cast(pl.String).is_in(_IDENTITY_BEGINS))
        .group_by(SUBSCRIBER)
        .agg(pl.col("event_time").max().dt.date().alias("contract_start"))
    )
    return pl.concat([registry.join(began, on=SUBSCRIBER, how="anti"), began])


def _terms_in_force(lake: Lake, day: dt.date) -> pl.LazyFrame:
    """Return the minimum terms that versions hold when a day begins, before any is renewed then."""
    eve = day - dt.timedelta(days=1)
    if eve < asof.epoch_of(lake):
        return _terms(lake, eve)
    # One that began on the eve is in force since then, one that was renewed only from now on.
    began = (
        lake.scan(STATE, eve, eve)
        .filter(pl.col("change").cast(pl.String).is_in(_BEGINS))
        .select(SUBSCRIBER, "contract_end")
    )
    old = _terms(lake, eve - dt.timedelta(days=1))
    return pl.concat([old.join(began, on=SUBSCRIBER, how="anti"), began])


def _constants(lake: Lake, touched: pl.Series) -> pl.DataFrame:
    """Return what never changes of some subscribers, from the registry or its prospects."""
    columns = [SUBSCRIBER, *_CONSTANT]
    found = [
        lake.scan(name).select(columns).join(touched.to_frame().lazy(), on=SUBSCRIBER, how="semi")
        for name in (asof.REGISTRY, PROSPECTS)
    ]
    return pl.concat(found).collect()


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)
