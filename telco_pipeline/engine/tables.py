"""Distributions as look-up tables: quantiles, counts and weighted choices.

Belongs here: turning random bits into values of a given distribution. Does not belong here: the
parameters of any distribution of the operator, which live with the behaviour that they describe.

A table is computed once with Python's own arithmetic and rounded to seven significant digits;
afterwards only table look-ups, the four operations and square roots happen, each correctly
rounded (IEEE 754), so that a value is the same on any processor, and a log-normal
costs no logarithm.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine.draws import Bits

_CELLS_LOG2: Final = 12
_CELLS: Final = 1 << _CELLS_LOG2
_FRACTION_BITS: Final = 24
_CELL_SHIFT: Final = np.uint64(64 - _CELLS_LOG2)
_FRACTION_SHIFT: Final = np.uint64(64 - _CELLS_LOG2 - _FRACTION_BITS)
_FRACTION_MASK: Final = np.uint64((1 << _FRACTION_BITS) - 1)
_TAIL_SHIFT: Final = np.uint64(64 - 2 * _CELLS_LOG2)
_TAIL_MASK: Final = np.uint64(_CELLS - 1)
_TAIL_FRACTION_SHIFT: Final = np.uint64(64 - 2 * _CELLS_LOG2 - _FRACTION_BITS)
_TWO_POW_MINUS_24: Final = 2.0**-_FRACTION_BITS
_CHANCE_SHIFT: Final = np.uint64(16)
_TWO_POW_MINUS_48: Final = 2.0**-48

STANDARD_NORMAL: Final = NormalDist()


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")


@dataclass(frozen=True)
class QuantileTable:
    """A continuous distribution, sampled by interpolating its quantile function.

    The body has 4,096 equal cells of probability; the last cell is refined by another 4,096, so
    that the tail is exact to a probability of 2**-24.

    Attributes:
        body: Quantiles at 0, 1/4096, ..., 1 (4,097 values).
        tail: Quantiles inside the last cell of the body (4,097 values).
    """

    body: npt.NDArray[np.float64]
    tail: npt.NDArray[np.float64]

    @classmethod
    def of(cls, quantile: Callable[[float], float]) -> "QuantileTable":
        """Build the table of a quantile function, which is asked for values inside (0, 1)."""
        edge = 2.0 ** -(2 * _CELLS_LOG2 + 1)

        def at(probability: float) -> float:
            return _rounded(quantile(min(max(probability, edge), 1.0 - edge)))

        start = 1.0 - 1.0 / _CELLS
        body = np.array([at(cell / _CELLS) for cell in range(_CELLS + 1)])
        tail = np.array([at(start + cell / (_CELLS * _CELLS)) for cell in range(_CELLS + 1)])
        body[_CELLS] = tail[_CELLS]
        return cls(body, tail)

    @classmethod
    def log_normal(cls, median: float, sigma: float) -> "QuantileTable":
        """Build the table of a log-normal with the given median and standard deviation of ln."""
        return cls.of(lambda p: median * math.exp(sigma * STANDARD_NORMAL.inv_cdf(p)))

    @classmethod
    def level(cls, sigma: float) -> "QuantileTable":
        """Build the table of a log-normal factor with mean 1 and the given sigma of ln."""
        return cls.log_normal(math.exp(-sigma * sigma / 2), sigma)

    @classmethod
    def exponential(cls, mean: float) -> "QuantileTable":
        """Build the table of an exponential distribution with the given mean."""
        return cls.of(lambda p: -mean * math.log1p(-p))

    def sample(self, random_bits: Bits) -> npt.NDArray[np.float64]:
        """Return one value per 64 random bits."""
        cell = (random_bits >> _CELL_SHIFT).astype(np.int64)
        fraction = ((random_bits >> _FRACTION_SHIFT) & _FRACTION_MASK) * _TWO_POW_MINUS_24
        low = self.body[cell]
        values = low + fraction * (self.body[cell + 1] - low)
        rare = np.flatnonzero(cell == _CELLS - 1)
        if rare.size:
            deep_bits = random_bits[rare]
            deep = ((deep_bits >> _TAIL_SHIFT) & _TAIL_MASK).astype(np.int64)
            fraction = ((deep_bits >> _TAIL_FRACTION_SHIFT) & _FRACTION_MASK) * _TWO_POW_MINUS_24
            low = self.tail[deep]
            values[rare] = low + fraction * (self.tail[deep + 1] - low)
        return values

    def between(
        self,
        random_bits: Bits,
        low: npt.NDArray[np.float64],
        high: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.float64]:
        """Return one value per 64 random bits of the distribution between two bounds.

        The quantile function is asked between the probabilities of the bounds, so that the values
        keep the distribution's shape there. Where it has nothing between them, which is where they
        lie beyond its table, the value is the nearest bound.

        Args:
            random_bits: 64 bits per value, of which 48 count.
            low: Smallest value, for each.
            high: Largest value, for each.
        """
        values, chances = self._knots
        start, end = _chance(values, chances, low), _chance(values, chances, high)
        chance = (random_bits >> _CHANCE_SHIFT) * _TWO_POW_MINUS_48
        chance = start + chance * (end - start)
        place = np.searchsorted(chances, chance, side="right") - 1
        place = np.minimum(place, len(chances) - 2)
        part = (chance - chances[place]) / (chances[place + 1] - chances[place])
        found = values[place] + part * (values[place + 1] - values[place])
        # Within the rounding of the two look-ups it is so already.
        return np.minimum(np.maximum(found, low), high)

    @cached_property
    def _knots(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return the quantiles of body and tail in one array, and their probabilities."""
        body = np.arange(_CELLS) / _CELLS
        tail = 1.0 - 1.0 / _CELLS + np.arange(1, _CELLS + 1) / (_CELLS * _CELLS)
        values = np.concatenate([self.body[:-1], self.tail[1:]])
        return values, np.concatenate([body, tail])


def _chance(
    values: npt.NDArray[np.float64],
    chances: npt.NDArray[np.float64],
    value: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the probabilities below some values, given quantiles and their probabilities."""
    place = np.searchsorted(values, value, side="right") - 1
    place = np.minimum(np.maximum(place, 0), len(values) - 2)
    width = values[place + 1] - values[place]
    part = (value - values[place]) / np.where(width > 0.0, width, 1.0)
    part = np.minimum(np.maximum(part, 0.0), 1.0)
    return chances[place] + part * (chances[place + 1] - chances[place])


@dataclass(frozen=True)
class QuantileFamily:
    """Several quantile tables side by side, chosen per value by a row number.

    As in `QuantileTable`, the last cell of a row is refined (by an eighth as many cells as the
    row has), or a heavy tail would be drawn far too heavy.

    Attributes:
        tables: Flat array of the rows' quantiles, ``cells + 1`` values a row.
        tails: Flat array of the quantiles inside the rows' last cells, ``cells / 8 + 1`` a row.
        cells_log2: Binary logarithm of the number of cells of a row.
    """

    tables: npt.NDArray[np.float64]
    tails: npt.NDArray[np.float64]
    cells_log2: int

    @classmethod
    def of(
        cls, quantiles: Sequence[Callable[[float], float]], cells_log2: int = 11
    ) -> "QuantileFamily":
        """Build one row per quantile function; each is asked for values inside (0, 1)."""
        if not 4 <= cells_log2 <= 16:
            raise ValueError(f"cells_log2 must be from 4 to 16: {cells_log2}")
        cells = 1 << cells_log2
        fine = cells << (cells_log2 - 3)
        edge = 0.5 / fine  # the middle of the last cell of the tail stands for its end
        grid = [min(max(cell / cells, edge), 1.0 - edge) for cell in range(cells + 1)]
        first = fine - (fine >> cells_log2)
        deep = [min(cell / fine, 1.0 - edge) for cell in range(first, fine + 1)]
        tables = [[_rounded(quantile(p)) for p in grid] for quantile in quantiles]
        tails = [[_rounded(quantile(p)) for p in deep] for quantile in quantiles]
        return cls(np.array(tables).reshape(-1), np.array(tails).reshape(-1), cells_log2)

    def sample(self, random_bits: Bits, row: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        """Return one value per 64 random bits, from the table of its row."""
        cells = 1 << self.cells_log2
        cell = (random_bits >> np.uint64(64 - self.cells_log2)).astype(np.int64)
        rare = np.flatnonzero(cell == cells - 1)
        cell += row * np.int64(cells + 1)
        shift = np.uint64(64 - self.cells_log2 - _FRACTION_BITS)
        fraction = ((random_bits >> shift) & _FRACTION_MASK) * _TWO_POW_MINUS_24
        low = self.tables[cell]
        values = low + fraction * (self.tables[cell + 1] - low)
        if rare.size:
            deep_bits = random_bits[rare] << np.uint64(self.cells_log2)
            tail_log2 = self.cells_log2 - 3
            deep = (deep_bits >> np.uint64(64 - tail_log2)).astype(np.int64)
            deep += np.broadcast_to(row, cell.shape)[rare] * np.int64((1 << tail_log2) + 1)
            shift = np.uint64(64 - tail_log2 - _FRACTION_BITS)
            fraction = ((deep_bits >> shift) & _FRACTION_MASK) * _TWO_POW_MINUS_24
            low = self.tails[deep]
            values[rare] = low + fraction * (self.tails[deep + 1] - low)
        return values


@dataclass(frozen=True)
class Choice:
    """Weighted choice between few outcomes, one or several rows of weights.

    Weights are rounded to 1/4096 (1/65536 for a single row); an outcome with a positive weight
    keeps at least one slot.

    Attributes:
        slots: Outcome of each slot, rows one after the other.
        slots_log2: Binary logarithm of the number of slots of a row.
    """

    slots: npt.NDArray[np.uint8]
    slots_log2: int

    @classmethod
    def of(cls, weights: Sequence[float] | Sequence[Sequence[float]]) -> "Choice":
        """Build the table from one list of weights, or from one list per row.

        Raises:
            ValueError: When a row has a negative weight, no positive one, or over 256 outcomes.
        """
        nested = bool(weights) and isinstance(weights[0], Sequence)
        rows: list[Sequence[float]] = list(weights) if nested else [weights]  # type: ignore[arg-type, list-item]
        slots_log2 = 12 if len(rows) > 1 else 16
        return cls(np.concatenate([_slots(row, 1 << slots_log2) for row in rows]), slots_log2)

    def sample(
        self, random_bits: Bits, row: npt.NDArray[np.integer] | int = 0
    ) -> npt.NDArray[np.uint8]:
        """Return one outcome number per 64 random bits."""
        slot = (random_bits >> np.uint64(64 - self.slots_log2)).astype(np.int64)
        if not (isinstance(row, int) and row == 0):
            slot += np.asarray(row, dtype=np.int64) << np.int64(self.slots_log2)
        return self.slots[slot]


def _slots(weights: Sequence[float], size: int) -> npt.NDArray[np.uint8]:
    """Share `size` slots between outcomes by largest remainder."""
    valid = 1 <= len(weights) <= 256 and all(0 <= weight < math.inf for weight in weights)
    if not valid or max(weights) <= 0:
        raise ValueError(
            f"weights must be 1 to 256 finite numbers >= 0, one of them positive: {weights}"
        )
    largest = max(weights)  # divided by first, or huge weights would overflow their sum
    total = math.fsum(weight / largest for weight in weights)
    exact = [weight / largest / total * size for weight in weights]
    counts = [
        max(int(share), 1 if weight > 0 else 0)
        for share, weight in zip(exact, weights, strict=True)
    ]
    # Each pass moves the total nearer to `size` and never past it, so the loop ends: a slot can
    # be taken as long as some outcome has two, and `size` is larger than the number of outcomes.
    while (missing := size - sum(counts)) != 0:
        step = 1 if missing > 0 else -1
        order = sorted(
            range(len(counts)), key=lambda i: (exact[i] - counts[i]) * step, reverse=True
        )
        for outcome in [i for i in order if counts[i] > 0 and counts[i] + step > 0][: abs(missing)]:
            counts[outcome] += step
    return np.repeat(np.arange(len(counts), dtype=np.uint8), counts)


_ROWS_PER_ROOT: Final = 16  # rows of the count table per unit of the root of the mean
_ROOT_LIMIT: Final = 32
_GUIDE_LOG2: Final = 10
_GUIDE_SHIFT: Final = np.uint64(64 - _GUIDE_LOG2)
_UNIT: Final = 1 << 32  # probability 1 in the count tables


class PoissonTable:
    """Poisson counts whose mean differs per entity.

    The table has a row for each mean (step / 16)**2. A mean in between draws its row: the upper
    or the lower neighbour, with the odds that make the expected count exact. This widens the
    variance by 0.4 % at most. Within a row the count is the inverse of the cumulative
    distribution at the upper 32 bits. A negative mean counts as 0, one above 1,024 as 1,024.
    """

    MAX_MEAN: Final = float(_ROOT_LIMIT**2)

    def __init__(self) -> None:
        """Take the rows, which are computed once per process."""
        self._cumulative, self._row_start, self._guide = _poisson_rows()

    def sample(self, random_bits: Bits, mean: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return one count per entity.

        Args:
            random_bits: 64 random bits per entity, all of which are used.
            mean: Mean count per entity, 0 or more.
        """
        limited = np.clip(mean, 0.0, self.MAX_MEAN)
        row = (np.sqrt(limited) * _ROWS_PER_ROOT).astype(np.int64)
        np.minimum(row, _ROOT_LIMIT * _ROWS_PER_ROOT - 1, out=row)
        # Means of the rows are whole multiples of 1/256, neighbours 2 * row + 1 of them apart.
        above = (limited * _ROWS_PER_ROOT**2 - row * row) / (2 * row + 1)
        row += (random_bits & np.uint64(_UNIT - 1)) * (1.0 / _UNIT) < above

        count = self._guide[
            (row << _GUIDE_LOG2) + (random_bits >> _GUIDE_SHIFT).astype(np.int64)
        ].astype(np.int64)
        position = self._row_start[row] + count
        level = (random_bits >> np.uint64(32)).astype(np.int64)
        pending = np.flatnonzero(level >= self._cumulative[position])
        while pending.size:
            count[pending] += 1
            position[pending] += 1
            pending = pending[level[pending] >= self._cumulative[position[pending]]]
        return count


@lru_cache(maxsize=1)
def _poisson_rows() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int16]]:
    """Return the cumulative distributions (flat, in 1/2**32), the rows' starts and the guide.

    The guide holds the smallest count of each 1/1024 of probability. Only additions,
    multiplications, divisions and rounding one after the other are used, no exponential, so the
    rows are the same to the bit on any processor.
    """
    rows, starts, guides = [], [], []
    length = 0
    cells = np.arange(1 << _GUIDE_LOG2, dtype=np.int64) << (32 - _GUIDE_LOG2)
    counts = np.arange(1, int(PoissonTable.MAX_MEAN) + 16 * _ROOT_LIMIT, dtype=np.float64)
    for step in range(_ROOT_LIMIT * _ROWS_PER_ROOT + 1):
        mean = (step / _ROWS_PER_ROOT) ** 2
        mode = int(mean)
        top = mode + 8 * (step // _ROWS_PER_ROOT) + 16
        # Weights relative to that of the mode, outwards from it, so that none overflows.
        down = np.multiply.accumulate(counts[:mode][::-1] / mean) if mode else counts[:0]
        up = np.multiply.accumulate(mean / counts[mode:top])
        cumulative = np.add.accumulate(np.concatenate([down[::-1], [1.0], up]))
        whole = np.rint(cumulative * (_UNIT / cumulative[-1])).astype(np.int64)
        whole = whole[: int(np.searchsorted(whole, _UNIT)) + 1]
        rows.append(whole)
        starts.append(length)
        length += whole.size
        guides.append(np.searchsorted(whole, cells, side="right").astype(np.int16))
    return np.concatenate(rows), np.array(starts), np.concatenate(guides)
