"""Rows of `subscriber_state`, from a world's own network and identities."""

import datetime as dt
from functools import cache

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.contracts.state import SUBSCRIBER_STATE
from telco_pipeline.engine.parts import Part, parts
from telco_pipeline.generators import Inputs, customers
from telco_pipeline_tests.generators.kit import inputs_of, small_world

_DAYS = 4


@cache
def _inputs() -> Inputs:
    return inputs_of(small_world(subscribers=2000, part_size=1024))


def _day(number: int) -> dt.date:
    return _inputs().config.epoch + dt.timedelta(days=number)


def _parts(number: int) -> list[Part]:
    """Return the parts of a day: of who has joined by then."""
    return parts(_inputs().config.joined_by(_day(number)), 1024)


@cache
def _made() -> list[list[pl.DataFrame]]:
    """Return the rows of some days, part by part, each from those of the day before."""
    before: list[pl.DataFrame | None] = [None for _ in _parts(0)]
    days = []
    for number in range(_DAYS):
        before = [
            customers.make(_inputs(), _day(number), part, eve).to_frame()
            for part, eve in zip(_parts(number), before, strict=True)
        ]
        days.append(before)
    return days


def test_rows_keep_the_contract_and_the_order_of_the_registry() -> None:
    for frames in _made():
        rows = pl.concat(frames)
        SUBSCRIBER_STATE.schema.validate(rows, cast=False)
        keys = pl.Series("subscriber_id", _inputs().population.subscriber_id[: rows.height])
        assert (rows["subscriber_id"] == keys).all()
    # Somebody joins on these days.
    assert pl.concat(_made()[-1]).height > pl.concat(_made()[0]).height >= 2000


def test_parts_are_those_of_the_whole() -> None:
    whole = Part(0, 0, _parts(2)[-1].stop)
    eve = pl.concat(_made()[1])
    rows = customers.make(_inputs(), _day(2), whole, eve).to_frame()
    assert_frame_equal(rows, pl.concat(_made()[2]))


def test_the_book_gives_the_day_before() -> None:
    part = _parts(_DAYS - 1)[1]
    assert_frame_equal(
        customers.rows(_inputs(), _day(_DAYS - 1), part).to_frame(), _made()[_DAYS - 1][1]
    )


def test_another_day_before_makes_another_day() -> None:
    part, eve = _parts(2)[0], _made()[1][0]
    other = eve.with_columns(satisfaction=pl.lit(0.1))
    rows = customers.make(_inputs(), _day(2), part, other).to_frame()
    active = (rows["status"] == "active").to_numpy() & (_inputs().population.kind[: part.size] < 2)
    changed = rows["churn_hazard"].to_numpy() > _made()[2][0]["churn_hazard"].to_numpy()
    assert changed[active].all()


def test_a_day_before_of_other_subscribers_is_refused() -> None:
    """Nor is one of fewer, or none at all: their state would begin anew."""
    first, last = _parts(1)
    eve = _made()[0]
    for part, rows in ((first, eve[0].head(1000)), (first, None), (last, eve[1].head(900))):
        with pytest.raises(ValueError, match="rows, not"):
            customers.make(_inputs(), _day(1), part, rows)
    # Nor any at all on the epoch.
    with pytest.raises(ValueError, match="1024 rows, not 0"):
        customers.make(_inputs(), _day(0), _parts(0)[0], eve[0])


def test_tenure_counts_on() -> None:
    first, second = pl.concat(_made()[0]), pl.concat(_made()[1])
    served = (first["status"] == "active").to_numpy() & first["change"].is_null().to_numpy()
    more = second["tenure_days"].to_numpy()[: first.height] - first["tenure_days"].to_numpy()
    assert (more[served] == 1).all()
    epoch = (_inputs().config.epoch - dt.date(1970, 1, 1)).days
    own = np.arange(first.height) < _inputs().config.subscribers
    began = epoch - _inputs().population.contract_start[: first.height]
    assert (first["tenure_days"].to_numpy()[own] == began[own]).all()
