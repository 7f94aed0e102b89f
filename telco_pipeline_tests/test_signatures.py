"""Signatures are judged by both worlds, see observable data alone, and say what went wrong."""

import datetime as dt
import shutil
from pathlib import Path
from typing import Any

import pytest

from telco_pipeline import signatures
from telco_pipeline.checks.signatures import check_name, check_names, promise, result
from telco_pipeline.counterfactuals import counterfactual
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.runs import run_operator
from telco_pipeline.scenarios.language import Layer, Signature
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline.settings import WorldConfig, load_world
from telco_pipeline.signatures import Verdict, figure, judge

WORLD = Path(__file__).parents[1] / "scenarios" / "world.yaml"
MOST = """
SELECT count(*) FROM (
  SELECT subscriber_id, count(*) n FROM cdrs_voice JOIN subscribers USING (subscriber_id)
  WHERE kind = 'person' AND record_type = 'moCallRecord' GROUP BY subscriber_id HAVING n >= 40)
"""


def _signature(**values: Any) -> dict[str, Any]:
    return {"name": "people who call all day", "sql": MOST, "seen": {"low": 6},
            "unseen": {"high": 5}} | values  # fmt: skip


def _layer(*told: dict[str, Any]) -> Layer:
    return Layer.model_validate(
        {
            "version": 1,
            "number": 5,
            "title": "Talk",
            "story": "Some talk all day.",
            "kind": "fraud",
            "when": {"first": "1d", "at": "01:00"},
            "cast": {"them": {"of": "subscribers", "where": {"kind": "person"}, "number": 10}},
            "stages": [
                {"name": "it", "lasts": "1d", "do": [{"usage": {"who": "them", "calls": 60.0}}]}
            ],
            "signatures": list(told),
        }
    )


def _config(layer: Layer) -> WorldConfig:
    return with_layers(load_world(WORLD, subscribers=400), {"talk": layer})


CONFIG = _config(_layer(_signature()))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Return a lake of two days with a layer, and its control world."""
    root = tmp_path_factory.mktemp("signatures")
    assert run_operator(CONFIG, root, datasets=["cdrs_voice", "network_logs"], days=2).success
    made = counterfactual(CONFIG, ["all"], CONFIG.epoch + dt.timedelta(days=1))
    summary = run_operator(
        made.config,
        root,
        datasets=["network_state", "identity_changes", "subscriber_state", "cdrs_voice"],
        first=made.first,
        world=made.name,
        overlays=CONFIG.world_hash,
    )
    assert summary.success
    return Lake(root)


def _verdict(lake: Lake, **values: Any) -> signatures.Judgement:
    layer = _layer(_signature(**values))
    (found,) = judge(CONFIG, lake, {"talk": layer}, lake.days("cdrs_voice"))
    return found


def test_it_is_seen_and_not_without(lake: Lake) -> None:
    found = _verdict(lake)
    assert found.verdict is Verdict.SEEN
    assert found.passed
    assert found.value is not None
    assert found.control is not None
    assert found.value > 5 >= found.control
    shown = result(found, "talk")
    assert shown.passed
    assert {"with_the_layer", "without", "query"} <= set(shown.metadata)


def test_what_is_not_seen_fails(lake: Lake) -> None:
    found = _verdict(lake, seen={"low": 10_000})
    assert found.verdict is Verdict.NOT_SEEN
    assert not result(found, "talk").passed


def test_what_is_seen_without_the_layer_too_fails(lake: Lake) -> None:
    """The negative control: a query that any world answers is no signature."""
    found = _verdict(lake, seen={"low": 1}, unseen={"high": 0})
    assert found.verdict is Verdict.ALSO_WITHOUT
    assert not result(found, "talk").passed


@pytest.mark.parametrize(
    ("needs", "told"),
    [({"subscribers": 1000}, "1,000 subscribers, not 400"), ({"days": 30}, "30 days, not 2")],
)
def test_what_needs_more_says_so_and_does_not_pass(
    lake: Lake, needs: dict[str, int], told: str
) -> None:
    found = _verdict(lake, needs=needs)
    assert found.verdict is Verdict.TOO_SMALL
    assert told in found.note
    shown = result(found, "talk")
    assert not shown.passed
    assert shown.severity.value == "WARN"


@pytest.mark.parametrize(
    ("made", "needs", "told"), [(2, 3, "needs 3 days, not 2"), (0, 1, "needs 1 day, not 0")]
)
def test_days_without_its_records_do_not_count(
    lake: Lake, tmp_path: Path, made: int, needs: int, told: str
) -> None:
    """The state lies in a lake of all days since the epoch, records perhaps of some alone."""
    alone = tmp_path / "lake"
    shutil.copytree(lake.root, alone, symlinks=True)
    first, second = lake.days("cdrs_voice")
    days = [first, second, *(second + dt.timedelta(days=number) for number in range(1, 30))]
    for day in lake.days("cdrs_voice")[made:]:
        shutil.rmtree(alone / "cdrs_voice" / f"day={day}")
    layer = _layer(_signature(needs={"days": needs}))
    (found,) = judge(CONFIG, Lake(alone), {"talk": layer}, days)
    assert (found.verdict, found.note) == (Verdict.TOO_SMALL, told)


def test_a_day_counts_that_has_its_records(lake: Lake) -> None:
    days = lake.days("cdrs_voice")
    layer = _layer(_signature(needs={"days": 2}))
    (found,) = judge(CONFIG, lake, {"talk": layer}, [*days, days[-1] + dt.timedelta(days=1)])
    assert found.verdict is Verdict.SEEN


def test_without_a_control_world_it_is_not_judged(lake: Lake, tmp_path: Path) -> None:
    alone = tmp_path / "lake"
    alone.mkdir()
    for path in lake.root.iterdir():
        if path.name != "_worlds":
            (alone / path.name).symlink_to(path)
    found = _verdict(Lake(alone))
    assert found.verdict is Verdict.NO_CONTROL
    assert "counterfactual --without all" in found.note
    told = str(result(found, "talk").description)
    assert "with the layer (at least 6); there is no world without any layer: make it" in told


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT x FROM cdrs_voice", "x"),
        ("SELECT count(*), 1 FROM cdrs_voice", "one number"),
        ("SELECT 'much'", "one number"),
        ("SELECT count(*) FROM subscriber_state", "subscriber_state"),
        ("SELECT count(*) FROM truth_records", "truth_records"),
    ],
)
def test_a_wrong_query_is_told_in_one_line(lake: Lake, sql: str, told: str) -> None:
    """State and truth have no names there."""
    wrong = Signature.model_validate(_signature(sql=sql))
    with pytest.raises(TelcoError, match=told) as error:
        figure(lake, "talk", wrong, lake.days("cdrs_voice"))
    assert "talk" in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_counts_as_zero(lake: Lake) -> None:
    empty = Signature.model_validate(
        _signature(sql="SELECT max(call_duration) FROM cdrs_voice WHERE false")
    )
    assert figure(lake, "talk", empty, lake.days("cdrs_voice")) == 0.0


def test_only_what_is_judged_is_asked_for(lake: Lake) -> None:
    layer = _layer(
        _signature(),
        _signature(name="data", sql="SELECT count(*) FROM cdrs_data", needs={"days": 300}),
    )
    asked = signatures.asked(CONFIG, {"talk": layer}, lake.days("cdrs_voice"))
    assert asked == ["subscribers", "cdrs_voice"]


def test_a_check_is_named_and_promises_in_words() -> None:
    signature = Signature.model_validate(_signature(name="SIMs in one box (many)"))
    assert check_name(signature) == "sims_in_one_box_many"
    assert promise(signature).startswith("SIMs in one box (many): at least 6 with the layer, ")
    assert "to judge" not in promise(signature)
    needy = _signature(needs={"subscribers": 20_000, "days": 28})
    assert promise(Signature.model_validate(needy)).endswith(
        " It takes 20,000 subscribers and 28 days to judge."
    )


def test_names_of_checks_end_with_a_word_and_differ() -> None:
    """Dagster refuses a code location in which an asset has two checks of one name."""
    long = "calls of those who dispute a bill to the numbers of the competitor on their worst day"
    layer = _layer(
        _signature(name=long),
        _signature(name=f"{long}, again"),
        _signature(name="no single column tells"),
        _signature(name="\N{GREEK CAPITAL LETTER DELTA}"),
    )
    first, *others = check_names(layer)
    assert first == "calls_of_those_who_dispute_a_bill_to_the_numbers_of_the_competitor_on"
    assert others == [f"{first}_2", "no_single_column_tells_2", "signature"]


def test_the_main_world_does_not_answer_for_the_control(lake: Lake) -> None:
    """The control world has no log of its own here, so that of the main one shows through."""
    found = _verdict(lake, sql="SELECT count(*) FROM network_logs", seen={"low": 0})
    assert found.verdict is Verdict.NO_CONTROL
    assert "no network_logs of its own" in found.note
