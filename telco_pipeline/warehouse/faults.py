"""Faults: what a database complains of, in words, and which complaints pass by themselves.

Belongs here: reading SQLSTATEs and messages of the drivers. Does not belong here: trying again
(`loading`), connecting (`database`).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from telco_pipeline.errors import TelcoError

_TRANSIENT: Final = ("40001", "40P01")
"""A transaction that the database gave up because of another one: serialization, deadlock."""
_LOST: Final = ("08000", "08003", "08006", "08S01", "57P01", "57P02", "57P03", "57P05")
_LOST_WORDS: Final = (
    "server closed the connection",
    "connection already closed",
    "could not receive data from server",
    "could not send data to server",
    "terminating connection",
    "ssl connection has been closed",
    "ssl syscall error",
    "connection reset by peer",
    "connection timed out",
    "no connection to the server",
    "lost synchronization with server",
)
_MOST_WORDS: Final = 400
_STATEMENT: Final = re.compile(r"\s+LINE \d+:")
"""Where a message goes on with the statement, which nobody wrote who reads it."""
_NO_RIGHTS: Final = "42501"

_BY_STATE: Final = {
    _NO_RIGHTS: "this user has no rights to do that ({said}): ask the administrator for CREATE on "
    "the schema, or name a schema of your own with --schema",
    "25006": "the database is read-only ({said}): name the primary server",
    "53100": "its disk is full ({said}): free some space there; nothing was changed",
    "53400": "a limit of the server is reached ({said}): raise it; nothing was changed",
    "53200": "the server has no memory left ({said}): see to the server",
    "53300": "the server has no connection left ({said}): close some, or raise max_connections",
    "3D000": "there is no such database ({said}): create it, or name another one",
    "3F000": "there is no such schema ({said}): create it, or name another with --schema",
    "28P01": "user or password are wrong ({said}): check them in "
    "--database-url or TELCO_DATABASE_URL",
    "28000": "this user is not let in ({said}): check --database-url or "
    "TELCO_DATABASE_URL, and the rules of the server (pg_hba.conf)",
    "23505": "two rows have the same key ({said}): check the lake with telco check",
    "22P05": "the database cannot hold all characters ({said}): make it with ENCODING 'UTF8'",
    "57014": "the statement was cancelled ({said}): raise statement_timeout, and load again",
    "55P03": "somebody else holds a lock on the table ({said}): load again when it is free",
    "42P16": "the table cannot be changed so ({said}): name another schema with --schema",
}
_NO_SCHEMA: Final = (
    "this user has no rights to make the schema ({said}): ask the administrator for CREATE on the "
    "DATABASE, or to make the schema, or name with --schema one that is there"
)
_BY_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (
        "does not have connect privilege",
        "this user may not connect to that database: ask the administrator for CONNECT on it",
    ),
    (
        "could not translate host name",
        "unknown host: check the name in --database-url or TELCO_DATABASE_URL",
    ),
    (
        "name or service not known",
        "unknown host: check the name in --database-url or TELCO_DATABASE_URL",
    ),
    ("no password supplied", "the server wants a password: write USER:PASSWORD@HOST in the URL"),
    (
        "password authentication failed",
        "user or password are wrong: check --database-url or TELCO_DATABASE_URL",
    ),
    ("no pg_hba.conf entry", "the server's rules (pg_hba.conf) do not let this user in"),
    (
        "does not support ssl",
        "no TLS is spoken there: leave sslmode out of --database-url or TELCO_DATABASE_URL",
    ),
    ("certificate verify failed", "its certificate is not trusted here: set sslrootcert"),
    ("the database system is starting up", "the server is just starting: try again"),
    ("the database system is shutting down", "the server is shutting down: start it again"),
    (
        "connection refused",
        "connection refused: no server listens there; start it, or name another "
        "with --database-url or TELCO_DATABASE_URL",
    ),
    ("timeout expired", "nobody answers: check address and network"),
    ("no route to host", "nobody answers: check address and network"),
    ("network is unreachable", "nobody answers: check address and network"),
    ("invalid connection option", "a word of the URL's query is unknown: check what follows ?"),
    ("invalid dsn", "a word of the URL's query is unknown: check what follows ?"),
    ("invalid sslmode", "sslmode is none that PostgreSQL knows: check what follows ?"),
    ("could not set lock on file", "another program has the database open: close it there"),
    ("different configuration than existing", "this process has the database open already"),
    ("not a valid duckdb database", "that file is no DuckDB database: name another one"),
    ("file is not a database", "that file is no SQLite database: name another one"),
    ("database disk image is malformed", "the file is damaged: restore it, or name another one"),
    ("no space left on device", "its disk is full: free some space there; nothing was changed"),
    ("database or disk is full", "its disk is full: free some space there; nothing was changed"),
    ("could not write all bytes", "its disk is full or refuses: free some space there"),
    ("out of memory error", "DuckDB has no memory or temporary space left: free some disk space"),
    ("file too large", "a limit of the system on the size of files is reached: raise it"),
    ("disk quota exceeded", "the disk quota is used up: free some space; nothing was changed"),
    ("disk i/o error", "its disk is full or refuses: free some space there, check the disk"),
    ("attempt to write a readonly database", "the file may not be written to: make it writable"),
    ("read-only mode", "the database may not be written to: make it writable"),
    ("permission denied", "the file may not be opened by this user: make it readable and writable"),
    ("is a directory", "that is a directory: name a file"),
    ("unable to open database file", "the file cannot be opened: check the path and its rights"),
    ("cannot open file", "the file cannot be opened: check the path and its rights"),
    ("database is locked", "another program holds the database: close it there, and load again"),
    (
        "data source name not found",
        "the ODBC driver that the URL names is not installed: install "
        "Microsoft's, and name it with ?driver=ODBC+Driver+18+for+SQL+Server",
    ),
    ("unique constraint failed", "two rows have the same key: check the lake with telco check"),
    ("login failed", "user or password are wrong: check --database-url or TELCO_DATABASE_URL"),
)


def original(error: BaseException) -> BaseException:
    """Return the driver's error within SQLAlchemy's."""
    inner = getattr(error, "orig", None)
    return inner if isinstance(inner, BaseException) else error


def sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of a driver's error; empty if it has none."""
    inner = original(error)
    state = getattr(inner, "pgcode", None)
    if state is None and inner.args and type(inner).__module__.startswith("pyodbc"):
        state = inner.args[0]
    return str(state or "")


def is_lost(error: BaseException) -> bool:
    """Return whether the connection was lost, so that a new one may do."""
    if not is_databases(error):
        return False
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    words = str(original(error)).lower()
    return sqlstate(error) in _LOST or any(lost in words for lost in _LOST_WORDS)


def is_transient(error: BaseException) -> bool:
    """Return whether the database gave a transaction up in favour of another one."""
    if not is_databases(error):
        return False
    return sqlstate(error) in _TRANSIENT or "(1205)" in str(original(error))


def is_unreachable(error: BaseException) -> bool:
    """Return whether a server did not answer, as one that is just restarted does not."""
    words = str(original(error)).lower()
    starting = ("connection refused", "the database system is", "timeout expired")
    return is_lost(error) or any(said in words for said in starting)


def explain(
    error: BaseException, address: str, doing: str, secrets: Sequence[str] = ()
) -> TelcoError:
    """Return a database's error as one line: what is wrong, where, what to do.

    Args:
        error: SQLAlchemy's error, or a driver's.
        address: The database, without a password.
        doing: What was being done, such as `loading cdrs_voice 2026-01-01`.
        secrets: Words that the line must not hold, should a server repeat one.
    """
    said = " ".join(_STATEMENT.split(str(original(error)), 1)[0].split())[:_MOST_WORDS].strip()
    state = sqlstate(error)
    line = _by_state(state, said, _statement_of(error)) or _by_words(said)
    if line is None:
        line = "the connection was lost: load again" if is_lost(error) else said
        line += f" ({state})" if state else ""
    for secret in secrets:
        if len(secret) >= 3:
            line = line.replace(secret, "***")
    return TelcoError(f"{doing} at {address}: {line}")


def _statement_of(error: BaseException) -> str:
    return str(getattr(error, "statement", None) or "").strip()


def _by_state(state: str, said: str, statement: str) -> str | None:
    told = _BY_STATE.get(state)
    if state == _NO_RIGHTS and statement.startswith("CREATE SCHEMA"):
        told = _NO_SCHEMA
    return told and told.format(said=said.removeprefix("ERROR: "))


def _by_words(said: str) -> str | None:
    low = said.lower()
    if 'database "' in low and "does not exist" in low:
        return "there is no such database: create it, or name another one"
    if 'role "' in low and "does not exist" in low:
        return "there is no such user: check --database-url or TELCO_DATABASE_URL"
    return next((told for words, told in _BY_WORDS if words in low), None)


@contextmanager
def explained(address: str, secrets: Sequence[str], doing: str) -> Iterator[None]:
    """Turn a database's errors into a TelcoError; its cause is the error itself."""
    try:
        yield
    except TelcoError:
        raise
    except Exception as error:
        if not is_databases(error):
            raise
        raise explain(error, address, doing, secrets) from error


def is_databases(error: BaseException) -> bool:
    """Return whether an error comes from SQLAlchemy or a driver."""
    module = type(error).__module__.partition(".")[0]
    return isinstance(error, SQLAlchemyError) or module in _DRIVERS


_DRIVERS: Final = ("psycopg2", "duckdb", "_duckdb", "sqlite3", "pyodbc")


def cause_of(error: BaseException) -> BaseException:
    """Return the database's error behind a TelcoError, or the error itself."""
    return error.__cause__ if isinstance(error, TelcoError) and error.__cause__ else error
