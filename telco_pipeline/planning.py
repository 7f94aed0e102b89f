"""What a generation will make, before it is made: rows, bytes, time and memory.

Belongs here: closed forms from the rates of world.yaml, and the constants behind them. Does not
belong here: which inputs a dataset needs (`lineage`), reading or writing a lake.

The rows of a stream are the events that its personas start (share x rate x mean personal level x
weight of the day, as `behaviour.rhythm` has it for the generators too) times the records that such
an event leaves behind. How many that are is not derived but measured, once, on a world of 30,000
subscribers over five days (of state, faults, alarms and care: of 6,000 subscribers over 60 days);
a test holds the plan to what is really made on a holiday, a working day and a Sunday, or over four
weeks of what comes in storms.
"""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

from telco_pipeline.contracts import DATASETS, STATIC_DATASETS
from telco_pipeline.contracts.state import HISTORY

if TYPE_CHECKING:
    from telco_pipeline.behaviour.rhythm import Kind
    from telco_pipeline.engine.calendar import DayClock
    from telco_pipeline.scenarios.language import Role
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


# Measured with `telco generate --subscribers 30000 --days 5` (bytes) and `--subscribers 100000` on
# 1 and 2 workers (seconds, memory), on 2 shared cores of an AMD EPYC.
_SIZES: Final[dict[str, _Size]] = {
    "places": _Size(42, 15_000),
    "sites": _Size(55, 2_000),
    "network_elements": _Size(31, 10_000),
    "network_links": _Size(13, 40_000),
    "cells": _Size(32, 25_000),
    "devices": _Size(74, 30_000),
    "plans": _Size(316, 10_000),
    "subscribers": _Size(102, 120_000),
    "prospects": _Size(110, 50_000),
    "social_ties": _Size(20, 500_000),
    "network_faults": _Size(230, 5_000),
    "network_state": _Size(31, 1_100_000, 250.0),
    "subscriber_state": _Size(45, 500_000),
    "identity_changes": _Size(175, 50_000),
    "cdrs_voice": _Size(84, 700_000),
    "cdrs_sms": _Size(46, 700_000),
    "cdrs_data": _Size(63, 900_000),
    "cdrs_voip": _Size(69, 700_000),
    "cdrs_ims": _Size(50, 900_000),
    "location_updates": _Size(36, 1_000_000),
    "alarms": _Size(70, 50_000),
    "element_metrics": _Size(25, 1_400_000, 120.0),
    "network_logs": _Size(92, 300_000),
    "customer_service": _Size(190, 8_000),
    "pm_counters": _Size(13, 1_500_000, 500.0),
    "truth_incidents": _Size(900, 2_000),
    "truth_entities": _Size(18, 40_000),
    "truth_records": _Size(20, 250_000),
    "collected_files": _Size(63, 12_000, 20_000.0),
}
_START_SECONDS: Final = 4.0  # Python, Dagster and its definitions
_PARTITION_SECONDS: Final = 0.12  # a partition without rows: staging, checks, Dagster's book
_BASE_MEMORY: Final = 560e6  # Python with Dagster, Polars and NumPy, checks included
_WORKER_MEMORY: Final = 150e6  # a worker with its tables
_PARTS_CHECKED: Final = 2  # parts of which a check holds the rows
_PARTS_PER_WORKER: Final = 0.5  # what a worker keeps of a part, while another one is checked
_MEMORY_PER_SUBSCRIBER: Final = 250.0  # the population in arrays, in each process

_PLACES: Final = 2256  # of Belgium in GeoNames
_DEVICES: Final = 91
_PLANS: Final = 17
_SITES_AUTO: Final = (160, 5000, 50)  # fewest, most, SIMs per site (world.radio)
_CELLS_PER_SITE: Final = 11.5
_ELEMENTS_PER_SITE: Final = 3.75
_CORE_ELEMENTS: Final = 70
_LINKS_PER_SITE: Final = 14.9
_CORE_LINKS: Final = 400
# Of the layers' truth, to the order of magnitude: whom a role means is known with the world only.
_FITTING: Final = 0.3  # part of a dataset that fits a role's conditions
_RECORDS_PER_TARGET: Final = 60.0  # a day
_FILES_PER_QUARTER: Final = 58  # of core elements, by kind of record
_TIES_PER_CUSTOMER: Final = 3.36  # people and businesses

# Records per event of a stream, and per SIM and day.
_VOICE_PER_CALL: Final = 1.175  # the caller's, the called party's where it is ours, forwarded legs
_VOICE_PER_INCOMING: Final = 0.99
_INCOMING_MOST: Final = 10.0  # calls a day beyond which nobody calls back (call centres)
_SMS_PER_MESSAGE: Final = 2.08  # with what other networks and services send
_DATA_PER_SESSION: Final = 0.99  # partial records of long ones make up for levels below 1
_VOIP_PER_VOICE: Final = 0.957  # records of calls that go over IMS
_VOIP_PER_TRUNK: Final = 0.35  # calls of businesses over SIP trunks
_IMS_PER_VOICE: Final = 1.914
_IMS_PER_PERSON: Final = 7.7  # registrations
_REGISTERED_ON_EPOCH: Final = 0.635  # of these, as no phone comes registered from the day before
_LOCATIONS_PER_PERSON: Final = (5.3, 5.05)  # on a working day, on a free one
_LOCATIONS_PER_MACHINE: Final = 0.38
_CONTACTS_PER_PERSON: Final = 0.00477
_CONTACTS_BY_WEEKDAY: Final = (1.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5)  # what waits over Sunday
_LINES_PER_LINE: Final = 1.55  # some lines bring others with them
_LEAVERS: Final = (0.0127, 0.0373)  # a month: of who pays in arrears, in advance
_MONTH_DAYS: Final = 30.4
_FAULTS_PER_ELEMENT: Final = 0.0213  # of four worlds of 160 sites over 60 days, with storms
_ALARMS_PER_FAULT: Final = 10.0
_ALARMS_PER_ELEMENT: Final = 0.124  # of thresholds, and without a cause


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
    made = rows(config, [name for name in names if name not in HISTORY], first, days)
    spans = dict.fromkeys(made, days)
    # State and identities follow from every day since the epoch, so all of them are made.
    long = days + max((first - config.epoch).days, 0)
    history = [name for name in HISTORY if name in names]
    spans |= dict.fromkeys(history, long)
    made |= rows(config, history, min(first, config.epoch), long) if history else {}
    return Estimate([_dataset(config, name, made[name], spans[name], workers) for name in names])


def rows(
    config: "WorldConfig", names: Iterable[str], first: dt.date, days: int
) -> dict[str, float]:
    """Return the expected rows of datasets over some days (of its only partition if static)."""
    wanted = set(names)
    expected = _static_rows(config)
    if not wanted <= STATIC_DATASETS.keys():
        expected |= _daily_rows(config, _Calendar(config, first, days))
    return {name: expected[name] for name in wanted}


def _dataset(
    config: "WorldConfig", name: str, made: float, days: int, workers: int
) -> DatasetEstimate:
    size, count = _SIZES[name], partitions([name], days)
    parts = _parts(config, name)
    busy = min(workers, parts)
    seconds = count * _PARTITION_SECONDS + made / (size.rows_per_second * busy)
    share = 1.0 if parts == 1 else min(config.part_size / _entities(config, name), 1)
    per_part = made / count * share
    held = min(parts, _PARTS_CHECKED) + (busy * _PARTS_PER_WORKER if busy > 1 else 0)
    population = _MEMORY_PER_SUBSCRIBER * config.subscribers * (1 + (busy if busy > 1 else 0))
    memory = (
        _BASE_MEMORY
        + (busy * _WORKER_MEMORY if busy > 1 else 0)
        + population
        + held * per_part * size.bytes_in_memory
    )
    return DatasetEstimate(name, count, made, made * size.bytes_per_row, seconds, memory)


def _parts(config: "WorldConfig", name: str) -> int:
    """Return the files of a partition, which is as many processes as it can keep busy."""
    if DATASETS[name].whole or (name in STATIC_DATASETS and name != "subscribers"):
        return 1
    return math.ceil(_entities(config, name) / config.part_size)


def _entities(config: "WorldConfig", name: str) -> float:
    """Return the subscribers, or elements, whose rows a dataset holds."""
    by_element = name in ("network_logs", "network_faults", "alarms", "element_metrics")
    return _elements(config) if by_element else config.subscribers


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
        "prospects": config.prospects,
        "social_ties": _TIES_PER_CUSTOMER
        * _per_day(config, lambda one: float(one.kind in ("person", "business")))
        * (config.all_subscribers / config.subscribers),
    }


class _Calendar:
    """Some days of a world: how much its subscribers do in them, in mean days.

    Days are worked out once that are alike: when the clock says the same of them and of the days
    beside them, which are local hours, weekdays, and the name of a holiday.
    """

    def __init__(self, config: "WorldConfig", first: dt.date, days: int) -> None:
        """Take the days from `first` on."""
        self._config = config
        self.first = first
        self.days = days
        self._weights: dict[tuple[str, dt.date], list[float]] = {}

    @cached_property
    def _alike(self) -> list[tuple[dt.date, int]]:
        """One of each set of days that are alike, and how many they are."""
        look = lru_cache(maxsize=3)(self._look)
        sets: dict[tuple[object, ...], tuple[dt.date, int]] = {}
        for offset in range(self.days):
            day = self.first + dt.timedelta(days=offset)
            key = tuple(look(day + dt.timedelta(days=beside)) for beside in (-1, 0, 1))
            one, count = sets.get(key, (day, 0))
            sets[key] = one, count + 1
        return list(sets.values())

    def _look(self, day: dt.date) -> tuple[object, ...]:
        clock = self._clock(day)
        return (*clock.local_hour, *clock.weekday, clock.holiday())

    def _clock(self, day: dt.date) -> "DayClock":
        # Here and in `weights`, not above: NumPy and the holidays take their time.
        from telco_pipeline.engine.calendar import DayClock

        return DayClock(day, self._config.time_zone, self._config.country)

    @cached_property
    def free_days(self) -> float:
        """How many of the days are weekends and holidays, by their local hours."""
        return math.fsum(
            count * float(self._clock(day).free_day.mean()) for day, count in self._alike
        )

    def weighted(self, by_weekday: Sequence[float]) -> float:
        """Return the sum of the weights of the days, from Monday on."""
        return math.fsum(count * by_weekday[day.weekday()] for day, count in self._alike)

    def changes(self) -> float:
        """Return the changes of identity of all subscribers, with who comes and who leaves."""
        from telco_pipeline.behaviour.changes import share_of_year, yearly_rates

        kinds = len(share_of_year(self._config, self.first))
        year = [
            _per_day(self._config, lambda one, kind=kind: yearly_rates(one)[kind])
            for kind in range(kinds)
        ]
        swaps = math.fsum(
            count * of_kind * part
            for day, count in self._alike
            for of_kind, part in zip(year, share_of_year(self._config, day), strict=True)
        )
        leaving = _per_day(self._config, _leaving_a_day) * self.days
        return swaps + leaving + self.joins()

    def joins(self) -> float:
        """Return how many join on the days."""
        eve = self.first - dt.timedelta(days=1)
        last = self.first + dt.timedelta(days=self.days - 1)
        return float(self._config.joined_by(last) - self._config.joined_by(eve))

    def member_days(self) -> float:
        """Return the sum over the days of who has joined by each."""
        every = (self.first + dt.timedelta(days=offset) for offset in range(self.days))
        return float(sum(self._config.joined_by(day) for day in every))

    def sum(self, kind: "Kind", rate: Callable[["Persona"], float]) -> float:
        """Return what a daily rate of all subscribers comes to, by the weight of each day."""
        return math.fsum(
            count * _per_day(self._config, rate, self._weights_of(kind, day))
            for day, count in self._alike
        )

    def _weights_of(self, kind: "Kind", day: dt.date) -> list[float]:
        """Return the weight of a day for each persona."""
        from telco_pipeline.behaviour.rhythm import day_rhythm

        if (kind, day) not in self._weights:
            rhythm = day_rhythm(self._config, kind, day)
            self._weights[kind, day] = rhythm.weight[rhythm.row[:, 0]].tolist()
        return self._weights[kind, day]


def _daily_rows(config: "WorldConfig", calendar: _Calendar) -> dict[str, float]:
    """Return the expected rows of every daily dataset."""
    weights, own = config.record_weights, config.own_operator.share
    calls = calendar.sum("calls", lambda one: one.calls * weights.voice)
    incoming = calendar.sum("calls", lambda one: min(one.calls * weights.voice, _INCOMING_MOST))
    voice = calls * _VOICE_PER_CALL + incoming * (1 - own) * _VOICE_PER_INCOMING
    messages = calendar.sum("messages", lambda one: one.messages * weights.sms)
    sessions = calendar.sum("data", lambda one: one.sessions * weights.data)
    trunks = calendar.sum("calls", lambda one: one.calls * (one.kind == "business"))
    customers = _per_day(config, lambda one: float(one.kind in ("person", "business")))
    people = _per_day(config, lambda one: float(one.kind != "machine"))
    machines = _per_day(config, lambda one: float(one.kind == "machine"))
    days, free = calendar.days, calendar.free_days
    working_rate, free_rate = _LOCATIONS_PER_PERSON
    locations = people * ((days - free) * working_rate + free * free_rate)
    begins = calendar.first <= config.epoch < calendar.first + dt.timedelta(days=days)
    registered = people * (days - begins * (1 - _REGISTERED_ON_EPOCH)) * _IMS_PER_PERSON
    cells, elements = _sites(config) * _CELLS_PER_SITE, _elements(config)
    logs = days * elements * config.network.log_lines_per_element_day
    faults = elements * _FAULTS_PER_ELEMENT * config.network.fault_rate
    contacts = customers * calendar.weighted(_CONTACTS_BY_WEEKDAY) * _CONTACTS_PER_PERSON
    return {
        "network_faults": days * faults,
        "network_state": days * cells * 24,
        "subscriber_state": calendar.member_days(),
        "identity_changes": calendar.changes(),
        "cdrs_voice": voice,
        "cdrs_sms": messages * _SMS_PER_MESSAGE,
        "cdrs_data": sessions * _DATA_PER_SESSION,
        "cdrs_voip": voice * _VOIP_PER_VOICE + trunks * weights.voip * _VOIP_PER_TRUNK,
        "cdrs_ims": voice * _IMS_PER_VOICE + registered * weights.ims,
        "location_updates": weights.location_updates
        * (locations + days * machines * _LOCATIONS_PER_MACHINE),
        "alarms": days * (faults * _ALARMS_PER_FAULT + elements * _ALARMS_PER_ELEMENT),
        "element_metrics": days * elements * 288,
        "pm_counters": days * cells * 96,
        **_truth_rows(config, calendar),
        "collected_files": days * _FILES_PER_QUARTER * 96,
        "network_logs": logs * _LINES_PER_LINE * weights.network_logs,
        "customer_service": contacts * weights.customer_service,
    }


def _truth_rows(config: "WorldConfig", calendar: _Calendar) -> dict[str, float]:
    """Return the expected rows of the truth: none without layers, else the order of magnitude."""
    if not config.layers:
        return dict.fromkeys(("truth_incidents", "truth_entities", "truth_records"), 0.0)
    # Here, not above: the language loads NumPy.
    from telco_pipeline.engine.calendar import DAY
    from telco_pipeline.scenarios.story import layers_of
    from telco_pipeline.scenarios.timeline import incidents

    last = calendar.first + dt.timedelta(days=calendar.days - 1)
    begun, touched, records = 0, 0.0, 0.0
    for layer in layers_of(config).values():
        found = [
            one
            for one in incidents(config, layer, last)
            if one.start >= DAY * (calendar.first - dt.date(1970, 1, 1)).days
        ]
        begun += len(found)
        for stage in layer.stages:
            length = min(stage.lasts.microseconds / DAY, calendar.days)
            members = sum(
                _members(config, layer.cast[role])
                for role in {deed.effect.who for deed in stage.do}
            )
            touched += len(found) * members
            records += len(found) * members * length * _RECORDS_PER_TARGET
    return {
        "truth_incidents": float(begun),
        "truth_entities": touched,
        "truth_records": records,
    }


def _members(config: "WorldConfig", role: "Role") -> float:
    """Return how many members a role has, about."""
    sizes = {
        "subscribers": float(config.subscribers),
        "cells": _sites(config) * _CELLS_PER_SITE,
        "sites": float(_sites(config)),
        "network_elements": _elements(config),
    }
    fitting = sizes.get(role.of, 100.0) * (_FITTING if role.where or role.near else 1.0)
    if role.number is not None:
        fitting = min(float(role.number), fitting)
    elif role.share is not None:
        fitting *= role.share
    fitting = max(fitting, role.at_least)
    return fitting if role.at_most is None else min(fitting, role.at_most)


def _leaving_a_day(persona: "Persona") -> float:
    """Return the chance that somebody of a persona leaves on a day, with some who come back."""
    if persona.kind not in ("person", "business"):
        return 0.0
    arrears, advance = _LEAVERS
    return (arrears + (advance - arrears) * persona.prepaid) / _MONTH_DAYS


def _per_day(
    config: "WorldConfig",
    rate: Callable[["Persona"], float],
    weights: Sequence[float] | None = None,
) -> float:
    """Return the sum of a rate over all subscribers; personal levels have a mean of 1.

    Args:
        config: The world.
        rate: Rate of a subscriber of a persona.
        weights: Factor on the rate of each persona; 1 if left out.
    """
    personas = list(config.personas.values())
    factors = weights or [1.0] * len(personas)
    total = math.fsum(persona.share for persona in personas)
    mean = math.fsum(
        persona.share * rate(persona) * factor
        for persona, factor in zip(personas, factors, strict=True)
    )
    return config.subscribers * mean / total
