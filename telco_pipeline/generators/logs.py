"""Syslog lines of network elements (RFC 5424).

Belongs here: when elements write, and how a line is put together. Does not belong here: the
messages themselves (`log_messages`), alarms and counters.
"""

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.rhythm import WHOLE_DAY
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
# Links of transport; all others are reference points of the network.
_WIRES: Final = ("Ethernet", "backhaul", "aggregation", "backbone")
_TRANSPORT: Final = (ElementType.ROUTER, ElementType.SWITCH, ElementType.SITE_ROUTER)


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
    named = _named(inputs)
    lines = pl.DataFrame(
        {
            "event_id": inputs.ids.event.of(number),
            "event_time": moment(day, time),
            "element_id": elements["element_id"].gather(row),
            "hostname": elements["name"].gather(row),
            "address": elements["address"].gather(row),
            "software": elements["software"].gather(row),
            "cell": named.cells.some(part.start + row, draws.bits(key, "cell")),
            "peer": named.peers.some(part.start + row, draws.bits(key, "peer")),
            "template": message,
            "process": _processes(day, part.start + row, key, message),
            "bits": (draws.bits(key, "numbers") >> np.uint64(1)).astype(np.int64),
        }
    )
    return _composed(lines, catalogue)


def _times(day: Day, key: np.ndarray) -> np.ndarray:
    even = (draws.uniform(draws.bits(key, "time")) * DAY).astype(np.int64)
    first = np.zeros(len(key), dtype=np.int64)
    with_load = day.rhythm("data").times(draws.bits(key, "time/load"), first, WHOLE_DAY)
    return np.where(draws.chance(draws.bits(key, "even"), _EVEN_SHARE), even, with_load)


@dataclass(frozen=True)
class _Texts:
    """Texts of each element: those from `first` on, `count` of them.

    Attributes:
        texts: All texts.
        first: Position of each element's first text.
        count: Number of its texts, at least 1.
    """

    texts: pl.Series
    first: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, elements: pl.DataFrame, pairs: pl.DataFrame, otherwise: str) -> "_Texts":
        """Group pairs of `element_id` and `text`; elements without have their own `otherwise`."""
        rows = elements.select("element_id", own=otherwise).with_row_index("row")
        texts = (
            rows.join(pairs, on="element_id", how="left")
            .select("row", text=pl.coalesce("text", "own"))
            .unique()
            .sort("row", "text")
        )
        count = np.bincount(texts["row"].to_numpy(), minlength=elements.height)
        return cls(texts["text"], np.cumsum(count) - count, count)

    def some(self, element: np.ndarray, random_bits: draws.Bits) -> pl.Series:
        """Return one of the texts of each element (by row)."""
        return self.texts.gather(
            self.first[element] + draws.below(random_bits, self.count[element])
        )


@dataclass(frozen=True)
class _Named:
    """What the elements name in their messages: their cells, and whom they are linked to."""

    cells: _Texts
    peers: _Texts


@lru_cache(maxsize=1)
def _named(inputs: Inputs) -> _Named:
    elements, links = inputs.frames["network_elements"], inputs.frames["network_links"]
    cells = inputs.frames["cells"].select("element_id", text="cell_id")
    ends = ("a_element_id", "b_element_id")
    both = pl.concat(
        [
            links.select("interface", element_id=one, peer_id=other)
            for one, other in (ends, ends[::-1])
        ]
    )
    about = elements.select(
        "element_id", wired=pl.col("element_type").cast(pl.String).is_in([*map(str, _TRANSPORT)])
    )
    peers = (
        both.join(about, on="element_id")
        .filter(pl.col("interface").is_in(_WIRES) == pl.col("wired"))
        .join(elements.select(peer_id="element_id", text="address"), on="peer_id")
        .select("element_id", "text")
    )
    return _Named(_Texts.of(elements, cells, "name"), _Texts.of(elements, peers, "address"))


def _processes(day: Day, element: np.ndarray, key: draws.Bits, message: np.ndarray) -> np.ndarray:
    """Return process numbers: a daemon keeps its own, each login has a new one."""
    catalogue, _ = _catalogue()
    programs = sorted({template.app for template in catalogue})
    program = np.array([programs.index(template.app) for template in catalogue])[message]
    seed = day.inputs.config.seed
    daemon = draws.events(draws.keys(draws.stream(seed, "log/process"), element), program)
    login = program == programs.index("sshd")
    return 300 + draws.below(np.where(login, draws.bits(key, "process"), daemon), 30_000)


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
                '[origin ip="{}" software="{}"][meta@32473 resource="{}"]',
                pl.col("address"),
                pl.col("software"),
                pl.col("element_id"),
            ),
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
