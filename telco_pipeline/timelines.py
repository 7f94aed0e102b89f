"""Timelines: pictures of when a scenario layer happens, and of what it does day by day.

Belongs here: drawing incidents and their stages, and effects, over days. Does not belong here: when
they happen (`scenarios.timeline`), what the effects are (`paired`). Matplotlib is loaded when the
first picture is drawn.
"""

import base64
import datetime as dt
import io
from collections.abc import Sequence
from typing import Final

import polars as pl

from telco_pipeline.engine.calendar import DAY
from telco_pipeline.panels import BLUE, COLOURS, HEADING, INK, LABEL, RED, TICK, legend
from telco_pipeline.scenarios.language import Layer, Stage
from telco_pipeline.scenarios.timeline import Incident
from telco_pipeline.settings import WorldConfig

_ROWS: Final = 24  # incidents that a picture has room for
_DPI: Final = 110
_PANELS: Final = 6  # figures that a picture of effects has room for
_LANES: Final = 0.72  # part of an incident's row that its stages share
_THICK: Final = 0.4  # of a bar, at most


def png(config: WorldConfig, layer: Layer, incidents: Sequence[Incident], until: dt.date) -> bytes:
    """Return the picture of a layer's incidents: a bar for each stage, over local days.

    Args:
        config: The world.
        layer: The layer.
        incidents: Its incidents; they are shown as they begin.
        until: Last day to show.
    """
    from matplotlib.figure import Figure

    shown = sorted(incidents, key=lambda one: one.start)[:_ROWS]
    figure = Figure(figsize=(9, 1.4 + 0.26 * max(len(shown), 1)), layout="constrained")
    axis = figure.subplots()
    # The operator's own midnight, as in the tables of incidents.
    midnight = dt.datetime.combine(config.epoch, dt.time(), config.country_tz)
    zero = round(midnight.timestamp() * 1e6)
    names = [stage.name for stage in layer.stages]
    for row, incident in enumerate(shown):
        for number, stage in enumerate(layer.stages):
            begins = (incident.stage_start(stage) - zero) / DAY
            length = stage.length / DAY
            # A lane for each stage: they may last at the same time.
            axis.barh(
                row - _LANES / 2 + (number + 0.5) * _LANES / len(names),
                max(length, 0.04),
                left=begins,
                height=min(_LANES / len(names), _THICK),
                color=COLOURS[number % len(COLOURS)],
                label=_label(stage) if row == 0 else None,
                alpha=0.55 if stage.trigger is not None else 1.0,
            )
    days = (until - config.epoch).days + 1
    axis.set_xlim(0, max(days, 1))
    axis.set_ylim(max(len(shown), 1) - 0.4, -0.6)
    axis.set_yticks(range(len(shown)), [f"incident {one.number + 1}" for one in shown])
    step = max(1, days // 12)
    ticks = range(0, days + 1, step)
    labels = [f"{config.epoch + dt.timedelta(days=tick):%d %b}" for tick in ticks]
    axis.set_xticks(list(ticks), labels)
    axis.tick_params(labelsize=TICK, colors=INK)
    axis.grid(axis="x", color="#e2e8f0", linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    if not shown:
        axis.text(days / 2, 0, "no incident by then", ha="center", fontsize=LABEL, color=INK)
    else:
        legend(axis)
    more = f" (the first {_ROWS} of {len(incidents)})" if len(incidents) > len(shown) else ""
    axis.set_title(f"{layer.title}{more}", fontsize=HEADING, color=INK, loc="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def _label(stage: Stage) -> str:
    """Return a stage's words in the legend; a pale bar is when a trigger may be met."""
    return stage.name if stage.trigger is None else f"{stage.name} (once its trigger is met)"


def image(config: WorldConfig, layer: Layer, incidents: Sequence[Incident], until: dt.date) -> str:
    """Return the same as Markdown that carries the picture."""
    data = base64.b64encode(png(config, layer, incidents, until)).decode()
    return f"![timeline of {layer.title}](data:image/png;base64,{data})"


def effects_png(by_day: pl.DataFrame) -> bytes:
    """Return the picture of what layers did: a panel for each figure that they moved most.

    Args:
        by_day: Figures of both worlds by day (`paired.figures`).
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    moved = pl.col("with_layers") - pl.col("without")
    told = by_day.with_columns(effect=moved)
    # By how much of the figure itself it is, over all days.
    size = (moved.abs().sum() / (pl.col("without").abs().sum() + 1.0)).alias("size")
    first = told.group_by("figure", maintain_order=True).agg(size).filter(pl.col("size") > 0)
    shown = first.sort("size", descending=True, maintain_order=True).head(_PANELS)["figure"]
    rows = max(-(-len(shown) // 2), 1)
    figure = Figure(figsize=(9, 0.8 + 1.7 * rows), layout="constrained")
    told_above = "What the layers did, by UTC day: with them, less without them"
    figure.suptitle(told_above, fontsize=HEADING, color=INK, x=0.01, ha="left")
    axes = figure.subplots(rows, 2, squeeze=False)
    for axis in axes.reshape(-1)[len(shown) :]:
        axis.set_axis_off()
    if not len(shown):
        axes[0, 0].text(0.5, 0.5, "no figure differs", ha="center", fontsize=LABEL, color=INK)
    for axis, name in zip(axes.reshape(-1), shown, strict=False):
        days = told.filter(pl.col("figure") == name).sort("day")
        colours = [RED if value > 0 else BLUE for value in days["effect"]]
        axis.bar(range(len(days)), days["effect"].to_list(), color=colours, width=0.8)
        step = max(1, len(days) // 6)
        ticks = range(0, len(days), step)
        axis.set_xticks(list(ticks), [f"{days['day'][tick]:%d %b}" for tick in ticks])
        axis.axhline(0, color=INK, linewidth=0.6)
        axis.tick_params(labelsize=TICK, colors=INK)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        if (days["effect"] == days["effect"].round()).all():  # there is no half a call
            axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        if max(map(abs, days["effect"])) >= 1000:
            axis.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        title = figure_name(name, days["unit"][0])
        axis.set_title(title, fontsize=LABEL, color=INK, loc="left")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()


def figure_name(name: str, unit: str) -> str:
    """Return a figure's name with its unit, unless the name says it: `minutes talked`."""
    return f"{name}, {unit}" if unit and "minutes" not in name else name


def effects_image(by_day: pl.DataFrame) -> str:
    """Return the same as Markdown that carries the picture."""
    data = base64.b64encode(effects_png(by_day)).decode()
    return f"![effects](data:image/png;base64,{data})"
