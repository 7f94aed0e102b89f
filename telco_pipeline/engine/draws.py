"""Counter-based random draws: every value is a hash of (seed, aspect, day, entity, index).

Belongs here: the hash and its ways of turning 64 bits into uniforms, integers and choices. Does
not belong here: distributions with parameters (`tables`), identifiers (`identifiers`).

A draw needs no state, so any day, block or entity can be drawn alone, in any order, on any
worker, and a new aspect disturbs no other. The mixing step is the finaliser of splitmix64
(Steele, Lea and Flood, OOPSLA 2014; variant 13 of Stafford), applied once per level:

    stream = mix(seed, aspect, day)          one Python integer
    key    = mix(stream + entity * GOLDEN)   one per entity
    event  = mix(key + index * GOLDEN)       one per event of the entity
    bits   = mix(event ^ aspect of the attribute)

Only additions, multiplications, shifts and exclusive-ors of integers are used, so the bits are
the same on any processor. Work in blocks of 16-64 thousand values, which stay in the cache.
"""

import hashlib
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_GOLDEN_64: Final = np.uint64(_GOLDEN)
_MUL_1: Final = 0xBF58476D1CE4E5B9
_MUL_2: Final = 0x94D049BB133111EB
_MUL_1_64: Final = np.uint64(_MUL_1)
_MUL_2_64: Final = np.uint64(_MUL_2)
_SHIFT_30: Final = np.uint64(30)
_SHIFT_27: Final = np.uint64(27)
_SHIFT_31: Final = np.uint64(31)
_SHIFT_11: Final = np.uint64(11)
_SHIFT_32: Final = np.uint64(32)
_TWO_POW_MINUS_53: Final = 2.0**-53


def mix_int(value: int) -> int:
    """Return the splitmix64 finaliser of one Python integer, taken modulo 2**64."""
    value &= _MASK
    value = ((value ^ (value >> 30)) * _MUL_1) & _MASK
    value = ((value ^ (value >> 27)) * _MUL_2) & _MASK
    return value ^ (value >> 31)


def mix(values: Bits) -> Bits:
    """Return the splitmix64 finaliser of each value; the input array is overwritten."""
    shifted = values >> _SHIFT_30
    values ^= shifted
    values *= _MUL_1_64
    np.right_shift(values, _SHIFT_27, out=shifted)
    values ^= shifted
    values *= _MUL_2_64
    np.right_shift(values, _SHIFT_31, out=shifted)
    values ^= shifted
    return values


# Names come by the hundred thousand and are a few hundred.
@lru_cache(maxsize=4096)
def aspect_code(aspect: str) -> int:
    """Return the 64-bit code of an aspect's name (BLAKE2b, so it is the same everywhere)."""
    return int.from_bytes(hashlib.blake2b(aspect.encode(), digest_size=8).digest(), "little")


def stream(seed: int, aspect: str, day: int = 0) -> int:
    """Return the key of the stream of one aspect on one day.

    Args:
        seed: The world's seed.
        aspect: Name of what is drawn, such as ``"voice"``; each aspect is independent.
        day: Day number (`calendar.day_number`, days since 2000-01-01); 0 for what does not
            change by day. One aspect is drawn by day or not, never both.
    """
    return mix_int(mix_int(mix_int(seed) ^ aspect_code(aspect)) + day * _GOLDEN)


def keys(stream_key: int, entities: npt.NDArray[np.integer]) -> Bits:
    """Return one key per entity: the hash of the stream and the entity's number."""
    return mix(entities.astype(np.uint64) * _GOLDEN_64 + np.uint64(stream_key))


def events(entity_keys: Bits, index: npt.NDArray[np.integer]) -> Bits:
    """Return one key per event, from its entity's key and its index within the entity."""
    return mix(index.astype(np.uint64) * _GOLDEN_64 + entity_keys)


def bits(event_keys: Bits, attribute: str) -> Bits:
    """Return 64 random bits per event for one attribute, independent of other attributes."""
    return mix(event_keys ^ np.uint64(aspect_code(attribute)))


def uniform(random_bits: Bits) -> npt.NDArray[np.float64]:
    """Return uniforms in [0, 1) with 53 bits, from 64 random bits."""
    return (random_bits >> _SHIFT_11).astype(np.float64) * _TWO_POW_MINUS_53


def below(random_bits: Bits, bound: int | npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return integers in [0, bound) from the upper 32 bits (bias below bound / 2**32).

    Args:
        random_bits: 64 random bits per value.
        bound: One bound, or one per value; at least 1 and at most 2**31.
    """
    limit = np.asarray(bound).astype(np.uint64)
    return (((random_bits >> _SHIFT_32) * limit) >> _SHIFT_32).astype(np.int64)


def chance(
    random_bits: Bits, probability: float | npt.NDArray[np.floating]
) -> npt.NDArray[np.bool_]:
    """Return True with the given probability, from 64 random bits."""
    return uniform(random_bits) < probability
