"""Numbers of ranges: as long as those of their country, different, and the same again."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.behaviour import ranges
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.timeline import Incident, incidents
from telco_pipeline.world import numbering
from telco_pipeline_tests.generators.kit import small_world

CONFIG = small_world(subscribers=1000)


def incident(number: int = 1) -> Incident:
    tree = {
        "version": 1,
        "number": number,
        "title": "Something",
        "story": "Something happens.",
        "kind": "fraud",
        "when": {"first": "0d"},
        "cast": {"them": {"of": "subscribers"}},
        "stages": [{"name": "it", "lasts": "1d", "do": [{"swap": {"who": "them"}}]}],
    }
    until = CONFIG.epoch + dt.timedelta(days=1)
    return next(iter(incidents(CONFIG, Layer.model_validate(tree), until)))


@pytest.mark.parametrize(
    ("beginning", "digits", "network"),
    [
        ("+37167", 11, "24701"),
        ("+5399", 10, "36801"),
        ("+3363998", 11, "20801"),
        ("+88213", 12, None),
        ("+32481", 11, "20662"),
        ("+32461", 11, "20661"),
        ("+3290", 10, None),
        ("+6909999", 7, None),
        ("+371671234567", 12, "24701"),
    ],
)
def test_length_and_network(beginning: str, digits: int, network: str | None) -> None:
    assert ranges.length_of(CONFIG, beginning) == digits
    assert ranges.network_of(CONFIG, beginning) == network


def test_no_country_s_code_begins_with_another_s() -> None:
    codes = [code for group in ranges._DIGITS.values() for code in group]
    assert len(codes) == len(set(codes))
    for code in codes:
        assert not any(other != code and other.startswith(code) for other in codes), code
    assert set(ranges._NETWORKS) <= set(codes)


def test_numbers_differ_and_come_again() -> None:
    place = np.arange(1000)
    beginnings = ["+37167", "+53991"]
    numbers, which = ranges.numbers_of(CONFIG, incident(), beginnings, place)
    assert len(np.unique(numbers)) == 1000
    assert set(np.bincount(which)) == {500}
    some = np.array([17, 3, 999])
    assert (ranges.numbers_of(CONFIG, incident(), beginnings, some)[0] == numbers[some]).all()
    other = ranges.numbers_of(CONFIG, incident(2), beginnings, place)[0]
    assert np.isin(other, numbers).sum() < 10


def test_a_range_without_room_gives_what_it_has() -> None:
    numbers, _ = ranges.numbers_of(CONFIG, incident(), ["+5399123456"], np.arange(5))
    assert set(numbers) == {5399123456}


@given(st.lists(st.from_regex(r"\+[1-9][0-9]{2,11}", fullmatch=True), min_size=1, max_size=5))
def test_any_beginning_makes_numbers_of_e164(beginnings: list[str]) -> None:
    numbers, which = ranges.numbers_of(CONFIG, incident(), beginnings, np.arange(20))
    for number, row in zip(numbers, which, strict=True):
        assert f"+{number}".startswith(beginnings[row])
        assert 7 <= len(str(number)) <= 15


def test_a_sales_line_is_nobody_s_number() -> None:
    other = next(n for n, one in enumerate(CONFIG.operators) if not one.own)
    ndcs = CONFIG.operators[other].ndcs
    code = CONFIG.numbering.country_code
    line = ranges.sales_line(CONFIG, other, np.zeros(0, dtype=np.int64))
    again = ranges.sales_line(CONFIG, other, np.array([line]))
    assert line != again
    for number in (line, again):
        assert any(str(number).startswith(code + ndc) for ndc in ndcs)
        assert number % numbering.NDC_CAPACITY == number - int(code + ndcs[0]) * 10**6
