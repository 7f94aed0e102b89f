"""What a materialisation tells: figures, origin, a few rows, a picture.

Belongs here: metadata of a partition that was made. Does not belong here: how a picture is drawn
(`pictures`), metadata of the definition (`factory`).
"""

from typing import TYPE_CHECKING

import dagster as dg

from telco_pipeline import pictures
from telco_pipeline.contracts import Dataset
from telco_pipeline.resources import Operation

if TYPE_CHECKING:
    from telco_pipeline.production import PartitionReport

PREVIEW_ROWS = 8
Metadata = dict[str, dg.MetadataValue]


def figures(operation: Operation, report: "PartitionReport") -> Metadata:
    """Return the figures and the origin of one partition."""
    return {
        "dagster/row_count": dg.MetadataValue.int(report.rows),
        "bytes": dg.MetadataValue.int(report.bytes),
        "files": dg.MetadataValue.int(report.files),
        "seconds": dg.MetadataValue.float(round(report.seconds, 3)),
        "rows_per_second": dg.MetadataValue.int(round(report.rows / max(report.seconds, 1e-3))),
        "content_hash": dg.MetadataValue.text(report.content_hash),
        "world": dg.MetadataValue.text(operation.lake.world),
        "world_hash": dg.MetadataValue.text(operation.config.world_hash),
        "seed": dg.MetadataValue.int(operation.config.seed),
        "path": dg.MetadataValue.path(report.path),
    }


def impressions(operation: Operation, dataset: Dataset, report: "PartitionReport") -> Metadata:
    """Return the picture of a partition if it has one, its figures, and its first rows."""
    picture = pictures.draw(operation.lake, dataset.name, report.day, operation.config.country_tz)
    shown: Metadata = {"picture": dg.MetadataValue.md(picture)} if picture else {}
    return shown | figures(operation, report) | {"preview": _preview(operation, dataset, report)}


def _preview(
    operation: Operation, dataset: Dataset, report: "PartitionReport"
) -> dg.TableMetadataValue:
    day = report.day
    rows = operation.lake.scan(dataset.name, day, day, dataset.columns).head(PREVIEW_ROWS)
    records = [
        dg.TableRecord({name: _plain(value) for name, value in row.items()})
        for row in rows.collect().iter_rows(named=True)
    ]
    columns = [dg.TableColumn(name) for name in dataset.columns]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))


def _plain(value: object) -> str | int | float | bool | None:
    # Whole numbers as text: a browser would round event ids beyond 2^53.
    if value is None or isinstance(value, bool | float):
        return value
    return str(value)
