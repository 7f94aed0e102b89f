"""Columns that many records bear: whom they serve, the parties, where, when, and merged batches.

Belongs here: turning arrays of a part into columns of a contract. Does not belong here: any one
kind of record.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from telco_pipeline.behaviour.mobility import WEEK
from telco_pipeline.behaviour.population import (
    EUTRAN,
    GERAN,
    RATS,
    UTRAN,
    VISITOR,
)
from telco_pipeline.contracts.codes import Rat
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.engine.draws import Bits
from telco_pipeline.generators.inputs import VISITED_CELLS, Day, Rows
from telco_pipeline.lake import CodedText

Columns = dict[str, npt.NDArray]
Column = pl.Series | CodedText
_CELLS_OF_A_TRIP: Final = 6
# Device classes that ride inside an LTE carrier.
NARROW: Final = np.isin(RATS, [Rat.NB_IOT, Rat.LTE_M])
# Devices without LTE: UTRAN is switched off, so both are on GERAN.
LEGACY: Final = np.isin(np.arange(len(RATS)), [GERAN, UTRAN])


def within_day(columns: Columns) -> Columns:
    """Keep the rows whose `time` (microseconds of the day) lies in the day."""
    inside = (columns["time"] >= 0) & (columns["time"] < DAY)
    if inside.all():
        return columns
    rows = np.flatnonzero(inside)
    return {name: values[rows] for name, values in columns.items()}


def merge(batches: list[Columns]) -> Columns:
    """Put batches one after the other and sort the rows by time.

    Equal times keep their order: the row number is the lower part of the sort key, so the result
    does not depend on the sorting method of the processor.
    """
    names = list(batches[0])
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in names}
    order = time_order(columns["time"])
    return {name: values[order] for name, values in columns.items()}


def time_order(time: Rows) -> Rows:
    """Return the stable order of times within a day."""
    rows = len(time)
    bits = max(rows.bit_length(), 1)
    return np.sort((time << bits) | np.arange(rows)) & ((1 << bits) - 1)


def nullable(missing: npt.NDArray[np.bool_], values: npt.NDArray) -> pl.Series:
    """Return a series of `values` with nulls where missing."""
    return pl.Series(values).set(pl.Series(missing), None)


def moment(day: Day, time: Rows) -> pl.Series:
    """Return UTC times from microseconds of the day."""
    return pl.Series(time + day.start).cast(pl.Datetime("us", "UTC"))


def moment_or_null(day: Day, time: Rows, missing: npt.NDArray[np.bool_]) -> pl.Series:
    """Return UTC times from microseconds of the day, null where missing."""
    return nullable(missing, time + day.start).cast(pl.Datetime("us", "UTC"))


def parties(
    day: Day, entity: Rows, party: Rows, terminating: npt.NDArray[np.bool_], time: Rows
) -> tuple[CodedText, CodedText]:
    """Return the calling and the called number of each record.

    Args:
        day: The day of the records.
        entity: Who is served; our subscribers come first in the directory.
        party: The other party in the directory.
        terminating: Whether the other party called.
        time: When, as numbers change hands: microseconds of the day.
    """
    numbers = day.inputs.numbers
    served = day.identity(entity, time)
    directory = day.inputs.directory
    other = directory.place(party) + (len(numbers.msisdn) - directory.own)
    own = np.flatnonzero(party < directory.own)
    other[own] = day.identity(party[own], time[own])
    calling = CodedText.of(numbers.all, np.where(terminating, other, served)).distinct()
    return calling, CodedText.of(numbers.all, np.where(terminating, served, other)).distinct()


def where_columns(
    day: Day, entity: Rows, cell: Rows, country: Rows, key: Bits
) -> dict[str, Column]:
    """Return the columns that say where: cell at home, network and cell abroad.

    Args:
        day: The day of the records.
        entity: Who is served.
        cell: Row of the cell.
        country: Row of the country, -1 at home.
        key: Hash of the event, which chooses among the cells near the place of the trip.
    """
    texts = day.inputs.lookups
    home = country < 0
    visited = visited_cells(day, entity, country, key)
    return {
        "cell_id": CodedText.of(texts.cell_id, cell, ~home),
        "roaming": pl.Series(~home),
        "visited_plmn": CodedText.of(texts.visited_plmn, country, home),
        "roaming_country": CodedText.of(texts.country, country, home),
        "visited_cell": CodedText.of(texts.visited_cell, visited, home),
    }


def visited_cells(day: Day, entity: Rows, country: Rows, key: Bits) -> Rows:
    """Return the row of the cell abroad of each record, 0 at home (arguments: `where_columns`)."""
    abroad = np.flatnonzero(country >= 0)
    visited = np.zeros(len(country), dtype=np.int64)
    if abroad.size:
        # A trip lies within a week and has a place of its own: some cells next to each other.
        week = draws.stream(day.inputs.config.seed, "visited_cell", day.number // WEEK)
        place = draws.below(draws.keys(week, entity[abroad]), VISITED_CELLS - _CELLS_OF_A_TRIP)
        near = draws.below(draws.bits(key[abroad], "visited_cell"), _CELLS_OF_A_TRIP)
        visited[abroad] = country[abroad] * np.int64(VISITED_CELLS) + place + near
    return visited


def packet_access(
    day: Day, entity: Rows, time: Rows, cell: Rows, abroad: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int8]:
    """Return the radio access (position in `RATS`) of devices on a cell, or abroad, at a time.

    Narrow-band devices ride on LTE carriers; abroad everybody whose device has LTE is on it.
    """
    device = day.inputs.identities.rat[day.identity(entity, time)]
    rat = day.inputs.cells.rat[cell]
    rat = np.where(NARROW[device] & (rat == EUTRAN), device, rat)
    return np.where(abroad, np.where(LEGACY[device], GERAN, EUTRAN), rat).astype(np.int8)


def speaks_over_ims(day: Day, entity: Rows, time: Rows) -> npt.NDArray[np.bool_]:
    """Return whose voice and messages go over our IMS at a time.

    Whoever has a device with VoLTE; not visitors, whose home network would have to serve them.
    """
    volte = day.inputs.identities.volte[day.identity(entity, time)]
    return volte & (day.inputs.population.kind[entity] != VISITOR)


def served_columns(day: Day, entity: Rows, time: Rows) -> dict[str, Column]:
    """Return the columns that say whom the record serves, by the identity of the time.

    Args:
        day: The day of the records.
        entity: Who is served.
        time: When, in microseconds of the day.
    """
    inputs = day.inputs
    version, identities = day.identity(entity, time), inputs.identities
    columns = CodedText.several(
        version, imsi=identities.imsi, msisdn=identities.msisdn, imei=identities.imei
    )
    if version.size and int(version.max()) >= inputs.population.size:
        # Who changed one identifier on this day keeps the others.
        columns = {name: column.distinct() for name, column in columns.items()}
    return {"subscriber_id": pl.Series(inputs.population.subscriber_id[entity]), **columns}


def enum_of(values: "list[str]", codes: npt.NDArray) -> pl.Series:
    """Return an enumeration column from positions in `values`."""
    return pl.Series(codes.astype(np.uint8)).cat.to(pl.Enum(values))


def enum_or_null(values: "list[str]", codes: npt.NDArray) -> pl.Series:
    """Return an enumeration column from positions in `values`; -1 is null."""
    return nullable(codes < 0, np.maximum(codes, 0).astype(np.uint8)).cat.to(pl.Enum(values))


def rat_of(codes: npt.NDArray) -> pl.Series:
    """Return the radio access types from positions in `RATS`."""
    return enum_of([str(rat) for rat in RATS], codes)
