"""Sensors that tell people of runs that ended: one for each way in which a run ends.

Belongs here: from a run in Dagster's book to what is told of it. Does not belong here: words,
mail servers and webhooks (`notifications`), why a run failed (`failures`).

All are off until they are switched on, in the UI or by TELCO_NOTIFY_STATUSES=failure,success.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final

import dagster as dg

from telco_pipeline import failures, sensors
from telco_pipeline.assets.live import NAME as LIVE
from telco_pipeline.dagster_private import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    IMPLICIT_ASSET_JOB_NAME,
    WILL_RETRY_TAG,
)
from telco_pipeline.errors import TelcoError
from telco_pipeline.jobs import PUSH
from telco_pipeline.notifications.message import FailedStep, RunReport, Status
from telco_pipeline.notifications.settings import STATUSES, TO, WEBHOOK, Notifications

NAMES: Final = {status: f"notify_{status}" for status in Status}
ASSETS: Final = "assets"
"""The word for what is launched from an asset's page, or as a backfill of assets: it is no job."""
MOST_ASSETS: Final = 3

_ENDS: Final = {
    Status.FAILURE: dg.DagsterRunStatus.FAILURE,
    Status.SUCCESS: dg.DagsterRunStatus.SUCCESS,
    Status.CANCELED: dg.DagsterRunStatus.CANCELED,
}
_HOW: Final = {
    Status.FAILURE: "fails: what failed, why, and what to do",
    Status.SUCCESS: "succeeds: its days, and how long it took",
    Status.CANCELED: "is cancelled",
}


def build_notify_sensors(jobs: Iterable[str]) -> list[dg.SensorDefinition]:
    """Build a sensor for each way in which a run ends.

    Args:
        jobs: Names of the jobs that there are.

    Raises:
        TelcoError: TELCO_NOTIFY_STATUSES switches some on, and a setting is wrong or names nobody
            to tell. Where it does not, the tick of a sensor that was switched on in the UI says so.
    """
    known = frozenset(jobs) | {ASSETS}
    on = Notifications.switched_on()
    if on and not Notifications.from_env(known).names_somebody:
        raise TelcoError(f"{STATUSES} is set, but nobody is told: set {TO} or {WEBHOOK}")
    return [_sensor(status, known, running=status in on) for status in Status]


def _sensor(status: Status, known: frozenset[str], *, running: bool) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=NAMES[status],
        run_status=_ENDS[status],
        minimum_interval_seconds=30,
        monitor_all_code_locations=False,
        default_status=dg.DefaultSensorStatus.RUNNING
        if running
        else dg.DefaultSensorStatus.STOPPED,
        description=f"Tells of each run that {_HOW[status]}. By e-mail or webhook, as the "
        "variables TELCO_NOTIFY_* say (docs/notifications.md).",
    )
    def notify(context: dg.RunStatusSensorContext) -> None:
        tell(context.instance, context.dagster_run, status, Notifications.from_env(known))

    return notify


def tell(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    status: Status,
    settings: Notifications,
) -> None:
    """Tell of a run that ended, if it is one that is told of.

    Args:
        instance: Where Dagster keeps its book.
        run: The run.
        status: How it ended.
        settings: Whom to tell, and of which jobs.

    Raises:
        TelcoError: Somebody was not told; the tick fails with that line, and the run's log has it
            too. The next tick goes on behind this run.
    """
    # Here and not at the top: what sends is not needed to know which sensors there are.
    from telco_pipeline.notifications.sending import send

    if not settings.wants(ASSETS if run.job_name == IMPLICIT_ASSET_JOB_NAME else run.job_name):
        return
    try:
        send(report_of(instance, run, status, settings.ui), settings)
    except TelcoError as error:
        # A tick that tells of several runs shows the end of the last one alone.
        instance.report_engine_event(str(error), run)
        raise


def report_of(
    instance: dg.DagsterInstance, run: dg.DagsterRun, status: Status, ui: str = ""
) -> RunReport:
    """Return what is told of a run.

    Args:
        instance: Where Dagster keeps its book.
        run: The run.
        status: How it ended.
        ui: Address of Dagster's UI; empty for no link.
    """
    record = instance.get_run_record_by_id(run.run_id)
    begun, ended = (record.start_time, record.end_time) if record else (None, None)
    failed = failures.of_run(instance, run.run_id) if status is Status.FAILURE else []
    return RunReport(
        run_id=run.run_id,
        job=_name_of(run),
        status=status,
        days=days_of(run),
        ended=dt.datetime.fromtimestamp(ended, dt.UTC) if ended else None,
        seconds=ended - begun if begun and ended else None,
        failed=tuple(FailedStep(one.step, one.line) for one in failed),
        advice=_advice(run, status, failed),
        link=f"{ui}/runs/{run.run_id}" if ui else "",
    )


def days_of(run: dg.DagsterRun) -> str:
    """Return the days that a run is for, in words; empty if it is for none."""
    tags = run.tags
    first = tags.get(ASSET_PARTITION_RANGE_START_TAG) or tags.get("dagster/partition", "")
    last = tags.get(ASSET_PARTITION_RANGE_END_TAG) or first
    return first if first == last else f"{first} to {last}"


def _name_of(run: dg.DagsterRun) -> str:
    """Return the job, or the assets of a run that has none."""
    if run.job_name != IMPLICIT_ASSET_JOB_NAME:
        return run.job_name
    chosen: Any = run.asset_selection or ()
    names = sorted(key.to_user_string() for key in chosen)
    more = len(names) - MOST_ASSETS
    told = ", ".join(names[:MOST_ASSETS]) + (f" and {more} more" if more > 0 else "")
    return f"materialising {told}" if names else "materialising assets"


def _advice(run: dg.DagsterRun, status: Status, failed: list[failures.Failure]) -> str:
    if status is Status.SUCCESS:
        return ""
    if status is Status.CANCELED:
        return "Nothing, if somebody meant to; else launch it again: what was made is kept."
    if run.tags.get(WILL_RETRY_TAG) == "true":
        return "Nothing yet: Dagster runs it again by itself."
    if run.job_name in (PUSH, LIVE):
        return sensors.recovery(run, failed[0].line)
    if failed[0].recover:
        return failed[0].recover
    return "Mend what it says, then re-execute the run from failure in Dagster."
