"""What faults and alarms make elements write, and when elements are silent.

Belongs here: which element writes which line at what time because of a fault. Does not belong here:
the lines of every day and how a line is put together (`logs`), texts (`log_messages`).

An element writes about its alarms at the moment at which they are raised, rise and are cleared, as
far as it has power and is not restarting; the aggregation router and the core write about what
they no longer hear. Who was off writes when it begins to boot and when its self-test is over, which
is before its cells are back in service (`wear.Stops`).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.alarm_faults import faults_around, of_faults
from telco_pipeline.generators.alarm_kinds import CLEARED, MEMORY_USE, Kind
from telco_pipeline.generators.alarm_life import NONE, Alarms, alarm_keys
from telco_pipeline.generators.alarm_nuisances import of_itself
from telco_pipeline.generators.alarm_thresholds import of_cabinets, of_memory
from telco_pipeline.generators.base import Day, Rows
from telco_pipeline.generators.log_messages import (
    ASSOCIATION_LOST,
    ASSOCIATION_UP,
    PLANNED_START,
    REJECTED,
    STARTED,
    TESTED,
    Template,
    alarm_templates,
)
from telco_pipeline.generators.traffic import SLOT
from telco_pipeline.generators.wear import Stops, planned_restarts
from telco_pipeline.state.hanging import Hanging, members
from telco_pipeline.state.plant import ELEMENT_TYPES

# Severities of lines about alarms (RFC 5674): critical 1, major 2, minor 3, warning 4, other 5.
_SYSLOG: Final = np.array([1, 2, 3, 4, 5, 5])
_MILLI: Final = SECOND // 1000
_MOMENTS: Final = 3  # raised, changed, cleared
# Who restarts writes its last line at once, and nothing more until it is back.
_LAST_WORDS: Final = 12 * SECOND
_FIRST_WORDS: Final = (1, 3)  # seconds after the power until the first line, at most half a boot
# Between the lines of an overload lie at least so many seconds, and up to so many more. Small ones
# are more frequent: rejects come in clusters.
_REJECT_GAP: Final = (25, 480)


@lru_cache(maxsize=1)
def fault_templates() -> tuple[list[Template], dict[tuple[Kind, int], int]]:
    """Return all messages about faults, and the places of those of alarms (`alarm_templates`)."""
    found, places = alarm_templates()
    others = [STARTED, TESTED, PLANNED_START, REJECTED, ASSOCIATION_LOST, ASSOCIATION_UP]
    return [*found, *others], places


@dataclass(frozen=True)
class FaultLines:
    """Lines about faults.

    Attributes:
        element: Row of the element that writes.
        time: Microseconds since the start of the day.
        template: Place in `fault_templates`.
        cell: Row of the cell that is named, -1 for none.
        peer: Row of the element whose address is named.
        key: Hash from which numbers are drawn.
        severity: Severity of the alarm (position in `SEVERITIES`); -1 for lines without one.
        about: Row of the element that the line is about.
        cause: Probable cause of the alarm.
        span: Seconds that a start took; 0 for other lines.
    """

    element: Rows
    time: Rows
    template: Rows
    cell: Rows
    peer: Rows
    key: Bits
    severity: Rows
    about: Rows
    cause: Rows
    span: Rows

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.time)

    def select(self, chosen: npt.NDArray) -> "FaultLines":
        """Return some of the lines (mask or row numbers)."""
        names = self.__dataclass_fields__
        return FaultLines(**{name: getattr(self, name)[chosen] for name in names})

    @property
    def syslog_severity(self) -> Rows:
        """Severity of the lines (RFC 5674); -1 where it is that of the message."""
        return np.where(self.severity == NONE, NONE, _SYSLOG[self.severity])


@dataclass(frozen=True)
class Silence:
    """Stretches in which elements write nothing: without power, or restarting.

    Attributes:
        element: Row of the element.
        start, end: Microseconds since 1970-01-01 UTC.
        boot: When the element begins to boot and says so.
        fault: Number of the fault.
    """

    element: Rows
    start: Rows
    boot: Rows
    end: Rows
    fault: Rows

    def covers(self, element: Rows, time: Rows, but: Rows | None = None) -> npt.NDArray[np.bool_]:
        """Return which elements are silent at a time.

        Args:
            element: Rows of the elements.
            time: Microseconds since 1970-01-01 UTC.
            but: Number of the fault whose silence does not count, for each; None for none.
        """
        silent = np.zeros(len(element), dtype=np.bool_)
        concerned = np.flatnonzero(np.isin(element, self.element))
        line, stretch = members(self.element, element[concerned])
        line = concerned[line]
        within = (self.start[stretch] <= time[line]) & (time[line] < self.end[stretch])
        if but is not None:
            within &= self.fault[stretch] != but[line]
        silent[line[within]] = True
        return silent


def silence(day: Day) -> Silence:
    """Return when elements are silent around a day."""
    stops = Stops.of(day.inputs.plant, faults_around(day))
    return Silence(
        element=stops.element,
        start=stops.start + np.where(stops.restart, _LAST_WORDS, 0),
        boot=stops.boot,
        end=stops.end,
        fault=stops.fault,
    )


def fault_lines(day: Day, part: Part, quiet: Silence) -> FaultLines:
    """Return what the elements of a part write on a day about faults and alarms.

    Args:
        day: The day.
        part: The elements that write.
        quiet: When elements are silent.
    """
    # The core writes about stations of any part, so the alarms of all faults are looked at.
    own = [of_cabinets(day, part), of_memory(day, part), of_itself(day, part)]
    alarms = Alarms.joined([of_faults(day), *own])
    pieces = [*_of_alarms(day, alarms), *_of_associations(day, alarms), _rejects(day, alarms)]
    lines = _joined([*pieces, _planned(day, part)])
    lines = lines.select(_of_part(lines, part))
    lines = lines.select(~quiet.covers(lines.element, lines.time + day.start))
    starts = _starts(day, quiet)
    lines = _joined([lines, starts.select(_of_part(starts, part))])
    order = np.lexsort((lines.template, lines.cell, lines.peer, lines.element, lines.time))
    return lines.select(order)


def _of_part(lines: FaultLines, part: Part) -> npt.NDArray[np.bool_]:
    """Return which lines elements of a part write within the day."""
    mine = (lines.element >= part.start) & (lines.element < part.stop)
    return mine & (lines.time >= 0) & (lines.time < DAY)


def _joined(pieces: list[FaultLines]) -> FaultLines:
    names = FaultLines.__dataclass_fields__
    return FaultLines(
        **{name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in names}
    )


def _moments(alarms: Alarms) -> list[tuple[int, Rows, Rows]]:
    """Return moment, time and severity of the lines of alarms: raised, changed, cleared."""
    cleared = np.full(len(alarms), CLEARED)
    return [
        (0, alarms.raised, alarms.severity[:, 0]),
        (1, alarms.changed[:, 0], alarms.severity[:, 1]),
        (2, alarms.cleared, cleared),
    ]


def _of_alarms(day: Day, alarms: Alarms) -> list[FaultLines]:
    """Return what elements write about their own alarms."""
    _, places = fault_templates()
    place = np.full((len(Kind), _MOMENTS), NONE)
    for (kind, moment), number in places.items():
        place[kind, moment] = number
    # What the core no longer hears, the station says about its peer in the core.
    heard = _core_side(day, alarms.about)
    peer = np.where(alarms.kind == Kind.ASSOCIATION, heard, alarms.about)
    key = alarm_keys(day, alarms.number)
    lines = []
    for moment, time, severity in _moments(alarms):
        template = place[alarms.kind, moment]
        said = (template != NONE) & (time < day.start + DAY)
        if moment == _MOMENTS - 1:
            # What supervision closes as it starts anew has not become better: nothing is told.
            last = alarms.value[:, -1]
            said &= ~((alarms.kind == MEMORY_USE.kind) & (last >= MEMORY_USE.rearm))
        known = np.flatnonzero(said)
        lines.append(
            FaultLines(
                element=alarms.element[known],
                time=time[known] - day.start,
                template=template[known],
                cell=alarms.cell[known],
                peer=peer[known],
                key=key[known],
                severity=severity[known],
                about=alarms.about[known],
                cause=alarms.cause[known],
                span=np.zeros(len(known), dtype=np.int64),
            )
        )
    return lines


def _core_side(day: Day, station: Rows) -> Rows:
    """Return the element of the core that hears each base station: MME, AMF or BSC.

    Other elements are given back as they are.
    """
    plant = day.inputs.plant
    hanging = Hanging.of(plant)
    known, cell = np.unique(plant.station, return_index=True)
    behind = np.arange(len(plant.kind))
    old = plant.kind[known] == ELEMENT_TYPES.index(ElementType.BTS)
    behind[known] = np.where(old, hanging.controller[cell], plant.serving["mme"][cell])
    return behind[station]


def _of_associations(day: Day, alarms: Alarms) -> list[FaultLines]:
    """Return what the core writes about base stations that it loses and hears again."""
    templates, _ = fault_templates()
    lost = alarms.select(alarms.kind == Kind.ASSOCIATION)
    writer = _core_side(day, lost.element)
    key = alarm_keys(day, lost.number)
    return [
        _plain(writer, time - day.start, templates.index(template), key, peer=lost.element)
        for time, template in ((lost.raised, ASSOCIATION_LOST), (lost.cleared, ASSOCIATION_UP))
    ]


def _rejects(day: Day, alarms: Alarms) -> FaultLines:
    """Return what elements in overload write every few minutes, at uneven distances."""
    templates, _ = fault_templates()
    loaded = alarms.select(alarms.kind == Kind.CORE_OVERLOAD)
    least, more = _REJECT_GAP
    count = np.maximum(loaded.cleared - loaded.raised, 0) // (least * SECOND)
    row = np.repeat(np.arange(len(loaded)), count)
    first = np.cumsum(count) - count
    number = np.arange(len(row)) - np.repeat(first, count) + 1
    key = draws.events(alarm_keys(day, loaded.number)[row], number)
    draw = draws.uniform(draws.bits(key, "gap"))
    gap = least * SECOND + np.rint(more * draw * draw * _MILLI).astype(np.int64) * _MILLI
    passed = np.cumsum(gap)
    # From the first gap of each alarm on.
    time = loaded.raised[row] + passed - (passed - gap)[first[row]]
    kept = time < loaded.cleared[row]
    row, time, key = row[kept], time[kept], key[kept]
    return _plain(loaded.element[row], time - day.start, templates.index(REJECTED), key)


def _planned(day: Day, part: Part) -> FaultLines:
    """Return the lines of elements whose software is restarted as planned."""
    templates, _ = fault_templates()
    seed = day.inputs.config.seed
    element, time = planned_restarts(seed, np.arange(part.start, part.stop), day.date)
    key = draws.keys(draws.stream(seed, "log/planned", day.number), element)
    time = time + draws.below(draws.bits(key, "time"), SLOT)
    return _plain(element, time, templates.index(PLANNED_START), key)


def _starts(day: Day, quiet: Silence) -> FaultLines:
    """Return the lines of elements that begin to boot, and of those that are up again.

    Who is switched off again by another fault at that time does not write.
    """
    templates, _ = fault_templates()
    stream = draws.stream(day.inputs.config.seed, "log/start")
    key = draws.events(draws.keys(stream, quiet.fault), quiet.element)
    first, more = _FIRST_WORDS
    after = first * SECOND + draws.below(draws.bits(key, "time"), more * SECOND)
    begun = quiet.boot + np.minimum(after, (quiet.end - quiet.boot) // 2)
    # Cells are back some seconds after the end (`alarm_faults`): the self-test is over before.
    tested = quiet.end + draws.below(draws.bits(key, "tested"), 1000) * _MILLI
    span = (tested - begun) // SECOND
    lines = []
    for template, time, told in (
        (STARTED, begun, np.zeros_like(span)),
        (TESTED, tested, np.maximum(span, 1)),
    ):
        heard = ~quiet.covers(quiet.element, time, but=quiet.fault)
        place = templates.index(template)
        line = _plain(quiet.element, time - day.start, place, key, span=told)
        lines.append(line.select(heard))
    return _joined(lines)


def _plain(
    element: Rows,
    time: Rows,
    template: int,
    key: Bits,
    peer: Rows | None = None,
    span: Rows | None = None,
) -> FaultLines:
    """Return lines without an alarm, about the peer that they name or the element itself."""
    none = np.full(len(element), NONE)
    other = element.astype(np.int64) if peer is None else peer
    return FaultLines(
        element=element.astype(np.int64),
        time=time,
        template=np.full(len(element), template),
        cell=none,
        peer=other,
        key=key,
        severity=none,
        about=other,
        cause=none,
        span=np.zeros(len(element), dtype=np.int64) if span is None else span,
    )
