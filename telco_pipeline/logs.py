"""Logs: where lines go beside the screen, from which level on, and in which form.

Belongs here: TELCO_LOG_*, and handlers of Python's logging for the `telco` command and for runs of
Dagster (dagster.yaml names `of_runs`). Does not belong here: what is said.

Lines are whole and appended, so several processes may share a file; it may be rotated while they
write. A log that cannot be written never stops the work: that is told once, on stderr.
"""

import contextlib
import datetime as dt
import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, Final

from telco_pipeline.errors import TelcoError

LEVEL: Final = "TELCO_LOG_LEVEL"
FORMAT: Final = "TELCO_LOG_FORMAT"
FILE: Final = "TELCO_LOG_FILE"
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
FORMATS: Final = ("text", "json")

LOGGER: Final = logging.getLogger("telco_pipeline")
_SAID: Final = logging.getLogger("telco_pipeline.said")

RUNS: Final = "telco_pipeline.logs.forwarder"
FILE_OF_RUNS: Final = "telco_pipeline.logs.of_runs"

_SECRET: Final = re.compile(r"(?<=://)([^\s/:@]*):[^\s/@]+@")
_META: Final = "dagster_meta"


@dataclass(frozen=True)
class LogSettings:
    """What is logged, and where to.

    Attributes:
        level: From which level on, as Python's logging counts; None if nobody said.
        form: `text` or `json`.
        file: A file to append to; None for none.
    """

    level: int | None = None
    form: str = "text"
    file: Path | None = None

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, **options: str | None
    ) -> "LogSettings":
        """Read the variables; an empty one counts as not set.

        Args:
            environ: The variables; those of this process when None.
            **options: `level`, `format` and `file` as typed, which beat them; None says nothing.

        Raises:
            TelcoError: A word is unknown, or the file cannot be.
        """
        environ = os.environ if environ is None else environ
        said: dict[str, tuple[str, str]] = {}
        for option, name in {"level": LEVEL, "format": FORMAT, "file": FILE}.items():
            typed = options.get(option)
            said[option] = (
                (name, environ.get(name, "").strip())
                if typed is None
                else (f"--log-{option}", typed.strip())
            )
        level = _one_of(*said["level"], LEVELS)
        return cls(
            level=logging.getLevelName(level.upper()) if level else None,
            form=_one_of(*said["format"], FORMATS) or "text",
            file=_file(*said["file"]),
        )


def _one_of(name: str, word: str, known: tuple[str, ...]) -> str:
    if word and word.lower() not in known:
        raise TelcoError(
            f"{name}: must be {', '.join(known[:-1])} or {known[-1]}, not {word[:40]!r}"
        )
    return word.lower()


def _file(name: str, text: str) -> Path | None:
    if not text:
        return None
    path = Path(text)
    if path.is_dir():
        raise TelcoError(f"{name}: {path} is a directory; name a file")
    if not path.parent.is_dir():
        raise TelcoError(f"{name}: there is no directory {path.parent}; make it, or name another")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise TelcoError(f"{name}: {path} may not be written to; choose another path")
    return path


# --- the command ----------------------------------------------------------------------------


def begin(settings: LogSettings) -> None:
    """Log what the `telco` command does, into the file and, if a level was said, on stderr.

    Called again it replaces what it set up before.
    """
    for handler in list(LOGGER.handlers):
        LOGGER.removeHandler(handler)
        handler.close()
    if settings.level is not None:
        console = logging.StreamHandler(sys.stderr)
        console.addFilter(lambda record: record.name != _SAID.name)
        LOGGER.addHandler(_formed(console, settings))
    if settings.file is not None:
        LOGGER.addHandler(_formed(_LogFile(settings.file), settings))
    LOGGER.setLevel(settings.level or logging.INFO)


def is_on() -> bool:
    """Whether anything is logged in this process."""
    return bool(LOGGER.handlers)


def said(text: str, level: int = logging.INFO) -> None:
    """Log what the command has shown on the screen by itself: into the file alone."""
    # Without a handler Python would print warnings by itself.
    if is_on():
        _SAID.log(level, "%s", text)


def instance_settings() -> dict[str, Any]:
    """Return settings of a Dagster instance whose runs' lines are logged here, if anything is."""
    if not is_on():
        return {}
    return {"python_logs": {"dagster_handler_config": {"handlers": {"telco": {"()": RUNS}}}}}


def forwarder() -> logging.Handler:
    """Return a handler that hands the lines of a run in this process to `LOGGER`."""
    return _Forwarder()


class _Forwarder(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= LOGGER.level:
            LOGGER.handle(record)


def masked(text: str) -> str:
    """Return a text without the passwords of addresses in it."""
    return _SECRET.sub(r"\1:***@", text)


# --- runs of Dagster ------------------------------------------------------------------------


def of_runs() -> logging.Handler:
    """Return the handler of all runs of an instance: into the file of TELCO_LOG_FILE, if any."""
    settings = LogSettings.from_env()
    if settings.file is None:
        return logging.NullHandler()
    return _formed(_LogFile(settings.file), settings)


# --- lines ----------------------------------------------------------------------------------


def _formed(handler: logging.Handler, settings: LogSettings) -> logging.Handler:
    handler.setLevel(settings.level or logging.INFO)
    handler.setFormatter(_Json() if settings.form == "json" else _Text())
    return handler


class _LogFile(WatchedFileHandler):
    """A file that is opened at the first line, and says once if it cannot be written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", delay=True)
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what is left in the buffer of a full disk
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (Python's name)
        error = sys.exc_info()[1]
        if not self._told:
            self._told = True
            with contextlib.suppress(OSError, AttributeError, ValueError):
                sys.stderr.write(f"telco: cannot write the log {self.baseFilename}: {error}\n")


class _Text(logging.Formatter):
    """Time (UTC), level, what it is about, message; what follows an error in lines below it."""

    def format(self, record: logging.LogRecord) -> str:
        about = _about(record)
        where = " ".join(about[name] for name in ("run", "job", "step") if name in about)
        what = about.get("message", "")
        line = f"{_time(record)} {record.levelname:<8} {where or record.name}: {what}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    """One object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        told = {"time": _time(record), "level": record.levelname, "logger": record.name}
        told |= _about(record)
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


def _time(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _about(record: logging.LogRecord) -> dict[str, str]:
    """Return the message, and of a line of a run which run, job and step."""
    meta = getattr(record, _META, None)
    if not isinstance(meta, Mapping):
        return {"message": masked(record.getMessage())}
    message = meta.get("orig_message") or record.getMessage()
    why = _why(meta.get("dagster_event"))
    found = {
        "message": masked(f"{message} {why}" if why else message),
        "run": meta.get("run_id"),
        "job": meta.get("job_name"),
        "step": meta.get("step_key"),
    }
    return {name: value for name, value in found.items() if value}


def _why(event: Any) -> str:
    """Return why a step or run failed, of an event of Dagster that says so; its line does not."""
    data = getattr(event, "event_specific_data", None)
    told = getattr(getattr(data, "user_failure_data", None), "description", None)
    error: Any = getattr(data, "error", None)
    while error is not None and getattr(error, "cause", None) is not None:
        error = error.cause
    return " ".join(str(told or getattr(error, "message", None) or "").split())
