"""Policy that is the same for all assets, in one place: owners, tags, freshness, versions, pools.

Belongs here: what follows from a dataset's group or layout. Does not belong here: anything that
one dataset alone needs.
"""

import datetime as dt

import dagster as dg

from telco_pipeline.code_version import code_version
from telco_pipeline.contracts import Dataset
from telco_pipeline.settings import WorldConfig

POOL = "cores"
"""Every step that makes or checks a partition already uses all cores, so they share one pool of
which dagster.yaml gives out one slot: more at a time would only take turns."""

OWNERS = {
    "places": "team:world",
    "network": "team:network",
    "catalogue": "team:products",
    "subscribers": "team:customers",
    "cdrs": "team:mediation",
    "mobility": "team:network",
    "state": "team:simulation",
    "oss": "team:operations",
    "truth": "team:analytics",
    "care": "team:customers",
}

KINDS = {"polars", "parquet"}

# A day is over at midnight UTC and made at 01:30; by 03:00 somebody should be told if it is not.
FRESH = dg.FreshnessPolicy.cron(
    deadline_cron="0 3 * * *", lower_bound_delta=dt.timedelta(hours=3), timezone="UTC"
)


def owners_of(dataset: Dataset) -> list[str]:
    """Return who answers for a dataset."""
    return [OWNERS[dataset.group]]


def tags_of(dataset: Dataset) -> dict[str, str]:
    """Return the tags by which datasets are found in the catalogue."""
    return {
        "domain": dataset.group,
        "layout": dataset.layout.value,
        "personal-data": "yes" if holds_personal_data(dataset) else "no",
    }


def holds_personal_data(dataset: Dataset) -> bool:
    """Whether a column of the dataset is personal data."""
    columns = dataset.schema.columns().values()
    return any((column.metadata or {}).get("personal") for column in columns)


def code_version_of(dataset: Dataset, config: WorldConfig) -> str:
    """Return the version of all that decides a dataset's rows.

    The world is part of it: a changed world.yaml makes what the old one made stale.
    """
    return f"{code_version(daily=dataset.daily)}-contract{dataset.version}-world{config.world_hash}"
