"""Layout: which dataset goes to which topic, and how the topics are to be.

Belongs here: topics, their settings and the two layouts. Does not belong here: asking a broker for
them (`topics`), what a record holds (`encoding`), reading the file of settings (`settings_file`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import values

Cleanup = Literal["delete", "compact"]
Layout = Literal["by_kind", "by_type"]
Encoding = Literal["json", "avro"]
Headers = Literal["cloudevents", "none"]

INTERVAL: Final = (0.01, 10)
"""Seconds that may lie between commits where records are paced, from and to."""
FOR_EVER: Final = -1
"""Retention of records that are kept for ever."""
BROKERS_DEFAULT: Final = -1
"""Replication that the broker chooses."""
AVRO_MAGIC: Final = b"\x00"
"""First byte of a value in the wire format of schema registries."""
MOST_IN_A_NAME: Final = 249
"""Characters that Kafka allows in a topic's name."""


@dataclass(frozen=True)
class Topic:
    """A topic and what goes into it.

    Attributes:
        name: The topic's name at the broker.
        datasets: The datasets that go into it; their rows are merged by time.
        partitions: How many partitions it is created with.
        replication: How many brokers hold each; -1 for the broker's default.
        retention: Milliseconds that records are kept; -1 for ever, None for the broker's default.
        cleanup: `delete` by age, or `compact` to the last record of each key.
    """

    name: str
    datasets: tuple[str, ...]
    partitions: int = 6
    replication: int = BROKERS_DEFAULT
    retention: int | None = None
    cleanup: Cleanup = "delete"

    @property
    def is_timed(self) -> bool:
        """Whether its records have times of their own; else all are of the day's start."""
        # The truth about disturbances has no contract; each of it is of its record's time.
        return not self.datasets or any(
            name not in DATASETS or DATASETS[name].time for name in self.datasets
        )


@dataclass(frozen=True)
class Place:
    """A topic as a layout has it, before anybody's settings.

    Attributes:
        name: Its name.
        datasets: What goes into it.
        on: Whether it is sent unless told otherwise.
        cleanup: As in `Topic`.
    """

    name: str
    datasets: tuple[str, ...]
    on: bool = False
    cleanup: Cleanup = "delete"


USERS: Final = ("subscribers",)
"""What the topic of users holds: the registry as it stands when the day begins."""
_CDRS: Final = ("cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims")
_COUNTERS: Final = ("pm_counters", "element_metrics")
_TRUTH: Final = ("truth_incidents", "truth_entities", "truth_records")

LAYOUTS: Final[Mapping[Layout, Mapping[str, Place]]] = {
    "by_kind": {
        "cdrs": Place("cdrs", _CDRS, on=True),
        "network_logs": Place("network_logs", ("network_logs",), on=True),
        "customer_service": Place("customer_service", ("customer_service",), on=True),
        "location_updates": Place("location_updates", ("location_updates",), on=True),
        "alarms": Place("alarms", ("alarms",)),
        "counters": Place("counters", _COUNTERS),
        "users": Place("users", USERS, cleanup="compact"),
        "truth": Place("truth", _TRUTH),
    },
    "by_type": {
        "users": Place("telco-users", USERS, on=True, cleanup="compact"),
        "voice_cdrs": Place("telco-voice-cdrs", ("cdrs_voice",), on=True),
        "data_cdrs": Place("telco-data-cdrs", ("cdrs_data",), on=True),
        "sms_cdrs": Place("telco-sms-cdrs", ("cdrs_sms",), on=True),
        "voip_cdrs": Place("telco-voip-cdrs", ("cdrs_voip",), on=True),
        "ims_cdrs": Place("telco-ims-cdrs", ("cdrs_ims",), on=True),
        "network_logs": Place("telco-network-logs", ("network_logs",)),
        "customer_service": Place("telco-customer-service", ("customer_service",)),
        "location_updates": Place("telco-location-updates", ("location_updates",)),
        "alarms": Place("telco-alarms", ("alarms",)),
        "counters": Place("telco-counters", _COUNTERS),
        "truth": Place("telco-truth", _TRUTH),
    },
}
"""The topics of each layout, by the word that settings and options know them by."""

DISTURBANCES: Final = ("late", "out_of_order", "duplicated", "malformed")
"""Kinds of disturbance that can be asked for."""


@dataclass(frozen=True)
class StreamSettings:
    """How the lake is streamed; none of it changes a row.

    Attributes:
        layout: Which of the two it is.
        known: All topics of the layout by their words, switched on or not.
        on: Words of those that are sent unless told otherwise.
        progress: The topic of how far each delivery came; compacted, kept for ever.
        disturbances: The topic of the truth about disturbed records.
        prefix: What transactional ids begin with.
        encoding: How rows become values.
        headers: Whether records bear CloudEvents attributes, or no headers at all.
        schema_registry: Its address, if there is one.
        speed: Day's seconds for each second of the wall clock; None is as fast as possible.
        rate: Records for each second at most; None is as many as possible.
        interval: Seconds between commits when records are paced.
        disturb: Rates (0 to 1) by kind of disturbance.
    """

    layout: Layout
    known: Mapping[str, Topic]
    on: tuple[str, ...]
    progress: Topic
    disturbances: Topic
    prefix: str = "telco"
    encoding: Encoding = "json"
    headers: Headers = "cloudevents"
    schema_registry: str | None = None
    speed: float | None = None
    rate: float | None = None
    interval: float = 0.1
    disturb: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(DISTURBANCES, 0.0))

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics that are sent unless told otherwise."""
        return tuple(self.known[word] for word in self.on)

    def chosen(self, asked: Sequence[str] | None) -> tuple[Topic, ...]:
        """Return the topics that were asked for, in the layout's order.

        Args:
            asked: Their words or their names; `all` stands for every one; None for those that are
                switched on.

        Raises:
            TelcoError: One is unknown, or there is none.
        """
        if asked is None:
            chosen = self.topics
        elif list(asked) == ["all"]:
            chosen = tuple(self.known.values())
        else:
            words = {self._word(name) for name in asked}
            chosen = tuple(topic for word, topic in self.known.items() if word in words)
        if not chosen:
            raise TelcoError("no topic is switched on: name some with --topics")
        return chosen

    def _word(self, name: str) -> str:
        for word, topic in self.known.items():
            if name in (word, topic.name):
                return word
        hint = values.closest(name, self._all_names()) or f"there are {', '.join(self.known)}"
        for other, places in LAYOUTS.items():
            if other != self.layout and name in (*places, *(one.name for one in places.values())):
                hint = f"that is one of --layout {other}"
        raise TelcoError(f"no topic {name[:80]!r} in the layout {self.layout}: {hint}")

    def _all_names(self) -> Iterator[str]:
        yield from self.known
        yield from (topic.name for topic in self.known.values())


def progress_topic(name: str = "telco-progress", replication: int = BROKERS_DEFAULT) -> Topic:
    """Return the topic of progress: one record for each delivery, kept for ever."""
    return Topic(name, (), 1, replication, FOR_EVER, "compact")
