"""Closed lists of codes that contracts and generators share, by their standards' names.

Belongs here: names and numbers that a standard fixes. Does not belong here: how often a code
occurs.
"""

from enum import IntEnum, StrEnum


class RecordType(StrEnum):
    """Record types of TS 32.298, with their numbers (those of MMS in TS 32.270)."""

    MO_CALL = "moCallRecord"  # 0
    MT_CALL = "mtCallRecord"  # 1
    MO_SMS = "moSMSRecord"  # 6
    MT_SMS = "mtSMSRecord"  # 7
    MO_MMS = "mMO1SRecord"  # 30
    MT_MMS = "mMR1RtRecord"  # 41
    S_CSCF = "sCSCFRecord"  # 63
    P_CSCF = "pCSCFRecord"  # 64
    MMTEL = "mMTelRecord"  # 83
    SGW = "sGWRecord"  # 84
    PGW = "pGWRecord"  # 85
    CHF = "chargingFunctionRecord"  # 200


class CallStatus(StrEnum):
    """How a call went for the side that a record serves."""

    ANSWERED = "answered"
    NO_ANSWER = "no answer"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    FORWARDED = "forwarded"
    FAILED = "failed"


class SupplementaryService(StrEnum):
    """Supplementary services of a call (TS 22.004)."""

    CFB = "CFB"  # call forwarding on mobile subscriber busy
    CFNRY = "CFNRy"  # on no reply
    CFNRC = "CFNRc"  # on mobile subscriber not reachable
    CW = "CW"  # call waiting: answered beside another call


class IdentityChange(StrEnum):
    """Why a subscription has another identity from a moment on."""

    SIM_SWAP = "sim_swap"
    DEVICE_UPGRADE = "device_upgrade"
    NUMBER_CHANGE = "number_change"
    PORT_IN = "port_in"
    PORT_OUT = "port_out"
    TERMINATION = "termination"
    WIN_BACK = "win_back"
    ACTIVATION = "activation"


class Rat(StrEnum):
    """Radio access types, with the names of rATType in TS 29.274."""

    UTRAN = "UTRAN"
    GERAN = "GERAN"
    WLAN = "WLAN"
    EUTRAN = "EUTRAN"
    NB_IOT = "NB-IoT"
    LTE_M = "LTE-M"
    NR = "NR"


class CauseForTerm(IntEnum):
    """causeForTerm of TS 32.298."""

    NORMAL_RELEASE = 0
    PARTIAL_RECORD = 1
    UNSUCCESSFUL_CALL_ATTEMPT = 3
    STABLE_CALL_ABNORMAL_TERMINATION = 4


class CauseForRecClosing(IntEnum):
    """causeForRecClosing of TS 32.298."""

    NORMAL_RELEASE = 0
    ABNORMAL_RELEASE = 4
    VOLUME_LIMIT = 16
    TIME_LIMIT = 17
    SERVING_NODE_CHANGE = 18
    RAT_CHANGE = 22


class Q850(IntEnum):
    """Release causes of ITU-T Q.850."""

    UNALLOCATED_NUMBER = 1
    NORMAL_CLEARING = 16
    USER_BUSY = 17
    NO_USER_RESPONDING = 18
    NO_ANSWER = 19
    SUBSCRIBER_ABSENT = 20
    CALL_REJECTED = 21
    NORMAL_UNSPECIFIED = 31
    NO_CIRCUIT = 34
    NETWORK_OUT_OF_ORDER = 38
    TEMPORARY_FAILURE = 41
    SWITCH_CONGESTION = 42


SIP_OF_Q850 = {
    Q850.UNALLOCATED_NUMBER: 404,
    Q850.NORMAL_CLEARING: 200,
    Q850.USER_BUSY: 486,
    Q850.NO_USER_RESPONDING: 408,
    Q850.NO_ANSWER: 480,
    Q850.SUBSCRIBER_ABSENT: 480,
    Q850.CALL_REJECTED: 603,
    Q850.NORMAL_UNSPECIFIED: 480,
    Q850.NO_CIRCUIT: 503,
    Q850.NETWORK_OUT_OF_ORDER: 500,
    Q850.TEMPORARY_FAILURE: 503,
    Q850.SWITCH_CONGESTION: 504,
}
"""Final SIP response of a call attempt by its Q.850 cause (RFC 3398).

Where our own core fails, its SIP nodes say how: a server's error (500), no answer in time (504).
"""


class ElementType(StrEnum):
    """Network elements of the core, the transport network and the service platforms."""

    AMF = "AMF"
    SMF = "SMF"
    UPF = "UPF"
    MME = "MME"
    SGW = "SGW"
    PGW = "PGW"
    HSS = "HSS"
    UDM = "UDM"
    CHF = "CHF"
    RNC = "RNC"
    BSC = "BSC"
    MSC = "MSC"
    P_CSCF = "P-CSCF"
    S_CSCF = "S-CSCF"
    MMTEL_AS = "MMTel-AS"
    SMSC = "SMSC"
    MMSC = "MMSC"
    ROUTER = "router"
    SWITCH = "switch"
    SITE_ROUTER = "site router"
    BTS = "BTS"
    ENB = "eNB"
    GNB = "gNB"


class CellClass(StrEnum):
    """Size class of a cell."""

    MACRO = "MACRO"
    MICRO = "MICRO"
    PICO = "PICO"


class Codec(StrEnum):
    """Speech codecs in the SDP of a call."""

    EVS = "EVS"
    AMR_WB = "AMR-WB"
    AMR = "AMR"
    OPUS = "opus"
    PCMA = "PCMA"


class VoiceAccess(StrEnum):
    """How a packet voice session reaches the IMS."""

    VOLTE = "VoLTE"
    VONR = "VoNR"
    VOWIFI = "VoWiFi"
    SIP_TRUNK = "SIP trunk"


class UpdateType(StrEnum):
    """Kinds of location update (TS 24.301 EPS attach, detach and tracking area update types)."""

    ATTACH = "attach"
    DETACH = "detach"
    AREA_CHANGE = "tracking area change"
    CELL_CHANGE = "cell change"
    PERIODIC = "periodic"


class FaultKind(StrEnum):
    """What is at fault in the network."""

    HARDWARE = "hardware"
    SOFTWARE = "software"
    POWER = "power"
    BACKHAUL = "backhaul"
    CORE = "core"
    PLANNED_WORK = "planned work"


class CellStatus(StrEnum):
    """Status of a cell."""

    IN_SERVICE = "in service"
    DEGRADED = "degraded"
    OUT_OF_SERVICE = "out of service"


class LifeStatus(StrEnum):
    """Status of a subscription."""

    PROSPECT = "prospect"  # not a customer yet
    ACTIVE = "active"
    SUSPENDED = "suspended"
    PORTED_OUT = "ported out"
    TERMINATED = "terminated"


class LifeChange(StrEnum):
    """Changes in the life of a subscription."""

    ACTIVATION = "activation"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"
    PLAN_CHANGE = "plan change"
    PORT_OUT = "port-out"
    TERMINATION = "termination"
    WIN_BACK = "win-back"


class NotificationType(StrEnum):
    """Notifications of the alarm integration reference point (TS 32.111-2)."""

    NEW = "notifyNewAlarm"
    CHANGED = "notifyChangedAlarm"
    ACKNOWLEDGED = "notifyAckStateChanged"
    CLEARED = "notifyClearedAlarm"


class AlarmType(StrEnum):
    """Event types of alarms (X.733)."""

    COMMUNICATIONS = "communications"
    QUALITY_OF_SERVICE = "qualityOfService"
    PROCESSING_ERROR = "processingError"
    EQUIPMENT = "equipment"
    ENVIRONMENTAL = "environmental"


class AlarmSeverity(StrEnum):
    """Perceived severities (X.733)."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"
    INDETERMINATE = "indeterminate"
    CLEARED = "cleared"


class Channel(StrEnum):
    """Channels of customer care."""

    CALL = "call"
    CHAT = "chat"
    APP = "app"
    SHOP = "shop"
    SOCIAL = "social"


class Reason(StrEnum):
    """Reasons of a contact with customer care."""

    BILLING = "billing"
    NETWORK = "network"
    DEVICE = "device"
    PLAN = "plan"
    ROAMING = "roaming"
    SIM = "sim"
    GENERAL = "general"
    FRAUD = "fraud"
    CANCELLATION = "cancellation"


class Topic(StrEnum):
    """What has really happened to a customer who turns to care."""

    OUTAGE = "outage"
    DROPPED_CALLS = "dropped calls"
    BLOCKED_CALLS = "blocked calls"
    SLOW_DATA = "slow data"
    HIGH_BILL = "high bill"
    PAYMENT = "payment"
    ALLOWANCE = "allowance"
    PLAN_CHANGE = "plan change"
    CONTRACT_END = "contract end"
    ROAMING_COST = "roaming cost"
    ROAMING_ACCESS = "roaming access"
    NEW_DEVICE = "new device"
    DEVICE_FAULT = "device fault"
    SIM_SWAP = "SIM swap"
    NUMBER_CHANGE = "number change"
    SUSPENSION = "suspension"
    SUSPICIOUS_CALLS = "suspicious calls"
    LEAVING = "leaving"
    QUESTION = "question"


class Resolution(StrEnum):
    """How a contact with customer care ended."""

    SOLVED = "solved"
    CALLBACK = "callback"
    ESCALATED = "escalated"
    ABANDONED = "abandoned"


class IncidentKind(StrEnum):
    """What an incident of a scenario layer belongs to."""

    NETWORK = "network"
    CUSTOMERS = "customers"
    FRAUD = "fraud"
    REVENUE = "revenue"
    MARKETING = "marketing"
    IOT = "iot"


class IncidentSeverity(StrEnum):
    """How bad an incident is for whom it hits."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    WARNING = "warning"


class EntityKind(StrEnum):
    """What an incident touches."""

    SUBSCRIBER = "subscriber"
    CELL = "cell"
    SITE = "site"
    ELEMENT = "element"


class FiledDataset(StrEnum):
    """Datasets whose records come to mediation in files."""

    CDRS_VOICE = "cdrs_voice"
    CDRS_SMS = "cdrs_sms"
    CDRS_DATA = "cdrs_data"
    CDRS_VOIP = "cdrs_voip"
    CDRS_IMS = "cdrs_ims"


class TouchedDataset(StrEnum):
    """Datasets whose records an incident can make or touch."""

    CDRS_VOICE = "cdrs_voice"
    CDRS_SMS = "cdrs_sms"
    CDRS_DATA = "cdrs_data"
    CDRS_VOIP = "cdrs_voip"
    CDRS_IMS = "cdrs_ims"
    LOCATION_UPDATES = "location_updates"
    ALARMS = "alarms"
    NETWORK_LOGS = "network_logs"
    CUSTOMER_SERVICE = "customer_service"
    IDENTITY_CHANGES = "identity_changes"
    COLLECTED_FILES = "collected_files"
