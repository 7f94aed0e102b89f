"""The assets of deliveries: for each topic, the days that were sent to it.

Belongs here: one step that sends days into the topics that a run selects, and what it tells. Does
not belong here: sending (`streaming`), when it is asked for (`sensors`), the live stream (`live`).
"""

import datetime as dt
import functools
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import dagster as dg
from pydantic import Field

from telco_pipeline import partitions
from telco_pipeline.assets import policy
from telco_pipeline.assets.columns import column_schema
from telco_pipeline.assets.faults import judged
from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.errors import TelcoError
from telco_pipeline.kafka_resource import Kafka
from telco_pipeline.resources import Operation, never_again
from telco_pipeline.streaming.layout import USERS, StreamSettings, Topic
from telco_pipeline.streaming.sources import inputs_of

if TYPE_CHECKING:
    from telco_pipeline.streaming.publisher import Delivery, Sent

GROUP: Final = "streaming"
PREFIX: Final = "kafka"
POOL: Final = "kafka"
"""One day goes out at a time: two of the same day would only fence each other."""
STEP: Final = "deliveries"
OWNERS: Final = ["team:mediation"]
KINDS: Final = {"kafka"}
SECONDS_BETWEEN_LINES: Final = 10.0

Metadata = dict[str, dg.MetadataValue]


class PushConfig(dg.Config):
    """Run configuration of a delivery: by default each day once, as fast as the broker takes it."""

    speed: float | None = Field(
        default=None,
        gt=0,
        description="Times real time: 60 sends an hour in a minute. Empty: scenarios/streaming.yaml"
        " decides, which says as fast as possible.",
    )
    rate: float | None = Field(
        default=None, gt=0, description="Records a second, instead of `speed`. Empty: no limit."
    )
    again: bool = Field(
        default=False,
        description="Send the days although they were sent before, or other rows of them were: "
        "the topics then hold both. Such a run is never retried by itself.",
    )


def key_of(word: str) -> dg.AssetKey:
    """Return the asset of a topic."""
    return dg.AssetKey([PREFIX, word])


def build_deliveries(
    daily: dg.DailyPartitionsDefinition, settings: StreamSettings, pool: str | None = POOL
) -> dg.AssetsDefinition:
    """Build the assets of all topics of the layout, made by one step for those that are selected.

    A range of days is one run that sends them in order, so that a subscriber's records stay so.
    """
    with warnings.catch_warnings():
        # As in `factory.build_asset`.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return _deliveries(daily, settings, pool)


def _deliveries(
    daily: dg.DailyPartitionsDefinition, settings: StreamSettings, pool: str | None
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=STEP,
        specs=[_spec(word, topic) for word, topic in settings.known.items()],
        can_subset=True,
        partitions_def=daily,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=pool,
    )
    def deliveries(
        context: dg.AssetExecutionContext,
        config: PushConfig,
        operator: dg.ResourceParam[Operation],
        kafka: dg.ResourceParam[Kafka],
    ) -> Iterator[dg.MaterializeResult]:
        if config.again:
            never_again(context)
        with judged(context, STEP, retries=not config.again):
            words = [word for word in settings.known if key_of(word) in context.selected_asset_keys]
            days = partitions.days_of(context.partition_keys)
            shown = _send(
                context, config, operator, kafka, [settings.known[w] for w in words], days
            )
        for word in words:
            name = settings.known[word].name
            for day, told in shown.items():
                if day != days[-1]:
                    context.add_asset_metadata(
                        told[name], asset_key=key_of(word), partition_key=partitions.key_of(day)
                    )
            yield dg.MaterializeResult(asset_key=key_of(word), metadata=shown[days[-1]][name])

    return deliveries


def _spec(word: str, topic: Topic) -> dg.AssetSpec:
    held = [DATASETS[name] for name in topic.datasets]
    of = "the registry as of the day's start" if topic.datasets == USERS else _listed(topic)
    return dg.AssetSpec(
        key_of(word),
        deps=[dg.AssetDep(name) for name in inputs_of(topic.datasets)],
        description=f"Days sent to the topic `{topic.name}`: {of}, merged by time, each record "
        "once however often a run dies or is repeated.",
        group_name=GROUP,
        owners=OWNERS,
        kinds=KINDS,
        tags={
            "domain": GROUP,
            "layout": "topic",
            "personal-data": "yes" if any(map(policy.holds_personal_data, held)) else "no",
        },
        code_version="-".join(f"{one.name}{one.version}" for one in held),
        metadata={
            "dagster/column_schema": _columns(held),
            "topic": topic.name,
            "partitions": topic.partitions,
            "cleanup": topic.cleanup,
        },
    )


def _columns(held: list[Dataset]) -> dg.TableSchema:
    """Return what a topic's records may hold: the columns of all datasets that go into it."""
    columns = [
        dg.TableColumn("dataset", "Enum", description="The dataset that the record is a row of.")
    ]
    for dataset in held:
        known = {column.name for column in columns}
        columns += [one for one in column_schema(dataset).columns if one.name not in known]
    return dg.TableSchema(columns=columns)


def _listed(topic: Topic) -> str:
    return ", ".join(f"`{name}`" for name in topic.datasets)


def _send(
    context: dg.AssetExecutionContext,
    config: PushConfig,
    operation: Operation,
    kafka: Kafka,
    chosen: list[Topic],
    days: list[dt.date],
) -> dict[dt.date, dict[str, Metadata]]:
    """Send days in order; return what to show of each, by topic."""
    from telco_pipeline.streaming import stream as streams
    from telco_pipeline.streaming.control import Control

    require_main(operation)
    stream = kafka.stream(operation, chosen, again=config.again)
    stream.prepared()
    shown: dict[dt.date, dict[str, Metadata]] = {}
    # Terminating the run raises in the midst of it: what is not committed then is not sent.
    called = f"push-{context.run.run_id[:8]}"
    with Control(stream.folder, called, context.log.warning) as control:
        pace = functools.partial(kafka.pace, speed=config.speed, rate=config.rate)
        tell = Teller(context)
        for done in streams.replay(
            stream, days, pace, control=control, on_day=tell.day, on_progress=tell.progress
        ):
            if done.stopped:
                raise TelcoError(
                    f"stopped on request: {done.records:,} records of {done.day} were sent, the "
                    "next run goes on after them"
                )
            for line in done.told_of_begin("`again: true`"):
                context.log.warning(line)
            shown[done.day] = {name: told(done, name, sent) for name, sent in done.topics.items()}
    # It went well: Dagster keeps the book of that, `telco stream status` need not.
    control.forget()
    return shown


def require_main(operation: Operation) -> None:
    """Refuse worlds of which Dagster keeps no book."""
    if not operation.main:
        raise TelcoError(
            f"world {operation.lake.world!r} is not the main one, whose days these assets are: "
            "send it with `telco stream --world`"
        )


class Teller:
    """Tells of a stream in the log of a run, a line now and then."""

    def __init__(self, context: dg.AssetExecutionContext | dg.OpExecutionContext) -> None:
        self._context = context
        self._day: dt.date | None = None
        self._last = time.monotonic()

    def day(self, day: dt.date) -> None:
        """Take note of the day that is sent."""
        self._day = day

    @contextmanager
    def waiting(self, day: dt.date) -> Iterator[None]:
        """Say that a day is waited for, and when it is there."""
        self._context.log.warning(
            f"{day} is not in the lake yet: waiting. Materialise it (job `make_records`), or "
            "switch on the schedules `running_day` and `coming_day`, which make each day ahead"
        )
        yield
        self._context.log.info(f"{day} is there")

    def progress(self, records: int, size: int) -> None:
        """Take note of a commit."""
        if time.monotonic() - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = time.monotonic()
        self._context.log.info(f"{self._day}: {records:,} records, {size / 1e6:,.1f} MB")


def told(done: "Delivery", name: str, sent: "Sent") -> Metadata:
    """Return what Dagster shows of a day in a topic: what was sent, how fast, where it lies."""
    shown: Metadata = {
        "dagster/row_count": dg.MetadataValue.int(sent.total),
        "records_of_this_run": dg.MetadataValue.int(sent.records),
        "bytes": dg.MetadataValue.int(sent.size),
        "seconds": dg.MetadataValue.float(round(done.seconds, 3)),
        "records_per_second": dg.MetadataValue.int(round(sent.records / max(done.seconds, 1e-3))),
        "records_per_second_all_topics": dg.MetadataValue.int(round(done.achieved)),
        "transactions": dg.MetadataValue.int(done.transactions),
        "restarts": dg.MetadataValue.int(done.restarts),
        "topic": dg.MetadataValue.text(name),
        "offsets": dg.MetadataValue.table(
            [
                dg.TableRecord({"partition": part, "first": first, "end": sent.last.get(part)})
                for part, first in sorted(sent.begun.items())
            ],
            schema=dg.TableSchema(
                columns=[
                    dg.TableColumn("partition", "int"),
                    dg.TableColumn("first", "int"),
                    dg.TableColumn("end", "int"),
                ]
            ),
        ),
    }
    if sent.since is not None:
        shown["begun"] = dg.MetadataValue.text(
            f"{sent.since:%H:%M:%S} UTC: what was due before was not sent, as a live stream began "
            "then; `again: true` sends all of the day"
        )
    if done.asked is not None:
        shown["records_per_second_asked"] = dg.MetadataValue.float(round(done.asked, 1))
        shown["lateness_median_ms"] = _milliseconds(done.acknowledged.median)
        shown["lateness_p99_ms"] = _milliseconds(done.acknowledged.p99)
        shown["lateness_worst_ms"] = _milliseconds(done.acknowledged.worst)
    for kind, count in sent.disturbed.items():
        shown[f"disturbed_{kind}"] = dg.MetadataValue.int(count)
    return shown


def _milliseconds(seconds: float) -> dg.MetadataValue:
    return dg.MetadataValue.float(round(seconds * 1000, 1))
