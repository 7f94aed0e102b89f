"""`telco export`: files for other people's tools, or one clear line."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from telco_pipeline_tests.cli.conftest import LakeOnDisk, Telco, assert_refused
from telco_pipeline_tests.exports import bandicoot_reader
from telco_pipeline_tests.exports.kit import busy_people, make_lake


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return make_lake(tmp_path / "lake", *busy_people()).root


def test_bandicoot_is_content_with_a_real_lake(
    telco: Telco, small_lake: LakeOnDisk, tmp_path: Path
) -> None:
    """The proof on records of the generators: every user loads, and nothing is said of them."""
    out = tmp_path / "out"
    result = telco("export", "bandicoot", "--lake", small_lake.path, "--out", out)
    assert result.exit_code == 0, result.output

    done = subprocess.run(
        [sys.executable, "-W", "ignore::SyntaxWarning", bandicoot_reader.__file__, out],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told, _, found = done.stdout.strip().rpartition("\n")
    assert "arning" not in told
    users = json.loads(found)
    assert len(users) >= 20
    assert {path.stem for path in (out / "records").iterdir()} == set(users)


def test_what_was_exported_is_told(telco: Telco, lake: Path, tmp_path: Path) -> None:
    result = telco("export", "bandicoot", "--lake", lake, "--out", "out", "--sample", 5)

    assert result.exit_code == 0, result.output
    assert "Times are local" in result.stdout
    assert str(tmp_path / "out") in result.stdout
    assert len(list((tmp_path / "out" / "records").iterdir())) == 5
    assert "steps" in result.stderr


def test_it_is_replaced_only_when_asked(telco: Telco, lake: Path, tmp_path: Path) -> None:
    wish = ("export", "bandicoot", "--lake", lake, "--out", "out")
    assert telco(*wish, "--subscribers", "1,2").exit_code == 0
    assert_refused(telco(*wish), "--replace")
    assert telco(*wish, "--subscribers", "3", "--replace", "--days", 2).exit_code == 0
    assert [path.name for path in (tmp_path / "out" / "records").iterdir()] == ["3.csv"]


def test_a_file_in_the_way_is_named(telco: Telco, lake: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in ("file/sub", "file/sub/deeper"):
        result = telco("export", "bandicoot", "--lake", lake, "--out", out)
        assert_refused(result, "file is a file", "--out")


def test_help_says_which_python_bandicoot_takes(telco: Telco) -> None:
    told = " ".join(telco("export", "bandicoot", "--help").stdout.split())
    assert "Python up to 3.10" in told
    assert "docs/operations.md" in told


def test_the_lines_of_the_docs_make_bandicoot_import() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    (lines,) = [
        textwrap.dedent(block.partition("\n")[2])
        for block in page.split("```")[1::2]
        if "inspect.getargspec" in block
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore::SyntaxWarning", "-c", lines + "\nbandicoot.User()"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subscribers", "1,x"], ["'x'", "subscriber_id"]),
        (["--subscribers", ","], ["--subscribers"]),
        (["--subscribers", "77"], ["no subscriber 77"]),
        (["--subscribers", "1", "--sample", "2"], ["not both"]),
        (["--sample", "0"], ["--sample"]),
        (["--days", "0"], ["--days"]),
        (["--days", "9"], ["2026-03-31", "telco generate"]),
        (["--start", "2026-01-01"], ["no day from 2026-01-01"]),
        (["--start", "2027-01-01"], ["no day from 2027-01-01"]),
        (["--world", "other"], ["other"]),
        (["--out", ""], ["--out"]),
    ],
)
def test_wrong_options_are_refused(
    telco: Telco, lake: Path, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    given = ["--out", "out", *arguments]
    assert_refused(telco("export", "bandicoot", "--lake", lake, *given), *words)
    assert {path.name for path in tmp_path.iterdir()} == {"lake"}


def test_a_missing_target_or_lake_is_refused(telco: Telco, tmp_path: Path) -> None:
    assert_refused(telco("export", "bandicoot", "--lake", tmp_path), "--out")
    assert_refused(telco("export", "bandicoot", "--out", "o", "--lake", "none"), "no lake")
    assert_refused(telco("export", "bandicoot", "--out", "o", "--lake", tmp_path), "cdrs_voice")
