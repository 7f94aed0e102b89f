"""Flash crowds: what the network sees where many people come together for some hours.

Belongs here: attempts, setups, drops and use of the carriers at the site of a crowd, and calls that
are tried again. Does not belong here: the network on other days (`quality`).

A crowd are those whom an incident puts in one place while it lets them do more than usual. Where
that is, their records tell. Its site is held against the same quarter hours of other days.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.analytics.realism.estimators import Flags, Ints
from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.incidents import (
    Cast,
    Members,
    Parameters,
    Told,
    bounds,
    records_of,
)
from telco_pipeline.analytics.realism.reading import Contacts, Source
from telco_pipeline.analytics.realism.report import QUALITY, Panel, line
from telco_pipeline.engine.calendar import DAY, MINUTE

FEWEST: Final = 10
"""Subscribers at one site who make a crowd."""

LIKE_DAYS: Final = 2
"""Other days of the same weekday from which on only these are compared with."""

AGAIN: Final = 10 * MINUTE
"""Time within which a call that was not answered is tried again."""

_QUARTER: Final = 15 * MINUTE
_KEYS: Final = (
    "quality.flash_crowd",
    "quality.flash_crowd.setup_first",
    "quality.flash_crowd.prb",
    "quality.flash_crowd.redials",
)
_SUMS: Final = (
    "rrc_conn_estab_att",
    "rrc_conn_estab_succ",
    "erab_estab_att",
    "erab_estab_succ",
    "erab_rel",
    "erab_rel_abnormal",
)


@dataclass(frozen=True)
class Crowd:
    """A crowd at its site.

    Attributes:
        site: Row of the site.
        start: When it begins: UTC, microseconds since 1970.
        end: When it is over.
    """

    site: int
    start: int
    end: int


def measure(source: Source, calls: Contacts, told: Told | None, found: Findings) -> None:
    """Add the rows on flash crowds."""
    crowds = [] if told is None else _crowds(source, told)
    if not crowds:
        found.none_of_scenarios(_KEYS, told is None, "crowd")
        return
    _redials(calls, crowds, found)
    counters = _counters(source, crowds)
    if counters is None:
        found.none_of_scenarios(_KEYS[:3], told is None, "crowd with pm_counters of all days")
        return
    _at_the_site(crowds, counters, found)


def _crowds(source: Source, told: Told) -> list[Crowd]:
    """Return the crowds of the days, each at the site where most of its records are."""
    first, last = bounds(source)
    found = []
    for cast in told.having("presence", "usage"):
        if cast.all_of("sharing"):  # SIMs in one box are many in one place too
            continue
        members = _moved(cast)
        crowd = _place(source, members) if len(members) >= FEWEST else None
        if crowd is not None and crowd.start >= first and crowd.end <= last:
            found.append(crowd)
    return sorted(found, key=lambda crowd: crowd.start)


def _busier(told: Parameters) -> bool:
    return any(float(told.get(what) or 1.0) > 1.0 for what in ("calls", "sessions"))


def _moved(cast: Cast) -> Members:
    """Return who of a cast is put somewhere, if they do more than usual."""
    busier = any(_busier(told) for told in cast.all_of("usage"))
    return cast.members("presence") if busier else Members.joined(())


def _place(source: Source, members: Members) -> Crowd | None:
    records = records_of(source, "cdrs_data", members, [source.cell()]).filter(pl.col("cell") >= 0)
    site = source.site_of_cell[records["cell"].to_numpy()]
    if not len(site):
        return None
    where = int(np.bincount(site).argmax())
    if records.filter(pl.Series(site == where))["member"].n_unique() < FEWEST:
        return None
    return Crowd(where, int(np.median(members.start)), int(np.median(members.end)))


def _counters(source: Source, crowds: Sequence[Crowd]) -> pl.DataFrame | None:
    """Return the counters of all cells at the crowds' sites; None where days miss."""
    sites = {crowd.site for crowd in crowds}
    here = np.isin(source.site_of_cell, list(sites))
    cells = source.cells.select("cell_id", "site").filter(pl.Series(here))
    wanted = pl.col("cell_id").is_in(cells["cell_id"].implode())
    columns = [
        "cell_id",
        pl.col("event_time").dt.timestamp("us").alias("time"),
        *(pl.col(name).cast(pl.Int64) for name in (*_SUMS, "prb_used_dl", "prb_tot_dl")),
    ]
    frames = source.frames("pm_counters", ["event_time", *columns])
    if len(frames) < len(source.days):
        return None
    rows = pl.concat([frame.filter(wanted).drop("event_time").collect() for frame in frames])
    joined = rows.join(cells, on="cell_id", how="left")
    return joined.with_columns(local=source.local(joined["time"].to_numpy()))


def _in_time(time: Ints, crowd: Crowd) -> Flags:
    """Return which quarter hours lie in the time of a crowd as a whole."""
    return (time >= crowd.start) & (time + _QUARTER <= crowd.end)


def _usual(rows: pl.DataFrame, inside: Flags, crowds: Sequence[Crowd]) -> pl.DataFrame:
    """Return the rows of a crowd's site at the same quarter hours of other days."""
    local, time = rows["local"].to_numpy(), rows["time"].to_numpy()
    clock = np.unique(local[inside] % DAY)
    other = np.isin(local % DAY, clock)
    for crowd in crowds:
        other &= (time + _QUARTER <= crowd.start) | (time >= crowd.end)
    # The night after a crowd is no usual one, even where it is over by then.
    other &= ~np.isin(local // DAY, np.unique(local[inside] // DAY))
    like = other & (local // DAY % 7 == local[inside][0] // DAY % 7)
    if len(np.unique(local[like] // DAY)) >= LIKE_DAYS:
        other = like
    return rows.filter(pl.Series(other))


def _at_the_site(crowds: Sequence[Crowd], counters: pl.DataFrame, found: Findings) -> None:
    """Add what the counters of the crowds' cells say."""
    times, used, within, without = [], [], [], []
    curves = []
    for crowd in crowds:
        rows = counters.filter(pl.col("site") == crowd.site)
        inside = _in_time(rows["time"].to_numpy(), crowd)
        if not inside.any():
            continue
        here = rows.filter(pl.Series(inside))
        usual = _usual(rows, inside, [one for one in crowds if one.site == crowd.site])
        days = usual.select((pl.col("local") // DAY).n_unique()).item()
        attempts = int(usual["rrc_conn_estab_att"].sum())
        if not attempts:
            continue
        times.append(int(here["rrc_conn_estab_att"].sum()) / (attempts / days))
        busy = here.filter(pl.col("prb_tot_dl") > 0)
        share = busy.select((100 * pl.col("prb_used_dl") / pl.col("prb_tot_dl")).max()).item()
        used.append(share or 0.0)
        within.append(_sums(here))
        without.append(_sums(usual))
        curves.append((here, usual, days))
    note = f"{len(times)} crowds, each over the same quarter hours of other days at its site"
    if not times:
        found.none_of_scenarios(_KEYS[:3], False, "crowd at a site with attempts on other days")
        return
    found.add_of_scenarios(_KEYS[0], float(np.median(times)), f"median of {note}")
    crowd, usual = np.sum(within, axis=0), np.sum(without, axis=0)
    lost, rise = _setup(usual) - _setup(crowd), _dropped(crowd) - _dropped(usual)
    found.add_of_scenarios(
        _KEYS[1],
        lost - rise,
        f"setups of RRC and E-RAB: {_setup(crowd):.1f} % for {_setup(usual):.1f} %; E-RABs "
        f"dropped: {_dropped(crowd):.2f} % for {_dropped(usual):.2f} %; {note}",
    )
    found.add_of_scenarios(
        _KEYS[2], float(np.median(used)), f"median of {len(used)} crowds: busiest cell and quarter"
    )
    found.panels.append(_panel(curves))


def _sums(rows: pl.DataFrame) -> list[float]:
    return [float(rows[name].sum()) for name in _SUMS]


def _setup(sums: np.ndarray) -> float:
    """Return the setup success of RRC and E-RAB together, in percent."""
    return 100 * float(sums[1] / max(sums[0], 1.0) * sums[3] / max(sums[2], 1.0))


def _dropped(sums: np.ndarray) -> float:
    """Return the share of the released E-RABs that were dropped, in percent."""
    return 100 * float(sums[5] / max(sums[4], 1.0))


def _panel(curves: Sequence[tuple[pl.DataFrame, pl.DataFrame, int]]) -> Panel:
    """Draw attempts by local hour at the sites of the crowds, and on other days."""
    crowd, usual = np.zeros(24), np.zeros(24)
    for here, other, days in curves:
        for rows, sums, weight in ((here, crowd, 1.0), (other, usual, 1.0 / days)):
            hour = rows["local"].to_numpy() % DAY // (60 * MINUTE)
            attempts = rows["rrc_conn_estab_att"].to_numpy() * weight
            sums += np.bincount(hour, weights=attempts, minlength=24)
    hours = np.flatnonzero(crowd)
    return Panel(
        QUALITY, "Attempts at the sites of crowds", "local hour", "RRC attempts an hour",
        (
            line("with the crowd", hours, crowd[hours] / len(curves), style="points"),
            line("other days", hours, usual[hours] / len(curves), "reference"),
        ),
    )  # fmt: skip


def _redials(calls: Contacts, crowds: Sequence[Crowd], found: Findings) -> None:
    """Add how much more often calls at the site are second tries than calls are elsewhere."""
    made = calls.where(calls.out)
    made = made.sort(made.user, made.other, made.time)
    same = np.zeros(len(made), dtype=np.bool_)
    same[1:] = (np.diff(made.user) == 0) & (np.diff(made.other) == 0)
    same[1:] &= (np.diff(made.time) <= AGAIN) & ~made.answered[:-1]
    there = np.zeros(len(made), dtype=np.bool_)
    for crowd in crowds:
        there |= (made.site == crowd.site) & (made.time >= crowd.start) & (made.time < crowd.end)
    here, elsewhere = same[there], same[~there]
    note = f"{len(here):,} calls begun at the sites of {len(crowds)} crowds, tried again in 10 min"
    enough = len(here) >= 100 and elsewhere.any()
    if not enough:
        found.none_of_scenarios(_KEYS[3:], False, "crowd with 100 calls")
        return
    found.add_of_scenarios(
        _KEYS[3],
        float(here.mean() / elsewhere.mean()),
        f"{note}: {100 * here.mean():.1f} %, of all other calls {100 * elsewhere.mean():.1f} %",
    )
