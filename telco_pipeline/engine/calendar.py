"""Days and hours: UTC in the data, local time in behaviour.

Belongs here: day numbers, clock changes, weekdays and holidays of the operator's country. Does
not belong here: what people do at those hours (`behaviour`).

A partition is a UTC day, always of 24 hours. Behaviour asks the `DayClock` of the day which local
hour each of its hours is, so that there is no seam at midnight and a clock change is nothing
special.
"""

import datetime as dt
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays
import numpy as np
import numpy.typing as npt

SECOND: Final = 1_000_000  # microseconds
MINUTE: Final = 60 * SECOND
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
_UNIX_EPOCH: Final = dt.date(1970, 1, 1)
_MILLENNIUM: Final = dt.date(2000, 1, 1)


def day_number(day: dt.date) -> int:
    """Return the days from 2000-01-01 to `day`: the day number used in draws and ids."""
    return (day - _MILLENNIUM).days


def day_start(day: dt.date) -> int:
    """Return the start of a UTC day in microseconds since 1970-01-01."""
    return (day - _UNIX_EPOCH).days * DAY


def days(first: dt.date, count: int) -> list[dt.date]:
    """Return `count` days in a row from `first`."""
    return [first + dt.timedelta(days=offset) for offset in range(count)]


@lru_cache(maxsize=8)
def _holidays_of(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)


# Many clocks are made of the same days: of the day, of those beside it, for each kind of activity.
@lru_cache(maxsize=256)
def _wide_hours_of(day: dt.date, time_zone: str) -> list[dt.datetime]:
    zone = ZoneInfo(time_zone)
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return [(start + dt.timedelta(hours=hour)).astimezone(zone) for hour in range(-24, 48)]


@dataclass(frozen=True)
class DayClock:
    """Local time during one UTC day.

    Attributes:
        day: The UTC day.
        time_zone: IANA name of the local time zone.
        country: ISO code of the country whose public holidays count as Sundays.
    """

    day: dt.date
    time_zone: str
    country: str

    @cached_property
    def _wide_hours(self) -> list[dt.datetime]:
        """Local time at the start of each UTC hour of the day before, the day, the day after."""
        return _wide_hours_of(self.day, self.time_zone)

    @cached_property
    def _local_hours(self) -> list[dt.datetime]:
        return self._wide_hours[24:48]

    @cached_property
    def _wide_offset(self) -> npt.NDArray[np.int64]:
        return np.array(
            [
                int((local.utcoffset() or dt.timedelta()).total_seconds()) * SECOND
                for local in self._wide_hours
            ]
        )

    @cached_property
    def _wide_free(self) -> npt.NDArray[np.bool_]:
        """Whether a local date is free, from two days before the day to two days after it."""
        public = _holidays_of(self.country)
        dates = days(self.day - dt.timedelta(days=2), 5)
        return np.array([date.weekday() >= 5 or date in public for date in dates])

    @cached_property
    def local_hour(self) -> npt.NDArray[np.int64]:
        """Local hour of the day (0-23) at the start of each of the 24 UTC hours."""
        return np.array([local.hour for local in self._local_hours])

    @cached_property
    def offset(self) -> npt.NDArray[np.int64]:
        """Local time minus UTC in microseconds, for each of the 24 UTC hours."""
        return self._wide_offset[24:48]

    @cached_property
    def free_day(self) -> npt.NDArray[np.bool_]:
        """Whether each UTC hour starts on a local weekend day or public holiday."""
        return self._wide_free[self.local_date_number - day_number(self.day) + 2]

    @cached_property
    def weekday(self) -> npt.NDArray[np.int64]:
        """Local weekday (Monday 0; a public holiday counts as Sunday, 6) of each UTC hour."""
        public = _holidays_of(self.country)
        return np.array(
            [6 if local.date() in public else local.weekday() for local in self._local_hours]
        )

    @cached_property
    def local_date_number(self) -> npt.NDArray[np.int64]:
        """Day number of the local date at the start of each UTC hour."""
        return np.array([day_number(local.date()) for local in self._local_hours])

    def local(
        self, time_of_day: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return local microseconds of the day, local day number and whether that day is free.

        Args:
            time_of_day: Microseconds since the start of the UTC day. The days before and after
                are read right too: from minus 24 hours to under 48.

        Raises:
            ValueError: When a time lies further outside the day.
        """
        hour = time_of_day // HOUR + 24
        if hour.size and (int(hour.min()) < 0 or int(hour.max()) >= 72):
            raise ValueError(f"a time lies more than a day outside {self.day}")
        shifted = time_of_day + self._wide_offset[hour]
        days_after = shifted // DAY
        return shifted % DAY, day_number(self.day) + days_after, self._wide_free[days_after + 2]

    def utc_of_local(
        self, local: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Return when in the UTC day a local time of the day comes, and whether it is a free day.

        Args:
            local: Local microseconds of the day, 0 to 24 h exclusive. A time that the clock skips
                is read an hour later, one that it repeats comes once.
        """
        time = (local - self.offset[0]) % DAY
        time = (local - self.offset[time // HOUR]) % DAY
        return time, self.local(time)[2]

    def holiday(self) -> str | None:
        """Return the name of the public holiday on this date, if it is one."""
        return _holidays_of(self.country).get(self.day)
