"""Calls and messages one by one: durations, outcomes, what follows a missed call, replies.

Belongs here: rows that look at single calls and at what one pair does next. Does not belong here:
gaps and trains (`bursts`), the graph of pairs (`ties`).
"""

from typing import Final

import numpy as np
from scipy import stats

from telco_pipeline.analytics.realism import estimators as est
from telco_pipeline.analytics.realism.estimators import Groups, Ints
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Contacts, Source
from telco_pipeline.analytics.realism.report import SOCIAL, Panel, line
from telco_pipeline.engine.calendar import DAY, HOUR

MINUTE: Final = HOUR // 60
FITTED: Final = 200_000
"""Durations that a law is fitted to, at most: every n-th."""

FITTED_USERS: Final = 2_000
"""Users whose own durations are fitted, at most."""

PER_USER: Final = 50
"""Answered calls from which on a user's own durations are fitted."""


def measure(source: Source, calls: Contacts, messages: Contacts, found: Findings) -> None:
    """Add the rows on single calls and messages."""
    made = calls.where(calls.out & source.humans[calls.user])
    talks = made.duration[made.answered & (made.duration > 0)]
    _durations(talks, found)
    _users(calls, source, found)
    answered = 100 * float(made.answered.mean()) if len(made) else None
    found.add("calls.answered", answered, f"{len(made):,} attempts of people and businesses")
    _missed(calls, source, found)
    _replies(messages, source, found)


def _durations(talks: Ints, found: Findings) -> None:
    note = f"{len(talks):,} answered calls that people and businesses made"
    if len(talks) < 100:
        for key in ("median", "mean", "ln_sigma", "lognormal_ks"):
            found.add(f"calls.duration.{key}", None, note)
        found.add("calls.talk_time.longest_tenth", None, note)
        return
    found.add("calls.duration.median", float(np.median(talks)), note)
    found.add("calls.duration.mean", float(talks.mean()), note)
    found.add("calls.duration.ln_sigma", float(np.log(talks).std()), note)
    ordered = np.sort(talks)
    longest = ordered[-max(len(ordered) // 10, 1) :].sum() / ordered.sum()
    found.add("calls.talk_time.longest_tenth", 100 * float(longest), note)

    some = talks[:: max(1, len(talks) // FITTED)]
    place, spread = np.log(some).mean(), np.log(some).std()
    shape, _, scale = stats.fisk.fit(some[:: max(1, len(some) // 20_000)], floc=0)
    laws = {
        "log-normal": stats.lognorm(spread, scale=np.exp(place)),
        "log-logistic": stats.fisk(shape, scale=scale),
        "exponential": stats.expon(scale=some.mean()),
    }
    distance = {name: est.ks_whole(some, law.cdf) for name, law in laws.items()}
    best = min(distance["log-normal"], distance["log-logistic"])
    found.add(
        "calls.duration.lognormal_ks",
        best / distance["exponential"],
        "; ".join(f"{name} {value:.3f}" for name, value in distance.items()),
    )
    value, count = np.unique(some, return_counts=True)
    beyond = 1 - np.cumsum(count) / count.sum()
    grid = np.geomspace(1, max(value.max(), 2), 80)
    found.panels.append(
        Panel(
            SOCIAL, "Duration of answered calls", "duration longer than (s)", "share of calls",
            (
                line("measured", *_thinned(value, beyond), style="points"),
                *(
                    line(name, grid, law.sf(grid), "reference")
                    for name, law in laws.items()
                ),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip


def _thinned(x: np.ndarray, y: np.ndarray, points: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return points that lie evenly on a logarithmic axis."""
    held = (x > 0) & (y > 0)
    x, y = x[held], y[held]
    if len(x) <= points:
        return x, y
    at = np.unique(np.searchsorted(x, np.geomspace(x[0], x[-1], points)))
    return x[at], y[at]


def _users(calls: Contacts, source: Source, found: Findings) -> None:
    """Fit a truncated log-logistic law to each user's own durations."""
    talks = calls.where(calls.answered & (calls.duration > 0) & source.humans[calls.user])
    groups = Groups.of(talks.user)
    many = groups.size >= PER_USER
    chosen = many & (np.cumsum(many) <= FITTED_USERS)
    talks = talks.where(groups.keep(chosen))
    note = f"{int(chosen.sum()):,} users of {PER_USER} and more answered calls; KS test, 5 %"
    if chosen.sum() < 20:
        found.add("calls.duration.users_loglogistic", None, note)
        return
    talks = talks.sort(talks.user, talks.duration)
    groups = Groups.of(talks.user)
    # Durations are whole seconds: spread evenly over theirs, or equal ones would count as a law's
    # fault.
    spread = (est.scrambled(np.arange(len(talks))) >> np.uint64(40)).astype(np.float64) / (1 << 24)
    seconds = talks.duration - 0.5 + spread
    order = np.lexsort((seconds, talks.user))
    log = np.log(seconds[order])
    place, scale = est.fit_logistic(groups, log)
    low = (np.log(0.5) - place) / scale
    high = (np.log(talks.duration.max() + 0.5) - place) / scale
    wide = np.repeat
    size = groups.size
    cdf = est.truncated_logistic(
        (log - wide(place, size)) / wide(scale, size), wide(low, size), wide(high, size)
    )
    fits = est.passes_ks(est.ks_by_run(groups, cdf), size)
    mean = wide(groups.sums(np.exp(log)) / size, size)
    exponential = est.passes_ks(est.ks_by_run(groups, -np.expm1(-np.exp(log) / mean)), size)
    found.add(
        "calls.duration.users_loglogistic",
        100 * float(fits.mean()),
        f"{note} (an exponential law passes for {100 * exponential.mean():.0f} %)",
    )


def _pairs(contacts: Contacts) -> tuple[Contacts, Groups]:
    """Return contacts sorted by pair and time, and the pairs."""
    ordered = contacts.sort(contacts.user, contacts.other, contacts.time)
    return ordered, Groups.of(ordered.user, ordered.other)


def _missed(calls: Contacts, source: Source, found: Findings) -> None:
    """Look for a call of the same pair, either way, in the hour after a missed one."""
    mobile = calls.where(calls.mobile & source.humans[calls.user])
    ordered, pairs = _pairs(mobile)
    missed = ordered.out & ~ordered.answered
    note = f"{int(missed.sum()):,} missed calls of people and businesses to mobile numbers"
    if missed.sum() < 100:
        found.add("calls.missed.followed", None, note)
        found.add("calls.missed.lift", None, note)
        return
    start, end = int(ordered.time.min()), int(ordered.time.max())
    span = end - start + 30 * DAY
    at = pairs.label * span + (ordered.time - start)

    def share(shift: int) -> tuple[int, int]:
        time = ordered.time[missed] + shift
        within = (time >= start) & (time + HOUR <= end)
        moment = at[missed][within] + shift
        first = np.searchsorted(at, moment, side="right")
        last = np.searchsorted(at, moment + HOUR, side="right")
        return int((last > first).sum()), len(moment)

    followed, cases = share(0)
    others = [share(days * DAY) for days in (-7, -2, -1, 1, 2, 7)]
    base = sum(hits for hits, _ in others) / max(sum(all_ for _, all_ in others), 1)
    rate = followed / max(cases, 1)
    found.add("calls.missed.followed", 100 * rate, note)
    found.add(
        "calls.missed.lift",
        rate / base if base else None,
        f"the same pair within an hour of that time, 1, 2 and 7 days before and after: "
        f"{100 * base:.2f} %",
    )


def _replies(messages: Contacts, source: Source, found: Findings) -> None:
    """Look at what follows a message between the same two people."""
    personal = messages.where(messages.mobile & source.people[messages.user])
    ordered, pairs = _pairs(personal)
    gap, _ = est.gaps(pairs, ordered.time)
    turned = np.zeros(len(ordered), bool)
    turned[1:] = ordered.out[1:] != ordered.out[:-1]
    inner = np.ones(len(ordered), bool)
    inner[pairs.start] = False
    turned = turned[inner]
    # What comes after an hour begins another conversation, whoever writes it.
    near = gap < HOUR
    replies = turned & near
    note = "{:,} messages within an hour of the pair's last one"
    found.add(
        "sms.alternation",
        100 * float(turned[near].mean()) if near.sum() >= 100 else None,
        note.format(int(near.sum())),
    )
    found.add(
        "sms.reply.within_10_min",
        100 * float((gap[replies] <= 10 * MINUTE).mean()) if replies.sum() >= 100 else None,
        f"{int(replies.sum()):,} messages that answer the pair's last one within the hour",
    )
    if replies.sum() >= 100:
        minutes = np.geomspace(0.1, 60, 50)
        waited = np.sort(gap[replies] / MINUTE)
        found.panels.append(
            Panel(
                SOCIAL, "Replies to messages", "minutes after the message",
                "share of the hour's replies",
                (
                    line("measured", minutes, np.searchsorted(waited, minutes) / len(waited)),
                    line("lower edge of the band", (10, 10), (0, 0.5), "reference"),
                ),
                log_x=True,
            )
        )  # fmt: skip
