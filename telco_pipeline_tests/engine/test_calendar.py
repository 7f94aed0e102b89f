import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, DayClock, day_number, day_start, days

BRUSSELS = "Europe/Brussels"
ZONE = ZoneInfo(BRUSSELS)
SPRING = dt.date(2026, 3, 29)  # 02:00 becomes 03:00, at 01:00 UTC
AUTUMN = dt.date(2026, 10, 25)  # 03:00 becomes 02:00, at 01:00 UTC
dates = st.dates(dt.date(2000, 1, 1), dt.date(2044, 12, 31))


def clock(day: dt.date, time_zone: str = BRUSSELS) -> DayClock:
    return DayClock(day, time_zone, "BE")


def moment(day: dt.date, microseconds: int) -> dt.datetime:
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return midnight + dt.timedelta(microseconds=microseconds)


def test_day_numbers() -> None:
    assert day_number(dt.date(2000, 1, 1)) == 0
    assert day_number(dt.date(2026, 1, 1)) == 9497
    assert day_start(dt.date(1970, 1, 2)) == DAY
    assert day_start(dt.date(2026, 11, 20)) == 1_795_132_800 * SECOND
    assert days(dt.date(2026, 2, 27), 3) == [
        dt.date(2026, 2, 27),
        dt.date(2026, 2, 28),
        dt.date(2026, 3, 1),
    ]


@given(dates)
def test_day_start_is_midnight_utc(day: dt.date) -> None:
    assert moment(day, 0).timestamp() * SECOND == day_start(day)
    assert day_start(day + dt.timedelta(days=1)) - day_start(day) == DAY
    assert day_number(day + dt.timedelta(days=1)) - day_number(day) == 1


def test_local_hours_when_the_clock_changes() -> None:
    assert clock(SPRING).local_hour.tolist() == [1, *range(3, 24), 0, 1]
    assert clock(AUTUMN).local_hour.tolist() == [2, *range(2, 24), 0]
    assert (clock(SPRING).offset // HOUR).tolist() == [1] + [2] * 23
    assert (clock(AUTUMN).offset // HOUR).tolist() == [2] + [1] * 23


@given(
    st.one_of(
        dates,
        st.sampled_from([SPRING, AUTUMN]).flatmap(
            lambda day: st.integers(-1, 1).map(lambda step: day + dt.timedelta(days=step))
        ),
    ),
    st.lists(st.integers(-DAY, 2 * DAY - 1), min_size=1, max_size=20),
    st.sampled_from([BRUSSELS, "Asia/Kolkata", "America/New_York", "Pacific/Kiritimati"]),
)
def test_local_time_is_that_of_zoneinfo(day: dt.date, times: list[int], zone: str) -> None:
    one = clock(day, zone)
    times = [*times, -DAY, -1, 0, DAY - 1, DAY, 2 * DAY - 1]
    time_of_day, date, free = one.local(np.array(times))
    for i, time in enumerate(times):
        local = moment(day, time).astimezone(ZoneInfo(zone))
        since_midnight = local.replace(tzinfo=None) - dt.datetime.combine(local.date(), dt.time())
        assert time_of_day[i] == since_midnight // dt.timedelta(microseconds=1)
        assert date[i] == day_number(local.date())
        if local.weekday() >= 5:
            assert free[i]


@given(dates)
def test_hour_tables_are_those_of_zoneinfo(day: dt.date) -> None:
    one = clock(day)
    free = one.local(np.arange(24) * HOUR)[2]
    for hour in range(24):
        local = moment(day, hour * HOUR).astimezone(ZONE)
        assert one.local_hour[hour] == local.hour
        assert one.local_date_number[hour] == day_number(local.date())
        assert one.offset[hour] == (local.utcoffset() or dt.timedelta()).total_seconds() * SECOND
        assert one.free_day[hour] == free[hour]


@given(st.one_of(dates, st.sampled_from([SPRING, AUTUMN, dt.date(2026, 12, 31)])))
def test_there_is_no_seam_at_midnight(day: dt.date) -> None:
    """The clocks of neighbouring days read the same moments alike, over all 48 common hours."""
    today, tomorrow = clock(day), clock(day + dt.timedelta(days=1))
    times = np.arange(0, 2 * DAY, HOUR // 4) - 1
    times = np.sort(np.concatenate([times[1:], times[1:] + 1, [0]]))
    for ours, theirs in zip(today.local(times), tomorrow.local(times - DAY), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("time", [-DAY - 1, 2 * DAY])
def test_local_refuses_times_far_outside(time: int) -> None:
    with pytest.raises(ValueError, match="more than a day outside"):
        clock(SPRING).local(np.array([0, time]))


def test_local_of_nothing() -> None:
    assert [part.size for part in clock(SPRING).local(np.array([], dtype=np.int64))] == [0, 0, 0]


# --- free days ------------------------------------------------------------------------------

HOLIDAYS_2026 = {
    "New Year": dt.date(2026, 1, 1),
    "Easter Monday": dt.date(2026, 4, 6),
    "Labour Day": dt.date(2026, 5, 1),
    "Ascension": dt.date(2026, 5, 14),
    "Whit Monday": dt.date(2026, 5, 25),
    "National Day": dt.date(2026, 7, 21),
    "Assumption": dt.date(2026, 8, 15),
    "All Saints": dt.date(2026, 11, 1),
    "Armistice": dt.date(2026, 11, 11),
    "Christmas": dt.date(2026, 12, 25),
}


def test_free_days_of_a_year() -> None:
    """Belgium has ten public holidays, beside Easter and Whit Sunday; the rest are weekends."""
    for day in days(dt.date(2026, 1, 1), 365):
        holiday = day in HOLIDAYS_2026.values()
        # At noon UTC the local date is the same.
        assert clock(day).free_day[12] == (holiday or day.weekday() >= 5), day
        assert (clock(day).holiday() is not None) == holiday or day.weekday() == 6, day


def test_a_free_day_begins_at_local_midnight() -> None:
    tuesday = dt.date(2026, 7, 21)  # UTC+2: local midnight is 22:00 UTC
    eve, feast = clock(tuesday - dt.timedelta(days=1)), clock(tuesday)
    assert eve.free_day.tolist() == [False] * 22 + [True] * 2
    assert feast.free_day.tolist() == [True] * 22 + [False] * 2
    free = eve.local(np.array([22 * HOUR - 1, 22 * HOUR, 46 * HOUR - 1, 46 * HOUR]))[2]
    assert free.tolist() == [False, True, True, False]
