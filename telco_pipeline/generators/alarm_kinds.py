"""Kinds of alarms: type, cause, severity and texts.

Belongs here: what an alarm says. Does not belong here: when one is raised (`alarm_sources`), the
rows (`alarms`).

Probable causes are numbered as in RFC 3877 (IANA-ITU-ALARM-TC-MIB); a kind with cause `OF_FAULT`
bears that of the fault behind it.
"""

# A table of one row a line reads better wide.
# ruff: noqa: E501

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from telco_pipeline.contracts.codes import AlarmSeverity, AlarmType

OF_FAULT: Final = -1
SEVERITIES: Final = tuple(AlarmSeverity)
CRITICAL, MAJOR, MINOR, WARNING = (
    SEVERITIES.index(severity)
    for severity in (
        AlarmSeverity.CRITICAL,
        AlarmSeverity.MAJOR,
        AlarmSeverity.MINOR,
        AlarmSeverity.WARNING,
    )
)
CLEARED: Final = SEVERITIES.index(AlarmSeverity.CLEARED)


class Kind(IntEnum):
    """Kinds of alarms; the number is a part of the alarm's id: never reuse one."""

    STATION_HARDWARE = 0
    CARRIER_HARDWARE = 1
    RESTART = 2
    MAINS = 3
    BATTERY = 4
    LINK_DOWN = 5
    LINK_DEGRADED = 6
    NODE_DOWN = 7
    CELL_OUT = 8
    ASSOCIATION = 9
    CORE_RESTART = 10
    CORE_OVERLOAD = 11
    WORK = 12
    MEMORY = 13
    CONGESTION = 14
    SETUP_SUCCESS = 15
    DROP_RATE = 16
    TEMPERATURE = 17
    FLAPPING = 18
    DOOR = 19
    CLOCK = 20
    RECTIFIER = 21
    MEMORY_HIGH = 22
    PEER_RETRY = 23


@dataclass(frozen=True)
class AlarmKind:
    """What the alarms of a kind say.

    Attributes:
        kind: Which.
        event_type: X.733.
        cause: Probable cause, or `OF_FAULT`.
        problem: Specific problem.
        raised, changed, cleared: Additional text of the notifications.
        managed: Class of the managed object: "cell", "station", "link", or a class by its name.
        repeat: Minutes after which the element reports an open alarm again; 0: never.
    """

    kind: Kind
    event_type: AlarmType
    cause: int
    problem: str
    raised: str
    changed: str
    cleared: str
    managed: str
    repeat: int = 0


_COMMUNICATIONS, _QUALITY, _PROCESSING, _EQUIPMENT, _ENVIRONMENT = AlarmType
# fmt: off
ALARM_KINDS: Final = (
    AlarmKind(Kind.STATION_HARDWARE, _EQUIPMENT, OF_FAULT, "Equipment malfunction", "Unit of the base station reports a fault", "Fault is still there, field force is on its way", "Unit works again", "station"),
    AlarmKind(Kind.CARRIER_HARDWARE, _EQUIPMENT, OF_FAULT, "Radio unit fault", "Radio unit or antenna line of the carrier reports a fault", "Fault is still there, field force is on its way", "Radio unit works again", "cell", repeat=60),
    AlarmKind(Kind.RESTART, _PROCESSING, OF_FAULT, "Node restart", "Restart by the watchdog", "Restart has failed, rolling back", "Restart complete", "station"),
    AlarmKind(Kind.MAINS, _ENVIRONMENT, 106, "Commercial power failure", "Mains lost, site runs on its battery", "Battery exhausted, site is down", "Mains are back", "power"),
    AlarmKind(Kind.BATTERY, _ENVIRONMENT, 105, "Battery low", "Battery voltage below the limit, site will shut down", "Battery exhausted", "Battery is charging", "power"),
    AlarmKind(Kind.LINK_DOWN, _COMMUNICATIONS, 8, "Link down", "Backhaul port is down", "Backhaul port is down", "Backhaul port is up", "link"),
    AlarmKind(Kind.LINK_DEGRADED, _COMMUNICATIONS, 3, "Link degraded", "Backhaul runs at a lower rate with errors", "Backhaul runs at a lower rate with errors", "Backhaul is at its full rate", "link", repeat=15),
    AlarmKind(Kind.NODE_DOWN, _COMMUNICATIONS, OF_FAULT, "Aggregation failure", "Aggregation router or its uplink has failed", "Aggregation router or its uplink has failed", "Aggregation router forwards again", "ManagedElement"),
    AlarmKind(Kind.CELL_OUT, _QUALITY, 612, "Cell out of service", "Cell is out of service", "Cell is out of service", "Cell is in service", "cell"),
    AlarmKind(Kind.ASSOCIATION, _COMMUNICATIONS, 22, "Association to core lost", "No answer from the base station's control plane", "No answer from the base station's control plane", "Association restored", "station"),
    AlarmKind(Kind.CORE_RESTART, _PROCESSING, OF_FAULT, "Process restart", "Process ended, contexts are taken over by the pool", "Process ended", "Process runs again", "ManagedElement"),
    AlarmKind(Kind.CORE_OVERLOAD, _QUALITY, OF_FAULT, "Overload", "Overload control rejects a part of the requests", "Overload control rejects a part of the requests", "Overload is over", "ManagedElement", repeat=5),
    AlarmKind(Kind.WORK, _QUALITY, 612, "Planned work", "Locked for announced work", "Locked for announced work", "Unlocked after work", "ManagedElement"),
    AlarmKind(Kind.MEMORY, _PROCESSING, 162, "Memory exhausted", "Process ended for want of memory", "Process ended for want of memory", "Memory is released", "ManagedElement"),
    AlarmKind(Kind.CONGESTION, _QUALITY, 202, "Cell congestion", "Radio resources are nearly all in use", "Congestion has grown", "Use is back below the limit", "cell"),
    AlarmKind(Kind.SETUP_SUCCESS, _QUALITY, 549, "Setup success low", "Too many connections are refused", "Still more connections are refused", "Success rate is back above the limit", "cell"),
    AlarmKind(Kind.DROP_RATE, _QUALITY, 549, "Drop rate high", "Too many connections are lost", "Still more connections are lost", "Drop rate is back below the limit", "cell"),
    AlarmKind(Kind.TEMPERATURE, _ENVIRONMENT, 123, "High temperature", "Cabinet is too warm", "Cabinet is much too warm", "Cabinet has cooled down", "cabinet"),
    AlarmKind(Kind.FLAPPING, _COMMUNICATIONS, 8, "Interface flapping", "Interface of a redundant port goes down and up", "Interface of a redundant port goes down and up", "Interface is stable", "link", repeat=1),
    AlarmKind(Kind.DOOR, _ENVIRONMENT, 118, "Door open", "Cabinet door is open", "Cabinet door is open", "Cabinet door is closed", "cabinet"),
    AlarmKind(Kind.CLOCK, _EQUIPMENT, 76, "Clock in holdover", "Reference of the clock is lost, holdover", "Reference of the clock is lost, holdover", "Clock is locked", "station"),
    AlarmKind(Kind.RECTIFIER, _ENVIRONMENT, 114, "Rectifier module failure", "One rectifier of several has failed", "One rectifier of several has failed", "All rectifiers work", "power"),
    AlarmKind(Kind.MEMORY_HIGH, _PROCESSING, 207, "Memory use high", "Memory use above 85 %", "Memory use above 85 %", "Memory use below 80 %", "ManagedElement", repeat=5),
    AlarmKind(Kind.PEER_RETRY, _COMMUNICATIONS, 22, "Association setup retried", "Peer has not answered at first", "Peer has not answered at first", "Peer answers", "station"),
)
# fmt: on

if [entry.kind for entry in ALARM_KINDS] != list(Kind):
    raise AssertionError("ALARM_KINDS must hold each kind once, in order")


@dataclass(frozen=True)
class Threshold:
    """When a measure of the network raises an alarm, by hour.

    Attributes:
        kind: Kind of alarm.
        raised: Value from which it is raised.
        rearm: Value below which it is cleared.
        severe: Value from which its severity rises.
        severities: Severity when raised, and when severe.
        measures: What is measured, in a cell of GERAN, E-UTRAN and NR; one name for what is no
            cell.
        info: Measure, value and thresholds as text, with measure and value for {}. Of cells the
            value is that which the hour's load lets expect, not a counter: those are sums of the
            records of a sample.
    """

    kind: Kind
    raised: float
    rearm: float
    severe: float
    severities: tuple[int, int]
    measures: tuple[str, ...]
    info: str


# Measures in the unit of the text; that of the setup success is the part that fails.
CONGESTION: Final = Threshold(
    Kind.CONGESTION, 90.0, 80.0, 97.0, (MINOR, MAJOR),
    ("time slot use", "PRB use", "PRB use"),
    "measure={} expected={} % high=90.0 % low=80.0 %",
)  # fmt: skip
SETUP_SUCCESS: Final = Threshold(
    Kind.SETUP_SUCCESS, 5.0, 3.0, 15.0, (MAJOR, CRITICAL),
    ("channel assignment failures", "RRC set-up failures", "RRC set-up failures"),
    "measure={} expected={} % high=5.0 % low=3.0 %",
)  # fmt: skip
DROP_RATE: Final = Threshold(
    Kind.DROP_RATE, 2.0, 1.2, 5.0, (MINOR, MAJOR),
    ("TCH drops", "E-RAB drops", "DRB drops"),
    "measure={} expected={} % high=2.0 % low=1.2 %",
)  # fmt: skip
TEMPERATURE: Final = Threshold(
    Kind.TEMPERATURE, 50.0, 46.0, 56.0, (MINOR, MAJOR),
    ("cabinet temperature",),
    "measure={} observed={} C high=50.0 C low=46.0 C",
)  # fmt: skip
MEMORY_USE: Final = Threshold(
    Kind.MEMORY_HIGH, 85.0, 80.0, 95.0, (WARNING, MINOR),
    ("memory use",),
    "measure={} observed={} % high=85.0 % low=80.0 %",
)  # fmt: skip
