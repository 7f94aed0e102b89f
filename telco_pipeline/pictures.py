"""Pictures: one plot for each dataset that one understands at a glance.

Belongs here: which panels make the picture of a dataset, those that it alone has, and drawing it
from a lazy scan of one partition, small enough for metadata. Does not belong here: the forms that
fit any dataset (`panels`), Dagster.
"""

import base64
import datetime as dt
import io
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl

from telco_pipeline.contracts.codes import AlarmSeverity, FaultKind, LifeStatus, NotificationType
from telco_pipeline.lake import Lake
from telco_pipeline.panels import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    HEADING,
    INK,
    LABEL,
    MAP_ASPECT,
    ORANGE,
    POINTS_DRAWN,
    PURPLE,
    RED,
    SCALE,
    SKY,
    TICK,
    TITLE,
    YELLOW,
    Panel,
    View,
    bars_of,
    cycle,
    figure_text,
    grid_of,
    heat_map,
    histogram_of,
    hours_of,
    legend,
    map_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_INCHES, HEIGHT_INCHES = 4.4, 3.5
WIDTH_INCHES = 9.8
"""As wide as Dagster shows a picture on a screen of 1,280 pixels; it cuts off what is wider."""


def draw(lake: Lake, dataset: str, day: dt.date | None, zone: ZoneInfo) -> str | None:
    """Return the picture of a partition as markdown; None if there is nothing to draw.

    Args:
        lake: The lake.
        dataset: Name of the dataset.
        day: Day of the partition; None for a static dataset.
        zone: Time zone of the operator's country.
    """
    panels = PANELS.get(dataset)
    rows = lake.scan(dataset, day, day)
    if not panels or rows.head(1).collect().is_empty():
        return None
    title = f"{dataset} {day}" if day else dataset
    return f"![{title}](data:image/png;base64,{_png(panels, View(rows, zone, lake, day), title)})"


def _png(panels: tuple[Panel, ...], view: View, title: str) -> str:
    # The object interface with Agg: no global state of pyplot, so threads do not disturb it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    size = (min(PANEL_INCHES * len(panels), WIDTH_INCHES), HEIGHT_INCHES)
    figure = Figure(figsize=size, dpi=96, layout=ConstrainedLayoutEngine(w_pad=0.1))
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        axis.tick_params(labelsize=TICK, colors=INK)
        axis.spines[["top", "right"]].set_visible(False)
        panel(axis, view)
        axis.set_title(axis.get_title(), fontsize=TITLE, color=INK)
    figure.suptitle(title, fontsize=HEADING, color=INK, x=0.01, ha="left")
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def _ages(axis: "Axes", view: View) -> None:
    births = view.rows.select(pl.col("birth_date").dt.year().alias("year")).drop_nulls().collect()
    axis.set_title("people by year of birth")
    if births.is_empty():
        return
    years = births["year"].to_numpy()
    # Whole steps of five years: other bins would cover now five, now six of them.
    axis.hist(years, bins=list(range(years.min() // 5 * 5, years.max() + 6, 5)), color=COLOURS[2])


def _degrees(axis: "Axes", view: View) -> None:
    """Draw how many subscribers have how many ties, on logarithmic axes."""
    ends = pl.concat(
        [view.rows.select(who=name) for name in ("subscriber_id", "other_subscriber_id")]
    )
    degrees = ends.group_by("who").len("ties").group_by("ties").len("people").collect()
    axis.set_title("subscribers by number of ties")
    if degrees.is_empty():
        return
    axis.scatter(degrees["ties"].to_numpy(), degrees["people"].to_numpy(), s=12, color=COLOURS[0])
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("ties", fontsize=LABEL, color=INK)


def _prices(axis: "Axes", view: View) -> None:
    models = view.rows.select("released", "price", pl.col("device_class").cast(pl.String)).collect()
    classes = models.partition_by("device_class", as_dict=True, maintain_order=True)
    for ((value,), some), colour in zip(classes.items(), cycle(len(classes)), strict=True):
        axis.scatter(
            some["released"].to_numpy(),
            (some["price"] / 1e6).to_numpy(),
            s=12,
            color=colour,
            label=str(value),
            alpha=0.8,
        )
    axis.set_title("list price (euro) by release")
    legend(axis)


GENERATIONS = {"GERAN": "2G", "EUTRAN": "4G", "NR": "5G"}


def _load_by_hour(axis: "Axes", view: View) -> None:
    """Draw the mean load of each generation and class of cells by local hour."""
    cells = view.lake.scan("cells", columns=["cell_id", "rat_type", "cell_class"])
    label = pl.col("rat_type").replace(GENERATIONS) + " " + pl.col("cell_class").str.to_lowercase()
    named = cells.with_columns(pl.col("rat_type", "cell_class").cast(pl.String))
    found = (
        view.rows.join(named.select("cell_id", label=label), on="cell_id")
        .group_by("label", hour=view.local_hour())
        .agg(value=100 * pl.col("load").mean())
        .collect()
    )
    labels = sorted(found["label"].unique())
    heat_map(axis, grid_of(found, labels), labels, "mean load, %")
    axis.set_title("load by generation and class of the cells")


def _load_map(axis: "Axes", view: View) -> None:
    """Draw where cells are busy: each at its site by the highest load of the day."""
    from matplotlib.lines import Line2D

    places = view.lake.scan("cells", columns=["cell_id", "site_id", "longitude", "latitude"])
    busy = view.rows.group_by("cell_id").agg(
        load=pl.col("load").max(), out=pl.col("unavailable_from").is_not_null().any()
    )
    sites = (
        busy.join(places, on="cell_id")
        .group_by("site_id")
        .agg(
            pl.col("longitude", "latitude").first(),
            load=100 * pl.col("load").max(),
            out=pl.col("out").any(),
        )
        # The busiest on top, or quiet ones would hide them.
        .sort("load", "site_id")
        .collect()
    )
    some = sites.gather_every(max(1, sites.height // POINTS_DRAWN))
    size = 26 if some.height < 400 else 10
    points = axis.scatter(
        some["longitude"], some["latitude"], c=some["load"], s=size, cmap=SCALE, vmin=0, vmax=100,
        linewidths=0.3, edgecolors=GREY,
    )  # fmt: skip
    down = sites.filter("out")
    axis.scatter(
        down["longitude"], down["latitude"], s=size * 2.2, facecolors="none", edgecolors=BLUE,
        linewidths=1.1,
    )  # fmt: skip
    axis.set_aspect(MAP_ASPECT)
    axis.set_title("sites by their busiest cell and hour")
    bar = axis.figure.colorbar(points, ax=axis, pad=0.02, aspect=30, extend="max")
    bar.ax.tick_params(labelsize=TICK - 0.5, colors=INK, length=2)
    bar.outline.set_visible(False)
    bar.set_label("load, %", fontsize=TICK, color=INK)
    if not down.is_empty():
        ring = Line2D([], [], marker="o", linestyle="", markerfacecolor="none", color=BLUE)
        axis.legend(
            [ring], [f"a cell out of service: {down.height}"], fontsize=TICK, frameon=False,
            loc="lower left", handletextpad=0.2, labelcolor=INK,
        )  # fmt: skip


SHORTEST_BAR = 0.2
"""Hours of the timeline that a fault takes at least, or it could not be seen."""
FAULT_COLOURS = dict(zip(FaultKind, (BLUE, PURPLE, ORANGE, GREEN, RED, GREY), strict=True))


def _fault_timeline(axis: "Axes", view: View) -> None:
    """Draw each fault as a bar in the band of its kind, over the day on which it begins."""
    if view.day is None:
        return
    # Naive UTC throughout: the hours are turned into local ones below.
    zero = dt.datetime.combine(view.day, dt.time())
    shift = zero.replace(tzinfo=dt.UTC).astimezone(view.zone).utcoffset() or dt.timedelta()
    faults = (
        view.rows.select(
            kind=pl.col("fault_kind").cast(pl.String),
            start=_hours_since(zero, "event_time"),
            end=_hours_since(zero, "end_time"),
            # A power cut that the batteries outlast puts no cell out of service.
            out=(pl.col("capacity_left") == 0) & (pl.col("cells") > 0),
        )
        .sort("start", "end")
        .collect()
    )
    first = shift.total_seconds() / 3600
    kinds = [str(kind) for kind in FaultKind]
    for row, kind in enumerate(kinds):
        some = faults.filter(pl.col("kind") == kind)
        lanes = max(some.height, 1)
        for lane, (start, end, out) in enumerate(some.select("start", "end", "out").rows()):
            # One below the other within the band, in order of their beginning.
            y = row - 0.38 + 0.76 * (lane + 0.5) / lanes
            axis.plot(
                [start + first, min(max(end, start + SHORTEST_BAR), 24.0) + first],
                [y, y],
                color=FAULT_COLOURS[FaultKind(kind)],
                linewidth=min(max(60 / lanes, 1.0), 5.0),
                alpha=1.0 if out else 0.45,
                solid_capstyle="butt",
            )
    counts = [faults.filter(pl.col("kind") == kind).height for kind in kinds]
    labels = [f"{kind}  ({count})" for kind, count in zip(kinds, counts, strict=True)]
    axis.set_yticks(range(len(kinds)), labels)
    axis.set_ylim(len(kinds) - 0.5, -0.5)
    axis.set_xlim(first, first + 24)
    hours = range(int(first) - int(first) % 4 + 4 * (first % 4 > 0), int(first) + 25, 4)
    axis.set_xticks(list(hours), [str(hour % 24) for hour in hours])
    axis.set_xlabel("local hour; strong: cells out of service", fontsize=LABEL, color=INK)
    axis.hlines([row + 0.5 for row in range(len(kinds) - 1)], first, first + 24, color="#e2e8f0")
    axis.set_title("faults that begin on the day")


def _hours_since(zero: dt.datetime, name: str) -> pl.Expr:
    """Return hours from a moment (naive UTC) to a column of UTC times."""
    return (pl.col(name).dt.replace_time_zone(None) - zero).dt.total_seconds() / 3600


SEVERITY_COLOURS = dict(
    zip(AlarmSeverity, ("#7f1d1d", RED, ORANGE, YELLOW, GREY, SKY), strict=True)
)


def _alarms_by_hour(axis: "Axes", view: View) -> None:
    """Draw the alarms that were raised in each local hour, the gravest at the bottom."""
    from matplotlib.ticker import MaxNLocator

    raised = view.rows.filter(
        pl.col("notification_type").cast(pl.String) == NotificationType.NEW.value
    )
    severity = pl.col("perceived_severity").cast(pl.String).alias("severity")
    counts = raised.group_by(severity, hour=view.local_hour()).len().collect()
    floor = [0] * 24
    for kind, colour in SEVERITY_COLOURS.items():
        found = dict(counts.filter(pl.col("severity") == kind.value).select("hour", "len").rows())
        if not found:
            continue
        heights = [found.get(hour, 0) for hour in range(24)]
        axis.bar(
            range(24), heights, bottom=floor, color=colour, width=0.9,
            label=f"{kind.value} ({sum(heights):,})",
        )  # fmt: skip
        floor = [below + height for below, height in zip(floor, heights, strict=True)]
    axis.set_xticks(range(0, 24, 4))
    axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set_title("alarms raised by local hour")
    if any(floor):
        legend(axis)


def _by_type(column: str, unit: str, title: str) -> Panel:
    """Draw the mean of a column by type of element and local hour, the highest type on top."""

    def panel(axis: "Axes", view: View) -> None:
        kinds = view.lake.scan("network_elements", columns=["element_id", "element_type"])
        found = (
            view.rows.join(
                kinds.select("element_id", label=pl.col("element_type").cast(pl.String)),
                on="element_id",
            )
            .group_by("label", hour=view.local_hour())
            .agg(value=pl.col(column).mean())
            .collect()
        )
        order = found.group_by("label").agg(pl.col("value").mean())
        labels = order.sort("value", "label", descending=[True, False])["label"].to_list()
        heat_map(axis, grid_of(found, labels), labels, unit)
        axis.set_title(title)

    return panel


_cpu_by_type = _by_type("cpu_use", "mean CPU, %", "processor in use by type of element")
_records_by_type = _by_type(
    "record_count", "records a file", "records in a file by type of element"
)


def _delays(axis: "Axes", view: View) -> None:
    """Draw how long after it closed mediation has a file, from seconds to hours."""
    import numpy as np

    delay = (pl.col("received") - pl.col("closed")).dt.total_milliseconds() / 1000.0
    seconds = view.rows.select(delay.alias("delay")).collect()["delay"].to_numpy()
    edges = np.geomspace(1.0, 86_400.0, 41)
    counts, _ = np.histogram(np.clip(seconds, 1.0, 86_399.0), bins=edges)
    axis.stairs(counts, edges, fill=True, color=BLUE)
    axis.set_xscale("log")
    axis.set_yscale("symlog")
    axis.set_xlabel("s", fontsize=LABEL, color=INK)
    axis.set_title("from closing to arrival")


def _links_by_hour(axis: "Axes", view: View) -> None:
    """Draw how full links are by local hour: the middle one and the fullest."""
    hours = (
        view.rows.group_by(hour=view.local_hour())
        .agg(
            middle=pl.col("capacity_used").median(),
            high=pl.col("capacity_used").quantile(0.95),
            top=pl.col("capacity_used").quantile(0.999),
        )
        .sort("hour")
        .collect()
    )
    for name, label, colour in (
        ("top", "fullest in 1,000", RED),
        ("high", "fullest in 20", ORANGE),
        ("middle", "median", BLUE),
    ):
        axis.plot(hours["hour"], hours[name], color=colour, label=label, linewidth=1.8)
    axis.set_ylim(bottom=0)
    axis.set_xticks(range(0, 24, 4))
    axis.set_ylabel("%", fontsize=LABEL, color=INK)
    axis.set_title("bandwidth in use by local hour")
    legend(axis)


def _success_by_hour(axis: "Axes", view: View) -> None:
    """Draw which part of the setups and handovers succeeds in each local hour."""
    pairs = {
        "RRC setup": ("rrc_conn_estab_succ", "rrc_conn_estab_att", BLUE),
        "E-RAB setup": ("erab_estab_succ", "erab_estab_att", ORANGE),
        "handover": ("ho_exe_succ", "ho_exe_att", GREEN),
    }
    names = [name for good, all_of_them, _ in pairs.values() for name in (good, all_of_them)]
    hours = view.rows.group_by(hour=view.local_hour()).agg(pl.col(names).sum()).sort("hour")
    sums = hours.collect()
    lowest = 99.0
    for label, (good, tried, colour) in pairs.items():
        some = sums.filter(pl.col(tried) > 0)
        rate = (100 * some[good] / some[tried]).to_list()
        axis.plot(some["hour"], rate, color=colour, label=label, linewidth=1.8, marker=".")
        lowest = min([lowest, *rate])
    axis.axhline(99, color=INK, linewidth=0.8, linestyle=":")
    axis.set_ylim(max(lowest - 0.3, 0), 100)
    axis.set_xticks(range(0, 24, 4))
    axis.set_ylabel("% that succeed", fontsize=LABEL, color=INK)
    axis.set_title("setups and handovers by local hour")
    legend(axis)


def _volume_by_hour(axis: "Axes", view: View) -> None:
    """Draw the bytes that the cells carried in each local hour."""
    from matplotlib.ticker import StrMethodFormatter

    hours = view.rows.group_by(hour=view.local_hour()).agg(
        down=pl.col("pdcp_volume_dl").sum() / 1e9, up=pl.col("pdcp_volume_ul").sum() / 1e9
    )
    sums = hours.sort("hour").collect()
    axis.bar(sums["hour"], sums["down"], color=BLUE, width=0.9, label="to devices")
    axis.bar(
        sums["hour"], sums["up"], bottom=sums["down"], color=ORANGE, width=0.9, label="from devices"
    )
    axis.set_xticks(range(0, 24, 4))
    axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axis.set_ylabel("GB", fontsize=LABEL, color=INK)
    axis.set_title("volume by local hour")
    legend(axis)


STATE_DAYS = 35
"""Days that the line of satisfaction goes back."""
_LEVELS = {"lowest": 0.1, "low": 0.25, "high": 0.75, "highest": 0.9}


def _satisfaction_over_time(axis: "Axes", view: View) -> None:
    """Draw how satisfied customers have been over the last days that lie there."""
    if view.day is None:
        return
    first = view.day - dt.timedelta(days=STATE_DAYS - 1)
    days = [each for each in view.lake.days("subscriber_state") if first <= each <= view.day]
    value, found = pl.col("satisfaction"), []
    for day in days:
        rows = view.lake.scan("subscriber_state", day, day)
        found.append(
            rows.filter(_is_customer())
            .select(mean=value.mean(), **{name: value.quantile(at) for name, at in _LEVELS.items()})
            .collect()
        )
    levels = pl.concat(found).with_columns(day=pl.Series(days)).drop_nulls()
    axis.fill_between(
        levels["day"], levels["lowest"], levels["highest"], color=BLUE, alpha=0.15, linewidth=0,
        label="8 in 10",
    )  # fmt: skip
    axis.fill_between(
        levels["day"], levels["low"], levels["high"], color=BLUE, alpha=0.3, linewidth=0,
        label="half of them",
    )  # fmt: skip
    lonely = "o" if levels.height == 1 else None
    axis.plot(levels["day"], levels["mean"], color=INK, linewidth=1.8, marker=lonely, label="mean")
    ticks = levels["day"].gather_every(max(1, levels.height // 4)).to_list()
    axis.set_xticks(ticks, [f"{day:%d %b}" for day in ticks])
    axis.set_ylim(0, 1)
    axis.set_title("satisfaction over time")
    legend(axis)


def _is_customer() -> pl.Expr:
    inside = [LifeStatus.ACTIVE.value, LifeStatus.SUSPENDED.value]
    return pl.col("status").cast(pl.String).is_in(inside)


def _satisfaction(axis: "Axes", view: View) -> None:
    """Draw how satisfied customers are on the day."""
    import numpy as np

    rows = view.rows.filter(_is_customer())
    bins = (pl.col("satisfaction") * 25).floor().clip(0, 24).cast(pl.Int32).alias("bin")
    counts = dict(rows.group_by(bins).len().collect().rows())
    heights = [counts.get(place, 0) for place in range(25)]
    axis.stairs(heights, np.arange(26) / 25, fill=True, color=BLUE)
    axis.set_xlim(0, 1)
    axis.set_xlabel("satisfaction of customers", fontsize=LABEL, color=INK)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_title("how satisfied they are on the day")


def _statuses(axis: "Axes", view: View) -> None:
    """Draw how many subscriptions have which status, those without any too."""
    counts = dict(view.rows.group_by(pl.col("status").cast(pl.String)).len().collect().rows())
    names = [str(status) for status in LifeStatus]
    drawn = axis.barh(names, [counts.get(name, 0) for name in names], color=BLUE)
    axis.bar_label(drawn, fmt=figure_text, fontsize=TICK, padding=2, color=INK)
    axis.margins(x=0.2)
    axis.invert_yaxis()
    axis.xaxis.set_visible(False)
    axis.spines["bottom"].set_visible(False)
    axis.set_title("subscriptions by status")


SEVERITIES = dict(
    zip(
        "01234567",
        ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"),
        strict=True,
    )
)
SIP_RESPONSES = {
    "200": "200 OK",
    "401": "401 unauthorized",
    "403": "403 forbidden",
    "404": "404 not found",
    "408": "408 timeout",
    "480": "480 unavailable",
    "486": "486 busy here",
    "487": "487 terminated",
    "500": "500 server error",
    "503": "503 unavailable",
    "504": "504 server timeout",
    "603": "603 decline",
}
"""Final responses by their names in RFC 3261, made short."""
GIGABYTES = (pl.col("data_volume_uplink") + pl.col("data_volume_downlink")).sum() / 1e9

PANELS: dict[str, tuple[Panel, ...]] = {
    "places": (map_of("language", "by language, area by population", "population"),),
    "sites": (map_of("vendor", "sites by vendor"),),
    "network_elements": (bars_of("element_type", "elements by type", top=24),),
    "network_links": (
        bars_of("interface", "links by interface"),
        bars_of("interface", "capacity (Gbit/s)", pl.col("capacity").sum() / 1e3),
    ),
    "cells": (
        map_of("rat_type", "cells by generation", rings=True),
        bars_of("band", "cells by band"),
    ),
    "devices": (_prices, bars_of("best_rat", "models by best radio access")),
    "plans": (bars_of("name", "monthly fee (euro)", pl.col("monthly_fee").first() / 1e6),),
    "subscribers": (bars_of("persona", "subscribers by persona"), _ages),
    "prospects": (bars_of("persona", "who joins later, by persona"), _ages),
    "social_ties": (
        bars_of("tie_kind", "ties by kind"),
        _degrees,
        histogram_of("distance_km", "distance between the homes", log=True, unit="km"),
    ),
    "network_faults": (
        _fault_timeline,
        bars_of("fault_kind", "cells that suffer", pl.col("cells").sum()),
    ),
    "network_state": (_load_by_hour, _load_map),
    "subscriber_state": (
        _satisfaction_over_time,
        _satisfaction,
        _statuses,
    ),
    "identity_changes": (
        bars_of("change_type", "changes by kind"),
        hours_of("changes by local hour", "change_type"),
    ),
    "cdrs_voice": (
        hours_of("records by local hour", "record_type"),
        bars_of("status", "how calls went"),
        histogram_of("call_duration", "duration of answered calls", log=True, unit="s"),
    ),
    "cdrs_sms": (
        hours_of("records by local hour", "record_type"),
        bars_of("rat_type", "by radio access"),
    ),
    "cdrs_data": (
        hours_of("records by local hour", "rat_type"),
        bars_of("service", "volume by service (GB)", GIGABYTES),
        histogram_of("data_volume_downlink", "downlink of a record", log=True, unit="byte"),
    ),
    "cdrs_voip": (
        hours_of("records by local hour", "access"),
        histogram_of("mos", "mean opinion score"),
        bars_of("codec", "by codec"),
    ),
    "cdrs_ims": (
        hours_of("records by local hour", "sip_method"),
        bars_of("sip_response", "final SIP response", names=SIP_RESPONSES),
    ),
    "location_updates": (
        hours_of("updates by local hour", "update_type"),
        histogram_of("timing_advance", "timing advance", unit="steps"),
    ),
    "alarms": (_alarms_by_hour, bars_of("specific_problem", "notifications by problem", top=14)),
    "element_metrics": (_cpu_by_type, _links_by_hour),
    "pm_counters": (_success_by_hour, _volume_by_hour),
    "truth_incidents": (
        bars_of("layer", "Incidents by layer"),
        bars_of("incident_kind", "By kind"),
    ),
    "truth_entities": (
        bars_of("role", "Touched from this day on, by role"),
        bars_of("entity_kind", "By kind of entity"),
    ),
    "truth_records": (
        bars_of("dataset", "Touched records by dataset"),
        bars_of("role", "By role"),
    ),
    "collected_files": (
        hours_of("files by local hour", "dataset"),
        _records_by_type,
        _delays,
    ),
    "network_logs": (
        hours_of("lines by local hour"),
        bars_of("severity", "lines by severity", names=SEVERITIES),
    ),
    "customer_service": (
        hours_of("contacts by local hour", "channel"),
        bars_of("reason", "contacts by reason"),
    ),
}
"""The panels of each dataset's picture, from left to right."""
