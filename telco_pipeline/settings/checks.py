"""Rules between the values of a world: shares that sum to 1, numbers that suffice.

Belongs here: every rule that needs more than one value. Does not belong here: rules of a single
value (`values`), how a problem is shown (`problems`).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from telco_pipeline.settings.model import Operator, Persona, RecordWeights, WorldConfig

PROBLEMS_ERROR: Final = "telco_problems"
GENERATIONS: Final = ("gsm", "lte", "nr")
DAY: Final = "day"
DAY_RHYTHMS: Final = ("calls", "messages", "data")

MAX_SUBSCRIBERS: Final = 1 << 26  # engine.identifiers.MAX_ENTITIES, not imported: NumPy is slow
# engine.tables.PoissonTable draws no counts of a larger mean (its MAX_MEAN).
MAX_MEAN_PER_DAY: Final = 1024
# Ids have room for 8,192 events of a holder in either window of a day (`generators.events`), where
# counts are cut: what is far beyond is no sensible world.
MAX_PER_DAY_AT_5_SIGMA: Final = 1 << 15

_NUMBERS_PER_NDC: Final = 1_000_000  # nine national digits, three of them the prefix
_NUMBERS_USED: Final = 0.9  # the rest for ported, quarantined and new numbers
# Proposals: 4[5-9]x and 48x prefixes for which our list of BIPT's holders names nobody. Only 461,
# 462, 481 and 482 are known to be free; the others were not looked up one by one.
_FREE_NDCS: Final = (
    "461",
    "462",
    "463",
    "464",
    "467",
    "480",
    "481",
    "482",
    "450",
    "451",
    "452",
    "453",
    "454",
    "457",
    "458",
    "459",
)

SHARES_TOLERANCE: Final = 1e-6
_LONGEST_SHORTEST: Final = 120  # seconds; a voicemail takes no longer message than three minutes
_ROOM: Final = 4  # times the shortest: what would be shorter is spread over so much

Model = TypeVar("Model")


@dataclass(frozen=True)
class Problem:
    """Something wrong in a world.

    Attributes:
        at: Keys that lead to the value, from the model that is checked.
        text: What is wrong and what to write instead.
        related: Other top-level keys that the rule reads; the one that was overridden is named.
    """

    at: tuple[str | int, ...]
    text: str
    related: tuple[str, ...] = ()


def enforce(model: Model, found: Iterable[Problem]) -> Model:
    """Return the model if nothing is wrong with it.

    Raises:
        PydanticCustomError: With all the problems in its context.
    """
    problems = tuple(found)
    if problems:
        raise PydanticCustomError(
            PROBLEMS_ERROR, "{text}", {"text": problems[0].text, "problems": problems}
        )
    return model


def persona_problems(persona: "Persona") -> Iterator[Problem]:
    """Find what does not agree within a persona."""
    machine = persona.kind == "machine"
    if machine and persona.age is not None:
        yield Problem(("age",), "a machine has no age: remove this key")
    if not machine and persona.age is None:
        yield Problem(
            (), f"missing key 'age': a {persona.kind} needs two ages, such as age: [18, 75]"
        )
    if machine and persona.student > 0:
        yield Problem(("student",), "a machine is no student: remove this key")


def world_problems(config: "WorldConfig") -> Iterator[Problem]:
    """Find what does not agree between the parts of a world."""
    yield from _operators(config)
    yield from _numbering(config)
    yield from _network(config)
    yield from _rhythms(config)
    yield from _personas(config)
    yield from _size(config)
    yield from _bounds(config)


def _operators(config: "WorldConfig") -> Iterator[Problem]:
    total = math.fsum(operator.share for operator in config.operators)
    if abs(total - 1) > SHARES_TOLERANCE:
        yield Problem(("operators",), f"shares must sum to 1, not {total:.7g}")
    own = sum(operator.own for operator in config.operators)
    if own != 1:
        yield Problem(("operators",), f"exactly one must have own: true, not {own}")
    names: set[str] = set()
    plmns: set[str] = set()
    holders: dict[str, str] = {}
    for place, operator in enumerate(config.operators):
        if operator.name in names:
            yield Problem(("operators", place, "name"), f'"{operator.name}" is there already')
        if operator.plmn in plmns:
            yield Problem(
                ("operators", place, "plmn"),
                f'"{operator.plmn}" is the code of another operator: write a different one',
            )
        names.add(operator.name)
        plmns.add(operator.plmn)
        yield from _ndcs(place, operator, holders)


def _ndcs(place: int, operator: "Operator", holders: dict[str, str]) -> Iterator[Problem]:
    for position, ndc in enumerate(operator.ndcs):
        if ndc in holders:
            yield Problem(
                ("operators", place, "ndcs", position),
                f'"{ndc}" is a prefix of {holders[ndc]} already: write a different one',
            )
        holders.setdefault(ndc, operator.name)


def _numbering(config: "WorldConfig") -> Iterator[Problem]:
    numbering = config.numbering
    for key in ("care_number", "voicemail_number"):
        if not getattr(numbering, key).startswith(f"+{numbering.country_code}"):
            yield Problem(
                ("numbering", key),
                f"must start with +{numbering.country_code}, the country_code",
            )
    for operator in config.operators:
        for ndc in operator.ndcs:
            if ndc.startswith(numbering.m2m_ndc):
                yield Problem(
                    ("numbering", "m2m_ndc"),
                    f'"{numbering.m2m_ndc}" is the start of {ndc}, a prefix of {operator.name}: '
                    "write a different one",
                    related=("operators",),
                )


def _network(config: "WorldConfig") -> Iterator[Problem]:
    total = math.fsum(config.network.vendors.values())
    if abs(total - 1) > SHARES_TOLERANCE:
        yield Problem(("network", "vendors"), f"shares must sum to 1, not {total:.7g}")
    generations = config.network.generations.values()
    for where in ("dense", "sparse"):
        if not any(getattr(generation, where) > 0 for generation in generations):
            yield Problem(
                ("network", "generations"),
                f"no generation serves {where} places: write a {where} share above 0",
            )


def _rhythms(config: "WorldConfig") -> Iterator[Problem]:
    for name in DAY_RHYTHMS:
        if name not in config.rhythms:
            yield Problem(("rhythms",), f"missing key '{name}': the rhythm of all {name}")
    if DAY in config.rhythms:
        yield Problem(
            ("rhythms", DAY),
            f"'{DAY}' means calls, messages and data by their own rhythms: choose another name",
        )
    known = (DAY, *config.rhythms)
    for name, persona in config.personas.items():
        if persona.rhythm not in known:
            yield Problem(
                ("personas", name, "rhythm"),
                f'must be one of {", ".join(known)}, not "{persona.rhythm}"',
                related=("rhythms",),
            )


def _personas(config: "WorldConfig") -> Iterator[Problem]:
    if not any(persona.share > 0 for persona in config.personas.values()):
        yield Problem(("personas",), "all shares are 0: write a share above 0 for at least one")
    for name, persona in config.personas.items():
        yield from _rates(name, persona, config.record_weights)
    lines = config.network.log_lines_per_element_day * config.record_weights.network_logs
    if lines > MAX_MEAN_PER_DAY:
        yield Problem(
            ("network", "log_lines_per_element_day"),
            f"times record_weights.network_logs makes {lines:,.0f} a day: "
            f"write less, the limit is {MAX_MEAN_PER_DAY:,}",
            related=("record_weights",),
        )


def _rates(name: str, persona: "Persona", weights: "RecordWeights") -> Iterator[Problem]:
    means = {
        "calls": persona.calls * weights.voice,
        "messages": persona.messages * weights.sms,
        "sessions": persona.sessions * weights.data,
    }
    busiest = max(means, key=lambda key: means[key])
    mean = means[busiest]
    if mean > MAX_MEAN_PER_DAY:
        yield Problem(
            ("personas", name, busiest),
            f"times its record_weights makes {mean:,.0f} a day: "
            f"write less, the limit is {MAX_MEAN_PER_DAY:,}",
            related=("record_weights",),
        )
    elif mean * math.exp(5 * persona.level_sigma) > MAX_PER_DAY_AT_5_SIGMA:
        limit = math.floor(20 * math.log(MAX_PER_DAY_AT_5_SIGMA / mean)) / 100
        yield Problem(
            ("personas", name, "level_sigma"),
            f"is too large for {mean:g} {busiest} a day, the busiest holders would have too "
            f"many: write at most {limit:.2f}",
            related=("record_weights",),
        )


def _size(config: "WorldConfig") -> Iterator[Problem]:
    if config.sample_of < config.subscribers:
        yield Problem(
            ("subscribers",),
            f"{config.subscribers:,} is more than sample_of, {config.sample_of:,}: "
            "write fewer subscribers or a larger sample_of",
            related=("sample_of",),
        )
    if config.all_subscribers > MAX_SUBSCRIBERS:
        yield Problem(
            ("growth",),
            f"makes {config.all_subscribers:,} SIM cards in the end: write less, the limit is "
            f"{MAX_SUBSCRIBERS:,}",
            related=("subscribers",),
        )
    own = [operator for operator in config.operators if operator.own]
    if len(own) != 1:
        return
    # A number is a permutation of the SIM's own number, machines included: no rank is taken.
    needed = config.all_subscribers
    per_ndc = int(_NUMBERS_PER_NDC * _NUMBERS_USED)
    missing = math.ceil(needed / per_ndc) - len(own[0].ndcs)
    if missing > 0:
        yield Problem(
            ("subscribers",),
            f"{needed:,} SIM cards{_and_growth(config)} need as many numbers, but "
            f"{own[0].name} has {len(own[0].ndcs) * per_ndc:,} to give: write fewer subscribers "
            f"or add {missing} ndcs to it{_proposal(config, missing)}",
            related=("operators", "growth"),
        )


def _and_growth(config: "WorldConfig") -> str:
    return ", those of the growth included," if config.prospects else ""


def _bounds(config: "WorldConfig") -> Iterator[Problem]:
    if config.bounds is None:
        return
    if config.bounds.is_empty:
        yield Problem(("bounds",), "bounds nothing: remove this key, or write what it bounds")
    longest, shortest = config.bounds.longest_s, config.bounds.shortest_s
    for key in ("voice_max_s", "data_time_limit_s"):
        limit = getattr(config.charging, key)
        # What a limit cuts off a session or call could be shorter than the shortest.
        if longest is not None and limit < longest:
            yield Problem(
                ("charging", key),
                f"is {limit:,} and cuts what may last {longest:,} seconds by bounds.duration_s: "
                f"write {longest} or more",
                related=("bounds",),
            )
    if shortest > _LONGEST_SHORTEST:
        yield Problem(
            ("bounds", "duration_s"),
            f"the shortest may be {_LONGEST_SHORTEST} at most, not {shortest:,}: most calls end "
            "sooner",
        )
    elif longest is not None and longest < _ROOM * shortest:
        yield Problem(
            ("bounds", "duration_s"),
            f"leave too little room between {shortest} and {longest} seconds: the longest must be "
            f"{_ROOM * shortest} or more, {_ROOM} times the shortest",
        )


def _proposal(config: "WorldConfig", missing: int) -> str:
    taken = {ndc for operator in config.operators for ndc in operator.ndcs}
    free = [ndc for ndc in _FREE_NDCS if ndc not in taken][:missing]
    return f", such as {', '.join(free)}" if free else ""
