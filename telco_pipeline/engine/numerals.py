"""Texts that are numbers: kept as integers, made into text when they are asked for.

Belongs here: numbers of SIMs, phones and subscribers as text and back. Does not belong here: how
their digits are put together (`world.numbering`).

A text takes 16 bytes in Polars, and as many again beyond 12 characters. Of millions of numbers a
part of the records needs some thousands, so making those is cheaper than keeping all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

Integers = npt.NDArray[np.int64]

E164: Final = 0
"""Width of telephone numbers: as they come, with a plus sign but for short codes."""


@dataclass(frozen=True)
class Numerals:
    """A list of texts that are numbers, in 8 bytes each.

    Attributes:
        numbers: The numbers; a telephone number without plus sign is negative.
        width: Digits of each, filled up with zeros on the left; `E164` for telephone numbers.
    """

    numbers: Integers
    width: int

    @classmethod
    def of(cls, texts: pl.Series, width: int) -> Self:
        """Read texts of `width` digits, or telephone numbers."""
        if width == E164:
            short = ~texts.str.starts_with("+").to_numpy()
            numbers = texts.str.strip_prefix("+").cast(pl.Int64).to_numpy()
            return cls(np.where(short, -numbers, numbers), width)
        return cls(texts.cast(pl.Int64).to_numpy(), width)

    @classmethod
    def joined(cls, lists: "Sequence[Numerals]") -> "Numerals":
        """Put lists of one width behind each other."""
        return cls(np.concatenate([one.numbers for one in lists]), lists[0].width)

    def __len__(self) -> int:
        """Return the number of texts."""
        return len(self.numbers)

    def __getitem__(self, row: int) -> str:
        """Return one text."""
        return self.gather(np.array([row]))[0]

    def select(self, rows: npt.NDArray[np.integer] | slice) -> "Numerals":
        """Return some of the texts, as numbers still."""
        return Numerals(self.numbers[rows], self.width)

    def gather(self, rows: npt.NDArray[np.integer]) -> pl.Series:
        """Return the texts at some rows."""
        return self.select(rows).to_series()

    def to_series(self) -> pl.Series:
        """Return all texts."""
        numbers = self.numbers
        text = pl.Series(numbers, dtype=pl.Int64).cast(pl.String)
        if self.width == E164:
            text = pl.select("+" + pl.lit(text)).to_series()
            return text.str.strip_prefix("+-") if numbers.size and numbers.min() < 0 else text
        # Few identifiers begin with zeros, and filling costs more than casting.
        if numbers.size and int(numbers.min()) < 10 ** (self.width - 1):
            return text.str.zfill(self.width)
        return text
