"""Reconciliation: whether what is told twice is the same both times.

Belongs here: counters against the records that they are sums of, contacts with care against their
calls, records against the state of the subscription, numbers of files against their times. Does not
belong here: rules within one dataset (`integrity`, which runs these too and puts them into words),
identities (`consistency`).

It shares no code with what makes the rows. The rules of the counters are written in docs/network.md
and, once more, in SQL here.
"""

import datetime as dt
import glob
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline import asof
from telco_pipeline.consistency import SAMPLE_ROWS, Faults
from telco_pipeline.contracts import DATASETS, Dataset
from telco_pipeline.contracts.codes import (
    CallStatus,
    Channel,
    LifeChange,
    LifeStatus,
    RecordType,
    Resolution,
)
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake

if TYPE_CHECKING:
    import duckdb

Rows = npt.NDArray[np.integer]

COUNTERS: Final = "pm_counters"
CONTACTS: Final = "customer_service"
CALLS: Final = "cdrs_voice"
STATE: Final = "subscriber_state"
FILES: Final = "collected_files"

_ONE_DAY: Final = dt.timedelta(days=1)
_QUARTER: Final = dt.timedelta(minutes=15)
_KEYS: Final = ("cell_id", "event_time")
_REACH_ON: Final = (CALLS, "cdrs_data")
"""Records of the day before that counters of a day are sums of too."""

# Counters

_SUMS_SHOWN: Final = ("rrc_conn_estab_att", "erab_rel_abnormal", "ho_exe_att", "pdcp_volume_dl")
_QUARTERS: Final = 96
_MEMORY: Final = "1GB"  # beyond which the database goes on on disk

# Times count in microseconds from the start of the day; a quarter has 900,000,000 of them, a day
# 86,400,000,000. Negative ones, of the day before, never come to a division, which would round
# them up.
_VIEWS: Final = """
create temp view legs as
select cell_id, coalesce(last_cell_id, cell_id) as last_cell_id,
       epoch_us(event_time) - $start as began, epoch_us(release_time) - $start as ended,
       rat_type::varchar in ('EUTRAN', 'NR', 'LTE-M', 'NB-IoT') as packet,
       coalesce(blocked, false) as refused, cause_for_term = 4 as lost,
       handovers, handovers_failed
from cdrs_voice where cell_id is not null and rat_type::varchar <> 'WLAN';

create temp view sessions as
select cell_id, coalesce(last_cell_id, cell_id) as last_cell_id,
       epoch_us(event_time) - $start as began,
       epoch_us(event_time) - $start + 1000000 * duration::bigint as ended,
       duration::bigint as seconds, data_volume_uplink as up, data_volume_downlink as down,
       record_sequence_number = 1 as opens,
       diagnostics is null and cause_for_rec_closing in (0, 4) as closes,
       cause_for_rec_closing = 4 as lost, diagnostics, handovers, handovers_failed
from cdrs_data where cell_id is not null and rat_type::varchar <> 'WLAN';

create temp view moments as
select cell_id, (epoch_us(event_time) - $start) // 900000000 as quarter, 0 as cause
from cdrs_sms where cell_id is not null and rat_type::varchar <> 'WLAN'
union all
select cell_id, (epoch_us(event_time) - $start) // 900000000, cause
from location_updates
where cell_id is not null and rat_type::varchar <> 'WLAN' and update_type::varchar <> 'detach';

create temp view numbered as
select cell_id, row_number() over (order by cell_id) - 1 as number from cells;
"""

# What the records, and the state, add to the counters of each cell and quarter.
_ADDENDS: Final = (
    """
    select cell_id, quarter,
           count(*) as rrc_conn_estab_att, count(*) filter (cause <> 22) as rrc_conn_estab_succ
    from moments group by all
    """,
    """
    select cell_id, began // 900000000 as quarter,
           count(*) as rrc_conn_estab_att,
           count(*) filter (not refused) as rrc_conn_estab_succ,
           count(*) filter (packet) as erab_estab_att,
           count(*) filter (packet and not refused) as erab_estab_succ,
           count(*) as voice_att,
           count(*) filter (refused) as voice_blocked,
           sum(handovers::bigint + handovers_failed)::bigint as ho_exe_att,
           sum(handovers::bigint)::bigint as ho_exe_succ
    from legs where began >= 0 and began < 86400000000 group by all
    """,
    """
    select last_cell_id as cell_id, ended // 900000000 as quarter,
           count(*) filter (packet and not refused) as erab_rel,
           count(*) filter (packet and not refused and lost) as erab_rel_abnormal,
           count(*) filter (lost) as voice_drop
    from legs where ended >= 0 and ended < 86400000000 group by all
    """,
    # Once for each quarter of the day that the bearer touches.
    """
    with touched as (
        select *, unnest(range(greatest(began, 0) // 900000000,
                               (least(ended, 86400000000) - 1) // 900000000 + 1)) as quarter
        from legs where packet and not refused and ended > greatest(began, 0))
    select cell_id, quarter,
           sum((least((quarter + 1) * 900000000, ended) - began) // 1000000
             - (greatest(quarter * 900000000, began) - began) // 1000000)::bigint
               as erab_session_time
    from touched group by all
    """,
    # Most records of data lie in one quarter: all of their bytes are its own.
    """
    select cell_id, began // 900000000 as quarter,
           count(*) filter (opens) as rrc_conn_estab_att,
           count(*) filter (opens and diagnostics is distinct from 26) as rrc_conn_estab_succ,
           count(*) filter (opens) as erab_estab_att,
           count(*) filter (opens and diagnostics is null) as erab_estab_succ,
           sum(handovers::bigint + handovers_failed)::bigint as ho_exe_att,
           sum(handovers::bigint)::bigint as ho_exe_succ,
           sum(up) filter (within)::bigint as pdcp_volume_ul,
           sum(down) filter (within)::bigint as pdcp_volume_dl,
           sum(seconds) filter (within and diagnostics is null)::bigint as erab_session_time
    from (select *, ended = began or began // 900000000 = (ended - 1) // 900000000 as within
          from sessions where began >= 0 and began < 86400000000)
    group by all
    """,
    # The others, once for each quarter of the day that they touch.
    """
    with touched as (
        select *, unnest(range(greatest(began, 0) // 900000000,
                               (least(ended, 86400000000) - 1) // 900000000 + 1)) as quarter
        from sessions
        where ended > greatest(began, 0)
          and (began < 0 or began // 900000000 <> (ended - 1) // 900000000)),
    timed as (
        select *, (ended - began) // 1000 as whole,
               (greatest(quarter * 900000000, began) - began) // 1000 as since,
               (least((quarter + 1) * 900000000, ended) - began) // 1000 as until
        from touched)
    select cell_id, quarter,
           sum(up::hugeint * until // whole - up::hugeint * since // whole)::bigint
               as pdcp_volume_ul,
           sum(down::hugeint * until // whole - down::hugeint * since // whole)::bigint
               as pdcp_volume_dl,
           sum(until // 1000 - since // 1000) filter (diagnostics is null)::bigint
               as erab_session_time
    from timed group by all
    """,
    """
    select last_cell_id as cell_id, ended // 900000000 as quarter,
           count(*) as erab_rel, count(*) filter (lost) as erab_rel_abnormal
    from sessions where closes and ended >= 0 and ended < 86400000000 group by all
    """,
    """
    with quarters as (
        select cell_id, (epoch_us(event_time) - $start) // 3600000000 * 4 + part as quarter,
               greatest(0, least(coalesce(unavailable_until, 0), part * 15 + 15)
                           - greatest(coalesce(unavailable_from, 60), part * 15)) as dead,
               round(prb_use * 10)::bigint * prb_total as thousandths,
               prb_total, fault_id
        from network_state join cells using (cell_id), range(4) parts(part))
    -- Out of service without a fault: the cell does not know of it.
    select cell_id, quarter,
           case when fault_id is null then 0 else 60 * dead end as cell_unavailable_time,
           -- Half a block counts as one: hence 7,500 of the 15,000 minutes and thousandths.
           (thousandths * (15 - dead) + 7500) // 15000 as prb_used_dl,
           prb_total as prb_tot_dl
    from quarters
    """,
)


class _Grid:
    """The cells and quarters of a day; a *place* is a number of both.

    The last place, of number `size`, stands for what is no cell, or no quarter of the day.
    """

    def __init__(self, cells: pl.Series, day: dt.date) -> None:
        """Take the cells in the order of their ids."""
        self.cells = cells.cast(pl.String).sort()
        self.first = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        self.size = len(cells) * _QUARTERS

    @property
    def start(self) -> int:
        """The day's start in microseconds since 1970."""
        return int(self.first.timestamp()) * 1_000_000

    def places(self, rows: pl.DataFrame) -> Rows:
        """Return the place of each row by its `cell_id` and `event_time`."""
        numbered = self.cells.to_frame("cell_id").with_row_index("number")
        passed = pl.col("event_time").dt.timestamp("us") - self.start
        whole = (passed % 900_000_000 == 0) & passed.is_between(0, 86_400_000_000, closed="left")
        place = pl.col("number").cast(pl.Int64) * _QUARTERS + passed // 900_000_000
        found = rows.join(numbered, on="cell_id", how="left", maintain_order="left").select(
            pl.when(whole).then(place).fill_null(self.size)
        )
        return found.to_series().to_numpy()

    def at(self, place: int) -> dict[str, str | dt.datetime | None]:
        """Return cell and time of a place."""
        if place == self.size:
            return {"cell_id": None, "event_time": None}
        cell, quarter = divmod(place, _QUARTERS)
        time = self.first + quarter * dt.timedelta(minutes=15)
        return {"cell_id": self.cells[cell], "event_time": time}


def counter_faults(lake: Lake, day: dt.date) -> Faults:
    """Find the cells and quarters of a day whose counters are not what the records say.

    Every cell must have every quarter. Records of the day before reach into the day; where they
    are not in the lake, nothing does.

    Args:
        lake: The lake.
        day: The day.

    Raises:
        TelcoError: A file, or the world's epoch, cannot be read.
    """
    keys = lake.read(COUNTERS, day, day, _KEYS)
    faults = Faults(keys.height)
    if lacking := _lacking(lake, day):
        words = ", ".join(f"{name} of {each}" if each else name for name, each in lacking)
        faults.add(max(keys.height, 1), f"{words} not in the lake")
        name, each = lacking[0]
        faults.recover = lake.command(name, each, each)
        return faults
    grid = _Grid(lake.read("cells", columns=["cell_id"]).to_series(), day)
    places = grid.places(keys)
    del keys
    rows = np.bincount(places, minlength=grid.size + 1)
    missing, more = np.flatnonzero(rows[:-1] == 0), np.flatnonzero(rows[:-1] > 1)
    faults.add(
        len(missing), f"{len(missing)} cells and quarters have no counters", _some(grid, missing)
    )
    faults.add(len(more), f"{len(more)} cells and quarters have several", _some(grid, more))
    faults.add(int(rows[-1]), f"{rows[-1]} rows are of no cell and quarter of the day")
    _compare(lake, day, grid, places, faults)
    return faults


def _some(grid: _Grid, places: Rows) -> list[dict[str, Any]]:
    return [grid.at(int(place)) for place in places[:SAMPLE_ROWS]]


def _lacking(lake: Lake, day: dt.date) -> list[tuple[str, dt.date | None]]:
    """Return what the counters of a day are sums of and is not in the lake."""
    wanted: list[tuple[str, dt.date | None]] = [("cells", None)]
    sources = ("network_state", "cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates")
    wanted += [(name, day) for name in sources]
    return [(name, each) for name, each in wanted if not lake.files(name, each)]


def _compare(lake: Lake, day: dt.date, grid: _Grid, places: Rows, faults: Faults) -> None:
    """Note the cells and quarters in which counters and records differ."""
    expected = _expected(lake, day, grid)
    wrong = np.zeros(grid.size + 1, dtype=np.bool_)
    words, sample, sums = [], [], []
    for name in _counters():
        told = np.zeros(grid.size + 1, dtype=np.int64)
        np.add.at(told, places, lake.read(COUNTERS, day, day, [name]).to_series().to_numpy())
        records = expected.pop(name)
        differ = np.flatnonzero(told != records)
        if name in _SUMS_SHOWN:
            sums.append(f"{told.sum():,} {name}")
        if not differ.size:
            continue
        wrong[differ] = True
        words.append(
            f"{name} {told.sum():,} counted, {records.sum():,} in the records "
            f"({differ.size} cells and quarters differ)"
        )
        one = int(differ[0])
        figures = {"counter": name, "counted": int(told[one]), "in_records": int(records[one])}
        sample.append(grid.at(one) | figures)
    faults.add(int(wrong.sum()), "; ".join(words), sample)
    if words:
        _blame_the_eve(lake, day, faults)
    if not faults.offenders:
        faults.words.append(f"counters and records agree: {', '.join(sums)}")


def _blame_the_eve(lake: Lake, day: dt.date, faults: Faults) -> None:
    """Say which records of the day before are not in the lake, where counters differ."""
    eve = day - _ONE_DAY
    lost = [name for name in _REACH_ON if not lake.files(name, eve)]
    if not lost or eve < asof.epoch_of(lake):
        return
    told = " and ".join(lost)
    faults.words.append(f"{told} of {eve}, which may reach into the day, not in the lake")
    # Nobody can tell whether the counters were made with them: made again, they surely are.
    commands = [lake.command(",".join(lost), eve, eve), lake.command(COUNTERS, day, day)]
    faults.recover = " && ".join(commands)


def _counters() -> list[str]:
    return [name for name in DATASETS[COUNTERS].columns if name not in _KEYS]


def _expected(lake: Lake, day: dt.date, grid: _Grid) -> dict[str, Rows]:
    """Return each counter by place, from the records."""
    types = DATASETS[COUNTERS].polars_schema
    expected: dict[str, Rows] = {
        name: np.zeros(grid.size + 1, dtype=np.int64 if types[name] == pl.Int64 else np.int32)
        for name in _counters()
    }
    # A call may last a day and what it takes to answer, so that it ends two days later.
    days = [day - 2 * _ONE_DAY, day - _ONE_DAY, day]
    with _database() as database:
        for name, each in (
            ("cdrs_voice", days),
            ("cdrs_data", days[1:]),
            ("cdrs_sms", [day]),
            ("location_updates", [day]),
            ("network_state", [day]),
            ("cells", [None]),
        ):
            files = [glob.escape(str(file)) for one in each for file in lake.files(name, one)]
            database.read_parquet(files, hive_partitioning=False).create_view(name)
        database.execute(_VIEWS.replace("$start", str(grid.start)))
        for addend in _ADDENDS:
            found = database.sql(
                f"select case when quarter between 0 and {_QUARTERS - 1} and number is not null "
                f"then number * {_QUARTERS} + quarter else {grid.size} end as place, "
                f"columns(* exclude (cell_id, quarter, number)) "
                f"from ({addend.replace('$start', str(grid.start))}) left join numbered "
                "using (cell_id)"
            ).pl()
            places = found["place"].to_numpy()
            for name in found.columns[1:]:
                np.add.at(expected[name], places, _filled(found[name], expected[name].dtype))
    return expected


def _filled(values: pl.Series, dtype: np.dtype) -> Rows:
    """Return sums as numbers; of no rows they are null."""
    return values.fill_null(0).to_numpy().astype(dtype)


@contextmanager
def _database() -> Iterator["duckdb.DuckDBPyConnection"]:
    """Give a database in memory; its errors are those of the files that it reads."""
    import duckdb  # here: it takes a while to load, and most checks do without

    with TemporaryDirectory() as directory:
        options: dict[str, Any] = {
            "preserve_insertion_order": "false",
            "memory_limit": _MEMORY,
            "temp_directory": directory,
        }
        try:
            with duckdb.connect(config=options) as database:
                yield database
        except duckdb.Error as error:
            raise TelcoError(str(error).splitlines()[0]) from error


# Calls to customer care

_OF_CONTACT: Final = (
    "event_id",
    "event_time",
    "subscriber_id",
    "channel",
    "resolution",
    "queue_seconds",
    "handling_seconds",
    "call_reference",
)
_OF_CALL: Final = (
    "event_id",
    "event_time",
    "subscriber_id",
    "record_type",
    "status",
    "call_duration",
    "call_reference",
)


def care_call_faults(lake: Lake, day: dt.date) -> Faults:
    """Find the contacts of a day without their call, and the calls to care without a contact.

    Each contact over the telephone has one record, of its subscriber, reference and time, which
    was answered and lasted as long as queue and handling, or rang in vain if the caller gave up.
    Nothing else goes to care.

    Args:
        lake: The lake.
        day: The day.

    Raises:
        TelcoError: A file, or the number of customer care, cannot be read.
    """
    contacts = lake.read(CONTACTS, day, day, _OF_CONTACT)
    faults = Faults(contacts.height)
    if not lake.files(CALLS, day):
        faults.add(max(contacts.height, 1), f"{CALLS} of {day} is not in the lake")
        faults.recover = lake.command(CALLS, day, day)
        return faults
    calls = (
        lake.scan(CALLS, day, day)
        .filter(pl.col("called_number") == _care_number(lake))
        .select(_OF_CALL)
        .collect()
    )
    by_phone = pl.col("channel").cast(pl.String) == Channel.CALL
    spoken = contacts.filter(by_phone)
    named = contacts.filter(~by_phone & pl.col("call_reference").is_not_null())
    _note(named, "contacts over another channel name a call", faults)
    counted = calls.group_by("call_reference").agg(records=pl.len())
    # A null refers to no call.
    joined = spoken.join(counted, on="call_reference", how="left")
    _note(joined.filter(pl.col("records").is_null()), "contacts have no call", faults)
    _note(joined.filter(pl.col("records") > 1), "contacts have several calls", faults)
    once = joined.filter(pl.col("records") == 1).drop("records")
    pairs = once.join(calls, on="call_reference", suffix="_of_call")
    _note(pairs.filter(_differ()), "contacts are not as their call tells", faults)
    repeated = spoken.drop_nulls("call_reference").filter(pl.col("call_reference").is_duplicated())
    _note(repeated, "contacts share a call", faults)
    others = calls.join(spoken, on="call_reference", how="anti")
    _note(others, "records of calls to care belong to no contact", faults)
    return faults


def _differ() -> pl.Expr:
    """Return whether a contact and its call tell different things."""
    status = pl.col("status").cast(pl.String)
    gave_up = pl.col("resolution").cast(pl.String) == Resolution.ABANDONED
    # A call that is answered lasts a second at least.
    seconds = pl.max_horizontal(pl.col("queue_seconds") + pl.col("handling_seconds"), 1)
    answered = (status == CallStatus.ANSWERED) & (pl.col("call_duration") == seconds)
    as_it_went = answered | (gave_up & (status == CallStatus.NO_ANSWER))
    return (
        (pl.col("subscriber_id") != pl.col("subscriber_id_of_call"))
        | (pl.col("event_time") != pl.col("event_time_of_call"))
        | (pl.col("record_type").cast(pl.String) != RecordType.MO_CALL)
        | ~as_it_went
    )


def _note(rows: pl.DataFrame, words: str, faults: Faults) -> None:
    sample = rows.head(SAMPLE_ROWS).to_dicts()
    faults.add(rows.height, f"{rows.height} {words}", sample)


def _care_number(lake: Lake) -> str:
    """Return the number of customer care of the world in a lake."""
    held = lake.held_world()
    numbering = (held.config or {}).get("numbering") if held else None
    if not isinstance(numbering, dict) or "care_number" not in numbering:
        raise TelcoError(f"{lake.root} does not say which number customer care has")
    return str(numbering["care_number"])


# The state of subscriptions

_LIFE: Final = {
    LifeChange.ACTIVATION: LifeStatus.ACTIVE,
    LifeChange.WIN_BACK: LifeStatus.ACTIVE,
    LifeChange.RESUMPTION: LifeStatus.ACTIVE,
    LifeChange.SUSPENSION: LifeStatus.SUSPENDED,
    LifeChange.PORT_OUT: LifeStatus.PORTED_OUT,
    LifeChange.TERMINATION: LifeStatus.TERMINATED,
}
_DATED: Final = (
    LifeChange.ACTIVATION,
    LifeChange.PORT_OUT,
    LifeChange.TERMINATION,
    LifeChange.WIN_BACK,
)
"""Changes with which an identity begins or ends."""
_FORWARDED_LEG: Final = (
    pl.col("supplementary_service").cast(pl.String).is_in(["CFB", "CFNRy", "CFNRc"])
    & (pl.col("status").cast(pl.String) != CallStatus.FORWARDED)
).fill_null(False)
# Records of a call that was set up follow it: signalling by seconds, a forwarded leg when it has
# rung in vain.
_UNDER_WAY: Final = dt.timedelta(minutes=2)
_FOLLOWS: Final = {"cdrs_voip": pl.lit(True), "cdrs_ims": pl.lit(True), CALLS: _FORWARDED_LEG}
# Which records are of something that the subscriber starts. Who is suspended may call care.
_STARTED: Final = {
    CALLS: (pl.col("record_type").cast(pl.String) == RecordType.MO_CALL) & ~_FORWARDED_LEG,
    "cdrs_sms": pl.col("record_type").cast(pl.String).is_in([RecordType.MO_SMS, RecordType.MO_MMS]),
    "cdrs_data": pl.col("record_sequence_number") == 1,
    "cdrs_voip": pl.col("role").cast(pl.String) == "originating",
    "cdrs_ims": (pl.col("role_of_node").cast(pl.String) == "originating")
    & (pl.col("sip_method").cast(pl.String) == "INVITE"),
}
_CALLED: Final = {
    CALLS: "called_number",
    "cdrs_voip": "called_party_address",
    "cdrs_ims": "called_party_address",
}
_ENDED: Final = [
    str(status) for status in (LifeStatus.PROSPECT, LifeStatus.PORTED_OUT, LifeStatus.TERMINATED)
]


def follows_state(dataset: Dataset) -> bool:
    """Return whether the rows of a dataset are records that follow from state of subscriptions."""
    return dataset.name != STATE and {"subscriber_id", "event_id"} <= set(dataset.columns)


def state_faults(lake: Lake, dataset: Dataset, day: dt.date) -> Faults:
    """Find the rows of a day that the state of their subscription does not allow.

    Records are of subscriptions in service; who is suspended starts nothing but calls to care.
    Where a subscription begins or ends, `identity_changes` says so at the same time.

    Args:
        lake: The lake.
        dataset: A dataset of which `follows_state` is true.
        day: The day.

    Raises:
        TelcoError: A file cannot be read.
    """
    rows = lake.scan(dataset.name, day, day).select(pl.len()).collect().item()
    faults = Faults(rows)
    if not lake.files(STATE, day):
        faults.add(max(rows, 1), f"{STATE} of {day} is not in the lake")
        faults.recover = lake.command(STATE, day, day)
        return faults
    columns = ["subscriber_id", "status", "change", "change_time"]
    text = pl.col("status", "change").cast(pl.String)
    state = lake.scan(STATE, day, day, columns).with_columns(text)
    if dataset.name == asof.CHANGES:
        _judge_changes(lake, day, state, faults)
    else:
        _judge_records(lake, dataset, day, state, faults)
    return faults


def _judge_changes(lake: Lake, day: dt.date, state: pl.LazyFrame, faults: Faults) -> None:
    """Judge the changes of identity with which a subscription begins or ends."""
    name = pl.col("change").str.replace_all("[- ]", "_").alias("change_type")
    lives = (
        state.filter(pl.col("change").is_in([str(change) for change in _DATED]))
        .select("subscriber_id", pl.col("change_time").alias("event_time"), name)
        .collect()
    )
    kinds = [str(change).replace("-", "_").replace(" ", "_") for change in _DATED]
    changes = (
        lake.scan(asof.CHANGES, day, day)
        .select("subscriber_id", "event_time", pl.col("change_type").cast(pl.String))
        .filter(pl.col("change_type").is_in(kinds))
        .collect()
    )
    same = ["subscriber_id", "event_time", "change_type"]
    lost = lives.join(changes, on=same, how="anti").sort(same)
    _note(lost, f"changes of {STATE} have no change of identity at their time", faults)
    invented = changes.join(lives, on=same, how="anti").sort(same)
    _note(invented, f"changes of identity are none of {STATE}", faults)


def _judge_records(
    lake: Lake, dataset: Dataset, day: dt.date, state: pl.LazyFrame, faults: Faults
) -> None:
    """Judge records by the status of their subscription at their time."""
    records = lake.scan(dataset.name, day, day)
    known = state.select("subscriber_id")
    strangers = (
        records.group_by("subscriber_id")
        .agg(rows=pl.len(), event_time=pl.col("event_time").min())
        .join(known, on="subscriber_id", how="anti")
        .sort("subscriber_id")
        .collect(engine="streaming")
    )
    count = int(strangers["rows"].sum())
    sample = strangers.head(SAMPLE_ROWS).to_dicts()
    faults.add(count, f"{count} rows of subscribers without a state", sample)

    changed = pl.col("change").replace_strict(
        {str(change): str(status) for change, status in _LIFE.items()}, default=None
    )
    special = state.with_columns(changed_to=changed).filter(
        (pl.col("status") != LifeStatus.ACTIVE) | pl.col("changed_to").is_not_null()
    )
    special = special.select(
        "subscriber_id", "changed_to", "change_time", status_of_day=pl.col("status")
    )
    after = pl.col("event_time") >= pl.col("change_time")
    follows = _FOLLOWS.get(dataset.name, pl.lit(False))
    follows &= pl.col("changed_to") != LifeStatus.ACTIVE
    after &= ~(follows & (pl.col("event_time") < pl.col("change_time") + _UNDER_WAY))
    status = pl.when(after.fill_null(False) & pl.col("changed_to").is_not_null())
    status = status.then(pl.col("changed_to")).otherwise(pl.col("status_of_day"))
    wrong = (
        records.join(special, on="subscriber_id")
        .with_columns(subscription=status)
        .filter(_forbidden(lake, dataset))
        .select("event_id", "event_time", "subscriber_id", "subscription", "change_time")
        .collect(engine="streaming")
        .sort("event_time", "event_id")
    )
    for kind in (*_ENDED, str(LifeStatus.SUSPENDED)):
        part = wrong.filter(pl.col("subscription") == kind)
        started = " that the subscriber starts" if kind == LifeStatus.SUSPENDED else ""
        _note(part, f"rows{started} while the subscription is {kind}", faults)


def _forbidden(lake: Lake, dataset: Dataset) -> pl.Expr:
    """Return whether a record is none of its subscription's status (in `subscription`)."""
    gone = pl.col("subscription").is_in(_ENDED)
    if dataset.name not in _STARTED:
        return gone
    started = _STARTED[dataset.name]
    if called := _CALLED.get(dataset.name):
        started &= pl.col(called).ne_missing(_care_number(lake))
    return gone | ((pl.col("subscription") == LifeStatus.SUSPENDED) & started)


# Files


def file_faults(lake: Lake, day: dt.date) -> Faults:
    """Return what is wrong with the files of a day: their times, their numbers, and copies.

    A number that is missing is no fault here: the file was lost on the way.
    """
    frame = lake.read(FILES, day, day)
    faults = Faults(rows=frame.height)
    empty = pl.col("record_count") == 0
    first, last = pl.col("first_event_time"), pl.col("last_event_time")
    late = (pl.col("closed") - pl.col("event_time") != _QUARTER) | (
        pl.col("received") <= pl.col("closed")
    )
    spans = (first.is_null() != empty) | (last.is_null() != empty)
    spans |= (first > last).fill_null(False) | (last >= pl.col("closed")).fill_null(False)
    _note_files(frame.filter(late), "files that closed or came at no possible time", faults)
    _note_files(frame.filter(spans), "files whose records lie outside their time", faults)

    same = ["element_id", "dataset", "sequence_number"]
    content = ["file_name", "event_time", "record_count", "file_length", "checksum"]
    other = frame.filter(pl.struct(content).n_unique().over(same) > 1)
    _note_files(other, "files with the number of another", faults)
    again = frame.filter(pl.struct(*same, "received").is_duplicated())
    _note_files(again, "files that came twice at the same moment", faults)

    # Between two files the number grows by one each quarter, or began at 0 since the first.
    stream = ["element_id", "dataset"]
    ordered = frame.unique([*stream, "event_time"]).sort(*stream, "event_time")
    number = pl.col("sequence_number")
    since = pl.col("event_time") - pl.col("event_time").shift(1).over(stream)
    passed = since.dt.total_minutes() // 15
    grown = number - number.shift(1).over(stream)
    wrong = (grown != passed) & (number >= passed)
    _note_files(ordered.filter(wrong.fill_null(False)), "files that skip numbers", faults)
    return faults


def _note_files(rows: pl.DataFrame, words: str, faults: Faults) -> None:
    shown = rows.select("file_name", "event_time", "received", "record_count")
    _note(shown.sort(shown.columns), words, faults)
