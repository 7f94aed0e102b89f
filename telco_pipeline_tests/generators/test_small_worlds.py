"""Property tests: every small world makes every dataset, whole and in order."""

import datetime as dt
import math
from functools import cache
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telco_pipeline.contracts import DAILY_DATASETS, DATASETS
from telco_pipeline.generators import Inputs
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world

_TREE = small_world().to_dict()
_PERSONAS = _TREE["personas"]
_MACHINES = [name for name, persona in _PERSONAS.items() if persona["kind"] == "machine"]
_EXAMPLES = 6 if settings.default is None or settings.default.max_examples <= 100 else 150


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
            {"gsm": {"dense": 1.0, "sparse": 1.0}},
            {"lte": {"dense": 1.0, "sparse": 1.0}},
            {"nr": {"dense": 1.0, "sparse": 1.0}, "lte": {"dense": 0.5, "sparse": 0.5}},
        ]
    )


def _check(inputs: Inputs, day: dt.date) -> dict[str, pl.DataFrame]:
    """Make everything on a day and check it as `telco check` would."""
    start = dt.datetime.combine(day, dt.time(), dt.UTC)
    end = start + dt.timedelta(days=1)
    made, ids = {}, []
    for name in DAILY_DATASETS:
        contract = DATASETS[name]
        frame = made[name] = make_day(inputs, name, day)
        assert frame.schema == contract.polars_schema, name
        contract.schema.validate(frame)
        ids.append(frame["event_id"])
        if frame.height:
            assert frame["event_time"].min() >= start, name
            assert frame["event_time"].max() < end, name
            # Of one part, as the elements of so few sites are, too.
            assert frame["event_time"].is_sorted(), name
        for key in contract.foreign_keys:
            values = frame[key.column].drop_nulls().unique()
            there = inputs.frames[key.target][key.target_column]
            assert values.is_in(there.implode()).all(), (name, key.column)
    everything = pl.concat(ids)
    assert everything.n_unique() == len(everything)
    return made


@settings(max_examples=_EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    subscribers=st.one_of(st.integers(1, 3), st.integers(1, 300)),
    names=_personas(),
    weights=_weights(),
    generations=_generations(),
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
        network={**_TREE["network"], "sites": 20, "generations": generations},
    )
    made = _check(inputs_of(config), epoch + dt.timedelta(days=ahead))
    kinds = {_PERSONAS[name]["kind"] for name in names}
    if kinds == {"machine"}:
        assert made["cdrs_voice"].height == made["cdrs_voip"].height == 0
    if weights["voice"] == 0:
        assert made["cdrs_voice"].height == 0
        assert "INVITE" not in made["cdrs_ims"]["sip_method"].cast(pl.String).to_list()
    for weight, name in (
        ("sms", "cdrs_sms"),
        ("data", "cdrs_data"),
        ("network_logs",) * 2,
        ("location_updates",) * 2,
        ("customer_service",) * 2,
    ):
        if weights[weight] == 0:
            assert made[name].height == 0, name
    assert (made["cdrs_data"]["duration"] <= limit).all()
    assert (made["cdrs_voice"]["call_duration"] <= longest).all()


def test_one_subscriber_alone() -> None:
    made = _check(inputs_of(small_world(subscribers=1)), dt.date(2026, 1, 1))
    voice = made["cdrs_voice"]
    assert (voice["calling_number"] != voice["called_number"]).all()


def test_an_operator_without_competitors() -> None:
    only = [{**_TREE["operators"][0], "share": 1.0}]
    made = _check(inputs_of(small_world(subscribers=300, operators=only)), dt.date(2026, 3, 29))
    assert made["cdrs_voice"].height > 0


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
    )
    made = _check(inputs_of(config), dt.date(2026, 1, 8))
    assert made["cdrs_data"].height > 20_000


@cache
def _sixty() -> Inputs:
    return inputs_of(small_world(subscribers=60, network={**_TREE["network"], "sites": 20}))


@settings(max_examples=_EXAMPLES, suppress_health_check=list(HealthCheck))
@given(
    weekday=st.integers(0, 23),
    weekend=st.integers(0, 23),
    zone=st.sampled_from(
        ["Europe/Brussels", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Apia"]
    ),
    day=st.sampled_from([dt.date(2026, 3, 29), dt.date(2026, 10, 25), dt.date(2026, 3, 27)]),
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
    base = _sixty()
    config = base.config.model_copy(update={"rhythms": rhythms, "time_zone": zone})
    _check(Inputs(config, base.frames), day)
