"""Market: the country's averages.

Belongs here: totals per SIM, shares of SIMs. Does not belong here: who comes and leaves
(`customers`), how the averages come about.
"""

import numpy as np

from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Contacts, Source, Traffic


def measure(
    source: Source, calls: Contacts, messages: Contacts, traffic: Traffic, found: Findings
) -> None:
    """Add the rows on the market."""
    used = traffic.sessions > 0
    for contacts in (calls, messages):
        used |= np.bincount(contacts.user, minlength=source.count) > 0
    _usage(source, calls, messages, traffic, used, found)
    _sims(source, found)


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
    there = source.registered
    humans, machines = (int((each & there).sum()) for each in (source.humans, source.machines))
    prepaid = source.prepaid[source.humans & there].sum()
    found.add(
        "market.prepaid",
        100 * prepaid / humans if humans else None,
        f"{humans:,} SIMs of people and businesses in the registry",
    )
    found.add(
        "market.m2m",
        100 * machines / (humans + machines) if humans + machines else None,
        f"{humans + machines:,} SIMs in the registry, visitors left out",
    )
