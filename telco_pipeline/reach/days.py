"""Days: how far on each day what is met leads, by kind of record.

Belongs here: from what subscribers meet (`felt`) to the hours in which their records are in reach.
Does not belong here: which rows of a dataset these are (`rows`).

A message is delivered until a day's validity is over, a session lasts up to an hour and some
minutes, the timer of periodic updates goes on over midnight; calls: see `lines`.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.generators.base import Inputs
from telco_pipeline.generators.cdrs import data_sessions, sms
from telco_pipeline.reach import hours
from telco_pipeline.reach.felt import Felt, Senses
from telco_pipeline.reach.hours import Hours
from telco_pipeline.reach.lines import lines

Flags = npt.NDArray[np.bool_]

# Refreshes follow from a registration from scratch for up to two days (`registrations`).
_CHAIN: Final = 3


@dataclass(frozen=True)
class DayReach:
    """Who is in reach on a UTC day: subscribers by entity number, cells and elements by row.

    Attributes:
        date: The day.
        subscribers: Who meets another world himself: as a target, by his state, or at a cell.
        calls: Hours in which calls with him are in reach, whoever starts them.
        quality: Hours in which his packet voice is served better or worse.
        messages: Hours in which messages with him are in reach.
        offered: Whom a campaign may have written to.
        sessions: Hours in which his data sessions are in reach.
        unrated: Whose use abroad is marked otherwise.
        registers: Whose registrations may follow from others.
        updates: Hours in which his location updates are in reach.
        care: Whose contacts with care are.
        changes: Whose changes of identity are.
        cells: Hours in which the state of a cell differs.
        elements: Elements whose alarms, metrics and log lines are in reach.
        damaged: Elements whose files are.
    """

    date: dt.date
    subscribers: Flags
    calls: Hours
    quality: Hours
    messages: Hours
    offered: Flags
    sessions: Hours
    unrated: Flags
    registers: Flags
    updates: Hours
    care: Flags
    changes: Flags
    cells: Hours
    elements: Flags
    damaged: Flags


def walk(inputs: Inputs, senses: Senses, days: Sequence[dt.date]) -> Iterator[DayReach]:
    """Yield who is in reach on some days.

    Args:
        inputs: The main world.
        senses: Tells what is met.
        days: The days from the first difference on, in order and without a break.
    """
    eve: Felt | None = None
    felt = senses.feel(days[0], None) if days else None
    behind = sessions_before = hours.none(inputs.population.size)
    begun = [behind > 0] * _CHAIN
    for following in [*days[1:], None]:
        assert felt is not None
        after = None if following is None else senses.feel(following, felt)
        drawn, behind = lines(inputs, felt, after, behind)
        sessions = _sessions(eve, felt, after)
        begun = [*begun[1:], felt.own > 0]
        registers = np.logical_or.reduce(begun)
        yield _reach(eve, felt, after, drawn, sessions, sessions_before, registers)
        eve, felt, sessions_before = felt, after, sessions


def _reach(
    eve: Felt | None,
    felt: Felt,
    after: Felt | None,
    calls: Hours,
    sessions: Hours,
    sessions_before: Hours,
    registers: Flags,
) -> DayReach:
    met = hours.around(*(_met(one, felt) for one in (eve, felt, after)))
    close = hours.today(hours.later(hours.earlier(met, 1), 1))
    # The timer starts anew with each contact: from the first that differs on, until the end of the
    # next day, which knows how the last one ended.
    spent = hours.later(sessions, hours.HOURS - 1) & hours.ALL_DAY
    return DayReach(
        date=felt.date,
        subscribers=(felt.people > 0)
        | (felt.quality > 0)
        | felt.state
        | felt.terms
        | felt.unrated
        | felt.offered,
        calls=calls | close | hours.all_day(felt.queue),
        quality=felt.quality,
        messages=hours.today(hours.later(met, hours.whole(sms.TAIL))),
        offered=felt.offered,
        sessions=sessions,
        unrated=felt.unrated,
        registers=registers,
        updates=spent | hours.all_day(sessions_before > 0),
        care=felt.state | felt.queue | (felt.people > 0),
        changes=felt.changes,
        cells=felt.cells,
        elements=felt.elements | felt.busy | (eve.busy if eve else False),
        damaged=felt.damaged,
    )


def _sessions(eve: Felt | None, felt: Felt, after: Felt | None) -> Hours:
    """Return the hours in which data sessions are in reach: they may last that long."""
    met = [_met(one, felt) for one in (eve, felt, after)]
    for number, one in enumerate((eve, felt, after)):
        if one is not None:
            met[number] = met[number] | one.quality | hours.all_day(one.terms)
    long = hours.whole(data_sessions.TAIL)
    return hours.today(hours.later(hours.earlier(hours.around(*met), long), long))


def _met(felt: Felt | None, like: Felt) -> Hours:
    return hours.none(len(like.people)) if felt is None else felt.people | felt.night
