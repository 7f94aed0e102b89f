"""Market: the country's averages, and what care and quality of calls have in the records already.

Belongs here: totals per SIM, shares of SIMs, contacts with care. Does not belong here: how they
come about.
"""

import numpy as np
import polars as pl

from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Contacts, Source, Traffic
from telco_pipeline.contracts.codes import CauseForTerm, IdentityChange, RecordType, Resolution

YEAR = 365.25


def measure(
    source: Source, calls: Contacts, messages: Contacts, traffic: Traffic, found: Findings
) -> None:
    """Add the rows on the market, on care and on dropped calls."""
    used = traffic.sessions > 0
    for contacts in (calls, messages):
        used |= np.bincount(contacts.user, minlength=source.count) > 0
    _usage(source, calls, messages, traffic, used, found)
    _sims(source, found)
    _changes(source, found)
    _drops(source, found)
    _care(source, found)


def _usage(
    source: Source,
    calls: Contacts,
    messages: Contacts,
    traffic: Traffic,
    used: np.ndarray,
    found: Findings,
) -> None:
    active = source.humans & used
    count = int(active.sum())
    note = f"{count:,} SIMs of people and businesses with any record; {len(source.days)} days"
    made = calls.out & source.humans[calls.user]
    people = source.people & used
    sent = int((messages.out & source.people[messages.user]).sum())
    volume = (traffic.uplink + traffic.downlink)[source.humans].sum()
    months = source.months
    found.add(
        "market.voice_minutes",
        calls.duration[made].sum() / 60 / count / months if count else None,
        f"{note}; minutes of calls made and answered",
    )
    found.add(
        "market.sms",
        sent / people.sum() / months if people.any() else None,
        f"{int(people.sum()):,} SIMs of people with any record; SMS sent",
    )
    found.add("market.data_gigabytes", volume / 1e9 / count / months if count else None, note)


def _sims(source: Source, found: Findings) -> None:
    humans, machines = int(source.humans.sum()), int(source.machines.sum())
    prepaid = (source.users["payment"] == "prepaid").fill_null(value=False).to_numpy()
    found.add(
        "market.prepaid",
        100 * prepaid[source.humans].sum() / humans if humans else None,
        f"{humans:,} SIMs of people and businesses in the registry",
    )
    found.add(
        "market.m2m",
        100 * machines / (humans + machines) if humans + machines else None,
        f"{humans + machines:,} SIMs in the registry, visitors left out",
    )


def _changes(source: Source, found: Findings) -> None:
    key = "market.change_of_operator"
    there = set(source.lake.days("identity_changes"))
    if not there.issuperset(source.days):
        found.add(key, None, "no identity_changes of these days")
        return
    frames = source.frames(
        "identity_changes", ["subscriber_id", pl.col("change_type").cast(pl.String)]
    )
    gone = pl.concat(
        [
            frame.filter(pl.col("change_type") == IdentityChange.PORT_OUT.value).collect()
            for frame in frames
        ]
    )
    left = int(source.humans[source.rows_of(gone["subscriber_id"])].sum())
    humans = int(source.humans.sum())
    found.add(
        key,
        100 * left / humans * YEAR / len(source.days) if humans else None,
        f"{left:,} numbers of {humans:,} people and businesses ported out",
    )


def _drops(source: Source, found: Findings) -> None:
    made = pl.col("record_type").cast(pl.String) == RecordType.MO_CALL.value
    talked = made & pl.col("answer_time").is_not_null()
    dropped = pl.col("cause_for_term") == CauseForTerm.STABLE_CALL_ABNORMAL_TERMINATION.value
    counts = [
        frame.select(talked.sum().alias("all"), (talked & dropped).sum().alias("dropped")).collect()
        for frame in source.frames("cdrs_voice", ["record_type", "answer_time", "cause_for_term"])
    ]
    total = pl.concat(counts).sum()
    calls, lost = total["all"][0], total["dropped"][0]
    found.add(
        "quality.drop",
        100 * lost / calls if calls else None,
        f"{calls:,} answered calls; a base rate until cells have faults and load",
    )


def _care(source: Source, found: Findings) -> None:
    frames = source.frames(
        "customer_service",
        ["subscriber_id", "handling_seconds", "agent_id", pl.col("resolution").cast(pl.String)],
    )
    keys = ("care.contacts", "care.handling", "care.first_contact")
    if len(frames) < len(source.days):
        for key in keys:
            found.add(key, None, "no customer_service of these days")
        return
    contacts = pl.concat([frame.collect() for frame in frames])
    humans = source.humans[source.rows_of(contacts["subscriber_id"])]
    count, customers = int(humans.sum()), int(source.humans.sum())
    found.add(
        keys[0],
        count / customers * YEAR / len(source.days) if customers else None,
        f"{count:,} contacts of {customers:,} SIMs",
    )
    handled = contacts.filter(pl.col("agent_id").is_not_null())
    mean = handled["handling_seconds"].mean()
    found.add(
        keys[1],
        float(mean) / 60 if isinstance(mean, int | float) else None,
        f"{handled.height:,} contacts with an agent",
    )
    ended = contacts.filter(pl.col("resolution") != Resolution.ABANDONED.value)
    solved = int((ended["resolution"] == Resolution.SOLVED.value).sum())
    found.add(
        keys[2],
        100 * solved / ended.height if ended.height else None,
        f"{ended.height:,} contacts that were not abandoned, each taken for a first one",
    )
