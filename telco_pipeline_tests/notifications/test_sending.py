"""What a message says, and that it gets to a real mail server and a real web server."""

import datetime as dt
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.notifications import sending
from telco_pipeline.notifications.message import FailedStep, RunReport, Status
from telco_pipeline.notifications.settings import Hook, Mail, Notifications
from telco_pipeline_tests.notifications.servers import (
    HOST,
    PASSWORD,
    USER,
    Certificates,
    Inbox,
    Received,
    certificates,  # noqa: F401  (a fixture)
    mail_server,
    web_server,
)

# That a password without STARTTLS may be seen: in these tests it is TLS from the first byte.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

RUN = "0b1d2c3e-1111-2222-3333-444455556666"
REPORT = RunReport(
    run_id=RUN,
    job="make_records",
    status=Status.FAILURE,
    days="2026-01-05 to 2026-01-07",
    ended=dt.datetime(2026, 1, 8, 1, 33, 12, tzinfo=dt.UTC),
    seconds=192.4,
    failed=(FailedStep("cdrs_voice", "data/lake has no cells yet: make it first."),),
    advice="Mend what it says, then re-execute the run from failure in Dagster.",
    link=f"http://127.0.0.1:3000/runs/{RUN}",
)
TO = ("ops@example.org", "boss@example.org")


def mail_to(inbox: Inbox, tls: str = "none", ca: Certificates | None = None, **more: str) -> Mail:
    login = {} if tls == "none" else {"user": USER, "password": PASSWORD}
    authority = str(ca.authority) if ca else None
    mail = Mail(HOST, inbox.port, tls, "Telco <telco@example.org>", TO, ca=authority, **login)
    return replace(mail, **more)  # type: ignore[arg-type]


def told(mail: Mail) -> str:
    """Send to a server that does not take it; return what is said of that."""
    waits: list[float] = []
    with pytest.raises(TelcoError) as refused:
        sending.send(REPORT, Notifications(mail=mail), waits.append)
    line = str(refused.value)
    assert line.startswith(f"not told of run {RUN}: mail server {mail.address}: ")
    assert "\n" not in line
    assert PASSWORD not in line
    return line


@pytest.fixture
def plain() -> Iterator[Inbox]:
    with mail_server("none") as inbox:
        yield inbox


@pytest.fixture
def web() -> Iterator[Received]:
    with web_server() as received:
        yield received


def test_what_a_message_says() -> None:
    assert REPORT.subject == "telco: make_records failed: 2026-01-05 to 2026-01-07"
    assert REPORT.text.splitlines() == [
        "telco: make_records failed: 2026-01-05 to 2026-01-07",
        "",
        "cdrs_voice: data/lake has no cells yet: make it first.",
        "",
        "What to do: Mend what it says, then re-execute the run from failure in Dagster.",
        "",
        "Days: 2026-01-05 to 2026-01-07",
        "Took: 0:03:12",
        "Ended: 2026-01-08 01:33:12 UTC",
        f"Run: http://127.0.0.1:3000/runs/{RUN}",
    ]
    many = replace(REPORT, failed=tuple(FailedStep(f"step{n}", "no.") for n in range(5)))
    assert "step2: no.\nand 2 more steps failed\n" in many.text
    assert "step3" not in many.text
    assert len(many.fields()["failed"]) == 5
    well = RunReport(RUN, "operate", Status.SUCCESS)
    assert well.text == f"telco: operate succeeded\n\nRun: {RUN}\n"


@pytest.mark.parametrize("tls", ["none", "starttls", "tls"])
def test_a_mail_arrives(tls: str, certificates: Certificates) -> None:  # noqa: F811
    with mail_server(tls, certificates) as inbox:
        ca = None if tls == "none" else certificates
        sending.send(REPORT, Notifications(mail=mail_to(inbox, tls, ca)))
    (mail,) = inbox.mails
    assert mail["Subject"] == REPORT.subject
    assert mail["From"] == "Telco <telco@example.org>"
    assert mail["To"] == "ops@example.org, boss@example.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"]
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail.get_content().splitlines() == REPORT.text.splitlines()
    assert inbox.recipients == [list(TO)]
    assert inbox.encrypted == [tls == "starttls"], "aiosmtpd knows of STARTTLS alone"
    assert inbox.users == [None if tls == "none" else USER]


def test_words_cannot_become_headers(plain: Inbox) -> None:
    odd = replace(REPORT, days="2026-01-05\nBcc: all@example.org", job="é" * 80)
    sending.send(odd, Notifications(mail=mail_to(plain)))
    (mail,) = plain.mails
    assert mail["Bcc"] is None
    assert "2026-01-05 Bcc: all@example.org" in mail["Subject"]
    assert plain.recipients == [list(TO)]


def test_a_wrong_password(certificates: Certificates) -> None:  # noqa: F811
    with mail_server("starttls", certificates) as inbox:
        line = told(mail_to(inbox, "starttls", certificates, password="the wrong one"))
        assert "it refuses user or password (535 5.7.8 *** is wrong): check TELCO_NOTIFY_S" in line
        line = told(mail_to(inbox, "starttls", certificates, user="", password=""))
        assert "refuse" in line or "no mail" in line
    assert not inbox.mails


def test_a_certificate_that_is_not_trusted(certificates: Certificates) -> None:  # noqa: F811
    for tls in ("starttls", "tls"):
        with mail_server(tls, certificates) as inbox:
            line = told(mail_to(inbox, tls))
        assert "its certificate is not trusted (" in line
        assert "TELCO_NOTIFY_SMTP_CA" in line
        assert not inbox.mails, "the password must not go to who cannot prove its name"


def test_a_file_of_authorities_that_is_none(plain: Inbox, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    mail = replace(mail_to(plain), tls="starttls", ca=str(file))
    with pytest.raises(TelcoError, match=r"SMTP_CA: .* cannot be read as certificates"):
        sending.send(REPORT, Notifications(mail=mail))


def test_the_wrong_way_to_encrypt(certificates: Certificates, plain: Inbox) -> None:  # noqa: F811
    assert "it offers no STARTTLS: set TELCO_NOTIFY_SMTP_TLS to tls" in told(
        replace(mail_to(plain), tls="starttls")
    )
    assert "no TLS is spoken there" in told(replace(mail_to(plain), tls="tls"))
    assert "it does not let anybody log in" in told(
        replace(mail_to(plain), user=USER, password=PASSWORD)
    )
    with mail_server("starttls", certificates) as inbox:
        assert "it refuses the mail (530 " in told(mail_to(inbox))


def test_recipients_that_are_not_taken(plain: Inbox) -> None:
    plain.refused = frozenset({"boss@example.org"})
    with pytest.raises(TelcoError, match=r"does not take mail for boss@example\.org"):
        sending.send(REPORT, Notifications(mail=mail_to(plain)))
    assert plain.recipients == [["ops@example.org"]]
    plain.refused = frozenset(TO)
    assert "it takes no mail for boss@example.org, ops@example.org" in told(mail_to(plain))


def test_a_fault_that_passes_is_tried_again(plain: Inbox) -> None:
    waits: list[float] = []
    plain.answers = ["451 try later"]
    sending.send(REPORT, Notifications(mail=mail_to(plain)), waits.append)
    assert waits == [sending.WAIT]
    assert len(plain.mails) == 1
    plain.answers = ["451 try later"] * 2
    assert "it refuses the mail (451 try later)" in told(mail_to(plain))
    plain.answers = ["554 never"]
    assert "it refuses the mail (554 never)" in told(mail_to(plain))
    assert len(plain.mails) == 1


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(sending, "TIMEOUT", 0.2)
        assert "no answer within 0.2 s" in told(Mail(HOST, port, "none", "a@b.c", TO))
    assert "nobody listens there: check TELCO_NOTIFY_SMTP_HOST" in told(
        Mail(HOST, port, "none", "a@b.c", TO)
    )


def test_a_webhook_is_told(web: Received) -> None:
    sending.send(REPORT, Notifications(hook=Hook(web.url)))
    ((path, body),) = web.posts
    assert path == "/services/T00/a-secret-path"
    assert body == {
        "text": REPORT.text.rstrip(),
        "run_id": RUN,
        "job": "make_records",
        "status": "failure",
        "days": "2026-01-05 to 2026-01-07",
        "ended": "2026-01-08T01:33:12+00:00",
        "seconds": 192.4,
        "failed": [{"step": "cdrs_voice", "message": "data/lake has no cells yet: make it first."}],
        "advice": REPORT.advice,
        "link": REPORT.link,
    }


@pytest.mark.parametrize(("status", "tries"), [(503, 2), (429, 2), (404, 1), (302, 1)])
def test_a_webhook_that_refuses(web: Received, status: int, tries: int) -> None:
    web.answers = [status] * tries
    waits: list[float] = []
    with pytest.raises(TelcoError) as refused:
        sending.send(REPORT, Notifications(hook=Hook(web.url)), waits.append)
    line = str(refused.value)
    assert f"webhook http://127.0.0.1:{web.port} answers {status} (no_text): check" in line
    assert "secret" not in line
    assert len(waits) == tries - 1
    assert not web.answers
    assert not web.posts, "a redirect was followed"


def test_a_webhook_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def line(url: str) -> str:
        with pytest.raises(TelcoError) as refused:
            sending.send(REPORT, Notifications(hook=Hook(url)), lambda seconds: None)
        assert "secret" not in str(refused.value)
        return str(refused.value)

    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(sending, "TIMEOUT", 0.2)
        assert "no answer within 0.2 s" in line(f"http://{HOST}:{port}/secret")
    assert "nobody answers: check TELCO_NOTIFY_WEBHOOK" in line(f"http://{HOST}:{port}/secret")


def test_one_way_that_fails_does_not_keep_it_from_the_other(web: Received, plain: Inbox) -> None:
    plain.answers = ["554 never"]
    both = Notifications(mail=mail_to(plain), hook=Hook(web.url))
    with pytest.raises(TelcoError, match="554 never"):
        sending.send(REPORT, both)
    assert len(web.posts) == 1
    sending.send(REPORT, both)
    assert (len(web.posts), len(plain.mails)) == (2, 1)


def test_nobody_is_named() -> None:
    with pytest.raises(TelcoError, match="set TELCO_NOTIFY_TO or TELCO_NOTIFY_WEBHOOK"):
        sending.send(REPORT, Notifications())
