"""Rows: which rows of a dataset are in reach on a day.

Belongs here: the predicate of each dataset over its own columns, and what counters and files are
sums of. Does not belong here: who is in reach (`days`).

A row is *in reach*, in either world, by its own columns:

    dataset              in reach if in the hour of its event_time
    cdrs_voice           the calls of its subscriber or of the other party are; another record of
                         the same call is; or it tells of use abroad of somebody whose use abroad
                         is marked otherwise
    cdrs_voip            the calls of either are; or its subscriber is served better or worse
    cdrs_ims             the calls of its subscriber or of the other party are; or it registers one
                         whose registrations may follow from others
    cdrs_sms             the messages of its subscriber or of the other party are; or a short code
                         writes to whom a campaign may have written
    cdrs_data            the sessions of its subscriber are; or it tells of use abroad, as above
    location_updates     the updates of its subscriber are
    customer_service     its subscriber is in reach that day, or its queue
    identity_changes     its subscriber is in reach that day
    alarms, metrics, logs  its element is
    pm_counters          the state of its cell differs, or a record in reach counts in its cell and
                         hour
    collected_files      its element's files are, or a record in reach is in it

The other party is told by the numbers in the row: anybody of ours who has one of them at any time.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.engine.calendar import DAY, HOUR, SECOND, day_start
from telco_pipeline.engine.keys import rows_of
from telco_pipeline.lake import Lake
from telco_pipeline.reach import hours
from telco_pipeline.reach.days import DayReach
from telco_pipeline.reach.hours import Hours

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_PARTIES: Final = {
    "cdrs_voice": ("calling_number", "called_number"),
    "cdrs_voip": ("calling_party_address", "called_party_address"),
    "cdrs_ims": ("calling_party_address", "called_party_address"),
    "cdrs_sms": ("calling_number", "called_number"),
}
OF_SUBSCRIBERS: Final = (
    *_PARTIES,
    "cdrs_data",
    "location_updates",
    "customer_service",
    "identity_changes",
)
_OF_ELEMENTS: Final = ("alarms", "element_metrics", "network_logs")
_CALL: Final = "call_reference"
COUNTERS: Final = "pm_counters"
FILES: Final = "collected_files"
COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    **{
        name: (
            "event_time",
            "subscriber_id",
            *_PARTIES.get(name, ()),
            *(("roaming",) if name in ("cdrs_voice", "cdrs_data") else ()),
            *((_CALL,) if name == "cdrs_voice" else ()),
            *(("sip_method",) if name == "cdrs_ims" else ()),
        )
        for name in OF_SUBSCRIBERS
    },
    **dict.fromkeys(_OF_ELEMENTS, ("element_id",)),
    COUNTERS: ("event_time", "cell_id"),
    FILES: ("event_time", "element_id", "dataset"),
}
"""Columns by which a row is in reach, by dataset: all records, and what is made of records."""

# When a record ends, and so in which counters and file it counts: the moment, or the duration in
# seconds (`oss.counters`, `oss.collection`).
_ENDS: Final = {
    "cdrs_voice": "release_time",
    "cdrs_voip": "release_time",
    "cdrs_ims": "delivery_end_time",
    "cdrs_data": "duration",
}
_COUNTED: Final = ("cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates")
_FILED: Final = ("cdrs_voice", "cdrs_sms", "cdrs_data", "cdrs_voip", "cdrs_ims")
SUMMED: Final = tuple(dict.fromkeys((*_COUNTED, *_FILED)))
"""Datasets whose records are added up in counters or files."""
_CELLS: Final = {
    "cdrs_voice": ("cell_id", "last_cell_id"),
    "cdrs_data": ("cell_id", "last_cell_id"),
}
_QUARTER: Final = HOUR // 4
_QUARTERS: Final = DAY // _QUARTER
_LAST_MINUTES: Final = 5 * 60 * SECOND  # a voicemail takes a call that has rung in vain
_SHORT: Final = 6  # characters of the longest short code


@dataclass(frozen=True)
class Keys:
    """Ids behind row numbers, and numbers of subscribers.

    Attributes:
        subscriber_id: Ids by entity number.
        cell_id: Ids of the cells.
        element_id: Ids of the elements.
        numbers: Columns `number` and `entity`: who of ours has a number at any time.
    """

    subscriber_id: pl.Series
    cell_id: pl.Series
    element_id: pl.Series
    numbers: pl.DataFrame


@dataclass
class Sums:
    """What records in reach are added up to, on a day and what reaches into the next.

    Attributes:
        cells: Hours of each cell with such a record: 48 bits.
        files: By dataset, which quarters of each element have one, shape (elements, 192).
        calls: References of calls that began in the last minutes of the day before.
        latest: The same of this day.
    """

    cells: Hours
    files: dict[str, Flags]
    calls: pl.Series
    latest: pl.Series

    @classmethod
    def none(cls, keys: Keys) -> "Sums":
        """Return that nothing is in reach."""
        shape = (len(keys.element_id), 2 * _QUARTERS)
        files = {name: np.zeros(shape, dtype=np.bool_) for name in _FILED}
        nothing = pl.Series(_CALL, [], dtype=pl.Int64)
        return cls(hours.none(len(keys.cell_id)), files, nothing, nothing)

    def next_day(self) -> "Sums":
        """Return what reaches into the next day."""
        moved = {}
        for name, files in self.files.items():
            moved[name] = np.zeros_like(files)
            moved[name][:, :_QUARTERS] = files[:, _QUARTERS:]
        return Sums(self.cells >> hours.DAY_BITS, moved, self.latest, self.latest.clear())

    def add(self, keys: Keys, day: DayReach, name: str, frame: pl.DataFrame, inside: Flags) -> None:
        """Add the records of a dataset that are in reach (in place).

        Args:
            keys: Ids.
            day: The day.
            name: Name of the dataset.
            frame: Its records, with `columns_of`.
            inside: Which of them are in reach.
        """
        some = frame.filter(pl.Series(inside))
        if not len(some):
            return
        start = some["event_time"].cast(pl.Int64).to_numpy() - day_start(day.date)
        end = np.clip(_end(some, name, start, day.date), start, 2 * DAY - 1)
        if name == "cdrs_voice":
            late = pl.Series(start >= DAY - _LAST_MINUTES)
            self.latest = pl.concat([self.latest, some[_CALL].filter(late)])
        if name in _COUNTED:
            bits = hours.between(start // HOUR, end // HOUR)
            for column in _CELLS.get(name, ("cell_id",)):
                cell = _rows(some[column], keys.cell_id)
                there = cell >= 0
                np.bitwise_or.at(self.cells, cell[there], bits[there])
        if name in _FILED:
            element = _rows(some["recording_entity"], keys.element_id)
            self.files[name][element, end // _QUARTER] = True


def columns_of(name: str) -> list[str]:
    """Return the columns that are read of a dataset, for its rows and for what sums them up."""
    wanted = list(COLUMNS[name])
    if name in _COUNTED:
        wanted += _CELLS.get(name, ("cell_id",))
    if name in _FILED:
        wanted.append("recording_entity")
    if name in _ENDS:
        wanted.append(_ENDS[name])
    return list(dict.fromkeys(wanted))


def _end(frame: pl.DataFrame, name: str, start: Rows, date: dt.date) -> Rows:
    """Return when records end, in microseconds of the day."""
    if name not in _ENDS:
        return start
    column = frame[_ENDS[name]]
    if column.dtype.is_integer():
        return start + column.to_numpy().astype(np.int64) * SECOND
    moments = column.cast(pl.Int64).to_numpy() if not column.null_count() else None
    if moments is None:
        moments = column.cast(pl.Int64).fill_null(-1).to_numpy()
        return np.where(moments < 0, start, moments - day_start(date))
    return moments - day_start(date)


def _rows(values: pl.Series, keys: pl.Series) -> Rows:
    """Return the row of each key; -1 for null and for keys of other networks."""
    texts = values.cast(pl.String) if keys.dtype == pl.String else values
    known = pl.DataFrame({"key": keys, "row": np.arange(len(keys))})
    found = pl.DataFrame({"key": texts}).join(known, "key", "left", maintain_order="left")
    return found["row"].fill_null(-1).to_numpy()


def reached(keys: Keys, day: DayReach, name: str, frame: pl.DataFrame, sums: Sums) -> Flags:
    """Return which rows of a dataset's day are in reach.

    Args:
        keys: Ids.
        day: Who is in reach.
        name: Name of the dataset, one of `COLUMNS`.
        frame: All rows of the day in one world, with these columns.
        sums: What records in reach are added up to, and the calls in reach of the eve.
    """
    if name in _OF_ELEMENTS:
        return day.elements[rows_of(frame["element_id"].cast(pl.String), keys.element_id)]
    if name == COUNTERS:
        cell = rows_of(frame["cell_id"].cast(pl.String), keys.cell_id)
        return hours.at((day.cells | sums.cells)[cell], _hour(frame))
    if name == FILES:
        return _files(keys, day, frame, sums)
    who = rows_of(frame["subscriber_id"], keys.subscriber_id)
    if name == "identity_changes":
        return day.changes[who]
    if name == "customer_service":
        return day.care[who]
    hour = _hour(frame)
    if name == "location_updates":
        return hours.at(day.updates[who], hour)
    if name == "cdrs_data":
        return hours.at(day.sessions[who], hour) | _abroad(day, who, frame)
    if name == "cdrs_sms":
        inside = _of_either(keys, day.messages, who, hour, name, frame)
        by_code = frame["calling_number"].cast(pl.String).str.len_chars() <= _SHORT
        return inside | (day.offered[who] & by_code.to_numpy())
    inside = _of_either(keys, day.calls, who, hour, name, frame)
    if name == "cdrs_voip":
        return inside | hours.at(day.quality[who], hour)
    if name == "cdrs_ims":
        return inside | (day.registers[who] & (frame["sip_method"] == "REGISTER").to_numpy())
    if name == "cdrs_voice":
        inside |= _abroad(day, who, frame)
        same = pl.concat([frame[_CALL].filter(pl.Series(inside)), sums.calls]).unique()
        inside |= frame[_CALL].is_in(same.implode()).to_numpy()
    return inside


def _abroad(day: DayReach, who: Rows, frame: pl.DataFrame) -> Flags:
    return day.unrated[who] & frame["roaming"].to_numpy()


def _hour(frame: pl.DataFrame) -> npt.NDArray[np.integer]:
    return frame["event_time"].dt.hour().to_numpy()


def _of_either(
    keys: Keys, of: Hours, who: Rows, hour: npt.NDArray[np.integer], name: str, frame: pl.DataFrame
) -> Flags:
    """Return which rows are of somebody in reach, or tell of him as the other party."""
    inside = hours.at(of[who], hour)
    concerned = pl.DataFrame({"entity": np.flatnonzero(of), "bits": of[np.flatnonzero(of)]})
    numbers = keys.numbers.join(concerned, on="entity")
    numbers = numbers.group_by("number").agg(pl.col("bits").bitwise_or())
    for column in _PARTIES[name]:
        rows = pl.DataFrame({"number": frame[column].cast(pl.String)})
        bits = rows.join(numbers, on="number", how="left", maintain_order="left")["bits"]
        inside |= hours.at(bits.fill_null(0).to_numpy(), hour)
    return inside


def _files(keys: Keys, day: DayReach, frame: pl.DataFrame, sums: Sums) -> Flags:
    element = rows_of(frame["element_id"].cast(pl.String), keys.element_id)
    start = frame["event_time"].cast(pl.Int64).to_numpy() - day_start(day.date)
    inside = day.damaged[element]
    names = frame["dataset"].cast(pl.String)
    for name, files in sums.files.items():
        rows = np.flatnonzero((names == name).to_numpy())
        inside[rows] |= files[element[rows], start[rows] // _QUARTER]
    return inside


def numbers_of(lakes: Sequence[Lake], days: Sequence[dt.date]) -> pl.DataFrame:
    """Return who of ours has which number at any time: columns `number` and `subscriber_id`."""
    columns = ["subscriber_id", "msisdn"]
    frames = [lakes[0].read(name, columns=columns) for name in ("subscribers", "prospects")]
    frames += [
        lake.read("identity_changes", day, day, columns)
        for lake in lakes
        for day in lake.days("identity_changes")
        if day <= days[-1]
    ]
    found = pl.concat([frame.select(columns) for frame in frames]).drop_nulls().unique()
    return found.rename({"msisdn": "number"})
