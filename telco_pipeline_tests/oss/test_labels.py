"""Labels of records: of the touched in their time, and of a call to care with its contact."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from telco_pipeline.contracts import DATASETS
from telco_pipeline.generators import Inputs
from telco_pipeline.lake import Lake
from telco_pipeline.oss import labels
from telco_pipeline.oss.stories import story_of
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig
from telco_pipeline.state.offers import offered
from telco_pipeline_tests.generators import story_kit
from telco_pipeline_tests.generators.kit import Operator, make_day
from telco_pipeline_tests.generators.layered import only_in
from telco_pipeline_tests.lake.kit import origin
from telco_pipeline_tests.oss.kit import put

DAY = dt.date(2026, 1, 1)
SUBSCRIBERS = 300
CARE, CALLS = "customer_service", "cdrs_voice"
MESSAGES, CHANGES = "cdrs_sms", "identity_changes"


def world(operator: Operator) -> WorldConfig:
    """Return a world in which some turn to care, and others look like it, from 10 to 18 h UTC."""
    cast: dict[str, Any] = {
        "people": {"of": "subscribers", "where": {"kind": "person"}, "number": 5},
        "alike": {
            "of": "subscribers", "where": {"kind": "person"}, "outside": ["people"],
            "number": 2, "benign": True,
        },
    }  # fmt: skip
    deeds = [{"care": {"who": who, "share": 1, "topic": "billing"}} for who in cast]
    tree = {
        "version": 1,
        "number": 7,
        "title": "Asking",
        "story": "Some ask.",
        "kind": "customers",
        "when": {"first": "0d", "at": "11:00"},
        "cast": cast,
        "stages": [{"name": "asking", "lasts": "8h", "do": deeds}],
    }
    return with_layers(operator.inputs.config, {"asking": Layer.model_validate(tree)})


def rows(name: str, columns: dict[str, list[Any]]) -> pl.DataFrame:
    """Return records of a dataset, null where nothing is said."""
    schema = DATASETS[name].polars_schema
    given = pl.DataFrame(columns).cast({key: schema[key] for key in columns})
    missing = [pl.lit(None, dtype).alias(key) for key, dtype in schema.items() if key not in given]
    return given.with_columns(missing).select(list(schema)).sort("event_time")


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, list[int]]:
    """Return the labels of a day of records by hand, and whom the layer touches."""
    operator = Operator(DAY, 1, subscribers=SUBSCRIBERS)
    config = world(operator)
    lake = Lake(tmp_path_factory.mktemp("labels") / "lake")
    lake.bind(origin(), config.to_dict())
    for name, frame in operator.inputs.frames.items():
        put(lake, name, None, [frame[:SUBSCRIBERS]] if name == "subscribers" else [frame])
    put(lake, "prospects", None, [operator.frame("subscribers")[SUBSCRIBERS:]])
    story = story_of(config, lake)
    one, alike = story.on(DAY).touches
    ids = story.ground.column("subscribers", "subscriber_id")
    theirs = ids.gather(one.rows).to_list()
    others = ids.gather(alike.rows).to_list()
    noon, night = (dt.datetime(2026, 1, 1, hour, tzinfo=dt.UTC) for hour in (12, 20))
    # Three of the touched turn to care: by phone, in the app, by phone when it is over.
    contacts = {
        "event_id": [1, 2, 3, 4],
        "event_time": [noon, noon, night, noon],
        "subscriber_id": [theirs[0], theirs[1], theirs[2], others[0]],
        "call_reference": [101, None, 103, 104],
    }
    # Their calls, and one that the first of them makes to somebody else meanwhile.
    calls = {
        "event_id": [11, 13, 14, 15],
        "event_time": [noon, night, noon, noon],
        "subscriber_id": [theirs[0], theirs[2], others[0], theirs[0]],
        "call_reference": [101, 103, 104, 105],
    }
    for name in labels.TRUTH_RECORDS.depends:
        if name not in (CARE, CALLS, "truth_entities", "collected_files"):
            put(lake, name, DAY, [rows(name, {"event_time": []})])
    put(lake, CARE, DAY, [rows(CARE, contacts)])
    put(lake, CALLS, DAY, [rows(CALLS, calls)])
    return labels.make(config, lake, DAY), theirs


def test_a_contact_in_the_time_is_touched(touched: tuple[pl.DataFrame, list[int]]) -> None:
    found = touched[0].filter(dataset=CARE).sort("event_id")
    assert found["event_id"].to_list() == [1, 2, 4]
    assert found["benign"].to_list() == [False, False, True]


def test_its_call_is_touched_too_and_no_other(touched: tuple[pl.DataFrame, list[int]]) -> None:
    found = touched[0].filter(dataset=CALLS).sort("event_id")
    assert found["event_id"].to_list() == [11, 14]
    assert found["effects"].to_list() == ["care", "care"]
    assert found["role"].to_list() == ["people", "alike"]
    assert found["benign"].to_list() == [False, True]
    contact = touched[0].filter(dataset=CARE, event_id=1)
    same = ["incident_id", "stage", "role", "event_time"]
    assert found[:1].select(same).equals(contact.select(same))


FIRST = story_kit.DAY + dt.timedelta(days=1)
NEXT = FIRST + dt.timedelta(days=1)
PEOPLE = {"number": 400, "where": {"kind": "person"}}


def lake_of(root: Path, inputs: Inputs) -> Lake:
    """Return a lake with the static datasets of a world."""
    lake, size = Lake(root / "lake"), inputs.config.subscribers
    lake.bind(origin(), inputs.config.to_dict())
    for name, frame in inputs.frames.items():
        put(lake, name, None, [frame[:size]] if name == "subscribers" else [frame])
    put(lake, "prospects", None, [inputs.frames["subscribers"][size:]])
    return lake


def test_messages_with_an_offer_are_touched_and_no_other(tmp_path: Path) -> None:
    """Exactly those that a world without the campaign does not have, late ones too."""
    offer = {"what": "upgrade", "lift": 0, "control": 0.25}
    inputs = story_kit.with_story(story_kit.layer({"offer": offer}, PEOPLE, lasts="4d"))
    lake, total = lake_of(tmp_path, inputs), 0
    for day in (FIRST, NEXT):
        made = make_day(inputs, MESSAGES, day)
        for name in labels.TRUTH_RECORDS.depends:
            if name not in ("truth_entities", "collected_files"):
                put(lake, name, day, [made if name == MESSAGES else rows(name, {"event_time": []})])
        truth = labels.make(inputs.config, lake, day)
        offers = only_in(made, story_kit.plain_day(MESSAGES, day))
        assert offers.height > 80
        assert truth["event_id"].sort().to_list() == offers["event_id"].sort().to_list()
        assert set(truth["dataset"]) == {MESSAGES}
        assert set(truth["effects"]) == {"offer"}
        assert set(truth["role"]) == {"targets"}
        total += truth.height
    assert total < 340  # the control group has none
    theirs = lake.read(MESSAGES, FIRST, NEXT)
    theirs = story_kit.of(theirs, story_kit.targets(inputs, FIRST))
    assert theirs.height > total + 100  # the targets have others, of which none is labelled


def test_who_comes_back_for_an_offer_is_touched(tmp_path: Path) -> None:
    """On the day on which he takes it; not who comes back of himself, nor for what else he does."""
    offer = {"what": "win_back", "lift": 0.5, "control": 0.3}
    inputs = story_kit.with_story(story_kit.layer({"offer": offer}, PEOPLE, lasts="4d"))
    lake = lake_of(tmp_path, inputs)
    (touch,) = inputs.story.on(NEXT).of("offer")
    made = offered(touch)
    number = (NEXT - dt.date(1970, 1, 1)).days
    today, other = made.entity[made.taken == number], made.entity[made.taken != number]
    asked_not = np.setdiff1d(touch.rows, made.entity)
    who = [today[0], today[0], today[1], other[0], asked_not[0]]
    noon = dt.datetime(NEXT.year, NEXT.month, NEXT.day, 12, tzinfo=dt.UTC)
    changes = {
        "event_id": [1, 2, 3, 4, 5],
        "event_time": [noon] * 5,
        "subscriber_id": inputs.frames["subscribers"]["subscriber_id"].gather(who).to_list(),
        "change_type": ["win_back", "sim_swap", "win_back", "win_back", "win_back"],
    }
    for name in labels.TRUTH_RECORDS.depends:
        if name not in ("truth_entities", "collected_files"):
            given = changes if name == CHANGES else {"event_time": []}
            put(lake, name, NEXT, [rows(name, given)])
    truth = labels.make(inputs.config, lake, NEXT)
    assert truth["event_id"].sort().to_list() == [1, 3]
    assert set(truth["dataset"]) == {CHANGES}
    assert set(truth["effects"]) == {"offer"}
