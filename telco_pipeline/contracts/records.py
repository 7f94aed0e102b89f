"""Contracts of the daily records: five kinds of CDR, location updates, logs, customer care.

Belongs here: datasets with one partition a day. Does not belong here: what exists (`world`).

Columns of a record bear the standard's names in snake case; where the design gives a key one
name everywhere (`imsi`, `msisdn`, `imei`, `cell_id`), that name stands for the standard's
(servedIMSI, servedMSISDN, servedIMEI, userLocationInformation).
"""

import dataframely as dy

from telco_pipeline.contracts import codes
from telco_pipeline.contracts.base import (
    Dataset,
    ForeignKey,
    Layout,
    big,
    code,
    flag,
    moment,
    number,
    real,
    small,
    text,
)
from telco_pipeline.contracts.world import IMEI, IMSI, LANGUAGES, PLMN

# A table of one row a line reads better wide.
# fmt: off

PARTY = r"^\+?\d{3,15}$"


def _event_id() -> dy.Int64:
    return big("Unique id of the record, over all datasets and days; tells nothing.", key=True)


def _subscriber_id() -> dy.Int64:
    return big("The subscriber whom the record serves.", minimum=1, personal="pseudonym")


def _imsi() -> dy.String:
    return text("IMSI of the served subscriber.", regex=IMSI, standard="TS 32.298 servedIMSI", personal="direct")


def _msisdn() -> dy.String:
    return text("Number of the served subscriber.", regex=PARTY, standard="TS 32.298 servedMSISDN", personal="direct")


def _imei() -> dy.String:
    return text("Equipment of the served subscriber.", regex=IMEI, standard="TS 32.298 servedIMEI", personal="direct")


def _cell_id() -> dy.String:
    return text("Cell of the served subscriber at the start (of the call, message or session); null abroad.", nullable=True, standard="TS 32.298 location / userLocationInformation", personal="location")


def _recording_entity() -> dy.String:
    return text("Network element that wrote the record.", standard="TS 32.298 recordingEntity / nodeID")


def _roaming() -> dy.Bool:
    return flag("The served subscriber is abroad.")


def _visited_plmn() -> dy.String:
    return text("Visited network; null at home.", nullable=True, regex=PLMN, standard="TS 32.298 servingNodePLMN", personal="location")


def _roaming_country() -> dy.String:
    return text("Country visited (ISO 3166 alpha-2); null at home.", nullable=True, regex=r"^[A-Z]{2}$", personal="location")


def _visited_cell() -> dy.String:
    return text("Cell abroad, as the visited network reports it; null at home.", nullable=True, personal="location")


class CdrsVoice(dy.Schema):
    """Voice calls: one record per side of a call that is ours."""

    event_id = _event_id()
    event_time = moment("Time of seizure of the channel.", standard="TS 32.298 seizureTime")
    record_type = code("MO or MT; the forwarded leg of a call is an MO record of who forwards.", [codes.RecordType.MO_CALL, codes.RecordType.MT_CALL], standard="TS 32.298 recordType 0, 1")
    status = code("How the call went for the served subscriber.", codes.CallStatus)
    subscriber_id = _subscriber_id()
    imsi = _imsi()
    msisdn = _msisdn()
    imei = _imei()
    calling_number = text("Calling party; for MT records the other party.", regex=PARTY, standard="TS 32.298 callingNumber", personal="direct")
    called_number = text("Called party.", regex=PARTY, standard="TS 32.298 calledNumber", personal="direct")
    connected_number = text("Who answered, where it is not the called party: the target of a forwarding.", nullable=True, regex=PARTY, standard="TS 32.298 connectedNumber", personal="direct")
    home_plmn = text("Network of the served subscriber's SIM.", regex=PLMN, standard="E.212")
    other_plmn = text("Mobile network that serves the other party; null for fixed lines, services and numbers that nobody holds.", nullable=True, regex=PLMN)
    other_imei = text("Equipment of the other party, from its own record; null where it left none.", nullable=True, regex=IMEI, personal="direct")
    call_reference = big("Shared by the MO and the MT record of one call.", standard="TS 32.298 networkCallReference", personal="traffic")
    icid = big("IMS charging identifier; null for circuit-switched calls.", nullable=True, standard="TS 32.260 IMS-Charging-Identifier", personal="traffic")
    chargeable = flag("This is the record that is rated: the MO record of an answered call, and the MT record abroad.")
    recording_entity = _recording_entity()
    cell_id = _cell_id()
    rat_type = code("Radio access at the start.", codes.Rat, standard="TS 29.274 rATType")
    antenna_type = code("Size class of the cell; null abroad.", codes.CellClass, nullable=True)
    latitude = real("Latitude of the antenna, WGS 84; null abroad.", nullable=True, minimum=49.4, maximum=51.6, unit="degree", personal="location")
    longitude = real("Longitude of the antenna, WGS 84; null abroad.", nullable=True, minimum=2.5, maximum=6.5, unit="degree", personal="location")
    altitude = small("Antenna above sea level; null abroad.", nullable=True, minimum=-5, maximum=800, unit="m")
    last_cell_id = text("Cell at the release; null abroad.", nullable=True, standard="TS 32.298 changeOfLocation", personal="location")
    handovers = small("Changes of the cell during the call: handovers that succeeded.")
    handovers_failed = small("Handovers that were tried and failed.")
    other_cell_id = text("Cell of the other party at its start, from its own record; null where it left none here.", nullable=True, personal="location")
    other_antenna_type = code("Size class of that cell.", codes.CellClass, nullable=True)
    other_latitude = real("Latitude of that antenna, WGS 84.", nullable=True, minimum=49.4, maximum=51.6, unit="degree", personal="location")
    other_longitude = real("Longitude of that antenna, WGS 84.", nullable=True, minimum=2.5, maximum=6.5, unit="degree", personal="location")
    other_altitude = small("That antenna above sea level.", nullable=True, minimum=-5, maximum=800, unit="m")
    home_latitude = real("Latitude of the cell of the caller's home; null where the caller is not ours.", nullable=True, minimum=49.4, maximum=51.6, unit="degree", personal="location")
    home_longitude = real("Longitude of the cell of the caller's home; null where the caller is not ours.", nullable=True, minimum=2.5, maximum=6.5, unit="degree", personal="location")
    blocked = flag("The attempt found no radio resources in the cell.")
    supplementary_service = code("Service that took part in the call; null if none.", codes.SupplementaryService, nullable=True, standard="TS 32.298 supplServicesUsed, TS 22.004")
    answer_time = moment("Time of answer; null if not answered.", nullable=True, standard="TS 32.298 answerTime")
    release_time = moment("Time of release.", standard="TS 32.298 releaseTime")
    call_duration = number("From answer to release, whole seconds; 0 if not answered.", unit="s", maximum=90000, standard="TS 32.298 callDuration", personal="traffic")
    cause_for_term = small("Cause for termination: 0, 3, or 4 where this side lost its radio link.", maximum=4, standard="TS 32.298 causeForTerm")
    diagnostics = small("Release cause; 41 for either side of a call that was cut off.", minimum=1, maximum=127, standard="ITU-T Q.850")
    roaming = _roaming()
    visited_plmn = _visited_plmn()
    roaming_country = _roaming_country()
    visited_cell = _visited_cell()


class CdrsSms(dy.Schema):
    """Short and multimedia messages: one record per side that is ours."""

    event_id = _event_id()
    event_time = moment("Time of the message at this side.", standard="TS 32.298 originationTime / deliveryTime")
    record_type = code("MO or MT, SMS or MMS.", [codes.RecordType.MO_SMS, codes.RecordType.MT_SMS, codes.RecordType.MO_MMS, codes.RecordType.MT_MMS], standard="TS 32.298 recordType 6, 7 / TS 32.270")
    subscriber_id = _subscriber_id()
    imsi = _imsi()
    msisdn = _msisdn()
    imei = _imei()
    calling_number = text("Originator.", regex=PARTY, standard="TS 32.298 callingNumber", personal="direct")
    called_number = text("Recipient.", regex=PARTY, standard="TS 32.298 destinationNumber", personal="direct")
    other_plmn = text("Mobile network that serves the other party; null for services.", nullable=True, regex=PLMN)
    message_reference = big("Shared by the MO and the MT record of one message, unique (the standard's own is one octet).", standard="TS 32.298 messageReference", personal="traffic")
    service_centre = text("SMSC or MMSC (element).", standard="TS 32.298 serviceCentre")
    recording_entity = _recording_entity()
    cell_id = _cell_id()
    rat_type = code("Radio access.", codes.Rat, standard="TS 29.274 rATType")
    segments = small("Concatenated segments (1 for MMS).", minimum=1, maximum=12, standard="TS 23.040")
    message_size = number("Size of the user data.", unit="byte", minimum=1, standard="TS 32.270 messageSize", personal="traffic")
    sms_result = small("0 delivered; else the cause: TP-FCS of TS 23.040 (decimal).", maximum=255, standard="TS 32.298 smsResult")
    chargeable = flag("This is the record that is rated: the MO record of an accepted message.")
    roaming = _roaming()
    visited_plmn = _visited_plmn()
    roaming_country = _roaming_country()
    visited_cell = _visited_cell()


class CdrsData(dy.Schema):
    """Packet data: one record per session, or several partial ones that share the charging id."""

    event_id = _event_id()
    event_time = moment("Opening time of the record.", standard="TS 32.298 recordOpeningTime")
    record_type = code("Record of the PGW (EPC) or of the CHF (5GC); of the serving node (SGW, AMF) for an attempt that failed.", [codes.RecordType.PGW, codes.RecordType.CHF, codes.RecordType.SGW], standard="TS 32.298 recordType 85, 200, 84")
    subscriber_id = _subscriber_id()
    imsi = _imsi()
    msisdn = _msisdn()
    imei = _imei()
    charging_id = big("Shared by the partial records of one session: gateway and its 32-bit charging id as one number.", standard="TS 32.298 chargingID", personal="traffic")
    record_sequence_number = small("Number of the partial record within the session, from 1.", minimum=1, standard="TS 32.298 recordSequenceNumber")
    recording_entity = _recording_entity()
    serving_node = text("SGW or AMF (element); null abroad.", nullable=True, standard="TS 32.298 servingNodeAddress")
    access_point_name = text("APN or DNN.", standard="TS 32.298 accessPointNameNI")
    served_pdp_address = text("Address of the device (carrier-grade NAT, 100.64.0.0/10).", regex=r"^100\.\d{1,3}\.\d{1,3}\.\d{1,3}$", standard="TS 32.298 servedPDPPDNAddress", personal="direct")
    service = text("Application, as traffic detection names it.", standard="TS 29.212 TDF-Application-Identifier", personal="traffic")
    duration = number("Duration of this record, whole seconds.", unit="s", standard="TS 32.298 duration", personal="traffic")
    data_volume_uplink = big("Bytes from the device; 0 for an attempt that failed.", unit="byte", standard="TS 32.298 dataVolumeGPRSUplink", personal="traffic")
    data_volume_downlink = big("Bytes to the device.", unit="byte", standard="TS 32.298 dataVolumeGPRSDownlink", personal="traffic")
    chargeable = flag("This record is rated: that of a session that was set up, unless mediation was told not to.")
    cause_for_rec_closing = small("Why the record was closed: 0 normal, 4 abnormal (the session was lost, or never set up), 17 time limit, 22 RAT change.", maximum=255, standard="TS 32.298 causeForRecClosing")
    diagnostics = small("Session management cause of an attempt that failed: 26 insufficient resources, 38 network failure; null for a session that was set up.", nullable=True, maximum=255, standard="TS 24.301 ESM cause / TS 24.501 5GSM cause")
    cell_id = _cell_id()
    last_cell_id = text("Cell at the end of the record; null abroad.", nullable=True, personal="location")
    handovers = small("Changes of the cell during the record, the one that closes it included.")
    handovers_failed = small("Handovers that were tried and failed; after most of them a second try succeeds, after some the session is lost.")
    throughput_downlink = number("Mean downlink rate while data flowed.", unit="kbit/s", standard="TS 28.552 DRB.UEThpDl")
    throughput_uplink = number("Mean uplink rate while data flowed.", unit="kbit/s", standard="TS 28.552 DRB.UEThpUl")
    latency = real("Round-trip time of packets; null for an attempt that failed.", nullable=True, unit="ms", minimum=0.0)
    packet_loss = real("Packets lost; null likewise.", nullable=True, unit="%", minimum=0.0, maximum=100.0)
    rat_type = code("Radio access.", codes.Rat, standard="TS 29.274 rATType")
    qci = small("QoS class of the bearer or flow.", minimum=1, maximum=85, standard="TS 23.203 QCI / TS 23.501 5QI")
    s_nssai = text("Slice; null outside the 5G core.", nullable=True, regex=r"^\d{1,3}-[0-9A-F]{6}$", standard="TS 23.501 S-NSSAI")
    roaming = _roaming()
    visited_plmn = _visited_plmn()
    roaming_country = _roaming_country()
    visited_cell = _visited_cell()


class CdrsVoip(dy.Schema):
    """Packet voice: the media leg of VoLTE, VoNR and VoWiFi calls, and enterprise SIP trunks."""

    event_id = _event_id()
    event_time = moment("Time of the SIP INVITE at the application server.", standard="TS 32.260 serviceRequestTimeStamp")
    record_type = code("Record of the telephony application server.", [codes.RecordType.MMTEL], standard="TS 32.298 recordType 83")
    subscriber_id = _subscriber_id()
    imsi = _imsi()
    msisdn = _msisdn()
    calling_party_address = text("Calling party.", regex=PARTY, standard="TS 32.260 callingPartyAddress", personal="direct")
    called_party_address = text("Called party.", regex=PARTY, standard="TS 32.260 calledPartyAddress", personal="direct")
    role = code("Side of the call.", ["originating", "terminating"], standard="TS 32.260 roleOfNode")
    icid = big("IMS charging identifier; the same in `cdrs_voice` and `cdrs_ims`.", standard="TS 32.260 IMS-Charging-Identifier", personal="traffic")
    chargeable = flag("True for SIP trunks only; the record of a VoLTE call that is rated lies in `cdrs_voice`.")
    access = code("Access.", codes.VoiceAccess)
    recording_entity = _recording_entity()
    cell_id = _cell_id()
    codec = code("Negotiated codec.", codes.Codec, standard="RFC 3551, TS 26.114")
    answer_time = moment("Time of answer; null if not answered.", nullable=True, standard="TS 32.260 serviceDeliveryStartTimeStamp")
    release_time = moment("Time of release.", standard="TS 32.260 serviceDeliveryEndTimeStamp")
    call_duration = number("From answer to release, whole seconds.", unit="s", maximum=90000, personal="traffic")
    sip_response = small("Final SIP response to the INVITE.", minimum=200, maximum=699, standard="RFC 3261")
    packet_loss = real("Packets lost; null if not answered.", nullable=True, minimum=0.0, maximum=100.0, unit="%")
    jitter = real("Interarrival jitter; null if not answered.", nullable=True, minimum=0.0, unit="ms", standard="RFC 3550")
    latency = real("One-way mouth-to-ear delay; null if not answered.", nullable=True, minimum=0.0, unit="ms", standard="ITU-T G.114")
    mos = real("Estimated mean opinion score; null if not answered.", nullable=True, minimum=1.0, maximum=4.5, standard="ITU-T G.107 E-model")


class CdrsIms(dy.Schema):
    """IMS signalling: registrations and sessions, as the call session control functions see them."""

    event_id = _event_id()
    event_time = moment("Time of the SIP request.", standard="TS 32.260 serviceRequestTimeStamp")
    record_type = code("Record of the S-CSCF or the P-CSCF.", [codes.RecordType.S_CSCF, codes.RecordType.P_CSCF], standard="TS 32.298 recordType 63, 64")
    subscriber_id = _subscriber_id()
    imsi = _imsi()
    sip_method = code("SIP method.", ["INVITE", "REGISTER"], standard="RFC 3261 / TS 32.260 sIPMethod")
    role_of_node = code("Role of the node.", ["originating", "terminating"], standard="TS 32.298 roleOfNode")
    session_id = big("Call-ID of the dialogue, as one number.", standard="TS 32.298 sessionId", personal="traffic")
    icid = big("IMS charging identifier; links the records of one call.", standard="TS 32.260 IMS-Charging-Identifier", personal="traffic")
    calling_party_address = text("Public identity of the caller or of the registering user.", regex=PARTY, standard="TS 32.298 list-Of-Calling-Party-Address", personal="direct")
    called_party_address = text("Called party; null for REGISTER.", nullable=True, regex=PARTY, standard="TS 32.298 called-Party-Address", personal="direct")
    recording_entity = _recording_entity()
    cell_id = _cell_id()
    access_network_information = text("P-Access-Network-Info header.", standard="RFC 7315", personal="location")
    delivery_start_time = moment("Time of the 200 OK to the INVITE; null if none.", nullable=True, standard="TS 32.260 serviceDeliveryStartTimeStamp")
    delivery_end_time = moment("Time of the BYE; null if there was no session.", nullable=True, standard="TS 32.260 serviceDeliveryEndTimeStamp")
    sip_response = small("Final SIP response.", minimum=200, maximum=699, standard="RFC 3261")
    codec = code("Codec in the SDP; null for REGISTER.", codes.Codec, nullable=True, standard="TS 32.298 sDP-Media-Description")


class LocationUpdates(dy.Schema):
    """What the network learns of a phone's place without a call or a session."""

    event_id = _event_id()
    event_time = moment("Time of the request.")
    subscriber_id = _subscriber_id()
    imsi = _imsi()
    imei = _imei()
    update_type = code("Kind of the update.", codes.UpdateType, standard="TS 24.301")
    cell_id = text("Cell of the request.", standard="TS 36.413 E-UTRAN CGI / 38.413 NR CGI", personal="location")
    rat_type = code("Radio access.", codes.Rat, standard="TS 29.274 rATType")
    tac = number("Tracking area of the cell.", standard="TS 23.003 TAC")
    previous_tac = number("Tracking area of the last update; null on attach. An area has a code in each generation, equal in the last three digits, and a phone is registered in all of them at once (TAI list).", nullable=True, personal="location")
    timing_advance = small("Timing advance: distance to the antenna in steps of 78 m (LTE; 550 m in GERAN, 39 m in NR at 30 kHz).", nullable=True, maximum=1282, standard="TS 36.213", personal="location")
    recording_entity = _recording_entity()
    cause = small("EMM or 5GMM cause; 0 accepted.", maximum=111, standard="TS 24.301 / 24.501")


class IdentityChanges(dy.Schema):
    """Changes of identity: what a subscription has from a moment on."""

    event_id = _event_id()
    event_time = moment("From when on the new identity holds.")
    subscriber_id = _subscriber_id()
    change_type = code("What happened.", codes.IdentityChange)
    imsi = text("IMSI after the change.", regex=IMSI, standard="E.212", personal="direct")
    msisdn = text("Number after the change.", regex=PARTY, standard="E.164", personal="direct")
    imei = text("Equipment after the change.", regex=IMEI, standard="TS 23.003", personal="direct")
    iccid = text("SIM card after the change.", regex=r"^89\d{16,18}$", standard="E.118", personal="direct")
    device_id = text("Device model after the change.")
    number_holder = text("Network to which the number's range belongs.", regex=PLMN)
    serving_plmn = text("Network that serves the number after the change: another than ours when it was ported out; null when the subscription ends without that.", nullable=True, regex=PLMN)
    previous_imsi = text("IMSI before; null where the subscription begins (again).", nullable=True, regex=IMSI, personal="direct")
    previous_msisdn = text("Number before; null likewise.", nullable=True, regex=PARTY, personal="direct")
    previous_imei = text("Equipment before; null likewise.", nullable=True, regex=IMEI, personal="direct")


class NetworkLogs(dy.Schema):
    """Syslog lines of network elements."""

    event_id = _event_id()
    event_time = moment("Timestamp of the line.", standard="RFC 5424 TIMESTAMP")
    element_id = text("Element that wrote it.")
    facility = small("Facility.", maximum=23, standard="RFC 5424")
    severity = small("Severity, 0 emergency to 7 debug.", maximum=7, standard="RFC 5424")
    hostname = text("Host name of the element.", standard="RFC 5424 HOSTNAME")
    app_name = text("Program.", standard="RFC 5424 APP-NAME")
    msg_id = text("Kind of message.", standard="RFC 5424 MSGID")
    structured_data = text("Structured data.", standard="RFC 5424 STRUCTURED-DATA")
    message = text("Message.", standard="RFC 5424 MSG")
    line = text("The whole line as sent.", standard="RFC 5424", regex=r"^<\d{1,3}>1 ")


class CustomerService(dy.Schema):
    """Contacts of customers with customer care."""

    event_id = _event_id()
    event_time = moment("Start of the contact.")
    subscriber_id = _subscriber_id()
    msisdn = _msisdn()
    case_id = big("The matter: the same for all contacts about it.")
    contact_number = small("Which contact on the matter, 1 the first.", minimum=1, maximum=99)
    channel = code("Channel.", codes.Channel)
    reason = code("Reason as the agent filed it.", codes.Reason, personal="profile")
    topic = code("What it was about.", codes.Topic, personal="profile")
    language = code("Language of the customer.", LANGUAGES)
    queue_seconds = number("Waiting time; on social media the time until somebody answers.", unit="s")
    handling_seconds = number("Handling time; 0 if abandoned.", unit="s")
    agent_id = text("Agent; null in the app and when abandoned.", nullable=True, regex=r"^A\d{4}$")
    sentiment = real("Sentiment of the contact, -1 to 1.", minimum=-1.0, maximum=1.0, personal="profile")
    resolution = code("Result.", codes.Resolution)
    credit = big("Credit granted; 0 if none.", unit="micro-euro")
    nps = small("Answer to the survey, 0 to 10; null if none.", nullable=True, maximum=10, personal="profile")
    cause_fault_id = big("Fault of the network that it is about (`network_faults`); null if none.", nullable=True)
    cause_cell_id = text("Cell in which the customer met what it is about; null if none.", nullable=True, personal="location")
    cause_time = moment("Hour in which he met it, or moment of the event; null if there is none.", nullable=True)
    call_reference = big("Call to the care number in `cdrs_voice`: queue and handling together are its duration; null for other channels.", nullable=True, standard="TS 32.298 callReference", personal="traffic")
    note = text("What the contact was about and what came of it, in the customer's language: as the agent noted it, or in the app and on social media the sum of what the customer wrote.", personal="profile")


_SUBSCRIBER = ForeignKey("subscriber_id", "subscribers", "subscriber_id", ("prospects",))
_CELL = ForeignKey("cell_id", "cells", "cell_id")
_ELEMENT = ForeignKey("recording_entity", "network_elements", "element_id")
_MADE_FROM = ("subscribers", "social_ties", "cells", "network_elements", "network_state", "subscriber_state")


def _cdrs(name: str, version: int, schema: type[dy.Schema], description: str, *more: ForeignKey) -> Dataset:
    return Dataset(
        name, version, schema, Layout.DAILY, "cdrs", description,
        (_SUBSCRIBER, _CELL, _ELEMENT, *more),
        sort=("event_time",), time="event_time", depends=_MADE_FROM,
    )


CDRS_VOICE = _cdrs("cdrs_voice", 3, CdrsVoice, "Voice calls, circuit-switched and over IMS: an MO and an MT record share the call reference. Mediation has brought both into one form: a circuit-switched leg was recorded by the MSC, one over IMS by the telephony server (its mMTelRecord lies in `cdrs_voip`); and it has added what the other side's record says of its equipment and antenna. The record that is rated is marked.", ForeignKey("last_cell_id", "cells", "cell_id"), ForeignKey("other_cell_id", "cells", "cell_id"))
CDRS_SMS = _cdrs("cdrs_sms", 3, CdrsSms, "SMS and MMS: an MO and an MT record share the message reference. Mediation has brought the records of MSC, SMSC and MMSC into one form.", ForeignKey("service_centre", "network_elements", "element_id"))
CDRS_DATA = _cdrs("cdrs_data", 4, CdrsData, "Packet data sessions by application; long sessions in partial records that share the charging id; attempts that failed as records of the serving node without volume.", ForeignKey("serving_node", "network_elements", "element_id"), ForeignKey("last_cell_id", "cells", "cell_id"))
CDRS_VOIP = _cdrs("cdrs_voip", 3, CdrsVoip, "Packet voice with codec, loss, jitter and MOS: the media of VoLTE, VoNR and VoWiFi calls, and SIP trunks.")
CDRS_IMS = _cdrs("cdrs_ims", 3, CdrsIms, "IMS signalling of registrations and sessions; the ICID links it to the call in `cdrs_voice` and `cdrs_voip`.")
LOCATION_UPDATES = Dataset("location_updates", 3, LocationUpdates, Layout.DAILY, "mobility", "Attaches, detaches, tracking-area and periodic updates: where the network last saw each phone.", (_SUBSCRIBER, _CELL, _ELEMENT), sort=("event_time",), time="event_time", depends=_MADE_FROM)
IDENTITY_CHANGES = Dataset("identity_changes", 2, IdentityChanges, Layout.DAILY, "subscribers", "Who comes, leaves or comes back, SIM swaps, new phones, changed and ported numbers: with the registry, who had which identity when. The first day is the epoch; as-of views need every day since.", (_SUBSCRIBER, ForeignKey("device_id", "devices", "device_id")), sort=("event_time",), time="event_time", depends=("subscribers", "devices", "subscriber_state"))
NETWORK_LOGS = Dataset("network_logs", 1, NetworkLogs, Layout.DAILY, "oss", "Syslog lines (RFC 5424) of every network element.", (ForeignKey("element_id", "network_elements", "element_id"),), sort=("event_time",), time="event_time", depends=("network_elements", "cells", "network_state"))
CUSTOMER_SERVICE = Dataset("customer_service", 2, CustomerService, Layout.DAILY, "care", "Contacts of customers with customer care: channel, reason, what caused them, waiting and handling, result, credit, note. A contact by phone is a call in `cdrs_voice` too.", (_SUBSCRIBER, ForeignKey("cause_cell_id", "cells", "cell_id")), sort=("event_time",), time="event_time", depends=("subscribers", "places", "devices", "plans", "subscriber_state", "network_state"))
