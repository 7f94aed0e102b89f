"""TELCO_NOTIFY_*: what they say, and what is refused in one line."""

from pathlib import Path

import pytest

from telco_pipeline.errors import TelcoError
from telco_pipeline.notifications.message import Status
from telco_pipeline.notifications.settings import VARIABLES, Notifications

JOBS = frozenset({"operate", "make_records", "push"})
MAIL = {
    "TELCO_NOTIFY_TO": "ops@example.org, boss@example.org",
    "TELCO_NOTIFY_FROM": "Telco <telco@example.org>",
    "TELCO_NOTIFY_SMTP_HOST": "mail.example.org",
}
LOGIN = {"TELCO_NOTIFY_SMTP_USER": "telco", "TELCO_NOTIFY_SMTP_PASSWORD": "s3cret word"}


def read(**said: str) -> Notifications:
    return Notifications.from_env(JOBS, {f"TELCO_NOTIFY_{name}": said[name] for name in said})


def test_nothing_is_said() -> None:
    nothing = Notifications.from_env(JOBS, {"PATH": "/bin", "TELCO_NOTIFY_TO": " "})
    assert nothing == Notifications()
    assert not nothing.names_somebody
    assert nothing.wants("operate")


def test_mail_by_default_is_encrypted() -> None:
    mail = Notifications.from_env(JOBS, MAIL | LOGIN).mail
    assert mail is not None
    assert (mail.tls, mail.port, mail.ca) == ("starttls", 587, None)
    assert mail.to == ("ops@example.org", "boss@example.org")
    assert mail.password == "s3cret word"


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_usual_ports(tls: str, port: int) -> None:
    mail = Notifications.from_env(JOBS, MAIL | {"TELCO_NOTIFY_SMTP_TLS": tls}).mail
    assert mail is not None
    assert mail.address == f"mail.example.org:{port}"


def test_jobs_and_statuses() -> None:
    some = read(JOBS="push, operate", STATUSES="failure,canceled", UI="http://127.0.0.1:3000/")
    assert some.wants("push")
    assert not some.wants("make_records")
    assert some.statuses == {Status.FAILURE, Status.CANCELED}
    assert some.ui == "http://127.0.0.1:3000"
    assert read(JOBS="all").jobs is None
    assert read(STATUSES="all").statuses == set(Status)


def test_secrets_are_not_shown() -> None:
    hook = {"TELCO_NOTIFY_WEBHOOK": "https://hooks.example.org/T00/secretpath"}
    told = repr(Notifications.from_env(JOBS, MAIL | LOGIN | hook))
    assert "s3cret" not in told
    assert "secretpath" not in told


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"SMTP_HOTS": "x"}, "TELCO_NOTIFY_SMTP_HOTS: no such variable: .*TELCO_NOTIFY_SMTP_HOST"),
        ({"STATUSES": "failed"}, "TELCO_NOTIFY_STATUSES: no 'failed': .*failure"),
        ({"JOBS": "operat"}, "TELCO_NOTIFY_JOBS: no 'operat': .*operate"),
        ({"JOBS": "xyz"}, "no 'xyz': there are make_records, operate, push"),
        ({"UI": "127.0.0.1:3000"}, "TELCO_NOTIFY_UI: must be an address such as https://"),
        ({"WEBHOOK": "https://host:port/x"}, "TELCO_NOTIFY_WEBHOOK: must be an address"),
        ({"WEBHOOK": "ftp://host/x"}, "TELCO_NOTIFY_WEBHOOK: must be an address"),
        ({"SMTP_HOST": "mail"}, "TELCO_NOTIFY_SMTP_HOST is set, but nobody is written to"),
        ({"TO": "ops"}, "TELCO_NOTIFY_TO: 'ops' is no e-mail address"),
        ({"TO": "a@b\n.c"}, "is no e-mail address"),
        ({"TO": "a@b.c"}, "TELCO_NOTIFY_TO is set, TELCO_NOTIFY_FROM is not"),
        ({"TO": "a@b.c", "FROM": "a@b.c"}, "TELCO_NOTIFY_SMTP_HOST is not"),
    ],
)
def test_what_is_refused(said: dict[str, str], line: str) -> None:
    with pytest.raises(TelcoError, match=line):
        read(**said)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"SMTP_TLS": "ssl"}, "TELCO_NOTIFY_SMTP_TLS: must be starttls or tls or none, not 'ssl'"),
        ({"SMTP_PORT": "0"}, "TELCO_NOTIFY_SMTP_PORT: must be a whole number from 1 to 65,535"),
        ({"SMTP_PORT": "587x"}, "TELCO_NOTIFY_SMTP_PORT: must be"),
        ({"SMTP_USER": "me"}, "TELCO_NOTIFY_SMTP_USER is set, TELCO_NOTIFY_SMTP_PASSWORD is not"),
        ({"SMTP_PASSWORD": "x"}, "TELCO_NOTIFY_SMTP_PASSWORD is set, TELCO_NOTIFY_SMTP_USER is"),
        ({"SMTP_CA": "/no/such.pem"}, "TELCO_NOTIFY_SMTP_CA: there is no file /no/such.pem"),
        ({"SMTP_HOST": "a b"}, "TELCO_NOTIFY_SMTP_HOST: 'a b' is no name of a host"),
        ({"FROM": "x\nBcc: all <a@b.c>"}, "TELCO_NOTIFY_FROM: .* is no e-mail address"),
        ({"FROM": "nobody"}, "TELCO_NOTIFY_FROM: 'nobody' is no e-mail address"),
        (
            {"SMTP_TLS": "none", "SMTP_USER": "me", "SMTP_PASSWORD": "s3cret"},
            "a password is sent over TLS only",
        ),
    ],
)
def test_what_is_refused_of_a_mail_server(said: dict[str, str], line: str) -> None:
    with pytest.raises(TelcoError, match=line) as refused:
        Notifications.from_env(JOBS, MAIL | {f"TELCO_NOTIFY_{name}": said[name] for name in said})
    assert "s3cret" not in str(refused.value)


def test_a_webhook_that_is_refused_is_not_repeated() -> None:
    with pytest.raises(TelcoError) as refused:
        read(WEBHOOK="hooks.example.org/T00/secretpath")
    assert "secretpath" not in str(refused.value)


def test_the_docs_have_every_variable() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    assert [name for name in VARIABLES if f"| `{name}` |" not in docs] == []
