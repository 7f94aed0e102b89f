"""The warehouse benchmark: a day of the lake into databases, beside psql with the same rows.

Belongs here: the server, rounds, medians and the report. Does not belong here: a single load
(`warehouse_child`).

Contenders take turns within a round, so that whatever else the machine does hits all of them. psql
copies a CSV file that was made before, once into a table without keys or indexes and once into one
that has ours already, as somebody would who does it by hand. Ours reads Parquet, encodes, copies,
makes key and indexes, and writes the ledger: a new schema or file each time, so that nothing is
there before. Before each contender the server writes its dirty pages out.
"""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import sqlalchemy as sa

from benchmarks.measure import LAST_WORDS, machine
from telco_pipeline.contracts import DATASETS
from telco_pipeline.errors import TelcoError
from telco_pipeline.lake import Lake
from telco_pipeline.warehouse import loading, postgres, tables
from telco_pipeline.warehouse.database import Database

BARE = "psql \\copy, table without key or index"
SAME = "psql \\copy, table with our key and indexes"
POSTGRES = "telco, PostgreSQL"
DUCKDB = "telco, DuckDB"
SQLITE = "telco, SQLite"
BAR_SHARE = 0.6
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What a run of the benchmark does.

    Attributes:
        lake: The lake.
        dataset: The dataset.
        day: Its day.
        rounds: How often each contender runs.
        url: A PostgreSQL; None for one of its own.
    """

    lake: str
    dataset: str
    day: dt.date
    rounds: int
    url: str | None = None


@dataclass
class Result:
    """What the runs of a contender measured.

    Attributes:
        name: Who.
        rates: Rows a second of each run.
        cpus: CPU seconds of its process in each run.
        peaks: Peak memory of each run's process, bytes; 0 where nobody knows.
    """

    name: str
    rates: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median of the rows a second."""
        return median(self.rates)

    @property
    def peak(self) -> float:
        """Median of the peaks."""
        return median(self.peaks)


@dataclass
class Report:
    """All results.

    Attributes:
        dataset: What was loaded.
        rows: Rows of a run.
        columns: Columns of a row.
        csv_bytes: Size of the CSV.
        results: Of each contender.
        machine: Where it ran.
    """

    dataset: str
    rows: int
    columns: int
    csv_bytes: int
    results: dict[str, Result]
    machine: dict[str, Any]

    def share(self, peer: str) -> float:
        """Return our rate over a peer's: the median over rounds."""
        ours, theirs = self.results[POSTGRES].rates, self.results[peer].rates
        return median(own / other for own, other in zip(ours, theirs, strict=True))

    def as_json(self) -> dict[str, Any]:
        """Return everything for a file."""
        plain = asdict(self)
        plain["results"] = list(plain["results"].values())
        plain["shares"] = {BARE: self.share(BARE), SAME: self.share(SAME)}
        return plain


def steps(plan: Plan) -> int:
    """Return how many runs there will be."""
    return 5 * plan.rounds


def run(plan: Plan, say: Say) -> Report:
    """Run all rounds.

    Raises:
        TelcoError: There is no PostgreSQL or no psql, or a run fails.
    """
    results = {name: Result(name) for name in (BARE, SAME, POSTGRES, DUCKDB, SQLITE)}
    psql = _psql()
    with tempfile.TemporaryDirectory(prefix="telco-bench-warehouse-") as name, _server(plan) as url:
        folder = Path(name)
        rows, csv = _csv(plan, folder / "rows.csv")
        for number in range(plan.rounds):
            for contender in results:
                say(f"round {number + 1}: {contender}")
                found = _contend(contender, plan, url, psql, csv, folder)
                results[contender].rates.append(rows / found["seconds"])
                results[contender].cpus.append(found["cpu"])
                results[contender].peaks.append(found["peak"])
        size = csv.stat().st_size
    columns = len(DATASETS[plan.dataset].columns)
    return Report(plan.dataset, rows, columns, size, results, machine())


def _contend(
    contender: str, plan: Plan, url: str, psql: Path, csv: Path, folder: Path
) -> dict[str, Any]:
    schema = f"bench_{uuid.uuid4().hex[:8]}"
    if contender in (DUCKDB, SQLITE):
        file = folder / schema
        kind = "duckdb" if contender == DUCKDB else "sqlite"
        try:
            return _load(plan, f"{kind}:///{file}", None)
        finally:
            for path in folder.glob(f"{schema}*"):
                path.unlink()
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        try:
            if contender == POSTGRES:
                connection.exec_driver_sql("CHECKPOINT")
                return _load(plan, url, schema)
            _make_table(connection, plan.dataset, schema, with_keys=contender == SAME)
            connection.exec_driver_sql("CHECKPOINT")
            return _copy(psql, url, f"{schema}.{plan.dataset}", csv)
        finally:
            connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")


def _make_table(connection: sa.Connection, dataset: str, schema: str, *, with_keys: bool) -> None:
    """Make a table that psql can copy into: ours, but not partitioned."""
    ours = tables.table_of(DATASETS[dataset], sa.MetaData(schema=schema))
    table = tables.for_dialect(ours, "postgresql") if with_keys else tables.without_keys(ours)
    for statement in tables.create_statements(table, connection.dialect):
        if statement.startswith("CREATE"):
            plain = statement.partition("PARTITION BY")[0]
            connection.exec_driver_sql(plain.replace("%", "%%"))


def _copy(psql: Path, url: str, table: str, csv: Path) -> dict[str, Any]:
    """Let psql copy the file; the seconds are those of its process, as a user sees them."""
    command = [str(psql), url, "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    command += ["-c", f"\\copy {table} from '{csv}' with (format csv)"]
    begun = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise TelcoError(f"psql ended with status {process.returncode}: {said[-LAST_WORDS:]}")
    # Its peak memory is not known: the system counts what it had before it became psql, too.
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "peak": 0}


def _load(plan: Plan, url: str, schema: str | None) -> dict[str, Any]:
    """Load in a process of its own; return what it printed."""
    task = {
        "lake": plan.lake,
        "dataset": plan.dataset,
        "day": plan.day.isoformat(),
        "url": url,
        "schema": schema,
    }
    command = [sys.executable, "-m", "benchmarks.warehouse_child"]
    done = subprocess.run(
        command, input=json.dumps(task), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = " ".join(done.stderr.split())[-LAST_WORDS:]
        raise TelcoError(f"benchmark {plan.dataset} ended with status {done.returncode}: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def _csv(plan: Plan, path: Path) -> tuple[int, Path]:
    """Write the day as the CSV that a load sends, with the day in front; return its rows."""
    names = [tables.DAY, *DATASETS[plan.dataset].columns]
    count = 0
    day = pl.lit(plan.day).alias(tables.DAY)
    frames = (
        frame.with_columns(day) for frame in loading.read(Lake(plan.lake), plan.dataset, plan.day)
    )
    with path.open("wb") as file:
        for data, rows in postgres.encode(frames, names):
            file.write(data)
            count += rows
    return count, path


def _psql() -> Path:
    found = shutil.which("psql")
    if found is not None:
        return Path(found)
    try:
        from telco_pipeline_tests.postgres import binaries

        return binaries() / "psql"
    except Exception as error:
        raise TelcoError(f"no psql for the benchmark ({error}): install PostgreSQL's") from None


@contextmanager
def _server(plan: Plan) -> Iterator[str]:
    """Give the URL of a PostgreSQL; one of its own has the server's default settings."""
    if plan.url is not None:
        database = Database.from_environment(plan.url)
        if database.dialect != "postgresql":
            raise TelcoError("--database-url must name a PostgreSQL: the others need no server")
        # psql knows no drivers.
        plain = database.url.set(drivername="postgresql")
        yield plain.render_as_string(hide_password=False)
        return
    try:
        from telco_pipeline_tests.postgres import OwnPostgres, PostgresUnavailableError
    except ImportError as error:
        raise TelcoError(
            f"no PostgreSQL for the benchmark ({error.name} is missing): run `make setup`, or name "
            "one with --database-url"
        ) from error
    server = OwnPostgres({"fsync": "on", "full_page_writes": "on"})
    try:
        server.start()
        yield server.create_database()
    except PostgresUnavailableError as error:
        raise TelcoError(f"no PostgreSQL for the benchmark: {error}") from None
    finally:
        server.close()
