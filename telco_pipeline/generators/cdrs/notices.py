"""Notices: what scenario layers let short codes write to subscribers, such as the codes of banks.

Belongs here: `codes` of the effect `usage`: to whom, from which short code, when. Does not belong
here: what short codes write anyway (`behaviour.contacts`), what campaigns write (`offers`), how
messages are delivered (`sms`).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from telco_pipeline.behaviour.population import VISITOR
from telco_pipeline.behaviour.rhythm import WHOLE_DAY
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.base import EVENTS_PER_WINDOW, Day, Events, Rows
from telco_pipeline.generators.usage import drawn, numbered, stretch_of
from telco_pipeline.scenarios.effects import Usage
from telco_pipeline.scenarios.story import Touch

_KIND: Final = "sms_code"
# Class of the directory's parties that are short codes, and the one behind it.
_CODES: Final = slice(4, 6)


def notices(day: Day, part: Part) -> Iterator[tuple[Events, Rows]]:
    """Yield what short codes write on a day because of layers, to the subscribers of a part.

    They write at the hours at which messages are written, or at all hours alike (`evenly`), to
    phones that are on. Visitors are customers of other networks, through which such messages come.

    Args:
        day: The day.
        part: The subscribers.

    Yields:
        Whom a layer lets write to, and when; and from which party of the directory each comes.
    """
    known = _none(day)
    for touch in day.story.of("usage"):
        found = _of_touch(day, touch, part)
        found = numbered(known, found, WHOLE_DAY, EVENTS_PER_WINDOW)
        if len(found):
            known = known.followed_by(found)
            yield found, _sender(touch, found)


def _of_touch(day: Day, touch: Touch, part: Part) -> Events:
    effect = touch.effect
    assert isinstance(effect, Usage)
    rate, stretch = touch.amount(effect.codes), stretch_of(day, touch, WHOLE_DAY)
    place = np.arange(*np.searchsorted(touch.rows, [part.start, part.stop]))
    place = place[day.inputs.population.kind[touch.rows[place]] != VISITOR]
    if rate == 0.0 or stretch is None or not place.size:
        return _none(day)
    who, rhythm = touch.rows[place], day.rhythm("messages")
    row = rhythm.rows(day.inputs.population.persona[who], day.inputs.chronotype[who])
    share = rhythm.part_of_day(row, stretch)
    if effect.evenly:
        share = np.full(len(place), (stretch.stop - stretch.start) / DAY)
    mean = rate * share
    return drawn(day, touch, place, _KIND, "messages", mean, window=stretch, evenly=effect.evenly)


def _sender(touch: Touch, events: Events) -> Rows:
    """Return the short code that writes each: of a target always the same one."""
    first, end = events.day.inputs.directory.first[_CODES]
    _, place = touch.among(events.entity)
    return first + draws.below(draws.bits(touch.key[place], "codes/sender"), end - first)


def _none(day: Day) -> Events:
    nothing = np.zeros(0, dtype=np.int64)
    return Events(day, _KIND, nothing, nothing, nothing.astype(np.uint64), nothing)
