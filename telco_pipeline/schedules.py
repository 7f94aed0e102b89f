"""Schedules: each day on its own, what was missed, and what is to be loaded.

Belongs here: when a job runs and for which days. Does not belong here: what runs (`jobs`). All are
off until they are switched on, in the UI or by TELCO_SCHEDULES=on.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import dagster as dg

from telco_pipeline import lineage, partitions
from telco_pipeline.assets import history, warehouse
from telco_pipeline.contracts import DAILY_DATASETS, STATIC_DATASETS
from telco_pipeline.dagster_private import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)
from telco_pipeline.jobs import BUILD_WORLD, LOAD_WAREHOUSE, MAKE_RECORDS

DAILY = "daily"
RUNNING_DAY = "running_day"
COMING_DAY = "coming_day"
FILL_GAPS = "fill_gaps"
LOAD_DAYS = "load_days"
GAP_HORIZON_DAYS = 30
NO_WORLD = f"there is no world yet to make records in: run the job `{BUILD_WORLD}` once"
DONE = frozenset({dg.AssetPartitionStatus.MATERIALIZED})
DONE_OR_COMING = DONE | {dg.AssetPartitionStatus.IN_PROGRESS}
HISTORY_FIRST = (
    "Where state or identities of earlier days are missing it asks for those alone; "
    f"`{FILL_GAPS}` then makes the day once it is over."
)


def build_schedules(
    daily: dg.DailyPartitionsDefinition,
    epoch: dt.date,
    *,
    on: bool = False,
    load_on: bool = False,
) -> list[dg.ScheduleDefinition]:
    """Build all schedules.

    Args:
        daily: The days that exist.
        epoch: The first of them.
        on: Whether those that make days run without being switched on.
        load_on: Whether the one that loads them into the warehouse does.
    """

    def status_of(running: bool) -> dg.DefaultScheduleStatus:
        return dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED

    status = status_of(on)

    @dg.schedule(
        name=DAILY,
        job_name=MAKE_RECORDS,
        cron_schedule="30 1 * * *",
        execution_timezone="UTC",
        default_status=status,
        description=f"Every night at 01:30 UTC: the day that is over. {HISTORY_FIRST}",
    )
    def every_night(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        tick = context.scheduled_execution_time
        yield from request_day(
            context.instance, daily, epoch, _day_of(tick) - dt.timedelta(days=1), tick
        )

    @dg.schedule(
        name=RUNNING_DAY,
        job_name=MAKE_RECORDS,
        cron_schedule="5 0 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Every night at 00:05 UTC: the day that begins, where it was not made in the "
        f"evening before. {HISTORY_FIRST}",
    )
    def every_midnight(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        tick = context.scheduled_execution_time
        day = _day_of(tick)
        if not missing_days(context.instance, daily, [day]):
            yield dg.SkipReason(f"{day} is made, or being made")
            return
        yield from request_day(context.instance, daily, epoch, day, tick)

    @dg.schedule(
        name=COMING_DAY,
        job_name=MAKE_RECORDS,
        cron_schedule="30 20 * * *",
        execution_timezone="UTC",
        default_status=status,
        description="Every evening at 20:30 UTC: the next day, so that a live stream goes on over "
        f"midnight. {HISTORY_FIRST}",
    )
    def every_evening(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        tick = context.scheduled_execution_time
        tomorrow = _day_of(tick) + dt.timedelta(days=1)
        yield from request_day(context.instance, daily, epoch, tomorrow, tick)

    @dg.schedule(
        name=FILL_GAPS,
        job_name=MAKE_RECORDS,
        cron_schedule="45 */6 * * *",
        execution_timezone="UTC",
        default_status=status,
        description=f"Every 6 hours: days of the last {GAP_HORIZON_DAYS} that are missing or "
        "failed in any dataset, one run for each unbroken span of them, and one for all that comes "
        "after a day without state; state and identities first, of all days since the epoch.",
    )
    def every_six_hours(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from fill_gaps(context.instance, daily, epoch, context.scheduled_execution_time)

    @dg.schedule(
        name=LOAD_DAYS,
        job_name=LOAD_WAREHOUSE,
        cron_schedule="15 2,8,14,20 * * *",
        execution_timezone="UTC",
        default_status=status_of(load_on),
        description=f"Every 6 hours: days of the last {GAP_HORIZON_DAYS} of which every dataset is "
        "made and some table is not loaded, one run for each unbroken span of them. A day that was "
        "made anew since is not among them: launch the job for it.",
    )
    def after_each_making(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from load_made(context.instance, daily, epoch, context.scheduled_execution_time)

    return [every_night, every_midnight, every_evening, every_six_hours, after_each_making]


def request_day(
    instance: dg.DagsterInstance,
    daily: dg.DailyPartitionsDefinition,
    epoch: dt.date,
    day: dt.date,
    tick: dt.datetime,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for a day, or for what its records are checked against where that is missing.

    Its state follows from all days since the epoch, and so do the identities that its records
    bear: before those are made a run of the day could only fail. `fill_gaps` makes it after them.

    Args:
        instance: Where Dagster keeps its book.
        daily: The days that exist.
        epoch: The first of them.
        day: The day.
        tick: When the schedule asks.
    """
    if not world_is_built(instance):
        yield dg.SkipReason(NO_WORLD)
        return
    if day < epoch:
        yield dg.SkipReason(f"{day} is before the epoch {epoch}")
        return
    before = partitions.days_from(epoch, (day - epoch).days)
    first_of_all = request_history(instance, daily, before, tick)
    yield from first_of_all
    if not first_of_all:
        yield dg.RunRequest(run_key=day.isoformat(), partition_key=partitions.key_of(day))


def request_history(
    instance: dg.DagsterInstance,
    daily: dg.DailyPartitionsDefinition,
    before: list[dt.date],
    tick: dt.datetime,
) -> list[dg.RunRequest | dg.SkipReason]:
    """Ask for the state and the changes of identity that are missing.

    Args:
        instance: Where Dagster keeps its book.
        daily: The days that exist.
        before: The days of which they are needed.
        tick: When the schedule asks.

    Returns:
        One run from the first day that is missing to the last; if some are being made, why to
        wait for them. Empty if all are made.
    """
    lost, coming = history_of(instance, daily, before)
    if coming:
        return [dg.SkipReason(_wait_for(coming))]
    # One run in order of time: each day follows from the one before.
    return [request_span(lost[0], lost[-1], tick, lineage.HISTORY)] if lost else []


def history_of(
    instance: dg.DagsterInstance, daily: dg.DailyPartitionsDefinition, wanted: list[dt.date]
) -> tuple[list[dt.date], list[dt.date]]:
    """Return on which days state or changes of identity are missing, and on which being made."""
    unmade = missing_days(instance, daily, wanted, lineage.HISTORY, done=DONE)
    lost = missing_days(instance, daily, unmade, lineage.HISTORY)
    return lost, [day for day in unmade if day not in set(lost)]


def fill_gaps(
    instance: dg.DagsterInstance,
    daily: dg.DailyPartitionsDefinition,
    epoch: dt.date,
    tick: dt.datetime,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the days up to yesterday that are missing, or say that there are none."""
    if not world_is_built(instance):
        yield dg.SkipReason(NO_WORLD)
        return
    yesterday = _day_of(tick) - dt.timedelta(days=1)
    first = max(epoch, yesterday - dt.timedelta(days=GAP_HORIZON_DAYS - 1))
    # State and identities hang on every day since the epoch, so those come before all else.
    before = partitions.days_from(epoch, (first - epoch).days)
    first_of_all = request_history(instance, daily, before, tick)
    yield from first_of_all
    if first_of_all:
        return
    wanted = partitions.days_from(first, (yesterday - first).days + 1)
    missing = missing_days(instance, daily, wanted)
    lost, coming = history_of(instance, daily, wanted)
    # A run after days whose state is being made could only fail: the next tick asks for it.
    ready = [day for day in missing if not coming or day < coming[0]]
    if broken := [day for day in lost if day in ready]:
        # Likewise after a day without state: all from there on is one run, in order of time.
        ready += partitions.days_from(broken[0], (ready[-1] - broken[0]).days + 1)
    if not ready:
        yield dg.SkipReason(_wait_for(coming) if missing else _nothing_to_fill(wanted))
    for first_day, last_day in partitions.spans(ready):
        yield request_span(first_day, last_day, tick)


def load_made(
    instance: dg.DagsterInstance,
    daily: dg.DailyPartitionsDefinition,
    epoch: dt.date,
    tick: dt.datetime,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Ask for the days up to yesterday that are made and not loaded, or say that there are none."""
    yesterday = _day_of(tick) - dt.timedelta(days=1)
    first = max(epoch, yesterday - dt.timedelta(days=GAP_HORIZON_DAYS - 1))
    wanted = partitions.days_from(first, (yesterday - first).days + 1)
    unmade = set(missing_days(instance, daily, wanted, done=DONE))
    made = [day for day in wanted if day not in unmade]
    tables = [warehouse.key_of(name).path for name in (*DAILY_DATASETS, *history.DESCRIPTIONS)]
    spans = partitions.spans(missing_days(instance, daily, made, tables))
    if not spans:
        told = "there is no day of which all datasets are made"
        if made:
            told = f"all is loaded, or being loaded, of {partitions.label_of(made)}"
        yield dg.SkipReason(told)
    for first_day, last_day in spans:
        yield request_span(first_day, last_day, tick)


def request_span(
    first: dt.date, last: dt.date, tick: dt.datetime, names: Sequence[str] | None = None
) -> dg.RunRequest:
    """Ask for a range of days in one run, of all daily datasets or of some."""
    # The tick is part of the key: a span that fails is tried again at the next one.
    return dg.RunRequest(
        run_key=" ".join([*(names or ()), f"{first}..{last}@{tick.isoformat()}"]),
        asset_selection=[dg.AssetKey(name) for name in names] if names else None,
        tags={
            ASSET_PARTITION_RANGE_START_TAG: partitions.key_of(first),
            ASSET_PARTITION_RANGE_END_TAG: partitions.key_of(last),
        },
    )


def world_is_built(instance: dg.DagsterInstance) -> bool:
    """Whether every static dataset was made once, as far as Dagster knows."""
    keys = [dg.AssetKey(name) for name in STATIC_DATASETS]
    return all(instance.get_latest_materialization_event(key) for key in keys)


def missing_days(
    instance: dg.DagsterInstance,
    daily: dg.DailyPartitionsDefinition,
    wanted: list[dt.date],
    names: Iterable[str | Sequence[str]] = DAILY_DATASETS,
    done: AbstractSet[dg.AssetPartitionStatus] = DONE_OR_COMING,
) -> list[dt.date]:
    """Return the days on which some of the daily datasets is neither made nor being made.

    Args:
        instance: Where Dagster keeps its book.
        daily: The days that exist.
        wanted: The days to look at.
        names: The datasets to look at, or paths of other assets.
        done: States in which a day is not missing.
    """
    keys = [partitions.key_of(day) for day in wanted]
    missing: set[str] = set()
    for name in names if keys else ():
        found = instance.get_status_by_partition(dg.AssetKey(name), keys, daily) or {}
        missing.update(key for key in keys if found.get(key) not in done)
    return partitions.days_of(missing)


def _wait_for(coming: list[dt.date]) -> str:
    *first, last = lineage.HISTORY
    told = f"{', '.join(first)} and {last}"
    return f"{told} of {partitions.label_of(coming)} are being made, and come first"


def _nothing_to_fill(wanted: list[dt.date]) -> str:
    if not wanted:
        return "the world is younger than a day"
    return f"no gap: {partitions.label_of(wanted)} is made or being made in every dataset"


def _day_of(tick: dt.datetime) -> dt.date:
    return tick.astimezone(dt.UTC).date()
