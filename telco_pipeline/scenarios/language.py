"""The shape of a layer file: when, whom, what, what is known of it, and what must be seen.

Belongs here: the models of a layer's keys, rules between them. Does not belong here: kinds of
values (`words`), the effects (`effects`), reading files (`loading`), what comes of it (`story`).
docs/scenarios.md tells the same to those who write layers.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, model_validator

from telco_pipeline.engine.calendar import DAY
from telco_pipeline.scenarios import effects
from telco_pipeline.scenarios.effects import EFFECTS, MEMBERS, Effect
from telco_pipeline.scenarios.words import (
    LONGEST,
    WEEKDAYS,
    ACondition,
    ALength,
    Begin,
    Clock,
    Condition,
    Duration,
    SomeTime,
    Strict,
)
from telco_pipeline.settings import checks, values, without_words
from telco_pipeline.settings.values import RefusedError, Rule
from telco_pipeline.world.numbering import TRAVEL_COUNTRIES

KINDS: Final = ("network", "customers", "fraud", "revenue", "marketing", "iot")
SEVERITIES: Final = ("critical", "major", "minor", "warning")
MOST_A_DAY: Final = 1000
"""Incidents of a layer that may touch one day: each is cast anew."""
_WEEK: Final = 7 * DAY

_COUNTRIES: Final = tuple(code for code, _, _ in TRAVEL_COUNTRIES)

_Identifier = Annotated[str, BeforeValidator(values.IDENTIFIER)]
_COLUMN: Final = values.pattern("the name of a column", r"[a-z_0-9]+(\.[a-z_0-9]+)?")
_Count = Annotated[int, BeforeValidator(values.whole(0, 10_000_000))]
_Share = Annotated[float, BeforeValidator(values.number(0, 1, above=True))]


def _prose(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4000:
        raise RefusedError
    told = " ".join(value.split())
    if not told or not told.isprintable():
        raise RefusedError
    return told


def _sql(value: Any) -> str:
    # Line breaks and tabs may stand in it, other characters that do not print may not.
    if not isinstance(value, str) or len(value) > 20_000 or not value.strip():
        raise RefusedError
    if not " ".join(value.split()).isprintable():
        raise RefusedError
    return value


_Prose = Annotated[
    str,
    BeforeValidator(
        Rule(
            "text of one to 4,000 characters",
            _prose,
            {"type": "string", "minLength": 1, "maxLength": 4000},
        )
    ),
]
_Sql = Annotated[
    str,
    BeforeValidator(
        Rule("a query, in SQL", _sql, {"type": "string", "minLength": 1, "maxLength": 20_000})
    ),
]


class When(Strict):
    """When the incidents of a layer begin.

    Attributes:
        first: Day of the first one: a date, or so many days after the epoch.
        weekday: The next such day on or after `first`; it comes again after whole weeks then.
        at: Local time at which it begins; midnight if left out.
        every: It comes again after so long, after whole days at the same local time; once if left
            out.
        times: How often it comes in all; without end if left out.
        parallel: Incidents at a time, each with a cast of its own.
        per_subscribers: One incident more at a time for so many subscribers of the world, until
            1,000 incidents touch one day.
        spread: Within so long from then on they begin, each at a time of its own; with `at` and a
            day or more each so many whole days later, at that local time.
    """

    first: Begin
    weekday: Annotated[str, BeforeValidator(values.one_of(*WEEKDAYS))] | None = None
    at: Clock | None = None
    every: SomeTime | None = None
    times: Annotated[int, BeforeValidator(values.whole(1, 10_000))] | None = None
    parallel: Annotated[int, BeforeValidator(values.whole(0, 1000))] = 1
    per_subscribers: Annotated[int, BeforeValidator(values.whole(1, 100_000_000))] | None = None
    spread: ALength = Duration("0m")


class Near(Strict):
    """Within a distance of the members of another role.

    Attributes:
        role: That role; subscribers are where their home cell is.
        km: Distance in kilometres.
    """

    role: _Identifier
    km: Annotated[float, BeforeValidator(values.number(0, 500, above=True))]


class Role(Strict):
    """Who takes part in an incident; of all that fit, some are drawn for each incident.

    Attributes:
        of: What the members are.
        where: Conditions on columns of that dataset; of subscribers also `plan.`, `device.`,
            `home.` (the cell) and `place.` with a column of those, of cells `site.` and
            `element.`, of sites `place.`, of elements `site.` and `place.`.
        within: Role to whose members they belong: cells to sites, elements or places, subscribers
            to the cells, sites or places where they live, to devices or to plans.
        near: Distance from another role.
        outside: Roles of the same dataset whose members are left out.
        one: Column in which all members have the same value, such as `imsi_range`, or `device_id`;
            which one is drawn, the more members have it the sooner, of those that `at_least` so
            many have.
        number: How many; or
        share: which part of those who fit; all if neither is given.
        at_least, at_most: Limits to the number.
        benign: They only look like the others; the truth says so.
        fixed: The same in all incidents.
    """

    of: Annotated[str, BeforeValidator(values.one_of(*MEMBERS))]
    where: Annotated[Mapping[str, ACondition], BeforeValidator(values.mapping("columns", 50))] = {}
    within: _Identifier | None = None
    near: Near | None = None
    outside: Annotated[
        tuple[_Identifier, ...], BeforeValidator(values.listing("a list of up to 20 roles", 0, 20))
    ] = ()
    one: Annotated[str, BeforeValidator(_COLUMN)] | None = None
    number: _Count | None = None
    share: _Share | None = None
    at_least: _Count = 0
    at_most: _Count | None = None
    benign: Annotated[bool, BeforeValidator(values.FLAG)] = False
    fixed: Annotated[bool, BeforeValidator(values.FLAG)] = False


class Trigger(Strict):
    """What must have come true of a subscriber, on the morning of a day, before a stage begins.

    It begins on the first such day within the stage's time, and lasts as long as the stage says.
    The columns are those of `subscriber_state` on the day before.

    Attributes:
        satisfaction, price_shock, open_cases: Ranges; all that are given must hold.
        share: Part of the subscribers for whom it then begins.
    """

    satisfaction: ACondition | None = None
    price_shock: ACondition | None = None
    open_cases: ACondition | None = None
    share: _Share = 1.0


class Deed(Strict):
    """One effect: exactly one of the keys, with what it needs; `swap: {who: victims}`."""

    fault: effects.Fault | None = None
    hazard: effects.Hazard | None = None
    degrade: effects.Degrade | None = None
    sleep: effects.Sleep | None = None
    errors: effects.Errors | None = None
    strain: effects.Strain | None = None
    presence: effects.Presence | None = None
    roaming: effects.Roaming | None = None
    sharing: effects.Sharing | None = None
    swap: effects.Swap | None = None
    usage: effects.Usage | None = None
    destinations: effects.Destinations | None = None
    incoming: effects.Incoming | None = None
    reject: effects.Reject | None = None
    signalling: effects.Signalling | None = None
    malfunction: effects.Malfunction | None = None
    qos: effects.Qos | None = None
    unrated: effects.Unrated | None = None
    files: effects.Files | None = None
    content: effects.Content | None = None
    care: effects.Care | None = None
    bill: effects.Bill | None = None
    churn: effects.Churn | None = None
    unpaid: effects.Unpaid | None = None
    offer: effects.Offer | None = None

    @property
    def name(self) -> str:
        """Name of the effect."""
        return next(name for name in EFFECTS if getattr(self, name) is not None)

    @property
    def effect(self) -> Effect:
        """The effect."""
        return getattr(self, self.name)

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in EFFECTS if getattr(self, name) is not None]
        if len(given) != 1:
            told = f"not {' and '.join(given)}" if given else f"one of {', '.join(EFFECTS)}"
            text = f"each entry of 'do' has exactly one effect, {told}: give each its own '- '"
            return checks.enforce(self, [checks.Problem((), text)])
        return self


class Stage(Strict):
    """A time within an incident, and what happens in it.

    Attributes:
        name: What to call it.
        after: How long after the incident's beginning it begins; if left out, when the stage
            before it ends, and the first one at once.
        lasts: How long it lasts for each target.
        spread: Targets begin within so long, each at a time of its own.
        trigger: What must first come true of a target.
        do: What happens.
    """

    name: _Identifier
    after: ALength | None = None
    lasts: SomeTime
    spread: ALength = Duration("0m")
    trigger: Trigger | None = None
    do: Annotated[
        tuple[Deed, ...], BeforeValidator(values.listing("a list of 1 to 50 effects", 1, 50))
    ]

    @property
    def length(self) -> int:
        """Microseconds from its beginning for the first target to its end for the last one."""
        # With a trigger, a target may begin on the last day of the stage's time.
        waits = self.lasts.microseconds if self.trigger is not None else 0
        return self.lasts.microseconds + self.spread.microseconds + waits


class Needs(Strict):
    """What a signature needs to be judged.

    Attributes:
        subscribers: At least so many in the world.
        days: At least so many days in the lake.
    """

    subscribers: Annotated[int, BeforeValidator(values.whole(1, 100_000_000))] = 1
    days: Annotated[int, BeforeValidator(values.whole(1, 3660))] = 1


class Range(Strict):
    """A range of numbers, both ends of it; open where left out."""

    low: Annotated[float, BeforeValidator(values.number(-1e15, 1e15))] | None = None
    high: Annotated[float, BeforeValidator(values.number(-1e15, 1e15))] | None = None

    def holds(self, value: float) -> bool:
        """Return whether a number lies in it."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        """Return it in words: ``at least 3``."""
        if self.low is None:
            return f"at most {self.high:,g}"
        if self.high is None:
            return f"at least {self.low:,g}"
        return f"{self.low:,g} to {self.high:,g}"


class Signature(Strict):
    """What must be seen of a layer in the observable data, and not without it.

    Attributes:
        name: What is seen.
        sql: A query (DuckDB) over the observable datasets by their names that gives one number in
            one row; null counts as 0.
        seen: Where the number must lie in a world with the layer.
        unseen: Where it must lie in the same world without any.
        needs: What it takes to judge.
    """

    name: _Prose
    sql: _Sql
    seen: Range
    unseen: Range
    needs: Needs = Needs()


def _identifiers(value: Any) -> tuple[str, ...]:
    given = value if isinstance(value, list | tuple) else [value]
    names = tuple(values.IDENTIFIER.convert(one) for one in given)
    if not 1 <= len(names) <= 50 or len(set(names)) < len(names):
        raise RefusedError
    return names


_Identifiers = Annotated[
    tuple[_Identifier, ...],
    BeforeValidator(
        Rule(
            "a name, or a list of up to 50 different ones",
            _identifiers,
            {
                **values.IDENTIFIER.schema,
                "type": ["string", "array"],
                "minItems": 1,
                "maxItems": 50,
            },
        )
    ),
]


class Tell(Strict):
    """Columns that give a layer away at one look, and why that is as it should be.

    Attributes:
        dataset: Datasets.
        column: Columns; each counts in those of the datasets that have it.
        alike: In the leakage audit the others have the same values in these columns as what is
            touched, so that nothing that only follows from them counts as a leak, and anything
            beyond them does.
        because: The reason, for people.
    """

    dataset: _Identifiers
    column: _Identifiers
    alike: Annotated[bool, BeforeValidator(values.FLAG)] = False
    because: _Prose


class Layer(Strict):
    """A scenario layer: everything that a file in `scenarios/layers` says.

    Attributes:
        version: Version of the language, 1.
        number: The layer's own number. Its draws hang on it, not on the file's name: no two layers
            of a world may have the same.
        title: What it is called.
        story: What happens, in a few sentences.
        kind: What it belongs to.
        severity: How bad it is, for whom it hits.
        enabled: Whether it is on when all layers are.
        difficulty: 0 to 1: how well it hides among what only looks like it; chooses between the
            two ends of amounts.
        when: When its incidents begin.
        cast: Who takes part, by role.
        stages: What happens, one after the other.
        signatures: What must be seen.
        tells: Columns that may give it away.
    """

    version: Annotated[int, BeforeValidator(values.VERSION)]
    number: Annotated[int, BeforeValidator(values.whole(1, 999))]
    title: _Prose
    story: _Prose
    kind: Annotated[
        Literal["network", "customers", "fraud", "revenue", "marketing", "iot"],
        BeforeValidator(values.one_of(*KINDS)),
    ]
    severity: Annotated[
        Literal["critical", "major", "minor", "warning"],
        BeforeValidator(values.one_of(*SEVERITIES)),
    ] = "major"
    enabled: Annotated[bool, BeforeValidator(values.FLAG)] = True
    difficulty: Annotated[float, BeforeValidator(values.number(0, 1))] = 0.5
    when: When
    cast: Annotated[Mapping[_Identifier, Role], BeforeValidator(values.mapping("roles", 20))]
    stages: Annotated[
        tuple[Stage, ...], BeforeValidator(values.listing("a list of 1 to 20 stages", 1, 20))
    ]
    signatures: Annotated[
        tuple[Signature, ...],
        BeforeValidator(values.listing("a list of up to 20 signatures", 0, 20)),
    ] = ()
    tells: Annotated[
        tuple[Tell, ...], BeforeValidator(values.listing("a list of up to 50 columns", 0, 50))
    ] = ()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        return checks.enforce(self, list(_problems(self)))

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """How long after an incident's beginning each stage begins, in microseconds."""
        found: list[int] = []
        ends = 0
        for stage in self.stages:
            found.append(ends if stage.after is None else stage.after.microseconds)
            ends = found[-1] + stage.length
        return tuple(found)

    @cached_property
    def length(self) -> int:
        """Microseconds from an incident's beginning to the end of its last stage."""
        ends = (begin + one.length for begin, one in zip(self.offsets, self.stages, strict=True))
        return max(ends)

    @cached_property
    def a_day(self) -> int:
        """Recurrences, at most, that touch one day."""
        if self.when.every is None:
            return 1
        reach = self.length + self.when.spread.microseconds + DAY
        count = reach // self.when.every.microseconds + 1
        return count if self.when.times is None else min(count, self.when.times)

    @cached_property
    def layer_hash(self) -> str:
        """16 hex characters that stand for all that the layer says, on or off (BLAKE2b)."""
        return _hash(self.to_dict())

    @cached_property
    def acts_hash(self) -> str:
        """The same of what makes records and truth: not of its story, signatures and tells."""
        return _hash(without_words(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that load back to an equal layer."""
        tree = values_of(self.model_dump(exclude_none=True))
        for role in tree["cast"].values():
            if not role["where"]:  # nobody may write that there are no conditions
                del role["where"]
        return tree


def _hash(tree: Mapping[str, Any]) -> str:
    told = {key: value for key, value in tree.items() if key != "enabled"}
    text = json.dumps(told, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def values_of(value: Any) -> Any:
    """Turn tuples into lists, all the way down, as JSON and YAML have no tuples."""
    if isinstance(value, dict):
        return {key: values_of(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [values_of(item) for item in value]
    return value


def _problems(layer: Layer) -> Iterator[checks.Problem]:
    """Yield what does not fit together, at its place."""
    cast = layer.cast
    for name, role in cast.items():
        yield from _role_problems(name, role, cast)
    yield from _when_problems(layer)
    names = [stage.name for stage in layer.stages]
    for place, stage in enumerate(layer.stages):
        if stage.name in names[:place]:
            text = f"there are two stages {stage.name!r}: give each a name of its own"
            yield checks.Problem(("stages", place, "name"), text)
        if stage.trigger is not None:
            yield from _trigger_problems(("stages", place, "trigger"), stage.trigger)
        for number, deed in enumerate(stage.do):
            at = ("stages", place, "do", number, deed.name)
            yield from _deed_problems(at, deed, stage, cast)
    for place, signature in enumerate(layer.signatures):
        for key, ends in (("seen", signature.seen), ("unseen", signature.unseen)):
            yield from _range_problems(("signatures", place, key), ends)


def _when_problems(layer: Layer) -> Iterator[checks.Problem]:
    when = layer.when
    if layer.length > LONGEST:
        days = -(-layer.length // DAY)
        text = f"an incident would last {days:,} days, which is more than ten years: write less"
        yield checks.Problem(("stages",), text)
    if when.every is None:
        if when.times not in (None, 1):
            text = "'times' needs 'every': how long after each other"
            yield checks.Problem(("when", "times"), text)
    elif when.weekday is not None and when.every.microseconds % _WEEK:
        text = "must be whole weeks (1w, 2w) where there is a 'weekday'"
        yield checks.Problem(("when", "every"), text)
    if layer.a_day * max(when.parallel, 1) > MOST_A_DAY:
        told = f"{layer.a_day * max(when.parallel, 1):,}"
        text = (
            f"so many incidents, {told}, would touch one day: write a longer 'every', fewer in "
            f"'parallel', or shorter stages; the limit is {MOST_A_DAY:,}"
        )
        yield checks.Problem(("when",), text)


def _trigger_problems(at: tuple[Any, ...], trigger: Trigger) -> Iterator[checks.Problem]:
    conditions = _conditions(trigger)
    if not conditions:
        yield checks.Problem(at, "a trigger needs satisfaction, price_shock or open_cases")
    for name, condition in conditions.items():
        ends = (condition.low, condition.high)
        if condition.any_of is not None or any(isinstance(end, Duration | dt.date) for end in ends):
            text = "must be a range of numbers such as {to: 0.3}"
            yield checks.Problem((*at, name), text)


def _range_problems(at: tuple[Any, ...], ends: Range) -> Iterator[checks.Problem]:
    if ends.low is None and ends.high is None:
        yield checks.Problem(at, "a range needs low, high or both")
    elif ends.low is not None and ends.high is not None and ends.low > ends.high:
        yield checks.Problem((*at, "high"), f"must not be below low, {ends.low:,g}")


def _conditions(trigger: Trigger) -> dict[str, Condition]:
    told = {name: getattr(trigger, name) for name in ("satisfaction", "price_shock", "open_cases")}
    return {name: condition for name, condition in told.items() if condition is not None}


def _role_problems(name: str, role: Role, cast: Mapping[str, Role]) -> Iterator[checks.Problem]:
    at = ("cast", name)
    if role.number is not None and role.share is not None:
        yield checks.Problem((*at, "share"), "give either 'number' or 'share', not both")
    if role.at_most is not None and role.at_most < role.at_least:
        yield checks.Problem((*at, "at_most"), f"must not be below at_least, {role.at_least:,}")
    earlier = list(cast)[: list(cast).index(name)]
    named = [("within", role.within), ("near", role.near.role if role.near else None)]
    named += [("outside", other) for other in role.outside]
    for key, other in named:
        if other is not None and other not in earlier:
            there = f"those above it are {', '.join(earlier)}" if earlier else "it is the first"
            text = f"role {other!r} does not stand above {name!r}: {there}"
            yield checks.Problem((*at, key), text)
        elif key == "outside" and other is not None and cast[other].of != role.of:
            text = f"{other!r} are {cast[other].of}, but {name!r} are {role.of}: leave it out"
            yield checks.Problem((*at, key), text)
    # Which columns there are is checked in `selection.problems`: it needs the contracts.


def _deed_problems(
    at: tuple[Any, ...], deed: Deed, stage: Stage, cast: Mapping[str, Role]
) -> Iterator[checks.Problem]:
    effect = deed.effect
    roles = [("who", effect.who, effect.takes)]
    if isinstance(effect, effects.Presence):
        roles.append(("at", effect.at, (effects.CELLS, effects.SITES, effects.PLACES)))
    for key, name, takes in roles:
        if name not in cast:
            hint = values.closest(name, cast) or f"the roles are {', '.join(cast)}"
            yield checks.Problem((*at, key), f"there is no role {name!r}: {hint}")
        elif cast[name].of not in takes:
            text = f"takes {' or '.join(takes)}, but {name!r} are {cast[name].of}"
            yield checks.Problem((*at, key), text)
    if stage.trigger is not None and effect.takes != (effects.SUBSCRIBERS,):
        text = "a stage with a trigger takes effects on subscribers only"
        yield checks.Problem(at, text)
    if stage.trigger is not None and effect.ahead:
        text = f"{deed.name} is worked out ahead: it cannot be in a stage with a trigger"
        yield checks.Problem(at, text)
    if isinstance(effect, effects.Roaming) and effect.country not in (None, *_COUNTRIES):
        text = f"nobody travels to {effect.country!r}: give one of {', '.join(_COUNTRIES)}"
        yield checks.Problem((*at, "country"), text)
    if isinstance(effect, effects.Destinations) and (effect.to == "ranges") != bool(effect.ranges):
        yield checks.Problem((*at, "ranges"), "give 'ranges' with 'to: ranges', and only then")
    if isinstance(effect, effects.Gradual):
        length = stage.lasts.microseconds
        if effect.ramp.microseconds + effect.fade.microseconds > length:
            text = f"ramp and fade together are longer than the stage, {stage.lasts}"
            yield checks.Problem((*at, "ramp"), text)


__all__ = [
    "KINDS",
    "SEVERITIES",
    "Layer",
    "Role",
    "Signature",
    "Stage",
    "Trigger",
    "When",
]
