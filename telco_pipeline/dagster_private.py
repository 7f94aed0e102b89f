"""What the shell takes from Dagster's private modules, because its public API does not offer it.

Belongs here: every name and path below `dagster._`; a test guards each, so that an upgrade which
moves or changes one is found out there. Does not belong here: anything that `dagster` itself
exports, or any logic.
"""

from typing import Any, Final

from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    WILL_RETRY_TAG,
)

__all__ = [
    "ASSET_PARTITION_RANGE_END_TAG",
    "ASSET_PARTITION_RANGE_START_TAG",
    "IMPLICIT_ASSET_JOB_NAME",
    "NO_CAPTURE",
    "WILL_RETRY_TAG",
    "InstanceRef",
    "UnresolvedAssetJobDefinition",
]

NO_CAPTURE: Final[dict[str, Any]] = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
        "config": {},
    }
}
"""Settings of an instance that leaves stdout and stderr of steps where they are."""
