"""The registry: valid and unique identities, rows that do not depend on the cut, honest shares."""

import datetime as dt
from functools import lru_cache

import holidays
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.contracts.world import SUBSCRIBERS
from telco_pipeline.engine.parts import Part, parts
from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import Persona, WorldConfig, load_world
from telco_pipeline.world import numbering
from telco_pipeline.world.catalogue import build_devices, build_plans
from telco_pipeline.world.network import build_network
from telco_pipeline.world.numbering import VISITOR_COUNTRIES
from telco_pipeline.world.places import build_places
from telco_pipeline.world.subscribers import SubscriberInputs, _student_chances, build_subscribers

MANY = 200_000
UNIQUE = ["subscriber_id", "imsi", "msisdn", "imei", "iccid"]


@lru_cache(maxsize=1)
def frames() -> dict[str, pl.DataFrame]:
    config = load_world()
    places = build_places(config)
    network = build_network(config, places)
    return {
        "places": places,
        "sites": network.sites,
        "cells": network.cells,
        "devices": build_devices(config),
        "plans": build_plans(config),
    }


def inputs_of(config: WorldConfig) -> SubscriberInputs:
    return SubscriberInputs.of(config, **frames())


def build(config: WorldConfig, part: Part | None = None) -> pl.DataFrame:
    part = part or Part(0, 0, config.subscribers)
    return build_subscribers(config, inputs_of(config), part)


@pytest.fixture(scope="module")
def config() -> WorldConfig:
    return load_world(subscribers=MANY)


@pytest.fixture(scope="module")
def inputs(config: WorldConfig) -> SubscriberInputs:
    return inputs_of(config)


@pytest.fixture(scope="module")
def registry(config: WorldConfig, inputs: SubscriberInputs) -> pl.DataFrame:
    cut = parts(config.subscribers, config.part_size)
    return pl.concat(build_subscribers(config, inputs, part) for part in cut)


def luhn_valid(numbers: pl.Series) -> bool:
    digits = np.array([list(number) for number in numbers.to_list()]).astype(np.int64)[:, ::-1]
    doubled = 2 * digits[:, 1::2]
    total = digits[:, ::2].sum(axis=1) + (doubled // 10 + doubled % 10).sum(axis=1)
    return bool((total % 10 == 0).all())


def personas(config: WorldConfig, kind: str) -> list[str]:
    return [name for name, persona in config.personas.items() if persona.kind == kind]


def test_rows_keep_the_contract(registry: pl.DataFrame) -> None:
    assert registry.schema == SUBSCRIBERS.polars_schema
    assert len(registry) == MANY
    SUBSCRIBERS.schema.validate(registry)


@pytest.mark.parametrize("column", UNIQUE)
def test_identities_are_unique(registry: pl.DataFrame, column: str) -> None:
    assert registry[column].n_unique() == len(registry)


def test_identities_are_valid(registry: pl.DataFrame, config: WorldConfig) -> None:
    assert registry["imsi"].str.contains(r"^\d{15}$").all()
    assert registry["imei"].str.contains(r"^00\d{13}$").all()
    assert registry["iccid"].str.contains(r"^89\d{17}$").all()
    assert luhn_valid(registry["imei"])
    assert luhn_valid(registry["iccid"])
    ours = registry.filter(pl.col("kind") != "visitor")
    assert (ours["home_plmn"] == config.own_operator.plmn).all()
    assert ours["iccid"].str.starts_with("893261").all()
    humans = ours.filter(pl.col("kind") != "machine")
    assert humans["imsi"].str.contains(r"^2066110\d{8}$").all()
    kept = humans.filter(pl.col("number_holder") == config.own_operator.plmn)
    assert kept["msisdn"].str.contains(r"^\+3246[12]\d{6}$").all()
    assert not (registry["msisdn"] == config.numbering.voicemail_number).any()
    machines = ours.filter(pl.col("kind") == "machine")
    assert machines["msisdn"].str.contains(r"^\+3277\d{10}$").all()
    assert machines["imsi"].str.contains(r"^20661[5-9]\d{9}$").all()


def test_machines_of_one_customer_have_imsis_of_one_range(
    registry: pl.DataFrame, config: WorldConfig
) -> None:
    """A fleet is of one persona with one model of module; its range holds nobody else."""
    digits = numbering.range_digits(config.own_operator.plmn, config.all_subscribers)
    machines = registry.filter(pl.col("kind") == "machine").with_columns(
        range=pl.col("imsi").str.head(digits)
    )
    fleets = machines.group_by("range").agg(
        pl.col("persona", "device_id").n_unique(), size=pl.len(), serial=pl.col("imsi").n_unique()
    )
    assert (fleets["persona"] == 1).all()
    assert (fleets["device_id"] == 1).all()
    assert (fleets["serial"] == fleets["size"]).all()
    for name in personas(config, "machine"):
        own = machines.filter(pl.col("persona") == name)["range"].value_counts()
        # Few large customers, many small ones; none has most of the machines.
        assert len(own) > 10
        assert own["count"].max() > 3 * own["count"].median()
        assert own["count"].max() < 0.5 * own["count"].sum()
    # Ranges lie anywhere in the machines' part of the MSINs, whoever's they are.
    heads = fleets["range"].str.slice(5, 1).unique()
    assert sorted(heads) == list("56789")
    assert (machines["imsi"].str.slice(digits, 1).n_unique()) == 10


def test_visitors_come_from_one_country_each(registry: pl.DataFrame) -> None:
    visitors = registry.filter(pl.col("kind") == "visitor")
    for country in VISITOR_COUNTRIES:
        own = visitors.filter(pl.col("home_plmn") == country.plmn)
        assert len(own) > 10
        assert own["imsi"].str.starts_with(country.plmn).all()
        assert own["msisdn"].str.starts_with(f"+{country.prefix}").all()
        assert (own["language"] == country.language).all()
    assert visitors["home_plmn"].is_in([country.plmn for country in VISITOR_COUNTRIES]).all()


def test_imei_has_a_type_allocation_code_of_its_model(
    registry: pl.DataFrame, inputs: SubscriberInputs
) -> None:
    joined = registry.join(inputs.devices, on="device_id", how="left")
    tac = joined["imei"].str.slice(0, 8)
    assert ((tac >= joined["tac_first"]) & (tac <= joined["tac_last"])).all()


def test_every_key_resolves(registry: pl.DataFrame, inputs: SubscriberInputs) -> None:
    for key in SUBSCRIBERS.foreign_keys:
        target = getattr(inputs, key.target)[key.target_column]
        assert registry[key.column].drop_nulls().is_in(target.implode()).all()


def test_nulls_by_kind(registry: pl.DataFrame) -> None:
    machine = registry["kind"] == "machine"
    for column in ("first_name", "last_name", "birth_date"):
        assert (registry[column].is_null() == machine).all()
    plan_free = registry.filter(
        (pl.col("kind") == "visitor") | pl.col("plan_id").str.starts_with("PRE")
    )
    assert plan_free["contract_end"].is_null().all()
    assert not registry.filter(machine)["student"].any()
    always = [
        c
        for c in registry.columns
        if c
        not in (
            "first_name", "last_name", "birth_date", "contract_end", "work_cell_id", "household_id"
        )
    ]  # fmt: skip
    assert (registry["household_id"].is_null() == (registry["kind"] != "person")).all()
    assert sum(registry.select(always).null_count().row(0)) == 0


def test_dates_are_possible(registry: pl.DataFrame, config: WorldConfig) -> None:
    start, end, birth = (registry[c] for c in ("contract_start", "contract_end", "birth_date"))
    assert (start < config.epoch).all()
    assert (start >= dt.date(config.epoch.year - 11, 1, 1)).all()
    assert (end.drop_nulls() >= config.epoch).all()
    assert (end.drop_nulls() < dt.date(config.epoch.year + 3, 1, 1)).all()
    tenth = birth.drop_nulls().dt.offset_by("10y")
    assert (start.filter(birth.is_not_null()) >= tenth).all()


def test_contracts_begin_when_shops_are_open(registry: pl.DataFrame, config: WorldConfig) -> None:
    closed = holidays.country_holidays(config.country, years=range(2014, 2027))
    start = registry["contract_start"]
    assert not start.is_in(pl.Series(list(closed)).implode()).any()
    people = registry.filter(pl.col("kind") == "person")["contract_start"].dt.weekday()
    shares = dict(people.value_counts(normalize=True).rows())
    assert sorted(shares) == [1, 2, 3, 4, 5, 6]
    assert shares[6] == max(shares.values()) < 0.25
    firms = registry.filter(pl.col("kind").is_in(["business", "machine"]))
    assert (firms["contract_start"].dt.weekday() <= 5).all()
    assert (
        firms["contract_start"].dt.weekday().value_counts(normalize=True)["proportion"].max() < 0.23
    )


def test_a_visitors_contract_does_not_tell_the_visit(registry: pl.DataFrame) -> None:
    age = pl.col("contract_start").dt.year()
    by_kind = {
        kind: registry.filter((pl.col("kind") == kind) & ~pl.col("plan_id").str.starts_with("PRE"))
        for kind in ("visitor", "person")
    }
    means = {kind: rows.select(age.mean()).item() for kind, rows in by_kind.items()}
    assert means["visitor"] == pytest.approx(means["person"], abs=0.3)


def test_ages_lie_in_the_personas_ranges(registry: pl.DataFrame, config: WorldConfig) -> None:
    birthday = pl.col("birth_date").dt.strftime("%m%d")
    before_birthday = (birthday > config.epoch.strftime("%m%d")).cast(pl.Int32)
    age = config.epoch.year - pl.col("birth_date").dt.year() - before_birthday
    ages = registry.with_columns(age=age)
    for name, persona in config.personas.items():
        own = ages.filter(pl.col("persona") == name)
        if persona.age is None:
            assert own["age"].is_null().all()
            continue
        assert own["age"].min() == persona.age[0]
        assert own["age"].max() == persona.age[1]
        assert own["student"].mean() == pytest.approx(persona.student, abs=0.03)
        if persona.student > 0.1:
            assert own.filter(pl.col("age") < 18)["student"].all()
        assert not own.filter(pl.col("age") > 26)["student"].any()


def test_shares_of_personas(registry: pl.DataFrame, config: WorldConfig) -> None:
    counts = dict(registry["persona"].value_counts().rows())
    total = sum(persona.share for persona in config.personas.values())
    for name, persona in config.personas.items():
        expected = persona.share / total * MANY
        assert abs(counts[name] - expected) < 5 * expected**0.5 + 0.005 * expected
        kinds = registry.filter(pl.col("persona") == name)["kind"]
        assert (kinds == persona.kind).all()


def test_shares_of_prepaid_and_work(registry: pl.DataFrame, config: WorldConfig) -> None:
    for name, persona in config.personas.items():
        own = registry.filter(pl.col("persona") == name)
        works = own["work_cell_id"].is_not_null().mean()
        prepaid = own["plan_id"].str.starts_with("PRE").mean()
        margin = 5 * (0.25 / len(own)) ** 0.5
        assert works == pytest.approx(persona.works, abs=margin)
        assert prepaid == pytest.approx(persona.prepaid, abs=margin)


def test_language_fits_the_place(registry: pl.DataFrame, inputs: SubscriberInputs) -> None:
    places = inputs.places.select("place_id", "region", place_language="language")
    people = registry.filter(pl.col("kind").is_in(["person", "business"])).join(
        places, on="place_id", how="left"
    )
    brussels = people.filter(pl.col("region") == "BRU")["language"]
    assert (brussels == "fr").mean() == pytest.approx(0.70, abs=0.02)
    assert (brussels == "nl").mean() == pytest.approx(0.25, abs=0.02)
    for language in ("nl", "fr", "de"):
        local = people.filter((pl.col("region") != "BRU") & (pl.col("place_language") == language))
        assert 0.80 < (local["language"] == language).mean() < 0.97
    dutch = people.filter(pl.col("region") == "VLG")["street"]
    assert not dutch.str.contains(r"^(Rue|Avenue|Chaussée|Boulevard) ").any()
    assert registry["street"].str.contains(r" \d{1,3}$").all()


def test_businesses_are_firms(registry: pl.DataFrame, config: WorldConfig) -> None:
    firms = registry.filter(pl.col("kind") == "business")
    forms = r" (BV|NV|VOF|SRL|SA|SNC|GmbH|AG|OHG)$"
    assert firms["last_name"].str.contains(forms).all()
    assert firms["first_name"].is_not_null().all()
    people = registry.filter(pl.col("kind") == "person")
    assert not people["last_name"].str.contains(forms).any()


def test_activity_has_mean_one(registry: pl.DataFrame, config: WorldConfig) -> None:
    for name, persona in config.personas.items():
        level = registry.filter(pl.col("persona") == name)["activity_level"]
        spread = (np.exp(persona.level_sigma**2) - 1) ** 0.5
        assert level.mean() == pytest.approx(1, abs=5 * spread / len(level) ** 0.5)
        assert level.min() > 0
        assert level.log().std() == pytest.approx(persona.level_sigma, rel=0.1)


def test_churn_lies_in_the_bands(registry: pl.DataFrame, inputs: SubscriberInputs) -> None:
    joined = registry.join(inputs.plans.select("plan_id", "payment", "segment"), on="plan_id")

    def mean(payment: str, segments: list[str]) -> float:
        rows = joined.filter((pl.col("payment") == payment) & pl.col("segment").is_in(segments))
        return rows["churn_score"].mean()

    assert 0.010 < mean("postpaid", ["consumer", "business"]) < 0.015
    assert 0.030 < mean("prepaid", ["consumer", "business"]) < 0.050
    assert mean("postpaid", ["machine"]) < 0.006
    score, content = registry["churn_score"], registry["satisfaction"]
    assert score.max() < 0.15
    assert content.mean() == pytest.approx(0.70, abs=0.01)
    people = registry.filter(pl.col("kind") == "person")
    assert np.corrcoef(people["churn_score"], people["satisfaction"])[0, 1] < -0.2
    customers = registry.filter(pl.col("kind") != "visitor")
    assert (customers["lifetime_value"] >= 0).all()
    assert customers["lifetime_value"].mean() > 100_000_000
    assert (registry["lifetime_value"] % 10_000 == 0).all()


def test_values_are_quantised(registry: pl.DataFrame) -> None:
    for column, scale in (("activity_level", 1e4), ("satisfaction", 1e4), ("churn_score", 1e6)):
        values = registry[column].to_numpy()
        assert (np.rint(values * scale) / scale == values).all()


def test_commutes_are_as_long_as_in_life(registry: pl.DataFrame, inputs: SubscriberInputs) -> None:
    at = inputs.cells.select("cell_id", "latitude", "longitude")
    people = registry.filter(pl.col("work_cell_id").is_not_null() & (pl.col("kind") == "person"))
    both = people.join(at, left_on="home_cell_id", right_on="cell_id", how="left").join(
        at, left_on="work_cell_id", right_on="cell_id", how="left", suffix="_work"
    )
    east = (pl.col("longitude") - pl.col("longitude_work")) * 70.66
    north = (pl.col("latitude") - pl.col("latitude_work")) * 111.2
    both = both.with_columns(km=(east * east + north * north).sqrt())
    workers = both.filter(~pl.col("student"))["km"]
    students = both.filter(pl.col("student"))["km"]
    assert 11 < workers.median() < 14
    assert 14 < workers.mean() < 22
    assert 6 < students.median() < workers.median()
    assert workers.quantile(0.99) < 90
    assert workers.max() < 125
    assert (workers == 0).mean() < 0.08  # at the site of the home
    assert (people["home_cell_id"] == people["work_cell_id"]).mean() < 0.03


def test_home_lies_near_the_place(registry: pl.DataFrame, inputs: SubscriberInputs) -> None:
    joined = registry.join(
        inputs.places.select("place_id", "latitude", "longitude"), on="place_id"
    ).join(
        inputs.cells.select("cell_id", "latitude", "longitude"),
        left_on="home_cell_id",
        right_on="cell_id",
        suffix="_cell",
    )
    east = (joined["longitude"] - joined["longitude_cell"]) * 70.66
    north = (joined["latitude"] - joined["latitude_cell"]) * 111.2
    km = (east * east + north * north).sqrt()
    assert km.median() < 10
    assert km.quantile(0.99) < 30


def test_cells_serve_what_the_device_speaks(
    registry: pl.DataFrame, inputs: SubscriberInputs
) -> None:
    rat = inputs.cells.select("cell_id", pl.col("rat_type").cast(pl.String))
    best = inputs.devices.select("device_id", pl.col("best_rat").cast(pl.String))
    for column in ("home_cell_id", "work_cell_id"):
        pairs = (
            registry.select("device_id", cell_id=column)
            .drop_nulls()
            .join(rat, on="cell_id")
            .join(best, on="device_id")
            .group_by("best_rat")
            .agg(pl.col("rat_type").unique(), nr=(pl.col("rat_type") == "NR").mean())
        )
        allowed = {
            "NR": {"NR", "EUTRAN"}, "EUTRAN": {"EUTRAN"}, "NB-IoT": {"EUTRAN"},
            "LTE-M": {"EUTRAN"}, "UTRAN": {"GERAN"}, "GERAN": {"GERAN"},
        }  # fmt: skip
        for best_rat, seen, share in pairs.rows():
            assert set(seen) <= allowed[best_rat]
            assert best_rat != "NR" or 0.4 < share < 0.8


def test_every_site_serves_somebody(registry: pl.DataFrame, inputs: SubscriberInputs) -> None:
    homes = (
        registry.select("home_cell_id")
        .unique()
        .join(inputs.cells, left_on="home_cell_id", right_on="cell_id")
    )
    assert homes["site_id"].n_unique() > 0.9 * len(inputs.sites)


@pytest.mark.parametrize("cut", [(0, 1), (7, 4_000), (32_000, 33_000), (199_990, 200_000)])
def test_rows_do_not_depend_on_the_cut(
    config: WorldConfig, inputs: SubscriberInputs, registry: pl.DataFrame, cut: tuple[int, int]
) -> None:
    part = Part(3, *cut)
    alone = build_subscribers(config, inputs, part)
    assert_frame_equal(alone, registry.slice(part.start, part.size))


def test_same_seed_same_rows_and_another_seed_others() -> None:
    one = build(load_world(subscribers=500))
    assert_frame_equal(one, build(load_world(subscribers=500)))
    other = build(load_world(subscribers=500, seed=43))
    for column in (*UNIQUE, "street", "home_cell_id", "activity_level"):
        assert (one[column] == other[column]).mean() < 0.1


def test_a_world_of_one() -> None:
    assert len(build(load_world(subscribers=1))) == 1


def test_an_empty_part(config: WorldConfig, inputs: SubscriberInputs) -> None:
    empty = build_subscribers(config, inputs, Part(0, 0, 0))
    assert empty.is_empty()
    assert empty.schema == SUBSCRIBERS.polars_schema


def plain(persona: Persona) -> dict[str, object]:
    return persona.model_dump(exclude_none=True)


def only(config: WorldConfig, kind: str) -> WorldConfig:
    personas = {n: plain(p) for n, p in config.personas.items() if p.kind == kind}
    return load_world(subscribers=2_000, personas=personas)


@pytest.mark.parametrize("kind", ["person", "business", "visitor", "machine"])
def test_a_world_of_one_kind(config: WorldConfig, kind: str) -> None:
    frame = build(only(config, kind))
    assert (frame["kind"] == kind).all()
    for column in UNIQUE:
        assert frame[column].n_unique() == len(frame)
    SUBSCRIBERS.schema.validate(frame)


def test_names_of_personas_mean_nothing(config: WorldConfig) -> None:
    renamed = {f"p{n}": plain(p) for n, p in enumerate(config.personas.values())}
    world = load_world(subscribers=1_000)
    one, other = build(world), build(load_world(subscribers=1_000, personas=renamed))
    assert_frame_equal(one.drop("persona"), other.drop("persona"))
    assert not (one["persona"] == other["persona"]).any()


def test_an_epoch_on_a_leap_day() -> None:
    frame = build(load_world(subscribers=500, epoch=dt.date(2028, 2, 29)))
    assert len(frame) == 500
    assert (frame["contract_start"] < dt.date(2028, 2, 29)).all()


def test_too_few_numbers_are_refused() -> None:
    # People alone would fit the ranges; the numbers are given by SIM, whatever it is.
    with pytest.raises(TelcoError, match="ndcs"):
        inputs_of(load_world(subscribers=2_000_000))


def test_chances_to_be_a_student() -> None:
    assert _student_chances(0.0, 16, 30) == (0.0, 0.0)
    young, adult = _student_chances(0.92, 16, 26)
    assert young == 1.0
    assert adult == pytest.approx((0.92 - 2 / 11) / (9 / 11))
    assert _student_chances(0.5, 10, 17) == (0.5, 0.0)
    assert _student_chances(0.5, 30, 60) == (0.0, 0.0)
