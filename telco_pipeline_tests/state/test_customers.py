"""Subscribers from day to day: the same in any cut, causes before effects, within the bands."""

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.contracts.codes import LifeChange, LifeStatus, Topic
from telco_pipeline.contracts.state import SUBSCRIBER_STATE
from telco_pipeline.engine.calendar import DAY, HOUR, day_number, day_start
from telco_pipeline.lake import Rowset, write_part
from telco_pipeline.state.customers import State
from telco_pipeline.state.customers_day import CustomersDay
from telco_pipeline.state.lifecycle import ACTIVE
from telco_pipeline.state.spending import week_trips
from telco_pipeline_tests.state.customer_kit import (
    FAULT,
    World,
    healthy_run,
    network_day,
    poor_run,
    run,
    small_world,
)

_MONTH = 30.4
_LEFT = ["ported out", "terminated"]
_ENDS = ["port-out", "termination"]
_NETWORK = ["outage", "dropped calls", "blocked calls", "slow data"]


def _monthly_churn(rows: pl.DataFrame) -> float:
    active = rows.filter(pl.col("status") == "active")
    return active["change"].is_in(_ENDS).fill_null(False).mean() * _MONTH


def _payment(rows: pl.DataFrame, payment: str) -> pl.DataFrame:
    plans = small_world().plans.filter(pl.col("payment").cast(pl.String) == payment)["plan_id"]
    return rows.filter(pl.col("plan_id").is_in(plans.implode()))


# The same rows ------------------------------------------------------------------------------------


def test_rows_keep_the_contract() -> None:
    for frame in (healthy_run().frames[0], poor_run().frames[-1]):
        SUBSCRIBER_STATE.schema.validate(frame, cast=False)


def test_a_cut_into_parts_does_not_show() -> None:
    world = small_world()
    network = network_day(world.cells, dict.fromkeys(range(0, world.cells, 3), (600, 1260)))
    whole = run(world, 8, [network]).frames
    cuts = np.array_split(world.entities, [7, 1000, 1001, 2500])
    states = [State.first(world.facts, cut) for cut in cuts]
    for day, frame in enumerate(whole):
        today = world.today(world.config.epoch + dt.timedelta(days=day), network)
        states = [
            State.step(state, world.facts, today, cut)
            for state, cut in zip(states, cuts, strict=True)
        ]
        pieces = [world.frame(state, cut) for state, cut in zip(states, cuts, strict=True)]
        assert_frame_equal(pl.concat(pieces), frame)


def test_a_day_follows_from_the_file_of_the_day_before(tmp_path: Path) -> None:
    world = small_world()
    network = network_day(world.cells, poor=np.arange(0, world.cells, 2))
    state = State.first(world.facts, world.entities)
    for day in range(5):
        today = world.today(world.config.epoch + dt.timedelta(days=day), network)
        state = State.step(state, world.facts, today, world.entities)
    keys = world.population.subscriber_id
    rows = Rowset.of(SUBSCRIBER_STATE, state.columns(keys, world.texts))
    write_part(rows, tmp_path / "part.parquet", SUBSCRIBER_STATE)
    read = State.read(pl.read_parquet(tmp_path / "part.parquet"), world.texts)
    for one, other in zip(_arrays(state), _arrays(read), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    today = world.today(world.config.epoch + dt.timedelta(days=5), network)
    after, again = (State.step(eve, world.facts, today, world.entities) for eve in (state, read))
    assert_frame_equal(world.frame(after), world.frame(again))


def test_the_file_holds_pending_matters_and_changes() -> None:
    """Else the test above would show little."""
    frame = poor_run().frames[4]
    assert frame["pending_time"].is_not_null().sum() > 10
    assert frame["pending_cell_id"].is_not_null().sum() > 5
    assert frame["change"].is_not_null().sum() > 0


def _arrays(state: State) -> list[np.ndarray]:
    found = []
    for field in dataclasses.fields(state):
        value = getattr(state, field.name)
        found += [value] if isinstance(value, np.ndarray) else list(value._columns)
    return found


# Who does what ------------------------------------------------------------------------------------


def test_machines_and_visitors_have_no_opinion() -> None:
    others = poor_run().all.filter(pl.col("kind") >= 2)
    assert others["contact_time"].is_null().all()
    assert (others["exposure"] == 0).all()
    levels = others.group_by("entity").agg(pl.col("satisfaction").n_unique())
    assert levels["satisfaction"].max() == 1
    visitors = others.filter(pl.col("kind") == 2)
    assert set(visitors["change"].drop_nulls().cast(pl.String)) <= {"activation"}


def test_who_has_left_is_silent() -> None:
    gone = poor_run().people.filter(pl.col("status").is_in(_LEFT))
    assert gone.height > 500
    for column in ("contact_time", "pending_time"):
        assert gone[column].is_null().all()
    for column in ("exposure", "churn_hazard", "expected_spend", "lifetime_value", "open_cases"):
        assert (gone[column] == 0).all()
    assert set(gone["change"].drop_nulls().cast(pl.String)) <= {"win-back"}


def test_nobody_turns_to_care_after_leaving() -> None:
    both = poor_run().people.filter(
        pl.col("change").is_in(_ENDS) & pl.col("contact_time").is_not_null()
    )
    assert both.height > 0
    assert (both["contact_time"] <= both["change_time"]).all()


def test_status_follows_from_the_change_of_the_day_before() -> None:
    rows = poor_run().all.sort("entity", "day")
    after = {
        "activation": "active", "suspension": "suspended", "resumption": "active",
        "plan change": "active", "port-out": "ported out", "termination": "terminated",
        "win-back": "active",
    }  # fmt: skip
    assert set(after) == {str(change) for change in LifeChange}
    text = rows.with_columns(pl.col("status", "change").cast(pl.String))
    pairs = text.with_columns(next=pl.col("status").shift(-1).over("entity")).drop_nulls("next")
    expected = pl.coalesce(pl.col("change").replace_strict(after, default=None), "status")
    assert (pairs.select(expected.alias("e"))["e"] == pairs["next"]).all()
    assert pairs["change"].n_unique() >= 6


def test_changes_happen_by_day_and_on_their_day() -> None:
    changes = poor_run().all.filter(pl.col("change").is_not_null())
    assert (changes["change_time"].dt.date() == changes["day"]).all()
    hours = changes["change_time"].dt.convert_time_zone("Europe/Brussels").dt.hour()
    assert hours.is_between(9, 21).all()


def test_plans_change_to_others_of_the_same_kind() -> None:
    plans = small_world().plans.select(
        "plan_id", kind_of=pl.concat_str(pl.col("segment", "payment").cast(pl.String))
    )
    rows = healthy_run().all.filter(pl.col("change") == "plan change")
    assert rows.height > 50
    assert (rows["plan_id"] != rows["new_plan_id"]).all()
    both = rows.join(plans, on="plan_id").join(
        plans, left_on="new_plan_id", right_on="plan_id", suffix="_new"
    )
    assert both.height == rows.height
    assert (both["kind_of"] == both["kind_of_new"]).all()
    others = healthy_run().all.filter(pl.col("change").fill_null("port-out") != "plan change")
    assert others["new_plan_id"].is_null().all()


def test_only_bills_that_are_not_paid_lead_to_suspension() -> None:
    rows = healthy_run().people.filter(pl.col("change") == "suspension")
    assert rows.height > 3
    assert _payment(rows, "postpaid").height == rows.height
    assert rows["day"].dt.day().is_between(6, 13).all()


def test_a_single_operator_has_no_port_outs() -> None:
    config = small_world().config
    alone = [{**config.own_operator.model_dump(), "share": 1.0}]
    world = World(subscribers=1200, operators=alone)
    rows = run(world, 40, [network_day(world.cells)]).all
    assert (rows["change"] == "termination").sum() > 0
    assert (rows["change"] == "port-out").sum() == 0


def test_prospects_join_in_their_order_and_are_silent_before() -> None:
    growth = {"joins_per_month": 0.2, "months": 3}
    world = World(subscribers=1200, growth=growth)
    assert world.population.size == 1920
    rows = run(world, 40, [network_day(world.cells)]).all
    prospects = rows.filter(pl.col("status") == "prospect")
    assert prospects["contact_time"].is_null().all()
    assert (prospects["expected_spend"] == 0).all()
    assert set(prospects["change"].drop_nulls().cast(pl.String)) == {"activation"}
    joined = rows.filter(pl.col("change") == "activation")
    assert (joined["entity"] >= 1200).all()
    last = rows.filter(pl.col("day") == rows["day"].max())
    waiting = last.filter((pl.col("status") == "prospect") & pl.col("change").is_null())
    assert world.population.size - waiting.height == world.config.joined_by(rows["day"].max())
    began = rows.join(joined.select("entity", joined_on="day"), on="entity")
    following = began.filter(pl.col("day") == pl.col("joined_on") + pl.duration(days=1))
    assert (following["tenure_days"] == 1).all()
    assert (following["expected_spend"] > 0).any()


# Causes and contacts ------------------------------------------------------------------------------


def test_causes_precede_contacts() -> None:
    contacts = poor_run().people.filter(pl.col("contact_time").is_not_null())
    assert (contacts["contact_time"].dt.date() == contacts["day"]).all()
    known = contacts.filter(pl.col("cause_time").is_not_null())
    assert known.height > 0.5 * contacts.height
    assert (known["cause_time"] < known["contact_time"]).all()
    first = known.filter(pl.col("contact_number") == 1)
    waits = (first["contact_time"] - first["cause_time"]).dt.total_days()
    assert waits.max() <= 12
    assert waits.median() <= 3
    without = contacts.filter(pl.col("cause_time").is_null())["contact_topic"].cast(pl.String)
    assert set(without) <= {"question", "leaving"}


def test_contacts_about_the_network_name_a_bad_hour_of_a_cell_of_the_customer() -> None:
    made = poor_run()
    about = made.people.filter(pl.col("contact_topic").is_in(_NETWORK))
    assert about.height > 100
    epoch = day_start(made.world.config.epoch)
    cells = {key: row for row, key in enumerate(made.world.texts.cell_id)}
    population = made.world.population
    for row in about.iter_rows(named=True):
        cell = cells[row["cause_cell_id"]]
        assert cell in (population.home[row["entity"]], population.work[row["entity"]])
        day, time = divmod(int(row["cause_time"].timestamp() * 1e6) - epoch, DAY)
        hour = time // HOUR
        assert time % HOUR == 0
        network = made.networks[day]
        fault = network.fault[cell, hour]
        assert row["cause_fault_id"] == (None if fault < 0 else fault)
        if row["contact_topic"] == Topic.OUTAGE:
            assert fault == FAULT
            assert network.is_down(np.array([cell]), np.array([time + HOUR - 1])).any() or (
                network.is_down(np.array([cell]), np.array([time])).any()
            )
        else:
            assert network.measures["drop_probability"][cell, hour] > 0.01
    others = made.people.filter(
        pl.col("contact_time").is_not_null() & ~pl.col("contact_topic").is_in(_NETWORK)
    )
    assert others["cause_cell_id"].is_null().all()


def test_most_contacts_come_while_care_is_open() -> None:
    contacts = healthy_run().people["contact_time"].drop_nulls()
    hours = contacts.dt.convert_time_zone("Europe/Brussels").dt.hour()
    assert hours.is_between(8, 19).mean() > 0.85


# How much -----------------------------------------------------------------------------------------


def test_churn_is_within_the_bands_of_a_healthy_network() -> None:
    # Postpaid 1 to 1.5 %, prepaid 3 to 5 % a month (practice); some 130 and 30 leavers here.
    people = healthy_run().people
    assert 0.007 < _monthly_churn(_payment(people, "postpaid")) < 0.018
    assert 0.02 < _monthly_churn(_payment(people, "prepaid")) < 0.06
    machines = healthy_run().all.filter(pl.col("kind") == 3)
    assert _monthly_churn(machines) < 0.008


def test_contacts_a_year_and_repeaters() -> None:
    # 1 to 3 contacts a subscriber and year, repeaters log-normal (practice).
    active = healthy_run().people.filter(pl.col("status") == "active")
    assert 1.0 < active["contact_time"].is_not_null().mean() * 365 < 3.0
    by_person = active.group_by("entity").agg(pl.col("contact_time").is_not_null().sum())
    counts = by_person["contact_time"].sort(descending=True)
    assert counts[: len(counts) // 10].sum() > 0.30 * counts.sum()
    assert (counts == 0).mean() > 0.35


def test_satisfaction_does_not_drift() -> None:
    people = healthy_run().people.filter(pl.col("status") == "active")
    by_day = people.group_by("day").agg(pl.col("satisfaction").mean()).sort("day")["satisfaction"]
    assert abs(by_day[-1] - by_day[0]) < 0.02
    assert by_day.min() > 0.62
    assert by_day.max() < 0.78


def test_plan_changes_and_win_backs() -> None:
    people = healthy_run().people
    active = people.filter(pl.col("status") == "active")
    assert 0.006 < (active["change"] == "plan change").fill_null(False).mean() * _MONTH < 0.016
    back = people.filter(pl.col("change") == "win-back")
    assert back.height > 0
    assert back["days_in_status"].is_between(20, 119).all()
    set_point = pl.Series(healthy_run().world.population.satisfaction[back["entity"].to_numpy()])
    assert (back["satisfaction"] >= (set_point + 0.04).clip(upper_bound=0.98)).all()


def _exposed() -> pl.DataFrame:
    rows = poor_run().people.filter(pl.col("status") == "active")
    return rows.with_columns(exposed=pl.col("exposure_level") > 0.15)


def _ratio(rows: pl.DataFrame, event: pl.Expr, group: str) -> float:
    rates = rows.group_by(group).agg(event.mean().alias("rate"))
    by_group = dict(rates.iter_rows())
    return by_group[True] / by_group[False]


def test_the_exposed_complain_more_leave_more_and_are_less_content() -> None:
    rows = _exposed()
    assert 0.05 < rows["exposed"].mean() < 0.5
    network = pl.col("contact_topic").is_in(_NETWORK).fill_null(False)
    assert _ratio(rows, network, "exposed") > 3
    assert _ratio(rows, pl.col("contact_time").is_not_null(), "exposed") > 1.3
    assert _ratio(rows, pl.col("change").is_in(_ENDS).fill_null(False), "exposed") > 1.3
    assert _ratio(rows, pl.col("satisfaction"), "exposed") < 0.97


def test_quiet_people_leave_less_where_the_network_is_bad() -> None:
    facts = poor_run().world.facts
    quiet = pl.Series(facts.voice < 1.0)
    rows = poor_run().people.filter(pl.col("status") == "active")
    rows = rows.with_columns(quiet=quiet.gather(rows["entity"]))
    assert 0.2 < rows["quiet"].mean() < 0.4
    assert _ratio(rows, pl.col("churn_hazard"), "quiet") < 0.9
    assert _ratio(rows, pl.col("contact_topic").is_in(_NETWORK).fill_null(False), "quiet") < 0.3


def test_an_open_case_raises_the_hazard() -> None:
    rows = (
        healthy_run()
        .people.sort("entity", "day")
        .with_columns(
            before=pl.col("churn_hazard").shift(1).over("entity"),
            opened=pl.col("open_cases").shift(1).over("entity") > 0,
            fresh=pl.col("open_cases").shift(2).over("entity") == 0,
            status_before=pl.col("status").shift(1).over("entity"),
        )
    )
    opened = rows.filter(
        pl.col("opened") & pl.col("fresh") & (pl.col("status") == "active") & (pl.col("before") > 0)
    )
    assert opened.height > 50
    assert (opened["churn_hazard"] > opened["before"]).mean() > 0.9


def test_price_shocks_come_with_bills_and_fade() -> None:
    rows = (
        _payment(healthy_run().people, "postpaid")
        .sort("entity", "day")
        .with_columns(before=pl.col("price_shock").shift(1).over("entity"))
    )
    rises = rows.filter(pl.col("price_shock") > pl.col("before"))
    assert rises.height > 50
    assert (rises["day"].dt.day() == 1).all()
    other = rows.filter((pl.col("day").dt.day() != 1) & (pl.col("before") > 0.01))
    assert (other["price_shock"] < other["before"]).all()
    prepaid = _payment(healthy_run().people, "prepaid")
    assert prepaid.height > 10_000
    assert (prepaid["price_shock"] == 0).all()


# What generators ask ------------------------------------------------------------------------------


@pytest.fixture
def day() -> tuple[CustomersDay, pl.DataFrame]:
    made = poor_run()
    index = 40
    frame = made.frames[index]
    date = made.world.config.epoch + dt.timedelta(days=index)
    texts = made.world.texts
    wanted = frame.select(CustomersDay.COLUMNS)
    return CustomersDay.read(wanted, date, texts.plan_id, texts.cell_id), frame.with_columns(
        start=pl.lit(date).cast(pl.Datetime("us", "UTC"))
    )


def test_a_day_for_generators_agrees_with_its_rows(day) -> None:
    read, frame = day
    contacts = frame.with_row_index("entity").filter(pl.col("contact_time").is_not_null())
    assert read.contacts.entity.tolist() == contacts["entity"].to_list()
    since = (contacts["contact_time"] - contacts["start"]).dt.total_microseconds()
    assert read.contacts.time.tolist() == since.to_list()
    assert [tuple(Topic)[topic] for topic in read.contacts.topic] == (
        contacts["contact_topic"].cast(pl.String).to_list()
    )
    assert read.contacts.case.tolist() == contacts["case_id"].to_list()
    assert read.contacts.fault_id.tolist() == contacts["cause_fault_id"].fill_null(-1).to_list()
    assert read.contacts.usual_spend.tolist() == contacts["usual_spend"].to_list()
    assert len(read.contacts) > 5


def test_service_ends_and_begins_at_the_moment_of_the_change(day) -> None:
    read, frame = day
    entities = np.arange(frame.height)
    early, late = np.zeros(frame.height, np.int64), np.full(frame.height, 2 * DAY)
    statuses = tuple(LifeStatus)
    assert [statuses[code] for code in read.status_at(entities, early)] == (
        frame["status"].cast(pl.String).to_list()
    )
    leaves = np.flatnonzero(frame["change"].is_in(_ENDS).fill_null(False).to_numpy())
    assert leaves.size
    moment = read.change_time[leaves]
    assert read.in_service(leaves, moment - 1).all()
    assert not read.in_service(leaves, moment).any()
    assert not read.in_service(leaves, late[leaves]).any()
    changers = np.flatnonzero(read.new_plan >= 0)
    assert changers.size
    at = read.change_time[changers]
    assert (read.plan_at(changers, at - 1) == read.plan[changers]).all()
    assert (read.plan_at(changers, at) == read.new_plan[changers]).all()


def test_who_is_abroad_misses_nothing_at_home() -> None:
    world = small_world()
    date = world.config.epoch + dt.timedelta(days=10)
    network = network_day(world.cells, dict.fromkeys(range(world.cells), (0, 24 * 60)))
    facts = world.facts
    state = State.step(
        State.first(facts, world.entities), facts, world.today(date, network), world.entities
    )
    away = week_trips(world.config, world.population, day_number(date), world.entities)
    abroad = away.overlaps(0, 24 * 3600) & facts.customer & (state.status == ACTIVE)
    here = ~away.overlaps(0, 24 * 3600) & facts.customer & (state.status == ACTIVE)
    assert abroad.sum() > 20
    assert (state.exposure[abroad] == 0).all()
    assert (state.exposure[here] > 1).all()
