"""Mobility: where people are seen, how far they go, how often they come back.

Belongs here: rows from the sites in which sampled people leave records. Does not belong here:
machines (`traffic`), traffic of cells (`rhythm`, `traffic`).

Sightings are the antenna positions of calls, messages and data sessions at home, as in Gonzalez
2008 and Song 2010. Where time matters, a person is seen once an hour, at the site of the hour's
first record, as in Song 2010: many sessions in one place are then no many visits.
"""

from typing import Final

import numpy as np

from telco_pipeline.analytics.realism import estimators as est
from telco_pipeline.analytics.realism.estimators import Floats, Groups, Ints
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Source
from telco_pipeline.analytics.realism.report import MOBILITY, Panel, line
from telco_pipeline.engine.calendar import DAY, HOUR

SEEN: Final = 50
"""Hours seen from which on a person's places are counted."""

GYRATION_CUT: Final = 75.0
JUMP_CUT: Final = 86.0
"""Cut-offs in kilometres: the middle of 50-100 km for the 350 km of the paper's country, and 400 km
scaled likewise."""

LONGEST: Final = 300.0
"""No two places of the country lie further apart, kilometres."""

RANKS: Final = 10
WAITING_CUT: Final = 17.0


def measure(source: Source, seen: tuple[Ints, Ints, Ints], found: Findings) -> None:
    """Add the rows on mobility.

    Args:
        source: The lake.
        seen: User, UTC time and site of each sighting, sorted by user and time.
        found: Where rows go.
    """
    user, time, site = seen
    people = Groups.of(user)
    enough = people.keep(people.size >= SEEN)
    user, time, site = user[enough], time[enough], site[enough]
    people = Groups.of(user)
    if len(people.size) < 50:
        for key in (
            "gyration.exponent", "gyration.ks", "jump.exponent", "visits.zipf",
            "exploration.exponent", "exploration.new", "waiting.exponent", "top_two",
            "commute.morning", "commute.evening", "commute.peaks",
        ):  # fmt: skip
            found.add(f"mobility.{key}", None, f"{len(people.size)} people seen often enough")
        return
    gyration(source, people, site, found)
    jumps(source, people, site, found)
    commutes(source, user, time, site, found)

    hour = source.local(time) // HOUR
    first = np.ones(len(user), bool)
    first[1:] = (user[1:] != user[:-1]) | (hour[1:] != hour[:-1])
    user, hour, site = user[first], hour[first], site[first]
    visits(user, site, found)
    exploration(user, hour, site, found)
    waiting(user, hour, site, found)


def gyration(source: Source, people: Groups, site: Ints, found: Findings) -> None:
    """Add how far around their centre people are seen, each sighting weighing alike."""
    place = source.sites[site]
    centre = np.column_stack([people.sums(place[:, axis]) / people.size for axis in (0, 1)])
    away = ((place - np.repeat(centre, people.size, axis=0)) ** 2).sum(axis=1)
    radius = np.sqrt(people.sums(away) / people.size)
    note = f"{len(radius):,} sampled people of {SEEN} and more sightings, all weighing alike"
    beta = est.fit_shifted_power(radius, 5.8, GYRATION_CUT, 0.0, LONGEST)
    found.add(
        "mobility.gyration.exponent",
        beta,
        f"{note}; maximum likelihood; median {np.median(radius):.1f} km",
    )
    ordered = np.sort(radius)
    rank = np.arange(1, len(ordered) + 1) / len(ordered)
    distance = {
        cut: float(
            np.abs(rank - est.shifted_power_cdf(ordered, 1.65, 5.8, cut, 0.0, LONGEST)).max()
        )
        for cut in range(50, 101, 5)
    }
    best = min(distance, key=lambda cut: distance[cut])
    found.add("mobility.gyration.ks", distance[best], f"{note}; kappa {best} km")
    grid = np.geomspace(0.3, LONGEST, 80)
    law = 1 - est.shifted_power_cdf(grid, 1.65, 5.8, float(best), 0.0, LONGEST)
    beyond = 1 - np.searchsorted(ordered, grid, side="right") / len(ordered)
    found.panels.append(
        Panel(
            MOBILITY, "Radius of gyration", "radius larger than (km)", "share of people",
            (
                line("measured", grid, beyond, style="points"),
                line(f"(r + 5.8)^-1.65 exp(-r/{best})", grid, law, "reference"),
            ),
            log_x=True,
        )
    )  # fmt: skip


def jumps(source: Source, people: Groups, site: Ints, found: Findings) -> None:
    """Add how far people go between sightings that follow each other."""
    place = source.sites[site]
    inner = np.ones(len(site), bool)
    inner[people.start] = False
    step = np.diff(place, axis=0, prepend=place[:1])[inner]
    length = np.sqrt((step**2).sum(axis=1))
    moved = length[length > 0]
    # Below the usual distance of neighbouring sites there can be few jumps.
    from_km = 2.0
    some = moved[:: max(1, len(moved) // 200_000)]
    beta = est.fit_shifted_power(some, 1.5, JUMP_CUT, from_km, LONGEST)
    found.add(
        "mobility.jump.exponent",
        beta,
        f"{len(moved):,} changes of site between sightings that follow each other; maximum "
        f"likelihood from {from_km:.0f} km; median {np.median(moved) if len(moved) else 0:.1f} km",
    )
    if len(moved) < 100:
        return
    x, y = est.log_density(moved, np.geomspace(0.5, LONGEST, 30))
    grid = np.geomspace(from_km, LONGEST, 400)
    law = (grid + 1.5) ** -1.75 * np.exp(-grid / JUMP_CUT)
    law *= (moved >= from_km).mean() / np.trapezoid(law, grid)
    found.panels.append(
        Panel(
            MOBILITY, "Length of jumps", "jump (km)", "density",
            (
                line("measured", x, y, style="points"),
                line("(d + 1.5)^-1.75, cut off", grid, law, "reference"),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip


def commutes(source: Source, user: Ints, time: Ints, site: Ints, found: Findings) -> None:
    """Add how often people change the site on weekdays, by hour.

    Only time between sightings of less than an hour is watched. Moves count per hour that somebody
    was watched: else hours of many sessions would seem to be hours of many moves.
    """
    watched = (user[1:] == user[:-1]) & (np.diff(time) <= HOUR)
    local = source.local((time[1:] + time[:-1]) // 2)
    # 1970-01-01 was a Thursday.
    watched &= (local // DAY + 3) % 7 < 5
    moved = watched & (site[1:] != site[:-1])
    hour = local % DAY // HOUR
    moves = np.bincount(hour[moved], minlength=24)
    hours = np.bincount(hour[watched], weights=np.diff(time)[watched] / HOUR, minlength=24)
    rate = moves / np.maximum(hours, 1.0)
    note = f"{int(moves.sum()):,} changes of site in {hours.sum():,.0f} weekday hours watched"
    keys = [f"mobility.commute.{name}" for name in ("morning", "evening", "peaks")]
    if moves.sum() < 500:
        for key in keys:
            found.add(key, None, note)
        return
    peaks = np.concatenate([rate[7:9], rate[16:19]]).mean()
    found.add(keys[0], float(rate[:12].argmax()), note)
    found.add(keys[1], float(12 + rate[12:].argmax()), note)
    found.add(keys[2], float(peaks / rate[10:15].mean()) if rate[10:15].any() else None, note)
    top = rate.max()
    found.panels.append(
        Panel(
            MOBILITY, "Weekday moves by hour", "local hour", "moves per hour watched",
            (
                line("measured", range(24), rate, style="bars"),
                *(
                    line(
                        f"commute {low:02d}-{high:02d} h",
                        (low - 0.5, low - 0.5, high - 0.5, high - 0.5), (0, top, top, 0),
                        "reference",
                    )
                    for low, high in ((7, 9), (16, 19))
                ),
            ),
        )
    )  # fmt: skip


def visits(user: Ints, site: Ints, found: Findings) -> None:
    """Rank each person's sites by the hours in which he was seen there."""
    order = np.lexsort((site, user))
    places = Groups.of(user[order], site[order])
    owner = user[order][places.start]
    by_hours = np.lexsort((-places.size, owner))
    hours, owner = places.size[by_hours], owner[by_hours]
    people = Groups.of(owner)
    total = np.repeat(people.sums(hours), people.size)
    rank, share = people.position, hours / total
    top = people.sums(share * (rank < 2))
    found.add(
        "mobility.top_two",
        100 * float(np.median(top)),
        f"median of {len(top):,} sampled people; share of the hours in which they were seen",
    )
    wide = people.size >= RANKS
    kept = people.keep(wide) & (rank < RANKS)
    note = (
        f"{int(wide.sum()):,} people of {RANKS} and more sites; mean share of hours by rank, "
        f"ranks 1-{RANKS}, least squares"
    )
    if wide.sum() < 50:
        found.add("mobility.visits.zipf", None, note)
        return
    mean = np.bincount(rank[kept], weights=share[kept]) / wide.sum()
    ranks = np.arange(1, RANKS + 1)
    found.add("mobility.visits.zipf", -est.slope(ranks.astype(np.float64), mean), note)
    found.panels.append(
        Panel(
            MOBILITY, "Visits by rank of the place", "rank", "share of hours",
            (
                line("measured", ranks, mean, style="points"),
                line("k^-1.2", ranks, mean[0] * ranks**-1.2, "reference"),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip


def exploration(user: Ints, hour: Ints, site: Ints, found: Findings) -> None:
    """Follow how many different sites each person has been seen in."""
    people = Groups.of(user)
    order = np.lexsort((hour, site, user))
    places = Groups.of(user[order], site[order])
    new = np.zeros(len(user), bool)
    new[order[places.start]] = True
    seen = np.cumsum(new)
    known = seen - np.repeat(seen[people.start] - 1, people.size)

    since = hour - np.repeat(hour[people.start], people.size)
    span = int(since.max())
    times = np.unique(np.geomspace(1, max(span, 2), 40).astype(np.int64))
    found_by = np.array([new[since <= t].sum() for t in times]) / len(people.size)
    fitted = times >= 24
    note = f"{len(people.size):,} sampled people, from a day to {span / 24:.0f} days; least squares"
    long = span >= 13 * 24
    found.add(
        "mobility.exploration.exponent",
        est.slope(times[fitted].astype(np.float64), found_by[fitted]) if long else None,
        note,
    )
    middle = len(times) * 3 // 4
    found.panels.append(
        Panel(
            MOBILITY, "Places seen by time", "hours since the first sighting", "places",
            (
                line("measured", times, found_by, style="points"),
                line("t^0.6", times, found_by[middle] * (times / times[middle]) ** 0.6,
                     "reference"),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip

    moved = np.zeros(len(user), bool)
    moved[1:] = (user[1:] == user[:-1]) & (site[1:] != site[:-1])
    before = known - new
    counts = np.bincount(before[moved])
    hits = np.bincount(before[moved], weights=new[moved].astype(np.float64))
    at = np.flatnonzero((counts >= 200) & (np.arange(len(counts)) >= 2))
    share = hits[at] / counts[at]
    value = -_weighted_slope(at, share, counts[at]) if len(at) >= 4 else None
    found.add(
        "mobility.exploration.new",
        value,
        f"{int(moved.sum()):,} changes of site from hour to hour; least squares over 2 and more "
        "places seen, each number of places weighing as its moves",
    )
    if len(at) >= 4:
        found.panels.append(
            Panel(
                MOBILITY, "Chance of a new place", "places seen so far S", "share of moves",
                (
                    line("measured", at, share, style="points"),
                    line("0.6 S^-0.21", at, 0.6 * at**-0.21, "reference"),
                ),
                log_x=True, log_y=True,
            )
        )  # fmt: skip


def _weighted_slope(x: Ints, y: Floats, weight: Ints) -> float:
    held = y > 0
    return float(np.polyfit(np.log(x[held]), np.log(y[held]), 1, w=np.sqrt(weight[held]))[0])


def waiting(user: Ints, hour: Ints, site: Ints, found: Findings) -> None:
    """Measure how many hours a person stays at a site until he is seen at another."""
    stays = Groups.of(user, site)
    owner, begun = user[stays.start], hour[stays.start]
    inner = np.zeros(len(owner), bool)
    inner[:-1] = owner[1:] == owner[:-1]
    inner[1:] &= owner[1:] == owner[:-1]  # the first stay began before anybody looked
    length = np.diff(begun, append=0)[inner]
    note = f"{len(length):,} stays, hours from the first sighting at a site to that at the next"
    value = est.fit_shifted_power(length, 0.0, WAITING_CUT, 1, 96, whole=True)
    found.add("mobility.waiting.exponent", value, f"{note}; maximum likelihood")
    if len(length) < 200:
        return
    hours, count = np.unique(length[length <= 96], return_counts=True)
    law = np.arange(1.0, 97.0) ** -1.8 * np.exp(-np.arange(1, 97) / WAITING_CUT)
    found.panels.append(
        Panel(
            MOBILITY, "Time at one place", "hours", "share of stays",
            (
                line("measured", hours, count / count.sum(), style="points"),
                line("t^-1.8 exp(-t/17 h)", hours, (law / law.sum())[hours - 1], "reference"),
            ),
            log_x=True, log_y=True,
        )
    )  # fmt: skip
