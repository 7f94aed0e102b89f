"""Schedules: which day they ask for, and which gaps they find."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from telco_pipeline import lineage, partitions
from telco_pipeline.definitions import build_defs
from telco_pipeline.schedules import fill_gaps, missing_days, request_day
from telco_pipeline_tests.shell.kit import (
    RANGE,
    Recorder,
    ephemeral,
    operation,
    recorder,
    run_job,
    tiny_world,
)

__all__ = ["recorder"]

EPOCH = dt.date(2026, 1, 1)
HISTORY = [dg.AssetKey(name) for name in lineage.HISTORY]
SMS = [dg.AssetKey("cdrs_sms")]
TICK = dt.datetime(2026, 1, 11, 1, 30, tzinfo=dt.UTC)


def tick(
    defs: dg.Definitions, name: str, instance: dg.DagsterInstance, when: dt.datetime = TICK
) -> ScheduleExecutionData:
    repository = defs.get_repository_def()
    schedule = repository.get_schedule_def(name)
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=when, repository_def=repository
    )
    return schedule.evaluate_tick(context)


@pytest.fixture
def defs(tmp_path: Path) -> dg.Definitions:
    return build_defs(config=tiny_world(), overrides={"operator": operation(tmp_path)})


def gaps(
    instance: dg.DagsterInstance, when: dt.datetime = TICK
) -> list[dg.RunRequest | dg.SkipReason]:
    return list(fill_gaps(instance, partitions.daily_partitions(EPOCH), EPOCH, when))


def day(instance: dg.DagsterInstance, wanted: dt.date) -> list[dg.RunRequest | dg.SkipReason]:
    daily = partitions.daily_partitions(EPOCH)
    return list(request_day(instance, daily, EPOCH, wanted, TICK))


def spans(asked: Sequence[dg.RunRequest | dg.SkipReason]) -> list[tuple[str, str]]:
    return [
        (each.tags[RANGE[0]], each.tags[RANGE[1]])
        for each in asked
        if isinstance(each, dg.RunRequest)
    ]


def reason(asked: Sequence[dg.RunRequest | dg.SkipReason]) -> str:
    (only,) = asked
    assert isinstance(only, dg.SkipReason)
    return only.skip_message or ""


def test_schedules_wait_for_a_world(defs: dg.Definitions) -> None:
    with dg.instance_for_test() as instance:
        for name in ("daily", "running_day", "coming_day", "fill_gaps"):
            data = tick(defs, name, instance)
            assert not data.run_requests
            assert "build_world" in (data.skip_message or "")


def test_schedules_ask_for_their_days(defs: dg.Definitions, recorder: Recorder) -> None:
    with dg.instance_for_test() as instance:
        run_job(defs, "build_world", instance)
        filled = tick(defs, "fill_gaps", instance).run_requests or []
        run_job(
            defs, "make_records", instance, ("2026-01-01", "2026-01-10"), asset_selection=HISTORY
        )
        (night,) = tick(defs, "daily", instance).run_requests or []
        (midnight,) = tick(defs, "running_day", instance).run_requests or []
        run_job(defs, "make_records", instance, ("2026-01-11", "2026-01-11"))
        again = tick(defs, "running_day", instance)
        (evening,) = tick(defs, "coming_day", instance).run_requests or []
    assert not again.run_requests
    assert "is made" in (again.skip_message or "")
    assert evening.partition_key == "2026-01-12"
    assert (night.partition_key, night.run_key) == ("2026-01-10", "2026-01-10")
    assert midnight.partition_key == "2026-01-11"
    assert spans(filled) == [("2026-01-01", "2026-01-10")]


def test_nothing_is_made_before_the_epoch(defs: dg.Definitions, recorder: Recorder) -> None:
    with ephemeral() as instance:
        run_job(defs, "build_world", instance)
        assert "before the epoch" in reason(day(instance, dt.date(2025, 12, 31)))
        assert reason(gaps(instance, dt.datetime(2026, 1, 1, 0, 45, tzinfo=dt.UTC)))


def test_all_days_are_a_gap_at_first(defs: dg.Definitions, recorder: Recorder) -> None:
    with ephemeral() as instance:
        run_job(defs, "build_world", instance)
        assert spans(gaps(instance)) == [("2026-01-01", "2026-01-10")]


def test_state_and_identities_come_first_and_from_the_epoch(
    defs: dg.Definitions, recorder: Recorder
) -> None:
    """State follows from day to day, and records are checked against all changes before them."""
    later = dt.datetime(2026, 6, 30, 0, 45, tzinfo=dt.UTC)
    with ephemeral() as instance:
        run_job(defs, "build_world", instance)
        (first,) = gaps(instance, later)
        assert isinstance(first, dg.RunRequest)
        assert first.asset_selection == HISTORY
        assert spans([first]) == [("2026-01-01", "2026-05-30")]
        before = dt.datetime(2026, 1, 31, 0, 45, tzinfo=dt.UTC)
        assert spans(gaps(instance, before)) == [("2026-01-01", "2026-01-30")]


def test_a_day_of_a_new_world_waits_for_state_and_identities(
    defs: dg.Definitions, recorder: Recorder
) -> None:
    """Its state could not be made, nor its records pass `identity`: no run may go red for that."""
    with dg.instance_for_test() as instance:
        run_job(defs, "build_world", instance)
        for name, eve in (("daily", "2026-01-09"), ("running_day", "2026-01-10")):
            (asked,) = tick(defs, name, instance).run_requests or []
            assert asked.asset_selection == HISTORY
            assert spans([asked]) == [("2026-01-01", eve)]
        run_job(
            defs, "make_records", instance, ("2026-01-01", "2026-01-09"), asset_selection=HISTORY
        )
        (night,) = tick(defs, "daily", instance).run_requests or []
        assert (night.partition_key, night.asset_selection) == ("2026-01-10", None)
        (midnight,) = tick(defs, "running_day", instance).run_requests or []
        assert spans([midnight]) == [("2026-01-10", "2026-01-10")]
        assert spans(gaps(instance)) == [("2026-01-01", "2026-01-10")], "who makes the day then"


@pytest.mark.parametrize("name", lineage.HISTORY)
def test_every_gap_in_the_past_is_asked_for_in_one_run(
    defs: dg.Definitions, recorder: Recorder, name: str
) -> None:
    """One run makes its days in order of time: two at once would wait for each other's state."""
    others = [key for key in HISTORY if key != dg.AssetKey(name)]
    with ephemeral() as instance:
        run_job(defs, "build_world", instance)
        run_job(
            defs, "make_records", instance, ("2026-01-01", "2026-01-08"), asset_selection=others
        )
        for made in ("2026-01-01", "2026-01-04"):
            run_job(
                defs, "make_records", instance, (made, made), asset_selection=[dg.AssetKey(name)]
            )
        (asked,) = day(instance, dt.date(2026, 1, 8))
        assert isinstance(asked, dg.RunRequest)
        assert spans([asked]) == [("2026-01-02", "2026-01-07")]
        assert asked.asset_selection == HISTORY


def test_the_first_day_needs_nothing_before_it(defs: dg.Definitions, recorder: Recorder) -> None:
    with ephemeral() as instance:
        run_job(defs, "build_world", instance)
        (only,) = day(instance, EPOCH)
        assert isinstance(only, dg.RunRequest)
        assert only.partition_key == "2026-01-01"


def be_making(
    monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance, first: str, last: str
) -> None:
    """Let an instance say that all datasets of some days are being made."""
    known = instance.get_status_by_partition

    def status(
        key: dg.AssetKey, keys: Sequence[str], daily: dg.PartitionsDefinition
    ) -> dict[str, dg.AssetPartitionStatus | None]:
        coming = {each for each in keys if first <= each <= last}
        found = dict(known(key, keys, daily) or {})
        return found | dict.fromkeys(coming, dg.AssetPartitionStatus.IN_PROGRESS)

    monkeypatch.setattr(instance, "get_status_by_partition", status)


def test_a_past_that_is_being_made_is_waited_for(
    defs: dg.Definitions, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = dt.datetime(2026, 6, 30, 0, 45, tzinfo=dt.UTC)
    with ephemeral() as instance:
        run_job(defs, "build_world", instance)
        be_making(monkeypatch, instance, "2026-01-01", "2026-01-02")
        told = "of 2026-01-01 to 2026-01-02 are being made"
        assert told in reason(day(instance, dt.date(2026, 1, 3)))
        assert told in reason(day(instance, dt.date(2026, 1, 8))), "days 3 to 7 follow from them"
        assert told in reason(gaps(instance)), "as do all gaps after them"
        assert told in reason(gaps(instance, later))


def test_gaps_before_what_is_being_made_are_filled(
    defs: dg.Definitions, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ephemeral() as instance:
        run_job(defs, "operate", instance, ("2026-01-01", "2026-01-05"))
        recorder.trouble["cdrs_sms"] = [ValueError("bug")]
        run_job(defs, "make_records", instance, ("2026-01-02", "2026-01-02"), asset_selection=SMS)
        be_making(monkeypatch, instance, "2026-01-06", "2026-01-08")
        assert spans(gaps(instance)) == [("2026-01-02", "2026-01-02")]


def test_no_gap_is_no_run(defs: dg.Definitions, recorder: Recorder) -> None:
    with ephemeral() as instance:
        run_job(defs, "operate", instance, ("2026-01-01", "2026-01-10"))
        assert "no gap" in reason(gaps(instance))


def test_gaps_are_found_between_what_is_there(defs: dg.Definitions, recorder: Recorder) -> None:
    with ephemeral() as instance:
        run_job(
            defs, "make_records", instance, ("2026-01-01", "2026-01-10"), asset_selection=HISTORY
        )
        run_job(defs, "operate", instance, ("2026-01-03", "2026-01-05"))
        run_job(defs, "operate", instance, ("2026-01-08", "2026-01-08"))
        asked = gaps(instance)
    keys = [each.run_key for each in asked if isinstance(each, dg.RunRequest)]
    assert spans(asked) == [
        ("2026-01-01", "2026-01-02"), ("2026-01-06", "2026-01-07"), ("2026-01-09", "2026-01-10"),
    ]  # fmt: skip
    assert len(set(keys)) == 3


def test_what_follows_a_day_without_state_is_one_run(
    defs: dg.Definitions, recorder: Recorder
) -> None:
    with ephemeral() as instance:
        run_job(defs, "operate", instance, ("2026-01-01", "2026-01-08"))
        recorder.trouble["cdrs_sms"] = [ValueError("bug")]
        run_job(defs, "make_records", instance, ("2026-01-02", "2026-01-02"), asset_selection=SMS)
        recorder.trouble["subscriber_state"] = [ValueError("bug")]
        run_job(defs, "make_records", instance, ("2026-01-05", "2026-01-06"))
        assert spans(gaps(instance)) == [
            ("2026-01-02", "2026-01-02"), ("2026-01-05", "2026-01-10"),
        ]  # fmt: skip


def test_a_failed_day_is_a_gap(defs: dg.Definitions, recorder: Recorder) -> None:
    with ephemeral() as instance:
        run_job(defs, "operate", instance, ("2026-01-01", "2026-01-10"))
        recorder.trouble["cdrs_sms"] = [ValueError("bug")]
        run_job(defs, "make_records", instance, ("2026-01-04", "2026-01-05"))
        assert spans(gaps(instance)) == [("2026-01-04", "2026-01-05")]


def test_a_day_without_one_dataset_is_a_gap(defs: dg.Definitions, recorder: Recorder) -> None:
    with ephemeral() as instance:
        run_job(
            defs, "make_records", instance, ("2026-01-01", "2026-01-03"),
            asset_selection=[dg.AssetKey("cdrs_voice")],
        )  # fmt: skip
        daily = partitions.daily_partitions(EPOCH)
        wanted = partitions.days_from(EPOCH, 3)
        assert missing_days(instance, daily, wanted) == wanted


def test_a_span_that_failed_is_asked_for_again(defs: dg.Definitions, recorder: Recorder) -> None:
    with ephemeral() as instance:
        run_job(defs, "build_world", instance)
        (first,) = gaps(instance)
        (second,) = gaps(instance, TICK + dt.timedelta(hours=6))
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key != second.run_key


def test_the_running_day_and_the_next_are_partitions() -> None:
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    keys = partitions.daily_partitions(EPOCH).get_partition_keys()
    assert (keys[0], keys[-1]) == ("2026-01-01", tomorrow.isoformat())
    later = tomorrow + dt.timedelta(days=40)
    assert partitions.daily_partitions(EPOCH, later).get_last_partition_key() == later.isoformat()


def test_spans() -> None:
    day = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(6)]
    assert partitions.spans([]) == []
    assert partitions.spans([day[2], day[0], day[1], day[4]]) == [
        (day[0], day[2]), (day[4], day[4]),
    ]  # fmt: skip
    assert partitions.label_of([day[0], day[1], day[4]]) == "2026-01-01 to 2026-01-02, 2026-01-05"
    assert partitions.label_of([]) == "none"
