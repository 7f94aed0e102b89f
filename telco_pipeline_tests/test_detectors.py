"""The benchmark of detectors: its figures, its cases, and in the long tier the whole."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import detectors
from benchmarks.detectors import CASES, DETECTORS, Case, Figures, Judged, judged
from telco_pipeline.errors import TelcoError
from telco_pipeline.scenarios.loading import load_layers
from telco_pipeline.settings import DEFAULT_WORLD_FILE
from telco_pipeline.training.features import features_of
from telco_pipeline.training.labels import kinds_of

WORLD = Path(__file__).parents[1] / "scenarios" / "world.yaml"


def marks_of(positives: int, others: int) -> np.ndarray:
    return np.repeat([True, False], [positives, others])


def test_scores_that_tell_all_are_perfect() -> None:
    marks = marks_of(20, 5000)
    assert judged(marks.astype(float), marks) == Figures(1.0, 1.0, 1.0)


def test_scores_that_say_the_same_of_all_tell_nothing() -> None:
    marks = marks_of(20, 4980)
    found = judged(np.zeros(5000), marks)
    assert found.precision == pytest.approx(20 / 5000)
    assert (found.at_top, found.recall) == (0.0, 0.0)


def test_false_alarms_are_one_in_a_thousand() -> None:
    """Of 10,000 others 10 may lie above: the limit is the eleventh."""
    marks = marks_of(4, 10_000)
    scores = np.concatenate([[10_000.5, 9990.5, 9989.5, 9988.5], np.arange(1, 10_001)])
    found = judged(scores, marks)
    assert found.recall == 2 / 4
    assert found.at_top == 1 / 4
    assert found.precision == pytest.approx((1 / 1 + 2 / 12 + 3 / 14 + 4 / 16) / 4)


def test_every_case_is_about_a_layer_as_it_is() -> None:
    layers = load_layers(WORLD)
    for case in CASES:
        layer = layers[case.layer]
        (kind, *_) = kinds_of(layer)
        names = {one.name for one in features_of(kind)}
        assert set(case.stages or ()) <= {stage.name for stage in layer.stages}, case.layer
        assert set(case.left_out) <= names, case.layer
        assert set(case.rule.meta.root_names()) <= names, case.layer
        assert set(case.among.meta.root_names()) <= names, case.layer


def test_layers_keep_their_amounts_at_another_difficulty() -> None:
    known = load_layers(WORLD)
    found = detectors.layers_at(0.9, CASES, WORLD)
    assert list(found) == [case.layer for case in CASES]
    for name, layer in found.items():
        assert layer.difficulty == 0.9
        assert (layer.cast, layer.stages) == (known[name].cast, known[name].stages)
        assert layer.number == known[name].number
    unknown = Case("nobodys_story", CASES[0].among, "", CASES[0].rule, "")
    with pytest.raises(TelcoError, match="no scenario layer 'nobodys_story'"):
        detectors.layers_at(0.5, [unknown], WORLD)


def test_the_page_tells_what_falls_and_what_does_not() -> None:
    def one(difficulty: float, precision: float | None) -> Judged:
        figures = None if precision is None else Figures(precision, 0.5, 0.25)
        return Judged(CASES[0].layer, difficulty, 1000, 10, 5, dict.fromkeys(DETECTORS, figures))

    layers = load_layers(WORLD)
    for values, word in (
        ((0.9, 0.8, 0.3), "yes"),
        ((0.9, 0.905, 0.3), "yes"),
        ((0.8, 0.9, 0.3), "no"),
        ((0.3, 0.2, 0.4), "no"),
        ((0.999, 0.998, 0.995), "hardly"),
        ((0.3, None, None), "-"),
    ):
        told = [one(at, value) for at, value in zip((0.1, 0.5, 0.9), values, strict=True)]
        page = detectors.page(told, CASES[:1], layers, "Worlds: one.")
        (line,) = [line for line in page.splitlines() if line.startswith(f"| {CASES[0].layer} ")]
        assert line.split("|")[-2].strip() == word
        assert "Worlds: one." in page
        assert "lower by 0.02 or more" in page
        assert "rises by no more than 0.01 from one difficulty to the next" in page
    assert "| 0.5 | 1,000 | 10 | 5 | rule | - | - | - |" in page
    assert detectors.harder(layers[CASES[0].layer])[0] in " ".join(page.split())


@pytest.mark.long
def test_a_small_benchmark_runs_from_end_to_end(tmp_path: Path) -> None:
    names = ("sim_boxes", "fleet_failure")
    cases = [case for case in CASES if case.layer in names]
    found = detectors.run(cases, (0.1, 0.9), 2000, 14, 3, DEFAULT_WORLD_FILE, tmp_path)
    assert [(one.layer, one.difficulty) for one in found] == [
        (name, difficulty) for difficulty in (0.1, 0.9) for name in names
    ]
    for one in found:
        assert one.positives >= one.entities >= 5
        for figures in one.figures.values():
            assert figures is not None
            assert figures.precision > one.positives / one.rows
    boosting = [one.figures["gradient boosting"] for one in found if one.layer == "sim_boxes"]
    assert boosting[0] is not None
    assert boosting[0].precision > 0.8
    assert list(tmp_path.iterdir()) == []
