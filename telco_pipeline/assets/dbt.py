"""dbt's views as assets, and its tests as asset checks of them.

Belongs here: what Dagster is told of dbt_checks/, and the step that runs it. Does not belong here:
running dbt (`dbt_project`), its models and tests (dbt_checks/).

dagster-dbt reads the manifest; dbt itself is run by `dbt_project`, because dagster-dbt's own way
asks a package index for newer versions of dbt before each run.
"""

import logging
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from pydantic import Field

from telco_pipeline import dbt_project
from telco_pipeline.assets import policy
from telco_pipeline.assets.faults import judged
from telco_pipeline.contracts import DATASETS
from telco_pipeline.contracts.dbt import model_of
from telco_pipeline.dbt_project import Outcome
from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import Operation
from telco_pipeline.settings import parse_day

if TYPE_CHECKING:
    from dagster_dbt import DagsterDbtTranslator

GROUP: Final = "dbt"
OWNER: Final = "team:analytics"
STEP: Final = "dbt_build"
PREFIX: Final = "dbt"
THIN: Final = ("staging,resource_type:model", "bookkeeping,resource_type:model")
"""What dbt selects the views by that all others read."""
FAILED_SHOWN: Final = 10

_UNIQUE_ID: Final = "dagster_dbt/unique_id"
_DATASET_OF: Final = {model_of(name): dataset for name, dataset in DATASETS.items()}
_ROUTINE: Final = re.compile(r"\d+ of \d+ (START|PASS|OK|SKIP) ")
_LOG: Final = logging.getLogger(__name__)


class DbtConfig(dg.Config):
    """Over what and which days dbt builds and tests: by default the lake, every day."""

    target: str = Field(
        default="lake", description="`lake`, or `warehouse` (PostgreSQL of TELCO_DATABASE_URL)."
    )
    start: str | None = Field(default=None, description="First day, such as 2026-01-05.")
    days: int | None = Field(
        default=None, ge=1, description="Number of days; without `start` the newest ones."
    )


def key_of(model: str) -> dg.AssetKey:
    """Return the asset key of a dbt model."""
    return dg.AssetKey([PREFIX, model])


def build_dbt(pool: str | None = policy.POOL) -> list[dg.AssetsDefinition]:
    """Build the assets of dbt's models; none, with a line in the log, where dbt cannot be had.

    The operator runs without dbt, so neither a missing extra nor a mistake in a model keeps the
    other assets from loading.
    """
    try:
        manifest = dbt_project.manifest()
    except TelcoError as error:
        _LOG.warning("dbt_checks/ is left out: %s", error)
        return []
    return [_assets(manifest, pool)]


def _assets(manifest: Path, pool: str | None) -> dg.AssetsDefinition:
    from dagster_dbt import dbt_assets

    @dbt_assets(manifest=manifest, dagster_dbt_translator=_translator(), name=STEP, pool=pool)
    def dbt_build(
        context: dg.AssetExecutionContext,
        config: DbtConfig,
        operator: dg.ResourceParam[Operation],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        with judged(context, STEP, retries=False):
            if not operator.main:
                raise TelcoError(
                    f"world {operator.lake.world!r} is not the main one, of which Dagster keeps "
                    "its book: run plain dbt with TELCO_LAKE on its folder"
                )
            environ = dbt_project.environment(config.target, lake=operator.lake.root)
            found = _run(context, config, environ)
        yield from _told(context, found)
        if failed := [one for one in found if one.bad]:
            raise dg.Failure(_failure(failed), allow_retries=False)

    return dbt_build


def _run(
    context: dg.AssetExecutionContext, config: DbtConfig, environ: Mapping[str, str]
) -> list[Outcome]:
    """Run dbt for what the step is to make and check, and return what became of it."""
    days = {
        "start": None if config.start is None else str(parse_day(config.start)),
        "days": config.days,
    }
    given = ", ".join(f"{name}: {value}" for name, value in days.items() if value is not None)
    arguments = ["build", *(["--vars", f"{{{given}}}"] if given else []), *_selection(context)]
    output = Path(tempfile.mkdtemp(prefix="telco_dbt_"))

    def note(line: str) -> None:
        # Each line is a row in Dagster's storage, and what passes is told as a check anyway.
        if line[8:].strip() and not _ROUTINE.search(line):
            context.log.info(line[8:].strip())

    try:
        return dbt_project.run(arguments, environ, output, note)
    finally:
        shutil.rmtree(output, ignore_errors=True)


def _selection(context: dg.AssetExecutionContext) -> list[str]:
    """Return dbt's arguments for the assets and checks of the step; none if they are all.

    The thin views are made in any case, which takes a second or two: a check may read others than
    its own, and nobody knows whether they are there and over the same days.
    """
    if not context.is_subset:
        return []
    tests = context.selected_asset_check_keys
    models = set(context.selected_asset_keys) | {key.asset_key for key in tests}
    chosen = [f"+{key.path[-1]}" for key in models] + [key.name for key in tests]
    return ["--indirect-selection", "empty", "--select", *THIN, *sorted(chosen)]


def _told(
    context: dg.AssetExecutionContext, found: list[Outcome]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Yield what Dagster is told of each model that was made and each test that was run."""
    checks = {
        spec.metadata[_UNIQUE_ID]: spec
        for spec in context.assets_def.check_specs
        if spec.key in context.selected_asset_check_keys
    }
    for one in found:
        key = key_of(one.name)
        if key in context.selected_asset_keys and one.unique_id.startswith("model.") and one.good:
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={"seconds": dg.MetadataValue.float(round(one.seconds, 3))},
            )
    for one in found:
        spec = checks.get(one.unique_id)
        if spec is not None and one.status != "skipped":
            yield dg.AssetCheckResult(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=one.good,
                severity=(
                    dg.AssetCheckSeverity.WARN
                    if one.status == "warn"
                    else dg.AssetCheckSeverity.ERROR
                ),
                description=None if one.good else one.message,
                metadata={
                    "offenders": dg.MetadataValue.int(one.failures),
                    "seconds": dg.MetadataValue.float(round(one.seconds, 3)),
                },
            )


def _failure(failed: list[Outcome]) -> str:
    told = [f"{one.name} ({one.message})" for one in failed[:FAILED_SHOWN]]
    more = len(failed) - FAILED_SHOWN
    rest = f" and {more} more" if more > 0 else ""
    return f"{len(failed)} of dbt's models and tests failed: {', '.join(told)}{rest}"


def _translator() -> "DagsterDbtTranslator":
    """Return what translates dbt's words into the ones of our assets."""
    # Here and not at the top: dbt is an extra, and takes longer to load than all of our own.
    from dagster_dbt import DagsterDbtTranslator

    class Translator(DagsterDbtTranslator):
        """Sources are the lake's own assets; models bear the policy of all our assets."""

        def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
            name = dbt_resource_props["name"]
            source = dbt_resource_props["resource_type"] == "source"
            return dg.AssetKey([name]) if source else key_of(name)

        def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
            return GROUP

        def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
            return dbt_resource_props["description"]

        def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
            return [OWNER]

        def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
            dataset = _DATASET_OF.get(dbt_resource_props["name"])
            # A view of the business says with its columns whether it is about one person.
            named = {"subscriber_id", "entity"} & set(dbt_resource_props["columns"])
            personal = policy.holds_personal_data(dataset) if dataset else bool(named)
            return {
                "domain": dataset.group if dataset else "analytics",
                "layout": dbt_resource_props["config"].get("materialized", "source"),
                "personal-data": "yes" if personal else "no",
            }

        def get_asset_check_spec(
            self,
            asset_spec: dg.AssetSpec,
            manifest: Mapping[str, Any],
            unique_id: str,
            project: Any,
        ) -> dg.AssetCheckSpec | None:
            spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
            if spec is None:
                return None
            return spec._replace(description=manifest["nodes"][unique_id]["description"])

    return Translator()
