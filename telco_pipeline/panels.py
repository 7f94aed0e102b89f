"""Panels: the forms of which pictures of datasets are put together.

Belongs here: colours and sizes, what a panel may look at, and panels that fit the columns of any
dataset. Does not belong here: which dataset has which panels, and panels that one dataset alone has
(`pictures`). Matplotlib is loaded when the first picture is drawn, not when Dagster loads the
assets.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl

from telco_pipeline.lake import Lake

if TYPE_CHECKING:
    import numpy as np
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
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#94a3b8"),
)
"""Colours that people with any colour vision tell apart (Okabe and Ito, 2008), and grey."""
SCALE = "YlOrRd"
"""Colour map for amounts, from pale to dark: ColorBrewer's, safe for any colour vision."""
TICK, LABEL, TITLE, HEADING = 7.5, 8, 9, 11
"""Sizes of text in points, from the smallest up."""
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
        lake: Where the partition lies, for what stands beside it.
        day: Its day; None for a static dataset.
    """

    rows: pl.LazyFrame
    zone: ZoneInfo
    lake: Lake
    day: dt.date | None = None

    def local_hour(self) -> pl.Expr:
        """Return the hour of the record in local time."""
        return pl.col("event_time").dt.convert_time_zone(self.zone.key).dt.hour()

    def sample(self, columns: list[str], rows: int) -> pl.DataFrame:
        """Return every n-th row, at most about `rows` of them."""
        total = self.rows.select(pl.len()).collect().item()
        step = max(1, total // rows)
        return self.rows.select(columns).gather_every(step).collect()


def legend(axis: "Axes") -> None:
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


def map_of(
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
        colours = cycle(len(values))
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


def bars_of(
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
        axis.bar_label(drawn, fmt=figure_text, fontsize=TICK - small, padding=2, color=INK)
        axis.margins(x=0.2, y=0.02)
        axis.tick_params(axis="y", labelsize=TICK - small)
        axis.xaxis.set_visible(False)
        axis.spines["bottom"].set_visible(False)
        axis.set_title(title)

    return panel


def hours_of(title: str, by: str | None = None) -> Panel:
    """Draw the rows of each local hour, stacked by a column."""

    def panel(axis: "Axes", view: View) -> None:
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        stack = pl.lit("").alias("by") if by is None else pl.col(by).cast(pl.String).alias("by")
        counts = view.rows.group_by(view.local_hour().alias("hour"), stack).len().collect()
        floor = [0] * 24
        values = counts.group_by("by").agg(pl.col("len").sum()).sort("len", descending=True)["by"]
        for value, colour in zip(values, cycle(len(values)), strict=True):
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
            legend(axis)

    return panel


def histogram_of(
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


def heat_map(
    axis: "Axes", grid: "np.ndarray", labels: list[str], unit: str, highest: float | None = None
) -> None:
    """Draw amounts by row and local hour; hours without any stay white."""
    # Squares of an image would run into each other; a mesh leaves a thin line between them.
    mesh = axis.pcolormesh(
        grid, cmap=SCALE, vmin=0, vmax=highest, edgecolors="white", linewidth=0.4
    )
    small = len(labels) > MANY_BARS
    axis.set_yticks([row + 0.5 for row in range(len(labels))], labels)
    axis.tick_params(axis="y", labelsize=TICK - small, length=0)
    axis.set_xticks([hour + 0.5 for hour in range(0, 24, 4)], [str(h) for h in range(0, 24, 4)])
    axis.set_xlabel("local hour", fontsize=LABEL, color=INK)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.invert_yaxis()
    bar = axis.figure.colorbar(mesh, ax=axis, pad=0.02, aspect=30)
    bar.ax.tick_params(labelsize=TICK - 0.5, colors=INK, length=2)
    bar.outline.set_visible(False)
    bar.set_label(unit, fontsize=TICK, color=INK)


def grid_of(cells: pl.DataFrame, labels: list[str]) -> "np.ndarray":
    """Return values of columns `label`, `hour`, `value` by label and hour; nan where none."""
    import numpy as np

    grid = np.full((len(labels), 24), np.nan)
    rows = {label: row for row, label in enumerate(labels)}
    for label, hour, value in cells.select("label", "hour", "value").rows():
        grid[rows[label], hour] = value
    return grid


def figure_text(value: float) -> str:
    """Return a number for people: whole if it is, or three digits of it."""
    return f"{value:,.0f}" if value == round(value) or value >= 100 else f"{value:.3g}"


def cycle(count: int) -> list[str]:
    """Return as many colours, from the beginning again where there are not enough."""
    return [COLOURS[number % len(COLOURS)] for number in range(count)]
