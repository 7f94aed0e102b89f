"""The assets of the warehouse: for each dataset, what of it lies in a SQL database.

Belongs here: the step that loads a dataset's partitions, and what it tells. Does not belong here:
loading (`warehouse.loading`), when it is asked for (`schedules`).
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import dagster as dg
from pydantic import Field

from telco_pipeline import partitions
from telco_pipeline.assets import policy
from telco_pipeline.assets.columns import column_schema
from telco_pipeline.assets.faults import judged
from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import Operation
from telco_pipeline.warehouse.database import Database

if TYPE_CHECKING:
    from telco_pipeline.warehouse.loading import Loaded

GROUP: Final = "warehouse"
PREFIX: Final = "warehouse"
POOL: Final = "warehouse"
"""One load at a time: an embedded database has one writer, and a load uses a core or two."""
OWNERS: Final = ["team:analytics"]
KINDS: Final = {"sql"}


class LoadConfig(dg.Config):
    """Run configuration of a load: by default what is there with the same content stays."""

    again: bool = Field(default=False, description="Load what is there already, too.")


def key_of(table: str) -> dg.AssetKey:
    """Return the asset of a table."""
    return dg.AssetKey([PREFIX, table])


def build_loads(
    daily: dg.DailyPartitionsDefinition, pool: str | None = POOL
) -> list[dg.AssetsDefinition]:
    """Build an asset for the table of each dataset; a range of days is one run."""
    with warnings.catch_warnings():
        # As in `factory.build_asset`.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [_load(dataset, daily, pool) for dataset in DATASETS.values()]


def _load(
    dataset: Dataset, daily: dg.DailyPartitionsDefinition, pool: str | None
) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(dataset.name),
        deps=[dg.AssetDep(dataset.name)],
        description=f"`{dataset.name}` of the lake in the table of the same name in the SQL "
        "database of TELCO_DATABASE_URL. A partition is one transaction: it is there whole or not "
        "at all, and loaded again it replaces itself.",
        group_name=GROUP,
        owners=OWNERS,
        kinds=KINDS,
        tags=policy.tags_of(dataset) | {"domain": GROUP},
        metadata={"dagster/column_schema": column_schema(dataset), "table": dataset.name},
        code_version=f"contract{dataset.version}",
        partitions_def=daily if dataset.daily else None,
        backfill_policy=dg.BackfillPolicy.single_run() if dataset.daily else None,
        pool=pool,
    )
    def load(
        context: dg.AssetExecutionContext,
        config: LoadConfig,
        operator: dg.ResourceParam[Operation],
        database: dg.ResourceParam[Database],
    ) -> dg.MaterializeResult:
        # Here and not at the top: what loads is not needed to know which assets there are.
        from telco_pipeline.warehouse import loading

        with judged(context, f"{PREFIX}/{dataset.name}"):
            require_main(operator)
            days = partitions.days_of(context.partition_keys) if dataset.daily else [None]
            done = []
            for day in days:
                done.append(
                    loading.load(database, operator.lake, dataset.name, day, again=config.again)
                )
                if day is not None and day != days[-1]:
                    context.add_asset_metadata(
                        told(database, [done[-1]]), partition_key=partitions.key_of(day)
                    )
        context.log.info(f"{dataset.name}: {_words(done)} in {database.address}")
        return dg.MaterializeResult(metadata=told(database, done[-1:]))

    return load


def require_main(operation: Operation) -> None:
    """Refuse worlds of which Dagster keeps no book."""
    if not operation.main:
        raise TelcoError(
            f"world {operation.lake.world!r} is not the main one, whose tables these assets are: "
            "load it with `telco warehouse load --world`, into another schema or database"
        )


def told(database: Database, done: "Sequence[Loaded]") -> dict[str, dg.MetadataValue]:
    """Return what Dagster shows of loads: how much, how fast, where it lies."""
    rows = sum(one.rows for one in done)
    seconds = sum(one.seconds for one in done)
    written = sum(one.rows for one in done if not one.skipped)
    return {
        "dagster/row_count": dg.MetadataValue.int(rows),
        "rows_written": dg.MetadataValue.int(written),
        "bytes_of_parquet": dg.MetadataValue.int(sum(one.bytes for one in done)),
        "seconds": dg.MetadataValue.float(round(seconds, 3)),
        "rows_per_second": dg.MetadataValue.int(round(written / max(seconds, 1e-3))),
        "replaced": dg.MetadataValue.bool(any(one.replaced for one in done)),
        "as_before": dg.MetadataValue.bool(all(one.skipped for one in done)),
        "database": dg.MetadataValue.text(database.address),
    }


def _words(done: "Sequence[Loaded]") -> str:
    same = sum(one.skipped for one in done)
    rows = sum(one.rows for one in done)
    return f"{len(done)} partitions with {rows:,} rows, {same} of them as before,"
