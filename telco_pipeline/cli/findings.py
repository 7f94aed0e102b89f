"""How findings of the integrity checks are shown: a table by check, and what failed.

Belongs here: words and tables. Does not belong here: the checks (`integrity`).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from telco_pipeline.cli.display import Column, count, print_line, print_table

if TYPE_CHECKING:
    from telco_pipeline.integrity import Finding

MOST_SHOWN = 20


def print_findings(findings: Sequence["Finding"]) -> None:
    """Print the checks with their figures, then every failure (the first twenty) and its cure."""
    by_check: dict[str, list[Finding]] = {}
    for finding in findings:
        by_check.setdefault(finding.check, []).append(finding)
    print_table(
        "Checks",
        [
            Column("check"),
            Column("partitions", True),
            Column("rows", True),
            Column("offenders", True),
            Column("result"),
        ],
        [[name, *_figures(found)] for name, found in by_check.items()],
    )
    failed = [finding for finding in findings if not finding.passed]
    for finding in failed[:MOST_SHOWN]:
        where = f"{finding.dataset} {finding.day}" if finding.day else finding.dataset
        print_line(f"FAILED {where}, {finding.check}: {finding.message}")
        if finding.recover:
            print_line(f"       mend it: {finding.recover}")
    if len(failed) > MOST_SHOWN:
        print_line(f"... and {len(failed) - MOST_SHOWN} more (telco check --json lists them all)")
    print_line(summary(findings))


def summary(findings: Sequence["Finding"]) -> str:
    """Return how many checks passed and failed."""
    failed = sum(not finding.passed for finding in findings)
    return f"{count(len(findings) - failed)} checks passed, {count(failed)} failed."


def print_json(findings: Sequence["Finding"]) -> None:
    """Print all findings as one JSON object."""
    typer.echo(
        json.dumps(
            {
                "passed": all(finding.passed for finding in findings),
                "findings": [asdict(finding) for finding in findings],
            },
            default=str,
            indent=2,
        )
    )


def _figures(found: Sequence["Finding"]) -> list[str]:
    failed = sum(not finding.passed for finding in found)
    return [
        count(len(found)),
        count(sum(finding.rows for finding in found)),
        count(sum(finding.offenders for finding in found)),
        f"{failed} FAILED" if failed else "passed",
    ]
