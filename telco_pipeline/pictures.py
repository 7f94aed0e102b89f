"""Pictures: one plot for each dataset that one understands at a glance.

Belongs here: drawing from a lazy scan of one partition, small enough for metadata. Does not belong
here: Dagster. Matplotlib is loaded when the first picture is drawn, not when Dagster loads the
assets.
"""

import base64
import datetime as dt
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl

from telco_pipeline.lake import Lake

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#334155"
COLOURS = (
    "#2563eb",
    "#f59e0b",
    "#10b981",
    "#ef4444",
    "#8b5cf6",
    "#64748b",
    "#ec4899",
    "#14b8a6",
    "#a16207",
    "#0f172a",
    "#84cc16",
    "#f97316",
    "#06b6d4",
)
TICK, LABEL, TITLE, HEADING = 7.5, 8, 9, 11
"""Sizes of text in points, from the smallest up."""
PANEL_INCHES, HEIGHT_INCHES = 4.4, 3.5
WIDTH_INCHES = 9.8
"""As wide as Dagster shows a picture on a screen of 1,280 pixels; it cuts off what is wider."""
MANY_BARS = 16
POINTS_DRAWN = 6_000
ROWS_BINNED = 50_000
MAP_ASPECT = 1.57
"""A degree of latitude over a degree of longitude, in metres, at 50.5 degrees north."""

Panel = Callable[["Axes", "View"], None]


@dataclass(frozen=True)
class View:
    """What a picture may look at.

    Attributes:
        rows: The partition, lazily.
        zone: Time zone of the operator's country.
    """

    rows: pl.LazyFrame
    zone: ZoneInfo

    def local_hour(self) -> pl.Expr:
        """Return the hour of the record in local time."""
        return pl.col("event_time").dt.convert_time_zone(self.zone.key).dt.hour()

    def sample(self, columns: list[str], rows: int) -> pl.DataFrame:
        """Return every n-th row, at most about `rows` of them."""
        total = self.rows.select(pl.len()).collect().item()
        step = max(1, total // rows)
        return self.rows.select(columns).gather_every(step).collect()


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
    return f"![{title}](data:image/png;base64,{_png(panels, View(rows, zone), title)})"


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


def _legend(axis: "Axes") -> None:
    """Draw the legend below the panel, where it hides nothing."""
    axis.legend(
        fontsize=TICK,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.14),
        ncols=2 if len(axis.get_legend_handles_labels()[0]) == 4 else 3,
        columnspacing=1.2,
        handlelength=1.2,
        labelcolor=INK,
    )


def _map(
    colour_by: str,
    title: str,
    size_by: str | None = None,
    *,
    rings: bool = False,
) -> Panel:
    """Draw points on a map, one colour for each value of a column.

    Args:
        colour_by: Column that gives the colour.
        title: Title of the panel.
        size_by: Column that gives the area of a point; else all are alike.
        rings: Whether values share places: then they lie on top of each other as rings.
    """

    def panel(axis: "Axes", view: View) -> None:
        from matplotlib.lines import Line2D

        columns = ["longitude", "latitude", colour_by, *([size_by] if size_by else [])]
        points = view.sample(columns, POINTS_DRAWN).with_columns(pl.col(colour_by).cast(pl.String))
        values = points[colour_by].value_counts(sort=True)[colour_by].to_list()
        colours = _cycle(len(values))
        for number, (value, colour) in enumerate(zip(values, colours, strict=True)):
            some = points.filter(pl.col(colour_by) == value)
            plain = 34 / (number + 1) ** 1.6 if rings else 14
            sizes = (some[size_by].to_numpy() ** 0.5 / 12).clip(0.5, 60) if size_by else plain
            axis.scatter(
                some["longitude"],
                some["latitude"],
                s=sizes,
                color=colour,
                alpha=1.0 if rings else 0.6,
                linewidths=0,
            )
        # Shapes of one size for the legend: those of the points may be too small to be seen.
        axis.set_aspect(MAP_ASPECT)
        axis.set_title(title)
        shapes = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours]
        axis.legend(
            shapes,
            values,
            fontsize=TICK,
            frameon=False,
            loc="lower left",
            handletextpad=0.2,
            labelcolor=INK,
        )

    return panel


def _bars(
    by: str,
    title: str,
    measure: pl.Expr | None = None,
    *,
    top: int = 20,
    names: Mapping[str, str] | None = None,
) -> Panel:
    """Draw one bar for each value of a column: how many rows, or a measure of them."""
    known = names or {}

    def panel(axis: "Axes", view: View) -> None:
        length = (pl.len() if measure is None else measure).alias("length")
        bars = view.rows.group_by(pl.col(by).cast(pl.String)).agg(length).collect()
        bars = bars.sort("length", by, descending=[True, False]).head(top).reverse()
        labels = [known.get(str(value), str(value)) for value in bars[by]]
        drawn = axis.barh(labels, bars["length"].to_list(), color=COLOURS[0])
        # A figure at each bar instead of an axis: a bar beside a long one may be too short to see.
        small = len(labels) > MANY_BARS
        axis.bar_label(drawn, fmt=_figure, fontsize=TICK - small, padding=2, color=INK)
        axis.margins(x=0.2, y=0.02)
        axis.tick_params(axis="y", labelsize=TICK - small)
        axis.xaxis.set_visible(False)
        axis.spines["bottom"].set_visible(False)
        axis.set_title(title)

    return panel


def _hours(title: str, by: str | None = None) -> Panel:
    """Draw the rows of each local hour, stacked by a column."""

    def panel(axis: "Axes", view: View) -> None:
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        stack = pl.lit("").alias("by") if by is None else pl.col(by).cast(pl.String).alias("by")
        counts = view.rows.group_by(view.local_hour().alias("hour"), stack).len().collect()
        floor = [0] * 24
        values = counts.group_by("by").agg(pl.col("len").sum()).sort("len", descending=True)["by"]
        for value, colour in zip(values, _cycle(len(values)), strict=True):
            found = dict(counts.filter(pl.col("by").eq_missing(value)).select("hour", "len").rows())
            heights = [found.get(hour, 0) for hour in range(24)]
            axis.bar(
                range(24),
                heights,
                bottom=floor,
                color=colour,
                width=0.9,
                label=None if by is None else str(value),
            )
            floor = [below + height for below, height in zip(floor, heights, strict=True)]
        axis.set_xticks(range(0, 24, 4))
        axis.set_xlabel("local hour" if by is None else "", fontsize=LABEL, color=INK)
        axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axis.set_title(title)
        if by is not None:
            _legend(axis)

    return panel


def _histogram(
    column: str, title: str, *, log: bool = False, bins: int = 40, unit: str = ""
) -> Panel:
    """Draw how a number is spread, on a logarithmic axis if it is spread over decades."""

    def panel(axis: "Axes", view: View) -> None:
        import numpy as np
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        values = view.sample([column], ROWS_BINNED)[column].drop_nulls()
        values = values.filter(values > 0) if log else values
        axis.set_title(title)
        axis.set_xlabel(unit, fontsize=LABEL, color=INK)
        if values.is_empty():
            return
        numbers = values.to_numpy()
        edges = bins
        if log:
            edges = np.geomspace(numbers.min(), max(numbers.max(), numbers.min() * 1.01), bins)
            if values.dtype.is_integer():
                # Each bin holds at least one whole number, or bins between them stay empty.
                edges = np.unique(np.round(edges)) - 0.5
            axis.set_xscale("log")
        counts, edges = np.histogram(numbers, bins=edges)
        # On a logarithmic axis, rows per decade: bins of one width there hold the same share.
        heights = counts / np.diff(np.log10(edges)) if log else counts
        axis.stairs(heights, edges, fill=True, color=COLOURS[0])
        axis.set_ylabel("rows per decade" if log else "", fontsize=LABEL, color=INK)
        axis.set_ylim(bottom=0)
        axis.yaxis.set_major_locator(MaxNLocator(6))
        axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))

    return panel


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
    for ((value,), some), colour in zip(classes.items(), _cycle(len(classes)), strict=True):
        axis.scatter(
            some["released"].to_numpy(),
            (some["price"] / 1e6).to_numpy(),
            s=12,
            color=colour,
            label=str(value),
            alpha=0.8,
        )
    axis.set_title("list price (euro) by release")
    _legend(axis)


def _figure(value: float) -> str:
    """Return a number for people: whole if it is, or three digits of it."""
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.3g}"


def _cycle(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]


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
    "places": (_map("language", "by language, area by population", "population"),),
    "sites": (_map("vendor", "sites by vendor"),),
    "network_elements": (_bars("element_type", "elements by type", top=24),),
    "network_links": (
        _bars("interface", "links by interface"),
        _bars("interface", "capacity (Gbit/s)", pl.col("capacity").sum() / 1e3),
    ),
    "cells": (_map("rat_type", "cells by generation", rings=True), _bars("band", "cells by band")),
    "devices": (_prices, _bars("best_rat", "models by best radio access")),
    "plans": (_bars("name", "monthly fee (euro)", pl.col("monthly_fee").first() / 1e6),),
    "subscribers": (_bars("persona", "subscribers by persona"), _ages),
    "social_ties": (
        _bars("tie_kind", "ties by kind"),
        _degrees,
        _histogram("distance_km", "distance between the homes", log=True, unit="km"),
    ),
    "identity_changes": (
        _bars("change_type", "changes by kind"),
        _hours("changes by local hour", "change_type"),
    ),
    "cdrs_voice": (
        _hours("records by local hour", "record_type"),
        _bars("status", "how calls went"),
        _histogram("call_duration", "duration of answered calls", log=True, unit="s"),
    ),
    "cdrs_sms": (
        _hours("records by local hour", "record_type"),
        _bars("rat_type", "by radio access"),
    ),
    "cdrs_data": (
        _hours("records by local hour", "rat_type"),
        _bars("service", "volume by service (GB)", GIGABYTES),
        _histogram("data_volume_downlink", "downlink of a record", log=True, unit="byte"),
    ),
    "cdrs_voip": (
        _hours("records by local hour", "access"),
        _histogram("mos", "mean opinion score"),
        _bars("codec", "by codec"),
    ),
    "cdrs_ims": (
        _hours("records by local hour", "sip_method"),
        _bars("sip_response", "final SIP response", names=SIP_RESPONSES),
    ),
    "location_updates": (
        _hours("updates by local hour", "update_type"),
        _histogram("timing_advance", "timing advance", unit="steps"),
    ),
    "network_logs": (
        _hours("lines by local hour"),
        _bars("severity", "lines by severity", names=SEVERITIES),
    ),
    "customer_service": (
        _hours("contacts by local hour", "channel"),
        _bars("reason", "contacts by reason"),
    ),
}
"""The panels of each dataset's picture, from left to right."""
