"""The assets of the registry's history: its versions and its feed of changes in a SQL database.

Belongs here: the step that brings both tables up to a day, and what it tells. Does not belong here:
versions (`warehouse.versions`), writing them (`warehouse.history`).
"""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import dagster as dg
import sqlalchemy as sa

from telco_pipeline import partitions
from telco_pipeline.assets.faults import judged
from telco_pipeline.assets.warehouse import (
    GROUP,
    KINDS,
    OWNERS,
    POOL,
    LoadConfig,
    key_of,
    require_main,
)
from telco_pipeline.resources import Operation
from telco_pipeline.warehouse.database import Database

if TYPE_CHECKING:
    from telco_pipeline.warehouse.history import Written

STEP: Final = "registry_history"
HISTORY: Final = "subscribers_history"
CHANGES: Final = "subscribers_changes"
SOURCES: Final = ("subscribers", "prospects", "identity_changes", "subscriber_state")
DESCRIPTIONS: Final = {
    HISTORY: "The registry as a slowly changing dimension (type 2): a row for each state of each "
    "subscriber, with `valid_from`, `valid_to` and `is_current`. A day here means that all days "
    "up to it are in.",
    CHANGES: "What changed in the registry since the world began, in order, each with the row "
    "before and after: a feed as change data capture makes it.",
}


def build_history(
    daily: dg.DailyPartitionsDefinition, pool: str | None = POOL
) -> dg.AssetsDefinition:
    """Build both assets, made by one step; a range of days is one run."""
    with warnings.catch_warnings():
        # As in `factory.build_asset`.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _history(daily, pool)


def _history(daily: dg.DailyPartitionsDefinition, pool: str | None) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=STEP,
        specs=[_spec(name) for name in DESCRIPTIONS],
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=pool,
    )
    def registry_history(
        context: dg.AssetExecutionContext,
        config: LoadConfig,
        operator: dg.ResourceParam[Operation],
        database: dg.ResourceParam[Database],
    ) -> Iterator[dg.MaterializeResult]:
        # Here and not at the top: what writes is not needed to know which assets there are.
        from telco_pipeline.warehouse import history

        with judged(context, STEP):
            require_main(operator)
            until = partitions.days_of(context.partition_keys)[-1]
            done = history.write(database, operator.lake, until, again=config.again)
        context.log.info(
            f"{done.days} days with {done.versions:,} versions: {database.address} holds the "
            f"registry's history until {done.until}"
        )
        for name in DESCRIPTIONS:
            yield dg.MaterializeResult(asset_key=key_of(name), metadata=told(database, done, name))

    return registry_history


def _spec(name: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key_of(name),
        deps=[dg.AssetDep(source) for source in SOURCES],
        description=DESCRIPTIONS[name],
        group_name=GROUP,
        owners=OWNERS,
        kinds=KINDS,
        tags={"domain": GROUP, "layout": "history", "personal-data": "yes"},
        metadata={"dagster/column_schema": _columns(name), "table": name},
        code_version="history1",
    )


def _columns(name: str) -> dg.TableSchema:
    from telco_pipeline.warehouse import history

    metadata = sa.MetaData()
    table = (history.history_table if name == HISTORY else history.changes_table)(metadata)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                str(column.type),
                description=column.comment,
                constraints=dg.TableColumnConstraints(
                    nullable=bool(column.nullable), unique=column.primary_key
                ),
            )
            for column in table.columns
        ]
    )


def told(database: Database, done: "Written", name: str) -> dict[str, dg.MetadataValue]:
    """Return what Dagster shows: how far it is, what was written, where it lies."""
    written = done.versions if name == HISTORY else done.changes
    shown: dict[str, dg.MetadataValue] = {
        "until": dg.MetadataValue.text(str(done.until)),
        "days_written": dg.MetadataValue.int(done.days),
        "rows_written": dg.MetadataValue.int(written),
        "made_again": dg.MetadataValue.bool(done.again),
        "seconds": dg.MetadataValue.float(round(done.seconds, 3)),
        "rows_per_second": dg.MetadataValue.int(round(written / max(done.seconds, 1e-3))),
        "database": dg.MetadataValue.text(database.address),
    }
    if name == HISTORY:
        shown["dagster/row_count"] = dg.MetadataValue.int(done.rows)
    return shown
