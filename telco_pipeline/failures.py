"""Failures: what a run that failed says of itself, in lines for people.

Belongs here: reading Dagster's events of such a run. Does not belong here: what Dagster shall do
about an error (`assets.faults`), whom to tell (`notify_sensors`).
"""

from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from telco_pipeline.errors import TelcoError

LOST: Final = (
    "The run's process was lost: killed, out of memory, or its machine or code server was "
    "restarted."
)
"""What is said where Dagster knows no more than that."""

_OURS: Final = f"{TelcoError.__module__}.{TelcoError.__qualname__}: "


@dataclass(frozen=True)
class Failure:
    """One step that failed, or the run as a whole.

    Attributes:
        step: The step; empty for the run.
        line: What it says, as one sentence.
        recover: What to do, where the step knows.
    """

    step: str
    line: str
    recover: str = ""


def of_run(instance: dg.DagsterInstance, run_id: str) -> list[Failure]:
    """Return why a run failed: its failed steps in order of time, else what ended the run.

    Args:
        instance: Where Dagster keeps its book.
        run_id: The run.

    Returns:
        At least one; the last resort is `LOST`.
    """
    found = [
        failure
        for event in _events(instance, run_id, dg.DagsterEventType.STEP_FAILURE)
        for failure in _of_step(instance, run_id, event)
    ]
    if found:
        return found
    for event in _events(instance, run_id, dg.DagsterEventType.RUN_FAILURE):
        error = getattr(event.event_specific_data, "error", None)
        if error is not None:
            return [Failure("", _deepest(error))]
    return [Failure("", LOST)]


def _events(
    instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType
) -> list[dg.DagsterEvent]:
    logged = instance.all_logs(run_id, of_type=kind)
    return [entry.dagster_event for entry in logged if entry.dagster_event is not None]


def _of_step(instance: dg.DagsterInstance, run_id: str, event: dg.DagsterEvent) -> list[Failure]:
    """Return what a failed step says; of one whose checks failed, what each of them says."""
    step, data = event.step_key or "", event.step_failure_data
    if data.error is not None and data.error.cls_name == "DagsterAssetCheckFailedError":
        return _failed_checks(instance, run_id, step) or [Failure(step, _deepest(data.error))]
    if data.user_failure_data and data.user_failure_data.description:
        told = data.user_failure_data
        recover = told.metadata.get("recover")
        words = str(recover.value) if recover is not None else ""
        return [Failure(step, sentence(told.description or ""), words)]
    return [Failure(step, _deepest(data.error) if data.error else sentence("it failed"))]


def _failed_checks(instance: dg.DagsterInstance, run_id: str, step: str) -> list[Failure]:
    found = []
    for event in _events(instance, run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        check = event.asset_check_evaluation_data
        if event.step_key != step or check.passed:
            continue
        if check.severity is not dg.AssetCheckSeverity.ERROR:
            continue
        recover = check.metadata.get("recover")
        line = f"{check.asset_key.to_user_string()}, {check.check_name}: {check.description or ''}"
        words = f"Run `{recover.value}`." if recover is not None else ""
        found.append(Failure(step, sentence(line), words))
    return found


def _deepest(error: Any) -> str:
    """Return the words of what began it; Dagster's own are around them."""
    while error.cause is not None:
        error = error.cause
    return sentence(error.message.removeprefix(_OURS))


def sentence(text: str) -> str:
    """Return a text as one line that ends like a sentence."""
    line = " ".join(text.split())
    return line if line.endswith(".") else f"{line}."
