"""What network elements write to syslog: programs, messages and how often.

Belongs here: texts, facilities and severities by type of element. Does not belong here: when an
element writes (`logs`); what faults make it write, which comes with the network's state.

In a message, `{cell}` stands for a cell of the element (or its own name), `{peer}` for an
address, `{a}`, `{b}` and `{c}` for numbers from 1 to the limits given.
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
    Template(6.0, _DAEMON, 6, "ntpd", "CLOCK_SYNC", "clock in sync with {peer}, offset {a}.{b} us", (90, 100, 1)),
    Template(3.0, _AUTH, 6, "sshd", "LOGIN", "session opened for user oper{a} from {peer}", (40, 1, 1)),
    Template(1.0, _AUTH, 4, "sshd", "LOGIN_FAILED", "failed password for user oper{a} from {peer}", (40, 1, 1)),
    Template(2.0, _DAEMON, 5, "snmpd", "POLL", "statistics collected in {a} ms", (900, 1, 1)),
)
_RADIO: Final = (
    Template(14.0, _LOCAL0, 6, "rrm", "CELL_LOAD", "cell {cell} mean active users {a}, PRB use {b} %", (60, 85, 1)),
    Template(8.0, _LOCAL0, 6, "x2ap", "HO_STATS", "cell {cell} outgoing handovers {a}, failed {b}", (400, 5, 1)),
    Template(5.0, _LOCAL0, 5, "son", "NEIGHBOUR_ADDED", "cell {cell} new neighbour relation pci {a}", (503, 1, 1)),
    Template(3.0, _LOCAL0, 4, "rru", "VSWR_HIGH", "cell {cell} antenna port {a} VSWR 2.{b}", (4, 9, 1)),
    Template(1.5, _LOCAL0, 4, "sctp", "ASSOC_RETRANS", "association to {peer} path retransmissions {a}", (8, 1, 1)),
    Template(0.6, _LOCAL0, 3, "rru", "TX_POWER_DEV", "cell {cell} transmit power off by {a}.{b} dB", (4, 10, 1)),
    Template(0.15, _LOCAL0, 2, "bbu", "BOARD_RESET", "baseband board {a} reset by watchdog", (6, 1, 1)),
)
_MOBILITY_CORE: Final = (
    Template(12.0, _LOCAL4, 6, "nas", "ATTACH_STATS", "registrations accepted {a}00, rejected {b} in the last minute", (90, 25, 1)),
    Template(6.0, _LOCAL4, 6, "paging", "PAGING_STATS", "paging attempts {a}00, second attempts {b}", (80, 99, 1)),
    Template(2.0, _LOCAL4, 4, "s6a", "AUTH_REJECT", "authentication reject, cause 20 MAC failure, from {peer}", (1, 1, 1)),
    Template(0.8, _LOCAL4, 3, "sctp", "ASSOC_DOWN", "association to {peer} lost, restored after {a} ms", (900, 1, 1)),
)
_USER_PLANE: Final = (
    Template(12.0, _LOCAL4, 6, "gtpu", "TUNNEL_STATS", "active tunnels {a}00, throughput {b}.{c} Gbit/s", (400, 40, 10)),
    Template(4.0, _LOCAL4, 5, "pfcp", "SESSION_REPORT", "usage reports sent {a}0, resent {b}", (900, 30, 1)),
    Template(1.2, _LOCAL4, 4, "gtpu", "ERROR_INDICATION", "error indication from {peer} for unknown TEID", (1, 1, 1)),
    Template(0.4, _LOCAL4, 3, "ippool", "POOL_HIGH", "address pool {a} use 9{b} %", (8, 9, 1)),
)
_SUBSCRIBER_DATA: Final = (
    Template(10.0, _LOCAL4, 6, "diameter", "PEER_STATS", "peer {peer} answers {a}00, mean {b} ms", (90, 20, 1)),
    Template(1.5, _LOCAL4, 4, "diameter", "TIMEOUT", "request to {peer} timed out after {a}00 ms", (50, 1, 1)),
    Template(0.3, _LOCAL4, 3, "repl", "REPLICA_LAG", "replica lag {a} s", (30, 1, 1)),
)
_VOICE_CORE: Final = (
    Template(12.0, _LOCAL4, 6, "sipd", "CALL_STATS", "calls {a}0, answered 7{b} %, in the last minute", (90, 9, 1)),
    Template(4.0, _LOCAL4, 5, "sipd", "REG_EXPIRED", "registrations expired {a}", (300, 1, 1)),
    Template(2.0, _LOCAL4, 4, "sipd", "SIP_RETRANS", "retransmissions to {peer} {a}", (60, 1, 1)),
    Template(0.6, _LOCAL4, 3, "sipd", "SIP_503", "503 Service Unavailable from {peer}, retry after {a} s", (30, 1, 1)),
)
_MESSAGING: Final = (
    Template(12.0, _LOCAL4, 6, "smscd", "QUEUE_STATS", "queue depth {a}, delivered {b}00 in the last minute", (900, 60, 1)),
    Template(2.0, _LOCAL4, 4, "smscd", "RETRY", "delivery retry schedule {a} for {b} messages", (9, 90, 1)),
    Template(0.5, _LOCAL4, 3, "smpp", "BIND_LOST", "bind to {peer} lost, rebound after {a} s", (60, 1, 1)),
)
_TRANSPORT: Final = (
    Template(10.0, _LOCAL7, 6, "ifmgr", "IF_STATS", "interface ge-0/0/{a} in {b} Mbit/s, out {c} Mbit/s", (23, 900, 400)),
    Template(3.0, _LOCAL7, 5, "ospf", "ADJ_CHANGE", "neighbour {peer} state Full, {a} ms", (900, 1, 1)),
    Template(1.2, _LOCAL7, 4, "ifmgr", "CRC_ERRORS", "interface ge-0/0/{a} input errors {b}", (23, 60, 1)),
    Template(0.5, _LOCAL7, 3, "ifmgr", "LINK_FLAP", "interface ge-0/0/{a} down for {b} ms", (23, 900, 1)),
    Template(0.1, _LOCAL7, 2, "envd", "TEMP_HIGH", "temperature 8{a} C at slot {b}", (9, 12, 1)),
)

_RADIO_TYPES = (ElementType.BTS, ElementType.ENB, ElementType.GNB, ElementType.RNC, ElementType.BSC)
_TRANSPORT_TYPES = (ElementType.ROUTER, ElementType.SWITCH, ElementType.SITE_ROUTER)
_BY_TYPE: Final = {
    **dict.fromkeys(_RADIO_TYPES, _RADIO),
    **dict.fromkeys(_TRANSPORT_TYPES, _TRANSPORT),
    **dict.fromkeys((ElementType.AMF, ElementType.MME), _MOBILITY_CORE),
    **dict.fromkeys(
        (ElementType.SMF, ElementType.UPF, ElementType.SGW, ElementType.PGW), _USER_PLANE
    ),
    **dict.fromkeys((ElementType.HSS, ElementType.UDM, ElementType.CHF), _SUBSCRIBER_DATA),
    **dict.fromkeys(
        (ElementType.MSC, ElementType.P_CSCF, ElementType.S_CSCF, ElementType.MMTEL_AS),
        _VOICE_CORE,
    ),
    **dict.fromkeys((ElementType.SMSC, ElementType.MMSC), _MESSAGING),
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
