"""What network elements write to syslog: programs, messages and how often.

Belongs here: texts, facilities and severities by type of element. Does not belong here: when an
element writes (`logs`); what faults make it write, which comes with the network's state.

In a message, `{cell}` stands for a cell of the element (or its own name), `{peer}` for the address
of an element that it is linked to, `{a}`, `{b}` and `{c}` for numbers from 1 to the limits given.
Clocks and operators' hosts are outside the inventory: 10.255.0.x and 10.255.1.x.
"""

from dataclasses import dataclass
from typing import Final

from telco_pipeline.contracts.codes import ElementType

# A table of one row a line reads better wide.
# fmt: off

_LOCAL0, _LOCAL4, _LOCAL7, _DAEMON, _AUTH = 16, 20, 23, 3, 4


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
    """

    weight: float
    facility: int
    severity: int
    app: str
    msg_id: str
    text: str
    limits: tuple[int, int, int] = (100, 100, 100)


_ANY: Final = (
    Template(6.0, _DAEMON, 6, "ntpd", "CLOCK_SYNC", "clock in sync with 10.255.0.{a}, offset {b}.{c} us", (4, 90, 99)),
    Template(3.0, _AUTH, 6, "sshd", "LOGIN", "session opened for user oper{a} from 10.255.1.{b}", (40, 30, 1)),
    Template(0.15, _AUTH, 4, "sshd", "LOGIN_FAILED", "failed password for user oper{a} from 10.255.1.{b}", (40, 30, 1)),
    Template(2.0, _DAEMON, 5, "snmpd", "POLL", "statistics collected in {a} ms", (900, 1, 1)),
)
_RADIO: Final = (
    Template(14.0, _LOCAL0, 6, "rrm", "CELL_LOAD", "cell {cell} mean active users {a}, PRB use {b} %", (60, 85, 1)),
    Template(8.0, _LOCAL0, 6, "rrm", "HO_STATS", "cell {cell} outgoing handovers {a}, failed {b}", (400, 5, 1)),
    Template(0.3, _LOCAL0, 5, "son", "NEIGHBOUR_ADDED", "cell {cell} new neighbour relation pci {a}", (503, 1, 1)),
    Template(0.15, _LOCAL0, 4, "rru", "VSWR_HIGH", "cell {cell} antenna port {a} VSWR 2.{b}", (4, 9, 1)),
    Template(1.0, _LOCAL0, 4, "sctp", "ASSOC_RETRANS", "association to {peer} path retransmissions {a}", (8, 1, 1)),
    Template(0.03, _LOCAL0, 3, "rru", "TX_POWER_DEV", "cell {cell} transmit power off by {a}.{b} dB", (4, 10, 1)),
    Template(0.004, _LOCAL0, 2, "bbu", "BOARD_RESET", "baseband board {a} reset by watchdog", (6, 1, 1)),
)
_RADIO_GSM: Final = (
    Template(14.0, _LOCAL0, 6, "rrm", "TCH_LOAD", "cell {cell} busy traffic channels {a}, SDCCH use {b} %", (14, 60, 1)),
    Template(8.0, _LOCAL0, 6, "rrm", "HO_STATS", "cell {cell} outgoing handovers {a}, failed {b}", (90, 4, 1)),
    Template(1.0, _LOCAL0, 4, "abis", "LAPD_RETRANS", "link to {peer} retransmissions {a}", (20, 1, 1)),
    Template(0.15, _LOCAL0, 4, "trx", "VSWR_HIGH", "cell {cell} transceiver {a} VSWR 2.{b}", (4, 9, 1)),
    Template(0.03, _LOCAL0, 3, "trx", "TX_POWER_DEV", "cell {cell} transmit power off by {a}.{b} dB", (4, 9, 1)),
    Template(0.004, _LOCAL0, 2, "trx", "TRX_RESET", "transceiver {a} reset by watchdog", (4, 1, 1)),
)
_RADIO_CONTROL: Final = (
    Template(12.0, _LOCAL0, 6, "rrm", "LINK_STATS", "link to {peer} use {a} %", (60, 1, 1)),
    Template(4.0, _LOCAL0, 6, "ccp", "CPU_LOAD", "control processor {a} load {b} %", (8, 70, 1)),
    Template(1.0, _LOCAL0, 4, "ss7", "LINK_RETRANS", "signalling link to {peer} retransmissions {a}", (20, 1, 1)),
    Template(0.02, _LOCAL0, 3, "ccp", "BOARD_RESET", "processor board {a} reset by watchdog", (8, 1, 1)),
)
_MOBILITY_CORE: Final = (
    Template(12.0, _LOCAL4, 6, "nas", "ATTACH_STATS", "registrations accepted {a}00, rejected {b} in the last minute", (90, 25, 1)),
    Template(6.0, _LOCAL4, 6, "paging", "PAGING_STATS", "paging attempts {a}00, second attempts {b}", (80, 99, 1)),
    Template(2.0, _LOCAL4, 4, "nas", "AUTH_FAILURE", "authentication failures with cause 20 MAC failure {a} in the last minute", (12, 1, 1)),
    Template(0.05, _LOCAL4, 3, "sctp", "ASSOC_DOWN", "association to {peer} lost, restored after {a} ms", (900, 1, 1)),
)
_USER_PLANE: Final = (
    Template(12.0, _LOCAL4, 6, "gtpu", "TUNNEL_STATS", "active tunnels {a}00, throughput {b}.{c} Gbit/s", (400, 40, 10)),
    Template(4.0, _LOCAL4, 5, "pfcp", "SESSION_REPORT", "usage reports sent {a}0, resent {b}", (900, 30, 1)),
    Template(1.2, _LOCAL4, 4, "gtpu", "ERROR_INDICATION", "error indication from {peer} for unknown TEID", (1, 1, 1)),
    Template(0.05, _LOCAL4, 3, "ippool", "POOL_HIGH", "address pool {a} use 9{b} %", (8, 9, 1)),
)
_SESSION_CONTROL: Final = (
    Template(12.0, _LOCAL4, 6, "smfd", "SESSION_STATS", "sessions {a}00, set up {b}0 in the last minute", (400, 60, 1)),
    Template(4.0, _LOCAL4, 5, "pfcp", "SESSION_REPORT", "usage reports received {a}0, sent again {b}", (900, 30, 1)),
    Template(1.2, _LOCAL4, 4, "pfcp", "HEARTBEAT_LATE", "heartbeat of {peer} late by {a} ms", (900, 1, 1)),
    Template(0.05, _LOCAL4, 3, "ippool", "POOL_HIGH", "address pool {a} use 9{b} %", (8, 9, 1)),
)
_SUBSCRIBER_DATA: Final = (
    Template(10.0, _LOCAL4, 6, "diameter", "PEER_STATS", "peer {peer} answers {a}00, mean {b} ms", (90, 20, 1)),
    Template(1.5, _LOCAL4, 4, "diameter", "TIMEOUT", "request to {peer} timed out after {a}00 ms", (50, 1, 1)),
    Template(0.05, _LOCAL4, 3, "repl", "REPLICA_LAG", "replica lag {a} s", (30, 1, 1)),
)
_VOICE_CORE: Final = (
    Template(12.0, _LOCAL4, 6, "sipd", "CALL_STATS", "calls {a}0, answered 7{b} %, in the last minute", (90, 9, 1)),
    Template(4.0, _LOCAL4, 5, "sipd", "REG_EXPIRED", "registrations expired {a}", (300, 1, 1)),
    Template(2.0, _LOCAL4, 4, "sipd", "SIP_RETRANS", "retransmissions to {peer} {a}", (60, 1, 1)),
    Template(0.1, _LOCAL4, 3, "sipd", "SIP_503", "503 Service Unavailable from {peer}, retry after {a} s", (30, 1, 1)),
)
_MESSAGING: Final = (
    Template(12.0, _LOCAL4, 6, "smscd", "QUEUE_STATS", "queue depth {a}, delivered {b}00 in the last minute", (900, 60, 1)),
    Template(2.0, _LOCAL4, 4, "smscd", "RETRY", "delivery retry schedule {a} for {b} messages", (9, 90, 1)),
    Template(0.05, _LOCAL4, 3, "smpp", "BIND_LOST", "bind of short code account {a} lost, rebound after {b} s", (8, 60, 1)),
)
_PICTURE_MESSAGING: Final = (
    Template(12.0, _LOCAL4, 6, "mmscd", "QUEUE_STATS", "queue depth {a}, retrieved {b}0 in the last minute", (400, 40, 1)),
    Template(2.0, _LOCAL4, 4, "mmscd", "EXPIRED", "messages expired unretrieved {a}", (40, 1, 1)),
    Template(0.05, _LOCAL4, 3, "mm4", "PEER_LOST", "session {a} to another relay lost, restored after {b} s", (9, 60, 1)),
)
_TRANSPORT: Final = (
    Template(10.0, _LOCAL7, 6, "ifmgr", "IF_STATS", "interface ge-0/0/{a} in {b} Mbit/s, out {c} Mbit/s", (23, 900, 400)),
    Template(0.1, _LOCAL7, 5, "ospf", "ADJ_CHANGE", "neighbour {peer} state Full, {a} ms", (900, 1, 1)),
    Template(1.2, _LOCAL7, 4, "ifmgr", "CRC_ERRORS", "interface ge-0/0/{a} input errors {b}", (23, 60, 1)),
    Template(0.03, _LOCAL7, 3, "ifmgr", "LINK_FLAP", "interface ge-0/0/{a} down for {b} ms", (23, 900, 1)),
    Template(0.003, _LOCAL7, 2, "envd", "TEMP_HIGH", "temperature 8{a} C at slot {b}", (9, 12, 1)),
)

_CONTROL_TYPES = (ElementType.RNC, ElementType.BSC)
_RADIO_TYPES = (ElementType.BTS, ElementType.ENB, ElementType.GNB, *_CONTROL_TYPES)
_TRANSPORT_TYPES = (ElementType.ROUTER, ElementType.SWITCH, ElementType.SITE_ROUTER)
_BY_TYPE: Final = {
    **dict.fromkeys(_RADIO_TYPES, _RADIO),
    **dict.fromkeys(_CONTROL_TYPES, _RADIO_CONTROL),
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


def templates(element: ElementType) -> tuple[Template, ...]:
    """Return the messages that a type of element writes."""
    return _BY_TYPE[element] + _ANY


def lines_factor(element: ElementType) -> float:
    """Return how many lines a type of element writes, relative to a base station."""
    return _LINES[element]
