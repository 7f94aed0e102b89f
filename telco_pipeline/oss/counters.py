"""Performance counters of cells by quarter of an hour, added up from the records in the lake.

Belongs here: the rows of `pm_counters`. Does not belong here: the records, the state of the cells
(`state.network`), whether the sums are right (`reconciliation`, which shares no code with this).

Counters are whole numbers and additive: the sum over all cells and quarters is that of the
records. A record counts if it has a cell (abroad it has none) and went over the air (over Wi-Fi,
`rat_type` WLAN, it did not). Its *start* is its `event_time`; its *end* is `release_time`, or
`event_time` and `duration`. Attempts count in `cell_id` in the quarter of the start:

    what                             RRC attempt, success       E-RAB attempt, success
    leg of a call over LTE or NR     1, if not `blocked`        1, if not `blocked`
    leg over GERAN or UTRAN          1, if not `blocked`        -
    SMS or MMS, each side            1, 1                       -
    first record of a data session   1, if `diagnostics` != 26  1, if `diagnostics` is null
    update of the location           1, if `cause` != 22        -   (not a detach)

A connection for an attempt that the core refuses (a data session with another ESM cause, an update
with another EMM cause) was set up all the same: RRC counters tell of radio only.

- `voice_att` and `voice_blocked` count legs over any radio access.
- Handovers count in `cell_id` in the quarter of the start: tried are `handovers` and
  `handovers_failed`, those that succeeded are `handovers`.
- Bearers are released, and calls lost, in `last_cell_id` in the quarter of the end. A leg over LTE
  or NR that was not blocked releases its bearer, whether or not it was answered (the bearer is set
  up before it rings); a data session does so in its last record, which was closed with cause 0 or
  4 and has no `diagnostics`. So each bearer that was set up is released once. Abnormal is
  `cause_for_term` 4 of a leg and cause 4 of a data record.
- Bytes and the time of bearers are spread evenly over a record, in `cell_id`. Of V bytes of a
  record of d milliseconds, floor(V x / d) have passed after x whole milliseconds, and of its time
  the whole seconds; a quarter gets what has passed at its end less what had passed at its
  beginning. What has passed at the end of the record is all of it, so nothing is lost. A record
  without duration has its bytes in the quarter of the start.
- What lies behind midnight, of releases, bytes and time, counts on the next day: a day's counters
  read the records of the day and of the day before, where those are in the lake: in a lake whose
  records begin later than the world, nothing reaches into the first day, as on the epoch.
- `cell_unavailable_time` are the seconds without service by the minutes of `network_state`, where
  it names a fault. A cell that is out of service without one does not know, and counts none.
  `prb_used_dl` is the mean of the quarter: `prb_use`, which is that of the hour's minutes in
  service, times the cell's resource blocks, times the quarter's minutes in service over 15,
  rounded half up. So it is 0 where the cell is out of service throughout.

The records are read one row group after the other, of a few columns, so that memory is that of the
rows made and of one row group: 3 million records of data are counted in a second (one thread of two
shared cores), in 0.35 GB for 20,000 cells and 0.7 GB for the 57,500 of a million subscribers.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telco_pipeline.contracts.codes import CauseForRecClosing, CauseForTerm, Rat, UpdateType
from telco_pipeline.contracts.oss import PM_COUNTERS
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND, day_start
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.settings import WorldConfig

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

QUARTER: Final = 15 * MINUTE
QUARTERS: Final = DAY // QUARTER
_MILLISECOND: Final = 1000

_BEARERS: Final = (str(Rat.EUTRAN), str(Rat.NR), str(Rat.LTE_M), str(Rat.NB_IOT))
_INSUFFICIENT_RESOURCES: Final = 26  # ESM cause of TS 24.301
_CONGESTION: Final = 22  # EMM cause of TS 24.301
_NONE: Final = -1  # a code that a record does not have
# A leg lasts longer than the talk by what it takes to answer: see `_days_of_calls`.
_LONGEST_SETUP_S: Final = 600

_VOICE: Final = (
    "event_time",
    "release_time",
    "cell_id",
    "last_cell_id",
    "rat_type",
    "blocked",
    "handovers",
    "handovers_failed",
    "cause_for_term",
)
_SMS: Final = ("event_time", "cell_id", "rat_type")
_DATA: Final = (
    "event_time",
    "duration",
    "cell_id",
    "last_cell_id",
    "rat_type",
    "record_sequence_number",
    "data_volume_uplink",
    "data_volume_downlink",
    "cause_for_rec_closing",
    "diagnostics",
    "handovers",
    "handovers_failed",
)
_UPDATES: Final = ("event_time", "cell_id", "rat_type", "update_type", "cause")
_TEXTS: Final = ("cell_id", "last_cell_id", "rat_type", "update_type")
_OF_STATE: Final = ("prb_used_dl", "prb_tot_dl", "cell_unavailable_time")
_STATE: Final = (
    "cell_id",
    "event_time",
    "prb_use",
    "unavailable_from",
    "unavailable_until",
    "fault_id",
)


def make(config: WorldConfig, lake: Lake, day: dt.date) -> pl.DataFrame:
    """Return the counters of a day: every cell by every quarter, sorted by time and cell.

    Args:
        config: The world: its epoch and its longest call.
        lake: Where the records of the day lie, and perhaps of the day before, `cells` and
            `network_state`.
        day: The day.

    Raises:
        TelcoError: One of these is missing or cannot be read.
    """
    cells = lake.read("cells", columns=["cell_id", "prb_total"]).sort("cell_id")
    tally = _Tally(cells["cell_id"], day)
    for source in (
        _Source("cdrs_voice", _VOICE, _count_calls, "release_time", _days_of_calls(config)),
        _Source("cdrs_sms", _SMS, _count_messages),
        _Source("cdrs_data", _DATA, _count_sessions, "duration", 1),
        _Source("location_updates", _UPDATES, _count_updates),
    ):
        for back in range(source.days_before, -1, -1):
            date = day - dt.timedelta(days=back)
            if not back or lake.files(source.name, date):
                source.add_up(lake, tally, date)
    return _frame(tally, cells, _radio(tally, cells, _state(lake, day)))


def _days_of_calls(config: WorldConfig) -> int:
    """Return how many days back a call may begin that is still on: one, but for marathons."""
    return 1 + (config.charging.voice_max_s + _LONGEST_SETUP_S) // (DAY // SECOND)


class _Tally:
    """Counters of all cells and quarters of a day.

    A *place* is the number of a cell times 96 and the quarter; -1 stands for all that is not
    counted: no cell, another day. Each counter has one element more, at its end, which takes that.
    """

    def __init__(self, cells: pl.Series, day: dt.date) -> None:
        """Begin at zero.

        Args:
            cells: Ids of the cells; their number is that in this order.
            day: The day.
        """
        self.cells = cells.to_arrow()
        self.day = day
        self.start = day_start(day)
        others = {*PM_COUNTERS.schema.primary_key(), *_OF_STATE}
        self._counts = {
            name: np.zeros(len(cells) * QUARTERS + 1, dtype=_integer(dtype))
            for name, dtype in PM_COUNTERS.polars_schema.items()
            if name not in others
        }

    def place(self, cell: Rows, quarter: Rows) -> Rows:
        """Return the place of each cell and quarter of the day."""
        inside = (cell >= 0) & (quarter >= 0) & (quarter < QUARTERS)
        return np.where(inside, cell * QUARTERS + quarter, -1)

    def add(self, name: str, place: Rows, amount: Any = 1) -> None:
        """Add an amount, or one of each, to a counter at some places."""
        counts = self._counts[name]
        np.add.at(counts, place, np.asarray(amount, dtype=counts.dtype))

    def take(self, name: str) -> npt.NDArray[np.integer]:
        """Return a counter by quarter and cell; it is gone from here, as it is large."""
        return self._counts.pop(name)[:-1].reshape(-1, QUARTERS).T.reshape(-1)


def _integer(dtype: pl.DataType) -> type[np.integer]:
    return np.int64 if dtype == pl.Int64 else np.int32


class _Records:
    """Some columns of records that count, as arrays; times in microseconds of the day."""

    def __init__(self, table: pa.Table, tally: _Tally) -> None:
        """Take the records of a table that have a cell and went over the air."""
        self.tally = tally
        self._table = table
        self._kept: Rows | None = None
        cell = self._cells("cell_id")
        counts = (cell >= 0) & ~self.one_of("rat_type", (str(Rat.WLAN),))
        self._kept = np.flatnonzero(counts)
        self.cell = cell[self._kept]
        self.start = self.time("event_time")
        self.place = tally.place(self.cell, self.start // QUARTER)

    def last_cell(self) -> Rows:
        """Return the cell at the end of each record; where it tells none, that of the start."""
        last = self._cells("last_cell_id")
        return np.where(last >= 0, last, self.cell)

    def time(self, name: str) -> Rows:
        """Return a time in microseconds since the start of the day."""
        values = self._table.column(name).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        return self._chosen(values.to_numpy()) - self.tally.start

    def number(self, name: str) -> Rows:
        """Return whole numbers; `_NONE` for null."""
        column = self._table.column(name)
        if column.null_count:
            column = pc.fill_null(column, _NONE)
        return self._chosen(column.to_numpy()).astype(np.int64)

    def flag(self, name: str) -> Flags:
        """Return truth values; null is false."""
        values = pc.fill_null(self._table.column(name), False)
        return self._chosen(values.to_numpy().astype(np.bool_))

    def one_of(self, name: str, texts: tuple[str, ...]) -> Flags:
        """Return which records have one of some texts."""
        return self._coded(name, pa.array(texts)) >= 0

    def _cells(self, name: str) -> Rows:
        return self._coded(name, self.tally.cells)

    def _coded(self, name: str, texts: pa.Array) -> Rows:
        """Return the position of each text in a list; -1 for null and what is not in it.

        A text is looked up once in the dictionary of its row group.
        """
        found = [np.zeros(0, dtype=np.int64)]
        for chunk in self._table.column(name).chunks:
            values = chunk.dictionary.cast(texts.type)
            known = pc.call_function("index_in", [values], pc.SetLookupOptions(value_set=texts))
            # One more, at the end: where an index of -1 points to.
            position = np.append(pc.fill_null(known, -1).to_numpy(zero_copy_only=False), -1)
            index = pc.fill_null(chunk.indices.cast(pa.int64()), -1)
            found.append(position[index.to_numpy(zero_copy_only=False)])
        return self._chosen(np.concatenate(found))

    def _chosen(self, values: np.ndarray) -> Any:
        return values if self._kept is None else values[self._kept]


Count = Callable[[_Records], None]


@dataclass(frozen=True)
class _Source:
    """A dataset whose records are counted.

    Attributes:
        name: Name of the dataset.
        columns: Columns that the counters need.
        count: Adds a batch of its records to their tally.
        end: Column that tells when a record ends: its time, or its duration in seconds; None if
            a record ends as it begins.
        days_before: Days before the day whose records may reach into it.
    """

    name: str
    columns: tuple[str, ...]
    count: Count
    end: str | None = None
    days_before: int = 0

    def add_up(self, lake: Lake, tally: _Tally, of_day: dt.date) -> None:
        """Count the records of a day: the tally's own, or one before that reach into it."""
        with _reading(lake, self.name, of_day) as files:
            for file in files:
                for table in self._batches(file, None if of_day == tally.day else tally.start):
                    self.count(_Records(table, tally))

    def _batches(self, file: Path, reaching: int | None) -> Iterator[pa.Table]:
        """Yield the records of a file, of another day only those that reach into this one.

        Args:
            file: The file.
            reaching: When the day begins, if the file is of a day before: microseconds.
        """
        texts = [name for name in self.columns if name in _TEXTS]
        with pq.ParquetFile(file, read_dictionary=texts) as parquet:
            for number in range(parquet.metadata.num_row_groups):
                rows = None
                if reaching is not None:
                    times = _read(parquet, number, ("event_time", str(self.end)))
                    rows = np.flatnonzero(self._ends(times) >= reaching)
                    if not rows.size:
                        continue
                table = _read(parquet, number, self.columns)
                yield table if rows is None else table.take(rows)

    def _ends(self, times: pa.Table) -> Rows:
        """Return when each record ends, in microseconds since 1970."""
        start, end = times.column("event_time"), times.column(str(self.end))
        if pa.types.is_integer(end.type):
            return _since_1970(start) + end.to_numpy().astype(np.int64) * SECOND
        return _since_1970(end)


def _since_1970(column: pa.ChunkedArray) -> Rows:
    return column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()


def _read(parquet: pq.ParquetFile, number: int, columns: tuple[str, ...]) -> pa.Table:
    return parquet.read_row_group(number, columns=list(columns), use_threads=False)


@contextmanager
def _reading(lake: Lake, name: str, day: dt.date) -> Iterator[list[Path]]:
    """Give the files of a partition; what is wrong with them is told with its remedy."""
    files = lake.files(name, day)
    if not files:
        raise TelcoError(
            f"{lake.root} has no {name} of {day}, which the counters are made from: make it with "
            f"`{lake.command(name, day, day)}`"
        )
    try:
        yield files
    # A column that is not there is a KeyError.
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise TelcoError(
            f"{name} of {day} in {lake.root} cannot be read ({reason}): make it anew with "
            f"`{lake.command(name, day, day)}`"
        ) from error


def _state(lake: Lake, day: dt.date) -> pl.DataFrame:
    """Return the state of every cell in every hour."""
    with _reading(lake, "network_state", day) as files:
        return pl.read_parquet(files, columns=list(_STATE), glob=False, hive_partitioning=False)


def _count_calls(calls: _Records) -> None:
    """Count legs of calls: attempts, handovers, releases, time of bearers."""
    tally, place = calls.tally, calls.place
    blocked, bearer = calls.flag("blocked"), calls.one_of("rat_type", _BEARERS)
    end = calls.time("release_time")
    lost = calls.number("cause_for_term") == CauseForTerm.STABLE_CALL_ABNORMAL_TERMINATION
    released = tally.place(calls.last_cell(), end // QUARTER)
    tally.add("rrc_conn_estab_att", place)
    tally.add("rrc_conn_estab_succ", place[~blocked])
    tally.add("erab_estab_att", place[bearer])
    tally.add("erab_estab_succ", place[bearer & ~blocked])
    tally.add("voice_att", place)
    tally.add("voice_blocked", place[blocked])
    tally.add("voice_drop", released[lost])
    tally.add("erab_rel", released[bearer & ~blocked])
    tally.add("erab_rel_abnormal", released[bearer & ~blocked & lost])
    _count_handovers(calls)
    up = np.flatnonzero(bearer & ~blocked)
    spread = _Spread.of(
        tally, calls.cell[up], calls.start[up], np.maximum(end - calls.start, 0)[up]
    )
    spread.add_seconds("erab_session_time")


def _count_messages(messages: _Records) -> None:
    """Count messages: each needs a connection, and had one, or it would have left no record."""
    messages.tally.add("rrc_conn_estab_att", messages.place)
    messages.tally.add("rrc_conn_estab_succ", messages.place)


def _count_sessions(sessions: _Records) -> None:
    """Count records of data sessions: attempts, handovers, releases, time of bearers, bytes."""
    tally, place = sessions.tally, sessions.place
    cause, length = sessions.number("diagnostics"), sessions.number("duration") * SECOND
    first, admitted = sessions.number("record_sequence_number") == 1, cause == _NONE
    closing = sessions.number("cause_for_rec_closing")
    lost = closing == CauseForRecClosing.ABNORMAL_RELEASE
    last = np.flatnonzero(admitted & (lost | (closing == CauseForRecClosing.NORMAL_RELEASE)))
    begun = place[first]
    tally.add("rrc_conn_estab_att", begun)
    tally.add("rrc_conn_estab_succ", begun[cause[first] != _INSUFFICIENT_RESOURCES])
    tally.add("erab_estab_att", begun)
    tally.add("erab_estab_succ", begun[admitted[first]])
    end = sessions.start[last] + length[last]
    released = tally.place(sessions.last_cell()[last], end // QUARTER)
    tally.add("erab_rel", released)
    tally.add("erab_rel_abnormal", released[lost[last]])
    _count_handovers(sessions)
    spread = _Spread.of(tally, sessions.cell, sessions.start, length)
    spread.add_seconds("erab_session_time", admitted)
    spread.add_bytes("pdcp_volume_ul", sessions.number("data_volume_uplink"))
    spread.add_bytes("pdcp_volume_dl", sessions.number("data_volume_downlink"))


def _count_updates(updates: _Records) -> None:
    """Count updates of the location; who detaches is not answered."""
    asks = ~updates.one_of("update_type", (str(UpdateType.DETACH),))
    radio = updates.number("cause") != _CONGESTION
    updates.tally.add("rrc_conn_estab_att", updates.place[asks])
    updates.tally.add("rrc_conn_estab_succ", updates.place[asks & radio])


def _count_handovers(records: _Records) -> None:
    """Count the handovers of records; most have none."""
    done, failed = records.number("handovers"), records.number("handovers_failed")
    moved = np.flatnonzero(done + failed)
    place = records.place[moved]
    records.tally.add("ho_exe_att", place, (done + failed)[moved])
    records.tally.add("ho_exe_succ", place, done[moved])


@dataclass(frozen=True)
class _Spread:
    """Stretches of time, and their pieces in quarters of an hour where they lie in several.

    Attributes:
        tally: What is added to.
        length: Length of each stretch in microseconds.
        within: Stretches that lie in one quarter.
        place: Place of each of these.
        row: Stretch of each piece of the others.
        piece: Place of each piece.
        since, until: Where each piece begins and ends, from the start of its stretch.
    """

    tally: _Tally
    length: Rows
    within: Rows
    place: Rows
    row: Rows
    piece: Rows
    since: Rows
    until: Rows

    @classmethod
    def of(cls, tally: _Tally, cell: Rows, start: Rows, length: Rows) -> "_Spread":
        """Cut stretches at the quarters: cell, start and length of each."""
        first = start // QUARTER
        # The moment at which a stretch ends is not part of it.
        last = np.maximum(start + length - 1, start) // QUARTER
        within, across = np.flatnonzero(first == last), np.flatnonzero(first != last)
        # Pieces of another day are not counted: they are not made.
        begin, end = np.maximum(first[across], 0), np.minimum(last[across], QUARTERS - 1)
        count = np.maximum(end - begin + 1, 0)
        row = np.repeat(across, count)
        step = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        quarter = np.repeat(begin, count) + step
        return cls(
            tally,
            length,
            within,
            tally.place(cell[within], first[within]),
            row,
            tally.place(cell[row], quarter),
            np.maximum(quarter * QUARTER - start[row], 0),
            np.minimum((quarter + 1) * QUARTER - start[row], length[row]),
        )

    def add_seconds(self, name: str, counts: Flags | None = None) -> None:
        """Add the whole seconds that pass in each quarter, of some of the stretches."""
        if counts is None:
            counts = np.ones(len(self.length), dtype=np.bool_)
        whole = np.where(counts, self.length // SECOND, 0)
        self.tally.add(name, self.place, whole[self.within])
        passed = self.until // SECOND - self.since // SECOND
        self.tally.add(name, self.piece, np.where(counts[self.row], passed, 0))

    def add_bytes(self, name: str, volume: Rows) -> None:
        """Add what flows of each stretch's bytes in each quarter."""
        self.tally.add(name, self.place, volume[self.within])
        whole = self.length[self.row] // _MILLISECOND
        passed = _part(volume[self.row], self.until // _MILLISECOND, whole)
        before = _part(volume[self.row], self.since // _MILLISECOND, whole)
        self.tally.add(name, self.piece, passed - before)


def _part(volume: Rows, passed: Rows, whole: Rows) -> Rows:
    """Return floor(volume * passed / whole), for any volume.

    Volume and time are multiplied apart from what divides evenly, or the product would not fit 63
    bits: both factors of the rest are milliseconds of a day at most.
    """
    each, rest = np.divmod(volume, whole)
    return each * passed + rest * passed // whole


def _frame(tally: _Tally, cells: pl.DataFrame, radio: dict[str, np.ndarray]) -> pl.DataFrame:
    """Return the rows: the tally, with what the network's state tells of cells (both used up)."""
    count = cells.height
    quarters = pl.Series(tally.start + np.arange(QUARTERS) * QUARTER).cast(pl.Datetime("us", "UTC"))
    columns: dict[str, pl.Series] = {
        "cell_id": cells["cell_id"].gather(np.tile(np.arange(count, dtype=np.uint32), QUARTERS)),
        "event_time": quarters.gather(np.repeat(np.arange(QUARTERS, dtype=np.uint32), count)),
    }
    for name in PM_COUNTERS.columns:
        if name not in columns:
            columns[name] = pl.Series(radio.pop(name) if name in radio else tally.take(name))
    return pl.DataFrame(columns).select(
        pl.col(name).cast(dtype) for name, dtype in PM_COUNTERS.polars_schema.items()
    )


def _radio(tally: _Tally, cells: pl.DataFrame, state: pl.DataFrame) -> dict[str, np.ndarray]:
    """Return by quarter and cell what the state tells: resource blocks, seconds without service."""
    total = cells["prb_total"].to_numpy().astype(np.int32)
    used, lost = [], []
    for hour in range(24):
        now = pl.col("event_time").dt.timestamp("us") == tally.start + hour * HOUR
        rows = state.filter(now).sort("cell_id")
        if not rows["cell_id"].equals(cells["cell_id"]):
            raise TelcoError(f"network_state of {tally.day} does not have each cell in each hour")
        # In thousandths of the blocks, so that sums of minutes are whole numbers.
        blocks = np.rint(rows["prb_use"].to_numpy() * 10.0).astype(np.int64) * total
        first, until = (
            rows[name].fill_null(0).to_numpy().astype(np.int32)
            for name in ("unavailable_from", "unavailable_until")
        )
        known = rows["fault_id"].is_not_null().to_numpy()
        for low in range(0, 60, QUARTER // MINUTE):
            minutes = np.clip(until, low, low + 15) - np.clip(first, low, low + 15)
            used.append(_mean_of_quarter(blocks, 15 - minutes))
            lost.append(minutes * known * (MINUTE // SECOND))
    return {
        "prb_used_dl": np.concatenate(used),
        "prb_tot_dl": np.tile(total, QUARTERS),
        "cell_unavailable_time": np.concatenate(lost),
    }


def _mean_of_quarter(thousandths: Rows, minutes: np.ndarray) -> np.ndarray:
    """Return the mean number of blocks in use over a quarter of an hour, rounded half up.

    Args:
        thousandths: Thousandths of a block that each cell uses while it is in service.
        minutes: Minutes of the quarter for which it is.
    """
    whole = 1000 * (QUARTER // MINUTE)
    return ((2 * thousandths * minutes + whole) // (2 * whole)).astype(np.int32)
