"""Consistency: whether records of different datasets agree about a subscriber.

Belongs here: rules that hold between datasets through time: which identity a record bears. Does
not belong here: rules within one dataset and references (`integrity`, which runs these too and
puts them into words), the views themselves (`asof`).

It shares no code with what makes the rows: it knows the registry and the dated changes, as anybody
who has the lake does.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from telco_pipeline import asof
from telco_pipeline.contracts import Dataset
from telco_pipeline.contracts.codes import IdentityChange
from telco_pipeline.lake import Lake

SAMPLE_ROWS: Final = 5

_BORNE: Final = ("imsi", "msisdn", "imei")
_UNIQUE: Final = ("imsi", "msisdn", "imei", "iccid")
# What each kind of change may change; all else stays as it was.
_CHANGED: Final = {
    IdentityChange.SIM_SWAP: ("imsi", "iccid"),
    IdentityChange.DEVICE_UPGRADE: ("imei", "device_id"),
    IdentityChange.NUMBER_CHANGE: ("msisdn", "number_holder"),
    IdentityChange.PORT_IN: ("msisdn", "number_holder"),
    IdentityChange.PORT_OUT: ("serving_plmn",),
    IdentityChange.TERMINATION: ("serving_plmn",),
    IdentityChange.WIN_BACK: asof.IDENTITY[1:],
    IdentityChange.ACTIVATION: asof.IDENTITY[1:],
}
_STATE: Final = asof.IDENTITY[1:]
_BEGINS: Final = [str(IdentityChange.WIN_BACK), str(IdentityChange.ACTIVATION)]
# After somebody left, his number rests so long before another may have it. All else is never given
# to another.
_REST: Final = dt.timedelta(days=90)


@dataclass
class Faults:
    """What is wrong in a partition.

    Attributes:
        rows: Rows looked at.
        offenders: Rows that break a rule.
        sample: Some of them.
        words: What is wrong, each in a few words.
        recover: Command that mends it, if another partition is to blame.
    """

    rows: int = 0
    offenders: int = 0
    sample: list[dict[str, Any]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    recover: str | None = None

    def add(self, offenders: int, words: str, sample: Sequence[dict[str, Any]] = ()) -> None:
        """Note offenders of one kind, if there are any."""
        if offenders:
            self.offenders += offenders
            self.words.append(words)
            self.sample += list(sample)[:SAMPLE_ROWS]


def identity_columns(dataset: Dataset) -> list[str]:
    """Return the columns in which a dataset's records bear the identity of their subscriber."""
    if not dataset.daily or "subscriber_id" not in dataset.columns:
        return []
    return [name for name in _BORNE if name in dataset.columns]


def identity_faults(lake: Lake, dataset: Dataset, day: dt.date) -> Faults:
    """Find the records of a day that do not bear the identity valid at their time.

    Identities follow from the registry and from the changes of all days since the epoch. Of most
    subscribers nothing changes on the day: their records are looked at as one group for each
    identity that they bear. Those of the few others are compared one by one.

    Args:
        lake: The lake.
        dataset: A daily dataset with `identity_columns`.
        day: The day.

    Raises:
        TelcoError: A file or the registry cannot be read.
    """
    rows = lake.scan(dataset.name, day, day).select(pl.len()).collect().item()
    faults = Faults(rows)
    if absent := asof.missing_days(lake, day):
        first, last = absent[0], absent[-1]
        span = f"{first}" if first == last else f"{first} to {last}"
        faults.add(max(rows, 1), f"{asof.CHANGES} of {span} is not in the lake")
        faults.recover = asof.command(lake, absent)
    elif dataset.name == asof.CHANGES:
        _judge_changes(lake, day, faults)
    else:
        _judge_records(lake, dataset, day, faults)
    return faults


def _judge_records(lake: Lake, dataset: Dataset, day: dt.date, faults: Faults) -> None:
    """Judge records by the versions of the day."""
    borne = identity_columns(dataset)
    time = dataset.time or "event_time"
    shown = ["subscriber_id", time, *borne]
    records = lake.scan(dataset.name, day, day, shown).rename({time: "event_time"})
    today = lake.scan(asof.CHANGES, day, day).drop("day").collect()
    start = asof.identities_before(lake, day).select("subscriber_id", *borne)
    changing = today.select("subscriber_id").unique().lazy()

    groups = records.group_by("subscriber_id", *borne).agg(
        rows=pl.len(), event_time=pl.col("event_time").min()
    )
    quiet = groups.join(changing, on="subscriber_id", how="anti")
    gone = _gone_before(lake, day).with_columns(left=True)
    judged = quiet.join(start, on="subscriber_id", how="left", suffix="_as_of").join(
        gone, on="subscriber_id", how="left"
    )
    _note(judged, borne, faults)

    busy = records.join(changing, on="subscriber_id", how="semi").collect(engine="streaming")
    if busy.height:
        _note(_with_versions(busy, start, gone, today, borne, day).lazy(), borne, faults)


def _with_versions(
    records: pl.DataFrame,
    start: pl.LazyFrame,
    gone: pl.LazyFrame,
    today: pl.DataFrame,
    borne: list[str],
    day: dt.date,
) -> pl.DataFrame:
    """Return the records of subscribers who change on the day, with what is valid at their time."""
    midnight = pl.lit(_midnight(day)).cast(pl.Datetime("us", "UTC"))
    changing = today.select("subscriber_id").unique().lazy()
    before = (
        start.join(changing, on="subscriber_id", how="semi")
        .join(gone, on="subscriber_id", how="left")
        .with_columns(event_time=midnight, order=pl.lit(0))
        .collect()
    )
    after = today.select(
        "subscriber_id",
        *borne,
        _leaves().alias("left"),
        "event_time",
        order=pl.lit(1),
    )
    versions = pl.concat([before.select(after.columns), after]).sort(
        "subscriber_id", "event_time", "order"
    )
    # Who left stays away until he comes back, whatever is said of him in between.
    versions = versions.with_columns(pl.col("left").forward_fill().over("subscriber_id"))
    held = versions.rename({name: f"{name}_as_of" for name in borne}).drop("order")
    return (
        records.with_columns(rows=pl.lit(1, dtype=pl.UInt32))
        .sort("event_time")
        .join_asof(
            held.sort("event_time"), on="event_time", by="subscriber_id", check_sortedness=False
        )
    )


def _note(judged: pl.LazyFrame, borne: list[str], faults: Faults) -> None:
    """Note the groups of records (with their number in `rows`) that break a rule."""
    left = pl.col("left").fill_null(False)
    other = pl.any_horizontal([pl.col(name).ne_missing(pl.col(f"{name}_as_of")) for name in borne])
    wrong = (
        judged.filter(left | other)
        .select("subscriber_id", "event_time", "rows", *borne, pl.col("^.*_as_of$"), left=left)
        .collect(engine="streaming")
        .sort("subscriber_id", "event_time")
    )
    for expected, words in ((True, "outside the time of the subscription"), (False, None)):
        part = wrong.filter(pl.col("left") == expected)
        count = int(part["rows"].sum())
        told = words or f"with another {' or '.join(borne)} than was valid at their time"
        faults.add(count, f"{count} rows {told}", part.head(SAMPLE_ROWS).drop("left").to_dicts())


def _leaves() -> pl.Expr:
    """Return True for changes with which a subscription ends, False with which one begins."""
    kind = pl.col("change_type").cast(pl.String)
    return pl.when(kind.is_in(asof.ENDS)).then(True).when(kind.is_in(_BEGINS)).then(False)


def _is(kind: IdentityChange) -> pl.Expr:
    return pl.col("change_type").cast(pl.String) == str(kind)


def _gone_before(lake: Lake, day: dt.date) -> pl.LazyFrame:
    """Return the subscribers whose subscription ended before a day, and has not begun again."""
    if day == asof.epoch_of(lake):
        return pl.LazyFrame(schema={"subscriber_id": pl.Int64})
    changes = asof.changes_until(lake, day - dt.timedelta(days=1))
    last = (
        changes.with_columns(left=_leaves())
        .filter(pl.col("left").is_not_null())
        .sort("subscriber_id", "event_time")
        .unique("subscriber_id", keep="last", maintain_order=True)
    )
    return last.filter("left").select("subscriber_id")


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _judge_changes(lake: Lake, day: dt.date, faults: Faults) -> None:
    """Judge changes by the versions before them."""
    today = lake.scan(asof.CHANGES, day, day).drop("day").collect()
    if today.is_empty():
        return
    chain = _chained(lake, day, today)
    before = {name: pl.col(f"before_{name}") for name in _STATE}

    begins = pl.col("change_type").cast(pl.String).is_in(_BEGINS)
    wrong = pl.any_horizontal(
        [pl.col(f"previous_{name}").ne_missing(before[name]) & ~begins for name in _BORNE]
        + [pl.col(f"previous_{name}").is_not_null() & begins for name in _BORNE]
    )
    _note_changes(chain, wrong, "say another identity before than there was", faults)
    moved = pl.any_horizontal(
        [
            pl.col(name).ne_missing(before[name])
            & ~pl.col("change_type")
            .cast(pl.String)
            .is_in([str(kind) for kind, changed in _CHANGED.items() if name in changed])
            for name in _STATE
        ]
    )
    _note_changes(chain, moved, "change more than their kind does", faults)
    _note_changes(chain, pl.col("left") & ~begins, "come after the subscription ended", faults)
    known = pl.col("before_imsi").is_not_null()
    again = begins & ~pl.col("left") & known
    _note_changes(chain, again, "begin a subscription that has not ended", faults)
    returns = _is(IdentityChange.WIN_BACK) & ~known | _is(IdentityChange.ACTIVATION) & pl.col(
        "left"
    )
    _note_changes(chain, returns, "call a return what is a beginning, or the reverse", faults)
    nobody = pl.col("serving_plmn").is_null() != _is(IdentityChange.TERMINATION)
    same = pl.col("serving_plmn").eq_missing(before["serving_plmn"])
    stays = _is(IdentityChange.PORT_OUT) & same
    _note_changes(chain, nobody | stays, "name a serving network that does not fit", faults)
    for name in _UNIQUE:
        _note_shared(lake, day, chain, name, faults)


def _chained(lake: Lake, day: dt.date, today: pl.DataFrame) -> pl.DataFrame:
    """Return the day's changes with the version before each, and whether its holder had left."""
    changing = today.select("subscriber_id").unique().lazy()
    start = asof.identities_before(lake, day).drop("in_service", "valid_from")
    gone = _gone_before(lake, day).with_columns(left=True)
    known = (
        start.join(changing, on="subscriber_id", how="semi")
        .join(gone, on="subscriber_id", how="left")
        .collect()
    )
    ordered = today.with_row_index("place").sort("subscriber_id", "event_time", "place")
    return (
        ordered.join(known, on="subscriber_id", how="left", suffix="_start")
        .sort("subscriber_id", "event_time", "place")
        .with_columns(
            *[
                pl.coalesce(
                    pl.col(name).shift(1).over("subscriber_id"), pl.col(f"{name}_start")
                ).alias(f"before_{name}")
                for name in _STATE
            ],
            left=pl.coalesce(
                _leaves().forward_fill().shift(1).over("subscriber_id"), pl.col("left")
            ).fill_null(False),
        )
    )


def _note_changes(chain: pl.DataFrame, wrong: pl.Expr, words: str, faults: Faults) -> None:
    found = chain.filter(wrong)
    shown = ["subscriber_id", "event_time", "change_type", *(f"previous_{n}" for n in _BORNE)]
    sample = found.head(SAMPLE_ROWS).select(*shown, *(f"before_{name}" for name in _BORNE))
    faults.add(found.height, f"{found.height} changes {words}", sample.to_dicts())


def _note_shared(lake: Lake, day: dt.date, chain: pl.DataFrame, name: str, faults: Faults) -> None:
    """Note what somebody gets on the day, while it is, or was lately, another subscriber's.

    A SIM may be put into the device of another subscriber: that is a change of the device, or a
    return, to one that was in use when the day began, of the same model.
    """
    brought = chain.filter(pl.col(name).ne_missing(pl.col(f"before_{name}")))
    start = asof.identities_before(lake, day)
    if name == "imei":
        moved = (
            brought.lazy()
            .filter(_is(IdentityChange.DEVICE_UPGRADE) | _is(IdentityChange.WIN_BACK))
            .join(start, on=[name, "device_id"], how="semi")
            .collect(engine="streaming")
        )
        brought = brought.join(moved, on="event_id", how="anti")
    new = brought.select(name).unique()
    if new.is_empty():
        return
    if name == "msisdn":
        rested = _midnight(day) + dt.timedelta(days=1) - _REST
        start = start.filter(pl.col("in_service") | (pl.col("valid_from") >= rested))
    start = start.select("subscriber_id", name)
    changing = chain.select("subscriber_id").unique().lazy()
    last = chain.unique("subscriber_id", keep="last", maintain_order=True)
    end = pl.concat(
        [
            start.join(changing, on="subscriber_id", how="anti"),
            last.lazy().select("subscriber_id", name),
        ]
    )
    shared = (
        end.join(new.lazy(), on=name, how="semi")
        .group_by(name)
        .agg(subscribers=pl.len())
        .filter(pl.col("subscribers") > 1)
        .sort(name)
        .collect(engine="streaming")
    )
    words = f"{shared.height} values of {name} belong to two subscribers at once"
    faults.add(shared.height, words, shared.head(SAMPLE_ROWS).to_dicts())
