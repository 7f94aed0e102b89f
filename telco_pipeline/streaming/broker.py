"""The embedded broker: librdkafka's own, for demonstrations without Java or Docker.

Belongs here: starting it, and saying what it cannot do. Does not belong here: Apache Kafka
(deploy/kafka).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaException, Producer

from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.connection import LOGGER, Connection

PARTITIONS: Final = 4
"""Every topic has so many."""
LIMITS: Final = (
    "Topics lie in memory: about the last 5 MB of each partition, gone when it ends.",
    f"Every topic has {PARTITIONS} partitions and comes into being when it is first asked for.",
    "Transactions are answered, but nothing is promised: no exactly once, no TLS, no passwords.",
)
_STARTED_WITHIN: Final = 10.0


@contextmanager
def embedded() -> Iterator[Connection]:
    """Run the embedded broker in this process while the block lasts, on a free port of localhost.

    Yields:
        The way to it, for clients of this and of other processes.

    Raises:
        TelcoError: It does not start.
    """
    # The clients' mistakes would be told on stderr; nobody polls, so a queue of them would grow.
    quiet = {"logger": LOGGER, "log_level": 0}
    holder = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", **quiet})
    try:
        brokers = holder.list_topics(timeout=_STARTED_WITHIN).brokers.values()
    except KafkaException as error:
        raise TelcoError(f"the embedded broker does not start: {error.args[0].str()}") from None
    # It lives as long as the client that holds it.
    yield Connection({"bootstrap.servers": ",".join(f"{one.host}:{one.port}" for one in brokers)})
    del holder
