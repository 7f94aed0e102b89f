"""Runs: ranges, worlds, blocking checks, retries, what the command gets back."""

import datetime as dt
import errno
from pathlib import Path

import dagster as dg
import pytest

from telco_pipeline import causality, runs
from telco_pipeline.assets import faults
from telco_pipeline.causality import Rates, Stratum
from telco_pipeline.contracts import DAILY_DATASETS, STATIC_DATASETS
from telco_pipeline.definitions import build_defs
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.production import PartitionReport
from telco_pipeline_tests.shell.kit import (
    ALL,
    Recorder,
    ephemeral,
    fail_checks,
    failures,
    operation,
    recorder,
    run_job,
    tiny_world,
)

__all__ = ["recorder"]

JANUARY = ("2026-01-01", "2026-01-03")
DAYS = [dt.date(2026, 1, day) for day in (1, 2, 3)]
VOICE = dg.AssetKey("cdrs_voice")


def defs_for(root: Path, **changes: object) -> dg.Definitions:
    return build_defs(overrides={"operator": operation(root, **changes)})


def records(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str | None, dict[str, object]]:
    """Return the metadata of each partition's materialisation."""
    found = instance.fetch_materializations(key, limit=100).records
    return {
        record.partition_key: {
            name: value.value for name, value in record.asset_materialization.metadata.items()
        }
        for record in found
        if record.asset_materialization
    }


def test_each_day_of_a_range_has_its_own_figures(tmp_path: Path, recorder: Recorder) -> None:
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "operate", instance, JANUARY)
        assert result.success, failures(result)
        days = records(instance, VOICE)
        assert {key: told["dagster/row_count"] for key, told in days.items()} == {
            "2026-01-01": 101, "2026-01-02": 102, "2026-01-03": 103,
        }  # fmt: skip
        assert days["2026-01-02"]["content_hash"] == "cdrs_voice-2026-01-02-102"
        assert days["2026-01-02"]["seed"] == tiny_world().seed
        assert days["2026-01-02"]["rows_per_second"] == 204
        assert records(instance, dg.AssetKey("places"))[None]["dagster/row_count"] == 100
    assert recorder.made.count("cdrs_voice") == 1, "a range is one call"
    assert ("cdrs_voice", tuple(DAYS), "main") in recorder.asked


def test_a_single_day(tmp_path: Path, recorder: Recorder) -> None:
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "make_records", instance, partition_key="2026-01-02")
        assert result.success, failures(result)
        assert set(records(instance, VOICE)) == {"2026-01-02"}
    assert set(recorder.made) == set(DAILY_DATASETS)


def test_data_version_of_static_datasets_is_their_content(
    tmp_path: Path, recorder: Recorder
) -> None:
    with ephemeral() as instance:
        run_job(defs_for(tmp_path), "build_world", instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("plans"))
        assert event is not None
        assert event.asset_materialization is not None
        assert (event.asset_materialization.tags or {})["dagster/data_version"] == "plans-None-100"


def test_data_version_of_a_day_does_not_depend_on_its_range(
    tmp_path: Path, recorder: Recorder
) -> None:
    def version(span: tuple[str, str]) -> str:
        with ephemeral() as instance:
            run_job(defs_for(tmp_path), "operate", instance, span)
            found = instance.fetch_materializations(
                dg.AssetRecordsFilter(asset_key=VOICE, asset_partitions=["2026-01-02"]), limit=1
            ).records[0]
            assert found.asset_materialization is not None
            return (found.asset_materialization.tags or {})["dagster/data_version"]

    assert version(JANUARY) == version(("2026-01-02", "2026-01-02"))


def test_a_failed_check_stops_what_comes_after(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_checks(monkeypatch, {("subscribers", "foreign_keys"): [None]})
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "operate", instance, JANUARY)
        assert not result.success
        assert set(failures(result)) == {"subscribers_checks"}
        checks = {
            (each.asset_key.to_user_string(), each.check_name): each
            for each in result.get_asset_check_evaluations()
        }
    told = checks["subscribers", "foreign_keys"]
    assert not told.passed
    assert told.metadata["offenders"].value == 3
    assert "subscriber_id" in str(told.metadata["sample"].value)
    assert told.metadata["recover"].value == "telco generate --datasets subscribers --replace"
    assert checks["subscribers", "unique"].passed
    hangs_on_it = {"social_ties"}
    assert set(recorder.made) == set(STATIC_DATASETS) - hangs_on_it


def test_a_check_of_a_range_names_the_days_that_failed(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_checks(monkeypatch, {("cdrs_sms", "times"): [DAYS[0], DAYS[2]]})
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "operate", instance, JANUARY)
        (told,) = [
            each
            for each in result.get_asset_check_evaluations()
            if (each.asset_key.to_user_string(), each.check_name) == ("cdrs_sms", "times")
        ]
    assert not told.passed
    assert told.metadata["days_checked"].value == "2026-01-01 to 2026-01-03"
    assert told.metadata["days_failed"].value == "2026-01-01, 2026-01-03"
    assert told.metadata["offenders"].value == 6
    assert "| 2026-01-03 | 3 |" in str(told.metadata["failures"].value)


def test_checks_run_alone_again(tmp_path: Path, recorder: Recorder) -> None:
    with ephemeral() as instance:
        defs = build_defs(overrides={"operator": operation(tmp_path)})
        job = dg.define_asset_job(
            "again", selection=dg.AssetSelection.checks_for_assets(dg.AssetKey("plans"))
        )
        again = dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
        result = run_job(again, "again", instance)
    assert result.success
    assert recorder.made == []
    assert result.get_asset_check_evaluations()


def test_an_error_for_people_is_not_tried_again(tmp_path: Path, recorder: Recorder) -> None:
    recorder.trouble["plans"] = [TelcoError("the lake holds another world: choose another --lake")]
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "build_world", instance)
    assert not result.success
    assert failures(result) == {"plans": "the lake holds another world: choose another --lake"}
    assert recorder.made.count("plans") == 1
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


def busy() -> TelcoError:
    error = TelcoError("cannot write /lake: Device or resource busy")
    error.__cause__ = OSError(errno.EBUSY, "Device or resource busy")
    return error


@pytest.mark.parametrize(
    "fault",
    [OSError(errno.ESTALE, "Stale file handle"), ConnectionResetError("reset"), busy()],
    ids=["stale", "connection", "lake"],
)
def test_a_transient_fault_is_tried_again(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(faults, "FIRST_WAIT_SECONDS", 0.01)
    recorder.trouble["plans"] = [fault, fault]
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "build_world", instance)
    assert result.success, failures(result)
    assert recorder.made.count("plans") == 3


def test_transient_faults_end_some_time(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "FIRST_WAIT_SECONDS", 0.001)
    recorder.trouble["plans"] = [OSError(errno.EAGAIN, "again")] * 9
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "build_world", instance)
    assert not result.success
    assert recorder.made.count("plans") == 1 + faults.MAX_RETRIES


@pytest.mark.parametrize("bug", [ValueError("bug"), OSError(errno.ENOSPC, "full")], ids=str)
def test_other_errors_fail_at_once(tmp_path: Path, recorder: Recorder, bug: Exception) -> None:
    recorder.trouble["plans"] = [bug, bug]
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "build_world", instance)
    assert not result.success
    assert recorder.made.count("plans") == 1


def test_waits_grow() -> None:
    assert [faults.wait_before(number) for number in range(3)] == [2.0, 4.0, 8.0]


def test_another_world_leaves_no_trace_in_the_main_one(tmp_path: Path, recorder: Recorder) -> None:
    """Guards the tag of Dagster on which this stands."""
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path, world="calm"), "what_if", instance, JANUARY)
        assert result.success, failures(result)
        assert {world for _, _, world in recorder.asked} == {"calm"}
        assert set(recorder.made) == set(ALL)
        assert records(instance, VOICE) == {}
        assert instance.get_latest_materialization_event(dg.AssetKey("places")) is None
        assert not result.get_asset_check_evaluations()
        observed = instance.fetch_observations(VOICE, limit=10).records
        assert {record.partition_key for record in observed} == {str(day) for day in DAYS}


def test_another_world_is_checked_too(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_checks(monkeypatch, {("subscribers", "unique"): [None]})
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path, world="calm"), "what_if", instance, JANUARY)
    assert "check unique failed" in failures(result)["subscribers"]
    assert "cdrs_voice" not in recorder.made


def test_another_world_needs_its_job(tmp_path: Path, recorder: Recorder) -> None:
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path, world="calm"), "build_world", instance)
    assert "`what_if`" in failures(result)["places"]
    assert recorder.made == []


def test_the_main_world_is_never_made_without_a_book(tmp_path: Path, recorder: Recorder) -> None:
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path), "what_if", instance, JANUARY)
    assert "give it a name" in failures(result)["places"]
    assert recorder.made == []


def test_a_run_for_no_day_says_so(tmp_path: Path, recorder: Recorder) -> None:
    """The launchpad starts a job with partitions without one too."""
    with ephemeral() as instance:
        result = run_job(defs_for(tmp_path, world="calm"), "what_if", instance)
    assert "this run is for no day" in failures(result)["network_state"]
    assert "cdrs_voice" not in recorder.made


def run(tmp_path: Path, **options: object) -> runs.RunSummary:
    with ephemeral() as instance:
        return runs.run_operator(
            tiny_world(), tmp_path, **{"instance": instance, "days": 3, **options}
        )


def test_run_operator_tells_what_came_of_it(tmp_path: Path, recorder: Recorder) -> None:
    seen: list[PartitionReport] = []
    summary = run(tmp_path, on_progress=seen.append)
    assert summary.success
    assert [each.dataset for each in summary.datasets] == ALL
    assert len(seen) == len(STATIC_DATASETS) + 3 * len(DAILY_DATASETS)
    assert {each.dataset: each.rows for each in summary.datasets}["cdrs_voice"] == 306
    assert {finding.day for finding in summary.findings} == {None, *DAYS}
    assert all(finding.passed for finding in summary.findings)
    # Comparisons over all days come once, and with their figures.
    compared = [each for each in summary.findings if each.check in causality.CHAINS]
    assert [each.check for each in compared] == list(causality.CHAINS)
    assert all(each.message.startswith("not enough cases: 0 and 0") for each in compared)
    assert (summary.failures, summary.skipped) == ([], [])


def test_run_operator_tells_errors_and_failed_checks(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_checks(monkeypatch, {("cdrs_sms", "times"): [DAYS[1]]})
    recorder.trouble["cdrs_ims"] = [TelcoError("the disk is full: free some space")]
    recorder.trouble["cdrs_data"] = [ZeroDivisionError("division by zero")]
    summary = run(tmp_path)
    assert not summary.success
    failed = [(each.dataset, each.day) for each in summary.findings if not each.passed]
    assert failed == [("cdrs_sms", DAYS[1])]
    told = {failure.step: failure for failure in summary.failures}
    assert set(told) == {"cdrs_ims", "cdrs_data"}
    assert told["cdrs_ims"].message == "the disk is full: free some space"
    assert told["cdrs_ims"].expected
    assert told["cdrs_data"].message == "ZeroDivisionError: division by zero"
    assert not told["cdrs_data"].expected
    assert "Traceback" in told["cdrs_data"].details or "Stack Trace" in told["cdrs_data"].details


@pytest.mark.parametrize(
    ("counted", "doubt"),
    [(Stratum(40, 1000, 40, 1000), True), (Stratum(2, 10_000, 60, 10_000), False)],
    ids=["chance alone", "wrong way round"],
)
def test_a_comparison_fails_a_run_only_if_it_is_surely_wrong(
    tmp_path: Path,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    counted: Stratum,
    doubt: bool,
) -> None:
    rates = [Rates(name, (counted,)) for name in causality.CHAINS]
    monkeypatch.setattr(causality, "chain_rates", lambda lake: rates)
    summary = run(tmp_path)
    assert summary.success == doubt
    assert summary.failures == [], "it is a check that failed"
    compared = [each for each in summary.findings if each.check in causality.CHAINS]
    assert [(each.passed, each.doubt, each.failed) for each in compared] == [
        (False, doubt, not doubt)
    ] * len(causality.CHAINS)


def test_run_operator_tells_what_was_skipped(tmp_path: Path, recorder: Recorder) -> None:
    recorder.trouble["places"] = [TelcoError("no places")]
    summary = run(tmp_path)
    assert "subscribers" in summary.skipped
    assert "places" not in summary.skipped


def test_run_operator_makes_what_is_asked_and_what_it_lacks(
    tmp_path: Path, recorder: Recorder
) -> None:
    summary = run(tmp_path, datasets=["network_logs"])
    made = {*STATIC_DATASETS, "network_state", "network_logs"}
    assert {each.dataset for each in summary.datasets} == made
    assert {finding.dataset for finding in summary.findings} == made
    assert run(tmp_path, datasets=["plans"]).success, "no days are needed"


def test_another_world_may_go_unchecked(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that would fail is not asked then; otherwise it stops the run."""
    fail_checks(monkeypatch, {("cdrs_voice", "unique"): [DAYS[0]]})
    assert run(tmp_path / "unchecked", world="calm", checked=False).success
    checked = run(tmp_path / "checked", world="calm")
    assert not checked.success
    assert "cdrs_voice" in [failure.step for failure in checked.failures]


def test_run_operator_makes_another_world(tmp_path: Path, recorder: Recorder) -> None:
    summary = run(tmp_path, world="calm")
    assert summary.success
    assert summary.world == "calm"
    assert summary.findings


def test_run_operator_goes_ahead_of_the_clock(tmp_path: Path, recorder: Recorder) -> None:
    ahead = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=40)
    summary = run(tmp_path, first=ahead, days=2)
    assert summary.success
    assert ("cdrs_voice", (ahead, ahead + dt.timedelta(days=1)), "main") in recorder.asked


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first": dt.date(2025, 12, 31)}, "epoch"),
        ({"days": 0}, "0 days"),
        ({"datasets": ["cdrs_fax"]}, "cdrs_fax"),
        ({"first": dt.date(2044, 10, 1)}, "2044-10"),
    ],
)
def test_run_operator_refuses_what_cannot_be(
    tmp_path: Path, recorder: Recorder, options: dict[str, object], message: str
) -> None:
    with pytest.raises(TelcoError, match=message):
        run(tmp_path, **options)
    assert recorder.made == []


def test_run_operator_keeps_book_in_dagster_home(
    tmp_path: Path,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    summary = run(tmp_path / "lake", instance=None, datasets=["plans"])
    assert summary.success
    assert capfd.readouterr().err == ""
    with dg.DagsterInstance.get() as instance:
        assert instance.get_run_by_id(summary.run_id) is not None
        assert records(instance, dg.AssetKey("plans"))


@pytest.mark.parametrize("home", ["relative/home", "a file"])
def test_a_wrong_dagster_home_is_told(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    if home == "a file":
        (tmp_path / "file").write_text("")
        home = str(tmp_path / "file")
    monkeypatch.setenv("DAGSTER_HOME", home)
    with pytest.raises(TelcoError, match="DAGSTER_HOME"):
        run(tmp_path, instance=None)


def test_lakes_of_worlds_are_apart(tmp_path: Path) -> None:
    main, calm = Lake(tmp_path), Lake(tmp_path, world="calm")
    assert main.directory("plans") != calm.directory("plans")
