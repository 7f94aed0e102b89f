"""Making partitions: what is refused, and what stays behind when something dies."""

import datetime as dt
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from telco_pipeline import lineage, whole_lake, workers
from telco_pipeline.contracts import STATIC_DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import FileStats, Lake
from telco_pipeline.production import PartitionReport, produce
from telco_pipeline.settings import WorldConfig
from telco_pipeline_tests.generators.kit import small_world
from telco_pipeline_tests.lake.kit import leftovers

DAY = dt.date(2026, 1, 7)
EPOCH = dt.date(2026, 1, 5)
ONE = dt.timedelta(days=1)


def _world(**overrides: object) -> WorldConfig:
    return small_world(subscribers=300, part_size=1024, epoch=EPOCH, **overrides)


@pytest.fixture(scope="module")
def world() -> WorldConfig:
    return _world()


def _lake_with_state(root: Path, config: WorldConfig, until: dt.date) -> Lake:
    """Return a lake with the static datasets and the state of the days from the epoch on."""
    made = Lake(root / "lake")
    days = [config.epoch + dt.timedelta(days=n) for n in range((until - config.epoch).days + 1)]
    for name in STATIC_DATASETS:
        produce(config, made, name)
    for name in lineage.HISTORY:
        produce(config, made, name, days)
    return made


@pytest.fixture(scope="module")
def state_lake(tmp_path_factory: pytest.TempPathFactory, world: WorldConfig) -> Lake:
    """Return a lake with the static datasets and the state until two days after DAY, to copy."""
    return _lake_with_state(tmp_path_factory.mktemp("state"), world, DAY + 2 * ONE)


@pytest.fixture
def lake(tmp_path: Path, state_lake: Lake) -> Lake:
    """Return a lake with the static datasets and the state until two days after DAY."""
    shutil.copytree(state_lake.root, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def _partitions(lake: Lake) -> dict[Path, float]:
    return {path: path.stat().st_mtime for path in lake.root.rglob("_provenance.json")}


@pytest.mark.parametrize(
    ("name", "days", "options", "words"),
    [
        ("cdrs_fax", [DAY], {}, "there is no dataset 'cdrs_fax'"),
        ("cdrs_voice", [dt.date(2026, 1, 4)], {}, "before the epoch 2026-01-05"),
        ("cdrs_voice", [dt.date(2045, 1, 1)], {}, "after 2044"),
        ("cdrs_voice", None, {}, "name at least one day"),
        ("cdrs_voice", [], {}, "name at least one day"),
        ("places", [DAY], {}, "none by day"),
        ("cdrs_voice", [DAY], {"workers": 0}, "--workers: must be 1 or more"),
        ("cdrs_voice", [DAY], {"workers": -1}, "--workers: must be 1 or more"),
        ("cdrs_voice", [DAY], {"shards": 0}, "--shards: must be 1 or more"),
    ],
)
def test_what_makes_no_sense_is_refused(
    lake: Lake,
    world: WorldConfig,
    name: str,
    days: list[dt.date] | None,
    options: dict[str, int],
    words: str,
) -> None:
    before = _partitions(lake)
    with pytest.raises(TelcoError, match=words):
        produce(world, lake, name, days, **options)
    assert _partitions(lake) == before
    assert leftovers(lake) == []


def test_one_bad_day_refuses_all(lake: Lake, world: WorldConfig) -> None:
    with pytest.raises(TelcoError, match="before the epoch"):
        produce(world, lake, "cdrs_voice", [DAY, dt.date(2025, 1, 1)])
    assert lake.days("cdrs_voice") == []


@pytest.mark.parametrize("missing", ["subscribers", "cells", "plans"])
def test_records_need_the_static_datasets(tmp_path: Path, world: WorldConfig, missing: str) -> None:
    lake = Lake(tmp_path / "lake")
    for name in STATIC_DATASETS:
        if missing not in {name, *lineage.ancestors_of(name)}:
            produce(world, lake, name)
    words = rf"has no {missing} yet: make it first, with `telco generate .* {missing}`"
    with pytest.raises(TelcoError, match=words):
        produce(world, lake, "cdrs_voice", [DAY])
    assert not lake.exists("cdrs_voice")


@pytest.mark.parametrize("day", [DAY, DAY - ONE])
@pytest.mark.parametrize("missing", ["network_state", "subscriber_state"])
def test_records_need_the_state_of_the_day_and_its_eve(
    lake: Lake, world: WorldConfig, missing: str, day: dt.date
) -> None:
    shutil.rmtree(lake.directory(missing, day))
    words = rf"has no {missing} of {day} yet: .* --datasets {missing} --start {day} --days 1`"
    with pytest.raises(TelcoError, match=words):
        produce(world, lake, "cdrs_voice", [DAY])
    assert lake.days("cdrs_voice") == []
    # The other days do not look at it.
    assert produce(world, lake, "cdrs_voice", [EPOCH])[0].rows > 0


def test_records_are_not_made_from_damaged_state(lake: Lake, world: WorldConfig) -> None:
    path = lake.files("subscriber_state", DAY)[0]
    path.write_bytes(path.read_bytes()[:-9] + b"x" + path.read_bytes()[-8:])
    with pytest.raises(TelcoError, match=r"subscriber_state.*not as it was made .* --start"):
        produce(world, lake, "cdrs_voice", [DAY])
    produce(world, lake, "subscriber_state", [DAY])
    assert produce(world, lake, "cdrs_voice", [DAY])[0].rows > 0


def test_state_follows_from_the_day_before(lake: Lake, world: WorldConfig) -> None:
    """Days are made in their order, whatever the order in which they are asked for."""
    days = [DAY + 2 * ONE, DAY, DAY + ONE]
    before = {day: lake.provenance("subscriber_state", day) for day in days}
    for day in days:
        shutil.rmtree(lake.directory("subscriber_state", day))
    with pytest.raises(TelcoError, match=rf"has no subscriber_state of {DAY} yet"):
        produce(world, lake, "subscriber_state", [DAY + ONE])
    told: list[PartitionReport] = []
    again = produce(world, lake, "subscriber_state", days, progress=told.append)
    assert [report.day for report in told] == sorted(days)
    for report in again:
        made = before[report.day] if report.day else None
        assert made is not None
        assert report.content_hash == made.content_hash


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "more"])
def test_records_are_not_made_from_a_damaged_input(
    lake: Lake, world: WorldConfig, damage: str
) -> None:
    path = lake.files("cells")[0]
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "more":
        shutil.copy(path, path.with_name("part-00001.parquet"))
    else:
        path.write_bytes(content[:3000] if damage == "cut" else content[:-9] + b"x" + content[-8:])
    with pytest.raises(TelcoError, match=r"cells.*make it anew with `telco generate .*cells`"):
        produce(world, lake, "cdrs_voice", [DAY])
    assert not lake.exists("cdrs_voice", DAY)
    produce(world, lake, "cells")
    assert produce(world, lake, "cdrs_voice", [DAY])[0].rows > 0


def test_a_static_dataset_is_not_made_from_a_damaged_one(lake: Lake, world: WorldConfig) -> None:
    lake.files("places")[0].write_bytes(b"no Parquet")
    with pytest.raises(TelcoError, match=r"places is not as it was made \(part-00000.* changed"):
        produce(world, lake, "subscribers")


def test_a_lake_that_forgot_its_world_remembers_it(lake: Lake, world: WorldConfig) -> None:
    file = lake.root / "_world.json"
    content = file.read_text()
    file.write_text(content[:30])
    options = rf"--subscribers {world.subscribers} --seed {world.seed}"
    with pytest.raises(TelcoError, match=rf"damaged.* remove this file .*{options}"):
        produce(world, lake, "cdrs_voice", [DAY])
    assert options in lake.command("cdrs_voice")
    file.unlink()
    with pytest.raises(TelcoError, match=rf"\(seed {world.seed}, {world.subscribers} subscribers"):
        produce(_world(seed=7), lake, "cdrs_voice", [DAY])
    produce(world, lake, "cdrs_voice", [DAY])
    assert file.read_text() == content


def test_a_static_dataset_needs_what_it_is_made_from(tmp_path: Path, world: WorldConfig) -> None:
    with pytest.raises(TelcoError, match="has no places yet"):
        produce(world, Lake(tmp_path / "lake"), "subscribers")


def test_another_world_is_refused_until_told(lake: Lake, world: WorldConfig) -> None:
    produce(world, lake, "cdrs_voice", [DAY])
    before = _partitions(lake)
    other = _world(seed=7)
    with pytest.raises(TelcoError, match=r"another world|holds the world"):
        produce(other, lake, "cdrs_voice", [DAY])
    with pytest.raises(TelcoError, match=r"another world|holds the world"):
        produce(other, lake, "places")
    assert _partitions(lake) == before
    produce(other, lake, "places", replace=True)
    assert not lake.exists("cdrs_voice", DAY)
    provenance = lake.provenance("places")
    assert provenance is not None
    assert provenance.world_hash == other.world_hash


def test_a_report_tells_what_lies_there(lake: Lake, world: WorldConfig) -> None:
    told: list[PartitionReport] = []
    days = [DAY, DAY + ONE, DAY]
    reports = produce(world, lake, "cdrs_data", days, progress=told.append)
    assert [report.day for report in reports] == sorted(set(days))
    assert sorted(told, key=lambda report: report.day or DAY) == reports
    for report in reports:
        assert report.rows == lake.rows("cdrs_data", report.day) > 1000
        files = lake.files("cdrs_data", report.day)
        assert report.files == len(files) == 1
        assert report.bytes == sum(file.stat().st_size for file in files)
        assert Path(report.path) == lake.directory("cdrs_data", report.day)


def test_making_a_day_again_changes_nothing(lake: Lake, world: WorldConfig) -> None:
    first = produce(world, lake, "cdrs_sms", [DAY])[0]
    again = produce(world, lake, "cdrs_sms", [DAY], shards=3)[0]
    assert (first.content_hash, first.rows) == (again.content_hash, again.rows)
    assert lake.days("cdrs_sms") == [DAY]


def test_an_error_in_the_midst_leaves_what_was_whole(
    lake: Lake, world: WorldConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = workers.write_part, []

    def fails(*arguments: Any) -> FileStats:
        calls.append(arguments)
        if len(calls) == 2:  # the second day's only part
            raise RuntimeError("broken on purpose")
        return real(*arguments)

    monkeypatch.setattr(workers, "write_part", fails)
    days = [DAY, DAY + ONE, DAY + 2 * ONE]
    with pytest.raises(RuntimeError, match="on purpose"):
        produce(world, lake, "cdrs_voice", days)
    assert lake.days("cdrs_voice") == [DAY]
    assert leftovers(lake) == []


def test_a_full_disk_is_one_clear_error(lake: Lake, world: WorldConfig) -> None:
    """A limit on the size of files stands for a disk without room."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(TelcoError, match=r"cdrs_data|File too large|space"):
            produce(world, lake, "cdrs_data", [DAY])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not lake.exists("cdrs_data", DAY)
    assert leftovers(lake) == []
    assert produce(world, lake, "cdrs_data", [DAY])[0].rows > 1000


_CHILD = """
import datetime as dt, sys
from telco_pipeline.lake import Lake
from telco_pipeline.production import produce
from telco_pipeline_tests.generators.kit import small_world

if __name__ == "__main__":
    config = small_world(subscribers=3000, part_size=1024, epoch=dt.date(2026, 1, 5))
    days = [config.epoch + dt.timedelta(days=offset) for offset in range(30)]
    def told(report):
        print(report.day, flush=True)
    produce(config, Lake(sys.argv[1]), "cdrs_data", days, workers=2, progress=told)
"""


def _large_world() -> WorldConfig:
    return small_world(subscribers=3000, part_size=1024, epoch=EPOCH)


@pytest.fixture(scope="module")
def state_of_many(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Return a lake with the world and thirty days of state of three parts, to copy from."""
    return _lake_with_state(tmp_path_factory.mktemp("many"), _large_world(), EPOCH + 29 * ONE)


@pytest.fixture
def big_lake(tmp_path: Path, state_of_many: Lake) -> Lake:
    """Return a lake with the world and thirty days of state of three parts."""
    shutil.copytree(state_of_many.root, tmp_path / "lake")
    return Lake(tmp_path / "lake")


def _start(lake: Lake, tmp_path: Path) -> subprocess.Popen[str]:
    script = tmp_path / "child.py"
    script.write_text(_CHILD)
    root = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, str(script), str(lake.root)],
        env={**os.environ, "PYTHONPATH": root},
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _workers_of(child: subprocess.Popen[str]) -> list[psutil.Process]:
    """Return the processes that make parts (not the one that counts semaphores)."""
    return [
        process
        for process in psutil.Process(child.pid).children(recursive=True)
        if "spawn_main" in " ".join(process.cmdline())
    ]


def _gone(processes: list[psutil.Process], seconds: float = 20.0) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


def test_kill_9_leaves_whole_partitions_and_no_orphans(big_lake: Lake, tmp_path: Path) -> None:
    child = _start(big_lake, tmp_path)
    try:
        assert child.stdout is not None
        made = [child.stdout.readline().strip() for _ in range(2)]
        pool = _workers_of(child)
        assert len(pool) == 2
    finally:
        child.kill()
        child.wait()
    assert _gone(pool), "workers outlived the process that started them"
    days = big_lake.days("cdrs_data")
    assert {dt.date.fromisoformat(day) for day in made} <= set(days)
    assert len(days) < 30, "it was all made before the kill"
    findings = whole_lake.check(big_lake, ["cdrs_data"], days[:3] + days[-2:])
    assert [finding for finding in findings if not finding.passed] == []
    # What was half-written goes with the next production.
    produce(_large_world(), big_lake, "cdrs_voice", [DAY])
    assert leftovers(big_lake) == []


def test_a_worker_that_dies_is_one_clear_error(big_lake: Lake, tmp_path: Path) -> None:
    child = _start(big_lake, tmp_path)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        pool = _workers_of(child)
        pool[0].kill()
        started = time.monotonic()
        _, errors = child.communicate(timeout=60)
        assert time.monotonic() - started < 60
    finally:
        child.kill()
        child.wait()
    assert child.returncode != 0
    assert "TelcoError: a worker process died" in errors
    assert _gone(pool)
    assert leftovers(big_lake) == []
    assert big_lake.days("cdrs_data")
