"""Syslog lines of network elements (RFC 5424).

Belongs here: when elements write, and how a line is put together. Does not belong here: the
messages themselves (`log_messages`), alarms and counters.
"""

import datetime as dt
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY
from telco_pipeline.engine.identifiers import pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    Day,
    Inputs,
    moment,
    time_order,
)
from telco_pipeline.generators.log_messages import Template, lines_factor, templates
from telco_pipeline.lake import Rowset

_TYPES: Final = list(ElementType)
# Lines by hour follow the load a little: half of them come evenly.
_EVEN_SHARE: Final = 0.5


@lru_cache(maxsize=1)
def _catalogue() -> tuple[list[Template], Choice]:
    """Return all messages, and the choice among them with one row per type of element."""
    everything: list[Template] = []
    for element in _TYPES:
        everything.extend(t for t in templates(element) if t not in everything)
    weights = [
        [t.weight if t in templates(element) else 0.0 for t in everything] for element in _TYPES
    ]
    return everything, Choice.of(weights)


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the log lines of a day and a part of the elements, sorted by event time."""
    day = inputs.day(date)
    elements = inputs.frames["network_elements"][part.start : part.stop]
    lines = _lines(day, elements, part)
    if not len(lines):
        return Rowset.empty(records.NETWORK_LOGS)
    return Rowset.of(records.NETWORK_LOGS, {name: lines[name] for name in lines.columns})


def _lines(day: Day, elements: pl.DataFrame, part: Part) -> pl.DataFrame:
    inputs, config = day.inputs, day.inputs.config
    catalogue, choice = _catalogue()
    kind = np.array(
        [_TYPES.index(ElementType(name)) for name in elements["element_type"].cast(pl.String)]
    )
    factor = np.array([lines_factor(element) for element in _TYPES])[kind]
    mean = factor * config.network.log_lines_per_element_day * config.record_weights.network_logs
    entities = np.arange(part.start, part.stop)
    keys = draws.keys(draws.stream(config.seed, "log", day.number), entities)
    counts = inputs.poisson.sample(draws.bits(keys, "count"), mean)
    row = np.repeat(np.arange(part.size), counts)
    index = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    key = draws.events(np.repeat(keys, counts), index)
    time = _times(day, key)
    order = time_order(time)
    row, index, key, time = row[order], index[order], key[order], time[order]
    message = choice.sample(draws.bits(key, "message"), kind[row])
    number = pack(EVENT_KINDS["log"], day.number, part.start + row, index * RECORDS_PER_EVENT)
    lines = pl.DataFrame(
        {
            "event_id": inputs.ids.event.of(number),
            "event_time": moment(day, time),
            "element_id": elements["element_id"].gather(row),
            "hostname": elements["name"].gather(row),
            "cell": _some_cell(inputs, elements).gather(row),
            "peer": _peers(inputs, key),
            "template": message,
            "bits": (draws.bits(key, "numbers") >> np.uint64(1)).astype(np.int64),
        }
    )
    return _composed(lines, catalogue)


def _times(day: Day, key: np.ndarray) -> np.ndarray:
    even = (draws.uniform(draws.bits(key, "time")) * DAY).astype(np.int64)
    with_load = day.rhythm("data").times(
        draws.bits(key, "time/load"), np.zeros(len(key), dtype=np.int64)
    )
    return np.where(draws.chance(draws.bits(key, "even"), _EVEN_SHARE), even, with_load)


def _some_cell(inputs: Inputs, elements: pl.DataFrame) -> pl.Series:
    """Return a cell of each base station, the host name of any other element."""
    first = inputs.frames["cells"].group_by("element_id").agg(pl.col("cell_id").min())
    return (
        elements.select("element_id", "name")
        .join(first, on="element_id", how="left", maintain_order="left")
        .select(pl.coalesce("cell_id", "name"))
        .to_series()
    )


def _peers(inputs: Inputs, key: np.ndarray) -> pl.Series:
    addresses = inputs.frames["network_elements"]["address"]
    return addresses.gather(draws.below(draws.bits(key, "peer"), len(addresses)))


def _composed(lines: pl.DataFrame, catalogue: list[Template]) -> pl.DataFrame:
    """Return the lines with message, structured data and the whole line as sent."""
    used = lines["template"].unique().sort().to_list()
    by_template = pl.col("template")
    message = pl.lit(None, dtype=pl.String)
    for number in used:
        message = pl.when(by_template == number).then(_text(catalogue[number])).otherwise(message)
    facts = pl.DataFrame(
        {
            "template": pl.Series(used, dtype=pl.UInt8),
            "facility": pl.Series([catalogue[n].facility for n in used], dtype=pl.Int16),
            "severity": pl.Series([catalogue[n].severity for n in used], dtype=pl.Int16),
            "app_name": [catalogue[n].app for n in used],
            "msg_id": [catalogue[n].msg_id for n in used],
        }
    )
    return (
        lines.with_columns(message=message)
        .join(facts, on="template", how="left", maintain_order="left")
        .with_columns(
            structured_data=pl.format(
                '[meta@32473 sequenceId="{}" resource="{}"]',
                pl.col("event_id") % 10**6 + 1,
                pl.col("element_id"),
            ),
            process=pl.col("bits") % 30000 + 300,
        )
        .with_columns(
            line=pl.format(
                "<{}>1 {} {} {} {} {} {} {}",
                pl.col("facility") * 8 + pl.col("severity"),
                pl.col("event_time").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"),
                "hostname",
                "app_name",
                "process",
                "msg_id",
                "structured_data",
                "message",
            )
        )
    )


def _text(template: Template) -> pl.Expr:
    """Return the message with its places filled."""
    pieces: list[pl.Expr] = []
    shifts = {"a": 2**8, "b": 2**24, "c": 2**40}
    limits = dict(zip("abc", template.limits, strict=True))
    pattern = template.text
    for name, value in (
        ("{cell}", pl.col("cell")),
        ("{peer}", pl.col("peer")),
        *((f"{{{n}}}", (pl.col("bits") // shifts[n]) % limits[n] + 1) for n in "abc"),
    ):
        if name in pattern:
            pieces.append(value.alias(name))
    order = sorted(
        ((pattern.index(str(piece.meta.output_name())), piece) for piece in pieces),
        key=lambda found: found[0],
    )
    for _, piece in order:
        pattern = pattern.replace(piece.meta.output_name(), "{}")
    return pl.format(pattern, *(piece for _, piece in order))
