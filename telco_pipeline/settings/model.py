"""The shape of a world: one model per mapping of `scenarios/world.yaml`, with the same names.

Belongs here: keys, types, what a world answers about itself. Does not belong here: what one value
may be (`values`), rules between values (`checks`), reading the file (`loading`).
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from telco_pipeline.settings import checks, values
from telco_pipeline.settings.bounds import Bounds

# The largest counts; those of events per day are narrowed down in `checks`.
_MAX_PER_DAY: Final = checks.MAX_MEAN_PER_DAY

LAYER_WORDS: Final = ("story", "signatures", "tells")
"""Keys of a layer that make neither records nor truth: what is told, and what is looked for."""

_Identifier = Annotated[str, BeforeValidator(values.IDENTIFIER)]
_Name = Annotated[str, BeforeValidator(values.NAME)]
_Probability = Annotated[float, BeforeValidator(values.number(0, 1))]
_PositiveShare = Annotated[float, BeforeValidator(values.number(0, 1, above=True))]
_Weight = Annotated[float, BeforeValidator(values.number(0, 1_000_000))]
_RecordWeight = Annotated[float, BeforeValidator(values.number(0, 100))]
_PerDay = Annotated[float, BeforeValidator(values.number(0, _MAX_PER_DAY))]
_Seconds = Annotated[int, BeforeValidator(values.whole(60, 86_400))]
_PhoneNumber = Annotated[
    str, BeforeValidator(values.pattern("text of + and 6 to 15 digits", r"\+[1-9][0-9]{5,14}"))
]


class _Strict(BaseModel):
    """A mapping that takes no other keys and does not change."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Operator(_Strict):
    """A mobile operator of the country.

    Attributes:
        name: Name of the brand.
        plmn: MCC and MNC, 5 or 6 digits (TS 23.003).
        share: Share of the human SIMs of the country.
        ndcs: National destination codes, 3 digits each: a million numbers.
        own: Whether it is the operator whose records are made.
    """

    name: _Name
    plmn: Annotated[str, BeforeValidator(values.pattern("text of 5 or 6 digits", r"[0-9]{5,6}"))]
    share: _PositiveShare
    ndcs: Annotated[
        tuple[
            Annotated[
                str,
                BeforeValidator(
                    values.pattern("text of 3 digits of which the first is 4", r"4[0-9]{2}")
                ),
            ],
            ...,
        ],
        BeforeValidator(values.listing("a list of 1 to 100 prefixes", 1, 100)),
    ]
    own: Annotated[bool, BeforeValidator(values.FLAG)] = False


class Numbering(_Strict):
    """Number ranges of the country and numbers of the operator's own services.

    Attributes:
        country_code: Country calling code (E.164), digits only.
        m2m_ndc: Prefix of machines' numbers.
        iccid_issuer: Issuer identifier in the ICCID after the country code (E.118).
        care_number: Number of customer care.
        voicemail_number: Number of the voicemail.
    """

    country_code: Annotated[
        str, BeforeValidator(values.pattern("text of 1 to 3 digits", r"[1-9][0-9]{0,2}"))
    ]
    m2m_ndc: Annotated[
        str, BeforeValidator(values.pattern("text of 2 or 3 digits", r"[1-9][0-9]{1,2}"))
    ]
    iccid_issuer: Annotated[
        str, BeforeValidator(values.pattern("text of 2 or 3 digits", r"[0-9]{2,3}"))
    ]
    care_number: _PhoneNumber
    voicemail_number: _PhoneNumber


class RecordWeights(_Strict):
    """Factors of the number of records of each kind; 1 is what the personas say."""

    voice: _RecordWeight
    sms: _RecordWeight
    data: _RecordWeight
    voip: _RecordWeight
    ims: _RecordWeight
    location_updates: _RecordWeight
    network_logs: _RecordWeight
    customer_service: _RecordWeight


class Charging(_Strict):
    """Limits of a record, in seconds.

    Attributes:
        data_time_limit_s: After this time a data session is closed in a partial record.
        voice_max_s: Longest call.
    """

    data_time_limit_s: _Seconds
    voice_max_s: _Seconds


class Generation(_Strict):
    """Share of the sites that carry a radio generation, in dense and in sparse places."""

    dense: _Probability
    sparse: _Probability


class Network(_Strict):
    """Size and make of the radio network.

    Attributes:
        sites: Number of radio sites, or ``auto``.
        generations: By radio generation: gsm, lte, nr.
        vendors: Shares of the sites by vendor; they sum to 1.
        log_lines_per_element_day: Mean log lines of a network element per day.
        fault_rate: Factor on how often things break; 0: nothing ever does, nor is any work done.
    """

    sites: Annotated[Literal["auto"] | int, BeforeValidator(values.SITES)]
    generations: Annotated[
        Mapping[Annotated[str, BeforeValidator(values.one_of(*checks.GENERATIONS))], Generation],
        BeforeValidator(values.mapping("generations (gsm, lte, nr)", 3)),
    ]
    vendors: Annotated[
        Mapping[_Name, _PositiveShare], BeforeValidator(values.mapping("vendors", 20))
    ]
    log_lines_per_element_day: _PerDay
    fault_rate: Annotated[float, BeforeValidator(values.number(0, 1_000))] = 1.0


class Growth(_Strict):
    """Who becomes a customer after the epoch.

    Attributes:
        joins_per_month: New SIMs a month, as a part of those on the epoch.
        months: For how many months from the epoch on.
    """

    joins_per_month: Annotated[float, BeforeValidator(values.number(0, 1))]
    months: Annotated[int, BeforeValidator(values.whole(0, 120))]


_Hours = Annotated[tuple[_Weight, ...], BeforeValidator(values.HOURS)]


class Rhythm(_Strict):
    """Weights of the 24 hours of a local day, from 00 h; only their ratios count."""

    weekday: _Hours
    weekend: _Hours


class Persona(_Strict):
    """A kind of SIM holder.

    Attributes:
        share: Weight among all SIMs.
        kind: person, business, visitor or machine.
        calls: Mean calls started per day.
        messages: Mean messages sent per day.
        sessions: Mean data sessions per day.
        rhythm: ``day`` (calls, messages and data by their own rhythms) or a rhythm's name.
        level_sigma: Standard deviation of ln(personal level).
        age: Lowest and highest age in years on the epoch; None for machines.
        works: Probability of having a place of work or study.
        student: Probability of being a student.
        prepaid: Probability of a prepaid plan.
        trips_per_year: Mean journeys abroad per year.
        tech: Inclination to new devices and plans, 0 to 1.
    """

    share: _Weight
    kind: Annotated[
        Literal["person", "business", "visitor", "machine"],
        BeforeValidator(values.one_of("person", "business", "visitor", "machine")),
    ]
    calls: _PerDay
    messages: _PerDay
    sessions: _PerDay
    rhythm: _Identifier
    level_sigma: Annotated[float, BeforeValidator(values.number(0, 2))]
    age: Annotated[tuple[int, int] | None, BeforeValidator(values.AGES)] = None
    works: _Probability
    student: _Probability = 0.0
    prepaid: _Probability
    trips_per_year: Annotated[float, BeforeValidator(values.number(0, 366))]
    tech: _Probability

    @model_validator(mode="after")
    def _agree(self) -> Self:
        return checks.enforce(self, checks.persona_problems(self))


class Service(_Strict):
    """An application of data sessions (Zanella et al., ACM IMC 2023).

    Attributes:
        share: Weight among the sessions.
        u: Mean of log10(volume in bytes).
        s: Standard deviation of log10(volume in bytes).
        a: Factor of volume = a * duration**b, duration in seconds.
        b: Exponent of volume = a * duration**b.
        uplink: Uplink part of the bytes.
    """

    share: Annotated[float, BeforeValidator(values.number(0, 1_000_000, above=True))]
    u: Annotated[float, BeforeValidator(values.number(0, 10))]
    s: Annotated[float, BeforeValidator(values.number(0, 3))]
    a: Annotated[float, BeforeValidator(values.number(0, 10**12, above=True))]
    b: Annotated[float, BeforeValidator(values.number(0, 5, above=True))]
    uplink: _Probability


class WorldConfig(_Strict):
    """A world: everything that makes the rows of an operator.

    Equal worlds are those with the same `world_hash`. Mappings keep the order of the file, which
    is the order of persona, rhythm and service numbers.

    Attributes:
        version: Version of the file's shape, 1.
        seed: Seed of all draws.
        epoch: First day of the world.
        time_zone: IANA name of the zone of behaviour and billing.
        country: ISO code of the country.
        subscribers: SIM cards in service on the epoch, machines included.
        sample_of: SIM cards that the sample stands for.
        part_size: SIMs (or elements) whose records of a day are one file; a power of two.
        operators: The country's operators; exactly one is our own.
        numbering: Number ranges.
        record_weights: Factors of the number of records.
        charging: Limits of a record.
        network: Size and make of the radio network.
        growth: Who becomes a customer later.
        rhythms: Hour profiles by name; calls, messages and data among them.
        personas: Kinds of SIM holders by name.
        services: Applications of data sessions by name.
        bounds: What the world is limited to; None: to nothing but the country.
        layers: Scenario layers that are on, by name: plain values of `scenarios.language.Layer`,
            which come from files of their own and not from the world's.
    """

    version: Annotated[int, BeforeValidator(values.VERSION)]
    seed: Annotated[int, BeforeValidator(values.whole(0, 2**63 - 1))]
    epoch: Annotated[dt.date, BeforeValidator(values.EPOCH)]
    time_zone: Annotated[str, BeforeValidator(values.TIME_ZONE)]
    country: Annotated[str, BeforeValidator(values.COUNTRY)]
    subscribers: Annotated[int, BeforeValidator(values.whole(1, checks.MAX_SUBSCRIBERS))]
    sample_of: Annotated[int, BeforeValidator(values.whole(1, 10_000_000_000))]
    part_size: Annotated[int, BeforeValidator(values.power_of_two(1 << 10, 1 << 20))]
    operators: Annotated[
        tuple[Operator, ...],
        BeforeValidator(values.listing("a list of 1 to 100 operators", 1, 100)),
    ]
    numbering: Numbering
    record_weights: RecordWeights
    charging: Charging
    network: Network
    growth: Growth = Growth(joins_per_month=0.0, months=0)
    rhythms: Annotated[
        Mapping[_Identifier, Rhythm], BeforeValidator(values.mapping("rhythms", 100))
    ]
    # 250: engine.tables.Choice numbers its outcomes in a byte.
    personas: Annotated[
        Mapping[_Identifier, Persona], BeforeValidator(values.mapping("personas", 250))
    ]
    services: Annotated[
        Mapping[_Identifier, Service], BeforeValidator(values.mapping("services", 250))
    ]
    bounds: Bounds | None = None
    layers: Mapping[_Identifier, Any] = {}

    @model_validator(mode="after")
    def _agree(self) -> Self:
        return checks.enforce(self, checks.world_problems(self))

    @cached_property
    def world_hash(self) -> str:
        """16 hex characters that stand for every value of the world that makes rows (BLAKE2b).

        Floats count by their value, mappings by their order; how the file is laid out, its
        comments and the order of its top-level keys do not matter, nor does what layers tell of
        themselves (`LAYER_WORDS`).
        """
        tree = self.to_dict()
        if "layers" in tree:
            tree["layers"] = {name: without_words(layer) for name, layer in tree["layers"].items()}
        text = json.dumps(tree, default=dt.date.isoformat, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @cached_property
    def layers_text(self) -> str:
        """All that the layers say, in one text: worlds of one hash may differ in it."""
        return json.dumps(self.to_dict().get("layers", {}), default=dt.date.isoformat)

    @cached_property
    def prospects(self) -> int:
        """SIM cards that come into service after the epoch."""
        joins = Decimal(str(self.growth.joins_per_month)) * self.growth.months
        return int(self.subscribers * joins)

    @property
    def all_subscribers(self) -> int:
        """SIM cards that are ever in service: those on the epoch, then the prospects."""
        return self.subscribers + self.prospects

    def joined_by(self, date: dt.date) -> int:
        """Return how many SIM cards have come into service by the end of a UTC day.

        They are the first of `all_subscribers`; prospects join evenly, in their order.
        """
        if not self.prospects:
            return self.subscribers
        days = max((date - self.epoch).days + 1, 0)
        due = self.prospects * days * 12 // (365 * self.growth.months)
        return self.subscribers + min(due, self.prospects)

    def days_until_joining(self, prospect: Any) -> Any:
        """Return how many days after the epoch prospects join (see `joined_by`).

        Args:
            prospect: Numbers of prospects from 0: whole numbers, or an array of them.
        """
        return -(-(prospect + 1) * 365 * self.growth.months // (12 * self.prospects)) - 1

    @property
    def longest_call_s(self) -> int:
        """The longest that anybody talks, in seconds."""
        most = self.charging.voice_max_s
        return most if self.bounds is None else min(most, self.bounds.longest_s or most)

    @property
    def own_operator(self) -> Operator:
        """The operator whose records are made."""
        return next(operator for operator in self.operators if operator.own)

    @property
    def country_tz(self) -> ZoneInfo:
        """Time zone of behaviour and billing."""
        return ZoneInfo(self.time_zone)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values (dates stay dates) that load back to an equal world."""
        tree = _plain(self.model_dump(exclude_none=True))
        if not self.layers:  # the plain operator is the same world as before there were layers
            del tree["layers"]
        return tree

    def to_yaml(self) -> str:
        """Return YAML that loads back to an equal world."""
        # Here, not above: YAML is slow to import, and few worlds are written.
        from telco_pipeline.settings.world_file import dump

        return dump(self.to_dict())

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a world with other values, checked like any other.

        Pydantic's own neither checks the values nor forgets the hash of the old ones.

        Raises:
            pydantic.ValidationError: When a value is refused.
        """
        return type(self).model_validate({**self.to_dict(), **(update or {})})

    def __eq__(self, other: object) -> bool:
        # Not by fields: dictionaries in another order are equal, but make another world.
        return isinstance(other, WorldConfig) and self.world_hash == other.world_hash

    def __hash__(self) -> int:
        return hash(self.world_hash)


def without_words(layer: Any) -> Any:
    """Return the plain values of a layer without what it tells of itself (`LAYER_WORDS`)."""
    if not isinstance(layer, Mapping):
        return layer
    return {key: value for key, value in layer.items() if key not in LAYER_WORDS}


def _plain(value: Any) -> Any:
    """Turn tuples into lists, all the way down, as JSON and YAML have no tuples."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
