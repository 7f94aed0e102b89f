"""The peers: random rows without a model, and row loops with Faker and mimesis.

Belongs here: generators as a good engineer would write them who needs only volume. Does not
belong here: anything of ours; a peer knows no contract, only the profile of the output.

`random_frame` is written for speed: SFC64 (NumPy's fastest bit generator), whole columns, nulls as
null entries of pools, times as a running sum (so they are sorted for nothing), decimals from
integers. It comes in two kinds. The *plain* one has no model, so it has no subscribers either:
texts of few values come from a pool that is built once, and identifiers (IMSI, numbers, IMEI) are
drawn afresh for each row and written out as digits. The *pooled* one is lent our registry: it takes
each identifier from a pool of as many different ones as our output has. That is the least that any
generator of these columns can do before it writes them, hence a bound rather than a rival.
"""

import datetime as dt
import random
from functools import lru_cache

import numpy as np
import polars as pl

from benchmarks.profile import ColumnProfile, DatasetProfile

DAY_MICROSECONDS = 86_400_000_000
LONGEST_NUMBER = 18
POOL_LIMIT = 1_000_000
MOST_CATEGORIES = 5_000
"""A text column of more different values than this holds identifiers."""


@lru_cache(maxsize=64)
def _pool(size: int, length: int, empty: int) -> pl.Series:
    """Return `size` different texts of one length, then `empty` nulls."""
    digits = max(min(length, LONGEST_NUMBER), 1)
    numbers = np.linspace(10 ** (digits - 1), 10**digits - 1, size, dtype=np.int64)
    texts = pl.Series(numbers).cast(pl.String)
    if length > digits:
        texts = texts + "x" * (length - digits)
    return pl.concat([texts, pl.Series([None] * empty, dtype=pl.String)])


def random_frame(
    profile: DatasetProfile,
    rows: int,
    rng: np.random.Generator,
    start: int,
    *,
    pooled: bool = False,
) -> pl.DataFrame:
    """Return `rows` random rows of the profile's columns, in order of the first time column.

    Args:
        profile: The columns.
        rows: Number of rows.
        rng: Where randomness comes from.
        start: Start of the day in microseconds.
        pooled: Take identifiers from a pool instead of drawing each afresh.
    """
    gap = max(DAY_MICROSECONDS // max(rows, 1), 1)
    times = np.cumsum(rng.integers(0, 2 * gap, rows))
    np.minimum(times, DAY_MICROSECONDS - 1, out=times)
    times += start
    columns = [_values(column, rows, rng, times, pooled) for column in profile.columns]
    return pl.DataFrame(columns)


def _values(
    column: ColumnProfile,
    rows: int,
    rng: np.random.Generator,
    times: np.ndarray,
    pooled: bool,
) -> pl.Series:
    if column.dtype == "text":
        if column.unique > MOST_CATEGORIES and not pooled:
            return _identifier(column, rows, rng)
        return _text(column, rows, rng)
    values = _not_null(column, rows, rng, times).alias(column.name)
    if column.nulls == 0:
        return values
    keep = pl.Series(rng.random(rows, dtype=np.float32) >= column.nulls)
    return pl.select(pl.when(keep).then(values).alias(column.name)).to_series()


def _identifier(column: ColumnProfile, rows: int, rng: np.random.Generator) -> pl.Series:
    """Return texts of digits, each drawn afresh: a prefix of three and a number."""
    digits = max(min(column.length - 3, LONGEST_NUMBER), 1)
    number = pl.Series(rng.integers(0, 10**digits, rows))
    text = pl.lit("+32") + pl.lit(number).cast(pl.String).str.zfill(digits)
    if column.nulls:
        keep = pl.Series(rng.random(rows, dtype=np.float32) >= column.nulls)
        text = pl.when(keep).then(text)
    return pl.select(text.alias(column.name)).to_series()


def _text(column: ColumnProfile, rows: int, rng: np.random.Generator) -> pl.Series:
    if column.nulls == 1:
        return pl.Series(column.name, [None], dtype=pl.String).new_from_index(0, rows)
    size = max(min(column.unique, POOL_LIMIT), 1)
    empty = round(size * column.nulls / (1 - column.nulls))
    pool = _pool(size, column.length, min(empty, POOL_LIMIT))
    index = rng.integers(0, len(pool), rows, dtype=np.uint32)
    return pool.gather(index).alias(column.name)


def _not_null(
    column: ColumnProfile, rows: int, rng: np.random.Generator, times: np.ndarray
) -> pl.Series:
    if column.dtype == "bool":
        return pl.Series(rng.integers(0, 2, rows, dtype=np.bool_))
    if column.dtype == "enum":
        width = np.uint8 if len(column.categories) < 256 else np.uint16
        codes = rng.integers(0, len(column.categories), rows, dtype=width)
        return pl.Series(codes).cat.to(pl.Enum(list(column.categories)))
    if column.dtype == "time":
        moments = times
        if column.name != "event_time":
            moments = times + rng.integers(0, 600_000_000, rows)
        return pl.Series(moments).cast(pl.Datetime("us", "UTC"))
    if column.dtype == "date":
        low, high = int(column.low), int(column.high)
        return pl.Series(rng.integers(low, high + 1, rows, dtype=np.int32)).cast(pl.Date)
    if column.dtype == "float":
        low, high = int(column.low * 1000), int(column.high * 1000)
        return pl.Series(rng.integers(low, high + 1, rows, dtype=np.int64) / 1000)
    dtype = {64: np.int64, 32: np.int32, 16: np.int16, 8: np.int8}[column.bits]
    low, high = int(column.low), int(column.high)
    high = min(high, np.iinfo(dtype).max - 1)
    return pl.Series(rng.integers(low, high + 1, rows, dtype=dtype))


def faker_rows(rows: int, day: dt.date) -> pl.DataFrame:
    """Return call records that Faker filled, row by row."""
    from faker import Faker

    fake = Faker("nl_BE")
    fake.seed_instance(1)
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return pl.DataFrame(
        [
            {
                "event_id": fake.random_int(0, 2**62),
                "event_time": start
                + dt.timedelta(microseconds=fake.random_int(0, DAY_MICROSECONDS)),
                "record_type": fake.random_element(("moCallRecord", "mtCallRecord")),
                "imsi": fake.numerify("20661##########"),
                "msisdn": fake.numerify("+32461######"),
                "imei": fake.numerify("00#############"),
                "calling_number": fake.numerify("+32461######"),
                "called_number": fake.numerify("+32481######"),
                "cell_id": fake.numerify("206-61-#######"),
                "rat_type": fake.random_element(("GERAN", "EUTRAN", "NR")),
                "call_duration": fake.random_int(0, 3600),
                "cause_for_term": fake.random_int(0, 4),
                "roaming": fake.boolean(3),
            }
            for _ in range(rows)
        ]
    )


def mimesis_rows(rows: int, day: dt.date) -> pl.DataFrame:
    """Return call records that mimesis filled, row by row."""
    from mimesis import Code, Person
    from mimesis.locales import Locale

    person, code = Person(Locale.NL_BE, seed=1), Code(seed=1)
    draw = random.Random(1)
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    return pl.DataFrame(
        [
            {
                "event_id": draw.getrandbits(62),
                "event_time": start + dt.timedelta(microseconds=draw.randrange(DAY_MICROSECONDS)),
                "record_type": draw.choice(("moCallRecord", "mtCallRecord")),
                "imsi": code.pin("20661##########"),
                "msisdn": person.phone_number(mask="+32461######"),
                "imei": code.imei(),
                "calling_number": person.phone_number(mask="+32461######"),
                "called_number": person.phone_number(mask="+32481######"),
                "cell_id": code.pin("206-61-#######"),
                "rat_type": draw.choice(("GERAN", "EUTRAN", "NR")),
                "call_duration": draw.randrange(3600),
                "cause_for_term": draw.randrange(5),
                "roaming": draw.random() < 0.03,
            }
            for _ in range(rows)
        ]
    )
