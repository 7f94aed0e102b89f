"""The job `live_stream`: the running day's records to Kafka, each at its time, until told to stop.

Belongs here: its one step, and what it tells of each day that is over. Does not belong here: going
from day to day (`streaming.stream`), keeping it alive (`sensors`).
"""

from typing import Final

import dagster as dg
from pydantic import Field

from telco_pipeline import partitions
from telco_pipeline.assets.deliveries import Teller, key_of, require_main, told
from telco_pipeline.assets.faults import judged
from telco_pipeline.kafka_resource import Kafka
from telco_pipeline.resources import Operation

NAME: Final = "live_stream"
STREAM: Final = "live"
"""The name by which `telco stream pause`, `resume` and `stop` know it."""


class LiveConfig(dg.Config):
    """Run configuration of the live stream."""

    max_count: int | None = Field(
        default=None, ge=1, description="End after so many records. Empty: when told to stop."
    )


def build_live() -> dg.JobDefinition:
    """Build the job. Its step is in no pool: it runs for days, and computes little."""

    @dg.op(
        name=STREAM,
        description="Sends what becomes due, waits for a day that is not made yet, and notes each "
        "day that is over as a materialisation of its topics.",
    )
    def live(
        context: dg.OpExecutionContext,
        config: LiveConfig,
        operator: dg.ResourceParam[Operation],
        kafka: dg.ResourceParam[Kafka],
    ) -> None:
        from telco_pipeline.streaming import stream as streams
        from telco_pipeline.streaming.control import Control

        with judged(context, STREAM):
            require_main(operator)
            stream = kafka.stream(operator)
            stream.prepared()
            words = {topic.name: word for word, topic in kafka.settings.known.items()}
            tell = Teller(context)
            with Control(stream.folder, STREAM, context.log.warning) as control:
                for done in streams.live(
                    stream,
                    control=control,
                    on_day=tell.day,
                    on_progress=tell.progress,
                    max_count=config.max_count,
                    waiting=tell.waiting,
                ):
                    for name, sent in done.topics.items():
                        if sent.done and name in words:
                            context.log_event(
                                dg.AssetMaterialization(
                                    key_of(words[name]),
                                    partition=partitions.key_of(done.day),
                                    metadata=told(done, name, sent),
                                )
                            )

    @dg.job(
        name=NAME,
        description="The live stream: the running day's records, each at its time, from now on or "
        "from where it stopped, day after day. Pause, resume and stop it with `telco stream`, or "
        "terminate its run. The sensor `live` keeps it alive.",
        tags={"team": "operations"},
        executor_def=dg.in_process_executor,
    )
    def live_stream() -> None:
        live()

    return live_stream
