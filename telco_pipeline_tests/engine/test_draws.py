import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import stats

from telco_pipeline.engine import draws
from telco_pipeline_tests.engine.statistics import (
    PAIR_STATISTICS,
    Bits,
    balance,
    even,
    lower,
    sane,
    upper,
)

COUNT = 1 << 19
MILLION = 1_000_000
GOLDEN = 0x9E3779B97F4A7C15
DAY = 9_500


def drawn(
    seed: int = 0,
    aspect: str = "voice",
    day: int = DAY,
    first: int = 0,
    index: int = 0,
    attribute: str = "duration",
    count: int = COUNT,
) -> Bits:
    """Draw as the generators do: through all four levels, one event per entity."""
    entities = np.arange(first, first + count)
    key = draws.keys(draws.stream(seed, aspect, day), entities)
    return draws.bits(draws.events(key, np.full(count, index)), attribute)


def of_events(first: int, count: int = COUNT) -> Bits:
    """Draw the events of a single entity."""
    key = draws.keys(draws.stream(0, "voice", DAY), np.array([7]))
    return draws.bits(draws.events(key, np.arange(first, first + count)), "duration")


def of_days(first: int, count: int = 1 << 14) -> Bits:
    """Draw one value of a single entity on many days."""
    streams = [draws.stream(0, "voice", day) for day in range(first, first + count)]
    return np.concatenate([draws.keys(stream, np.array([7])) for stream in streams])


def of_seeds(first: int, count: int = 1 << 14) -> Bits:
    streams = [draws.stream(seed, "voice", DAY) for seed in range(first, first + count)]
    return np.concatenate([draws.keys(stream, np.array([7])) for stream in streams])


def unmixed(first: int = 0, count: int = COUNT) -> Bits:
    """A bad generator: counters times a constant, as if the mixing were left out."""
    return np.arange(first, first + count, dtype=np.uint64) * np.uint64(GOLDEN)


# --- one value ------------------------------------------------------------------------------

SINGLE = {
    "through all levels": lambda: drawn(count=MILLION),
    "entity keys": lambda: draws.keys(draws.stream(1, "data", 1), np.arange(MILLION)),
    "events of one entity": lambda: of_events(0, MILLION),
    "sparse entities": lambda: draws.keys(draws.stream(2, "sms", 0), np.arange(MILLION) << 36),
    "days": lambda: of_days(0),
    "seeds": lambda: of_seeds(0),
}


@pytest.mark.parametrize("name", SINGLE)
def test_values_are_uniform(name: str) -> None:
    values = SINGLE[name]()
    assert sane(balance(values))
    assert sane(even(upper(values, 10), 1024))
    assert sane(even(lower(values, 10), 1024))
    assert sane(stats.kstest(draws.uniform(values), "uniform").pvalue)


def test_uniformity_statistics_see_a_fault() -> None:
    low_bits_only = np.arange(MILLION, dtype=np.uint64)
    for values in (low_bits_only, unmixed(count=MILLION)):
        assert not sane(balance(values))
        assert not sane(even(upper(values, 10), 1024))
        assert not sane(even(lower(values, 10), 1024))
        assert not sane(stats.kstest(draws.uniform(values), "uniform").pvalue)


# --- two values -----------------------------------------------------------------------------

PAIRS = {
    "entity and the next": lambda: (drawn(), drawn(first=1)),
    "entity and the 64th next": lambda: (drawn(), drawn(first=64)),
    "keys of entity and the next": lambda: (
        draws.keys(draws.stream(0, "voice", DAY), np.arange(COUNT)),
        draws.keys(draws.stream(0, "voice", DAY), np.arange(1, COUNT + 1)),
    ),
    "index and the next": lambda: (drawn(), drawn(index=1)),
    "index and the next of one entity": lambda: (of_events(0), of_events(1)),
    "index 1 and the next entity's 0": lambda: (drawn(index=1), drawn(first=1)),
    "day and the next": lambda: (drawn(), drawn(day=DAY + 1)),
    "day and the next of one entity": lambda: (of_days(0), of_days(1)),
    "day and the next week": lambda: (drawn(), drawn(day=DAY + 7)),
    "two aspects": lambda: (drawn(), drawn(aspect="data")),
    "two aspects with like names": lambda: (drawn(aspect="a"), drawn(aspect="b")),
    "two attributes": lambda: (drawn(), drawn(attribute="volume")),
    "attribute and the next index": lambda: (drawn(attribute="volume"), drawn(index=1)),
    "seeds 0 and 1": lambda: (drawn(), drawn(seed=1)),
    "seeds 1 and 2": lambda: (drawn(seed=1), drawn(seed=2)),
    "seed and the next": lambda: (of_seeds(0), of_seeds(1)),
    "seed and day change places": lambda: (drawn(seed=1, day=2), drawn(seed=2, day=1)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_are_independent(name: str) -> None:
    first, second = PAIRS[name]()
    p_values = {name: test(first, second) for name, test in PAIR_STATISTICS.items()}
    assert all(sane(p) for p in p_values.values()), p_values


@pytest.mark.parametrize("name", PAIR_STATISTICS)
def test_pair_statistics_see_a_fault(name: str) -> None:
    assert not sane(PAIR_STATISTICS[name](unmixed(), unmixed(first=1)))


def test_sums_and_exclusive_ors_over_entities_are_uniform() -> None:
    """A linear relation between entities, indexes or attributes would show in their sums."""
    four = [drawn(index=i, attribute=a) for i in (0, 1) for a in ("duration", "volume")]
    exclusive_or = four[0] ^ four[1] ^ four[2] ^ four[3]
    total = four[0] - four[1] - four[2] + four[3]
    for values in (exclusive_or, total):
        assert sane(balance(values))
        assert sane(even(upper(values, 10), 1024))
        assert sane(even(lower(values, 10), 1024))
    linear = [unmixed(first=i + a) for i in (0, 1) for a in (0, 1)]
    assert not sane(balance(linear[0] - linear[1] - linear[2] + linear[3]))


# --- avalanche ------------------------------------------------------------------------------


def flips(function, inputs: Bits) -> np.ndarray:
    """Return how often each output bit flips (columns) when an input bit does (rows)."""
    plain = function(inputs.copy())
    rows = []
    for bit in range(64):
        changed = plain ^ function(inputs ^ np.uint64(1 << bit))
        spread = np.unpackbits(changed.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1)
        rows.append(spread.mean(axis=0))
    return np.array(rows)


def test_one_flipped_input_bit_flips_half_of_the_output_bits() -> None:
    count = 1 << 12
    noise = 0.5 / np.sqrt(count)
    counters = np.arange(count, dtype=np.uint64)
    levels = {
        "mix of random values": (draws.mix, drawn(count=count), 0.02),
        "entity": (lambda x: draws.keys(draws.stream(0, "voice"), x), counters, 0.05),
        "all levels": (
            lambda x: draws.bits(
                draws.events(draws.keys(draws.stream(0, "voice"), x), np.zeros(count, int)), "d"
            ),
            counters,
            0.0,
        ),
    }
    for name, (function, inputs, tolerance) in levels.items():
        rates = flips(function, inputs)
        assert abs(rates - 0.5).max() < 5 * noise + tolerance, name
        assert abs(rates.mean() - 0.5) < 0.002 + tolerance / 10, name
    identity = flips(lambda x: x * np.uint64(GOLDEN), counters)
    assert abs(identity - 0.5).max() > 0.4


# --- collisions and overlaps ----------------------------------------------------------------


def repeats(ordered: Bits) -> int:
    return int((ordered[1:] == ordered[:-1]).sum())


def event_keys(mixed: bool, entities: int = 1 << 20, each: int = 10) -> Bits:
    index = np.tile(np.arange(each), entities)
    numbers = np.repeat(np.arange(entities), each)
    stream = draws.stream(0, "voice", DAY)
    if mixed:
        return draws.events(draws.keys(stream, numbers), index)
    return (numbers + index).astype(np.uint64) * np.uint64(GOLDEN) + np.uint64(stream)


def test_event_keys_collide_as_rarely_as_random_numbers() -> None:
    values = event_keys(mixed=True)
    expected = values.size**2 / 2 / 2.0**40  # of 40 bits, where some must be equal: 50
    low = np.sort(values & np.uint64((1 << 40) - 1))
    values.sort()
    assert repeats(values) == 0
    assert sane(stats.poisson.sf(repeats(values >> np.uint64(24)), expected))
    assert sane(stats.poisson.sf(repeats(low), expected))


def test_collision_count_sees_a_fault() -> None:
    assert repeats(np.sort(event_keys(mixed=False, entities=1 << 16))) > 1 << 16


def nearest(progressions: list[int] | Bits) -> int:
    """Return the smallest distance, in steps of GOLDEN, between two starts of progressions.

    Starts that are k steps apart give the same hashes, k numbers later.
    """
    inverse = np.uint64(pow(GOLDEN, -1, 1 << 64))
    steps = np.sort(np.array(progressions, dtype=np.uint64) * inverse)
    return int((steps - np.roll(steps, 1)).min())


def test_streams_and_entities_do_not_overlap() -> None:
    streams = [
        draws.stream(seed, f"aspect {aspect}", day)
        for seed in range(3)
        for aspect in range(50)
        for day in range(DAY, DAY + 200)
    ]
    assert nearest(streams) > 10_000_000  # entities
    assert nearest(draws.keys(streams[0], np.arange(MILLION))) > 1_000  # events
    assert nearest([5, (5 + 3 * GOLDEN) % 2**64, 77]) == 3


# --- golden values --------------------------------------------------------------------------


@given(st.integers(-(2**70), 2**70))
def test_numpy_mix_equals_mix_int(value: int) -> None:
    array = np.array([value % 2**64], dtype=np.uint64)
    assert draws.mix(array).tolist() == [draws.mix_int(value)]


def test_golden_values() -> None:
    """A change here changes every row of every world."""
    assert [draws.mix_int(value) for value in (0, 1, 2, GOLDEN, 2**64 - 1)] == [
        0x0,
        0x5692161D100B05E5,
        0xDBD238973A2B148A,
        0xE220A8397B1DCDAF,
        0xB4D055FCF2CBBD7B,
    ]
    assert draws.aspect_code("voice") == 0x42A51A1C0B63CBF9
    assert [
        draws.stream(0, "voice"),
        draws.stream(1, "voice", 0),
        draws.stream(42, "voice", 9500),
        draws.stream(42, "data", 9500),
        draws.stream(-1, "é", 1),
    ] == [
        0xCCC1145DF0347E0F,
        0x245C422A38A4204C,
        0x46E1DA3757D3A5D2,
        0xA43580416C221395,
        0xB44A5BABDB734CA0,
    ]
    key = draws.keys(draws.stream(42, "voice", 9500), np.array([0, 1, 2, 999_999, 2**28 - 1]))
    assert key.tolist() == [
        0xC6DD0E8333F8C24F,
        0xFE7BC2EAFB84C2A0,
        0xF076E580D082EA7F,
        0x68B9B70771EB49B0,
        0x552194C3B511DFFF,
    ]
    event = draws.events(key, np.array([0, 1, 2, 3, 131_071]))
    assert event.tolist() == [
        0xB929BB43C9C5A9FE,
        0x20CEB5F5E4E7CE35,
        0xB264C480EFE36517,
        0x56B34FD37ADB7B21,
        0x8C83FA857045D86,
    ]
    bits = draws.bits(event, "duration")
    assert bits.tolist() == [
        0x1C608B54B25038F8,
        0x9C364D5162D9CA5,
        0x5CB7AA7603858CD8,
        0x2FE4248E3453660F,
        0x1DE78BDF064DDF64,
    ]
    assert draws.uniform(bits).tolist() == [
        0.1108481485155729,
        0.038137723944763,
        0.36217751866526815,
        0.18707493278300324,
        0.11681436724602834,
    ]
    assert draws.below(bits, 1000).tolist() == [110, 38, 362, 187, 116]
    bounds = np.array([1, 2, 7, 2**31, 10])
    assert draws.below(bits, bounds).tolist() == [0, 0, 2, 401740359, 1]
    assert draws.chance(bits, 0.115).tolist() == [True, True, False, False, False]


def test_splitmix64_reference() -> None:
    """The published first outputs of splitmix64 with seed 1234567."""
    assert [draws.mix_int(1234567 + GOLDEN * step) for step in (1, 2, 3)] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


# --- from bits to values --------------------------------------------------------------------


def test_inputs_are_left_alone_and_blocks_do_not_show() -> None:
    entities = np.arange(1000)
    key = draws.keys(5, entities)
    before = key.copy()
    event = draws.events(key, entities)
    draws.bits(event, "x")
    assert_array_equal(key, before)
    assert_array_equal(entities, np.arange(1000))
    assert_array_equal(draws.keys(5, entities[500:]), key[500:])
    assert_array_equal(draws.keys(5, entities.astype(np.int32)), key)
    assert draws.keys(5, np.array([], dtype=np.int64)).size == 0


def test_below_is_uniform_and_in_range() -> None:
    values = drawn()
    assert sane(even(draws.below(values, 7), 7))
    edges = np.array([0, 2**64 - 1], dtype=np.uint64)
    for bound in (1, 2, 3, 1000, 2**31):
        assert draws.below(edges, bound).tolist() == [0, bound - 1]


def test_uniform_stays_below_one() -> None:
    edges = draws.uniform(np.array([0, 2**64 - 1], dtype=np.uint64))
    assert edges[0] == 0.0
    assert edges[1] == 1 - 2.0**-53


def test_chance() -> None:
    values = drawn()
    assert not draws.chance(values, 0.0).any()
    assert draws.chance(values, 1.0).all()
    hits = int(draws.chance(values, 0.3).sum())
    assert sane(stats.binom.sf(hits, values.size, 0.3))
