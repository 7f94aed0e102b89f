"""Pictures of the report: one figure per group, small multiples of measure beside target.

Belongs here: drawing panels. Does not belong here: what they show. Matplotlib is loaded when the
first figure is drawn.
"""

import io
from typing import TYPE_CHECKING, Final

from telco_pipeline.analytics.realism.report import GROUPS, Line, Panel, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK: Final = "#334155"
GRID: Final = "#e2e8f0"
MEASURED: Final = ("#2563eb", "#10b981", "#8b5cf6", "#14b8a6")
REFERENCE: Final = ("#f59e0b", "#ef4444", "#64748b", "#ec4899")
"""Blue and green are what was measured; orange and red are what real data have."""

TICK, LABEL, TITLE, HEADING = 7.5, 8, 9, 11
"""Sizes of text in points, from the smallest up."""

COLUMNS: Final = 3
PANEL_INCHES, HEIGHT_INCHES = 3.5, 2.9


def draw_figures(report: Report) -> dict[str, bytes]:
    """Return one PNG per group that has panels, by the name of the group, in their order."""
    figures = {}
    for group in GROUPS:
        _, panels = report.of_group(group)
        if panels:
            figures[group] = draw(group, panels)
    return figures


def draw(title: str, panels: list[Panel]) -> bytes:
    """Return a PNG of some panels, three in a row."""
    # The object interface with Agg: no global state of pyplot, so threads do not disturb it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(
        figsize=(PANEL_INCHES * columns, HEIGHT_INCHES * rows + 0.3),
        dpi=110,
        layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12),
    )
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        _panel(axis, panel)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    figure.suptitle(title, fontsize=HEADING, color=INK, x=0.01, ha="left")
    buffer = io.BytesIO()
    canvas.print_png(buffer)
    return buffer.getvalue()


def _panel(axis: "Axes", panel: Panel) -> None:
    from matplotlib.ticker import NullFormatter

    axis.tick_params(labelsize=TICK, colors=INK)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(GRID)
    axis.grid(color=GRID, linewidth=0.5)
    axis.set_axisbelow(True)
    for log, scale, which in (
        (panel.log_x, axis.set_xscale, axis.xaxis),
        (panel.log_y, axis.set_yscale, axis.yaxis),
    ):
        if log:
            scale("log")
            which.set_minor_formatter(NullFormatter())
    places = [x for line in panel.lines for x in line.x]
    if panel.log_x and places and max(places) < 20 * min(places):
        axis.set_xticks([tick for tick in (1, 2, 3, 5, 10, 20, 30, 50) if tick <= max(places)])
        axis.xaxis.set_major_formatter("{x:g}")
    for role, colours in (("measured", MEASURED), ("reference", REFERENCE)):
        lines = [line for line in panel.lines if line.role == role]
        for number, line in enumerate(lines):
            _line(axis, line, colours[number % len(colours)])
    if panel.ticks:
        axis.set_xticks(range(len(panel.ticks)))
        slanted = max(len(tick) for tick in panel.ticks) > 3
        axis.set_xticklabels(panel.ticks, rotation=90 if slanted else 0, fontsize=TICK)
    elif panel.x_label == "local hour":
        axis.set_xticks(range(0, 24, 4))
    if panel.log_y:
        _fit_to_measures(axis, panel)
    elif any(line.style in ("bars", "steps") for line in panel.lines):
        # Room at the top, where the legend hides nothing.
        axis.set_ylim(0, 1.3 * max(max(line.y, default=0) for line in panel.lines))
    axis.set_title(panel.title, fontsize=TITLE, color=INK, loc="left")
    axis.set_xlabel(panel.x_label, fontsize=LABEL, color=INK)
    axis.set_ylabel(panel.y_label, fontsize=LABEL, color=INK)
    if len(panel.lines) > 1:
        axis.legend(fontsize=TICK - 0.5, frameon=False, labelcolor=INK, handlelength=1.4)


def _fit_to_measures(axis: "Axes", panel: Panel) -> None:
    """Keep a reference that falls off far below all measures from squeezing them together."""
    values = [y for line in panel.lines if line.role == "measured" for y in line.y if y > 0]
    if values:
        axis.set_ylim(min(values) / 3, max(values) * 3)


def _line(axis: "Axes", line: Line, colour: str) -> None:
    if line.style == "bars":
        axis.bar(line.x, line.y, color=colour, alpha=0.75, label=line.label)
    elif line.style == "points":
        marker = "o" if line.role == "measured" else "_"
        size = 3.2 if line.role == "measured" else 9
        axis.plot(
            line.x, line.y, marker, color=colour, markersize=size, label=line.label,
            markeredgewidth=0 if line.role == "measured" else 2,
        )  # fmt: skip
    else:
        axis.plot(
            line.x,
            line.y,
            color=colour,
            label=line.label,
            linewidth=1.6,
            linestyle="-" if line.role == "measured" else "--",
            drawstyle="steps-mid" if line.style == "steps" else "default",
        )
