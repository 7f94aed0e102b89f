import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from telco_pipeline.engine import identifiers
from telco_pipeline.engine.identifiers import EventIds, Permutation, luhn_digit
from telco_pipeline_tests.engine.statistics import even, grid, sane

LARGE = [10**6, 10**7 + 19, 10**10, 2**40 + 1, 2**63 - 25, 2**63]


@given(st.integers(1, 5000), st.integers(0, 2**64), st.text(max_size=8))
def test_permutation_is_a_bijection(size: int, seed: int, aspect: str) -> None:
    images = Permutation(size, seed, aspect)(np.arange(size))
    assert np.array_equal(np.sort(images), np.arange(size))


@pytest.mark.parametrize("size", LARGE)
@pytest.mark.parametrize("seed", [0, 1])
def test_images_of_large_sizes_are_distinct_and_look_random(size: int, seed: int) -> None:
    count = 200_000
    near = np.arange(count)
    far = near + size // 2
    permutation = Permutation(size, seed, "imsi")
    for numbers in (near, far):
        images = permutation(numbers)
        assert images.min() >= 0
        assert int(images.max()) < size
        assert np.unique(images).size == np.unique(numbers).size
        shares = images / float(size)
        cells = np.minimum((shares * 64).astype(np.int64), 63)
        if size > 10**9:  # of a million numbers a fifth was taken, which is too even for chance
            assert sane(even(cells, 64))
            assert sane(even(images % 16, 16))
        pairs = grid(cells[:-1] // 4, cells[1:] // 4, 16)
        assert pairs > 1e-4
        for other in (numbers[:-1].astype(float), shares[:-1]):
            r = np.corrcoef(other, shares[1:])[0, 1]
            assert 2 * stats.norm.sf(abs(r) * np.sqrt(count)) > 1e-4
        differences = np.unique((images[1:] - images[:-1]), return_counts=True)[1]
        assert differences.max() < count / 1000


@pytest.mark.parametrize("size", [2**10, 2**12, 50_000, 10**6])
def test_no_key_leaves_a_pattern(size: int) -> None:
    """With three rounds some keys did, with p-values down to 1e-128."""
    numbers = np.arange(min(size, 40_000))
    for seed in range(50):
        images = Permutation(size, seed, "q")(numbers)
        for cells in (images * 16 // size, images % 16):
            for lag in (1, 2):
                assert grid(cells[:-lag], cells[lag:], 16) > 1e-6, (seed, lag)


def test_permutation_statistics_see_a_fault() -> None:
    """A multiplication alone is a bijection too, but a blind man sees its pattern."""
    size = 10**10
    images = np.arange(200_000, dtype=np.int64) * 6_180_339_887 % size
    cells = images * 64 // size
    assert grid(cells[:-1] // 4, cells[1:] // 4, 16) < 1e-4
    assert np.unique(images[1:] - images[:-1], return_counts=True)[1].max() > 200


def test_permutations_of_other_seeds_and_aspects_differ() -> None:
    numbers = np.arange(10_000)
    images = [
        Permutation(10**8, seed, aspect)(numbers) for seed in (0, 1, 2) for aspect in ("a", "b")
    ]
    for i, one in enumerate(images):
        for other in images[:i]:
            assert (one == other).sum() < 10
            assert sane(grid(one * 8 // 10**8, other * 8 // 10**8, 8))


def test_first_image_is_uniform_over_seeds() -> None:
    images = [int(Permutation(100, seed, "x")(np.array([0]))[0]) for seed in range(5_000)]
    assert sane(even(np.array(images), 100))


@pytest.mark.parametrize("size", [0, -1, 2**63 + 1])
def test_permutation_refuses_a_bad_size(size: int) -> None:
    with pytest.raises(ValueError, match="size must be"):
        Permutation(size, 0, "x")


@pytest.mark.parametrize("number", [-1, 10, 2**40])
def test_permutation_refuses_numbers_outside(number: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 9"):
        Permutation(10, 0, "x")(np.array([3, number]))


def test_permutation_leaves_its_input_alone() -> None:
    numbers = np.arange(100, dtype=np.uint64)
    Permutation(100, 0, "x")(numbers)
    assert np.array_equal(numbers, np.arange(100))
    assert Permutation(100, 0, "x")(numbers[:0]).size == 0


# --- event ids ------------------------------------------------------------------------------


def test_event_ids_are_unique_positive_and_blind() -> None:
    ids = EventIds(7)
    entity, index = (axis.reshape(-1) for axis in np.meshgrid(np.arange(500), np.arange(20)))
    made = np.concatenate(
        [
            ids(kind, day, entity + first, index)
            for kind in (0, 1, 31)
            for day in (0, 9500, 9501, 2**14 - 1)
            for first in (0, identifiers.MAX_ENTITIES - 500)
        ]
    )
    assert made.dtype == np.int64
    assert made.min() >= 0
    assert np.unique(made).size == made.size
    cells = made >> np.int64(63 - 6)
    assert sane(even(cells, 64))
    assert sane(grid(cells[:-1] // 4, cells[1:] // 4, 16))
    assert sane(even(made & 63, 64))


@given(
    st.lists(
        st.tuples(
            st.integers(0, (1 << identifiers.KIND_BITS) - 1),
            st.integers(0, (1 << identifiers.DAY_BITS) - 1),
            st.integers(0, identifiers.MAX_ENTITIES - 1),
            st.integers(0, identifiers.MAX_INDEX - 1),
        ),
        unique=True,
        min_size=1,
        max_size=30,
    )
)
def test_any_events_have_different_ids(events: list[tuple[int, int, int, int]]) -> None:
    ids = EventIds(7)
    made = {int(ids(k, d, np.array([e]), np.array([i]))[0]) for k, d, e, i in events}
    assert len(made) == len(events)
    assert all(0 <= one < 2**63 for one in made)


@pytest.mark.parametrize(
    ("kind", "day", "entity", "index", "message"),
    [
        (-1, 0, 0, 0, "kind"),
        (1 << identifiers.KIND_BITS, 0, 0, 0, "kind"),
        (0, -1, 0, 0, "day"),
        (0, 1 << identifiers.DAY_BITS, 0, 0, "day"),
        (0, 0, -1, 0, "entity"),
        (0, 0, identifiers.MAX_ENTITIES, 0, "entity"),
        (0, 0, 0, -1, "index"),
        (0, 0, 0, identifiers.MAX_INDEX, "index"),
    ],
)
def test_event_ids_refuse_what_would_not_be_unique(
    kind: int, day: int, entity: int, index: int, message: str
) -> None:
    with pytest.raises(ValueError, match=f"{message} must be from 0"):
        EventIds(0)(kind, day, np.array([0, entity]), np.array([0, index]))


def test_event_ids_fit_sql_bigint() -> None:
    total = (
        identifiers.ENTITY_BITS
        + identifiers.INDEX_BITS
        + identifiers.DAY_BITS
        + identifiers.KIND_BITS
    )
    assert total == 63


def test_one_index_may_stand_for_all_events() -> None:
    entity = np.arange(100)
    ids = EventIds(1)
    assert np.array_equal(ids(1, 2, entity, 3), ids(1, 2, entity, np.full(100, 3)))
    with pytest.raises(ValueError, match="index must be from 0"):
        ids(1, 2, entity, identifiers.MAX_INDEX)


def test_event_ids_of_two_aspects_differ() -> None:
    entity = np.arange(1000)
    assert not (
        EventIds(1, "a")(0, 1, entity, entity) == EventIds(1, "b")(0, 1, entity, entity)
    ).any()


# --- check digits ---------------------------------------------------------------------------


def plain_luhn(text: str) -> int:
    digits = [int(character) for character in text + "0"]
    total = 0
    for position, digit in enumerate(reversed(digits)):
        total += sum(divmod(2 * digit, 10)) if position % 2 else digit
    return -total % 10


@given(st.integers(1, 18), st.data())
def test_luhn_digit_equals_the_plain_one(digits: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, 10**digits - 1), min_size=1, max_size=20))
    expected = [plain_luhn(str(number).zfill(digits)) for number in numbers]
    assert luhn_digit(np.array(numbers), digits).tolist() == expected


@pytest.mark.parametrize(
    "number",
    ["490154203237518", "356938035643809", "4111111111111111", "79927398713"],
)
def test_luhn_digit_of_known_numbers(number: str) -> None:
    body, check = number[:-1], int(number[-1])
    assert plain_luhn(body) == check
    assert luhn_digit(np.array([int(body)]), len(body)).tolist() == [check]


# --- golden values --------------------------------------------------------------------------


def test_golden_values() -> None:
    """A change here renames every subscriber and event of every world."""
    images = {
        size: Permutation(size, 42, "imsi")(np.arange(min(size, 4))).tolist()
        for size in (1, 2, 10, 1000, 10**10, 2**63)
    }
    assert images == {
        1: [0],
        2: [1, 0],
        10: [4, 9, 6, 0],
        1000: [291, 115, 429, 850],
        10**10: [5795244543, 6975746331, 1732672894, 528005960],
        2**63: [4036016171738868984, 2313204760755760025, 8866508637658505512, 1787341678831441540],
    }
    ids = EventIds(42)
    entity = np.array([0, 1, 2, 2**26 - 1])
    assert ids(0, 9500, entity, np.array([0, 0, 1, 2**18 - 1])).tolist() == [
        8302748340202679572,
        3135647114225060972,
        2458175760687876239,
        9025257178308648129,
    ]
    assert ids(31, 2**14 - 1, entity[:1], entity[:1]).tolist() == [3435243164229617849]
