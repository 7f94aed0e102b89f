"""Files in which the records of a day came to mediation, from the records in the lake.

Belongs here: the rows of `collected_files`, what becomes of files that a scenario layer damages.
Does not belong here: the records, which no file changes; whether the rows are right
(`reconciliation`, which shares no code with this).

Each element that writes records keeps one file open for each dataset that its records go to. It
closes it every quarter of an hour, with or without records, so that a silent element can be told
from a lost file, and gives it the next number (TS 32.297). A record goes into the file that is open
when it ends, which may be on the day after it began: a day's files take records of the day before
too, where those are in the lake. In a lake whose records begin later than the world, nothing
reaches into the first day, as on the epoch.

Numbers count the quarters since the element's software was last started; it is, once in each
`_WINDOW` days, and numbers begin at 0 again. That looks like a gap, and is none. Mediation
fetches every five minutes, at the element's own time; one file in four hundred is late by hours,
which looks like a lost one until it is there.

The effect `files` loses files and lets others arrive a second time, with a `file_id` of their own.
Draws belong to (element, dataset, quarter), so all other files stay as they are.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from telco_pipeline.contracts.codes import ElementType, FiledDataset
from telco_pipeline.contracts.collection import COLLECTED_FILES
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR, MINUTE, SECOND, day_number, day_start
from telco_pipeline.engine.identifiers import EventIds
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.oss.stories import story_of
from telco_pipeline.scenarios.effects import Files
from telco_pipeline.scenarios.story import StoryDay, Touch
from telco_pipeline.settings import WorldConfig

Rows = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NAME: Final = COLLECTED_FILES.name
DATASETS: Final = tuple(str(one) for one in FiledDataset)
QUARTER: Final = 15 * MINUTE
QUARTERS: Final = DAY // QUARTER

_WRITERS: Final = {
    FiledDataset.CDRS_VOICE: (ElementType.MSC, ElementType.MMTEL_AS),
    FiledDataset.CDRS_SMS: (ElementType.MSC, ElementType.SMSC, ElementType.MMSC),
    FiledDataset.CDRS_DATA: (
        *(ElementType.PGW, ElementType.CHF),
        *(ElementType.SGW, ElementType.AMF),  # attempts that failed
    ),
    FiledDataset.CDRS_VOIP: (ElementType.MMTEL_AS,),
    FiledDataset.CDRS_IMS: (ElementType.P_CSCF, ElementType.S_CSCF),
}
# Column that tells when a record ends, where it does not end as it begins: a time, or a duration
# in seconds; null means at once.
ENDS: Final = {
    FiledDataset.CDRS_VOICE: "release_time",
    FiledDataset.CDRS_DATA: "duration",
    FiledDataset.CDRS_VOIP: "release_time",
    FiledDataset.CDRS_IMS: "delivery_end_time",
}
# Octets of an encoded record (TS 32.298, BER), least and by how much it varies with what optional
# fields it has.
_OCTETS: Final = {
    FiledDataset.CDRS_VOICE: (280, 160),
    FiledDataset.CDRS_SMS: (180, 60),
    FiledDataset.CDRS_DATA: (420, 360),
    FiledDataset.CDRS_VOIP: (640, 320),
    FiledDataset.CDRS_IMS: (820, 560),
}
_HEADER: Final = 54  # octets of a file's header
_REACH: Final = 30 * DAY  # longer than any record
_LONGEST_SETUP_S: Final = 600  # a leg lasts longer than the talk by what it takes to answer

_WINDOW: Final = 64  # days within which an element's software is started anew once
_WINDOW_QUARTERS: Final = _WINDOW * QUARTERS
_FETCHED_EVERY: Final = 5 * MINUTE
_HANDSHAKE: Final = (1 * SECOND, 8 * SECOND)  # least and most of a transfer, but for its bytes
_MICROSECONDS_PER_BYTE: Final = 1  # 8 Mbit/s
_LATE: Final = 1 / 400
_LATE_BY: Final = (30 * MINUTE, 8 * HOUR)
_AGAIN_AFTER: Final = (5 * MINUTE, 6 * HOUR)


def make(config: WorldConfig, lake: Lake, day: dt.date) -> pl.DataFrame:
    """Return the files that elements opened on a day and mediation got, each time that it did.

    Args:
        config: The world: its longest call, its layers.
        lake: Where the records of the day lie, and perhaps of days before, and `network_elements`.
        day: The day.

    Raises:
        TelcoError: One of these is missing or cannot be read.
    """
    elements = lake.read("network_elements", columns=["element_id", "element_type"])
    tally = _Tally(len(elements), day)
    for number, name in enumerate(DATASETS):
        for back in range(days_before(name, config.charging.voice_max_s), -1, -1):
            date = day - dt.timedelta(days=back)
            if not back or lake.files(name, date):
                tally.add_up(lake, number, date, elements["element_id"])
    files = _files(config, elements, tally)
    return _frame(config, elements["element_id"], files, fates(config, lake, files))


@dataclass(frozen=True)
class _FileSet:
    """The files of a day: one array element each, by element, dataset and quarter.

    Attributes:
        day: The day.
        element: Row of the element.
        dataset: Number of the dataset.
        quarter: Quarter of the day.
        count, octets, first, last, checksum: As of the contract; times in microseconds of the day.
    """

    day: dt.date
    element: Rows
    dataset: Rows
    quarter: Rows
    count: Rows
    octets: Rows
    first: Rows
    last: Rows
    checksum: draws.Bits

    @property
    def since_2000(self) -> Rows:
        """The quarter of each, counted from 2000 on."""
        return day_number(self.day) * QUARTERS + self.quarter

    @property
    def index(self) -> Rows:
        """What tells a file from the others of its element on all days."""
        return self.since_2000 * len(DATASETS) + self.dataset

    def ids(self, seed: int, arrival: int) -> Rows:
        """Return the ids of the first (0) or second (1) arrival of each."""
        index = (self.dataset * QUARTERS + self.quarter) * 2 + arrival
        return EventIds(seed, "file_id")(0, day_number(self.day), self.element, index)


@dataclass(frozen=True)
class Fates:
    """What layers do to the files of a day.

    Attributes:
        lost: Which never arrive.
        doubled: Which arrive twice.
        touches: For each touch: it, the files that it loses, and those that it doubles (positions).
    """

    lost: Flags
    doubled: Flags
    touches: tuple[tuple[Touch, Rows, Rows], ...] = ()


def fates(config: WorldConfig, lake: Lake, files: _FileSet) -> Fates:
    """Return what the layers of a world do to the files of a day."""
    if not config.layers:
        nothing = np.zeros(len(files.element), dtype=np.bool_)
        return Fates(nothing, nothing)
    return _fates(story_of(config, lake).on(files.day), files)


def _fates(story: StoryDay, files: _FileSet) -> Fates:
    lost = np.zeros(len(files.element), dtype=np.bool_)
    doubled = lost.copy()
    hits: list[tuple[Touch, Rows, Rows]] = []
    opened = day_start(files.day) + files.quarter * QUARTER
    for touch in story.of("files"):
        effect = touch.effect
        assert isinstance(effect, Files)
        row, position = touch.among(files.element)
        within = (opened[row] >= touch.start[position]) & (opened[row] < touch.end[position])
        row, position = row[within], position[within]
        key = draws.events(touch.key[position], files.index[row])
        gone = draws.chance(draws.bits(key, "lost"), touch.amount(effect.lost))
        twice = draws.chance(draws.bits(key, "doubled"), touch.amount(effect.doubled))
        lost[row[gone]] = True
        doubled[row[twice]] = True
        hits.append((touch, row[gone], row[twice]))
    # What one layer loses, another cannot double.
    doubled &= ~lost
    return Fates(lost, doubled, tuple((one, gone, two[doubled[two]]) for one, gone, two in hits))


def touched(
    config: WorldConfig, lake: Lake, day: dt.date
) -> Iterator[tuple[Touch, pl.Series, pl.Series]]:
    """Yield for each touch of a day on files the ids and times of those that it lost or doubled.

    A file that was lost has the id that its arrival would have had, which stands nowhere else; of
    one that came twice it is the id of the second arrival. Needs `network_elements` only.
    """
    story = story_of(config, lake)
    if not story.on(day).of("files"):
        return
    elements = lake.read("network_elements", columns=["element_id", "element_type"])
    known = _known(elements)
    if lake.files(NAME, day):  # with elements of which nobody knew that they write records
        known |= _there(lake, elements["element_id"], day)
    files = _of_streams(_Tally(len(elements), day), known)
    found = _fates(story.on(day), files)
    first, second = (files.ids(config.seed, arrival) for arrival in (0, 1))
    opened = day_start(day) + files.quarter * QUARTER
    for touch, lost, doubled in found.touches:
        ids = np.concatenate([first[lost], second[doubled]])
        times = opened[np.concatenate([lost, doubled])]
        if len(ids):
            yield touch, pl.Series(ids), pl.Series(times).cast(pl.Datetime("us", "UTC"))


def _there(lake: Lake, elements: pl.Series, day: dt.date) -> Flags:
    """Return which elements have files of which datasets in the lake; shape of `_known`."""
    pairs = lake.read(NAME, day, day, ["element_id", "dataset"]).unique()
    found = np.zeros((len(DATASETS), len(elements)), dtype=np.bool_)
    for number, name in enumerate(DATASETS):
        own = pairs.filter(pl.col("dataset").cast(pl.String) == name)["element_id"]
        found[number] = elements.is_in(own.implode()).to_numpy()
    return found


def _known(elements: pl.DataFrame) -> Flags:
    """Return by dataset and element whether it writes such records."""
    types = elements["element_type"].cast(pl.String)
    writers = [[str(one) for one in _WRITERS[FiledDataset(name)]] for name in DATASETS]
    return np.stack([types.is_in(names).to_numpy() for names in writers])


def days_before(name: str, voice_max_s: int) -> int:
    """Return how many days back a record of a dataset may begin that ends on a day.

    Args:
        name: The dataset.
        voice_max_s: The world's longest call (`charging.voice_max_s`).
    """
    if name not in ENDS:
        return 0
    if ENDS[FiledDataset(name)] == "duration":
        return 1
    return 1 + (voice_max_s + _LONGEST_SETUP_S) // (DAY // SECOND)


class _Tally:
    """What the files of a day hold: arrays of shape (datasets, elements, quarters).

    All begin at 0, so that the elements of the radio network, thousands that write no records,
    take no memory.
    """

    def __init__(self, elements: int, day: dt.date) -> None:
        """Begin with empty files."""
        shape = (len(DATASETS), elements, QUARTERS)
        self.day, self.start = day, day_start(day)
        self.count = np.zeros(shape, dtype=np.int64)
        self.octets = np.zeros(shape, dtype=np.int64)
        self.checksum = np.zeros(shape, dtype=np.uint64)
        # How long before the end of the day the first record began, and after `_REACH` the last.
        self.before_end = np.zeros(shape, dtype=np.int64)
        self.after_reach = np.zeros(shape, dtype=np.int64)
        self.seen = np.zeros(shape[:2], dtype=np.bool_)

    def add_up(self, lake: Lake, number: int, of_day: dt.date, elements: pl.Series) -> None:
        """Put the records of a dataset's day that end on this day into their files."""
        name = DATASETS[number]
        files = lake.files(name, of_day)
        try:
            if not files:
                raise TelcoError("it is not there")
            for file in files:
                for element, start, end, event in self._ending(file, name, elements.to_arrow()):
                    quarter = (end - self.start) // QUARTER
                    self._add(number, element, quarter, start, event)
        # A column that is not there is a KeyError.
        except (pa.ArrowException, OSError, KeyError, TelcoError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise TelcoError(
                f"{name} of {of_day} in {lake.root} cannot be read ({reason}): make it anew with "
                f"`{lake.command(name, of_day, of_day)}`"
            ) from error

    def _ending(
        self, file: Path, name: str, elements: pa.Array
    ) -> Iterator[tuple[Rows, Rows, Rows, Rows]]:
        """Yield of each row group, of the records that end on the day: element, start, end, id."""
        ends = ENDS.get(FiledDataset(name))
        times = ["event_time", *([ends] if ends else [])]
        with pq.ParquetFile(file, read_dictionary=["recording_entity"]) as parquet:
            for group in range(parquet.metadata.num_row_groups):
                # Times first: of the day before, few records reach into the day.
                table = parquet.read_row_group(group, columns=times, use_threads=False)
                start = _microseconds(table.column("event_time"))
                end = _end(table, ends, start)
                own = np.flatnonzero((end >= self.start) & (end < self.start + DAY))
                if not own.size:
                    continue
                rest = parquet.read_row_group(
                    group, columns=["event_id", "recording_entity"], use_threads=False
                )
                if own.size < len(end):
                    rest, start, end = rest.take(own), start[own], end[own]
                element = _rows_of(rest.column("recording_entity"), elements)
                yield element, start, end, rest.column("event_id").to_numpy()

    def _add(self, number: int, element: Rows, quarter: Rows, start: Rows, event: Rows) -> None:
        place = element * QUARTERS + quarter
        hashed = draws.mix(event.astype(np.uint64))
        least, span = _OCTETS[FiledDataset(DATASETS[number])]
        since = start - self.start
        for values, at, what in (
            (self.count, np.add, 1),
            (self.octets, np.add, least + draws.below(hashed, span)),
            (self.checksum, np.add, hashed),
            (self.before_end, np.maximum, DAY - since),
            (self.after_reach, np.maximum, since + _REACH),
        ):
            at.at(values[number].reshape(-1), place, what)
        self.seen[number, np.flatnonzero(np.bincount(element))] = True


def _end(table: pa.Table, ends: str | None, start: Rows) -> Rows:
    """Return when records end, in microseconds since 1970."""
    if ends is None:
        return start
    if ends == "duration":
        return start + table.column(ends).to_numpy().astype(np.int64) * SECOND
    return _microseconds(pc.fill_null(table.column(ends), table.column("event_time")))


def _microseconds(column: pa.ChunkedArray) -> Rows:
    return column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()


def _rows_of(column: pa.ChunkedArray, elements: pa.Array) -> Rows:
    """Return the row of each text in a list of elements; each is looked up once a row group."""
    found = [np.zeros(0, dtype=np.int64)]
    for chunk in column.chunks:
        values = chunk.dictionary.cast(elements.type)
        known = pc.call_function("index_in", [values], pc.SetLookupOptions(value_set=elements))
        if known.null_count:
            raise TelcoError("it names elements that network_elements does not have")
        found.append(known.to_numpy().astype(np.int64)[chunk.indices.to_numpy()])
    return np.concatenate(found)


def _files(config: WorldConfig, elements: pl.DataFrame, tally: _Tally) -> _FileSet:
    """Return the files of a day, also of elements of which nobody knew that they write records."""
    return _of_streams(tally, _known(elements) | tally.seen)


def _of_streams(tally: _Tally, streams: Flags) -> _FileSet:
    """Return the files of some (dataset, element)."""
    dataset, element = np.nonzero(streams)

    def of(values: npt.NDArray) -> npt.NDArray:
        return values[dataset, element].reshape(-1)

    return _FileSet(
        tally.day,
        element=np.repeat(element, QUARTERS),
        dataset=np.repeat(dataset, QUARTERS),
        quarter=np.tile(np.arange(QUARTERS), len(element)),
        count=of(tally.count),
        octets=of(tally.octets) + _HEADER,
        first=DAY - of(tally.before_end),
        last=of(tally.after_reach) - _REACH,
        checksum=of(tally.checksum),
    )


def _sequence(config: WorldConfig, files: _FileSet) -> Rows:
    """Return the running count of each file: quarters since the element's last restart."""
    key = draws.keys(draws.stream(config.seed, "files/restart"), files.element)
    now = files.since_2000
    window = now // _WINDOW_QUARTERS

    def restart(number: Rows) -> Rows:
        within = draws.bits(draws.events(key, number), "quarter")
        return number * _WINDOW_QUARTERS + draws.below(within, _WINDOW_QUARTERS)

    latest = restart(window)
    return now - np.where(latest <= now, latest, restart(window - 1))


def _received(config: WorldConfig, files: _FileSet) -> tuple[Rows, Rows]:
    """Return when each file arrives, and when it would arrive again: microseconds of the day."""
    element = draws.keys(draws.stream(config.seed, "files/element"), files.element)
    key = draws.events(
        draws.keys(draws.stream(config.seed, "files/transfer"), files.element), files.index
    )
    closed = (files.quarter + 1) * QUARTER
    fetched = closed + draws.below(draws.bits(element, "phase"), _FETCHED_EVERY)
    shake = _between(draws.bits(key, "handshake"), *_HANDSHAKE)
    late = draws.chance(draws.bits(key, "late"), _LATE)
    delay = np.where(late, _between(draws.bits(key, "hours"), *_LATE_BY), 0)
    arrival = fetched + shake + files.octets * _MICROSECONDS_PER_BYTE + delay
    return arrival, arrival + _between(draws.bits(key, "again"), *_AGAIN_AFTER)


def _between(bits: draws.Bits, least: int, most: int) -> Rows:
    """Return microseconds from one bound to another; in steps of 16, as draws have 31 bits."""
    return (
        least
        + draws.below(bits, (most - least) // 16) * 16
        + (bits & np.uint64(15)).astype(np.int64)
    )


def _frame(
    config: WorldConfig, elements: pl.Series, files: _FileSet, happened: Fates
) -> pl.DataFrame:
    arrival, again = _received(config, files)
    there, twice = np.flatnonzero(~happened.lost), np.flatnonzero(happened.doubled)
    row = np.concatenate([there, twice])
    ids = [files.ids(config.seed, number)[rows] for number, rows in enumerate((there, twice))]
    start, empty = day_start(files.day), pl.Series(files.count[row] == 0)
    opened = files.quarter[row] * QUARTER
    sequence = pl.Series(_sequence(config, files)[row])
    element, dataset = elements.gather(files.element[row]), files.dataset[row]
    kinds = pl.Series([name.partition("_")[2] for name in DATASETS])
    times = _local(config, files.day)
    name = pl.select(
        pl.format(
            "{}_-_{}.{}.{}.cdr",
            pl.lit(element),
            pl.lit(sequence),
            pl.lit(times.gather(files.quarter[row])),
            pl.lit(kinds.gather(dataset)),
        )
    ).to_series()

    def moment(time: Rows) -> pl.Series:
        return pl.Series(time + start).cast(pl.Datetime("us", "UTC"))

    checksum = [f"{value:016x}" for value in files.checksum[row].tolist()]
    columns = {
        "file_id": pl.Series(np.concatenate(ids)),
        "event_time": moment(opened),
        "element_id": element,
        "dataset": pl.Series(DATASETS).gather(dataset),
        "file_name": name,
        "sequence_number": sequence,
        "closed": moment(opened + QUARTER),
        "received": moment(np.concatenate([arrival[there], again[twice]])),
        "record_count": pl.Series(files.count[row]),
        "file_length": pl.Series(files.octets[row]),
        "first_event_time": moment(np.where(empty, 0, files.first[row])).set(empty, None),
        "last_event_time": moment(np.where(empty, 0, files.last[row])).set(empty, None),
        "checksum": pl.Series(checksum, dtype=pl.String),
    }
    frame = pl.DataFrame(columns).select(COLLECTED_FILES.columns)
    return frame.cast(COLLECTED_FILES.polars_schema).sort(*COLLECTED_FILES.sort)


def _local(config: WorldConfig, day: dt.date) -> pl.Series:
    """Return for each quarter of a day when its files are closed, as names of files tell it."""
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
    closed = (start + dt.timedelta(minutes=15 * (quarter + 1)) for quarter in range(QUARTERS))
    return pl.Series([f"{time.astimezone(config.country_tz):%Y%m%d_-_%H%M%z}" for time in closed])


__all__ = ["DATASETS", "ENDS", "NAME", "QUARTER", "QUARTERS", "days_before", "make", "touched"]
