"""What the tests of the shell share: a producer that records instead of making, and runs."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

from telco_pipeline import causality, integrity, production
from telco_pipeline.assets import metadata
from telco_pipeline.causality import Rates, Stratum
from telco_pipeline.contracts import DATASETS
from telco_pipeline.integrity import Finding
from telco_pipeline.lake import Lake
from telco_pipeline.production import PartitionReport
from telco_pipeline.resources import Operation
from telco_pipeline.settings import DEFAULT_WORLD_FILE, WorldConfig, load_world

RANGE = (ASSET_PARTITION_RANGE_START_TAG, ASSET_PARTITION_RANGE_END_TAG)


def tiny_world(**overrides: Any) -> WorldConfig:
    return load_world(DEFAULT_WORLD_FILE, **{"subscribers": 200, **overrides})


def operation(root: Path, **changes: Any) -> Operation:
    world = changes.pop("world", "main")
    return Operation(**{"config": tiny_world(), "lake": Lake(root, world=world), **changes})


@dataclass
class Recorder:
    """A stand-in for `produce` that remembers what it was asked, and may fail when told to."""

    asked: list[tuple[str, tuple[dt.date, ...] | None, str]] = field(default_factory=list)
    trouble: dict[str, list[Exception]] = field(default_factory=dict)

    def produce(
        self,
        config: WorldConfig,
        lake: Lake,
        name: str,
        days: Sequence[dt.date] | None = None,
        *,
        progress: Callable[[PartitionReport], None] | None = None,
        **how: Any,
    ) -> list[PartitionReport]:
        self.asked.append((name, tuple(days) if days else None, lake.world))
        if self.trouble.get(name):
            raise self.trouble[name].pop(0)
        reports = [self._report(lake, name, day) for day in days or [None]]
        for report in reports:
            if progress:
                progress(report)
        return reports

    def _report(self, lake: Lake, name: str, day: dt.date | None) -> PartitionReport:
        rows = 100 if day is None else 100 + day.day
        content = f"{name}-{day}-{rows}"
        return PartitionReport(name, day, rows, rows * 80, 1, content, 0.5, str(lake.root / name))

    @property
    def made(self) -> list[str]:
        return [name for name, _, _ in self.asked]


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Put a recorder where rows would be made; every check passes."""
    recorder = Recorder()
    monkeypatch.setattr(production, "produce", recorder.produce)
    monkeypatch.setattr(
        metadata, "impressions", lambda operation, _, report: metadata.figures(operation, report)
    )
    fail_checks(monkeypatch, {})
    nothing = (Stratum(0, 0, 0, 0),)
    rates = [Rates(name, nothing) for name in causality.CHAINS]
    monkeypatch.setattr(causality, "chain_rates", lambda lake: rates)
    return recorder


def fail_checks(
    monkeypatch: pytest.MonkeyPatch, failing: dict[tuple[str, str], list[dt.date | None]]
) -> None:
    """Let the checks (by dataset and name) fail on some days, and all others pass."""

    def check(name: str) -> Callable[[Lake, str, dt.date | None], Finding]:
        def run(lake: Lake, dataset: str, day: dt.date | None = None) -> Finding:
            failed = day in failing.get((dataset, name), [])
            return Finding(
                name,
                dataset,
                day,
                not failed,
                3 if failed else 0,
                100,
                [{"subscriber_id": 7}] if failed else [],
                "3 rows refer to nobody" if failed else "all is well",
                f"telco generate --datasets {dataset} --replace" if failed else "",
            )

        return run

    monkeypatch.setattr(integrity, "CHECKS", {name: check(name) for name in integrity.CHECKS})


@contextmanager
def ephemeral() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run_job(
    defs: dg.Definitions,
    job: str,
    instance: dg.DagsterInstance,
    span: tuple[str, str] | None = None,
    **options: Any,
) -> dg.ExecuteInProcessResult:
    """Run a job quietly; what fails is in the result."""
    tags = dict(zip(RANGE, span, strict=True)) if span else {}
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        tags=tags,
        raise_on_error=False,
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            **options.pop("run_config", {}),
        },
        **options,
    )


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """Return the steps that failed, each with what it said."""
    found = {}
    for event in result.all_events:
        if event.is_step_failure:
            told = event.step_failure_data.user_failure_data
            error = event.step_failure_data.error
            found[event.step_key] = (told.description if told else "") or str(error)
    return found


ALL = list(DATASETS)
