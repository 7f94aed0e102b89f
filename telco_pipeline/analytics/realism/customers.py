"""Customers: who joins and leaves, and who turns to care.

Belongs here: churn, changes of operator, contacts with care. Does not belong here: what drives
customers to it, which only the simulation's own books tell; these rows look at records alone.

Who is in service follows from the registry and all changes of identity since the epoch.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl

from telco_pipeline.analytics.realism.estimators import Flags, Floats
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Source
from telco_pipeline.analytics.realism.report import QUALITY, Panel, line
from telco_pipeline.contracts.codes import IdentityChange, Resolution
from telco_pipeline.engine.calendar import DAY

YEAR: Final = 365.25
LEAVES: Final = (IdentityChange.PORT_OUT.value, IdentityChange.TERMINATION.value)
JOINS: Final = (IdentityChange.ACTIVATION.value, IdentityChange.WIN_BACK.value)

COMES_BACK: Final = 7
"""Days within which a customer comes back with a matter that was not solved."""

_CHANGES: Final = "identity_changes"
_CARE: Final = "customer_service"
_CHURN_KEYS: Final = ("market.change_of_operator", "churn.postpaid", "churn.prepaid")
_CARE_KEYS: Final = ("care.contacts", "care.repeaters", "care.handling", "care.first_contact")


@dataclass(frozen=True)
class Base:
    """The customers of the days that are measured.

    Attributes:
        days: Days of service of each user within them.
        left: How often each user left within them.
        joined: How often each joined, or came back.
    """

    days: Floats
    left: Floats
    joined: Floats

    @classmethod
    def of(cls, source: Source) -> Self | None:
        """Follow everybody from the epoch to the last day; None where days of changes miss."""
        there = source.lake.days(_CHANGES)
        wanted = [day for day in there if day <= source.days[-1]]
        if not set(there).issuperset(source.days) or not _gapless(wanted):
            return None
        kinds = pl.col("change_type").cast(pl.String)
        changes = pl.concat(
            [
                source.lake.scan(_CHANGES, day, day)
                .filter(kinds.is_in([*LEAVES, *JOINS]))
                .select("subscriber_id", "event_time", leaves=kinds.is_in(LEAVES))
                .collect()
                for day in wanted
            ]
        ).sort("event_time")
        first, last = (
            np.datetime64(day, "us").astype(np.int64) for day in (source.days[0], source.days[-1])
        )
        end = int(last) + DAY
        user = source.rows_of(changes["subscriber_id"])
        time = changes["event_time"].dt.timestamp("us").to_numpy()
        leaves = changes["leaves"].to_numpy()
        # From when each is in service; what changes before the first day only moves that.
        days = np.where(source.registered, end - int(first), 0).astype(np.float64)
        sign = np.where(leaves, -1.0, 1.0)
        np.add.at(days, user, sign * (end - np.maximum(time, int(first))))
        inside = time >= int(first)
        return cls(
            days=np.clip(days, 0, None) / DAY,
            left=np.bincount(user[inside & leaves], minlength=source.count).astype(np.float64),
            joined=np.bincount(user[inside & ~leaves], minlength=source.count).astype(np.float64),
        )


def _gapless(days: list[dt.date]) -> bool:
    return bool(days) and (days[-1] - days[0]).days + 1 == len(days)


def measure(source: Source, found: Findings) -> None:
    """Add the rows on churn and on care."""
    base = Base.of(source)
    if base is None:
        for key in _CHURN_KEYS:
            found.add(key, None, f"no {_CHANGES} of these days and of all days before")
    else:
        _churn(source, base, found)
    _care(source, base, found)


def _churn(source: Source, base: Base, found: Findings) -> None:
    humans = source.humans
    years = base.days[humans].sum() / YEAR
    left, joined = base.left[humans].sum(), base.joined[humans].sum()
    found.add(
        "market.change_of_operator",
        100 * (left + joined) / 2 / years if years else None,
        f"{left:,.0f} left and {joined:,.0f} joined in {years:,.0f} customer-years of people and "
        "businesses",
    )
    for key, whose in (("churn.postpaid", ~source.prepaid), ("churn.prepaid", source.prepaid)):
        chosen = humans & whose
        months = base.days[chosen].sum() / (YEAR / 12)
        lost = base.left[chosen].sum()
        found.add(
            key,
            100 * lost / months if months else None,
            f"{lost:,.0f} ended or ported out in {months:,.0f} customer-months",
        )


def _care(source: Source, base: Base | None, found: Findings) -> None:
    columns = [
        "subscriber_id",
        "event_time",
        "case_id",
        "contact_number",
        "handling_seconds",
        "agent_id",
        pl.col("resolution").cast(pl.String),
    ]
    frames = source.frames(_CARE, columns)
    if len(frames) < len(source.days):
        for key in _CARE_KEYS:
            found.add(key, None, f"no {_CARE} of these days")
        return
    contacts = pl.concat([frame.collect() for frame in frames])
    user = source.rows_of(contacts["subscriber_id"])
    here = source.registered * len(source.days) if base is None else base.days
    years = here[source.humans].sum() / YEAR
    count = int(source.humans[user].sum())
    found.add(
        "care.contacts",
        count / years if years else None,
        f"{count:,} contacts in {years:,.0f} customer-years of people and businesses",
    )
    _repeaters(source, contacts, here > 0, found)
    handled = contacts.filter(pl.col("agent_id").is_not_null())["handling_seconds"]
    mean = handled.mean()
    found.add(
        "care.handling",
        float(mean) / 60 if isinstance(mean, int | float) else None,
        f"{len(handled):,} contacts with an agent",
    )
    _first_contact(source, contacts, found)


def _repeaters(source: Source, contacts: pl.DataFrame, there: Flags, found: Findings) -> None:
    """Add how much customers differ in how often a new matter brings them to care.

    With log-normal rates, counts are mixed Poisson, and E[n (n - 1)] / E[n]^2 = exp(sigma^2).
    """
    first = contacts.filter(pl.col("contact_number") == 1)
    user = source.rows_of(first["subscriber_id"])
    counts = np.bincount(user, minlength=source.count)[source.humans & there]
    note = f"{int(counts.sum()):,} matters of {len(counts):,} customers; from factorial moments"
    pairs = float((counts * (counts - 1)).sum())
    if not pairs:
        found.add("care.repeaters", None, note)
        return
    mixing = pairs / len(counts) / counts.mean() ** 2
    found.add("care.repeaters", math.sqrt(max(math.log(mixing), 0.0)), note)
    sizes = np.bincount(counts)
    some = np.flatnonzero(sizes)
    share = sizes[some] / len(counts)
    found.panels.append(
        Panel(
            QUALITY, "Matters per customer", "matters brought to care", "share of customers",
            (
                line("customers", some, share, style="points"),
                line("all alike (Poisson)", some, _poisson(some, counts.mean()), "reference"),
            ),
            log_y=True,
            ticks=tuple(str(number) for number in range(len(sizes))),
        )
    )  # fmt: skip


def _poisson(counts: np.ndarray, mean: float) -> list[float]:
    return [math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in counts.tolist()]


def _first_contact(source: Source, contacts: pl.DataFrame, found: Findings) -> None:
    """Add the share of the matters that the first contact settled."""
    kept = contacts.filter(pl.col("resolution") != Resolution.ABANDONED.value)
    days = len(source.days)
    back = pl.duration(days=COMES_BACK)
    # Who came in the last days may still come back; in a short lake there is no other.
    enough = days >= 2 * COMES_BACK
    matters = (
        kept.sort("event_time")
        .with_columns(
            again=pl.col("event_time").shift(-1).over("case_id") - pl.col("event_time"),
        )
        .filter(pl.col("contact_number") == 1)
    )
    if enough:
        followed = source.days[-1] - dt.timedelta(days=COMES_BACK)
        matters = matters.filter(pl.col("event_time").dt.date() <= followed)
    solved = (pl.col("resolution") == Resolution.SOLVED.value) & ~(
        pl.col("again") <= back
    ).fill_null(value=False)
    count = int(matters.select(solved.sum()).item())
    found.add(
        "care.first_contact",
        100 * count / matters.height if matters.height else None,
        f"{matters.height:,} first contacts that were not abandoned, followed for "
        f"{COMES_BACK if enough else days} days",
    )
