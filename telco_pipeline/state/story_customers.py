"""What scenario layers do to subscribers on a day, as the mechanisms of their state take it.

Belongs here: from touches to arrays of a slice of the subscribers, stages that the state of a
subscriber triggers. Does not belong here: what follows from it (`customers`, `spending`,
`lifecycle`, `contacts`), who takes an offer (`offers`).
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.behaviour.presence import country_of
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.scenarios.effects import Bill, Care, Churn, Content, Offer, Unpaid
from telco_pipeline.scenarios.story import Episodes, Story, Touch, Watch
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.lifecycle import (
    BILLS,
    PROSPECT,
    REMINDERS,
    SUSPENDED,
    Calendar,
    Morning,
    Pushes,
    bill_date,
    reminder_keys,
)
from telco_pipeline.state.offers import UPGRADE, days_of, offered, sent_at
from telco_pipeline.state.spending import COSTLY, Surprise

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

EFFECTS: Final = ("content", "care", "bill", "churn", "unpaid", "offer")
"""The effects on the state of subscribers."""
_NO_ROWS: Final = np.zeros(0, dtype=np.int64)
_MOST_MORE: Final = 100.0
# A suspension is over after so long, in all but one of 100 million.
_SUSPENDED_DAYS: Final = 120
_MONTHS_BACK: Final = 6
# Who has left for so long may be won back.
_GONE_DAYS: Final = 10


@dataclass(frozen=True)
class Asked:
    """Those whom layers make turn to care in a time around the day: one element each.

    Attributes:
        row: Rows of the subscribers.
        topic: With what, as `effects.Care` names it.
        key: Key of the draws.
        first: First UTC day, since 1970, on which it may be.
        count: Number of days.
        start, end: The time, microseconds since 1970.
    """

    row: Rows
    topic: npt.NDArray[np.str_]
    key: draws.Bits
    first: Rows
    count: Rows
    start: Rows
    end: Rows


@dataclass(frozen=True)
class Imposed:
    """What layers do to a slice of the subscribers on a day; None where they do nothing.

    Attributes:
        episode: Code of the stage with a trigger that began last for each, -1 for none.
        episode_start: When it began, microseconds since 1970, -1 for none.
        content: Change of satisfaction.
        pressure: Factor on the chance to leave.
        pushes: What they do to the life of the subscriptions.
        surprise: What they add to the bills of today.
        asked: Who turns to care.
    """

    episode: Rows
    episode_start: Rows
    content: Floats | None = None
    pressure: Floats | None = None
    pushes: Pushes | None = None
    surprise: Surprise | None = None
    asked: Asked | None = None


@dataclass(frozen=True)
class _Debts:
    """Bills that stay unpaid: who, and the UTC day (since 1970) on which that suspends him."""

    entity: Rows
    day: Rows


@dataclass(frozen=True)
class StoryToday:
    """What layers do to subscribers on a UTC day, as far as no state of the day before decides it.

    Attributes:
        story: The layers of the world.
        date: The day.
    """

    story: Story
    date: dt.date

    @classmethod
    def of(cls, story: Story, date: dt.date) -> "StoryToday | None":
        """Prepare a day; None if no layer that is on reaches the state of subscribers."""
        return cls(story, date) if story.triggers or story.has(*EFFECTS) else None

    @cached_property
    def touches(self) -> tuple[Touch, ...]:
        """What stages without a trigger do."""
        return self.story.on(self.date).of(*EFFECTS)

    @cached_property
    def watches(self) -> list[Watch]:
        """Stages with a trigger that may begin, by their codes."""
        if not self.story.triggers:
            return []
        return sorted(self.story.watches(self.date), key=lambda watch: watch.code)

    @cached_property
    def lasting(self) -> dict[int, int]:
        """How long stages with a trigger last that may go on, by code."""
        return self.story.lasting(self.date)

    @cached_property
    def bill_moments(self) -> list[tuple[dt.date, int]]:
        """First days of the last months up to today's, and when their bills begin to come."""
        found = []
        month = Calendar.of(self.story.config, self.date).date.replace(day=1)
        for _ in range(_MONTHS_BACK):
            found.append((month, _bill_moment(self.story.config, month)))
            month = (month - dt.timedelta(days=1)).replace(day=1)
        return found[::-1]

    @cached_property
    def bills(self) -> list[Touch]:
        """Surprises that stages without a trigger may add to the bills of today."""
        return self.story.between(*self._month, "bill") if self.story.has("bill") else []

    @cached_property
    def sent_abroad(self) -> Rows:
        """Who has been sent where roaming costs extra since the last bills: entities, rising."""
        found = [
            touch.rows[COSTLY[country_of(touch)]]
            for touch in self.story.between(*self._month, "roaming")
        ]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)

    @cached_property
    def debts(self) -> _Debts:
        """Bills that stay unpaid by stages without a trigger, with suspensions of these months."""
        touches = self.story.between(*self._months, "unpaid") if self.story.has("unpaid") else []
        return self.debts_of(touches)

    def bills_begun(self, episodes: Episodes) -> list[Touch]:
        """Return the same as `bills` of stages with a trigger."""
        return self.story.begun(*self._month, episodes, "bill")

    def unpaid_begun(self, episodes: Episodes) -> list[Touch]:
        """Return the touches of `unpaid` of stages with a trigger."""
        return self.story.begun(*self._months, episodes, "unpaid")

    def debts_of(self, touches: Iterable[Touch]) -> _Debts:
        """Return which bills stay unpaid: of each touch the next one after its beginning."""
        moments = np.array([moment for _, moment in self.bill_moments])
        entities, days = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for touch in touches:
            assert isinstance(touch.effect, Unpaid)
            share = touch.amount(touch.effect.share)
            chosen = draws.chance(draws.bits(touch.key, "unpaid"), share)
            place = np.searchsorted(moments, touch.start)
            for number in np.unique(place[chosen & (place > 0) & (place < len(moments))]).tolist():
                who = touch.rows[chosen & (place == number)]
                entities.append(who)
                days.append(self._suspended_on(number, who))
        return _Debts(np.concatenate(entities), np.concatenate(days))

    def _suspended_on(self, number: int, entities: Rows) -> Rows:
        """Return the day on which an unpaid bill of a month suspends: as any other does."""
        month, moment = self.bill_moments[number]
        low, high = REMINDERS
        key = reminder_keys(self.story.config, month, entities)
        return moment // DAY + low + draws.below(draws.bits(key, "day"), high - low)

    @property
    def _month(self) -> tuple[dt.date, dt.date]:
        """From the day of the bills before today's on until today."""
        before, _ = self.bill_moments[-2]
        return before - dt.timedelta(days=1), self.date

    @property
    def _months(self) -> tuple[dt.date, dt.date]:
        """The days on which what suspends today, or has suspended, may have begun."""
        # The calendar of the configuration begins in 2000.
        return self.date - dt.timedelta(days=_SUSPENDED_DAYS + 45), self.date


def imposed(
    story: StoryToday,
    calendar: Calendar,
    entities: Rows,
    morning: Morning,
    before: tuple[Rows, Rows],
) -> Imposed:
    """Return what layers do to some subscribers on a day.

    Args:
        story: What layers do on the day.
        calendar: The day.
        entities: Entity numbers, rising.
        morning: How things stand.
        before: `Imposed.episode` and `episode_start` of the day before.
    """
    begun = _begun(story, calendar, entities, morning, before)
    own = episodes_of(entities, *begun)
    touches = [*story.touches, *story.story.begun(story.date, story.date, own, *EFFECTS)]
    pressure, ports = _churn(touches, calendar, entities)
    unpaid, never = _unpaid(story, calendar, entities, morning, own)
    upgrade, back, after = _takers(touches, calendar, entities, morning)
    return Imposed(
        *begun,
        content=_content(touches, calendar, entities),
        pressure=pressure,
        pushes=Pushes(ports, unpaid, never, upgrade, back, after),
        surprise=_surprise(story, calendar, entities, own),
        asked=_asked(touches, entities),
    )


def episodes_of(entities: Rows, code: Rows, start: Rows) -> Episodes:
    """Return the stages with a trigger that began last for some subscribers.

    Args:
        entities: Entity numbers, rising.
        code: Code of the stage of each, -1 for none.
        start: When it began.
    """
    some = np.flatnonzero(code >= 0)
    return Episodes(entities[some], code[some], start[some])


def _begun(
    story: StoryToday,
    calendar: Calendar,
    entities: Rows,
    morning: Morning,
    before: tuple[Rows, Rows],
) -> tuple[Rows, Rows]:
    """Return the stages with a trigger that have begun, those that begin today included.

    A stage begins for who is in no other one that goes on, once in a row.
    """
    code, start = before
    if not story.watches:
        return code, start
    code, start = code.copy(), start.copy()
    free = morning.status != PROSPECT
    for one, lasts in story.lasting.items():
        free[(code == one) & (start + lasts > calendar.start)] = False
    for watch in story.watches:
        row, _ = _ours(watch.rows, entities)
        row = row[free[row] & (code[row] != watch.code)]
        for column in ("satisfaction", "price_shock", "open_cases"):
            condition = getattr(watch.trigger, column)
            if condition is not None:
                values = getattr(morning, column)[row]
                low = -np.inf if condition.low is None else condition.low
                high = np.inf if condition.high is None else condition.high
                row = row[(values >= low) & (values <= high)]
        code[row], start[row], free[row] = watch.code, calendar.start, False
    return code, start


def _ours(rows: Rows, entities: Rows) -> tuple[Rows, Rows]:
    """Return which rows of `entities` targets are, and the position of each as a target."""
    if not len(entities) or not len(rows):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    low, high = np.searchsorted(rows, [entities[0], entities[-1] + 1])
    position = np.arange(low, high)
    row = np.searchsorted(entities, rows[low:high])
    same = entities[row] == rows[low:high]
    return row[same], position[same]


def _of(touches: Iterable[Touch], name: str) -> list[Touch]:
    return [touch for touch in touches if touch.name == name]


def _weight(touch: Touch, position: Rows, calendar: Calendar) -> Floats:
    """Return the part of the day that a touch holds, times its strength in the middle of it."""
    first = np.maximum(touch.start[position], calendar.start)
    last = np.minimum(touch.end[position], calendar.start + DAY)
    part = np.maximum(last - first, 0) / DAY
    return np.round(part * touch.strength(position, (first + last) // 2), 6)


def _content(touches: list[Touch], calendar: Calendar, entities: Rows) -> Floats | None:
    found = _of(touches, "content")
    if not found:
        return None
    change = np.zeros(len(entities))
    for touch in found:
        assert isinstance(touch.effect, Content)
        row, position = _ours(touch.rows, entities)
        change[row] += touch.amount(touch.effect.by) * _weight(touch, position, calendar)
    return change


def _churn(
    touches: list[Touch], calendar: Calendar, entities: Rows
) -> tuple[Floats | None, Floats | None]:
    """Return the factor on the chance to leave and `Pushes.ports`.

    Of two shares of ports that of the later start holds, then that of the higher layer.
    """
    found = _of(touches, "churn")
    if not found:
        return None, None
    factor, ports = np.ones(len(entities)), np.full(len(entities), np.nan)
    latest = np.full(len(entities), np.iinfo(np.int64).min)
    for touch in found:
        assert isinstance(touch.effect, Churn)
        row, position = _ours(touch.rows, entities)
        more = touch.amount(touch.effect.factor) - 1.0
        weight = _weight(touch, position, calendar)
        factor[row] *= 1.0 + more * weight
        if touch.effect.ports is not None:
            holds = (touch.start[position] >= latest[row]) & (weight > 0.0)
            ports[row[holds]] = touch.amount(touch.effect.ports)
            latest[row[holds]] = touch.start[position[holds]]
    return factor, ports


def _surprise(
    story: StoryToday, calendar: Calendar, entities: Rows, own: Episodes
) -> Surprise | None:
    """Return what is added to the bills, on their day."""
    if not calendar.bill_day:
        return None
    touches = [*story.bills, *story.bills_begun(own)]
    if not touches:
        return None
    (_, before), (_, now) = story.bill_moments[-2:]
    more = np.zeros(len(entities))
    for touch in touches:
        assert isinstance(touch.effect, Bill)
        row, position = _ours(touch.rows, entities)
        start = touch.start[position]
        # The next bill after the beginning, whether the time is over by then or not.
        row = row[(start > before) & (start <= now)]
        more[row] += touch.amount(touch.effect.more)
    roamed = np.zeros(len(entities), dtype=np.bool_)
    roamed[_ours(story.sent_abroad, entities)[0]] = True
    return Surprise(np.minimum(more, _MOST_MORE), roamed)


def _unpaid(
    story: StoryToday, calendar: Calendar, entities: Rows, morning: Morning, own: Episodes
) -> tuple[Rows, Flags | None]:
    """Return `Pushes.unpaid` and `never`: for whose bills the day of suspension is today or was."""
    debts = [story.debts, story.debts_of(story.unpaid_begun(own))]
    who = np.concatenate([debt.entity for debt in debts])
    day = np.concatenate([debt.day for debt in debts])
    if not len(who) or not len(entities):
        return who[:0], None
    row = np.minimum(np.searchsorted(entities, who), len(entities) - 1)
    ours = entities[row] == who
    row, day = row[ours], day[ours]
    never = np.zeros(len(entities), dtype=np.bool_)
    # The morning after the suspension is the first one in that status.
    since = calendar.since_1970 - morning.days_in_status[row]
    never[row[(morning.status[row] == SUSPENDED) & (since == day)]] = True
    return np.unique(row[day == calendar.since_1970]), never


def _asked(touches: list[Touch], entities: Rows) -> Asked | None:
    found = _of(touches, "care")
    parts: dict[str, list[npt.NDArray]] = {}
    for touch in found:
        assert isinstance(touch.effect, Care)
        row, position = _ours(touch.rows, entities)
        share = touch.amount(touch.effect.share)
        turns = draws.chance(draws.bits(touch.key[position], "turns"), share)
        row, position = row[turns], position[turns]
        first, count = days_of(touch)
        values = {
            "row": row,
            "topic": np.full(len(row), touch.effect.topic, dtype="U8"),
            "key": draws.bits(touch.key[position], "care"),
            "first": first[position],
            "count": count[position],
            "start": touch.start[position],
            "end": touch.end[position],
        }
        for name, value in values.items():
            parts.setdefault(name, []).append(value)
    return Asked(**{name: np.concatenate(one) for name, one in parts.items()}) if parts else None


def _takers(
    touches: list[Touch], calendar: Calendar, entities: Rows, morning: Morning
) -> tuple[Rows, Rows, Rows | None]:
    """Return `Pushes.upgrade`, `back` and `after`: who takes an offer today."""
    found = _of(touches, "offer")
    if not found:
        return _NO_ROWS, _NO_ROWS, None
    upgrade, back = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    after = np.zeros(len(entities), dtype=np.int64)
    for touch in found:
        assert isinstance(touch.effect, Offer)
        offers = offered(touch)
        offers = offers.select(offers.taken == calendar.since_1970)
        row, position = _ours(offers.entity, entities)
        day = offers.day[position]
        at_once = day == calendar.since_1970
        sent = sent_at(offers.key[position[at_once]], calendar.clock)
        after[row[at_once]] = np.maximum(after[row[at_once]], sent)
        if touch.effect.what == UPGRADE:
            upgrade.append(row)
        else:
            gone = morning.days_in_status[row] - (calendar.since_1970 - day)
            back.append(row[gone >= _GONE_DAYS])
    return np.unique(np.concatenate(upgrade)), np.unique(np.concatenate(back)), after


def _bill_moment(config: WorldConfig, month: dt.date) -> int:
    """Return when bills of a month begin to come, microseconds since 1970."""
    day = bill_date(config, month)
    first, _ = BILLS
    clock = Calendar.of(config, day).clock
    return day_start(day) + int(clock.utc_of_local(np.array([first]))[0][0])


__all__ = [
    "EFFECTS",
    "Asked",
    "Imposed",
    "StoryToday",
    "episodes_of",
    "imposed",
]
