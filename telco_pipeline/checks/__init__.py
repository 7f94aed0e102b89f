"""Asset checks: what must be true of a partition before anything is made from it.

Belongs here: which checks guard which dataset, and how a finding is shown in Dagster. Does not
belong here: how something is checked (`integrity`, which `telco check` uses too).
"""

from telco_pipeline.checks.causality import build_causality_checks
from telco_pipeline.checks.deliveries import build_delivery_checks
from telco_pipeline.checks.factory import build_checks, examine, guards_of
from telco_pipeline.checks.history import build_history_check
from telco_pipeline.checks.leakage import build_leakage_checks
from telco_pipeline.checks.realism import build_realism_checks
from telco_pipeline.checks.signatures import build_signature_checks
from telco_pipeline.checks.warehouse import build_load_checks

__all__ = [
    "build_causality_checks",
    "build_checks",
    "build_delivery_checks",
    "build_history_check",
    "build_leakage_checks",
    "build_load_checks",
    "build_realism_checks",
    "build_signature_checks",
    "examine",
    "guards_of",
]
