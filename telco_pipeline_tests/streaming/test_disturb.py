"""Disturbances: as often as asked for, within their bounds, the same whatever else there is."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming import disturb
from telco_pipeline.streaming.disturb import COPY, KIND, KINDS, Disturbance
from telco_pipeline.streaming.layout import Topic
from telco_pipeline.streaming.sources import FILE, RELEASE, ROW, TIME
from telco_pipeline_tests.lake.kit import DAY as DATE
from telco_pipeline_tests.streaming.small_day import random_rows

TRUTH = Topic("disturbances", ("disturbances",))
SECOND = 1_000_000
START = day_start(DATE)


def day_of(count: int) -> pl.DataFrame:
    """Return records over a day with the columns that the feed adds."""
    frame = random_rows("customer_service", 1, 1)
    times = np.linspace(START, START + DAY - 1, count).astype(np.int64)
    return pl.concat([frame] * count, rechunk=True).with_columns(
        pl.Series("event_id", np.arange(count)),
        pl.Series(TIME, times),
        pl.Series(ROW, np.arange(count)),
        pl.lit(7, pl.Int32).alias(FILE),
    )


def test_rates_and_delays_are_those_asked_for() -> None:
    rates = {"late": 0.05, "out_of_order": 0.1, "duplicated": 0.02, "malformed": 0.01}
    rows = day_of(40_000)
    made = Disturbance(rates, TRUTH).applied("customer_service", rows, 42, DATE)
    for kind, rate in rates.items():
        count = int((made[KIND] == KINDS.index(kind)).sum())
        assert abs(count - rate * 40_000) < 5 * (rate * 40_000) ** 0.5
    first, second = made.filter(pl.col(COPY) == 0), made.filter(pl.col(COPY) == 1)
    assert first.drop(RELEASE, COPY, KIND).equals(rows)
    assert (second[KIND] == disturb.DUPLICATED).all()
    assert (made[RELEASE] < START + DAY).all()
    assert (made[RELEASE] >= made[TIME]).all()
    early = made.filter(pl.col(TIME) < START + DAY // 2)
    for number, (least, greatest) in {1: (120, 10_800), 2: (1, 30), 3: (1, 60)}.items():
        delay = early.filter(pl.col(KIND) == number).select(pl.col(RELEASE) - pl.col(TIME))
        found = delay.to_series().to_numpy() / SECOND
        assert least <= found.min() < least + 0.01 * greatest + 1
        assert 0.9 * greatest < found.max() <= greatest
    still = made.filter(pl.col(KIND).is_in([0, disturb.MALFORMED]))
    assert (still[RELEASE] == still[TIME]).all()


def test_a_disturbance_follows_from_the_record_alone() -> None:
    rows = day_of(2000)
    chosen = Disturbance({"late": 0.3, "duplicated": 0.3}, TRUTH)
    whole = chosen.applied("customer_service", rows, 42, DATE)
    part = chosen.applied("customer_service", rows[500:900], 42, DATE)
    same = whole.filter(pl.col(ROW).is_between(500, 899))
    order = [ROW, COPY]
    assert part.sort(order).equals(same.sort(order))
    assert not chosen.applied("customer_service", rows, 43, DATE).equals(whole)


def test_truth_is_left_as_it_is() -> None:
    rows = random_rows("truth_entities", 50, 1).with_columns(
        pl.lit(START, pl.Int64).alias(TIME), pl.lit(0, pl.Int32).alias(FILE)
    )
    rows = rows.with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64))
    made = Disturbance({"late": 1.0}, TRUTH).applied("truth_entities", rows, 1, DATE)
    assert (made[KIND] == 0).all()
    assert (made[RELEASE] == made[TIME]).all()


@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.integers(), max_size=4),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
def test_a_damaged_value_is_no_json(plain: dict[str, int | None], way: int, spot: int) -> None:
    value = json.dumps({"dataset": "x"} | plain).encode()
    broken = disturb.damaged(value, way, spot)
    assert broken
    with pytest.raises(ValueError, match=r".*"):
        json.loads(broken)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"early": 0.1}, "no disturbance 'early': there are late, out_of_order"),
        ({"late": 1.5}, "rate 1.5 of late records: give one from 0 to 1"),
        ({"late": 0.6, "malformed": 0.5}, "may sum to 1, not to 1.1"),
    ],
)
def test_bad_rates_are_told(rates: dict[str, float], message: str) -> None:
    with pytest.raises(TelcoError, match=message):
        Disturbance(rates, TRUTH)
