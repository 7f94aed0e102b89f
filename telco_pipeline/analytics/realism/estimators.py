"""Estimators: numbers that sum up sequences, samples and graphs, on plain arrays.

Belongs here: statistics that know nothing of telephony, many of them for thousands of users at
once. Does not belong here: which records go in (`reading`), which band a number is held against
(`catalogue`).

Sequences of many users lie behind each other in one array, sorted by user and time; `Groups` says
where each begins. Fits that SciPy has are SciPy's; those that are made for thousands of users at
once are vectorised here and tested against SciPy's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse, spatial, stats
from scipy.cluster import vq
from scipy.special import expit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
EARTH_KM: Final = 6371.0


def scrambled(numbers: npt.NDArray[np.integer]) -> npt.NDArray[np.uint64]:
    """Return a hash of each number, the same on every machine: for samples and shuffles."""
    value = numbers.astype(np.uint64) * _MIX
    value ^= value >> np.uint64(29)
    value *= _MIX
    return value ^ (value >> np.uint64(32))


@dataclass(frozen=True)
class Groups:
    """Runs of equal keys in a sorted array.

    Attributes:
        start: Where each run begins.
        size: How long it is.
    """

    start: Ints
    size: Ints

    @classmethod
    def of(cls, *keys: npt.NDArray[np.integer]) -> Self:
        """Return the runs in which all of some sorted arrays stay the same."""
        length = len(keys[0])
        if not length:
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))
        changed = np.zeros(length, bool)
        changed[0] = True
        for key in keys:
            changed[1:] |= key[1:] != key[:-1]
        start = np.flatnonzero(changed)
        return cls(start, np.diff(start, append=length))

    @property
    def label(self) -> Ints:
        """The number of its run, for each element."""
        return np.repeat(np.arange(len(self.size)), self.size)

    @property
    def position(self) -> Ints:
        """Where in its run each element stands, from 0."""
        return np.arange(int(self.size.sum())) - np.repeat(self.start, self.size)

    def sums(self, values: npt.NDArray[np.number]) -> Floats:
        """Return the sum of each run."""
        if not len(self.start):
            return np.zeros(0)
        return np.add.reduceat(values.astype(np.float64), self.start)

    def highest(self, values: npt.NDArray[np.number]) -> npt.NDArray[np.number]:
        """Return the highest value of each run."""
        return np.maximum.reduceat(values, self.start) if len(self.start) else values[:0]

    def lowest(self, values: npt.NDArray[np.number]) -> npt.NDArray[np.number]:
        """Return the lowest value of each run."""
        return np.minimum.reduceat(values, self.start) if len(self.start) else values[:0]

    def keep(self, runs: Flags) -> Flags:
        """Return which elements belong to some of the runs."""
        return np.repeat(runs, self.size)


def gaps(groups: Groups, time: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Groups]:
    """Return the gaps between neighbours of each run, and their runs (of runs longer than one)."""
    inner = np.ones(len(time), bool)
    inner[groups.start] = False
    size = groups.size[groups.size > 1] - 1
    start = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64) if len(size) else size
    return np.diff(time, prepend=0)[inner], Groups(start, size)


def burstiness(gap: npt.NDArray[np.number], runs: Groups) -> Floats:
    """Return B = (s - m) / (s + m) of the gaps of each run (Goh & Barabasi 2008)."""
    mean = runs.sums(gap) / runs.size
    spread = np.sqrt(runs.sums((gap - np.repeat(mean, runs.size)) ** 2) / runs.size)
    total = spread + mean
    return np.divide(spread - mean, total, out=np.full(len(total), np.nan), where=total > 0)


def memory(gap: npt.NDArray[np.number], runs: Groups) -> Floats:
    """Return M of each run: the correlation of neighbouring gaps (Goh & Barabasi 2008).

    NaN for runs of fewer than three gaps and for gaps that are all alike.
    """
    answer = np.full(len(runs.size), np.nan)
    long = runs.size >= 3
    if not long.any():
        return answer
    some = gap[runs.keep(long)].astype(np.float64)
    size = runs.size[long]
    start = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64)
    first, last = np.ones(len(some), bool), np.ones(len(some), bool)
    first[start] = False
    last[start + size - 1] = False
    left, right = some[last], some[first]
    pairs = Groups(start - np.arange(len(size)), size - 1)
    left = left - np.repeat(pairs.sums(left) / pairs.size, pairs.size)
    right = right - np.repeat(pairs.sums(right) / pairs.size, pairs.size)
    spread = np.sqrt(pairs.sums(left**2) * pairs.sums(right**2))
    answer[long] = np.divide(
        pairs.sums(left * right), spread, out=np.full(len(spread), np.nan), where=spread > 0
    )
    return answer


def without_rhythm(local_hour: Floats, period: int) -> Floats:
    """Return times in which the population's events come evenly.

    Args:
        local_hour: Local time of each event in hours since some start of the period.
        period: Hours after which the rhythm repeats: 24, or 168 for the week's.

    Returns:
        For each event, the expected number of events of one user since the start, up to a factor.
    """
    phase = local_hour % period
    counts = np.bincount(phase.astype(np.int64), minlength=period).astype(np.float64)
    until = np.concatenate([[0.0], np.cumsum(counts)]) / max(counts.sum(), 1.0)
    return local_hour // period + np.interp(phase, np.arange(period + 1), until)


def ks_whole(values: Ints, cdf: Callable[[Any], Any]) -> float:
    """Return the KS distance of whole numbers (rounded from a continuous law) to that law."""
    value, count = np.unique(values, return_counts=True)
    share = np.cumsum(count) / count.sum()
    return float(np.abs(share - cdf(value + 0.5)).max())


def ks_by_run(groups: Groups, below: Floats) -> Floats:
    """Return the KS distance of each run of sorted values to its own law.

    Args:
        groups: The runs; within each, values rise.
        below: The law's distribution function at each value.
    """
    size = np.repeat(groups.size, groups.size)
    rank = groups.position
    distance = np.maximum(below - rank / size, (rank + 1) / size - below)
    return np.asarray(groups.highest(distance), dtype=np.float64)


def passes_ks(distance: Floats, size: Ints, level: float = 0.05) -> Flags:
    """Return which KS distances a test of that level does not refuse."""
    limit = {int(n): float(stats.kstwo.isf(level, n)) for n in np.unique(size)}
    return distance <= np.array([limit[int(n)] for n in size])


def fit_logistic(groups: Groups, x: Floats, rounds: int = 40) -> tuple[Floats, Floats]:
    """Return place and scale of the logistic law that fits each run best (maximum likelihood).

    A log-logistic law is a logistic one of the logarithm. Each round is one of re-weighted means:
    values far out weigh less.
    """
    mean = groups.sums(x) / groups.size
    spread = np.sqrt(groups.sums((x - np.repeat(mean, groups.size)) ** 2) / groups.size)
    place, scale = mean, np.maximum(spread * np.sqrt(3) / np.pi, 1e-9)
    for _ in range(rounds):
        z = (x - np.repeat(place, groups.size)) / np.repeat(scale, groups.size)
        weight = np.where(np.abs(z) < 1e-6, 0.5, np.tanh(z / 2) / np.where(z == 0, 1.0, z))
        total = groups.sums(weight)
        place = groups.sums(weight * x) / total
        around = (x - np.repeat(place, groups.size)) ** 2
        scale = np.maximum(np.sqrt(groups.sums(weight * around) / groups.size), 1e-9)
    return place, scale


def truncated_logistic(z: Floats, low: Floats, high: Floats) -> Floats:
    """Return the distribution function of a standard logistic law between two bounds."""
    bottom, top = expit(low), expit(high)
    return np.clip((expit(z) - bottom) / np.maximum(top - bottom, 1e-300), 0.0, 1.0)


def fit_weibull(groups: Groups, x: Floats, rounds: int = 40) -> tuple[Floats, Floats]:
    """Return shape and scale of the Weibull law that fits each run best (maximum likelihood)."""
    # Relative to each run's mean logarithm, so that powers stay in range.
    log = np.log(x)
    mean = groups.sums(log) / groups.size
    centred = log - np.repeat(mean, groups.size)
    spread = np.sqrt(groups.sums(centred**2) / groups.size)
    shape = 1.2 / np.maximum(spread, 1e-6)
    for _ in range(rounds):
        power = np.exp(np.clip(np.repeat(shape, groups.size) * centred, -500, 500))
        total = groups.sums(power)
        first = groups.sums(power * centred) / total
        second = groups.sums(power * centred**2) / total
        value = first - 1 / shape
        slope = second - first**2 + 1 / shape**2
        shape = np.clip(shape - value / slope, shape / 2, shape * 2)
    power = np.exp(np.clip(np.repeat(shape, groups.size) * centred, -500, 500))
    scale = np.exp(mean + np.log(groups.sums(power) / groups.size) / shape)
    return shape, scale


def log_density(values: npt.NDArray[Any], edges: Floats) -> tuple[Floats, Floats]:
    """Return middles and densities of bins that hold something; edges rise geometrically."""
    count, _ = np.histogram(values, bins=edges)
    density = count / np.diff(edges) / max(len(values), 1)
    middle = np.sqrt(edges[1:] * edges[:-1])
    held = count > 0
    return middle[held], density[held]


def slope(x: Floats, y: Floats) -> float:
    """Return the slope of log y over log x by least squares; NaN for fewer than three points."""
    held = (x > 0) & (y > 0)
    if held.sum() < 3:
        return float("nan")
    return float(np.polyfit(np.log(x[held]), np.log(y[held]), 1)[0])


def fit_shifted_power(
    values: npt.NDArray[Any],
    shift: float,
    cut: float | None,
    low: float,
    high: float,
    *,
    whole: bool = False,
) -> float:
    """Return beta of p(v) ~ (v + shift)^-beta exp(-v / cut) by maximum likelihood.

    Args:
        values: The sample; what lies outside of low to high is left out.
        shift: Shift of the law.
        cut: Its exponential cut-off; None for none.
        low: Lowest value of the law.
        high: Highest value of the law.
        whole: Whether the values are whole numbers.

    Returns:
        beta; NaN for fewer than 20 values.
    """
    kept = values[(values >= low) & (values <= high)].astype(np.float64)
    if len(kept) < 20:
        return float("nan")
    if whole:
        grid, width = np.arange(low, high + 1), np.ones(1)
    else:
        edges = np.geomspace(low + shift, high + shift, 4001) - shift
        grid, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    log_grid, decay = np.log(grid + shift), (np.exp(-grid / cut) if cut else 1.0) * width
    mean_log = float(np.log(kept + shift).mean())

    def cost(beta: float) -> float:
        exponent = -beta * log_grid
        peak = exponent.max()
        return beta * mean_log + peak + float(np.log((np.exp(exponent - peak) * decay).sum()))

    best: Any = optimize.minimize_scalar(cost, bounds=(-5.0, 40.0), method="bounded")
    return float(best.x)


def shifted_power_cdf(
    at: Floats, beta: float, shift: float, cut: float, low: float, high: float
) -> Floats:
    """Return the distribution function of p(v) ~ (v + shift)^-beta exp(-v / cut)."""
    edges = np.geomspace(low + shift, high + shift, 4001) - shift
    middle = (edges[1:] + edges[:-1]) / 2
    mass = (middle + shift) ** -beta * np.exp(-middle / cut) * np.diff(edges)
    return np.interp(at, edges, np.concatenate([[0.0], np.cumsum(mass)]) / mass.sum())


def total_variation(measured: npt.NDArray[np.number], reference: npt.NDArray[np.number]) -> float:
    """Return how many percent points of one profile lie elsewhere than in the other's."""
    one, other = measured / measured.sum(), reference / reference.sum()
    return float(50 * np.abs(one - other).sum())


def clustering(graph: sparse.csr_array) -> tuple[Floats, Ints]:
    """Return the local clustering of each node of an undirected graph, and its degree.

    Args:
        graph: Symmetric, ones where two nodes are tied, no loops.

    Returns:
        Share of the pairs of neighbours that are tied (NaN for fewer than two), and degrees.
    """
    degree = np.diff(graph.indptr).astype(np.int64)
    paths: Any = graph @ graph
    closed = np.asarray(paths.multiply(graph).sum(axis=1)).ravel()
    pairs = degree * (degree - 1)
    return np.divide(closed, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0), degree


def overlaps(graph: sparse.csr_array) -> tuple[Ints, Ints, Floats]:
    """Return ends and neighbourhood overlap of each tie of an undirected graph (Onnela 2007).

    The overlap is the share of two nodes' other neighbours that both have. Ties of two nodes
    without any other neighbour are left out.
    """
    upper = sparse.triu(graph, 1).tocoo()
    paths: Any = graph @ graph
    common = np.asarray(paths[upper.row, upper.col]).ravel().astype(np.float64)
    degree = np.diff(graph.indptr)
    others = degree[upper.row] + degree[upper.col] - 2 - common
    held = others > 0
    return (
        upper.row[held].astype(np.int64),
        upper.col[held].astype(np.int64),
        common[held] / others[held],
    )


def component_share(graph: sparse.csr_array) -> float:
    """Return the share of the nodes with ties that lie in the largest component."""
    tied = np.diff(graph.indptr) > 0
    if not tied.any():
        return float("nan")
    _, label = sparse.csgraph.connected_components(graph, directed=False)
    return float(np.bincount(label[tied]).max() / tied.sum())


def profiles_by_kmeans(profiles: Floats, clusters: int, trials: int = 10) -> tuple[Floats, Ints]:
    """Return centres and the cluster of each profile, the best of some trials of k-means.

    The trials start from fixed seeds: the same profiles give the same clusters.
    """
    best: tuple[float, Floats, Ints] | None = None
    for trial in range(trials):
        centres, label = vq.kmeans2(profiles, clusters, minit="++", rng=trial, missing="warn")
        cost = float(((profiles - centres[label]) ** 2).sum())
        if best is None or cost < best[0]:
            best = (cost, centres, label.astype(np.int64))
    assert best is not None
    return best[1], best[2]


def plane(latitude: Floats, longitude: Floats) -> Floats:
    """Return kilometres east and north on a plane, [n, 2]: right to a percent over 300 km."""
    radian = np.pi / 180
    middle = np.cos(50.5 * radian)
    return np.column_stack([longitude * radian * middle, latitude * radian]) * EARTH_KM


def land_areas(position: Floats, step: float = 0.5, reach: float = 15.0) -> Floats:
    """Return the area (square kilometres) that is nearest to each position, within its reach.

    Args:
        position: Kilometres east and north, [n, 2].
        step: Width of the grid that areas are counted on, kilometres.
        reach: Land further than this from any position belongs to none, kilometres.
    """
    low, high = position.min(axis=0) - reach, position.max(axis=0) + reach
    east, north = (np.arange(a, b, step) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(east, north), axis=-1).reshape(-1, 2)
    distance, nearest = map(np.asarray, spatial.KDTree(position).query(grid))
    count = np.bincount(nearest[distance <= reach], minlength=len(position))
    return np.maximum(count, 1) * step * step


def morans_i(position: Floats, values: Floats, neighbours: int = 5) -> float:
    """Return Moran's I of values at positions, each weighed against its nearest neighbours."""
    if len(values) <= neighbours + 1:
        return float("nan")
    near = np.asarray(spatial.KDTree(position).query(position, k=neighbours + 1)[1])
    centred = values - values.mean()
    around = centred[near[:, 1:]].mean(axis=1)
    return float((centred * around).sum() / (centred**2).sum())
