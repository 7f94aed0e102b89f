"""Control: what a running stream tells of itself, and what it is told.

Belongs here: the state file, requests to pause, resume and stop, signals. Does not belong here:
sending (`publisher`), what is typed (`cli`).

Each stream has a name and, in a directory that all share, up to three files: `NAME.json` (its
state, written anew each second), `NAME.request` (what somebody asked for; the stream removes it),
`NAME.lock` (locked as long as its process lives, so that a state left by one that was killed is
told from a running one, whoever has its process id now).
"""

import contextlib
import datetime as dt
import fcntl
import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any, Final, Literal, get_args

from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import locks

Status = Literal["starting", "running", "paused", "stopping", "ended", "failed"]
Request = Literal["pause", "resume", "stop"]

WRITE_SECONDS: Final = 1.0
"""How old a state becomes while its stream runs."""
LOOK_SECONDS: Final = 0.2
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_ENDED: Final = ("ended", "failed")


@dataclass(frozen=True)
class State:
    """What a stream told of itself last.

    Attributes:
        name: The stream's name.
        pid: Its process.
        status: What it does.
        day: Day of the lake that it sends, as text.
        topics: Names of its topics.
        records: Records committed since it was started.
        bytes: Bytes of their values.
        asked: Records a second that are asked for; None if it goes as fast as possible.
        achieved: Records a second that are committed.
        lateness: Seconds that 99 of 100 records were late at most; None if there is no clock.
        started: When it was started, as text (UTC).
        updated: When this was written, as text (UTC).
        message: Why it failed; else what it has to say, mostly nothing.
    """

    name: str
    pid: int
    status: Status = "starting"
    day: str = ""
    topics: tuple[str, ...] = ()
    records: int = 0
    bytes: int = 0
    asked: float | None = None
    achieved: float = 0.0
    lateness: float | None = None
    started: str = ""
    updated: str = ""
    message: str = ""


@dataclass(frozen=True)
class Running:
    """A stream as its files show it.

    Attributes:
        state: What it told last.
        alive: Whether its process lives. If not and the state is none of an end, it was killed.
    """

    state: State
    alive: bool

    @property
    def status(self) -> str:
        """What it does, in a word; `dead` if it was killed."""
        if self.alive or self.state.status in _ENDED:
            return self.state.status
        return "dead"


@dataclass
class Control:
    """A stream's own side.

    Without a directory it keeps nothing and hears only `stop`, `pause` and `resume` themselves.

    Attributes:
        folder: Where the files lie.
        name: The stream's name.
        told: Hears what `tell` is told, for whoever looks on.
    """

    folder: Path | None = None
    name: str = "stream"
    told: Callable[[str], None] | None = None
    _state: State = field(init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _pause: threading.Event = field(default_factory=threading.Event, init=False)
    _lock: int | None = field(default=None, init=False)
    _written: float = field(default=-WRITE_SECONDS, init=False)
    _looked: float = field(default=-LOOK_SECONDS, init=False)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise TelcoError(
                f"stream name {self.name[:80]!r}: letters, digits, '.', '_' and '-', at most 80"
            )
        self._state = State(self.name, os.getpid(), started=_now())

    def __enter__(self) -> "Control":
        """Take the name.

        Raises:
            TelcoError: A stream of this name runs, or the directory refuses.
        """
        if self.folder is None:
            return self
        with _disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(_file(self.folder, self.name, "lock"), os.O_RDWR | os.O_CREAT)
        if not _locked(self._lock):
            self._let_go()
            found = _read(self.folder, self.name)
            who = f" (process {found.pid})" if found else ""
            raise TelcoError(
                f"a stream named {self.name} already runs{who}: stop it with "
                "`telco stream stop`, or give this one another name"
            )
        # A request to one that is dead is none to us.
        _file(self.folder, self.name, "request").unlink(missing_ok=True)
        self.update(force=True)
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        """Tell how it ended and give the name back."""
        if error is None:
            self.update(force=True, status="ended")
        else:
            said = " ".join(str(error).split()) or type(error).__name__
            with contextlib.suppress(TelcoError):  # what is under way says more
                self.update(force=True, status="failed", message=said)
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def state(self) -> State:
        """What the stream tells of itself."""
        return self._state

    @property
    def is_stopping(self) -> bool:
        """Whether the stream is to end."""
        self._look()
        return self._stop.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether the stream is to pause."""
        self._look()
        return self._pause.is_set()

    def stop(self) -> None:
        """Ask for the end."""
        self._stop.set()

    def pause(self) -> None:
        """Ask for a pause."""
        self._pause.set()

    def resume(self) -> None:
        """Ask to go on after a pause."""
        self._pause.clear()

    def update(self, *, force: bool = False, **changes: Any) -> None:
        """Change the state; write it if the last time is long ago, or if it must be.

        Raises:
            TelcoError: The file cannot be written.
        """
        self._state = replace(self._state, **changes)
        now = time.monotonic()
        if self.folder is None or not (force or now - self._written >= WRITE_SECONDS):
            return
        self._written = now
        self._state = replace(self._state, updated=_now())
        path = _file(self.folder, self.name, "json")
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        with _disk(self.folder):
            fresh.write_text(json.dumps(asdict(self._state), indent=2) + "\n", encoding="utf-8")
            fresh.replace(path)

    def forget(self) -> None:
        """Remove the state of a stream that has ended."""
        if self.folder is not None:
            for kind in ("json", "request", "lock"):
                _file(self.folder, self.name, kind).unlink(missing_ok=True)

    def tell(self, message: str) -> None:
        """Say that something is amiss which may mend itself."""
        self.update(force=True, message=message)
        if self.told is not None:
            self.told(message)

    def _look(self) -> None:
        """Take in what somebody asked for."""
        now = time.monotonic()
        if self.folder is None or now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        path = _file(self.folder, self.name, "request")
        try:
            asked = path.read_text(encoding="utf-8").strip()
            path.unlink(missing_ok=True)
        except OSError:
            return
        action = {"stop": self.stop, "pause": self.pause, "resume": self.resume}.get(asked)
        if action is not None:
            action()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Take the first Ctrl-C or SIGTERM as a request to stop, the second as it is usual.

        For the main thread of a process only.
        """
        kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def ask(number: int, _: FrameType | None) -> None:
            self.stop()
            signal.signal(number, kept[signal.Signals(number)])

        try:
            for number in kept:
                signal.signal(number, ask)
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


def streams(folder: Path) -> list[Running]:
    """Return the streams whose state lies in a directory, by name."""
    found = (look(folder, path.stem) for path in sorted(folder.glob("*.json")))
    return [stream for stream in found if stream is not None]


def look(folder: Path, name: str) -> Running | None:
    """Return a stream; None if there never was one of this name, or its state is damaged."""
    state = _read(folder, name)
    return None if state is None else Running(state, _is_alive(folder, name))


def request(folder: Path, name: str, what: Request) -> State:
    """Ask a running stream for something; it hears it within a second.

    Returns:
        What it told last, before the request.

    Raises:
        TelcoError: No stream of this name runs.
    """
    if what not in get_args(Request):
        raise ValueError(f"no request: {what}")
    stream = look(folder, name) if _NAME.fullmatch(name) else None
    if stream is None or not stream.alive:
        running = [one.state.name for one in streams(folder) if one.alive]
        others = f"running: {', '.join(running)}" if running else "none runs"
        killed = " any more: it was killed" if stream and stream.status == "dead" else ""
        raise TelcoError(f"no stream named {name[:80]} runs{killed} ({others}; {folder})")
    path = _file(folder, name, "request")
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    with _disk(folder):
        fresh.write_text(what, encoding="utf-8")
        fresh.replace(path)
    return stream.state


def _file(folder: Path, name: str, kind: str) -> Path:
    return folder / f"{name}.{kind}"


def _read(folder: Path, name: str) -> State | None:
    try:
        plain = json.loads(_file(folder, name, "json").read_text(encoding="utf-8"))
        return State(**{**plain, "topics": tuple(plain["topics"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _locked(lock: int) -> bool:
    """Lock a file; return whether that could be done. Who just looks holds it for a moment."""
    for _ in range(10):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


def _is_alive(folder: Path, name: str) -> bool:
    try:
        return locks.is_held(_file(folder, name, "lock"))
    except OSError:
        return False


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TelcoError(
            f"the state of streams cannot be kept in {folder}: {error.strerror}; make room, or "
            "name another directory"
        ) from error
