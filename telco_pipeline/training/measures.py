"""Measures: what is counted of a day's records, for each entity.

Belongs here: the sums, maxima and distinct values of each dataset, and the day sketches that hold
them. Does not belong here: what a window makes of them (`features`), any truth (`labels`).

Each day is read once. Its records are counted by entity and by the day on which they were *closed*:
a call that goes on past midnight tells its length, its end and its last cell only then, so a window
that ends at midnight does not see it. Sketches lie in a DuckDB file beside the table to be, so
memory does not grow with the days.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake

MEMORY: Final = "2GB"
"""What DuckDB may take before it moves to the disk."""
LAST: Final = "last_"
"""What a measure of the last day of a window begins with."""
HIGH, LOW = "high_", "low_"
"""What a measure of the day with most of it, or least, begins with; days without a record do not
count."""


@dataclass(frozen=True)
class Source:
    """What is counted of one dataset.

    Attributes:
        dataset: Its name.
        key: Of whom a record is: a subscriber, or a cell or element.
        closed: When a record is complete, as SQL.
        sums: Measures that add up over days, by name, as SQL aggregates.
        tops: Measures of which the highest counts.
        sets: Values of which different ones are counted, by name; null counts as none. Sources
            with a set of the same name fill it together.
    """

    dataset: str
    key: str
    closed: str = "event_time"
    sums: Mapping[str, str] = field(default_factory=dict)
    tops: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)


_OUT: Final = "record_type = 'moCallRecord'"
_IN: Final = "record_type = 'mtCallRecord'"
_SENT: Final = "record_type IN ('moSMSRecord', 'mMO1SRecord')"
_MISSED: Final = f"{_IN} AND answer_time IS NULL"
_NIGHT: Final = "(hour(timezone($zone, event_time)) >= 22 OR hour(timezone($zone, event_time)) < 6)"
_FIRST: Final = "record_sequence_number = 1 AND diagnostics IS NULL"
_RAISED: Final = "notification_type = 'notifyNewAlarm'"


def _abroad(column: str) -> str:
    """Return whether a number lies in another country's plan; short codes have no plus."""
    return f"({column} LIKE '+%' AND NOT starts_with({column}, $home))"


def _count(condition: str) -> str:
    return f"count(*) FILTER ({condition})"


SUBSCRIBER_SOURCES: Final = (
    Source(
        "cdrs_voice",
        "subscriber_id",
        "release_time",
        sums={
            "calls_out": _count(_OUT),
            "calls_in": _count(_IN),
            "answered_out": _count(f"{_OUT} AND answer_time IS NOT NULL"),
            "answered_in": _count(f"{_IN} AND answer_time IS NOT NULL"),
            "seconds_out": f"sum(call_duration) FILTER ({_OUT})",
            "seconds_in": f"sum(call_duration) FILTER ({_IN})",
            "calls_abroad": _count(f"{_OUT} AND {_abroad('called_number')}"),
            "seconds_abroad": f"sum(call_duration) FILTER ({_OUT} AND {_abroad('called_number')})",
            "calls_night": _count(f"{_OUT} AND {_NIGHT}"),
            "calls_roaming": _count(f"{_OUT} AND roaming"),
            "calls_failed": _count("blocked OR status = 'failed'"),
            "calls_dropped": _count("cause_for_term = 4"),
            "missed": _count(_MISSED),
            "missed_abroad": _count(f"{_MISSED} AND {_abroad('calling_number')}"),
            "missed_ring": "sum(date_diff('millisecond', event_time, release_time)) "
            f"FILTER ({_MISSED}) / 1000.0",
        },
        sets={"called": f"CASE WHEN {_OUT} THEN called_number END", "equipment": "imei"},
    ),
    Source(
        "cdrs_sms",
        "subscriber_id",
        sums={
            "texts_out": _count(_SENT),
            "texts_in": _count(f"NOT {_SENT}"),
            "texts_in_services": _count(f"NOT {_SENT} AND other_plmn IS NULL"),
            "texts_abroad": _count(f"{_SENT} AND {_abroad('called_number')}"),
            "texts_failed": _count("sms_result <> 0"),
        },
        sets={"texted": f"CASE WHEN {_SENT} THEN called_number END"},
    ),
    Source(
        "cdrs_data",
        "subscriber_id",
        "event_time + to_seconds(duration)",
        sums={
            "sessions": _count(_FIRST),
            "sessions_night": _count(f"{_FIRST} AND {_NIGHT}"),
            "sessions_roaming": _count(f"{_FIRST} AND roaming"),
            "sessions_failed": _count("diagnostics IS NOT NULL"),
            "sessions_lost": _count("cause_for_rec_closing = 4 AND diagnostics IS NULL"),
            "bytes_up": "sum(data_volume_uplink)",
            "bytes_down": "sum(data_volume_downlink)",
            "data_seconds": "sum(duration)",
            "hours_online": "count(DISTINCT hour(event_time))",
            "measured": "count(latency)",
            "latency_total": "sum(latency)",
            "loss_total": "sum(packet_loss)",
            "rate_total": "sum(throughput_downlink) FILTER (latency IS NOT NULL)",
        },
        sets={"cells": "cell_id", "services": "service"},
    ),
    Source(
        "location_updates",
        "subscriber_id",
        sums={
            "attaches": _count("update_type = 'attach'"),
            "area_changes": _count("update_type = 'tracking area change'"),
            "cell_changes": _count("update_type = 'cell change'"),
            "updates": "count(*)",
            "refused": _count("cause <> 0"),
        },
        sets={"cells": "cell_id"},
    ),
    Source(
        "identity_changes",
        "subscriber_id",
        sums={
            "sim_swaps": _count("change_type = 'sim_swap'"),
            "new_devices": _count("change_type = 'device_upgrade'"),
            "new_numbers": _count("change_type IN ('number_change', 'port_in')"),
        },
    ),
    Source(
        "customer_service",
        "subscriber_id",
        "event_time + to_seconds(queue_seconds + handling_seconds)",
        sums={
            "contacts": "count(*)",
            "contacts_billing": _count("reason = 'billing'"),
            "contacts_network": _count("reason = 'network'"),
            "contacts_fraud": _count("reason = 'fraud'"),
            "sentiment_total": "sum(sentiment)",
        },
    ),
)

NETWORK_SOURCES: Final = (
    Source(
        "network_logs",
        "element_id",
        sums={
            "lines": "count(*)",
            "errors": _count("severity <= 3"),
            "warnings": _count("severity = 4"),
            "hours_with_errors": "count(DISTINCT hour(event_time)) FILTER (severity <= 3)",
        },
        sets={"error_kinds": "CASE WHEN severity <= 3 THEN msg_id END"},
    ),
    Source(
        "alarms",
        "coalesce(cell_id, element_id)",
        sums={
            "alarms": _count(_RAISED),
            "alarms_critical": _count(f"{_RAISED} AND perceived_severity = 'critical'"),
            "alarms_major": _count(f"{_RAISED} AND perceived_severity = 'major'"),
            "alarms_equipment": _count(f"{_RAISED} AND event_type = 'equipment'"),
            "alarms_quality": _count(f"{_RAISED} AND event_type = 'qualityOfService'"),
        },
    ),
    Source(
        "element_metrics",
        "element_id",
        "event_time + INTERVAL 5 MINUTE",
        sums={
            "periods": "count(*)",
            "cpu_total": "sum(cpu_use)",
            "memory_total": "sum(memory_use)",
            "link_loss_total": "sum(packet_loss)",
            "link_latency_total": "sum(latency)",
            "jitter_total": "sum(jitter)",
            "throughput_total": "sum(throughput)",
        },
        tops={
            "cpu_top": "max(cpu_use)",
            "link_loss_top": "max(packet_loss)",
            "link_latency_top": "max(latency)",
            "links_used_top": "max(capacity_used)",
        },
    ),
    Source(
        # Handovers count at the start of a call or session that may go on past the window.
        "pm_counters",
        "cell_id",
        "event_time + INTERVAL 15 MINUTE",
        sums={
            "quarters": "count(*)",
            "quiet_quarters": _count("rrc_conn_estab_att = 0"),
            "attempts": "sum(rrc_conn_estab_att)",
            "attempts_failed": "sum(rrc_conn_estab_att - rrc_conn_estab_succ)",
            "bearers": "sum(erab_estab_att)",
            "bearers_failed": "sum(erab_estab_att - erab_estab_succ)",
            "released": "sum(erab_rel)",
            "lost": "sum(erab_rel_abnormal)",
            "legs": "sum(voice_att)",
            "legs_blocked": "sum(voice_blocked)",
            "legs_dropped": "sum(voice_drop)",
            "volume_up": "sum(pdcp_volume_ul)",
            "volume_down": "sum(pdcp_volume_dl)",
            "prb_used": "sum(prb_used_dl)",
            "prb_there": "sum(prb_tot_dl)",
            "unavailable": "sum(cell_unavailable_time)",
        },
    ),
)


class Sketches:
    """What was counted of each day, by entity; use it as a context manager.

    Attributes:
        sources: The datasets that are counted.
        connection: DuckDB with the tables `sums_<dataset>` and `set_<name>`, each with `member`,
            `day` (of the record's start) and `closed` (the day on which it was complete).
    """

    def __init__(
        self, lake: Lake, sources: Sequence[Source], directory: Path, zone: str, home: str
    ) -> None:
        """Begin with no day.

        Args:
            lake: The lake.
            sources: What to count.
            directory: Where the file with the sketches may lie; it exists.
            zone: IANA name of the zone whose nights count.
            home: What numbers of the own country begin with, such as `+32`.
        """
        self.sources = tuple(sources)
        self._lake, self._told = lake, {"zone": zone, "home": home}
        self._days: set[dt.date] = set()
        settings = {"threads": 2, "memory_limit": MEMORY, "preserve_insertion_order": False}
        file = directory / "sketches.duckdb"
        self.connection = duckdb.connect(str(file), config=settings)
        self.connection.execute("SET TimeZone = 'UTC'")

    def __enter__(self) -> "Sketches":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def add(self, day: dt.date) -> None:
        """Count the records that begin on a day; once is enough.

        Raises:
            TelcoError: The lake lacks a dataset of the day, or it cannot be read.
        """
        if day in self._days:
            return
        for source in self.sources:
            files = [str(file) for file in self._lake.files(source.dataset, day)]
            if not files:
                raise TelcoError(
                    f"{self._lake.root} has no {source.dataset} of {day}: make it with "
                    f"`{self._lake.command(source.dataset, day, day)}`"
                )
            try:
                self._count(source, files, day)
            except duckdb.Error as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise TelcoError(
                    f"{source.dataset} of {day} in {self._lake.root} cannot be read ({reason}): "
                    f"make it anew with `{self._lake.command(source.dataset, day, day)}`"
                ) from error
        self._days.add(day)

    def _count(self, source: Source, files: list[str], day: dt.date) -> None:
        # What is complete at midnight sharp is complete on the day before.
        closed = f"greatest(event_time, {source.closed} - INTERVAL 1 MICROSECOND)::DATE"
        rows = f"""
            SELECT *, {source.key} AS member, DATE '{day}' AS day_, {closed} AS closed_
            FROM read_parquet($files, hive_partitioning = false)"""
        measures = {**source.sums, **source.tops}
        counted = ", ".join(f"{sql} AS {name}" for name, sql in measures.items())
        self._insert(
            f"sums_{source.dataset}",
            f"SELECT member, day_ AS day, closed_ AS closed, {counted} FROM ({rows}) GROUP BY ALL",
            files,
        )
        for name, sql in source.sets.items():
            self._insert(
                f"set_{name}",
                "SELECT DISTINCT member, day_ AS day, closed_ AS closed, hash(value) AS value FROM "
                f"(SELECT *, {sql} AS value FROM ({rows})) WHERE value IS NOT NULL",
                files,
            )

    def _insert(self, table: str, query: str, files: list[str]) -> None:
        told = {name: value for name, value in self._told.items() if f"${name}" in query}
        given = {"files": files, **told}
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS {query} LIMIT 0", given)
        self.connection.execute(f"INSERT INTO {table} {query}", given)


def window(sources: Sequence[Source], start: dt.date, end: dt.date) -> str:
    """Return SQL for what was counted in a window: one row per entity that anything is known of.

    Args:
        sources: The datasets; the sketches hold all days of the window.
        start: First day.
        end: Day after the last one: only what was complete before it counts.

    Returns:
        A query over the sketches and a table `members` (`entity`, `member`), with the columns
        `entity`, each sum, of the window, its last day (`last_...`), its highest and its lowest
        (`high_...`, `low_...`), each highest measure, and each set by the number of different
        values.
    """
    known = f"day >= DATE '{start}' AND closed < DATE '{end}'"
    last = f"day = DATE '{end - dt.timedelta(days=1)}'"
    parts = []
    for source in sources:
        daily = ", ".join(
            [f"sum({name}) AS {name}" for name in source.sums]
            + [f"max({name}) AS {name}" for name in source.tops]
        )
        columns = ", ".join(
            [
                f"sum({name}) AS {name}, sum({name}) FILTER ({last}) AS {LAST}{name}, "
                f"max({name}) AS {HIGH}{name}, min({name}) AS {LOW}{name}"
                for name in source.sums
            ]
            + [f"max({name}) AS {name}" for name in source.tops]
        )
        parts.append(
            f"SELECT entity, {columns} FROM (SELECT entity, day, {daily} "
            f"FROM sums_{source.dataset} JOIN members USING (member) WHERE {known} "
            "GROUP BY entity, day) GROUP BY entity"
        )
    sets = dict.fromkeys(name for source in sources for name in source.sets)
    parts += [
        f"SELECT entity, count(DISTINCT value) AS {name} FROM set_{name} JOIN members "
        f"USING (member) WHERE {known} GROUP BY entity"
        for name in sets
    ]
    joined = f"({parts[0]})"
    for part in parts[1:]:
        joined += f" FULL JOIN ({part}) USING (entity)"
    return f"SELECT * FROM {joined}"


def counted(sources: Sequence[Source]) -> list[str]:
    """Return the measures of which there are none where nothing was recorded: sums and sets."""
    sums = [name for source in sources for name in source.sums]
    sets = dict.fromkeys(name for source in sources for name in source.sets)
    return [*(f"{of}{name}" for of in ("", LAST, HIGH) for name in sums), *sets]
