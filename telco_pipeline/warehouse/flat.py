"""The flat Belgian CDR table: calls, messages and data sessions in one table of 23 columns.

Belongs here: how a row follows from the records of a day in the lake. Does not belong here: the SQL
table (`flat_table`), the world whose records they are (`settings.flat`), making and loading it
(`cli.flat`).

A row is one call, one message or one data record, where the lake has a record for either side of a
call or message that is ours. It is put together, never changed: every value stands in a record, in
the registry or among the cells. What our operator does not know (the equipment and the antenna of a
party in another network) is null. A day is closed at midnight: of a message that is delivered on
the next day the receiving side is not known.

Memory stays flat: a part of a day is one frame, and messages, whose two records may lie in
different parts, are put together in shares of a day by their reference.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import polars as pl

from telco_pipeline.contracts.codes import CallStatus, RecordType, SupplementaryService
from telco_pipeline.lake import Lake
from telco_pipeline.settings.flat import CALL_TYPES

VOICE, SMS, DATA = CALL_TYPES
SUCCESS, MISSED, FAILED = STATUSES = ("SUCCESS", "MISSED", "FAILED")

DATASET_OF: Final = {VOICE: "cdrs_voice", SMS: "cdrs_sms", DATA: "cdrs_data"}
"""Dataset of each call type."""

STATIC: Final = ("cells", "subscribers", "prospects")
"""Datasets that tell where antennas and homes are."""

_EMISSION: Final = "emission"
_RECEPTION: Final = "reception"
_ANTENNA: Final = {
    "id": pl.String(),
    "type": pl.String(),
    "lat": pl.Float64(),
    "lon": pl.Float64(),
    "altitude": pl.Int16(),
}


def _antenna_names(side: str) -> list[str]:
    return [f"antenna_{what}_{side}" for what in _ANTENNA]


SCHEMA: Final[dict[str, pl.DataType]] = {
    "id": pl.Int64(),
    "caller": pl.String(),
    "callee": pl.String(),
    "start_time": pl.Datetime("us", "UTC"),
    "duration": pl.Int32(),
    "type": pl.String(),
    "status": pl.String(),
    "imei_caller": pl.String(),
    "imei_receiver": pl.String(),
    "operator_code_emission": pl.String(),
    **dict(zip(_antenna_names(_EMISSION), _ANTENNA.values(), strict=True)),
    **dict(zip(_antenna_names(_RECEPTION), _ANTENNA.values(), strict=True)),
    "operator_code_reception": pl.String(),
    "caller_lat_home": pl.Float64(),
    "caller_lon_home": pl.Float64(),
}
"""The 23 columns, in their order."""

_LAYOUT: Final = pl.Schema(SCHEMA)

# Data records that are looked up at a time.
_DATA_AT_ONCE: Final = 32_768
# Rows of a day's messages that are put together at a time.
_MESSAGES_AT_ONCE: Final = 250_000
_STATUS_OF_CALL: Final = {
    CallStatus.ANSWERED: SUCCESS,
    CallStatus.NO_ANSWER: MISSED,
    CallStatus.BUSY: MISSED,
    CallStatus.UNREACHABLE: MISSED,
    CallStatus.REJECTED: MISSED,
    CallStatus.FORWARDED: SUCCESS,
    CallStatus.FAILED: FAILED,
}
_FORWARDING: Final = [
    str(one)
    for one in (SupplementaryService.CFB, SupplementaryService.CFNRY, SupplementaryService.CFNRC)
]
_SENT: Final = [str(RecordType.MO_SMS), str(RecordType.MO_MMS)]
_CALL_COLUMNS: Final = (
    *("event_id", "event_time", "record_type", "status", "calling_number", "called_number"),
    *("imei", "other_imei", "home_plmn", "other_plmn", "cell_id", "other_cell_id"),
    *("call_reference", "call_duration", "supplementary_service"),
    *("home_latitude", "home_longitude"),
)
_MESSAGE_COLUMNS: Final = (
    *("event_id", "event_time", "record_type", "subscriber_id", "calling_number"),
    *("called_number", "imei", "other_plmn", "message_reference", "cell_id", "sms_result"),
)
_DATA_COLUMNS: Final = (
    *("event_id", "event_time", "subscriber_id", "msisdn", "imei", "cell_id", "duration"),
    "diagnostics",
)


@dataclass(frozen=True)
class Ground:
    """What rows are looked up in: antennas by cell, homes by subscriber.

    Attributes:
        antennas: `cell_id` and what `_ANTENNA` names of its site.
        homes: `subscriber_id`, `home_plmn`, `home_latitude` and `home_longitude`.
    """

    antennas: pl.DataFrame
    homes: pl.DataFrame

    @classmethod
    def of(cls, lake: Lake) -> Self:
        """Read it from a lake.

        Raises:
            TelcoError: The lake lacks cells or the registry.
        """
        cells = lake.read("cells")
        antennas = cells.select(
            "cell_id",
            id="site_id",
            type=pl.col("cell_class").cast(pl.String),
            lat="latitude",
            lon="longitude",
            altitude="altitude",
        ).cast({"altitude": pl.Int16})
        people = pl.concat(
            lake.read(name, columns=("subscriber_id", "home_plmn", "home_cell_id"))
            for name in STATIC[1:]
        )
        positions = cells.select(
            home_cell_id="cell_id", home_latitude="latitude", home_longitude="longitude"
        )
        homes = people.join(positions, on="home_cell_id", how="left").drop("home_cell_id")
        return cls(antennas, homes.rechunk())

    @property
    def networks(self) -> list[str]:
        """Networks of our subscribers' SIMs, those of visitors included."""
        return self.homes["home_plmn"].unique().sort().to_list()

    def antenna(self, rows: pl.DataFrame, cell: str, side: str) -> pl.DataFrame:
        """Return rows with the antenna of one side instead of its cell."""
        names = dict(zip(_ANTENNA, _antenna_names(side), strict=True))
        known = self.antennas.rename({"cell_id": cell, **names})
        return rows.join(known, on=cell, how="left", maintain_order="left").drop(cell)

    def home(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows with network and home of their `subscriber_id`; null where it is null."""
        return rows.join(self.homes, on="subscriber_id", how="left", maintain_order="left")


def calls(records: pl.DataFrame, ground: Ground) -> pl.DataFrame:
    """Return the rows of calls: one for each, of the caller's side if he is ours.

    A call that the voicemail took is a success and lasts as long as its message.

    Args:
        records: Records of `cdrs_voice` of one part of a day.
        ground: Antennas.
    """
    started = pl.col("record_type") == str(RecordType.MO_CALL)
    forwarded = pl.col("status") == str(CallStatus.FORWARDED)
    taken = records.filter(_to_voicemail()).select("call_reference", message_s="call_duration")
    rows = records.filter(_stands_for_call())
    rows = rows.join(taken, on="call_reference", how="left", maintain_order="left")
    unheard = ~started & forwarded
    status = pl.col("status").replace_strict(
        {str(was): is_now for was, is_now in _STATUS_OF_CALL.items()}, return_dtype=pl.String
    )
    lost = unheard & pl.col("message_s").is_null()
    return _laid_out(
        rows.with_columns(
            is_ours=started,
            duration=pl.when(unheard).then(pl.col("message_s")).otherwise("call_duration"),
            told=pl.when(lost).then(pl.lit(MISSED)).otherwise(status),
        ).with_columns(pl.col("duration").fill_null(0)),
        VOICE,
        ground,
    )


def messages(records: pl.DataFrame, ground: Ground) -> pl.DataFrame:
    """Return the rows of messages: one for each, of the sender's side if he is ours.

    Args:
        records: Records of `cdrs_sms` of a day that belong together.
        ground: Antennas and homes.
    """
    taken = records.filter(~_sent())
    known = taken.select(
        "message_reference", other_imei="imei", other_cell_id="cell_id", other_result="sms_result"
    )
    rows = records.filter(_sent()).with_columns(is_ours=True)
    rows = rows.join(known, on="message_reference", how="left", maintain_order="left")
    alone = taken.filter(~_from_ours(ground)).with_columns(
        is_ours=False,
        other_imei=pl.lit(None, pl.String),
        other_cell_id=pl.lit(None, pl.String),
        other_result=pl.lit(None, pl.Int16),
    )
    rows = pl.concat([rows, alone])
    arrived = (pl.col("sms_result") == 0) & (pl.col("other_result").fill_null(0) == 0)
    return _laid_out(
        ground.home(rows).with_columns(
            duration=pl.lit(0),
            told=pl.when(arrived).then(pl.lit(SUCCESS)).otherwise(pl.lit(FAILED)),
        ),
        SMS,
        ground,
    )


def data(records: pl.DataFrame, ground: Ground) -> pl.DataFrame:
    """Return the rows of data records, one for each; there is no callee.

    Args:
        records: Records of `cdrs_data` of one part of a day.
        ground: Antennas and homes.
    """
    refused = pl.col("diagnostics").is_not_null()
    rows = ground.home(records).select(
        id="event_id",
        caller="msisdn",
        callee=pl.lit(None),
        start_time="event_time",
        duration="duration",
        type=pl.lit(DATA),
        status=pl.when(refused).then(pl.lit(FAILED)).otherwise(pl.lit(SUCCESS)),
        imei_caller="imei",
        operator_code_emission="home_plmn",
        caller_lat_home="home_latitude",
        caller_lon_home="home_longitude",
        cell="cell_id",
    )
    rows = ground.antenna(rows, "cell", _EMISSION)
    nothing = [pl.lit(None).alias(name) for name in SCHEMA if name not in rows.columns]
    return rows.with_columns(nothing).select(list(SCHEMA)).cast(_LAYOUT)


def _to_voicemail() -> pl.Expr:
    """Whether a voice record is the leg to the voicemail, of who forwards: the call once more."""
    started = pl.col("record_type") == str(RecordType.MO_CALL)
    forwarded = pl.col("status") == str(CallStatus.FORWARDED)
    by_service = pl.col("supplementary_service").is_in(_FORWARDING).fill_null(value=False)
    return started & ~forwarded & by_service


def _stands_for_call() -> pl.Expr:
    """Whether a voice record is a row: the caller's, and the callee's where there is none of it.

    The caller's record has both sides.
    """
    started = pl.col("record_type") == str(RecordType.MO_CALL)
    return ~_to_voicemail() & (started | pl.col("other_imei").is_null())


def _sent() -> pl.Expr:
    """Whether a message record is the sender's."""
    return pl.col("record_type").cast(pl.String).is_in(_SENT)


def _from_ours(ground: Ground) -> pl.Expr:
    """Whether the other party of a received message is ours, who left a record."""
    return pl.col("other_plmn").is_in(ground.networks).fill_null(value=False)


def _laid_out(rows: pl.DataFrame, kind: str, ground: Ground) -> pl.DataFrame:
    """Return rows of calls or messages in the table's columns.

    Args:
        rows: Records with `is_ours` (the record is the caller's), `duration` and `told` (status).
        kind: Their type.
        ground: Antennas.
    """
    ours = pl.col("is_ours")

    def side(mine: str, others: str, *, caller: bool) -> pl.Expr:
        """The value of one side: of who wrote the record, or of the other."""
        return pl.when(ours if caller else ~ours).then(pl.col(mine)).otherwise(pl.col(others))

    laid = rows.select(
        id="event_id",
        caller="calling_number",
        callee="called_number",
        start_time="event_time",
        duration="duration",
        type=pl.lit(kind),
        status="told",
        imei_caller=side("imei", "other_imei", caller=True),
        imei_receiver=side("imei", "other_imei", caller=False),
        operator_code_emission=side("home_plmn", "other_plmn", caller=True),
        operator_code_reception=side("home_plmn", "other_plmn", caller=False),
        from_cell=side("cell_id", "other_cell_id", caller=True),
        to_cell=side("cell_id", "other_cell_id", caller=False),
        caller_lat_home=pl.when(ours).then("home_latitude"),
        caller_lon_home=pl.when(ours).then("home_longitude"),
    )
    laid = ground.antenna(laid, "from_cell", _EMISSION)
    laid = ground.antenna(laid, "to_cell", _RECEPTION)
    return laid.select(list(SCHEMA)).cast(_LAYOUT)


def day_frames(
    lake: Lake, day: dt.date, types: Sequence[str] = CALL_TYPES, ground: Ground | None = None
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a day in frames of the table's columns, in no order.

    Args:
        lake: A lake with the day's records of these types, and the `STATIC` datasets.
        day: The day.
        types: Call types.
        ground: Antennas and homes, where they are known already.

    Raises:
        TelcoError: The lake lacks something.
    """
    ground = ground or Ground.of(lake)
    if VOICE in types:
        yield from _by_part(lake, day, DATASET_OF[VOICE], _CALL_COLUMNS, ground, calls)
    if SMS in types:
        records = lake.scan(DATASET_OF[SMS], day, day, _MESSAGE_COLUMNS)
        shares = 1 + lake.rows(DATASET_OF[SMS], day) // _MESSAGES_AT_ONCE
        for share in range(shares):
            chosen = records.filter(pl.col("message_reference") % shares == share)
            yield messages(chosen.collect(), ground)
    if DATA in types:
        yield from _by_part(lake, day, DATASET_OF[DATA], _DATA_COLUMNS, ground, data)


def count_rows(lake: Lake, day: dt.date, types: Sequence[str], ground: Ground) -> int:
    """Return how many rows a day has (arguments: `day_frames`), without making them."""
    count = lake.rows(DATASET_OF[DATA], day) if DATA in types else 0
    chosen = {VOICE: _stands_for_call(), SMS: _sent() | ~_from_ours(ground)}
    for kind in set(types) - {DATA}:
        found = lake.scan(DATASET_OF[kind], day, day).filter(chosen[kind]).select(pl.len())
        count += found.collect().item()
    return count


def _by_part(
    lake: Lake,
    day: dt.date,
    name: str,
    columns: Sequence[str],
    ground: Ground,
    project: Callable[[pl.DataFrame, Ground], pl.DataFrame],
) -> Iterator[pl.DataFrame]:
    lake.scan(name, day, day)  # says what is missing
    for file in lake.files(name, day):
        records = _read(file, columns)
        # The legs of a call lie in one part, and it has few of them; of data each record is a row.
        step = _DATA_AT_ONCE if project is data else max(records.height, 1)
        for some in records.iter_slices(step):
            yield project(some, ground)


def _read(file: Path, columns: Sequence[str]) -> pl.DataFrame:
    scan = pl.scan_parquet(file, hive_partitioning=False, glob=False)
    return scan.select(columns).collect()


def first_rows(frames: Iterable[pl.DataFrame], count: int) -> pl.Expr:
    """Return which rows of some frames are the first `count` by time (and by key, where equal).

    Args:
        frames: The frames.
        count: How many; fewer than they have.
    """
    order = pl.concat([frame.select("start_time", "id") for frame in frames])
    last: Any = order.sort("start_time", "id").row(count - 1, named=True)
    moment, key = pl.lit(last["start_time"], SCHEMA["start_time"]), last["id"]
    time = pl.col("start_time")
    return (time < moment) | ((time == moment) & (pl.col("id") <= key))
