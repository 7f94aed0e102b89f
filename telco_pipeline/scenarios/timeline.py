"""Timeline: the incidents of a layer and the stages of each, in time.

Belongs here: when things begin and end, worked out from a layer alone. Does not belong here: whom
they touch (`selection`, `story`).
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, day_start
from telco_pipeline.scenarios.language import MOST_A_DAY, Layer, Stage, When
from telco_pipeline.scenarios.words import WEEKDAYS, Duration
from telco_pipeline.settings import WorldConfig

# `MOST_A_DAY` on each of the days from 2000 to 2044 that a world may have.
_INCIDENT_BITS: Final = 24


@dataclass(frozen=True)
class Incident:
    """One time that a layer's story happens.

    Attributes:
        layer: The layer.
        number: Its number in the layer: the recurrence, then which of those at a time.
        start: When it begins, in microseconds since 1970-01-01 UTC.
    """

    layer: Layer
    number: int
    start: int

    @property
    def key(self) -> int:
        """What stands for it among all incidents of a world: of the layer's number and its own."""
        return (self.layer.number << _INCIDENT_BITS) | self.number

    @property
    def end(self) -> int:
        """When its last stage is over for the last target."""
        return self.start + self.layer.length

    def stage_start(self, wanted: Stage) -> int:
        """Return when a stage begins for its first target."""
        for begins, stage in zip(self.layer.offsets, self.layer.stages, strict=True):
            if stage is wanted:
                return self.start + begins
        raise ValueError(f"no stage {wanted.name!r} in {self.layer.title!r}")

    def stream(self, config: WorldConfig, aspect: str) -> int:
        """Return the key of its draws of one aspect."""
        return draws.stream(config.seed, f"scenario/{aspect}", self.key)


def incidents(
    config: WorldConfig, layer: Layer, until: dt.date, since: dt.date | None = None
) -> Iterator[Incident]:
    """Yield the incidents of a layer that begin before the end of a UTC day, in order of number.

    Args:
        config: The world.
        layer: The layer.
        until: The day.
        since: Leaves out most of those that are over before this day.
    """
    when, limit = layer.when, day_start(until) + DAY
    at_a_time = parallel(config, layer)
    number = 0 if since is None else _first_touching(config, layer, day_start(since))
    while when.times is None or number < when.times:
        begin = _begins(config, when, number)
        if begin is None or begin >= limit:
            return
        for one in range(at_a_time):
            made = Incident(layer, number * at_a_time + one, begin)
            own = _spread(config, made, number)
            if own is not None and own < limit:
                yield Incident(layer, made.number, own)
        number += 1
        if when.every is None:
            return


def _spread(config: WorldConfig, incident: Incident, number: int) -> int | None:
    """Return when one of the incidents of a recurrence begins; None beyond the calendar."""
    when = incident.layer.when
    if not when.spread.microseconds:
        return incident.start
    key = draws.mix_int(incident.stream(config, "begins")) >> 32
    if when.at is not None and when.spread.microseconds >= DAY:
        return _begins(config, when, number, later=key * (when.spread.microseconds // DAY) >> 32)
    return incident.start + (key * (when.spread.microseconds // SECOND) >> 32) * SECOND


def _first_touching(config: WorldConfig, layer: Layer, time: int) -> int:
    """Return a recurrence before which all are over at a time."""
    begin = _begins(config, layer.when, 0)
    if begin is None or layer.when.every is None:
        return 0
    # An hour, by which a clock change may shift it.
    over = time - layer.length - layer.when.spread.microseconds - begin - HOUR
    return max(over // layer.when.every.microseconds, 0)


def parallel(config: WorldConfig, layer: Layer) -> int:
    """Return how many incidents of a layer begin at a time in a world."""
    when = layer.when
    if when.per_subscribers is None:
        return when.parallel
    most = max(MOST_A_DAY // layer.a_day, when.parallel)
    return min(when.parallel + config.subscribers // when.per_subscribers, most)


def _begins(config: WorldConfig, when: When, number: int, later: int = 0) -> int | None:
    """Return when a recurrence begins, or so many days later; None beyond the calendar.

    After whole days it begins at the same local time of day, else so long after the first one. A
    time of day that a clock change skips is an hour later, one that comes twice is the first.
    """
    every = 0 if when.every is None else when.every.microseconds
    days, rest = (0, every * number) if every % DAY else (every // DAY * number, 0)
    try:
        if isinstance(when.first, Duration):
            day = config.epoch + dt.timedelta(days=when.first.microseconds // DAY)
        else:
            day = when.first
        day += dt.timedelta(days=days)
        if when.weekday is not None:
            day += dt.timedelta(days=(WEEKDAYS.index(when.weekday) - day.weekday()) % 7)
        day += dt.timedelta(days=later)
        hour, minute = map(int, (when.at or "00:00").split(":"))
        zone: ZoneInfo = config.country_tz
        local = dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    except OverflowError:
        return None
    begins = local.astimezone(dt.UTC)
    return day_start(begins.date()) + (begins.hour * 60 + begins.minute) * 60 * SECOND + rest
