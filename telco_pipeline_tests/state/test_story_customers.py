"""What scenario layers do to the state of subscribers, beside the same lives without them."""

import datetime as dt
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from telco_pipeline.contracts.codes import LifeChange, LifeStatus, Reason, Topic
from telco_pipeline.engine.calendar import DAY, day_start
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.story import Story
from telco_pipeline.state.customers import State
from telco_pipeline.state.offers import offered
from telco_pipeline_tests.state.customer_kit import Run, World, network_day, run

DAYS = 45
"""From 2026-01-01 on, so that bills come on the days 0 and 31."""
FIRST = 4
"""The day after the epoch on which the layers begin."""
PEOPLE = ["commuter", "student", "family", "senior", "streamer"]
WHO = {"persona": PEOPLE, "plan.payment": "postpaid"}


@cache
def world() -> World:
    return World(subscribers=2500)


@cache
def plain() -> Run:
    return run(world(), DAYS, [network_day(world().cells)])


def layer(
    effect: dict[str, Any],
    *,
    lasts: str = "10d",
    number: int = 1,
    first: int = FIRST,
    role: dict[str, Any] | None = None,
    **stage: Any,
) -> Layer:
    """Return a layer with one effect on 200 people who pay after the month, by default."""
    (name, what), *_ = effect.items()
    them = {"of": "subscribers", "where": WHO, "number": 200} if role is None else role
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "A test",
            "story": "Something happens.",
            "kind": "customers",
            "when": {"first": f"{first}d"},
            "cast": {"them": them},
            "stages": [
                {
                    "name": "it",
                    "lasts": lasts,
                    "do": [{name: {"who": "them", **what}}],
                    **stage,
                }
            ],
        }
    )


def lived(*layers: Layer, days: int = DAYS) -> tuple[Run, pl.Series]:
    """Return the days with layers, and the entity numbers of their targets."""
    story = world().story(*layers)
    rows = {
        int(row)
        for one in story.layers.values()
        for incident in story.incidents(day(FIRST))
        if incident.layer is one
        for row in story.cast(incident)["them"]
    }
    made = run(world(), days, [network_day(world().cells)], story)
    return made, pl.Series(sorted(rows))


def pairs(made: Run, who: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of some with and without layers, after it is sure that all others agree."""
    theirs = pl.col("entity").is_in(who.implode())
    last = made.all["day"].max()
    before = plain().all.filter(pl.col("day") <= last)
    assert_frame_equal(made.all.filter(~theirs), before.filter(~theirs))
    begins = world().config.epoch + dt.timedelta(days=FIRST - 1)
    early = pl.col("day") < begins
    assert_frame_equal(made.all.filter(early), before.filter(early))
    return made.all.filter(theirs), before.filter(theirs)


def day(number: int) -> dt.date:
    return world().config.epoch + dt.timedelta(days=number)


def test_content_moves_satisfaction_day_by_day_within_the_limits() -> None:
    made, who = lived(layer({"content": {"by": -0.03}}, lasts="5d"))
    ours, usual = pairs(made, who)
    less = ours.with_columns(less=usual["satisfaction"] - ours["satisfaction"])
    by_day = dict(less.group_by("day").agg(pl.col("less").mean()).iter_rows())
    assert by_day[day(2)] == 0.0
    # Local midnight is an hour before that of UTC.
    assert by_day[day(3)] == pytest.approx(0.03 / 24, abs=1e-3)
    assert by_day[day(4)] == pytest.approx(0.03 * 25 / 24, abs=2e-3)
    assert by_day[day(8)] > 0.11
    assert by_day[day(44)] < by_day[day(20)] < by_day[day(9)]
    assert ours["satisfaction"].min() >= 0.02
    # Who is less content leaves more often.
    later = pl.col("day").is_between(day(6), day(12))
    assert ours.filter(later)["churn_hazard"].sum() > usual.filter(later)["churn_hazard"].sum() * 2


def test_strong_content_ends_at_the_limits() -> None:
    made, who = lived(layer({"content": {"by": -1}}), days=8)
    ours, _ = pairs(made, who)
    there = ours.filter((pl.col("day") == day(6)) & (pl.col("status") == LifeStatus.ACTIVE))
    assert there["satisfaction"].unique().to_list() == [0.02]


@pytest.mark.parametrize(
    ("topic", "reason", "told"),
    [
        ("billing", Reason.BILLING, Topic.HIGH_BILL),
        ("roaming", Reason.ROAMING, Topic.ROAMING_COST),
        ("fraud", Reason.FRAUD, Topic.SUSPICIOUS_CALLS),
        ("device", Reason.DEVICE, Topic.DEVICE_FAULT),
    ],
)
def test_care_makes_a_part_of_them_turn_to_care_once(
    topic: str, reason: Reason, told: Topic
) -> None:
    made, who = lived(layer({"care": {"share": 0.5, "topic": topic}}), days=25)
    ours, usual = pairs(made, who)
    new = _new_matters(ours, usual)
    assert 70 <= new["subscriber_id"].n_unique() <= 130
    assert new.height == new["subscriber_id"].n_unique() == new["case_id"].n_unique()
    assert new["contact_reason"].unique().to_list() == [reason]
    assert new["contact_topic"].unique().to_list() == [told]
    assert (new["cause_time"] < new["contact_time"]).all()
    assert new["day"].min() >= day(FIRST)
    # What would fall on a Sunday may wait for Monday.
    assert new["day"].max() <= day(FIRST + 10)
    assert new["day"].n_unique() > 7
    hours = new["contact_time"].dt.convert_time_zone("Europe/Brussels").dt.hour()
    assert hours.is_between(8, 19).mean() > 0.8
    # Some come again about the same, and cases stay open until it is settled.
    cases = ours.filter(pl.col("case_id").is_in(new["case_id"].implode()))
    assert cases["contact_number"].max() >= 2
    assert ours["open_cases"].sum() > usual["open_cases"].sum()


def _new_matters(ours: pl.DataFrame, usual: pl.DataFrame) -> pl.DataFrame:
    """Return first contacts about matters that are not there without the layers."""
    first = ours.filter(pl.col("contact_number") == 1)
    return first.join(usual, on=["day", "entity", "case_id", "contact_topic"], how="anti")


def test_who_disputes_a_bill_means_the_last_one() -> None:
    made, who = lived(layer({"care": {"share": 1, "topic": "billing"}}, lasts="30d"), days=36)
    ours, usual = pairs(made, who)
    new = _new_matters(ours, usual).filter(pl.col("contact_topic") == Topic.HIGH_BILL)
    local = new["cause_time"].dt.convert_time_zone("Europe/Brussels")
    assert new.height > 100
    assert (local.dt.day() == 1).all()
    assert local.dt.hour().is_between(6, 8).all()
    whole = new.filter(pl.col("day") < day(31))
    assert (whole["cause_time"].dt.date() == day(0)).all()


def test_who_pays_in_advance_has_no_bill_to_dispute() -> None:
    role = {
        "of": "subscribers",
        "where": {"persona": PEOPLE, "plan.payment": "prepaid"},
        "number": 150,
    }
    made, who = lived(layer({"care": {"share": 1, "topic": "billing"}}, role=role), days=25)
    ours, usual = pairs(made, who)
    new = _new_matters(ours, usual)
    assert new.filter(pl.col("contact_topic") == Topic.PAYMENT).height > 100
    assert new.filter(pl.col("contact_topic") == Topic.HIGH_BILL).height == 0


def test_complaints_of_the_network_need_bad_service() -> None:
    calm, who = lived(layer({"care": {"share": 1, "topic": "network"}}), days=25)
    ours, usual = pairs(calm, who)
    assert _new_matters(ours, usual)["contact_topic"].unique().to_list() == [Topic.QUESTION]
    story = world().story(layer({"care": {"share": 1, "topic": "network"}}))
    poor = np.arange(world().cells)
    made = run(world(), 20, [network_day(world().cells, poor=poor)], story)
    rows = made.all.filter(pl.col("entity").is_in(who.implode()))
    network = rows.filter(pl.col("contact_reason") == Reason.NETWORK)
    assert network["subscriber_id"].n_unique() > 100
    assert network["cause_cell_id"].null_count() == 0


def test_the_next_bill_surprises_once() -> None:
    made, who = lived(layer({"bill": {"more": 1.5}}, lasts="3d"))
    ours, usual = pairs(made, who)
    on = pl.col("day") == day(31)
    before = pl.col("day") < day(31)
    assert_frame_equal(ours.filter(before), usual.filter(before))
    shock, other = ours.filter(on)["price_shock"], usual.filter(on)["price_shock"]
    billed = ours.filter(on)["status"].is_in([LifeStatus.ACTIVE, LifeStatus.SUSPENDED])
    assert (shock.filter(billed) - other.filter(billed)).median() > 1.0
    assert (ours.filter(on)["usual_spend"] >= usual.filter(on)["usual_spend"]).all()
    after = pl.col("day") > day(31)
    complaints = pl.col("contact_topic") == Topic.HIGH_BILL
    late = ours.filter(after | on).filter(complaints).height
    assert late > 2 * usual.filter(after | on).filter(complaints).height + 5


def test_churn_multiplies_the_chance_of_the_day_and_says_how_they_leave() -> None:
    made, who = lived(layer({"churn": {"factor": 8, "ports": 1}}, lasts="20d"))
    ours, usual = pairs(made, who)
    on = (pl.col("day") == day(FIRST)) & (pl.col("churn_hazard") > 0)
    ratio = ours.filter(on)["churn_hazard"] / usual.filter(on)["churn_hazard"]
    low = ours.filter(on)["churn_hazard"] < 0.2
    assert ratio.filter(low).is_between(7.9, 8.1).all()
    left = ours.filter(pl.col("day").is_between(day(FIRST), day(FIRST + 18)))
    ports = left.filter(pl.col("change") == LifeChange.PORT_OUT)
    ends = left.filter(
        (pl.col("change") == LifeChange.TERMINATION) & (pl.col("status") == LifeStatus.ACTIVE)
    )
    assert ports.height > 5
    assert ends.height == 0


def test_a_churn_ramp_grows() -> None:
    made, who = lived(layer({"churn": {"factor": 11, "ramp": "10d"}}, lasts="20d"), days=20)
    ours, usual = pairs(made, who)

    def factor(number: int) -> float:
        on = pl.col("day") == day(number)
        return ours.filter(on)["churn_hazard"].sum() / usual.filter(on)["churn_hazard"].sum()

    assert factor(FIRST) < factor(FIRST + 3) < factor(FIRST + 6)


def test_who_never_pays_is_suspended_at_the_usual_reminder_and_terminated() -> None:
    made, who = lived(layer({"unpaid": {"share": 0.5}}, first=4, lasts="2d"), days=DAYS + 40)
    made_plain = run(world(), DAYS + 40, [network_day(world().cells)])
    ours = made.all.filter(pl.col("entity").is_in(who.implode()))
    usual = made_plain.all.filter(pl.col("entity").is_in(who.implode()))
    rest = ~pl.col("entity").is_in(who.implode())
    assert_frame_equal(made.all.filter(rest), made_plain.all.filter(rest))
    out = ours.filter(pl.col("change") == LifeChange.SUSPENSION)
    new = out.join(
        usual.filter(pl.col("change") == LifeChange.SUSPENSION), on=["day", "entity"], how="anti"
    )
    assert 70 <= new.height <= 130
    # The bill comes on the first of February, day 31.
    assert new["day"].is_between(day(31 + 5), day(31 + 12)).all()
    assert new["day"].n_unique() == 8
    debtors = ours.filter(pl.col("entity").is_in(new["entity"].implode()))
    late = pl.col("day") > day(31)
    later = debtors.filter(late & (pl.col("status") == LifeStatus.SUSPENDED))
    ends = later.filter(pl.col("change") == LifeChange.TERMINATION)
    assert later.filter(pl.col("change") == LifeChange.RESUMPTION).height == 0
    assert ends.height > 0.9 * new.height
    assert 3 < ends["days_in_status"].mean() < 11


def test_offers_lift_plan_changes_of_those_who_get_them() -> None:
    role = {"of": "subscribers", "where": {"plan_id": ["POST-S", "POST-M", "POST-OLD"]}}
    made, who = lived(layer({"offer": {"what": "upgrade", "lift": 0.4}}, lasts="20d", role=role))
    ours, usual = pairs(made, who)
    changed = pl.col("change") == LifeChange.PLAN_CHANGE
    keys = ["day", "entity"]
    new = ours.filter(changed).join(usual.filter(changed), on=keys, how="anti")
    (touch,) = _story(role).on(day(FIRST + 1)).of("offer")
    offers = offered(touch)
    control = np.setdiff1d(touch.rows, offers.entity)
    assert len(control) / len(touch.rows) == pytest.approx(0.2, abs=0.06)
    within = new.filter(pl.col("day").is_between(day(FIRST), day(FIRST + 20)))
    assert not within["entity"].is_in(control.tolist()).any()
    share = within["entity"].n_unique() / len(offers.entity)
    assert share == pytest.approx(0.4, abs=0.08)
    # Who takes it does so on the day that the offer says, after it has come, for more data.
    taken = dict(zip(offers.entity.tolist(), offers.taken.tolist(), strict=True))
    came = dict(zip(offers.entity.tolist(), offers.day.tolist(), strict=True))
    data = {
        key: size if size is not None else 10**15
        for key, size in world().plans.select("plan_id", "data_bytes").iter_rows()
    }
    for row in within.iter_rows(named=True):
        number = day_start(row["day"]) // DAY
        assert taken[row["entity"]] == number > came[row["entity"]]
        assert data[row["new_plan_id"]] > data[row["plan_id"]]


def _story(role: dict[str, Any]) -> Story:
    return world().story(layer({"offer": {"what": "upgrade", "lift": 0.4}}, lasts="20d", role=role))


def test_an_offer_of_one_day_is_taken_after_it_came() -> None:
    role = {"of": "subscribers", "where": {"plan_id": ["POST-S", "POST-M", "POST-OLD"]}}
    made, who = lived(
        layer({"offer": {"what": "upgrade", "lift": 1, "control": 0}}, lasts="1d", role=role),
        days=8,
    )
    ours, _ = pairs(made, who)
    new = ours.filter((pl.col("day") == day(FIRST)) & (pl.col("change") == LifeChange.PLAN_CHANGE))
    local = new["change_time"].dt.convert_time_zone("Europe/Brussels")
    assert new.height > 0.5 * len(who)
    assert (local.dt.date() == day(FIRST)).all()
    assert (local.dt.hour() >= 9).all()


def test_former_customers_are_won_back() -> None:
    everybody = {"of": "subscribers", "where": WHO}
    leave = layer({"churn": {"factor": 60}}, lasts="8d", role=everybody)
    offer = {"offer": {"what": "win_back", "lift": 0.5, "control": 0.5}}
    back = layer(offer, number=2, first=24, lasts="15d", role=everybody)
    gone, _ = lived(leave)
    made, _ = lived(leave, back)
    returned = pl.col("change") == LifeChange.WIN_BACK
    new = made.all.filter(returned).join(
        gone.all.filter(returned), on=["day", "entity"], how="anti"
    )
    assert new["day"].is_between(day(24), day(40)).all()
    assert (new["days_in_status"] >= 10).all()
    out = gone.all.filter(pl.col("day") == day(24))
    left = out.filter(
        pl.col("status").is_in([LifeStatus.PORTED_OUT, LifeStatus.TERMINATED])
        & (pl.col("days_in_status") >= 10)
        & pl.col("entity").is_in(pl.Series(np.flatnonzero(_postpaid())).implode())
    )
    assert left.height > 100
    assert 0.12 < new.height / left.height < 0.40


def _postpaid() -> np.ndarray:
    subscribers, prepaid = world().subscribers, world().facts.tariff.prepaid
    people = subscribers["persona"].cast(pl.String).is_in(PEOPLE).to_numpy()
    return people & ~prepaid[world().population.plan]


def _triggered(**trigger: Any) -> Layer:
    return layer({"content": {"by": 0.2}}, lasts="6d", trigger=trigger)


def test_a_trigger_begins_on_the_morning_after_its_condition_came_true() -> None:
    made, who = lived(_triggered(satisfaction={"to": 0.55}), days=25)
    ours, _ = pairs(made, who)
    begun = ours.filter(pl.col("episode").is_not_null())
    assert begun["entity"].n_unique() > 10
    assert begun["episode"].n_unique() == 1
    eves = {
        key: value
        for *key, value in ours.select("entity", "day", "satisfaction").iter_rows()
        for key in [tuple(key)]
    }
    for (entity,), rows in begun.group_by("entity"):
        (start,) = rows["episode_start"].unique().to_list()
        first = start.date()
        assert start.time() == dt.time(0)
        assert rows["day"].min() == first
        assert day(FIRST) <= first <= day(FIRST + 6)
        assert eves[entity, first - dt.timedelta(days=1)] <= 0.55
        earlier = day(FIRST)
        while earlier < first:
            assert eves[entity, earlier - dt.timedelta(days=1)] > 0.55
            earlier += dt.timedelta(days=1)
        # It acts from its own first day on.
        assert eves[entity, first] > eves[entity, first - dt.timedelta(days=1)] + 0.1
    # The content ones stay as they are.
    calm = pl.col("entity").is_in(begun["entity"].implode())
    assert ours.filter(~calm)["episode"].null_count() == ours.filter(~calm).height


def test_who_is_in_an_episode_begins_no_other_until_it_is_over() -> None:
    everybody = {"satisfaction": {"to": 1}}
    role = {"of": "subscribers", "where": WHO, "number": 200, "fixed": True}
    long = layer({"content": {"by": 0}}, lasts="12d", role=role, trigger=everybody, number=2)
    short = layer({"content": {"by": 0}}, lasts="3d", role=role, trigger=everybody, number=1)
    story = world().story(long, short)
    both = [story.cast(one)["them"] for one in story.incidents(day(FIRST))]
    made = run(world(), 25, [network_day(world().cells)], story).all
    twice = made.filter(pl.col("entity").is_in(np.intersect1d(*both).tolist()))
    served = twice.filter(pl.col("status") != LifeStatus.PROSPECT)
    starts = served.select("entity", "episode", "episode_start").drop_nulls().unique()
    for (entity,), rows in starts.group_by("entity"):
        first, second = rows.sort("episode_start").rows()
        # The lower code goes first, and each begins once though its condition holds on.
        assert first[1] < second[1], entity
        assert first[2].date() == day(FIRST)
        assert second[2] - first[2] == dt.timedelta(days=3)
    assert starts.height > 10


def test_all_conditions_of_a_trigger_must_hold() -> None:
    made, _ = lived(_triggered(satisfaction={"to": 0.55}, open_cases={"from": 99}), days=12)
    assert made.all["episode"].null_count() == made.all.height


def test_a_triggered_bill_and_debt_come_after_the_stage() -> None:
    more = layer({"bill": {"more": 2}}, lasts="2d", trigger={"satisfaction": {"to": 0.6}})
    debt = layer({"unpaid": {}}, lasts="2d", number=2, trigger={"satisfaction": {"from": 0.6001}})
    made, who = lived(more, debt)
    ours, _ = (frame for frame in pairs(made, who))
    start = ours.filter(pl.col("day") == day(31))
    codes = start["episode"].drop_nulls().unique().sort()
    assert len(codes) == 2
    served = pl.col("status") == LifeStatus.ACTIVE
    shocked = start.filter(served & (pl.col("episode") == codes[0]))
    assert shocked.height > 10
    assert shocked["price_shock"].median() > 1.0
    out = ours.filter(pl.col("change") == LifeChange.SUSPENSION)
    owing = start.filter(served & (pl.col("episode") == codes[1]))["entity"]
    assert owing.is_in(out["entity"].implode()).mean() > 0.9


def test_state_read_back_goes_on_as_that_in_memory() -> None:
    story = world().story(
        _triggered(satisfaction={"to": 0.6}),
        layer({"unpaid": {}}, number=2, trigger={"satisfaction": {"from": 0.7}}),
        layer({"care": {"share": 1, "topic": "billing"}}, number=3),
    )
    here, facts = world(), world().facts
    network = network_day(here.cells)
    kept = read = State.first(facts, here.entities)
    for number in range(40):
        today = here.today(day(number), network, story)
        kept = State.step(kept, facts, today, here.entities)
        read = State.step(read, facts, today, here.entities)
        frame = here.frame(read)
        assert_frame_equal(frame, here.frame(kept))
        read = State.read(frame, here.texts)
    assert frame["episode"].null_count() < frame.height


def test_parts_are_those_of_the_whole() -> None:
    story = world().story(
        _triggered(satisfaction={"to": 0.6}),
        layer({"care": {"share": 1, "topic": "fraud"}}, number=2),
        layer({"churn": {"factor": 20}}, number=3),
        layer({"unpaid": {}}, number=4),
        layer({"bill": {"more": 1}}, number=5),
        layer({"offer": {"what": "upgrade", "lift": 1}}, number=6),
    )
    here, facts = world(), world().facts
    whole = State.first(facts, here.entities)
    pieces = [here.entities[:1000], here.entities[1000:1001], here.entities[1001:]]
    parts = [State.first(facts, piece) for piece in pieces]
    for number in range(40):
        today = here.today(day(number), network_day(here.cells), story)
        whole = State.step(whole, facts, today, here.entities)
        parts = [
            State.step(state, facts, today, piece)
            for state, piece in zip(parts, pieces, strict=True)
        ]
        together = pl.concat(
            [here.frame(state, piece) for state, piece in zip(parts, pieces, strict=True)]
        )
        assert_frame_equal(together, here.frame(whole))
