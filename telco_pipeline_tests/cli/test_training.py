"""`telco export training`: a table for learning, or one clear line; and it sees no future."""

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline.contracts import DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline.settings import WorldConfig
from telco_pipeline.signatures import observable
from telco_pipeline.training import reference
from telco_pipeline.training.table import Training, Wanted
from telco_pipeline_tests.cli.conftest import LakeOnDisk, Telco, assert_refused
from telco_pipeline_tests.training.kit import LAYER, at, call, make_lake, touch

LATER = dt.timedelta(hours=3)
ENDS = {"cdrs_voice": "release_time", "cdrs_data": "duration", "customer_service": "handling"}
"""Datasets whose records take time, and what tells when they end."""


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    records = {
        "cdrs_voice": [call(at(day, 9 + user), subscriber_id=user)
                       for day in range(6) for user in range(1, 9)],
        "truth_incidents": [{"event_time": at(1), "incident_id": 1, "layer": LAYER}],
        "truth_entities": [touch(at(1), at(5), user) for user in range(1, 6)],
    }  # fmt: skip
    _, made = make_lake(tmp_path / "lake", records)
    return made.root


WISH = ("export", "training", "--layer", LAYER, "--window", "2d", "--ahead", "1d")


def test_the_table_is_written_and_told(telco: Telco, lake: Path, tmp_path: Path) -> None:
    result = telco(*WISH, "--lake", lake, "--out", "new/table.parquet")

    assert result.exit_code == 0, result.output
    assert str(tmp_path / "new" / "table.parquet") in result.stdout
    assert "5 from 2026-01-12 to 2026-01-16" in result.stdout
    rows = pl.read_parquet(tmp_path / "new" / "table.parquet")
    assert rows.height == 5 * 30
    assert rows.filter("active")["subscriber_id"].unique().sort().to_list() == [1, 2, 3, 4, 5]
    assert rows["split"].value_counts().height == 4
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.parquet"]


def test_the_same_wish_gives_the_same_bytes(telco: Telco, lake: Path, tmp_path: Path) -> None:
    for name in ("a.parquet", "b.parquet"):
        assert telco(*WISH, "--lake", lake, "--out", name).exit_code == 0
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_only_a_table_is_replaced_and_only_when_asked(
    telco: Telco, lake: Path, tmp_path: Path
) -> None:
    wish = (*WISH, "--lake", lake, "--out", "table.parquet")
    assert telco(*wish).exit_code == 0
    assert_refused(telco(*wish), "--replace")
    assert telco(*wish, "--every", "2d", "--replace").exit_code == 0
    assert pl.read_parquet(tmp_path / "table.parquet")["cut_off"].n_unique() == 3
    for name, content in (("mine.parquet", b"mine"), ("other.parquet", None)):
        if content is None:
            pl.DataFrame({"a": [1]}).write_parquet(tmp_path / name)
        else:
            (tmp_path / name).write_bytes(content)
        told = telco(*WISH, "--lake", lake, "--out", name, "--replace")
        assert_refused(told, f"{name} is there and is no training table")


def test_nothing_half_written_stays(telco: Telco, lake: Path, tmp_path: Path) -> None:
    (file,) = Lake(lake).files("cdrs_sms", dt.date(2026, 1, 13))
    file.write_bytes(b"no parquet")

    result = telco(*WISH, "--lake", lake, "--out", "table.parquet")

    assert_refused(result, "cdrs_sms of 2026-01-13", "cannot be read", "telco generate")
    assert {path.name for path in tmp_path.iterdir()} == {"lake"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--layer", "other"], ["'other' is not on", LAYER]),
        (["--window", "36h"], ["--window '36h'", "7d"]),
        (["--window", "0d"], ["--window '0d'"]),
        (["--window", "90d"], ["no window of 90 days", "2026-01-10 to 2026-01-15"]),
        (["--every", "x"], ["--every 'x'"]),
        (["--every", "5d"], ["too few", "--every"]),
        (["--ahead", "-1d"], ["--ahead '-1d'"]),
        (["--stages", "less"], ["no stage 'less'", "it, more"]),
        (["--stages", ","], ["--stages is empty"]),
        (["--entity", "cells"], ["--entity 'cells'", "cell"]),
        (["--entity", "cell"], ["touches no cell"]),
        (["--start", "yesterday"], ["--start"]),
        (["--start", "2027-01-01"], ["2027-01-01"]),
        (["--days", "3"], ["--days needs --start"]),
        (["--start", "2026-01-13", "--days", "0"], ["--days"]),
        (["--world", "other"], ["no world"]),
        (["--out", ""], ["--out"]),
        (["--out", "lake"], ["--out", "directory"]),
        (["--out", "table.csv"], ["--out", ".parquet"]),
        (["--out", "lake/_world.json"], ["--out", ".parquet"]),
    ],
)
def test_wrong_options_are_refused(
    telco: Telco, lake: Path, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    given = ["--lake", lake, "--out", "table.parquet", *arguments]
    assert_refused(telco(*WISH, *given), *words)
    assert {path.name for path in tmp_path.iterdir()} == {"lake"}


def test_a_missing_lake_or_dataset_is_refused(telco: Telco, lake: Path) -> None:
    wish = (*WISH, "--out", "t.parquet", "--lake")
    assert_refused(telco(*wish, "none"), "no world", "telco generate")
    shutil.rmtree(lake / "cdrs_sms")
    assert_refused(telco(*wish, lake), "no cdrs_sms", "telco generate")


@pytest.mark.parametrize("layer", ["mass_event", "sleeping_cell", "failing_radio_hardware"])
def test_records_from_the_cut_off_on_change_nothing(
    small_lake: LakeOnDisk, tmp_path: Path, layer: str
) -> None:
    """Records of the generators: what is absent or altered from then on is not missed."""
    whole, cut = Lake(small_lake.path), tmp_path / "cut"
    config = _config(whole)
    cut_off = config.epoch + dt.timedelta(days=2)
    # Records of the network are of a moment: none of them goes on past the cut-off.
    of_people, altered = layer == "mass_event", 0
    shutil.copytree(whole.root, cut)
    for name in observable():
        for day in whole.days(name) if DATASETS[name].daily else ():
            if day >= cut_off:
                shutil.rmtree(cut / name / f"day={day}")
            elif of_people and name in ENDS:
                altered += sum(_alter(file, name, cut_off) for file in Lake(cut).files(name, day))
    assert altered > 0 or not of_people
    wanted = Wanted(layer, window=1, ahead=1, last=cut_off)
    frames = []
    for lake in (whole, Lake(cut)):
        training = Training(config, lake, wanted)
        assert training.cut_offs[-1] == cut_off
        directory = tmp_path / lake.root.name / "_sketches"
        directory.mkdir(parents=True)
        frames.append(pl.concat(training.frames(directory)))
    assert frames[0].equals(frames[1])
    known = "calls_out" if of_people else "attempts"
    assert frames[0][known].sum() > 0


def _config(lake: Lake) -> WorldConfig:
    held = lake.held_world()
    assert held is not None
    return WorldConfig.model_validate(held.config)


def _alter(file: Path, name: str, cut_off: dt.date) -> int:
    """Change what a record tells that was not complete by the cut-off: it goes on for longer.

    Returns:
        How many records are changed.
    """
    rows = pl.read_parquet(file)
    limit = dt.datetime.combine(cut_off, dt.time(), dt.UTC)
    if name == "cdrs_voice":
        open_ = pl.col("release_time") > limit
        values = {"release_time": pl.col("release_time") + LATER, "called_number": pl.lit("+999"),
                  "call_duration": pl.col("call_duration") + 9}  # fmt: skip
    elif name == "cdrs_data":
        open_ = pl.col("event_time") + pl.duration(seconds="duration") > limit
        values = {"duration": pl.col("duration") + 9_000, "data_volume_uplink": pl.lit(10**12)}
    else:
        both = pl.col("queue_seconds") + pl.col("handling_seconds")
        open_ = pl.col("event_time") + pl.duration(seconds=both) > limit
        values = {"handling_seconds": pl.col("handling_seconds") + 999, "sentiment": pl.lit(-1.0)}
    schema = rows.schema
    changed = rows.with_columns(
        pl.when(open_).then(value).otherwise(pl.col(column)).cast(schema[column]).alias(column)
        for column, value in values.items()
    )
    changed.write_parquet(file)
    return rows.filter(open_).height


def test_the_page_tells_the_columns_as_they_are() -> None:
    page = reference.PAGE.read_text(encoding="utf-8")
    assert reference.with_columns(page) == page


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    """As it stands there, from a directory with the operator's description."""
    page = reference.PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```(sh|python)\n(.*?)```", page, re.DOTALL)
    assert [kind for kind, _ in blocks] == ["sh", "python"]
    (tmp_path / "scenarios").symlink_to(reference.PAGE.parents[1] / "scenarios")
    bin_directory = Path(sys.executable).parent
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TELCO_")
    }
    environment["PATH"] = f"{bin_directory}:{environment['PATH']}"
    for command in (["sh", "-e", "-c", blocks[0][1]], [sys.executable, "-c", blocks[1][1]]):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert "active" in done.stdout
    assert re.search(r"│ true +┆ [1-9]", done.stdout), done.stdout
