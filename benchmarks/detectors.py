"""Detectors: whether stories of the scenario layers are the harder to find the better they hide.

Belongs here: worlds at several difficulties, three detectors for each layer of fraud and failure,
their figures and the page docs/detectors.md. Does not belong here: what detectors see
(`telco_pipeline.training`), what the stories do (`scenarios/layers`), any test of correctness.

    python -m benchmarks.detectors            (or: make detectors)

The detectors: a *rule* of one line, as an expert would write it; an *isolation forest*, which
learns from unlabelled rows; *gradient boosting*, which learns from labelled ones. All see the same
general features. Entities are dealt into five parts: boosting learns from four of them at the
earlier cut-offs and judges the fifth at the later ones, in turn; the forest learns from the
earlier cut-offs.
"""

import argparse
import datetime as dt
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from telco_pipeline.contracts import DATASETS, STATIC_DATASETS
from telco_pipeline.lake import Lake
from telco_pipeline.lineage import ancestors_of
from telco_pipeline.production import produce
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import chosen, load_layers, with_layers
from telco_pipeline.scenarios.story import layers_of
from telco_pipeline.scenarios.words import Amount
from telco_pipeline.settings import DEFAULT_WORLD_FILE, WorldConfig, load_world
from telco_pipeline.training.features import KEYS, features_of, sources_of
from telco_pipeline.training.labels import TRUTH, kinds_of
from telco_pipeline.training.measures import Sketches
from telco_pipeline.training.splits import FOLD
from telco_pipeline.training.table import CUT_OFF, Training, Wanted
from telco_pipeline.workers import shared_crews

PAGE: Final = Path(__file__).parents[1] / "docs" / "detectors.md"
DIFFICULTIES: Final = (0.1, 0.5, 0.9)
SUBSCRIBERS: Final = 6_000
DAYS: Final = 28
SEED: Final = 7
SETTLED: Final = 6.0
"""Hours for which a row must have been touched to count as a positive one; less is left out."""
FALSE_ALARMS: Final = 0.001
DETECTORS: Final = ("rule", "isolation forest", "gradient boosting")

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_PEOPLE: Final = pl.col("kind") == "person"
_STATIONS: Final = pl.col("type").is_in(["eNB", "gNB"])
_PARTS: Final = 5
_FOREST_ROWS: Final = 50_000
_OTHERS_A_POSITIVE: Final = 20
_FEWEST_OTHERS: Final = 15_000
_FEWEST_POSITIVES: Final = 5
_NOISE: Final = 0.01  # of average precision: by so much it may rise from one difficulty to the next
_A_FALL: Final = 0.02


@dataclass(frozen=True)
class Case:
    """How one layer is put to the test.

    Attributes:
        layer: Its name.
        among: Whose rows are compared, as a condition and in words.
        people: The same in words.
        rule: The expert's rule: the higher, the more suspicious.
        text: The rule in words.
        window: Days that features see.
        stages: Stages that count; None for all.
        ahead: Days ahead for which a stage is predicted; 0 if it shall be found, not predicted.
        when: Keys of the layer's `when`, so that there are enough incidents at all times of a
            short world; None takes a key away.
        left_out: Features that would be the story's own mark.
    """

    layer: str
    among: pl.Expr
    people: str
    rule: pl.Expr
    text: str
    window: int = 3
    stages: tuple[str, ...] | None = None
    ahead: int = 0
    when: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def _often(first: str, every: str, parallel: int = 1, spread: str = "2d") -> dict[str, Any]:
    """Return keys of `when` for incidents that come again and again."""
    keys = {"first": first, "every": every, "parallel": parallel, "spread": spread}
    return keys | {"per_subscribers": None, "weekday": None, "times": None}


def _of(column: str) -> pl.Expr:
    return pl.col(column).fill_null(0)


CASES: Final = (
    Case(
        "sim_boxes",
        _PEOPLE,
        "people",
        _of("called") / (1 + _of("calls_in")) / (1 + _of("cells")),
        "different numbers called, over calls taken and cells seen in",
        stages=("active",),
        when=_often("2d", "60d", 8, "10d"),
    ),
    Case(
        "revenue_share_fraud",
        _PEOPLE,
        "people",
        pl.when(pl.col("calls_roaming") > 0).then(_of("seconds_abroad")).otherwise(0),
        "talk to other countries of those who call from abroad",
        window=2,
        stages=("first_night", "second_night"),
        when=_often("3d", "6d", 12, "5d"),
    ),
    Case(
        "wangiri_wave",
        _PEOPLE,
        "people",
        _of("missed_abroad") / (1 + _of("ring_missed")),
        "missed calls from other countries, over how long missed calls rang",
        window=2,
        when=_often("4d", "5d"),
    ),
    Case(
        "subscription_fraud",
        _PEOPLE,
        "people",
        pl.when(pl.col("contract_days") < 120).then(_of("seconds_abroad")).otherwise(0),
        "talk to other countries of those with a contract of less than 120 days",
        window=5,
        when=_often("2d", "60d", 3),
    ),
    Case(
        "account_takeover",
        _PEOPLE,
        "people",
        pl.when(pl.col("sim_swaps") > 0).then(1 + _of("texts_out") + _of("calls_out")).otherwise(0),
        "messages and calls of those whose SIM was swapped",
        window=2,
        stages=("swap",),
        when=_often("3d", "3d", 3),
        left_out=("contacts", "contacts_fraud", "contacts_billing", "sentiment"),
    ),
    Case(
        "failing_radio_hardware",
        _STATIONS,
        "base stations",
        _of("errors_last_day"),
        "lines of error on the last day",
        stages=("failure",),
        ahead=3,
        when=_often("3d", "5d", 12, "4d"),
    ),
    Case(
        "bad_release",
        _STATIONS,
        "base stations",
        _of("lost_part") + _of("legs_blocked_part"),
        "bearers lost and calls blocked",
        window=2,
        stages=("trouble",),
        when=_often("4d", "6d", 2),
    ),
    Case(
        "faulty_firmware",
        _PEOPLE,
        "people",
        _of("sessions_lost") + _of("calls_dropped") + _of("attaches"),
        "sessions and calls lost, and attaches",
        stages=("faulty",),
        when=_often("3d", "9d"),
        left_out=("contacts", "contacts_network", "sentiment"),
    ),
    Case(
        "sleeping_cell",
        pl.col("type").is_in(["EUTRAN", "NR"]) & (pl.col("cell_class") == "MACRO"),
        "macro cells of LTE and NR",
        pl.when(pl.col("unavailable") > 0).then(-1.0).otherwise(-_of("attempts_low_part")),
        "how little of its attempts a cell that was in service had on its worst day",
        window=4,
        when=_often("4d", "3d", 10),
    ),
    Case(
        "fleet_failure",
        pl.col("kind") == "machine",
        "machines",
        _of("refused"),
        "updates of the location that were refused",
        window=2,
        when=_often("5d", "5d"),
    ),
    Case(
        "signalling_storm",
        pl.col("kind") == "machine",
        "machines",
        _of("updates_last_day"),
        "updates of the location on the last day",
        window=2,
        when=_often("4d", "5d"),
    ),
    Case(
        "compromised_meters",
        pl.col("plan_on_epoch") == "M2M-METER",
        "meters",
        _of("bytes_up"),
        "bytes sent",
        when=_often("4d", "12d"),
    ),
)


@dataclass(frozen=True)
class Figures:
    """How a detector does.

    Attributes:
        precision: Average precision.
        at_top: Precision among as many of the highest scores as there are positives.
        recall: Part of the positives above all but one in a thousand of the others.
    """

    precision: float
    at_top: float
    recall: float


@dataclass(frozen=True)
class Judged:
    """What came of a layer at a difficulty.

    Attributes:
        layer: The layer.
        difficulty: The difficulty.
        rows: Rows judged.
        positives: Those of them that it touched (or will).
        entities: Different entities among the positives.
        figures: By detector; None where there are too few positives to learn from or to judge.
    """

    layer: str
    difficulty: float
    rows: int
    positives: int
    entities: int
    figures: dict[str, Figures | None]


def judged(scores: Scores, marks: Flags) -> Figures:
    """Return how scores tell marked rows from the others.

    Args:
        scores: The higher, the more suspicious.
        marks: What is right; both kinds occur.
    """
    count = int(marks.sum())
    # Among equal scores the marked rows come last: a rule that says the same of all knows nothing.
    order = np.lexsort((marks, -scores))
    top = marks[order][:count].mean()
    others = np.sort(scores[~marks])[::-1]
    limit = others[int(FALSE_ALARMS * len(others))]
    return Figures(
        float(average_precision_score(marks, scores)),
        float(top),
        float((scores[marks] > limit).mean()),
    )


def layers_at(difficulty: float, cases: Sequence[Case], world_file: Path) -> dict[str, Layer]:
    """Return the layers of some cases at a difficulty, as often as the cases ask for.

    Raises:
        TelcoError: There is no such layer.
    """
    known = chosen([case.layer for case in cases], load_layers(world_file))
    found: dict[str, Layer] = {}
    for case in cases:
        tree = known[case.layer].to_dict()
        when = {**tree["when"], **case.when}
        tree["when"] = {key: value for key, value in when.items() if value is not None}
        tree["difficulty"] = difficulty
        found[case.layer] = Layer.model_validate(tree)
    return found


def make_world(
    config: WorldConfig, lake: Lake, days: Sequence[dt.date], datasets: set[str]
) -> None:
    """Make what the detectors need of a world, without checks."""
    wanted = datasets | {*TRUTH, "identity_changes"}
    wanted |= {name for one in wanted for name in ancestors_of(one)}
    with shared_crews():
        for name in STATIC_DATASETS:
            produce(config, lake, name, workers=2)
        for name in DATASETS:
            if name in wanted and DATASETS[name].daily:
                produce(config, lake, name, days, workers=2)


def table_of(training: Training, sketches: Sketches, case: Case) -> pl.DataFrame:
    """Return a case's rows with `mark`: whether it is so (null: it cannot be said)."""
    frames = [training.rows(sketches, cut_off).filter(case.among) for cut_off in training.cut_offs]
    rows = pl.concat(frames)
    if case.ahead:
        return rows.with_columns(mark=pl.col("ahead"))
    hours = pl.col("active_hours")
    sure = pl.when(~pl.col("active")).then(False).when(hours >= SETTLED).then(True)
    return rows.with_columns(mark=sure)


def judge(case: Case, training: Training, rows: pl.DataFrame, difficulty: float) -> Judged:
    """Return how the detectors do on the rows of a case."""
    known = rows.drop_nulls("mark")
    cut_off = pl.col(CUT_OFF).dt.date()
    earlier = known.filter(cut_off <= training.trained_until)
    later = known.filter(cut_off >= training.tested_from)
    key = KEYS[training.entity]
    figures: dict[str, Figures | None] = dict.fromkeys(DETECTORS)
    # OpenMP's threads wait for each other actively: where others work too, one is faster.
    with threadpool_limits(1):
        figures |= _figures(case, earlier, later, key, _numbers(training, case))
    positive = later.filter("mark")
    return Judged(
        case.layer, difficulty, later.height, positive.height, positive[key].n_unique(), figures
    )


def _figures(
    case: Case, earlier: pl.DataFrame, later: pl.DataFrame, key: str, names: Sequence[str]
) -> dict[str, Figures]:
    """Return the figures of the detectors for which there is enough to learn from and judge by."""
    there = [rows.filter("mark")[key].n_unique() for rows in (earlier, later)]
    if there[1] < _FEWEST_POSITIVES:
        return {}
    marks = later["mark"].to_numpy()
    rule = later.select(case.rule.cast(pl.Float64)).to_series().to_numpy()
    scores = {"rule": rule, "isolation forest": _forest(earlier, later, names)}
    if there[0] >= _FEWEST_POSITIVES:
        scores["gradient boosting"] = _boosting(earlier, later, names)
    return {name: judged(one, marks) for name, one in scores.items()}


def _numbers(training: Training, case: Case) -> list[str]:
    """Return the features that detectors see."""
    texts = {"kind", "plan_on_epoch", "device_class", "type", "vendor", "cell_class"}
    names = [one.name for one in features_of(training.entity)]
    return [name for name in names if name not in texts and name not in case.left_out]


def _matrix(rows: pl.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float64]:
    return rows.select(pl.col(names).cast(pl.Float64)).to_numpy()


def _forest(earlier: pl.DataFrame, later: pl.DataFrame, names: Sequence[str]) -> Scores:
    """Return how odd the later rows are, to a forest grown from the earlier ones."""
    some = earlier.sample(min(earlier.height, _FOREST_ROWS), seed=1)
    # A part or a mean of nothing is zero to it.
    seen, asked = (np.nan_to_num(_matrix(rows, names)) for rows in (some, later))
    forest = IsolationForest(n_estimators=200, random_state=1, n_jobs=1).fit(seen)
    return -forest.score_samples(asked)


def _boosting(earlier: pl.DataFrame, later: pl.DataFrame, names: Sequence[str]) -> Scores:
    """Return the later rows' scores, each by a model that saw neither its entity nor its time."""
    scores = np.zeros(later.height)
    for part in range(_PARTS):
        others = earlier.filter(pl.col(FOLD) % _PARTS != part)
        here = (later[FOLD] % _PARTS == part).to_numpy()
        positives = others.filter("mark")
        plain = others.filter(~pl.col("mark"))
        most = max(_FEWEST_OTHERS, _OTHERS_A_POSITIVE * positives.height)
        learnt = pl.concat([positives, plain.sample(min(plain.height, most), seed=part)])
        model = HistGradientBoostingClassifier(
            max_iter=100, learning_rate=0.08, max_leaf_nodes=15, min_samples_leaf=10,
            l2_regularization=1.0, max_features=0.5, random_state=1,
            early_stopping=False,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
        # A column of nothing is none to learn from: machines take no calls.
        told = [name for name in names if learnt[name].n_unique() > 1]
        model.fit(_matrix(learnt, told), learnt["mark"].to_numpy())
        # Not the probability, which is rounded to 1 where a model is sure.
        scores[here] = model.decision_function(_matrix(later, told)[here])
    return scores


def judge_lake(
    config: WorldConfig, lake: Lake, cases: Sequence[Case], difficulty: float, scratch: Path
) -> Iterator[Judged]:
    """Yield what comes of each case on a lake; days are counted once for all of them."""
    counted: dict[str, Sketches] = {}
    with ExitStack() as stack:
        for case in cases:
            wanted = Wanted(case.layer, case.window, 1, case.ahead or 1, stages=case.stages)
            training = Training(config, lake, wanted)
            of = sources_of(training.entity)[0].dataset
            if of not in counted:
                (scratch / of).mkdir(parents=True)
                counted[of] = stack.enter_context(training.sketches(scratch / of))
            yield judge(case, training, table_of(training, counted[of], case), difficulty)


def run(
    cases: Sequence[Case],
    difficulties: Sequence[float],
    subscribers: int,
    days: int,
    seed: int,
    world_file: Path,
    scratch: Path,
) -> list[Judged]:
    """Make a world for each difficulty, one after the other, and judge all cases in each."""
    found = []
    for difficulty in difficulties:
        started = time.monotonic()
        world = load_world(world_file, subscribers=subscribers, seed=seed)
        config = with_layers(world, layers_at(difficulty, cases, world_file))
        span = [config.epoch + dt.timedelta(days=offset) for offset in range(days)]
        root = scratch / f"difficulty-{difficulty:g}"
        lake = Lake(root / "lake")
        make_world(config, lake, span, _datasets(config, cases))
        _say(f"world of difficulty {difficulty:g} made in {time.monotonic() - started:.0f} s")
        for one in judge_lake(config, lake, cases, difficulty, root / "sketches"):
            found.append(one)
            _say(_line(one))
        _say(f"difficulty {difficulty:g} judged after {time.monotonic() - started:.0f} s")
        shutil.rmtree(root)
    return found


def _datasets(config: WorldConfig, cases: Sequence[Case]) -> set[str]:
    """Return the datasets behind the features of some cases."""
    layers = layers_of(config)
    kinds = {kinds_of(layers[case.layer])[0] for case in cases}
    return {source.dataset for kind in kinds for source in sources_of(kind)}


def page(
    found: Sequence[Judged], cases: Sequence[Case], layers: Mapping[str, Layer], told: str
) -> str:
    """Return docs/detectors.md.

    Args:
        found: What came of the layers.
        cases: The cases.
        layers: Their layers, as their files say.
        told: Which worlds, in words.
    """
    blocks = [
        _INTRODUCTION.format(told=told, hours=f"{SETTLED:g}", fall=_A_FALL, noise=_NOISE),
        _summary(found, cases),
    ]
    for case in cases:
        of = [one for one in found if one.layer == case.layer]
        blocks.append(_section(case, layers[case.layer], of))
    return "\n\n".join(blocks) + "\n"


_INTRODUCTION: Final = """# Detectors

Written by `python -m benchmarks.detectors` (`make detectors`); do not edit.

Each scenario layer has a `difficulty`: how well its story hides. This page judges whether it does:
the same worlds at three difficulties, and for each layer of fraud and failure three detectors. A
*rule* is one line that an expert might write; an *isolation forest* learns what is odd from rows
without labels; *gradient boosting* learns from labelled rows. All of them see the general features
of [training.md](training.md), made for no story, among them no identity.

{told}

A row is one entity at one cut-off (each midnight, UTC). Entities are dealt into five parts:
boosting learns from four of them at the earlier cut-offs and is judged by the fifth at the later
ones, in turn, so it has seen neither the entity nor the time; the forest learns from the earlier
cut-offs, the rule from nothing. A row is positive if a stage of the story touched it for {hours}
hours or more within the window (less than that is left out), or, where a failure is predicted, if
it fails within the days ahead. Look-alikes count as negative.

*Average precision* of a random score is the share of positives. *Precision at the top* is among as
many of the highest scores as there are positives. *Recall* is at one false alarm in a thousand
negatives. Boosting *falls* if its average precision is lower by {fall:g} or more in the end, and
rises by no more than {noise:g} from one difficulty to the next.

Outages and storms are not judged: their own alarms tell of them. Wrong QoS, unrated roaming and
lost files are not either: comparing each record with the plan, or the running numbers of files,
finds them exactly, at any difficulty."""


def _summary(found: Sequence[Judged], cases: Sequence[Case]) -> str:
    """Return the table of average precision by difficulty."""
    levels = sorted({one.difficulty for one in found})
    head = " | ".join(f"{name} {level:g}" for name in DETECTORS for level in levels)
    lines = [
        "## Average precision by difficulty",
        "",
        f"| layer | {head} | boosting falls |",
        f"|---|{'---|' * (len(DETECTORS) * len(levels) + 1)}",
    ]
    for case in cases:
        of = {one.difficulty: one for one in found if one.layer == case.layer}
        cells = [_figure(of, level, name) for name in DETECTORS for level in levels]
        lines.append(f"| {case.layer} | {' | '.join(cells)} | {_falls(of, levels)} |")
    return "\n".join(lines)


def _figure(of: Mapping[float, Judged], level: float, name: str) -> str:
    figures = of[level].figures[name] if level in of else None
    return "-" if figures is None else f"{figures.precision:.2f}"


def _falls(of: Mapping[float, Judged], levels: Sequence[float]) -> str:
    """Return whether average precision of boosting falls with the difficulty, in words."""
    figures = [of[level].figures["gradient boosting"] for level in levels if level in of]
    values = [one.precision for one in figures if one is not None]
    if len(values) < 2:
        return "-"
    fall = values[0] - values[-1]
    if any(after > before + _NOISE for before, after in pairwise(values)) or fall < -_NOISE:
        return "no"
    return "yes" if fall >= _A_FALL else "hardly"


def harder(layer: Layer) -> list[str]:
    """Return in words which amounts of a layer depend on its difficulty, from easy to hard."""
    return [
        f"{deed.name} {name} of {deed.effect.who}, {amount.easy:g} to {amount.hard:g}"
        for stage in layer.stages
        for deed in stage.do
        for name in type(deed.effect).model_fields
        if isinstance(amount := getattr(deed.effect, name), Amount) and amount.easy != amount.hard
    ]


def _section(case: Case, layer: Layer, found: Sequence[Judged]) -> str:
    """Return the figures of a layer."""
    aim = (
        f"predicted {case.ahead} days ahead" if case.ahead else "found"
    ) + f", with a window of {case.window} days, among {case.people}"
    stages = f" Stages that count: {', '.join(case.stages)}." if case.stages else ""
    names = ", ".join(f"`{one}`" for one in case.left_out)
    hidden = f" Not seen, for they would be the answer: {names}." if names else ""
    amounts = "; ".join(harder(layer))
    depends = (
        f" What hides it, from difficulty 0 to 1: {amounts}."
        if amounts
        else " No amount of its file depends on the difficulty."
    )
    lines = [
        f"## {case.layer}",
        "",
        *textwrap.wrap(f"To be {aim}. Rule: {case.text}.{stages}{hidden}{depends}", 99),
        "",
        "| difficulty | rows | positive | entities | detector | average precision "
        "| precision at the top | recall |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found:
        for name, figures in one.figures.items():
            told = (
                "- | - | -"
                if figures is None
                else f"{figures.precision:.3f} | {figures.at_top:.3f} | {figures.recall:.3f}"
            )
            lines.append(
                f"| {one.difficulty:g} | {one.rows:,} | {one.positives:,} | {one.entities:,} "
                f"| {name} | {told} |"
            )
    return "\n".join(lines)


def _line(one: Judged) -> str:
    told = ", ".join(
        f"{name} {figures.precision:.3f}" if figures else f"{name} -"
        for name, figures in one.figures.items()
    )
    return f"  {one.layer}: {one.positives} of {one.rows} rows ({one.entities} entities): {told}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """Run the benchmark and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.detectors",
        description="Judge detectors of fraud and failure by difficulty; about 20 minutes.",
    )
    parser.add_argument("--subscribers", type=int, default=SUBSCRIBERS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--difficulties", default=",".join(f"{one:g}" for one in DIFFICULTIES))
    parser.add_argument("--layers", default=",".join(case.layer for case in CASES))
    parser.add_argument("--world", type=Path, default=DEFAULT_WORLD_FILE)
    parser.add_argument("--scratch", type=Path, help="where worlds may lie; default: temporary")
    parser.add_argument("--out", type=Path, default=PAGE)
    asked = parser.parse_args()
    names = asked.layers.split(",")
    cases = [case for case in CASES if case.layer in names]
    if unknown := set(names) - {case.layer for case in cases}:
        parser.error(f"no detector for {', '.join(sorted(unknown))}")
    levels = [float(one) for one in asked.difficulties.split(",")]
    with tempfile.TemporaryDirectory(dir=asked.scratch, prefix="detectors-") as scratch:
        found = run(
            cases, levels, asked.subscribers, asked.days, asked.seed, asked.world, Path(scratch)
        )
    told = (
        f"Worlds: {asked.subscribers:,} subscribers, {asked.days} days, seed {asked.seed}, with "
        "these layers and no others. Incidents come more often than in the layers' files, so that "
        "there are enough to learn from and to judge by; all amounts are those of the files."
    )
    told = textwrap.fill(told, 99)
    asked.out.write_text(page(found, cases, load_layers(asked.world), told), encoding="utf-8")
    _say(f"Written to {asked.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
