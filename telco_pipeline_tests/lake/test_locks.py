"""Locks: held by one at a time, seen by all, and free again when their holder dies."""

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from telco_pipeline.lake import locks

HOLD = """
import sys
from pathlib import Path
from telco_pipeline.lake import locks
with locks.held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds a lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_lock_is_seen_as_long_as_its_holder_lives(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    assert not locks.is_held(path)
    with holder(path) as process:
        assert locks.is_held(path)
        process.kill()
        process.wait()
        assert not locks.is_held(path)
    assert path.exists()


def test_who_looks_is_not_taken_for_a_holder(tmp_path: Path) -> None:
    """Two look at once: the lock of the one who looks is shared, and ends with the look."""
    path = tmp_path / "lock"
    with locks.held(path):
        pass
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not locks.is_held(path)


def test_the_next_one_waits(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    turns: list[str] = []

    def wait() -> None:
        with locks.held(path):
            turns.append("second")

    with holder(path) as process:
        second = threading.Thread(target=wait)
        second.start()
        second.join(0.3)
        assert second.is_alive()
        turns.append("first")
        process.kill()
        second.join(10)
    assert turns == ["first", "second"]


def test_a_process_that_was_forked_meanwhile_does_not_keep_it(tmp_path: Path) -> None:
    """It has the descriptor, too, so that closing it here would leave the lock."""
    path = tmp_path / "lock"
    ear, mouth = os.pipe()
    with locks.held(path):
        child = os.fork()
        if child == 0:
            os.close(mouth)
            os.read(ear, 1)  # until the parent closes its end
            os._exit(0)
    try:
        assert not locks.is_held(path)
    finally:
        os.close(mouth)
        os.close(ear)
        os.waitpid(child, 0)
