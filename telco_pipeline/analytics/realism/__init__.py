"""Realism: how near the records of a lake come to what real mobile-phone data look like.

Belongs here: the rows of the realism report, their estimators, plots and page. Does not belong
here: Dagster, the command line, and whatever makes records; these are an independent judge.

`ROWS` is the catalogue of all rows, cheap to import. `measure` fills it from a lake, `draw_figures`
makes one picture per group, `render_markdown` and `render_json` write the report down. NumPy, SciPy
and Matplotlib are loaded by the first call.
"""

from telco_pipeline.analytics.realism.catalogue import ROWS
from telco_pipeline.analytics.realism.measuring import measure
from telco_pipeline.analytics.realism.page import render_json, render_markdown
from telco_pipeline.analytics.realism.plots import draw_figures
from telco_pipeline.analytics.realism.report import GROUPS, Line, Panel, Report, Row, Verdict

__all__ = [
    "GROUPS",
    "ROWS",
    "Line",
    "Panel",
    "Report",
    "Row",
    "Verdict",
    "draw_figures",
    "measure",
    "render_json",
    "render_markdown",
]
