"""IMS: sCSCFRecord, pCSCFRecord (TS 32.260) and mMTelRecord (TS 32.275).

Belongs here: which column of `cdrs_ims` and `cdrs_voip` goes into which field. Does not belong
here: the tags (`telco_cdr.asn`), how a value is packed (`octets`).
"""

from typing import Final

from telco_pipeline.contracts.codes import RecordType
from telco_pipeline.exports.asn1.book import Book, Fields, Row, extension, given, moment
from telco_pipeline.exports.asn1.codec import Record

RECORD_TYPES: Final = {
    str(RecordType.S_CSCF): 63,
    str(RecordType.P_CSCF): 64,
    str(RecordType.MMTEL): 83,
}
_DONE: Final = 200


def signalling(row: Row, book: Book) -> Record:
    """Return the record of a call session control function."""
    fields = {
        **_common(row, row["sip_method"], row["role_of_node"]),
        "session-Id": str(row["session_id"]),
        **_moments(row, "delivery_start_time", "delivery_end_time"),
        "list-Of-SDP-Media-Components": row["codec"] and _media(row["codec"]),
        "accessNetworkInformation": row["access_network_information"].encode(),
        "list-of-subscription-ID": [_identity("eND-USER-IMSI", row["imsi"])],
        "userLocationInformation": book.location_information(row["cell_id"]),
    }
    return row["record_type"], given(fields)


def telephony(row: Row, book: Book) -> Record:
    """Return the record of the telephony server."""
    fields = {
        **_common(row, "INVITE", row["role"]),
        **_moments(row, "answer_time", "release_time"),
        "list-Of-SDP-Media-Components": _media(row["codec"]),
        "accessNetworkInformation": row["access"].encode(),
        "list-of-subscription-ID": [
            _identity("eND-USER-IMSI", row["imsi"]),
            _identity("eND-USER-E164", row["msisdn"].removeprefix("+")),
        ],
    }
    return row["record_type"], given(fields)


def _common(row: Row, method: str, role: str) -> Fields:
    called, response = row["called_party_address"], row["sip_response"]
    done = "serviceDeliveryEndSuccessfully" if response == _DONE else "unSuccessfulServiceDelivery"
    return {
        "recordType": RECORD_TYPES[row["record_type"]],
        "sIP-Method": method,
        "role-of-Node": role,
        "nodeAddress": ("domainName", row["recording_entity"]),
        "list-Of-Calling-Party-Address": [_party(row["calling_party_address"])],
        "called-Party-Address": None if called is None else _party(called),
        "causeForRecordClosing": done,
        "iMS-Charging-Identifier": str(row["icid"]).encode(),
        "serviceReasonReturnCode": str(response),
        "recordExtensions": extension(row),
    }


def _moments(row: Row, start: str, end: str) -> Fields:
    """Return request, start and end of the service, each with its milliseconds."""
    return {
        "serviceRequestTimeStamp": moment(row, "event_time"),
        "serviceDeliveryStartTimeStamp": moment(row, start),
        "serviceDeliveryEndTimeStamp": moment(row, end),
        "serviceRequestTimeStampFraction": row["event_time_ms"],
        "serviceDeliveryStartTimeStampFraction": row[f"{start}_ms"],
        "serviceDeliveryEndTimeStampFraction": row[f"{end}_ms"],
    }


def _party(number: str) -> tuple[str, str]:
    return "tEL-URI", f"tel:{number}"


def _identity(kind: str, text: str) -> Fields:
    return {"subscriptionIDType": kind, "subscriptionIDData": text}


def _media(codec: str) -> list[Fields]:
    """Return a component of audio with its codec as a line of the SDP has it."""
    audio = {"sDP-Media-Name": "m=audio", "sDP-Media-Descriptions": [f"a=rtpmap:{codec}"]}
    return [{"sDP-Media-Components": [audio]}]
