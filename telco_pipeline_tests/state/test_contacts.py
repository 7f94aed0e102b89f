"""When customers turn to care, and whether that settles the matter."""

import copy
import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telco_pipeline.contracts.codes import Reason, Topic
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.engine.draws import mix
from telco_pipeline.settings import load_world
from telco_pipeline.state.contacts import (
    REASON_OF_TOPIC,
    TOPICS,
    Matters,
    _contact_time,
    resolved,
)
from telco_pipeline.state.lifecycle import Calendar
from telco_pipeline.state.registry import Facts
from telco_pipeline_tests.state.customer_kit import (
    WORLD_FILE,
    healthy_run,
    network_day,
    poor_run,
    run,
    small_world,
)


def test_every_topic_has_a_reason() -> None:
    assert len(REASON_OF_TOPIC) == len(TOPICS) == len(Topic)
    reasons = {str(tuple(Reason)[code]) for code in REASON_OF_TOPIC}
    assert reasons == {str(reason) for reason in Reason}


def test_first_contacts_settle_four_fifths_of_the_matters() -> None:
    # First-contact resolution 70 to 85 % (practice).
    cases = np.arange(40_000, dtype=np.int64) * 977
    one = np.ones(len(cases), dtype=np.int16)
    assert 0.77 < resolved(42, cases, one).mean() < 0.81
    assert 0.67 < resolved(42, cases, one + 1).mean() < 0.73
    assert (resolved(42, cases, one) != resolved(43, cases, one)).any()


@given(st.permutations(range(50)))
def test_whether_a_contact_settles_depends_on_case_and_number_alone(order: list[int]) -> None:
    cases = np.arange(50, dtype=np.int64) * 10**15
    number = (np.arange(50) % 4 + 1).astype(np.int16)
    place = np.array(order)
    assert (resolved(7, cases[place], number[place]) == resolved(7, cases, number)[place]).all()


def test_repeats_follow_what_was_not_settled() -> None:
    seed = small_world().config.seed
    contacts = poor_run().people.filter(pl.col("contact_time").is_not_null()).sort("contact_time")
    done = resolved(seed, contacts["case_id"].to_numpy(), contacts["contact_number"].to_numpy())
    contacts = contacts.with_columns(done=pl.Series(done))
    cases = contacts.group_by("case_id", maintain_order=True).agg(
        "contact_number", "done", "contact_topic", "entity", "cause_time"
    )
    assert (cases["contact_number"].list.len() > 1).sum() > 50
    for numbers, settled in cases.select("contact_number", "done").iter_rows():
        assert numbers == list(range(1, len(numbers) + 1))
        assert not any(settled[:-1])
    for column in ("contact_topic", "entity", "cause_time"):
        assert cases[column].list.n_unique().max() == 1


def test_settled_matters_leave_no_open_case() -> None:
    seed = small_world().config.seed
    contacts = healthy_run().people.filter(pl.col("contact_time").is_not_null())
    done = resolved(seed, contacts["case_id"].to_numpy(), contacts["contact_number"].to_numpy())
    open_cases = contacts["open_cases"].to_numpy()
    stays = ~contacts["change"].is_in(["port-out", "termination"]).fill_null(False).to_numpy()
    assert (open_cases[done] == 0).all()
    assert (open_cases[~done & stays] > 0).all()


def test_a_case_is_one_customers() -> None:
    contacts = poor_run().people.filter(pl.col("contact_time").is_not_null())
    assert contacts.group_by("case_id").agg(pl.col("entity").n_unique())["entity"].max() == 1


@pytest.mark.parametrize(
    ("topic", "event"), [("suspension", "suspension"), ("plan change", "plan change")]
)
def test_contacts_about_a_change_follow_it(topic: str, event: str) -> None:
    people = pl.concat(
        [healthy_run().people, poor_run().people.with_columns(pl.col("entity") + 10**6)]
    )
    changes = people.filter(pl.col("change") == event).select("entity", "change_time")
    about = people.filter(pl.col("contact_topic") == topic).select("entity", "cause_time")
    assert about.height > 0
    assert about.join(
        changes, left_on=["entity", "cause_time"], right_on=["entity", "change_time"], how="anti"
    ).is_empty()


@pytest.mark.parametrize(
    ("topic", "kinds"),
    [("SIM swap", [0]), ("new device", [1]), ("number change", [2, 3])],
)
def test_contacts_about_an_identity_follow_its_change(topic: str, kinds: list[int]) -> None:
    made = healthy_run()
    about = made.people.filter(pl.col("contact_topic") == topic)
    known = made.world.identities
    changes = set(zip(known.entity.tolist(), known.time.tolist(), known.kind.tolist(), strict=True))
    moments = about["cause_time"].dt.timestamp("us").to_list()
    for entity, moment in zip(about["entity"].to_list(), moments, strict=True):
        assert any((entity, moment, kind) in changes for kind in kinds)
    assert about.height > 0


def test_bills_are_asked_about_after_the_first_of_the_month() -> None:
    about = healthy_run().people.filter(pl.col("contact_topic") == "high bill")
    assert about.height > 10
    local = about["cause_time"].dt.convert_time_zone("Europe/Brussels")
    assert (local.dt.day() == 1).all()
    assert local.dt.hour().is_between(6, 8).all()


@given(
    day=st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31)),
    ready=st.integers(0, 2 * DAY - 1),
    speed=st.integers(0, 2),
    seed=st.integers(0, 2**63 - 1),
)
def test_contacts_come_after_they_can(day: dt.date, ready: int, speed: int, seed: int) -> None:
    today = Calendar.of(small_world().config, day)
    size = 50
    bits = mix(np.arange(size, dtype=np.uint64) + np.uint64(seed))
    moment = np.full(size, day_start(day) + ready)
    time = _contact_time(today, bits, np.full(size, speed), moment)
    assert (time >= moment).all()
    assert (time < moment + 12 * DAY).all()


def test_matters_are_put_and_cleared() -> None:
    matters = Matters.none(4)
    other = Matters.none(2)
    other.time[:], other.topic[:], other.number[:] = 5, 3, 1
    matters.put(np.array([1, 3]), other)
    assert matters.time.tolist() == [-1, 5, -1, 5]
    matters.clear(np.array([3]))
    assert matters.time.tolist() == [-1, 5, -1, -1]
    assert matters.select(np.array([1])).topic.tolist() == [3]


def _contacts_with(weight: float, days: int = 60) -> pl.DataFrame:
    """Return who turned to care in a world with another weight of `customer_service`."""
    world = copy.copy(small_world())
    weights = {**world.config.to_dict()["record_weights"], "customer_service": weight}
    # A copy of a valid world; only this weight is other.
    world.config = load_world(WORLD_FILE, subscribers=3000, record_weights=weights)
    world.facts = Facts.of(world.config, world.population, world.plans)
    made = run(world, days, [network_day(world.cells)])
    return made.people.filter(pl.col("contact_time").is_not_null())


def test_the_weight_of_the_world_scales_how_often_somebody_turns_to_care() -> None:
    none, some, more = (_contacts_with(weight) for weight in (0.0, 1.0, 3.0))
    assert none.height == 0
    assert some.height > 300
    # A customer has one matter at a time, so three times as many causes are a little less.
    assert 2.3 < more.height / some.height < 3.1
    # What they come with stays alike, and later contacts follow from first ones as before.
    for found, column in ((0.10, "contact_reason"), (0.05, "contact_number")):
        one, other = (
            dict(rows[column].cast(pl.String).value_counts(normalize=True).iter_rows())
            for rows in (some, more)
        )
        for value, share in one.items():
            assert abs(share - other.get(value, 0.0)) < found, value


def test_the_largest_weight_is_bounded() -> None:
    days = 10
    flooded = _contacts_with(100.0, days)
    customers = small_world().facts.customer.sum()
    assert 0.05 < flooded.height / customers / days < 0.9
    assert flooded.group_by("entity").len()["len"].max() <= days
