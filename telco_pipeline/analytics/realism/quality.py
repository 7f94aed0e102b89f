"""Quality: setups, drops, handovers and availability, as the network's counters and calls tell.

Belongs here: indicators of healthy cells. Does not belong here: how customers take it
(`customers`), the quality of single sessions.

A cell is taken for healthy in an hour in which it was never out of service. Faults that leave it
in service and full cells stay in: practice's figures hold for a network with both.
"""

from typing import Final

import polars as pl

from telco_pipeline.analytics.realism.findings import Findings
from telco_pipeline.analytics.realism.reading import Source
from telco_pipeline.analytics.realism.report import QUALITY, Panel, line
from telco_pipeline.contracts.codes import CauseForTerm, Rat, RecordType

LEAST: Final = 300
"""Attempts from which on a rate of failures says something."""

_QUARTER_S: Final = 900
_SUMS: Final = (
    "rrc_conn_estab_att",
    "rrc_conn_estab_succ",
    "erab_estab_att",
    "erab_estab_succ",
    "erab_rel",
    "erab_rel_abnormal",
    "ho_exe_att",
    "ho_exe_succ",
)
_KEYS: Final = (
    "quality.setup",
    "quality.erab_drop",
    "quality.handover",
    "quality.handover_older",
    "quality.availability",
)


def measure(source: Source, found: Findings) -> None:
    """Add the rows on the quality of the network."""
    _drops(source, found)
    days = [_hours(source, frame) for frame in source.frames("pm_counters", _columns())]
    if len(days) < len(source.days):
        for key in _KEYS:
            found.add(key, None, "no pm_counters of these days")
        return
    hours = pl.concat(days)
    healthy = hours.filter("healthy")
    left_out = hours.height - healthy.height
    counted = int(hours["cell_hours"].sum())
    without = int(hours.filter(~pl.col("healthy"))["cell_hours"].sum()) if left_out else 0
    note = f"{counted - without:,} cell-hours without an outage, {without:,} left out"
    _setup(healthy, note, found)
    _handover(healthy, note, found)
    seconds = int(hours["unavailable"].sum())
    span = counted * 4 * _QUARTER_S
    found.add(
        "quality.availability",
        100 * (1 - seconds / span) if span else None,
        f"{counted:,} cell-hours, {seconds / 3600:,.0f} hours of them out of service",
    )
    _panels(source, healthy, found)


def _columns() -> list[str | pl.Expr]:
    return [
        "cell_id",
        "event_time",
        pl.col("cell_unavailable_time").cast(pl.Int64).alias("unavailable"),
        *(pl.col(name).cast(pl.Int64) for name in _SUMS),
    ]


def _hours(source: Source, frame: pl.LazyFrame) -> pl.DataFrame:
    """Return sums over the cells of each radio access, by hour, healthy or not."""
    sums = [pl.col(name).sum() for name in ("unavailable", *_SUMS)]
    by_cell = frame.group_by("cell_id", hour=pl.col("event_time").dt.truncate("1h")).agg(sums)
    cells = source.cells.lazy().select("cell_id", "rat_type")
    return (
        by_cell.join(cells, on="cell_id", how="left")
        .group_by("hour", "rat_type", healthy=pl.col("unavailable") == 0)
        .agg(sums, cell_hours=pl.len())
        .sort("hour", "rat_type", "healthy")
        .collect()
    )


def _rate(part: float, whole: float, least: int = 1) -> float | None:
    """Return a share in percent; None where there are too few to say."""
    return 100 * part / whole if whole >= least else None


def _setup(healthy: pl.DataFrame, note: str, found: Findings) -> None:
    total = {name: int(healthy[name].sum()) for name in _SUMS}
    rrc = _rate(total["rrc_conn_estab_succ"], total["rrc_conn_estab_att"])
    erab = _rate(total["erab_estab_succ"], total["erab_estab_att"])
    if rrc is None or erab is None:
        found.add("quality.setup", None, f"no attempts; {note}")
    else:
        found.add(
            "quality.setup",
            rrc * erab / 100,
            f"RRC {rrc:.2f} % of {total['rrc_conn_estab_att']:,}, "
            f"E-RAB {erab:.2f} % of {total['erab_estab_att']:,} attempts; {note}",
        )
    found.add(
        "quality.erab_drop",
        _rate(total["erab_rel_abnormal"], total["erab_rel"]),
        f"{total['erab_rel']:,} bearers released; {note}",
    )


def _handover(healthy: pl.DataFrame, note: str, found: Findings) -> None:
    older = pl.col("rat_type") == Rat.GERAN.value
    old, new = (
        healthy.filter(each).select(pl.col("ho_exe_att", "ho_exe_succ").sum()).row(0)
        for each in (older, ~older)
    )
    found.add(
        "quality.handover",
        _rate(new[1], new[0]),
        f"{new[0]:,} handovers out of LTE and NR cells; {note}",
    )
    fails_old = _rate(old[0] - old[1], old[0], LEAST)
    fails_new = _rate(new[0] - new[1], new[0], LEAST)
    found.add(
        "quality.handover_older",
        fails_old / fails_new if fails_old is not None and fails_new else None,
        f"{old[0]:,} handovers out of GERAN cells; {note}",
    )


def _drops(source: Source, found: Findings) -> None:
    made = pl.col("record_type").cast(pl.String) == RecordType.MO_CALL.value
    talked = made & pl.col("answer_time").is_not_null() & pl.col("icid").is_not_null()
    dropped = pl.col("cause_for_term") == CauseForTerm.STABLE_CALL_ABNORMAL_TERMINATION.value
    columns = ["record_type", "answer_time", "cause_for_term", "icid"]
    counts = [
        frame.select(talked.sum().alias("all"), (talked & dropped).sum().alias("dropped")).collect()
        for frame in source.frames("cdrs_voice", columns)
    ]
    total = pl.concat(counts).sum()
    calls, lost = total["all"][0], total["dropped"][0]
    found.add("quality.drop", _rate(lost, calls), f"{calls:,} answered calls made over the IMS")


def _panels(source: Source, healthy: pl.DataFrame, found: Findings) -> None:
    """Draw what fails by local hour: setups, bearers and handovers."""
    if not int(healthy["rrc_conn_estab_att"].sum()):
        return
    zone = str(source.config["time_zone"])
    local = pl.col("hour").dt.convert_time_zone(zone).dt.hour().cast(pl.Int32)
    by_hour = healthy.group_by(hour=local).agg(pl.col(_SUMS).sum()).sort("hour")
    lines = []
    for label, lost, tried in (
        ("RRC setups", pl.col("rrc_conn_estab_att") - pl.col("rrc_conn_estab_succ"),
         "rrc_conn_estab_att"),
        ("E-RABs dropped", pl.col("erab_rel_abnormal"), "erab_rel"),
        ("handovers", pl.col("ho_exe_att") - pl.col("ho_exe_succ"), "ho_exe_att"),
    ):  # fmt: skip
        some = by_hour.filter(pl.col(tried) > 0).select("hour", rate=100 * lost / pl.col(tried))
        lines.append(line(label, some["hour"], some["rate"]))
    hours = range(24)
    lines.append(line("setups: at most", hours, [1.0] * 24, "reference"))
    found.panels.append(
        Panel(QUALITY, "What fails, by hour", "local hour", "percent", tuple(lines))
    )
