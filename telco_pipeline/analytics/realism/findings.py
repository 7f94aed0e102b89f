"""Findings: what the measures hand over while a report is being made.

Belongs here: collecting values, notes and panels. Does not belong here: measures, verdicts.
"""

from dataclasses import dataclass, field

from telco_pipeline.analytics.realism.report import Panel


@dataclass
class Findings:
    """Values and notes by key of the catalogue, and panels.

    Attributes:
        values: By key, the value (None where the records do not suffice) and how it was measured.
        panels: Plots.
    """

    values: dict[str, tuple[float | None, str]] = field(default_factory=dict)
    panels: list[Panel] = field(default_factory=list)

    def add(self, key: str, value: float | None, note: str) -> None:
        """Note a measure; ValueError if its row has one already."""
        if key in self.values:
            raise ValueError(f"{key} is measured twice")
        self.values[key] = (None if value is None else float(value), note)
