"""Words: enough of them, clean, drawn by their weights."""

import json
import re
import time
from importlib.resources import files

import numpy as np
import pytest

from telco_pipeline.engine import draws
from telco_pipeline.world import vocabulary, vocabulary_build
from telco_pipeline.world.vocabulary import (
    CULTURES,
    GENERATIONS,
    SEXES,
    STREET_LANGUAGES,
    WordTable,
    first_name_row,
    load_vocabulary,
)


def random_bits(count: int) -> draws.Bits:
    return draws.keys(draws.stream(1, "test"), np.arange(count))


def first_names(culture: str, sex: str) -> set[str]:
    words = load_vocabulary().first_names
    at = (np.array(CULTURES.index(culture)), np.array(SEXES.index(sex)))
    rows = [int(first_name_row(*at, np.array(column))) for column in range(len(GENERATIONS))]
    return set().union(*(words.row(row) for row in rows))


@pytest.mark.parametrize("culture", ["nl", "fr", "de"])
def test_languages_of_the_country_have_many_words(culture: str) -> None:
    assert len(first_names(culture, "F")) > 300
    assert len(first_names(culture, "M")) > 300
    words = load_vocabulary()
    assert len(words.last_names.row(CULTURES.index(culture))) > 300
    street_row = STREET_LANGUAGES.index(culture)
    assert len(words.companies.row(street_row)) > 200
    assert len(words.streets.row(street_row)) > (150 if culture == "de" else 250)


def test_words_are_clean() -> None:
    words = load_vocabulary()
    for table in (words.first_names, words.last_names, words.streets, words.companies):
        for word in table.words:
            assert word == word.strip()
            assert re.fullmatch(r"[\w'’´`.&/ -]+", word), word
            assert "_" not in word
            assert "  " not in word


def test_words_come_by_weight() -> None:
    table = WordTable.of([{"often": 3, "seldom": 1}, {"other": 5}])
    drawn = table.sample(random_bits(40_000), np.zeros(40_000, np.int64))
    assert (drawn == "often").mean() == pytest.approx(0.75, abs=0.01)
    assert set(table.sample(random_bits(10), 1)) == {"other"}


def test_frequent_names_are_those_of_the_country() -> None:
    words = load_vocabulary()
    drawn = words.last_names.sample(random_bits(100_000), CULTURES.index("nl"))
    top = drawn.value_counts(sort=True)
    assert top["last_name" if "last_name" in top.columns else top.columns[0]][0] == "Peeters"
    assert 0.005 < top["count"][0] / len(drawn) < 0.05


def test_names_fit_the_generation() -> None:
    words, count = load_vocabulary().first_names, 50_000
    culture = np.array(CULTURES.index("nl"))

    def share(sex: int, generation: int, names: list[str]) -> float:
        row = int(first_name_row(culture, np.array(sex), np.array(generation)))
        return float(words.sample(random_bits(count), row).is_in(names).mean() or 0.0)

    old = ["Godelieve", "Jozef", "Rita", "Marcel"]
    young = ["Noah", "Emma", "Lotte", "Robbe"]
    for sex in (0, 1):
        assert share(sex, 0, old) > 20 * share(sex, 2, old)
        assert share(sex, 2, young) > 20 * share(sex, 0, young)


def test_no_mixed_origins() -> None:
    moroccan = first_names("ma", "M") | first_names("ma", "F")
    mixed = (first_names("nl", "M") | first_names("nl", "F")) & moroccan
    assert mixed <= {"Nadia", "Nora", "Farah", "Mina", "Sanae", "Yasmina", "Assia"}


def test_it_loads_fast() -> None:
    load_vocabulary.cache_clear()
    started = time.perf_counter()
    load_vocabulary()
    assert time.perf_counter() - started < 0.5


def test_the_checked_in_file_has_what_the_build_makes() -> None:
    # Faker may change its words; the structure and what is ours must not drift apart.
    built = vocabulary_build.build()
    text = files("telco_pipeline.world").joinpath("vocabulary.json").read_text(encoding="utf-8")
    stored = json.loads(text)
    assert built.keys() == stored.keys()
    for ours in ("generations", "streets", "contact_centres"):
        assert built[ours] == stored[ours], "run python -m telco_pipeline.world.vocabulary_build"
    assert set(stored["first_names"]) == set(vocabulary.CULTURES)
