"""dbt in Dagster: views are assets beside the lake's, tests are their checks, a job runs them."""

import logging
from pathlib import Path

import dagster as dg
import pytest

from telco_pipeline import dbt_project
from telco_pipeline.assets.dbt import GROUP, build_dbt, key_of
from telco_pipeline.contracts import DATASETS
from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline_tests.dbt_checks.damages import damage
from telco_pipeline_tests.dbt_checks.kit import all_tests, sound_lake
from telco_pipeline_tests.shell.kit import ephemeral, operation, run_job, tiny_world
from telco_pipeline_tests.shell.test_definitions import lacking

BUSINESS = {
    "daily_cell_kpis", "customer_months", "plan_usage", "churn_funnel", "fraud_candidates",
    "care_drivers",
}  # fmt: skip


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs(config=tiny_world(), dbt=True)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Return a lake in which one code of a message is in no list."""
    lake = sound_lake(tmp_path_factory.mktemp("dagster_dbt") / "lake")
    damage(lake.root, [all_tests()["cdrs_sms_accepted_values"]])
    return lake


@pytest.fixture(autouse=True)
def own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELCO_DBT_DATABASE", str(tmp_path / "lake.duckdb"))


def specs(defs: dg.Definitions) -> dict[dg.AssetKey, dg.AssetSpec]:
    found = {spec.key: spec for spec in defs.resolve_all_asset_specs()}
    return {key: spec for key, spec in found.items() if spec.group_name == GROUP}


def test_every_model_is_an_asset_that_tells_what_it_is(defs: dg.Definitions) -> None:
    found = specs(defs)
    views = {f"stg_{name}" for name in DATASETS}
    assert set(found) == {key_of(name) for name in {*views, *BUSINESS, "partitions"}}
    poor = {key.to_user_string(): lacking(spec) for key, spec in found.items()}
    assert {name: what for name, what in poor.items() if what} == {}


def test_views_hang_on_the_assets_of_the_lake(defs: dg.Definitions) -> None:
    found = specs(defs)
    for name, dataset in DATASETS.items():
        spec = found[key_of(f"stg_{name}")]
        assert {dep.asset_key for dep in spec.deps} >= {dg.AssetKey(name)}
        assert spec.tags["domain"] == dataset.group
    others = set(found) | {dg.AssetKey(name) for name in DATASETS}
    assert {dep.asset_key for spec in found.values() for dep in spec.deps} <= others
    assert found[key_of("stg_subscribers")].tags["personal-data"] == "yes"
    assert found[key_of("stg_cells")].tags["personal-data"] == "no"


def test_every_dbt_test_is_a_described_check(defs: dg.Definitions) -> None:
    told = {
        spec.name: spec
        for checks in defs.resolve_asset_graph().asset_check_keys
        if checks.asset_key.path[0] == "dbt"
        for spec in [defs.resolve_asset_graph().get_check_spec(checks)]
    }
    assert set(told) == set(all_tests())
    assert all(spec.description for spec in told.values())


def test_the_main_job_leaves_dbt_alone(defs: dg.Definitions) -> None:
    for job in ("operate", "what_if", "make_records", "build_world", "scenarios", "realism"):
        selected = defs.resolve_job_def(job).asset_layer.executable_asset_keys
        assert not [key for key in selected if key.path[0] == "dbt"], job
    selected = defs.resolve_job_def("dbt_checks").asset_layer.executable_asset_keys
    assert set(selected) == set(specs(defs))


def run(lake: Lake, *views: str) -> dg.ExecuteInProcessResult:
    """Run the job over a lake, for all views or some."""
    defs = build_defs(
        config=tiny_world(), overrides={"operator": operation(lake.root)}, dbt=True, pool=None
    )
    chosen = {"asset_selection": [key_of(view) for view in views]} if views else {}
    config = {"ops": {"dbt_build": {"config": {"days": 1}}}}
    with ephemeral() as instance:
        return run_job(defs, "dbt_checks", instance, run_config=config, **chosen)


def found(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def made(result: dg.ExecuteInProcessResult) -> set[dg.AssetKey | None]:
    return {event.asset_key for event in result.get_asset_materialization_events()}


def reason(result: dg.ExecuteInProcessResult) -> str:
    """Return what a run says of its failure."""
    assert not result.success
    error = next(event for event in result.all_node_events if event.is_step_failure)
    failure = error.step_failure_data.user_failure_data
    assert failure is not None
    return failure.description or ""


def test_a_test_that_fails_is_a_check_that_fails(lake: Lake) -> None:
    """And some views may be run alone, with their checks."""
    result = run(lake, "stg_cdrs_sms", "stg_plans", "plan_usage")
    told = "1 of dbt's models and tests failed: cdrs_sms_accepted_values (Got "
    assert reason(result).startswith(told)
    checks = found(result)
    assert [name for name, one in checks.items() if not one.passed] == ["cdrs_sms_accepted_values"]
    bad = checks["cdrs_sms_accepted_values"]
    assert bad.asset_key == key_of("stg_cdrs_sms")
    assert bad.metadata["offenders"].value == 2, "of its two columns one value each"
    assert {"plans_unique", "plans_rows", "cdrs_sms_cell_id_refers"} <= set(checks)
    # What hangs on the view that failed is left out, its checks with it.
    assert "plan_usage_totals" not in checks
    assert made(result) == {key_of("stg_cdrs_sms"), key_of("stg_plans")}


@pytest.mark.long
def test_the_job_makes_all_that_hangs_on_no_failure(lake: Lake) -> None:
    result = run(lake)
    checks = found(result)
    assert [name for name, one in checks.items() if not one.passed] == ["cdrs_sms_accepted_values"]
    assert len(checks) > 200
    assert {key_of("stg_cells"), key_of("daily_cell_kpis")} <= made(result)
    assert key_of("plan_usage") not in made(result)


def test_another_world_is_refused(lake: Lake) -> None:
    other = operation(lake.root, world="calm")
    defs = build_defs(config=tiny_world(), overrides={"operator": other}, dbt=True, pool=None)
    with ephemeral() as instance:
        result = run_job(defs, "dbt_checks", instance)
    assert reason(result).startswith("world 'calm' is not the main one")


def test_without_dbt_all_else_is_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dbt_project, "_PACKAGES", ("dbt-of-nowhere",))
    with caplog.at_level(logging.WARNING):
        defs = build_defs(config=tiny_world(), dbt=True)
    assert "dbt_checks/ is left out: dbt-of-nowhere not installed" in caplog.text
    assert specs(defs) == {}
    jobs = {job.name for job in defs.resolve_all_job_defs()}
    assert "operate" in jobs
    assert "dbt_checks" not in jobs


def test_a_project_with_a_mistake_does_not_keep_the_others_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistaken() -> Path:
        raise TelcoError("dbt cannot read it: Compilation Error")

    monkeypatch.setattr(dbt_project, "manifest", mistaken)
    assert build_dbt() == []
    assert "left out: dbt cannot read it: Compilation Error" in caplog.text


def test_dagster_loads_it() -> None:
    """`defs`, which workspace.yaml names, has the views; tests that build their own go without."""
    from telco_pipeline import definitions

    assert specs(definitions.defs)
    assert not specs(build_defs(config=tiny_world()))
