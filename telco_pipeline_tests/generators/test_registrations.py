"""Registrations: from scratch with a challenge, refreshed in time, no clockwork."""

import numpy as np
import polars as pl
import pytest

from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.generators.base import within_day
from telco_pipeline.generators.registrations import registrations
from telco_pipeline_tests.generators.kit import Operator, large_operator

EXPIRY = 4 * 3600


@pytest.fixture(scope="module")
def made() -> pl.DataFrame:
    operator: Operator = large_operator()
    entities = np.arange(4000)
    frames = []
    for number, date in enumerate(operator.days):
        rows = within_day(registrations(operator.inputs.day(date), entities))
        chosen = {
            name: rows[name] for name in ("time", "entity", "response", "session", "record", "call")
        }
        seconds = pl.col("time") / 1e6 + number * 86_400
        frames.append(pl.DataFrame(chosen).with_columns(seconds=seconds, day=pl.lit(number)))
    return pl.concat(frames).sort("entity", "seconds")


def test_a_registration_is_refreshed_before_it_expires(made: pl.DataFrame) -> None:
    granted = made.filter(pl.col("response") == 200)
    gap = granted.select(pl.col("seconds").diff().over("entity")).to_series().drop_nulls()
    # Longer gaps are those of phones that were off.
    assert (gap <= EXPIRY).mean() > 0.98
    # No clockwork: the gaps of refreshes spread over minutes.
    refreshed = gap.filter(gap.is_between(EXPIRY - 2400, EXPIRY))
    assert 300 < refreshed.std() < 900
    assert len(refreshed) > 0.6 * len(gap)


def test_every_dialogue_ends_well_and_has_its_own_numbers(made: pl.DataFrame) -> None:
    inner = made.filter(pl.col("seconds").is_between(120, 3 * 86_400 - 120))
    dialogues = inner.group_by("session", maintain_order=True).agg("response", "seconds")
    # But where the phone went off between two tries, or the network failed all four.
    assert (dialogues["response"].list.last() == 200).mean() > 0.9995
    assert dialogues["response"].list.len().max() <= 5
    twice = dialogues.filter(pl.col("response").list.len() == 2)
    challenged = twice.filter(pl.col("response").list.first() == 401)
    assert 0.1 < challenged.height / dialogues.height < 0.25
    wait = challenged["seconds"].list.diff().list.last()
    assert wait.is_between(0.09, 0.45).all()
    assert made["record"].n_unique() == made["call"].n_unique() == made.height


def test_a_failed_registration_is_tried_again(made: pl.DataFrame) -> None:
    inner = made.filter(pl.col("seconds").is_between(600, 3 * 86_400 - 600))
    dialogues = inner.group_by("session", maintain_order=True).agg("response", "seconds")
    failed = dialogues["response"].list.first().is_in([403, 503, 504])
    assert 0.003 < failed.mean() < 0.02
    wait = dialogues.filter(failed)["seconds"].list.diff().list.get(1, null_on_oob=True)
    assert wait.drop_nulls().is_between(30, 60.1).all()


def test_visitors_register_at_home() -> None:
    inputs = large_operator().inputs
    visitors = np.flatnonzero(inputs.population.kind == VISITOR)
    assert len(visitors) > 100
    day = inputs.day(large_operator().days[1])
    assert not len(registrations(day, visitors)["time"])


def test_how_many_a_day(made: pl.DataFrame) -> None:
    assert 7 < made.height / 3 / made["entity"].n_unique() < 9


def test_midnight_leaves_no_trace(made: pl.DataFrame) -> None:
    minute = (made["time"] // 60_000_000).to_numpy()
    counts = np.bincount(minute, minlength=1440)
    edges = counts[:10].sum() + counts[-10:].sum()
    rest = counts[60:120].sum() + counts[-120:-60].sum()
    assert abs(edges - rest / 6) < 5 * np.sqrt(rest / 6)
