"""A world without a layer lies over the main one, from the first day on which it can differ."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from telco_pipeline.counterfactuals import (
    Counterfactual,
    check_pair,
    counterfactual,
    days_apart,
    first_difference,
    held_config,
)
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline.runs import run_operator
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline.signatures import CONTROL

WORLD = Path(__file__).parents[1] / "scenarios" / "world.yaml"
DAYS = 4
RECORDS = ("cdrs_voice", "cdrs_sms", "location_updates")


def _layer(number: int, first: str, *deeds: dict[str, Any], lasts: str = "1d") -> Layer:
    return Layer.model_validate(
        {
            "version": 1,
            "number": number,
            "title": "Something",
            "story": "Something happens.",
            "kind": "fraud",
            "when": {"first": first, "at": "01:00"},
            "cast": {"them": {"of": "subscribers", "where": {"kind": "person"}, "number": 30}},
            "stages": [{"name": "it", "lasts": lasts, "do": list(deeds)}],
        }
    )


TALK = _layer(1, "2d", {"usage": {"who": "them", "calls": 8.0}})
MUTE = _layer(2, "1d", {"usage": {"who": "them", "messages": 0.0}})
PLACE = _layer(3, "20d", {"roaming": {"who": "them", "country": "FR"}})


def _config(**layers: Layer) -> WorldConfig:
    return with_layers(load_world(WORLD, subscribers=600), layers)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, WorldConfig, Counterfactual]:
    """Return a lake with two layers, and beside it the world without one of them."""
    root = tmp_path_factory.mktemp("counterfactual")
    config = _config(talk=TALK, mute=MUTE)
    summary = run_operator(config, root, datasets=[*RECORDS, "truth_records"], days=DAYS)
    assert summary.success, summary.failures
    lake = Lake(root)
    other = counterfactual(config, ["talk"], lake.days("cdrs_voice")[-1])
    assert other.first is not None
    summary = run_operator(
        other.config,
        root,
        datasets=["network_state", "identity_changes", "subscriber_state", *RECORDS],
        first=other.first,
        days=DAYS - (other.first - config.epoch).days,
        world=other.name,
        overlays=config.world_hash,
    )
    assert summary.success, summary.failures
    return lake, config, other


def test_it_begins_with_the_first_incident(
    made: tuple[Lake, WorldConfig, Counterfactual],
) -> None:
    lake, config, other = made
    assert other.name == "without-talk"
    assert other.left_out == ("talk",)
    assert list(other.config.layers) == ["mute"]
    assert other.first == config.epoch + dt.timedelta(days=2)
    beside = Lake(lake.root, other.name)
    for day in lake.days("cdrs_voice"):
        for name in ("cdrs_voice", "network_state", "subscriber_state", "identity_changes"):
            own = beside.directory(name, day) != lake.directory(name, day)
            assert own == (day >= other.first), name
    assert beside.directory("subscribers") == lake.directory("subscribers")


def test_truth_names_who_was_touched(made: tuple[Lake, WorldConfig, Counterfactual]) -> None:
    lake, _, _ = made
    records = lake.read("truth_records")
    entities = lake.read("truth_entities")
    assert set(entities["effects"]) == {"usage"}
    assert entities["subscriber_id"].n_unique() > 40
    calls = lake.read("cdrs_voice")
    touched = calls.join(records, on="event_id", how="semi")
    assert touched.height > 100
    assert set(touched["subscriber_id"]) <= set(entities["subscriber_id"])


def test_days_on_which_it_can_differ(
    made: tuple[Lake, WorldConfig, Counterfactual], tmp_path: Path
) -> None:
    lake, config, other = made
    assert held_config(lake) == config
    assert days_apart(lake, other) == lake.days("cdrs_voice")[2:]
    late = counterfactual(_config(talk=TALK, place=PLACE), ["place"], config.epoch)
    with pytest.raises(TelcoError, match="no incident of place begins by 2026-01-04"):
        days_apart(lake, late)
    with pytest.raises(TelcoError, match="has no day yet"):
        days_apart(Lake(tmp_path), other)
    with pytest.raises(TelcoError, match="holds no world"):
        held_config(Lake(tmp_path))


def test_a_pair_is_complete_and_of_one_code(
    made: tuple[Lake, WorldConfig, Counterfactual],
) -> None:
    lake, _, other = made
    beside, days = Lake(lake.root, other.name), lake.days("cdrs_voice")[2:]
    check_pair(lake, beside, days)
    with pytest.raises(TelcoError, match="has no network_state of 2026-01-02, which the main"):
        check_pair(lake, beside, lake.days("cdrs_voice")[1:])
    record = beside.directory("cdrs_sms", days[0]) / "_provenance.json"
    text = record.read_text()
    try:
        record.write_text(text.replace('"code_version": "', '"code_version": "9+'))
        with pytest.raises(TelcoError, match=r"cdrs_sms of 2026-01-03 .* was made by other code"):
            check_pair(lake, beside, days)
    finally:
        record.write_text(text)


def test_days_that_hang_on_others_of_the_main_world_are_refused(
    made: tuple[Lake, WorldConfig, Counterfactual], tmp_path: Path
) -> None:
    """A day behind the first difference cannot follow from one of the main world."""
    lake, config, other = made
    late = lake.days("cdrs_voice")[-1]
    name = "late"
    with pytest.raises(TelcoError, match="is of another world"):
        produce(
            other.config,
            Lake(lake.root, name),
            "subscriber_state",
            [late],
            overlays=config.world_hash,
        )


def test_the_control_world_has_no_layer() -> None:
    config = _config(talk=TALK, mute=MUTE)
    control = counterfactual(config, ["all"], config.epoch + dt.timedelta(days=9))
    assert control.name == CONTROL
    assert not control.config.layers
    assert control.first == config.epoch + dt.timedelta(days=1)


def test_what_is_planned_ahead_reaches_back() -> None:
    """Who is sent abroad gives up a journey of his own in that week."""
    config = _config(place=PLACE)
    assert first_difference(config, _config()) == config.epoch + dt.timedelta(days=12)
    assert first_difference(config, config) == dt.date.max
    other = with_layers(load_world(WORLD, subscribers=601), {"place": PLACE})
    assert first_difference(config, other) == config.epoch
    told = PLACE.model_copy(update={"story": "Something else is told."})
    assert first_difference(config, _config(place=told)) == dt.date.max


@pytest.mark.parametrize(
    ("names", "told"),
    [(["tlak"], "not on"), (["talk", "x"], "not on"), (["talk", "all"], "all stands alone")],
)
def test_a_layer_that_is_not_on_is_refused(names: list[str], told: str) -> None:
    with pytest.raises(TelcoError, match=told):
        counterfactual(_config(talk=TALK), names, dt.date(2026, 2, 1))


def test_worlds_without_many_layers_have_names_of_their_own() -> None:
    names = [f"a_story_with_a_long_name_{number}" for number in range(5)]
    layers = {
        name: TALK.model_copy(update={"number": number}) for number, name in enumerate(names, 1)
    }
    made = {
        counterfactual(_config(**layers), some, dt.date(2026, 2, 1)).name
        for some in (names[:3], names[:4], [*names[:3], names[4]])
    }
    assert len(made) == 3
    assert all(len(name) <= 64 and name.startswith("without-a_story") for name in made)


def test_without_layers_there_is_nothing_to_leave_out() -> None:
    with pytest.raises(TelcoError, match="nothing to leave out"):
        counterfactual(_config(), ["all"], dt.date(2026, 2, 1))
