"""Keys: rows are found again by their key, and what has no row is told."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.engine.keys import rows_of


@given(st.data())
def test_the_row_of_a_key_holds_it(data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.text(max_size=3), unique=True, max_size=20))
    some = st.sampled_from(keys) | st.none() if keys else st.none()
    values = data.draw(st.lists(some, max_size=40))
    rows = rows_of(pl.Series(values, dtype=pl.String), pl.Series(keys, dtype=pl.String))
    assert rows.dtype == np.int64
    assert [None if row < 0 else keys[row] for row in rows] == values
    assert set(rows[rows < 0].tolist()) <= {-1}


def test_keys_may_be_numbers() -> None:
    assert rows_of(pl.Series([7, 9, None, 7]), pl.Series([9, 8, 7])).tolist() == [2, 0, -1, 2]


def test_what_has_no_row_and_what_has_two_are_refused() -> None:
    keys = pl.Series("cell_id", ["a", "b"])
    with pytest.raises(ValueError, match="home has a key that cell_id does not have"):
        rows_of(pl.Series("home", ["a", "c"]), keys)
    with pytest.raises(ValueError, match="cell_id has a key more than once"):
        rows_of(pl.Series("home", ["a"]), pl.Series("cell_id", ["a", "a"]))
    # A key that stands twice does no harm where nothing refers to it.
    assert rows_of(pl.Series(["b"]), pl.Series(["a", "a", "b"])).tolist() == [2]
