"""Statistics that the tests of the draws share: each returns a p-value.

The inputs of the tests are fixed, so their p-values are too. `sane` accepts what a good generator
gives in all but two of ten thousand tests; a p-value next to 1 (too even) is a fault as well.
"""

import numpy as np
import numpy.typing as npt
from scipy import stats

Bits = npt.NDArray[np.uint64]
BAND = 1e-4


def sane(p_value: float) -> bool:
    return BAND < p_value < 1 - BAND


def upper(bits: Bits, count: int) -> npt.NDArray[np.int64]:
    return (bits >> np.uint64(64 - count)).astype(np.int64)


def lower(bits: Bits, count: int) -> npt.NDArray[np.int64]:
    return (bits & np.uint64((1 << count) - 1)).astype(np.int64)


def even(cells: npt.NDArray[np.int64], count: int) -> float:
    """Chi-square: do the cells 0 .. count - 1 occur equally often?"""
    return float(stats.chisquare(np.bincount(cells, minlength=count)).pvalue)


def grid(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], count: int) -> float:
    """Two-dimensional chi-square: does every pair of cells occur equally often?"""
    return even(a * count + b, count * count)


def balance(bits: Bits) -> float:
    """Is each of the 64 bits set half of the time?"""
    ones = np.array([int(((bits >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(64)])
    z = (ones - bits.size / 2) / np.sqrt(bits.size / 4)
    return float(stats.chi2.sf((z**2).sum(), 64))


def correlation(a: Bits, b: Bits) -> float:
    """Are the values uncorrelated?"""
    x, y = a.astype(np.float64), b.astype(np.float64)
    return float(2 * stats.norm.sf(abs(np.corrcoef(x, y)[0, 1]) * np.sqrt(a.size)))


def bit_correlation(a: Bits, b: Bits) -> float:
    """Do equal bits of both agree half of the time?"""
    return balance(a ^ b)


PAIR_STATISTICS = {
    "correlation": correlation,
    "bits agree": bit_correlation,
    "upper grid": lambda a, b: grid(upper(a, 6), upper(b, 6), 64),
    "lower grid": lambda a, b: grid(lower(a, 6), lower(b, 6), 64),
    "upper to lower grid": lambda a, b: grid(upper(a, 6), lower(b, 6), 64),
    "difference": lambda a, b: even(upper(a - b, 12), 4096),
    "sum": lambda a, b: even(upper(a + b, 12), 4096),
    "low bits of the sum": lambda a, b: even(lower(a + b, 12), 4096),
}
