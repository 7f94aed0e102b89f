"""Asset checks of the realism report: one for each row that counts, and it warns only.

Belongs here: what a row says in Dagster. Does not belong here: measuring (`analytics.realism`);
these checks read the report that lies in the lake, so they are done at once.
"""

from collections.abc import Iterator

import dagster as dg

from telco_pipeline import reporting
from telco_pipeline.analytics.realism import ROWS, Row, Verdict
from telco_pipeline.errors import TelcoError
from telco_pipeline.reporting import Judged
from telco_pipeline.resources import Operation

WARN = dg.AssetCheckSeverity.WARN


def checked_rows() -> list[Row]:
    """Return the rows that have a check: those that count, in some worlds at least."""
    return [row for row in ROWS if row.may_count]


def build_realism_checks(pool: str | None) -> dg.AssetChecksDefinition:
    """Build the checks of the realism report, as one step."""

    @dg.multi_asset_check(
        name=f"{reporting.ASSET}_checks",
        specs=[_spec(row) for row in checked_rows()],
        can_subset=True,
        pool=pool,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, operator: dg.ResourceParam[Operation]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        try:
            found = reporting.read(operator.lake)
        except TelcoError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        for one in found:
            if one.row.may_count and one.row.check_name in selected:
                yield result(one)

    return checks


def _spec(row: Row) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        row.check_name, asset=reporting.ASSET, description=promise(row), blocking=False
    )


def promise(row: Row) -> str:
    """Return what a check promises: the fact, the band, why it is so wide, and the source."""
    width = f" {row.tolerance}" if row.tolerance else ""
    return (
        f"{row.title}: real data have {_ended(row.target)} Band: {_ended(row.band_text())}{width} "
        f"Source: {_ended(row.source)}"
    )


def result(one: Judged) -> dg.AssetCheckResult:
    """Return what Dagster shows of a row: a warning if it is out of band or has no data.

    A row on what no scenario layer of the world does has nothing to promise there, and says so.
    """
    row = one.row
    passed = row.verdict in (Verdict.IN_BAND, Verdict.NOT_COUNTED)
    metadata: dict[str, dg.MetadataValue] = {
        "measured": dg.MetadataValue.text(row.value_text()),
        "band": dg.MetadataValue.text(row.band_text()),
        "source": dg.MetadataValue.text(row.source),
        "note": dg.MetadataValue.text(row.note),
    }
    if row.value is not None:
        # As a number too: Dagster draws it over the runs.
        metadata["value"] = dg.MetadataValue.float(row.value)
    if one.why:
        metadata["why"] = dg.MetadataValue.text(one.why)
    return dg.AssetCheckResult(
        passed=passed,
        check_name=row.check_name,
        asset_key=reporting.ASSET,
        severity=WARN,
        description=_told(row),
        metadata=metadata,
    )


def _told(row: Row) -> str | None:
    if row.verdict is Verdict.IN_BAND:
        return None
    if row.verdict is Verdict.NOT_COUNTED:
        return f"not counted: {row.excuse}; {row.note}"
    if row.value is None:
        return f"the records do not suffice to measure it: {row.note or 'no data'}"
    return f"{row.value_text()} is out of the band {row.band_text()}"


def _ended(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
