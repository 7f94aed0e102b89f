"""Lineage: what each day is made from, in which order, and what a changed day makes stale."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from telco_pipeline import lineage
from telco_pipeline.assets import factory
from telco_pipeline.contracts import DAILY_DATASETS, DATASETS, STATIC_DATASETS
from telco_pipeline.definitions import build_defs
from telco_pipeline.partitions import daily_partitions
from telco_pipeline_tests.shell.kit import (
    Recorder,
    ephemeral,
    failures,
    operation,
    recorder,
    run_job,
    tiny_world,
)

__all__ = ["recorder"]

EPOCH = tiny_world().epoch
DAYS = daily_partitions(EPOCH)
STATE = "subscriber_state"
SIDE_BY_SIDE = ("network_faults", "network_state")
"""Daily datasets that are functions of the world and the date, so of no other day."""
OF_RECORDS = ("collected_files",)
"""Made from records alone."""
RECORDS = [
    name
    for name, dataset in DAILY_DATASETS.items()
    if name not in (*SIDE_BY_SIDE, STATE, *OF_RECORDS) and dataset.group != "truth"
]


@pytest.fixture(scope="module")
def deps() -> dict[str, dict[str, dg.AssetDep]]:
    """Return what each asset is made from, by name."""
    return {
        spec.key.to_user_string(): {dep.asset_key.to_user_string(): dep for dep in spec.deps}
        for spec in build_defs().resolve_all_asset_specs()
    }


def days_behind(dep: dg.AssetDep, key: str) -> list[str]:
    """Return the partitions of a source of which a day is made."""
    mapping = dep.partition_mapping or dg.TimeWindowPartitionMapping()
    found = mapping.get_upstream_mapped_partitions_result_for_partitions(
        DAYS.subset_with_partition_keys([key]), DAYS, DAYS
    )
    assert not found.required_but_nonexistent_subset.get_partition_keys()
    return sorted(found.partitions_subset.get_partition_keys())


def test_assets_hang_on_what_lineage_says(deps: dict[str, dict[str, dg.AssetDep]]) -> None:
    for name, dataset in DATASETS.items():
        own = {name} if dataset.follows else set()
        assert set(deps[name]) == {*lineage.sources_of(name), *own}, name
    assert [name for name in DATASETS if name in deps[name]] == [STATE], "one hangs on itself"


def test_state_comes_before_records_and_sums_after_them(
    deps: dict[str, dict[str, dg.AssetDep]],
) -> None:
    assert {name for name in deps[STATE] if name in DAILY_DATASETS} == {"network_state", STATE}
    assert {name for name in deps["identity_changes"] if name in DAILY_DATASETS} == {STATE}
    for name in SIDE_BY_SIDE:
        assert set(deps[name]) <= set(STATIC_DATASETS), "it looks at no record"
    calls = {"cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims"}
    for name in (*calls, "location_updates", "customer_service"):
        assert {"network_state", STATE, "identity_changes"} <= set(deps[name]), name
    assert {"network_faults", "network_state"} <= set(deps["alarms"])
    assert {"cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates"} <= set(deps["pm_counters"])


def test_state_follows_from_its_own_eve(deps: dict[str, dict[str, dg.AssetDep]]) -> None:
    own = deps[STATE][STATE]
    assert days_behind(own, "2026-01-05") == ["2026-01-04"]
    assert days_behind(own, str(EPOCH)) == [], "the first day has none"
    assert "2026-01-05" in days_behind(deps[STATE]["network_state"], "2026-01-05")


@pytest.mark.parametrize("name", RECORDS)
def test_records_look_at_the_day_and_its_eve(
    deps: dict[str, dict[str, dg.AssetDep]], name: str
) -> None:
    """What began before midnight is drawn again, so the state of the eve counts too."""
    state = [each for each in ("network_state", STATE) if each in DATASETS[name].depends]
    assert state, "nothing is made of a day but from its state"
    for source in state:
        assert days_behind(deps[name][source], "2026-01-05") == ["2026-01-04", "2026-01-05"]
        assert days_behind(deps[name][source], str(EPOCH)) == [str(EPOCH)]


def test_who_hangs_on_all_days() -> None:
    alone = {*SIDE_BY_SIDE, "alarms", "element_metrics", "network_logs", "truth_incidents"}
    assert {name for name in DAILY_DATASETS if not lineage.needs_history(name)} == alone
    watchers = alone - set(SIDE_BY_SIDE) - {"truth_incidents"}
    assert all(lineage.needs_network(name) for name in (*watchers, STATE, "cdrs_voice"))
    assert not any(lineage.needs_network(name) for name in SIDE_BY_SIDE)


def test_history_is_made_in_its_order() -> None:
    made = [name for name in DATASETS if name in lineage.HISTORY]
    assert made == list(lineage.HISTORY)
    world = {*STATIC_DATASETS, *lineage.HISTORY}
    for name in lineage.HISTORY:
        assert lineage.ancestors_of(name) <= world, "nothing else is needed for the past"


@pytest.mark.parametrize("job", ["make_records", "operate"])
def test_a_range_is_made_state_first(tmp_path: Path, recorder: Recorder, job: str) -> None:
    """Each dataset once, with all its days in order of time; production then makes state so."""
    span = tuple(EPOCH + dt.timedelta(days=offset) for offset in range(4))
    defs = build_defs(config=tiny_world(), overrides={"operator": operation(tmp_path)})
    with ephemeral() as instance:
        result = run_job(defs, job, instance, (str(span[0]), str(span[-1])))
    assert result.success, failures(result)
    made = recorder.made
    assert len(made) == len(set(made))
    assert {days for name, days, _ in recorder.asked if name in DAILY_DATASETS} == {span}
    for name in DAILY_DATASETS:
        for source in lineage.sources_of(name):
            if source in made:
                assert made.index(source) < made.index(name), f"{source} before {name}"


def test_a_changed_day_of_state_makes_its_day_and_the_next_stale(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster looks at no edge of an asset to itself: that state follows on is for who remakes."""
    defs = build_defs(config=tiny_world(), overrides={"operator": operation(tmp_path)}, daily=DAYS)
    keys = [f"2026-01-0{day}" for day in range(1, 6)]

    def stale(instance: dg.DagsterInstance, name: str) -> list[str]:
        found = CachingStaleStatusResolver(
            instance, defs.resolve_asset_graph(), LoadingContextForTest(instance)
        )
        asset = dg.AssetKey(name)
        status = {key: found.get_status(asset, key) for key in keys}
        assert set(status.values()) <= {StaleStatus.FRESH, StaleStatus.STALE}
        late = [key for key in keys if status[key] is StaleStatus.STALE]
        causes = [cause for key in late for cause in found.get_stale_causes(asset, key)]
        told = {(cause.dependency.asset_key, cause.dependency.partition_key) for cause in causes}
        assert not late or told == {(dg.AssetKey(STATE), "2026-01-02")}
        return late

    with ephemeral() as instance:
        run_job(defs, "operate", instance, (keys[0], keys[-1]))
        assert all(stale(instance, name) == [] for name in DAILY_DATASETS)
        again = ("2026-01-02", "2026-01-02")
        only = [dg.AssetKey(STATE)]
        run_job(defs, "make_records", instance, again, asset_selection=only)
        assert all(stale(instance, name) == [] for name in DAILY_DATASETS), "made alike"
        monkeypatch.setattr(factory, "_days_version", lambda *_: dg.DataVersion("other code"))
        run_job(defs, "make_records", instance, again, asset_selection=only)
        for name in ("identity_changes", "cdrs_voice", "location_updates", "customer_service"):
            assert stale(instance, name) == ["2026-01-02", "2026-01-03"], name
        for name in ("network_state", "network_faults", "alarms", "network_logs"):
            assert stale(instance, name) == [], name
