"""The registry: who holds each SIM on the epoch, with identities, home, contract and device.

Belongs here: putting together one row per SIM. Does not belong here: who lives with whom
(`households`), where people live and work (`residence`), contracts and churn (`tenure`), words
(`vocabulary`), numbers (`cards`), what changes later (`behaviour`).

A row is a function of the world and of the SIM's number alone: rows are made in whole blocks of
`households`, so the parts in which they are asked for never show. Three keys draw them: the SIM's
own for contract and plan; the holder's (that of the first SIM) for the person and the phone; the
head's for what a household shares, as address, site and language. Personas differ by their
attributes only; no persona's name means anything here.
"""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.contracts.world import LANGUAGES, PERSON_KINDS, SUBSCRIBERS
from telco_pipeline.engine import draws
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.identifiers import Permutation
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice, QuantileTable
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world import cards, numbering, residence, tenure, vocabulary
from telco_pipeline.world.catalogue import device_weights, plan_weights
from telco_pipeline.world.households import BLOCK, FULL_AGE, Households, first_sims, households
from telco_pipeline.world.numbering import VISITOR_COUNTRIES
from telco_pipeline.world.residence import RaggedChoice, Residence, Worker
from telco_pipeline.world.tenure import TenureTables

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Keys of SIMs, holders and households: ranges of their own, so that none passes for another.
_KEYS: Final = 1_000_000_000
_FIRST_KEY: Final = {"subscriber_id": _KEYS, "holder_id": 2 * _KEYS, "household_id": 3 * _KEYS}
_PERSON, _BUSINESS, _VISITOR, _MACHINE = range(4)  # as in PERSON_KINDS

# Language of the customer by that of the place; Brussels apart (Taalbarometer 4: French alone or
# beside others for nine in ten, Dutch for one in six; bills are mostly wanted in French).
_LANGUAGES_OF: Final = {
    "BRU": (0.25, 0.70, 0.00, 0.05),
    "nl": (0.93, 0.04, 0.00, 0.03),
    "fr": (0.03, 0.94, 0.01, 0.02),
    "de": (0.01, 0.09, 0.89, 0.01),
    "en": (0.05, 0.05, 0.00, 0.90),
}
# Culture of the name by the language of the customer, in percent: our estimates, so that about
# one in ten has a name from elsewhere (Statbel 2024: 13.8 % foreign nationals, a third with
# foreign roots).
_CULTURES_OF: Final = {
    "nl": {"nl": 90, "fr": 2, "nld": 2, "ma": 3, "tr": 2, "pl": 1},
    "fr": {"fr": 86, "nl": 2, "fra": 3, "it": 3, "ma": 4, "es": 1, "tr": 1},
    "de": {"de": 94, "fr": 3, "nl": 2, "it": 1},
    "en": {"en": 45, "pl": 15, "es": 10, "it": 10, "de": 5, "nld": 5, "tr": 5, "ma": 5},
}
_STREET_LANGUAGE: Final = np.array([0, 1, 2, 1])  # of a customer in Brussels, by LANGUAGES

_COMPULSORY_EDUCATION: Final = 18  # years of age; younger people all go to school
_LAST_STUDENT_AGE: Final = 26
# Age at which a contract can begin: a child's in the care of a grown-up of its household (who
# signs), that of other people (prepaid at first), a firm's.
_FIRST_PHONE_AGE: Final = 10
_FIRST_OWN_PHONE_AGE: Final = 14
_DAYS_PER_YEAR: Final = 365.25
_SAME_ROOTS: Final = 0.85  # partners whose names are of the same culture
_NAMED_APART: Final = np.uint64((1 << 64) // 5)  # of the names' table between brothers and sisters
_MAX_HOUSE_NUMBER: Final = 200
_TAC_VARIANTS: Final = Choice.of([0.55, 0.25, 0.13, 0.07])  # type approvals of a model on sale
_TAC_VARIANTS_COUNT: Final = 4
_CUSTOMERS_OF_A_MODEL: Final = 4
# Size of the customers who have the same module in the same use, by rank: as 1/rank (ours).
_CUSTOMERS: Final = Choice.of([1 / (1 + rank) for rank in range(_CUSTOMERS_OF_A_MODEL)])
_CONTACT_CENTRE_CALLS: Final = 40  # a business line that places more calls a day is one of these

# Mean use behind the expected spend: minutes of a call, megabytes of a session (28 of them a day
# make BIPT's 10 GB a month).
_CALL_MINUTES: Final = 2.4
_SESSION_MEGABYTES: Final = 11.5
_MACHINE_MEGABYTES: Final = 0.02
_DAYS_PER_MONTH: Final = 30.4
_MAX_OVERUSE: Final = 20_000_000.0  # micro-euro a month; beyond it people change plan


@dataclass(frozen=True)
class PersonaTables:
    """Attributes of the personas as arrays, in the order of the file.

    Attributes:
        choice: Persona by weight.
        names: Names.
        kind: Position in `PERSON_KINDS`.
        first_age: Youngest age in years (0 for machines).
        last_age: Oldest age in years.
        student_young: Chance to be a student below 18.
        student_adult: Chance to be a student from 18 to 26.
        works: Chance to have a work place.
        prepaid: Chance to pay in advance.
        machine: Which persona of machines, from 0; of no meaning for others.
        level: Table of the activity level, mean 1; one per distinct sigma.
        level_row: Which of them.
        busy: Whether it calls like a contact centre.
        minutes: Minutes of calls a day.
        messages: Messages a day.
        megabytes: Data a day.
    """

    choice: Choice
    names: pl.Series
    kind: Integers
    first_age: Integers
    last_age: Integers
    student_young: Floats
    student_adult: Floats
    works: Floats
    prepaid: Floats
    machine: Integers
    level: tuple[QuantileTable, ...]
    level_row: Integers
    busy: Flags
    minutes: Floats
    messages: Floats
    megabytes: Floats

    @classmethod
    def of(cls, config: WorldConfig) -> "PersonaTables":
        """Build the tables from the world's personas."""
        personas = list(config.personas.values())
        kind = np.array([PERSON_KINDS.index(persona.kind) for persona in personas])
        ages = [persona.age or (0, 0) for persona in personas]
        students = [
            _student_chances(persona.student, *age)
            for persona, age in zip(personas, ages, strict=True)
        ]
        sigmas = sorted({persona.level_sigma for persona in personas})
        calls = np.array([persona.calls for persona in personas])
        return cls(
            choice=Choice.of([persona.share for persona in personas]),
            names=pl.Series(list(config.personas), dtype=pl.String),
            kind=kind,
            first_age=np.array([age[0] for age in ages]),
            last_age=np.array([age[1] for age in ages]),
            student_young=np.array([young for young, _ in students]),
            student_adult=np.array([adult for _, adult in students]),
            works=np.array([persona.works for persona in personas]),
            prepaid=np.array([persona.prepaid for persona in personas]),
            machine=np.maximum(np.cumsum(kind == _MACHINE) - 1, 0),
            level=tuple(QuantileTable.log_normal(math.exp(-s * s / 2), s) for s in sigmas),
            level_row=np.array([sigmas.index(persona.level_sigma) for persona in personas]),
            busy=(kind == _BUSINESS) & (calls > _CONTACT_CENTRE_CALLS),
            minutes=calls * _CALL_MINUTES,
            messages=np.array([persona.messages for persona in personas]),
            megabytes=np.array([persona.sessions for persona in personas])
            * np.where(kind == _MACHINE, _MACHINE_MEGABYTES, _SESSION_MEGABYTES),
        )


def _student_chances(share: float, first: int, last: int) -> tuple[float, float]:
    """Split a persona's share of students into chances below 18 and from 18 to 26.

    Whoever is below 18 goes to school, if anybody of the persona does.
    """
    ages = range(first, last + 1)
    young = sum(age < _COMPULSORY_EDUCATION for age in ages) / len(ages)
    adult = sum(_COMPULSORY_EDUCATION <= age <= _LAST_STUDENT_AGE for age in ages) / len(ages)
    if share <= young or not adult:
        return (min(share / young, 1.0) if young else 0.0), 0.0
    return 1.0, min((share - young) / adult, 1.0)


@dataclass(frozen=True)
class SubscriberInputs:
    """All that rows are made from, built once per world and process.

    Attributes:
        places: Frame of the places.
        sites: Frame of the sites.
        cells: Frame of the cells.
        devices: Frame of the device models.
        plans: Frame of the plans.
        personas: Attributes of the personas.
        residence: Tables of places and cells.
        tenure: Tables of contracts.
        words: The vocabulary.
        device_choice: Device model by persona, then model for two SIMs by persona.
        two_sims: Whether a persona has models for two SIMs.
        dual_sim: Whether a device model takes two SIMs.
        machine_model: Number of a device model among those that machines have, from 1.
        plan_choice: Plan by persona, in rows of two: in arrears, in advance.
        tariff: Fee, then allowance and price of minutes, messages and megabytes, by plan.
        payment: Group of contracts (`tenure`) of a person or firm by plan.
        country_choice: Visitor's country.
        language_choice: Language by language of the place (rows of `_LANGUAGES_OF`).
        culture_choice: Culture of names by language.
        place_group: Row of `language_choice` per place; 0 is Brussels.
        place_language: Position in `LANGUAGES` per place.
    """

    places: pl.DataFrame
    sites: pl.DataFrame
    cells: pl.DataFrame
    devices: pl.DataFrame
    plans: pl.DataFrame
    personas: PersonaTables
    residence: Residence
    tenure: TenureTables
    words: vocabulary.Vocabulary
    device_choice: RaggedChoice
    two_sims: Flags
    dual_sim: Flags
    machine_model: Integers
    plan_choice: RaggedChoice
    tariff: Floats
    payment: Integers
    country_choice: Choice
    language_choice: Choice
    culture_choice: Choice
    place_group: Integers
    place_language: Integers

    @classmethod
    def of(
        cls,
        config: WorldConfig,
        places: pl.DataFrame,
        sites: pl.DataFrame,
        cells: pl.DataFrame,
        devices: pl.DataFrame,
        plans: pl.DataFrame,
    ) -> "SubscriberInputs":
        """Build the tables of a world.

        Args:
            config: The world.
            places: Frame of `places.build_places`.
            sites: Sites of `network.build_network`.
            cells: Cells of `network.build_network`.
            devices: Frame of `catalogue.build_devices`.
            plans: Frame of `catalogue.build_plans`.

        Raises:
            TelcoError: When the world has more SIMs than its ranges hold numbers.
        """
        cards.check_capacity(config)
        dual_sim = devices["dual_sim"].to_numpy()
        models = [device_weights(config, devices, persona) for persona in config.personas.values()]
        dual_models = [np.where(dual_sim, weights, 0.0).tolist() for weights in models]
        two_sims = [any(weights) for weights in dual_models]
        groups = list(_LANGUAGES_OF)
        region = places["region"].cast(pl.String)
        language = places["language"].cast(pl.String)
        return cls(
            places=places,
            sites=sites,
            cells=cells,
            devices=devices,
            plans=plans,
            personas=PersonaTables.of(config),
            residence=Residence.of(places, sites, cells, devices),
            tenure=TenureTables.of(config.epoch, config.time_zone, config.country),
            words=vocabulary.load_vocabulary(),
            device_choice=_choice(
                models
                + [
                    dual if has_two else every
                    for dual, has_two, every in zip(dual_models, two_sims, models, strict=True)
                ]
            ),
            two_sims=np.array(two_sims),
            dual_sim=dual_sim,
            machine_model=np.cumsum(_of_machines(config, models, len(devices)), dtype=np.int64),
            plan_choice=_choice(
                plan_weights(config, plans, persona, prepaid)
                for persona in config.personas.values()
                for prepaid in (False, True)
            ),
            tariff=_tariff(plans),
            payment=np.where(plans["payment"] == "prepaid", tenure.PREPAID, tenure.POSTPAID),
            country_choice=Choice.of(_country_weights(config)),
            language_choice=Choice.of(list(_LANGUAGES_OF.values())),
            culture_choice=Choice.of(
                [
                    [_CULTURES_OF[language].get(culture, 0) for culture in vocabulary.CULTURES]
                    for language in LANGUAGES
                ]
            ),
            place_group=np.array(
                [
                    groups.index("BRU" if area == "BRU" else spoken)
                    for area, spoken in zip(region, language, strict=True)
                ]
            ),
            place_language=np.array([LANGUAGES.index(spoken) for spoken in language]),
        )


def _choice(rows: Iterable[list[float]]) -> RaggedChoice:
    """Build a choice between the outcomes of positive weight."""
    arrays = [np.array(weights) for weights in rows]
    return RaggedChoice.of((kept := np.flatnonzero(row), row[kept]) for row in arrays)


def _of_machines(config: WorldConfig, weights: list[list[float]], models: int) -> Flags:
    """Return which device models machines have, from the weights of the models by persona."""
    found = np.zeros(models, dtype=np.bool_)
    for persona, of_models in zip(config.personas.values(), weights, strict=True):
        if persona.kind == PERSON_KINDS[_MACHINE]:
            found |= np.array(of_models) > 0
    return found


def _tariff(plans: pl.DataFrame) -> Floats:
    """Return fee, then allowance (infinite for none) and price of minutes, messages, megabytes."""
    unlimited = float("inf")
    columns = [
        pl.col("monthly_fee"),
        pl.col("voice_seconds") / 60, pl.col("voice_price"),
        pl.col("messages"), pl.col("message_price"),
        pl.col("data_bytes") / 1_000_000, pl.col("data_price"),
    ]  # fmt: skip
    filled = [column.cast(pl.Float64).fill_null(unlimited) for column in columns]
    return plans.select(filled).to_numpy()


def _country_weights(config: WorldConfig) -> list[float]:
    """Return the visitors' countries, without those whose range is too small for the world."""
    return [c.weight if c.size >= config.all_subscribers else 0.0 for c in VISITOR_COUNTRIES]


@dataclass(frozen=True)
class _Holders:
    """Who holds the SIMs of some whole blocks; one array element per SIM.

    Attributes:
        entity: Number of the SIM in the world.
        first: Position of the holder's first SIM.
        family: Households; what second SIMs have in there is of no meaning.
        head: Position of the head of the household.
        keys: Key of the draws of the SIM.
        personal: Key of the draws of the holder.
        shared: Key of the draws of the household.
        persona: Position of the persona.
        kind: Position in `PERSON_KINDS`.
        place: Row of the place.
        country: Position in `VISITOR_COUNTRIES`; of use for visitors only.
        device: Row of the device model.
        plan: Row of the plan.
        birth: Day of birth in days since 1970; of no meaning for machines, like the next three.
        age: Age on the epoch in years.
        student: Whether a student.
        language: Position in `LANGUAGES`.
    """

    entity: Integers
    first: Integers
    family: Households
    head: Integers
    keys: Bits
    personal: Bits
    shared: Bits
    persona: Integers
    kind: Integers
    place: Integers
    country: Integers
    device: Integers
    plan: Integers
    birth: Integers
    age: Integers
    student: Flags
    language: Integers


def build_subscribers(config: WorldConfig, inputs: SubscriberInputs, part: Part) -> pl.DataFrame:
    """Return the registry's rows of the SIMs `part.start` to `part.stop`, in that order.

    Args:
        config: The world.
        inputs: Tables of `SubscriberInputs.of` for the same world.
        part: Range of SIM numbers; rows do not depend on how the world is cut.

    Returns:
        One row per SIM in the columns and types of the `subscribers` contract.
    """
    start = part.start // BLOCK * BLOCK
    stop = min(-(-part.stop // BLOCK) * BLOCK, config.all_subscribers)
    holders = _holders(config, inputs, np.arange(start, max(start, stop), dtype=np.int64))
    entity, first = holders.entity, holders.first
    alone = pl.Series(holders.kind != _PERSON)
    columns = {
        "subscriber_id": _key(config, "subscriber_id", entity),
        "holder_id": _key(config, "holder_id", entity[first]),
        "sim_slot": 1 + (first != np.arange(len(first))),
        "household_id": _key(config, "household_id", entity[holders.head]).set(alone, None),
        "persona": inputs.personas.names.gather(holders.persona),
        "kind": _enum(PERSON_KINDS).gather(holders.kind),
        **cards.identities(config, _sims(config, inputs, holders)),
        **_names(inputs, holders),
        **_contract(config, inputs, holders),
        **_cells(inputs, holders),
    }
    frame = pl.DataFrame(columns).slice(part.start - start, part.size)
    return frame.select(
        pl.col(name).cast(dtype) for name, dtype in SUBSCRIBERS.polars_schema.items()
    )


def _key(config: WorldConfig, name: str, entity: Integers) -> pl.Series:
    """Return keys that tell nothing about the numbers behind them."""
    return pl.Series(_FIRST_KEY[name] + Permutation(_KEYS, config.seed, name)(entity))


def _holders(config: WorldConfig, inputs: SubscriberInputs, entity: Integers) -> _Holders:
    """Draw who holds the SIMs of whole blocks."""
    personas = inputs.personas
    keys = draws.keys(draws.stream(config.seed, "subscriber"), entity)
    persona = personas.choice.sample(draws.bits(keys, "persona")).astype(np.int64)
    is_person = personas.kind[persona] == _PERSON
    first = first_sims(keys, is_person, inputs.two_sims[persona])
    persona, personal = persona[first], keys[first]
    kind = personas.kind[persona]

    oldest = _birthdays(config.epoch, int(personas.last_age.max()) + 1)
    youngest = personas.first_age[persona]
    birth = _births(oldest, youngest, personas.last_age[persona], personal)
    single = first == np.arange(len(first))
    members = np.flatnonzero(is_person & single)
    family = households(keys, members, birth, _age(oldest, birth))
    lost = np.flatnonzero(family.alone & (personas.last_age[persona] >= FULL_AGE))
    of_age = np.maximum(youngest[lost], FULL_AGE)
    birth[lost] = _births(oldest, of_age, personas.last_age[persona[lost]], keys[lost])
    birth = birth[first]
    age = _age(oldest, birth)
    head = family.head[first]
    shared = keys[head]

    place = inputs.residence.home_place(draws.bits(shared, "place"), kind == _VISITOR)
    country = inputs.country_choice.sample(draws.bits(keys, "country")).astype(np.int64)
    prepaid = draws.chance(draws.bits(keys, "prepaid"), personas.prepaid[persona])
    two = np.zeros(len(keys), dtype=np.int64)
    two[first[~single]] = len(personas.kind)
    two = two[first]
    return _Holders(
        entity=entity,
        first=first,
        family=family,
        head=head,
        keys=keys,
        personal=personal,
        shared=shared,
        persona=persona,
        kind=kind,
        place=place,
        country=country,
        device=inputs.device_choice.sample(draws.bits(personal, "device"), persona + two),
        plan=inputs.plan_choice.sample(draws.bits(keys, "plan"), 2 * persona + prepaid),
        birth=birth,
        age=age,
        student=_students(personas, persona, age, personal),
        language=_languages(inputs, kind, place, country, shared),
    )


def _births(oldest: Integers, first_age: Integers, last_age: Integers, keys: Bits) -> Integers:
    """Draw days of birth: ages of a range on the epoch, each day alike."""
    # Born after the birthday that would make them too old, at the latest on the one that makes
    # them just old enough.
    after, last = oldest[last_age + 1], oldest[first_age]
    return after + 1 + draws.below(draws.bits(keys, "birth"), last - after)


def _age(oldest: Integers, birth: Integers) -> Integers:
    """Return ages in years on the epoch, from the birthdays of `_birthdays`."""
    # Birthdays fall as age rises: count those that are already behind.
    return len(oldest) - np.searchsorted(oldest[::-1], birth, side="left") - 1


def _students(personas: PersonaTables, persona: Integers, age: Integers, keys: Bits) -> Flags:
    """Draw who is a student."""
    young = age < _COMPULSORY_EDUCATION
    chance = np.where(young, personas.student_young[persona], personas.student_adult[persona])
    chance[age > _LAST_STUDENT_AGE] = 0.0
    return draws.chance(draws.bits(keys, "student"), chance)


def _languages(
    inputs: SubscriberInputs, kind: Integers, place: Integers, country: Integers, keys: Bits
) -> Integers:
    """Draw languages, by place or by country of origin; one per household."""
    group = inputs.place_group[place]
    language = inputs.language_choice.sample(draws.bits(keys, "language"), group).astype(np.int64)
    visitor_language = np.array([LANGUAGES.index(c.language) for c in VISITOR_COUNTRIES])
    # A machine belongs to a firm of its place.
    language = np.where(kind == _MACHINE, inputs.place_language[place], language)
    return np.where(kind == _VISITOR, visitor_language[country], language)


def _birthdays(epoch: dt.date, years: int) -> Integers:
    """Return the day (since 1970) on which who is n years old on the epoch was born, n from 0."""
    # 29 February has its birthday on the 28th in other years.
    day = 28 if (epoch.month, epoch.day) == (2, 29) else epoch.day
    dates = [dt.date(epoch.year - age, epoch.month, day) for age in range(years + 1)]
    return np.array([(date - dt.date(1970, 1, 1)).days for date in dates])


def _sims(config: WorldConfig, inputs: SubscriberInputs, holders: _Holders) -> cards.Sims:
    """Return what the numbers of the SIMs depend on."""
    first = inputs.devices["tac_first"].cast(pl.Int64).to_numpy()
    last = inputs.devices["tac_last"].cast(pl.Int64).to_numpy()
    room = int((last - first).min() + 1) // numbering.tac_blocks(config.all_subscribers)
    return cards.Sims(
        entity=holders.entity,
        phone=holders.entity[holders.first],
        kind=holders.kind,
        country=holders.country,
        account=_accounts(inputs, holders),
        dual_sim=inputs.dual_sim[holders.device],
        tac_first=first[holders.device],
        tac_variant=_TAC_VARIANTS.sample(draws.bits(holders.personal, "tac")).astype(np.int64),
        tac_variants=max(min(_TAC_VARIANTS_COUNT, room), 1),
    )


def _accounts(inputs: SubscriberInputs, holders: _Holders) -> Integers:
    """Return the number of the customer whose machine each SIM is in.

    A customer has machines of one persona with one model of module: fleets are bought as one lot.
    """
    models = inputs.machine_model
    model = inputs.personas.machine[holders.persona] * models[-1] + models[holders.device] - 1
    which = _CUSTOMERS.sample(draws.bits(holders.keys, "machine customer")).astype(np.int64)
    return np.maximum(model, 0) * _CUSTOMERS_OF_A_MODEL + which  # of people it has no meaning


def _names(inputs: SubscriberInputs, holders: _Holders) -> dict[str, pl.Series]:
    """Return names, birth date, student flag, language and street; null for machines."""
    words, human = inputs.words, holders.kind != _MACHINE
    first_name, last_name = _own_names(inputs, holders)
    bilingual = inputs.place_group[holders.place] == 0
    own_language = _STREET_LANGUAGE[holders.language]
    local = _STREET_LANGUAGE[inputs.place_language[holders.place]]
    street_bits = draws.bits(holders.shared, "street")
    street = words.streets.sample(street_bits, np.where(bilingual, own_language, local))
    uniform = draws.uniform(draws.bits(holders.shared, "house number"))
    square = uniform * uniform
    along = (
        0.25 * uniform + 0.75 * (square * square)
    ) * _MAX_HOUSE_NUMBER  # most streets are short
    house = 1 + along.astype(np.int64)

    company_bits = draws.bits(holders.keys, "company")
    firms = words.companies.sample(company_bits, own_language)
    centres = words.contact_centres.sample(company_bits, 0)
    busy = pl.Series(inputs.personas.busy[holders.persona])
    business = pl.Series(holders.kind == _BUSINESS)
    last_name = centres.zip_with(busy, firms).zip_with(business, last_name)
    nameless = pl.Series([None], dtype=pl.String)
    birth = holders.birth.astype("datetime64[D]")
    birth[~human] = np.datetime64("NaT")
    return {
        "first_name": first_name.zip_with(pl.Series(human), nameless),
        "last_name": last_name.zip_with(pl.Series(human), nameless),
        "birth_date": pl.Series(birth),
        "student": pl.Series(holders.student & human),
        "language": _enum(LANGUAGES).gather(holders.language),
        "street": street + " " + pl.Series(house).cast(pl.String),
    }


def _own_names(inputs: SubscriberInputs, holders: _Holders) -> tuple[pl.Series, pl.Series]:
    """Return first names, by sex and age, and family names: a child has that of one parent."""
    words, family, first, keys = inputs.words, holders.family, holders.first, holders.keys
    here = np.arange(len(keys))
    parent = np.where(family.parent >= 0, family.parent, here)[first]
    # Whose roots they have: their own, the head's for most partners, the parent's for children.
    same = draws.chance(draws.bits(keys, "roots"), _SAME_ROOTS)
    roots = np.where(family.partner & same, family.head, here)[parent]
    culture_bits = draws.bits(keys, "culture")[roots]
    culture = inputs.culture_choice.sample(culture_bits, holders.language)
    visitor_culture = np.array([vocabulary.CULTURES.index(c.culture) for c in VISITOR_COUNTRIES])
    culture = np.where(holders.kind == _VISITOR, visitor_culture[holders.country], culture)

    year = holders.birth.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
    generation = np.searchsorted(vocabulary.GENERATION_STARTS, year, side="right")
    row = vocabulary.first_name_row(culture, family.sex[first], generation)
    # Children of one household have names that lie apart in the table: never the same one.
    apart = family.sibling[first].astype(np.uint64) * _NAMED_APART
    named = np.where(parent == first, first, holders.head)
    name_bits = draws.bits(keys, "first name")
    children = draws.bits(keys, "children's names")
    name_bits = np.where(parent == first, name_bits[named], children[named] + apart)
    first_name = words.first_names.sample(name_bits, row)
    return first_name, words.last_names.sample(draws.bits(keys, "last name")[parent], culture)


def _contract(
    config: WorldConfig, inputs: SubscriberInputs, holders: _Holders
) -> dict[str, pl.Series]:
    """Return plan, device, contract dates, activity, satisfaction, churn and lifetime value."""
    payment = inputs.payment[holders.plan]
    group = np.where(
        holders.kind == _MACHINE,
        tenure.MACHINE,
        np.where(holders.kind == _VISITOR, tenure.VISITOR, payment),
    )
    firm = holders.kind == _BUSINESS
    drawn = inputs.tenure.draw(holders.keys, group, firm, _longest_contract(config, holders))
    level = _activity(inputs.personas, holders)
    value = tenure.lifetime_value(group, _spend(inputs, holders, level), drawn.churn_score)
    return {
        "plan_id": inputs.plans["plan_id"].gather(holders.plan),
        "device_id": inputs.devices["device_id"].gather(holders.device),
        "contract_start": pl.Series(drawn.contract_start),
        "contract_end": pl.Series(drawn.contract_end),
        "activity_level": pl.Series(level),
        "satisfaction": pl.Series(drawn.satisfaction),
        "churn_score": pl.Series(drawn.churn_score),
        "lifetime_value": pl.Series(value),
    }


def _longest_contract(config: WorldConfig, holders: _Holders) -> Integers:
    """Return how many days old a contract can be: a holder was old enough when it began."""
    epoch = (config.epoch - dt.date(1970, 1, 1)).days
    child = holders.family.parent[holders.first] >= 0
    years = np.where(child, _FIRST_PHONE_AGE, _FIRST_OWN_PHONE_AGE)
    years[holders.kind == _BUSINESS] = FULL_AGE
    # The next whole day, as the birthday may be one earlier, never later.
    birthday = holders.birth + (years * _DAYS_PER_YEAR).astype(np.int64) + 1
    days = np.maximum(epoch - birthday, 1)
    return np.where(holders.kind == _MACHINE, 100 * 365, days)


def _activity(personas: PersonaTables, holders: _Holders) -> Floats:
    """Return the personal level: log-normal with mean 1, four decimals, never 0."""
    random_bits = draws.bits(holders.keys, "activity level")
    row = personas.level_row[holders.persona]
    level = np.empty(len(row))
    for number, table in enumerate(personas.level):
        members = np.flatnonzero(row == number)
        level[members] = table.sample(random_bits[members])
    return np.maximum(np.rint(level * 1e4), 1.0) / 1e4


def _spend(inputs: SubscriberInputs, holders: _Holders, level: Floats) -> Floats:
    """Return the expected spend a month in micro-euro: the fee and what exceeds the allowances."""
    personas, persona, tariff = inputs.personas, holders.persona, inputs.tariff[holders.plan]
    monthly = level * _DAYS_PER_MONTH
    over = np.zeros(len(level))
    for number, rate in enumerate((personas.minutes, personas.messages, personas.megabytes)):
        allowance, price = tariff[:, 1 + 2 * number], tariff[:, 2 + 2 * number]
        over += np.maximum(rate[persona] * monthly - allowance, 0.0) * price
    return tariff[:, 0] + np.minimum(over, _MAX_OVERUSE)


def _cells(inputs: SubscriberInputs, holders: _Holders) -> dict[str, pl.Series]:
    """Return place, home cell and work cell; null for who has no work place."""
    where, names = inputs.residence, inputs.cells["cell_id"]
    keys, shared, head, device = holders.personal, holders.shared, holders.head, holders.device
    old = where.is_old(device)
    many = np.bincount(head, minlength=len(head))[head]
    many_old = np.bincount(head, weights=old, minlength=len(head))[head]
    spoken = np.where(
        many_old == 0,
        residence.MODERN,
        np.where(many_old == many, residence.OLD, residence.MIXED),
    )
    site = where.site(draws.bits(shared, "home/site"), holders.place, spoken)
    home = where.cell(site, device, draws.bits(shared, "home/cell"), draws.bits(keys, "home/nr"))
    works = draws.chance(draws.bits(keys, "works"), inputs.personas.works[holders.persona])
    chosen = np.flatnonzero(works)
    worker = Worker(holders.student[chosen], holders.kind[chosen] != _MACHINE)
    work = np.full(len(home), len(names), np.int64)
    work[chosen] = where.work_cell(
        keys[chosen], holders.place[chosen], site[chosen], device[chosen], worker
    )
    return {
        "place_id": inputs.places["place_id"].gather(holders.place),
        "home_cell_id": names.gather(home),
        "work_cell_id": names.extend_constant(None, 1).gather(work),
    }


def _enum(names: list[str]) -> pl.Series:
    return pl.Series(names, dtype=pl.Enum(names))
