"""A real mail server and a real web server on 127.0.0.1, which keep what they are told.

Belongs here: servers and certificates. Does not belong here: what is told.
"""

import asyncio
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from deploy.kafka.broker import make_certificates

HOST = "127.0.0.1"
USER = "notifier"
PASSWORD = "pass word of the tests"


@dataclass
class Inbox:
    """What a mail server was handed, and how.

    Attributes:
        answers: What it says to the next mails instead of taking them.
        refused: Recipients that it does not take.
    """

    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[object] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refused: frozenset[str] = frozenset()
    port: int = 0

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(message_from_bytes(content, policy=policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        self.users.append(session.auth_data)
        return "250 OK"


def check_password(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    good = isinstance(data, LoginPassword) and data == LoginPassword(
        USER.encode(), PASSWORD.encode()
    )
    # A bad server that repeats the password: ours must not.
    said = "235 welcome" if good else f"535 5.7.8 {data.password.decode()} is wrong"
    return AuthResult(success=good, handled=False, message=said, auth_data=USER)


@dataclass(frozen=True)
class Certificates:
    authority: Path
    context: ssl.SSLContext


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Make an authority of our own and a certificate for localhost and 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "broker.crt", folder / "broker.key")
    return Certificates(folder / "ca.pem", context)


@contextmanager
def mail_server(tls: str, certificates: Certificates | None = None) -> Iterator[Inbox]:
    """Run a mail server: `starttls` and `tls` want a password, `none` takes anything."""
    inbox = Inbox()
    how: dict[str, Any] = {"hostname": HOST, "port": 0, "ready_timeout": 30.0}
    if tls != "none":
        assert certificates is not None
        how |= {"authenticator": check_password, "auth_required": True}
    if tls == "starttls":
        how |= {"tls_context": certificates.context, "require_starttls": True}  # type: ignore[union-attr]
    elif tls == "tls":
        # To aiosmtpd a connection counts as encrypted after STARTTLS alone.
        how |= {"ssl_context": certificates.context, "auth_require_tls": False}  # type: ignore[union-attr]
    controller = _Controller(inbox, **how)
    controller.start()
    try:
        inbox.port = controller.port
        yield inbox
    finally:
        controller.stop()


class _Controller(Controller):
    """Takes any free port, and knows which."""

    def _trigger_server(self) -> None:
        # The first connection shows that it serves; it must know where.
        assert isinstance(self.server, asyncio.base_events.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@dataclass
class Received:
    """What a web server was posted, and what it answers (200 when nothing is left)."""

    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/services/T00/a-secret-path"


@contextmanager
def web_server() -> Iterator[Received]:
    """Run a web server that takes JSON."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = received.answers.pop(0) if received.answers else 200
            if status == 200:
                assert self.headers["Content-Type"] == "application/json"
                received.posts.append((self.path, json.loads(body)))
            said = b"ok" if status == 200 else b"no_text"
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            if 300 <= status < 400:
                self.send_header("Location", f"http://{HOST}:{received.port}/elsewhere")
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *told: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    received.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield received
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
