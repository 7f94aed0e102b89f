"""Splits keep entities and times apart."""

import datetime as dt
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.errors import TelcoError
from telco_pipeline.training import splits

START = dt.date(2026, 1, 8)


def cut_offs(count: int, every: int = 1) -> list[dt.date]:
    return [START + dt.timedelta(days=every * number) for number in range(count)]


def test_groups_are_dealt_by_a_hash_in_equal_folds() -> None:
    groups = pl.Series("group", [str(number // 2) for number in range(20_000)])
    found = splits.folds(groups, 42)
    assert found[::2].equals(found[1::2])  # the two of a group
    parts = Counter(found)
    assert set(parts) == set(range(10))
    assert all(count / len(found) == pytest.approx(0.1, abs=0.015) for count in parts.values())
    assert not found.equals(splits.folds(groups, 43))
    shuffled = groups.reverse()
    assert splits.folds(shuffled, 42).equals(found.reverse())


@given(st.integers(2, 60), st.integers(1, 9), st.integers(1, 14), st.integers(1, 14))
def test_periods_lie_a_window_apart(count: int, every: int, window: int, ahead: int) -> None:
    days = cut_offs(count, every)
    if (days[-1] - days[0]).days < max(window, ahead):
        with pytest.raises(TelcoError, match="too few"):
            splits.periods(days, window, ahead)
        return
    last, first = splits.periods(days, window, ahead)
    assert {last, first} <= set(days)
    assert (first - last).days >= max(window, ahead)
    # No cut-off is given away: the next one after the earlier period lies too near.
    between = [one for one in days if last < one < first]
    assert all((one - last).days < max(window, ahead) for one in between)


def test_a_row_is_in_a_split_by_entity_and_time() -> None:
    days = cut_offs(29)
    last, first = splits.periods(days, 7, 3)
    assert (last, first) == (dt.date(2026, 1, 21), dt.date(2026, 1, 28))
    frame = pl.DataFrame({"fold": [0, 5, 6, 7, 8, 9]})
    for cut_off in days:
        found = frame.with_columns(splits.split_at(cut_off, last, first))["split"]
        early = ["train"] * 2 + ["validation"] * 2 if cut_off <= last else [None] * 4
        assert found.to_list() == [*early, *["test" if cut_off >= first else None] * 2]
