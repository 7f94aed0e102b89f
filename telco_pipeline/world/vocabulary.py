"""Names, companies and streets by language: words with weights, drawn by random bits.

Belongs here: reading the checked-in vocabulary and drawing from it. Does not belong here: where
the words come from (`vocabulary_build`), who gets which language (`subscribers`).

Every draw is a look-up in a table of slots: a row of 16,384 slots per list of words, shared out
by the words' weights. So a draw costs one gather, whatever the number of words, and a word rarer
than 1 in 32,768 of its list does not occur.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.engine.draws import Bits

Integers = npt.NDArray[np.int64]

_SLOTS_LOG2: Final = 14
_SLOTS: Final = 1 << _SLOTS_LOG2
_SLOT_SHIFT: Final = np.uint64(64 - _SLOTS_LOG2)

CULTURES: Final = ("nl", "fr", "de", "en", "nld", "fra", "es", "it", "pl", "tr", "ma")
"""Cultures of names: Flemish, Belgian French, German, English, Dutch, French, Spanish, Italian,
Polish, Turkish, Moroccan."""

SEXES: Final = ("F", "M")
GENERATIONS: Final = ("old", "middle", "young")
"""Born before 1962, from 1962 to 1989, from 1990 on."""

GENERATION_STARTS: Final = (1962, 1990)
STREET_LANGUAGES: Final = ("nl", "fr", "de")

# Part of the bearers of a name of one generation (row) that are born in each (column), and of a
# name that is of no generation. Our estimates: the source has counts over all living people.
_SPREAD: Final = {
    "old": (100, 15, 1),
    "middle": (12, 100, 8),
    "young": (1, 8, 100),
    "": (40, 40, 40),
}


@dataclass(frozen=True)
class WordTable:
    """Several lists of weighted words, one per row.

    Attributes:
        words: Every word of every list.
        slots: Position in `words` of each slot, rows one after the other.
    """

    words: pl.Series
    slots: npt.NDArray[np.int32]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, int]]) -> "WordTable":
        """Build the table from one mapping of word to integer weight per row."""
        position: dict[str, int] = {}
        slots = []
        for row in rows:
            numbers = np.array([position.setdefault(word, len(position)) for word in row])
            slots.append(numbers[_shared_out(np.array(list(row.values()), np.int64))])
        words = pl.Series(list(position), dtype=pl.String)
        return cls(words, np.concatenate(slots).astype(np.int32))

    def sample(self, random_bits: Bits, row: Integers | int) -> pl.Series:
        """Return one word per 64 random bits, from the list of its row."""
        slot = (random_bits >> _SLOT_SHIFT).astype(np.int64)
        slot += np.asarray(row, dtype=np.int64) << np.int64(_SLOTS_LOG2)
        return self.words.gather(self.slots[slot])

    def row(self, row: int) -> set[str]:
        """Return the words that can be drawn from a row."""
        return set(self.words.gather(np.unique(self.slots[row * _SLOTS : (row + 1) * _SLOTS])))


def _shared_out(weights: Integers) -> Integers:
    """Return the outcome of each slot: the one at the slot's middle in the cumulated weights."""
    cumulated = np.cumsum(weights)
    # Twice the weights, so that the middle of a slot is a whole number.
    middles = (2 * np.arange(_SLOTS, dtype=np.int64) + 1) * cumulated[-1]
    return np.searchsorted(cumulated * (2 * _SLOTS), middles, side="right")


@dataclass(frozen=True)
class Vocabulary:
    """All words of the world.

    Attributes:
        first_names: One row per culture, sex and generation (`first_name_row`).
        last_names: One row per culture.
        companies: One row per street language: small firms.
        contact_centres: One row.
        streets: One row per street language.
    """

    first_names: WordTable
    last_names: WordTable
    companies: WordTable
    contact_centres: WordTable
    streets: WordTable


def first_name_row(culture: Integers, sex: Integers, generation: Integers) -> Integers:
    """Return the row of `Vocabulary.first_names`; all three are positions in their tuples."""
    return (culture * len(SEXES) + sex) * len(GENERATIONS) + generation


@lru_cache(maxsize=1)
def load_vocabulary() -> Vocabulary:
    """Return the vocabulary, read once per process (about 0.1 s)."""
    source = files("telco_pipeline.world").joinpath("vocabulary.json")
    raw = json.loads(source.read_text(encoding="utf-8"))
    return Vocabulary(
        first_names=WordTable.of(_first_name_rows(raw)),
        last_names=WordTable.of(raw["last_names"][culture] for culture in CULTURES),
        companies=WordTable.of(raw["companies"][language] for language in STREET_LANGUAGES),
        contact_centres=WordTable.of([raw["contact_centres"]]),
        streets=WordTable.of(raw["streets"][language] for language in STREET_LANGUAGES),
    )


def _first_name_rows(raw: dict[str, Any]) -> list[dict[str, int]]:
    """Weigh the first names of each culture and sex by generation."""
    generation_of = {
        word: generation for generation, words in raw["generations"].items() for word in words
    }
    rows = []
    for culture in CULTURES:
        # The generations are those of Belgian names.
        known = generation_of if culture in ("nl", "fr") else {}
        for sex in SEXES:
            names = raw["first_names"][culture][sex]
            rows += [
                {word: many * _SPREAD[known.get(word, "")][column] for word, many in names.items()}
                for column in range(len(GENERATIONS))
            ]
    return rows
