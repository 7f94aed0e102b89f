"""The resource `kafka`: which broker the streams of a run go to, and how.

Belongs here: from environment, scenarios/streaming.yaml and run configuration to one `Kafka` that
assets, checks and the live job share. Does not belong here: what is sent (`streaming`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import Operation, never_again
from telco_pipeline.streaming.connection import Connection
from telco_pipeline.streaming.layout import StreamSettings, Topic
from telco_pipeline.streaming.settings_file import load_settings

if TYPE_CHECKING:
    from telco_pipeline.streaming.pacing import Pace
    from telco_pipeline.streaming.stream import Stream


@dataclass(frozen=True)
class Kafka:
    """A broker and how records are sent to it.

    Attributes:
        connection: The broker.
        settings: Topics, form of records, pace.
    """

    connection: Connection
    settings: StreamSettings

    def stream(
        self, operation: Operation, topics: Sequence[Topic] | None = None, *, again: bool = False
    ) -> "Stream":
        """Return the stream of an operator's lake.

        Args:
            operation: The operator.
            topics: Where to; those that are switched on by default.
            again: Send days anew that were sent.
        """
        # Here and not at the top: what sends is not needed to know which assets there are.
        from telco_pipeline.streaming.stream import Stream

        chosen = self.settings.topics if topics is None else tuple(topics)
        return Stream(operation.lake, chosen, self.settings, self.connection, again=again)

    def pace(self, *, speed: float | None = None, rate: float | None = None) -> "Pace":
        """Return the pace that a run asks for, else that of the settings."""
        from telco_pipeline.streaming.pacing import Pace

        if speed is None and rate is None:
            speed, rate = self.settings.speed, self.settings.rate
        return Pace.of(speed=speed, rate=rate)


class KafkaConfig(dg.Config):
    """Run configuration of the broker: by default that of the environment."""

    bootstrap_servers: str | None = Field(
        default=None,
        description="Addresses; empty: KAFKA_BOOTSTRAP_SERVERS, or 127.0.0.1:9092. Protocol, "
        "passwords and certificates come from KAFKA_* variables alone, so that no run's "
        "configuration keeps them.",
    )

    def kafka(self) -> Kafka:
        """Build it from the environment, scenarios/streaming.yaml and these values."""
        connection = Connection.from_environment(bootstrap_servers=self.bootstrap_servers)
        return Kafka(connection, load_settings())


@dg.resource(
    config_schema=KafkaConfig.to_config_schema(),
    description="The broker of the environment, with the topics of scenarios/streaming.yaml.",
)
def kafka(context: dg.InitResourceContext) -> Kafka:
    """Build the broker that a run sends to; wrong values end the run in one clear line."""
    try:
        return KafkaConfig(**context.resource_config).kafka()
    except TelcoError as error:
        never_again(context)
        raise dg.Failure(description=str(error), allow_retries=False) from error
