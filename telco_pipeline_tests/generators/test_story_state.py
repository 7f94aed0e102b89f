"""What records tell of layers that act on the state of subscribers."""

import datetime as dt
from functools import cache

import polars as pl
from polars.testing import assert_frame_equal

from telco_pipeline.contracts.codes import Channel, Topic
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import Inputs, truth
from telco_pipeline.scenarios.language import Layer
from telco_pipeline_tests.generators.kit import make_day
from telco_pipeline_tests.generators.layered import only_in
from telco_pipeline_tests.generators.story_kit import (
    DAY,
    EPOCH,
    layer,
    of,
    others,
    plain_day,
    targets,
    with_story,
)

PEOPLE = {"number": 400, "where": {"kind": "person"}}
DAYS = [DAY + dt.timedelta(days=number) for number in range(4)]


@cache
def _campaign() -> Inputs:
    """Return a world with a campaign that moves nobody: only its messages are seen."""
    offer = {"offer": {"what": "upgrade", "lift": 0, "control": 0.25}}
    return with_story(layer(offer, PEOPLE, lasts="3d"))


def _offers() -> pl.DataFrame:
    found = []
    for day in DAYS:
        ours, usual = make_day(_campaign(), "cdrs_sms", day), plain_day("cdrs_sms", day)
        assert only_in(usual, ours).is_empty()
        found.append(only_in(ours, usual))
    return pl.concat(found)


def test_offers_are_messages_of_one_short_code_to_most_of_the_targets() -> None:
    found, who = _offers(), targets(_campaign(), DAYS[1])
    assert found["subscriber_id"].is_in(who.implode()).all()
    # One each, but to the control group, and to who is no customer.
    assert found["subscriber_id"].n_unique() == found.height
    assert 0.6 * len(who) < found.height < 0.85 * len(who)
    assert found["record_type"].cast(pl.String).unique().to_list() == ["mtSMSRecord"]
    assert found["calling_number"].n_unique() == 1
    usual = plain_day("cdrs_sms", DAYS[1])
    assert found["calling_number"].is_in(usual["calling_number"].implode()).all()
    assert found["service_centre"].is_in(usual["service_centre"].implode()).all()
    sent = found["event_time"].dt.convert_time_zone("Europe/Brussels")
    assert sent.dt.hour().is_between(9, 17).mean() > 0.9
    assert found["event_time"].dt.date().unique().sort().to_list() == DAYS[1:2]


def test_offers_do_not_give_themselves_away_by_size() -> None:
    found = _offers()
    assert found["message_size"].n_unique() > 40
    usual = plain_day("cdrs_sms", DAYS[1])
    codes = usual.filter(pl.col("calling_number").is_in(found["calling_number"].implode()))
    assert abs(found["message_size"].median() - codes["message_size"].median()) < 12


def test_offers_to_come_back_make_no_records_of_ours() -> None:
    inputs = with_story(layer({"offer": {"what": "win_back", "lift": 0}}, PEOPLE, lasts="3d"))
    assert_frame_equal(make_day(inputs, "cdrs_sms", DAYS[1]), plain_day("cdrs_sms", DAYS[1]))


def test_who_turns_to_care_is_in_its_records_and_telephones() -> None:
    inputs = with_story(layer({"care": {"share": 1, "topic": "fraud"}}, PEOPLE, lasts="3d"))
    # A Monday: much waits for it over the Sunday before.
    day = DAYS[2]
    who = targets(inputs, day)
    state = make_day(inputs, "subscriber_state", day)
    asked = of(state, who).filter(pl.col("contact_topic") == Topic.SUSPICIOUS_CALLS)
    assert asked.height > 50
    contacts = make_day(inputs, "customer_service", day)
    theirs = contacts.filter(pl.col("topic") == Topic.SUSPICIOUS_CALLS)
    same = ["subscriber_id", "case_id", "cause_time"]
    assert_frame_equal(
        theirs.select(same).sort(same), _decided(state).select(same).sort(same), check_dtypes=False
    )
    assert (theirs["cause_time"] < theirs["event_time"]).all()
    assert theirs["note"].n_unique() > 10
    # Who telephones has a call to care.
    number = inputs.config.numbering.care_number
    calls = make_day(inputs, "cdrs_voice", day).filter(pl.col("called_number") == number)
    called = theirs.filter(pl.col("channel") == Channel.CALL)["subscriber_id"]
    assert len(called) > 10
    assert called.is_in(calls["subscriber_id"].implode()).mean() > 0.9
    assert_frame_equal(
        others(contacts, who).select(same),
        others(plain_day("customer_service", day), who).select(same),
    )


def _decided(state: pl.DataFrame) -> pl.DataFrame:
    return state.filter(pl.col("contact_topic") == Topic.SUSPICIOUS_CALLS)


def _triggered() -> Layer:
    low = {"satisfaction": {"to": 0.5}}
    return layer({"usage": {"calls": 0}}, {"where": {"kind": "person"}}, lasts="2d", trigger=low)


def test_a_triggered_stage_acts_on_records_of_those_for_whom_it_has_begun() -> None:
    inputs, day = with_story(_triggered()), DAYS[1]
    state = make_day(inputs, "subscriber_state", day)
    begun = state.filter(pl.col("episode").is_not_null())
    assert 5 < begun.height < 0.3 * state.height
    assert (begun["episode_start"].dt.date() == day).all()
    (touch,) = inputs.day(day).story.of("usage")
    who = pl.Series(inputs.population.subscriber_id[touch.rows])
    assert set(who) == set(begun["subscriber_id"])
    ours, usual = make_day(inputs, "cdrs_voice", day), plain_day("cdrs_voice", day)
    started = pl.col("record_type").cast(pl.String) == "moCallRecord"
    assert of(usual, who).filter(started).height > 5 * max(of(ours, who).filter(started).height, 1)
    # On the eve nobody had begun.
    assert inputs.day(DAYS[0]).story.touches == ()
    told = truth.entities(inputs, day, Part(0, 0, 0)).to_frame()
    assert set(told["subscriber_id"].drop_nulls()) == set(begun["subscriber_id"])


def test_records_of_the_network_ask_for_no_state_of_subscribers() -> None:
    inputs = with_story(_triggered())
    made = Inputs(inputs.config, inputs.frames)
    made.book.customers = None  # type: ignore[method-assign]
    assert make_day(made, "network_logs", DAY).height
    assert make_day(made, "element_metrics", DAY).height


def test_without_triggers_the_story_of_a_day_needs_no_state() -> None:
    inputs = _campaign()
    assert not inputs.story.triggers
    fresh = Inputs(inputs.config, inputs.frames)
    assert fresh.day(DAY).story
    assert "customers" not in fresh.day(DAY).__dict__
    assert DAY > EPOCH
