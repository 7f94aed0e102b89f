"""Whatever a database complains of is one line: what is wrong, where, what to do."""

import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from polars.testing import assert_frame_equal
from sqlalchemy.engine import make_url

from telco_pipeline.errors import TelcoError
from telco_pipeline.warehouse import ledger, loading
from telco_pipeline.warehouse.database import Database
from telco_pipeline_tests.lake.kit import DAY
from telco_pipeline_tests.postgres import PASSWORD, GivenPostgres, OwnPostgres
from telco_pipeline_tests.warehouse.conftest import KINDS, url_of
from telco_pipeline_tests.warehouse.kit import expected, held, lake_of, put

SMS = "cdrs_sms"
SECRET = "swordfish-9"


def line_of(url: str, schema: str | None = None) -> str:
    """Return the line that connecting ends with."""
    with pytest.raises(TelcoError) as caught:
        ledger.loaded(Database.from_environment(url, schema, environ={}))
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    assert PASSWORD not in line
    assert len(line) < 500
    return line


# --- what is typed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "--database-url is empty"),
        (f"nonsense {SECRET}", "is no URL of a database: write postgresql://USER:PASSWORD@HOST"),
        (f"http://a:{SECRET}@b/c", "'http' is no database that telco loads"),
        (f"mysql://a:{SECRET}@b/c", "'mysql' is no database that telco loads"),
        (f"postgresql+asyncpg://a:{SECRET}@b/c", "the driver 'asyncpg' is not one that telco uses"),
        (f"postgresql://a:{SECRET}@b:port/c", "is no URL of a database"),
        (f"postgresql://a:{SECRET}@b", "names no database"),
        ("sqlite://data/x.sqlite", "'data' stands where a host would: write sqlite:///FILE"),
        ("duckdb://x.duckdb", "'x.duckdb' stands where a host would"),
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url: str, words: str) -> None:
    assert words in line_of(url)


@pytest.mark.parametrize("name", ["a.b", "a b", "x" * 64, "naïve", '"', "a;drop"])
def test_a_wrong_schema_is_refused(name: str) -> None:
    assert "is no name for a schema" in line_of("duckdb:///x.duckdb", name)


def test_the_environment_says_which_database() -> None:
    environ = {"TELCO_DATABASE_URL": "postgres://a:b@c/d", "TELCO_DATABASE_SCHEMA": "e"}
    found = Database.from_environment(environ=environ)
    assert (found.dialect, found.schema) == ("postgresql", "e")
    assert found.address == "postgresql://a@c/d (schema e)"
    assert "b" not in found.address.replace("postgresql", "")
    assert Database.from_environment("sqlite:///x", environ={}).dialect == "sqlite"
    default = Database.from_environment(environ={"TELCO_DATABASE_URL": ""})
    assert str(default.file) == "data/warehouse.duckdb"
    with pytest.raises(TelcoError, match="TELCO_DATABASE_URL is no URL"):
        Database.from_environment(environ={"TELCO_DATABASE_URL": "nonsense"})


@pytest.mark.parametrize(
    ("url", "module", "words"),
    [
        ("postgresql://a:b@c/d", "psycopg2", "pip install 'telco-pipeline[postgres]'"),
        ("duckdb:///x", "duckdb_engine", "pip install 'telco-pipeline[warehouse]'"),
        ("mssql+pyodbc://a:b@c/d", "pyodbc", "Microsoft's ODBC driver with pip install"),
    ],
)
def test_a_driver_that_is_missing_is_named_with_its_extra(
    url: str, module: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert words in line_of(url)


# --- servers --------------------------------------------------------------------------------


def test_a_server_that_is_not_there() -> None:
    assert "connection refused: no server listens there" in line_of(
        f"postgresql://a:{SECRET}@127.0.0.1:1/d"
    )
    assert "unknown host" in line_of(f"postgresql://a:{SECRET}@no-such-host.invalid/d")


def test_who_is_not_let_in(postgres: GivenPostgres, postgres_url: str) -> None:
    url = make_url(postgres_url)
    wrong = url.set(password=SECRET).render_as_string(hide_password=False)
    assert "user or password are wrong" in line_of(wrong)
    wrong = url.set(username="nobody-here").render_as_string(hide_password=False)
    assert "user or password are wrong" in line_of(wrong)
    assert "--database-url or TELCO_DATABASE_URL" in line_of(wrong)
    wrong = url.set(database="no_such_database").render_as_string(hide_password=False)
    assert "there is no such database: create it" in line_of(wrong)
    assert "check what follows ?" in line_of(f"{postgres_url}?colour=red")
    assert "no TLS is spoken there" in line_of(f"{postgres_url}?sslmode=require")


def test_a_password_with_any_character_works(postgres: GivenPostgres, postgres_url: str) -> None:
    word = "a b@c:d/e%f?g&h'ü"
    with sa.create_engine(postgres_url).begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS odd_password")
        quoted = word.replace("'", "''").replace("%", "%%")
        connection.exec_driver_sql(f"CREATE ROLE odd_password LOGIN PASSWORD '{quoted}'")
    url = make_url(postgres_url).set(username="odd_password", password=word)
    text = url.render_as_string(hide_password=False)
    assert ledger.loaded(Database.from_environment(text, environ={})) == []
    assert word not in Database.from_environment(text, environ={}).address
    with sa.create_engine(postgres_url).begin() as connection:
        connection.exec_driver_sql("DROP ROLE odd_password")


@pytest.fixture
def reader_url(postgres_url: str) -> Iterator[str]:
    """Give the URL of a user who may connect and read, no more."""
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    name = f"reader_{make_url(postgres_url).database}"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'")
        connection.exec_driver_sql("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO " + name)
    url = make_url(postgres_url).set(username=name, password=SECRET)
    yield url.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}")
        connection.exec_driver_sql(f"DROP ROLE {name}")


def test_a_user_without_rights(postgres_url: str, reader_url: str, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [SMS], [DAY])
    reader = Database.from_environment(reader_url, environ={})
    with pytest.raises(TelcoError, match=r"has no rights .*CREATE on the schema") as caught:
        loading.load(reader, lake, SMS, DAY)
    assert SECRET not in str(caught.value)
    assert "LINE 1" not in str(caught.value), "no statement of ours"
    owner = Database.from_environment(postgres_url, environ={})
    loading.load(owner, lake, SMS, DAY)
    with pytest.raises(TelcoError, match="has no rights"):
        loading.load(reader, lake, SMS, DAY, again=True)
    with pytest.raises(TelcoError, match=r"to make the schema .* CREATE on the DATABASE"):
        loading.load(Database(reader.url, "own"), lake, SMS, DAY)
    assert_frame_equal(held(owner, SMS), expected(lake, SMS))
    assert len(ledger.loaded(reader)) == 1, "reading needs no more than SELECT"
    with owner.writing() as connection:
        name = owner.url.database
        connection.exec_driver_sql(f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    assert "may not connect to that database" in line_of(reader_url)


def test_a_database_of_another_encoding(postgres: GivenPostgres, tmp_path: Path) -> None:
    name = "telco_latin"
    postgres.execute(
        f"DROP DATABASE IF EXISTS {name}",
        f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'",
    )
    try:
        lake = lake_of(tmp_path, [SMS], [DAY])
        database = Database.from_environment(postgres.url(name), environ={})
        with pytest.raises(TelcoError, match="make it with ENCODING 'UTF8'"):
            loading.load(database, lake, SMS, DAY)
        assert ledger.loaded(database) == []
    finally:
        postgres.execute(f"DROP DATABASE {name}")


# --- files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_file_that_is_no_database(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("These are notes and not a database. " * 300)
    assert "name another one" in line_of(f"{kind}:///{file}")
    assert "is a directory" in line_of(f"{kind}:///{tmp_path}") or "cannot be opened" in line_of(
        f"{kind}:///{tmp_path}"
    )
    lake = lake_of(tmp_path / "lake", [SMS], [DAY])
    below = Database.from_environment(f"{kind}:///{file}/x/warehouse", environ={})
    with pytest.raises(TelcoError, match="cannot be made"):
        loading.load(below, lake, SMS, DAY)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_file_that_another_program_holds(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of(tmp_path / "lake", [SMS], [DAY])
    file = tmp_path / "warehouse"
    database = Database.from_environment(f"{kind}:///{file}?timeout=0.1", environ={})
    if kind == "duckdb":
        database = Database.from_environment(f"{kind}:///{file}", environ={})
    loading.load(database, lake, SMS, DAY)
    hold = {
        "sqlite": "import sqlite3; c = sqlite3.connect({!r}); c.execute('BEGIN EXCLUSIVE')",
        "duckdb": "import duckdb; c = duckdb.connect({!r})",
    }[kind].format(str(file))
    with subprocess.Popen(
        [sys.executable, "-c", f"{hold}\nprint('held', flush=True)\nimport sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(TelcoError, match=r"another program (has|holds)"):
            loading.load(database, lake, SMS, DAY, again=True)
        holder.stdin.close()
    assert_frame_equal(held(database, SMS), expected(lake, SMS))


# --- a full disk ----------------------------------------------------------------------------

ROOM = 8_000_000
"""Bytes of the little disk: tables, a first small day and its ledger, but not the second."""
MANY = 60_000


@pytest.fixture
def little_disk() -> Iterator[Path]:
    """Give a directory on a disk of few bytes; the test is skipped where none may be mounted.

    Not below pytest's directory, which the server's user may not enter.
    """
    where = Path(tempfile.mkdtemp(prefix="telco-disk-"))
    where.chmod(0o755)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM},mode=0777", "tmpfs", str(where)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        where.rmdir()
        pytest.skip("no right to mount a small disk")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)
    where.rmdir()


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_disk_that_may_not_be_written_to(kind: str, little_disk: Path, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [SMS], [DAY])
    database = Database.from_environment(f"{kind}:///{little_disk}/warehouse", environ={})
    loading.load(database, lake, SMS, DAY)
    subprocess.run(["mount", "-o", "remount,ro", str(little_disk)], check=True)
    with pytest.raises(TelcoError, match=r"its rights|make it") as caught:
        loading.load(database, lake, SMS, DAY, again=True)
    assert "\n" not in str(caught.value)
    assert len(ledger.loaded(database)) == 1, "reading is allowed still"


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_full_disk_leaves_the_old_day(kind: str, little_disk: Path, tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", [SMS], [DAY])
    database = Database.from_environment(f"{kind}:///{little_disk}/warehouse", environ={})
    loading.load(database, lake, SMS, DAY)
    before = held(database, SMS)
    put(lake, SMS, [DAY], [MANY], seed=2)
    with pytest.raises(TelcoError, match="disk") as caught:
        loading.load(database, lake, SMS, DAY)
    assert "\n" not in str(caught.value)
    assert_frame_equal(held(database, SMS), before)
    (line,) = ledger.loaded(database, SMS)
    assert line.rows == before.height


def test_a_full_disk_of_the_server_leaves_the_old_day(
    own_postgres: Callable[..., OwnPostgres], little_disk: Path, tmp_path: Path
) -> None:
    server = own_postgres()
    space = little_disk / "space"
    space.mkdir(mode=0o700)
    os.chown(space, server.data.stat().st_uid, server.data.stat().st_gid)
    url = server.create_database()
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE TABLESPACE little LOCATION '{space}'")
        name = make_url(url).database
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_tablespace = 'little'")
    lake = lake_of(tmp_path / "lake", [SMS], [DAY])
    database = Database.from_environment(url, environ={})
    loading.load(database, lake, SMS, DAY)
    before = held(database, SMS)
    put(lake, SMS, [DAY], [MANY], seed=2)
    with pytest.raises(TelcoError, match="its disk is full") as caught:
        loading.load(database, lake, SMS, DAY)
    assert "\n" not in str(caught.value)
    assert_frame_equal(held(database, SMS), before)
    put(lake, SMS, [DAY], [90], seed=3)
    loading.load(database, lake, SMS, DAY)
    assert_frame_equal(held(database, SMS), expected(lake, SMS))


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_limit_on_the_size_of_files_leaves_the_old_day(kind: str, tmp_path: Path) -> None:
    """The system refuses to let a file grow; needs no rights, so it is tested everywhere."""
    lake = lake_of(tmp_path / "lake", [SMS], [DAY])
    database = Database.from_environment(f"{kind}:///{tmp_path}/warehouse", environ={})
    loading.load(database, lake, SMS, DAY)
    before = held(database, SMS)
    put(lake, SMS, [DAY], [MANY], seed=2)
    command = [sys.executable, "-m", "telco_pipeline_tests.warehouse.victim"]
    url = database.url.render_as_string(hide_password=False)
    done = subprocess.run(
        [*command, url, str(lake.root)],
        input="\n",
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM // 2, ROOM // 2)),
        check=False,
    )
    assert done.returncode != 0
    assert "telco_pipeline.errors.TelcoError: loading cdrs_sms 2026-01-01 at" in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "disk" in last or "limit" in last, last
    assert_frame_equal(held(database, SMS), before)


def test_a_limit_of_the_servers_temporary_files(
    own_postgres: Callable[..., OwnPostgres], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from telco_pipeline.warehouse import postgres as module

    monkeypatch.setattr(module, "_INDEX_MEMORY", "1MB")
    server = own_postgres({"temp_file_limit": "1MB"})
    lake = lake_of(tmp_path / "lake", [SMS], [DAY], [MANY])
    database = Database.from_environment(server.create_database(), environ={})
    with pytest.raises(TelcoError, match="a limit of the server is reached"):
        loading.load(database, lake, SMS, DAY)
    assert ledger.loaded(database) == []


# --- several at once ------------------------------------------------------------------------


def test_loads_that_run_at_once_do_not_harm_each_other(postgres_url: str, tmp_path: Path) -> None:
    """Tables, the same day and different days, each from a thread of its own."""
    lake = lake_of(tmp_path / "lake", [SMS])
    errors: list[BaseException] = []

    def load(day: object) -> None:
        try:
            database = Database.from_environment(postgres_url, environ={})
            loading.load(database, lake, SMS, day, again=True)  # type: ignore[arg-type]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=load, args=(day,)) for day in lake.days(SMS) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    database = Database.from_environment(postgres_url, environ={})
    assert_frame_equal(held(database, SMS), expected(lake, SMS))
    assert isinstance(held(database, SMS), pl.DataFrame)


def test_every_kind_is_tested() -> None:
    from telco_pipeline.warehouse import tables

    assert {*KINDS, "mssql"} == set(tables.DIALECTS)
    assert callable(url_of)
