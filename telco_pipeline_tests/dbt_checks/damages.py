"""Damages: what makes a test of dbt_checks/ fail.

Belongs here: for each kind of generated test a damage that follows from its arguments, and for each
handwritten test one of its own. Does not belong here: running dbt (`kit`).

A damage of a generated test changes values in a row of its own of the dataset's last file (in
static datasets a spare row), so that damages of all kinds can lie in one lake without masking each
other.
"""

import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from telco_pipeline_tests.dbt_checks.kit import PROSPECT, SPARE, DbtTest
from telco_pipeline_tests.lake.small_lake import DAYS

FAR: Final = 10**17
"""A number that is nobody's key."""

Change = dict[str, Any]


def last_file(lake: Path, dataset: str) -> Path:
    """Return the last file of a dataset's last day."""
    return sorted((lake / dataset).rglob("*.parquet"))[-1]


def read(path: Path) -> pl.DataFrame:
    """Return the rows of a file, codes as text: a damaged code is in no list."""
    rows = pl.read_parquet(path, hive_partitioning=False)
    return rows.with_columns(pl.col(pl.Enum, pl.Categorical).cast(pl.String))


def change(rows: pl.DataFrame, at: int, values: Change) -> pl.DataFrame:
    """Return rows of which one has other values."""
    here = pl.int_range(pl.len()) == at % rows.height
    return rows.with_columns(
        pl.when(here).then(pl.lit(value, rows.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


# Generated tests: a row for each kind, counted from the end of the file (see `change`).


def _repeated(rows: pl.DataFrame, test: DbtTest) -> pl.DataFrame:
    key = [name for name in test.arguments["columns"] if name != "day"]
    return change(rows, -2, {name: rows[name][-3] for name in key})


def _nulled(rows: pl.DataFrame, test: DbtTest) -> pl.DataFrame:
    return change(rows, -4, dict.fromkeys(test.arguments["columns"]))


def _miscoded(rows: pl.DataFrame, test: DbtTest) -> pl.DataFrame:
    return change(rows, -5, dict.fromkeys(test.arguments["codes"], "no such code"))


def _out_of_range(rows: pl.DataFrame, test: DbtTest) -> pl.DataFrame:
    low = {
        name: pair[0] - 1 for name, pair in test.arguments["bounds"].items() if pair[0] is not None
    }
    high = {
        name: pair[1] + 1 for name, pair in test.arguments["bounds"].items() if pair[1] is not None
    }
    return change(change(rows, -6, low), -7, high)


def _misshapen(rows: pl.DataFrame, test: DbtTest) -> pl.DataFrame:
    return change(rows, -8, dict.fromkeys(test.arguments["patterns"], "no such form"))


def _lost_reference(rows: pl.DataFrame, test: DbtTest) -> pl.DataFrame:
    name = test.arguments["column_name"]
    return change(rows, -9, {name: "nowhere" if rows.schema[name] == pl.String else FAR})


def _next_day(rows: pl.DataFrame, test: DbtTest) -> pl.DataFrame:
    name = test.arguments["column"]
    later = pl.col(name) + pl.duration(days=1)
    here = pl.int_range(pl.len()) == rows.height - 10
    return rows.with_columns(pl.when(here).then(later).otherwise(pl.col(name)).alias(name))


def _lost_row(rows: pl.DataFrame, _: DbtTest) -> pl.DataFrame:
    return rows.head(rows.height - 1)


KINDS: Final[dict[str, Callable[[pl.DataFrame, DbtTest], pl.DataFrame]]] = {
    "unique_key": _repeated,
    "not_null_columns": _nulled,
    "accepted_codes": _miscoded,
    "in_range": _out_of_range,
    "matches_pattern": _misshapen,
    "refers": _lost_reference,
    "within_day": _next_day,
    # The last: it takes away the row from which the others are counted.
    "recorded_rows": _lost_row,
}
"""How rows are damaged, by kind of test; `newest_day` is damaged by `next_day`."""

assert SPARE >= 10


def damage(lake: Path, tests: Iterable[DbtTest]) -> None:
    """Damage a lake so that each of some generated tests must fail."""
    by_dataset: dict[str, list[DbtTest]] = {}
    for test in tests:
        if test.kind in KINDS:
            by_dataset.setdefault(test.dataset, []).append(test)
    for dataset, some in by_dataset.items():
        path = last_file(lake, dataset)
        rows = read(path)
        for test in sorted(some, key=lambda one: list(KINDS).index(one.kind)):
            rows = KINDS[test.kind](rows, test)
        rows.write_parquet(path)


def next_day(lake: Path, dataset: str) -> None:
    """Give one dataset a day more, a copy of its last one: all others are late then."""
    last = lake / dataset / f"day={DAYS[-1]}"
    later = DAYS[-1] + dt.timedelta(days=1)
    copy = shutil.copytree(last, last.with_name(f"day={later}"))
    path = copy / "_provenance.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | {"day": str(later)}), encoding="utf-8")


def columns_of(test: DbtTest) -> set[str]:
    """Return the columns that a test over many columns must name when it is damaged."""
    for argument in ("codes", "bounds", "patterns"):
        if argument in test.arguments:
            return set(test.arguments[argument])
    return set(test.arguments["columns"]) if test.kind == "not_null_columns" else set()


# Handwritten tests


@dataclass(frozen=True)
class Handwritten:
    """The damage of a test that is written by hand.

    Attributes:
        test: The test.
        dataset: Where the damage lies.
        rows: Changes the rows of the dataset's last file.
        others: Tests that must fail with it: the damage breaks what they promise, too.
    """

    test: str
    dataset: str
    rows: Callable[[pl.DataFrame], pl.DataFrame]
    others: tuple[str, ...] = ()

    def apply(self, lake: Path) -> None:
        """Damage a lake."""
        path = last_file(lake, self.dataset)
        self.rows(read(path)).write_parquet(path)


def _with(at: int, **values: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: change(rows, at, values)


def _without(at: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.filter(pl.int_range(pl.len()) != at)


def _again(at: int, **values: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Add a row once more, with some other values."""
    return lambda rows: pl.concat([rows, change(rows[at], 0, values)])


def _where(condition: pl.Expr, **values: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Change the first row that is so."""

    def changed(rows: pl.DataFrame) -> pl.DataFrame:
        return change(rows, int(rows.select(condition.arg_max()).item()), values)

    return changed


def _stranger_calls_abroad(rows: pl.DataFrame) -> pl.DataFrame:
    far = {"called_number": "+37160000000", "call_duration": 90_000, "record_type": "moCallRecord"}
    return change(rows, 11, {"subscriber_id": FAR, **far})


def _strangers_leave(rows: pl.DataFrame) -> pl.DataFrame:
    for number in range(SPARE):  # spare prospects, who never became customers
        leaves = {"change_type": "termination", "subscriber_id": PROSPECT + number}
        rows = change(rows, 15 + number, leaves)
    return rows


def other_world(lake: Path) -> None:
    """Make a partition one of another world."""
    path = lake / "cdrs_sms" / f"day={DAYS[1]}" / "_provenance.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | {"world_hash": "f" * 16}), encoding="utf-8")


HANDWRITTEN: Final = (
    Handwritten(
        "care_calls_match_records", "customer_service",
        _with(11, channel="call", call_reference=FAR),
    ),
    Handwritten("counters_match_records", "pm_counters", _with(20, voice_att=100_000)),
    Handwritten(
        "everybody_has_a_state", "subscriber_state", _without(12), ("subscriber_state_rows",)
    ),
    Handwritten(
        "life_matches_identities", "identity_changes", _with(12, change_type="termination")
    ),
    Handwritten("packet_voice_matches_calls", "cdrs_voip", _with(13, access="VoLTE", icid=FAR)),
    Handwritten(
        "daily_cell_kpis_unique", "cells", _again(0),
        ("cells_unique", "cells_rows", "daily_cell_kpis_totals"),
    ),
    Handwritten(
        "daily_cell_kpis_totals", "cells", lambda rows: pl.concat([rows, rows.head(40)]),
        ("cells_unique", "cells_rows", "daily_cell_kpis_unique"),
    ),
    Handwritten(
        "daily_cell_kpis_not_null", "pm_counters",
        _where(pl.col("rrc_conn_estab_att") + pl.col("ho_exe_att") == 0, cell_id="nowhere"),
        ("pm_counters_cell_id_refers",),
    ),
    Handwritten(
        "daily_cell_kpis_rates", "pm_counters",
        _with(21, rrc_conn_estab_att=1, rrc_conn_estab_succ=100_000), ("counters_match_records",),
    ),
    Handwritten(
        "customer_months_unique", "subscriber_state", _again(12),
        ("subscriber_state_unique", "subscriber_state_rows", "plan_usage_totals"),
    ),
    Handwritten(
        "customer_months_not_null", "subscriber_state", _with(13, plan_id="nowhere"),
        ("subscriber_state_plan_id_refers", "churn_funnel_not_null", "plan_usage_totals"),
    ),
    Handwritten(
        "churn_funnel_not_null", "subscriber_state", _with(14, plan_id="nowhere"),
        ("subscriber_state_plan_id_refers", "customer_months_not_null", "plan_usage_totals"),
    ),
    Handwritten(
        "plan_usage_totals", "plans", _without(0),
        (
            "plans_rows", "customer_months_not_null", "churn_funnel_not_null",
            "subscribers_plan_id_refers", "prospects_plan_id_refers",
            "subscriber_state_plan_id_refers",
        ),
    ),
    Handwritten(
        "plan_usage_unique", "plans", _again(0, name="Another name"),
        ("plans_unique", "plans_rows", "customer_months_unique", "plan_usage_totals"),
    ),
    Handwritten(
        "plan_usage_ranges", "cdrs_voice", _with(25, call_duration=-(10**9), chargeable=True),
        ("cdrs_voice_ranges",),
    ),
    Handwritten(
        "churn_funnel_totals", "identity_changes",
        _strangers_leave,
        ("life_matches_identities",),
    ),
    Handwritten(
        "fraud_candidates_refer", "cdrs_voice", _stranger_calls_abroad,
        ("cdrs_voice_subscriber_id_refers",),
    ),
    Handwritten(
        "care_drivers_ranges", "customer_service", _with(16, nps=30_000),
        ("customer_service_ranges",),
    ),
)  # fmt: skip
"""Of each handwritten test a damage, but for the two below."""


def same_event(lake: Path) -> None:
    """Give a message the id of a call."""
    call = read(last_file(lake, "cdrs_voice"))["event_id"][17]
    path = last_file(lake, "cdrs_sms")
    change(read(path), 17, {"event_id": call}).write_parquet(path)


OTHERS: Final[dict[str, Callable[[Path], None]]] = {
    "partitions_of_one_world": other_world,
    "event_ids_are_unique": same_event,
}
"""Damages of more than the rows of one file."""
