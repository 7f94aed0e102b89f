"""A partition is whole or absent, whenever its writer is killed and however many write it."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from telco_pipeline import integrity
from telco_pipeline.lake import Lake
from telco_pipeline_tests.lake.kit import CARE, DAY, bound_lake, commit, frame, leftovers, origin
from telco_pipeline_tests.lake.writer import PARTS, ROWS


def start_writer(root: Path, mark: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "telco_pipeline_tests.lake.writer", str(root), str(mark)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == f"{mark}\n"
    return writer


def kill(writer: subprocess.Popen[str]) -> None:
    writer.kill()
    writer.wait()
    assert writer.stdout is not None
    writer.stdout.close()


def is_whole(lake: Lake) -> bool:
    """Return whether the partition is there, and fail if it is there in part or mixed."""
    if not lake.exists(CARE.name, DAY):
        return False
    rows = lake.read(CARE.name)
    assert rows.height == PARTS * ROWS
    assert rows["event_id"].n_unique() == 1
    finding = integrity.check_provenance(lake, CARE.name, DAY)
    assert finding.passed, finding.message
    return True


def kill_writers(root: Path, kills: int, seed: int) -> int:
    """Kill writers at random moments and return how often the partition was whole after."""
    moments = random.Random(seed)
    lake = bound_lake(root)
    whole = 0
    for number in range(kills):
        writer = start_writer(root, 1_000_000 * number)
        time.sleep(moments.uniform(0, 0.04))
        kill(writer)
        whole += is_whole(lake)
    return whole


def test_kills_leave_a_whole_partition_or_none(tmp_path: Path) -> None:
    assert kill_writers(tmp_path, 12, seed=1) > 0
    lake = Lake(tmp_path)
    commit(lake, CARE, frame(CARE), DAY)
    assert leftovers(lake) == []


@pytest.mark.long
def test_many_kills_leave_a_whole_partition_or_none(tmp_path: Path) -> None:
    assert kill_writers(tmp_path, 200, seed=2) > 100


@pytest.mark.parametrize("step", range(9))
def test_a_kill_at_each_step_of_a_commit(tmp_path: Path, step: int) -> None:
    """Kill at the n-th call that changes the directory tree, where random moments rarely fall."""
    lake = bound_lake(tmp_path)
    commit(lake, CARE, [frame(CARE, ROWS, 1)] * PARTS, DAY)
    program = f"""
import os, signal
from pathlib import Path
from telco_pipeline.lake import Lake
from telco_pipeline_tests.lake.kit import CARE, DAY, commit, frame
lake = Lake({str(tmp_path)!r})
steps = 0
def dying(act):
    def counted(*args, **kwargs):
        global steps
        if steps == {step}:
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1
        return act(*args, **kwargs)
    return counted
for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "mkdir"), (os, "close")):
    setattr(owner, name, dying(getattr(owner, name)))
commit(lake, CARE, [frame(CARE, {ROWS}, 2)] * {PARTS}, DAY)
"""
    killed = subprocess.run([sys.executable, "-c", program], check=False)
    assert killed.returncode == -9
    whole = is_whole(lake)
    commit(lake, CARE, [frame(CARE, ROWS, 3)] * PARTS, DAY)
    assert is_whole(lake)
    assert leftovers(lake) == []
    assert whole or step >= 4  # absent only between the two renames


def test_writers_of_one_partition_end_in_one(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    writers = [start_writer(tmp_path, mark) for mark in (0, 1_000_000, 2_000_000)]
    time.sleep(0.5)
    for writer in writers:
        kill(writer)
    commit(lake, CARE, [frame(CARE, ROWS, 5)] * PARTS, DAY)
    assert is_whole(lake)
    assert lake.read(CARE.name)["event_id"][0] == 5
    assert leftovers(lake) == []


def test_a_living_writer_is_not_swept_away(tmp_path: Path) -> None:
    lake = bound_lake(tmp_path)
    with lake.begin(CARE.name, DAY, origin()) as pending:
        commit(lake, CARE, frame(CARE), DAY)
        assert pending.directory.is_dir()
    assert leftovers(lake) == []
