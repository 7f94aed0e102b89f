"""What the check of a layer shows of the audit, and that each layer has it."""

from pathlib import Path

import dagster as dg
import pytest

from telco_pipeline import leakage
from telco_pipeline.analytics.stumps import Split
from telco_pipeline.checks.leakage import NAME, build_leakage_checks, result
from telco_pipeline.checks.signatures import refuse_other_layers
from telco_pipeline.contracts import DATASETS
from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.leakage import Judgement, Leak
from telco_pipeline.production import origin_of
from telco_pipeline.scenarios.language import Layer
from telco_pipeline.scenarios.loading import with_layers
from telco_pipeline_tests.scenarios.kit import layer
from telco_pipeline_tests.shell.kit import operation, tiny_world

EPOCH = tiny_world().epoch
BEST = Split("msisdn", "its length", "its length above 12", 0.6, 0.05)
CLEAN = Judgement("one", "cdrs_sms", "subscribers", 900, 80, BEST)
LEAK = Leak("one", "cdrs_sms", "msisdn", "its length above 12", 0.91)
TOLD = Leak("one", "cdrs_sms", "imei", "its value is '1'", 0.95, "One device is the story.")


def judged(*found: Judgement, made: Layer | None = None) -> dg.AssetCheckResult:
    return result("one", made or layer(), found)


def test_a_clean_layer_passes() -> None:
    told = judged(CLEAN)
    assert told.passed
    assert told.check_name == NAME
    assert told.asset_key == dg.AssetKey(["scenarios", "one"])
    assert told.metadata["highest_accuracy"].value == 0.6
    assert "| cdrs_sms | subscribers | 900 | 80 | msisdn | 0.600 |" in str(
        told.metadata["columns"].value
    )


def test_a_leak_fails_and_a_named_tell_does_not() -> None:
    told = judged(Judgement("one", "cdrs_sms", "subscribers", 900, 80, BEST, (LEAK, TOLD)))
    assert not told.passed
    assert told.severity == dg.AssetCheckSeverity.ERROR
    assert told.description == "cdrs_sms.msisdn tells by 0.910: its length above 12"
    named = judged(Judgement("one", "cdrs_sms", "subscribers", 900, 80, BEST, (TOLD,)))
    assert named.passed
    assert "One device is the story." in str(named.metadata["leaks"].value)


def test_of_an_easy_layer_it_is_shown_only() -> None:
    found = Judgement("one", "cdrs_sms", "subscribers", 900, 80, BEST, (LEAK,))
    told = judged(found, made=layer(difficulty=0.2))
    assert told.passed
    assert "tells by 0.910" in str(told.description)


def test_what_could_not_be_judged_is_said_not_passed() -> None:
    told = judged(Judgement("one", "cdrs_sms", "subscribers", 3, 1, note="3 rows are too few"))
    assert not told.passed
    assert told.severity == dg.AssetCheckSeverity.WARN
    assert "too few rows" in str(told.description)
    assert "3 rows are too few" in str(told.metadata["columns"].value)


def test_every_layer_has_the_check() -> None:
    layers = {"one": layer(), "two": layer(number=8)}
    defs = build_defs(config=with_layers(tiny_world(), layers))
    keys = {
        key
        for check in defs.asset_checks or []
        for key in getattr(check, "check_keys", [])
        if key.name == NAME
    }
    assert {key.asset_key.path[-1] for key in keys} == set(layers)


def test_a_run_tells_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = layer()
    (check,) = build_leakage_checks({"one": made}, None)
    asked = []

    def examine(config: object, lake: object, days: object, names: list[str]) -> list[Judgement]:
        asked.append(names)
        return [CLEAN]

    monkeypatch.setattr(leakage, "examine", examine)
    monkeypatch.setattr(leakage, "days_of", lambda lake: [EPOCH])
    told = check(operator=operation(tmp_path))
    assert isinstance(told, dg.AssetCheckResult)
    assert asked == [["one"]]
    assert told.passed


def test_a_lake_without_the_truth_is_told_not_judged(tmp_path: Path) -> None:
    """That no record is touched cannot be said of days of which nobody knows what happened."""
    config = with_layers(tiny_world(), {"one": layer()})
    (check,) = build_leakage_checks({"one": layer()}, None)
    with pytest.raises(dg.Failure, match="has no records"):
        check(operator=operation(tmp_path, config=config))
    (tmp_path / "cdrs_sms" / f"day={EPOCH}").mkdir(parents=True)
    with pytest.raises(dg.Failure, match=f"has no truth_incidents of {EPOCH}: make it with"):
        check(operator=operation(tmp_path, config=config))


def test_a_lake_of_other_layers_is_refused(tmp_path: Path) -> None:
    """The file's new query over rows that the old file made would judge nothing."""
    made = operation(tmp_path, config=with_layers(tiny_world(), {"one": layer()}))
    made.lake.bind(origin_of(made.config, made.lake, DATASETS["places"]), made.config.to_dict())
    refuse_other_layers(made)
    now = operation(tmp_path, config=with_layers(tiny_world(), {"one": layer(difficulty=0.9)}))
    with pytest.raises(TelcoError, match=f"holds world {made.config.world_hash}.*anew"):
        refuse_other_layers(now)
