"""When incidents and stages begin: on clocks that change, again and again, one after the other."""

import datetime as dt

import pytest

from telco_pipeline.engine.calendar import DAY, HOUR, day_start
from telco_pipeline.scenarios.language import MOST_A_DAY
from telco_pipeline.scenarios.timeline import incidents, parallel
from telco_pipeline_tests.scenarios.kit import EPOCH, incident, layer, stage, utc, world

FAR = dt.date(2026, 12, 31)


def starts(until: dt.date = FAR, since: dt.date | None = None, **when: object) -> list[int]:
    return [one.start for one in incidents(world(), layer(when=when), until, since)]


class TestClock:
    def test_winter_and_summer(self) -> None:
        assert starts(first="2026-01-10", at="19:30") == [utc(dt.date(2026, 1, 10), 18, 30)]
        assert starts(first="2026-07-10", at="19:30") == [utc(dt.date(2026, 7, 10), 17, 30)]

    def test_midnight_is_the_evening_before_in_utc(self) -> None:
        assert starts(first="2026-01-10") == [utc(dt.date(2026, 1, 9), 23)]

    def test_a_time_that_is_skipped_is_an_hour_later(self) -> None:
        spring = dt.date(2026, 3, 29)
        assert starts(first=str(spring), at="02:30") == [utc(spring, 1, 30)]
        assert starts(first=str(spring), at="03:30") == [utc(spring, 1, 30)]

    def test_a_time_that_comes_twice_is_the_first(self) -> None:
        autumn = dt.date(2026, 10, 25)
        assert starts(first=str(autumn), at="02:30") == [utc(autumn, 0, 30)]

    def test_whole_days_keep_the_local_time(self) -> None:
        found = starts(first="2026-03-28", at="02:30", every="1d", times=3)
        assert found == [utc(dt.date(2026, 3, 28), 1, 30), utc(dt.date(2026, 3, 29), 1, 30),
                         utc(dt.date(2026, 3, 30), 0, 30)]  # fmt: skip

    def test_other_lengths_are_so_long_after_each_other(self) -> None:
        found = starts(first="2026-03-28", at="12:00", every="36h", times=3)
        first = utc(dt.date(2026, 3, 28), 11)
        assert found == [first, first + 36 * HOUR, first + 72 * HOUR]


class TestRecurrence:
    def test_once(self) -> None:
        assert starts(first="3d") == [utc(EPOCH + dt.timedelta(days=2), 23)]

    def test_first_may_lie_before_the_epoch(self) -> None:
        assert starts(first="2025-12-24") == [utc(dt.date(2025, 12, 23), 23)]

    def test_weekday_is_the_next_one(self) -> None:
        # The epoch is a Thursday; the 3rd a Saturday.
        found = starts(first="2d", weekday="saturday", at="12:00")
        assert found == [utc(dt.date(2026, 1, 3), 11)]
        found = starts(first="3d", weekday="saturday", at="12:00", every="2w", times=2)
        assert found == [utc(dt.date(2026, 1, 10), 11), utc(dt.date(2026, 1, 24), 11)]

    def test_times(self) -> None:
        assert len(starts(first="0d", every="1w", times=5)) == 5

    def test_without_times_it_goes_on(self) -> None:
        assert len(starts(first="0d", at="12:00", every="1w")) == 53

    def test_it_ends_with_the_day_that_is_asked_for(self) -> None:
        eve = dt.date(2026, 1, 7)
        assert len(starts(eve, first="0d", at="12:00", every="1d")) == 7
        # Midnight of the 8th is in the evening of the 7th.
        assert len(starts(eve, first="0d", every="1d")) == 8

    def test_beyond_the_calendar_there_is_none(self) -> None:
        assert starts(first="2044-01-01") == []

    def test_parallel_incidents_have_numbers_of_their_own(self) -> None:
        made = layer(when={"first": "0d", "every": "1w", "times": 2, "parallel": 3})
        found = list(incidents(world(), made, FAR))
        assert [one.number for one in found] == list(range(6))
        assert len({one.key for one in found}) == 6
        assert len({one.start for one in found}) == 2

    def test_more_in_larger_worlds(self) -> None:
        made = layer(when={"first": "0d", "parallel": 1, "per_subscribers": 500})
        assert parallel(world(), made) == 4
        assert parallel(world(subscribers=400), made) == 1

    def test_never_more_than_touch_a_day(self) -> None:
        made = layer(when={"first": "0d", "every": "1d", "per_subscribers": 1})
        assert parallel(world(), made) * made.a_day <= MOST_A_DAY
        day = dt.date(2026, 6, 1)
        touching = [one for one in incidents(world(), made, day, day) if one.end > day_start(day)]
        assert 0 < len(touching) <= MOST_A_DAY


class TestSpread:
    WHEN = {"first": "10d", "every": "1w", "times": 20, "parallel": 5, "spread": "3d"}  # noqa: RUF012

    def test_each_begins_at_a_time_of_its_own_within_it(self) -> None:
        plain = starts(**{**self.WHEN, "spread": "0m"})
        found = starts(**self.WHEN)
        shifts = [one - begin for one, begin in zip(found, plain, strict=True)]
        assert len(set(shifts)) > 90
        assert min(shifts) >= 0
        assert max(shifts) < 3 * DAY
        assert max(shifts) - min(shifts) > 2 * DAY

    def test_with_a_time_of_day_each_begins_then_on_a_day_of_its_own(self) -> None:
        """A story of nights stays one, over a clock change too (29 March)."""
        when = {**self.WHEN, "first": "80d", "at": "23:30", "times": 4}
        plain, found = starts(**{**when, "spread": "0m"}), starts(**when)
        zone = world().country_tz
        local = [dt.datetime.fromtimestamp(one / 1e6, dt.UTC).astimezone(zone) for one in found]
        assert {f"{one:%H:%M}" for one in local} == {"23:30"}
        later = {round((one - begin) / DAY) for one, begin in zip(found, plain, strict=True)}
        assert later == {0, 1, 2}

    def test_a_spread_of_hours_takes_any_time(self) -> None:
        when = {**self.WHEN, "at": "23:30", "spread": "5h"}
        assert len({one % DAY for one in starts(**when)}) > 90

    def test_who_begins_later_is_not_told_before(self) -> None:
        day = EPOCH + dt.timedelta(days=10)
        early = starts(day, **self.WHEN)
        assert early == [one for one in starts(**self.WHEN) if one < day_start(day) + DAY]


@pytest.mark.parametrize(
    "when",
    [
        {"first": "3d"},
        {"first": "3d", "every": "5d"},
        {"first": "3d", "every": "7h", "spread": "2d"},
        {"first": "3d", "every": "2d", "spread": "3d", "at": "21:00", "parallel": 2},
        {"first": "3d", "weekday": "sunday", "every": "1w", "parallel": 2, "at": "02:30"},
        {"first": "2025-11-01", "every": "1d", "times": 400},
    ],
)
def test_leaving_out_what_is_over_loses_nothing(when: dict[str, object]) -> None:
    made = layer(when=when, stages=[stage(lasts="30h"), stage(name="more", lasts="4d")])
    for offset in range(0, 300, 7):
        day = EPOCH + dt.timedelta(days=offset)
        every = [one for one in incidents(world(), made, day) if one.end > day_start(day)]
        some = [one for one in incidents(world(), made, day, day) if one.end > day_start(day)]
        assert some == every


class TestStages:
    def test_one_after_the_other(self) -> None:
        made = layer(
            stages=[
                stage(name="a", lasts="2d", spread="1d"),
                stage(name="b", lasts="6h", trigger={"satisfaction": {"to": 0.3}}),
                stage(name="c", lasts="1d"),
                stage(name="d", lasts="1h", after="1d"),
            ]
        )
        one = incident(made)
        begins = [one.stage_start(each) - one.start for each in made.stages]
        # With a trigger, who begins at the last moment has its length still before him.
        assert begins == [0, 3 * DAY, 3 * DAY + 12 * HOUR, 1 * DAY]
        assert one.end - one.start == 4 * DAY + 12 * HOUR

    def test_the_first_may_wait(self) -> None:
        made = layer(stages=[stage(after="5h", lasts="1h")])
        one = incident(made)
        assert one.stage_start(made.stages[0]) == one.start + 5 * HOUR
        assert one.end == one.start + 6 * HOUR

    def test_of_another_layer_is_an_error(self) -> None:
        other = layer(stages=[stage(name="other")])
        with pytest.raises(ValueError, match="no stage 'other'"):
            incident(layer()).stage_start(other.stages[0])


def test_keys_of_layers_never_meet() -> None:
    when = {"first": "2000-01-01", "every": "3h", "parallel": 40}
    made = [layer(number=number, when=when, stages=[stage(lasts="1h")]) for number in (1, 2)]
    day = dt.date(2044, 9, 1)
    last, first = list(incidents(world(), made[0], day, day))[-1], incident(made[1])
    assert last.number > 1 << 22
    assert last.key < first.key
