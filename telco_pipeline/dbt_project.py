"""The dbt project of dbt_checks/: where it lies, what it looks at, and running it.

    python -m telco_pipeline.dbt_project [build ...]

runs dbt there with the lake and the database that the environment names, as `make dbt` does.

Belongs here: the environment of dbt, its manifest, its results. Does not belong here: models and
tests (dbt_checks/), what of them is generated (`contracts.dbt`), what Dagster is told
(`assets.dbt`).

dbt runs in a process of its own: it keeps its settings and its log in global state. It reports
nothing to anybody (`dbt --version` would ask for newer versions, so it is not asked).
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from telco_pipeline.errors import TelcoError
from telco_pipeline.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

PROJECT: Final = Path(__file__).parents[1] / "dbt_checks"
TARGETS: Final = ("lake", "warehouse")
TARGET_VARIABLE: Final = "TELCO_DBT_TARGET"

_PACKAGES: Final = ("dbt-core", "dbt-duckdb", "dbt-postgres")
_SOURCES: Final = (".sql", ".yml")
_OUTPUT: Final = "target"
_DATABASE: Final = "lake.duckdb"
_LAST_LINES: Final = 20
_LIBPQ: Final[Mapping[str, str]] = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "passfile": "PGPASSFILE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
    "gssencmode": "PGGSSENCMODE",
    "krbsrvname": "PGKRBSRVNAME",
    "service": "PGSERVICE",
    "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
"""Variables of libpq by its connection parameters."""
# `python -m` would load the module twice, and say so.
_DBT: Final = (sys.executable, "-c", "from dbt.cli.main import cli; cli(prog_name='dbt')")


@dataclass(frozen=True)
class Outcome:
    """What became of one model or test.

    Attributes:
        unique_id: Its key in the manifest.
        status: success, pass, fail, warn, error or skipped.
        failures: Rows that a test found; 0 of a model.
        message: What dbt says of it.
        seconds: How long it took.
    """

    unique_id: str
    status: str
    failures: int
    message: str
    seconds: float

    @property
    def name(self) -> str:
        """Its name without package and hash."""
        return self.unique_id.split(".")[2]

    @property
    def good(self) -> bool:
        """Whether it was made, or found nothing."""
        return self.status in ("success", "pass")

    @property
    def bad(self) -> bool:
        """Whether it failed (a warning or what was skipped has not)."""
        return self.status in ("fail", "error", "runtime error")


def missing_packages() -> list[str]:
    """Return the packages of the extra `dbt` that are not installed."""
    return [name for name in _PACKAGES if _version(name) is None]


def require() -> None:
    """See that dbt and its project are there.

    Raises:
        TelcoError: They are not; says what to do.
    """
    if missing := missing_packages():
        raise TelcoError(
            f"{', '.join(missing)} not installed: pip install 'telco-pipeline[dbt]' (or make setup)"
        )
    if not (PROJECT / "dbt_project.yml").is_file():
        raise TelcoError(f"there is no dbt project in {PROJECT}: run from a checkout")


def environment(
    target: str | None = None,
    environ: Mapping[str, str] | None = None,
    lake: Path | None = None,
) -> dict[str, str]:
    """Return the environment in which dbt looks at the right data, whatever the current folder is.

    Args:
        target: `lake` or `warehouse`; None for TELCO_DBT_TARGET, or else the lake.
        environ: The variables to start from; those of this process when None.
        lake: The lake; None for TELCO_LAKE.

    Raises:
        TelcoError: There is no such target, or TELCO_DATABASE_URL names no PostgreSQL that dbt
            can read.
    """
    environ = os.environ if environ is None else environ
    target = target or environ.get(TARGET_VARIABLE) or TARGETS[0]
    if target not in TARGETS:
        raise TelcoError(f"dbt has no target {target!r}: choose from {', '.join(TARGETS)}")
    place = lake or Path(Settings.from_env(environ).lake)
    database = environ.get("TELCO_DBT_DATABASE") or PROJECT / _OUTPUT / _DATABASE
    told = {
        "TELCO_LAKE": str(place.absolute()),
        "TELCO_DBT_DATABASE": str(Path(database).absolute()),
        TARGET_VARIABLE: target,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
    }
    if target == "warehouse":
        told |= _libpq(environ)
    return {**environ, **told}


def _libpq(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of libpq for TELCO_DATABASE_URL; none if that is not set.

    The URL is read as `telco warehouse` reads it. Parameters that libpq has no variable for
    (keepalives) are left to dbt.
    """
    if not environ.get("TELCO_DATABASE_URL", "").strip():
        return {}
    # Here and not at the top: most commands need no database.
    from telco_pipeline.warehouse.database import Database

    database = Database.from_environment(environ=environ)
    if database.dialect != "postgresql":
        raise TelcoError(
            f"dbt's target warehouse is PostgreSQL, but TELCO_DATABASE_URL names "
            f"{database.dialect}: use the target lake, or load a PostgreSQL warehouse"
        )
    parts = _parameters(database.url)
    return {
        variable: str(parts[name])
        for name, variable in _LIBPQ.items()
        if parts.get(name) is not None
    }


def _parameters(url: "URL") -> Mapping[str, Any]:
    """Return what the driver is told of a URL, its query too."""
    from sqlalchemy.exc import ArgumentError

    try:
        _, parts = url.get_dialect()().create_connect_args(url)
    except (ArgumentError, ValueError):
        raise TelcoError("TELCO_DATABASE_URL: its host or port cannot be read") from None
    if "," in f"{parts.get('host', '')}{parts.get('port', '')}":
        raise TelcoError("TELCO_DATABASE_URL names several hosts: dbt takes one")
    return parts


def manifest() -> Path:
    """Return dbt's manifest of the project, made anew if the project or dbt has changed.

    It tells which models and tests there are, and no data is read for it. It lies in the folder
    `target` of the project under a name that says what it was made from.

    Raises:
        TelcoError: dbt cannot make it; says why.
    """
    require()
    folder = PROJECT / _OUTPUT / "dagster"
    path = folder / f"manifest-{_fingerprint()}.json"
    if path.is_file():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as made:
            _parse(Path(made))
            # Others may make the same one at the same time: whoever is last puts an equal file.
            (Path(made) / "manifest.json").replace(path)
    except OSError as error:
        raise TelcoError(f"cannot write dbt's manifest to {folder}: {error.strerror}") from error
    for old in folder.glob("manifest-*.json"):
        if old != path:
            old.unlink(missing_ok=True)
    return path


def _parse(output: Path) -> None:
    # Which data are named does not matter: a manifest tells only what there is.
    arguments = ["parse", "--quiet", "--no-partial-parse", "--target", TARGETS[0]]
    found = subprocess.run(
        command(arguments, output),
        cwd=PROJECT,
        env=environment(TARGETS[0]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if found.returncode:
        raise TelcoError(f"dbt cannot read {PROJECT}: {_reason(found.stdout.splitlines())}")


def command(arguments: Sequence[str], output: Path) -> list[str]:
    """Return the command that runs dbt in the project; it writes what it makes to `output`."""
    return [
        *_DBT,
        *("--no-use-colors", "--log-path", str(output)),
        *arguments,
        *("--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)),
        *("--target-path", str(output)),
    ]


def run(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    output: Path,
    on_line: Callable[[str], None],
) -> list[Outcome]:
    """Run dbt and return what became of each model and test, failed ones too.

    Args:
        arguments: Arguments of dbt, such as `build`.
        environ: Its environment, from `environment`.
        output: Folder for what it writes.
        on_line: Called with each line that it prints.

    Raises:
        TelcoError: It ends without results; says what it printed last.
    """
    results = output / "run_results.json"
    results.unlink(missing_ok=True)
    last: list[str] = []
    with subprocess.Popen(
        command(arguments, output),
        cwd=PROJECT,
        env=dict(environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = [*last, line.strip()][-_LAST_LINES:]
            on_line(line.rstrip())
    if not results.is_file():
        raise TelcoError(f"dbt ended with {process.returncode}: {_reason(last)}")
    return outcomes(json.loads(results.read_text(encoding="utf-8")))


def _reason(lines: Sequence[str]) -> str:
    """Return the last lines that tell something, without dbt's clock."""
    told = [line[8:] if line[2:3] == ":" == line[5:6] else line for line in lines[-_LAST_LINES:]]
    return "; ".join(line.strip() for line in told if line.strip()) or "it said nothing"


def outcomes(results: Mapping[str, Any]) -> list[Outcome]:
    """Return what became of each model and test from dbt's `run_results.json`."""
    return [
        Outcome(
            unique_id=one["unique_id"],
            status=one["status"],
            failures=one["failures"] or 0,
            message=one["message"] or "",
            seconds=one["execution_time"],
        )
        for one in results["results"]
        if one["unique_id"].split(".")[0] in ("model", "test")
    ]


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _fingerprint() -> str:
    """Return a hash of the project's files and of the versions that read them."""
    digest = hashlib.blake2b(digest_size=8)
    for name in _PACKAGES:
        digest.update(f"{name} {_version(name)}\n".encode())
    for folder in (".", "models", "macros", "tests"):
        found = (PROJECT / folder).glob("*" if folder == "." else "**/*")
        for path in sorted(path for path in found if path.suffix in _SOURCES):
            digest.update(path.relative_to(PROJECT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _target(arguments: Sequence[str]) -> str | None:
    """Return the target that arguments of dbt name, in any form that dbt takes; None for none."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-t", "--target")
    try:
        return parser.parse_known_args(list(arguments))[0].target
    except argparse.ArgumentError:  # it ends with the bare option: dbt says so
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run dbt as the command line says, `build` if it says nothing; return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["build"]
    try:
        require()
        environ = environment(_target(given))
    except TelcoError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return subprocess.run([*_DBT, *given], cwd=PROJECT, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
