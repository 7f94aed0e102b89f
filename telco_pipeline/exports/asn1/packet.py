"""Data sessions: pGWRecord, sGWRecord (TS 32.251) and chargingFunctionRecord (TS 32.255).

Belongs here: which column of `cdrs_data` goes into which field. Does not belong here: the tags
(`telco_cdr.asn`), how a value is packed (`octets`).
"""

from typing import Final

from telco_pipeline.contracts.codes import Rat, RecordType
from telco_pipeline.exports.asn1 import octets
from telco_pipeline.exports.asn1.book import Book, Fields, Row, extension, given, moment
from telco_pipeline.exports.asn1.circuit import RAT_TYPES
from telco_pipeline.exports.asn1.codec import Record

RATING_GROUP: Final = 1
"""All data is rated alike; which application it was stands in chargingRuleBaseName."""
SESSION: Final = 1
"""Number of a device's session: one at a time, as far as charging sees."""
_CHARGING_ID: Final = 0xFFFFFFFF
_IPV4: Final = b"\xf1\x21"  # IETF, IPv4 (TS 29.060)
_NORMAL: Final = b"\x08\x00"  # charging characteristics: normal charging (TS 32.251)
_RECORD_CLOSURE: Final = (b"\x00\x00\x00\x80", 25)  # bit 24 of ServiceConditionChange


def data(row: Row, book: Book) -> Record:
    """Return the record of a session or of a part of one."""
    kind = row["record_type"]
    # An attempt that an AMF refused is of the serving node's kind in `cdrs_data`. An AMF knows no
    # record of a gateway: it reports to the CHF, whose record it becomes (TS 32.256).
    refused = kind == str(RecordType.SGW) and row["rat_type"] == str(Rat.NR)
    if refused or kind == str(RecordType.CHF):
        return "chargingFunctionRecord", given(_charging(row, book, "aMF" if refused else "sMF"))
    if kind == str(RecordType.SGW):
        return "sGWRecord", given(_serving_gateway(row, book))
    return "pGWRecord", given(_packet_gateway(row, book))


def _gateway(row: Row, book: Book) -> Fields:
    """Return the fields that the records of both gateways have, under the same tags."""
    serving = row["serving_node"]
    return {
        "servedIMSI": octets.identity(row["imsi"]),
        "chargingID": row["charging_id"] & _CHARGING_ID,
        "servingNodeAddress": [] if serving is None else [book.ip(serving)],
        "accessPointNameNI": row["access_point_name"],
        "pdpPDNType": _IPV4,
        "servedPDPPDNAddress": ("iPAddress", _ip(row)),
        "dynamicAddressFlag": True,
        "recordOpeningTime": moment(row, "event_time"),
        "duration": row["duration"],
        "causeForRecClosing": row["cause_for_rec_closing"],
        "diagnostics": _diagnostics(row),
        "recordSequenceNumber": row["record_sequence_number"],
        "nodeID": row["recording_entity"],
        "recordExtensions": extension(row),
        "servedMSISDN": octets.address(row["msisdn"]),
        "chargingCharacteristics": _NORMAL,
        "servingNodePLMNIdentifier": _serving_network(row, book),
        "servedIMEI": octets.identity(row["imei"]),
        "rATType": RAT_TYPES[row["rat_type"]],
        "userLocationInformation": book.location_information(row["cell_id"]),
    }


def _packet_gateway(row: Row, book: Book) -> Fields:
    used = {
        "ratingGroup": RATING_GROUP,
        "chargingRuleBaseName": row["service"],
        "timeUsage": row["duration"],
        "serviceConditionChange": _RECORD_CLOSURE,
        "qoSInformationNeg": {"qCI": row["qci"]},
        "datavolumeFBCUplink": row["data_volume_uplink"],
        "datavolumeFBCDownlink": row["data_volume_downlink"],
        "timeOfReport": moment(row, "end"),
    }
    return {
        "recordType": 85,
        "p-GWAddress": book.ip(row["recording_entity"]),
        **_gateway(row, book),
        "listOfServiceData": [used],
        "servingNodeType": [] if row["serving_node"] is None else ["gTPSGW"],
        "lastUserLocationInformation": book.location_information(row["last_cell_id"]),
    }


def _serving_gateway(row: Row, book: Book) -> Fields:
    carried = {
        "dataVolumeGPRSUplink": row["data_volume_uplink"],
        "dataVolumeGPRSDownlink": row["data_volume_downlink"],
        "changeCondition": "recordClosure",
        "changeTime": moment(row, "end"),
        "ePCQoSInformation": {"qCI": row["qci"]},
    }
    return {
        "recordType": 84,
        "s-GWAddress": book.ip(row["recording_entity"]),
        **_gateway(row, book),
        "listOfTrafficVolumes": [carried],
        "servingNodeType": [] if row["serving_node"] is None else ["mME"],
    }


def _charging(row: Row, book: Book, consumer: str) -> Fields:
    used = {
        "time": row["duration"],
        "dataVolumeUplink": row["data_volume_uplink"],
        "dataVolumeDownlink": row["data_volume_downlink"],
        "pDUContainerInformation": {"chargingRuleBaseName": row["service"]},
    }
    return {
        "recordType": 200,
        "recordingNetworkFunctionID": row["recording_entity"],
        "subscriberIdentifier": {
            "subscriptionIDType": "eND-USER-IMSI",
            "subscriptionIDData": row["imsi"],
        },
        "nFunctionConsumerInformation": {"networkFunctionality": consumer},
        "listOfMultipleUnitUsage": [{"ratingGroup": RATING_GROUP, "usedUnitContainers": [used]}],
        "recordOpeningTime": moment(row, "event_time"),
        "duration": row["duration"],
        "recordSequenceNumber": row["record_sequence_number"],
        "causeForRecClosing": row["cause_for_rec_closing"],
        "diagnostics": _diagnostics(row),
        "recordExtensions": extension(row),
        "pDUSessionChargingInformation": given(_session(row, book)),
    }


def _session(row: Row, book: Book) -> Fields:
    serving = row["serving_node"]
    return {
        "pDUSessionChargingID": row["charging_id"] & _CHARGING_ID,
        "userIdentifier": ("iSDN-E164", row["msisdn"]),
        "userEquipmentInfo": {
            "subscriberEquipmentNumberType": "iMEISV",
            "subscriberEquipmentNumberData": octets.identity(row["imei"]),
        },
        "userRoamerInOut": "roamerOutBound" if row["roaming"] else None,
        "pDUSessionId": SESSION,
        "networkSliceInstanceID": _slice(row["s_nssai"]),
        "pDUType": "iPv4",
        "servingNetworkFunctionID": serving and [_function(serving)],
        "rATType": RAT_TYPES[row["rat_type"]],
        "dataNetworkNameIdentifier": row["access_point_name"],
        "pDUAddress": {"pDUIPv4Address": _ip(row), "iPV4dynamicAddressFlag": True},
        "authorizedQoSInformation": {"fiveQi": row["qci"]},
        "servingCNPLMNID": _serving_network(row, book),
        "userLocationInformationASN1": _place(row["cell_id"], book),
    }


def _function(element: str) -> Fields:
    told = {"networkFunctionality": "aMF", "networkFunctionName": element}
    return {"servingNetworkFunctionInformation": told}


def _slice(text: str | None) -> Fields | None:
    if text is None:
        return None
    kind, _, rest = text.partition("-")
    return {"sST": int(kind), "sD": bytes.fromhex(rest)}


def _place(cell_id: str | None, book: Book) -> Fields | None:
    cell = None if cell_id is None else book.cells[cell_id]
    if cell is None or cell.rat != "NR":
        return None
    network = octets.plmn(cell.network)
    tai = {"pLMNId": network, "tac": cell.area.to_bytes(3)}
    return {
        "nrLocation": {"tai": tai, "ncgi": {"plmnId": network, "nrCellId": f"{cell.number:09X}"}}
    }


def _ip(row: Row) -> tuple[str, bytes]:
    return "iPBinV4Address", octets.ip_octets(row["served_pdp_address"])


def _diagnostics(row: Row) -> tuple[str, int] | None:
    return None if row["diagnostics"] is None else ("gsm0408Cause", row["diagnostics"])


def _serving_network(row: Row, book: Book) -> bytes | None:
    if row["visited_plmn"] is not None:
        return octets.plmn(row["visited_plmn"])
    return None if row["cell_id"] is None else octets.plmn(book.cells[row["cell_id"]].network)
