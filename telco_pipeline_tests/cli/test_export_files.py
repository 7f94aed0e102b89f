"""`telco export csv` and its like: files, one line of summary, or one clear line."""

from pathlib import Path

import polars as pl
import pytest

from telco_pipeline.exports.kinds import KINDS
from telco_pipeline.lake import Lake
from telco_pipeline_tests.cli.conftest import Telco, assert_refused
from telco_pipeline_tests.lake.small_lake import DAYS, small_lake

NAMES = "cdrs_sms,cells"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    root = tmp_path_factory.mktemp("files") / "lake"
    return small_lake(root, ["cells", "network_elements", "cdrs_sms"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_told_in_one_line(
    kind: str, telco: Telco, lake: Lake, tmp_path: Path
) -> None:
    wish = ("export", kind, "--lake", lake.root, "--datasets", NAMES, "--out", "out")
    result = telco(*wish)

    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    rows = lake.rows("cdrs_sms") + lake.rows("cells")
    assert line.startswith(f"{KINDS[kind].title}: 2 datasets, {rows} rows, ")
    assert line.endswith(str(tmp_path / "out"))
    assert "Exporting to out" in result.stderr
    assert_refused(telco(*wish), "--replace")
    assert telco(*wish, "--replace").exit_code == 0


def test_days_are_chosen(telco: Telco, lake: Lake, tmp_path: Path) -> None:
    wish = ("export", "csv", "--lake", lake.root, "--datasets", "cdrs_sms")
    assert telco(*wish, "--out", "one", "--start", DAYS[1]).exit_code == 0
    assert telco(*wish, "--out", "two", "--days", 1).exit_code == 0
    places = {str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("*.csv")}
    assert places == {f"one/cdrs_sms/day={DAYS[1]}", f"two/cdrs_sms/day={DAYS[0]}"}


def test_a_compression_is_chosen(telco: Telco, lake: Lake, tmp_path: Path) -> None:
    wish = ("export", "csv", "--lake", lake.root, "--datasets", "cells", "--out", "out")
    assert telco(*wish, "--compression", "zstd").exit_code == 0
    found = pl.read_csv(tmp_path / "out" / "cells" / "part-00000.csv.zst", infer_schema=False)
    assert found["cell_id"].to_list() == lake.read("cells")["cell_id"].to_list()
    assert_refused(telco(*wish, "--compression", "lz4", "--replace"), "none, gzip, zstd")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--out", " "), ["--out is empty"]),
        (("--out", "out", "--datasets", "cels"), ["did you mean cells"]),
        (("--out", "out", "--datasets", "cdrs_voice"), ["has no cdrs_voice", "telco generate"]),
        (("--out", "out", "--days", "0"), ["--days must be 1 or more"]),
        (("--out", "out", "--datasets", "cdrs_sms", "--days", "9"), ["cdrs_sms of", "generate"]),
        (("--out", "out", "--start", "soon"), ["--start"]),
        (("--out", "out", "--world", "other"), ["other", "has no"]),
        (("--out", "file/sub"), ["file is a file"]),
        (("--out", "file"), ["file is a file"]),
        (("--out", "full"), ["full is not empty"]),
        (("--out", "out", "--lake", "nowhere"), ["no lake at nowhere", "telco generate"]),
    ],
)
def test_what_cannot_be_is_one_clear_line(
    options: tuple[str, ...], words: list[str], telco: Telco, lake: Lake, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    result = telco("export", "csv", "--lake", lake.root, *options)
    assert_refused(result, *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
