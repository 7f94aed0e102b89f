"""The generated part of dbt_checks/ says what the contracts say; business views see no truth."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from telco_pipeline import dbt_project
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts import dbt as generated
from telco_pipeline_tests.dbt_checks.damages import HANDWRITTEN, KINDS, OTHERS
from telco_pipeline_tests.dbt_checks.kit import DbtTest, all_tests

STATE_COLUMNS = {"day", "subscriber_id", "status", "plan_id"}
"""What business views may read of the state: what a register of customers tells."""


def test_the_files_are_up_to_date() -> None:
    assert generated.outdated() == [], f"run `{generated.COMMAND}`"


def test_what_is_not_up_to_date_is_named(tmp_path: Path) -> None:
    generated.write(tmp_path)
    assert generated.outdated(tmp_path) == []
    (tmp_path / "stg_cells.sql").write_text("select 1")
    (tmp_path / "stg_sites.yml").unlink()
    (tmp_path / "stg_of_old.sql").write_text("select 1")
    assert generated.outdated(tmp_path) == ["stg_cells.sql", "stg_of_old.sql", "stg_sites.yml"]
    generated.write(tmp_path)
    assert generated.outdated(tmp_path) == []


def test_the_command_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["dbt", "--check"])
    assert generated.main() == 0


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_has_a_documented_view(name: str) -> None:
    files = generated.staging_files()
    model = yaml.safe_load(files[f"stg_{name}.yml"])["models"][0]
    columns = [column["name"] for column in model["columns"]]
    day = ["day"] if DATASETS[name].daily else []
    assert columns == [*day, *DATASETS[name].columns]
    assert all(column["description"] for column in model["columns"])
    view = files[f"stg_{name}.sql"]
    assert all(f" {column}" in view for column in columns)
    assert all("description" in next(iter(test.values())) for test in model["data_tests"])


def test_keys_are_unique_over_all_days_but_for_rows_by_day() -> None:
    by_day = {name for name, one in DATASETS.items() if generated.unique_over(one)[:1] == ["day"]}
    assert by_day == {"subscriber_state"}
    assert generated.unique_over(DATASETS["cdrs_sms"]) == ["event_id"]


def test_every_promise_of_a_contract_has_a_test() -> None:
    found = {(test.kind, test.dataset) for test in all_tests().values()}
    for name, dataset in DATASETS.items():
        assert {("unique_key", name), ("not_null_columns", name), ("recorded_rows", name)} <= found
        assert (("newest_day", name) in found) == dataset.daily
        refers = {test.name for test in all_tests().values() if test.dataset == name
                  and test.kind == "refers"}  # fmt: skip
        assert refers == {f"{name}_{key.column}_refers" for key in dataset.foreign_keys}


def test_every_test_has_a_damage() -> None:
    """What is added here without a fixture day on which it fails is found."""
    damaged = {one.test for one in HANDWRITTEN} | set(OTHERS)
    others = {test.name for test in all_tests().values() if not test.generated}
    assert damaged == others
    kinds = {test.kind for test in all_tests().values() if test.generated}
    assert kinds == {*KINDS, "newest_day"}


def nodes() -> dict[str, dict]:
    return json.loads(dbt_project.manifest().read_text(encoding="utf-8"))["nodes"]


def test_business_views_see_no_truth_and_of_the_state_what_a_register_tells() -> None:
    state = {name for name, one in DATASETS.items() if one.group in ("state", "truth")}
    allowed = {"prospects", "subscriber_state"}
    readers = set()
    for unique_id, node in nodes().items():
        if node["resource_type"] != "model" or "business" not in node["path"]:
            continue
        read = {
            parent.split(".")[-1].removeprefix("stg_") for parent in node["depends_on"]["nodes"]
        }
        assert not read & (state - allowed), unique_id
        assert not any(parent.startswith("source.") for parent in node["depends_on"]["nodes"])
        readers |= {node["name"]} if "subscriber_state" in read else set()
    assert readers == {"customer_months"}
    view = (dbt_project.PROJECT / "models/business/customer_months.sql").read_text()
    others = set(DATASETS["subscriber_state"].columns) - STATE_COLUMNS
    assert not [name for name in others if f" {name}" in view.split("from", 1)[0]]


def test_every_model_and_test_is_described() -> None:
    told = [node for node in nodes().values() if node["resource_type"] in ("model", "test")]
    assert len(told) > 300
    for node in told:
        assert node["description"], node["unique_id"]
        if node["resource_type"] == "model":
            assert all(column["description"] for column in node["columns"].values())


def test_nothing_is_reported_to_anybody() -> None:
    project = yaml.safe_load((dbt_project.PROJECT / "dbt_project.yml").read_text())
    assert project["flags"]["send_anonymous_usage_stats"] is False
    environ = dbt_project.environment("lake", {})
    assert environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] == "false"
    assert not list(dbt_project.PROJECT.glob("packages.yml")), "packages are fetched from a hub"


def test_nothing_that_dbt_makes_is_kept_by_git() -> None:
    made = ["dbt_checks/target/manifest.json", "dbt_checks/logs/dbt.log"]
    found = subprocess.run(
        ["git", "check-ignore", *made], cwd=dbt_project.PROJECT.parent, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert found.stdout.split() == made


def test_a_test_knows_its_dataset() -> None:
    found = all_tests()["cdrs_sms_cell_id_refers"]
    assert isinstance(found, DbtTest)
    assert (found.kind, found.dataset, found.arguments["column_name"]) == (
        "refers", "cdrs_sms", "cell_id",
    )  # fmt: skip
