"""Asset checks across datasets and days: care calls are calls, and causes precede effects.

Belongs here: what these checks promise and show in Dagster. Does not belong here: how they compare
(`causality`); what one partition of `customer_service` must keep (`factory`).

They hang on `customer_service` and wait for the calls and the state too. A comparison that lies
surely the wrong way round is an error; one whose interval holds 1 although there are enough cases
is a warning: chance alone does that to one true effect in a few.
"""

from collections.abc import Iterator

import dagster as dg

from telco_pipeline import causality, integrity, whole_lake
from telco_pipeline.causality import Rates
from telco_pipeline.checks.factory import PROMISES, Guard, days_of, examine, result
from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import Operation

_DATASET = DATASETS[causality.CARE]
_CALLS = Guard(integrity.CHECK_CARE_CALLS, integrity.CHECK_CARE_CALLS, causality.CARE)
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def build_causality_checks(pool: str | None) -> dg.AssetChecksDefinition:
    """Build the checks of causes and effects, as one step."""

    @dg.multi_asset_check(
        name="causality_checks",
        specs=[
            _spec(_CALLS.name, PROMISES[_CALLS.check], causality.CALLS),
            *(_spec(name, promise, causality.STATE) for name, promise in causality.CHAINS.items()),
        ],
        can_subset=True,
        pool=pool,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, operator: dg.ResourceParam[Operation]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        if _CALLS.name in selected:
            days = days_of(context, operator, _DATASET)
            yield result(_DATASET, _CALLS, examine(operator, _CALLS, days))
        if selected & causality.CHAINS.keys():
            try:
                rates = causality.chain_rates(operator.lake)
            except TelcoError as error:
                raise dg.Failure(description=str(error), allow_retries=False) from error
            for one in rates:
                if one.name in selected:
                    if operator.on_finding:
                        operator.on_finding(whole_lake.chain_finding(operator.lake, one))
                    yield compared(one)

    return checks


def _spec(name: str, promise: str, also: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name, asset=causality.CARE, description=promise, additional_deps=[also], blocking=True
    )


def compared(rates: Rates) -> dg.AssetCheckResult:
    """Return what Dagster shows of a comparison."""
    (low, high), whole = rates.interval, rates.all
    metadata: dict[str, dg.MetadataValue] = {
        "found": dg.MetadataValue.text(rates.words),
        "events": dg.MetadataValue.int(whole.events),
        "person_days": dg.MetadataValue.int(whole.days),
        "other_events": dg.MetadataValue.int(whole.other_events),
        "other_person_days": dg.MetadataValue.int(whole.other_days),
    }
    if rates.enough:
        # As numbers too: Dagster draws them over the runs.
        metadata["ratio"] = dg.MetadataValue.float(rates.ratio)
        metadata["ratio_low"] = dg.MetadataValue.float(low)
        metadata["ratio_high"] = dg.MetadataValue.float(high)
    return dg.AssetCheckResult(
        passed=rates.passed,
        check_name=rates.name,
        asset_key=causality.CARE,
        severity=ERROR if rates.reversed else WARN,
        description=None if rates.passed else rates.words,
        metadata=metadata,
    )
