"""Sending: a message to a mail server or a webhook, and why it was not taken, in words.

Belongs here: SMTP and HTTP. Does not belong here: the words (`message`), to whom (`settings`).
"""

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from smtplib import (
    SMTP,
    SMTP_SSL,
    SMTPAuthenticationError,
    SMTPException,
    SMTPNotSupportedError,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)
from typing import Any, Final

import requests

from telco_pipeline.errors import TelcoError
from telco_pipeline.notifications.message import RunReport
from telco_pipeline.notifications.settings import (
    CA,
    HOST,
    PASSWORD,
    PORT,
    TLS,
    TO,
    USER,
    WEBHOOK,
    Hook,
    Mail,
    Notifications,
)

TIMEOUT: Final = 5.0
"""Seconds until a server has to answer: a tick of Dagster tells of five runs and lasts 60 s."""
WAIT: Final = 1.0
"""Seconds before the second try, after a fault that may pass."""
MOST_TOLD: Final = 200
"""Characters of what a server says that are repeated."""


def send(
    report: RunReport, settings: Notifications, sleep: Callable[[float], object] = time.sleep
) -> None:
    """Tell everybody who is to be told; one who cannot be reached does not keep it from others.

    Args:
        report: What is told.
        settings: Whom.
        sleep: Waits before the second try, after a fault that may pass.

    Raises:
        TelcoError: Nobody is named, or somebody was not told: who, why and what to do.
    """
    if not settings.names_somebody:
        raise TelcoError(f"nobody is named to be told of runs: set {TO} or {WEBHOOK}")
    problems: list[str] = []
    ways: list[Callable[[], None]] = []
    if mail := settings.mail:
        ways.append(lambda: _send_mail(report, mail))
    if hook := settings.hook:
        ways.append(lambda: _post(report, hook))
    for way in ways:
        try:
            _tried(way, sleep)
        except TelcoError as error:
            problems.append(str(error))
    if problems:
        raise TelcoError(f"not told of run {report.run_id}: {'; '.join(problems)}")


class _PassingError(TelcoError):
    """A fault that may have passed a second later."""


def _tried(way: Callable[[], None], sleep: Callable[[float], object]) -> None:
    try:
        way()
    except _PassingError:
        sleep(WAIT)
        way()


def _send_mail(report: RunReport, mail: Mail) -> None:
    try:
        refused = _deliver(message_of(report, mail), mail)
    except (OSError, SMTPException) as error:  # ssl's errors are OSErrors
        raise _explained(error, mail) from None
    if refused:
        raise TelcoError(f"mail server {mail.address} does not take mail for {_listed(refused)}")


def message_of(report: RunReport, mail: Mail) -> EmailMessage:
    """Return the mail that tells of a run."""
    message = EmailMessage()
    message["Subject"] = " ".join(report.subject.split())
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=parseaddr(mail.sender)[1].rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer of an absent reader
    message.set_content(report.text)
    return message


def _deliver(message: EmailMessage, mail: Mail) -> Mapping[str, object]:
    """Hand a mail to the server; return the recipients that it refuses, unless all."""
    # Asked for the name of this machine, smtplib would look it up in the network.
    how: dict[str, Any] = {"local_hostname": socket.gethostname(), "timeout": TIMEOUT}
    context = None if mail.tls == "none" else _trust(mail)
    if mail.tls == "tls":
        server: SMTP = SMTP_SSL(mail.host, mail.port, context=context, **how)
    else:
        server = SMTP(mail.host, mail.port, **how)
    with server:
        if mail.tls == "starttls":
            server.starttls(context=context)
        if mail.user:
            server.login(mail.user, mail.password)
        return server.send_message(message, to_addrs=list(mail.to))


def _trust(mail: Mail) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=mail.ca)
    except OSError:
        raise TelcoError(f"{CA}: {mail.ca} cannot be read as certificates (PEM)") from None


def _explained(error: Exception, mail: Mail) -> TelcoError:
    """Return why a mail was not taken, in words."""
    told = f"mail server {mail.address}: {_reason(error, mail)}"
    if len(mail.password) >= 4:  # should a server ever repeat it
        told = told.replace(mail.password, "***")
    temporary = isinstance(error, SMTPResponseException) and 400 <= error.smtp_code < 500
    passing = isinstance(error, ConnectionError | SMTPServerDisconnected) or temporary
    passing = passing and not _is_timeout(error)
    return (_PassingError if passing else TelcoError)(told)


def _reason(error: Exception, mail: Mail) -> str:
    if isinstance(error, SMTPAuthenticationError):
        return f"it refuses user or password ({_answer(error)}): check {USER} and {PASSWORD}"
    if isinstance(error, SMTPNotSupportedError) and "STARTTLS" in str(error):
        return f"it offers no STARTTLS: set {TLS} to tls, or to none for a server of this machine"
    if isinstance(error, SMTPNotSupportedError) or "No suitable auth" in str(error):
        return f"it does not let anybody log in: leave {USER} and {PASSWORD} unset"
    if isinstance(error, SMTPRecipientsRefused):
        return f"it takes no mail for {_listed(error.recipients)}: check {TO}"
    if isinstance(error, SMTPResponseException):
        return f"it refuses the mail ({_answer(error)})"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message or error.reason}): name the "
            f"file of its authority with {CA}, and the host as the certificate does"
        )
    if isinstance(error, ssl.SSLError):
        return f"no TLS is spoken there ({error.reason}): set {TLS} to starttls, or another {PORT}"
    if _is_timeout(error):
        return f"no answer within {TIMEOUT:g} s: check {HOST}, {PORT} and {TLS}"
    if isinstance(error, SMTPServerDisconnected):
        return f"it closes the connection: check {PORT} and {TLS}"
    if isinstance(error, socket.gaierror):
        return f"there is no such host: check {HOST}"
    if isinstance(error, ConnectionRefusedError):
        return f"nobody listens there: check {HOST} and {PORT}"
    return " ".join(str(error).split())[:MOST_TOLD] or type(error).__name__


def _is_timeout(error: Exception) -> bool:
    # After the greeting was waited for in vain, smtplib says so in its own words alone.
    return isinstance(error, TimeoutError) or (
        isinstance(error, SMTPServerDisconnected) and "timed out" in str(error)
    )


def _answer(error: SMTPResponseException) -> str:
    said: object = error.smtp_error
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return f"{error.smtp_code} {' '.join(text.split())[:MOST_TOLD]}"


def _listed(recipients: Mapping[str, object]) -> str:
    return ", ".join(sorted(recipients))


def _post(report: RunReport, hook: Hook) -> None:
    try:
        # Not followed: a message is for this host, and a redirected POST becomes a GET.
        answer = requests.post(
            hook.url, json=report.fields(), timeout=TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as error:
        # Its own words hold the address.
        raise _unreachable(error, hook) from None
    if answer.ok and not answer.is_redirect:
        return
    said = " ".join(answer.text.split())[:MOST_TOLD]
    told = f"webhook {hook.address} answers {answer.status_code}{f' ({said})' if said else ''}"
    passing = answer.status_code == 429 or answer.status_code >= 500
    raise (_PassingError if passing else TelcoError)(f"{told}: check {WEBHOOK}")


def _unreachable(error: requests.RequestException, hook: Hook) -> TelcoError:
    where = f"webhook {hook.address}"
    if isinstance(error, requests.Timeout):
        return TelcoError(f"{where}: no answer within {TIMEOUT:g} s")
    if isinstance(error, requests.exceptions.SSLError):
        return TelcoError(f"{where}: TLS failed: its certificate is not trusted, or it speaks none")
    if isinstance(error, requests.ConnectionError):
        return _PassingError(f"{where}: nobody answers: check {WEBHOOK} and the network")
    return TelcoError(f"{where}: {type(error).__name__}")
