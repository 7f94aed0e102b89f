"""Each estimator gives the known answer of what was planted, and SciPy's where SciPy has one."""

import numpy as np
import pytest
from scipy import sparse, stats

from telco_pipeline.analytics.realism import estimators as est
from telco_pipeline.analytics.realism.estimators import Groups


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


def runs_of(count: int, size: int) -> Groups:
    return Groups(np.arange(count) * size, np.full(count, size))


def undirected(ties: list[tuple[int, int]], nodes: int) -> sparse.csr_array:
    ends = np.array([*ties, *[(b, a) for a, b in ties]]).T
    return sparse.coo_array((np.ones(ends.shape[1]), tuple(ends)), shape=(nodes, nodes)).tocsr()


def test_groups_are_runs_of_equal_keys() -> None:
    groups = Groups.of(np.array([3, 3, 5, 5, 5, 9]), np.array([1, 1, 1, 1, 2, 2]))
    assert groups.start.tolist() == [0, 2, 4, 5]
    assert groups.size.tolist() == [2, 2, 1, 1]
    assert groups.label.tolist() == [0, 0, 1, 1, 2, 3]
    assert groups.position.tolist() == [0, 1, 0, 1, 0, 0]
    assert groups.sums(np.arange(6)).tolist() == [1, 5, 4, 5]
    assert Groups.of(np.zeros(0, np.int64)).sums(np.zeros(0)).size == 0


def test_gaps_stay_inside_their_run() -> None:
    gap, runs = est.gaps(Groups.of(np.array([1, 1, 1, 2, 3, 3])), np.array([0, 5, 7, 99, 10, 14]))
    assert gap.tolist() == [5, 2, 4]
    assert runs.start.tolist() == [0, 2]
    assert runs.size.tolist() == [2, 1]


def test_burstiness_of_known_laws(rng: np.random.Generator) -> None:
    runs = runs_of(200, 2000)
    exponential = rng.exponential(60.0, 400_000)
    heavy = rng.lognormal(0, 1.5, 400_000)
    ratio = np.sqrt(np.exp(1.5**2) - 1)
    assert np.median(est.burstiness(exponential, runs)) == pytest.approx(0.0, abs=0.01)
    assert np.median(est.burstiness(np.full(400_000, 7.0), runs)) == pytest.approx(-1.0)
    measured = np.mean(est.burstiness(heavy, runs))
    assert measured == pytest.approx((ratio - 1) / (ratio + 1), abs=0.05)


def test_memory_is_the_correlation_of_neighbours(rng: np.random.Generator) -> None:
    independent = rng.exponential(60.0, 60_000)
    assert np.median(est.memory(independent, runs_of(60, 1000))) == pytest.approx(0, abs=0.02)
    alternating = np.tile([1.0, 9.0], 30_000) + rng.normal(0, 0.01, 60_000)
    assert np.median(est.memory(alternating, runs_of(60, 1000))) == pytest.approx(-1, abs=0.01)
    sizes = np.array([4, 2, 7])
    runs = Groups(np.array([0, 4, 6]), sizes)
    gap = rng.random(13)
    memory = est.memory(gap, runs)
    assert memory[0] == pytest.approx(np.corrcoef(gap[:3], gap[1:4])[0, 1])
    assert np.isnan(memory[1])
    assert memory[2] == pytest.approx(np.corrcoef(gap[6:12], gap[7:13])[0, 1])


def test_a_rhythm_is_removed(rng: np.random.Generator) -> None:
    hours = rng.choice(24, 400_000, p=np.r_[np.zeros(8), np.full(10, 0.09), np.full(6, 0.1 / 6)])
    times = np.sort(rng.integers(0, 100, 400_000) * 24 + hours + rng.random(400_000))
    users = rng.integers(0, 400, 400_000)
    order = np.lexsort((times, users))
    users, times = users[order], times[order]
    before, runs = est.gaps(Groups.of(users), times)
    after, _ = est.gaps(Groups.of(users), est.without_rhythm(times, 24))
    assert np.median(est.burstiness(after, runs)) == pytest.approx(0, abs=0.02)
    assert np.median(est.burstiness(before, runs)) > 0.05


def test_ks_distances_are_scipys(rng: np.random.Generator) -> None:
    sample = np.sort(rng.exponential(1.0, (3, 50)), axis=1)
    groups = runs_of(3, 50)
    mine = est.ks_by_run(groups, 1 - np.exp(-sample.ravel()))
    theirs = [stats.kstest(row, "expon").statistic for row in sample]
    assert mine == pytest.approx(theirs)
    passed = est.passes_ks(np.array([0.05, 0.5]), np.array([50, 50]))
    assert passed.tolist() == [True, False]


def test_whole_seconds_of_a_log_normal_prefer_it(rng: np.random.Generator) -> None:
    seconds = np.rint(rng.lognormal(np.log(65), 1.3, 50_000)).astype(np.int64)
    near = est.ks_whole(seconds, stats.lognorm(1.3, scale=65).cdf)
    far = est.ks_whole(seconds, stats.expon(scale=seconds.mean()).cdf)
    assert near < 0.01
    assert far > 10 * near


def test_logistic_fit_finds_what_was_planted(rng: np.random.Generator) -> None:
    values = np.concatenate([rng.logistic(4.2, 0.7, 3000), rng.logistic(-1, 2.0, 2000)])
    groups = Groups(np.array([0, 3000]), np.array([3000, 2000]))
    place, scale = est.fit_logistic(groups, values)
    assert place == pytest.approx([4.2, -1], abs=0.1)
    assert scale == pytest.approx([0.7, 2.0], rel=0.05)
    theirs = stats.logistic.fit(values[:3000])
    assert (place[0], scale[0]) == pytest.approx(theirs, rel=1e-3)


def test_truncated_logistic_runs_from_0_to_1() -> None:
    low, high = np.full(3, -1.0), np.full(3, 2.0)
    cdf = est.truncated_logistic(np.array([-1.0, 0.4, 2.0]), low, high)
    assert cdf[0] == pytest.approx(0)
    assert 0 < cdf[1] < 1
    assert cdf[2] == pytest.approx(1)


def test_weibull_fit_is_scipys(rng: np.random.Generator) -> None:
    values = np.concatenate([rng.weibull(0.6, 2000) * 900, rng.weibull(2.0, 1000) * 5])
    groups = Groups(np.array([0, 2000]), np.array([2000, 1000]))
    shape, scale = est.fit_weibull(groups, values)
    for run, part in enumerate((values[:2000], values[2000:])):
        theirs = stats.weibull_min.fit(part, floc=0)
        assert (shape[run], scale[run]) == pytest.approx((theirs[0], theirs[2]), rel=1e-3)


@pytest.mark.parametrize(("beta", "shift", "cut"), [(1.65, 5.8, 75.0), (1.75, 1.5, 86.0)])
def test_shifted_power_law_is_found(
    rng: np.random.Generator, beta: float, shift: float, cut: float
) -> None:
    grid = np.geomspace(shift, 300 + shift, 20_000) - shift
    cdf = est.shifted_power_cdf(grid, beta, shift, cut, 0.0, 300.0)
    sample = np.interp(rng.random(30_000), cdf, grid)
    assert est.fit_shifted_power(sample, shift, cut, 0.0, 300.0) == pytest.approx(beta, abs=0.05)
    rank = np.arange(1, 30_001) / 30_000
    again = est.shifted_power_cdf(np.sort(sample), beta, shift, cut, 0.0, 300.0)
    assert np.abs(rank - again).max() < 0.02


def test_whole_numbered_power_law_is_found(rng: np.random.Generator) -> None:
    sizes = np.arange(2, 1001)
    share = sizes**-4.1 / (sizes**-4.1).sum()
    trains = rng.choice(sizes, 20_000, p=share)
    assert est.fit_shifted_power(trains, 0, None, 2, 1000, whole=True) == pytest.approx(
        4.1, abs=0.1
    )
    degrees = np.arange(1, 500)
    share = (degrees + 10.9) ** -8.4 / ((degrees + 10.9) ** -8.4).sum()
    sample = rng.choice(degrees, 20_000, p=share)
    found = est.fit_shifted_power(sample, 10.9, None, 1, 2000, whole=True)
    assert found == pytest.approx(8.4, abs=0.2)
    assert np.isnan(est.fit_shifted_power(sample[:10], 10.9, None, 1, 2000, whole=True))


def test_slope_and_density_of_a_power_law(rng: np.random.Generator) -> None:
    gap = 60 * (1 + rng.random(400_000) * (360**0.3 - 1)) ** (1 / 0.3)
    x, y = est.log_density(gap, np.geomspace(60, 21_600, 19))
    assert -est.slope(x, y) == pytest.approx(0.7, abs=0.03)
    assert np.isnan(est.slope(np.array([1.0, 2.0]), np.array([1.0, 2.0])))


def test_total_variation() -> None:
    assert est.total_variation(np.array([1, 1]), np.array([50, 50])) == 0
    assert est.total_variation(np.array([1, 0]), np.array([0, 1])) == pytest.approx(100)
    assert est.total_variation(np.array([3, 1]), np.array([1, 1])) == pytest.approx(25)


def test_clustering_of_a_planted_graph() -> None:
    # A triangle 0-1-2, and 2 tied to 3.
    graph = undirected([(0, 1), (1, 2), (0, 2), (2, 3)], 5)
    local, degree = est.clustering(graph)
    assert degree.tolist() == [2, 2, 3, 1, 0]
    assert local[:3] == pytest.approx([1, 1, 1 / 3])
    assert np.isnan(local[3:]).all()


def test_clustering_of_a_random_graph_is_its_density(rng: np.random.Generator) -> None:
    upper = np.triu(rng.random((400, 400)) < 0.1, 1)
    graph = sparse.csr_array((upper | upper.T).astype(np.float64))
    local, _ = est.clustering(graph)
    assert np.nanmean(local) == pytest.approx(0.1, abs=0.01)


def test_overlap_and_components() -> None:
    graph = undirected([(0, 1), (1, 2), (0, 2), (2, 3), (5, 6)], 8)
    left, right, overlap = est.overlaps(graph)
    found = dict(zip(zip(left.tolist(), right.tolist(), strict=True), overlap, strict=True))
    # 0-1 share 2, their only other neighbour; 0-2 share 1 of 1 and 3; 5-6 know nobody else.
    assert found == pytest.approx({(0, 1): 1.0, (0, 2): 0.5, (1, 2): 0.5, (2, 3): 0.0})
    assert est.component_share(graph) == pytest.approx(4 / 6)
    assert np.isnan(est.component_share(sparse.csr_array((3, 3))))


def test_kmeans_finds_planted_profiles(rng: np.random.Generator) -> None:
    kinds = rng.dirichlet(np.ones(24), 3)
    truth = np.repeat(np.arange(3), 40)
    profiles = kinds[truth] + rng.normal(0, 0.002, (120, 24))
    centres, label = est.profiles_by_kmeans(profiles, 3)
    for kind in range(3):
        assert len(set(label[truth == kind])) == 1
        assert np.abs(centres[label[truth == kind][0]] - kinds[kind]).max() < 0.01
    again, _ = est.profiles_by_kmeans(profiles, 3)
    assert (again == centres).all()


def test_kilometres_areas_and_neighbours(rng: np.random.Generator) -> None:
    # Brussels to Antwerp are 41 km, to Ostend 113 km.
    place = est.plane(np.array([50.850, 51.219, 51.225]), np.array([4.352, 4.402, 2.919]))
    assert np.hypot(*(place[1] - place[0])) == pytest.approx(41.2, rel=0.02)
    assert np.hypot(*(place[2] - place[0])) == pytest.approx(108.6, rel=0.02)

    east, north = np.meshgrid(np.arange(10) * 10.0, np.arange(10) * 10.0)
    grid = np.column_stack([east.ravel(), north.ravel()])
    areas = est.land_areas(grid)
    middle = (grid.min(axis=1) > 0) & (grid.max(axis=1) < 90)
    assert areas[middle] == pytest.approx(100, rel=0.11)
    assert areas.mean() > 100  # those at the edge reach outwards
    assert est.morans_i(grid, grid[:, 0] + grid[:, 1]) > 0.8
    assert abs(est.morans_i(grid, rng.normal(size=100))) < 0.25
    assert np.isnan(est.morans_i(grid[:4], np.arange(4.0)))


def test_scrambled_numbers_are_even_and_stable() -> None:
    mixed = est.scrambled(np.arange(10_000))
    assert len(np.unique(mixed)) == 10_000
    assert int(est.scrambled(np.array([1]))[0]) == int(mixed[1])
    assert (mixed < np.uint64(1 << 63)).mean() == pytest.approx(0.5, abs=0.02)
