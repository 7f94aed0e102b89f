"""Contracts of the daily state: faults of the network, cells by hour, subscribers by day.

Belongs here: what decides records before they exist. Does not belong here: records (`records`),
what operations see of the network (`oss`).

State is the simulation's own book: a fault's end and a customer's satisfaction stand in it before
anybody could have observed them. Train no model on it; records, alarms and counters tell what can
be known.
"""

import dataframely as dy

from telco_pipeline.contracts import codes
from telco_pipeline.contracts.base import (
    Dataset,
    ForeignKey,
    Layout,
    big,
    code,
    date,
    moment,
    number,
    real,
    small,
    text,
)
from telco_pipeline.contracts.records import IDENTITY_CHANGES

# A table of one row a line reads better wide.
# fmt: off


class NetworkFaults(dy.Schema):
    """Faults and planned works that begin on the day."""

    fault_id = big("Key of the fault.", key=True)
    event_time = moment("When it begins.")
    impact_time = moment("When the first cell or element suffers: later than the beginning where a battery bridges a power cut.")
    end_time = moment("When it is repaired, or the work is done.")
    fault_kind = code("What kind of fault.", codes.FaultKind)
    element_id = text("Element at its root.")
    cell_id = text("The one cell that suffers; null where all that hang on the element do.", nullable=True)
    cells = number("Cells that suffer.")
    capacity_left = real("Part of their capacity that is left; 0: out of service.", minimum=0.0, maximum=1.0)
    failure_rate = real("Additional probability that a procedure over what suffers fails.", minimum=0.0, maximum=1.0)
    probable_cause = small("Probable cause.", standard="X.733 probableCause, RFC 3877")


class NetworkState(dy.Schema):
    """Every cell in every hour (UTC)."""

    cell_id = text("Cell.", key=True)
    event_time = dy.Datetime(description="Start of the hour.", primary_key=True, time_zone="UTC", time_unit="us", metadata={"unit": "UTC"})
    status = code("Worst status within the hour.", codes.CellStatus)
    unavailable_from = small("Minute of the hour from which the cell is out of service; null if it is not.", nullable=True, maximum=59)
    unavailable_until = small("Minute of the hour in which it is back, 60 if not within it; null as before.", nullable=True, minimum=1, maximum=60)
    fault_id = big("The fault that hits it hardest; null if none.", nullable=True)
    active_users = real("Expected number of users with a call or a transfer.", minimum=0.0)
    demand = number("Expected traffic that is offered, that of neighbours out of service or full included.", unit="kbit/s")
    capacity = number("What the cell carries in this hour.", unit="kbit/s")
    load = real("Offered traffic over capacity; above 1 the cell is full.", minimum=0.0)
    prb_use = real("Physical resource blocks in use.", unit="%", minimum=0.0, maximum=100.0, standard="TS 28.552 RRU.PrbUsedDl / RRU.PrbTotDl")
    throughput_factor = real("Part of the rate of an empty cell that a user gets.", minimum=0.0, maximum=1.0)
    latency_added = real("Round-trip time that queueing adds.", unit="ms", minimum=0.0)
    loss_added = real("Packet loss that queueing and bad radio add.", unit="%", minimum=0.0, maximum=100.0)
    block_probability = real("Probability that an attempt is not admitted.", minimum=0.0, maximum=1.0)
    drop_probability = real("Probability that a call or bearer of usual length is lost.", minimum=0.0, maximum=1.0)
    handover_failure = real("Probability that a handover out of the cell fails.", minimum=0.0, maximum=1.0)
    voice_failure = real("Probability that the core fails a call.", minimum=0.0, maximum=1.0)
    data_failure = real("Probability that the core fails the set-up of a data session.", minimum=0.0, maximum=1.0)
    signalling_failure = real("Probability that attach, update or authentication fail in the core.", minimum=0.0, maximum=1.0)


class SubscriberState(dy.Schema):
    """Every subscriber on the day: how things stand at its start, and what is decided for it."""

    subscriber_id = big("Subscriber.", key=True, minimum=1, personal="pseudonym")
    status = code("Status of the subscription at the start of the day.", codes.LifeStatus, personal="profile")
    tenure_days = number("Days since the contract began, at the start of the day.", unit="day", minimum=0)
    plan_id = text("Plan at the start of the day.")
    satisfaction = real("Satisfaction at the end of the day, 0 to 1.", minimum=0.0, maximum=1.0, personal="profile")
    exposure = real("Bad service met on the day: 1 stands for an hour without service where the customer would have used it.", minimum=0.0)
    exposure_level = real("The same over the last weeks, recent days counting more.", minimum=0.0)
    price_shock = real("How much more the customer expects to pay than he is used to, as a part; fades.", minimum=0.0, personal="profile")
    open_cases = small("Contacts with care that are not settled, at the end of the day.", maximum=99)
    days_to_contract_end = number("Days until the minimum term ends, at the start of the day; null without one.", nullable=True, minimum=0, unit="day")
    churn_hazard = real("Probability that the customer leaves on this day.", minimum=0.0, maximum=1.0, personal="profile")
    expected_spend = big("Spend expected for the month.", unit="micro-euro", personal="profile")
    lifetime_value = big("Expected margin over the expected remaining life.", unit="micro-euro", minimum=None, personal="profile")
    change = code("What changes in the life of the subscription on this day; null if nothing does.", codes.LifeChange, nullable=True)
    change_time = moment("When; null likewise.", nullable=True)
    new_plan_id = text("Plan from the change on; null where the plan does not change.", nullable=True)
    contact_time = moment("When the customer turns to care on this day; null if not.", nullable=True)
    contact_reason = code("With what.", codes.Reason, nullable=True, personal="profile")
    contact_topic = code("What has really happened to him.", codes.Topic, nullable=True, personal="profile")
    contact_number = small("Which contact on the same matter: 1 the first.", nullable=True, minimum=1, maximum=99)
    case_id = big("The matter; equal for its contacts.", nullable=True)
    cause_fault_id = big("Fault of the network that the contact is about; null if no fault did it.", nullable=True)
    cause_cell_id = text("Cell in which it was met.", nullable=True, personal="location")
    cause_time = moment("Hour in which it was met, or moment of the event that the contact is about; null if it has none.", nullable=True)
    days_in_status = number("Days since the status last changed (or since the epoch), at the start of the day.", unit="day", minimum=0)
    contract_end = date("Last day of the minimum term that runs or of the last one, at the end of the day; null if there was none.", nullable=True)
    usual_spend = big("What the customer is used to pay a month, at the end of the day.", unit="micro-euro", personal="profile")
    pending_time = moment("When the customer will turn to care on a later day; null if nothing is pending.", nullable=True)
    pending_topic = code("What that will be about.", codes.Topic, nullable=True, personal="profile")
    pending_number = small("Which contact on that matter it will be.", nullable=True, minimum=1, maximum=99)
    pending_case_id = big("That matter.", nullable=True)
    pending_fault_id = big("Fault of the network behind it.", nullable=True)
    pending_cell_id = text("Cell in which it was met.", nullable=True, personal="location")
    pending_cause_time = moment("Hour or moment of its cause.", nullable=True)
    episode = big("Stage of a scenario that the customer's state triggered last, at the end of the day; null if none did.", nullable=True)
    episode_start = moment("When that began; null likewise.", nullable=True)


_CELL = ForeignKey("cell_id", "cells", "cell_id")

NETWORK_FAULTS = Dataset("network_faults", 1, NetworkFaults, Layout.DAILY, "state", "Faults and planned works of the network that begin on the day: hardware, software, power, backhaul, core.", (_CELL, ForeignKey("element_id", "network_elements", "element_id")), sort=("event_time",), time="event_time", depends=("cells", "network_elements", "network_links"))
NETWORK_STATE = Dataset("network_state", 1, NetworkState, Layout.DAILY, "state", "Load, capacity and quality of every cell by hour, with the minutes without service. Records follow it.", (_CELL,), sort=("event_time", "cell_id"), time="event_time", depends=("subscribers", "cells", "network_links"), whole=True)
SUBSCRIBER_STATE = Dataset("subscriber_state", 2, SubscriberState, Layout.DAILY, "state", "Satisfaction, churn hazard, spend and life cycle of every subscriber, and what is decided for the day: contacts with care, changes of plan, leaving. Each day follows from the day before.", (ForeignKey("subscriber_id", "subscribers", "subscriber_id", ("prospects",)), ForeignKey("plan_id", "plans", "plan_id"), ForeignKey("new_plan_id", "plans", "plan_id"), ForeignKey("cause_cell_id", "cells", "cell_id"), ForeignKey("pending_cell_id", "cells", "cell_id")), depends=("subscribers", "plans", "network_state"), follows=True)

REACH_ON = (NETWORK_STATE.name, SUBSCRIBER_STATE.name)
"""State that records need of the day before too: what began then may reach over midnight."""

LONGEST_FAULT_DAYS = 3
"""Days that a fault or a planned work lasts at most, but for those that scenario layers bring."""

HISTORY = (NETWORK_STATE.name, SUBSCRIBER_STATE.name, IDENTITY_CHANGES.name)
"""Datasets of which every day since the epoch must be there, in the order of making.

Each day of `subscriber_state` follows from the day before and the network's, and who has which
identity on a day from the changes of all days.
"""
