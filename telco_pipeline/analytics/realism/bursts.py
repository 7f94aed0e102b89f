"""Bursts: gaps between a user's events and a pair's, trains of events.

Belongs here: burstiness, memory, trains, laws of gaps. Does not belong here: what a single event is
(`voice`), hours of the day on their own (`rhythm`).
"""

from typing import Final

import numpy as np

from telco_pipeline.analytics.realism import estimators as est
from telco_pipeline.analytics.realism.estimators import Groups
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Contacts, Source
from telco_pipeline.analytics.realism.report import SOCIAL, Panel, line
from telco_pipeline.engine.calendar import HOUR, SECOND

EVENTS: Final = 30
"""Events from which on a user has a burstiness."""

TRAIN: Final = 600 * SECOND
"""Events that follow each other within this time make a train (Karsai 2012 uses the same)."""

FIT_LOW, FIT_HIGH = 60.0, 6 * 3600.0
"""Seconds between which the law of gaps is fitted: beyond talk, below the daily rhythm."""

FITTED_USERS: Final = 2_000
"""Users whose own gaps are fitted, at most."""

GAPS: Final = 50
"""Gaps from which on a user's own law is fitted."""

OF_FRAUD: Final = ("bursts.users.power_law",)
"""Rows that count where there is fraud."""


def measure(source: Source, calls: Contacts, messages: Contacts, found: Findings) -> None:
    """Add the rows on bursts."""
    own_calls = calls.where(source.people[calls.user])
    own_messages = messages.where(messages.mobile & source.people[messages.user])
    _gaps_of_users(source, own_calls, "calls", found)
    _gaps_of_users(source, own_messages, "sms", found)
    _links(own_calls, found)
    _pair_gaps(own_calls, found)
    _trains(own_calls, found)
    _laws(source, calls, found)


def _gaps_of_users(source: Source, contacts: Contacts, kind: str, found: Findings) -> None:
    users = Groups.of(contacts.user)
    some = contacts.where(users.keep(users.size >= EVENTS))
    users = Groups.of(some.user)
    note = f"median of {len(users.size):,} people with {EVENTS} and more events, in and out"
    keys = [f"bursts.{kind}.{name}" for name in ("burstiness", "memory", "without_rhythm")]
    if len(users.size) < 20:
        for key in keys:
            found.add(key, None, note)
        return
    gap, runs = est.gaps(users, some.time)
    bursty = est.burstiness(gap, runs)
    hours = source.local(some.time) / HOUR
    # Hours since a Monday: 1970-01-05.
    even = est.without_rhythm(hours - 4 * 24, 168)
    plain, plain_runs = est.gaps(users, even)
    levelled = est.burstiness(plain, plain_runs)
    found.add(keys[0], float(np.nanmedian(bursty)), note)
    found.add(keys[1], float(np.nanmedian(est.memory(gap, runs))), note)
    found.add(keys[2], float(np.nanmedian(levelled)), f"{note}; time runs as the week's events do")
    bins = np.linspace(-0.6, 1.0, 41)
    middle = (bins[1:] + bins[:-1]) / 2
    band = (0.20, 0.35) if kind == "calls" else (0.35, 0.55)
    height = np.histogram(bursty, bins)[0] / len(bursty)
    found.panels.append(
        Panel(
            SOCIAL, f"Burstiness of people's {'SMS' if kind == 'sms' else kind}",
            "B", "share of people",
            (
                line("measured", middle, height, style="steps"),
                line(
                    "without the rhythm",
                    middle, np.histogram(levelled, bins)[0] / len(levelled), style="steps",
                ),
                line(
                    "band of the median",
                    (band[0], band[0], band[1], band[1]),
                    (0, height.max(), height.max(), 0), "reference",
                ),
            ),
        )
    )  # fmt: skip


def _trains_of(contacts: Contacts) -> Groups:
    """Return the trains of each user's contacts."""
    new = np.ones(len(contacts), bool)
    new[1:] = (contacts.user[1:] != contacts.user[:-1]) | (np.diff(contacts.time) > TRAIN)
    return Groups.of(np.cumsum(new))


def _links(calls: Contacts, found: Findings) -> None:
    """Compare trains that stay with one partner with those of shuffled partners."""
    trains = _trains_of(calls)
    long = trains.size >= 2
    note = f"{int(long.sum()):,} trains of two and more calls within 10 min of each other"
    if long.sum() < 100:
        found.add("bursts.calls.links", None, note)
        return
    # The same partners of each user in another order.
    order = np.lexsort((est.scrambled(np.arange(len(calls))), calls.user))
    shares = []
    for partner in (calls.other, calls.other[order]):
        alike = trains.highest(partner) == trains.lowest(partner)
        shares.append(float(alike[long].mean()))
    found.add(
        "bursts.calls.links",
        shares[0] / shares[1] if shares[1] else None,
        f"{note}: {100 * shares[0]:.0f} % with one partner, shuffled {100 * shares[1]:.0f} %",
    )


def _pair_gaps(calls: Contacts, found: Findings) -> None:
    ordered = calls.sort(calls.user, calls.other, calls.time)
    gap, _ = est.gaps(Groups.of(ordered.user, ordered.other), ordered.time)
    seconds = gap / SECOND
    edges = np.geomspace(FIT_LOW, FIT_HIGH, 19)
    inside = int(((seconds >= FIT_LOW) & (seconds <= FIT_HIGH)).sum())
    x, y = est.log_density(seconds, edges)
    found.add(
        "bursts.calls.gap_exponent",
        -est.slope(x, y) if inside >= 200 else None,
        f"{inside:,} gaps of 1 min to 6 h between calls of a pair, start to start, either way; "
        "least squares on 18 logarithmic bins",
    )
    if inside < 200:
        return
    wide_x, wide_y = est.log_density(seconds, np.geomspace(10, 28 * 86400, 50))
    middle = len(x) // 2
    found.panels.append(
        Panel(
            SOCIAL, "Gaps between calls of a pair", "gap (s)", "density",
            (
                line("measured", wide_x, wide_y, style="points"),
                line("gap^-0.7", x, y[middle] * (x / x[middle]) ** -0.7, "reference"),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip


def _trains(calls: Contacts, found: Findings) -> None:
    made = calls.where(calls.out)
    trains = _trains_of(made)
    long = trains.size[trains.size >= 2]
    note = f"{len(long):,} trains of two and more calls made within 10 min; maximum likelihood"
    if len(long) < 100:
        found.add("bursts.calls.train_exponent", None, note)
        return
    found.add(
        "bursts.calls.train_exponent",
        est.fit_shifted_power(long, 0.0, None, 2, 1000, whole=True),
        note,
    )
    size, count = np.unique(long, return_counts=True)
    share = count / len(long)
    found.panels.append(
        Panel(
            SOCIAL, "Trains of calls made", "calls of a train", "share of trains",
            (
                line("measured", size, share, style="points"),
                line("E^-4.1", size, share[0] * (size / size[0]) ** -4.1, "reference"),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip


def _laws(source: Source, calls: Contacts, found: Findings) -> None:
    """Say which law fits the gaps between each user's own calls."""
    made = calls.where(calls.out)
    users = Groups.of(made.user)
    many = users.size > GAPS
    chosen = many & (np.cumsum(many) <= FITTED_USERS)
    some = made.where(users.keep(chosen))
    gap, runs = est.gaps(Groups.of(some.user), some.time)
    note = f"{len(runs.size):,} users with {GAPS} and more gaps between calls made"
    if len(runs.size) < 20:
        found.add("bursts.users.weibull", None, note)
        found.add("bursts.users.power_law", None, note)
        return
    seconds = np.maximum(gap / SECOND, 1.0)
    order = np.lexsort((seconds, runs.label))
    seconds, wide = seconds[order], np.repeat
    shape, scale = est.fit_weibull(runs, seconds)
    power = (seconds / wide(scale, runs.size)) ** wide(shape, runs.size)
    weibull = est.ks_by_run(runs, -np.expm1(-power))
    lowest = wide(runs.lowest(seconds), runs.size)
    logs = np.log(seconds / lowest)
    alpha = runs.size / np.maximum(runs.sums(logs), 1e-9)
    pareto = est.ks_by_run(runs, -np.expm1(-wide(alpha, runs.size) * logs))
    passes = est.passes_ks(weibull, runs.size) & (weibull <= pareto)
    found.add(
        "bursts.users.weibull",
        100 * float(passes.mean()),
        f"{note}; KS test, 5 %, and nearer than a power law; median shape {np.median(shape):.2f}",
    )
    found.add("bursts.users.power_law", 100 * float((pareto < weibull).mean()), f"{note}; KS")
