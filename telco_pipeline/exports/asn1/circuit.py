"""Calls and messages: records of switches (TS 32.250) and of multimedia messages (TS 32.270).

Belongs here: which column of `cdrs_voice` and `cdrs_sms` goes into which field. Does not belong
here: the tags (`telco_cdr.asn`), how a value is packed (`octets`).
"""

from typing import Final

from telco_pipeline.contracts.codes import RecordType, SupplementaryService
from telco_pipeline.exports.asn1 import octets
from telco_pipeline.exports.asn1.book import Book, Fields, Row, extension, given, moment
from telco_pipeline.exports.asn1.codec import Record

RECORD_TYPES: Final = {
    str(RecordType.MO_CALL): 0,
    str(RecordType.MT_CALL): 1,
    str(RecordType.MO_SMS): 6,
    str(RecordType.MT_SMS): 7,
    str(RecordType.MO_MMS): 30,
    str(RecordType.MT_MMS): 41,
}
SERVICES: Final = {
    str(SupplementaryService.CFB): b"\x29",
    str(SupplementaryService.CFNRY): b"\x2a",
    str(SupplementaryService.CFNRC): b"\x2b",
    str(SupplementaryService.CW): b"\x41",
}
"""SS-Code of TS 29.002."""
RAT_TYPES: Final = {
    "UTRAN": 1,
    "GERAN": 2,
    "WLAN": 3,
    "EUTRAN": 6,
    "NB-IoT": 8,
    "LTE-M": 9,
    "NR": 10,
}
"""RAT type of TS 29.274."""
_SYSTEMS: Final = {"UTRAN": "iuUTRAN", "GERAN": "gERAN"}
_MULTIMEDIA: Final = b"application/vnd.wap.multipart.mixed"
_FAILED: Final = 4


def voice(row: Row, book: Book) -> Record:
    """Return the record of one side of a call."""
    originating = row["record_type"] == str(RecordType.MO_CALL)
    service, icid = row["supplementary_service"], row["icid"]
    reference = row["call_reference"].to_bytes(8)
    fields = {
        "recordType": RECORD_TYPES[row["record_type"]],
        **_served(row),
        "callingNumber": octets.address(row["calling_number"]),
        "calledNumber": octets.address(row["called_number"]) if originating else None,
        "connectedNumber": _number(row["connected_number"]),
        "recordingEntity": book.node(row["recording_entity"]),
        "location": _location(row, book),
        "supplServicesUsed": service and [{"ssCode": SERVICES[service]}],
        "seizureTime": moment(row, "event_time"),
        "answerTime": moment(row, "answer_time"),
        "releaseTime": moment(row, "release_time"),
        "callDuration": row["call_duration"],
        "causeForTerm": row["cause_for_term"],
        "diagnostics": ("gsm0408Cause", row["diagnostics"]),
        "callReference": reference,
        "additionalChgInfo": {"chargeIndicator": int(row["chargeable"])},
        "recordExtensions": extension(row),
        "networkCallReference": reference,
        "systemType": _SYSTEMS.get(row["rat_type"], "unknown"),
        "iMS-Charging-Identifier": None if icid is None else str(icid).encode(),
    }
    return ("moCallRecord" if originating else "mtCallRecord"), given(fields)


def message(row: Row, book: Book) -> Record:
    """Return the record of one side of a short or multimedia message."""
    kind = row["record_type"]
    if kind == str(RecordType.MO_MMS):
        return _sent_multimedia(row, book)
    if kind == str(RecordType.MT_MMS):
        return _received_multimedia(row, book)
    sent, result = kind == str(RecordType.MO_SMS), row["sms_result"]
    fields = {
        "recordType": RECORD_TYPES[kind],
        **_served(row),
        "serviceCentre": book.node(row["service_centre"]),
        "recordingEntity": book.node(row["recording_entity"]),
        "location": _location(row, book),
        # The standard's record of a delivered message has no reference.
        "messageReference": row["message_reference"].to_bytes(8) if sent else None,
        "originationTime" if sent else "deliveryTime": moment(row, "event_time"),
        "smsResult": ("gsm0408Cause", result) if result else None,
        "recordExtensions": extension(row),
        "destinationNumber": octets.short_message_address(row["called_number"]) if sent else None,
        "systemType": _SYSTEMS.get(row["rat_type"], "unknown"),
        "locationExtension": _location_extension(row, book),
    }
    return ("moSMSRecord" if sent else "mtSMSRecord"), given(fields)


def _sent_multimedia(row: Row, book: Book) -> Record:
    time = moment(row, "event_time")
    fields = {
        "recordType": RECORD_TYPES[row["record_type"]],
        "originatorMmsRSAddress": _relay(row, book),
        "messageID": row["message_reference"].to_bytes(8),
        "originatorAddress": _agent(row["calling_number"]),
        "recipientAddresses": [_agent(row["called_number"])],
        "contentType": _MULTIMEDIA,
        "messageSize": row["message_size"],
        "submissionTime": time,
        "requestStatusCode": _FAILED if row["sms_result"] else 0,
        "statusText": str(row["sms_result"]).encode(),
        "recordTimeStamp": time,
        "recordExtensions": extension(row),
        "sGSNPLMNIdentifier": _visited(row),
        "rATType": RAT_TYPES[row["rat_type"]],
    }
    return "mMO1SRecord", given(fields)


def _received_multimedia(row: Row, book: Book) -> Record:
    time, reference = moment(row, "event_time"), row["message_reference"].to_bytes(8)
    fields = {
        "recordType": RECORD_TYPES[row["record_type"]],
        "recipientMmsRSAddress": _relay(row, book),
        "messageID": reference,
        "senderAddress": _agent(row["calling_number"]),
        "recipientAddress": _agent(row["called_number"]),
        "contentType": _MULTIMEDIA,
        "submissionTime": time,
        "messageSize": row["message_size"],
        "recordTimeStamp": time,
        "recordExtensions": extension(row),
        "messageReference": reference,
        "sGSNPLMNIdentifier": _visited(row),
        "rATType": RAT_TYPES[row["rat_type"]],
    }
    return "mMR1RtRecord", given(fields)


def _served(row: Row) -> Fields:
    return {
        "servedIMSI": octets.identity(row["imsi"]),
        "servedIMEI": octets.identity(row["imei"]),
        "servedMSISDN": octets.address(row["msisdn"]),
    }


def _number(number: str | None) -> bytes | None:
    return None if number is None else octets.address(number)


def _visited(row: Row) -> bytes | None:
    return None if row["visited_plmn"] is None else octets.plmn(row["visited_plmn"])


def _relay(row: Row, book: Book) -> Fields:
    return {
        "domainName": row["service_centre"].encode(),
        "iPAddress": book.ip(row["service_centre"]),
    }


def _agent(number: str) -> Fields:
    if number.startswith("+"):
        return {"mMSAgentAddressData": ("mSISDN", octets.address(number))}
    return {"mMSAgentAddressData": ("shortCode", number.encode())}


def _location(row: Row, book: Book) -> Fields | None:
    """Return area and cell: of a longer number its last 16 bits; None in NR."""
    if row["cell_id"] is not None:
        cell = book.cells[row["cell_id"]]
        if cell.rat == "NR":
            return None
        network, area, number = cell.network, cell.area, cell.number
    elif row["visited_cell"] is not None:
        *_, place, sector = row["visited_cell"].split("-")
        network, area, number = row["visited_plmn"], int(place), int(sector)
    else:
        return None
    return {
        "locationAreaCode": (area & 0xFFFF).to_bytes(2),
        "cellId": (number & 0xFFFF).to_bytes(2),
        "mCC-MNC": octets.plmn(network),
    }


def _location_extension(row: Row, book: Book) -> tuple[bytes, int] | None:
    """Return the first 12 of the 28 bits of an E-UTRAN cell's number."""
    cell = book.cells.get(row["cell_id"]) if row["cell_id"] else None
    if cell is None or cell.rat != "EUTRAN":
        return None
    return ((cell.number >> 16 & 0xFFF) << 4).to_bytes(2), 12
