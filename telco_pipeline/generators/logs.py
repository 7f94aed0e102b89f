"""Syslog lines of network elements (RFC 5424).

Belongs here: when elements write on any day, the errors that scenario layers make them write, and
how a line is put together. Does not belong here:
the messages themselves (`log_messages`), what faults make elements write (`log_faults`), alarms and
counters.

An element that has no power or restarts is silent, and nothing is told of a cell out of service.
What a line says of the load of an element is what `element_metrics` says of those five minutes.
Lines are put together block by block in order of time: the texts of a whole part are wide.
"""

import datetime as dt
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.behaviour.rhythm import WHOLE_DAY
from telco_pipeline.contracts import records
from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, HOUR
from telco_pipeline.engine.identifiers import MAX_INDEX, pack
from telco_pipeline.engine.parts import Part
from telco_pipeline.engine.tables import Choice, PoissonTable
from telco_pipeline.generators.alarm_kinds import SEVERITIES
from telco_pipeline.generators.base import (
    EVENT_KINDS,
    RECORDS_PER_EVENT,
    Day,
    Inputs,
    moment,
    time_order,
)
from telco_pipeline.generators.log_faults import (
    FaultLines,
    Silence,
    fault_lines,
    fault_templates,
    silence,
)
from telco_pipeline.generators.log_messages import (
    ABOUT,
    Template,
    error_weight,
    lines_factor,
    templates,
)
from telco_pipeline.generators.metrics import values_at
from telco_pipeline.lake import CodedText, Rowset
from telco_pipeline.scenarios.effects import Errors
from telco_pipeline.scenarios.story import Touch

_TYPES: Final = list(ElementType)
_HOURS: Final = DAY // HOUR
# Lines by hour follow the load a little: half of them come evenly.
_EVEN_SHARE: Final = 0.5
# Lines whose texts are put together at a time: a line is made from a dozen columns of text.
_BLOCK: Final = 65_536
# Columns that each element has one text of.
_OF_ELEMENT: Final = ("element_id", "hostname", "structured_data")
# Columns of what a line can say of the load of its cell.
_LOAD: Final = ("users", "use", "moves", "lost")
# Columns of what a line can say of its element, and what they are in `element_metrics`; then what
# follows from them and from its own times.
_OF_METRICS: Final = {
    "cpu": "cpu_use",
    "used": "capacity_used",
    "rate": "throughput",
    "sessions": "active_sessions",
}
_FIGURES: Final = (*_LOAD, *_OF_METRICS, "some", "few", "span")
# What fails of what users do, or is tried again: up to this part of it.
_FEW: Final = 0.02
# What links a base station of each type to the core; nothing for other elements.
_LINKS: Final = {
    ElementType.BTS: "Abis link",
    ElementType.ENB: "S1 association",
    ElementType.GNB: "N2 association",
}
_LINK: Final = pl.Series([_LINKS.get(element) for element in _TYPES], dtype=pl.String)
# Links of transport; all others are reference points of the network.
_WIRES: Final = ("Ethernet", "backhaul", "aggregation", "backbone")
_TRANSPORT: Final = (ElementType.ROUTER, ElementType.SWITCH, ElementType.SITE_ROUTER)


@lru_cache(maxsize=1)
def _catalogue() -> tuple[list[Template], Choice, int]:
    """Return all messages, the choice by type of element, and how many are of any day.

    The choice among these has one row per type of element; behind them come those of faults.
    """
    everything: list[Template] = []
    for element in _TYPES:
        everything.extend(t for t in templates(element) if t not in everything)
    weights = [
        [t.weight if t in templates(element) else 0.0 for t in everything] for element in _TYPES
    ]
    return [*everything, *fault_templates()[0]], Choice.of(weights), len(everything)


def make(inputs: Inputs, date: dt.date, part: Part) -> Rowset:
    """Return the log lines of a day and a part of the elements, sorted by event time."""
    day = inputs.day(date)
    if inputs.config.record_weights.network_logs == 0:
        return Rowset.empty(records.NETWORK_LOGS)
    elements = inputs.frames["network_elements"][part.start : part.stop]
    quiet = silence(day)
    special = fault_lines(day, part, quiet)
    written = _written(day, part, quiet, special)
    if not len(written):
        return Rowset.empty(records.NETWORK_LOGS)
    structured = _structured(inputs, elements, part, special)
    written = written.with_columns(**_own_figures(day, part, written))
    blocks = [
        _lines(day, elements, structured, part, special, written.slice(start, _BLOCK))
        for start in range(0, len(written), _BLOCK)
    ]
    lines = pl.concat(blocks)
    row = written["row"].to_numpy()
    return Rowset.of(
        records.NETWORK_LOGS,
        {
            **{name: lines[name] for name in lines.columns},
            **CodedText.several(row, element_id=elements["element_id"], hostname=elements["name"]),
            "structured_data": CodedText.of(structured, _data_rows(part, written)).distinct(),
        },
    )


def _written(day: Day, part: Part, quiet: Silence, special: FaultLines) -> pl.DataFrame:
    """Return which element writes when about what, in order of time.

    Columns are `row` in the part, `key`, `time`, `number` of which the id is made, `template`,
    `cell` (row of the cell that is named, -1 for none) and `special` (row of the line about a
    fault, -1 for lines of any day).
    """
    usual = [_usual(day, part, quiet)]
    if day.scheduled.of("errors"):
        usual.append(_errors(day, part, quiet))
    row = special.element - part.start
    # Within an element and day, lines about faults are numbered in order.
    order = np.argsort(row, kind="stable")
    begins = np.flatnonzero(np.diff(row[order], prepend=-1))
    rank = np.empty(len(row), dtype=np.int64)
    rank[order] = np.arange(len(row)) - np.repeat(begins, np.diff(begins, append=len(row)))
    faults = {
        "row": row,
        "key": special.key,
        "time": special.time,
        "number": pack(EVENT_KINDS["fault_line"], day.number, special.element, rank),
        "template": special.template + _catalogue()[2],
        "cell": special.cell,
        "special": np.arange(len(special)),
    }
    every = {
        name: np.concatenate([*(one[name] for one in usual), values])
        for name, values in faults.items()
    }
    order = time_order(every["time"])
    return pl.DataFrame({name: values[order] for name, values in every.items()})


def _usual(day: Day, part: Part, quiet: Silence) -> dict[str, np.ndarray]:
    """Return the lines of any day (columns: `_written`), without those of silent elements."""
    inputs, config = day.inputs, day.inputs.config
    kind = inputs.plant.kind[part.start : part.stop].astype(np.int64)
    factor = np.array([lines_factor(element) for element in _TYPES])[kind]
    mean = factor * config.network.log_lines_per_element_day * config.record_weights.network_logs
    entities = np.arange(part.start, part.stop)
    keys = draws.keys(draws.stream(config.seed, "log", day.number), entities)
    counts = inputs.poisson.sample(draws.bits(keys, "count"), mean)
    row = np.repeat(np.arange(part.size), counts)
    index = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    key = draws.events(np.repeat(keys, counts), index)
    template = _catalogue()[1].sample(draws.bits(key, "message"), kind[row])
    number = pack(EVENT_KINDS["log"], day.number, part.start + row, index * RECORDS_PER_EVENT)
    return _heard(day, part, quiet, row, key, _times(day, key), number, template)


def _errors(day: Day, part: Part, quiet: Silence) -> dict[str, np.ndarray]:
    """Return the errors and warnings that scenario layers bring (as `_usual`).

    They are those of any day that are about the same: what wears, wears faster.
    """
    found = [_errors_of(day, touch, part) for touch in day.scheduled.of("errors")]
    row, key, time, about = (np.concatenate(column) for column in zip(*found, strict=True))
    # Within an element and day they are numbered in this order.
    order = np.argsort(row, kind="stable")
    row, key, time, about = row[order], key[order], time[order], about[order]
    first = np.searchsorted(row, np.arange(part.size))
    index = np.arange(len(row)) - first[row]
    room = index < MAX_INDEX
    row, key, time, about, index = row[room], key[room], time[room], about[room], index[room]
    kinds = about * len(_TYPES) + day.inputs.plant.kind[part.start + row]
    template = _error_choice().sample(draws.bits(key, "message"), kinds)
    number = pack(EVENT_KINDS["error_line"], day.number, part.start + row, index)
    return _heard(day, part, quiet, row, key, time, number, template)


def _errors_of(
    day: Day, touch: Touch, part: Part
) -> tuple[np.ndarray, draws.Bits, np.ndarray, np.ndarray]:
    """Return when the elements of a part write about what one effect brings.

    Returns:
        Row in the part, key and time of each line, and position in `ABOUT`.
    """
    effect = touch.effect
    assert isinstance(effect, Errors)
    target, element = day.inputs.story.elements_under(touch)
    mine = (element >= part.start) & (element < part.stop)
    target, element = target[mine], element[mine]
    most = touch.amount(effect.per_hour) * day.inputs.config.record_weights.network_logs
    # More than a table of counts goes to are drawn in some pieces.
    pieces = max(math.ceil(most / PoissonTable.MAX_MEAN), 1)
    mean = np.repeat(touch.by_hour(day.date)[target] * (most / pieces), pieces, axis=1)
    hours = np.repeat(np.arange(_HOURS), pieces)
    number = (day.number * _HOURS + hours) * pieces + np.arange(len(hours)) % pieces
    keys = draws.events(draws.events(touch.key[target], element)[:, None], number)
    counts = day.inputs.poisson.sample(draws.bits(keys, "count").ravel(), mean.ravel())
    place = np.repeat(np.arange(len(counts)), counts)
    index = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
    key = draws.events(keys.ravel()[place], index)
    pair, column = np.divmod(place, len(hours))
    hour = hours[column]
    begin = np.maximum(hour * HOUR, touch.start[target[pair]] - day.start)
    end = np.minimum((hour + 1) * HOUR, touch.end[target[pair]] - day.start)
    within = (draws.uniform(draws.bits(key, "time")) * (end - begin)).astype(np.int64)
    about = np.full(len(pair), ABOUT.index(effect.of))
    return element[pair] - part.start, key, begin + within, about


@lru_cache(maxsize=1)
def _error_choice() -> Choice:
    """Return the choice among the messages of any day by what errors are about, then by type."""
    everything = _catalogue()[0][: _catalogue()[2]]
    return Choice.of(
        [
            [error_weight(template, element, about) for template in everything]
            for about in ABOUT
            for element in _TYPES
        ]
    )


def _heard(
    day: Day,
    part: Part,
    quiet: Silence,
    row: np.ndarray,
    key: draws.Bits,
    time: np.ndarray,
    number: np.ndarray,
    template: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return lines without those of silent elements and of cells out of service.

    Args:
        day: The day.
        part: The elements.
        quiet: When elements are silent.
        row: Columns of `_written`, as the next ones.
        key: Hash of each line.
        time: Microseconds of the day.
        number: Of which the id is made.
        template: Position in the catalogue.

    Returns:
        All of its columns.
    """
    element = part.start + row
    template = template.astype(np.int64)
    cell = _named(day.inputs).cells.choose(element, draws.bits(key, "cell"))
    named = np.array(["{cell}" in one.text for one in _catalogue()[0]])
    about_cell = named[template] & (cell >= 0)
    kept = ~quiet.covers(element, time + day.start)
    kept[about_cell] &= ~day.network.is_down(cell[about_cell], time[about_cell])
    columns = {
        "row": row,
        "key": key,
        "time": time,
        "number": number,
        "template": template,
        "cell": cell,
        "special": np.full(len(row), -1),
    }
    return {name: values[kept] for name, values in columns.items()}


def _structured(
    inputs: Inputs, elements: pl.DataFrame, part: Part, special: FaultLines
) -> pl.Series:
    """Return the structured data of each element's lines, and then of each line about a fault.

    The alarm that goes with a line is told as in RFC 5674, under the private number 32473.
    """
    text = '[origin ip="{}" software="{}"][meta@32473 resource="{}"]'
    own = elements.select(pl.format(text, "address", "software", "element_id")).to_series()
    rows = np.maximum(special.cell, 0)
    about = pl.DataFrame(
        {
            "cell": inputs.frames["cells"]["cell_id"].gather(rows),
            "element": inputs.frames["network_elements"]["element_id"].gather(special.about),
            "named": special.cell >= 0,
            "cause": special.cause,
            "severity": pl.Series([str(one) for one in SEVERITIES]).gather(
                np.maximum(special.severity, 0)
            ),
            "alarm": special.severity >= 0,
            "own": own.gather(special.element - part.start),
        }
    )
    alarm = pl.format(
        '[alarm@32473 resource="{}" probableCause="{}" perceivedSeverity="{}"]{}',
        pl.when("named").then("cell").otherwise("element"),
        "cause",
        "severity",
        "own",
    )
    of_faults = about.select(data=pl.when("alarm").then(alarm).otherwise("own")).to_series()
    return pl.concat([own, of_faults], rechunk=True)


def _data_rows(part: Part, written: pl.DataFrame) -> np.ndarray:
    """Return the place of each line's structured data among those of `_structured`."""
    special = written["special"].to_numpy()
    return np.where(special >= 0, part.size + special, written["row"].to_numpy())


def _lines(
    day: Day,
    elements: pl.DataFrame,
    structured: pl.Series,
    part: Part,
    special: FaultLines,
    written: pl.DataFrame,
) -> pl.DataFrame:
    """Return the lines that some rows of `_written` are, without what is the element's own."""
    inputs = day.inputs
    row, key, time, template, cell, fault = (
        written[name].to_numpy() for name in ("row", "key", "time", "template", "cell", "special")
    )
    of_fault = np.flatnonzero(fault >= 0)
    fault = fault[of_fault]
    level = np.full(len(row), -1)
    level[of_fault] = special.syslog_severity[fault]
    span = np.zeros(len(row), dtype=np.int64)
    span[of_fault] = special.span[fault]
    element = part.start + row
    peer = _named(inputs).peers.choose(element, draws.bits(key, "peer"))
    peer = np.where(peer < 0, element, peer)
    about = element.copy()
    about[of_fault] = special.about[fault]
    peer[of_fault] = special.peer[fault]
    own = elements["name"].gather(row)
    named = inputs.frames["cells"]["cell_id"].gather(np.maximum(cell, 0))
    lines = pl.DataFrame(
        {
            "event_id": inputs.ids.event.of(written["number"].to_numpy()),
            "event_time": moment(day, time),
            "hostname": own,
            "structured_data": structured.gather(_data_rows(part, written)),
            "cell": named.zip_with(pl.Series(cell >= 0), own),
            "peer": inputs.frames["network_elements"]["address"].gather(peer),
            "link": _LINK.gather(inputs.plant.kind[about].astype(np.int64)),
            "template": pl.Series(template.astype(np.uint8)),
            "level": level,
            "span": span,
            **{name: written[name] for name in _OF_METRICS},
            **_counted(written, key),
            "process": _processes(day, element, key, template),
            "bits": (draws.bits(key, "numbers") >> np.uint64(1)).astype(np.int64),
            **_load(day, cell, time, key),
        }
    )
    kept = [name for name in records.NETWORK_LOGS.columns if name not in _OF_ELEMENT]
    return _composed(lines, _catalogue()[0]).select(kept)


def _load(day: Day, cell: np.ndarray, time: np.ndarray, key: draws.Bits) -> dict[str, np.ndarray]:
    """Return what lines say of the load of their cell in their hour; 0 where there is no cell."""
    there = np.flatnonzero(cell >= 0)

    def measured(name: str, decimals: int) -> np.ndarray:
        values = np.zeros(len(cell))
        found = day.network.at(name, cell[there], time[there]).astype(np.float64)
        values[there] = np.round(found, decimals)
        return values

    users = measured("active_users", 1)
    # Handovers of a quarter of an hour: most users stay in their cell.
    moves = np.rint(users * (2 + draws.below(draws.bits(key, "moves"), 4))).astype(np.int64)
    lost = np.rint(moves * measured("handover_failure", 5)).astype(np.int64)
    return {"users": users, "use": measured("prb_use", 1), "moves": moves, "lost": lost}


def _own_figures(day: Day, part: Part, written: pl.DataFrame) -> dict[str, pl.Series]:
    """Return what `element_metrics` says of the element of each line at its time; 0 if untold."""
    told = _tells_figures()[written["template"].to_numpy()]
    row, time = written["row"].to_numpy()[told], written["time"].to_numpy()[told]
    values = values_at(day, part, row, time, tuple(_OF_METRICS.values()))
    found = {}
    for name, column in _OF_METRICS.items():
        every = np.zeros(len(told), dtype=values[column].dtype)
        every[told] = values[column]
        found[name] = pl.Series(every)
    return found


@lru_cache(maxsize=1)
def _tells_figures() -> np.ndarray:
    """Return which messages tell of what `element_metrics` has."""
    return np.array(
        [
            one.share > 0.0 or any(f"{{{name}}}" in one.text for name in _OF_METRICS)
            for one in _catalogue()[0]
        ]
    )


def _counted(written: pl.DataFrame, key: draws.Bits) -> dict[str, np.ndarray]:
    """Return what the users of each line's element did in a minute, and what failed of it."""
    share = np.array([template.share for template in _catalogue()[0]])
    mean = written["sessions"].to_numpy() * share[written["template"].to_numpy()]
    swing = 0.8 + 0.4 * draws.uniform(draws.bits(key, "some"))
    # Rounded up or down by chance, so that few are neither lost nor doubled.
    some = np.floor(mean * swing + draws.uniform(draws.bits(key, "some/round")))
    part = _FEW * draws.uniform(draws.bits(key, "few"))
    few = np.floor(some * part + draws.uniform(draws.bits(key, "few/round")))
    return {"some": some.astype(np.int64), "few": few.astype(np.int64)}


def _times(day: Day, key: np.ndarray) -> np.ndarray:
    even = (draws.uniform(draws.bits(key, "time")) * DAY).astype(np.int64)
    first = np.zeros(len(key), dtype=np.int64)
    with_load = day.rhythm("data").times(draws.bits(key, "time/load"), first, WHOLE_DAY)
    return np.where(draws.chance(draws.bits(key, "even"), _EVEN_SHARE), even, with_load)


@dataclass(frozen=True)
class _Some:
    """What each element can name: rows of another list from `first` on, `count` of them.

    Attributes:
        rows: All rows, those of an element behind each other.
        first: Position of each element's first row.
        count: Number of its rows; 0 for none.
    """

    rows: np.ndarray
    first: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, elements: int, element: np.ndarray, rows: np.ndarray) -> "_Some":
        """Group pairs of an element and a row."""
        order = np.lexsort((rows, element))
        count = np.bincount(element, minlength=elements)
        return cls(rows[order].astype(np.int64), np.cumsum(count) - count, count)

    def choose(self, element: np.ndarray, random_bits: draws.Bits) -> np.ndarray:
        """Return one of the rows of each element, -1 where there is none."""
        count = self.count[element]
        place = self.first[element] + draws.below(random_bits, np.maximum(count, 1))
        return np.where(count > 0, self.rows[np.minimum(place, len(self.rows) - 1)], -1)


@dataclass(frozen=True)
class _Named:
    """What the elements name in their messages: their cells, and whom they are linked to."""

    cells: _Some
    peers: _Some


@lru_cache(maxsize=1)
def _named(inputs: Inputs) -> _Named:
    elements, links = inputs.frames["network_elements"], inputs.frames["network_links"]
    ends = ("a_element_id", "b_element_id")
    both = pl.concat(
        [
            links.select("interface", element_id=one, peer_id=other)
            for one, other in (ends, ends[::-1])
        ]
    )
    about = elements.with_row_index("row").select(
        "row",
        "element_id",
        wired=pl.col("element_type").cast(pl.String).is_in([*map(str, _TRANSPORT)]),
    )
    pairs = (
        both.join(about, on="element_id")
        .filter(pl.col("interface").is_in(_WIRES) == pl.col("wired"))
        .join(about.select(peer_id="element_id", peer="row"), on="peer_id")
        .select("row", "peer")
        .unique()
    )
    station = inputs.plant.station
    return _Named(
        cells=_Some.of(elements.height, station, np.arange(len(station))),
        peers=_Some.of(elements.height, pairs["row"].to_numpy(), pairs["peer"].to_numpy()),
    )


def _processes(day: Day, element: np.ndarray, key: draws.Bits, message: np.ndarray) -> np.ndarray:
    """Return process numbers: a daemon keeps its own, each login has a new one."""
    catalogue = _catalogue()[0]
    programs = sorted({template.app for template in catalogue})
    program = np.array([programs.index(template.app) for template in catalogue])[message]
    seed = day.inputs.config.seed
    daemon = draws.events(draws.keys(draws.stream(seed, "log/process"), element), program)
    login = program == programs.index("sshd")
    return 300 + draws.below(np.where(login, draws.bits(key, "process"), daemon), 30_000)


def _composed(lines: pl.DataFrame, catalogue: list[Template]) -> pl.DataFrame:
    """Return the lines with the message and the whole line as sent."""
    used = lines["template"].unique().sort().to_list()
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
        lines.with_columns(message=_messages(lines, catalogue))
        .join(facts, on="template", how="left", maintain_order="left")
        .with_columns(
            severity=pl.when(pl.col("level") >= 0)
            .then(pl.col("level").cast(pl.Int16))
            .otherwise("severity")
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


def _messages(lines: pl.DataFrame, catalogue: list[Template]) -> pl.Series:
    """Return the message of each line, put together template by template."""
    template = lines["template"].to_numpy()
    order = np.argsort(template, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    used, first = np.unique(template[order], return_index=True)
    sorted_lines = lines.select("cell", "peer", "link", "bits", *_FIGURES)[order].lazy()
    texts = [
        sorted_lines.slice(start, stop - start)
        .with_columns(message=_text(catalogue[number]))
        .select("message")
        for number, start, stop in zip(
            used.tolist(), first.tolist(), [*first[1:].tolist(), len(order)], strict=True
        )
    ]
    # One query: a collect for each template would cost more than its texts.
    return pl.concat(texts).collect()["message"].gather(place)


@lru_cache(maxsize=256)
def _text(template: Template) -> pl.Expr:
    """Return the message with its places filled."""
    pieces: list[pl.Expr] = []
    shifts = {"a": 2**8, "b": 2**24, "c": 2**40}
    limits = dict(zip("abc", template.limits, strict=True))
    pattern = template.text
    for name, value in (
        ("{cell}", pl.col("cell")),
        ("{peer}", pl.col("peer")),
        ("{link}", pl.col("link")),
        *((f"{{{name}}}", pl.col(name)) for name in _FIGURES),
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
