"""Generators: the records of one day and one part, from the world and the behaviour.

Belongs here: what a record of each dataset says. Does not belong here: where partitions lie and
who asks for them (`production`), Dagster.
"""

from telco_pipeline.contracts import oss, records, state
from telco_pipeline.contracts import truth as truth_contracts
from telco_pipeline.generators import (
    alarms,
    care,
    customers,
    faults,
    hours,
    identities,
    locations,
    logs,
    metrics,
    truth,
)
from telco_pipeline.generators.base import Generator, Inputs
from telco_pipeline.generators.cdrs import data, ims, sms, voice, voip

GENERATORS: dict[str, Generator] = {
    generator.dataset.name: generator
    for generator in (
        Generator(state.NETWORK_FAULTS, "network_elements", faults.make),
        Generator(state.NETWORK_STATE, "network_elements", hours.make),
        Generator(state.SUBSCRIBER_STATE, "subscribers", customers.rows),
        Generator(records.IDENTITY_CHANGES, "subscribers", identities.make),
        Generator(records.CDRS_VOICE, "subscribers", voice.make),
        Generator(records.CDRS_SMS, "subscribers", sms.make),
        Generator(records.CDRS_DATA, "subscribers", data.make),
        Generator(records.CDRS_VOIP, "subscribers", voip.make),
        Generator(records.CDRS_IMS, "subscribers", ims.make),
        Generator(records.LOCATION_UPDATES, "subscribers", locations.make),
        Generator(oss.ALARMS, "network_elements", alarms.make),
        Generator(oss.ELEMENT_METRICS, "network_elements", metrics.make),
        Generator(records.NETWORK_LOGS, "network_elements", logs.make),
        Generator(records.CUSTOMER_SERVICE, "subscribers", care.make),
        Generator(truth_contracts.TRUTH_INCIDENTS, "network_elements", truth.incidents),
        Generator(truth_contracts.TRUTH_ENTITIES, "network_elements", truth.entities),
    )
}
"""Generators of the daily datasets by name."""

__all__ = ["GENERATORS", "Generator", "Inputs"]
