"""Sensors: what goes to Kafka by itself, and what to do when it did not get there.

Belongs here: when a delivery is asked for, keeping the live stream alive, telling how to recover.
Does not belong here: sending (`streaming`), what a run does (`assets.deliveries`, `assets.live`).
All are off until they are switched on, in the UI or by TELCO_SENSORS=push_days,live,push_failed.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from telco_pipeline import failures, partitions
from telco_pipeline.assets.deliveries import PREFIX, STEP, key_of
from telco_pipeline.assets.live import NAME as LIVE
from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.jobs import PUSH
from telco_pipeline.settings import values
from telco_pipeline.streaming.layout import StreamSettings
from telco_pipeline.streaming.sources import inputs_of

PUSH_DAYS: Final = "push_days"
KEEP_LIVE: Final = "live"
PUSH_FAILED: Final = "push_failed"
NAMES: Final = (PUSH_DAYS, KEEP_LIVE, PUSH_FAILED)
VARIABLE: Final = "TELCO_SENSORS"

MOST_RUNS: Final = 5
"""Days that a tick asks for at most: a tick is short, and the next one comes soon."""
MOVED_ON: Final = dt.time(1)
"""When (UTC) a live stream is done with yesterday at the latest."""
RUNS_SEEN: Final = 20
DAY: Final = dt.timedelta(days=1)
FIRST_WAIT: Final = dt.timedelta(seconds=10)
LONGEST_WAIT: Final = dt.timedelta(minutes=15)
STEADY: Final = dt.timedelta(minutes=30)
"""A live run that lasted this long was well; when it dies the next one starts at once."""


def switched_on(text: str) -> frozenset[str]:
    """Return the sensors that TELCO_SENSORS names; `on` is all of them.

    Raises:
        TelcoError: One is unknown.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == ["on"]:
        return frozenset(NAMES)
    for word in words:
        if word not in NAMES:
            hint = values.closest(word, NAMES) or f"there are {', '.join(NAMES)}, and on for all"
            raise TelcoError(f"{VARIABLE}: no sensor {word[:40]!r}: {hint}")
    return frozenset(words)


def build_sensors(
    daily: dg.DailyPartitionsDefinition,
    settings: StreamSettings,
    *,
    on: AbstractSet[str] = frozenset(),
) -> list[dg.SensorDefinition]:
    """Build all sensors.

    Args:
        daily: The days that exist.
        settings: Which topics there are, and which are sent.
        on: Names of those that run without being switched on.
    """

    def status(name: str) -> dg.DefaultSensorStatus:
        running = name in on
        return dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name=PUSH_DAYS,
        job_name=PUSH,
        minimum_interval_seconds=30,
        default_status=status(PUSH_DAYS),
        description="Sends each day that is over to Kafka once all its datasets are made: a run "
        f"for each day and set of topics ({', '.join(settings.on)}), at most {MOST_RUNS} a tick. "
        "A day that was sent before, by whomever, is not sent again: its progress is at the "
        f"broker. While a run of `{LIVE}` is under way, or is to be started again, yesterday is "
        f"left to it until {MOVED_ON:%H:%M} UTC.",
    )
    def push_days(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = dt.datetime.now(dt.UTC)
        return ask_for_days(context.instance, daily, settings, context.cursor, now)

    @dg.sensor(
        name=KEEP_LIVE,
        job_name=LIVE,
        minimum_interval_seconds=30,
        default_status=status(KEEP_LIVE),
        description="Keeps one run of the live stream alive: the running day's records, each at "
        "its time. It starts it, and starts it again when it dies, after a wait that grows up to "
        "15 minutes. A run that was cancelled, or told to stop by `telco stream stop`, stays so "
        f"until somebody launches the job `{LIVE}` or resets this sensor's cursor.",
    )
    def keep_live(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = dt.datetime.now(dt.UTC)
        return keep_alive(context.instance, context.cursor, now)

    @dg.run_failure_sensor(
        name=PUSH_FAILED,
        monitor_all_code_locations=False,
        default_status=status(PUSH_FAILED),
        description="When a delivery fails: writes into the run's log why, that nothing is lost, "
        "and what to do.",
    )
    def push_failed(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        if run.job_name not in (PUSH, LIVE) and not _pushes(run):
            return dg.SkipReason(f"{run.job_name} sends nothing")
        told = recovery(run, failures.of_run(context.instance, run.run_id)[0].line)
        context.log.error(told)
        context.instance.report_engine_event(told, run)
        return None

    return [push_days, keep_live, push_failed]


# --- days -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What `push_days` has asked for, as its cursor keeps it.

    Attributes:
        days: Spans of days, by set of topics.
    """

    days: Mapping[str, Sequence[tuple[dt.date, dt.date]]]

    @classmethod
    def read(cls, cursor: str | None) -> "Asked":
        """Read a cursor; one that is none counts as empty: progress is kept at the broker."""
        try:
            plain = json.loads(cursor or "{}")["asked"]
            return cls(
                {
                    str(topics): [
                        (dt.date.fromisoformat(first), dt.date.fromisoformat(last))
                        for first, last in spans
                    ]
                    for topics, spans in plain.items()
                }
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls({})

    def of(self, topics: str) -> set[dt.date]:
        """Return the days that were asked for."""
        spans = self.days.get(topics, ())
        return {
            first + dt.timedelta(days=number)
            for first, last in spans
            for number in range((last - first).days + 1)
        }

    def plus(self, topics: str, days: Iterable[dt.date]) -> "Asked":
        """Return the same with more days."""
        spans = partitions.spans(self.of(topics) | set(days))
        return Asked({**self.days, topics: spans})

    def cursor(self) -> str:
        """Return it as JSON."""
        return json.dumps(
            {
                "asked": {
                    topics: [(str(first), str(last)) for first, last in spans]
                    for topics, spans in self.days.items()
                }
            }
        )


def ask_for_days(
    instance: dg.DagsterInstance,
    daily: dg.DailyPartitionsDefinition,
    settings: StreamSettings,
    cursor: str | None,
    now: dt.datetime,
) -> dg.SensorResult:
    """Ask for the days that are made and were not asked for.

    Args:
        instance: Where Dagster keeps its book.
        daily: The days that exist.
        settings: Which topics are sent.
        cursor: What was asked for.
        now: The time: the running day and later ones are left to the live stream, and so is
            yesterday as long as that may still be sending it.
    """
    if not settings.on:
        return dg.SensorResult(skip_reason="no topic is switched on in scenarios/streaming.yaml")
    topics = ",".join(settings.on)
    asked = Asked.read(cursor)
    before = asked.of(topics)
    keys = daily.get_partition_keys()
    today = now.date()
    wanted = [day for day in partitions.days_of(keys) if day < today and day not in before]
    left = [day for day in wanted if day == today - DAY and is_lives(instance, now)]
    wanted = [day for day in wanted if day not in left]
    # All of them: days that are never made must not hide those behind them.
    ready = days_made(instance, daily, settings, wanted)[:MOST_RUNS]
    if not ready:
        told = "all days were asked for"
        if wanted:
            told = f"of {partitions.label_of(wanted)} no day has all datasets yet"
        if left:
            told += f"; {left[0]} is left to the live stream until {MOVED_ON:%H:%M} UTC"
        return dg.SensorResult(skip_reason=told, cursor=asked.cursor())
    runs = [
        dg.RunRequest(
            run_key=f"{PUSH} {day} {topics}",
            partition_key=partitions.key_of(day),
            asset_selection=[key_of(word) for word in settings.on],
        )
        for day in ready
    ]
    return dg.SensorResult(run_requests=runs, cursor=asked.plus(topics, ready).cursor())


def is_lives(instance: dg.DagsterInstance, now: dt.datetime) -> bool:
    """Whether a live stream may still send yesterday: whoever sends it too would fence it.

    Args:
        instance: Where Dagster keeps its book.
        now: The time.
    """
    if now.time() >= MOVED_ON:
        return False
    records = instance.get_run_records(dg.RunsFilter(job_name=LIVE), limit=RUNS_SEEN)
    if any(not record.dagster_run.is_finished for record in records):
        return True
    # One that died is started again, and goes on with yesterday first.
    return bool(records) and records[0].dagster_run.status is dg.DagsterRunStatus.FAILURE


def days_made(
    instance: dg.DagsterInstance,
    daily: dg.DailyPartitionsDefinition,
    settings: StreamSettings,
    days: list[dt.date],
) -> list[dt.date]:
    """Return those of the days of which every dataset of the topics is made."""
    names = inputs_of([name for topic in settings.topics for name in topic.datasets])
    keys = [partitions.key_of(day) for day in days]
    made = set(keys)
    for name in sorted(names):
        if not DATASETS[name].daily:
            continue
        found = instance.get_status_by_partition(dg.AssetKey(name), keys, daily) or {}
        made &= {key for key in keys if found.get(key) == dg.AssetPartitionStatus.MATERIALIZED}
        if not made:
            break
    return partitions.days_of(made)


# --- the live stream ------------------------------------------------------------------------


def keep_alive(
    instance: dg.DagsterInstance, cursor: str | None, now: dt.datetime
) -> dg.SensorResult:
    """Ask for a live run if there is none and nobody has stopped it.

    Args:
        instance: Where Dagster keeps its book.
        cursor: How many runs were asked for, as JSON.
        now: The time.
    """
    count = _count(cursor)
    records = instance.get_run_records(dg.RunsFilter(job_name=LIVE), limit=RUNS_SEEN)
    last = records[0] if records and cursor else None
    if any(not record.dagster_run.is_finished for record in records):
        return dg.SensorResult(skip_reason="it streams", cursor=_cursor(count))
    if last is not None:
        status = last.dagster_run.status
        if status is not dg.DagsterRunStatus.FAILURE:
            how = "was cancelled" if status is dg.DagsterRunStatus.CANCELED else "was told to stop"
            told = f"the live stream {how}: launch the job `{LIVE}`, or reset this cursor"
            return dg.SensorResult(skip_reason=told, cursor=_cursor(count))
        again = _ended(last) + wait_after(records)
        if now < again:
            told = f"the live stream died; it is started again at {again:%H:%M:%S} UTC"
            return dg.SensorResult(skip_reason=told, cursor=_cursor(count))
    request = dg.RunRequest(run_key=f"{LIVE} {now.isoformat()}")
    return dg.SensorResult(run_requests=[request], cursor=_cursor(count + 1))


def wait_after(records: Sequence[dg.RunRecord]) -> dt.timedelta:
    """Return how long to wait after a live run died: twice as long after each that died young.

    Args:
        records: Live runs, the newest first.
    """
    deaths = 0
    for record in records:
        lasted = dt.timedelta(seconds=(record.end_time or 0) - (record.start_time or 0))
        if record.dagster_run.status is not dg.DagsterRunStatus.FAILURE or lasted > STEADY:
            break
        deaths += 1
    return min(FIRST_WAIT * 2 ** max(deaths - 1, 0), LONGEST_WAIT) if deaths else FIRST_WAIT * 0


def _ended(record: dg.RunRecord) -> dt.datetime:
    return dt.datetime.fromtimestamp(record.end_time or 0.0, dt.UTC)


def _count(cursor: str | None) -> int:
    try:
        return int(json.loads(cursor or "{}")["runs"])
    except (ValueError, KeyError, TypeError):
        return 0


def _cursor(count: int) -> str:
    return json.dumps({"runs": count})


# --- failures -------------------------------------------------------------------------------


def recovery(run: dg.DagsterRun, reason: str) -> str:
    """Return what to do about a delivery that failed.

    Args:
        run: The run.
        reason: What it said.
    """
    if run.job_name == LIVE:
        again = (
            f"The sensor `{KEEP_LIVE}` starts it again if it is on; else launch the job `{LIVE}`."
        )
    else:
        day = run.tags.get("dagster/partition")
        span = f" --from {day} --to {day}" if day else " --from FIRST_DAY --to LAST_DAY"
        again = f"Mend what it says, then re-execute this run, or `telco stream{span}`."
        if sends_again(run):
            return (
                f"Delivery failed: {reason} What was sent is committed together with how far it "
                "came. This run was told to send `again`, and would do so from the start if it "
                f"were re-executed: mend what it says, then launch it without `again`, or `telco "
                f"stream{span}`, which goes on; days that it did not begin need `again` still."
            )
    return (
        f"Delivery failed: {reason} Nothing is lost or sent twice: what was sent is committed "
        f"together with how far it came, and the next run goes on behind it. {again}"
    )


def sends_again(run: dg.DagsterRun) -> bool:
    """Whether a run was told to send what was sent before."""
    config: Any = run.run_config or {}
    try:
        return bool(config["ops"][STEP]["config"]["again"])
    except (KeyError, TypeError):
        return False


def _pushes(run: dg.DagsterRun) -> bool:
    """Whether a run that somebody launched from an asset's page sends something."""
    chosen: Any = run.asset_selection or ()
    return any(key.path[0] == PREFIX for key in chosen)
