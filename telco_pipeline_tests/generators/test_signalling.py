"""Signalling: devices that have gone astray ask more often, and others less."""

from functools import cache

import polars as pl
import pytest

from telco_pipeline.generators import Inputs
from telco_pipeline_tests.generators.kit import make_day
from telco_pipeline_tests.generators.story_kit import (
    DAY,
    begin_and_end,
    layer,
    of,
    others,
    plain_day,
    targets,
    with_story,
    within,
)

UPDATES = "location_updates"


@cache
def asking(factor: float, kind: str, number: int = 600) -> Inputs:
    role = {"number": number, "where": {"kind": kind}}
    return with_story(layer({"signalling": {"factor": factor}}, role))


@cache
def updates(factor: float, kind: str) -> pl.DataFrame:
    return make_day(asking(factor, kind), UPDATES, DAY)


@pytest.mark.parametrize(("kind", "factor"), [("person", 5.0), ("machine", 20.0)])
def test_more_of_them(kind: str, factor: float) -> None:
    inputs = asking(factor, kind)
    who, (begin, end) = targets(inputs), begin_and_end(inputs)
    more = of(updates(factor, kind), who)
    usual = of(plain_day(UPDATES, DAY), who)
    times = within(more, begin, end).height / within(usual, begin, end).height
    assert times == pytest.approx(factor, rel=0.25)
    # What there is otherwise stays.
    assert set(usual["event_id"]) <= set(more["event_id"])
    assert more["event_id"].n_unique() == more.height
    added = more.filter(~pl.col("event_id").is_in(usual["event_id"].implode()))
    assert within(added, begin, end).height == added.height
    kinds = added["update_type"].cast(pl.String).value_counts(normalize=True)
    told = dict(kinds.iter_rows())
    assert set(told) == {"attach", "periodic"}
    assert 0.4 < told["attach"] < 0.5
    assert added["event_time"].dt.microsecond().n_unique() > 0.95 * added.height


def test_fewer_of_them() -> None:
    inputs = asking(0.3, "person")
    who, (begin, end) = targets(inputs), begin_and_end(inputs)
    fewer = of(updates(0.3, "person"), who)
    usual = of(plain_day(UPDATES, DAY), who)
    regular = pl.col("update_type").is_in(["periodic", "tracking area change"])
    kept = within(fewer.filter(regular), begin, end).height
    assert kept / within(usual.filter(regular), begin, end).height == pytest.approx(0.3, abs=0.06)
    attached = pl.col("update_type").is_in(["attach", "detach"])
    assert fewer.filter(attached)["event_id"].equals(usual.filter(attached)["event_id"])
    assert not within(fewer, end, end.replace(hour=23)).equals(usual.clear())
    assert set(fewer["event_id"]) <= set(usual["event_id"])


@pytest.mark.parametrize("factor", [0.3, 5.0])
def test_nothing_else_changes(factor: float) -> None:
    inputs = asking(factor, "person")
    who = targets(inputs)
    assert others(updates(factor, "person"), who).equals(others(plain_day(UPDATES, DAY), who))
    for name in ("cdrs_data", "cdrs_voice", "cdrs_ims"):
        assert make_day(inputs, name, DAY).equals(plain_day(name, DAY)), name
    for offset in (-1, 1):
        day = DAY.replace(day=DAY.day + offset)
        assert make_day(inputs, UPDATES, day).equals(plain_day(UPDATES, day)), day


def test_factors_of_several_layers_multiply() -> None:
    one = layer({"signalling": {"factor": 3}}, {"number": 600, "where": {"kind": "person"}})
    everybody = {"where": {"kind": "person"}}
    both = with_story(one, layer({"signalling": {"factor": 4}}, everybody, number=2))
    first = with_story(one)
    who, (begin, end) = targets(first), begin_and_end(first)
    found = within(of(make_day(both, UPDATES, DAY), who), begin, end).height
    usual = within(of(plain_day(UPDATES, DAY), who), begin, end).height
    assert found / usual == pytest.approx(12.0, rel=0.2)
