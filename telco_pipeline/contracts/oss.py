"""Contracts of what operations see of the network: alarms, metrics of elements, counters of cells.

Belongs here: observable daily datasets of operations beside the log lines. Does not belong here:
the state behind them (`state`).
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

# A table of one row a line reads better wide.
# fmt: off


def _period(description: str) -> dy.Datetime:
    return dy.Datetime(description=description, primary_key=True, time_zone="UTC", time_unit="us", metadata={"unit": "UTC"})


class Alarms(dy.Schema):
    """Notifications of alarms: one row each time an alarm is raised, changed, acknowledged or cleared."""

    event_id = big("Unique id of the notification.", key=True, standard="X.733 notificationId")
    event_time = moment("When it was sent.", standard="X.733 eventTime")
    notification_type = code("What the notification tells.", codes.NotificationType, standard="TS 32.111-2")
    alarm_id = big("The alarm: the same in all of its notifications.", standard="TS 32.111-2 alarmId")
    element_id = text("Element that is at fault, or manages what is.")
    cell_id = text("Cell that the alarm is about; null where it is about the element.", nullable=True)
    managed_object_class = text("Class of the managed object.", standard="X.733, TS 32.300")
    managed_object_instance = text("Distinguished name of the managed object.", standard="TS 32.300")
    event_type = code("Type of the alarm.", codes.AlarmType, standard="X.733 eventType")
    probable_cause = small("Probable cause.", standard="X.733 probableCause, RFC 3877")
    specific_problem = text("Specific problem.", standard="X.733 specificProblem")
    perceived_severity = code("Severity.", codes.AlarmSeverity, standard="X.733 perceivedSeverity")
    raised_time = moment("When the alarm was raised.", standard="TS 32.111-2 alarmRaisedTime")
    cleared_time = moment("When it was cleared; null before.", nullable=True, standard="TS 32.111-2 alarmClearedTime")
    threshold_info = text("Measure, value and thresholds: of cells the value that the hour's load lets expect, of cabinets that observed; null for alarms without one.", nullable=True, standard="X.733 thresholdInfo")
    correlated_alarm_id = big("The alarm behind this one, as correlation found it; null if none.", nullable=True, standard="X.733 correlatedNotifications")
    root_cause = flag("This alarm is the root of those correlated with it.", standard="TS 32.111-2 rootCauseIndicator")
    ack_state = code("Whether an operator has taken notice.", ["unacknowledged", "acknowledged"], standard="TS 32.111-2 ackState")
    ack_user = text("Who; null before.", nullable=True, standard="TS 32.111-2 ackUserId")
    repeat_count = number("Equal reports since it was raised.", minimum=1, standard="RFC 8632")
    additional_text = text("What the element adds.", standard="X.733 additionalText")


class ElementMetrics(dy.Schema):
    """Metrics of every element, by five minutes; none of a period in which it was off or could not be reached."""

    element_id = text("Element.", key=True)
    event_time = _period("Start of the five minutes.")
    cpu_use = real("Processor in use.", unit="%", minimum=0.0, maximum=100.0, standard="TS 28.552 mean processor usage")
    memory_use = real("Memory in use.", unit="%", minimum=0.0, maximum=100.0)
    throughput = big("Traffic through the element; like that of the cells, the sample's.", unit="kbit/s")
    active_sessions = number("Users with a call or a transfer for whom it holds something; of registers, those whose data are asked for.")
    packet_loss = real("Packets lost on its links.", unit="%", minimum=0.0, maximum=100.0)
    latency = real("Round-trip time to the next element.", unit="ms", minimum=0.0)
    jitter = real("Its variation.", unit="ms", minimum=0.0)
    capacity_used = real("Part of the bandwidth of its links in use.", unit="%", minimum=0.0, maximum=100.0)
    bandwidth_left = big("Bandwidth of its links towards the core that is left: the sample's share of it.", unit="kbit/s")


class PmCounters(dy.Schema):
    """Performance counters of every cell, by quarter of an hour."""

    cell_id = text("Cell.", key=True)
    event_time = _period("Start of the quarter of an hour.")
    rrc_conn_estab_att = number("Attempts to connect: legs of calls, messages, data sessions and updates of the location; none over Wi-Fi.", standard="TS 32.425 RRC.ConnEstabAtt")
    rrc_conn_estab_succ = number("Those that succeeded.", standard="TS 32.425 RRC.ConnEstabSucc")
    erab_estab_att = number("Attempts to set up a bearer: for a leg of a call over LTE or NR, or a data session.", standard="TS 32.425 ERAB.EstabInitAttNbr")
    erab_estab_succ = number("Those that succeeded.", standard="TS 32.425 ERAB.EstabInitSuccNbr")
    erab_rel = number("Bearers released, in the cell in which they were last.", standard="TS 32.425 ERAB.RelNbr")
    erab_rel_abnormal = number("Those of them that were lost.", standard="TS 32.425 ERAB.RelActNbr")
    erab_session_time = number("Time for which bearers were up within the quarter, all together.", unit="s", standard="TS 32.425 ERAB.SessionTime")
    voice_att = number("Legs of calls that were tried, over any radio access.")
    voice_blocked = number("Legs that found no radio resources.")
    voice_drop = number("Legs whose call was lost, in the cell in which they were last.")
    ho_exe_att = number("Handovers that were tried by calls and sessions that began in the cell and the quarter.", standard="TS 32.425 HO.ExeAtt")
    ho_exe_succ = number("Those that succeeded.", standard="TS 32.425 HO.ExeSucc")
    pdcp_volume_ul = big("Bytes from devices.", unit="byte", standard="TS 28.552 DRB.PdcpSduVolumeUl")
    pdcp_volume_dl = big("Bytes to devices.", unit="byte", standard="TS 28.552 DRB.PdcpSduVolumeDl")
    prb_used_dl = number("Physical resource blocks in use: the hour's mean while in service, times the part of the quarter in service.", standard="TS 28.552 RRU.PrbUsedDl")
    prb_tot_dl = number("Physical resource blocks there are.", standard="TS 28.552 RRU.PrbTotDl")
    cell_unavailable_time = number("Time out of service.", unit="s", maximum=900, standard="TS 28.552 RRU.CellUnavailableTime")


_CELL = ForeignKey("cell_id", "cells", "cell_id")
_ELEMENT = ForeignKey("element_id", "network_elements", "element_id")

ALARMS = Dataset("alarms", 1, Alarms, Layout.DAILY, "oss", "Alarms of the network (X.733) as notifications: raised, changed, acknowledged, cleared.", (_ELEMENT, _CELL), sort=("event_time",), time="event_time", depends=("network_elements", "network_faults", "network_state"))
ELEMENT_METRICS = Dataset("element_metrics", 1, ElementMetrics, Layout.DAILY, "oss", "Processor, memory, traffic, sessions and quality of every element by five minutes.", (_ELEMENT,), sort=("event_time", "element_id"), time="event_time", depends=("network_elements", "network_faults", "network_state"))
PM_COUNTERS = Dataset("pm_counters", 1, PmCounters, Layout.DAILY, "oss", "Performance counters of every cell by quarter of an hour; their sums are those of the records.", (_CELL,), sort=("event_time", "cell_id"), time="event_time", depends=("cells", "network_state", "cdrs_voice", "cdrs_sms", "cdrs_data", "location_updates"), whole=True)
