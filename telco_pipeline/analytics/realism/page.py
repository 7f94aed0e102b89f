"""The report in writing: a Markdown page and JSON.

Belongs here: tables and words. Does not belong here: pictures (`plots`), measures.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from telco_pipeline.analytics.realism.catalogue import SOURCES
from telco_pipeline.analytics.realism.report import GROUPS, Report, Row, Verdict

_SIGNS: Final = {
    Verdict.IN_BAND: "in band",
    Verdict.OUT_OF_BAND: "**out of band**",
    Verdict.NO_DATA: "**no data**",
    Verdict.NOT_COUNTED: "not counted",
}


def render_markdown(
    report: Report,
    figures: Mapping[str, str] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> str:
    """Return the report as a Markdown page.

    Args:
        report: The report.
        figures: By group, the address of its picture (a path beside the page, or a data URL).
        reasons: By key of a row, why it is out of band.
    """
    lines = [*_head(report), *_failures(report, reasons or {})]
    for group in GROUPS:
        rows, _ = report.of_group(group)
        if not rows:
            continue
        lines += ["", f"## {group.capitalize()}", ""]
        counted = [row for row in rows if row.counted]
        if counted:
            lines += _table(counted)
        if figures and group in figures:
            lines += ["", f"![{group}]({figures[group]})"]
    lines += [*_not_counted(report), *_methods(report), *_sources(report)]
    return "\n".join(lines) + "\n"


def render_json(report: Report, reasons: Mapping[str, str] | None = None) -> str:
    """Return the report as JSON: the world, the score, one object per row.

    Args:
        report: The report.
        reasons: By key of a row, why it is out of band.
    """
    plain = {
        "world_hash": report.world_hash,
        "seed": report.seed,
        "subscribers": report.subscribers,
        "days": [day.isoformat() for day in report.days],
        "records": report.records,
        "seconds": round(report.seconds, 1),
        "score": report.score if report.counted() else None,
        "verdicts": {verdict.value: count for verdict, count in report.tally().items()},
        "rows": [_plain(row, (reasons or {}).get(row.key, "")) for row in report.rows],
    }
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _plain(row: Row, reason: str) -> dict[str, Any]:
    return {
        "key": row.key,
        "group": row.group,
        "title": row.title,
        "unit": row.unit,
        "target": row.target,
        "low": row.band[0],
        "high": row.band[1],
        "source": row.source,
        "tolerance": row.tolerance,
        "counted": row.counted,
        "excuse": row.excuse,
        "value": row.value,
        "miss": row.miss,
        "verdict": row.verdict.value,
        "note": row.note,
        "reason": reason,
    }


def _head(report: Report) -> list[str]:
    days = report.days
    counted, failing = report.counted(), report.failing()
    sound = len(counted) - len(failing)
    return [
        "# Realism",
        "",
        f"World `{report.world_hash}` of seed {report.seed}: {report.subscribers:,} subscribers, "
        f"{len(days)} days from {days[0]} to {days[-1]}, {report.records:,} records, measured in "
        f"{report.seconds:.0f} s.",
        "",
        f"**{sound} of {len(counted)} counted rows are in band ({100 * report.score:.0f} %).** "
        f"{len(report.rows) - len(counted)} rows are listed but not counted.",
        "",
        "Each row holds the records against a fact about real mobile-phone data. Rows are measured "
        "from the records alone, in code that shares nothing with what makes them; whose records "
        "to look at, where it is about a scenario, the truth beside them tells. Bands were chosen "
        "before measuring.",
    ]


def _failures(report: Report, reasons: Mapping[str, str]) -> list[str]:
    failing = report.failing()
    if not failing:
        return []
    lines = ["", "## Rows that fail", ""]
    for row in failing:
        if row.verdict is Verdict.NO_DATA:
            what = "the records do not suffice"
        else:
            what = f"{row.value_text()}, band {row.band_text()}"
        why = reasons.get(row.key)
        lines.append(f"- **{row.title}** (`{row.key}`): {what}.{f' {why}' if why else ''}")
    return lines


def _table(rows: list[Row]) -> list[str]:
    lines = [
        "| row | target | band | measured | verdict | source |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        _cells(
            row.title, row.target, row.band_text(), row.value_text(), _SIGNS[row.verdict],
            row.source,
        )
        for row in rows
    ]  # fmt: skip
    return lines


def _not_counted(report: Report) -> list[str]:
    rows = [row for row in report.rows if not row.counted]
    if not rows:
        return []
    lines = [
        "",
        "## Rows that do not count here",
        "",
        "What is measured all the same is shown, but has no verdict.",
        "",
        "| row | target | measured | why it does not count | source |",
        "|---|---|---|---|---|",
    ]
    lines += [
        _cells(row.title, row.target, row.value_text(), row.excuse, row.source) for row in rows
    ]
    return lines


def _methods(report: Report) -> list[str]:
    lines = [
        "",
        "## How each row is measured",
        "",
        "| key | measured on | why the band is as wide as it is |",
        "|---|---|---|",
    ]
    lines += [
        _cells(f"`{row.key}`", row.note or "–", row.tolerance or "as the source states it")
        for row in report.rows
        if row.counted or row.value is not None
    ]
    return lines


def _sources(report: Report) -> list[str]:
    named = [
        f"- **{name}**: {work}"
        for name, work in SOURCES.items()
        if any(name in row.source for row in report.rows)
    ]
    return ["", "## Sources", "", *named]


def _cells(*texts: str) -> str:
    escaped = [text.replace("|", "\\|") for text in texts]
    return f"| {' | '.join(escaped)} |"
