"""Splits: which rows are for learning, for choosing and for judging.

Belongs here: dealing entities and cut-offs into splits. Does not belong here: the rows.

Entities are dealt into ten folds by a hash. A row is in `train` (folds 0 to 5) or `validation` (6
and 7) if its cut-off lies in the earlier period, in `test` (8 and 9) if in the later one. Between
the periods lies a gap at least as long as the window and as what is predicted: no record is seen by
a row of both, and all labels of the earlier period are known when the later one begins. All other
rows are in no split (null).

What stays together in one split: SIMs of one holder, and cells and elements of one site, which
have records in common. Subscribers of one incident do not: a fleet that fails is one incident,
and would be in one split. They share no feature that names them; whoever wants them together
groups rows by `incident_id`.
"""

import datetime as dt
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.engine import draws
from telco_pipeline.errors import TelcoError

SPLIT: Final = "split"
FOLD: Final = "fold"
FOLDS: Final = 10
TRAIN, VALIDATION, TEST = "train", "validation", "test"
_FOLDS_OF: Final = {TRAIN: range(6), VALIDATION: range(6, 8), TEST: range(8, 10)}
_EARLIER: Final = 0.6
"""Part of the cut-offs outside the gap that lie in the earlier period."""


def folds(groups: pl.Series, seed: int) -> pl.Series:
    """Return the fold, 0 to 9, that each group of entities is dealt to.

    Args:
        groups: Keys of groups, as text.
        seed: Seed of the world.
    """
    names = groups.unique()
    codes = np.array([draws.aspect_code(name) for name in names.to_list()], dtype=np.uint64)
    stream = draws.stream(seed, "training/split")
    which = draws.below(draws.bits(draws.keys(stream, codes), "fold"), FOLDS)
    told = pl.Series(which, dtype=pl.Int8)
    return groups.replace_strict(names, told, return_dtype=pl.Int8).alias(FOLD)


def periods(cut_offs: Sequence[dt.date], window: int, ahead: int) -> tuple[dt.date, dt.date]:
    """Return the last cut-off of the earlier period and the first of the later one.

    Args:
        cut_offs: All cut-offs, in order.
        window: Length of the window in days.
        ahead: Days ahead that are predicted.

    Raises:
        TelcoError: They are too few, or lie too near to each other, for both periods.
    """
    gap = max(window, ahead)
    step = min(
        ((after - before).days for before, after in pairwise(cut_offs)),
        default=1,
    )
    # With the last of the one and the first of the other as far apart as the gap, so many are left.
    between = -(-gap // step) - 1
    kept = len(cut_offs) - between
    earlier = min(max(1, round(kept * _EARLIER)), kept - 1)
    if earlier < 1:
        raise TelcoError(
            f"{len(cut_offs)} cut-offs from {cut_offs[0]} to {cut_offs[-1]} are too few to learn "
            f"from some and judge by others {gap} days later: take more days, a shorter --window "
            "or --ahead, or a smaller --every"
        )
    last = cut_offs[earlier - 1]
    first = next(one for one in cut_offs if (one - last).days >= gap)
    return last, first


def split_at(cut_off: dt.date, last: dt.date, first: dt.date) -> pl.Expr:
    """Return the split of rows at a cut-off, by their `fold`; null for those in none.

    Args:
        cut_off: The cut-off.
        last: Last cut-off of the earlier period.
        first: First one of the later.
    """
    taken = (TEST,) if cut_off >= first else (TRAIN, VALIDATION) if cut_off <= last else ()
    found = pl.lit(None, dtype=pl.String)
    for name in taken:
        found = (
            pl.when(pl.col(FOLD).is_in(list(_FOLDS_OF[name]))).then(pl.lit(name)).otherwise(found)
        )
    return found.alias(SPLIT)
