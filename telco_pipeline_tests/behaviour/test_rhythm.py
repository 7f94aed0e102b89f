"""When: the shape of a day, in local time and without seams."""

import datetime as dt

import numpy as np
import pytest

from telco_pipeline.behaviour.rhythm import Kind, day_rhythm
from telco_pipeline.engine.calendar import DAY, HOUR, days
from telco_pipeline_tests.generators.kit import AUTUMN, SPRING, small_world

_CONFIG = small_world()
_PERSON = list(_CONFIG.personas).index("commuter")
_DRAWS = 400_000


def _times(kind: Kind, day: dt.date) -> np.ndarray:
    bits = np.arange(_DRAWS, dtype=np.uint64) * np.uint64(2**64 // _DRAWS)  # evenly spread
    return day_rhythm(_CONFIG, kind, day).times(bits, np.full(_DRAWS, _PERSON))


def _weight(kind: Kind, day: dt.date) -> float:
    rhythm = day_rhythm(_CONFIG, kind, day)
    return float(rhythm.weight[rhythm.row[_PERSON]])


@pytest.mark.parametrize("kind", ["calls", "messages", "data"])
@pytest.mark.parametrize("day", [dt.date(2026, 1, 14), SPRING, AUTUMN])
def test_intensity_goes_on_over_midnight(kind: Kind, day: dt.date) -> None:
    """Density at the end of a day equals that at the start of the next, weights included."""
    quarter, after = HOUR // 4, day + dt.timedelta(days=1)
    late, early = _times(kind, day), _times(kind, after)
    counts = [
        (late // quarter == 94).sum() * _weight(kind, day),
        (late // quarter == 95).sum() * _weight(kind, day),
        (early // quarter == 0).sum() * _weight(kind, after),
        (early // quarter == 1).sum() * _weight(kind, after),
    ]
    before, between, behind = (counts[at + 1] / counts[at] for at in range(3))
    # The step from one day to the next is like the steps beside it.
    assert min(before, behind) - 0.08 < between < max(before, behind) + 0.08


def test_hours_are_local_on_both_sides_of_the_clock_change() -> None:
    for day, offset in ((dt.date(2026, 1, 14), 1), (dt.date(2026, 7, 15), 2)):
        profile = np.array(_CONFIG.rhythms["calls"].weekday)
        made = np.bincount(_times("calls", day) // HOUR, minlength=24)
        assert np.corrcoef(made, np.roll(profile, -offset))[0, 1] > 0.99


def test_a_week_is_as_heavy_as_seven_mean_days() -> None:
    for kind in ("calls", "messages", "data"):
        week = [_weight(kind, day) for day in days(dt.date(2026, 6, 8), 7)]
        assert np.mean(week) == pytest.approx(1.0, abs=0.02)
    calls = [_weight("calls", day) for day in days(dt.date(2026, 6, 8), 7)]
    assert int(np.argmax(calls)) == 4  # calls peak on Friday
    assert int(np.argmin(calls)) == 6  # and dip on Sunday


def test_a_holiday_is_like_a_sunday() -> None:
    holiday = dt.date(2026, 7, 21)  # a Tuesday, the national holiday
    assert _weight("calls", holiday) < 0.9 * _weight("calls", dt.date(2026, 7, 14))


def test_a_day_without_any_of_a_profile_s_hours_has_no_events() -> None:
    """From noon on Friday to noon on Saturday, of who is active on weekday mornings only."""
    hours = np.arange(24)
    only = {"weekday": (hours == 3) * 1.0, "weekend": (hours == 20) * 1.0}
    rhythms = {
        **_CONFIG.to_dict()["rhythms"],
        "calls": {name: list(map(float, weights)) for name, weights in only.items()},
    }
    config = small_world(rhythms=rhythms, time_zone="Pacific/Auckland")
    rhythm = day_rhythm(config, "calls", dt.date(2026, 6, 12))
    assert rhythm.weight[rhythm.row[_PERSON]] == 0.0
    times = rhythm.times(np.array([0, 1 << 63], dtype=np.uint64), np.array([0, 0]))
    assert ((times >= 0) & (times < DAY)).all()
