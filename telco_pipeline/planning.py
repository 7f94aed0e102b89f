"""What a generation will make, before it is made: rows, bytes, time and memory.

Belongs here: closed forms from the rates of world.yaml, and the constants behind them. Does not
belong here: which inputs a dataset needs (`lineage`), reading or writing a lake.

The rows of a stream are the events that its personas start (share x rate x mean personal level x
weight of the weekday) times the records that such an event leaves behind. How many that are is
not derived but measured, once, on a world of 20,000 subscribers over a week; a test holds the
plan to within a quarter of what is really made.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from telco_pipeline.contracts import DATASETS, STATIC_DATASETS

if TYPE_CHECKING:
    from telco_pipeline.settings import Persona, WorldConfig


@dataclass(frozen=True)
class DatasetEstimate:
    """What one dataset will be.

    Attributes:
        name: Name of the dataset.
        partitions: Number of partitions.
        rows: Rows in all of them.
        bytes: Size on disk.
        seconds: Time to make it.
        memory: Peak memory in bytes while it is made.
    """

    name: str
    partitions: int
    rows: float
    bytes: float
    seconds: float
    memory: float


@dataclass(frozen=True)
class Estimate:
    """What a generation will be: its datasets, one after the other."""

    datasets: list[DatasetEstimate]

    @property
    def rows(self) -> float:
        """Rows in all."""
        return sum(one.rows for one in self.datasets)

    @property
    def bytes(self) -> float:
        """Size on disk in all."""
        return sum(one.bytes for one in self.datasets)

    @property
    def seconds(self) -> float:
        """Time for all, with the start of Dagster."""
        return _START_SECONDS + sum(one.seconds for one in self.datasets)

    @property
    def memory(self) -> float:
        """Peak memory; the datasets are made one after the other."""
        return max((one.memory for one in self.datasets), default=0.0)


@dataclass(frozen=True)
class _Size:
    """What the rows of a dataset are made of, measured.

    Attributes:
        bytes_per_row: Bytes on disk.
        rows_per_second: Rows that one worker makes in a second.
        bytes_in_memory: Memory per row of a part while it is made.
    """

    bytes_per_row: float
    rows_per_second: float
    bytes_in_memory: float = 600.0


# Measured with `telco generate --subscribers 20000 --days 7` on 2 shared cores of an AMD EPYC.
_SIZES: Final[dict[str, _Size]] = {
    "places": _Size(38, 8_000),
    "sites": _Size(57, 600),
    "network_elements": _Size(29, 2_500),
    "network_links": _Size(12, 10_000),
    "cells": _Size(28, 7_000),
    "devices": _Size(84, 30_000),
    "plans": _Size(383, 10_000),
    "subscribers": _Size(96, 120_000),
    "cdrs_voice": _Size(76, 700_000),
    "cdrs_sms": _Size(58, 700_000),
    "cdrs_data": _Size(62, 900_000),
    "cdrs_voip": _Size(72, 700_000),
    "cdrs_ims": _Size(54, 900_000),
    "location_updates": _Size(39, 1_000_000),
    "network_logs": _Size(109, 300_000),
    "customer_service": _Size(150, 8_000),
}
_START_SECONDS: Final = 4.0  # Python, Dagster and its definitions
_PARTITION_SECONDS: Final = 0.12  # a partition without rows: staging, checks, Dagster's book
_BASE_MEMORY: Final = 350e6  # Python with Dagster, Polars and NumPy
_WORKER_MEMORY: Final = 150e6  # a worker with its tables
_MEMORY_PER_SUBSCRIBER: Final = 250.0  # the population in arrays, in each process

_PLACES: Final = 2256  # of Belgium in GeoNames
_DEVICES: Final = 91
_PLANS: Final = 17
_SITES_AUTO: Final = (160, 5000, 2500)  # fewest, most, SIMs per site (world.radio)
_CELLS_PER_SITE: Final = 11.5
_ELEMENTS_PER_SITE: Final = 3.75
_CORE_ELEMENTS: Final = 70
_LINKS_PER_SITE: Final = 14.9
_CORE_LINKS: Final = 400

# Records per event of a stream, and per SIM and day.
_VOICE_PER_CALL: Final = 1.26  # the caller's, and the called party's where it is ours
_VOICE_PER_INCOMING: Final = 1.0
_INCOMING_MOST: Final = 10.0  # calls a day beyond which nobody calls back (call centres)
_SMS_PER_MESSAGE: Final = 1.68
_SMS_PER_INCOMING: Final = 0.85
_DATA_PER_SESSION: Final = 1.0  # partial records of long ones make up for levels below 1
_VOIP_PER_VOICE: Final = 0.98  # records of calls that go over IMS
_VOIP_PER_TRUNK: Final = 0.34  # calls of businesses over SIP trunks
_IMS_PER_VOICE: Final = 1.95
_IMS_PER_PERSON: Final = 7.7  # registrations
_LOCATIONS_PER_PERSON: Final = 4.9
_LOCATIONS_PER_MACHINE: Final = 1.23
_CONTACTS_PER_PERSON: Final = 0.0051
_LINES_PER_LINE: Final = 1.55  # some lines bring others with them

_WEEKDAYS: Final = {
    "calls": (1.02, 1.02, 1.03, 1.05, 1.14, 0.94, 0.80),
    "messages": (0.98, 0.98, 0.99, 1.00, 1.06, 1.03, 0.96),
    "data": (0.98, 0.98, 0.98, 0.99, 1.02, 1.03, 1.02),
}
"""Weight of each weekday; a copy of `behaviour.rhythm.WEEKDAY_WEIGHT` that needs no NumPy."""


def partitions(names: Iterable[str], days: int) -> int:
    """Return the number of partitions of some datasets over some days."""
    return sum(days if DATASETS[name].daily else 1 for name in names)


def estimate(
    config: "WorldConfig", names: Sequence[str], first: dt.date, days: int, workers: int
) -> Estimate:
    """Return what making some datasets over some days will come to.

    Args:
        config: The world.
        names: The datasets, inputs included.
        first: First day.
        days: Number of days.
        workers: Processes at a time.
    """
    return Estimate([_dataset(config, name, first, days, workers) for name in names])


def rows(config: "WorldConfig", name: str, first: dt.date, days: int) -> float:
    """Return the expected rows of a dataset over some days (of its only partition if static)."""
    if name in STATIC_DATASETS:
        return _static_rows(config)[name]
    return _daily_rows(config, first, days)[name]


def _dataset(
    config: "WorldConfig", name: str, first: dt.date, days: int, workers: int
) -> DatasetEstimate:
    size, count = _SIZES[name], partitions([name], days)
    made = rows(config, name, first, days)
    parts = _parts(config, name)
    busy = min(workers, parts)
    seconds = count * _PARTITION_SECONDS + made / (size.rows_per_second * busy)
    per_part = made / count / parts
    population = _MEMORY_PER_SUBSCRIBER * config.subscribers * (1 + (busy if busy > 1 else 0))
    memory = (
        _BASE_MEMORY
        + (busy * _WORKER_MEMORY if busy > 1 else 0)
        + population
        + busy * per_part * size.bytes_in_memory
    )
    return DatasetEstimate(name, count, made, made * size.bytes_per_row, seconds, memory)


def _parts(config: "WorldConfig", name: str) -> int:
    """Return the files of a partition, which is as many processes as it can keep busy."""
    if name in STATIC_DATASETS and name != "subscribers":
        return 1
    entities = _elements(config) if name == "network_logs" else config.subscribers
    return max(math.ceil(entities / config.part_size), 1)


def _sites(config: "WorldConfig") -> int:
    if config.network.sites != "auto":
        return int(config.network.sites)
    fewest, most, per_site = _SITES_AUTO
    return min(max(config.subscribers // per_site, fewest), most)


def _elements(config: "WorldConfig") -> float:
    return _CORE_ELEMENTS + _sites(config) * _ELEMENTS_PER_SITE


def _static_rows(config: "WorldConfig") -> dict[str, float]:
    sites = _sites(config)
    return {
        "places": _PLACES,
        "sites": sites,
        "network_elements": _elements(config),
        "network_links": _CORE_LINKS + sites * _LINKS_PER_SITE,
        "cells": sites * _CELLS_PER_SITE,
        "devices": _DEVICES,
        "plans": _PLANS,
        "subscribers": config.subscribers,
    }


def _daily_rows(config: "WorldConfig", first: dt.date, days: int) -> dict[str, float]:
    """Return the expected rows of every daily dataset."""
    weights, own = config.record_weights, config.own_operator.share
    calls_days = _weekday_sum("calls", first, days)
    calls = _per_day(config, lambda one: one.calls) * weights.voice * calls_days
    incoming = (
        (1 - own)
        * calls_days
        * _per_day(config, lambda one: min(one.calls * weights.voice, _INCOMING_MOST))
    )
    voice = calls * _VOICE_PER_CALL + incoming * _VOICE_PER_INCOMING
    messages = (
        _per_day(config, lambda one: one.messages)
        * weights.sms
        * _weekday_sum("messages", first, days)
    )
    sessions = (
        _per_day(config, lambda one: one.sessions)
        * weights.data
        * _weekday_sum("data", first, days)
    )
    trunks = (
        calls_days
        * weights.voip
        * _per_day(config, lambda one: one.calls if one.kind == "business" else 0.0)
    )
    people = days * _per_day(config, lambda one: float(one.kind != "machine"))
    machines = days * _per_day(config, lambda one: float(one.kind == "machine"))
    logs = days * _elements(config) * config.network.log_lines_per_element_day
    return {
        "cdrs_voice": voice,
        "cdrs_sms": messages * (_SMS_PER_MESSAGE + _SMS_PER_INCOMING * (1 - own)),
        "cdrs_data": sessions * _DATA_PER_SESSION,
        "cdrs_voip": voice * _VOIP_PER_VOICE + trunks * _VOIP_PER_TRUNK,
        "cdrs_ims": voice * _IMS_PER_VOICE + people * _IMS_PER_PERSON * weights.ims,
        "location_updates": weights.location_updates
        * (people * _LOCATIONS_PER_PERSON + machines * _LOCATIONS_PER_MACHINE),
        "network_logs": logs * _LINES_PER_LINE * weights.network_logs,
        "customer_service": people * _CONTACTS_PER_PERSON * weights.customer_service,
    }


def _per_day(config: "WorldConfig", rate: Callable[["Persona"], float]) -> float:
    """Return the sum of a rate over all subscribers; personal levels have a mean of 1."""
    total = math.fsum(persona.share for persona in config.personas.values())
    mean = math.fsum(persona.share * rate(persona) for persona in config.personas.values()) / total
    return config.subscribers * mean


def _weekday_sum(kind: str, first: dt.date, days: int) -> float:
    """Return the days from `first` on, each by the weight of its weekday."""
    weeks, rest = divmod(days, 7)
    weights = _WEEKDAYS[kind]
    extra = ((first + dt.timedelta(days=offset)).weekday() for offset in range(rest))
    return weeks * math.fsum(weights) + math.fsum(weights[weekday] for weekday in extra)
