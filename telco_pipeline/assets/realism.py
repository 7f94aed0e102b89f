"""The realism report as an asset: how near the records come to real mobile-phone data.

Belongs here: what Dagster is told of the report, and the step that has it made. Does not belong
here: measures (`analytics.realism`), files (`reporting`), its checks (`checks.realism`).

The report measures all records of many days, so it is no part of `operate`: the job `realism`, the
asset's page or `telco realism` make it when it is wanted.
"""

import base64
import datetime as dt
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

import dagster as dg
from pydantic import Field

from telco_pipeline import __version__, partitions, reporting
from telco_pipeline.analytics.realism import Report
from telco_pipeline.assets import policy
from telco_pipeline.assets.faults import judged
from telco_pipeline.contracts import DAILY_DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import Operation
from telco_pipeline.settings import parse_day

GROUP: Final = "analytics"
OWNER: Final = "team:analytics"
RECORD_GROUPS: Final = ("cdrs", "mobility", "subscribers", "care")
"""Groups of daily datasets that the report may look at."""
OTHERS: Final = ("pm_counters", "truth_incidents", "truth_entities")
"""Daily datasets of other groups that it looks at."""

COLUMNS: Final = (
    ("group", "string", "Group of the row."),
    ("row", "string", "What is measured."),
    ("measured", "string", "The measure, with its unit."),
    ("band", "string", "What counts as real."),
    ("verdict", "string", "In band, out of band, no data or not counted."),
    ("target", "string", "The fact about real data."),
    ("source", "string", "Where the fact is from."),
    ("note", "string", "How it was measured, or why it does not count."),
)
_SOURCES: Final = ("analytics", "reporting.py")
_ROOT: Final = Path(__file__).parents[1]


class ReportConfig(dg.Config):
    """Which days to measure: by default the newest 28 that lie in the lake."""

    start: str | None = Field(default=None, description="First day, such as 2026-01-05.")
    days: int | None = Field(
        default=None,
        description=f"Number of days, {reporting.FEWEST_DAYS} or more; fewer are refused.",
    )


def build_report(pool: str | None = policy.POOL) -> dg.AssetsDefinition:
    """Build the asset of the realism report."""

    @dg.asset(
        name=reporting.ASSET,
        deps=sources(),
        description="How near the records of the newest days come to what real mobile-phone data "
        "look like: one row for each published or measured fact, with its band, source and "
        "verdict. The page, the same as JSON, and the plots lie in `_reports/realism/` of the "
        "lake. A row out of band is a warning of its asset check.",
        group_name=GROUP,
        owners=[OWNER],
        kinds={"polars", "matplotlib"},
        tags={"domain": GROUP, "layout": "report", "personal-data": "no"},
        metadata={"dagster/column_schema": _schema()},
        code_version=code_version(),
        pool=pool,
    )
    def realism_report(
        context: dg.AssetExecutionContext,
        config: ReportConfig,
        operator: dg.ResourceParam[Operation],
    ) -> dg.MaterializeResult:
        with judged(context, reporting.ASSET):
            _require_main(operator)
            first = None if config.start is None else parse_day(config.start)
            days = reporting.days_to_measure(operator.lake, first, config.days)
            context.log.info(f"measuring {partitions.label_of(days)}")
            report = reporting.make(operator.lake, days, context.log.debug)
            pictures = reporting.pictures_of(report)
            files = reporting.write(report, pictures, reporting.directory_of(operator.lake))
        return dg.MaterializeResult(metadata=told(report, pictures, files[0]))

    return realism_report


def sources() -> list[str]:
    """Return the datasets that the report looks at."""
    daily = [name for name, one in DAILY_DATASETS.items() if one.group in RECORD_GROUPS]
    return ["subscribers", "plans", "sites", "cells", *daily, *OTHERS]


@cache
def code_version() -> str:
    """Return the version of the code that measures: the release and a hash of its source."""
    digest = hashlib.blake2b(digest_size=4)
    for name in _SOURCES:
        path = _ROOT / name
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(file.relative_to(_ROOT).as_posix().encode())
            digest.update(file.read_bytes())
    return f"{__version__}+{digest.hexdigest()}"


def told(report: Report, pictures: dict[str, bytes], page: Path) -> dict[str, dg.MetadataValue]:
    """Return what a materialisation tells: score, rows, plots, days, seconds."""
    counted = report.counted()
    return {
        "summary": dg.MetadataValue.text(reporting.summary(report.rows)),
        "share_in_band": dg.MetadataValue.float(round(report.score, 4)),
        "rows_counted": dg.MetadataValue.int(len(counted)),
        "rows_in_band": dg.MetadataValue.int(len(counted) - len(report.failing())),
        "rows": _table(report),
        **{
            f"plots: {group}": dg.MetadataValue.md(_image(group, png))
            for group, png in pictures.items()
        },
        "days": dg.MetadataValue.text(partitions.label_of(list(report.days))),
        "subscribers": dg.MetadataValue.int(report.subscribers),
        "records": dg.MetadataValue.int(report.records),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        "seed": dg.MetadataValue.int(report.seed),
        "world_hash": dg.MetadataValue.text(report.world_hash),
        "path": dg.MetadataValue.path(page),
    }


def _schema() -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name=name, type=kind, description=description)
            for name, kind, description in COLUMNS
        ]
    )


def _table(report: Report) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                "group": row.group,
                "row": row.title,
                "measured": row.value_text(),
                "band": row.band_text(),
                "verdict": str(row.verdict),
                "target": row.target,
                "source": row.source,
                "note": row.note if row.counted else row.excuse,
            }
        )
        for row in report.rows
    ]
    return dg.MetadataValue.table(records, schema=_schema())


def _image(group: str, png: bytes) -> str:
    return f"![{group}](data:image/png;base64,{base64.b64encode(png).decode()})"


def _require_main(operation: Operation) -> None:
    if not operation.main:
        raise TelcoError(
            f"world {operation.lake.world!r} is not the main one, of which Dagster keeps its book: "
            f"run telco realism --world {operation.lake.world}"
        )


def config_of(first: dt.date, days: int) -> dict[str, object]:
    """Return the run configuration that measures some days."""
    return {"ops": {reporting.ASSET: {"config": {"start": str(first), "days": days}}}}
