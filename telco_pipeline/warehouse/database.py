"""Database: which one, with which driver and schema.

Belongs here: what environment and options say, engines. Does not belong here: errors of a database
in words (`faults`), tables (`tables`), rows (`loading`).

Passwords are in no `repr`, message or log line; `address` names a database without them.
"""

import importlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool
from sqlalchemy.util import immutabledict

from telco_pipeline.errors import TelcoError
from telco_pipeline.warehouse import tables
from telco_pipeline.warehouse.faults import explained

URL_VARIABLE: Final = "TELCO_DATABASE_URL"
SCHEMA_VARIABLE: Final = "TELCO_DATABASE_SCHEMA"
DEFAULT_URL: Final = "duckdb:///data/warehouse.duckdb"
FLAT_URL: Final = "duckdb:///data/flat.duckdb"
"""Where the flat table goes that nobody gave a place: another world than the lake's, mostly."""

_EXTRAS: Final = {
    "postgresql": ("psycopg2", "postgres"),
    "duckdb": ("duckdb_engine", "warehouse"),
    "mssql": ("pyodbc", "sqlserver"),
    "sqlite": ("sqlite3", ""),
}
"""Module of the driver and the extra that installs it, by dialect."""

_EXAMPLES: Final = (
    "postgresql://USER:PASSWORD@HOST:5432/DATABASE, sqlite:///FILE, duckdb:///FILE or "
    "mssql+pyodbc://USER:PASSWORD@HOST/DATABASE?driver=ODBC+Driver+18+for+SQL+Server"
)
_EMBEDDED: Final = ("sqlite", "duckdb")
_LONGEST_NAME: Final = 63
_DUCKDB_MEMORY: Final = "512MB"


@dataclass(frozen=True)
class Database:
    """A database, its schema, and the tables that telco keeps there.

    Attributes:
        url: Its address; holds the password.
        schema: Schema of the tables; None for the database's own (public, main, dbo).
        ready: Names of the tables that were found, or made, as they should be.
        reached: Set once it let us in: a server that is gone later may come back.
    """

    url: URL = field(repr=False)
    schema: str | None = None
    ready: set[str] = field(default_factory=set, compare=False, repr=False)
    reached: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    @classmethod
    def from_environment(
        cls,
        url: str | None = None,
        schema: str | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        default: str = DEFAULT_URL,
    ) -> "Database":
        """Return the database that options or, without them, the environment name.

        Nothing is connected to; empty variables count as not set.

        Args:
            url: A SQLAlchemy URL; None for TELCO_DATABASE_URL.
            schema: A schema; None for TELCO_DATABASE_SCHEMA.
            environ: The variables; those of this process when None.
            default: The URL where neither names one.

        Raises:
            TelcoError: It is no such URL, or its driver is not installed.
        """
        environ = os.environ if environ is None else environ
        said_by = URL_VARIABLE if url is None else "--database-url"
        text = environ.get(URL_VARIABLE, "") if url is None else url
        if url is not None and not url.strip():
            raise TelcoError(f"--database-url is empty; leave it out, or write {_EXAMPLES}")
        name = environ.get(SCHEMA_VARIABLE, "") if schema is None else schema
        if schema is not None and not schema.strip():
            raise TelcoError("--schema is empty; leave it out for the database's own")
        parsed = _parsed(text.strip() or default, said_by)
        return cls(parsed, checked_schema(name.strip(), parsed.get_backend_name()))

    @property
    def dialect(self) -> str:
        """The kind of database: postgresql, sqlite, duckdb or mssql."""
        return self.url.get_backend_name()

    @property
    def address(self) -> str:
        """The URL without a password, and the schema, for messages."""
        bare = self.url._replace(password=None, query=immutabledict())
        shown = bare.set(drivername=self.dialect).render_as_string(hide_password=True)
        return f"{shown} (schema {self.schema})" if self.schema else shown

    @property
    def file(self) -> Path | None:
        """The file of an embedded database; None if it is in memory or not embedded."""
        if self.dialect not in _EMBEDDED or self.url.database in (None, "", ":memory:"):
            return None
        return Path(str(self.url.database))

    @cached_property
    def metadata(self) -> sa.MetaData:
        """The tables of all datasets and the ledger, in the schema."""
        return tables.all_tables(self.schema)

    @cached_property
    def engine(self) -> Engine:
        """The engine. Connections are not pooled: a load takes longer than to connect."""
        return self._engine(read_only=False)

    def exists(self) -> bool:
        """Return whether there is anything to connect to: an embedded database has its file."""
        return self.file is None or self.file.exists()

    def make_place(self) -> None:
        """Make the directory of an embedded database's file; TelcoError if that cannot be."""
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TelcoError(
                f"{self.address}: {self.file.parent} cannot be made ({error.strerror}); name "
                "another file with --database-url"
            ) from None

    @contextmanager
    def reading(self, doing: str = "reading") -> Iterator[Connection]:
        """Give a connection to read with; others may read the same file meanwhile.

        Raises:
            TelcoError: The database cannot be reached, or refuses; says why.
        """
        engine = self._engine(read_only=True) if self.dialect == "duckdb" else self.engine
        with explained(self.address, self._secrets, doing), engine.connect() as connection:
            self.reached.set()
            yield connection

    @contextmanager
    def writing(self, doing: str = "writing") -> Iterator[Connection]:
        """Give a connection with one transaction, which is committed when the block ends well.

        Raises:
            TelcoError: The database cannot be reached, or refuses; says why.
        """
        with explained(self.address, self._secrets, doing), self.engine.begin() as connection:
            self.reached.set()
            yield connection

    @property
    def _secrets(self) -> tuple[str, ...]:
        return (str(self.url.password),) if self.url.password else ()

    def _engine(self, *, read_only: bool) -> Engine:
        _check_driver(self.dialect)
        options: dict[str, Any] = {"poolclass": NullPool}
        if self.dialect == "postgresql":
            options["connect_args"] = _postgres_arguments(self.url)
        elif self.dialect == "duckdb":
            if self.file is None:
                options.pop("poolclass")  # what is in memory ends with its connection
            options["connect_args"] = {
                "read_only": read_only and self.file is not None,
                "config": {"memory_limit": _DUCKDB_MEMORY, "autoinstall_known_extensions": False},
            }
        elif self.dialect == "sqlite":
            if self.file is None:
                options.pop("poolclass")
            if "timeout" not in self.url.query:  # what is passed here would beat the URL's own
                options["connect_args"] = {"timeout": 30.0}
        elif self.dialect == "mssql":
            options["fast_executemany"] = True
        engine = sa.create_engine(self.url, **options)
        if self.dialect == "sqlite":
            _with_real_transactions(engine)
        return engine


def _parsed(text: str, said_by: str) -> URL:
    """Return a URL; messages never repeat what was written, which may hold a password."""
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise TelcoError(f"{said_by} is no URL of a database: write {_EXAMPLES}") from None
    if backend == "postgres":
        url, backend = url.set(drivername="postgresql"), "postgresql"
    if backend not in _EXTRAS:
        raise TelcoError(
            f"{said_by}: {backend[:40]!r} is no database that telco loads: write {_EXAMPLES}"
        )
    driver = url.drivername.partition("+")[2]
    wanted = {"postgresql": ("", "psycopg2"), "mssql": ("", "pyodbc")}.get(backend, (driver,))
    if driver not in wanted:
        raise TelcoError(
            f"{said_by}: the driver {driver[:40]!r} is not one that telco uses: write "
            f"{backend}{'+pyodbc' if backend == 'mssql' else ''}://..."
        )
    if backend == "postgresql":
        url = url.set(drivername="postgresql+psycopg2")
    if backend == "mssql":
        url = url.set(drivername="mssql+pyodbc")
    if backend in _EMBEDDED and url.host:
        raise TelcoError(
            f"{said_by}: {url.host[:80]!r} stands where a host would: write {backend}:///FILE with "
            "three slashes (four for a path from the root)"
        )
    if backend in ("postgresql", "mssql") and not url.database and not url.query:
        raise TelcoError(f"{said_by} names no database: write {_EXAMPLES}")
    _check_driver(backend)
    return url


def checked_schema(name: str, backend: str) -> str | None:
    """Return the name of a schema, None if it is empty; TelcoError if it cannot be one."""
    if not name:
        return None
    if backend == "sqlite":
        raise TelcoError("SQLite has no schemas: leave --schema and TELCO_DATABASE_SCHEMA out")
    if len(name) > _LONGEST_NAME or not name.replace("_", "a").isalnum() or not name.isascii():
        raise TelcoError(
            f"{name[:80]!r} is no name for a schema: use up to {_LONGEST_NAME} of a-z, 0-9 and '_'"
        )
    return name


def _check_driver(backend: str) -> None:
    module, extra = _EXTRAS[backend]
    try:
        importlib.import_module(module)
    except ImportError as error:
        more = " and Microsoft's ODBC driver" if backend == "mssql" else ""
        raise TelcoError(
            f"the driver for {backend} cannot be loaded ({error}): install it{more} with "
            f"pip install 'telco-pipeline[{extra}]'"
        ) from None


def _postgres_arguments(url: URL) -> dict[str, Any]:
    """Return arguments of the connection, but for those that the URL gives."""
    ours: dict[str, Any] = {
        "application_name": "telco",
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "client_encoding": "utf8",
        "options": "-c timezone=UTC",
    }
    return {name: value for name, value in ours.items() if name not in url.query}


def _with_real_transactions(engine: Engine) -> None:
    """Let a transaction of SQLite hold whatever is in it, CREATE TABLE too.

    The driver of Python's own begins one before an INSERT only, so that tables would be committed
    on their own.
    """

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA cache_size = -131072")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")
