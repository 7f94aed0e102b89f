"""The same seed gives the same rows in the same order, however they are made."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from telco_pipeline.contracts import DAILY_DATASETS, DATASETS, STATIC_DATASETS
from telco_pipeline.engine.calendar import days
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import GENERATORS, Inputs
from telco_pipeline.lake import Lake, column_hashes, content_hash
from telco_pipeline.lineage import HISTORY
from telco_pipeline.production import produce
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig
from telco_pipeline.workers import DERIVED, shared_crews
from telco_pipeline_tests.generators.kit import EVE, SPRING, inputs_of, make_day, small_world

EPOCH = SPRING - 2 * EVE
DAYS = days(SPRING - EVE, 3)
NETWORK = {**small_world().to_dict()["network"], "sites": 40}


def _world(subscribers: int, **overrides: Any) -> WorldConfig:
    """Return a world with a small network."""
    options = {"part_size": 1024, "epoch": EPOCH, "network": NETWORK, **overrides}
    return small_world(subscribers=subscribers, **options)


_BUSY = {
    "version": 1,
    "number": 7,
    "title": "A busy place",
    "story": "Some meet where a mast fails, and a fleet is refused.",
    "kind": "network",
    "when": {"first": "1d", "at": "20:00"},
    "cast": {
        "mast": {"of": "sites", "number": 1},
        "guests": {"of": "subscribers", "where": {"kind": "person"}, "share": 0.1},
        "fleet": {"of": "subscribers", "where": {"kind": "machine"}, "share": 0.3},
    },
    "stages": [
        {
            "name": "evening",
            "lasts": "20h",
            "spread": "6h",
            "do": [
                {"presence": {"who": "guests", "at": "mast"}},
                {"usage": {"who": "guests", "calls": 3.0, "messages": 0.5, "sessions": 2.0}},
                {"sharing": {"who": "guests", "devices": 3.0}},
                {"care": {"who": "guests", "share": 0.5, "topic": "billing"}},
                {"reject": {"who": "fleet", "share": 0.6}},
                {"fault": {"who": "mast", "kind": "hardware", "out": False}},
            ],
        }
    ],
}
"""Effects on the network, on places, identities, use and state, over two midnights."""

# Three parts of subscribers, and a scenario layer on.
CONFIG = with_layers(_world(2300), {"busy": Layer.model_validate(_BUSY)})


def _hashes(lake: Lake) -> dict[str, str]:
    return {
        f"{name} {day}": content_hash(lake.read(name, day, day).drop("day"))
        for name in DAILY_DATASETS
        for day in lake.days(name)
    }


def _make(
    root: Path, wanted: Sequence[dt.date], static_of: Lake | None = None, **options: int
) -> Lake:
    """Make all datasets of some days through production, and the history that they need."""
    lake = Lake(root)
    if static_of is not None:
        leave_out = shutil.ignore_patterns(*DAILY_DATASETS)
        shutil.copytree(static_of.root, root, ignore=leave_out, dirs_exist_ok=True)
    for name in STATIC_DATASETS if static_of is None else ("subscribers",):
        produce(CONFIG, lake, name, **options)
    since = days(EPOCH, (max(wanted) - EPOCH).days + 1)
    for name in DAILY_DATASETS:
        # Those that are asked for in the order given, and the days before them last.
        before = [day for day in since if day not in wanted] if name in HISTORY else []
        produce(CONFIG, lake, name, [*wanted, *before], **options)
    return lake


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Return three days of everything, made in one process in one shard."""
    return _make(tmp_path_factory.mktemp("reference"), DAYS, shards=1)


@pytest.fixture(scope="module")
def expected(reference: Lake) -> dict[str, str]:
    """Return the hashes of its partitions."""
    return _hashes(reference)


def test_a_partition_has_its_parts(reference: Lake, expected: dict[str, str]) -> None:
    for name in ("cdrs_voice", "subscriber_state"):
        assert len(reference.files(name, DAYS[0])) == 3
    assert len(reference.files("subscribers")) == 3
    assert len(expected) == len(DAILY_DATASETS) * len(DAYS) + len(HISTORY)
    # On most days no incident begins, and equal nothings have equal hashes.
    rows = {key: value for key, value in expected.items() if not key.startswith("truth_")}
    assert len(set(rows.values())) == len(rows)
    assert reference.rows("truth_incidents") == 1
    assert reference.rows("truth_entities") > 200
    assert reference.rows("truth_records") > 2000


def test_shards_do_not_show(reference: Lake, expected: dict[str, str], tmp_path: Path) -> None:
    """More shards than parts; two processes have two of them."""
    made = _make(tmp_path, DAYS[:1], static_of=reference, shards=7)
    found = _hashes(made)
    assert found == {key: expected[key] for key in found}
    assert len(found) == len(DAILY_DATASETS) + len(HISTORY)
    assert content_hash(made.read("subscribers")) == content_hash(reference.read("subscribers"))


def test_processes_and_the_order_of_production_do_not_show(
    reference: Lake, expected: dict[str, str], tmp_path: Path
) -> None:
    """Two processes, and the later day asked for first."""
    with shared_crews():
        made = _make(tmp_path, DAYS[1::-1], static_of=reference, workers=2)
    found = _hashes(made)
    assert found == {key: expected[key] for key in found}
    assert len(found) == 2 * len(DAILY_DATASETS) + len(HISTORY)
    # The files, too, are the same to the byte.
    for name in DAILY_DATASETS:
        first, same = (lake.provenance(name, DAYS[0]) for lake in (made, reference))
        assert first is not None
        assert same is not None
        assert first.files == same.files, name


def test_the_order_of_days_does_not_show(reference: Lake, expected: dict[str, str]) -> None:
    """Each day alone in a new process' memory, the last day first, the last dataset first."""
    inputs = Inputs.load(CONFIG, reference)
    for day in reversed(DAYS):
        for name in reversed(GENERATORS):
            assert content_hash(make_day(inputs, name, day)) == expected[f"{name} {day}"], name
        for name, make in DERIVED.items():
            rows = make(CONFIG, reference, day)
            assert content_hash(rows) == expected[f"{name} {day}"], name


def test_a_day_alone_is_the_day_of_a_range(reference: Lake, expected: dict[str, str]) -> None:
    for name in GENERATORS:
        alone = Inputs.load(CONFIG, reference)
        assert content_hash(make_day(alone, name, DAYS[1])) == expected[f"{name} {DAYS[1]}"], name


def test_state_worked_out_in_memory_is_that_of_the_lake(expected: dict[str, str]) -> None:
    """Without a lake all subscribers are taken from day to day at once, with it part by part."""
    inputs = inputs_of(CONFIG)
    for name in GENERATORS:
        made = content_hash(make_day(inputs, name, DAYS[-1]))
        assert made == expected[f"{name} {DAYS[-1]}"], name


def test_part_size_changes_the_order_only() -> None:
    """Each subscriber's rows are its own: the cut into parts decides on the order alone."""
    small = inputs_of(_world(1500))
    large = inputs_of(_world(1500, part_size=4096))
    for name in GENERATORS:
        keys = DATASETS[name].schema.primary_key()
        cut, whole = make_day(small, name, DAYS[0]), make_day(large, name, DAYS[0])
        assert column_hashes(cut.sort(keys)) == column_hashes(whole.sort(keys)), name


@pytest.mark.parametrize("name", ["network_faults", "alarms", "element_metrics", "network_logs"])
def test_an_element_s_rows_do_not_depend_on_what_is_made_beside(name: str) -> None:
    """A network of one part here is one of many parts in a larger world."""
    inputs = inputs_of(_world(200))
    elements, generator = inputs.frames["network_elements"].height, GENERATORS[name]
    bounds = [0, 1, 70, 71, elements]
    cut = [
        generator.make(inputs, DAYS[0], Part(number, start, stop))
        for number, (start, stop) in enumerate(pairwise(bounds))
    ]
    whole = generator.make(inputs, DAYS[0], Part(0, 0, elements))
    assert whole.height > 0
    keys = DATASETS[name].schema.primary_key()
    assert column_hashes(pl.concat(cut).sort(keys)) == column_hashes(whole.sort(keys))


def test_a_subscriber_s_rows_do_not_depend_on_who_is_made_beside() -> None:
    inputs = inputs_of(_world(1500))
    for name in ("cdrs_voice", "cdrs_data", "location_updates"):
        generator = GENERATORS[name]
        whole = generator.make(inputs, DAYS[0], Part(0, 0, 1024))
        alone = generator.make(inputs, DAYS[0], Part(0, 300, 340))
        # The other side of a call, and calls back, are made with who began them.
        same = whole.filter(pl.col("event_id").is_in(alone["event_id"].implode()))
        assert content_hash(alone) == content_hash(same), name
        ids = inputs.frames["subscribers"]["subscriber_id"][300:340]
        theirs = whole.filter(pl.col("subscriber_id").is_in(ids.implode()))
        assert theirs.height >= alone.filter(pl.col("subscriber_id").is_in(ids.implode())).height
        assert alone.height > 0


def test_another_seed_makes_other_rows() -> None:
    first = inputs_of(_world(200))
    second = inputs_of(_world(200, seed=43))
    for name in GENERATORS:
        one, other = make_day(first, name, DAYS[0]), make_day(second, name, DAYS[0])
        if one.height and other.height:
            assert content_hash(one) != content_hash(other), name
        else:
            few = ("customer_service", "identity_changes", "truth_incidents", "truth_entities")
            assert name in few, name


_SCRIPT = """
import datetime as dt, json
from telco_pipeline.generators import GENERATORS
from telco_pipeline.lake import content_hash
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world
day = dt.date(2026, 3, 29)
epoch = day - dt.timedelta(days=2)
inputs = inputs_of(small_world(subscribers=500, part_size=1024, epoch=epoch))
print(json.dumps({name: content_hash(make_day(inputs, name, day)) for name in GENERATORS}))
"""


def test_the_process_does_not_show() -> None:
    """Neither the hash seed of Python nor the threads of Polars decide on anything."""
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _SCRIPT],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "POLARS_MAX_THREADS": threads},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for hash_seed, threads in (("0", "1"), ("random", "2"))
    ]
    made = []
    for process in started:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        made.append(json.loads(output))
    assert made[0] == made[1]
    assert len(set(made[0].values())) == len(GENERATORS)
