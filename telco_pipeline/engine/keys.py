"""Keys: from the key of a row to its place among the rows.

Belongs here: joining a column of keys to the table they refer to, for whoever then works on arrays.
Does not belong here: which table a column refers to, keys that nobody has (`identifiers`).
"""

import numpy as np
import numpy.typing as npt
import polars as pl


def rows_of(values: pl.Series, keys: pl.Series) -> npt.NDArray[np.int64]:
    """Return the row in `keys` of each value; -1 for null.

    Args:
        values: Keys that are referred to, of the type of `keys`, in any order.
        keys: The keys of a table, each different.

    Raises:
        ValueError: A value is not among the keys, or a key stands there twice.
    """
    index = pl.DataFrame({"key": keys, "row": np.arange(len(keys))})
    found = pl.DataFrame({"key": values}).join(index, on="key", how="left", maintain_order="left")
    rows = found["row"]
    if len(rows) != len(values):
        raise ValueError(f"column {keys.name} has a key more than once")
    if (rows.is_null() & values.is_not_null()).any():
        raise ValueError(f"column {values.name} has a key that {keys.name} does not have")
    return rows.fill_null(-1).to_numpy()
