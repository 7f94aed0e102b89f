"""A rule finds what separates, on entities that it has not seen, and nothing where nothing is."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from telco_pipeline.analytics import stumps
from telco_pipeline.engine import draws

ROWS = 4000
ENTITIES = 200


def drawn(aspect: str, bound: int) -> np.ndarray:
    key = draws.keys(draws.stream(3, f"test/{aspect}"), np.arange(ROWS))
    return draws.below(key, bound)


ENTITY = (np.arange(ROWS) % ENTITIES).astype(np.uint64)
TOUCHED = ENTITY < ENTITIES // 2
TIME = pl.Series(
    "event_time", 1_767_225_600_000_000 + drawn("time", 2**30) * 80, dtype=pl.Int64
).cast(pl.Datetime("us", "UTC"))


def split(values: Any, time: pl.Series | None = None, name: str = "value") -> stumps.Split:
    rows = pl.DataFrame({name: values})
    reference = None
    if time is not None:
        rows, reference = rows.with_columns(time), "event_time"
    (found,) = stumps.splits(rows, TOUCHED, ENTITY, [name], reference)
    return found


NUMBERS = drawn("number", 10**6)
PAIRS = list(zip(NUMBERS.tolist(), TOUCHED.tolist(), strict=True))


@pytest.mark.parametrize(
    ("values", "view"),
    [
        (pl.Series(np.where(TOUCHED, NUMBERS + 10**6, NUMBERS)), ""),
        (pl.Series(np.where(TOUCHED, NUMBERS - 10**6, NUMBERS)), ""),
        (pl.Series(np.where(TOUCHED, NUMBERS // 100 * 100, NUMBERS)), "zeros at its end"),
        (pl.Series(np.where(TOUCHED, NUMBERS // 10 * 10 + 7, NUMBERS)), "its last digit"),
        (pl.Series(np.where(TOUCHED, NUMBERS // 100 / 100, NUMBERS / 10_000)), "zeros at its end"),
        (pl.Series(NUMBERS % 5 == 0) | pl.Series(TOUCHED), ""),
        (pl.Series(np.where(TOUCHED, NUMBERS % 2 * 3, NUMBERS % 3 + 1)).cast(pl.String), ""),
        (pl.Series([f"{n:06d}{'x' * int(t)}" for n, t in PAIRS]),
         "its length"),
        (pl.Series([f"{'ab' if t else 'cd'}{n:06d}" for n, t in PAIRS]),
         "its first 1"),
        (pl.Series([f"{n:06d}{'7' if t else n % 7}" for n, t in PAIRS]),
         "its last 1"),
        (pl.Series([f"+{n + int(t) * 10**6:07d}" for n, t in PAIRS]),
         "its first 2"),
        (pl.Series([None if t else n for n, t in PAIRS]),
         "whether it is there"),
    ],
    ids=["above", "below", "rounded", "digit", "decimals", "flag", "codes", "length", "prefix",
         "suffix", "order of ids", "null"],
)  # fmt: skip
def test_what_separates_is_found(values: pl.Series, view: str) -> None:
    found = split(values)
    assert found.accuracy > 0.75
    assert found.view == view
    assert found.sure
    assert found.rule


@pytest.mark.parametrize(
    "values",
    [
        pl.Series(NUMBERS),
        pl.Series(NUMBERS / 7.0),
        pl.Series(NUMBERS % 3).cast(pl.String),
        pl.Series([f"{number:06d}" for number in NUMBERS]),
        pl.Series(NUMBERS % 2 == 0),
        pl.Series([f"imsi{entity * 7919 % 1000:05d}" for entity in ENTITY.tolist()]),
        pl.Series(draws.below(draws.mix(ENTITY + np.uint64(1)), 2**31)),
    ],
    ids=["number", "decimal", "code", "digits", "flag", "text of the entity", "id of the entity"],
)
def test_what_does_not_separate_is_near_chance(values: pl.Series) -> None:
    """Who knows the identifiers of half of them by heart knows nothing of the others."""
    assert split(values).accuracy < 0.62


def test_times_are_held_against_the_record_not_the_calendar() -> None:
    later = TIME.cast(pl.Int64) + np.where(TOUCHED, 0, 10**12)
    moved = later.cast(pl.Datetime("us", "UTC")).alias("event_time")
    (found,) = stumps.splits(moved.to_frame(), TOUCHED, ENTITY, ["event_time"], "event_time")
    assert found.accuracy < 0.62, "rows are matched by time: when they are does not count"
    whole = pl.Series(TIME.cast(pl.Int64).to_numpy() // 10**6 * 10**6)
    mixed = pl.Series(np.where(TOUCHED, whole, TIME.cast(pl.Int64)))
    rounded = mixed.cast(pl.Datetime("us", "UTC")).alias("event_time").to_frame()
    (found,) = stumps.splits(rounded, TOUCHED, ENTITY, ["event_time"], "event_time")
    assert found.accuracy > 0.95
    release = (TIME.cast(pl.Int64) + np.where(TOUCHED, 10**7, 10**6)).cast(TIME.dtype)
    found = split(release, TIME, "release_time")
    assert found.accuracy > 0.99
    assert "from the record's own time above 1,000,000" in found.rule
    days = TIME.dt.date() + pl.Series(np.where(TOUCHED, 1, 0)).cast(pl.Duration("ms")) * 86_400_000
    assert split(days, TIME, "day").accuracy > 0.99


def test_a_rule_learnt_by_heart_gains_nothing_on_others() -> None:
    """Each entity has a text of its own: a rule says all of those seen, nothing of others."""
    texts = pl.Series([f"e{entity * 48271 % 100_003}" for entity in ENTITY.tolist()])
    (view,) = [view for view in stumps.views(texts) if view.name == ""]
    half = stumps._halves(TOUCHED, ENTITY)
    learnt = stumps._learnt(view, TOUCHED, half)
    assert (learnt(half) == TOUCHED[half]).all(), "by heart"
    assert not learnt(~half).any(), "but nothing of the others"


def test_halves_keep_entities_whole() -> None:
    both = np.append(ENTITY, ENTITY[TOUCHED][:50])
    touched = np.append(TOUCHED, np.zeros(50, dtype=np.bool_))
    half = stumps._halves(touched, both)
    for entity in np.unique(both):
        assert len(np.unique(half[both == entity])) == 1
    assert np.unique(both[touched & half]).size == ENTITIES // 4
    with pytest.raises(ValueError, match="two entities at least"):
        stumps._halves(np.array([True, True, False, False]), np.array([1, 1, 2, 3], np.uint64))


def test_few_entities_are_no_proof() -> None:
    values = pl.DataFrame({"value": np.where(TOUCHED, 1, 0)})
    few = np.where(TOUCHED, ENTITY % 3, ENTITY).astype(np.uint64)
    (found,) = stumps.splits(values, TOUCHED, few, ["value"])
    assert found.accuracy == 1.0
    assert not found.sure
    (found,) = stumps.splits(values, TOUCHED, ENTITY, ["value"])
    assert found.sure


def test_columns_of_one_value_say_nothing() -> None:
    rows = pl.DataFrame({"same": [1] * ROWS, "nothing": pl.Series([None] * ROWS, dtype=pl.String)})
    assert stumps.splits(rows, TOUCHED, ENTITY, ["same", "nothing"]) == []


def test_types_that_no_rule_knows_are_refused() -> None:
    with pytest.raises(TypeError, match="column value is of type"):
        split(pl.Series([[1]] * ROWS))


def test_rules_are_told_in_words() -> None:
    assert split(pl.Series(np.where(TOUCHED, 9, NUMBERS % 8 - 20))).rule == "its value above -13"
    colours = pl.Series(np.where(TOUCHED, "red", np.where(NUMBERS % 2, "tan", "red")))
    assert split(colours).rule == "its value is 'red'"
