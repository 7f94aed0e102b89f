"""A loader that is killed, at whatever moment, leaves the old day or the new one, whole."""

import random
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import ledger, loading
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.lake.kit import DAY
from telco_pipeline_tests.warehouse.conftest import KINDS, url_of
from telco_pipeline_tests.warehouse.kit import expected, held, lake_of
from telco_pipeline_tests.warehouse.victim import DATASET

ROWS = (9_000, 8_000)


def start_victim(database: Database, lake: Lake) -> subprocess.Popen[str]:
    url = database.url.render_as_string(hide_password=False)
    victim = subprocess.Popen(
        [sys.executable, "-m", "telco_pipeline_tests.warehouse.victim", url, str(lake.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == "ready\n"
    return victim


def go(victim: subprocess.Popen[str]) -> None:
    assert victim.stdin is not None
    victim.stdin.write("\n")
    victim.stdin.flush()


def kill_loaders(database: Database, lakes: list[Lake], kills: int, seed: int) -> tuple[int, int]:
    """Kill loaders of one lake after the other; return how many left the old day, and the new."""
    moments = random.Random(seed)
    rows = [expected(lake, DATASET) for lake in lakes]
    hashes = [made.content_hash for lake in lakes if (made := lake.provenance(DATASET, DAY))]
    loading.load(database, lakes[0], DATASET, DAY)
    victim = start_victim(database, lakes[0])
    begun = time.monotonic()
    go(victim)
    assert victim.communicate()[0] == f"{sum(ROWS)}\n"
    duration = time.monotonic() - begun
    now, old, new = 0, 0, 0
    for _ in range(kills):
        victim = start_victim(database, lakes[1 - now])
        go(victim)
        time.sleep(moments.uniform(0, 1.1) * duration)
        victim.kill()
        victim.communicate()
        (line,) = ledger.loaded(database, DATASET)
        after = hashes.index(line.content_hash)
        assert held(database, DATASET).equals(rows[after]), "rows are not those of the ledger"
        assert line.rows == rows[after].height
        old, new = old + (after == now), new + (after != now)
        now = after
    # What the dead left behind does not stand in the way.
    loading.load(database, lakes[1 - now], DATASET, DAY)
    assert held(database, DATASET).equals(rows[1 - now])
    return old, new


def two_lakes(folder: Path) -> list[Lake]:
    """Return two lakes of one world whose day differs, as one that was made again does."""
    return [lake_of(folder / f"lake-{seed}", [DATASET], [DAY], ROWS, seed) for seed in (1, 2)]


@pytest.mark.parametrize(("kind", "kills"), list(zip(KINDS, (4, 3, 3), strict=True)))
def test_kills_leave_the_old_day_or_the_new(
    kind: str, kills: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database = Database.from_environment(url_of(kind, request, tmp_path), environ={})
    old, new = kill_loaders(database, two_lakes(tmp_path), kills, seed=3)
    assert old > 0, "no kill met a load that was under way"
    assert old + new == kills


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_kills_leave_the_old_day_or_the_new(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database = Database.from_environment(url_of(kind, request, tmp_path), environ={})
    old, new = kill_loaders(database, two_lakes(tmp_path), 50, seed=4)
    assert old > 5
    assert new > 0
    assert old + new == 50


def test_the_comparison_sees_a_row_that_is_lost_or_there_twice(tmp_path: Path) -> None:
    rows = expected(two_lakes(tmp_path)[0], DATASET)
    assert rows.equals(rows.clone())
    assert not rows[1:].equals(rows)
    assert not pl.concat([rows, rows[:1]]).equals(rows)
