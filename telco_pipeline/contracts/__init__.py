"""The contracts: one typed, versioned schema per dataset, and the registry of them all.

Belongs here: what a dataset promises. Does not belong here: how it is made (`world`,
`generators`), where it lies (`lake`), how Dagster shows it (`assets`).
"""

from telco_pipeline.contracts import collection, oss, records, state, truth, world
from telco_pipeline.contracts.base import Dataset, ForeignKey, Layout

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        world.PLACES,
        world.SITES,
        world.NETWORK_ELEMENTS,
        world.NETWORK_LINKS,
        world.CELLS,
        world.DEVICES,
        world.PLANS,
        world.SUBSCRIBERS,
        world.PROSPECTS,
        world.SOCIAL_TIES,
        state.NETWORK_FAULTS,
        state.NETWORK_STATE,
        state.SUBSCRIBER_STATE,
        records.IDENTITY_CHANGES,
        records.CDRS_VOICE,
        records.CDRS_SMS,
        records.CDRS_DATA,
        records.CDRS_VOIP,
        records.CDRS_IMS,
        records.LOCATION_UPDATES,
        oss.ALARMS,
        oss.ELEMENT_METRICS,
        records.NETWORK_LOGS,
        records.CUSTOMER_SERVICE,
        oss.PM_COUNTERS,
        collection.COLLECTED_FILES,
        truth.TRUTH_INCIDENTS,
        truth.TRUTH_ENTITIES,
        truth.TRUTH_RECORDS,
    )
}
"""Every dataset by name, in the order in which they are made."""

STATIC_DATASETS = {name: dataset for name, dataset in DATASETS.items() if not dataset.daily}
DAILY_DATASETS = {name: dataset for name, dataset in DATASETS.items() if dataset.daily}

__all__ = ["DAILY_DATASETS", "DATASETS", "STATIC_DATASETS", "Dataset", "ForeignKey", "Layout"]
