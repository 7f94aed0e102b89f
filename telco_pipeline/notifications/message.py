"""Message: what is said of a run that ended.

Belongs here: the words. Does not belong here: to whom (`settings`), how it gets there (`sending`).
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

MOST_STEPS: Final = 3
"""Failed steps of which a mail tells."""


class Status(StrEnum):
    """How a run ended."""

    FAILURE = "failure"
    SUCCESS = "success"
    CANCELED = "canceled"


VERBS: Final[Mapping[Status, str]] = {
    Status.FAILURE: "failed",
    Status.SUCCESS: "succeeded",
    Status.CANCELED: "was cancelled",
}


@dataclass(frozen=True)
class FailedStep:
    """A step that failed.

    Attributes:
        step: Its name; empty for the run as a whole.
        line: What it said, in one line.
    """

    step: str
    line: str


@dataclass(frozen=True)
class RunReport:
    """What is told of a run that ended.

    Attributes:
        run_id: Its id in Dagster.
        job: Its job, or what was materialised.
        status: How it ended.
        days: The days that it was for, in words; empty for none.
        ended: When it ended (UTC); None if Dagster does not know.
        seconds: How long it took; None if it never began.
        failed: The steps that failed, in order of time.
        advice: What to do; empty if there is nothing.
        link: Its page in Dagster's UI; empty if the UI's address is not known.
    """

    run_id: str
    job: str
    status: Status
    days: str = ""
    ended: dt.datetime | None = None
    seconds: float | None = None
    failed: tuple[FailedStep, ...] = ()
    advice: str = ""
    link: str = ""

    @property
    def subject(self) -> str:
        """The message in a line."""
        days = f": {self.days}" if self.days else ""
        return f"telco: {self.job} {VERBS[self.status]}{days}"

    @property
    def text(self) -> str:
        """The message as plain text."""
        lines = [self.subject, ""]
        shown = self.failed[:MOST_STEPS]
        lines += [f"{one.step}: {one.line}" if one.step else one.line for one in shown]
        if more := len(self.failed) - len(shown):
            lines.append(f"and {more} more steps failed")
        if self.advice:
            lines += ["", f"What to do: {self.advice}"]
        told = {
            "Days": self.days,
            "Took": str(dt.timedelta(seconds=round(self.seconds))) if self.seconds else "",
            "Ended": f"{self.ended:%Y-%m-%d %H:%M:%S} UTC" if self.ended else "",
            "Run": self.link or self.run_id,
        }
        lines += ["", *(f"{name}: {value}" for name, value in told.items() if value)]
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"

    def fields(self) -> dict[str, Any]:
        """Return the message as a webhook gets it: `text` for people, the rest for programs."""
        return {
            "text": self.text.rstrip(),
            "run_id": self.run_id,
            "job": self.job,
            "status": str(self.status),
            "days": self.days,
            "ended": self.ended.isoformat() if self.ended else None,
            "seconds": None if self.seconds is None else round(self.seconds, 3),
            "failed": [{"step": one.step, "message": one.line} for one in self.failed],
            "advice": self.advice,
            "link": self.link,
        }
