"""The asset check of the registry's history: one state of each subscriber at any time, none lost.

Belongs here: counting, and what the outcome says in Dagster. Does not belong here: writing
(`warehouse.history`), whether a state is right (as-of views prove that, in the tests).
"""

from collections.abc import Mapping
from typing import Final

import dagster as dg

from telco_pipeline.assets.history import HISTORY
from telco_pipeline.assets.warehouse import POOL, key_of
from telco_pipeline.errors import TelcoError
from telco_pipeline.warehouse.database import Database

CHECK: Final = "rows"
RECOVER: Final = "telco warehouse history --again"


def build_history_check(pool: str | None = POOL) -> dg.AssetChecksDefinition:
    """Build the check of both tables."""

    @dg.asset_check(
        asset=key_of(HISTORY),
        name=CHECK,
        description="The history and its feed hold as many rows as were written, each subscriber "
        "has one current state, every other one ends where a later one begins, and every line of "
        "the feed began one.",
        pool=pool,
    )
    def rows(database: dg.ResourceParam[Database]) -> dg.AssetCheckResult:
        from telco_pipeline.warehouse import history

        try:
            return result(history.audit(database))
        except TelcoError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error

    return rows


def result(problems: Mapping[str, int]) -> dg.AssetCheckResult:
    """Return what Dagster shows of what is wrong: how often what."""
    wrong = {what: count for what, count in problems.items() if count}
    metadata: dict[str, dg.MetadataValue] = {
        what: dg.MetadataValue.int(count) for what, count in problems.items()
    }
    if wrong:
        metadata["recover"] = dg.MetadataValue.text(RECOVER)
    lines = [f"{count:,} {what.replace('_', ' ')}" for what, count in wrong.items()]
    return dg.AssetCheckResult(
        passed=not wrong,
        check_name=CHECK,
        asset_key=key_of(HISTORY),
        description="; ".join(lines) or None,
        metadata=metadata,
    )
