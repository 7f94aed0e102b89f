"""Property tests: every small world makes every dataset, whole and in order."""

import datetime as dt
import math
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telco_pipeline import whole_lake
from telco_pipeline.contracts import DAILY_DATASETS, DATASETS, STATIC_DATASETS
from telco_pipeline.engine.calendar import days
from telco_pipeline.generators import GENERATORS, Inputs
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline.workers import DERIVED
from telco_pipeline_tests.generators.kit import AUTUMN, SPRING, inputs_of, make_day, small_world

_TREE = small_world().to_dict()
_PERSONAS = _TREE["personas"]
_MACHINES = [name for name, persona in _PERSONAS.items() if persona["kind"] == "machine"]
_EXAMPLES = 6 if settings.default is None or settings.default.max_examples <= 100 else 150
_GSM_ONLY = {"gsm": {"dense": 1.0, "sparse": 1.0}}
_ALONE = [{**_TREE["operators"][0], "share": 1.0}]


def _network(**overrides: Any) -> dict[str, Any]:
    """Return the network of twenty sites with other values."""
    return {**_TREE["network"], "sites": 20, **overrides}


def _weights() -> st.SearchStrategy[dict[str, float]]:
    weight = st.sampled_from([0.0, 0.0, 0.1, 1.0, 3.0])
    return st.fixed_dictionaries(dict.fromkeys(_TREE["record_weights"], weight))


def _personas() -> st.SearchStrategy[list[str]]:
    names = list(_PERSONAS)
    return st.one_of(
        st.just(["tourist"]),
        st.just(["call_centre"]),
        st.just(_MACHINES),
        st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True),
    )


def _generations() -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(
        [
            _TREE["network"]["generations"],
            _GSM_ONLY,
            {"lte": {"dense": 1.0, "sparse": 1.0}},
            {"nr": {"dense": 1.0, "sparse": 1.0}, "lte": {"dense": 0.5, "sparse": 0.5}},
        ]
    )


def _check(inputs: Inputs, day: dt.date) -> dict[str, pl.DataFrame]:
    """Make everything on a day and check it as `telco check` would.

    All but what is made from a lake: see
    `test_seven_subscribers_go_through_production`.
    """
    assert set(DAILY_DATASETS) - set(GENERATORS) == set(DERIVED)
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    end = start + dt.timedelta(days=1)
    made, ids = {}, []
    for name in GENERATORS:
        contract = DATASETS[name]
        frame = made[name] = make_day(inputs, name, day)
        assert frame.schema == contract.polars_schema, name
        # Keys are unique, and much else.
        contract.schema.validate(frame)
        if "event_id" in frame.columns:
            ids.append(frame["event_id"])
        if frame.height and contract.time is not None:
            assert frame[contract.time].min() >= start, name
            assert frame[contract.time].max() < end, name
        if frame.height and contract.sort:
            # Of one part, as the elements of so few sites are, too.
            assert frame.select(contract.sort).equals(
                frame.select(contract.sort).sort(contract.sort)
            ), name
        for key in contract.foreign_keys:
            values = frame[key.column].drop_nulls().unique()
            # The frame of subscribers in memory holds the prospects too.
            there = inputs.frames[key.target][key.target_column]
            assert values.is_in(there.implode()).all(), (name, key.column)
    everything = pl.concat(ids)
    assert everything.n_unique() == len(everything)
    _check_state(inputs, made, start, end)
    return made


def _check_state(
    inputs: Inputs, made: dict[str, pl.DataFrame], start: dt.datetime, end: dt.datetime
) -> None:
    """Check that the state names every cell in every hour, and every subscriber who has joined."""
    network = made["network_state"]
    cells = inputs.frames["cells"].height
    assert network.height == 24 * cells
    assert network["event_time"].n_unique() == 24
    known = made["subscriber_state"]
    assert known.height == inputs.config.joined_by(start.date())
    for column in ("change_time", "contact_time"):
        assert known[column].drop_nulls().is_between(start, end, closed="left").all(), column
    measured = made["element_metrics"]["element_id"].n_unique()
    assert measured <= inputs.frames["network_elements"].height
    assert measured > 0


@settings(max_examples=_EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    subscribers=st.one_of(st.integers(1, 3), st.integers(1, 300)),
    names=_personas(),
    weights=_weights(),
    generations=_generations(),
    fault_rate=st.sampled_from([0.0, 1.0, 50.0]),
    joins=st.sampled_from([0.0, 0.013, 0.8]),
    limit=st.sampled_from([60, 61, 300, 1800, 86_400]),
    longest=st.sampled_from([60, 14_400]),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.dates(dt.date(2000, 1, 8), dt.date(2044, 9, 1)),
    ahead=st.integers(0, 9),
)
def test_every_small_world_can_be_made(
    subscribers: int,
    names: list[str],
    weights: dict[str, float],
    generations: dict[str, Any],
    fault_rate: float,
    joins: float,
    limit: int,
    longest: int,
    seed: int,
    epoch: dt.date,
    ahead: int,
) -> None:
    config = small_world(
        subscribers=subscribers,
        seed=seed,
        epoch=epoch,
        personas={name: _PERSONAS[name] for name in names},
        record_weights=weights,
        charging={"data_time_limit_s": limit, "voice_max_s": longest},
        network=_network(generations=generations, fault_rate=fault_rate),
        growth={"joins_per_month": joins, "months": 3},
    )
    made = _check(inputs_of(config), epoch + dt.timedelta(days=ahead))
    kinds = {_PERSONAS[name]["kind"] for name in names}
    if kinds == {"machine"}:
        assert made["cdrs_voice"].height == made["cdrs_voip"].height == 0
    if weights["voice"] == 0:
        # A call to care is a contact, however little people telephone.
        care = made["cdrs_voice"]["called_number"] == _TREE["numbering"]["care_number"]
        assert care.all()
        if made["cdrs_voice"].is_empty():
            assert "INVITE" not in made["cdrs_ims"]["sip_method"].cast(pl.String).to_list()
    for weight, name in (
        ("sms", "cdrs_sms"),
        ("data", "cdrs_data"),
        ("location_updates",) * 2,
        ("customer_service",) * 2,
    ):
        if weights[weight] == 0:
            assert made[name].height == 0, name
    assert (made["cdrs_data"]["duration"] <= limit).all()
    assert (made["cdrs_voice"]["call_duration"] <= longest).all()


@pytest.mark.parametrize("subscribers", [1, 7])
def test_a_handful_of_subscribers(subscribers: int) -> None:
    """On the epoch, and on a day that has an eve."""
    inputs = inputs_of(small_world(subscribers=subscribers, network=_network()))
    for day in days(inputs.config.epoch, 3)[::2]:
        voice = _check(inputs, day)["cdrs_voice"]
        assert (voice["calling_number"] != voice["called_number"]).all()


def test_an_operator_without_competitors() -> None:
    epoch = SPRING - dt.timedelta(days=2)
    world = small_world(subscribers=300, operators=_ALONE, epoch=epoch, network=_network())
    inputs = inputs_of(world)
    made = _check(inputs, SPRING)
    assert made["cdrs_voice"].height > 0
    # Nobody can take his number along, nor bring one.
    for day in days(epoch, 3):
        changes = make_day(inputs, "identity_changes", day)["change_type"].cast(pl.String)
        assert not changes.is_in(["port_out", "port_in"]).any()


def test_a_network_of_gsm_only() -> None:
    inputs = inputs_of(small_world(subscribers=300, network=_network(generations=_GSM_ONLY)))
    made = _check(inputs, inputs.config.epoch + dt.timedelta(days=1))
    for name in ("cdrs_voice", "cdrs_sms", "location_updates"):
        here = made[name].filter(pl.col("cell_id").is_not_null())
        rats = set(here["rat_type"].cast(pl.String))
        assert here.height > 0
        # Voice may go over the Wi-Fi at home, whatever the radio network.
        assert {"GERAN"} <= rats <= {"GERAN", "WLAN"}, name


@pytest.mark.parametrize("rate", [0.0, 50.0])
def test_a_network_that_never_breaks_and_one_that_always_does(rate: float) -> None:
    inputs = inputs_of(small_world(subscribers=300, network=_network(fault_rate=rate)))
    made = _check(inputs, inputs.config.epoch + dt.timedelta(days=1))
    out = made["network_state"]["unavailable_from"].is_not_null()
    if rate == 0.0:
        assert made["network_faults"].is_empty()
        assert not out.any()
        assert made["network_state"]["fault_id"].null_count() == len(out)
    else:
        assert made["network_faults"].height > 20
        assert out.any()
        assert made["alarms"].height > made["network_faults"].height


@pytest.mark.parametrize("joins", [0.0, 1.0])
def test_a_market_that_stands_still_and_one_that_doubles_each_month(joins: float) -> None:
    growth = {"joins_per_month": joins, "months": 2}
    world = small_world(subscribers=200, growth=growth, network=_network())
    inputs = inputs_of(world)
    assert world.all_subscribers == 200 * (1 + 2 * joins)
    for ahead in (0, 6):
        day = world.epoch + dt.timedelta(days=ahead)
        made = _check(inputs, day)
        own = inputs.frames["subscribers"]["subscriber_id"]
        joined = own[: world.joined_by(day)]
        for name in ("cdrs_voice", "cdrs_data", "location_updates", "subscriber_state"):
            assert made[name]["subscriber_id"].is_in(joined.implode()).all(), name
        changes = make_day(inputs, "identity_changes", day)
        begun = changes.filter(pl.col("change_type") == "activation")["subscriber_id"]
        first = world.joined_by(day - dt.timedelta(days=1)) if ahead else world.subscribers
        expected = own[first : world.joined_by(day)]
        assert set(expected) == set(begun.filter(begun.is_in(own[200:].implode())))
        assert (len(begun) > 0) == (joins > 0)


def test_seven_subscribers_go_through_production(tmp_path: Path) -> None:
    """The smallest operator keeps every check of `telco check`, counters of cells among them."""
    world = small_world(subscribers=7, network=_network())
    lake = Lake(tmp_path / "lake")
    for name in STATIC_DATASETS:
        produce(world, lake, name)
    for name in DAILY_DATASETS:
        produce(world, lake, name, days(world.epoch, 2))
    assert lake.rows("pm_counters", world.epoch) == 96 * lake.rows("cells")
    findings = whole_lake.check(lake)
    assert findings
    assert [finding for finding in findings if not finding.passed] == []


def test_the_busiest_holder_that_a_world_may_have() -> None:
    busy = {
        **_PERSONAS["call_centre"],
        "calls": 1024.0,
        "messages": 1024.0,
        "sessions": 1024.0,
        "level_sigma": math.floor(20 * math.log((1 << 15) / 1024)) / 100,
    }
    config = small_world(
        subscribers=40,
        personas={"busy": busy},
        charging={"data_time_limit_s": 60, "voice_max_s": 60},
        epoch=dt.date(2026, 1, 6),
        network=_network(),
    )
    made = _check(inputs_of(config), dt.date(2026, 1, 8))
    assert made["cdrs_data"].height > 20_000
    # The limit holds for what is said to a voicemail too.
    messages = made["cdrs_voice"].filter(pl.col("status") == "forwarded")["call_duration"]
    assert (messages == 60).sum() > 5
    assert made["cdrs_voice"]["call_duration"].max() == 60


@cache
def _sixty(epoch: dt.date) -> Inputs:
    """Return sixty subscribers; days in other rhythms are looked at, so nothing of them is kept."""
    return inputs_of(small_world(subscribers=60, epoch=epoch, network=_network()))


@settings(max_examples=_EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    weekday=st.integers(0, 23),
    weekend=st.integers(0, 23),
    zone=st.sampled_from(
        ["Europe/Brussels", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Apia"]
    ),
    day=st.sampled_from([SPRING, AUTUMN, SPRING - dt.timedelta(days=2)]),
)
def test_any_rhythm_and_time_zone_makes_days(
    weekday: int, weekend: int, zone: str, day: dt.date
) -> None:
    """Also a rhythm of one hour only, which a clock change may skip."""
    one = {
        "weekday": [float(hour == weekday) for hour in range(24)],
        "weekend": [float(hour == weekend) for hour in range(24)],
    }
    rhythms = {**_TREE["rhythms"], "calls": one, "data": one}
    base = _sixty(day - dt.timedelta(days=1))
    config = base.config.model_copy(update={"rhythms": rhythms, "time_zone": zone})
    _check(Inputs(config, base.frames), day)
