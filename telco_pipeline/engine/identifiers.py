"""Identifiers that tell nothing: keyed bijections of counters, and check digits.

Belongs here: permutations of integer ranges, event ids, the Luhn digit. Does not belong here: the
layout of an IMSI, MSISDN, IMEI or cell identity, which is knowledge of the world.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.engine.draws import mix_int, stream

Integers = npt.NDArray[np.int64]

ENTITY_BITS: Final = 26
INDEX_BITS: Final = 18
DAY_BITS: Final = 14
KIND_BITS: Final = 5
_EVENT_BITS: Final = ENTITY_BITS + INDEX_BITS + DAY_BITS + KIND_BITS  # 63: fits SQL's BIGINT

MAX_ENTITIES: Final = 1 << ENTITY_BITS
MAX_INDEX: Final = 1 << INDEX_BITS


class Permutation:
    """A keyed bijection of the integers 0 .. size - 1.

    Multiplications by odd numbers and right shifts, all modulo a power of two, are invertible;
    values that fall outside the range are mapped again until they fall inside (cycle walking).
    Six rounds: with three, one key in thirty left a pattern in ranges of a million or less; with
    five, one in hundreds did in ranges of a thousand.
    """

    _ROUNDS: Final = 6

    def __init__(self, size: int, seed: int, aspect: str) -> None:
        """Choose the permutation of `size` integers that belongs to a seed and an aspect."""
        if not 1 <= size <= 1 << 63:
            raise ValueError(f"size must be from 1 to 2**63: {size}")
        self.size = size
        self._bits = max((size - 1).bit_length(), 2)
        self._mask = np.uint64((1 << self._bits) - 1)
        self._shift = np.uint64((self._bits + 1) // 2)
        key = stream(seed, f"permutation/{aspect}")
        self._constants = [
            np.uint64(mix_int(key + step) & int(self._mask)) for step in range(2 * self._ROUNDS)
        ]

    def __call__(self, numbers: npt.NDArray[np.integer]) -> Integers:
        """Return the images of `numbers`, each from 0 to size - 1.

        Raises:
            ValueError: When a number lies outside 0 to size - 1, as its image would not be unique.
        """
        _check_range("number", numbers, self.size)
        values = self._once(numbers.astype(np.uint64))
        if self.size != 1 << self._bits:
            size = np.uint64(self.size)
            outside = np.flatnonzero(values >= size)
            while outside.size:
                again = self._once(values[outside])
                values[outside] = again
                outside = outside[again >= size]
        return values.astype(np.int64)

    def _once(self, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        for step in range(0, 2 * self._ROUNDS, 2):
            values = (values + self._constants[step]) & self._mask
            values = (values * (self._constants[step + 1] | np.uint64(1))) & self._mask
            values ^= values >> self._shift
        return values


class EventIds:
    """Unique event ids: a keyed bijection of (kind, day, entity, index) to 63 bits.

    Unique over all datasets, days and entities without any running number, and without telling
    the day, the entity or the order.
    """

    def __init__(self, seed: int, aspect: str = "event_id") -> None:
        """Choose the bijection of a seed and an aspect (event ids, call references, ...)."""
        self._permutation = Permutation(1 << _EVENT_BITS, seed, aspect)

    def __call__(
        self,
        kind: int,
        day: int,
        entity: npt.NDArray[np.integer],
        index: npt.NDArray[np.integer],
    ) -> Integers:
        """Return one id per event.

        Args:
            kind: Number of the event's kind, 0 to 31.
            day: Day number since 2000-01-01, 0 to 2**14 - 1 (until 2044).
            entity: Number of the entity that the event belongs to, below 2**26.
            index: Index of the event within (kind, day, entity), below 2**18.

        Raises:
            ValueError: When one of them is out of its range, as the id would not be unique.
        """
        return self.of(pack(kind, day, entity, index))

    def of(self, packed: Integers) -> Integers:
        """Return the ids of positions that `pack` made."""
        return self._permutation(packed)


def pack(
    kind: int,
    day: int,
    entity: npt.NDArray[np.integer],
    index: npt.NDArray[np.integer] | int,
) -> Integers:
    """Return (kind, day, entity, index) as one number of 63 bits; the index is its lowest part.

    Raises:
        ValueError: When one of them is out of its range, as ids would not be unique.
    """
    if not (0 <= kind < 1 << KIND_BITS):
        raise ValueError(f"kind must be from 0 to {(1 << KIND_BITS) - 1}: {kind}")
    if not (0 <= day < 1 << DAY_BITS):
        raise ValueError(f"day must be from 0 to {(1 << DAY_BITS) - 1}: {day}")
    _check_range("entity", entity, MAX_ENTITIES)
    _check_range("index", index, MAX_INDEX)
    head = ((kind << DAY_BITS) | day) << (ENTITY_BITS + INDEX_BITS)
    packed = np.asarray(entity, dtype=np.int64) << np.int64(INDEX_BITS)
    packed = packed | np.asarray(index, dtype=np.int64)  # either may be one for all
    packed |= np.int64(head)
    return packed


def _check_range(name: str, numbers: npt.NDArray[np.integer] | int, size: int) -> None:
    """Raise unless every number lies in 0 .. size - 1."""
    numbers = np.asarray(numbers)
    if numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) >= size):
        raise ValueError(
            f"{name} must be from 0 to {size - 1}: found {numbers.min()} to {numbers.max()}"
        )


def luhn_digit(numbers: Integers, digits: int) -> Integers:
    """Return the Luhn check digit of each number, read as `digits` decimal digits.

    The rightmost digit of the number is doubled first (ISO/IEC 7812-1, TS 23.003 annex B).
    """
    total = np.zeros_like(numbers)
    rest = numbers.copy()
    for position in range(digits):
        rest, digit = np.divmod(rest, 10)
        if position % 2 == 0:
            digit = digit * 2
            digit -= 9 * (digit > 9)
        total += digit
    return (-total) % 10
