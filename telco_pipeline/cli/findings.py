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
    """Print the checks with their figures, then every failure (the first twenty) and its cure.

    Comparisons of rates have a line each, whatever they found.
    """
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
    failed = [finding for finding in findings if finding.failed]
    for finding in _comparisons(findings):
        print_line(f"{'DOUBT ' * finding.doubt}{finding.check}: {finding.message}")
    for finding in failed[:MOST_SHOWN]:
        where = f"{finding.dataset} {finding.day}" if finding.day else finding.dataset
        print_line(f"FAILED {where}, {finding.check}: {finding.message}")
        if finding.recover:
            print_line(f"       mend it: {finding.recover}")
    if len(failed) > MOST_SHOWN:
        print_line(f"... and {len(failed) - MOST_SHOWN} more (telco check --json lists them all)")
    print_line(summary(findings))


def summary(findings: Sequence["Finding"]) -> str:
    """Return how many checks passed and failed, and how many are in doubt."""
    failed = sum(finding.failed for finding in findings)
    doubts = sum(finding.doubt for finding in findings)
    told = f"{count(len(findings) - failed - doubts)} checks passed, {count(failed)} failed"
    return f"{told}, {count(doubts)} in doubt." if doubts else f"{told}."


def _comparisons(findings: Sequence["Finding"]) -> list["Finding"]:
    """Return the comparisons of rates that did not fail, which are told of among the failures."""
    from telco_pipeline.causality import CHAINS

    return [finding for finding in findings if finding.check in CHAINS and not finding.failed]


def print_json(findings: Sequence["Finding"]) -> None:
    """Print all findings as one JSON object."""
    typer.echo(
        json.dumps(
            {
                "passed": not any(finding.failed for finding in findings),
                "findings": [asdict(finding) for finding in findings],
            },
            default=str,
            indent=2,
        )
    )


def _figures(found: Sequence["Finding"]) -> list[str]:
    failed = sum(finding.failed for finding in found)
    doubts = sum(finding.doubt for finding in found)
    return [
        count(len(found)),
        count(sum(finding.rows for finding in found)),
        count(sum(finding.offenders for finding in found)),
        f"{failed} FAILED" if failed else f"{doubts} in doubt" if doubts else "passed",
    ]
