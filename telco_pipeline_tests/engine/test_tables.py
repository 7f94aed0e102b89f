import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from telco_pipeline.engine import draws
from telco_pipeline.engine.tables import (
    STANDARD_NORMAL,
    Choice,
    PoissonTable,
    QuantileFamily,
    QuantileTable,
)
from telco_pipeline_tests.engine.statistics import even, sane

COUNT = 1 << 19
PROBABILITIES = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-5, 1 - 1e-6]
GOLDEN_BITS = np.array(
    [
        0x1C608B54B25038F8,
        0x9C364D5162D9CA5,
        0x5CB7AA7603858CD8,
        0x2FE4248E3453660F,
        0xFFFFFFBDBF064DDF,
    ],
    dtype=np.uint64,
)

GOLDEN_LOG_NORMAL = [
    13.844789649874569,
    7.1497864455028175,
    39.29791366586685,
    20.653240983412267,
    38620.240012630224,
]
GOLDEN_EXPONENTIAL = [
    0.3524617260387719,
    0.11665202728947997,
    1.3490860256729127,
    0.6213490911214232,
    51.44787268580437,
]
GOLDEN_FAMILY = [
    0.11084810506781936,
    0.014545088793654442,
    0.36217752627878186,
    0.34997054771117564,
    9.999980846334934,
]
GOLDEN_POISSON = [0, 0, 9, 91, 1180]


def random_bits(aspect: str, count: int = COUNT) -> draws.Bits:
    return draws.bits(draws.keys(draws.stream(3, aspect), np.arange(count)), "value")


def even_bits(count: int) -> draws.Bits:
    """Bits whose upper half runs evenly through 0 .. 1, and the lower half beside it too.

    Sums over them are integrals without the noise of a sample.
    """
    numbers = np.arange(count, dtype=np.uint64)
    high = numbers * np.uint64(2**32 // count) + np.uint64(2**31 // count)
    low = (numbers * np.uint64(0x9E3779B9)) & np.uint64(2**32 - 1)
    return (high << np.uint64(32)) | low


def at(probabilities: list[float]) -> draws.Bits:
    return np.array([int(p * 2.0**64) for p in probabilities], dtype=np.uint64)


# --- continuous -----------------------------------------------------------------------------

CONTINUOUS = {
    "log-normal": (QuantileTable.log_normal(60, 1.2), stats.lognorm(1.2, scale=60)),
    "narrow log-normal": (QuantileTable.log_normal(5, 0.25), stats.lognorm(0.25, scale=5)),
    "exponential": (QuantileTable.exponential(180), stats.expon(scale=180)),
    "normal": (QuantileTable.of(STANDARD_NORMAL.inv_cdf), stats.norm()),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_quantile_table_follows_its_distribution(name: str) -> None:
    table, distribution = CONTINUOUS[name]
    assert sane(stats.kstest(table.sample(random_bits(name)), distribution.cdf).pvalue)
    drawn = table.sample(at(PROBABILITIES))
    np.testing.assert_allclose(drawn, distribution.ppf(PROBABILITIES), rtol=2e-3, atol=1e-6)
    integral = table.sample(even_bits(1 << 22))
    assert integral.mean() == pytest.approx(distribution.mean(), rel=1e-3, abs=1e-3)
    assert integral.std() == pytest.approx(distribution.std(), rel=1e-2)


def test_quantile_statistics_see_a_fault() -> None:
    wrong = QuantileTable.log_normal(60, 1.22).sample(random_bits("log-normal"))
    assert not sane(stats.kstest(wrong, CONTINUOUS["log-normal"][1].cdf).pvalue)


def test_quantile_table_rises_and_ends() -> None:
    table = QuantileTable.log_normal(60, 1.2)
    ends = np.array([0, 2**64 - 1], dtype=np.uint64)
    assert np.isfinite(table.sample(ends)).all()
    assert (np.diff(table.sample(np.sort(random_bits("rise")))) >= 0).all()
    assert table.sample(ends)[1] < stats.lognorm(1.2, scale=60).ppf(1 - 2.0**-26)


def test_quantile_family_rows_follow_their_distributions() -> None:
    names = list(CONTINUOUS)
    family = QuantileFamily.of([CONTINUOUS[name][1].ppf for name in names])
    bits = random_bits("family")
    row = (np.arange(COUNT) % len(names)).astype(np.int64)
    values = family.sample(bits, row)
    middle = [p for p in PROBABILITIES if 0.01 <= p <= 1 - 1e-5]
    integral = even_bits(1 << 20)
    for number, name in enumerate(names):
        distribution = CONTINUOUS[name][1]
        assert sane(stats.kstest(values[row == number], distribution.cdf).pvalue)
        drawn = family.sample(at(middle), np.full(len(middle), number))
        np.testing.assert_allclose(drawn, distribution.ppf(middle), rtol=5e-3, atol=1e-5)
        summed = family.sample(integral, np.full(integral.size, number))
        assert summed.mean() == pytest.approx(distribution.mean(), rel=3e-3, abs=1e-3)
        assert summed.std() == pytest.approx(distribution.std(), rel=2e-2)


def test_heavy_tail_of_a_family_is_not_too_heavy() -> None:
    """One straight line from quantile 1 - 1/2048 to the end made this mean 5 % too large."""
    family = QuantileFamily.of([stats.lognorm(1.5).ppf])
    values = family.sample(even_bits(1 << 20), np.zeros(1 << 20, dtype=np.int64))
    assert values.mean() == pytest.approx(stats.lognorm(1.5).mean(), rel=5e-3)


@pytest.mark.parametrize("cells_log2", [4, 8, 12, 16])
def test_quantile_family_of_any_size_rises(cells_log2: int) -> None:
    family = QuantileFamily.of([lambda p: p, lambda p: 10 + p], cells_log2)
    bits = np.sort(random_bits("rise", 1 << 14))
    for number in (0, 1):
        values = family.sample(bits, np.full(bits.size, number))
        assert (np.diff(values) >= 0).all()
        ends = 0.5 / (1 << (2 * cells_log2 - 3))  # a half of the finest cell is cut off the ends
        assert np.abs(values - draws.uniform(bits) - 10 * number).max() < 2 * ends + 1e-5


# --- choices --------------------------------------------------------------------------------

weights_lists = st.lists(
    st.one_of(
        st.floats(0, 1, allow_subnormal=True),
        st.floats(0, 1e300),
        st.integers(0, 1000),
        st.floats(1e-12, 1e-6),
    ),
    min_size=1,
    max_size=256,
).filter(lambda weights: max(weights) > 0)


def check_slots(slots: np.ndarray, weights: list[float], size: int) -> None:
    assert slots.size == size
    counts = np.bincount(slots, minlength=len(weights))
    assert counts.size == len(weights)
    largest = max(weights)
    relative = [weight / largest for weight in weights]
    exact = np.array(relative) / math.fsum(relative) * size
    positive = np.array(weights) > 0
    assert (counts[positive] >= 1).all()
    assert (counts[~positive] == 0).all()
    raised = int((positive & (exact < 1)).sum())
    assert (counts - exact < 1 + 1e-6).all()
    assert (exact - counts < 1 + raised).all()
    if not raised:
        assert (np.abs(counts - exact) < 1 + 1e-6).all()


@given(weights_lists)
def test_choice_shares_its_slots_by_weight(weights: list[float]) -> None:
    check_slots(Choice.of(weights).slots, weights, 1 << 16)


@given(st.lists(weights_lists, min_size=2, max_size=4))
def test_choice_rows(rows: list[list[float]]) -> None:
    slots = Choice.of(rows).slots.reshape(len(rows), 1 << 12)
    for row, weights in zip(slots, rows, strict=True):
        check_slots(row, weights, 1 << 12)


@pytest.mark.parametrize(
    "weights",
    [
        [1e12] + [1e-300] * 255,
        [1.0] * 255 + [1e9],
        [5e-324, 1.0],
        [1.7e308, 1.7e308],
        [5e-324],
        [0.0, 0.0, 3.0],
    ],
)
def test_choice_of_extreme_weights(weights: list[float]) -> None:
    check_slots(Choice.of(weights).slots, weights, 1 << 16)


@pytest.mark.parametrize(
    "weights",
    [[], [0.0], [-1.0, 2.0], [math.nan, 1.0], [math.inf, 1.0], [1.0] * 257, [[1.0], [0.0]]],
)
def test_choice_refuses_what_is_no_weight(weights: list) -> None:
    with pytest.raises(ValueError, match="weights must be"):
        Choice.of(weights)


def test_choice_samples_its_weights() -> None:
    bits = random_bits("choice")
    drawn = np.bincount(Choice.of([4, 3, 0, 1]).sample(bits), minlength=4)
    assert drawn[2] == 0
    assert sane(stats.chisquare(drawn[[0, 1, 3]], np.array([4, 3, 1]) / 8 * COUNT).pvalue)
    rows = Choice.of([[1, 1, 2], [0, 3, 1]])
    row = np.arange(COUNT) % 2
    for number, shares in enumerate([[0.25, 0.25, 0.5], [0, 0.75, 0.25]]):
        counts = np.bincount(rows.sample(bits, row)[row == number], minlength=3)
        some = np.array(shares) > 0
        assert counts[~some].sum() == 0
        expected = np.array(shares)[some] * COUNT / 2
        assert sane(stats.chisquare(counts[some], expected).pvalue)
        np.testing.assert_array_equal(
            rows.sample(bits, number), rows.sample(bits, 0 * row + number)
        )


# --- counts ---------------------------------------------------------------------------------

POISSON = PoissonTable()
MEANS = [2.0**exponent for exponent in range(-12, 10)] + [
    0.01,
    0.05,
    0.3,
    0.9,
    1.7,
    3.3,
    12.34,
    77.7,
    200,
    300,
    499.9,
    500,
    777,
    1000,
    1024,
]


@pytest.mark.parametrize("mean", MEANS)
def test_poisson_mean_and_variance(mean: float) -> None:
    count = 1 << 20
    values = POISSON.sample(even_bits(count), np.full(count, mean))
    # A mean of 2**-12 leaves 256 ones here, so the evenness of the grid itself shows.
    tolerance = 1e-3 + 2 / (count * mean)
    assert values.mean() == pytest.approx(mean, rel=tolerance)
    assert values.var() == pytest.approx(mean, rel=5e-3 + tolerance)


@pytest.mark.parametrize("mean", [0.01, 0.4, 1.0, 7.3, 30.2, 301.0])
def test_poisson_counts_follow_the_distribution(mean: float) -> None:
    count = 1 << 17
    values = POISSON.sample(random_bits(f"poisson {mean}", count), np.full(count, mean))
    distribution = stats.poisson(mean)
    low, high = int(distribution.ppf(1e-3)), int(distribution.ppf(1 - 1e-3))
    cells = np.clip(values, low, high) - low
    probabilities = distribution.pmf(np.arange(low, high + 1))
    probabilities[0] = distribution.cdf(low)
    probabilities[-1] = distribution.sf(high - 1)
    drawn = np.bincount(cells, minlength=probabilities.size)
    assert sane(stats.chisquare(drawn, probabilities / probabilities.sum() * count).pvalue)
    wrong = POISSON.sample(random_bits(f"poisson {mean}", count), np.full(count, mean * 1.2))
    wrong = np.bincount(np.clip(wrong, low, high) - low, minlength=probabilities.size)
    assert not sane(stats.chisquare(wrong, probabilities / probabilities.sum() * count).pvalue)


def test_poisson_mean_per_entity() -> None:
    """A count depends on its own bits and mean alone."""
    bits = random_bits("mixed", 1 << 14)
    mean = np.exp(4 * draws.uniform(random_bits("mean", 1 << 14)) - 2)
    together = POISSON.sample(bits, mean)
    alone = [int(POISSON.sample(bits[i : i + 1], mean[i : i + 1])[0]) for i in range(0, 16384, 97)]
    assert together[::97].tolist() == alone
    z = (together - mean).sum() / math.sqrt(mean.sum())
    assert sane(2 * stats.norm.sf(abs(z)))


def test_poisson_edges() -> None:
    ends = np.array([0, 2**64 - 1, 2**63], dtype=np.uint64)
    for mean in (0.0, -1.0):
        assert POISSON.sample(ends, np.full(3, mean)).tolist() == [0, 0, 0]
    top = POISSON.sample(ends, np.full(3, 1024.0))
    np.testing.assert_array_equal(top, POISSON.sample(ends, np.full(3, 1e9)))
    assert 0 <= top[0] < top[2] < top[1] < 1024 + 8 * 32 + 16
    for mean in np.linspace(0, 1024, 400):
        assert (POISSON.sample(ends, np.full(3, mean)) >= 0).all()
    assert POISSON.sample(ends[:0], np.array([])).size == 0


def test_poisson_rises_with_its_bits_and_its_mean() -> None:
    bits = np.sort(random_bits("rise", 4096) & ~np.uint64(2**32 - 1))
    for mean in (0.3, 5.0, 800.0):
        assert (np.diff(POISSON.sample(bits, np.full(bits.size, mean))) >= 0).all()
    means = np.linspace(0, 1024, 4096)
    for one in bits[::511]:
        assert (np.diff(POISSON.sample(np.full(4096, one), means)) >= 0).all()


# --- golden values --------------------------------------------------------------------------


def digest(values: np.ndarray) -> str:
    return hashlib.blake2b(values.astype("<i8").tobytes(), digest_size=8).hexdigest()


def test_golden_values() -> None:
    """A change here changes rows of every world."""
    row = np.array([0, 1, 0, 1, 1])
    assert QuantileTable.log_normal(60, 1.2).sample(GOLDEN_BITS).tolist() == GOLDEN_LOG_NORMAL
    assert QuantileTable.exponential(3).sample(GOLDEN_BITS).tolist() == GOLDEN_EXPONENTIAL
    family = QuantileFamily.of([lambda p: p, lambda p: 10 * p * p])
    assert family.sample(GOLDEN_BITS, row).tolist() == GOLDEN_FAMILY
    choice = Choice.of([1, 3, 5, 1e-4])
    assert np.bincount(choice.slots).tolist() == [7282, 21845, 36408, 1]
    assert choice.sample(GOLDEN_BITS).tolist() == [0, 0, 1, 1, 3]
    assert Choice.of([[1, 1, 2], [0, 9, 1]]).sample(GOLDEN_BITS, row).tolist() == [0, 1, 1, 1, 2]
    means = np.array([0.1, 1.0, 10.0, 100.0, 1000.0])
    assert POISSON.sample(GOLDEN_BITS, means).tolist() == GOLDEN_POISSON
    assert digest(POISSON._cumulative) == "35d5dd6948c6d0ae"
    assert digest(POISSON._guide) == "4867d17f623bc24d"


def test_even_bits_are_even() -> None:
    assert even((even_bits(1 << 16) >> np.uint64(56)).astype(np.int64), 256) == 1.0
