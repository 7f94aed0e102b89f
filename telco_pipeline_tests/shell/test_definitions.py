"""Every asset is described in full, names are what others rely on, loading reads no data."""

import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from telco_pipeline.assets.deliveries import GROUP as STREAMED
from telco_pipeline.assets.factory import build_asset
from telco_pipeline.assets.layers import key_of
from telco_pipeline.assets.warehouse import GROUP as LOADED
from telco_pipeline.checks.signatures import check_name
from telco_pipeline.code_version import code_version
from telco_pipeline.contracts import DATASETS
from telco_pipeline.definitions import build_defs
from telco_pipeline.partitions import daily_partitions
from telco_pipeline.scenarios.loading import load_layers
from telco_pipeline.settings import DEFAULT_WORLD_FILE, load_world
from telco_pipeline_tests.shell.kit import tiny_world

WORLD = Path(__file__).parents[2] / "scenarios" / "world.yaml"
README = Path(__file__).parents[2] / "README.md"
REPORT = "realism_report"
"""The one asset that is neither a dataset nor a topic nor a table."""
HISTORY = ("subscribers_history", "subscribers_changes")
TOPICS = {
    "cdrs", "network_logs", "customer_service", "location_updates", "alarms", "counters", "users",
    "truth",
}  # fmt: skip


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    """Return the operator without scenario layers: adding one must not change these tests."""
    return build_defs(config=load_world())


@pytest.fixture(scope="module")
def layered() -> dg.Definitions:
    """Return the operator as Dagster loads it."""
    return build_defs(dbt=True)


def specs_of_datasets(defs: dg.Definitions) -> list[dg.AssetSpec]:
    return [
        spec
        for spec in defs.resolve_all_asset_specs()
        if spec.key != dg.AssetKey(REPORT) and spec.group_name not in (STREAMED, LOADED)
    ]


def lacking(spec: dg.AssetSpec) -> list[str]:
    """Return what an asset's definition lacks of what it must tell."""
    schema = spec.metadata.get("dagster/column_schema")
    columns = schema.columns if isinstance(schema, dg.TableSchema) else []
    told = {
        "description": bool(spec.description and len(spec.description) > 20),
        "owner": bool(spec.owners),
        "group": spec.group_name not in (None, "default"),
        "kind": bool(spec.kinds),
        "code version": bool(spec.code_version),
        "domain tag": "domain" in spec.tags,
        "personal-data tag": spec.tags.get("personal-data") in ("yes", "no"),
        "layout tag": "layout" in spec.tags,
        "column schema": bool(columns),
        "column descriptions": all(column.description for column in columns),
        # Nobody must stream or load: a topic or table without a day is not overdue.
        "freshness": spec.partitions_def is None
        or spec.freshness_policy is not None
        or spec.group_name in (STREAMED, LOADED),
    }
    return [what for what, there in told.items() if not there]


def test_every_asset_tells_what_it_is(defs: dg.Definitions) -> None:
    poor = {spec.key.to_user_string(): lacking(spec) for spec in defs.resolve_all_asset_specs()}
    assert {name: what for name, what in poor.items() if what} == {}


def test_a_poor_asset_is_noticed() -> None:
    @dg.asset
    def poor() -> None:
        """Short."""

    assert {"description", "owner", "kind", "column schema", "group", "code version"} <= set(
        lacking(next(iter(poor.specs)))
    )


def test_column_schema_is_the_contract(defs: dg.Definitions) -> None:
    for spec in specs_of_datasets(defs):
        dataset = DATASETS[spec.key.to_user_string()]
        columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
        assert list(columns) == dataset.columns
        for name, contract in dataset.schema.columns().items():
            assert columns[name].constraints.nullable == contract.nullable
            personal = (contract.metadata or {}).get("personal")
            assert columns[name].tags.get("personal-data") == personal
    subscribers = next(
        spec for spec in defs.resolve_all_asset_specs() if spec.key == dg.AssetKey("subscribers")
    )
    by_name = {c.name: c for c in subscribers.metadata["dagster/column_schema"].columns}
    assert by_name["subscriber_id"].constraints.unique
    assert "exists in cells.cell_id" in by_name["home_cell_id"].constraints.other
    assert "E.212" in (by_name["imsi"].description or "")


def test_names_that_others_rely_on(defs: dg.Definitions) -> None:
    """A snapshot: a name that goes or comes is a change for schedules, links and bookmarks."""
    assert {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()} == {
        "places", "sites", "network_elements", "network_links", "cells", "devices", "plans",
        "subscribers", "cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims",
        "location_updates", "network_logs", "customer_service", "social_ties", "identity_changes",
        "prospects", "network_faults", "network_state", "subscriber_state", "alarms",
        "element_metrics", "pm_counters", "collected_files", "truth_incidents", "truth_entities",
        "truth_records", REPORT, *(f"kafka/{topic}" for topic in TOPICS),
        *(f"warehouse/{name}" for name in (*DATASETS, *HISTORY)),
    }  # fmt: skip
    jobs = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
    assert jobs == {
        "operate", "build_world", "make_records", "what_if", "counterfactual", "realism",
        "scenarios", "push", "live_stream", "load_warehouse",
    }  # fmt: skip
    repository = defs.get_repository_def()
    schedules = {schedule.name: schedule.cron_schedule for schedule in repository.schedule_defs}
    assert schedules == {
        "daily": "30 1 * * *",
        "running_day": "5 0 * * *",
        "coming_day": "30 20 * * *",
        "fill_gaps": "45 */6 * * *",
        "load_days": "15 2,8,14,20 * * *",
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "push_days", "live", "push_failed", "notify_failure", "notify_success", "notify_canceled",
    }  # fmt: skip


def test_groups(defs: dg.Definitions) -> None:
    """A snapshot, as of names: the UI folds assets by them."""
    groups: dict[str, set[str]] = {}
    for spec in defs.resolve_all_asset_specs():
        groups.setdefault(str(spec.group_name), set()).add(spec.key.to_user_string())
    assert groups["state"] == {"prospects", "network_faults", "network_state", "subscriber_state"}
    assert groups["oss"] == {"alarms", "element_metrics", "network_logs", "pm_counters"}
    assert groups["subscribers"] == {"subscribers", "social_ties", "identity_changes"}
    assert set(groups) == {
        "places", "network", "catalogue", "subscribers", "cdrs", "mobility", "state", "oss", "care",
        "truth", "analytics", "streaming", "warehouse",
    }  # fmt: skip
    assert groups["warehouse"] == {f"warehouse/{name}" for name in (*DATASETS, *HISTORY)}
    assert groups["streaming"] == {f"kafka/{topic}" for topic in TOPICS}


def test_everything_is_described_and_off(defs: dg.Definitions) -> None:
    repository = defs.get_repository_def()
    assert all(schedule.description for schedule in repository.schedule_defs)
    assert {s.default_status for s in repository.schedule_defs} == {
        dg.DefaultScheduleStatus.STOPPED
    }
    assert all(sensor.description for sensor in repository.sensor_defs)
    assert {s.default_status for s in repository.sensor_defs} == {dg.DefaultSensorStatus.STOPPED}
    jobs = [job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
    assert all(job.description for job in jobs)


def test_schedules_are_switched_on_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELCO_SCHEDULES", "on")
    schedules = build_defs().get_repository_def().schedule_defs
    off = {s.name for s in schedules if s.default_status != dg.DefaultScheduleStatus.RUNNING}
    assert off == {"load_days"}, "which wants a database too"


def test_a_range_is_one_run(defs: dg.Definitions) -> None:
    # Mixed backfill policies would make the whole job one run for each day.
    for name in ("operate", "make_records", "what_if", "push"):
        job = defs.resolve_job_def(name)
        assert job.backfill_policy == dg.BackfillPolicy.single_run()
        assert job.partitions_def is not None
    assert defs.resolve_job_def("build_world").partitions_def is None


def test_every_check_blocks_and_says_what_it_promises(defs: dg.Definitions) -> None:
    guarded = set()
    for checks in defs.asset_checks or []:
        for spec in checks.check_specs:
            name = spec.asset_key.to_user_string()
            guarded.add(name)
            # How real records look is a warning only, and nothing is made from a topic.
            assert spec.blocking == (name in DATASETS)
            assert spec.description
    streamed = {f"kafka/{topic}" for topic in TOPICS - {"users"}}
    loaded = {f"warehouse/{name}" for name in (*DATASETS, HISTORY[0])}
    guards = {*DATASETS, REPORT, *streamed, *loaded}
    assert guarded == guards, "a compacted topic holds no whole day"


def test_every_layer_file_is_an_asset_with_its_checks(layered: dg.Definitions) -> None:
    """Adding a file adds both; none of them is run with the records of a day."""
    layers = load_layers(WORLD)
    assert len(layers) >= 20
    keys = {key_of(name) for name in layers}
    specs = {spec.key: spec for spec in layered.resolve_all_asset_specs()}
    assert keys == {key for key in specs if key.path[0] == "scenarios"}
    for name, layer in layers.items():
        spec = specs[key_of(name)]
        assert layer.title in (spec.description or "")
        assert spec.group_name == "scenarios"
        assert layer.layer_hash in (spec.code_version or "")
    promised = {(key_of(name), check_name(one)) for name, layer in layers.items()
                for one in layer.signatures}  # fmt: skip
    told = [spec for checks in layered.asset_checks or [] for spec in checks.check_specs]
    assert promised <= {(spec.asset_key, spec.name) for spec in told}
    assert all(spec.description and not spec.blocking for spec in told if spec.asset_key in keys)
    operate = layered.resolve_job_def("operate").asset_layer
    assert keys <= set(operate.selected_asset_keys)
    assert not {key.asset_key for key in operate.asset_graph.asset_check_keys} & keys


def test_a_changed_world_makes_its_datasets_stale() -> None:
    def versions(**world: object) -> dict[str, str | None]:
        config = tiny_world(**world)
        daily = daily_partitions(config.epoch)
        assets = [build_asset(dataset, config, daily) for dataset in DATASETS.values()]
        return {spec.key.to_user_string(): spec.code_version for a in assets for spec in a.specs}

    before, same, after = versions(), versions(), versions(seed=43)
    assert before == same
    assert all(before[name] != after[name] for name in DATASETS)
    known = tuple(f"{code_version(daily=daily)}-" for daily in (True, False))
    assert all(str(version).startswith(known) for version in before.values())


LOAD = """
import builtins, io, os, sys
from pathlib import Path
lake = Path(sys.argv[1]).resolve()
opened = []
def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "os.mkdir") and arguments:
        opened.append(str(arguments[0]))
sys.addaudithook(note)
import telco_pipeline.definitions as definitions
definitions.defs.get_repository_def()
touched = [path for path in opened if path.startswith(str(lake)) or path.endswith(".parquet")]
assert not touched, touched
assert any(path.endswith("world.yaml") for path in opened), "the watch sees nothing"
heavy = {"matplotlib", "faker", "telco_pipeline.production"} & set(sys.modules)
assert not heavy, heavy
"""


def test_loading_reads_no_data(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    (lake / "places").mkdir(parents=True)
    (lake / "places" / "part-00000.parquet").write_text("not a file that anyone may open")
    environment = {
        "PATH": "/usr/bin:/bin",
        "TELCO_LAKE": str(lake),
        "TELCO_WORLD": str(DEFAULT_WORLD_FILE),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(lake)],
        env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
def test_the_readme_counts_what_its_selections_show(layered: dg.Definitions) -> None:
    graph = layered.resolve_asset_graph()
    told = re.findall(
        r"^\| `([^`]*:[^`]*)` \| .* (\d+) assets \|$", README.read_text(), re.MULTILINE
    )
    assert len(told) == 3
    shown = {text: len(dg.AssetSelection.from_string(text).resolve(graph)) for text, _ in told}
    assert {text: int(count) for text, count in told} == shown
