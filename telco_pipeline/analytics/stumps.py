"""One-split rules: how well one column alone tells touched rows from others.

Belongs here: views of a column (as a number, as a category, its length, its beginning), the best
split of each, learnt on one half of the entities and judged on the other. Does not belong here:
which rows are compared (`leakage`), which columns may tell (`scenarios`).

Accuracy is balanced: the mean of the part of touched rows and the part of other rows that the rule
puts right; 0.5 is chance. As a rule is learnt on some entities and judged on others, it gains
nothing from knowing identifiers by heart. Entities are split by a hash, so results are the same in
every run.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.engine import draws

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_LONGEST_PREFIX: Final = 8
_LONGEST_SUFFIX: Final = 2
_MOST_CATEGORIES: Final = 500  # of numbers; of texts any number
_MICROSECONDS: Final = 1_000_000
_DECIMALS: Final = 1e6
_SHOWN: Final = 3
_SURE: Final = 4.0  # standard errors


@dataclass(frozen=True)
class View:
    """One way to look at a column.

    Attributes:
        name: What is looked at, such as ``its length``; empty for the values themselves.
        numbers: Values in order, -inf for null; None if it is a category.
        codes: Number of each row's category.
        labels: Categories by number.
    """

    name: str
    numbers: Floats | None = None
    codes: Codes | None = None
    labels: pl.Series | None = None


@dataclass(frozen=True)
class Split:
    """How well the best rule on a column does.

    Attributes:
        column: The column.
        view: How it was looked at.
        rule: The rule in words, as learnt on all rows.
        accuracy: Balanced accuracy on entities that it was not learnt on.
        error: Its standard error, with entities as the units: records of one entity are alike.
    """

    column: str
    view: str
    rule: str
    accuracy: float
    error: float

    @property
    def sure(self) -> bool:
        """Whether chance is no explanation, as there are entities enough."""
        return self.accuracy - _SURE * self.error > 0.5


def splits(
    rows: pl.DataFrame,
    touched: Flags,
    entity: npt.NDArray[np.uint64],
    columns: Iterable[str],
    time: str | None = None,
) -> list[Split]:
    """Return the best rule of each column, in the order of the columns.

    Args:
        rows: Rows, touched and others.
        touched: Which are touched.
        entity: A hash of what each row belongs to; one entity is touched or not, or both.
        columns: Columns to look at.
        time: Column of times against which others are held; of times only differences and what is
            finer than minutes is looked at, as the rows to compare are chosen by time.

    Returns:
        None for columns that have one value only.

    Raises:
        ValueError: There are not at least two entities of each kind.
    """
    half = _halves(touched, entity)
    error = _error(touched, entity)
    found = []
    for name in columns:
        reference = None if time is None or name == time else rows[time]
        best: tuple[float, View] | None = None
        for view in views(rows[name], reference):
            accuracy = _judged(view, touched, half)
            if best is None or accuracy > best[0]:
                best = accuracy, view
        if best is not None:
            accuracy, view = best
            found.append(Split(name, view.name, _words(view, touched), round(accuracy, 6), error))
    return found


def views(values: pl.Series, time: pl.Series | None = None) -> Iterator[View]:
    """Yield the ways to look at a column, but for those that are the same for all rows.

    Args:
        values: The column.
        time: Times of the rows, which other times are held against.
    """
    if values.null_count():
        yield from _category("whether it is there", values.is_null())
    dtype = values.dtype
    if dtype == pl.Boolean:
        yield from _category("", values)
    elif dtype == pl.String or isinstance(dtype, pl.Enum | pl.Categorical):
        yield from _text(values.cast(pl.String))
    elif isinstance(dtype, pl.Datetime):
        yield from _moment(values.dt.epoch("us"), None if time is None else time.dt.epoch("us"))
    elif dtype == pl.Date:
        if time is not None:
            days = values.cast(pl.Int32) - time.dt.date().cast(pl.Int32)
            yield from _number("days from the record's own", days)
    elif dtype.is_integer():
        yield from _number("", values)
        yield from _few(values)
        yield from _number("zeros at its end", _zeros(values))
        yield from _category("its last digit", values % 10)
    elif dtype.is_float():
        yield from _number("", values)
        yield from _few(values)
        yield from _number(
            "zeros at its end", _zeros((values * _DECIMALS).round().cast(pl.Int64, strict=False))
        )
    else:
        raise TypeError(f"column {values.name} is of type {dtype}, which no rule looks at")


def _text(values: pl.Series) -> Iterator[View]:
    lengths = values.str.len_chars()
    yield from _number("its length", lengths)
    yield from _category("", values)
    longest = min(_LONGEST_PREFIX, int(lengths.max() or 0) - 1)  # pyright: ignore[reportArgumentType]
    for count in range(1, longest + 1):
        yield from _category(f"its first {count}", values.str.head(count))
    for count in range(1, min(_LONGEST_SUFFIX, longest) + 1):
        yield from _category(f"its last {count}", values.str.tail(count))
    digits = values.drop_nulls().str.contains(r"^\+?\d{2,18}$")
    if len(digits) and digits.all():
        yield from _number("as a number", values.str.strip_prefix("+").cast(pl.Int64))


def _moment(values: pl.Series, time: pl.Series | None) -> Iterator[View]:
    if time is not None:
        yield from _number("microseconds from the record's own time", values - time)
    yield from _number("second of the minute", values // _MICROSECONDS % 60)
    yield from _number("microsecond of the second", values % _MICROSECONDS)
    yield from _number("zeros at its end", _zeros(values))


def _zeros(values: pl.Series) -> pl.Series:
    """Return how many of the last six decimal digits of whole numbers are zeros, one by one."""
    whole = values.to_frame("value")
    each = [(pl.col("value") % 10**power == 0).cast(pl.Int8) for power in range(1, 7)]
    return whole.select(pl.sum_horizontal(each, ignore_nulls=False)).to_series()


def _few(values: pl.Series) -> Iterator[View]:
    if 2 < values.n_unique() <= _MOST_CATEGORIES:
        yield from _category("", values)


def _number(name: str, values: pl.Series) -> Iterator[View]:
    numbers = values.cast(pl.Float64).fill_null(float("-inf")).fill_nan(float("-inf")).to_numpy()
    if len(numbers) and numbers.min() < numbers.max():
        yield View(name, numbers=numbers)


def _category(name: str, values: pl.Series) -> Iterator[View]:
    texts = values.cast(pl.String).fill_null("(none)")
    labels = texts.unique(maintain_order=True)
    if 1 < len(labels) < len(texts):
        codes = texts.replace_strict(labels, np.arange(len(labels)), return_dtype=pl.Int64)
        yield View(name, codes=codes.to_numpy(), labels=labels)


def _halves(touched: Flags, entity: npt.NDArray[np.uint64]) -> Flags:
    """Return which rows are of the second half of the entities, of touched and others alike.

    An entity with rows of both kinds lies in one half with all of them.
    """
    own, rest = np.unique(entity[touched]), np.unique(entity[~touched])
    if len(own) < 2 or len(rest) < 2:
        raise ValueError("a rule needs two entities at least to learn on and to be judged on")
    second = [_every_other(each) for each in (own, np.setdiff1d(rest, own))]
    return np.isin(entity, np.concatenate(second))


def _every_other(different: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return half of some hashes, in an order that says nothing."""
    order = np.argsort(draws.mix(different.copy()), kind="stable")
    return different[order[1::2]]


def _error(touched: Flags, entity: npt.NDArray[np.uint64]) -> float:
    """Return the standard error of a balanced accuracy, by Kish's effective numbers of entities."""
    variance = 0.0
    for kind in (touched, ~touched):
        counts = np.unique(entity[kind], return_counts=True)[1].astype(np.float64)
        effective = counts.sum() ** 2 / (counts**2).sum()
        variance += 0.25 / effective
    return round(0.5 * float(np.sqrt(variance)), 6)


def _judged(view: View, touched: Flags, half: Flags) -> float:
    """Return the accuracy on each half of a rule learnt on the other, their mean."""
    scores = []
    for learn in (half, ~half):
        told = _learnt(view, touched, learn)(~learn)
        truth = touched[~learn]
        if truth.any() and not truth.all():
            scores.append((told[truth].mean() + (~told[~truth]).mean()) / 2)
    return float(np.mean(scores)) if scores else 0.5


def _learnt(view: View, touched: Flags, learn: Flags) -> Callable[[Flags], Flags]:
    """Return the best rule on some rows: what tells which of other rows it takes for touched."""
    if view.numbers is not None:
        numbers = view.numbers
        cut, above = _threshold(numbers[learn], touched[learn])
        return lambda rows: (numbers[rows] > cut) == above
    assert view.codes is not None
    codes = view.codes
    positive = _categories(view, touched, learn)
    return lambda rows: positive[codes[rows]]


def _threshold(values: Floats, touched: Flags) -> tuple[float, bool]:
    """Return the best threshold, and whether touched rows lie above it."""
    order = np.argsort(values, kind="stable")
    ordered, truth = values[order], touched[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    below = np.cumsum(truth)[last] / max(truth.sum(), 1)
    others = np.cumsum(~truth)[last] / max((~truth).sum(), 1)
    gain = others - below  # twice the balanced accuracy less one, if touched rows lie above
    best = int(np.argmax(np.abs(gain)))
    return float(ordered[last[best]]), bool(gain[best] >= 0)


def _categories(view: View, touched: Flags, learn: Flags) -> Flags:
    """Return the categories more common among touched rows; none of those that nobody saw."""
    assert view.codes is not None
    assert view.labels is not None
    size = len(view.labels)
    parts = [
        np.bincount(view.codes[learn & kind], minlength=size) / max((learn & kind).sum(), 1)
        for kind in (touched, ~touched)
    ]
    return parts[0] > parts[1]


def _words(view: View, touched: Flags) -> str:
    everything = np.ones(len(touched), dtype=np.bool_)
    subject = view.name or "its value"
    if view.numbers is not None:
        cut, above = _threshold(view.numbers, touched)
        return f"{subject} {'above' if above else 'at most'} {cut:,.15g}"
    assert view.codes is not None
    assert view.labels is not None
    positive = _categories(view, touched, everything)
    counts = np.bincount(view.codes[touched & positive[view.codes]], minlength=len(view.labels))
    order = np.argsort(-counts, kind="stable")[:_SHOWN]
    shown = [repr(view.labels[int(place)])[:60] for place in order if counts[place]]
    more = int(positive.sum()) - len(shown)
    return f"{subject} is {' or '.join(shown)}" + (
        f" or one of {more:,} others" if more > 0 else ""
    )
