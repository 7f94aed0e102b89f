"""Settings: whom to tell of which runs, from the TELCO_NOTIFY_* variables.

Belongs here: reading and checking them. Does not belong here: what is told (`message`).

Passwords and the webhook's address (which is a secret at most services) are in no `repr` and in no
message.
"""

import os
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from telco_pipeline.errors import TelcoError
from telco_pipeline.notifications.message import Status
from telco_pipeline.settings import values

PREFIX: Final = "TELCO_NOTIFY_"
STATUSES: Final = f"{PREFIX}STATUSES"
JOBS: Final = f"{PREFIX}JOBS"
UI: Final = f"{PREFIX}UI"
TO: Final = f"{PREFIX}TO"
FROM: Final = f"{PREFIX}FROM"
HOST: Final = f"{PREFIX}SMTP_HOST"
PORT: Final = f"{PREFIX}SMTP_PORT"
TLS: Final = f"{PREFIX}SMTP_TLS"
USER: Final = f"{PREFIX}SMTP_USER"
PASSWORD: Final = f"{PREFIX}SMTP_PASSWORD"
CA: Final = f"{PREFIX}SMTP_CA"
WEBHOOK: Final = f"{PREFIX}WEBHOOK"
VARIABLES: Final = (STATUSES, JOBS, UI, TO, FROM, HOST, PORT, TLS, USER, PASSWORD, CA, WEBHOOK)
ALL: Final = "all"

PORTS: Final[Mapping[str, int]] = {"starttls": 587, "tls": 465, "none": 25}
"""The usual port of each way to encrypt mail (RFC 8314)."""

_ADDRESS: Final = re.compile(r"[!-~]+@[A-Za-z0-9.-]+|[!-~]+@\[[0-9A-Fa-f.:]+\]")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Mail:
    """A mail server, and who is written to.

    Attributes:
        host: The server.
        port: Its port.
        tls: `starttls`, `tls` (from the first byte) or `none`.
        sender: What stands in From.
        to: Addresses that are written to.
        user: Who logs in; empty for nobody.
        password: That user's.
        ca: File with the authorities to trust; None for those that are known.
    """

    host: str
    port: int
    tls: str
    sender: str
    to: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    ca: str | None = None

    @property
    def address(self) -> str:
        """The server, for messages."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Hook:
    """A webhook: where a message is posted to as JSON.

    Attributes:
        url: The address; its path is a secret at most services.
    """

    url: str = field(repr=False)

    @property
    def address(self) -> str:
        """Scheme and host, for messages."""
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"


@dataclass(frozen=True)
class Notifications:
    """Whom to tell of which runs.

    Attributes:
        statuses: Ends of a run whose sensors are on without being switched on.
        jobs: Jobs that are told of; None for all.
        ui: Address of Dagster's UI without a slash at the end; empty for no links.
        mail: How mail is sent; None for none.
        hook: The webhook; None for none.
    """

    statuses: frozenset[Status] = frozenset()
    jobs: frozenset[str] | None = None
    ui: str = ""
    mail: Mail | None = None
    hook: Hook | None = None

    @classmethod
    def from_env(
        cls, known_jobs: AbstractSet[str], environ: Mapping[str, str] | None = None
    ) -> "Notifications":
        """Read the TELCO_NOTIFY_* variables; an empty one counts as not set.

        Args:
            known_jobs: Names of the jobs that there are.
            environ: The variables; those of this process when None.

        Raises:
            TelcoError: A variable is unknown, a value cannot be, or two do not go together.
        """
        environ = os.environ if environ is None else environ
        for name in environ:
            if name.startswith(PREFIX) and name not in VARIABLES:
                raise TelcoError(f"{name}: no such variable: {_near(name, VARIABLES)}")
        # A password may begin or end with a blank.
        said = {name: environ.get(name, "").strip() for name in VARIABLES}
        said[PASSWORD] = environ.get(PASSWORD, "")
        jobs = _words(said, JOBS, known_jobs)
        return cls(
            statuses=cls.switched_on(environ),
            jobs=jobs if said[JOBS] and jobs < known_jobs else None,
            ui=_url(said, UI).rstrip("/"),
            mail=_mail(said),
            hook=Hook(_url(said, WEBHOOK)) if said[WEBHOOK] else None,
        )

    @staticmethod
    def switched_on(environ: Mapping[str, str] | None = None) -> frozenset[Status]:
        """Read TELCO_NOTIFY_STATUSES alone.

        Raises:
            TelcoError: A word is unknown.
        """
        environ = os.environ if environ is None else environ
        words = _words({STATUSES: environ.get(STATUSES, "")}, STATUSES, tuple(Status))
        return frozenset(Status(word) for word in words)

    @property
    def names_somebody(self) -> bool:
        """Whether there is anybody to tell."""
        return self.mail is not None or self.hook is not None

    def wants(self, job: str) -> bool:
        """Whether the runs of a job are told of."""
        return self.jobs is None or job in self.jobs


def _near(word: str, known: Sequence[str] | AbstractSet[str]) -> str:
    return values.closest(word, known) or f"there are {', '.join(known)}"


def _words(
    said: Mapping[str, str], name: str, known: Sequence[str] | AbstractSet[str]
) -> frozenset[str]:
    """Return the words of a list, separated by commas; `all` is all that there are."""
    words = [word.strip() for word in said[name].split(",") if word.strip()]
    if words == [ALL]:
        return frozenset(known)
    for word in words:
        if word not in known:
            raise TelcoError(f"{name}: no {word[:40]!r}: {_near(word, sorted(known))}")
    return frozenset(words)


def _url(said: Mapping[str, str], name: str) -> str:
    url = said[name]
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none
        good = False
    if not good or any(letter.isspace() for letter in url):
        # Not repeated: it may be a secret.
        raise TelcoError(f"{name}: must be an address such as https://host/path")
    return url


def _mail(said: Mapping[str, str]) -> Mail | None:
    """Return how mail is sent, if somebody is to get some."""
    to = tuple(word.strip() for word in said[TO].split(",") if word.strip())
    if not to:
        if given := [name for name in (FROM, HOST, PORT, TLS, USER, PASSWORD, CA) if said[name]]:
            raise TelcoError(f"{given[0]} is set, but nobody is written to: set {TO}")
        return None
    for address in to:
        if not _ADDRESS.fullmatch(address):
            raise TelcoError(f"{TO}: {address[:80]!r} is no e-mail address")
    for name in (FROM, HOST):
        if not said[name]:
            raise TelcoError(f"{TO} is set, {name} is not: set both")
    if not said[FROM].isprintable() or not _ADDRESS.fullmatch(parseaddr(said[FROM])[1]):
        raise TelcoError(f"{FROM}: {said[FROM][:80]!r} is no e-mail address")
    if any(letter.isspace() for letter in said[HOST]):
        raise TelcoError(f"{HOST}: {said[HOST][:80]!r} is no name of a host")
    tls = said[TLS] or "starttls"
    if tls not in PORTS:
        raise TelcoError(f"{TLS}: must be {' or '.join(PORTS)}, not {tls[:40]!r}")
    if bool(said[USER]) != bool(said[PASSWORD]):
        there, missing = (USER, PASSWORD) if said[USER] else (PASSWORD, USER)
        raise TelcoError(f"{there} is set, {missing} is not: set both, or neither")
    if said[PASSWORD] and tls == "none" and said[HOST] not in _LOOPBACK:
        raise TelcoError(f"{TLS} is none: a password is sent over TLS only; set starttls or tls")
    if said[CA] and not Path(said[CA]).is_file():
        raise TelcoError(f"{CA}: there is no file {said[CA]}")
    return Mail(
        host=said[HOST],
        port=_port(said[PORT]) or PORTS[tls],
        tls=tls,
        sender=said[FROM],
        to=to,
        user=said[USER],
        password=said[PASSWORD],
        ca=said[CA] or None,
    )


def _port(text: str) -> int:
    if not text:
        return 0
    if text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535:
        return int(text)
    raise TelcoError(f"{PORT}: must be a whole number from 1 to 65,535, not {text[:40]!r}")
