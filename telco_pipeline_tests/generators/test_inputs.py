"""Which days the inputs of a process keep."""

import datetime as dt

import pytest

from telco_pipeline.generators import inputs
from telco_pipeline.generators.inputs import Inputs


def test_the_day_longest_not_asked_for_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Stub:
        def __init__(self, _: Inputs, date: dt.date) -> None:
            made.append(date.day)

    monkeypatch.setattr(inputs, "Day", Stub)
    monkeypatch.setattr(Inputs, "identities_until", lambda _, until: None)
    world = Inputs.__new__(Inputs)
    vars(world).update(_days={}, days_kept=3)
    for number in (1, 2, 3, 1, 4, 1, 3, 2):
        world.day(dt.date(2026, 1, number))
    assert made == [1, 2, 3, 4, 2]
