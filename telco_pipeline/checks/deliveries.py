"""Asset checks of deliveries: a topic holds exactly the records of the day that the lake holds.

Belongs here: which days are compared, and what the outcome says in Dagster. Does not belong here:
comparing (`streaming.audit`).
"""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import dagster as dg

from telco_pipeline import partitions
from telco_pipeline.assets.deliveries import POOL, key_of
from telco_pipeline.errors import TelcoError
from telco_pipeline.kafka_resource import Kafka
from telco_pipeline.resources import Operation
from telco_pipeline.streaming.layout import StreamSettings

if TYPE_CHECKING:
    from telco_pipeline.streaming.audit import Comparison

CHECK: Final = "counts"
PROMISE: Final = (
    "The topic holds exactly the records of the day that the lake holds, or of the times of it "
    "that were asked for, none missing and none twice, but for those disturbed on purpose, "
    "about each of which the truth tells. Of a day of some users it warns instead."
)


def build_delivery_checks(
    settings: StreamSettings, pool: str | None = POOL
) -> dg.AssetChecksDefinition:
    """Build the checks of all topics, as one step.

    A compacted topic has none: it holds the last record of each key, of whichever day.
    """
    words = [word for word, topic in settings.known.items() if topic.cleanup != "compact"]

    @dg.multi_asset_check(
        name="delivery_checks",
        specs=[
            dg.AssetCheckSpec(CHECK, asset=key_of(word), description=PROMISE, blocking=False)
            for word in words
        ],
        can_subset=True,
        pool=pool,
    )
    def checks(
        context: dg.AssetCheckExecutionContext,
        operator: dg.ResourceParam[Operation],
        kafka: dg.ResourceParam[Kafka],
    ) -> Iterator[dg.AssetCheckResult]:
        from telco_pipeline.streaming.audit import compare

        selected = {key.asset_key for key in context.selected_asset_check_keys}
        for word in words:
            if key_of(word) not in selected:
                continue
            topic = settings.known[word]
            try:
                stream = kafka.stream(operator, [topic])
                found = compare(stream, _days(context, stream.lake.days(topic.datasets[0])))
            except TelcoError as error:
                raise dg.Failure(description=str(error), allow_retries=False) from error
            yield result(word, found)

    return checks


def _days(context: dg.AssetCheckExecutionContext, made: list[dt.date]) -> list[dt.date]:
    """Return the days of the run; outside a run with days, the newest one that is over."""
    step = context.op_execution_context
    if step.has_partition_key or step.has_partition_key_range:
        return partitions.days_of(step.partition_keys)
    today = dt.datetime.now(dt.UTC).date()
    over = [day for day in made if day < today]
    if not over:
        raise TelcoError("the lake has no day that is over: materialise one, and push it")
    return over[-1:]


def result(word: str, found: "list[Comparison]") -> dg.AssetCheckResult:
    """Return what Dagster shows: both numbers, what was left out or disturbed, what is wrong."""
    wrong = [one for one in found if one.problem]
    gone = [one for one in found if one.gone]
    unjudged = [one for one in found if one.unjudged]
    disturbed: dict[str, int] = {}
    for one in found:
        for kind, count in one.disturbed.items():
            disturbed[kind] = disturbed.get(kind, 0) + count
    metadata: dict[str, dg.MetadataValue] = {
        "in_the_lake": dg.MetadataValue.int(sum(one.lake for one in found)),
        "in_the_topic": dg.MetadataValue.int(sum(one.found for one in found)),
        "days_compared": dg.MetadataValue.text(
            partitions.label_of([one.day for one in found if not one.gone])
        ),
        **{
            f"begun_{one.day}": dg.MetadataValue.text(f"with what was due from {one.since} on")
            for one in found
            if one.since is not None
        },
        **{
            f"part_{one.day}": dg.MetadataValue.text(
                f"only what is from {one.window[0]} on and before {one.window[1]} was asked for"
            )
            for one in found
            if one.window is not None
        },
        **{f"disturbed_{kind}": dg.MetadataValue.int(n) for kind, n in disturbed.items()},
    }
    description = None
    if wrong:
        description = f"{wrong[0].day} in {wrong[0].topic}: {wrong[0].problem}"
        metadata["days_wrong"] = dg.MetadataValue.text(
            partitions.label_of([one.day for one in wrong])
        )
    elif gone:
        days = partitions.label_of([one.day for one in gone])
        description = (
            f"{days}: the broker has removed records since (retention, or the embedded broker's "
            "few megabytes), so nothing can be compared"
        )
    elif unjudged:
        description = f"{unjudged[0].day} in {unjudged[0].topic}: {unjudged[0].unjudged}"
    return dg.AssetCheckResult(
        passed=not wrong and not gone and not unjudged,
        check_name=CHECK,
        asset_key=key_of(word),
        severity=dg.AssetCheckSeverity.ERROR if wrong else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )
