"""Asset checks of the scenario layers: whether each signature is seen, and not without the layer.

Belongs here: what a judgement says in Dagster. Does not belong here: judging (`signatures`), making
the control world (`counterfactuals`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import dagster as dg

from telco_pipeline import signatures
from telco_pipeline.assets.layers import key_of
from telco_pipeline.checks import leakage
from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import Operation
from telco_pipeline.scenarios.language import Layer, Signature
from telco_pipeline.signatures import Judgement, Verdict

_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_LONGEST: Final = 72  # characters of a check's name


def check_name(signature: Signature) -> str:
    """Return the name of a signature's check: its first words, as Dagster writes names."""
    words = _NO_WORD.sub("_", signature.name.lower().replace("'", "")).strip("_")
    if len(words) > _LONGEST:
        words = words[: _LONGEST + 1].rpartition("_")[0] or words[:_LONGEST]
    return words or "signature"


def check_names(layer: Layer) -> list[str]:
    """Return the names of a layer's checks, of which no two are alike, in the file's order."""
    taken = [leakage.NAME]
    for signature in layer.signatures:
        name, number = check_name(signature), 2
        while name in taken:
            name, number = f"{check_name(signature)}_{number}", number + 1
        taken.append(name)
    return taken[1:]


def build_signature_checks(
    layers: Mapping[str, Layer], pool: str | None
) -> list[dg.AssetChecksDefinition]:
    """Build the checks of all layers that have signatures: one step for each layer."""
    return [_checks(name, layer, pool) for name, layer in layers.items() if layer.signatures]


def _checks(name: str, layer: Layer, pool: str | None) -> dg.AssetChecksDefinition:
    names = check_names(layer)

    @dg.multi_asset_check(
        name=f"{name}_signatures",
        specs=[
            dg.AssetCheckSpec(check, asset=key_of(name), description=promise(one), blocking=False)
            for check, one in zip(names, layer.signatures, strict=True)
        ],
        can_subset=True,
        pool=pool,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, operator: dg.ResourceParam[Operation]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        try:
            refuse_other_layers(operator)
            # Of all days since the epoch, as the state is; records may be made of some alone.
            days = operator.lake.days("network_state")
            found = list(signatures.judge(operator.config, operator.lake, {name: layer}, days))
        except TelcoError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        for check, one in zip(names, found, strict=True):
            if check in selected:
                yield result(one, check)

    return checks


def refuse_other_layers(operation: Operation) -> None:
    """Refuse a lake that was made before a layer, or world.yaml, came to do something else.

    Raises:
        TelcoError: Its world is not the one that Dagster has loaded.
    """
    held = operation.lake.held_world()
    if held is not None and held.world_hash != operation.config.world_hash:
        raise TelcoError(
            f"{operation.lake.root} holds world {held.world_hash}, world.yaml and its layers now "
            f"make {operation.config.world_hash}: materialise it anew, or have it judged as it was "
            "made with `telco scenarios signatures` and `telco scenarios audit`"
        )


def promise(signature: Signature) -> str:
    """Return what a check promises."""
    needs = signature.needs
    few = [f"{needs.subscribers:,} subscribers"] if needs.subscribers > 1 else []
    few += [f"{needs.days} days"] if needs.days > 1 else []
    takes = f" It takes {' and '.join(few)} to judge." if few else ""
    return (
        f"{signature.name[:1].upper()}{signature.name[1:]}: {signature.seen} with the layer, "
        f"{signature.unseen} in the same world without any.{takes}"
    )


def result(one: Judgement, check: str) -> dg.AssetCheckResult:
    """Return what Dagster shows of a judgement in a check: both figures and what they mean."""
    metadata: dict[str, dg.MetadataValue] = {
        "verdict": dg.MetadataValue.text(str(one.verdict)),
        "expected_with_the_layer": dg.MetadataValue.text(str(one.signature.seen)),
        "expected_without": dg.MetadataValue.text(str(one.signature.unseen)),
        "query": dg.MetadataValue.md(f"```sql\n{one.signature.sql.strip()}\n```"),
    }
    if one.value is not None:
        metadata["with_the_layer"] = dg.MetadataValue.float(one.value)
    if one.control is not None:
        metadata["without"] = dg.MetadataValue.float(one.control)
    if one.note:
        metadata["note"] = dg.MetadataValue.text(one.note)
    # What could not be judged is no failure of the layer; it shows as a warning and says why.
    doubtful = one.verdict in (Verdict.TOO_SMALL, Verdict.NO_CONTROL)
    return dg.AssetCheckResult(
        passed=one.passed,
        severity=dg.AssetCheckSeverity.WARN if doubtful else dg.AssetCheckSeverity.ERROR,
        check_name=check,
        asset_key=key_of(one.layer),
        description=told(one),
        metadata=metadata,
    )


def told(one: Judgement) -> str:
    """Return a judgement in one line."""
    if one.value is None:
        return f"{one.verdict}: {one.note}"
    found = f"{one.value:,.4g} with the layer ({one.signature.seen})"
    if one.control is None:
        return f"{one.verdict}: {found}; {one.note}"
    return f"{one.verdict}: {found}, {one.control:,.4g} without ({one.signature.unseen})"
