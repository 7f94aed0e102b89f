"""A schema registry: registering schemas, fetching them, and its refusals in words.

Belongs here: the REST interface of Confluent's registry, as far as it is needed, which Karapace,
Redpanda and Apicurio (below `/apis/ccompat/v7`) speak too. Does not belong here: which schemas
there are, Avro itself (`avro`).

Three requests do not need Confluent's own client, which would bring another HTTP library and one
for OAuth. User and password come from the environment; they are in no `repr` or message.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import requests
from requests.auth import HTTPBasicAuth

from telco_pipeline.errors import TelcoError

USERNAME: Final = "SCHEMA_REGISTRY_USERNAME"
PASSWORD: Final = "SCHEMA_REGISTRY_PASSWORD"
CA_LOCATION: Final = "SCHEMA_REGISTRY_SSL_CA_LOCATION"

_CONNECT_SECONDS: Final = 4.0
_ANSWER_SECONDS: Final = 8.0
_MEDIA: Final = "application/vnd.schemaregistry.v1+json"
_MOST_TOLD: Final = 300
"""Characters of what a server says that are repeated."""
_MOST_DIFFERENCES: Final = 5
_ADDRESS: Final = re.compile(r"https?://[^\s/]+(/\S*)?")

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Registry:
    """A schema registry, and how to be let in.

    Attributes:
        url: Its address, without a slash at the end.
        user: Name and password; None if it asks for none.
        ca: File with the authorities to trust; None for those that are known.
    """

    url: str
    user: tuple[str, str] | None = field(default=None, repr=False)
    ca: str | None = None

    @classmethod
    def of(cls, url: str, environ: Mapping[str, str] | None = None) -> "Registry":
        """Return the registry at an address, with the credentials of the environment.

        Args:
            url: Its address.
            environ: The variables; those of this process when None.

        Raises:
            TelcoError: The address is none or holds a password, half of the credentials is missing,
                or the file of authorities cannot be read.
        """
        environ = os.environ if environ is None else environ
        if "@" in url:  # the message must not show it
            raise TelcoError(
                f"the schema registry's address holds a user or password: leave them out, and set "
                f"{USERNAME} and {PASSWORD}"
            )
        if not _ADDRESS.fullmatch(url):
            raise TelcoError(
                f"{url[:80]!r} is no address of a schema registry: write one such as "
                "http://127.0.0.1:8081"
            )
        name, password = environ.get(USERNAME, "").strip(), environ.get(PASSWORD, "")
        if bool(name) != bool(password):
            there, missing = (USERNAME, PASSWORD) if name else (PASSWORD, USERNAME)
            raise TelcoError(f"{there} is set, {missing} is not: set both, or neither")
        ca = environ.get(CA_LOCATION, "").strip() or None
        if ca is not None and not Path(ca).is_dir():
            try:
                with Path(ca).open("rb"):
                    pass
            except OSError as error:
                raise TelcoError(f"{CA_LOCATION}: {ca} cannot be read: {error.strerror}") from None
        return cls(url.rstrip("/"), (name, password) if name else None, ca)

    def register(self, subject: str, schema: Schema) -> int:
        """Return the id of an Avro schema, which is registered if it is not yet.

        Args:
            subject: What it is a version of.
            schema: The schema.

        Raises:
            TelcoError: The registry cannot be reached, does not let us in, or refuses the schema
                because it does not go with the subject's earlier ones: says what differs.
        """
        doing = f"registering {subject}"
        body = {"schema": json.dumps(schema, ensure_ascii=False)}
        answer = self._ask("POST", f"/subjects/{quote(subject, safe='')}/versions", doing, body)
        if answer.status_code == 409:
            raise self._incompatible(subject, schema, answer)
        found = self._plain(answer, doing).get("id")
        if not isinstance(found, int):
            raise self._no_registry(doing)
        return found

    def schema(self, number: int) -> Schema | None:
        """Return the Avro schema of an id; None if there is no such one, or it is not Avro's.

        Raises:
            TelcoError: The registry cannot be reached, or does not let us in.
        """
        doing = f"fetching schema {number}"
        answer = self._ask("GET", f"/schemas/ids/{number}", doing)
        if answer.status_code == 404 and _told(answer):
            return None
        return _avro_of(self._plain(answer, doing))

    def latest(self, subject: str) -> Schema | None:
        """Return the latest Avro schema of a subject; None if it has none.

        Raises:
            TelcoError: As `schema`.
        """
        doing = f"looking at {subject}"
        path = f"/subjects/{quote(subject, safe='')}/versions/latest"
        answer = self._ask("GET", path, doing)
        if answer.status_code == 404 and _told(answer):
            return None
        return _avro_of(self._plain(answer, doing))

    def _ask(
        self, method: str, path: str, doing: str, body: object | None = None
    ) -> requests.Response:
        # As bytes: of text requests would take Latin-1.
        auth = self.user and HTTPBasicAuth(self.user[0].encode(), self.user[1].encode())
        try:
            return requests.request(
                method,
                self.url + path,
                data=None if body is None else json.dumps(body, ensure_ascii=False).encode(),
                headers={"Accept": f"{_MEDIA}, application/json", "Content-Type": _MEDIA},
                auth=auth,
                timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
                verify=self.ca or True,
                allow_redirects=False,
            )
        # Of some addresses urllib3 says itself that they are none; that is a ValueError.
        except (requests.RequestException, ValueError) as error:
            raise self._error(doing, _unreachable(error)) from None

    def _plain(self, answer: requests.Response, doing: str) -> dict[str, Any]:
        """Return what an answer holds if it is a good one."""
        status = answer.status_code
        if status in (401, 403):
            wrong = (
                "refuses user or password" if self.user is not None else "wants user and password"
            )
            if status == 403:
                wrong = "does not allow this user to do so"
            raise self._error(doing, f"the registry {wrong}: check {USERNAME} and {PASSWORD}")
        told = _told(answer)
        if status == 200:
            plain = _json(answer)
            if isinstance(plain, dict):
                return plain
        if told and status == 422:
            raise self._error(doing, f"the registry takes no such schema: {told}")
        if told:
            raise self._error(
                doing, f"the registry says {told} ({status}): see to it, then start again"
            )
        raise self._no_registry(doing, status)

    def _incompatible(self, subject: str, schema: Schema, answer: requests.Response) -> TelcoError:
        there = self.latest(subject)
        differs = list(differences(there, schema)) if there is not None else []
        what = "; ".join(differs[:_MOST_DIFFERENCES])
        if len(differs) > _MOST_DIFFERENCES:
            what += f"; and {len(differs) - _MOST_DIFFERENCES} more"
        return self._error(
            f"registering {subject}",
            "the schema does not go with the one that is registered "
            f"({what or _told(answer) or 'the registry does not say why'}): give the topic another "
            "name in scenarios/streaming.yaml, or, if nobody reads the earlier records, delete the "
            "subject or set its compatibility to NONE",
        )

    def _no_registry(self, doing: str, status: int = 200) -> TelcoError:
        return self._error(
            doing,
            f"what answers there is no schema registry (status {status}): check the address, whose "
            "path counts too (Apicurio's is /apis/ccompat/v7)",
        )

    def _error(self, doing: str, way: str) -> TelcoError:
        if self.user is not None and len(self.user[1]) >= 4:
            way = way.replace(self.user[1], "***")
        return TelcoError(f"{doing} at the schema registry {self.url}: {way}")


def differences(old: Schema, new: Schema) -> Iterator[str]:
    """Yield how a record's schema differs from an earlier one, in words; prose does not count."""
    if old.get("type") != "record" or new.get("type") != "record":
        if old != new:
            yield f"{_type(old)} there, {_type(new)} here"
        return
    if old.get("name") != new.get("name"):
        yield f"record {old.get('name')} there, {new.get('name')} here"
    before = {one["name"]: one for one in old.get("fields", ())}
    after = {one["name"]: one for one in new.get("fields", ())}
    for name, one in after.items():
        if name not in before:
            yield f"field {name} is new" + ("" if "default" in one else " and has no default")
        elif _type(before[name]["type"]) != _type(one["type"]):
            yield f"field {name} is {_type(before[name]['type'])} there, {_type(one['type'])} here"
    for name in before:
        if name not in after:
            yield f"field {name} is not here"


def _type(schema: Any) -> str:
    """Return an Avro type in a few words."""
    if isinstance(schema, list):
        return " or ".join(_type(one) for one in schema)
    if isinstance(schema, Mapping):
        return str(schema.get("logicalType") or schema.get("type"))
    return str(schema)


def _avro_of(plain: dict[str, Any]) -> Schema | None:
    """Return the schema of an answer if it is one of Avro's."""
    if plain.get("schemaType", "AVRO") != "AVRO":
        return None
    try:
        found = json.loads(plain["schema"])
    except (KeyError, TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else {"type": found}


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _told(answer: requests.Response) -> str:
    """Return what a registry says of an error, in one line; empty if it is no registry's answer."""
    plain = _json(answer)
    if not isinstance(plain, dict) or "error_code" not in plain:
        return ""
    text = " ".join(str(plain.get("message", "")).split())
    shown = "".join(one if one.isprintable() else "?" for one in text)
    return shown[:_MOST_TOLD] or f"error {plain['error_code']}"


_REASONS: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (
        lambda text: "hostname mismatch" in text or "doesn't match" in text,
        "its certificate is for another host name: use the name that stands in it",
    ),
    (
        lambda text: "certificate verify failed" in text,
        "its certificate is of an authority that is not trusted here: name its file with "
        f"{CA_LOCATION}",
    ),
    (
        lambda text: "record layer" in text or "wrong version" in text,
        "no TLS is spoken there: write http:// instead of https://",
    ),
    (
        lambda text: "refused" in text,
        "connection refused: nothing listens there: start it, or mend the address (key "
        "schema_registry in scenarios/streaming.yaml, or --schema-registry)",
    ),
    (
        lambda text: "resolve" in text or "name or service" in text or "nodename" in text,
        "unknown host: check the name in the address",
    ),
    (
        lambda text: "aborted" in text or "disconnected" in text or "reset by peer" in text,
        "it closes the connection: perhaps it speaks TLS (https://), or is no schema registry",
    ),
)


def _unreachable(error: Exception) -> str:
    """Return why there is no answer."""
    text = str(error).lower()
    if isinstance(error, requests.Timeout):
        return "nobody answers in time: check address and network"
    for meant, way in _REASONS:
        if meant(text):
            return way
    return f"no answer ({type(error).__name__}): check the address"
