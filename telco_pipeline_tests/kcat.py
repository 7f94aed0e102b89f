"""kcat, the Kafka client of Debian: the one of this machine, or else fetched once with apt.

Belongs here: getting it and running it. It needs no root: the packages are unpacked into the cache
that deploy/kafka uses too.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.kafka import broker as launcher
from telco_pipeline_tests.kafka import in_ci

Kcat = Callable[..., bytes]
_OF_EVERY_MACHINE = re.compile(r"libc6|libgcc-s1|gcc-.*-base")
_FETCH_SECONDS = 180


class KcatUnavailableError(Exception):
    """Why there is no kcat, in one line."""


@pytest.fixture(scope="session")
def kcat() -> Kcat:
    """Give a function that runs kcat with arguments and returns what it writes to stdout.

    Without kcat the test is skipped. Where apt is, as in CI, it can be had: there it fails.
    """
    try:
        command, environment = find_kcat()
    except KcatUnavailableError as error:
        message = f"no kcat: {error} (Debian, Ubuntu: apt-get install kcat)"
        if in_ci() and shutil.which("apt-get"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)

    def run(*arguments: str, timeout: float = 60) -> bytes:
        done = subprocess.run(
            [command, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    return run


def find_kcat() -> tuple[str, dict[str, str]]:
    """Return the command and the environment it needs; raises KcatUnavailableError."""
    found = shutil.which("kcat")
    if found:
        return found, dict(os.environ)
    root = launcher.cache_dir() / "kcat"
    with launcher.locked(root.with_suffix(".lock")):
        if not root.is_dir():
            _fetch(root)
    libraries = [str(path) for path in sorted(root.glob("usr/lib/*-linux-*"))]
    environment = os.environ | {"LD_LIBRARY_PATH": ":".join(libraries)}
    return str(root / "usr" / "bin" / "kcat"), environment


def _fetch(root: Path) -> None:
    """Unpack kcat and the libraries that not every machine has; whole or not at all."""
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if not shutil.which(tool):
            raise KcatUnavailableError(f"it is not on PATH, and there is no {tool}")
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        place = Path(scratch)
        try:
            _download(place, [])
        except KcatUnavailableError:
            # Images often come without apt's lists of packages; ours lie beside.
            own = [f"-oDir::State::lists={place}/lists", f"-oDir::Cache={place}/cache"]
            (place / "lists" / "partial").mkdir(parents=True)
            (place / "cache" / "archives" / "partial").mkdir(parents=True)
            _run(place, "apt-get", *own, "update")
            _download(place, own)
        for package in place.glob("*.deb"):
            _run(place, "dpkg-deb", "-x", package.name, "root")
        if not (place / "root" / "usr" / "bin" / "kcat").exists():
            raise KcatUnavailableError("apt gave a package without it")
        (place / "root").rename(root)


def _download(place: Path, options: list[str]) -> None:
    told = _run(
        place,
        "apt-cache",
        *options,
        *("depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts"),
        *("--no-breaks", "--no-replaces", "--no-enhances", "kcat"),
    )
    names = {line for line in told.splitlines() if re.match(r"[a-z0-9]", line)}
    wanted = sorted(name for name in names if not _OF_EVERY_MACHINE.fullmatch(name))
    if "kcat" not in wanted:
        raise KcatUnavailableError("apt knows no kcat")
    _run(place, "apt-get", *options, "download", *wanted)


def _run(place: Path, *command: str) -> str:
    try:
        done = subprocess.run(
            command, cwd=place, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise KcatUnavailableError(f"{command[0]} took too long") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason"])[-1]
        raise KcatUnavailableError(f"{command[0]}: {last}")
    return done.stdout
