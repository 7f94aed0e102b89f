"""People in the registry: households that agree, second SIMs, ported numbers, minors."""

import datetime as dt
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.contracts.world import SUBSCRIBERS
from telco_pipeline.engine import draws
from telco_pipeline.engine.parts import Part, parts
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline.world import cards, numbering
from telco_pipeline.world.households import BLOCK, households
from telco_pipeline.world.subscribers import SubscriberInputs, build_subscribers
from telco_pipeline_tests.world.test_subscribers import build, frames, inputs_of, only, plain

MANY = 30_000
OTHERS = {"20662": r"^\+32481\d{6}$", "20663": r"^\+32482\d{6}$"}


@pytest.fixture(scope="module")
def config() -> WorldConfig:
    return load_world(subscribers=MANY, seed=7)


@pytest.fixture(scope="module")
def inputs(config: WorldConfig) -> SubscriberInputs:
    return inputs_of(config)


@pytest.fixture(scope="module")
def registry(config: WorldConfig, inputs: SubscriberInputs) -> pl.DataFrame:
    cut = parts(config.subscribers, 9_999)
    made = pl.concat(build_subscribers(config, inputs, part) for part in cut)
    sites = inputs.cells.select("cell_id", "site_id", "sector")
    return made.join(
        sites, left_on="home_cell_id", right_on="cell_id", how="left", maintain_order="left"
    ).with_columns(age=years(pl.col("birth_date"), config.epoch))


@pytest.fixture(scope="module")
def people(registry: pl.DataFrame) -> pl.DataFrame:
    """Persons once each."""
    return registry.filter((pl.col("kind") == "person") & (pl.col("sim_slot") == 1))


def years(birth: pl.Expr, day: dt.date) -> pl.Expr:
    """Age in years on a day."""
    before = (birth.dt.month() * 100 + birth.dt.day()) > day.month * 100 + day.day
    return day.year - birth.dt.year() - before.cast(pl.Int32)


def luhn_digit(body: str) -> str:
    """The check digit as ISO/IEC 7812-1 words it, apart from the code under test."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in body[::-1][::2]]
    return str(-(sum(doubled) + sum(int(digit) for digit in body[::-1][1::2])) % 10)


@pytest.mark.parametrize("column", ["subscriber_id", "imsi", "msisdn", "imei", "iccid"])
def test_numbers_are_unique(registry: pl.DataFrame, column: str) -> None:
    assert registry[column].n_unique() == MANY


def test_keys_tell_nothing(registry: pl.DataFrame) -> None:
    keys = registry.select("subscriber_id", "holder_id", "household_id")
    for column in keys.columns:
        own = set(keys[column].drop_nulls())
        others = [set(keys[other].drop_nulls()) for other in keys.columns if other != column]
        assert not any(own & other for other in others)
        numbers = keys[column].drop_nulls().unique(maintain_order=True).to_numpy()
        assert abs(np.corrcoef(numbers, np.arange(len(numbers)))[0, 1]) < 0.03


def test_a_holder_has_one_first_sim_and_at_most_one_second(registry: pl.DataFrame) -> None:
    first = registry.filter(pl.col("sim_slot") == 1)
    second = registry.filter(pl.col("sim_slot") == 2)
    assert first["holder_id"].is_unique().all()
    assert second["holder_id"].is_unique().all()
    assert second["holder_id"].is_in(first["holder_id"].implode()).all()
    assert (second["kind"] == "person").all()


def test_second_sims_are_of_the_same_person_and_phone(
    registry: pl.DataFrame, inputs: SubscriberInputs
) -> None:
    first = registry.filter(pl.col("sim_slot") == 1)
    second = registry.filter(pl.col("sim_slot") == 2)
    share = len(second) / len(registry.filter(pl.col("kind") == "person"))
    assert share == pytest.approx(0.06, abs=0.007)
    both = second.join(first, on="holder_id", suffix="_first", how="left")
    for column in (
        "household_id", "persona", "first_name", "last_name", "birth_date", "student", "language",
        "street", "place_id", "device_id", "home_cell_id", "work_cell_id",
    ):  # fmt: skip
        assert both[column].eq_missing(both[f"{column}_first"]).all(), column
    dual = inputs.devices.filter("dual_sim")["device_id"]
    assert both["device_id"].is_in(dual.implode()).all()
    for imei, of_first in both.select("imei", "imei_first").rows():
        assert imei[:8] == of_first[:8]
        assert int(imei[8:14]) == int(of_first[8:14]) + 1
        assert imei[14] == luhn_digit(imei[:14])
    assert (both["plan_id"] != both["plan_id_first"]).any()


def test_serials_do_not_tell_which_phones_have_two_sims(registry: pl.DataFrame) -> None:
    one = registry.filter(pl.col("kind") == "machine")["imei"].str.slice(13, 1).cast(pl.Int64)
    assert (one % 2).mean() == pytest.approx(0.5, abs=0.03)


def test_households_share_an_address_and_a_site(registry: pl.DataFrame) -> None:
    shared = ["place_id", "street", "language", "site_id", "sector"]
    homes = registry.filter(pl.col("household_id").is_not_null()).group_by("household_id")
    assert homes.agg(pl.col(shared).n_unique()).select(shared).max().row(0) == (1, 1, 1, 1, 1)


def test_sizes_of_households_are_in_band(people: pl.DataFrame) -> None:
    sizes = people["household_id"].value_counts()["count"].value_counts(normalize=True)
    share = dict(sizes.rows())
    assert sorted(share) == [1, 2, 3, 4, 5]
    assert 0.33 < share[1] < 0.42
    assert 0.32 < share[2] < 0.41
    assert 0.08 < share[3] < 0.16
    assert 0.08 < share[4] < 0.14
    assert 0.01 < share[5] < 0.06


def test_no_household_has_minors_only(people: pl.DataFrame) -> None:
    oldest = people.group_by("household_id").agg(pl.col("age").max())
    assert oldest["age"].min() >= 18
    assert (people["age"] < 18).sum() > 100


def test_generations_of_a_household_lie_apart(people: pl.DataFrame) -> None:
    ages = people.group_by("household_id").agg(pl.col("age").sort(), size=pl.len())
    pairs = np.array(ages.filter(pl.col("size") == 2)["age"].to_list())
    apart = pairs[:, 1] - pairs[:, 0]
    assert (apart <= 4).mean() > 0.6  # couples
    assert apart.max() <= 60
    for household in ages.filter(pl.col("size") >= 3)["age"].to_list():
        assert household[-1] >= 34
        assert household[-1] - household[0] <= 60
        assert np.diff(household).max() >= 10  # between the children and the parents


def test_families_share_a_name(people: pl.DataFrame) -> None:
    large = people.group_by("household_id").agg(
        pl.len(), names=pl.col("last_name").n_unique(), first=pl.col("first_name").n_unique()
    )
    families = large.filter(pl.col("len") >= 3)
    assert (families["names"] <= 2).all()  # the parents'
    assert (families["first"] == families["len"]).mean() > 0.98
    couples = large.filter(pl.col("len") == 2)
    assert 0.7 < (couples["names"] == 2).mean() < 1


def test_brothers_and_sisters_are_not_born_at_once(people: pl.DataFrame) -> None:
    families = people.group_by("household_id").agg(pl.col("birth_date").sort(), pl.len())
    for births in families.filter(pl.col("len") == 5)["birth_date"].to_list():
        gaps = [(later - born).days for born, later in pairwise(births[2:])]
        assert min(gaps) >= 270


def test_contracts_begin_when_the_holder_is_old_enough(
    registry: pl.DataFrame, config: WorldConfig
) -> None:
    rows = registry.filter(pl.col("kind") != "machine")
    birth, start = pl.col("birth_date"), pl.col("contract_start")
    grown = pl.col("age").max().over("household_id") - pl.col("age") >= 16
    rows = rows.with_columns(guarded=(pl.col("kind") == "person") & grown)
    assert rows.filter(start < birth.dt.offset_by("10y")).is_empty()
    assert rows.filter((start < birth.dt.offset_by("14y")) & ~pl.col("guarded")).is_empty()
    firms = rows.filter(pl.col("kind") == "business")
    assert firms.filter(start < birth.dt.offset_by("18y")).is_empty()


def test_number_holders_fit_the_ranges(registry: pl.DataFrame, config: WorldConfig) -> None:
    ours = config.own_operator.plmn
    settled = registry.filter(pl.col("kind").is_in(["person", "business"]))
    share = dict(settled["number_holder"].value_counts(normalize=True).rows())
    assert share[ours] == pytest.approx(0.85, abs=0.01)
    for plmn, pattern in OTHERS.items():
        assert share[plmn] == pytest.approx(0.075, abs=0.01)
        ported = settled.filter(pl.col("number_holder") == plmn)
        assert ported["msisdn"].str.contains(pattern).all()
        assert (ported["home_plmn"] == ours).all()
    kept = settled.filter(pl.col("number_holder") == ours)
    assert kept["msisdn"].str.contains(r"^\+3246[12]\d{6}$").all()
    rest = registry.filter(~pl.col("kind").is_in(["person", "business"]))
    assert (rest["number_holder"] == rest["home_plmn"]).all()


@pytest.mark.parametrize(
    ("subscribers", "joins"),
    [
        (1, 0.0), (200, 0.0), (30_000, 0.0), (1_300_000, 0.0), (1_800_000, 0.0),
        (1, 1.0), (200, 0.013), (30_000, 0.013), (30_000, 0.5), (1_200_000, 0.04),
    ],
)  # fmt: skip
def test_ported_numbers_are_nobody_elses(subscribers: int, joins: float) -> None:
    config = load_world(subscribers=subscribers, growth={"joins_per_month": joins, "months": 12})
    number, holder = cards.ported_in(config, np.arange(config.all_subscribers))
    ported = number[holder >= 0]
    assert len(np.unique(ported)) == len(ported)
    others = [operator for operator in config.operators if not operator.own]
    total = sum(operator.share for operator in others)
    for position, operator in enumerate(others):
        size = numbering.directory_size(subscribers, config.own_operator.share, operator.share)
        order = numbering.other_range(config.seed, operator.ndcs)
        size = min(size, int(order.size * numbering.DIRECTORY_FILL))
        listed = order(np.arange(size)) + int(f"32{operator.ndcs[0]}") * 10**6
        mine = number[holder == position]
        assert not np.isin(mine, listed).any()
        # Where the range is short of numbers fewer are ported, and none to who comes later.
        wanted = int(subscribers * cards.PORTED_IN * operator.share / total)
        before = int((holder[:subscribers] == position).sum())
        assert before == max(min(wanted, order.size - size), 0)
        later, room = len(mine) - before, max(order.size - size - before, 0)
        due = config.prospects * operator.share / total
        # One more or less, for what rounding leaves to the first or to the last of them.
        assert min(due, room) - 1 - len(others) <= later <= min(due + 1, room)
        assert len(mine) <= cards.numbers_brought(config, operator)
    if config.prospects and subscribers < 100_000:
        assert (holder[subscribers:] >= 0).all()


@pytest.mark.parametrize("cut", [(0, 1), (63, 65), (100, 4_000), (29_950, 30_000)])
def test_households_do_not_depend_on_the_cut(
    config: WorldConfig, inputs: SubscriberInputs, registry: pl.DataFrame, cut: tuple[int, int]
) -> None:
    part = Part(0, *cut)
    alone = build_subscribers(config, inputs, part)
    assert_frame_equal(alone, registry.select(alone.columns).slice(part.start, part.size))


@pytest.mark.parametrize("subscribers", [1, 2, 5, 65])
def test_small_worlds_are_whole(subscribers: int) -> None:
    for seed in range(6):
        frame = build(load_world(subscribers=subscribers, seed=seed))
        assert len(frame) == subscribers
        SUBSCRIBERS.schema.validate(frame)
        persons = frame.filter(pl.col("kind") == "person")
        ages = persons.with_columns(age=years(pl.col("birth_date"), dt.date(2026, 1, 1)))
        oldest = ages.group_by("household_id").agg(pl.col("age").max())["age"]
        assert (oldest >= 18).all()


def test_a_world_of_minors_has_them_alone(config: WorldConfig) -> None:
    """Where a world says that all are minors, nobody can be with them."""
    persona = plain(next(iter(config.personas.values()))) | {"age": [12, 17]}
    frame = build(load_world(subscribers=300, personas={"young": persona}))
    first = frame.filter(pl.col("sim_slot") == 1)
    assert first["household_id"].is_unique().all()
    assert (frame["contract_start"] < config.epoch).all()
    SUBSCRIBERS.schema.validate(frame)


def test_phones_for_one_sim_have_no_second(config: WorldConfig) -> None:
    """Devices without a second slot make a world without second SIMs."""
    world = only(config, "person")
    devices = frames()["devices"].with_columns(dual_sim=pl.lit(False))
    single = SubscriberInputs.of(world, **(frames() | {"devices": devices}))
    frame = build_subscribers(world, single, Part(0, 0, world.subscribers))
    assert (frame["sim_slot"] == 1).all()
    assert frame["holder_id"].is_unique().all()


def test_children_go_to_those_who_may_be_their_parents() -> None:
    """One block of a couple of 40, a pensioner of 80 and two children of 10 and 15."""
    day = (dt.date(2026, 1, 1) - dt.date(1970, 1, 1)).days
    age = np.array([40, 80, 10, 41, 15])
    birth = day - age * 366
    for seed in range(50):
        keys = draws.keys(draws.stream(seed, "test"), np.arange(len(age)))
        made = households(keys, np.arange(len(age)), birth, age)
        assert (age[made.parent[[2, 4]]] < 50).all()
        assert not made.alone.any()
        assert made.head[1] == 1
        if made.head[2] == made.head[4]:
            assert sorted(made.sibling[[2, 4]]) == [0, 1]


def test_nobody_makes_no_household() -> None:
    nobody = np.empty(0, dtype=np.int64)
    keys = draws.keys(draws.stream(1, "test"), np.arange(BLOCK + 1))
    zero = np.zeros(BLOCK + 1, dtype=np.int64)
    assert (households(keys, nobody, zero, zero).head == np.arange(BLOCK + 1)).all()
