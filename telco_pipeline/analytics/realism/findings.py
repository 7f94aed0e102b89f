"""Findings: what the measures hand over while a report is being made.

Belongs here: collecting values, notes and panels. Does not belong here: measures, verdicts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from telco_pipeline.analytics.realism.report import Panel


@dataclass
class Findings:
    """Values and notes by key of the catalogue, and panels.

    Attributes:
        values: By key, the value (None where the records do not suffice) and how it was measured.
        counting: Keys of rows that come with the scenarios and count in this world.
        panels: Plots.
    """

    values: dict[str, tuple[float | None, str]] = field(default_factory=dict)
    counting: set[str] = field(default_factory=set)
    panels: list[Panel] = field(default_factory=list)

    def add(self, key: str, value: float | None, note: str) -> None:
        """Note a measure; ValueError if its row has one already."""
        if key in self.values:
            raise ValueError(f"{key} is measured twice")
        self.values[key] = (None if value is None else float(value), note)

    def add_of_scenarios(self, key: str, value: float | None, note: str) -> None:
        """Note a measure of what scenario layers do; it counts if there is a value."""
        self.add(key, value, note)
        if value is not None:
            self.counting.add(key)

    def none_of_scenarios(self, keys: Sequence[str], untold: bool, what: str) -> None:
        """Note that rows say nothing in this world.

        Args:
            keys: The rows.
            untold: Whether there is no truth to look it up in.
            what: What was looked for otherwise.
        """
        why = "no layers in this world, or no truth of these days" if untold else f"no {what}"
        for key in keys:
            self.add(key, None, why if untold else f"{why} in these days")
