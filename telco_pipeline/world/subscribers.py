"""The registry: who holds each SIM on the epoch, with identities, home, contract and device.

Belongs here: putting together one row per SIM. Does not belong here: where people live and work
(`residence`), contracts and churn (`tenure`), words (`vocabulary`), digits (`numbering`), what
changes later (`state`).

A row is a function of the world and of the SIM's number alone: the parts in which rows are made
never show. Personas differ by their attributes only; no persona's name means anything here.
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
from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import WorldConfig
from telco_pipeline.world import numbering, tenure, vocabulary
from telco_pipeline.world.catalogue import device_weights, plan_weights
from telco_pipeline.world.numbering import VISITOR_COUNTRIES
from telco_pipeline.world.residence import RaggedChoice, Residence
from telco_pipeline.world.tenure import TenureTables

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_FIRST_SUBSCRIBER_ID: Final = 1_000_000_000
_SUBSCRIBER_IDS: Final = 1_000_000_000
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
_WOMEN: Final = 0.507  # Statbel 2024
_STREET_LANGUAGE: Final = np.array([0, 1, 2, 1])  # of a customer in Brussels, by LANGUAGES

_COMPULSORY_EDUCATION: Final = 18  # years of age; younger people all go to school
_LAST_STUDENT_AGE: Final = 26
_FIRST_PHONE_AGE: Final = 10
_MAX_HOUSE_NUMBER: Final = 200
_TAC_VARIANTS: Final = Choice.of([0.55, 0.25, 0.13, 0.07])  # type approvals of a model on sale
_TAC_VARIANTS_COUNT: Final = 4
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
        msin_class: Two digits of the MSIN.
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
    msin_class: Integers
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
        machine_number = np.cumsum(kind == _MACHINE) - 1
        classes = 100 - numbering.FIRST_MACHINE_CLASS
        machine_class = numbering.FIRST_MACHINE_CLASS + machine_number % classes
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
            msin_class=np.where(kind == _MACHINE, machine_class, numbering.PEOPLE_CLASS),
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
        device_choice: Device model by persona.
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
        _check_capacity(config)
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
            tenure=TenureTables.of(),
            words=vocabulary.load_vocabulary(),
            device_choice=_choice(
                device_weights(config, devices, persona) for persona in config.personas.values()
            ),
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
    return [c.weight if c.size >= config.subscribers else 0.0 for c in VISITOR_COUNTRIES]


def _check_capacity(config: WorldConfig) -> None:
    """Refuse worlds with more SIMs than numbers.

    A SIM's number is a permutation of its place in the world, whatever it is, so the ranges must
    hold as many as there are SIMs of all kinds.
    """
    own, reserved = config.own_operator, _reserved(config)
    capacity = min(numbering.msisdn_capacity(own.ndcs, reserved), numbering.imsi_capacity(own.plmn))
    if config.subscribers > capacity:
        raise TelcoError(
            f"subscribers: {config.subscribers:,} SIMs, but the number ranges of {own.name} hold "
            f"{capacity:,}; write fewer subscribers or add ndcs to it"
        )


def _reserved(config: WorldConfig) -> list[int]:
    numbers = (config.numbering.voicemail_number, config.numbering.care_number)
    return numbering.reserved_numbers(
        config.numbering.country_code, config.own_operator.ndcs, numbers
    )


@dataclass(frozen=True)
class _Holders:
    """Who holds the SIMs of a part; one array element per SIM.

    Attributes:
        entity: Number of the SIM in the world.
        keys: Key of its draws.
        persona: Position of the persona.
        kind: Position in `PERSON_KINDS`.
        place: Row of the place.
        country: Position in `VISITOR_COUNTRIES`; of use for visitors only.
        device: Row of the device model.
        plan: Row of the plan.
    """

    entity: Integers
    keys: Bits
    persona: Integers
    kind: Integers
    place: Integers
    country: Integers
    device: Integers
    plan: Integers

    def bits(self, attribute: str) -> Bits:
        """Return 64 random bits per SIM for one attribute."""
        return draws.bits(self.keys, attribute)


def build_subscribers(config: WorldConfig, inputs: SubscriberInputs, part: Part) -> pl.DataFrame:
    """Return the registry's rows of the SIMs `part.start` to `part.stop`, in that order.

    Args:
        config: The world.
        inputs: Tables of `SubscriberInputs.of` for the same world.
        part: Range of SIM numbers; rows do not depend on how the world is cut.

    Returns:
        One row per SIM in the columns and types of the `subscribers` contract.
    """
    holders = _holders(config, inputs, part)
    people = _people(config, inputs, holders)
    columns = {
        "subscriber_id": _FIRST_SUBSCRIBER_ID
        + Permutation(_SUBSCRIBER_IDS, config.seed, "subscriber_id")(holders.entity),
        "persona": inputs.personas.names.gather(holders.persona),
        "kind": _enum(PERSON_KINDS).gather(holders.kind),
        **_identities(config, inputs, holders),
        **_names(inputs, holders, people),
        **_contract(config, inputs, holders, people),
        **_cells(inputs, holders, people),
    }
    frame = pl.DataFrame(columns)
    return frame.select(
        pl.col(name).cast(dtype) for name, dtype in SUBSCRIBERS.polars_schema.items()
    )


def _holders(config: WorldConfig, inputs: SubscriberInputs, part: Part) -> _Holders:
    """Draw who holds the SIMs."""
    entity = np.arange(part.start, part.stop, dtype=np.int64)
    keys = draws.keys(draws.stream(config.seed, "subscriber"), entity)

    def bits(attribute: str) -> Bits:
        return draws.bits(keys, attribute)

    persona = inputs.personas.choice.sample(bits("persona")).astype(np.int64)
    kind = inputs.personas.kind[persona]
    prepaid = draws.chance(bits("prepaid"), inputs.personas.prepaid[persona])
    return _Holders(
        entity=entity,
        keys=keys,
        persona=persona,
        kind=kind,
        place=inputs.residence.home_place(bits("place"), kind == _VISITOR),
        country=inputs.country_choice.sample(bits("country")).astype(np.int64),
        device=inputs.device_choice.sample(bits("device"), persona),
        plan=inputs.plan_choice.sample(bits("plan"), 2 * persona + prepaid),
    )


@dataclass(frozen=True)
class _People:
    """Age and language of the holders; of no meaning for machines.

    Attributes:
        birth: Date of birth.
        age: Age on the epoch in years.
        student: Whether a student.
        language: Position in `LANGUAGES`.
    """

    birth: npt.NDArray[np.datetime64]
    age: Integers
    student: Flags
    language: Integers


def _people(config: WorldConfig, inputs: SubscriberInputs, holders: _Holders) -> _People:
    """Draw age and language."""
    personas, persona = inputs.personas, holders.persona
    # Born after the birthday that would make them too old, at the latest on the one that makes
    # them just old enough.
    oldest = _birthdays(config.epoch, int(personas.last_age.max()) + 1)
    after, last = oldest[personas.last_age[persona] + 1], oldest[personas.first_age[persona]]
    birth = after + 1 + draws.below(holders.bits("birth"), last - after)
    # Birthdays fall as age rises: count those that are already behind.
    age = len(oldest) - np.searchsorted(oldest[::-1], birth, side="left") - 1
    young = age < _COMPULSORY_EDUCATION
    chance = np.where(young, personas.student_young[persona], personas.student_adult[persona])
    chance[age > _LAST_STUDENT_AGE] = 0.0
    group = inputs.place_group[holders.place]
    language = inputs.language_choice.sample(holders.bits("language"), group).astype(np.int64)
    visitor_language = np.array([LANGUAGES.index(c.language) for c in VISITOR_COUNTRIES])
    # A machine belongs to a firm of its place.
    local = inputs.place_language[holders.place]
    language = np.where(holders.kind == _MACHINE, local, language)
    return _People(
        birth=birth.astype("datetime64[D]"),
        age=age,
        student=draws.chance(holders.bits("student"), chance),
        language=np.where(holders.kind == _VISITOR, visitor_language[holders.country], language),
    )


def _birthdays(epoch: dt.date, years: int) -> Integers:
    """Return the day (since 1970) on which who is n years old on the epoch was born, n from 0."""
    # 29 February has its birthday on the 28th in other years.
    day = 28 if (epoch.month, epoch.day) == (2, 29) else epoch.day
    dates = [dt.date(epoch.year - age, epoch.month, day) for age in range(years + 1)]
    return np.array([(date - dt.date(1970, 1, 1)).days for date in dates])


def _identities(
    config: WorldConfig, inputs: SubscriberInputs, holders: _Holders
) -> dict[str, pl.Series]:
    """Return IMSI, MSISDN, IMEI, ICCID and the network of the SIM."""
    own, ranges, entity, seed = config.own_operator, config.numbering, holders.entity, config.seed
    visitor = np.flatnonzero(holders.kind == _VISITOR)
    machine = np.flatnonzero(holders.kind == _MACHINE)
    country = holders.country[visitor]

    serial = Permutation(numbering.imsi_capacity(own.plmn), seed, "msin")(entity)
    imsi = numbering.imsi(own.plmn, inputs.personas.msin_class[holders.persona], serial)
    serial = Permutation(numbering.VISITOR_MSIN_CAPACITY, seed, "visitor msin")(entity[visitor])
    imsi[visitor] = numbering.visitor_imsi(country, serial)

    reserved = _reserved(config)
    capacity = numbering.msisdn_capacity(own.ndcs, reserved)
    serial = Permutation(capacity, seed, "msisdn")(entity)
    msisdn = numbering.msisdn(ranges.country_code, own.ndcs, reserved, serial)
    serial = Permutation(numbering.MACHINE_CAPACITY, seed, "machine msisdn")(entity[machine])
    msisdn[machine] = numbering.machine_msisdn(ranges.country_code, ranges.m2m_ndc, serial)
    for number, layout in enumerate(VISITOR_COUNTRIES):
        members = visitor[country == number]
        serial = Permutation(layout.size, seed, f"msisdn/{layout.country}")(entity[members])
        msisdn[members] = numbering.visitor_msisdn(number, serial)

    prefix = np.full(len(entity), int(f"89{ranges.country_code}{ranges.iccid_issuer}"))
    prefix[visitor] = numbering.visitor_iccid_prefixes()[country]
    serial = Permutation(numbering.ICCID_CAPACITY, seed, "iccid")(entity)

    network = np.zeros(len(entity), np.int64)
    network[visitor] = country + 1
    networks = pl.Series([own.plmn, *(c.plmn for c in VISITOR_COUNTRIES)])
    return {
        "imsi": numbering.digits(imsi, 15),
        "msisdn": numbering.international(msisdn),
        "imei": numbering.digits(_imei(config, inputs, holders), 15),
        "iccid": numbering.digits(numbering.iccid(prefix, serial), 19),
        "home_plmn": networks.gather(network),
    }


def _imei(config: WorldConfig, inputs: SubscriberInputs, holders: _Holders) -> Integers:
    """Return IMEIs: the serial is unique over all SIMs, the TAC one of the model's block."""
    first = inputs.devices["tac_first"].cast(pl.Int64).to_numpy()
    last = inputs.devices["tac_last"].cast(pl.Int64).to_numpy()
    blocks = numbering.tac_blocks(config.subscribers)
    serial = Permutation(blocks * numbering.SERIALS_PER_TAC, config.seed, "imei")(holders.entity)
    # Several TACs per model where its block has room for them.
    variants = max(min(_TAC_VARIANTS_COUNT, int((last - first).min() + 1) // blocks), 1)
    variant = _TAC_VARIANTS.sample(holders.bits("tac")).astype(np.int64) % variants
    block, serial = np.divmod(serial, numbering.SERIALS_PER_TAC)
    return numbering.imei(first[holders.device], block * variants + variant, serial)


def _names(inputs: SubscriberInputs, holders: _Holders, people: _People) -> dict[str, pl.Series]:
    """Return names, birth date, student flag, language and street; null for machines."""
    words, human = inputs.words, holders.kind != _MACHINE
    culture = inputs.culture_choice.sample(holders.bits("culture"), people.language)
    visitor_culture = np.array([vocabulary.CULTURES.index(c.culture) for c in VISITOR_COUNTRIES])
    culture = np.where(holders.kind == _VISITOR, visitor_culture[holders.country], culture)
    sex = (~draws.chance(holders.bits("sex"), _WOMEN)).astype(np.int64)
    year = people.birth.astype("datetime64[Y]").astype(np.int64) + 1970
    generation = np.searchsorted(vocabulary.GENERATION_STARTS, year, side="right")
    row = vocabulary.first_name_row(culture, sex, generation)
    first_name = words.first_names.sample(holders.bits("first name"), row)
    last_name = words.last_names.sample(holders.bits("last name"), culture)

    bilingual = inputs.place_group[holders.place] == 0
    own_language = _STREET_LANGUAGE[people.language]
    local = _STREET_LANGUAGE[inputs.place_language[holders.place]]
    street = words.streets.sample(holders.bits("street"), np.where(bilingual, own_language, local))
    uniform = draws.uniform(holders.bits("house number"))
    house = 1 + (uniform * uniform * uniform * _MAX_HOUSE_NUMBER).astype(np.int64)

    firms = words.companies.sample(holders.bits("company"), own_language)
    centres = words.contact_centres.sample(holders.bits("company"), 0)
    busy = pl.Series(inputs.personas.busy[holders.persona])
    business = pl.Series(holders.kind == _BUSINESS)
    last_name = centres.zip_with(busy, firms).zip_with(business, last_name)
    nameless = pl.Series([None], dtype=pl.String)
    birth = people.birth.copy()
    birth[~human] = np.datetime64("NaT")
    return {
        "first_name": first_name.zip_with(pl.Series(human), nameless),
        "last_name": last_name.zip_with(pl.Series(human), nameless),
        "birth_date": pl.Series(birth),
        "student": pl.Series(people.student & human),
        "language": _enum(LANGUAGES).gather(people.language),
        "street": street + " " + pl.Series(house).cast(pl.String),
    }


def _contract(
    config: WorldConfig, inputs: SubscriberInputs, holders: _Holders, people: _People
) -> dict[str, pl.Series]:
    """Return plan, device, contract dates, activity, satisfaction, churn and lifetime value."""
    payment = inputs.payment[holders.plan]
    group = np.where(
        holders.kind == _MACHINE,
        tenure.MACHINE,
        np.where(holders.kind == _VISITOR, tenure.VISITOR, payment),
    )
    years = np.where(holders.kind == _MACHINE, 100, people.age - _FIRST_PHONE_AGE)
    longest = np.maximum(years * 365, 30)
    firm = holders.kind == _BUSINESS
    drawn = inputs.tenure.draw(holders.keys, config.epoch, group, firm, longest)
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


def _activity(personas: PersonaTables, holders: _Holders) -> Floats:
    """Return the personal level: log-normal with mean 1, four decimals, never 0."""
    random_bits = holders.bits("activity level")
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


def _cells(inputs: SubscriberInputs, holders: _Holders, people: _People) -> dict[str, pl.Series]:
    """Return place, home cell and work cell; null for who has no work place."""
    residence, names = inputs.residence, inputs.cells["cell_id"]
    home = residence.cell(holders.keys, "home", holders.place, holders.device)
    works = draws.chance(holders.bits("works"), inputs.personas.works[holders.persona])
    chosen = np.flatnonzero(works)
    place = residence.work_place(
        holders.bits("work place")[chosen], holders.place[chosen], people.student[chosen]
    )
    work = np.full(len(home), len(names), np.int64)
    work[chosen] = residence.cell(holders.keys[chosen], "work", place, holders.device[chosen])
    return {
        "place_id": inputs.places["place_id"].gather(holders.place),
        "home_cell_id": names.gather(home),
        "work_cell_id": names.extend_constant(None, 1).gather(work),
    }


def _enum(names: list[str]) -> pl.Series:
    return pl.Series(names, dtype=pl.Enum(names))
