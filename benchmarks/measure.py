"""Measuring a process: wall time from its start, peak memory of its tree, the machine.

Belongs here: clocks and memory. Does not belong here: what is measured.
"""

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from telco_pipeline.errors import TelcoError

SAMPLE_SECONDS = 0.05
LAST_WORDS = 300
PACKAGES = ("polars", "numpy", "dagster", "dataframely", "faker", "mimesis", "tpchgen-cli")


@dataclass(frozen=True)
class Measured:
    """What one process did.

    Attributes:
        reports: The JSON lines that it printed, each with `at`: seconds since it was started.
        seconds: Wall time until it ended.
        peak_bytes: Peak memory of it and its children together.
    """

    reports: list[dict[str, Any]]
    seconds: float
    peak_bytes: int


@dataclass
class _Memory:
    """Samples the memory of a process tree until it is stopped."""

    process: psutil.Process
    peak: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._stop.is_set():
            self.peak = max(self.peak, self._now())
            self._stop.wait(SAMPLE_SECONDS)

    def stop(self) -> None:
        self._stop.set()

    def _now(self) -> int:
        try:
            tree = [self.process, *self.process.children(recursive=True)]
        except psutil.Error:
            return 0
        return sum(_memory_of(process) for process in tree)


def _memory_of(process: psutil.Process) -> int:
    # Proportional memory counts a page that forked workers share once; where the system does not
    # tell, resident memory counts it in each, which can only make us look worse.
    try:
        return int(getattr(process.memory_full_info(), "pss", 0)) or process.memory_info().rss
    except psutil.Error:
        return 0


def run_measured(command: list[str], environment: dict[str, str] | None = None) -> Measured:
    """Run a command, read its JSON lines, and measure it.

    Raises:
        TelcoError: When it fails.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    memory = _Memory(psutil.Process(process.pid))
    errors: list[str] = []
    threads = [
        threading.Thread(target=memory.run, daemon=True),
        threading.Thread(target=_drain(process.stderr, errors), daemon=True),
    ]
    # Leaving the context closes the pipes and waits for the process.
    with process:
        for thread in threads:
            thread.start()
        try:
            reports = [
                {**json.loads(line), "at": time.perf_counter() - started}
                for line in process.stdout or ()
                if line.startswith("{")
            ]
            status = process.wait()
        except BaseException:
            process.terminate()
            raise
        finally:
            memory.stop()
            seconds = time.perf_counter() - started
            for thread in threads:
                thread.join(timeout=5)
    if status != 0:
        last = " ".join("".join(errors).split())[-LAST_WORDS:]
        raise TelcoError(f"benchmark {' '.join(command[:4])} ended with status {status}: {last}")
    return Measured(reports, seconds, memory.peak)


def _drain(stream: Any, into: list[str]) -> Callable[[], None]:
    return lambda: into.extend(stream)


def machine() -> dict[str, Any]:
    """Describe the machine and the versions of what is measured."""
    return {
        "processor": _processor(),
        "cores": len(psutil.Process().cpu_affinity()) if psutil.LINUX else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_at_start": [round(load, 2) for load in psutil.getloadavg()],
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
