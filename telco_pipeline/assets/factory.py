"""Builds the asset of a dataset.

Belongs here: the one step that all datasets share, and what its definition tells. Does not belong
here: policy (`policy`), judgement of errors (`faults`), what a materialisation tells (`metadata`).
"""

import datetime as dt
import hashlib
import time
import warnings
from typing import TYPE_CHECKING

import dagster as dg

from telco_pipeline import lineage, partitions
from telco_pipeline.assets import metadata, policy
from telco_pipeline.assets.columns import column_schema
from telco_pipeline.assets.faults import judged
from telco_pipeline.checks.factory import examine, guards_of
from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import Operation
from telco_pipeline.settings import WorldConfig

if TYPE_CHECKING:
    from telco_pipeline.production import PartitionReport

OTHER_WORLD_TAG = "dagster/defer_asset_events"
"""A run with this tag (of Dagster; a test guards it) logs no materialisations: Dagster's book is
of the main world, and what another world holds must not show as a partition of the main one."""

SECONDS_BETWEEN_LINES = 2.0


def build_asset(
    dataset: Dataset,
    config: WorldConfig,
    daily: dg.DailyPartitionsDefinition,
    pool: str | None = policy.POOL,
) -> dg.AssetsDefinition:
    """Build the asset of a dataset from its contract.

    A range of days is one run that makes them in order. Each partition has figures of its own in
    the event log; rows and picture are shown of the last one.
    """
    with warnings.catch_warnings():
        # That backfill policies are beta would be told once for each dataset at every load; a
        # range run in the tests tells us if they change.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _asset(dataset, config, daily, pool)


def _asset(
    dataset: Dataset,
    config: WorldConfig,
    daily: dg.DailyPartitionsDefinition,
    pool: str | None,
) -> dg.AssetsDefinition:
    @dg.asset(
        name=dataset.name,
        deps=_deps(dataset),
        description=_description(dataset),
        group_name=dataset.group,
        owners=policy.owners_of(dataset),
        kinds=policy.KINDS,
        tags=policy.tags_of(dataset),
        metadata=_definition_metadata(dataset),
        code_version=policy.code_version_of(dataset, config),
        partitions_def=daily if dataset.daily else None,
        backfill_policy=dg.BackfillPolicy.single_run() if dataset.daily else None,
        freshness_policy=policy.FRESH if dataset.daily else None,
        pool=pool,
    )
    def asset(
        context: dg.AssetExecutionContext, operator: dg.ResourceParam[Operation]
    ) -> dg.MaterializeResult:
        with judged(context, dataset.name):
            days = _days_of(context) if dataset.daily else None
            _require_job_of_world(context, operator)
            reports = _make(context, operator, dataset, days)
            if operator.main:
                return _materialised(context, operator, dataset, reports)
            _observe(context, operator, dataset, reports)
            if operator.checked:
                verify(operator, dataset, days)
        return dg.MaterializeResult()

    return asset


def _days_of(context: dg.AssetExecutionContext) -> list[dt.date]:
    """Return the days that a run is for."""
    if not (context.has_partition_key or context.has_partition_key_range):
        raise TelcoError(
            "this run is for no day: choose one as Partition in the launchpad, or one or more "
            "under Materialize"
        )
    return partitions.days_of(context.partition_keys)


def _deps(dataset: Dataset) -> list[dg.AssetDep]:
    """Return what a dataset is made from; of some daily sources the day before counts too."""
    eves = lineage.eves_of(dataset.name)
    both = dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=0, allow_nonexistent_upstream_partitions=True
    )
    eve = dg.TimeWindowPartitionMapping(
        start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
    )
    own = [dg.AssetDep(dataset.name, partition_mapping=eve)] if dataset.follows else []
    return own + [
        dg.AssetDep(name, partition_mapping=both if name in eves else None)
        for name in lineage.sources_of(dataset.name)
    ]


def _description(dataset: Dataset) -> str:
    references = ", ".join(sorted({f"`{key.target}`" for key in dataset.foreign_keys}))
    refers = f"\n\nRefers to {references}." if references else ""
    time_rule = "\n\nA record belongs to the day (UTC) in which it starts." if dataset.time else ""
    return f"{dataset.description}{refers}{time_rule}"


def _definition_metadata(dataset: Dataset) -> dict[str, object]:
    return {
        "dagster/column_schema": column_schema(dataset),
        "contract_version": dataset.version,
        "contract_fingerprint": dataset.fingerprint(),
    }


def _require_job_of_world(context: dg.AssetExecutionContext, operation: Operation) -> None:
    """Keep the main world out of runs that Dagster keeps no book of, and the others in them."""
    unbooked = context.run.tags.get(OTHER_WORLD_TAG) == "true"
    if operation.main and unbooked:
        raise TelcoError(
            "this job makes another world beside the main one: give it a name in the run "
            "configuration, such as `resources: {operator: {config: {world: calm, seed: 7}}}`"
        )
    if not operation.main and not unbooked:
        raise TelcoError(
            f"world {operation.lake.world!r} is not the main one: launch it from the job "
            "`what_if`, which keeps it out of the main world's partitions"
        )


def _make(
    context: dg.AssetExecutionContext,
    operation: Operation,
    dataset: Dataset,
    days: list[dt.date] | None,
) -> list["PartitionReport"]:
    """Have the partitions made, and tell how far it is."""
    # Here and not at the top: the generators take longer to load than all the rest, and Dagster
    # loads this module whenever it only wants to know which assets there are.
    from telco_pipeline.production import produce

    done: list[PartitionReport] = []
    total = len(days) if days else 1
    last_line = time.monotonic()

    def progress(report: "PartitionReport") -> None:
        nonlocal last_line
        done.append(report)
        if operation.on_progress:
            operation.on_progress(report)
        # Each line is a row in Dagster's storage, so not one for every day of a long range.
        if len(done) < total and time.monotonic() - last_line < SECONDS_BETWEEN_LINES:
            return
        last_line = time.monotonic()
        rows = sum(each.rows for each in done)
        context.log.info(f"{dataset.name}: {len(done)} of {total} partitions, {rows:,} rows")

    return produce(
        operation.config,
        operation.lake,
        dataset.name,
        days,
        workers=operation.workers,
        shards=operation.shards,
        replace=operation.replace,
        overlays=operation.overlays,
        progress=progress,
    )


def _materialised(
    context: dg.AssetExecutionContext,
    operation: Operation,
    dataset: Dataset,
    reports: list["PartitionReport"],
) -> dg.MaterializeResult:
    """Return what Dagster keeps of the partitions.

    A static dataset's data version is the hash of its content. A step has one data version for
    all the partitions of a range, so that of days is of what they are made from (`_days_version`);
    the content hash of each is in the metadata.
    """
    last = reports[-1]
    shown = metadata.impressions(operation, dataset, last)
    if not dataset.daily:
        content = dg.DataVersion(last.content_hash)
        return dg.MaterializeResult(metadata=shown, data_version=content)
    for report in reports:
        told = shown if report is last else metadata.figures(operation, report)
        context.add_asset_metadata(told, partition_key=_key(report))
    return dg.MaterializeResult(data_version=_days_version(operation, dataset))


def _days_version(operation: Operation, dataset: Dataset) -> dg.DataVersion:
    """Return the data version of a dataset's days: of its code, the world and what that is.

    Dagster's own would be another one for a day made alone and for the same day in a range: it
    counts each day of `identity_changes` as an input.
    """
    world = [name for name in lineage.sources_of(dataset.name) if not DATASETS[name].daily]
    records = [operation.lake.provenance(name) for name in world]
    told = [policy.code_version_of(dataset, operation.config)]
    told += [
        f"{name}={record.content_hash}"
        for name, record in zip(world, records, strict=True)
        if record
    ]
    return dg.DataVersion(hashlib.blake2b("\n".join(told).encode(), digest_size=16).hexdigest())


def _observe(
    context: dg.AssetExecutionContext,
    operation: Operation,
    dataset: Dataset,
    reports: list["PartitionReport"],
) -> None:
    """Note what was made for another world beside the asset, as observations."""
    for report in reports:
        context.log_event(
            dg.AssetObservation(
                asset_key=dataset.name,
                partition=_key(report) if dataset.daily else None,
                metadata=metadata.figures(operation, report),
            )
        )


def verify(operation: Operation, dataset: Dataset, days: list[dt.date] | None) -> None:
    """Check another world's partitions in the step itself: results belong to the main world.

    Raises:
        TelcoError: A check fails.
    """
    for guard in guards_of(dataset):
        for finding in examine(operation, guard, days or [None]):
            if not finding.passed:
                raise TelcoError(f"check {guard.name} failed: {finding.message}; {finding.recover}")


def _key(report: "PartitionReport") -> str:
    if report.day is None:
        raise ValueError(f"{report.dataset} is kept by day, but its report names none")
    return partitions.key_of(report.day)
