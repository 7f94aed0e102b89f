"""Asset checks of the scenario layers: whether any single column gives one away.

Belongs here: what a judgement says in Dagster. Does not belong here: judging (`leakage`).
"""

from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg

from telco_pipeline import leakage
from telco_pipeline.assets.layers import key_of
from telco_pipeline.checks.signatures import refuse_other_layers
from telco_pipeline.errors import TelcoError
from telco_pipeline.leakage import Judgement
from telco_pipeline.resources import Operation
from telco_pipeline.scenarios.language import Layer

NAME: Final = "no_single_column_tells"
PROMISE: Final = (
    f"No single column of an observable dataset tells what the layer touched from the rest by more "
    f"than {leakage.LIMIT:g} (balanced accuracy of one split, on entities that it was not learnt "
    f"on), but for those that its file names. Layers below difficulty {leakage.DIFFICULTY:g} are "
    f"shown and not judged."
)


def build_leakage_checks(
    layers: Mapping[str, Layer], pool: str | None
) -> list[dg.AssetChecksDefinition]:
    """Build the check of each layer."""
    return [_check(name, layer, pool) for name, layer in layers.items()]


def _check(name: str, layer: Layer, pool: str | None) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=key_of(name), name=NAME, description=PROMISE, pool=pool)
    def check(operator: dg.ResourceParam[Operation]) -> dg.AssetCheckResult:
        try:
            refuse_other_layers(operator)
            days = leakage.days_of(operator.lake)
            found = list(leakage.examine(operator.config, operator.lake, days, [name]))
        except TelcoError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        return result(name, layer, found)

    return check


def result(name: str, layer: Layer, found: Sequence[Judgement]) -> dg.AssetCheckResult:
    """Return what Dagster shows of the judgements of a layer: each dataset and its best column."""
    leaks = [leak for one in found for leak in one.leaks]
    wrong = [leak for leak in leaks if not leak.because]
    judged = [one for one in found if not one.note]
    easy = layer.difficulty < leakage.DIFFICULTY
    highest = max((one.best.accuracy for one in judged if one.best), default=0.5)
    # What could not be judged is no failure of the layer; it shows as a warning and says why.
    doubtful = not judged
    return dg.AssetCheckResult(
        passed=bool(judged) and (easy or not wrong),
        severity=dg.AssetCheckSeverity.WARN if doubtful else dg.AssetCheckSeverity.ERROR,
        check_name=NAME,
        asset_key=key_of(name),
        description=told(layer, found, wrong),
        metadata={
            "datasets": dg.MetadataValue.int(len(judged)),
            "highest_accuracy": dg.MetadataValue.float(highest),
            # As text: Dagster draws a plot of each number, and this one never changes.
            "difficulty": dg.MetadataValue.text(f"{layer.difficulty:g}"),
            "columns": dg.MetadataValue.md(_table(found)),
            "leaks": dg.MetadataValue.md("\n".join(f"- {leak}" for leak in leaks) or "none"),
        },
    )


def told(layer: Layer, found: Sequence[Judgement], wrong: Sequence[leakage.Leak]) -> str:
    """Return the judgements of a layer in one line."""
    judged = sum(not one.note for one in found)
    if not found:
        return "not judged: the layer touches no record on the days that lie in the lake"
    if not judged:
        return (
            f"not judged: too few rows, less than {leakage.FEWEST} that the layer touches in each "
            "dataset on these days"
        )
    if not wrong:
        return f"no column tells in {judged} {'dataset' if judged == 1 else 'datasets'}"
    shown = "; ".join(map(str, wrong[:3])) + (f"; and {len(wrong) - 3} more" if wrong[3:] else "")
    if layer.difficulty >= leakage.DIFFICULTY:
        return shown
    return f"shown, not judged (difficulty {layer.difficulty:g}): {shown}"


def _table(found: Sequence[Judgement]) -> str:
    heads = ("dataset", "of", "rows", "entities", "best column", "accuracy")
    table = [heads, ("---",) * len(heads)]
    for one in found:
        best = (one.best.column, f"{one.best.accuracy:.3f}") if one.best else (one.note, "")
        table.append((one.dataset, one.of, f"{one.rows:,}", f"{one.entities:,}", *best))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)
