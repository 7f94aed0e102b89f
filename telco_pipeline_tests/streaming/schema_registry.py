"""A schema registry for tests: what Confluent documents of its REST interface, in memory.

Subjects with versions, ids by schema, compatibility BACKWARD (as that of Confluent is by default)
between the last version and a new one, user and password, TLS. SCHEMA_REGISTRY_URL names a real one
for the tests that need no more than any registry gives.
"""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

MEDIA = "application/vnd.schemaregistry.v1+json"


class SmallRegistry(ThreadingHTTPServer):
    """Attributes tell what it holds: `schemas` by id, `subjects` with the ids of their versions."""

    daemon_threads = True

    def __init__(self, user: str | None = None, certificate: Path | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.user = user
        self.schemas: dict[int, str] = {}
        self.subjects: dict[str, list[int]] = {}
        self.requests: list[str] = []
        self.lock = threading.Lock()
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """A client that does not trust the certificate hangs up; that is no news."""

    def register(self, subject: str, text: str) -> tuple[int, Any]:
        try:
            schema = json.loads(text)
            assert schema["type"] == "record"
        except (ValueError, KeyError, TypeError, AssertionError):
            return 422, {"error_code": 42201, "message": "Invalid schema"}
        with self.lock:
            versions = self.subjects.setdefault(subject, [])
            known = [number for number, one in self.schemas.items() if one == text]
            if known and known[0] in versions:
                return 200, {"id": known[0]}
            if versions and not reads(schema, json.loads(self.schemas[versions[-1]])):
                return 409, {
                    "error_code": 409,
                    "message": "Schema being registered is incompatible",
                }
            number = known[0] if known else len(self.schemas) + 1
            self.schemas[number] = text
            versions.append(number)
            return 200, {"id": number}


def reads(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    """Return whether records of one schema can be read with another; types must be equal."""
    there = {one["name"]: one for one in writer["fields"]}
    return all(
        one["type"] == there[one["name"]]["type"] if one["name"] in there else "default" in one
        for one in reader["fields"]
    )


class _Handler(BaseHTTPRequestHandler):
    server: SmallRegistry

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if not self._is_let_in():
            return
        match [unquote(part) for part in self.path.split("/")[1:]]:
            case ["schemas", "ids", number]:
                text = self.server.schemas.get(int(number))
                missing = {"error_code": 40403, "message": f"Schema {number} not found"}
                self._answer(*(404, missing) if text is None else (200, {"schema": text}))
            case ["subjects", subject, "versions", "latest"]:
                versions = self.server.subjects.get(subject)
                missing = {"error_code": 40401, "message": f"Subject '{subject}' not found."}
                self._answer(
                    *(404, missing)
                    if not versions
                    else (200, {"id": versions[-1], "schema": self.server.schemas[versions[-1]]})
                )
            case _:
                self._answer(404, {"error_code": 404, "message": "HTTP 404 Not Found"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_let_in():
            return
        match [unquote(part) for part in self.path.split("/")[1:]]:
            case ["subjects", subject, "versions"]:
                self._answer(*self.server.register(subject, body["schema"]))
            case _:
                self._answer(404, {"error_code": 404, "message": "HTTP 404 Not Found"})

    def _is_let_in(self) -> bool:
        """Return whether user and password are right; answers if they are not."""
        if self.server.user is not None:
            wanted = "Basic " + base64.b64encode(self.server.user.encode()).decode()
            if self.headers.get("Authorization") != wanted:
                self._answer(401, {"error_code": 40101, "message": "Unauthorized"})
                return False
        return True

    def _answer(self, status: int, plain: Any) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        data = json.dumps(plain).encode()
        self.send_response(status)
        self.send_header("Content-Type", MEDIA)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def small_registry(
    user: str | None = None, certificate: Path | None = None
) -> Iterator[SmallRegistry]:
    """Serve one until the end; `user` is `name:password`, `certificate` also holds its key."""
    server = SmallRegistry(user, certificate)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
