"""`telco realism`: 0 when the report could be made, 1 for a poor one if asked, 2 on an error."""

import datetime as dt
import errno
import io
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from telco_pipeline import reporting
from telco_pipeline.analytics.realism import ROWS, Report, Row
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline_tests.cli.conftest import LakeOnDisk, Telco, assert_refused

DAYS = [dt.date(2026, 1, 1) + dt.timedelta(days=offset) for offset in range(28)]
PNG = b"\x89PNG not really"


def good(row: Row) -> float:
    low, high = row.band
    return low if low is not None else high if high is not None else 0.0


def report_of(*bad: str) -> Report:
    """Return a report in which every row is in band but the bad ones."""
    rows = [row.measured(good(row), "on 7 users") for row in ROWS]
    spoilt = [
        replace(row, value=-1e9) if row.key in bad and row.band[0] is not None else row
        for row in rows
    ]
    return Report("ab" * 8, 42, 2000, tuple(DAYS), 1.5, 12345, tuple(spoilt), ())


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> dict:
    """Let a test say how the report comes out; keeps what was to be measured."""
    box: dict = {"report": report_of(), "there": DAYS}

    def make(lake: Lake, days: list[dt.date], progress: object) -> Report:
        box.update(lake=lake, days=days)
        return box["report"]

    monkeypatch.setattr(reporting, "_days_there", lambda lake: box["there"])
    monkeypatch.setattr(reporting, "check_size", lambda lake: None)
    monkeypatch.setattr(reporting, "make", make)
    monkeypatch.setattr(reporting, "pictures_of", lambda report: {"voice and social": PNG})
    return box


def test_the_tables_and_the_files(telco: Telco, tmp_path: Path, outcome: dict) -> None:
    result = telco("realism", "--lake", "lake")

    assert result.exit_code == 0, result.output
    assert outcome["days"] == DAYS
    for words in ("Voice and social", "Mobility", "in band", "not counted", "Onnela 2007"):
        assert words in result.stdout
    counted = sum(row.counted for row in ROWS)
    assert f"{counted} of {counted} counted rows in band (100 %)" in result.stdout
    place = tmp_path / "lake" / "_reports" / "realism"
    assert {path.name for path in place.iterdir()} == {"realism.md", "realism.json", "img"}
    assert (place / "img" / "voice-and-social.png").read_bytes() == PNG
    assert "![voice and social](img/voice-and-social.png)" in (place / "realism.md").read_text()


def test_a_poor_report_is_a_warning_unless_strict(telco: Telco, outcome: dict) -> None:
    outcome["report"] = report_of(*[row.key for row in ROWS])

    assert telco("realism", "--lake", "lake").exit_code == 0
    result = telco("realism", "--lake", "lake", "--strict")
    assert result.exit_code == 1
    assert "out of band" in result.stdout
    outcome["report"] = report_of("calls.answered")
    assert telco("realism", "--lake", "lake", "--strict").exit_code == 0


def test_json(telco: Telco, outcome: dict) -> None:
    outcome["report"] = report_of("calls.answered")

    told = json.loads(telco("realism", "--lake", "lake", "--json").stdout)

    verdicts = {row["key"]: row["verdict"] for row in told["rows"]}
    assert verdicts["calls.answered"] == "out of band"
    assert list(verdicts) == [row.key for row in ROWS]


def test_out_docs_and_reasons(telco: Telco, tmp_path: Path, outcome: dict) -> None:
    outcome["report"] = report_of("calls.answered")
    (tmp_path / "why.yaml").write_text("calls.answered: The line was engaged.\n")

    result = telco(
        *("realism", "--lake", "lake", "--out", "here", "--docs", "docs/realism.md"),
        *("--reasons", "why.yaml", "--start", "2026-01-05", "--days", 14),
    )

    assert result.exit_code == 0, result.output
    assert outcome["days"] == DAYS[4:18]
    assert not (tmp_path / "lake").exists()
    assert (tmp_path / "here" / "realism.json").is_file()
    page = (tmp_path / "docs" / "realism.md").read_text()
    assert "The line was engaged." in page
    assert "(img/realism/voice-and-social.png)" in page
    assert (tmp_path / "docs" / "img" / "realism" / "voice-and-social.png").read_bytes() == PNG


def test_the_newest_days_are_measured(telco: Telco, outcome: dict) -> None:
    outcome["there"] = [dt.date(2026, 1, 1) + dt.timedelta(days=offset) for offset in range(40)]
    telco("realism", "--lake", "lake")
    assert outcome["days"] == outcome["there"][-28:]
    telco("realism", "--lake", "lake", "--days", 35)
    assert len(outcome["days"]) == 35


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--days", "0"], ["--days"]),
        (["--days", "3"], ["3 days are too few"]),
        (["--days", "29"], ["28 of these 29 days"]),
        (["--start", "2027-01-01"], ["no day from 2027-01-01"]),
        (["--start", "2026-01-25"], ["4 days are too few"]),
        (["--start", "soon"], ["--start"]),
        (["--out", ""], ["--out"]),
        (["--reasons", "none.yaml"], ["none.yaml"]),
        (["--strickt"], ["--strict"]),
    ],
)
def test_wrong_options_are_refused(
    telco: Telco, outcome: dict, arguments: list[str], words: list[str]
) -> None:
    assert_refused(telco("realism", "--lake", "lake", *arguments), *words)
    assert "lake" not in outcome, "nothing was measured"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "file"], ["--out", "file", "not a directory"]),
        (["--out", "file/sub"], ["--out", "file", "not a directory"]),
        (["--out", "taken"], ["--out", "realism.md", "is a directory"]),
        (["--docs", "."], ["--docs", "is a directory"]),
        (["--docs", "file/page.md"], ["--docs", "file", "not a directory"]),
        (["--reasons", "file/x"], ["file/x", "Not a directory"]),
        (["--reasons", "."], ["Is a directory"]),
    ],
)
def test_targets_are_looked_at_before_measuring(
    telco: Telco, tmp_path: Path, outcome: dict, arguments: list[str], words: list[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "realism.md").mkdir(parents=True)
    result = telco("realism", "--lake", "lake", *arguments)
    assert_refused(result, *words)
    assert "YAML" not in result.stderr
    assert "lake" not in outcome, "nothing was measured"


@pytest.mark.parametrize("count", [-28, 0, 6])
def test_too_few_days_are_refused_before_anything_is_read(tmp_path: Path, count: int) -> None:
    with pytest.raises(TelcoError, match=f"^{count} days are too few.*7 or more"):
        reporting.days_to_measure(Lake(tmp_path / "none"), None, count)


def test_a_report_that_cannot_be_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporting.write(report_of(), {"voice": PNG}, tmp_path)
    before = contents(tmp_path)
    whole = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if "realism.json" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TelcoError, match=r"realism\.json"):
        reporting.write(report_of("calls.answered"), {"voice": b"other"}, tmp_path)
    assert contents(tmp_path) == before


def test_the_json_is_put_in_its_place_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[Path] = []
    replace_file = Path.replace

    def note(path: Path, target: Path) -> Path:
        moved.append(target)
        return replace_file(path, target)

    monkeypatch.setattr(Path, "replace", note)
    files = reporting.write(report_of(), {"voice": PNG}, tmp_path)
    assert [path.name for path in moved] == ["voice.png", "realism.md", "realism.json"]
    assert files[0].name == "realism.md"
    assert set(files) == set(moved) == set(contents(tmp_path))


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_reasons_name_rows_that_exist(telco: Telco, tmp_path: Path, outcome: dict) -> None:
    (tmp_path / "why.yaml").write_text("calls.answred: a slip\n")
    assert_refused(telco("realism", "--lake", "lake", "--reasons", "why.yaml"), "calls.answred")
    (tmp_path / "why.yaml").write_text("- a list\n")
    assert_refused(telco("realism", "--lake", "lake", "--reasons", "why.yaml"), "one line")


def test_no_lake_is_refused(telco: Telco, tmp_path: Path) -> None:
    assert_refused(telco("realism", "--lake", tmp_path / "none"), "no lake", "telco generate")
    assert_refused(telco("realism", "--lake", tmp_path), "no subscribers")


def test_too_small_a_lake_is_refused(telco: Telco, small_lake: LakeOnDisk) -> None:
    assert_refused(telco("realism", "--lake", small_lake.path), "3 days are too few")


def test_a_report_is_no_stray(tmp_path: Path) -> None:
    (tmp_path / "_reports" / "realism").mkdir(parents=True)
    (tmp_path / "_mine").mkdir()
    assert Lake(tmp_path).strays() == [tmp_path / "_mine"]


def test_large_pictures_get_fewer_colours() -> None:
    noise = Image.frombytes("RGB", (300, 200), random.Random(1).randbytes(300 * 200 * 3))
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    png = buffer.getvalue()
    assert len(png) > reporting.LARGEST_PICTURE
    assert len(reporting.small(png)) < len(png) / 2
    assert reporting.small(PNG) == PNG
