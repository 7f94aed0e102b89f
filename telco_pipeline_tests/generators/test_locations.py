"""Location updates: the periodic timer, rejects and the ways between areas."""

import polars as pl
import pytest

from telco_pipeline_tests.generators.kit import Operator, large_operator
from telco_pipeline_tests.generators.test_semantics import holds

PEOPLE_TIMER = 3 * 3600


@pytest.fixture(scope="module")
def operator() -> Operator:
    return large_operator()


@pytest.fixture(scope="module")
def people(operator: Operator) -> pl.DataFrame:
    kinds = operator.frame("subscribers").select("subscriber_id", "kind")
    rows = operator.all("location_updates").join(kinds, on="subscriber_id")
    return rows.filter(pl.col("kind") != "machine").sort("subscriber_id", "event_time")


def _contacts(operator: Operator) -> pl.DataFrame:
    """Return what restarts the timer of people: sessions, first to last second, and updates."""
    sessions = operator.all("cdrs_data").filter(~pl.col("roaming"))
    return pl.concat(
        [
            sessions.select("subscriber_id", time="event_time"),
            sessions.select(
                "subscriber_id", time=pl.col("event_time") + pl.duration(seconds="duration")
            ),
            operator.all("location_updates").select("subscriber_id", time="event_time"),
        ]
    ).sort("time")


def test_a_periodic_update_comes_when_the_timer_has_run_out(
    operator: Operator, people: pl.DataFrame
) -> None:
    # From the second day on: what was before the first is not known.
    due = people.filter(
        (pl.col("update_type") == "periodic")
        & (pl.col("day") > operator.days[0])
        & (pl.col("cause") == 0)
    ).sort("event_time")
    near = due.join_asof(
        _contacts(operator),
        left_on="event_time",
        right_on="time",
        by="subscriber_id",
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    waited = (near["event_time"] - near["time"]).dt.total_seconds().drop_nulls()
    assert len(waited) > 10_000
    # Of a new attempt after a reject, and of who was silent for all of the day before, not so.
    on_time = waited.is_between(PEOPLE_TIMER - 2, PEOPLE_TIMER + 3)
    assert on_time.mean() > 0.985
    assert (waited < 60).mean() < 0.01


def test_a_reject_is_followed_by_a_new_attempt(people: pl.DataFrame) -> None:
    following = people.with_columns(
        pl.col("event_time", "cause", "update_type", "previous_tac")
        .shift(-1)
        .over("subscriber_id")
        .name.prefix("next_")
    )
    # Who finds no suitable cell (15) does not try again.
    rejected = following.filter(
        pl.col("cause").is_in([17, 22]) & pl.col("next_event_time").is_not_null()
    )
    assert rejected.height > 200
    wait = (rejected["next_event_time"] - rejected["event_time"]).dt.total_milliseconds()
    assert (wait <= 14_000).mean() > 0.97
    again = rejected.filter(wait.is_between(10_000, 14_000))
    assert (again["next_cause"] == 0).mean() > 0.99
    moved = again.filter(pl.col("update_type") == "tracking area change")
    holds(
        moved.filter(pl.col("next_update_type") == "tracking area change"),
        pl.col("next_previous_tac") == pl.col("previous_tac"),
    )


def test_how_many_updates_a_day(people: pl.DataFrame, operator: Operator) -> None:
    heads = operator.frame("subscribers").filter(pl.col("kind") != "machine").height
    per_day = (
        people.group_by("update_type")
        .len()
        .with_columns(pl.col("len") / heads / len(operator.days))
    )
    rate = dict(per_day.with_columns(pl.col("update_type").cast(pl.String)).iter_rows())
    assert 1.0 < rate["periodic"] < 4.0
    # Another generation of the same area is no other area.
    assert 0.7 < rate["tracking area change"] < 6.0
    assert 0.02 < rate["attach"] < 0.5
    assert 0 < rate["cell change"] < 1.0


def test_only_phones_on_geran_tell_of_cells_within_an_area(operator: Operator) -> None:
    told = operator.all("location_updates").filter(
        pl.col("update_type").cast(pl.String) == "cell change"
    )
    assert told.height > 50
    assert set(told["rat_type"].cast(pl.String).unique()) == {"GERAN"}
    assert (told["previous_tac"] == told["tac"]).all()
    assert (told["cause"] == 0).all()


def test_updates_do_not_come_on_the_round_second(people: pl.DataFrame) -> None:
    assert (people["event_time"].dt.microsecond() == 0).mean() < 0.001
