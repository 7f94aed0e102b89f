"""What faults and alarms make elements write, and when elements are silent.

Belongs here: which element writes which line at what time because of a fault. Does not belong here:
the lines of every day and how a line is put together (`logs`), texts (`log_messages`).

An element writes about its alarms at the moment at which they are raised, rise and are cleared, as
far as it has power and is not restarting; the aggregation router and the core write about what
they no longer hear.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from telco_pipeline.contracts.codes import ElementType, FaultKind
from telco_pipeline.engine import draws
from telco_pipeline.engine.calendar import DAY, MINUTE, SECOND
from telco_pipeline.engine.draws import Bits
from telco_pipeline.engine.parts import Part
from telco_pipeline.generators.alarm_faults import faults_around, of_faults
from telco_pipeline.generators.alarm_kinds import CLEARED, Kind
from telco_pipeline.generators.alarm_life import NONE, Alarms, alarm_keys
from telco_pipeline.generators.alarm_nuisances import of_itself
from telco_pipeline.generators.alarm_thresholds import of_cabinets
from telco_pipeline.generators.base import Day, Rows
from telco_pipeline.generators.log_messages import (
    ASSOCIATION_LOST,
    ASSOCIATION_UP,
    REJECTED,
    STARTED,
    Template,
    alarm_templates,
)
from telco_pipeline.state.hanging import Hanging, members
from telco_pipeline.state.hazards import ALL_HAZARDS, hazard_of
from telco_pipeline.state.plant import ELEMENT_TYPES

# Severities of lines about alarms (RFC 5674): critical 1, major 2, minor 3, warning 4, other 5.
_SYSLOG: Final = np.array([1, 2, 3, 4, 5, 5])
_MOMENTS: Final = 3  # raised, changed, cleared
# Who restarts writes its last line at once, and nothing more until it is back.
_LAST_WORDS: Final = 12 * SECOND
_RESTARTS: Final = [
    one.number
    for one in ALL_HAZARDS
    if one.name in ("watchdog", "release", "controller", "core restart")
]
_BACK: Final = (1, 3)  # seconds after the end until the first line
_REJECT_EVERY: Final = 3 * MINUTE


@lru_cache(maxsize=1)
def fault_templates() -> tuple[list[Template], dict[tuple[Kind, int], int]]:
    """Return all messages about faults, and the places of those of alarms (`alarm_templates`)."""
    found, places = alarm_templates()
    return [*found, STARTED, REJECTED, ASSOCIATION_LOST, ASSOCIATION_UP], places


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
        fault: Number of the fault.
    """

    element: Rows
    start: Rows
    end: Rows
    fault: Rows

    def covers(self, element: Rows, time: Rows) -> npt.NDArray[np.bool_]:
        """Return which elements are silent at a time (microseconds since 1970-01-01 UTC)."""
        silent = np.zeros(len(element), dtype=np.bool_)
        concerned = np.flatnonzero(np.isin(element, self.element))
        line, stretch = members(self.element, element[concerned])
        line = concerned[line]
        within = (self.start[stretch] <= time[line]) & (time[line] < self.end[stretch])
        silent[line[within]] = True
        return silent


def silence(day: Day) -> Silence:
    """Return when elements are silent around a day."""
    plant, faults = day.inputs.plant, faults_around(day)
    hanging = Hanging.of(plant)
    dark = np.flatnonzero(faults.is_kind(FaultKind.POWER) & (faults.impact < faults.end))
    feeder = hanging.feeder[plant.element_site[faults.element[dark]]]
    of_element = np.where(
        plant.element_site >= 0, hanging.feeder[np.maximum(plant.element_site, 0)], NONE
    )
    position, element = members(of_element, feeder)
    dark = dark[position]
    again = np.flatnonzero(np.isin(hazard_of(faults.number), _RESTARTS))
    return Silence(
        element=np.concatenate([element, faults.element[again]]),
        start=np.concatenate([faults.impact[dark], faults.start[again] + _LAST_WORDS]),
        end=np.concatenate([faults.end[dark], faults.end[again]]),
        fault=np.concatenate([faults.number[dark], faults.number[again]]),
    )


def fault_lines(day: Day, part: Part, quiet: Silence) -> FaultLines:
    """Return what the elements of a part write on a day about faults and alarms.

    Args:
        day: The day.
        part: The elements that write.
        quiet: When elements are silent.
    """
    # The core writes about stations of any part, so the alarms of all faults are looked at.
    alarms = Alarms.joined([of_faults(day), of_cabinets(day, part), of_itself(day, part)])
    pieces = [*_of_alarms(day, alarms), *_of_associations(day, alarms), _rejects(day, alarms)]
    lines = _joined([*pieces, _starts(day, quiet)])
    mine = (lines.element >= part.start) & (lines.element < part.stop)
    mine &= (lines.time >= 0) & (lines.time < DAY)
    lines = lines.select(mine)
    lines = lines.select(~quiet.covers(lines.element, lines.time + day.start))
    order = np.lexsort((lines.template, lines.cell, lines.peer, lines.element, lines.time))
    return lines.select(order)


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
        known = np.flatnonzero((template != NONE) & (time < day.start + DAY))
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
    """Return what elements in overload write every few minutes."""
    templates, _ = fault_templates()
    loaded = alarms.select(alarms.kind == Kind.CORE_OVERLOAD)
    count = np.maximum(loaded.cleared - loaded.raised, 0) // _REJECT_EVERY
    row = np.repeat(np.arange(len(loaded)), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + 1
    key = draws.events(alarm_keys(day, loaded.number)[row], number)
    time = loaded.raised[row] + number * _REJECT_EVERY - day.start
    return _plain(loaded.element[row], time, templates.index(REJECTED), key)


def _starts(day: Day, quiet: Silence) -> FaultLines:
    """Return the first lines of elements that are back."""
    templates, _ = fault_templates()
    stream = draws.stream(day.inputs.config.seed, "log/start")
    key = draws.events(draws.keys(stream, quiet.fault), quiet.element)
    first, span = _BACK
    time = quiet.end + first * SECOND + draws.below(draws.bits(key, "time"), span * SECOND)
    return _plain(quiet.element, time - day.start, templates.index(STARTED), key)


def _plain(
    element: Rows, time: Rows, template: int, key: Bits, peer: Rows | None = None
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
    )
