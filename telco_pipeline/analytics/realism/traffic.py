"""Traffic: data sessions, who carries the bytes, where they are carried; machines.

Belongs here: rows from the data records. Does not belong here: their hours (`rhythm`), the market's
averages (`market`).
"""

from typing import Final

import numpy as np
import polars as pl
from scipy import stats

from telco_pipeline.analytics.realism import estimators as est
from telco_pipeline.analytics.realism.catalogue import SERVICES
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Source, Traffic
from telco_pipeline.analytics.realism.report import DATA, MACHINES, Panel, line

SESSIONS: Final = 300
"""Sessions from which on a service's volumes and durations are measured."""

SHORTEST, LONGEST = 5, 3500
"""Seconds between which volume over duration is fitted: beyond rounding, below the longest."""


def measure(source: Source, traffic: Traffic, found: Findings) -> None:
    """Add the rows on data sessions, cells and machines."""
    sessions = _sessions(source, traffic)
    people = sessions.filter(~pl.col("machine"))
    _services(people, found)
    _durations(people, found)
    _users(source, traffic, found)
    _cells(source, traffic, found)
    _sites(source, traffic, found)
    _machines(source, traffic, sessions, found)


def _sessions(source: Source, traffic: Traffic) -> pl.DataFrame:
    """Return the sampled sessions, the partial records of each put together."""
    parts = pl.concat(traffic.sample) if traffic.sample else pl.DataFrame(
        schema={
            "charging_id": pl.Int64, "service": pl.String, "duration": pl.Int32,
            "up": pl.Int64, "down": pl.Int64, "user": pl.Int64,
        }
    )  # fmt: skip
    machine = source.machines[parts["user"].to_numpy()]
    return (
        parts.with_columns(machine=machine)
        .group_by("user", "charging_id", "service")
        .agg(
            pl.col("duration").sum(),
            (pl.col("up") + pl.col("down")).sum().alias("volume"),
            pl.col("machine").first(),
        )
        .sort("user", "charging_id", "service")
    )


def _services(people: pl.DataFrame, found: Findings) -> None:
    counts = dict(people.group_by("service").len().iter_rows())
    logs = people.filter(pl.col("volume") > 0).with_columns(pl.col("volume").log10())
    spread = {
        name: (mean, sd, count)
        for name, mean, sd, count in logs.group_by("service")
        .agg(
            pl.col("volume").mean().alias("mean"),
            pl.col("volume").std().alias("sd"),
            pl.len().alias("count"),
        )
        .iter_rows()
    }
    known = [name for name in SERVICES if spread.get(name, (0, 0, 0))[2] >= SESSIONS]
    note = f"{people.height:,} sessions of sampled people, {len(known)} services"
    if len(known) < len(SERVICES):
        for key in ("data.volume.means", "data.volume.sds", "data.services"):
            found.add(key, None, f"{note}: too few sessions of some")
        return
    for key, column, part in (("means", 1, 0), ("sds", 2, 1)):
        apart = {name: spread[name][part] - SERVICES[name][column] for name in known}
        worst = max(apart, key=lambda name: abs(apart[name]))
        found.add(f"data.volume.{key}", abs(apart[worst]), f"{note}; worst {worst} "
                  f"{apart[worst]:+.2f}")  # fmt: skip
    table = np.array([SERVICES[name][0] for name in known])
    mine = np.array([counts[name] for name in known])
    others = people.height - int(mine.sum())
    found.add(
        "data.services",
        est.total_variation(mine, table),
        f"{note}; {others:,} sessions of other services left out",
    )
    x = range(len(known))
    names = tuple(name.replace("_", " ") for name in known)
    found.panels += [
        Panel(
            DATA, "Services' share of sessions", "", "% of sessions",
            (
                line("measured", x, 100 * mine / mine.sum(), style="bars"),
                line("table", x, 100 * table / table.sum(), "reference", style="points"),
            ),
            ticks=names,
        ),
        *(
            Panel(
                DATA, f"log10 of a session's bytes: {title}", "", "log10 of bytes",
                (
                    line("measured", x, [spread[name][part] for name in known], style="bars"),
                    line(
                        "table", x, [SERVICES[name][part + 1] for name in known],
                        "reference", "points",
                    ),
                ),
                ticks=names,
            )
            for title, part in (("mean", 0), ("standard deviation", 1))
        ),
    ]  # fmt: skip


def _durations(people: pl.DataFrame, found: Findings) -> None:
    """Fit log volume over log duration, service by service."""
    timed = people.filter(pl.col("duration").is_between(SHORTEST, LONGEST) & (pl.col("volume") > 0))
    apart: dict[str, float] = {}
    for name, (_, _, _, exponent) in SERVICES.items():
        if exponent is None or exponent < 0.3:
            continue
        some = timed.filter(pl.col("service") == name)
        if some.height >= SESSIONS and some["duration"].n_unique() >= 10:
            x, y = some["duration"].to_numpy(), some["volume"].to_numpy()
            apart[name] = est.slope(x.astype(np.float64), y.astype(np.float64)) - exponent
    if len(apart) < 5:
        found.add("data.duration.exponents", None, f"{len(apart)} services with enough sessions")
        return
    worst = max(apart, key=lambda name: abs(apart[name]))
    found.add(
        "data.duration.exponents",
        abs(apart[worst]),
        f"{timed.height:,} sessions of {SHORTEST} to {LONGEST:,} s of sampled people, "
        f"{len(apart)} services, {sum(abs(each) > 0.15 for each in apart.values())} of them off by "
        f"more than 0.15; worst {worst} {apart[worst]:+.2f}",
    )
    names = tuple(apart)
    table = [SERVICES[name][3] or 0.0 for name in names]
    found.panels.append(
        Panel(
            DATA, "Exponent of volume over duration", "", "b",
            (
                line("measured", range(len(names)),
                     [value + apart[n] for n, value in zip(names, table, strict=True)],
                     style="bars"),
                line("table", range(len(names)), table, "reference", style="points"),
            ),
            ticks=tuple(name.replace("_", " ") for name in names),
        )
    )  # fmt: skip


def _users(source: Source, traffic: Traffic, found: Findings) -> None:
    up, down = traffic.uplink[source.humans], traffic.downlink[source.humans]
    total = up + down
    active = np.sort(total[total > 0])[::-1]
    note = f"{len(active):,} people and businesses with data"
    if len(active) < 100:
        found.add("data.uplink.people", None, note)
        found.add("data.users.top_tenth", None, note)
        return
    found.add("data.uplink.people", 100 * up.sum() / total.sum(), note)
    held = np.cumsum(active) / active.sum()
    found.add("data.users.top_tenth", 100 * held[len(active) // 10 - 1], note)
    at = np.unique(np.linspace(0, len(active) - 1, 100).astype(np.int64))
    found.panels.append(
        Panel(
            DATA, "Bytes by users", "% of the users, heaviest first", "% of the bytes",
            (
                line("measured", 100 * (at + 1) / len(active), 100 * held[at]),
                line("band of the top 10 %", (10, 10), (50, 60), "reference"),
            ),
        )
    )  # fmt: skip


def _cells(source: Source, traffic: Traffic, found: Findings) -> None:
    rat = source.cells["rat_type"].is_in(["EUTRAN", "NR"]).to_numpy()
    sessions = traffic.by_cell.sum(axis=(1, 2))
    busy = np.sort(sessions[rat & (sessions > 0)])[::-1]
    keys = [f"data.cells.{name}" for name in ("busiest_tenth", "quieter_half", "ln_sd")]
    note = f"{len(busy):,} LTE and NR cells with sessions"
    if len(busy) < 50:
        for key in keys:
            found.add(key, None, note)
        return
    held = np.cumsum(busy) / busy.sum()
    found.add(keys[0], 100 * held[len(busy) // 10 - 1], note)
    found.add(keys[1], 100 * (1 - held[len(busy) - len(busy) // 2 - 1]), note)
    found.add(keys[2], float(np.log(busy).std()), note)
    found.panels.append(
        Panel(
            DATA, "Sessions by cells", "% of the cells, busiest first", "% of the sessions",
            (
                line("measured", 100 * np.arange(1, len(busy) + 1) / len(busy), 100 * held),
                line("targets", (10, 50), (37, 87), "reference", style="points"),
            ),
        )
    )  # fmt: skip


def _sites(source: Source, traffic: Traffic, found: Findings) -> None:
    busy = traffic.volume_by_site > 0
    note = f"{int(busy.sum())} sites; bytes over the area that is nearest to a site"
    if busy.sum() < 50:
        found.add("data.sites.log_normal", None, note)
        found.add("data.sites.correlation", None, note)
        return
    area = est.land_areas(source.sites)
    density = np.log(traffic.volume_by_site[busy] / area[busy])
    law = stats.norm(density.mean(), density.std())
    found.add("data.sites.log_normal", float(stats.kstest(density, law.cdf).statistic), note)
    found.add("data.sites.correlation", est.morans_i(source.sites[busy], density),
              f"{note}; five nearest sites")  # fmt: skip
    ordered = np.sort(density)
    rank = (np.arange(len(ordered)) + 0.5) / len(ordered)
    found.panels.append(
        Panel(
            DATA, "Traffic density of sites", "ln of bytes per km2, less its mean",
            "share of sites below",
            (
                line("measured", ordered - density.mean(), rank, style="points"),
                line("normal law", ordered - density.mean(), law.cdf(ordered), "reference"),
            ),
        )
    )  # fmt: skip


def _machines(source: Source, traffic: Traffic, sessions: pl.DataFrame, found: Findings) -> None:
    keys = ("uplink", "profile", "on_the_hour", "session_size", "static")
    talking = source.machines & (traffic.sessions > 0)
    note = f"{int(talking.sum()):,} machines with data"
    machine_hours = traffic.sessions_by_hour[1]
    if talking.sum() < 50 or machine_hours.sum() < 1000 or not traffic.sessions_by_hour[0].sum():
        for key in keys:
            found.add(f"machines.{key}", None, note)
        return
    up, down = traffic.uplink[source.machines].sum(), traffic.downlink[source.machines].sum()
    found.add("machines.uplink", up / down if down else None, note)
    found.add(
        "machines.profile",
        est.total_variation(machine_hours, traffic.sessions_by_hour[0]),
        f"{note}; sessions by local hour",
    )
    minutes = traffic.minutes
    found.add("machines.on_the_hour", minutes[0] / minutes.mean(), f"{note}; all their sessions")
    small, large = (
        float(np.median(some)) if len(some) else 0.0
        for some in (
            sessions.filter(pl.col("machine") == kind)["volume"].to_numpy()
            for kind in (True, False)
        )
    )
    found.add(
        "machines.session_size",
        small / large if large else None,
        f"{small:,.0f} bytes over {large:,.0f}, sampled sessions",
    )
    seen = source.machines & (traffic.highest_site >= 0)
    static = traffic.lowest_site[seen] == traffic.highest_site[seen]
    found.add(
        "machines.static", 100 * float(static.mean()), f"{int(seen.sum()):,} machines; one site"
    )
    hours = np.arange(24)
    people = traffic.sessions_by_hour[0]
    found.panels += [
        Panel(
            MACHINES, "Machines' sessions by hour", "local hour", "% of the day",
            (
                line("machines", hours, 100 * machine_hours / machine_hours.sum(), style="bars"),
                line("people", hours, 100 * people / people.sum(), "reference"),
            ),
        ),
        Panel(
            MACHINES, "Machines' sessions by minute", "minute of the hour", "over the mean minute",
            (
                line("machines", range(60), minutes / minutes.mean(), style="steps"),
                line("no synchronisation", (0, 59), (1, 1), "reference"),
            ),
        ),
    ]  # fmt: skip
