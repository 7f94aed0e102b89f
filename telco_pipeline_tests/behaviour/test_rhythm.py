"""When: the shape of a day, in local time and without seams."""

import datetime as dt

import numpy as np
import pytest

from telco_pipeline.behaviour.rhythm import (
    CHRONOTYPE_HOURS,
    NIGHT_SHIFT,
    OWL,
    WHOLE_DAY,
    Kind,
    Window,
    chronotypes,
    day_rhythm,
    windows,
)
from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, days
from telco_pipeline_tests.generators.kit import (
    AUTUMN,
    SPRING,
    inputs_of,
    small_world,
)

_CONFIG = small_world()
_PERSON = list(_CONFIG.personas).index("commuter")
_DRAWS = 400_000


def _times(kind: Kind, day: dt.date, chronotype: int = 0, window: Window = WHOLE_DAY) -> np.ndarray:
    bits = np.arange(_DRAWS, dtype=np.uint64) * np.uint64(2**64 // _DRAWS)  # evenly spread
    rhythm = day_rhythm(_CONFIG, kind, day)
    return rhythm.times(bits, np.full(_DRAWS, rhythm.row[_PERSON, chronotype]), window)


def _weight(kind: Kind, day: dt.date, chronotype: int = 0) -> float:
    rhythm = day_rhythm(_CONFIG, kind, day)
    return float(rhythm.weight[rhythm.row[_PERSON, chronotype]])


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
    row = rhythm.row[_PERSON, :1]
    assert rhythm.weight[row] == 0.0
    for window in (WHOLE_DAY, *windows(6 * HOUR)):
        assert rhythm.mean_events(row, window) == 0.0
        times = rhythm.times(np.array([0, 1 << 63], dtype=np.uint64), row.repeat(2), window)
        assert ((times >= window.start) & (times < window.stop)).all()


_TAILS = [1, SECOND, 112 * SECOND, HOUR + 112 * SECOND, 17 * HOUR + 61 * SECOND, DAY - 1]


@pytest.mark.parametrize("tail", _TAILS)
@pytest.mark.parametrize("day", [dt.date(2026, 1, 14), SPRING])
def test_two_windows_hold_what_the_whole_day_holds(tail: int, day: dt.date) -> None:
    main, end = windows(tail)
    assert (main.start, main.stop, end.start, end.stop) == (0, DAY - tail, DAY - tail, DAY)
    assert main.number != end.number
    for kind in ("calls", "messages", "data"):
        rhythm = day_rhythm(_CONFIG, kind, day)
        row = np.unique(rhythm.row)
        parts = [rhythm.mean_events(row, window) for window in (main, end)]
        assert min(part.min() for part in parts) >= 0
        np.testing.assert_allclose(sum(parts), rhythm.weight[row], rtol=1e-9)
        np.testing.assert_allclose(rhythm.mean_events(row, WHOLE_DAY), rhythm.weight[row])


@pytest.mark.parametrize("tail", _TAILS)
def test_times_lie_in_their_window(tail: int) -> None:
    for window in windows(tail):
        times = _times("calls", dt.date(2026, 1, 14), window=window)
        assert times.min() >= window.start
        assert times.max() < window.stop


def test_windows_are_shaped_like_their_part_of_the_day() -> None:
    """Drawn apart and put together, the two are the whole day; counts by their means."""
    day, tail = dt.date(2026, 1, 14), 5 * HOUR + 17 * SECOND
    rhythm = day_rhythm(_CONFIG, "calls", day)
    row = rhythm.row[_PERSON, :1]
    minutes = [0.0, 0.0]
    for window in windows(tail):
        share = rhythm.mean_events(row, window) / rhythm.weight[row]
        times = _times("calls", day, window=window)
        minutes[0] += np.bincount(times // (15 * 60 * SECOND), minlength=96) * share / _DRAWS
    minutes[1] = np.bincount(_times("calls", day) // (15 * 60 * SECOND), minlength=96) / _DRAWS
    assert np.abs(minutes[0] - minutes[1]).max() < 3e-4
    # The share of the tail is that of the times drawn for the whole day.
    late = (_times("calls", day) >= DAY - tail).mean()
    assert float(share[0]) == pytest.approx(late, abs=1e-3)


def test_owls_and_night_workers_live_later() -> None:
    """The shape of a day, moved by the hours of the chronotype."""
    day = dt.date(2026, 1, 14)
    usual = np.bincount(_times("calls", day) // HOUR, minlength=24)
    for chronotype in (OWL, NIGHT_SHIFT):
        theirs = np.bincount(_times("calls", day, chronotype) // HOUR, minlength=24)
        fits = [np.corrcoef(theirs, np.roll(usual, later))[0, 1] for later in range(24)]
        assert abs(int(np.argmax(fits)) - CHRONOTYPE_HOURS[chronotype]) <= 0.5
    most, owls = (_times("calls", day, chronotype) // HOUR for chronotype in (0, OWL))
    # After ten in the evening and from six to eight in the morning, local time.
    assert (owls >= 21).mean() > 2 * (most >= 21).mean()
    assert np.isin(owls, [5, 6]).mean() < 0.3 * np.isin(most, [5, 6]).mean()
    week = days(dt.date(2026, 6, 8), 7)
    for chronotype in range(len(CHRONOTYPE_HOURS)):
        mean = np.mean([_weight("calls", one, chronotype) for one in week])
        assert mean == pytest.approx(1.0, abs=0.03)


def test_chronotypes_have_their_shares_and_belong_to_the_holder() -> None:
    inputs = inputs_of(small_world(subscribers=20_000))
    registry = inputs.frames["subscribers"]
    found = chronotypes(inputs.config, inputs.population)
    person = (registry["kind"] == "person").to_numpy()
    assert (found[~person] == 0).all()
    works = person & registry["work_cell_id"].is_not_null().to_numpy()
    # A tenth (Roenneberg 2007); 4 % of who works (Eurofound).
    assert (found[person] == OWL).mean() == pytest.approx(0.10, abs=0.01)
    assert (found[works] == NIGHT_SHIFT).mean() == pytest.approx(0.04, abs=0.008)
    assert not (found[person & ~works] == NIGHT_SHIFT).any()
    both = registry.select("holder_id").with_columns(chronotype=found)
    assert both.group_by("holder_id").n_unique()["chronotype"].max() == 1
