"""What network elements write to syslog: programs, messages and how often.

Belongs here: texts, facilities and severities by type of element, and of what alarms make them
write. Does not belong here: when an element writes (`logs`, `log_faults`).

In a message, `{cell}` stands for a cell of the element (or its own name), `{peer}` for the address
of an element that it is linked to, `{a}`, `{b}` and `{c}` for numbers from 1 to the limits given;
`{users}`, `{use}`, `{moves}` and `{lost}` for users, use of the blocks in percent, handovers and
failed ones of that cell in that hour; `{link}` for what links a base station to the core;
`{cpu}`, `{used}`, `{rate}` and `{sessions}` for processor load and use of the links in percent,
throughput in kbit/s and active sessions of the element, as `element_metrics` has them of those five
minutes; `{some}` for what its users do in a minute, `{few}` for what fails of it; `{span}` for the seconds
that a start took.
Clocks and operators' hosts are outside the inventory: 10.255.0.x and 10.255.1.x.
"""

from dataclasses import dataclass
from typing import Final

from telco_pipeline.contracts.codes import ElementType
from telco_pipeline.generators.alarm_kinds import Kind

# A table of one row a line reads better wide.
# fmt: off

_LOCAL0, _LOCAL4, _LOCAL7, _DAEMON, _AUTH = 16, 20, 23, 3, 4
ABOUT: Final = ("hardware", "software", "transport", "power")
"""What errors and warnings can be signs of."""
_HARDWARE, _SOFTWARE, _TRANSPORT_ERROR, _POWER = ABOUT


@dataclass(frozen=True)
class Template:
    """One kind of message.

    Attributes:
        weight: How often, among those of the element's type.
        facility, severity: RFC 5424.
        app: Program.
        msg_id: Kind of message.
        text: Message with places.
        limits: Upper bounds of a, b and c.
        share: How often each of its active sessions does in a minute what the message counts.
        about: What an error or warning is a sign of, one of `ABOUT`; empty for other lines.
    """

    weight: float
    facility: int
    severity: int
    app: str
    msg_id: str
    text: str
    limits: tuple[int, int, int] = (100, 100, 100)
    share: float = 0.0
    about: str = ""


# What any hardware and software does now and then, the more the older it is.
_PLATFORM: Final = (
    Template(0.10, _DAEMON, 4, "edacd", "ECC_CORRECTED", "memory module {a} corrected {b} single bit errors", (8, 12, 1), about=_HARDWARE),
    Template(0.05, _DAEMON, 4, "envd", "FAN_SLOW", "fan {a} runs {b} % below its set point", (6, 30, 1), about=_HARDWARE),
    Template(0.02, _DAEMON, 3, "edacd", "PAGE_RETIRED", "memory page retired on module {a} after {b} corrected errors", (8, 90, 1), about=_HARDWARE),
    Template(0.10, _DAEMON, 4, "procmgr", "QUEUE_HIGH", "message queue {a} filled to {b} %", (40, 90, 1), about=_SOFTWARE),
    Template(0.02, _DAEMON, 3, "procmgr", "TASK_RESTARTED", "task {a} ended by an exception, restarted after {b} ms", (60, 900, 1), about=_SOFTWARE),
    Template(0.08, _DAEMON, 4, "netd", "RX_ERRORS", "port {a} received {b} frames with errors", (8, 60, 1), about=_TRANSPORT_ERROR),
    Template(0.015, _DAEMON, 3, "netd", "PORT_RESET", "port {a} lost its carrier for {b} ms", (8, 900, 1), about=_TRANSPORT_ERROR),
    Template(0.06, _DAEMON, 4, "psud", "INPUT_DIP", "supply unit {a} input below its range for {b} ms", (3, 90, 1), about=_POWER),
    Template(0.012, _DAEMON, 3, "psud", "SUPPLY_SWITCHED", "supply unit {a} switched over to its second input", (3, 1, 1), about=_POWER),
)
_ANY: Final = (
    Template(6.0, _DAEMON, 6, "ntpd", "CLOCK_SYNC", "clock in sync with 10.255.0.{a}, offset {b}.{c} us", (4, 90, 99)),
    Template(3.0, _AUTH, 6, "sshd", "LOGIN", "session opened for user oper{a} from 10.255.1.{b}", (40, 30, 1)),
    Template(0.15, _AUTH, 4, "sshd", "LOGIN_FAILED", "failed password for user oper{a} from 10.255.1.{b}", (40, 30, 1)),
    Template(2.0, _DAEMON, 5, "snmpd", "POLL", "statistics collected in {a} ms", (900, 1, 1)),
)
_RADIO: Final = (
    Template(14.0, _LOCAL0, 6, "rrm", "CELL_LOAD", "cell {cell} mean active users {users}, PRB use {use} %"),
    Template(8.0, _LOCAL0, 6, "rrm", "HO_STATS", "cell {cell} outgoing handovers {moves}, failed {lost}"),
    Template(0.3, _LOCAL0, 5, "son", "NEIGHBOUR_ADDED", "cell {cell} new neighbour relation pci {a}", (503, 1, 1)),
    Template(0.15, _LOCAL0, 4, "rru", "VSWR_HIGH", "cell {cell} antenna port {a} VSWR 2.{b}", (4, 9, 1), about=_HARDWARE),
    Template(1.0, _LOCAL0, 4, "sctp", "ASSOC_RETRANS", "association to {peer} path retransmissions {a}", (8, 1, 1), about=_TRANSPORT_ERROR),
    Template(0.03, _LOCAL0, 3, "rru", "TX_POWER_DEV", "cell {cell} transmit power off by {a}.{b} dB", (4, 10, 1), about=_HARDWARE),
    Template(0.004, _LOCAL0, 2, "bbu", "BOARD_RESET", "baseband board {a} reset by watchdog", (6, 1, 1)),
)
_RADIO_GSM: Final = (
    Template(14.0, _LOCAL0, 6, "rrm", "TCH_LOAD", "cell {cell} mean busy traffic channels {users}, slot use {use} %"),
    Template(8.0, _LOCAL0, 6, "rrm", "HO_STATS", "cell {cell} outgoing handovers {moves}, failed {lost}"),
    Template(1.0, _LOCAL0, 4, "abis", "LAPD_RETRANS", "link to {peer} retransmissions {a}", (20, 1, 1), about=_TRANSPORT_ERROR),
    Template(0.15, _LOCAL0, 4, "trx", "VSWR_HIGH", "cell {cell} transceiver {a} VSWR 2.{b}", (4, 9, 1), about=_HARDWARE),
    Template(0.03, _LOCAL0, 3, "trx", "TX_POWER_DEV", "cell {cell} transmit power off by {a}.{b} dB", (4, 9, 1), about=_HARDWARE),
    Template(0.004, _LOCAL0, 2, "trx", "TRX_RESET", "transceiver {a} reset by watchdog", (4, 1, 1)),
)
_RADIO_CONTROL: Final = (
    Template(12.0, _LOCAL0, 6, "rrm", "LINK_STATS", "links towards {peer} and others use {used} %"),
    Template(4.0, _LOCAL0, 6, "ccp", "CPU_LOAD", "control processors load {cpu} %"),
    Template(1.0, _LOCAL0, 4, "ss7", "LINK_RETRANS", "signalling link to {peer} retransmissions {a}", (20, 1, 1), about=_TRANSPORT_ERROR),
    Template(0.02, _LOCAL0, 3, "ccp", "BOARD_RESET", "processor board {a} reset by watchdog", (8, 1, 1), about=_HARDWARE),
)
# No cell hangs on it any more.
_IDLE_CONTROL: Final = (
    Template(4.0, _LOCAL0, 6, "ccp", "CPU_LOAD", "control processors load {cpu} %"),
)
_MOBILITY_CORE: Final = (
    Template(12.0, _LOCAL4, 6, "nas", "ATTACH_STATS", "registrations accepted {some}, rejected {few} in the last minute, contexts in use {sessions}", share=0.5),
    Template(6.0, _LOCAL4, 6, "paging", "PAGING_STATS", "paging attempts {some}, second attempts {few}", share=1.5),
    Template(2.0, _LOCAL4, 4, "nas", "AUTH_FAILURE", "authentication failed with cause 20 MAC failure, attempt {a}", (3, 1, 1)),
    Template(0.05, _LOCAL4, 3, "sctp", "ASSOC_DOWN", "association to {peer} lost, restored after {a} ms", (900, 1, 1), about=_TRANSPORT_ERROR),
)
_USER_PLANE: Final = (
    Template(12.0, _LOCAL4, 6, "gtpu", "TUNNEL_STATS", "active tunnels {sessions}, throughput {rate} kbit/s"),
    Template(4.0, _LOCAL4, 5, "pfcp", "SESSION_REPORT", "usage reports sent {some}, resent {few}", share=0.8),
    Template(1.2, _LOCAL4, 4, "gtpu", "ERROR_INDICATION", "error indication from {peer} for unknown TEID", (1, 1, 1), about=_SOFTWARE),
    Template(0.05, _LOCAL4, 3, "ippool", "POOL_HIGH", "address pool {a} use 9{b} %", (8, 9, 1)),
)
_SESSION_CONTROL: Final = (
    Template(12.0, _LOCAL4, 6, "smfd", "SESSION_STATS", "sessions {sessions}, set up {some} in the last minute", share=0.3),
    Template(4.0, _LOCAL4, 5, "pfcp", "SESSION_REPORT", "usage reports received {some}, sent again {few}", share=0.8),
    Template(1.2, _LOCAL4, 4, "pfcp", "HEARTBEAT_LATE", "heartbeat of {peer} late by {a} ms", (900, 1, 1), about=_TRANSPORT_ERROR),
    Template(0.05, _LOCAL4, 3, "ippool", "POOL_HIGH", "address pool {a} use 9{b} %", (8, 9, 1)),
)
_SUBSCRIBER_DATA: Final = (
    Template(10.0, _LOCAL4, 6, "diameter", "PEER_STATS", "peers answer {some} requests in the last minute, mean {b} ms, sessions {sessions}", (1, 20, 1), share=2.0),
    Template(1.5, _LOCAL4, 4, "diameter", "TIMEOUT", "request to {peer} timed out after {a}00 ms", (50, 1, 1), about=_TRANSPORT_ERROR),
    Template(0.05, _LOCAL4, 3, "repl", "REPLICA_LAG", "replica lag {a} s", (30, 1, 1), about=_SOFTWARE),
)
_VOICE_CORE: Final = (
    Template(12.0, _LOCAL4, 6, "sipd", "CALL_STATS", "calls in progress {sessions}, tried {some}, failed {few} in the last minute", share=0.6),
    Template(4.0, _LOCAL4, 5, "sipd", "REG_EXPIRED", "registrations expired {some}", share=0.2),
    Template(2.0, _LOCAL4, 4, "sipd", "SIP_RETRANS", "retransmissions to {peer} {a}", (60, 1, 1), about=_TRANSPORT_ERROR),
    Template(0.1, _LOCAL4, 3, "sipd", "SIP_503", "503 Service Unavailable from {peer}, retry after {a} s", (30, 1, 1), about=_SOFTWARE),
)
_MESSAGING: Final = (
    Template(12.0, _LOCAL4, 6, "smscd", "QUEUE_STATS", "queue depth {few}, delivered {some} in the last minute", share=8.0),
    Template(2.0, _LOCAL4, 4, "smscd", "RETRY", "delivery retry schedule {a} for message {b}", (9, 90, 1)),
    Template(0.05, _LOCAL4, 3, "smpp", "BIND_LOST", "bind of short code account {a} lost, rebound after {b} s", (8, 60, 1), about=_TRANSPORT_ERROR),
)
_PICTURE_MESSAGING: Final = (
    Template(12.0, _LOCAL4, 6, "mmscd", "QUEUE_STATS", "queue depth {few}, retrieved {some} in the last minute", share=6.0),
    Template(2.0, _LOCAL4, 4, "mmscd", "EXPIRED", "messages expired unretrieved {a}", (40, 1, 1)),
    Template(0.05, _LOCAL4, 3, "mm4", "PEER_LOST", "session {a} to another relay lost, restored after {b} s", (9, 60, 1), about=_TRANSPORT_ERROR),
)
_TRANSPORT: Final = (
    Template(10.0, _LOCAL7, 6, "ifmgr", "IF_STATS", "links towards the core carry {rate} kbit/s, use {used} %"),
    Template(0.1, _LOCAL7, 5, "ospf", "ADJ_CHANGE", "neighbour {peer} state Full, {a} ms", (900, 1, 1)),
    Template(1.2, _LOCAL7, 4, "ifmgr", "CRC_ERRORS", "interface ge-0/0/{a} input errors {b}", (23, 60, 1), about=_TRANSPORT_ERROR),
    Template(0.03, _LOCAL7, 3, "ifmgr", "LINK_FLAP", "interface ge-0/0/{a} down for {b} ms", (23, 900, 1), about=_TRANSPORT_ERROR),
    Template(0.003, _LOCAL7, 2, "envd", "TEMP_HIGH", "temperature 8{a} C at slot {b}", (9, 12, 1)),
)

_CONTROL_TYPES = (ElementType.RNC, ElementType.BSC)
_RADIO_TYPES = (ElementType.BTS, ElementType.ENB, ElementType.GNB, *_CONTROL_TYPES)
_TRANSPORT_TYPES = (ElementType.ROUTER, ElementType.SWITCH, ElementType.SITE_ROUTER)
_BY_TYPE: Final = {
    **dict.fromkeys(_RADIO_TYPES, _RADIO),
    **dict.fromkeys(_CONTROL_TYPES, _RADIO_CONTROL),
    ElementType.RNC: _IDLE_CONTROL,
    ElementType.BTS: _RADIO_GSM,
    **dict.fromkeys(_TRANSPORT_TYPES, _TRANSPORT),
    **dict.fromkeys((ElementType.AMF, ElementType.MME), _MOBILITY_CORE),
    **dict.fromkeys(
        (ElementType.UPF, ElementType.SGW, ElementType.PGW), _USER_PLANE
    ),
    ElementType.SMF: _SESSION_CONTROL,
    **dict.fromkeys((ElementType.HSS, ElementType.UDM, ElementType.CHF), _SUBSCRIBER_DATA),
    **dict.fromkeys(
        (ElementType.MSC, ElementType.P_CSCF, ElementType.S_CSCF, ElementType.MMTEL_AS),
        _VOICE_CORE,
    ),
    ElementType.SMSC: _MESSAGING,
    ElementType.MMSC: _PICTURE_MESSAGING,
}

# Core elements serve many and write more.
_LINES: Final = {
    **dict.fromkeys(ElementType, 6.0),
    **dict.fromkeys(_RADIO_TYPES, 1.0),
    ElementType.SITE_ROUTER: 0.5,
}


@dataclass(frozen=True)
class AlarmLines:
    """What an element writes when it raises and clears an alarm.

    Attributes:
        facility, app: As in `Template`; the severity is that of the alarm.
        raised, cleared: Kind of message and message.
        changed: The same when the severity rises.
    """

    facility: int
    app: str
    raised: tuple[str, str]
    cleared: tuple[str, str]
    changed: tuple[str, str] = ("ALARM_CHANGED", "alarm is more urgent now")


# fmt: off
_PERSISTS = ("UNIT_FAULT", "fault is still there")
ALARM_LINES: Final = {
    Kind.STATION_HARDWARE: AlarmLines(_LOCAL0, "hwmgr", ("UNIT_FAULT", "unit fault detected"), ("UNIT_OK", "unit works again"), _PERSISTS),
    Kind.CARRIER_HARDWARE: AlarmLines(_LOCAL0, "rru", ("RU_FAULT", "cell {cell} radio unit or antenna line faulty"), ("RU_OK", "cell {cell} radio unit works again"), ("RU_FAULT", "cell {cell} radio unit still faulty")),
    Kind.RESTART: AlarmLines(_LOCAL0, "init", ("WATCHDOG", "watchdog expired, restarting"), ("START_DONE", "start complete")),
    Kind.MEMORY: AlarmLines(_DAEMON, "oomd", ("OUT_OF_MEMORY", "process ended for want of memory, restarting"), ("MEMORY_OK", "memory released")),
    Kind.MAINS: AlarmLines(_LOCAL7, "envd", ("MAINS_LOST", "mains lost, running on battery"), ("MAINS_BACK", "mains are back")),
    Kind.BATTERY: AlarmLines(_LOCAL7, "envd", ("BATTERY_LOW", "battery voltage low, shutdown follows"), ("BATTERY_CHARGING", "battery is charging")),
    Kind.LINK_DOWN: AlarmLines(_LOCAL7, "ifmgr", ("LINK_DOWN", "link to {peer} down"), ("LINK_UP", "link to {peer} up")),
    Kind.LINK_DEGRADED: AlarmLines(_LOCAL7, "ifmgr", ("LINK_DEGRADED", "uplink errors above the limit, rate reduced"), ("LINK_OK", "uplink at its full rate")),
    Kind.NODE_DOWN: AlarmLines(_LOCAL7, "ifmgr", ("UPLINK_DOWN", "uplink lost"), ("UPLINK_UP", "uplink restored")),
    Kind.CELL_OUT: AlarmLines(_LOCAL0, "rrm", ("CELL_OUT", "cell {cell} out of service"), ("CELL_IN", "cell {cell} in service")),
    Kind.ASSOCIATION: AlarmLines(_LOCAL0, "sctp", ("ASSOC_LOST", "{link} to {peer} lost"), ("ASSOC_UP", "{link} to {peer} restored")),
    Kind.CORE_RESTART: AlarmLines(_LOCAL4, "procmgr", ("PROCESS_EXIT", "process ended, restarting"), ("PROCESS_START", "process runs again")),
    Kind.CORE_OVERLOAD: AlarmLines(_LOCAL4, "ovld", ("OVERLOAD_START", "overload control active"), ("OVERLOAD_END", "overload control inactive")),
    Kind.WORK: AlarmLines(_DAEMON, "oamd", ("LOCKED", "locked for announced work"), ("UNLOCKED", "unlocked after work")),
    Kind.FLAPPING: AlarmLines(_LOCAL7, "ifmgr", ("IF_FLAPPING", "interface ge-0/0/{a} changes its state again and again"), ("IF_STABLE", "interface ge-0/0/{a} is stable")),
    Kind.DOOR: AlarmLines(_LOCAL7, "envd", ("DOOR_OPEN", "cabinet door open"), ("DOOR_CLOSED", "cabinet door closed")),
    Kind.CLOCK: AlarmLines(_LOCAL0, "syncd", ("HOLDOVER", "clock reference lost, holdover"), ("CLOCK_LOCKED", "clock locked to its reference")),
    Kind.RECTIFIER: AlarmLines(_LOCAL7, "envd", ("RECTIFIER_FAIL", "rectifier module {a} failed"), ("RECTIFIER_OK", "rectifier module {a} works again")),
    Kind.MEMORY_HIGH: AlarmLines(_DAEMON, "procmgr", ("MEMORY_HIGH", "memory use above 85 %"), ("MEMORY_NORMAL", "memory use below 80 %")),
    Kind.PEER_RETRY: AlarmLines(_LOCAL0, "sctp", ("ASSOC_RETRY", "peer does not answer, trying again"), ("ASSOC_UP", "peer answers")),
    Kind.TEMPERATURE: AlarmLines(_LOCAL7, "envd", ("TEMP_LIMIT", "cabinet temperature above the limit"), ("TEMP_NORMAL", "cabinet temperature normal"), ("TEMP_LIMIT", "cabinet temperature far above the limit")),
}
"""Lines of alarms that elements raise themselves; those of counters come from the management."""

STARTED: Final = Template(0.0, _DAEMON, 5, "init", "SYSTEM_START", "system start, self test begins")
TESTED: Final = Template(0.0, _DAEMON, 5, "init", "SELF_TEST", "self test passed {span} s after the start")
"""What an element writes when it starts anew or has power again, and when it is up."""
PLANNED_START: Final = Template(0.0, _DAEMON, 5, "procmgr", "PLANNED_RESTART", "processes restarted one after the other as planned, memory released")
"""What an element writes when its software is restarted in its window, without loss of service."""
REJECTED: Final = Template(0.0, _LOCAL4, 4, "ovld", "OVERLOAD_REJECT", "overload control rejected {a}0 requests in the last minute", (90, 1, 1))
"""What an element in overload writes every few minutes."""
ASSOCIATION_LOST: Final = Template(0.0, _LOCAL4, 3, "sctp", "ASSOC_LOST", "{link} to {peer} lost")
ASSOCIATION_UP: Final = Template(0.0, _LOCAL4, 5, "sctp", "ASSOC_UP", "{link} to {peer} restored")
"""What the core writes about a base station."""
# fmt: on

_LIMITS: Final = (8, 1, 1)


def alarm_templates() -> tuple[list[Template], dict[tuple[Kind, int], int]]:
    """Return the messages of alarms, and the place of each among them.

    The places go by kind of alarm and 0, 1 or 2: raised, changed, cleared. The severity of these
    messages is that of the alarm: here it is 5.
    """
    made: list[Template] = []
    places: dict[tuple[Kind, int], int] = {}
    for kind, lines in ALARM_LINES.items():
        for number, (msg_id, text) in enumerate((lines.raised, lines.changed, lines.cleared)):
            places[kind, number] = len(made)
            made.append(Template(0.0, lines.facility, 5, lines.app, msg_id, text, _LIMITS))
    return made, places


def templates(element: ElementType) -> tuple[Template, ...]:
    """Return the messages that a type of element writes."""
    return _BY_TYPE[element] + _PLATFORM + _ANY


def error_weight(template: Template, element: ElementType, about: str) -> float:
    """Return how often a message is among an element's errors and warnings about something.

    Args:
        template: The message.
        element: Type of the element.
        about: One of `ABOUT`.
    """
    its = template in templates(element) and template.about == about
    return template.weight if its else 0.0


def lines_factor(element: ElementType) -> float:
    """Return how many lines a type of element writes, relative to a base station."""
    return _LINES[element]
