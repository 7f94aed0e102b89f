"""Asset checks of the warehouse: a table holds exactly the rows that the lake's provenance says.

Belongs here: counting them by day, and what the outcome says in Dagster. Does not belong here:
loading (`warehouse.loading`), whether the rows are right (`integrity`, dbt's tests).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg

from telco_pipeline import partitions
from telco_pipeline.assets.warehouse import POOL, key_of
from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.resources import Operation
from telco_pipeline.warehouse.database import Database

CHECK: Final = "rows"
MOST_SHOWN: Final = 10


@dataclass(frozen=True)
class Difference:
    """A day whose rows in the database are not those of the lake.

    Attributes:
        day: The day; None for a table without days.
        message: What is wrong.
    """

    day: dt.date | None
    message: str


def build_load_checks(pool: str | None = POOL) -> list[dg.AssetChecksDefinition]:
    """Build the check of each table."""
    return [_check(dataset, pool) for dataset in DATASETS.values()]


def _check(dataset: Dataset, pool: str | None) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key_of(dataset.name),
        name=CHECK,
        description="The table holds as many rows of each day as the lake's provenance says, and "
        "they were loaded from what lies in the lake now.",
        pool=pool,
    )
    def rows(
        context: dg.AssetCheckExecutionContext,
        operator: dg.ResourceParam[Operation],
        database: dg.ResourceParam[Database],
    ) -> dg.AssetCheckResult:
        try:
            days = _days(context, dataset, operator.lake)
            counts = count(database, dataset, days)
            found = differences(database, dataset, operator.lake, counts)
        except TelcoError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        return result(dataset, counts, found)

    return rows


def _days(
    context: dg.AssetCheckExecutionContext, dataset: Dataset, lake: Lake
) -> Sequence[dt.date | None]:
    """Return the days of the run; outside a run with days, those that are in the lake."""
    if not dataset.daily:
        return [None]
    step = context.op_execution_context
    if step.has_partition_key or step.has_partition_key_range:
        return partitions.days_of(step.partition_keys)
    return lake.days(dataset.name)


def count(
    database: Database, dataset: Dataset, days: Sequence[dt.date | None]
) -> dict[dt.date | None, int]:
    """Return how many rows of each day a table holds; none of a table that is not there."""
    import sqlalchemy as sa

    from telco_pipeline.warehouse import tables
    from telco_pipeline.warehouse.existing import has_table

    table = tables.table_of(dataset, database.metadata)
    counts: dict[dt.date | None, int] = dict.fromkeys(days, 0)
    if not database.exists():
        return counts
    with database.reading(f"counting the rows of {dataset.name}") as connection:
        if not has_table(connection, database, dataset.name):
            return counts
        if not dataset.daily:
            query = sa.select(sa.func.count()).select_from(table)
            return {None: connection.execute(query).scalar_one()}
        day = table.c[tables.DAY]
        wanted = [one for one in days if one is not None]
        query = sa.select(day, sa.func.count()).where(day.in_(wanted)).group_by(day)
        counts |= {row[0]: row[1] for row in connection.execute(query)}
    return counts


def differences(
    database: Database,
    dataset: Dataset,
    lake: Lake,
    counts: Mapping[dt.date | None, int],
) -> list[Difference]:
    """Return where a table is not what the lake's provenance says."""
    from telco_pipeline.warehouse import ledger

    loaded = {record.day: record for record in ledger.loaded(database, dataset.name)}
    found = []
    for day, there in counts.items():
        made = lake.provenance(dataset.name, day)
        if made is None:
            found.append(Difference(day, "it is not in the lake"))
        elif there != made.rows:
            found.append(
                Difference(day, f"{there:,} rows in the database, {made.rows:,} in the lake")
            )
        elif day not in loaded or loaded[day].content_hash != made.content_hash:
            found.append(Difference(day, "the lake was made anew since it was loaded"))
    return found


def result(
    dataset: Dataset, counts: Mapping[dt.date | None, int], found: Sequence[Difference]
) -> dg.AssetCheckResult:
    """Return what Dagster shows: rows, the days that were counted, what is wrong, what to do."""
    metadata: dict[str, dg.MetadataValue] = {
        "rows_in_the_database": dg.MetadataValue.int(sum(counts.values())),
    }
    if dataset.daily:
        metadata["days_counted"] = dg.MetadataValue.text(_label(list(counts)))
    if found:
        lines = [f"| {one.day or ''} | {one.message} |" for one in found[:MOST_SHOWN]]
        table = "\n".join(["| day | what |", "|---|---|", *lines])
        metadata["differences"] = dg.MetadataValue.md(table)
        metadata["recover"] = dg.MetadataValue.text(_command(dataset, found))
        if dataset.daily:
            metadata["days_wrong"] = dg.MetadataValue.text(_label([one.day for one in found]))
    first = found[0] if found else None
    return dg.AssetCheckResult(
        passed=not found,
        check_name=CHECK,
        asset_key=key_of(dataset.name),
        description=(f"{first.day}: " if first.day else "") + first.message if first else None,
        metadata=metadata,
    )


def _command(dataset: Dataset, found: Sequence[Difference]) -> str:
    """Return what loads the days that are wrong, though the ledger may say that they are there."""
    days = [one.day for one in found if one.day is not None]
    span = f" --start {days[0]} --days {(days[-1] - days[0]).days + 1}" if days else ""
    return f"telco warehouse load --again --datasets {dataset.name}{span}"


def _label(days: Sequence[dt.date | None]) -> str:
    return partitions.label_of([day for day in days if day is not None])
