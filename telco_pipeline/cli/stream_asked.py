"""From what is typed at `telco stream` to what is asked for.

Belongs here: words and numbers to settings, clock, days; refusing them. Does not belong here:
sending (`cli.stream`, `streaming`), what is shown (`cli.stream_shown`).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, get_args

from telco_pipeline.cli import options
from telco_pipeline.errors import TelcoError

if TYPE_CHECKING:
    from telco_pipeline.streaming.layout import StreamSettings
    from telco_pipeline.streaming.pacing import Pace
    from telco_pipeline.streaming.stream import Stream

_DAY: Final = dt.timedelta(days=1)


def settings_of(
    layout: str | None,
    words: Mapping[str, str | None],
    rates: Mapping[str, float | None],
    interval: float | None,
) -> "StreamSettings":
    """Return the settings of the file with what options replace."""
    from telco_pipeline.streaming.layout import INTERVAL, Encoding, Headers
    from telco_pipeline.streaming.settings_file import load_settings

    given: dict[str, Any] = {key: word for key, word in words.items() if word is not None}
    for key, known in (("encoding", get_args(Encoding)), ("headers", get_args(Headers))):
        if key in given and given[key] not in known:
            raise TelcoError(
                f"--{key} {given[key][:40]!r}{options.did_you_mean(given[key], known)}"
            )
    disturb = {kind: rate for kind, rate in rates.items() if rate is not None}
    for kind, share in disturb.items():
        if not 0 <= share <= 1:
            raise TelcoError(f"--{kind.replace('_', '-')} must be from 0 to 1, not {share:g}")
    if interval is not None:
        least, most = INTERVAL
        if not least <= interval <= most:
            raise TelcoError(f"--interval must be {least} to {most} seconds, not {interval:g}")
        given["interval"] = interval
    settings = load_settings(layout=layout)
    settings = replace(settings, **given, disturb={**settings.disturb, **disturb})
    if settings.encoding == "avro" and settings.schema_registry is None:
        raise TelcoError(
            "--encoding avro needs a schema registry: name it with --schema-registry, or in "
            "scenarios/streaming.yaml"
        )
    return settings


def clock_of(
    settings: "StreamSettings", speed: str | None, rate: float | None, live: bool
) -> "Pace":
    """Return the pace that is asked for; checks it before anything is asked of the broker."""
    from telco_pipeline.streaming.pacing import Pace

    number: float | None = None
    if speed is not None and speed != "max":
        try:
            number = float(speed)
        except ValueError:
            raise TelcoError(f"--speed {speed[:40]!r}: must be max or a number above 0") from None
    if speed == "max" and (rate is not None or live):
        raise TelcoError(f"--speed max and {'--live' if live else '--rate'} are different clocks")
    if speed is None and rate is None and not live:
        number, rate = settings.speed, settings.rate
    return Pace.of(speed=number, rate=rate, live=live)


@dataclass(frozen=True)
class Moment:
    """A day, or a time on it.

    Attributes:
        at: When it begins.
        whole: Whether it is a day.
    """

    at: dt.datetime
    whole: bool

    @property
    def end(self) -> dt.datetime:
        """The end of the day, or the time itself."""
        return self.at + _DAY if self.whole else self.at


def moment_of(option: str, text: str | None) -> Moment | None:
    """Return a day or a time as typed."""
    if text is None:
        return None
    if "T" not in text and " " not in text.strip():
        day = options.day_of(option, text.strip())
        assert day is not None
        return Moment(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC), True)
    try:
        at = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise TelcoError(
            f"{option} {text[:40]!r}: write a day (2026-01-31) or a time (2026-01-31T08:00, UTC)"
        ) from None
    at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    return Moment(at, False)


def days_of(stream: "Stream", first: Moment | None, last: Moment | None) -> list[dt.date]:
    """Return the days to send, all of which the lake must hold."""
    from telco_pipeline.streaming.sources import inputs_of

    # Of the registry, which has no days, those on which it can have changed.
    daily = _daily(stream.datasets) or _daily(inputs_of(stream.datasets))
    there = sorted({day for name in daily for day in stream.lake.days(name)})
    if not there:
        raise TelcoError(
            f"{stream.lake.root} has no day of {', '.join(daily)}. Make one with: "
            f"{stream.lake.command(','.join(daily))}"
        )
    known = f"it has {there[0]} to {there[-1]}"
    begin = first.at.date() if first else there[0]
    end = (last.end - dt.timedelta(microseconds=1)).date() if last else there[-1]
    if first and last and last.end <= first.at:
        raise TelcoError(f"--to {last.at:%Y-%m-%dT%H:%M} does not lie after --from")
    if end < there[0] or begin > there[-1]:
        asked = f"from {begin} on" if last is None else f"from {begin} to {end}"
        raise TelcoError(f"{stream.lake.root} has no day {asked}; {known}")
    days = [begin + number * _DAY for number in range((end - begin).days + 1)]
    for day in days:
        # What the registry is read from beside itself is told when it is read, as far as it lacks.
        absent = stream.absent(day)
        if absent:
            names = ",".join(absent)
            raise TelcoError(
                f"{stream.lake.root} lacks {', '.join(absent)} of {day}; {known}. Make it with: "
                f"{stream.lake.command(names, day, day)}"
            )
    return days


def _daily(names: Sequence[str]) -> list[str]:
    from telco_pipeline.contracts import DATASETS

    return [name for name in names if DATASETS[name].daily]


def parts_of(
    days: Sequence[dt.date], first: Moment | None, last: Moment | None
) -> frozenset[dt.date]:
    """Return the days of which only some times are asked for."""
    found = set()
    for day in days:
        start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        after = first is not None and first.at > start
        before = last is not None and last.end < start + _DAY
        if after or before:
            found.add(day)
    return frozenset(found)
