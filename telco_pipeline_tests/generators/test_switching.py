"""What the life of a subscription does to its phone: sessions, messages, attach and detach."""

import datetime as dt
from functools import cache

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.contracts.codes import LifeChange
from telco_pipeline.engine.calendar import HOUR, MINUTE, day_start
from telco_pipeline.generators import Inputs
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world
from telco_pipeline_tests.networks import HandBook, customers_day

DATE = dt.date(2026, 1, 14)
NOON = 12 * HOUR + 7 * MINUTE
CHANGES = list(LifeChange)


@cache
def inputs() -> Inputs:
    return inputs_of(small_world(subscribers=1500, part_size=2048))


def _people() -> list[int]:
    """Return people whose subscription changes: every fourth one."""
    population = inputs().population
    return np.flatnonzero(population.kind != VISITOR)[::4].tolist()


def _records(name: str, **given: object) -> pl.DataFrame:
    """Return the records of those people on the day, with what customers there are."""
    size = inputs().population.size
    book = HandBook(inputs())
    book.people_on[DATE] = customers_day(size, **given)  # type: ignore[arg-type]
    ids = pl.Series(inputs().population.subscriber_id[_people()])
    rows = make_day(inputs(), name, DATE)
    return rows.filter(pl.col("subscriber_id").is_in(ids.implode()))


def _noon() -> dt.datetime:
    return dt.datetime.fromtimestamp((day_start(DATE) + NOON) / 1e6, dt.UTC)


def _change(change: LifeChange) -> dict[int, tuple[int, int]]:
    return dict.fromkeys(_people(), (CHANGES.index(change), NOON))


@pytest.mark.parametrize("name", ["cdrs_data", "cdrs_sms", "location_updates"])
def test_who_is_suspended_or_gone_leaves_no_records(name: str) -> None:
    assert _records(name).height > 100
    for status in ("suspended", "terminated", "ported_out", "prospect"):
        rows = _records(name, **{status: _people()})
        # The day before they were active: what began then may end on the day.
        early = pl.col("event_time").dt.hour() < 2
        assert rows.filter(~early).height == 0, status


@pytest.mark.parametrize(
    "change", [LifeChange.SUSPENSION, LifeChange.TERMINATION, LifeChange.PORT_OUT]
)
def test_service_ends_at_the_change(change: LifeChange) -> None:
    changes = _change(change)
    for name in ("cdrs_data", "cdrs_sms", "location_updates"):
        rows = _records(name, changes=changes)
        assert rows.filter(pl.col("event_time") < _noon()).height > 100
        assert rows.filter(pl.col("event_time") >= _noon()).height == 0, name
    updates = _records("location_updates", changes=changes)
    last = updates.sort("event_time").group_by("subscriber_id").last()
    gone = last.filter(pl.col("event_time") == _noon() - dt.timedelta(microseconds=1))
    assert gone.height > 0.7 * len(_people())
    assert (gone["update_type"].cast(pl.String) == "detach").all()


@pytest.mark.parametrize(
    ("status", "change"),
    [("suspended", LifeChange.RESUMPTION), ("prospect", LifeChange.ACTIVATION)],
)
def test_service_begins_at_the_change(status: str, change: LifeChange) -> None:
    given = {status: _people(), "changes": _change(change)}
    for name in ("cdrs_data", "cdrs_sms", "location_updates"):
        rows = _records(name, **given)
        late = pl.col("event_time") >= _noon()
        assert rows.filter(late).height > 100
        before = rows.filter(~late & (pl.col("event_time").dt.hour() >= 2))
        assert before.height == 0, name
    updates = _records("location_updates", **given).filter(pl.col("event_time") >= _noon())
    first = updates.sort("event_time").group_by("subscriber_id", maintain_order=True).first()
    at_once = first.filter(pl.col("event_time") == _noon())
    assert at_once.height > 0.7 * len(_people())
    assert (at_once["update_type"].cast(pl.String) == "attach").all()
