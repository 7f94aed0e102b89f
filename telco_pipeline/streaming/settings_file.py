"""The file of streaming settings: `scenarios/streaming.yaml`, read strictly.

Belongs here: keys, what each may be, reading the file. Does not belong here: what comes of it
(`layout`), YAML itself (`settings.world_file`).
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self, get_args

from pydantic import BeforeValidator, ValidationError, model_validator

from telco_pipeline.errors import TelcoError
from telco_pipeline.scenarios.words import Strict
from telco_pipeline.settings import DEFAULT_WORLD_FILE, checks, values
from telco_pipeline.settings.values import RefusedError, Rule
from telco_pipeline.streaming.layout import (
    BROKERS_DEFAULT,
    DISTURBANCES,
    FOR_EVER,
    INTERVAL,
    LAYOUTS,
    MOST_IN_A_NAME,
    Encoding,
    Headers,
    Layout,
    StreamSettings,
    Topic,
    progress_topic,
)

VARIABLE: Final = "TELCO_STREAMING"
DEFAULT_FILE: Final = DEFAULT_WORLD_FILE.with_name("streaming.yaml")
_BROKERS: Final = "broker"
_MILLISECONDS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def _retention(value: Any) -> int | str:
    if value == "forever":
        return FOR_EVER
    if value == _BROKERS:
        return _BROKERS
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", value) if isinstance(value, str) else None
    if found is None:
        raise RefusedError
    return int(found[1]) * _MILLISECONDS[found[2]]


def _replication(value: Any) -> int:
    return BROKERS_DEFAULT if value == _BROKERS else values.whole(1, 100).convert(value)


def _speed(value: Any) -> float | str:
    return value if value == "max" else values.number(0, 1e6, above=True).convert(value)


def _topic_name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", value):
        raise RefusedError
    if value in (".", "..") or len(value) > MOST_IN_A_NAME or value.startswith("__"):
        raise RefusedError
    return value


_Name = Annotated[
    str,
    BeforeValidator(
        Rule(
            f"a topic's name: letters, digits, '.', '_' and '-', at most {MOST_IN_A_NAME}, "
            "not '__' at its start",
            _topic_name,
        )
    ),
]
_Partitions = Annotated[int, BeforeValidator(values.whole(1, 10_000))]
_Replication = Annotated[
    int, BeforeValidator(Rule("a whole number from 1 to 100, or broker", _replication))
]
_Retention = Annotated[
    int | str,
    BeforeValidator(Rule("a length of time such as 12h or 7d, forever, or broker", _retention)),
]
_Rate = Annotated[float, BeforeValidator(values.number(0, 1))]
_Flag = Annotated[bool, BeforeValidator(values.FLAG)]
_Url = Annotated[
    str,
    BeforeValidator(
        values.pattern("an address such as http://127.0.0.1:8081", r"https?://[^\s/]+(/\S*)?")
    ),
]
_Prefix = Annotated[
    str,
    BeforeValidator(
        values.pattern("letters, digits, '.', '_' and '-' (at most 60)", r"[A-Za-z0-9._-]{1,60}")
    ),
]


class TopicFile(Strict):
    """What is set for one topic; what is left out is as for all."""

    on: _Flag | None = None
    name: _Name | None = None
    partitions: _Partitions | None = None
    replication: _Replication | None = None
    retention: _Retention | None = None
    compact: _Flag | None = None


class TopicsFile(Strict):
    """The topics of both layouts by their words; `test_layout` holds it to `LAYOUTS`."""

    cdrs: TopicFile = TopicFile()
    voice_cdrs: TopicFile = TopicFile()
    data_cdrs: TopicFile = TopicFile()
    sms_cdrs: TopicFile = TopicFile()
    voip_cdrs: TopicFile = TopicFile()
    ims_cdrs: TopicFile = TopicFile()
    network_logs: TopicFile = TopicFile()
    customer_service: TopicFile = TopicFile()
    location_updates: TopicFile = TopicFile()
    alarms: TopicFile = TopicFile()
    counters: TopicFile = TopicFile()
    users: TopicFile = TopicFile()
    truth: TopicFile = TopicFile()


class OwnTopic(Strict):
    """A topic that the stream keeps for itself."""

    name: _Name
    replication: _Replication | None = None


class Pace(Strict):
    """How fast, unless an option says otherwise."""

    speed: Annotated[
        float | str,
        BeforeValidator(Rule("max, or a number above 0 and at most 1,000,000", _speed)),
    ] = "max"
    rate: Annotated[float, BeforeValidator(values.number(0, 1e7, above=True))] | None = None
    interval: Annotated[float, BeforeValidator(values.number(*INTERVAL))] = 0.1


class Disturb(Strict):
    """Rates of what is disturbed on purpose; `test_layout` holds it to `DISTURBANCES`."""

    late: _Rate = 0.0
    out_of_order: _Rate = 0.0
    duplicated: _Rate = 0.0
    malformed: _Rate = 0.0


class StreamFile(Strict):
    """The keys of the file."""

    version: Annotated[int, BeforeValidator(values.VERSION)]
    layout: Annotated[Layout, BeforeValidator(values.one_of(*LAYOUTS))] = "by_kind"
    encoding: Annotated[str, BeforeValidator(values.one_of(*get_args(Encoding)))] = "json"
    headers: Annotated[str, BeforeValidator(values.one_of(*get_args(Headers)))] = "cloudevents"
    schema_registry: _Url | None = None
    prefix: _Prefix = "telco"
    partitions: _Partitions = 6
    replication: _Replication = BROKERS_DEFAULT
    retention: _Retention = FOR_EVER
    topics: TopicsFile = TopicsFile()
    progress: OwnTopic = OwnTopic(name="telco-progress")
    disturbances: OwnTopic = OwnTopic(name="telco-disturbances")
    pace: Pace = Pace()
    disturb: Disturb = Disturb()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        return checks.enforce(self, self._problems())

    def _problems(self) -> Iterator[checks.Problem]:
        if self.encoding == "avro" and self.schema_registry is None:
            yield checks.Problem(
                ("encoding",), "avro needs a schema registry: write the key schema_registry"
            )
        if "@" in (self.schema_registry or ""):
            # A rule's message would show the value.
            text = "a password does not belong here: write the address alone"
            yield checks.Problem(("schema_registry",), text)
        if self.disturbances.name == self.progress.name:
            yield checks.Problem(("disturbances", "name"), _taken(self.progress.name, "progress"))
        for layout in LAYOUTS:
            taken = {self.progress.name: "progress", self.disturbances.name: "disturbances"}
            for word, topic in self.known(layout).items():
                other = taken.setdefault(topic.name, word)
                if other != word and getattr(self.topics, word).name is not None:
                    at = ("topics", word, "name")
                    yield checks.Problem(at, _taken(topic.name, other))
                    return
                if other != word:  # the other one was written, this name is the layout's
                    at = (other, "name") if other in ("progress", "disturbances") else None
                    yield checks.Problem(
                        at or ("topics", other, "name"), _taken(topic.name, f"the topic {word}")
                    )
                    return

    def known(self, layout: Layout) -> dict[str, Topic]:
        """Return all topics of a layout as they are to be, by their words."""
        found: dict[str, Topic] = {}
        for word, place in LAYOUTS[layout].items():
            own: TopicFile = getattr(self.topics, word)
            retention = self.retention if own.retention is None else own.retention
            compact = place.cleanup == "compact" if own.compact is None else own.compact
            found[word] = Topic(
                own.name or place.name,
                place.datasets,
                own.partitions or self.partitions,
                self.replication if own.replication is None else own.replication,
                retention if isinstance(retention, int) else None,
                "compact" if compact else "delete",
            )
        return found

    def settings(self, layout: Layout) -> StreamSettings:
        """Return what the file says with a layout."""
        known = self.known(layout)
        on = tuple(
            word
            for word, place in LAYOUTS[layout].items()
            if (place.on if (flag := getattr(self.topics, word).on) is None else flag)
        )
        return StreamSettings(
            layout=layout,
            known=known,
            on=on,
            progress=progress_topic(self.progress.name, self._copies(self.progress)),
            disturbances=Topic(
                self.disturbances.name,
                (),
                self.partitions,
                self._copies(self.disturbances),
                self.retention if isinstance(self.retention, int) else None,
            ),
            prefix=self.prefix,
            encoding="avro" if self.encoding == "avro" else "json",
            headers="none" if self.headers == "none" else "cloudevents",
            schema_registry=self.schema_registry,
            speed=None if isinstance(self.pace.speed, str) else self.pace.speed,
            rate=self.pace.rate,
            interval=self.pace.interval,
            disturb={kind: getattr(self.disturb, kind) for kind in DISTURBANCES},
        )

    def _copies(self, own: OwnTopic) -> int:
        return self.replication if own.replication is None else own.replication


def _taken(name: str, other: str) -> str:
    return f'"{name}" is the name of {other} too: choose another'


def load_settings(
    path: Path | None = None,
    *,
    layout: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> StreamSettings:
    """Read the settings of streaming.

    Args:
        path: The file; if None that of TELCO_STREAMING, else the checkout's own.
        layout: Layout that replaces the file's.
        environ: The variables; those of this process when None.

    Raises:
        TelcoError: The file cannot be read or a value is refused: one line with file, line and what
            to write instead. Or there is no such layout.
    """
    # Here, not above: YAML is slow to import.
    from telco_pipeline.settings import problems, world_file

    environ = os.environ if environ is None else environ
    path = path or Path(environ.get(VARIABLE) or DEFAULT_FILE)
    if not path.exists():
        raise TelcoError(
            f"{path}: there is no such file: name one with {VARIABLE}, or restore the checkout's "
            f"scenarios/{DEFAULT_FILE.name}"
        )
    source = world_file.read(path, "streaming settings")
    try:
        read = StreamFile.model_validate(source.tree)
    except ValidationError as error:
        raise TelcoError(problems.describe(error, StreamFile, source, ())) from None
    return read.settings(_layout(layout) or read.layout)


def _layout(word: str | None) -> Layout | None:
    if word is None:
        return None
    for layout in LAYOUTS:
        if word == layout:
            return layout
    hint = values.closest(word, LAYOUTS) or f"there are {' and '.join(LAYOUTS)}"
    raise TelcoError(f"no layout {word[:40]!r}: {hint}")
