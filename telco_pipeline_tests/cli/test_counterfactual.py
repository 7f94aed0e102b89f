"""`telco counterfactual`: the paired world, and what is told of it."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from telco_pipeline.cli.counterfactual import figure
from telco_pipeline.lake import Lake
from telco_pipeline_tests.cli.conftest import Telco, assert_refused, run_process

WORLD = Path(__file__).parents[2] / "scenarios" / "world.yaml"
LAYER = """
version: 1
number: {number}
title: People who talk
story: Some people talk much more for a day.
kind: fraud
when: {{first: {first}, at: "09:00"}}
cast:
  them: {{of: subscribers, where: {{kind: person}}, number: 12}}
stages:
  - name: talk
    lasts: 1d
    do:
      - usage: {{who: them, calls: 8}}
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make three days of a world with two layers, of which one begins later; calls only."""
    base = tmp_path_factory.mktemp("counterfactual")
    world = base / "operator" / "world.yaml"
    (world.parent / "layers").mkdir(parents=True)
    shutil.copy(WORLD, world)
    for number, (name, first) in enumerate((("talks", "1d"), ("later", "20d")), start=1):
        file = world.parent / "layers" / f"{name}.yaml"
        file.write_text(LAYER.format(number=number, first=first))
    size = ("--subscribers", 300, "--days", 3, "--datasets", "cdrs_voice")
    asked = (*size, "--workers", 1, "--lake", "lake")
    result = run_process("generate", *asked, cwd=base, TELCO_WORLD=str(world))
    assert result.returncode == 0, result.stderr
    return base / "lake"


def test_it_makes_the_world_and_tells_what_the_layer_did(telco: Telco, lake: Path) -> None:
    result = telco("counterfactual", "--without", "talks", "--lake", lake, "--workers", 1)
    assert result.exit_code == 0, result.output
    told = result.stdout
    assert "Without talks: 2026-01-02 to 2026-01-03. By targets and state the layers reach" in told
    assert "of the records of subscribers are in reach, of at most 50% for layers" in told
    tried = next(line for line in told.splitlines() if "calls tried" in line).split()
    value, other, effect = (int(word.replace(",", "")) for word in tried[-3:])
    main, beside = Lake(lake), Lake(lake, "without-talks")
    counts = [
        one.read("cdrs_voice", main.days("cdrs_voice")[1], main.days("cdrs_voice")[-1])
        .filter(pl.col("record_type").cast(pl.String) == "moCallRecord")
        .height
        for one in (main, beside)
    ]
    assert [value, other] == counts
    assert effect == value - other > 0
    reached = next(line for line in told.splitlines() if "cdrs_voice" in line).split()
    assert 0 < float(reached[-1].rstrip("%")) < 100
    reports = lake / "_worlds" / "without-talks" / "_reports" / "effects"
    assert str(reports) in told
    figures = pl.read_parquet(reports / "figures.parquet")
    told_by_day = figures.filter(pl.col("figure") == "calls tried")
    assert told_by_day["with_layers"].sum() == value

    again = telco("counterfactual", "--without", "talks", "--lake", lake, "--report")
    assert again.exit_code == 0
    first, second = (text[text.index("Without talks") :] for text in (told, again.stdout))
    assert first == second
    checked = telco("check", "--lake", lake, "--world", "without-talks")
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("tolks", ("layer 'tolks' is not on in this world", "talks, later are")),
        (" , ", ("--without is empty",)),
        ("later", ("no incident of later begins by 2026-01-03",)),
    ],
)
def test_wrong_layers_are_refused(
    telco: Telco, lake: Path, names: str, words: tuple[str, ...]
) -> None:
    assert_refused(telco("counterfactual", "--without", names, "--lake", lake), *words)


def test_a_report_needs_its_world(telco: Telco, lake: Path) -> None:
    refused = telco("counterfactual", "--without", "all", "--lake", lake, "--report")
    assert_refused(refused, "has no world control yet", "leave out --report")


def test_a_report_takes_nothing_that_says_how_to_make(telco: Telco, lake: Path) -> None:
    asked = ("counterfactual", "--without", "talks", "--lake", lake, "--report")
    assert_refused(telco(*asked, "--datasets", "cdrs_voice"), "--report makes nothing")
    assert_refused(telco(*asked, "--workers", 2), "--report makes nothing")


def test_other_code_is_refused(telco: Telco, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference would be that of the code."""
    monkeypatch.setattr("telco_pipeline.counterfactuals.code_version", lambda daily: "0.2.0+1")
    refused = telco("counterfactual", "--without", "talks", "--lake", lake)
    assert_refused(refused, "was made by other code", "this is 0.2.0+1", "--days 3 --replace")


def test_an_empty_lake_is_refused(telco: Telco, tmp_path: Path) -> None:
    refused = telco("counterfactual", "--without", "all", "--lake", tmp_path / "none")
    assert_refused(refused, "holds no world: make one first")


@pytest.mark.parametrize(
    ("value", "sign", "told"),
    [
        (1234567.0, "", "1,234,567"),
        (-433.4, "+", "-433"),
        (0.0, "+", "+0"),
        (12.3456, "+", "+12.3"),
        (-0.000136, "+", "-0.000136"),
    ],
)
def test_figures_are_for_people(value: float, sign: str, told: str) -> None:
    assert figure(value, sign) == told
