"""Kinds of values of a layer file: durations, times of day, amounts, conditions.

Belongs here: what one value of a layer may be, in code and in words, and what all mappings of a
layer share. Does not belong here: which key has which kind (`language`, `effects`).
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE
from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import checks, parse_day, values
from telco_pipeline.settings.days import FIRST_DAY, LAST_DAY
from telco_pipeline.settings.values import RefusedError, Rule

LONGEST: Final = 3660 * DAY
_LARGEST: Final = 10**15
_LONGEST_TEXT: Final = 200
_UNITS: Final = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_WORDS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH: Final = r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([mhdw])"
_DURATION: Final = re.compile(_LENGTH)
_BEFORE: Final = "-"
_HOUR: Final = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_TIME: Final = re.compile(_HOUR)
_DATE: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
WEEKDAYS: Final = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip


class Strict(BaseModel):
    """A mapping that takes no other keys and does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _no_nothing(cls, data: Any) -> Any:
        """Refuse keys without a value, which else would count as left out."""
        if isinstance(data, Mapping):
            empty = [key for key, value in data.items() if value is None]
            text = "has no value: write one, or remove the key"
            found = tuple(checks.Problem((key,), text) for key in empty if key in cls.model_fields)
            if found:
                context = {"text": text, "problems": found}
                raise PydanticCustomError(checks.PROBLEMS_ERROR, "{text}", context)
        return data


@dataclass(frozen=True)
class Duration:
    """A length of time.

    Attributes:
        text: As it is written: ``90m``, ``36h``, ``5d``, ``2w``; with ``-`` in conditions, of what
            lies before.
    """

    text: str

    @property
    def microseconds(self) -> int:
        """Its length."""
        found = _DURATION.fullmatch(self.text.removeprefix(_BEFORE))
        assert found is not None  # checked when it was read
        # Thousandths, as whole numbers: no length depends on how floats are rounded.
        length = round(float(found[1]) * 1000) * _UNITS[found[2]] // 1000
        return -length if self.text.startswith(_BEFORE) else length

    def __str__(self) -> str:
        """Return it in words: ``5 days``."""
        count, unit = self.text[:-1], _WORDS[self.text[-1]]
        return f"{count} {unit[:-1] if count == '1' else unit}"


@dataclass(frozen=True)
class Amount:
    """A number, or two of them between which the layer's difficulty chooses.

    Attributes:
        easy: At difficulty 0.
        hard: At difficulty 1.
    """

    easy: float
    hard: float

    def at(self, difficulty: float) -> float:
        """Return the amount at a difficulty, rounded so that it is the same everywhere."""
        return round(self.easy + (self.hard - self.easy) * difficulty, 6)


@dataclass(frozen=True)
class Condition:
    """What a column must be: one of some values, or within a range.

    Attributes:
        any_of: Texts, numbers or flags of which one must stand there; None where it is a range.
        low, high: Ends of a range, both of it; None where it is open. A `Duration` counts from the
            start of the incident, for columns of dates.
    """

    any_of: tuple[str | float | bool, ...] | None = None
    low: "float | Duration | dt.date | None" = None
    high: "float | Duration | dt.date | None" = None


def _duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise RefusedError
    made = Duration(value)
    if made.microseconds > LONGEST:
        raise RefusedError("that is more than ten years")
    return made


def _some_time(value: Any) -> Duration:
    made = _duration(value)
    if made.microseconds < MINUTE:
        raise RefusedError("it must last a minute at least")
    return made


def _clock(value: Any) -> str:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise RefusedError
    return value


def _begin(value: Any) -> Duration | dt.date:
    if isinstance(value, Duration) or (isinstance(value, str) and _DURATION.fullmatch(value)):
        since = _duration(value)
        if since.microseconds % DAY:
            raise RefusedError("whole days: the time of the day is the key 'at'")
        return since
    day = _date(value)
    if not FIRST_DAY <= day <= LAST_DAY:
        raise RefusedError(f"a date from {FIRST_DAY} to {LAST_DAY}")
    return day


def _date(value: Any) -> dt.date:
    if type(value) is dt.date:  # a datetime is a date too, and would bring its hours along
        return value
    if not isinstance(value, str):
        raise RefusedError
    try:
        return parse_day(value)
    except TelcoError:
        raise RefusedError from None


def amount(low: float, high: float) -> Rule:
    """Expect a number, or a mapping of easy and hard, from `low` to `high`."""
    one = values.number(low, high)

    def convert(value: Any) -> Amount:
        if isinstance(value, Amount):
            return value
        if isinstance(value, Mapping):
            if set(value) != {"easy", "hard"}:
                raise RefusedError("a mapping here has the keys easy and hard")
            return Amount(one.convert(value["easy"]), one.convert(value["hard"]))
        number = one.convert(value)
        return Amount(number, number)

    both = {
        "type": "object",
        "properties": {"easy": one.schema, "hard": one.schema},
        "required": ["easy", "hard"],
        "additionalProperties": False,
    }
    schema = {"anyOf": [one.schema, both]}
    return Rule(f"{one.expects}, or {{easy: .., hard: ..}} of two", convert, schema)


def _end(value: Any) -> "float | Duration | dt.date":
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Duration):
        return value
    if isinstance(value, str) and _DURATION.fullmatch(value.removeprefix(_BEFORE)):
        _duration(value.removeprefix(_BEFORE))
        return Duration(value)
    return _date(value)


def _number(value: Any) -> float:
    try:
        return values.number(-_LARGEST, _LARGEST).convert(value)
    except RefusedError:
        raise RefusedError(f"a number has at most {len(str(_LARGEST)) - 1} digits") from None


def _entry(value: Any) -> str | float | bool:
    """Return what may stand in a list of values."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        _number(value)
        return value
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise RefusedError
    return value


def _in_order(low: Any, high: Any) -> bool:
    """Return whether the ends of a range are in order, as far as they can be compared."""
    if isinstance(low, Duration) and isinstance(high, Duration):
        return low.microseconds <= high.microseconds
    return type(low) is not type(high) or low is None or low <= high


def _end_of(value: Mapping[str, Any], key: str) -> "float | Duration | dt.date | None":
    try:
        return _end(value[key]) if key in value else None
    except RefusedError as refused:
        kinds = "must be a number, a date such as 2026-01-15 or a length of time"
        raise RefusedError(str(refused) or f"'{key}' {kinds}") from None


def _condition(value: Any) -> Condition:
    if isinstance(value, Condition):
        return value
    if isinstance(value, Mapping):
        if not value or not set(value) <= {"from", "to"}:
            raise RefusedError("a mapping here has the keys from and to, or one of them")
        low, high = (_end_of(value, key) for key in ("from", "to"))
        if not _in_order(low, high):
            raise RefusedError("'from' is above 'to'")
        return Condition(None, low, high)
    entries = value if isinstance(value, list | tuple) else [value]
    if not 1 <= len(entries) <= 100:
        raise RefusedError("1 to 100 values")
    return Condition(tuple(_entry(entry) for entry in entries))


def plain(value: Any) -> Any:
    """Return a value as it is written in a file."""
    if isinstance(value, Duration):
        return value.text
    if isinstance(value, Amount):
        if value.easy == value.hard:
            return value.easy
        return {"easy": value.easy, "hard": value.hard}
    if isinstance(value, Condition):
        if value.any_of is not None:
            return list(value.any_of)
        ends = {"from": value.low, "to": value.high}
        return {key: plain(end) for key, end in ends.items() if end is not None}
    return value.isoformat() if isinstance(value, dt.date) else value


_LENGTH_SCHEMA: Final = {"type": "string", "pattern": f"^{_LENGTH}$"}
_END_SCHEMA: Final = {
    "anyOf": [
        {"type": "number", "minimum": -_LARGEST, "maximum": _LARGEST},
        {"type": "string", "pattern": f"^(?:-?{_LENGTH}|{_DATE})$"},
    ]
}
_ENTRY_SCHEMA: Final = {"type": ["string", "number", "boolean"]}

DURATION: Final = Rule("a length of time such as 90m, 36h, 5d or 2w", _duration, _LENGTH_SCHEMA)
SOME_TIME: Final = Rule("a length of time such as 90m, 36h, 5d or 2w", _some_time, _LENGTH_SCHEMA)
CLOCK: Final = Rule(
    'a local time in quotes such as "19:30"', _clock, {"type": "string", "pattern": f"^{_HOUR}$"}
)
BEGIN: Final = Rule(
    "a date such as 2026-01-15, or a length of time since the epoch (14d)",
    _begin,
    {"type": "string", "pattern": f"^(?:{_LENGTH}|{_DATE})$"},
)
CONDITION: Final = Rule(
    "a value, a list of values, or a range such as {from: 10, to: 20}",
    _condition,
    {
        "anyOf": [
            _ENTRY_SCHEMA,
            {"type": "array", "items": _ENTRY_SCHEMA, "minItems": 1, "maxItems": 100},
            {
                "type": "object",
                "properties": {"from": _END_SCHEMA, "to": _END_SCHEMA},
                "minProperties": 1,
                "additionalProperties": False,
            },
        ]
    },
)

Written = PlainSerializer(plain)
"""How the values of this module are written back."""

ALength = Annotated[Duration, BeforeValidator(DURATION), Written]
SomeTime = Annotated[Duration, BeforeValidator(SOME_TIME), Written]
Clock = Annotated[str, BeforeValidator(CLOCK)]
Begin = Annotated[Duration | dt.date, BeforeValidator(BEGIN), Written]
ACondition = Annotated[Condition, BeforeValidator(CONDITION), Written]
