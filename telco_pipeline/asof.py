"""As-of views: who had which identity at a moment, from the registry and its dated changes.

Who leaves, by port-out or termination, keeps the last identity in a view, as one who is not in
service; who joins later is not in it before, and who comes back is in service again.

Belongs here: the identities of a lake's subscribers through time. Does not belong here: whether
records bear them (`consistency`), how changes are made (`generators`), which this shares no code
with.

The registry holds what is true when the world begins, and each day of `identity_changes` what
changes on it; so a view needs every day from the epoch to its moment.
"""

import datetime as dt
from typing import Final

import polars as pl

from telco_pipeline.contracts.codes import IdentityChange
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake

CHANGES: Final = "identity_changes"
REGISTRY: Final = "subscribers"

IDENTITY: Final = (
    "subscriber_id",
    "imsi",
    "msisdn",
    "imei",
    "iccid",
    "device_id",
    "number_holder",
    "serving_plmn",
)
"""What a version says of a subscription."""

ENDS: Final = (str(IdentityChange.PORT_OUT), str(IdentityChange.TERMINATION))
"""Kinds of change with which a subscription ends."""


def identities_as_of(lake: Lake, moment: dt.datetime) -> pl.LazyFrame:
    """Return the identity of every subscriber at a moment.

    Args:
        lake: The lake.
        moment: With its time zone.

    Returns:
        The columns of `IDENTITY`, `in_service` and `valid_from`, one row for everybody who has
        been a customer until then. `in_service` is false where the subscription has ended: the
        number is served by another network (`serving_plmn` names it) after a port-out, by none
        (`serving_plmn` is null) after a termination. Who is suspended keeps the subscription.

    Raises:
        TelcoError: A day of `identity_changes` from the epoch to the moment is missing, or the
            moment lies before the epoch.
        ValueError: The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    moment = moment.astimezone(dt.UTC)
    changes = changes_until(lake, moment.date()).filter(pl.col("event_time") <= moment)
    return _overlaid(_first_versions(lake), changes)


def identities_before(lake: Lake, day: dt.date) -> pl.LazyFrame:
    """Return the identity of every subscriber when a day begins, before all that happens on it.

    Args:
        lake: The lake.
        day: The day; before the epoch's own nothing has happened.

    Returns:
        The columns of `identities_as_of`.

    Raises:
        TelcoError: A day of `identity_changes` from the epoch to the eve is missing.
    """
    first = _first_versions(lake)
    if day == epoch_of(lake):
        return first
    return _overlaid(first, changes_until(lake, day - dt.timedelta(days=1)))


def _overlaid(first: pl.LazyFrame, changes: pl.LazyFrame) -> pl.LazyFrame:
    """Return the versions, with the last change of each subscriber instead of the first one."""
    latest = (
        changes.sort("subscriber_id", "event_time")
        .unique("subscriber_id", keep="last", maintain_order=True)
        .select(*_version())
    )
    return pl.concat([first.join(latest, on="subscriber_id", how="anti"), latest])


def identity_versions(lake: Lake, until: dt.date) -> pl.LazyFrame:
    """Return all identities that subscribers had, from the epoch to the end of a day.

    Args:
        lake: The lake.
        until: Last day.

    Returns:
        The columns of `identities_as_of` and `valid_to` (exclusive; null for the last one), by
        subscriber and time. The time after a subscription ended is a version of its own, which is
        not in service.

    Raises:
        TelcoError: A day of `identity_changes` from the epoch to `until` is missing.
    """
    changes = changes_until(lake, until).select(*_version())
    return (
        pl.concat([_first_versions(lake), changes])
        .sort("subscriber_id", "valid_from")
        .with_columns(valid_to=pl.col("valid_from").shift(-1).over("subscriber_id"))
    )


def changes_until(lake: Lake, until: dt.date) -> pl.LazyFrame:
    """Return the changes of all days from the epoch to a day, included.

    Raises:
        TelcoError: One of these days is missing, or the day lies before the epoch.
    """
    epoch = epoch_of(lake)
    if until < epoch:
        raise TelcoError(f"{until} lies before the epoch {epoch}: nobody had an identity yet")
    if absent := missing_days(lake, until):
        raise TelcoError(
            f"{lake.root} has no {CHANGES} of {_told(absent)}, and who has which identity on "
            f"{until} follows from all of them: make them with `{command(lake, absent)}`"
        )
    return lake.scan(CHANGES, epoch, until).drop("day")


def missing_days(lake: Lake, until: dt.date) -> list[dt.date]:
    """Return the days from the epoch to `until` whose changes are not in the lake."""
    epoch = epoch_of(lake)
    there = set(lake.days(CHANGES))
    span = (epoch + dt.timedelta(days=offset) for offset in range((until - epoch).days + 1))
    return [day for day in span if day not in there]


def command(lake: Lake, absent: list[dt.date]) -> str:
    """Return the command that makes missing days of changes, and those between them."""
    return lake.command(CHANGES, absent[0], absent[-1])


def epoch_of(lake: Lake) -> dt.date:
    """Return the first day of the world that lies in a lake.

    Raises:
        TelcoError: The lake does not say which world it holds.
    """
    held = lake.held_world()
    told = None if held is None or held.config is None else held.config.get("epoch")
    if told is None:
        raise TelcoError(
            f"{lake.root} does not say when its world begins: make a dataset with "
            f"`{lake.command(REGISTRY)}`, which writes it down"
        )
    return dt.date.fromisoformat(str(told))


def _version() -> list[pl.Expr]:
    """Return the columns of the version that a change makes."""
    ended = pl.col("change_type").cast(pl.String).is_in(ENDS)
    valid_from = pl.col("event_time").alias("valid_from")
    return [*map(pl.col, IDENTITY), (~ended).alias("in_service"), valid_from]


def _told(days: list[dt.date]) -> str:
    last = (days[-1] - days[0]).days + 1
    if len(days) == 1:
        return str(days[0])
    missing = "" if last == len(days) else f" ({len(days)} of these {last} days)"
    return f"{days[0]} to {days[-1]}{missing}"


def _first_versions(lake: Lake) -> pl.LazyFrame:
    """Return the registry's identities, valid from the epoch on."""
    epoch = epoch_of(lake)
    start = dt.datetime(epoch.year, epoch.month, epoch.day, tzinfo=dt.UTC)
    columns = [*IDENTITY[:-1], "home_plmn"]
    return lake.scan(REGISTRY, columns=columns).select(
        *IDENTITY[:-1],
        serving_plmn="home_plmn",
        in_service=True,
        valid_from=pl.lit(start).cast(pl.Datetime("us", "UTC")),
    )
