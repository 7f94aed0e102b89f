"""What is shown: plain lines without a terminal, figures that people read."""

import io

import pytest
from rich.console import Console

from telco_pipeline.cli import display


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def lines(out: io.StringIO, clock: Clock) -> display.Lines:
    return display.Lines(Console(file=out, width=80), "partitions", clock)


def test_lines_come_at_a_low_rate(out: io.StringIO) -> None:
    clock = Clock()
    meter = display.Meter(lines(out, clock), total=1000)
    for _ in range(100):
        clock.now += 0.125
        meter.step("cdrs_voice 2026-01-01", rows=10)

    printed = out.getvalue().splitlines()
    assert len(printed) == 2
    assert printed[0].startswith("40/1000 partitions")
    assert "rows/s" in printed[0]


def test_the_last_step_is_always_told(out: io.StringIO) -> None:
    meter = display.Meter(lines(out, Clock()), total=2)
    meter.step("first")
    meter.step("[second]")

    assert out.getvalue() == "2/2 partitions  [second]\n"


def test_more_steps_than_were_expected_raise_the_total(out: io.StringIO) -> None:
    meter = display.Meter(lines(out, Clock()), total=1)
    meter.step("first")
    meter.step("second")

    assert meter.total == 2


def test_progress_without_a_terminal_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    with display.progress("checks", "Checking the lake", 1) as meter:
        meter.step("done")

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "Checking the lake ...\n1/1 checks  done\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (60, "1 min 0 s"), (7385, "2 h 3 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert display.duration(seconds) == text


def test_counts_and_sizes() -> None:
    assert display.count(1234567.8) == "1,234,568"
    assert display.megabytes(12_345_678) == "12.3"
