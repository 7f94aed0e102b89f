"""The report as data: rows with their bands and verdicts, panels to draw, the world it judges.

Belongs here: `Row`, `Panel`, `Report` and what they answer about themselves. Does not belong here:
which rows there are (`catalogue`), how they are measured (`measuring`), how they are shown
(`page`, `plots`).
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal, Self

SOCIAL: Final = "voice and social"
RHYTHM: Final = "rhythm"
MOBILITY: Final = "mobility"
DATA: Final = "data"
MACHINES: Final = "machines"
QUALITY: Final = "quality, churn and care"
FRAUD: Final = "fraud"

GROUPS: Final = (SOCIAL, RHYTHM, MOBILITY, DATA, MACHINES, QUALITY, FRAUD)
"""Groups of rows, in the order of the report."""

OF_SCENARIOS: Final = "comes with the scenarios"
"""Why a row is listed but not counted: nothing of the kind happens in the days measured."""


class Verdict(StrEnum):
    """What a row's measure says of the records."""

    IN_BAND = "in band"
    OUT_OF_BAND = "out of band"
    NO_DATA = "no data"
    NOT_COUNTED = "not counted"


@dataclass(frozen=True)
class Row:
    """One fact about real data, and what the records of a lake have instead.

    Attributes:
        key: Stable key: lower case, digits, `_`, and dots between its parts.
        group: One of `GROUPS`.
        title: What is measured.
        unit: Unit of the value; empty for a plain number.
        target: The fact, in words.
        band: Lowest and highest value that count as real, both included; None: open.
        source: Author and year, "practice", or "measured CNS".
        tolerance: Why the band is as wide as it is, where the source gives a point.
        counted: Whether the row counts in the score.
        excuse: Why it does not count; empty if it does.
        value: The measure; None before measuring and where the records do not suffice.
        note: How it was measured, on how many users, pairs or cells.
    """

    key: str
    group: str
    title: str
    unit: str
    target: str
    band: tuple[float | None, float | None]
    source: str
    tolerance: str = ""
    counted: bool = True
    excuse: str = ""
    value: float | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise ValueError(f"{self.key}: no group {self.group!r}")
        if self.counted == bool(self.excuse):
            raise ValueError(f"{self.key}: a row counts, or says why it does not")

    @property
    def may_count(self) -> bool:
        """Whether it counts in every world, or in those in which scenario layers make it."""
        return self.counted or self.excuse == OF_SCENARIOS

    @property
    def check_name(self) -> str:
        """The key with underscores only, as names of checks and files need it."""
        return self.key.replace(".", "_")

    @property
    def in_band(self) -> bool | None:
        """Whether the value lies in the band, counted or not; None if there is no value."""
        if self.value is None or math.isnan(self.value):
            return None
        low, high = self.band
        return (low is None or self.value >= low) and (high is None or self.value <= high)

    @property
    def verdict(self) -> Verdict:
        """What the row says: a row that does not count says nothing."""
        if not self.counted:
            return Verdict.NOT_COUNTED
        if self.in_band is None:
            return Verdict.NO_DATA
        return Verdict.IN_BAND if self.in_band else Verdict.OUT_OF_BAND

    @property
    def miss(self) -> float:
        """How far the value lies outside the band, in its unit and with its sign; 0 inside."""
        if self.value is None or self.in_band is not False:
            return 0.0
        low, high = self.band
        return self.value - (low if low is not None and self.value < low else high or 0.0)

    def measured(self, value: float | None, note: str) -> Self:
        """Return the row with its measure; a value that is no number counts as none."""
        sound = None if value is None or not math.isfinite(value) else float(value)
        return replace(self, value=sound, note=note)

    def counting(self) -> Self:
        """Return the row as one that counts."""
        return replace(self, counted=True, excuse="")

    def band_text(self) -> str:
        """Return the band in words, with its unit."""
        low, high = self.band
        unit = f" {self.unit}" if self.unit else ""
        if low is None and high is None:
            return "–"
        if low is None:
            return f"≤ {figure(high)}{unit}"
        if high is None:
            return f"≥ {figure(low)}{unit}"
        return f"{figure(low)} – {figure(high)}{unit}"

    def value_text(self) -> str:
        """Return the measure in words, with its unit."""
        if self.value is None:
            return "–"
        return f"{figure(self.value)}{f' {self.unit}' if self.unit else ''}"


@dataclass(frozen=True)
class Line:
    """One line (or cloud, or row of bars) of a panel.

    Attributes:
        label: What it is.
        x: Where.
        y: How much.
        role: The measure, or the reference that it is held against.
        style: How it is drawn.
    """

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    role: Literal["measured", "reference"] = "measured"
    style: Literal["line", "points", "steps", "bars"] = "line"


@dataclass(frozen=True)
class Panel:
    """One small plot: a measure beside what real data have.

    Attributes:
        group: The group of rows that it belongs to.
        title: Title.
        x_label: What lies on the x axis, with its unit.
        y_label: What lies on the y axis, with its unit.
        lines: What is drawn.
        log_x: Whether the x axis is logarithmic.
        log_y: Whether the y axis is logarithmic.
        ticks: Names of x = 0, 1, 2, ... where x is no number.
    """

    group: str
    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    ticks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """The verdict on the records of some days of one world.

    Attributes:
        world_hash: Hash of the world.
        seed: Seed of the world.
        subscribers: SIM cards in its registry.
        days: Days that were measured, in order.
        seconds: Wall time of measuring.
        records: Records that were read.
        rows: All rows of the catalogue, in its order.
        panels: Plots, in the order of the groups.
    """

    world_hash: str
    seed: int
    subscribers: int
    days: tuple[dt.date, ...]
    seconds: float
    records: int
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]

    def row(self, key: str) -> Row:
        """Return the row of a key; KeyError if there is none."""
        for row in self.rows:
            if row.key == key:
                return row
        raise KeyError(key)

    def counted(self) -> list[Row]:
        """Return the rows that count."""
        return [row for row in self.rows if row.counted]

    def failing(self) -> list[Row]:
        """Return the rows that count and are out of band or have no data."""
        return [row for row in self.counted() if row.verdict is not Verdict.IN_BAND]

    def tally(self) -> Counter[Verdict]:
        """Return how many rows have which verdict."""
        return Counter(row.verdict for row in self.rows)

    @property
    def score(self) -> float:
        """Share of the counted rows that are in band; a row without data is not."""
        counted = self.counted()
        return 1 - len(self.failing()) / len(counted) if counted else math.nan

    def of_group(self, group: str) -> tuple[list[Row], list[Panel]]:
        """Return the rows and the panels of a group."""
        return (
            [row for row in self.rows if row.group == group],
            [panel for panel in self.panels if panel.group == group],
        )


def figure(value: float | None) -> str:
    """Return a number for people: three digits that count, thousands with commas."""
    if value is None:
        return "–"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def line(
    label: str,
    x: Iterable[float],
    y: Iterable[float],
    role: Literal["measured", "reference"] = "measured",
    style: Literal["line", "points", "steps", "bars"] = "line",
) -> Line:
    """Return a line of plain floats from any numbers of one length; ValueError if not of one."""
    pairs = zip(x, y, strict=True)
    kept = [(float(a), float(b)) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
    return Line(label, tuple(a for a, _ in kept), tuple(b for _, b in kept), role, style)
