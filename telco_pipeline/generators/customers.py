"""State of subscribers by day: the rows of `subscriber_state`.

Belongs here: what the day needs of the inputs, reading the day before, the columns. Does not
belong here: how the state follows from that of the day before (`state.customers`).
"""

import datetime as dt
from functools import lru_cache

import numpy as np
import polars as pl

from telco_pipeline.behaviour.presence import Placed, placed_around
from telco_pipeline.contracts.state import SUBSCRIBER_STATE
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.inputs import Inputs
from telco_pipeline.lake import Rowset
from telco_pipeline.state.contacts import IdentityDay
from telco_pipeline.state.customer_columns import Texts
from telco_pipeline.state.customers import State, Today
from telco_pipeline.state.lifecycle import Calendar
from telco_pipeline.state.registry import Facts
from telco_pipeline.state.story_customers import StoryToday


def rows(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the rows of a day and a part; the day before comes from the book."""
    return make(inputs, date, part, inputs.book.before(date, part))


def make(inputs: Inputs, date: dt.date, part: Part, before: pl.DataFrame | None) -> Rowset:
    """Return the rows of a day and a part, in the order of the entities.

    Args:
        inputs: The world.
        date: The day.
        part: The subscribers.
        before: The rows of the same part on the day before, without who joins on the day; None
            where it had none.

    Raises:
        ValueError: The day before has not the subscribers that were customers by then: the state
            of the others would begin anew.
    """
    facts, today = _registry(inputs), _today(inputs, date)
    entities = np.arange(part.start, part.stop)
    texts = Texts(inputs.plans["plan_id"], inputs.cells.cell_id)
    known = 0 if before is None else before.height
    if known != (expected := _known_before(inputs, date, part)):
        raise ValueError(f"part {part.number} on the eve of {date}: {known} rows, not {expected}")
    eve = State.first(facts, entities[known:])
    if before is not None:
        eve = State.read(before, texts).followed_by(eve)
    state = State.step(eve, facts, today, entities)
    subscriber_id = inputs.population.subscriber_id[entities]
    return Rowset.of(SUBSCRIBER_STATE, state.columns(subscriber_id, texts))


def _known_before(inputs: Inputs, date: dt.date, part: Part) -> int:
    """Return how many subscribers of a part the state of the day before tells of."""
    if date == inputs.config.epoch:
        return 0
    joined = inputs.config.joined_by(date - dt.timedelta(days=1))
    return min(max(joined, part.start), part.stop) - part.start


@lru_cache(maxsize=1)
def _registry(inputs: Inputs) -> Facts:
    """Return what stays the same of all subscribers."""
    return Facts.of(inputs.config, inputs.population, inputs.plans)


@lru_cache(maxsize=2)
def _today(inputs: Inputs, date: dt.date) -> Today:
    """Return a day for all subscribers; parts share it."""
    network = inputs.day(date).network
    identity = _identity_changes(inputs, date)
    story = StoryToday.of(inputs.story, date)
    return Today.of(inputs.config, date, network, identity, _placed(inputs, date), story)


def _placed(inputs: Inputs, date: dt.date) -> Placed:
    """Return where scenario layers put SIMs around a day, as far back as a bill of the day goes."""
    first = date
    if Calendar.of(inputs.config, date).bill_day:
        first = (date.replace(day=1) - dt.timedelta(days=1)).replace(day=1)
    return placed_around(inputs.story, inputs.population, first, date)


def _identity_changes(inputs: Inputs, date: dt.date) -> IdentityDay:
    """Return the changes of identity of a day by entity; who comes and leaves is not among them."""
    identities = inputs.identities_until(date)
    changes = identities.changes_of(date)
    order = np.argsort(identities.entity[changes], kind="stable")
    changes = changes[order]
    return IdentityDay(
        identities.entity[changes], identities.kind[changes], identities.time[changes]
    )
