"""Ties: the graph of who calls and writes whom, and how much each user does at all.

Belongs here: degree, weight, components, overlap, reciprocity, clustering, activity. Does not
belong here: when contacts happen (`bursts`). The graph is drawn from the records, never from the
dataset of social ties.
"""

from typing import Any, Final

import numpy as np
from scipy import sparse, stats

from telco_pipeline.analytics.realism import estimators as est
from telco_pipeline.analytics.realism.estimators import Flags, Floats, Groups
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Contacts, Source
from telco_pipeline.analytics.realism.report import SOCIAL, Panel, line

WEIGHT_CLASSES: Final = 10


def measure(source: Source, calls: Contacts, messages: Contacts, found: Findings) -> None:
    """Add the rows on the graph and on activity."""
    talked = _directed(calls, source.humans, source.count, calls.answered)
    seconds = _directed(calls, source.humans, source.count, calls.answered, calls.duration)
    _mutual(talked, seconds, len(source.days), found)
    _reciprocity(source, calls, messages, found)
    _clustering(source, calls, found)
    _top_contact(source, calls, messages, found)
    _activity(source, calls, messages, found)


def _directed(
    contacts: Contacts,
    among: Flags,
    users: int,
    counted: Flags,
    weight: np.ndarray | None = None,
) -> sparse.csr_array:
    """Return how often (or how much) each user called or wrote another one, [users, users]."""
    inner = contacts.out & (contacts.other < users) & (contacts.other != contacts.user) & counted
    inner &= among[contacts.user] & among[np.minimum(contacts.other, users - 1)]
    data = np.ones(int(inner.sum())) if weight is None else weight[inner].astype(np.float64)
    ends = (contacts.user[inner], contacts.other[inner])
    graph = sparse.coo_array((data, ends), shape=(users, users)).tocsr()
    graph.sum_duplicates()
    return graph


def _ones(graph: sparse.csr_array) -> sparse.csr_array:
    """Return the graph with ones where it has anything."""
    plain = graph.copy()
    plain.data = np.ones(len(plain.data))
    return plain


def _either_way(graph: sparse.csr_array) -> sparse.csr_array:
    return _ones((graph + graph.T).tocsr())


def _mutual(
    talked: sparse.csr_array, seconds: sparse.csr_array, days: int, found: Findings
) -> None:
    one_way = _ones(talked)
    mutual = one_way.multiply(one_way.T).tocsr()
    mutual.eliminate_zeros()
    degree = np.diff(mutual.indptr).astype(np.int64)
    tied = degree[degree > 0]
    keys = ("degree.mean", "degree.exponent", "weight.exponent", "giant_component")
    note = f"{len(tied):,} people and businesses, {mutual.nnz // 2:,} pairs that called both ways"
    if len(tied) < 100:
        for key in (*keys, "overlap.rises"):
            found.add(f"ties.{key}", None, note)
        return
    gamma = est.fit_shifted_power(tied, 10.9, None, 1, max(int(tied.max()), 2000), whole=True)
    found.add("ties.degree.mean", float(tied.mean()), note)
    found.add("ties.degree.exponent", gamma, f"{note}; maximum likelihood, k0 = 10.9")
    found.add("ties.giant_component", 100 * est.component_share(mutual), note)

    both = sparse.triu((seconds + seconds.T).multiply(mutual), 1).tocsr()
    weight = np.asarray(both.tocoo().data, dtype=np.float64)
    cut = 3.45e5 * days / 126
    exponent = est.fit_shifted_power(weight, 280.0, cut, 1.0, 10 * cut)
    found.add(
        "ties.weight.exponent",
        exponent,
        f"{len(weight):,} ties, seconds of talk both ways; maximum likelihood; cut-off "
        f"{cut:,.0f} s",
    )
    _degree_panel(tied, found)
    _weight_panel(weight, cut, found)
    _overlap(mutual, both, found)


def _degree_panel(tied: np.ndarray, found: Findings) -> None:
    degree, count = np.unique(tied, return_counts=True)
    law = (degree + 10.9) ** -8.4
    whole = ((np.arange(1, 500) + 10.9) ** -8.4).sum()
    found.panels.append(
        Panel(
            SOCIAL, "Mutual call graph: degree", "degree k", "share of users",
            (
                line("measured", degree, count / count.sum(), style="points"),
                line("(k + 10.9)^-8.4", degree, law / whole, "reference"),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip


def _weight_panel(weight: Floats, cut: float, found: Findings) -> None:
    edges = np.geomspace(10, max(weight.max(), 100), 30)
    x, y = est.log_density(weight, edges)
    grid = np.geomspace(1, 10 * cut, 4000)
    law = (grid + 280) ** -1.9 * np.exp(-grid / cut)
    law /= np.trapezoid(law, grid)
    found.panels.append(
        Panel(
            SOCIAL, "Weight of ties", "seconds of talk", "density",
            (
                line("measured", x, y, style="points"),
                line("(w + 280 s)^-1.9, cut off", x, np.interp(x, grid, law), "reference"),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip


def _overlap(mutual: sparse.csr_array, both: sparse.csr_array, found: Findings) -> None:
    left, right, overlap = est.overlaps(mutual)
    note = f"{len(overlap):,} ties with other neighbours, in {WEIGHT_CLASSES} classes of weight"
    if len(overlap) < 20 * WEIGHT_CLASSES:
        found.add("ties.overlap.rises", None, note)
        return
    weight = np.asarray(both[left, right]).ravel()
    rank = stats.rankdata(weight, method="ordinal") - 1
    classes = (rank * WEIGHT_CLASSES // len(rank)).astype(np.int64)
    mean = np.bincount(classes, weights=overlap) / np.bincount(classes)
    order = np.arange(WEIGHT_CLASSES)
    ranked: Any = stats.spearmanr(order, mean) if np.ptp(mean) > 0 else None
    value = float(ranked.statistic) if ranked is not None else 0.0
    found.add(
        "ties.overlap.rises",
        value,
        f"{note}: from {mean[0]:.3f} in the lightest to {mean[-1]:.3f} in the heaviest",
    )
    found.panels.append(
        Panel(
            SOCIAL, "Overlap of neighbours by weight", "share of ties that are lighter",
            "mean overlap",
            (line("measured", (order + 0.5) / WEIGHT_CLASSES, mean, style="points"),),
        )
    )  # fmt: skip


def _reciprocity(source: Source, calls: Contacts, messages: Contacts, found: Findings) -> None:
    shares: list[float | None] = []
    for contacts in (messages, calls):
        anyway = np.ones(len(contacts), bool)
        graph = _ones(_directed(contacts, source.people, source.count, anyway))
        back = graph.multiply(graph.T).sum()
        shares.append(float(back / graph.nnz) if graph.nnz >= 100 else None)
    sms, voice = shares
    if sms is None or voice is None:
        found.add("ties.reciprocity", None, "fewer than 100 ties of a kind")
        return
    found.add(
        "ties.reciprocity",
        100 * (sms - voice),
        f"directed ties between people that are returned: SMS {100 * sms:.1f} %, calls "
        f"{100 * voice:.1f} %",
    )


def _clustering(source: Source, calls: Contacts, found: Findings) -> None:
    graph = _either_way(_directed(calls, source.people, source.count, calls.answered))
    local, degree = est.clustering(graph)
    held = degree >= 2
    found.add(
        "ties.clustering",
        float(local[held].mean()) if held.sum() >= 100 else None,
        f"mean local clustering of {int(held.sum()):,} people with two and more contacts among "
        "our own, answered calls either way",
    )


def _top_contact(source: Source, calls: Contacts, messages: Contacts, found: Findings) -> None:
    user = np.concatenate([calls.user, messages.user[messages.mobile]])
    other = np.concatenate([calls.other, messages.other[messages.mobile]])
    own = source.people[user]
    user, other = user[own], other[own]
    order = np.lexsort((other, user))
    pairs = Groups.of(user[order], other[order])
    users = Groups.of(user[order][pairs.start])
    total = users.sums(pairs.size)
    share = users.highest(pairs.size) / np.maximum(total, 1)
    many = total >= 20
    found.add(
        "ties.top_contact",
        100 * float(np.median(share[many])) if many.sum() >= 20 else None,
        f"median of {int(many.sum()):,} people with 20 and more calls and SMS",
    )


def _activity(source: Source, calls: Contacts, messages: Contacts, found: Findings) -> None:
    lines = []
    for key, contacts in (("calls", calls), ("sms", messages.where(messages.mobile))):
        count = np.bincount(contacts.user, minlength=source.count)[source.people]
        active = count[count > 0]
        found.add(
            f"activity.{key}.ln_sd",
            float(np.log(active).std()) if len(active) >= 100 else None,
            f"{len(active):,} people with any, in and out",
        )
        if len(active) >= 100:
            ordered = np.sort(active)
            beyond = 1 - np.arange(len(ordered)) / len(ordered)
            at = np.unique(np.linspace(0, len(ordered) - 1, 80).astype(np.int64))
            name = "SMS" if key == "sms" else key
            lines.append(line(name, ordered[at], beyond[at]))
            spread = 1.5 if key == "sms" else 1.2
            law = stats.lognorm(spread, scale=float(np.exp(np.log(active).mean())))
            grid = np.geomspace(1, ordered[-1], 60)
            lines.append(line(f"{name}: ln-sd {spread}", grid, law.sf(grid), "reference"))
    if lines:
        found.panels.append(
            Panel(
                SOCIAL, "Activity per person", "events of a person, at least", "share of people",
                tuple(lines), log_x=True, log_y=True,
            )
        )  # fmt: skip
