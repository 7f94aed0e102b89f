"""What the command shows: progress on stderr, tables on stdout.

Belongs here: Rich. Does not belong here: what is made or checked.

On a terminal there are bars; elsewhere (a log, a pipe) a plain line every few seconds.
"""

import datetime as dt
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from telco_pipeline import logs

if TYPE_CHECKING:
    from telco_pipeline.production import PartitionReport

SECONDS_BETWEEN_LINES = 5.0
WIDTH_WITHOUT_TERMINAL = 140


def stdout() -> Console:
    """Return the console of results; made anew, since tests and pipes exchange sys.stdout."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return the console of progress."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else WIDTH_WITHOUT_TERMINAL
    return Console(stderr=stderr, width=width, highlight=False, emoji=False)


@dataclass(frozen=True)
class Column:
    """A column of a table: its title, and whether it holds numbers."""

    title: str
    number: bool = False


def print_table(title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout, numbers to the right."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.number else "left",
            no_wrap=column.number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    stdout().print(table)


def print_line(text: str = "") -> None:
    """Print a line on stdout, as it is (no markup, no wrapping)."""
    stdout().print(text, markup=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a line on stderr, as it is: what is not a result. A log file has it too."""
    logs.said(text)
    stderr().print(text, markup=False, soft_wrap=True)


def count(number: float) -> str:
    """Return a whole number with separators: 1,234,567."""
    return f"{number:,.0f}"


def megabytes(size: float) -> str:
    """Return a size in megabytes (10^6 bytes)."""
    return f"{size / 1e6:,.1f}"


def duration(seconds: float) -> str:
    """Return a time for people: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    whole = round(seconds)
    if seconds < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Show(Protocol):
    """A way of showing how far the work is."""

    def advance(self, meter: "Meter", current: str) -> None:
        """Show the meter's counts; `current` was made last."""
        ...


@dataclass
class Meter:
    """Counts what is made and hands it to a bar or to plain lines.

    Attributes:
        show: Where the counts go.
        total: Steps in all, as far as is known.
        done: Steps finished.
        rows: Rows made.
    """

    show: Show
    total: int
    done: int = 0
    rows: int = 0
    started: float = field(default_factory=time.monotonic)

    def partition(self, report: "PartitionReport") -> None:
        """Count a partition that was made."""
        self.step(_label(report.dataset, report.day), report.rows)

    def step(self, current: str, rows: int = 0) -> None:
        """Count one step."""
        self.done += 1
        self.rows += rows
        self.total = max(self.total, self.done)
        self.show.advance(self, current)

    @property
    def figures(self) -> str:
        """Rows so far and rows a second; empty where no rows are made."""
        if not self.rows:
            return ""
        seconds = max(time.monotonic() - self.started, 1e-3)
        return f"{count(self.rows)} rows, {count(self.rows / seconds)} rows/s"


def _label(dataset: str, day: dt.date | None) -> str:
    return f"{dataset} {day}" if day else dataset


class Lines:
    """Plain lines at a low rate, for logs and pipes."""

    def __init__(
        self, console: Console, unit: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console, self._unit, self._clock = console, unit, clock
        self._next = clock() + SECONDS_BETWEEN_LINES

    def advance(self, meter: Meter, current: str) -> None:
        if meter.done < meter.total and self._clock() < self._next:
            return
        self._next = self._clock() + SECONDS_BETWEEN_LINES
        parts = [f"{meter.done}/{meter.total} {self._unit}", meter.figures, current]
        text = "  ".join(part for part in parts if part)
        self._console.print(text, markup=False, soft_wrap=True)


class Bar:
    """A bar of steps, with the rows so far and the rate."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, meter: Meter, current: str) -> None:
        self._progress.update(
            self._task,
            completed=meter.done,
            total=meter.total,
            figures=meter.figures,
            current=current,
        )


@contextmanager
def progress(unit: str, start: str, total: int = 0) -> Iterator[Meter]:
    """Show on stderr how far the work of the block is.

    Args:
        unit: What the steps are called.
        start: What is being done.
        total: Steps in all, as far as is known; `Meter.total` can say it later.
    """
    console = stderr()
    if not console.is_terminal:
        say(f"{start} ...")
        yield Meter(Lines(console, unit), total)
        return
    columns = (
        BarColumn(bar_width=24),
        TextColumn(f"{{task.completed:.0f}}/{{task.total:.0f}} {unit}", markup=False),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}", markup=False),
        TextColumn("{task.fields[current]}", markup=False, style="dim"),
    )
    with Progress(*columns, console=console, refresh_per_second=5, transient=True) as bars:
        task = bars.add_task("", total=total, figures="", current=start)
        yield Meter(Bar(bars, task), total)
