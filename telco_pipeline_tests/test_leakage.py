"""The audit finds what gives a layer away, and takes a clean world for clean."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from telco_pipeline import leakage
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.oss import PM_COUNTERS
from telco_pipeline.contracts.state import HISTORY
from telco_pipeline.contracts.truth import TRUTH_INCIDENTS
from telco_pipeline.engine import draws
from telco_pipeline.errors import TelcoError
from telco_pipeline.generators.truth import incident_ids
from telco_pipeline.lake import Lake
from telco_pipeline.oss import labels
from telco_pipeline.oss.stories import story_of
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig
from telco_pipeline_tests.generators.kit import Operator
from telco_pipeline_tests.lake.kit import origin
from telco_pipeline_tests.oss.kit import put

SUBSCRIBERS = 900
DAY = dt.date(2026, 1, 1)
DAYS = [DAY]
SMS = "cdrs_sms"


@cache
def operator() -> Operator:
    return Operator(DAY, 1, subscribers=SUBSCRIBERS)


def layer(**keys: Any) -> Layer:
    """Return a layer that does nothing to people in the afternoon: all factors are 1."""
    tree = {
        "version": 1,
        "number": 7,
        "title": "Nothing",
        "story": "Nothing happens.",
        "kind": "customers",
        "when": {"first": "0d", "at": "10:00"},
        "cast": {"people": {"of": "subscribers", "share": 0.3}},
        "stages": [
            {
                "name": "it",
                "lasts": "9h",
                "do": [{"usage": {"who": "people", "calls": 1, "messages": 1}}],
            }
        ],
    }
    return Layer.model_validate(tree | keys)


def world(**keys: Any) -> WorldConfig:
    return with_layers(operator().inputs.config, {"nothing": layer(**keys)})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Return a lake with the static datasets and a day of messages, without truth."""
    lake = Lake(tmp_path / "lake")
    lake.bind(origin(), operator().inputs.config.to_dict())
    for name, frame in operator().inputs.frames.items():
        put(lake, name, None, [frame[:SUBSCRIBERS]] if name == "subscribers" else [frame])
    everybody = operator().frame("subscribers")
    put(lake, "prospects", None, [everybody[SUBSCRIBERS:]])
    put(lake, SMS, DAY, [operator().day(SMS, DAY)])
    return lake


def tell(lake: Lake, config: WorldConfig) -> pl.Series:
    """Write the truth of the day as it follows from the records; return who is touched."""
    schema = TRUTH_INCIDENTS.polars_schema
    incidents = story_of(config, lake).incidents(DAY)
    ids = [incident_ids(config.seed, one) for one in incidents]
    names = [story_of(config, lake).name_of(one.layer) for one in incidents]
    frame = pl.DataFrame({"incident_id": ids, "layer": names})
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items()]
    given = pl.select(missing).clear().join(frame, on=["incident_id", "layer"], how="right")
    put(lake, "truth_incidents", DAY, [given.select(list(schema))])
    for name in labels.TRUTH_RECORDS.depends:
        if name not in (SMS, "truth_entities", "collected_files"):
            put(lake, name, DAY, [_nothing(name)])
    put(lake, "truth_records", DAY, [labels.make(config, lake, DAY)])
    touched = lake.read("truth_records", DAY, DAY).filter(dataset=SMS)
    return touched["event_id"]


def _nothing(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema=DATASETS[name].polars_schema)


def plant(lake: Lake, config: WorldConfig, change: pl.Expr) -> list[leakage.Leak]:
    """Change the touched rows, tell the truth of it, and return what the audit finds."""
    touched = tell(lake, config)
    rows = lake.read(SMS, DAY, DAY).drop("day")
    name = change.meta.output_name()
    here = pl.col("event_id").is_in(touched.implode())
    changed = rows.with_columns(pl.when(here).then(change).otherwise(pl.col(name)).alias(name))
    put(lake, SMS, DAY, [changed.sort("event_time")])
    tell(lake, config)
    return leakage.audit(config, lake, DAYS)


def test_a_layer_that_does_nothing_is_not_found(lake: Lake) -> None:
    config = world()
    tell(lake, config)
    judgements = list(leakage.examine(config, lake, DAYS))
    (one,) = judgements
    assert (one.layer, one.dataset, one.of) == ("nothing", SMS, "subscribers")
    assert one.rows > 500
    assert one.entities > 50
    assert one.note == ""
    assert one.leaks == ()
    assert one.best is not None
    assert one.best.accuracy < 0.65
    assert leakage.audit(config, lake, DAYS) == []


@pytest.mark.parametrize(
    ("change", "column"),
    [
        (pl.lit("99999").alias("other_plmn"), "other_plmn"),
        (pl.col("message_reference") // 1000 * 1000, "message_reference"),
        (pl.col("event_time").dt.truncate("1s"), "event_time"),
        (pl.lit(3).cast(pl.Int16).alias("segments"), "segments"),
        (pl.int_range(pl.len()).cast(pl.Int64).alias("event_id"), "event_id"),
        (pl.lit(None, pl.String).alias("called_number"), "called_number"),
        (pl.col("calling_number") + "0", "calling_number"),
    ],
    ids=["marker", "rounded", "whole seconds", "constant", "running ids", "null", "longer"],
)
def test_a_planted_leak_is_found(lake: Lake, change: pl.Expr, column: str) -> None:
    found = plant(lake, world(), change)
    assert [leak.column for leak in found] == [column]
    assert found[0].accuracy > 0.9
    assert (found[0].layer, found[0].dataset) == ("nothing", SMS)
    assert f"{SMS}.{column} tells by" in str(found[0])


def test_the_order_in_the_file_counts(lake: Lake) -> None:
    touched = tell(lake, world())
    rows = lake.read(SMS, DAY, DAY).drop("day")
    last = pl.col("event_id").is_in(touched.implode())
    put(lake, SMS, DAY, [rows.sort(last, "event_time")])
    found = leakage.audit(world(), lake, DAYS)
    assert [leak.column for leak in found] == [leakage.ROW]
    put(lake, SMS, DAY, [rows.filter(~last), rows.filter(last)])
    found = leakage.audit(world(), lake, DAYS)
    assert leakage.FILE in [leak.column for leak in found]


def test_a_named_tell_is_no_leak(lake: Lake) -> None:
    tells = [{"dataset": SMS, "column": "other_plmn", "because": "It is the story."}]
    config = world(tells=tells)
    assert plant(lake, config, pl.lit("99999").alias("other_plmn")) == []
    (one,) = leakage.examine(config, lake, DAYS)
    assert [(leak.column, leak.because) for leak in one.leaks] == [
        ("other_plmn", "It is the story.")
    ]


def test_what_follows_from_an_equal_column_is_no_leak(lake: Lake) -> None:
    """Both columns mark the same rows, touched ones and a few others; one of them is the story."""
    alike = {"dataset": [SMS], "column": ["other_plmn"], "alike": True, "because": "The story."}
    touched = tell(lake, world())
    rows = lake.read(SMS, DAY, DAY).drop("day")
    here = pl.col("event_id").is_in(touched.implode())
    others = rows.filter(~here)["event_id"].sort()[::5]
    both = here | pl.col("event_id").is_in(others.implode())
    marked = rows.with_columns(
        pl.when(both).then(pl.lit("99999")).otherwise("other_plmn").alias("other_plmn"),
        pl.when(both).then(pl.lit(3)).otherwise(1).cast(pl.Int16).alias("segments"),
    )
    put(lake, SMS, DAY, [marked.sort("event_time")])
    tell(lake, world())
    found = leakage.audit(world(), lake, DAYS)
    assert [leak.column for leak in found] == ["segments", "other_plmn"] or [
        leak.column for leak in found
    ] == ["other_plmn", "segments"]
    config = world(tells=[alike])
    tell(lake, config)
    (one,) = leakage.examine(config, lake, DAYS)
    assert one.rows > 100
    assert one.leaks == ()
    # What goes beyond the equal column counts as ever.
    further = marked.with_columns(
        pl.when(here).then(pl.lit(7)).otherwise("segments").cast(pl.Int16).alias("segments")
    )
    put(lake, SMS, DAY, [further.sort("event_time")])
    tell(lake, config)
    (leak,) = leakage.audit(config, lake, DAYS)
    assert (leak.column, leak.accuracy) == ("segments", 1.0)


def test_an_easy_layer_may_tell(lake: Lake) -> None:
    config = world(difficulty=0.3)
    assert plant(lake, config, pl.lit("99999").alias("other_plmn")) == []
    (one,) = leakage.examine(config, lake, DAYS)
    assert [leak.column for leak in one.leaks] == ["other_plmn"]


def test_look_alikes_are_no_touched_rows(lake: Lake) -> None:
    cast = {"people": {"of": "subscribers", "share": 0.3, "benign": True}}
    config = world(cast=cast)
    assert plant(lake, config, pl.lit("99999").alias("other_plmn")) == []
    assert list(leakage.examine(config, lake, DAYS)) == []


def few(lake: Lake) -> WorldConfig:
    """Return a world whose layer touches the three busiest subscribers."""
    busy = (
        lake.read(SMS, DAY, DAY)["subscriber_id"]
        .value_counts(sort=True)
        .sort("count", "subscriber_id", descending=True)
    )
    ids = busy["subscriber_id"][:3].to_list()
    cast = {"people": {"of": "subscribers", "where": {"subscriber_id": ids}}}
    return world(cast=cast)


def test_what_a_few_entities_always_have_is_no_leak(lake: Lake) -> None:
    """All three have the same home network before and after, which no other has."""
    config = few(lake)
    touched = tell(lake, config)
    rows = lake.read(SMS, DAY, DAY).drop("day")
    who = rows.filter(pl.col("event_id").is_in(touched.implode()))["subscriber_id"].unique()
    assert len(who) == 3
    theirs = pl.col("subscriber_id").is_in(who.implode())
    rows = rows.with_columns(
        imsi=pl.when(theirs).then(pl.lit("206999999999999")).otherwise(pl.col("imsi"))
    )
    put(lake, SMS, DAY, [rows])
    assert "imsi" not in [leak.column for leak in leakage.audit(config, lake, DAYS)]


def test_what_a_few_entities_have_only_then_is_a_leak(lake: Lake) -> None:
    found = plant(lake, few(lake), pl.col("message_reference") // 1000 * 1000)
    assert "message_reference" in [leak.column for leak in found]


def test_too_few_rows_are_not_judged(lake: Lake) -> None:
    cast = {"people": {"of": "subscribers", "number": 1}}
    config = world(cast=cast)
    tell(lake, config)
    notes = [one.note for one in leakage.examine(config, lake, DAYS)]
    assert ["too few" in note for note in notes] == [True]
    assert leakage.audit(config, lake, DAYS) == []


def test_results_do_not_change_from_run_to_run(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "MOST", 300)
    config = world()
    tell(lake, config)
    first, second = (list(leakage.examine(config, lake, DAYS)) for _ in range(2))
    assert first == second
    assert first[0].rows <= 300
    assert first[0].rows > 200


def test_what_must_be_there_is_told(lake: Lake) -> None:
    config = world()
    with pytest.raises(TelcoError, match=r"has no truth_incidents of 2026-01-01: make it with"):
        leakage.audit(config, lake, DAYS)
    with pytest.raises(TelcoError, match="layer 'other' is not on"):
        leakage.audit(config, lake, DAYS, ["other"])
    assert leakage.audit(config, lake, []) == []


def test_days_are_those_of_records_and_want_their_truth(lake: Lake) -> None:
    """The state, and who comes and goes, lie in a lake since the epoch; records may begin later."""
    later = DAY + dt.timedelta(days=1)
    put(lake, "network_logs", later, [_nothing("network_logs")])
    for name in HISTORY:
        put(lake, name, later + dt.timedelta(days=1), [_nothing(name)])
    assert leakage.days_of(lake) == [DAY, later]
    tell(lake, world())
    with pytest.raises(TelcoError, match=f"has no truth_incidents of {later}: make it with"):
        leakage.audit(world(), lake, leakage.days_of(lake))


def test_a_lake_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TelcoError, match="has no records: make some with `telco generate"):
        leakage.days_of(Lake(tmp_path))


# Cells, and rows without an id


def of_cells(**role: Any) -> WorldConfig:
    """Return a world with a layer that does nothing to cells in the afternoon."""
    cast = {"cells": {"of": "cells", **role}}
    deed = {"degrade": {"who": "cells", "capacity": 1}}
    stages = [{"name": "it", "lasts": "9h", "do": [deed]}]
    return world(cast=cast, stages=stages)


def put_counters(lake: Lake) -> None:
    """Write counters that mean nothing: draws of each cell and quarter of an hour."""
    cells = operator().frame("cells")["cell_id"]
    start = dt.datetime(DAY.year, DAY.month, DAY.day, tzinfo=dt.UTC)
    times = [start + dt.timedelta(minutes=15 * number) for number in range(96)]
    frame = pl.DataFrame({"event_time": times}).join(cells.to_frame().sort("cell_id"), how="cross")
    columns = {}
    for name, dtype in PM_COUNTERS.polars_schema.items():
        if name in frame.columns:
            columns[name] = frame[name].cast(dtype)
        else:
            row = pl.Series(range(frame.height)).to_numpy()
            key = draws.keys(draws.stream(5, f"test/{name}"), row)
            columns[name] = pl.Series(draws.below(key, 50)).cast(dtype)
    put(lake, "pm_counters", DAY, [pl.DataFrame(columns)])


def judged(lake: Lake, config: WorldConfig, dataset: str) -> leakage.Judgement:
    return next(one for one in leakage.examine(config, lake, DAYS) if one.dataset == dataset)


def touched_counters(lake: Lake, config: WorldConfig) -> pl.Expr:
    story = story_of(config, lake)
    (touch,) = story.on(DAY).touches
    cells = story.ground.column("cells", "cell_id").gather(touch.rows)
    hour = pl.col("event_time").dt.hour()
    return pl.col("cell_id").is_in(cells.implode()) & hour.is_between(9, 17)


def test_counters_of_touched_cells_are_judged_without_ids(lake: Lake) -> None:
    put_counters(lake)
    config = of_cells(share=0.2)
    tell(lake, config)
    clean = judged(lake, config, "pm_counters")
    assert clean.of == "network"
    assert clean.rows > 1000
    assert clean.leaks == ()
    marked = pl.when(touched_counters(lake, config)).then(7).otherwise(pl.col("voice_drop"))
    rows = lake.read("pm_counters", DAY, DAY).drop("day")
    put(lake, "pm_counters", DAY, [rows.with_columns(voice_drop=marked.cast(pl.Int32))])
    assert [leak.column for leak in leakage.audit(config, lake, DAYS)] == ["voice_drop"]


def test_one_site_is_held_against_itself(lake: Lake) -> None:
    """Where it stands tells it from all others, and is no leak; a mark in its time is one."""
    put_counters(lake)
    site = operator().frame("cells")["site_id"][0]
    config = of_cells(where={"site_id": site})
    tell(lake, config)
    clean = judged(lake, config, "pm_counters")
    assert clean.entities == 1
    assert clean.leaks == ()
    marked = pl.when(touched_counters(lake, config)).then(7).otherwise(pl.col("voice_drop"))
    rows = lake.read("pm_counters", DAY, DAY).drop("day")
    put(lake, "pm_counters", DAY, [rows.with_columns(voice_drop=marked.cast(pl.Int32))])
    found = judged(lake, config, "pm_counters")
    assert [leak.column for leak in found.leaks] == ["voice_drop"]
