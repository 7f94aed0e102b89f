"""The same seed gives the same rows in the same order, however they are made."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline.contracts import DAILY_DATASETS, STATIC_DATASETS
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators import GENERATORS, Inputs
from telco_pipeline.lake import Lake, column_hashes, content_hash
from telco_pipeline.production import produce
from telco_pipeline.workers import shared_crews
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world

DAYS = [dt.date(2026, 3, 28) + dt.timedelta(days=offset) for offset in range(3)]
SUBSCRIBERS = 2600
PART = 1024  # three parts of subscribers
SOME = ("cdrs_voice", "cdrs_sms", "cdrs_data", "network_logs")


def _hashes(lake: Lake, names: tuple[str, ...] = tuple(DAILY_DATASETS)) -> dict[str, str]:
    return {
        f"{name} {day}": content_hash(lake.read(name, day, day).drop("day"))
        for name in names
        for day in lake.days(name)
    }


def _make(
    root: Path,
    days: list[dt.date],
    names: tuple[str, ...] = tuple(DAILY_DATASETS),
    static_of: Lake | None = None,
    **options: int,
) -> Lake:
    lake = Lake(root)
    config = small_world(subscribers=SUBSCRIBERS, part_size=PART)
    if static_of is not None:
        leave_out = shutil.ignore_patterns(*DAILY_DATASETS)
        shutil.copytree(static_of.root, root, ignore=leave_out, dirs_exist_ok=True)
    for name in STATIC_DATASETS if static_of is None else ("subscribers",):
        produce(config, lake, name, **options)
    for name in names:
        produce(config, lake, name, days, **options)
    return lake


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Return three days of everything, made in one process in one shard."""
    return _make(tmp_path_factory.mktemp("reference"), DAYS, shards=1)


def test_a_partition_has_its_parts(reference: Lake) -> None:
    assert len(reference.files("cdrs_voice", DAYS[0])) == 3
    assert len(reference.files("subscribers")) == 3


@pytest.mark.parametrize("shards", [2, 7])
def test_shards_do_not_show(reference: Lake, tmp_path: Path, shards: int) -> None:
    made = _make(tmp_path, DAYS[:1], static_of=reference, shards=shards)
    expected = {k: v for k, v in _hashes(reference).items() if k.endswith(str(DAYS[0]))}
    assert _hashes(made) == expected
    assert content_hash(made.read("subscribers")) == content_hash(reference.read("subscribers"))


def test_processes_do_not_show(reference: Lake, tmp_path: Path) -> None:
    with shared_crews():
        made = _make(tmp_path, DAYS[:2], SOME, static_of=reference, workers=2)
    expected = _hashes(reference, SOME)
    found = _hashes(made, SOME)
    assert found == {key: expected[key] for key in found}
    assert len(found) == 2 * len(SOME)
    # The files, too, are the same to the byte.
    first = made.provenance("cdrs_data", DAYS[0])
    same = reference.provenance("cdrs_data", DAYS[0])
    assert first is not None
    assert same is not None
    assert first.files == same.files


def test_the_order_of_days_does_not_show(reference: Lake) -> None:
    """Each day alone in a new process' memory, the last day first."""
    config = small_world(subscribers=SUBSCRIBERS, part_size=PART)
    inputs = Inputs.load(config, reference)
    expected = _hashes(reference)
    for day in reversed(DAYS):
        for name in DAILY_DATASETS:
            assert content_hash(make_day(inputs, name, day)) == expected[f"{name} {day}"], name


def test_a_day_alone_is_the_day_of_a_range(reference: Lake) -> None:
    config = small_world(subscribers=SUBSCRIBERS, part_size=PART)
    expected = _hashes(reference)
    for name in DAILY_DATASETS:
        alone = Inputs.load(config, reference)
        assert content_hash(make_day(alone, name, DAYS[1])) == expected[f"{name} {DAYS[1]}"], name


def test_part_size_changes_the_order_only() -> None:
    """Each subscriber's rows are its own: the cut into parts decides on the order alone."""
    small = inputs_of(small_world(subscribers=1500, part_size=1024))
    large = inputs_of(small_world(subscribers=1500, part_size=4096))
    for name in DAILY_DATASETS:
        cut, whole = make_day(small, name, DAYS[0]), make_day(large, name, DAYS[0])
        assert column_hashes(cut.sort("event_id")) == column_hashes(whole.sort("event_id")), name


def test_a_subscriber_s_rows_do_not_depend_on_who_is_made_beside() -> None:
    inputs = inputs_of(small_world(subscribers=1500, part_size=1024))
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
    day = DAYS[0]
    first = inputs_of(small_world(subscribers=200, part_size=1024))
    second = inputs_of(small_world(subscribers=200, part_size=1024, seed=43))
    for name in DAILY_DATASETS:
        one, other = make_day(first, name, day), make_day(second, name, day)
        if one.height and other.height:
            assert content_hash(one) != content_hash(other), name


_SCRIPT = """
import datetime as dt, json
from telco_pipeline.contracts import DAILY_DATASETS
from telco_pipeline.lake import content_hash
from telco_pipeline_tests.generators.kit import inputs_of, make_day, small_world
inputs = inputs_of(small_world(subscribers=700, part_size=1024))
day = dt.date(2026, 3, 29)
print(json.dumps({name: content_hash(make_day(inputs, name, day)) for name in DAILY_DATASETS}))
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
        for hash_seed, threads in (("0", "1"), ("1", "2"), ("random", "2"))
    ]
    made = []
    for process in started:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        made.append(json.loads(output))
    assert made[0] == made[1] == made[2]
    assert len(set(made[0].values())) == len(DAILY_DATASETS)
