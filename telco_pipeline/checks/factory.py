"""Builds the blocking asset checks of each dataset.

Belongs here: one step per dataset that runs its checks over the days of a run, and what of a
finding goes into the metadata. Does not belong here: the checks themselves (`integrity`).
"""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from telco_pipeline import integrity, lineage, partitions
from telco_pipeline.contracts import Dataset
from telco_pipeline.integrity import Finding
from telco_pipeline.resources import Operation

PROMISES = {
    integrity.CHECK_PROVENANCE: "The partition is what its provenance says: files, rows, hashes, "
    "world, contract.",
    integrity.CHECK_CONTRACT: "Columns, types and every rule are those of the contract.",
    integrity.CHECK_UNIQUE: "Each key occurs once.",
    integrity.CHECK_TIMES: "Each record lies in the (UTC) day of its partition.",
    integrity.CHECK_ORDER: "The rows of each file are in the contract's order.",
    integrity.CHECK_FOREIGN_KEYS: "Each reference to another dataset resolves.",
    integrity.CHECK_IDENTIFIERS: "Check digits of equipment and SIM card numbers are right.",
    integrity.CHECK_IDENTITY: "Each record bears the identity that is valid at its time, by the "
    "registry and all changes since the epoch; none comes after a port-out.",
    integrity.CHECK_POSITIONS: "No subscriber is in two places: the distance from one record to "
    "the next can be covered in the time between them.",
    integrity.CHECK_CAUSES: "Each contact with care is one that state decided, what it is about is "
    "in the lake, was bad at that time, and came before it.",
    integrity.CHECK_CARE_CALLS: "Each contact by phone is a call of the same length in "
    "`cdrs_voice`, and each call to care is a contact.",
    integrity.CHECK_STATE: "No record is of a subscription that is not in service, none that the "
    "subscriber starts of a suspended one; where one begins or ends, identities say so too.",
    integrity.CHECK_COUNTERS: "Attempts, successes, drops, bytes, handovers and unavailable time "
    "of each cell and quarter of an hour are exactly what the records say.",
    integrity.CHECK_FILES: "Files are numbered as they closed, arrive after that, and copies of a "
    "file are alike; what is missing was lost on the way.",
}
"""What each check promises, in a line."""

FAILED_DAYS_SHOWN = 20


@dataclass(frozen=True)
class Guard:
    """One check that guards a dataset.

    Attributes:
        name: Its name in Dagster.
        check: Its name in `integrity`.
        subject: The dataset whose partitions it reads.
    """

    name: str
    check: str
    subject: str


def guards_of(dataset: Dataset) -> list[Guard]:
    """Return the checks that guard a dataset, those of references that come late included."""
    late = {integrity.CHECK_FOREIGN_KEYS} if lineage.has_late_references(dataset.name) else set()
    late.add(integrity.CHECK_CARE_CALLS)  # waits for the calls too: `checks.causality`
    own = [
        Guard(name, name, dataset.name)
        for name in integrity.checks_of(dataset.name)
        if name not in late
    ]
    others = [
        Guard(f"{integrity.CHECK_FOREIGN_KEYS}_of_{name}", integrity.CHECK_FOREIGN_KEYS, name)
        for name in lineage.late_references_of(dataset.name)
    ]
    return own + others


def build_checks(dataset: Dataset, pool: str | None) -> dg.AssetChecksDefinition:
    """Build the checks of a dataset.

    They are one step of their own: one process start and one look at the partition instead of
    six, and they can be run again from the UI without making the partition again. They read the
    partition's path and do not take the asset as input. They bear no partitions of their own: in
    1.13 (preview) a run over a range would write one event per check and day, which takes longer
    than the checks; instead each result names the days that it covers and those that failed.
    """

    @dg.multi_asset_check(
        name=f"{dataset.name}_checks",
        specs=[_spec(dataset, guard) for guard in guards_of(dataset)],
        can_subset=True,
        pool=pool,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, operator: dg.ResourceParam[Operation]
    ) -> Iterator[dg.AssetCheckResult]:
        days = days_of(context, operator, dataset)
        selected = {key.name for key in context.selected_asset_check_keys}
        for guard in guards_of(dataset):
            if guard.name in selected:
                yield result(dataset, guard, examine(operator, guard, days))

    return checks


def _spec(dataset: Dataset, guard: Guard) -> dg.AssetCheckSpec:
    promise = PROMISES[guard.check]
    if guard.subject != dataset.name:
        promise = f"Of `{guard.subject}`, which is made before what it refers to: {promise}"
    return dg.AssetCheckSpec(guard.name, asset=dataset.name, description=promise, blocking=True)


def examine(operator: Operation, guard: Guard, days: list[dt.date] | list[None]) -> list[Finding]:
    """Run one check on each partition."""
    findings = []
    for day in days:
        finding = integrity.CHECKS[guard.check](operator.lake, guard.subject, day)
        if operator.on_finding:
            operator.on_finding(finding)
        findings.append(finding)
    return findings


def result(dataset: Dataset, guard: Guard, findings: list[Finding]) -> dg.AssetCheckResult:
    """Return what Dagster shows of a check: figures, and for failures what and how to recover."""
    failed = [finding for finding in findings if not finding.passed]
    metadata: dict[str, dg.MetadataValue] = {
        "rows_checked": dg.MetadataValue.int(sum(finding.rows for finding in findings)),
        "offenders": dg.MetadataValue.int(sum(finding.offenders for finding in findings)),
    }
    if dataset.daily:
        metadata["days_checked"] = dg.MetadataValue.text(_label(findings))
    if failed:
        metadata |= _failure_metadata(dataset, failed)
    return dg.AssetCheckResult(
        passed=not failed,
        check_name=guard.name,
        asset_key=dataset.name,
        description=failed[0].message if failed else None,
        metadata=metadata,
    )


def _failure_metadata(dataset: Dataset, failed: list[Finding]) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "sample": dg.MetadataValue.md(_sample(failed[0])),
        "recover": dg.MetadataValue.text(failed[0].recover),
    }
    if dataset.daily:
        lines = [
            f"| {finding.day} | {finding.offenders} | {finding.message} |"
            for finding in failed[:FAILED_DAYS_SHOWN]
        ]
        table = "\n".join(["| day | offenders | what |", "|---|---|---|", *lines])
        metadata["days_failed"] = dg.MetadataValue.text(_label(failed))
        metadata["failures"] = dg.MetadataValue.md(table)
    return metadata


def _sample(finding: Finding) -> str:
    lines = [json.dumps(row, ensure_ascii=False, default=str) for row in finding.sample]
    return "\n".join(["```json", *lines, "```"])


def _label(findings: list[Finding]) -> str:
    return partitions.label_of([finding.day for finding in findings if finding.day])


def days_of(
    context: dg.AssetCheckExecutionContext, operator: Operation, dataset: Dataset
) -> list[dt.date] | list[None]:
    """Return the days of the run; outside a run with days, the newest day in the lake."""
    if not dataset.daily:
        return [None]
    step = context.op_execution_context
    if step.has_partition_key or step.has_partition_key_range:
        return list(partitions.days_of(step.partition_keys))
    if days := operator.lake.days(dataset.name):
        return [days[-1]]
    raise dg.Failure(
        f"the lake has no day of {dataset.name} to check: materialise one first",
        allow_retries=False,
    )
